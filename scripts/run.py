"""`anyctrader run`: holds demo and live up, and shows how they are."""

from __future__ import annotations

import anyctrader.scripts.early  # noqa: F401  # ahead of all that may fail

import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import anyio
import typer

from anyctrader.scripts.failures import carry_out, code_of, told
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
from anyctrader.scripts.signals import until_signalled
from anyctrader.scripts.terminal import ResultsLost, drop_stdout, escaped, is_terminal, print_json, print_line, remark
from anyctrader.session import Environment, SessionState, open_desk
from anyctrader.session.chain import iso_ms
from anyctrader.wire import messages as oa
from anyctrader.wire.errors import CTraderError

if TYPE_CHECKING:
    from pathlib import Path

    from anyctrader.session import Desk

__all__ = ["run"]

_ROUND_TRIP_EACH_S = 15.0  # rarely enough for heartbeats to leave in between
_DRAW_EACH_S = 0.25
_LOOK_EACH_S = 0.5  # a halt is a file: somebody else's is seen by looking


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    sandbox: bool
    seconds: float | None
    output: Format
    env_file: Path | None


def run(
    sandbox: SandboxOption = False,
    seconds: Annotated[
        float | None, typer.Option(metavar="N", min=0, help="End by itself after so many seconds.")
    ] = None,
    output: FormatOption = Format.TEXT,
    env_file: EnvFileOption = None,
    debug: DebugOption = False,
) -> None:
    """Holds demo and live up and shows their state.

    In a terminal the state is drawn as it changes; in a pipe, and with --format json, each change is a line. It writes
    the connection logs, the order audit and the position snapshots, and ends on Ctrl-C.

    Example: anyctrader run --sandbox
    """
    carry_out(
        partial(_run, _Plan(sandbox=sandbox, seconds=seconds, output=output, env_file=env_file)),
        debug=debug,
    )


async def _run(plan: _Plan) -> ExitCode:
    async with AsyncExitStack() as stack:
        if plan.sandbox:
            from anyctrader.scripts.sandbox import open_sandbox

            settings = (await stack.enter_async_context(open_sandbox())).settings(live_enabled=False)
        else:
            settings = settings_of_all(plan.env_file)
        watch = _Watch(plan)
        if plan.output is Format.TEXT:
            remark(f"opening {' and '.join(environment.value for environment in settings.environments)}")
        async with until_signalled():
            with anyio.move_on_after(plan.seconds):
                async with open_desk(settings, sandbox=plan.sandbox) as desk:
                    await watch.show(desk)
        watch.end(settings.log_folder)
    return watch.code


class _Watch:
    """Follows a desk, and writes what it sees."""

    def __init__(self, plan: _Plan) -> None:
        self.code = ExitCode.DONE
        self._plan = plan
        self._drawn = plan.output is Format.TEXT and is_terminal()
        self._unread = False
        self._round_trips: dict[Environment, float | None] = {}

    async def show(self, desk: Desk) -> None:
        """Shows it until cancelled, until nobody reads any more, or until no environment is left that could come up."""
        async with anyio.create_task_group() as tasks:
            for environment in desk.environments:
                tasks.start_soon(self._time, desk, environment)
                if not self._drawn:
                    tasks.start_soon(self._tell, desk, environment)
            if self._drawn:
                tasks.start_soon(self._draw, desk)
            await self._until_over(desk)
            tasks.cancel_scope.cancel()

    def end(self, folder: Path) -> None:
        """The last line, if somebody reads it."""
        if self._unread:
            drop_stdout()
        elif self._plan.output is Format.JSON:
            print_json({"ended": True, "folder": str(folder)})
        else:
            print_line(f"Ended. The logs, the order audit and the position snapshots are in {folder}.")

    async def _until_over(self, desk: Desk) -> None:
        """Returns once nobody reads, or every environment was refused or crashed: no waiting brings those back."""
        while not self._unread:
            gone = [
                environment
                for environment in desk.environments
                if desk.failure(environment) is not None
                or desk.session(environment).state in (SessionState.REFUSED, SessionState.CLOSED)
            ]
            if len(gone) == len(desk.environments):
                codes = set()
                for environment in gone:
                    failure = desk.failure(environment) or desk.session(environment).failure
                    why = told(failure) if failure is not None else escaped(desk.session(environment).reason)
                    remark(f"{environment.value}: {why}")
                    codes.add(code_of(failure) if failure is not None else ExitCode.NO_CONNECTION)
                self.code = min(codes)  # the one that a person can do something about before another try
                return
            await anyio.sleep(_LOOK_EACH_S)

    async def _time(self, desk: Desk, environment: Environment) -> None:
        """Times a small request now and then."""
        session = desk.session(environment)
        while True:
            await session.wait_for(SessionState.READY, SessionState.CLOSED)
            if session.state is SessionState.CLOSED:
                return
            began_s = time.monotonic()
            try:
                await session.request(oa.ProtoOAVersionReq())
            except CTraderError:
                self._round_trips[environment] = None  # the link's own trouble, which the state shows
            else:
                self._round_trips[environment] = (time.monotonic() - began_s) * 1000
            await anyio.sleep(_ROUND_TRIP_EACH_S)

    async def _draw(self, desk: Desk) -> None:
        from rich.console import Console
        from rich.live import Live

        from anyctrader.scripts.dashboard import draw, look

        console = Console(file=sys.stdout, highlight=False, markup=False)
        with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
            while True:
                views = [
                    look(desk, environment, round_trip_ms=self._round_trips.get(environment))
                    for environment in desk.environments
                ]
                live.update(draw(views, folder=desk.log_folder), refresh=True)
                await anyio.sleep(_DRAW_EACH_S)

    async def _tell(self, desk: Desk, environment: Environment) -> None:
        """A line for each change: of the session, and of what may be traded."""
        session = desk.session(environment)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._tell_mode, desk, environment)
            async with session.changes() as changes:
                async for change in changes:
                    reason = escaped(change.reason)
                    self._line(change.at_ms, environment, {"state": change.state.value, "reason": reason})
            tasks.cancel_scope.cancel()

    async def _tell_mode(self, desk: Desk, environment: Environment) -> None:
        last = ""
        while True:
            mode = desk.mode(environment).value
            if mode != last:
                last = mode
                now_ms = time.time_ns() // 1_000_000
                self._line(now_ms, environment, {"mode": mode, "reason": escaped(desk.why(environment))})
            await anyio.sleep(_LOOK_EACH_S)

    def _line(self, at_ms: int, environment: Environment, members: dict[str, Any]) -> None:
        try:
            self._write(at_ms, environment, members)
        except BrokenPipeError as error:  # whoever read our lines has seen enough
            self._unread = True
            if isinstance(error, ResultsLost):
                self.code = ExitCode.NO

    def _write(self, at_ms: int, environment: Environment, members: dict[str, Any]) -> None:
        if self._plan.output is Format.JSON:
            print_json({"at": iso_ms(at_ms), "environment": environment.value, **members})
            return
        what = " ".join(str(value) for name, value in members.items() if name != "reason")
        kind = "mode " if "mode" in members else ""
        print_line(f"{iso_ms(at_ms)} {environment.value} {kind}{what} ({members['reason']})")


if __name__ == "__main__":
    alone(run)
