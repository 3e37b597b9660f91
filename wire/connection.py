"""One connection, as pure as its bytes: the same bytes give the same events.

It knows which requests are open and what may be said when; it has no socket, no clock and no task. The client is
one in the role of the client, a server one in the role of the server.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from .catalog import CATALOG, Kind
from .codecs import Message, ProtobufCodec, UnknownPayload
from .dialogue import CLIENT_DISCONNECT, MOVING, ORDER_ERROR, Dialogue
from .drift import Drift
from .errors import LocalProtocolError, RemoteProtocolError, UndecodablePayload
from .events import (
    AnswerDropped,
    Event,
    EventReceived,
    HeartbeatReceived,
    LinkClosed,
    RequestReceived,
    ResponseReceived,
    SpotsReceived,
    UndecodedReceived,
    error_of,
)
from .framing import Framing, LengthFraming
from .progress import Progress
from .quoting import told
from .states import AccountState, ConnectionState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .catalog import Entry
    from .codecs import Codec

__all__ = ["Connection", "Role"]

# Events that move nothing: the most frequent messages by far, quotes among them.
_PLAIN_EVENTS = (
    frozenset(payload_type for payload_type, entry in CATALOG.items() if entry.kind is Kind.EVENT)
    - MOVING
    - {CLIENT_DISCONNECT}
)


class Role(enum.Enum):
    """Which end of the wire."""

    CLIENT = "client"
    SERVER = "server"


class Connection:
    """Bytes in, events out; messages in, bytes out.

    Args:
        role: which end of the wire this is.
        codec: a fresh codec of this connection's flavour.
        framing: how messages are delimited; by default four bytes of length.
        gather_spots: report spot events that come in a row together (`SpotsReceived`), to a client whose codec can
            read them so; an event for each costs more than the message itself.

    Attributes:
        late_answers: how many answers came that nobody waited for any more. They were dropped (`AnswerDropped`), but
            for errors, which are reported without an id.
        drift: how much of what the peer said differs from our schema.
        idle: whether the last bytes were no sign of life of the peer's: they completed no message, and the one that is
            under way has not grown by `PROGRESS_SIZE` since the last sign. A WebSocket's control frames, blank lines,
            and a frame whose bytes trickle in are none.
    """

    def __init__(self, role: Role, codec: Codec, *, framing: Framing | None = None, gather_spots: bool = False) -> None:
        self.late_answers = 0
        self.drift = Drift()
        self.idle = False
        self._progress = Progress()
        self._role = role
        self._codec = codec
        self._framing: Framing = framing if framing is not None else LengthFraming()
        self._dialogue = Dialogue()
        self._read_spots = (
            codec.read_spots if gather_spots and role is Role.CLIENT and isinstance(codec, ProtobufCodec) else _no_spots
        )

    @property
    def role(self) -> Role:
        """Which end of the wire this is."""
        return self._role

    @property
    def state(self) -> ConnectionState:
        """How far the application is."""
        return self._dialogue.state

    @property
    def accounts(self) -> Mapping[int, AccountState]:
        """Every account whose authorisation was asked for on this connection, and how far it is."""
        return self._dialogue.accounts

    @property
    def open_ids(self) -> frozenset[str]:
        """The client message ids that are waiting for an answer; of more than 10,000 the oldest are forgotten."""
        return frozenset(self._dialogue.open)

    @property
    def _closed(self) -> bool:
        return self._dialogue.state is ConnectionState.CLOSED

    # Bytes in

    def receive_data(self, data: bytes) -> list[Event]:
        """What these bytes mean, together with those before them.

        Never raises on the peer's account: what stands before a fault is reported, and the fault ends the list as
        `LinkClosed` with a `RemoteProtocolError`.
        """
        events: list[Event] = []
        if self._closed:
            return events
        try:
            bodies = self._framing.feed(data)
            self.idle = not self._progress.is_made(self._framing.inside, whole=bool(bodies))
            if self._read_spots is not _no_spots and isinstance(bodies, list):
                self._take_gathered(bodies, events)
            else:
                for body in bodies:
                    self._take(body, events)
                    if self._closed:
                        break
        except RemoteProtocolError as error:
            self._framing.found_unreadable()
            self._end(events, str(error), error)
        if (ended := self._framing.ended) is not None and not self._closed:
            self._end(events, ended, None)
        return events

    def _take_gathered(self, bodies: list[bytes], events: list[Event]) -> None:
        """All bodies of one read, spot events among them in rows."""
        position = 0
        while position < len(bodies) and not self._closed:
            spots = self._read_spots(bodies, position)
            if spots:
                self.drift.look_at_spots(spots)
                events.append(SpotsReceived(spots))
                position += len(spots)
            else:
                self._take(bodies[position], events)
                position += 1

    def _take(self, body: bytes, events: list[Event]) -> None:
        try:
            message = self._codec.decode(body)
        except UndecodablePayload as fault:
            self._undecodable(fault, events)
            return
        payload_type = message.payload_type
        entry = CATALOG.get(payload_type)
        self.drift.look(payload_type, message, len(body))
        take = self._take_from_server if self._role is Role.CLIENT else self._take_from_client
        take(payload_type, entry, message, events)

    def receive_eof(self) -> list[Event]:
        """What it means that the stream has ended."""
        events: list[Event] = []
        if not self._closed:
            try:
                self._framing.close()
            except RemoteProtocolError as error:
                self._end(events, str(error), error)
            else:
                self._end(events, "the peer ended the stream", None)
        return events

    # Messages out

    def send(self, message: Message) -> bytes:
        """The bytes that say this message; states and open ids have moved when it returns.

        A request without an id is sent, but nobody can be told of its answer.

        Raises:
            LocalProtocolError: it may not be said now, its id is open already, or it cannot be encoded. Nothing
                has moved.
        """
        try:
            payload_type = message.payload_type
        except KeyError as error:
            raise LocalProtocolError(error.args[0]) from None
        entry = CATALOG.get(payload_type)
        fault = self._objection(payload_type, entry, message)
        if fault is not None:
            raise LocalProtocolError(fault)
        data = self._framing.wrap(self._codec.encode(message))
        dialogue, client_msg_id = self._dialogue, message.client_msg_id
        if self._role is Role.CLIENT:
            if entry is None or entry.kind is Kind.REQUEST:
                dialogue.ask(payload_type, message.payload, client_msg_id)
        elif entry is None:
            dialogue.give_up(client_msg_id)
        else:
            settled, problem = dialogue.settled_by(payload_type, entry.kind, message.payload, client_msg_id)
            if not problem:  # otherwise the client does not take it for an answer, and nothing moves there either
                dialogue.hear(payload_type, message.payload, client_msg_id, settled)
            if payload_type == CLIENT_DISCONNECT:
                dialogue.end()
        return data

    def abandon(self, client_msg_id: str) -> list[Event]:
        """Nobody waits for this id any more: a late answer to it is counted and dropped.

        An authorisation that was asked for with it counts as refused (`AccountChanged`), until the server says more.
        """
        return [*self._dialogue.give_up(client_msg_id)]

    @property
    def owes(self) -> bool:
        """Whether `owed` has bytes that want to leave: a WebSocket's answer to a ping."""
        return self._framing.owes

    def owed(self) -> bytes:
        """What the framing itself has to say to the peer, once; no message is in it, and it may be empty."""
        return self._framing.take_owed()

    def close(self) -> bytes:
        """We end it. Nothing is sent or reported afterwards.

        Returns:
            The framing's last word, a WebSocket's close frame, the first time; otherwise nothing. To be written before
            the stream is closed, where that is still possible.
        """
        if not self._closed:
            self._dialogue.end()
        return self._framing.farewell()

    # Inside

    def _objection(self, payload_type: int, entry: Entry | None, message: Message) -> str | None:
        """Why we may not say this now, or None."""
        if self._closed:
            return f"{message.name} cannot be said: the connection is closed"
        kind = entry.kind if entry is not None else None
        if self._role is Role.SERVER:
            return f"{message.name} is nothing that a server says" if kind is Kind.REQUEST else None
        if kind not in (Kind.REQUEST, Kind.HEARTBEAT, None):
            return f"{message.name} is nothing that a client says"
        if kind is not Kind.HEARTBEAT and (fault := self._dialogue.unusable(message.client_msg_id)) is not None:
            return fault
        return self._dialogue.too_early(payload_type, message.payload)

    def _take_from_client(self, payload_type: int, entry: Entry | None, message: Message, events: list[Event]) -> None:
        if entry is not None and entry.kind is Kind.HEARTBEAT:
            events.append(HeartbeatReceived())
            return
        if entry is not None and entry.kind is not Kind.REQUEST:
            self._unplaced(
                message, f"a client does not say {message.name}", events, client_msg_id=message.client_msg_id
            )
            return
        dialogue, client_msg_id = self._dialogue, message.client_msg_id or None
        if (fault := dialogue.too_long(client_msg_id)) is not None:
            self._unplaced(message, fault, events, client_msg_id=None)
            return
        misplaced = dialogue.too_early(payload_type, message.payload)
        if misplaced is None:
            events += dialogue.ask(payload_type, message.payload, client_msg_id)
        events.append(RequestReceived(message, client_msg_id, misplaced))

    def _take_from_server(self, payload_type: int, entry: Entry | None, message: Message, events: list[Event]) -> None:
        if payload_type in _PLAIN_EVENTS and not message.client_msg_id:
            events.append(EventReceived(message, None))
        elif entry is None:
            reason = "the schema does not know this payload type"
            self._unplaced(message, reason, events, client_msg_id=message.client_msg_id)
        elif entry.kind is Kind.HEARTBEAT:
            events.append(HeartbeatReceived())
        elif entry.kind is Kind.REQUEST:
            self._unplaced(
                message, f"a server does not say {message.name}", events, client_msg_id=message.client_msg_id
            )
        else:
            self._take_answer(payload_type, entry.kind, message, events)

    def _take_answer(self, payload_type: int, kind: Kind, message: Message, events: list[Event]) -> None:
        """What may answer a request: a response, an error, or an event."""
        dialogue, client_msg_id = self._dialogue, message.client_msg_id or None
        settled, problem = dialogue.settled_by(payload_type, kind, message.payload, client_msg_id)
        if problem:
            self._unplaced(message, problem, events, client_msg_id=None)
            return
        events += dialogue.hear(payload_type, message.payload, client_msg_id, settled)
        if kind is Kind.EVENT or payload_type == ORDER_ERROR:
            # Before the answer, so that an order has moved when its caller wakes.
            events.append(EventReceived(message, client_msg_id))
        if not settled and (kind is Kind.RESPONSE or (kind is Kind.ERROR and client_msg_id)):
            self.late_answers += 1
        if kind is Kind.ERROR:
            events.append(error_of(message, settled or None))
        elif settled or kind is Kind.RESPONSE:
            events.append(ResponseReceived(settled, message) if settled else AnswerDropped(message))
        if payload_type == CLIENT_DISCONNECT:
            # All of it or nothing: whoever cuts it must cover secrets first.
            reason = told(message.payload.reason) or "no reason given"
            self._end(events, f"the server disconnected us: {reason}", None)

    def _undecodable(self, fault: UndecodablePayload, events: list[Event]) -> None:
        if fault.missing_fields:
            self.drift.missing_fields += 1
        else:
            self.drift.undecodable += 1
        self._report(fault.payload_type, fault.client_msg_id, fault.body, fault.reason, events)

    def _unplaced(self, message: Message, reason: str, events: list[Event], *, client_msg_id: str | None) -> None:
        payload = message.payload
        body = payload.body if isinstance(payload, UnknownPayload) else payload.SerializePartialToString()
        self._report(message.payload_type, client_msg_id, body, reason, events)

    def _report(
        self, payload_type: int, client_msg_id: str | None, body: Any, reason: str, events: list[Event]
    ) -> None:
        if self._role is Role.CLIENT:
            if not self._dialogue.may_answer(payload_type, client_msg_id):
                client_msg_id = None  # whoever asked goes on waiting: the answer may still come
            events += self._dialogue.give_up(client_msg_id)
        events.append(UndecodedReceived(payload_type, client_msg_id or None, body, reason))

    def _end(self, events: list[Event], reason: str, error: RemoteProtocolError | None) -> None:
        events += [*self._dialogue.end(), LinkClosed(reason, error)]


def _no_spots(bodies: Sequence[bytes], start: int) -> list[Any]:
    """Reads none: every message is an event of its own."""
    return []
