"""The exchange: accounts, prices, orders, positions and money, with no clock, socket or task.

It is told the time and what was asked, and gives back what is to be sent. The same settings, times and requests give
the same messages again.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..wire import messages as oa
from .accounts import Account
from .admission import PRICE_CEILING
from .cash import change_balance, change_bonus
from .charts import Charts
from .depth import depth_of
from .dispatch import HANDLED, Dispatch
from .exchange_settings import ExchangeSettings
from .execution import Execution
from .fills import Fills
from .floor import Floor
from .market import Market
from .orders import Orders
from .protection import Protection
from .pushes import Cause, Push, Quote
from .rollover import Rollover
from .stopout import StopOut
from .trading import Trading

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from google.protobuf.message import Message

    from .feed import Tick

__all__ = ["HANDLED", "Exchange", "ExchangeSettings"]


class Exchange:
    """All of it.

    Args:
        settings: what it is.
        now_ms: the beginning, ms since the epoch; it cannot go back behind that.
    """

    def __init__(self, settings: ExchangeSettings, *, now_ms: int) -> None:
        self.settings = settings
        market = Market(settings.symbols, settings.market, now_ms=now_ms)
        floor = Floor(settings, market, {}, now_ms, Random(settings.seed))
        self._floor = floor
        self._protection = Protection(floor)
        orders = Orders(floor)
        self._execution = Execution(floor, orders, Fills(floor, orders, self._protection))
        trading = Trading(floor, orders, self._execution, self._protection)
        self._stop_out = StopOut(floor, orders, self._execution)
        self._charts = Charts(floor)
        self._dispatch = Dispatch(floor, trading, self._charts)
        Rollover(floor)
        for own in settings.accounts:
            floor.accounts[own.account_id] = account = Account(own, opened_ms=now_ms)
            if own.balance:
                change_balance(floor, account, own.balance, note="")
        floor.out.clear()  # the first deposits lie before anyone listens
        self._last_quotes = {symbol_id: (price.bid, price.ask) for symbol_id, price in market.prices.items()}

    # -- time ------------------------------------------------------------------------------------------------------

    def advance(self, now_ms: int) -> list[Push | Quote]:
        """Let happen what happens until a moment: ticks, fills, triggers, expiries, swaps.

        Args:
            now_ms: the present; one that lies before the last is taken as the last.
        """
        self._advance(now_ms)
        return self._taken()

    def next_due_ms(self) -> int | None:
        """When `advance` has something to do again; None only where nothing is quoted and nothing is due."""
        due = [at_ms for at_ms in (self._floor.market.next_tick_ms(), self._floor.timeline.next_ms()) if at_ms]
        return min(due, default=None)

    def _advance(self, now_ms: int) -> None:
        floor = self._floor
        now_ms = max(now_ms, floor.now_ms)
        market, timeline = floor.market, floor.timeline
        while True:
            tick_ms, due_ms = market.next_tick_ms(), timeline.next_ms()
            if tick_ms is not None and tick_ms <= now_ms and (due_ms is None or tick_ms <= due_ms):
                floor.now_ms = tick_ms
                self._ticked(*market.tick())
            elif due_ms is not None and due_ms <= now_ms:
                floor.now_ms = due_ms
                timeline.take()()
                self._stop_out.look_again()
                self._look_at_fresh()
            else:
                break
        floor.now_ms = now_ms

    def _ticked(self, symbol_id: int, tick: Tick) -> None:
        """What a tick brings: the quote, orders that are set off, stops that move, accounts that run out of margin."""
        floor = self._floor
        price = floor.market.prices[symbol_id]
        last = self._last_quotes.get(symbol_id)
        bid_changed, ask_changed = last is None or price.bid != last[0], last is None or price.ask != last[1]
        if bid_changed or ask_changed:
            self._last_quotes[symbol_id] = (price.bid, price.ask)
            floor.out.append(Quote(symbol_id, price.bid, price.ask, tick[0], bid_changed, ask_changed))
        self._execution.meet(symbol_id)
        self._protection.trail(symbol_id)
        self._stop_out.look(symbol_id)
        self._look_at_fresh()

    def _look_at_fresh(self) -> None:
        """Hold what has just begun to wait against the present quotes."""
        for symbol_id, triggers in self._floor.triggers.items():
            if triggers.fresh:
                self._execution.meet(symbol_id)

    def _taken(self) -> list[Push | Quote]:
        out = self._floor.out
        self._floor.out = []
        return out

    # -- requests --------------------------------------------------------------------------------------------------

    def handle(self, account_id: int, request: Message, *, now_ms: int, origin: object) -> list[Push | Quote]:
        """Do what a connection asks on behalf of an account that it has authorised.

        Args:
            account_id: the account.
            request: a message of one of the classes in `HANDLED`; any other is answered UNSUPPORTED_MESSAGE.
            now_ms: the present.
            origin: whatever the caller wants back as `Push.origin` of the answer and of what follows from it.

        Returns:
            All that has happened since the last call, and then what the request brings.

        Raises:
            KeyError: there is no such account.
        """
        self._advance(now_ms)
        floor = self._floor
        self._dispatch.take(floor.accounts[account_id], request, origin)
        self._look_at_fresh()
        self._advance(floor.now_ms)
        return self._taken()

    # -- reading ---------------------------------------------------------------------------------------------------

    @property
    def now_ms(self) -> int:
        """The moment that it has got to."""
        return self._floor.now_ms

    @property
    def accounts(self) -> Mapping[int, Account]:
        """All accounts by id; to be read only."""
        return MappingProxyType(self._floor.accounts)

    @property
    def symbol_ids(self) -> Collection[int]:
        """The ids of all symbols."""
        return self._floor.market.symbols.keys()

    def quote(self, symbol_id: int) -> Quote | None:
        """The present price of a symbol, or None where it has none."""
        price = self._floor.market.prices.get(symbol_id)
        if price is None:
            return None
        return Quote(symbol_id, price.bid, price.ask, price.at_ms, True, True)

    def session_close(self, symbol_id: int) -> int:
        """The last bid of the trading day before this one, x 100,000; for the first spot event."""
        return self._floor.market.session_close(symbol_id, now_ms=self._floor.now_ms)

    def live_bar(self, symbol_id: int, period: int) -> oa.ProtoOATrendbar | None:
        """The running bar of a period as spot events carry it, or None while there is none."""
        return self._charts.live_bar(symbol_id, period)

    def depth(self, symbol_id: int) -> dict[int, oa.ProtoOADepthQuote]:
        """The whole book of a symbol by quote id; empty where it has no price."""
        return depth_of(self._floor, symbol_id)

    # -- control ---------------------------------------------------------------------------------------------------

    def set_price(self, symbol_id: int, *, bid: int, ask: int, now_ms: int) -> list[Push | Quote]:
        """Set a price by hand. It is a tick like any other; the symbol stays there until `release_price`.

        Args:
            symbol_id: a symbol that has quotes.
            bid: x 100,000.
            ask: x 100,000.
            now_ms: the present.

        Raises:
            KeyError: the symbol has no quotes.
            ValueError: the price is not above zero, crossed, finer than the symbol's digits, or beyond what an order
                may name.
        """
        point = self._floor.market.symbols[symbol_id].point
        if not 0 < bid <= ask < PRICE_CEILING or bid % point or ask % point:
            raise ValueError(
                f"bid {bid} and ask {ask} must be positive, in order, below {PRICE_CEILING}, and multiples of {point}"
            )
        self._advance(now_ms)
        tick = self._floor.market.set_price(symbol_id, bid=bid, ask=ask, at_ms=self._floor.now_ms)
        return self._set(symbol_id, tick)

    def release_price(self, symbol_id: int, *, now_ms: int) -> list[Push | Quote]:
        """Let a symbol go back to its path.

        Raises:
            KeyError: the symbol has no quotes.
        """
        self._advance(now_ms)
        return self._set(symbol_id, self._floor.market.release(symbol_id, at_ms=self._floor.now_ms))

    def _set(self, symbol_id: int, tick: Tick | None) -> list[Push | Quote]:
        if tick is not None:
            self._ticked(symbol_id, tick)
            self._advance(self._floor.now_ms)
        return self._taken()

    def deposit(self, account_id: int, *, amount: int, now_ms: int, note: str = "") -> list[Push | Quote]:
        """Pay into an account, or out of it: an execution event DEPOSIT_WITHDRAW.

        Args:
            account_id: the account.
            amount: in the smallest unit of its currency; below zero it is a withdrawal.
            now_ms: the present.
            note: `externalNote`.

        Raises:
            KeyError: there is no such account.
        """
        self._advance(now_ms)
        change_balance(self._floor, self._floor.accounts[account_id], amount, note=note)
        return self._taken()

    def bonus(self, account_id: int, *, amount: int, now_ms: int, note: str = "") -> list[Push | Quote]:
        """Give a bonus, or take one back: an execution event BONUS_DEPOSIT_WITHDRAW. Arguments as for `deposit`."""
        self._advance(now_ms)
        change_bonus(self._floor, self._floor.accounts[account_id], amount, note=note)
        return self._taken()

    def change_account(self, account_id: int, *, now_ms: int, **changes: Any) -> list[Push | Quote]:
        """Change an account's settings, such as `leverage_cents` or `access_rights`: a `ProtoOATraderUpdatedEvent`.

        Open positions keep the margin that they have.

        Raises:
            KeyError: there is no such account.
            TypeError: there is no such setting (see `AccountSettings`).
        """
        self._advance(now_ms)
        account = self._floor.accounts[account_id]
        account.settings = replace(account.settings, **changes)
        event = oa.ProtoOATraderUpdatedEvent(ctidTraderAccountId=account_id, trader=account.message(self.settings))
        self._floor.push(account, event, Cause.SERVER)
        return self._taken()

    def change_symbol(self, symbol_id: int, *, now_ms: int, **changes: Any) -> list[Push | Quote]:
        """Change what trading a symbol is like: a `ProtoOASymbolChangedEvent` to each account.

        Only what new orders look at can change: trading mode, volumes, commission, distances, short selling.

        Raises:
            KeyError: there is no such symbol.
            TypeError: this cannot be changed, or there is no such setting (see `Symbol`).
        """
        self._advance(now_ms)
        self._floor.market.change_symbol(symbol_id, **changes)
        for account in self._floor.accounts.values():
            event = oa.ProtoOASymbolChangedEvent(ctidTraderAccountId=account.account_id, symbolId=[symbol_id])
            self._floor.push(account, event, Cause.SERVER)
        return self._taken()
