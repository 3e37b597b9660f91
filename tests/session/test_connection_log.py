"""The log of a connection: readable, bounded, in nobody's way."""

from __future__ import annotations

import enum
import threading
from decimal import Decimal
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.lowlevel import checkpoint

from anyctrader.session.connection_log import open_connection_log, readable
from anyctrader.session.disk import Disk
from anyctrader.session.environments import Environment
from anyctrader.session.secret import Secret
from anyctrader.wire.quoting import escaped

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

DEMO, LIVE = Environment.DEMO, Environment.LIVE
AT_MS = 1_795_376_400_123


class Kind(enum.IntEnum):
    MARKET = 1


class GatedDisk(Disk):
    def __init__(self) -> None:
        self.gate = threading.Event()
        self.at_gate = threading.Event()

    def write(self, descriptor: int, data: bytes) -> int:
        self.at_gate.set()
        assert self.gate.wait(30)
        return super().write(descriptor, data)


def lines(folder: Path, environment: Environment = DEMO) -> list[str]:
    return (folder / f"{environment.value}_connection.log").read_text("utf-8").splitlines()


async def test_a_line_has_time_environment_fact_and_fields(tmp_path: Path) -> None:
    folder = tmp_path / "logs" / "ctrader"
    async with open_connection_log(folder, DEMO, clock=lambda: AT_MS) as log:
        log.write("state", state="ready", reason="logged in", account=None)
        log.write("wait", delay_s=1.5)
    assert lines(folder) == [
        '2026-11-22T19:40:00.123Z demo state state=ready reason="logged in"',
        "2026-11-22T19:40:00.123Z demo wait delay_s=1.5",
    ]


async def test_each_environment_has_its_own_file_and_a_sandbox_is_marked(tmp_path: Path) -> None:
    async with (
        open_connection_log(tmp_path, DEMO, sandbox=True, clock=lambda: AT_MS) as demo,
        open_connection_log(tmp_path, LIVE, sandbox=True, clock=lambda: AT_MS) as live,
    ):
        demo.write("state")
        live.write("state")
    assert lines(tmp_path, DEMO) == ["2026-11-22T19:40:00.123Z demo sandbox state"]
    assert lines(tmp_path, LIVE) == ["2026-11-22T19:40:00.123Z live sandbox state"]


async def test_it_goes_on_behind_what_is_there(tmp_path: Path) -> None:
    for _ in range(2):
        async with open_connection_log(tmp_path, DEMO) as log:
            log.write("state")
    assert len(lines(tmp_path)) == 2


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ready", "ready"),
        ("", '""'),
        ("two words", '"two words"'),
        ("a=b", '"a=b"'),
        ('say "x"\\', '"say \\"x\\"\\\\"'),
        ("a\nb\r\tc", '"a\\nb\\r\\tc"'),
        ("\x1b[31mred", '"\\x1b[31mred"'),
        (escaped("a\x1b[2J\nb\u202e\U000e0001"), r'"a\x1b[2J\nb\u202e\U000e0001"'),
        (r"C:\dir\x5g \\n\\", r'"C:\\dir\\x5g \\\n\\\\"'),
        ("\x9b31m", '"\\x9b31m"'),
        ("\u2028\u202e", '"\\u2028\\u202e"'),
        ("\ud800", '"\\ud800"'),
        ("für 10 €", '"für 10 €"'),
        (Decimal("1.0850"), "1.0850"),
        (DEMO, "demo"),
        (Kind.MARKET, "MARKET"),
        (Secret("hunter2"), "***"),
        (127, "127"),
        (True, "True"),
    ],
)
def test_values_are_readable_and_nothing_a_terminal_would_obey(value: object, expected: str) -> None:
    assert readable(value) == expected


def test_overlong_text_is_cut_and_says_so() -> None:
    shown = readable("x" * 1_000_000)
    assert len(shown) < 1100
    assert "1000000 characters" in shown


async def test_a_secret_is_refused_by_its_name(tmp_path: Path) -> None:
    async with open_connection_log(tmp_path, DEMO) as log:
        with pytest.raises(ValueError, match="access_token") as refusal:
            log.write("auth", access_token="hunter2")
        log.write("state")
    assert "hunter2" not in str(refusal.value)
    assert len(lines(tmp_path)) == 1


async def test_leaving_by_an_error_or_by_cancellation_writes_what_still_waits(tmp_path: Path) -> None:
    with pytest.raises(KeyError):  # noqa: PT012 - the block is what is tested
        async with open_connection_log(tmp_path, DEMO) as log:
            log.write("last")
            raise KeyError
    with anyio.CancelScope() as scope:
        async with open_connection_log(tmp_path, DEMO) as log:
            log.write("last")
            scope.cancel()
            await checkpoint()
    assert len(lines(tmp_path)) == 2


async def test_a_file_that_was_moved_away_is_there_again(tmp_path: Path) -> None:
    async with open_connection_log(tmp_path, DEMO) as log:
        log.write("one")
        while not log.path.exists() or not log.path.stat().st_size:
            await checkpoint()
        await anyio.wait_all_tasks_blocked()
        log.path.rename(tmp_path / "old.log")
        log.write("two")
    assert (tmp_path / "old.log").read_text().count("one") == 1
    assert len(lines(tmp_path)) == 1


async def test_lines_that_a_failing_disk_cost_are_counted_and_told(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.write_bytes(b"in the way")
    async with open_connection_log(folder, DEMO) as log:
        log.write("one")
        log.write("two")
        while log.trouble is None:
            await checkpoint()
        assert "demo_connection.log" in log.trouble
        assert log.lost == 2
        folder.unlink()
        log.write("three")
        while log.trouble is not None:
            await checkpoint()
    written = [line for line in lines(folder) if line]
    # What was lost is told with the next line, or before it where the disk is back by then.
    assert sorted(line.split()[2:] for line in written) == [["lost", "lines=2"], ["three"]]


async def test_a_stalled_disk_blocks_nobody_and_what_finds_no_room_is_counted(tmp_path: Path) -> None:
    disk = GatedDisk()
    try:
        async with open_connection_log(tmp_path, DEMO, bound=3, close_s=30, disk=disk) as log:
            log.write("stalled")
            while not disk.at_gate.is_set():
                await checkpoint()
            for n in range(5):
                log.write("tick", n=n)
            assert log.lost == 2
            disk.gate.set()
    finally:
        disk.gate.set()
    assert [line.split()[2:] for line in lines(tmp_path)] == [
        ["stalled"],
        ["tick", "n=0"],
        ["tick", "n=1"],
        ["tick", "n=2"],
        ["lost", "lines=2"],
    ]


async def test_leaving_does_not_wait_for_ever(tmp_path: Path) -> None:
    disk = GatedDisk()
    try:
        with anyio.fail_after(10):
            async with open_connection_log(tmp_path, DEMO, close_s=0.05, disk=disk) as log:
                log.write("stalled")
    finally:
        disk.gate.set()
    log.write("late")
    assert log.lost == 1
