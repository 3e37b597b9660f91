"""Exact arithmetic with money: integers in, integers out, and each rounding named (docs/protocol.md section 10.2).

Money is in the smallest unit of the account's currency (cents where `moneyDigits` is 2), volume in hundredths of a
unit, a price x 100,000, an entry price x 10^10 because it may be a mean, a rate is a fraction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..wire import messages as oa
from .variants import FeeRounding

if TYPE_CHECKING:
    from .symbols import Symbol, Tier

__all__ = [
    "ENTRY_SCALE",
    "ONE",
    "Rate",
    "Rates",
    "charge",
    "commission",
    "gross_profit",
    "mean_entry",
    "nearest",
    "share",
    "tiered_margin",
]

Rate = tuple[int, int]
"""Numerator and denominator: how much of one asset for one of another."""

ONE: Rate = (1, 1)
ENTRY_SCALE = 100_000
"""Entry prices are x 100,000 finer than quotes."""

_Commission = oa.ProtoOACommissionType


def nearest(numerator: int, denominator: int) -> int:
    """The nearest whole number; halves go away from zero."""
    whole = (2 * abs(numerator) + denominator) // (2 * denominator)
    return whole if numerator >= 0 else -whole


def charge(numerator: int, denominator: int, rounding: FeeRounding) -> int:
    """What is booked for an amount that the account gets (above zero) or pays (below).

    Rounded up, a charge grows to the next cent and a credit shrinks to the one before.
    """
    return numerator // denominator if rounding is FeeRounding.UP else nearest(numerator, denominator)


def share(amount: int, part: int, whole: int) -> int:
    """What stays of `amount` when `part` of `whole` stays, to the nearest cent."""
    return amount if part == whole else nearest(amount * part, whole)


def gross_profit(volume: int, entry: int, exit_price: int, *, buy: bool, rate: Rate, unit: int) -> int:
    """Profit of closing `volume`, before charges, to the nearest cent.

    Args:
        volume: hundredths of a unit.
        entry: mean entry price x 10^10.
        exit_price: x 100,000.
        buy: whether the position is a buy.
        rate: quote asset to deposit asset.
        unit: 10 ^ moneyDigits.
    """
    gain = exit_price * ENTRY_SCALE - entry if buy else entry - exit_price * ENTRY_SCALE
    return nearest(gain * volume * unit * rate[0], 100 * 10**10 * rate[1])


def mean_entry(entry: int, volume: int, price: int, added: int) -> int:
    """The entry price x 10^10 after `added` volume at `price` (x 100,000) came to a position."""
    if volume == 0:
        return price * ENTRY_SCALE
    return nearest(entry * volume + price * ENTRY_SCALE * added, volume + added)


class Rates(NamedTuple):
    """The rates that a trade of a symbol needs, on one side of the market, for one account."""

    base_to_usd: Rate
    base_to_deposit: Rate
    quote_to_deposit: Rate
    usd_to_deposit: Rate


def commission(symbol: Symbol, volume: int, price: int, *, rates: Rates, unit: int, rounding: FeeRounding) -> int:
    """The commission of one side of a trade: zero or below.

    Args:
        symbol: whose commission type and rate apply.
        volume: hundredths of a unit.
        price: of the fill, x 100,000.
        rates: of the moment.
        unit: 10 ^ moneyDigits.
        rounding: of charges.
    """
    if symbol.commission_rate == 0 and symbol.min_commission == 0:
        return 0
    kind = symbol.commission_type
    numerator, denominator = symbol.commission_rate * volume * unit, 10**8
    to_deposit = rates.usd_to_deposit
    if kind == _Commission.USD_PER_MILLION_USD:
        numerator *= rates.base_to_usd[0]
        denominator *= rates.base_to_usd[1] * 100 * 1_000_000
    elif kind == _Commission.PERCENTAGE_OF_VALUE:
        numerator *= price
        # The rate of this type is a percentage x 10^5.
        denominator = 10**5 * 100 * 100_000 * 100
        to_deposit = rates.quote_to_deposit
    else:
        denominator *= symbol.lot_size
        if kind == _Commission.QUOTE_CCY_PER_LOT:
            to_deposit = rates.quote_to_deposit
    least = symbol.min_commission * unit
    if numerator * 10**8 < least * denominator:
        numerator, denominator = least, 10**8
        to_deposit = rates.usd_to_deposit
    return charge(-numerator * to_deposit[0], denominator * to_deposit[1], rounding)


def tiered_margin(
    held: int, added: int, *, leverage_cents: int, tiers: tuple[Tier, ...], rates: Rates, unit: int
) -> int:
    """Margin of `added` volume on top of what is held on that side, to the nearest cent.

    Each slice of the exposure has the leverage of its tier, the last tier the rest, and no slice more leverage than
    the account (docs/protocol.md section 13).

    Args:
        held: volume held on that side, hundredths of a unit.
        added: volume that comes.
        leverage_cents: of the account: leverage x 100.
        tiers: of the symbol.
        rates: of the moment.
        unit: 10 ^ moneyDigits.
    """
    base_to_usd, base_to_deposit = rates.base_to_usd, rates.base_to_deposit
    start, end = held * base_to_usd[0], (held + added) * base_to_usd[0]
    numerator, common = 0, 1
    for index, tier in enumerate(tiers):
        # Volume is in hundredths, so volume x rate is US cents; all is kept multiplied by the rate's denominator.
        top = tier.volume_usd_cents * base_to_usd[1] if index < len(tiers) - 1 else end
        piece = min(end, top) - start
        if piece <= 0:
            continue
        leverage = min(leverage_cents, tier.leverage_cents)
        numerator = numerator * leverage + piece * 100 * common
        common *= leverage
        start += piece
    # The dollars go out again, the deposit currency comes in.
    return nearest(numerator * base_to_deposit[0] * unit, common * base_to_usd[0] * base_to_deposit[1] * 100)
