"""What the server's timestamps tell of its clock, and how wide a span has to be for want of them."""

from __future__ import annotations

import pytest

from anyctrader.session.server_clock import FAR_APART_MS, ServerClock

NOON = 1_800_000_000_000


def test_before_anything_is_heard_the_clocks_may_be_a_day_apart() -> None:
    server = ServerClock()
    assert server.earliest_ms(NOON, utc_ms=NOON, now_s=0.0) == NOON - FAR_APART_MS
    assert server.latest_ms(NOON) == NOON + FAR_APART_MS


@pytest.mark.parametrize("ahead_ms", [-600_000, -90_000, 0, 90_000, 600_000])
def test_what_is_made_after_a_request_left_is_never_before_the_earliest(ahead_ms: int) -> None:
    server = ServerClock()
    for second, late_ms in enumerate((400, 20, 3_000)):
        heard_ms = NOON + second * 1000
        server.heard(heard_ms - late_ms + ahead_ms, utc_ms=heard_ms, now_s=float(second))
    left_ms = NOON + 60_000
    earliest_ms = server.earliest_ms(left_ms, utc_ms=left_ms, now_s=60.0)
    assert left_ms + ahead_ms - 10_000 < earliest_ms <= left_ms + ahead_ms


def test_one_of_our_clocks_that_was_set_makes_what_was_learned_worthless() -> None:
    server = ServerClock()
    server.heard(NOON, utc_ms=NOON, now_s=0.0)
    after_ms = NOON - 3_600_000  # an hour back, ten seconds later
    assert server.earliest_ms(after_ms, utc_ms=after_ms, now_s=10.0) == after_ms - FAR_APART_MS
    server.heard(NOON + 10_000, utc_ms=after_ms, now_s=10.0)
    assert server.earliest_ms(after_ms, utc_ms=after_ms, now_s=10.0) == NOON + 10_000 - 5_000
