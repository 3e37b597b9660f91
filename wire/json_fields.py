"""The fields of one message as JSON has them (docs/protocol.md section 3).

protobuf's own `json_format` writes 64-bit integers as strings, refuses what the server takes, and does not say
where in a message a value is wrong; hence this one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import FieldDescriptor

from ..proto.schema import ENUM_FIELDS, MESSAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from enum import IntEnum

    from google.protobuf.message import Message as ProtobufMessage

__all__ = ["FieldError", "JsonFields"]

_INTEGERS = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
}
_LONGEST_INTEGER = 20  # characters of -2**63, the longest that fits any field


class FieldError(ValueError):
    """A value that its field cannot hold; the text begins with the field's path."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")


class JsonFields:
    """Messages to objects of JSON and back. What it learns about a class it keeps."""

    def __init__(self) -> None:
        self._plans: dict[str, dict[str, _Plan]] = {}

    def to_json(self, message: ProtobufMessage, *, unknown_keys: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The object for a message: the fields that are set, by their published names.

        Args:
            unknown_keys: what an earlier `from_json` could not place, put back where it was.

        Raises:
            FieldError: a double is not finite: JSON has no way to say it.
        """
        result = self._object(message)
        for path, value in (unknown_keys or {}).items():
            *parents, last = path.split(".")
            target: Any = result
            for step in parents:
                target = target[int(step) if isinstance(target, list) else step]
            target[last] = value
        return result

    def from_json(self, cls: type[ProtobufMessage], value: Any) -> tuple[ProtobufMessage, dict[str, Any] | None]:
        """The message for an object, and what the schema does not name in it (path to value), or None.

        Raises:
            FieldError: a value does not fit its field; the text says where and why.
        """
        unknown: dict[str, Any] = {}
        message = self._message(cls, value, "", unknown)
        return message, unknown or None

    def _object(self, message: ProtobufMessage) -> dict[str, Any]:
        plans = self._plans_of(type(message))
        result: dict[str, Any] = {}
        for field, value in message.ListFields():
            name = field.name
            plan = plans[name]
            if plan.write is None:
                result[name] = list(value) if plan.repeated else value
            elif plan.repeated:
                result[name] = [plan.write(item) for item in value]
            else:
                result[name] = plan.write(value)
        return result

    def _message(self, cls: type[ProtobufMessage], value: Any, path: str, unknown: dict[str, Any]) -> ProtobufMessage:
        if not isinstance(value, dict):
            raise FieldError(path or cls.__name__, f"an object is due, not {_kind(value)}")
        plans = self._plans_of(cls)
        arguments: dict[str, Any] = {}
        for key, item in value.items():
            if item is None:
                continue
            plan = plans.get(key)
            here = f"{path}.{key}" if path else key
            if plan is None:
                unknown[here] = item
            elif not plan.repeated:
                arguments[key] = plan.read(item, here, unknown)
            else:
                # Section 3: the server takes one scalar for a list, and so do we.
                items = item if isinstance(item, list) else [item]
                arguments[key] = [plan.read(each, f"{here}.{n}", unknown) for n, each in enumerate(items)]
        return cls(**arguments)

    def _plans_of(self, cls: type[ProtobufMessage]) -> dict[str, _Plan]:
        name = cls.__name__
        plans = self._plans.get(name)
        if plans is None:
            enums = ENUM_FIELDS[name]
            plans = self._plans[name] = {
                field.name: self._plan(field, enums.get(field.name)) for field in cls.DESCRIPTOR.fields
            }
        return plans

    def _plan(self, field: Any, enum: type[IntEnum] | None) -> _Plan:
        # Neither FieldDescriptor.label nor .is_repeated is there in every runtime from 5.29 on; this is.
        repeated = isinstance(field.default_value, list)
        if enum is not None:
            return _Plan(lambda value, path, _: _enum(value, path, enum), repeated)
        if field.type in _INTEGERS:
            low, high = _INTEGERS[field.type]
            return _Plan(lambda value, path, _: _integer(value, path, low, high), repeated)
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            cls = MESSAGES[field.message_type.name]
            return _Plan(lambda value, path, unknown: self._message(cls, value, path, unknown), repeated, self._object)
        if field.type == FieldDescriptor.TYPE_DOUBLE:
            name = field.full_name
            return _Plan(lambda value, path, _: _double(value, path), repeated, lambda value: _finite(value, name))
        wanted = bool if field.type == FieldDescriptor.TYPE_BOOL else str
        return _Plan(lambda value, path, _: _exactly(value, path, wanted), repeated)


class _Plan:
    """How one field is read from JSON, and how it is written where its own value will not do."""

    __slots__ = ("read", "repeated", "write")

    def __init__(
        self,
        read: Callable[[Any, str, dict[str, Any]], Any],
        repeated: bool,
        write: Callable[[Any], Any] | None = None,
    ) -> None:
        self.read = read
        self.repeated = repeated
        self.write = write


def _finite(value: float, path: str) -> float:
    if not math.isfinite(value):
        raise FieldError(path, f"{value} is no finite number")
    return value


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "a string", bool: "a boolean", float: "a float"}.get(
        type(value), f"{value!r:.40}"
    )


def _integer(value: Any, path: str, low: int, high: int) -> int:
    if type(value) is str and len(value) <= _LONGEST_INTEGER and value.removeprefix("-").isdecimal():
        if not value.isascii():
            raise FieldError(path, "an integer is due, not a string")
        value = int(value)
    if type(value) is not int:
        # orjson reads an integer beyond 64 bits as a float: what it was is lost, so no float is taken.
        raise FieldError(path, f"an integer is due, not {_kind(value)}")
    if not low <= value <= high:
        raise FieldError(path, f"{value} is out of range, {low} to {high}")
    return value


def _enum(value: Any, path: str, enum: type[IntEnum]) -> int:
    if type(value) is str:
        member = enum.__members__.get(value)
        if member is not None:
            return member.value
        if not value.removeprefix("-").isdecimal():
            raise FieldError(path, f"{value[:40]!r} is no {enum.__name__}")
    return _integer(value, path, *_INTEGERS[FieldDescriptor.TYPE_INT32])


def _double(value: Any, path: str) -> float:
    if type(value) is int:
        value = float(value)
    if type(value) is not float:
        raise FieldError(path, f"a number is due, not {_kind(value)}")
    return _finite(value, path)


def _exactly(value: Any, path: str, wanted: type) -> Any:
    if type(value) is not wanted:
        raise FieldError(path, f"a {'boolean' if wanted is bool else 'string'} is due, not {_kind(value)}")
    return value
