"""Amendments: new levels for a position, new terms for a pending order.

The server overwrites: what an amend leaves out is removed from the order, and of a position's levels the one
left out is gone (docs/protocol.md section 10.3). So an amendment says only what is to change, and its request
is built from that and from what the server has now. `KEEP` is "not mentioned"; None is "remove it".
"""

from __future__ import annotations

import enum
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from ..wire import messages as oa
from ..wire import units as exact_units
from . import fields
from .errors import InvalidOrder
from .terms import TriggerMethod, check_levels

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from ..wire.units import ExactNumber
    from .holdings import PendingOrder, Position
    from .symbols import NamedSymbol, Symbol

__all__ = ["KEEP", "Keep", "OrderAmendment", "PositionAmendment"]


class Keep(enum.Enum):
    """The type of `KEEP`."""

    KEEP = "keep"

    def __repr__(self) -> str:
        return "KEEP"


KEEP: Final = Keep.KEEP
"""Leave it as it is: what a change does not mention. None, in contrast, removes it."""

_Kept = Literal[Keep.KEEP]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class PositionAmendment:
    """Move, set or remove a position's levels: `ProtoOAAmendPositionSLTPReq`.

    Args:
        position_id: `positionId`.
        stop_loss: its price, or None for none.
        take_profit: its price, or None for none.
        trailing_stop: whether the stop loss follows the price.
        guaranteed_stop_loss: only for limited-risk accounts.
        stop_trigger_method: which quote sets off the stop loss.

    Raises:
        InvalidOrder: nothing is mentioned, or a value cannot be.
    """

    position_id: int
    _: KW_ONLY
    stop_loss: ExactNumber | _Kept | None = KEEP
    take_profit: ExactNumber | _Kept | None = KEEP
    trailing_stop: bool | _Kept = KEEP
    guaranteed_stop_loss: bool | _Kept = KEEP
    stop_trigger_method: TriggerMethod | _Kept = KEEP

    def __post_init__(self) -> None:
        fields.identifier("position_id", self.position_id)
        _check_prices(stop_loss=self.stop_loss, take_profit=self.take_profit)
        _check_flags(self)
        _something(self)

    def to_request(
        self, position: Position, symbol: Symbol | NamedSymbol, *, account_id: int
    ) -> oa.ProtoOAAmendPositionSLTPReq:
        """Build the request: the position's present levels with this change on top.

        Trailing is left out unless it is mentioned (its state is then kept); switching it off needs the stop
        loss in the same request, so a trailing stop is removed in two steps: off, then away.

        Args:
            position: as the server has it now. A trailing stop moves by itself: take the newest.
            symbol: of that position.
            account_id: `ctidTraderAccountId`.

        Raises:
            InvalidOrder: a level has too many digits, the two are the wrong way round, or a stop loss that is
                needed is not there.
        """
        fields.same_id("position_id", self.position_id, position.id)
        fields.same_symbol(position.symbol_id, symbol)
        stop_loss = _merged("stop_loss", self.stop_loss, position.stop_loss, symbol)
        take_profit = _merged("take_profit", self.take_profit, position.take_profit, symbol)
        check_levels(position.side, stop_loss=_decimal(stop_loss), take_profit=_decimal(take_profit))
        request = oa.ProtoOAAmendPositionSLTPReq(
            ctidTraderAccountId=fields.identifier("account_id", account_id), positionId=self.position_id
        )
        if stop_loss is not None:
            request.stopLoss = stop_loss
        if take_profit is not None:
            request.takeProfit = take_profit
        if self.trailing_stop is not KEEP:
            if stop_loss is None:
                raise fields.invalid("trailing_stop", self.trailing_stop, "it needs the stop loss in the same change")
            request.trailingStopLoss = self.trailing_stop
        guaranteed = _chosen(self.guaranteed_stop_loss, position.guaranteed_stop_loss and stop_loss is not None)
        if guaranteed and stop_loss is None:
            raise fields.invalid("guaranteed_stop_loss", True, "it needs a stop loss")
        if guaranteed or self.guaranteed_stop_loss is not KEEP:
            request.guaranteedStopLoss = guaranteed
        if stop_loss is not None:
            request.stopLossTriggerMethod = _method(self.stop_trigger_method, position.stop_trigger_method)
        elif self.stop_trigger_method is not KEEP:
            raise fields.invalid("stop_trigger_method", self.stop_trigger_method, "it needs a stop loss")
        return request

    def described(self) -> dict[str, str | int | bool]:
        """What was said, for a record; ``remove`` where a level is to go."""
        return fields.described(self)


@dataclass(frozen=True, slots=True)
class OrderAmendment:
    """Change a pending order: `ProtoOAAmendOrderReq`.

    Args:
        order_id: `orderId`.
        lots: the whole new size, in lots. At most one of the three sizes.
        units: the whole new size, in units of the base asset.
        volume_cents: the whole new size, in hundredths of a unit.
        price: of a limit order.
        stop_price: of a stop or stop-limit order.
        slippage_points: of a stop-limit order.
        expires_at: an aware time or milliseconds since the epoch; None for no expiry.
        stop_loss: its price; None for no stop loss, be it a price or a distance now.
        take_profit: its price; None for none.
        stop_loss_pips: the stop loss, so many pips from the fill, in place of its price.
        take_profit_pips: the take profit, so many pips from the fill, in place of its price.
        trailing_stop: whether the stop loss follows the price.
        guaranteed_stop_loss: only for limited-risk accounts.
        stop_trigger_method: which quote sets off a stop or stop-limit order.

    Raises:
        InvalidOrder: nothing is mentioned, or a value cannot be.
    """

    order_id: int
    _: KW_ONLY
    lots: ExactNumber | None = None
    units: ExactNumber | None = None
    volume_cents: ExactNumber | None = None
    price: ExactNumber | _Kept = KEEP
    stop_price: ExactNumber | _Kept = KEEP
    slippage_points: int | _Kept = KEEP
    expires_at: datetime | int | _Kept | None = KEEP
    stop_loss: ExactNumber | _Kept | None = KEEP
    take_profit: ExactNumber | _Kept | None = KEEP
    stop_loss_pips: ExactNumber | None = None
    take_profit_pips: ExactNumber | None = None
    trailing_stop: bool | _Kept = KEEP
    guaranteed_stop_loss: bool | _Kept = KEEP
    stop_trigger_method: TriggerMethod | _Kept = KEEP

    def __post_init__(self) -> None:
        fields.identifier("order_id", self.order_id)
        fields.one_size(self._sizes(), optional=True)
        for name in ("price", "stop_price"):
            if getattr(self, name) is None:
                raise fields.invalid(name, None, "an order cannot be without it")
        _check_prices(
            price=self.price, stop_price=self.stop_price, stop_loss=self.stop_loss, take_profit=self.take_profit
        )
        for level in ("stop_loss", "take_profit"):
            pips = getattr(self, f"{level}_pips")
            if pips is not None and fields.number(f"{level}_pips", pips) <= 0:
                raise fields.invalid(f"{level}_pips", pips, "it is above 0")
            if pips is not None and getattr(self, level) is not KEEP:
                raise fields.invalid(f"{level} and {level}_pips", pips, f"give the {level.replace('_', ' ')} once")
        if self.slippage_points is not KEEP:
            fields.slippage_points("slippage_points", self.slippage_points)
        if self.expires_at is not None and self.expires_at is not KEEP:
            fields.moment_ms("expires_at", self.expires_at)
        _check_flags(self)
        _something(self)

    def to_request(
        self, order: PendingOrder, symbol: Symbol, *, account_id: int, now_ms: int
    ) -> oa.ProtoOAAmendOrderReq:
        """Build the request: the order as it is now with this change on top.

        Args:
            order: as the server has it now.
            symbol: of that order.
            account_id: `ctidTraderAccountId`.
            now_ms: milliseconds since the epoch, to tell an expiry in the past.

        Raises:
            InvalidOrder: the order is not a pending one, does not have what is to change, or a value is not
                what the symbol takes.
        """
        fields.same_id("order_id", self.order_id, order.id)
        fields.same_symbol(order.symbol_id, symbol)
        if not order.is_waiting or not order.is_working:
            what = "the levels of its position are amended instead" if order.is_protective else "it cannot be amended"
            raise fields.invalid("order_id", self.order_id, f"it is no pending order: {what}")
        request = oa.ProtoOAAmendOrderReq(
            ctidTraderAccountId=fields.identifier("account_id", account_id),
            orderId=self.order_id,
            volume=self._volume_cents(order, symbol),
        )
        entry = self._fill_price(request, order, symbol)
        expires_at_ms = order.expires_at_ms if self.expires_at is KEEP else self.expires_at
        if expires_at_ms is not None:
            request.expirationTimestamp = fields.expiry_ms("expires_at", expires_at_ms, now_ms=now_ms)
        self._fill_levels(request, order, symbol, entry)
        return request

    def described(self) -> dict[str, str | int | bool]:
        """What was said, for a record; ``remove`` where something is to go."""
        return fields.described(self)

    def _sizes(self) -> dict[str, ExactNumber | None]:
        return {"lots": self.lots, "units": self.units, "volume_cents": self.volume_cents}

    def _volume_cents(self, order: PendingOrder, symbol: Symbol) -> int:
        sizes = {name: value for name, value in self._sizes().items() if value is not None}
        if not sizes:
            return order.volume_cents
        volume = fields.size_cents(sizes, symbol)
        if volume <= order.executed_volume_cents:
            field, value = next(iter(sizes.items()))
            filled = f"{order.executed_volume_cents} hundredths of a unit are filled already"
            raise fields.invalid(field, value, f"{filled}: cancel the rest instead")
        return volume

    def _fill_price(self, request: oa.ProtoOAAmendOrderReq, order: PendingOrder, symbol: Symbol) -> Decimal:
        limit = order.type == oa.ProtoOAOrderType.LIMIT
        stop_limit = order.type == oa.ProtoOAOrderType.STOP_LIMIT
        owned = {"price": limit, "stop_price": not limit, "slippage_points": stop_limit}
        for name in [*owned, "stop_trigger_method"]:
            if getattr(self, name) is not KEEP and not owned.get(name, not limit):
                raise fields.invalid(name, getattr(self, name), f"order {order.id} is a {_type_name(order)} order")
        name, known = ("price", order.limit_price) if limit else ("stop_price", order.stop_price)
        price = _merged(name, getattr(self, name), known, symbol)
        if price is None:
            raise InvalidOrder(f"{name}: none is given, and that of order {order.id} is not known")
        if limit:
            request.limitPrice = price
            return symbol.price_from_double(price)
        request.stopPrice = price
        slippage = order.slippage_points if self.slippage_points is KEEP else self.slippage_points
        if stop_limit and slippage is not None:
            request.slippageInPoints = slippage
        if self.stop_trigger_method is not KEEP or order.stop_trigger_method is not None:
            request.stopTriggerMethod = _method(self.stop_trigger_method, order.stop_trigger_method or 0)
        return symbol.price_from_double(price)

    def _fill_levels(
        self, request: oa.ProtoOAAmendOrderReq, order: PendingOrder, symbol: Symbol, entry: Decimal
    ) -> None:
        stop_loss, relative_stop_loss = self._level("stop_loss", order.stop_loss, order.relative_stop_loss, symbol)
        take_profit, relative_take_profit = self._level(
            "take_profit", order.take_profit, order.relative_take_profit, symbol
        )
        below = order.side.level_below
        relative = relative_stop_loss if below == "stop_loss" else relative_take_profit
        if relative is not None:
            pips = getattr(self, f"{below}_pips")
            name = below if pips is None else f"{below}_pips"
            said = exact_units.distance_from_relative(relative) if pips is None else pips
            fields.above_zero(name, said, relative, price=entry, symbol=symbol)
        check_levels(order.side, stop_loss=_decimal(stop_loss), take_profit=_decimal(take_profit), entry=entry)
        if stop_loss is not None:
            request.stopLoss = stop_loss
        if relative_stop_loss is not None:
            request.relativeStopLoss = relative_stop_loss
        if take_profit is not None:
            request.takeProfit = take_profit
        if relative_take_profit is not None:
            request.relativeTakeProfit = relative_take_profit
        has_stop_loss = stop_loss is not None or relative_stop_loss is not None
        trailing = _chosen(self.trailing_stop, order.trailing_stop and has_stop_loss)
        guaranteed = _chosen(self.guaranteed_stop_loss, order.guaranteed_stop_loss and has_stop_loss)
        for name, wanted in (("trailing_stop", trailing), ("guaranteed_stop_loss", guaranteed)):
            if wanted and not has_stop_loss:
                raise fields.invalid(name, True, "it needs a stop loss")
        if trailing or self.trailing_stop is not KEEP:
            request.trailingStopLoss = trailing
        if guaranteed or self.guaranteed_stop_loss is not KEEP:
            request.guaranteedStopLoss = guaranteed

    def _level(
        self, level: str, price: Decimal | None, relative: int | None, symbol: Symbol
    ) -> tuple[float | None, int | None]:
        """The level as a price and as a distance: at most one of the two."""
        pips = getattr(self, f"{level}_pips")
        if pips is not None:
            return None, fields.relative(f"{level}_pips", pips, symbol)
        wish = getattr(self, level)
        if wish is KEEP and price is None:
            return None, relative
        return _merged(level, wish, price, symbol), None


def _check_prices(**prices: ExactNumber | _Kept | None) -> None:
    for name, price in prices.items():
        if price is not None and price is not KEEP and fields.number(name, price) <= 0:
            raise fields.invalid(name, fields.number(name, price), "a price is above 0")


def _check_flags(change: PositionAmendment | OrderAmendment) -> None:
    for name in ("trailing_stop", "guaranteed_stop_loss"):
        if (value := getattr(change, name)) is not KEEP:
            fields.yes_or_no(name, value)
    if change.stop_trigger_method is not KEEP:
        fields.member("stop_trigger_method", change.stop_trigger_method, TriggerMethod)


def _something(change: PositionAmendment | OrderAmendment) -> None:
    if len(change.described()) == 1:
        raise InvalidOrder(f"{next(iter(change.described()))}: nothing is to change: the server refuses that")


def _merged(
    field: str, wish: ExactNumber | _Kept | None, known: Decimal | None, symbol: Symbol | NamedSymbol
) -> float | None:
    """The price to send. One that is kept is rounded to the symbol's digits: the server refuses its own noise."""
    if wish is KEEP:
        return None if known is None else symbol.double_from_price(symbol.rounded(known))
    return None if wish is None else fields.price_double(field, wish, symbol)


def _decimal(price: float | None) -> Decimal | None:
    return None if price is None else exact_units.price_from_double(price)


def _chosen(wish: _T | _Kept, known: _T) -> _T:
    return known if wish is KEEP else wish


def _method(wish: TriggerMethod | _Kept, known: int) -> int:
    return known if wish is KEEP else wish.value


def _type_name(order: PendingOrder) -> str:
    return oa.ProtoOAOrderType(order.type).name
