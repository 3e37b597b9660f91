"""Orders and positions as the exchange keeps them, and as its messages show them.

Which optional fields a message carries follows recorded ones (docs/protocol.md section 10.2): many zeros and falses are
written out, and some fields appear only once something has happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..wire import messages as oa
from . import money

if TYPE_CHECKING:
    from .symbols import Symbol

__all__ = ["PENDING_KINDS", "Levels", "Order", "Position", "opposite"]

_Kind = oa.ProtoOAOrderType
_Order = oa.ProtoOAOrderStatus
_Position = oa.ProtoOAPositionStatus
_BUY = int(oa.ProtoOATradeSide.BUY)
_SELL = int(oa.ProtoOATradeSide.SELL)

PENDING_KINDS: frozenset[int] = frozenset((_Kind.LIMIT, _Kind.STOP, _Kind.STOP_LIMIT))
"""Order types that wait for a price."""

_SCALE = 100_000


def opposite(side: int) -> int:
    """The other `ProtoOATradeSide`."""
    return _SELL if side == _BUY else _BUY


@dataclass(frozen=True, slots=True)
class Levels:
    """Stop loss and take profit, x 100,000; None where there is none."""

    stop_loss: int | None = None
    take_profit: int | None = None

    def __bool__(self) -> bool:
        return self.stop_loss is not None or self.take_profit is not None


@dataclass(slots=True, eq=False)
class Position:
    """A position, from the acceptance of its first order on.

    Attributes:
        position_id: its number, assigned at acceptance.
        account_id: whose it is.
        symbol: what it holds.
        side: `ProtoOATradeSide`.
        label: of the order that opened it.
        comment: of the order that opened it.
        money_digits: of its account.
        volume: held now, hundredths of a unit.
        entry: mean entry price x 10^10.
        status: `ProtoOAPositionStatus`.
        swap: booked so far.
        commission: for opening what is still held; zero or below.
        used_margin: of what is held.
        margin_rate: base asset to deposit asset when it was opened.
        levels: as the messages show them, that is, once the protective order is accepted.
        protection: its protective order, or None.
        trailing: whether its stop loss follows the price; None until it has had levels.
        trail: distance of a trailing stop, x 100,000.
        guaranteed: whether its stop loss is guaranteed.
        trigger_method: `ProtoOAOrderTriggerMethod` of its stop loss.
        opened_ms: when it was first filled, or None.
        updated_ms: when it last changed, or None before its first fill.
        closed_ms: when it was closed, or None.
        busy: the order that is closing it now, or None.
        missed: whether a level was met while it was busy.
    """

    position_id: int
    account_id: int
    symbol: Symbol
    side: int
    label: str
    comment: str
    money_digits: int
    volume: int = 0
    entry: int = 0
    status: int = _Position.POSITION_STATUS_CREATED
    swap: int = 0
    commission: int = 0
    used_margin: int = 0
    margin_rate: float = 0.0
    levels: Levels = Levels()
    protection: Order | None = None
    trailing: bool | None = None
    trail: int = 0
    guaranteed: bool = False
    trigger_method: int = oa.ProtoOAOrderTriggerMethod.TRADE
    opened_ms: int | None = None
    updated_ms: int | None = None
    closed_ms: int | None = None
    busy: Order | None = None
    missed: bool = False

    @property
    def is_buy(self) -> bool:
        """Whether it gains when the price rises."""
        return self.side == _BUY

    @property
    def price(self) -> float:
        """The mean entry price."""
        return self.entry / (_SCALE * money.ENTRY_SCALE)

    @property
    def is_gone(self) -> bool:
        """Whether it has been open and is not any more."""
        return self.opened_ms is not None and not self.volume

    def empty(self) -> None:
        """Take out what a position without volume does not show."""
        self.volume = self.entry = self.commission = self.used_margin = self.swap = 0
        self.margin_rate = 0.0

    def message(self) -> oa.ProtoOAPosition:
        """The position as it stands now."""
        symbol = self.symbol
        message = oa.ProtoOAPosition(
            positionId=self.position_id,
            tradeData=_trade_data(symbol, self.volume, self.side, self.guaranteed, self.label, self.comment),
            positionStatus=self.status,
            swap=self.swap,
            price=self.price,
            commission=self.commission,
            marginRate=self.margin_rate,
            mirroringCommission=0,
            guaranteedStopLoss=self.guaranteed,
            usedMargin=self.used_margin,
            moneyDigits=self.money_digits,
        )
        trade = message.tradeData
        if self.opened_ms is not None:
            trade.openTimestamp = self.opened_ms
        if self.closed_ms is not None:
            trade.closeTimestamp = self.closed_ms
        if self.updated_ms is not None:
            message.utcLastUpdateTimestamp = self.updated_ms
        levels = self.levels
        if levels.stop_loss is not None:
            message.stopLoss = levels.stop_loss / _SCALE
        if levels.take_profit is not None:
            message.takeProfit = levels.take_profit / _SCALE
        if levels:
            message.stopLossTriggerMethod = self.trigger_method
        if self.trailing is not None:
            message.trailingStopLoss = self.trailing
        return message


@dataclass(slots=True, eq=False)
class Order:
    """An order, from its acceptance on.

    Attributes:
        order_id: its number.
        symbol: what it trades.
        position: the position that it opens, enlarges, reduces or closes.
        side: `ProtoOATradeSide`.
        kind: `ProtoOAOrderType`.
        volume: ordered, hundredths of a unit.
        time_in_force: `ProtoOATimeInForce` as stored.
        created_ms: when it was accepted.
        updated_ms: when it last changed.
        client_order_id: the client's, or one that the server wrote.
        label: the client's, or its position's.
        comment: the client's, or its position's.
        origin: who placed it, for `Push.origin`.
        closing: whether it can only close.
        status: `ProtoOAOrderStatus`.
        executed: filled so far.
        turnover: volume x price of the fills, for the mean price.
        closed_ms: when it was filled, or None.
        expires_ms: when it expires, or None.
        limit: limit price (take profit of a protective order) x 100,000.
        stop: stop price (stop loss of a protective order) x 100,000.
        base: base price of a market-range order x 100,000.
        slippage_points: of market-range and stop-limit orders.
        levels: absolute ones for its position.
        relative: relative ones: distances x 100,000.
        trailing: whether the stop loss will follow the price; None where the order has no levels.
        guaranteed: whether the stop loss is guaranteed.
        trigger_method: `ProtoOAOrderTriggerMethod`, or None where nothing triggers.
        stop_out: whether the server closes because of too little margin.
        hides_stop_out: whether `isStopOut` is kept from the messages all the same.
        executing: whether it has been sent to execution, so that it is too late to change it.
        triggered_ms: when its price was met, or None.
        stopped: whether it was its stop price that was met.
        armed: number of its present trigger; raised to make an older one void.
        listed: levels of the position that a closing order shows in lists, though not in events.
    """

    order_id: int
    symbol: Symbol
    position: Position
    side: int
    kind: int
    volume: int
    time_in_force: int
    created_ms: int
    client_order_id: str
    label: str
    comment: str
    origin: object | None = None
    closing: bool = False
    status: int = _Order.ORDER_STATUS_ACCEPTED
    executed: int = 0
    turnover: int = 0
    updated_ms: int = 0
    closed_ms: int | None = None
    expires_ms: int | None = None
    limit: int | None = None
    stop: int | None = None
    base: int | None = None
    slippage_points: int | None = None
    levels: Levels = Levels()
    relative: Levels = Levels()
    trailing: bool | None = None
    guaranteed: bool = False
    trigger_method: int | None = None
    stop_out: bool = False
    hides_stop_out: bool = False
    executing: bool = False
    triggered_ms: int | None = None
    stopped: bool = False
    armed: int = 0
    listed: Levels = Levels()

    @property
    def is_buy(self) -> bool:
        """Whether it buys."""
        return self.side == _BUY

    @property
    def rest(self) -> int:
        """What is not filled yet."""
        return self.volume - self.executed

    @property
    def has_levels(self) -> bool:
        """Whether the position that it opens is to be protected."""
        return bool(self.levels) or bool(self.relative)

    @property
    def worst(self) -> int | None:
        """The worst price at which a market-range or stop-limit order may be filled, x 100,000; None for others."""
        start = self.base if self.base is not None else self.stop
        if start is None or self.slippage_points is None:
            return None
        reach = self.slippage_points * self.symbol.point
        return start + reach if self.is_buy else start - reach

    @property
    def is_active(self) -> bool:
        """Whether anything can still become of it."""
        return self.status == _Order.ORDER_STATUS_ACCEPTED

    def message(self, *, listed: bool = False) -> oa.ProtoOAOrder:
        """The order as it stands now.

        Args:
            listed: as lists show it: closing orders there have the levels of their position
                (docs/protocol.md section 12).
        """
        message = oa.ProtoOAOrder(
            orderId=self.order_id,
            tradeData=_trade_data(self.symbol, self.volume, self.side, self.guaranteed, self.label, self.comment),
            orderType=self.kind,
            orderStatus=self.status,
            executedVolume=self.executed,
            utcLastUpdateTimestamp=self.updated_ms,
            closingOrder=self.closing,
            clientOrderId=self.client_order_id,
            timeInForce=self.time_in_force,
            positionId=self.position.position_id,
        )
        message.tradeData.openTimestamp = self.created_ms
        if self.closed_ms is not None:
            message.tradeData.closeTimestamp = self.closed_ms
        if self.executed:
            message.executionPrice = self.turnover / self.executed / _SCALE
        if self.kind not in (_Kind.MARKET, _Kind.LIMIT) or self.expires_ms is not None:
            self._add_rare(message)
        if self.limit is not None:
            message.limitPrice = self.limit / _SCALE
        self._add_levels(message, self.listed if listed and self.listed else self.levels)
        if self.stop_out and not self.hides_stop_out:
            message.isStopOut = True
        return message

    def _add_rare(self, message: oa.ProtoOAOrder) -> None:
        if self.stop is not None:
            message.stopPrice = self.stop / _SCALE
        if self.base is not None:
            message.baseSlippagePrice = self.base / _SCALE
        if self.slippage_points is not None:
            message.slippageInPoints = self.slippage_points
        if self.expires_ms is not None:
            message.expirationTimestamp = self.expires_ms
        if self.trigger_method is not None:
            message.stopTriggerMethod = self.trigger_method

    def _add_levels(self, message: oa.ProtoOAOrder, levels: Levels) -> None:
        if levels.stop_loss is not None:
            message.stopLoss = levels.stop_loss / _SCALE
        if levels.take_profit is not None:
            message.takeProfit = levels.take_profit / _SCALE
        if self.relative.stop_loss is not None:
            message.relativeStopLoss = self.relative.stop_loss
        if self.relative.take_profit is not None:
            message.relativeTakeProfit = self.relative.take_profit
        if self.trailing is not None:
            message.trailingStopLoss = self.trailing


def _trade_data(
    symbol: Symbol, volume: int, side: int, guaranteed: bool, label: str, comment: str
) -> oa.ProtoOATradeData:
    trade = oa.ProtoOATradeData(symbolId=symbol.symbol_id, volume=volume, tradeSide=side, guaranteedStopLoss=guaranteed)
    if label:
        trade.label = label
    if comment:
        trade.comment = comment
    if symbol.units is not None:
        trade.measurementUnits = symbol.units
    return trade
