"""JSON objects out of text that may be damaged: a line each, or over several lines, or one right after the other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .framing import MAX_FRAME_SIZE

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

__all__ = ["JsonScan"]

_MARK: Final = re.compile(rb'["\\{}\n]')
_BETWEEN: Final = b" \t\r\n,[]"  # what may stand between objects: they may be the elements of a list
_NOT_BETWEEN: Final = re.compile(rb"[^ \t\r\n,\[\]]")
_OPEN: Final = 0x7B
_DEEPEST: Final = 1024  # orjson reads no deeper


class JsonScan:
    """Cuts text into JSON objects. What is none is told, and read past: the next one begins at a brace.

    Args:
        max_size: the longest text of an object that is kept, in bytes.
    """

    def __init__(self, max_size: int = MAX_FRAME_SIZE) -> None:
        self._max_size = max_size
        self._buffer = b""
        self._offset = 0  # of the first byte in the buffer
        self._start = 0  # in the buffer: where what has not been given begins
        self._looked = 0  # in the buffer: up to where braces have been counted
        self._depth = 0
        self._in_string = False

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes, str | None]]:
        """Offset and text of each object that this chunk completes; or of what is none, with what is wrong."""
        self._offset += self._start
        self._looked -= self._start
        self._buffer, self._start = self._buffer[self._start :] + chunk, 0
        yield from self._cut()
        if len(self._buffer) - self._start > self._max_size:
            yield self._taken(len(self._buffer), f"an object does not end within {self._max_size} bytes")

    def close(self) -> Iterator[tuple[int, bytes, str | None]]:
        """What is left, which is no object."""
        yield from self._cut()
        while self._start < len(self._buffer):
            # The rest was taken for one object that never ends: what begins inside of it may be whole.
            inner = self._buffer.find(b"{", self._start + 1)
            if inner < 0:
                yield self._taken(self._start + len(self._buffer[self._start :].rstrip(_BETWEEN)), "the text ends here")
                break
            yield self._taken(inner, "an object does not end")
            yield from self._cut()

    def _cut(self) -> Iterator[tuple[int, bytes, str | None]]:
        while self._depth or (yield from self._begun()):
            found = _MARK.search(self._buffer, self._looked)
            if found is None:
                self._looked = len(self._buffer)
                return
            mark, at = found[0], found.start()
            if mark in b"\\\n" and at + 1 == len(self._buffer):
                self._looked = at  # what it means is told by what comes next
                return
            self._looked = at + 1
            fault = self._fault(mark, at)
            if fault is not None:
                yield self._taken(at, fault)
            elif mark == b"}" and not self._depth:
                yield self._taken(at + 1, None)

    def _fault(self, mark: bytes, at: int) -> str | None:
        """Counts a character that means something; what is wrong with it there, or None."""
        if mark == b'"':
            self._in_string = not self._in_string
        elif mark == b"\n":
            if self._in_string:
                return "a line ends within a string"
            if self._buffer[at + 1] == _OPEN:  # nobody indents what is inside of an object by nothing
                return "an object does not end before the next begins"
        elif self._in_string:
            self._looked += mark == b"\\"
        elif mark != b"\\":
            self._depth += 1 if mark == b"{" else -1
            if self._depth > _DEEPEST:
                return f"an object is nested deeper than {_DEEPEST} levels"
        return None

    def _begun(self) -> Generator[tuple[int, bytes, str | None], None, bool]:
        """Goes to where the next object begins; whether there is one."""
        while (found := _NOT_BETWEEN.search(self._buffer, self._start)) is not None:
            self._start = self._looked = found.start()
            if found[0] == b"{":
                return True
            brace = self._buffer.find(b"{", self._start)
            yield self._taken(brace if brace >= 0 else len(self._buffer), "this is no JSON object")
        self._start = self._looked = len(self._buffer)
        return False

    def _taken(self, end: int, fault: str | None) -> tuple[int, bytes, str | None]:
        piece = (self._offset + self._start, self._buffer[self._start : end], fault)
        self._start = self._looked = end
        self._depth = 0
        self._in_string = False
        return piece
