"""How a session comes back: in which order, from what, on which link, and what it tells meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from anyctrader.fake import faults
from anyctrader.fake.injection import Fault
from anyctrader.fake.refused import Blame, Refused
from anyctrader.session import (
    Credentials,
    Environment,
    MarketOrder,
    NotSent,
    OrderState,
    OutcomeUnknown,
    RateLimited,
    Session,
    SessionState,
    Side,
    clock,
    connect,
    open_connection_log,
)
from anyctrader.session.roster import AccountAway
from anyctrader.wire import Budget, LocalProtocolError
from anyctrader.wire import messages as oa

from .peer import CODEC, UNKNOWN, Answer, Peer, framed, listening
from .rig import (
    EURUSD,
    QUICK,
    a_desk,
    a_server,
    an_account,
    audit_of,
    connected,
    facts_of,
    heard,
    is_execution,
    ready_again,
)

pytestmark = [pytest.mark.anyio, pytest.mark.uvloop]

DEMO = Environment.DEMO
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.01")
TRADER = oa.ProtoOATraderReq()
VERSION = oa.ProtoOAVersionReq()


# The order of coming back


async def test_it_comes_back_in_the_order_in_which_one_thing_needs_the_other(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk), desk.account(DEMO).spots("EURUSD"):
        with server.faults.inject(faults.Unanswering(is_execution())):

            async def place() -> None:
                with pytest.raises(OutcomeUnknown):
                    await desk.place(DEMO, BUY)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(place)
                await server.wait_for("ProtoOANewOrderReq")
                server.drop_clients()
        await server.wait_for("ProtoOASubscribeSpotsReq", client=2)
        again = [seen.name for seen in server.seen if seen.client == 2]
        order = [name for name in again if name.startswith("ProtoOA")]
        assert order[:6] == [
            "ProtoOAApplicationAuthReq",
            "ProtoOAGetAccountListByAccessTokenReq",
            "ProtoOAAccountAuthReq",
            "ProtoOAReconcileReq",
            "ProtoOADealListReq",
            "ProtoOAOrderListReq",
        ]
        assert order.index("ProtoOASubscribeSpotsReq") > order.index("ProtoOAOrderListReq")
        assert heard(server, oa.ProtoOAReconcileReq)[-1].returnProtectionOrders
        assert {order.state for order in desk.orders.values()} == {OrderState.FILLED}


@pytest.mark.parametrize("held", ["ProtoOAReconcileRes", "ProtoOADealListRes", "ProtoOASubscribeSpotsRes"])
async def test_nothing_that_trades_passes_before_all_of_it_is_back(tmp_path: Path, held: str) -> None:
    async with a_desk(tmp_path) as (server, desk), desk.account(DEMO).spots("EURUSD"):
        holding = server.faults.inject(faults.Unanswering(held))
        server.drop_clients()
        await server.wait_for(held.replace("Res", "Req"), client=2)
        assert desk.session(DEMO).state is SessionState.RESTORING
        with pytest.raises(NotSent, match="restor"):
            await desk.place(DEMO, BUY)
        assert heard(server, oa.ProtoOANewOrderReq) == []
        holding.remove()
        server.drop_clients()
        await desk.session(DEMO).wait_for(SessionState.READY)
        await (await desk.place(DEMO, BUY)).filled()


async def test_a_stop_that_was_hit_while_away_is_on_record_with_its_deal_and_only_once(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        server.set_price(EURUSD, bid=120_000, ask=120_010)
        order = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=20))
        await order.protected()

        def fall() -> None:
            server.drop_clients()
            server.set_price(EURUSD, bid=119_000, ask=119_010)

        await ready_again(desk.session(DEMO), links=fall)
        await ready_again(desk.session(DEMO), links=server.drop_clients)
        await desk.flush()
        (missed,) = [line for line in audit_of(tmp_path) if line["fact"] == "missed_deal"]
        assert missed["position_id"] == order.position_id
        assert missed["closes"] is True
        assert missed["price"] == "1.19"


async def test_a_deal_that_was_heard_of_is_not_missed(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        order = await desk.place(DEMO, BUY)
        await order.filled()
        assert order.position_id is not None
        await (await desk.close(DEMO, order.position_id)).filled()
        await ready_again(desk.session(DEMO), links=server.drop_clients)
        await desk.flush()
    facts = [line["fact"] for line in audit_of(tmp_path)]
    assert "missed_deal" not in facts


async def test_deals_that_cannot_be_listed_do_not_keep_the_account_away(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        server.faults.inject(Unlisted())
        await ready_again(desk.session(DEMO), links=server.drop_clients)
        await (await desk.place(DEMO, BUY)).filled()
        assert server.seen.names().count("connected") == 2


class Unlisted(Fault):
    """No list of deals is given."""

    def admit(self, payload_type: int) -> None:
        if payload_type == oa.payload_type_of(oa.ProtoOADealListReq):
            raise Refused("UNKNOWN_ERROR", "No list today", blame=Blame.SERVER)


# An account's session


async def test_an_account_that_is_lost_while_it_is_restored_is_taken_up_again_at_once(tmp_path: Path) -> None:
    timings = replace(QUICK, request_s=600)  # whoever waits for an answer that cannot come waits for good
    async with a_desk(tmp_path, timings=timings) as (server, desk):
        deaf = server.faults.inject(faults.Deafness("ProtoOAReconcileReq"))
        server.disconnect_account(server.account_id)
        await server.wait_for("ProtoOAReconcileReq", count=2)
        deaf.remove()
        server.disconnect_account(server.account_id)
        await server.wait_for("ProtoOAReconcileReq", count=3)
        await (await placed(desk)).filled()
        assert server.seen.names().count("connected") == 1
        assert len(heard(server, oa.ProtoOAAccountAuthReq)) == 3


async def placed(desk: Any) -> Any:
    """Places an order as soon as the account may trade."""
    while True:
        try:
            return await desk.place(DEMO, BUY)
        except NotSent:
            await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("trades", [False, True], ids=["a read", "an order"])
async def test_what_met_a_lost_account_that_is_back_by_now_is_asked_again_or_was_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trades: bool
) -> None:
    async with a_desk(tmp_path) as (_server, desk):
        account, link = desk.account(DEMO), desk.session(DEMO).link
        await (await desk.place(DEMO, BUY)).filled()
        assert link is not None
        request, asked = link.request, list[str]()

        async def lost_for_a_moment(payload: Any, **more: Any) -> Any:
            asked.append(type(payload).__name__)
            if len(asked) == 1:
                await anyio.lowlevel.checkpoint()
                raise AccountAway(f"{asked[0]} needs its account authorised; it is logged out")
            return await request(payload, **more)

        monkeypatch.setattr(link, "request", lost_for_a_moment)
        if trades:
            with pytest.raises(NotSent, match="logged out"):
                await desk.place(DEMO, BUY)
            assert asked == ["ProtoOANewOrderReq"]  # nothing that trades is repeated
        else:
            assert (await account.request(TRADER)).trader.traderLogin == account.trader_login
            assert asked == ["ProtoOATraderReq"] * 2


async def test_an_account_that_is_lost_as_soon_as_it_is_there_costs_the_link_in_the_end(tmp_path: Path) -> None:
    timings = replace(QUICK, request_s=600)
    async with a_desk(tmp_path, timings=timings) as (server, desk):
        deaf = server.faults.inject(faults.Deafness("ProtoOAReconcileReq"))
        server.disconnect_account(server.account_id)
        for count in range(2, 7):
            await server.wait_for("ProtoOAReconcileReq", count=count)
            server.disconnect_account(server.account_id)
        deaf.remove()
        await server.wait_for("connected", client=2)
        await desk.session(DEMO).wait_for(SessionState.READY)
        assert len(heard(server, oa.ProtoOAAccountAuthReq)) == 7


async def test_a_caller_that_leaves_in_the_middle_of_authorising_leaves_no_account_half_restored(
    tmp_path: Path,
) -> None:
    async with a_desk(tmp_path) as (server, desk):
        session = desk.session(DEMO)
        roster = session._supervisor._roster
        for known in (roster.accounts, roster.usable, roster.restored):
            known.clear()
        late = server.faults.inject(faults.Deafness("ProtoOAReconcileReq"))
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(session.authorize, server.account_id)
                await server.wait_for("ProtoOAReconcileReq", count=2)
                late.remove()
                scope.cancel()
        await server.wait_for("ProtoOAReconcileReq", count=3)
        await session.request(VERSION)
        while server.account_id not in roster.restored:
            await anyio.lowlevel.checkpoint()


# What is refused


@pytest.mark.parametrize(
    "request_type",
    [oa.ProtoOAApplicationAuthReq, oa.ProtoOAGetAccountListByAccessTokenReq, oa.ProtoOAAccountAuthReq],
    ids=lambda kind: kind.__name__,
)
async def test_authentication_that_is_refused_for_its_rate_is_repeated_on_the_same_link(request_type: Any) -> None:
    async with a_server() as server:
        server.faults.inject(faults.Blocked(request_type, times=1))
        async with connected(server) as session:
            await session.authorize(server.account_id)
            assert session.state is SessionState.READY
        assert len(heard(server, request_type)) == 2
        assert server.seen.names().count("connected") == 1


async def test_authentication_that_stays_refused_for_its_rate_is_another_link_and_not_the_end() -> None:
    async with an_account(timings=replace(QUICK, connect_s=0.5)) as (server, session, _):
        blocked = server.faults.inject(faults.Blocked(oa.ProtoOAApplicationAuthReq))
        server.drop_clients()
        await server.wait_for("connected", client=3)  # the second had its half second
        blocked.remove()
        await session.wait_for(SessionState.READY)


async def test_an_order_that_is_refused_for_its_rate_is_not_repeated_and_holds_up_nothing_else(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        first = await desk.place(DEMO, BUY)
        await first.filled()
        server.faults.inject(faults.Blocked(oa.ProtoOANewOrderReq, retry_after_s=600, times=1))
        with pytest.raises(RateLimited) as caught:
            await desk.place(DEMO, BUY)
        assert caught.value.retry_after_s == 600
        assert len(heard(server, oa.ProtoOANewOrderReq)) == 2
        assert first.position_id is not None
        await (await desk.close(DEMO, first.position_id)).filled()  # another payload type
        assert (await desk.account(DEMO).request(TRADER)).trader.traderLogin
        with pytest.raises(NotSent):  # held back, and too long for an order
            await desk.place(DEMO, BUY)
        assert len(heard(server, oa.ProtoOANewOrderReq)) == 2


# Bad input


@asynccontextmanager
async def at_a_peer(
    folder: Path, answers: dict[str, Answer] | None = None, **given: Any
) -> AsyncIterator[tuple[Peer, Session]]:
    peer = Peer(answers)
    async with listening(peer, folder) as endpoint:
        credentials = Credentials(DEMO, client_id="a", client_secret="b", access_token="c")
        async with connect(
            DEMO,
            credentials,
            host=endpoint.host,
            port=endpoint.port,
            codec=CODEC,
            transport=endpoint.transport,
            ca_file=endpoint.ca_file,
            timings=QUICK,
            **given,
        ) as session:
            yield peer, session


def spot(account_id: int) -> Any:
    return oa.ProtoOASpotEvent(ctidTraderAccountId=account_id, symbolId=1, bid=5)


ODD: dict[str, tuple[Any, str | None]] = {
    "a reply that nobody asked for": (oa.ProtoOATraderRes(ctidTraderAccountId=1, trader=None), "nobody-1"),
    "an event of an account that is not ours": (spot(77), None),
    "an error reply without an id": (oa.ProtoOAErrorRes(errorCode="UNKNOWN_ERROR"), None),
    "the good-bye of an account that is not ours": (oa.ProtoOAAccountDisconnectEvent(ctidTraderAccountId=77), None),
    "an authorisation that nobody asked for": (oa.ProtoOAAccountAuthRes(ctidTraderAccountId=77), None),
    "an invalidation of accounts that are not ours": (
        oa.ProtoOAAccountsTokenInvalidatedEvent(ctidTraderAccountIds=[77, 78], reason="no reason"),
        None,
    ),
}


@pytest.mark.parametrize("name", ODD)
async def test_odd_input_is_carried_on_with_and_loses_no_reply_that_was_due(tmp_path: Path, name: str) -> None:
    said, client_msg_id = ODD[name]
    if isinstance(said, oa.ProtoOATraderRes):
        said.trader.ctidTraderAccountId, said.trader.balance, said.trader.depositAssetId = 1, 0, 1
    async with at_a_peer(tmp_path) as (peer, session):
        await session.authorize(1)

        async def oddly() -> None:
            await peer.say(said, client_msg_id)
            await peer.say(said, client_msg_id)  # and once more

        peer.answers["ProtoOAVersionReq"] = lambda _, __: [said, oa.ProtoOAVersionRes(version="91")]
        await oddly()
        del peer.answers["ProtoOAVersionReq"]
        peer.answers["ProtoOAVersionReq"] = lambda _, __: [oa.ProtoOAVersionRes(version="91")]
        assert (await session.request(VERSION, timeout_s=5)).version == "91"
        assert session.state is SessionState.READY
        assert peer.links == 1


async def test_an_unknown_type_is_logged_and_carried_on_with(tmp_path: Path) -> None:
    async with open_connection_log(tmp_path, DEMO) as log, at_a_peer(tmp_path, log=log) as (peer, session):
        await peer.say_bytes(framed(UNKNOWN) * 3)
        assert (await session.request(VERSION, timeout_s=5)).version == "91"
        assert session.state is SessionState.READY
        assert peer.links == 1
    assert log.path.read_text().count(" undecoded ") == 3


@pytest.mark.parametrize(
    "data",
    [b"\xff\xff\xff\xff", b"\x00\x00\x00\x05\x01\x02", b"\x7f\xff\xff\xff" + bytes(64)],
    ids=["length without end", "half a frame", "oversize length"],
)
async def test_broken_framing_is_another_link_and_the_log_says_why(tmp_path: Path, data: bytes) -> None:
    async with open_connection_log(tmp_path, DEMO) as log, at_a_peer(tmp_path, log=log) as (peer, session):
        async with session.changes() as changes:
            await peer.say_bytes(data)
            if len(data) == 6:
                peer.hang_up()  # the rest never comes
            async for change in changes:
                if change.state is SessionState.WAITING:
                    assert change.reason
                    break
        await session.wait_for(SessionState.READY)
        assert (await session.request(VERSION, timeout_s=5)).version == "91"
        assert peer.links == 2
    assert "state=waiting" in log.path.read_text()


async def test_a_read_without_a_required_field_is_told_its_name_at_once_and_takes_no_place() -> None:
    async with an_account() as (_server, session, account):
        assert session.link is not None
        before = session.link.throttle.used(Budget.ORDINARY, now_s=clock.now_s())
        with anyio.fail_after(2), pytest.raises(LocalProtocolError, match="period"):
            await account.request(oa.ProtoOASubscribeLiveTrendbarReq(symbolId=EURUSD))
        assert session.link.throttle.used(Budget.ORDINARY, now_s=clock.now_s()) == before


async def test_who_stands_behind_requests_that_cannot_be_said_need_not_wait(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (_server, desk):
        account = desk.account(DEMO)
        fill = await (await desk.place(DEMO, BUY)).filled()

        async def ask() -> None:
            with pytest.raises(LocalProtocolError, match="period"):
                await account.request(oa.ProtoOASubscribeLiveTrendbarReq(symbolId=EURUSD))

        async with anyio.create_task_group() as tasks:
            for _ in range(120):
                tasks.start_soon(ask)
            await anyio.lowlevel.checkpoint()
            with anyio.fail_after(0.9):  # the window is a second
                await desk.close(DEMO, fill.fills[0].position_id)
                await account.request(TRADER)


async def test_an_order_without_a_required_field_is_told_its_name(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (_server, desk):
        account = desk.account(DEMO)
        order = oa.ProtoOANewOrderReq(symbolId=EURUSD, tradeSide=oa.ProtoOATradeSide.BUY, volume=100_000)
        with pytest.raises(LocalProtocolError, match="orderType"):
            await account.request(order)
        await desk.flush()
        assert facts_of(tmp_path, request="ProtoOANewOrderReq")[-1] == "not_sent"
