"""Holds the access to one environment up: connect, authenticate, restore, serve; and again when the link is lost.

One link after the other, each of them new; nothing that was queued on one survives it.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel

from ..wire import AccountState, Delimiting, JsonCodec, ProtobufCodec, framing_of
from ..wire import messages as oa
from ..wire.catalog import account_of
from ..wire.events import AccountChanged, ErrorReceived, EventReceived, SpotsReceived, UndecodedReceived
from ..wire.messages import name_of
from . import auth, clock
from .errors import (
    AuthenticationFailed,
    ConnectFailed,
    CTraderError,
    NotSent,
    OutcomeUnknown,
    RequestFailed,
    SessionClosed,
    UnderMaintenance,
    WrongEnvironment,
)
from .link import Link
from .reconnect import Backoff
from .states import SESSION_TABLE, SessionInput, SessionState, StateChange
from .subscriptions import EventStream
from .transport import open_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from ..wire.events import Event
    from .account import Account
    from .connection_log import ConnectionLog
    from .environments import CodecName, Endpoint
    from .gate import Gate
    from .settings import Credentials, Rates, Timings

__all__ = ["StateChange", "Supervisor"]

_CODECS: Mapping[str, Callable[[], ProtobufCodec | JsonCodec]] = MappingProxyType(
    {"protobuf": ProtobufCodec, "json": JsonCodec}
)
# docs/protocol.md section 7: an application that was ready may be refused for a moment right after a reconnect.
_AUTH_TRIES = 3
_AUTH_PAUSE_S = 5.0


class Supervisor:
    """The life of one session.

    Args:
        credentials: whose session, and where.
        codec: `"protobuf"` or `"json"`.
        endpoint: where to connect.
        timings: intervals and deadlines.
        rates: what may leave a second.
        gate: what leaves passes through it.
        log: where the connection's life is written.
        account: makes the account that a row of the account list describes.
        wanted: accounts to authorise before the session is ready.

    Attributes:
        state: what the session is doing.
        reason: why it came to that, for people.
        failure: why the last try ended, where it was a failure.
        link: the present link, or None.
        listed: the account list, newest.
        accounts: the accounts that are kept authorised.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        codec: CodecName,
        endpoint: Endpoint,
        timings: Timings,
        rates: Rates,
        gate: Gate,
        log: ConnectionLog | None,
        account: Callable[[Any], Account],
        wanted: Iterable[int],
    ) -> None:
        self.environment = credentials.environment
        self.credentials = credentials
        self.endpoint = endpoint
        self.timings = timings
        self.codec = codec
        self.state = SessionState.CONNECTING
        self.reason = "not tried yet"
        self.failure: CTraderError | None = None
        self.link: Link | None = None
        self.listed: list[Any] = []
        self.accounts: dict[int, Account] = {}
        self._rates = rates
        self._gate = gate
        self._log = log
        self._account = account
        self._wanted = tuple(wanted)
        self._usable: set[int] = set()  # accounts that are authorised on the present link
        self._restored: set[int] = set()  # those whose books are right again: they may trade
        self._doubted: set[int] = set()  # those whose books are to be held against the server's word again
        self._moved = anyio.Event()
        self._mending = anyio.Event()
        self._resumed = anyio.Event()
        self._watchers: list[EventStream[StateChange]] = []
        self._authorizing = anyio.Lock()
        self._was_ready = False
        self._ready_s: float | None = None
        self._backoff = Backoff(
            first_s=timings.reconnect_first_s, most_s=timings.reconnect_most_s, steady_s=timings.reconnect_steady_s
        )

    # For the session

    async def usable_link(self, name: str, account_id: int | None, *, by_s: float) -> Link:
        """The present link, once a request of this account may pass; waits for the session up to the deadline.

        Raises:
            NotSent: it did not come in time.
            SessionClosed: it will not come.
        """
        link = self._usable_now(account_id)  # mostly it is there, and waiting for nothing costs as much as a request
        if link is not None:
            return link
        with anyio.move_on_after(max(0.0, by_s - clock.now_s())):
            while True:
                moved = self._moved
                if (link := self._usable_now(account_id)) is not None:
                    return link
                await moved.wait()
        raise self.not_ready(name)

    def _usable_now(self, account_id: int | None) -> Link | None:
        if self.state is SessionState.CLOSED:
            raise SessionClosed(f"the session of {self.environment.value} was left")
        link = self.link
        restoring = self.state is SessionState.RESTORING and account_id in self._usable
        serving = self.state is SessionState.READY or restoring
        known = account_id not in self.accounts or account_id in self._usable
        return link if link is not None and link.over is None and serving and known else None

    def trading_link(self, name: str, account_id: int | None) -> Link:
        """The present link, if this account may trade on it just now. Never waits.

        Raises:
            NotSent: the session is not ready, or the account is not restored.
        """
        if self.state is not SessionState.READY or self.link is None or self.link.over is not None:
            raise self.not_ready(name)
        if account_id is not None and account_id not in self._restored:
            raise NotSent(f"{name} did not leave: account {account_id} is not restored just now")
        return self.link

    def is_lost(self, account_id: int | None) -> bool:
        """Whether an account is kept authorised, and just now is not."""
        return account_id in self.accounts and account_id not in self._usable

    def not_ready(self, name: str) -> NotSent:
        """What a request is told that does not leave."""
        return NotSent(f"{name} did not leave: {self.environment.value} is {self.state.value} ({self.reason})")

    async def authorize(self, account_id: int) -> Account:
        """Authorises an account on the present link, and keeps it so over every reconnect."""
        async with self._authorizing:  # two callers at once get the same account
            if account_id not in self.accounts:
                by_s = clock.now_s() + self.timings.request_s
                link = await self.usable_link("ProtoOAAccountAuthReq", None, by_s=by_s)
                await self._restore(link, self._known_account(account_id))
                self._tell()
        return self.accounts[account_id]

    @asynccontextmanager
    async def changes(self) -> AsyncIterator[EventStream[StateChange]]:
        """The moves, as an asynchronous iterator; the present state comes first."""
        stream: EventStream[StateChange] = EventStream()
        stream.put(StateChange(clock.utc_ms(), self.state, self.reason))
        if self.state is SessionState.CLOSED:
            stream.end()
        self._watchers.append(stream)
        try:
            yield stream
        finally:
            self._watchers.remove(stream)
            stream.end()

    async def wait_for(self, *states: SessionState) -> SessionState:
        """Waits until the state is one of these. No deadline: bring your own.

        Raises:
            SessionClosed: it will never be.
        """
        await anyio.lowlevel.checkpoint()
        while self.state not in states:
            if self.state is SessionState.CLOSED:
                raise SessionClosed(f"the session of {self.environment.value} was left")
            await self._moved.wait()
        return self.state

    def review(self, account_id: int | None) -> None:
        """The books of an account are in doubt: the server is asked again, soon."""
        if account_id in self.accounts:
            self._doubted.add(account_id)
            self._mending.set()

    def resume(self, credentials: Credentials | None) -> None:
        """Lets a session that was refused try again."""
        if credentials is not None:
            self.credentials = credentials
            self._gate.mask = credentials.masked
            self._was_ready = False
        # Otherwise there is nothing to resume, and the next refusal must not find that somebody has acted on it.
        if credentials is not None or self.state in (SessionState.WAITING, SessionState.REFUSED):
            self._resumed.set()

    # The life

    async def serve(self) -> None:
        """Holds the session up until it is cancelled."""
        reason = "left"
        try:
            while True:
                await self._one_link()
                if self.state is SessionState.REFUSED:
                    await self._resumed.wait()
                else:
                    await self._wait()
                self._resumed = anyio.Event()
                self._move(SessionInput.RETRY, "trying again")
        except Exception:
            reason = "ended by a fault of our own"
            raise
        finally:
            self._move(SessionInput.LEFT, reason)
            for account in self.accounts.values():
                account.end(f"the session of {self.environment.value} was left")
            for watcher in self._watchers:
                watcher.end()

    async def _wait(self) -> None:
        ready_for_s = 0.0 if self._ready_s is None else clock.now_s() - self._ready_s
        delay_s = self._backoff.lost(ready_s=ready_for_s)
        if isinstance(self.failure, UnderMaintenance) and self.failure.until_ms is not None:
            delay_s += max(0.0, (self.failure.until_ms - clock.utc_ms()) / 1000)
        self._note("wait", delay_s=round(delay_s, 3))
        with anyio.move_on_after(delay_s):
            await self._resumed.wait()  # somebody who knows better may cut the wait short

    async def _one_link(self) -> None:
        """From nothing to a link, to its end. The state is WAITING or REFUSED when it returns."""
        self._ready_s, self.failure = None, None
        by_s = clock.now_s() + self.timings.connect_s
        try:
            stream = await open_stream(self.endpoint, deadline_s=self.timings.connect_s)
        except ConnectFailed as error:
            self.failure = error
            self._move(SessionInput.LOST, str(error))
            return
        link = Link(
            stream,
            _CODECS[self.codec](),
            framing=framing_of(Delimiting(self.endpoint.delimiting)),
            timings=self.timings,
            rates=self._rates,
            listener=self,
            release=self._gate.release,
            mask=self.credentials.masked,
        )
        async with anyio.create_task_group() as tasks:

            async def live() -> None:
                await link.run()
                tasks.cancel_scope.cancel()

            tasks.start_soon(live)
            try:
                await self._use(link, by_s=by_s)
            except WrongEnvironment as error:
                self.failure = AuthenticationFailed(str(error), code="WRONG_ENVIRONMENT")
            except (AuthenticationFailed, RequestFailed, ConnectFailed) as error:
                self.failure = error
            finally:
                self.link = None
                self._usable.clear()
                self._restored.clear()
            tasks.cancel_scope.cancel()
        if link.lost and isinstance(self.failure, NotSent | OutcomeUnknown):
            # That is what the end of the link did to a request of ours, and not why it ended.
            where = f"{self.endpoint.host}:{self.endpoint.port}"
            self.failure = ConnectFailed(f"{where}: {link.over}") if self._ready_s is None else None
        for account in self.accounts.values():
            account.lost()
        refused = isinstance(self.failure, AuthenticationFailed)
        self._move(
            SessionInput.REFUSED if refused else SessionInput.LOST,
            str(self.failure) if self.failure is not None else link.over or "",
        )

    async def _use(self, link: Link, *, by_s: float) -> None:
        """Brings a link up and looks after it, until it ends or something says that it must."""
        self.link = link
        self._move(SessionInput.CONNECTED, f"{self.endpoint.host}:{self.endpoint.port} over {self.codec}")
        try:
            with anyio.fail_after(max(0.0, by_s - clock.now_s())):
                await self._authenticate(link)
        except TimeoutError:
            raise ConnectFailed(
                f"{self.endpoint.host}:{self.endpoint.port}: not connected and authenticated within "
                f"{self.timings.connect_s:g} s"
            ) from None
        for account_id in dict.fromkeys((*self._wanted, *self.accounts)):
            await self._restore(link, self._known_account(account_id))
        self._ready_s = clock.now_s()
        self._was_ready = True
        self._move(SessionInput.RESTORED, "ready")
        await self._mend(link)

    async def _authenticate(self, link: Link) -> None:
        timeout_s = self.timings.connect_s
        tries = _AUTH_TRIES if self._was_ready else 1
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
                break
        await self.list_accounts(link)
        self._move(SessionInput.AUTHENTICATED, f"the token covers {len(self.listed)} accounts")

    async def list_accounts(self, link: Link) -> None:
        """Asks which accounts the token covers; those of the other environment are refused from here on."""
        self.listed = await auth.list_accounts(link, self.credentials, timeout_s=self.timings.request_s)
        self._gate.foreign = {
            row.ctidTraderAccountId for row in self.listed if row.isLive is not self.environment.is_live
        }

    def _known_account(self, account_id: int) -> Account:
        """The account, authorised before or not; nothing has left for one of the other environment."""
        account = self.accounts.get(account_id)
        if account is not None:
            return account
        return self._account(auth.required_account(self.listed, account_id, environment=self.environment))

    async def _restore(self, link: Link, account: Account) -> None:
        await auth.authorize_account(link, self.credentials, account.id, timeout_s=self.timings.request_s)
        self.accounts[account.id] = account
        self._usable.add(account.id)
        self._gate.accounts.add(account.id)
        self._tell()  # who waits for this account may ask now; a new subscription must not wait for the restoring
        await account.restore()
        self._doubted.discard(account.id)
        self._restored.add(account.id)
        self._note("account", account=account.id, state="restored")

    async def _mend(self, link: Link) -> None:
        """Authorises accounts again whose session ended while the link stayed (docs/protocol.md section 7).

        And reviews the books of those where a request was never answered.
        """
        while True:
            await self._mending.wait()
            self._mending = anyio.Event()
            for account in list(self.accounts.values()):
                if account.id not in self._usable:
                    account.lost()
                    await self._restore(link, account)
                    self._tell()
                elif account.id in self._doubted:
                    await self._review(account)

    async def _review(self, account: Account) -> None:
        self._doubted.discard(account.id)
        try:
            await account.review()
        except CTraderError as error:  # what is in doubt stays so until the account is restored
            self._note("review_failed", account=account.id, reason=str(error))

    # From the reader

    def heard(self, event: Event) -> None:
        """Everything that no request waits for, in the order of arrival."""
        if isinstance(event, SpotsReceived):
            for account_id, spots in event.by_account().items():
                if account_id in self.accounts:
                    self.accounts[account_id].quoted(spots)
        elif isinstance(event, EventReceived):
            account = self.accounts.get(account_of(event.message.payload) or 0)
            if account is not None:
                account.heard(event.message)
        elif isinstance(event, AccountChanged):
            if event.state is AccountState.LOGGED_OUT and event.account in self._usable:
                self._usable.discard(event.account)
                self._restored.discard(event.account)
                self._note("account", account=event.account, state="lost")
                self._mending.set()
        elif isinstance(event, ErrorReceived):
            self._note("server_error", code=event.code, description=event.description, account=event.account)
            late = event.client_msg_id is None and event.message.client_msg_id
            if late and not isinstance(event.message.payload, oa.ProtoOAOrderErrorEvent):  # which is an event too
                for account in self.accounts.values():
                    account.heard_late(event.message)
        elif isinstance(event, UndecodedReceived):
            self._note("undecoded", type=name_of(event.payload_type), reason=event.reason)

    # Inside

    def _move(self, moved_by: SessionInput, reason: str) -> None:
        self.state = SESSION_TABLE[self.state, moved_by]
        self.reason = reason
        self._note("state", state=self.state.value, reason=reason)
        change = StateChange(clock.utc_ms(), self.state, reason)
        for watcher in self._watchers:
            watcher.put(change)
        self._tell()

    def _tell(self) -> None:
        moved, self._moved = self._moved, anyio.Event()
        moved.set()

    def _note(self, what: str, **fields: object) -> None:
        if self._log is not None:
            self._log.write(what, **fields)
