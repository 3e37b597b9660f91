from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyctrader.wire.json_text import JsonValueError, fault_of, holds_long_integer, read_again, write_json

VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def fault(body: bytes) -> str:
    with pytest.raises(orjson.JSONDecodeError) as caught:
        orjson.loads(body)
    return fault_of(body, caught.value)


@pytest.mark.parametrize(
    ("body", "at"),
    [
        (b'{"a":x}', 5),
        ('{"é":x}'.encode(), 6),
        ('{"日本":"日本", x}'.encode(), 20),
        (b'{"a":"\xff"}', 6),
        ('{"é":"'.encode() + b'\xc3"}', 7),
        (b"", 0),
    ],
)
def test_the_place_of_a_fault_is_counted_in_bytes(body: bytes, at: int) -> None:
    assert fault(body).startswith(f"{len(body)} bytes are no JSON: ")
    assert fault(body).endswith(f" at byte {at}")


@pytest.mark.parametrize(
    ("text", "there"),
    [
        (str(2**64), True),
        (str(-(2**63) - 1), True),
        ("9" * 19, True),  # may still fit
        ("9" * 18, False),
        ("0." + "9" * 30, False),
        ("9" * 30 + ".0", False),
        ("9" * 30 + "e1", False),
        ("1e-" + "9" * 30, False),
        ("[1,2]", False),
    ],
)
def test_long_integers_are_found_and_no_other_number_is_taken_for_one(text: str, *, there: bool) -> None:
    assert holds_long_integer(f'{{"a":{text}}}'.encode()) is there


@pytest.mark.parametrize("digits", [19, 20, 309, 4_300])
@pytest.mark.parametrize("sign", ["", "-"])
def test_an_integer_is_read_with_all_its_digits(sign: str, digits: int) -> None:
    number = sign + "7" * digits
    reading = read_again(f'[{number}, "{number}"]'.encode())
    assert reading is not None
    assert (reading.value, reading.exact) == ([int(number), number], True)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e999", '"\\ud800"', "9" * 4_301, "1e" + "9" * 30])
def test_what_is_no_json_or_has_too_many_digits_is_read_and_said_not_to_be_exact(text: str) -> None:
    reading = read_again(f"[{text}]".encode())
    assert reading is not None
    assert not reading.exact


def test_bytes_that_are_not_utf8_are_read_and_said_not_to_be_exact() -> None:
    reading = read_again(b'["a\xff"]')
    assert reading is not None
    assert (reading.value, reading.exact) == (["a\udcff"], False)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000 + b"]" * 100_000])
def test_what_python_cannot_read_either_is_not_read(body: bytes) -> None:
    assert read_again(body) is None


@given(VALUES)
def test_a_text_says_what_the_value_is(value: Any) -> None:
    body = write_json(value)
    assert json.loads(body) == value
    reading = read_again(body)
    assert reading is not None
    assert (reading.value, reading.exact) == (value, True)


def test_a_value_as_deep_as_orjson_reads_is_written() -> None:
    body = b'{"a":[' * 500 + b"]}" * 500
    assert write_json(orjson.loads(body)) == body


def endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("nan"), "nan is no finite number"),
        ([1, {"a": float("-inf")}], "-inf is no finite number"),
        ({1: 2}, "a key is not a string"),
        (["\ud800"], "half a surrogate pair"),
        ({"\ud800": 1}, "half a surrogate pair"),
        ([b"x"], "JSON has no bytes"),
        ({1}, "JSON has no set"),
        (10**5_000, "an integer has more than 4300 digits"),
        (endless(), "nested deeper than 2,048 levels"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isascii() else "",
)
def test_what_json_has_no_way_to_say_is_refused(value: Any, said: str) -> None:
    with pytest.raises(JsonValueError, match=said):
        write_json(value)


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        (r'{"a":"\u1234567890123456789012","b":%s}', True),
        (r'{"a":"\"1234567890123456789012","b":[-%s,1.5e+3,%s.5]}', True),
        (r'{"a":"\ud812345678901234567890abc","b":%s}', False),  # half a surrogate pair
        ('{"a":-Infinity,"b":%s}', False),
    ],
)
def test_whether_a_reading_is_exact_does_not_hang_on_digits_in_strings(text: str, exact: bool) -> None:
    reading = read_again(text.replace("%s", "9" * 300).encode())
    assert reading is not None
    assert reading.exact is exact
