"""Whatever a peer sends, in any cut: the same events, no exception, at most one LinkClosed and nothing after.

The whole stream is heard message by message, the cut one with its spot events gathered: both must say the same.

Input: one byte chooses the codec and the delimiting, one how far the dialogue has come, one where the stream is cut;
the rest is what the peer sends.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from anyctrader.wire import (
    AccountState,
    Codec,
    Connection,
    ConnectionState,
    Delimiting,
    JsonCodec,
    Message,
    ProtobufCodec,
    Role,
    framing_of,
)
from anyctrader.wire import messages as oa
from anyctrader.wire.dialogue import Dialogue
from anyctrader.wire.events import EventReceived, LinkClosed, SpotsReceived

ACCOUNT = 7
MAX_SIZE = 1_000
CODECS: tuple[Codec, ...] = (ProtobufCodec(), JsonCodec(), JsonCodec(), JsonCodec())
DELIMITINGS = (Delimiting.LENGTH, Delimiting.LENGTH, Delimiting.NEWLINE, Delimiting.OBJECTS)


def _said(role: Role, payload: Any, client_msg_id: str) -> tuple[Role, Message, dict[str, bytes]]:
    message = Message(payload, client_msg_id)
    return role, message, {codec.name: codec.encode(message) for codec in CODECS[:2]}


SAID = (
    _said(Role.CLIENT, oa.ProtoOAApplicationAuthReq(clientId="a", clientSecret="b"), "1"),
    _said(Role.SERVER, oa.ProtoOAApplicationAuthRes(), "1"),
    _said(Role.CLIENT, oa.ProtoOAAccountAuthReq(ctidTraderAccountId=ACCOUNT, accessToken="t"), "2"),
    _said(Role.SERVER, oa.ProtoOAAccountAuthRes(ctidTraderAccountId=ACCOUNT), "2"),
    _said(Role.CLIENT, oa.ProtoOASymbolsListReq(ctidTraderAccountId=ACCOUNT), "3"),
    _said(
        Role.CLIENT,
        oa.ProtoOANewOrderReq(ctidTraderAccountId=ACCOUNT, symbolId=1, orderType=1, tradeSide=1, volume=1000),
        "4",
    ),
)
"""What was said before the peer goes astray: by whom, the message, its body in either flavour."""


def check(role: Role, data: bytes) -> None:
    if len(data) < 3:
        return
    flavour, progress = data[0] % len(CODECS), data[1] % (len(SAID) + 1)
    stream = data[3:]
    cut, next_cut = data[2] % (len(stream) + 1), data[2]
    pieces = [stream[:cut], stream[cut:next_cut], stream[max(cut, next_cut) :]]
    whole = outcome(role, flavour, progress, [stream], gather_spots=False)
    cut_up = outcome(role, flavour, progress, pieces, gather_spots=True)
    # The second look is for prices that are no number, which do not equal themselves.
    assert whole == cut_up or [shown(event) for event in whole] == [shown(event) for event in cut_up]


def outcome(role: Role, flavour: int, progress: int, pieces: list[bytes], *, gather_spots: bool) -> list[Any]:
    """What the pieces meant, and the end of the stream; gathered spot events one by one."""
    connection = started(role, flavour, progress, gather_spots=gather_spots)
    events: list[Any] = []
    for piece in pieces:
        for event in connection.receive_data(piece):
            if isinstance(event, SpotsReceived):
                events += [EventReceived(Message(spot), None) for spot in event.spots]
            else:
                events.append(event)
    closed = [event for event in events if isinstance(event, LinkClosed)]
    assert closed == events[len(events) - len(closed) :]
    assert len(closed) == (connection.state is ConnectionState.CLOSED)
    end = connection.receive_eof()
    assert bool(end) is not bool(closed)
    assert connection.state is ConnectionState.CLOSED
    assert not connection.open_ids
    assert set(connection.accounts.values()) <= {AccountState.LOGGED_OUT}
    assert connection.receive_data(b"".join(pieces)) == []
    assert connection.receive_eof() == []
    *before, last = events + end
    return [*before, (last.reason, type(last.error))]  # no two errors are equal


def started(role: Role, flavour: int, progress: int, *, gather_spots: bool) -> Connection:
    """A connection on which the first messages of `SAID` were exchanged."""
    codec, framing = CODECS[flavour], framing_of(DELIMITINGS[flavour], max_size=MAX_SIZE)
    connection = Connection(role, codec, framing=framing, gather_spots=gather_spots)
    # What they leave behind is the dialogue alone; to say them anew for every input is half of a fuzzer's time.
    said = dialogue_after(role, flavour, progress)
    dialogue = connection._dialogue
    dialogue.state, dialogue.accounts, dialogue.open = said.state, dict(said.accounts), dict(said.open)
    return connection


@cache
def dialogue_after(role: Role, flavour: int, progress: int) -> Dialogue:
    codec, framing = CODECS[flavour], framing_of(DELIMITINGS[flavour], max_size=MAX_SIZE)
    connection = Connection(role, codec, framing=framing)
    for said_by, message, body in SAID[:progress]:
        if said_by is role:
            connection.send(message)
        else:
            connection.receive_data(framing.wrap(body[codec.name]))
    return connection._dialogue


def shown(event: Any) -> str:
    # Not compared as they are: a price that is no number would not equal itself.
    message = getattr(event, "message", None)
    said = "" if message is None else f"{message.payload!r} {message.unknown_keys!r}"
    return f"{event!r} {getattr(event, 'body', '')!r} {said}"
