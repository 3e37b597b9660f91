"""Messages from what a person types: a name, and fields as JSON or one by one. Errors tell what would be right."""

from __future__ import annotations

import re
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.descriptor import FieldDescriptor

from ..proto.schema import MESSAGES
from . import messages as oa
from .completeness import missing_fields
from .errors import LocalProtocolError
from .json_fields import FieldError, JsonFields
from .shape import shape_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .json_fields import Path
    from .shape import Field, Shape

__all__ = [
    "DraftError",
    "class_named",
    "drafted",
    "merged",
    "parsed_pairs",
    "payload_type_named",
    "require_complete",
    "require_path",
    "require_pattern",
    "shown_name",
]

_TRUE: Final = frozenset({"true", "yes", "1"})
_FALSE: Final = frozenset({"false", "no", "0"})
_MOST_NEAR: Final = 3
_MOST_MISSING: Final = 10
_MOST_LISTED: Final = 12  # of the fields of a message: two lines of a terminal
_LARGEST_TYPE: Final = 2**32 - 1
# The longest name of the schema has 36 letters, and two have a digit; a token is as long, and full of digits.
_NAME: Final = re.compile(r"(?=(?:\D*\d){0,5}\D*\Z)[\w.*?\[\]-]{0,40}")
_NOT_SHOWN: Final = "…"  # and no part of it: whoever covers secrets afterwards does not know the half of one


class DraftError(LocalProtocolError):
    """What was typed makes no message; the text says what would."""


def class_named(name: str) -> Any:
    """The class of a message by its published name, by its payload type, or by its name without `ProtoOA` and case.

    Raises:
        DraftError: there is none; the nearest names are given.
    """
    if name.isascii() and name.isdecimal():
        cls = oa.class_of(int(name)) if _is_type(name) else None
        if cls is None:
            raise DraftError(f"the schema knows no message of type {name if _is_type(name) else _NOT_SHOWN}")
        return cls
    shortened = {_short(known): known for known in (cls.__name__ for cls in oa.PAYLOAD_CLASSES.values())}
    short = _short(name)
    known = shortened.get(short) or shortened.get(f"{short}req")
    if known is None:
        raise DraftError(f"no message is called {shown_name(name)!r}{_near(short, shortened)}")
    return MESSAGES[known]


def payload_type_named(name: str) -> int:
    """The payload type for a name, or for a number, which may be one that the schema does not know.

    Raises:
        DraftError: there is none.
    """
    if name.isascii() and name.isdecimal() and _is_type(name):
        return int(name)
    return oa.payload_type_of(class_named(name))


def parsed_pairs(cls: Any, pairs: Iterable[str]) -> dict[str, Any]:
    """The object of JSON for fields that were typed as `name=value`; parts by their path, lists by repeating a name.

    Args:
        cls: of the message.
        pairs: such as `symbolId=1`, `tradeSide=BUY`, `marginCall.marginLevelThreshold=50`.

    Raises:
        DraftError: a pair is none, or its field is not there; the nearest names are given.
    """
    members: dict[str, Any] = {}
    for place, pair in enumerate(pairs, 1):
        path, is_pair, text = pair.partition("=")
        if not is_pair or not path:
            raise DraftError(f"{_told(cls, pair, place)} is no field: write name=value, or a JSON object")
        target, shape, owner = members, shape_of(cls.__name__), cls.__name__
        *parents, last = path.split(".")
        for step in parents:
            field = _field(shape, step, owner)
            if field.part is None or field.repeated:
                raise DraftError(f"{owner}.{step} has no fields of its own that could be typed so: write JSON")
            target = target.setdefault(step, {})
            owner = field.part.__name__
            shape = shape_of(owner)
        field = _field(shape, last, owner)
        value = _value(field, text, owner)
        if field.repeated:
            target.setdefault(last, []).append(value)
        elif last in target:
            raise DraftError(f"{owner}.{last} is no list, and was given twice")
        else:
            target[last] = value
    return members


def merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Both objects in one, and so are the parts that are in both.

    Raises:
        DraftError: a field that is no such part is in both: nobody knows which was meant.
    """
    result = dict(first)
    for name, value in second.items():
        mine = result.get(name)
        if isinstance(mine, dict) and isinstance(value, dict):
            try:
                result[name] = merged(mine, value)
            except DraftError as error:
                raise DraftError(f"{shown_name(name)}.{error}") from None
        elif name in result:
            raise DraftError(f"{shown_name(name)} was given twice")
        else:
            result[name] = value
    return result


def drafted(cls: Any, members: dict[str, Any]) -> Any:
    """A message from an object of JSON, every field of which the schema must know.

    Raises:
        DraftError: a field is not there (the nearest names are given), or does not take its value.
    """
    try:
        message, unknown = JsonFields().from_json(cls, members)
    except FieldError as error:
        raise _misfit(cls, members, error.path, error.problem) from None
    for path in unknown or ():
        shape, owner = shape_of(cls.__name__), cls.__name__
        *parents, last = path
        for step in parents:
            if isinstance(step, str):
                part = _field(shape, step, owner).part
                assert part is not None  # it has fields
                owner = part.__name__
                shape = shape_of(owner)
        _field(shape, str(last), owner)
        raise _misfit(cls, members, path, "no such name")  # of an enum's value: a newer server might know it
    said: int = getattr(message, "payloadType", 0)
    if said != oa.TYPES.get(cls, said):
        raise DraftError(f"{cls.__name__}.payloadType is {oa.payload_type_of(cls)}, not {said}")
    return message


def _misfit(cls: Any, members: Any, path: Path, problem: str) -> DraftError:
    where = ".".join((cls.__name__, *map(str, path)))
    choices = _choices(cls, members, path)
    # Where a name is due and another text was given, it may be a secret at the wrong place.
    return DraftError(f"{where}: this is none of its names{choices}" if choices else f"{where}: {problem}")


def require_complete(message: Any) -> None:
    """Returns if no required field is missing.

    Raises:
        DraftError: names those that are.
    """
    missing = missing_fields(message, most=_MOST_MISSING)
    if missing:
        raise DraftError(f"{type(message).__name__} lacks {', '.join(missing)}")


def require_path(name: str, classes: Iterable[Any]) -> None:
    """Returns if one of these messages has a field of this path, or of a path that ends so.

    Args:
        name: such as `order.tradeData.symbolId`, `symbolId`; without places in lists.
        classes: of messages.

    Raises:
        DraftError: none has; the nearest names are given.
    """
    known: dict[str, str] = {}
    for cls in classes:
        for path in _paths(shape_of(cls.__name__)):
            steps = path.split(".")
            known |= {end: end for end in (".".join(steps[start:]) for start in range(len(steps)))}
    if name not in known:
        raise DraftError(f"no field is called {shown_name(name)!r}{_near(name, known)}")


def require_pattern(pattern: str) -> None:
    """Sees that the name of a field of any message is this, or fits it: `price`, `*Timestamp`.

    Raises:
        DraftError: none does; the nearest names are given.
    """
    shapes = (shape_of(cls.__name__) for cls in oa.PAYLOAD_CLASSES.values())
    known = {step: step for shape in shapes for path in _paths(shape) for step in path.split(".")}
    if not any(fnmatchcase(name, pattern) for name in known):
        raise DraftError(f"no field is called {shown_name(pattern)!r}{_near(pattern, known)}")


def _paths(shape: Shape) -> Iterator[str]:
    """The paths of all fields that hold a value, as `Rendering.facts` names them."""
    for field in shape.fields:
        if field.part is not None:
            for path in _paths(shape_of(field.part.__name__)):
                yield f"{field.name}.{path}"
        elif field.name != "payloadType":
            yield field.name


def _field(shape: Shape, name: str, owner: str) -> Field:
    for field in shape.fields:
        if field.name == name:
            return field
    names = {_short(field.name): field.name for field in shape.fields if field.name != "payloadType"}
    said = _near(_short(name), names) or _listed([*names.values()])
    raise DraftError(f"{owner} has no field {shown_name(name)!r}{said}")


def _choices(cls: Any, members: Any, path: Iterable[Any]) -> str:
    """What a field would take in place of the text that it does not, where it takes names; else nothing."""
    shape, field = shape_of(cls.__name__), None
    value: Any = members
    for step in path:
        if isinstance(value, list if isinstance(step, int) else dict):  # a list of one may be without its brackets
            value = value[step]
        if isinstance(step, int):
            continue  # the items of a list are of one kind
        field = next((each for each in shape.fields if each.name == step), None)
        if field is not None and field.part is not None:
            shape = shape_of(field.part.__name__)
    if field is None or field.enum is None or not isinstance(value, str):
        return ""
    names = {name: name for name in field.enum.__members__}
    return _near(value.upper(), names) or f"; it takes {', '.join([*names][:_MOST_LISTED])}"


def _listed(names: list[str]) -> str:
    if not names:
        return "; it has none"
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return f"; its fields: {', '.join(names[:_MOST_LISTED])}{more}"


def _value(field: Field, text: str, owner: str) -> Any:
    if field.part is not None:
        raise DraftError(f"{owner}.{field.name} is a message: write its fields as {field.name}.name=value, or JSON")
    if field.kind == FieldDescriptor.TYPE_BOOL:
        if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        raise DraftError(f"{owner}.{field.name} is true or false, and this is neither")
    if field.kind == FieldDescriptor.TYPE_DOUBLE:
        try:
            return float(text)
        except ValueError:
            raise DraftError(f"{owner}.{field.name} is a number, and this is none") from None
    if field.enum is not None and text.upper() in field.enum.__members__:
        return text.upper()
    return text


def shown_name(name: str) -> str:
    """What was typed where a name is due: only if it looks like one, for it may be a secret at the wrong place."""
    return name if _NAME.fullmatch(name) else _NOT_SHOWN


def _is_type(digits: str) -> bool:
    return len(digits) <= len(str(_LARGEST_TYPE)) and int(digits) <= _LARGEST_TYPE


def _told(cls: Any, text: str, place: int) -> str:
    """What was typed where a pair is due, by its place and the field that it begins with: the rest may be a secret."""
    names = [field.name for field in shape_of(cls.__name__).fields if text.startswith(field.name)]
    return f"field {place}{f' ({max(names, key=len)}…)' if names else ''}"


def _short(name: str) -> str:
    return name.lower().replace("_", "").removeprefix("proto").removeprefix("oa")


def _near(name: str, known: dict[str, str]) -> str:
    near = get_close_matches(name, known, n=_MOST_NEAR, cutoff=0.5)
    return f"; near it: {', '.join(known[each] for each in near)}" if near else ""
