"""A position and a working order, as values: read from the server's messages, exact, comparable."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Self

from ..wire import messages as oa
from ..wire import units
from .terms import Side

if TYPE_CHECKING:
    from typing import Any

__all__ = ["PendingOrder", "Position", "level_or_none", "price_or_none"]

_WAITING: Final = frozenset({oa.ProtoOAOrderType.LIMIT, oa.ProtoOAOrderType.STOP, oa.ProtoOAOrderType.STOP_LIMIT})


def price_or_none(value: float) -> Decimal | None:
    """The price that a double of the server's stands for; None if it is not a number that a price can be.

    A server that sends NaN must not stop the reader: the fact is then not known.
    """
    try:
        return units.price_from_double(value)
    except ValueError:
        return None


def level_or_none(value: float) -> Decimal | None:
    """A stop loss, take profit or order price; None where there is none (absent reads as 0, which none can be)."""
    return price_or_none(value) or None


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A position, from `ProtoOAPosition`.

    Money is in deposit currency, charges are negative; volumes are hundredths of a unit.

    Attributes:
        id: `positionId`.
        symbol_id: `symbolId`.
        side: buy or sell.
        status: `positionStatus`, a `ProtoOAPositionStatus` or a number that a newer server uses.
        volume_cents: what is open of it.
        price: of its opening, an average where it was added to; None before its first fill.
        stop_loss: the price of its stop loss, or None. A trailing one as it last moved.
        take_profit: the price of its take profit, or None.
        trailing_stop: whether the stop loss follows the price.
        guaranteed_stop_loss: whether the stop loss is guaranteed.
        stop_trigger_method: which quote sets off the stop loss: `ProtoOAOrderTriggerMethod` or a newer number.
        swap: booked so far.
        commission: of the opening side, for what is still open; booked to the balance at closing.
        used_margin: margin that it binds.
        label: as given with its order; the client order id where none was.
        comment: as given with its order.
        opened_at_ms: time of its first fill, or None.
        updated_at_ms: the server's last change to it, or None; trailing does not move it.
        protective_order_id: the hidden order that holds its levels, or None where it is not known.
    """

    id: int
    symbol_id: int
    side: Side
    status: int
    volume_cents: int
    price: Decimal | None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    trailing_stop: bool = False
    guaranteed_stop_loss: bool = False
    stop_trigger_method: int = oa.ProtoOAOrderTriggerMethod.TRADE
    swap: Decimal = Decimal(0)
    commission: Decimal = Decimal(0)
    used_margin: Decimal = Decimal(0)
    label: str = ""
    comment: str = ""
    opened_at_ms: int | None = None
    updated_at_ms: int | None = None
    protective_order_id: int | None = None

    @classmethod
    def from_wire(cls, position: oa.ProtoOAPosition, *, protective_order_id: int | None = None) -> Self:
        """Read it.

        Raises:
            ValueError: its side is not one that we know, so nothing can be said about its risk.
        """
        trade = position.tradeData
        digits = units.money_digits_of(position)
        return cls(
            id=position.positionId,
            symbol_id=trade.symbolId,
            side=Side(trade.tradeSide),
            status=position.positionStatus,
            volume_cents=trade.volume,
            price=level_or_none(position.price),
            stop_loss=level_or_none(position.stopLoss),
            take_profit=level_or_none(position.takeProfit),
            trailing_stop=position.trailingStopLoss,
            guaranteed_stop_loss=position.guaranteedStopLoss,
            stop_trigger_method=position.stopLossTriggerMethod,
            swap=units.money_from_wire(position.swap, money_digits=digits),
            commission=units.money_from_wire(position.commission, money_digits=digits),
            used_margin=units.money_from_wire(position.usedMargin, money_digits=digits),
            label=trade.label,
            comment=trade.comment,
            opened_at_ms=trade.openTimestamp or None,
            updated_at_ms=position.utcLastUpdateTimestamp or None,
            protective_order_id=protective_order_id,
        )

    @property
    def is_open(self) -> bool:
        """Whether anything of it is open. The volume tells: the status of a closed one may lag behind."""
        return self.volume_cents > 0 and self.status != oa.ProtoOAPositionStatus.POSITION_STATUS_CLOSED

    def described(self) -> dict[str, str | int | bool]:
        """What is known of it, for a record; what is not known is left out."""
        return _described(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingOrder:
    """An order that the server works on, from `ProtoOAOrder`.

    Attributes:
        id: `orderId`.
        position_id: the position that it opens, closes or protects: assigned at acceptance, long before any
            fill (docs/protocol.md section 10); None where the server does not say.
        symbol_id: `symbolId`.
        side: buy or sell; of a protective order, the side that closes.
        type: `orderType`, a `ProtoOAOrderType` or a number that a newer server uses.
        status: `orderStatus`, likewise.
        volume_cents: its whole volume.
        executed_volume_cents: what is filled of it.
        limit_price: the price of a limit order; the take profit of a protective one; or None.
        stop_price: the price of a stop order; the stop loss of a protective one; or None.
        base_slippage_price: what the range of a market-range order starts from, or None.
        slippage_points: width of the range, or None.
        stop_loss: the price of the stop loss to come, or None.
        take_profit: the price of the take profit to come, or None.
        relative_stop_loss: `relativeStopLoss`, distance from the fill in 1/100000, or None.
        relative_take_profit: `relativeTakeProfit`, likewise.
        trailing_stop: whether the stop loss to come follows the price.
        guaranteed_stop_loss: whether the stop loss to come is guaranteed.
        stop_trigger_method: which quote sets it off: `ProtoOAOrderTriggerMethod` or a newer number; None
            where the server does not say.
        time_in_force: `timeInForce`, a `ProtoOATimeInForce` or a newer number.
        expires_at_ms: when it expires, or None.
        closing: `closingOrder`: it closes or protects a position.
        client_order_id: as given with it, or the server's own.
        label: as given with it; closing and protective orders carry that of the entry.
        comment: likewise.
        created_at_ms: when it was made, or None.
        updated_at_ms: the server's last change to it, or None.
    """

    id: int
    position_id: int | None
    symbol_id: int
    side: Side
    type: int
    status: int
    volume_cents: int
    executed_volume_cents: int = 0
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    base_slippage_price: Decimal | None = None
    slippage_points: int | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    relative_stop_loss: int | None = None
    relative_take_profit: int | None = None
    trailing_stop: bool = False
    guaranteed_stop_loss: bool = False
    stop_trigger_method: int | None = None
    time_in_force: int = oa.ProtoOATimeInForce.IMMEDIATE_OR_CANCEL
    expires_at_ms: int | None = None
    closing: bool = False
    client_order_id: str = ""
    label: str = ""
    comment: str = ""
    created_at_ms: int | None = None
    updated_at_ms: int | None = None

    @classmethod
    def from_wire(cls, order: oa.ProtoOAOrder) -> Self:
        """Read it.

        Raises:
            ValueError: its side is not one that we know, so nothing can be said about its risk.
        """
        trade = order.tradeData
        return cls(
            id=order.orderId,
            position_id=order.positionId or None,
            symbol_id=trade.symbolId,
            side=Side(trade.tradeSide),
            type=order.orderType,
            status=order.orderStatus,
            volume_cents=trade.volume,
            executed_volume_cents=order.executedVolume,
            limit_price=level_or_none(order.limitPrice),
            stop_price=level_or_none(order.stopPrice),
            base_slippage_price=level_or_none(order.baseSlippagePrice),
            slippage_points=order.slippageInPoints if order.HasField("slippageInPoints") else None,
            stop_loss=level_or_none(order.stopLoss),
            take_profit=level_or_none(order.takeProfit),
            relative_stop_loss=order.relativeStopLoss or None,
            relative_take_profit=order.relativeTakeProfit or None,
            trailing_stop=order.trailingStopLoss,
            guaranteed_stop_loss=trade.guaranteedStopLoss,
            stop_trigger_method=order.stopTriggerMethod if order.HasField("stopTriggerMethod") else None,
            time_in_force=order.timeInForce,
            expires_at_ms=order.expirationTimestamp or None,
            closing=order.closingOrder,
            client_order_id=order.clientOrderId,
            label=trade.label,
            comment=trade.comment,
            created_at_ms=trade.openTimestamp or None,
            updated_at_ms=order.utcLastUpdateTimestamp or None,
        )

    @property
    def is_working(self) -> bool:
        """Whether the server still works on it."""
        return self.status == oa.ProtoOAOrderStatus.ORDER_STATUS_ACCEPTED

    @property
    def is_protective(self) -> bool:
        """Whether it is the hidden order that holds a position's stop loss and take profit."""
        return self.type == oa.ProtoOAOrderType.STOP_LOSS_TAKE_PROFIT

    @property
    def is_opening(self) -> bool:
        """Whether it opens or adds: neither protective nor closing."""
        return not (self.closing or self.is_protective)

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for its price: a limit, stop or stop-limit order."""
        return self.type in _WAITING

    @property
    def is_immediate(self) -> bool:
        """Whether it fills at once, or not at all: a market order, that which closes a position among them."""
        return not (self.is_waiting or self.is_protective)

    def described(self) -> dict[str, str | int | bool]:
        """What is known of it, for a record; what is not known is left out."""
        return _described(self)


def _described(held: Position | PendingOrder) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in fields(held):
        value = getattr(held, field.name)
        if value is None or value == "":
            continue
        if isinstance(value, Side):
            value = value.name
        elif isinstance(value, Decimal):
            value = f"{value:f}"
        found[field.name] = value
    return found
