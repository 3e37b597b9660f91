"""Ctrl-C and termination as a plain end of a block, so that what must be put in order still can be."""

from __future__ import annotations

import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from .terminal import remark

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import TaskStatus

__all__ = ["Interruption", "until_signalled"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Whether a signal came.

    Attributes:
        signal: which, or None.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None


@asynccontextmanager
async def until_signalled(*, said: str | None = None) -> AsyncIterator[Interruption]:
    """Cancels the block at the first SIGINT or SIGTERM, and goes on behind it. A second one ends the process.

    Behind the block the command only closes down, which takes a moment: a signal that comes then waits for that, and
    only one more ends the process. Python's own way would raise `KeyboardInterrupt` in the middle of it.

    Where there are no such signals for an event loop (Windows), Ctrl-C is a `KeyboardInterrupt` as ever.

    Args:
        said: a remark for the person who interrupts, who may have to wait; None for none.
    """
    interruption = Interruption()
    if sys.platform == "win32":
        yield interruption
        return
    error: BaseException | None = None
    async with anyio.create_task_group() as tasks:

        async def listen(*, task_status: TaskStatus[None]) -> None:
            try:
                with anyio.open_signal_receiver(*_SIGNALS) as signals:
                    task_status.started()
                    async for number in signals:
                        if interruption.signal is not None:
                            signal.signal(number, signal.SIG_DFL)
                            signal.raise_signal(number)
                        interruption.signal = signal.Signals(number)
                        if said is not None:
                            remark(said)
                        scope.cancel()
            finally:
                for each in _SIGNALS:
                    signal.signal(each, _end_next_time)

        await tasks.start(listen)
        with anyio.CancelScope() as scope:
            try:
                yield interruption
            except anyio.get_cancelled_exc_class():
                raise
            except BaseException as raised:
                error = raised  # raised below, for a task group would wrap it
        tasks.cancel_scope.cancel()
    if error is not None:
        raise error


def _end_next_time(number: int, frame: object) -> None:
    signal.signal(number, signal.SIG_DFL)
