from __future__ import annotations

from typing import Any

import pytest

from anyctrader.wire import RemoteProtocolError
from anyctrader.wire.json_envelope import read_json_envelope


def test_an_envelope_is_taken_apart_and_null_is_what_is_not_there() -> None:
    assert read_json_envelope({"payloadType": 51}) == (51, None, None, None)
    assert read_json_envelope({"payloadType": "51", "clientMsgId": "1", "payload": {}, "x": 0, "y": None}) == (
        51,
        {},
        "1",
        {"x": 0},
    )
    assert read_json_envelope({"payloadType": 2**32 - 1, "x": None}) == (2**32 - 1, None, None, None)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "not an object"),
        ({}, "payloadType is missing"),
        ({"payloadType": None}, "payloadType is missing"),
        ({"payloadType": True}, "no number of 32 bits"),
        ({"payloadType": 51.0}, "no number of 32 bits"),
        ({"payloadType": -1}, "no number of 32 bits"),
        ({"payloadType": 2**32}, "no number of 32 bits"),
        ({"payloadType": "00000000051"}, "no number of 32 bits"),
        ({"payloadType": "٥١"}, "no number of 32 bits"),
    ],
)
def test_what_is_no_envelope_is_refused(value: Any, said: str) -> None:
    with pytest.raises(RemoteProtocolError, match=said):
        read_json_envelope(value)
