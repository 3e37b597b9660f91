from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyctrader.scripts.recognition import Recognition
from anyctrader.wire.envelope import write_envelope
from anyctrader.wire.messages import ProtoOAErrorRes

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
FRAME = json.dumps(
    {
        "record": "frame",
        "at": OPENED["at"],
        "mono_ns": 2,
        "connection": "a-1",
        "direction": "to_client",
        "size": 8,
        "payloadType": 51,
    },
    separators=(",", ":"),
).encode()


def saying(text: bytes, times: int = 1) -> bytes:
    """Frames of a server that says this."""
    body = write_envelope(2142, ProtoOAErrorRes(errorCode="E", description=text.decode()).SerializeToString(), "1")
    return (len(body).to_bytes(4, "big") + body) * times


def nested(inner: bytes) -> bytes:
    """An indented envelope that has this object in it, at the begin of a line."""
    return b'{\n"payloadType": 2142,\n"payload": {\n"newer":\n' + inner + b"\n}\n}\n"


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
    "a frame alone": FRAME + b"\n",
    "a line ahead that lacks a member": FRAME.replace(b'"size":8,', b"") + b"\n" + FRAME,
    "a line ahead of a kind that is none": FRAME.replace(b'"frame"', b'"fr\xf8me"') + b"\n" + FRAME,
    "a line ahead whose kind is not named": FRAME.replace(b'"record"', b'"re\xf8ord"') + b"\n" + FRAME,
    "a line ahead that ends behind a colon": FRAME[:10] + b"\n" + FRAME + b"\n" + FRAME,
    "a line longer than what is looked at": FRAME[:-1] + b',"body":"' + b"A" * 70_000,
    "bytes ahead that are no text, and a torn line": b"\xff\xfe\x00\x01" + LINE[:40] + b"\n" + LINE,
}
OTHERS = {
    "an envelope": b'{"payloadType":51}\n' * 10,
    "an envelope with a member of a newer server": b'{"payloadType":51,"payload":{},"record":"x"}\n',
    "a record within a text": json.dumps({"payloadType": 51, "clientMsgId": LINE.decode()}).encode(),
    "a record within an object": b'{"payloadType":51,"newer":{"record":"opened"}}\n',
    "a record that is no text": b'{"record":1,"at":""}\n',
    "nesting that is too deep": b'{"record":{"a":' * 4000,
    "bytes": bytes(range(256)) * 10,
    "frames that say the begin of a record": saying(b'see\n{"record":"frame","at":"x', 3),
    "frames that say a record": saying(b"see\n" + LINE + FRAME + b"\n", 3),
    "damage, and frames that say a record": b"\xff\xff" + saying(b"see\n" + LINE, 3),
    "a frame whose end is missing, that says a record": saying(b"see\n" + LINE + b"a" * 300)[:-9],
    "a frame longer than what is looked at, that says a record": saying(b"see\n" + LINE + b"a" * 80_000),
    "an envelope with an unknown member": b'{"payloadType":51,"record":"x"}\n{"payloadType":51}\n',
    "an envelope ahead of a record": b'{"payloadType":51}\n' + LINE,
    "a record within an indented envelope": nested(LINE),
    "a record within an indented envelope whose end is missing": nested(LINE)[:-4],
    "the begin of a record within an indented envelope": nested(LINE)[: 44 + 60],
    "an object of another kind": b'{"record":"close","at":"2026-01-01T00:00:00.000000Z"}\n',
    "a record that lacks all else": b'{"record":"frame"}\n{"record":"opened","x":1}\n',
}


def recognised(data: bytes, sizes: list[int]) -> bool:
    """Whether it is a recording, cut into pieces of these sizes and a rest."""
    recognition = Recognition()
    found: bool | None = False
    for size in [*sizes, len(data)]:
        if found or not data:
            break
        found, data = recognition.feed(data[:size]), data[size:]
    return bool(found) or recognition.close()


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
    assert recognition.feed(bytes(65_535)) is None
    assert recognition.feed(b"\n") is False
    assert recognition.feed(LINE) is False


def test_behind_text_a_recording_is_told_with_its_first_line() -> None:
    assert Recognition().feed(b"garbage\n" + LINE) is True
