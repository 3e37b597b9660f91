"""The fields of serialised protobuf bytes without any schema: numbers, wire types, values.

For what nobody has a class for: payloads of types that the schema does not know, and bytes that are not yet known to
be a message at all.
"""

from __future__ import annotations

import struct
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from .drift import UnknownField

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["WIRE_TYPES", "raw_fields"]

_VARINT, _EIGHT, _BYTES, _GROUP, _END, _FOUR = range(6)
_SEVEN, _MORE = 0x7F, 0x80
_LONGEST_VARINT = 10  # bytes: 64 bits in groups of seven
_DEEPEST = 32  # groups in groups; nobody has sent one since proto1

WIRE_TYPES: Final[Mapping[int, str]] = MappingProxyType(
    {_VARINT: "varint", _EIGHT: "64-bit", _BYTES: "length-delimited", _GROUP: "group", _FOUR: "32-bit"}
)
"""What people call protobuf's wire types."""


def raw_fields(data: bytes, path: str, *, most: int | None = None) -> list[UnknownField]:
    """Every field in serialised bytes, in the order in which they stand.

    Args:
        data: the bytes of one message.
        path: what it is part of; the paths of its fields begin with it.
        most: no more of them than so many, nor of a group's: what is behind them is not looked at. None for all.

    Raises:
        ValueError: the bytes are no protobuf message.
    """
    return _fields(data, 0, path, group=None, depth=0, most=len(data) if most is None else most)[0]


def _fields(
    data: bytes, at: int, path: str, *, group: int | None, depth: int, most: int
) -> tuple[list[UnknownField], int]:
    if depth > _DEEPEST:
        raise ValueError("groups are nested too deep")
    found: list[UnknownField] = []
    while at < len(data) and (group is not None or len(found) < most):
        tag, at = _varint(data, at)
        number, wire_type = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise ValueError(f"{number} is no field number")
        if wire_type == _END:
            if number != group:
                raise ValueError("a group ends that did not begin")
            return found, at
        step = f"{path}.{number}"
        value: int | bytes | tuple[UnknownField, ...]
        if wire_type == _VARINT:
            value, at = _varint(data, at)
        elif wire_type == _GROUP:
            inner, at = _fields(data, at, step, group=number, depth=depth + 1, most=most)
            value = tuple(inner)
        elif wire_type == _BYTES:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        elif wire_type == _EIGHT:
            value, at = _fixed("<Q", data, at)
        elif wire_type == _FOUR:
            value, at = _fixed("<I", data, at)
        else:
            raise ValueError(f"{wire_type} is no wire type")
        if at > len(data):
            raise ValueError("a field is longer than its message")
        if len(found) < most:  # a group is read to its end all the same
            found.append(UnknownField(step, number, wire_type, value))
    if group is not None:
        raise ValueError("a group does not end")
    return found, at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(_LONGEST_VARINT):
        if at >= len(data):
            raise ValueError("a number is cut off")
        byte = data[at]
        at += 1
        value |= (byte & _SEVEN) << (7 * place)
        if byte < _MORE:
            return value, at
    raise ValueError("a number is longer than 64 bits")


def _fixed(form: str, data: bytes, at: int) -> tuple[int, int]:
    end = at + struct.calcsize(form)
    if end > len(data):
        raise ValueError("a number is cut off")
    return struct.unpack_from(form, data, at)[0], end
