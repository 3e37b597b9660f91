"""`anyctrader runbook`: the promotion from demo to live, phase by phase, each step checked."""

from __future__ import annotations

import anyctrader.scripts.early  # noqa: F401  # ahead of all that may fail

import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from anyctrader.scripts.checklist import JsonChecklist, TextChecklist
from anyctrader.scripts.failures import carry_out
from anyctrader.scripts.opening import settings_of_all
from anyctrader.scripts.options import (
    DebugOption,
    EnvFileOption,
    ExitCode,
    Format,
    FormatOption,
    SandboxOption,
    alone,
)
from anyctrader.scripts.promotion import Promotion, PromotionUnreadable
from anyctrader.scripts.prompt import Prompt
from anyctrader.scripts.signals import LastWord, until_signalled
from anyctrader.scripts.stage import REAL, SCALED, Stage
from anyctrader.scripts.steps import Outcome
from anyctrader.scripts.terminal import can_answer, drop_stdout, print_json, print_line, remark
from anyctrader.scripts.walk import LETTERS, Walk
from anyctrader.session import clock

if TYPE_CHECKING:
    from pathlib import Path

    from anyctrader.scripts.steps import StepResult

__all__ = ["runbook", "told_of_interruption"]

_SHORTEST_SOAK_MIN = 30
_OLDEST_MS = 6 * 86_400_000  # servers may refuse to list more than a week (docs/protocol.md section 12)
_TAKING_BACK = "interrupted: taking back what is open. Once more, after a second, ends it at once, and leaves that open"
_LEFT_OPEN = LastWord("ended at once: what was open may still be; look at the account")
_FILES = (
    "order_audit.jsonl",
    "position_snapshot.jsonl",
    "demo_connection.log",
    "live_connection.log",
    "runbook.json",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    sandbox: bool
    letters: tuple[str, ...]
    again: bool
    symbol: str
    soak_min: float
    output: Format
    env_file: Path | None
    debug: bool


def runbook(
    sandbox: SandboxOption = False,
    phase: Annotated[
        list[str] | None, typer.Option("--phase", metavar="A|B|C|D", help="Only this phase; may be given repeatedly.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Walk phases again that have passed before.")] = False,
    symbol: Annotated[str, typer.Option(metavar="NAME", help="What is traded, as the broker writes it.")] = "EURUSD",
    soak: Annotated[
        float, typer.Option(metavar="MINUTES", min=_SHORTEST_SOAK_MIN, help="Length of the heartbeat soak.")
    ] = _SHORTEST_SOAK_MIN,
    output: FormatOption = Format.TEXT,
    env_file: EnvFileOption = None,
    debug: DebugOption = False,
) -> None:
    """Walks the promotion from demo to live, step by step.

    A: the demo account, from its token to a record of every order. B: live beside it, read-only. C: one smallest order
    on live; asks for the account id. D: records of every trade, and a rollback drill. B needs A passed for these
    accounts, C needs A and B, D needs all three; earlier results count. Exits 0 only if every step passed.

    Example: anyctrader runbook --sandbox
    """
    letters = tuple(dict.fromkeys(letter.upper() for letter in phase or LETTERS))
    unknown = [letter for letter in letters if letter not in LETTERS]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]!r} is not one of A, B, C, D.", param_hint="--phase")
    if sandbox and phase:
        raise typer.BadParameter("a sandbox begins anew each time: all phases are walked.", param_hint="--phase")
    plan = _Plan(
        sandbox=sandbox,
        letters=letters,
        # A phase that is asked for by name is walked, whatever came of it before.
        again=again or bool(phase),
        symbol=symbol,
        soak_min=soak,
        output=output,
        env_file=env_file,
        debug=debug,
    )
    carry_out(partial(_runbook, plan), debug=debug)


async def _runbook(plan: _Plan) -> ExitCode:
    report = JsonChecklist() if plan.output is Format.JSON else TextChecklist()
    began_ms = clock.utc_ms()
    async with AsyncExitStack() as stack:
        try:
            stage, promotion = await _prepare(plan, report, stack)
        except PromotionUnreadable as error:
            remark(str(error))
            return ExitCode.NO
        walk = Walk(stage, report, promotion=promotion, debug=plan.debug)
        try:
            async with until_signalled(said=_TAKING_BACK, last_word=_LEFT_OPEN) as interruption:
                await walk.go(plan.letters, again=plan.again)
        except BrokenPipeError:  # nobody reads on; what was open is closed, but not everything was walked
            drop_stdout()
            return ExitCode.NO
        finally:
            report.close()
    if interruption.signal is not None:
        remark(told_of_interruption(walk.results))
    complete = interruption.signal is None and all(result.passed for result in walk.results)
    _end(plan, walk.results, stage.settings.log_folder, complete=complete, took_s=(clock.utc_ms() - began_ms) / 1000)
    return ExitCode.DONE if complete else ExitCode.NO


async def _prepare(
    plan: _Plan, report: TextChecklist | JsonChecklist, stack: AsyncExitStack
) -> tuple[Stage, Promotion | None]:
    if plan.sandbox:
        from anyctrader.scripts.sandbox import open_sandbox

        sandbox = await stack.enter_async_context(open_sandbox(scale=SCALED.scale))
        settings = sandbox.settings(live_enabled=False)
        stage = Stage(
            settings=settings,
            symbol=plan.symbol,
            pace=SCALED,
            confirm=_nobody,
            progress=report.progress,
            sandbox=sandbox,
        )
        return stage, None
    settings = settings_of_all(plan.env_file)
    promotion = Promotion(settings.log_folder)
    stage = Stage(
        settings=settings,
        symbol=plan.symbol,
        pace=replace(REAL, soak_s=plan.soak_min * 60),
        confirm=partial(_ask, report),
        progress=report.progress,
    )
    stage.since_ms = _since_ms(stage, promotion)
    return stage, promotion


def _since_ms(stage: Stage, promotion: Promotion) -> int:
    """When the earliest phase that counts began."""
    began = [stage.began_ms]
    for environment, part in stage.settings.environments.items():
        for letter in LETTERS:
            at_ms = promotion.began_ms(f"{environment.value} {part.credentials.account_id}", letter)
            began += [at_ms] if at_ms is not None else []
    return max(min(began), stage.began_ms - _OLDEST_MS)


async def _nobody() -> str | None:
    return None


async def _ask(report: TextChecklist | JsonChecklist) -> str | None:
    """What the person at the terminal types; None where there is none."""
    if not can_answer():
        return None
    report.close()

    def ask() -> None:
        sys.stderr.write("Real orders follow on live. Type the id of the live account to go on: ")
        sys.stderr.flush()

    return await Prompt().line(ask)


def _end(plan: _Plan, results: list[StepResult], folder: Path, *, complete: bool, took_s: float) -> None:
    count = {outcome: sum(result.outcome is outcome for result in results) for outcome in Outcome}
    files = [folder / name for name in _FILES if (folder / name).exists()]
    if plan.output is Format.JSON:
        print_json(
            {
                "result": "passed" if complete else "not now" if _only_not_now(count) else "failed",
                **{outcome.value.replace(" ", "_"): number for outcome, number in count.items()},
                "seconds": round(took_s, 1),
                "files": [str(file) for file in files],
            }
        )
        return
    print_line()
    if complete:
        print_line(f"All {count[Outcome.PASSED]} steps passed, in {took_s:.0f} s.")
    else:
        told = [f"{number} {outcome.value}" for outcome, number in count.items() if number]
        print_line(("Not now: " if _only_not_now(count) else "Not passed: ") + ", ".join(told) + ".")
    if files:
        print_line("Files:")
    for file in files:
        print_line(str(file), indent="  ", hanging="    ")


def told_of_interruption(results: list[StepResult]) -> str:
    """What a person who interrupted the walk must know of what was open."""
    cleared = [result for result in results if result.name == "left"]
    if not cleared:
        return "interrupted before anything was opened"
    if all(result.passed for result in cleared):
        return "interrupted: what was open has been taken back"
    return "interrupted, and something may still be open: the lines above say what; look at the account"


def _only_not_now(count: dict[Outcome, int]) -> bool:
    return bool(count[Outcome.NOT_NOW]) and not count[Outcome.FAILED]


if __name__ == "__main__":
    alone(runbook)
