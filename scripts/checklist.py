"""How steps are shown: ticks for people, a JSON object a line for programs."""

from __future__ import annotations

import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from .steps import Outcome
from .terminal import can_show, escaped, is_terminal, print_json, print_line

if TYPE_CHECKING:
    from rich.status import Status

    from .steps import StepResult

__all__ = ["JsonChecklist", "TextChecklist"]

_MARKS: Final = MappingProxyType({Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.NOT_NOW: "…", Outcome.SKIPPED: "-"})
_WORDS: Final = MappingProxyType(
    {Outcome.PASSED: "ok", Outcome.FAILED: "FAILED", Outcome.NOT_NOW: "not now", Outcome.SKIPPED: "skipped"}
)
_COLOURS: Final = MappingProxyType(
    {Outcome.PASSED: "32", Outcome.FAILED: "31", Outcome.NOT_NOW: "33", Outcome.SKIPPED: "33"}
)
_INDENT: Final = "    "


class TextChecklist:
    """A line a step with its tick, and below it what was found. On a terminal, the step at work is shown too."""

    def __init__(self) -> None:
        self._marks = _MARKS if can_show("".join(_MARKS.values())) else _WORDS
        self._terminal = is_terminal()
        self._status: Status | None = None
        self._title = ""
        self._first = True
        self._last_detail = ""

    def phase(self, letter: str, title: str) -> None:
        """A heading."""
        if not self._first:
            print_line()
        self._first = False
        self._last_detail = ""
        print_line(f"{letter}  {title}", hanging="   ")

    def began(self, title: str) -> None:
        """Shows that it is at work, where somebody watches."""
        self.close()
        self._title = title
        if self._terminal:
            from rich.console import Console
            from rich.status import Status

            self._status = Status(title, console=Console(file=sys.stdout, highlight=False, markup=False))
            self._status.start()

    def progress(self, text: str) -> None:
        """Shows what it is at, where somebody watches."""
        if self._status is not None:
            self._status.update(f"{self._title}: {text}")

    def ended(self, result: StepResult) -> None:
        """The tick, or the reason for none."""
        self.close()
        mark = self._marks[result.outcome]
        took = f"  ({result.seconds:.1f} s)" if result.seconds >= 1 else ""
        print_line(f"{result.title}{took}", indent=f"  {mark} ", hanging=_INDENT, colour=_COLOURS[result.outcome])
        if result.detail and not (result.outcome is Outcome.SKIPPED and result.detail == self._last_detail):
            print_line(escaped(result.detail), indent=_INDENT)
        self._last_detail = result.detail

    def close(self) -> None:
        """Takes away what shows the step at work."""
        if self._status is not None:
            self._status.stop()
            self._status = None


class JsonChecklist:
    """A JSON object for each step."""

    def phase(self, letter: str, title: str) -> None:
        """Nothing: each step says its phase."""

    def began(self, title: str) -> None:
        """Nothing: only results are written."""

    def progress(self, text: str) -> None:
        """Nothing."""

    def ended(self, result: StepResult) -> None:
        """A line."""
        print_json(
            {
                "phase": result.phase,
                "step": result.name,
                "title": result.title,
                "result": result.outcome.value,
                "detail": result.detail,
                "seconds": round(result.seconds, 3),
            }
        )

    def close(self) -> None:
        """Nothing to take away."""
