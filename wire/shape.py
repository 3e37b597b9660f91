"""What the fields of a message class are, read off its descriptor once.

A descriptor tells the same, but each look at one costs more than the whole of a small message; and what it calls
a repeated or a required field differs between the protobuf runtimes from 5.29 on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import FieldDescriptor

from ..proto.schema import ENUM_FIELDS, MESSAGES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from enum import IntEnum

    from google.protobuf.message import Message as ProtobufMessage

__all__ = ["Field", "Shape", "parts_of", "shape_of"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message.

    Attributes:
        name: as published.
        kind: one of `FieldDescriptor.TYPE_…`; enum fields are TYPE_INT32.
        repeated: whether it is a list.
        required: whether a message without it is incomplete.
        enum: what its numbers stand for, or None.
        part: the class of its messages, or None where it holds none.
    """

    name: str
    kind: int
    repeated: bool
    required: bool
    enum: type[IntEnum] | None
    part: type[ProtobufMessage] | None


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields of a message class, and those among them that hold something of interest.

    Attributes:
        fields: all of them, in the order of their numbers.
        required: names of those that must be there.
        parts: those that hold messages.
        enums: those whose numbers stand for something; not a payload's own `payloadType`, which says what it is.
        texts: those that are strings.
        holds_text: whether there is a string in it at any depth.
        most_missing: how many required fields it can lack, at any depth; infinite where it has a list of what can.
    """

    fields: tuple[Field, ...]
    required: tuple[str, ...]
    parts: tuple[tuple[Field, Shape], ...]
    enums: tuple[tuple[Field, type[IntEnum], frozenset[int]], ...]
    texts: tuple[Field, ...]
    holds_text: bool
    most_missing: float


@cache
def shape_of(name: str) -> Shape:
    """The shape of the schema's class of this name."""
    cls: Any = MESSAGES[name]
    enums = ENUM_FIELDS[name]
    # FieldDescriptor.label is gone from the newest runtimes, is_required and is_repeated are not in the oldest.
    required = frozenset(cls().FindInitializationErrors())
    descriptors: list[Any] = sorted(cls.DESCRIPTOR.fields, key=lambda descriptor: descriptor.number)
    fields = tuple(
        Field(
            field.name,
            field.type,
            repeated=isinstance(field.default_value, list),
            required=field.name in required,
            enum=enums.get(field.name),
            part=MESSAGES[field.message_type.name] if field.message_type is not None else None,
        )
        for field in descriptors
    )
    parts = tuple((field, shape_of(field.part.__name__)) for field in fields if field.part is not None)
    texts = tuple(field for field in fields if field.kind == FieldDescriptor.TYPE_STRING)
    return Shape(
        fields=fields,
        required=tuple(field.name for field in fields if field.required),
        parts=parts,
        enums=tuple(
            (field, field.enum, frozenset(field.enum))
            for field in fields
            if field.enum is not None and field.name != "payloadType"
        ),
        texts=texts,
        holds_text=bool(texts) or any(shape.holds_text for _, shape in parts),
        most_missing=len(required) + sum(_most_missing(field, shape) for field, shape in parts),
    )


def _most_missing(field: Field, shape: Shape) -> float:
    return math.inf if field.repeated and shape.most_missing else shape.most_missing


def parts_of(path: str, message: Any, shape: Shape) -> Iterator[tuple[str, Any, Shape]]:
    """The messages that are in a message, one level down: path, message, shape."""
    for field, inner in shape.parts:
        value = getattr(message, field.name)
        if field.repeated:
            for index, part in enumerate(value):
                yield f"{path}{field.name}.{index}", part, inner
        elif message.HasField(field.name):
            yield path + field.name, value, inner
