"""Subscriptions that a caller asked for himself, by raw requests: what must be asked for again on each new link."""

from __future__ import annotations

from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..wire import messages as oa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["RawSubscriptions"]

_ENDS = MappingProxyType(
    {
        oa.ProtoOAUnsubscribeSpotsReq: oa.ProtoOASubscribeSpotsReq,
        oa.ProtoOAUnsubscribeLiveTrendbarReq: oa.ProtoOASubscribeLiveTrendbarReq,
        oa.ProtoOAUnsubscribeDepthQuotesReq: oa.ProtoOASubscribeDepthQuotesReq,
    }
)
"""What ends a subscription, and what began it. Spots come first: docs/protocol.md section 11, the others need them."""

_Key = tuple[type, int, int]  # the class that began it, the symbol's id, the period of its bars or 0


class RawSubscriptions:
    """Those of one account, as the server has confirmed them.

    docs/protocol.md section 7: a subscription belongs to its connection and is gone with it.
    """

    def __init__(self) -> None:
        self._left_out: list[Any] = []
        self._kept: dict[_Key, Any] = {}  # to the request for it alone: one refusal then costs no other
        self._missing: set[_Key] = set()  # of these: went with the account's session, and are not back yet

    def answered(self, request: Any) -> None:
        """The server did what this asked for. Whatever is about no subscription changes nothing."""
        cls = type(request)
        if any(request is each for each in self._left_out):
            return
        if cls in _ENDS:
            for key in _keys(_ENDS[cls], request):
                self._drop(key)
        elif cls in _ENDS.values():
            for key in _keys(cls, request):
                self._kept[key] = _alone(request, key[1])
                self._missing.discard(key)

    def lost(self) -> None:
        """All of them are gone with the account's session."""
        self._missing = set(self._kept)

    def gone(self, request: Any) -> None:
        """The server does not give one of `requests` any more."""
        for key in _keys(type(request), request):
            self._drop(key)

    def _drop(self, key: _Key) -> None:
        self._kept.pop(key, None)
        self._missing.discard(key)

    def defer(self, request: Any) -> None:
        """It could not be had now: the next time it is asked for behind all others of its kind."""
        for key in _keys(type(request), request):
            if key in self._kept:
                self._kept[key] = self._kept.pop(key)

    @contextmanager
    def leaving_out(self, request: Any) -> Iterator[None]:
        """Within it, this very request is known to be nobody's own: a stream of `Account.spots` stands behind it."""
        self._left_out.append(request)
        try:
            yield
        finally:
            self._left_out.pop()

    def takes_over(self, symbol_id: int) -> bool:
        """Nobody else wants the spots of a symbol any more; whether they stay for what is in here.

        docs/protocol.md section 11: depth and live bars need them, whoever asked for them.
        """
        if not any(key[1] == symbol_id for key in self._kept):
            return False
        request = oa.ProtoOASubscribeSpotsReq(symbolId=[symbol_id], subscribeToSpotTimestamp=True)
        spots = (oa.ProtoOASubscribeSpotsReq, symbol_id, 0)
        self._kept.setdefault(spots, request)
        if any(key[1] == symbol_id for key in self._missing):
            self._missing.add(spots)
        return True

    def requests(self) -> list[Any]:
        """What asks for all of them again, one symbol each, in the order in which one needs the other."""
        return [self._kept[key] for key in _sorted(self._kept)]

    @property
    def missing(self) -> int:
        """How many of them are not back yet."""
        return len(self._missing)

    def waves(self) -> list[list[Any]]:
        """Those of `requests` that are not back yet: spots, then what needs spots. Those of a wave need no other."""
        keys = [key for key in _sorted(self._kept) if key in self._missing]
        spots = [self._kept[key] for key in keys if key[0] is oa.ProtoOASubscribeSpotsReq]
        others = [self._kept[key] for key in keys if key[0] is not oa.ProtoOASubscribeSpotsReq]
        return [wave for wave in (spots, others) if wave]


def _sorted(keys: Iterable[_Key]) -> list[_Key]:
    order = list(_ENDS.values())
    return sorted(keys, key=lambda key: order.index(key[0]))


def _keys(cls: type, request: Any) -> Iterator[_Key]:
    ids = request.symbolId
    for symbol_id in (ids,) if isinstance(ids, int) else ids:
        yield cls, symbol_id, getattr(request, "period", 0)


def _alone(request: Any, symbol_id: int) -> Any:
    alone = type(request)()
    alone.CopyFrom(request)
    if not isinstance(alone.symbolId, int):
        alone.symbolId[:] = [symbol_id]
    alone.ClearField("ctidTraderAccountId")  # the account fills its own in
    return alone
