"""Bytes that were written down without line ends, and of whose text characters may have been lost or added.

Behind a lost digit of hex all bytes are shifted by four bits, behind one of base64 by two, four or six. Which it is
shows in the frames: where none fits, they are looked for in each way of putting the same bits together, and the first
in the order of the text is where it goes on.

Offsets count bytes of the text, whatever their bits are put together to: what begins within a byte has the offset of
the next one. So pieces lie side by side, and damage of less than a byte has a size of 0 or 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .scan import Damage
from .text_bytes import Encoding

if TYPE_CHECKING:
    from collections.abc import Callable

    from .scan import Piece, Scan

__all__ = ["PhaseScan"]


# Bytes, a few messages, that are read at once where the last damage began or ended: the next may be near. From there on
# they are as many as have been read since, so that what is read again costs no more than what was read once.
_STEP: Final = 256


class _Shift:
    """Leaves out the first bits of bytes, and puts together anew what is behind them.

    Args:
        bits: how many, less than eight.
    """

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self._kept = b""  # the last of the bytes, of which some bits are still to be put into the next one

    def feed(self, data: bytes) -> bytes:
        if not self.bits:
            return data
        data = self._kept + data
        self._kept = data[-1:]
        return _shifted(data, self.bits)

    def undone(self, data: bytes) -> bytes:
        """The bytes that these, the last that it gave, were put together from; what was left out is 0."""
        if not self.bits:
            return data
        low = int.from_bytes(self._kept, "big") & (0xFF >> self.bits)
        return (int.from_bytes(data, "big") << (8 - self.bits) | low).to_bytes(len(data) + 1, "big")


class _Search:
    """Looks for the next frame in one way of putting bits together.

    Args:
        scan: knows what a frame is.
        bits: that are left out at the begin.
        place: the first byte of the text in which a frame may begin.
    """

    def __init__(self, scan: Scan, bits: int, place: int) -> None:
        self.bits = bits
        self.place = place  # no frame begins before it
        self.found = False  # whether one does there
        self._scan = scan
        self._shift = _Shift(bits)
        self._data = bytearray()  # from its place on
        self._due = 0  # bytes that must be there before there is more to be seen

    def feed(self, text: bytes, *, ended: bool) -> None:
        if self.found:
            return
        self._data += self._shift.feed(text)
        if len(self._data) < self._due and not ended:
            return
        looked = self._scan.look(bytes(self._data), ended=ended)
        self.place += looked.place
        self.found = looked.found
        del self._data[: len(self._data) if self.found else looked.place]
        self._due = len(self._data) + looked.waiting


class PhaseScan:
    """Cuts bytes into messages as a `Scan` does, and behind damage looks for them at each place within a byte.

    Where something may be a frame whose end has not come, none that begins behind it is taken: memory is bounded by
    the longest frame.

    Args:
        make: makes the scan of frames that is used.
        encoding: of the text: hex or base64.
    """

    def __init__(self, make: Callable[[], Scan], encoding: Encoding) -> None:
        self._make = make
        self._ways = (0, 2, 4, 6) if encoding is Encoding.BASE64 else (0, 4)
        self._data = bytearray()  # what has come and is still needed
        self._base = 0  # bytes before it
        self._bits = 0  # of its last byte, where that is not whole
        self._searches: list[_Search] = []  # none while frames follow each other
        self._damaged, self._fault = 0, ""  # while there are some: where the damage begins, and what is wrong
        self._begin(0, 0)

    def feed(self, chunk: bytes) -> list[Piece]:
        """The messages that this chunk completes, and the damage that it ends."""
        if self._searches:
            self._data += chunk
            return self._read(ended=False)
        self._base = self._read_to = self._base + len(chunk)
        pieces = self._scan.feed(self._shift.feed(chunk))
        return pieces if self._scan.in_step else pieces + self._read(ended=False)

    def cut(self, reason: str, *, lost: int = 0, part: bytes = b"", bits: int = 0) -> list[Piece]:
        """Says that the bytes end here, or that some are missing; what comes next begins anew.

        Args:
            reason: why, where the end stands inside a frame.
            lost: how many bytes are missing; one that is there in part is one of them.
            part: a byte of which only the first bits are there.
            bits: how many of them.
        """
        end = self._base + len(self._data) + lost
        self._data += part
        self._bits = bits
        pieces = self._read(ended=True)
        offset, unread, _ = self._scan.unread
        stop = offset + len(unread)
        end = max(end, stop)
        self._data.clear()
        self._base, self._bits = end, 0
        if self._scan.in_step:
            pieces += self._scan.cut(reason, lost=end - stop)
            self._expect(end, 0)
        else:
            pieces.append(Damage(self._damaged, end - self._damaged, self._fault))
            self._begin(end, 0)
        return pieces

    def end(self) -> list[Piece]:
        """Says that nothing comes any more."""
        return [*self.cut("the capture ends"), *self._scan.end()]

    @property
    def in_step(self) -> bool:
        """Whether a frame is under way, as far as is known; not while the next one is looked for behind damage."""
        return not self._searches

    @property
    def is_likely(self) -> bool:
        """Whether what is here of the message under way looks like one; so it does where none is."""
        return self.in_step and self._scan.is_likely

    def _begin(self, place: int, bits: int) -> None:
        """Expects frames from this place on, in a way of putting bits together."""
        self._scan = self._make()
        self._scan.begin(_offset(place, bits))
        self._expect(place, bits)

    def _expect(self, place: int, bits: int) -> None:
        self._shift = _Shift(bits)
        self._begun = self._read_to = place
        self._searches = []

    def _read(self, *, ended: bool) -> list[Piece]:
        pieces: list[Piece] = []
        while True:
            if not self._searches:
                pieces += self._go_on(ended=ended)
                if self._scan.in_step and not (ended and self._scan.unread[1]):
                    return pieces
                self._fall()
            found = self._found(ended=ended)
            if found is None:
                return pieces
            offset = _offset(found.place, found.bits)
            pieces += [*self._scan.forget(), Damage(self._damaged, offset - self._damaged, self._fault)]
            self._begin(found.place, found.bits)

    def _go_on(self, *, ended: bool) -> list[Piece]:
        """The messages that follow each other in what has come."""
        pieces: list[Piece] = []
        end = self._base + len(self._data)
        while self._scan.in_step:
            start, stop = self._read_to, self._next_stop(end)
            is_last = ended and stop == end
            data = self._shift.feed(self._text(start, stop, self._shift.bits))
            self._read_to = stop
            pieces += self._scan.feed(data, ended=is_last)
            if stop == end:
                break
        if self._scan.in_step and not ended:
            self._drop(end)
        return pieces

    def _fall(self) -> None:
        """Looks for the next frame from where the one that is due cannot be read."""
        self._damaged, unread, self._fault = self._scan.unread
        bits = self._shift.bits
        place = self._damaged - (bits > 0)
        if place < self._base:
            self._data[:0] = self._shift.undone(unread)[: self._base - place]
            self._base = place
        self._searches = [_Search(self._make(), way, place + (way <= bits)) for way in self._ways]
        self._begun = self._read_to = place

    def _found(self, *, ended: bool) -> _Search | None:
        """The next frame; None where there is none in what has come, or one may begin before it that does not end."""
        end = self._base + len(self._data)
        while True:
            start, stop = self._read_to, self._next_stop(end)
            is_last = ended and stop == end
            for search in self._searches:
                search.feed(self._text(max(start, search.place), stop, search.bits), ended=is_last)
            self._read_to = stop
            found = [search for search in self._searches if search.found]
            if found and is_last:
                return min(found, key=_position)
            first = min(self._searches, key=_position)
            if first.found:
                return first
            if stop == end:
                self._drop(first.place)
                return None

    def _next_stop(self, end: int) -> int:
        return min(end, self._read_to + max(_STEP, self._read_to - self._begun))

    def _text(self, start: int, stop: int, bits: int) -> bytes:
        """Bytes as they came, as far as whole ones can be put together of them."""
        data = bytes(memoryview(self._data)[start - self._base : stop - self._base])
        is_part = self._bits and stop == self._base + len(self._data)
        return data[:-1] if is_part and not 0 < bits <= self._bits else data

    def _drop(self, place: int) -> None:
        del self._data[: place - self._base]
        self._base = place


def _shifted(data: bytes, bits: int) -> bytes:
    """These bytes without the first bits; the last byte only gives what is left of it."""
    size = len(data) - 1
    if not bits or size < 1:
        return data if not bits else b""
    shifted = int.from_bytes(data, "big") >> (8 - bits)
    return (shifted & ((1 << 8 * size) - 1)).to_bytes(size, "big")


def _offset(place: int, bits: int) -> int:
    return place + (bits > 0)


def _position(search: _Search) -> tuple[int, int]:
    return search.place, search.bits
