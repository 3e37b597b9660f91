"""How errors reach a person: an exit code and a plain sentence; a traceback only for whoever asks."""

from __future__ import annotations

import sys
import traceback
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NoReturn

import typer

from anyctrader.wire.errors import CTraderError

from .early import hear_for_loop, lend_to_loop, take_back_from_loop
from .extras import not_installed
from .options import ExitCode, without_secrets
from .terminal import ResultsLost, drop_stdout, ensure_stdout, escaped, remark

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

__all__ = ["carry_out", "carry_out_plainly", "code_of", "interruptible", "told", "traceback_of"]


_OF_AUTHENTICATION: Final = MappingProxyType(
    {
        "CH_CTID_TRADER_ACCOUNT_NOT_FOUND": ExitCode.USAGE,  # the account that was named is none of the token's
        "WRONG_ENVIRONMENT": ExitCode.REFUSED,
    }
)
"""By `AuthenticationFailed.code`, where it is not the server that said no to what was true."""


def code_of(error: BaseException) -> ExitCode:
    """The exit code for an error."""
    # Here, since a command that needs no session shall not wait for its import.
    from anyctrader.session import errors
    from anyctrader.session.recorder import RecordingUnavailable
    from anyctrader.wire.drafting import DraftError

    if isinstance(error, errors.AuthenticationFailed):
        return _OF_AUTHENTICATION.get(error.code, ExitCode.NO)
    codes = (  # the first that fits decides
        (DraftError, ExitCode.USAGE),
        (errors.SettingsError, ExitCode.USAGE),
        (ModuleNotFoundError, ExitCode.USAGE),
        (RecordingUnavailable, ExitCode.USAGE),
        (errors.ConnectFailed, ExitCode.NO_CONNECTION),
        (errors.SessionClosed, ExitCode.NO_CONNECTION),
        (errors.NotSent, ExitCode.NO_CONNECTION),
        (errors.OutcomeUnknown, ExitCode.OUTCOME_UNKNOWN),
        (errors.AuditUnavailable, ExitCode.NO),
        (errors.Refused, ExitCode.REFUSED),
    )
    return next((code for kind, code in codes if isinstance(error, kind)), ExitCode.NO)


def told(error: BaseException) -> str:
    """An error as people should read it: one line, server text escaped. Of a fault of ours, where it is."""
    if isinstance(error, CTraderError):
        from anyctrader.session import errors

        if isinstance(error, errors.SettingsError):
            return str(error)  # of our own making, in several lines
        answered = "the server answered " if isinstance(error, errors.ServerError) else ""
        return answered + escaped(str(error))
    if isinstance(error, TimeoutError):
        return escaped(str(error)) or "it took too long"
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("anyctrader"):
        return not_installed(error.name)
    if isinstance(error, OSError):
        what = error.strerror or str(error) or type(error).__name__
        return escaped(f"{error.filename}: {what}" if error.filename else what)
    # Its text may hold anything, so only its place is told.
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"a fault of anyctrader itself ({type(error).__name__}{where}); --debug shows the traceback"


def traceback_of(error: BaseException) -> str:
    """A traceback for whoever asks: the errors in it may say what a server said, or a file."""
    lines = without_secrets("".join(traceback.format_exception(error))).rstrip("\n").split("\n")
    return "\n".join(map(escaped, lines))


def carry_out(action: Callable[[], Awaitable[ExitCode]], *, debug: bool) -> NoReturn:
    """Runs a command to its end, and ends with the exit code of whatever that was.

    Args:
        action: the command.
        debug: show the traceback of an error.

    Raises:
        typer.Exit: always.
    """
    import anyio  # a command that waits for nothing shall not wait for its import

    async def heard() -> ExitCode:
        hear_for_loop()
        return await action()

    def run() -> ExitCode:
        lend_to_loop()
        try:
            return anyio.run(heard)
        finally:
            take_back_from_loop()

    carry_out_plainly(run, debug=debug)


def carry_out_plainly(action: Callable[[], ExitCode], *, debug: bool) -> NoReturn:
    """The same for a command that only reads and writes files.

    Raises:
        typer.Exit: always.
    """
    ensure_stdout()
    try:
        code = action()
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = _interrupted()
    except Exception as error:
        cause = _only(error)
        if isinstance(cause, BrokenPipeError):  # whoever read our results has seen enough, or could not be reached
            drop_stdout()
            raise typer.Exit(ExitCode.NO if isinstance(cause, ResultsLost) else ExitCode.DONE) from None
        if debug:
            typer.echo(traceback_of(error), err=True)
        remark(without_secrets(told(cause)))
        code = code_of(cause)
    raise typer.Exit(code) from None


@contextmanager
def interruptible() -> Iterator[None]:
    """For what a command does ahead of `carry_out`: Ctrl-C ends it no otherwise there.

    Raises:
        typer.Exit: somebody interrupted it.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(_interrupted()) from None


def _interrupted() -> ExitCode:
    remark("interrupted")
    return ExitCode.NO


def _only(error: BaseException) -> BaseException:
    """What a group of one holds: a task group wraps even a single exception."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
