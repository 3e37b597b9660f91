"""Messages out of bytes that may be damaged: what cannot be read is named and read past.

A connection ends at the first fault of its stream, as it must. Whoever looks at a capture wants what stands behind the
fault too, so here the next frame is looked for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from .ambiguity import repeated_key
from .codecs import JsonCodec, Message, ProtobufCodec, UnknownPayload
from .credit import Credit
from .errors import RemoteProtocolError, UndecodablePayload
from .framing import MAX_FRAME_SIZE
from .rendering import Frame

if TYPE_CHECKING:
    from typing import TypeAlias

    from .connection import Role

__all__ = [
    "Aside",
    "Codecs",
    "Damage",
    "Found",
    "Looked",
    "Piece",
    "Scan",
    "decoded",
    "fault_of",
    "fits",
    "fits_as_before",
]

_OPEN: Final = 0x7B  # "{"; as a tag of protobuf it would begin a group, and nobody sends one
_FIRST: Final = frozenset(b"\x08\x12\x1a{")  # what an envelope begins with: one of its three fields, or JSON
_MOST_KEPT: Final = 1 << 20  # bytes of damage that are told as one
_WRONG: Final = "the length of this frame is wrong"
_MORE, _LONGEST_VARINT = 0x80, 10
# Fields that are walked: an envelope has three, and a newer server's hardly many more. The decoder judges the rest.
_MOST_FIELDS: Final = 64


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


@dataclass(frozen=True, slots=True)
class Aside:
    """What a transport says of its own, between the messages: a WebSocket's control frames and its HTTP heads.

    Attributes:
        offset: where it begins.
        size: how many bytes it has.
        kind: `close`, `ping`, `pong` or `http`.
        role: whose it is.
        text: the reason of a close; what a ping or pong carries, where that is text; the first line of an HTTP head,
            without a query. As the peer said it: not escaped, secrets in it.
        code: of a close, where it has one.
    """

    offset: int
    size: int
    kind: str
    role: Role
    text: str = ""
    code: int | None = None

    @property
    def message(self) -> None:
        """It is none."""
        return


Piece: TypeAlias = "Frame | Damage | Aside"
"""What a capture consists of."""


class Found(NamedTuple):
    """What was found in the buffer: where it begins and ends there, and the pieces that it completes."""

    start: int
    end: int
    pieces: tuple[Piece, ...]


class Looked(NamedTuple):
    """How far bytes were looked at: no frame begins before this place in them.

    Attributes:
        place: the place.
        found: whether one begins there; else it may, or is the end.
        waiting: how many bytes must come before there is more to be seen.
    """

    place: int
    found: bool
    waiting: int


class Scan(ABC):
    """What the ways of cutting a damaged stream into messages share: the bytes, and how far they were looked at.

    Args:
        max_size: the largest body that is believed, in bytes.
    """

    def __init__(self, max_size: int = MAX_FRAME_SIZE) -> None:
        self._max_size = max_size
        self._offset = 0  # of the first byte in the buffer
        self._buffer = b""
        self._parts: list[bytes] = []  # what came since, not yet joined to it
        self._waiting = 0  # bytes that must come before there is anything to do
        self._codecs = Codecs()
        self._credit = Credit(max_size)
        self._fault: str | None = None  # while the next frame is looked for: what was wrong at the buffer's begin
        self._looked = 0  # bytes of the buffer in which no frame begins
        self._stops = False  # at a fault, for others to look behind it

    @property
    def in_step(self) -> bool:
        """Whether a frame is under way, as far as is known; not while the next one is looked for behind damage."""
        return self._fault is None

    @property
    def is_likely(self) -> bool:
        """Whether what is here of the message under way looks like one; so it does where none is."""
        return self.in_step

    @property
    def unread(self) -> tuple[int, bytes, str]:
        """What has come and was not made a piece of: where it begins, the bytes, and what is wrong with them."""
        return self._offset, b"".join((self._buffer, *self._parts)), self._fault or _WRONG

    def begin(self, offset: int) -> None:
        """Begins at this place, and stops at the first fault: what stands behind it is left to others."""
        self._offset, self._stops = offset, True

    def look(self, data: bytes, *, ended: bool) -> Looked:
        """Where in these bytes the next frame begins. A scan that was asked this is used for nothing else.

        Args:
            data: the bytes, which are not kept.
            ended: whether nothing comes behind them.
        """
        self._waiting = 0
        found = self._next(data, 0, ended=ended)
        self.forget()
        if found is not None:
            return Looked(found.start, True, 0)
        self._offset += self._looked  # where the bytes begin that are looked at next
        return Looked(self._looked, False, self._waiting)

    def feed(self, chunk: bytes, *, ended: bool = False) -> list[Piece]:
        """The frames that this chunk completes, and the damage that it ends.

        Args:
            chunk: what comes next.
            ended: whether nothing comes behind it up to the next `cut`.
        """
        self._parts.append(chunk)
        self._waiting -= len(chunk)
        if self._waiting > 0 and not ended:
            return []
        return self._read(ended=ended)

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
        if self._buffer or lost:
            pieces += self.forget()
        self._drop(len(self._buffer))
        self._offset += lost
        self._fault = None
        return pieces

    def end(self) -> list[Piece]:
        """Says that nothing comes any more."""
        return [*self.cut("the capture ends"), *self.forget()]

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
                    pieces += self.forget()
                    if self._stops:
                        break
                elif found is None:
                    if not ended or self._stops:
                        break
                    found = self._next(buffer, start + 1, ended=True)
                    if found is None:
                        break
                    self._fault, self._looked = _WRONG, found.start
                    pieces += self.forget()
                else:
                    pieces += found.pieces
                    start = found.end
                continue
            found = self._next(buffer, self._looked, ended=ended)
            if found is None:
                if self._looked - start > _MOST_KEPT:
                    pieces.append(Damage(self._offset + start, self._looked - start, self._fault))
                    start = self._looked
                break
            pieces.append(Damage(self._offset + start, found.start - start, self._fault))
            pieces += found.pieces
            start, self._fault = found.end, None
        self._drop(start)
        return pieces

    def _drop(self, size: int) -> None:
        self._buffer = self._buffer[size:]
        self._offset += size
        self._looked -= size

    def forget(self) -> list[Damage]:
        """What was under way beside the frame that cannot be read, and is lost with it."""
        return []

    @abstractmethod
    def _progress(self) -> str:
        """Where in a frame the buffer ends, as the end of a sentence."""

    @abstractmethod
    def _frame_at(self, buffer: bytes, at: int, *, ended: bool) -> Found | str | None:
        """The frame that begins here; or what is wrong with it; or None where its end has not come."""

    @abstractmethod
    def _next(self, buffer: bytes, at: int, *, ended: bool) -> Found | None:
        """The next frame that can be read, at or behind this place; None where more must come."""


class Codecs:
    """Both codecs: which one a body needs is told by its first byte."""

    def __init__(self) -> None:
        self._protobuf = ProtobufCodec()
        self._json = JsonCodec()

    def piece(self, body: bytes, offset: int, size: int) -> Frame | Damage:
        """The message in the body of a frame, or what is wrong with it."""
        is_json = body[:1] == b"{"
        try:
            message = self._json.decode(body) if is_json else self._protobuf.decode(body)
        except RemoteProtocolError as error:
            return fault_of(error, offset, size)
        return Frame(message, offset, size, _repeated_key(body)) if is_json else Frame(message, offset, size)


def _repeated_key(body: bytes) -> str | None:
    try:
        return repeated_key(body)
    except (ValueError, RecursionError):
        return None  # our own reader has read it


def decoded(body: bytes, offset: int, size: int) -> Frame | Damage:
    """The message in the body of a frame, protobuf or JSON, or what is wrong with it."""
    return Codecs().piece(body, offset, size)


def fault_of(error: RemoteProtocolError, offset: int, size: int) -> Damage:
    """The damage that a body is which could not be decoded."""
    if isinstance(error, UndecodablePayload):
        known = Message(UnknownPayload(error.payload_type), error.client_msg_id)
        return Damage(offset, size, error.reason, known)
    return Damage(offset, size, str(error))


def fits(buffer: bytes, at: int, stop: int, end: int) -> bool:
    """Whether the fields of an envelope fill exactly these bytes, as far as they are here and a few fields tell.

    Args:
        at: where the body begins.
        stop: how much of the buffer may be looked at.
        end: where the body ends; behind `stop` where its rest has not come.
    """
    if at == end or buffer[at] not in _FIRST:
        return False
    if buffer[at] == _OPEN:
        return end > stop or buffer[stop - 1] == _OPEN + 2
    for _ in range(_MOST_FIELDS):
        if at >= stop:
            return at == end or stop < end
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
    return True


def fits_as_before(buffer: bytes, at: int, end: int, frame: Frame) -> bool:
    """Whether a body that was decoded would have been believed while only its begin was there.

    What the decoder takes and `fits` does not (groups, an unknown field in front) must not be read or refused by how
    the bytes happened to come.
    """
    first = buffer[at]
    return first in _FIRST and (frame.message.unknown_envelope is None or first == _OPEN or fits(buffer, at, end, end))


def _behind_varint(buffer: bytes, at: int, stop: int) -> int:
    last = min(stop, at + _LONGEST_VARINT)
    while at < last and buffer[at] >= _MORE:
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
