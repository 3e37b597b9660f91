"""Frames that we can read and that somebody else may read as another message: nobody knows what a server will do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .codecs import Message

__all__ = ["ambiguity_of"]


class _RepeatedKey(ValueError):
    """A key is there twice."""


def ambiguity_of(message: Message, body: bytes, codec: str) -> str | None:
    """Why the server may take a frame for something else than we do, or None.

    Args:
        message: what we take it for.
        body: of the frame.
        codec: the name of the codec that has read it.
    """
    if message.unknown_envelope is not None:
        return "its envelope holds what the schema does not know"
    if codec == "json" and _has_repeated_keys(body):
        return "a key is there twice, and who reads it takes one or the other"
    return None


def _has_repeated_keys(body: bytes) -> bool:
    try:
        json.loads(body, object_pairs_hook=_once)
    except _RepeatedKey:
        return True
    except (ValueError, RecursionError):
        return True  # orjson has read it, and another reader does not: that is doubt enough
    return False


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len({key for key, _ in pairs}) < len(pairs):
        raise _RepeatedKey
