from __future__ import annotations

from typing import Any

import pytest

from anyctrader.wire import JsonCodec, UndecodablePayload
from anyctrader.wire.json_faults import fault_within

NO_TEXT = "no text: bytes that are not UTF-8, or half a surrogate pair"
INF = float("inf")


def nested(depth: int, value: Any) -> Any:
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({}, None),
        ({"a": 1, "b": [1.5, {"c": "\u00e9", "d": None}, [], {}], "e": True}, None),
        ({"a": INF}, "a: no finite number"),
        ({"a": [0, [{"b": 1}, {"c": -INF}]], "d": INF}, "a.1.1.c: no finite number"),
        ({"a": [[], {}, {"b": []}], "c": {"d": float("nan")}}, "c.d: no finite number"),
        ({"a": {"b": "x\ud800"}}, f"a.b: {NO_TEXT}"),
        ({"a": {"x\udcff": 1}}, f"a.…: {NO_TEXT}"),
        ({"a": {"Zq9-SECRETtoken0001": INF}}, "a.…: no finite number"),
        ({"a": nested(5_000, INF)}, f"a{'.0' * 11}…: no finite number"),
    ],
)
def test_the_first_thing_that_json_does_not_have_is_told_with_its_path(value: Any, said: str | None) -> None:
    assert fault_within(value) == said


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"payloadType":2104,"payload":{"new":NaN}}', "at byte 37 (payload.new: no finite number)"),
        (b'{"payloadType":2104,"payload":{"new":[1e999]}}', "at byte 38 (payload.new.0: no finite number)"),
        (b'{"payloadType":2104,"payload":{"new":"\xff"}}', f"at byte 38 (payload.new: {NO_TEXT})"),
        (b'{"payloadType":2104,"new":NaN}', "at byte 26 (new: no finite number)"),
        (b'{"payloadType":9999,"payload":NaN}', "at byte 30 (payload: no finite number)"),
        (b'{"payloadType":2104,"clientMsgId":"\xff"}', f"at byte 35 (clientMsgId: {NO_TEXT})"),
        (b'{"payloadType":2104,"payload":{"new":NaN,"new":1}}', "at byte 37"),  # it is not there any more
    ],
)
def test_beside_the_fields_of_the_schema_it_is_told_by_byte_and_path(body: bytes, said: str) -> None:
    with pytest.raises(UndecodablePayload) as caught:
        JsonCodec().decode(body)
    assert caught.value.reason.endswith(said)
