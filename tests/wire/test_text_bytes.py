from __future__ import annotations

import base64
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyctrader.wire.text_bytes import Break, Encoding, TextBytes, encodings_of

from .captured import in_parts

DATA = bytes(range(40))
C_ARRAY = b"unsigned char x_bin[] = {\n  %b\n};\nunsigned int x_bin_len = 40;\n" % b",\n  ".join(
    b", ".join(b"0x%02x" % byte for byte in DATA[at : at + 12]) for at in range(0, 40, 12)
)
XXD = (
    b"00000000: 0001 0203 0405 0607 0809 0a0b 0c0d 0e0f  ................\n"
    b"00000010: 1011 1213 6162                           ..ab\n"
)
HEXDUMP = (
    b"00000000  00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f  |................|\n"
    b"00000010  10 11 12 13 61 62                                 |....ab|\n00000016\n"
)
TSHARK = (
    b"0000  00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f   ................\n0010  10 11 12 13 61 62   ....ab\n\n"
)
OD = (
    b"000000 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f  >................<\n"
    b"000010 10 11 12 13 61 62                                >....ab<\n000016\n"
)
OD_OCTAL = b"0000000 00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f\n0000020 10 11 12 13 61 62\n0000026\n"


def read(text: bytes, encoding: Encoding, *, by_line: bool = False, size: int = 1 << 16) -> list[bytes | Break]:
    """What it gives, with bytes that follow each other joined."""
    reader = TextBytes(encoding, by_line=by_line)
    joined: list[bytes | Break] = []
    for part in (*(each for piece in in_parts(text, size) for each in reader.feed(piece)), *reader.close()):
        if isinstance(part, bytes) and joined and isinstance(joined[-1], bytes):
            joined[-1] += part
        else:
            joined.append(part)
    return joined


@pytest.mark.parametrize("size", [1, 1 << 16])
@pytest.mark.parametrize(
    "text",
    [
        DATA.hex().encode(),
        DATA.hex().upper().encode() + b"\n",
        DATA.hex(":").encode(),
        DATA.hex("-").encode() + b"\r\n",
        b"# from the log\n" + DATA.hex(" ").encode(),
        b", ".join(b"0x%02x" % byte for byte in DATA),
        b"".join(rb"\x%02x" % byte for byte in DATA),
        b'"' + DATA.hex().encode() + b'"\n',
        b"'" + DATA.hex().encode()[:30] + b"',\n'" + DATA.hex().encode()[30:] + b"'",
        b"[" + b", ".join(b"'%02x'" % byte for byte in DATA) + b"]",
        C_ARRAY,
        C_ARRAY.replace(b"\n  ", b"").replace(b"\n}", b"}"),
        b"/* Frame (40 bytes) */\nstatic const unsigned char pkt1[40] = {\n"
        + b"".join(b"0x%02x, /* %02x, which is 0x00 */\n" % (byte, byte) for byte in DATA)
        + b"};\n",
        DATA.hex().encode()[:21] + b"\n" + DATA.hex().encode()[21:],  # a line that ends within a byte
    ],
)
def test_hex_may_be_written_in_many_ways(text: bytes, size: int) -> None:
    assert Encoding.HEX in encodings_of(text)
    assert read(text, Encoding.HEX, size=size) == [DATA, Break()]


@pytest.mark.parametrize("size", [1, 1 << 16])
@pytest.mark.parametrize("text", [XXD, HEXDUMP, TSHARK, OD, OD_OCTAL])
def test_a_dump_has_offsets_and_characters_that_are_left_out(text: bytes, size: int) -> None:
    assert encodings_of(text) == (Encoding.DUMP,)
    assert read(text, Encoding.DUMP, size=size) == [bytes(range(20)) + b"ab", Break()]


@pytest.mark.parametrize("size", [1, 1 << 16])
@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(DATA),
        base64.encodebytes(DATA),
        base64.urlsafe_b64encode(DATA).rstrip(b"="),
        base64.b64encode(DATA[:10]) + b"\n" + base64.b64encode(DATA[10:20]) + base64.b64encode(DATA[20:]),
        base64.b64encode(DATA[:11]) + base64.b64encode(DATA[11:]),
    ],
)
def test_base64_may_be_wrapped_padded_or_not_and_several_in_a_row(text: bytes, size: int) -> None:
    assert encodings_of(text) == (Encoding.BASE64,)
    assert read(text, Encoding.BASE64, size=size) == [DATA, Break()]


ROW = bytes(range(16))
FIRST = b"00000000  00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f  |................|\n"


@given(st.integers(1, 10_000), st.booleans())
def test_a_star_in_a_dump_stands_for_lines_like_the_last(times: int, in_parts: bool) -> None:
    text = FIRST + b"*\n%08x  61 62 |ab|\n%08x\n" % (16 * times + 16, 16 * times + 18)
    assert read(text, Encoding.DUMP, size=7 if in_parts else 1 << 16) == [ROW * (times + 1) + b"ab", Break()]
    text = FIRST + b"*\n%08x\n" % (16 * times + 24)  # hexdump takes half a line of zeros for a whole one
    assert read(text, Encoding.DUMP) == [ROW * (times + 1) + ROW[:8], Break()]


def test_words_are_read_the_second_byte_first_and_the_last_may_be_half_a_one() -> None:
    first = b"0000000 0100 0302 0504 0706 0908 0b0a 0d0c 0f0e\n"
    for size in (1, 1 << 16):
        for text, data in (
            (b"0000010 6261\n0000012\n", b"ab"),
            (b"0000010 6261 0063                              \n0000013\n", b"abc"),
            (b"*\n0000030 0061\n0000031\n", ROW * 2 + b"a"),
            (b"0000010 6261", b"ab"),
        ):
            assert encodings_of(first + text) == (Encoding.DUMP,)
            assert read(first + text, Encoding.DUMP, size=size) == [ROW + data, Break()]
    for wrong in (b"!", b"0!", b"6", b"62!", b"000001! 6!61\n"):
        assert read(first + wrong, Encoding.DUMP)[0][:15] == ROW[:15]  # type: ignore[index]
    (begin, told, end, _) = read(first.replace(b"0504", b"0!04") + b"0000010 6261\n", Encoding.DUMP)
    assert (begin, isinstance(told, Break) and told.lost, end) == (ROW[:5], 1, ROW[6:] + b"ab")


@pytest.mark.parametrize("write", [b"%06x", b"%07o", b"%07d"])
def test_a_star_in_a_dump_of_od_is_read_by_the_kind_of_its_offsets(write: bytes) -> None:
    rows = [(0, ROW), (16, b"\xff" * 16), (32, b""), (96, b"\x61\x62"), (98, b"")]
    lines = [write % at + b"".join(b" %02x" % byte for byte in row) if at != 32 else b"*" for at, row in rows]
    assert read(b"\n".join(lines), Encoding.DUMP) == [ROW + b"\xff" * 80 + b"ab", Break()]
    damaged = [lines[0], b"00000%b" % lines[1][5:].replace(b" ", b"a ", 1), *lines[2:]]
    last = read(b"\n".join(damaged), Encoding.DUMP)[-2]
    assert isinstance(last, bytes)
    assert last.endswith(b"ab")


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        (FIRST + b"*\nffffffffffffff00  61 62 |ab|\n", 0xFFFFFFFFFFFFFF00 - 16),
        (FIRST + b"*\n00000010  61 62 |ab|\n", 1),
        (b"*\n00000010  61 62 |ab|\n", 16),
    ],
)
def test_a_star_that_may_stand_for_anything_costs_neither_memory_nor_the_lines_behind_it(
    text: bytes, lost: int
) -> None:
    *_, told, behind, _ = read(text, Encoding.DUMP)
    assert (isinstance(told, Break) and told.lost, behind) == (lost, b"ab")


def test_the_stars_of_a_dump_stand_for_no_more_together_than_one_may() -> None:
    star = b"*\n%08x  61 62 63 64 65 66 67 68 69 6a 6b 6c 6d 6e 6f 70\n"
    text = FIRST + star % 9_000_000 + star % 18_000_000 + star % 23_000_000
    pieces = read(text, Encoding.DUMP)
    assert sum(len(piece) for piece in pieces if isinstance(piece, bytes)) == 9_000_016 + 16 + 4_999_984 + 16
    assert [piece for piece in pieces if isinstance(piece, Break) and piece.reason is not None] == [
        Break(
            "line 5: with what the * before it stands for, more than the 15,000,000 that are believed of a dump are"
            " repeated",
            18_000_000 - 9_000_016,
        )
    ]


def test_a_star_at_the_end_of_a_dump_is_told() -> None:
    assert read(FIRST + b"*\n", Encoding.DUMP)[1:] == [
        Break("line 3: the offset behind the last * is missing", 16),
        Break(),
    ]


def test_a_text_that_may_be_either_is_tried_as_hex_first() -> None:
    assert encodings_of(b"\n# note\ndeadbeef\n") == (Encoding.HEX, Encoding.BASE64)
    assert encodings_of(b"what is this?") == ()
    assert encodings_of(b"\n\n# nothing else\n") == ()


def test_lines_that_stand_for_themselves_are_told_apart() -> None:
    assert read(b"0102\n\n03\n", Encoding.HEX, by_line=True) == [b"\1\2", Break(), Break(), b"\3", Break(), Break()]
    assert read(b"AQI\nAw", Encoding.BASE64, by_line=True) == [b"\1\2", Break(), b"\3", Break()]


def test_a_line_that_ends_within_a_byte_says_so() -> None:
    assert read(b"0102\n033\n", Encoding.HEX, by_line=True) == [
        b"\1\2",
        Break(),
        b"\3",
        Break("line 2: its hex ends within a byte", 1),
        Break(),
        Break(),
    ]
    assert read(b"AQIDB", Encoding.BASE64) == [b"\1\2\3", Break("line 1: its base64 ends within a byte", 1), Break()]
    assert read(b"AQIDBAUGB===", Encoding.BASE64)[1] == Break("line 1: its base64 ends within a byte", 1)


def test_a_character_that_does_not_belong_costs_its_byte_and_no_other() -> None:
    assert read(b"01\n0203x\xff0506", Encoding.HEX) == [
        b"\1\2\3",
        Break("line 2: the character 5 of its hex is none of hex", 1),
        b"\5\6",
        Break(),
    ]
    assert read(b"AQID??==AQID", Encoding.BASE64) == [
        b"\1\2\3",
        Break("line 1: the character 5 of its base64 is none of base64", 3),
        b"\1\2\3",
        Break(),
    ]


def test_each_character_that_does_not_belong_is_named_by_its_place() -> None:
    reasons = [part.reason for part in read(b"01?20304!506", Encoding.HEX) if isinstance(part, Break)]
    assert reasons[:2] == [f"line 1: the character {place} of its hex is none of hex" for place in (3, 9)]
    reasons = [part.reason for part in read(b"AQI=AQI!AQIDAQ?D", Encoding.BASE64) if isinstance(part, Break)]
    assert reasons[:2] == [f"line 1: the character {place} of its base64 is none of base64" for place in (8, 15)]


@pytest.mark.parametrize("size", [1, 1 << 16])
@pytest.mark.parametrize(
    ("encoding", "text", "place", "lost"),
    [
        (Encoding.HEX, b"010203!!!!!30102", 7, 3),
        (Encoding.HEX, b"0102030?7?777?0102", 8, 4),
        (Encoding.HEX, b"010203" + b"\xff" * 500 + b"0102", 7, 250),
        (Encoding.BASE64, b"AQID?A?AA?AAA?AAAQI=", 5, 9),
        (Encoding.BASE64, b"AQIDAQ" + b"\x00" * 1002 + b"AQI=", 7, 753),
    ],
)
def test_a_run_that_does_not_belong_is_one_place_and_so_is_what_stands_in_it_too_little_for_a_message(
    encoding: Encoding, text: bytes, place: int, lost: int, size: int
) -> None:
    reason = f"line 1: the character {place} of its {encoding.value} is none of {encoding.value}"
    assert read(text, encoding, size=size) == [b"\1\2\3", Break(reason, lost), b"\1\2", Break()]


def test_a_text_is_tried_where_one_run_of_it_is_damaged_however_long_and_noise_is_not() -> None:
    text = b"616263" * 30
    for wrong in (b"!", b"\x00", b"?7", b"\xff z"):
        for at in (0, 100, 180):
            assert Encoding.HEX in encodings_of(text[:at] + wrong * 3000 + text[at:])
    assert Encoding.HEX in encodings_of(b"what?\n" * 20 + text)
    assert encodings_of(bytes(random.Random(7).choices(range(0x20, 0x100), k=100_000))) == ()


@pytest.mark.parametrize("prefix", [b"0x", b"\\x"])
def test_what_a_long_line_stands_for_does_not_hang_on_how_it_comes(prefix: bytes) -> None:
    sound = b", ".join(prefix + b"%02x" % (number % 256) for number in range(25_000))
    sizes = [65_537, 65_539, 70_001, 1 << 17]
    for before in range(7):
        text = b" " * before + sound
        for size in sizes:
            data, *breaks = read(text, Encoding.HEX, size=size)
            assert (data, breaks) == ((bytes(range(256)) * 100)[:25_000], [Break()])
    for at in range(65_530, 65_540):
        for text in (DATA.hex().encode() * 900, base64.b64encode(DATA * 1300)):
            encoding = Encoding.HEX if text[:2] == b"00" else Encoding.BASE64
            for wrong in (b"!", b"??a?", b"#"):
                damaged = text[:at] + wrong + text[at + len(wrong) :]
                whole = [part for part in read(damaged, encoding) if isinstance(part, bytes)]
                for size in sizes:
                    found = read(damaged, encoding, size=size)
                    assert [part for part in found if isinstance(part, bytes)] == whole
                    assert f"the character {at + 1} of" in str(found[1])


@pytest.mark.parametrize("size", [1, 1 << 16])
@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (b"AQI", [b"\1\2", Break(part=b"\0", bits=2)]),
        (b"AR==", [b"\1", Break(part=b"\x10", bits=4)]),
        (b"AQIDB", [b"\1\2\3", Break("line 1: its base64 ends within a byte", 1, b"\4", 6), Break()]),
        (b"AR==AQID", [b"\1\1\2\3", Break()]),  # what stands before a padding in the middle belongs to nothing
        (b"AR==AQID==", [b"\1\1\2\3", Break()]),
        (b"AR=AQID", [b"\1\1\2\3", Break()]),  # half of its padding is lost
        (b"====", [Break()]),
    ],
)
def test_what_base64_has_beyond_whole_bytes_is_kept_for_whoever_puts_its_bits_together_anew(
    text: bytes, parts: list[bytes | Break], size: int
) -> None:
    found = read(text, Encoding.BASE64, size=size)
    assert found == parts
    bits = [(part.part, part.bits) for part in found if isinstance(part, Break)]
    assert bits == [(part.part, part.bits) for part in parts if isinstance(part, Break)]


def test_half_a_byte_of_hex_is_kept_too() -> None:
    (_, half, _) = read(b"0102f", Encoding.HEX)
    assert isinstance(half, Break)
    assert (half.lost, half.part, half.bits) == (1, b"\xf0", 4)


@pytest.mark.parametrize("size", [1000, 1 << 20])
def test_a_line_that_is_too_long_to_be_kept_is_no_measure_for_the_next(size: int) -> None:
    data = bytes(range(256)) * 200
    text = data.hex().encode()
    assert read(text[:70_001] + b"\n" + text[70_001:], Encoding.HEX, size=size) == [data, Break()]


LONG = bytes(range(256)) * 3
WRAPPED = {
    Encoding.HEX: [LONG[at : at + 32].hex().encode() for at in range(0, 768, 32)],
    Encoding.BASE64: base64.encodebytes(LONG).split(),
    Encoding.DUMP: [b"%08x: %b" % (at, LONG[at : at + 16].hex(" ", 2).encode()) for at in range(0, 768, 16)],
}


@given(st.sampled_from(sorted(WRAPPED, key=str)), st.integers(0, 12), st.integers(10, 40), st.integers(1, 5), st.data())
def test_characters_that_are_lost_or_added_cost_their_line_and_no_other(
    encoding: Encoding, number: int, at: int, count: int, data: st.DataObject
) -> None:
    lines = list(WRAPPED[encoding])
    added = data.draw(st.sampled_from([b"", b"7", b"77", b"!", b"!!"]))
    lines[number] = lines[number][:at] + added + lines[number][at if added else at + count :]
    text = b"\n".join(lines)
    parts = read(text, encoding)
    behind = {Encoding.HEX: 32, Encoding.BASE64: 57, Encoding.DUMP: 16}[encoding] * (number + 1)
    bytes_of = b"".join(part for part in parts if isinstance(part, bytes))
    assert bytes_of.endswith(LONG[behind:])
    assert bytes_of.startswith(LONG[: behind // (number + 1) * number])
    assert read(text, encoding, size=7) == parts


@pytest.mark.parametrize("width", [21, 63, 75, 77])
def test_lines_that_all_end_within_a_byte_are_whole(width: int) -> None:
    for encoding, text in ((Encoding.HEX, LONG.hex().encode()), (Encoding.BASE64, base64.b64encode(LONG[:700]))):
        wrapped = b"\n".join(text[at : at + width] for at in range(0, len(text), width))
        whole = LONG if encoding is Encoding.HEX else LONG[:700]
        assert read(wrapped, encoding) == read(wrapped + b"\n", encoding, size=5) == [whole, Break()]


def test_a_line_that_is_shorter_than_its_fellows_says_how_much_is_missing() -> None:
    parts = read(b"\n".join((*WRAPPED[Encoding.HEX][:3], b"606", *WRAPPED[Encoding.HEX][4:])), Encoding.HEX)
    assert parts == [LONG[:97], Break("line 4: its hex ends within a byte", 31), LONG[128:], Break()]


def test_a_line_without_end_is_not_kept() -> None:
    reader = TextBytes(Encoding.HEX, by_line=True)
    taken = b"".join(part for _ in range(20) for part in reader.feed(b"0x41" * 10_000) if isinstance(part, bytes))
    assert len(taken) > 100_000
    assert taken + b"".join(part for part in reader.close() if isinstance(part, bytes)) == b"A" * 200_000


@given(st.binary(max_size=100), st.integers(1, 40), st.sampled_from([Encoding.HEX, Encoding.BASE64]), st.booleans())
def test_garbage_never_does_more_than_be_told(data: bytes, size: int, encoding: Encoding, by_line: bool) -> None:
    parts = read(data, encoding, by_line=by_line, size=size)
    assert parts[-1] == Break()
    assert parts == read(data, encoding, by_line=by_line)
