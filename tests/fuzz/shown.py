"""Whatever a codec decodes is shown and recorded without an exception, and without a secret that was named before.

What was covered stays so, and is the same if it is looked at once more; no unknown field of a payload is lost.

Input: a byte whose lowest bit tells the codec, then the body of a frame. The secrets are the same for all inputs.
"""

from __future__ import annotations

from typing import Any

import orjson

from anyctrader.wire import JsonCodec, Message, ProtobufCodec, RemoteProtocolError, UnknownPayload, unknown_fields
from anyctrader.wire.drift import UnknownField
from anyctrader.wire.json_text import write_json
from anyctrader.wire.redaction import Redaction
from anyctrader.wire.rendering import Frame, Rendering

CODECS = (ProtobufCodec(), JsonCodec())
SECRET = "S3cret-0123456789"
OVERLAPPING = "-0123456789-0th3r"  # no escape ends as it begins
DEEPEST = 30  # groups in groups, beyond which they are hidden whole


def check(data: bytes) -> None:
    codec = CODECS[data[0] & 1 if data else 0]
    try:
        message = codec.decode(data[1:])
    except RemoteProtocolError as fault:
        repr(fault)
        return
    redaction = Redaction([SECRET, OVERLAPPING])
    shown = redaction.message(message)
    assert shown.payload_type == message.payload_type
    told = told_of(shown)
    for secret in (SECRET, OVERLAPPING):
        assert secret not in told
        assert secret.encode().hex() not in told
    assert told_of(redaction.message(shown)) == told
    assert told_of(codec.decode(codec.encode(shown))) == told
    if codec.name == "protobuf" and not isinstance(message.payload, UnknownPayload):
        numbers = numbers_of(message)
        assert not numbers or numbers_of(shown) == numbers


def numbers_of(message: Message) -> list[str]:
    """The paths of a payload's unknown fields; none where some are hidden together, since they cannot be read."""
    fields = [field for field in unknown_fields(message) if not field.path.startswith("ProtoMessage")]
    return [field.path for field in fields] if all(map(is_readable, fields)) else []


def is_readable(field: UnknownField, depth: int = 0) -> bool:
    """Whether it has a number, and all in it: protobuf itself passes over a zero in a group; and how deep that is."""
    inner = field.value if isinstance(field.value, tuple) else ()
    return bool(field.number) and depth <= DEEPEST and all(is_readable(each, depth + 1) for each in inner)


def told_of(message: Message) -> str:
    """All that is shown of it: its repr, the lines for people, the members for programs, what nobody knows."""
    rendering, frame = Rendering(), Frame(message)
    members = written(rendering.members(frame))
    return "\n".join((repr(message), *rendering.lines(frame), members, *map(repr, unknown_fields(message))))


def written(members: dict[str, Any]) -> str:
    """As commands write it, who look again where orjson does not write as deeply as it reads."""
    try:
        return orjson.dumps(members).decode()
    except orjson.JSONEncodeError:
        return write_json(members).decode()
