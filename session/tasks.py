"""Tasks in the background of a body."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import TaskGroup

__all__ = ["background"]


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
