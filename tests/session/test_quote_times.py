"""When quotes were made."""

from __future__ import annotations

import math

import pytest

from anyctrader.session import LATEST, quote_times
from anyctrader.session.quote_times import QuoteTimes, ServerLag
from anyctrader.session.subscriptions import SpotBoard, spot_stream

from .test_subscriptions import event


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quote_times.clock, "utc_ms", lambda: 1_000_000)


def test_what_follows_a_subscription_first_is_as_old_as_its_time_says() -> None:
    times, lag = QuoteTimes(), ServerLag()
    assert times.made_s(994_000, 50.0, lag) == 44.0
    assert times.made_s(994_500, 51.0, lag) == 51.0, "what comes then is live"


def test_clocks_that_differ_make_nothing_older_once_a_live_quote_has_told_how_far() -> None:
    lag = ServerLag()
    known = QuoteTimes()
    known.made_s(500_000, 50.0, lag)
    for at_ms, now_s in ((501_000, 51.3), (502_000, 52.1), (503_000, 53.4)):
        known.made_s(at_ms, now_s, lag)
    assert lag.least_ms == pytest.approx(52_100 - 502_000)
    assert QuoteTimes().made_s(499_900, 60.1, lag) == pytest.approx(50.0)
    assert QuoteTimes().made_s(999_000, 60.0, lag) == 60.0, "never from the future"


def test_without_a_time_the_first_is_too_old_for_anything_and_the_next_is_live() -> None:
    times, lag = QuoteTimes(), ServerLag()
    assert times.made_s(0, 50.0, lag) == -math.inf
    assert times.made_s(0, 51.0, lag) == 51.0
    assert lag.least_ms is None


def test_a_quote_that_is_told_again_is_no_younger_for_it() -> None:
    times, lag = QuoteTimes(), ServerLag()
    times.made_s(990_000, 40.0, lag)
    times.made_s(995_000, 45.0, lag)
    assert times.made_s(995_000, 49.0, lag) == 45.0


def test_after_a_loss_the_first_quote_of_each_symbol_is_a_repeated_one_again() -> None:
    board = SpotBoard()
    board.join(1, "S1", spot_stream(LATEST))
    for at_ms, now_s in ((999_000, 50.0), (1_000_000, 51.0)):
        board.heard(event(100, 105, at_ms=at_ms), now_s=now_s)
    last = board.last(1)
    assert last is not None
    assert (last.made_s, last.heard_s) == (51.0, 51.0)
    board.forget()
    board.heard(event(100, 105, at_ms=1_000_000), now_s=59.0)
    last = board.last(1)
    assert last is not None
    assert (last.made_s, last.heard_s) == (51.0, 59.0)
