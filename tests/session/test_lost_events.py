"""Whatever is lost of what the server says of an order, on a link that stays: it ends as the server has it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import ExchangeSettings
from anyctrader.fake.accounts import AccountSettings
from anyctrader.fake.exchange_settings import Delays, Liquidity
from anyctrader.fake.injection import Fault, OutgoingFrame
from anyctrader.session import (
    Desk,
    Environment,
    LimitOrder,
    MarketOrder,
    Order,
    OutcomeUnknown,
    PositionAmendment,
    Side,
    book_watch,
)
from anyctrader.session.verification import verify
from anyctrader.wire import messages as oa

from .rig import EURUSD, HASTY, LOT_CENTS, QUICK, a_desk, audit_of, facts_of, is_execution

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
SOON = replace(QUICK, fill_s=0.05, request_s=0.3, protection_s=10)
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.02", stop_loss_pips=50)
STATES = {
    oa.ProtoOAOrderStatus.ORDER_STATUS_FILLED: "filled",
    oa.ProtoOAOrderStatus.ORDER_STATUS_CANCELLED: "cancelled",
}


class Losing(Fault):
    """Some of the execution events that follow never leave the server.

    Args:
        numbers: which, from 1.
    """

    def __init__(self, numbers: Iterable[int]) -> None:
        self._numbers = frozenset(numbers)
        self._seen = 0

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        if not is_execution()(frame):
            return (frame,)
        self._seen += 1
        return () if self._seen in self._numbers else (frame,)


PLAIN = ExchangeSettings(delays=Delays.none())


@dataclass(frozen=True)
class Deed:
    """What is done, after what, and which of its events are lost.

    Attributes:
        does: it; told the position that is open, or 0.
        losses: the numbers of the events that are lost, each time that it is done.
        after: what is opened first, or None.
        exchange: where.
    """

    does: Callable[[Desk, int], Awaitable[Order]]
    losses: Iterable[tuple[int, ...]] = ((1, 2), (1, 2, 3))
    after: MarketOrder | None = None
    exchange: ExchangeSettings = PLAIN


NETTED = ExchangeSettings(
    delays=Delays.none(),
    accounts=(
        AccountSettings(account_id=1_000_001, trader_login=1, account_type=oa.ProtoOAAccountType.NETTED),
        AccountSettings(account_id=1_000_002, trader_login=2, is_live=True),
    ),
)
SCARCE = ExchangeSettings(delays=Delays.none(), liquidity=Liquidity(total_cents=LOT_CENTS))
DEEDS = {
    "open": Deed(lambda desk, _: desk.place(DEMO, BUY), losses=[(1, 2), (2, 3), (1, 2, 3)]),
    "open, and cut": Deed(lambda desk, _: desk.place(DEMO, BUY), losses=[(1, 2, 3)], exchange=SCARCE),
    "limit at once": Deed(lambda desk, _: desk.place(DEMO, LimitOrder("EURUSD", Side.BUY, lots="0.02", price="2"))),
    "close": Deed(lambda desk, id_: desk.close(DEMO, id_), losses=[(1, 2)], after=BUY),
    "close a part": Deed(lambda desk, id_: desk.close(DEMO, id_, lots="0.01"), after=BUY),
    "reduce a netted one": Deed(
        lambda desk, _: desk.place(DEMO, MarketOrder("EURUSD", Side.SELL, lots="0.01")), after=BUY, exchange=NETTED
    ),
}


async def held(deed: Awaitable[Order]) -> Order:
    """The order that comes of it, whether or not it was answered."""
    try:
        return await deed
    except OutcomeUnknown as unknown:
        order = unknown.order
    assert isinstance(order, Order)
    return order


@pytest.mark.parametrize("name", DEEDS)
async def test_an_order_whose_events_are_lost_ends_as_the_server_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(book_watch, "_APART_S", 0.05)
    deed = DEEDS[name]
    async with a_desk(tmp_path, timings=SOON, exchange=deed.exchange, **HASTY) as (server, desk):
        account, link = server.exchange.accounts[server.account_id], desk.session(DEMO).link
        for numbers in deed.losses:
            position_id = 0
            if deed.after is not None:
                before = await held(desk.place(DEMO, deed.after))
                await before.protected(timeout_s=10)
                position_id = before.position_id or 0
            with server.faults.inject(Losing(numbers)):
                order = await held(deed.does(desk, position_id))
                with anyio.fail_after(20):
                    await order.told()
            assert order.order_id is not None
            told = account.all_orders[order.order_id].message()
            assert (order.state.value, order.record.filled_volume_cents) == (
                STATES[told.orderStatus],
                told.executedVolume,
            )
            # The rest can be closed, and what is closed counts no longer.
            for position in tuple(account.positions.values()):
                await (await held(desk.close(DEMO, position.position_id))).filled()
            assert desk.positions(DEMO) == ()
            assert not account.positions
        assert desk.session(DEMO).link is link
        await desk.flush()
        assert verify(tmp_path) == []
        ends: dict[Any, list[str]] = {
            line["client_order_id"]: [] for line in audit_of(tmp_path) if line["fact"] == "intent"
        }
        for line in audit_of(tmp_path):
            if line["fact"] in ("finished", "not_sent"):
                ends[line["client_order_id"]].append(line["fact"])
        assert all(facts == ["finished"] for facts in ends.values())


@pytest.mark.parametrize("closes", [False, True], ids=["open", "close"])
async def test_what_is_answered_by_the_event_of_another_order_is_asked_about_at_once(
    tmp_path: Path, closes: bool
) -> None:
    async with a_desk(tmp_path, timings=replace(QUICK, fill_s=60)) as (server, desk):
        position_id = (await (await desk.place(DEMO, BUY)).protected(timeout_s=10)).position_id or 0
        server.faults.inject(Losing([1, 2]))
        asked = desk.close(DEMO, position_id, lots="0.01") if closes else desk.place(DEMO, BUY)
        order = await asked
        assert (await order.filled()).volume_cents == order.record.volume_cents
        await desk.flush()
        assert facts_of(tmp_path, client_order_id=order.client_order_id) == [
            "intent",
            "sent",
            "outcome_unknown",
            "resolved",
            "fill",
            *([] if closes else ["protected"]),
            "finished",
        ]


async def all_deals_on_record(desk: Desk, folder: Path, deals: Iterable[int]) -> None:
    """Returns once each of these deals has its line."""
    with anyio.fail_after(20):
        while True:
            await desk.flush()
            told = [line["deal_id"] for line in audit_of(folder) if line["fact"] in ("fill", "deal", "missed_deal")]
            if set(deals) <= set(told):
                return
            await anyio.sleep(0.02)


def raw_buy(**more: Any) -> oa.ProtoOANewOrderReq:
    market, buy = oa.ProtoOAOrderType.MARKET, oa.ProtoOATradeSide.BUY
    return oa.ProtoOANewOrderReq(
        symbolId=EURUSD, orderType=market, tradeSide=buy, volume=2 * LOT_CENTS, relativeStopLoss=500, **more
    )


@pytest.mark.parametrize("in_parts", [False, True], ids=["at once", "in parts"])
async def test_a_deal_that_only_its_position_shows_is_looked_up(tmp_path: Path, in_parts: bool) -> None:
    exchange = replace(PLAIN, liquidity=Liquidity(part_cents=LOT_CENTS)) if in_parts else PLAIN
    async with a_desk(tmp_path, timings=replace(QUICK, fill_s=60), exchange=exchange) as (server, desk):
        account = server.exchange.accounts[server.account_id]
        # In parts the first one's event is lost; at once all but that of the protective order.
        server.faults.inject(Losing([2] if in_parts else [1, 2]))
        await desk.account(DEMO).request(raw_buy())
        await server.seen.wait_for("ProtoOADealListReq", count=2)
        await all_deals_on_record(desk, tmp_path, account.deals)
        (answered,) = (line for line in audit_of(tmp_path) if line["fact"] == "answered")
        (order_id,) = {deal.orderId for deal in account.deals.values()}
        assert answered.get("order_id") == (order_id if in_parts else None)


async def test_a_deal_that_an_amendment_finds_by_the_list_is_looked_up(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timings=replace(QUICK, fill_s=60)) as (server, desk):
        position_id = (await (await desk.place(DEMO, BUY)).protected(timeout_s=10)).position_id or 0
        with server.faults.inject(Losing([2, 3])):
            await desk.account(DEMO).request(raw_buy(positionId=position_id))  # which moves no balance
            await desk.session(DEMO).request(oa.ProtoOAVersionReq())
        assert desk.positions(DEMO)[0].volume_cents == 2 * LOT_CENTS
        await desk.amend(DEMO, PositionAmendment(position_id, take_profit="1.9"))
        assert desk.positions(DEMO)[0].volume_cents == 4 * LOT_CENTS
        await all_deals_on_record(desk, tmp_path, server.exchange.accounts[server.account_id].deals)
