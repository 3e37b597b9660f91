"""A session of one environment whose every frame goes into a recording."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from .client import Session
from .estate import inherited
from .gate import Gate
from .served import served
from .token_store import TokenStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from .audit import Audit
    from .environments import Endpoint, Mode
    from .recorder import Recorder
    from .settings import EnvironmentSettings

__all__ = ["open_recorded"]


@asynccontextmanager
async def open_recorded(
    settings: EnvironmentSettings,
    *,
    recorder: Recorder,
    mode: Mode,
    why: str,
    audit: Audit | None = None,
    endpoint: Endpoint | None = None,
    token_folder: Path | None = None,
) -> AsyncIterator[Session]:
    """Like `connect`, from settings.

    Args:
        settings: of the environment.
        recorder: where every frame is recorded, those of authentication included.
        mode: what the guard lets pass; without an audit, nothing that trades.
        why: where that mode comes from, for people.
        audit: where orders are recorded. A halt in its folder counts here too. See `connect`.
        endpoint: another one than the settings'.
        token_folder: where token pairs are kept, or None.

    Raises:
        ConnectFailed, AuthenticationFailed, AuditUnavailable: see `connect`.
    """
    environment = settings.environment
    async with inherited(audit, environment, settings.credentials.account_id, log=None) as left:
        session = Session(
            settings.credentials,
            codec=settings.codec,
            endpoint=endpoint if endpoint is not None else settings.endpoint,
            timings=settings.timings,
            rates=settings.rates,
            limits=settings.limits,
            gate=Gate(
                environment,
                mode=mode,
                why=why,
                audit=audit,
                halts=audit.folder if audit is not None else None,
                limits=settings.limits,
            ),
            tokens=TokenStore(token_folder, environment) if token_folder is not None else None,
            left=left,
            recorder=recorder,
        )
        async with served(session):
            yield session
