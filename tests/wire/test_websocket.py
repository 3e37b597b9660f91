"""The frames of RFC 6455, written by hand: nothing of `wire` makes what `wire` reads, but where both are driven."""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyctrader.wire import (
    Connection,
    FrameTooLarge,
    JsonCodec,
    LocalProtocolError,
    Message,
    MessageKind,
    ProtobufCodec,
    RemoteProtocolError,
    Role,
    WebSocketFraming,
)
from anyctrader.wire import messages as oa
from anyctrader.wire.events import LinkClosed, RequestReceived
from anyctrader.wire.websocket import Opcode, control_frame, data_frame

KEY = b"\x37\xfa\x21\x3d"


def client(kind: MessageKind = MessageKind.BINARY, **given: int) -> WebSocketFraming:
    return WebSocketFraming(Role.CLIENT, kind, random=os.urandom, **given)


def server(kind: MessageKind = MessageKind.BINARY, **given: int) -> WebSocketFraming:
    return WebSocketFraming(Role.SERVER, kind, **given)


def frame(first: int, payload: bytes = b"", *, key: bytes = b"") -> bytes:
    """By the letter of section 5.2."""
    bit = 0x80 if key else 0
    if len(payload) < 126:
        head = bytes([first, bit | len(payload)])
    elif len(payload) < 65_536:
        head = bytes([first, bit | 126]) + len(payload).to_bytes(2, "big")
    else:
        head = bytes([first, bit | 127]) + len(payload).to_bytes(8, "big")
    return head + key + (bytes(byte ^ key[at % 4] for at, byte in enumerate(payload)) if key else payload)


def said_by_client(data: bytes) -> tuple[int, bytes]:
    """First byte and payload of the one frame that this is; it is masked."""
    assert data[1] & 0x80
    size, start = data[1] & 0x7F, 2
    if size == 126:
        size, start = int.from_bytes(data[2:4], "big"), 4
    elif size == 127:
        size, start = int.from_bytes(data[2:10], "big"), 10
    key, payload = data[start : start + 4], data[start + 4 :]
    assert len(payload) == size
    return data[0], bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))


def read(framing: WebSocketFraming, data: bytes) -> tuple[list[bytes], RemoteProtocolError | None]:
    """What comes out, and the fault that ends it."""
    taken: list[bytes] = []
    try:
        for body in framing.feed(data):
            taken.append(body)
    except RemoteProtocolError as fault:
        return taken, fault
    return taken, None


def fault_of(framing: WebSocketFraming, data: bytes) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as caught:
        list(framing.feed(data))
    return caught.value


# What is sound


def test_the_examples_of_the_rfc_are_read() -> None:
    assert list(client(MessageKind.TEXT).feed(bytes.fromhex("810548656c6c6f"))) == [b"Hello"]
    assert list(server(MessageKind.TEXT).feed(bytes.fromhex("818537fa213d7f9f4d5158"))) == [b"Hello"]
    assert list(client(MessageKind.TEXT).feed(bytes.fromhex("010348656c80026c6f"))) == [b"Hello"]


def test_the_example_of_the_rfc_is_written() -> None:
    assert data_frame(0x81, b"Hello", key=KEY) == bytes.fromhex("818537fa213d7f9f4d5158")
    assert data_frame(0x81, b"Hello") == bytes.fromhex("810548656c6c6f")


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
def test_a_message_of_any_length_passes_both_ways(size: int) -> None:
    body = (bytes(range(256)) * (size // 256 + 1))[:size]
    there, back = client(), server()
    assert server().wrap(body) == frame(0x82, body)
    assert list(there.feed(back.wrap(body))) == [body]
    written = there.wrap(body)
    assert said_by_client(written) == (0x82, body)
    assert list(back.feed(written)) == [body]


def test_each_frame_of_a_client_has_a_mask_of_its_own_out_of_what_it_was_given() -> None:
    asked: list[int] = []

    def random(size: int) -> bytes:
        asked.append(size)
        return os.urandom(size)

    framing = WebSocketFraming(Role.CLIENT, MessageKind.BINARY, random=random)
    keys = {framing.wrap(b"")[2:6] for _ in range(2_000)}
    assert len(keys) > 1_990
    assert sum(asked) >= 8_000


def test_only_a_client_masks() -> None:
    with pytest.raises(ValueError, match="masks"):
        WebSocketFraming(Role.CLIENT, MessageKind.BINARY)
    with pytest.raises(ValueError, match="masks"):
        WebSocketFraming(Role.SERVER, MessageKind.BINARY, random=os.urandom)


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[bytes], list[tuple[int, bytes]]]:
    """Messages, and the frames that carry them: in fragments, with pings and pongs anywhere between."""
    bodies, frames = [], []
    for pieces in draw(st.lists(st.lists(st.binary(max_size=200), min_size=1, max_size=3), max_size=4)):
        bodies.append(b"".join(pieces))
        for number, piece in enumerate(pieces):
            frames.append(((0 if number else 0x02) | (0x80 if number == len(pieces) - 1 else 0), piece))
            frames += [(first, b"there?") for first in draw(st.sampled_from([(), (0x89,), (0x8A, 0x89)]))]
    return bodies, frames


@given(streams(), st.sampled_from(Role), st.integers(1, 60))
def test_any_cut_of_the_stream_gives_the_same_messages(
    given_stream: tuple[list[bytes], list[tuple[int, bytes]]], role: Role, step: int
) -> None:
    bodies, frames = given_stream
    stream = b"".join(frame(first, payload, key=KEY if role is Role.SERVER else b"") for first, payload in frames)
    whole, framing = [server() if role is Role.SERVER else client() for _ in range(2)]
    assert list(whole.feed(stream)) == bodies
    assert [body for at in range(0, len(stream), step) for body in framing.feed(stream[at : at + step])] == bodies
    framing.close()


@pytest.mark.parametrize(("size", "step"), [(126, 1), (66_000, 1), (256_000, 999)])
def test_a_long_message_in_small_pieces_is_put_together(size: int, step: int) -> None:
    body = (bytes(range(256)) * 1_000)[:size]
    for framing, stream in ((client(), frame(0x82, body)), (server(), frame(0x82, body, key=KEY))):
        assert [b for at in range(0, len(stream), step) for b in framing.feed(stream[at : at + step])] == [body]


@given(st.lists(st.binary(max_size=60), max_size=8), st.sampled_from(Role), st.sampled_from(MessageKind))
def test_garbage_gives_messages_or_one_fault_and_never_another_exception(
    chunks: list[bytes], role: Role, kind: MessageKind
) -> None:
    framing = server(kind) if role is Role.SERVER else client(kind)
    faults = [fault for chunk in chunks if (fault := read(framing, chunk)[1]) is not None]
    assert len(set(map(repr, faults))) <= 1
    assert not faults or repr(read(framing, frame(0x82, b"more"))) == repr(([], faults[0]))


# What a peer must not send


PROTOCOL_ERROR, WRONG_KIND, NOT_UTF8, TOO_LARGE = 1002, 1003, 1007, 1009


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (frame(0xC2, b"x"), "reserved bits"),
        (frame(0xA2, b"x"), "reserved bits"),
        (frame(0x92, b"x"), "reserved bits"),
        (frame(0xC1, b"x"), "reserved bits"),
        (frame(0xC9, b"x"), "reserved bits"),
        (frame(0x83), "unknown kind 0x3"),
        (frame(0x8B), "unknown kind 0xb"),
        (frame(0x82, b"x", key=KEY), "a masked frame"),
        (frame(0x89, key=KEY), "a masked frame"),
        (bytes([0x89, 126, 0, 126]) + bytes(126), "more than 125"),
        (bytes([0x88, 127]) + bytes(8), "more than 125"),
        (frame(0x09, b"x"), "control frame in fragments"),
        (frame(0x80, b"x"), "rest of no message"),
        (frame(0x02, b"x") + frame(0x82, b"y"), "a new message within another"),
        (bytes([0x82, 126, 0, 125]) + bytes(125), "shortest form"),
        (bytes([0x82, 127]) + (65_535).to_bytes(8, "big"), "shortest form"),
        (frame(0x88, b"\x03"), "without a valid code"),
        (frame(0x88, (1005).to_bytes(2, "big")), "without a valid code"),
        (frame(0x88, (999).to_bytes(2, "big")), "without a valid code"),
        (frame(0x88, (2_000).to_bytes(2, "big")), "without a valid code"),
        (frame(0x88, (5_000).to_bytes(2, "big")), "without a valid code"),
    ],
)
def test_what_the_rfc_forbids_ends_the_stream_with_its_name(data: bytes, said: str) -> None:
    framing = client()
    fault = fault_of(framing, data)
    assert "the server broke the WebSocket protocol" in str(fault)
    assert said in str(fault)
    assert said_by_client(framing.farewell()) == (0x88, PROTOCOL_ERROR.to_bytes(2, "big"))
    with pytest.raises(RemoteProtocolError):
        framing.close()


def test_a_client_that_does_not_mask_is_refused() -> None:
    framing = server()
    assert "a frame that is not masked" in str(fault_of(framing, frame(0x82, b"x")))
    assert framing.farewell() == frame(0x88, PROTOCOL_ERROR.to_bytes(2, "big"))


@pytest.mark.parametrize(
    ("kind", "first", "due"), [(MessageKind.TEXT, 0x82, "text"), (MessageKind.BINARY, 0x81, "binary")]
)
def test_a_message_of_the_other_kind_is_refused(kind: MessageKind, first: int, due: str) -> None:
    framing = client(kind)
    assert f"where {due} is due" in str(fault_of(framing, frame(first, b"{}")))
    assert said_by_client(framing.farewell()) == (0x88, WRONG_KIND.to_bytes(2, "big"))


@pytest.mark.parametrize(
    "data",
    [
        frame(0x81, b"caf\xc3"),
        frame(0x81, b"\xff" * 200),
        frame(0x01, b"caf\xc3") + frame(0x80, b"\x28"),
        frame(0x88, (1000).to_bytes(2, "big") + b"\xff"),
    ],
)
def test_text_that_is_not_utf_8_is_refused(data: bytes) -> None:
    framing = client(MessageKind.TEXT)
    assert "not UTF-8" in str(fault_of(framing, data))
    assert said_by_client(framing.farewell()) == (0x88, NOT_UTF8.to_bytes(2, "big"))


def test_a_character_may_be_cut_by_a_fragment() -> None:
    text = "café".encode()
    framing = client(MessageKind.TEXT)
    assert list(framing.feed(frame(0x81, text) + frame(0x01, text[:4]) + frame(0x80, text[4:]))) == [text, text]


def test_what_was_whole_before_a_fault_is_given_first() -> None:
    taken, fault = read(client(), frame(0x82, b"a") + frame(0x82, b"b") + frame(0xC2, b"c"))
    assert taken == [b"a", b"b"]
    assert fault is not None


# What is too much


@pytest.mark.parametrize("size", [101, 126, 65_536, 2**40, 2**63])
def test_a_message_that_is_too_large_is_refused_with_its_length_alone(size: int) -> None:
    framing = client(max_size=100)
    head = frame(0x82, bytes(size))[:4] if size < 65_537 else bytes([0x82, 127]) + size.to_bytes(8, "big")
    if size == 65_536:
        head = bytes([0x82, 127]) + size.to_bytes(8, "big")
    fault = fault_of(framing, head)
    assert isinstance(fault, FrameTooLarge)
    assert (fault.size, fault.max_size) == (size, 100)
    assert said_by_client(framing.farewell()) == (0x88, TOO_LARGE.to_bytes(2, "big"))


def test_the_limit_is_that_of_the_message_and_not_of_its_fragments() -> None:
    framing = client(max_size=100)
    assert list(framing.feed(frame(0x02, bytes(60)) + frame(0x80, bytes(40)))) == [bytes(100)]
    assert list(framing.feed(frame(0x02, bytes(60)))) == []
    fault = fault_of(framing, frame(0x00, bytes(41))[:2])
    assert isinstance(fault, FrameTooLarge)
    assert fault.size == 101


def test_pings_do_not_count_into_the_message_that_they_interrupt() -> None:
    framing = client(max_size=100)
    stream = frame(0x02, bytes(60)) + frame(0x89, bytes(60)) + frame(0x80, bytes(40))
    assert list(framing.feed(stream)) == [bytes(100)]


@pytest.mark.parametrize("payload", [b"", b"x"])
def test_fragments_without_end_end_in_a_fault_and_take_no_memory(payload: bytes) -> None:
    framing = client()
    list(framing.feed(frame(0x02)))
    flood = frame(0x00, payload) * 65_000
    assert read(framing, flood) == ([], None)
    assert sys.getsizeof(framing._message) < 100_000
    assert "more than 65536 fragments" in str(fault_of(framing, flood))


def test_pings_without_end_wait_as_one_answer() -> None:
    framing = client()
    for number in range(1_000):
        list(framing.feed(frame(0x89, str(number).encode())))
    assert framing.owes
    assert said_by_client(framing.take_owed()) == (0x8A, b"999")
    assert not framing.owes
    assert framing.take_owed() == b""


def test_a_pong_that_nobody_asked_for_means_nothing() -> None:
    framing = client()
    assert list(framing.feed(frame(0x8A, b"hello"))) == []
    assert not framing.owes


# The end


def test_a_close_of_the_server_is_told_with_code_and_reason_and_answered_with_the_same_code() -> None:
    framing = client()
    stream = frame(0x82, b"last") + frame(0x88, (1000).to_bytes(2, "big") + b"Bye") + frame(0x82, b"never")
    assert list(framing.feed(stream)) == [b"last"]
    assert framing.ended == "the server closed the WebSocket with 1000: Bye"
    assert list(framing.feed(frame(0x82, b"never"))) == []
    framing.close()
    assert said_by_client(framing.farewell()) == (0x88, (1000).to_bytes(2, "big"))
    assert framing.farewell() == b""


@pytest.mark.parametrize("code", [1001, 1003, 1011, 1014, 3000, 4999])
def test_the_codes_that_may_travel_are_taken(code: int) -> None:
    framing = server()
    list(framing.feed(frame(0x88, code.to_bytes(2, "big"), key=KEY)))
    assert framing.ended == f"the client closed the WebSocket with {code}"
    assert framing.farewell() == frame(0x88, code.to_bytes(2, "big"))


def test_a_close_without_a_code_is_answered_without_one() -> None:
    framing = server()
    list(framing.feed(frame(0x88, key=KEY)))
    assert framing.ended == "the client closed the WebSocket without a code"
    assert framing.farewell() == frame(0x88)


def test_our_own_close_has_the_code_and_reason_that_it_was_given_as_far_as_they_fit() -> None:
    assert server().farewell() == frame(0x88, (1000).to_bytes(2, "big"))
    assert server().farewell(reason="Bye") == frame(0x88, (1000).to_bytes(2, "big") + b"Bye")
    assert server().farewell(code=1001, reason="é" * 200) == frame(0x88, (1001).to_bytes(2, "big") + "é".encode() * 61)
    with pytest.raises(LocalProtocolError, match="125"):
        control_frame(Opcode.PING, bytes(126))


@pytest.mark.parametrize(
    ("data", "inside", "what"),
    [
        (b"\x82", 1, "frame"),
        (frame(0x82, b"abc")[:2], 1, "frame"),
        (frame(0x82, b"abc")[:4], 3, "frame"),
        (frame(0x02, b"abc"), 4, "message"),
        (frame(0x02), 1, "message"),
        (frame(0x02, b"abc") + frame(0x80, b"def")[:3], 5, "frame"),
    ],
)
def test_a_stream_that_ends_inside_a_message_is_broken(data: bytes, inside: int, what: str) -> None:
    framing = client()
    assert list(framing.feed(data)) == []
    with pytest.raises(RemoteProtocolError, match=f"ended inside a {what}, {inside} bytes"):
        framing.close()


# In a Connection


@pytest.mark.parametrize("said", [b"{nope", b"", b"[1,2]", b"[" * 10_000])
def test_text_that_is_no_message_is_closed_with_1007(said: bytes) -> None:
    ours = Connection(Role.CLIENT, JsonCodec(), framing=client(MessageKind.TEXT))
    [closed] = ours.receive_data(frame(0x81, said))
    assert isinstance(closed, LinkClosed)
    assert said_by_client(ours.close()) == (0x88, NOT_UTF8.to_bytes(2, "big"))


def test_a_close_behind_text_that_is_no_message_is_answered_with_its_own_code() -> None:
    ours = Connection(Role.CLIENT, JsonCodec(), framing=client(MessageKind.TEXT))
    ours.receive_data(frame(0x81, b"{nope") + frame(0x88, (1001).to_bytes(2, "big")))
    assert said_by_client(ours.close()) == (0x88, (1001).to_bytes(2, "big"))


@pytest.mark.parametrize(
    ("codec", "kind"), [(ProtobufCodec, MessageKind.BINARY), (JsonCodec, MessageKind.TEXT)], ids=["protobuf", "json"]
)
def test_two_connections_talk_over_websocket_frames(
    codec: type[ProtobufCodec] | type[JsonCodec], kind: MessageKind
) -> None:
    ours = Connection(Role.CLIENT, codec(), framing=client(kind))
    theirs = Connection(Role.SERVER, codec(), framing=server(kind))
    [heard] = theirs.receive_data(ours.send(Message(oa.ProtoOAVersionReq(), "1")))
    assert isinstance(heard, RequestReceived)
    [answer] = ours.receive_data(theirs.send(Message(oa.ProtoOAVersionRes(version="91"), "1")))
    assert answer.message.payload.version == "91"  # type: ignore[union-attr]
    assert ours.receive_data(frame(0x89, b"there?")) == []
    assert ours.owes
    assert theirs.receive_data(ours.owed()) == []
    assert ours.receive_data(theirs.close()) == [LinkClosed("the server closed the WebSocket with 1000", None)]
    assert said_by_client(ours.close())[0] == 0x88
    assert ours.close() == b""


def test_a_fault_of_the_framing_closes_the_connection_with_it() -> None:
    ours = Connection(Role.CLIENT, ProtobufCodec(), framing=client())
    [closed] = ours.receive_data(frame(0xC2, b"x"))
    assert isinstance(closed, LinkClosed)
    assert isinstance(closed.error, RemoteProtocolError)
    assert said_by_client(ours.close()) == (0x88, PROTOCOL_ERROR.to_bytes(2, "big"))


def test_a_stream_over_tcp_has_no_words_of_its_own() -> None:
    ours = Connection(Role.CLIENT, ProtobufCodec())
    assert (ours.owes, ours.owed(), ours.close()) == (False, b"", b"")
