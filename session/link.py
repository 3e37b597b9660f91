"""One live connection: a reader, a writer, a watchdog, and the requests that are under way. It dies as a whole.

The writer alone touches the stream, so no caller's cancellation can reach a write. The reader never waits for anybody.
"""

from __future__ import annotations

import math
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from ..wire import Budget, Connection, ConnectionState, LocalProtocolError, Message, Permission, Role
from ..wire import messages as oa
from ..wire.catalog import entry_of
from ..wire.events import ErrorReceived, LinkClosed, ResponseReceived, UndecodedReceived
from . import clock
from .errors import NotSent, OutcomeUnknown, RateLimited, RequestFailed, ServerError, UnderMaintenance
from .heartbeat import Heartbeat
from .outbox import Outbox, Urgency
from .throttle import Place, Throttle
from .transport import LinkLost

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..wire.codecs import Codec
    from ..wire.events import Event
    from ..wire.framing import Framing
    from .settings import Rates, Timings
    from .transport import TlsStream

__all__ = ["Link", "Listener", "Request", "server_error"]

_RATE_CODES = ("REQUEST_FREQUENCY_EXCEEDED", "BLOCKED_PAYLOAD_TYPE")
_MAINTENANCE_CODE = "SERVER_IS_UNDER_MAINTENANCE"
_GOODBYE_S = 1.0  # a peer that does not even take our good-bye is not worth longer


class Listener(Protocol):
    """Whoever wants to know what this link hears. Called by the reader: must not wait, must not raise."""

    def heard(self, event: Event) -> None:
        """Everything but answers that a request waits for, in the order of arrival."""


class Request:
    """A request on its way.

    Attributes:
        message: what is asked, with its id.
        sent_ms: when it left, UTC milliseconds, or None while no byte of it has.
        answer: the server's message, once it is here.
        error: why there is none, once that is known.
    """

    __slots__ = (
        "answer",
        "budget",
        "done",
        "error",
        "leave_by_s",
        "message",
        "on_sent",
        "payload_type",
        "place",
        "sent_ms",
        "urgency",
    )

    def __init__(
        self,
        message: Message,
        *,
        leave_by_s: float = math.inf,
        on_sent: Callable[[int, str], None] | None = None,
    ) -> None:
        self.message = message
        self.payload_type = message.payload_type
        self.urgency, self.budget = _lane(self.payload_type)
        self.leave_by_s = leave_by_s
        self.on_sent = on_sent
        self.place: Place | None = None
        self.sent_ms: int | None = None
        self.answer: Message | None = None
        self.error: Exception | None = None
        self.done = anyio.Event()

    def fail(self, error: Exception) -> None:
        """It ends without an answer, unless it has ended."""
        if not self.done.is_set():
            self.error = error
            self.done.set()


def _lane(payload_type: int) -> tuple[Urgency, Budget]:
    entry = entry_of(payload_type)
    if entry is None or entry.budget is None:
        return Urgency.QUERY, Budget.ORDINARY
    match entry.permission:
        case Permission.SESSION:
            return Urgency.SESSION, entry.budget
        case Permission.CLOSE | Permission.CANCEL:
            return Urgency.CLOSE, entry.budget
        case Permission.OPEN | Permission.CHANGE:
            return Urgency.OPEN, entry.budget
    return (Urgency.HISTORY if entry.budget is Budget.HISTORICAL else Urgency.QUERY), entry.budget


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
    ) -> None:
        self.connection = Connection(Role.CLIENT, codec, framing=framing, gather_spots=True)
        self.throttle = Throttle(rates)
        self.heartbeat = Heartbeat(interval_s=timings.heartbeat_s, watchdog_s=timings.watchdog_s, now_s=clock.now_s())
        self._stream = stream
        self._write_s = timings.write_s
        self._listener = listener
        self._release = release
        self._mask = mask
        self._outbox: Outbox[Request] = Outbox(self.throttle)
        self._waiting: dict[str, Request] = {}
        self._news = anyio.Event()  # something new is in the outbox
        self.lost = False
        self._over: str | None = None
        # Other connections to the same account hear our ids and we hear theirs (docs/protocol.md section 2):
        # none may look like one that we wait for.
        self._prefix = secrets.token_hex(4)
        self._count = 0

    # For callers

    async def request(
        self,
        payload: Any,
        *,
        timeout_s: float,
        leave_within_s: float = math.inf,
        on_sent: Callable[[int, str], None] | None = None,
    ) -> Message:
        """Asks, and waits for the answer.

        Args:
            payload: the request's message.
            timeout_s: seconds for all of it, the time in the queue included.
            leave_within_s: seconds that it may wait in the queue.
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
        now_s = clock.now_s()
        leave_by_s = now_s + min(leave_within_s, timeout_s)
        request = Request(message, leave_by_s=leave_by_s, on_sent=on_sent)
        if self._over is not None:
            raise NotSent(f"{message.name} did not leave: {self._over}")
        self._outbox.add(request)
        self._news.set()
        try:
            with anyio.move_on_after(timeout_s):
                await request.done.wait()
        finally:
            if not request.done.is_set():
                self._give_up(request, f"within {round(timeout_s, 2):g} s")
        if request.error is not None:
            raise request.error
        assert request.answer is not None
        return request.answer

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
                tasks.start_soon(self._read)
                tasks.start_soon(self._write)
                tasks.start_soon(self._watch)
        except* LinkLost as lost:
            reason, self.lost = str(lost.exceptions[0]), True
        finally:
            self._end(reason)
            with anyio.move_on_after(_GOODBYE_S, shield=True):
                await self._stream.aclose()
        return reason

    async def _read(self) -> None:
        stream, connection, heartbeat = self._stream, self.connection, self.heartbeat
        while True:
            data = await stream.receive()
            heartbeat.heard_s = clock.now_s()
            for event in connection.receive_data(data):
                self._take(event)

    def _take(self, event: Event) -> None:
        if isinstance(event, ResponseReceived):
            request = self._waiting.pop(event.client_msg_id, None)
            if request is not None and not request.done.is_set():
                self._answered(request)
                self.throttle.accepted(request.payload_type)
                request.answer = event.message
                request.done.set()
            return
        if isinstance(event, ErrorReceived):
            text = self._mask(event.description) if event.description is not None else None
            event = replace(event, code=self._mask(event.code), description=text)
        elif isinstance(event, UndecodedReceived):
            event = replace(event, reason=self._mask(event.reason))
        try:
            self._listener.heard(event)
        except Exception as fault:
            # Ours, not the server's. The link goes, since what was heard is not in the books; the session stays.
            raise LinkLost(f"a {type(event).__name__} could not be taken in: {fault!r}") from fault
        if isinstance(event, ErrorReceived):
            if event.client_msg_id is not None:
                self._fail(event.client_msg_id, server_error(event))
        elif isinstance(event, UndecodedReceived):
            if event.client_msg_id is not None:
                self._fail(event.client_msg_id, OutcomeUnknown(f"its answer cannot be read: {event.reason}"))
        elif isinstance(event, LinkClosed):
            raise LinkLost(self._mask(event.reason)) from event.error

    def _fail(self, client_msg_id: str, error: RequestFailed) -> None:
        request = self._waiting.pop(client_msg_id, None)
        if request is None:
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
        while True:
            news = self._news
            taken = self._outbox.take(now_s=clock.now_s())
            for request in taken.overdue:
                request.fail(NotSent(f"{request.message.name} waited in the queue too long and did not leave"))
            data = [body for request in taken.ready if (body := self._encode(request)) is not None]
            now_s = clock.now_s()
            if not data and now_s >= self.heartbeat.due_s:
                data.append(self.connection.send(Message(oa.ProtoHeartbeatEvent())))
                self.throttle.sent(Budget.ORDINARY, now_s=now_s)
            if data:
                self.heartbeat.sent_s = now_s
                await self._put(b"".join(data))
                continue
            if news.is_set():
                self._news = anyio.Event()
                continue
            with anyio.move_on_after(max(0.0, min(taken.look_again_s, self.heartbeat.due_s) - now_s)):
                await news.wait()

    def _encode(self, request: Request) -> bytes | None:
        """The bytes of a request that may leave; one that may not has failed and gives None."""
        client_msg_id = request.message.client_msg_id
        assert client_msg_id is not None
        try:
            self._release(request.message)
            data = self.connection.send(request.message)
        except (RequestFailed, LocalProtocolError) as error:
            over = self.connection.state is ConnectionState.CLOSED  # the reader heard of the end a moment ago
            request.fail(NotSent(f"{request.message.name} did not leave: the link has ended") if over else error)
            return None
        request.sent_ms = clock.utc_ms()
        self._waiting[client_msg_id] = request
        if request.on_sent is not None:
            request.on_sent(request.sent_ms, client_msg_id)
        return data

    async def _put(self, data: bytes) -> None:
        try:
            with anyio.fail_after(self._write_s):
                await self._stream.send(data)
        except TimeoutError:
            raise LinkLost(f"a write did not finish within {self._write_s:g} s") from None

    async def _watch(self) -> None:
        opened_s = self.heartbeat.heard_s
        while True:
            dead_s = self.heartbeat.dead_s
            if clock.now_s() >= dead_s:
                silent_s = clock.now_s() - max(self.heartbeat.heard_s, opened_s)
                raise LinkLost(f"the server has been silent for {silent_s:.1f} s")
            await clock.sleep_until(dead_s)

    def _give_up(self, request: Request, when: str) -> None:
        """Nobody waits any more: it is withdrawn if it has not left, and its late answer is dropped if it has."""
        name = request.message.name
        if request.sent_ms is None:
            self._outbox.withdraw(request)
            request.fail(NotSent(f"{name} did not leave {when}"))
            return
        client_msg_id = request.message.client_msg_id
        assert client_msg_id is not None
        self._waiting.pop(client_msg_id, None)
        self.connection.abandon(client_msg_id)
        request.fail(OutcomeUnknown(f"{name} left, and was not answered {when}"))

    def _end(self, reason: str) -> None:
        self._over = reason
        self.connection.close()
        for request in self._outbox.clear():
            request.fail(NotSent(f"{request.message.name} did not leave: {reason}"))
        for request in self._waiting.values():
            request.fail(OutcomeUnknown(f"{request.message.name} left, and was not answered: {reason}"))
        self._waiting.clear()


def server_error(event: ErrorReceived) -> ServerError:
    """The exception that says what the server's error said."""
    if event.code in _RATE_CODES:
        return RateLimited(event.code, event.description, retry_after_s=event.retry_after_s)
    if event.code == _MAINTENANCE_CODE:
        return UnderMaintenance(event.code, event.description, until_ms=event.maintenance_end_ms)
    return ServerError(event.code, event.description, retry_after_s=event.retry_after_s)
