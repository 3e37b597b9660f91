"""Captures of every form, damaged at random: however the bytes are cut, what comes out is the same."""

from __future__ import annotations

import base64
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyctrader.wire import encode_frame
from anyctrader.wire import messages as oa
from anyctrader.wire.capture import CaptureReader, Content, Encoding, NoCapture
from anyctrader.wire.websocket import Opcode, control_frame, data_frame

from .captured import BODIES, TEXTS, broken, in_parts

KEY = b"\x0a\x0b\x0c\x0d"
ODD = [
    broken(oa.ProtoOATraderRes(ctidTraderAccountId=1)),
    b"\x08\x8f\x4e\x12\x02\x08\x01",  # of a type that nobody knows
    b"\x22\x01a" + BODIES[10],  # what nobody knows, in front
    BODIES[10] + b"\x23\x08\x01\x24",  # and as a group behind
    TEXTS[10],
    TEXTS[11] + b" ",
]
BETWEEN = [  # what may stand between the messages of a WebSocket
    b"GET /?a=b HTTP/1.1\r\nHost: h\r\n\r\n",
    b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nforbidden",
    control_frame(Opcode.PING, b"p"),
    control_frame(Opcode.CLOSE, b"\x03\xe8Bye", key=KEY),
    data_frame(0x02, BODIES[10][:5]),
    data_frame(0x80, BODIES[10][5:]),
    data_frame(0x82, b"\xff" * 1500),
    data_frame(0x81, b"hello"),
]


def framed(bodies: list[bytes]) -> list[bytes]:
    return [encode_frame(body) for body in bodies]


def of_websocket(bodies: list[bytes]) -> list[bytes]:
    parts = [data_frame(0x82, body, key=(b"", KEY)[number % 2]) for number, body in enumerate(bodies)]
    return [each for number, part in enumerate(parts) for each in (part, BETWEEN[(len(part) + number) % len(BETWEEN)])]


def objects(bodies: list[bytes]) -> list[bytes]:
    return [TEXTS[BODIES.index(body)] if body in BODIES else b"what is this?" for body in bodies]


def in_hex(data: bytes) -> bytes:
    return data.hex().encode()


def wrapped(text: bytes) -> bytes:
    return b"\n".join(in_parts(text, 60)) + b"\n"


def dump(data: bytes) -> bytes:
    rows = enumerate(in_parts(data, 16))
    return b"".join(b"%08x: %b  ....\n" % (16 * number, row.hex(" ", 2).encode()) for number, row in rows)


FORMS: dict[str, Callable[[list[bytes]], bytes]] = {
    "frames": lambda bodies: b"".join(framed(bodies)),
    "websocket": lambda bodies: b"".join(of_websocket(bodies)),
    "json": lambda bodies: b"\n".join(objects(bodies)),
    "json in a row": lambda bodies: b"".join(objects(bodies)),
    "frames of json": lambda bodies: b"".join(framed(objects(bodies))),
    "an envelope": lambda bodies: bodies[0],
    "hex, wrapped": lambda bodies: wrapped(in_hex(b"".join(framed(bodies)))),
    "hex, in one": lambda bodies: in_hex(b"".join(framed(bodies))),
    "hex, a frame a line": lambda bodies: b"\n".join(map(in_hex, framed(bodies))),
    "hex, an envelope a line": lambda bodies: b"\n".join(map(in_hex, bodies)),
    "hex, a websocket a line": lambda bodies: b"\n".join(map(in_hex, of_websocket(bodies))),
    "base64, wrapped": lambda bodies: wrapped(base64.b64encode(b"".join(framed(bodies)))),
    "base64, in one": lambda bodies: base64.b64encode(b"".join(framed(bodies))),
    "base64, a frame a line": lambda bodies: b"\n".join(map(base64.b64encode, framed(bodies))),
    "base64, an envelope a line": lambda bodies: b"\n".join(map(base64.b64encode, bodies)),
    "strings of a program": lambda bodies: b"\n".join(repr(part).encode() for part in framed(bodies)),
    "a dump": lambda bodies: dump(b"".join(framed(bodies))),
}

some_bodies = st.lists(st.sampled_from(BODIES), min_size=1, max_size=20) | st.lists(
    st.sampled_from(BODIES) | st.sampled_from(ODD), min_size=1, max_size=12
)
alike = st.builds(lambda body, count: [body] * count, st.sampled_from(BODIES), st.integers(1, 20))
edits = st.lists(
    st.tuples(
        st.floats(0, 1) | st.integers(0, 80),
        st.integers(0, 3) | st.just(20),
        st.sampled_from([b"", b"7", b"!", b"\n", b"{", b"\x00", b"=", b"\xff", b'"', b"\x00\x00\x00"])
        | st.binary(max_size=20),
    ),
    max_size=3,
)


def damaged(data: bytes, places: list[tuple[float, int, bytes]]) -> bytes:
    for place, lost, added in places:
        at = min(place if isinstance(place, int) else int(place * len(data)), len(data))
        data = data[:at] + added + data[at + lost :]
    return data


def said(parts: list[bytes], **known: Any) -> tuple[str, list[Any]]:
    """All that a reader says of a capture."""
    reader = CaptureReader(**known)
    try:
        pieces = [piece for part in parts for piece in reader.feed(part)] + reader.close()
    except NoCapture as error:
        return str(error), []
    return str(reader.form), [repr(piece) for piece in pieces]


def cut(data: bytes, cuts: list[float] | int) -> list[bytes]:
    if isinstance(cuts, int):
        return in_parts(data, cuts)
    ends = [0, *sorted(int(each * len(data)) for each in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(ends)]


splits = st.integers(1, 60) | st.lists(st.floats(0, 1), max_size=4)


@settings(deadline=None, max_examples=25)
@pytest.mark.parametrize("form", FORMS)
@given(bodies=some_bodies | alike, places=edits, cuts=splits)
def test_the_cuts_of_a_capture_change_nothing(
    form: str, bodies: list[bytes], places: list[tuple[float, int, bytes]], cuts: list[float] | int
) -> None:
    data = damaged(FORMS[form](bodies), places)
    assert said(cut(data, cuts)) == said([data])


@settings(deadline=None, max_examples=40)
@pytest.mark.parametrize("content", [Content.FRAMES, Content.WEBSOCKET])
@given(bodies=some_bodies, places=edits, cuts=splits, max_size=st.sampled_from([300, 15_000_000]))
def test_the_cuts_of_a_capture_of_known_form_change_nothing(
    content: Content,
    bodies: list[bytes],
    places: list[tuple[float, int, bytes]],
    cuts: list[float] | int,
    max_size: int,
) -> None:
    data = damaged(FORMS[content.value](bodies), places)
    known = {"encoding": Encoding.BINARY, "content": content, "max_size": max_size}
    assert said(cut(data, cuts), **known) == said([data], **known)


def test_a_frame_that_is_waited_for_in_vain_does_not_make_a_capture_another() -> None:
    bodies = [BODIES[2]] * 6
    data = damaged(b"".join(of_websocket(bodies)), [(0.0, 20, b"\x00")])
    assert said(in_parts(data, 1)) == said([data])
