"""The orders of ours in one account: which of them an event of the server's is about.

Events are matched by ids, the surest first: `orderId`, then our `clientOrderId`, then the id of the request,
then the label. All of them can mislead. Closing and protective orders carry the label of the entry, another
program's request may have the id of ours, and nothing stops a second order with the same `clientOrderId`
(docs/protocol.md sections 2 and 10): so what is matched must fit the order in side, symbol and kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import messages as oa
from .fills import Fill, Realised, Slippage
from .order_inputs import is_protective
from .order_record import OrderChange, OrderRecord
from .order_states import FINAL_STATES, ORDER_TABLE, OrderInput, OrderState
from .provenance import Provenance
from .rests import Rests

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = [
    "FINAL_STATES",
    "ORDER_TABLE",
    "Fill",
    "OrderChange",
    "OrderInput",
    "OrderRecord",
    "OrderState",
    "OrderTable",
    "Realised",
    "Slippage",
]


_AT_WORK = oa.ProtoOAOrderStatus.ORDER_STATUS_ACCEPTED


class OrderTable:
    """The records of one account of one environment. It keeps each until told to `forget` it.

    Args:
        provenance: what the server's orders are known to have come of, or None.
    """

    def __init__(self, provenance: Provenance | None = None) -> None:
        self._provenance = provenance if provenance is not None else Provenance()
        self._by_client_order_id: dict[str, OrderRecord] = {}
        self._by_order_id: dict[int, OrderRecord] = {}
        self._by_position_id: dict[int, dict[str, OrderRecord]] = {}
        self._unacknowledged: dict[str, OrderRecord] = {}  # the server has not named an order id yet
        self._rests = Rests()
        self._open: dict[str, OrderRecord] = {}  # those not seen at their end yet: asked at each order, so kept short

    def __iter__(self) -> Iterator[OrderRecord]:
        return iter(tuple(self._by_client_order_id.values()))

    def __len__(self) -> int:
        return len(self._by_client_order_id)

    def add(self, record: OrderRecord) -> None:
        """Keep a record.

        Raises:
            ValueError: its client order id is taken. Nothing changed.
        """
        if record.client_order_id in self._by_client_order_id:
            raise ValueError(f"there is an order {record.client_order_id!r} already")
        self._by_client_order_id[record.client_order_id] = record
        self._unacknowledged[record.client_order_id] = record
        self._open[record.client_order_id] = record
        self._index(record)

    def forget(self, record: OrderRecord) -> None:
        """Drop a record; what the server says of it from now on is nobody's."""
        self._by_client_order_id.pop(record.client_order_id, None)
        self._unacknowledged.pop(record.client_order_id, None)
        self._open.pop(record.client_order_id, None)
        if record.order_id is not None:
            self._by_order_id.pop(record.order_id, None)
        self._rests.forget(record)
        # The server may have filled it in other positions than the one that it was meant for.
        filled = {fill.position_id for fill in record.fills}
        for position_id in {record.position_id, getattr(record.intent, "position_id", None)} | filled:
            of_position = self._by_position_id.get(position_id or 0, {})
            of_position.pop(record.client_order_id, None)
            if not of_position:
                self._by_position_id.pop(position_id or 0, None)

    def get(self, client_order_id: str) -> OrderRecord | None:
        """The record with that client order id, or None."""
        return self._by_client_order_id.get(client_order_id)

    def by_order_id(self, order_id: int) -> OrderRecord | None:
        """The record with that `orderId`, or None."""
        return self._by_order_id.get(order_id)

    def of_position(self, position_id: int) -> tuple[OrderRecord, ...]:
        """The records that opened, changed or closed that position."""
        return tuple(self._by_position_id.get(position_id, {}).values())

    @property
    def open(self) -> tuple[OrderRecord, ...]:
        """The records that are not at their end."""
        for record in [record for record in self._open.values() if record.is_final]:
            del self._open[record.client_order_id]
        return tuple(self._open.values())

    @property
    def unknown(self) -> tuple[OrderRecord, ...]:
        """The records whose outcome is unknown."""
        return tuple(record for record in self.open if record.state is OrderState.UNKNOWN)

    def find(self, order: oa.ProtoOAOrder, *, client_msg_id: str | None = None) -> OrderRecord | None:
        """The record that one of the server's orders belongs to, or None: it is not ours, or is hidden.

        Args:
            order: of an event, of reconcile, or of an order list.
            client_msg_id: of the event that it came in, if any.
        """
        if is_protective(order):
            return None
        if (known := self._by_order_id.get(order.orderId)) is not None:
            return known
        named = self._by_client_order_id.get(order.clientOrderId) if order.clientOrderId else None
        if named is not None and named.order_id is None and _fits(named, order) and not named.is_close:
            return named
        asked = self._asked_by(client_msg_id)
        if asked is not None and _fits(asked, order) and asked.volume_cents == order.tradeData.volume:
            return asked
        label = self._unacknowledged.get(order.tradeData.label) if order.tradeData.label else None
        if label is not None and not order.closingOrder and _fits(label, order) and not label.is_close:
            return label
        return None

    def apply(
        self,
        event: oa.ProtoOAExecutionEvent | oa.ProtoOAOrderErrorEvent,
        *,
        at_ms: int,
        client_msg_id: str | None = None,
    ) -> list[OrderChange]:
        """Take over an event: to its order, and to the orders whose position it shows.

        Args:
            event: any of this account.
            at_ms: when it came, our clock.
            client_msg_id: of its envelope, if any.

        Returns:
            what it did to which order, its own first; empty if it is about none of ours.
        """
        if isinstance(event, oa.ProtoOAOrderErrorEvent):
            record = self._by_order_id.get(event.orderId) or self._asked_by(client_msg_id)
            return [] if record is None else [record.apply(event, at_ms=at_ms)]
        if event.errorCode and not event.HasField("order"):
            failed = self._asked_by(client_msg_id)
            return [] if failed is None else [failed.refuse(event.errorCode, at_ms=at_ms)]
        own = self.find(event.order, client_msg_id=client_msg_id) if event.HasField("order") else None
        changes = []
        position_id = event.position.positionId or event.order.positionId
        if own is not None:
            changes.append(own.apply(event, at_ms=at_ms))
            self._rests.add(own, changes[0].left_cents)
            self._index(own)
        elif (rest := self._rests.shown(event.order, position_id=position_id, client_msg_id=client_msg_id)) is not None:
            self._index(rest)
        elif event.HasField("order") and (twin := self._twin_of(event.order)) is not None:
            changes.append(_contradicted(twin, event.order))
        for record in self.of_position(position_id):
            if record is not own:
                change = record.see(event)
                if change.became_protected:
                    changes.append(change)
        return changes

    def settle(
        self,
        orders: Iterable[oa.ProtoOAOrder],
        deals: Iterable[oa.ProtoOADeal] = (),
        positions: Iterable[oa.ProtoOAPosition] = (),
        *,
        at_ms: int,
    ) -> list[OrderChange]:
        """Take over what the server answered when it was asked: reconcile, order lists, deal lists.

        Args:
            orders: rows of `ProtoOAReconcileRes`, `ProtoOAOrderListRes` and the like.
            deals: rows of `ProtoOADealListRes` and the like.
            positions: rows of `ProtoOAReconcileRes`.
            at_ms: when the answer came, our clock.

        Returns:
            what that did to which order, for each that was found.
        """
        all_deals = list(deals)
        changes = []
        for order in orders:
            if (record := self.find(order)) is not None:
                changes.append(record.settle_from_order(order, all_deals, at_ms=at_ms))
                self._rests.add(record, changes[-1].left_cents)
                self._index(record)
        for position in positions:
            for record in self._showing(position):
                change = record.see_position(position)
                if change.became_protected:
                    changes.append(change)
        return changes

    def settle_closes(
        self,
        records: Sequence[OrderRecord],
        orders: Iterable[oa.ProtoOAOrder],
        deals: Iterable[oa.ProtoOADeal] = (),
        *,
        since_ms: int,
        at_ms: int,
    ) -> list[OrderChange]:
        """Find what became of closes, which the server knows by no id of ours, and take it over.

        Those of one position and size cannot be told apart, nor do they have to be: the oldest order is taken for the
        first of them. Where there are more orders than closes, somebody else closed as much too, and which order is
        whose makes no difference once all of them have ended.

        Args:
            records: of closes of one position and size, in the order in which they left.
            orders: of their position, as the server lists them.
            deals: of their position, likewise.
            since_ms: no order made before that can be one of them, by the server's clock.
            at_ms: when the answer came, our clock.

        Returns:
            what that did, for each close that an order was found for.
        """
        waiting = [record for record in records if record.order_id is None]
        if not waiting:
            return []
        found = self.candidates(waiting[0], orders, since_ms=since_ms)
        if len(found) > len(waiting) and any(order.orderStatus == _AT_WORK for order in found):
            return []
        found.sort(key=lambda order: (order.tradeData.openTimestamp, order.orderId))
        all_deals = list(deals)
        changes = []
        for record in waiting:
            # One that was seen before the second of them left may still be the first one's.
            order = next((order for order in found if self._allows(record, order)), None)
            if order is not None:
                found.remove(order)
                changes.append(record.settle_from_order(order, all_deals, at_ms=at_ms))
                self._index(record)
        return changes

    def candidates(
        self, record: OrderRecord, orders: Iterable[oa.ProtoOAOrder], *, since_ms: int
    ) -> list[oa.ProtoOAOrder]:
        """Those of the server's orders that a close may be and that are known to be no other. See `settle_closes`."""
        return [
            order
            for order in orders
            if order.orderId not in self._by_order_id
            and not is_protective(order)
            and order.tradeData.openTimestamp >= since_ms
            and _fits(record, order)
            and self._allows(record, order)
        ]

    def _allows(self, record: OrderRecord, order: oa.ProtoOAOrder) -> bool:
        opened_ms = order.tradeData.openTimestamp
        return self._provenance.allows(order.orderId, record.client_order_id, record.departure, opened_ms=opened_ms)

    def lose_link(self, *, at_ms: int) -> list[OrderChange]:
        """The link went: the outcome of every order that had left and had not ended is unknown.

        Returns:
            the orders that moved.
        """
        changes = [record.lost(at_ms=at_ms) for record in self.open]
        return [change for change in changes if change.moved]

    def _asked_by(self, client_msg_id: str | None) -> OrderRecord | None:
        """The record that left in that request and has had no other answer."""
        asked = (record for record in self._unacknowledged.values() if record.client_msg_id == client_msg_id)
        return next(asked, None) if client_msg_id else None

    def _twin_of(self, order: oa.ProtoOAOrder) -> OrderRecord | None:
        """The record whose client order id a second order of the server's carries, if it is one of its kind."""
        record = self._by_client_order_id.get(order.clientOrderId) if order.clientOrderId else None
        if record is None or record.is_close or record.order_id is None or is_protective(order):
            return None
        return record if _fits(record, order) and not order.closingOrder else None

    def _showing(self, position: oa.ProtoOAPosition) -> tuple[OrderRecord, ...]:
        """The records of a position; one that has no order id yet is known by the label that it gave."""
        label = self._unacknowledged.get(position.tradeData.label) if position.tradeData.label else None
        if label is not None and label.position_id is None and not label.is_close:
            label.position_id = position.positionId
            self._index(label)
        known = self.of_position(position.positionId)
        if not known and (rest := self._rests.listed(position)) is not None:
            self._index(rest)
            return (rest,)
        return known

    def _index(self, record: OrderRecord) -> None:
        if record.order_id is not None:
            self._by_order_id[record.order_id] = record
            self._unacknowledged.pop(record.client_order_id, None)
        if record.position_id is not None:
            self._by_position_id.setdefault(record.position_id, {})[record.client_order_id] = record


def _fits(record: OrderRecord, order: oa.ProtoOAOrder) -> bool:
    """Whether an order can be that of a record: its symbol and side; a close's position and volume too."""
    if order.tradeData.symbolId != record.symbol.id or order.tradeData.tradeSide != record.side.value:
        return False
    if not record.is_close:
        return True
    same = order.positionId == record.position_id and order.tradeData.volume == record.volume_cents
    return order.closingOrder and same


def _contradicted(record: OrderRecord, order: oa.ProtoOAOrder) -> OrderChange:
    return OrderChange(
        record=record,
        input=None,
        before=record.state,
        after=record.state,
        contradiction=f"order {order.orderId} has the client order id of order {record.order_id}",
        look_up=True,
    )
