"""Whether what a peer sends is a sign of life: whole messages are, and a long one that really comes on."""

from __future__ import annotations

__all__ = ["PROGRESS_SIZE", "Progress"]

PROGRESS_SIZE = 262_144
"""Bytes by which a message that is under way must grow to count as a sign of life.

In a watchdog's 60 s that is 35 kbit/s, less than any line gives on which quotes can be followed, and more than a few
bytes now and then. The largest message, of 15,000,000 bytes, is 57 such steps: it counts for an hour at the most.
"""


class Progress:
    """Of one stream."""

    __slots__ = ("_counted",)

    def __init__(self) -> None:
        self._counted = 0  # bytes of the message under way that have counted

    def is_made(self, inside: int, *, whole: bool) -> bool:
        """Whether the last bytes were a sign of life.

        Args:
            inside: how many bytes are here of a message that is not complete.
            whole: whether the last bytes completed one.
        """
        if not whole and inside < self._counted + PROGRESS_SIZE:
            return False
        self._counted = inside
        return True
