"""What ends a command before its own handling stands, or outside of it. Each command imports this ahead of all else.

A library of an extra may well be missing, since the packages are made to be used without the command line too; Ctrl-C
may come while modules are imported; and what writes the help text knows nothing of a full disk.
"""

from __future__ import annotations

import sys
from types import TracebackType  # as good as free, and `typing` is not: nothing is caught until it is there

__all__: list[str] = []

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


sys.excepthook = _tell
