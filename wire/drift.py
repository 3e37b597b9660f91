"""Where a message and our schema differ: what a newer server says that we do not know, and what it leaves out.

The functions look at all of a message. A `Drift` counts, for a whole connection and at little cost.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from google.protobuf.unknown_fields import UnknownFieldSet

from . import messages as oa
from .codecs import UnknownPayload
from .enum_names import unknown_names
from .shape import parts_of, shape_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .codecs import Message
    from .json_fields import Path
    from .shape import Shape

__all__ = ["Drift", "UnknownEnum", "UnknownField", "listed_fields", "unknown_enums", "unknown_fields"]


@dataclass(frozen=True, slots=True)
class UnknownField:
    """A field that the schema does not have.

    Attributes:
        path: where it stands, from the message's name on: `ProtoOAExecutionEvent.order.999`. The last step is its
            number, or its key in JSON.
        number: its number, or None in JSON.
        wire_type: protobuf's wire type (0 varint, 1 eight bytes, 2 length and bytes, 3 group, 5 four bytes), or None
            in JSON.
        value: an integer, bytes, or a tuple of `UnknownField` for a group; in JSON whatever stood there.
    """

    path: str
    number: int | None
    wire_type: int | None
    value: Any = dataclasses.field(repr=False)  # nobody knows what is in it: it stays out of logs


@dataclass(frozen=True, slots=True)
class UnknownEnum:
    """A value that its enum does not list: a number, or a name that came in JSON.

    Attributes:
        path: where it stands, from the message's name on: `ProtoOAExecutionEvent.order.orderType`.
        enum: the name of the enum.
        number: what was sent; what the field reads, `enum_names.UNKNOWN_NAME`, where that was a name.
        required: whether the field is one that must be there. It *is* there: what it means is unknown.
        name: the name that was sent, or None.
    """

    path: str
    enum: str
    number: int
    required: bool
    name: str | None = dataclasses.field(default=None, repr=False)  # a peer's text: it stays out of logs


def unknown_fields(message: Message, *, most: int | None = None) -> list[UnknownField]:
    """Every field in a message that the schema does not have, those of its envelope included.

    Args:
        message: decoded.
        most: no more of them than so many, and of a group's no more either; None for all. A frame has room for seven
            million, which take a minute and two gigabytes to list.
    """
    return list(islice(_listed(message, most), most))


def _listed(message: Message, most: int | None) -> Iterator[UnknownField]:
    envelope = message.unknown_envelope
    if isinstance(envelope, bytes):
        yield from listed_fields("ProtoMessage", UnknownFieldSet(oa.ProtoMessage.FromString(envelope)), most=most)
    elif envelope is not None:
        for key, value in envelope.items():
            yield UnknownField(f"ProtoMessage.{key}", None, None, value)
    payload = message.payload
    if not isinstance(payload, UnknownPayload):
        shape = shape_of(type(payload).__name__)
        if _has_unknown(payload, shape):  # hardly any has, and paths cost more than all the rest
            for path, part, _ in _parts(message.name, payload, shape):
                yield from listed_fields(path, UnknownFieldSet(part), most=most)
    names = dict(_names(message))
    for keys, value in (message.unknown_keys or {}).items():
        if keys not in names:
            yield UnknownField(_path(message, keys), None, None, value)


def unknown_enums(message: Message) -> list[UnknownEnum]:
    """Every enum field of a message whose number, or name, the schema does not list.

    Such a value is delivered as it is, never as the first of its enum; whoever acts upon the field must not guess.
    """
    found: list[UnknownEnum] = []
    if isinstance(message.payload, UnknownPayload):
        return found
    names = {_path(message, keys): name for keys, name in _names(message)}
    for path, part, shape in _parts(message.name, message.payload, shape_of(message.name)):
        for field, enum, numbers in shape.enums:
            number = getattr(part, field.name)
            if number not in numbers and part.HasField(field.name):
                where = f"{path}.{field.name}"
                found.append(UnknownEnum(where, enum.__name__, number, field.required, names.get(where)))
    return found


def _names(message: Message) -> Iterator[tuple[Path, str]]:
    return (
        iter(())
        if isinstance(message.payload, UnknownPayload)
        else unknown_names(message.payload, message.unknown_keys)
    )


def _path(message: Message, keys: Path) -> str:
    return ".".join(map(str, (message.name, *keys)))


def _parts(path: str, message: Any, shape: Shape) -> Iterator[tuple[str, Any, Shape]]:
    """A message and all messages in it, with their paths."""
    yield path, message, shape
    for step, part, inner in parts_of(f"{path}.", message, shape):
        yield from _parts(step, part, inner)


def _has_unknown(message: Any, shape: Shape) -> bool:
    if len(UnknownFieldSet(message)):
        return True
    for field, inner in shape.parts:
        if field.repeated:
            if any(_has_unknown(part, inner) for part in getattr(message, field.name)):
                return True
        elif message.HasField(field.name) and _has_unknown(getattr(message, field.name), inner):
            return True
    return False


_GROUP = 3  # the wire type of a group: its value is a set again


def listed_fields(path: str, fields: UnknownFieldSet, *, most: int | None = None) -> Iterator[UnknownField]:
    """What is in protobuf's own list of unknown fields; the paths begin with the one given.

    Args:
        path: of the message that has them.
        fields: the list.
        most: no more than so many, of the list and of each group in it; None for all.
    """
    for index in range(len(fields) if most is None else min(len(fields), most)):
        field = fields[index]
        step = f"{path}.{field.field_number}"
        value = tuple(listed_fields(step, field.data, most=most)) if field.wire_type == _GROUP else field.data
        yield UnknownField(step, field.field_number, field.wire_type, value)


_QUOTES = frozenset({oa.payload_type_of(oa.ProtoOASpotEvent), oa.payload_type_of(oa.ProtoOADepthEvent)})
_QUOTES_PER_LOOK = 64
# Points of quotes and of history: of 5,000 bars all are written alike, and a look at each takes eight times the parse.
_POINTS = frozenset({"ProtoOATrendbar", "ProtoOATickData", "ProtoOADepthQuote"})
_MOST_POINTS = 4  # of a list of them
_LARGEST_LOOKED_AT = 256 * 1024  # bytes; 15 MB of unknown fields would take seconds to list, and this has any answer


@dataclass(slots=True)
class Drift:
    """How much of what a peer said differs from our schema. Each counter counts messages.

    A server does not change its schema from one message to the next, and a full look costs more than the message.
    So of quotes (spots and depth) one in 64 is looked at, the first included, of a list of bars, ticks or depth quotes
    its first four, and nothing beyond 256 KiB: unknown fields and enum numbers are a sample, unknown keys and names in
    JSON and the rest are exact.

    Attributes:
        unknown_fields: carried a field that the schema does not have.
        unknown_enums: carried a number or a name that its enum does not list.
        unknown_payload_types: were of a type that the schema does not know.
        missing_fields: lacked a required field.
        undecodable: could not be read for another reason.
    """

    unknown_fields: int = 0
    unknown_enums: int = 0
    unknown_payload_types: int = 0
    missing_fields: int = 0
    undecodable: int = 0
    _quotes: int = dataclasses.field(default=0, repr=False, compare=False)

    def look(self, payload_type: int, message: Message, size: int) -> None:
        """Counts what is unknown in a message whose body had so many bytes."""
        has_field = bool(message.unknown_keys or message.unknown_envelope)
        has_enum = False
        if message.unknown_keys:
            names = sum(1 for _ in _names(message))
            has_enum = names > 0
            has_field = len(message.unknown_keys) > names or bool(message.unknown_envelope)
        if isinstance(message.payload, UnknownPayload):
            self.unknown_payload_types += 1
            self.unknown_fields += has_field
            return
        quotes = self._quotes = self._quotes + (payload_type in _QUOTES)
        if size <= _LARGEST_LOOKED_AT and (quotes % _QUOTES_PER_LOOK == 1 or payload_type not in _QUOTES):
            payload = message.payload
            part_has_field, part_has_enum = _sampled(payload, shape_of(type(payload).__name__))
            has_field |= part_has_field
            has_enum |= part_has_enum
        if has_field:
            self.unknown_fields += 1
        if has_enum:
            self.unknown_enums += 1

    def look_at_spots(self, spots: list[Any]) -> None:
        """Counts what is unknown in a row of spot events; of them the same ones are looked at as one by one."""
        first = -self._quotes % _QUOTES_PER_LOOK
        self._quotes += len(spots)
        shape = shape_of("ProtoOASpotEvent")
        for spot in spots[first::_QUOTES_PER_LOOK]:
            has_field, has_enum = _sampled(spot, shape)
            self.unknown_fields += has_field
            self.unknown_enums += has_enum


def _sampled(message: Any, shape: Shape) -> tuple[bool, bool]:
    """Whether there is an unknown field, and an unknown enum number, as far as a sample tells."""
    has_field = len(UnknownFieldSet(message)) > 0
    has_enum = False
    for field, _, numbers in shape.enums:
        if getattr(message, field.name) not in numbers and message.HasField(field.name):
            has_enum = True
    for field, inner in shape.parts:
        assert field.part is not None
        if field.repeated:
            most = _MOST_POINTS if field.part.__name__ in _POINTS else None
            some: Iterator[Any] = islice(getattr(message, field.name), most)
        elif message.HasField(field.name):
            some = iter((getattr(message, field.name),))
        else:
            continue
        for part in some:
            part_has_field, part_has_enum = _sampled(part, inner)
            has_field |= part_has_field
            has_enum |= part_has_enum
    return has_field, has_enum
