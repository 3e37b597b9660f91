"""What one account listens to on one connection: spots, live bars, depth (docs/protocol.md section 11). Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..wire import messages as oa
from .choices import DepthNeeds, FirstSpot, PartialList
from .refused import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .exchange import Exchange
    from .pushes import Quote
    from .settings import AnswerVariants

__all__ = ["SpotSubscription", "Subscriptions"]


@dataclass(slots=True)
class SpotSubscription:
    """A symbol that is listened to.

    Attributes:
        with_timestamp: whether events carry `timestamp`.
        periods: of the live bars that ride along.
    """

    with_timestamp: bool
    periods: frozenset[int] = frozenset()


@dataclass(slots=True)
class Subscriptions:
    """The subscriptions of one account on one connection; two accounts need two.

    Attributes:
        account_id: `ctidTraderAccountId`.
        spots: by symbol id.
        depth: by symbol id: the book as it was last sent.
    """

    account_id: int
    spots: dict[int, SpotSubscription] = field(default_factory=dict)
    depth: dict[int, dict[int, Any]] = field(default_factory=dict)

    # Requests: each gives the messages that answer it, in order

    def subscribe_spots(self, request: Any, exchange: Exchange, variants: AnswerVariants) -> list[Any]:
        """The response and one technical event a symbol, with the last prices and the session's close.

        Raises:
            Refused: a symbol is unknown or subscribed already.
        """
        wanted = self._choose(
            request.symbolId, exchange, variants, taken=self.spots, said="Already subscribed to symbol {}."
        )
        for symbol_id in wanted:
            self.spots[symbol_id] = SpotSubscription(request.subscribeToSpotTimestamp)
        response = oa.ProtoOASubscribeSpotsRes(ctidTraderAccountId=self.account_id)
        events = [event for symbol_id in wanted if (event := self.snapshot(symbol_id, exchange)) is not None]
        return [*events, response] if variants.first_spot is FirstSpot.BEFORE_RESPONSE else [response, *events]

    def unsubscribe_spots(self, request: Any) -> list[Any]:
        """The response. The live bars of these symbols end too, for they ride on the spots.

        Raises:
            Refused: a symbol is not subscribed.
        """
        _check_subscribed(request.symbolId, self.spots)
        for symbol_id in set(request.symbolId):
            del self.spots[symbol_id]
        return [oa.ProtoOAUnsubscribeSpotsRes(ctidTraderAccountId=self.account_id)]

    def subscribe_bars(self, request: Any, exchange: Exchange, variants: AnswerVariants) -> list[Any]:
        """The response, and the last spot event again with the running bar in it.

        Raises:
            Refused: the symbol is unknown, its spots are not subscribed, or the bar is subscribed already.
        """
        symbol_id = request.symbolId
        if symbol_id not in exchange.symbol_ids:
            raise _unknown_symbol(symbol_id)
        subscription = self.spots.get(symbol_id)
        if subscription is None:
            raise Refused("NOT_SUBSCRIBED_TO_SPOTS", f"No subscription for symbol {symbol_id}.")
        if request.period in subscription.periods:
            name = oa.ProtoOATrendbarPeriod(request.period).name
            raise _already(f"Already subscribed to trendbar {name} of symbol {symbol_id}.", variants)
        subscription.periods |= {request.period}
        response = oa.ProtoOASubscribeLiveTrendbarRes(ctidTraderAccountId=self.account_id)
        event = self.snapshot(symbol_id, exchange, periods=frozenset({request.period}))
        return [response] if event is None else [response, event]

    def unsubscribe_bars(self, request: Any) -> list[Any]:
        """The response.

        Raises:
            Refused: this bar is not subscribed.
        """
        subscription = self.spots.get(request.symbolId)
        if subscription is None or request.period not in subscription.periods:
            raise Refused("INVALID_REQUEST", f"No subscription for symbol {request.symbolId}.")
        subscription.periods -= {request.period}
        return [oa.ProtoOAUnsubscribeLiveTrendbarRes(ctidTraderAccountId=self.account_id)]

    def subscribe_depth(self, request: Any, exchange: Exchange, variants: AnswerVariants) -> list[Any]:
        """The response and, for each symbol, an event with the whole book.

        Raises:
            Refused: a symbol is unknown, subscribed already, or lacks its spot subscription.
        """
        wanted = self._choose(
            request.symbolId, exchange, variants, taken=self.depth, said="Already subscribed to depth of symbol {}."
        )
        if variants.depth_needs is DepthNeeds.SPOTS:
            for symbol_id in wanted:
                if symbol_id not in self.spots:
                    raise Refused("NOT_SUBSCRIBED_TO_SPOTS", f"No subscription for symbol {symbol_id}.")
        for symbol_id in wanted:
            self.depth[symbol_id] = {}
        response = oa.ProtoOASubscribeDepthQuotesRes(ctidTraderAccountId=self.account_id)
        events = [event for symbol_id in wanted if (event := self.depth_event(symbol_id, exchange)) is not None]
        return [response, *events]

    def unsubscribe_depth(self, request: Any) -> list[Any]:
        """The response.

        Raises:
            Refused: a symbol is not subscribed.
        """
        _check_subscribed(request.symbolId, self.depth)
        for symbol_id in set(request.symbolId):
            del self.depth[symbol_id]
        return [oa.ProtoOAUnsubscribeDepthQuotesRes(ctidTraderAccountId=self.account_id)]

    # Events

    def snapshot(self, symbol_id: int, exchange: Exchange, *, periods: frozenset[int] = frozenset()) -> Any | None:
        """The technical event: both sides, `sessionClose`, and the running bars of these periods."""
        quote = exchange.quote(symbol_id)
        if quote is None:
            return None
        event = oa.ProtoOASpotEvent(
            ctidTraderAccountId=self.account_id,
            symbolId=symbol_id,
            bid=quote.bid,
            ask=quote.ask,
            sessionClose=exchange.session_close(symbol_id),
        )
        if self.spots[symbol_id].with_timestamp:
            event.timestamp = quote.at_ms
        _add_bars(event, periods, exchange)
        return event

    def spot_event(self, quote: Quote, exchange: Exchange) -> Any | None:
        """The event for a tick: the sides that changed, and the bars where the bid did; None if not subscribed."""
        subscription = self.spots.get(quote.symbol_id)
        if subscription is None:
            return None
        event = oa.ProtoOASpotEvent(ctidTraderAccountId=self.account_id, symbolId=quote.symbol_id)
        if quote.bid_changed:
            event.bid = quote.bid
        if quote.ask_changed:
            event.ask = quote.ask
        if subscription.with_timestamp:
            event.timestamp = quote.at_ms
        if quote.bid_changed:
            _add_bars(event, subscription.periods, exchange)
        return event

    def depth_event(self, symbol_id: int, exchange: Exchange) -> Any | None:
        """What has changed in the book since it was last sent; None if nothing has, or it is not subscribed."""
        before = self.depth.get(symbol_id)
        if before is None:
            return None
        book = exchange.depth(symbol_id)
        event = oa.ProtoOADepthEvent(
            ctidTraderAccountId=self.account_id,
            symbolId=symbol_id,
            newQuotes=[quote for number, quote in book.items() if before.get(number) != quote],
            deletedQuotes=[number for number in before if number not in book],
        )
        self.depth[symbol_id] = dict(book)
        return event if event.newQuotes or event.deletedQuotes else None

    # Inside

    def _choose(
        self,
        symbol_ids: Iterable[int],
        exchange: Exchange,
        variants: AnswerVariants,
        *,
        taken: dict[int, Any],
        said: str,
    ) -> list[int]:
        """The symbols to subscribe; a refusal names the first that cannot be."""
        wanted: list[int] = []
        refusal: Refused | None = None
        for symbol_id in dict.fromkeys(symbol_ids):
            if symbol_id not in exchange.symbol_ids:
                refusal = refusal or _unknown_symbol(symbol_id)
            elif symbol_id in taken:
                refusal = refusal or _already(said.format(symbol_id), variants)
            else:
                wanted.append(symbol_id)
        if refusal is not None and (variants.partial_list is PartialList.REFUSED or not wanted):
            raise refusal
        return wanted


def _add_bars(event: Any, periods: Iterable[int], exchange: Exchange) -> None:
    for period in sorted(periods):
        bar = exchange.live_bar(event.symbolId, period)
        if bar is not None:
            event.trendbar.append(bar)


def _unknown_symbol(symbol_id: int) -> Refused:
    return Refused("SYMBOL_NOT_FOUND", f"Symbol not found with id {symbol_id}")


def _already(text: str, variants: AnswerVariants) -> Refused:
    return Refused(variants.second_subscription.value, text)


def _check_subscribed(symbol_ids: Iterable[int], subscribed: dict[int, Any]) -> None:
    for symbol_id in symbol_ids:
        if symbol_id not in subscribed:
            raise Refused("INVALID_REQUEST", f"No subscription for symbol {symbol_id}.")
