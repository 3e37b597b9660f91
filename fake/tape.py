"""What the quotes of one symbol were: the ticks and bars of its past, up to now.

Most of it is the feed's. While somebody has taken the price into his own hands (a test, the control port) the feed is
silent and the tape keeps what was set instead.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import periods
from .periods import MINUTE_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .feed import Bar, Feed, Tick

__all__ = ["Running", "Tape"]

_NEVER_MS = 1 << 62
_DAY = 12  # ProtoOATrendbarPeriod D1
_OF_DAYS = frozenset((13, 14))  # W1, MN1
# M10 to M30 and from H4 on. An hour is a row of the path, and a few minutes are quickly made.
_LONG = frozenset((6, 7, 8, 10, 11, _DAY, 13, 14))
_KEPT_BARS = 20_000  # the longest answer, 14,000 bars, and some


@dataclass(slots=True)
class _Span:
    """A time in which the price was set by hand, from the first such tick on until the feed was let in again."""

    from_ms: int
    to_ms: int = _NEVER_MS
    ticks: list[Tick] = field(default_factory=list)


@dataclass(slots=True)
class Running:
    """The bar of one period that is not finished.

    Attributes:
        start_ms: when its period began.
        end_ms: when its period ends.
        bar: what happened so far; None before the first bid.
    """

    start_ms: int
    end_ms: int
    bar: Bar | None


def _joined(bar: Bar | None, more: Bar | None) -> Bar | None:
    if bar is None or more is None:
        return more if bar is None else bar
    return bar[0], max(bar[1], more[1]), min(bar[2], more[2]), more[3], bar[4] + more[4]


def _with_tick(bar: Bar | None, bid: int | None, ask: int | None) -> Bar | None:
    """A bar is born with its first bid; from then on each tick on either side counts (docs/protocol.md section 11)."""
    if bar is None:
        return None if bid is None else (bid, bid, bid, bid, 1 if ask is None else 2)
    volume = bar[4] + (bid is not None) + (ask is not None)
    if bid is None:
        return bar[0], bar[1], bar[2], bar[3], volume
    return bar[0], max(bar[1], bid), min(bar[2], bid), bid, volume


class Tape:
    """Ticks and bars of one symbol.

    Args:
        feed: its quotes where nobody interferes.
        first_ms: when its history begins.
    """

    def __init__(self, feed: Feed, *, first_ms: int) -> None:
        self.feed = feed
        self.first_ms = first_ms
        self._spans: list[_Span] = []
        self._running: dict[int, Running] = {}
        self._finished: OrderedDict[tuple[int, int], Bar | None] = OrderedDict()

    @property
    def held(self) -> bool:
        """Whether the price is in somebody's hands now."""
        return bool(self._spans) and self._spans[-1].to_ms == _NEVER_MS

    def hold(self, at_ms: int) -> None:
        """Silence the feed from `at_ms` on. Ticks of the feed at or before that moment stand."""
        if not self.held:
            self._spans.append(_Span(at_ms + 1))

    def release(self, at_ms: int) -> None:
        """Let the feed speak again after `at_ms`."""
        self._spans[-1].to_ms = at_ms + 1

    def write(self, tick: Tick) -> None:
        """Keep a tick that was set by hand."""
        self._spans[-1].ticks.append(tick)

    def heard(self, tick: Tick) -> None:
        """Tell the running bars of a tick that happens now, whoever made it."""
        at_ms, bid, ask = tick
        for period, running in self._running.items():
            if at_ms >= running.end_ms:
                running.start_ms = periods.start_of(period, at_ms)
                running.end_ms = periods.end_of(period, running.start_ms)
                running.bar = None
            running.bar = _with_tick(running.bar, bid, ask)

    def running(self, period: int, *, now_ms: int) -> Running:
        """The running bar of a period; from the first call on it is kept up to date by `heard`."""
        running = self._running.get(period)
        if running is None:
            start_ms = periods.start_of(period, now_ms)
            end_ms = periods.end_of(period, start_ms)
            running = Running(start_ms, end_ms, self.bar(start_ms, end_ms, now_ms=now_ms))
            self._running[period] = running
        return running

    def ahead(self, after_ms: int) -> Iterator[Tick]:
        """The feed's ticks after a moment, without end. Nobody else's: it does not know of a held price."""
        minute = after_ms // MINUTE_MS
        for tick in self.feed.minute_ticks(minute):
            if tick[0] > after_ms:
                yield tick
        while True:
            minute += 1
            yield from self.feed.minute_ticks(minute)

    def path_sides(self, at_ms: int) -> tuple[int, int]:
        """Bid and ask as the feed's ticks up to a moment left them, or would have left them."""
        bid: int | None = None
        ask: int | None = None
        minute = at_ms // MINUTE_MS
        while bid is None or ask is None:
            for tick in reversed(self.feed.minute_ticks(minute)):
                if tick[0] <= at_ms:
                    bid = tick[1] if bid is None else bid
                    ask = tick[2] if ask is None else ask
            minute -= 1
        return bid, ask

    def ticks_back(self, to_ms: int) -> Iterator[Tick]:
        """The ticks at or before a moment, newest first, back to the beginning of history and one hour beyond."""
        minute = to_ms // MINUTE_MS
        first_minute = self.first_ms // MINUTE_MS - 60
        while minute >= first_minute:
            for tick in reversed(self._minute_ticks(minute)):
                if tick[0] <= to_ms:
                    yield tick
            minute -= 1

    def _spans_in(self, start_ms: int, end_ms: int) -> list[_Span]:
        return [span for span in self._spans if span.from_ms < end_ms and span.to_ms > start_ms]

    def _minute_ticks(self, minute: int) -> list[Tick]:
        start_ms = minute * MINUTE_MS
        ticks = self.feed.minute_ticks(minute)
        spans = self._spans_in(start_ms, start_ms + MINUTE_MS) if self._spans else ()
        if not spans:
            return ticks
        kept = [tick for tick in ticks if not any(span.from_ms <= tick[0] < span.to_ms for span in spans)]
        for span in spans:
            kept += [tick for tick in span.ticks if start_ms <= tick[0] < start_ms + MINUTE_MS]
        kept.sort(key=lambda tick: tick[0])
        return kept

    def past_bar(self, period: int, start_ms: int, *, now_ms: int) -> Bar | None:
        """The bar of a period. One that is over never changes: long ones are made once, out of those of days."""
        end_ms = periods.end_of(period, start_ms)
        if period not in _LONG or end_ms > now_ms:
            return self.bar(start_ms, end_ms, now_ms=now_ms)
        key = (period, start_ms)
        if key not in self._finished:
            self._finished[key] = self._long_bar(period, start_ms, end_ms, now_ms=now_ms)
            if len(self._finished) > _KEPT_BARS:
                self._finished.popitem(last=False)
        return self._finished[key]

    def _long_bar(self, period: int, start_ms: int, end_ms: int, *, now_ms: int) -> Bar | None:
        if period not in _OF_DAYS:
            return self.bar(start_ms, end_ms, now_ms=now_ms)
        bar: Bar | None = None
        while start_ms < end_ms:
            bar = _joined(bar, self.past_bar(_DAY, start_ms, now_ms=now_ms))
            start_ms = periods.end_of(_DAY, start_ms)
        return bar

    def bar(self, start_ms: int, end_ms: int, *, now_ms: int) -> Bar | None:
        """The bar of the ticks from `start_ms`, a full minute, to before `end_ms`, as far as they have happened."""
        end_ms = min(end_ms, now_ms + 1)
        untouched = not self._spans or not self._spans_in(start_ms, end_ms)
        bar: Bar | None = None
        minute = start_ms // MINUTE_MS
        while minute * MINUTE_MS < end_ms:
            if untouched and self.feed.always_open:
                row = self.feed.row_bar(minute)
                if row is None or row[1] * MINUTE_MS > end_ms:
                    row = self.feed.part_bar(minute, end_ms // MINUTE_MS - minute)
                if row is not None:
                    bar, minute = _joined(bar, row[0]), row[1]
                    continue
            bar = _joined(bar, self._minute_bar(minute, end_ms, untouched=untouched))
            minute += 1
        return bar

    def _minute_bar(self, minute: int, end_ms: int, *, untouched: bool) -> Bar | None:
        start_ms = minute * MINUTE_MS
        whole = start_ms + MINUTE_MS <= end_ms
        if whole and (untouched or not self._spans_in(start_ms, start_ms + MINUTE_MS)):
            return self.feed.minute_bar(minute)
        bar: Bar | None = None
        for at_ms, bid, ask in self._minute_ticks(minute):
            if at_ms >= end_ms:
                break
            bar = _with_tick(bar, bid, ask)
        return bar
