"""Faults at work: what a fault is, and what the active ones together make of a frame or a request."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ..wire import messages as oa

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from .certificates import WrongCertificate

__all__ = [
    "Fault",
    "Faults",
    "Injection",
    "Nth",
    "OutgoingFrame",
    "Refusal",
    "RefusedTls",
    "Then",
    "Transport",
    "Which",
    "fits",
]


class RefusedTls(enum.Enum):
    """New connections are closed before TLS begins."""

    REFUSED = "refused"


class Transport(enum.Enum):
    """What carries a connection's messages."""

    TCP = "tcp"
    WEBSOCKET = "websocket"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An HTTP answer in place of the upgrade to a WebSocket.

    Attributes:
        status: from 200 on.
        text: its body.
    """

    status: int
    text: str

    @property
    def phrase(self) -> str:
        """The standard's words for the status, or empty."""
        return HTTPStatus(self.status).phrase if self.status in set(HTTPStatus) else ""


class Then(enum.Enum):
    """What follows a frame."""

    NOTHING = "nothing"
    DROP = "drop"
    """The connection is dropped once the bytes have left."""


@dataclass(frozen=True, slots=True)
class OutgoingFrame:
    """A frame on its way out.

    Attributes:
        client: the number of the client that it goes to.
        payload: its message; None for bytes that are no message.
        client_msg_id: its id, or None.
        data: its bytes, framing included; may be empty.
        delay_s: how long it is held, seconds.
        overtaken: whether later frames may pass it while it is held.
        then: what follows it.
        transport: what carries it.
    """

    client: int
    payload: Any
    client_msg_id: str | None
    data: bytes
    delay_s: float = 0.0
    overtaken: bool = False
    then: Then = Then.NOTHING
    transport: Transport = Transport.TCP

    @property
    def name(self) -> str:
        """The published name of its message, or empty."""
        return "" if self.payload is None else type(self.payload).__name__


Which = str | Callable[[OutgoingFrame], bool] | None
"""Which frames a fault is about: those of a message's name, those that pass a test, or all. Behind a name may stand the
type of an execution event: `ProtoOAExecutionEvent:ORDER_FILLED`."""


class Fault:
    """A fault does nothing until a method is overridden.

    Attributes:
        spent: True once it has struck for the last time; it is then taken away by itself.
    """

    spent = False

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        """What leaves in place of this frame."""
        return (frame,)

    def admit(self, payload_type: int) -> None:
        """Judges a request before it is done.

        Raises:
            Refused: it is not done.
        """

    def hears(self, name: str) -> bool:
        """Whether a message that has arrived is noticed at all."""
        return True

    def connections(self) -> int | None:
        """The most connections that an application may have, or None to say nothing about it."""
        return None

    def tls(self) -> WrongCertificate | RefusedTls | None:
        """What is wrong with TLS, or None."""
        return None

    def upgrade(self) -> Refusal | None:
        """What is answered in place of the upgrade to a WebSocket, or None."""
        return None


def fits(which: Which, frame: OutgoingFrame) -> bool:
    """Whether a frame is one of these."""
    if which is None:
        return True
    if not isinstance(which, str):
        return which(frame)
    name, colon, kind = which.partition(":")
    if frame.name != name:
        return False
    return not colon or frame.payload.executionType == oa.ProtoOAExecutionType[kind]


class Nth(Fault):
    """Strikes at the n-th frame that fits, counted from the moment of injection, once."""

    def __init__(self, nth: int = 1, *, which: Which = None) -> None:
        if nth < 1:
            raise ValueError(f"nth is {nth}; frames are counted from 1")
        self._nth = nth
        self._which = which
        self._count = 0

    def _strikes(self, frame: OutgoingFrame) -> bool:
        if self.spent or not fits(self._which, frame):
            return False
        self._count += 1
        self.spent = self._count == self._nth
        return self.spent


class Injection:
    """A fault at work. As a context manager it takes the fault away at its end; `remove()` does so at any time."""

    def __init__(self, faults: Faults, fault: Fault, client: int | None) -> None:
        self._faults = faults
        self.fault = fault
        self.client = client

    def __enter__(self) -> Injection:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.remove()

    def remove(self) -> None:
        """The fault ends; once it has ended this does nothing."""
        self._faults.remove(self)


class Faults:
    """The faults at work, in the order of their injection; each sees what the one before has made of a frame."""

    def __init__(self) -> None:
        self._injections: list[Injection] = []

    def __bool__(self) -> bool:
        """Whether any is at work."""
        return bool(self._injections)

    @property
    def active(self) -> tuple[Fault, ...]:
        """Those at work."""
        return tuple(injection.fault for injection in self._injections)

    def inject(self, fault: Fault, *, client: int | None = None) -> Injection:
        """Sets a fault to work, at once.

        Args:
            fault: a fresh one; it may count, so it is not to be used twice.
            client: the number of the only client that meets it; None for all.
        """
        injection = Injection(self, fault, client)
        self._injections.append(injection)
        return injection

    def outgoing(self, frame: OutgoingFrame) -> list[OutgoingFrame]:
        """What leaves in place of this frame."""
        frames = [frame]
        for injection in self._of(frame.client):
            frames = [result for given in frames for result in injection.fault.outgoing(given)]
        self._sweep()
        return frames

    def admit(self, client: int, payload_type: int) -> None:
        """Judges a request before it is done.

        Raises:
            Refused: a fault wants it refused.
        """
        try:
            for injection in self._of(client):
                injection.fault.admit(payload_type)
        finally:
            self._sweep()

    def hears(self, client: int, name: str) -> bool:
        """Whether a message of this client is noticed."""
        return all(injection.fault.hears(name) for injection in self._of(client))

    def connections(self, most: int | None) -> int | None:
        """The most connections of an application, given what the settings say."""
        said = [limit for injection in self._injections if (limit := injection.fault.connections()) is not None]
        return min(said) if said else most

    def tls(self) -> WrongCertificate | RefusedTls | None:
        """What is wrong with TLS now: the newest fault decides."""
        for injection in reversed(self._injections):
            if (wrong := injection.fault.tls()) is not None:
                return wrong
        return None

    def upgrade(self) -> Refusal | None:
        """What is answered in place of an upgrade now: the newest fault decides."""
        said = [refusal for injection in self._injections if (refusal := injection.fault.upgrade()) is not None]
        self._sweep()
        return said[-1] if said else None

    def remove(self, injection: Injection) -> None:
        """A fault ends."""
        if injection in self._injections:
            self._injections.remove(injection)

    def _of(self, client: int) -> list[Injection]:
        return [injection for injection in self._injections if injection.client in (None, client)]

    def _sweep(self) -> None:
        if self._injections:
            self._injections = [injection for injection in self._injections if not injection.fault.spent]
