"""What callers hand in, checked where they do: a wrong kind shall not come out later as a fault of ours."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from ..wire import UnknownPayload
from ..wire.messages import payload_type_of

if TYPE_CHECKING:
    from types import UnionType

__all__ = ["check_kind", "check_payload", "check_word"]

_SHOWN = 60  # characters of a value in an error: enough to recognise it


def check_word(name: str, value: object, words: type[enum.Enum]) -> None:
    """A member of an enum of ours.

    Raises:
        TypeError: it is none; the text names argument, value and what is allowed.
    """
    if not isinstance(value, words):
        allowed = ", ".join(f"{words.__name__}.{member.name}" for member in words)
        raise TypeError(f"{name}: {_shown(value)} is refused: it is one of {allowed}")


def check_kind(name: str, value: object, kind: type | UnionType, *, shown: bool = True) -> None:
    """An object of a kind.

    Args:
        name: of the argument.
        value: of the argument.
        kind: what it must be.
        shown: whether an error may show the value; a secret that landed in the wrong place must not be.

    Raises:
        TypeError: it is of another; the text names argument, value (or its type) and what is allowed.
    """
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        said = f"{_shown(value)} ({type(value).__name__})" if shown else f"a {type(value).__name__}"
        raise TypeError(f"{name}: {said} is refused: it is {_names_of(kind)}")


def check_payload(value: Any) -> None:
    """A message that can be asked for: one of the schema, or the bytes of one that it does not know.

    Raises:
        TypeError: it is something else; the text names its type.
    """
    try:
        known = isinstance(value, UnknownPayload) or payload_type_of(value) > 0
    except (KeyError, TypeError):
        known = False
    if not known or isinstance(value, type):
        said = value.__name__ if isinstance(value, type) else type(value).__name__
        what = "the class" if isinstance(value, type) else "a"
        raise TypeError(f"payload: {what} {said} is refused: it is a request's message, such as oa.ProtoOATraderReq()")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _names_of(kind: type | UnionType) -> str:
    kinds: tuple[type, ...] = (kind,) if isinstance(kind, type) else kind.__args__
    names = ["None" if each is type(None) else each.__name__ for each in kinds]
    article = "an" if names[0][0] in "AEIOUaeiou" else "a"
    return " or ".join([f"{article} {names[0]}", *names[1:]])
