"""What a session looks at again and again for as long as it is held."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import anyio

from . import clock
from .errors import SessionClosed
from .states import SessionState

if TYPE_CHECKING:
    from datetime import time

    from .client import Session

__all__ = ["next_daily_ms", "watch_books", "watch_loss", "watch_outcomes", "write_snapshot", "write_snapshots"]

_LOOK_S: Final = 60.0  # a machine that slept, or whose clock was set, is late by no more than that


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
    """Has the server asked about unknown outcomes, as often as it takes to know that a request never arrived.

    That can be known only once the link that it left by is closed: one that lives on is left for it.
    """
    timings = session.timings
    every_s = timings.absent_s / (timings.absent_looks - 1)
    link, waited_s = session.link, 0.0
    while True:
        await anyio.sleep(every_s)
        for account_id, books in tuple(session.books.items()):
            if books.has_unknown:
                session.review(account_id)
        waits = any(books.is_left_waiting for books in session.books.values())
        waited_s = waited_s + every_s if waits and session.link is link else 0.0
        link = session.link
        if waited_s >= timings.absent_s:
            session.renew_link(f"what became of a request was not told in {waited_s:g} s: a new link finds it out")


async def watch_books(session: Session) -> None:
    """Has positions and orders held against the server's word, until the session is left."""
    await session.book_watch.serve()


async def write_snapshots(session: Session) -> None:
    """Writes what is open into the position snapshots, each day at the time that is set."""
    due_ms = next_daily_ms(clock.utc_ms(), session.timings.snapshot_at)
    while True:
        while (left_ms := due_ms - clock.utc_ms()) > 0:  # noqa: ASYNC110 - what is waited for is the clock
            await anyio.sleep(min(_LOOK_S, left_ms / 1000))
        await session.book_watch.look()
        write_snapshot(session, "daily")
        due_ms = next_daily_ms(clock.utc_ms(), session.timings.snapshot_at)


def write_snapshot(session: Session, why: str) -> None:
    """Writes what is open and pending into the snapshots, of each account of which it was ever known."""
    for books in tuple(session.books.values()):
        if books.positions.reconciled:
            books.snapshot(why)


def next_daily_ms(after_ms: int, at: time) -> int:
    """The next moment with that time of the day, UTC; milliseconds since the epoch.

    Args:
        after_ms: it is later than that.
        at: without a zone.
    """
    now = datetime.fromtimestamp(after_ms / 1000, UTC)
    today = datetime.combine(now.date(), at, UTC)
    due_ms = round(today.timestamp() * 1000)
    return due_ms if due_ms > after_ms else round((today + timedelta(days=1)).timestamp() * 1000)
