"""Frames that we can read and that somebody else may read as another message: nobody knows what a server will do."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from .codecs import UnknownPayload
from .enum_names import unknown_names

if TYPE_CHECKING:
    from .codecs import Message

__all__ = ["ambiguity_of", "repeated_key"]

# Of a text without escapes: each string, and the colon behind it where it is a key.
_STRING: Final = re.compile(rb'"([^"]*)"(\s*:)?')


class _RepeatedKey(ValueError):
    """A key is there twice.

    Attributes:
        key: which.
    """

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def ambiguity_of(message: Message, body: bytes, codec: str) -> str | None:
    """Why the server may take a frame for something else than we do, or None.

    Args:
        message: what we take it for.
        body: of the frame.
        codec: the name of the codec that has read it.
    """
    if message.unknown_envelope is not None:
        return "its envelope holds what the schema does not know"
    if codec != "json":
        return None
    if not isinstance(message.payload, UnknownPayload) and any(unknown_names(message.payload, message.unknown_keys)):
        return "a value of an enum in it is a name that the schema does not know"
    try:
        is_repeated = repeated_key(body) is not None
    except (ValueError, RecursionError):
        is_repeated = True  # orjson has read it, and another reader does not: that is doubt enough
    return "a key is there twice, and who reads it takes one or the other" if is_repeated else None


def repeated_key(text: bytes) -> str | None:
    """A key that one object of a JSON text, at any depth, has twice; None where all have each of theirs once.

    Raises:
        ValueError, RecursionError: Python's own parser cannot read it.
    """
    if b"\\" not in text:
        keys = [key for key, colon in _STRING.findall(text) if colon]
        if len(set(keys)) == len(keys):
            return None  # most messages have no list, and tell it by their keys alone
    try:
        json.loads(text, object_pairs_hook=_once)
    except _RepeatedKey as repeated:
        return repeated.key
    return None


def _once(pairs: list[tuple[str, Any]]) -> None:
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        raise _RepeatedKey(next(key for key, count in Counter(keys).items() if count > 1))
