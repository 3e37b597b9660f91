"""A text that must not be seen: client secrets, tokens, passwords, user names."""

from __future__ import annotations

import re
from hmac import compare_digest
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Secret", "could_be", "covered", "reads_as"]

_MASK = "***"
_SHORTEST = 6  # characters: a shorter one is found in the middle of innocent words, and so is covered as a word only


class Secret:
    """Holds a text and shows it to nobody who does not ask by name.

    `repr`, `str`, `format` and f-strings give `***`, whatever the format asks for. It cannot be pickled, and
    JSON writers do not know it. Two are equal when their texts are; a plain `str` is never equal to one, so
    that a comparison cannot be made by accident with a text that somebody logs.

    Args:
        text: the text to hold.

    Raises:
        TypeError: `text` is not a `str`; the message names its type only.
    """

    __slots__ = ("_text",)

    _text: str

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"a Secret holds a str, not {type(text).__name__}")
        object.__setattr__(self, "_text", text)

    def reveal(self) -> str:
        """The text itself. Call it where the text is put into a message, and keep no copy."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({_MASK!r})"

    def __str__(self) -> str:
        return _MASK

    def __format__(self, spec: str) -> str:
        # The format is ignored: a width or a precision would be told by the length of what comes out.
        return _MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        # In constant time, so that how long a comparison takes says nothing about how much of it agreed.
        # surrogatepass: an environment variable may hold bytes that are not UTF-8, and they compare too.
        return compare_digest(self._text.encode("utf-8", "surrogatepass"), other._text.encode("utf-8", "surrogatepass"))

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Secret cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a Secret cannot be changed")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is not pickled: it would be written out in the clear")


def covered(text: str, secrets: Iterable[Secret]) -> str:
    """A text with `***` wherever one of these stands in it; one of less than six characters only as a word."""
    for secret in sorted({secret.reveal() for secret in secrets}, key=len, reverse=True):  # one may be part of another
        if len(secret) < _SHORTEST:
            text = re.sub(rf"(?<![^\W_]){re.escape(secret)}(?![^\W_])", _MASK, text)
        else:
            text = text.replace(secret, _MASK)
    return text


def reads_as(recorded: str, text: str, *, mask: Callable[[str], str]) -> bool:
    """Whether a text is what a record shows, in which `mask` may have covered a part of it."""
    return recorded == text or (_MASK in recorded and recorded == mask(text))


def could_be(recorded: str, text: str) -> bool:
    """Whether a text may be what a record shows, whatever `***` covers there: the secrets may be others by now."""
    if _MASK not in recorded:
        return recorded == text
    first, *parts, last = recorded.split(_MASK)
    at, end = len(first), len(text) - len(last)
    if at > end or not (text.startswith(first) and text.endswith(last)):
        return False
    for part in parts:  # no pattern: what a server says must not choose how long one takes
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
