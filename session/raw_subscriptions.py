"""Subscriptions that a caller asked for himself, by raw requests: what must be asked for again on each new link."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..wire import messages as oa

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SUBSCRIPTIONS", "RawSubscriptions"]

SUBSCRIPTIONS = frozenset(
    oa.payload_type_of(cls)
    for cls in (
        oa.ProtoOASubscribeSpotsReq,
        oa.ProtoOAUnsubscribeSpotsReq,
        oa.ProtoOASubscribeLiveTrendbarReq,
        oa.ProtoOAUnsubscribeLiveTrendbarReq,
        oa.ProtoOASubscribeDepthQuotesReq,
        oa.ProtoOAUnsubscribeDepthQuotesReq,
    )
)
"""Payload types of the requests that begin or end one."""


class RawSubscriptions:
    """Those of one account, as the server has confirmed them.

    docs/protocol.md section 7: a subscription belongs to its connection and is gone with it. Section 11: live bars and
    depth need spots first.
    """

    def __init__(self) -> None:
        self._spots: dict[int, bool] = {}  # symbol id to `subscribeToSpotTimestamp`
        self._bars: dict[tuple[int, int], None] = {}  # symbol id and period
        self._depth: dict[int, None] = {}

    def answered(self, request: Any) -> None:
        """The server did what this asked for. Whatever is about no subscription changes nothing."""
        match request:
            case oa.ProtoOASubscribeSpotsReq():
                self._spots |= dict.fromkeys(request.symbolId, request.subscribeToSpotTimestamp)
            case oa.ProtoOAUnsubscribeSpotsReq():
                self.disown(request.symbolId)
            case oa.ProtoOASubscribeLiveTrendbarReq():
                self._bars[request.symbolId, request.period] = None
            case oa.ProtoOAUnsubscribeLiveTrendbarReq():
                self._bars.pop((request.symbolId, request.period), None)
            case oa.ProtoOASubscribeDepthQuotesReq():
                self._depth |= dict.fromkeys(request.symbolId)
            case oa.ProtoOAUnsubscribeDepthQuotesReq():
                for symbol_id in request.symbolId:
                    self._depth.pop(symbol_id, None)

    def disown(self, symbol_ids: Iterable[int]) -> None:
        """The spots of these symbols are somebody else's to ask for, or nobody wants them any more."""
        for symbol_id in symbol_ids:
            self._spots.pop(symbol_id, None)

    def refused(self, request: Any) -> None:
        """The server does not give one of `requests` any more."""
        match request:
            case oa.ProtoOASubscribeSpotsReq():
                self.disown(request.symbolId)
            case oa.ProtoOASubscribeLiveTrendbarReq():
                self._bars.pop((request.symbolId, request.period), None)
            case oa.ProtoOASubscribeDepthQuotesReq():
                for symbol_id in request.symbolId:
                    self._depth.pop(symbol_id, None)

    def requests(self) -> list[Any]:
        """What asks for all of them again, spots first; one symbol each, so that one refusal costs no other."""
        spots = [
            oa.ProtoOASubscribeSpotsReq(symbolId=[symbol_id], subscribeToSpotTimestamp=timestamp)
            for symbol_id, timestamp in self._spots.items()
        ]
        bars = [
            oa.ProtoOASubscribeLiveTrendbarReq(symbolId=symbol_id, period=period) for symbol_id, period in self._bars
        ]
        depth = [oa.ProtoOASubscribeDepthQuotesReq(symbolId=[symbol_id]) for symbol_id in self._depth]
        return [*spots, *bars, *depth]
