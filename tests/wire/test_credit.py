from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from anyctrader.wire import scan
from anyctrader.wire.credit import Credit
from anyctrader.wire.frame_scan import FrameScan
from anyctrader.wire.scan import Codecs, Scan
from anyctrader.wire.websocket import data_frame
from anyctrader.wire.websocket_scan import WebSocketScan

from .captured import BODIES, FRAMES, NAMES, names

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 1_000_000
SERVER = data_frame(0x82, BODIES[10])


def test_the_longest_message_is_believed_a_few_times_and_short_ones_always() -> None:
    credit = Credit(MOST)
    assert credit.limit(0) == MOST
    for _ in range(4):
        credit.pay(MOST)
    assert 4000 < credit.limit(0) < 5000


def test_what_is_passed_pays_once_for_what_may_be_read_in_vain() -> None:
    credit = Credit(MOST)
    credit.pay(4 * MOST)
    assert credit.limit(100_000) == credit.limit(100_000) == credit.limit(50_000) == 200_000
    assert credit.limit(100 * MOST) == MOST


@pytest.mark.parametrize(
    ("make", "part", "sound"),
    [
        (FrameScan, b"\x00\xe0\x00\x00\x08", FRAMES[10]),
        (FrameScan, b"\x00\x00\x60\x00\x08", FRAMES[10]),
        (FrameScan, b"\x00\x00\x60\x00{}", FRAMES[10]),
        (WebSocketScan, b"\x82\x7f\x00\x00\x00\x00\x00\xe0\x00\x00\x08\x00", SERVER),
        (WebSocketScan, b"\x82\x7e\x60\x00\x08\x00", SERVER),
        (WebSocketScan, b"\x82\x7e\x60\x00{}", SERVER),
    ],
)
def test_lengths_that_are_made_up_have_each_byte_read_a_few_times_and_no_more(
    make: Callable[[], Scan], part: bytes, sound: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = 0
    decode, walk = Codecs.piece, scan._behind_varint

    def decoding(self: Codecs, body: bytes, *place: int) -> Any:
        nonlocal read
        read += len(body)
        return decode(self, body, *place)

    def walking(*place: Any) -> int:
        nonlocal read
        read += 1
        return walk(*place)

    monkeypatch.setattr(Codecs, "piece", decoding)
    monkeypatch.setattr(scan, "_behind_varint", walking)
    # So that the first bytes, which may be read in vain before any has paid, count for little.
    monkeypatch.setattr(scan, "Credit", lambda _: Credit(25_000))
    data = b"x" + part * (60_000 // len(part)) + sound
    reader = make()
    assert names([*reader.feed(data), *reader.end()]) == [NAMES[10]]
    assert read < 60 * len(data)


def test_a_run_of_bytes_that_end_no_number_is_walked_for_each_length_before_it_a_little() -> None:
    data = b"\x08" + b"\xff" * 100_000
    assert scan._behind_varint(data, 1, len(data)) < 20
