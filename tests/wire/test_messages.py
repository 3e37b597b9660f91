from __future__ import annotations

from enum import IntEnum

import pytest

from anyctrader.proto import schema
from anyctrader.wire import messages as oa

from .generated import PARTS, PAYLOADS


def test_every_published_name_is_here() -> None:
    assert set(schema.__all__) < set(oa.__all__)
    for name in schema.__all__:
        assert getattr(oa, name) is getattr(schema, name)
    assert (len(PAYLOADS), len(PARTS), len(schema.MESSAGES)) == (91, 27, 119)


def test_each_payload_type_stands_for_one_class_and_back() -> None:
    for payload_type, cls in oa.PAYLOAD_CLASSES.items():
        assert oa.class_of(payload_type) is cls
        assert oa.payload_type_of(cls) == oa.payload_type_of(cls()) == payload_type
        assert oa.name_of(payload_type) == cls.__name__
    assert oa.payload_type_of(oa.ProtoOASpotEvent) == 2131
    assert oa.class_of(51) is oa.ProtoHeartbeatEvent


def test_the_payload_types_are_those_that_the_schema_lists() -> None:
    listed = {int(member) for enum in (oa.ProtoOAPayloadType, oa.ProtoPayloadType) for member in enum}
    # ProtoMessage, the envelope, and the ends of a range are listed too, and are nobody's payload.
    assert set(oa.PAYLOAD_CLASSES) <= listed
    assert all(issubclass(enum, IntEnum) for enum in schema.ENUMS.values())


def test_an_unknown_payload_type_has_no_class_and_a_name_that_says_so() -> None:
    assert oa.class_of(9999) is None
    assert oa.name_of(9999) == "Unknown(9999)"


@pytest.mark.parametrize("stranger", [oa.ProtoOAOrder, oa.ProtoOAOrder(), oa.ProtoMessage, int, 1])
def test_what_travels_in_no_envelope_has_no_payload_type(stranger: object) -> None:
    with pytest.raises(KeyError, match="has no payload type: it cannot travel in an envelope"):
        oa.payload_type_of(stranger)  # type: ignore[arg-type]  # the point
