"""Readers of captures whose form is known."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from .envelope import write_envelope
from .forms import Content, Form
from .frame_scan import FrameScan
from .json_scan import JsonScan
from .phases import PhaseScan
from .scan import Damage, Scan, decoded
from .string_bytes import StringBytes
from .text_bytes import Break, Encoding, TextBytes
from .websocket_scan import WebSocketScan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from .scan import Piece

__all__ = ["SCANNED", "FormReader", "reader_of", "text_of"]

_SCANS: Final[Mapping[Content, Callable[[int], Scan]]] = MappingProxyType(
    {Content.FRAMES: FrameScan, Content.WEBSOCKET: WebSocketScan}
)
SCANNED: Final = frozenset(_SCANS)
"""What is cut into messages by itself, whatever lines it is written in."""


class FormReader(ABC):
    """Reads a capture whose form is known.

    Attributes:
        taken: the bytes that have come so far, those that the text stands for, and those that are missing in it.
    """

    def __init__(self) -> None:
        self.taken = 0

    @property
    @abstractmethod
    def in_step(self) -> bool:
        """Whether nothing speaks against what is here behind the last piece."""

    @property
    def is_likely(self) -> bool:
        """Whether what is here of the message under way looks like one; so it does where none is."""
        return self.in_step

    @abstractmethod
    def feed(self, chunk: bytes) -> Iterable[Piece]:
        """The messages that this chunk completes, and the damage that it ends."""

    @abstractmethod
    def close(self) -> Iterable[Piece]:
        """What is left at the end."""


def reader_of(form: Form, payload_type: int | None, max_size: int, *, shifted: bool = True) -> FormReader:
    """A reader for a capture of this form.

    Args:
        form: what it is.
        payload_type: of the payloads, where it holds these.
        max_size: the largest message that is believed, in bytes.
        shifted: whether messages are looked for within the bytes of a text too, behind lost characters.
    """

    def unit(data: bytes, offset: int) -> Piece:
        return _unit(data, offset, form.content, payload_type)

    if form.encoding is Encoding.JSON:
        return _Objects(unit, max_size)
    text = text_of(form.encoding, by_line=form.by_line) if form.encoding is not Encoding.BINARY else None
    if form.content not in _SCANS:
        return _Bytes(_Units(unit, max_size), text)
    make = partial(_SCANS[form.content], max_size)
    is_shifted = shifted and form.encoding in (Encoding.HEX, Encoding.BASE64)
    return _Bytes(PhaseScan(make, form.encoding) if is_shifted else make(), text)


def text_of(encoding: Encoding, *, by_line: bool) -> TextBytes | StringBytes:
    """What turns a text into the bytes that it stands for.

    Args:
        encoding: how it is written.
        by_line: whether each line stands for itself.
    """
    return StringBytes() if encoding is Encoding.STRING else TextBytes(encoding, by_line=by_line)


def _unit(data: bytes, offset: int, content: Content, payload_type: int | None) -> Piece:
    """The message that these bytes are, all of them."""
    if content is Content.ENVELOPES or payload_type is None:
        return decoded(data, offset, len(data))
    if data[:1] == b"{":
        return decoded(b'{"payloadType":%d,"payload":%b}' % (payload_type, data), offset, len(data))
    return decoded(write_envelope(payload_type, data, None), offset, len(data))


class _Objects(FormReader):
    """Reads JSON text."""

    def __init__(self, unit: Callable[[bytes, int], Piece], max_size: int) -> None:
        super().__init__()
        self._scan = JsonScan(max_size)
        self._unit = unit

    @property
    def in_step(self) -> bool:
        return False  # a brace alone says nothing

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        self.taken += len(chunk)
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

    @property
    def in_step(self) -> bool:
        return not self._size

    @property
    def is_likely(self) -> bool:
        return self.in_step

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


class _Bytes(FormReader):
    """Reads bytes, binary or written down as text."""

    def __init__(self, scan: Scan | PhaseScan | _Units, text: TextBytes | StringBytes | None) -> None:
        super().__init__()
        self._scan = scan
        self._text = text

    @property
    def in_step(self) -> bool:
        return self._scan.in_step

    @property
    def is_likely(self) -> bool:
        return self._scan.is_likely

    def feed(self, chunk: bytes) -> Iterable[Piece]:
        if self._text is not None:
            return self._read(self._text.feed(chunk))
        self.taken += len(chunk)
        return self._scan.feed(chunk)

    def close(self) -> Iterator[Piece]:
        if self._text is not None:
            yield from self._read(self._text.close())
        yield from self._scan.end()

    def _read(self, written: Iterator[bytes | Break]) -> Iterator[Piece]:
        for part in written:
            if isinstance(part, bytes):
                self.taken += len(part)
                yield from self._scan.feed(part)
                continue
            self.taken += part.lost
            reason = part.reason or "the line ends"
            if isinstance(self._scan, PhaseScan):
                yield from self._scan.cut(reason, lost=part.lost, part=part.part, bits=part.bits)
            else:
                yield from self._scan.cut(reason, lost=part.lost)
