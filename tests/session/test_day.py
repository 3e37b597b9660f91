"""The loss of the day, where events are lost and the server's lists lag: its balance tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from anyctrader.fake import faults
from anyctrader.session import Environment, LimitExceeded, LimitOrder, Limits, MarketOrder, Mode, Side, open_desk
from anyctrader.session import day as day_module
from anyctrader.session.day import Day
from anyctrader.session.ledger import Ledger
from anyctrader.wire import messages as oa

from .rig import EURUSD, FILLED, HASTY, Rewritten, a_desk, a_server, desk_settings, heard, is_execution, side_of
from .test_allowance import tripped
from .test_lagging_lists import LaggingLists
from .test_ledger import closing, paid

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
LIMITS = replace(Limits.standard(DEMO), loss_of_day=Decimal(5), loss_check_s=0.02)
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.01")
PATIENT, RATES = HASTY["limits_of_server"], HASTY["rates"]  # looks follow each other every 20 ms


async def lose(tmp_path: Path, server: Any) -> None:
    """A process that is not limited loses 10 and ends."""
    server.set_price(EURUSD, bid=110_000, ask=110_010)
    async with open_desk(desk_settings(tmp_path, side_of(server))) as desk:
        order = await desk.place(DEMO, BUY)
        await order.filled()
        server.set_price(EURUSD, bid=109_000, ask=109_010)
        assert order.position_id is not None
        await (await desk.close(DEMO, order.position_id)).filled()


async def test_a_loss_that_only_the_balance_shows_counts_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(day_module, "_SETTLED_S", 60.0)
    async with a_server(limits=PATIENT) as server:
        await lose(tmp_path, server)
        server.faults.inject(LaggingLists())
        async with open_desk(desk_settings(tmp_path, side_of(server, limits=LIMITS, rates=RATES))) as desk:
            with pytest.raises(LimitExceeded, match="that no deal explains yet"):
                await desk.place(DEMO, BUY)
            assert desk.mode(DEMO) is Mode.ON, "it may be a withdrawal that is not listed yet"
            monkeypatch.setattr(day_module, "_SETTLED_S", 0.0)
            await tripped(desk)


async def test_a_stop_whose_event_was_lost_counts_and_its_position_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(day_module, "HISTORY_LAG_S", -1.0)  # lists are read again for no other reason
    async with a_desk(tmp_path, limits=LIMITS, **HASTY) as (server, desk):
        server.set_price(EURUSD, bid=110_000, ask=110_010)
        order = await desk.place(DEMO, replace(BUY, stop_loss_pips=100))
        await order.protected()
        with server.faults.inject(faults.Lose(which="ProtoOAExecutionEvent")):
            server.set_price(EURUSD, bid=108_000, ask=108_010)
            await tripped(desk)
            with anyio.fail_after(5):
                while desk.positions(DEMO):  # noqa: ASYNC110 (the books tell nobody that they moved)
                    await anyio.sleep(0.01)


async def test_a_withdrawal_whose_event_was_lost_is_no_loss(tmp_path: Path) -> None:
    async with a_desk(tmp_path, limits=LIMITS, **HASTY) as (server, desk):
        await server.wait_for("ProtoOATraderReq")
        with server.faults.inject(faults.Lose(which="ProtoOAExecutionEvent")):
            server.deposit(server.account_id, amount=-100_000)
            looks = len(heard(server, oa.ProtoOATraderReq))
            await server.wait_for("ProtoOATraderReq", count=looks + 4)
        await (await desk.place(DEMO, BUY)).filled()
        assert desk.mode(DEMO) is Mode.ON


async def test_a_withdrawal_that_is_told_explains_the_balance_without_a_look_at_lists(tmp_path: Path) -> None:
    async with a_desk(tmp_path, limits=LIMITS, **HASTY) as (server, desk):
        await server.wait_for("ProtoOATraderReq", count=2)
        lists = len(heard(server, oa.ProtoOACashFlowHistoryListReq))
        server.deposit(server.account_id, amount=-100_000)
        looks = len(heard(server, oa.ProtoOATraderReq))
        await server.wait_for("ProtoOATraderReq", count=looks + 4)
        assert desk.mode(DEMO) is Mode.ON
        assert len(heard(server, oa.ProtoOACashFlowHistoryListReq)) == lists


@pytest.mark.parametrize("left", [0, 1])
async def test_while_a_position_has_no_result_the_loss_is_not_known_and_nothing_opens(
    tmp_path: Path, left: int
) -> None:
    async with a_desk(tmp_path, limits=LIMITS, **HASTY) as (server, desk):
        orders = [await desk.place(DEMO, BUY) for _ in range(2)]
        for order in orders:
            await order.filled()
        with server.faults.inject(Rewritten("ProtoOAGetPositionUnrealizedPnLRes", lambda told: keep(told, left))):
            looks = len(heard(server, oa.ProtoOAGetPositionUnrealizedPnLReq))
            await server.wait_for("ProtoOAGetPositionUnrealizedPnLReq", count=looks + 3)
            missing = ", ".join(str(order.position_id) for order in orders[left:])
            with pytest.raises(LimitExceeded, match=f"is not known .*says nothing of position {missing}"):
                await desk.place(DEMO, BUY)
            assert len(heard(server, oa.ProtoOANewOrderReq)) == 2
            assert orders[0].position_id is not None
            await (await desk.close(DEMO, orders[0].position_id)).filled()  # what reduces is not held up
        await (await desk.place(DEMO, BUY)).filled()


def keep(told: Any, rows: int) -> None:
    del told.positionUnrealizedPnL[rows:]


async def test_a_loss_of_a_position_whose_fill_was_not_told_counts_and_the_position_is_found(tmp_path: Path) -> None:
    async with a_desk(tmp_path, limits=LIMITS, **HASTY) as (server, desk):
        server.set_price(EURUSD, bid=110_000, ask=110_010)
        await desk.place(DEMO, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.09"))
        with server.faults.inject(faults.Lose(which=is_execution(FILLED))):
            server.set_price(EURUSD, bid=108_900, ask=108_910)
            server.set_price(EURUSD, bid=107_000, ask=107_010)
            await tripped(desk)
            with anyio.fail_after(5):
                while not desk.positions(DEMO):  # noqa: ASYNC110 (the books tell nobody that they moved)
                    await anyio.sleep(0.01)


# One day, without a server

HOUR_MS = 3_600_000
NOON_MS = 20_000 * 24 * HOUR_MS + 12 * HOUR_MS


class Server:
    """Answers what a day asks."""

    def __init__(self, *, closed_at_ms: int = 0) -> None:
        self.balance = 100_000
        self.deals: list[Any] = []
        self.cash: list[Any] = []
        self.closed_at_ms = closed_at_ms
        self.rows = 1_000
        self.open: dict[int, int] = {}  # what each position has brought, cents
        self.asked: list[str] = []
        self.before_event: Callable[[], None] = lambda: None

    async def ask(self, request: Any) -> Any:
        self.asked.append(type(request).__name__)
        await anyio.lowlevel.checkpoint()
        match request:
            case oa.ProtoOATraderReq():
                return SimpleNamespace(trader=oa.ProtoOATrader(balance=self.balance, depositAssetId=1, moneyDigits=2))
            case oa.ProtoOADealListReq():
                span = range(request.fromTimestamp, request.toTimestamp + 1)
                fitting = [deal for deal in self.deals if deal.executionTimestamp in span]
                newest = sorted(fitting, key=lambda deal: -deal.executionTimestamp)
                return SimpleNamespace(deal=newest[: self.rows], hasMore=len(fitting) > self.rows)
            case oa.ProtoOACashFlowHistoryListReq():
                span = range(request.fromTimestamp, request.toTimestamp + 1)
                return SimpleNamespace(depositWithdraw=[row for row in self.cash if row.changeBalanceTimestamp in span])
            case oa.ProtoOAGetPositionUnrealizedPnLReq():
                rows = [
                    oa.ProtoOAPositionUnrealizedPnL(positionId=id_, grossUnrealizedPnL=cents, netUnrealizedPnL=cents)
                    for id_, cents in self.open.items()
                ]
                return oa.ProtoOAGetPositionUnrealizedPnLRes(
                    ctidTraderAccountId=1, positionUnrealizedPnL=rows, moneyDigits=2
                )
        raise AssertionError(request)


def a_day(server: Server, **changes: Any) -> tuple[Day, Ledger, list[str]]:
    doubts: list[str] = []
    ledger = Ledger()
    held = SimpleNamespace(positions=changes.pop("held", ()))
    books: Any = SimpleNamespace(ledger=ledger, positions=held)
    account: Any = server
    given = {"start_hour": 0, "fresh_s": 0.0, "doubt": lambda: doubts.append("doubt")} | changes
    return Day(account, books=books, **given), ledger, doubts


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    now = SimpleNamespace(ms=NOON_MS)
    monkeypatch.setattr(day_module.clock, "utc_ms", lambda: now.ms)
    monkeypatch.setattr(day_module, "EVENT_LAG_S", 0.02)
    return now


async def test_a_deal_whose_event_comes_just_behind_its_balance_raises_no_doubt(utc: SimpleNamespace) -> None:
    server = Server()
    day, ledger, doubts = a_day(server)
    await day.result()
    server.balance -= 1_000
    results: list[Any] = []

    async def look() -> None:
        results.append(await day.result())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(look)
        await anyio.sleep(0.005)
        ledger.add([closing(1, -1_000, at_ms=utc.ms, balance_cents=99_000)])
    (result,) = results
    assert (result.realised, result.unexplained, doubts) == (Decimal(-10), 0, [])


async def test_a_position_that_is_told_just_behind_its_result_raises_no_doubt(utc: SimpleNamespace) -> None:
    server, held = Server(), list[Any]()
    server.open[5] = -700
    day, _, doubts = a_day(server, held=held)
    results: list[Any] = []

    async def look() -> None:
        results.append(await day.result())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(look)
        await anyio.sleep(0.005)
        held.append(SimpleNamespace(id=5))
    assert ([result.unrealised for result in results], doubts) == ([Decimal(-7)], [])


async def test_a_position_that_nobody_told_of_counts_and_is_doubted_once(utc: SimpleNamespace) -> None:
    server = Server()
    server.open[5] = -700
    day, _, doubts = a_day(server)
    for _ in range(3):
        assert (await day.result()).unrealised == Decimal(-7)
    assert doubts == ["doubt"]
    assert server.asked.count("ProtoOAGetPositionUnrealizedPnLReq") == 4, "one more look at what is new, no more"
    server.open[6] = -100
    await day.result()
    assert doubts == ["doubt"] * 2


async def test_a_position_without_a_result_is_doubted_and_the_loss_not_known(utc: SimpleNamespace) -> None:
    server, held = Server(), [SimpleNamespace(id=5)]
    day, _, doubts = a_day(server, held=held)
    for _ in range(2):
        with pytest.raises(ValueError, match="says nothing of position 5"):
            await day.result()
    assert doubts == ["doubt"]
    held.clear()
    assert (await day.result()).unrealised == 0


async def test_what_nothing_explains_is_lost_until_it_is_explained_and_never_won(utc: SimpleNamespace) -> None:
    server = Server()
    day, _, doubts = a_day(server)
    await day.result()
    server.balance -= 1_000
    result = await day.result()
    assert (result.realised, result.unexplained, result.is_settled) == (Decimal(-10), Decimal(-10), False)
    assert result.settled.total == 0
    assert doubts == ["doubt"]
    await day.result()
    assert doubts == ["doubt"], "once is enough"
    server.deals.append(closing(1, -1_000, at_ms=utc.ms, balance_cents=99_000))
    for _ in range(2):
        result = await day.result()
    assert (result.realised, result.unexplained) == (Decimal(-10), 0)
    server.balance += 5_000
    assert (await day.result()).realised == Decimal(-10)


async def test_a_withdrawal_that_is_listed_late_is_no_loss_any_more(utc: SimpleNamespace) -> None:
    server = Server()
    day, _, _ = a_day(server)
    await day.result()
    server.balance -= 1_000
    assert (await day.result()).realised == Decimal(-10)
    server.cash.append(paid(1, -1_000, at_ms=utc.ms, balance_cents=99_000))
    for _ in range(20):
        result = await day.result()
    assert (result.realised, result.start_balance) == (0, Decimal(1_000))


async def test_a_day_that_begins_while_it_is_watched_begins_with_the_balance_of_that_hour(utc: SimpleNamespace) -> None:
    server = Server()
    day, ledger, _ = a_day(server, start_hour=13)
    await day.result()
    server.balance = 98_000
    ledger.add([closing(1, -2_000, at_ms=utc.ms, balance_cents=98_000)])
    assert (await day.result()).realised == Decimal(-20)
    utc.ms += HOUR_MS
    server.balance = 97_500  # ahead of its event, and just after the hour
    result = await day.result()
    assert (result.realised, result.start_balance) == (Decimal(-5), Decimal(980))
    ledger.add([closing(2, -500, at_ms=utc.ms, balance_cents=97_500)])
    result = await day.result()
    assert (result.realised, result.unexplained, result.start_balance) == (Decimal(-5), 0, Decimal(980))


async def test_a_quiet_account_begins_each_day_with_what_it_ended_the_last_one(utc: SimpleNamespace) -> None:
    server = Server()
    day, _, _ = a_day(server)
    await day.result()
    utc.ms += 24 * HOUR_MS
    server.balance -= 300  # in the night, and nobody told
    result = await day.result()
    assert (result.realised, result.start_balance) == (Decimal(-3), Decimal(1_000))


async def test_the_first_balance_of_a_day_is_that_which_the_last_movement_before_it_left(utc: SimpleNamespace) -> None:
    server = Server(closed_at_ms=NOON_MS)
    server.deals.append(closing(1, -100, at_ms=utc.ms - 30 * HOUR_MS, balance_cents=100_000))
    server.balance = 99_000
    day, _, _ = a_day(server)
    assert (await day.result()).realised == Decimal(-10)


async def test_while_nothing_tells_what_the_balance_was_ahead_of_a_deal_nobody_knows_what_was_lost(
    utc: SimpleNamespace,
) -> None:
    server = Server(closed_at_ms=NOON_MS - HOUR_MS)
    server.balance = 99_000
    day, ledger, _ = a_day(server)
    with pytest.raises(ValueError, match="the last deal of the day is not in the server's list yet"):
        await day.result()
    server.balance -= 500
    ledger.add([closing(2, -500, at_ms=utc.ms, balance_cents=98_500)])
    with pytest.raises(ValueError, match="the last deal of the day"):
        await day.result()
    server.deals.append(closing(1, -1_000, at_ms=NOON_MS - HOUR_MS, balance_cents=99_000))
    result = await day.result()
    assert (result.realised, result.unexplained, result.start_balance) == (Decimal(-15), 0, Decimal(1_000))


async def test_a_deal_ahead_of_a_withdrawal_that_is_too_old_to_be_seen_tells_no_balance(utc: SimpleNamespace) -> None:
    server = Server()
    midnight_ms = NOON_MS - 12 * HOUR_MS
    server.deals.append(closing(1, -100, at_ms=midnight_ms - 167 * HOUR_MS, balance_cents=200_000))
    server.cash.append(paid(1, -100_000, at_ms=midnight_ms - 166 * HOUR_MS, balance_cents=100_000))
    day, _, _ = a_day(server)
    assert (await day.result()).realised == 0


async def test_deals_that_only_opened_do_not_hide_the_last_that_closed(utc: SimpleNamespace) -> None:
    server = Server()
    server.rows = 2
    before_ms = NOON_MS - 20 * HOUR_MS
    server.cash.append(paid(1, 500, at_ms=before_ms - 2, balance_cents=150_000))
    server.deals.append(closing(1, -50_000, at_ms=before_ms - 1, balance_cents=100_000))
    for id_ in range(2, 9):
        server.deals.append(closing(id_, 0, at_ms=before_ms + id_))
        server.deals[-1].ClearField("closePositionDetail")
    day, _, _ = a_day(server)
    assert (await day.result()).realised == 0
