"""One trading account of a session: its requests, its symbols, its quotes and events."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from ..wire import Message, UnknownPayload
from ..wire import messages as oa
from . import clock
from .arguments import check_kind, check_payload, check_word
from .errors import (
    CTraderError,
    SessionClosed,
    WrongEnvironment,
)
from .raw_subscriptions import RawSubscriptions
from .subscriber import Subscriber
from .subscriptions import LATEST, Delivery, EventStream, SpotBoard, SpotStream, spot_stream
from .symbol_book import SymbolBook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence
    from contextlib import AbstractContextManager

    from .link import Link
    from .settings import Environment
    from .symbols import Symbol

__all__ = ["Account", "Keeper"]


class _Asking(Protocol):
    """What an account needs of its session."""

    @property
    def environment(self) -> Environment:
        """Which one."""

    @property
    def link(self) -> Link | None:
        """The present one, or None."""

    async def request(self, payload: Any, *, timeout_s: float | None = None, ahead: bool = False) -> Any:
        """Asks, and gives the payload of the answer."""


class Lagging(Protocol):
    """What the server's list has a while later only, so that it is asked for again."""

    @property
    def next_look_s(self) -> float:
        """When to `look_again`, by the clock that never jumps; infinity where there is no need."""

    async def look_again(self) -> None:
        """Asks for that list only."""


class Keeper(Protocol):
    """Whoever keeps the books of an account: told what is heard, and when what was believed must be checked."""

    def heard(self, message: Message) -> None:
        """An event of this account but for its quotes, in the order of arrival. Must not wait, must not raise."""

    def lost(self) -> None:
        """The link, or the account's session on it, is gone: events may be missed from here on."""

    async def restore(self) -> str | None:
        """The account is authorised again: find out what has happened meanwhile.

        Returns:
            why it is to be asked again in a while, or None where all was told.
        """

    @property
    def record(self) -> Lagging:
        """The deals: some of what was made meanwhile may not have been told yet."""


class Account:
    """An account that this session has authorised.

    Attributes:
        id: `ctidTraderAccountId`.
        environment: demo or live; a session of the other one refuses it.
        is_live: `isLive` of the account list.
        trader_login: the number that its owner sees in a terminal.
        closed_at_ms: when something of it was last closed, as of the account list (`lastClosingDealTimestamp`), or 0.
        board: its last quotes.
        book: its symbols.
        raw: what callers have subscribed to by raw requests.
        is_netted: whether a symbol has one position, as a `ProtoOATraderRes` has said; None before the first of them.
    """

    def __init__(
        self,
        session: _Asking,
        listed: oa.ProtoOACtidTraderAccount,
        *,
        mask: Callable[[str], str] = lambda text: text,
    ) -> None:
        self.id: int = listed.ctidTraderAccountId
        self.environment = session.environment
        self.is_live: bool = listed.isLive
        self.trader_login: int = listed.traderLogin
        self.closed_at_ms: int = listed.lastClosingDealTimestamp
        self.board = SpotBoard()
        self.raw = RawSubscriptions()
        self.is_netted: bool | None = None
        self._session = session
        self._keeper: Keeper | None = None
        self.book = SymbolBook(self.ask, owner=f"account {self.id} of {self.environment.value}", mask=mask)
        self._subscriber = Subscriber(self, self._session)
        self._events: list[EventStream[Message]] = []

    def __repr__(self) -> str:
        return f"<Account {self.id} of {self.environment.value}>"

    async def request(self, payload: Any, *, timeout_s: float | None = None, ahead: bool = False) -> Any:
        """Asks for this account; `ctidTraderAccountId` is filled in.

        Args:
            payload: the request's message; it is not changed.
            timeout_s: seconds for the answer, None for the session's own.
            ahead: a read that goes ahead of other queries; for what orders and books have to wait for.

        Returns:
            The payload of the answer, such as a `ProtoOATraderRes`.

        Raises:
            ServerError: the server answered with an error.
            WrongEnvironment: the message names another account.
            TypeError: it is no message, or one that names no account. Nothing left.
            RequestFailed: it was not sent, refused by us, or its outcome is unknown: see the four subclasses.
        """
        check_payload(payload)
        if isinstance(payload, UnknownPayload) or "ctidTraderAccountId" not in payload.DESCRIPTOR.fields_by_name:
            raise TypeError(f"payload: a {type(payload).__name__} is refused: it names no account; ask the session")
        if not payload.ctidTraderAccountId:
            filled = type(payload)()
            filled.CopyFrom(payload)
            filled.ctidTraderAccountId = self.id
            payload = filled
        elif payload.ctidTraderAccountId != self.id:
            raise WrongEnvironment(
                f"{type(payload).__name__} names account {payload.ctidTraderAccountId}; this is account {self.id}"
            )
        answer = await self._session.request(payload, timeout_s=timeout_s, ahead=ahead)
        if isinstance(answer, oa.ProtoOATraderRes):
            self.is_netted = answer.trader.accountType == oa.ProtoOAAccountType.NETTED
        return answer

    async def ask(self, payload: Any) -> Any:
        """A read of the session's own: callers' queries wait for it. See `request`."""
        return await self.request(payload, ahead=True)

    @property
    def has_link(self) -> bool:
        """Whether the server can be heard: what is not answered all the same, it is silent about."""
        link = self._session.link
        return link is not None and link.over is None

    # Symbols

    async def symbol_names(self) -> list[str]:
        """The names of all symbols that are enabled, as the broker writes them."""
        return await self.book.names()

    async def symbol(self, name: str) -> Symbol:
        """A symbol by its name, which is the broker's, letter for letter. Asked once, then remembered.

        Raises:
            Refused: the account has no such symbol, and the text gives the nearest names; or the server does not say
                what it is.
        """
        return (await self.book.named([name]))[0]

    async def symbols(self, names: Iterable[str]) -> list[Symbol]:
        """Several symbols by their names, in that order. See `symbol`."""
        return await self.book.named(names)

    async def symbol_by_id(self, symbol_id: int) -> Symbol:
        """A symbol by its id at this broker.

        Raises:
            Refused: the account has no such symbol.
        """
        return await self.book.by_id(symbol_id)

    def name_of(self, symbol_id: int) -> str:
        """The name for a symbol id, or the number itself where it is not known yet."""
        return self.book.name_of(symbol_id)

    # Quotes

    @asynccontextmanager
    async def spots(self, *symbols: str, policy: Delivery = LATEST) -> AsyncIterator[SpotStream]:
        """Quotes of some symbols, as an asynchronous iterator; both sides of each are always known.

        Args:
            symbols: names, as the broker writes them.
            policy: `LATEST`, the newest of each symbol with a count of those that it replaced; or `EVERY`, all of
                them up to a bound, beyond which the iterator raises `SlowConsumer`.

        Raises:
            TypeError: a name is no text, or the policy none of the two.
            Refused: there is no such symbol.
            ServerError: the server refused the subscription. Nothing is subscribed.
        """
        for name in symbols:
            check_kind("symbols", name, str)
        check_word("policy", policy, Delivery)
        known = await self.symbols(symbols)
        stream = spot_stream(policy)
        try:
            await self._subscriber.join(known, stream)
            yield stream
        finally:
            stream.end()
            await self._subscriber.leave(known, stream)

    # Events

    @asynccontextmanager
    async def events(
        self, *, wanted: Callable[[Message], bool] | None = None, most: int = 10_000
    ) -> AsyncIterator[EventStream[Message]]:
        """Everything that the server pushes about this account, executions and quotes alike.

        Args:
            wanted: which of them; None for all.
            most: how many may wait to be taken; beyond it the iterator raises `SlowConsumer`.
        """
        stream: EventStream[Message] = EventStream(most=most, wanted=wanted)
        self._events.append(stream)
        try:
            yield stream
        finally:
            self._events.remove(stream)
            stream.end()

    # For the session

    def keep(self, keeper: Keeper | None) -> None:
        """Names who keeps the books; None for nobody."""
        self._keeper = keeper

    def quoted(self, spots: Sequence[Any]) -> None:
        """Spot events of this account, from the reader. They are no news to whoever keeps the books."""
        self.board.heard(*spots, now_s=clock.now_s())
        if self._events:
            messages = [Message(spot) for spot in spots]
            for stream in self._events:
                stream.put_all(messages)

    def heard(self, message: Message) -> None:
        """An event of this account, from the reader."""
        payload = message.payload
        if isinstance(payload, oa.ProtoOASpotEvent):
            self.quoted((payload,))
            return
        if isinstance(payload, oa.ProtoOASymbolChangedEvent):
            self.book.changed(payload.symbolId)
        if self._keeper is not None:
            self._keeper.heard(message)
        for stream in self._events:
            stream.put(message)

    def heard_late(self, message: Message) -> None:
        """An error that answers a request, maybe one of this account, for which nobody waits any more."""
        if self._keeper is not None:
            self._keeper.heard(message)

    def lost(self) -> None:
        """This account's session is gone."""
        self.board.forget()
        self._subscriber.lost()
        if self._keeper is not None:
            self._keeper.lost()

    async def restore(self) -> str | None:
        """It is authorised again: the books are set right. See `Keeper.restore`."""
        return await self._keeper.restore() if self._keeper is not None else None

    @property
    def next_look_s(self) -> float:
        """When to `look_again`. See `Lagging.next_look_s`."""
        return self._keeper.record.next_look_s if self._keeper is not None else math.inf

    async def look_again(self) -> None:
        """See `Lagging.look_again`."""
        if self._keeper is not None:
            await self._keeper.record.look_again()

    def subscribing(self, request: Any, ended: Callable[[], None]) -> AbstractContextManager[None]:
        """A read of a caller's is under way. See `Subscriber.noting`."""
        return self._subscriber.noting(request, ended)

    @property
    def is_silent(self) -> bool:
        """Whether subscriptions are to be asked for again."""
        return self._subscriber.is_silent

    @property
    def missing(self) -> int:
        """How many subscriptions are not back yet."""
        return self._subscriber.missing

    async def resubscribe(self) -> tuple[list[str], CTraderError | None]:
        """Asks again for what is subscribed to. See `Subscriber.resubscribe`."""
        return await self._subscriber.resubscribe()

    async def review(self) -> str | None:
        """A request was never answered: what is believed is held against the server's word. See `Keeper.restore`."""
        return await self.restore()

    def end(self, reason: str) -> None:
        """The session is left: all streams end."""
        self.board.end(reason)
        for stream in self._events:
            stream.end(SessionClosed(reason))
