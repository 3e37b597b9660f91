from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyctrader.wire import encode_frame
from anyctrader.wire import messages as oa
from anyctrader.wire.frame_scan import FrameScan
from anyctrader.wire.scan import Looked, Piece, decoded

from .captured import BODIES, FRAMES, NAMES, STREAM, TEXTS, broken, covered, damages, in_parts, names

THREE = b"".join(FRAMES[10:13])
FIRST = len(FRAMES[10])
SECOND = FIRST + len(FRAMES[11])
EXTRA = b"\x22\x02ab\x29" + bytes(8) + b"\x35" + bytes(4)  # fields of the envelope that nobody knows


def scanned(data: bytes, size: int = 1 << 16, max_size: int = 10_000) -> list[Piece]:
    scan = FrameScan(max_size)
    return [piece for part in in_parts(data, size) for piece in scan.feed(part)] + scan.cut("the capture ends")


@pytest.mark.parametrize("size", [1, 3, 100, 1 << 16])
def test_every_frame_is_found_whatever_the_cut(size: int) -> None:
    pieces = scanned(STREAM, size)
    assert names(pieces) == NAMES
    assert covered(pieces) == len(STREAM)


def test_json_and_protobuf_may_stand_side_by_side() -> None:
    data = b"".join(encode_frame(body) for pair in zip(BODIES, TEXTS, strict=True) for body in pair)
    assert names(scanned(data, 50)) == [name for name in NAMES for _ in range(2)]


def test_unknown_fields_of_an_envelope_are_no_damage() -> None:
    data = encode_frame(BODIES[10] + EXTRA) + FRAMES[11]
    for size in range(1, len(data)):
        assert names(scanned(data, size)) == NAMES[10:12]


@pytest.mark.parametrize("size", [1, 1 << 16])
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (b"\xff\xff\xff\xff", "a length of 4294967295 bytes, more than 10000"),
        (b"\x00\x00\x00\x00", "no message fits a length of 0 bytes here"),
        (b"\x00\x00\x00\x05", "no message fits a length of 5 bytes here"),
        (b"\x00\x00\x20\x00", "no message fits a length of 8192 bytes here"),
    ],
)
def test_a_wrong_length_costs_its_frame_and_no_other(wrong: bytes, reason: str, size: int) -> None:
    data = THREE[:FIRST] + wrong + THREE[FIRST + 4 :]
    pieces = scanned(data, size)
    assert names(pieces) == [NAMES[10], NAMES[12]]
    (damage,) = damages(pieces)
    assert (damage.offset, damage.size, damage.reason) == (FIRST, len(FRAMES[11]), reason)


def test_a_length_that_reaches_over_the_end_hides_no_frame_behind_it() -> None:
    # Nothing in what is here speaks against the length: a frame whose last field is as long as all that follows.
    liar = (5000).to_bytes(4, "big") + b"\x08\x33\x12\xf0\x26"
    pieces = scanned(THREE[:FIRST] + liar + THREE[FIRST:], 10)
    assert names(pieces) == NAMES[10:13]
    assert [(damage.offset, damage.size) for damage in damages(pieces)] == [(FIRST, len(liar))]


@pytest.mark.parametrize("at", [1, 3, 4, 5, 9])
def test_a_capture_that_ends_inside_a_frame_says_how_much_is_missing(at: int) -> None:
    pieces = scanned(THREE[: SECOND + at])
    assert names(pieces) == NAMES[10:12]
    (damage,) = damages(pieces)
    assert (damage.offset, damage.size) == (SECOND, at)
    inside = (
        f"inside the length of a frame, {at} bytes into it"
        if at < 4
        else (f"inside a frame: {at - 4} of its {len(BODIES[12])} bytes are there")
    )
    assert damage.reason == f"the capture ends {inside}"


def test_a_payload_that_cannot_be_read_costs_its_frame_and_is_named() -> None:
    bad = encode_frame(broken(oa.ProtoOATraderRes(ctidTraderAccountId=1)))
    for size in (1, FIRST + len(bad) + 2, 1 << 16):
        pieces = scanned(FRAMES[10] + bad + FRAMES[11], size)
        assert names(pieces) == NAMES[10:12]
        (damage,) = damages(pieces)
        assert (damage.offset, damage.size) == (FIRST, len(bad))
        assert damage.message is not None
        assert (damage.message.name, damage.message.client_msg_id) == ("ProtoOATraderRes", "broken")
        assert "trader" in damage.reason
    (damage,) = damages(scanned(bad))
    assert damage.message is not None


def test_a_sound_envelope_behind_which_nothing_begins_was_none() -> None:
    bad = encode_frame(broken(oa.ProtoOATraderRes(ctidTraderAccountId=1)))
    pieces = scanned(bad + b"\xff\xff\xff\xff\xff\xff" + FRAMES[10])
    assert names(pieces) == [NAMES[10]]
    assert [damage.size for damage in damages(pieces)] == [len(bad) + 6]


def test_a_frame_of_a_type_that_nobody_knows_is_a_frame() -> None:
    newer = encode_frame(b"\x08\x8f\x4e\x12\x02\x08\x01")
    assert names(scanned(newer + FRAMES[10])) == ["Unknown(9999)", NAMES[10]]
    for behind in (b"", FRAMES[10]):  # behind damage too, if another follows or nothing does
        assert names(scanned(b"\xff" * 9 + newer + behind))[0] == "Unknown(9999)"
    assert names(scanned(b"\xff" * 9 + newer + b"\xff" * 9 + FRAMES[10])) == [NAMES[10]]


def test_json_that_does_not_end_with_its_frame_is_damage() -> None:
    data = encode_frame(TEXTS[10][:-1] + b" ") + FRAMES[11]
    for size in (1, 1 << 16):
        pieces = scanned(data, size)
        assert names(pieces) == [NAMES[11]]
        assert covered(pieces) == len(data)


def test_missing_bytes_are_counted_where_they_are_missing() -> None:
    scan = FrameScan()
    pieces = [*scan.feed(FRAMES[10]), *scan.cut("a bad character", lost=3), *scan.feed(FRAMES[11])]
    assert names(pieces) == NAMES[10:12]
    assert [(damage.offset, damage.size, damage.reason) for damage in damages(pieces)] == [
        (FIRST, 3, "a bad character")
    ]
    assert pieces[-1].offset == FIRST + 3
    pieces = [*scan.feed(FRAMES[12][:6]), *scan.cut("a bad character", lost=1)]
    assert pieces[0].size == 7
    assert scan.in_step
    assert scan.cut("the end") == []


def test_a_scan_that_others_go_on_from_stops_at_the_first_fault() -> None:
    scan = FrameScan()
    scan.begin(100)
    data = FRAMES[10] + b"\xff" * 5 + FRAMES[11]
    pieces = []
    for part in in_parts(data, 7):
        if scan.in_step:
            pieces += scan.feed(part)
    assert (names(pieces), pieces[0].offset) == ([NAMES[10]], 100)
    assert not scan.in_step
    offset, unread, fault = scan.unread
    assert offset == 100 + FIRST
    assert data[FIRST:].startswith(unread)
    assert "a length of 4294967295 bytes" in fault
    scan = FrameScan()
    scan.begin(0)
    half = FRAMES[10][:-3]
    assert scan.feed(half, ended=True) == []
    assert (scan.in_step, scan.unread) == (True, (0, half, "the length of this frame is wrong"))
    (damage,) = damages(scan.cut("the line ends", lost=2))
    assert (damage.offset, damage.size) == (0, len(half) + 2)


def test_bytes_may_be_looked_through_for_the_next_frame() -> None:
    assert FrameScan().look(b"\xff\xff" + FRAMES[10], ended=False) == Looked(2, found=True, waiting=0)
    assert FrameScan().look(b"\xff\xff" + FRAMES[10][:-3], ended=False) == Looked(2, found=False, waiting=3)
    assert FrameScan().look(b"\xff" * 9, ended=False) == Looked(5, found=False, waiting=0)
    assert not FrameScan().look(FRAMES[10][:-3], ended=True).found


def test_a_body_alone_is_decoded_by_what_it_begins_with() -> None:
    assert decoded(BODIES[10], 5, 9).offset == 5
    assert names([decoded(TEXTS[10], 0, 9)]) == [NAMES[10]]
    assert damages([decoded(b"\xff", 0, 1)])


@given(st.binary(max_size=200), st.binary(max_size=200), st.integers(1, 60))
def test_garbage_hides_no_frame_that_is_followed_by_another(before: bytes, between: bytes, size: int) -> None:
    data = b"\xff" + before + b"\xff" * 12 + THREE + between
    pieces = scanned(data, size, max_size=500)
    assert set(NAMES[10:13]) <= set(names(pieces))
    assert covered(pieces) == len(data)


@given(st.data())
def test_any_change_of_one_byte_costs_at_most_two_frames(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(THREE) - 1))
    changed = bytearray(FRAMES[9] + THREE + FRAMES[13])
    changed[len(FRAMES[9]) + at] ^= data.draw(st.integers(1, 255))
    pieces = scanned(bytes(changed), data.draw(st.integers(1, 300)))
    assert names(pieces)[0] == NAMES[9]
    assert names(pieces)[-1] == NAMES[13]
    assert len(names(pieces)) >= 3
    assert covered(pieces) == len(changed)


def test_json_that_is_none_is_damage() -> None:
    pieces = scanned(encode_frame(b'{"payloadType":}') + FRAMES[11])
    assert names(pieces) == [NAMES[11]]
    assert "no JSON" in damages(pieces)[0].reason


def test_what_only_looks_like_a_frame_is_passed_over_when_one_is_looked_for() -> None:
    for lure in (b"\x00\x00\x00\x05\x08\x33\x12\xff\xff", b"\x00\x00\x00\x40\x08\x33\x12\x3c", b"\x00\x00\x00\x00\x08"):
        data = b"\xff" * 6 + lure
        assert [damage.size for damage in damages(scanned(data, 5))] == [len(data)]
        assert names(scanned(data + FRAMES[10], 5)) == [NAMES[10]]


def test_a_frame_of_unknown_type_behind_damage_may_be_followed_by_half_a_length() -> None:
    newer = encode_frame(b"\x08\x8f\x4e\x12\x02\x08\x01")
    assert names(scanned(b"\xff" * 9 + newer + b"\x00\x00")) == ["Unknown(9999)"]


def test_damage_without_end_is_not_kept() -> None:
    scan = FrameScan()
    pieces = [piece for _ in range(40) for piece in scan.feed(b"\xff" * 100_000)]
    assert covered(pieces) > 2_000_000
    pieces += scan.feed(FRAMES[10])
    assert names(pieces) == [NAMES[10]]
    assert covered(pieces) == 4_000_000 + FIRST
