"""One live connection: a reader, a writer, a watchdog, and the requests that are under way. It dies as a whole.

The writer alone touches the stream, so no caller's cancellation can reach a write. The reader never waits for anybody.
"""

from __future__ import annotations

import math
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from ..wire import Budget, Connection, ConnectionState, LocalProtocolError, Message, Role
from ..wire import messages as oa
from ..wire.events import AccountChanged, ErrorReceived, LinkClosed, ResponseReceived, UndecodedReceived
from . import clock
from .errors import NotSent, OutcomeUnknown, RateLimited, RequestFailed, ServerError, UnderMaintenance
from .heartbeat import Heartbeat
from .outbox import Outbox
from .requests import Deadlines, Request
from .throttle import Throttle
from .transport import LinkLost

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..wire.codecs import Codec
    from ..wire.events import Event
    from ..wire.framing import Framing
    from .settings import Rates, Timings
    from .transport import TlsStream

__all__ = ["Link", "Listener", "server_error"]

_RATE_CODES = ("REQUEST_FREQUENCY_EXCEEDED", "BLOCKED_PAYLOAD_TYPE")
_MAINTENANCE_CODE = "SERVER_IS_UNDER_MAINTENANCE"
_WRITE_LOOKS = 4  # looks at a write in its time: a deadline on each write costs more than the write
_BEAT_S = 0.01
_LONGEST_REASON = 300  # characters of why a link ended, a server's own words among them
_GOODBYE_S = 1.0  # a peer that does not even take our good-bye is not worth longer


class Listener(Protocol):
    """Whoever wants to know what this link hears. Called by the reader, mostly: must not wait, must not raise."""

    def heard(self, event: Event) -> None:
        """Everything but answers that a request waits for, in the order of arrival; and an account that is logged out
        as nobody waits for its authorisation any more."""


class Link:
    """One live connection, from a stream that is open until it ends.

    Args:
        stream: the open stream; the link closes it.
        codec: a fresh codec.
        framing: a fresh framing, or None for four bytes of length.
        timings: heartbeat, watchdog and write deadline.
        rates: what may leave a second.
        listener: told of everything that no request waits for.
        mask: covers secrets in texts of the server's, before anybody sees them.
        ended: called as soon as it is over: the good-bye, and the closing of the stream, may take a while yet.
        release: asked just before a message is encoded; what it raises ends the request, and nothing leaves.

    Attributes:
        connection: what has been said on it.
        throttle: what it may say now.
        heartbeat: when either side last spoke.
        lost: whether it ended otherwise than by us.
    """

    def __init__(
        self,
        stream: TlsStream,
        codec: Codec,
        *,
        timings: Timings,
        rates: Rates,
        listener: Listener,
        release: Callable[[Message], None],
        mask: Callable[[str], str] = str,
        framing: Framing | None = None,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self.connection = Connection(Role.CLIENT, codec, framing=framing, gather_spots=True)
        self.throttle = Throttle(rates)
        self.heartbeat = Heartbeat(interval_s=timings.heartbeat_s, watchdog_s=timings.watchdog_s, now_s=clock.now_s())
        self._stream = stream
        self._write_s = timings.write_s
        self._deadlines = Deadlines(self._expire)
        self._writing_since_s = math.inf  # when the write began that has not finished
        self._release, self._ended = release, ended
        self._listener, self._mask = listener, mask
        self._outbox: Outbox[Request] = Outbox(self.throttle)
        self._waiting: dict[str, Request] = {}
        self._news = anyio.Event()  # something new is in the outbox
        self._event = type(self._news)  # of the backend that runs: each anyio.Event() looks for it again
        self.lost = False
        self._over: str | None = None
        self._broken: LinkLost | None = None  # a fault of ours that a caller's task met, and must not raise
        # Other connections to the same account hear our ids and we hear theirs (docs/protocol.md section 2):
        # none may look like one that we wait for.
        self._prefix, self._count = secrets.token_hex(4), 0

    # For callers

    async def request(
        self,
        payload: Any,
        *,
        timeout_s: float,
        leave_within_s: float = math.inf,
        ahead: bool = False,
        on_sent: Callable[[int, str], None] | None = None,
    ) -> Message:
        """Asks, and waits for the answer.

        Args:
            payload: the request's message.
            timeout_s: seconds for all of it, the time in the queue included.
            leave_within_s: seconds that it may wait in the queue.
            ahead: a read of the session's own, which callers' queries wait for.
            on_sent: told, just before the bytes are written, the UTC milliseconds and the client message id.

        Raises:
            NotSent: no byte of it left.
            OutcomeUnknown: it left, and no answer came in time or before the link ended.
            ServerError: the server refused it.
            Refused: `release` did.
            LocalProtocolError: it may not be said now. Nothing left.
        """
        self._count += 1
        message = Message(payload, f"{self._prefix}-{self._count}")
        request = Request(message, self._event(), now_s=clock.now_s(), timeout_s=timeout_s, on_sent=on_sent)
        request.leave_by_s = min(request.leave_by_s, clock.now_s() + leave_within_s)
        if ahead:
            request.goes_ahead()
        if self._over is not None:
            raise NotSent(f"{message.name} did not leave: {self._over}")
        self._outbox.add(request)
        self._news.set()
        self._deadlines.add(request.by_s)
        try:
            await request.done.wait()
        finally:
            if not request.done.is_set():
                self._give_up(request, "before its caller was cancelled")
        return request.result()

    @property
    def over(self) -> str | None:
        """Why the link has ended, or None while it lives."""
        return self._over

    @property
    def queued(self) -> int:
        """How many requests have not left yet."""
        return len(self._outbox)

    # The life of the link

    async def run(self) -> str:
        """Serves until the link ends; returns why. Whatever was under way has failed by then.

        What has not left fails with `NotSent`, what has with `OutcomeUnknown`. Cancelled, it closes the link first.
        """
        reason = "closed by us"
        try:
            async with anyio.create_task_group() as tasks:
                for work in (self._read, self._write, self._watch, self._beat, self._deadlines.run):
                    tasks.start_soon(work)
        except* LinkLost as lost:
            reason, self.lost = str(lost.exceptions[0]), True
        finally:
            with anyio.move_on_after(_GOODBYE_S, shield=True):
                await self._stream.aclose(self._end(reason))
        return reason

    async def _read(self) -> None:
        stream, connection, heartbeat = self._stream, self.connection, self.heartbeat
        while True:
            try:
                data = await stream.receive()
            except LinkLost as lost:
                raise _ended(connection, lost) from lost.__cause__
            now_s, events = clock.now_s(), connection.receive_data(data)
            heartbeat.heard_s = heartbeat.heard_s if connection.idle else now_s
            for event in events:
                self._take(event)
            if connection.owes:
                self._news.set()

    def _take(self, event: Event) -> None:
        if isinstance(event, ResponseReceived):
            request = self._waiting.pop(event.client_msg_id, None)
            if request is not None and not request.done.is_set():
                self._answered(request)
                self.throttle.accepted(request.payload_type)
                request.answer = event.message
                request.done.set()
            return
        event = _masked(event, self._mask)
        if (fault := _taken_in(self._listener, event)) is not None:
            raise fault
        if isinstance(event, ErrorReceived):
            if event.client_msg_id is not None:
                self._fail(event.client_msg_id, server_error(event))
        elif isinstance(event, UndecodedReceived):
            if event.client_msg_id is not None:
                self._fail(event.client_msg_id, OutcomeUnknown(f"its answer cannot be read: {event.reason}"))
        elif isinstance(event, LinkClosed):
            raise LinkLost(_cut(self._mask(event.reason))) from event.error

    def _fail(self, client_msg_id: str, error: RequestFailed) -> None:
        if (request := self._waiting.pop(client_msg_id, None)) is None:
            return
        self._answered(request)
        if isinstance(error, RateLimited):
            self.throttle.refused(
                request.payload_type,
                retry_after_s=error.retry_after_s,
                now_s=clock.now_s(),
                sent_s=request.place.sent_s if request.place is not None else None,
            )
        request.fail(error)

    def _answered(self, request: Request) -> None:
        if request.place is not None:
            self.throttle.answered(request.place, now_s=self.heartbeat.heard_s)

    async def _write(self) -> None:
        while self._broken is None:
            news = self._news
            taken = self._outbox.take(now_s=clock.now_s())
            for request, why in taken.overdue:
                request.fail(NotSent(f"{request.message.name} {why} and did not leave"))
            data = [body for request in taken.ready if (body := self._encode(request)) is not None]
            if self.connection.state is ConnectionState.CLOSED:
                return  # the reader heard of the end a moment ago, and is on its way to say so
            now_s = clock.now_s()
            if not data and now_s >= self.heartbeat.due_s:
                data.append(self.connection.send(Message(oa.ProtoHeartbeatEvent())))
                self.throttle.sent(Budget.ORDINARY, now_s=now_s)
            if data:  # what the framing owes is no message: a heartbeat stays due
                self.heartbeat.sent_s = now_s
            if (owed := self.connection.owed()) or data:
                self._writing_since_s = now_s
                await self._stream.send(b"".join((*data, owed)))
                self._writing_since_s = math.inf
                continue
            if news.is_set() or taken.ready:  # none of these left: who stands behind them need not wait
                self._news = anyio.Event()
            elif taken.look_again_s == math.inf:
                await news.wait()  # a heartbeat that is due is news too: a deadline of our own costs more than all else
            else:
                with anyio.move_on_after(max(0.0, taken.look_again_s - now_s)):
                    await news.wait()
        raise self._broken

    def _encode(self, request: Request) -> bytes | None:
        """The bytes of a request that may leave; one that may not has failed and gives None."""
        client_msg_id = request.client_msg_id
        try:
            self._release(request.message)
            data = self.connection.send(request.message)
        except (RequestFailed, LocalProtocolError) as error:
            self.throttle.withdraw(request.place)
            request.fail(_unsaid(request, error, self.connection))
            return None
        request.sent_ms = clock.utc_ms()
        self._waiting[client_msg_id] = request
        if request.on_sent is not None:
            request.on_sent(request.sent_ms, client_msg_id)
        return data

    async def _beat(self) -> None:
        """Wakes the writer whenever a heartbeat is due."""
        while True:
            await clock.sleep_until(self.heartbeat.due_s)
            if clock.now_s() >= self.heartbeat.due_s:
                self._news.set()
                await anyio.sleep(_BEAT_S)  # the writer may be held up: no need to run around it meanwhile

    async def _watch(self) -> None:
        opened_s = self.heartbeat.heard_s
        look_s = self._write_s / _WRITE_LOOKS
        while True:
            now_s, dead_s = clock.now_s(), self.heartbeat.dead_s
            if now_s >= dead_s:
                silent_s = now_s - max(self.heartbeat.heard_s, opened_s)
                raise LinkLost(f"the server has been silent for {silent_s:.1f} s")
            if now_s >= self._writing_since_s + self._write_s:
                raise LinkLost(f"a write did not finish within {self._write_s:g} s")
            await clock.sleep_until(min(dead_s, now_s + look_s))

    def _expire(self, now_s: float) -> float:
        """Ends what was not answered in its time; when the next one's is over."""
        under_way = [*self._outbox, *self._waiting.values()]
        for request in under_way:
            if request.by_s <= now_s:
                self._give_up(request, f"within {round(request.timeout_s, 2):g} s")
        return min((request.by_s for request in under_way if request.by_s > now_s), default=math.inf)

    def _give_up(self, request: Request, when: str) -> None:
        """Nobody waits any more: it is withdrawn if it has not left, and its late answer is dropped if it has."""
        name = request.message.name
        if request.sent_ms is None:
            self._outbox.withdraw(request)
            request.fail(NotSent(f"{name} did not leave {when}"))
            return
        self._waiting.pop(request.client_msg_id, None)
        for event in self.connection.abandon(request.client_msg_id):  # an account whose authorisation it was
            self._broken = _taken_in(self._listener, event) or self._broken
            self._news.set()
        request.fail(OutcomeUnknown(f"{name} left, and was not answered {when}"))

    def _end(self, reason: str) -> bytes:
        self._over = reason
        for request in self._outbox.clear():
            request.fail(NotSent(f"{request.message.name} did not leave: {reason}"))
        for request in self._waiting.values():
            request.fail(OutcomeUnknown(f"{request.message.name} left, and was not answered: {reason}"))
        self._waiting.clear()
        self._ended()
        return self.connection.close()


def _unsaid(request: Request, error: Exception, connection: Connection) -> Exception:
    """Why a request did not leave: the reader may have heard of the end a moment ago, which says more."""
    over = connection.state is ConnectionState.CLOSED
    return NotSent(f"{request.message.name} did not leave: the link has ended") if over else error


def _ended(connection: Connection, lost: LinkLost) -> LinkLost:
    """The same end; with what was cut off by it, where something was."""
    cut = [event for event in connection.receive_eof() if isinstance(event, LinkClosed) and event.error is not None]
    return LinkLost(f"{lost}: {cut[0].reason}") if cut else lost


def _taken_in(listener: Listener, event: Event) -> LinkLost | None:
    """What it means that the listener could not take an event in; None where it could."""
    try:
        listener.heard(event)
    except Exception as fault:
        # Ours, not the server's. The link goes, since what was heard is not in the books; the session stays.
        lost = LinkLost(f"a {type(event).__name__} could not be taken in: {fault!r}")
        lost.__cause__ = fault
        return lost
    return None


def _cut(reason: str) -> str:
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}…"


def _masked(event: Event, mask: Callable[[str], str]) -> Event:
    if isinstance(event, ErrorReceived):
        text = mask(event.description) if event.description is not None else None
        return replace(event, code=mask(event.code), description=text)
    if isinstance(event, UndecodedReceived):
        return replace(event, reason=mask(event.reason))
    if isinstance(event, AccountChanged):
        return replace(event, why=_cut(mask(event.why)))
    return event


def server_error(event: ErrorReceived) -> ServerError:
    """The exception that says what the server's error said."""
    if event.code in _RATE_CODES:
        return RateLimited(event.code, event.description, retry_after_s=event.retry_after_s)
    if event.code == _MAINTENANCE_CODE:
        return UnderMaintenance(event.code, event.description, until_ms=event.maintenance_end_ms)
    return ServerError(event.code, event.description, retry_after_s=event.retry_after_s)
