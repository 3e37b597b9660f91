"""What is traded: assets, symbols with their true digits and lot sizes, leverage tiers (docs/protocol.md section 9)."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..wire import messages as oa

__all__ = [
    "Archived",
    "Asset",
    "AssetClass",
    "Category",
    "Holiday",
    "Prices",
    "Recorded",
    "Seeded",
    "Symbol",
    "Tier",
]


@dataclass(frozen=True, slots=True)
class Asset:
    """A currency, a metal, an index: what a symbol is quoted of and in.

    Attributes:
        asset_id: `ProtoOAAsset.assetId`.
        name: such as `EUR`.
        display_name: such as `Euro`.
        digits: decimals of an amount of it.
    """

    asset_id: int
    name: str
    display_name: str
    digits: int


@dataclass(frozen=True, slots=True)
class AssetClass:
    """A group of categories, such as Forex."""

    class_id: int
    name: str


@dataclass(frozen=True, slots=True)
class Category:
    """A group of symbols within an asset class."""

    category_id: int
    class_id: int
    name: str


@dataclass(frozen=True, slots=True)
class Archived:
    """A symbol that is not traded any more (`ProtoOAArchivedSymbol`)."""

    symbol_id: int
    name: str
    archived_ms: int
    description: str


@dataclass(frozen=True, slots=True)
class Tier:
    """One slice of a dynamic leverage (`ProtoOADynamicLeverageTier`).

    Attributes:
        volume_usd_cents: exposure up to which it applies.
        leverage_cents: leverage x 100: 1:100 is 10,000.
    """

    volume_usd_cents: int
    leverage_cents: int


@dataclass(frozen=True, slots=True)
class Holiday:
    """A day, or part of one, on which a symbol does not trade (`ProtoOAHoliday`).

    Attributes:
        holiday_id: its number.
        name: what is celebrated.
        day: days since 1970-01-01.
        recurring: whether it comes back each year on the same date.
        start_s: when trading ends on that day, seconds after midnight in the schedule's time zone.
        end_s: when trading begins again.
    """

    holiday_id: int
    name: str
    day: int
    recurring: bool = False
    start_s: int = 0
    end_s: int = 86_400


@dataclass(frozen=True, slots=True)
class Recorded:
    """Prices of the real EURUSD path of 2017 and 2018."""


@dataclass(frozen=True, slots=True)
class Seeded:
    """Prices of a seeded walk.

    Attributes:
        start_points: where it begins and is drawn back to.
        hourly_points: typical range of an hour.
    """

    start_points: int
    hourly_points: int


Prices = Recorded | Seeded | None
"""Where a symbol's prices come from; None: it has no quotes."""

_Weekday = oa.ProtoOADayOfWeek
_Commission = oa.ProtoOACommissionType

# Five sessions a week, Monday to Friday in Moscow, with a break of ten minutes a day (docs/protocol.md section 9).
_WEEK = tuple((day * 86_400 + 300, (day + 1) * 86_400 - 300) for day in range(1, 6))


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    """Something that can be traded. Volumes are in hundredths of a base unit.

    Attributes:
        symbol_id: its number here; real brokers number differently.
        name: such as `EURUSD`.
        base: asset that a volume counts.
        quote: asset that a price counts.
        category_id: its group.
        description: for people.
        digits: decimals of its prices.
        pip_position: decimal of one pip.
        lot_size: volume of one lot.
        min_volume: smallest order.
        step_volume: orders are multiples of it.
        max_volume: largest order.
        max_exposure: most that an account may hold on one side, or None.
        commission_rate: `preciseTradingCommissionRate`: x 10^8, for PERCENTAGE_OF_VALUE x 10^5.
        commission_type: what the rate is per.
        min_commission: `preciseMinCommission`, x 10^8.
        swap_long: of `swap_type`, for a buy; negative is charged.
        swap_short: the same for a sell.
        swap_type: PIPS, POINTS or PERCENTAGE (of the value, a year).
        swap_day_3x: the day on which three swaps are booked.
        swap_minute: minute of the day (UTC) at which swap is booked.
        conversion_fee: hundredths of a percent of gross profit, where the quote asset is not the account's.
        leverage_id: its tiers in `TIERS`.
        spread_points: typical spread.
        prices: where its prices come from.
        schedule: (begin, end) in seconds since Sunday 00:00 in `time_zone`.
        time_zone: of the schedule.
        holidays: days without trading.
        units: name of the unit that a volume counts, or None.
        trading_mode: `ProtoOATradingMode`.
        short_selling: whether it may be sold without being held.
        stop_distance_points: smallest distance of a stop loss or take profit from the market.
    """

    symbol_id: int
    name: str
    base: str
    quote: str
    category_id: int
    description: str
    digits: int
    pip_position: int
    lot_size: int
    min_volume: int
    step_volume: int
    max_volume: int
    max_exposure: int | None = None
    commission_rate: int = 0
    commission_type: int = _Commission.USD_PER_LOT
    min_commission: int = 0
    swap_long: float = 0.0
    swap_short: float = 0.0
    swap_type: int = oa.ProtoOASwapCalculationType.PIPS
    swap_day_3x: int = _Weekday.WEDNESDAY
    swap_minute: int = 21 * 60
    conversion_fee: int = 0
    leverage_id: int = 1
    spread_points: int = 10
    prices: Prices = field(default_factory=Recorded)
    schedule: tuple[tuple[int, int], ...] = _WEEK
    time_zone: str = "Europe/Moscow"
    holidays: tuple[Holiday, ...] = ()
    units: str | None = None
    trading_mode: int = oa.ProtoOATradingMode.ENABLED
    short_selling: bool = True
    stop_distance_points: int = 0

    @property
    def point(self) -> int:
        """One point of its price x 100,000."""
        return int(10 ** (5 - self.digits))
