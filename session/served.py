"""A session held up while a body runs."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from .errors import ConnectFailed, RequestFailed
from .states import SessionState
from .tasks import background
from .watches import write_snapshot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .client import Session

__all__ = ["served"]


@asynccontextmanager
async def served(session: Session) -> AsyncIterator[None]:
    """The session's own task around the body; the first try decides, and its failure is raised plainly.

    What is open and pending at the end goes into the snapshots, where there is an audit.
    """
    async with background() as tasks:
        tasks.start_soon(session.serve)
        state = await session.wait_for(SessionState.READY, SessionState.WAITING, SessionState.REFUSED)
        if state is SessionState.READY:
            try:
                yield
            finally:
                write_snapshot(session, "shutdown")
            return
        failure = session.failure or ConnectFailed(session.reason)
        if isinstance(failure, RequestFailed):
            raise ConnectFailed(f"{session.endpoint.host}:{session.endpoint.port}: {failure}") from failure
        raise failure
