"""May this order be so large? The limits of the settings, asked before anything leaves. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .bounds import LargestOrder, Limits
from .errors import LimitExceeded

if TYPE_CHECKING:
    from decimal import Decimal

    from .symbols import Symbol

__all__ = ["Proposal", "check_order", "largest_order_cents"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An order as it would stand if it left: a new one, or one that an amendment makes larger.

    Attributes:
        symbol: what it trades.
        volume_cents: its whole volume, hundredths of a unit.
    """

    symbol: Symbol
    volume_cents: int


def check_order(limits: Limits, proposal: Proposal) -> None:
    """Returns if an order keeps to all limits.

    Args:
        limits: of its environment.
        proposal: the order.

    Raises:
        LimitExceeded: names the limit, the order's value and what is allowed. Nothing left.
    """
    _check_largest_order(limits, proposal)


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
    if symbol.lot_size_cents is None:
        raise LimitExceeded(
            f"largest_order_lots: the limit of {largest:f} lots cannot be applied to {_name(symbol)}, as the server "
            "does not say what a lot of it is"
        )
    # Not rounded up: a limit between two sizes allows the smaller.
    return int(largest * symbol.lot_size_cents)


def _check_largest_order(limits: Limits, proposal: Proposal) -> None:
    symbol, most = proposal.symbol, largest_order_cents(limits, proposal.symbol)
    if most is None or proposal.volume_cents <= most:
        return
    smallest = limits.largest_order_lots is LargestOrder.SMALLEST
    reason = "the smallest that the symbol takes" if smallest else "the largest that is allowed"
    raise LimitExceeded(
        f"largest_order_lots: an order of {_size(symbol, proposal.volume_cents)} {_name(symbol)} is more than "
        f"{_size(symbol, most)}, {reason}"
    )


def _size(symbol: Symbol, volume_cents: int) -> str:
    amount: Decimal = symbol.units(volume_cents)
    if symbol.lot_size_cents is None:
        return f"{amount:f} units"
    return f"{symbol.lots(volume_cents):f} lots ({amount:f} units)"


def _name(symbol: Symbol) -> str:
    return symbol.name or f"symbol {symbol.id}"
