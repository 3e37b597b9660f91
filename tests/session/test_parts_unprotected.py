"""An order that fills in parts is watched over to its end: parts that fill later are closed again as well."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from anyctrader.fake import ExchangeSettings
from anyctrader.fake.accounts import AccountSettings
from anyctrader.fake.exchange_settings import Delays, Liquidity
from anyctrader.session import Desk, Environment, MarketOrder, Order, OrderState, OutcomeUnknown, Side
from anyctrader.wire import messages as oa

from .rig import HASTY, LOT_CENTS, QUICK, a_desk, facts_of
from .server_words import Execution, deal, event, order, partly_filled, position, protective, sent

pytestmark = pytest.mark.anyio
DEMO = Environment.DEMO
CLOSING = MarketOrder("EURUSD", Side.BUY, lots="0.03", stop_loss_pips=20, close_if_unprotected=True)
WATCHED = {**HASTY, "timings": replace(QUICK, protection_s=0.1)}


def in_parts(*, netted: bool, follow_up_ms: int) -> ExchangeSettings:
    kind = oa.ProtoOAAccountType.NETTED if netted else oa.ProtoOAAccountType.HEDGED
    account = AccountSettings(account_id=1_000_001, trader_login=3_000_001, account_type=kind)
    delays = replace(Delays.none(), part_ms=300, follow_up_ms=follow_up_ms)
    return ExchangeSettings(accounts=(account,), delays=delays, liquidity=Liquidity(part_cents=LOT_CENTS))


@pytest.mark.parametrize("netted", [True, False])
async def test_parts_that_fill_later_are_closed_again_too_and_no_more_than_those(tmp_path: Path, netted: bool) -> None:
    never = in_parts(netted=netted, follow_up_ms=600_000)
    async with a_desk(tmp_path, exchange=never, **WATCHED) as (_, desk):
        first = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.01"))
        await first.filled()
        placed = await desk.place(DEMO, replace(CLOSING, position_id=None if netted else first.position_id))
        await placed.filled()
        with anyio.fail_after(10):
            while open_cents(desk) != LOT_CENTS:
                await anyio.lowlevel.checkpoint()
        await anyio.sleep(0.3)  # another close would have left by then
        assert open_cents(desk) == LOT_CENTS
        await desk.flush()
        closes = [each.record.filled_volume_cents for each in desk.orders.values() if each.side is Side.SELL]
        assert sum(closes) == 3 * LOT_CENTS
        told = facts_of(tmp_path, client_order_id=placed.client_order_id).count("unprotected")
        assert 1 <= len(closes) <= told


async def test_parts_that_the_levels_of_the_first_protect_are_left_alone(tmp_path: Path) -> None:
    async with a_desk(tmp_path, exchange=in_parts(netted=True, follow_up_ms=0), **WATCHED) as (_, desk):
        placed = await desk.place(DEMO, CLOSING)
        await placed.filled()
        await anyio.sleep(0.3)  # nothing is to happen: there is nothing to wait for
        await desk.flush()
        assert open_cents(desk) == 3 * LOT_CENTS
    assert "unprotected" not in facts_of(tmp_path, client_order_id=placed.client_order_id)


def open_cents(desk: Desk) -> int:
    return sum(each.volume_cents for each in desk.positions(DEMO))


async def test_levels_that_have_gone_with_what_was_filled_before_do_not_protect_the_next_part() -> None:
    made = Order(sent(MarketOrder("EURUSD", Side.BUY, lots="0.03", stop_loss_pips=20)))
    record = made.record
    record.apply(partly_filled(executed=100_000, deal_id=1, volume=100_000), at_ms=1)
    stands = event(Execution.ORDER_ACCEPTED, order=protective(stop=1.118), position=position(stopLoss=1.118))
    assert record.apply(stands, at_ms=2).became_protected
    healthy = partly_filled(executed=200_000, deal_id=2, volume=100_000)
    healthy.position.stopLoss = 1.118
    record.apply(healthy, at_ms=3)
    assert record.protected, "the position has them still"
    record.apply(partly_filled(executed=300_000, deal_id=3, volume=100_000), at_ms=4)
    with pytest.raises(OutcomeUnknown):
        await made.protected(timeout_s=0)
    assert record.apply(stands, at_ms=5).became_protected


async def test_a_fill_whose_deal_is_still_to_be_listed_counts_as_open() -> None:
    made = Order(sent(MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=20)))
    listed = order(status=oa.ProtoOAOrderStatus.ORDER_STATUS_FILLED, executedVolume=100_000)
    made.record.settle_from_order(listed, at_ms=1)
    assert made.state is OrderState.FILLED
    assert await made.opened()
    with pytest.raises(OutcomeUnknown):
        await made.protected(timeout_s=0)
    made.record.settle_from_order(listed, [deal()], at_ms=2)
    assert not await made.opened(beyond_cents=100_000)
