"""The files of an audit together: one lock, and no descriptor closed under a thread that still writes."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from anyctrader.session.audit_files import AuditFiles
from anyctrader.session.chain import Fact
from anyctrader.session.disk import Disk
from anyctrader.session.errors import AuditUnavailable
from anyctrader.session.verification import verify
from anyctrader.session.writer_lock import WriterLock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FACT = Fact("demo", 1_795_376_400_123, "intent")
DAY_MS = 86_400_000


class GatedDisk(Disk):
    """A real disk that can be held at its syncs, and in which no file can be opened for writing twice."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.at_gate = threading.Event()
        self.read_only: set[str] = set()

    def sync(self, descriptor: int) -> None:
        self.at_gate.set()
        assert self.gate.wait(30)
        super().sync(descriptor)

    def open(self, path: Path, flags: int) -> int:
        if path.name in self.read_only and flags != os.O_RDONLY:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return super().open(path, flags)


def opened(folder: Path, disk: Disk) -> AuditFiles:
    return AuditFiles(folder, disk=disk, sandbox=False, reserve_bytes=0, now_ms=FACT.at_ms)


def test_a_folder_has_one_writer_until_it_is_closed(tmp_path: Path) -> None:
    files = opened(tmp_path, Disk())
    with pytest.raises(AuditUnavailable, match="this process"):
        opened(tmp_path, Disk())
    files.close()
    opened(tmp_path, Disk()).close()


def test_the_files_are_locked_too_over_the_days_whatever_becomes_of_the_lock_file(tmp_path: Path) -> None:
    files = opened(tmp_path, Disk())

    def is_kept_away() -> None:
        (tmp_path / ".order_audit.lock").unlink()
        with pytest.raises(AuditUnavailable, match=r"order_audit\.jsonl is being written by another process"):
            opened(tmp_path, Disk())

    is_kept_away()
    for day in range(2):
        files.commit_orders([replace(FACT, at_ms=FACT.at_ms + day * DAY_MS)])
    assert len(list(tmp_path.glob("order_audit.2*.jsonl"))) == 1
    is_kept_away()
    files.close()
    opened(tmp_path, Disk()).close()


def test_a_deleted_lock_file_is_taken_again_and_told(tmp_path: Path) -> None:
    files = opened(tmp_path, Disk())
    lock = tmp_path / ".order_audit.lock"
    for commit in (files.commit_orders, files.commit_snapshots):
        lock.unlink()
        assert [remark.fact for remark in commit([FACT]).remarks] == ["lock_missing"]
        assert commit([FACT]).remarks == []
        with pytest.raises(AuditUnavailable, match="this process"):
            opened(tmp_path, Disk())
    lock.unlink()
    lock.write_bytes(b"")
    assert [remark.fact for remark in files.commit_orders([FACT]).remarks] == ["lock_missing"]
    files.close()


def test_not_a_line_is_written_while_another_process_has_the_lock(tmp_path: Path) -> None:
    files = opened(tmp_path, Disk())
    files.commit_orders([FACT])
    (tmp_path / ".order_audit.lock").unlink()
    other = WriterLock(tmp_path / ".order_audit.lock", Disk())
    for commit in (files.commit_orders, files.commit_snapshots):
        with pytest.raises(OSError, match="was deleted, and this process has taken it") as failure:
            commit([FACT])
        assert "end the other one" in files.advice(failure.value)
    other.release()
    assert [remark.fact for remark in files.commit_orders([FACT]).remarks] == ["lock_missing"]
    files.close()
    assert verify(tmp_path) == []


class SharedFolder(GatedDisk):
    """A real disk on which others are at work in the moment in which the file of a day is put away."""

    def __init__(self, at_work: Callable[[], None]) -> None:
        super().__init__()
        self.at_work = at_work

    def rename(self, path: Path, to: Path) -> None:
        super().rename(path, to)
        self.at_work()


def test_whom_the_other_locks_turn_away_while_a_day_is_put_away_does_no_harm(tmp_path: Path) -> None:
    def another_tries() -> None:
        (tmp_path / ".order_audit.lock").unlink()
        with pytest.raises(AuditUnavailable, match=r"position_snapshot\.jsonl is being written"):
            opened(tmp_path, Disk())

    files = opened(tmp_path, SharedFolder(another_tries))
    files.commit_orders([FACT])
    files.commit_orders([replace(FACT, at_ms=FACT.at_ms + DAY_MS)])
    files.commit_orders([replace(FACT, at_ms=FACT.at_ms + DAY_MS)])
    files.close()
    assert len((tmp_path / "order_audit.jsonl").read_bytes().splitlines()) == 3
    assert verify(tmp_path) == []


def test_whoever_gets_in_while_a_day_is_put_away_is_the_only_one_to_go_on(tmp_path: Path) -> None:
    others: list[AuditFiles] = []

    def another_starts() -> None:
        for name in (".order_audit.lock", "position_snapshot.jsonl"):
            (tmp_path / name).unlink()
        others.append(opened(tmp_path, Disk()))
        others[0].commit_orders([replace(FACT, at_ms=FACT.at_ms + DAY_MS)])

    files = opened(tmp_path, SharedFolder(another_starts))
    files.commit_orders([FACT])
    for _ in range(2):
        with pytest.raises(OSError, match=r"(another|this) process has taken"):
            files.commit_orders([replace(FACT, at_ms=FACT.at_ms + DAY_MS)])
    (other,) = others
    other.commit_orders([replace(FACT, at_ms=FACT.at_ms + DAY_MS)])
    other.close()
    files.close()
    assert len((tmp_path / "order_audit.2026-11-22.jsonl").read_bytes().splitlines()) == 2
    assert verify(tmp_path) == []


def test_a_lock_that_cannot_be_made_anew_leaves_closes_their_record(tmp_path: Path) -> None:
    disk = GatedDisk()
    files = opened(tmp_path, disk)
    (tmp_path / ".order_audit.lock").unlink()
    disk.read_only = {".order_audit.lock"}
    assert files.commit_orders([FACT]).remarks == []
    assert not (tmp_path / ".order_audit.lock").exists()
    files.close()


def test_a_lock_file_replaced_between_its_opening_and_its_locking_is_not_the_lock(tmp_path: Path) -> None:
    path = tmp_path / ".order_audit.lock"

    class Replaced(Disk):
        times = 1

        def lock(self, descriptor: int) -> bool:
            if self.times:
                self.times -= 1
                path.unlink()
                path.write_bytes(b"")
            return super().lock(descriptor)

    files = opened(tmp_path, Replaced())
    with pytest.raises(AuditUnavailable, match="only one may"):
        opened(tmp_path, Disk())
    files.close()
    always = Replaced()
    always.times = 1_000
    with pytest.raises(OSError, match="keeps replacing it"):
        opened(tmp_path, always)


def test_what_could_not_be_opened_leaves_no_lock_behind(tmp_path: Path) -> None:
    disk = GatedDisk()
    disk.read_only = {"position_snapshot.jsonl"}
    with pytest.raises(OSError, match="denied"):
        opened(tmp_path, disk)
    opened(tmp_path, Disk()).close()


def test_a_lock_file_that_cannot_be_written_locks_all_the_same(tmp_path: Path) -> None:
    opened(tmp_path, Disk()).close()
    disk = GatedDisk()
    disk.read_only = {".order_audit.lock"}
    files = opened(tmp_path, disk)
    with pytest.raises(AuditUnavailable, match="only one may"):
        opened(tmp_path, Disk())
    files.close()
    (tmp_path / ".order_audit.lock").unlink()
    (tmp_path / ".order_audit.lock").mkdir()
    with pytest.raises(OSError, match="directory"):
        opened(tmp_path, Disk())


def test_left_behind_while_a_thread_writes_it_closes_when_the_thread_is_back(tmp_path: Path) -> None:
    disk = GatedDisk()
    files = opened(tmp_path, disk)
    disk.gate.clear()
    disk.at_gate.clear()
    thread = threading.Thread(target=lambda: files.commit_orders([FACT]))
    thread.start()
    assert disk.at_gate.wait(30)
    files.abandon()
    with pytest.raises(AuditUnavailable):
        opened(tmp_path, Disk())
    disk.gate.set()
    thread.join()
    again = opened(tmp_path, Disk())
    with pytest.raises(OSError, match="left behind"):
        files.commit_snapshots([FACT])
    again.commit_orders([FACT])
    again.close()
    assert len((tmp_path / "order_audit.jsonl").read_bytes().splitlines()) == 3


def test_left_behind_while_nothing_is_written_it_closes_at_once(tmp_path: Path) -> None:
    files = opened(tmp_path, Disk())
    files.abandon()
    opened(tmp_path, Disk()).close()


@pytest.mark.parametrize(
    ("error", "what_to_do"),
    [
        (OSError(errno.ENOSPC, "full"), "free space"),
        (OSError(errno.EDQUOT, "full"), "free space"),
        (OSError(errno.EROFS, "read-only"), "writable"),
        (OSError(errno.ESTALE, "gone"), "put it back"),
        (OSError(errno.EBUSY, "taken"), "end the other one"),
        (OSError(errno.EIO, "broken"), "look after the disk"),
        (ZeroDivisionError("ours"), "ours"),
    ],
)
def test_each_error_comes_with_what_to_do(tmp_path: Path, error: Exception, what_to_do: str) -> None:
    files = opened(tmp_path, Disk())
    files.close()
    advice = files.advice(error)
    assert what_to_do in advice
    assert advice.startswith("order_audit.jsonl cannot be written")


_FORKING = """
import os, sys
from pathlib import Path
from anyctrader.session.audit_files import AuditFiles
from anyctrader.session.disk import Disk
files = AuditFiles(Path(sys.argv[1]), disk=Disk(), sandbox=False, reserve_bytes=0, now_ms=1_795_376_400_123)
if os.fork() == 0:
    sys.stdout.write("forked\\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)
sys.stdout.write(f"{os.getpid()}\\n")
sys.stdout.flush()
os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_worker_does_not_hold_the_files_of_a_parent_that_was_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _FORKING, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as trader:
        assert trader.stdout is not None
        said = {trader.stdout.readline(), trader.stdout.readline()}
        assert said == {"forked\n", f"{trader.pid}\n"}
        assert trader.wait(30) == -9
        files = opened(tmp_path, Disk())  # the worker lives still: its standard input is open
        assert files.commit_orders([FACT]).blocked is None
        files.close()


@pytest.mark.skipif(sys.platform == "win32", reason="no process is asked there")
def test_a_holder_that_has_ended_is_told_as_such(tmp_path: Path) -> None:
    files = opened(tmp_path, Disk())
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    (tmp_path / ".order_audit.lock").write_text(f"{gone.pid}\n")
    with pytest.raises(AuditUnavailable, match=f"a process that process {gone.pid} started, which has ended itself"):
        opened(tmp_path, Disk())
    files.close()
