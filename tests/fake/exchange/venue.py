"""An exchange to trade on in tests: time stands still until told otherwise, and so does EURUSD."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from anyctrader.fake.accounts import AccountSettings
from anyctrader.fake.exchange import Exchange
from anyctrader.fake.exchange_settings import Delays, ExchangeSettings
from anyctrader.fake.listing import SYMBOLS
from anyctrader.fake.market import MarketSettings
from anyctrader.fake.pushes import Push, Quote
from anyctrader.fake.symbols import Symbol
from anyctrader.fake.variants import Variants
from anyctrader.wire import messages as oa

T0 = 1_790_000_000_000  # Monday 2026-09-21 14:13:20 UTC
ACCOUNT = 1_000_001
EURUSD, GBPUSD, USDJPY, XAUUSD, US500, DE40, BTCUSD = 1, 2, 4, 41, 100, 279, 324
BUY, SELL = 1, 2
MARKET, LIMIT, STOP, PROTECTIVE, RANGE, STOP_LIMIT = 1, 2, 3, 4, 5, 6
LOT = 10_000_000  # of a currency pair
MICRO = 100_000  # 0.01 lot

_SHORT = {
    2: "ACCEPTED",
    3: "FILLED",
    4: "REPLACED",
    5: "CANCELLED",
    6: "EXPIRED",
    7: "REJECTED",
    8: "CANCEL_REJECTED",
    9: "SWAP",
    10: "DEPOSIT_WITHDRAW",
    11: "PARTIAL_FILL",
}


def word(push: Push) -> str:
    """`FILLED(f)` for an execution event as in the table of section 10.1; the class's name for anything else."""
    message = push.message
    if isinstance(message, oa.ProtoOAExecutionEvent):
        return f"{_SHORT[message.executionType]}({'t' if message.isServerEvent else 'f'})"
    if isinstance(message, oa.ProtoOAErrorRes | oa.ProtoOAOrderErrorEvent):
        return message.errorCode
    return type(message).__name__.removeprefix("ProtoOA")


def words(pushes: list[Push]) -> list[str]:
    return [word(push) for push in pushes]


def only_pushes(out: list[Push | Quote]) -> list[Push]:
    return [entry for entry in out if isinstance(entry, Push)]


def only_quotes(out: list[Push | Quote]) -> list[Quote]:
    return [entry for entry in out if isinstance(entry, Quote)]


class Venue:
    """An exchange, the time, and one account that asks."""

    def __init__(self, *, account: int = ACCOUNT, hold: bool = True, now_ms: int = T0, **settings: Any) -> None:
        self.account = account
        self.now_ms = now_ms
        self.exchange = Exchange(ExchangeSettings(**settings), now_ms=now_ms)
        self.seen: list[Push | Quote] = []
        if hold:
            self.price(EURUSD, 110_000, 110_010)

    def _kept(self, out: list[Push | Quote]) -> list[Push]:
        self.seen += out
        return only_pushes(out)

    def ask(self, cls: type[Any], /, **fields: Any) -> list[Push]:
        """Send a request; what comes of it at once."""
        request = cls(ctidTraderAccountId=self.account, **fields)
        return self._kept(self.exchange.handle(self.account, request, now_ms=self.now_ms, origin="me"))

    def answer(self, cls: type[Any], /, **fields: Any) -> Any:
        """The one message that answers a question."""
        (push,) = self.ask(cls, **fields)
        return push.message

    def wait(self, ms: int = 1000) -> list[Push]:
        self.now_ms += ms
        return self._kept(self.exchange.advance(self.now_ms))

    def price(self, symbol_id: int, bid: int, ask: int) -> list[Push]:
        return self._kept(self.exchange.set_price(symbol_id, bid=bid, ask=ask, now_ms=self.now_ms))

    def quote(self, symbol_id: int) -> Quote:
        quote = self.exchange.quote(symbol_id)
        assert quote is not None
        return quote

    def place(self, kind: int = MARKET, side: int = BUY, volume: int = MICRO, **fields: Any) -> list[Push]:
        """Place an order of EURUSD unless told otherwise."""
        fields.setdefault("symbolId", EURUSD)
        return self.ask(oa.ProtoOANewOrderReq, orderType=kind, tradeSide=side, volume=volume, **fields)

    def open(self, side: int = BUY, volume: int = MICRO, **fields: Any) -> Any:
        """Open a position and wait until it is protected, if it is to be; the last event."""
        self.place(MARKET, side, volume, **fields)
        return self.wait()[-1].message

    def close(self, position_id: int, volume: int) -> list[Push]:
        return self.ask(oa.ProtoOAClosePositionReq, positionId=position_id, volume=volume)

    def reconcile(self, *, protective: bool = True) -> Any:
        return self.answer(oa.ProtoOAReconcileReq, returnProtectionOrders=protective)

    @property
    def balance(self) -> int:
        return self.exchange.accounts[self.account].balance


def instant(**variants: Any) -> dict[str, Any]:
    """Settings under which everything happens at once."""
    return {"delays": Delays.none(), "variants": Variants(**variants)}


def one_account(**changes: Any) -> tuple[AccountSettings, ...]:
    return (replace(AccountSettings(account_id=ACCOUNT, trader_login=3_000_001), **changes),)


def calm(**changes: Any) -> MarketSettings:
    """Few ticks, so that days pass quickly."""
    return MarketSettings(interval_ms=12_000, **changes)


def only(*symbol_ids: int) -> tuple[Symbol, ...]:
    """Some of the symbols: fewer of them let days pass quickly."""
    return tuple(symbol for symbol in SYMBOLS if symbol.symbol_id in symbol_ids)
