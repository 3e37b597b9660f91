from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from anyctrader.scripts.dashboard import View, draw, look
from anyctrader.session import Environment, MarketOrder, Mode, SessionState, Side, open_desk

from .grounds import sandbox_of

READY = View(
    environment=Environment.DEMO,
    state=SessionState.READY,
    reason="ready",
    account=1_000_001,
    mode=Mode.ON,
    why="the mode of the settings",
    beat_s=1.24,
    heard_s=0.5,
    round_trip_ms=45.4,
    used=(3, 0),
    most=(50, 5),
    queued=2,
    positions=("BUY 1000 EURUSD at 1.1, no stop",),
    orders=1,
)
WAITING = View(
    environment=Environment.LIVE,
    state=SessionState.WAITING,
    reason="live.ctraderapi.com: connection refused, a long reason that has to be folded somewhere",
    account=None,
    mode=Mode.REDUCE_ONLY,
    why="halted",
)


def shown(*views: View, columns: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=columns, highlight=False, markup=False).print(draw(views, folder=Path("logs/ctrader")))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_each_environment_has_its_column() -> None:
    lines = shown(READY, WAITING, columns=80)
    rows = {line[:10].strip(): line[10:].split("  ") for line in lines}
    assert [cell.strip() for cell in rows["state"] if cell.strip()] == ["ready", "waiting"]
    assert "demo: BUY 1000 EURUSD at 1.1, no stop" in lines
    assert "live reduce_only: halted" in lines
    assert any(line.startswith("live: live.ctraderapi.com: connection refused") for line in lines)
    text = "\n".join(lines)
    for wanted in ("1.2 s ago", "45 ms", "3 of 50/s", "0 of 5/s", "reduce only", "files: logs/ctrader"):
        assert wanted in text


@pytest.mark.parametrize("columns", [30, 40, 200])
def test_it_keeps_within_the_terminal_and_loses_no_word(columns: int) -> None:
    lines = shown(READY, WAITING, columns=columns)
    assert max(map(len, lines)) <= columns
    together = "".join("".join(lines).split())
    assert "alongreasonthathastobefoldedsomewhere" in together


def test_more_positions_than_fit_are_counted() -> None:
    many = View(
        environment=Environment.DEMO,
        state=SessionState.READY,
        reason="",
        account=1,
        mode=Mode.ON,
        why="",
        positions=tuple(f"BUY {number} EURUSD" for number in range(30)),
        orders=0,
    )
    lines = shown(many, columns=80)
    assert "demo: and 22 more positions" in lines


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_what_is_looked_up_is_what_the_desk_has(tmp_path: Path) -> None:
    async with (
        sandbox_of(tmp_path) as sandbox,
        open_desk(sandbox.settings(live_enabled=False), sandbox=True) as desk,
    ):
        order = await desk.place(Environment.DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=20))
        filled = await order.filled()
        await order.protected()
        view = look(desk, Environment.DEMO, round_trip_ms=12.0)
        assert (view.state, view.account, view.mode) == (SessionState.READY, 1_000_001, Mode.ON)
        assert (view.queued, view.orders, view.most) == (0, 0, (50, 5))
        assert view.used is not None
        assert 0 < view.used[0] <= 50
        assert view.positions is not None
        (line,) = view.positions
        stop = order.record.protection.stop_loss
        assert line == f"BUY 1000 EURUSD at {filled.price:f}, stop {stop or Decimal(0):f}"
        live = look(desk, Environment.LIVE, round_trip_ms=None)
        assert (live.mode, live.positions, live.round_trip_ms) == (Mode.OFF, (), None)
        assert live.why == "CTRADER_LIVE_ENABLED is not true"
