"""Numbers that a person writes, read without loss: what counts as one, for sizes, prices and settings alike."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Final, TypeAlias

__all__ = ["MOST_DIGITS", "ExactNumber", "exact", "is_plain_number"]

ExactNumber: TypeAlias = Decimal | int | str
"""What a person may say a size or a price in. Never a float."""

MOST_DIGITS: Final = 40
"""Digits before or after the point of a number that anybody could mean; int64 has 19."""

# Decimal() also takes "1_000", blanks around, and digits of other scripts: in a size or a price those are mistakes.
_PLAIN: Final = r"[0-9]+(?:\.[0-9]+)?"
_PLAIN_NUMBER: Final = re.compile(_PLAIN)
_SIGNED_NUMBER: Final = re.compile(rf"[+-]?{_PLAIN}(?:[eE][+-]?[0-9]+)?")


def is_plain_number(text: str) -> bool:
    """Whether a text is a number as everybody writes one: digits 0 to 9 and at most one point, between digits."""
    return _PLAIN_NUMBER.fullmatch(text) is not None


def exact(value: ExactNumber) -> Decimal:
    """Read a number that a person gave, without loss.

    Args:
        value: a `Decimal`, an integer, or text such as ``"0.01"``: a plain number, with a sign or an exponent at most.

    Raises:
        TypeError: it is a float (or a bool, or something else): floats are not exact.
        ValueError: it is not a number, is NaN or infinite, or has more than 40 digits on a side of the point.
    """
    if isinstance(value, bool) or not isinstance(value, (Decimal, int, str)):
        kind = type(value).__name__
        raise TypeError(f"{value!r} is a {kind}; an exact number is a Decimal, an int or a str")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a number") from None
    if not number.is_finite():
        raise ValueError(f"{value!r} is not a finite number")
    if isinstance(value, str) and _SIGNED_NUMBER.fullmatch(value) is None:
        raise ValueError(f"{value!r} is not a number: give the digits 0 to 9, and a point where one is due")
    _, digits, exponent = number.as_tuple()
    if not number and (not isinstance(exponent, int) or abs(exponent) > MOST_DIGITS):
        return Decimal(0)  # with whatever exponent
    if not isinstance(exponent, int) or len(digits) + exponent > MOST_DIGITS or -exponent > MOST_DIGITS:
        raise ValueError(f"{number:.6e} has more than {MOST_DIGITS} digits before or after the point")
    return number
