"""The token pair of one session, kept alive: read, rotated under a lock, and on the disk before it is used.

docs/protocol.md sections 6 and 7. A refresh uses a pair up: what is not stored then is lost, and another process that
believes in the old pair is locked out. So whoever rotates holds the lock of the store from the look into it until
the new pair lies there; and whoever finds its pair dead looks into the store before it asks for another.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import anyio

from .errors import ConnectFailed
from .rotation import Rotation
from .strongroom import Strongroom
from .token_store import StoredPair, TokenPair, origin_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from .secret import Secret
    from .settings import Credentials
    from .token_store import TokenStore

__all__ = ["TokenVault"]


class TokenVault:
    """The pair that a session uses, and the store that it is kept in.

    Args:
        store: where it is kept.
        seed: the credentials of the settings. Their pair counts while the store has none, and is stored once the
            server has taken it: after one rotation it is dead.
        note: writes a line for people.

    Attributes:
        pair: the newest pair that is known.
        user_id: whose it is, or None while that is not known.
        rotation: whether it is being replaced, and how far that is.
        room: where it lies.
    """

    def __init__(self, store: TokenStore, seed: Credentials, *, note: Callable[..., None]) -> None:
        self.pair: TokenPair
        self.user_id: int | None
        self.room = Strongroom(store, note=note)
        self._given = False  # the pair was given by somebody who has acted: it replaces all others of its user
        self._passed_over: Secret | None = None  # what was stored then: older than what was given, another's, refused
        self._counted: set[Secret] = set()  # the access tokens of all pairs that have counted here
        self._take(seed)
        self._note = note
        self._opened = False
        self.rotation = Rotation(store.path, note=note)

    def _take(self, credentials: Credentials) -> None:
        """Nothing of an earlier pair holds for this one: neither its application, nor its user, nor its accounts."""
        self._seed = TokenPair(access_token=credentials.access_token, refresh_token=credentials.refresh_token)
        self._seed_origin = origin_of(credentials.access_token)
        self._client_id, self._account_id = credentials.client_id, credentials.account_id
        self._refused: StoredPair | None = None  # the stored pair in whose place the seed is tried
        self._count_seed()

    def _count_seed(self) -> None:
        self.pair, self.user_id = self._seed, None
        self._account_ids: tuple[int, ...] = ()
        self._origin: str | None = self._seed_origin
        self._kept = False  # the pair lies in the store

    async def open(self) -> None:
        """Takes the stored pair; where there is none, that of the settings. Once; later it reads again.

        Raises:
            ConnectFailed: the store cannot be read, or written.
        """
        if self._opened:
            self.room.held_up = None
            await self.look()
            return
        stored = await self._find()
        if stored is None:
            self._counted.add(self._seed.access_token)
            self._note("tokens", source="settings", why="none is stored; it will be once the server has taken it")
        else:
            same = stored.pair.access_token == self.pair.access_token
            self._adopt(stored)
            self._note("tokens", source="store", settings="the same" if same else "not used: the stored pair wins")
            if await self.room.exposed():
                async with self.room.locked():
                    await self.reread()
                    await self._save(self.stored)  # anew, and for its owner only
                self._note("tokens", warning=f"{self.room.path} could be read by others; it no longer can")
        self._opened = True

    async def reread(self) -> bool:
        """Looks into the store again: another process may have rotated.

        Returns:
            whether it holds another pair than the one that was known, which counts from now on.

        Raises:
            ConnectFailed: the store cannot be read.
        """
        return self._is_newer(await self._find())

    async def look(self) -> bool:
        """The same for a session that could go on with what it has: a pair in hand that was stored before is good.

        A store that cannot be used is told of, and one that has lost the pair gets it back: it may be the only one.

        Raises:
            ConnectFailed: the store cannot be used, and the pair in hand was never stored.
        """
        try:
            stored = await self._find()
            if stored is None and self._kept:
                return await self._put_back()
            return self._is_newer(stored)
        except ConnectFailed as error:
            self._go_on_without(error)
            return False

    def _is_newer(self, stored: StoredPair | None) -> bool:
        if stored is None or stored.pair.access_token in (self.pair.access_token, self._passed_over):
            return False
        self._adopt(stored)
        self._note("tokens", source="store", why="another process has stored a newer pair")
        return True

    async def _put_back(self) -> bool:
        async with self.room.locked():
            if await self.reread():
                return True
            await self._save(self.stored)
        self._note("tokens", warning=f"the pair was gone from {self.room.path}, and was stored again")
        return False

    def _go_on_without(self, error: ConnectFailed) -> None:
        if not self._kept or self._given:
            raise error
        self._note("tokens", error=str(error), why="gone on without it, with the pair in hand")

    async def belongs_to(self, user_id: int | None, account_ids: Iterable[int]) -> None:
        """The server has taken the pair, and says whose it is and which accounts it covers: others find it by them.

        A list that lacks accounts which it had is no proof that they are gone: a broker's back end may be away.

        Raises:
            ConnectFailed: it could not be stored.
        """
        listed, user_id = set(account_ids), user_id if user_id is not None else self.user_id
        if self._kept and not self._given and listed.issubset(self._account_ids) and user_id == self.user_id:
            return
        try:
            await self._file(user_id, listed)
        except ConnectFailed as error:
            self._go_on_without(error)

    async def _file(self, user_id: int | None, listed: set[int]) -> None:
        async with self.room.locked():
            if await self.reread():
                return  # what another process has stored meanwhile counts, and must not be undone
            rows = await self.room.read()
            ours = replace(self.stored, user_id=user_id, account_ids=tuple(sorted(listed))).with_known(rows)
            await self._save(ours)
            # Not before: what was not stored is to be stored the next time that the server says it.
            self.user_id, self._account_ids = ours.user_id, ours.account_ids
            self._kept, self._given, self._refused = True, False, None

    async def replace(self, credentials: Credentials) -> None:
        """Somebody has given a new pair, maybe of another application or user.

        It is stored once the server has said whose it is (`belongs_to`), or when it is refreshed before.
        """
        async with self.rotation.alone():
            self._take(credentials)
            self._counted.add(self._seed.access_token)
            self._given = self._opened = True
            stored = await self._find()
            self._passed_over = stored.pair.access_token if stored is not None else None

    @property
    def stored(self) -> StoredPair:
        """The pair as it lies in the store, or would."""
        return StoredPair(
            client_id=self._client_id,
            user_id=self.user_id,
            account_ids=self._account_ids,
            pair=self.pair,
            origin=self._origin,
        )

    def fall_back(self) -> bool:
        """The pair is refused, and so is its renewal: whether that of the settings is to be tried in its place.

        It is, once, where the stored pair neither is that of the settings nor came from it: somebody may have written
        a newer one there. Where it is refused as well, the stored one counts again.
        """
        if self._refused is not None:
            refused, self._passed_over = self._refused, None
            self._adopt(refused)
            return False
        if not self._kept or self._origin == self._seed_origin or self._seed.access_token in self._counted:
            return False
        self._refused, self._passed_over = self.stored, self.pair.access_token
        self._counted.add(self._seed.access_token)
        self._count_seed()
        self._note("tokens", source="settings", why="the stored pair is refused, and did not come from this one")
        return True

    async def refresh(
        self,
        ask: Callable[[Secret], Awaitable[TokenPair]],
        *,
        used: TokenPair,
        idle: Callable[[], bool] = bool,
        stuck: Callable[[ConnectFailed], None] | None = None,
    ) -> bool:
        """Gets a newer pair than the one that was used: the store's if it has one, or else the server's.

        From the question to the stored answer nothing cancels it. A disk that does not take the new pair is asked
        again until it does; once somebody wants to leave the session, for half a minute more.

        Args:
            ask: asks the server with a refresh token.
            used: the pair that was in use.
            idle: whether nobody could be asked any more, so that waiting for another process is in vain.
            stuck: told, once, that the disk does not take the new pair: whoever waits should not.

        Returns:
            whether there is a newer pair now; False where there is no refresh token.

        Raises:
            ConnectFailed: the store could not be locked, read or written. Nothing was asked of the server.
            CTraderError: what `ask` raises. The pair is as it was.
        """
        async with self.rotation.alone():
            if self.pair != used:
                return True
            async with self.room.locked(idle):
                if await self.reread():
                    return True
                if self.pair.refresh_token is None:
                    return False
                # A disk that takes no pair now would not take the new one: better known before the old one is used up.
                await self.room.probe()
                with anyio.CancelScope(shield=True):  # bounded by `ask`
                    pair = await ask(self.pair.refresh_token)
                renewed = replace(self.stored, pair=pair)
                await self.rotation.finish(partial(self._save, renewed), stuck)
                self._count(renewed)
            return True

    async def keep(
        self, used: StoredPair, pair: TokenPair, *, stuck: Callable[[ConnectFailed], None] | None = None
    ) -> None:
        """A renewal that was given up is answered after all: what it brought is stored as any other.

        It counts from now on; where another pair does by now, it lies in the store beside that one. `used` is what was
        used up for it, as it was then; for `stuck` see `refresh`.
        """
        renewed = replace(used, pair=pair)

        async def save() -> None:
            async with self.room.locked():
                await self.reread()  # what another process has stored meanwhile stays ahead of it
                if self.pair == used.pair:
                    await self._save(renewed)
                else:
                    await self.room.save(renewed, instead_of={used.pair.access_token})

        await self.rotation.saved()
        async with self.rotation.alone():
            await self.rotation.finish(save, stuck)
            if self.pair == used.pair:
                self._count(renewed)

    # Inside

    async def _save(self, stored: StoredPair) -> None:
        """Stores a pair in place of the one that it came from, and of one that was refused."""
        spent = {self.pair.access_token}
        if self._refused is not None:
            spent.add(self._refused.pair.access_token)
        instead_of = None if self._given else spent
        await self.room.save(stored, instead_of=instead_of)

    def _count(self, renewed: StoredPair) -> None:
        given = self._given
        self._adopt(renewed)
        self._given = given  # its user is not known yet
        self._note("tokens", source="server", expires_at_ms=renewed.pair.expires_at_ms)

    def _adopt(self, stored: StoredPair) -> None:
        self.pair, self.user_id, self._account_ids = stored.pair, stored.user_id, stored.account_ids
        self._origin, self._kept, self._given, self._refused = stored.origin, True, False, None
        self._counted.add(stored.pair.access_token)

    async def _find(self) -> StoredPair | None:
        """The stored pair for what the session was opened with, or given since."""
        return await self.room.find(self._client_id, self._account_id, origin=self._seed_origin, user_id=self.user_id)
