"""A halt from within a desk stops this process at once, whatever the disk says to its file."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from anyctrader.session import Environment, HaltIncomplete, MarketOrder, Mode, Refused, Side
from anyctrader.session import halt as halts
from anyctrader.wire import messages as oa

from .rig import a_desk, audit_of, heard

pytestmark = pytest.mark.anyio
DEMO = Environment.DEMO
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.01")


def unwritable(*_: Any, **__: Any) -> None:
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


async def test_a_halt_whose_file_cannot_be_placed_holds_here_until_it_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_desk(tmp_path) as (server, desk):
        order = await desk.place(DEMO, BUY)
        await order.filled()
        with monkeypatch.context() as folder:
            folder.setattr(halts, "halt", unwritable)
            with pytest.raises(HaltIncomplete, match=r"halted in this process, until .* nowhere else") as caught:
                await desk.halt(DEMO, why="the feed looks wrong")
            with pytest.raises(HaltIncomplete):
                await desk.halt(DEMO, why="later, and milder", mode=Mode.REDUCE_ONLY)
        assert isinstance(caught.value.__cause__, PermissionError)
        assert (desk.mode(DEMO), halts.read(tmp_path, DEMO)) == (Mode.OFF, None)
        for call in (
            desk.place(DEMO, BUY),
            desk.account(DEMO).request(oa.ProtoOANewOrderReq(symbolId=1, orderType=1, tradeSide=1, volume=100_000)),
        ):
            with pytest.raises(Refused, match="the feed looks wrong"):
                await call
        assert len(heard(server, oa.ProtoOANewOrderReq)) == 1
        await desk.halt(DEMO, why="now there is room", mode=Mode.REDUCE_ONLY)
        placed = halts.read(tmp_path, DEMO)
        assert placed is not None
        assert placed.mode is Mode.OFF, "as strict as what held here"
        await desk.resume(DEMO)
        assert desk.mode(DEMO) is Mode.ON
        await (await desk.close(DEMO, order.position_id or 0)).filled()
        await desk.flush()
    told = [(line["fact"], line["reason"]) for line in audit_of(tmp_path) if line["fact"] in ("halt", "resume")]
    assert [fact for fact, _ in told] == ["halt", "halt", "halt", "resume", "resume", "resume"]
    assert "the feed looks wrong (in this process only:" in told[0][1]
    assert "Permission denied" in told[0][1]


async def test_nothing_leaves_while_the_disk_has_not_taken_the_file_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go_on, place = threading.Event(), threading.Event(), halts.halt

    def slow(*given: Any, **named: Any) -> Any:
        reached.set()
        assert go_on.wait(30)
        return place(*given, **named)

    monkeypatch.setattr(halts, "halt", slow)
    async with a_desk(tmp_path) as (server, desk):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: desk.halt(DEMO, why="enough"))
            await anyio.to_thread.run_sync(reached.wait, 30)
            with pytest.raises(Refused, match="enough"):
                await desk.place(DEMO, BUY)
            go_on.set()
        assert heard(server, oa.ProtoOANewOrderReq) == []
        assert "`anyctrader resume demo` lifts it" in desk.why(DEMO)
        halts.resume(tmp_path, DEMO)  # from another process: nothing of it is left here
        assert desk.mode(DEMO) is Mode.ON
        with pytest.raises(ValueError, match="use resume"):
            await desk.halt(DEMO, why="none", mode=Mode.ON)
        assert desk.mode(DEMO) is Mode.ON


async def test_a_halt_in_a_scope_that_is_cancelled_already_is_placed_and_holds(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await desk.halt(DEMO, why="the strategy was stopped")
        assert desk.mode(DEMO) is Mode.OFF
        with pytest.raises(Refused, match="the strategy was stopped"):
            await desk.place(DEMO, BUY)
        assert halts.read(tmp_path, DEMO) is not None
        assert heard(server, oa.ProtoOANewOrderReq) == []
        await desk.resume(DEMO)
        assert desk.mode(DEMO) is Mode.ON


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_halt_that_asyncio_cancels_while_the_disk_hangs_holds_until_it_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, placed, place = threading.Event(), threading.Event(), halts.halt

    def slow(*given: Any, **named: Any) -> None:
        assert go_on.wait(30)
        place(*given, **named)
        placed.set()

    monkeypatch.setattr(halts, "halt", slow)
    async with a_desk(tmp_path) as (server, desk):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(desk.halt(DEMO, why="enough"), 0.1)
        with pytest.raises(Refused, match="enough"):
            await desk.place(DEMO, BUY)
        go_on.set()
        await anyio.to_thread.run_sync(placed.wait, 30)
        assert desk.mode(DEMO) is Mode.OFF
        await desk.resume(DEMO)
        assert desk.mode(DEMO) is Mode.ON
        assert heard(server, oa.ProtoOANewOrderReq) == []
        await desk.flush()
    told = [line["reason"] for line in audit_of(tmp_path) if line["fact"] == "halt"]
    assert told[0] == "enough (in this process; its caller was cancelled before its file came)"
