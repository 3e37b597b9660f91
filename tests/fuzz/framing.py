"""Any bytes in any cut give the same bodies, then the same one error or none, and what an independent framer gives.

Input: one byte chooses the delimiting, one where the stream is cut, the rest is the stream. The limit is 64 bytes.
"""

from __future__ import annotations

from anyctrader.wire import Delimiting, RemoteProtocolError, framing_of

MAX_SIZE = 64


def check(data: bytes) -> None:
    if len(data) < 2:
        return
    delimiting = list(Delimiting)[data[0] % 3]
    stream = data[2:]
    cut, next_cut = data[1] % (len(stream) + 1), data[1]
    whole = outcome(delimiting, [stream])
    assert outcome(delimiting, [stream[:cut], stream[cut:next_cut], stream[max(cut, next_cut) :]]) == whole
    bodies, fault, _ = whole
    assert all(len(body) <= MAX_SIZE for body in bodies)
    if delimiting is Delimiting.LENGTH:
        assert (bodies, fault is not None) == independent(stream)


def outcome(delimiting: Delimiting, pieces: list[bytes]) -> tuple[list[bytes], str | None, str | None]:
    """Bodies, what ended them, and what the end of the stream said."""
    framing = framing_of(delimiting, max_size=MAX_SIZE)
    bodies: list[bytes] = []
    fault = end = None
    try:
        for piece in pieces:
            for body in framing.feed(piece):
                bodies.append(body)
    except RemoteProtocolError as error:
        fault = str(error)
    try:
        framing.close()
    except RemoteProtocolError as error:
        end = str(error)
    return bodies, fault, end


def independent(stream: bytes) -> tuple[list[bytes], bool]:
    """Bodies, and whether a frame was too long, as the plainest of framers has it."""
    bodies = []
    while len(stream) >= 4:
        size = stream[0] * 2**24 + stream[1] * 2**16 + stream[2] * 2**8 + stream[3]
        if size > MAX_SIZE:
            return bodies, True
        if len(stream) < 4 + size:
            break
        bodies.append(stream[4 : 4 + size])
        stream = stream[4 + size :]
    return bodies, False
