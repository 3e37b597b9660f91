"""Closes that are under way count: no more is asked for than is left of a position."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import ExchangeSettings, FakeServer
from anyctrader.fake.exchange_settings import Delays
from anyctrader.session import Desk, Environment, InvalidOrder, MarketOrder, Mode, Side
from anyctrader.wire import messages as oa

from .rig import LOT_CENTS, a_desk, facts_of, heard

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
SLOW = ExchangeSettings(delays=replace(Delays.none(), fill_ms=150))
TEN = MarketOrder("EURUSD", Side.BUY, lots="0.1")


async def opened(desk: Desk) -> int:
    order = await desk.place(DEMO, TEN)
    await order.filled()
    assert order.position_id is not None
    return order.position_id


async def together(*closes: Awaitable[Any]) -> tuple[list[Any], list[Exception]]:
    """What they gave, and what they were refused with."""
    given: list[Any] = []
    refused: list[Exception] = []

    async def run(close: Awaitable[Any]) -> None:
        try:
            given.append(await close)
        except InvalidOrder as error:
            refused.append(error)

    async with anyio.create_task_group() as tasks:
        for close in closes:
            tasks.start_soon(run, close)
    return given, refused


def asked_cents(server: FakeServer) -> list[int]:
    return [request.volume for request in heard(server, oa.ProtoOAClosePositionReq)]


@pytest.mark.parametrize("mode", [Mode.ON, Mode.REDUCE_ONLY])
async def test_closes_that_together_ask_for_more_than_is_open_do_not_leave(tmp_path: Path, mode: Mode) -> None:
    async with a_desk(tmp_path, exchange=SLOW) as (server, desk):
        id_ = await opened(desk)
        if mode is not Mode.ON:
            await desk.halt(DEMO, why="a test", mode=mode)
        given, refused = await together(*(desk.close(DEMO, id_, lots="0.06") for _ in range(2)))
        assert (len(given), len(refused)) == (1, 1)
        assert str(refused[0]) == (
            f"volume_cents: 600000 is refused: of the 1000000 of position {id_} that are open, 600000 are being closed "
            "already: 400000 are left"
        )
        await given[0].filled()
        await (await desk.close(DEMO, id_, lots="0.04")).filled()
        assert asked_cents(server) == [60 * LOT_CENTS // 10, 40 * LOT_CENTS // 10]
        await desk.flush()
        assert len([fact for fact in facts_of(tmp_path, request="close") if fact == "intent"]) == 2


async def test_a_position_is_not_closed_twice_at_once(tmp_path: Path) -> None:
    async with a_desk(tmp_path, exchange=SLOW) as (server, desk):
        id_ = await opened(desk)
        given, refused = await together(*(desk.close(DEMO, id_) for _ in range(3)))
        assert (len(given), len(refused)) == (1, 2)
        await given[0].filled()
        assert asked_cents(server) == [10 * LOT_CENTS]


async def test_raw_closes_count_until_they_are_filled(tmp_path: Path) -> None:
    async with a_desk(tmp_path, exchange=SLOW) as (server, desk):
        id_ = await opened(desk)
        raw = oa.ProtoOAClosePositionReq(positionId=id_, volume=6 * LOT_CENTS)
        given, refused = await together(*(desk.account(DEMO).request(raw) for _ in range(2)))
        assert (len(given), len(refused)) == (1, 1)
        # It is accepted, and not filled yet.
        with pytest.raises(InvalidOrder, match="600000 are being closed already: 400000 are left"):
            await desk.close(DEMO, id_)
        assert asked_cents(server) == [6 * LOT_CENTS]


async def test_what_a_close_has_filled_already_is_not_counted_twice(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (_, desk):
        id_ = await opened(desk)
        for _ in range(5):
            await (await desk.close(DEMO, id_, lots="0.02")).filled()
        assert desk.positions(DEMO) == ()
