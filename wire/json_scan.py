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
_RUN: Final = re.compile(rb"[{ \t\r\n]*")
_OPEN: Final = 0x7B
_BEFORE_STRING: Final = frozenset(b"{[,: \t\r\n")
_BEHIND_STRING: Final = frozenset(b"}],: \t\r\n")
_DEEPEST: Final = 1024  # orjson reads no deeper
_TOO_DEEP: Final = f"an object is nested deeper than {_DEEPEST} levels"
# What is inside of an object without end is looked at again, and again for each damage in it. So that this takes no
# more time than a few readings of the whole text, each byte that is told pays for as many to be looked at again. An
# object is believed to be no longer than a part of what can be paid, or than nearly all messages are: that often may
# it be wrong.
_AGAIN: Final = 8
_PART: Final = 4
_SHORTEST: Final = 4096


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
        self._open: list[int] = []  # offsets of the braces that have not been closed
        self._in_string = False
        self._limit = max_size  # bytes within which the object under way has to end
        self._credit = self._most_credit = _PART * max_size  # bytes that may be looked at again
        self._endless: set[int] = set()  # offsets of braces that are known not to be closed
        self._is_garbage = False  # whether what is no object has begun, and no brace has come since
        self._is_sunk = False  # whether braces are read past that go deeper than any object

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes, str | None]]:
        """Offset and text of each object that this chunk completes; or of what is none, with what is wrong."""
        self._offset += self._start
        self._looked -= self._start
        self._buffer, self._start = self._buffer[self._start :] + chunk, 0
        yield from self._cut()

    def close(self) -> Iterator[tuple[int, bytes, str | None]]:
        """What is left, which is no object."""
        yield from self._cut()
        while self._start < len(self._buffer):
            offset, text, fault = self._given_up(len(self._buffer), "an object does not end")
            if self._start == len(self._buffer):
                text, fault = text.rstrip(_BETWEEN), "the text ends here"
            yield offset, text, fault
            yield from self._cut()

    def _cut(self) -> Iterator[tuple[int, bytes, str | None]]:
        while self._open or (yield from self._begun()):
            stop = self._start + self._limit
            found = _MARK.search(self._buffer, self._looked, stop)
            if found is None:
                if len(self._buffer) <= stop:
                    self._looked = max(self._looked, len(self._buffer))
                    return
                # One that begins in the second half had not the room to show that it ends.
                self._open = [place for place in self._open if place < self._offset + stop - self._limit // 2]
                yield self._given_up(stop, f"an object does not end within {self._limit} bytes")
                continue
            mark, at = found[0], found.start()
            if mark in b'"\\\n' and at + 1 == len(self._buffer):
                self._looked = at  # what it means is told by what comes next
                return
            self._looked = at + 1
            fault = self._fault(mark, at)
            if fault is not None:
                yield self._given_up(at, fault)
            elif len(self._open) > _DEEPEST:
                self._is_sunk = True
                yield self._taken(at, _TOO_DEEP)
            elif mark == b"}" and not self._open:
                yield self._taken(at + 1, None)

    def _fault(self, mark: bytes, at: int) -> str | None:
        """Counts a character that means something; what is wrong with it there, or None."""
        if mark == b'"':
            is_due = (
                self._buffer[at + 1] in _BEHIND_STRING if self._in_string else self._buffer[at - 1] in _BEFORE_STRING
            )
            self._in_string = not self._in_string
            if not is_due:
                return "a quote stands where none may be"
        elif mark == b"\n":
            if self._in_string:
                return "a line ends within a string"
            if self._buffer[at + 1] == _OPEN:  # nobody indents what is inside of an object by nothing
                return "an object does not end before the next begins"
        elif self._in_string:
            self._looked += mark == b"\\"
        elif mark != b"\\":
            if mark == b"{":
                self._open.append(self._offset + at)
            else:
                self._open.pop()
        return None

    def _begun(self) -> Generator[tuple[int, bytes, str | None], None, bool]:
        """Goes to where the next object begins; whether there is one."""
        if self._is_sunk:
            found = _RUN.match(self._buffer, self._start)
            assert found is not None  # it may be empty
            last = self._buffer.rfind(b"{", self._start, found.end())
            if last > self._start:
                yield self._taken(last, _TOO_DEEP)
            if found.end() == len(self._buffer):
                return False
            self._is_sunk = False
        while True:
            if not self._is_garbage:
                found = _NOT_BETWEEN.search(self._buffer, self._start)
                if found is None:
                    self._start = self._looked = len(self._buffer)
                    return False
                self._start = self._looked = found.start()
                if found[0] == b"{":
                    self._limit = min(self._max_size, max(self._credit // _PART, _SHORTEST))
                    return True
            brace = self._buffer.find(b"{", self._start)
            self._is_garbage = brace < 0
            end = len(self._buffer) if brace < 0 else brace
            if end > self._start:
                yield self._taken(end, "this is no JSON object")
            if self._is_garbage:
                return False

    def _given_up(self, end: int, fault: str) -> tuple[int, bytes, str | None]:
        """What has no end up to here, told up to where the next object may begin inside of it."""
        self._endless = {place for place in self._endless if place > self._offset + self._start}
        self._endless.update(self._open)  # whoever begins at one of these finds the same
        inner, cost = self._start, end - self._start
        while (inner := self._buffer.find(b"{", inner + 1, end)) >= 0 and self._offset + inner in self._endless:
            pass
        if inner < 0 or cost > self._credit:
            return self._taken(end, fault)
        self._credit -= cost
        return self._taken(inner, fault)

    def _taken(self, end: int, fault: str | None) -> tuple[int, bytes, str | None]:
        piece = (self._offset + self._start, self._buffer[self._start : end], fault)
        self._credit = min(self._most_credit, self._credit + _AGAIN * (end - self._start))
        self._start = self._looked = end
        self._open.clear()
        self._in_string = False
        return piece
