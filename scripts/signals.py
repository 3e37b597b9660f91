"""Ctrl-C and termination as a plain end of a block, so that what must be put in order still can be."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import sys
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio

from .early import PATIENCE_S
from .options import ExitCode
from .terminal import remark, remark_at_once

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["Interruption", "LastWord", "until_signalled"]

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class LastWord:
    """What is said where a person does not wait for the end.

    Attributes:
        text: for a person.
        code: how the process ends then; None: by the signal.
    """

    text: str
    code: ExitCode | None = None


class Interruption:
    """Whether a signal came.

    Attributes:
        signal: which, or None.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None


class _Patience:
    """Hears the signals of this process from now on, and ends it where somebody goes on to ask for that."""

    def __init__(self, last_word: LastWord) -> None:
        self._last_word = last_word
        self._since_s: float | None = None
        self._ending = False

    def hear(self, number: int, frame: object) -> None:
        """As a handler of signals, which no event loop has to be alive for."""
        now_s = time.monotonic()
        if self._since_s is not None and now_s - self._since_s < PATIENCE_S:
            return
        asked_again, self._since_s = self._since_s is not None, now_s
        if not asked_again:
            return
        if not self._ending:
            self._ending = True
            remark_at_once(self._last_word.text)
            if self._last_word.code is not None:
                os._exit(self._last_word.code)
        # Also where stderr takes no last word, and somebody asks once more.
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)


_ENDED_AT_ONCE: Final = LastWord("ended at once: what was still to be put in order is not")


@asynccontextmanager
async def until_signalled(
    *, said: str | None = None, last_word: LastWord = _ENDED_AT_ONCE
) -> AsyncIterator[Interruption]:
    """Cancels the block at the first SIGINT or SIGTERM, and goes on behind it.

    Those that follow within a second of it are not heard, so that the command says what it has to say and ends with
    its own exit code. One that comes later ends the process, with a last word. That holds from the block on to the
    end of the process: behind the block the command only closes down, and Python's own way would raise
    `KeyboardInterrupt` in the middle of it.

    Where there are no such signals for an event loop (Windows), Ctrl-C is a `KeyboardInterrupt` as ever.

    Args:
        said: a remark for the person who interrupts, who may have to wait; None for none.
        last_word: for one who does not.
    """
    interruption = Interruption()
    if sys.platform == "win32":
        yield interruption
        return
    error: BaseException | None = None
    with _bell() as bell:
        patience = _Patience(last_word)
        for number in _SIGNALS:
            signal.signal(number, patience.hear)
        atexit.register(_hear_no_more)
        async with anyio.create_task_group() as tasks:
            scope = anyio.CancelScope()

            async def listen() -> None:
                while interruption.signal is None:
                    await anyio.wait_readable(bell)
                    rung = bell.recv(4096)
                    interruption.signal = next((each for each in _SIGNALS if each in rung), None)
                if said is not None:
                    remark(said)
                scope.cancel()

            tasks.start_soon(listen)
            with scope:
                try:
                    yield interruption
                except anyio.get_cancelled_exc_class():
                    raise
                except BaseException as raised:
                    error = raised  # raised below, for a task group would wrap it
            tasks.cancel_scope.cancel()
    if error is not None:
        raise error


@contextmanager
def _bell() -> Iterator[socket.socket]:
    """A socket that gets the number of each signal: it wakes an event loop that is about to wait, too."""
    bell, clapper = socket.socketpair()
    with bell, clapper:
        for each in (bell, clapper):
            each.setblocking(False)
        before = signal.set_wakeup_fd(clapper.fileno(), warn_on_full_buffer=False)
        try:
            yield bell
        finally:
            signal.set_wakeup_fd(before, warn_on_full_buffer=False)


def _hear_no_more() -> None:
    """Python takes its handlers away some milliseconds before it ends: a signal then would change the exit code."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
