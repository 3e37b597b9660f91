"""The trading floor: what all parts of the exchange share, and how they send."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from ..wire import messages as oa
from .denials import invalid
from .pushes import Cause, Push, Scope
from .timeline import Timeline
from .triggers import Triggers

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from .accounts import Account
    from .book import Order, Position
    from .exchange_settings import ExchangeSettings
    from .market import Market
    from .money import Rate
    from .pushes import Quote
    from .symbols import Symbol

__all__ = ["Floor", "Numbers"]

# Field 999, a varint: known to no schema, so that clients prove that they skip it (docs/protocol.md section 18).
_EXTRA_FIELD = b"\xb8\x3e\x01"


@dataclass(slots=True)
class Numbers:
    """The ids that are given next."""

    order: int = 6_000_001
    position: int = 5_000_001
    deal: int = 7_000_001
    balance: int = 8_000_001

    def next_order(self) -> int:
        """An order id."""
        self.order += 1
        return self.order - 1

    def next_position(self) -> int:
        """A position id."""
        self.position += 1
        return self.position - 1

    def next_deal(self) -> int:
        """A deal id."""
        self.deal += 1
        return self.deal - 1

    def next_balance(self) -> int:
        """The id of a deposit or withdrawal."""
        self.balance += 1
        return self.balance - 1


@dataclass(slots=True)
class Floor:
    """What the parts of the exchange share.

    Attributes:
        settings: of the exchange.
        market: quotes.
        accounts: by id.
        now_ms: the present.
        rng: for slippage and for ids that the server writes.
        timeline: what is due.
        triggers: waiting orders by symbol.
        numbers: ids.
        out: what has been sent and not been handed out yet.
    """

    settings: ExchangeSettings
    market: Market
    accounts: dict[int, Account]
    now_ms: int
    rng: Random
    timeline: Timeline = field(default_factory=Timeline)
    triggers: dict[int, Triggers] = field(default_factory=dict)
    numbers: Numbers = field(default_factory=Numbers)
    out: list[Push | Quote] = field(default_factory=list)

    def symbol(self, symbol_id: int) -> Symbol:
        """A symbol by its id.

        Raises:
            Denial: there is none: SYMBOL_NOT_FOUND (docs/protocol.md section 9).
        """
        symbol = self.market.symbols.get(symbol_id)
        if symbol is None:
            raise invalid(f"Symbol not found with id {symbol_id}", code="SYMBOL_NOT_FOUND")
        return symbol

    def is_priced(self, account: Account, symbol: Symbol) -> bool:
        """Whether a symbol has quotes, and its value can be told in the account's currency."""
        market, deposit = self.market, account.settings.deposit_asset
        return symbol.symbol_id in market.prices and not (
            market.chain(symbol.base, "USD") is None
            or market.chain(symbol.quote, deposit) is None
            or market.chain("USD", deposit) is None
        )

    def waiting(self, symbol_id: int) -> Triggers:
        """The waiting orders of a symbol."""
        triggers = self.triggers.get(symbol_id)
        if triggers is None:
            triggers = self.triggers[symbol_id] = Triggers()
        return triggers

    def written_id(self) -> str:
        """A `clientOrderId` as the server writes it for orders that bring none."""
        return f"{self.rng.getrandbits(128):032x}"

    def to_deposit(self, account: Account, asset: str, *, buying: bool = False) -> Rate:
        """The rate from an asset to the currency of an account."""
        return self.market.rate(asset, account.settings.deposit_asset, buying=buying)

    def answer(self, account: Account, message: Message, *, origin: object) -> None:
        """Answer the connection that asked."""
        self.out.append(Push(message, account.account_id, Scope.REQUESTER, origin, Cause.ANSWER))

    def push(self, account: Account, message: Message, cause: Cause, *, origin: object | None = None) -> None:
        """Tell each connection that holds the account."""
        self.out.append(Push(message, account.account_id, Scope.ACCOUNT, origin, cause))

    def execution(
        self,
        account: Account,
        kind: int,
        cause: Cause,
        *,
        origin: object | None = None,
        by_server: bool = False,
        position: Position | None = None,
        order: Order | None = None,
        deal: oa.ProtoOADeal | None = None,
        error: str | None = None,
    ) -> None:
        """Send an execution event with things as they stand now.

        Args:
            account: whose.
            kind: `ProtoOAExecutionType`.
            cause: why.
            origin: of the request that led to it.
            by_server: `isServerEvent`.
            position: present in all but a few.
            order: absent from swaps, deposits and withdrawals.
            deal: fills only.
            error: `errorCode`.
        """
        event = oa.ProtoOAExecutionEvent(
            ctidTraderAccountId=account.account_id, executionType=kind, isServerEvent=by_server
        )
        if position is not None:
            event.position.CopyFrom(position.message())
        if order is not None:
            event.order.CopyFrom(order.message())
        if deal is not None:
            event.deal.CopyFrom(deal)
        if error is not None:
            event.errorCode = error
        self.send(account, event, cause, origin=origin)

    def send(self, account: Account, event: oa.ProtoOAExecutionEvent, cause: Cause, *, origin: object | None) -> None:
        """Send an execution event that is complete but for the field that no schema knows."""
        if self.settings.variants.extra_field:
            event.MergeFromString(_EXTRA_FIELD)
        self.push(account, event, cause, origin=origin)
