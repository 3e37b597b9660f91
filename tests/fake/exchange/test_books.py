"""The books balance after any day of trading (docs/protocol.md section 10.2).

Balances are deposits plus realised results to the cent, positions are the sum of their fills, and the lists show what
was pushed.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anyctrader.fake.exchange_settings import Delays, Liquidity
from anyctrader.fake.pushes import Push
from anyctrader.fake.variants import FeeRounding, Reversal, Variants
from anyctrader.wire import messages as oa

from .venue import BUY, DE40, EURUSD, LIMIT, MARKET, MICRO, SELL, STOP, USDJPY, Venue, calm, one_account, only

START = {EURUSD: (110_000, 110_010), USDJPY: (15_000_000, 15_001_000), DE40: (2_500_000_000, 2_500_100_000)}
STEP = {EURUSD: MICRO, USDJPY: MICRO, DE40: 1}
POINT = {EURUSD: 1, USDJPY: 100, DE40: 1_000}
SYMBOL = st.sampled_from(list(START))
SIDE = st.sampled_from([BUY, SELL])

ACTION = st.one_of(
    st.tuples(st.just("market"), SYMBOL, SIDE, st.integers(1, 9), st.integers(0, 300)),
    st.tuples(st.just("pending"), SYMBOL, SIDE, st.integers(1, 9), st.integers(-200, 200)),
    st.tuples(st.just("close"), st.integers(0, 20), st.integers(1, 9)),
    st.tuples(st.just("protect"), st.integers(0, 20), st.integers(1, 300), st.booleans()),
    st.tuples(st.just("cancel"), st.integers(0, 20)),
    st.tuples(st.just("move"), SYMBOL, st.integers(-400, 400) | st.sampled_from([-6_000, 6_000])),
    st.tuples(st.just("wait"), st.sampled_from([1, 100, 140, 1_000, 7_200_000])),
    st.tuples(st.just("deposit"), st.integers(-5_000, 50_000)),
)


class Day:
    """A venue and what was pushed on it."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.deposits = [venue.balance]
        for symbol_id, (bid, ask) in START.items():
            venue.price(symbol_id, bid, ask)

    def do(self, action: tuple[Any, ...]) -> None:
        getattr(self, action[0])(*action[1:])

    def market(self, symbol_id: int, side: int, steps: int, level: int) -> None:
        levels = {"relativeStopLoss": level * POINT[symbol_id]} if level else {}
        self.venue.place(MARKET, side, steps * STEP[symbol_id], symbolId=symbol_id, **levels)

    def pending(self, symbol_id: int, side: int, steps: int, distance: int) -> None:
        quote = self.venue.quote(symbol_id)
        price = (quote.bid + distance * POINT[symbol_id]) / 100_000
        kind, field = (LIMIT, "limitPrice") if (distance < 0) is (side == BUY) else (STOP, "stopPrice")
        self.venue.place(kind, side, steps * STEP[symbol_id], symbolId=symbol_id, **{field: price})

    def _position(self, pick: int) -> Any:
        positions = list(self.venue.exchange.accounts[self.venue.account].positions.values())
        return positions[pick % len(positions)] if positions else None

    def close(self, pick: int, steps: int) -> None:
        position = self._position(pick)
        if position is not None:
            self.venue.close(position.position_id, min(position.volume, steps * STEP[position.symbol.symbol_id]))

    def protect(self, pick: int, distance: int, trailing: bool) -> None:
        position = self._position(pick)
        if position is None:
            return
        quote = self.venue.quote(position.symbol.symbol_id)
        shift = distance * POINT[position.symbol.symbol_id]
        stop = quote.bid - shift if position.is_buy else quote.ask + shift
        self.venue.ask(
            oa.ProtoOAAmendPositionSLTPReq,
            positionId=position.position_id,
            stopLoss=stop / 100_000,
            trailingStopLoss=trailing,
        )

    def cancel(self, pick: int) -> None:
        orders = list(self.venue.exchange.accounts[self.venue.account].orders)
        if orders:
            self.venue.ask(oa.ProtoOACancelOrderReq, orderId=orders[pick % len(orders)])

    def move(self, symbol_id: int, points: int) -> None:
        quote = self.venue.quote(symbol_id)
        shift = points * POINT[symbol_id]
        if quote.bid + shift < START[symbol_id][0] // 2:
            return  # that it stays above zero is for whoever sets it
        self.venue.price(symbol_id, quote.bid + shift, quote.ask + shift)

    def wait(self, ms: int) -> None:
        self.venue.wait(ms)

    def deposit(self, amount: int) -> None:
        self.deposits.append(amount)
        self.venue.seen += self.venue.exchange.deposit(self.venue.account, amount=amount, now_ms=self.venue.now_ms)

    def pushed(self) -> list[Any]:
        return [entry.message for entry in self.venue.seen if isinstance(entry, Push)]

    def pushed_deals(self) -> list[Any]:
        return [one.deal for one in self.pushed() if isinstance(one, oa.ProtoOAExecutionEvent) and one.HasField("deal")]


def check(day: Day) -> None:
    """What must hold at any moment."""
    account = day.venue.exchange.accounts[day.venue.account]
    deals = day.pushed_deals()
    details = [deal.closePositionDetail for deal in deals if deal.HasField("closePositionDetail")]
    realised = sum(one.grossProfit + one.swap + one.commission + one.pnlConversionFee for one in details)
    assert account.balance == sum(day.deposits) + realised
    held: Counter[int] = Counter()
    for deal in deals:
        held[deal.positionId] += -deal.filledVolume if deal.HasField("closePositionDetail") else deal.filledVolume
    assert {key: volume for key, volume in held.items() if volume} == {
        key: position.volume for key, position in account.positions.items()
    }
    # The sums by symbol, which price whole accounts, are those of the positions.
    for symbol_id in START:
        exposure = account.exposures.get(symbol_id)
        for side, place in ((BUY, 0), (SELL, 1)):
            own = [one for one in account.positions.values() if (one.symbol.symbol_id, one.side) == (symbol_id, side)]
            assert (exposure.volumes[place] if exposure else 0) == sum(one.volume for one in own)
            assert (exposure.entries[place] if exposure else 0) == sum(one.volume * one.entry for one in own)
            assert (exposure.margins[place] if exposure else 0) == sum(one.used_margin for one in own)
    assert account.charges == sum(one.swap + one.commission for one in account.positions.values())
    if account.is_netted:
        symbols = [position.symbol.symbol_id for position in account.positions.values()]
        assert len(symbols) == len(set(symbols))


def check_history(day: Day) -> None:
    """Lists are what was pushed; a day that ends with nothing open has booked each commission once."""
    venue = day.venue
    listed = list(venue.answer(oa.ProtoOADealListReq).deal)[::-1]
    pushed = day.pushed_deals()
    for deal in pushed:
        deal.utcLastUpdateTimestamp = deal.createTimestamp
    assert listed == pushed
    last = {
        one.order.orderId: one.order
        for one in day.pushed()
        if isinstance(one, oa.ProtoOAExecutionEvent) and one.HasField("order")
    }
    orders = {order.orderId: order for order in venue.answer(oa.ProtoOAOrderListReq).order}
    assert orders.keys() == last.keys()
    for key, order in orders.items():
        assert order.orderStatus == last[key].orderStatus
        assert order.executedVolume == last[key].executedVolume
    flows = venue.answer(oa.ProtoOACashFlowHistoryListReq, fromTimestamp=1, toTimestamp=604_800_001)
    assert not flows.depositWithdraw
    account = venue.exchange.accounts[venue.account]
    assert [flow.delta for flow in account.cash] == day.deposits
    if not account.positions:
        details = [deal.closePositionDetail for deal in pushed if deal.HasField("closePositionDetail")]
        assert sum(deal.commission for deal in pushed) == sum(one.commission for one in details)
        assert (account.used_margin(), account.charges, account.exposures) == (0, 0, {})
        assert not account.open_lots


@pytest.mark.parametrize("account_type", [0, 1], ids=["hedged", "netted"])
@given(
    actions=st.lists(ACTION, max_size=30),
    instantly=st.booleans(),
    variants=st.builds(
        Variants, fee_rounding=st.sampled_from(list(FeeRounding)), reversal=st.sampled_from(list(Reversal))
    ),
    balance=st.sampled_from([100_000, 4_000]),  # the smaller one meets margin calls and stop-outs
    liquidity=st.sampled_from(
        [Liquidity(), Liquidity(part_cents=3 * MICRO), Liquidity(total_cents=4 * MICRO, slippage_points=7)]
    ),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_books_balance_after_any_day(
    account_type: int,
    actions: list[tuple[Any, ...]],
    instantly: bool,
    variants: Variants,
    balance: int,
    liquidity: Liquidity,
) -> None:
    day = Day(
        Venue(
            hold=False,
            accounts=one_account(account_type=account_type, balance=balance),
            symbols=only(*START),
            market=calm(),
            delays=Delays.none() if instantly else Delays(),
            variants=variants,
            liquidity=liquidity,
        )
    )
    for action in actions:
        day.do(action)
        check(day)
    day.venue.wait(10_000)
    for position_id, position in list(day.venue.exchange.accounts[day.venue.account].positions.items()):
        day.venue.close(position_id, position.volume)
    day.venue.wait(10_000)
    check(day)
    check_history(day)
