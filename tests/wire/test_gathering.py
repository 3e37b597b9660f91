"""Spot events that come in a row, reported together: what is said of them is the same as one by one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyctrader.wire import Codec, Connection, JsonCodec, Message, ProtobufCodec, Role, encode_frame
from anyctrader.wire import messages as oa
from anyctrader.wire.events import Event, EventReceived, LinkClosed, SpotsReceived

from .generated import few, wrapped


def spot(**fields: Any) -> bytes:
    return oa.ProtoOASpotEvent(ctidTraderAccountId=7, symbolId=1, **fields).SerializeToString()


def envelope(payload: bytes, *, payload_type: int = 2131, **fields: Any) -> bytes:
    return oa.ProtoMessage(payloadType=payload_type, payload=payload, **fields).SerializeToString()


CHANGED = oa.ProtoOASymbolChangedEvent(ctidTraderAccountId=7)
PLAIN = envelope(spot(bid=112_000, ask=112_006))
UNUSUAL = {
    "with an id": envelope(spot(bid=1), clientMsgId="1"),
    "with an unknown field in the envelope": PLAIN + b"\x20\x01",
    "with its payload twice": PLAIN + b"\x12\x04\x18\x01\x20\x05",
    "with an empty payload": envelope(b""),
    "without a payload": oa.ProtoMessage(payloadType=2131).SerializeToString(),
    "that lacks its account": envelope(b"\x18\x01"),
    "with a bar that lacks its volume": envelope(spot(bid=1) + b"\x32\x00"),
    "with a bar": envelope(spot(bid=1, trendbar=[oa.ProtoOATrendbar(volume=5, low=1, deltaClose=2)])),
    "with many bars": envelope(spot(trendbar=[oa.ProtoOATrendbar(volume=5, low=10**9) for _ in range(20)])),
    "that says another payload type of itself": envelope(b"\x08\x01" + spot(bid=1)),
    "that says its own payload type": envelope(b"\x08\xd3\x10" + spot(bid=1)),
    "with an unknown field": envelope(spot(bid=1) + b"\xc0\x3e\x01"),
    "that is cut short": envelope(spot(bid=10**12)[:-1]),
    "that is no protobuf": envelope(b"\xff\xff\xff"),
    "of another type": envelope(CHANGED.SerializeToString(), payload_type=2120),
    "that is a heartbeat": oa.ProtoMessage(payloadType=51).SerializeToString(),
    "of a head alone": PLAIN[:4],
    "of a head with a wrong length": PLAIN[:4] + b"\x01" + PLAIN[5:],
}


def told(events: list[Event]) -> list[tuple[Any, ...]]:
    """Each event with all that it says; gathered spots one by one."""
    said: list[tuple[Any, ...]] = []
    for event in events:
        if isinstance(event, SpotsReceived):
            assert event.spots
            said += [("EventReceived", Message(payload), None) for payload in event.spots]
        else:
            values = [getattr(event, name) for name in event.__slots__]
            said.append((type(event).__name__, *[str(v) if isinstance(v, Exception) else v for v in values]))
    return said


def heard(codec: Codec, chunks: list[bytes], *, gather_spots: bool) -> tuple[list[tuple[Any, ...]], Any]:
    connection = Connection(Role.CLIENT, codec, gather_spots=gather_spots)
    events = [event for chunk in chunks for event in connection.receive_data(chunk)]
    return told(events + connection.receive_eof()), connection.drift


@pytest.mark.parametrize("body", UNUSUAL.values(), ids=UNUSUAL.keys())
def test_a_spot_event_is_taken_as_if_it_had_come_alone(body: bytes) -> None:
    stream = b"".join(map(encode_frame, (PLAIN, PLAIN, body, PLAIN, body, body, PLAIN)))
    together = heard(ProtobufCodec(), [stream], gather_spots=True)
    assert together == heard(ProtobufCodec(), [stream], gather_spots=False)


def test_what_came_in_a_row_is_one_event() -> None:
    stream = b"".join(map(encode_frame, (PLAIN, PLAIN, UNUSUAL["of another type"], PLAIN)))
    events = Connection(Role.CLIENT, ProtobufCodec(), gather_spots=True).receive_data(stream)
    first, between, last = events
    assert isinstance(first, SpotsReceived)
    assert isinstance(between, EventReceived)
    assert isinstance(last, SpotsReceived)
    assert [len(first.spots), len(last.spots)] == [2, 1]


def test_what_stands_before_a_fault_is_reported_and_nothing_behind_it() -> None:
    connection = Connection(Role.CLIENT, ProtobufCodec(), gather_spots=True)
    *before, closed = connection.receive_data(encode_frame(PLAIN) * 3 + b"\xff\xff\xff\xff" + encode_frame(PLAIN))
    assert len(told(before)) == 3
    assert isinstance(closed, LinkClosed)
    assert connection.receive_data(encode_frame(PLAIN)) == []


def test_the_codec_of_json_is_asked_for_none() -> None:
    codec = JsonCodec()
    stream = encode_frame(codec.encode(Message(oa.ProtoOASpotEvent(ctidTraderAccountId=7, symbolId=1, bid=5)))) * 3
    assert all(
        isinstance(e, EventReceived) for e in Connection(Role.CLIENT, codec, gather_spots=True).receive_data(stream)
    )


@few(150)
@given(
    bodies=st.lists(
        st.one_of(
            st.just(PLAIN),
            st.sampled_from(list(UNUSUAL.values())),
            wrapped("ProtoOASpotEvent").map(ProtobufCodec().encode),
            st.binary(max_size=40).map(envelope),
        ),
        max_size=40,
    ),
    repeat=st.integers(1, 9),
    cuts=st.lists(st.floats(0, 1), max_size=6),
)
def test_any_stream_cut_anywhere_says_the_same_together_as_one_by_one(
    bodies: list[bytes], repeat: int, cuts: list[float]
) -> None:
    stream = b"".join(map(encode_frame, bodies * repeat))
    ends = [0, *sorted(int(cut * len(stream)) for cut in cuts), len(stream)]
    chunks = [stream[start:end] for start, end in pairwise(ends)]
    assert heard(ProtobufCodec(), chunks, gather_spots=True) == heard(ProtobufCodec(), [stream], gather_spots=False)


def test_gathered_spots_are_told_apart_by_account_and_keep_their_order() -> None:
    spots = [
        oa.ProtoOASpotEvent(ctidTraderAccountId=id_, symbolId=1, bid=n) for n, id_ in enumerate((7, 8, 7, 9, 8), 1)
    ]
    parts = SpotsReceived(spots).by_account()
    assert {id_: [spot.bid for spot in part] for id_, part in parts.items()} == {7: [1, 3], 8: [2, 5], 9: [4]}
    assert SpotsReceived(spots[:1]).by_account() == {7: spots[:1]}


class Counted(list[bytes]):
    """A list that counts what is looked at."""

    looks = 0

    def __getitem__(self, place: Any) -> Any:
        self.looks += 1
        return super().__getitem__(place)

    def __iter__(self) -> Any:
        raise AssertionError("whoever begins from the front again needs the square of the frames")


def test_a_row_is_looked_for_where_it_would_begin_and_nowhere_else() -> None:
    bodies = Counted([PLAIN, UNUSUAL["that is a heartbeat"]] * 500)
    assert ProtobufCodec().read_spots(bodies, 999) == []
    assert bodies.looks == 1
    assert len(ProtobufCodec().read_spots(bodies, 998)) == 1
    assert bodies.looks == 3


def test_what_a_client_says_is_never_gathered() -> None:
    stream = encode_frame(PLAIN) * 2
    together, alone = (
        Connection(Role.SERVER, ProtobufCodec(), gather_spots=gather).receive_data(stream) for gather in (True, False)
    )
    assert together == alone
    assert not any(isinstance(event, SpotsReceived) for event in together)


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_a_buffer_is_as_good_as_bytes(kind: type) -> None:
    stream = b"".join(map(encode_frame, (PLAIN, *UNUSUAL.values())))
    assert heard(ProtobufCodec(), [kind(stream)], gather_spots=True) == heard(
        ProtobufCodec(), [stream], gather_spots=True
    )
