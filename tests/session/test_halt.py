"""A halt: at once, for every process, over restarts, until it is lifted."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from anyctrader.session import halt as halts
from anyctrader.session.disk import Disk
from anyctrader.session.environments import Environment, Mode

if TYPE_CHECKING:
    from pathlib import Path

DEMO, LIVE = Environment.DEMO, Environment.LIVE
AT_MS = 1_795_376_400_123


class FullDisk(Disk):
    def write(self, descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def place(folder: Path, environment: Environment = LIVE, mode: Mode = Mode.OFF, disk: Disk | None = None) -> halts.Halt:
    return halts.halt(folder, environment, why="drill", who="operator", at_ms=AT_MS, mode=mode, disk=disk)


def test_a_halt_stands_though_its_reason_is_no_text(tmp_path: Path) -> None:
    typed = "f\udcfcr immer"  # what Python makes of the Latin-1 that another terminal sends
    placed = halts.halt(tmp_path, DEMO, why=typed, who=typed, at_ms=AT_MS)
    assert (placed.why, placed.who) == (r"f\udcfcr immer", r"f\udcfcr immer")
    assert halts.read(tmp_path, DEMO) == placed


def test_without_a_halt_there_is_none(tmp_path: Path) -> None:
    assert halts.read(tmp_path, LIVE) is None
    assert halts.read(tmp_path / "not made yet", LIVE) is None


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.REDUCE_ONLY])
def test_a_halt_says_who_when_why_and_what_is_left(tmp_path: Path, mode: Mode) -> None:
    placed = place(tmp_path / "logs", mode=mode)
    assert halts.read(tmp_path / "logs", LIVE) == placed
    assert placed == halts.Halt(LIVE, mode, "drill", "operator", "2026-11-22T19:40:00.123Z")
    assert placed.standing.mode is mode
    for part in ("drill", "operator", "2026-11-22T19:40:00.123Z", "anyctrader resume live"):
        assert part in placed.standing.why
    assert json.loads((tmp_path / "logs" / "live.halt").read_bytes())["mode"] == mode.value
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["live.halt"]


def test_whatever_stands_in_its_place_and_cannot_be_read_is_a_halt_that_stops_everything(tmp_path: Path) -> None:
    path = halts.path_of(tmp_path, LIVE)

    def stops() -> None:
        halted = halts.read(tmp_path, LIVE)
        assert halted is not None
        assert halted.mode is Mode.OFF
        assert halts.resume(tmp_path, LIVE) is not None
        assert halts.read(tmp_path, LIVE) is None

    path.symlink_to(tmp_path / "nowhere")
    stops()
    path.symlink_to(path)
    stops()
    os.mkfifo(path)
    stops()


def test_a_halt_of_one_environment_leaves_the_other_alone(tmp_path: Path) -> None:
    place(tmp_path, LIVE)
    assert halts.read(tmp_path, DEMO) is None


def test_a_halt_is_seen_by_other_processes(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from anyctrader.session import halt\n"
        "from anyctrader.session.environments import Environment\n"
        "halt.halt(pathlib.Path(sys.argv[1]), Environment.LIVE, why='from outside', who='other', at_ms=0)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    seen = halts.read(tmp_path, LIVE)
    assert seen is not None
    assert (seen.mode, seen.why) == (Mode.OFF, "from outside")


def test_resume_lifts_it_and_tells_what_was_lifted(tmp_path: Path) -> None:
    placed = place(tmp_path)
    assert halts.resume(tmp_path, LIVE) == placed
    assert halts.read(tmp_path, LIVE) is None
    assert halts.resume(tmp_path, LIVE) is None


def test_a_halt_cannot_be_made_milder_by_another(tmp_path: Path) -> None:
    place(tmp_path, mode=Mode.REDUCE_ONLY)
    assert place(tmp_path, mode=Mode.OFF).mode is Mode.OFF
    assert place(tmp_path, mode=Mode.REDUCE_ONLY).mode is Mode.OFF
    with pytest.raises(ValueError, match="resume"):
        place(tmp_path, mode=Mode.ON)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"mode":"on","why":"x","who":"x","at":"x"}',
        b'{"mode":"half","why":"x","who":"x","at":"x"}',
        b'{"mode":"reduce_only"}',
    ],
)
def test_a_halt_that_cannot_be_understood_stops_everything_that_trades(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "live.halt").write_bytes(content)
    seen = halts.read(tmp_path, LIVE)
    assert seen is not None
    assert seen.mode is Mode.OFF
    assert "live.halt" in seen.standing.why
    assert halts.resume(tmp_path, LIVE) == seen
    assert halts.read(tmp_path, LIVE) is None


def test_a_halt_that_cannot_be_read_stops_everything_that_trades(tmp_path: Path) -> None:
    (tmp_path / "live.halt").mkdir()
    seen = halts.read(tmp_path, LIVE)
    assert seen is not None
    assert seen.mode is Mode.OFF
    (tmp_path / "file").write_bytes(b"")
    seen = halts.read(tmp_path / "file", LIVE)
    assert seen is not None
    assert seen.mode is Mode.OFF


def test_a_full_disk_does_not_keep_a_halt_from_working(tmp_path: Path) -> None:
    assert place(tmp_path, mode=Mode.REDUCE_ONLY, disk=FullDisk()).mode is Mode.OFF
    seen = halts.read(tmp_path, LIVE)
    assert seen is not None
    assert seen.mode is Mode.OFF
    assert [path.name for path in tmp_path.iterdir()] == ["live.halt"]


def test_a_full_disk_does_not_leave_a_milder_halt_in_place(tmp_path: Path) -> None:
    place(tmp_path, mode=Mode.REDUCE_ONLY)
    assert place(tmp_path, mode=Mode.OFF, disk=FullDisk()).mode is Mode.OFF
    seen = halts.read(tmp_path, LIVE)
    assert seen is not None
    assert seen.mode is Mode.OFF


def test_a_halt_that_cannot_be_placed_at_all_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "live.halt").mkdir()
    with pytest.raises(OSError, match="directory"):
        place(tmp_path)
