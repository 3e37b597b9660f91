"""The book of one account's positions and working orders: moved by events, set right by reconcile.

Pure: no clock, no I/O. The server's word is taken as it comes; what is kept besides is only what tells old
news from new, because events may come late, twice or out of order.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from ..wire import messages as oa
from ..wire import units
from .holdings import PendingOrder, Position, level_or_none
from .levels_to_come import LevelsToCome, ToCome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

__all__ = ["BookChange", "Difference", "PendingOrder", "Position", "PositionBook"]

_Held = TypeVar("_Held", Position, PendingOrder)

_REMEMBERED: Final = 1024  # ended ids, against late events: minutes of the busiest trading
_PROTECTIVE: Final = oa.ProtoOAOrderType.STOP_LOSS_TAKE_PROFIT
_CLOSED: Final = oa.ProtoOAPositionStatus.POSITION_STATUS_CLOSED
_FILLS: Final = frozenset({oa.ProtoOAExecutionType.ORDER_FILLED, oa.ProtoOAExecutionType.ORDER_PARTIAL_FILL})
_ENDS: Final = frozenset(
    {
        oa.ProtoOAExecutionType.ORDER_FILLED,
        oa.ProtoOAExecutionType.ORDER_CANCELLED,
        oa.ProtoOAExecutionType.ORDER_EXPIRED,
        oa.ProtoOAExecutionType.ORDER_REJECTED,
    }
)
# What moves without an event of its own, so that the book cannot be blamed for not knowing it.
_UNTOLD: Final = frozenset(
    {"swap", "commission", "used_margin", "updated_at_ms", "protective_order_id", "status", "opened_at_ms"}
)


@dataclass(frozen=True, slots=True)
class BookChange:
    """What one event did to one position or working order.

    Attributes:
        before: as it was, or None where it is new.
        after: as it is now, or None where it ended.
        problem: why what the server sent could not be taken over, or None. Then *after* is *before*.
    """

    before: Position | PendingOrder | None
    after: Position | PendingOrder | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """One point in which the book and the server disagreed; the book has the server's word now.

    Attributes:
        kind: ``position`` or ``order``.
        id: `positionId` or `orderId`.
        field: which of its facts; ``existence`` where one of the two does not have it at all.
        believed: what the book had, as text, or None.
        actual: what the server has, as text, or None.
    """

    kind: str
    id: int
    field: str
    believed: str | None
    actual: str | None

    def __str__(self) -> str:
        believed, actual = self.believed or "nothing", self.actual or "nothing"
        return f"{self.kind} {self.id}, {self.field}: the book had {believed}, the server has {actual}"


class PositionBook:
    """The open positions and working orders of one account, as the server last told.

    Attributes:
        reconciled: whether the server's whole list was ever taken over.
    """

    def __init__(self) -> None:
        self.reconciled = False
        self._tick = 0
        self._to_come = LevelsToCome()
        self._positions: _Shelf[Position] = _Shelf("position")
        self._orders: _Shelf[PendingOrder] = _Shelf("order")

    @property
    def positions(self) -> tuple[Position, ...]:
        """The open positions."""
        return tuple(self._positions.held.values())

    @property
    def orders(self) -> tuple[PendingOrder, ...]:
        """All orders that the server works on, protective and closing ones among them."""
        return tuple(self._orders.held.values())

    @property
    def symbol_ids(self) -> set[int]:
        """What is open, or waits for its price, is of these symbols."""
        return {each.symbol_id for each in self.positions} | {each.symbol_id for each in self.pending_orders}

    @property
    def pending_orders(self) -> tuple[PendingOrder, ...]:
        """The limit, stop and stop-limit orders that would open or add."""
        return tuple(order for order in self.orders if order.is_opening and order.is_waiting)

    @property
    def immediate_orders(self) -> tuple[PendingOrder, ...]:
        """Those at work that fill at once, closing ones among them. The server's whole list has none of them."""
        return tuple(order for order in self.orders if order.is_immediate)

    def position(self, position_id: int) -> Position | None:
        """The open position with that id, or None."""
        return self._positions.held.get(position_id)

    def order(self, order_id: int) -> PendingOrder | None:
        """The working order with that id, protective and closing ones included, or None."""
        return self._orders.held.get(order_id)

    def levels_to_come(self, position_id: int) -> ToCome | None:
        """What an order asked for and the open position with that id does not show yet, or None."""
        return self._to_come.of(position_id)

    def mark(self) -> int:
        """A moment in the life of the book: taken before reconcile is asked, and handed to `reconcile`."""
        return self._tick

    def apply(
        self,
        event: oa.ProtoOAExecutionEvent | oa.ProtoOATrailingSLChangedEvent | oa.ProtoOAMarginChangedEvent,
        *,
        at_ms: int = 0,
    ) -> list[BookChange]:
        """Take over what an event says; old news change nothing.

        Args:
            event: it.
            at_ms: when it came, UTC milliseconds.

        Returns:
            what changed, orders first. Empty if nothing did.
        """
        self._tick += 1
        if isinstance(event, oa.ProtoOATrailingSLChangedEvent):
            return self._take_trailing(event)
        if isinstance(event, oa.ProtoOAMarginChangedEvent):
            return self._take_margin(event)
        changes: list[BookChange] = []
        if event.HasField("order"):
            self._to_come.heard(event, self.order(event.order.orderId), at_ms=at_ms)
            changes += self._take_order(event)
        if event.HasField("position"):
            changes += self._take_position(event)
        self._show_levels()
        return changes

    def reconcile(
        self, answer: oa.ProtoOAReconcileRes, *, since: int | None = None, protection_orders: bool = True
    ) -> list[Difference]:
        """Set the book right by the server's whole list.

        It has what waits for its price, and not what fills at once (docs/protocol.md section 13): such an order works
        on until an event, or `told`, says otherwise. One that closes is dropped: it must hold up no other close.

        Args:
            answer: what the server has.
            since: the `mark` taken before it was asked. What events changed after that keeps the events' word,
                as the list may be older. None where no event can have come in between.
            protection_orders: whether protective orders were asked for too (`returnProtectionOrders`).

        Returns:
            each point in which the book had it otherwise; of the first list only what cannot be read, since
            nothing was believed before.
        """
        since = self._tick if since is None else since
        self._tick += 1
        positions, orders = self._listed(answer, protection_orders=protection_orders)
        differences = self._positions.apart(positions, since=since) + self._orders.apart(orders, since=since)
        self._positions.settle(positions, since=since, tick=self._tick)
        self._orders.settle(orders, since=since, tick=self._tick)
        self._show_levels()
        problems = orders.problems + positions.problems
        first, self.reconciled = not self.reconciled, True
        return problems if first else problems + differences

    def differences(self, answer: oa.ProtoOAReconcileRes, *, since: int) -> list[Difference]:
        """Each point in which the book has it otherwise than the server's whole list; nothing is taken over.

        Args:
            answer: what the server has, protective orders included; what cannot be read differs in nothing.
            since: the `mark` taken before it was asked.
        """
        positions, orders = self._listed(answer, protection_orders=True)
        return self._positions.apart(positions, since=since) + self._orders.apart(orders, since=since)

    def told(self, row: oa.ProtoOAOrder) -> int:
        """Take over what the server's list of orders says of one that fills at once.

        Where it works it is held from now on, though no event told of it, unless it closes: that list lags, and must
        hold up no close.

        Args:
            row: of `ProtoOAOrderListRes`; one that waits for its price, or is hidden, is passed over.

        Returns:
            how much more of it is filled than was known, hundredths of a unit; 0 where it was not held.
        """
        try:
            order = PendingOrder.from_wire(row)
        except ValueError:
            return 0
        held = self.order(order.id)
        if not order.is_immediate or self._orders.is_old(order.id, order.updated_at_ms):
            return 0
        if held is not None or (order.is_working and order.is_opening):
            self._tick += 1
            if order.is_working:
                self._orders.put(order, self._tick)
            else:
                self._orders.drop(order.id, order.updated_at_ms, self._tick)
        return 0 if held is None else order.executed_volume_cents - held.executed_volume_cents

    def _listed(
        self, answer: oa.ProtoOAReconcileRes, *, protection_orders: bool
    ) -> tuple[_Listed[Position], _Listed[PendingOrder]]:
        orders = self._orders.read(answer.order, lambda order: order.orderId, PendingOrder.from_wire)
        positions = self._positions.read(answer.position, lambda position: position.positionId, Position.from_wire)
        for order in self.immediate_orders:
            (orders.keep if order.is_opening else orders.unsaid).add(order.id)
        protective = {o.position_id: o.id for o in orders.rows if o.is_protective and o.is_working}
        if not protection_orders:
            known = [order for order in self.orders if order.is_protective]
            orders.keep |= {order.id for order in known}
            protective = {order.position_id: order.id for order in known}
        positions.rows = [replace(p, protective_order_id=protective.get(p.id)) for p in positions.rows if p.is_open]
        orders.rows = [order for order in orders.rows if order.is_working]
        return positions, orders

    def _show_levels(self) -> None:
        for id_ in self._to_come.positions:
            self._to_come.shown(self.position(id_), id_)

    def _take_trailing(self, event: oa.ProtoOATrailingSLChangedEvent) -> list[BookChange]:
        stop_loss = level_or_none(event.stopPrice)
        if stop_loss is None:
            return self._unreadable(event.positionId, f"{event.stopPrice} is no price of a stop loss")
        return self._update(event.positionId, stop_loss=stop_loss, protective_order_id=event.orderId)

    def _take_margin(self, event: oa.ProtoOAMarginChangedEvent) -> list[BookChange]:
        try:
            margin = units.money_from_wire(event.usedMargin, money_digits=units.money_digits_of(event))
        except ValueError as error:
            return self._unreadable(event.positionId, str(error))
        return self._update(event.positionId, used_margin=margin)

    def _unreadable(self, position_id: int, reason: str) -> list[BookChange]:
        held = self.position(position_id)
        return [BookChange(held, held, f"position {position_id} cannot be read: {reason}")]

    def _take_order(self, event: oa.ProtoOAExecutionEvent) -> list[BookChange]:
        raw = event.order
        if self._orders.is_old(raw.orderId, raw.utcLastUpdateTimestamp or None):
            return []
        ended = event.executionType in _ENDS or raw.orderStatus != oa.ProtoOAOrderStatus.ORDER_STATUS_ACCEPTED
        refused = bool(event.errorCode) and self.order(raw.orderId) is None  # never came to be
        if ended or refused:
            changes = self._orders.drop(raw.orderId, raw.utcLastUpdateTimestamp or None, self._tick)
        else:
            try:
                changes = self._orders.put(PendingOrder.from_wire(raw), self._tick)
            except ValueError as error:
                held = self.order(raw.orderId)
                return [BookChange(held, held, f"order {raw.orderId} cannot be read: {error}")]
        if raw.orderType == _PROTECTIVE:
            changes += self._link_protective(raw.positionId, raw.orderId, ended=ended or refused)
        return changes

    def _link_protective(self, position_id: int, order_id: int, *, ended: bool) -> list[BookChange]:
        position = self.position(position_id)
        if position is None or (ended and position.protective_order_id != order_id):
            return []
        return self._update(position_id, protective_order_id=None if ended else order_id)

    def _take_position(self, event: oa.ProtoOAExecutionEvent) -> list[BookChange]:
        raw = event.position
        updated_at_ms = raw.utcLastUpdateTimestamp or None
        if self._positions.is_old(raw.positionId, updated_at_ms):
            return []
        if raw.tradeData.volume <= 0 or raw.positionStatus == _CLOSED:
            # A protected position that is closed in full has volume 0 but status CREATED at its fill, and is
            # CLOSED one event later (docs/protocol.md section 10.1). CREATED in any other event is one that
            # is yet to open.
            over = raw.positionStatus == _CLOSED or event.executionType in _FILLS
            return self._positions.drop(raw.positionId, updated_at_ms, self._tick) if over else []
        held = self.position(raw.positionId)
        try:
            protective = held.protective_order_id if held else self._protective_of(raw.positionId)
            position = Position.from_wire(raw, protective_order_id=protective)
        except ValueError as error:
            return self._unreadable(raw.positionId, str(error))
        return self._positions.put(position, self._tick)

    def _protective_of(self, position_id: int) -> int | None:
        return next((o.id for o in self.orders if o.is_protective and o.position_id == position_id), None)

    def _update(self, position_id: int, **changed: Any) -> list[BookChange]:
        position = self.position(position_id)
        return [] if position is None else self._positions.put(replace(position, **changed), self._tick)


@dataclass(slots=True)
class _Listed(Generic[_Held]):
    """What the server's list has of one kind."""

    rows: list[_Held] = field(default_factory=list)
    keep: set[int] = field(default_factory=set)  # the ids of which it says nothing that can be taken over
    unsaid: set[int] = field(default_factory=set)  # the ids that it never has: what it lacks there is no difference
    problems: list[Difference] = field(default_factory=list)


class _Shelf(Generic[_Held]):
    """What is held of one kind, by id, with what tells old news from new."""

    def __init__(self, kind: str) -> None:
        self.held: dict[int, _Held] = {}
        self._kind = kind
        self._ticks: dict[int, int] = {}  # the event that last touched it
        self._ended: OrderedDict[int, tuple[int | None, int]] = OrderedDict()  # the server's time, the event

    def is_old(self, id_: int, updated_at_ms: int | None) -> bool:
        """Whether what the server said of that moment was overtaken by what it said already."""
        if id_ in self._ended:
            ended_at_ms, _ = self._ended[id_]
            return ended_at_ms is None or updated_at_ms is None or updated_at_ms <= ended_at_ms
        known = self.held[id_].updated_at_ms if id_ in self.held else None
        return known is not None and updated_at_ms is not None and updated_at_ms < known

    def put(self, held: _Held, tick: int) -> list[BookChange]:
        before = self.held.get(held.id)
        self.held[held.id] = held
        self._ticks[held.id] = tick
        self._ended.pop(held.id, None)
        return [] if before == held else [BookChange(before, held)]

    def drop(self, id_: int, ended_at_ms: int | None, tick: int) -> list[BookChange]:
        self._ended[id_] = (ended_at_ms, tick)
        self._ended.move_to_end(id_)
        if len(self._ended) > _REMEMBERED:
            self._ended.popitem(last=False)
        self._ticks.pop(id_, None)
        before = self.held.pop(id_, None)
        return [] if before is None else [BookChange(before, None)]

    def read(
        self, rows: Iterable[Any], id_of: Callable[[Any], int], from_wire: Callable[[Any], _Held]
    ) -> _Listed[_Held]:
        listed: _Listed[_Held] = _Listed()
        for row in rows:
            try:
                listed.rows.append(from_wire(row))
            except ValueError as error:
                said = f"what cannot be read: {error}"
                listed.problems.append(Difference(self._kind, id_of(row), "readable", None, said))
                listed.keep.add(id_of(row))
        return listed

    def apart(self, listed: _Listed[_Held], *, since: int) -> list[Difference]:
        """Where the server's list has it otherwise, but for what events touched after *since*."""
        found: list[Difference] = []
        for actual in listed.rows:
            if self._touched(actual.id) <= since:
                found += self._compare(self.held.get(actual.id), actual)
        gone = [id_ for id_ in self._gone(listed, since=since) if id_ not in listed.unsaid]
        return found + [Difference(self._kind, id_, "existence", _shown(self.held[id_]), None) for id_ in gone]

    def settle(self, listed: _Listed[_Held], *, since: int, tick: int) -> None:
        """Take over the server's list, but for what events touched after *since*."""
        gone = self._gone(listed, since=since)
        for actual in listed.rows:
            if self._touched(actual.id) <= since:
                self.put(actual, tick)
        for id_ in gone:
            del self.held[id_]
            self._ticks.pop(id_, None)

    def _gone(self, listed: _Listed[_Held], *, since: int) -> list[int]:
        ids = listed.keep | {actual.id for actual in listed.rows}
        return [id_ for id_ in self.held if id_ not in ids and self._touched(id_) <= since]

    def _touched(self, id_: int) -> int:
        return self._ended[id_][1] if id_ in self._ended else self._ticks.get(id_, 0)

    def _compare(self, believed: _Held | None, actual: _Held) -> list[Difference]:
        if believed is None:
            return [Difference(self._kind, actual.id, "existence", None, _shown(actual))]
        return [
            Difference(self._kind, actual.id, each.name, _text(ours), _text(theirs))
            for each in fields(actual)
            if each.name not in _UNTOLD
            and (ours := getattr(believed, each.name)) != (theirs := getattr(actual, each.name))
        ]


def _shown(held: Position | PendingOrder) -> str:
    price = held.price if isinstance(held, Position) else held.limit_price or held.stop_price
    at = "" if price is None else f" at {price:f}"
    return f"{held.side.name} {held.volume_cents} of symbol {held.symbol_id}{at}"


def _text(value: object) -> str | None:
    return None if value is None else str(value)
