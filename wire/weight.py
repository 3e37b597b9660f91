"""How much memory a serialised message would take once it is parsed.

A part of two bytes, an empty message in a list, becomes an object of some hundred, and a byte of a packed list a number
of eight: a frame of the largest size could take gigabytes, and protobuf cannot be asked to stop. So a large payload is
weighed first. What takes two bytes for a number, a list that is not packed, takes less than the limit.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from ..proto.schema import MESSAGES
from .framing import MAX_FRAME_SIZE
from .shape import shape_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .shape import Field, Shape

__all__ = ["MOST_WEIGHT", "WEIGHED_FROM", "is_too_heavy"]

WEIGHED_FROM: Final = 1 << 18
"""Bytes of a payload below which it is not weighed: at its worst it takes some 50 MB."""
MOST_WEIGHT: Final = 10 * MAX_FRAME_SIZE
"""Bytes that the parts of a message may take: a frame of the largest size full of the smallest real ones, ticks of
five bytes, fits."""
_NUMBER: Final = 16  # bytes of one in a packed list: eight, and as many that are left behind as the list grows
_RUN: Final = 100  # bytes that a run of such takes here; who packs a list writes one, but may cut it into millions
_ENDS: Final = bytes(range(128, 256))  # of a varint all bytes but the last: without these one is left of each
_OBJECT, _FIELD = 24, 8  # bytes, on average, of an object of protobuf's C runtime and of each field that it could have


def is_too_heavy(name: str, payload: bytes) -> bool:
    """Whether the parts of a message would take more than `MOST_WEIGHT`.

    Args:
        name: of its class.
        payload: the serialised message.

    Raises:
        DecodeError: it is no message.
    """
    return _weight(name, payload, MOST_WEIGHT) > MOST_WEIGHT


def _weight(name: str, payload: bytes, most: int) -> int:
    """What the parts take, at every depth; once it is more than the most, by how much does not matter."""
    scale: Any = _scales()[name].FromString(payload)
    total = 0
    for field in _lists(shape_of(name)):
        runs = getattr(scale, field.name)
        total += _RUN * len(runs)
        if total > most:
            return total
        total += _NUMBER * sum(len(run.translate(None, _ENDS)) for run in runs)
    for field, inner in shape_of(name).parts:
        parts = getattr(scale, field.name)
        total += len(parts) * (_OBJECT + _FIELD * len(inner.fields))
        if total > most:
            return total
        if inner.parts and parts:
            # Serialised messages one behind the other are one that has the parts of all of them.
            part: Any = field.part
            total += _weight(part.__name__, b"".join(parts), most - total)
    return total


def _lists(shape: Shape) -> list[Field]:
    """The fields that are lists of numbers: all of them of varints, and in no part of a message. A test says so."""
    return [field for field in shape.fields if field.repeated and field.part is None]


@cache
def _scales() -> Mapping[str, Any]:
    """Classes that take the messages of the schema apart no further than into the bytes of their parts and lists.

    In a pool of their own, as the schema is.
    """
    field_type = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="weights.proto", package="anyctrader.weights", syntax="proto2")
    for name, cls in MESSAGES.items():
        message = file.message_type.add(name=name)
        shape = shape_of(name)
        for field in (*(field for field, _ in shape.parts), *_lists(shape)):
            number = cls.DESCRIPTOR.fields_by_name[field.name].number
            message.field.add(
                name=field.name, number=number, type=field_type.TYPE_BYTES, label=field_type.LABEL_REPEATED
            )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    package = file.package
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in MESSAGES}
