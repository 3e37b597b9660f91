"""What may stand in the fields of an order: each function takes what a person said and gives what is sent.

All of them raise `InvalidOrder`, whose text names the field, the value and what is allowed. Nothing is clamped
or rounded: an order that was not meant so is worse than none.
"""

from __future__ import annotations

import enum
from dataclasses import fields as dataclass_fields
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..wire import units
from .errors import InvalidOrder
from .symbols import Symbol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed import DataclassInstance

    from ..wire.units import ExactNumber
    from .symbols import NamedSymbol

__all__ = [
    "RECORDED",
    "above_zero",
    "described",
    "expiry_ms",
    "identifier",
    "invalid",
    "member",
    "moment_ms",
    "number",
    "one_size",
    "part_cents",
    "price_double",
    "relative",
    "same_id",
    "same_symbol",
    "size_cents",
    "slippage_points",
    "text",
    "yes_or_no",
]

_INT32 = 2**31
_INT64 = 2**63
_FARTHEST = 10**13  # as a relative level (in 1/100000) just within 64 bits
_SHOWN = 60  # characters of a value in an error: enough to recognise it

RECORDED = MappingProxyType({"slippage_points": "range_points", "expires_at": "expires_at_ms"})
"""Fields that records name otherwise: there, each name means one thing and has one type."""
_WHOLE = frozenset({"volume_cents", "order_id", "position_id", "slippage_points", "expires_at"})


def invalid(field: str, value: object, allowed: str) -> InvalidOrder:
    """The refusal of one field: its name, its value and what is allowed.

    A long value is cut. A text is not: whoever covers secrets does not know the half of one. Its length is told.
    """
    if isinstance(value, int) and value.bit_length() > 256:
        shown = f"an integer of {value.bit_length()} bits"  # Python does not print the longest
    else:
        shown = str(value) if isinstance(value, Decimal) else repr(value)
    if len(shown) > _SHOWN:
        if isinstance(value, str):
            shown = f"a text of {len(value)} characters"
        else:
            shown = f"{shown[:_SHOWN]}… ({len(shown)} characters)"
    return InvalidOrder(f"{field}: {shown} is refused: {allowed}")


def number(field: str, value: ExactNumber) -> Decimal:
    """An exact number: Decimal, int or str, finite."""
    try:
        return units.exact(value)
    except TypeError:
        raise invalid(field, value, "give a Decimal, an int or a str; floats are not exact") from None
    except ValueError as error:
        raise invalid(field, value, f"{error}") from None


def price_double(field: str, value: ExactNumber, symbol: Symbol | NamedSymbol) -> float:
    """A price for the wire: positive, with no more decimals than the symbol has, where that is known.

    Nor larger than a double can tell from the prices beside it: what the server read would not be what was said.
    """
    price = number(field, value)
    if price <= 0:
        raise invalid(field, price, "a price is above 0")
    try:
        return symbol.double_from_price(price)
    except ValueError:
        allowed = f"prices have at most {units.DOUBLE_DIGITS} digits"
        if isinstance(symbol, Symbol):
            allowed = (
                f"{symbol.name} has {symbol.digits} decimals (steps of {symbol.point:f}), and {allowed}, those included"
            )
        raise invalid(field, price, allowed) from None


def relative(field: str, value: ExactNumber, symbol: Symbol) -> int:
    """`relativeStopLoss` or `relativeTakeProfit` from pips or from a price distance, by the field's name."""
    given = number(field, value)
    pips = field.endswith("_pips")
    distance = units.distance_from_pips(given, pip_position=symbol.pip_position) if pips else given
    if distance >= _FARTHEST:
        raise invalid(field, given, "no price is that far away")
    try:
        return units.relative_from_distance(distance, digits=symbol.digits)
    except ValueError:
        step = symbol.pips(symbol.point) if pips else symbol.point
        allowed = f"{symbol.name} takes distances above 0 in steps of {step.normalize():f}"
        raise invalid(field, given, allowed) from None


def above_zero(field: str, value: object, relative: int, *, price: Decimal, symbol: Symbol) -> None:
    """A level so far (in 1/100000) below a price must still be above 0."""
    if units.distance_from_relative(relative) >= price:
        most = price - symbol.point
        shown = f"{symbol.pips(most).normalize():f} pips" if field.endswith("_pips") else f"{most:f}"
        raise invalid(field, value, f"{symbol.name} is at {price:f}, and a level is above 0: at most {shown} below it")


def slippage_points(field: str, value: int) -> int:
    """`slippageInPoints`: a whole number of points from 0 on."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _INT32:
        raise invalid(field, value, "a whole number of points, 0 or more")
    return value


def identifier(field: str, value: int) -> int:
    """An id of the server's: a positive integer."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < _INT64:
        raise invalid(field, value, "an id is a positive integer")
    return value


def text(field: str, value: str, *, longest: int) -> str:
    """Text of at most so many characters (UTF-16 units, as the server counts them)."""
    if not isinstance(value, str):
        raise invalid(field, value, f"text of 1 to {longest} characters")
    try:
        length = len(value.encode("utf-16-le")) // 2
    except UnicodeEncodeError:
        raise invalid(field, value, "half of a surrogate pair is not text") from None
    if not 1 <= length <= longest:
        raise invalid(field, value, f"text of 1 to {longest} characters; leave it out for none")
    return value


def expiry_ms(field: str, value: datetime | int, *, now_ms: int) -> int:
    """`expirationTimestamp`: an aware time or milliseconds since the epoch, after *now_ms*."""
    at_ms = moment_ms(field, value)
    if at_ms <= now_ms:
        raise invalid(field, value, f"it is not after now, {units.utc_from_ms(now_ms).isoformat()}")
    return at_ms


def moment_ms(field: str, value: datetime | int) -> int:
    """Milliseconds since the epoch, from them or from an aware time."""
    if isinstance(value, datetime):
        try:
            return units.ms_from_utc(value)
        except ValueError:
            raise invalid(field, value, "a time needs a time zone (datetime.UTC)") from None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _INT64:
        raise invalid(field, value, "an aware datetime, or milliseconds since the epoch")
    return value


def yes_or_no(field: str, value: bool) -> bool:
    """A bool and nothing that only looks like one."""
    if not isinstance(value, bool):
        raise invalid(field, value, "True or False")
    return value


def member(field: str, value: object, kind: type[enum.Enum]) -> None:
    """A member of an enum of ours."""
    if not isinstance(value, kind):
        allowed = ", ".join(f"{kind.__name__}.{name}" for name in kind.__members__)
        raise invalid(field, value, f"one of {allowed}")


def one_size(sizes: Mapping[str, ExactNumber | None], *, optional: bool = False) -> None:
    """At most one of lots, units and volume_cents, exact and above 0; exactly one unless *optional*."""
    given = {name: value for name, value in sizes.items() if value is not None}
    names = ", ".join(f"{name}=" for name in sizes)
    if len(given) > 1:
        raise invalid(" and ".join(given), " and ".join(str(v) for v in given.values()), f"give one of {names}")
    if not given and not optional:
        raise InvalidOrder(f"size: none is given: give exactly one of {names}")
    for name, value in given.items():
        if number(name, value) <= 0:
            raise invalid(name, number(name, value), "a size is above 0")


def size_cents(sizes: Mapping[str, ExactNumber | None], symbol: Symbol) -> int:
    """The volume in hundredths of a unit: a multiple of the symbol's step, from its minimum to its maximum."""
    field, given, volume = _volume(sizes, symbol)
    least, most, step = symbol.min_volume_cents, symbol.max_volume_cents, symbol.step_volume_cents
    if volume < least or volume % step or (most is not None and volume > most):
        raise invalid(field, given, _allowed_sizes(field, symbol, most))
    return volume


def part_cents(sizes: Mapping[str, ExactNumber | None], symbol: Symbol | NamedSymbol, *, whole_cents: int) -> int:
    """The volume of a part of what is open: all of it, or a multiple of the step from the minimum on, if that is known.

    Raises:
        InvalidOrder: it is none; or it is in lots, and what a lot is is not known.
    """
    field, given, volume = _volume(sizes, symbol)
    if volume == whole_cents:
        return volume
    if not isinstance(symbol, Symbol):
        if not 0 < volume < whole_cents:
            raise invalid(field, given, f"{whole_cents} hundredths of a unit are open")
        return volume
    if volume < symbol.min_volume_cents or volume % symbol.step_volume_cents or volume > whole_cents:
        raise invalid(field, given, _allowed_sizes(field, symbol, whole_cents))
    return volume


def _volume(sizes: Mapping[str, ExactNumber | None], symbol: Symbol | NamedSymbol) -> tuple[str, Decimal, int]:
    """Which size was given, and how much that is; 0 where it lies between two hundredths of a unit."""
    field, value = next((name, value) for name, value in sizes.items() if value is not None)
    given = number(field, value)
    sized = symbol if isinstance(symbol, Symbol) and symbol.lot_size_cents is not None else None
    if field == "lots" and sized is None:
        raise invalid(field, given, f"the server does not say what a lot of {symbol.name} is: give units")
    try:
        if field == "lots" and sized is not None:
            volume = sized.volume_cents_from_lots(given)
        elif field == "units":
            volume = units.volume_cents_from_units(given)
        else:
            volume = int(given) if given == given.to_integral_value() else 0
    except ValueError:
        return field, given, 0
    if volume >= _INT64:
        raise invalid(field, given, "no order is that large")
    return field, given, volume


def same_id(field: str, ours: int, theirs: int) -> None:
    """What the server has now must be that of what is to change."""
    if ours != theirs:
        raise invalid(field, ours, f"this is what the server has of {theirs}")


def same_symbol(symbol_id: int, symbol: Symbol | NamedSymbol) -> None:
    """The symbol must be that of what is to change."""
    if symbol_id != symbol.id:
        raise invalid("symbol", symbol.name, f"it is of symbol {symbol_id}, not {symbol.id}")


def described(intent: DataclassInstance) -> dict[str, str | int | bool]:
    """What was said, for a record: every field that differs from its default, in what JSON can hold exactly."""
    found: dict[str, str | int | bool] = {}
    for field in dataclass_fields(intent):
        value = getattr(intent, field.name)
        if value is field.default:
            continue
        if value is None:  # the default is to keep it
            value = "remove"
        found[RECORDED.get(field.name, field.name)] = _plain(field.name, value)
    return found


def _plain(name: str, value: object) -> str | int | bool:
    """One name, one type, on all lines: amounts and prices are text, ids are numbers, a moment is milliseconds."""
    if isinstance(value, enum.Enum):
        return str(value.name)
    if name == "expires_at" and isinstance(value, datetime):
        return units.ms_from_utc(value)
    if name in _WHOLE and isinstance(value, int) and abs(value) < _INT64:
        return value
    return value if isinstance(value, bool) else str(value)


def _allowed_sizes(field: str, symbol: Symbol, most_cents: int | None) -> str:
    def shown(volume_cents: int) -> str:
        if field == "lots":
            amount = symbol.lots(volume_cents)
        elif field == "units":
            amount = symbol.units(volume_cents)
        else:
            amount = Decimal(volume_cents)
        return f"{amount.normalize():f}"

    unit = {"lots": "lots", "units": "units"}.get(field, "hundredths of a unit")
    least, step = shown(symbol.min_volume_cents), shown(symbol.step_volume_cents)
    most = "or more" if most_cents is None else f"to {shown(most_cents)}"
    return f"{symbol.name} takes {least} {most} {unit} in steps of {step}"
