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

    A task group wraps even a single exception; the body's own comes out of here as it was raised. An exception of a
    task, which is a fault of ours, comes out as the group that it is.
    """
    failure: BaseException | None = None
    async with anyio.create_task_group() as tasks:
        try:
            yield tasks
        except BaseException as error:  # raised again below, once the tasks have ended
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
