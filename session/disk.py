"""What the audit asks of the operating system, in one place: tests put a failing or a stalling disk here."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Disk"]

# A byte far behind the text in the lock file: on Windows a locked range cannot be read by others.
_LOCKED_BYTE = 1 << 20


class Disk:
    """The calls that reach the disk. Each blocks, and is meant for a thread; each raises `OSError`."""

    def open(self, path: Path, flags: int) -> int:
        """Opens a file, and makes one for its owner only."""
        return os.open(path, flags, 0o600)

    def write(self, descriptor: int, data: bytes) -> int:
        """Writes some of `data` and tells how much."""
        return os.write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        """Returns when what was written is on the disk."""
        os.fsync(descriptor)

    def sync_folder(self, folder: Path) -> None:
        """Returns when the names in a folder are on the disk: a new file may be lost without it."""
        if sys.platform == "win32":  # folders cannot be opened there, and names are journalled
            return
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            self.sync(descriptor)
        finally:
            os.close(descriptor)

    def cut(self, descriptor: int, size: int) -> None:
        """Makes a file this long."""
        os.ftruncate(descriptor, size)

    def rename(self, path: Path, to: Path) -> None:
        """Gives a file another name, in place of whatever has it."""
        os.replace(path, to)

    def writable(self, folder: Path) -> bool:
        """Whether a file could be made in this folder, by whom this process acts for."""
        acts_for_another = sys.platform != "win32" and (os.getuid(), os.getgid()) != (os.geteuid(), os.getegid())
        # Asked for nobody else: where the system has no call for it, it takes a process of its own.
        return os.access(folder, os.W_OK | os.X_OK, effective_ids=acts_for_another)

    def reserve(self, path: Path, size: int) -> None:
        """Makes a file of this size that really takes its space.

        On file systems that copy on write (btrfs, zfs) the space is only mostly there when it is needed.
        """
        descriptor = self.open(path, os.O_RDWR | os.O_CREAT)
        try:
            before = os.fstat(descriptor).st_size
            try:
                self.allocate(descriptor, before, size)
                self.sync(descriptor)
            except OSError:
                os.ftruncate(descriptor, min(before, size))  # what it had, it keeps; the rest would promise nothing
                raise
        finally:
            os.close(descriptor)

    def allocate(self, descriptor: int, before: int, size: int) -> None:
        """Makes a file longer, from `before` to `size`, with space behind every byte."""
        if before >= size:
            return
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(descriptor, before, size - before)
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                    raise
            else:
                return
        os.lseek(descriptor, before, os.SEEK_SET)
        while before < size:
            before += self.write(descriptor, bytes(min(size - before, 65536)))

    def shrink(self, path: Path, size: int) -> None:
        """Gives the space of a reserve back but for `size`; at once: a journal frees it only when it is synced."""
        descriptor = self.open(path, os.O_RDWR)
        try:
            os.ftruncate(descriptor, size)
            self.sync(descriptor)
        finally:
            os.close(descriptor)

    def lock(self, descriptor: int) -> bool:
        """Takes the lock of a file until it is closed, or tells that somebody else has it."""
        try:
            if sys.platform == "win32":
                os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def when_forked(self, then: Callable[[], None]) -> None:
        """Calls this in every process that is forked off from now on.

        A fork (`multiprocessing`) keeps what is open, and its locks, over the death of its parent; what is started
        anew keeps nothing.
        """
        if sys.platform != "win32":
            os.register_at_fork(after_in_child=then)

    def lock_written(self, descriptor: int) -> bool:
        """The same for a file that others read meanwhile, and that might lose its name.

        On Windows nothing is locked: what is locked there cannot be read, and what is open cannot be deleted, the lock
        file that `lock` is for among it.
        """
        return sys.platform == "win32" or self.lock(descriptor)
