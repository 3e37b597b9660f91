from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyctrader.wire.string_bytes import StringBytes
from anyctrader.wire.text_bytes import Break, Encoding, encodings_of

from .captured import in_parts


def read(text: bytes, size: int = 1 << 16) -> list[bytes | Break]:
    """What it gives, with bytes that follow each other joined."""
    reader = StringBytes()
    joined: list[bytes | Break] = []
    for part in (*(each for piece in in_parts(text, size) for each in reader.feed(piece)), *reader.close()):
        if isinstance(part, bytes) and joined and isinstance(joined[-1], bytes):
            joined[-1] += part
        else:
            joined.append(part)
    return joined


@given(st.binary(min_size=1), st.integers(1, 40))
def test_what_python_writes_of_bytes_is_read_as_python_reads_it(data: bytes, size: int) -> None:
    text = repr(data).encode()
    assert ast.literal_eval(text.decode()) == data
    assert read(text, size) == [data]
    assert read(b"data = [" + text + b",\r\n " + text + b"]\n", size) == [data * 2]


@pytest.mark.parametrize("size", [1, 1 << 16])
@pytest.mark.parametrize(
    ("text", "data"),
    [
        (rb'"\x00\x01" \%b"\x02a"' % b"\n", b"\0\1\2a"),
        (rb'"\0\1\012\377\"\?\a\b\f\v\r\n\t\\"', b'\0\1\n\xff"?\a\b\f\v\r\n\t\\'),
        (rb"'\x00it" + b"\"s'", b'\0it"s'),
        (rb"\x00\x01ab" + b"' end", b"\0\1ab"),  # its first quote is lost
        (rb'"\x00\x01' + b"\n" + rb'"ab"', b"\0\1ab"),  # its last one
        (b"no string", b""),
    ],
)
def test_strings_may_be_written_in_many_ways(text: bytes, data: bytes, size: int) -> None:
    assert read(text, size) == ([data] if data else [])


@pytest.mark.parametrize("size", [1, 1 << 16])
def test_what_is_no_character_and_no_escape_is_told_with_what_is_too_little_for_a_message_beside_it(size: int) -> None:
    reason = "line 2: what is here is no character of a string, and no escape"
    first, told, last = read(b'\n"abcd\xff\x00\x80 \\x0 ef\\qghi"', size)
    assert (first, told, last) == (b"abcd", Break(reason, 9), b"qghi")
    assert read(b'\n"abcd\\xzzzz\\x"', size) == [b"abcd", Break(reason, 1), b"zzzz", Break(reason, 1)]


def test_what_has_escapes_and_quotes_may_be_strings() -> None:
    assert encodings_of(rb"b'\x00\x05abc!'")[0] is Encoding.STRING
    assert encodings_of(rb'"\000\005abc!"')[0] is Encoding.STRING
    assert Encoding.STRING not in encodings_of(rb"\x00\x05")
    assert Encoding.STRING not in encodings_of(b'"0005"')


@given(st.binary(max_size=100) | st.text("\\x0'\"a7\n").map(str.encode), st.integers(1, 9))
def test_garbage_never_does_more_than_be_told_and_cuts_change_nothing(data: bytes, size: int) -> None:
    assert read(data, size) == read(data)


def test_what_is_no_string_is_not_kept() -> None:
    reader = StringBytes()
    for chunk in (b"what? " * 10_000, b"\xff" * 60_000, b'"' + b"\xff" * 60_000):
        assert list(reader.feed(chunk)) == []
    assert len(reader._rest) <= 4
    assert [part.lost for part in reader.close() if isinstance(part, Break)] == [60_000]
