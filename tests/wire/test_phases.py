from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyctrader.wire.frame_scan import FrameScan
from anyctrader.wire.phases import PhaseScan
from anyctrader.wire.scan import Damage, Piece
from anyctrader.wire.text_bytes import Break, Encoding, TextBytes

from .captured import NAMES, STREAM, in_parts, names


def read(text: bytes, encoding: Encoding, size: int = 1 << 16) -> list[Piece]:
    reader, scan = TextBytes(encoding, by_line=True), PhaseScan(FrameScan, encoding)
    pieces: list[Piece] = []
    for part in (*(each for piece in in_parts(text, size) for each in reader.feed(piece)), *reader.close()):
        if isinstance(part, Break):
            pieces += [*scan.feed_part(part.part, part.bits), *scan.cut(part.reason or "the line ends", lost=part.lost)]
        else:
            pieces += scan.feed(part)
    return pieces + scan.end()


WRITTEN = {Encoding.HEX: STREAM.hex().encode(), Encoding.BASE64: base64.b64encode(STREAM).rstrip(b"=")}


@pytest.mark.parametrize("size", [50, 1 << 16])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("encoding", WRITTEN)
def test_lost_or_added_characters_cost_one_or_two_messages(encoding: Encoding, count: int, size: int) -> None:
    text = WRITTEN[encoding]
    for at in (len(text) // 3, len(text) // 2, len(text) - 40):
        for changed in (text[:at] + text[at + count :], text[:at] + b"7" * count + text[at:]):
            pieces = read(changed, encoding, size)
            assert len(names(pieces)) >= len(NAMES) - 2
            assert names(pieces)[-1] == NAMES[-1] or at == len(text) - 40
            assert any(isinstance(piece, Damage) for piece in pieces)


@pytest.mark.parametrize("encoding", WRITTEN)
def test_characters_lost_again_and_again_cost_the_messages_that_they_stand_in(encoding: Encoding) -> None:
    text = WRITTEN[encoding]
    part = len(text) // 4
    changed = text[:part] + text[part + 1 : 2 * part] + text[2 * part + 1 : 3 * part] + text[3 * part + 1 :]
    assert len(names(read(changed, encoding))) >= len(NAMES) - 6
    assert names(read(changed, encoding))[-1] == NAMES[-1]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([WRITTEN[Encoding.HEX][:300], b"0", b"f7", b"zz", b"\n", b"08" * 200])), st.integers(1, 99)
)
def test_garbage_never_does_more_than_be_told(parts: list[bytes], size: int) -> None:
    text = b"".join(parts)
    for encoding in WRITTEN:
        for piece in read(text, encoding, size):  # in some garbage not in the order of their places
            assert piece.offset is not None
            assert 0 <= piece.offset <= len(text)


def test_a_whole_text_is_read_as_it_is() -> None:
    for encoding, text in WRITTEN.items():
        pieces = read(text, encoding)
        assert names(pieces) == NAMES
        assert [piece for piece in pieces if isinstance(piece, Damage)] == []
