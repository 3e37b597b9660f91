"""One connected client: its protocol object, its accounts, and the bytes that wait for it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from ..wire import Connection, Message, Role, WebSocketFraming
from .injection import Transport
from .limits import RequestRates
from .subscriptions import Subscriptions

if TYPE_CHECKING:
    from anyio.abc import ByteStream

    from ..wire import Codec
    from ..wire.framing import Framing
    from .agenda import Timer
    from .settings import Limits
    from .tokens import Application, Grant

__all__ = ["AccountSession", "Client", "Frame", "Origin"]

_BYE = "Bye"  # what the real server says where it closes an idle WebSocket (docs/protocol.md section 4)

FRAMES_KEPT = 1_000
"""How many of a client's newest frames are remembered."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A message that went over the wire.

    Attributes:
        sent: True if the server sent it, False if the client did.
        at_ms: server time, ms since the epoch.
        name: the published name of its message.
        client_msg_id: its id, or None.
        size: bytes on the wire, framing included; 0 for what a client sent.
    """

    sent: bool
    at_ms: int
    name: str
    client_msg_id: str | None
    size: int


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asked for something, as the exchange carries it along.

    Attributes:
        client: the connection.
        client_msg_id: the request's id, or None.
    """

    client: Client
    client_msg_id: str | None


@dataclass(slots=True)
class AccountSession:
    """An account that was authorised on a connection.

    Attributes:
        grant: the token that it runs on.
        subscriptions: what it listens to.
        alive: False once the token died: requests are refused and nothing is pushed until it is authorised again.
    """

    grant: Grant
    subscriptions: Subscriptions
    alive: bool = True


class Client:
    """A connection from the server's side.

    Args:
        number: from 1, in the order of connecting.
        codec: of the port that it came to.
        framing: how its messages are told apart.
        limits: how much it may ask for.
        closing_s: how long what is still to be written may take once the connection is to be closed.
        now_s: the event loop's clock.

    Attributes:
        application: whose credentials it gave, or None.
        transport: what it came over, once its first bytes have told.
        sessions: its accounts.
        frames: the newest frames, both ways, oldest first.
        closing: why the server ends the connection, once it does.
        abrupt: whether it ends without ending TLS.
        scope: cancelled when the connection is dropped.
        clock: the next look at how long it has been silent.
        connected_s: event loop's clock at the end of the handshake; likewise the last frame heard (`heard_s`) and
            the last bytes sent (`spoke_s`).
        waiting_bytes: what it has not taken yet.
        held_until_s: no frame that keeps its place leaves before this; `held_frames` are waiting for it.
    """

    def __init__(
        self, number: int, *, codec: Codec, framing: Framing, limits: Limits, closing_s: float, now_s: float
    ) -> None:
        self.number = number
        self.codec = codec
        self.framing = framing
        self.transport = Transport.TCP
        self.connection = Connection(Role.SERVER, codec, framing=framing)
        self.rates = RequestRates(limits)
        self.application: Application | None = None
        self.sessions: dict[int, AccountSession] = {}
        self.frames: deque[Frame] = deque(maxlen=FRAMES_KEPT)
        self.connected_s = now_s
        self.heard_s = now_s
        self.spoke_s = now_s
        self.held_until_s = now_s
        self.held_frames = 0
        self.closing: str | None = None
        self.abrupt = False
        self.scope = anyio.CancelScope()
        self.clock: Timer | None = None
        self._closing_s = closing_s
        self._outbox: deque[bytes] = deque()
        self.waiting_bytes = 0
        self._most_bytes = limits.outbox_bytes
        self._more = anyio.Event()

    def __repr__(self) -> str:
        return f"<Client {self.number} {self.codec.name}>"

    def session(self, account_id: int) -> AccountSession | None:
        """The account's session, if it is authorised here and its token has not died."""
        session = self.sessions.get(account_id)
        return session if session is not None and session.alive else None

    def speak_websocket(self, framing: Framing) -> None:
        """It has asked for a WebSocket: nothing was said before, and from now on it is said in this framing."""
        self.framing = framing
        self.transport = Transport.WEBSOCKET
        self.connection = Connection(Role.SERVER, self.codec, framing=framing)

    # Speaking

    def encode(self, payload: Any, client_msg_id: str | None = None, *, unknown_keys: Any = None) -> bytes:
        """The frame for a message; this connection's states move by it."""
        return self.connection.send(Message(payload, client_msg_id, unknown_keys))

    def encode_last_word(self, payload: Any) -> bytes:
        """The frame for a message about a stream that is broken already, on which nothing else may be said."""
        return self.framing.wrap(self.codec.encode(Message(payload)))

    def write(self, data: bytes, *, now_s: float) -> None:
        """Puts bytes into the outbox; a client that has too many waiting is dropped."""
        if self.closing is not None:
            return
        self._outbox.append(data)
        self.waiting_bytes += len(data)
        self.spoke_s = now_s
        if self.waiting_bytes > self._most_bytes:
            self.drop(f"it does not read: {self.waiting_bytes} bytes are waiting for it")
        else:
            self._more.set()

    def close(self, reason: str) -> None:
        """Ends the connection once everything in the outbox is written."""
        if self.closing is None:
            self.closing = reason
            self.scope.deadline = anyio.current_time() + self._closing_s
            self._more.set()

    def drop(self, reason: str) -> None:
        """Ends the connection at once, without a word and without ending TLS."""
        if self.closing is None:
            self.closing = reason
        self.abrupt = True
        self.scope.cancel()

    async def write_all(self, stream: ByteStream) -> None:
        """Writes what comes into the outbox, until the connection is closed and the outbox empty."""
        while True:
            while self._outbox:
                data = self._outbox.popleft() if len(self._outbox) == 1 else b"".join(self._outbox)
                self._outbox.clear()
                await stream.send(data)
                self.waiting_bytes -= len(data)
            if self.closing is not None:
                if isinstance(self.framing, WebSocketFraming) and not self.abrupt:
                    await stream.send(self.framing.farewell(reason=_BYE))
                return
            self._more = anyio.Event()
            await self._more.wait()

    # Accounts

    def authorise(self, account_id: int, grant: Grant) -> None:
        """Starts an account's session, or takes up one whose token had died, with its subscriptions."""
        before = self.sessions.get(account_id)
        subscriptions = before.subscriptions if before is not None else Subscriptions(account_id)
        self.sessions[account_id] = AccountSession(grant, subscriptions)
