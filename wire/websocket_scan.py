"""WebSocket frames out of bytes that may be damaged: a client's, which are masked, a server's, or both in one stream.

The HTTP heads of the upgrade may stand before them. Behind a fault the next frame is looked for: a head, and in it a
message that can be decoded, or control frames before one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from .codecs import UnknownPayload
from .connection import Role
from .framing import MAX_FRAME_SIZE
from .rendering import Frame
from .scan import Aside, Damage, Found, Piece, Scan, fits
from .websocket import LONGEST_CONTROL, MOST_FRAGMENTS, Opcode, is_close_code, masked

__all__ = ["HTTP_WORDS", "WebSocketScan"]

HTTP_WORDS: Final = (b"GET ", b"HTTP/1.")
"""What the heads of an upgrade begin with: no frame does, for it would have reserved bits set."""

_JUDGED: Final = 1024  # bytes of a frame that are looked at before it is taken for one
_SURE: Final = 16  # control frames in a row hardly stand there by chance; a longer row is not walked for each of them
_HTTP_FIRST: Final = b"GH"
_LONGEST_HTTP: Final = 65_536  # bytes of an HTTP head; servers and clients take less
_HTTP_END: Final = re.compile(rb"\r?\n\r?\n")
_STATUS: Final = re.compile(rb"HTTP/1\.[01] 101\b")
_LENGTH: Final = re.compile(rb"\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r?\n", re.IGNORECASE)
_CANDIDATE: Final = re.compile(rb"[\x01\x02\x81\x82\x88-\x8a]|GET /|HTTP/1\.", re.DOTALL)
_FIN: Final = 0x80
_RESERVED: Final = 0x70
_CONTROL: Final = 0x8
_OPCODES: Final = frozenset(int(opcode) for opcode in Opcode)


class _Head(NamedTuple):
    """The head of a frame: its first byte, its mask, and where in the buffer its payload begins and ends."""

    first: int
    key: bytes
    start: int
    end: int

    @property
    def opcode(self) -> int:
        return self.first & 0x0F

    @property
    def ends_message(self) -> bool:
        return bool(self.first & _FIN)

    @property
    def role(self) -> Role:
        """Whose it is: what is masked is a client's (RFC 6455 section 5.1)."""
        return Role.CLIENT if self.key else Role.SERVER

    @property
    def begins_message(self) -> bool:
        return self.opcode != Opcode.CONTINUATION and not self.opcode & _CONTROL and not self.first & _RESERVED

    def payload(self, buffer: bytes, stop: int | None = None) -> bytes:
        """As much of it as is there, or up to a place in the buffer, without its mask."""
        data = buffer[self.start : self.end if stop is None else min(stop, self.end)]
        return masked(data, self.key) if self.key else data


@dataclass(slots=True)
class _Message:
    """A message in fragments that has not ended: where it began in the stream, and up to where it is there."""

    offset: int
    stop: int
    parts: list[bytes] = field(default_factory=list)
    size: int = 0

    def lost(self, why: str) -> Damage:
        count = f"{len(self.parts)} fragment{'s' if len(self.parts) > 1 else ''}"
        return Damage(self.offset, self.stop - self.offset, f"a message {why}: {count} of it, {self.size} bytes")


class WebSocketScan(Scan):
    """Cuts a stream of WebSocket frames into messages, protobuf or JSON, and goes on behind damage.

    A message in fragments has the place of all of them, from the first byte of the first to the last of the last.

    Args:
        max_size: the largest message that is believed, in bytes.
    """

    def __init__(self, max_size: int = MAX_FRAME_SIZE) -> None:
        super().__init__(max_size)
        self._open: dict[Role, _Message] = {}  # of either side, the message that has not ended

    def _progress(self) -> str:
        if _may_be_http(self._buffer, 0):
            return f" inside an HTTP head, {len(self._buffer)} bytes into it"
        head = _head_at(self._buffer, 0, self._max_size)
        if not isinstance(head, _Head):
            return f" inside the head of a frame, {len(self._buffer)} bytes into it"
        return f" inside a frame: {len(self._buffer) - head.start} of its {head.end - head.start} bytes are there"

    def forget(self) -> list[Damage]:
        """The messages in fragments that have not ended."""
        lost = [message.lost("in fragments is cut off") for message in self._open.values()]
        self._open.clear()
        return lost

    @property
    def is_likely(self) -> bool:
        """Whether what is here of the message under way looks like one; so it does where none is.

        A head is two bytes, and may be a fragment of anything: only what the first one of a message carries tells.
        """
        begun = [message.parts[0][:_JUDGED] for message in self._open.values()]
        _, rest, _ = self.unread
        if rest and not _may_be_http(rest, 0):
            head = _head_at(rest, 0, self._max_size)
            if isinstance(head, _Head) and head.begins_message:
                begun.append(head.payload(rest, head.start + _JUDGED))
            elif not begun:
                return False
        return self.in_step and all(here and fits(here, 0, len(here), self._max_size) for here in begun)

    # A frame where one is due

    def _frame_at(self, buffer: bytes, at: int, *, ended: bool) -> Found | str | None:
        """The frame that begins here; or what is wrong with it; or None where its end has not come."""
        if _may_be_http(buffer, at):
            return self._http_at(buffer, at, ended=ended)
        head = _head_at(buffer, at, self._max_size)
        if not isinstance(head, _Head):
            self._waiting = 1
            return head
        if not self._may_fit(buffer, head, ended=ended):
            return f"no message fits a length of {head.end - head.start} bytes here"
        if head.end > len(buffer):
            judged = head.start + _JUDGED
            self._waiting = (head.end if judged <= len(buffer) else min(judged, head.end)) - len(buffer)
            return None
        if head.first & _RESERVED:
            reason = "a frame with reserved bits set: it is compressed, or belongs to an extension"
            return self._lost(buffer, at, head, reason, ended=ended)
        if head.opcode & _CONTROL:
            said = self._control(buffer, at, head)
            return self._lost(buffer, at, head, said, ended=ended) if isinstance(said, str) else _found(at, head, said)
        message = self._open.get(head.role)
        if head.opcode == Opcode.CONTINUATION:
            if message is None:
                return self._lost(buffer, at, head, "the rest of a message that is not here", ended=ended)
            return self._continued(buffer, at, head, message)
        cut = (self._open.pop(head.role).lost("does not end before the next begins"),) if message is not None else ()
        if not head.ends_message:
            self._open[head.role] = message = _Message(at + self._offset, at + self._offset)
            found = self._continued(buffer, at, head, message)
        else:
            piece = self._codecs.piece(head.payload(buffer), at + self._offset, head.end - at)
            if isinstance(piece, Damage):
                lost = self._lost(buffer, at, head, piece, ended=ended)
                if not isinstance(lost, Found):
                    if message is not None:
                        self._open[head.role] = message
                    return lost
                found = lost
            else:
                found = _found(at, head, piece)
        return found._replace(pieces=(*cut, *found.pieces))

    def _may_fit(self, buffer: bytes, head: _Head, *, ended: bool) -> bool:
        """Whether what is here of a frame may be the begin of a message.

        What it says must not depend on how much happens to be here: a short frame is waited for, of a long one as much
        is judged as is of any.
        """
        stop = head.start + _JUDGED
        if ended and head.end > len(buffer):
            stop = min(stop, len(buffer))
        elif head.end <= stop or stop > len(buffer):
            return True
        here = head.payload(buffer, stop)
        size = head.end - head.start if head.ends_message else self._max_size
        return not head.begins_message or not here or fits(here, 0, len(here), size)

    def _lost(self, buffer: bytes, at: int, head: _Head, reason: str | Damage, *, ended: bool) -> Found | str | None:
        """A frame that cannot be read: it alone, if another begins where it ends."""
        damage = Damage(at + self._offset, head.end - at, reason) if isinstance(reason, str) else reason
        begins = self._begins(buffer, head.end, ended=ended)
        if begins is None:
            return None
        return _found(at, head, damage) if begins else damage.reason

    def _control(self, buffer: bytes, at: int, head: _Head) -> Aside | str:
        """What a control frame says, or what is wrong with it."""
        payload = head.payload(buffer)
        offset, size, kind = at + self._offset, head.end - at, Opcode(head.opcode).name.lower()
        if head.opcode != Opcode.CLOSE:
            text = payload.decode(errors="replace")
            return Aside(offset, size, kind, head.role, text if text.isprintable() and "\ufffd" not in text else "")
        code = int.from_bytes(payload[:2], "big") if payload else None
        if code is not None and (len(payload) < 2 or not is_close_code(code)):
            return "a close frame without a valid code"
        try:
            return Aside(offset, size, kind, head.role, payload[2:].decode(), code)
        except UnicodeDecodeError:
            return "the reason of a close frame is not UTF-8"

    def _continued(self, buffer: bytes, at: int, head: _Head, message: _Message) -> Found:
        """One more fragment of a message, and the message where it is the last."""
        message.parts.append(head.payload(buffer))
        message.size += head.end - head.start
        message.stop = head.end + self._offset
        if not head.ends_message and message.size <= self._max_size and len(message.parts) < MOST_FRAGMENTS:
            return Found(at, head.end, ())
        del self._open[head.role]
        if message.size > self._max_size:
            return _found(at, head, message.lost(f"of more than {self._max_size} bytes"))
        if not head.ends_message:
            return _found(at, head, message.lost(f"in {MOST_FRAGMENTS} fragments does not end"))
        size = message.stop - message.offset
        return _found(at, head, self._codecs.piece(b"".join(message.parts), message.offset, size))

    def _http_at(self, buffer: bytes, at: int, *, ended: bool) -> Found | str | None:
        """The head of an upgrade, and the body of an answer that refuses it."""
        end = _HTTP_END.search(buffer, at, at + _LONGEST_HTTP)
        if end is None:
            if len(buffer) - at >= _LONGEST_HTTP:
                return "an HTTP head that does not end"
            self._waiting = 1
            return None
        stop, is_answer = end.end(), buffer.startswith(b"HTTP", at)
        if is_answer and not _STATUS.match(buffer, at):
            length = _LENGTH.search(buffer, at, stop)
            stop += min(int(length[1]), _LONGEST_HTTP) if length is not None else 0
            if stop > len(buffer):
                if not ended:
                    self._waiting = stop - len(buffer)
                    return None
                stop = len(buffer)
        line = buffer[at : buffer.find(b"\n", at)].decode("latin-1").rstrip("\r")
        if not is_answer and "?" in line:
            line = f"{line.partition('?')[0]}?…"  # a query may hold a token
        role = Role.SERVER if is_answer else Role.CLIENT
        return Found(at, stop, (Aside(at + self._offset, stop - at, "http", role, line),))

    # Anywhere

    def _begins(self, buffer: bytes, at: int, *, ended: bool) -> bool | None:
        """Whether a frame may well begin here; None where that shows when more has come, as noted then."""
        if at < len(buffer) and _may_be_http(buffer, at):
            if len(buffer) - at < len(HTTP_WORDS[1]) and not ended:
                self._waiting = 1
                return None
            return True
        head = _head_at(buffer, at, self._max_size) if at < len(buffer) else None
        if isinstance(head, str):
            return False
        seen = len(buffer)
        wanted = min(head.end, head.start + _JUDGED) if head is not None else seen + 1
        if wanted > seen and not ended:
            self._waiting = wanted - seen
            return None
        if head is None:
            return True
        if head.opcode & _CONTROL:
            return head.end > seen or not isinstance(self._control(buffer, at, head), str)
        if head.opcode == Opcode.CONTINUATION or head.first & _RESERVED:
            return head.role in self._open and not head.first & _RESERVED
        here, size = head.payload(buffer, head.start + _JUDGED), head.end - head.start
        return not here or fits(here, 0, len(here), size if head.ends_message else self._max_size)

    # Behind damage

    def _next(self, buffer: bytes, at: int, *, ended: bool) -> Found | None:
        """The next frame that can be read, at or behind this place; None where more must come."""
        for match in _CANDIDATE.finditer(buffer, at):
            place = match.start()
            anchor = self._anchor(buffer, place, ended=ended)
            if anchor is None and not ended:
                self._looked = place
                return None
            if anchor:
                found = self._frame_at(buffer, place, ended=ended)
                if isinstance(found, Found):
                    return found
                if found is None and not ended:
                    self._looked = place
                    return None
        self._looked = max(at, len(buffer) - len(HTTP_WORDS[1]))
        return None

    def _anchor(self, buffer: bytes, place: int, *, ended: bool) -> bool | None:
        """Whether a frame surely begins here: a message that can be read, alone or behind control frames, or many such.

        None where that shows when more has come; how much more is noted then.
        """
        closed = False
        count = 0  # of control frames
        while place < len(buffer):
            if _may_be_http(buffer, place):
                if _HTTP_END.search(buffer, place, place + _LONGEST_HTTP) is not None:
                    return True
                self._waiting = 1
                return None if len(buffer) - place < _LONGEST_HTTP else False
            head = _head_at(buffer, place, self._max_size)
            if not isinstance(head, _Head):
                self._waiting = 1
                return False if isinstance(head, str) else None
            if head.first & _RESERVED or head.opcode == Opcode.CONTINUATION:
                return False
            if not head.opcode & _CONTROL:
                return self._is_message(buffer, place, head, ended=ended)
            if head.end > len(buffer):
                self._waiting = head.end - len(buffer)
                return None
            if isinstance(self._control(buffer, place, head), str):
                return False
            closed = head.opcode == Opcode.CLOSE and head.end - head.start > 1
            place = head.end
            count += 1
            if count == _SURE:
                return True
        self._waiting = 1
        return closed if ended else None

    def _is_message(self, buffer: bytes, place: int, head: _Head, *, ended: bool) -> bool | None:
        size = head.end - head.start
        if not 0 < size <= self._credit.limit(place + self._offset):
            return False
        if ended and head.end > len(buffer):
            return None
        here = head.payload(buffer, head.start + _JUDGED)
        if here and not fits(here, 0, len(here), size if head.ends_message else self._max_size):
            return False
        if head.end > len(buffer):
            self._waiting = head.end - len(buffer)
            return None
        if not head.ends_message:
            if head.end == len(buffer):
                self._waiting = 1
                return None
            return buffer[head.end] & ~_FIN == Opcode.CONTINUATION
        piece = self._codecs.piece(head.payload(buffer), place + self._offset, head.end - place)
        begins: bool | None = False
        if isinstance(piece, Frame):
            known = not isinstance(piece.message.payload, UnknownPayload)
            begins = known or self._begins(buffer, head.end, ended=ended)
        if begins is False:
            self._credit.pay(size)
        return begins


def _head_at(buffer: bytes, at: int, max_size: int) -> _Head | str | None:
    """The head of a frame; or why it is none; or None where more of it must come."""
    first, here = buffer[at], len(buffer) - at
    opcode = first & 0x0F
    if opcode not in _OPCODES:
        return f"no frame is of the kind {opcode:#x}"
    if opcode & _CONTROL and (not first & _FIN or first & _RESERVED):
        return "a control frame in fragments, or with reserved bits set"
    if here < 2:
        return None
    size, start = buffer[at + 1] & 0x7F, at + 2
    if size > LONGEST_CONTROL:
        if opcode & _CONTROL:
            return f"a control frame of more than {LONGEST_CONTROL} bytes"
        wide = 2 if size == 126 else 8
        if here < 2 + wide:
            return None
        size = int.from_bytes(buffer[start : start + wide], "big")
        start += wide
        if size <= (LONGEST_CONTROL if wide == 2 else 0xFFFF):
            return "a length that is not in its shortest form"
    if size > max_size:
        return f"a length of {size} bytes, more than {max_size}"
    key = b""
    if buffer[at + 1] & _FIN:  # the same bit says that there is a mask
        key, start = buffer[start : start + 4], start + 4
        if len(key) < 4:
            return None
    return _Head(first, key, start, start + size)


def _found(at: int, head: _Head, piece: Piece) -> Found:
    return Found(at, head.end, (piece,))


def _may_be_http(buffer: bytes, at: int) -> bool:
    """Whether an HTTP head begins here, as far as it is here."""
    return buffer[at] in _HTTP_FIRST and any(
        buffer.startswith(word, at) or word.startswith(buffer[at : at + len(word)]) for word in HTTP_WORDS
    )
