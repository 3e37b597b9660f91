"""All quotes together: the present price of each symbol, what ticks next, and conversion between assets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from heapq import heapify, heappush, heapreplace
from typing import TYPE_CHECKING, Any

from . import periods
from .bounds import check_bounds
from .feed import Feed, FeedSettings
from .money import ONE, Rate
from .paths import RecordedPath, SeededPath, mixed
from .periods import DAY_MS, HOUR_MS
from .schedule import Schedule
from .symbols import Seeded, Symbol
from .tape import Tape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .feed import Tick
    from .paths import Path

__all__ = ["Market", "MarketSettings", "Price"]


_CHANGEABLE = frozenset(
    (
        "commission_rate",
        "commission_type",
        "conversion_fee",
        "description",
        "leverage_id",
        "max_exposure",
        "max_volume",
        "min_commission",
        "min_volume",
        "short_selling",
        "step_volume",
        "stop_distance_points",
        "swap_long",
        "swap_short",
        "trading_mode",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSettings:
    """How prices move.

    Attributes:
        seed: of all that the recorded path leaves open.
        interval_ms: the grid of the ticks; must divide 12,000. A quarter of a second keeps tests quick while bars
            of a minute still have enough ticks to look like real ones.
        speed: hours of the path that pass in an hour: a divisor or a multiple of 60.
        start_hour: hour of the path at which the exchange begins; what lies before is history.
        schedules: whether markets close; if not, they are open day and night.
        history_days: how far back history goes.
    """

    seed: int = 1
    interval_ms: int = 250
    speed: int = 1
    start_hour: int = 2_500
    schedules: bool = False
    history_days: int = 1_100

    def __post_init__(self) -> None:
        check_bounds(self, "history_days", least=0)
        if self.interval_ms <= 0 or 12_000 % self.interval_ms:
            raise ValueError(f"interval_ms must divide 12,000, so that bars come out even; not {self.interval_ms}")
        if self.speed <= 0 or (60 % self.speed and self.speed % 60):
            raise ValueError(f"speed must divide 60 or be a multiple of it; not {self.speed}")


@dataclass(slots=True)
class Price:
    """The present price of a symbol, x 100,000."""

    bid: int
    ask: int
    at_ms: int


class Market:
    """Quotes of all symbols, moved on tick by tick.

    Args:
        symbols: what is quoted.
        settings: how prices move.
        now_ms: the beginning.
    """

    def __init__(self, symbols: Iterable[Symbol], settings: MarketSettings, *, now_ms: int) -> None:
        self.settings = settings
        self.symbols: dict[int, Symbol] = {symbol.symbol_id: symbol for symbol in symbols}
        self.prices: dict[int, Price] = {}
        self.tapes: dict[int, Tape] = {}
        self.schedules = {key: Schedule(symbol) for key, symbol in self.symbols.items()}
        self._streams: dict[int, Iterator[Tick]] = {}
        self._next: list[tuple[int, int, Tick]] = []
        self._chains: dict[tuple[str, str], tuple[tuple[int, bool], ...] | None] = {}
        recorded: dict[int, RecordedPath] = {}
        for symbol in self.symbols.values():
            if symbol.prices is None:
                continue
            self._open(symbol, recorded, now_ms)

    def _open(self, symbol: Symbol, recorded: dict[int, RecordedPath], now_ms: int) -> None:
        settings, symbol_id = self.settings, symbol.symbol_id
        path: Path
        if isinstance(symbol.prices, Seeded):
            path = SeededPath(
                mixed(settings.seed, symbol_id), start=symbol.prices.start_points, hourly=symbol.prices.hourly_points
            )
        else:
            path = recorded.setdefault(symbol.digits, RecordedPath(scale=10**symbol.digits))
        feed = Feed(
            path,
            FeedSettings(
                seed=mixed(settings.seed, symbol_id, 7),
                point=symbol.point,
                spread_points=symbol.spread_points,
                interval_ms=settings.interval_ms,
                phase_ms=symbol_id * 37 % settings.interval_ms,
                minutes_a_row=max(1, 60 // settings.speed),
                rows_a_minute=max(1, settings.speed // 60),
            ),
            anchor_ms=now_ms - now_ms % HOUR_MS,
            anchor_row=settings.start_hour,
            is_open=self.schedules[symbol_id].is_open if settings.schedules else None,
        )
        tape = Tape(feed, first_ms=periods.start_of(12, now_ms - settings.history_days * DAY_MS))
        self.tapes[symbol_id] = tape
        bid, ask = tape.path_sides(now_ms)
        self.prices[symbol_id] = Price(bid, ask, now_ms)
        self._plan(symbol_id, now_ms)

    def _plan(self, symbol_id: int, after_ms: int) -> None:
        stream = self.tapes[symbol_id].ahead(after_ms)
        self._streams[symbol_id] = stream
        tick = next(stream)
        heappush(self._next, (tick[0], symbol_id, tick))

    def next_tick_ms(self) -> int | None:
        """When the next tick of any symbol comes; None while all prices are held."""
        return self._next[0][0] if self._next else None

    def tick(self) -> tuple[int, Tick]:
        """Take the next tick: the symbol and its tick. The price has moved when this returns."""
        _, symbol_id, tick = self._next[0]
        following = next(self._streams[symbol_id])
        heapreplace(self._next, (following[0], symbol_id, following))
        self._move(symbol_id, tick)
        return symbol_id, tick

    def _move(self, symbol_id: int, tick: Tick) -> None:
        price = self.prices[symbol_id]
        price.at_ms = tick[0]
        if tick[1] is not None:
            price.bid = tick[1]
        if tick[2] is not None:
            price.ask = tick[2]
        self.tapes[symbol_id].heard(tick)

    def set_price(self, symbol_id: int, *, bid: int, ask: int, at_ms: int) -> Tick | None:
        """Take a symbol's price into one's own hands; it stays there until `release`.

        Returns:
            The tick that this makes, or None when the price is that already.
        """
        price, tape = self.prices[symbol_id], self.tapes[symbol_id]
        if not tape.held:
            tape.hold(at_ms)
            self._next = [planned for planned in self._next if planned[1] != symbol_id]
            heapify(self._next)
        tick = (at_ms, bid if bid != price.bid else None, ask if ask != price.ask else None)
        if tick[1] is None and tick[2] is None:
            return None
        tape.write(tick)
        self._move(symbol_id, tick)
        return tick

    def release(self, symbol_id: int, *, at_ms: int) -> Tick | None:
        """Let a symbol go back to its path, now and at once.

        Returns:
            The tick that this makes, or None when nothing changes.
        """
        tape = self.tapes[symbol_id]
        if not tape.held:
            return None
        bid, ask = tape.path_sides(at_ms)
        tick = self.set_price(symbol_id, bid=bid, ask=ask, at_ms=at_ms)
        tape.release(at_ms)
        self._plan(symbol_id, at_ms)
        return tick

    def change_symbol(self, symbol_id: int, **changes: Any) -> None:
        """Change what trading a symbol is like.

        Raises:
            KeyError: there is no such symbol.
            TypeError: this cannot be changed while it trades.
        """
        if not changes.keys() <= _CHANGEABLE:
            raise TypeError(f"cannot be changed: {', '.join(sorted(changes.keys() - _CHANGEABLE))}")
        self.symbols[symbol_id] = replace(self.symbols[symbol_id], **changes)

    def is_open(self, symbol_id: int, at_ms: int) -> bool:
        """Whether a symbol trades at a moment."""
        return not self.settings.schedules or self.schedules[symbol_id].is_open(at_ms)

    def chain(self, first: str, last: str) -> tuple[tuple[int, bool], ...] | None:
        """The shortest way from one asset to another: symbols in order, and whether each is to be turned around.

        None where there is no way.
        """
        key = (first, last)
        if key not in self._chains:
            self._chains[key] = self._found_chain(first, last)
        return self._chains[key]

    def _found_chain(self, first: str, last: str) -> tuple[tuple[int, bool], ...] | None:
        ways: dict[str, tuple[tuple[int, bool], ...]] = {first: ()}
        reached = [first]
        for asset in reached:
            if asset == last:
                return ways[asset]
            for symbol_id in self.prices:
                symbol = self.symbols[symbol_id]
                for here, there, turned in (
                    (symbol.base, symbol.quote, False),
                    (symbol.quote, symbol.base, True),
                ):
                    if here == asset and there not in ways:
                        ways[there] = (*ways[asset], (symbol_id, turned))
                        reached.append(there)
        return None

    def rate(self, first: str, last: str, *, buying: bool = False) -> Rate:
        """How much of `last` one of `first` is worth now.

        Args:
            first: name of an asset.
            last: name of an asset that can be reached from it.
            buying: what it costs, not what it brings.

        Raises:
            LookupError: no chain of symbols joins the two.
        """
        if first == last:
            return ONE
        chain = self.chain(first, last)
        if chain is None:
            raise LookupError(f"no symbols lead from {first} to {last}")
        numerator, denominator = 1, 1
        for symbol_id, turned in chain:
            price = self.prices[symbol_id]
            if turned:
                numerator *= 100_000
                denominator *= price.bid if buying else price.ask
            else:
                numerator *= price.ask if buying else price.bid
                denominator *= 100_000
        return numerator, denominator

    def session_close(self, symbol_id: int, *, now_ms: int) -> int:
        """The last bid of the trading day before this one, x 100,000 (`ProtoOASpotEvent.sessionClose`)."""
        tape = self.tapes[symbol_id]
        start_ms = periods.start_of(12, now_ms)
        for _, bid, _ in tape.ticks_back(start_ms - 1):
            if bid is not None:
                return bid
        raise AssertionError("a feed has ticks at all times")  # pragma: no cover
