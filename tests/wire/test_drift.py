from __future__ import annotations

from typing import Any

import pytest

from anyctrader.wire import (
    Drift,
    JsonCodec,
    Message,
    ProtobufCodec,
    UnknownEnum,
    UnknownField,
    UnknownPayload,
    unknown_enums,
    unknown_fields,
)
from anyctrader.wire import messages as oa

from .generated import complete

VARINT = b"\xb8\x3e\x01"  # field 999 is 1
GROUP = b"\xbb\x3e\x08\x05\x13\x0d\x01\x00\x00\x00\x14\xbc\x3e"  # field 999 is a group, with another inside
EIGHT = b"\xb9\x3e" + bytes(8)
TEXT = b"\xba\x3e\x02ab"
FOUR = b"\xbd\x3e\x01\x00\x00\x00"


def with_extra(message: Any, extra: bytes) -> Any:
    message.MergeFromString(extra)
    return message


def order_with(extra: bytes) -> Any:
    return with_extra(complete(oa.ProtoOAOrder), extra)


def order_list(extra: bytes) -> Any:
    return oa.ProtoOAReconcileRes(ctidTraderAccountId=1, order=[order_with(extra)])


def test_a_message_of_our_schema_has_nothing_unknown() -> None:
    for message in (
        Message(complete(oa.ProtoOAExecutionEvent)),
        Message(oa.ProtoOAReconcileRes(ctidTraderAccountId=1, order=[complete(oa.ProtoOAOrder)])),
        Message(UnknownPayload(9999, b"\xff")),
    ):
        assert unknown_fields(message) == []
        assert unknown_enums(message) == []


def test_no_more_unknown_fields_are_listed_than_are_asked_for() -> None:
    message = Message(oa.ProtoOAVersionRes.FromString(b"\x12\x0291" + b"\xf8\x3e\x01" * 50 + b"\xf8\x3e\x02"))
    assert [field.value for field in unknown_fields(message, most=3)] == [1, 1, 1]
    assert unknown_fields(message, most=51) == unknown_fields(message)


def test_unknown_fields_are_listed_with_path_number_wire_type_and_value() -> None:
    event = complete(oa.ProtoOAExecutionEvent)
    event.order.CopyFrom(order_with(EIGHT + TEXT))
    event.order.tradeData.MergeFromString(FOUR)
    message = Message(with_extra(event, VARINT))
    assert unknown_fields(message) == [
        UnknownField("ProtoOAExecutionEvent.999", 999, 0, 1),
        UnknownField("ProtoOAExecutionEvent.order.999", 999, 1, 0),
        UnknownField("ProtoOAExecutionEvent.order.999", 999, 2, b"ab"),
        UnknownField("ProtoOAExecutionEvent.order.tradeData.999", 999, 5, 1),
    ]
    codec = ProtobufCodec()
    assert unknown_fields(codec.decode(codec.encode(message))) == unknown_fields(message)


def test_an_unknown_group_is_listed_with_what_is_in_it() -> None:
    answer = with_extra(oa.ProtoOAVersionRes(version="91"), GROUP)
    inner = "ProtoOAVersionRes.999"
    assert unknown_fields(Message(answer)) == [
        UnknownField(
            inner,
            999,
            3,
            (
                UnknownField(f"{inner}.1", 1, 0, 5),
                UnknownField(f"{inner}.2", 2, 3, (UnknownField(f"{inner}.2.1", 1, 5, 1),)),
            ),
        )
    ]


def test_unknown_fields_of_lists_and_of_the_envelope_are_listed() -> None:
    answer = oa.ProtoOAReconcileRes(ctidTraderAccountId=1, order=[complete(oa.ProtoOAOrder), order_with(VARINT)])
    message = Message(answer, unknown_envelope=b"\x20\x07")
    assert unknown_fields(message) == [
        UnknownField("ProtoMessage.4", 4, 0, 7),
        UnknownField("ProtoOAReconcileRes.order.1.999", 999, 0, 1),
    ]


def test_unknown_keys_are_listed_alike() -> None:
    message = JsonCodec().decode(
        b'{"payloadType":2125,"trace":7,"payload":{"ctidTraderAccountId":1,"a.b":[1],"order":'
        b'{"orderId":1,"tradeData":{"symbolId":1,"volume":1,"tradeSide":1,"x":{}},"orderType":1,"orderStatus":1}}}'
    )
    assert unknown_fields(message) == [
        UnknownField("ProtoMessage.trace", None, None, 7),
        UnknownField("ProtoOAReconcileRes.a.b", None, None, [1]),
        UnknownField("ProtoOAReconcileRes.order.0.tradeData.x", None, None, {}),
    ]
    strange = Message(UnknownPayload(9999, {}), unknown_envelope={"trace": 7})
    assert unknown_fields(strange) == [UnknownField("ProtoMessage.trace", None, None, 7)]


def test_enum_numbers_that_the_schema_does_not_list_are_listed_and_whether_they_had_to_be_there() -> None:
    event = complete(oa.ProtoOAExecutionEvent)
    event.executionType = 77
    event.order.CopyFrom(complete(oa.ProtoOAOrder))
    event.order.timeInForce = -1
    event.order.tradeData.tradeSide = 0  # no side is numbered 0
    assert unknown_enums(Message(event)) == [
        UnknownEnum("ProtoOAExecutionEvent.executionType", "ProtoOAExecutionType", 77, required=True),
        UnknownEnum("ProtoOAExecutionEvent.order.timeInForce", "ProtoOATimeInForce", -1, required=False),
        UnknownEnum("ProtoOAExecutionEvent.order.tradeData.tradeSide", "ProtoOATradeSide", 0, required=True),
    ]


def test_an_enum_field_that_is_not_there_is_not_unknown() -> None:
    assert unknown_enums(Message(oa.ProtoOAExecutionEvent())) == []
    assert unknown_enums(Message(oa.ProtoOASpotEvent(trendbar=[oa.ProtoOATrendbar()]))) == []


# Counting


def seen(*messages: Message, size: int = 100) -> Drift:
    drift = Drift()
    for message in messages:
        drift.look(message.payload_type, message, size)
    return drift


def counts(drift: Drift) -> tuple[int, int]:
    assert (drift.unknown_payload_types, drift.missing_fields, drift.undecodable) == (0, 0, 0)
    return drift.unknown_fields, drift.unknown_enums


def test_each_message_with_something_unknown_is_counted_once() -> None:
    event = complete(oa.ProtoOAExecutionEvent)
    assert counts(seen(Message(event))) == (0, 0)
    event.order.CopyFrom(order_with(VARINT + EIGHT))
    event.executionType = event.order.orderType = 77
    with_extra(event, VARINT)
    assert counts(seen(Message(event), Message(event))) == (2, 2)


def test_what_is_unknown_in_a_part_is_counted() -> None:
    answer = order_list(VARINT)
    assert counts(seen(Message(answer))) == (1, 0)
    answer.order[0].CopyFrom(complete(oa.ProtoOAOrder))
    answer.order[0].orderType = 77
    assert counts(seen(Message(answer))) == (0, 1)


def test_every_element_of_a_list_is_looked_at() -> None:
    good, strange = complete(oa.ProtoOAOrder), order_with(VARINT)
    strange.orderType = 77
    for place in (0, 3, 4, 50):
        answer = oa.ProtoOAReconcileRes(ctidTraderAccountId=1, order=[good] * place + [strange])
        assert counts(seen(Message(answer))) == (1, 1)


def test_of_the_points_of_a_history_the_first_four_are_looked_at() -> None:
    good, strange = oa.ProtoOATrendbar(volume=1), oa.ProtoOATrendbar(volume=1, period=99)
    for place, found in ((3, 1), (4, 0)):
        answer = oa.ProtoOAGetTrendbarsRes(ctidTraderAccountId=1, period=1, trendbar=[good] * place + [strange])
        assert counts(seen(Message(answer))) == (0, found)


def test_unknown_keys_and_envelopes_are_counted_in_each_message() -> None:
    spot = complete(oa.ProtoOASpotEvent)
    with_key = Message(spot, unknown_keys={("new",): 1})
    with_envelope = Message(spot, unknown_envelope=b"\x20\x07")
    assert counts(seen(*[with_key] * 10, *[with_envelope] * 10, Message(spot))) == (20, 0)


def test_a_very_large_message_is_not_looked_at_but_for_its_keys() -> None:
    strange = Message(order_list(VARINT))
    assert counts(seen(strange, size=256 * 1024)) == (1, 0)
    assert counts(seen(strange, size=256 * 1024 + 1)) == (0, 0)
    strange.unknown_keys = {("new",): 1}
    assert counts(seen(strange, size=256 * 1024 + 1)) == (1, 0)


@pytest.mark.parametrize("cls", [oa.ProtoOASpotEvent, oa.ProtoOADepthEvent])
def test_of_quotes_one_in_64_is_looked_at_the_first_included(cls: Any) -> None:
    strange = Message(with_extra(complete(cls), VARINT))
    assert counts(seen(strange)) == (1, 0)
    assert counts(seen(*[strange] * 64)) == (1, 0)
    assert counts(seen(*[strange] * 65)) == (2, 0)
    other = Message(oa.ProtoHeartbeatEvent())
    assert counts(seen(strange, *[other] * 10, strange)) == (1, 0)


def test_an_enum_number_in_a_quotes_bar_is_counted_when_it_is_looked_at() -> None:
    spot = complete(oa.ProtoOASpotEvent)
    spot.trendbar.add(volume=1, period=99)
    assert counts(seen(Message(spot))) == (0, 1)


def test_a_field_in_a_part_that_is_no_list_is_found_too() -> None:
    message = Message(oa.ProtoOAExecutionEvent(ctidTraderAccountId=1, executionType=2, order=order_with(VARINT)))
    assert [field.path for field in unknown_fields(message)] == ["ProtoOAExecutionEvent.order.999"]


def test_a_message_of_an_unknown_type_is_counted_and_so_are_the_keys_of_its_envelope() -> None:
    drift = Drift()
    drift.look(9999, Message(UnknownPayload(9999, {"a": 1})), 10)
    drift.look(9999, Message(UnknownPayload(9999), unknown_envelope={"new": 1}), 10)
    assert drift == Drift(unknown_fields=1, unknown_payload_types=2)
