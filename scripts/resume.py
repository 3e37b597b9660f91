"""`anyctrader resume`: lifts a halt."""

from __future__ import annotations

import anyctrader.scripts.early  # noqa: F401  # ahead of all that may fail

from functools import partial
from typing import TYPE_CHECKING

import anyio

from anyctrader.scripts.failures import carry_out
from anyctrader.scripts.halting import (
    DesksSandboxOption,
    FolderOption,
    check_folder,
    folder_of,
    on_record,
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
from anyctrader.scripts.terminal import escaped
from anyctrader.session import Environment
from anyctrader.session import halt as halts

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["resume"]


def resume(
    env: EnvironmentArgument,
    folder: FolderOption = None,
    sandbox: DesksSandboxOption = False,
    output: FormatOption = Format.TEXT,
    env_file: EnvFileOption = None,
    debug: DebugOption = False,
) -> None:
    """Lifts a halt.

    What may be traded then is what the settings say: live stays off without CTRADER_LIVE_ENABLED=true.

    Example: anyctrader resume live
    """
    check_folder(folder)
    environment = Environment(env.value)
    where = partial(folder_of, folder, sandbox=sandbox, env_file=env_file)
    carry_out(partial(_resume, where, environment, output, sandbox), debug=debug)


async def _resume(where: partial[Path], environment: Environment, output: Format, sandbox: bool) -> ExitCode:
    folder = where()
    found = await anyio.to_thread.run_sync(halts.read, folder, environment)
    if found is None:
        show(output, {"environment": environment.value, "lifted": False}, f"{environment.value} was not halted.")
        return ExitCode.DONE
    # First on record, then lifted: the other way round, a full disk would leave trading on and no word of it.
    facts = {"reason": found.why, "who": user_name(), "halted_at": found.at}
    recorded = await on_record(folder, environment, "resume", facts, sandbox=sandbox)
    lifted = await anyio.to_thread.run_sync(lambda: halts.resume(folder, environment)) or found
    since = f" since {lifted.at}" if lifted.at else ""
    text = f"{environment.value} is no longer halted. It was{since}: {escaped(lifted.why)}."
    with told_at_least(text):
        show(
            output,
            {
                "environment": environment.value,
                "lifted": True,
                "halted_at": lifted.at or None,
                "why": lifted.why,
                "recorded": recorded,
            },
            text,
        )
    return ExitCode.DONE


if __name__ == "__main__":
    alone(resume)
