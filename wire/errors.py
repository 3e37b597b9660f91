"""The base of every error of ours, and the errors of the protocol itself."""

from __future__ import annotations

import copyreg
from typing import Any

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

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception is copied and pickled by calling its class with its `args`: here they are the text alone.
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class ProtocolError(CTraderError):
    """Somebody broke the protocol. Never raised itself: see its two subclasses for who."""


class LocalProtocolError(ProtocolError):
    """We were asked to say what may not be said now. Nothing was encoded and no state moved."""


class RemoteProtocolError(ProtocolError):
    """The peer sent what cannot be understood. The stream is of no further use."""


class FrameTooLarge(RemoteProtocolError):
    """A frame is longer than we take. Where its length came first, no byte of its body was stored.

    Attributes:
        size: the announced length in bytes, or None where frames do not announce one.
        max_size: the largest length that is taken, in bytes.
    """

    def __init__(self, size: int | None, max_size: int) -> None:
        said = "the peer sent a longer frame" if size is None else f"the peer announced a frame of {size} bytes"
        super().__init__(
            f"{said}; at most {max_size} are taken. "
            "Either the stream is out of step (is this port the one of this codec?) or max_size is too small"
        )
        self.size = size
        self.max_size = max_size


class UndecodablePayload(RemoteProtocolError):
    """The envelope is sound, its payload is not: this message is lost, the stream is still good.

    Attributes:
        payload_type: the number in the envelope.
        client_msg_id: the id in the envelope, or None.
        body: the payload as it arrived, without the envelope; the whole frame where it cannot be told apart.
        reason: what is wrong with it, naming the field where one is at fault.
        missing_fields: the required fields that it lacks, by path; the first few where there are many.
    """

    def __init__(
        self,
        reason: str,
        payload_type: int,
        *,
        client_msg_id: str | None,
        body: bytes,
        missing_fields: tuple[str, ...] = (),
    ) -> None:
        super().__init__(f"payload of type {payload_type}: {reason}")
        self.payload_type = payload_type
        self.client_msg_id = client_msg_id
        self.body = body
        self.reason = reason
        self.missing_fields = missing_fields
