"""Captures of the traffic, whatever they are written in: what one is, and the messages in it, damage read past.

A capture holds frames (with their lengths, or of a WebSocket), envelopes without, or bare payloads of a type that has
to be said. It is binary, or text: hex, a dump, base64, or JSON objects. Which of these it is shows in its first bytes;
frames may hold protobuf or JSON, and each of them tells which.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from .envelope import write_envelope
from .errors import CTraderError
from .frame_scan import FrameScan
from .framing import MAX_FRAME_SIZE
from .json_scan import JsonScan
from .phases import PhaseScan
from .rendering import Frame
from .scan import Aside, Damage, Scan, decoded
from .text_bytes import Break, Encoding, TextBytes, encodings_of
from .websocket_scan import HTTP_WORDS, WebSocketScan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .scan import Piece

__all__ = ["HEAD", "CaptureReader", "Content", "Encoding", "Form", "NoCapture", "form_of"]

HEAD: Final = 1 << 16
"""Bytes that are looked at, at most, to find out what a capture is: a thousand quotes, or half a symbol list."""

_LINES_TRIED: Final = 8  # one of the first lines may be damaged, not all of them
_TEXT: Final = bytes(range(0x20, 0x7F)) + b"\t\r\n\f\v"
_MARK: Final = b"\xef\xbb\xbf"  # what some programs write in front of text that is UTF-8


class NoCapture(CTraderError):
    """There is nothing in it that could be a message."""


class Content(enum.Enum):
    """What a capture holds."""

    FRAMES = "frames"
    """Messages with their lengths, as on a TCP connection."""
    WEBSOCKET = "websocket"
    """Messages in the frames of a WebSocket, of either side or both, with the HTTP heads before them or without."""
    ENVELOPES = "envelopes"
    """Messages without: one a line or one a file, or JSON objects."""
    PAYLOADS = "payloads"
    """What is inside of the envelope, likewise."""


_SCANS: Final[Mapping[Content, Callable[[int], Scan]]] = MappingProxyType(
    {Content.FRAMES: FrameScan, Content.WEBSOCKET: WebSocketScan}
)


@dataclass(frozen=True, slots=True)
class Form:
    """What a capture is.

    Attributes:
        encoding: how it is written.
        content: what it holds.
        by_line: of hex and base64, whether each line stands for itself.
    """

    encoding: Encoding
    content: Content
    by_line: bool = False

    def __str__(self) -> str:
        return f"{self.encoding.value}, {self.content.value}{', line by line' if self.by_line else ''}"


def form_of(
    head: bytes,
    *,
    ended: bool,
    encoding: Encoding | None = None,
    content: Content | None = None,
    payload_type: int | None = None,
) -> Form | None:
    """What a capture is, from its first bytes.

    Args:
        head: the first bytes.
        ended: whether they are all there is.
        encoding: how it is written, where that is known.
        content: what it holds, where that is known.
        payload_type: of the payloads, where it holds these.

    Returns:
        The form; None where more of it must be seen, which is never so with `HEAD` bytes.

    Raises:
        NoCapture: it is none. Only said of a capture that has ended, or has shown `HEAD` bytes.
    """
    enough = ended or len(head) >= HEAD
    head = head.removeprefix(_MARK)
    if not head.strip() and not enough:
        return None
    if content is None and payload_type is not None:
        content = Content.PAYLOADS
    ways = (encoding,) if encoding is not None else _encodings(head)
    for each in ways:
        if each is Encoding.JSON:
            return Form(each, content or Content.ENVELOPES)
        found = _form(head, each, content, payload_type, ended=ended)
        if found is not None:
            return found
    if not enough:
        return None
    if encoding is not None or (ways == (Encoding.BINARY,) and not ended):
        return Form(ways[0], content or Content.FRAMES)
    if not head.strip():
        raise NoCapture("there is nothing in it")
    raise NoCapture("no frame, envelope or JSON message is in it; bare payloads can be read when their type is said")


def _encodings(head: bytes) -> tuple[Encoding, ...]:
    if head.startswith(HTTP_WORDS):
        return (Encoding.BINARY,)
    if head.translate(None, _TEXT):
        # What JSON has beyond ASCII is UTF-8; a length before it would not look like text.
        is_json = head.lstrip()[:1] in (b"{", b"[") and not head.translate(None, _TEXT + bytes(range(0x80, 0x100)))
        return (Encoding.JSON,) if is_json else (Encoding.BINARY,)
    if head.lstrip()[:1] in (b"{", b"["):
        return (Encoding.JSON,)
    return encodings_of(head)


def _form(
    head: bytes, encoding: Encoding, content: Content | None, payload_type: int | None, *, ended: bool
) -> Form | None:
    """The form of a capture in this encoding; None where more must be seen, or it is none."""
    if encoding is Encoding.BINARY:
        found = content or _content(head, encoding, ended=ended)
        return Form(encoding, found) if found is not None else None
    if not ended and len(head) < HEAD and b"\n" not in head:
        return None  # whether a line stands for itself shows when it has ended
    if encoding is not Encoding.DUMP:
        *lines, last = head.split(b"\n")
        lines = [line for line in (*lines, *([last] if ended else [])) if line.strip()]
        for line in lines[:_LINES_TRIED]:
            data = _joined(_written(line, encoding))
            found = content or _content(data, Encoding.BINARY, ended=True)
            if found is not None and _stands_alone(data, found, payload_type):
                return Form(encoding, found, by_line=True)
    found = content or _content(head, encoding, ended=ended)
    return Form(encoding, found) if found is not None else None


def _written(head: bytes, encoding: Encoding) -> list[bytes | Break]:
    """The bytes of a capture, with the break at their end."""
    if encoding is Encoding.BINARY:
        return [head, Break()]
    text = TextBytes(encoding, by_line=False)
    return [*text.feed(head), *text.close()]


def _joined(written: Iterable[bytes | Break]) -> bytes:
    return b"".join(part for part in written if isinstance(part, bytes))


def _content(head: bytes, encoding: Encoding, *, ended: bool) -> Content | None:
    """What a capture that begins so holds; None where more must be seen, or it is nothing."""
    *written, end = _written(head, encoding)
    data = _joined(written)
    if data.startswith(HTTP_WORDS):
        return Content.WEBSOCKET
    scans = {content: _scan(content, encoding, MAX_FRAME_SIZE) for content in _SCANS}
    pieces = {content: list(_read(scan, written)) for content, scan in scans.items()}
    if (found := _likelier(pieces)) is not None:
        return found
    under_way = [content for content, scan in scans.items() if scan.in_step and len(data) > _LEAST]
    if not ended and len(head) < HEAD:
        return None
    if not ended and encoding is Encoding.BINARY:
        return next(iter(under_way), Content.FRAMES)
    alone = decoded(data, 0, len(data))
    if isinstance(alone, Frame) or alone.message is not None:
        return Content.ENVELOPES
    pieces = {content: [*_read(scan, [end]), *scan.end()] for content, scan in scans.items()}
    return _likelier(pieces) or next(iter(under_way), None)


def _likelier(pieces: Mapping[Content, Sequence[Piece]]) -> Content | None:
    """The one in which more messages can be read; of as many, the one in which they begin sooner."""
    readable = {content: [piece for piece in found if _is_readable(piece)] for content, found in pieces.items()}
    ranks = {
        content: (sum(not isinstance(piece, Aside) for piece in found), -(found[0].offset or 0))
        for content, found in readable.items()
        if found
    }
    return max(ranks, key=ranks.__getitem__, default=None)


def _is_readable(piece: Piece) -> bool:
    return not isinstance(piece, Damage) or piece.message is not None


_LINE_ENDS: Final = "the line ends"
_LEAST: Final = 4  # bytes of a length: what is no longer says nothing


def _scan(content: Content, encoding: Encoding, max_size: int) -> Scan | PhaseScan:
    make = partial(_SCANS[content], max_size)
    return PhaseScan(make, encoding) if encoding in (Encoding.HEX, Encoding.BASE64) else make()


def _read(scan: Scan | PhaseScan | _Units, written: Iterable[bytes | Break]) -> Iterator[Piece]:
    for part in written:
        if isinstance(part, bytes):
            yield from scan.feed(part)
        elif isinstance(scan, PhaseScan):
            yield from scan.cut(part.reason or _LINE_ENDS, lost=part.lost, part=part.part, bits=part.bits)
        else:
            yield from scan.cut(part.reason or _LINE_ENDS, lost=part.lost)


def _stands_alone(data: bytes, content: Content, payload_type: int | None) -> bool:
    pieces: list[Piece]
    if content in _SCANS:
        scan = _SCANS[content](MAX_FRAME_SIZE)
        pieces = [*scan.feed(data), *scan.end()]
    else:
        pieces = [_unit(data, 0, content, payload_type)]
    return bool(pieces) and all(_is_readable(piece) for piece in pieces)


def _unit(data: bytes, offset: int, content: Content, payload_type: int | None) -> Piece:
    """The message that these bytes are, all of them."""
    if content is Content.ENVELOPES or payload_type is None:
        return decoded(data, offset, len(data))
    if data[:1] == b"{":
        return decoded(b'{"payloadType":%d,"payload":%b}' % (payload_type, data), offset, len(data))
    return decoded(write_envelope(payload_type, data, None), offset, len(data))


class _Reader(Protocol):
    """Reads a capture whose form is known."""

    def feed(self, chunk: bytes) -> Iterable[Piece]: ...

    def close(self) -> Iterable[Piece]: ...


class CaptureReader:
    """Reads a capture as it comes: messages, and what could not be read of it. Memory does not grow with its length.

    Offsets count the bytes that a text stands for, and of JSON those of the text; a frame's size has its length in it.

    Args:
        encoding: how it is written; None to find out.
        content: what it holds; None to find out.
        payload_type: of the payloads, where it holds these.
        max_size: the largest message that is believed, in bytes.
    """

    def __init__(
        self,
        *,
        encoding: Encoding | None = None,
        content: Content | None = None,
        payload_type: int | None = None,
        max_size: int = MAX_FRAME_SIZE,
    ) -> None:
        self.form: Form | None = None
        self._encoding = encoding
        self._content = content
        self._payload_type = payload_type
        self._max_size = max_size
        self._head = b""
        self._reader: _Reader | None = None
        self._pending: Damage | None = None

    def feed(self, chunk: bytes) -> list[Piece]:
        """The messages that this chunk completes, and the damage that it ends, in their order.

        Raises:
            NoCapture: it is none.
        """
        reader, chunk = self._open(chunk, ended=False)
        return self._joined(reader.feed(chunk)) if reader is not None else []

    def close(self) -> list[Piece]:
        """What is left at the end.

        Raises:
            NoCapture: it was none.
        """
        reader, chunk = self._open(b"", ended=True)
        assert reader is not None  # of what has ended the form is known, or it is none
        pieces = self._joined([*reader.feed(chunk), *reader.close()])
        if self._pending is not None:
            pieces.append(self._pending)
            self._pending = None
        return pieces

    def _open(self, chunk: bytes, *, ended: bool) -> tuple[_Reader | None, bytes]:
        if self._reader is not None:
            return self._reader, chunk
        self._head += chunk
        self.form = form_of(
            self._head,
            ended=ended,
            encoding=self._encoding,
            content=self._content,
            payload_type=self._payload_type,
        )
        if self.form is None:
            return None, b""
        head, self._head = self._head, b""
        if self.form.encoding is not Encoding.BINARY:
            head = head.removeprefix(_MARK)
        self._reader = self._reader_for(self.form)
        return self._reader, head

    def _reader_for(self, form: Form) -> _Reader:
        def unit(data: bytes, offset: int) -> Piece:
            return _unit(data, offset, form.content, self._payload_type)

        if form.encoding is Encoding.JSON:
            return _Objects(unit, self._max_size)
        text = TextBytes(form.encoding, by_line=form.by_line) if form.encoding is not Encoding.BINARY else None
        if form.content not in _SCANS:
            return _Bytes(_Units(unit, self._max_size), text)
        return _Bytes(_scan(form.content, form.encoding, self._max_size), text)

    def _joined(self, pieces: Iterable[Piece]) -> list[Piece]:
        """The pieces, with damage that lies side by side made one."""
        joined: list[Piece] = []
        for piece in pieces:
            last = self._pending
            if last is not None:
                if isinstance(piece, Damage) and piece.message is None and last.offset + last.size == piece.offset:
                    self._pending = Damage(last.offset, last.size + piece.size, last.reason)
                    continue
                joined.append(last)
                self._pending = None
            if isinstance(piece, Damage) and piece.message is None:
                self._pending = piece
            else:
                joined.append(piece)
        return joined


class _Objects:
    """Reads JSON text."""

    def __init__(self, unit: Callable[[bytes, int], Piece], max_size: int) -> None:
        self._scan = JsonScan(max_size)
        self._unit = unit

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        for offset, text, fault in self._scan.feed(chunk):
            yield self._piece(offset, text, fault)

    def close(self) -> Iterator[Piece]:
        for offset, text, fault in self._scan.close():
            yield self._piece(offset, text, fault)

    def _piece(self, offset: int, text: bytes, fault: str | None) -> Piece:
        return self._unit(text, offset) if fault is None else Damage(offset, len(text), fault)


class _Units:
    """Takes bytes up to each cut as one message."""

    def __init__(self, unit: Callable[[bytes, int], Piece], max_size: int) -> None:
        self._unit = unit
        self._max_size = max_size
        self._offset = 0
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[Piece]:
        self._size += len(chunk)
        if self._size <= self._max_size:
            self._parts.append(chunk)
        return []

    def end(self) -> list[Piece]:
        return self.cut("")  # what has come is one message, whole or not

    def cut(self, reason: str, *, lost: int = 0) -> list[Piece]:
        data, size, offset = b"".join(self._parts), self._size, self._offset
        self._parts.clear()
        self._size = 0
        self._offset += size + lost
        if size > self._max_size:
            return [Damage(offset, size + lost, f"a message of {size} bytes, more than {self._max_size}")]
        if lost:
            return [Damage(offset, size + lost, reason)]
        return [self._unit(data, offset)] if size else []


class _Bytes:
    """Reads bytes, binary or written down as text."""

    def __init__(self, scan: Scan | PhaseScan | _Units, text: TextBytes | None) -> None:
        self._scan = scan
        self._text = text

    def feed(self, chunk: bytes) -> Iterable[Piece]:
        return self._scan.feed(chunk) if self._text is None else _read(self._scan, self._text.feed(chunk))

    def close(self) -> Iterator[Piece]:
        if self._text is not None:
            yield from _read(self._scan, self._text.close())
        yield from self._scan.end()
