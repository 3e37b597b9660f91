"""What callers want to hear, and the bounded streams that they hear it on.

The reader puts, consumers take. A put never waits: where a buffer is full, its policy says what gives.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import anyio
import anyio.lowlevel

from ..wire import units
from . import clock
from .errors import SessionClosed, SlowConsumer

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

__all__ = ["EVERY", "LATEST", "Delivery", "EventStream", "Spot", "SpotBoard", "SpotStream"]

T = TypeVar("T")

_MOST_BUFFERED = 10_000
"""Events that a subscriber may be behind: some minutes of a busy symbol; more is a consumer that has stopped."""
_LOOK_AT_CLOCK = 16
"""Events between two looks at the clock: a look costs as much as handling a tenth of one."""
_LONGEST_RUN_S = 0.01
"""How long a consumer may take events without letting other tasks run. A checkpoint for each would cost more than all
else together; none at all would leave a fast stream to itself."""


class Delivery(enum.Enum):
    """What happens to quotes that a subscriber has not taken yet."""

    LATEST = "latest"
    """The newest of each symbol stays, with a count of those that it replaced."""
    EVERY = "every"
    """All are kept, up to a bound; beyond it the stream ends with `SlowConsumer`."""


LATEST: Final = Delivery.LATEST
EVERY: Final = Delivery.EVERY


@dataclass(slots=True)
class Spot:
    """A symbol's best prices, both sides.

    Attributes:
        symbol: its name.
        symbol_id: its id at this broker.
        bid_wire: the bid in 1/100000 of the price (`ProtoOASpotEvent.bid`), or the last one where only the ask moved.
        ask_wire: likewise.
        at_ms: the server's time, where it was asked for (`subscribeToSpotTimestamp`), UTC milliseconds.
        heard_s: when its bytes arrived, on the clock of `clock.now_s`.
        conflated: how many older quotes this one replaced since the subscriber last took one (policy LATEST).
        message: the event that moved it, a `ProtoOASpotEvent` (its `trendbar`s, for one).
    """

    symbol: str
    symbol_id: int
    bid_wire: int
    ask_wire: int
    at_ms: int | None
    heard_s: float
    message: Any
    conflated: int = 0

    @property
    def bid(self) -> Decimal:
        """The price at which one sells."""
        return units.price_from_wire(self.bid_wire)

    @property
    def ask(self) -> Decimal:
        """The price at which one buys."""
        return units.price_from_wire(self.ask_wire)


class _Stream(ABC, Generic[T]):
    """The end that a consumer iterates over. Ends when the subscription is left."""

    def __init__(self) -> None:
        self._news = anyio.Event()
        self._error: Exception | None = None
        self._ended = False
        self._in_a_row = 0
        self._since_s = 0.0

    def end(self, error: Exception | None = None) -> None:
        """No more is coming; what is buffered is still given, then the error is raised."""
        if not self._ended:
            self._ended = True
            self._error = error
            self._news.set()

    def __aiter__(self) -> _Stream[T]:
        return self

    async def __anext__(self) -> T:
        self._in_a_row += 1
        if not self._in_a_row % _LOOK_AT_CLOCK and clock.now_s() - self._since_s > _LONGEST_RUN_S:
            await anyio.lowlevel.checkpoint()
            self._since_s = clock.now_s()
        while not self._filled():
            if self._ended:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            if self._news.is_set():
                self._news = anyio.Event()
            await self._news.wait()
            self._since_s = clock.now_s()
        return self._pop()

    @abstractmethod
    def _filled(self) -> bool:
        """Whether something waits to be taken."""

    @abstractmethod
    def _pop(self) -> T:
        """Takes the next one."""


class EventStream(_Stream[T]):
    """Every event, up to a bound; a subscriber that falls behind it is told so by `SlowConsumer`."""

    def __init__(self, *, most: int = _MOST_BUFFERED, wanted: Callable[[T], bool] | None = None) -> None:
        super().__init__()
        self._most = most
        self._wanted = wanted
        self._buffer: deque[T] = deque()

    def put(self, event: T) -> None:
        """One more; never waits."""
        if self._ended:
            return
        try:
            if self._wanted is not None and not self._wanted(event):
                return
        except Exception as error:
            self.end(error)  # the subscriber's own fault is the subscriber's, not the reader's
            return
        if len(self._buffer) >= self._most:
            dropped = len(self._buffer) + 1
            self._buffer.clear()
            self.end(SlowConsumer(f"the subscriber was {dropped} events behind, its stream was ended", dropped=dropped))
            return
        self._buffer.append(event)
        self._news.set()

    def _filled(self) -> bool:
        return bool(self._buffer)

    def _pop(self) -> T:
        return self._buffer.popleft()


class _LatestStream(_Stream[Spot]):
    def __init__(self) -> None:
        super().__init__()
        self._newest: dict[int, Spot] = {}

    def put(self, spot: Spot) -> None:
        if self._ended:
            return
        replaced = self._newest.pop(spot.symbol_id, None)
        if replaced is not None:
            # The same object goes to other subscribers: theirs replaced nothing.
            spot = Spot(
                spot.symbol,
                spot.symbol_id,
                spot.bid_wire,
                spot.ask_wire,
                spot.at_ms,
                spot.heard_s,
                spot.message,
                replaced.conflated + 1,
            )
        self._newest[spot.symbol_id] = spot
        self._news.set()

    def _filled(self) -> bool:
        return bool(self._newest)

    def _pop(self) -> Spot:
        return self._newest.pop(next(iter(self._newest)))


SpotStream = EventStream[Spot] | _LatestStream


def spot_stream(policy: Delivery, *, most: int = _MOST_BUFFERED) -> SpotStream:
    """A stream of the given policy."""
    return _LatestStream() if policy is Delivery.LATEST else EventStream(most=most)


class SpotBoard:
    """The last quote of each symbol of one account, and who wants to hear of the next.

    docs/protocol.md section 11: events carry only the side that changed; a subscriber always gets both.
    """

    def __init__(self) -> None:
        self._spots: dict[int, Spot] = {}
        self._sides: dict[int, tuple[int, int]] = {}  # one of them 0: the side that is not known yet
        self._streams: dict[int, tuple[SpotStream, ...]] = {}
        self._names: dict[int, str] = {}

    def last(self, symbol_id: int) -> Spot | None:
        """The newest quote with both sides known, or None."""
        return self._spots.get(symbol_id)

    @property
    def wanted(self) -> tuple[int, ...]:
        """The symbol ids that somebody listens to."""
        return tuple(self._streams)

    def join(self, symbol_id: int, name: str, stream: SpotStream) -> bool:
        """One more listener; True if it is the first of this symbol."""
        first = symbol_id not in self._streams
        self._names[symbol_id] = name
        self._streams[symbol_id] = (*self._streams.get(symbol_id, ()), stream)
        if not first and (spot := self._spots.get(symbol_id)) is not None:
            stream.put(spot)  # the server tells the last prices only to whoever subscribes first
        return first

    def leave(self, symbol_id: int, stream: SpotStream) -> bool:
        """One listener less; True if it was the last of this symbol."""
        left = tuple(other for other in self._streams.get(symbol_id, ()) if other is not stream)
        if left:
            self._streams[symbol_id] = left
            return False
        if self._streams.pop(symbol_id, None) is None:
            return False
        self.forget(symbol_id)
        return True

    def forget(self, symbol_id: int | None = None) -> None:
        """Prices are not known any more: of one symbol, or of all."""
        if symbol_id is None:
            self._spots.clear()
            self._sides.clear()
        else:
            self._spots.pop(symbol_id, None)
            self._sides.pop(symbol_id, None)

    def heard(self, message: Any, *, now_s: float) -> None:
        """A `ProtoOASpotEvent` of this account."""
        symbol_id = message.symbolId
        streams = self._streams.get(symbol_id)
        if streams is None:
            return  # section 11: late events may come after the unsubscription
        bid, ask = message.bid, message.ask
        if not (bid and ask):
            old_bid, old_ask = self._sides.get(symbol_id, (0, 0))
            bid, ask = bid or old_bid, ask or old_ask
        self._sides[symbol_id] = (bid, ask)
        if not (bid and ask):
            return
        at_ms = message.timestamp if message.HasField("timestamp") else None
        spot = Spot(self._names[symbol_id], symbol_id, bid, ask, at_ms, now_s, message)
        self._spots[symbol_id] = spot
        for stream in streams:
            stream.put(spot)

    def end(self, reason: str) -> None:
        """The session is left: every stream ends."""
        for streams in self._streams.values():
            for stream in streams:
                stream.end(SessionClosed(reason))
        self._streams.clear()
