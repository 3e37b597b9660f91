"""The grid of the bars (docs/protocol.md section 11): D1 opens at 21:00 UTC in summer, 22:00 in winter."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyctrader.fake import periods
from anyctrader.wire import messages as oa

P = oa.ProtoOATrendbarPeriod


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("period", "moment", "start", "end"),
    [
        (P.M1, "2026-07-01T10:17:42", "2026-07-01T10:17:00", "2026-07-01T10:18:00"),
        (P.M15, "2026-07-01T10:17:42", "2026-07-01T10:15:00", "2026-07-01T10:30:00"),
        (P.H1, "2026-07-01T10:17:42", "2026-07-01T10:00:00", "2026-07-01T11:00:00"),
        (P.H4, "2026-07-01T10:17:42", "2026-07-01T09:00:00", "2026-07-01T13:00:00"),
        (P.H4, "2026-01-07T10:17:42", "2026-01-07T10:00:00", "2026-01-07T14:00:00"),
        (P.H12, "2026-07-01T10:17:42", "2026-07-01T09:00:00", "2026-07-01T21:00:00"),
        (P.D1, "2026-07-01T20:59:59", "2026-06-30T21:00:00", "2026-07-01T21:00:00"),
        (P.D1, "2026-07-01T21:00:00", "2026-07-01T21:00:00", "2026-07-02T21:00:00"),
        (P.D1, "2026-01-07T21:59:59", "2026-01-06T22:00:00", "2026-01-07T22:00:00"),
        (P.W1, "2026-07-01T10:17:42", "2026-06-28T21:00:00", "2026-07-05T21:00:00"),
        (P.MN1, "2026-07-15T10:17:42", "2026-06-30T21:00:00", "2026-07-31T21:00:00"),
        (P.MN1, "2026-12-15T10:17:42", "2026-11-30T22:00:00", "2026-12-31T22:00:00"),
        # New York moves its clocks on 8 March and 1 November 2026, a Sunday, at 2:00.
        (P.D1, "2026-03-08T03:00:00", "2026-03-07T22:00:00", "2026-03-08T21:00:00"),
        (P.D1, "2026-11-01T03:00:00", "2026-10-31T21:00:00", "2026-11-01T22:00:00"),
        (P.H4, "2026-03-08T20:00:00", "2026-03-08T18:00:00", "2026-03-08T21:00:00"),
        (P.H4, "2026-11-01T21:30:00", "2026-11-01T21:00:00", "2026-11-01T22:00:00"),
    ],
)
def test_bar_of_a_moment(period: int, moment: str, start: str, end: str) -> None:
    start_ms = periods.start_of(period, at(moment))
    assert (start_ms, periods.end_of(period, start_ms)) == (at(start), at(end))


@given(st.sampled_from(sorted(periods.PERIODS)), st.integers(1_000_000_000_000, 2_000_000_000_000))
def test_bars_follow_each_other_without_gaps(period: int, at_ms: int) -> None:
    start_ms = periods.start_of(period, at_ms)
    end_ms = periods.end_of(period, start_ms)
    assert start_ms <= at_ms < end_ms
    assert periods.start_of(period, start_ms) == start_ms
    assert periods.start_of(period, end_ms - 1) == start_ms
    assert periods.start_of(period, end_ms) == end_ms
    assert periods.start_of(period, start_ms - 1) < start_ms


def test_trading_day_of_sunday_evening_is_monday() -> None:
    monday = at("2026-07-06T00:00:00") // periods.DAY_MS
    assert periods.trading_day(at("2026-07-05T21:00:00")) == monday
    assert periods.trading_day(at("2026-07-05T20:59:59")) == monday - 1
