"""While the outcome of a request is unknown, no second one leaves for the same order or position."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import ExchangeSettings, FakeServer, faults
from anyctrader.fake.accounts import AccountSettings
from anyctrader.fake.exchange_settings import Delays
from anyctrader.session import (
    Desk,
    Environment,
    LimitOrder,
    MarketOrder,
    MarketRangeOrder,
    NotSent,
    PositionAmendment,
    Side,
    StopOrder,
    clock,
    open_desk,
)
from anyctrader.session.changes import Close
from anyctrader.session.gate import Gate
from anyctrader.session.holdings import PendingOrder
from anyctrader.session.inheritance import Inheritance
from anyctrader.session.leftovers import Leftover
from anyctrader.session.tickets import Ticket
from anyctrader.wire import messages as oa

from .rig import EURUSD, LOT_CENTS, QUICK, Denying, a_desk, a_server, desk_settings, heard, side_of

pytestmark = pytest.mark.anyio
DEMO = Environment.DEMO
GBPUSD = 2
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.03")
TRADES = (oa.ProtoOANewOrderReq, oa.ProtoOAClosePositionReq, oa.ProtoOAAmendPositionSLTPReq)


@dataclass
class Asks:
    """What may be asked for the one position of these tests."""

    desk: Desk
    position_id: int = 0

    def raw(self, message: Any) -> Awaitable[Any]:
        return self.desk.account(DEMO).request(message)

    def raw_order(self, *, kind: int = 1, symbol_id: int = EURUSD, **changes: Any) -> Awaitable[Any]:
        given = {"symbolId": symbol_id, "orderType": kind, "tradeSide": 2, "volume": LOT_CENTS}
        return self.raw(oa.ProtoOANewOrderReq(**(given | changes)))

    def place(self, ticket: Ticket) -> Awaitable[Any]:
        return self.desk.place(DEMO, ticket)


Ask = Callable[[Asks], Awaitable[Any]]
INTO: dict[str, Ask] = {
    "order into it": lambda a: a.place(MarketOrder("EURUSD", Side.BUY, lots="0.01", position_id=a.position_id)),
    "raw order into it": lambda a: a.raw_order(positionId=a.position_id),
    "close": lambda a: a.desk.close(DEMO, a.position_id, lots="0.01"),
    "raw close": lambda a: a.raw(oa.ProtoOAClosePositionReq(positionId=a.position_id, volume=LOT_CENTS)),
    "amend": lambda a: a.desk.amend(DEMO, PositionAmendment(a.position_id, stop_loss="1.1")),
    "raw amend": lambda a: a.raw(oa.ProtoOAAmendPositionSLTPReq(positionId=a.position_id, stopLoss=1.1)),
}
OF_ITS_SYMBOL: dict[str, Ask] = {
    "market": lambda a: a.place(MarketOrder("EURUSD", Side.SELL, lots="0.01")),
    "market range": lambda a: a.place(
        MarketRangeOrder("EURUSD", Side.BUY, lots="0.01", base_price="1.2", slippage_points=10)
    ),
    "limit": lambda a: a.place(LimitOrder("EURUSD", Side.SELL, lots="0.01", price="1.3")),
    "stop": lambda a: a.place(StopOrder("EURUSD", Side.BUY, lots="0.01", stop_price="1.3")),
    "raw market": lambda a: a.raw_order(),
    "raw limit": lambda a: a.raw_order(kind=2, limitPrice=1.3),
}


def a_netted_desk(folder: Path) -> AbstractAsyncContextManager[tuple[FakeServer, Desk]]:
    account = AccountSettings(account_id=1_000_001, trader_login=3_000_001, account_type=oa.ProtoOAAccountType.NETTED)
    return a_desk(folder, exchange=ExchangeSettings(delays=Delays.none(), accounts=(account,)))


async def asked_in_vain(server: FakeServer, ask: Ask, asks: Asks) -> None:
    """It left, the server did not do it, and its caller is gone."""
    since = server.seen.total

    async def call() -> None:
        await ask(asks)

    with ExitStack() as deaf:
        for kind in TRADES:
            deaf.enter_context(server.faults.inject(faults.Deafness(kind.DESCRIPTOR.name)))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            await server.wait_for(lambda seen: isinstance(seen.message, TRADES), since=since)
            tasks.cancel_scope.cancel()


def left_for(server: FakeServer) -> int:
    """How many requests the server has heard that trade."""
    return sum(len(heard(server, kind)) for kind in TRADES)


async def a_position(server: FakeServer, desk: Desk) -> Asks:
    server.set_price(EURUSD, bid=120_000, ask=120_010)
    order = await desk.place(DEMO, BUY)
    await order.filled()
    assert order.position_id is not None
    return Asks(desk, order.position_id)


async def test_nothing_more_leaves_for_a_position_that_a_request_of_unknown_outcome_names(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        for first in INTO:
            asks = await a_position(server, desk)
            await asked_in_vain(server, INTO[first], asks)
            before = left_for(server)
            for ask in INTO.values():
                with pytest.raises(NotSent, match="find out first"):
                    await ask(asks)
            assert left_for(server) == before, first
        await OF_ITS_SYMBOL["raw limit"](asks)  # on a hedged account that is another position
        await OF_ITS_SYMBOL["market"](asks)
        assert left_for(server) == before + 2


@pytest.mark.parametrize("first", ["close", "raw amend", "limit"])
async def test_on_a_netted_account_every_order_of_a_symbol_is_one_for_its_position(tmp_path: Path, first: str) -> None:
    async with a_netted_desk(tmp_path) as (server, desk):
        asks = await a_position(server, desk)
        await asked_in_vain(server, (INTO | OF_ITS_SYMBOL)[first], asks)
        before = left_for(server)
        for ask in (INTO | OF_ITS_SYMBOL).values():
            with pytest.raises(NotSent, match="find out first"):
                await ask(asks)
        assert left_for(server) == before
        await asks.place(MarketOrder("GBPUSD", Side.SELL, lots="0.01"))
        await asks.raw_order(symbol_id=GBPUSD)
        assert left_for(server) == before + 2


@pytest.mark.parametrize("first", ["market range", "raw market"])
async def test_on_a_netted_account_an_order_of_unknown_outcome_may_have_opened_the_position(
    tmp_path: Path, first: str
) -> None:
    async with a_netted_desk(tmp_path) as (server, desk):
        server.set_price(EURUSD, bid=120_000, ask=120_010)
        asks = Asks(desk)
        await asked_in_vain(server, OF_ITS_SYMBOL[first], asks)
        before = left_for(server)
        for ask in OF_ITS_SYMBOL.values():
            with pytest.raises(NotSent, match="the account is netted, so that EURUSD has one position, and"):
                await ask(asks)
        assert left_for(server) == before


async def test_an_account_of_which_nobody_says_whether_it_is_netted_may_be(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        asks = await a_position(server, desk)
        await asked_in_vain(server, OF_ITS_SYMBOL["market"], asks)
        suspense = desk.session(DEMO).books[server.account_id].suspense
        desk.account(DEMO).is_netted = None  # no look at the balance was answered so far
        with server.faults.inject(faults.Deafness("ProtoOATraderReq")):
            with pytest.raises(NotSent, match="the account may be netted"):
                await suspense.check(None, symbol_id=EURUSD, within_s=0.1)
            await suspense.check(None, symbol_id=GBPUSD, within_s=0.1)
        await suspense.check(None, symbol_id=EURUSD, within_s=20)
        await OF_ITS_SYMBOL["market"](asks)


async def test_what_waits_while_an_outcome_becomes_unknown_does_not_leave_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, intend = anyio.Event(), Gate.intend
    async with a_desk(tmp_path) as (server, desk):
        asks = await a_position(server, desk)

        async def call(name: str, waits: anyio.Event) -> None:
            async def slow(gate: Gate, *args: Any, **said: Any) -> Any:
                monkeypatch.setattr(Gate, "intend", intend)
                intent = await intend(gate, *args, **said)
                waits.set()
                await go_on.wait()
                return intent

            monkeypatch.setattr(Gate, "intend", slow)
            with pytest.raises(NotSent, match="find out first"):
                await INTO[name](asks)

        async with anyio.create_task_group() as tasks:
            for name in ("order into it", "raw order into it", "close", "amend"):
                waits = anyio.Event()
                tasks.start_soon(call, name, waits)
                with anyio.fail_after(20):
                    await waits.wait()
            await asked_in_vain(server, INTO["raw close"], asks)
            before = left_for(server)
            go_on.set()
        assert left_for(server) == before == 2


class Nobody:
    """An account that is not asked."""


def left_by(intent: Ticket | Close, *, order_id: int | None = None) -> Leftover:
    return Leftover(
        intent=intent,
        environment=DEMO,
        account_id=1,
        client_order_id="ours",
        symbol="X",
        side=Side.BUY,
        volume_cents=1,
        intent_at_ms=clock.utc_ms(),
        sent_at_ms=None,
        order_id=order_id,
        quoted_price=None,
    )


@pytest.mark.parametrize("intent", [Close(7, volume_cents=1), MarketOrder("X", Side.BUY, units=1, position_id=7)])
def test_an_order_into_a_position_that_an_earlier_process_left_shuts_it(intent: Any) -> None:
    left = left_by(intent)
    account: Any = Nobody()
    inheritance = Inheritance([left], account=account, warn=print)
    with pytest.raises(NotSent, match="ours of an earlier process has no end on record"):
        inheritance.check_settled(("position", 7), waiting=())
    inheritance.check_settled(("position", 8), waiting=())
    assert inheritance.of_symbol(3, "X", waiting=()) is left
    assert inheritance.of_symbol(3, "Y", waiting=()) is None


LIMIT = LimitOrder("X", Side.BUY, units=1, price="1.1")


@pytest.mark.parametrize(
    ("left", "is_settled", "shown"),
    [
        (left_by(LIMIT, order_id=5), True, {"id": 5}),
        (left_by(LIMIT, order_id=6), False, {"id": 5, "client_order_id": "ours"}),
        (left_by(LIMIT), True, {"client_order_id": "ours"}),
        (left_by(LIMIT), True, {"client_order_id": "the server's", "label": "ours"}),
        (left_by(LIMIT), False, {"client_order_id": "another's", "label": "another's"}),
        (left_by(LIMIT), False, {"client_order_id": "ours", "side": Side.SELL}),
        (left_by(Close(7, volume_cents=1)), False, {"label": "ours"}),
    ],
)
def test_what_an_earlier_process_left_is_settled_while_its_order_is_known_to_wait(
    left: Leftover, is_settled: bool, shown: dict[str, Any]
) -> None:
    told: dict[str, Any] = {"id": 5, "position_id": 7, "symbol_id": 3, "side": Side.BUY, "volume_cents": 1}
    waiting = [PendingOrder(type=2, status=oa.ProtoOAOrderStatus.ORDER_STATUS_ACCEPTED, **(told | shown))]
    account: Any = Nobody()
    inheritance = Inheritance([left], account=account, warn=print)
    assert (inheritance.of_symbol(3, "X", waiting=waiting) is None) is is_settled
    if left.order_id is not None:
        with nullcontext() if is_settled else pytest.raises(NotSent, match="has no end on record"):
            inheritance.check_settled(("order", left.order_id), waiting=waiting)


@pytest.mark.parametrize("rests", [True, False])
async def test_an_order_of_an_earlier_process_that_is_known_to_wait_shuts_nothing(tmp_path: Path, rests: bool) -> None:
    account = AccountSettings(account_id=1_000_001, trader_login=3_000_001, account_type=oa.ProtoOAAccountType.NETTED)
    async with a_server(exchange=ExchangeSettings(delays=Delays.none(), accounts=(account,))) as server:
        settings = desk_settings(tmp_path, side_of(server, timings=QUICK))
        async with open_desk(settings) as desk:
            asks = await a_position(server, desk)
            limit = await desk.place(DEMO, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.1"))
            if not rests:
                await asked_in_vain(server, OF_ITS_SYMBOL["limit"], asks)
        with server.faults.inject(Denying(oa.ProtoOASymbolByIdReq, code="TIMEOUT_ERROR")):
            async with open_desk(settings) as desk:
                asks = Asks(desk, asks.position_id)
                assert desk.orders == {}
                if rests:
                    await asks.desk.amend(DEMO, PositionAmendment(asks.position_id, stop_loss="1.1"))
                    await (await desk.close(DEMO, asks.position_id)).filled()
                else:
                    with pytest.raises(NotSent, match="of an earlier process has no end on record"):
                        await desk.close(DEMO, asks.position_id)
                assert limit.order_id is not None
                await desk.cancel(DEMO, limit.order_id)
    assert len(heard(server, oa.ProtoOAClosePositionReq)) == rests
    assert len(heard(server, oa.ProtoOACancelOrderReq)) == 1
