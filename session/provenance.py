"""What each of the server's orders came of, and which of them were there before a request of ours left. Pure.

A close and a raw order carry no id that the server gives back: where the outcome of one is unknown, it is looked for
among orders of its kind. An order that is known to have come of something else cannot be it, and neither can one that
was seen before its bytes left. Both can be told from the events of this process and from the audit of earlier ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import eq
from typing import TYPE_CHECKING, Any, Final

from ..wire import messages as oa
from .order_inputs import is_protective

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .holdings import Position
    from .order_facts import OrderFacts
    from .request_record import RequestRecord

__all__ = ["TOLD", "Departure", "Provenance", "could_come_of"]

TOLD: Final = frozenset({"execution", "fill", "deal", "missed_deal", "finished", "answered", "resolved"})
"""The facts that name an order because the server did."""

_MOST: Final = 50_000  # an hour of fourteen orders a second, some megabytes; older ones the time of the deals rules out
_SLACK_MS: Final = 5_000  # servers that work together, and whose clocks drift; see `ServerClock`
_MAKES_ORDERS: Final = (oa.ProtoOANewOrderReq, oa.ProtoOAClosePositionReq)
_TAKES_ID: Final = frozenset({"done", "undecided"})  # the `Outcome` of those names, on record
_MAKERS: Final = frozenset(kind.__name__ for kind in _MAKES_ORDERS)


@dataclass(frozen=True, slots=True)
class Departure:
    """What was known when a request left.

    Attributes:
        seen: how many orders had been seen by then.
        server_ms: when the newest deal known by then was made, by the server's clock, or 0.
        position_ms: when the position that it closes had changed last, likewise: what closed a part of it before is in
            the volume that was known.
        open_cents: what was open of that position, hundredths of a unit; 0 where that is not known.
    """

    seen: int = 0
    server_ms: int = 0
    position_ms: int = 0
    open_cents: int = 0


class Provenance:
    """Of the orders of one account. Ids of our own are a client order id, or the id of a raw request's intent."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}  # by `orderId`: how many had been seen before it
        self._count = 0
        self._owners: dict[int, str] = {}  # by `orderId`: our own id of what it came of
        self._openers: dict[int, int] = {}  # by `positionId`: the first order seen of it
        self._named: dict[str, int] = {}  # by client order id: the first order seen with it; 0 where that is not known
        self._newest_ms = 0
        self._asking: dict[str, RequestRecord] = {}  # raw requests that wait for their answer, by the id they left with

    # What is learned

    def follow(self, line: Mapping[str, Any]) -> None:
        """A line of the audit, in the order in which they were written."""
        order_id, position_id = line.get("order_id"), line.get("position_id")
        if line.get("fact") in TOLD and (isinstance(order_id, int) or line.get("outcome") in _TAKES_ID):
            self.names(line.get("client_order_id"), order_id if isinstance(order_id, int) else 0)
        if line.get("fact") == "answered":
            self.answered(line)
        if line.get("fact") not in TOLD or not isinstance(order_id, int):
            return
        intent_id, made_ms = line.get("intent_id"), line.get("executed_at_ms")
        if isinstance(intent_id, str):
            if line["fact"] != "execution" and line.get("message") not in _MAKERS:
                return  # of a cancel or an amend: the id that its caller gave
            self.came_of(order_id, intent_id)
        elif "state" in line and isinstance(line.get("client_order_id"), str):  # others' orders have no state
            self.came_of(order_id, line["client_order_id"])
        self.saw(
            order_id,
            position_id if isinstance(position_id, int) else 0,
            made_ms=made_ms if isinstance(made_ms, int) else 0,
        )

    def saw(self, order_id: int, position_id: int = 0, *, made_ms: int = 0) -> None:
        """The server told of an order.

        Args:
            order_id: `orderId`.
            position_id: `positionId`, or 0.
            made_ms: when a deal of it was made, by the server's clock, or 0.
        """
        self._newest_ms = max(self._newest_ms, made_ms)
        if order_id and order_id not in self._seen:
            self._count += 1
            _keep(self._seen, order_id, self._count)
        if order_id and position_id and position_id not in self._openers:
            _keep(self._openers, position_id, order_id)

    def answered(self, facts: Mapping[str, Any]) -> None:
        """A raw request was: what its line `answered` says.

        The id of a new order is taken by then, also where all that told of that order is lost and the first word is of
        the one that protects its position: deals, which tell of it in the end, carry no client order id.
        """
        refused = "error_code" in facts and not (facts.get("order_id") or facts.get("position_id"))
        if facts.get("message") == oa.ProtoOANewOrderReq.__name__ and not refused:
            order_id = facts.get("order_id")
            self.names(facts.get("client_order_id"), order_id if isinstance(order_id, int) else 0)

    def names(self, client_order_id: object, order_id: int) -> None:
        """An order carries this client order id, or may: 0 where it is not known which. The first one stands."""
        if isinstance(client_order_id, str) and client_order_id and not self._named.get(client_order_id):
            _keep(self._named, client_order_id, order_id)

    def saw_rows(self, orders: Iterable[oa.ProtoOAOrder]) -> None:
        """A list of the server's has these orders."""
        for order in orders:
            if not is_protective(order):
                self.saw(order.orderId, order.positionId)
                self.names(order.clientOrderId, order.orderId)

    def saw_deal(self, deal: oa.ProtoOADeal) -> None:
        """A list of the server's has this deal."""
        self.saw(deal.orderId, deal.positionId, made_ms=deal.executionTimestamp)

    def heard(self, event: oa.ProtoOAExecutionEvent, client_msg_id: str | None) -> str | None:
        """An execution event; gives the id of the raw request that waits for an answer and that it is the work of."""
        if not event.HasField("order") or is_protective(event.order):
            return None
        order = event.order
        self.saw(order.orderId, order.positionId or event.position.positionId)
        self.names(order.clientOrderId, order.orderId)
        if event.HasField("deal"):
            self.saw_deal(event.deal)
        asked = self._asking.get(client_msg_id) if client_msg_id else None
        if asked is None or not could_come_of(asked.payload, order):  # another program's request may have that id
            return None
        self.came_of(order.orderId, asked.intent_id)
        return asked.intent_id if self._owners.get(order.orderId) == asked.intent_id else None

    def came_of(self, order_id: int, our_id: str) -> None:
        """It is known what an order came of. What was known first stands."""
        if order_id not in self._owners:
            _keep(self._owners, order_id, our_id)

    def leaves(self, record: OrderFacts | RequestRecord, closes: Position | None = None) -> None:
        """Its bytes are about to leave: no order that is known by now can come of it.

        Args:
            record: of an order, or of a raw request.
            closes: the position that it closes, as it is known to be, or None.
        """
        if closes is None:
            record.departure = self.departure()
        else:
            record.departure = self.departure(position_ms=closes.updated_at_ms or 0, open_cents=closes.volume_cents)

    def departure(self, *, position_ms: int = 0, open_cents: int = 0) -> Departure:
        """What is known now. See `Departure`."""
        return Departure(self._count, self._newest_ms, position_ms, open_cents)

    def asks(self, record: RequestRecord) -> None:
        """A raw request has an id by now, and waits for its answer."""
        if record.client_msg_id is not None and isinstance(record.payload, _MAKES_ORDERS):
            self._asking[record.client_msg_id] = record

    def asked(self, record: RequestRecord) -> None:
        """It waits no longer."""
        self._asking.pop(record.client_msg_id or "", None)

    # What is asked

    def order_of(self, our_id: str) -> int | None:
        """The order that came of something of ours, or None where that is not known."""
        return next((order_id for order_id, owner in self._owners.items() if owner == our_id), None)

    def named(self, client_order_id: str) -> int | None:
        """The order that carries this client order id, 0 where it is not known which, None where none is known to."""
        return self._named.get(client_order_id)

    def owns(self, order_id: int) -> bool:
        """Whether an order is known to have come of something of ours, be it forgotten otherwise."""
        return order_id in self._owners

    def opener_of(self, position_id: int) -> int | None:
        """The first order that was seen of a position, or None."""
        return self._openers.get(position_id)

    def allows(self, order_id: int, our_id: str, departure: Departure, *, opened_ms: int = 0) -> bool:
        """Whether an order may be the work of a request of ours.

        Args:
            order_id: of the server's.
            our_id: of the request.
            departure: of the request.
            opened_ms: when the order was made, by the server's clock, or 0 where that is not known.
        """
        owner = self._owners.get(order_id)
        if owner is not None:
            return owner == our_id
        if self._seen.get(order_id, self._count + 1) <= departure.seen:
            return False
        return not opened_ms or opened_ms >= max(departure.server_ms - _SLACK_MS, departure.position_ms)


def could_come_of(payload: Any, order: oa.ProtoOAOrder, *, same: Callable[[str, str], bool] = eq) -> bool:
    """Whether an order of the server's is what a request asks for, by all that both of them say.

    Args:
        payload: the request.
        order: of the server's.
        same: whether a text of the request, as it is known, is one of the order.
    """
    trade = order.tradeData
    if is_protective(order) or trade.volume != payload.volume:
        return False
    if isinstance(payload, oa.ProtoOAClosePositionReq):
        return order.closingOrder and order.positionId == payload.positionId
    if (trade.symbolId, trade.tradeSide, order.orderType) != (payload.symbolId, payload.tradeSide, payload.orderType):
        return False
    if payload.clientOrderId:
        return same(payload.clientOrderId, order.clientOrderId)
    return not order.closingOrder and same(payload.label, trade.label)


def _keep(kept: dict[Any, Any], key: Any, value: Any) -> None:
    kept[key] = value
    if len(kept) > _MOST:
        del kept[next(iter(kept))]
