"""What callers want to hear, and the bounded streams that they hear it on.

The reader puts, consumers take. A put never waits: where a buffer is full, its policy says what gives.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import anyio
import anyio.lowlevel

from ..wire import units
from . import clock
from .errors import SessionClosed, SlowConsumer
from .quote_times import QuoteTimes, ServerLag

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from decimal import Decimal
    from typing import Self

__all__ = ["EVERY", "LATEST", "Delivery", "EventStream", "Spot", "SpotBoard", "SpotStream"]

T = TypeVar("T")

_MOST_BUFFERED = 10_000
"""Events that a subscriber may be behind: some minutes of a busy symbol; more is a consumer that has stopped."""
_MOST_A_LOOK = 15
"""Events between two looks at the clock, where the consumer is quick: a look costs as much as handling one or two."""
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
        bid_wire: the bid in 1/100000 of the price (`ProtoOASpotEvent.bid`), or the last one where only the ask moved.
        ask_wire: likewise.
        heard_s: when its bytes arrived, on the clock of `clock.now_s`.
        message: the event that moved it, a `ProtoOASpotEvent` (its `trendbar`s, for one).
        made_s: when it was made, on the same clock, as far as that is known: what repeats an earlier quote is as old as
            that one. Minus infinity where nothing tells.
        conflated: how many older quotes this one replaced since the subscriber last took one (policy LATEST).
    """

    symbol: str
    bid_wire: int
    ask_wire: int
    heard_s: float
    message: Any
    made_s: float
    conflated: int = 0

    # What not everybody asks for is made when it is asked for: a quote that is only looked at costs half as much.

    @property
    def symbol_id(self) -> int:
        """The symbol's id at this broker."""
        symbol_id: int = self.message.symbolId
        return symbol_id

    @property
    def at_ms(self) -> int | None:
        """The server's time, where it was asked for (`subscribeToSpotTimestamp`), UTC milliseconds."""
        return self.message.timestamp if self.message.HasField("timestamp") else None

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
        self._run = 0  # events until the next look at the clock: fewer where the consumer takes long over each
        self._left = 0  # of them
        self._looked_s = 0.0
        self._since_s = 0.0  # the consumer has run since, without letting others

    def end(self, error: Exception | None = None) -> None:
        """No more is coming; what is buffered is still given, then the error is raised."""
        if not self._ended:
            self._ended = True
            self._error = error
            self._news.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        self._left -= 1
        if self._left >= 0 and self._filled():
            return self._pop()
        return await self._next()

    async def _next(self) -> T:
        """The next one, with a look at the clock, and waited for where there is none."""
        now_s = clock.now_s()
        took_s = now_s - self._looked_s
        if now_s - self._since_s + took_s > _LONGEST_RUN_S:  # another run like the last one would be too long
            await anyio.lowlevel.checkpoint()
            now_s = self._since_s = clock.now_s()
        fitting = int((self._run + 1) * _LONGEST_RUN_S / 2 / took_s) if took_s > 0 else _MOST_A_LOOK
        self._left = self._run = min(2 * self._run + 1, fitting, _MOST_A_LOOK)
        self._looked_s = now_s
        while not self._filled():
            if self._ended:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            if self._news.is_set():
                self._news = anyio.Event()
            await self._news.wait()
            self._since_s = self._looked_s = clock.now_s()
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

    async def __anext__(self) -> T:
        # As in the base, without its two calls: this is the path of every quote.
        self._left -= 1
        if self._left >= 0 and self._buffer:
            return self._buffer.popleft()
        return await self._next()

    def put(self, event: T) -> None:
        """One more; never waits."""
        self.put_all((event,))

    def put_all(self, events: Sequence[T]) -> None:
        """Several more, in their order; never waits."""
        if self._ended:
            return
        if self._wanted is not None:
            try:
                events = [event for event in events if self._wanted(event)]
            except Exception as error:
                self.end(error)  # the subscriber's own fault is the subscriber's, not the reader's
                return
        buffer = self._buffer
        if (dropped := len(buffer) + len(events)) > self._most:
            buffer.clear()
            self.end(SlowConsumer(f"the subscriber was {dropped} events behind, its stream was ended", dropped=dropped))
        elif events:
            buffer.extend(events)
            self._news.set()

    def _filled(self) -> bool:
        return bool(self._buffer)

    def _pop(self) -> T:
        return self._buffer.popleft()


class _LatestStream(_Stream[Spot]):
    def __init__(self) -> None:
        super().__init__()
        self._newest: dict[int, Spot] = {}

    def put_all(self, spots: Sequence[Spot]) -> None:
        if self._ended:
            return
        newest = self._newest
        for spot in spots:
            symbol_id = spot.symbol_id
            replaced = newest.pop(symbol_id, None)
            if replaced is not None:
                # The same object goes to other subscribers: theirs replaced nothing.
                spot = replace(spot, conflated=replaced.conflated + 1)
            newest[symbol_id] = spot
        self._news.set()

    def _filled(self) -> bool:
        return bool(self._newest)

    def _pop(self) -> Spot:
        return self._newest.pop(next(iter(self._newest)))


SpotStream = EventStream[Spot] | _LatestStream


def spot_stream(policy: Delivery, *, most: int = _MOST_BUFFERED) -> SpotStream:
    """A stream of the given policy."""
    return _LatestStream() if policy is Delivery.LATEST else EventStream(most=most)


@dataclass(slots=True)
class _Quoted:
    """A symbol that somebody listens to: its last prices, and who hears the next; 0 for a side that is not known."""

    name: str
    streams: tuple[SpotStream, ...]
    bid: int = 0
    ask: int = 0
    last: Spot | None = None
    times: QuoteTimes = field(default_factory=QuoteTimes)


class SpotBoard:
    """The last quote of each symbol of one account, and who wants to hear of the next.

    docs/protocol.md section 11: events carry only the side that changed; a subscriber always gets both.
    """

    def __init__(self) -> None:
        self._quoted: dict[int, _Quoted] = {}
        self._lag = ServerLag()

    def last(self, symbol_id: int) -> Spot | None:
        """The newest quote with both sides known, or None."""
        quoted = self._quoted.get(symbol_id)
        return quoted.last if quoted is not None else None

    @property
    def wanted(self) -> tuple[int, ...]:
        """The symbol ids that somebody listens to."""
        return tuple(self._quoted)

    def join(self, symbol_id: int, name: str, stream: SpotStream) -> bool:
        """One more listener; True if it is the first of this symbol."""
        quoted = self._quoted.get(symbol_id)
        if quoted is None:
            self._quoted[symbol_id] = _Quoted(name, (stream,))
            return True
        quoted.streams = (*quoted.streams, stream)
        if quoted.last is not None:
            stream.put_all((quoted.last,))  # the server tells the last prices only to whoever subscribes first
        return False

    def leave(self, symbol_id: int, stream: SpotStream) -> bool:
        """One listener less; True if it was the last of this symbol."""
        quoted = self._quoted.get(symbol_id)
        if quoted is None:
            return False
        quoted.streams = tuple(other for other in quoted.streams if other is not stream)
        if quoted.streams:
            return False
        del self._quoted[symbol_id]
        return True

    def drop(self, symbol_id: int, error: Exception) -> None:
        """The server gives no quotes of this symbol any more: who hears them is told, and hears nothing more."""
        quoted = self._quoted.pop(symbol_id, None)
        for stream in quoted.streams if quoted is not None else ():
            stream.end(error)

    def forget(self) -> None:
        """Prices are not known any more."""
        for quoted in self._quoted.values():
            quoted.bid = quoted.ask = 0
            quoted.last = None
            quoted.times = QuoteTimes()

    def heard(self, *messages: Any, now_s: float) -> None:
        """One or more `ProtoOASpotEvent` of this account, in the order of arrival."""
        run: list[Spot] = []
        streams: tuple[SpotStream, ...] = ()  # of the run
        for message in messages:
            quoted = self._quoted.get(message.symbolId)
            if quoted is None:
                continue  # section 11: late events may come after the unsubscription
            made_s = quoted.times.made_s(message.timestamp, now_s, self._lag)
            bid, ask = message.bid, message.ask
            if bid:
                quoted.bid = bid
            else:
                bid = quoted.bid
            if ask:
                quoted.ask = ask
            else:
                ask = quoted.ask
            if not (bid and ask):
                continue
            quoted.last = spot = Spot(quoted.name, bid, ask, now_s, message, made_s)
            if quoted.streams is not streams:
                for stream in streams:
                    stream.put_all(run)
                run, streams = [], quoted.streams
            run.append(spot)
        for stream in streams:
            stream.put_all(run)

    def end(self, reason: str) -> None:
        """The session is left: every stream ends."""
        for quoted in self._quoted.values():
            for stream in quoted.streams:
                stream.end(SessionClosed(reason))
        self._quoted.clear()
