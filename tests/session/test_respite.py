"""Waits ahead of the renewal of pairs that did not last: none for the first, then longer and longer."""

from __future__ import annotations

from anyctrader.session.respite import Respite


def test_a_pair_that_nobody_renewed_here_may_be_renewed_at_once() -> None:
    assert Respite().left_s(now_s=5.0) == 0.0


def test_a_young_pair_may_be_renewed_at_once_the_ones_after_it_later_and_later() -> None:
    respite, now_s, waits = Respite(), 0.0, []
    for _ in range(5):
        respite.renewed(now_s=now_s)
        waits.append(respite.left_s(now_s=now_s + 1.0))
        assert respite.left_s(now_s=now_s + 1.0 + waits[-1] / 2) == waits[-1] / 2, "it is no longer for being asked"
        now_s += 1.0 + waits[-1]
        assert respite.left_s(now_s=now_s) == 0.0
    assert waits == [0.0, 5.0, 10.0, 20.0, 40.0]


def test_no_wait_is_longer_than_ten_minutes() -> None:
    respite = Respite()
    for each in range(100):
        respite.renewed(now_s=each)
        longest_s = respite.left_s(now_s=each)
    assert longest_s == 600.0


def test_a_pair_that_has_lasted_a_minute_ends_the_row() -> None:
    respite = Respite()
    for now_s in (0.0, 1.0):
        respite.renewed(now_s=now_s)
        respite.left_s(now_s=now_s)
    assert respite.left_s(now_s=1.0) == 5.0
    respite.renewed(now_s=10.0)
    assert respite.left_s(now_s=70.0) == 0.0
    respite.renewed(now_s=71.0)
    assert respite.left_s(now_s=72.0) == 0.0, "the first young one again"
