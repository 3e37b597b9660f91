"""One pair of tokens taking the place of another: by one task at a time, and kept at until it is stored."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from . import clock
from .errors import ConnectFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

__all__ = ["Rotation"]

_SAVE_FIRST_S = 0.1
_SAVE_MOST_S = 5.0
_LAST_SAVES_S = 30.0  # somebody wants to leave, and the disk does not take the pair: so much longer, and not for ever


class Rotation:
    """Whether the pair of one session is being replaced, and how far that is.

    Args:
        path: of the file that the new pair goes to.
        note: writes a line for people.

    Attributes:
        unsaved: why a new pair of ours is not stored, which until then is not used; the old one is dead. Else None.
        held_up: what makes it late, for people, else None: the server has not answered in its time, and is waited for.
            The old pair may or may not be good still.
    """

    def __init__(self, path: Path, *, note: Callable[..., None]) -> None:
        self.unsaved: str | None = None
        self.held_up: str | None = None
        self._path = path
        self._note = note
        self._under_way = False
        self._moved = anyio.Event()  # set, and another one in its place, when it ends or comes to a standstill

    async def settled(self) -> None:
        """Returns when none is under way, or one that may take long: till then, whatever is authorised is so in vain.

        Raises:
            ConnectFailed: a new pair waits for the disk.
        """
        while self._under_way and self.held_up is None:
            await self._move()

    async def saved(self) -> None:
        """Returns when no new pair waits for the disk."""
        while self.unsaved is not None:
            await self._moved.wait()

    def falls_behind(self, why: str) -> None:
        """The server takes its time over the one that is under way."""
        self.held_up = why
        self._tell()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Around what replaces the pair.

        Raises:
            ConnectFailed: another new pair waits for the disk.
        """
        while self._under_way:
            await self._move()
        self._under_way = True
        try:
            yield
        finally:
            self._under_way, self.held_up = False, None
            self._tell()

    async def finish(
        self, save: Callable[[], Awaitable[None]], stuck: Callable[[ConnectFailed], None] | None = None
    ) -> None:
        """Saves the new pair: again and again, until the disk takes it.

        Nothing cancels that; once somebody wants to leave the session, it is given up after half a minute.

        Args:
            save: tries it once.
            stuck: told, once, that the disk does not take the new pair: whoever waits should not.
        """
        delay_s, give_up_s = _SAVE_FIRST_S, None
        while True:
            with anyio.CancelScope(shield=True):
                try:
                    await save()
                except ConnectFailed as error:
                    self._wait_for_disk(error, stuck)
                    await anyio.sleep(delay_s)
                else:
                    self.unsaved = None
                    return
            delay_s = min(2 * delay_s, _SAVE_MOST_S)
            if give_up_s is None:
                try:
                    await anyio.lowlevel.checkpoint()
                except anyio.get_cancelled_exc_class():
                    # Taken up again by the checkpoint below.
                    give_up_s = clock.now_s() + _LAST_SAVES_S
            elif clock.now_s() >= give_up_s:
                self._note("tokens", error=f"the new pair is lost: log in again ({self._path} was not written)")
                await anyio.lowlevel.checkpoint()

    async def _move(self) -> None:
        if self.unsaved is not None:
            raise ConnectFailed(self.unsaved)
        await self._moved.wait()

    def _tell(self) -> None:
        moved, self._moved = self._moved, anyio.Event()
        moved.set()

    def _wait_for_disk(self, error: ConnectFailed, stuck: Callable[[ConnectFailed], None] | None) -> None:
        first, self.unsaved = self.unsaved is None, f"the new pair of tokens cannot be stored yet: {error}"
        self._note("tokens", error=str(error), why="the new pair is not used before it is stored")
        if first:
            self._tell()
            if stuck is not None:
                stuck(ConnectFailed(self.unsaved))
