"""The files of an audit together: one lock, and no descriptor closed under a thread that still writes."""

from __future__ import annotations

import errno
import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from anyctrader.session.audit_files import AuditFiles
from anyctrader.session.chain import Fact
from anyctrader.session.disk import Disk
from anyctrader.session.errors import AuditUnavailable

if TYPE_CHECKING:
    from pathlib import Path

FACT = Fact("demo", 1_795_376_400_123, "intent")


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
        files.commit_orders([replace(FACT, at_ms=FACT.at_ms + day * 86_400_000)])
    assert len(list(tmp_path.glob("order_audit.2*.jsonl"))) == 1
    is_kept_away()
    files.close()
    opened(tmp_path, Disk()).close()


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
