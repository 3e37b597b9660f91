from __future__ import annotations

import math
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor

from anyctrader.proto.schema import ENUM_FIELDS, MESSAGES
from anyctrader.wire import messages as oa
from anyctrader.wire.shape import parts_of, shape_of

from .generated import complete, is_repeated


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_a_shape_says_what_the_descriptor_says(name: str) -> None:
    shape = shape_of(name)
    descriptors: Any = sorted(MESSAGES[name].DESCRIPTOR.fields, key=lambda field: field.number)
    required = set(MESSAGES[name]().FindInitializationErrors())
    assert [field.name for field in shape.fields] == [field.name for field in descriptors]
    for field, descriptor in zip(shape.fields, descriptors, strict=True):
        assert field.kind == descriptor.type
        assert field.repeated is is_repeated(descriptor)
        assert field.required is (field.name in required)
        assert field.enum is ENUM_FIELDS[name].get(field.name)
        part = descriptor.message_type
        assert field.part is (None if part is None else MESSAGES[part.name])
    assert set(shape.required) == required
    assert [field for field, _ in shape.parts] == [field for field in shape.fields if field.part]
    assert [field for field, _, _ in shape.enums] == [
        field for field in shape.fields if field.enum and field.name != "payloadType"
    ]
    assert all(numbers == {int(member) for member in enum} for _, enum, numbers in shape.enums)
    assert list(shape.texts) == [field for field in shape.fields if field.kind == FieldDescriptor.TYPE_STRING]


def test_a_shape_knows_whether_there_is_text_at_any_depth() -> None:
    assert shape_of("ProtoOAErrorRes").holds_text
    assert not shape_of("ProtoOASpotEvent").holds_text
    assert not shape_of("ProtoOAReconcileReq").holds_text
    assert shape_of("ProtoOAReconcileRes").holds_text  # in the trade data of its positions


def test_the_parts_of_a_message_are_those_that_are_there_one_level_down() -> None:
    event = oa.ProtoOAExecutionEvent(order=complete(oa.ProtoOAOrder))
    assert [(path, shape) for path, _, shape in parts_of("here.", event, shape_of("ProtoOAExecutionEvent"))] == [
        ("here.order", shape_of("ProtoOAOrder"))
    ]
    answer = oa.ProtoOAReconcileRes(order=[oa.ProtoOAOrder(orderId=1), oa.ProtoOAOrder(orderId=2)])
    parts: list[Any] = list(parts_of("", answer, shape_of("ProtoOAReconcileRes")))
    assert [(path, part.orderId) for path, part, _ in parts] == [("order.0", 1), ("order.1", 2)]


def test_a_shape_knows_how_many_required_fields_can_be_missing_in_it() -> None:
    assert shape_of("ProtoHeartbeatEvent").most_missing == 0
    assert shape_of("ProtoOATrendbar").most_missing == 1
    assert shape_of("ProtoOAOrder").most_missing == 4 + 3  # its own, and those of its trade data
    assert shape_of("ProtoOAAssetClassListRes").most_missing == 1  # nothing is required of an asset class
    assert shape_of("ProtoOADealListRes").most_missing == math.inf
