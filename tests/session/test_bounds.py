"""Timings, rates and limits: their defaults, and what they refuse."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import pytest

from anyctrader.session.bounds import LargestOrder, Limits, Rates, Timings
from anyctrader.session.environments import Environment
from anyctrader.session.errors import SettingsError


def test_the_timings_nobody_set_are_the_published_ones() -> None:
    published = {
        "heartbeat_s": 8,
        "watchdog_s": 60,
        "connect_s": 15,
        "request_s": 10,
        "order_queue_s": 2,
        "fill_s": 3,
        "write_s": 10,
    }
    assert dataclasses.asdict(Timings()).items() >= published.items()


def test_the_rates_nobody_set_are_those_of_the_server() -> None:
    assert Rates() == Rates(ordinary_per_s=50, historical_per_s=5)


def test_timings_can_be_scaled_down_for_a_test() -> None:
    timings = Timings(heartbeat_s=0.05, watchdog_s=0.2, connect_s=1)
    assert (timings.heartbeat_s, timings.watchdog_s, timings.connect_s) == (0.05, 0.2, 1)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Timings) if field.name.endswith("_s")])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "8", None, True, Decimal(8)])
def test_a_timing_is_a_finite_number_above_zero(field: str, value: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        Timings(**{field: value})
    [problem] = caught.value.problems
    assert problem.startswith(f"{field} must be a number of seconds")


@pytest.mark.parametrize("value", [0, 1, -3, 3.0, "3", None, True])
def test_one_look_is_never_enough(value: Any) -> None:
    assert Timings(absent_looks=2).absent_looks == 2
    with pytest.raises(SettingsError, match="absent_looks must be a whole number"):
        Timings(absent_looks=value)


def test_a_heartbeat_comes_before_the_server_wants_one() -> None:
    Timings(heartbeat_s=9.9)
    with pytest.raises(SettingsError, match=r"heartbeat_s .* below 10"):
        Timings(heartbeat_s=10)


def test_a_watchdog_that_barks_before_a_heartbeat_is_due_is_refused() -> None:
    with pytest.raises(SettingsError, match="watchdog_s must be longer than heartbeat_s"):
        Timings(heartbeat_s=8, watchdog_s=8)
    Timings(heartbeat_s=8, watchdog_s=8.1)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Rates)])
@pytest.mark.parametrize("value", [0, -1, 2.5, "50", None, True, 1_000_001])
def test_a_rate_is_a_whole_number_from_one(field: str, value: Any) -> None:
    with pytest.raises(SettingsError, match=f"{field} must be a whole number from 1"):
        Rates(**{field: value})


def test_limits_that_nobody_set_are_tight_on_live_and_open_on_demo() -> None:
    assert Limits().largest_order_lots is LargestOrder.SMALLEST
    assert Limits.standard(Environment.LIVE).largest_order_lots is LargestOrder.SMALLEST
    assert Limits.standard(Environment.DEMO).largest_order_lots is LargestOrder.UNLIMITED


@pytest.mark.parametrize("value", [0.5, 1, "1", None, Decimal("NaN"), Decimal("Infinity"), Decimal(0), Decimal(-1)])
def test_a_largest_order_is_an_exact_amount_or_a_word(value: Any) -> None:
    with pytest.raises(SettingsError, match="largest_order_lots must be lots"):
        Limits(largest_order_lots=value)
    assert Limits(largest_order_lots=Decimal("0.5")).largest_order_lots == Decimal("0.5")


@pytest.mark.parametrize("kind", [Timings, Rates, Limits])
def test_nothing_of_them_can_be_changed_later(kind: type) -> None:
    bounds: Any = kind()
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(bounds, dataclasses.fields(kind)[0].name, 1)
