"""A halt: a file per environment that stops trading there, in every process that reads it, until it is lifted.

`<folder>/demo.halt` and `<folder>/live.halt`. That the file is there is what counts; what it says can only make it
milder, from nothing at all to closing and cancelling. So it also works where the disk is too full to hold its text.

Blocking: placing and lifting sync the disk and belong into a thread. Reading is one `lstat` where there is no halt.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from .chain import iso_ms
from .disk import Disk
from .environments import Mode
from .guard import Standing, strictest

if TYPE_CHECKING:
    from pathlib import Path

    from .environments import Environment

__all__ = ["Halt", "halt", "path_of", "read", "resume"]


@dataclass(frozen=True, slots=True)
class Halt:
    """What a halt says.

    Attributes:
        environment: where trading is stopped.
        mode: what is left: nothing that trades (`OFF`), or what reduces (`REDUCE_ONLY`).
        why: the reason that was given.
        who: whoever placed it; empty where the file does not say.
        at: when, UTC; empty where the file does not say.
    """

    environment: Environment
    mode: Mode
    why: str
    who: str = ""
    at: str = ""

    @property
    def standing(self) -> Standing:
        """What it leaves of the environment's mode."""
        since = f" since {self.at}" if self.at else ""
        by = f" by {self.who}" if self.who else ""
        return Standing(
            self.mode,
            f"halted{since}{by}: {self.why}; `anyctrader resume {self.environment.value}` lifts it",
        )


def path_of(folder: Path, environment: Environment) -> Path:
    """The file of an environment's halt."""
    return folder / f"{environment.value}.halt"


def read(folder: Path, environment: Environment) -> Halt | None:
    """The halt in force, or None. Never raises: what cannot be read stops everything that trades.

    It is asked before each send, on the event loop: the folder belongs on a disk of this machine.
    """
    path = path_of(folder, environment)
    try:
        os.lstat(path)  # a link that leads nowhere was placed by somebody all the same
    except FileNotFoundError:
        return None
    except OSError as error:
        return Halt(environment, Mode.OFF, f"{path} cannot be looked at ({error.strerror})")
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # reading a pipe would wait
            return Halt(environment, Mode.OFF, f"{path} is no file that can be read")
        content = path.read_bytes()
    except OSError as error:
        if not os.path.lexists(path):  # lifted in this moment
            return None
        return Halt(environment, Mode.OFF, f"{path} cannot be read ({error.strerror})")
    try:
        match orjson.loads(content):
            case {"mode": str(mode), "why": str(why), "who": str(who), "at": str(at)} if mode != Mode.ON.value:
                return Halt(environment, Mode(mode), why, who, at)
    except ValueError:  # no JSON, or no mode
        pass
    return Halt(environment, Mode.OFF, f"{path} does not say why")


def halt(
    folder: Path,
    environment: Environment,
    *,
    why: str,
    who: str,
    at_ms: int,
    mode: Mode = Mode.OFF,
    disk: Disk | None = None,
) -> Halt:
    """Stops trading in an environment, at once, in every process that reads this folder, and over restarts.

    A halt that is stricter already stays as strict.

    Args:
        folder: where the halts are; made if need be.
        environment: where to stop.
        why: the reason, for people.
        who: whoever stops it, for people.
        at_ms: when, milliseconds since the epoch.
        mode: what is left: `OFF` or `REDUCE_ONLY`.
        disk: the way to the operating system.

    Returns:
        the halt now in force; `OFF` where its text could not be written.

    Raises:
        ValueError: `mode` is `ON`.
        OSError: there is no halt: not even an empty file could be made. Trading goes on.
    """
    if mode is Mode.ON:
        raise ValueError("a halt with trading on is none: use resume")
    disk = disk if disk is not None else Disk()
    # A terminal of another encoding gives bytes that are no text; a halt stands whatever its reason is.
    why, who = (said.encode("utf-8", "backslashreplace").decode() for said in (why, who))
    before = read(folder, environment)
    if before is not None:
        mode = strictest(Standing(mode, why), before.standing).mode
    placed = Halt(environment, mode, why, who, iso_ms(at_ms))
    text = orjson.dumps(
        {"environment": environment.value, "mode": mode.value, "why": why, "who": who, "at": placed.at},
        option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
    )
    path = path_of(folder, environment)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            rest = text
            while rest:
                rest = rest[disk.write(descriptor, rest) :]
            disk.sync(descriptor)
        finally:
            os.close(descriptor)
        disk.rename(new, path)
    except OSError:
        # An empty file needs no space, and stops everything that trades. This one raises where nothing helps.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644))
        new.unlink(missing_ok=True)
        return read(folder, environment) or placed
    disk.sync_folder(folder)
    return placed


def resume(folder: Path, environment: Environment, *, disk: Disk | None = None) -> Halt | None:
    """Lifts the halt of an environment. Whoever calls it puts that on record.

    Returns:
        the halt that was lifted, or None where there was none.

    Raises:
        OSError: the file could not be removed: the halt is still in force.
    """
    lifted = read(folder, environment)
    if lifted is not None:
        path_of(folder, environment).unlink(missing_ok=True)
        (disk if disk is not None else Disk()).sync_folder(folder)
    return lifted
