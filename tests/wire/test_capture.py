from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyctrader.wire import Message, ProtobufCodec, encode_frame
from anyctrader.wire import messages as oa
from anyctrader.wire.capture import HEAD, CaptureReader, Content, Encoding, Form, NoCapture, form_of
from anyctrader.wire.form_search import MOST_LINES
from anyctrader.wire.rendering import Frame
from anyctrader.wire.scan import Piece
from anyctrader.wire.websocket import Opcode, control_frame, data_frame

from .captured import BODIES, FRAMES, MESSAGES, NAMES, STREAM, TEXTS, broken, covered, damages, in_parts, names
from .edits import edited, edits, hurt

BINARY, HEX, DUMP, BASE64, JSON = Encoding.BINARY, Encoding.HEX, Encoding.DUMP, Encoding.BASE64, Encoding.JSON


def read(data: bytes, size: int = 1 << 16, reader: CaptureReader | None = None) -> list[Piece]:
    reader = reader or CaptureReader()
    return [piece for part in in_parts(data, size) for piece in reader.feed(part)] + reader.close()


def dump(data: bytes) -> bytes:
    rows = (data[start : start + 16] for start in range(0, len(data), 16))
    return b"".join(b"%08x: %b  ....\n" % (16 * number, row.hex(" ", 2).encode()) for number, row in enumerate(rows))


def lines(parts: list[bytes], write: Callable[[bytes], bytes | str]) -> bytes:
    return b"\n".join(text.encode() if isinstance(text := write(part), str) else text for part in parts)


KEY = b"\x0a\x0b\x0c\x0d"
SERVER = [data_frame(0x82, body) for body in BODIES]
CLIENT = [data_frame(0x82, body, key=KEY) for body in BODIES]
SAID = [data_frame(0x81, text, key=KEY) for text in TEXTS]
UPGRADE = b"GET / HTTP/1.1\r\nHost: h\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
PING = control_frame(Opcode.PING, b"p")

CAPTURES = {
    "frames": (STREAM, Form(BINARY, Content.FRAMES)),
    "frames of json": (b"".join(map(encode_frame, TEXTS)), Form(BINARY, Content.FRAMES)),
    "hex in one": (STREAM.hex().encode(), Form(HEX, Content.FRAMES, by_line=True)),
    "hex that is wrapped": (lines(in_parts(STREAM, 30), bytes.hex), Form(HEX, Content.FRAMES)),
    "hex, a frame a line": (lines(FRAMES, bytes.hex), Form(HEX, Content.FRAMES, by_line=True)),
    "hex, an envelope a line": (lines(BODIES, bytes.hex), Form(HEX, Content.ENVELOPES, by_line=True)),
    "a dump": (dump(STREAM), Form(DUMP, Content.FRAMES)),
    "base64 in one": (base64.b64encode(STREAM), Form(BASE64, Content.FRAMES, by_line=True)),
    "base64 that is wrapped": (base64.encodebytes(STREAM), Form(BASE64, Content.FRAMES)),
    "base64, a frame a line": (lines(FRAMES, base64.b64encode), Form(BASE64, Content.FRAMES, by_line=True)),
    "base64, an envelope a line": (lines(BODIES, base64.b64encode), Form(BASE64, Content.ENVELOPES, by_line=True)),
    "websocket of a server": (b"".join(SERVER), Form(BINARY, Content.WEBSOCKET)),
    "websocket of a client": (b"".join(CLIENT), Form(BINARY, Content.WEBSOCKET)),
    "websocket of json": (b"".join(SAID), Form(BINARY, Content.WEBSOCKET)),
    "websocket from its upgrade on": (UPGRADE + b"".join(SERVER), Form(BINARY, Content.WEBSOCKET)),
    "websocket from a ping on": (PING + b"".join(SERVER), Form(BINARY, Content.WEBSOCKET)),
    "websocket in hex, a frame a line": (lines(CLIENT, bytes.hex), Form(HEX, Content.WEBSOCKET, by_line=True)),
    "websocket in hex that is wrapped": (
        lines(in_parts(b"".join(SERVER), 30), bytes.hex),
        Form(HEX, Content.WEBSOCKET),
    ),
    "websocket in base64": (base64.b64encode(b"".join(SERVER)), Form(BASE64, Content.WEBSOCKET, by_line=True)),
    "websocket in a dump": (dump(UPGRADE + b"".join(SERVER)), Form(DUMP, Content.WEBSOCKET)),
    "json, one a line": (b"\n".join(TEXTS), Form(JSON, Content.ENVELOPES)),
    "json with a mark": (b"\xef\xbb\xbf" + b"\n".join(TEXTS), Form(JSON, Content.ENVELOPES)),
    "json, a list": (b"[" + b",\n".join(TEXTS) + b"]", Form(JSON, Content.ENVELOPES)),
}


@pytest.mark.parametrize("size", [37, 1 << 16])
@pytest.mark.parametrize("name", CAPTURES)
def test_what_a_capture_is_shows_by_itself(name: str, size: int) -> None:
    data, form = CAPTURES[name]
    reader = CaptureReader()
    pieces = read(data, size, reader)
    assert names(pieces) == NAMES
    assert damages(pieces) == []
    assert reader.form == form


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (BODIES[10], Form(BINARY, Content.ENVELOPES)),
        (BODIES[10].hex().encode(), Form(HEX, Content.ENVELOPES, by_line=True)),
        (lines(in_parts(BODIES[-3], 8), bytes.hex), Form(HEX, Content.ENVELOPES)),
        (base64.b64encode(BODIES[10]), Form(BASE64, Content.ENVELOPES, by_line=True)),
        (dump(BODIES[10]), Form(DUMP, Content.ENVELOPES)),
        (broken(oa.ProtoOATraderRes()), Form(BINARY, Content.ENVELOPES)),
        (FRAMES[10][:9], Form(BINARY, Content.FRAMES)),
        (b"\xff\xff" + FRAMES[10], Form(BINARY, Content.FRAMES)),
        (CLIENT[10][:9], Form(BINARY, Content.WEBSOCKET)),
        (SERVER[10], Form(BINARY, Content.WEBSOCKET)),
        (b"\xff\xff" + SERVER[10] + SERVER[11], Form(BINARY, Content.WEBSOCKET)),
        (UPGRADE[:40], Form(BINARY, Content.WEBSOCKET)),
        (b"# a frame\n\n" + FRAMES[10].hex().encode(), Form(HEX, Content.FRAMES, by_line=True)),
        (b"zz\n" + FRAMES[10].hex().encode(), Form(HEX, Content.FRAMES, by_line=True)),
    ],
)
def test_a_single_message_is_told_from_a_stream(data: bytes, form: Form) -> None:
    assert form_of(data, ended=True) == form
    assert str(Form(HEX, Content.FRAMES, by_line=True)) == "hex, frames, line by line"


@pytest.mark.parametrize("number", [10, 11, 60])
def test_bare_payloads_are_read_when_their_type_is_said(number: int) -> None:
    payload = MESSAGES[number].payload
    payload_type = MESSAGES[number].payload_type
    body = payload.SerializeToString()
    for data in (
        body,
        body.hex().encode(),
        base64.b64encode(body) + b"\n" + base64.b64encode(body) + b"\n",
        TEXTS[number].partition(b'"payload":')[2][:-1],
    ):
        pieces = read(data, reader=CaptureReader(payload_type=payload_type))
        assert set(names(pieces)) == {NAMES[number]}
        assert pieces[0].message is not None
        assert pieces[0].message.payload == payload
    assert (
        len(
            read(
                base64.b64encode(body) + b"\n" + base64.b64encode(body), reader=CaptureReader(payload_type=payload_type)
            )
        )
        == 2
    )


def test_what_is_no_capture_is_refused_as_soon_as_that_is_sure() -> None:
    for data in (b"hello, what is this?", b"dead", b"\xff\xfe\x00\x01", b"\x00\x00", b"0000: zz"):
        with pytest.raises(NoCapture, match="no frame"):
            read(data)
    for data in (b"", b" \n"):
        with pytest.raises(NoCapture, match="there is nothing in it"):
            read(data)
    with pytest.raises(NoCapture, match=r"no frame.* in its first 65,536 bytes .--encoding says"):
        CaptureReader().feed(b"hello world " * (HEAD // 12 + 1))


def test_what_is_said_of_a_capture_is_believed() -> None:
    assert form_of(b"ab", ended=True, encoding=BASE64, content=Content.ENVELOPES) == Form(BASE64, Content.ENVELOPES)
    assert form_of(b"zz", ended=True, encoding=HEX) == Form(HEX, Content.FRAMES)
    assert form_of(STREAM, ended=False, encoding=BINARY, content=Content.FRAMES) == Form(BINARY, Content.FRAMES)
    assert form_of(b"{}", ended=False, content=Content.PAYLOADS) == Form(JSON, Content.PAYLOADS)
    (damage,) = damages(read(b"what", reader=CaptureReader(encoding=JSON)))
    assert damage.reason == "this is no JSON object"


def test_a_frame_is_given_as_soon_as_it_is_there() -> None:
    reader = CaptureReader()
    assert reader.feed(FRAMES[10][:-1]) == []
    assert names(reader.feed(FRAMES[10][-1:])) == [NAMES[10]]
    reader = CaptureReader()
    assert reader.feed(FRAMES[10].hex().encode()) == []  # it may be the first half of a line
    assert names(reader.feed(b"\n")) == [NAMES[10]]
    assert names(reader.feed(FRAMES[11].hex().encode() + b"\n")) == [NAMES[11]]
    assert names(CaptureReader().feed(TEXTS[10] + b"\n")) == [NAMES[10]]


@pytest.mark.parametrize("data", [b"\xff" * (HEAD + 1), b"\x08\x01" * HEAD])
def test_a_long_stream_without_any_message_is_all_damage(data: bytes) -> None:
    pieces = read(data)
    assert names(pieces) == []
    assert covered(pieces) == len(data)


def test_damage_that_lies_side_by_side_is_told_as_one() -> None:
    text = FRAMES[10].hex() + FRAMES[11].hex()[:20] + "??" + FRAMES[11].hex()[22:] + FRAMES[12].hex()
    pieces = read(text.encode())
    assert names(pieces) == [NAMES[10], NAMES[12]]
    (damage,) = damages(pieces)
    assert (damage.offset, damage.size) == (len(FRAMES[10]), len(FRAMES[11]))
    assert "line 1" in damage.reason or "inside a frame" in damage.reason


def test_damage_at_the_end_is_told_too() -> None:
    pieces = read(STREAM + FRAMES[10][:9])
    assert names(pieces) == NAMES
    (damage,) = damages(pieces)
    assert (damage.offset, damage.size) == (len(STREAM), 9)


def test_a_line_that_is_damaged_costs_no_other() -> None:
    half = FRAMES[11].hex()[:24]
    data = "\n".join([FRAMES[10].hex(), half, FRAMES[12].hex() + "f", BODIES[10].hex(), FRAMES[13].hex()])
    pieces = read(data.encode())
    assert names(pieces) == [NAMES[10], NAMES[12], NAMES[13]]
    assert [damage.reason for damage in damages(pieces)] == [
        "the line ends inside a frame: 8 of its 22 bytes are there",
        "line 3: its hex ends within a byte",  # and right behind it a line without a length
    ]
    envelopes = "\n".join([BODIES[10].hex(), BODIES[11].hex()[:-3] + "zz", "ff", BODIES[12].hex()])
    pieces = read(envelopes.encode())
    assert names(pieces) == [NAMES[10], NAMES[12]]


def test_a_message_that_is_too_long_is_not_kept() -> None:
    reader = CaptureReader(content=Content.ENVELOPES, max_size=100)
    (damage,) = damages(read(b"\x08\x33\x12" + b"\x00" * 400, 50, reader))
    assert damage.reason == "a message of 403 bytes, more than 100"


def test_json_objects_that_are_no_messages_are_named_one_by_one() -> None:
    pieces = read(b'{"a":1}\n' + TEXTS[10] + b"\n{\n" + TEXTS[11])
    assert names(pieces) == NAMES[10:12]
    assert [damage.offset for damage in damages(pieces)] == [0, 8 + len(TEXTS[10]) + 1]
    pieces = read(TEXTS[10] + b"\n" + TEXTS[11][:-3])
    assert names(pieces) == [NAMES[10]]
    assert [damage.reason for damage in damages(pieces)] == ["the text ends here"]


@given(st.binary(max_size=300), st.integers(1, 100))
def test_garbage_never_does_more_than_be_told(data: bytes, size: int) -> None:
    try:
        read(data, size)
    except NoCapture:
        pass


def test_a_quote_that_rides_alone_is_read_as_it_was_sent() -> None:
    (piece,) = read(FRAMES[10])
    assert piece.message is not None
    assert ProtobufCodec().encode(piece.message) == BODIES[10]
    assert (piece.offset, piece.size) == (0, len(FRAMES[10]))


def test_a_message_of_many_kilobytes_shows_what_carries_it() -> None:
    body = ProtobufCodec().encode(Message(oa.ProtoOAVersionRes(version="x" * (2 * HEAD))))
    for data, content in (
        (encode_frame(body), Content.FRAMES),
        (data_frame(0x82, body), Content.WEBSOCKET),
        (data_frame(0x82, body, key=KEY), Content.WEBSOCKET),
    ):
        reader = CaptureReader()
        assert names(read(data, 1000, reader)) == ["ProtoOAVersionRes"]
        assert reader.form == Form(BINARY, content)


def test_fragments_of_a_websocket_may_stand_on_lines_of_their_own() -> None:
    parts = [SERVER[9], data_frame(0x02, BODIES[10][:5]), PING, data_frame(0x80, BODIES[10][5:])]
    for write in (bytes.hex, base64.b64encode):
        pieces = read(lines(parts, write))
        assert (names(pieces), damages(pieces)) == (NAMES[9:11], [])


def test_a_websocket_is_read_as_one_where_that_is_said() -> None:
    reader = CaptureReader(content=Content.WEBSOCKET)
    assert names(read(b"\xff" * 100 + SERVER[10], reader=reader)) == [NAMES[10]]
    assert str(reader.form) == "binary, websocket"


UNWRAPPED = {HEX: STREAM.hex().encode(), BASE64: base64.b64encode(STREAM)}


@settings(deadline=None)
@pytest.mark.parametrize("encoding", UNWRAPPED)
@given(st.data())
def test_characters_lost_or_added_in_text_without_lines_cost_the_messages_that_they_stand_in_and_those_right_behind(
    encoding: Encoding, data: st.DataObject
) -> None:
    places = data.draw(edits(UNWRAPPED[encoding]))
    damaged = hurt(encoding, places)
    pieces = read(edited(UNWRAPPED[encoding], places), data.draw(st.sampled_from([13, 1000, 1 << 16])))
    whole = [message for number, message in enumerate(MESSAGES) if number not in damaged]
    assert [piece.message for piece in pieces if isinstance(piece, Frame) and piece.message in whole] == whole
    covered(pieces)


@pytest.mark.parametrize("encoding", UNWRAPPED)
def test_text_whose_first_message_lacks_a_character_is_a_capture_all_the_same(encoding: Encoding) -> None:
    whole = STREAM * (2 * HEAD // len(STREAM))
    text = whole.hex().encode() if encoding is HEX else base64.b64encode(whole)
    for size in (1000, HEAD, len(text)):
        reader = CaptureReader()
        pieces = read(text[1:], size, reader)
        assert reader.form == Form(encoding, Content.FRAMES)
        assert names(pieces) == NAMES[1:] + NAMES * (2 * HEAD // len(STREAM) - 1)


@pytest.mark.parametrize("write", [bytes.hex, base64.b64encode])
def test_a_message_of_many_kilobytes_shows_what_it_is_in_text_too(write: Callable[[bytes], bytes | str]) -> None:
    body = ProtobufCodec().encode(Message(oa.ProtoOAVersionRes(version="x" * (2 * HEAD))))
    reader = CaptureReader()
    assert names(read(lines([encode_frame(body)], write), 1000, reader)) == ["ProtoOAVersionRes"]
    assert reader.form is not None
    assert reader.form.content is Content.FRAMES


@settings(deadline=None)
@given(
    numbers=st.lists(st.integers(0, len(FRAMES) - 1), min_size=1, max_size=40),
    repeated=st.integers(1, 9),
    width=st.sampled_from([12, 40, 60, 64, 76, 80]),
    end=st.sampled_from([b"", b"\n"]),
)
def test_text_that_is_wrapped_is_read_whole_wherever_its_lines_end(
    numbers: list[int], repeated: int, width: int, end: bytes
) -> None:
    numbers = [number for number in numbers for _ in range(repeated)]
    data = b"".join(FRAMES[number] for number in numbers)
    for text in (data.hex().encode(), base64.b64encode(data)):
        pieces = read(b"\n".join(in_parts(text, width)) + end)
        assert names(pieces) == [NAMES[number] for number in numbers]
        assert damages(pieces) == []


@settings(deadline=None)
@given(
    numbers=st.lists(st.integers(0, len(FRAMES) - 1), min_size=1, max_size=40),
    repeated=st.integers(1, 9),
    parts=st.sampled_from([BODIES, FRAMES, SERVER, CLIENT]),
)
def test_text_with_a_message_a_line_is_read_whole_whatever_the_messages(
    numbers: list[int], repeated: int, parts: list[bytes]
) -> None:
    numbers = [number for number in numbers for _ in range(repeated)]
    for write in (bytes.hex, base64.b64encode):
        pieces = read(lines([parts[number] for number in numbers], write))
        assert names(pieces) == [NAMES[number] for number in numbers]
        assert damages(pieces) == []


def test_messages_that_fill_a_line_each_do_not_make_it_read_line_by_line() -> None:
    heartbeat = encode_frame(b"\x08\x33")
    text = (heartbeat * 50 + STREAM).hex().encode()
    for size in (1, 61, 1 << 16):
        pieces = read(b"\n".join(in_parts(text, 60)), size)
        assert names(pieces) == ["ProtoHeartbeatEvent"] * 50 + NAMES
        assert damages(pieces) == []


def test_lines_of_one_length_are_read_as_they_come_and_line_by_line_once_they_differ() -> None:
    reader = CaptureReader()
    line = FRAMES[10].hex().encode() + b"\n"
    for _ in range(20):
        assert names(reader.feed(line)) == [NAMES[10]]
    assert reader.form is None
    assert names(reader.feed(FRAMES[12].hex().encode() + b"\n")) == [NAMES[12]]
    assert reader.form == Form(HEX, Content.FRAMES, by_line=True)
    assert names(reader.feed(line[:20] + b"\n" + line) + reader.close()) == [NAMES[10]]
    reader = CaptureReader()
    assert names(reader.feed(line)) == [NAMES[10]]
    assert reader.feed(line[:20] + b"\n" + line * 5) == []  # a line that is damaged: more is looked at
    pieces = reader.feed(line * 30) + reader.close()
    assert names(pieces) == [NAMES[10]] * 35
    assert len(damages(pieces)) == 1


def test_lines_of_one_length_are_not_kept_without_end() -> None:
    reader = CaptureReader()
    line = FRAMES[10].hex().encode() + b"\n"
    assert names(reader.feed(line * MOST_LINES)) == [NAMES[10]] * MOST_LINES
    assert reader.form == Form(HEX, Content.FRAMES)
    assert names(reader.feed(line)) == [NAMES[10]]


@pytest.mark.parametrize("write", [bytes.hex, base64.b64encode])
@pytest.mark.parametrize("width", [64, 1 << 20])
@pytest.mark.parametrize("damage", ["lost", "added", "wrong", "not ASCII"])
def test_damage_in_the_first_message_of_a_text_costs_that_alone(
    write: Callable[[bytes], bytes | str], width: int, damage: str
) -> None:
    text = lines([STREAM], write)
    text = {
        "lost": text[:9] + text[10:],
        "added": text[:9] + b"a" + text[9:],
        "wrong": text[:9] + b"!" + text[10:],
        "not ASCII": b"\xb0" + text[1:],
    }[damage]
    pieces = read(b"\n".join(in_parts(text, width)))
    assert names(pieces)[-len(NAMES) + 2 :] == NAMES[2:]
    assert damages(pieces)[0].offset == 0


def test_a_dump_whose_first_line_is_damaged_is_one_all_the_same() -> None:
    pieces = read(b"x" + dump(STREAM))
    assert names(pieces)[-len(NAMES) + 3 :] == NAMES[3:]


@pytest.mark.parametrize("size", [1, 1 << 16])
@pytest.mark.parametrize("wrong", [b"\x01", b"\x7f", b"\xfb", b"z", b";", b"", b"what\n"])
def test_damage_of_one_character_costs_one_message_of_json(wrong: bytes, size: int) -> None:
    whole = b"\n".join(TEXTS[10:16])
    for at in (0, 1, 30, len(TEXTS[10]) + 1):
        pieces = read(whole[:at] + wrong + whole[at + 1 :], size)
        assert len(names(pieces)) >= 5
        assert names(pieces)[-4:] == NAMES[12:16]


@pytest.mark.parametrize("size", [1, 1 << 16])
def test_frames_of_json_are_told_from_json_though_the_first_length_is_lost(size: int) -> None:
    pieces = read(b"".join(map(encode_frame, TEXTS[10:60]))[4:], size)
    assert names(pieces) == NAMES[11:60]
    assert damages(pieces)[0].size == len(TEXTS[10])


@pytest.mark.parametrize("write", [bytes, dump, base64.encodebytes])
@pytest.mark.parametrize("length", [b"\x00\x00\x00\xfe", b"\x02\x00\x00\x7d", b"\x00\x00\x00\x7e"])
def test_frames_are_not_taken_for_a_websocket_that_has_only_begun_though_the_first_length_is_wrong(
    length: bytes, write: Callable[[bytes], bytes]
) -> None:
    first = b'{"payloadType":2143,"payload":{"ctidTraderAccountId":1},"clientMsgId":"%b"}' % (b"7" * 60)
    data = length + first + b"".join(map(encode_frame, TEXTS[10:60]))
    assert names(read(write(data))) == NAMES[10:60]


@pytest.mark.parametrize("wrong", [b"\x00\x00\x00\x82{!", TEXTS[10]])
def test_frames_of_both_kinds_are_not_taken_for_json_though_the_first_is_damaged(wrong: bytes) -> None:
    data = wrong + b"".join(map(encode_frame, [*BODIES[10:13], *TEXTS[13:20]]))
    assert names(read(data)) == NAMES[10:20]


@pytest.mark.parametrize("count", [2, 20, 2000])
def test_json_with_what_is_no_ascii_between_is_json(count: int) -> None:
    data = b"\n".join(b"\xc3\xa9 %b" % text for text in [*TEXTS[10:12]] * (count // 2))
    assert names(read(data)) == NAMES[10:12] * (count // 2)


@pytest.mark.parametrize("lost", [2, 9, 30])
def test_a_binary_capture_from_the_middle_on_is_one(lost: int) -> None:
    for data in (STREAM, b"".join(SERVER), b"A" + STREAM[1:]):
        assert names(read(data[lost:]))[-len(NAMES) + 2 :] == NAMES[2:]


@pytest.mark.parametrize(
    "text", [b"hello\nworld\ncafe\nbabe\n" * 4000, b"hello world this is some text\n" * 3000, b"hello world " * 6000]
)
def test_words_that_could_be_base64_are_no_capture(text: bytes) -> None:
    with pytest.raises(NoCapture, match="no frame"):
        CaptureReader().feed(text)


def test_a_message_alone_that_is_wrapped_is_one() -> None:
    for number in range(len(BODIES)):
        pieces = read(lines(in_parts(BODIES[number], 8), bytes.hex))
        assert (names(pieces), damages(pieces)) == ([NAMES[number]], [])


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("width", [4, 5, 6, 8, 16])
def test_short_lines_of_hex_that_begin_with_zeros_are_no_dump(width: int, end: str) -> None:
    text = encode_frame(BODIES[10]).hex()
    assert text.startswith("0000")
    lines = end.join(text[at : at + width] for at in range(0, len(text), width)) + end
    assert names(read(lines.encode())) == [NAMES[10]]


@settings(deadline=None, max_examples=40)
@pytest.mark.parametrize("encoding", UNWRAPPED)
@given(
    number=st.integers(0, len(FRAMES) - 40),
    place=st.floats(0, 1),
    wrong=st.sampled_from([b"\x00", b"\xff", b"!", b"?", b"what? ", b"\x01\x80a", bytes(range(128, 256))]),
    count=st.integers(1, 400),
    size=st.sampled_from([100, 1 << 16]),
)
def test_a_damaged_run_in_text_without_lines_costs_what_stands_in_it_however_long_it_is(
    encoding: Encoding, number: int, place: float, wrong: bytes, count: int, size: int
) -> None:
    frames = FRAMES[number : number + 40]
    data = b"".join(frames)
    text = data.hex().encode() if encoding is HEX else base64.b64encode(data)
    at = int(place * len(text))
    run = (wrong * count)[:count]
    pieces = read(text[:at] + run + text[at + count :], size)
    bits = 4 if encoding is HEX else 6
    hurt = {
        index
        for index in range(40)
        if (at - 4) * bits < 8 * sum(map(len, frames[: index + 1]))
        and 8 * sum(map(len, frames[: max(index - 1, 0)])) < (at + count + 4) * bits
    }
    whole = [message for index, message in enumerate(MESSAGES[number : number + 40]) if index not in hurt]
    assert [piece.message for piece in pieces if isinstance(piece, Frame) and piece.message in whole] == whole


def test_a_run_that_is_damaged_does_not_make_a_binary_capture_a_text() -> None:
    for wrong in (b"!", b"\x00", b"A", b"7"):
        for data in (STREAM, b"".join(SERVER), b"".join(map(encode_frame, TEXTS[10:60]))):
            reader = CaptureReader()
            assert names(read(wrong * 3000 + data, reader=reader))[-5:]
            assert reader.form is not None
            assert reader.form.encoding is BINARY
