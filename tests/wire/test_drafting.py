from __future__ import annotations

from typing import Any

import pytest

from anyctrader.wire import messages as oa
from anyctrader.wire.drafting import (
    DraftError,
    class_named,
    drafted,
    merged,
    parsed_pairs,
    payload_type_named,
    require_complete,
    require_path,
    require_pattern,
)

ORDER = oa.ProtoOANewOrderReq


@pytest.mark.parametrize(
    "name", ["ProtoOANewOrderReq", "NewOrderReq", "neworder", "PROTO_OA_NEW_ORDER_REQ", "2106", "new_order_req"]
)
def test_a_message_is_found_by_its_name_or_number(name: str) -> None:
    assert class_named(name) is ORDER
    assert payload_type_named(name) == 2106


def test_what_is_called_nearly_so_is_offered() -> None:
    with pytest.raises(DraftError, match=r"no message is called 'NewOrdreReq'; near it: ProtoOANewOrderReq"):
        class_named("NewOrdreReq")
    with pytest.raises(DraftError, match=r"no message is called 'xyzzy'$"):
        class_named("xyzzy")
    for number, said in (("9999", "9999"), ("9" * 30, "…")):
        with pytest.raises(DraftError, match=f"the schema knows no message of type {said}$"):
            class_named(number)
    assert payload_type_named("9999") == 9999
    with pytest.raises(DraftError):
        payload_type_named("9" * 12)


def test_fields_may_be_typed_one_by_one() -> None:
    members = parsed_pairs(
        ORDER,
        [
            "symbolId=1",
            "tradeSide=buy",
            "orderType=MARKET",
            "volume=100000",
            "comment=a=b",
            "limitPrice=1.5",
            "guaranteedStopLoss=yes",
        ],
    )
    message = drafted(ORDER, members)
    assert message == ORDER(
        symbolId=1, tradeSide=1, orderType=1, volume=100_000, comment="a=b", limitPrice=1.5, guaranteedStopLoss=True
    )
    assert drafted(ORDER, parsed_pairs(ORDER, ["trailingStopLoss=No", "tradeSide=2"])).tradeSide == 2
    spots = oa.ProtoOASubscribeSpotsReq
    assert drafted(spots, parsed_pairs(spots, ["symbolId=1", "symbolId=2"])).symbolId == [1, 2]
    update = oa.ProtoOAMarginCallUpdateReq
    pairs = ["marginCall.marginCallType=61", "marginCall.marginLevelThreshold=50"]
    assert drafted(update, parsed_pairs(update, pairs)).marginCall.marginLevelThreshold == 50


@pytest.mark.parametrize(
    ("cls", "pair", "said"),
    [
        (ORDER, "volume", r"^field 1 \(volume…\) is no field: write name=value"),
        (ORDER, "=5", r"^field 1 is no field"),
        (ORDER, "volume:5_aToken", r"^field 1 \(volume…\) is no field: write name=value, or a JSON object$"),
        (ORDER, "a7Token0f91c22", r"^field 1 is no field: write name=value, or a JSON object$"),
        (ORDER, "a7Token0f91c22=", r"^ProtoOANewOrderReq has no field '…'; its fields: "),
        (ORDER, "volum=5", r"ProtoOANewOrderReq has no field 'volum'; near it: volume"),
        (
            ORDER,
            "xyzzy=5",
            r"ProtoOANewOrderReq has no field 'xyzzy'; its fields: ctidTraderAccountId, symbolId, .* and 10 more$",
        ),
        (ORDER, "volume.x=5", r"ProtoOANewOrderReq.volume has no fields of its own"),
        (ORDER, "guaranteedStopLoss=maybe", "is true or false, and this is neither$"),
        (ORDER, "limitPrice=cheap", "limitPrice is a number, and this is none$"),
        (oa.ProtoOAMarginCallUpdateReq, "marginCall=5", "marginCall is a message: write its fields as"),
        (oa.ProtoOAMarginCallUpdateReq, "marginCall.x=5", r"ProtoOAMarginCall has no field 'x'"),
        (oa.ProtoOAReconcileRes, "position.swap=5", "position has no fields of its own that could be typed so"),
    ],
)
def test_a_field_that_cannot_be_so_is_told_with_what_would_be(cls: Any, pair: str, said: str) -> None:
    with pytest.raises(DraftError, match=said):
        parsed_pairs(cls, [pair])


def test_a_single_field_is_given_once() -> None:
    with pytest.raises(DraftError, match=r"ProtoOANewOrderReq.volume is no list, and was given twice"):
        parsed_pairs(ORDER, ["volume=1", "volume=2"])


def test_json_is_held_against_the_schema() -> None:
    assert drafted(ORDER, {"volume": 5, "tradeSide": "SELL"}).tradeSide == 2
    update = oa.ProtoOAMarginCallUpdateReq
    for cls, members, said in (
        (ORDER, {"volum": 5}, "has no field 'volum'; near it: volume"),
        (ORDER, {"volume": "x"}, r"ProtoOANewOrderReq.volume: an integer is due"),
        (ORDER, [1], "ProtoOANewOrderReq: an object is due"),
        (ORDER, {"payloadType": 2107}, "payloadType is 2106, not 2107"),
        (update, {"marginCall": {"kind": 5}}, "ProtoOAMarginCall has no field 'kind'"),
        (oa.ProtoOAReconcileRes, {"order": [{"tradeData": {"lots": 5}}]}, "ProtoOATradeData has no field 'lots'"),
    ):
        with pytest.raises(DraftError, match=said):
            drafted(cls, members)  # type: ignore[arg-type]
    assert drafted(ORDER, {"payloadType": 2106, "volume": 5}).volume == 5


def test_what_is_missing_is_named() -> None:
    with pytest.raises(DraftError, match=r"ProtoOACancelOrderReq lacks orderId"):
        require_complete(oa.ProtoOACancelOrderReq(ctidTraderAccountId=1))
    require_complete(oa.ProtoOACancelOrderReq(ctidTraderAccountId=1, orderId=5))


def test_fields_of_both_kinds_are_put_together() -> None:
    assert merged({"a": 1, "b": {"c": {"x": 1}, "d": 2}}, {"b": {"c": {"y": 2}, "e": [2]}, "f": 4}) == {
        "a": 1,
        "b": {"c": {"x": 1, "y": 2}, "d": 2, "e": [2]},
        "f": 4,
    }


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ({"a": 1}, {"a": 2}, "a was given twice"),
        ({"a": 1}, {"a": 1}, "a was given twice"),
        ({"a": None}, {"a": 2}, "a was given twice"),
        ({"a": [1]}, {"a": [2]}, "a was given twice"),
        ({"a": {"b": 1}}, {"a": 2}, "a was given twice"),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, "a.b.c was given twice"),
    ],
)
def test_a_field_that_is_said_twice_is_refused(first: dict[str, Any], second: dict[str, Any], said: str) -> None:
    with pytest.raises(DraftError) as refused:
        merged(first, second)
    assert str(refused.value) == said


@pytest.mark.parametrize(
    ("cls", "members"),
    [
        (ORDER, {"orderType": "b9670fccb722338d32ea"}),
        (ORDER, {"volume": "b9670fccb722338d32ea"}),
        (ORDER, {"guaranteedStopLoss": "b9670fccb722338d32ea"}),
        (ORDER, {"limitPrice": "b9670fccb722338d32ea"}),
        (ORDER, {"b9670fccb722338d32ea": 1}),
    ],
)
def test_what_may_be_a_secret_at_the_wrong_place_is_not_said_back(cls: Any, members: dict[str, Any]) -> None:
    with pytest.raises(DraftError) as refused:
        drafted(cls, members)
    assert "b9670fc" not in str(refused.value)
    for typed in ("b9670fccb722338d32ea", *(f"{name}={value}" for name, value in members.items())):
        with pytest.raises(DraftError) as refused:
            drafted(cls, parsed_pairs(cls, [typed]))
        assert "b9670fc" not in str(refused.value)
    with pytest.raises(DraftError) as refused:
        class_named("b9670fccb722338d32ea")
    assert "b9670fc" not in str(refused.value)


def test_a_path_may_be_named_by_its_end_and_one_that_is_nowhere_is_told_with_the_nearest() -> None:
    classes = (oa.ProtoOAExecutionEvent, oa.ProtoOASpotEvent)
    for name in ("order.tradeData.symbolId", "tradeData.symbolId", "symbolId", "trendbar.low", "bid"):
        require_path(name, classes)
    for name in ("simbolId", "order.tradeData", "payloadType", "rder.orderId", "deal.bid", ""):
        with pytest.raises(DraftError, match="no field is called"):
            require_path(name, classes)
    with pytest.raises(DraftError, match=r"near it: .*order\.tradeData\.symbolId"):
        require_path("order.tradeData.simbolId", classes)
    with pytest.raises(DraftError, match=r"'executionType'$"):
        require_path("executionType", [oa.ProtoOASpotEvent])


@pytest.mark.parametrize(
    ("cls", "members", "said"),
    [
        (oa.ProtoOAGetTrendbarsReq, {"period": "H7"}, r"Req.period: this is none of its names; near it: .*\bH1\b"),
        (ORDER, {"orderType": "limits"}, "near it: LIMIT"),
        (ORDER, {"orderType": "xyzzy"}, "; it takes MARKET, LIMIT, STOP"),
        (ORDER, {"orderType": True}, r"orderType: [^;]*$"),
        (ORDER, {"volume": "much"}, r"volume: [^;]*$"),
        (
            oa.ProtoOAMarginCallUpdateReq,
            {"marginCall": {"marginCallType": "MARGIN_LEVEL_THRESHOLD_9"}},
            "near it: MARGIN_LEVEL_THRESHOLD_",
        ),
        (oa.ProtoOAMarginCallListRes, {"marginCall": [{"marginCallType": "MARGIN"}]}, "it takes MARGIN_LEVEL_"),
        (oa.ProtoOAMarginCallListRes, {"marginCall": {"marginCallType": "MARGIN"}}, "it takes MARGIN_LEVEL_"),
        (oa.ProtoOASubscribeSpotsReq, {"symbolId": 1e30}, r"symbolId\.0: [^;]*$"),
        (oa.ProtoOASubscribeSpotsReq, {"symbolId": "much"}, r"symbolId\.0: [^;]*$"),
        (ORDER, [], r"^[^;]*$"),
    ],
)
def test_a_value_that_is_none_of_an_enum_is_told_with_those_that_are(cls: Any, members: Any, said: str) -> None:
    with pytest.raises(DraftError, match=said):
        drafted(cls, members)


def test_a_field_to_leave_out_is_a_name_or_a_pattern_of_the_schema() -> None:
    for pattern in ("price", "*Timestamp", "*rofit", "balance*", "*"):
        require_pattern(pattern)
    with pytest.raises(DraftError, match="near it: executionPrice"):
        require_pattern("executionPrise")


@pytest.mark.parametrize(
    "secret",
    ["b9670fd3a1e84c5f9b72d6e0a4c8f135", "4" * 11, "7" * 30, "a-b_c" * 9, "x" * 41, "Zq7-Hk29_pLw83mN5xT1vB6cR4=="],
)
@pytest.mark.parametrize(
    "typed",
    [
        class_named,
        payload_type_named,
        lambda text: parsed_pairs(ORDER, [f"{text}=1"]),
        lambda text: parsed_pairs(ORDER, [f"{text}.x=1"]),
        lambda text: drafted(ORDER, {text: 1}),
        lambda text: merged({text: 1}, {text: 2}),
        lambda text: merged({"a": {text: 1}}, {"a": {text: 2}}),
        lambda text: merged({text: {"a": 1}}, {text: {"a": 2}}),
        lambda text: require_path(text, [ORDER]),
        require_pattern,
    ],
)
def test_of_what_may_be_a_secret_where_a_name_is_due_nothing_is_said_back(typed: Any, secret: str) -> None:
    with pytest.raises(DraftError) as raised:
        typed(secret)
    said = str(raised.value).replace("near", "")
    assert [secret[at : at + 4] for at in range(len(secret) - 3) if secret[at : at + 4] in said] == []
    assert "…" in said
