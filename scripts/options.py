"""What commands share: their arguments, their exit codes, and how one of them runs by itself."""

from __future__ import annotations

import enum
import importlib.util
import io
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from anyctrader.scripts.extras import not_installed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

__all__ = [
    "SANDBOX_FOLDER",
    "DebugOption",
    "EnvFileOption",
    "EnvironmentArgument",
    "EnvironmentName",
    "ExitCode",
    "Format",
    "FormatOption",
    "SandboxOption",
    "TransportChoice",
    "alone",
    "begin",
    "check_recording",
    "check_transport",
    "context_settings",
    "require_symbol",
    "without_secrets",
]

SANDBOX_FOLDER: Final = Path("logs/sandbox")
"""Where a sandbox writes, relative to the working folder; no setting changes it."""


class ExitCode(enum.IntEnum):
    """How a command ended."""

    DONE = 0
    NO = 1
    """The answer is no: refused by the server (credentials too), a check failed, damage found, not now."""
    USAGE = 2
    """The command line, a file or an account that it names, or the settings are wrong, or an extra is missing."""
    NO_CONNECTION = 3
    """No link."""
    OUTCOME_UNKNOWN = 4
    """Something left and its outcome is not known: look before anything is repeated."""
    REFUSED = 5
    """Our own guard did not let it leave."""


class Format(enum.Enum):
    """How results are written."""

    TEXT = "text"
    JSON = "json"


class EnvironmentName(enum.Enum):
    """An environment as it is typed. The real one is `anyctrader.session.Environment`, which costs more to import."""

    DEMO = "demo"
    LIVE = "live"


class TransportChoice(enum.Enum):
    """What carries the messages."""

    TCP = "tcp"
    WEBSOCKET = "websocket"


EnvironmentArgument = Annotated[EnvironmentName, typer.Argument(metavar="ENV", help="demo or live.")]
FormatOption = Annotated[
    Format, typer.Option("--format", help="Results for people, or a JSON object a line for programs.")
]
EnvFileOption = Annotated[
    Path | None,
    typer.Option("--env-file", metavar="FILE", help="Read settings from this file in place of .env."),
]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
SandboxOption = Annotated[
    bool,
    typer.Option(
        "--sandbox",
        help=f"Two embedded fake servers stand in for demo and live: no account, no credentials, no settings. "
        f"Writes to {SANDBOX_FOLDER}.",
    ),
]


def check_transport(transport: TransportChoice | None) -> TransportChoice | None:
    """For an option, as its callback: a WebSocket needs an extra, and its lack is told before anything begins.

    Raises:
        typer.BadParameter: it is not there.
    """
    if transport is TransportChoice.WEBSOCKET and importlib.util.find_spec("wsproto") is None:
        raise typer.BadParameter(f"a WebSocket is out of reach: {not_installed('wsproto')}")
    return transport


def check_recording(path: Path | None) -> Path | None:
    """For an option, as its callback: a recording goes into a file.

    Raises:
        typer.BadParameter: it is `-`, which elsewhere is stdout: results go there.
    """
    if path is not None and str(path) == "-":
        raise typer.BadParameter("a recording goes into a file, not to stdout: name one")
    return path


def require_symbol(symbols: Collection[str], *, needed_by: Mapping[str, bool]) -> None:
    """Sees that what is told of symbols only has some.

    Args:
        symbols: that were named with `--symbol`.
        needed_by: options, and whether they were given.

    Raises:
        typer.BadParameter: there are none.
    """
    given = [name for name, is_given in needed_by.items() if is_given]
    if given and not symbols:
        raise typer.BadParameter("of which symbol? Name one with --symbol", param_hint=" / ".join(given))


_INTERRUPTED_FOR_TYPER: Final = 130
_TOLD: Final[Any] = typer.BadParameter.__mro__[2]  # `ClickException`: where that is defined depends on typer's version
_NARROW: Final = 52  # columns; below that click writes lines of 50 all the same
_NARROWEST: Final = 30


def context_settings() -> dict[str, Any]:
    """What makes help and usage errors fit into a narrow terminal."""
    columns = shutil.get_terminal_size().columns
    return {"terminal_width": max(columns - 1, _NARROWEST)} if columns < _NARROW else {}


def alone(command: Callable[..., Any]) -> None:
    """Runs one command for `python scripts/NAME.py`."""
    app = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=context_settings(),
    )
    app.command()(command)
    begin(app)


def begin(app: Callable[..., Any], **named: Any) -> None:
    """Runs an app of typer. Its usage errors, which say what was typed, show no secret of the settings.

    Raises:
        SystemExit: always.
    """
    try:
        code = app(standalone_mode=False, **named)
    except _TOLD as error:
        from anyctrader.scripts.terminal import remark

        said = io.StringIO()
        error.show(said)
        remark(without_secrets(said.getvalue()))
        raise SystemExit(error.exit_code) from None
    except typer.Abort:
        code = _INTERRUPTED_FOR_TYPER
    if code == _INTERRUPTED_FOR_TYPER:  # typer's own, for a Ctrl-C that no command of ours has caught
        typer.echo("interrupted", err=True)
        code = ExitCode.NO
    raise SystemExit(int(code or ExitCode.DONE))


def without_secrets(text: str) -> str:
    """An error without the secrets of the settings: one may have been typed at the wrong place, or said by a server."""
    from anyctrader.scripts.opening import secrets_of_settings  # which takes longer than most commands, once begun
    from anyctrader.session.errors import SettingsError
    from anyctrader.session.secret import covered

    try:
        return covered(text, secrets_of_settings(_env_file_of(sys.argv)))
    except (SettingsError, OSError, UnicodeError):  # no settings to be read: that is not what the person has done wrong
        return text


def _env_file_of(arguments: list[str]) -> Path | None:
    """The file of settings that is named on a command line, which need not be sound."""
    for place, argument in enumerate(arguments):
        name, is_pair, value = argument.partition("=")
        if name == "--env-file":
            return Path(value) if is_pair else Path(arguments[place + 1]) if place + 1 < len(arguments) else None
    return None
