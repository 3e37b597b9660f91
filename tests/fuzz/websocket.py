"""Any bytes in any cut give the same messages, pongs and end, then the same one error or none, and what wsproto gives.

Input: one byte chooses the role and the kind of message, one where the stream is cut, the rest is the stream. The limit
is 64 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from wsproto.frame_protocol import FrameProtocol, ParseFailed
from wsproto.frame_protocol import Opcode as TheirOpcode

from anyctrader.wire import RemoteProtocolError, Role
from anyctrader.wire.websocket import CloseCode, MessageKind, WebSocketFraming

MAX_SIZE = 64
_FARTHER = {CloseCode.TOO_LARGE, CloseCode.WRONG_KIND}  # what we refuse and wsproto leaves to its user


@dataclass
class Outcome:
    """What came out of a stream."""

    bodies: list[bytes] = field(default_factory=list)
    fault: str | None = None
    ended: str | None = None
    owed: bytes = b""
    farewell: bytes = b""
    inside: int = 0


def check(data: bytes) -> None:
    if len(data) < 2:
        return
    role = Role.SERVER if data[0] & 1 else Role.CLIENT
    kind = MessageKind.TEXT if data[0] & 2 else MessageKind.BINARY
    stream = data[2:]
    cut, next_cut = data[1] % (len(stream) + 1), data[1]
    whole = outcome(role, kind, [stream])
    assert outcome(role, kind, [stream[:cut], stream[cut:next_cut], stream[max(cut, next_cut) :]]) == whole
    assert all(len(body) <= MAX_SIZE for body in whole.bodies)
    assert whole.inside <= MAX_SIZE + 14 + 125  # a control frame may stand within a message
    their_bodies, they_refuse, they_ended, within_a_frame = independent(role, stream)
    if whole.fault is None:
        assert whole.bodies[: len(their_bodies)] == their_bodies
        if they_refuse:  # it looks at text as it comes, and we once it is whole; and it knows no code of later years
            late_code = any(f"with {code}" in (whole.ended or "") for code in range(1012, 1015))
            assert kind is MessageKind.TEXT or late_code
        else:
            assert (len(whole.bodies), whole.ended is not None) == (len(their_bodies), they_ended)
    else:
        assert their_bodies[: len(whole.bodies)] == whole.bodies
        # We judge each byte of a frame as soon as it is there, and wsproto may wait for more of it.
        they_refuse = they_refuse or within_a_frame
        assert they_refuse or int.from_bytes(payload_of(whole.farewell, role)[:2], "big") in _FARTHER


def outcome(role: Role, kind: MessageKind, pieces: list[bytes]) -> Outcome:
    framing = WebSocketFraming(role, kind, max_size=MAX_SIZE, random=bytes if role is Role.CLIENT else None)
    came = Outcome()
    try:
        for piece in pieces:
            for body in framing.feed(piece):
                came.bodies.append(body)
    except RemoteProtocolError as error:
        came.fault = str(error)
    came.ended, came.owed = framing.ended, framing.take_owed()
    came.farewell = framing.farewell()
    came.inside = framing.inside if came.fault is None and came.ended is None else 0
    return came


def payload_of(frame: bytes, role: Role) -> bytes:
    """Of a short frame of ours; the mask is zero."""
    return frame[6:] if role is Role.CLIENT else frame[2:]


def independent(role: Role, stream: bytes) -> tuple[list[bytes], bool, bool, bool]:
    """As wsproto has it: messages, whether it refused, whether the peer said goodbye, whether a frame is cut off."""
    protocol = FrameProtocol(client=role is Role.CLIENT, extensions=[])
    protocol.receive_bytes(stream)
    bodies, message = [], b""
    try:
        for frame in protocol.received_frames():
            if frame.opcode is TheirOpcode.CLOSE:
                return bodies, False, True, False
            if frame.opcode in (TheirOpcode.TEXT, TheirOpcode.BINARY, TheirOpcode.CONTINUATION):
                part = frame.payload
                message += part.encode() if isinstance(part, str) else bytes(part)
                if frame.message_finished:
                    bodies.append(message)
                    message = b""
    except ParseFailed:
        return bodies, True, False, False
    decoder = protocol._frame_decoder
    return bodies, False, False, decoder.header is not None or bool(decoder.buffer)
