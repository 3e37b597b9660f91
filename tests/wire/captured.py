"""Messages as they are captured, for the tests of what reads captures."""

from __future__ import annotations

from typing import Any

from anyctrader.wire import JsonCodec, Message, ProtobufCodec, encode_frame
from anyctrader.wire import messages as oa
from anyctrader.wire.rendering import Frame
from anyctrader.wire.scan import Damage, Piece

from .generated import complete

MESSAGES = [
    Message(complete(cls), client_msg_id=f"id-{number}") for number, cls in enumerate(oa.PAYLOAD_CLASSES.values())
]
BODIES = [ProtobufCodec().encode(message) for message in MESSAGES]
FRAMES = [encode_frame(body) for body in BODIES]
TEXTS = [JsonCodec().encode(message) for message in MESSAGES]
STREAM = b"".join(FRAMES)
NAMES = [message.name for message in MESSAGES]


def in_parts(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def names(pieces: list[Piece]) -> list[str]:
    return [piece.message.name for piece in pieces if isinstance(piece, Frame)]


def damages(pieces: list[Piece]) -> list[Damage]:
    return [piece for piece in pieces if isinstance(piece, Damage)]


def covered(pieces: list[Piece]) -> int:
    """How many bytes the pieces cover, one right behind the other."""
    at = 0
    for piece in pieces:
        assert piece.offset == at, piece
        assert piece.size is not None
        at += piece.size
    return at


def broken(payload: Any) -> bytes:
    """The body of a message whose envelope is sound and whose payload lacks what it must have."""
    return oa.ProtoMessage(
        payloadType=oa.payload_type_of(type(payload)), payload=payload.SerializePartialToString(), clientMsgId="broken"
    ).SerializeToString()
