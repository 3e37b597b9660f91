from __future__ import annotations

import pytest
from google.protobuf.internal import api_implementation

from anyctrader.wire import messages as oa
from anyctrader.wire.text import broken_text

pytestmark = pytest.mark.skipif(
    api_implementation.Type() == "python", reason="protobuf's Python runtime checks every string as it parses"
)


def field(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | 2, len(value)]) + value


def test_a_message_without_strings_holds_no_broken_text() -> None:
    assert broken_text(oa.ProtoOASpotEvent(bid=1)) is None


def test_good_text_is_not_broken() -> None:
    assert broken_text(oa.ProtoOAErrorRes(errorCode="é", description="日本円")) is None
    assert broken_text(oa.ProtoOAReconcileRes(order=[oa.ProtoOAOrder(clientOrderId="1")])) is None
    assert broken_text(oa.ProtoOAExecutionEvent(order=oa.ProtoOAOrder(clientOrderId="é"))) is None


def test_a_broken_string_is_found_by_its_path() -> None:
    error = oa.ProtoOAErrorRes.FromString(field(3, b"\xff"))
    assert isinstance(error.errorCode, bytes)  # what this module is for
    assert broken_text(error) == "errorCode"


def test_a_broken_string_is_found_in_a_part_and_in_a_list_of_parts() -> None:
    order = field(2, b"\x08\x01" + field(5, b"\xff"))
    name = broken_text(oa.ProtoOAOrder.FromString(order))
    assert name == "tradeData.label"
    number = oa.ProtoOAExecutionEvent.DESCRIPTOR.fields_by_name["order"].number
    assert broken_text(oa.ProtoOAExecutionEvent.FromString(field(number, order))) == f"order.{name}"
    number = oa.ProtoOAReconcileRes.DESCRIPTOR.fields_by_name["order"].number
    assert broken_text(oa.ProtoOAReconcileRes.FromString(field(number, b"") + field(number, order))) == (
        f"order.1.{name}"
    )
