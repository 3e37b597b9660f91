"""Bytes that were written down as the strings of a program: in quotes, those that are no characters as escapes.

So does Python's `repr`, and Wireshark ("as escaped string"), and C. Strings one behind the other, or on lines of their
own, are one; what stands between them is left out.
"""

from __future__ import annotations

import binascii
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from .text_bytes import Break

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

__all__ = ["StringBytes"]

_LONGEST: Final = 4  # characters of an escape
_SHORTEST: Final = 4  # bytes of a length: no message has fewer, so what stands between two damages says nothing
# Where a string begins, or goes on: an escape stands in one, though its quote be damaged.
_BEGIN: Final = re.compile(rb"[\"'\n]|\\(?:x[0-9a-fA-F]{2}|[0-7]{3})")
_HEX: Final = re.compile(rb"(?:\\x[0-9a-fA-F]{2})+")
_OCTAL: Final = re.compile(rb"\\([0-7]{1,3})")
_NAMED: Final = re.compile(rb"\\([abfnrtv\\'\"?])")
_NAMES: Final[Mapping[bytes, bytes]] = MappingProxyType(
    {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
)
_PLAIN: Final = re.compile(rb"[ !#-&(-\[\]-~]+")  # neither a quote nor an escape
_WRONG: Final = re.compile(rb"\\(?:x[0-9a-fA-F]?)?|[^ -~\n]+")
_QUOTES: Final = b"\"'"


class StringBytes:
    """Turns strings into the bytes that they stand for, as they come."""

    def __init__(self) -> None:
        self._rest = b""  # the last of what has come: it may be part of an escape
        self._is_inside = False  # a string, which no end of a line is
        self._quote = b""  # that ends the string; any, where the one at its begin was not seen
        self._number = 1  # of the line
        self._bytes = bytearray()
        self._break: Break | None = None  # before these bytes

    def feed(self, chunk: bytes) -> Iterator[bytes | Break]:
        """Bytes, and where they do not simply go on."""
        return self._read(chunk, ended=False)

    def close(self) -> Iterator[bytes | Break]:
        """What is left at the end."""
        yield from self._read(b"", ended=True)
        yield from self._given()

    def _read(self, chunk: bytes, *, ended: bool) -> Iterator[bytes | Break]:
        data = self._rest + chunk
        at, stop = 0, len(data) if ended else len(data) - _LONGEST
        while at < stop:
            if self._is_inside:
                at = yield from self._inside(data, at)
                continue
            found = _BEGIN.search(data, at)
            if found is None or found.start() >= stop:
                at = stop
                break
            at = found.start()
            if found[0] == b"\n":
                self._number += 1
                at += 1
                continue
            self._is_inside = True
            self._quote = found[0] if found[0] in _QUOTES else b""
            at += len(self._quote)
        self._rest = data[at:]
        if self._break is None or len(self._bytes) >= _SHORTEST:
            yield from self._given()

    def _inside(self, data: bytes, at: int) -> Generator[bytes | Break, None, int]:
        """Reads a part of a string, and returns where it ends."""
        if (found := _PLAIN.match(data, at)) is not None:
            self._bytes += found[0]
        elif (found := _HEX.match(data, at)) is not None:
            self._bytes += binascii.unhexlify(found[0].replace(b"\\x", b""))
        elif (found := _OCTAL.match(data, at)) is not None:
            self._bytes.append(int(found[1], 8) & 0xFF)
        elif (found := _NAMED.match(data, at)) is not None:
            self._bytes += _NAMES.get(found[1], found[1])
        elif (found := _WRONG.match(data, at)) is not None:
            yield from self._damaged(len(found[0]) if found[0][:1] != b"\\" else 1)
        else:
            return at + self._at_quote_or_end(data[at : at + 1])
        return found.end()

    def _at_quote_or_end(self, character: bytes) -> int:
        """Reads a quote, which may be one of the string's own characters, or the end of its line."""
        if character in _QUOTES and self._quote not in (b"", character):
            self._bytes += character
        else:
            self._is_inside = False
            self._number += character == b"\n"
        return 1

    def _damaged(self, lost: int) -> Iterator[bytes | Break]:
        if self._break is not None and len(self._bytes) < _SHORTEST:
            self._break = Break(self._break.reason, self._break.lost + len(self._bytes) + lost)
            self._bytes.clear()
            return
        yield from self._given()
        self._break = Break(f"line {self._number}: what is here is no character of a string, and no escape", lost)

    def _given(self) -> Iterator[bytes | Break]:
        if self._break is not None:
            yield self._break
            self._break = None
        if self._bytes:
            yield bytes(self._bytes)
            self._bytes.clear()
