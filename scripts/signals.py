"""Ctrl-C and termination as a plain end of a block, so that what must be put in order still can be."""

from __future__ import annotations

import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["Interruption", "until_signalled"]


class Interruption:
    """Whether a signal came.

    Attributes:
        signal: which, or None.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None


@asynccontextmanager
async def until_signalled() -> AsyncIterator[Interruption]:
    """Cancels the block at the first SIGINT or SIGTERM, and goes on behind it. A second one ends the process.

    Where there are no such signals for an event loop (Windows), Ctrl-C is a `KeyboardInterrupt` as ever.
    """
    interruption = Interruption()
    if sys.platform == "win32":
        yield interruption
        return
    error: BaseException | None = None
    async with anyio.create_task_group() as tasks:

        async def listen() -> None:
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                async for number in signals:
                    if interruption.signal is not None:
                        signal.signal(number, signal.SIG_DFL)
                        signal.raise_signal(number)
                    interruption.signal = signal.Signals(number)
                    scope.cancel()

        tasks.start_soon(listen)
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
