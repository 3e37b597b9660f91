"""What a capture can be: how it is written, and what it holds."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from .text_bytes import Encoding

__all__ = ["Content", "Form"]


class Content(enum.Enum):
    """What a capture holds."""

    FRAMES = "frames"
    """Messages with their lengths, as on a TCP connection."""
    WEBSOCKET = "websocket"
    """Messages in the frames of a WebSocket, of either side or both, with the HTTP heads before them or without."""
    ENVELOPES = "envelopes"
    """Messages without: one a line or one a file, or JSON objects."""
    PAYLOADS = "payloads"
    """What is inside of the envelope, likewise."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a capture is.

    Attributes:
        encoding: how it is written.
        content: what it holds.
        by_line: of hex and base64, whether each line stands for itself.
    """

    encoding: Encoding
    content: Content
    by_line: bool = False

    def __str__(self) -> str:
        return f"{self.encoding.value}, {self.content.value}{', line by line' if self.by_line else ''}"
