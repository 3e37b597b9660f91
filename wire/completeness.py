"""Whether a message has all that it must have, and what it lacks.

proto2 has required fields, and protobuf parses a message that lacks some without a word.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from google.protobuf.message import EncodeError

from .shape import shape_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message as ProtobufMessage

    from .shape import Shape

__all__ = ["LARGE", "is_complete", "missing_fields"]

LARGE = 4096
"""Bytes of a body from which on another way of asking is quicker."""
_MOST_LISTED = 20_000
"""Missing fields of which protobuf may make a list: each costs it some 0.5 µs and 40 bytes.

The longest reply with bars that a server gives has 14,000 (docs/protocol.md section 12), of one required field each.
"""


def is_complete(message: ProtobufMessage, size: int) -> bool:
    """Whether no required field of a message is missing, at any depth.

    Args:
        size: how many bytes it was parsed from.
    """
    if size >= LARGE:
        # Of a large message protobuf tells that in half the time by writing it: that looks in C, and the question
        # itself through the descriptors. But where fields are missing it lists each of them for its error, and a list
        # of millions takes minutes and GBs, or the interpreter's stack: it is written where it cannot lack as many.
        shape = shape_of(type(message).__name__)
        if _most_missing(message, shape) <= _MOST_LISTED:
            try:
                message.SerializeToString()
            except EncodeError:
                return False
            return True
        if _begins_or_ends_incomplete(message, shape):  # before millions of parts are asked, for seconds
            return False
    return message.IsInitialized()


def missing_fields(message: ProtobufMessage, *, most: int) -> tuple[str, ...]:
    """The paths of required fields that a message lacks, such as `order.tradeData.symbolId`.

    Args:
        most: how many are named at most.
    """
    return tuple(islice(_missing("", message, shape_of(type(message).__name__)), most))


def _begins_or_ends_incomplete(message: Any, shape: Shape) -> bool:
    for field, inner in shape.parts:
        values = getattr(message, field.name) if field.repeated and inner.most_missing else ()
        if values and not (values[0].IsInitialized() and values[-1].IsInitialized()):
            return True
    return False


def _missing(path: str, message: Any, shape: Shape) -> Iterator[str]:
    # The message itself is not asked whether anything is missing: of millions of parts that takes seconds.
    for name in shape.required:
        if not message.HasField(name):
            yield path + name
    for field, inner in shape.parts:
        value = getattr(message, field.name)
        if field.repeated:
            for index, part in enumerate(value):
                if not part.IsInitialized():
                    yield from _missing(f"{path}{field.name}.{index}.", part, inner)
        elif message.HasField(field.name) and not value.IsInitialized():
            yield from _missing(f"{path}{field.name}.", value, inner)


def _most_missing(message: Any, shape: Shape) -> float:
    """How many required fields a message can lack, by the length of its lists."""
    most: float = len(shape.required)
    for field, inner in shape.parts:
        most += inner.most_missing * (len(getattr(message, field.name)) if field.repeated else 1)
    return most
