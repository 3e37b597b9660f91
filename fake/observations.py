"""What the server has seen of its clients, and waiting for more of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["CLOSED", "CONNECTED", "HANDSHAKE_FAILED", "UNDECODED", "UPGRADED", "Observations", "Seen"]

CONNECTED = "connected"
"""`Seen.name`: a client has finished its TLS handshake."""
CLOSED = "closed"
"""`Seen.name`: a connection is over; the text says why."""
HANDSHAKE_FAILED = "handshake failed"
"""`Seen.name`: no TLS, or no WebSocket, came to be; the text says why."""
UPGRADED = "upgraded"
"""`Seen.name`: the connection is a WebSocket from here on."""
UNDECODED = "undecoded"
"""`Seen.name`: a message that could not be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Something that a client did.

    Attributes:
        client: its number, from 1 in the order of connecting; 0 where it never got that far.
        at_ms: server time, ms since the epoch.
        name: the published name of the message that it sent, or one of the names of this module.
        message: the message; None for what is none, or is longer than 16 kB. Not shown in text, for it may hold
            secrets.
        client_msg_id: the message's id, or None.
        text: what the server says of it, or empty.
    """

    client: int
    at_ms: int
    name: str
    message: Any = field(default=None, repr=False)
    client_msg_id: str | None = None
    text: str = ""


class Observations:
    """The newest things seen, oldest first; all of them counted.

    Args:
        size: how many are kept.
    """

    def __init__(self, size: int) -> None:
        self._kept: deque[Seen] = deque(maxlen=size)
        self._total = 0
        self._more = anyio.Event()
        self._watching: list[Callable[[Seen], None]] = []

    def __iter__(self) -> Iterator[Seen]:
        return iter(tuple(self._kept))

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def total(self) -> int:
        """How many there were in all; give it to `wait_for` as `since` to wait for new ones only."""
        return self._total

    def names(self, *, client: int | None = None) -> list[str]:
        """The names of what is kept, of one client or of all."""
        return [seen.name for seen in self._kept if client in (None, seen.client)]

    def add(self, seen: Seen) -> None:
        """Records it and wakes whoever waits."""
        self._kept.append(seen)
        self._total += 1
        for watcher in tuple(self._watching):
            watcher(seen)
        self._more.set()
        self._more = anyio.Event()

    def watch(self, watcher: Callable[[Seen], None]) -> Callable[[], None]:
        """Has a function called with each new thing as it is seen, before it is answered; the result ends that."""
        self._watching.append(watcher)

        def forget() -> None:
            if watcher in self._watching:
                self._watching.remove(watcher)

        return forget

    async def wait_for(
        self,
        wanted: str | Callable[[Seen], bool],
        *,
        count: int = 1,
        client: int | None = None,
        since: int = 0,
        timeout_s: float = 10.0,
    ) -> list[Seen]:
        """Waits until `count` of these have been seen, and gives them.

        Args:
            wanted: the name of a message, or a test of what was seen.
            count: how many.
            client: only of this client; None for any.
            since: leave out the first so many of all that was ever seen (see `total`).
            timeout_s: how long to wait, seconds.

        Raises:
            TimeoutError: they have not come in time; the text says what has.
        """
        found: list[Seen] = []
        looked_at = since
        try:
            with anyio.fail_after(timeout_s):
                while True:
                    for seen in self._after(looked_at):
                        if client in (None, seen.client) and _fits(wanted, seen):
                            found.append(seen)
                            if len(found) == count:
                                await anyio.lowlevel.checkpoint()
                                return found
                    looked_at = self._total
                    await self._more.wait()
        except TimeoutError:
            what = wanted if isinstance(wanted, str) else "such"
            raise TimeoutError(
                f"{len(found)} of {count} {what} seen in {timeout_s} s; last seen: {self.names(client=client)[-10:]}"
            ) from None

    def _after(self, position: int) -> list[Seen]:
        """What is kept of the things that came after the first `position`."""
        fresh = min(self._total - position, len(self._kept))
        return list(self._kept)[len(self._kept) - fresh :] if fresh > 0 else []


def _fits(wanted: str | Callable[[Seen], bool], seen: Seen) -> bool:
    return seen.name == wanted if isinstance(wanted, str) else wanted(seen)
