from __future__ import annotations

import random
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyctrader.session.settings import Rates
from anyctrader.session.throttle import Place, Throttle
from anyctrader.wire import Budget

ORDINARY, HISTORICAL = Budget.ORDINARY, Budget.HISTORICAL


def test_a_full_budget_leaves_at_once_and_no_more() -> None:
    throttle = Throttle(Rates(ordinary_per_s=3))
    for _ in range(3):
        assert throttle.free_at_s(ORDINARY, now_s=10.0) <= 10.0
        throttle.sent(ORDINARY, now_s=10.0)
    assert throttle.free_at_s(ORDINARY, now_s=10.0) > 11.0


def test_the_window_rolls_instead_of_starting_anew_each_second() -> None:
    throttle = Throttle(Rates(ordinary_per_s=2))
    throttle.sent(ORDINARY, now_s=10.0)
    throttle.sent(ORDINARY, now_s=10.9)
    assert 11.0 < throttle.free_at_s(ORDINARY, now_s=11.0) < 11.1
    throttle.sent(ORDINARY, now_s=11.1)
    assert throttle.free_at_s(ORDINARY, now_s=11.2) > 11.9


def test_the_two_budgets_do_not_touch_each_other() -> None:
    throttle = Throttle(Rates(ordinary_per_s=1, historical_per_s=1))
    throttle.sent(HISTORICAL, now_s=10.0)
    assert throttle.free_at_s(ORDINARY, now_s=10.0) <= 10.0
    assert throttle.free_at_s(HISTORICAL, now_s=10.0) > 11.0


def test_what_is_used_is_what_left_within_the_window() -> None:
    throttle = Throttle(Rates())
    throttle.sent(ORDINARY, now_s=10.0)
    throttle.sent(ORDINARY, now_s=10.5)
    assert throttle.used(ORDINARY, now_s=10.9) == 2
    assert throttle.used(ORDINARY, now_s=11.2) == 1
    assert throttle.most(ORDINARY) == 50


def test_a_blocked_type_is_free_again_when_its_time_is_over() -> None:
    throttle = Throttle(Rates())
    throttle.block(2137, until_s=12.0)
    throttle.block(2137, until_s=11.0)
    assert throttle.blocked_until_s(2137, now_s=10.0) == 12.0
    assert throttle.blocked_until_s(2121, now_s=10.0) is None
    assert throttle.blocked_until_s(2137, now_s=12.0) is None
    assert throttle.blocked_until_s(2137, now_s=10.0) is None


def test_a_place_is_free_a_second_after_the_request_must_have_arrived() -> None:
    throttle = Throttle(Rates(ordinary_per_s=1))
    throttle.answered(throttle.sent(ORDINARY, now_s=0.0, awaited=True), now_s=0.05)
    assert 1.0 < throttle.free_at_s(ORDINARY, now_s=0.5) < 1.03
    late = throttle.sent(ORDINARY, now_s=2.0, awaited=True)
    throttle.answered(late, now_s=2.85)  # it may have arrived as late as 2.80
    assert 3.80 < throttle.free_at_s(ORDINARY, now_s=3.1) < 3.82


def test_a_place_whose_answer_is_late_is_not_free_until_it_comes() -> None:
    throttle = Throttle(Rates(ordinary_per_s=1))
    place = throttle.sent(ORDINARY, now_s=0.0, awaited=True)
    assert throttle.free_at_s(ORDINARY, now_s=1.5) > 1.5
    throttle.answered(place, now_s=1.6)
    assert throttle.free_at_s(ORDINARY, now_s=1.7) <= 1.7
    throttle.sent(ORDINARY, now_s=2.0, awaited=True)
    assert throttle.free_at_s(ORDINARY, now_s=5.0) <= 5.0  # no answer for so long: it is lost, or was counted


def test_what_answers_usually_take_is_learned_anew_when_the_way_becomes_longer() -> None:
    throttle = Throttle(Rates(ordinary_per_s=1))
    now_s = 0.0
    waits = []
    for n in range(400):
        took_s = 0.01 if n < 5 else 0.2
        place = throttle.sent(ORDINARY, now_s=now_s, awaited=True)
        throttle.answered(place, now_s=now_s + took_s)
        free_s = throttle.free_at_s(ORDINARY, now_s=now_s + took_s)
        waits.append(free_s - now_s)
        now_s = free_s
    assert 1.19 < waits[5] < 1.21
    assert waits[-1] < 1.03


def test_each_refusal_holds_a_type_back_for_longer_until_one_is_taken() -> None:
    throttle = Throttle(Rates())
    throttle.refused(2137, retry_after_s=2, now_s=0.0)
    assert throttle.blocked_until_s(2137, now_s=0.0) == 2.0
    throttle.refused(2137, retry_after_s=2, now_s=2.0)
    assert throttle.blocked_until_s(2137, now_s=2.0) == 6.0
    throttle.accepted(2137)
    throttle.refused(2137, retry_after_s=2, now_s=10.0)
    assert throttle.blocked_until_s(2137, now_s=10.0) == 12.0


def test_requests_that_were_refused_together_are_one_breach() -> None:
    throttle = Throttle(Rates())
    for _ in range(50):
        throttle.refused(2104, retry_after_s=1, now_s=100.0, sent_s=99.9)
    assert throttle.blocked_until_s(2104, now_s=100.0) == 101.0
    throttle.refused(2104, retry_after_s=1, now_s=101.1, sent_s=101.05)
    assert throttle.blocked_until_s(2104, now_s=101.1) == 103.1


def test_a_refusal_without_a_time_waits_a_second_and_never_longer_than_two_minutes() -> None:
    throttle = Throttle(Rates())
    throttle.refused(2137, retry_after_s=None, now_s=0.0)
    assert throttle.blocked_until_s(2137, now_s=0.0) == 1.0
    for _ in range(30):
        throttle.refused(2137, retry_after_s=None, now_s=0.0)
    assert throttle.blocked_until_s(2137, now_s=0.0) == 120.0


@given(st.lists(st.floats(0, 0.2), min_size=1, max_size=300), st.integers(1, 20))
def test_no_second_ever_holds_more_than_the_budget(gaps: list[float], most: int) -> None:
    throttle = Throttle(Rates(ordinary_per_s=most))
    now_s, left = 100.0, []
    for gap in gaps:
        now_s = max(now_s + gap, throttle.free_at_s(ORDINARY, now_s=now_s + gap))
        throttle.sent(ORDINARY, now_s=now_s)
        left.append(now_s)
    for first, beyond in zip(left, left[most:], strict=False):
        assert beyond - first > 1.02  # 20 ms of jitter on the way must not put it over the server's second


def saturated(most: int, *, seconds: float, seed: int, stalls: bool) -> tuple[int, int]:
    """A client that always has something to ask, and a server that enforces the rate, over a network with jitter.

    Each way takes up to 20 ms, in order. With stalls, ten times in all everything on its way waits for up to half a
    second. Returns how many were taken, and how many refused.
    """
    chance = random.Random(seed)
    throttle = Throttle(Rates(ordinary_per_s=most))
    stalled = sorted(chance.uniform(0, seconds) for _ in range(10)) if stalls else []
    there_s = back_s = now_s = 0.0
    on_the_way: deque[tuple[float, Place]] = deque()
    counted: deque[float] = deque()
    taken = refused = 0
    while now_s < seconds:
        while throttle.free_at_s(ORDINARY, now_s=now_s) <= now_s:
            place = throttle.sent(ORDINARY, now_s=now_s, awaited=True)
            there_s = max(there_s, now_s + chance.uniform(0, 0.02))
            if stalled and stalled[0] <= now_s:
                there_s = max(there_s, now_s + chance.uniform(0, 0.5))
                del stalled[0]
            while counted and counted[0] <= there_s - 1.0:
                counted.popleft()
            if len(counted) >= most:
                refused += 1
            else:
                counted.append(there_s)
                taken += 1
            back_s = max(back_s, there_s + 0.045 + chance.uniform(0, 0.02))
            on_the_way.append((back_s, place))
        again_s = throttle.free_at_s(ORDINARY, now_s=now_s)
        now_s = min(again_s, on_the_way[0][0]) if on_the_way else again_s
        while on_the_way and on_the_way[0][0] <= now_s:
            throttle.answered(on_the_way.popleft()[1], now_s=now_s)
    return taken, refused


@pytest.mark.parametrize("most", [50, 5])
@pytest.mark.parametrize("seed", range(5))
def test_a_saturating_client_uses_the_budget_and_is_refused_not_once(most: int, seed: int) -> None:
    taken, refused = saturated(most, seconds=120, seed=seed, stalls=False)
    assert refused == 0
    assert taken >= 0.96 * most * 120


@pytest.mark.parametrize("most", [50, 5])
@pytest.mark.parametrize("seed", range(5))
def test_a_network_that_stalls_costs_time_and_hardly_a_refusal(most: int, seed: int) -> None:
    taken, refused = saturated(most, seconds=30, seed=seed, stalls=True)
    assert refused <= 1
    assert taken >= 0.7 * most * 30


def test_a_place_that_nothing_left_by_counts_for_nobody() -> None:
    throttle = Throttle(Rates(ordinary_per_s=2))
    first = throttle.sent(ORDINARY, now_s=10.0, awaited=True)
    unused = throttle.sent(ORDINARY, now_s=10.5, awaited=True)
    assert throttle.free_at_s(ORDINARY, now_s=10.5) > 10.5
    throttle.withdraw(unused)
    assert throttle.free_at_s(ORDINARY, now_s=10.5) <= 10.5
    assert throttle.used(ORDINARY, now_s=10.5) == 1
    throttle.answered(first, now_s=10.51)
    throttle.sent(ORDINARY, now_s=10.6)
    assert 11.0 < throttle.free_at_s(ORDINARY, now_s=10.7) < 11.1
