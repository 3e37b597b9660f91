"""A trading request can be told from the line of its intent."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from anyctrader.session.chain import encode_fields
from anyctrader.session.request_facts import TRADING, facts_of, request_of
from anyctrader.wire import UnknownPayload
from anyctrader.wire import messages as oa

VALUES = {"label": "x", "comment": "y", "clientOrderId": "z", "orderType": 2, "tradeSide": 2, "timeInForce": 3}


def full(cls: Any) -> Any:
    """A request with every field set."""
    request = cls()
    for field in cls.DESCRIPTOR.fields:
        if field.name == "payloadType":
            continue
        number = 1.23456 if field.type == field.TYPE_DOUBLE else 2
        setattr(request, field.name, True if field.type == field.TYPE_BOOL else VALUES.get(field.name, number))
    return request


@pytest.mark.parametrize("cls", TRADING.values(), ids=list(TRADING))
def test_every_field_of_a_request_comes_back_from_its_record(cls: Any) -> None:
    request = full(cls)
    line = orjson.loads(b"{" + encode_fields(facts_of(request)) + b"}")
    assert request_of(cls.__name__, line) == request
    assert {type(value) for value in line.values()} <= {int, str, bool}


def test_what_has_a_name_is_recorded_by_it_and_what_a_newer_server_knows_by_its_number() -> None:
    facts = facts_of(oa.ProtoOANewOrderReq(orderType=2, tradeSide=99, stopPrice=float("nan")))
    assert facts == {"type": "LIMIT", "side": "99", "stop_price": "nan"}
    assert facts_of(UnknownPayload(99, b"")) == {}


def test_a_record_that_makes_no_request_says_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="volume"):
        request_of("ProtoOAClosePositionReq", {"account_id": 1, "position_id": 2})
    with pytest.raises(KeyError):
        request_of("ProtoOAVersionReq", {})
    with pytest.raises(TypeError):
        request_of("ProtoOACancelOrderReq", {"account_id": "one", "order_id": 2})
