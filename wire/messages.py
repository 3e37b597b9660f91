"""The message classes and enums of the schema, and which payload type stands for which class.

Used as `from anyctrader.wire import messages as oa`. Enum fields read as plain integers, so that a value that
the schema does not know arrives as what it is; the enums themselves are `IntEnum` classes.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from ..proto import schema
from ..proto.schema import *  # noqa: F403 - the published names, all of them, are this module's purpose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message as ProtobufMessage

__all__ = [*schema.__all__, "PAYLOAD_CLASSES", "TYPES", "class_of", "name_of", "payload_type_of"]  # noqa: PLE0604

PAYLOAD_CLASSES: Mapping[int, type[ProtobufMessage]] = MappingProxyType(
    {
        # ProtoMessage is the envelope: its payloadType has no default and it is nobody's payload.
        cls.DESCRIPTOR.fields_by_name["payloadType"].default_value: cls
        for cls in schema.MESSAGES.values()
        if "payloadType" in cls.DESCRIPTOR.fields_by_name
        and cls.DESCRIPTOR.fields_by_name["payloadType"].has_default_value
    }
)
"""Payload type to class, read off the default of each message's own `payloadType` field."""

TYPES: Mapping[type[ProtobufMessage], int] = MappingProxyType({cls: n for n, cls in PAYLOAD_CLASSES.items()})
"""Class to payload type: the same table from its other side."""


def payload_type_of(message: ProtobufMessage | type[ProtobufMessage]) -> int:
    """The payload type of a message or of its class.

    Raises:
        KeyError: it is no payload of an envelope (`ProtoOAOrder`, say, or another package's class).
    """
    cls = message if isinstance(message, type) else type(message)
    try:
        return TYPES[cls]
    except KeyError:
        raise KeyError(f"{cls.__name__} has no payload type: it cannot travel in an envelope") from None


def class_of(payload_type: int) -> type[ProtobufMessage] | None:
    """The class for a payload type, or None where the schema does not know it."""
    return PAYLOAD_CLASSES.get(payload_type)


def name_of(payload_type: int) -> str:
    """The published name for a payload type, such as `ProtoOASpotEvent`; `Unknown(9999)` where there is none."""
    cls = PAYLOAD_CLASSES.get(payload_type)
    return cls.__name__ if cls is not None else f"Unknown({payload_type})"
