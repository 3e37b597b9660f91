"""The lock of a folder, which keeps a second writer away. Blocking: for a thread."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from typing import TYPE_CHECKING

from .errors import AuditUnavailable
from .recovery import Remark

if TYPE_CHECKING:
    from pathlib import Path

    from .disk import Disk

__all__ = ["NO_WRITING", "WriterLock", "lies_at"]

NO_WRITING = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
"""Errors of what is read-only."""

# Where the lock file cannot be made anew by us, it can be made by nobody else, and closes are still to go on record:
# the files are locked themselves.
_CANNOT_BE_MADE = NO_WRITING | {errno.ENOSPC, errno.EDQUOT}

# How often somebody may put another lock file into the place of one between our opening and our locking it. Once is
# chance already.
_TRIES = 5


class WriterLock:
    """The lock file of a folder, held."""

    def __init__(self, path: Path, disk: Disk) -> None:
        """
        Raises:
            AuditUnavailable: another process holds it, or this one already does. Nothing is left open.
            OSError: it cannot be opened. Nothing is left open.
        """
        self._path = path
        self._disk = disk
        descriptor, holder = _taken(path, disk)
        if descriptor is None:
            raise AuditUnavailable(
                f"{path.with_name('order_audit.jsonl')} is being written by {holder}, and only one may: "
                "end that one, or give this one another folder"
            )
        self._held = [descriptor]

    def keep(self) -> list[Remark]:
        """Sees that what is held is what lies at the path, and takes it again where it was deleted or replaced.

        It costs a look at the path, about a microsecond.

        Returns:
            What is to be noted about it.

        Raises:
            OSError: EBUSY where another process has taken it meanwhile: nothing may be written. What is held stays
                held, and the next call tries again.
        """
        if not self._held or lies_at(self._path, self._held[0]):
            return []
        try:
            descriptor, holder = _taken(self._path, self._disk)
        except OSError as error:
            if error.errno in _CANNOT_BE_MADE:
                return []
            raise
        if descriptor is None:
            raise OSError(errno.EBUSY, f"{self._path.name} was deleted, and {holder} has taken it", str(self._path))
        before, self._held[0] = self._held[0], descriptor
        os.close(before)
        return [Remark("lock_missing", {"file": self._path.name})]

    def release(self) -> None:
        """Gives it up. More often than once does no harm, even from two threads at a time."""
        while self._held:
            try:
                descriptor = self._held.pop()
            except IndexError:  # another thread was faster
                return
            os.close(descriptor)


def _taken(path: Path, disk: Disk) -> tuple[int | None, str]:
    """The descriptor of the lock file, locked; or None, and who holds it."""
    for _ in range(_TRIES):
        with contextlib.ExitStack() as unless_taken:
            descriptor = _opened(path, disk)
            unless_taken.callback(os.close, descriptor)
            if not disk.lock(descriptor):
                holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
                return None, _described(holder)
            if lies_at(path, descriptor):
                # For people only: without space for it the lock holds as well.
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, 0)
                    os.write(descriptor, f"{os.getpid()}\n".encode())
                unless_taken.pop_all()
                return descriptor, ""
    raise OSError(errno.EBUSY, "somebody keeps replacing it", str(path))


def _described(holder: str) -> str:
    if holder == str(os.getpid()):
        return "this process"
    if holder.isdecimal() and sys.platform != "win32":  # there, asking would end it
        try:
            os.kill(int(holder), 0)
        except ProcessLookupError:
            return f"a process that process {holder} started, which has ended itself"
        except (OSError, OverflowError):  # somebody else's, or no number of a process
            pass
    return f"process {holder}"


def _opened(path: Path, disk: Disk) -> int:
    try:
        return disk.open(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        if error.errno not in NO_WRITING:
            raise
        try:
            return disk.open(path, os.O_RDONLY)  # a lock needs no more, and closes can go on record
        except FileNotFoundError:
            raise error from None


def lies_at(path: Path, descriptor: int) -> bool:
    """Whether what is open is what has this name: a file that is deleted or moved stays open, and locked."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
