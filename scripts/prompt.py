"""Lines that a person types, waited for so that Ctrl-C ends the waiting."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Final

import anyio
import anyio.lowlevel
import anyio.to_thread

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Prompt"]

_CHUNK: Final = 4096  # what a terminal gives at once


class Prompt:
    """Reads stdin line by line. Whoever waits for a line may be cancelled; several wait in turn.

    By the event loop and not in a thread: one that is stuck in a read keeps the process from ending.
    """

    def __init__(self) -> None:
        self._turn = anyio.Lock()
        self._rest = b""

    async def line(self, ask: Callable[[], None]) -> str:
        """The next line, with its end; an empty one where the input has ended, or there is none.

        Args:
            ask: says what it is for, when it is this one's turn.
        """
        async with self._turn:
            ask()
            if sys.stdin is None:
                return ""
            if sys.platform == "win32":  # no console can be waited for there
                return await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
            try:
                descriptor = sys.stdin.fileno()
            except io.UnsupportedOperation:  # a text in its place
                return sys.stdin.readline()
            while b"\n" not in self._rest:
                chunk = await _read(descriptor)
                if not chunk:
                    break
                self._rest += chunk
            line, end, self._rest = self._rest.partition(b"\n")
            return (line + end).decode(sys.stdin.encoding, errors="replace")


async def _read(descriptor: int) -> bytes:
    try:
        await anyio.wait_readable(descriptor)
    except PermissionError:  # a file, which can always be read
        await anyio.lowlevel.checkpoint()
    return os.read(descriptor, _CHUNK)
