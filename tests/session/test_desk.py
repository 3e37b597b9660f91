"""Demo and live behind one desk: each trades in its own name, and neither takes the other along."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest

from anyctrader.fake import FakeServer, Host, faults
from anyctrader.session import (
    Desk,
    Environment,
    InvalidOrder,
    LimitExceeded,
    LimitOrder,
    Limits,
    LiveTradingDisabled,
    MarketOrder,
    Mode,
    NotSent,
    Order,
    OrderAmendment,
    OrderState,
    PositionAmendment,
    Refused,
    SessionClosed,
    SessionState,
    Side,
    clock,
    open_desk,
)
from anyctrader.session import halt as halts
from anyctrader.session.supervisor import Supervisor
from anyctrader.session.verification import verify
from anyctrader.wire import Message
from anyctrader.wire import messages as oa

from .rig import (
    EURUSD,
    LOT_CENTS,
    QUICK,
    a_desk,
    a_server,
    audit_of,
    blocked,
    both,
    credentials_of,
    desk_settings,
    facts_of,
    heard,
    no_exception_group,
    side_of,
)

pytestmark = pytest.mark.anyio

DEMO, LIVE = Environment.DEMO, Environment.LIVE
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.01")
AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
TRADING = (
    oa.ProtoOANewOrderReq,
    oa.ProtoOAAmendOrderReq,
    oa.ProtoOAAmendPositionSLTPReq,
    oa.ProtoOAClosePositionReq,
    oa.ProtoOACancelOrderReq,
)


def traded_at(server: FakeServer) -> list[str]:
    """The names of the trading requests that a server has heard."""
    names = {cls.__name__ for cls in TRADING}
    return [name for name in server.seen.names() if name in names]


def some_of_each_kind(account_id: int) -> list[Any]:
    order = oa.ProtoOANewOrderReq(
        symbolId=EURUSD, orderType=oa.ProtoOAOrderType.MARKET, tradeSide=oa.ProtoOATradeSide.BUY, volume=LOT_CENTS
    )
    requests = [
        order,
        oa.ProtoOAAmendOrderReq(orderId=1),
        oa.ProtoOAAmendPositionSLTPReq(positionId=1),
        oa.ProtoOAClosePositionReq(positionId=1, volume=LOT_CENTS),
        oa.ProtoOACancelOrderReq(orderId=1),
    ]
    for request in requests:
        request.ctidTraderAccountId = account_id
    return requests


# Side by side


async def test_both_environments_trade_at_once_each_at_its_own_server(tmp_path: Path) -> None:
    async with both(tmp_path, live_enabled=True) as (demo_server, live_server, desk):
        assert desk.environments == (DEMO, LIVE)
        placed: dict[Environment, Order] = {}

        async def trade(environment: Environment) -> None:
            placed[environment] = await desk.place(environment, BUY)
            await placed[environment].filled()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(trade, DEMO)
            tasks.start_soon(trade, LIVE)
        for environment, server in ((DEMO, demo_server), (LIVE, live_server)):
            order = placed[environment]
            (request,) = heard(server, oa.ProtoOANewOrderReq)
            assert request.ctidTraderAccountId == desk.account(environment).id == server.account_id
            assert request.clientOrderId == order.client_order_id
            assert order.environment is environment
            assert [position.id for position in desk.positions(environment)] == [order.position_id]
            assert server.violations == ()
        assert desk.orders == {order.client_order_id: order for order in placed.values()}
        assert desk.session(DEMO) is not desk.session(LIVE)


async def test_everything_left_on_disk_says_where_it_belongs_and_when(tmp_path: Path) -> None:
    async with both(tmp_path, live_enabled=True) as (_, live_server, desk):
        for environment in (DEMO, LIVE):
            await (await desk.place(environment, BUY)).filled()
        live_server.drop_clients()
        await desk.session(LIVE).wait_for(SessionState.WAITING)
        await desk.session(LIVE).wait_for(SessionState.READY)
    assert verify(tmp_path) == []
    for name in ("order_audit.jsonl", "position_snapshot.jsonl"):
        lines = [orjson.loads(line) for line in (tmp_path / name).read_bytes().splitlines()]
        assert {line["environment"] for line in lines} == {"demo", "live"}
        assert all(AT.fullmatch(line["at"]) for line in lines)
        assert not any("sandbox" in line for line in lines)
    for environment in (DEMO, LIVE):
        log = (tmp_path / f"{environment.value}_connection.log").read_text().splitlines()
        assert all(AT.fullmatch(line.split()[0]) and line.split()[1] == environment.value for line in log)
        states = [line.split("state=")[1].split()[0] for line in log if " state state=" in line]
        assert states[:3] == ["authenticating", "restoring", "ready"]
        assert ("waiting" in states) is (environment is LIVE)
        assert states[-1] == "closed"


async def test_a_sandbox_marks_every_record_of_its_own(tmp_path: Path) -> None:
    async with a_server() as server:
        async with open_desk(desk_settings(tmp_path, side_of(server)), sandbox=True) as desk:
            await (await desk.place(DEMO, BUY)).filled()
    for name in ("order_audit.jsonl", "position_snapshot.jsonl"):
        lines = [orjson.loads(line) for line in (tmp_path / name).read_bytes().splitlines()]
        assert lines
        assert all(line["sandbox"] is True for line in lines)
    log = (tmp_path / "demo_connection.log").read_text().splitlines()
    assert all(line.split()[1:3] == ["demo", "sandbox"] for line in log)


async def test_a_desk_of_one_environment_refuses_the_other_by_name(tmp_path: Path) -> None:
    async with a_desk(tmp_path, codec="json") as (_, desk):
        assert desk.environments == (DEMO,)
        assert (await (await desk.place(DEMO, BUY)).filled()).volume_cents == LOT_CENTS
        for asking in (desk.account, desk.session, desk.positions, desk.mode):
            with pytest.raises(Refused, match="live is not configured"):
                asking(LIVE)
        with pytest.raises(Refused, match="live is not configured"):
            await desk.place(LIVE, BUY)
        with pytest.raises(TypeError, match="Environment"):
            await desk.place("demo", BUY)  # type: ignore[arg-type]


async def test_an_exception_of_the_body_comes_out_as_it_was_and_everything_is_closed(tmp_path: Path) -> None:
    class Mine(Exception):
        pass

    await blocked()
    before = {task.name for task in anyio.get_running_tasks()}
    async with a_server() as server:
        with pytest.raises(Mine) as caught:
            async with open_desk(desk_settings(tmp_path, side_of(server))):
                raise Mine
        assert no_exception_group(caught.value)
        await server.wait_for("closed")
    await blocked()
    assert {task.name for task in anyio.get_running_tasks()} == before
    assert verify(tmp_path) == []


# One of them is not well


async def trades_on(desk: Desk, environment: Environment) -> None:
    order = await desk.place(environment, BUY)
    assert (await order.filled()).volume_cents == LOT_CENTS


async def test_an_environment_that_is_not_there_keeps_nobody_waiting(tmp_path: Path) -> None:
    async with a_server() as demo_server, a_server(Host.LIVE) as live_server:
        with live_server.faults.inject(faults.RefuseTls()):
            settings = desk_settings(tmp_path, side_of(demo_server), side_of(live_server, live_enabled=True))
            async with open_desk(settings) as desk:
                assert desk.session(LIVE).state in (SessionState.WAITING, SessionState.CONNECTING)
                await trades_on(desk, DEMO)
                for asking in (desk.account, desk.positions, desk.snapshot):
                    with pytest.raises(NotSent, match="not authorised yet"):
                        asking(LIVE)
                with pytest.raises(NotSent):
                    await desk.place(LIVE, BUY)


async def test_an_environment_whose_credentials_are_refused_leaves_the_other_alone(tmp_path: Path) -> None:
    async with a_server() as demo_server, a_server(Host.LIVE) as live_server:
        live = side_of(live_server, credentials=credentials_of(live_server, client_secret="wrong"))
        async with open_desk(desk_settings(tmp_path, side_of(demo_server), live)) as desk:
            assert desk.session(LIVE).state is SessionState.REFUSED
            await trades_on(desk, DEMO)
            with pytest.raises(LiveTradingDisabled):
                await desk.place(LIVE, BUY)
            desk.session(LIVE).resume(credentials_of(live_server))
            await desk.session(LIVE).wait_for(SessionState.READY)
            assert desk.positions(LIVE) == ()


async def test_the_account_of_the_settings_is_the_only_one_and_must_belong_to_its_environment(tmp_path: Path) -> None:
    async with a_server() as server:
        for account_id, why in ((1_000_002, "belongs to live"), (3_000_001, "1000001")):
            side = side_of(server, credentials=credentials_of(server, account_id=account_id))
            async with open_desk(desk_settings(tmp_path, side)) as desk:
                assert desk.session(DEMO).state is SessionState.REFUSED
                assert why in desk.session(DEMO).reason
        assert heard(server, oa.ProtoOAAccountAuthReq) == []


class Broken:
    """A keeper of books with a mistake in it."""

    next_look_s = math.inf

    def __init__(self, *, hearing: bool, restoring: bool) -> None:
        self.hearing = hearing
        self.restoring = restoring

    def heard(self, message: Message) -> None:
        if self.hearing:
            self.hearing = False
            raise RuntimeError(f"a mistake, met at {message.name}")

    def lost(self) -> None:
        pass

    async def restore(self) -> None:
        if self.restoring:
            raise RuntimeError("a mistake, met in restoring")

    @property
    def record(self) -> Broken:
        return self

    async def look_again(self) -> None:
        pass


async def test_a_fault_of_our_own_in_taking_an_event_costs_the_link_and_not_the_session(tmp_path: Path) -> None:
    async with both(tmp_path) as (demo_server, live_server, desk):
        desk.account(DEMO).keep(Broken(hearing=True, restoring=False))
        async with desk.session(DEMO).changes() as changes:
            demo_server.deposit(demo_server.account_id, amount=1)
            reasons = {}
            async for change in changes:
                reasons[change.state] = change.reason
                if change.state is SessionState.READY and SessionState.WAITING in reasons:
                    break
        assert "a mistake, met at ProtoOAExecutionEvent" in reasons[SessionState.WAITING]
        assert live_server.seen.names().count("connected") == 1


async def test_a_fault_of_our_own_in_restoring_costs_the_link_and_not_the_session(tmp_path: Path) -> None:
    async with both(tmp_path) as (demo_server, live_server, desk):
        session, keeper = desk.session(DEMO), Broken(hearing=False, restoring=True)
        desk.account(DEMO).keep(keeper)
        async with session.changes() as changes:
            demo_server.drop_clients()
            async for change in changes:
                if "a mistake, met in restoring" in change.reason:
                    break
        assert change.state is SessionState.WAITING
        keeper.restoring = False
        await session.wait_for(SessionState.READY)
        keeper.restoring = True
        async with session.changes() as changes:
            session.review(demo_server.account_id)
            async for change in changes:
                if "a mistake, met in restoring" in change.reason:
                    break
        keeper.restoring = False
        await session.wait_for(SessionState.READY)
        assert live_server.seen.names().count("connected") == 1
    assert "test_desk.py:" in (tmp_path / "demo_connection.log").read_text().split("not_taken_in")[1]


async def broken(*_: object) -> None:
    raise RuntimeError("a mistake, met in connecting")


async def test_a_fault_of_our_own_at_the_first_start_is_told_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Supervisor, "_authenticate", broken)
    async with a_server() as server, open_desk(desk_settings(tmp_path, side_of(server))) as desk:
        while desk.failure(DEMO) is None:
            await blocked()
        assert repr(desk.failure(DEMO)) == "RuntimeError('a mistake, met in connecting')"
        assert "a mistake, met in connecting" in str(desk.session(DEMO).failure)


async def test_a_fault_of_our_own_that_ends_one_environment_leaves_the_other_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with both(tmp_path) as (demo_server, live_server, desk):
        monkeypatch.setattr(desk.session(DEMO)._supervisor, "_authenticate", broken)
        demo_server.drop_clients()
        while desk.failure(DEMO) is None:
            await blocked()
        assert repr(desk.failure(DEMO)) == "RuntimeError('a mistake, met in connecting')"
        assert desk.session(DEMO).state is SessionState.CLOSED
        why = "ended by a fault of our own: RuntimeError('a mistake, met in connecting')"
        assert desk.session(DEMO).reason == why
        with pytest.raises(SessionClosed, match=re.escape(why)):
            await desk.account(DEMO).request(oa.ProtoOATraderReq())
        assert desk.failure(LIVE) is None
        with pytest.raises(NotSent):
            await desk.place(DEMO, BUY)
        answer = await desk.account(LIVE).request(oa.ProtoOATraderReq())
        assert answer.trader.ctidTraderAccountId == live_server.account_id
    assert "test_desk.py:" in (tmp_path / "demo_connection.log").read_text().split("crashed")[1]


# Live


async def test_with_the_flag_off_no_way_in_puts_a_byte_of_trading_on_the_wire(tmp_path: Path) -> None:
    async with both(tmp_path) as (_, live_server, desk):
        account = desk.account(LIVE)
        assert desk.mode(LIVE) is Mode.OFF
        assert "CTRADER_LIVE_ENABLED" in desk.why(LIVE)
        await account.request(oa.ProtoOATraderReq())
        since = live_server.seen.total
        for call in (
            desk.place(LIVE, BUY),
            desk.place(LIVE, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.0")),
            desk.amend(LIVE, OrderAmendment(1, price="1.0")),
            desk.amend(LIVE, PositionAmendment(1, stop_loss="1.0")),
            desk.cancel(LIVE, 1),
            desk.close(LIVE, 1),
        ):
            with pytest.raises(LiveTradingDisabled, match="CTRADER_LIVE_ENABLED"):
                await call
        link = desk.session(LIVE).link
        assert link is not None
        for request in some_of_each_kind(account.id):
            for asking in (account.request, desk.session(LIVE).request):
                with pytest.raises(LiveTradingDisabled):
                    await asking(request)
            with pytest.raises(LiveTradingDisabled):
                await link.request(request, timeout_s=5)
        await account.request(oa.ProtoOATraderReq())
        assert traded_at(live_server) == []
        assert live_server.seen.total == since + 1  # the last read: whatever came before it has not left
        await desk.flush()
    refused = [line for line in audit_of(tmp_path) if line["fact"] == "refused"]
    assert {line["request"] for line in refused} == {cls.__name__ for cls in TRADING}
    assert {line["environment"] for line in audit_of(tmp_path) if line["fact"] != "record_begins"} == {"live"}


async def test_with_the_flag_on_live_takes_the_smallest_order_and_no_larger_one(tmp_path: Path) -> None:
    async with both(tmp_path, live_enabled=True) as (_, live_server, desk):
        with pytest.raises(LimitExceeded, match=r"0.02 lots .* more than 0.01 lots .*smallest"):
            await desk.place(LIVE, replace(BUY, lots="0.02"))
        await trades_on(desk, LIVE)
        order = await desk.place(LIVE, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.0"))
        assert order.order_id is not None
        with pytest.raises(LimitExceeded):
            await desk.amend(LIVE, OrderAmendment(order.order_id, lots="0.02"))
        await desk.amend(LIVE, OrderAmendment(order.order_id, price="1.01"))
        assert [request.volume for request in heard(live_server, oa.ProtoOANewOrderReq)] == [LOT_CENTS] * 2
        await desk.flush()
    refused = [line["error"] for line in audit_of(tmp_path) if line["fact"] == "refused"]
    assert refused == ["LimitExceeded", "LimitExceeded"]


async def test_the_settings_raise_the_largest_order(tmp_path: Path) -> None:
    limits = Limits(largest_order_lots=Decimal("0.05"))
    async with both(tmp_path, live_enabled=True, limits=limits) as (_, _, desk):
        assert (await (await desk.place(LIVE, replace(BUY, lots="0.05"))).filled()).volume_cents == 5 * LOT_CENTS
        with pytest.raises(LimitExceeded):
            await desk.place(LIVE, replace(BUY, lots="0.06"))


# Halts


async def test_the_reason_of_a_halt_holds_no_secret_of_either_environment(tmp_path: Path) -> None:
    async with both(tmp_path, live_enabled=True) as (demo_server, live_server, desk):
        await desk.halt(LIVE, why=f"it said {demo_server.access_token}, {live_server.client_secret}")
        assert "it said ***, ***;" in desk.why(LIVE)
        await desk.flush()
    assert "it said ***, ***" in (tmp_path / "order_audit.jsonl").read_text()


async def test_a_halt_stops_new_orders_at_once_until_it_is_lifted(tmp_path: Path) -> None:
    async with both(tmp_path, live_enabled=True) as (_, live_server, desk):
        order = await desk.place(LIVE, BUY)
        await order.filled()
        await desk.halt(LIVE, why="a drill")
        assert desk.mode(LIVE) is Mode.OFF
        for call in (desk.place(LIVE, BUY), desk.close(LIVE, order.position_id or 0)):
            with pytest.raises(LiveTradingDisabled, match="a drill"):
                await call
        await desk.account(LIVE).request(oa.ProtoOATraderReq())
        await trades_on(desk, DEMO)
        await desk.resume(LIVE)
        assert desk.mode(LIVE) is Mode.ON
        await (await desk.close(LIVE, order.position_id or 0)).filled()
        assert len(traded_at(live_server)) == 2
        await desk.flush()
    facts = facts_of(tmp_path, environment="live")
    assert facts.index("halt") < facts.index("refused") < facts.index("resume")
    assert [line["who"] for line in audit_of(tmp_path) if line["fact"] == "resume"] == ["desk"]
    assert "halt" not in facts_of(tmp_path, environment="demo")


async def test_a_secret_in_the_wrong_place_is_not_shown(tmp_path: Path) -> None:
    async with both(tmp_path) as (demo_server, live_server, desk):
        secrets = (demo_server.access_token, live_server.access_token)
        with pytest.raises(InvalidOrder) as refused:
            await desk.place(DEMO, replace(BUY, symbol=demo_server.access_token))
        await desk.halt(DEMO, why=f"because of {secrets[0]} and {secrets[1]}")
        halts.halt(tmp_path, LIVE, why=f"by hand: {secrets[1]}", who="me", at_ms=5)  # which no desk could cover
        shown = (str(refused.value), desk.why(DEMO), desk.why(LIVE), (tmp_path / "demo.halt").read_text())
        halts.path_of(tmp_path, LIVE).unlink()
        await desk.flush()
    for secret in secrets:
        assert not any(secret in text for text in (*shown, str(audit_of(tmp_path))))
    assert "because of *** and ***" in shown[1]


async def test_a_halt_to_reducing_lets_closes_and_cancels_through(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (_, desk):
        order = await desk.place(DEMO, BUY)
        await order.filled()
        pending = await desk.place(DEMO, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.0"))
        await desk.halt(DEMO, why="wind down", mode=Mode.REDUCE_ONLY)
        with pytest.raises(Refused, match="wind down"):
            await desk.place(DEMO, BUY)
        await desk.cancel(DEMO, pending.order_id or 0)
        await (await desk.close(DEMO, order.position_id or 0)).filled()
        assert desk.positions(DEMO) == ()


async def test_a_halt_by_another_process_also_stops_what_is_queued(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timings=replace(QUICK, order_queue_s=60)) as (server, desk):
        await trades_on(desk, DEMO)
        link = desk.session(DEMO).link
        assert link is not None
        order_type = oa.payload_type_of(oa.ProtoOANewOrderReq)
        link.throttle.block(order_type, until_s=clock.now_s() + 5)
        failed: list[Exception] = []

        async def place() -> None:
            try:
                await desk.place(DEMO, BUY)
            except Refused as refusal:
                failed.append(refusal)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(place)
            while not link.queued:
                await blocked()
            halts.halt(tmp_path, DEMO, why="from outside", who="somebody", at_ms=clock.utc_ms())
            link.throttle._blocked.clear()  # its turn has come; a request of any kind makes the writer look
            await desk.session(DEMO).request(oa.ProtoOAVersionReq())
        assert "from outside" in str(failed[0])
        assert len(traded_at(server)) == 1
        order = list(desk.orders.values())[-1]
        assert order.state is OrderState.NOT_SENT
        halts.resume(tmp_path, DEMO)
        await trades_on(desk, DEMO)
        await desk.flush()
    story = facts_of(tmp_path, client_order_id=order.client_order_id)
    assert story == ["intent", "refused", "not_sent"]


async def test_a_halt_is_still_in_force_after_a_restart(tmp_path: Path) -> None:
    async with a_server() as server:
        settings = desk_settings(tmp_path, side_of(server))
        async with open_desk(settings) as desk:
            await desk.halt(DEMO, why="over night")
        async with open_desk(settings) as desk:
            with pytest.raises(Refused, match="over night"):
                await desk.place(DEMO, BUY)
            await desk.resume(DEMO)
            await trades_on(desk, DEMO)
    assert verify(tmp_path) == []


# Leaving


@pytest.mark.parametrize("environment", [DEMO, LIVE])
async def test_a_body_that_is_cancelled_can_still_close_what_it_opened(
    tmp_path: Path, environment: Environment
) -> None:
    settled: list[str] = []

    async with a_server() as demo_server, a_server(Host.LIVE) as live_server:
        settings = desk_settings(tmp_path, side_of(demo_server), side_of(live_server, live_enabled=True))
        server = live_server if environment is LIVE else demo_server

        async def trade(opened: anyio.Event) -> None:
            async with open_desk(settings) as desk:
                order = await desk.place(environment, BUY)
                await order.filled()
                try:
                    opened.set()
                    await anyio.sleep_forever()
                finally:
                    with anyio.CancelScope(shield=True):
                        assert order.position_id is not None
                        closing = await desk.close(environment, order.position_id)
                        await closing.filled()
                        await desk.flush()
                        settled.append(closing.client_order_id)

        async with anyio.create_task_group() as tasks:
            opened = anyio.Event()
            tasks.start_soon(trade, opened)
            await opened.wait()
            tasks.cancel_scope.cancel()
        assert not server.exchange.accounts[server.account_id].positions
        (closing_id,) = settled
        assert "finished" in facts_of(tmp_path, client_order_id=closing_id)
        assert verify(tmp_path) == []
        # The life of the connection is on record to its end, after the clean-up.
        log = (tmp_path / f"{environment.value}_connection.log").read_text().splitlines()
        assert "closed" in log[-1]
