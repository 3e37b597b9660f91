"""Messages to bytes and back, in both flavours of the protocol: protobuf (port 5035) and JSON (port 5036).

Both codecs give and take the same `Message`: who has one cannot tell how it travelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from google.protobuf.message import DecodeError

from . import messages as oa
from .errors import LocalProtocolError, RemoteProtocolError, UndecodablePayload
from .json_fields import FieldError, JsonFields
from .text import broken_text

if TYPE_CHECKING:
    from collections.abc import Mapping


__all__ = ["Codec", "JsonCodec", "Message", "ProtobufCodec", "UnknownPayload"]


@dataclass(slots=True)
class UnknownPayload:
    """The payload of a message whose type the schema does not know, untouched.

    Attributes:
        payload_type: the number in the envelope.
        body: the payload as it came: serialised bytes from protobuf, an object from JSON, None where there was none.
    """

    payload_type: int
    body: bytes | Mapping[str, Any] | None = None


@dataclass(slots=True)
class Message:
    """A payload and the id that ties an answer to its request.

    Attributes:
        payload: a message of the schema, or an `UnknownPayload`. Typed loosely: it is one of 88 classes.
        client_msg_id: `ProtoMessage.clientMsgId`, or None where the envelope has none.
        unknown_keys: what JSON brought that the schema does not name: path (`order.newField`) to value. Protobuf
            keeps such fields inside the payload itself.
    """

    payload: Any
    client_msg_id: str | None = None
    unknown_keys: Mapping[str, Any] | None = None

    @property
    def payload_type(self) -> int:
        """The number that the envelope carries for this payload.

        Raises:
            KeyError: the payload is nothing that travels in an envelope.
        """
        payload = self.payload
        return payload.payload_type if type(payload) is UnknownPayload else oa.payload_type_of(payload)

    @property
    def name(self) -> str:
        """The published name of the payload's message, `Unknown(9999)` for one that the schema does not know."""
        return oa.name_of(self.payload_type)


class Codec(Protocol):
    """One flavour of the protocol."""

    name: str

    def encode(self, message: Message) -> bytes:
        """The body of a frame: bytes without the length.

        Raises:
            LocalProtocolError: a required field is missing, or the message is none of the schema's.
        """

    def decode(self, body: bytes) -> Message:
        """The message in the body of a frame.

        Raises:
            UndecodablePayload: the envelope is sound, the payload is not; the next frame may be good again.
            RemoteProtocolError: this is no envelope.
        """


class ProtobufCodec:
    """`ProtoMessage{payloadType, payload, clientMsgId}` as protobuf serialises it."""

    name = "protobuf"

    def encode(self, message: Message) -> bytes:
        """See `Codec.encode`."""
        payload_type = _checked_type(message)
        payload = message.payload
        if isinstance(payload, UnknownPayload):
            if payload.body is not None and not isinstance(payload.body, bytes):
                raise LocalProtocolError(f"{message.name} came as JSON and cannot travel as protobuf")
            body = payload.body
        else:
            body = payload.SerializePartialToString()
        envelope = oa.ProtoMessage(payloadType=payload_type, payload=body, clientMsgId=message.client_msg_id)
        return envelope.SerializeToString()

    def decode(self, body: bytes) -> Message:
        """See `Codec.decode`."""
        envelope = oa.ProtoMessage()
        try:
            envelope.ParseFromString(body)
        except DecodeError as error:
            raise RemoteProtocolError(f"a frame of {len(body)} bytes is no ProtoMessage: {error}") from None
        if not envelope.HasField("payloadType"):
            raise RemoteProtocolError(f"a ProtoMessage of {len(body)} bytes has no payloadType")
        payload_type = envelope.payloadType
        client_msg_id = envelope.clientMsgId if envelope.HasField("clientMsgId") else None
        if isinstance(client_msg_id, bytes):
            raise UndecodablePayload(
                "clientMsgId is not UTF-8", payload_type, client_msg_id=None, body=envelope.payload
            )
        cls = oa.class_of(payload_type)
        if cls is None:
            raw = envelope.payload if envelope.HasField("payload") else None
            return Message(UnknownPayload(payload_type, raw), client_msg_id)
        payload = cls()
        try:
            payload.ParseFromString(envelope.payload)
        except DecodeError as error:
            raise UndecodablePayload(
                f"no {cls.__name__}: {error}",
                payload_type,
                client_msg_id=client_msg_id,
                body=envelope.payload,
            ) from None
        if not payload.IsInitialized():
            problem = _missing(payload)
        elif (path := broken_text(payload)) is not None:
            problem = f"{cls.__name__}.{path} is not UTF-8"
        else:
            return Message(payload, client_msg_id)
        raise UndecodablePayload(problem, payload_type, client_msg_id=client_msg_id, body=envelope.payload)


class JsonCodec:
    """`{"clientMsgId": …, "payloadType": 2100, "payload": {…}}` (docs/protocol.md section 3).

    Writes 64-bit integers as numbers and enums as numbers. Takes numbers or strings for integers, numbers or names
    for enums, one scalar for a repeated field, `null` for absent; of duplicate keys the last holds.
    """

    name = "json"

    def __init__(self) -> None:
        self._fields = JsonFields()

    def encode(self, message: Message) -> bytes:
        """See `Codec.encode`."""
        envelope: dict[str, Any] = {}
        if message.client_msg_id is not None:
            envelope["clientMsgId"] = message.client_msg_id
        envelope["payloadType"] = _checked_type(message)
        payload = message.payload
        if isinstance(payload, UnknownPayload):
            if isinstance(payload.body, bytes):
                raise LocalProtocolError(f"{message.name} came as protobuf and cannot travel as JSON")
            if payload.body is not None:
                envelope["payload"] = payload.body
        else:
            try:
                envelope["payload"] = self._fields.to_json(payload, unknown_keys=message.unknown_keys)
            except FieldError as error:
                raise LocalProtocolError(f"{message.name}: {error}") from None
        try:
            return orjson.dumps(envelope)
        except orjson.JSONEncodeError as error:
            raise LocalProtocolError(f"{message.name} cannot be written as JSON: {error}") from None

    def decode(self, body: bytes) -> Message:
        """See `Codec.decode`."""
        try:
            envelope = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise RemoteProtocolError(f"{len(body)} bytes are no JSON: {error.msg} at byte {error.pos}") from None
        if not isinstance(envelope, dict):
            raise RemoteProtocolError(f"the JSON text is a {type(envelope).__name__}, not an object")
        payload_type = _json_payload_type(envelope.get("payloadType"))
        client_msg_id = envelope.get("clientMsgId")
        if client_msg_id is not None and not isinstance(client_msg_id, str):
            raise RemoteProtocolError(f"clientMsgId is a {type(client_msg_id).__name__}, not a string")
        raw = envelope.get("payload")
        cls = oa.class_of(payload_type)
        if cls is None:
            return Message(UnknownPayload(payload_type, raw), client_msg_id)
        try:
            payload, unknown_keys = self._fields.from_json(cls, {} if raw is None else raw)
        except FieldError as error:
            raise UndecodablePayload(
                f"no {cls.__name__}: {error}",
                payload_type,
                client_msg_id=client_msg_id,
                body=orjson.dumps(raw),
            ) from None
        if not payload.IsInitialized():
            raise UndecodablePayload(
                _missing(payload), payload_type, client_msg_id=client_msg_id, body=orjson.dumps(raw)
            )
        return Message(payload, client_msg_id, unknown_keys)


def _checked_type(message: Message) -> int:
    """The payload type, once the payload is known to be complete and to say the same of itself."""
    payload = message.payload
    try:
        payload_type = message.payload_type
    except KeyError as error:
        raise LocalProtocolError(error.args[0]) from None
    if isinstance(payload, UnknownPayload):
        return payload_type
    if payload.payloadType != payload_type:
        raise LocalProtocolError(
            f"{message.name} has payload type {payload_type}, but its field payloadType says {payload.payloadType}"
        )
    if not payload.IsInitialized():
        raise LocalProtocolError(_missing(payload))
    return payload_type


def _missing(payload: Any) -> str:
    names = ", ".join(payload.FindInitializationErrors())
    return f"{type(payload).__name__} lacks required fields: {names}"


def _json_payload_type(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 10:
        value = int(value)
    if type(value) is not int or not 0 <= value <= 0xFFFF_FFFF:
        raise RemoteProtocolError("payloadType is missing" if value is None else f"payloadType is {value!r:.40}")
    return value
