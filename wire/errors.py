"""The base of every error of ours, and the errors of the protocol itself."""

from __future__ import annotations

__all__ = [
    "CTraderError",
    "FrameTooLarge",
    "LocalProtocolError",
    "ProtocolError",
    "RemoteProtocolError",
    "UndecodablePayload",
]


class CTraderError(Exception):
    """Base of all errors that anyctrader raises on purpose. No text of theirs holds a secret."""


class ProtocolError(CTraderError):
    """Somebody broke the protocol. Never raised itself: see its two subclasses for who."""


class LocalProtocolError(ProtocolError):
    """We were asked to say what may not be said now. Nothing was encoded and no state moved."""


class RemoteProtocolError(ProtocolError):
    """The peer sent what cannot be understood. The stream is of no further use."""


class FrameTooLarge(RemoteProtocolError):
    """A frame announced more bytes than we take. No byte of its body was stored.

    Attributes:
        size: the announced length in bytes.
        max_size: the largest length that is taken, in bytes.
    """

    def __init__(self, size: int, max_size: int) -> None:
        super().__init__(
            f"the peer announced a frame of {size} bytes; at most {max_size} are taken. "
            "Either the stream is out of step (is this port the one of this codec?) or max_size is too small"
        )
        self.size = size
        self.max_size = max_size


class UndecodablePayload(RemoteProtocolError):
    """The envelope is sound, its payload is not: this message is lost, the stream is still good.

    Attributes:
        payload_type: the number in the envelope.
        client_msg_id: the id in the envelope, or None.
        body: the payload as it arrived, without the envelope.
        reason: what is wrong with it, naming the field where one is at fault.
    """

    def __init__(self, reason: str, payload_type: int, *, client_msg_id: str | None, body: bytes) -> None:
        super().__init__(f"payload of type {payload_type}: {reason}")
        self.payload_type = payload_type
        self.client_msg_id = client_msg_id
        self.body = body
        self.reason = reason
