"""Whether bytes that come are a recording, told from its first lines, be there a torn one or something else ahead.

The format itself is the session's; this is for `decode`, which where it reads a capture does not wait for the import of
all that. A peer writes some of what is in a capture: only what stands in no message and no object of it is a record.
"""

from __future__ import annotations

import json
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from anyctrader.wire.form_candidates import TEXT
from anyctrader.wire.form_readers import reader_of
from anyctrader.wire.forms import Content, Form
from anyctrader.wire.framing import MAX_FRAME_SIZE
from anyctrader.wire.rendering import Frame
from anyctrader.wire.scan import Damage
from anyctrader.wire.text_bytes import Encoding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anyctrader.wire.form_readers import FormReader

__all__ = ["Recognition"]

_HEAD: Final = 1 << 16  # bytes that are looked at: the begin of a recording has a line a few hundred bytes
_MARK: Final = b"\xef\xbb\xbf"  # what some programs write in front of text that is UTF-8
_OBJECT: Final = re.compile(rb"^(?:\xef\xbb\xbf)?[ \t]*(?=\{\s*(?:\"|\Z))", re.MULTILINE)
# As everybody writes the first members of a record: its end need not be there.
_BEGUN: Final = re.compile(rb'\{\s*"record"\s*:\s*"(?:opened|closed|frame|lost)"\s*,')
_AT_ITS_END: Final = 16  # characters: a word or an escape that is cut off there is no fault
_MEMBERS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(  # that a record has, of each kind
    {
        "opened": frozenset(("at", "mono_ns", "connection", "codec", "transport", "delimiting", "server", "via")),
        "closed": frozenset(("at", "mono_ns", "connection", "reason")),
        "frame": frozenset(("at", "mono_ns", "connection", "direction", "size")),
        "lost": frozenset(("at", "mono_ns", "frames")),
    }
)
_OF_RECORDS: Final = frozenset(("mono_ns", "connection"))  # members that no envelope has


class Recognition:
    """Recognises a recording, however its bytes come.

    Attributes:
        head: all that has come until it was told.
        place: where its first record begins; None where none has been seen. As long as only what is ahead of that is
            open, messages that a capture would have behind it say nothing.
    """

    def __init__(self) -> None:
        self.head = b""
        self.place: int | None = None
        self._said: bool | None = None
        self._at = 0  # what is ahead of it has been looked at
        self._begun: int | None = None  # where a record begins whose end is not here
        self._readers: list[FormReader] = []
        self._read = 0  # bytes that they have
        self._is_sound = True  # all of it, as frames

    def feed(self, chunk: bytes) -> bool | None:
        """Whether it is one, as far as this chunk shows; None where that is open, which ends with 64 KiB."""
        if self._said is None:
            self.head += chunk
            self._said = self._told(ended=len(self.head) >= _HEAD)
        return self._said

    def close(self) -> bool:
        """Whether it is one, where this was all."""
        if self._said is None:
            self._said = self._told(ended=True)
        return self._said is True

    def _told(self, *, ended: bool) -> bool | None:
        if self.place is None and b'"record"' in self.head and self._is_capture():
            return False
        place = self.place
        if place is None and ended:
            place = self._begun
        if place is None:
            return False if ended else None
        if not self.head[:place].removeprefix(_MARK).translate(None, TEXT):
            return True
        if self._has_message(place, ended=ended):
            return False
        return True if ended else None

    def _is_capture(self) -> bool:
        """Looks for the first record among the objects; whether a message stands there, ahead of any."""
        text = self.head.decode("latin-1")  # a character a byte; and of what is looked at all is ASCII
        reader = json.JSONDecoder()
        while (found := _OBJECT.search(self.head, self._at)) is not None:
            try:
                members, self._at = reader.raw_decode(text, found.end())
            except json.JSONDecodeError as error:
                if self._begun is None and _BEGUN.match(self.head, found.end()):
                    self._begun = found.start()
                if error.msg.startswith("Unterminated") or len(text) - error.pos < _AT_ITS_END:
                    return False  # its end has not come, and what is inside of it is no record
            except RecursionError:
                pass
            else:
                if self._begun == found.start():
                    self._begun = None
                if _is_record(members):
                    self.place = found.start()
                    return False
                if _is_envelope(members):
                    return self._begun is None and not self.head[: found.start()].translate(None, TEXT)
                continue
            self._at = found.end() + 1
        return False

    def _has_message(self, place: int, *, ended: bool) -> bool:
        """Whether a message begins ahead of this place, in bytes that are no text."""
        if not self._readers:
            contents = (Content.FRAMES, Content.WEBSOCKET)
            self._readers = [reader_of(Form(Encoding.BINARY, each), None, MAX_FRAME_SIZE) for each in contents]
        chunk, self._read = self.head[self._read :], len(self.head)
        frames, _ = self._readers
        for reader in self._readers:
            for piece in reader.feed(chunk):
                if isinstance(piece, Frame) and (piece.offset or 0) < place:
                    return True
                self._is_sound &= reader is not frames or not isinstance(piece, Damage)
        return ended and self._is_sound and frames.in_step and frames.is_likely


def _is_record(members: dict[str, Any]) -> bool:
    """Whether an object is a line of a recording, and no envelope of a newer server with such a member."""
    needed = _needed(members)
    return needed is not None and needed <= members.keys() and "payload" not in members


def _is_envelope(members: dict[str, Any]) -> bool:
    """Whether it is a message of JSON; and no record that is damaged."""
    is_record = _needed(members) is not None or not _OF_RECORDS.isdisjoint(members)
    return isinstance(members.get("payloadType"), int) and ("payload" in members or not is_record)


def _needed(members: dict[str, Any]) -> frozenset[str] | None:
    """The members that a record of its kind has; None where that is none."""
    kind = members.get("record")
    return _MEMBERS.get(kind) if isinstance(kind, str) else None
