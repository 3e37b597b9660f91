"""The grid of the bars: where a bar of each period begins and ends.

M1 to H1 follow the clock. D1 opens at 17:00 in New York, which is 21:00 UTC in summer and 22:00 in winter, and H4,
H12, W1 and MN1 follow the same grid (docs/protocol.md section 11).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..wire import messages as oa

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DAY_MS", "HOUR_MS", "LONGEST_MS", "MINUTE_MS", "PERIODS", "end_of", "start_of", "trading_day"]

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000

_P = oa.ProtoOATrendbarPeriod
_CLOCK_MS: Mapping[int, int] = MappingProxyType(
    {
        _P.M1: MINUTE_MS,
        _P.M2: 2 * MINUTE_MS,
        _P.M3: 3 * MINUTE_MS,
        _P.M4: 4 * MINUTE_MS,
        _P.M5: 5 * MINUTE_MS,
        _P.M10: 10 * MINUTE_MS,
        _P.M15: 15 * MINUTE_MS,
        _P.M30: 30 * MINUTE_MS,
        _P.H1: HOUR_MS,
    }
)
_IN_DAY_MS: Mapping[int, int] = MappingProxyType({_P.H4: 4 * HOUR_MS, _P.H12: 12 * HOUR_MS})
PERIODS: frozenset[int] = frozenset(int(period) for period in _P)

# Largest span of one request by period, as multiples of the first row of the table in docs/protocol.md section 12.
LONGEST_MS: Mapping[int, int] = MappingProxyType(
    {
        **dict.fromkeys((_P.M1, _P.M2, _P.M3, _P.M4, _P.M5), 3_024_000_000),
        **dict.fromkeys((_P.M10, _P.M15, _P.M30, _P.H1), 21_168_000_000),
        **dict.fromkeys((_P.H4, _P.H12, _P.D1), 31_622_400_000),
        **dict.fromkeys((_P.W1, _P.MN1), 158_112_000_000),
    }
)

_EPOCH_DAY = 4  # 1970-01-01 was a Thursday; days are counted from Sunday


def _sunday(year: int, month: int, nth: int) -> datetime:
    first = datetime(year, month, 1, tzinfo=UTC)
    return first + timedelta(days=(6 - first.weekday()) % 7 + 7 * (nth - 1))


def _year_switch_ms(year: int) -> tuple[int, int]:
    """When New York changes to summer time and back: 2:00 local time on those Sundays."""
    spring = _sunday(year, 3, 2) + timedelta(hours=7)
    autumn = _sunday(year, 11, 1) + timedelta(hours=6)
    return int(spring.timestamp()) * 1000, int(autumn.timestamp()) * 1000


def _shift_ms(at_ms: int) -> int:
    """What must be added to UTC so that midnight falls on 17:00 in New York: 3 hours in summer, 2 in winter."""
    spring_ms, autumn_ms = _year_switch_ms(datetime.fromtimestamp(at_ms // 1000, UTC).year)
    return 3 * HOUR_MS if spring_ms <= at_ms < autumn_ms else 2 * HOUR_MS


def trading_day(at_ms: int) -> int:
    """The number of the trading day that a moment is in, counted in days since 1970-01-01.

    The day that opens on Sunday at 17:00 New York time is Monday's.
    """
    return (at_ms + _shift_ms(at_ms)) // DAY_MS


def _day_start_ms(day: int) -> int:
    naive_ms = day * DAY_MS
    return naive_ms - _shift_ms(naive_ms - 2 * HOUR_MS)


def _month_of(day: int) -> tuple[int, int]:
    date = datetime.fromtimestamp(day * 86_400, UTC)
    return date.year, date.month


def _day_of(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) // 86_400


def start_of(period: int, at_ms: int) -> int:
    """When the bar of `period` that holds the moment `at_ms` began, in ms."""
    clock_ms = _CLOCK_MS.get(period)
    if clock_ms is not None:
        return at_ms - at_ms % clock_ms
    day = trading_day(at_ms)
    if period in _IN_DAY_MS:
        start_ms = _day_start_ms(day)
        return start_ms + (at_ms - start_ms) // _IN_DAY_MS[period] * _IN_DAY_MS[period]
    if period == _P.W1:
        day -= (day + _EPOCH_DAY - 1) % 7
    elif period == _P.MN1:
        day = _day_of(*_month_of(day))
    return _day_start_ms(day)


def end_of(period: int, start_ms: int) -> int:
    """When the bar of `period` that begins at `start_ms` ends and the next one begins, in ms."""
    clock_ms = _CLOCK_MS.get(period)
    if clock_ms is not None:
        return start_ms + clock_ms
    day = trading_day(start_ms)
    if period in _IN_DAY_MS:
        # On the days when the clocks change, the last bar of the day is an hour shorter or longer.
        return min(start_ms + _IN_DAY_MS[period], _day_start_ms(day + 1))
    if period == _P.W1:
        return _day_start_ms(day + 7)
    if period == _P.MN1:
        year, month = _month_of(day)
        return _day_start_ms(_day_of(year + month // 12, month % 12 + 1))
    return _day_start_ms(day + 1)
