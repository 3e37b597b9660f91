"""Bytes that were written down as text: hex in the ways in which people and programs write it, or base64.

Hex may have spaces, colons, commas, dashes, `0x` or `\\x` between or before its bytes, and the quotes, brackets and
declarations of a program's source around them; or be a dump of xxd, hexdump, tshark or od, with offsets in front
and characters behind.
"""

from __future__ import annotations

import binascii
import enum
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from .framing import MAX_FRAME_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

__all__ = ["Break", "Encoding", "TextBytes", "encodings_of", "row_of"]


class Encoding(enum.Enum):
    """How the messages of a capture are written down."""

    BINARY = "binary"
    """As they travelled."""
    JSON = "json"
    """As JSON objects, one after the other."""
    HEX = "hex"
    DUMP = "dump"
    """Hex with offsets in front, and characters behind."""
    BASE64 = "base64"
    STRING = "string"
    """As strings in the source of a program, with escapes."""


@dataclass(frozen=True, slots=True)
class Break:
    """Where the bytes of a text do not simply go on.

    Attributes:
        reason: what is wrong there, or None at the end of a line.
        lost: how many bytes are missing.
        part: a byte of which only the first bits are there, where the text ends within one.
        bits: how many of them there are.
    """

    reason: str | None = None
    lost: int = 0
    part: bytes = field(default=b"", compare=False)
    bits: int = field(default=0, compare=False)


Written: TypeAlias = "bytes | Break"

_LONGEST_PART: Final = 1 << 16  # characters of a line that are kept until its end is there
_BETWEEN: Final = b" \t\r:,;-"
_AROUND: Final = b"\"'{}[]"  # hex in the source of a program
_EDGES: Final = b" \t\r\n\f\v:,;\"'{}[]"  # of a row of them; a dash may be base64
# What C has before and behind the bytes of an array, as `xxd -i` writes it.
_DECLARED: Final = re.compile(rb"\s*[A-Za-z_][\w \t*]*(?:\[\w*\]\s*=|(?<=_len)\s*=\s*\d+\s*;)")
_COMMENT: Final = re.compile(rb"/\*.{0,200}?\*/")
_ALPHABETS: Final = ((Encoding.HEX, b"0-9a-fA-F"), (Encoding.BASE64, b"A-Za-z0-9+/="))
_PREFIX: Final = re.compile(rb"0[xX]|\\x")
_NO_HEX: Final = re.compile(rb"[^0-9a-fA-F]")
# Where bytes end: at characters that do not belong, with those between that are too few for a message.
_END_OF_HEX: Final = re.compile(rb"[^0-9a-fA-F](?:[0-9a-fA-F]{0,3}[^0-9a-fA-F])*")
_END_OF_BASE64: Final = re.compile(rb"=|[^A-Za-z0-9+/=](?:[A-Za-z0-9+/]{0,3}[^A-Za-z0-9+/=])*")
_FROM_URL: Final = bytes.maketrans(b"-_", b"+/")
_DUMP: Final = re.compile(rb"\s*0{4,16}(?::[ \t]|[ \t]{2})[ \t]*[0-9a-fA-F]{2}")  # a row's own line holds its bytes
# od writes one space behind an offset of six digits or seven, and two behind the bytes where their characters follow.
_OD: Final = re.compile(rb"\s*0{6,7}(?: [0-9a-fA-F]{2})+[ \t]*(?:>|\r?\n|\Z)")
# hexdump writes words of two bytes, the second one of them first; no other dump has groups of four behind seven digits.
_WORDS: Final = re.compile(rb"\s*[0-9a-fA-F]{7}(?: \S{4})+\s*$")
_FIRST_WORDS: Final = re.compile(rb"\s*0{7}(?: [0-9a-fA-F]{4})+[ \t]*(?:\r?\n|\Z)")
_WORD: Final = re.compile(rb"(?<=\s)(\S\S)(\S\S)(?=\s|$)")
_OFFSET: Final = re.compile(rb"\s*([0-9a-fA-F]{4,16})(:?)(?:\s+|$)")
_DIGITS_OF_OD: Final = 7  # of an octal or decimal offset; of a hex one it writes six, and the others four or eight
_MOST_REPEATED: Final = MAX_FRAME_SIZE  # bytes that all `*` of a dump stand for: a few characters would hold us up
_ESCAPED: Final = re.compile(rb"\\(?:x[0-9a-fA-F]{2}|[0-7]{3})")
_LINES_TRIED: Final = 8  # of any lengths; among more, a word may be all right by chance
_ONE_WRONG_IN: Final = 20  # characters, for a text to be tried at all: to look for messages in noise takes long
_STRETCH: Final = 40  # characters without a wrong one, as no noise has: around these anything may be damaged
_WRONG: Final = MappingProxyType({encoding: re.compile(b"[^%b]+" % alphabet) for encoding, alphabet in _ALPHABETS})
_STRETCHES: Final = MappingProxyType(
    {encoding: re.compile(b"[%b]{%d}" % (alphabet, _STRETCH)) for encoding, alphabet in _ALPHABETS}
)


def encodings_of(head: bytes) -> tuple[Encoding, ...]:
    """The ways in which a text may be read, likeliest first; none where it is not written down bytes.

    Args:
        head: the first of its bytes.
    """
    if any(row.match(head) for row in (_DUMP, _OD, _FIRST_WORDS)):
        return (Encoding.DUMP,)
    lines = [line for line in (each.strip() for each in head.splitlines()) if line and not line.startswith(b"#")]
    ways = tuple(encoding for encoding, _ in _ALPHABETS if _may_be([_bare(line, encoding) for line in lines], encoding))
    return (Encoding.STRING, *ways) if _ESCAPED.search(head) and (b'"' in head or b"'" in head) else ways


def row_of(line: bytes) -> bytes:
    """What holds the bytes of a line: it without the declaration, comments and brackets of a program's source."""
    return _undeclared(line).strip(_EDGES)


def _undeclared(line: bytes) -> bytes:
    if (declared := _DECLARED.match(line)) is not None:
        line = line[declared.end() :]
    return _COMMENT.sub(b"", line) if b"*/" in line else line


def _may_be(lines: list[bytes], encoding: Encoding) -> bool:
    """Whether one of the first lines is nearly all right, wrong characters in a row being one; or a part of any is."""
    wrong, stretch = _WRONG[encoding], _STRETCHES[encoding]
    return any(line and len(wrong.findall(line)) <= len(line) // _ONE_WRONG_IN for line in lines[:_LINES_TRIED]) or any(
        stretch.search(line) for line in lines
    )


class TextBytes:
    """Turns a text into the bytes that it stands for, as it comes.

    Args:
        encoding: how it is written.
        by_line: whether each line stands for itself, so that one must not end within a byte.
    """

    def __init__(self, encoding: Encoding, *, by_line: bool) -> None:
        self._encoding = encoding
        self._by_line = by_line
        self._line = b""  # what has come of the line that has not ended
        self._rest = b""  # characters that are not yet enough for whole bytes
        self._part, self._bits = b"", 0  # what the last of base64 has beyond whole bytes
        self._number = 1
        self._previous = 0  # characters of the line before, and of the first one; 0 where it was too long to be kept
        self._first = 0
        self._is_wrapped_within = False  # whether lines end within a byte, all but the last
        self._passed = 0  # characters of the line that were read
        self._wrong = 0  # characters that are left out with one before them, whose group they end
        self._is_cut = False  # whether the line was too long, and its begin has been read
        self._row = b""  # of a dump: the bytes of its last line, none where it is damaged
        self._row_end = 0  # what the offset behind it must be
        self._is_repeated = False
        self._most_repeated = _MOST_REPEATED  # bytes that are left of them
        self._is_words = False
        self._last = b""  # of words: the last byte, which is none where the offset behind it says so
        self._radix = 8  # of its offsets, where od wrote them
        self._is_base64 = encoding is Encoding.BASE64
        self._kind = "base64" if self._is_base64 else "hex"
        self._group, self._bytes_of_group = (4, 3) if self._is_base64 else (2, 1)

    def feed(self, chunk: bytes) -> Iterator[Written]:
        """Bytes, and where they do not simply go on."""
        *ended, rest = (self._line + chunk).split(b"\n")
        self._line = rest
        for line in ended:
            if len(line) > _LONGEST_PART:
                self._is_cut, self._previous = True, 0
            yield from self._read(line)
            yield from self._end()
            self._number += 1
            self._is_cut = False
            self._passed = self._wrong = 0
        if len(self._line) > _LONGEST_PART and self._encoding is not Encoding.DUMP:
            # Not within a prefix; and what is left may still turn out to be the last of the line.
            cut = len(self._line) - 4
            cut -= self._line[cut : cut + 1] in (b"x", b"X")
            part, self._line = self._line[:cut], self._line[cut:]
            self._is_cut, self._previous = True, 0
            yield from self._read(part)

    def close(self) -> Iterator[Written]:
        """What the last line has, though it was not ended."""
        yield from self._read(self._line)
        yield from self._even()
        if self._is_repeated:
            yield Break(f"line {self._number}: the offset behind the last * is missing", max(len(self._row), 1))
        self._line = b""
        self._by_line = True
        yield from self._end()

    def _read(self, line: bytes) -> Iterator[Written]:
        if not self._rest and not self._passed and line.lstrip().startswith(b"#"):
            return
        if self._encoding is Encoding.DUMP:
            self._is_words |= _WORDS.match(line) is not None
            if self._is_words:
                line = _WORD.sub(rb"\2\1", line)
            if line.strip() == b"*":
                self._is_repeated = True
                yield from self._even()
                return
            yield from self._repeated(line)
        line = _bare(line, self._encoding, begins=not self._passed)
        if self._is_words and line:
            end = len(line) - (2 if not _NO_HEX.search(line[-2:]) else 0)
            line, self._last = self._last + line[: max(end, 0)], line[max(end, 0) :]
        if line and not self._is_cut:
            yield from self._begin(len(line))
        wrong, self._wrong = self._wrong, max(self._wrong - len(line), 0)
        passed = self._passed + wrong - len(self._rest)
        self._passed += len(line)
        line = self._rest + line[wrong:]
        self._rest = b""
        end_of_bytes = _END_OF_BASE64 if self._is_base64 else _END_OF_HEX
        while (found := end_of_bytes.search(line)) is not None:
            if self._is_base64 and found[0] == b"=":  # base64 ends here; another one may follow
                yield from self._decoded(line[: found.start()])
                end = len(line) - len(line[found.start() :].lstrip(b"="))
            else:
                at = found.start() - found.start() % self._group  # whole bytes before it are good
                end = found.end() + (at - found.end()) % self._group
                yield from self._whole(line[:at])
                number = passed + found.start() + 1
                reason = f"line {self._number}: the character {number} of its {self._kind} is none of {self._kind}"
                yield Break(reason, (end - at) // self._group * self._bytes_of_group)
                self._wrong = max(end - len(line), 0)
            line, passed = line[end:], passed + end
        yield from self._whole(line)

    def _begin(self, size: int) -> Iterator[Written]:
        """A new line, of so many characters: what the last one left belongs to it where lines end within a byte."""
        first, previous = self._first, self._previous
        self._first, self._previous = first or size, size
        if not first or not self._rest or not previous:
            return
        # Wrapped within a byte, lines are alike; where one alone ends so, characters of it were lost or added.
        is_alike = self._is_wrapped_within or size == previous or size % self._group > 0
        if is_alike and self._encoding is not Encoding.DUMP:
            self._is_wrapped_within |= self._number == 2 and size == previous
            return
        due = max(size, 0 if first % self._group else first)
        lost = max(due // self._group - previous // self._group, 0) * self._bytes_of_group
        self._rest = b""
        yield Break(f"line {self._number - 1}: its {self._kind} ends within a byte", lost)

    def _repeated(self, line: bytes) -> Iterator[Written]:
        """The lines of a dump that a `*` before this one stands for: they are as the last one (hexdump without -v)."""
        found = _OFFSET.match(line)
        if found is None:
            return
        offset = self._place(found[1])
        if self._is_words and offset == self._row_end - 1:
            self._last = b""
        if self._is_repeated:
            self._is_repeated = False
            size = offset - self._row_end
            if self._row and 0 < size <= self._most_repeated:
                self._most_repeated -= size
                rows = self._row * (_LONGEST_PART // len(self._row) + 1)
                for start in range(0, size, len(rows)):
                    yield rows[: size - start]
            elif self._row and size > 0:
                most = f"more than the {_MOST_REPEATED:,} that are believed of a dump"
                yield Break(f"line {self._number}: with what the * before it stands for, {most} are repeated", size)
            else:
                yield Break(
                    f"line {self._number}: the lines that the * before it stands for are not known", max(size, 1)
                )
        bare = _bare(line, self._encoding)
        self._row = b"" if len(bare) % 2 or _NO_HEX.search(bare) else binascii.unhexlify(bare)
        self._row_end = offset + len(self._row)

    def _even(self) -> Iterator[Written]:
        """The last byte of words."""
        last, self._last = self._last, b""
        yield from self._whole(self._rest + last)

    def _place(self, offset: bytes) -> int:
        """What an offset says: hex; but those of od are octal, or decimal, where they have seven digits."""
        if len(offset) != _DIGITS_OF_OD or self._is_words:
            return int(offset, 16)
        if self._row_end and _number(offset, 10) == self._row_end:
            self._radix = 10
        return _number(offset, self._radix)

    def _whole(self, text: bytes) -> Iterator[Written]:
        if text:
            self._part = b""
        cut = len(text) - len(text) % self._group
        self._rest = text[cut:]
        if cut:
            yield self._bytes(text[:cut])

    def _decoded(self, text: bytes) -> Iterator[Written]:
        """The bytes of base64 that ends here, its padding left out."""
        if len(text) % 4 == 1:
            yield from self._decoded(text[:-1])
            part = binascii.a2b_base64(text[-1:] + b"AAA")[:1]
            yield Break(f"line {self._number}: its base64 ends within a byte", 1, part=part, bits=6)
        elif text:
            missing = -len(text) % 4
            yield self._bytes(text + b"=" * missing)
            self._part = binascii.a2b_base64(text + b"A" * missing)[-missing:][:1] if missing else b""
            self._bits = 4 if missing == 2 else 2

    def _end(self) -> Iterator[Written]:
        if self._by_line:
            rest, self._rest = self._rest, b""
            if self._is_base64:
                yield from self._decoded(rest)
            elif rest:
                part = binascii.unhexlify(rest + b"0")
                yield Break(f"line {self._number}: its hex ends within a byte", 1, part=part, bits=4)
            part, self._part = self._part, b""
            yield Break(part=part, bits=self._bits if part else 0)

    def _bytes(self, text: bytes) -> bytes:
        return binascii.a2b_base64(text) if self._is_base64 else binascii.unhexlify(text)


def _number(text: bytes, radix: int) -> int:
    """What these digits say; -1 where they are none."""
    return int(text, radix) if not text.strip(b"0123456789"[:radix]) else -1


def _bare(line: bytes, encoding: Encoding, *, begins: bool = True) -> bytes:
    """A line, or a part of one that begins with it or does not, without what stands between its characters."""
    if encoding is Encoding.BASE64:
        return line.translate(_FROM_URL, b" \t\r\"'")
    if encoding is Encoding.DUMP:
        offset = _OFFSET.match(line)
        if offset is None:
            return b"" if not line.strip() else line.strip()
        line = line[offset.end() :]
        # What xxd writes behind two spaces, hexdump behind a bar, od an angle and tshark three spaces are characters.
        line = re.split(rb"\s\s" if offset[2] else rb"\||\s\s\s|\s\s>", line, maxsplit=1)[0]
        return line.translate(None, _BETWEEN)
    if begins:
        line = _undeclared(line)
    elif b"*/" in line:
        line = _COMMENT.sub(b"", line)
    if b"x" in line or b"X" in line:
        line = _PREFIX.sub(b"", line)
    return line.translate(None, _BETWEEN + _AROUND)
