"""Bytes that were written down without line ends, and of whose text characters may have been lost or added.

Behind a lost digit of hex all bytes are shifted by four bits, behind one of base64 by two, four or six. Which it is
shows in the frames: where none fits, they are looked for in each of the other ways of putting the same bits together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .rendering import Frame
from .scan import Damage
from .text_bytes import Encoding

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .scan import Piece, Scan

__all__ = ["PhaseScan"]


_STEP: Final = 256  # bytes: a few messages


class _Shift:
    """Leaves out the first bits of bytes, and puts together anew what is behind them.

    Args:
        bits: how many, less than eight.
        kept: the first of the bytes.
    """

    def __init__(self, bits: int, kept: bytes = b"") -> None:
        self.bits = bits
        self._kept = kept

    def feed(self, data: bytes) -> bytes:
        if not self.bits and not self._kept:
            return data
        data = self._kept + data
        self._kept = data[-1:] if self.bits else b""
        size = len(data) - len(self._kept)
        if not self.bits or size < 1:
            return data[:size]
        shifted = int.from_bytes(data, "big") >> (8 - self.bits)
        return (shifted & ((1 << 8 * size) - 1)).to_bytes(size, "big")


class PhaseScan:
    """Cuts bytes into messages as a `Scan` does, and behind damage looks for them at each place within a byte.

    Args:
        make: makes the scan of frames that is used.
        encoding: of the text: hex or base64.
    """

    def __init__(self, make: Callable[[], Scan], encoding: Encoding) -> None:
        self._make = make
        self._steps = (2, 4, 6) if encoding is Encoding.BASE64 else (4,)
        self._scan = make()
        self._shift = _Shift(0)
        self._last = b""  # the last two bytes, as they came
        self._lost = 0  # bytes since the last that were in step
        self._others: dict[int, tuple[_Shift, Scan]] = {}  # by the bits that they are shifted beyond those of the scan

    def feed(self, chunk: bytes) -> list[Piece]:
        """The messages that this chunk completes, and the damage that it ends."""
        pieces: list[Piece] = []
        start = 0
        while start < len(chunk):
            # In small steps, for all bits may be in their places again soon; what is kept is not joined for each.
            stop = start + max(_STEP, self._lost)
            pieces += self._feed(chunk[start:stop])
            self._lost = 0 if self._scan.in_step else self._lost + stop - start
            start = stop
        return pieces

    def _feed(self, chunk: bytes) -> list[Piece]:
        self._last = (self._last + chunk)[-2:]
        data = self._shift.feed(chunk)
        pieces = self._scan.feed(data)
        if self._scan.in_step:
            self._others.clear()
            return pieces
        if not self._others:
            found = self._look()
        else:
            found = {step: scan.feed(shift.feed(data)) for step, (shift, scan) in self._others.items()}
        return pieces + self._chosen(found)

    def feed_part(self, part: bytes, bits: int) -> list[Piece]:
        """The messages that are completed by the last bits of a text, which are not a whole byte."""
        if not part:
            return []
        if self._shift.bits:
            return self._scan.feed(self._shift.feed(part)) if self._shift.bits <= bits else []
        found = {} if self._others or self._scan.in_step else self._look()
        for step, (shift, scan) in self._others.items():
            if step <= bits:
                found[step] = [*found.get(step, ()), *scan.feed(shift.feed(part))]
        return self._chosen(found)

    def cut(self, reason: str, *, lost: int = 0) -> list[Piece]:
        """Says that the bytes end here, or that some are missing; what comes next begins anew."""
        pieces: list[Piece] = []
        while True:
            found = {} if self._others else self._look()
            if not any(map(_has_frame, found.values())):
                found = {step: scan.cut(reason, lost=lost) for step, (_, scan) in self._others.items()}
                ended = not any(map(_has_frame, found.values()))
                if ended:
                    pieces += self._scan.cut(reason, lost=lost)
                    break
            pieces += self._chosen(found)
        self._others.clear()
        self._shift, self._last = _Shift(0), b""
        return pieces

    def end(self) -> list[Piece]:
        """Says that nothing comes any more."""
        return [*self.cut("the capture ends"), *self._scan.end()]

    def _look(self) -> dict[int, list[Piece]]:
        """Begins to look for frames in the other ways, in all that has not been read."""
        offset, data, fault = self._scan.unread
        self._others = {step: (_Shift(step), self._make()) for step in self._steps} if data else {}
        for _, scan in self._others.values():
            scan.seek(offset + 1, fault)  # the byte that some bits were left out of is lost
        return {step: scan.feed(shift.feed(data)) for step, (shift, scan) in self._others.items()}

    def _chosen(self, found: dict[int, list[Piece]]) -> list[Piece]:
        """The pieces of that way in which a frame comes first, which is gone from now on; none where none has one."""
        first = {step: at for step, pieces in found.items() if (at := _first_frame(pieces)) is not None}
        if not first:
            return []
        step = min(first, key=first.__getitem__)
        _, self._scan = self._others[step]
        bits = self._shift.bits + step
        kept = (2 if self._shift.bits else 1) - bits // 8
        self._shift = _Shift(bits % 8, self._last[len(self._last) - kept :])
        self._others = {}
        damage, *pieces = found[step]
        if isinstance(damage, Damage):
            damage = Damage(damage.offset - 1, damage.size + 1, damage.reason, damage.message)
        return [damage, *pieces]


def _first_frame(pieces: Sequence[Piece]) -> int | None:
    return next((piece.offset for piece in pieces if isinstance(piece, Frame)), None)


def _has_frame(pieces: Sequence[Piece]) -> bool:
    return _first_frame(pieces) is not None
