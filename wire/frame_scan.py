"""Frames out of bytes that may be damaged: what cannot be read is named and read past.

A connection ends at the first fault of its stream, as it must. Whoever looks at a capture wants what stands behind the
fault too, so here the next frame is looked for: a length and a body that fit each other and can be decoded.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from .codecs import JsonCodec, Message, ProtobufCodec, UnknownPayload
from .errors import RemoteProtocolError, UndecodablePayload
from .framing import MAX_FRAME_SIZE
from .rendering import Frame

if TYPE_CHECKING:
    from typing import TypeAlias

__all__ = ["Damage", "FrameScan", "Piece", "decoded", "fault_of"]

_LENGTH: Final = 4
_read_length = struct.Struct(">I").unpack_from
_OPEN: Final = 0x7B  # "{"; as a tag of protobuf it would begin a group, and nobody sends one
_FIRST: Final = frozenset(b"\x08\x12\x1a{")  # what an envelope begins with: one of its three fields, or JSON
# What is looked for behind damage: a length below 16 MB, then the payload type's tag or the brace of JSON.
_CANDIDATE: Final = re.compile(rb"\x00(?=...[\x08{])", re.DOTALL)
_MOST_KEPT: Final = 1 << 20  # bytes of damage that are told as one
_MORE, _LONGEST_VARINT = 0x80, 10


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes of a capture that cannot be read.

    Attributes:
        offset: where they begin.
        size: how many there are.
        reason: what is wrong, for people.
        message: what is known of it where the envelope is sound: its payload type and id, and no payload.
    """

    offset: int
    size: int
    reason: str
    message: Message | None = None


Piece: TypeAlias = "Frame | Damage"
"""What a capture consists of."""


class _Found(NamedTuple):
    """A frame in the buffer: where it begins and ends there, and what it holds."""

    start: int
    end: int
    piece: Piece


class FrameScan:
    """Cuts a stream of length-prefixed frames into messages, protobuf or JSON, and goes on behind damage.

    Args:
        max_size: the largest body that is believed, in bytes.
    """

    def __init__(self, max_size: int = MAX_FRAME_SIZE) -> None:
        self._max_size = max_size
        self._offset = 0  # of the first byte in the buffer
        self._buffer = b""
        self._parts: list[bytes] = []  # what came since, not yet joined to it
        self._waiting = 0  # bytes that must come before there is anything to do
        self._codecs = _Codecs()
        self._fault: str | None = None  # while the next frame is looked for: what was wrong at the buffer's begin
        self._looked = 0  # bytes of the buffer in which no frame begins

    @property
    def in_step(self) -> bool:
        """Whether a frame is under way, as far as is known; not while the next one is looked for behind damage."""
        return self._fault is None

    def feed(self, chunk: bytes) -> list[Piece]:
        """The frames that this chunk completes, and the damage that it ends."""
        self._parts.append(chunk)
        self._waiting -= len(chunk)
        if self._waiting > 0:
            return []
        return self._read(ended=False)

    def cut(self, reason: str, *, lost: int = 0) -> list[Piece]:
        """Says that the bytes end here, or that some are missing; what comes next begins anew.

        Args:
            reason: why, where the end stands inside a frame.
            lost: how many bytes are missing.
        """
        pieces = self._read(ended=True)
        if self._buffer:
            fault = self._fault or f"{reason}{self._progress()}"
            pieces.append(Damage(self._offset, len(self._buffer) + lost, fault))
        elif lost:
            pieces.append(Damage(self._offset, lost, reason))
        self._drop(len(self._buffer))
        self._offset += lost
        self._fault = None
        return pieces

    def _progress(self) -> str:
        if len(self._buffer) < _LENGTH:
            return f" inside the length of a frame, {len(self._buffer)} bytes into it"
        (size,) = _read_length(self._buffer)
        return f" inside a frame: {len(self._buffer) - _LENGTH} of its {size} bytes are there"

    def _read(self, *, ended: bool) -> list[Piece]:
        buffer = self._buffer = b"".join((self._buffer, *self._parts))
        self._parts.clear()
        self._waiting = 0
        pieces: list[Piece] = []
        start = 0  # of what has not been made a piece of
        while start < len(buffer):
            if self._fault is None:
                found = self._frame_at(buffer, start, ended=ended)
                if isinstance(found, str):
                    self._fault, self._looked = found, start + 1
                elif found is None:
                    if not ended:
                        break
                    found = self._next(buffer, start + 1, ended=True)
                    if found is None:
                        break
                    self._fault, self._looked = "the length of this frame is wrong", start + 1
                else:
                    pieces.append(found.piece)
                    start = found.end
                continue
            found = self._next(buffer, self._looked, ended=ended)
            if found is None:
                if self._looked - start > _MOST_KEPT:
                    pieces.append(Damage(self._offset + start, self._looked - start, self._fault))
                    start = self._looked
                break
            pieces.append(Damage(self._offset + start, found.start - start, self._fault))
            pieces.append(found.piece)
            start, self._fault = found.end, None
        self._drop(start)
        return pieces

    def _drop(self, size: int) -> None:
        self._buffer = self._buffer[size:]
        self._offset += size
        self._looked -= size

    def _frame_at(self, buffer: bytes, at: int, *, ended: bool) -> _Found | str | None:
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
            if not _fits(buffer, start, len(buffer), end):
                return f"no message fits a length of {size} bytes here"
            self._waiting = end - len(buffer)
            return None
        piece = self._codecs.piece(buffer[start:end], at + self._offset, end - at)
        if isinstance(piece, Frame):
            return _Found(at, end, piece)
        if piece.message is None:
            return piece.reason if _fits(buffer, start, end, end) else f"no message fits a length of {size} bytes here"
        # The envelope is sound, its payload is not: only this frame is lost, if another begins where it ends.
        if end + _LENGTH >= len(buffer):
            if not ended and end < len(buffer):
                self._waiting = end + _LENGTH + 1 - len(buffer)
                return None
            return _Found(at, end, piece)
        return _Found(at, end, piece) if _begins(buffer, end, self._max_size) else piece.reason

    def _next(self, buffer: bytes, at: int, *, ended: bool) -> _Found | None:
        """The next frame that can be read, at or behind this place; None where more must come."""
        for match in _CANDIDATE.finditer(buffer, at):
            place = match.start()
            (size,) = _read_length(buffer, place)
            start, end = place + _LENGTH, place + _LENGTH + size
            if not size or size > self._max_size or not _fits(buffer, start, min(end, len(buffer)), end):
                continue
            if end > len(buffer):
                if ended:
                    continue
                self._looked, self._waiting = place, end - len(buffer)
                return None
            piece = self._codecs.piece(buffer[start:end], place + self._offset, end - place)
            if isinstance(piece, Frame) and (
                not isinstance(piece.message.payload, UnknownPayload)
                or end == len(buffer)
                or _begins(buffer, end, self._max_size)
            ):
                return _Found(place, end, piece)
        self._looked = max(at, len(buffer) - _LENGTH)
        return None


class _Codecs:
    """Both codecs: which one a body needs is told by its first byte."""

    def __init__(self) -> None:
        self._protobuf = ProtobufCodec()
        self._json = JsonCodec()

    def piece(self, body: bytes, offset: int, size: int) -> Piece:
        try:
            message = self._json.decode(body) if body[:1] == b"{" else self._protobuf.decode(body)
        except RemoteProtocolError as error:
            return fault_of(error, offset, size)
        return Frame(message, offset, size)


def decoded(body: bytes, offset: int, size: int) -> Piece:
    """The message in the body of a frame, protobuf or JSON, or what is wrong with it."""
    return _Codecs().piece(body, offset, size)


def fault_of(error: RemoteProtocolError, offset: int, size: int) -> Damage:
    """The damage that a body is which could not be decoded."""
    if isinstance(error, UndecodablePayload):
        known = Message(UnknownPayload(error.payload_type), error.client_msg_id)
        return Damage(offset, size, error.reason, known)
    return Damage(offset, size, str(error))


def _begins(buffer: bytes, at: int, max_size: int) -> bool:
    """Whether a frame may well begin here, as far as can be seen."""
    start = at + _LENGTH
    if start >= len(buffer):
        return True
    (size,) = _read_length(buffer, at)
    return 0 < size <= max_size and _fits(buffer, start, min(start + size, len(buffer)), start + size)


def _fits(buffer: bytes, at: int, stop: int, end: int) -> bool:
    """Whether the fields of an envelope fill exactly these bytes, as far as they are here.

    Args:
        at: where the body begins.
        stop: how much of the buffer may be looked at.
        end: where the body ends; behind `stop` where its rest has not come.
    """
    if at == end or buffer[at] not in _FIRST:
        return False
    if buffer[at] == _OPEN:
        return end > stop or buffer[stop - 1] == _OPEN + 2
    while at < stop:
        tag = buffer[at]
        wire_type = tag & 7
        if tag < 8 or wire_type not in (0, 1, 2, 5):
            return False
        at = _behind_varint(buffer, at, stop)
        if at < stop and wire_type == 0:
            at = _behind_varint(buffer, at, stop)
        elif at < stop and wire_type == 2:
            size, at = _varint(buffer, at, stop)
            at += size
        elif wire_type in (1, 5):
            at += 8 if wire_type == 1 else 4
        if at > end:
            return False
    return at == end or stop < end


def _behind_varint(buffer: bytes, at: int, stop: int) -> int:
    while at < stop and buffer[at] >= _MORE:
        at += 1
    return at + 1


def _varint(buffer: bytes, at: int, stop: int) -> tuple[int, int]:
    value = 0
    for place in range(min(_LONGEST_VARINT, stop - at)):
        byte = buffer[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < _MORE:
            return value, at + place + 1
    return 0, stop  # cut off, or of a size that the decoder will refuse
