"""The token store as tasks use it: its blocking work done elsewhere, its lock waited for, its errors made ours."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import anyio

from . import clock
from .errands import Errands
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
_LOCK_NOTE_S = 1.0  # a wait that is worth a line
_DISK_S = 5.0  # the file is small: what takes longer hangs


class Strongroom:
    """Where the pairs of one environment lie.

    Args:
        store: its file.
        note: writes a line for people.

    Attributes:
        path: of the file.
        held_up: what is being waited for, or was when a wait was cancelled, for people; else None.
    """

    def __init__(self, store: TokenStore, *, note: Callable[..., None]) -> None:
        self.path: Path = store.path
        self.held_up: str | None = None
        self._store = store
        self._note = note
        self._errands = Errands(f"the disk under the token file {store.path}")

    async def read(self) -> tuple[StoredPair, ...]:
        """See `TokenStore.read`.

        Raises:
            ConnectFailed: the file cannot be read.
        """
        return await self._done(self._store.read)

    async def find(
        self, client_id: str, account_id: int | None, *, origin: str, user_id: int | None
    ) -> StoredPair | None:
        """See `TokenStore.find`.

        Raises:
            ConnectFailed: the file cannot be read.
        """
        return await self._done(lambda: self._store.find(client_id, account_id, origin=origin, user_id=user_id))

    async def save(self, stored: StoredPair, *, instead_of: Collection[Secret] | None) -> None:
        """See `TokenStore.save`.

        Raises:
            ConnectFailed: the file cannot be written. On a disk that hangs it may be yet.
        """
        await self._done(lambda: self._store.save(stored, instead_of=instead_of))

    async def probe(self) -> None:
        """Sees that a pair could be stored now.

        Raises:
            ConnectFailed: none could.
        """
        await self._done(self._store.probe)

    async def exposed(self) -> bool:
        """Whether others than its owner may read the file."""
        return await self._done(self._store.exposed)

    @asynccontextmanager
    async def locked(self, idle: Callable[[], bool] = bool) -> AsyncIterator[None]:
        """Holds the lock between processes around the body.

        Where a write hangs, the lock stays until it is over: it must not come behind another process's.

        Args:
            idle: whether it is waited for in vain by now.

        Raises:
            ConnectFailed: another process holds it.
        """
        began_s, told = clock.now_s(), False
        while (descriptor := await self._done(self._store.lock, undo=self._give_back)) is None:
            waited_s = clock.now_s() - began_s
            self.held_up = f"another process holds {self._store.lock_path}, the lock of the token file {self.path}"
            if waited_s >= _LOCK_S or idle():
                why, self.held_up = self.held_up, None
                raise ConnectFailed(why)
            if waited_s >= _LOCK_NOTE_S and not told:
                told = True
                self._note("tokens", warning=f"{self.held_up}: it is waited for")
            await anyio.sleep(_LOCK_LOOK_S)
        self.held_up = None
        try:
            yield
        finally:
            self._errands.afterwards(partial(self._store.unlock, descriptor))

    def _give_back(self, descriptor: int | None) -> None:
        if descriptor is not None:
            self._store.unlock(descriptor)

    async def _done(self, work: Callable[[], T], *, undo: Callable[[T], None] | None = None) -> T:
        """Work that blocks, in a thread."""
        try:
            return await self._errands.run(work, within_s=_DISK_S, undo=undo)
        except TokensUnreadable as error:
            raise ConnectFailed(str(error)) from error
        except OSError as error:
            raise ConnectFailed(f"the token file {self.path} cannot be used ({error.strerror})") from error
