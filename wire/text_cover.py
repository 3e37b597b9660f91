"""Texts, and JSON that no schema describes, with what is secret in them covered; within a bound of time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from .assignments import may_assign, secret_values
from .catalog import may_be_secret
from .secret_texts import SHORTEST, Allowance

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .json_fields import Path
    from .secret_texts import SecretTexts, Span

__all__ = ["MASK", "MOST_LOOKED_AT", "TextCover"]

MASK: Final = "***"
"""What stands in the place of a secret."""

MOST_LOOKED_AT: Final = 1 << 20
"""Characters of one message, 32 more for each text: half a second's work at worst. A list of all symbols has half."""

_Level: TypeAlias = tuple["Iterator[Any]", "list[Any] | dict[str, Any]", int]  # what is left, its copy, its size
_PLAIN: Final = frozenset({int, float, bool, type(None)})
_TEXT_COST: Final = 32  # characters: what a text costs beside its own
_MET_COST: Final = 512  # likewise, a new secret
_PART_COST: Final = 8  # likewise, a list or object
_MASKED: Final = MASK.encode()
# What stands beside a secret, and nobody knows what it is: remembered where it looks like those that servers make.
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]{16,}")
_FEWEST_LETTERS: Final = 8
_LONGEST_NAME: Final = 256  # characters: what is longer is no name


class TextCover:
    """Covers what is secret in the texts of one message, and remembers what it meets.

    Args:
        texts: what is known to be secret.

    Attributes:
        changed: whether anything was covered.
    """

    __slots__ = ("_allowance", "_texts", "changed")

    def __init__(self, texts: SecretTexts) -> None:
        self.changed = False
        self._texts = texts
        self._allowance = Allowance(MOST_LOOKED_AT)

    def text(self, text: str) -> str:
        """A text with every secret in it covered; covered whole where there is no time to look at it."""
        if not self._allowance.take(len(text) + _TEXT_COST):
            return self._left_out(len(text), "characters")
        covered = text
        if len(text) >= SHORTEST or "=" in text or ":" in text:
            data = text.encode("utf-8", "surrogatepass")
            spans = self._spans(data)
            if spans is None:
                return self._left_out(len(text), "characters")
            if spans:
                covered = _covered(data, spans)
        covered = self._texts.without_words(covered, MASK)
        if covered != text:
            self.changed = True
        return covered

    def goes_on(self) -> bool:
        """Whether there is time for another part of a list; else the rest of it is to be left out."""
        self._allowance.spend(_PART_COST)
        self.changed |= self._is_spent
        return not self._is_spent

    def may_hold(self, data: bytes) -> bool:
        """Whether there may be a secret in serialised fields. False is for sure."""
        return self._texts.may_be_in(data) or may_assign(data, Allowance(MOST_LOOKED_AT))

    def holds(self, data: bytes) -> bool:
        """Whether there is a secret in the bytes of a field that nobody describes."""
        if not self._allowance.take(len(data) + _TEXT_COST):
            return True
        return self._texts.may_be_in(data) or self._values(data) != []

    def json(self, root: Any) -> Any:
        """A value of JSON, at any depth: members are covered for their names too, and of too many the last left out."""
        done: list[Any] = []
        levels: list[_Level] = [(iter((root,)), done, 1)]
        while levels:
            items, target, size = levels[-1]
            copy: Any = self._object if isinstance(target, dict) else self._list
            inner = copy(items, target, size)
            if inner is None:
                levels.pop()
            else:
                levels.append(inner)
        return done[0]

    def _list(self, items: Iterator[Any], target: list[Any], size: int) -> _Level | None:
        """Copies a list up to the next list or object in it, which is given back."""
        for item in items:
            if type(item) in _PLAIN:
                target.append(item)
            elif self._is_spent:
                target.append(self._left_out(size - len(target), "items"))
                break
            elif isinstance(item, list | dict):
                inner = self._begun(item)
                target.append(inner[1])
                return inner
            else:
                target.append(self.text(item) if isinstance(item, str) else item)
        return None

    def _object(self, items: Iterator[tuple[str, Any]], target: dict[str, Any], size: int) -> _Level | None:
        """Copies an object likewise."""
        for name, value in items:
            if self._is_spent:
                target[MASK] = self._left_out(size - len(target), "members")
                break
            shown = self.text(name)
            if _tells_secret(name):
                target[shown] = self.hidden(value)
            elif isinstance(value, list | dict):
                inner = self._begun(value)
                target[shown] = inner[1]
                return inner
            else:
                target[shown] = self.text(value) if isinstance(value, str) else value
        return None

    def hidden(self, value: Any) -> Any:
        """What stands for a value that is secret by its name; the texts in it are remembered."""
        waiting = [value]
        while waiting:
            item = waiting.pop()
            if self._is_spent:
                break
            self._allowance.spend(_PART_COST)
            if isinstance(item, str):
                self._met(item)
            elif isinstance(item, list | dict):
                waiting.extend(item.values() if isinstance(item, dict) else item)
        if value is None or value == MASK:
            return value
        self.changed = True
        return MASK

    def members(self, members: Mapping[Path, Any], *, bearer: bool) -> dict[Path, Any]:
        """Members that no schema describes, by their paths.

        Args:
            members: they.
            bearer: whether they stand beside a secret: then all of them are covered.
        """
        shown: dict[Path, Any] = {}
        for path, value in members.items():
            if self._is_spent:
                shown[MASK,] = self._left_out(len(members) - len(shown), "members")
                break
            place = tuple(self.text(step) if isinstance(step, str) else step for step in path)
            if any(isinstance(step, str) and _tells_secret(step) for step in path):
                shown[place] = self.hidden(value)
            elif bearer:
                if isinstance(value, str):
                    self.suspect(value)
                self.changed |= value != MASK
                shown[place] = MASK
            else:
                shown[place] = self.json(value)
        return shown

    def suspect(self, text: str) -> None:
        """A text beside a secret, which may be another one, or an ordinary word."""
        if _TOKEN.fullmatch(text) and len(set(text)) >= _FEWEST_LETTERS:
            self._met(text)

    def _met(self, text: str) -> None:
        if not self._is_spent and self._texts.remember(text, told=False):
            self._allowance.spend(_MET_COST)

    @property
    def _is_spent(self) -> bool:
        return self._allowance.left < _TEXT_COST

    def _begun(self, value: list[Any] | dict[str, Any]) -> _Level:
        self._allowance.spend(_PART_COST)
        if isinstance(value, dict):
            return iter(value.items()), {}, len(value)
        return iter(value), [], len(value)

    def _left_out(self, many: int, what: str) -> str:
        self.changed = True
        return f"{MASK} ({many:,} {what}, not looked at)"

    def _spans(self, data: bytes) -> list[Span] | None:
        """What is to be covered in a text; None where that takes too long to find."""
        values = self._values(data)
        if values is None or not self._texts.may_be_in(data):
            return values
        known = self._texts.spans(data, self._allowance)
        return None if known is None else sorted((*values, *known))

    def _values(self, data: bytes) -> list[Span] | None:
        """The values in it whose names tell that they are secret; they are remembered."""
        spans = secret_values(data, self._allowance)
        if not spans:
            return spans
        found = []
        for start, end in spans:
            value = data[start:end].decode("utf-8", "replace")
            if value.strip("*"):
                self._met(value)
                found.append((start, end))
        return found


def _covered(data: bytes, spans: Iterable[Span]) -> str:
    """A text with these parts of it covered, those that overlap by one mask."""
    parts: list[bytes] = []
    at = 0  # up to which it is written, or covered
    for start, end in spans:
        if start > at or not parts:
            parts += (data[at:start], _MASKED)
        at = max(at, end)
    return b"".join((*parts, data[at:])).decode("utf-8", "surrogatepass")


def _tells_secret(name: str) -> bool:
    return len(name) > _LONGEST_NAME or may_be_secret(name)
