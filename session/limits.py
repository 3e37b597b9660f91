"""May this order leave? The limits of the settings, asked before anything does. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from .bounds import AllowedSymbols, LargestOrder, Limits, NoLimit
from .errors import LimitExceeded
from .rules import Percent

if TYPE_CHECKING:
    from .symbols import Symbol
    from .terms import Side

__all__ = [
    "Picture",
    "Proposal",
    "Result",
    "check_account",
    "check_collar",
    "check_order",
    "check_result",
    "largest_order_cents",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An order as it would stand if it left: a new one, or one that an amendment changes.

    Attributes:
        symbol: what it trades.
        side: buy or sell.
        volume_cents: its whole volume, hundredths of a unit.
        added_cents: by how much more than now that is; 0 for an amendment that does not make it larger.
        filled_cents: how much of it is filled already. The volume of an amendment may mean what is left of it, or all
            of it (docs/protocol.md section 19), and it is judged by the former, as the larger.
        prices: those that it names and that would be new.
        is_new: whether it is a new order, and not an amendment.
        opens_position: whether a position may come of it that is not there yet.
    """

    symbol: Symbol
    side: Side
    volume_cents: int
    added_cents: int
    filled_cents: int = 0
    prices: tuple[Decimal, ...] = ()
    is_new: bool = True
    opens_position: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a day has brought so far, in deposit currency; losses are negative.

    Attributes:
        realised: by closing, with all charges (docs/protocol.md section 10.2).
        unrealised: of what is open, less the charges so far.
        start_balance: the balance when the day began, or what was paid in since where it was empty then.
        unexplained: how much of `realised` is missing in the balance with no deal, deposit or withdrawal known for
            it; 0 or less.
        is_settled: whether that has been so for longer than what explains it may take to be told.
    """

    realised: Decimal
    unrealised: Decimal
    start_balance: Decimal
    unexplained: Decimal = Decimal(0)
    is_settled: bool = True

    @property
    def total(self) -> Decimal:
        """Both together."""
        return self.realised + self.unrealised

    @property
    def settled(self) -> Result:
        """The same without what may turn out to be a withdrawal in the next moment."""
        if self.is_settled:
            return self
        return replace(self, realised=self.realised - self.unexplained, unexplained=Decimal(0), is_settled=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """How an account stands just now. Orders that work, are under way or have an unknown outcome count as filled.

    Attributes:
        positions: how many would be open.
        side_cents: the volume on the order's side of its symbol, hundredths of a unit.
        orders_in_minute: how many were let through within the last 60 s.
        quote: the last quote that an order of this side would be filled at, or None.
        quote_age_s: how old it is; infinite where nothing tells.
        result: of the day, or None where nobody asks for it.
    """

    positions: int = 0
    side_cents: int = 0
    orders_in_minute: int = 0
    quote: Decimal | None = None
    quote_age_s: float = field(default=0.0)
    result: Result | None = None


def check_order(limits: Limits, proposal: Proposal) -> None:
    """Returns if an order by itself keeps to the limits: its symbol and its size.

    Args:
        limits: of its environment.
        proposal: the order.

    Raises:
        LimitExceeded: names the limit, the order's value and what is allowed. Nothing left.
    """
    allowed = limits.allowed_symbols
    more = proposal.added_cents > 0 or bool(proposal.prices)  # whoever wants less of it may have less
    if more and allowed is not AllowedSymbols.ALL and proposal.symbol.name not in allowed:
        raise LimitExceeded(
            f"allowed_symbols: {_name(proposal.symbol)} is not one of {', '.join(allowed)}, which are allowed"
        )
    if proposal.added_cents > 0:
        _check_largest_order(limits, proposal)


def check_account(limits: Limits, proposal: Proposal, picture: Picture) -> None:
    """Returns if an order keeps to the limits that depend on what else there is.

    Args:
        limits: of its environment.
        proposal: the order.
        picture: the account just now, without the order, or with it as it stands where it is amended.

    Raises:
        LimitExceeded: names the limit, the value and what is allowed. Nothing left.
    """
    if proposal.added_cents > 0 and picture.result is not None:
        check_result(limits, picture.result)
    most = limits.most_positions
    if not isinstance(most, NoLimit) and proposal.opens_position and picture.positions >= most:
        raise LimitExceeded(
            f"most_positions: {picture.positions + 1} positions would be open, orders that are under way counted as "
            f"filled, and {most} are allowed"
        )
    if proposal.added_cents > 0:
        _check_exposure(limits, proposal, picture.side_cents + proposal.added_cents)
    check_collar(limits, proposal, picture)
    rate = limits.orders_per_minute
    if not isinstance(rate, NoLimit) and proposal.is_new and picture.orders_in_minute >= rate:
        raise LimitExceeded(
            f"orders_per_minute: this would be order {picture.orders_in_minute + 1} within 60 s, and {rate} are allowed"
        )


def check_result(limits: Limits, result: Result) -> None:
    """Returns if the loss of the day is below its limit.

    Raises:
        LimitExceeded: names the loss and what is allowed.
    """
    allowed = limits.loss_of_day
    if isinstance(allowed, NoLimit) or result.total >= 0:
        return
    # A day that began with no money, or with debts, allows no loss at all.
    most = max(Decimal(0), allowed.of(result.start_balance)) if isinstance(allowed, Percent) else allowed
    if -result.total < most:
        return
    share = f", {allowed} of {result.start_balance:f}" if isinstance(allowed, Percent) else ""
    unexplained = f", of it {result.unexplained:f} that no deal explains yet" if result.unexplained else ""
    raise LimitExceeded(
        f"loss_of_day: {-result.total:f} are lost since the day began (realised {result.realised:f}{unexplained}, "
        f"unrealised {result.unrealised:f}), and trading ends at {most:f}{share}"
    )


def largest_order_cents(limits: Limits, symbol: Symbol) -> int | None:
    """The largest order of a symbol in hundredths of a unit, or None where only symbol and account limit it.

    Raises:
        LimitExceeded: the limit is in lots, and the server does not say what a lot of this symbol is.
    """
    largest = limits.largest_order_lots
    if largest is LargestOrder.UNLIMITED:
        return None
    if largest is LargestOrder.SMALLEST:
        return symbol.min_volume_cents
    return _cents("largest_order_lots", largest, symbol)


def _check_largest_order(limits: Limits, proposal: Proposal) -> None:
    symbol, most = proposal.symbol, largest_order_cents(limits, proposal.symbol)
    if most is None or proposal.volume_cents <= most:
        return
    smallest = limits.largest_order_lots is LargestOrder.SMALLEST
    reason = "the smallest that the symbol takes" if smallest else "the largest that is allowed"
    raise LimitExceeded(
        f"largest_order_lots: an order of {_size(symbol, proposal.volume_cents)} {_name(symbol)} is more than "
        f"{_size(symbol, most)}, {reason}{_of_the_rest(proposal)}"
    )


def _check_exposure(limits: Limits, proposal: Proposal, exposure_cents: int) -> None:
    if isinstance(limits.most_exposure_lots, NoLimit):
        return
    symbol = proposal.symbol
    most = _cents("most_exposure_lots", limits.most_exposure_lots, symbol)
    if exposure_cents > most:
        raise LimitExceeded(
            f"most_exposure_lots: {_size(symbol, exposure_cents)} {_name(symbol)} would be open as "
            f"{proposal.side.name}, orders that are under way counted as filled, and {_size(symbol, most)} are allowed"
            f"{_of_the_rest(proposal)}"
        )


def check_collar(limits: Limits, proposal: Proposal, picture: Picture) -> None:
    """Returns if the last quote is young enough, and what the order names near enough to it: what goes stale.

    Args:
        limits: of its environment.
        proposal: the order.
        picture: of it, the quote and its age.

    Raises:
        LimitExceeded: names the limit, the value and what is allowed. Nothing left.
    """
    collar = limits.price_collar_percent
    if isinstance(collar, NoLimit) or not (proposal.is_new or proposal.prices):
        return
    name, quote = _name(proposal.symbol), picture.quote
    if quote is None:
        raise LimitExceeded(f"price_collar_percent: there is no quote of {name} to hold the order against")
    if picture.quote_age_s > limits.quote_age_s:
        age = f"{picture.quote_age_s:.1f} s old" if picture.quote_age_s < math.inf else "of an age that nothing tells"
        raise LimitExceeded(f"quote_age_s: the last quote of {name} is {age}, and {limits.quote_age_s:g} s are allowed")
    for price in proposal.prices:
        apart = abs(price - quote) / quote * 100
        if apart > collar:
            raise LimitExceeded(
                f"price_collar_percent: {price:f} is {apart:.3f} % away from the quote of {name}, {quote:f}, and "
                f"{collar:f} % are allowed"
            )


def _of_the_rest(proposal: Proposal) -> str:
    """What to say where an amendment is refused that may only have meant what there is already."""
    if not proposal.filled_cents:
        return ""
    return (
        f": {_size(proposal.symbol, proposal.filled_cents)} of the order are filled, and the server may take the "
        "volume of an amendment for what is left of it; give what is left, or less"
    )


def _cents(limit: str, amount_lots: Decimal, symbol: Symbol) -> int:
    if symbol.lot_size_cents is None:
        raise LimitExceeded(
            f"{limit}: the limit of {amount_lots:f} lots cannot be applied to {_name(symbol)}, as the server does "
            "not say what a lot of it is"
        )
    # Not rounded up: a limit between two sizes allows the smaller.
    return int(amount_lots * symbol.lot_size_cents)


def _size(symbol: Symbol, volume_cents: int) -> str:
    amount: Decimal = symbol.units(volume_cents)
    if symbol.lot_size_cents is None:
        return f"{amount:f} units"
    return f"{symbol.lots(volume_cents):f} lots ({amount:f} units)"


def _name(symbol: Symbol) -> str:
    return symbol.name or f"symbol {symbol.id}"
