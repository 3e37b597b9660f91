from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyctrader.wire import JsonCodec, Message, Role
from anyctrader.wire import messages as oa
from anyctrader.wire.rendering import Frame
from anyctrader.wire.scan import Aside, Damage, Piece
from anyctrader.wire.websocket import Opcode, control_frame, data_frame
from anyctrader.wire.websocket_scan import WebSocketScan

from .captured import BODIES, NAMES, TEXTS, broken, covered, damages, in_parts, names

KEY = b"\x12\x34\x56\x78"
BINARY, TEXT, CONTINUATION, FIN = Opcode.BINARY, Opcode.TEXT, Opcode.CONTINUATION, 0x80
REQUEST = b"GET /?token=abc HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n"
ANSWER = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


def framed(body: bytes, *, kind: Opcode = BINARY, key: bytes = b"", fin: int = FIN) -> bytes:
    return data_frame(fin | kind, body, key=key)


SERVER = [framed(body) for body in BODIES]
CLIENT = [framed(body, key=KEY) for body in BODIES]
THREE = b"".join(SERVER[10:13])
FIRST, SECOND = len(SERVER[10]), len(SERVER[10] + SERVER[11])
CLOSE = control_frame(Opcode.CLOSE, b"\x03\xe8Bye")


def scanned(data: bytes, size: int = 1 << 16, max_size: int = 100_000) -> list[Piece]:
    scan = WebSocketScan(max_size)
    return [piece for part in in_parts(data, size) for piece in scan.feed(part)] + scan.end()


def asides(pieces: list[Piece]) -> list[Aside]:
    return [piece for piece in pieces if isinstance(piece, Aside)]


@pytest.mark.parametrize("size", [1, 3, 100, 1 << 16])
@pytest.mark.parametrize("frames", [SERVER, CLIENT], ids=["server", "client"])
def test_every_message_is_found_whatever_the_cut(frames: list[bytes], size: int) -> None:
    pieces = scanned(b"".join(frames), size)
    assert names(pieces) == NAMES
    assert covered(pieces) == sum(map(len, frames))


@pytest.mark.parametrize("size", [1, 1 << 16])
def test_both_sides_and_both_codecs_may_stand_in_one_stream(size: int) -> None:
    data = b"".join(
        framed(text, kind=TEXT, key=KEY) + frame for text, frame in zip(TEXTS[:20], SERVER[:20], strict=True)
    )
    assert names(scanned(data, size)) == [name for name in NAMES[:20] for _ in range(2)]


@pytest.mark.parametrize("size", [1, 5, 1 << 16])
def test_the_heads_of_the_upgrade_are_shown_without_a_query(size: int) -> None:
    pieces = scanned(REQUEST + ANSWER + CLIENT[10] + SERVER[11], size)
    request, answer = asides(pieces)
    assert (request.kind, request.role, request.text) == ("http", Role.CLIENT, "GET /?…")
    assert (answer.role, answer.text) == (Role.SERVER, "HTTP/1.1 101 Switching Protocols")
    assert names(pieces) == NAMES[10:12]
    assert covered(pieces) == len(REQUEST + ANSWER + CLIENT[10] + SERVER[11])


def test_an_answer_that_refuses_has_its_body_with_it() -> None:
    head = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\n\r\n"
    for size in (1, 1 << 16):
        (piece,) = scanned(head + b"go away", size)
        assert isinstance(piece, Aside)
        assert (piece.text, piece.size) == ("HTTP/1.1 403 Forbidden", len(head) + 7)
    (cut,) = scanned(head + b"go")
    assert cut.size == len(head) + 2
    assert len(scanned(b"HTTP/1.1 403 Forbidden\r\n\r\n" + SERVER[10])) == 2


def test_an_http_head_without_an_end_is_damage() -> None:
    (damage,) = damages(scanned(b"GET / HTTP/1.1\r\nX: y"))
    assert damage.reason == "the capture ends inside an HTTP head, 20 bytes into it"
    found = scanned(b"GET /" + b"x" * 70_000 + SERVER[10])
    assert damages(found)[0].reason == "an HTTP head that does not end"
    assert names(found) == [NAMES[10]]


@pytest.mark.parametrize("size", [1, 1 << 16])
def test_control_frames_are_shown_with_code_and_reason(size: int) -> None:
    data = (
        control_frame(Opcode.PING, b"hello")
        + control_frame(Opcode.PONG, b"\x00\xff", key=KEY)
        + SERVER[10]
        + CLOSE
        + control_frame(Opcode.CLOSE, key=KEY)
    )
    pieces = scanned(data, size)
    assert [(each.kind, each.role, each.code, each.text) for each in asides(pieces)] == [
        ("ping", Role.SERVER, None, "hello"),
        ("pong", Role.CLIENT, None, ""),
        ("close", Role.SERVER, 1000, "Bye"),
        ("close", Role.CLIENT, None, ""),
    ]
    assert covered(pieces) == len(data)
    assert all(each.message is None for each in asides(pieces))


@pytest.mark.parametrize("size", [1, 1 << 16])
def test_fragments_are_put_together_of_either_side_with_control_frames_between(size: int) -> None:
    ours, theirs = BODIES[10], TEXTS[11]
    parts = [
        framed(ours[:5], key=KEY, fin=0),
        framed(theirs[:7], kind=TEXT, fin=0),
        control_frame(Opcode.PING, b"p"),
        framed(ours[5:9], kind=CONTINUATION, key=KEY, fin=0),
        framed(theirs[7:], kind=CONTINUATION),
        framed(ours[9:], kind=CONTINUATION, key=KEY),
    ]
    pieces = scanned(b"".join(parts), size)
    assert names(pieces) == [NAMES[11], NAMES[10]]
    (ping,) = asides(pieces)
    assert ping.offset == len(parts[0] + parts[1])
    first = pieces[-1]
    assert isinstance(first, Frame)
    assert (first.offset, first.size) == (0, len(b"".join(parts)))


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([framed(BODIES[10][:5], fin=0)], "a message in fragments is cut off: 1 fragment of it, 5 bytes"),
        (
            [framed(BODIES[10][:5], fin=0), SERVER[11]],
            "a message does not end before the next begins: 1 fragment of it, 5 bytes",
        ),
        ([framed(b"\x08" * 60_000, fin=0), framed(b"\x08" * 60_000, kind=CONTINUATION)], "of more than 100000 bytes"),
        ([framed(b"", fin=0), framed(b"", kind=CONTINUATION, fin=0) * 65_535], "in 65536 fragments does not end"),
        ([framed(BODIES[10][5:], kind=CONTINUATION), SERVER[11]], "the rest of a message that is not here"),
    ],
)
def test_a_message_in_fragments_that_cannot_be_whole_is_damage(parts: list[bytes], reason: str) -> None:
    pieces = scanned(b"".join(parts))
    (damage,) = damages(pieces)
    assert reason in damage.reason
    assert names(pieces) == ([NAMES[11]] if SERVER[11] in parts else [])
    assert damage.size + (len(SERVER[11]) if names(pieces) else 0) == len(b"".join(parts))


def test_a_fault_costs_the_message_in_fragments_beside_it() -> None:
    begun = framed(BODIES[10][:5], key=KEY, fin=0)
    pieces = scanned(begun + b"\xff\xff\xff" + SERVER[11])
    assert [(each.offset, each.size) for each in damages(pieces)] == [(0, len(begun)), (len(begun), 3)]
    assert names(pieces) == [NAMES[11]]


@pytest.mark.parametrize("size", [1, 1 << 16])
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (b"\x83", "no frame is of the kind 0x3"),
        (b"\x09", "a control frame in fragments, or with reserved bits set"),
        (b"\xc9", "a control frame in fragments, or with reserved bits set"),
        (b"\x89\x7e", "a control frame of more than 125 bytes"),
        (b"\x82\x7e\x00\x05", "a length that is not in its shortest form"),
        (b"\x82\x7f" + (100_001).to_bytes(8, "big"), "a length of 100001 bytes, more than 100000"),
        (b"\x82\x7d\xff\xff", "no message fits a length of 125 bytes here"),
        (b"\x88\x02\x00\x01", "a close frame without a valid code"),
        (b"\x88\x01\x03", "a close frame without a valid code"),
        (b"\x88\x03\x03\xe8\xff", "the reason of a close frame is not UTF-8"),
        (b"\xc2\x03abc", "a frame with reserved bits set: it is compressed, or belongs to an extension"),
        (b"\x80\x03abc", "the rest of a message that is not here"),
        (b"\x82\x03abc", ""),
    ],
)
def test_what_is_wrong_is_named_and_what_is_around_it_is_shown(wrong: bytes, reason: str, size: int) -> None:
    data = SERVER[10] + wrong + SERVER[11] + SERVER[12] + CLOSE
    pieces = scanned(data, size)
    assert names(pieces) == NAMES[10:13]
    (damage,) = damages(pieces)
    assert (damage.offset, damage.size) == (FIRST, len(wrong))
    assert reason in damage.reason
    assert [each.text for each in asides(pieces)] == ["Bye"]


def test_a_payload_that_lacks_something_is_named_and_costs_no_other() -> None:
    data = SERVER[10] + framed(broken(oa.ProtoOATraderRes())) + SERVER[12]
    for size in (1, 1 << 16):
        pieces = scanned(data, size)
        assert names(pieces) == [NAMES[10], NAMES[12]]
        (damage,) = damages(pieces)
        assert damage.message is not None
        assert damage.message.name == "ProtoOATraderRes"


def test_a_wrong_length_hides_no_frame_behind_it() -> None:
    data = bytearray(THREE)
    data[FIRST + 1] += 1
    for size in (1, 1 << 16):
        pieces = scanned(bytes(data), size)
        assert names(pieces) == [NAMES[10], NAMES[12]]
        (damage,) = damages(pieces)
        assert (damage.offset, damage.size) == (FIRST, len(SERVER[11]))


def test_control_frames_behind_damage_are_shown_where_a_message_or_the_end_follows() -> None:
    ping = control_frame(Opcode.PING, b"x")
    pieces = scanned(b"\xff\xff" + ping + SERVER[10])
    assert [type(piece) for piece in pieces] == [Damage, Aside, Frame]
    assert [type(piece) for piece in scanned(b"\xff\xff" + CLOSE)] == [Damage, Aside]
    assert [type(piece) for piece in scanned(b"\xff\xff" + ping)] == [Damage]
    assert [type(piece) for piece in scanned(b"\xff\xff" + ping + REQUEST)] == [Damage, Aside, Aside]
    assert [type(piece) for piece in scanned(b"\xff\xff" + ping + b"GET / H", 1)] == [Damage]
    assert [type(piece) for piece in scanned(b"\xff\xff" + ping + b"\x88\x01x", 1)] == [Damage]


def test_a_message_in_fragments_may_follow_damage() -> None:
    parts = framed(BODIES[10][:5], fin=0) + framed(BODIES[10][5:], kind=CONTINUATION)
    for size in (1, 1 << 16):
        assert names(scanned(b"\xff\xff" + parts, size)) == [NAMES[10]]


def test_an_unknown_message_behind_damage_is_believed_where_another_frame_follows() -> None:
    unknown = framed(b"\x08\x8f\x4e\x1a\x01a")
    for behind in (b"", SERVER[10], CLOSE):
        pieces = scanned(b"\xff\xff" + unknown + behind)
        assert names(pieces)[:1] == ["Unknown(9999)"]
    assert names(scanned(b"\xff\xff" + unknown + b"\x83\x83")) == []


@pytest.mark.parametrize(
    ("left", "said"),
    [(1, "the head of a frame, 1 bytes into it"), (9, f"a frame: 7 of its {len(BODIES[11])} bytes are there")],
)
def test_a_capture_that_ends_within_a_frame_says_so(left: int, said: str) -> None:
    pieces = scanned(SERVER[10] + SERVER[11][:left])
    assert names(pieces) == [NAMES[10]]
    (damage,) = damages(pieces)
    assert damage.reason == f"the capture ends inside {said}"


def test_a_cut_without_loss_leaves_a_message_in_fragments_open() -> None:
    scan = WebSocketScan()
    assert scan.feed(framed(BODIES[10][:5], fin=0)) == []
    assert scan.cut("the line ends") == []
    assert names(scan.feed(framed(BODIES[10][5:], kind=CONTINUATION))) == [NAMES[10]]
    assert scan.feed(framed(BODIES[10][:5], fin=0)) == []
    assert len(scan.cut("something is missing", lost=3)) == 2


def test_memory_does_not_grow_with_damage() -> None:
    scan = WebSocketScan(1000)
    for _ in range(40):
        scan.feed(b"\xff" * 65_536)
    assert len(scan._buffer) < 1 << 21


def test_text_that_is_not_utf8_is_damage() -> None:
    text = JsonCodec().encode(Message(oa.ProtoOAVersionRes(version="odd")))
    data = framed(text.replace(b"odd", b"\xff\xff\xff"), kind=TEXT) + SERVER[10]
    pieces = scanned(data)
    assert len(damages(pieces)) == 1
    assert names(pieces) == [NAMES[10]]


@given(data=st.lists(st.one_of(st.binary(max_size=20), st.sampled_from([*SERVER[:30], *CLIENT[:30], CLOSE, REQUEST]))))
def test_whatever_comes_is_read_to_its_end_whatever_the_cut(data: list[bytes]) -> None:
    stream = b"".join(data)
    # What is believed behind noise may differ with the cut: a frame that fits by chance is waited for, or read past.
    for pieces in (scanned(stream), scanned(stream, 7)):
        assert all(piece.size for piece in pieces)
        assert sum(piece.size or 0 for piece in damages(pieces)) <= len(stream)
        assert pieces or not stream


def test_one_wrong_byte_costs_no_more_than_its_frame_and_the_next() -> None:
    costs: dict[int, int] = {}
    for at in range(FIRST, SECOND):
        for value in range(256):
            data = bytearray(b"".join(SERVER[10:14]))
            data[at] = value
            found = names(scanned(bytes(data)))
            assert found[0] == NAMES[10]
            if found[-1] != NAMES[13]:
                costs[at] = costs.get(at, 0) + 1
    # A length that is wrong may reach to where something looks like the end of a frame.
    assert set(costs) <= {FIRST + 1}
    assert costs.get(FIRST + 1, 0) <= 5


@pytest.mark.parametrize(
    ("data", "is_likely"),
    [
        (b"", True),
        (SERVER[10], True),
        (SERVER[10][:9], True),
        (CLIENT[10][:9], True),
        (framed(BODIES[10][:9], fin=0), True),
        (framed(BODIES[10][:9], fin=0) + b"\x80", True),
        (REQUEST[:20], True),
        (SERVER[10][:2], False),
        (framed(b"", fin=0) + framed(BODIES[10], kind=CONTINUATION)[:9], False),
        (framed(BODIES[10], kind=CONTINUATION)[:9], False),
        (b"\x82\x10what is this", False),
        (CLOSE[:4], False),
        (b"\xff" * 9, False),
    ],
)
def test_what_is_under_way_is_likely_where_it_may_be_a_message(data: bytes, is_likely: bool) -> None:
    scan = WebSocketScan(100_000)
    scan.feed(data)
    assert scan.is_likely is is_likely
