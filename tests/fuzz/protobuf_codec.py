"""Any bytes are a message or one RemoteProtocolError; a message encodes again, and decodes to the same.

Input: the body of a frame. Beside the codec, its quick way with envelopes is held against protobuf's own parser.
"""

from __future__ import annotations

from google.protobuf.message import DecodeError

from anyctrader.wire import ProtobufCodec, RemoteProtocolError, unknown_enums, unknown_fields
from anyctrader.wire import messages as oa
from anyctrader.wire.drift import Drift

CODEC = ProtobufCodec()


def check(data: bytes) -> None:
    try:
        message = CODEC.decode(data)
    except RemoteProtocolError:
        return
    body = CODEC.encode(message)
    again = CODEC.decode(body)
    assert CODEC.encode(again) == body
    assert (again.payload_type, again.client_msg_id) == (message.payload_type, message.client_msg_id)
    fields, enums = unknown_fields(message), unknown_enums(message)
    assert unknown_fields(again) == fields
    if oa.class_of(message.payload_type) is not None:
        drift = Drift()
        drift.look(message.payload_type, message, len(data))
        assert drift.unknown_fields <= bool(fields)
        assert drift.unknown_enums <= bool(enums)
    try:
        envelope = oa.ProtoMessage.FromString(data)
    except (DecodeError, UnicodeDecodeError):
        raise AssertionError("protobuf takes it for no envelope") from None
    assert envelope.payloadType == message.payload_type
    assert (envelope.clientMsgId if envelope.HasField("clientMsgId") else None) == message.client_msg_id
