"""The fields of one message as JSON has them (docs/protocol.md section 3).

protobuf's own `json_format` writes 64-bit integers as strings, refuses what the server takes, and does not say
where in a message a value is wrong; hence this one.
"""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from google.protobuf.descriptor import FieldDescriptor

from .enum_names import UNKNOWN_NAME, looks_like_a_name
from .shape import shape_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from enum import IntEnum

    from google.protobuf.message import Message as ProtobufMessage

    from .shape import Field

__all__ = ["FieldError", "JsonFields", "Path"]

Path: TypeAlias = tuple[str | int, ...]
"""Where something stands: keys, and indexes of lists. A tuple, since a key of a peer's may hold any character."""

_BEYOND_64_BITS = 2.0**63  # of such a size no integer is left of what orjson has read
_INTEGERS = MappingProxyType(
    {
        FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
        FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
        FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
        FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
    }
)
_WIDEST = 2**128  # what is shown of a number: more than any field is mistaken for
_LONGEST_INTEGER = 20  # characters of -2**63, the longest that fits any field
# Of a list that is longer than any real one (14,000 bars, docs/protocol.md section 12), no more parts are made once so
# many lack required fields: they decide that the message is refused, and the first ten are named.
_LONG_LIST = 20_000
_ENOUGH_LACKING = 100
_NO_TEXT = "the string is no text: bytes that are not UTF-8, or half a surrogate pair"
_KINDS = MappingProxyType(
    {
        dict: "an object",
        list: "a list",
        str: "a string",
        bool: "a boolean",
        int: "an integer",
        float: "a float",
        type(None): "null",
    }
)


class FieldError(ValueError):
    """A value that its field cannot hold; the text begins with the field's path.

    Attributes:
        path: where it stands; empty for the message itself.
        problem: what is wrong there.
    """

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{'.'.join(map(str, path))}: {problem}" if path else problem)
        self.path = path
        self.problem = problem


class _Misfit(ValueError):
    """What is wrong with a value, before it is known where it stands."""


class _UnknownName(_Misfit):
    """A text that may be a name of its enum, which a newer server knows."""


class JsonFields:
    """Messages to objects of JSON and back. What it learns about a class it keeps."""

    def __init__(self) -> None:
        self._plans: dict[str, dict[str, _Plan]] = {}

    def to_json(self, message: ProtobufMessage, *, unknown_keys: Mapping[Path, Any] | None = None) -> dict[str, Any]:
        """The object for a message: the fields that are set, by their published names.

        Args:
            unknown_keys: what an earlier `from_json` could not place, put back where it was; what belonged to a part
                that is not there any more goes with it, and the name of an enum's value with its `UNKNOWN_NAME`. A
                plain string stands for a key of the message itself.

        Raises:
            FieldError: a double is not finite: JSON has no way to say it; or a path of `unknown_keys` is none, or
                names a field of the schema: whoever judged the message has seen the field, and not what is put there.
        """
        result = self._object(message)
        for path, value in (unknown_keys or {}).items():
            self._put(result, type(message).__name__, (path,) if isinstance(path, str) else path, value)
        return result

    def from_json(self, cls: type[ProtobufMessage], value: Any) -> tuple[ProtobufMessage, dict[Path, Any] | None]:
        """The message for an object, and what the schema does not name in it (path to value), or None.

        That may be a value of an enum, by its name: its field is `UNKNOWN_NAME`, the text is under the field's path.

        Raises:
            FieldError: a value does not fit its field; the text says where and why.
        """
        unknown: dict[Path, Any] = {}
        message = cls()
        self._fill(message, value, (), unknown)
        return message, unknown or None

    def _object(self, message: ProtobufMessage) -> dict[str, Any]:
        plans = self._plans_of(type(message).__name__)
        result: dict[str, Any] = {}
        for field, value in message.ListFields():
            name = field.name
            plan = plans[name]
            write = plan.write
            if write is None:
                result[name] = list(value) if plan.repeated else value
            elif plan.repeated:
                result[name] = [_written(write, item, (name, index)) for index, item in enumerate(value)]
            else:
                result[name] = _written(write, value, (name,))
        return result

    def _put(self, target: Any, name: str, path: Path, value: Any) -> None:
        """Puts a value where the path says, in the object for a message of this name, beside its fields."""
        if not isinstance(path, tuple) or not path or not isinstance(path[-1], str):
            raise FieldError((), "the path of an unknown key is a tuple that ends in it")
        steps, plans = iter(path[:-1]), self._plans_of(name)
        for step in steps:
            plan = plans.get(step) if isinstance(step, str) else None
            if plan is None or plan.part is None:
                raise FieldError(path, "this path leads through no part of the message")
            plans = self._plans_of(plan.part)
            target = target.get(step)
            if target is not None and plan.repeated:
                index = next(steps, None)
                if type(index) is not int or index < 0:
                    raise FieldError(path, "this path leads through a list without an index")
                target = target[index] if index < len(target) else None
            if target is None:
                return
        plan = plans.get(path[-1])
        if plan is not None:
            if not (plan.enum is not None and isinstance(value, str) and _may_be_new(value, plan.enum)):
                raise FieldError(path, "this is a field of the schema: it is set in the message itself")
            if target.get(path[-1]) != UNKNOWN_NAME:
                return
        target[path[-1]] = value

    def _fill(self, message: Any, value: Any, path: Path, unknown: dict[Path, Any]) -> None:
        """Sets the fields in place: a message of its own for each part would cost six times the memory."""
        if not isinstance(value, dict):
            raise FieldError(path, f"an object is due, not {_kind(value)}")
        plans = self._plans_of(type(message).__name__)
        for key, item in value.items():
            if item is None:
                continue
            plan = plans.get(key)
            if plan is None:
                unknown[(*path, key)] = item
            elif plan.repeated:
                # Section 3: the server takes one scalar for a list, and so do we.
                self._fill_list(message, plan, item if isinstance(item, list) else [item], (*path, key), unknown)
            elif plan.read is None:
                part = getattr(message, key)
                part.SetInParent()
                self._fill(part, item, (*path, key), unknown)
            else:
                try:
                    setattr(message, key, plan.read(item))
                except _UnknownName:
                    setattr(message, key, UNKNOWN_NAME)
                    unknown[(*path, key)] = item
                except _Misfit as misfit:
                    raise FieldError((*path, key), str(misfit)) from None
                except ValueError:
                    raise FieldError((*path, key), _NO_TEXT) from None

    def _fill_list(self, message: Any, plan: _Plan, items: list[Any], path: Path, unknown: dict[Path, Any]) -> None:
        values = getattr(message, plan.name)
        lacking, long = 0, len(items) > _LONG_LIST
        for index, item in enumerate(items):
            if plan.read is None:
                part = values.add()
                self._fill(part, item, (*path, index), unknown)
                if long and not part.IsInitialized():
                    lacking += 1
                    if lacking >= _ENOUGH_LACKING:
                        return  # the message is refused by what is there
                continue
            try:
                values.append(plan.read(item))
            except _Misfit as misfit:
                raise FieldError((*path, index), str(misfit)) from None
            except ValueError:
                raise FieldError((*path, index), _NO_TEXT) from None

    def _plans_of(self, name: str) -> dict[str, _Plan]:
        plans = self._plans.get(name)
        if plans is None:
            plans = self._plans[name] = {field.name: self._plan(field) for field in shape_of(name).fields}
        return plans

    def _plan(self, field: Field) -> _Plan:
        if field.part is not None:
            return _Plan(field, None, self._object)
        if (enum := field.enum) is not None:
            # What a payload says that it is, and what is in a list, cannot be left open: a test says that no list is.
            is_open = field.name != "payloadType" and not field.repeated
            return _Plan(field, lambda value: _enum(value, enum, is_open=is_open), enum=enum if is_open else None)
        if field.kind in _INTEGERS:
            low, high = _INTEGERS[field.kind]
            return _Plan(field, lambda value: _integer(value, low, high))
        if field.kind == FieldDescriptor.TYPE_DOUBLE:
            return _Plan(field, _double, _finite)
        wanted = bool if field.kind == FieldDescriptor.TYPE_BOOL else str
        return _Plan(field, lambda value: _exactly(value, wanted))


class _Plan:
    """How one field is read from JSON (None: as a message), and how it is written where its own value will not do.

    With an enum, it may hold a name that this does not have.
    """

    __slots__ = ("enum", "name", "part", "read", "repeated", "write")

    def __init__(
        self,
        field: Field,
        read: Callable[[Any], Any] | None,
        write: Callable[[Any], Any] | None = None,
        *,
        enum: type[IntEnum] | None = None,
    ) -> None:
        self.enum = enum
        self.name = field.name
        self.repeated = field.repeated
        self.part = field.part.__name__ if field.part is not None else None
        self.read = read
        self.write = write


def _kind(value: Any) -> str:
    # Never the value itself: it may be a secret, or nested too deep to be printed.
    return _KINDS.get(type(value), type(value).__name__)


def _written(write: Callable[[Any], Any], value: Any, path: Path) -> Any:
    try:
        return write(value)
    except _Misfit as misfit:
        raise FieldError(path, str(misfit)) from None
    except FieldError as error:
        raise FieldError((*path, *error.path), error.problem) from None


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise _Misfit(f"{value} is no finite number")
    return value


def _integer(value: Any, low: int, high: int) -> int:
    if type(value) is str:
        if not (value.isascii() and value.removeprefix("-").isdecimal()):
            raise _Misfit("an integer is due, not a string")
        if len(value) > _LONGEST_INTEGER:  # but for zeros in front, which Python counts as digits too
            sign = "-" * value.startswith("-")
            value = sign + (value.removeprefix("-").lstrip("0") or "0")
        if len(value) > _LONGEST_INTEGER:
            raise _Misfit(f"the number is out of range, {low} to {high}")
        value = int(value)
    if type(value) is float and abs(value) >= _BEYOND_64_BITS:
        raise _Misfit(f"the number is out of range, {low} to {high}")
    if type(value) is not int:
        # orjson reads an integer beyond 64 bits as a float: what it was is lost there, so no float is taken.
        raise _Misfit(f"an integer is due, not {_kind(value)}")
    if not low <= value <= high:
        said = str(value) if -_WIDEST < value < _WIDEST else "the number"  # one of thousands of digits is not told
        raise _Misfit(f"{said} is out of range, {low} to {high}")
    return value


def _enum(value: Any, enum: type[IntEnum], *, is_open: bool) -> int:
    if type(value) is str:
        member = enum.__members__.get(value)
        if member is not None:
            return member.value
        if not value.removeprefix("-").isdecimal():
            # Never the text itself: it may be a secret at the wrong place.
            kind = _UnknownName if is_open and looks_like_a_name(value) else _Misfit
            raise kind(f"{_kind(value)} is no {enum.__name__}")
    return _integer(value, *_INTEGERS[FieldDescriptor.TYPE_INT32])


def _may_be_new(name: str, enum: type[IntEnum]) -> bool:
    return looks_like_a_name(name) and name not in enum.__members__


def _double(value: Any) -> float:
    if type(value) is int:
        try:
            value = float(value)
        except OverflowError:
            raise _Misfit("the number is out of range") from None
    if type(value) is not float:
        raise _Misfit(f"a number is due, not {_kind(value)}")
    return _finite(value)


def _exactly(value: Any, wanted: type) -> Any:
    if type(value) is not wanted:
        raise _Misfit(f"{'a boolean' if wanted is bool else 'a string'} is due, not {_kind(value)}")
    return value
