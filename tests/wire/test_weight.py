"""A message of few bytes whose parts would fill the memory is refused before it is parsed, and only such a one."""

from __future__ import annotations

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError

from anyctrader.proto.schema import MESSAGES
from anyctrader.wire import Connection, JsonCodec, Message, ProtobufCodec, Role, encode_frame
from anyctrader.wire import messages as oa
from anyctrader.wire.errors import UndecodablePayload
from anyctrader.wire.events import HeartbeatReceived, UndecodedReceived
from anyctrader.wire.framing import MAX_FRAME_SIZE
from anyctrader.wire.shape import shape_of
from anyctrader.wire.weight import WEIGHED_FROM, is_too_heavy

LIST_HEAD = b"\x10\x01"  # ctidTraderAccountId 1
ROOM = MAX_FRAME_SIZE - 40


def in_envelope(payload_type: int, payload: bytes) -> bytes:
    return oa.ProtoMessage(payloadType=payload_type, payload=payload, clientMsgId="7").SerializeToString()


def full_of(head: bytes, part: bytes) -> bytes:
    return head + part * ((ROOM - len(head)) // len(part))


def test_a_frame_full_of_empty_parts_costs_its_message_and_not_the_memory() -> None:
    body = in_envelope(2117, full_of(LIST_HEAD, b"\x1a\x00"))

    with pytest.raises(UndecodablePayload, match=r"the parts of the ProtoOASymbolByIdRes in it would take more than"):
        ProtobufCodec().decode(body)


def test_the_connection_goes_on_behind_it() -> None:
    heavy = encode_frame(in_envelope(2117, full_of(LIST_HEAD, b"\x1a\x00")))
    light = encode_frame(ProtobufCodec().encode(Message(oa.ProtoHeartbeatEvent())))

    refused, beat = Connection(Role.CLIENT, ProtobufCodec()).receive_data(heavy + light)

    assert isinstance(refused, UndecodedReceived)
    assert refused.client_msg_id == "7"
    assert isinstance(beat, HeartbeatReceived)


def test_parts_within_parts_are_weighed_too() -> None:
    # One symbol that has millions of empty intervals: its list has one part, and that one has the rest.
    symbol = full_of(b"\x08\x01\x10\x05\x18\x01", b"\x6a\x00")
    assert len(oa.ProtoOASymbol.FromString(symbol[:10]).schedule) == 2
    size = len(symbol)
    length = bytes((size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14 & 0x7F | 0x80, size >> 21))

    assert is_too_heavy("ProtoOASymbolByIdRes", LIST_HEAD + b"\x1a" + length + symbol)


def test_the_parts_of_different_lists_are_weighed_together() -> None:
    orders, positions = b"\x22\x00" * 400_000, b"\x1a\x00" * 600_000

    assert not is_too_heavy("ProtoOAReconcileRes", LIST_HEAD + orders)
    assert not is_too_heavy("ProtoOAReconcileRes", LIST_HEAD + positions)
    assert is_too_heavy("ProtoOAReconcileRes", LIST_HEAD + orders + positions)


DEPTH_HEAD = b"\x10\x01\x18\x01"  # ctidTraderAccountId 1, symbolId 1


def packed(number: bytes, count: int) -> bytes:
    size = len(number) * count
    length = bytes((size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14 & 0x7F | 0x80, size >> 21))
    return b"\x2a" + length + number * count  # deletedQuotes


@pytest.mark.parametrize("name", ["ProtoOADepthEvent", "ProtoOASubscribeSpotsReq"])
def test_the_numbers_of_a_packed_list_are_weighed_whether_it_should_be_packed_or_not(name: str) -> None:
    numbers = packed(b"\x01", 10_000_000)[1:]
    tag = b"\x2a" if name == "ProtoOADepthEvent" else b"\x1a"
    assert is_too_heavy(name, DEPTH_HEAD[:2] + tag + numbers)


def test_numbers_are_counted_and_not_their_bytes() -> None:
    assert not is_too_heavy("ProtoOADepthEvent", DEPTH_HEAD + packed(b"\x01", 9_000_000))
    assert not is_too_heavy("ProtoOADepthEvent", DEPTH_HEAD + packed(b"\xff\xff\xff\xff\x0f", 2_900_000))
    five = DEPTH_HEAD + packed(b"\x01", 5_000_000)
    assert not is_too_heavy("ProtoOADepthEvent", five)
    assert is_too_heavy("ProtoOADepthEvent", five + packed(b"\x01", 5_000_000))
    assert is_too_heavy("ProtoOADepthEvent", five + b"\x22\x00" * 1_250_000)  # with empty quotes beside them


def test_a_packed_list_that_is_cut_into_millions_of_pieces_is_refused_at_once() -> None:
    with pytest.raises(UndecodablePayload, match="the parts of the ProtoOADepthEvent in it"):
        ProtobufCodec().decode(in_envelope(2155, full_of(DEPTH_HEAD, b"\x2a\x00")))


def test_a_depth_event_with_more_deleted_quotes_than_any_is_delivered() -> None:
    event = oa.ProtoOADepthEvent(ctidTraderAccountId=1, symbolId=1, deletedQuotes=range(200_000))
    body = ProtobufCodec().encode(Message(event))
    assert len(body) > WEIGHED_FROM
    assert ProtobufCodec().decode(body).payload == event


def test_all_lists_of_the_schema_are_weighed() -> None:
    within = {part.__name__ for name in MESSAGES for field in shape_of(name).fields if (part := field.part) is not None}
    lists = {
        (name, field.kind) for name in MESSAGES for field in shape_of(name).fields if field.repeated and not field.part
    }
    assert len(lists) > 5
    assert within.isdisjoint(name for name, _ in lists)  # else parts would have to be opened for them
    assert {kind for _, kind in lists} == {FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_UINT64}  # varints


def test_a_frame_full_of_the_smallest_real_ticks_is_delivered() -> None:
    # Each tells a time and a price as what has changed since the one before: a byte each.
    head = oa.ProtoOAGetTickDataRes(ctidTraderAccountId=1, hasMore=True).SerializeToString()
    tick = oa.ProtoOATickData(timestamp=1, tick=1).SerializeToString()
    payload = full_of(head, b"\x1a" + bytes((len(tick),)) + tick)

    message = ProtobufCodec().decode(in_envelope(2146, payload))

    assert len(message.payload.tickData) == (ROOM - len(head)) // (len(tick) + 2)


def test_a_large_payload_that_is_none_is_told_as_that() -> None:
    cut_off = full_of(LIST_HEAD, b"\x1a\x02\x08\x01") + b"\x1a\x7f"
    assert len(cut_off) > WEIGHED_FROM

    with pytest.raises(DecodeError):
        is_too_heavy("ProtoOASymbolsListRes", cut_off)
    with pytest.raises(UndecodablePayload, match="no ProtoOASymbolsListRes: "):
        ProtobufCodec().decode(in_envelope(2115, cut_off))


def test_what_is_light_enough_is_the_same_in_both_codecs() -> None:
    bars = oa.ProtoOAGetTrendbarsRes(ctidTraderAccountId=1, period=1, timestamp=1)
    for minute in range(30_000):
        bars.trendbar.add(volume=1, low=110_000 + minute, utcTimestampInMinutes=minute)
    body = ProtobufCodec().encode(Message(bars))
    assert len(body) > WEIGHED_FROM

    assert ProtobufCodec().decode(body).payload == bars
    assert JsonCodec().decode(JsonCodec().encode(Message(bars))).payload == bars
