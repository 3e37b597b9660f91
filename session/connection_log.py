"""The log of one environment's connection, for people: one line a record, never in anybody's way.

    2026-11-22T19:40:00.123Z demo state state=ready reason="logged in"

`<folder>/demo_connection.log` and `<folder>/live_connection.log`. Nothing depends on it: what must not be lost is in
the audit. So a disk that fails or stalls costs lines here, which are counted and told once it is back.
"""

from __future__ import annotations

import enum
import os
import re
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from . import clock as wall_clock
from .chain import is_secret, iso_ms
from .disk import Disk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from .environments import Environment

__all__ = ["ConnectionLog", "open_connection_log", "readable"]

_LONGEST_TEXT = 1000  # a line is for a person; the server's own texts are shorter
_BACKSLASH = re.compile(r"\\(?![nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
_PLAIN = re.compile(r"[A-Za-z0-9_.,:;/@+*()\[\]-]+")


def readable(value: object) -> str:
    """A value as one word, or in double quotes, with nothing in it that a terminal would obey.

    What does not print (control characters, line separators, marks that turn the direction of the text) is escaped as
    in a Python string, and so are quotes and backslashes.
    """
    if isinstance(value, enum.Enum):
        value = value.name if isinstance(value, int) else value.value
    text = str(value)
    if len(text) > _LONGEST_TEXT:
        text = f"{text[:_LONGEST_TEXT]}… ({len(text)} characters)"
    if _PLAIN.fullmatch(text):
        return text
    text = _BACKSLASH.sub(r"\\\\", text).replace('"', '\\"')
    escaped = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return f'"{escaped}"'


class ConnectionLog:
    """The connection log of one environment. Made by `open_connection_log`.

    Attributes:
        path: its file.
        lost: lines that were lost and are not yet told of.
        trouble: why the last attempt to write failed, or None.
    """

    def __init__(
        self, folder: Path, environment: Environment, *, sandbox: bool, clock: Callable[[], int], bound: int, disk: Disk
    ) -> None:
        self.path = folder / f"{environment.value}_connection.log"
        self.lost = 0
        self.trouble: str | None = None
        self._mark = f"{environment.value} sandbox" if sandbox else environment.value
        self._clock = clock
        self._bound = bound
        self._disk = disk
        self._lines: deque[str] = deque()
        self._wake = anyio.Event()
        self._closing = False
        self._finished = anyio.Event()
        self._scope = anyio.CancelScope(shield=True)
        self._limiter = anyio.CapacityLimiter(1)  # its own: a disk that hangs here holds up no other work in threads

    def write(self, what: str, /, **fields: object) -> None:
        """Adds a line. Never blocks: where too many wait for the disk already the line is lost, and counted.

        Args:
            what: what happened, in a word.
            fields: what there is to say of it; None is left out.

        Raises:
            ValueError: a field has the name of a secret. Nothing is written.
        """
        for name in fields:
            if is_secret(name):
                raise ValueError(f"{name!r} is a secret: it does not belong into a log")
        if self._closing or len(self._lines) >= self._bound:
            self.lost += 1
        else:
            self._lines.append(self._line(what, fields))
        self._wake.set()

    def _line(self, what: str, fields: dict[str, object]) -> str:
        said = [f"{name}={readable(value)}" for name, value in fields.items() if value is not None]
        return " ".join([iso_ms(self._clock()), self._mark, readable(what), *said])

    async def _run(self) -> None:
        try:
            with self._scope:
                while True:
                    closing = self._closing
                    await self._write()
                    if closing:
                        break
                    await self._wake.wait()
                    self._wake = anyio.Event()
        finally:
            self._finished.set()

    async def _write(self) -> None:
        lines, self._lines = list(self._lines), deque()
        lost = self.lost
        if lost:
            lines.append(self._line("lost", {"lines": lost}))
        if not lines:
            return
        data = "".join(f"{line}\n" for line in lines).encode()
        if self.trouble is not None:
            data = b"\n" + data  # what failed before may have ended within a line
        try:
            await anyio.to_thread.run_sync(self._append, data, abandon_on_cancel=True, limiter=self._limiter)
        except Exception as error:
            # Whatever it is, it costs lines and not the connection.
            self.trouble = f"{self.path} cannot be written ({error})"
            self.lost += len(lines) - (1 if lost else 0)
        else:
            self.trouble = None
            self.lost -= lost

    def _append(self, data: bytes) -> None:
        # Opened for each batch: a file that somebody moved away or deleted is simply there again, and a thread that
        # hangs in the disk holds nothing that others use.
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = self._disk.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            while data:
                data = data[self._disk.write(descriptor, data) :]
        finally:
            os.close(descriptor)

    async def _close(self, within_s: float) -> None:
        self._closing = True
        self._wake.set()
        self._scope.deadline = anyio.current_time() + within_s
        with anyio.CancelScope(shield=True):  # bounded by the deadline
            await self._finished.wait()


@asynccontextmanager
async def open_connection_log(
    folder: Path,
    environment: Environment,
    *,
    sandbox: bool = False,
    clock: Callable[[], int] = wall_clock.utc_ms,
    bound: int = 10_000,
    close_s: float = 2.0,
    disk: Disk | None = None,
) -> AsyncIterator[ConnectionLog]:
    """Opens the connection log of an environment. Leaving it writes what still waits, within `close_s`.

    Args:
        folder: where it is; made if need be.
        environment: whose connection.
        sandbox: marks each line as a sandbox's.
        clock: tells the time of each line, milliseconds since the epoch.
        bound: how many lines may wait for the disk: about a megabyte.
        close_s: how long leaving may take where the disk hangs.
        disk: the way to the operating system.
    """
    disk = disk if disk is not None else Disk()
    log = ConnectionLog(folder, environment, sandbox=sandbox, clock=clock, bound=bound, disk=disk)
    writing = anyio.create_task_group()
    await writing.__aenter__()
    writing.start_soon(log._run, name=f"{environment.value} connection log")
    try:
        yield log
    finally:
        await log._close(close_s)
        # The writer has ended, so this waits for nothing; and it is not told of an error, so it wraps none.
        await writing.__aexit__(None, None, None)
