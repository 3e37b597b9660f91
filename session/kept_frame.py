"""What may be kept of a frame: its body with the secrets taken out, or nothing of what nobody can read. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..wire import UnknownPayload
from ..wire.ambiguity import repeated_key
from ..wire.errors import LocalProtocolError, RemoteProtocolError, UndecodablePayload

if TYPE_CHECKING:
    from ..wire import Codec, Message
    from ..wire.redaction import Redaction

__all__ = ["KeptFrame", "kept_of"]

_NO_ENVELOPE = "no envelope can be read"
_NO_PAYLOAD = "its payload cannot be read"
_UNKNOWN_TYPE = "its payload type is not in the schema"
_NOT_TO_BE_TAKEN_OUT = "it holds a secret that cannot be taken out"
_EMPTY_PAYLOAD = 2  # bytes: it is written where none came


@dataclass(frozen=True, slots=True)
class KeptFrame:
    """A frame as it may be kept.

    Attributes:
        payload_type: of its envelope; None where there is none that can be read.
        client_msg_id: of its envelope, secrets covered, or None.
        body: without secrets; None where it must not be kept.
        masked: whether `body` is another than what travelled: a secret is covered in it, or what was there twice is
            there once.
        reason: why there is no body. Words of ours only: a parser's may quote what it stumbled over.
    """

    payload_type: int | None = None
    client_msg_id: str | None = None
    body: bytes | None = None
    masked: bool = False
    reason: str | None = None


def kept_of(body: bytes, *, codec: Codec, redaction: Redaction) -> KeptFrame:
    """What may be kept of a frame.

    Args:
        body: of the frame, as it travelled.
        codec: of its connection.
        redaction: of its connection: what was a secret once is one in every later frame.
    """
    try:
        message = codec.decode(body)
    except UndecodablePayload as fault:
        client_msg_id = None if fault.client_msg_id is None else redaction.text(fault.client_msg_id)
        return KeptFrame(fault.payload_type, client_msg_id, reason=_NO_PAYLOAD)
    except RemoteProtocolError:
        return KeptFrame(reason=_NO_ENVELOPE)
    payload_type = message.payload_type
    clean = redaction.message(message)
    client_msg_id = clean.client_msg_id
    if isinstance(message.payload, UnknownPayload):
        return KeptFrame(payload_type, client_msg_id, reason=_UNKNOWN_TYPE)
    if clean is message and not _says_more(body, message, codec=codec, redaction=redaction):
        return KeptFrame(payload_type, client_msg_id, body)
    try:
        kept = codec.encode(redaction.message(message))  # anew: the text as a whole may have told another secret
    except LocalProtocolError:
        return KeptFrame(payload_type, client_msg_id, reason=_NOT_TO_BE_TAKEN_OUT)
    return KeptFrame(payload_type, client_msg_id, kept, masked=kept != body)


def _says_more(body: bytes, message: Message, *, codec: Codec, redaction: Redaction) -> bool:
    """Whether a frame may say what its message does not: of what is there twice only the last is read."""
    if codec.name == "protobuf":
        try:
            anew = len(codec.encode(message))
        except LocalProtocolError:
            return True
        return anew not in (len(body), len(body) + _EMPTY_PAYLOAD)
    try:
        return repeated_key(body) is not None or redaction.finds(body)
    except (ValueError, RecursionError):
        return True  # the codec has read it, and another reader does not: that is doubt enough
