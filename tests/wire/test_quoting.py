from __future__ import annotations

import tracemalloc

import pytest

from anyctrader.wire.quoting import LONGEST_SHOWN, LONGEST_TOLD, escaped, quoted, told


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


def test_a_text_of_millions_of_control_characters_is_escaped_without_a_string_for_each_of_them() -> None:
    text = "\x01\x1b" * 200_000
    tracemalloc.start()
    try:
        assert escaped(text) == r"\x01\x1b" * 200_000
        assert tracemalloc.get_traced_memory()[1] < 20 * len(text)
    finally:
        tracemalloc.stop()


def test_what_is_told_is_whole_or_its_length() -> None:
    assert told("\n" * LONGEST_TOLD) == r"\n" * LONGEST_TOLD
    assert told("x" * (LONGEST_TOLD + 1)) == f"a text of {LONGEST_TOLD + 1} characters"
