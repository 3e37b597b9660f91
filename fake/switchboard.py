"""Who is connected, and which frame goes to whom."""

from __future__ import annotations

import zlib
from collections import deque
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..wire import ConnectionState, LocalProtocolError, Message, UnknownPayload
from ..wire import messages as oa
from .agenda import Agenda
from .choices import Echo, ReplayedFills
from .clients import Frame, Origin
from .exchange import Exchange
from .injection import Faults, OutgoingFrame, Then
from .observations import Observations, Seen
from .pushes import Cause, Push, Quote, Scope
from .refused import Blame, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .agenda import Timer
    from .clients import AccountSession, Client
    from .exchange_settings import ExchangeSettings
    from .settings import ServerSettings
    from .tokens import Directory

__all__ = ["Switchboard"]

_REMARKS_KEPT = 1_000
_FILLS_KEPT = 100
_LONGEST_KEPT = 16_384  # bytes of a message; ten thousand observations must not hold what a flood of long ones weighs
_FILLS = (oa.ProtoOAExecutionType.ORDER_FILLED, oa.ProtoOAExecutionType.ORDER_PARTIAL_FILL)
_ERRORS = (oa.ProtoOAErrorRes, oa.ProtoOAOrderErrorEvent, oa.ProtoErrorRes)
# Section 18: a field that the schema does not have, so that clients prove they skip it. The exchange puts it into the
# protobuf message; JSON has no place for it there.
_EXTRA_KEYS = MappingProxyType({"anyctraderExtra": 1})


class Switchboard:
    """The server's state, shared by its tasks; all of it is synchronous.

    Args:
        settings: of the server.
        directory: applications, accounts and tokens.

    Attributes:
        agenda: what happens when.
        exchange: what trades.
        clients: those connected, by number.
        faults: those at work.
        seen: what clients did.
        violations: what the real server would have refused, the newest thousand.
        failures: exceptions that are the fake server's own fault.
    """

    def __init__(self, settings: ServerSettings, *, directory: Directory) -> None:
        self.settings = settings
        self.agenda = Agenda(clock_ms=settings.clock_ms, failed=self.failed, clock=settings.clock)
        self.directory = directory
        self.exchange = Exchange(_seeded(settings), now_ms=self.agenda.now_ms())
        self.clients: dict[int, Client] = {}
        self.faults = Faults()
        self.seen = Observations(settings.observations)
        self.violations: deque[str] = deque(maxlen=_REMARKS_KEPT)
        self.failures: deque[Exception] = deque(maxlen=_REMARKS_KEPT)
        self._connected = 0
        self._tick: Timer | None = None
        self._unheard: dict[int, deque[Any]] = {}

    # Remarks

    def remark(self, client: Client | None, text: str) -> None:
        """A line for the log; never with a secret in it."""
        if self.settings.log is not None:
            self.settings.log(text if client is None else f"client {client.number}: {text}")

    def observe(self, client: Client | None, name: str, *, message: Message | None = None, text: str = "") -> None:
        """Records what a client did."""
        self.seen.add(
            Seen(
                client.number if client is not None else 0,
                self.agenda.now_ms(),
                name,
                _kept(message.payload) if message is not None else None,
                message.client_msg_id if message is not None else None,
                text,
            )
        )

    def blame(self, client: Client, code: str, text: str) -> None:
        """Records what the real server would not have taken."""
        if code not in self.settings.tolerated:
            self.violations.append(f"client {client.number}: {text}")

    def failed(self, error: Exception) -> None:
        """Records a fault of our own; the server goes on."""
        self.failures.append(error)
        self.remark(None, f"the fake server has failed: {type(error).__name__}: {error}")

    # Clients

    def next_number(self) -> int:
        """The number of the next client."""
        self._connected += 1
        return self._connected

    def sessions(self, account_id: int) -> Iterable[tuple[Client, AccountSession]]:
        """The connections that hold an account, with their sessions."""
        for client in list(self.clients.values()):
            session = client.session(account_id)
            if session is not None:
                yield client, session

    # Sending

    def send(self, client: Client, payload: Any, client_msg_id: str | None = None) -> None:
        """Says something to a client; what it has no ear for any more is not said."""
        if client.closing is not None or client.connection.state is ConnectionState.CLOSED:
            return
        extra = (
            _EXTRA_KEYS
            if self.settings.exchange.variants.extra_field and type(payload) is oa.ProtoOAExecutionEvent
            else None
        )
        try:
            data = client.encode(payload, client_msg_id, unknown_keys=extra)
        except LocalProtocolError as error:
            self.failed(error)
            return
        if isinstance(payload, _ERRORS):
            self.remark(client, f"refused: {payload.errorCode} {payload.description}")
        self.put(client, OutgoingFrame(client.number, payload, client_msg_id, data, transport=client.transport))

    def put(self, client: Client, frame: OutgoingFrame) -> None:
        """Sends a frame as the faults at work will have it."""
        if not self.faults and not client.held_frames:
            self._write(client, frame)
            return
        for shaped in self.faults.outgoing(frame):
            self._schedule(client, shaped)

    def refuse(self, client: Client, refused: Refused, *, account_id: int | None, client_msg_id: str | None) -> None:
        """Answers a request with an error, and puts it to the client's account if it could have known better."""
        if refused.blame is Blame.CLIENT:
            self.blame(client, refused.code, str(refused))
        self.send(client, refused.message(account_id), client_msg_id)
        if refused.closes:
            client.close(str(refused))

    def _schedule(self, client: Client, frame: OutgoingFrame) -> None:
        now_s = self.agenda.now_s()
        if frame.overtaken:
            self.agenda.call_at(now_s + frame.delay_s, lambda: self._write(client, frame))
            return
        due_s = max(now_s + frame.delay_s, client.held_until_s)
        if due_s <= now_s and not client.held_frames:
            self._write(client, frame)
            return
        client.held_until_s = due_s
        client.held_frames += 1

        def release() -> None:
            client.held_frames -= 1
            self._write(client, frame)

        self.agenda.call_at(due_s, release)

    def _write(self, client: Client, frame: OutgoingFrame) -> None:
        if client.closing is not None:
            return
        if frame.data:
            self._write_data(client, frame.data, frame.name, frame.client_msg_id, now_s=self.agenda.now_s())
        if frame.then is Then.DROP:
            client.abrupt = True
            client.close("a fault")

    def _write_data(self, client: Client, data: bytes, name: str, client_msg_id: str | None, *, now_s: float) -> None:
        client.frames.append(Frame(True, self.agenda.ms_at(now_s), name, client_msg_id, len(data)))
        client.write(data, now_s=now_s)

    # The exchange

    def deliver(self, happened: Iterable[Push | Quote]) -> None:
        """Hands on what the exchange gave, in its order."""
        for item in happened:
            if isinstance(item, Quote):
                self._quote(item)
            else:
                self._push(item)

    def drive(self) -> None:
        """Sees to it that the exchange is asked again when it has something to do."""
        due_ms = self.exchange.next_due_ms()
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        if due_ms is not None:
            self._tick = self.agenda.call_at(self.agenda.due_s(due_ms), self._advance)

    def replay(self, client: Client, account_id: int) -> None:
        """Sends the fills that nobody heard of, where the settings want them replayed; they are then forgotten."""
        unheard = self._unheard.pop(account_id, ())
        if self.settings.variants.replayed_fills is ReplayedFills.YES:
            for message in unheard:
                self.send(client, message)

    def _advance(self) -> None:
        self._tick = None
        try:
            self.deliver(self.exchange.advance(self.agenda.now_ms()))
        finally:
            self.drive()

    def _push(self, push: Push) -> None:
        origin = push.origin if isinstance(push.origin, Origin) else None
        if push.scope is Scope.REQUESTER:
            if origin is not None:
                if isinstance(push.message, _ERRORS):
                    code, text = push.message.errorCode, push.message.description
                    self.blame(origin.client, code, f"{code}: {text}")
                self.send(origin.client, push.message, origin.client_msg_id)
            return
        heard = False
        for client, _ in self.sessions(push.account_id):
            self.send(client, push.message, self._id_on(push, client, origin))
            heard = True
        if not heard and getattr(push.message, "executionType", None) in _FILLS:
            self._unheard.setdefault(push.account_id, deque(maxlen=_FILLS_KEPT)).append(push.message)

    def _id_on(self, push: Push, client: Client, origin: Origin | None) -> str | None:
        """The client message id that this connection's copy carries (docs/protocol.md sections 2 and 19)."""
        if origin is None:
            return None
        variants = self.settings.variants
        echo = {
            Cause.ANSWER: Echo.ECHOED,
            Cause.FOLLOW_UP: variants.later_events,
            Cause.PENDING_FILL: variants.pending_fills,
            Cause.SERVER: Echo.EMPTY,
        }[push.cause]
        if origin.client is not client and variants.other_connections is Echo.EMPTY:
            echo = Echo.EMPTY
        return origin.client_msg_id if echo is Echo.ECHOED else None

    def _quote(self, quote: Quote) -> None:
        encoded: dict[tuple[Any, ...], tuple[Any, bytes]] = {}
        now_s = self.agenda.now_s()  # one moment for all, and one look at the clock: there may be many
        for client in list(self.clients.values()):
            for session in client.sessions.values():
                subscription = session.subscriptions.spots.get(quote.symbol_id)
                if subscription is not None and session.alive and client.closing is None:
                    listens = (session.subscriptions.account_id, subscription.with_timestamp, subscription.periods)
                    key = (client.codec.name, client.transport, *listens)
                    if key not in encoded:  # the same bytes for all that listen alike
                        event = session.subscriptions.spot_event(quote, self.exchange)
                        encoded[key] = event, client.encode(event)
                    event, data = encoded[key]
                    if self.faults or client.held_frames:
                        self.put(client, OutgoingFrame(client.number, event, None, data, transport=client.transport))
                    else:
                        self._write_data(client, data, "ProtoOASpotEvent", None, now_s=now_s)
                if quote.symbol_id in session.subscriptions.depth and session.alive:
                    depth = session.subscriptions.depth_event(quote.symbol_id, self.exchange)
                    if depth is not None:
                        self.send(client, depth)


def _kept(payload: Any) -> Any:
    """The payload, if it is short enough to be kept."""
    if isinstance(payload, UnknownPayload):
        return UnknownPayload(payload.payload_type)
    return payload if payload.ByteSize() <= _LONGEST_KEPT else None


def _seeded(settings: ServerSettings) -> ExchangeSettings:
    """The exchange with the server's one seed in all that it leaves to chance."""
    exchange, number = settings.exchange, zlib.crc32(settings.seed.encode())  # 0 for none
    market = replace(exchange.market, seed=exchange.market.seed + number)
    return replace(exchange, seed=exchange.seed + number, market=market)
