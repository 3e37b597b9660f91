"""Who we are towards one environment, link after link: the application, and the newest pair of tokens.

docs/protocol.md section 7. A token that is refused is looked up in the store first, since another process may have
rotated it; only then, and once a link, is a new pair asked for.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from . import auth, clock
from .errors import AuthenticationFailed, ConnectFailed, RequestFailed
from .reconnect import TOKEN_CODES
from .renewal import Renewal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager

    from .link import Link
    from .settings import Credentials, Timings
    from .token_store import TokenPair
    from .tokens import TokenVault

__all__ = ["Access"]

T = TypeVar("T")

# docs/protocol.md section 7: an application that was ready may be refused for a moment right after a reconnect.
_AUTH_TRIES = 3
_AUTH_PAUSE_S = 5.0
_REMEMBERED = 8  # pairs whose text is still covered: a server may quote an old one
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
        stuck: told why nothing works on the present link until the disk takes a new pair.
        listed: told the account list, of each pair before an account is authorised with it.
        note: writes a line for people.

    Attributes:
        credentials: those that count now.
        was_ready: whether the server has taken the application before.
        renewal: how the pair is renewed, or None: it is not.
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
        stuck: Callable[[str], None],
        listed: Callable[[Any], None],
        note: Callable[..., None],
    ) -> None:
        self.credentials = credentials
        self.was_ready = False
        self.let_in = False
        self._vault = vault
        self._timings = timings
        self._renewed = renewed
        self._listed = listed
        self._note = note
        self._known: deque[Credentials] = deque([credentials], maxlen=_REMEMBERED)
        self._another = anyio.Event()  # set when other credentials count
        self._given: Credentials | None = None  # by somebody who has acted; the vault does not know of them yet
        self._finding = anyio.Lock()
        self._unrenewed: RequestFailed | None = None  # why a new pair could not be had last
        self._listed_with: Credentials | None = None
        self._unsaid: Credentials | None = None  # whose these are was asked, and not said: not once a link
        self.renewal: Renewal | None = None
        if vault is not None:
            self.renewal = Renewal(
                vault,
                environment=credentials.environment,
                timings=timings,
                held=held,
                begins=renewed,
                heard=self._hear,
                counts=self._take_pair,
                stuck=stuck,
                note=note,
            )

    def masked(self, text: str) -> str:
        """A text of somebody else's with every secret of ours in it covered, those of late included."""
        for credentials in self._known:
            text = credentials.masked(text)
        return text

    def owns(self, text: str) -> bool:
        """Whether a text is a secret of ours, one that counted lately included."""
        return any(credentials.holds(text) for credentials in self._known)

    async def replaced(self) -> None:
        """Returns when somebody has given others than the present link was opened with."""
        while self._given is None:
            await self._another.wait()

    def replace(self, credentials: Credentials) -> None:
        """Somebody has given others: they count from the next link on."""
        # What they are to cover besides is still to be covered.
        self._use(credentials.beside(*{*credentials.never_sent, *self.credentials.never_sent}))
        self.was_ready = False
        self._given = credentials

    async def open(self) -> None:
        """Before each link: the newest pair of the store, which wins over that of the settings.

        Raises:
            ConnectFailed: the store cannot be used, or has not taken a new pair yet.
        """
        self.let_in = False
        if self.unsaved is not None:
            raise ConnectFailed(self.unsaved)
        if self._vault is None:
            self._given = None
            return
        while (given := self._given) is not None:
            await self._vault.replace(given)  # where it cannot now, they are still to be taken by the next link
            if self._given is given:
                self._given = None
        await self._vault.open()
        self._take_pair()

    @property
    def unsaved(self) -> str | None:
        """Why a new pair is not stored, which until then is not used; None where there is none such."""
        return self._vault.rotation.unsaved if self._vault is not None else None

    @property
    def held_up(self) -> str:
        """What is being waited for that is not the server's, or is late, as the end of a sentence; else nothing."""
        vault = self._vault
        why = (vault.rotation.held_up or vault.room.held_up) if vault is not None else None
        return f": {why}" if why is not None else ""

    async def saved(self) -> None:
        """Returns when no new pair waits for the disk."""
        if self._vault is not None:
            await self._vault.rotation.saved()

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
        return await self._with_token(link, partial(self._list, link))

    async def authorize(self, link: Link, account_id: int) -> None:
        """Authorises an account on this link, with the newest token.

        Raises:
            See `authenticate`.
        """

        async def ask(credentials: Credentials) -> None:
            if credentials is not self._listed_with:  # another token may cover less, and be allowed less
                await self._list(link, credentials)
            await auth.authorize_account(link, credentials, account_id, timeout_s=self._timings.request_s)

        await self._with_token(link, ask)

    def tells_of_pair(self, error: Exception) -> bool:
        """Whether it is why there is no new pair, and so nothing of the account that was asked for."""
        return error is self._unrenewed

    async def look_again(self) -> None:
        """An account's session has ended, or some time has gone: another process may have rotated the pair.

        Raises:
            ConnectFailed: the store cannot be read, and the pair in hand was never stored.
        """
        if self._vault is not None and await self._vault.look():
            self._take_pair()

    async def keep_fresh(self, link: Link) -> None:
        """Renews the pair ahead of its end, and sees that it stays stored, for as long as the link lives."""
        if self.renewal is not None:
            await self.renewal.keep_fresh(link, look=self.look_again, another=self._changed)

    # Inside

    async def _changed(self) -> None:
        await self._another.wait()

    async def _list(self, link: Link, credentials: Credentials) -> list[Any]:
        answer = await auth.list_accounts(link, credentials, timeout_s=self._timings.request_s)
        self._listed(answer)
        self._listed_with = credentials
        return list(answer.ctidTraderAccount)

    async def _with_token(self, link: Link, ask: Callable[[Credentials], Awaitable[T]]) -> T:
        while True:
            if self._vault is not None:
                await self._vault.rotation.settled()
            used = self.credentials
            try:
                return await ask(used)
            except AuthenticationFailed as error:
                if error.code not in TOKEN_CODES or self._vault is None:
                    raise
                async with self._finding:  # several accounts at a time may have it refused
                    if self.credentials is used:
                        await self.look_again()
                    if self.credentials is used and not await self._find_another(link):
                        raise

    async def _find_another(self, link: Link) -> bool:
        """The pair is refused: whether another counts now, a renewed one or at last that of the settings.

        Raises:
            AuthenticationFailed: the renewal was refused too, and the settings have no other pair.
        """
        assert self.renewal is not None
        try:
            if await self.renewal.ask_once(link):
                return True
        except AuthenticationFailed:
            if not self._fall_back():
                raise
            return True
        except RequestFailed as error:
            self._unrenewed = error
            raise
        return self._fall_back()

    def _fall_back(self) -> bool:
        assert self._vault is not None
        another = self._vault.fall_back()
        self._take_pair()
        return another

    def _hear(self, pair: TokenPair) -> None:
        self._known.append(self.credentials.with_tokens(pair))  # from here on a text may quote it

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
