"""How long a message may be that is believed to begin in damaged bytes.

Lengths that stand there by chance, or were made up, may each have millions of bytes taken for a message in vain. So
that this takes no more time than a few readings of all of it, each byte that is passed pays for a few to be read in
vain.
"""

from __future__ import annotations

from typing import Final

__all__ = ["Credit"]

_AGAIN: Final = 8  # bytes that each byte pays for
_PART: Final = 4  # the longest message that is believed takes one part of what can be paid: that often may it be wrong
_SHORTEST: Final = 4096  # bytes that are always believed: nearly all messages are shorter


class Credit:
    """Bytes that may be read in vain, by places in the stream: how it was cut changes nothing.

    Args:
        max_size: the largest message, in bytes.
    """

    def __init__(self, max_size: int) -> None:
        self._left = self._most = _PART * max_size
        self._place = 0  # up to which bytes have paid

    def limit(self, place: int) -> int:
        """Bytes of the longest message that is believed to begin at this place of the stream."""
        if place > self._place:
            self._left = min(self._most, self._left + _AGAIN * (place - self._place))
            self._place = place
        return max(self._left // _PART, _SHORTEST)

    def pay(self, size: int) -> None:
        """Says that so many bytes have been read, and were no message."""
        self._left = max(0, self._left - size)
