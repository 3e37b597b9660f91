"""Whether a new order may be accepted: shape, digits, volume, levels, rights, market (docs/protocol.md section 10)."""

from __future__ import annotations

from math import isfinite
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..wire import messages as oa
from .book import PENDING_KINDS, Levels, Order, Position
from .denials import denied_order, invalid
from .variants import BadLevels, LongText, SameId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .accounts import Account
    from .floor import Floor
    from .symbols import Symbol

__all__ = [
    "PRICE_CEILING",
    "admitted",
    "checked_distances",
    "checked_expiry",
    "checked_levels",
    "checked_price",
    "checked_prices",
    "checked_relative",
    "checked_volume",
]

_Kind = oa.ProtoOAOrderType
_Force = oa.ProtoOATimeInForce
_BUY = oa.ProtoOATradeSide.BUY
_KINDS = frozenset((_Kind.MARKET, _Kind.LIMIT, _Kind.STOP, _Kind.MARKET_RANGE, _Kind.STOP_LIMIT))
_SCALE = 100_000
PRICE_CEILING = 10**17
"""No price reaches it (x 100,000): a double still tells it from its neighbours by less than the money it moves."""
_NEEDED: Mapping[int, tuple[str, ...]] = MappingProxyType(
    {
        _Kind.LIMIT: ("limitPrice",),
        _Kind.STOP: ("stopPrice",),
        _Kind.STOP_LIMIT: ("stopPrice", "slippageInPoints"),
        _Kind.MARKET_RANGE: ("baseSlippagePrice", "slippageInPoints"),
    }
)
_LONGEST_COMMENT, _LONGEST_LABEL, _LONGEST_ID = 512, 100, 50  # characters


def checked_price(value: float, symbol: Symbol, what: str) -> int:
    """A price x 100,000, if the symbol allows its digits.

    Raises:
        Denial: too many digits, or no price at all: INVALID_REQUEST with the server's text.
    """
    if not isfinite(value) or not 0 < value < PRICE_CEILING // _SCALE:
        raise invalid(f"{what} = {value} is not a valid price")
    price = round(value * _SCALE)
    if price / _SCALE != value or price % symbol.point:
        raise invalid(f"{what} = {value} has more digits than symbol allows. Allowed {symbol.digits} digits")
    return price


def checked_relative(value: int, symbol: Symbol, what: str) -> int:
    """A relative level, if it is a whole number of the symbol's points (docs/protocol.md section 8).

    Raises:
        Denial: it is not: INVALID_REQUEST.
    """
    if value <= 0 or value % symbol.point:
        raise invalid(f"Relative {what} has invalid precision")
    return value


def checked_distances(relative: Levels, *, buy: bool, price: int) -> None:
    """That relative levels lead to prices that there are, from the price (x 100,000) that they are counted from.

    Raises:
        Denial: one leads to none: INVALID_REQUEST, as for an absolute level that is no price.
    """
    for distance, sign in ((relative.stop_loss, -1 if buy else 1), (relative.take_profit, 1 if buy else -1)):
        level = price if distance is None else price + sign * distance
        if not 0 < level < PRICE_CEILING:
            raise invalid(f"Order protection = {level / _SCALE} is not a valid price")


def checked_volume(volume: int, symbol: Symbol) -> int:
    """A volume within the symbol's limits.

    Raises:
        Denial: it is not: TRADING_BAD_VOLUME with figures in units.
    """
    figure = f"Order volume = {volume / 100:.2f}"
    if volume < symbol.min_volume:
        least = f"{symbol.min_volume / 100:.2f}"
        raise denied_order("TRADING_BAD_VOLUME", f"{figure} is smaller than minimum allowed volume = {least}.")
    if volume > symbol.max_volume:
        most = f"{symbol.max_volume / 100:.2f}"
        raise denied_order("TRADING_BAD_VOLUME", f"{figure} is bigger than maximum allowed volume = {most}.")
    if volume % symbol.step_volume:
        step = f"{symbol.step_volume / 100:.2f}"
        raise denied_order("TRADING_BAD_VOLUME", f"{figure} is not a multiple of volume step = {step}.")
    return volume


def checked_expiry(at_ms: int, *, now_ms: int) -> int:
    """An expiry that lies ahead.

    Raises:
        Denial: it does not: TRADING_BAD_EXPIRATION_DATE.
    """
    if at_ms <= now_ms:
        raise denied_order(
            "TRADING_BAD_EXPIRATION_DATE", f"Expiration timestamp {at_ms} should be greater than current {now_ms}"
        )
    return at_ms


def checked_levels(levels: Levels, *, buy: bool, bid: int, ask: int, symbol: Symbol, what: str) -> None:
    """That both levels lie on their sides of the market, or of the price of a pending order.

    Args:
        levels: to be judged, together: one bad level refuses both.
        buy: side of the position.
        bid: what a buy is closed at, x 100,000.
        ask: what a sell is closed at, x 100,000.
        symbol: whose smallest distance holds.
        what: `current` for the market, `order` for the price of a pending order.

    Raises:
        Denial: TRADING_BAD_STOPS, or PROTECTION_IS_TOO_CLOSE_TO_MARKET.
    """
    side, name, price = ("BUY", "BID", bid) if buy else ("SELL", "ASK", ask)
    for level, text, above in (
        (levels.take_profit, "TP", buy),
        (levels.stop_loss, "SL", not buy),
    ):
        if level is None:
            continue
        if level < price if above else level > price:
            relation = ">=" if above else "<="
            raise denied_order(
                "TRADING_BAD_STOPS",
                f"New {text} for {side} position should be {relation} {what} {name} price. "
                f"{what} {name}: {price / _SCALE}, {text}: {level / _SCALE}",
            )
        if abs(level - price) < symbol.stop_distance_points * symbol.point:
            raise denied_order(
                "PROTECTION_IS_TOO_CLOSE_TO_MARKET",
                f"{text} should be at least {symbol.stop_distance_points} points away from the price",
            )


def _text(text: str, longest: int, what: str, variant: LongText) -> str:
    if len(text) > longest and variant is LongText.REFUSED:
        raise invalid(f"{what} is longer than {longest} characters")
    return text[:longest]


def _levels(req: oa.ProtoOANewOrderReq, symbol: Symbol, variant: BadLevels) -> tuple[Levels, Levels]:
    """The absolute and the relative levels of a request."""
    stop_loss = checked_price(req.stopLoss, symbol, "Order protection") if req.HasField("stopLoss") else None
    take_profit = checked_price(req.takeProfit, symbol, "Order protection") if req.HasField("takeProfit") else None
    relative_stop = relative_profit = None
    if req.HasField("relativeStopLoss"):
        relative_stop = _rival(req.relativeStopLoss, stop_loss, symbol, "stop loss", variant)
    if req.HasField("relativeTakeProfit"):
        relative_profit = _rival(req.relativeTakeProfit, take_profit, symbol, "take profit", variant)
    return Levels(stop_loss, take_profit), Levels(relative_stop, relative_profit)


def _rival(value: int, absolute: int | None, symbol: Symbol, what: str, variant: BadLevels) -> int | None:
    """A relative level beside what may be an absolute one for the same side."""
    if absolute is None:
        return checked_relative(value, symbol, what)
    if variant is BadLevels.REFUSED:
        raise invalid(f"Absolute and relative {what} must not be given together")
    return None


def _shape(req: oa.ProtoOANewOrderReq) -> None:
    """What must be right before anything else is looked at."""
    kind = req.orderType
    if kind not in _KINDS:
        raise invalid(f"Order type {kind} is not allowed")
    if req.tradeSide not in (1, 2):
        raise invalid(f"Trade side {req.tradeSide} is unknown")
    if req.timeInForce not in (1, 2, 3, 4, 5):
        raise invalid(f"Time in force {req.timeInForce} is unknown")
    if kind not in PENDING_KINDS and (req.HasField("stopLoss") or req.HasField("takeProfit")):
        raise invalid("SL/TP in absolute values are allowed only for order types: [LIMIT, STOP, STOP_LIMIT]")
    given = {field.name for field, _ in req.ListFields()}
    for field in _NEEDED.get(kind, ()):
        if field not in given:
            raise invalid(f"{field} is required for order type {_Kind(kind).name}")
    if req.slippageInPoints < 0:
        raise invalid("slippageInPoints must not be negative")


def _rights(account: Account, symbol: Symbol, *, opens: bool) -> None:
    """Whether the account may trade, and this symbol (docs/protocol.md section 14)."""
    rights, mode = account.settings.access_rights, symbol.trading_mode
    if rights >= oa.ProtoOAAccessRights.NO_TRADING or (rights == oa.ProtoOAAccessRights.CLOSE_ONLY and opens):
        raise denied_order("TRADING_NOT_ALLOWED", "Trading is not allowed for this account")
    if mode != oa.ProtoOATradingMode.ENABLED and (opens or mode != oa.ProtoOATradingMode.CLOSE_ONLY_MODE):
        raise denied_order("TRADING_DISABLED", f"Trading of {symbol.name} is disabled")


def _counts(floor: Floor, account: Account, symbol: Symbol, *, buy: bool, opens: int, adds: bool) -> None:
    """Limits on how much and how many (docs/protocol.md section 5)."""
    most = account.settings.max_positions if adds else None
    pending = sum(1 for order in account.orders.values() if not order.closing) if most is not None else 0
    if most is not None and len(account.positions) + pending >= most:
        raise denied_order("TOO_MANY_POSITIONS", f"More than {most} positions and orders are not allowed")
    held = account.held(symbol.symbol_id, buy=buy)
    if symbol.max_exposure is not None and held + opens > symbol.max_exposure:
        raise denied_order("MAX_EXPOSURE_REACHED", f"Exposure limit of {symbol.name} is reached")


def checked_stop(stop: int, *, buy: bool, bid: int, ask: int) -> None:
    """That the stop of a pending order lies ahead of the market, not behind it.

    Raises:
        Denial: TRADING_BAD_PRICES.
    """
    side, name, quote = ("BUY", "ASK", ask) if buy else ("SELL", "BID", bid)
    if stop < quote if buy else stop > quote:
        relation = ">=" if buy else "<="
        raise denied_order(
            "TRADING_BAD_PRICES",
            f"New STOP price for {side} order should be {relation} current {name} price. "
            f"current {name}: {quote / _SCALE}, STOP: {stop / _SCALE}",
        )


def checked_prices(floor: Floor, order: Order, *, limit: int | None, stop: int | None, levels: Levels) -> None:
    """That the prices of a pending order make sense together, and with the market.

    Raises:
        Denial: they do not.
    """
    symbol = order.symbol
    quote = floor.market.prices.get(symbol.symbol_id)
    if stop is not None and quote is not None and order.triggered_ms is None:
        checked_stop(stop, buy=order.is_buy, bid=quote.bid, ask=quote.ask)
    price = limit if limit is not None else stop
    if price is not None:
        checked_levels(levels, buy=order.is_buy, bid=price, ask=price, symbol=symbol, what="order")


def _position_for(floor: Floor, account: Account, symbol: Symbol, req: oa.ProtoOANewOrderReq) -> Position:
    """The position that an order will open, enlarge or reduce (docs/protocol.md section 10)."""
    found: Position | None = None
    if req.HasField("positionId") and req.positionId:
        found = account.positions.get(req.positionId)
        if found is None or found.symbol.symbol_id != symbol.symbol_id:
            raise denied_order("POSITION_NOT_FOUND", f"Position not found with id {req.positionId}")
        if found.busy is not None:
            raise denied_order(
                floor.settings.variants.locked_code,
                f"Position {found.position_id} is being executed",
                position_id=found.position_id,
            )
    elif account.is_netted:
        found = account.netted(symbol.symbol_id)
    if found is not None:
        return found
    return Position(
        0,  # numbered once the order is accepted
        account.account_id,
        symbol,
        req.tradeSide,
        req.label,
        req.comment,
        account.settings.money_digits,
    )


def _risk(account: Account, req: oa.ProtoOANewOrderReq, order: Order) -> None:
    """Guaranteed and trailing stop losses."""
    has_stop = order.levels.stop_loss is not None or order.relative.stop_loss is not None
    if req.trailingStopLoss and not has_stop:
        raise invalid("Trailing stop loss requires stop loss")
    if req.guaranteedStopLoss and not account.settings.limited_risk:
        raise invalid("Guaranteed stop loss is allowed only for limited risk accounts")
    if account.settings.limited_risk and not order.closing and not (req.guaranteedStopLoss and has_stop):
        raise invalid("Guaranteed stop loss is required for limited risk accounts")


def admitted(floor: Floor, account: Account, req: oa.ProtoOANewOrderReq, *, origin: object) -> Order:
    """The order that a request asks for, not filed yet. Its position is numbered when the order is filed.

    Raises:
        Denial: it may not be accepted. Nothing has changed.
    """
    variants = floor.settings.variants
    _shape(req)
    symbol = floor.symbol(req.symbolId)
    comment = _text(req.comment, _LONGEST_COMMENT, "comment", variants.long_text)
    label = _text(req.label, _LONGEST_LABEL, "label", variants.long_text)
    client_order_id = _text(req.clientOrderId, _LONGEST_ID, "clientOrderId", variants.long_text)
    absolute, relative = _levels(req, symbol, variants.both_levels)
    kind = req.orderType
    pending = kind in PENDING_KINDS
    position = _position_for(floor, account, symbol, req)
    reduces = position.volume > 0 and position.side != req.tradeSide
    order = Order(
        order_id=0,
        symbol=symbol,
        position=position,
        side=req.tradeSide,
        kind=kind,
        volume=req.volume,
        time_in_force=req.timeInForce if pending else _instant(req.timeInForce),
        created_ms=floor.now_ms,
        client_order_id=client_order_id,
        label=label,
        comment=comment,
        origin=origin,
        closing=reduces and not account.is_netted,
        levels=absolute,
        relative=relative,
        guaranteed=req.guaranteedStopLoss,
        limit=checked_price(req.limitPrice, symbol, "Order price") if kind == _Kind.LIMIT else None,
    )
    if kind in (_Kind.STOP, _Kind.STOP_LIMIT):
        order.stop = checked_price(req.stopPrice, symbol, "Order price")
        order.trigger_method = req.stopTriggerMethod
        if order.trigger_method not in (1, 2, 3, 4):
            raise invalid(f"Stop trigger method {order.trigger_method} is unknown")
    if kind == _Kind.MARKET_RANGE:
        order.base = checked_price(req.baseSlippagePrice, symbol, "Order price")
    if kind in (_Kind.STOP_LIMIT, _Kind.MARKET_RANGE):
        order.slippage_points = req.slippageInPoints
    if absolute or relative or req.HasField("trailingStopLoss"):
        order.trailing = req.trailingStopLoss
    quote = floor.market.prices.get(symbol.symbol_id)
    start = order.limit or order.stop or order.base or (quote and (quote.ask if order.is_buy else quote.bid))
    if start:
        checked_distances(relative, buy=order.is_buy, price=start)
    _risk(account, req, order)
    if req.timeInForce == _Force.GOOD_TILL_DATE and pending:
        if not req.HasField("expirationTimestamp"):
            raise invalid("expirationTimestamp is required for time in force GOOD_TILL_DATE")
        order.expires_ms = checked_expiry(req.expirationTimestamp, now_ms=floor.now_ms)
    checked_volume(req.volume, symbol)
    if order.closing and req.volume > position.volume:
        raise denied_order(
            "TRADING_BAD_VOLUME",
            f"Order volume = {req.volume / 100:.2f} is bigger than position volume = {position.volume / 100:.2f}.",
        )
    if client_order_id in account.client_order_ids and variants.same_client_order_id is SameId.REFUSED:
        raise invalid(f"clientOrderId {client_order_id} has been used before")
    # A netted account turns around with what goes beyond its position: that part opens, in the place of the old one.
    opens = max(0, req.volume - position.volume) if reduces else req.volume
    _rights(account, symbol, opens=opens > 0)
    if opens:
        if not symbol.short_selling and req.tradeSide != _BUY:
            raise denied_order("SHORT_SELLING_NOT_ALLOWED", f"{symbol.name} cannot be sold short")
        _counts(floor, account, symbol, buy=req.tradeSide == _BUY, opens=opens, adds=not reduces)
    if pending:
        checked_prices(floor, order, limit=order.limit, stop=order.stop, levels=absolute)
    return order


def _instant(force: int) -> int:
    """Time in force as stored for orders that do not wait: IMMEDIATE_OR_CANCEL, whatever the default says."""
    kept = (_Force.FILL_OR_KILL, _Force.MARKET_ON_OPEN)
    return force if force in kept else int(_Force.IMMEDIATE_OR_CANCEL)
