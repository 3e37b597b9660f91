"""Whatever a codec decodes is shown and recorded without an exception, and without a secret that was named before.

Input: a byte whose lowest bit tells the codec, then the body of a frame. The secret is one text for all inputs.
"""

from __future__ import annotations

import orjson

from anyctrader.wire import JsonCodec, Message, ProtobufCodec, RemoteProtocolError, unknown_fields
from anyctrader.wire.redaction import Redaction
from anyctrader.wire.rendering import Frame, Rendering

CODECS = (ProtobufCodec(), JsonCodec())
SECRET = "S3cret-0123456789"


def check(data: bytes) -> None:
    codec = CODECS[data[0] & 1 if data else 0]
    try:
        message = codec.decode(data[1:])
    except RemoteProtocolError as fault:
        repr(fault)
        return
    shown = Redaction([SECRET]).message(message)
    assert shown.payload_type == message.payload_type
    told = told_of(shown)
    assert SECRET not in told
    assert SECRET.encode().hex() not in told
    assert told_of(codec.decode(codec.encode(shown))) == told


def told_of(message: Message) -> str:
    """All that is shown of it: its repr, the lines for people, the members for programs, what nobody knows."""
    rendering, frame = Rendering(), Frame(message)
    members = orjson.dumps(rendering.members(frame)).decode()
    return "\n".join((repr(message), *rendering.lines(frame), members, *map(repr, unknown_fields(message))))
