from __future__ import annotations

import base64
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyctrader.wire.frame_scan import FrameScan
from anyctrader.wire.phases import PhaseScan
from anyctrader.wire.rendering import Frame
from anyctrader.wire.scan import Damage, Piece
from anyctrader.wire.text_bytes import Break, Encoding, TextBytes
from anyctrader.wire.websocket import data_frame
from anyctrader.wire.websocket_scan import WebSocketScan

from .captured import BODIES, FRAMES, MESSAGES, NAMES, STREAM, TEXTS, covered, damages, in_parts, names
from .edits import edited, edits, hurt

HEX, BASE64 = Encoding.HEX, Encoding.BASE64
WRITTEN = {HEX: STREAM.hex().encode(), BASE64: base64.b64encode(STREAM)}
LESS = b"".join(FRAMES[:90])
KINDS = {
    "hex": (HEX, WRITTEN[HEX]),
    "base64": (BASE64, WRITTEN[BASE64]),
    "base64 with padding": (BASE64, base64.b64encode(LESS)),
    "base64 without its padding": (BASE64, base64.b64encode(LESS).rstrip(b"=")),
}


def read(text: bytes, encoding: Encoding, size: int = 1 << 16, scan: PhaseScan | None = None) -> list[Piece]:
    reader, scan = TextBytes(encoding, by_line=True), scan or PhaseScan(FrameScan, encoding)
    pieces: list[Piece] = []
    for part in (*(each for piece in in_parts(text, size) for each in reader.feed(piece)), *reader.close()):
        if isinstance(part, Break):
            pieces += scan.cut(part.reason or "the line ends", lost=part.lost, part=part.part, bits=part.bits)
        else:
            pieces += scan.feed(part)
    return pieces + scan.end()


def sizes(text: bytes, encoding: Encoding) -> range:
    """How many bytes a text may stand for: one that is there in part counts where its bits belong to a frame."""
    parts = [*(reader := TextBytes(encoding, by_line=True)).feed(text), *reader.close()]
    least = sum(part.lost if isinstance(part, Break) else len(part) for part in parts)
    return range(least, least + 1 + sum(isinstance(part, Break) and part.bits > 0 for part in parts))


@settings(deadline=None)
@pytest.mark.parametrize("kind", KINDS)
@given(st.data())
def test_characters_lost_or_added_anywhere_cost_the_messages_that_they_stand_in_and_those_right_behind(
    kind: str, data: st.DataObject
) -> None:
    encoding, text = KINDS[kind]
    messages = MESSAGES[: len(names(read(text, encoding)))]
    places = data.draw(edits(text))
    changed, damaged = edited(text, places), hurt(encoding, places)
    pieces = read(changed, encoding)
    whole = [message for number, message in enumerate(messages) if number not in damaged]
    assert [piece.message for piece in pieces if isinstance(piece, Frame) and piece.message in whole] == whole
    assert covered(pieces) in sizes(changed, encoding)
    assert read(changed, encoding, data.draw(st.integers(1, 300))) == pieces


@pytest.mark.parametrize("size", [50, 1 << 16])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("encoding", WRITTEN)
def test_lost_or_added_characters_are_told_and_cost_one_or_two_messages(
    encoding: Encoding, count: int, size: int
) -> None:
    text = WRITTEN[encoding]
    for at in (len(text) // 3, len(text) // 2, len(text) - 40):
        for changed in (text[:at] + text[at + count :], text[:at] + b"7" * count + text[at:]):
            pieces = read(changed, encoding, size)
            assert len(names(pieces)) >= len(NAMES) - 2
            assert damages(pieces)


GARBAGE = [
    WRITTEN[HEX][:300],
    WRITTEN[BASE64][:301],
    b"0",
    b"f7",
    b"zz",
    b"=",
    b"==",
    b"\n",
    b"08" * 200,
    b"00000002083",
]


@settings(deadline=None)
@pytest.mark.parametrize("encoding", WRITTEN)
@given(st.lists(st.sampled_from(GARBAGE) | st.binary(max_size=9)), st.integers(1, 99))
def test_garbage_is_told_in_its_order_and_each_byte_of_it_once(
    encoding: Encoding, parts: list[bytes], size: int
) -> None:
    text = b"".join(parts)
    assert covered(read(text, encoding)) in sizes(text, encoding)
    assert covered(read(text, encoding, size)) in sizes(text, encoding)


def told(pieces: list[Piece]) -> list[tuple[str, int | None, int | None]]:
    return [
        (piece.message.name if isinstance(piece, Frame) else "damage", piece.offset, piece.size) for piece in pieces
    ]


TEN, ELEVEN, TWELVE, THIRTEEN = NAMES[10:14]
A, B, C, D = (len(frame) for frame in FRAMES[10:14])
FOUR = b"".join(FRAMES[10:14])


@pytest.mark.parametrize("size", [1, 2, 7, 1 << 16])
def test_offsets_count_bytes_of_the_text_and_what_begins_within_one_has_that_of_the_next(size: int) -> None:
    text = FOUR.hex().encode()
    inside, later = 2 * A + 20, 2 * (A + B) + 20
    lost = text[:inside] + text[inside + 1 :]
    assert told(read(lost, HEX, size)) == [
        (TEN, 0, A),
        ("damage", A, B),  # half a byte of it is not there
        (TWELVE, A + B, C),
        (THIRTEEN, A + B + C, D),
    ]
    twice = text[:inside] + text[inside + 1 : later] + text[later + 1 :]
    assert told(read(twice, HEX, size)) == [(TEN, 0, A), ("damage", A, B + C - 1), (THIRTEEN, A + B + C - 1, D)]
    apart = lost[: 2 * (A + B + C) + 20] + lost[2 * (A + B + C) + 21 :] + text
    assert told(read(apart, HEX, size)) == [
        (TEN, 0, A),
        ("damage", A, B),
        (TWELVE, A + B, C),
        ("damage", A + B + C, D - 1),
        (TEN, A + B + C + D - 1, A),
        (ELEVEN, 2 * A + B + C + D - 1, B),
        (TWELVE, 2 * A + 2 * B + C + D - 1, C),
        (THIRTEEN, 2 * A + 2 * B + 2 * C + D - 1, D),
    ]


def test_a_digit_too_many_between_two_messages_costs_none() -> None:
    text = FOUR.hex().encode()
    between = 2 * A
    one = text[:between] + b"7" + text[between:]
    assert told(read(one, HEX)) == [
        (TEN, 0, A),
        ("damage", A, 1),
        (ELEVEN, A + 1, B),
        (TWELVE, A + B + 1, C),
        (THIRTEEN, A + B + C + 1, D),
    ]
    between += 2 * B + 1
    assert told(read(one[:between] + b"7" + one[between:], HEX)) == [
        (TEN, 0, A),
        ("damage", A, 1),
        (ELEVEN, A + 1, B),
        ("damage", A + B + 1, 0),  # the other half of the byte
        (TWELVE, A + B + 1, C),
        (THIRTEEN, A + B + C + 1, D),
    ]


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
def test_the_last_message_may_end_within_a_byte(size: int) -> None:
    for encoding, text in WRITTEN.items():
        for count in (1, 2, 3):
            lost = text[:100] + text[100 + count :]
            pieces = read(lost, encoding, size)
            assert names(pieces)[-60:] == NAMES[-60:]
            assert len(damages(pieces)) == 1
            assert names(read(lost + b"A", encoding, size)) == names(pieces)
            assert names(read(lost + b"!", encoding, size))[-59:] in (NAMES[-59:], NAMES[-60:-1])


@pytest.mark.parametrize(("encoding", "stray"), [(HEX, b"7"), (BASE64, b"Q")])
def test_a_character_behind_the_last_message_is_told(encoding: Encoding, stray: bytes) -> None:
    body = FRAMES[10] + FRAMES[13] if encoding is HEX else b"".join(FRAMES[10:20])
    while encoding is BASE64 and len(body) % 3:
        body += FRAMES[len(body) % 3]
    text = body.hex().encode() if encoding is HEX else base64.b64encode(body)
    *_, last = read(text + stray, encoding)
    assert isinstance(last, Damage)
    assert (last.offset, last.size) == (len(body), 1)
    assert "ends within a byte" in last.reason


def test_a_frame_that_does_not_end_hides_none_behind_it_and_none_of_another_way() -> None:
    # Nothing speaks against this length up to the end; behind it stand frames in its own way, then in another one.
    liar = (0x00E00000).to_bytes(4, "big") + b"{"
    text = (FRAMES[10] + b"\xff" * 9 + liar + FRAMES[11] + FRAMES[12]).hex() + "7" + FOUR.hex()
    for size in (1, 50, 1 << 16):
        assert names(read(text.encode(), HEX, size)) == [TEN, ELEVEN, TWELVE, *NAMES[10:14]]
    scan = PhaseScan(FrameScan, HEX)
    assert scan.in_step
    assert names(scan.feed(bytes.fromhex(text + "7"))) == [TEN]
    assert not scan.in_step
    limited = PhaseScan(lambda: FrameScan(1000), HEX)  # it is known at once that this is none
    assert names(limited.feed(bytes.fromhex(text + "7"))) == [TEN, ELEVEN, TWELVE, *NAMES[10:14]]


@pytest.mark.parametrize("length", [b"\x00\x00\x02\x16", b"\x00\xe0\x00\x00"])
def test_a_frame_that_was_believed_up_to_its_end_or_that_of_the_text_hides_none(length: bytes) -> None:
    text = (FRAMES[9] + length + b"{").hex() + "7" + FOUR.hex() + "7" + STREAM.hex()
    for size in (99, 1 << 16):
        assert names(read(text.encode(), HEX, size)) == [NAMES[9], *NAMES[10:14], *NAMES]


def test_damage_without_end_is_not_kept() -> None:
    scan, chunk = PhaseScan(FrameScan, BASE64), b"\xff" * 100_000
    tracemalloc.start()
    for _ in range(40):
        assert scan.feed(chunk) == []
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1_000_000
    shifted = (int.from_bytes(FOUR, "big") << 2).to_bytes(len(FOUR) + 1, "big")
    pieces = [*scan.feed(shifted), *scan.end()]
    assert names(pieces) == NAMES[10:14]
    assert (pieces[0].offset, pieces[0].size) == (0, 4_000_000 + 1)


def test_a_line_that_is_all_damage_costs_no_other() -> None:
    text = b"777\n" + FRAMES[10].hex().encode() + b"\n7\n" + FRAMES[11].hex().encode()
    pieces = read(text, HEX)
    assert told(pieces) == [("damage", 0, 2), (TEN, 2, A), ("damage", A + 2, 1), (ELEVEN, A + 3, B)]


CLIENT = [data_frame(0x82, body, key=b"\x0a\x0b\x0c\x0d") for body in BODIES]


def masked(encoding: Encoding = HEX) -> PhaseScan:
    return PhaseScan(WebSocketScan, encoding)


@pytest.mark.parametrize("encoding", WRITTEN)
def test_characters_lost_from_a_websocket_cost_few_messages(encoding: Encoding) -> None:
    # Two bytes of damage may read as the head of a control frame, which takes up to 131 bytes: not each case is good.
    stream = b"".join(CLIENT)
    text = stream.hex().encode() if encoding is HEX else base64.b64encode(stream)
    lost = []
    for at in range(0, len(text) - 5, 7):
        pieces = read(text[:at] + text[at + 1 + at % 5 :], encoding, scan=masked(encoding))
        lost.append(len(NAMES) - len(names(pieces)))
    assert min(lost) == 1
    assert max(lost) <= 5
    assert sum(count > 2 for count in lost) <= len(lost) // 100


def test_fragments_whose_rest_is_damaged_are_told_and_cost_no_other() -> None:
    first = data_frame(0x02, BODIES[10][:5])
    text = (CLIENT[9] + first).hex() + "7" + (data_frame(0x80, BODIES[10][5:]) + CLIENT[11]).hex()
    pieces = read(text.encode(), HEX, scan=masked())
    assert names(pieces) == [NAMES[9], NAMES[11]]
    assert "fragment" in damages(pieces)[0].reason
    long = data_frame(0x82, TEXTS[10] + b" " * 9000)  # nothing speaks against it up to the end of the text
    pieces = read((CLIENT[9] + first + long[:9]).hex().encode() + b"7" + CLIENT[11].hex().encode(), HEX, scan=masked())
    assert names(pieces) == [NAMES[9], NAMES[11]]
    assert "fragment" in damages(pieces)[0].reason


def test_a_whole_text_is_read_as_it_is() -> None:
    for encoding, text in WRITTEN.items():
        pieces = read(text, encoding)
        assert names(pieces) == NAMES
        assert damages(pieces) == []
