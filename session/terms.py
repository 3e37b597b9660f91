"""The words of an order: its side, how long it works, what sets off a stop, and where its levels may lie."""

from __future__ import annotations

import enum
import itertools
from typing import TYPE_CHECKING

from . import fields

if TYPE_CHECKING:
    from decimal import Decimal

    from ..wire.units import ExactNumber

__all__ = ["Side", "TimeInForce", "TriggerMethod", "check_levels"]


class Side(enum.Enum):
    """Buy or sell; the values are those of `ProtoOATradeSide`."""

    BUY = 1
    SELL = 2

    @property
    def opposite(self) -> Side:
        """The other one, which closes it."""
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def level_below(self) -> str:
        """Which level of its position lies below the price: `stop_loss` or `take_profit`."""
        return "stop_loss" if self is Side.BUY else "take_profit"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell: what a rising price is worth to it."""
        return 1 if self is Side.BUY else -1


class TimeInForce(enum.Enum):
    """How long a pending order works; the values are those of `ProtoOATimeInForce`."""

    GOOD_TILL_DATE = 1
    GOOD_TILL_CANCEL = 2
    IMMEDIATE_OR_CANCEL = 3
    FILL_OR_KILL = 4
    GTD = 1
    GTC = 2
    IOC = 3
    FOK = 4


class TriggerMethod(enum.Enum):
    """Which quote sets off a stop; the values are those of `ProtoOAOrderTriggerMethod`."""

    TRADE = 1
    OPPOSITE = 2
    DOUBLE_TRADE = 3
    DOUBLE_OPPOSITE = 4


def check_levels(
    side: Side,
    *,
    stop_loss: ExactNumber | None,
    take_profit: ExactNumber | None,
    entry: Decimal | None = None,
    names: tuple[str, str] = ("stop_loss", "take_profit"),
) -> None:
    """Refuse levels that lie on the wrong side of the entry or of each other.

    Args:
        side: of the position.
        stop_loss: a price, or None.
        take_profit: a price, or None.
        entry: the price of a pending order. None for a position, whose stop may have passed its entry.
        names: what the two are called where they come from.

    Raises:
        InvalidOrder: for a buy, the stop loss is not below the entry, or the take profit not above both; for a
            sell, the mirror of it.
    """
    rungs = [(names[0], stop_loss), ("its price", entry), (names[1], take_profit)]
    ladder = [(name, fields.number(name, price)) for name, price in rungs if price is not None]
    if side is Side.SELL:
        ladder.reverse()
    for (lower_name, lower), (upper_name, upper) in itertools.pairwise(ladder):
        if lower >= upper:
            allowed = f"for a {side.name} it lies above {lower_name} {lower}"
            if upper_name == "its price":
                upper_name, upper = lower_name, lower
                allowed = f"for a {side.name} it lies below its price {entry}"
            raise fields.invalid(upper_name, upper, allowed)
