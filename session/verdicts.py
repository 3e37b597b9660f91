"""What became of a trading request that no order record follows, judged by the server's lists. Pure.

Such a request carries no id that the server gives back, or none that it must. So its effect is looked for: a cancel by
the status of its order, an amend by what is in force now, a close by the one order of that position and size, a new
order by its ids, or else by symbol, side, type and size.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..wire import messages as oa
from .holdings import PendingOrder, level_or_none
from .order_inputs import is_protective
from .provenance import Provenance, could_come_of
from .secret import could_be, reads_as
from .server_clock import FAR_APART_MS
from .terms import Side

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from decimal import Decimal

    from .holdings import Position
    from .positions import PositionBook
    from .request_record import RequestRecord

__all__ = ["Evidence", "Outcome", "Verdict", "judged"]


class Outcome(enum.Enum):
    """How a request ended."""

    DONE = "done"
    REFUSED = "refused"
    OVERTAKEN = "overtaken"
    """What it was for ended by itself."""
    WITHOUT_EFFECT = "without_effect"
    """Looks that are enough found nothing of it: it never arrived, or was refused unseen."""
    UNDECIDED = "undecided"
    """Looks that are enough found more orders that it may be than there are requests for them: a person must look."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one look says of a request.

    Attributes:
        outcome: how it ended, or None where that cannot be told.
        reason: what was found, for people.
        arrived: where there is no outcome: whether it may be at work, so that looks before this one prove nothing.
        order_id: the order that came of it, or of an undecided one may have, or None.
        among: where there is no outcome: the orders one of which it may be.
        shown_by: where there is no outcome: the position that shows what it may have done, or None.
    """

    outcome: Outcome | None
    reason: str
    arrived: bool = False
    order_id: int | None = None
    among: tuple[int, ...] = ()
    shown_by: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the server says now.

    Attributes:
        book: what is open and what works.
        orders: its list of orders since the request left.
        details: orders that were asked for one by one, by id.
        provenance: what its orders are known to have come of.
        alike: how many requests in doubt ask for the very same, this one included. The one that left first is to be
            judged first.
        earliest_ms: what the server's clock showed at the least, at a time of ours.
        latest_ms: what it showed at the most when whatever had its intent on record at a time of ours had arrived.
        mask: covers secrets, as it did in the texts of a request that is known from the record.
    """

    book: PositionBook
    orders: Collection[oa.ProtoOAOrder]
    details: Mapping[int, oa.ProtoOAOrder] = field(default_factory=dict)
    provenance: Provenance = field(default_factory=Provenance)
    alike: int = 1
    earliest_ms: Callable[[int], int] = lambda at_ms: at_ms
    latest_ms: Callable[[int], int] = lambda at_ms: at_ms + FAR_APART_MS
    mask: Callable[[str], str] = str

    def same(self, recorded: str, text: str) -> bool:
        """Whether a text of the server's is that of a request, as far as the latter is known."""
        return reads_as(recorded, text, mask=self.mask)


def judged(record: RequestRecord, evidence: Evidence) -> Verdict:
    """What became of a request that trades."""
    payload = record.payload
    if isinstance(payload, oa.ProtoOACancelOrderReq):
        return _cancel(payload, evidence)
    if isinstance(payload, oa.ProtoOAAmendOrderReq):
        return _amended_order(payload, evidence)
    if isinstance(payload, oa.ProtoOAAmendPositionSLTPReq):
        return _amended_position(payload, evidence)
    return _order_of(record, evidence)


def _cancel(payload: oa.ProtoOACancelOrderReq, evidence: Evidence) -> Verdict:
    working = evidence.book.order(payload.orderId)
    if working is not None and working.is_working:
        return Verdict(None, f"order {payload.orderId} still works")
    ended = _ended(payload.orderId, evidence)
    if ended is None:
        return Verdict(None, f"the server says nothing of order {payload.orderId}")
    if ended.orderStatus == oa.ProtoOAOrderStatus.ORDER_STATUS_CANCELLED:
        return Verdict(Outcome.DONE, f"order {payload.orderId} is cancelled")
    return Verdict(Outcome.OVERTAKEN, f"order {payload.orderId} is {_status(ended)}")


def _amended_order(payload: oa.ProtoOAAmendOrderReq, evidence: Evidence) -> Verdict:
    working = evidence.book.order(payload.orderId)
    if working is None or not working.is_working:
        ended = _ended(payload.orderId, evidence)
        if ended is None:
            return Verdict(None, f"the server says nothing of order {payload.orderId}")
        return Verdict(Outcome.OVERTAKEN, f"order {payload.orderId} is {_status(ended)}")
    if _has(payload, working):
        return Verdict(Outcome.DONE, f"order {payload.orderId} is as it was to be")
    return Verdict(None, f"order {payload.orderId} is not as it was to be")


def _has(payload: Any, order: PendingOrder) -> bool:
    """Whether an order is what an amendment makes of it. Levels that it leaves out are gone (section 10.3)."""
    if payload.volume and payload.volume != order.volume_cents:
        return False
    for name, price in (("limitPrice", order.limit_price), ("stopPrice", order.stop_price)):
        if payload.HasField(name) and level_or_none(getattr(payload, name)) != price:
            return False
    if (level_or_none(payload.stopLoss), level_or_none(payload.takeProfit)) != (order.stop_loss, order.take_profit):
        return False
    for asked, has in (
        (payload.relativeStopLoss, order.relative_stop_loss),
        (payload.relativeTakeProfit, order.relative_take_profit),
        (payload.expirationTimestamp, order.expires_at_ms),
    ):
        if asked != (has or 0):
            return False
    return not payload.HasField("trailingStopLoss") or payload.trailingStopLoss == order.trailing_stop


def _amended_position(payload: Any, evidence: Evidence) -> Verdict:
    position = evidence.book.position(payload.positionId)
    if position is None or not position.is_open:
        return Verdict(Outcome.OVERTAKEN, f"position {payload.positionId} is closed")
    stop_loss, take_profit = level_or_none(payload.stopLoss), level_or_none(payload.takeProfit)
    same = _stands(position, stop_loss) and position.take_profit == take_profit
    for name, has in (
        ("trailingStopLoss", position.trailing_stop),
        ("guaranteedStopLoss", position.guaranteed_stop_loss),
        ("stopLossTriggerMethod", position.stop_trigger_method),
    ):
        same = same and (stop_loss is None or not payload.HasField(name) or getattr(payload, name) == has)
    if same:
        return Verdict(Outcome.DONE, f"position {payload.positionId} has the levels that were asked for")
    return Verdict(None, f"position {payload.positionId} has other levels than were asked for")


def _stands(position: Position, stop_loss: Decimal | None) -> bool:
    """Whether a stop loss is in force. One that trails may have moved on since, with the price."""
    if position.stop_loss is None or stop_loss is None or not position.trailing_stop:
        return position.stop_loss == stop_loss
    moved = position.stop_loss - stop_loss
    return moved >= 0 if position.side is Side.BUY else moved <= 0


def _order_of(record: RequestRecord, evidence: Evidence) -> Verdict:
    """A close or a new order: which of the server's orders came of it."""
    known_id = evidence.provenance.order_of(record.intent_id)
    found = {order.orderId: order for order in evidence.orders if _may_be(record, order, evidence, evidence.same)}
    if known_id is not None:
        if known_id not in found:  # the lists lag behind the event that told of it
            return Verdict(Outcome.DONE, f"order {known_id} came of it, as an event told", order_id=known_id)
        found = {known_id: found[known_id]}
    if len(found) > evidence.alike:
        among = tuple(sorted(found))
        reason = f"any of the orders {', '.join(map(str, among))} may be it, which are more than were asked for"
        return Verdict(None, reason, arrived=True, among=among)
    if found and known_id is None and not _is_marked(record):
        # That it left at all is not on record: one that is like it may be another client's, and nothing tells.
        oldest = _oldest(found.values()).orderId
        reason = f"order {oldest} may be it, or another client's, for that it left is not on record"
        return Verdict(None, reason, arrived=True, among=(oldest,))
    # Requests for the very same cannot be told apart, nor do they have to be: the first has the oldest.
    if found:
        return _came_of(record, _oldest(found.values()))
    if isinstance(record.payload, oa.ProtoOANewOrderReq) and record.payload.label and record.has_left:
        since_ms = evidence.earliest_ms(record.left_at_ms)
        for position in evidence.book.positions:  # history lags: what is open may show it first
            if evidence.same(record.payload.label, position.label) and (position.opened_at_ms or 0) >= since_ms:
                opener = evidence.provenance.opener_of(position.id)
                if opener is None or _allowed(record, opener, evidence):
                    return Verdict(Outcome.DONE, f"position {position.id} came of it", order_id=opener)
    if hidden := tuple(
        sorted(order.orderId for order in evidence.orders if _may_be(record, order, evidence, could_be))
    ):
        reason = f"a text of it is covered on record, and it may be any of the orders {', '.join(map(str, hidden))}"
        return Verdict(None, reason, arrived=True, among=hidden)
    if isinstance(record.payload, oa.ProtoOAClosePositionReq):
        return _less_open(record, evidence)
    return _newly_open(record, evidence)


def _oldest(orders: Collection[oa.ProtoOAOrder]) -> oa.ProtoOAOrder:
    return min(orders, key=lambda each: (each.tradeData.openTimestamp, each.orderId))


def _is_marked(record: RequestRecord) -> bool:
    """Whether an order that is like it is taken to be its work: it left, or the order carries an id of its own."""
    return record.has_left or bool(getattr(record.payload, "clientOrderId", ""))


def _newly_open(record: RequestRecord, evidence: Evidence) -> Verdict:
    """The lists have no order of it, and lag: whether a position that nothing else explains may be its work."""
    payload, since_ms = record.payload, evidence.earliest_ms(record.left_at_ms)
    labels = (payload.label,) if payload.label else ("", payload.clientOrderId)
    for position in evidence.book.positions:
        opened_ms, opener = position.opened_at_ms or 0, evidence.provenance.opener_of(position.id)
        if (
            (position.symbol_id, position.side.value) == (payload.symbolId, payload.tradeSide)
            and position.volume_cents <= payload.volume
            and any(could_be(label, position.label) for label in labels)
            and opened_ms >= since_ms
            and _allowed(record, opener or 0, evidence, opened_ms=opened_ms)
        ):
            return Verdict(None, f"position {position.id} may have come of it", shown_by=position.id)
    return Verdict(None, "no order of the server's can be it")


def _less_open(record: RequestRecord, evidence: Evidence) -> Verdict:
    """Likewise of a close: whether less is open of its position than the orders that are listed explain."""
    id_, left = record.payload.positionId, record.departure
    position = evidence.book.position(id_)
    open_cents = position.volume_cents if position is not None and position.is_open else 0
    explained_cents = sum(
        order.executedVolume
        for order in evidence.orders
        if order.positionId == id_
        and (order.closingOrder or is_protective(order))
        and order.utcLastUpdateTimestamp > max(left.server_ms, left.position_ms)
    )
    if open_cents < left.open_cents - explained_cents:
        reason = f"less is open of position {id_} than the orders that are listed explain"
        return Verdict(None, reason, shown_by=id_)
    return Verdict(None, "no order of the server's can be it")


def _came_of(record: RequestRecord, order: oa.ProtoOAOrder) -> Verdict:
    order_id = order.orderId
    if order.orderStatus == oa.ProtoOAOrderStatus.ORDER_STATUS_REJECTED:
        return Verdict(Outcome.REFUSED, f"order {order_id} came of it, and was rejected", order_id=order_id)
    working = order.orderStatus == oa.ProtoOAOrderStatus.ORDER_STATUS_ACCEPTED
    if working and isinstance(record.payload, oa.ProtoOAClosePositionReq):
        return Verdict(None, f"order {order_id} came of it, and is at work", arrived=True)
    return Verdict(Outcome.DONE, f"order {order_id} came of it, and is {_status(order)}", order_id=order_id)


def _may_be(
    record: RequestRecord, order: oa.ProtoOAOrder, evidence: Evidence, same: Callable[[str, str], bool]
) -> bool:
    opened_ms = order.tradeData.openTimestamp
    if opened_ms < evidence.earliest_ms(record.left_at_ms) or not could_come_of(record.payload, order, same=same):
        return False
    if not record.has_left and opened_ms > evidence.latest_ms(record.intent_at_ms):
        return False
    return _allowed(record, order.orderId, evidence, opened_ms=opened_ms)


def _allowed(record: RequestRecord, order_id: int, evidence: Evidence, *, opened_ms: int = 0) -> bool:
    return evidence.provenance.allows(order_id, record.intent_id, record.departure, opened_ms=opened_ms)


def _ended(order_id: int, evidence: Evidence) -> oa.ProtoOAOrder | None:
    """An order that works no more, as the server last told of it."""
    listed = [order for order in evidence.orders if order.orderId == order_id]
    newest = max(listed, key=lambda order: order.utcLastUpdateTimestamp, default=None)
    order = evidence.details.get(order_id, newest)
    works = order is not None and order.orderStatus == oa.ProtoOAOrderStatus.ORDER_STATUS_ACCEPTED
    return None if works else order


def _status(order: oa.ProtoOAOrder) -> str:
    try:
        return oa.ProtoOAOrderStatus(order.orderStatus).name.removeprefix("ORDER_STATUS_").lower()
    except ValueError:
        return str(order.orderStatus)
