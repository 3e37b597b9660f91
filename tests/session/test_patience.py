"""Waits after refusals for the rate: from what the server says, doubled, until it takes one again."""

from __future__ import annotations

from anyctrader.session.patience import Patience


def test_nothing_was_refused_and_nothing_is_left_to_wait() -> None:
    assert Patience().left_s(now_s=5.0) == 0.0


def test_each_refusal_in_a_row_doubles_what_the_server_says() -> None:
    patience = Patience()
    waits = []
    for now_s in (0.0, 100.0, 200.0):
        patience.refused(retry_after_s=3.0, now_s=now_s)
        waits.append(patience.left_s(now_s=now_s))
    assert waits == [3.0, 6.0, 12.0]
    assert patience.left_s(now_s=205.0) == 7.0
    assert patience.left_s(now_s=212.0) == 0.0


def test_a_refusal_that_says_nothing_costs_a_second() -> None:
    patience = Patience()
    patience.refused(retry_after_s=None, now_s=0.0)
    assert patience.left_s(now_s=0.0) == 1.0


def test_one_that_was_taken_makes_the_next_refusal_a_first_one() -> None:
    patience = Patience()
    for _ in range(3):
        patience.refused(retry_after_s=2.0, now_s=0.0)
    patience.accepted()
    patience.refused(retry_after_s=2.0, now_s=50.0)
    assert patience.left_s(now_s=50.0) == 2.0
