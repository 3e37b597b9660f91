"""Values that a text gives to a name, as the address of an HTTP request does: `token=…`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .catalog import ends_as_secret, may_be_secret

if TYPE_CHECKING:
    from .secret_texts import Allowance, Span

__all__ = ["may_assign", "secret_values"]

_NAME_BACKWARDS: Final = re.compile(rb"[\w.\-\x80-\xff]+")
_VALUE: Final = re.compile(rb"[^\s&;,\"']+")
_LONGEST_NAME: Final = 64  # bytes before the sign that are looked at
_COST: Final = 8  # characters: what a sign takes to be looked at


def secret_values(data: bytes, allowance: Allowance) -> list[Span] | None:
    """Where the values stand whose names tell that they are secret; None if that takes too long.

    Args:
        data: a text, in UTF-8.
        allowance: what it may take.
    """
    found: list[Span] = []
    at = 0
    while (sign := data.find(b"=", at)) >= 0:
        if not allowance.take(_COST):
            return None
        at = sign + 1
        if may_be_secret(_name_before(data, sign)) and (value := _VALUE.match(data, at)) is not None:
            found.append(value.span())
            at = value.end()
    return found


def may_assign(data: bytes, allowance: Allowance) -> bool:
    """Whether there may be such a value in serialised fields. False is for sure.

    What stands right before a name there (a field's number, its length) may look like a part of it.
    """
    sign = data.find(b"=")
    while sign >= 0:
        if not allowance.take(_COST) or ends_as_secret(_name_before(data, sign)):
            return True
        sign = data.find(b"=", sign + 1)
    return False


def _name_before(data: bytes, end: int) -> str:
    name = _NAME_BACKWARDS.match(data[max(0, end - _LONGEST_NAME) : end][::-1])
    return name[0][::-1].decode("utf-8", "replace") if name is not None else ""
