"""Where one message ends and the next begins, in a stream of bytes.

Protobuf over TCP: a four-byte big-endian length, which does not count itself, then the body (docs/protocol.md
section 1). How JSON over TCP is delimited rests on a single source, so all three ways that are talked of are here.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from itertools import chain
from typing import TYPE_CHECKING, NoReturn, Protocol

from .errors import FrameTooLarge, LocalProtocolError, RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "MAX_FRAME_SIZE",
    "Delimiting",
    "FrameDecoder",
    "Framing",
    "LengthFraming",
    "NewlineFraming",
    "ObjectFraming",
    "encode_frame",
    "framing_of",
]

MAX_FRAME_SIZE = 15_000_000
"""Bytes of the largest body that is taken: what the official SDK and two other clients use (section 1)."""

_LENGTH = 4


class Delimiting(enum.Enum):
    """How messages are told apart on a TCP stream."""

    LENGTH = "length"
    """Four bytes of length first: the only way for protobuf, the default for JSON."""
    NEWLINE = "newline"
    """One JSON text a line."""
    OBJECTS = "objects"
    """JSON objects one after the other, told apart by their braces."""


class Framing(Protocol):
    """Cuts a stream into bodies and puts a body into the stream."""

    def wrap(self, body: bytes) -> bytes:
        """The bytes that carry this body."""

    def feed(self, chunk: bytes) -> Iterable[bytes]:
        """The bodies that this chunk completes; raises `RemoteProtocolError` where the stream is broken."""

    def close(self) -> None:
        """Raises `RemoteProtocolError` if the stream ended inside a message."""


def encode_frame(body: bytes) -> bytes:
    """Four bytes of length, big-endian, and the body.

    Raises:
        LocalProtocolError: the body is longer than four bytes can say.
    """
    try:
        return len(body).to_bytes(_LENGTH, "big") + body
    except OverflowError:
        raise LocalProtocolError(f"a body of {len(body)} bytes does not fit into a frame") from None


def _raise(fault: RemoteProtocolError) -> Iterator[NoReturn]:
    raise fault
    yield  # makes it a generator: the fault is raised when its turn comes


class _Cutter(ABC):
    """What the ways of delimiting share: the rest that waits for more, and a fault that is final."""

    def __init__(self, max_size: int = MAX_FRAME_SIZE) -> None:
        if max_size < 1:
            raise ValueError(f"max_size is {max_size}; it must be at least 1 byte")
        self._max_size = max_size
        self._rest = bytearray()
        self._fault: RemoteProtocolError | None = None

    def feed(self, chunk: bytes) -> Iterable[bytes]:
        """The bodies that this chunk completes, in order; any cut of the stream gives the same ones.

        Raises:
            RemoteProtocolError: the stream is broken here, for good: what was complete before the fault is given
                first, then the error is raised, by this call or by the iteration over its result. Nothing that
                stands behind the fault is ever kept.
        """
        if self._fault is not None:
            raise self._fault
        bodies: list[bytes] = []
        try:
            self._cut(chunk, bodies)
        except RemoteProtocolError as fault:
            self._fault = fault
            self._rest = bytearray()
            if not bodies:
                raise
            return chain(bodies, _raise(fault))
        return bodies

    def close(self) -> None:
        """Says that the stream has ended.

        Raises:
            RemoteProtocolError: it ended inside a message.
        """
        if self._fault is not None:
            raise self._fault
        if self._rest:
            raise RemoteProtocolError(f"the stream ended inside a frame, {len(self._rest)} bytes into it")

    @abstractmethod
    def _cut(self, chunk: bytes, bodies: list[bytes]) -> None:
        """Appends what is complete to `bodies` and keeps the rest."""


class FrameDecoder(_Cutter):
    """Cuts a stream of length-prefixed frames.

    Args:
        max_size: the largest body that is taken, in bytes. A longer one is refused as soon as its length is read,
            before a byte of it is stored.
    """

    def _cut(self, chunk: bytes, bodies: list[bytes]) -> None:
        rest = self._rest
        if rest:
            rest += chunk
            if len(rest) < self._needed(rest):
                return
            data = bytes(rest)
            rest.clear()
        else:
            data = chunk
        position, end, max_size = 0, len(data), self._max_size
        while (start := position + _LENGTH) <= end:
            size = int.from_bytes(data[position:start], "big")
            if size > max_size:
                raise FrameTooLarge(size, max_size)
            if (stop := start + size) > end:
                break
            bodies.append(data[start:stop])
            position = stop
        if position < end:
            rest += data[position:] if position else data

    def _needed(self, rest: bytearray) -> int:
        """Bytes that the first frame takes: until they are here there is nothing to cut, and nothing is copied."""
        if len(rest) < _LENGTH:
            return _LENGTH
        size = int.from_bytes(rest[:_LENGTH], "big")
        if size > self._max_size:
            raise FrameTooLarge(size, self._max_size)
        return _LENGTH + size


class LengthFraming(FrameDecoder):
    """Four bytes of length before each body, both ways."""

    def wrap(self, body: bytes) -> bytes:
        """The bytes that carry this body."""
        return encode_frame(body)


class NewlineFraming(_Cutter):
    """One JSON text a line, both ways; empty lines mean nothing."""

    def wrap(self, body: bytes) -> bytes:
        """The bytes that carry this body."""
        if b"\n" in body:
            raise LocalProtocolError("a body with a line break cannot travel as a line")
        return body + b"\n"

    def _cut(self, chunk: bytes, bodies: list[bytes]) -> None:
        *lines, last = chunk.split(b"\n")
        for line in lines:
            self._check(len(self._rest) + len(line))
            whole = bytes(self._rest + line).strip()
            self._rest.clear()
            if whole:
                bodies.append(whole)
        self._check(len(self._rest) + len(last))
        self._rest += last

    def _check(self, size: int) -> None:
        if size > self._max_size:
            raise FrameTooLarge(size, self._max_size)


_QUOTE, _ESCAPE, _OPEN, _SHUT = b'"\\{}'
_SPACE = b" \t\r\n"


class ObjectFraming(_Cutter):
    """JSON objects one after the other, both ways, told apart by counting braces outside of strings."""

    def __init__(self, max_size: int = MAX_FRAME_SIZE) -> None:
        super().__init__(max_size)
        self._depth = 0
        self._in_string = False
        self._escaped = False

    def wrap(self, body: bytes) -> bytes:
        """The bytes that carry this body."""
        return body

    def _cut(self, chunk: bytes, bodies: list[bytes]) -> None:
        start = 0
        for position, byte in enumerate(chunk):
            if self._in_string:
                if self._escaped:
                    self._escaped = False
                elif byte == _ESCAPE:
                    self._escaped = True
                elif byte == _QUOTE:
                    self._in_string = False
            elif byte == _QUOTE and self._depth:
                self._in_string = True
            elif byte == _OPEN:
                if not self._depth:
                    start = position
                self._depth += 1
            elif byte == _SHUT and self._depth:
                self._depth -= 1
                if not self._depth:
                    bodies.append(self._whole(chunk[start : position + 1]))
                    start = position + 1
            elif not self._depth and byte not in _SPACE:
                raise RemoteProtocolError(f"byte {byte:#04x} stands between JSON objects")
        if self._depth:
            self._rest += chunk[start:]
            if len(self._rest) > self._max_size:
                raise FrameTooLarge(len(self._rest), self._max_size)

    def _whole(self, tail: bytes) -> bytes:
        body = bytes(self._rest) + tail
        self._rest.clear()
        if len(body) > self._max_size:
            raise FrameTooLarge(len(body), self._max_size)
        return body


def framing_of(delimiting: Delimiting, *, max_size: int = MAX_FRAME_SIZE) -> Framing:
    """A fresh framing for one connection."""
    match delimiting:
        case Delimiting.LENGTH:
            return LengthFraming(max_size)
        case Delimiting.NEWLINE:
            return NewlineFraming(max_size)
        case Delimiting.OBJECTS:
            return ObjectFraming(max_size)
