"""What `halt` and `resume` share: which folder, who, and the line in the audit."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import anyio.to_thread
import typer

from anyctrader.session import AuditUnavailable, SettingsError, clock, letterbox, load_settings, open_audit
from anyctrader.session.secret import covered

from .opening import secrets_of_settings
from .options import SANDBOX_FOLDER, Format
from .terminal import escaped, print_json, print_line, remark

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from anyctrader.session import Environment

__all__ = [
    "DesksSandboxOption",
    "FolderOption",
    "check_folder",
    "covered_reason",
    "folder_of",
    "on_record",
    "resumed_by",
    "show",
    "told_at_least",
    "user_name",
]

FolderOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="Where that desk keeps its files; by default where the settings say. Needs no settings."
    ),
]
DesksSandboxOption = Annotated[
    bool, typer.Option("--sandbox", help=f"The desk of a sandbox, which keeps its files in {SANDBOX_FOLDER}.")
]


def check_folder(folder: Path | None) -> None:
    """A folder that was named must be there: a halt in one that no desk reads would stop nothing.

    The folder of the settings is made instead, since a desk that is yet to start will read that one.

    Raises:
        typer.BadParameter: it is not.
    """
    if folder is not None and not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise typer.BadParameter(
            f"{escaped(str(folder))} {what}: no desk keeps its files there. Nothing was changed.",
            param_hint="--folder",
        )


def folder_of(folder: Path | None, *, sandbox: bool, env_file: Path | None) -> Path:
    """The folder whose desk is meant.

    Raises:
        SettingsError: only the settings could tell, and they cannot be used.
    """
    if folder is not None:
        return folder
    if sandbox:
        return SANDBOX_FOLDER
    try:
        return load_settings(env_file).log_folder
    except SettingsError:
        remark("where that desk keeps its files cannot be told; --folder says it without any settings")
        raise


def covered_reason(why: str, env_file: Path | None) -> str:
    """A reason without the secrets of the settings, the stored tokens among them. It never holds up a halt."""
    try:
        return covered(why, secrets_of_settings(env_file))
    except Exception:  # whatever it is: trading is to be stopped
        return "a reason that is not shown, since the settings' secrets could not be looked for in it"


@contextmanager
def told_at_least(text: str) -> Iterator[None]:
    """Within it something that counts is done already: whatever goes wrong, stderr says that it is."""
    try:
        yield
        sys.stdout.flush()  # a full disk is noticed here
    except BaseException:
        remark(text)
        raise


def resumed_by(environment: Environment, folder: Path | None, *, sandbox: bool) -> str:
    """The command that lifts a halt, for people to type."""
    where = f" --folder {shlex.quote(str(folder))}" if folder is not None else " --sandbox" if sandbox else ""
    return f"anyctrader resume {environment.value}{where}"


def user_name() -> str:
    """Who sits here, as the system knows them."""
    if os.name == "posix":
        import pwd

        try:
            return pwd.getpwuid(os.getuid()).pw_name
        except KeyError:  # a user id without a name, as in some containers
            return f"user {os.getuid()}"
    return f"process {os.getpid()}"


async def on_record(
    folder: Path, environment: Environment, fact: str, fields: Mapping[str, Any], *, sandbox: bool
) -> bool:
    """Puts it into the order audit; where another process writes that, it is left for that one, or the next.

    Returns:
        whether the line is on the disk.
    """
    try:
        async with open_audit(folder, sandbox=sandbox) as audit:
            await audit.record(environment, fact, fields, essential=True)
        return True
    except AuditUnavailable as error:
        why = escaped(str(error))
    try:
        await anyio.to_thread.run_sync(lambda: letterbox.leave(folder, environment, fact, fields, at_ms=clock.utc_ms()))
    except OSError as error:
        remark(f"not on record ({why}), and nothing could be left in {folder} ({error.strerror or error})")
    else:
        remark("whoever writes the audit puts this on record, now or when it is opened next")
    return False


def show(output: Format, members: Mapping[str, Any], text: str) -> None:
    """The result, in the form that was asked for."""
    if output is Format.JSON:
        print_json(members)
    else:
        print_line(text)
