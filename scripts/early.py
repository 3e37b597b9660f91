"""What ends a command before its own handling stands, or outside of it. Each command imports this ahead of all else.

A library of an extra may well be missing, since the packages are made to be used without the command line too; Ctrl-C
may come while modules are imported, and once more while that is told; and what writes the help text knows nothing of a
full disk.
"""

from __future__ import annotations

import atexit
import signal
import sys
import time
from types import FrameType, TracebackType  # as good as free, and `typing` is not: nothing is caught until it is there

__all__ = ["PATIENCE_S", "hand_over", "hear_for_loop", "lend_to_loop", "take_back_from_loop"]

PATIENCE_S = 1.0
"""What comes sooner is the same wish: a key that was held down, an impatient finger, a terminal and a supervisor that
both signal. By then what had to be said is said, unless a disk or a server holds it up."""

_others = sys.excepthook


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """In place of a traceback, for what a person can cause."""
    from anyctrader.scripts.extras import EXTRAS, not_installed

    if isinstance(error, ModuleNotFoundError) and error.name is not None and error.name in EXTRAS:
        _end(not_installed(error.name), code=2)
    elif _is_interrupt(error):
        _end("interrupted", code=1)
    elif isinstance(error, OSError) and error.filename is None:  # with a name it is a file of our own installation
        from anyctrader.scripts.terminal import drop_stdout

        drop_stdout()
        _end(f"the results cannot be written: {error.strerror}", code=1)
    _others(kind, error, trace)


def _is_interrupt(error: BaseException | None) -> bool:
    """Python may wrap it: in the making of a class it becomes the cause of a `RuntimeError`."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__
    return error is not None


def _end(text: str, *, code: int) -> None:
    sys.stderr.write(f"anyctrader: {text}\n")
    sys.exit(code)


class _Ear:
    """Ctrl-C until a command hears it in its own way, which may be a second after the first import, or never."""

    def __init__(self) -> None:
        self.then: object = signal.default_int_handler
        self.is_lent = False
        self._since_s: float | None = None

    def hear(self, number: int, frame: FrameType | None) -> None:
        """As a handler of signals."""
        now_s = time.monotonic()
        if self._since_s is not None and now_s - self._since_s < PATIENCE_S:
            return
        self._since_s = now_s
        if callable(self.then):
            self.then(number, frame)


_ear = _Ear()


def hand_over(now: object, then: object) -> bool:
    """Has another handler hear the first signal of a second, if this one does now. Gives whether it did."""
    if _ear.then != now or signal.getsignal(signal.SIGINT) != _ear.hear:
        return False
    _ear.then = then
    return True


def lend_to_loop() -> None:
    """Ahead of an event loop, which places its own handler only where it finds Python's."""
    _ear.is_lent = signal.getsignal(signal.SIGINT) == _ear.hear
    if _ear.is_lent:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def hear_for_loop() -> None:
    """First thing in that loop: what it has placed hears the first signal of a second, and no others."""
    if _ear.is_lent:
        _ear.then = signal.getsignal(signal.SIGINT)
        signal.signal(signal.SIGINT, _ear.hear)


def take_back_from_loop() -> None:
    """Behind that loop."""
    _ear.is_lent, _ear.then = False, signal.default_int_handler
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _ear.hear)


def _end_in_peace() -> None:
    """Python takes its handlers away some milliseconds before it ends: a signal then would change the exit code."""
    if signal.getsignal(signal.SIGINT) == _ear.hear:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


sys.excepthook = _tell
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # and not where a shell has it ignored
    try:
        signal.signal(signal.SIGINT, _ear.hear)
        atexit.register(_end_in_peace)
    except ValueError:
        pass  # imported by a thread, which hears no signals
