"""What the audit tells of a symbol, and of what was refused."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from anyctrader.session import (
    Environment,
    LimitOrder,
    MarketOrder,
    OrderAmendment,
    PositionAmendment,
    Refused,
    Side,
)
from anyctrader.session.stories import Selection, lines_of, select
from anyctrader.wire import messages as oa

from .rig import EURUSD, LOT_CENTS, a_desk, audit_of

pytestmark = pytest.mark.anyio
DEMO = Environment.DEMO


async def test_a_symbol_has_changes_of_levels_protective_orders_and_raw_requests_and_nothing_of_another(
    tmp_path: Path,
) -> None:
    async with a_desk(tmp_path) as (_, desk):
        other = await desk.place(DEMO, MarketOrder("GBPUSD", Side.BUY, lots="0.01", stop_loss_pips=20))
        await other.protected()
        raw = oa.ProtoOANewOrderReq(symbolId=EURUSD, orderType=2, tradeSide=1, volume=LOT_CENTS, limitPrice=1.1)
        placed = await desk.account(DEMO).request(raw)
        await desk.account(DEMO).request(oa.ProtoOACancelOrderReq(orderId=placed.order.orderId))
        order = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.02", stop_loss_pips=20))
        await order.protected()
        await desk.amend(DEMO, PositionAmendment(order.position_id or 0, take_profit="1.4"))
    every = audit_of(tmp_path)
    wanted = Selection(symbol="EURUSD")
    found = list(select(partial(lines_of, tmp_path), wanted))
    of_another = {line["seq"] for line in every if line.get("position_id") == other.position_id}
    about = [
        line
        for line in every
        if line["fact"] not in ("record_begins", "position")
        if line["seq"] not in of_another and line.get("symbol") != "GBPUSD" and line.get("order_id") != other.order_id
        if line.get("client_order_id") != other.client_order_id
    ]
    assert [line["seq"] for line in found] == [line["seq"] for line in about]
    assert [(line["fact"], line["request"]) for line in found if line["fact"] in ("intent", "change_done")] == [
        ("intent", "ProtoOANewOrderReq"),
        ("intent", "ProtoOACancelOrderReq"),
        ("intent", "place"),
        ("intent", "amend"),
        ("change_done", "amend"),
    ]
    assert "STOP_LOSS_TAKE_PROFIT" in [line.get("order_type") for line in found]
    assert all(line["symbol"] == "EURUSD" for line in found if line["fact"] == "intent")


async def test_a_refusal_says_what_was_refused(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (_, desk):
        held = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.02"))
        await held.filled()
        waits = await desk.place(DEMO, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.1"))
        await desk.halt(DEMO, why="a test")
        position_id, order_id = held.position_id or 0, waits.order_id or 0
        for call in (
            lambda: desk.place(DEMO, MarketOrder("EURUSD", Side.SELL, lots="0.05")),
            lambda: desk.close(DEMO, position_id, lots="0.01"),
            lambda: desk.close(DEMO, position_id),
            lambda: desk.amend(DEMO, PositionAmendment(position_id, stop_loss="1.1")),
            lambda: desk.amend(DEMO, OrderAmendment(order_id, price="1.2")),
            lambda: desk.cancel(DEMO, order_id),
            lambda: desk.account(DEMO).request(oa.ProtoOAClosePositionReq(positionId=position_id, volume=LOT_CENTS)),
        ):
            with pytest.raises(Refused):
                await call()
        await desk.flush()
    lines = [line for line in audit_of(tmp_path) if line["fact"] == "refused"]

    def told(line: dict[str, Any]) -> tuple[Any, ...]:
        size = line.get("lots", line.get("volume_cents"))
        return line["symbol"], line["side"], size, line.get("position_id"), line.get("order_id")

    assert [told(line) for line in lines] == [
        ("EURUSD", "SELL", "0.05", None, None),
        ("EURUSD", "SELL", "0.01", position_id, None),
        ("EURUSD", "SELL", 2 * LOT_CENTS, position_id, None),
        ("EURUSD", "BUY", 2 * LOT_CENTS, position_id, None),
        ("EURUSD", "BUY", LOT_CENTS, None, order_id),
        ("EURUSD", "BUY", LOT_CENTS, None, order_id),
        ("EURUSD", "SELL", LOT_CENTS, position_id, None),
    ]
