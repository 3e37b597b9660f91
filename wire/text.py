"""Strings that are no text.

protobuf's C runtime does not check the strings of a proto2 message: one that is not UTF-8 parses, and then reads as
`bytes` where every user expects `str`. Found on decoding, it is one bad message instead of a surprise far away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import FieldDescriptor

from ..proto.schema import MESSAGES

if TYPE_CHECKING:
    from google.protobuf.message import Message as ProtobufMessage

__all__ = ["broken_text"]


def _holds_text(descriptor: Any) -> bool:
    return any(
        field.type == FieldDescriptor.TYPE_STRING
        or (field.type == FieldDescriptor.TYPE_MESSAGE and _holds_text(field.message_type))
        for field in descriptor.fields
    )


_TEXTUAL = frozenset(name for name, cls in MESSAGES.items() if _holds_text(cls.DESCRIPTOR))


def broken_text(message: ProtobufMessage) -> str | None:
    """The path of the first string that is not UTF-8, such as `order.tradeData.label`, or None."""
    if type(message).__name__ not in _TEXTUAL:
        return None
    fields: list[tuple[Any, Any]] = list(message.ListFields())  # the stub's descriptor may lack a message_type
    for field, value in fields:
        if field.type == FieldDescriptor.TYPE_STRING:
            texts = (value,) if isinstance(value, str | bytes) else value
            if any(isinstance(text, bytes) for text in texts):
                return str(field.name)
        elif field.type == FieldDescriptor.TYPE_MESSAGE and field.message_type.name in _TEXTUAL:
            for part in (value,) if hasattr(value, "ListFields") else value:
                if (path := broken_text(part)) is not None:
                    return f"{field.name}.{path}"
    return None
