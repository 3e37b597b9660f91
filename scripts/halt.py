"""`anyctrader halt`: stops trading in an environment, also when the desk runs in another process."""

from __future__ import annotations

import anyctrader.scripts.early  # noqa: F401  # ahead of all that may fail

from functools import partial
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from anyctrader.scripts.failures import carry_out
from anyctrader.scripts.halting import (
    DesksSandboxOption,
    FolderOption,
    check_folder,
    covered_reason,
    folder_of,
    on_record,
    resumed_by,
    show,
    told_at_least,
    user_name,
)
from anyctrader.scripts.options import (
    DebugOption,
    EnvFileOption,
    EnvironmentArgument,
    ExitCode,
    Format,
    FormatOption,
    alone,
)
from anyctrader.session import Environment, Mode, clock
from anyctrader.session import halt as halts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["halt"]

_BY_HAND = "stopped by hand"


def halt(
    env: EnvironmentArgument,
    why: Annotated[str, typer.Option(help="The reason, for whoever finds trading stopped.")] = _BY_HAND,
    reduce_only: Annotated[
        bool, typer.Option("--reduce-only", help="Leave closing, cancelling and tightening allowed.")
    ] = False,
    folder: FolderOption = None,
    sandbox: DesksSandboxOption = False,
    output: FormatOption = Format.TEXT,
    env_file: EnvFileOption = None,
    debug: DebugOption = False,
) -> None:
    """Stops trading in an environment at once.

    It stays stopped, over restarts too, until it is resumed. Nothing is cancelled or closed by it.

    Example: anyctrader halt live --why "feed looks wrong"
    """
    check_folder(folder)
    environment = Environment(env.value)
    where = partial(folder_of, folder, sandbox=sandbox, env_file=env_file)
    mode = Mode.REDUCE_ONLY if reduce_only else Mode.OFF
    lifted_by = resumed_by(environment, folder, sandbox=sandbox)
    # Nothing is looked up for a reason of our own: the settings take a while to read.
    reason = partial(covered_reason, why, env_file) if why != _BY_HAND else lambda: why
    carry_out(partial(_halt, where, environment, reason, mode, output, sandbox, lifted_by), debug=debug)


async def _halt(
    where: partial[Path],
    environment: Environment,
    reason: Callable[[], str],
    mode: Mode,
    output: Format,
    sandbox: bool,
    lifted_by: str,
) -> ExitCode:
    folder, why = where(), reason()
    placed = await anyio.to_thread.run_sync(
        lambda: halts.halt(folder, environment, why=why, who=user_name(), at_ms=clock.utc_ms(), mode=mode)
    )
    left = "nothing that trades leaves" if placed.mode is Mode.OFF else "only what closes, cancels or tightens leaves"
    halted = (
        f"{environment.value} is halted: {left}, in any process that keeps its files in {folder}. "
        f"`{lifted_by}` lifts it."
    )
    with told_at_least(halted):
        facts = {"mode": placed.mode.value, "reason": placed.why, "who": placed.who, "halted_at": placed.at}
        recorded = await on_record(folder, environment, "halt", facts, sandbox=sandbox)
        show(
            output,
            {
                "environment": environment.value,
                "halted": True,
                "mode": placed.mode.value,
                "why": placed.why,
                "at": placed.at,
                "file": str(halts.path_of(folder, environment)),
                "recorded": recorded,
            },
            halted,
        )
    return ExitCode.DONE


if __name__ == "__main__":
    alone(halt)
