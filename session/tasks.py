"""Tasks in the background of a body, and tasks that each follow one thing."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from anyio.abc import TaskGroup

__all__ = ["Following", "background", "unwrapped"]

T = TypeVar("T")


class Following(Generic[T]):
    """Follows each of a growing number of things in a task of its own.

    Args:
        follow: follows one of them to its end.
    """

    def __init__(self, follow: Callable[[T], Coroutine[Any, Any, None]]) -> None:
        self._follow = follow
        self._new: list[T] = []
        self._news = anyio.Event()

    def add(self, thing: T) -> None:
        """Follow this one too. Never waits."""
        self._new.append(thing)
        self._news.set()

    async def serve(self) -> None:
        """Follows them until it is cancelled."""
        async with anyio.create_task_group() as tasks:
            while True:
                await self._news.wait()
                self._news = anyio.Event()
                new, self._new = self._new, []
                for thing in new:
                    tasks.start_soon(self._follow, thing)


@asynccontextmanager
async def background() -> AsyncIterator[TaskGroup]:
    """Tasks that live as long as the body. When it ends they are cancelled and awaited.

    A cancellation from outside reaches the body alone: what the body then puts in order in a shielded scope of its
    own, it does with these tasks still at work. They have as long as the body takes, and no longer.

    A task group wraps even a single exception; the body's own comes out of here as it was raised. An exception of a
    task, which is a fault of ours, ends the body and comes out as a group.
    """
    failure: BaseException | None = None
    held = anyio.CancelScope(shield=True)
    began = anyio.Event()
    tasks = anyio.create_task_group()

    async def hold() -> None:
        # In a task of its own: a shield around the body would keep the cancellation from the body as well.
        with held:
            async with tasks:
                began.set()
                await anyio.sleep_forever()

    async with anyio.create_task_group() as holder:
        # Not by `start`, which does not return before a task that it began has ended, should it be cancelled.
        holder.start_soon(hold)
        try:
            await began.wait()
            yield tasks
        except BaseException as error:  # raised again below, once the tasks have ended
            failure = error
        held.cancel()
    if failure is not None:
        raise failure


def unwrapped(error: Exception) -> Exception:
    """The exception itself: each task group that it came through has wrapped it."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
