from __future__ import annotations

import secrets
from typing import Any, cast

import anyio
import anyio.lowlevel
import pytest

from anyctrader.scripts.plain_link import PlainLink
from anyctrader.session import Environment, Mode
from anyctrader.session.gate import Gate
from anyctrader.session.transport import LinkLost, TlsStream
from anyctrader.wire import Message, MessageKind, ProtobufCodec, Role, WebSocketFraming
from anyctrader.wire import messages as oa
from anyctrader.wire.websocket import Opcode, control_frame

pytestmark = pytest.mark.anyio


class Stream:
    """The server's end: what it says, and all that is written to it."""

    def __init__(self, *said: bytes) -> None:
        self.said = list(said)
        self.written: list[bytes] = []
        self.last_word: bytes | None = None

    async def receive(self) -> bytes:
        if not self.said:
            await anyio.sleep_forever()
        return self.said.pop(0)

    async def send(self, data: bytes) -> None:
        await anyio.lowlevel.checkpoint()
        self.written.append(data)

    async def aclose(self, last_word: bytes = b"") -> None:
        self.last_word = last_word


def link_on(stream: Stream) -> PlainLink:
    gate = Gate(Environment.DEMO, mode=Mode.OFF, audit=None, why="a test")
    framing = WebSocketFraming(Role.CLIENT, MessageKind.BINARY, random=secrets.token_bytes)
    return PlainLink(cast(TlsStream, stream), "protobuf", framing, gate=gate)


def heard_by_the_server(*data: bytes) -> WebSocketFraming:
    server = WebSocketFraming(Role.SERVER, MessageKind.BINARY)
    assert [body for part in data for body in server.feed(part)] == []
    return server


def said(payload: Any) -> bytes:
    return WebSocketFraming(Role.SERVER, MessageKind.BINARY).wrap(ProtobufCodec().encode(Message(payload)))


async def test_a_ping_is_answered_while_a_message_is_waited_for() -> None:
    stream = Stream(control_frame(Opcode.PING, b"are you there"), said(oa.ProtoHeartbeatEvent()))
    link = link_on(stream)
    with anyio.fail_after(5):
        assert (await link.hear()).message is not None
    (pong,) = stream.written
    assert pong[0] == 0x80 | Opcode.PONG
    assert pong[1] == 0x80 | len(b"are you there")


async def test_a_close_is_told_with_its_code_once_what_came_before_it_was_heard_and_is_answered() -> None:
    stream = Stream(said(oa.ProtoHeartbeatEvent()) + control_frame(Opcode.CLOSE, b"\x03\xf4over"))
    link = link_on(stream)
    with anyio.fail_after(5):
        assert (await link.hear()).message is not None
        with pytest.raises(LinkLost, match="closed the WebSocket with 1012: over"):
            await link.hear()
    await link.aclose()
    assert stream.last_word is not None
    assert heard_by_the_server(stream.last_word).ended == "the client closed the WebSocket with 1012"


async def test_a_broken_stream_is_closed_with_the_code_of_its_fault() -> None:
    stream = Stream(b"\xc2\x01x")
    link = link_on(stream)
    with anyio.fail_after(5):
        with pytest.raises(LinkLost, match="reserved bits"):
            await link.hear()
    await link.aclose()
    assert stream.last_word is not None
    assert heard_by_the_server(stream.last_word).ended == "the client closed the WebSocket with 1002"


async def test_it_says_farewell_with_a_close_frame() -> None:
    stream = Stream()
    await link_on(stream).aclose()
    assert stream.last_word is not None
    assert heard_by_the_server(stream.last_word).ended == "the client closed the WebSocket with 1000"
