"""A message of few bytes whose parts would fill the memory is refused before it is parsed, and only such a one."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError

from anyctrader.wire import Connection, JsonCodec, Message, ProtobufCodec, Role, encode_frame
from anyctrader.wire import messages as oa
from anyctrader.wire.errors import UndecodablePayload
from anyctrader.wire.events import HeartbeatReceived, UndecodedReceived
from anyctrader.wire.framing import MAX_FRAME_SIZE
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
