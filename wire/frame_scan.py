"""Frames with their lengths out of bytes that may be damaged.

Behind a fault the next frame is looked for: a length and a body that fit each other and can be decoded.
"""

from __future__ import annotations

import re
import struct
from typing import Final

from .codecs import UnknownPayload
from .rendering import Frame
from .scan import Found, Scan, fits, fits_as_before

__all__ = ["FrameScan"]

_LENGTH: Final = 4
_JUDGED: Final = 256  # bytes of a frame that are looked at before it is believed that one begins: most are shorter
_read_length = struct.Struct(">I").unpack_from
# What is looked for behind damage: a length below 16 MB, then the payload type's tag or the brace of JSON.
_CANDIDATE: Final = re.compile(rb"\x00(?=...[\x08{])", re.DOTALL)


class FrameScan(Scan):
    """Cuts a stream of length-prefixed frames into messages, protobuf or JSON, and goes on behind damage."""

    def _progress(self) -> str:
        if len(self._buffer) < _LENGTH:
            return f" inside the length of a frame, {len(self._buffer)} bytes into it"
        (size,) = _read_length(self._buffer)
        return f" inside a frame: {len(self._buffer) - _LENGTH} of its {size} bytes are there"

    def _frame_at(self, buffer: bytes, at: int, *, ended: bool) -> Found | str | None:
        """The frame that begins here; or what is wrong with it; or None where its end has not come."""
        start = at + _LENGTH
        if start >= len(buffer):
            self._waiting = start + 1 - len(buffer)
            return None
        (size,) = _read_length(buffer, at)
        if size > self._max_size:
            return f"a length of {size} bytes, more than {self._max_size}"
        end = start + size
        if end > len(buffer):
            if not fits(buffer, start, len(buffer), end):
                return f"no message fits a length of {size} bytes here"
            self._waiting = end - len(buffer)
            return None
        piece = self._codecs.piece(buffer[start:end], at + self._offset, end - at)
        if isinstance(piece, Frame):
            if fits_as_before(buffer, start, end, piece):
                return Found(at, end, (piece,))
            return f"no message fits a length of {size} bytes here"
        if not fits(buffer, start, end, end):
            return f"no message fits a length of {size} bytes here"
        if piece.message is None:
            return piece.reason
        # The envelope is sound, its payload is not: only this frame is lost, if another begins where it ends.
        begins = self._begins(buffer, end, ended=ended)
        if begins is None:
            return None
        return Found(at, end, (piece,)) if begins else piece.reason

    def _next(self, buffer: bytes, at: int, *, ended: bool) -> Found | None:
        """The next frame that can be read, at or behind this place; None where more must come."""
        for match in _CANDIDATE.finditer(buffer, at):
            place = match.start()
            (size,) = _read_length(buffer, place)
            start, end = place + _LENGTH, place + _LENGTH + size
            if not size or size > min(self._max_size, self._credit.limit(place + self._offset)):
                continue
            if (ended and end > len(buffer)) or not fits(buffer, start, min(end, len(buffer)), end):
                continue
            if end > len(buffer):
                self._looked, self._waiting = place, end - len(buffer)
                return None
            piece = self._codecs.piece(buffer[start:end], place + self._offset, end - place)
            if not isinstance(piece, Frame):
                self._credit.pay(size)
                continue
            known = not isinstance(piece.message.payload, UnknownPayload)
            begins = known or self._begins(buffer, end, ended=ended)
            if begins is None:
                self._looked = place
                return None
            if begins:
                return Found(place, end, (piece,))
            self._credit.pay(size)
        self._looked = max(at, len(buffer) - _LENGTH)
        return None

    def _begins(self, buffer: bytes, at: int, *, ended: bool) -> bool | None:
        """Whether a frame may well begin here; None where that shows when more has come, as noted then.

        What it says must not depend on how much happens to be there.
        """
        start, here = at + _LENGTH, len(buffer)
        size = _read_length(buffer, at)[0] if start < here else 1
        if not 0 < size <= self._max_size:
            return False
        end, judged = start + size, start + min(size, _JUDGED)
        if judged > here and not ended:
            self._waiting = judged - here
            return None
        return start >= here or fits(buffer, start, min(judged, here), end)
