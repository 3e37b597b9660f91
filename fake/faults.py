"""What can go wrong, on demand: each fault is an object, injected for a while or until it has struck.

    with server.faults.inject(Silence()):
        ...
    server.faults.inject(DropAfter(3), client=1)     # strikes once, then it is spent

A fault sees each frame that the server is about to send, each request that it has received, or both.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..wire import messages as oa
from ..wire.websocket import MessageKind, data_frame
from .injection import Fault, Nth, OutgoingFrame, RefusedTls, Then, Transport, Which, fits
from .refused import Blame, Carried, Refused
from .websocket_faults import CloseWebSocket, Fragments, HalfMessage, NoUpgrade

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .certificates import WrongCertificate

__all__ = [
    "Blocked",
    "CloseWebSocket",
    "ConnectionLimit",
    "Deafness",
    "Delay",
    "DropAfter",
    "DropBefore",
    "Duplicate",
    "Fragments",
    "Garbage",
    "HalfFrame",
    "HalfMessage",
    "Jitter",
    "Late",
    "Lose",
    "Maintenance",
    "NoUpgrade",
    "OversizeLength",
    "RefuseTls",
    "Reorder",
    "Replace",
    "Silence",
    "Unanswering",
    "WrongTls",
]


# What is not sent


class Silence(Fault):
    """The server sends nothing at all, heartbeats included, and does everything that it is asked."""

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        """Nothing leaves."""
        return ()


class Unanswering(Fault):
    """Requests are done but not answered; quotes, heartbeats and others' events still come.

    Args:
        which: which answers are held back; by default all that carry a `clientMsgId`.
    """

    def __init__(self, which: Which = None) -> None:
        self._which = which

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        """Whatever has an id does not leave."""
        return () if frame.client_msg_id is not None and fits(self._which, frame) else (frame,)


class Deafness(Fault):
    """Messages of clients are read off the wire and thrown away: what was asked is not done.

    Args:
        name: the name of the one message that is not heard; None for all.
    """

    def __init__(self, name: str | None = None) -> None:
        self._name = name

    def hears(self, name: str) -> bool:
        """Whether it is noticed."""
        return self._name is not None and name != self._name


class Lose(Nth):
    """The n-th frame that fits is never sent: an execution event that got lost, say (py-sdk issue 47)."""

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        """All but one leave."""
        return () if self._strikes(frame) else (frame,)


# What is sent at another time


class Delay(Fault):
    """Every frame is held for so long; their order stays.

    Args:
        delay_s: seconds.
    """

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        """The frame, later."""
        return (replace(frame, delay_s=frame.delay_s + self._delay_s),)


class Jitter(Fault):
    """Every frame is held for a time of its own; their order stays.

    Args:
        most_s: the longest, seconds.
        seed: the same seed gives the same times.
    """

    def __init__(self, most_s: float, *, seed: int = 1) -> None:
        self._most_s = most_s
        self._random = random.Random(seed)

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        """The frame, a little later."""
        return (replace(frame, delay_s=frame.delay_s + self._random.uniform(0, self._most_s)),)


class Late(Nth):
    """The n-th frame that fits comes so much later, and the others pass it: a late fill, say."""

    def __init__(self, delay_s: float, nth: int = 1, *, which: Which = None) -> None:
        super().__init__(nth, which=which)
        self._delay_s = delay_s

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        """The frame; one of them later."""
        if self._strikes(frame):
            return (replace(frame, delay_s=frame.delay_s + self._delay_s, overtaken=True),)
        return (frame,)


class Reorder(Nth):
    """The n-th frame that fits leaves after the one that follows it."""

    def __init__(self, nth: int = 1, *, which: Which = None) -> None:
        super().__init__(nth, which=which)
        self._struck = False
        self._held: OutgoingFrame | None = None

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        """Two frames change places."""
        if self._held is not None and frame.client == self._held.client:
            held, self._held = self._held, None
            self.spent = True
            return (frame, held)
        if not self._struck and self._strikes(frame):
            self._struck, self.spent = True, False  # it is not spent before the held frame has left
            self._held = frame
            return ()
        return (frame,)


# What is sent differently


class Duplicate(Nth):
    """The n-th frame that fits is sent twice."""

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        """One of them twice."""
        return (frame, frame) if self._strikes(frame) else (frame,)


class Replace(Nth):
    """Other bytes leave in place of the n-th frame that fits.

    Args:
        data: the bytes, framing included.
    """

    def __init__(self, data: bytes, nth: int = 1, *, which: Which = None) -> None:
        super().__init__(nth, which=which)
        self._data = data

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        """The other bytes, once."""
        return (replace(frame, data=self._data),) if self._strikes(frame) else (frame,)


class Garbage(Nth):
    """A sound frame with a body that is nothing leaves in place of the n-th frame that fits."""

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        """Nonsense, once; on a WebSocket in a message of the kind that is due."""
        if not self._strikes(frame):
            return (frame,)
        nothing = b"\xff" * 16
        if frame.transport is Transport.TCP:
            data = b"\x00\x00\x00\x10" + nothing
        else:
            text = frame.data[:1] == bytes((0x80 | MessageKind.TEXT,))
            data = data_frame(frame.data[0], b"no JSON at all" if text else nothing)
        return (replace(frame, data=data),)


class OversizeLength(Nth):
    """A length that no client takes leaves in place of the n-th frame that fits."""

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        """The length of two gigabytes and nothing behind it, once."""
        if not self._strikes(frame):
            return (frame,)
        length = b"\x7f\xff\xff\xff"
        if frame.transport is Transport.WEBSOCKET:
            length = frame.data[:1] + b"\x7f\x00\x00\x00\x00" + length
        return (replace(frame, data=length),)


class HalfFrame(Nth):
    """The first half of the n-th frame that fits leaves, then the connection is dropped."""

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        """Half of one of them."""
        if self._strikes(frame):
            return (replace(frame, data=frame.data[: len(frame.data) // 2], then=Then.DROP),)
        return (frame,)


class DropBefore(Nth):
    """The connection is dropped in place of the n-th frame that fits."""

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        """No frame, and the end."""
        return (replace(frame, data=b"", then=Then.DROP),) if self._strikes(frame) else (frame,)


class DropAfter(Nth):
    """The connection is dropped after the n-th frame that fits."""

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        """The frame, and the end."""
        return (replace(frame, then=Then.DROP),) if self._strikes(frame) else (frame,)


# What is refused


class Maintenance(Fault):
    """Every request but the version is refused, because the back end is away (docs/protocol.md section 7).

    Args:
        code: `SERVER_IS_UNDER_MAINTENANCE`, `CANT_ROUTE_REQUEST` or `CH_SERVER_NOT_REACHABLE`.
        end_s: `maintenanceEndTimestamp`, seconds since the epoch, with the first of these.
        carried: which message says so; `ProtoErrorRes` gives the end in ms.
    """

    def __init__(
        self, code: str = "SERVER_IS_UNDER_MAINTENANCE", *, end_s: int | None = None, carried: Carried = Carried.ERROR
    ) -> None:
        self._code = code
        self._end_s = end_s
        self._carried = carried

    def admit(self, payload_type: int) -> None:
        """See the class."""
        if payload_type != oa.payload_type_of(oa.ProtoOAVersionReq):
            raise Refused(
                self._code,
                "Server is under maintenance",
                carried=self._carried,
                blame=Blame.SERVER,
                maintenance_end_s=self._end_s,
            )


class Blocked(Fault):
    """Requests of this type are refused as if they were too many (docs/protocol.md section 5).

    Args:
        request: the class of the request, or None for every request.
        retry_after_s: `retryAfter`, seconds.
        times: how many are refused; None for all while it lasts.
    """

    def __init__(self, request: Any = None, *, retry_after_s: int = 1, times: int | None = None) -> None:
        if times is not None and times < 1:
            raise ValueError(f"times is {times}; a fault that never strikes is none")
        self._payload_type = None if request is None else oa.payload_type_of(request)
        self._retry_after_s = retry_after_s
        self._left = times

    def admit(self, payload_type: int) -> None:
        """See the class."""
        if self._payload_type not in (None, payload_type) or self.spent:
            return
        if self._left is not None:
            self._left -= 1
            self.spent = self._left == 0
        raise Refused(
            "BLOCKED_PAYLOAD_TYPE",
            "Payload type is blocked",
            blame=Blame.SERVER,
            retry_after_s=self._retry_after_s,
        )


class ConnectionLimit(Fault):
    """An application may have only so many connections; those that it has stay."""

    def __init__(self, most: int) -> None:
        self._most = most

    def connections(self) -> int | None:
        """See the class."""
        return self._most


class RefuseTls(Fault):
    """New connections are closed before TLS begins, as seen at weekends (docs/protocol.md section 7)."""

    def tls(self) -> WrongCertificate | RefusedTls | None:
        """See the class."""
        return RefusedTls.REFUSED


class WrongTls(Fault):
    """New connections are shown a certificate that a client must refuse.

    Args:
        wrong: what is wrong with it.
    """

    def __init__(self, wrong: WrongCertificate) -> None:
        self._wrong = wrong

    def tls(self) -> WrongCertificate | RefusedTls | None:
        """See the class."""
        return self._wrong
