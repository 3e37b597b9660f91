"""Strings that are no text.

protobuf's C runtime does not check the strings of a proto2 message: one that is not UTF-8 parses, and then reads as
`bytes` where every user expects `str`. Found on decoding, it is one bad message instead of a surprise far away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .shape import shape_of

if TYPE_CHECKING:
    from google.protobuf.message import Message as ProtobufMessage

    from .shape import Shape

__all__ = ["broken_text"]


def broken_text(message: ProtobufMessage) -> str | None:
    """The path of the first string that is not UTF-8, such as `order.tradeData.label`, or None."""
    shape = shape_of(type(message).__name__)
    return _broken(message, shape) if shape.holds_text else None


def _broken(message: Any, shape: Shape) -> str | None:
    for field in shape.texts:
        value = getattr(message, field.name)
        if any(isinstance(text, bytes) for text in value) if field.repeated else isinstance(value, bytes):
            return field.name
    for field, inner in shape.parts:
        if not inner.holds_text:
            continue
        if field.repeated:
            for index, part in enumerate(getattr(message, field.name)):
                if (path := _broken(part, inner)) is not None:
                    return f"{field.name}.{index}.{path}"
        elif message.HasField(field.name) and (path := _broken(getattr(message, field.name), inner)) is not None:
            return f"{field.name}.{path}"
    return None
