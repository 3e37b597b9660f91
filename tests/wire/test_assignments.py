from __future__ import annotations

import pytest

from anyctrader.wire import messages as oa
from anyctrader.wire.assignments import may_assign, secret_values
from anyctrader.wire.secret_texts import Allowance


def values(text: str) -> list[bytes]:
    data = text.encode()
    spans = secret_values(data, Allowance(1_000_000))
    assert spans is not None
    return [data[start:end] for start, end in spans]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("GET /?a=1&token=hunter2&b=2 HTTP/1.1", [b"hunter2"]),
        ("url=https://h/apps?refresh_token=abc;pin=7", [b"abc", b"7"]),
        ("token= x=1", []),
        ("=x ==y", []),
        ("spin=7 author=me", []),
        ("größe-token=ü'", ["ü".encode()]),
        ("x" * 100 + "-token=abc", [b"abc"]),
        ("token=abc?pin=7", [b"abc?pin=7"]),
    ],
)
def test_the_values_are_those_of_names_that_tell_a_secret(text: str, said: list[bytes]) -> None:
    assert values(text) == said


def test_of_serialised_fields_nothing_is_missed_for_what_stands_before_a_name() -> None:
    for size in range(1, 140):
        payload = oa.ProtoOAErrorRes(errorCode="X", description="pin=" + "7" * size)
        assert may_assign(payload.SerializeToString(), Allowance(1000)), size
    assert not may_assign(
        oa.ProtoOAErrorRes(errorCode="X", description="a=7, b = 8").SerializeToString(), Allowance(99)
    )
    assert not may_assign(b"token", Allowance(99))


def test_more_signs_than_there_is_time_for_are_not_told() -> None:
    assert secret_values(b"a=" * 100, Allowance(50)) is None
    assert may_assign(b"a=" * 100, Allowance(50))
