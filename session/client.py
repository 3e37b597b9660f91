"""`connect()`, and the session that it gives: what callers ask one environment for."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..wire import LocalProtocolError, Message, Permission
from ..wire import messages as oa
from ..wire.catalog import account_of, permission_of
from . import clock
from .account import Account
from .allowance import Allowance
from .answers import answered
from .arguments import check_kind, check_payload, check_word
from .audit import Audit
from .book_watch import BookWatch
from .books import Books
from .connection_log import ConnectionLog
from .environments import Endpoint, Environment, Mode
from .errors import (
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Refused,
    WrongEnvironment,
)
from .estate import inherited
from .gate import READING, Gate
from .raw_trading import RawTrading
from .roster import AccountAway
from .served import served
from .settings import Credentials, Limits, Rates, Timings
from .states import SessionState, StateChange
from .supervisor import Supervisor
from .tasks import background
from .token_store import TokenStore
from .watches import watch_books, watch_loss, watch_outcomes, write_snapshots

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from contextlib import AbstractAsyncContextManager

    from .environments import CodecName, DelimitingName, TransportName
    from .errors import CTraderError
    from .intent import Intent
    from .leftovers import Leftovers
    from .link import Link
    from .proxies import Proxy
    from .recorder import Recorder
    from .subscriptions import EventStream

__all__ = ["Session", "StateChange", "connect"]


class Session:
    """Supervised access to one environment. Made by `connect()`, or by the desk.

    Attributes:
        environment: demo or live, for good.
        timings: intervals and deadlines.
        books: the books of each account that may trade, by account id.
        allowances: what the limits leave each of these accounts, likewise.
        book_watch: has the books held against the server's word again and again.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        codec: CodecName,
        endpoint: Endpoint,
        timings: Timings,
        rates: Rates,
        limits: Limits,
        gate: Gate,
        log: ConnectionLog | None = None,
        accounts: Iterable[int] = (),
        left: Leftovers | None = None,
        tokens: TokenStore | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.environment = credentials.environment
        self.timings = timings
        self.books: dict[int, Books] = {}
        self.book_watch = BookWatch(self)
        self.allowances: dict[int, Allowance] = {}
        self._gate, self._log, self._limits, self._left = gate, log, limits, left
        self._raw = RawTrading(self, gate=gate)
        self._supervisor = Supervisor(
            credentials,
            codec=codec,
            endpoint=endpoint,
            timings=timings,
            rates=rates,
            gate=gate,
            log=log,
            account=self._make_account,
            wanted=accounts,
            tokens=tokens,
            recorder=recorder,
        )

    def __repr__(self) -> str:
        return f"<Session {self.environment.value} {self.state.value}>"

    # Looking

    @property
    def state(self) -> SessionState:
        """What it is doing."""
        return self._supervisor.course.state

    @property
    def reason(self) -> str:
        """Why it came to that, for people."""
        return self._supervisor.course.reason

    @property
    def failure(self) -> CTraderError | None:
        """Why the last try ended, where that was a failure; kept until another one has come to something."""
        return self._supervisor.failure

    @property
    def endpoint(self) -> Endpoint:
        """Where it connects to."""
        return self._supervisor.endpoint

    @property
    def link(self) -> Link | None:
        """The present link, for those who want to look: its throttle, its heartbeat."""
        return self._supervisor.passage.link

    @property
    def credentials(self) -> Credentials:
        """Who it is to the server now: with the newest pair of tokens that it has, maybe not that of the settings."""
        return self._supervisor.credentials

    @property
    def authorized(self) -> dict[int, Account]:
        """The accounts that this session keeps authorised."""
        return dict(self._supervisor.accounts)

    def changes(self) -> AbstractAsyncContextManager[EventStream[StateChange]]:
        """The session's moves, as an asynchronous iterator; the present state comes first."""
        return self._supervisor.course.changes()

    async def wait_for(self, *states: SessionState) -> SessionState:
        """Waits until the session is, or has been since the call, in one of these states. No deadline: bring your own.

        Raises:
            SessionClosed: it never will be.
        """
        for state in states:
            check_word("states", state, SessionState)
        return await self._supervisor.course.wait_for(*states)

    # Asking

    async def request(self, payload: Any, *, timeout_s: float | None = None, ahead: bool = False) -> Any:
        """Asks the server.

        While the session is not ready a trading request fails at once; any other waits, up to its own deadline. A
        read that the server refuses for its rate, or that did not leave before a link was lost, is repeated within
        that deadline; nothing else ever is.

        Args:
            payload: the request's message.
            timeout_s: seconds for all of it, the time in the queue included; None for the settings' own.
            ahead: a read that goes ahead of other queries; for what orders and books have to wait for.

        Returns:
            the payload of the answer.

        Raises:
            NotSent: no byte of it left.
            Refused: the guard did not let it leave (`LiveTradingDisabled`, `WrongEnvironment`, …).
            ServerError: the server answered with an error.
            OutcomeUnknown: it left, and no answer came.
            SessionClosed: the session was left.
            LocalProtocolError: it cannot be said, such as without a required field; the text names it. Nothing left.
            TypeError: it is no message. Nothing left.
        """
        timeout_s = self.timings.request_s if timeout_s is None else timeout_s
        check_payload(payload)
        message = Message(payload)
        if self._supervisor.renews and type(payload) is oa.ProtoOARefreshTokenReq:
            raise Refused(f"{message.name} is refused: this session renews and stores its pair, which this kills")
        self._gate.judge_asked(message)
        permission = permission_of(message.payload_type)
        if permission not in READING:
            return await self._raw.request(message, timeout_s=timeout_s)
        by_s, account_id = clock.now_s() + timeout_s, account_of(payload)
        refusal: RateLimited | None = None
        while True:
            link = await self._supervisor.passage.usable_link(message.name, account_id, by_s=by_s)
            try:
                with self._supervisor.subscribing(payload):
                    return (await link.request(payload, timeout_s=max(0.0, by_s - clock.now_s()), ahead=ahead)).payload
            except RateLimited as error:
                if permission is not Permission.READ or clock.now_s() >= by_s:
                    raise
                refusal = error
            except NotSent as error:
                if link.over is None or clock.now_s() >= by_s:
                    raise refusal or error from None  # what the server said of it tells more than that time ran out
            except LocalProtocolError as error:
                if not self._supervisor.passage.is_away(error, account_id):
                    raise  # the request cannot be said as it is, and never will
                if not isinstance(error, AccountAway) or clock.now_s() >= by_s:
                    raise NotSent(f"{message.name} did not leave: {error}") from error

    async def trade(
        self,
        intent: Intent,
        *,
        timeout_s: float | None = None,
        leave_within_s: float | None = None,
        on_sent: Callable[[int, str], None] | None = None,
    ) -> Any:
        """Sends a trading request whose intent is on record. Never waits for the session, never repeats.

        Args:
            intent: from the gate, which lets it out once.
            timeout_s: seconds for the answer.
            leave_within_s: seconds that it may wait in the queue; None for the settings' own.
            on_sent: told, just before its bytes leave, the UTC milliseconds and the client message id.

        Raises:
            See `request`. An error that says only that the server took too long is an `OutcomeUnknown` with that cause.
        """
        payload, timings = intent.payload, self.timings
        timeout_s = timings.request_s if timeout_s is None else timeout_s
        try:
            link = self._supervisor.passage.trading_link(type(payload).__name__, account_of(payload))
            most_s = timings.order_queue_s if leave_within_s is None else leave_within_s
            within_s = intent.left_s(most_s, now_s=clock.now_s())
            answer = await answered(link, payload, timeout_s=timeout_s, leave_within_s=within_s, on_sent=on_sent)
        except OutcomeUnknown:
            self.review(account_of(payload))
            raise
        except LocalProtocolError as error:
            if self._supervisor.passage.is_away(error, account_of(payload)):
                raise NotSent(f"{type(payload).__name__} did not leave: {error}") from error
            raise
        finally:
            self._gate.withdraw(intent)
        return answer.payload

    def renew_link(self, why: str) -> None:
        """Leaves the present link for a new one."""
        self._supervisor.renew_link(why)

    def review(self, account_id: int | None) -> None:
        """Has the books of an account held against the server's word, soon: something was never answered."""
        self._supervisor.review(account_id)

    def check_ready(self, name: str, account_id: int | None) -> None:
        """Returns if a trading request of this account could leave now.

        Raises:
            NotSent: the session is not ready, or the account is not restored.
        """
        self._supervisor.passage.trading_link(name, account_id)

    # Accounts

    async def accounts(self) -> list[Any]:
        """The accounts that the token covers, demo and live alike: a `ProtoOACtidTraderAccount` each, asked anew.

        Raises: see `request`.
        """
        by_s = clock.now_s() + self.timings.request_s
        link = await self._supervisor.passage.usable_link("ProtoOAGetAccountListByAccessTokenReq", None, by_s=by_s)
        await self._supervisor.list_accounts(link)
        return list(self._supervisor.listed)

    async def authorize(self, account_id: int) -> Account:
        """Authorises an account, and keeps it so over every reconnect; it may trade when this returns.

        Raises:
            TypeError: it is no integer; nothing left.
            WrongEnvironment: it belongs to the other environment; nothing left for it.
            AuthenticationFailed: the token does not cover it, or the server refused it.
            ConnectFailed, RequestFailed: it could not be restored, or the link was lost.
        """
        check_kind("account_id", account_id, int)
        if not any(row.ctidTraderAccountId == account_id for row in self._supervisor.listed):
            await self.accounts()
        return await self._supervisor.authorize(account_id)

    def _make_account(self, listed: Any) -> Account:
        account = Account(self, listed, mask=self._gate.mask)
        if self._gate.audit is not None:
            books = Books(
                account, gate=self._gate, log=self._log, doubt=self.review, left=self._left, timings=self.timings
            )
            account.keep(books)
            self.books[account.id] = books
            self._gate.know(account.id, books.positions, account.name_of)
            self.allowances[account.id] = Allowance(
                account, books=books, gate=self._gate, bounds=self._limits, doubt=self.review, log=self._log
            )
        return account

    # Living

    async def serve(self) -> None:
        """Holds the session up until it is cancelled."""
        async with background() as tasks:
            if self._gate.audit is not None:
                tasks.start_soon(watch_loss, self, self._limits.loss_check_s)
                for watch in (watch_books, watch_outcomes, write_snapshots):
                    tasks.start_soon(watch, self)
            await self._supervisor.serve()

    def resume(self, credentials: Credentials | None = None) -> None:
        """Lets a session that was refused try again, with new credentials or the same; cuts a wait short.

        Raises:
            WrongEnvironment: the credentials are the other environment's.
        """
        check_kind("credentials", credentials, Credentials | None, shown=False)
        if credentials is not None and credentials.environment is not self.environment:
            raise WrongEnvironment(f"these credentials belong to {credentials.environment.value}")
        self._supervisor.resume(credentials)


@asynccontextmanager
async def connect(
    environment: Environment,
    credentials: Credentials,
    *,
    codec: CodecName = "protobuf",
    delimiting: DelimitingName = "length",
    host: str | None = None,
    port: int | None = None,
    ca_file: Path | str | None = None,
    transport: TransportName = "tcp",
    proxy: Proxy | str | None = None,
    timings: Timings | None = None,
    rates: Rates | None = None,
    trading: Mode = Mode.OFF,
    audit: Audit | None = None,
    limits: Limits | None = None,
    log: ConnectionLog | None = None,
    token_folder: Path | str | None = None,
) -> AsyncIterator[Session]:
    """A session with one environment: connected, the application authorised, beating; healed for as long as it is held.

    Args:
        environment: demo or live.
        credentials: those of the same environment.
        codec: `"protobuf"` (port 5035) or `"json"` (port 5036).
        delimiting: how JSON messages are told apart on TCP: `"length"`, `"newline"` or `"objects"`; no source is
            certain (docs/protocol.md section 19).
        host: another host than the published one; one that is published for the other environment is refused.
        port: another port than the codec's standard one.
        ca_file: certificates to trust in place of the system's (a fake server's own).
        transport: `"tcp"` or `"websocket"` (extra `ws`). For JSON, WebSocket is the way with evidence behind it.
        proxy: an HTTP proxy, such as `http://user:password@host:3128`; no environment variable is read for it.
        timings: intervals and deadlines.
        rates: what may leave a second.
        trading: what the guard lets pass. Without both a mode and an audit, no trading request does. `Mode.ON` for live
            is the caller's explicit opt-in: `CTRADER_LIVE_ENABLED` is of the settings, and not read here.
        audit: where orders are recorded. A halt in its folder counts here too. What earlier processes left in it is
            gone on with, as a desk does (docs/orders.md).
        limits: what an order may not exceed, each counted for every account by itself: who authorises and trades two
            accounts has twice of each. What another session of the account has under way counts in that one only
            (docs/settings.md). None for `Limits.standard` of the environment.
        log: where the connection's own life is written.
        token_folder: where token pairs are kept, one file for each environment: a pair that is stored there wins over
            that of the credentials, and is renewed ahead of its end. None: the credentials' pair is used as it is.

    Raises:
        TypeError: an argument is of a wrong kind. Nothing was connected.
        SettingsError: the endpoint does not fit the environment or the codec. Nothing was connected.
        WrongEnvironment: the credentials are the other environment's. Nothing was connected.
        ConnectFailed: no link, or no authorisation within its time. Nothing is left open.
        AuthenticationFailed: the server refused the application or the token. Nothing is left open.
        AuditUnavailable: what is on record cannot be read. Nothing was connected.
    """
    check_word("environment", environment, Environment)
    check_kind("credentials", credentials, Credentials, shown=False)
    check_word("trading", trading, Mode)
    for name, value, kind in (
        ("timings", timings, Timings | None),
        ("rates", rates, Rates | None),
        ("audit", audit, Audit | None),
        ("limits", limits, Limits | None),
        ("log", log, ConnectionLog | None),
    ):
        check_kind(name, value, kind)
    if credentials.environment is not environment:
        raise WrongEnvironment(
            f"the credentials belong to {credentials.environment.value}, and the connection is to {environment.value}"
        )
    endpoint = Endpoint.chosen(
        environment,
        codec,
        host=host,
        port=port,
        ca_file=ca_file,
        delimiting=delimiting,
        transport=transport,
        proxy=proxy,
    )
    async with inherited(audit, environment, credentials.account_id, log=log) as left:
        session = Session(
            credentials,
            codec=codec,
            endpoint=endpoint,
            timings=timings if timings is not None else Timings(),
            rates=rates if rates is not None else Rates(),
            limits=limits if limits is not None else Limits.standard(environment),
            gate=Gate(
                environment,
                mode=trading,
                audit=audit,
                halts=audit.folder if audit is not None else None,
                limits=limits,
            ),
            log=log,
            left=left,
            tokens=TokenStore(Path(token_folder), environment) if token_folder is not None else None,
        )
        async with served(session):
            yield session
