"""What a session waits for between two links: a time, or somebody who acts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from . import clock
from .errors import ConnectFailed, RateLimited, UnderMaintenance
from .reconnect import LONGEST_UNSEEN_S
from .tasks import background

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .access import Access
    from .reconnect import Backoff

__all__ = ["Waiting"]


class Waiting:
    """The waits of one session.

    Args:
        access: whose pair of tokens may have to be saved, or be another's, first.
        backoff: makes the delays.
        most_s: the longest of them.
        note: writes a line for people.
    """

    def __init__(self, access: Access, *, backoff: Backoff, most_s: float, note: Callable[..., None]) -> None:
        self._access = access
        self._backoff = backoff
        self._most_s = most_s
        self._note = note
        self._resumed = anyio.Event()

    def resume(self) -> None:
        """Ends the present wait, or the next one that begins on this link."""
        self._resumed.set()

    def over(self) -> None:
        """The next link is tried: what was resumed is resumed."""
        self._resumed = anyio.Event()

    async def until_somebody_acts(self) -> None:
        """Returns when it is resumed, other credentials are given, or somebody logs in: `anyctrader login`."""
        await self._until(self._login)

    async def until_due(self, failure: Exception | None, *, ready_for_s: float) -> None:
        """Returns when the next link may be tried.

        Args:
            failure: why the last one ended, where that was one.
            ready_for_s: how long that one was ready.
        """
        delay_s = self._backoff.lost(ready_s=ready_for_s)
        if isinstance(failure, UnderMaintenance) and failure.until_ms is not None:
            delay_s += min(max(0.0, (failure.until_ms - clock.utc_ms()) / 1000), LONGEST_UNSEEN_S)
        elif isinstance(failure, RateLimited):
            delay_s += failure.retry_after_s or 0.0  # authentication was: the next link must not ask at once
        if self._access.unsaved is not None:
            await self._until(self._access.saved)
            return
        self._note("wait", delay_s=round(delay_s, 3))
        with anyio.move_on_after(delay_s):
            await self._resumed.wait()  # somebody who knows better may cut the wait short

    async def _until(self, event: Callable[[], Awaitable[None]]) -> None:
        async with background() as tasks:

            async def watch() -> None:
                await event()
                self._resumed.set()

            tasks.start_soon(watch)
            await self._resumed.wait()

    async def _login(self) -> None:
        while True:
            try:
                await self._access.wait_for_login()
            except ConnectFailed as error:
                self._note("tokens", error=str(error))
                await anyio.sleep(self._most_s)
            else:
                return
