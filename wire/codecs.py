"""Messages to bytes and back, in both flavours of the protocol: protobuf (port 5035) and JSON (port 5036).

Both codecs give and take the same `Message`: who has one cannot tell how it travelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import orjson
from google.protobuf.message import DecodeError

from . import messages as oa
from .completeness import is_complete, missing_fields
from .enum_names import unknown_names
from .envelope import LARGEST_TYPE, read_envelope, write_envelope
from .errors import LocalProtocolError, RemoteProtocolError, UndecodablePayload
from .json_envelope import ENVELOPE_KEYS, read_json_envelope
from .json_faults import fault_within
from .json_fields import FieldError, JsonFields
from .json_text import JsonValueError, fault_of, holds_long_integer, read_again, write_json
from .text import broken_text
from .weight import MOST_WEIGHT, WEIGHED_FROM, is_too_heavy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .json_envelope import JsonEnvelope
    from .json_fields import Path


__all__ = ["Codec", "JsonCodec", "Message", "ProtobufCodec", "UnknownPayload"]


@dataclass(slots=True)
class UnknownPayload:
    """The payload of a message whose type the schema does not know, untouched.

    Attributes:
        payload_type: the number in the envelope.
        body: the payload as it came: serialised bytes from protobuf, an object (or whatever else stood there) from
            JSON, None where there was none.
    """

    payload_type: int
    body: Any = field(default=None, repr=False)  # nobody knows what is in it: it stays out of logs


@dataclass(slots=True)
class Message:
    """A payload and the id that ties an answer to its request.

    What a newer server put into it is kept, and written again by the codec that read it (the other flavour has no
    way to say it and leaves it out); `unknown_fields` and `unknown_enums` list it. From JSON it is kept as the values
    that it has: integers exactly, up to 4,300 digits (beyond 64 bits as floats where something in the text is nested
    so deeply, some 900 levels, that Python's parser does not follow; a message with longer ones is not decoded),
    other numbers as doubles, and any nesting that is decoded, 1,024 levels, is encoded again.

    Attributes:
        payload: a message of the schema, or an `UnknownPayload`. Typed loosely: it is one of 91 classes.
        client_msg_id: `ProtoMessage.clientMsgId`, or None where the envelope has none.
        unknown_keys: what JSON brought that the schema does not name: path (`("order", "newField")`) to value.
            Protobuf keeps such fields inside the payload itself. A path that names a field of the schema is refused on
            encoding: the field would go out as something else than what was judged. But for a value of an enum that
            came as a name which the schema does not have: while its field reads `enum_names.UNKNOWN_NAME`, JSON writes
            the name again, and protobuf, which has only numbers for it, refuses to encode the message.
        unknown_envelope: what the envelope carried beside its published fields: a JSON object, or protobuf bytes.
    """

    payload: Any
    client_msg_id: str | None = None
    unknown_keys: Mapping[Path, Any] | None = None
    unknown_envelope: Any = None

    def __repr__(self) -> str:
        # Payloads may carry tokens, and a repr ends up in logs and tracebacks.
        payload = self.payload
        if not isinstance(payload, UnknownPayload):
            name = type(payload).__name__
        elif isinstance(payload.payload_type, int):
            name = oa.name_of(payload.payload_type)
        else:
            name = "Unknown"
        return f"<Message {name} client_msg_id={self.client_msg_id!r}>"

    @property
    def payload_type(self) -> int:
        """The number that the envelope carries for this payload.

        Raises:
            KeyError: the payload is nothing that travels in an envelope.
        """
        payload = self.payload
        payload_type = oa.TYPES.get(type(payload))
        if payload_type is not None:
            return payload_type
        if isinstance(payload, type):
            raise KeyError(f"{payload.__name__} is a class: what travels is a message of it")
        if not isinstance(payload, UnknownPayload):
            return oa.payload_type_of(payload)
        if type(payload.payload_type) is not int:
            raise KeyError(f"a payload type is a number of 32 bits, not a {type(payload.payload_type).__name__}")
        return payload.payload_type

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
            LocalProtocolError: a required field is missing, the message is none of the schema's or says another
                payload type of itself, or this flavour has no way to say it.
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

    def read_spots(self, bodies: Sequence[bytes], start: int) -> list[Any]:
        """The spot events in a row of bodies, up to the first one that is anything else.

        They are by far the most frequent messages. One whose envelope holds anything but a type and a short payload,
        or whose payload has anything wrong with it, ends the row too: `decode` has the say about it.

        Args:
            bodies: of frames.
            start: the first of them that is read.

        Returns:
            a `ProtoOASpotEvent` for each; `decode` would give the same, each in a `Message` without an id.
        """
        spots: list[Any] = []
        add, parse, heads = spots.append, oa.ProtoOASpotEvent.FromString, _SPOT_HEADS
        for position in range(start, len(bodies)):
            body = bodies[position]
            if heads.get(body[:_HEAD]) != len(body) - _HEAD:
                break
            try:
                spot = parse(body[_HEAD:])
            except (DecodeError, UnicodeDecodeError, RecursionError):
                break
            if not spot.IsInitialized() or spot.payloadType != _SPOT:
                break
            add(spot)
        return spots

    def encode(self, message: Message) -> bytes:
        """See `Codec.encode`."""
        payload_type = _checked_type(message)
        payload = message.payload
        if not isinstance(payload, UnknownPayload):
            if message.unknown_keys:
                _check_has_numbers(message)
            body = payload.SerializePartialToString()
        elif payload.body is None or isinstance(payload.body, bytes):
            body = payload.body
        else:
            raise LocalProtocolError(f"{message.name} came as JSON and cannot travel as protobuf")
        extras = message.unknown_envelope if isinstance(message.unknown_envelope, bytes) else None
        if extras and not _are_unknown(extras):
            raise LocalProtocolError(f"{message.name}: its unknown envelope holds a field that the schema knows")
        return write_envelope(payload_type, body, message.client_msg_id, extras=extras)

    def decode(self, body: bytes) -> Message:
        """See `Codec.decode`."""
        payload_type, raw, client_msg_id, extras = read_envelope(body)
        cls = oa.class_of(payload_type)
        if cls is None:
            return Message(UnknownPayload(payload_type, raw), client_msg_id, None, extras)
        missing: tuple[str, ...] = ()
        payload: Any = None
        try:
            if raw is None or len(raw) < WEIGHED_FROM or not is_too_heavy(cls.__name__, raw):
                payload = cls.FromString(raw or b"")
        except (DecodeError, UnicodeDecodeError, RecursionError) as error:
            # The last two: protobuf's Python runtime, see read_envelope.
            problem = f"no {cls.__name__}: {error}"
        else:
            if payload is None:
                problem = f"the parts of the {cls.__name__} in it would take more than {MOST_WEIGHT:,} bytes of memory"
            elif not is_complete(payload, len(body)):
                problem, missing = _missing(payload)
            elif payload.payloadType != payload_type:
                problem = f"the {cls.__name__} in it says that its payload type is {payload.payloadType}"
            elif (path := broken_text(payload)) is not None:
                problem = f"{cls.__name__}.{path} is not UTF-8"
            else:
                return Message(payload, client_msg_id, None, extras)
        raise UndecodablePayload(
            problem, payload_type, client_msg_id=client_msg_id, body=raw or b"", missing_fields=missing
        )


class _Inexact(Exception):
    """orjson may have made a float of an integer that somebody will read."""


class JsonCodec:
    """`{"clientMsgId": …, "payloadType": 2100, "payload": {…}}` (docs/protocol.md section 3).

    Writes 64-bit integers as numbers and enums as numbers. Takes numbers or strings for integers, numbers or names
    for enums (a name that is unknown is kept, see `Message.unknown_keys`), one scalar for a repeated field, `null` for
    absent; of duplicate keys the last holds.
    """

    name = "json"

    def __init__(self) -> None:
        self._fields = JsonFields()

    def encode(self, message: Message) -> bytes:
        """See `Codec.encode`."""
        payload_type = _checked_type(message)
        envelope: dict[str, Any] = {}
        if message.client_msg_id is not None:
            envelope["clientMsgId"] = message.client_msg_id
        envelope["payloadType"] = payload_type
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
        if isinstance(message.unknown_envelope, dict):
            if not ENVELOPE_KEYS.isdisjoint(message.unknown_envelope):
                raise LocalProtocolError(f"{message.name}: its unknown envelope holds a key that the schema knows")
            envelope |= message.unknown_envelope
        try:
            return write_json(envelope) if _holds_unknown(message) else orjson.dumps(envelope)
        except (orjson.JSONEncodeError, JsonValueError) as error:
            raise LocalProtocolError(f"{message.name} cannot be written as JSON: {error}") from None

    def decode(self, body: bytes) -> Message:
        """See `Codec.decode`."""
        reason = None
        try:
            return self._first_look(body)
        except orjson.JSONDecodeError as error:
            reason = fault_of(body, error)
        except _Inexact:
            pass  # left at once: with the exception goes what orjson made, of small values thirty times the text
        if reason is not None:
            return self._second_look(body, reason)
        reading = read_again(body)
        return self._message(read_json_envelope(orjson.loads(body) if reading is None else reading.value), body)

    def _first_look(self, body: bytes) -> Message:
        envelope = read_json_envelope(orjson.loads(body))
        try:
            message = self._message(envelope, body)
        except UndecodablePayload:
            if holds_long_integer(body):
                raise _Inexact from None
            raise
        if _holds_unknown(message) and holds_long_integer(body):
            raise _Inexact
        return message

    def _message(self, envelope: JsonEnvelope, body: bytes) -> Message:
        payload_type, raw, client_msg_id, extras = envelope
        cls = oa.class_of(payload_type)
        missing: tuple[str, ...] = ()
        if client_msg_id is not None and not isinstance(client_msg_id, str):
            problem, client_msg_id = "clientMsgId is not a string", None
        elif cls is None:
            return Message(UnknownPayload(payload_type, raw), client_msg_id, None, extras)
        else:
            try:
                payload, unknown_keys = self._fields.from_json(cls, {} if raw is None else raw)
            except FieldError as error:
                problem = f"no {cls.__name__}: {error}"
            else:
                if not payload.IsInitialized():
                    problem, missing = _missing(payload)
                elif (said := getattr(payload, "payloadType")) != payload_type:  # noqa: B009 - the stub has no such field
                    problem = f"the {cls.__name__} in it says that its payload type is {said}"
                else:
                    return Message(payload, client_msg_id, unknown_keys, extras)
        raise UndecodablePayload(
            problem, payload_type, client_msg_id=client_msg_id, body=_text_of(raw, body), missing_fields=missing
        )

    def _second_look(self, body: bytes, reason: str) -> Message:
        """The message in a text that orjson refuses for the length of an integer, or what is wrong with it.

        Where it has an envelope it can be told which message, and which field, is to blame: the frame ends where it
        should, so the stream is still good. That holds for bytes that are not UTF-8 as well: no byte of a character
        looks like one that delimits (a length, a line break, a brace). It costs the message, as with protobuf. A
        WebSocket's text that is not UTF-8 does not come as far as this: there it ends the connection (RFC 6455
        section 8.1).
        """
        reading = read_again(body)
        if reading is None:
            raise RemoteProtocolError(reason)
        try:
            envelope = read_json_envelope(reading.value)
        except RemoteProtocolError:
            raise RemoteProtocolError(reason) from None
        payload_type, payload, said_id, beside = envelope
        client_msg_id = said_id if isinstance(said_id, str) and _is_text(said_id) else None
        missing: tuple[str, ...] = ()
        try:
            message = self._message(envelope, body)
        except UndecodablePayload as fault:
            reason, missing = fault.reason, fault.missing_fields
        else:
            if reading.exact:
                return message
            where = fault_within({"clientMsgId": said_id, "payload": payload, **(beside or {})})
            reason = reason if where is None else f"{reason} ({where})"
        raise UndecodablePayload(reason, payload_type, client_msg_id=client_msg_id, body=body, missing_fields=missing)


_SPOT = oa.payload_type_of(oa.ProtoOASpotEvent)
_HEAD = 5  # bytes of an envelope before a payload of less than 128 bytes: tag and type, tag and length
# What an envelope of a spot event begins with, and how long its payload then is.
_SPOT_HEADS = MappingProxyType({bytes((0x08, _SPOT & 0x7F | 0x80, _SPOT >> 7, 0x12, n)): n for n in range(128)})


def _checked_type(message: Message) -> int:
    """The payload type, once the message is known to be complete and to say the same of itself."""
    payload = message.payload
    try:
        payload_type = message.payload_type
    except KeyError as error:
        raise LocalProtocolError(error.args[0]) from None
    if message.client_msg_id is not None and not isinstance(message.client_msg_id, str):
        raise LocalProtocolError(f"{message.name}: a client message id is a string")
    if message.unknown_keys is not None and not isinstance(message.unknown_keys, Mapping):
        raise LocalProtocolError(f"{message.name}: unknown keys are a mapping of path to value")
    if message.unknown_envelope is not None and not isinstance(message.unknown_envelope, dict | bytes):
        raise LocalProtocolError(f"{message.name}: an unknown envelope is a JSON object, or bytes")
    if isinstance(payload, UnknownPayload):
        # What is judged by its payload type and its account must have both where they can be seen.
        if oa.class_of(payload_type) is not None:
            raise LocalProtocolError(f"{message.name} is known to the schema: it travels as its class, not as bytes")
        if not 0 <= payload_type <= LARGEST_TYPE:
            raise LocalProtocolError(f"{message.name}: a payload type is a number of 32 bits")
        return payload_type
    if payload.payloadType != payload_type:
        raise LocalProtocolError(
            f"{message.name} has payload type {payload_type}, but its field payloadType says {payload.payloadType}"
        )
    if not payload.IsInitialized():
        raise LocalProtocolError(_missing(payload)[0])
    return payload_type


def _check_has_numbers(message: Message) -> None:
    for path, _ in unknown_names(message.payload, message.unknown_keys):  # the text itself is told to nobody
        raise LocalProtocolError(
            f"{message.name}.{'.'.join(map(str, path))} came as a name that the schema does not have: it has no "
            "number, and cannot travel as protobuf"
        )


def _are_unknown(extras: bytes) -> bool:
    """Whether none of these fields is one of the envelope's own: it would be read in place of what was judged."""
    try:
        envelope = oa.ProtoMessage.FromString(extras)
    except (DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return not any(envelope.HasField(name) for name in ("payloadType", "payload", "clientMsgId"))


_MOST_NAMED = 10  # missing fields: a list of millions of empty parts would name millions


def _missing(payload: Any) -> tuple[str, tuple[str, ...]]:
    names = missing_fields(payload, most=_MOST_NAMED)
    return f"{type(payload).__name__} lacks required fields: {', '.join(names)}", names


def _text_of(raw: Any, body: bytes) -> bytes:
    """The payload as JSON again, or the whole frame where it is none."""
    if raw is None:
        return b""
    try:
        return orjson.dumps(raw)
    except orjson.JSONEncodeError:  # longer or deeper than it writes
        try:
            return write_json(raw)
        except JsonValueError:
            return body


def _holds_unknown(message: Message) -> bool:
    if message.unknown_keys or message.unknown_envelope:
        return True
    return isinstance(message.payload, UnknownPayload) and message.payload.body is not None


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
