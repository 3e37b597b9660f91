"""A client of the tests' own: its framer, Google's protobuf, the JSON of the standard library. Nothing of `wire`."""

from __future__ import annotations

import json
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.streams.tls import TLSStream

from anyctrader.fake import FakeServer
from anyctrader.proto import schema

TYPES = {
    cls.DESCRIPTOR.fields_by_name["payloadType"].default_value: cls
    for cls in schema.MESSAGES.values()
    if "payloadType" in cls.DESCRIPTOR.fields_by_name and cls.DESCRIPTOR.fields_by_name["payloadType"].has_default_value
}
NUMBERS = {cls: number for number, cls in TYPES.items()}


class Gone(Exception):
    """The server has ended the connection."""


class Answer:
    """A frame of the server: `name`, `id`, and the fields as attributes, however they travelled."""

    def __init__(self, number: int, msg_id: str | None, payload: Any) -> None:
        self.type = number
        self.name = TYPES[number].__name__ if number in TYPES else f"Unknown({number})"
        self.id = msg_id
        self.payload = payload

    def __getattr__(self, field: str) -> Any:
        if isinstance(self.payload, dict):
            return _wrap(self.payload.get(field))
        return getattr(self.payload, field)

    def has(self, field: str) -> bool:
        return field in self.payload if isinstance(self.payload, dict) else self.payload.HasField(field)

    def __repr__(self) -> str:
        return f"<{self.name} {self.id} {str(self.payload).strip()[:300]}>"


class _Fields:
    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    def __getattr__(self, field: str) -> Any:
        return _wrap(self._fields.get(field))


def _wrap(value: Any) -> Any:
    if isinstance(value, dict):
        return _Fields(value)
    return [_wrap(item) for item in value] if isinstance(value, list) else value


class RawClient:
    def __init__(self, stream: TLSStream, flavour: str) -> None:
        self.stream = stream
        self.flavour = flavour
        self.unread: list[Answer] = []
        self._buffer = b""
        self._last = 0

    # Speaking

    def body(self, message: Any, msg_id: str | None) -> bytes:
        if self.flavour == "json":
            envelope: dict[str, Any] = {"payloadType": NUMBERS[type(message)], "payload": _to_json(message)}
            if msg_id is not None:
                envelope["clientMsgId"] = msg_id
            return json.dumps(envelope).encode()
        envelope_message = schema.ProtoMessage(
            payloadType=NUMBERS[type(message)], payload=message.SerializePartialToString(), clientMsgId=msg_id
        )
        return bytes(envelope_message.SerializeToString())

    async def send(self, message: Any, msg_id: str | None = None) -> None:
        await self.send_body(self.body(message, msg_id))

    async def send_body(self, body: bytes) -> None:
        await self.stream.send(struct.pack(">I", len(body)) + body)

    # Listening

    async def receive(self, timeout_s: float = 10) -> Answer:
        """The next frame, whatever it is."""
        if self.unread:
            return self.unread.pop(0)
        with anyio.fail_after(timeout_s):
            return self._decode(await self._next_body())

    async def until(self, wanted: str | Callable[[Answer], bool], timeout_s: float = 10) -> Answer:
        """The next frame of this name; those before it are kept for `receive`."""
        passed: list[Answer] = []
        try:
            with anyio.fail_after(timeout_s):
                while True:
                    answer = await self.receive()
                    if answer.name == wanted if isinstance(wanted, str) else wanted(answer):
                        return answer
                    passed.append(answer)
        finally:
            self.unread[:0] = passed

    async def ask(self, message: Any, msg_id: str | None = None) -> Answer:
        """A request and its answer."""
        if msg_id is None:
            self._last += 1
            msg_id = f"raw-{self._last}"
        await self.send(message, msg_id)
        return await self.until(lambda answer: answer.id == msg_id)

    async def gone(self, timeout_s: float = 10) -> list[Answer]:
        """What comes until the server ends the connection."""
        answers = []
        with anyio.fail_after(timeout_s):
            while True:
                try:
                    answers.append(await self.receive())
                except Gone:
                    return answers

    async def bytes_until(self, msg_id: str, timeout_s: float = 10) -> bytes:
        """The frames as they are, up to the first that carries this id."""
        frames = []
        with anyio.fail_after(timeout_s):
            while True:
                body = await self._next_body()
                frames.append(struct.pack(">I", len(body)) + body)
                if self._decode(body).id == msg_id:
                    return b"".join(frames)

    async def _next_body(self) -> bytes:
        while len(self._buffer) < 4 or len(self._buffer) < 4 + struct.unpack(">I", self._buffer[:4])[0]:
            try:
                self._buffer += await self.stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError, ssl.SSLError):
                raise Gone from None
        end = 4 + struct.unpack(">I", self._buffer[:4])[0]
        body, self._buffer = self._buffer[4:end], self._buffer[end:]
        return body

    def _decode(self, body: bytes) -> Answer:
        if self.flavour == "json":
            envelope = json.loads(body)
            return Answer(envelope["payloadType"], envelope.get("clientMsgId"), envelope.get("payload", {}))
        message = schema.ProtoMessage.FromString(body)
        msg_id = message.clientMsgId if message.HasField("clientMsgId") else None
        cls = TYPES.get(message.payloadType)
        return Answer(message.payloadType, msg_id, cls.FromString(message.payload) if cls else message.payload)

    # Shortcuts

    async def authorise_app(self, server: FakeServer) -> Answer:
        return await self.ask(
            schema.ProtoOAApplicationAuthReq(clientId=server.client_id, clientSecret=server.client_secret)
        )

    async def authorise(self, server: FakeServer, account_id: int | None = None) -> Answer:
        """Application and account."""
        answer = await self.authorise_app(server)
        assert answer.name == "ProtoOAApplicationAuthRes", answer
        return await self.authorise_account(server, account_id)

    async def authorise_account(self, server: FakeServer, account_id: int | None = None) -> Answer:
        return await self.ask(
            schema.ProtoOAAccountAuthReq(
                ctidTraderAccountId=account_id or server.account_id, accessToken=server.access_token
            )
        )


def _to_json(message: Any) -> dict[str, Any]:
    """Field names as published, 64-bit integers and enums as numbers."""
    out: dict[str, Any] = {}
    for field, value in message.ListFields():
        if field.name == "payloadType":
            continue
        if field.message_type is None:
            out[field.name] = list(value) if not isinstance(value, (int, float, str, bool)) else value
        elif hasattr(value, "ListFields"):
            out[field.name] = _to_json(value)
        else:
            out[field.name] = [_to_json(item) for item in value]
    return out


@asynccontextmanager
async def connected(server: FakeServer, flavour: str = "protobuf") -> AsyncIterator[RawClient]:
    context = ssl.create_default_context(cafile=str(server.ca_file))
    port = server.json_port if flavour == "json" else server.port
    stream = await anyio.connect_tcp(
        server.host, port, tls=True, ssl_context=context, tls_standard_compatible=False, tls_hostname="localhost"
    )
    try:
        yield RawClient(stream, flavour)
    finally:
        await anyio.aclose_forcefully(stream)
