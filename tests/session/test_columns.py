"""The audit files are tables: a column has one type in all lines, so that data tools open them without help.

`bench/tables.py` opens a folder's files in pandas, polars and duckdb.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from anyctrader.fake import faults
from anyctrader.session import (
    CTraderError,
    Environment,
    LimitOrder,
    MarketOrder,
    MarketRangeOrder,
    Mode,
    OrderAmendment,
    PositionAmendment,
    Side,
    StopLimitOrder,
    Ticket,
)
from anyctrader.session.columns import ORDER_COLUMNS, SNAPSHOT_COLUMNS
from anyctrader.session.holdings import Position
from anyctrader.session.request_facts import TRADING, facts_of
from anyctrader.wire import messages as oa

from .rig import EURUSD, LOT_CENTS, QUICK, both, ready_again
from .test_request_facts import full

pytestmark = pytest.mark.anyio

DEMO, LIVE = Environment.DEMO, Environment.LIVE
SOON = datetime.now(UTC) + timedelta(days=1)
TICKETS: tuple[Ticket, ...] = (
    MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=20, take_profit_distance="0.01"),
    MarketOrder("EURUSD", Side.BUY, units=1000, stop_loss_pips=Decimal("20.5"), label="x", comment="y"),
    MarketOrder("EURUSD", Side.SELL, volume_cents=str(LOT_CENTS), take_profit_distance=1),
    MarketOrder("EURUSD", Side.SELL, volume_cents=LOT_CENTS),
    MarketRangeOrder("EURUSD", Side.BUY, lots="0.01", base_price=1, slippage_points=7),
    MarketRangeOrder("EURUSD", Side.BUY, lots="0.01", base_price="1.2001", slippage_points=7),
    LimitOrder("EURUSD", Side.BUY, lots="0.01", price=1, expires_at=SOON),
    LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.1", expires_at=int(SOON.timestamp() * 1000)),
    StopLimitOrder("EURUSD", Side.BUY, lots="0.01", stop_price="1.9", slippage_points=3),
)


def test_the_first_line_names_all_that_a_position_and_a_request_may_say() -> None:
    named = {field.name for field in fields(Position)}
    assert named <= set(SNAPSHOT_COLUMNS)
    for cls in TRADING.values():
        request = full(cls)
        assert set(facts_of(request)) <= set(ORDER_COLUMNS)


def lines_in(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def mixed(lines: Iterable[dict[str, Any]]) -> dict[str, set[str]]:
    """The columns that have more than one type, or one that is no plain value."""
    types: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        for name, value in line.items():
            types[name].add(type(value).__name__)
    return {name: found for name, found in types.items() if len(found) > 1 or not found <= {"str", "int", "bool"}}


async def test_a_column_has_one_plain_type_whatever_was_traded_and_whoever_wrote_it(tmp_path: Path) -> None:
    async with both(tmp_path, timings=replace(QUICK, request_s=1)) as (server, _, desk):
        server.set_price(EURUSD, bid=120_000, ask=120_010)
        for ticket in TICKETS:
            try:
                order = await desk.place(DEMO, ticket)
            except CTraderError:
                continue
            if order.order_id is not None and ticket.order_type is oa.ProtoOAOrderType.LIMIT:
                await desk.amend(DEMO, OrderAmendment(order.order_id, price="1.05", expires_at=None))
                await desk.cancel(DEMO, order.order_id)
        (first, *_) = desk.positions(DEMO)
        await desk.amend(DEMO, PositionAmendment(first.id, stop_loss="1.15", take_profit=None))
        account = desk.account(DEMO)
        await account.request(
            oa.ProtoOANewOrderReq(symbolId=EURUSD, orderType=1, tradeSide=1, volume=LOT_CENTS, stopTriggerMethod=2)
        )
        for refused in (
            oa.ProtoOACancelOrderReq(orderId=99_999),
            oa.ProtoOANewOrderReq(symbolId=EURUSD, orderType=2, tradeSide=1, volume=LOT_CENTS, limitPrice=float("nan")),
        ):
            with pytest.raises(CTraderError):
                await account.request(refused)
        with server.faults.inject(faults.Silence()), pytest.raises(CTraderError):
            await account.request(oa.ProtoOACancelOrderReq(orderId=1), timeout_s=0.2)
        with pytest.raises(CTraderError):
            await desk.place(LIVE, TICKETS[0])
        await ready_again(desk.session(DEMO), links=server.drop_clients)
        await desk.halt(DEMO, why="a test", mode=Mode.REDUCE_ONLY)
        with pytest.raises(CTraderError):
            await desk.place(DEMO, TICKETS[0])
        await (await desk.close(DEMO, first.id, lots="0.01")).filled()
        await desk.resume(DEMO)
        desk.snapshot(DEMO)
    facts = lines_in(tmp_path / "order_audit.jsonl")
    assert {"intent", "fill", "finished", "answered", "refused", "halt", "change_done"} <= {
        line["fact"] for line in facts
    }
    assert mixed(facts) == {}
    assert set().union(*facts) <= set(facts[0]), "a column that the first line does not name"
    snapshots = lines_in(tmp_path / "position_snapshot.jsonl")
    assert len(snapshots) > 5
    assert mixed(snapshots) == {}
    assert set().union(*snapshots) <= set(snapshots[0])


def test_a_mixed_column_and_a_nested_one_are_seen() -> None:
    assert mixed([{"a": 1, "b": "x"}, {"a": "1", "b": "y"}]) == {"a": {"int", "str"}}
    assert set(mixed([{"a": None}, {"b": {}}, {"c": 1.5}])) == {"a", "b", "c"}
