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
_CHARGES: Final = (("commission",) * 2, ("swap",) * 2, ("conversion_fee",) * 2, ("net_profit", "net"))


@dataclass(slots=True, kw_only=True)
class Trade:
    """What an order filled, from its last `fill` or `finished`.

    Amounts are exact, and None where the audit does not tell. Charges are negative, slippage is positive where the
    fill was worse than asked or quoted.

    Attributes:
        at: when that was put on record, UTC.
        environment: `demo` or `live`.
        client_order_id: our id of the order.
        order_id: `orderId`.
        position_id: `positionId`.
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
    client_order_id: str
    order_id: int | None = None
    position_id: int | None = None
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
    """What orders of ours filled, a row an order, in the order of their first fills."""
    trades: dict[tuple[str, str], Trade] = {}
    for line in lines:
        if line.get("fact") not in ("fill", "finished", "resolved"):
            continue
        units = _amount(line, "executed_volume_cents")
        if units is None or not isinstance(line.get("client_order_id"), str):
            continue
        key = (str(line.get("environment")), line["client_order_id"])
        trade = trades.setdefault(key, Trade(at="", environment=key[0], client_order_id=key[1]))
        trade.at = str(line.get("at", ""))
        trade.order_id = line.get("order_id", trade.order_id)
        trade.position_id = line.get("position_id", trade.position_id)
        trade.symbol, trade.side = str(line.get("symbol", "")), str(line.get("side", ""))
        trade.units = units / 100
        trade.price = _or(_amount(line, "average_price"), trade.price)
        for name in ("slippage_points", "slippage_pips", "slippage_quote_money"):
            setattr(trade, name, _or(_amount(line, name), getattr(trade, name)))
        if line["fact"] == "fill":
            # Each is of one deal; `finished` has the sums, and replaces them.
            for name, of_deal in (("commission",) * 2, ("swap",) * 2, ("conversion_fee",) * 2, ("net_profit", "net")):
                _add(trade, name, _amount(line, of_deal))
        elif line["fact"] == "finished":
            for name in ("commission", "swap", "conversion_fee", "net_profit"):
                setattr(trade, name, _or(_amount(line, name), getattr(trade, name)))
    return list(trades.values())


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
