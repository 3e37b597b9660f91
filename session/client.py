"""`connect()`, and its session: connect, authenticate, restore, serve; and again when the link is lost."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from ..wire import AccountState, JsonCodec, Message, Permission, ProtobufCodec
from ..wire.catalog import account_of, permission_of
from ..wire.events import AccountChanged, ErrorReceived, EventReceived, UndecodedReceived
from ..wire.messages import name_of
from . import auth, clock
from .account import Account
from .books import Books
from .errors import (
    AuthenticationFailed,
    ConnectFailed,
    CTraderError,
    NotSent,
    RateLimited,
    RequestFailed,
    ServerError,
    SessionClosed,
    UnderMaintenance,
    WrongEnvironment,
)
from .gate import Gate, facts_of
from .link import Link
from .reconnect import Backoff
from .settings import Credentials, Endpoint, Environment, Mode, Rates, Timings, check_endpoint
from .states import SESSION_TABLE, SessionInput, SessionState
from .subscriptions import EventStream
from .tasks import background
from .transport import open_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from ..wire.events import Event
    from .audit import Audit
    from .connection_log import ConnectionLog
    from .environments import CodecName

__all__ = ["Session", "StateChange", "connect"]

_CODECS: dict[str, Callable[[], ProtobufCodec | JsonCodec]] = {"protobuf": ProtobufCodec, "json": JsonCodec}
# docs/protocol.md section 7: an application that was ready may be refused for a moment right after a reconnect.
_AUTH_TRIES = 3
_AUTH_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True)
class StateChange:
    """A session has moved.

    Attributes:
        at_ms: when, UTC milliseconds.
        state: what it does now.
        reason: why, for people.
    """

    at_ms: int
    state: SessionState
    reason: str


class Session:
    """Supervised access to one environment. Made by `connect()`, or by the desk.

    Attributes:
        environment: demo or live, for good.
        state: what it is doing.
        reason: why it came to that, for people.
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
        log: ConnectionLog | None = None,
        accounts: Iterable[int] = (),
    ) -> None:
        self.environment = credentials.environment
        self.state = SessionState.CONNECTING
        self.reason = "not tried yet"
        self.timings = timings
        self.endpoint = endpoint
        self.codec = codec
        self.gate = gate
        self.books: dict[int, Books] = {}
        self._wanted = tuple(accounts)
        self._credentials = credentials
        self._rates = rates
        self._log = log
        self._link: Link | None = None
        self._listed: list[Any] = []
        self._accounts: dict[int, Account] = {}
        self._usable: set[int] = set()  # accounts that are authorised on the present link
        self._restored: set[int] = set()  # those whose books are right again: they may trade
        self._moved = anyio.Event()
        self._mending = anyio.Event()
        self._resumed = anyio.Event()
        self._watchers: list[EventStream[StateChange]] = []
        self._backoff = Backoff(
            first_s=timings.reconnect_first_s, most_s=timings.reconnect_most_s, steady_s=timings.reconnect_steady_s
        )
        self._was_ready = False
        self._ready_for_s = 0.0
        self.failure: CTraderError | None = None

    def __repr__(self) -> str:
        return f"<Session {self.environment.value} {self.state.value}>"

    # For callers

    async def request(self, payload: Any, *, timeout_s: float | None = None) -> Any:
        """Asks the server.

        While the session is not ready a trading request fails at once; any other waits, up to its own deadline.

        Args:
            payload: the request's message.
            timeout_s: seconds for all of it, the time in the queue included; None for the settings' own.

        Returns:
            The payload of the answer.

        Raises:
            NotSent: no byte of it left.
            Refused: the guard did not let it leave (`LiveTradingDisabled`, `WrongEnvironment`, …).
            ServerError: the server answered with an error.
            OutcomeUnknown: it left, and no answer came.
            SessionClosed: the session was left.
        """
        timeout_s = self.timings.request_s if timeout_s is None else timeout_s
        message = Message(payload)
        self.gate.judge(message)
        permission = permission_of(message.payload_type)
        if permission is not None and permission.trades:
            facts = {"request": message.name, **facts_of(payload)}
            await self.gate.record("intent", facts, essential=permission in (Permission.CLOSE, Permission.CANCEL))
            return await self.trade(
                payload,
                timeout_s=timeout_s,
                on_sent=lambda at_ms, id_: self.gate.note("sent", {**facts, "request_id": id_, "sent_at_ms": at_ms}),
            )
        by_s = clock.now_s() + timeout_s
        while True:
            link = await self._usable_link(message, by_s=by_s)
            left_s = max(0.0, by_s - clock.now_s())
            try:
                return (await link.request(payload, timeout_s=left_s, judge=self.gate.judge)).payload
            except RateLimited:
                if permission is not Permission.READ or clock.now_s() >= by_s:
                    raise
            except NotSent:
                if link.over is None or clock.now_s() >= by_s:
                    raise

    async def trade(
        self, payload: Any, *, timeout_s: float | None = None, on_sent: Callable[[int, str], None] | None = None
    ) -> Any:
        """Sends a trading request whose intent is on record already. Never waits for the session, never repeats.

        Args:
            payload: the request's message.
            timeout_s: seconds for the answer.
            on_sent: told, just before its bytes leave, the UTC milliseconds and the client message id.

        Raises:
            See `request`.
        """
        link = self._link
        account_id = account_of(payload)
        name = type(payload).__name__
        if self.state is not SessionState.READY or link is None or link.over is not None:
            raise NotSent(f"{name} did not leave: {self.environment.value} is {self.state.value} ({self.reason})")
        if account_id not in self._restored:
            raise NotSent(f"{name} did not leave: account {account_id} is not restored just now")
        answer = await link.request(
            payload,
            timeout_s=self.timings.request_s if timeout_s is None else timeout_s,
            leave_within_s=self.timings.order_queue_s,
            judge=self.gate.judge,
            on_sent=on_sent,
        )
        return answer.payload

    async def accounts(self) -> list[Any]:
        """The accounts that the token covers, demo and live alike: a `ProtoOACtidTraderAccount` each, asked anew.

        Raises:
            See `request`.
        """
        link = await self._usable_link(None, by_s=clock.now_s() + self.timings.request_s)
        self._listed = await auth.list_accounts(link, self._credentials, timeout_s=self.timings.request_s)
        return list(self._listed)

    async def authorize(self, account_id: int) -> Account:
        """Authorises an account, and keeps it so over every reconnect.

        Raises:
            WrongEnvironment: it belongs to the other environment; nothing left for it.
            AuthenticationFailed: the token does not cover it, or the server refused it.
        """
        if account_id not in self._accounts:
            if not any(row.ctidTraderAccountId == account_id for row in self._listed):
                await self.accounts()
            account = self._known_account(account_id)
            link = await self._usable_link(None, by_s=clock.now_s() + self.timings.request_s)
            await self._restore(link, account)
            self._tell()
        return self._accounts[account_id]

    @asynccontextmanager
    async def changes(self) -> AsyncIterator[EventStream[StateChange]]:
        """The session's moves, as an asynchronous iterator; the present state comes first."""
        stream: EventStream[StateChange] = EventStream()
        stream.put(StateChange(clock.utc_ms(), self.state, self.reason))
        self._watchers.append(stream)
        try:
            yield stream
        finally:
            self._watchers.remove(stream)
            stream.end()

    async def wait_for(self, *states: SessionState) -> SessionState:
        """Waits until the session is in one of these states. No deadline: bring your own."""
        while self.state not in states:
            await self._moved.wait()
        return self.state

    def resume(self, credentials: Credentials | None = None) -> None:
        """Lets a session that was refused try again, with new credentials or the same.

        Raises:
            WrongEnvironment: the credentials are the other environment's.
        """
        if credentials is not None:
            if credentials.environment is not self.environment:
                raise WrongEnvironment(f"these credentials belong to {credentials.environment.value}")
            self._credentials = credentials
            self._was_ready = False
        self._resumed.set()

    @property
    def link(self) -> Link | None:
        """The present link, for those who want to look: its throttle, its heartbeat."""
        return self._link

    @property
    def authorized(self) -> dict[int, Account]:
        """The accounts that this session keeps authorised."""
        return dict(self._accounts)

    # The life of the session

    async def serve(self) -> None:
        """Holds the session up until it is cancelled. One link after the other, each of them new."""
        try:
            while True:
                await self._one_link()
                if self.state is SessionState.REFUSED:
                    await self._resumed.wait()
                    self._resumed = anyio.Event()
                else:
                    delay_s = self._backoff.lost(ready_s=self._ready_for_s)
                    if isinstance(self.failure, UnderMaintenance) and self.failure.until_ms is not None:
                        delay_s += max(0.0, (self.failure.until_ms - clock.utc_ms()) / 1000)
                    self._note("wait", delay_s=round(delay_s, 3))
                    await anyio.sleep(delay_s)
                self._move(SessionInput.RETRY, "trying again")
        finally:
            self._move(SessionInput.LEFT, "left")
            for account in self._accounts.values():
                account.end(f"the session of {self.environment.value} was left")
            for watcher in self._watchers:
                watcher.end()

    async def _one_link(self) -> None:
        self._ready_for_s = 0.0
        self.failure = None
        try:
            with anyio.fail_after(self.timings.connect_s):
                stream = await open_stream(self.endpoint, deadline_s=self.timings.connect_s)
        except (ConnectFailed, TimeoutError) as error:
            self.failure = error if isinstance(error, ConnectFailed) else ConnectFailed("no connection in time")
            self._move(SessionInput.LOST, str(self.failure))
            return
        link = Link(stream, _CODECS[self.codec](), timings=self.timings, rates=self._rates, listener=_Ears(self))
        ready_s: float | None = None
        reason = ""
        async with anyio.create_task_group() as tasks:

            async def live() -> None:
                nonlocal reason
                reason = await link.run()
                tasks.cancel_scope.cancel()

            tasks.start_soon(live)
            try:
                self._link = link
                self._move(SessionInput.CONNECTED, f"{self.endpoint.host}:{self.endpoint.port} over {self.codec}")
                with anyio.fail_after(self.timings.connect_s):
                    await self._authenticate(link)
                await self._restore_all(link)
                ready_s = clock.now_s()
                self._was_ready = True
                self._move(SessionInput.RESTORED, "ready")
                await self._mend(link)
            except AuthenticationFailed as error:
                self.failure = error
            except TimeoutError:
                self.failure = ConnectFailed(
                    f"{self.endpoint.host}:{self.endpoint.port} did not authenticate us within "
                    f"{self.timings.connect_s:g} s"
                )
            except WrongEnvironment as error:
                self.failure = AuthenticationFailed(str(error), code="WRONG_ENVIRONMENT")
            except (RequestFailed, ConnectFailed) as error:
                self.failure = error
            finally:
                self._link = None
                self._usable.clear()
                self._restored.clear()
                if ready_s is not None:
                    self._ready_for_s = clock.now_s() - ready_s
            tasks.cancel_scope.cancel()
        for account in self._accounts.values():
            account.lost()
        if isinstance(self.failure, AuthenticationFailed):
            self._move(SessionInput.REFUSED, str(self.failure))
        else:
            self._move(SessionInput.LOST, str(self.failure) if self.failure is not None else reason)

    async def _authenticate(self, link: Link) -> None:
        timeout_s = self.timings.connect_s
        tries = _AUTH_TRIES if self._was_ready else 1
        for left in reversed(range(tries)):
            try:
                await auth.authenticate_application(link, self._credentials, timeout_s=timeout_s)
            except AuthenticationFailed as error:
                if not left:
                    raise
                self._note("auth_refused", code=error.code, tries_left=left)
                await anyio.sleep(min(_AUTH_PAUSE_S, timeout_s / (_AUTH_TRIES + 1)))
            else:
                break
        self._listed = await auth.list_accounts(link, self._credentials, timeout_s=timeout_s)
        self.gate.foreign = {
            row.ctidTraderAccountId for row in self._listed if row.isLive is not self.environment.is_live
        }
        self._move(SessionInput.AUTHENTICATED, f"the token covers {len(self._listed)} accounts")

    async def _restore_all(self, link: Link) -> None:
        for account_id in dict.fromkeys((*self._wanted, *self._accounts)):
            await self._restore(link, self._known_account(account_id))

    def _known_account(self, account_id: int) -> Account:
        """The account, whether it was authorised before or not; nothing leaves for one of the other environment."""
        account = self._accounts.get(account_id)
        if account is None:
            listed = auth.required_account(self._listed, account_id, environment=self.environment)
            account = Account(self, listed)
            if self.gate.audit is not None:
                books = Books(account, gate=self.gate, log=self._log)
                account.keep(books)
                self.books[account_id] = books
                self.gate.books[account_id] = books.positions
        return account

    async def _restore(self, link: Link, account: Account) -> None:
        await auth.authorize_account(link, self._credentials, account.id, timeout_s=self.timings.request_s)
        self._accounts[account.id] = account
        self._usable.add(account.id)
        self.gate.accounts.add(account.id)
        await account.restore()
        self._restored.add(account.id)
        self._note("account", account=account.id, state="restored")

    async def _mend(self, link: Link) -> None:
        """Authorises accounts again whose session ended while the link stayed (docs/protocol.md section 7)."""
        while True:
            await self._mending.wait()
            self._mending = anyio.Event()
            for account in list(self._accounts.values()):
                if account.id not in self._usable:
                    account.lost()
                    await self._restore(link, account)
                    self._tell()

    # Inside

    async def _usable_link(self, message: Message | None, *, by_s: float) -> Link:
        """The present link, once a request may pass; waits for the session up to the deadline."""
        account_id = account_of(message.payload) if message is not None else None
        waits_for_account = account_id is not None and account_id in self._accounts
        with anyio.move_on_after(max(0.0, by_s - clock.now_s())):
            while True:
                link, moved = self._link, self._moved
                restoring = self.state is SessionState.RESTORING and account_id in self._usable
                if self.state is SessionState.CLOSED:
                    raise SessionClosed(f"the session of {self.environment.value} was left")
                alive = link is not None and link.over is None
                known = not waits_for_account or account_id in self._usable
                if link is not None and alive and known and (self.state is SessionState.READY or restoring):
                    return link
                await moved.wait()
        what = message.name if message is not None else "the request"
        raise NotSent(f"{what} did not leave: {self.environment.value} is {self.state.value} ({self.reason})")

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

    def heard(self, event: Event) -> None:
        """From the reader of the present link."""
        if isinstance(event, EventReceived):
            account = self._accounts.get(account_of(event.message.payload) or 0)
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
        elif isinstance(event, UndecodedReceived):
            self._note("undecoded", type=name_of(event.payload_type), reason=event.reason)


class _Ears:
    """What a link tells a session; of a link that is not the present one, nothing."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def heard(self, event: Event) -> None:
        self._session.heard(event)


@asynccontextmanager
async def connect(
    environment: Environment,
    credentials: Credentials,
    *,
    codec: CodecName = "protobuf",
    host: str | None = None,
    port: int | None = None,
    ca_file: Any = None,
    timings: Timings | None = None,
    rates: Rates | None = None,
    trading: Mode = Mode.OFF,
    audit: Audit | None = None,
    log: ConnectionLog | None = None,
) -> AsyncIterator[Session]:
    """A session with one environment: connected, the application authorised, beating; healed for as long as it is held.

    Args:
        environment: demo or live.
        credentials: those of the same environment.
        codec: `"protobuf"` (port 5035) or `"json"` (port 5036).
        host: another host than the published one; one that is published for the other environment is refused.
        port: another port than the codec's standard one.
        ca_file: certificates to trust in place of the system's (a fake server's own).
        timings: intervals and deadlines.
        rates: what may leave a second.
        trading: what the guard lets pass. Without both a mode and an audit, no trading request does.
        audit: where orders are recorded.
        log: where the connection's own life is written.

    Raises:
        SettingsError: the endpoint does not fit the environment or the codec. Nothing was connected.
        WrongEnvironment: the credentials are the other environment's. Nothing was connected.
        ConnectFailed: no link, or no authorisation within its time. Nothing is left open.
        AuthenticationFailed: the server refused the application or the token. Nothing is left open.
    """
    if credentials.environment is not environment:
        raise WrongEnvironment(
            f"the credentials belong to {credentials.environment.value}, and the connection is to {environment.value}"
        )
    published = Endpoint.published(environment, codec)
    endpoint = Endpoint(
        host if host is not None else published.host, port if port is not None else published.port, ca_file
    )
    check_endpoint(environment, endpoint, codec)
    session = Session(
        credentials,
        codec=codec,
        endpoint=endpoint,
        timings=timings if timings is not None else Timings(),
        rates=rates if rates is not None else Rates(),
        gate=Gate(environment, mode=trading, audit=audit),
        log=log,
    )
    async with _served(session):
        yield session


@asynccontextmanager
async def _served(session: Session) -> AsyncIterator[None]:
    """The session's own task around the body; the first try decides, and its failure is raised plainly."""
    async with background() as tasks:
        tasks.start_soon(session.serve)
        state = await session.wait_for(SessionState.READY, SessionState.WAITING, SessionState.REFUSED)
        if state is SessionState.READY:
            yield
            return
        failure = session.failure or ConnectFailed(session.reason)
        if isinstance(failure, ServerError):
            raise ConnectFailed(f"{session.endpoint.host}: the server answered {failure}") from failure
        raise failure
