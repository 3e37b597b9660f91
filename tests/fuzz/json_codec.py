"""Any bytes are a message or one RemoteProtocolError; a message encodes again, in both flavours, to the same.

One with a name that its enum does not have is the exception: protobuf refuses it. Input: the body of a frame.
"""

from __future__ import annotations

from anyctrader.wire import (
    Drift,
    JsonCodec,
    LocalProtocolError,
    Message,
    ProtobufCodec,
    RemoteProtocolError,
    UnknownPayload,
    unknown_enums,
    unknown_fields,
)

JSON, PROTOBUF = JsonCodec(), ProtobufCodec()
DEEPEST = 250  # levels that Python compares


def check(data: bytes) -> None:
    try:
        message = JSON.decode(data)
    except RemoteProtocolError:
        return
    fields, enums = unknown_fields(message), unknown_enums(message)
    drift = Drift()
    drift.look(message.payload_type, message, len(data))
    assert drift.unknown_fields <= bool(fields)
    assert drift.unknown_enums <= bool(enums)
    names = [enum for enum in enums if enum.name is not None]
    assert bool(fields) + len(names) >= bool(message.unknown_keys)
    body = JSON.encode(message)
    again = JSON.decode(body)
    assert JSON.encode(again) == body
    assert data.count(b"[") + data.count(b"{") > DEEPEST or again == message
    if isinstance(message.payload, UnknownPayload):
        return
    try:
        other = PROTOBUF.decode(PROTOBUF.encode(message))
    except LocalProtocolError:
        assert names
        return
    assert not names
    assert other == Message(message.payload, message.client_msg_id)
    assert unknown_enums(other) == enums
