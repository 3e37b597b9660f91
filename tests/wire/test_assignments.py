from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyctrader.wire import messages as oa
from anyctrader.wire.assignments import may_assign, secret_values
from anyctrader.wire.redaction import Redaction
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
        ("token= x=1", [b"x=1"]),
        ("token=", []),
        ('label="x" token="a b" more', [b"a b"]),
        ("accessToken='a'", [b"a"]),
        ("token = hunter2 more", [b"hunter2"]),
        ("client_secret:=a", [b"a"]),
        ('{"accessToken":"a","b":1}', [b"a"]),
        (r'{"accessToken" : "a\"b"}', [rb"a\"b"]),
        (r'"{\"accessToken\":\"a\"}"', [b"a"]),
        ('{"tokens":["a","b"],"secret":{"value":"c"}}', [b'"a","b"', b'"value":"c"']),
        ("password=(a b) pin=[7]", [b"a b", b"7"]),
        ('{"token":"","pin":7,"otp":""}', [b"7"]),
        ('token=""a token="" b', [b"a"]),
        ("token='a", [b"a"]),
        ("newPassword: hunter2 more", [b"hunter2"]),
        ("access_token:hunter2", [b"hunter2"]),
        # harmless: a name that is none of a field, our own reasons, times, members
        ("note: the token: is missing", []),
        ("accessToken: a string is due", []),
        ('at 12:30: "symbol": "EURUSD", spin: 7777', []),
        ("'token': missing, they say", [b"missing"]),
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


@pytest.mark.parametrize(
    "text",
    ['pin="7"', "pin = '7'", '{"pin":"7"}', r"{\"pin\":\"7\"}", "pin:=7", "my-password: 7777", "refreshToken:7777"],
)
def test_of_serialised_fields_none_is_missed_however_the_value_is_given(text: str) -> None:
    for size in range(1, 140):
        payload = oa.ProtoOAErrorRes(errorCode="X", description=text + " " * size)
        assert may_assign(payload.SerializeToString(), Allowance(1000)), size
        assert values(payload.description)


TEXTS = st.lists(
    st.sampled_from(
        ['"', "'", "\\", "=", ":", " ", "\n", "token", "accessToken", "pin", "{", "[", "***", "7", "ab.", "-", "é"]
    )
).map("".join)


@given(before=st.binary(max_size=70), text=TEXTS)
def test_a_value_that_is_found_in_a_text_is_not_missed_in_what_holds_it(before: bytes, text: str) -> None:
    if values(text):
        assert may_assign(before + text.encode(), Allowance(1_000_000))


@given(text=TEXTS)
def test_what_is_covered_once_stays_as_it_is(text: str) -> None:
    redaction = Redaction()
    covered = redaction.text(text)
    assert Redaction().text(covered) == covered


def test_the_look_at_a_long_name_is_charged_for_its_length() -> None:
    short, long = b"a=" * 50, (b"a" * 64 + b"=") * 50
    for size, data in ((50 * 10, short), (50 * (10 + 32), long)):
        assert secret_values(data, Allowance(size)) == []
        assert not may_assign(data, Allowance(size))
        assert secret_values(data, Allowance(size - 33)) is None
        assert may_assign(data, Allowance(size - 33))


def test_more_signs_than_there_is_time_for_are_not_told() -> None:
    assert secret_values(b"a=" * 100, Allowance(50)) is None
    assert may_assign(b"a=" * 100, Allowance(50))
