"""What an order came to: its fills, what a close realised, and the slippage."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import TYPE_CHECKING, Any, Final, Self

from ..wire import messages as oa
from ..wire import units
from .holdings import price_or_none

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .symbols import Symbol
    from .terms import Side

__all__ = ["Fill", "Fills", "Realised", "Slippage"]

# Averages may have no end; 28 digits are what decimal gives by default, whatever the caller's context is.
_ARITHMETIC: Final = Context(prec=28, rounding=ROUND_HALF_EVEN)

_NO_FILLS: Final = frozenset(
    {
        oa.ProtoOADealStatus.REJECTED,
        oa.ProtoOADealStatus.INTERNALLY_REJECTED,
        oa.ProtoOADealStatus.ERROR,
        oa.ProtoOADealStatus.MISSED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Realised:
    """What closing booked, from `ProtoOAClosePositionDetail`; deposit currency, charges negative.

    Attributes:
        gross_profit: before charges.
        swap: of the closed part.
        commission: of the opening and the closing of that part.
        conversion_fee: `pnlConversionFee`.
        closed_volume_cents: how much was closed.
    """

    gross_profit: Decimal
    swap: Decimal
    commission: Decimal
    conversion_fee: Decimal
    closed_volume_cents: int

    @property
    def net(self) -> Decimal:
        """What the balance moved by (docs/protocol.md section 10.2)."""
        return _total(self.gross_profit, self.swap, self.commission, self.conversion_fee)

    def __add__(self, other: Self) -> Realised:
        return Realised(
            gross_profit=_total(self.gross_profit, other.gross_profit),
            swap=_total(self.swap, other.swap),
            commission=_total(self.commission, other.commission),
            conversion_fee=_total(self.conversion_fee, other.conversion_fee),
            closed_volume_cents=self.closed_volume_cents + other.closed_volume_cents,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One deal, from `ProtoOADeal`.

    Attributes:
        deal_id: `dealId`; a fill is counted once by it.
        order_id: `orderId`.
        position_id: `positionId`.
        volume_cents: `filledVolume`, hundredths of a unit.
        price: `executionPrice`, or None where the server gave none.
        at_ms: `executionTimestamp`, the server's clock.
        commission: of this deal alone, deposit currency, negative; None where it cannot be read.
        realised: what it booked if it closed something, or None.
    """

    deal_id: int
    order_id: int
    position_id: int
    volume_cents: int
    price: Decimal | None
    at_ms: int
    commission: Decimal | None
    realised: Realised | None

    @classmethod
    def from_wire(cls, deal: oa.ProtoOADeal) -> Self | None:
        """Read it; None if the deal filled nothing (it was rejected, missed, or has no volume)."""
        if deal.dealStatus in _NO_FILLS or deal.filledVolume <= 0:
            return None
        return cls(
            deal_id=deal.dealId,
            order_id=deal.orderId,
            position_id=deal.positionId,
            volume_cents=deal.filledVolume,
            price=price_or_none(deal.executionPrice) if deal.HasField("executionPrice") else None,
            at_ms=deal.executionTimestamp,
            commission=_money_or_none(deal.commission, units.money_digits_of(deal)),
            realised=_realised(deal.closePositionDetail) if deal.HasField("closePositionDetail") else None,
        )

    @classmethod
    def from_record(cls, line: Mapping[str, Any]) -> Self:
        """Read what `described` made of it, on the line of a fill.

        Raises:
            ArithmeticError, KeyError, TypeError, ValueError: it cannot be read.
        """
        realised = None
        if "closed_volume_cents" in line:
            realised = Realised(
                gross_profit=Decimal(line["gross_profit"]),
                swap=Decimal(line["swap"]),
                commission=Decimal(line["closing_commission"]),
                conversion_fee=Decimal(line["conversion_fee"]),
                closed_volume_cents=int(line["closed_volume_cents"]),
            )
        return cls(
            deal_id=int(line["deal_id"]),
            order_id=int(line["order_id"]),
            position_id=int(line["position_id"]),
            volume_cents=int(line["volume_cents"]),
            price=Decimal(line["price"]) if "price" in line else None,
            at_ms=int(line["executed_at_ms"]),
            commission=Decimal(line["commission"]) if "commission" in line else None,
            realised=realised,
        )

    def described(self) -> dict[str, str | int]:
        """The facts, for a record; what is not known is left out."""
        found: dict[str, str | int] = {
            "deal_id": self.deal_id,
            "order_id": self.order_id,
            "position_id": self.position_id,
            "volume_cents": self.volume_cents,
            "executed_at_ms": self.at_ms,
        }
        if self.price is not None:
            found["price"] = f"{self.price:f}"
        if self.commission is not None:
            found["commission"] = f"{self.commission:f}"
        if self.realised is not None:
            for name in ("gross_profit", "swap", "conversion_fee", "net"):
                found[name] = f"{getattr(self.realised, name):f}"
            found["closing_commission"] = f"{self.realised.commission:f}"
            found["closed_volume_cents"] = self.realised.closed_volume_cents
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Slippage:
    """How much worse than asked an order was filled: positive is worse, negative better.

    Attributes:
        price: the difference as a price.
        points: the same in points of the symbol.
        pips: the same in pips.
        quote_money: the same on the volume filled, in the symbol's quote asset.
    """

    price: Decimal
    points: Decimal
    pips: Decimal
    quote_money: Decimal

    @classmethod
    def between(cls, asked: Decimal, filled: Decimal, *, side: Side, symbol: Symbol, volume_cents: int) -> Self:
        """Compare the price that was asked for, or was quoted, with the average of the fills."""
        # Added to 0, since a sale at the quoted price would otherwise slip by minus nothing.
        worse = _ARITHMETIC.add(_ARITHMETIC.multiply(_ARITHMETIC.subtract(filled, asked), Decimal(side.sign)), 0)
        return cls(
            price=worse,
            points=symbol.points(worse),
            pips=symbol.pips(worse),
            quote_money=_ARITHMETIC.multiply(worse, symbol.units(volume_cents)),
        )

    def deposit_money(self, conversion_rate: Decimal) -> Decimal:
        """The money in deposit currency, given what a unit of the quote asset is worth in it."""
        return _ARITHMETIC.multiply(self.quote_money, conversion_rate)

    def described(self) -> dict[str, str]:
        """The facts, for a record."""
        return {
            "slippage_price": f"{self.price:f}",
            "slippage_points": f"{self.points:f}",
            "slippage_pips": f"{self.pips:f}",
            "slippage_quote_money": f"{self.quote_money:f}",
        }


class Fills:
    """The fills of one order, each counted once by its deal, in the order in which they were heard of."""

    def __init__(self) -> None:
        self._by_deal: dict[int, Fill] = {}

    def __iter__(self) -> Iterator[Fill]:
        return iter(self._by_deal.values())

    def __len__(self) -> int:
        return len(self._by_deal)

    def has(self, deal: oa.ProtoOADeal) -> bool:
        """Whether that deal is counted."""
        return deal.dealId in self._by_deal

    def add(self, deal: oa.ProtoOADeal) -> Fill | None:
        """Count a deal; None if it filled nothing, or was counted before."""
        fill = Fill.from_wire(deal)
        if fill is None or fill.deal_id in self._by_deal:
            return None
        self._by_deal[fill.deal_id] = fill
        return fill

    def recall(self, fill: Fill) -> None:
        """Count one that is on record."""
        self._by_deal[fill.deal_id] = fill

    @property
    def volume_cents(self) -> int:
        """All of them, in hundredths of a unit."""
        return sum(fill.volume_cents for fill in self)

    @property
    def average_price(self) -> Decimal | None:
        """The price of all together, by their volumes, to 28 digits; None while there is none, or one without."""
        value = Decimal(0)
        for fill in self:
            if fill.price is None:
                return None
            value = _ARITHMETIC.add(value, _ARITHMETIC.multiply(fill.price, Decimal(fill.volume_cents)))
        return _ARITHMETIC.divide(value, Decimal(self.volume_cents)) if self._by_deal else None

    @property
    def commission(self) -> Decimal:
        """Of the deals themselves, deposit currency, negative."""
        return _total(*(fill.commission for fill in self if fill.commission is not None))

    @property
    def realised(self) -> Realised | None:
        """What they closed and booked together, or None if they closed nothing."""
        booked = [fill.realised for fill in self if fill.realised is not None]
        return sum(booked[1:], booked[0]) if booked else None


def _realised(detail: oa.ProtoOAClosePositionDetail) -> Realised | None:
    digits = units.money_digits_of(detail)
    amounts = (detail.grossProfit, detail.swap, detail.commission, detail.pnlConversionFee)
    gross, swap, commission, fee = (_money_or_none(amount, digits) for amount in amounts)
    if gross is None or swap is None or commission is None or fee is None:
        return None
    return Realised(
        gross_profit=gross,
        swap=swap,
        commission=commission,
        conversion_fee=fee,
        closed_volume_cents=detail.closedVolume,
    )


def _total(*amounts: Decimal) -> Decimal:
    """The sum, whatever the caller's decimal context would make of it."""
    total = Decimal(0)
    for amount in amounts:
        total = _ARITHMETIC.add(total, amount)
    return total


def _money_or_none(amount: int, money_digits: int) -> Decimal | None:
    """Money; None where the server's scale makes no sense, since a wrong amount is worse than none."""
    try:
        return units.money_from_wire(amount, money_digits=money_digits)
    except ValueError:
        return None
