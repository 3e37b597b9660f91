"""Orders as people say them: one ticket a kind, checked, and turned into `ProtoOANewOrderReq`.

A ticket is refused (`InvalidOrder`) as soon as it cannot be right: what needs no symbol is checked when it is
made, the rest in `to_request`. Sizes and prices are `Decimal`, `int` or `str`; a float is refused.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from ..wire import messages as oa
from ..wire import units
from . import fields
from .asked_levels import AskedLevel, AskedLevels
from .errors import InvalidOrder
from .terms import Side, TimeInForce, TriggerMethod, check_levels

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from ..wire.units import ExactNumber
    from .symbols import Symbol

__all__ = [
    "LONGEST_CLIENT_ORDER_ID",
    "LONGEST_COMMENT",
    "LONGEST_LABEL",
    "ImmediateTicket",
    "LimitOrder",
    "MarketOrder",
    "MarketRangeOrder",
    "PendingTicket",
    "Side",
    "StopLimitOrder",
    "StopOrder",
    "Ticket",
    "TimeInForce",
    "TriggerMethod",
]

# docs/protocol.md section 10: what the server does with longer ones is not known, so they do not leave.
LONGEST_COMMENT: Final = 512
LONGEST_LABEL: Final = 100
LONGEST_CLIENT_ORDER_ID: Final = 50


@dataclass(frozen=True, slots=True)
class Ticket(ABC):
    """What every order has.

    Args:
        symbol: its name, such as ``EURUSD``.
        side: buy or sell.
        lots: the size in lots of the symbol. Exactly one of the three sizes is given.
        units: the size in units of the base asset.
        volume_cents: the size in hundredths of a unit, as on the wire.
        stop_loss_pips: stop loss, so many pips from the price of the fill.
        take_profit_pips: take profit, so many pips from the price of the fill.
        stop_loss_distance: stop loss, as a price distance from the fill, in place of the pips.
        take_profit_distance: take profit, as a price distance from the fill, in place of the pips.
        trailing_stop: the stop loss follows the price. Needs a stop loss.
        guaranteed_stop_loss: only for limited-risk accounts. Needs a stop loss.
        label: at most 100 characters; without one, the client order id stands there, since positions show
            the label only.
        comment: at most 512 characters.

    Raises:
        InvalidOrder: a field cannot be right whatever the symbol; no ticket was made.
    """

    order_type: ClassVar[oa.ProtoOAOrderType]

    symbol: str
    side: Side
    _: KW_ONLY
    lots: ExactNumber | None = None
    units: ExactNumber | None = None
    volume_cents: ExactNumber | None = None
    stop_loss_pips: ExactNumber | None = None
    take_profit_pips: ExactNumber | None = None
    stop_loss_distance: ExactNumber | None = None
    take_profit_distance: ExactNumber | None = None
    trailing_stop: bool = False
    guaranteed_stop_loss: bool = False
    label: str | None = None
    comment: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.symbol, str) or not self.symbol:
            raise fields.invalid("symbol", self.symbol, "the name of a symbol, such as 'EURUSD'")
        fields.member("side", self.side, Side)
        fields.one_size(self._sizes())
        for level in ("stop_loss", "take_profit"):
            self._check_level(level)
        for flag in ("trailing_stop", "guaranteed_stop_loss"):
            if fields.yes_or_no(flag, getattr(self, flag)) and not self.asks_stop_loss:
                raise fields.invalid(flag, True, "it needs a stop loss, and none is given")
        if self.label is not None:
            fields.text("label", self.label, longest=LONGEST_LABEL)
        if self.comment is not None:
            fields.text("comment", self.comment, longest=LONGEST_COMMENT)
        self._check()

    @property
    def asks_stop_loss(self) -> bool:
        """Whether a stop loss is asked for."""
        return self._asks("stop_loss")

    @property
    def asks_take_profit(self) -> bool:
        """Whether a take profit is asked for."""
        return self._asks("take_profit")

    def asked_levels(self, symbol: Symbol) -> AskedLevels:
        """What it asks for, by which it is known among what its position shows."""
        stop_loss, take_profit = (self._asked(level, symbol) for level in ("stop_loss", "take_profit"))
        return AskedLevels(side=self.side, stop_loss=stop_loss, take_profit=take_profit, point=symbol.point)

    @property
    def requested_price(self) -> Decimal | None:
        """The price that the order names, against which slippage is counted; None for a market order."""
        return None

    def size_cents(self, symbol: Symbol) -> int:
        """The size in hundredths of a unit.

        Raises:
            InvalidOrder: it is not a multiple of the symbol's step between its minimum and its maximum.
        """
        return fields.size_cents(self._sizes(), symbol)

    def to_request(
        self, symbol: Symbol, *, account_id: int, client_order_id: str, now_ms: int
    ) -> oa.ProtoOANewOrderReq:
        """Build the request.

        Args:
            symbol: the symbol that the ticket names, as this account has it.
            account_id: `ctidTraderAccountId`.
            client_order_id: our own id of the order, at most 50 characters; also the label if none is given.
            now_ms: milliseconds since the epoch, to tell an expiry in the past.

        Raises:
            InvalidOrder: a field is not what the symbol takes, or is in the past.
        """
        if symbol.name != self.symbol:
            raise fields.invalid("symbol", self.symbol, f"these are the figures of {symbol.name!r}")
        fields.text("client_order_id", client_order_id, longest=LONGEST_CLIENT_ORDER_ID)
        request = oa.ProtoOANewOrderReq(
            ctidTraderAccountId=fields.identifier("account_id", account_id),
            symbolId=symbol.id,
            orderType=self.order_type,
            tradeSide=self.side.value,
            volume=self.size_cents(symbol),
            clientOrderId=client_order_id,
            label=self.label if self.label is not None else client_order_id,
        )
        if self.comment is not None:
            request.comment = self.comment
        stop_loss = self._relative("stop_loss", symbol)
        if stop_loss is not None:
            request.relativeStopLoss = stop_loss
        take_profit = self._relative("take_profit", symbol)
        if take_profit is not None:
            request.relativeTakeProfit = take_profit
        if self.trailing_stop:
            request.trailingStopLoss = True
        if self.guaranteed_stop_loss:
            request.guaranteedStopLoss = True
        self._complete(request, symbol, now_ms)
        if self.requested_price is not None:
            self.check_reach(symbol, self.requested_price)
        return request

    def check_reach(self, symbol: Symbol, price: Decimal) -> None:
        """Refuse a level so far from the fill that it would not be above 0.

        Args:
            symbol: the symbol that the ticket names, as this account has it.
            price: where it will fill, as far as that is known.

        Raises:
            InvalidOrder: the level that lies below the price would be 0 or less.
        """
        level = self.side.level_below
        relative = self._relative(level, symbol)
        for name, value in self._level_fields(level).items():
            if relative is not None:
                fields.above_zero(name, fields.number(name, value), relative, price=price, symbol=symbol)

    def described(self) -> dict[str, str | int | bool]:
        """What was said, for a record: the kind and every field that was given."""
        return {"type": self.order_type.name, **fields.described(self)}

    @abstractmethod
    def _check(self) -> None:
        """Check the fields of this kind that need no symbol."""

    @abstractmethod
    def _complete(self, request: oa.ProtoOANewOrderReq, symbol: Symbol, now_ms: int) -> None:
        """Fill in the fields of this kind."""

    def _level_fields(self, level: str) -> dict[str, ExactNumber]:
        names = (f"{level}_pips", f"{level}_distance", level)
        return {name: value for name in names if (value := getattr(self, name, None)) is not None}

    def _asks(self, level: str) -> bool:
        return bool(self._level_fields(level))

    def _asked(self, level: str, symbol: Symbol) -> AskedLevel | None:
        for name, value in self._level_fields(level).items():
            if name == level:
                return AskedLevel(price=fields.number(name, value))
            in_pips = name.endswith("_pips")
            number = fields.number(name, value)
            return AskedLevel(
                distance=units.distance_from_pips(number, pip_position=symbol.pip_position) if in_pips else number
            )
        return None

    def _check_level(self, level: str) -> None:
        given = self._level_fields(level)
        if len(given) > 1:
            values = " and ".join(str(value) for value in given.values())
            raise fields.invalid(" and ".join(given), values, f"give the {level.replace('_', ' ')} once")
        for name, value in given.items():
            if fields.number(name, value) <= 0:
                raise fields.invalid(name, fields.number(name, value), "it is above 0")

    def _relative(self, level: str, symbol: Symbol) -> int | None:
        for name, value in self._level_fields(level).items():
            if name != level:
                return fields.relative(name, value, symbol)
        return None

    def _sizes(self) -> dict[str, ExactNumber | None]:
        return {"lots": self.lots, "units": self.units, "volume_cents": self.volume_cents}


@dataclass(frozen=True, slots=True)
class ImmediateTicket(Ticket):
    """An order that fills at once or not at all: levels are distances from the fill only.

    The server refuses absolute levels here (docs/protocol.md section 10), and sets them only after the fill.

    Args:
        position_id: adds to that position (same side) or reduces it (other side).
        close_if_unprotected: close the position again if the levels are not confirmed in time. Needs a level.
    """

    _: KW_ONLY
    position_id: int | None = None
    close_if_unprotected: bool = False

    def _check(self) -> None:
        if self.position_id is not None:
            fields.identifier("position_id", self.position_id)
        wanted = fields.yes_or_no("close_if_unprotected", self.close_if_unprotected)
        if wanted and not (self.asks_stop_loss or self.asks_take_profit):
            raise fields.invalid("close_if_unprotected", True, "it needs a stop loss or a take profit")

    def _complete(self, request: oa.ProtoOANewOrderReq, symbol: Symbol, now_ms: int) -> None:
        if self.position_id is not None:
            request.positionId = self.position_id


@dataclass(frozen=True, slots=True)
class MarketOrder(ImmediateTicket):
    """Fill at the market, whatever the price: ``MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=20)``."""

    order_type = oa.ProtoOAOrderType.MARKET


@dataclass(frozen=True, slots=True)
class MarketRangeOrder(ImmediateTicket):
    """Fill at the market if it is no further from a price than so much.

    Args:
        base_price: the price that the range starts from (`baseSlippagePrice`).
        slippage_points: how far the fill may be from it, in points (`slippageInPoints`).
    """

    order_type = oa.ProtoOAOrderType.MARKET_RANGE

    _: KW_ONLY
    base_price: ExactNumber
    slippage_points: int

    @property
    def requested_price(self) -> Decimal | None:
        """The base price."""
        return fields.number("base_price", self.base_price)

    def _check(self) -> None:
        ImmediateTicket._check(self)
        fields.number("base_price", self.base_price)
        fields.slippage_points("slippage_points", self.slippage_points)

    def _complete(self, request: oa.ProtoOANewOrderReq, symbol: Symbol, now_ms: int) -> None:
        ImmediateTicket._complete(self, request, symbol, now_ms)
        request.baseSlippagePrice = fields.price_double("base_price", self.base_price, symbol)
        request.slippageInPoints = self.slippage_points


@dataclass(frozen=True, slots=True)
class PendingTicket(Ticket):
    """An order that waits for its price: levels are prices, or distances from the fill.

    Args:
        stop_loss: the price of the stop loss, in place of a distance.
        take_profit: the price of the take profit, in place of a distance.
        time_in_force: until when it works; good till cancelled if nothing is said, good till date if
            *expires_at* is given.
        expires_at: an aware time, or milliseconds since the epoch.
    """

    price_field: ClassVar[str]

    _: KW_ONLY
    stop_loss: ExactNumber | None = None
    take_profit: ExactNumber | None = None
    time_in_force: TimeInForce | None = None
    expires_at: datetime | int | None = None

    @property
    def requested_price(self) -> Decimal | None:
        """The price at which it is to fill or to be set off."""
        return fields.number(self.price_field, getattr(self, self.price_field))

    def _check(self) -> None:
        if self.requested_price is None or self.requested_price <= 0:
            raise fields.invalid(self.price_field, self.requested_price, "a price is above 0")
        if self.time_in_force is not None:
            fields.member("time_in_force", self.time_in_force, TimeInForce)
        till_date = self.time_in_force is TimeInForce.GOOD_TILL_DATE
        if self.expires_at is not None:
            fields.moment_ms("expires_at", self.expires_at)
            if not till_date and self.time_in_force is not None:
                raise fields.invalid("time_in_force", self.time_in_force, "expires_at needs GOOD_TILL_DATE")
        elif till_date:
            raise InvalidOrder("expires_at: none is given: GOOD_TILL_DATE needs one")

    def _complete(self, request: oa.ProtoOANewOrderReq, symbol: Symbol, now_ms: int) -> None:
        if self.time_in_force is not None:
            request.timeInForce = self.time_in_force.value
        else:
            default = TimeInForce.GOOD_TILL_CANCEL if self.expires_at is None else TimeInForce.GOOD_TILL_DATE
            request.timeInForce = default.value
        if self.expires_at is not None:
            request.expirationTimestamp = fields.expiry_ms("expires_at", self.expires_at, now_ms=now_ms)
        if self.stop_loss is not None:
            request.stopLoss = fields.price_double("stop_loss", self.stop_loss, symbol)
        if self.take_profit is not None:
            request.takeProfit = fields.price_double("take_profit", self.take_profit, symbol)
        check_levels(self.side, stop_loss=self.stop_loss, take_profit=self.take_profit, entry=self.requested_price)


@dataclass(frozen=True, slots=True)
class LimitOrder(PendingTicket):
    """Fill at a price or better.

    Args:
        price: the price (`limitPrice`).
    """

    order_type = oa.ProtoOAOrderType.LIMIT
    price_field = "price"

    _: KW_ONLY
    price: ExactNumber

    def _complete(self, request: oa.ProtoOANewOrderReq, symbol: Symbol, now_ms: int) -> None:
        request.limitPrice = fields.price_double("price", self.price, symbol)
        PendingTicket._complete(self, request, symbol, now_ms)


@dataclass(frozen=True, slots=True)
class StopOrder(PendingTicket):
    """Fill at the market once a price is reached.

    Args:
        stop_price: the price that sets it off (`stopPrice`).
        stop_trigger_method: which quote sets it off; the server's own default is TRADE.
    """

    order_type = oa.ProtoOAOrderType.STOP
    price_field = "stop_price"

    _: KW_ONLY
    stop_price: ExactNumber
    stop_trigger_method: TriggerMethod | None = None

    def _check(self) -> None:
        PendingTicket._check(self)
        if self.stop_trigger_method is not None:
            fields.member("stop_trigger_method", self.stop_trigger_method, TriggerMethod)

    def _complete(self, request: oa.ProtoOANewOrderReq, symbol: Symbol, now_ms: int) -> None:
        request.stopPrice = fields.price_double("stop_price", self.stop_price, symbol)
        if self.stop_trigger_method is not None:
            request.stopTriggerMethod = self.stop_trigger_method.value
        PendingTicket._complete(self, request, symbol, now_ms)


@dataclass(frozen=True, slots=True)
class StopLimitOrder(StopOrder):
    """Fill within a range once a price is reached.

    Args:
        slippage_points: how far the fill may be from the stop price, in points (`slippageInPoints`).
    """

    order_type = oa.ProtoOAOrderType.STOP_LIMIT

    _: KW_ONLY
    slippage_points: int

    def _check(self) -> None:
        StopOrder._check(self)
        fields.slippage_points("slippage_points", self.slippage_points)

    def _complete(self, request: oa.ProtoOANewOrderReq, symbol: Symbol, now_ms: int) -> None:
        request.slippageInPoints = self.slippage_points
        StopOrder._complete(self, request, symbol, now_ms)
