from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyctrader.wire import json_scan
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


GOOD = [b'{"n":%d,"of":{"x":"{"}}' % number for number in range(200)]


def told(pieces: list[tuple[int, bytes, str | None]]) -> list[tuple[bytes, str | None]]:
    """Objects and faults, what is no object joined: it is told as it comes."""
    joined: list[tuple[bytes, str | None]] = []
    for _, part, fault in pieces:
        part = part.translate(None, b" ,[]\n")
        if joined and fault is not None and joined[-1][1] == fault:
            part = joined.pop()[0] + part
        joined.append((part, fault))
    return joined


def test_a_pair_of_stray_quotes_makes_no_object_of_what_stands_between_them() -> None:
    pieces = scanned(b"".join((*GOOD[:50], b'{"a":1,"}', *GOOD[50:150], b'{"a":1,"}', *GOOD[150:])))
    assert [part for _, part, fault in pieces if fault is None] == GOOD


@pytest.mark.parametrize("end", [b"", b"\n\n", b"\n{}\n"])
@pytest.mark.parametrize("size", [7, 1 << 16])
@pytest.mark.parametrize("damage", [b'{"a":{"b":"x"y"}}', b'{"a":{"b":"x}}', b'{"a":{"b":"x"}', b'{"a":[{', b'"'])
@pytest.mark.parametrize("max_size", [2000, 1 << 20])
def test_damage_without_a_line_end_costs_none_of_the_objects_behind_it(
    damage: bytes, size: int, max_size: int, end: bytes
) -> None:
    pieces = scanned(b"".join((*GOOD[:100], damage, *GOOD[100:], end)), size, max_size)
    found = [part for _, part, fault in pieces if fault is None]
    assert [each for each in found if each in GOOD] == GOOD
    assert any(fault is not None for _, _, fault in pieces)


@settings(deadline=None)
@given(st.lists(st.sampled_from([*GOOD[:3], b'"', b"{", b"}", b"\n", b"\\", b"x" * 50, b"{" * 1030]), max_size=40))
def test_the_cuts_of_the_text_change_nothing(parts: list[bytes]) -> None:
    text = b"".join(parts)
    whole = scanned(text, max_size=300)
    assert b"".join(part for _, part, _ in whole).translate(None, b" ,[]\n") == text.translate(None, b" ,[]\n")
    for size in (5, 64):
        assert told(scanned(text, size, max_size=300)) == told(whole)


@dataclass
class Counting:
    """Stands for the pattern that looks for marks, and counts how many there were."""

    count: int = 0

    def search(self, *arguments: Any) -> Any:
        self.count += 1
        return MARK.search(*arguments)


MARK = json_scan._MARK


@pytest.mark.parametrize(
    "part", [b'{"a":{"b":"x"y"}}', b'{"a":{"b":1}', b'{" "\\"', b"{" * 1000 + b"}" * 999, b'{"a":"']
)
def test_text_that_is_all_damage_is_looked_at_a_few_times_and_no_more(
    part: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_scan, "_SHORTEST", 100)
    text = part * (30_000 // len(part))
    counting = Counting()
    monkeypatch.setattr(json_scan, "_MARK", counting)
    scanned(text, max_size=10_000)
    assert counting.count < 14 * len(MARK.findall(text))


def test_millions_of_braces_in_a_row_are_read_past_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counting = Counting()
    monkeypatch.setattr(json_scan, "_MARK", counting)
    for size in (1000, 1 << 16):
        pieces = scanned(b"{" * 300_000 + b'{"a":1}{"b":2}', size)
        assert [part for _, part, fault in pieces if fault is None] == [b'{"a":1}', b'{"b":2}']
    assert counting.count < 5000
