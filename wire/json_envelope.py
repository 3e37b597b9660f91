"""The envelope that every message travels in on the JSON port (docs/protocol.md section 3)."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from .envelope import LARGEST_TYPE
from .errors import RemoteProtocolError

__all__ = ["ENVELOPE_KEYS", "JsonEnvelope", "read_json_envelope"]

JsonEnvelope: TypeAlias = "tuple[int, Any, Any, dict[str, Any] | None]"
"""Payload type, payload, client message id, and what else stood beside them; None where there is none of it."""

ENVELOPE_KEYS: Final = frozenset({"payloadType", "payload", "clientMsgId"})
_LONGEST_TYPE: Final = 10  # digits


def read_json_envelope(envelope: Any) -> JsonEnvelope:
    """Takes an object apart; the object is used up.

    Raises:
        RemoteProtocolError: it is no object, or has no payload type.
    """
    if not isinstance(envelope, dict):
        raise RemoteProtocolError("the JSON text is not an object")
    payload_type = _payload_type(envelope.pop("payloadType", None))
    client_msg_id = envelope.pop("clientMsgId", None)
    raw = envelope.pop("payload", None)
    extras = {key: value for key, value in envelope.items() if value is not None} if envelope else None
    return payload_type, raw, client_msg_id, extras or None


def _payload_type(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _LONGEST_TYPE:
        value = int(value)
    if type(value) is not int or not 0 <= value <= LARGEST_TYPE:
        raise RemoteProtocolError("payloadType is missing" if value is None else "payloadType is no number of 32 bits")
    return value
