"""Any bytes are a message or one RemoteProtocolError; a message encodes again, in both flavours, to the same.

Input: the body of a frame.
"""

from __future__ import annotations

from anyctrader.wire import (
    JsonCodec,
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
    unknown_fields(message)
    enums = unknown_enums(message)
    body = JSON.encode(message)
    again = JSON.decode(body)
    assert JSON.encode(again) == body
    assert data.count(b"[") + data.count(b"{") > DEEPEST or again == message
    if isinstance(message.payload, UnknownPayload):
        return
    other = PROTOBUF.decode(PROTOBUF.encode(message))
    assert other == Message(message.payload, message.client_msg_id)
    assert unknown_enums(other) == enums
