"""A desk trades the account of its settings and no other, whichever the token covers and the session authorised."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anyctrader.fake import ExchangeSettings
from anyctrader.fake.accounts import AccountSettings
from anyctrader.fake.exchange_settings import Delays
from anyctrader.session import Environment, Limits, LiveTradingDisabled, MarketOrder, Mode, Side, WrongEnvironment
from anyctrader.wire import messages as oa

from .rig import EURUSD, LOT_CENTS, a_desk, audit_of, heard

pytestmark = pytest.mark.anyio
DEMO = Environment.DEMO
OWN, OTHER = 1_000_001, 1_000_003
TWO = ExchangeSettings(
    delays=Delays.none(),
    accounts=tuple(AccountSettings(account_id=id_, trader_login=id_ + 2_000_000) for id_ in (OWN, OTHER)),
)


def trading(position_id: int) -> list[Any]:
    return [
        oa.ProtoOANewOrderReq(symbolId=EURUSD, orderType=1, tradeSide=1, volume=LOT_CENTS),
        oa.ProtoOAAmendOrderReq(orderId=5, volume=LOT_CENTS),
        oa.ProtoOAAmendPositionSLTPReq(positionId=position_id, stopLoss=1.1),
        oa.ProtoOAClosePositionReq(positionId=position_id, volume=LOT_CENTS),
        oa.ProtoOACancelOrderReq(orderId=5),
    ]


async def test_what_trades_another_account_of_the_token_is_refused_and_reads_of_it_pass(tmp_path: Path) -> None:
    limits = Limits(orders_per_minute=1, most_positions=1)
    async with a_desk(tmp_path, exchange=TWO, limits=limits) as (server, desk):
        assert desk.account(DEMO).id == OWN
        order = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.01"))
        await order.filled()
        assert order.position_id is not None
        other = await desk.session(DEMO).authorize(OTHER)
        for request in trading(order.position_id):
            with pytest.raises(WrongEnvironment, match=f"name account {OWN}, and no other .* account {OTHER} may be"):
                await other.request(request)
            assert len(heard(server, type(request))) == (1 if isinstance(request, oa.ProtoOANewOrderReq) else 0)
        assert (await other.request(oa.ProtoOATraderReq())).trader.ctidTraderAccountId == OTHER
        assert not (await other.request(oa.ProtoOAReconcileReq())).position
        await desk.flush()
        refused = [line for line in audit_of(tmp_path) if line["fact"] == "refused"]
        assert [(line["error"], line["account_id"]) for line in refused] == [("WrongEnvironment", OTHER)] * 5
        closing = await desk.close(DEMO, order.position_id)  # its own it trades on
        await closing.filled()


async def test_a_halt_is_what_is_told_first(tmp_path: Path) -> None:
    async with a_desk(tmp_path, exchange=TWO) as (server, desk):
        other = await desk.session(DEMO).authorize(OTHER)
        await desk.halt(DEMO, why="enough", mode=Mode.OFF)
        with pytest.raises(Exception, match="trading on demo is off") as refused:
            await other.request(trading(1)[0])
        assert not isinstance(refused.value, (WrongEnvironment, LiveTradingDisabled))
        assert heard(server, oa.ProtoOANewOrderReq) == []
