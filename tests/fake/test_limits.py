"""How many requests a connection may make: docs/protocol.md sections 5 and 19."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyctrader.fake import Limits
from anyctrader.fake.choices import Disputed, HeartbeatCost, Window
from anyctrader.fake.limits import RateWindow, RequestRates
from anyctrader.wire import messages as oa

TRADER = oa.payload_type_of(oa.ProtoOATraderReq)
VERSION = oa.payload_type_of(oa.ProtoOAVersionReq)
BARS = oa.payload_type_of(oa.ProtoOAGetTrendbarsReq)
ORDERS = oa.payload_type_of(oa.ProtoOAOrderListReq)


def admitted(rates: RequestRates, payload_type: int, count: int, now_s: float = 0.0) -> int:
    return sum(rates.admit(payload_type, now_s=now_s) is None for _ in range(count))


@given(st.lists(st.floats(0, 0.3), max_size=200), st.integers(1, 8))
def test_no_window_of_a_second_ever_holds_more_than_the_limit(gaps: list[float], limit: int) -> None:
    window = RateWindow(limit, window_s=1.0, window=Window.SLIDING)
    now, passed = 0.0, []
    for gap in gaps:
        now += gap
        if window.admit(now):
            passed.append(now)
    for start in passed:
        assert sum(start <= at < start + 1.0 for at in passed) <= limit


def test_a_fixed_window_starts_afresh() -> None:
    window = RateWindow(2, window_s=1.0, window=Window.FIXED)
    assert [window.admit(at) for at in (0.0, 0.9, 0.95, 1.0, 1.0, 1.1)] == [True, True, False, True, True, False]


def test_ordinary_and_historical_requests_are_counted_apart() -> None:
    rates = RequestRates(Limits())
    assert admitted(rates, BARS, 10) == 5
    assert admitted(rates, TRADER, 60) == 50
    assert admitted(rates, BARS, 1, now_s=1.0) == 1


@pytest.mark.parametrize(("disputed", "passing"), [(Disputed.HISTORICAL, 5), (Disputed.ORDINARY, 50)])
def test_the_disputed_requests_count_as_the_settings_say(disputed: Disputed, passing: int) -> None:
    assert admitted(RequestRates(Limits(disputed=disputed)), ORDERS, 60) == passing
    assert admitted(RequestRates(Limits(disputed=disputed)), BARS, 60) == 5


@pytest.mark.parametrize(("cost", "passing"), [(HeartbeatCost.FREE, 50), (HeartbeatCost.COUNTED, 40)])
def test_heartbeats_count_or_not(cost: HeartbeatCost, passing: int) -> None:
    rates = RequestRates(Limits(heartbeats=cost))
    for _ in range(10):
        rates.admit_heartbeat(now_s=0.0)
    assert admitted(rates, TRADER, 60) == passing


def test_a_lock_holds_one_payload_type_until_its_time() -> None:
    rates = RequestRates(Limits())
    rates.lock(TRADER, until_s=2.5)
    assert rates.admit(TRADER, now_s=0.2) == 3
    assert rates.admit(TRADER, now_s=2.4) == 1
    assert rates.admit(VERSION, now_s=0.2) is None
    assert rates.admit(TRADER, now_s=2.5) is None


def test_retry_after_grows_with_repeated_breaches_and_shrinks_again() -> None:
    rates = RequestRates(Limits(ordinary_per_window=1))
    rates.admit(TRADER, now_s=0.0)
    assert [rates.admit(TRADER, now_s=0.0) for _ in range(7)] == [1, 2, 3, 4, 5, 5, 5]
    rates.admit(TRADER, now_s=20.0)
    assert rates.admit(TRADER, now_s=20.0) == 1
    assert rates.breaches == 8
