"""What a session looks at again and again for as long as it is held."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from .errors import SessionClosed
from .states import SessionState

if TYPE_CHECKING:
    from .client import Session

__all__ = ["watch_loss", "watch_outcomes"]


async def watch_loss(session: Session, every_s: float) -> None:
    """Looks at the loss of the day while the session is ready, until it is left."""
    try:
        while True:
            await session.wait_for(SessionState.READY)
            for allowance in tuple(session.allowances.values()):
                await allowance.watch_loss()
            await anyio.sleep(every_s)
    except SessionClosed:
        return


async def watch_outcomes(session: Session) -> None:
    """Has the server asked about unknown outcomes, as often as it takes to know that a request never arrived."""
    timings = session.timings
    while True:
        await anyio.sleep(timings.absent_s / (timings.absent_looks - 1))
        for account_id, books in tuple(session.books.items()):
            if books.has_unknown:
                session.review(account_id)
