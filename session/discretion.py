"""What each environment of a desk hides in its texts: its own secrets, and those of its neighbours as they are known.

A token of live in the comment of a demo order would stand in demo's lines in the clear: its session does not know it.
Each is given the texts once, as they are when the desk opens, and no object of the other's that could change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio.to_thread

from .secret import Secret
from .token_store import TokenStore, TokensUnreadable

if TYPE_CHECKING:
    from .environments import Environment
    from .settings import Credentials, EnvironmentSettings, Settings

__all__ = ["discreet"]


async def discreet(settings: Settings) -> dict[Environment, Credentials]:
    """The credentials of each environment, which also cover the secrets of the others: the settings' and the stored."""
    held = {
        environment: await anyio.to_thread.run_sync(_held, settings, part)
        for environment, part in settings.environments.items()
    }
    return {
        environment: part.credentials.beside(
            *part.credentials.never_sent,
            *(Secret(text) for other in held if other is not environment for text in held[other]),
        )
        for environment, part in settings.environments.items()
    }


def _held(settings: Settings, part: EnvironmentSettings) -> tuple[str, ...]:
    """The secrets of an environment. Blocking."""
    known: list[Secret | None] = [*part.credentials.sent, *part.credentials.never_sent]
    if settings.token_folder is not None:
        try:
            stored = TokenStore(settings.token_folder, part.environment).read()
        except (TokensUnreadable, OSError):
            stored = ()  # its session says what is wrong with the store
        for each in stored:
            known += [each.pair.access_token, each.pair.refresh_token]
    return tuple(secret.reveal() for secret in known if secret is not None)
