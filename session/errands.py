"""Blocking work in threads that is not waited for without end: one piece at a time, and a thread that hangs is left.

A thread cannot be cancelled. One that is left may come back whenever its disk does, and finish what it was about: so
what it brings then is put away, what must not happen before its end waits for it, and nothing else is begun meanwhile.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from . import clock
from .errors import ConnectFailed

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Errands"]

T = TypeVar("T")

_TRIES: Final = 5  # times that a process may stand still just then, before that is told


class _Errand(Generic[T]):
    """One piece of work.

    It is shared by two threads with no lock: either side takes from the deques, each of whose items so is taken once.

    Attributes:
        began_s: when it was to begin.
        over: its thread has done the work.
        brought: what came of it.
        error: why nothing did.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self.began_s = clock.now_s()
        self.over = False
        self.brought: deque[T] = deque()
        self.error: Exception | None = None
        self._work = deque([work])
        self._owed: deque[Callable[[], None]] = deque()

    def run(self) -> None:
        """In the thread."""
        try:
            work = self._work.popleft()
        except IndexError:
            return  # it was withdrawn
        try:
            self.brought.append(work())
        except Exception as error:
            self.error = error
        self.over = True  # ahead of the look at what is owed: what is added later is seen to by who adds it
        self._settle()

    def withdraw(self) -> bool:
        """Sees to it that it is not begun; False where it was."""
        try:
            self._work.popleft()
        except IndexError:
            return False
        return True

    def owe(self, work: Callable[[], None]) -> None:
        """Has this done once its thread has come back, by whoever of the two is later."""
        self._owed.append(work)
        if self.over:
            self._settle()

    def _settle(self) -> None:
        while True:
            try:
                work = self._owed.popleft()
            except IndexError:
                return
            work()


class Errands:
    """The blocking work for one place.

    Args:
        what: the place, for people.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._turn = anyio.Lock()
        self._left: _Errand[Any] | None = None
        # Its own: a disk that hangs here holds up no other work in threads. Two, since a thread that was left gives its
        # place back a moment after it has told that it is over.
        self._limiter = anyio.CapacityLimiter(2)

    async def run(self, work: Callable[[], T], *, within_s: float, undo: Callable[[T], None] | None = None) -> T:
        """Does it in a thread. Cancelled, it is waited for all the same, as long as that.

        Args:
            work: what blocks.
            within_s: how long it is waited for, seconds.
            undo: what to do, in whichever thread, with something that it brings after that.

        Raises:
            ConnectFailed: it did not come back in time, or an earlier one has not yet. It may still be done.
            Exception: what the work raises.
        """
        await anyio.lowlevel.checkpoint_if_cancelled()
        async with self._turn:
            if self._left is not None and not self._left.over:
                raise self._hangs(self._left)
            errand = await self._begun(work, within_s=within_s)
            if not errand.over:
                self._left = errand
                errand.owe(lambda: _put_away(errand, undo))
                raise self._hangs(errand)
        if errand.error is not None:
            raise errand.error
        return errand.brought.popleft()

    def afterwards(self, work: Callable[[], None]) -> None:
        """Does something that is quick: now, or once a thread that was left is back and can do no more harm."""
        if self._left is None or self._left.over:
            work()
        else:
            self._left.owe(work)

    async def _begun(self, work: Callable[[], T], *, within_s: float) -> _Errand[T]:
        """Work that its thread has begun: done, or left after its time.

        A process that stands still itself (it was stopped, or the machine slept) may have let all the time go by before
        a thread has the work. That says nothing of the place: the time begins anew.
        """
        for _ in range(_TRIES):
            errand = _Errand(work)
            with anyio.move_on_after(within_s, shield=True):
                await anyio.to_thread.run_sync(errand.run, abandon_on_cancel=True, limiter=self._limiter)
            if not errand.withdraw():
                return errand
        raise ConnectFailed(
            f"{self._what} was not asked within {within_s:g} s: this process stands still again and again"
        )

    def _hangs(self, errand: _Errand[Any]) -> ConnectFailed:
        return ConnectFailed(f"{self._what} has not answered for {clock.now_s() - errand.began_s:.1f} s")


def _put_away(errand: _Errand[T], undo: Callable[[T], None] | None) -> None:
    if undo is not None and errand.brought:
        undo(errand.brought.popleft())
