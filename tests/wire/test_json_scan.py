from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyctrader.wire.json_scan import JsonScan

from .captured import in_parts

OBJECTS: list[Any] = [{"a": 1}, {"b": {"c": ['}"\\', "{\n"]}}, {}, {"é": "日本円"}, {"\\": "\\\\"}]
TEXTS = [json.dumps(each) for each in OBJECTS]


def scanned(text: bytes, size: int = 1 << 16, max_size: int = 1 << 20) -> list[tuple[int, bytes, str | None]]:
    scan = JsonScan(max_size)
    return [piece for part in in_parts(text, size) for piece in scan.feed(part)] + list(scan.close())


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
@pytest.mark.parametrize(
    "text",
    [
        "\n".join(TEXTS),
        "\r\n\r\n".join(TEXTS) + "\r\n",
        "".join(TEXTS),
        "\n".join(json.dumps(each, indent=2, ensure_ascii=False) for each in OBJECTS),
        json.dumps(OBJECTS),
        json.dumps(OBJECTS, indent=1),
    ],
)
def test_objects_are_found_however_they_are_laid_out(text: str, size: int) -> None:
    data = text.encode()
    pieces = scanned(data, size)
    assert [json.loads(found) for _, found, _ in pieces] == OBJECTS
    assert [fault for _, _, fault in pieces] == [None] * len(OBJECTS)
    assert all(data[offset : offset + len(found)] == found for offset, found, _ in pieces)


@pytest.mark.parametrize("size", [1, 1 << 16])
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a":1}\nwhat\n{"b":2}', ['{"a":1}', ("what\n", "this is no JSON object"), '{"b":2}']),
        ('{"a":{"x"\n{"b":2}', [('{"a":{"x"', "an object does not end before the next begins"), '{"b":2}']),
        ('{"a":"x\n{"b":2}', [('{"a":"x', "a line ends within a string"), '{"b":2}']),
        ('{"a":1}\n{"b":', ['{"a":1}', ('{"b":', "the text ends here")]),
        ('{"a":[ {"b":2} ', [('{"a":[ ', "an object does not end"), '{"b":2}']),
        ('{"a":1}\n{"b"\n', ['{"a":1}', ('{"b"', "the text ends here")]),
        ('{"a":1\\', [('{"a":1\\', "the text ends here")]),
        ('}{"a":1}', [("}", "this is no JSON object"), '{"a":1}']),
    ],
)
def test_what_is_no_object_is_told_and_read_past(text: str, found: list[Any], size: int) -> None:
    wanted = [(each.encode(), None) if isinstance(each, str) else (each[0].encode(), each[1]) for each in found]
    pieces = scanned(text.encode(), size)
    if size == 1:  # what stands between objects is told as it comes
        pieces = [piece for piece in pieces if piece[2] != "this is no JSON object"]
        wanted = [each for each in wanted if each[1] != "this is no JSON object"]
    assert [(part, fault) for _, part, fault in pieces] == wanted


def test_braces_without_end_are_not_kept() -> None:
    pieces = scanned(b"{" * 3000, 100)
    assert pieces[0][2] == "an object is nested deeper than 1024 levels"
    pieces = scanned(b'{"a":"' + b"x" * 5000 + b'"}\n{}', 100, max_size=1000)
    assert pieces[0][2] == "an object does not end within 1000 bytes"
    assert pieces[-1][1] == b"{}"


@given(st.text('{}"\\\n,a ', max_size=60), st.integers(1, 20))
def test_garbage_never_does_more_than_be_told_and_a_line_behind_it_is_found(text: str, size: int) -> None:
    data = text.encode() + b'\n{"found":1}'
    pieces = scanned(data, size)
    assert pieces[-1][1].endswith(b'{"found":1}') or b'{"found":1}' in [part for _, part, _ in pieces]
    at = 0
    for offset, part, _ in pieces:
        assert offset >= at
        assert data[offset : offset + len(part)] == part
        at = offset + len(part)
