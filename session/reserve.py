"""Space on the disk that is kept, so that closes and cancels can be recorded when it is full. Blocking."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from .disk import Disk

__all__ = ["Reserve"]

# Given back a slice at a time, just before a write: whatever else fills the disk can take no more than that.
_SLICE_BYTES = 32 * 1024


class Reserve:
    """Space on the disk that is kept for essential lines."""

    def __init__(self, path: Path, size: int, *, disk: Disk) -> None:
        """
        Args:
            path: the file that takes the space.
            size: how many bytes.
            disk: the way to the operating system.
        """
        self.path = path
        self.left = path.stat().st_size if path.exists() else 0
        self._size = size
        self._disk = disk

    def refill(self) -> None:
        """Makes it whole again.

        Raises:
            OSError: there is no space, or the folder is read-only. It stays as it was.
        """
        if self.left >= self._size:
            return
        try:
            self._disk.reserve(self.path, self._size)
        except OSError:
            self.left = self.path.stat().st_size if self.path.exists() else 0
            raise
        self.left = self._size

    def give(self) -> bool:
        """Gives a slice back to the file system; False where nothing is left to give."""
        if not self.left:
            return False
        left = max(0, self.left - _SLICE_BYTES)
        self._disk.shrink(self.path, left)
        self.left = left
        return True
