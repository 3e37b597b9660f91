"""`ProtoMessage`, the envelope that every message travels in on the protobuf port (docs/protocol.md section 2)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from . import messages as oa
from .errors import LocalProtocolError, RemoteProtocolError, UndecodablePayload

if TYPE_CHECKING:
    from typing import TypeAlias

__all__ = ["LARGEST_TYPE", "Envelope", "read_envelope", "write_envelope"]

Envelope: TypeAlias = "tuple[int, bytes | None, str | None, bytes | None]"
"""Payload type, payload, client message id, and whatever fields of the envelope the schema does not know.

None where there is none of it. A tuple, since one is made for every message that arrives.
"""

LARGEST_TYPE: Final = 2**32 - 1
"""`ProtoMessage.payloadType` is a uint32."""

_TYPE_TAG, _PAYLOAD_TAG, _ID_TAG = b"\x08\x12\x1a"  # numbers 1, 2 and 3 with their wire types
_LOW, _MORE = 0x7F, 0x80  # of a varint's byte: what it adds, and whether another follows


def read_envelope(body: bytes) -> Envelope:
    """Takes a serialised `ProtoMessage` apart.

    Raises:
        UndecodablePayload: its id is not UTF-8.
        RemoteProtocolError: it is no `ProtoMessage`, or has no payload type.
    """
    # As everybody writes it (two bytes of payload type, payload, perhaps an id, nothing else) it is taken apart here:
    # protobuf needs more than twice as long for it, and it is paid for every message.
    size = len(body)
    if size > 4 and body[0] == _TYPE_TAG and body[1] > _LOW >= body[2] and body[3] == _PAYLOAD_TAG:
        length, start = body[4], 5
        if length > _LOW and size > 5 and body[5] <= _LOW:
            length, start = length & _LOW | body[5] << 7, 6
        if length <= _LOW or start == 6:
            payload_type, stop = body[1] & _LOW | body[2] << 7, start + length
            if stop == size:
                return payload_type, body[start:], None, None
            if stop + 2 <= size and body[stop] == _ID_TAG and body[stop + 1] == size - stop - 2 <= _LOW:
                payload = body[start:stop]
                return payload_type, payload, _text(body[stop + 2 :], payload_type, payload), None
    return _read_unusual(body)


def _read_unusual(body: bytes) -> Envelope:
    envelope = _wide()()
    try:
        envelope.ParseFromString(body)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        # The last two: protobuf's Python runtime, which checks strings at once, and before 5.29.5 followed
        # nested groups without end (CVE-2025-4565).
        raise RemoteProtocolError(f"a frame of {len(body)} bytes is no ProtoMessage: {error}") from None
    if not envelope.HasField("payloadType"):
        raise RemoteProtocolError(f"a ProtoMessage of {len(body)} bytes has no payloadType")
    payload_type = envelope.payloadType
    if payload_type > LARGEST_TYPE:
        raise RemoteProtocolError("payloadType is no number of 32 bits")
    payload = envelope.payload if envelope.HasField("payload") else None
    client_msg_id = envelope.clientMsgId if envelope.HasField("clientMsgId") else None
    if isinstance(client_msg_id, bytes):  # protobuf's C runtime gives what is not UTF-8 as bytes
        client_msg_id = _text(client_msg_id, payload_type, payload)
    for name in ("payloadType", "payload", "clientMsgId"):
        envelope.ClearField(name)
    return payload_type, payload, client_msg_id, envelope.SerializePartialToString() or None


@cache
def _wide() -> Any:
    """`ProtoMessage` with room for a payload type of 64 bits.

    Of a uint32 protobuf drops the bits that do not fit: 2^32 + 2104 would read as a version request.
    """
    envelope = descriptor_pb2.DescriptorProto()
    oa.ProtoMessage.DESCRIPTOR.CopyToProto(envelope)
    for field in envelope.field:
        field.label = field.LABEL_OPTIONAL  # what is missing is told by name
        if field.name == "payloadType":
            field.type = field.TYPE_UINT64
    file = descriptor_pb2.FileDescriptorProto(name="envelope.proto", syntax="proto2", message_type=[envelope])
    pool = descriptor_pool.DescriptorPool()  # of its own, as the schema is
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(envelope.name))


def _text(raw: bytes, payload_type: int, payload: bytes | None) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise UndecodablePayload(
            "clientMsgId is not UTF-8", payload_type, client_msg_id=None, body=payload or b""
        ) from None


def write_envelope(
    payload_type: int, payload: bytes | None, client_msg_id: str | None, *, extras: bytes | None = None
) -> bytes:
    """Serialises a `ProtoMessage`.

    Args:
        extras: serialised fields that the schema does not know, as `read_envelope` found them.

    Raises:
        LocalProtocolError: the payload type is no number of 32 bits, or the id no text.
    """
    try:
        envelope = oa.ProtoMessage(payloadType=payload_type, payload=payload, clientMsgId=client_msg_id)
    except (TypeError, ValueError) as error:
        raise LocalProtocolError(f"no envelope can be made: {error}") from None
    body: bytes = envelope.SerializeToString()
    return body + extras if extras else body
