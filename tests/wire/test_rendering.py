from __future__ import annotations

from typing import Any

import orjson
import pytest

from anyctrader.wire import JsonCodec, Message, ProtobufCodec, UnknownPayload
from anyctrader.wire import messages as oa
from anyctrader.wire.rendering import Frame, Rendering

from .generated import complete

SPOT = oa.ProtoOASpotEvent(ctidTraderAccountId=7, symbolId=1, bid=114811, ask=114813)
SPOT.trendbar.add(volume=58, period=oa.ProtoOATrendbarPeriod.M1, low=114809, deltaOpen=5)


def lines(payload: Any, **more: Any) -> list[str]:
    return Rendering().lines(Frame(Message(payload, **more)))


@pytest.mark.parametrize("known", [True, False], ids=["known type", "unknown type"])
def test_of_fields_that_nobody_knows_the_first_thousand_are_shown(known: bool) -> None:
    group = b"\x83\x4b" + b"\x78\x01" * 5000 + b"\x84\x4b"  # field 1200, a group of 5,000
    strange = group + b"\xf8\x3e\x01" * 5000  # field 1007
    if known:
        message = Message(oa.ProtoOAVersionRes.FromString(b"\x12\x0291" + strange))
    else:
        message = Message(UnknownPayload(9999, strange))
    frame, rendering = Frame(message), Rendering()
    shown = rendering.lines(frame)
    assert sum("unknown field " in line for line in shown) == 1000
    assert shown[-1] == "  and more unknown fields"
    members = rendering.members(frame)
    assert (len(members["unknownFields"]), members["moreUnknownFields"]) == (1000, True)
    assert len(members["unknownFields"][0]["value"]) == 1001
    assert rendering.brief(message).count(".1007=") <= 1001


def test_readable_text_names_scales_and_indents_every_field() -> None:
    assert Rendering().lines(Frame(Message(SPOT, client_msg_id="a"), offset=12, size=41)) == [
        '@12 ProtoOASpotEvent (2131), 41 bytes, id "a"',
        "  ctidTraderAccountId = 7",
        "  symbolId = 1",
        "  bid = 1.14811 (114811)",
        "  ask = 1.14813 (114813)",
        "  trendbar[0]",
        "    volume = 58 ticks",
        "    period = M1 (1)",
        "    low = 1.14809 (114809)",
        "    deltaOpen = 1.14814 (low + 5)",
    ]


def test_one_line_tells_all_of_it() -> None:
    assert Rendering().brief(Message(SPOT, client_msg_id="a")) == (
        'ProtoOASpotEvent id="a" ctidTraderAccountId=7 symbolId=1 bid=1.14811 ask=1.14813 trendbar[0].volume=58 ticks '
        "trendbar[0].period=M1 trendbar[0].low=1.14809 trendbar[0].deltaOpen=1.14814 (low + 5)"
    )
    event = oa.ProtoOAExecutionEvent(ctidTraderAccountId=7, executionType=2)
    event.order.orderId = 5
    assert Rendering().brief(Message(event)).endswith("executionType=ORDER_ACCEPTED order.orderId=5")
    assert Rendering().brief(Message(oa.ProtoOASymbolChangedEvent(symbolId=[1, 2]))).endswith("symbolId=1,2")


def test_names_of_symbols_stand_in_place_of_their_ids_as_soon_as_they_are_known() -> None:
    names: dict[int, str] = {}
    rendering = Rendering(names)
    assert "  symbolId = 1" in rendering.lines(Frame(Message(SPOT)))
    names[1] = "EUR\x1bUSD"
    assert r"  symbolId = EUR\x1bUSD (1)" in rendering.lines(Frame(Message(SPOT)))


def test_lists_parts_texts_booleans_and_doubles_are_all_readable() -> None:
    assert lines(oa.ProtoOASymbolChangedEvent(ctidTraderAccountId=1, symbolId=[1, 2]))[-1] == "  symbolId = 1, 2"
    event = oa.ProtoOAExecutionEvent(ctidTraderAccountId=7, executionType=2, errorCode='a"\n', isServerEvent=True)
    event.position.marginRate = 1.1
    assert lines(event)[1:] == [
        "  ctidTraderAccountId = 7",
        "  executionType = ORDER_ACCEPTED (2)",
        "  position",
        "    marginRate = 1.1",
        r'  errorCode = "a\"\n"',
        "  isServerEvent = true",
    ]


def test_an_unknown_number_of_an_enum_is_shown_as_what_it_is() -> None:
    assert "  executionType = 99 (unknown to ProtoOAExecutionType)" in lines(
        oa.ProtoOAExecutionEvent(ctidTraderAccountId=7, executionType=99)
    )


def test_unknown_fields_are_shown_with_number_wire_type_and_value() -> None:
    payload = oa.ProtoOATraderReq(ctidTraderAccountId=7)
    payload.MergeFromString(
        b"\xb8\x3e\x05"
        + b"\xba\x3e\x02ab"
        + b"\xba\x3e\x02\xff\x01"
        + b"\xba\x3e\x00"
        + b"\xba\x3e\x64"
        + b"\x00" * 100
        + b"\xbb\x3e\x08\x05\x12\x01a\xbc\x3e"
    )
    assert lines(payload)[2:] == [
        "  unknown field ProtoOATraderReq.999 (varint) = 5",
        '  unknown field ProtoOATraderReq.999 (length-delimited) = "ab"',
        "  unknown field ProtoOATraderReq.999 (length-delimited) = 0xff01",
        "  unknown field ProtoOATraderReq.999 (length-delimited) = empty",
        f"  unknown field ProtoOATraderReq.999 (length-delimited) = 0x{'00' * 64}… (100 bytes)",
        '  unknown field ProtoOATraderReq.999 (group) = {#1=5, #2="a"}',
    ]
    members = Rendering().members(Frame(Message(payload)))
    assert members["unknownFields"][1] == {
        "path": "ProtoOATraderReq.999",
        "number": 999,
        "wireType": 2,
        "value": "6162",
    }
    assert members["unknownFields"][5]["value"][0] == {
        "path": "ProtoOATraderReq.999.1",
        "number": 1,
        "wireType": 0,
        "value": 5,
    }
    assert Rendering().brief(Message(payload)).startswith('ProtoOATraderReq ctidTraderAccountId=7 #999=5 #999="ab"')


def test_a_payload_of_unknown_type_is_shown_field_by_field() -> None:
    message = Message(UnknownPayload(9999, b"\x08\x05\x12\x02ab"), client_msg_id="x")
    assert Rendering().lines(Frame(message)) == [
        'Unknown(9999) (9999), id "x"',
        "  unknown field Unknown(9999).1 (varint) = 5",
        '  unknown field Unknown(9999).2 (length-delimited) = "ab"',
    ]
    assert Rendering().brief(message) == 'Unknown(9999) id="x" #1=5 #2="ab"'
    members = Rendering().members(Frame(message))
    assert members["payload"] is None
    assert [field["value"] for field in members["unknownFields"]] == [5, "6162"]


def test_a_payload_of_unknown_type_that_is_no_protobuf_is_shown_as_bytes() -> None:
    message = Message(UnknownPayload(9999, b"\xff\xff"))
    assert Rendering().lines(Frame(message))[1:] == ["  unknown field Unknown(9999) = 0xffff"]
    assert Rendering().members(Frame(message))["body"] == "ffff"
    assert Rendering().lines(Frame(Message(UnknownPayload(9999)))) == ["Unknown(9999) (9999)"]


def test_a_payload_of_unknown_type_from_json_is_shown_key_by_key() -> None:
    message = Message(UnknownPayload(9999, {"a\x1b": [1, "\x1b"], "b": 1.5}))
    assert Rendering().lines(Frame(message))[1:] == [
        r"  unknown field Unknown(9999).a\x1b = [1,\"\\u001b\"]",
        "  unknown field Unknown(9999).b = 1.5",
    ]
    assert Rendering().brief(message) == r"Unknown(9999) a\x1b=[1,\"\\u001b\"] b=1.5"
    assert Rendering().members(Frame(message))["payload"] == {"a\x1b": [1, "\x1b"], "b": 1.5}
    assert Rendering().lines(Frame(Message(UnknownPayload(9999, [1]))))[1:] == ["  unknown field Unknown(9999) = [1]"]


def test_unknown_integers_of_any_length_are_shown_whatever_they_stand_in() -> None:
    message = JsonCodec().decode(b'{"payloadType":9999,"payload":{"a":%d,"b":[%d]}}' % (2**64, 2**64))
    assert Rendering().lines(Frame(message))[1:] == [
        f"  unknown field Unknown(9999).a = {2**64}",
        f"  unknown field Unknown(9999).b = [{2**64}]",
    ]


def test_keys_that_json_brought_stand_in_the_payload_and_in_the_list() -> None:
    message = JsonCodec().decode(b'{"payloadType":2121,"payload":{"ctidTraderAccountId":7,"newer":"x"},"more":1}')
    members = Rendering().members(Frame(message))
    assert members["payload"] == {"ctidTraderAccountId": 7, "newer": "x"}
    assert [field["path"] for field in members["unknownFields"]] == ["ProtoMessage.more", "ProtoOATraderReq.newer"]
    assert Rendering().lines(Frame(message))[-1] == r"  unknown field ProtoOATraderReq.newer = \"x\""


def test_a_line_of_json_has_the_six_members_and_leaves_out_a_place_that_is_not_there() -> None:
    members = Rendering().members(Frame(Message(oa.ProtoHeartbeatEvent()), offset=0, size=8))
    assert list(members.items()) == [
        ("offset", 0),
        ("size", 8),
        ("payloadType", 51),
        ("name", "ProtoHeartbeatEvent"),
        ("clientMsgId", None),
        ("payload", {}),
    ]
    assert list(Rendering().members(Frame(Message(oa.ProtoHeartbeatEvent())))) == list(members)[2:]


def test_a_double_that_json_cannot_say_becomes_a_text() -> None:
    event = oa.ProtoOATrailingSLChangedEvent(ctidTraderAccountId=1, stopPrice=float("nan"))
    assert Rendering().members(Frame(Message(event)))["payload"] == {"ctidTraderAccountId": 1, "stopPrice": "NaN"}
    assert "  stopPrice = nan (no such value)" in lines(event)
    answer = oa.ProtoOAReconcileRes(position=[oa.ProtoOAPosition(price=float("inf"), stopLoss=1.5)])
    assert Rendering().members(Frame(Message(answer)))["payload"] == {
        "position": [{"price": "Infinity", "stopLoss": 1.5}]
    }


@pytest.mark.parametrize("cls", oa.PAYLOAD_CLASSES.values(), ids=lambda cls: cls.__name__)
def test_every_message_of_the_schema_can_be_shown(cls: Any) -> None:
    message = ProtobufCodec().decode(ProtobufCodec().encode(Message(complete(cls), client_msg_id="1")))
    rendering = Rendering()
    shown = rendering.lines(Frame(message))
    assert shown[0].startswith(cls.__name__)
    assert len(shown) >= len(message.payload.ListFields()) - message.payload.HasField("payloadType")
    members = rendering.members(Frame(message))
    again = JsonCodec().decode(orjson.dumps(members))  # what it prints can be sent again
    assert again.payload == message.payload
    assert "\n" not in rendering.brief(message)


def test_the_payload_type_is_told_once_also_where_the_payload_repeats_it() -> None:
    payload = oa.ProtoOATraderReq(payloadType=2121, ctidTraderAccountId=7)
    assert lines(payload)[1:] == ["  ctidTraderAccountId = 7"]
    assert Rendering().brief(Message(payload)) == "ProtoOATraderReq ctidTraderAccountId=7"
    assert list(Rendering().facts(Message(payload))) == [("ctidTraderAccountId", "7", "7")]


def test_a_value_reads_the_same_however_many_others_came_between() -> None:
    rendering = Rendering()

    def line(bid: int) -> str:
        payload = oa.ProtoOASpotEvent(ctidTraderAccountId=7, symbolId=1, bid=bid)
        return rendering.lines(Frame(Message(payload)))[3]

    first = line(114811)
    assert first == "  bid = 1.14811 (114811)"
    assert len({line(bid) for bid in range(3000)}) == 3000
    assert line(114811) == first


def test_every_value_is_told_with_its_path_as_it_is_and_as_it_is_shown() -> None:
    assert list(Rendering({1: "EURUSD"}).facts(Message(SPOT))) == [
        ("ctidTraderAccountId", "7", "7"),
        ("symbolId", "1", "EURUSD"),
        ("bid", "114811", "1.14811"),
        ("ask", "114813", "1.14813"),
        ("trendbar.volume", "58", "58 ticks"),
        ("trendbar.period", "1", "M1"),
        ("trendbar.low", "114809", "1.14809"),
        ("trendbar.deltaOpen", "5", "1.14814 (low + 5)"),
    ]
    changed = oa.ProtoOASymbolChangedEvent(symbolId=[1, 2])
    assert [value for _, value, _ in Rendering().facts(Message(changed))] == ["1", "2"]
    assert list(Rendering().facts(Message(UnknownPayload(9999)))) == []
