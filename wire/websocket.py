"""WebSocket messages (RFC 6455) in a stream of bytes: one message of ours in each, no length in front.

What comes before the first frame, the HTTP upgrade, is not here: it needs no speed, and a library does it. The frames
are cut here because a library in Python takes 10 to 15 µs for each (docs/architecture.md), more than all the rest of
what a quote costs.
"""

from __future__ import annotations

import enum
import struct
from typing import TYPE_CHECKING, Final

from .connection import Role
from .errors import FrameTooLarge, LocalProtocolError, RemoteProtocolError
from .framing import MAX_FRAME_SIZE, Cutter
from .quoting import escaped

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "LONGEST_CONTROL",
    "MOST_FRAGMENTS",
    "CloseCode",
    "MessageKind",
    "Opcode",
    "WebSocketFraming",
    "control_frame",
    "data_frame",
    "is_close_code",
    "masked",
]


class MessageKind(enum.IntEnum):
    """What a data message is; the value is its opcode."""

    TEXT = 0x1
    """UTF-8: JSON."""
    BINARY = 0x2
    """Bytes: protobuf."""


class Opcode(enum.IntEnum):
    """What a frame is (RFC 6455 section 5.2)."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


class CloseCode(enum.IntEnum):
    """Why a WebSocket is closed: those codes of RFC 6455 section 7.4.1 that we say ourselves."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    WRONG_KIND = 1003
    UNFIT_DATA = 1007
    TOO_LARGE = 1009
    INTERNAL_ERROR = 1011


_FIN: Final = 0x80
_RESERVED: Final = 0x70
_MASKED: Final = 0x80
_OPCODES = frozenset(int(opcode) for opcode in Opcode)
_CONTROL: Final = 0x8  # this bit is set in the opcodes of control frames
LONGEST_CONTROL: Final = 125
"""Bytes of what a close, a ping or a pong carries, at most (section 5.5)."""
_LONGEST_HEAD: Final = 14  # two bytes, eight of length, four of mask
_KEYS_AT_ONCE: Final = 4096  # bytes of mask keys: asking the system for four at a time costs more than the masking
MOST_FRAGMENTS: Final = 65_536
"""Fragments of one message: 15 MB in pieces of 229 bytes. Empty ones weigh nothing and could go on for ever."""
_UNSAID: Final = 1005  # what a close frame without a code counts as; it never travels
# RFC 6455 section 7.4, and the registry that it founded: 1004 to 1006 and 1015 never travel, 3000 to 4999 are free.
_CODES = frozenset((*range(1000, 1004), *range(1007, 1015)))
_FREE_CODES = range(3000, 5000)

_read_short = struct.Struct(">H").unpack_from
_read_long = struct.Struct(">Q").unpack_from


class WebSocketFraming(Cutter):
    """Cuts messages out of the frames of a peer, and puts messages into frames.

    Reserved bits, unknown opcodes, a mask where none is due or none where one is, control frames that are long or in
    pieces, lengths that are not the shortest form, a message of the other kind, and text that is not UTF-8 are faults
    of the peer, and final. A ping is answered through `take_owed`; of several that wait, the newest (section 5.5.3).

    Args:
        role: which end this is: a client masks what it says, a server does not.
        kind: what each message is.
        max_size: the largest message that is taken, in bytes, over all its fragments. A longer one is refused as soon
            as the length of the frame that makes it so is read, before a byte of that frame is stored.
        random: for a client, gives so many bytes that nobody can guess, such as `secrets.token_bytes`: section 10.3
            wants the masks so.

    Attributes:
        ended: why the peer has ended the stream in good order, or None. What comes behind it is not read.
        closed_with: the code and the reason of the peer's close, in its own words, or None; 1005 for no code.
        owes: whether something waits in `take_owed`.
    """

    def __init__(
        self,
        role: Role,
        kind: MessageKind,
        *,
        max_size: int = MAX_FRAME_SIZE,
        random: Callable[[int], bytes] | None = None,
    ) -> None:
        super().__init__(max_size)
        if (role is Role.CLIENT) is not (random is not None):
            raise ValueError("a client masks what it sends and needs `random` for it; a server does neither")
        self._client = role is Role.CLIENT
        self._peer = "server" if self._client else "client"
        self._kind = kind
        self._whole = _FIN | kind  # the first byte of a message in one frame
        self._random = random
        self._keys = b""
        self._next_key = 0
        self._owed = b""
        # The frame that is under way: its first byte, its mask, and how many bytes of payload are due; None while its
        # head is. The bytes that are here are in `_rest`.
        self._first = 0
        self._key = b""
        self._due: int | None = None
        # The message that is under way, and how many fragments of it are here.
        self._message = bytearray()
        self._fragments = 0
        self._close_code: int = CloseCode.NORMAL
        self.closed_with: tuple[int, str] | None = None
        self._unreadable = False
        self._said_goodbye = False

    # Out

    def wrap(self, body: bytes) -> bytes:
        """The frame that carries this body."""
        return data_frame(self._whole, body, key=self._mask_key())

    def take_owed(self) -> bytes:
        """The answer to the newest ping, once; else nothing."""
        owed, self._owed, self.owes = self._owed, b"", False
        return owed

    def found_unreadable(self) -> None:
        """A message is none of its kind, such as text that is no JSON: the close frame says so (1007)."""
        if self._fault is None and self.ended is None:  # those have a code already
            self._unreadable, self._close_code = True, CloseCode.UNFIT_DATA

    def farewell(self, *, code: int = CloseCode.NORMAL, reason: str = "") -> bytes:
        """The close frame, once; else nothing.

        After a fault of the peer's, or a message that is none, it names that; after a close of the peer's it is the
        answer to it. `code` and `reason` are said where there was neither.
        """
        if self._said_goodbye:
            return b""
        self._said_goodbye = True
        if self._fault is not None or self.ended is not None or self._unreadable:
            code, reason = self._close_code, ""
        payload = b""
        if code != _UNSAID:
            said = reason.encode()[: LONGEST_CONTROL - 2].decode(errors="ignore")  # not half a character
            payload = code.to_bytes(2, "big") + said.encode()
        return control_frame(Opcode.CLOSE, payload, key=self._mask_key())

    def _mask_key(self) -> bytes:
        if self._random is None:
            return b""
        start = self._next_key
        if start == len(self._keys):
            self._keys, start = self._random(_KEYS_AT_ONCE), 0
        self._next_key = start + 4
        return self._keys[start : start + 4]

    # In

    def _cut(self, chunk: bytes, bodies: list[bytes]) -> None:
        if self.ended is not None:
            return
        position = self._resume(chunk, bodies) if self._rest or self._due is not None else 0
        end, whole, max_size = len(chunk), self._whole, self._max_size
        text = self._kind is MessageKind.TEXT
        plain = self._client
        # Nearly all that a client hears is a short message in one frame. The rest goes the long way.
        while position < end and self.ended is None:
            if plain and chunk[position] == whole and position + 4 <= end and not self._fragments:
                size, start = chunk[position + 1], position + 2
                if size == 126:
                    (size,) = _read_short(chunk, start)
                    start += 2
                    plain_length = size > LONGEST_CONTROL
                else:
                    plain_length = size < 126
                stop = start + size
                if plain_length and size <= max_size and stop <= end:
                    body = chunk[start:stop]
                    if text and not body.isascii():
                        self._check_text(body)
                    bodies.append(body)
                    position = stop
                    continue
            position = self._take_frame(chunk, position, bodies)

    def _take_frame(self, chunk: bytes, position: int, bodies: list[bytes]) -> int:
        """A frame of any kind that begins here; where the next one does. What is not all there is kept."""
        start = self._read_head(chunk, position)
        if start is None:
            self._rest += chunk[position:]
            return len(chunk)
        return self._read_payload(chunk, start, bodies)

    def _resume(self, chunk: bytes, bodies: list[bytes]) -> int:
        """Goes on with the frame that an earlier chunk began; where in this chunk the next one begins."""
        rest = self._rest
        if self._due is not None:
            return self._read_payload(chunk, 0, bodies)
        here = len(rest)
        start = self._read_head(bytes(rest) + chunk[:_LONGEST_HEAD], 0)
        if start is None:
            rest += chunk
            return len(chunk)
        rest.clear()
        return self._read_payload(chunk, start - here, bodies)

    def _read_payload(self, chunk: bytes, start: int, bodies: list[bytes]) -> int:
        """The payload of the frame whose head was read, from here on; each byte is put in its place once."""
        due, rest = self._due, self._rest
        assert due is not None
        stop = start + due - len(rest)
        if stop > len(chunk):
            rest += chunk[start:]
            return len(chunk)
        payload = b"".join((rest, chunk[start:stop])) if rest else chunk[start:stop]
        rest.clear()
        self._due = None
        self._take(self._first, masked(payload, self._key) if self._key else payload, bodies)
        return stop

    def _read_head(self, data: bytes, position: int) -> int | None:
        """Reads and judges the head of a frame; where its payload begins, or None where the head is not all there."""
        here = len(data) - position
        first = data[position]
        self._judge_first(first)
        if here < 2:
            return None
        second = data[position + 1]
        if bool(second & _MASKED) is self._client:
            raise self._broken("a masked frame" if self._client else "a frame that is not masked")
        size, start = second & 0x7F, position + 2
        if first & _CONTROL and size > LONGEST_CONTROL:
            raise self._broken(f"a control frame of more than {LONGEST_CONTROL} bytes")
        if size > LONGEST_CONTROL:
            wide = 2 if size == 126 else 8
            if here < 2 + wide:
                return None
            (size,) = (_read_short if wide == 2 else _read_long)(data, start)
            start += wide
            if size <= (LONGEST_CONTROL if wide == 2 else 0xFFFF):
                raise self._broken("a length that is not in its shortest form")
        if not first & _CONTROL and (total := len(self._message) + size) > self._max_size:
            self._close_code = CloseCode.TOO_LARGE
            raise FrameTooLarge(total, self._max_size)
        if self._client:
            self._key = b""
        elif len(data) < start + 4:
            return None
        else:
            self._key = data[start : start + 4]
            start += 4
        self._first, self._due = first, size
        return start

    def _judge_first(self, first: int) -> None:
        opcode = first & 0x0F
        if first & _RESERVED:
            raise self._broken("a frame with reserved bits set, which only an extension may (such as compression)")
        if opcode not in _OPCODES:
            raise self._broken(f"a frame of the unknown kind {opcode:#x}")
        if opcode & _CONTROL:
            if not first & _FIN:
                raise self._broken("a control frame in fragments")
        elif bool(self._fragments) is not (opcode == Opcode.CONTINUATION):
            raise self._broken("a new message within another" if self._fragments else "the rest of no message")
        elif opcode not in (Opcode.CONTINUATION, self._kind):
            self._close_code = CloseCode.WRONG_KIND
            due = self._kind.name.lower()
            raise RemoteProtocolError(
                f"the {self._peer} sent a {Opcode(opcode).name.lower()} message where {due} is due; "
                "is this port the one of this codec?"
            )

    def _take(self, first: int, payload: bytes, bodies: list[bytes]) -> None:
        """A frame that is whole."""
        opcode = first & 0x0F
        if opcode == Opcode.CLOSE:
            self._take_close(payload)
        elif opcode == Opcode.PING:
            self._owed, self.owes = control_frame(Opcode.PONG, payload, key=self._mask_key()), True
        elif opcode == Opcode.PONG:
            pass  # we ask for none; an unasked one is a sign of life (section 5.5.3)
        elif first & _FIN and not self._fragments:
            self._check_text(payload)
            bodies.append(payload)
        else:
            self._message += payload
            self._fragments += 1
            if first & _FIN:
                body, self._message, self._fragments = bytes(self._message), bytearray(), 0
                self._check_text(body)
                bodies.append(body)
            elif self._fragments >= MOST_FRAGMENTS:
                raise self._broken(f"a message in more than {MOST_FRAGMENTS} fragments")

    def _take_close(self, payload: bytes) -> None:
        code = _UNSAID if not payload else int.from_bytes(payload[:2], "big")
        if payload and (len(payload) < 2 or not is_close_code(code)):
            raise self._broken("a close frame without a valid code")
        try:
            reason = payload[2:].decode()
        except UnicodeDecodeError:
            raise self._not_utf8("the reason of a close frame") from None
        self._close_code = code
        self.closed_with = (code, reason)
        said = "without a code" if code == _UNSAID else f"with {code}"
        self.ended = f"the {self._peer} closed the WebSocket {said}" + (f": {escaped(reason)}" if reason else "")

    def _check_text(self, body: bytes) -> None:
        if self._kind is MessageKind.TEXT:
            try:
                body.decode()
            except UnicodeDecodeError:
                raise self._not_utf8("a text message") from None

    def _inside(self) -> int:
        """How many bytes of a message that is not complete are here, as far as they were kept."""
        begun = self._due is not None or bool(self._fragments)
        return len(self._message) + len(self._rest) + begun

    def _under_way(self) -> str:
        return "frame" if self._due is not None or self._rest else "message"

    def _forget(self) -> None:
        super()._forget()
        self._message, self._fragments, self._due = bytearray(), 0, None

    def _broken(self, what: str) -> RemoteProtocolError:
        self._close_code = CloseCode.PROTOCOL_ERROR
        return RemoteProtocolError(f"the {self._peer} broke the WebSocket protocol: {what}")

    def _not_utf8(self, what: str) -> RemoteProtocolError:
        self._close_code = CloseCode.UNFIT_DATA
        return RemoteProtocolError(f"{what} of the {self._peer}'s is not UTF-8")


def is_close_code(code: int) -> bool:
    """Whether a close frame may have this code (section 7.4, and the registry that it founded)."""
    return code in _CODES or code in _FREE_CODES


def data_frame(first: int, body: bytes, *, key: bytes = b"") -> bytes:
    """A frame with this first byte (final bit and opcode) and this payload.

    Args:
        key: four bytes of mask for a client; empty for a server.
    """
    size, bit = len(body), _MASKED if key else 0
    if size <= LONGEST_CONTROL:
        head = bytes((first, bit | size))
    elif size <= 0xFFFF:
        head = bytes((first, bit | 126, size >> 8, size & 0xFF))
    else:
        head = bytes((first, bit | 127)) + size.to_bytes(8, "big")
    return head + key + masked(body, key) if key else head + body


def control_frame(opcode: Opcode, payload: bytes = b"", *, key: bytes = b"") -> bytes:
    """A close, ping or pong.

    Raises:
        LocalProtocolError: it has more than 125 bytes.
    """
    if len(payload) > LONGEST_CONTROL:
        raise LocalProtocolError(f"a control frame holds at most {LONGEST_CONTROL} bytes, not {len(payload)}")
    return data_frame(_FIN | opcode, payload, key=key)


def masked(payload: bytes, key: bytes) -> bytes:
    """The payload under the mask, or out of it, which is the same.

    It is done as one long number: a loop over the bytes takes many times as long.
    """
    size = len(payload)
    keys = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(keys, "little")).to_bytes(size, "little")
