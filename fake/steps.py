"""One thing that is to happen to a running server, and when: as code, a line of text, or a table of a file says it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

__all__ = ["Step", "StepError"]

_TIMES = ("at_s", "for_s")
_COUNTS = ("count", "client")
_WHEN = frozenset(("do", "after", *_TIMES, *_COUNTS))


class StepError(ValueError):
    """A step that makes no sense; the text names it and says why."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do, and when.

    Attributes:
        do: a name of `vocabulary`: a fault such as `drop_after`, or a deed such as `set_price`.
        arguments: what it is told.
        at_s: seconds until it happens: from the start of the script, or from the observation that `after` names.
        after: the name of an observation (`ProtoOANewOrderReq`, `connected`): it happens as soon as that is seen,
            before it is answered. Empty: it waits for nothing.
        count: how often `after` must be seen.
        for_s: how long a fault, a price or a weekend lasts; None for ever, or until it has struck.
        client: the number of the only client that meets a fault; None for all.
    """

    do: str
    arguments: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    at_s: float = 0.0
    after: str = ""
    count: int = 1
    for_s: float | None = None
    client: int | None = None

    def __post_init__(self) -> None:
        for name in _TIMES:
            value = getattr(self, name)
            if value is not None and not 0 <= value < float("inf"):
                raise StepError(f"{self.do}: {name} is {value}, which is no time to come")
        for name in _COUNTS:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise StepError(f"{self.do}: {name} is {value}; it is counted from 1")

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Step:
        """From a table of a scenario file or of the control port: `do`, the when and the arguments, side by side.

        Raises:
            StepError: it says nothing to do, or a time or count that is none.
        """
        do = table.get("do")
        if not isinstance(do, str) or not do:
            raise StepError(f"a step needs something to do: {dict(table)}")
        after = table.get("after", "")
        if not isinstance(after, str):
            raise StepError(f"{do}: after is {after!r}; the name of an observation is due")
        return cls(
            do,
            MappingProxyType({key: value for key, value in table.items() if key not in _WHEN}),
            at_s=_number(table, "at_s", do, float, 0.0),
            after=after,
            count=_number(table, "count", do, int, 1),
            for_s=_number(table, "for_s", do, float, None),
            client=_number(table, "client", do, int, None),
        )

    @classmethod
    def from_text(cls, text: str) -> Step:
        """From a line such as `drop_after nth=3 which=ProtoOAExecutionEvent at_s=5`; quotes as in a shell.

        Raises:
            StepError: it is no such line.
        """
        try:
            first, *rest = shlex.split(text)
        except ValueError:
            raise StepError(f"{text!r} is no step: a name is due, and key=value pairs") from None
        table: dict[str, Any] = {"do": first}
        for pair in rest:
            key, equals, value = pair.partition("=")
            if not equals or not key:
                raise StepError(f"{first}: {pair!r} is no key=value")
            table[key] = value
        return cls.from_table(table)


def _number(table: Mapping[str, Any], name: str, do: str, kind: type[Any], default: Any) -> Any:
    value = table.get(name, default)
    if value is default:
        return default
    try:
        if isinstance(value, bool):
            raise ValueError
        return kind(str(value))
    except ValueError:
        raise StepError(f"{do}: {name} is {value!r}; a number is due") from None
