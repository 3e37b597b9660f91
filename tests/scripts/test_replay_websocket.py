"""A session over a WebSocket recorded, and played back to clients over either transport."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.scripts.door import Address, Visitor, open_door
from anyctrader.session import Credentials, Endpoint, Environment, connect
from anyctrader.session.conversation import Conversation, conversations
from anyctrader.session.recording import FrameRecord, Opened, read_recording
from anyctrader.session.replay import Pace, ReplayedServer
from anyctrader.session.transport import LinkLost, client_framing, open_stream
from anyctrader.wire import messages as oa
from anyctrader.wire.websocket import Opcode, control_frame

from .conftest import Call
from .served import served, variables_of

CREDENTIALS = Credentials(Environment.DEMO, client_id="any", client_secret="any-secret", access_token="any-token")


@pytest.fixture(params=["protobuf", "json"])
def recording(request: pytest.FixtureRequest, call: Call, tmp_path: Path) -> Path:
    codec = request.param
    path = tmp_path / "recording.jsonl"
    with served() as server:
        port = str(server.port if codec == "protobuf" else server.json_port)
        settings = variables_of(server, TRANSPORT="websocket", CODEC=codec, PORT=port)
        done = call("record", "demo", "-o", str(path), "--for", "0.2", "--symbol", "EURUSD", **settings)
        assert done.returncode == 0, done.stderr
        text = path.read_text()
        assert not any(secret in text for secret in (server.client_secret, server.access_token))
    return path


def conversation_in(path: Path) -> Conversation:
    with path.open("rb") as file:
        return next(iter(conversations(read_recording(file)).values()))


@asynccontextmanager
async def replayed(path: Path, reasons: list[str]) -> AsyncIterator[Endpoint]:
    conversation = conversation_in(path)

    async def serve(visitor: Visitor) -> None:
        server = ReplayedServer(conversation, pace=Pace(speed=1000))
        reasons.append(await server.serve(visitor.stream, transport=visitor.transport, said=visitor.said))

    async with open_door(Address("127.0.0.1", 0), serve) as door:
        yield Endpoint(door.host, door.port, door.ca_file)


def test_a_session_over_a_websocket_is_recorded_message_for_message(recording: Path, call: Call) -> None:
    with recording.open("rb") as file:
        records = list(read_recording(file))
    assert [each.transport for each in records if isinstance(each, Opened)] == ["websocket"]
    names = [each.name for each in records if isinstance(each, FrameRecord) and each.body is not None]
    assert {"ProtoOAApplicationAuthReq", "ProtoOAApplicationAuthRes", "ProtoOASubscribeSpotsRes"} <= set(names)
    done = call("decode", str(recording))
    assert (done.returncode, "over websocket" in done.stdout) == (0, True)


@pytest.mark.anyio
@pytest.mark.parametrize("transport", ["websocket", "tcp"])
async def test_it_is_played_back_to_a_client_over_either_transport(recording: Path, transport: Any) -> None:
    reasons: list[str] = []
    codec: Any = conversation_in(recording).opened.codec
    async with replayed(recording, reasons) as at:
        where: dict[str, Any] = {"host": at.host, "port": at.port, "ca_file": at.ca_file}
        async with connect(Environment.DEMO, CREDENTIALS, codec=codec, transport=transport, **where) as session:
            listed = await session.request(oa.ProtoOAGetAccountListByAccessTokenReq(accessToken="any-token"))
            assert len(listed.ctidTraderAccount) > 0
        with anyio.fail_after(10):
            while not reasons:  # noqa: ASYNC110
                await anyio.sleep(0.01)
    said = "the client closed the WebSocket with 1000" if transport == "websocket" else "it ended the connection"
    assert reasons == [said]


@pytest.mark.anyio
async def test_its_pings_are_answered_and_a_broken_stream_is_closed_with_the_code(recording: Path) -> None:
    reasons: list[str] = []
    codec: Any = conversation_in(recording).opened.codec
    async with replayed(recording, reasons) as at:
        endpoint = replace(at, transport="websocket")
        stream = await open_stream(endpoint, deadline_s=10)
        await stream.send(control_frame(Opcode.PING, b"hello", key=b"abcd"))
        assert await stream.receive() == control_frame(Opcode.PONG, b"hello")
        await stream.send(b"\xc1\x80abcd")
        framing: Any = client_framing(endpoint, codec)
        with anyio.fail_after(10), pytest.raises(LinkLost):  # noqa: PT012
            while True:
                list(framing.feed(await stream.receive()))
        assert framing.ended == "the server closed the WebSocket with 1002"
        await stream.aclose()
    assert "reserved bits" in reasons[0]
