"""Messages made from the schema: strategies for all of them, and the extremes of every field."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import FieldDescriptor
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from anyctrader.proto.schema import ENUM_FIELDS, MESSAGES
from anyctrader.wire import Message
from anyctrader.wire import messages as oa

if TYPE_CHECKING:
    from collections.abc import Iterator

LOW, HIGH = (
    {
        FieldDescriptor.TYPE_INT32: -(2**31),
        FieldDescriptor.TYPE_INT64: -(2**63),
        FieldDescriptor.TYPE_UINT32: 0,
        FieldDescriptor.TYPE_UINT64: 0,
    },
    {
        FieldDescriptor.TYPE_INT32: 2**31 - 1,
        FieldDescriptor.TYPE_INT64: 2**63 - 1,
        FieldDescriptor.TYPE_UINT32: 2**32 - 1,
        FieldDescriptor.TYPE_UINT64: 2**64 - 1,
    },
)
DOUBLES = (0.0, -0.0, 1.0, 0.1, 1.12569, -5e-324, 1.7976931348623157e308, -1.7976931348623157e308, 2.0**63, 1e22)
TEXTS = ("", "EURUSD", 'quote" back\\slash\nnewline', "日本円 é", "\x00", "\U0001f4b6", "a" * 300)
PARTS = sorted(
    name for name in MESSAGES if name != "ProtoMessage" and MESSAGES[name] not in oa.PAYLOAD_CLASSES.values()
)
PAYLOADS = sorted(cls.__name__ for cls in oa.PAYLOAD_CLASSES.values())


def few(examples: int) -> settings:
    """So many examples, however slow the machine is."""
    return settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))


def is_repeated(field: Any) -> bool:
    return isinstance(field.default_value, list)


def extremes(field: Any, message: str) -> tuple[Any, ...]:
    """Values of a field that holds no message: its defaults and its bounds."""
    if field.type in LOW:
        low, high = LOW[field.type], HIGH[field.type]
        enum = ENUM_FIELDS[message].get(field.name)
        members = tuple(int(member) for member in enum) if enum is not None else ()
        return (0, 1, low, high, low + 1, high - 1, *members)
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return DOUBLES
    if field.type == FieldDescriptor.TYPE_BOOL:
        return (False, True)
    if field.type == FieldDescriptor.TYPE_STRING:
        return TEXTS
    assert field.type == FieldDescriptor.TYPE_BYTES
    return (b"", b"\xff\x00")


@cache
def values(field: Any, message: str) -> st.SearchStrategy[Any]:
    """Any value of a field, lists aside."""
    some = st.sampled_from(extremes(field, message))
    if field.type in LOW:
        return some | st.integers(LOW[field.type], HIGH[field.type])
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return some | st.floats(allow_nan=False, allow_infinity=False)
    if field.type == FieldDescriptor.TYPE_STRING:
        return some | st.text(max_size=8)
    return some


@st.composite
def parts(draw: st.DrawFn, name: str) -> Any:
    """A complete message of this name."""
    cls = MESSAGES[name]
    message: Any = cls()
    required = {path for path in message.FindInitializationErrors() if "." not in path}
    fields: list[Any] = list(cls.DESCRIPTOR.fields)
    present = draw(st.integers(0, 2 ** len(fields) - 1))
    for place, field in enumerate(fields):
        if field.name == "payloadType" and name != "ProtoMessage":
            continue  # it says what the message is
        if field.name not in required and not present >> place & 1:
            continue
        if field.message_type is not None:
            inner = parts(field.message_type.name)
            if is_repeated(field):
                getattr(message, field.name).extend(draw(st.lists(inner, max_size=2)))
            else:
                getattr(message, field.name).CopyFrom(draw(inner))
                getattr(message, field.name).SetInParent()
        elif is_repeated(field):
            getattr(message, field.name).extend(draw(st.lists(values(field, name), max_size=3)))
        else:
            setattr(message, field.name, draw(values(field, name)))
    return message


IDS = st.none() | st.sampled_from(("1", "é-1", "x" * 128, "")) | st.text(max_size=8)


def wrapped(name: str) -> st.SearchStrategy[Message]:
    """A message with a payload of this name."""
    return st.builds(Message, parts(name), IDS)


def any_message() -> st.SearchStrategy[Message]:
    return st.sampled_from(PAYLOADS).flatmap(wrapped)


def complete(cls: Any) -> Any:
    """The smallest complete message of a class: every required field, with some value of its own."""
    message = cls()
    for place, field in enumerate(cls.DESCRIPTOR.fields, start=1):
        if field.name not in {path.split(".")[0].split("[")[0] for path in cls().FindInitializationErrors()}:
            continue
        if field.message_type is not None:
            getattr(message, field.name).CopyFrom(complete(MESSAGES[field.message_type.name]))
        elif field.type == FieldDescriptor.TYPE_STRING:
            setattr(message, field.name, f"text {place}")
        elif (enum := ENUM_FIELDS[cls.__name__].get(field.name)) is not None:
            setattr(message, field.name, next(iter(enum)).value)
        else:
            setattr(message, field.name, place % 2 if field.type == FieldDescriptor.TYPE_BOOL else place)
    return message


def every_extreme(name: str) -> Iterator[Any]:
    """For each field of a message and each extreme of it, a message that has it."""
    for field in MESSAGES[name].DESCRIPTOR.fields:
        if field.name == "payloadType" or field.message_type is not None:
            continue
        some = extremes(field, name)
        for value in (list(some), *([value] for value in some)) if is_repeated(field) else some:
            message = complete(MESSAGES[name])
            if is_repeated(field):
                getattr(message, field.name).extend(value)
            else:
                setattr(message, field.name, value)
            yield message
