"""Where one message ends and the next begins, in a stream of bytes.

Protobuf over TCP: a four-byte big-endian length, which does not count itself, then the body (docs/protocol.md
section 1). How JSON over TCP is delimited rests on a single source, so all three ways that are talked of are here.
"""

from __future__ import annotations

import enum
import re
import struct
from abc import ABC, abstractmethod
from copy import copy
from itertools import chain
from typing import TYPE_CHECKING, NoReturn, Protocol

from .errors import FrameTooLarge, LocalProtocolError, RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = [
    "MAX_FRAME_SIZE",
    "Cutter",
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
_read_length = struct.Struct(">I").unpack_from  # half the time of a slice and int.from_bytes


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

    @property
    def inside(self) -> int:
        """How many bytes of a message that is not complete are here; 0 between two messages."""

    @property
    def ended(self) -> str | None:
        """Why the peer has ended the stream by a word of the framing's own, or None."""

    @property
    def broken(self) -> bool:
        """Whether the stream was found to be broken, for good."""

    @property
    def owes(self) -> bool:
        """Whether the framing has something of its own to say."""

    def take_owed(self) -> bytes:
        """What it has to say, once; may be empty."""

    def found_unreadable(self) -> None:
        """A body that it gave is no message: its last word may say so."""

    def farewell(self) -> bytes:
        """Its last word, once; may be empty."""


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


class Cutter(ABC):
    """What the ways of delimiting share: the rest that waits for more, and a fault that is final.

    Attributes:
        ended: why the peer has ended the stream by a word of the framing's own; None where there is no such word.
        owes: whether the framing has something of its own to say.
    """

    ended: str | None = None
    owes: bool = False

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
            raise copy(self._fault)
        if type(chunk) is not bytes:
            chunk = bytes(chunk)  # whoever reads into a buffer of his own uses it again
        bodies: list[bytes] = []
        try:
            self._cut(chunk, bodies)
        except RemoteProtocolError as fault:
            self._fault = copy(fault)  # one that is raised holds, by its traceback, the chunk of every call
            self._forget()
            if not bodies:
                raise
            return chain(bodies, _raise(fault))
        return bodies

    def close(self) -> None:
        """Says that the stream has ended.

        Raises:
            RemoteProtocolError: it ended inside a message, or was broken before.
        """
        if self._fault is None and (inside := self._inside()):
            self._fault = RemoteProtocolError(f"the stream ended inside a {self._under_way()}, {inside} bytes into it")
            self._forget()
        if self._fault is not None:
            raise copy(self._fault)

    @property
    def inside(self) -> int:
        """How many bytes of a message that is not complete are here; 0 between two messages."""
        return self._inside()

    @property
    def broken(self) -> bool:
        """Whether the stream was found to be broken, for good."""
        return self._fault is not None

    def take_owed(self) -> bytes:
        """Nothing: these ways of delimiting say nothing of their own."""
        return b""

    def found_unreadable(self) -> None:  # noqa: B027 - nothing to do where there is no last word
        """Says nothing either."""

    def farewell(self) -> bytes:
        """Nothing either."""
        return b""

    @abstractmethod
    def _cut(self, chunk: bytes, bodies: list[bytes]) -> None:
        """Appends what is complete to `bodies` and keeps the rest."""

    def _inside(self) -> int:
        """How many bytes of a frame that is not complete are here."""
        return len(self._rest)

    def _under_way(self) -> str:
        """What these bytes are the beginning of."""
        return "frame"

    def _forget(self) -> None:
        """Nothing more comes of what is here."""
        self._rest = bytearray()


class FrameDecoder(Cutter):
    """Cuts a stream of length-prefixed frames.

    Args:
        max_size: the largest body that is taken, in bytes. A longer one is refused as soon as its length is read,
            before a byte of it is stored.
    """

    def __init__(self, max_size: int = MAX_FRAME_SIZE) -> None:
        super().__init__(max_size)
        self._due: int | None = None  # bytes of the body that is under way; None while its length is

    def _cut(self, chunk: bytes, bodies: list[bytes]) -> None:
        position = self._resume(chunk, bodies) if self._rest or self._due is not None else 0
        end, max_size = len(chunk), self._max_size
        while (start := position + _LENGTH) <= end:
            (size,) = _read_length(chunk, position)
            if size > max_size:
                raise FrameTooLarge(size, max_size)
            if (stop := start + size) > end:
                self._due = size
                position = start
                break
            bodies.append(chunk[start:stop])
            position = stop
        if position < end:
            self._rest += chunk[position:] if position else chunk

    def _resume(self, chunk: bytes, bodies: list[bytes]) -> int:
        """Goes on with the frame that an earlier chunk began; where in this chunk the next one begins.

        A frame that comes in many chunks is put together as it comes, each byte once, whatever its length.
        """
        rest, position = self._rest, 0
        if self._due is None:
            position = min(_LENGTH - len(rest), len(chunk))
            rest += chunk[:position]
            if len(rest) < _LENGTH:
                return position
            size = int.from_bytes(rest, "big")
            rest.clear()
            if size > self._max_size:
                raise FrameTooLarge(size, self._max_size)
            self._due = size
        stop = position + self._due - len(rest)
        if stop > len(chunk):
            rest += chunk[position:]
            return len(chunk)
        bodies.append(b"".join((rest, chunk[position:stop])))
        rest.clear()
        self._due = None
        return stop

    def _inside(self) -> int:
        return len(self._rest) if self._due is None else _LENGTH + len(self._rest)


class LengthFraming(FrameDecoder):
    """Four bytes of length before each body, both ways."""

    def wrap(self, body: bytes) -> bytes:
        """The bytes that carry this body."""
        return encode_frame(body)


class NewlineFraming(Cutter):
    """One JSON text a line, both ways; empty lines mean nothing."""

    def wrap(self, body: bytes) -> bytes:
        """The bytes that carry this body."""
        if b"\n" in body:
            raise LocalProtocolError("a body with a line break cannot travel as a line")
        return body + b"\n"

    def _cut(self, chunk: bytes, bodies: list[bytes]) -> None:
        rest, position = self._rest, 0
        while (stop := chunk.find(b"\n", position)) >= 0:
            line = self._judged(chunk[position:stop])
            if rest:
                line = b"".join((rest, line))
                rest.clear()
            if line := line.rstrip():
                bodies.append(line)
            position = stop + 1
        rest += self._judged(chunk[position:])

    def _judged(self, piece: bytes) -> bytes:
        """A piece of a line as far as it is kept; blanks before the text are not, however many come."""
        if not self._rest:
            piece = piece.lstrip()
        if len(self._rest) + len(piece) > self._max_size:
            raise FrameTooLarge(None, self._max_size)
        return piece


_QUOTE, _ESCAPE, _OPEN, _SHUT = b'"\\{}'
_DEEPEST = 1024  # orjson reads no deeper, and braces without end cost more than they weigh
# What means nothing, as far as it goes: in a string all up to its end, whole escapes included; in an object what is no
# brace, whole strings, and whole objects that have none inside. Each takes a step in C where it took several in Python.
_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_IN_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_IN_DEEPEST = re.compile(rb'(?:[^"{}]++|' + _STRING + rb")*+", re.DOTALL)
_IN_OBJECT = re.compile(rb'(?:[^"{}]++|' + _STRING + rb'|\{(?:[^"{}]++|' + _STRING + rb")*+\})*+", re.DOTALL)
_BETWEEN = re.compile(rb"[^ \t\r\n]")


class ObjectFraming(Cutter):
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
        start = position = 0
        while (position := self._next(chunk, position)) < len(chunk):
            byte = chunk[position]
            position += 1
            if self._in_string:
                self._escaped = byte == _ESCAPE
                self._in_string = byte != _QUOTE
            elif byte == _QUOTE:
                self._in_string = True
            elif byte == _OPEN:
                if not self._depth:
                    start = position - 1
                self._depth += 1
                if self._depth > _DEEPEST:
                    raise RemoteProtocolError(f"a JSON object is nested deeper than {_DEEPEST} levels")
            else:
                self._depth -= 1
                if not self._depth:
                    self._check(len(self._rest) + position - start)
                    bodies.append(b"".join((self._rest, chunk[start:position])))
                    self._rest.clear()
        if self._depth:
            self._check(len(self._rest) + len(chunk) - start)
            self._rest += chunk[start:]

    def _next(self, chunk: bytes, position: int) -> int:
        """Where the next byte stands that means something, at or behind this one; the end where there is none."""
        if self._escaped and position < len(chunk):
            self._escaped = False
            position += 1
        if self._in_string or self._depth:
            idle = _IN_STRING if self._in_string else _IN_OBJECT if self._depth < _DEEPEST else _IN_DEEPEST
            found = idle.match(chunk, position)
            assert found is not None  # it matches nothing at all, too
            return found.end()
        found = _BETWEEN.search(chunk, position)
        if found is None:
            return len(chunk)
        if found[0] != b"{":
            raise RemoteProtocolError(f"byte {found[0][0]:#04x} stands between JSON objects")
        return found.start()

    def _check(self, size: int) -> None:
        if size > self._max_size:
            raise FrameTooLarge(None, self._max_size)


def framing_of(delimiting: Delimiting, *, max_size: int = MAX_FRAME_SIZE) -> Framing:
    """A fresh framing for one connection."""
    kinds: Mapping[Delimiting, Callable[[int], Framing]] = {
        Delimiting.LENGTH: LengthFraming,
        Delimiting.NEWLINE: NewlineFraming,
        Delimiting.OBJECTS: ObjectFraming,
    }
    return kinds[delimiting](max_size)
