"""What the server does not give at the moment is asked for again until it does, and holds up nobody meanwhile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from anyctrader.fake import FakeServer, faults
from anyctrader.fake.injection import Fault
from anyctrader.session import (
    CTraderError,
    Environment,
    MarketOrder,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    ServerError,
    SessionState,
    Side,
    UnderMaintenance,
    aftercare,
)
from anyctrader.session.refusals import is_already_subscribed, is_final
from anyctrader.wire import messages as oa

from .rig import EURUSD, QUICK, Denying, a_desk, facts_of, heard, ready_again

pytestmark = [pytest.mark.anyio, pytest.mark.uvloop]

DEMO = Environment.DEMO
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.01")
STOPPED = replace(BUY, stop_loss_pips=20)
SUBSCRIBING = (oa.ProtoOASubscribeSpotsReq, oa.ProtoOASubscribeDepthQuotesReq, oa.ProtoOASubscribeLiveTrendbarReq)
TEMPORARY = ("SERVER_IS_UNDER_MAINTENANCE", "CANT_ROUTE_REQUEST", "CH_SERVER_NOT_REACHABLE", "TIMEOUT_ERROR")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aftercare, "_AGAIN_S", 0.05)


@pytest.mark.parametrize(
    ("error", "final"),
    [
        (ServerError("SYMBOL_NOT_FOUND"), True),
        (ServerError("UNKNOWN_SYMBOL"), True),
        (ServerError("INVALID_REQUEST", "no such period"), True),
        (ServerError("SOMETHING_NEW"), True),
        (ServerError("INVALID_REQUEST", "Trading account is not authorized"), False),
        (ServerError("ACCOUNT_NOT_AUTHORIZED"), False),
        (ServerError("CH_CLIENT_NOT_AUTHENTICATED"), False),
        (UnderMaintenance("SERVER_IS_UNDER_MAINTENANCE"), False),
        (RateLimited("BLOCKED_PAYLOAD_TYPE"), False),
        (ServerError("CANT_ROUTE_REQUEST"), False),
        (ServerError("CH_SERVER_NOT_REACHABLE"), False),
        (ServerError("TIMEOUT_ERROR"), False),
        (OutcomeUnknown("it left"), False),
        (NotSent("it did not leave"), False),
    ],
    ids=str,
)
def test_only_what_cannot_be_is_given_up(error: CTraderError, final: bool) -> None:
    assert is_final(error) is final
    assert not is_already_subscribed(error)


def served(server: FakeServer) -> tuple[list[int], list[int], list[int]]:
    """What the newest client is subscribed to: quotes, depth, live bars."""
    mine = list(server.clients.values())[-1].sessions[server.account_id].subscriptions
    bars = [symbol_id for symbol_id, spots in mine.spots.items() if spots.periods]
    return list(mine.spots), list(mine.depth), bars


async def served_again(server: FakeServer, wanted: tuple[list[int], ...]) -> None:
    while served(server) != wanted:  # noqa: ASYNC110 - the server has no observation for it
        await anyio.sleep(0.01)


@pytest.mark.parametrize("code", TEMPORARY)
async def test_subscriptions_that_cannot_be_had_now_are_asked_for_until_they_can(tmp_path: Path, code: str) -> None:
    async with a_desk(tmp_path) as (server, desk):
        account = desk.account(DEMO)
        async with account.spots("EURUSD") as spots:
            await account.request(oa.ProtoOASubscribeDepthQuotesReq(symbolId=[EURUSD]))
            await account.request(oa.ProtoOASubscribeLiveTrendbarReq(symbolId=EURUSD, period=1))
            with server.faults.inject(Denying(*SUBSCRIBING, code=code)):
                await ready_again(desk.session(DEMO), links=server.drop_clients)
                await server.wait_for("ProtoOASubscribeSpotsReq", count=4)
                assert served(server) == ([], [], [])
            with anyio.fail_after(5):
                while served(server) != ([EURUSD],) * 3:  # noqa: ASYNC110 - another process would not tell either
                    await anyio.sleep(0.01)
                server.set_price(EURUSD, bid=130_000, ask=130_010)
                async for spot in spots:
                    if spot.bid_wire == 130_000:
                        break
    log = (tmp_path / "demo_connection.log").read_text()
    assert "subscriptions_wait" in log
    assert "subscription_lost" not in log


async def test_subscriptions_that_are_not_answered_keep_no_account_away(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timings=replace(QUICK, request_s=600)) as (server, desk):
        async with desk.account(DEMO).spots("EURUSD"):
            unanswering = server.faults.inject(faults.Unanswering("ProtoOASubscribeSpotsRes"))
            await ready_again(desk.session(DEMO), links=server.drop_clients)
            await (await desk.place(DEMO, BUY)).filled()
            unanswering.remove()
            assert server.seen.names().count("connected") == 2
    assert "subscriptions_wait" in (tmp_path / "demo_connection.log").read_text()


async def test_callers_who_subscribe_under_a_rate_block_keep_no_account_away(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timings=replace(QUICK, request_s=60)) as (server, desk):
        account = desk.account(DEMO)
        await account.symbols(["EURUSD", "GBPUSD"])

        async def want(name: str) -> None:
            with pytest.raises(CTraderError):
                async with account.spots(name):
                    pass
            raise AssertionError("its subscription was to be held back")

        async with account.spots("US500"), anyio.create_task_group() as tasks:
            server.faults.inject(faults.Blocked(oa.ProtoOASubscribeSpotsReq, retry_after_s=50))
            for name in ("EURUSD", "GBPUSD"):
                tasks.start_soon(want, name)
            await server.wait_for("ProtoOASubscribeSpotsReq", count=2)
            with anyio.fail_after(10):
                await ready_again(desk.session(DEMO), links=server.drop_clients)
            tasks.cancel_scope.cancel()


@pytest.mark.parametrize("code", ["BLOCKED_PAYLOAD_TYPE", *TEMPORARY[:2]])
async def test_missed_deals_that_cannot_be_listed_are_asked_for_until_they_can(tmp_path: Path, code: str) -> None:
    async with a_desk(tmp_path, timings=replace(QUICK, request_s=2)) as (server, desk):
        server.set_price(EURUSD, bid=120_000, ask=120_010)
        await (await desk.place(DEMO, STOPPED)).protected()
        denying: Fault = Denying(oa.ProtoOADealListReq, code=code)

        def stop_out() -> None:
            server.drop_clients()
            server.set_price(EURUSD, bid=119_000, ask=119_010)

        with server.faults.inject(denying):
            await ready_again(desk.session(DEMO), links=stop_out)
            await desk.flush()
            assert "missed_deal" not in facts_of(tmp_path)
        with anyio.fail_after(10):
            while "missed_deal" not in facts_of(tmp_path):
                await anyio.sleep(0.01)
                await desk.flush()
        assert server.seen.names().count("connected") == 2


@pytest.mark.parametrize("what", ["a review", "subscriptions"])
async def test_an_account_that_is_lost_while_it_is_looked_after_is_authorised_at_once(
    tmp_path: Path, what: str
) -> None:
    async with a_desk(tmp_path, timings=replace(QUICK, request_s=600)) as (server, desk):
        session, account = desk.session(DEMO), desk.account(DEMO)
        async with account.spots("EURUSD"):
            if what == "a review":
                deaf = server.faults.inject(faults.Deafness("ProtoOAReconcileReq"))
                session.review(server.account_id)
                await server.wait_for("ProtoOAReconcileReq", count=2)
            else:
                deaf = server.faults.inject(faults.Deafness("ProtoOASubscribeSpotsReq"))
                server.disconnect_account(server.account_id)
                await server.wait_for("ProtoOASubscribeSpotsReq", count=2)
                await session.wait_for(SessionState.READY)
                await server.wait_for("ProtoOASubscribeSpotsReq", count=3)
            deaf.remove()
            before = len(heard(server, oa.ProtoOAAccountAuthReq))
            server.disconnect_account(server.account_id)
            await server.wait_for("ProtoOAAccountAuthReq", count=before + 1)
            with anyio.fail_after(5):
                await session.wait_for(SessionState.READY)
                await (await desk.place(DEMO, BUY)).filled()
                while served(server)[0] != [EURUSD]:  # noqa: ASYNC110
                    await anyio.sleep(0.01)
        assert server.seen.names().count("connected") == 1
