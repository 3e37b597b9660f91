"""The files of an audit together, and the lock that keeps a second writer away. Blocking: for a thread.

A thread that hangs in the disk cannot be stopped, only left behind. What it holds open stays open, and locked, until
it comes back: so no descriptor is closed, or reused, under a write that still goes on.
"""

from __future__ import annotations

import errno
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from .columns import ORDER_COLUMNS, SNAPSHOT_COLUMNS
from .environments import Environment
from .journal import DISK_FULL, LOCK_NAME, Journal
from .writer_lock import NO_WRITING, WriterLock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from .chain import Fact
    from .disk import Disk
    from .journal import Commit
    from .recovery import Remark

__all__ = ["LIVE_FIRST", "AuditFiles", "why_not_opened"]

LIVE_FIRST = (Environment.LIVE, Environment.DEMO)
"""The order of the environments within each group of lines."""

T = TypeVar("T")


class AuditFiles:
    """`order_audit.jsonl` and `position_snapshot.jsonl` of a folder, open for writing.

    Attributes:
        folder: where they are.
        name: name of the order audit's file.
        sandbox: whether its lines are marked as a sandbox's.
        remarks: what was found when they were opened, and belongs on record.
    """

    def __init__(self, folder: Path, *, disk: Disk, sandbox: bool, reserve_bytes: int, now_ms: int) -> None:
        """
        Raises:
            AuditUnavailable: another process writes there, or this one already does. Nothing is left open.
            OSError: they cannot be opened. Nothing is left open.
        """
        self.folder = folder
        self.sandbox = sandbox
        self._busy = False
        self._abandoned = False
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = WriterLock(folder / LOCK_NAME, disk)
        self._found: list[Remark] = []  # not told yet
        environments = [environment.value for environment in LIVE_FIRST]

        def journal(stem: str, size: int, columns: Mapping[str, object]) -> Journal:
            return Journal(
                folder,
                stem,
                environments=environments,
                disk=disk,
                sandbox=sandbox,
                reserve_bytes=size,
                columns=columns,
            )

        self._orders = journal("order_audit", reserve_bytes, ORDER_COLUMNS)
        self._snapshots = journal("position_snapshot", 0, SNAPSHOT_COLUMNS)
        self.name = self._orders.path.name
        here = weakref.ref(self)  # what is told of forks is told to the end of the process
        disk.when_forked(lambda: copy.end_in_fork() if (copy := here()) is not None else None)
        try:
            self.remarks = self._orders.open(now_ms) + self._snapshots.open(now_ms)
        except BaseException:
            self._close_all()
            raise

    def commit_orders(self, facts: Sequence[Fact]) -> Commit:
        """Puts a group of lines of the order audit on the disk (see `Journal.commit`)."""
        return self._at_work(lambda: self._commit(self._orders, facts))

    def commit_snapshots(self, facts: Sequence[Fact]) -> Commit:
        """Puts a group of position snapshots on the disk (see `Journal.commit`)."""
        return self._at_work(lambda: self._commit(self._snapshots, facts))

    def close(self) -> None:
        """Closes everything and gives up the lock."""
        self._at_work(self._close_all)

    def abandon(self) -> None:
        """Leaves a thread that hangs to itself: it closes everything if it ever comes back. Does not block."""
        self._abandoned = True
        if not self._busy:
            self._close_all()

    def stalled(self, after_s: float) -> str:
        """What to tell people of a disk that hangs."""
        return (
            f"the disk did not take a line of {self.name} within {after_s:g} s: see that {self.folder} answers; "
            "recording goes on by itself when it does"
        )

    def advice(self, error: Exception) -> str:
        """What to tell people of an error: what happened, and what to do."""
        code, text = (error.errno, error.strerror) if isinstance(error, OSError) else (None, None)
        what = f"{self.name} cannot be written ({text or error})"
        if code in DISK_FULL:
            return f"{what}: free space for {self.folder}; until then closes and cancels go on record, nothing else"
        if code in NO_WRITING:
            return f"{what}: make {self.folder} writable; until then at most closes and cancels go on record"
        if code == errno.EBUSY:
            return f"{what}: only one process may write there: end the other one, and start this one again"
        if code == errno.ESTALE:
            return f"{what}: put it back into {self.folder}, or start again"
        return f"{what}: look after the disk of {self.folder}; recording goes on by itself when it answers"

    def end_in_fork(self) -> None:
        """This is a copy in a forked process, which writes nothing: the locks are to end with its parent."""
        self._abandoned = True
        self._close_all()

    def _commit(self, journal: Journal, facts: Sequence[Fact]) -> Commit:
        self._found += (
            self._lock.keep()
        )  # ahead of a rotation, in which the file is for a moment locked by nothing else
        done = journal.commit(facts)
        found, self._found = self._found, []
        return replace(done, remarks=found + done.remarks)

    def _at_work(self, work: Callable[[], T]) -> T:
        self._busy = True
        try:
            # Asked after `_busy` is set, as abandon() asks in the other order: one of the two sees the other.
            if self._abandoned:
                raise OSError(errno.EBADF, "the audit was left behind")
            return work()
        finally:
            self._busy = False
            if self._abandoned:
                self._close_all()

    def _close_all(self) -> None:
        self._orders.close()
        self._snapshots.close()
        self._lock.release()  # last: nobody else may write before we cannot any more


def why_not_opened(folder: Path, error: OSError) -> str:
    """What to tell people whose audit cannot be opened: what happened, and what to do."""
    what = f"{error.strerror}: {error.filename}" if error.strerror and error.filename else error.strerror or error
    said = f"the audit in {folder} cannot be opened ({what}): see that the folder is writable and has space"
    if error.errno not in NO_WRITING:
        return said
    return (
        f"{said}; until then nothing goes on record, and so nothing leaves, not even a close: close in cTrader itself, "
        "or copy the folder, halts and all, to where it can be written, and name the copy (CTRADER_LOG_FOLDER)"
    )
