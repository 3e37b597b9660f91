"""Exact conversions between what the wire carries and what people mean, named after the unit that they give.

Three scales meet here (docs/protocol.md section 8): prices are integers of 1/100000 or doubles, volumes are
hundredths of a unit, money has a number of digits of its own in every message. What comes out is a `Decimal`
or an integer; what cannot be said exactly is refused, not rounded, unless the name says otherwise.

A float is refused wherever money, a volume or a price of ours is meant: 0.1 + 0.2 is not 0.3 there, and the
error would show only in somebody's account. Prices that *arrive* as doubles are floats by nature; they have
functions of their own, which end in `_from_double`.

Each function raises `TypeError` for a float (or a bool) where an exact number or an integer is due, and
`ValueError` for what is not finite; other reasons are in its own docstring.
"""

from __future__ import annotations

import operator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation
from typing import Final, Literal, Protocol

from . import messages as oa
from .exact_numbers import MOST_DIGITS, ExactNumber, exact

__all__ = [
    "DEFAULT_MONEY_DIGITS",
    "DOUBLE_DIGITS",
    "ExactNumber",
    "commission_rate_from_wire",
    "conversion_fee_rate_from_wire",
    "decimal_from_double",
    "distance_from_pips",
    "distance_from_points",
    "distance_from_relative",
    "double_from_price",
    "exact",
    "leverage_from_cents",
    "lots_from_volume_cents",
    "maintenance_end_ms",
    "minutes_from_ms",
    "money_digits_of",
    "money_from_wire",
    "ms_from_minutes",
    "ms_from_utc",
    "nearest_relative_from_distance",
    "pip_size",
    "pips_from_distance",
    "point_size",
    "points_from_distance",
    "price_from_double",
    "price_from_wire",
    "relative_from_distance",
    "units_from_volume_cents",
    "utc_from_minutes",
    "utc_from_ms",
    "volume_cents_from_lots",
    "volume_cents_from_units",
    "wire_money_from_money",
    "wire_price_from_price",
]

DEFAULT_MONEY_DIGITS: Final = 2
"""What an absent `moneyDigits` stands for (docs/protocol.md section 8)."""

DOUBLE_DIGITS: Final = 15
"""Significant digits of a decimal number that a double on the wire keeps apart: see `decimal_from_double`."""

_WIRE_PRICE_DIGITS: Final = 5  # prices on the wire are integers of 1/100000, whatever the symbol's digits
_MOST_PLACES: Final = 20  # decimals of any price or money; the schema has int32, servers send 0 to 8
_INT64: Final = 2**63
_MOST_BITS_SHOWN: Final = 256  # of a number in an error
_SECONDS_END: Final = 10**11  # as ms that is March 1973, as s the year 5138

# Wide enough for the product of any two numbers that pass `exact`, and an error where a digit would be lost:
# the caller's own decimal context can neither round our results nor be changed by them. Flags are never read.
_EXACT: Final = Context(prec=4 * MOST_DIGITS, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, Inexact])
# For quotients, which may have no end: as many digits as decimal gives by default.
_QUOTIENT: Final = Context(prec=28, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation])
_ROUNDED: Final = Context(prec=4 * MOST_DIGITS, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation])

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class _HasMoneyDigits(Protocol):
    moneyDigits: int

    def HasField(self, field_name: Literal["moneyDigits"], /) -> bool: ...


# Prices


def price_from_wire(wire_price: int, *, digits: int | None = None) -> Decimal:
    """Price from an integer of 1/100000 (spots, depth, trendbars, ticks, `sessionClose`).

    Args:
        wire_price: the price times 100,000, for every symbol alike.
        digits: the symbol's digits, to round to; None gives all five places.
    """
    price = Decimal(_whole(wire_price)).scaleb(-_WIRE_PRICE_DIGITS, _EXACT)
    return price if digits is None else price.quantize(point_size(digits=digits), context=_ROUNDED)


def wire_price_from_price(price: ExactNumber) -> int:
    """Integer of 1/100000 from a price.

    Raises:
        ValueError: it has more than five decimals, is not a number, or is larger than 64 bits hold.
    """
    return _integer(_EXACT.scaleb(exact(price), _WIRE_PRICE_DIGITS), f"price {price}", "has more than 5 decimals")


def decimal_from_double(value: float) -> Decimal:
    """The decimal number that a double on the wire stands for: rates, prices of a symbol not known.

    Doubles hold 15 significant digits of any decimal number, so these are what the sender meant; the digits
    after them are noise of the binary form and are rounded away.

    Raises:
        TypeError: it is no number.
        ValueError: it is NaN, infinite, or of no size that anybody could mean (see `exact`).
    """
    if isinstance(value, bool) or not isinstance(value, (float, int)):
        raise TypeError(f"{value!r} is a {type(value).__name__}; a double is needed")
    try:
        return exact(format(value, ".15g"))
    except OverflowError:
        raise ValueError(f"an integer of {int(value).bit_length()} bits is more than any double") from None


def price_from_double(value: float, *, digits: int | None = None) -> Decimal:
    """Price from a double (orders, deals, positions).

    Args:
        value: the double of the message.
        digits: the symbol's digits, to round to. None where more can be right: the price of a position that
            was added to is an average.

    Raises:
        ValueError: it is NaN or infinite, or of no size that anybody could mean.
    """
    price = decimal_from_double(value)
    return price if digits is None else price.quantize(point_size(digits=digits), context=_ROUNDED)


def double_from_price(price: ExactNumber, *, digits: int | None) -> float:
    """Double for the wire from a price of ours.

    Args:
        price: the price.
        digits: how many decimals the symbol has; the server refuses more (docs/protocol.md section 10). None where
            that is not known: then the price's own.

    Raises:
        ValueError: it has too many decimals, or is so large that a double does not tell it from the prices beside it:
            it tells 15 digits apart, from the first to the symbol's last decimal.
    """
    number = exact(price)
    last = min(0, int(number.normalize(_EXACT).as_tuple().exponent)) if digits is None else -_places(digits)
    _check_whole(_EXACT.scaleb(number, -last), f"{price} has more than {-last} decimals")
    if number and number.adjusted() - last >= DOUBLE_DIGITS:
        raise ValueError(f"{price} has more digits than the wire can carry ({DOUBLE_DIGITS})")
    return float(number)


# Volumes


def units_from_volume_cents(volume_cents: int) -> Decimal:
    """Units of the base asset from hundredths of a unit."""
    return Decimal(_whole(volume_cents)).scaleb(-2, _EXACT)


def volume_cents_from_units(units: ExactNumber) -> int:
    """Hundredths of a unit from units of the base asset.

    Raises:
        ValueError: it is not a whole number of hundredths, or of more than 64 bits.
    """
    return _integer(_EXACT.scaleb(exact(units), 2), f"{units} units", "is not a whole number of 1/100 of a unit")


def lots_from_volume_cents(volume_cents: int, *, lot_size_cents: int) -> Decimal:
    """Lots from hundredths of a unit; rounded to 28 digits where the quotient has no end.

    Args:
        volume_cents: the volume.
        lot_size_cents: the symbol's `lotSize`, in the same scale.

    Raises:
        ValueError: the lot size is not positive.
    """
    return _QUOTIENT.divide(Decimal(_whole(volume_cents)), Decimal(_positive(lot_size_cents, "lot size")))


def volume_cents_from_lots(lots: ExactNumber, *, lot_size_cents: int) -> int:
    """Hundredths of a unit from lots: lots times the symbol's `lotSize`.

    Raises:
        ValueError: the product is not a whole number of hundredths, or of more than 64 bits; or the lot size is not
            positive.
    """
    volume = _EXACT.multiply(exact(lots), Decimal(_positive(lot_size_cents, "lot size")))
    return _integer(volume, f"{lots} lots of {lot_size_cents}", "is not a whole number of 1/100 of a unit")


# Money


def money_digits_of(message: _HasMoneyDigits) -> int:
    """Tell the scale of the money in *message*: its `moneyDigits`, or 2 where it is absent (not 0)."""
    return message.moneyDigits if message.HasField("moneyDigits") else DEFAULT_MONEY_DIGITS


def money_from_wire(amount: int, *, money_digits: int = DEFAULT_MONEY_DIGITS) -> Decimal:
    """Money from an integer of a message.

    Args:
        amount: the field, such as `balance`; charges are negative.
        money_digits: `moneyDigits` of the same message (see `money_digits_of`).
    """
    return Decimal(_whole(amount)).scaleb(-_places(money_digits), _EXACT)


def wire_money_from_money(money: ExactNumber, *, money_digits: int = DEFAULT_MONEY_DIGITS) -> int:
    """Integer for a message from money.

    Raises:
        ValueError: it has more decimals than *money_digits*, or more than 64 bits hold.
    """
    scaled = _EXACT.scaleb(exact(money), _places(money_digits))
    return _integer(scaled, f"money {money}", f"has more than {money_digits} decimals")


# Pips, points and distances


def pip_size(*, pip_position: int) -> Decimal:
    """Price of a pip: 0.0001 for `pipPosition` 4, 1 for 0."""
    return Decimal(1).scaleb(-_places(pip_position), _EXACT)


def point_size(*, digits: int) -> Decimal:
    """Price of a point, the smallest step of a price: 0.00001 for `digits` 5."""
    return Decimal(1).scaleb(-_places(digits), _EXACT)


def distance_from_pips(pips: ExactNumber, *, pip_position: int) -> Decimal:
    """Price distance from pips."""
    return _EXACT.scaleb(exact(pips), -_places(pip_position))


def pips_from_distance(distance: ExactNumber, *, pip_position: int) -> Decimal:
    """Pips from a price distance."""
    return _EXACT.scaleb(exact(distance), _places(pip_position))


def distance_from_points(points: ExactNumber, *, digits: int) -> Decimal:
    """Price distance from points (`slippageInPoints`)."""
    return _EXACT.scaleb(exact(points), -_places(digits))


def points_from_distance(distance: ExactNumber, *, digits: int) -> Decimal:
    """Points from a price distance; not whole where the distance is an average."""
    return _EXACT.scaleb(exact(distance), _places(digits))


def distance_from_relative(relative: int) -> Decimal:
    """Price distance from `relativeStopLoss` or `relativeTakeProfit`."""
    return price_from_wire(relative)


def relative_from_distance(distance: ExactNumber, *, digits: int) -> int:
    """`relativeStopLoss` or `relativeTakeProfit` from a price distance that the symbol can express.

    The server refuses what is not a multiple of 10^(5 - digits) ("Relative stop loss has invalid precision").

    Raises:
        ValueError: it is not positive, or is finer than a point of the symbol (or than 1/100000).
    """
    number = exact(distance)
    relative = nearest_relative_from_distance(number, digits=digits)
    if distance_from_relative(relative) != number:
        raise ValueError(f"{distance} is finer than the symbol's digits allow ({digits})")
    return relative


def nearest_relative_from_distance(distance: ExactNumber, *, digits: int) -> int:
    """`relativeStopLoss` or `relativeTakeProfit` nearest to a price distance, rounded as the server demands.

    It is the distance times 100,000, rounded (ties away from zero) to a multiple of 10^(5 - digits).

    Raises:
        ValueError: it is not positive, or rounds to zero.
    """
    places = min(_places(digits), _WIRE_PRICE_DIGITS)
    rounded = exact(distance).quantize(point_size(digits=places), rounding=ROUND_HALF_UP, context=_ROUNDED)
    if rounded <= 0:
        raise ValueError(f"{distance} is not a positive distance of at least one point ({digits} digits)")
    return wire_price_from_price(rounded)


# Times


def utc_from_ms(at_ms: int) -> datetime:
    """Aware UTC time from milliseconds since the epoch.

    Raises:
        ValueError: it lies outside the years 1 to 9999.
    """
    try:
        return _EPOCH + _whole(at_ms) * _MILLISECOND
    except OverflowError:
        raise ValueError(f"{at_ms} ms is outside the years 1 to 9999") from None


def ms_from_utc(at: datetime) -> int:
    """Milliseconds since the epoch from an aware time; a fraction of a millisecond is dropped (rounded down).

    Raises:
        TypeError: it is no time.
        ValueError: the time is naive: whose clock it is cannot be known.
    """
    if not isinstance(at, datetime):
        raise TypeError(f"{at!r} is a {type(at).__name__}; a datetime is needed")
    if at.utcoffset() is None:
        raise ValueError(f"{at.isoformat()} has no time zone")
    return (at - _EPOCH) // _MILLISECOND


def ms_from_minutes(minutes: int) -> int:
    """Milliseconds since the epoch from minutes (`utcTimestampInMinutes` of a trendbar)."""
    return _whole(minutes) * 60_000


def utc_from_minutes(minutes: int) -> datetime:
    """Aware UTC time from minutes since the epoch (`utcTimestampInMinutes` of a trendbar).

    Raises:
        ValueError: it lies outside the years 1 to 9999.
    """
    return utc_from_ms(ms_from_minutes(minutes))


def minutes_from_ms(at_ms: int) -> int:
    """The minute since the epoch in which a time lies."""
    return _whole(at_ms) // 60_000


def maintenance_end_ms(timestamp: int) -> int:
    """Milliseconds since the epoch from `maintenanceEndTimestamp`.

    The schema says milliseconds in `ProtoErrorRes` and seconds in `ProtoOAErrorRes`, older pages differ: the
    size decides, above 10^11 it is milliseconds (docs/protocol.md section 8).
    """
    whole = _whole(timestamp)
    return whole if whole > _SECONDS_END else whole * 1000


# Rates


def leverage_from_cents(leverage_in_cents: int) -> Decimal:
    """Leverage from `leverageInCents`: 100 (for 1:100) from 10000."""
    return Decimal(_whole(leverage_in_cents)).scaleb(-2, _EXACT)


def commission_rate_from_wire(precise_rate: int, *, commission_type: int) -> Decimal:
    """Commission rate from `preciseTradingCommissionRate`.

    Args:
        precise_rate: the field.
        commission_type: `commissionType` of the same symbol. `PERCENTAGE_OF_VALUE` is scaled by 10^5 and
            gives per cent; the others are scaled by 10^8 and give money per lot or per million USD.

    Raises:
        ValueError: the type is not one that the schema knows, so its scale is unknown.
    """
    try:
        kind = oa.ProtoOACommissionType(_whole(commission_type))
    except ValueError:
        raise ValueError(f"the scale of commission type {commission_type} is not known") from None
    places = 5 if kind is oa.ProtoOACommissionType.PERCENTAGE_OF_VALUE else 8
    return Decimal(_whole(precise_rate)).scaleb(-places, _EXACT)


def conversion_fee_rate_from_wire(rate: int) -> Decimal:
    """Fraction of the gross result from `pnlConversionFeeRate`, where 1 is 0.01 %."""
    return Decimal(_whole(rate)).scaleb(-4, _EXACT)


def _whole(value: int) -> int:
    """Take an integer that a field can hold, but no bool, float, Decimal or text."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{value!r} is a {type(value).__name__}; an integer is needed")
    whole = operator.index(value)
    if not -_INT64 <= whole < 2 * _INT64:
        raise ValueError(f"{_shown(whole)} does not fit a field of 64 bits")
    return whole


def _shown(whole: int) -> str:
    bits = whole.bit_length()
    return f"{whole}" if bits <= _MOST_BITS_SHOWN else f"an integer of {bits} bits"


def _places(value: int) -> int:
    """Take a number of decimals; negative ones are powers of ten, as `pipPosition` may be."""
    whole = _whole(value)
    if abs(whole) > _MOST_PLACES:
        raise ValueError(f"{value} is not a number of decimals (at most {_MOST_PLACES})")
    return whole


def _positive(value: int, name: str) -> int:
    whole = _whole(value)
    if whole <= 0:
        raise ValueError(f"{name}: {value} is not positive")
    return whole


def _integer(number: Decimal, given: str, otherwise: str) -> int:
    """Turn a whole decimal into an int that a field can hold; what was *given* is in the ValueError."""
    _check_whole(number, f"{given} {otherwise}")
    whole = int(number)
    if not -_INT64 <= whole < 2 * _INT64:
        raise ValueError(f"{given} is too large: {_shown(whole)} does not fit a field of 64 bits")
    return whole


def _check_whole(number: Decimal, otherwise: str) -> None:
    if number != number.to_integral_value():
        raise ValueError(otherwise)
