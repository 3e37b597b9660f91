"""Where in a value of JSON there is what JSON does not have: a number that is not finite, a string that is no text."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .json_fields import Path

__all__ = ["fault_within"]

_NO_TEXT: Final = "no text: bytes that are not UTF-8, or half a surrogate pair"
# A key of a peer's is shown if it looks like the name of a field: letters, two digits at most. No token does.
_NAME: Final = re.compile(r"[A-Za-z_]{1,40}[0-9]{0,2}")
_MOST_STEPS: Final = 12  # of a path that are shown


def fault_within(value: dict[str, Any]) -> str | None:
    """What the first such thing is, and where, as in `payload.newField.0: no finite number`; None where there is none.

    Without recursion: a value may be nested more deeply than Python goes.

    Args:
        value: members of numbers, strings, booleans, None, lists, and dicts by strings.
    """
    steps: list[str | int] = []
    levels = [_members(value)]
    while levels:
        step, item = next(levels[-1], (None, None))
        if step is None:
            levels.pop()
            del steps[-1:]  # none is left of the outermost
            continue
        problem = _problem(step) or _problem(item)
        if problem is not None:
            return _told((*steps, step), problem)
        if isinstance(item, dict | list):
            steps.append(step)
            levels.append(_members(item))
    return None


def _members(value: dict[str, Any] | list[Any]) -> Iterator[tuple[str | int, Any]]:
    return iter(value.items()) if isinstance(value, dict) else enumerate(value)


def _problem(value: Any) -> str | None:
    if isinstance(value, float):
        return None if math.isfinite(value) else "no finite number"
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return _NO_TEXT
    return None


def _told(path: Path, problem: str) -> str:
    steps = [str(step) if isinstance(step, int) or _NAME.fullmatch(step) else "…" for step in path[:_MOST_STEPS]]
    return f"{'.'.join(steps)}{'…' if len(path) > _MOST_STEPS else ''}: {problem}"
