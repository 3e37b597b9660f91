"""Names of enum values that the schema does not have, from the bytes to whoever reads of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from anyctrader.proto.schema import MESSAGES
from anyctrader.wire import (
    Connection,
    Drift,
    JsonCodec,
    LocalProtocolError,
    Message,
    ProtobufCodec,
    Role,
    UndecodablePayload,
    UnknownEnum,
    UnknownPayload,
    encode_frame,
    unknown_enums,
    unknown_fields,
)
from anyctrader.wire import messages as oa
from anyctrader.wire.ambiguity import ambiguity_of
from anyctrader.wire.enum_names import UNKNOWN_NAME, looks_like_a_name, unknown_names
from anyctrader.wire.events import EventReceived
from anyctrader.wire.redaction import MASK, Redaction
from anyctrader.wire.rendering import Frame, Rendering
from anyctrader.wire.shape import shape_of

JSON, PROTOBUF, RENDERING = JsonCodec(), ProtobufCodec(), Rendering()

# A newer server's: a required enum, one in a part, an optional one, and a key that is no field.
BODY = (
    b'{"clientMsgId":"1","payloadType":2126,"payload":{"ctidTraderAccountId":1,"executionType":"ORDER_HELD","order":'
    b'{"orderId":5,"tradeData":{"symbolId":1,"volume":100,"tradeSide":1},"orderType":"TWAP","orderStatus":1,'
    b'"timeInForce":"GOOD_FOR_WEEK","newer":7}}}'
)
NAMES = {
    ("executionType",): "ORDER_HELD",
    ("order", "orderType"): "TWAP",
    ("order", "timeInForce"): "GOOD_FOR_WEEK",
}


def test_a_message_with_names_that_its_enums_do_not_have_is_delivered_and_counted() -> None:
    connection = Connection(Role.CLIENT, JsonCodec())
    (event,) = connection.receive_data(encode_frame(BODY))
    assert isinstance(event, EventReceived)
    order = event.message.payload.order
    assert (order.orderId, order.tradeData.volume) == (5, 100)
    assert order.orderType == order.timeInForce == event.message.payload.executionType == UNKNOWN_NAME
    assert connection.drift == Drift(unknown_fields=1, unknown_enums=1)


def test_the_names_are_listed_with_their_paths_and_not_as_unknown_fields() -> None:
    message = JSON.decode(BODY)
    number, where = UNKNOWN_NAME, "ProtoOAExecutionEvent"
    assert unknown_enums(message) == [
        UnknownEnum(f"{where}.executionType", "ProtoOAExecutionType", number, True, "ORDER_HELD"),
        UnknownEnum(f"{where}.order.orderType", "ProtoOAOrderType", number, True, "TWAP"),
        UnknownEnum(f"{where}.order.timeInForce", "ProtoOATimeInForce", number, False, "GOOD_FOR_WEEK"),
    ]
    assert [field.path for field in unknown_fields(message)] == [f"{where}.order.newer"]
    assert "TWAP" not in repr(unknown_enums(message)) + repr(message)  # it may be a secret at the wrong place


def test_json_writes_the_same_text_again_and_protobuf_refuses_to_name_the_path() -> None:
    message = JSON.decode(BODY)
    assert JSON.encode(message) == BODY
    with pytest.raises(LocalProtocolError, match=r"ProtoOAExecutionEvent\.executionType came as a name") as caught:
        PROTOBUF.encode(message)
    assert "ORDER_HELD" not in str(caught.value)


def test_whoever_sets_the_fields_may_say_the_message_in_either_flavour() -> None:
    message = JSON.decode(BODY)
    message.payload.executionType = message.payload.order.orderType = 2
    message.payload.order.ClearField("timeInForce")
    assert unknown_enums(message) == []
    assert PROTOBUF.decode(PROTOBUF.encode(message)).payload == message.payload
    again = JSON.decode(JSON.encode(message))
    assert (again.payload, again.unknown_keys) == (message.payload, {("order", "newer"): 7})


def test_each_message_is_counted_by_what_is_in_it_also_a_large_one_or_a_quote_that_is_not_looked_at() -> None:
    spot = (
        b'{"payloadType":2131,"payload":{"ctidTraderAccountId":1,"symbolId":1,"trendbar":[{"volume":1,"period":"H7"}]}}'
    )
    drift = Drift()
    for _ in range(10):
        drift.look(2131, JSON.decode(spot), len(spot))
    assert drift == Drift(unknown_enums=10)
    drift.look(2126, JSON.decode(BODY), 1 << 20)
    assert drift == Drift(unknown_enums=11, unknown_fields=1)
    with_envelope = JSON.decode(spot[:-1] + b',"trace":1}')
    drift.look(2131, with_envelope, len(spot))
    assert drift == Drift(unknown_enums=12, unknown_fields=2)


def test_one_is_shown_beside_its_field_in_every_rendering() -> None:
    message = JSON.decode(BODY)
    lines = RENDERING.lines(Frame(message))
    assert "    orderType = a name (unknown to ProtoOAOrderType)" in lines
    assert "  unknown name ProtoOAExecutionEvent.order.orderType = TWAP" in lines
    assert "order.orderType=TWAP" in RENDERING.brief(message).split()
    members = RENDERING.members(Frame(message))
    assert members["payload"] == json.loads(BODY)["payload"]
    assert [field["path"] for field in members["unknownFields"]] == ["ProtoOAExecutionEvent.order.newer"]
    assert ("order.orderType", "TWAP", "TWAP") in RENDERING.facts(message)


def test_what_is_known_as_a_secret_is_covered_in_it_and_the_message_can_be_kept() -> None:
    secret = "MYPASSWORD_A"
    message = JSON.decode(BODY.replace(b"TWAP", secret.encode()))
    shown = Redaction([secret]).message(message)
    assert (shown.unknown_keys or {})["order", "orderType"] == MASK
    texts = [*RENDERING.lines(Frame(shown)), RENDERING.brief(shown), str(RENDERING.members(Frame(shown)))]
    assert secret not in "\n".join([*texts, *map(str, RENDERING.facts(shown))])
    kept = JSON.encode(shown)
    assert secret.encode() not in kept
    assert JSON.decode(kept) == shown
    part = Redaction(["PASSWORD"]).message(message)
    assert JSON.decode(JSON.encode(part)).unknown_keys == part.unknown_keys


def test_in_a_message_with_secrets_all_of_it_is_covered() -> None:
    body = b'{"payloadType":2150,"payload":{"accessToken":"abcdefghijklm","permissionScope":"SCOPE_SIGN"}}'
    shown = Redaction().message(JSON.decode(body))
    assert RENDERING.members(Frame(shown))["payload"] == {"accessToken": MASK, "permissionScope": MASK}


def test_a_text_that_is_no_name_costs_the_message_and_is_not_shown() -> None:
    with pytest.raises(UndecodablePayload) as caught:
        JSON.decode(BODY.replace(b"TWAP", b"abcdef0123456789"))
    assert caught.value.reason == "no ProtoOAExecutionEvent: order.orderType: a string is no ProtoOAOrderType"
    assert caught.value.client_msg_id == "1"


def test_nobody_knows_what_a_server_makes_of_a_request_with_such_a_name() -> None:
    body = (
        b'{"payloadType":2106,"payload":{"ctidTraderAccountId":1,"symbolId":1,"orderType":"MARKET","tradeSide":"BUY",'
        b'"volume":1}}'
    )
    assert ambiguity_of(JSON.decode(body), body, "json") is None
    body = body.replace(b"MARKET", b"MARKETS")
    assert "a name that the schema does not know" in (ambiguity_of(JSON.decode(body), body, "json") or "")


@pytest.mark.parametrize(
    "path",
    [
        "orderType",
        5,
        (),
        ("new",),
        ("order",),
        ("orderType",),
        (0, "orderType"),
        ("new", "orderType"),
        ("order", "orderType"),
        ("order", 1, "orderType"),
        ("order", -1, "orderType"),
        ("order", True, "orderType"),
        ("order", 0, 0),
        ("order", 0, "label"),
        ("order", 0, "timeInForce"),
        ("order", 0, "x", "orderType"),
        ("order", 0, "tradeData", "orderType"),
    ],
)
def test_a_text_under_any_other_path_is_none_of_these_names(path: Any) -> None:
    order = oa.ProtoOAOrder(orderType=UNKNOWN_NAME, timeInForce=1)
    answer = oa.ProtoOAReconcileRes(order=[order])
    assert list(unknown_names(answer, {path: "TWAP"})) == []


def test_a_name_is_a_text_at_the_path_of_a_field_that_says_so() -> None:
    answer = oa.ProtoOAReconcileRes(order=[oa.ProtoOAOrder(orderType=UNKNOWN_NAME)])
    path = ("order", 0, "orderType")
    assert list(unknown_names(answer, {path: "TWAP"})) == [(path, "TWAP")]
    assert list(unknown_names(answer, {path: 5})) == []
    assert list(unknown_names(answer, None)) == []
    assert dict(unknown_names(JSON.decode(BODY).payload, JSON.decode(BODY).unknown_keys)) == NAMES


def test_a_payload_that_nobody_knows_has_no_names() -> None:
    message = Message(UnknownPayload(9999, {}), unknown_keys={("orderType",): "TWAP"})
    assert (unknown_enums(message), ambiguity_of(message, b"{}", "json")) == ([], None)
    assert RENDERING.brief(message).count("TWAP") == 1  # as a key


def test_no_enum_of_the_schema_is_a_list_and_none_lists_the_number_of_an_unknown_name() -> None:
    fields = [(field, field.enum) for name in MESSAGES for field in shape_of(name).fields if field.enum is not None]
    assert len(fields) > 50
    assert not any(field.repeated for field, _ in fields)  # else a name in a list has to be kept as well
    assert not any(UNKNOWN_NAME in set(enum) for _, enum in fields)
    assert all(looks_like_a_name(name) for _, enum in fields for name in enum.__members__)
