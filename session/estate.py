"""What earlier processes left on record, read before a session begins."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from .errors import AuditUnavailable
from .leftovers import Leftovers, leftovers_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from .audit import Audit
    from .connection_log import ConnectionLog
    from .environments import Environment

__all__ = ["inherited", "left_behind"]


async def left_behind(
    folder: Path, environment: Environment, account_id: int | None, *, log: ConnectionLog | None
) -> Leftovers:
    """What earlier processes asked for that has no end on record, and what else the record tells the books.

    Args:
        folder: of the audit.
        environment: whose orders.
        account_id: whose last snapshot is read too, or None.
        log: where it is told what of them cannot be followed, or None.

    Raises:
        AuditUnavailable: the files cannot be read.
    """
    try:
        left = await anyio.to_thread.run_sync(leftovers_of, folder, environment, account_id)
    except OSError as error:
        raise AuditUnavailable(
            f"the audit in {folder} cannot be read ({error.strerror or error}), and orders of an earlier process may "
            "be under way"
        ) from error
    if log is not None:
        for problem in left.problems:
            log.write("not_followed", reason=problem)
    return left


@asynccontextmanager
async def inherited(
    audit: Audit | None, environment: Environment, account_id: int | None, *, log: ConnectionLog | None
) -> AsyncIterator[Leftovers | None]:
    """The same for a session whose audit others may use as well, for as long as it lasts.

    Nothing is left to it where another session of this account writes the same audit just now: what has no end on
    record may be that one's, and under way. Nor in a sandbox, whose ids begin anew.

    Args:
        audit: of the session, or None.
        environment: see `left_behind`.
        account_id: likewise.
        log: likewise.

    Raises:
        AuditUnavailable: on entering: the files cannot be read.
    """
    owner = (environment, account_id)
    if audit is None or audit.sandbox or owner in audit.owners:
        yield None
        return
    audit.owners.add(owner)
    try:
        with suppress(AuditUnavailable):  # a session may read while nothing can be recorded
            await audit.flush()
        yield await left_behind(audit.folder, environment, account_id, log=log)
    finally:
        audit.owners.discard(owner)
