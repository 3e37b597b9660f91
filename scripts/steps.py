"""Steps that are checked one after the other, each with its result: passed, failed, not now, or skipped and why."""

from __future__ import annotations

import enum
import time
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import anyio

from .failures import told

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

__all__ = ["NotNow", "Outcome", "Reporter", "Step", "StepFailed", "StepResult", "carry_out_step", "known"]

T = TypeVar("T")

_WITHIN_S: Final = 60.0  # what a step may take where it does not say: a handful of requests of 10 s at most each


class Outcome(enum.Enum):
    """How a step ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_NOW = "not now"
    """It cannot be checked at this time: the market is closed, say. Nothing is wrong."""
    SKIPPED = "skipped"
    """It was not tried, since a step that it builds on did not pass."""


class StepFailed(Exception):
    """What was looked at is not as it must be; the text says how."""


class NotNow(Exception):
    """It cannot be checked at this time; the text says why."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something to check.

    Attributes:
        name: a word, unique in its phase.
        title: what is checked, for people.
        check: does it; gives what was found, with its figures.
        needs: names of steps of the same phase that it builds on.
        within_s: seconds that it may take; None where *check* sets its own deadlines.
        permits: whether it only asks if the phase may be walked: where it does not pass, nothing was tried.
    """

    name: str
    title: str
    check: Callable[[], Awaitable[str]]
    needs: tuple[str, ...] = ()
    within_s: float | None = _WITHIN_S
    permits: bool = False


@dataclass(frozen=True, slots=True)
class StepResult:
    """What came of a step.

    Attributes:
        phase: the letter of its phase.
        name: of the step.
        title: of the step.
        outcome: how it ended.
        detail: what was found, or why it did not pass.
        seconds: how long it took.
        error: what was raised, for those who want a traceback.
    """

    phase: str
    name: str
    title: str
    outcome: Outcome
    detail: str
    seconds: float = 0.0
    error: Exception | None = field(default=None, repr=False, compare=False)

    @property
    def passed(self) -> bool:
        """Whether it did."""
        return self.outcome is Outcome.PASSED


class Reporter(Protocol):
    """Whoever shows how the steps go."""

    def phase(self, letter: str, title: str) -> None:
        """A phase begins."""

    def began(self, title: str) -> None:
        """A step begins."""

    def progress(self, text: str) -> None:
        """What the present step is at."""

    def ended(self, result: StepResult) -> None:
        """A step has ended, or was skipped."""


def known(value: T | None, what: str) -> T:
    """Something that an earlier step, or the server, must have left.

    Raises:
        StepFailed: it is not there.
    """
    if value is None:
        raise StepFailed(f"{what} is not known")
    return value


async def carry_out_step(phase: str, step: Step, earlier: Mapping[str, StepResult]) -> StepResult:
    """Checks one step; never raises on account of what it finds.

    Args:
        phase: the letter of its phase.
        step: the step.
        earlier: results of the steps of its phase so far, by name.
    """
    for name in step.needs:
        before = earlier.get(name)
        if before is None or not before.passed:
            what = f"'{before.title}' {_DID[before.outcome]}" if before is not None else f"{name} was not tried"
            return StepResult(phase, step.name, step.title, Outcome.SKIPPED, f"skipped because {what}")
    began_s = time.monotonic()
    error: Exception | None = None
    try:
        with anyio.fail_after(step.within_s):
            detail = await step.check()
        outcome = Outcome.PASSED
    except NotNow as not_now:
        outcome, detail = Outcome.NOT_NOW, f"not now: {not_now}"
    except StepFailed as failed:
        outcome, detail = Outcome.FAILED, str(failed)
    except BrokenPipeError:
        raise  # not the step's doing: nobody reads the results any more
    except Exception as unexpected:  # whatever it is, this step did not pass, and the others still must be told of
        outcome, detail, error = Outcome.FAILED, told(unexpected), unexpected
    return StepResult(phase, step.name, step.title, outcome, detail, time.monotonic() - began_s, error)


_DID: Final = MappingProxyType(
    {Outcome.FAILED: "failed", Outcome.NOT_NOW: "cannot be checked now", Outcome.SKIPPED: "was skipped"}
)
