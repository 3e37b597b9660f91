"""The quotes of one symbol: which tick comes when, for any moment of the past and the future.

The path's rows are cut into minutes and the minutes into ticks, each from a seed of its own. So any minute can be made
without the ones before it, and the bars of the history are exactly those of the ticks that a listener would have heard.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING

from .paths import mixed
from .periods import HOUR_MS, MINUTE_MS

if TYPE_CHECKING:
    from collections.abc import Callable

    from .paths import Path

__all__ = ["Bar", "Feed", "FeedSettings", "Tick"]

Tick = tuple[int, int | None, int | None]
"""When (ms), bid and ask x 100,000; None for a side that has no tick."""
Bar = tuple[int, int, int, int, int]
"""Open, high, low, close of the bids x 100,000, and the number of ticks on both sides."""

_BID, _BOTH, _ASK = 1, 3, 2
# Which sides tick, in turn. One-sided ticks are frequent (docs/protocol.md section 11).
_KINDS = (_BID, _BOTH, _ASK, _BID, _BOTH)
_FEWEST = 5  # ticks in a minute: enough to touch its open, high, low and close
_UNEVEN = (0, 3, -2, 5, -4, 1, 4, -5, 2, -1, -3, 0)
_KEPT_MINUTES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSettings:
    """How a path becomes ticks.

    Attributes:
        seed: of everything that the path leaves open.
        point: one point of the symbol x 100,000.
        spread_points: typical distance of ask and bid.
        interval_ms: the grid on which ticks fall; a divisor of 12,000.
        phase_ms: offset of the grid, so that not all symbols tick at once.
        minutes_a_row: server minutes that one row lasts; 60 is real time.
        rows_a_minute: rows that one server minute lasts when it is more than one; then `minutes_a_row` is 1.
    """

    seed: int
    point: int
    spread_points: int
    interval_ms: int
    phase_ms: int
    minutes_a_row: int = 60
    rows_a_minute: int = 1


class Feed:
    """The ticks of one symbol, as a function of time.

    Args:
        path: where the prices come from.
        settings: how they become ticks.
        anchor_ms: a full hour at which the row `anchor_row` begins.
        anchor_row: a row of the path.
        is_open: tells of a minute (ms of its beginning) whether the market is open; None means always.
    """

    def __init__(
        self,
        path: Path,
        settings: FeedSettings,
        *,
        anchor_ms: int,
        anchor_row: int,
        is_open: Callable[[int], bool] | None = None,
    ) -> None:
        self.path = path
        self.settings = settings
        self._anchor_minute = anchor_ms // HOUR_MS * 60
        self._anchor_row = anchor_row
        self._is_open = is_open
        self._slots = MINUTE_MS // settings.interval_ms
        self._volumes = self._volume_table()
        self._row_volumes: dict[int, int] = {}
        self._row_minutes: OrderedDict[int, list[tuple[int, int, int, int]]] = OrderedDict()
        self._minute_ticks: OrderedDict[int, list[Tick]] = OrderedDict()

    def _volume_table(self) -> list[int]:
        """How many ticks on both sides a minute has, by its number of ticking slots."""
        table = [0]
        before = 0  # ticks of all slots but the last, which always has both sides
        for active in range(1, self._slots + 1):
            table.append(before + 2)
            before += 2 if _KINDS[(active - 1) % 5] == _BOTH else 1
        return table

    def _where(self, minute: int) -> tuple[int, int]:
        """The (first) row of a minute and how many minutes of that row have passed."""
        passed = minute - self._anchor_minute
        if self.settings.rows_a_minute > 1:
            return self._anchor_row + passed * self.settings.rows_a_minute, 0
        row, inside = divmod(passed, self.settings.minutes_a_row)
        return self._anchor_row + row, inside

    def _pace(self, row: int) -> int:
        """In how many slots of a minute of a row something ticks, by and large: the busier the row, the more."""
        return round(self._slots * (0.2 + 0.7 * self.path.row(row)[4] / self.path.busiest))

    def _active(self, pace: int, inside: int) -> int:
        """In how many slots of one minute something ticks."""
        return min(self._slots, max(_FEWEST, pace + _UNEVEN[inside % len(_UNEVEN)]))

    def _row_volume(self, pace: int) -> int:
        volume = self._row_volumes.get(pace)
        if volume is None:
            minutes = range(self.settings.minutes_a_row)
            volume = 1 + sum(self._volumes[self._active(pace, inside)] for inside in minutes)
            self._row_volumes[pace] = volume
        return volume

    def is_open(self, minute: int) -> bool:
        """Whether the market is open in a minute (counted since the epoch)."""
        return self._is_open is None or self._is_open(minute * MINUTE_MS)

    @property
    def always_open(self) -> bool:
        """Whether the feed knows no closing times."""
        return self._is_open is None

    def _fresh(self, minute: int, inside: int) -> bool:
        """Whether the price may jump at the beginning of a minute, so that both sides tick."""
        return inside == 0 or not self.is_open(minute - 1)

    def _points(self, row: int, inside: int) -> tuple[int, int, int, int]:
        """Open, high, low and close of a minute in points."""
        if self.settings.rows_a_minute > 1:
            return self._rows_joined(row, row + self.settings.rows_a_minute)
        if self.settings.minutes_a_row == 1:
            return self.path.row(row)[:4]
        minutes = self._row_minutes.get(row)
        if minutes is None:
            rng = Random(mixed(self.settings.seed, 1, row))
            minutes = _minutes_of(self.path.row(row)[:4], self.settings.minutes_a_row, rng)
            self._row_minutes[row] = minutes
            if len(self._row_minutes) > _KEPT_MINUTES:
                self._row_minutes.popitem(last=False)
        return minutes[inside]

    def _rows_joined(self, first: int, end: int) -> tuple[int, int, int, int]:
        rows = [self.path.row(index) for index in range(first, end)]
        return rows[0][0], max(row[1] for row in rows), min(row[2] for row in rows), rows[-1][3]

    def minute_bar(self, minute: int) -> Bar | None:
        """The whole bar of a minute (counted since the epoch), or None while the market is closed."""
        if not self.is_open(minute):
            return None
        row, inside = self._where(minute)
        point = self.settings.point
        first, high, low, last = self._points(row, inside)
        volume = self._volumes[self._active(self._pace(row), inside)] + self._fresh(minute, inside)
        return first * point, high * point, low * point, last * point, volume

    def part_bar(self, minute: int, most: int) -> tuple[Bar, int] | None:
        """The bar of up to `most` minutes of one row, from a minute on, and the minute after it; None for one alone.

        Only for a market that is open throughout. It is that of its minutes joined, at a fraction of their cost.
        """
        row, inside = self._where(minute)
        end = min(self.settings.minutes_a_row, inside + most)
        if end - inside < 2:
            return None
        self._points(row, inside)
        minutes = self._row_minutes[row][inside:end]
        pace, point = self._pace(row), self.settings.point
        volume = sum(self._volumes[self._active(pace, place)] for place in range(inside, end)) + (inside == 0)
        first, last = minutes[0][0], minutes[-1][3]
        high, low = max(each[1] for each in minutes), min(each[2] for each in minutes)
        return (first * point, high * point, low * point, last * point, volume), minute + end - inside

    def row_bar(self, minute: int) -> tuple[Bar, int] | None:
        """The bar of the whole row that begins with a minute, and the minute after it; None if none begins there.

        Only for a market that is open throughout.
        """
        row, inside = self._where(minute)
        length = self.settings.minutes_a_row
        if inside or length == 1:
            return None
        point = self.settings.point
        first, high, low, last, _ = self.path.row(row)
        volume = self._row_volume(self._pace(row))
        return (first * point, high * point, low * point, last * point, volume), minute + length

    def minute_ticks(self, minute: int) -> list[Tick]:
        """All ticks of a minute (counted since the epoch), in order of time."""
        ticks = self._minute_ticks.get(minute)
        if ticks is None:
            ticks = self._made_ticks(minute) if self.is_open(minute) else []
            self._minute_ticks[minute] = ticks
            if len(self._minute_ticks) > _KEPT_MINUTES:
                self._minute_ticks.popitem(last=False)
        return ticks

    def _made_ticks(self, minute: int) -> list[Tick]:
        settings = self.settings
        row, inside = self._where(minute)
        active = self._active(self._pace(row), inside)
        kinds = [_KINDS[slot % 5] for slot in range(active)]
        kinds[-1] = _BOTH
        if self._fresh(minute, inside):
            kinds[0] = _BOTH
        rng = Random(mixed(settings.seed, 2, minute))
        wanted = sum(1 for kind in kinds if kind & _BID)
        bids = _walk(self._points(row, inside), wanted, rng)
        asks = _asks(bids, kinds, settings.spread_points, rng)
        start_ms = minute * MINUTE_MS + settings.phase_ms
        interval_ms, slots, point = settings.interval_ms, self._slots, settings.point
        ticks: list[Tick] = []
        next_bid, next_ask = iter(bids), iter(asks)
        for slot, kind in enumerate(kinds):
            ticks.append(
                (
                    start_ms + slot * slots // active * interval_ms,
                    next(next_bid) * point if kind & _BID else None,
                    next(next_ask) * point if kind & _ASK else None,
                )
            )
        return ticks


def _minutes_of(row: tuple[int, int, int, int], length: int, rng: Random) -> list[tuple[int, int, int, int]]:
    """Cut a row into minutes: the first opens where it opens, one touches its high, one its low, the last closes it."""
    first, high, low, last = row
    at_high = int(rng.random() * length)
    at_low = (at_high + 1 + int(rng.random() * (length - 1))) % length
    anchors = {-1: first, length - 1: last}
    anchors.setdefault(at_high, high - (high - max(first, last)) // 4)
    anchors.setdefault(at_low, low + (min(first, last) - low) // 4)
    closes = _joined(anchors, length, (high - low) / 10, rng)
    minutes = []
    price = first
    wick = (high - low) / 20
    for minute in range(length):
        close = min(high, max(low, closes[minute]))
        top = high if minute == at_high else min(high, max(price, close) + int(rng.random() * wick))
        bottom = low if minute == at_low else max(low, min(price, close) - int(rng.random() * wick))
        minutes.append((price, top, bottom, close))
        price = min(high, max(low, close + int(rng.random() * 3) - 1))
    return minutes


def _walk(bar: tuple[int, int, int, int], length: int, rng: Random) -> list[int]:
    """Prices of a minute: the first is its open, the last its close, one its high, one its low, none beyond."""
    first, high, low, last = bar
    at_high = 1 + int(rng.random() * (length - 2))
    at_low = 1 + (at_high - 1 + 1 + int(rng.random() * (length - 3))) % (length - 2)
    anchors = {0: first, length - 1: last, at_high: high, at_low: low}
    prices = _joined(anchors, length, (high - low) / 8, rng)
    before = first
    for slot in range(length):
        price = min(high, max(low, prices[slot]))
        if price == before and slot and slot not in anchors and high > low:
            price += 1 if price < high and (price == low or rng.random() < 0.5) else -1
        prices[slot] = before = price
    return prices


def _joined(anchors: dict[int, int], length: int, noise: float, rng: Random) -> list[int]:
    """Straight lines from anchor to anchor with noise between them, one price for each of 0 to `length` - 1."""
    prices = [0] * length
    places = sorted(anchors)
    for start, end in pairwise(places):
        price, step = anchors[start], (anchors[end] - anchors[start]) / (end - start)
        for place in range(start + 1, end):
            prices[place] = round(price + step * (place - start) + (rng.random() - 0.5) * noise)
    for place, price in anchors.items():
        if place >= 0:
            prices[place] = price
    return prices


def _asks(bids: list[int], kinds: list[int], spread: int, rng: Random) -> list[int]:
    """The asks of a minute: each stays above all bids until the next ask comes."""
    asks: list[int] = []
    bid = len(bids) - 1
    highest = 0
    for kind in reversed(kinds):
        if kind & _BID:
            highest = max(highest, bids[bid])
            bid -= 1
        if kind & _ASK:
            # An ask alone leaves the bid before it standing. The first slot always has a bid.
            standing = highest if kind & _BID else max(highest, bids[bid])
            asks.append(standing + max(1, spread + int(rng.random() * 3) - 1))
            highest = 0
    asks.reverse()
    return asks
