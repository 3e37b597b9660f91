from __future__ import annotations

import base64
import json
import math
import tracemalloc
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyctrader.proto.schema import MESSAGES
from anyctrader.wire import (
    Codec,
    Connection,
    JsonCodec,
    LocalProtocolError,
    Message,
    ProtobufCodec,
    RemoteProtocolError,
    Role,
    UndecodablePayload,
    UnknownPayload,
    codecs,
    encode_frame,
    unknown_fields,
)
from anyctrader.wire import messages as oa
from anyctrader.wire.json_text import read_again

from .generated import PAYLOADS, any_message, complete, every_extreme, few, wrapped

PROTOBUF, JSON = ProtobufCodec(), JsonCodec()
CODECS: tuple[Codec, ...] = (PROTOBUF, JSON)
GOLDEN = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "vectors" / "messages.jsonl").read_text(encoding="utf-8").splitlines()
]
CAPTURES = Path(__file__).parents[2] / ".." / "shared" / "captures"
# Its trendbar is two bytes longer than the length in front of it says: no parser can read it.
DAMAGED = ("quotes", "4 idx after tb sub")
LARGE = 15_000_000


def text(payload_type: Any, payload: Any = None, **more: Any) -> bytes:
    return orjson.dumps({"payloadType": payload_type, "payload": payload, **more})


def undecodable(codec: Codec, body: bytes) -> UndecodablePayload:
    with pytest.raises(UndecodablePayload) as caught:
        codec.decode(body)
    return caught.value


def broken(codec: Codec, body: bytes) -> str:
    with pytest.raises(RemoteProtocolError) as caught:
        codec.decode(body)
    assert not isinstance(caught.value, UndecodablePayload)
    return str(caught.value)


# Golden and recorded messages


def test_there_is_a_golden_message_of_every_payload_type() -> None:
    assert {golden["name"] for golden in GOLDEN} == set(PAYLOADS)
    assert len(GOLDEN) == 273


@pytest.mark.parametrize("golden", GOLDEN, ids=[f"{number}-{golden['name']}" for number, golden in enumerate(GOLDEN)])
def test_a_golden_message_is_the_same_in_both_directions_and_in_both_codecs(golden: dict[str, Any]) -> None:
    frame = bytes.fromhex(golden["protobuf_frame"])
    from_protobuf = PROTOBUF.decode(frame[4:])
    from_json = JSON.decode(json.dumps(golden["json"]).encode())
    assert from_protobuf == from_json
    assert from_protobuf.name == golden["name"]
    assert from_protobuf.client_msg_id == golden["json"].get("clientMsgId")
    for message in (from_protobuf, from_json):
        assert encode_frame(PROTOBUF.encode(message)) == frame
        assert json.loads(JSON.encode(message)) == golden["json"]


@pytest.mark.skipif(not CAPTURES.is_dir(), reason="the recorded messages are not part of the project, and not here")
@pytest.mark.parametrize("name", ["execution", "quotes"])
def test_recorded_messages_decode_and_keep_what_the_schema_does_not_know(name: str) -> None:
    for line in (CAPTURES / f"{name}.txt").read_text().splitlines():
        if not line.strip():
            continue
        note, payload_type, recorded = line.split("|")
        payload = base64.b64decode(recorded)
        body = oa.ProtoMessage(payloadType=int(payload_type), payload=payload, clientMsgId="1").SerializeToString()
        if (name, note) == DAMAGED:
            assert undecodable(PROTOBUF, body).body == payload
            continue
        message = PROTOBUF.decode(body)
        assert (message.payload_type, message.client_msg_id) == (int(payload_type), "1")
        again = PROTOBUF.decode(PROTOBUF.encode(message))
        assert again == message
        assert unknown_fields(again) == unknown_fields(message)
        assert len(again.payload.SerializeToString()) == len(payload)
        in_json = JSON.decode(JSON.encode(message))
        known = type(message.payload)()
        known.CopyFrom(message.payload)
        known.DiscardUnknownFields()
        assert in_json == Message(known, "1")


# Both codecs, every message


@pytest.mark.parametrize("name", PAYLOADS)
def test_every_message_survives_both_codecs_at_the_extremes_of_each_field(name: str) -> None:
    for payload in (complete(MESSAGES[name]), *every_extreme(name)):
        message = Message(payload, "1")
        for codec in CODECS:
            assert codec.decode(codec.encode(message)) == message


@pytest.mark.parametrize("name", PAYLOADS)
def test_every_message_survives_both_codecs_and_they_agree(name: str) -> None:
    @given(wrapped(name))
    @few(12)
    def survives(message: Message) -> None:
        in_protobuf = PROTOBUF.decode(PROTOBUF.encode(message))
        in_json = JSON.decode(JSON.encode(message))
        assert in_protobuf == message == in_json
        assert PROTOBUF.encode(in_json) == PROTOBUF.encode(message)
        assert JSON.encode(in_protobuf) == JSON.encode(message)

    survives()


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_a_payload_may_be_missing_where_nothing_is_required(codec: Codec) -> None:
    heartbeat = Message(oa.ProtoHeartbeatEvent())
    answer = Message(oa.ProtoOAApplicationAuthRes(), "7")
    if codec is JSON:
        assert codec.decode(b'{"payloadType":51}') == heartbeat
        assert codec.decode(b'{"payloadType":51,"payload":null}') == heartbeat
        assert codec.decode(b'{"clientMsgId":"7","payloadType":2101}') == answer
        assert codec.decode(b'{"clientMsgId":null,"payloadType":51}') == heartbeat
    else:
        assert codec.decode(b"\x08\x33") == heartbeat
        assert codec.decode(b"\x08\x33\x12\x00") == heartbeat
        assert codec.decode(b"\x08\xb5\x10\x1a\x017") == answer


# What may not be said


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
@pytest.mark.parametrize(
    ("message", "said"),
    [
        (Message(oa.ProtoOASpotEvent(bid=1)), "ProtoOASpotEvent lacks required fields: ctidTraderAccountId, symbolId"),
        (Message(oa.ProtoOASpotEvent(ctidTraderAccountId=1, symbolId=1, payloadType=2126)), "payloadType says 2126"),
        (Message(oa.ProtoOAOrder()), "ProtoOAOrder has no payload type"),
        (Message(oa.ProtoMessage(payloadType=51)), "ProtoMessage has no payload type"),
        (Message(None), "NoneType has no payload type"),
        (Message(oa.ProtoHeartbeatEvent(), 7), "a client message id is a string"),  # type: ignore[arg-type]  # the point
        (Message(oa.ProtoHeartbeatEvent(), b"7"), "a client message id is a string"),  # type: ignore[arg-type]  # too
        (Message(oa.ProtoHeartbeatEvent(), "\ud800"), "surrogates|valid unicode"),
        (Message(UnknownPayload(2106, b"")), "known to the schema"),
        (Message(UnknownPayload(-1)), "a number of 32 bits"),
        (Message(UnknownPayload(2**32)), "a number of 32 bits"),
        (Message(UnknownPayload("9")), "a number of 32 bits"),  # type: ignore[arg-type]  # the point
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_incomplete_or_contradicts_itself_is_not_encoded(codec: Codec, message: Message, said: str) -> None:
    with pytest.raises(LocalProtocolError, match=said):
        codec.encode(message)


def test_what_json_cannot_say_is_not_encoded() -> None:
    event = oa.ProtoOATrailingSLChangedEvent(
        ctidTraderAccountId=1, positionId=1, orderId=1, stopPrice=math.nan, utcLastUpdateTimestamp=1
    )
    with pytest.raises(LocalProtocolError, match=r"ProtoOATrailingSLChangedEvent: stopPrice: nan is no finite number"):
        JSON.encode(Message(event))
    assert math.isnan(PROTOBUF.decode(PROTOBUF.encode(Message(event))).payload.stopPrice)
    with pytest.raises(LocalProtocolError, match="cannot be written as JSON"):
        JSON.encode(Message(UnknownPayload(9999, {1: object()})))


def test_unknown_keys_cannot_take_the_place_of_what_was_judged() -> None:
    request = oa.ProtoOATraderReq(ctidTraderAccountId=1)
    for path in (("ctidTraderAccountId",), ("payloadType",), "ctidTraderAccountId"):
        with pytest.raises(LocalProtocolError, match="this is a field of the schema"):
            JSON.encode(Message(request, unknown_keys={path: 999}))  # type: ignore[dict-item]  # a string is a path, too


@pytest.mark.parametrize(
    "message",
    [
        Message(oa.ProtoOAVersionReq),
        Message(UnknownPayload([1])),  # type: ignore[arg-type]
        Message(UnknownPayload(True)),
        Message(UnknownPayload(9999, float("nan"))),
        Message(UnknownPayload(9999, {1})),
        Message(oa.ProtoOAVersionReq(), unknown_keys=[1]),  # type: ignore[arg-type]
        Message(oa.ProtoOAVersionReq(), unknown_keys={("a",): float("nan")}),
        Message(oa.ProtoOAVersionReq(), unknown_keys={("a",): [b"x"]}),
        Message(oa.ProtoOAVersionReq(), unknown_keys={("a",): "\ud800"}),
        Message(oa.ProtoOAVersionReq(), unknown_envelope=[1]),
        Message(oa.ProtoOAVersionReq(), unknown_envelope={"a": float("inf")}),
    ],
    ids=repr,
)
def test_whatever_a_caller_gives_that_cannot_be_encoded_is_one_kind_of_error(message: Message) -> None:
    with pytest.raises(LocalProtocolError):
        JSON.encode(message)
    with pytest.raises(LocalProtocolError):
        Connection(Role.SERVER, JSON).send(message)


def test_a_message_shows_what_it_is_and_not_what_is_in_it() -> None:
    secret = Message(oa.ProtoOAAccountAuthReq(ctidTraderAccountId=1, accessToken="hush"), "7")
    assert repr(secret) == "<Message ProtoOAAccountAuthReq client_msg_id='7'>"
    unknown = Message(UnknownPayload(9999, b"hush"))
    assert repr(unknown) == "<Message Unknown(9999) client_msg_id=None>"
    assert "hush" not in repr(unknown.payload)
    assert repr(Message(None)) == "<Message NoneType client_msg_id=None>"


# A newer server


@pytest.mark.parametrize(
    ("codec", "bodies"), [(PROTOBUF, (None, b"", b"\xff\x00")), (JSON, (None, {}, {"a": [1, 2.5]}, [1], "x", 7, False))]
)
def test_a_payload_type_that_the_schema_does_not_know_arrives_and_leaves_untouched(
    codec: Codec, bodies: tuple[Any, ...]
) -> None:
    for body in bodies:
        for payload_type in (0, 1, 9999, 2**32 - 1):
            message = Message(UnknownPayload(payload_type, body), "1")
            again = codec.decode(codec.encode(message))
            assert again == message
            assert (again.name, again.payload_type) == (f"Unknown({payload_type})", payload_type)


def test_what_nobody_knows_does_not_change_its_flavour() -> None:
    with pytest.raises(LocalProtocolError, match=r"Unknown\(9999\) came as protobuf"):
        JSON.encode(Message(UnknownPayload(9999, b"")))
    with pytest.raises(LocalProtocolError, match=r"Unknown\(9999\) came as JSON"):
        PROTOBUF.encode(Message(UnknownPayload(9999, {})))


def test_fields_that_the_schema_does_not_know_survive_in_their_own_flavour() -> None:
    payload = oa.ProtoOAVersionRes(version="91").SerializeToString() + b"\xb8\x3e\x01"
    body = b"\x08\xb9\x10\x12" + bytes([len(payload)]) + payload + b"\x1a\x011" + b"\x20\x07"
    message = PROTOBUF.decode(body)
    assert message.payload.version == "91"
    assert message.unknown_envelope == b"\x20\x07"
    assert PROTOBUF.encode(message) == body
    assert JSON.encode(message) == b'{"clientMsgId":"1","payloadType":2105,"payload":{"version":"91"}}'

    body = b'{"clientMsgId":"1","payloadType":2105,"payload":{"version":"91","new.key":{"a":[]}},"trace":[1]}'
    message = JSON.decode(body)
    assert message.unknown_keys == {("new.key",): {"a": []}}
    assert message.unknown_envelope == {"trace": [1]}
    assert JSON.encode(message) == body
    assert PROTOBUF.decode(PROTOBUF.encode(message)) == Message(oa.ProtoOAVersionRes(version="91"), "1")


def test_an_enum_number_that_the_schema_does_not_list_is_delivered_even_where_the_field_is_required() -> None:
    event = oa.ProtoOAExecutionEvent(ctidTraderAccountId=1, executionType=77)
    for codec in CODECS:
        assert codec.decode(codec.encode(Message(event))).payload.executionType == 77
    assert JSON.decode(text(2126, {"ctidTraderAccountId": 1, "executionType": 77})).payload == event


def test_the_envelope_says_null_for_what_is_not_there() -> None:
    assert JSON.decode(b'{"payloadType":51,"clientMsgId":null,"payload":null,"new":null}') == (
        Message(oa.ProtoHeartbeatEvent())
    )


# A payload that cannot be read costs that message only


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_missing_required_fields_are_named(codec: Codec) -> None:
    payload = {"ctidTraderAccountId": 1, "order": {"orderId": 2}}
    if codec is JSON:
        body = text(2126, payload, clientMsgId="5")
        raw = orjson.dumps(payload)
    else:
        raw = oa.ProtoOAExecutionEvent(
            ctidTraderAccountId=1, order=oa.ProtoOAOrder(orderId=2)
        ).SerializePartialToString()
        body = oa.ProtoMessage(payloadType=2126, payload=raw, clientMsgId="5").SerializeToString()
    fault = undecodable(codec, body)
    assert fault.missing_fields == ("executionType", "order.tradeData", "order.orderType", "order.orderStatus")
    assert fault.reason == f"ProtoOAExecutionEvent lacks required fields: {', '.join(fault.missing_fields)}"
    assert (fault.payload_type, fault.client_msg_id, fault.body) == (2126, "5", raw)


def test_of_very_many_missing_fields_only_the_first_are_named() -> None:
    raw = b"\x1a\x00" * 300_000  # as many empty symbols
    fault = undecodable(PROTOBUF, oa.ProtoMessage(payloadType=2115, payload=raw).SerializeToString())
    assert len(fault.missing_fields) == 10
    fault = undecodable(JSON, text(2115, {"symbol": [{}] * 20_000}))
    assert len(fault.missing_fields) == 10
    assert len(str(fault)) < 500


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"\x10", "no ProtoOASpotEvent"),
        (b"\xff" * 20, "no ProtoOASpotEvent"),
        (b"\x10\x01\x18\x01\x08\xce\x10", "says that its payload type is 2126"),
        (b"\x53" * 200_000, "no ProtoOASpotEvent"),
    ],
)
def test_a_protobuf_payload_that_cannot_be_read_says_why(raw: bytes, said: str) -> None:
    fault = undecodable(PROTOBUF, oa.ProtoMessage(payloadType=2131, payload=raw).SerializeToString())
    assert said in fault.reason
    assert (fault.body, fault.missing_fields) == (raw, ())


def test_a_protobuf_string_that_is_not_utf8_is_named() -> None:
    fault = undecodable(PROTOBUF, b"\x08\xde\x10\x12\x06\x1a\x01\xff\x22\x01a")
    assert "errorCode" in fault.reason


@pytest.mark.parametrize("digits", [20, 400, 5000])
def test_what_is_missing_is_named_beside_an_integer_of_any_length_too(digits: int) -> None:
    text = b'{"payloadType":2142,"payload":{"description":"x","newKey":%s}}' % (b"1" * digits)
    assert undecodable(JSON, text).missing_fields == ("errorCode",)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ([], "no ProtoOASpotEvent: an object is due, not a list"),
        ({"symbolId": 1.0}, "no ProtoOASpotEvent: symbolId: an integer is due, not a float"),
        ({"bid": 2**64}, f"no ProtoOASpotEvent: bid: {2**64} is out of range, 0 to 18446744073709551615"),
        ({"bid": -1}, "no ProtoOASpotEvent: bid: -1 is out of range, 0 to 18446744073709551615"),
        (
            {"ctidTraderAccountId": 1, "symbolId": 1, "payloadType": 2126},
            "the ProtoOASpotEvent in it says that its payload type is 2126",
        ),
    ],
)
def test_a_json_payload_that_cannot_be_read_says_where_and_why(payload: Any, said: str) -> None:
    fault = undecodable(JSON, json.dumps({"payloadType": 2131, "payload": payload, "clientMsgId": "3"}).encode())
    assert (fault.reason, fault.client_msg_id, fault.missing_fields) == (said, "3", ())
    assert json.loads(fault.body) == pytest.approx(payload)


@pytest.mark.parametrize("value", [7, 1.5, True, ["1"], {}])
def test_a_json_id_that_is_no_string_costs_the_message(value: Any) -> None:
    fault = undecodable(JSON, text(51, None, clientMsgId=value))
    assert (fault.reason, fault.client_msg_id, fault.body) == ("clientMsgId is not a string", None, b"")


STOP = '{{"payloadType":2107,"clientMsgId":"1","payload":{{"ctidTraderAccountId":{},"stopPrice":{}}}}}'


@pytest.mark.parametrize(
    ("account", "price", "said"),
    [
        ("1", "NaN", "stopPrice: nan is no finite number"),
        ("1", "Infinity", "stopPrice: inf is no finite number"),
        ("1", "-Infinity", "stopPrice: -inf is no finite number"),
        ("1", "1e999", "stopPrice: inf is no finite number"),
        ("1", "9" * 400, "stopPrice: the number is out of range"),
        ("NaN", "1", "ctidTraderAccountId: an integer is due, not a float"),
        ("9" * 400, "1", "ctidTraderAccountId: the number is out of range, -9223372036854775808 to"),
    ],
)
def test_numbers_that_json_does_not_have_are_refused_with_the_path_of_their_field(
    account: str, price: str, said: str
) -> None:
    body = STOP.format(account, price).encode()
    fault = undecodable(JSON, body)
    assert fault.reason.startswith(f"no ProtoOATrailingSLChangedEvent: {said}")
    assert (fault.payload_type, fault.client_msg_id, fault.body) == (2107, "1", body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"payloadType":2105,"clientMsgId":"1","payload":{"version":"91","new":"\\ud800"}}',
        b'{"payloadType":2105,"clientMsgId":"1","payload":{"version":"91","new":"\xff"}}',
        b'{"payloadType":2105,"clientMsgId":"1","payload":{"version":"91","new":' + b"9" * 4_301 + b"}}",
        b'{"payloadType":2105,"clientMsgId":"1","payload":{"version":"91","new":NaN}}',
        b'{"payloadType":9999,"clientMsgId":"1","payload":NaN}',
    ],
)
def test_what_is_no_json_elsewhere_in_a_message_costs_that_message_only(body: bytes) -> None:
    fault = undecodable(JSON, body)
    assert "bytes are no JSON" in fault.reason
    assert (fault.client_msg_id, fault.body) == ("1", body)


@pytest.mark.parametrize("client_msg_id", [b'"\\ud800"', b'"\xff"', b"NaN", b"1e999"])
def test_an_id_that_is_no_text_is_not_passed_on(client_msg_id: bytes) -> None:
    fault = undecodable(JSON, b'{"payloadType":51,"clientMsgId":' + client_msg_id + b"}")
    assert fault.client_msg_id is None


@pytest.mark.parametrize("string", [b'"a\\ud800"', b'"a\xff"', b'"\xc3"'])
def test_a_string_that_is_no_text_costs_the_message_and_is_named_as_in_protobuf(string: bytes) -> None:
    said = "the string is no text: bytes that are not UTF-8, or half a surrogate pair"
    fault = undecodable(JSON, b'{"payloadType":2105,"clientMsgId":"1","payload":{"version":' + string + b"}}")
    assert (fault.reason, fault.client_msg_id) == (f"no ProtoOAVersionRes: version: {said}", "1")


def test_json_that_the_schema_does_not_know_is_kept_exactly_whatever_its_size_and_depth() -> None:
    for value in (
        str(2**64).encode(),
        str(-(2**63) - 1).encode(),
        b"-" + b"9" * 4_300,
        b"[" * 1_000 + b"]" * 1_000,
        b'{"a":' * 300 + str(2**70).encode() + b"}" * 300,
        b'[1.5,-0.0,null,true,"\\u0000\xc3\xa9",{}]',
    ):
        for frame in (
            b'{"payloadType":9999,"payload":%s}',
            b'{"payloadType":2104,"payload":{"new":%s}}',
            b'{"payloadType":51,"new":%s,"payload":{}}',
        ):
            body = frame % value
            again = JSON.decode(JSON.encode(JSON.decode(body)))
            assert JSON.encode(again) == JSON.encode(JSON.decode(body))
            assert value in JSON.encode(again)


def test_an_integer_in_what_is_nested_too_deeply_for_python_is_kept_as_a_double() -> None:
    body = b'{"payloadType":9999,"payload":' + b"[" * 1_000 + str(2**64).encode() + b"]" * 1_000 + b"}"
    assert b"1.8446744073709552e" in JSON.encode(JSON.decode(body))


def test_a_payload_that_orjson_cannot_write_again_is_reported_as_it_came() -> None:
    for value in (b"[" * 900 + b"]" * 900, b"[%d]" % 2**70):
        payload = b'{"version":' + value + b"}"
        fault = undecodable(JSON, b'{"payloadType":2105,"payload":' + payload + b"}")
        assert fault.reason == "no ProtoOAVersionRes: version: a string is due, not a list"
        assert fault.body == payload


def test_a_payload_that_is_no_json_is_reported_with_its_whole_frame() -> None:
    body = b'{"payloadType":2105,"payload":{"version":[NaN]}}'
    assert undecodable(JSON, body).body == body


# No envelope: the stream is broken


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "0 bytes are no JSON"),
        (b"{", "1 bytes are no JSON"),
        (b'{"payloadType":51}x', "are no JSON: .* at byte 18"),
        (b'{"payloadType":51,}', "are no JSON"),
        (b"\xff\xfe", "are no JSON"),
        (b'{"payloadType":"\xff"}', "are no JSON: this is not UTF-8 at byte 16"),
        ('{"payloadType":51,"clientMsgId":"日本",x}'.encode(), "a string key at byte 41"),
        ('{"payloadType":51}'.encode("utf-16"), "are no JSON"),
        (b"\xef\xbb\xbf{}", "are no JSON"),
        (b"NaN", "are no JSON"),
        (b'{"payloadType":NaN}', "are no JSON"),
        (b"[]", "the JSON text is not an object"),
        (b"null", "the JSON text is not an object"),
        (b'"x"', "the JSON text is not an object"),
        (b"{}", "payloadType is missing"),
        (b'{"payloadType":null}', "payloadType is missing"),
        (b'{"payloadType":51.0}', "payloadType is no number of 32 bits"),
        (b'{"payloadType":true}', "payloadType is no number of 32 bits"),
        (b'{"payloadType":-1}', "payloadType is no number of 32 bits"),
        (b'{"payloadType":4294967296}', "payloadType is no number of 32 bits"),
        (b'{"payloadType":"4294967296"}', "payloadType is no number of 32 bits"),
        (b'{"payloadType":"99999999999"}', "payloadType is no number of 32 bits"),
        (b'{"payloadType":"PROTO"}', "payloadType is no number of 32 bits"),
        ('{"payloadType":"٥١"}'.encode(), "payloadType is no number of 32 bits"),
        (b'{"payloadType":' + b"[" * 900 + b"]" * 900 + b"}", "payloadType is no number of 32 bits"),
    ],
)
def test_a_text_that_is_no_envelope_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(RemoteProtocolError, match=said) as caught:
        JSON.decode(body)
    assert not isinstance(caught.value, UndecodablePayload)


def test_of_duplicate_keys_the_last_holds() -> None:
    body = (
        b'{"payloadType":1,"clientMsgId":1,"payload":{"version":"a","version":"b"},'
        b'"payloadType":"2105","clientMsgId":"2"}'
    )
    assert JSON.decode(body) == Message(oa.ProtoOAVersionRes(version="b"), "2")


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"payloadType":51,"payload":{"a":['])
def test_ten_thousand_levels_of_json_are_one_error(opening: bytes) -> None:
    closing = {b"[": b"]", b"{": b"}"}[opening[:1]]
    for body in (opening * 10_000, opening * 10_000 + b"1" + closing * 10_000):
        with pytest.raises(RemoteProtocolError):
            JSON.decode(body)


# Large and broken


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_a_string_as_large_as_a_frame_passes_in_a_few_times_its_memory(codec: Codec) -> None:
    message = Message(oa.ProtoOAVersionRes(version="é" * (LARGE // 2 - 100)))
    body = codec.encode(message)
    assert LARGE - 200 < len(body) < LARGE
    tracemalloc.start()
    try:
        again = codec.decode(body)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert again == message
    assert most < 16 * LARGE  # orjson alone takes 14 times the length of a text that is one long string
    with pytest.raises(RemoteProtocolError):
        codec.decode(body[:-100])


def test_many_small_parts_are_read_in_place() -> None:
    body = b'{"payloadType":2115,"payload":{"ctidTraderAccountId":1,"symbol":[' + b'{"symbolId":1},' * 50_000
    message = JSON.decode(body[:-1] + b"]}}")
    assert len(message.payload.symbol) == 50_000
    assert PROTOBUF.decode(PROTOBUF.encode(message)) == message


@given(any_message(), st.integers(0, 10_000), st.integers(0, 7))
@few(150)
def test_a_flipped_bit_or_a_cut_gives_a_message_or_one_error(message: Message, place: int, bit: int) -> None:
    for codec in CODECS:
        body = codec.encode(message)
        at = place % len(body)
        for damaged in (body[:at] + bytes([body[at] ^ 1 << bit]) + body[at + 1 :], body[:at]):
            try:
                again = codec.decode(damaged)
            except RemoteProtocolError:
                continue
            assert codec.encode(codec.decode(codec.encode(again))) == codec.encode(again)


@given(st.binary(max_size=40))
@few(200)
def test_garbage_gives_a_message_or_one_error(body: bytes) -> None:
    for codec in CODECS:
        try:
            codec.encode(codec.decode(body))
        except RemoteProtocolError:
            pass


@pytest.mark.parametrize("known", [{"payloadType": 2106}, {"payload": {}}, {"clientMsgId": "2"}])
def test_an_unknown_envelope_cannot_take_the_place_of_what_was_judged(known: dict[str, Any]) -> None:
    version = oa.ProtoOAVersionReq()
    with pytest.raises(LocalProtocolError, match="a key that the schema knows"):
        JsonCodec().encode(Message(version, "1", None, known | {"new": 1}))
    fields = {name: b"" if name == "payload" else value for name, value in known.items()}
    extras = oa.ProtoMessage(**fields).SerializePartialToString() + b"\x20\x01"
    with pytest.raises(LocalProtocolError, match="a field that the schema knows"):
        ProtobufCodec().encode(Message(version, "1", None, extras))
    with pytest.raises(LocalProtocolError):
        ProtobufCodec().encode(Message(version, "1", None, b"\xff"))
    assert ProtobufCodec().encode(Message(version, "1", None, b"\x20\x01")).endswith(b"\x20\x01")


@pytest.mark.parametrize("digits", ["9" * 30, "9" * 400, "9" * 5_000, "-" + "9" * 5_000])
def test_an_integer_without_end_is_that_fields_fault_and_is_not_told_in_full(digits: str) -> None:
    text = f'{{"payloadType":2106,"clientMsgId":"7","payload":{{"ctidTraderAccountId":1,"volume":{digits}}}}}'
    with pytest.raises(UndecodablePayload) as caught:
        JsonCodec().decode(text.encode())
    assert caught.value.client_msg_id == "7"
    assert "volume" in caught.value.reason
    assert len(caught.value.reason) < 600


def test_a_text_is_read_again_only_after_what_was_read_first_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    body = b'{"payloadType":9999,"payload":{"long":123456789012345678901234,"rest":[%s[]]}}' % (b"[]," * 50_000)
    held: list[int] = []

    def watched(text: bytes) -> Any:
        held.append(tracemalloc.get_traced_memory()[0])
        return read_again(text)

    monkeypatch.setattr(codecs, "read_again", watched)
    tracemalloc.start()
    try:
        message = JsonCodec().decode(body)
    finally:
        tracemalloc.stop()
    assert message.payload.body["long"] == 123456789012345678901234
    assert max(held) < 1_000_000
