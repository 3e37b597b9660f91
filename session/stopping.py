"""Stopping trading from within a desk: in this process at once, then by a file in every other; and lifting that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from . import halt
from .chain import iso_ms
from .environments import Mode
from .errors import HaltIncomplete
from .guard import Standing

if TYPE_CHECKING:
    from pathlib import Path

    from .gate import Gate

__all__ = ["lift", "stop"]

_WHO = "desk"


async def stop(gate: Gate, folder: Path, *, why: str, mode: Mode, at_ms: int) -> None:
    """Halts an environment. From the call on nothing more than `mode` leaves here, however long the disk takes.

    Args:
        gate: of the environment.
        folder: where the halts are.
        why: the reason, for people, free of secrets.
        mode: what is left.
        at_ms: when, milliseconds since the epoch.

    Whoever is cancelled meanwhile has halted this process all the same, until `lift`; the file is placed too, but for a
    native cancellation of asyncio's on a disk that hangs: then it comes when the disk does.

    Raises:
        HaltIncomplete: the file could not be placed. It is on record, and this process stays halted.
        ValueError: `mode` is `ON`. Nothing is halted.
    """
    environment = gate.environment
    lifted_by = "`desk.resume` lifts it"
    here = Standing(mode, f"halted since {iso_ms(at_ms)} by {_WHO}, in this process: {why}; {lifted_by}")
    gate.standings.halt(here)
    left = mode if mode is Mode.ON else gate.standings.left(mode)
    facts = {"mode": mode.value, "who": _WHO, "halted_at": iso_ms(at_ms)}
    try:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(
                lambda: halt.halt(folder, environment, why=why, who=_WHO, at_ms=at_ms, mode=left)
            )
    except OSError as error:
        path = halt.path_of(folder, environment)
        problem = f"{path} could not be placed ({error.strerror or error})"
        gate.note("halt", {**facts, "reason": f"{why} (in this process only: {problem})"})
        raise HaltIncomplete(
            f"{environment.value} is halted in this process, until {lifted_by.removesuffix(' lifts it')}, and nowhere "
            f"else: {problem}. Other processes trade on, and so does this one after a restart: `anyctrader halt "
            f"{environment.value}` stops them once the folder can be written"
        ) from error
    except ValueError:
        gate.standings.lift(here)
        raise
    except BaseException:
        # Nobody may take a halt that was given up for none: whoever asked for it cannot tell how far it came.
        gate.note(
            "halt", {**facts, "reason": f"{why} (in this process; its caller was cancelled before its file came)"}
        )
        raise
    gate.standing()  # it puts on record what it finds, before the file alone holds
    gate.standings.lift(here)


async def lift(gate: Gate, folder: Path) -> None:
    """Lifts a halt, wherever it counts.

    Raises:
        OSError: its file could not be removed. All is as it was.
    """
    gate.standing()  # a halt that nobody has met yet is on record before it is lifted, and then its end is
    await anyio.to_thread.run_sync(halt.resume, folder, gate.environment)
    for here in gate.standings.halts:
        gate.standings.lift(here)
        gate.note("resume", {"reason": here.why, "who": _WHO})
    gate.standing(lifted_by=_WHO)
