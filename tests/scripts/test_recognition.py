from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyctrader.scripts.recognition import Recognition

OPENED = {
    "record": "opened",
    "at": "2026-11-22T19:40:00.123456Z",
    "mono_ns": 1,
    "format": 1,
    "connection": "a-1",
    "environment": "demo",
    "codec": "protobuf",
    "transport": "tcp",
    "delimiting": "length",
    "server": "x:1",
    "via": "proxy",
}
LINE = json.dumps(OPENED, separators=(",", ":")).encode() + b"\n"
SORTED = json.dumps(OPENED, sort_keys=True).encode() + b"\n"
RECORDINGS = {
    "as we write it": LINE,
    "sorted, as `jq -cS` writes it": SORTED,
    "over several lines, as `jq .` writes it": json.dumps(OPENED, indent=2).encode(),
    "over several lines and sorted": json.dumps(OPENED, indent=4, sort_keys=True).encode(),
    "torn at the end of its first line": LINE[:20],
    "torn ahead": LINE[50:] + LINE,
    "torn ahead, and sorted": SORTED[50:] + SORTED,
    "garbage ahead": b"garbage\n" + LINE,
    "zeros ahead": bytes(512) + b"\n" + LINE,
    "empty lines ahead": b"\n\r\n \n" + LINE,
    "a mark of UTF-8 ahead": b"\xef\xbb\xbf" + SORTED,
    "an object of something else ahead": b'{"ready":true}\n' + SORTED,
    "braces ahead": b"{\n" * 500 + SORTED,
}
OTHERS = {
    "an envelope": b'{"payloadType":51}\n' * 10,
    "an envelope with a member of a newer server": b'{"payloadType":51,"payload":{},"record":"x"}\n',
    "a record within a text": json.dumps({"payloadType": 51, "clientMsgId": LINE.decode()}).encode(),
    "a record within an object": b'{"payloadType":51,"newer":{"record":"opened"}}\n',
    "a record that is no text": b'{"record":1,"at":""}\n',
    "nesting that is too deep": b'{"record":{"a":' * 4000,
    "bytes": bytes(range(256)) * 10,
}


def recognised(data: bytes, sizes: list[int]) -> bool:
    """Whether it is a recording, cut into pieces of these sizes and a rest."""
    recognition = Recognition()
    found = False
    for size in [*sizes, len(data)]:
        if found or not data:
            break
        found, data = recognition.feed(data[:size]), data[size:]
    return found


@pytest.mark.parametrize("data", RECORDINGS.values(), ids=RECORDINGS)
def test_a_recording_is_recognised_whatever_is_ahead_of_it(data: bytes) -> None:
    assert recognised(data, [])


@pytest.mark.parametrize("data", OTHERS.values(), ids=OTHERS)
def test_what_is_none_is_not_taken_for_one(data: bytes) -> None:
    assert not recognised(data, [])


@settings(deadline=None)
@given(
    st.sampled_from([*RECORDINGS.values(), *OTHERS.values()]), st.lists(st.integers(1, 300), max_size=40), st.booleans()
)
def test_how_the_bytes_come_does_not_matter(data: bytes, sizes: list[int], one_by_one: bool) -> None:
    expected = recognised(data, [])
    assert recognised(data, [1] * min(len(data), 400) if one_by_one else sizes) == expected


def test_what_stands_far_behind_the_begin_is_not_waited_for() -> None:
    recognition = Recognition()
    assert not recognition.feed(bytes(65_535))
    assert recognition.is_open
    assert not recognition.feed(b"\n")
    assert not recognition.is_open
