"""Where prices come from: rows of one hour each, real ones from a file or seeded ones.

A path has a row for every whole number, so that it reaches as far back and ahead as anyone asks, and each begins near
where the one before ended. Rows are made when they are asked for.
"""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Protocol

__all__ = ["Path", "RecordedPath", "Row", "SeededPath", "mixed"]

Row = tuple[int, int, int, int, int]
"""Open, high, low, close in points of the symbol, and a measure of activity."""

_MASK = (1 << 64) - 1
_KEPT = 4_096  # rows that are remembered; a month of minutes asks for 750


def mixed(*numbers: int) -> int:
    """One 64-bit number out of several, the same in every process: a seed for `random.Random`."""
    mix = 0x9E3779B97F4A7C15
    for number in numbers:
        mix = ((mix ^ (number & _MASK)) * 0xBF58476D1CE4E5B9) & _MASK
        mix ^= mix >> 29
    return mix


class Path(Protocol):
    """Rows of prices.

    Attributes:
        busiest: the largest activity that a row has.
    """

    busiest: int

    def row(self, index: int) -> Row:
        """The row at any whole number."""


class RecordedPath:
    """The hourly bars of EURUSD from April 2017 to February 2018 in `data/eurusd_h1.csv`; it has no weekends.

    It is walked to and fro: every second pass runs backwards, which joins the ends.

    Args:
        scale: points to one unit of price.
    """

    busiest = 32318
    """The largest volume in the file."""

    def __init__(self, *, scale: int = 100_000) -> None:
        text = FilePath(__file__).with_name("data").joinpath("eurusd_h1.csv").read_text(encoding="ascii")
        self._lines = text.splitlines()[1:]
        self._scale = scale
        self._rows: dict[int, Row] = {}

    def __len__(self) -> int:
        return len(self._lines)

    def row(self, index: int) -> Row:
        """The bar at `index`, counted from the first one of the file."""
        length = len(self._lines)
        index %= 2 * length
        if index < length:
            return self._read(index)
        first, high, low, last, activity = self._read(2 * length - 1 - index)
        return last, high, low, first, activity

    def _read(self, index: int) -> Row:
        row = self._rows.get(index)
        if row is None:
            _, first, high, low, last, volume = self._lines[index].split(",")
            scale = self._scale
            row = (
                round(float(first) * scale),
                round(float(high) * scale),
                round(float(low) * scale),
                round(float(last) * scale),
                int(volume),
            )
            self._rows[index] = row
        return row


class SeededPath:
    """A walk that depends on its arguments alone.

    Every so many hours it has an anchor somewhere around `start`; between two of them it wanders.

    Args:
        seed: the same seed gives the same path.
        start: price around which it moves, in points.
        hourly: typical range of an hour, in points.
    """

    busiest = 5_500
    _HOURS = 120  # from anchor to anchor: a week of trading

    def __init__(self, seed: int, *, start: int, hourly: int) -> None:
        self._seed = seed
        self._start = start
        self._hourly = hourly
        self._rows: dict[int, Row] = {}
        self._anchors: dict[int, float] = {}

    def _random(self, *numbers: int) -> float:
        """Between 0 and 1, always the same for the same numbers."""
        return (mixed(self._seed, *numbers) >> 11) / (1 << 53)

    def _anchor(self, number: int) -> float:
        anchor = self._anchors.get(number)
        if anchor is None:
            anchor = self._start + (self._random(1, number) - 0.5) * 2 * min(20 * self._hourly, self._start / 2)
            if len(self._anchors) >= _KEPT:
                self._anchors.clear()
            self._anchors[number] = anchor
        return anchor

    def _price(self, hour: int) -> int:
        """Where the hour begins and the one before it ends."""
        number, inside = divmod(hour, self._HOURS)
        before, after = self._anchor(number), self._anchor(number + 1)
        line = before + (after - before) * inside / self._HOURS
        return max(self._hourly, round(line + (self._random(2, hour) - 0.5) * self._hourly))

    def row(self, index: int) -> Row:
        """The hour at `index`."""
        row = self._rows.get(index)
        if row is None:
            first, last = self._price(index), self._price(index + 1)
            high = max(first, last) + round(self._random(3, index) * self._hourly / 2)
            low = max(1, min(first, last) - round(self._random(4, index) * self._hourly / 2))
            # Quiet nights and busy afternoons, as in the recorded path.
            activity = 1_000 + round(4_000 * abs(12 - (index + 1) % 24) / 12 + self._random(5, index) * 500)
            row = (first, high, low, last, activity)
            if len(self._rows) >= _KEPT:
                self._rows.clear()
            self._rows[index] = row
        return row
