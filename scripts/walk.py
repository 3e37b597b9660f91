"""The walk through the phases: which of them, in what order, on which desk, and what is left when one ends early."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import anyio
import typer

from anyctrader.session import Environment, open_desk
from anyctrader.wire.errors import CTraderError

from .failures import told, traceback_of
from .phase_a import PhaseA
from .phase_b import PhaseB
from .phase_c import PhaseC
from .phase_d import PhaseD
from .stage import Phase, Stage
from .steps import Outcome, Step, StepFailed, StepResult, carry_out_step

if TYPE_CHECKING:
    from collections.abc import Collection

    from .promotion import Promotion
    from .steps import Reporter

__all__ = ["LETTERS", "Walk"]

LETTERS: Final = ("A", "B", "C", "D")

_PHASES: Final[Mapping[str, Callable[[Stage], Phase]]] = MappingProxyType(
    {"A": PhaseA, "B": PhaseB, "C": PhaseC, "D": PhaseD}
)
_CLEAR_S: Final = 60.0


class Walk:
    """One walk.

    Args:
        stage: what it works on.
        report: shows how it goes.
        promotion: results of earlier walks, which are built on and added to; None where none count.
        debug: show the tracebacks of what went wrong.

    Attributes:
        results: of all steps so far.
    """

    def __init__(self, stage: Stage, report: Reporter, *, promotion: Promotion | None, debug: bool = False) -> None:
        self.results: list[StepResult] = []
        self._stage = stage
        self._report = report
        self._promotion = promotion
        self._debug = debug
        self._passed: set[str] = set()

    async def go(self, letters: Collection[str], *, again: bool) -> None:
        """Walks phases, in their order, each only if all before it have passed, now or earlier.

        Args:
            letters: which.
            again: walk also what has passed before; what it builds on still counts.
        """
        for letter in LETTERS:
            before = self._passed_before(letter)
            if letter not in letters:
                self._passed |= {letter} if before is not None else set()
                continue
            if before is not None and not again:
                self._passed.add(letter)
                self._report.phase(letter, _PHASES[letter](self._stage).title)
                detail = f"{self._account(letter)} passed at {before}; --again walks it again"
                self._ended(StepResult(letter, "before", "passed before", Outcome.PASSED, detail))
                continue
            missing = [needed for needed in LETTERS[: LETTERS.index(letter)] if needed not in self._passed]
            phase = _PHASES[letter](self._stage)
            self._report.phase(letter, phase.title)
            results = self._skipped(phase, f"phase {missing[0]} has not passed") if missing else await self._walk(phase)
            if results and all(result.passed for result in results):
                self._passed.add(letter)

    def _account(self, letter: str) -> str:
        """The account whose result a phase's is."""
        environment = Environment.DEMO if letter == "A" else Environment.LIVE
        return f"{environment.value} {self._stage.account_id(environment)}"

    def _passed_before(self, letter: str) -> str | None:
        if self._promotion is None:
            return None
        try:
            return self._promotion.passed_at(self._account(letter), letter)
        except StepFailed:  # that environment is not set up; the phase itself says so
            return None

    async def _walk(self, phase: Phase) -> list[StepResult]:
        results: dict[str, StepResult] = {}
        steps = phase.steps()
        stage, report = self._stage, self._report
        try:
            report.began("opening the desk")
            async with open_desk(phase.settings(), sandbox=stage.sandbox is not None) as desk:
                stage.desk = desk
                if stage.sandbox is not None:
                    for environment in desk.environments:  # left by a sandbox that was ended in the middle of its drill
                        await desk.resume(environment)
                try:
                    for step in steps:
                        report.began(step.title)
                        results[step.name] = await carry_out_step(phase.letter, step, results)
                        self._ended(results[step.name])
                finally:
                    # On Ctrl-C too: what the walk has opened, it does not leave to anybody else.
                    with anyio.CancelScope(shield=True):
                        results["left"] = await self._clear(phase)
                    stage.desk = None
                    self._ended(results["left"])
        except (StepFailed, CTraderError, OSError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            failed = StepResult(phase.letter, "desk", "desk opened", Outcome.FAILED, _why(error), error=error)
            if results:  # it was opened, and could not be closed in order
                failed = StepResult(phase.letter, "desk", "desk closed", Outcome.FAILED, _why(error), error=error)
            results["desk"] = failed
            self._ended(failed)
            if "left" not in results:
                results |= {each.name: each for each in self._skipped(phase, f"'{failed.title}' failed")}
        if self._promotion is not None and "desk" not in results and self._counts(phase, results):
            self._promotion.keep(
                self._account(phase.letter), phase.letter, list(results.values()), began_ms=stage.began_ms
            )
        return list(results.values())

    def _counts(self, phase: Phase, results: Mapping[str, StepResult]) -> bool:
        """Whether this walk of a phase says anything that an earlier pass of it did not."""
        if self._passed_before(phase.letter) is None:
            return True
        permitted = all(results[step.name].passed for step in phase.steps() if step.permits)
        outcomes = {result.outcome for result in results.values()}
        not_now = Outcome.NOT_NOW in outcomes and Outcome.FAILED not in outcomes
        return permitted and not not_now

    async def _clear(self, phase: Phase) -> StepResult:
        async def clear() -> str:
            await phase.clear()
            return ""

        step = Step("left", "nothing left behind", clear, within_s=_CLEAR_S)
        return await carry_out_step(phase.letter, step, {})

    def _skipped(self, phase: Phase, why: str) -> list[StepResult]:
        results = [
            StepResult(phase.letter, step.name, step.title, Outcome.SKIPPED, f"skipped because {why}")
            for step in phase.steps()
        ]
        for result in results:
            self._ended(result)
        return results

    def _ended(self, result: StepResult) -> None:
        self.results.append(result)
        self._report.ended(result)
        if self._debug and result.error is not None:
            typer.echo(traceback_of(result.error), err=True)


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, StepFailed) else told(error)
