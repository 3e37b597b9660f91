from __future__ import annotations

import pytest

from anyctrader.wire.quoting import LONGEST_SHOWN, escaped, quoted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("EURUSD", "EURUSD"),
        ("\x1b[2Jgone", r"\x1b[2Jgone"),
        ("a\nb\r\x00\x7f\x9b", r"a\nb\r\x00\x7f\x9b"),
        ("\u202eevil\u2028", r"\u202eevil\u2028"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_a_terminal_would_obey_is_made_visible(text: str, shown: str) -> None:
    assert escaped(text) == shown
    assert quoted(text) == f'"{shown}"'


def test_a_quoted_text_cannot_end_its_own_quotes() -> None:
    assert quoted('a" \\" b') == r'"a\" \\\" b"'


def test_a_very_long_text_is_cut_and_says_so() -> None:
    assert quoted("é" * (LONGEST_SHOWN + 5)) == f'"{"é" * LONGEST_SHOWN}"… ({LONGEST_SHOWN + 5} characters)'
    assert quoted("é" * LONGEST_SHOWN) == f'"{"é" * LONGEST_SHOWN}"'
