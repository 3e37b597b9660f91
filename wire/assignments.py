"""Values that a text gives to a name: `token=…` as in the address of a request, `"accessToken": "…"` as in JSON."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from .catalog import SECRET_FIELDS, ends_as_secret, may_be_secret
from .secret_texts import SHORTEST_TOLD

if TYPE_CHECKING:
    from .secret_texts import Allowance, Span

__all__ = ["may_assign", "secret_values"]

_FULL_NAMES: Final = tuple(name.lower() for name in (*SECRET_FIELDS, "password"))
# A colon is one where the name is quoted, or ends as the full ones do (t, n, d). Colons are common, also as bytes of
# what is serialised: so most of them are told by the byte before.
_SIGN: Final = re.compile(rb"=|:(?<=[\"'\stndTND]:)")
# Read backwards from a sign: the colon of `:=`, spaces, the name's quote (in a text within a text behind backslashes).
_NAME_BACKWARDS: Final = re.compile(rb":?\s{0,8}(?P<quote>[\"']?)\\{0,4}(?P<name>[\w.\-\x80-\xff]{1,64})")
_LONGEST_NAME: Final = 80  # bytes before the sign that are looked at: a name of 64, and what stands behind it
# Between quotes or brackets it goes up to the second one, where there is one; else it is a word.
_VALUE: Final = re.compile(
    rb"=?\s{0,8}(?:"
    rb"\"(?P<double>(?:[^\"\\]|\\.)++)\"|"
    rb"'(?P<single>(?:[^'\\]|\\.)++)'|"
    rb"\\{1,4}(?P<mark>[\"'])(?P<escaped>[^\\\"']++)\\{1,4}(?P=mark)|"
    rb"\[(?P<list>[^\[\]]++)\]|"
    rb"\{(?P<object>[^{}]++)\}|"
    rb"\((?P<group>[^()]++)\)|"
    rb"(?:[\\\"']++(?![\])}]))?(?P<word>[^\s&;,\"']++))",
    re.DOTALL,
)
_GROUPS: Final = ("double", "single", "escaped", "list", "object", "group", "word")
_COST: Final = 10  # characters: what a sign takes to be looked at
_BYTE_COST: Final = 2  # bytes of a name that take as much as a character


def secret_values(data: bytes, allowance: Allowance) -> list[Span] | None:
    """Where the values stand whose names tell that they are secret; None if that takes too long.

    Args:
        data: a text, in UTF-8.
        allowance: what it may take.
    """
    found: list[Span] = []
    at = 0
    while (sign := _SIGN.search(data, at)) is not None:
        if not allowance.take(_COST):
            return None
        at = sign.end()
        name, quoted = _name_before(data, sign.start(), allowance)
        is_full = sign[0] == b":" and not quoted
        if not (_is_full(name) if is_full else may_be_secret(name)):
            continue
        if (value := _VALUE.match(data, at)) is not None:
            start, end = next(value.span(group) for group in _GROUPS if value[group] is not None)
            if is_full and end - start < SHORTEST_TOLD:
                continue  # as our own reasons have it: "accessToken: a string is due"
            found.append((start, end))
            at = value.end()
    return found


def may_assign(data: bytes, allowance: Allowance) -> bool:
    """Whether there may be such a value in serialised fields. False is for sure.

    What stands right before a name there (a field's number, its length) may look like a part of it.
    """
    for sign in _SIGN.finditer(data):
        if not allowance.take(_COST):
            return True
        name, quoted = _name_before(data, sign.start(), allowance)
        if _is_full(name) if sign[0] == b":" and not quoted else ends_as_secret(name):
            return True
    return False


def _name_before(data: bytes, end: int, allowance: Allowance) -> tuple[str, bool]:
    """The name ahead of a sign, and whether it is quoted."""
    found = _NAME_BACKWARDS.match(data[max(0, end - _LONGEST_NAME) : end][::-1])
    if found is None:
        return "", False
    name = found["name"]
    allowance.spend(len(name) // _BYTE_COST)
    return name[::-1].decode("utf-8", "replace"), bool(found["quote"])


def _is_full(name: str) -> bool:
    return name.replace("_", "").replace("-", "").lower().endswith(_FULL_NAMES)
