"""What is under way on a netted account counts as filled, whichever order the server goes on with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import ExchangeSettings, faults
from anyctrader.fake.accounts import AccountSettings
from anyctrader.fake.exchange_settings import Delays
from anyctrader.fake.injection import Fault, OutgoingFrame
from anyctrader.fake.variants import Reversal, Variants
from anyctrader.session import Environment, LimitExceeded, Limits, MarketOrder, Side
from anyctrader.session.remainders import Remainders
from anyctrader.wire import messages as oa

from .rig import EURUSD, LOT_CENTS, QUICK, a_desk, is_execution
from .server_words import record

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.01")
SELL = MarketOrder("EURUSD", Side.SELL, lots="0.03")


def an_exchange(reversal: Reversal) -> ExchangeSettings:
    netted = AccountSettings(
        account_id=1_000_001,
        trader_login=3_000_001,
        balance=10_000_000,
        account_type=oa.ProtoOAAccountType.NETTED,
    )
    return ExchangeSettings(accounts=(netted,), delays=Delays.none(), variants=Variants(reversal=reversal))


class Lagging(Fault):
    """Events of what opens once the position is turned around do not come."""

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        event: Any = frame.payload
        return () if is_execution()(frame) and event.position.tradeData.tradeSide == Side.SELL.value else (frame,)


@pytest.mark.parametrize("reversal", list(Reversal))
async def test_what_a_turn_opens_counts_though_its_events_lag(tmp_path: Path, reversal: Reversal) -> None:
    limits = replace(Limits.standard(DEMO), most_exposure_lots=Decimal("0.03"))
    timings = replace(QUICK, fill_s=60)
    async with a_desk(tmp_path, limits=limits, timings=timings, exchange=an_exchange(reversal)) as (server, desk):
        server.set_price(EURUSD, bid=119_000, ask=119_010)
        await (await desk.place(DEMO, BUY)).filled()
        with server.faults.inject(faults.Deafness("ProtoOAReconcileReq")), server.faults.inject(Lagging()):
            turned = await desk.place(DEMO, SELL)
            while not turned.record.fills:
                await anyio.lowlevel.checkpoint()
            assert desk.positions(DEMO) == ()
            with pytest.raises(LimitExceeded, match=r"most_exposure_lots: 0\.04 lots"):
                await desk.place(DEMO, replace(SELL, lots="0.02"))


async def test_what_a_turn_opens_is_looked_up_at_once_where_its_events_lag(tmp_path: Path) -> None:
    timings = replace(QUICK, fill_s=60)
    exchange = an_exchange(Reversal.TWO_ORDERS)
    async with a_desk(tmp_path, timings=timings, exchange=exchange) as (server, desk):
        server.set_price(EURUSD, bid=119_000, ask=119_010)
        await (await desk.place(DEMO, BUY)).filled()
        with server.faults.inject(Lagging()):
            await desk.place(DEMO, SELL)
            with anyio.fail_after(5):
                while [position.volume_cents for position in desk.positions(DEMO)] != [2 * LOT_CENTS]:
                    await anyio.lowlevel.checkpoint()
        assert tuple(desk.session(DEMO).books[server.account_id].remainders) == ()


def test_what_was_left_counts_until_an_order_goes_on_with_it_or_the_whole_list_is_there() -> None:
    left = Remainders()
    left.add(record(), 0)
    assert list(left) == []
    left.add(record(), 20_000)
    (claim,) = left
    assert (claim.symbol_id, claim.side, claim.volume_cents, claim.opens_position) == (1, Side.BUY, 20_000, True)
    trade = {"symbolId": 1, "volume": 20_000, "tradeSide": 1}
    for other in (
        oa.ProtoOAOrder(orderType=1, tradeData=oa.ProtoOATradeData(**trade | {"volume": 30_000})),
        oa.ProtoOAOrder(orderType=1, tradeData=oa.ProtoOATradeData(**trade | {"tradeSide": 2})),
        oa.ProtoOAOrder(orderType=1, tradeData=oa.ProtoOATradeData(**trade), closingOrder=True),
        oa.ProtoOAOrder(orderType=oa.ProtoOAOrderType.STOP_LOSS_TAKE_PROFIT, tradeData=oa.ProtoOATradeData(**trade)),
    ):
        left.seen(other)
    assert list(left) == [claim]
    left.add(record(), 20_000)
    left.seen(oa.ProtoOAOrder(orderType=1, tradeData=oa.ProtoOATradeData(**trade)))
    (second,) = left
    left.listed(())
    assert list(left) == [second], "it was not left yet when the list was asked for"
    left.listed((second,))
    assert list(left) == []
