"""What an order asks for as levels of its position, and whether those that stand there can be it. Pure.

A position that an order adds to may have levels already, of an order before it or set by hand, and may get those of
yet another one: that some are there says nothing. Those of an order that opened the position can be nobody else's.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Self

from ..wire import units
from .holdings import PendingOrder, Position, level_or_none
from .terms import Side

if TYPE_CHECKING:
    from collections.abc import Collection

    from ..wire import messages as oa

__all__ = ["AskedLevel", "AskedLevels", "ShownLevels"]

_FINEST: Final = Decimal("0.00001")  # the wire's smallest step of a price, where nobody knows that of the symbol


@dataclass(frozen=True, slots=True)
class ShownLevels:
    """Those that a position shows.

    Attributes:
        stop_loss: the price of the stop loss, or None.
        take_profit: the price of the take profit, or None.
        trailing_stop: whether the stop loss moves by itself.
        price: of the position, an average where it was added to, or None.
    """

    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trailing_stop: bool = False
    price: Decimal | None = None

    @classmethod
    def of(cls, position: oa.ProtoOAPosition | Position) -> Self:
        """Read them."""
        if isinstance(position, Position):
            return cls(position.stop_loss, position.take_profit, position.trailing_stop, position.price)
        stop_loss, take_profit = level_or_none(position.stopLoss), level_or_none(position.takeProfit)
        return cls(stop_loss, take_profit, position.trailingStopLoss, level_or_none(position.price))


@dataclass(frozen=True, slots=True)
class AskedLevel:
    """One of the two.

    Attributes:
        price: where it is to stand, or None where that depends on the fill.
        distance: from the fill, as a price, or None.
    """

    price: Decimal | None = None
    distance: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedLevels:
    """What one order asks for.

    Attributes:
        side: of the order, and of the position that it opens.
        stop_loss: or None where it asks for none.
        take_profit: likewise.
        point: what rounding may put a level away from where it was asked for.
    """

    side: Side
    stop_loss: AskedLevel | None = None
    take_profit: AskedLevel | None = None
    point: Decimal = _FINEST

    @classmethod
    def of_order(cls, order: oa.ProtoOAOrder, known: PendingOrder | None) -> Self:
        """Of an order of anybody's, as an event shows it.

        Args:
            order: it.
            known: the same as the books have it: it may have said more than at its fill.

        Raises:
            ValueError: its side is not one that we know.
        """
        stop_loss = _asked(level_or_none(order.stopLoss), order.relativeStopLoss)
        take_profit = _asked(level_or_none(order.takeProfit), order.relativeTakeProfit)
        if known is not None:
            stop_loss = stop_loss or _asked(known.stop_loss, known.relative_stop_loss)
            take_profit = take_profit or _asked(known.take_profit, known.relative_take_profit)
        return cls(side=Side(order.tradeData.tradeSide), stop_loss=stop_loss, take_profit=take_profit)

    def are_there(self, shown: ShownLevels) -> bool:
        """Whether there is a level for each that it asks for, whosever that is."""
        return all(level is not None for level in self._wanted(shown).values())

    def have_come(self, shown: ShownLevels, prices: Collection[Decimal]) -> bool:
        """Whether each stands where it was asked for.

        The server counts a distance from the price of the fill (docs/protocol.md section 10), of which an order
        may have several; what it makes of one that adds to a netted position is not known, so it may be counted
        from the position's average as well.

        Args:
            shown: what the position shows.
            prices: of the order's fills.
        """
        return all(
            level is not None and any(low <= level <= high for low, high in self._places(name, shown, prices))
            for name, level in self._wanted(shown).items()
        )

    def are_met(self, shown: ShownLevels, prices: Collection[Decimal]) -> bool:
        """Whether what stands protects as well: the stop loss may be nearer to the market than was asked for.

        A server may keep the stricter of two, and one that trails moves by itself, that way only. Whether a nearer
        take profit is as good is not for us to say.
        """
        at_least = self.stop_loss is not None and shown.stop_loss is not None and self._is_stricter(shown, prices)
        rest = AskedLevels(side=self.side, take_profit=self.take_profit, point=self.point) if at_least else self
        return rest.have_come(shown, prices)

    def were_set(self, shown: ShownLevels, *, before: ShownLevels) -> bool:
        """Whether each stands otherwise than before: somebody has set it since. What trailing does is no setting."""
        old = self._wanted(before)
        for name, level in self._wanted(shown).items():
            was = old[name]
            if level is None or level == was:
                return False
            if name == "stop_loss" and was is not None and before.trailing_stop and (level - was) * self.side.sign > 0:
                return False
        return True

    def _wanted(self, shown: ShownLevels) -> dict[str, Decimal | None]:
        wanted = {"stop_loss": self.stop_loss, "take_profit": self.take_profit}
        return {name: getattr(shown, name) for name, asked in wanted.items() if asked is not None}

    def _places(self, name: str, shown: ShownLevels, prices: Collection[Decimal]) -> list[tuple[Decimal, Decimal]]:
        """From where to where it may stand."""
        asked: AskedLevel = getattr(self, name)
        away = self.side.sign if name == "take_profit" else -self.side.sign
        spans: list[tuple[Decimal, Decimal]] = []
        if asked.price is not None:
            spans.append((asked.price, asked.price))
        elif asked.distance is not None:
            moved = away * asked.distance
            if prices:
                spans.append((min(prices) + moved, max(prices) + moved))
            if shown.price is not None:
                spans.append((shown.price + moved, shown.price + moved))
        return [(low - self.point, high + self.point) for low, high in spans]

    def _is_stricter(self, shown: ShownLevels, prices: Collection[Decimal]) -> bool:
        # The average of a netted position may lie anywhere: only where it was filled says what is strict.
        places = self._places("stop_loss", ShownLevels(), prices)
        assert shown.stop_loss is not None
        upward = self.side is Side.BUY
        return any(shown.stop_loss >= low if upward else shown.stop_loss <= high for low, high in places)


def _asked(price: Decimal | None, relative: int | None) -> AskedLevel | None:
    if price is not None:
        return AskedLevel(price=price)
    return AskedLevel(distance=units.distance_from_relative(relative)) if relative else None
