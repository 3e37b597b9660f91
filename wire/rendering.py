"""A message as people read it and as programs do: names, scaled prices, volumes and money, times as UTC; or JSON.

What is shown is what is there, secrets included: whoever shows it to others passes it through a `Redaction` first.
"""

from __future__ import annotations

import math
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from google.protobuf.descriptor import FieldDescriptor

from .codecs import UnknownPayload
from .drift import UnknownField, unknown_fields
from .enum_names import UNKNOWN_NAME, unknown_names
from .json_fields import FieldError, JsonFields
from .json_text import write_json
from .quoting import escaped, quoted
from .raw_fields import WIRE_TYPES, raw_fields
from .readings import Place, number_text, reading_of
from .scales import SCALES, Scale
from .shape import shape_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .codecs import Message
    from .readings import Reading
    from .shape import Field

__all__ = ["Frame", "Rendering", "repetition"]

_INDENT: Final = "  "
_MOST_SAID: Final = 1024  # values of a field: some hundred kilobytes for all the fields of a busy stream
_MOST_UNKNOWN: Final = 1_000  # fields of a message that the schema does not have: a newer server has a few
_LONGEST_BYTES: Final = 64  # of a value that nobody can name, in readable text; JSON has all of them


class Frame(NamedTuple):  # there is one for each message of a capture, and a frozen dataclass costs three times as much
    """A message, and where it stood.

    Attributes:
        message: what was in the frame.
        offset: bytes before the frame, its length included; None where there is no such place.
        size: bytes of the frame, its length included; None where nobody counted.
        repeated_key: one that an object of its JSON has twice, of which the last was read; None where none is.
    """

    message: Message
    offset: int | None = None
    size: int | None = None
    repeated_key: str | None = None


class Rendering:
    """Writes messages. What it learns about a class it keeps.

    Args:
        symbols: names of symbols by id, shown beside the ids; it may grow while the rendering is used.
    """

    def __init__(self, symbols: Mapping[int, str] | None = None) -> None:
        self._symbols = symbols if symbols is not None else {}
        self._json = JsonFields()
        self._plans: dict[type, dict[FieldDescriptor, _Plan]] = {}
        self._titles: dict[type, str] = {}

    def members(self, frame: Frame) -> dict[str, Any]:
        """The members of a JSON line: `offset`, `size`, `payloadType`, `name`, `clientMsgId`, `payload`.

        The payload is as on port 5036 (docs/protocol.md section 3): numbers as they are on the wire; a double that
        JSON cannot say is a string. It is None for a type that the schema does not know. Where there are fields that
        the schema does not have, `unknownFields` lists them: `path`, `number`, `wireType`, `value` (bytes in hex); with
        `moreUnknownFields` there are more than the thousand that are listed.
        `offset` and `size` are left out where there are none. `repeatedKey` is a key that is there twice, of which
        others may have read the one that is not shown.
        """
        message = frame.message
        members: dict[str, Any] = {} if frame.offset is None else {"offset": frame.offset}
        if frame.size is not None:
            members["size"] = frame.size
        members["payloadType"] = message.payload_type
        members["name"] = message.name
        members["clientMsgId"] = message.client_msg_id
        if frame.repeated_key is not None:
            members["repeatedKey"] = frame.repeated_key
        payload = message.payload
        unknown = unknown_fields(message, most=_MOST_UNKNOWN + 1)
        if isinstance(payload, UnknownPayload):
            members["payload"] = None if isinstance(payload.body, bytes) else payload.body
            if isinstance(payload.body, bytes):
                try:
                    unknown += raw_fields(payload.body, message.name, most=_MOST_UNKNOWN + 1)
                except ValueError:
                    members["body"] = payload.body.hex()
        else:
            try:
                members["payload"] = self._json.to_json(payload, unknown_keys=message.unknown_keys)
            except FieldError:
                members["payload"] = _loose(payload)
        if unknown:
            members["unknownFields"] = [_unknown_member(field) for field in unknown[:_MOST_UNKNOWN]]
        if len(unknown) > _MOST_UNKNOWN:
            members["moreUnknownFields"] = True
        return members

    def lines(self, frame: Frame) -> list[str]:
        """Readable text: a line for the message, and one for each field, indented by two spaces for each level."""
        message = frame.message
        lines = [self.head(frame)]
        if not isinstance(message.payload, UnknownPayload):
            self._lines(message.payload, Place(), _INDENT, lines)
        unknown = self._unknown(message)
        for field in unknown[:_MOST_UNKNOWN]:
            kind = f" ({WIRE_TYPES[field.wire_type]})" if field.wire_type is not None else ""
            lines.append(f"{_INDENT}unknown field {quoted(field.path)[1:-1]}{kind} = {_unknown_value(field)}")
        lines += [f"{_INDENT}unknown name {message.name}.{path} = {name}" for path, name in _names(message)]
        if len(unknown) > _MOST_UNKNOWN:
            lines.append(f"{_INDENT}and more unknown fields")
        if frame.repeated_key is not None:
            lines.append(f"{_INDENT}{repetition(frame)}")
        return lines

    def head(self, frame: Frame) -> str:
        """The first of `lines`: `@0 ProtoOASpotEvent (2131), 41 bytes, id "a"`."""
        message = frame.message
        parts = [self._title(message)]
        if frame.size is not None:
            parts.append(f"{frame.size} bytes")
        if message.client_msg_id is not None:
            parts.append(f"id {quoted(message.client_msg_id)}")
        return ("" if frame.offset is None else f"@{frame.offset} ") + ", ".join(parts)

    def _title(self, message: Message) -> str:
        cls = type(message.payload)
        title = self._titles.get(cls)
        if title is None:
            title = f"{message.name} ({message.payload_type})"
            if cls is not UnknownPayload:
                self._titles[cls] = title
        return title

    def brief(self, message: Message) -> str:
        """All of it on one line, without the numbers that the readable ones were made of."""
        words = [message.name]
        if message.client_msg_id is not None:
            words.append(f"id={quoted(message.client_msg_id)}")
        if not isinstance(message.payload, UnknownPayload):
            self._words(message.payload, Place(), "", words)
        words += [f"{_step(field)}={_unknown_value(field)}" for field in self._unknown(message)[:_MOST_UNKNOWN]]
        words += [f"{path}={name}" for path, name in _names(message)]
        return " ".join(words)

    def facts(self, message: Message) -> Iterator[tuple[str, str, str]]:
        """Each field that has a value: its path without the places in lists, the value as it is, and as it is shown.

        One of an enum that came as a name which the schema does not have is there with its number, and with the name.
        """
        if not isinstance(message.payload, UnknownPayload):
            yield from self._facts(message.payload, Place(), "")
            for path, name in _names(message):
                yield ".".join(step for step in path.split(".") if not step.isdecimal()), name, name

    def _facts(self, message: Any, place: Place, path: str) -> Iterator[tuple[str, str, str]]:
        plans, inner = self._plans_of(message), place.within(message)
        for field, value in message.ListFields():
            plan = plans.get(field)
            if plan is None:
                continue
            for each in value if plan.repeated else (value,):
                if plan.is_part:
                    yield from self._facts(each, inner.of(each), f"{path}{plan.name}.")
                else:
                    yield path + plan.name, str(each), plan.read(each, inner)[0]

    def _unknown(self, message: Message) -> list[UnknownField]:
        found = unknown_fields(message, most=_MOST_UNKNOWN + 1)
        payload = message.payload
        if isinstance(payload, UnknownPayload) and payload.body is not None:
            if isinstance(payload.body, bytes):
                try:
                    found += raw_fields(payload.body, message.name, most=_MOST_UNKNOWN + 1)
                except ValueError:
                    found.append(_whole(message.name, payload.body))
            elif isinstance(payload.body, dict):
                found += [_whole(f"{message.name}.{key}", value) for key, value in payload.body.items()]
            else:
                found.append(_whole(message.name, payload.body))
        return found

    # Into a list: the path of every field of every frame, and a generator in a generator costs at each level.

    def _lines(self, message: Any, place: Place, indent: str, lines: list[str]) -> None:
        plans, inner = self._plans_of(message), place.within(message)
        for field, value in message.ListFields():
            plan = plans.get(field)
            if plan is None:
                continue
            name = plan.name
            if plan.is_part:
                for index, part in enumerate(value if plan.repeated else (value,)):
                    lines.append(f"{indent}{name}[{index}]" if plan.repeated else indent + name)
                    self._lines(part, inner.of(part), indent + _INDENT, lines)
            elif plan.repeated:
                lines.append(f"{indent}{name} = {', '.join([plan.read(each, inner)[0] for each in value])}")
            elif plan.said is not None and inner.sums is None:
                said = plan.said.get(value)
                lines.append(indent + (said if said is not None else plan.learn(value, inner)))
            else:
                lines.append(indent + plan.line(value, inner))

    def _words(self, message: Any, place: Place, path: str, words: list[str]) -> None:
        plans, inner = self._plans_of(message), place.within(message)
        for field, value in message.ListFields():
            plan = plans.get(field)
            if plan is None:
                continue
            name = path + plan.name
            if plan.is_part:
                for index, part in enumerate(value if plan.repeated else (value,)):
                    step = f"{name}[{index}]." if plan.repeated else f"{name}."
                    self._words(part, inner.of(part), step, words)
            elif plan.repeated:
                words.append(f"{name}={','.join([plan.read(each, inner)[0] for each in value])}")
            else:
                words.append(f"{name}={plan.read(value, inner)[0]}")

    def _plans_of(self, message: Any) -> dict[FieldDescriptor, _Plan]:
        """How its fields are read but `payloadType`. By descriptor: to ask one for its name costs more."""
        cls = type(message)
        plans = self._plans.get(cls)
        if plans is None:
            shape = shape_of(cls.__name__)
            plans = self._plans[cls] = {
                cls.DESCRIPTOR.fields_by_name[field.name]: _Plan(cls.__name__, field, self._symbols)
                for field in shape.fields
                if field.name != "payloadType"
            }
        return plans


class _Plan:
    """How one field is read.

    Attributes:
        name: of the field.
        repeated: whether it is a list.
        is_part: whether it holds messages.
        read: how a value of it is read.
        said: lines by value, where they depend on nothing else: quotes repeat their prices, and all messages their
            accounts and symbols. None where each has to be made.
    """

    __slots__ = ("_enum", "_names", "_symbols", "is_part", "name", "read", "repeated", "said")

    def __init__(self, owner: str, field: Field, symbols: Mapping[int, str]) -> None:
        self.name = field.name
        self.repeated = field.repeated
        self.is_part = field.part is not None
        self._enum = field.enum
        self._names = {member.value: member.name for member in field.enum} if field.enum is not None else {}
        self._symbols = symbols
        scale = SCALES.get((owner, field.name))
        self.read: Callable[[Any, Place], Reading] = _OF_KIND.get(field.kind, _integer)
        if self._enum is not None:
            self.read = self._number_of_enum
        elif scale is Scale.SYMBOL:
            self.read = self._symbol
        elif scale is not None:
            self.read = reading_of(scale)
        lasts = scale is Scale.POINTS or (scale is None and self.read not in (_double, _text))
        self.said: dict[Any, str] | None = {} if lasts else None

    def line(self, value: Any, place: Place) -> str:
        """The line of a value, without its indent."""
        shown, scaled = self.read(value, place)
        return f"{self.name} = {shown} ({value})" if scaled else f"{self.name} = {shown}"

    def learn(self, value: Any, place: Place) -> str:
        """The same, and remembers it."""
        assert self.said is not None
        if len(self.said) >= _MOST_SAID:
            self.said.clear()
        line = self.said[value] = self.line(value, place)
        return line

    def _number_of_enum(self, value: int, place: Place) -> Reading:
        name = self._names.get(value)
        if name is not None:
            return name, True
        assert self._enum is not None
        if value == UNKNOWN_NAME:
            return f"a name (unknown to {self._enum.__name__})", False
        return f"{value} (unknown to {self._enum.__name__})", False

    def _symbol(self, value: int, place: Place) -> Reading:
        name = self._symbols.get(value)
        return (str(value) if name is None else f"{escaped(name)}"), name is not None


def _names(message: Message) -> list[tuple[str, str]]:
    """The names of values of enums that the schema does not have: path and name."""
    if isinstance(message.payload, UnknownPayload) or not message.unknown_keys:
        return []
    found = islice(unknown_names(message.payload, message.unknown_keys), _MOST_UNKNOWN)
    # In one order, wherever in the text the keys stood.
    return sorted((".".join(map(str, path)), quoted(name)[1:-1]) for path, name in found)


def repetition(frame: Frame) -> str:
    """What is to be said of a key that is there twice."""
    return (
        f"the key {quoted(frame.repeated_key or '')} is there twice: the last is shown, and others may read the first"
    )


def _integer(value: int, place: Place) -> Reading:
    return str(value), False


def _text(value: Any, place: Place) -> Reading:
    return (quoted(value) if isinstance(value, str) else str(value)), False  # what is not UTF-8 reads as bytes


def _flag(value: bool, place: Place) -> Reading:
    return ("true" if value else "false"), False


def _double(value: float, place: Place) -> Reading:
    return number_text(value), False


_OF_KIND: Final[Mapping[int, Callable[[Any, Place], Reading]]] = MappingProxyType(
    {
        FieldDescriptor.TYPE_STRING: _text,
        FieldDescriptor.TYPE_BYTES: _text,
        FieldDescriptor.TYPE_BOOL: _flag,
        FieldDescriptor.TYPE_DOUBLE: _double,
        FieldDescriptor.TYPE_FLOAT: _double,
    }
)


def _step(field: UnknownField) -> str:
    return f"#{field.number}" if field.number is not None else quoted(field.path.rpartition(".")[2])[1:-1]


def _whole(path: str, value: Any) -> UnknownField:
    return UnknownField(path, None, None, value)


def _unknown_value(field: UnknownField) -> str:
    """The value of an unknown field as people read it: bytes in hex, and as text where they are one."""
    value = field.value
    if isinstance(value, tuple):
        return "{" + ", ".join(f"{_step(part)}={_unknown_value(part)}" for part in value) + "}"
    if isinstance(value, bytes):
        try:
            text = value.decode()
        except UnicodeDecodeError:
            text = ""
        if text and text.isprintable():
            return quoted(text)
        cut = f"{value[:_LONGEST_BYTES].hex()}… ({len(value)} bytes)" if len(value) > _LONGEST_BYTES else value.hex()
        return f"0x{cut}" if value else "empty"
    return str(value) if isinstance(value, (int, float)) else quoted(write_json(value).decode())[1:-1]


def _unknown_member(field: UnknownField) -> dict[str, Any]:
    value = field.value
    if isinstance(value, tuple):
        value = [_unknown_member(part) for part in value]
    return {
        "path": field.path,
        "number": field.number,
        "wireType": field.wire_type,
        "value": value.hex() if isinstance(value, bytes) else value,
    }


def _loose(message: Any) -> dict[str, Any]:
    """The object for a message that JSON cannot say: a double that is no number becomes a string."""
    members: dict[str, Any] = {}
    for field, value in message.ListFields():
        repeated = isinstance(field.default_value, list)
        values = [
            _loose(each) if field.message_type is not None else _sayable(each)
            for each in (value if repeated else (value,))
        ]
        members[field.name] = values if repeated else values[0]
    return members


def _sayable(value: Any) -> Any:
    return number_text(value) if isinstance(value, float) and not math.isfinite(value) else value
