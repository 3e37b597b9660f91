"""A clock of ours that is wrong makes no order unsent and no deal unseen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from anyctrader.fake import faults
from anyctrader.session import CTraderError, Environment, MarketOrder, OrderState, Side, clock
from anyctrader.wire import messages as oa

from .rig import QUICK, a_desk, facts_of, is_execution, ready_again

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.01")
HALF_A_DAY_S = 43_200


@pytest.mark.parametrize("off_s", [-HALF_A_DAY_S, -600, -90, 0, 30, 600, HALF_A_DAY_S])
async def test_whatever_our_clock_says_what_happened_unseen_is_found_and_told(
    off_s: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = clock.utc_ms
    monkeypatch.setattr("anyctrader.session.clock.utc_ms", lambda: right() + off_s * 1000)
    timings = replace(QUICK, request_s=1, absent_s=0.1, absent_looks=2)
    async with a_desk(tmp_path, timings=timings) as (server, desk):
        session = desk.session(DEMO)
        with server.faults.inject(faults.Unanswering(is_execution())):
            with pytest.raises(CTraderError):
                await desk.place(DEMO, BUY)
        for _ in range(3):
            await ready_again(session, links=server.drop_clients)
        (order,) = desk.orders.values()
        assert order.state is OrderState.FILLED
        assert order.position_id is not None
        with server.faults.inject(faults.Unanswering(is_execution())):
            with pytest.raises(CTraderError):
                await desk.close(DEMO, order.position_id)
        for _ in range(3):
            await ready_again(session, links=server.drop_clients)
        (close,) = [each for each in desk.orders.values() if each.record.is_close]
        assert close.state is OrderState.FILLED
        assert desk.positions(DEMO) == ()
        assert len([seen for seen in server.seen if isinstance(seen.message, oa.ProtoOANewOrderReq)]) == 1
    assert facts_of(tmp_path).count("missed_deal") == 2
