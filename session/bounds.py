"""How long things may take, how often they may be asked for, and how large they may be."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import time
from decimal import Decimal

from .environments import Environment
from .errors import SettingsError
from .rules import Percent, amount, check_fields, described, loss, lots, names, seconds, time_of_day, whole, whole_or

__all__ = ["AllowedSymbols", "LargestOrder", "Limits", "NoLimit", "Percent", "Rates", "Timings"]


class NoLimit(enum.Enum):
    """What a limit is that is not set."""

    UNLIMITED = "unlimited"


class AllowedSymbols(enum.Enum):
    """Symbols that are not named one by one."""

    ALL = "all"


class LargestOrder(enum.Enum):
    """A largest order that is not a number of lots."""

    SMALLEST = "smallest"
    """The smallest that the symbol takes (`ProtoOASymbol.minVolume`)."""
    UNLIMITED = "unlimited"
    """What the symbol and the account take. Not to be had on live: there, say how much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """How long things may take, in seconds; how often one looks, and when.

    Raises:
        SettingsError: a field breaks its rule, or the watchdog would bark before a heartbeat is due.
    """

    heartbeat_s: float = field(
        default=8.0,
        metadata=described(
            seconds(below=10),
            "longest time without a frame of ours: then a heartbeat leaves",
            reason="the server wants a frame each 10 s; 2 s are left for a busy loop and a slow network",
        ),
    )
    watchdog_s: float = field(
        default=60.0,
        metadata=described(
            seconds(most=3_600),
            "longest silence of the server: then the link counts as dead; must be longer than the heartbeat",
            reason="an idle server sends its heartbeat every 25 to 30 s: two of them may be lost. Below 30 s a "
            "healthy but idle link is cut; only a test wants that",
        ),
    )
    connect_s: float = field(
        default=15.0,
        metadata=described(
            seconds(most=3_600),
            "longest time for name, TCP, TLS and application auth together",
            reason="a healthy one takes well under a second; a lost SYN is sent again after 1, 3 and 7 s",
        ),
    )
    request_s: float = field(
        default=10.0,
        metadata=described(
            seconds(most=3_600),
            "longest wait for an answer where the caller names none, time in the queue included",
            reason="answers take about 50 ms; a server that has taken 200 times that is not answering",
        ),
    )
    order_queue_s: float = field(
        default=2.0,
        metadata=described(
            seconds(most=60),
            "longest time from the checks of an order until it leaves, its record and our queue: then it fails unsent",
            reason="an order that leaves late meets another price than the one that it was made for",
        ),
    )
    fill_s: float = field(
        default=3.0,
        metadata=described(
            seconds(most=60),
            "longest time from the sending of an order that fills at once, or of a close, until its fill is told: then "
            "the server is asked what became of it",
            reason="a market order fills within 0.2 s: 15 times that means that its event was lost on the way",
        ),
    )
    protection_s: float = field(
        default=2.0,
        metadata=described(
            seconds(most=60),
            "longest time from a fill until its stop loss and take profit are confirmed: then it is reported as "
            "unprotected, and closed if its order asked for that",
            reason="the server's protective order follows its fill within 20 ms: 100 times that means it does not come",
        ),
    )
    absent_s: float = field(
        default=30.0,
        metadata=described(
            seconds(most=3_600),
            "shortest time over which looks at the server's lists must find nothing of a request whose outcome is "
            "unknown, before it counts as never arrived",
            reason="the server's history lags (docs/protocol.md section 12), by how much is not known",
        ),
    )
    absent_looks: int = field(
        default=3,
        metadata=described(
            whole(2, 1_000),
            "how many of these looks there must be, the first and the last included",
            reason="one look proves nothing, and a second may meet the same lag; each costs two historical requests",
        ),
    )
    snapshot_at: time = field(
        default=time(0, 0),
        metadata=described(
            time_of_day(),
            "when, each day, what is open is written into `position_snapshot.jsonl`, UTC",
            default="`00:00`",
            reason="with the day's files; set it to the broker's rollover to count as its statements do",
        ),
    )
    write_s: float = field(
        default=10.0,
        metadata=described(
            seconds(most=3_600),
            "longest time for one write: then the link counts as dead",
            reason="a write that blocks holds the heartbeats back, and after 10 s without one the server may close",
        ),
    )
    reconnect_first_s: float = field(
        default=1.0,
        metadata=described(
            seconds(most=3_600),
            "longest wait before the first try after a loss; the ceiling doubles with each loss",
            reason="each wait is anywhere between nothing and its ceiling: all clients lose a server at once",
        ),
    )
    reconnect_most_s: float = field(
        default=60.0,
        metadata=described(
            seconds(most=86_400),
            "ceiling of the wait before a try",
            reason="a server that is back should not be left alone for long",
        ),
    )
    reconnect_steady_s: float = field(
        default=60.0,
        metadata=described(
            seconds(most=86_400),
            "how long a session must have been ready for its next loss to count as the first again",
            reason="a server that takes a connection and drops it at once must not be asked every second",
        ),
    )

    refresh_ahead_s: float = field(
        default=259_200.0,
        metadata=described(
            seconds(most=864_000),
            "how long before its end an access token is renewed, at most half its life before; its end is known "
            "only of tokens that `anyctrader login` or a renewal brought",
            reason="three days: a token must not end within a weekend on which the server cannot be reached",
        ),
    )

    def __post_init__(self) -> None:
        check_fields(self)
        if self.watchdog_s <= self.heartbeat_s:
            raise SettingsError(["watchdog_s must be longer than heartbeat_s"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How many requests a second may leave on a connection, over a rolling second.

    Raises:
        SettingsError: a field breaks its rule.
    """

    ordinary_per_s: int = field(
        default=50,
        metadata=described(
            whole(1, 1_000_000),
            "most requests a second that are not historical",
            reason="the server's limit per connection (docs/protocol.md section 5); it refuses what is above",
        ),
    )
    historical_per_s: int = field(
        default=5,
        metadata=described(
            whole(1, 1_000_000),
            "most requests a second for history",
            reason="the server's limit per connection (docs/protocol.md section 5); it refuses what is above",
        ),
    )

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an order, and the orders together, may not exceed. The defaults are those of live.

    Raises:
        SettingsError: a field breaks its rule.
    """

    allowed_symbols: tuple[str, ...] | AllowedSymbols = field(
        default=AllowedSymbols.ALL,
        metadata=described(
            names(AllowedSymbols),
            "symbols that may be traded, as the broker writes them",
            default="`all`",
            reason="every symbol that the account has; a program that trades two of them should say so",
        ),
    )
    largest_order_lots: Decimal | LargestOrder = field(
        default=LargestOrder.SMALLEST,
        metadata=described(
            lots(LargestOrder),
            "largest order, in lots: an amount, `smallest` (the symbol's smallest), or on demo `unlimited`",
            default="`unlimited` on demo, `smallest` on live",
            reason="what is larger on live is larger because somebody said so",
        ),
    )
    most_positions: int | NoLimit = field(
        default=NoLimit.UNLIMITED,
        metadata=described(
            whole_or(1, 1_000_000, NoLimit),
            "most positions open at a time; orders that work, are under way or of unknown outcome count as filled",
            default="`unlimited`",
            reason="an order that names no position counts as a new one, though a netted account may add it to one",
        ),
    )
    most_exposure_lots: Decimal | NoLimit = field(
        default=NoLimit.UNLIMITED,
        metadata=described(
            lots(NoLimit),
            "most lots of one symbol on one side; orders that work, are under way or of unknown outcome count as "
            "filled",
            default="`unlimited`",
            reason="sides are not set off against each other: any of them may be closed first",
        ),
    )
    orders_per_minute: int | NoLimit = field(
        default=NoLimit.UNLIMITED,
        metadata=described(
            whole_or(1, 1_000_000, NoLimit),
            "most orders within 60 s; closes, cancels and amends do not count",
            default="`unlimited`",
            reason="against a program that has gone wild; those of the last minute count over a restart, too",
        ),
    )
    price_collar_percent: Decimal | NoLimit = field(
        default=NoLimit.UNLIMITED,
        metadata=described(
            amount("per cent such as 0.5", NoLimit),
            "furthest that the price of an order may be from the last quote, either way; without a quote that is "
            "young enough, no order leaves, market orders included",
            default="`unlimited`",
            reason="against a slipped digit; a limit order that waits far away on purpose needs a wide one",
        ),
    )
    quote_age_s: float = field(
        default=10.0,
        metadata=described(
            seconds(most=3_600),
            "oldest quote that the collar may be held against",
            reason="liquid symbols move several times a second; a quote of 10 s may be that of a feed that has stopped",
        ),
    )
    loss_of_day: Decimal | Percent | NoLimit = field(
        default=Percent(Decimal(1)),
        metadata=described(
            loss(NoLimit),
            "loss of the day, realised with all charges and unrealised together, at which no order leaves any more "
            "and the environment may only be reduced: money in deposit currency, or a share of the balance at the "
            "start of the day; on demo also `unlimited`",
            default="`unlimited` on demo, `1%` on live",
            reason="what may be lost on live without anybody having said so",
        ),
    )
    loss_check_s: float = field(
        default=2.0,
        metadata=described(
            seconds(most=3_600),
            "how often the loss of the day is looked at, and how old it may be for an order",
            reason="the documentation advises to ask for the unrealised profit every 2 to 3 s "
            "(docs/protocol.md section 13)",
        ),
    )
    day_start_hour: int = field(
        default=0,
        metadata=described(
            whole(0, 23),
            "hour at which a day begins for the loss of the day, UTC",
            reason="set it to the hour of the broker's rollover, 21 or 22, to count as its statements do",
        ),
    )

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def in_force(self) -> tuple[str, ...]:
        """The names of those that are set."""
        names = (
            "allowed_symbols",
            "largest_order_lots",
            "most_positions",
            "most_exposure_lots",
            "orders_per_minute",
            "price_collar_percent",
            "loss_of_day",
        )
        free = (AllowedSymbols.ALL, LargestOrder.UNLIMITED, NoLimit.UNLIMITED)
        return tuple(name for name in names if getattr(self, name) not in free)

    @classmethod
    def standard(cls, environment: Environment) -> Limits:
        """The limits of an environment for which nothing was said."""
        if environment.is_live:
            return cls()
        return cls(largest_order_lots=LargestOrder.UNLIMITED, loss_of_day=NoLimit.UNLIMITED)
