"""Accounts: what they own, owe and have done (docs/protocol.md sections 10.2 and 13)."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..wire import messages as oa
from . import money

if TYPE_CHECKING:
    from .book import Order, Position
    from .exchange_settings import ExchangeSettings
    from .market import Market

__all__ = ["Account", "AccountSettings", "Exposure", "Offset"]

_Margin = oa.ProtoOATotalMarginCalculationType


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """One trading account.

    Attributes:
        account_id: `ctidTraderAccountId`.
        trader_login: the number that its owner sees.
        is_live: whether it belongs to the live environment.
        account_type: `ProtoOAAccountType`: HEDGED or NETTED.
        deposit_asset: its currency, by name.
        balance: first deposit, in its smallest unit.
        leverage_cents: leverage x 100: 1:100 is 10,000.
        money_digits: decimals of its money on the wire.
        broker_name: `ProtoOATrader.brokerName`.
        broker_title: `brokerTitleShort` of the account list.
        access_rights: `ProtoOAAccessRights`.
        margin_type: `ProtoOATotalMarginCalculationType`.
        swap_free: whether it pays no swap.
        limited_risk: whether each position needs a guaranteed stop loss.
        fair_stop_out: `ProtoOATrader.fairStopOut`.
        stop_out_strategy: which position goes first.
        stop_out_percent: margin level at which positions are closed.
        margin_calls: thresholds 61, 62 and 63 in percent.
        max_positions: most positions and pending orders together, or None.
    """

    account_id: int
    trader_login: int
    is_live: bool = False
    account_type: int = oa.ProtoOAAccountType.HEDGED
    deposit_asset: str = "USD"
    balance: int = 1_000_000
    leverage_cents: int = 10_000
    money_digits: int = 2
    broker_name: str = "anyctrader"
    broker_title: str = "anyctrader"
    access_rights: int = oa.ProtoOAAccessRights.FULL_ACCESS
    margin_type: int = _Margin.SUM
    swap_free: bool = False
    limited_risk: bool = False
    fair_stop_out: bool = True
    stop_out_strategy: int = oa.ProtoOAStopOutStrategy.MOST_MARGIN_USED_FIRST
    stop_out_percent: float = 50.0
    margin_calls: tuple[float, float, float] = (100.0, 80.0, 60.0)
    max_positions: int | None = None


@dataclass(slots=True)
class Exposure:
    """What an account holds of one symbol, added up: it prices all positions of the symbol at once.

    Attributes:
        volumes: hundredths of a unit, long and short.
        entries: sums of volume x entry price (x 10^10), long and short.
        margins: used margin, long and short.
    """

    volumes: list[int] = field(default_factory=lambda: [0, 0])
    entries: list[int] = field(default_factory=lambda: [0, 0])
    margins: list[int] = field(default_factory=lambda: [0, 0])


@dataclass(frozen=True, slots=True)
class Offset:
    """That one deal closed volume which another had opened (`ProtoOADealOffset`)."""

    opening_deal_id: int
    closing_deal_id: int
    volume: int


class Account:
    """The state of one account. It changes only by what its methods say; they send nothing.

    Args:
        settings: what it is.
        opened_ms: when it was registered.
    """

    def __init__(self, settings: AccountSettings, *, opened_ms: int) -> None:
        self.settings = settings
        self.account_id = settings.account_id
        self.unit: int = 10**settings.money_digits
        self.is_netted = settings.account_type == oa.ProtoOAAccountType.NETTED
        self.opened_ms = opened_ms
        self.balance = 0
        self.balance_version = 1
        self.bonus = 0
        self.positions: dict[int, Position] = {}
        self.orders: dict[int, Order] = {}
        """Those of which something can still become: pending, protective, and in execution."""
        self.all_orders: dict[int, Order] = {}
        self.deals: dict[int, oa.ProtoOADeal] = {}
        self.offsets: list[Offset] = []
        self.open_lots: dict[int, list[list[int]]] = {}
        """By position: deals that opened it and what of them is still open, oldest first."""
        self.cash: list[oa.ProtoOADepositWithdraw] = []
        self.exposures: dict[int, Exposure] = {}
        self.charges = 0
        """Swap and opening commission of all open positions: not in the balance yet."""
        self.client_order_ids: set[str] = set()
        self.thresholds: dict[int, float] = dict(zip(oa.ProtoOANotificationType, settings.margin_calls, strict=True))
        self.thresholds_updated_ms: dict[int, int] = {}
        self.called_ms: dict[int, int] = {}
        self.last_closing_deal_ms: int | None = None
        self.last_balance_update_ms: int | None = None

    def book(self, amount: int, *, at_ms: int) -> None:
        """Change the balance by `amount` of its smallest unit."""
        self.balance += amount
        self.balance_version += 1
        self.last_balance_update_ms = at_ms

    def count(self, position: Position, sign: int) -> None:
        """Take a position into the sums (`sign` 1) or out of them (-1); around each change of a position."""
        symbol_id = position.symbol.symbol_id
        exposure = self.exposures.get(symbol_id)
        if exposure is None:
            exposure = self.exposures[symbol_id] = Exposure()
        side = 0 if position.is_buy else 1
        exposure.volumes[side] += sign * position.volume
        exposure.entries[side] += sign * position.volume * position.entry
        exposure.margins[side] += sign * position.used_margin
        self.charges += sign * (position.swap + position.commission)
        if not exposure.volumes[0] and not exposure.volumes[1]:
            del self.exposures[symbol_id]

    def held(self, symbol_id: int, *, buy: bool) -> int:
        """Volume that it holds of a symbol on one side."""
        exposure = self.exposures.get(symbol_id)
        return exposure.volumes[0 if buy else 1] if exposure else 0

    def netted(self, symbol_id: int) -> Position | None:
        """The one position of a netted account in a symbol, or None."""
        for position in self.positions.values():
            if position.symbol.symbol_id == symbol_id:
                return position
        return None

    def used_margin(self) -> int:
        """The margin of all positions together, by the account's way of adding the two sides up."""
        total = 0
        for exposure in self.exposures.values():
            long, short = exposure.margins
            if self.settings.margin_type == _Margin.SUM:
                total += long + short
            elif self.settings.margin_type == _Margin.MAX:
                total += max(long, short)
            else:
                total += abs(long - short)
        return total

    def unrealised(self, market: Market) -> int:
        """Gross profit of all open positions at present prices."""
        total = 0
        for symbol_id, exposure in self.exposures.items():
            price = market.prices[symbol_id]
            gain = price.bid * money.ENTRY_SCALE * exposure.volumes[0] - exposure.entries[0]
            gain += exposure.entries[1] - price.ask * money.ENTRY_SCALE * exposure.volumes[1]
            rate = market.rate(market.symbols[symbol_id].quote, self.settings.deposit_asset)
            total += money.nearest(gain * self.unit * rate[0], 100 * 10**10 * rate[1])
        return total

    def equity(self, market: Market) -> int:
        """Balance, gross profit and the charges that wait for closing (docs/protocol.md section 13)."""
        return self.balance + self.unrealised(market) + self.charges

    def file_order(self, order: Order) -> None:
        """Remember a new order."""
        self.orders[order.order_id] = order
        self.all_orders[order.order_id] = order
        self.client_order_ids.add(order.client_order_id)

    def file_opening(self, deal: oa.ProtoOADeal) -> None:
        """Remember a deal that opened volume."""
        self.deals[deal.dealId] = deal
        self.open_lots.setdefault(deal.positionId, []).append([deal.dealId, deal.filledVolume])

    def file_closing(self, deal: oa.ProtoOADeal) -> None:
        """Remember a deal that closed volume, and which deals had opened it: the oldest first."""
        self.deals[deal.dealId] = deal
        self.last_closing_deal_ms = deal.executionTimestamp
        lots = self.open_lots[deal.positionId]
        left = deal.filledVolume
        while left:
            lot = lots[0]
            taken = min(left, lot[1])
            self.offsets.append(Offset(lot[0], deal.dealId, taken))
            lot[1] -= taken
            left -= taken
            if not lot[1]:
                lots.pop(0)
        if not lots:
            del self.open_lots[deal.positionId]

    def message(self, settings: ExchangeSettings) -> oa.ProtoOATrader:
        """The account as `ProtoOATrader`: no equity and no margin in it (docs/protocol.md section 13)."""
        own = self.settings
        return oa.ProtoOATrader(
            ctidTraderAccountId=self.account_id,
            balance=self.balance,
            balanceVersion=self.balance_version,
            managerBonus=self.bonus or None,
            accessRights=own.access_rights,
            depositAssetId=settings.asset_id(own.deposit_asset),
            swapFree=own.swap_free,
            leverageInCents=own.leverage_cents,
            totalMarginCalculationType=own.margin_type,
            maxLeverage=own.leverage_cents,
            frenchRisk=own.limited_risk,
            traderLogin=own.trader_login,
            accountType=own.account_type,
            brokerName=own.broker_name,
            registrationTimestamp=self.opened_ms,
            isLimitedRisk=own.limited_risk,
            moneyDigits=own.money_digits,
            fairStopOut=own.fair_stop_out,
            stopOutStrategy=own.stop_out_strategy,
        )

    def cash_between(self, from_ms: int, to_ms: int) -> list[oa.ProtoOADepositWithdraw]:
        """Deposits and withdrawals from `from_ms` to `to_ms`, both included."""
        start = bisect_left(self.cash, from_ms, key=lambda flow: flow.changeBalanceTimestamp)
        return [flow for flow in self.cash[start:] if flow.changeBalanceTimestamp <= to_ms]
