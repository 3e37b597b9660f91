from __future__ import annotations

import pytest
from google.protobuf.unknown_fields import UnknownFieldSet
from hypothesis import given
from hypothesis import strategies as st

from anyctrader.wire import messages as oa
from anyctrader.wire.drift import UnknownField, listed_fields
from anyctrader.wire.raw_fields import raw_fields

GROUP = b"\xbb\x3e\x08\x05\x13\x0d\x01\x00\x00\x00\x14\xbc\x3e"  # field 999 is a group, with another inside


def test_every_wire_type_is_read_with_its_number_and_value() -> None:
    data = (
        b"\xb8\x3e\xac\x02" + b"\xb9\x3e" + (7).to_bytes(8, "little") + b"\xba\x3e\x02ab" + b"\xbd\x3e\x01\x00\x00\x00"
    )
    assert raw_fields(data, "M") == [
        UnknownField("M.999", 999, 0, 300),
        UnknownField("M.999", 999, 1, 7),
        UnknownField("M.999", 999, 2, b"ab"),
        UnknownField("M.999", 999, 5, 1),
    ]


def test_groups_are_read_as_protobuf_itself_reads_them() -> None:
    (group,) = raw_fields(GROUP, "M")
    assert group.value[1].value[0].path == "M.999.2.1"
    assert [group] == list(listed_fields("M", UnknownFieldSet(oa.ProtoHeartbeatEvent.FromString(GROUP))))


@pytest.mark.parametrize(
    "data",
    [
        b"\x08",  # a number is not there
        b"\x08\xff",  # a number is cut off
        b"\x08" + b"\xff" * 10 + b"\x01",  # a number of more than 64 bits
        b"\x12\x05abc",  # longer than what is there
        b"\x09\x01",  # eight bytes are due
        b"\x0d\x01",  # four bytes are due
        b"\x00\x01",  # no field has the number 0
        b"\x0e\x01",  # wire type 6
        b"\x0c",  # a group ends that did not begin
        b"\x0b\x14",  # another group ends
        b"\x0b\x08\x01",  # a group does not end
        b"\x0b" * 40,  # deeper than anybody goes
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"is|ends|does|deep|longer|number"):
        raw_fields(data, "M")


@given(st.binary(max_size=60))
def test_garbage_never_does_more_than_be_refused(data: bytes) -> None:
    try:
        raw_fields(data, "M")
    except ValueError:
        pass
