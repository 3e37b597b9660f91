from __future__ import annotations

import json
import math
from typing import Any

import orjson
import pytest
from google.protobuf.descriptor import FieldDescriptor

from anyctrader.proto.schema import MESSAGES
from anyctrader.wire import messages as oa
from anyctrader.wire.enum_names import UNKNOWN_NAME
from anyctrader.wire.json_fields import FieldError, JsonFields

from .generated import PARTS, complete, every_extreme, is_repeated

FIELDS = JsonFields()


def read(cls: Any, value: Any) -> Any:
    return FIELDS.from_json(cls, value)[0]


def refusal(cls: Any, value: Any) -> str:
    with pytest.raises(FieldError) as caught:
        FIELDS.from_json(cls, value)
    assert str(caught.value).endswith(caught.value.problem)
    return str(caught.value)


@pytest.mark.parametrize("name", PARTS)
def test_each_part_of_a_message_survives_at_the_extremes_of_its_fields(name: str) -> None:
    for message in every_extreme(name):
        text = orjson.dumps(FIELDS.to_json(message))
        assert FIELDS.from_json(MESSAGES[name], orjson.loads(text)) == (message, None)


def test_fields_have_their_published_names_and_only_those_that_are_set_are_there() -> None:
    order = oa.ProtoOAOrder(orderId=2**53 + 1, orderType=2, limitPrice=1.0, closingOrder=False, clientOrderId="")
    order.tradeData.symbolId = 1
    assert FIELDS.to_json(order) == {
        "orderId": 9007199254740993,
        "tradeData": {"symbolId": 1},
        "orderType": 2,
        "limitPrice": 1.0,
        "closingOrder": False,
        "clientOrderId": "",
    }
    assert FIELDS.to_json(oa.ProtoOAVersionReq()) == {}
    assert FIELDS.to_json(oa.ProtoOAOrder(tradeData=oa.ProtoOATradeData())) == {"tradeData": {}}


def test_lists_are_lists() -> None:
    request = oa.ProtoOASymbolByIdReq(ctidTraderAccountId=1, symbolId=[3, 2**62])
    assert FIELDS.to_json(request) == {"ctidTraderAccountId": 1, "symbolId": [3, 2**62]}
    assert read(oa.ProtoOASymbolByIdReq, {"ctidTraderAccountId": 1, "symbolId": [3, 2**62]}) == request
    assert read(oa.ProtoOASymbolByIdReq, {"symbolId": []}) == oa.ProtoOASymbolByIdReq()


def test_a_part_may_be_empty_and_is_there_all_the_same() -> None:
    order = read(oa.ProtoOAOrder, {"tradeData": {}})
    assert order.HasField("tradeData")
    assert not read(oa.ProtoOAOrder, {"tradeData": None}).HasField("tradeData")


@pytest.mark.parametrize(
    "value", [2**63 - 1, -(2**63), 2**53 + 1, str(2**63 - 1), str(-(2**63)), str(2**53 + 1), "007", "-0"]
)
def test_an_integer_of_64_bits_is_taken_exactly_as_a_number_or_as_a_string(value: int | str) -> None:
    assert read(oa.ProtoOATrader, {"balance": value}).balance == int(value)
    # And through the parser, which must not make a float of it.
    text = orjson.dumps({"balance": value})
    assert read(oa.ProtoOATrader, orjson.loads(text)).balance == int(value)


@pytest.mark.parametrize(
    ("kind", "field", "low", "high"),
    [
        (oa.ProtoOATrader, "balance", -(2**63), 2**63 - 1),
        (oa.ProtoOATrader, "moneyDigits", 0, 2**32 - 1),
        (oa.ProtoOADepthQuote, "size", 0, 2**64 - 1),
        (oa.ProtoOASymbol, "digits", -(2**31), 2**31 - 1),
        (oa.ProtoOATrader, "accountType", -(2**31), 2**31 - 1),
    ],
)
def test_an_integer_out_of_the_range_of_its_field_is_refused(kind: Any, field: str, low: int, high: int) -> None:
    for value in (low, high, str(low), str(high)):
        assert getattr(read(kind, {field: value}), field) == int(value)
    for value in (low - 1, high + 1, str(low - 1), str(high + 1)):
        assert refusal(kind, {field: value}) == f"{field}: {value} is out of range, {low} to {high}"


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (1.0, "a float"),
        (math.nan, "a float"),
        (True, "a boolean"),
        ([1], "a list"),
        ({"a": 1}, "an object"),
        ("", "a string"),
        ("-", "a string"),
        ("--1", "a string"),
        ("+1", "a string"),
        (" 1", "a string"),
        ("1.0", "a string"),
        ("1e3", "a string"),
        ("0x1", "a string"),
        ("1_0", "a string"),
        ("١", "a string"),
    ],
)
def test_what_is_no_integer_is_refused_with_the_path_of_its_field(value: Any, what: str) -> None:
    assert refusal(oa.ProtoOATraderRes, {"trader": {"balance": value}}) == (
        f"trader.balance: an integer is due, not {what}"
    )


@pytest.mark.parametrize(
    "value",
    ["9" * 21, "-" + "9" * 5_000, 1e300, orjson.loads(b"18446744073709551616")],  # a parser makes a float of the last
    ids=["string", "long", "float", "integer"],
)
def test_an_integer_of_more_than_64_bits_is_out_of_range_like_any_other(value: Any) -> None:
    assert refusal(oa.ProtoOATraderRes, {"trader": {"balance": value}}) == (
        f"trader.balance: the number is out of range, {-(2**63)} to {2**63 - 1}"
    )


def test_enums_are_taken_by_number_or_by_name() -> None:
    for value in (1, "1", "ORDER_TYPE_MARKET", "MARKET"):
        if value == "ORDER_TYPE_MARKET":
            assert read(oa.ProtoOAOrder, {"orderType": value}).orderType == UNKNOWN_NAME
            continue
        assert read(oa.ProtoOAOrder, {"orderType": value}).orderType == oa.ProtoOAOrderType.MARKET
    assert read(oa.ProtoOASpotEvent, {"payloadType": "PROTO_OA_SPOT_EVENT"}).payloadType == 2131


def test_a_number_that_the_enum_does_not_list_arrives_as_what_it_is() -> None:
    for value in (99, -5, "99"):
        assert read(oa.ProtoOAOrder, {"orderType": value}).orderType == int(value)


@pytest.mark.parametrize("value", ["market", "", "-", "NEW KIND", "X" * 61, "x" * 500, "A123", 1.0, True, "٢"])
def test_what_is_no_name_of_an_enum_is_refused_and_not_shown(value: Any) -> None:
    said = refusal(oa.ProtoOAOrder, {"orderType": value})
    assert said.startswith("orderType: ")
    assert len(said) < 60  # none of the text


def test_a_text_in_the_place_of_an_enum_that_may_be_a_secret_is_not_shown() -> None:
    said = refusal(oa.ProtoOAOrder, {"orderType": "abcdef0123456789ABCDEFsecret"})
    assert said == "orderType: a string is no ProtoOAOrderType"


def test_a_name_that_its_enum_does_not_have_is_kept_at_the_path_of_its_field_and_written_again() -> None:
    value = {
        "ctidTraderAccountId": 1,
        "order": [
            {"orderId": 1, "tradeData": {"symbolId": 1, "volume": 1, "tradeSide": "BOTH"}, "orderType": 1},
            {"orderId": 2, "orderType": "TWAP", "timeInForce": "GOOD_FOR_WEEK"},
        ],
    }
    message, unknown = FIELDS.from_json(oa.ProtoOAReconcileRes, value)
    assert unknown == {
        ("order", 0, "tradeData", "tradeSide"): "BOTH",
        ("order", 1, "orderType"): "TWAP",
        ("order", 1, "timeInForce"): "GOOD_FOR_WEEK",
    }
    first, second = message.order  # type: ignore[attr-defined]
    assert first.tradeData.tradeSide == second.orderType == second.timeInForce == UNKNOWN_NAME
    assert json.dumps(FIELDS.to_json(message, unknown_keys=unknown)) == json.dumps(value)


def test_the_name_goes_once_its_field_is_set_or_its_part_is_gone() -> None:
    value = {"order": [{"orderType": "TWAP"}, {"timeInForce": "GOOD_FOR_WEEK"}]}
    message: Any
    message, unknown = FIELDS.from_json(oa.ProtoOAReconcileRes, value)
    message.order[0].orderType = oa.ProtoOAOrderType.LIMIT
    del message.order[1]
    assert FIELDS.to_json(message, unknown_keys=unknown) == {"order": [{"orderType": 2}]}


@pytest.mark.parametrize("name", ["MARKET", "market", "2", "", "X" * 61])
def test_no_other_text_is_written_in_the_place_of_a_name_that_is_unknown(name: str) -> None:
    # Whoever judged the message has seen that nobody knows what the field means.
    message, _ = FIELDS.from_json(oa.ProtoOAOrder, {"orderType": "TWAP"})
    with pytest.raises(FieldError, match="this is a field of the schema"):
        FIELDS.to_json(message, unknown_keys={("orderType",): name})


def test_a_payload_does_not_say_by_an_unknown_name_what_it_is() -> None:
    said = refusal(oa.ProtoOASpotEvent, {"payloadType": "PROTO_OA_NEW_EVENT"})
    assert said == "payloadType: a string is no ProtoOAPayloadType"


def test_zeros_in_front_of_a_quoted_integer_are_no_digits_of_it() -> None:
    for value, number in (("0" * 5000 + "7", 7), ("-" + "0" * 30 + "7", -7), ("0" * 25, 0), ("-" + "0" * 25, 0)):
        assert read(oa.ProtoOATrader, {"balance": value}).balance == number


def test_doubles_are_taken_from_any_number() -> None:
    for value in (1, 0.1, -0.0, 2**64 - 1, 1.7976931348623157e308, 5e-324):
        assert read(oa.ProtoOAOrder, {"limitPrice": value}).limitPrice == float(value)
    assert math.copysign(1, read(oa.ProtoOAOrder, {"limitPrice": -0.0}).limitPrice) == -1


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (math.nan, "nan is no finite number"),
        (math.inf, "inf is no finite number"),
        (-math.inf, "-inf is no finite number"),
        (10**400, "the number is out of range"),
        ("1.5", "a number is due, not a string"),
        (False, "a number is due, not a boolean"),
        ([], "a number is due, not a list"),
    ],
)
def test_what_is_no_double_is_refused_with_the_path_of_its_field(value: Any, problem: str) -> None:
    assert refusal(oa.ProtoOAOrderDetailsRes, {"order": {"limitPrice": value}}) == f"order.limitPrice: {problem}"


def test_booleans_and_strings_are_taken_as_such_only() -> None:
    assert read(oa.ProtoOAOrder, {"closingOrder": True, "clientOrderId": "é"}).closingOrder
    assert refusal(oa.ProtoOAOrder, {"closingOrder": 1}) == "closingOrder: a boolean is due, not an integer"
    assert refusal(oa.ProtoOAOrder, {"closingOrder": "true"}) == "closingOrder: a boolean is due, not a string"
    assert refusal(oa.ProtoOAOrder, {"clientOrderId": 12345}) == "clientOrderId: a string is due, not an integer"
    assert refusal(oa.ProtoOAOrder, {"clientOrderId": {}}) == "clientOrderId: a string is due, not an object"
    assert refusal(oa.ProtoOAOrder, {"clientOrderId": b""}) == "clientOrderId: a string is due, not bytes"


def test_one_scalar_stands_for_a_list_of_one() -> None:
    assert list(read(oa.ProtoOASymbolByIdReq, {"symbolId": 7}).symbolId) == [7]
    assert list(read(oa.ProtoOASymbolByIdReq, {"symbolId": "7"}).symbolId) == [7]
    assert read(oa.ProtoOASpotEvent, {"trendbar": {"volume": 3}}).trendbar[0].volume == 3


def test_a_list_does_not_stand_for_a_scalar_and_null_is_no_element() -> None:
    too_large = "symbolId.0: the number is out of range, -9223372036854775808 to 9223372036854775807"
    assert refusal(oa.ProtoOASymbolByIdReq, {"symbolId": ["9" * 30]}) == too_large
    assert refusal(oa.ProtoOASymbolByIdReq, {"symbolId": [1e30]}).startswith("symbolId.0: the number is out of range")
    assert refusal(oa.ProtoOASymbolByIdReq, {"symbolId": [1, None]}) == ("symbolId.1: an integer is due, not null")
    assert refusal(oa.ProtoOASymbolByIdReq, {"symbolId": [[1]]}) == "symbolId.0: an integer is due, not a list"
    assert refusal(oa.ProtoOASpotEvent, {"trendbar": [{}, {"volume": "x"}]}) == (
        "trendbar.1.volume: an integer is due, not a string"
    )
    assert refusal(oa.ProtoOASpotEvent, {"trendbar": [None]}) == "trendbar.0: an object is due, not null"


def test_null_is_absent() -> None:
    assert FIELDS.from_json(oa.ProtoOAOrder, {"limitPrice": None, "tradeData": None, "new": None}) == (
        oa.ProtoOAOrder(),
        None,
    )


@pytest.mark.parametrize("value", [[], "x", 1, 1.5, True, None])
def test_a_message_is_an_object(value: Any) -> None:
    said = refusal(oa.ProtoOAVersionReq, value)
    assert said.startswith("an object is due, not ")
    if value is not None:
        assert refusal(oa.ProtoOATraderRes, {"trader": value}).startswith("trader: an object is due, not ")


def test_a_refusal_never_shows_the_value_of_a_field_that_may_be_a_secret() -> None:
    for value in (123456789, ["secret"], {"a": "secret"}, 1.5):
        said = refusal(oa.ProtoOAApplicationAuthReq, {"clientSecret": value})
        assert "123456789" not in said
        assert not said.removeprefix("clientSecret: ").count("secret")


def test_a_value_nested_as_deep_as_the_parser_lets_through_is_refused_like_any_other() -> None:
    deep = orjson.loads(b"[" * 1_000 + b"]" * 1_000)
    assert refusal(oa.ProtoOAOrder, {"orderId": deep}) == "orderId: an integer is due, not a list"


# What the schema does not name


def test_unknown_keys_are_told_by_path_and_written_back_where_they_were() -> None:
    value = {
        "ctidTraderAccountId": 1,
        "order": [
            {"orderId": 1, "tradeData": {"a.b": [1, {"c": None}]}},
            {"orderId": 2, "0": True, "": {}},
        ],
        "new.field": 1.5,
        "order.0.x": "looks like a path",
    }
    message, unknown = FIELDS.from_json(oa.ProtoOAReconcileRes, value)
    assert unknown == {
        ("order", 0, "tradeData", "a.b"): [1, {"c": None}],
        ("order", 1, "0"): True,
        ("order", 1, ""): {},
        ("new.field",): 1.5,
        ("order.0.x",): "looks like a path",
    }
    assert FIELDS.to_json(message, unknown_keys=unknown) == value


def test_an_unknown_key_of_a_lone_part_is_written_back_into_the_list() -> None:
    message, unknown = FIELDS.from_json(oa.ProtoOASpotEvent, {"trendbar": {"volume": 3, "new": 1}})
    assert unknown == {("trendbar", 0, "new"): 1}
    assert FIELDS.to_json(message, unknown_keys=unknown) == {"trendbar": [{"volume": 3, "new": 1}]}


def test_what_belonged_to_a_part_that_is_gone_goes_with_it() -> None:
    unknown: Any = {("order", 1, "new"): 1, ("position", "new"): 2, ("stays",): 3, "plain": 4}
    message = oa.ProtoOAReconcileRes(ctidTraderAccountId=1, order=[oa.ProtoOAOrder(orderId=1)])
    assert FIELDS.to_json(message, unknown_keys=unknown) == {
        "ctidTraderAccountId": 1,
        "order": [{"orderId": 1}],
        "stays": 3,
        "plain": 4,
    }


# Writing


def test_a_double_that_is_not_finite_cannot_be_written_and_is_named_by_its_path() -> None:
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(FieldError, match=f"^limitPrice: {value} is no finite number$"):
            FIELDS.to_json(oa.ProtoOAOrder(limitPrice=value))
    answer = oa.ProtoOAReconcileRes(order=[oa.ProtoOAOrder(), oa.ProtoOAOrder(stopPrice=math.nan)])
    with pytest.raises(FieldError, match=r"^order\.1\.stopPrice: nan"):
        FIELDS.to_json(answer)
    with pytest.raises(FieldError, match=r"^order\.stopPrice: nan"):
        FIELDS.to_json(oa.ProtoOAOrderDetailsRes(order=oa.ProtoOAOrder(stopPrice=math.nan)))


def test_all_kinds_of_fields_that_the_schema_has_are_known_here() -> None:
    kinds = {field.type for cls in MESSAGES.values() for field in cls.DESCRIPTOR.fields}
    assert kinds == {
        FieldDescriptor.TYPE_INT32,
        FieldDescriptor.TYPE_INT64,
        FieldDescriptor.TYPE_UINT32,
        FieldDescriptor.TYPE_UINT64,
        FieldDescriptor.TYPE_DOUBLE,
        FieldDescriptor.TYPE_BOOL,
        FieldDescriptor.TYPE_STRING,
        FieldDescriptor.TYPE_MESSAGE,
        FieldDescriptor.TYPE_BYTES,
    }
    holders = {
        cls.__name__
        for cls in MESSAGES.values()
        for field in cls.DESCRIPTOR.fields
        if field.type == FieldDescriptor.TYPE_BYTES
    }
    assert holders == {"ProtoMessage"}  # section 3: bytes never occur inside a message
    assert all(complete(cls).IsInitialized() for cls in MESSAGES.values())
    assert any(is_repeated(field) for field in oa.ProtoOASpotEvent.DESCRIPTOR.fields)


@pytest.mark.parametrize("digits", ["9" * 19, "9" * 21, "-" + "9" * 5_000])
def test_a_number_beyond_64_bits_is_out_of_range_and_told_only_where_it_is_short(digits: str) -> None:
    for value in (digits, *([int(digits)] if len(digits) < 4_300 else [])):
        said = refusal(oa.ProtoOATraderRes, {"trader": {"balance": value}})
        assert said.startswith("trader.balance: ")
        assert said.endswith("is out of range, -9223372036854775808 to 9223372036854775807")
        assert len(said) < 150


def test_strings_that_are_no_text_are_named() -> None:
    said = "the string is no text: bytes that are not UTF-8, or half a surrogate pair"
    assert refusal(oa.ProtoOAVersionRes, {"version": "\ud800"}) == f"version: {said}"


@pytest.mark.parametrize(
    "path",
    [
        ("position", 0, "positionId"),
        ("position", 0, "tradeData", "volume"),
        ("position",),
        ("position", 0, "tradeData"),
    ],
)
def test_an_unknown_key_is_not_written_over_a_field_at_any_depth_set_or_not(path: Any) -> None:
    answer = oa.ProtoOAReconcileRes(ctidTraderAccountId=1, position=[complete(oa.ProtoOAPosition)])
    with pytest.raises(FieldError, match="this is a field of the schema"):
        JsonFields().to_json(answer, unknown_keys={path: 1})


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ((), "the path of an unknown key is a tuple that ends in it"),
        (5, "the path of an unknown key is a tuple that ends in it"),
        (("a", 5), "the path of an unknown key is a tuple that ends in it"),
        (("ctidTraderAccountId", "x"), "this path leads through no part of the message"),
        (("new", "x"), "this path leads through no part of the message"),
        ((0, "x"), "this path leads through no part of the message"),
        (("position", "x"), "this path leads through a list without an index"),
        (("position", "y", "x"), "this path leads through a list without an index"),
        (("position", -1, "x"), "this path leads through a list without an index"),
        (("position", True, "x"), "this path leads through a list without an index"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(path: Any, said: str) -> None:
    answer = oa.ProtoOAReconcileRes(ctidTraderAccountId=1, position=[complete(oa.ProtoOAPosition)])
    with pytest.raises(FieldError, match=said):
        JsonFields().to_json(answer, unknown_keys={path: 1})


def test_of_a_list_beyond_all_measure_no_more_parts_are_made_than_decide_that_fields_are_missing() -> None:
    whole, empty = {"volume": 1}, {}
    for count, parts in ((20_000, [empty] * 20_000), (200, [*[whole] * 100, *[empty] * 30_000])):
        message, _ = JsonFields().from_json(oa.ProtoOAGetTrendbarsRes, {"trendbar": parts})
        assert len(message.trendbar) == count
    message, _ = JsonFields().from_json(oa.ProtoOAGetTrendbarsRes, {"trendbar": [*[empty] * 99, *[whole] * 30_000]})
    assert len(message.trendbar) == 30_099
