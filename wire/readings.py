"""One number of a message as people read it: scaled, with its unit, a time as UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from ..proto.schema import MESSAGES
from . import messages as oa
from .scales import Scale
from .units import (
    DEFAULT_MONEY_DIGITS,
    commission_rate_from_wire,
    conversion_fee_rate_from_wire,
    decimal_from_double,
    distance_from_relative,
    leverage_from_cents,
    maintenance_end_ms,
    money_digits_of,
    money_from_wire,
    ms_from_minutes,
    price_from_double,
    price_from_wire,
    units_from_volume_cents,
    utc_from_ms,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Place", "Reading", "number_text", "reading_of", "utc_text"]

_MS_OF_DAY: Final = 86_400_000
_DAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_WITH_DIGITS: Final = frozenset(cls for cls in MESSAGES.values() if "moneyDigits" in cls.DESCRIPTOR.fields_by_name)


@dataclass(slots=True)
class Place:
    """What the numbers of a message depend on: the message that they stand in, and what is around it.

    Attributes:
        message: where the field stands.
        money_digits: of the message, or of the one around it where it has none of its own.
        sums: of the ticks up to this one, time and price: only the first of a list is absolute (docs/protocol.md
            section 12). None outside such a list.
    """

    message: Any = None
    money_digits: int = DEFAULT_MONEY_DIGITS
    sums: tuple[int, int] | None = None

    def within(self, message: Any) -> Place:
        """The place of the fields of a message that stands here."""
        digits = money_digits_of(message) if type(message) in _WITH_DIGITS else self.money_digits
        return Place(message, digits, self.sums)

    def of(self, part: Any) -> Place:
        """The place of a part of this message; parts of a list are asked for one after the other."""
        if type(part) is oa.ProtoOATickData:
            at_ms, tick = self.sums or (0, 0)
            self.sums = (at_ms + part.timestamp, tick + part.tick)
        return self


Reading = tuple[str, bool]
"""What a person reads, and whether the number on the wire is to be shown beside it."""


def reading_of(scale: Scale) -> Callable[[Any, Place], Reading]:
    """How a number of this scale is read. A number that its scale cannot mean is shown as it is, and says so."""
    read = _READERS[scale]

    def checked(value: Any, place: Place) -> Reading:
        try:
            return read(value, place)
        except ValueError:
            return f"{value} (no such value)", False

    return checked


def number_text(value: float) -> str:
    """A double as the decimal number that its sender meant; `NaN` and `Infinity` by these names."""
    try:
        return _plain(decimal_from_double(value))
    except ValueError:
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(str(value), str(value))


def utc_text(at_ms: int) -> str:
    """Milliseconds since the epoch as `2026-11-22T19:40:00.123Z`.

    Raises:
        ValueError: they lie outside the years 1 to 9999.
    """
    seconds, ms = divmod(at_ms, 1000)
    return f"{_second_text(seconds)}.{ms:03d}Z"


@lru_cache(maxsize=1024)  # what is said in a second carries its time many times
def _second_text(seconds: int) -> str:
    return utc_from_ms(seconds * 1000).isoformat(timespec="seconds").removesuffix("+00:00")


def _plain(number: Decimal) -> str:
    return f"{number:f}"


@lru_cache(maxsize=1024)  # quotes repeat their prices, and to make a decimal number costs more than to look it up
def _price_text(points: int) -> str:
    return _plain(price_from_wire(points))


def _points(value: int, place: Place) -> Reading:
    return _price_text(value if place.sums is None else place.sums[1]), True


def _ms(value: int, place: Place) -> Reading:
    return utc_text(value if place.sums is None else place.sums[0]), True


def _above_low(value: int, place: Place) -> Reading:
    if place.message.HasField("low"):
        return f"{_price_text(place.message.low + value)} (low + {value})", False
    return f"low + {_plain(price_from_wire(value))}", True


def _price(value: float, place: Place) -> Reading:
    return _plain(price_from_double(value)), False


def _volume(value: int, place: Place) -> Reading:
    unit = getattr(place.message, "measurementUnits", "") or "units"
    return f"{_plain(units_from_volume_cents(value))} {unit if unit.isprintable() else 'units'}", True


def _money(value: int, place: Place) -> Reading:
    return f"{_plain(money_from_wire(value, money_digits=place.money_digits))} of deposit currency", True


def _slippage(value: int, place: Place) -> Reading:
    return f"{value} points", False


def _ticks(value: int, place: Place) -> Reading:
    return f"{value} ticks", False


def _distance(value: int, place: Place) -> Reading:
    return f"{_plain(distance_from_relative(value))} of price", True


def _end(value: int, place: Place) -> Reading:
    return utc_text(maintenance_end_ms(value)), True


def _minutes(value: int, place: Place) -> Reading:
    return utc_text(ms_from_minutes(value)), True


def _days(value: int, place: Place) -> Reading:
    return utc_text(value * _MS_OF_DAY)[:10], True


def _seconds(value: int, place: Place) -> Reading:
    return f"{value} s", False


def _of_week(value: int, place: Place) -> Reading:
    days, seconds = divmod(value, 86_400)
    if days > len(_DAYS):
        raise ValueError("a week has seven days")
    return f"{_DAYS[days % 7]} {_clock(seconds)}", True


def _of_day(value: int, place: Place) -> Reading:
    return _clock(value), True


def _hours(value: int, place: Place) -> Reading:
    return f"{value} h", False


def _minutes_of_day(value: int, place: Place) -> Reading:
    return f"{_clock(value * 60)} UTC", True


def _clock(seconds: int) -> str:
    if seconds < 0:
        raise ValueError("no time of a day")
    return str(timedelta(seconds=seconds)).rjust(8, "0")


def _leverage(value: int, place: Place) -> Reading:
    return f"1:{_plain(leverage_from_cents(value))}", True


def _commission(value: int, place: Place) -> Reading:
    kind = place.message.commissionType
    rate = commission_rate_from_wire(value, commission_type=kind)
    return f"{_plain(rate)} {oa.ProtoOACommissionType(kind).name}", True


def _least_commission(value: int, place: Place) -> Reading:
    return _plain(money_from_wire(value, money_digits=8)), True


def _conversion_fee(value: int, place: Place) -> Reading:
    return f"{_plain(conversion_fee_rate_from_wire(value) * 100)} %", True


def _symbol(value: int, place: Place) -> Reading:
    return str(value), False


_READERS: Final[Mapping[Scale, Callable[[Any, Place], Reading]]] = MappingProxyType(
    {
        Scale.POINTS: _points,
        Scale.DISTANCE: _distance,
        Scale.ABOVE_LOW: _above_low,
        Scale.PRICE: _price,
        Scale.SLIPPAGE: _slippage,
        Scale.VOLUME: _volume,
        Scale.TICKS: _ticks,
        Scale.MONEY: _money,
        Scale.MS: _ms,
        Scale.END: _end,
        Scale.MINUTES: _minutes,
        Scale.DAYS: _days,
        Scale.SECONDS: _seconds,
        Scale.OF_WEEK: _of_week,
        Scale.OF_DAY: _of_day,
        Scale.HOURS: _hours,
        Scale.MINUTES_OF_DAY: _minutes_of_day,
        Scale.LEVERAGE: _leverage,
        Scale.COMMISSION: _commission,
        Scale.LEAST_COMMISSION: _least_commission,
        Scale.CONVERSION_FEE: _conversion_fee,
        Scale.SYMBOL: _symbol,
    }
)
