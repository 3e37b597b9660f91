"""The token store as tasks use it: its blocking work in threads, its lock waited for, its errors made ours."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.to_thread

from . import clock
from .errors import ConnectFailed
from .token_store import TokensUnreadable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection
    from pathlib import Path

    from .secret import Secret
    from .token_store import StoredPair, TokenStore

__all__ = ["Strongroom"]

T = TypeVar("T")

_LOCK_S = 30.0  # another process holds it for one request and one write
# Another process tells nobody when it lets go. It holds the lock for a request's way to the server and back, mostly:
# looks so far apart prolong that by little, and each costs no more than a small file opened in a thread.
_LOCK_LOOK_S = 0.05


class Strongroom:
    """Where the pairs of one environment lie.

    Args:
        store: its file.

    Attributes:
        path: of the file.
    """

    def __init__(self, store: TokenStore) -> None:
        self.path: Path = store.path
        self._store = store
        self._limiter = anyio.CapacityLimiter(1)  # its own: a disk that hangs here holds up no other work in threads

    async def read(self) -> tuple[StoredPair, ...]:
        """See `TokenStore.read`.

        Raises:
            ConnectFailed: the file cannot be read.
        """
        return await self._in_thread(self._store.read)

    async def find(
        self, client_id: str, account_id: int | None, *, origin: str, user_id: int | None
    ) -> StoredPair | None:
        """See `TokenStore.find`.

        Raises:
            ConnectFailed: the file cannot be read.
        """
        return await self._in_thread(lambda: self._store.find(client_id, account_id, origin=origin, user_id=user_id))

    async def save(self, stored: StoredPair, *, instead_of: Collection[Secret] | None) -> None:
        """See `TokenStore.save`.

        Raises:
            ConnectFailed: the file cannot be written.
        """
        await self._in_thread(lambda: self._store.save(stored, instead_of=instead_of))

    async def probe(self) -> None:
        """Sees that a pair could be stored now.

        Raises:
            ConnectFailed: none could.
        """
        await self._in_thread(self._store.probe)

    def exposed(self) -> bool:
        """Whether others than its owner may read the file."""
        return self._store.exposed()

    @asynccontextmanager
    async def locked(self, idle: Callable[[], bool] = bool) -> AsyncIterator[None]:
        """Holds the lock between processes around the body.

        Args:
            idle: whether it is waited for in vain by now.

        Raises:
            ConnectFailed: another process holds it.
        """
        by_s = clock.now_s() + _LOCK_S
        while (descriptor := await self._in_thread(self._store.lock)) is None:
            if clock.now_s() >= by_s or idle():
                raise ConnectFailed(f"another process holds the lock of {self.path}")
            await anyio.sleep(_LOCK_LOOK_S)
        try:
            yield
        finally:
            self._store.unlock(descriptor)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Work that blocks. Never left behind: a lock or a pair that it got must not be lost with it."""
        try:
            return await anyio.to_thread.run_sync(work, limiter=self._limiter)
        except TokensUnreadable as error:
            raise ConnectFailed(str(error)) from error
        except OSError as error:
            raise ConnectFailed(f"the token file {self.path} cannot be used ({error.strerror})") from error
