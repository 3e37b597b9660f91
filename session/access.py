"""Who we are towards one environment, link after link: the application, and the newest pair of tokens.

docs/protocol.md section 7. A token that is refused is looked up in the store first, since another process may have
rotated it; only then, and once a link, is a new pair asked for.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from . import auth, clock
from .errors import AuthenticationFailed, ConnectFailed, NotSent, RateLimited, RequestFailed
from .patience import Patience

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager

    from anyio.abc import TaskGroup

    from .link import Link
    from .secret import Secret
    from .settings import Credentials, Timings
    from .token_store import TokenPair
    from .tokens import TokenVault

__all__ = ["Access"]

T = TypeVar("T")

# docs/protocol.md section 7: an application that was ready may be refused for a moment right after a reconnect.
_AUTH_TRIES = 3
_AUTH_PAUSE_S = 5.0
_TOKEN_CODES = ("CH_ACCESS_TOKEN_INVALID", "OA_AUTH_TOKEN_EXPIRED")
_REMEMBERED = 8  # pairs whose text is still covered: a server may quote an old one
_NEW_MS = 60_000
_LONGEST_SPELL_S = 600.0
_AFTER_FAILURE_S = 60.0
_LOOK_S = 1.0  # how often a refused session looks whether somebody has logged in: one small file


class Access:
    """What a session proves itself with.

    Args:
        credentials: those that it was opened with.
        vault: keeps the pair alive, or None: the pair is used as it is, and never renewed.
        timings: deadlines.
        held: within it a link is not cancelled from outside.
        renewed: told when another pair counts from now on, or is asked for: what was authorised with the old one has
            ended, or will.
        note: writes a line for people.

    Attributes:
        credentials: those that count now.
        was_ready: whether the server has taken the application before.
        rotations: where a pair is renewed while there is a link; the link outlives what runs there.
        let_in: whether the server took the application on the newest link.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        vault: TokenVault | None,
        timings: Timings,
        held: Callable[[], AbstractContextManager[None]],
        renewed: Callable[[], None],
        note: Callable[..., None],
    ) -> None:
        self.credentials = credentials
        self.was_ready = False
        self.rotations: TaskGroup | None = None
        self.let_in = False
        self._vault = vault
        self._timings = timings
        self._held = held
        self._renewed = renewed
        self._note = note
        self._known: deque[Credentials] = deque([credentials], maxlen=_REMEMBERED)
        self._another = anyio.Event()  # set when other credentials count
        self._given: Credentials | None = None  # by somebody who has acted; the vault does not know of them yet
        self._unsaid: Credentials | None = None  # whose these are was asked, and not said: not once a link
        self._asked: tuple[Link, TokenPair] | None = None  # where a new pair was asked for last, and with which
        self._patience = Patience()  # with renewals that are refused for their rate; it outlives the link

    def masked(self, text: str) -> str:
        """A text of somebody else's with every secret of ours in it covered, those of late included."""
        for credentials in self._known:
            text = credentials.masked(text)
        return text

    async def replaced(self) -> None:
        """Returns when somebody has given others than the present link was opened with."""
        while self._given is None:
            await self._another.wait()

    def replace(self, credentials: Credentials) -> None:
        """Somebody has given others: they count from the next link on."""
        self._use(credentials)
        self.was_ready = False
        self._given = credentials

    async def open(self) -> None:
        """Before each link: the newest pair of the store, which wins over that of the settings.

        Raises:
            ConnectFailed: the store cannot be used.
        """
        self.let_in = False
        given, self._given = self._given, None
        if self._vault is None:
            return
        if given is not None:
            await self._vault.replace(given)
        await self._vault.open()
        self._take_pair()

    async def wait_for_login(self) -> None:
        """Returns when somebody has stored another pair. Without a store, never."""
        if self._vault is None:
            await anyio.sleep_forever()
        else:
            while not await self._vault.reread():
                await clock.sleep_until(clock.now_s() + _LOOK_S)

    async def authenticate(self, link: Link) -> list[Any]:
        """Says which application this is, and gives the account list.

        Raises:
            AuthenticationFailed: the server refused the application, or the token and its renewal.
            ConnectFailed: the store cannot be used.
            RequestFailed: the server could not just now.
        """
        if self._given is not None:
            await self.open()
        timeout_s = self._timings.connect_s
        tries = _AUTH_TRIES if self.was_ready else 1
        for left in reversed(range(tries)):
            try:
                await auth.authenticate_application(link, self.credentials, timeout_s=timeout_s)
            except AuthenticationFailed as error:
                if not left:
                    raise
                self._note("auth_refused", code=error.code, tries_left=left)
                # All tries fit into the time that a connection may take.
                await anyio.sleep(min(_AUTH_PAUSE_S, timeout_s / (_AUTH_TRIES + 1)))
            else:
                self.let_in = True
                break
        rows = await self.accounts(link)
        if self._vault is not None:
            user_id = self._vault.user_id
            if user_id is None and self._unsaid is not self.credentials:
                # It must not cost the time that the link has to come up.
                within_s = min(self._timings.request_s, timeout_s / 3)
                user_id = await auth.user_of(link, self.credentials, timeout_s=within_s)
                self._unsaid = self.credentials if user_id is None and link.over is None else None
            await self._vault.belongs_to(user_id, [row.ctidTraderAccountId for row in rows])
            self._take_pair()
        return rows

    async def accounts(self, link: Link) -> list[Any]:
        """The accounts that the token covers: a `ProtoOACtidTraderAccount` each.

        Raises:
            See `authenticate`.
        """

        async def ask(credentials: Credentials) -> list[Any]:
            return await auth.list_accounts(link, credentials, timeout_s=self._timings.request_s)

        return await self._with_token(link, ask)

    async def authorize(self, link: Link, account_id: int) -> None:
        """Authorises an account on this link, with the newest token.

        Raises:
            See `authenticate`.
        """

        async def ask(credentials: Credentials) -> None:
            await auth.authorize_account(link, credentials, account_id, timeout_s=self._timings.request_s)

        await self._with_token(link, ask)

    async def look_again(self) -> None:
        """An account's session has ended: another process may have rotated the pair.

        Raises:
            ConnectFailed: the store cannot be read.
        """
        if self._vault is not None and await self._vault.reread():
            self._take_pair()

    async def keep_fresh(self, link: Link) -> None:
        """Renews the pair ahead of its end, for as long as the link lives.

        A renewal that fails is told, and the next one is tried when half of the time that is left has gone.
        """
        if self._vault is None:
            return
        while True:
            at_ms = self._vault.refresh_at_ms(self._timings.refresh_ahead_s)
            if at_ms is None:
                await self._another.wait()  # the end of this one is not known; that of the next one may be
                continue
            left_s = (at_ms - clock.utc_ms()) / 1000
            try:
                if left_s > 0:
                    # In short spells: a clock may be set, a machine may sleep, and another process may renew it first.
                    await anyio.sleep(min(left_s, _LONGEST_SPELL_S))
                    await self.look_again()
                    continue
                await self._refresh(link)
                await anyio.sleep(_LOOK_S)  # whatever life the server gives a token: not in a circle
            except AuthenticationFailed as error:
                self._note("tokens", error=str(error), why="it was to be renewed ahead of its end")
                await self._another.wait()
            except (RequestFailed, ConnectFailed) as error:
                self._note("tokens", error=str(error), why="it was to be renewed ahead of its end, and will be later")
                expires_ms = self._vault.pair.expires_at_ms or 0
                await anyio.sleep(max(_AFTER_FAILURE_S, (expires_ms - clock.utc_ms()) / 2000))

    # Inside

    async def _with_token(self, link: Link, ask: Callable[[Credentials], Awaitable[T]]) -> T:
        while True:
            if self._vault is not None:
                await self._vault.settled()
            used = self.credentials
            try:
                return await ask(used)
            except AuthenticationFailed as error:
                if error.code not in _TOKEN_CODES or self._vault is None:
                    raise
                await self.look_again()
                if self.credentials is not used:
                    continue
                if not await self._find_another(link):
                    raise

    async def _find_another(self, link: Link) -> bool:
        """The pair is refused: whether another counts now, a renewed one or at last that of the settings.

        Raises:
            AuthenticationFailed: the renewal was refused too, and the settings have no other pair.
        """
        assert self._vault is not None
        if not self._may_refresh(link):
            return False
        try:
            if await self._refresh(link):
                return True
        except AuthenticationFailed:
            if not self._fall_back():
                raise
            return True
        return self._fall_back()

    def _fall_back(self) -> bool:
        assert self._vault is not None
        another = self._vault.fall_back()
        self._take_pair()
        return another

    def _may_refresh(self, link: Link) -> bool:
        """Not twice on one link for one pair, and not for a pair that is new and refused already."""
        assert self._vault is not None
        pair = self._vault.pair
        asked = self._asked is not None and self._asked[0] is link and self._asked[1] == pair
        new = pair.issued_at_ms is not None and clock.utc_ms() - pair.issued_at_ms < _NEW_MS
        return not asked and not new

    async def _refresh(self, link: Link) -> bool:
        """Asks for a new pair, unless the store has one; whether another counts from now on."""
        assert self._vault is not None
        self._asked = (link, self._vault.pair)
        environment, timeout_s = self.credentials.environment, self._timings.request_s

        async def ask(refresh_token: Secret) -> TokenPair:
            if left_s := self._patience.left_s(now_s=clock.now_s()):
                text = f"a new pair of tokens is not asked for before another {left_s:.0f} s have gone"
                raise RateLimited("REQUEST_FREQUENCY_EXCEEDED", text, retry_after_s=left_s)
            # The sessions on the old token end with this (section 7): what is asked from here on waits for the new one.
            self._renewed()
            try:
                with self._held():  # an answer that is lost because we leave would be a pair that is lost
                    pair = await auth.refresh_tokens(link, refresh_token, environment=environment, timeout_s=timeout_s)
            except RateLimited as error:
                self._patience.refused(retry_after_s=error.retry_after_s, now_s=clock.now_s())
                raise
            self._patience.accepted()
            self._known.append(self.credentials.with_tokens(pair))  # from here on a text may quote it
            return pair

        async def renew(vault: TokenVault) -> bool:
            newer = await vault.refresh(ask, used=vault.pair)
            self._take_pair()  # before anybody who waited for the rotation asks with the old one
            return newer

        return await self._apart(renew)

    async def _apart(self, work: Callable[[TokenVault], Awaitable[T]]) -> T:
        """Work on the vault in a task of the session's own: no cancellation of whoever waits for it reaches it."""
        assert self._vault is not None
        vault, done = self._vault, anyio.Event()
        results: list[T] = []
        failures: list[Exception] = []

        async def run() -> None:
            try:
                results.append(await work(vault))
            except Exception as error:
                failures.append(error)  # raised where it is waited for
            finally:
                done.set()

        if self.rotations is None:
            raise NotSent("the tokens are not renewed: the link has ended")
        self.rotations.start_soon(run)
        await done.wait()
        if failures:
            raise failures[0]
        if not results:
            raise NotSent("the tokens were not renewed: the link has ended")
        return results[0]

    def _take_pair(self) -> None:
        assert self._vault is not None
        pair = self._vault.pair
        if (pair.access_token, pair.refresh_token) != (self.credentials.access_token, self.credentials.refresh_token):
            self._use(self.credentials.with_tokens(pair))
            self._renewed()

    def _use(self, credentials: Credentials) -> None:
        self.credentials = credentials
        self._known.append(credentials)
        another, self._another = self._another, anyio.Event()
        another.set()
