"""The state of a session, who watches its changes, and who waits for one."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from . import clock
from .errors import SessionClosed
from .states import SESSION_TABLE, SessionState, StateChange
from .subscriptions import EventStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from .environments import Environment
    from .states import SessionInput

__all__ = ["Course"]


class Course:
    """The course that one session takes through its states.

    Args:
        environment: of the session.
        note: writes a line for people.

    Attributes:
        state: what the session is doing.
        reason: why it came to that, for people.
        told: set, and another one in its place, whenever whoever waits should look again.
    """

    def __init__(self, environment: Environment, *, note: Callable[..., None]) -> None:
        self.state = SessionState.CONNECTING
        self.reason = "not tried yet"
        self.told = anyio.Event()
        self._environment = environment
        self._note = note
        self._watchers: list[EventStream[StateChange]] = []

    def move(self, moved_by: SessionInput, reason: str) -> None:
        """Moves it by the table; told to everybody who watches or waits."""
        self.state = SESSION_TABLE[self.state, moved_by]
        self.reason = reason
        self._note("state", state=self.state.value, reason=reason)
        change = StateChange(clock.utc_ms(), self.state, reason)
        for watcher in self._watchers:
            watcher.put(change)
        self.tell()

    def tell(self) -> None:
        """Wakes whoever waits."""
        told, self.told = self.told, anyio.Event()
        told.set()

    def end(self) -> None:
        """The session is left: nothing more will be seen."""
        for watcher in self._watchers:
            watcher.end()

    @asynccontextmanager
    async def changes(self) -> AsyncIterator[EventStream[StateChange]]:
        """The moves, as an asynchronous iterator; the present state comes first."""
        stream: EventStream[StateChange] = EventStream()
        stream.put(StateChange(clock.utc_ms(), self.state, self.reason))
        if self.state is SessionState.CLOSED:
            stream.end()
        self._watchers.append(stream)
        try:
            yield stream
        finally:
            self._watchers.remove(stream)
            stream.end()

    async def wait_for(self, *states: SessionState) -> SessionState:
        """Waits until the state is, or since the call has been, one of these. No deadline: bring your own.

        A state may be over before a task that waits for it gets to run, and is not missed for that: a first try after
        a lost link can follow in the same turn.

        Raises:
            SessionClosed: it will never be.
        """
        await anyio.lowlevel.checkpoint()
        async with self.changes() as changes:
            async for change in changes:
                if change.state in states:
                    return change.state
        raise SessionClosed(f"the session of {self._environment.value} was {self.reason}")
