"""What can go wrong with a WebSocket alone; `faults` has these too, and all others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..wire.websocket import LONGEST_CONTROL, Opcode, control_frame, data_frame
from .injection import Fault, Nth, OutgoingFrame, Refusal, Then, Transport, Which

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CloseWebSocket", "Fragments", "HalfMessage", "NoUpgrade"]

_FIN = 0x80  # the bit of a frame that ends its message
_HIGHEST_CODE = 0xFFFF  # a code has two bytes
_LONGEST_REASON = LONGEST_CONTROL - 2  # behind the code


class HalfMessage(Nth):
    """The first half of the n-th WebSocket message that fits leaves as a fragment, then the connection is dropped."""

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        """Half of one of them; over TCP they stay whole."""
        if frame.transport is Transport.TCP or not self._strikes(frame):
            return (frame,)
        first, body = _unframed(frame.data)
        return (replace(frame, data=data_frame(first & ~_FIN, body[: len(body) // 2]), then=Then.DROP),)


class Fragments(Fault):
    """Every WebSocket message leaves in several frames with a ping between them, as it lawfully may.

    Args:
        pieces: into how many.
    """

    def __init__(self, pieces: int = 3) -> None:
        if pieces < 1:
            raise ValueError(f"pieces is {pieces}; a message has at least one")
        self._pieces = pieces

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        """The same message in pieces; over TCP it stays whole."""
        if frame.transport is Transport.TCP:
            return (frame,)
        first, body = _unframed(frame.data)
        size = len(body) // self._pieces + 1
        last = self._pieces - 1
        parts = [
            data_frame(
                (first & ~_FIN if at == 0 else 0) | (_FIN if at == last else 0), body[at * size : (at + 1) * size]
            )
            for at in range(self._pieces)
        ]
        return (replace(frame, data=control_frame(Opcode.PING, b"fragment").join(parts)),)


class CloseWebSocket(Nth):
    """The WebSocket is closed with a code and a reason in place of the n-th message that fits.

    Args:
        code: RFC 6455 section 7.4; one that must never travel may be tried too.
        reason: for people; at most 123 bytes.

    Raises:
        ValueError: there is no room for it in a close frame.
    """

    def __init__(self, code: int = 1001, reason: str = "", nth: int = 1, *, which: Which = None) -> None:
        super().__init__(nth, which=which)
        if not 0 <= code <= _HIGHEST_CODE:
            raise ValueError(f"code is {code}; a close frame has one from 0 to {_HIGHEST_CODE}")
        if (size := len(reason.encode())) > _LONGEST_REASON:
            raise ValueError(f"reason has {size} bytes; a close frame holds at most {_LONGEST_REASON}")
        self._frame = control_frame(Opcode.CLOSE, code.to_bytes(2, "big") + reason.encode())

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        """A close frame, once; over TCP everything leaves as it is."""
        if frame.transport is Transport.TCP or not self._strikes(frame):
            return (frame,)
        return (replace(frame, data=self._frame),)


class NoUpgrade(Fault):
    """Requests for a WebSocket get another HTTP answer; TCP goes on.

    Args:
        status: such as 403 or 503.
        text: the body.
    """

    def __init__(self, status: int = 503, text: str = "no WebSocket here") -> None:
        if not 200 <= status <= 599:
            raise ValueError(f"status is {status}; an answer has one from 200 to 599")
        self._refusal = Refusal(status, text)

    def upgrade(self) -> Refusal | None:
        """See the class."""
        return self._refusal


def _unframed(data: bytes) -> tuple[int, bytes]:
    """The first byte and the payload of a WebSocket frame of ours, which has no mask."""
    return data[0], data[{126: 4, 127: 10}.get(data[1], 2) :]
