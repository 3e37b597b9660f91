from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from anyctrader.wire.exact_numbers import exact, is_plain_number

NEVER_EXACT = [0.1, 1.0, float("nan"), True, None, b"1", [1], 1j]


@pytest.mark.parametrize(("said", "meant"), [("0.01", "0.01"), (3, "3"), (Decimal("1.50"), "1.5"), ("1e-2", "0.01")])
def test_exact_takes_decimals_integers_and_text(said, meant):
    assert exact(said) == Decimal(meant)


@pytest.mark.parametrize("value", NEVER_EXACT)
def test_exact_refuses_floats_and_what_is_no_number(value):
    with pytest.raises(TypeError, match="exact number is a Decimal, an int or a str"):
        exact(value)


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-inf", Decimal("nan"), Decimal("-Infinity")])
def test_exact_refuses_what_is_not_finite(value):
    with pytest.raises(ValueError, match="not a finite number"):
        exact(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "abc",
        "1,5",
        "0x10",
        "1.2.3",
        "1_0",
        "_1",
        "1__0",
        "1_",
        "٣",
        "１",
        "1.٠",
        " 1",
        "1\n",
        "1e٣",
        ".5",
        "5.",
        "--1",
    ],
)
def test_exact_refuses_text_that_is_no_number(value):
    with pytest.raises(ValueError, match="is not a number"):
        exact(value)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("0", True),
        ("10.50", True),
        ("1e3", False),
        ("-1", False),
        ("1_0", False),
        ("٣", False),
        ("1.", False),
        ("", False),
    ],
)
def test_a_plain_number_has_digits_and_a_point_at_most(text, plain):
    assert is_plain_number(text) is plain


@pytest.mark.parametrize("value", ["1e999999", "1e-999999", 10**400, "1" * 41, Decimal("1e-41")])
def test_exact_refuses_numbers_too_long_to_be_meant(value):
    with pytest.raises(ValueError, match="more than 40 digits"):
        exact(value)


def test_a_number_beyond_what_python_prints_is_refused_all_the_same():
    with pytest.raises(ValueError, match="more than 40 digits"):
        exact(10**5000)


@pytest.mark.parametrize("value", ["0E+45", Decimal("-0E-60"), "0e999999"])
def test_zero_is_zero_with_whatever_exponent(value: Any) -> None:
    assert exact(value).as_tuple() == Decimal(0).as_tuple()
