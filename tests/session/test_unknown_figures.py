"""Closes, and the levels of what is open, do not hang on what the server says of a symbol."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from anyctrader.fake import ExchangeSettings, FakeServer, faults
from anyctrader.fake.exchange_settings import Delays
from anyctrader.session import (
    Desk,
    Environment,
    InvalidOrder,
    MarketOrder,
    NotSent,
    OrderState,
    OutcomeUnknown,
    PositionAmendment,
    SessionState,
    Side,
    Timings,
    open_desk,
)
from anyctrader.wire import messages as oa

from .rig import LOT_CENTS, QUICK, Denying, a_server, audit_of, desk_settings, heard, side_of
from .test_doubts import crashed, impatient

pytestmark = pytest.mark.anyio
DEMO = Environment.DEMO
THREE = MarketOrder("EURUSD", Side.BUY, lots="0.03")
TIMINGS = replace(QUICK, order_queue_s=1.0, request_s=1.0, absent_s=0.1, protection_s=0.3)


def a_desk_at(server: FakeServer, folder: Path, timings: Timings = TIMINGS) -> Any:
    return open_desk(desk_settings(folder, side_of(server, timings=timings)))


def blocked() -> faults.Blocked:
    return faults.Blocked(oa.ProtoOASymbolByIdReq, retry_after_s=60)


@asynccontextmanager
async def restarted_with(
    fault: Any, folder: Path, ticket: MarketOrder = THREE, **exchange: Any
) -> AsyncIterator[tuple[FakeServer, Desk, int]]:
    """A position of an earlier process, and a desk to which the server does not say what its symbol is."""
    delays = replace(Delays.none(), **exchange)
    async with a_server(exchange=ExchangeSettings(delays=delays)) as server:
        server.set_price(1, bid=119_500, ask=119_510)
        async with a_desk_at(server, folder, replace(TIMINGS, protection_s=60)) as desk:
            order = await desk.place(DEMO, ticket)
            await order.filled()
            assert order.position_id is not None
        server.faults.inject(fault)
        async with a_desk_at(server, folder) as desk:
            yield server, desk, order.position_id


async def test_what_needs_no_figures_leaves_without_them_on_record(tmp_path: Path) -> None:
    async with restarted_with(blocked(), tmp_path) as (server, desk, position_id):
        with pytest.raises(NotSent, match="ProtoOASymbolByIdReq is held back"):
            await desk.close(DEMO, position_id, lots="0.01")
        with pytest.raises(InvalidOrder, match="300000 hundredths of a unit are open"):
            await desk.close(DEMO, position_id, volume_cents=4 * LOT_CENTS)
        await desk.amend(DEMO, PositionAmendment(position_id, stop_loss="1.19"))
        assert desk.positions(DEMO)[0].stop_loss == Decimal("1.19")
        part = await desk.close(DEMO, position_id, volume_cents=LOT_CENTS)
        assert (await part.filled()).volume_cents == LOT_CENTS
        whole = await desk.close(DEMO, position_id)
        assert (await whole.filled()).volume_cents == 2 * LOT_CENTS
        assert [each.volume for each in heard(server, oa.ProtoOAClosePositionReq)] == [LOT_CENTS, 2 * LOT_CENTS]
        assert whole.record.slippage is None
    closes = [line for line in audit_of(tmp_path) if line["fact"] == "intent" and line["request"] == "close"]
    assert [(line["symbol"], line["symbol_id"], line["reason"]) for line in closes] == [
        ("EURUSD", 1, "the figures of EURUSD are not known: nothing was checked against them")
    ] * 2


async def test_a_server_that_is_silent_about_them_keeps_neither_the_account_nor_a_close(tmp_path: Path) -> None:
    async with restarted_with(faults.Unanswering("ProtoOASymbolByIdRes"), tmp_path) as (_, desk, position_id):
        assert desk.session(DEMO).state is SessionState.READY
        await (await desk.close(DEMO, position_id)).filled()


async def test_a_fill_without_its_stop_is_closed_again_without_them_too(tmp_path: Path) -> None:
    ticket = replace(THREE, stop_loss_pips=20, close_if_unprotected=True)
    async with restarted_with(blocked(), tmp_path, ticket, follow_up_ms=60_000) as (server, _, position_id):
        await server.wait_for("ProtoOAClosePositionReq")
        (close,) = heard(server, oa.ProtoOAClosePositionReq)
    assert (close.positionId, close.volume) == (position_id, 3 * LOT_CENTS)


async def test_what_became_of_such_a_close_is_found_out_at_the_next_start_without_them(tmp_path: Path) -> None:
    unnamed = Denying(oa.ProtoOASymbolsListReq, code="TIMEOUT_ERROR")
    async with restarted_with(unnamed, tmp_path / "a") as (server, desk, position_id):
        with server.faults.inject(faults.Deafness("ProtoOAClosePositionReq")):
            with impatient(desk), pytest.raises(OutcomeUnknown):
                await desk.close(DEMO, position_id)
        await desk.flush()
        folder = crashed(tmp_path / "a", tmp_path / "b")
        async with a_desk_at(server, folder) as later:
            (close,) = later.orders.values()
            assert await close.finished() is OrderState.NOT_SENT
            await (await later.close(DEMO, position_id)).filled()
