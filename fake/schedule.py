"""When a symbol trades: weekly sessions in a time zone, and holidays (docs/protocol.md sections 8 and 9)."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from .periods import DAY_MS, HOUR_MS

if TYPE_CHECKING:
    from .symbols import Holiday, Symbol

__all__ = ["Schedule"]

_WEEK_S = 604_800
_EPOCH_S = 4 * 86_400  # 1970-01-01 was a Thursday; schedules count from Sunday


class Schedule:
    """The trading hours of one symbol.

    Args:
        symbol: whose `schedule`, `time_zone` and `holidays` apply.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: this machine does not know the time zone.
    """

    def __init__(self, symbol: Symbol) -> None:
        self._starts = [start for start, _ in symbol.schedule]
        self._ends = [end for _, end in symbol.schedule]
        self._holidays = symbol.holidays
        self._zone_name = symbol.time_zone
        self._offsets: dict[int, int] = {}

    def _offset_s(self, at_ms: int) -> int:
        hour = at_ms // HOUR_MS
        offset_s = self._offsets.get(hour)
        if offset_s is None:
            moment = datetime.fromtimestamp(hour * 3600, UTC).astimezone(ZoneInfo(self._zone_name))
            offset = moment.utcoffset()
            offset_s = int(offset.total_seconds()) if offset else 0
            self._offsets[hour] = offset_s
        return offset_s

    def is_open(self, at_ms: int) -> bool:
        """Whether it trades at a moment (ms since the epoch)."""
        local_s = at_ms // 1000 + self._offset_s(at_ms)
        second = (local_s + _EPOCH_S) % _WEEK_S
        session = bisect_right(self._starts, second) - 1
        if session < 0 or second >= self._ends[session]:
            return False
        return not any(_covers(holiday, local_s) for holiday in self._holidays)

    def is_holiday(self, at_ms: int) -> bool:
        """Whether a holiday keeps it closed at a moment."""
        local_s = at_ms // 1000 + self._offset_s(at_ms)
        return any(_covers(holiday, local_s) for holiday in self._holidays)

    def opens_ms(self, at_ms: int) -> int:
        """The first minute at or after a moment in which it trades; at most 30 days ahead."""
        minute_ms = at_ms if self.is_open(at_ms) else at_ms - at_ms % 60_000 + 60_000
        last_ms = at_ms + 30 * DAY_MS
        while not self.is_open(minute_ms) and minute_ms < last_ms:
            minute_ms += 60_000
        return minute_ms


def _covers(holiday: Holiday, local_s: int) -> bool:
    day, second = divmod(local_s, 86_400)
    if not holiday.start_s <= second < holiday.end_s:
        return False
    if day == holiday.day:
        return True
    if not holiday.recurring:
        return False
    now, first = (datetime.fromtimestamp(number * 86_400, UTC) for number in (day, holiday.day))
    return day > holiday.day and (now.month, now.day) == (first.month, first.day)
