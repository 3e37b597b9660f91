"""Whether bytes that come are a recording, told from its first lines, be there a torn one or something else ahead.

The format itself is the session's; this is for `decode`, which where it reads a capture does not wait for the import of
all that.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

__all__ = ["Recognition"]

_HEAD: Final = 1 << 16  # bytes that are looked at: the begin of a recording has a line a few hundred bytes
# As everybody writes the first member of a record; a UTF-8 mark may be in front.
_BEGUN: Final = re.compile(rb'^(?:\xef\xbb\xbf)?[ \t]*\{\s*"record"\s*:\s*"', re.MULTILINE)
_OBJECT: Final = re.compile(rb"^(?:\xef\xbb\xbf)?[ \t]*(?=\{)", re.MULTILINE)


class Recognition:
    """Recognises a recording, however its bytes come.

    Attributes:
        head: all that has come.
    """

    def __init__(self) -> None:
        self.head = b""

    @property
    def is_open(self) -> bool:
        """Whether what comes may still show it; what has shown it is not asked."""
        return len(self.head) < _HEAD

    def feed(self, chunk: bytes) -> bool:
        """Whether it is one, as far as this chunk shows."""
        self.head += chunk
        return _BEGUN.search(self.head) is not None or (b'"record"' in self.head and self._has_record())

    def _has_record(self) -> bool:
        """Whether an object is one of the format, whatever the order of its members (`jq -S`)."""
        text = self.head.decode("latin-1")  # a character a byte; and of what is looked at all is ASCII
        reader = json.JSONDecoder()
        for found in _OBJECT.finditer(self.head):
            try:
                members, _ = reader.raw_decode(text, found.end())
            except (ValueError, RecursionError):
                continue  # it is none, or its end has not come
            if _is_record(members):
                return True
        return False


def _is_record(members: dict[str, Any]) -> bool:
    """Whether an object is a line of a recording, and no envelope of a newer server with such a member."""
    return isinstance(members.get("record"), str) and "payload" not in members
