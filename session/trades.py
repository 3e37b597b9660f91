"""What was traded, as the lines of the order audit tell: a row an order of ours, a row each other deal. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Total", "Trade", "totals_of", "trades_of"]

_OF_ORDERS: Final = frozenset({"fill", "finished", "resolved"})
_OF_DEALS: Final = frozenset({"deal", "missed_deal"})
# Of a trade, and of the line of a deal.
_CHARGES: Final = (("commission",) * 2, ("swap",) * 2, ("conversion_fee",) * 2, ("net_profit", "net"))

_Key = tuple[str, str, str]  # environment, what is identified, its id


@dataclass(slots=True, kw_only=True)
class Trade:
    """What an order of ours filled, from its last `fill` or `finished`; or a deal that is no order's of ours.

    Amounts are exact, and None where the audit does not tell. Charges are negative, slippage is positive where the
    fill was worse than asked or quoted.

    Attributes:
        at: when that was put on record, UTC.
        environment: `demo` or `live`.
        origin: `desk`: an order of ours; `levels`: a stop loss or take profit that was hit; `missed`: a deal made while
            nobody listened; `other`: somebody else's, or a raw request's.
        client_order_id: our id of the order; empty for a deal that is none's of ours.
        order_id: `orderId`.
        position_id: `positionId`.
        deal_id: `dealId` of a deal that is no order's of ours.
        symbol: its name.
        side: `BUY` or `SELL`.
        units: how much was filled, units of the base asset.
        price: the average.
        slippage_points: in points of the symbol.
        slippage_pips: in pips.
        slippage_quote_money: on the whole volume, in the symbol's quote asset.
        commission: of its own deals, deposit currency.
        swap: booked by what it closed, deposit currency.
        conversion_fee: likewise.
        net_profit: likewise: gross profit with all charges, those of the opening included.
    """

    at: str
    environment: str
    origin: str
    client_order_id: str
    order_id: int | None = None
    position_id: int | None = None
    deal_id: int | None = None
    symbol: str = ""
    side: str = ""
    units: Decimal | None = None
    price: Decimal | None = None
    slippage_points: Decimal | None = None
    slippage_pips: Decimal | None = None
    slippage_quote_money: Decimal | None = None
    commission: Decimal | None = None
    swap: Decimal | None = None
    conversion_fee: Decimal | None = None
    net_profit: Decimal | None = None


@dataclass(slots=True, kw_only=True)
class Total:
    """The sums of some trades.

    Attributes:
        environment: `demo` or `live`: money of the two is never added up.
        symbol: whose; None for all: then slippage in money is left out, as each symbol has its own quote asset.
        trades: how many.
        slippage_quote_money: see `Trade`.
        commission: see `Trade`.
        swap: see `Trade`.
        conversion_fee: see `Trade`.
        net_profit: see `Trade`.
    """

    environment: str
    symbol: str | None
    trades: int = 0
    slippage_quote_money: Decimal | None = None
    commission: Decimal = field(default=Decimal(0))
    swap: Decimal = field(default=Decimal(0))
    conversion_fee: Decimal = field(default=Decimal(0))
    net_profit: Decimal = field(default=Decimal(0))


def trades_of(lines: Iterator[dict[str, Any]]) -> list[Trade]:
    """What was traded: a row an order of ours that filled, and a row each other deal; a deal counts once.

    In the order of their first lines. A deal that was on record before it was known to be of an order of ours is in
    the row of that order; so is one of its `orderId` that no line of a fill has told of.
    """
    trades: dict[_Key, Trade] = {}
    filled: set[_Key] = set()
    known: dict[_Key, Decimal] = {}  # by order: the units of its fills that are on record
    for line in lines:
        fact, environment = line.get("fact"), str(line.get("environment"))
        deal = (environment, "deal", str(line.get("deal_id")))
        if fact in _OF_DEALS:
            if deal not in filled and deal not in trades and _amount(line, "executed_volume_cents"):
                trades[deal] = _other(line, environment)
        elif fact in _OF_ORDERS and isinstance(line.get("client_order_id"), str):
            if _amount(line, "executed_volume_cents") is None:
                continue
            key = (environment, "order", line["client_order_id"])
            trade = trades.setdefault(
                key, Trade(at="", environment=environment, origin="desk", client_order_id=line["client_order_id"])
            )
            _follow(trade, line)
            if fact == "fill" and deal not in filled:
                filled.add(deal)
                known[key] = known.get(key, Decimal(0)) + (_amount(line, "volume_cents") or Decimal(0)) / 100
                trades.pop(deal, None)
                _add_charges(trade, line)
    _take_in_others(trades, known)
    return list(trades.values())


def _take_in_others(trades: dict[_Key, Trade], known: dict[_Key, Decimal]) -> None:
    """Puts deals of orders of ours that have rows of their own into the rows of those orders.

    Args:
        trades: all rows.
        known: by order, the units of its fills that are on record.
    """
    ours = {
        (row.environment, row.order_id or 0): key for key, row in trades.items() if row.client_order_id and row.order_id
    }
    for deal, row in list(trades.items()):
        key = ours.get((row.environment, row.order_id or 0))
        if key is not None and not row.client_order_id:
            del trades[deal]
            _take_in(trades[key], row, known.get(key, Decimal(0)))
            known[key] = known.get(key, Decimal(0)) + (row.units or Decimal(0))


def _take_in(trade: Trade, deal: Trade, known_units: Decimal) -> None:
    """A deal of an order of ours that no line of a fill has told of: the sums of that order are without it.

    Args:
        trade: the order's row; what the server said was filled of it is its size already.
        deal: the row that the deal has.
        known_units: how much its charges and its price are of so far.
    """
    for name, _ in _CHARGES:
        _add(trade, name, getattr(deal, name))
    total = known_units + (deal.units or Decimal(0))
    trade.units = max(trade.units or Decimal(0), total)
    if trade.price == deal.price and known_units:
        if trade.slippage_quote_money is not None:
            trade.slippage_quote_money = trade.slippage_quote_money * total / known_units
        return
    priced = deal.price is not None and deal.units and (trade.price is not None or not known_units)
    value = (trade.price or Decimal(0)) * known_units + (deal.price or Decimal(0)) * (deal.units or Decimal(0))
    trade.price = value / total if priced else None
    # Against which price is not on this row: better no slippage than that of a part.
    trade.slippage_points = trade.slippage_pips = trade.slippage_quote_money = None


def _follow(trade: Trade, line: dict[str, Any]) -> None:
    trade.at = str(line.get("at", ""))
    trade.order_id = line.get("order_id", trade.order_id)
    trade.position_id = line.get("position_id", trade.position_id)
    trade.symbol, trade.side = str(line.get("symbol", "")), str(line.get("side", ""))
    trade.units = (_amount(line, "executed_volume_cents") or Decimal(0)) / 100
    trade.price = _or(_amount(line, "average_price"), trade.price)
    for name in ("slippage_points", "slippage_pips", "slippage_quote_money"):
        setattr(trade, name, _or(_amount(line, name), getattr(trade, name)))
    if line["fact"] == "finished":
        # It has the sums of all deals, and replaces those of their own lines.
        for name, _ in _CHARGES:
            setattr(trade, name, _or(_amount(line, name), getattr(trade, name)))


def _other(line: dict[str, Any], environment: str) -> Trade:
    units = _amount(line, "executed_volume_cents")
    hit = line.get("order_type") == "STOP_LOSS_TAKE_PROFIT"
    trade = Trade(
        at=str(line.get("at", "")),
        environment=environment,
        origin="missed" if line["fact"] == "missed_deal" else "levels" if hit else "other",
        client_order_id="",
        order_id=line.get("order_id"),
        position_id=line.get("position_id"),
        deal_id=line.get("deal_id"),
        symbol=str(line.get("symbol") or line.get("symbol_id", "")),
        side=str(line.get("side", "")),
        units=units / 100 if units is not None else None,
        price=_amount(line, "price"),
    )
    _add_charges(trade, line)
    return trade


def _add_charges(trade: Trade, line: dict[str, Any]) -> None:
    """Those of a line of one deal."""
    for name, of_deal in _CHARGES:
        _add(trade, name, _amount(line, of_deal))


def totals_of(trades: list[Trade]) -> list[Total]:
    """The sums for each symbol of each environment, and then for each environment."""
    totals: dict[tuple[str, str | None], Total] = {}
    for trade in trades:
        for symbol in (trade.symbol, None):
            key = (trade.environment, symbol)
            total = totals.setdefault(key, Total(environment=trade.environment, symbol=symbol))
            total.trades += 1
            for name in ("commission", "swap", "conversion_fee", "net_profit"):
                _add(total, name, getattr(trade, name))
            if symbol is not None:
                _add(total, "slippage_quote_money", trade.slippage_quote_money)
    return sorted(totals.values(), key=lambda total: (total.environment, total.symbol is None, total.symbol or ""))


def _amount(line: dict[str, Any], name: str) -> Decimal | None:
    value = line.get(name)
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        amount = Decimal(value)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


def _or(amount: Decimal | None, otherwise: Decimal | None) -> Decimal | None:
    return amount if amount is not None else otherwise


def _add(to: Trade | Total, name: str, amount: Decimal | None) -> None:
    if amount is not None:
        setattr(to, name, (getattr(to, name) or Decimal(0)) + amount)
