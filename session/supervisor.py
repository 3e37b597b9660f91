"""Holds the access to one environment up: connect, authenticate, restore, serve; and again when the link is lost.

One link after the other, each of them new; nothing that was queued on one survives it.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel

from ..wire import JsonCodec, ProtobufCodec
from ..wire.catalog import account_of
from . import auth, clock
from .access import Access
from .comeback import Comeback
from .course import Course
from .environments import unanswered_hint
from .errors import (
    AuthenticationFailed,
    ConnectFailed,
    CTraderError,
    NotSent,
    OutcomeUnknown,
    RequestFailed,
    SessionClosed,
    WrongEnvironment,
)
from .link import Link
from .oblivion import Oblivion
from .passage import Passage
from .probation import Probation
from .reconnect import Backoff
from .roster import Roster
from .states import SessionInput, SessionState
from .tasks import background, unwrapped
from .tokens import TokenVault
from .transport import client_framing, open_stream
from .waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from .account import Account
    from .connection_log import ConnectionLog
    from .environments import CodecName, Endpoint
    from .gate import Gate
    from .recorder import Recorder
    from .settings import Credentials, Rates, Timings
    from .token_store import TokenStore

__all__ = ["Supervisor"]

_CODECS: Mapping[str, Callable[[], ProtobufCodec | JsonCodec]] = MappingProxyType(
    {"protobuf": ProtobufCodec, "json": JsonCodec}
)


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
        tokens: where the newest token pair is kept, or None: that of the credentials is used, and never renewed.
        recorder: where every frame of every link is recorded, or None.

    Attributes:
        course: the state, and who watches it.
        failure: why the last try ended, where it was a failure. It stays until the next one is ready or has failed.
        passage: which requests may leave now, and by which link.
        listed: the account list, newest.
        renews: whether the token pair is stored and renewed here.
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
        tokens: TokenStore | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.environment = credentials.environment
        self.endpoint = endpoint
        self.timings = timings
        self.codec = codec
        self.course = Course(self.environment, note=self._note)
        self.failure: CTraderError | None = None
        self.listed: list[Any] = []
        self.renews = tokens is not None
        self._rates = rates
        self._gate = gate
        self._log = log
        self._recorder = recorder
        self._account = account
        self._wanted = tuple(wanted)
        self._authorizing = anyio.Lock()
        self._life = anyio.CancelScope()  # of the present link
        self._serving = anyio.CancelScope()  # of what a session that is ready does on it
        self._why_left = ""
        backoff = partial(
            Backoff,
            first_s=timings.reconnect_first_s,
            most_s=timings.reconnect_most_s,
            steady_s=timings.reconnect_steady_s,
        )
        self._probation = Probation(backoff, steady_s=timings.reconnect_steady_s)
        self._oblivion = Oblivion()
        self._roster = Roster(
            gate=gate,
            probation=self._probation,
            away=self._account_away,
            unknown=self._application_lost,
            note=self._note,
        )
        self.passage = Passage(self.environment, course=self.course, roster=self._roster, probation=self._probation)
        self._comeback = Comeback(
            self._roster,
            probation=self._probation,
            gate=gate,
            tell=self.course.tell,
            back=self._accounts_back,
            note=self._note,
        )
        self._access = Access(
            credentials,
            vault=TokenVault(tokens, credentials, note=self._note) if tokens is not None else None,
            timings=timings,
            held=self._held,
            renewed=self._roster.renewed,
            stuck=self.renew_link,
            listed=self._take_list,
            note=self._note,
        )
        most_s = timings.reconnect_most_s
        self._waiting = Waiting(self._access, backoff=backoff(), most_s=most_s, note=self._note)
        gate.mask, gate.owns = self._access.masked, self._access.owns

    # For the session

    @property
    def credentials(self) -> Credentials:
        """Those that count now."""
        return self._access.credentials

    @property
    def accounts(self) -> dict[int, Account]:
        """The accounts that are kept authorised."""
        return self._roster.accounts

    def _account_away(self, account_id: int, why: str) -> None:
        self._comeback.lost(account_id)
        if self.passage.serves and account_id not in self._probation.refused:  # one that is away already is no news
            self.course.move(SessionInput.ACCOUNT_LOST, why)

    def _accounts_back(self) -> None:
        """All that can be are back, or what is missing all the same has changed."""
        if not (self.passage.lives and self.passage.serves):
            return
        standing = self._roster.standing
        if self.course.state is SessionState.RESTORING:
            self.course.move(SessionInput.RESTORED, standing)
        elif self.course.reason != standing:
            self.course.move(SessionInput.RETOLD, standing)

    async def authorize(self, account_id: int) -> Account:
        """Authorises and restores an account on the present link, and keeps it so over every reconnect.

        One that is away is tried at once; one that is being brought back just now is waited for. Where the caller is
        cancelled, what the server has let in is kept, and restored all the same.
        """
        async with self._authorizing:  # two callers at once get the same account
            here = account_id in self._roster.restored or not self.passage.serves  # or it will be, with its link
            if account_id not in self.accounts or account_id in self._probation.refused or not here:
                by_s = clock.now_s() + self.timings.request_s
                link = await self.passage.usable_link("ProtoOAAccountAuthReq", None, by_s=by_s)
                account = self._known_account(account_id)
                await self._comeback.join(link, self._access, account)
        return self.accounts[account_id]

    def subscribing(self, payload: Any) -> AbstractContextManager[None]:
        """Within it, a read is under way: what it begins or ends of subscriptions counts when it is answered."""
        account = self.accounts.get(account_of(payload) or 0)
        return account.subscribing(payload, self._comeback.mend_soon) if account is not None else nullcontext()

    def review(self, account_id: int | None) -> None:
        """The books of an account are in doubt: the server is asked again, soon."""
        self._comeback.doubt(account_id)

    def renew_link(self, why: str) -> None:
        """Leaves the present link, if the session is ready on it, for a new one."""
        self._why_left = why
        self._serving.cancel()

    def _application_lost(self, why: str) -> None:
        """App auth again takes a new link (docs/protocol.md section 14)."""
        if self._oblivion.told(now_s=clock.now_s()):
            self.renew_link(why)

    def resume(self, credentials: Credentials | None) -> None:
        """Lets a session that was refused try again."""
        others = credentials is not None and credentials != self._access.credentials
        if credentials is not None and others:
            self._access.replace(credentials)
        self._probation.pardon()
        self._comeback.mend_soon()
        # Otherwise there is nothing to resume, and the next refusal must not find that somebody has acted on it.
        if others or self.course.state in (SessionState.WAITING, SessionState.REFUSED):
            self._waiting.resume()

    # The life

    async def serve(self) -> None:
        """Holds the session up until it is cancelled."""
        reason = "left"
        try:
            async with anyio.create_task_group() as tasks:
                if self._access.renewal is not None:
                    self._access.renewal.tasks = tasks
                while True:
                    await self._one_link()
                    if self.course.state is SessionState.REFUSED:
                        await self._waiting.until_somebody_acts()
                    else:
                        ready_for_s = 0.0 if self.passage.ready_s is None else clock.now_s() - self.passage.ready_s
                        await self._waiting.until_due(self.failure, ready_for_s=ready_for_s)
                    self._waiting.over()
                    self.course.move(SessionInput.RETRY, "trying again")
        except Exception as error:
            reason = self._access.masked(f"ended by a fault of our own: {unwrapped(error)!r}")
            self.failure = SessionClosed(f"the session of {self.environment.value} was {reason}")
            raise
        finally:
            self.course.move(SessionInput.LEFT, reason)
            self._roster.end(f"the session of {self.environment.value} was {reason}")
            self.course.end()

    async def _one_link(self) -> None:
        """From nothing to a link, to its end. The state is WAITING or REFUSED when it returns."""
        self.passage.ready_s = None
        failure: CTraderError | None = None
        by_s = clock.now_s() + self.timings.connect_s
        try:
            await self._access.open()
            stream = await open_stream(self.endpoint, deadline_s=self.timings.connect_s, mask=self._access.masked)
        except ConnectFailed as error:
            self.failure = error
            self.course.move(SessionInput.LOST, str(error))
            return
        track = None
        if self._recorder is not None:
            track = self._recorder.begin_at(self.endpoint, environment=self.environment, codec=self.codec)
        using = anyio.CancelScope()
        link = Link(
            stream,
            track.watched_codec() if track is not None else _CODECS[self.codec](),
            framing=client_framing(self.endpoint, self.codec),
            timings=self.timings,
            rates=self._rates,
            listener=self._roster,
            release=self._roster.release,
            mask=self._access.masked,
            ended=using.cancel,
        )
        with anyio.CancelScope() as self._life:
            async with anyio.create_task_group() as tasks:

                async def live() -> None:
                    try:
                        await link.run()
                    finally:
                        if track is not None:
                            track.ended(link.over or "")

                tasks.start_soon(live)
                try:
                    with using:
                        await self._use(link, by_s=by_s)
                except WrongEnvironment as error:
                    failure = AuthenticationFailed(str(error), code="WRONG_ENVIRONMENT")
                except (AuthenticationFailed, RequestFailed, ConnectFailed) as error:
                    failure = error
                finally:
                    self.passage.link = None
                if self._access.renewal is not None:
                    async with self._access.renewal.asking:
                        pass
                self._left(link, failure)  # the good-bye may take a second, and nobody is to believe in it meanwhile
                tasks.cancel_scope.cancel()

    def _left(self, link: Link, failure: CTraderError | None) -> None:
        """It is over, or nothing more is wanted of it: says so, and why."""
        if link.lost and (failure is None or isinstance(failure, NotSent | OutcomeUnknown)):
            # That is what the end of the link did to a request of ours, and not why it ended.
            where = f"{self.endpoint.host}:{self.endpoint.port}"
            failure = ConnectFailed(f"{where}: {link.over}") if self.passage.ready_s is None else None
        if isinstance(failure, ConnectFailed) and not self._access.let_in:
            failure = ConnectFailed(f"{failure}{unanswered_hint(self.endpoint, self.codec)}")
        if self._access.unsaved is not None:
            failure = ConnectFailed(self._access.unsaved)  # whatever ended the link: no other comes before that
        self._roster.link_over()
        self.failure = failure
        refused = isinstance(failure, AuthenticationFailed)
        self.course.move(
            SessionInput.REFUSED if refused else SessionInput.LOST,
            str(failure) if failure is not None else link.over or "",
        )

    async def _use(self, link: Link, *, by_s: float) -> None:
        """Brings a link up and looks after it, until it ends or something says that it must."""
        self.passage.link = link
        how = f"{self.codec} and {self.endpoint.transport}"
        self.course.move(SessionInput.CONNECTED, f"{self.endpoint.host}:{self.endpoint.port} over {how}")
        try:
            with anyio.fail_after(max(0.0, by_s - clock.now_s())):
                await self._authenticate(link)
        except TimeoutError:
            raise ConnectFailed(
                f"{self.endpoint.host}:{self.endpoint.port}: not connected and authenticated within "
                f"{self.timings.connect_s:g} s{self._access.held_up}"
            ) from None
        wanted = [self._known_account(id_) for id_ in dict.fromkeys((*self._wanted, *self.accounts))]
        # One that was kept away before holds up no other: it is tried as soon as these are back.
        kept_away = self._probation.refused
        first = [account for account in wanted if account.id not in kept_away] or wanted
        await self._comeback.bring_back(link, self._access, first)
        self._probation.pardon(kept_away.difference(account.id for account in first))
        self._comeback.mend_soon()
        if link.over is not None:
            raise NotSent(link.over)
        self.passage.ready_s = clock.now_s()
        self._access.was_ready, self.failure = True, None
        if self._roster.is_complete:
            self.course.move(SessionInput.RESTORED, self._roster.standing)
        else:  # one was lost again, and is left alone for a while: the others are served
            self.course.move(SessionInput.ACCOUNT_LOST, self._roster.awaited)
        async with background() as tasks:
            tasks.start_soon(self._access.keep_fresh, link)
            with anyio.CancelScope() as self._serving:
                tasks.start_soon(self._until_replaced)
                await self._comeback.mend(link, self._access)
        raise ConnectFailed(self._why_left)

    async def _until_replaced(self) -> None:
        """Other credentials may be another application's, which takes a link of its own."""
        await self._access.replaced()
        self.renew_link("other credentials were given: the link was left for one that is opened with them")

    async def _authenticate(self, link: Link) -> None:
        await self._access.authenticate(link)
        self.course.move(SessionInput.AUTHENTICATED, f"the token covers {len(self.listed)} accounts")

    async def list_accounts(self, link: Link) -> None:
        """Asks which accounts the token covers; those of the other environment are refused from here on."""
        await self._access.accounts(link)

    def _take_list(self, answer: Any) -> None:
        self.listed = list(answer.ctidTraderAccount)
        if self._gate.take_list(answer):
            self._note("token_scope", mode=self._gate.standing().mode.value, reason=self._gate.standing().why)

    def _known_account(self, account_id: int) -> Account:
        """The account, authorised before or not; nothing has left for one of the other environment."""
        account = self.accounts.get(account_id)
        if account is not None:
            return account
        return self._account(auth.required_account(self.listed, account_id, environment=self.environment))

    # Inside

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Within it the present link is not cancelled from outside; it may end by itself."""
        life = self._life
        life.shield = True
        try:
            yield
        finally:
            life.shield = False

    def _note(self, what: str, **fields: object) -> None:
        if self._log is not None:
            self._log.write(what, **fields)
