"""Captures as programs write them, or their sources have them: sound ones are read whole, of damaged ones the rest."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyctrader.wire.capture import CaptureReader
from anyctrader.wire.envelope import write_envelope
from anyctrader.wire.framing import encode_frame
from anyctrader.wire.rendering import Frame

from .captured import FRAMES, MESSAGES, NAMES, damages, in_parts, names


def read(text: bytes, size: int = 1 << 16) -> list[object]:
    reader = CaptureReader()
    return [*(piece for part in in_parts(text, size) for piece in reader.feed(part)), *reader.close()]


def c_array(data: bytes) -> bytes:
    """As `xxd -i` writes it."""
    rows = (b", ".join(b"0x%02x" % byte for byte in row) for row in in_parts(data, 12))
    return b"unsigned char x_bin[] = {\n  %b\n};\nunsigned int x_bin_len = %d;\n" % (b",\n  ".join(rows), len(data))


def c_array_of_a_line(data: bytes) -> bytes:
    return b"unsigned char x[] = {%b};" % b", ".join(b"0x%02x" % byte for byte in data)


def quoted_hex(data: bytes) -> bytes:
    return b'"%b"' % data.hex().encode()


def quoted_lines(data: bytes) -> bytes:
    return b",\n".join(b"'%b'" % part.hex().encode() for part in in_parts(data, 16))


def wireshark(data: bytes) -> bytes:
    r"""As it copies packet bytes as an escaped string: quoted rows, with a backslash between."""
    return b" \\\n".join(b'"%b"' % b"".join(b"\\x%02x" % byte for byte in row) for row in in_parts(data, 16))


def python_repr(data: bytes) -> bytes:
    return repr(data).encode()


def python_lines(data: bytes) -> bytes:
    return b"".join(b"data += %b  # and so on\n" % repr(part).encode() for part in in_parts(data, 50))


def c_string(data: bytes) -> bytes:
    """Each string ends behind an escape, so that no digit can be taken for a part of it."""
    plain = b"".join(bytes([byte]) if 0x20 <= byte < 0x7F and byte not in b'"\\' else b"\\%03o" % byte for byte in data)
    return b'const char x[] = "%b";\n' % plain


def od(data: bytes) -> bytes:
    """As `od -A x -t x1z` writes it."""
    rows = (
        b"%06x%b  >%b<\n" % (16 * number, b"".join(b" %02x" % byte for byte in row).ljust(48), b"." * len(row))
        for number, row in enumerate(in_parts(data, 16))
    )
    return b"".join(rows) + b"%06x\n" % len(data)


def hexdump(data: bytes) -> bytes:
    """As it writes it without options."""
    rows = []
    for number, row in enumerate(in_parts(data, 16)):
        words = (b" %02x%02x" % (word[1] if word[1:] else 0, word[0]) for word in in_parts(row, 2))
        rows.append(b"%07x%b\n" % (16 * number, b"".join(words).ljust(40)))
    return b"".join(rows) + b"%07x\n" % len(data)


WAYS: dict[str, Callable[[bytes], bytes]] = {
    each.__name__: each
    for each in (
        c_array,
        c_array_of_a_line,
        quoted_hex,
        quoted_lines,
        wireshark,
        python_repr,
        python_lines,
        c_string,
        od,
        hexdump,
    )
}


@pytest.mark.parametrize("size", [1, 37, 1 << 16])
@pytest.mark.parametrize("way", WAYS)
def test_a_sound_capture_in_a_source_is_read_whole(way: str, size: int) -> None:
    for first, count in ((10, 1), (10, 2), (0, 20), (30, len(FRAMES) - 30)):
        pieces = read(WAYS[way](b"".join(FRAMES[first : first + count])), size)
        assert names(pieces) == NAMES[first : first + count]
        assert damages(pieces) == []


@pytest.mark.parametrize("size", [1, 37, 1 << 16])
@pytest.mark.parametrize("name", ["", "unsigned char x_bin[] = {\n", "/* of today */\nstatic const uint8_t x[] =\n{\n"])
@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize(("row", "id_"), [(8, None), (12, "1"), (16, "12345")])
def test_rows_the_first_of_which_is_just_a_frame_are_put_together(
    row: int, id_: str | None, begun: bool, name: str, size: int
) -> None:
    frames = [encode_frame(write_envelope(2104, b"", id_)) if id_ else bytes.fromhex("0000000408331200")]
    assert len(frames[0]) == row
    frames += FRAMES[10:14]
    rows = [b", ".join(b"0x%02x" % byte for byte in part) for part in in_parts(b"".join(frames), row)]
    text = (name.rstrip("\n") if begun else name).encode() + b"  " + b",\n  ".join(rows) + b"\n};\n"
    pieces = read(text, size)
    assert damages(pieces) == []
    assert names(pieces)[1:] == NAMES[10:14]


@settings(deadline=None, max_examples=20)
@pytest.mark.parametrize("way", WAYS)
@given(
    first=st.integers(0, len(FRAMES) - 20),
    place=st.floats(0, 1),
    lost=st.integers(0, 3),
    added=st.sampled_from(
        [b"", b"7", b"!", b"\x00", b"\xff\xff", b'"', b"'", b"}", b"{", b"\n", b"\\", b"=", b"?" * 60]
    ),
    size=st.integers(1, 200),
)
def test_of_a_damaged_capture_in_a_source_the_rest_is_read(
    way: str, first: int, place: float, lost: int, added: bytes, size: int
) -> None:
    frames = FRAMES[first : first + 20]
    text = WAYS[way](b"".join(frames))
    at = int(place * len(text))
    damaged = text[:at] + added + text[at + lost :]
    pieces = read(damaged, size)
    found = [piece.message for piece in pieces if isinstance(piece, Frame)]
    whole = [message for message in MESSAGES[first : first + 20] if message in found]
    assert len(whole) >= 20 - 3 - (len(added) + lost) // 20
    assert [repr(piece) for piece in read(damaged)] == [repr(piece) for piece in pieces]
