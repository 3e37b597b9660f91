"""One order of ours: what was meant, what the server said of it, and what it came to.

Pure: the times are handed in. A record is moved by what is done with it (sent, withdrawn, lost from sight) and
by the server's word (events, errors, rows of reconcile and of the lists), through one table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from ..wire import messages as oa
from ..wire.errors import LocalProtocolError
from .holdings import level_or_none
from .order_facts import OrderFacts
from .order_inputs import heard_of_error, heard_of_event, heard_of_order, is_protective
from .order_states import ORDER_TABLE, OrderInput, OrderState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .fills import Fill

__all__ = ["OrderChange", "OrderRecord"]

_LIMIT: Final = oa.ProtoOAOrderType.LIMIT
_UNANSWERED: Final = frozenset({OrderState.SENT, OrderState.UNKNOWN})
_UNTOLD: Final = frozenset({OrderState.SENT, OrderState.UNKNOWN, OrderState.REJECTED, OrderState.NOT_SENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderChange:
    """What one input did to an order.

    Attributes:
        record: the order.
        input: what was heard, or None where that cannot be told (see *look_up*).
        before: its state before.
        after: its state now; the same where nothing moved.
        fills: fills that were not counted before.
        became_protected: whether its levels were confirmed by this.
        error_code: `errorCode`, of the order or of a change to it, or None.
        error_description: the server's text, or None.
        contradiction: what the server said against what it had said before, or None. The order did not move;
            new fills are counted all the same.
        left_cents: how much of it the server goes on with under another order: it cut this one as it filled it.
        look_up: whether the server is to be asked what became of the order: it said something that we do not
            know, or told of more volume than of fills.
    """

    record: OrderRecord
    input: OrderInput | None
    before: OrderState
    after: OrderState
    fills: tuple[Fill, ...] = ()
    became_protected: bool = False
    error_code: str | None = None
    error_description: str | None = None
    contradiction: str | None = None
    left_cents: int = 0
    look_up: bool = False

    @property
    def moved(self) -> bool:
        """Whether the state is another one."""
        return self.before is not self.after


class OrderRecord(OrderFacts):
    """One order of ours, from intent to end. The methods here are the only ways to change it."""

    # What we do with it

    def sent(self, *, at_ms: int, client_msg_id: str | None = None) -> OrderChange:
        """Its bytes are about to leave.

        Raises:
            LocalProtocolError: it left before, or was withdrawn. Nothing changed.
        """
        change = self._do(OrderInput.SENT, at_ms)
        self.sent_at_ms, self.client_msg_id = at_ms, client_msg_id
        return change

    def not_sent(self, *, at_ms: int) -> OrderChange:
        """It was withdrawn before a byte left.

        Raises:
            LocalProtocolError: it left already. Nothing changed.
        """
        return self._do(OrderInput.NOT_SENT, at_ms)

    def lost(self, *, at_ms: int) -> OrderChange:
        """The link went, or no answer came in time: what became of it is unknown, if it had left and not ended."""
        return self._do(OrderInput.LOST, at_ms)

    def never_arrived(self, *, at_ms: int) -> OrderChange:
        """Several looks at the server agree that it has nothing of it (docs/protocol.md section 16).

        Raises:
            LocalProtocolError: its outcome is not unknown. Nothing changed.
        """
        return self._do(OrderInput.NEVER_ARRIVED, at_ms)

    def recall(
        self, state: OrderState, fills: Iterable[Fill], *, executed_volume_cents: int, finished_at_ms: int
    ) -> None:
        """An earlier process saw its end, and more filled of it than deals: those are still to be asked for.

        Args:
            state: that end.
            fills: that are on record.
            executed_volume_cents: what the server said was filled.
            finished_at_ms: when that was put on record, our clock.
        """
        self._state, self.executed_volume_cents, self.finished_at_ms = state, executed_volume_cents, finished_at_ms
        for fill in fills:
            self._fills.recall(fill)

    # What the server says of it

    def apply(self, event: oa.ProtoOAExecutionEvent | oa.ProtoOAOrderErrorEvent, *, at_ms: int) -> OrderChange:
        """Take over what an event says of it, or of its position.

        Args:
            event: one that concerns this order; which does, `OrderTable` finds out.
            at_ms: when it came, our clock.
        """
        if isinstance(event, oa.ProtoOAOrderErrorEvent):
            return self.refuse(event.errorCode, event.description or None, at_ms=at_ms)
        if not (event.HasField("order") and self._is_own(event.order)):
            return replace(self.see(event), error_code=event.errorCode or None)
        unanswered = self._state in _UNANSWERED
        heard = heard_of_event(event, first_word=self.order_id is None, unanswered=unanswered)
        deals = [event.deal] if event.HasField("deal") else []
        # An event that is replayed tells nothing new, and so proves nothing of an unknown outcome.
        repeated = self._last_heard == (heard, event.order.utcLastUpdateTimestamp)
        new_deal = any(not self._fills.has(deal) for deal in deals)
        opened = self.opened_volume_cents
        change = self._listen(heard, event.order, deals, at_ms=at_ms, replayed=repeated and not new_deal)
        if (more_cents := self.opened_volume_cents - opened) > 0 and event.HasField("position"):
            others_cents = max(0, event.position.tradeData.volume - more_cents)
            self.others_cents = self.others_cents if opened else others_cents
            self.protection.opened(event.position, others_cents=others_cents)
        if change.moved and event.errorCode:
            self.error_code = event.errorCode
        return replace(change, became_protected=self.see(event).became_protected, error_code=event.errorCode or None)

    def see(self, event: oa.ProtoOAExecutionEvent) -> OrderChange:
        """Take over only what an event shows of the levels of its position, whichever order it is about."""
        seen = self._sees(event.position, order=event.order, by_hand=not event.isServerEvent)
        return self._unmoved(became_protected=seen)

    def refuse(self, code: str, description: str | None = None, *, at_ms: int) -> OrderChange:
        """The server answered with an error: to the order itself while it has said nothing else of it.

        Later it is about a cancel or an amend, and the order is as it was. `TIMEOUT_ERROR` says only that it
        took too long: the outcome is unknown then (docs/protocol.md section 14).

        Args:
            code: `errorCode` of `ProtoOAOrderErrorEvent`, `ProtoOAErrorRes` or `ProtoErrorRes`.
            description: the server's text.
            at_ms: when it came, our clock.
        """
        if self.order_id is not None or self._state not in _UNANSWERED:
            return self._unmoved(error_code=code, error_description=description)
        change = self._do(heard_of_error(code), at_ms)
        if change.after is OrderState.REJECTED:
            self.error_code, self.error_description = code, description
        return replace(change, error_code=code, error_description=description)

    def settle_from_order(
        self, order: oa.ProtoOAOrder, deals: Iterable[oa.ProtoOADeal] = (), *, at_ms: int
    ) -> OrderChange:
        """Take over what the server answered when it was asked: this leads out of an unknown outcome.

        Args:
            order: its row of reconcile, of an order list, or of `ProtoOAOrderDetailsRes`.
            deals: deals of the account or of the order; those of other orders are passed over.
            at_ms: when the answer came, our clock.

        Raises:
            LocalProtocolError: the row is of another order. Nothing changed.
        """
        if not self._is_own(order):
            raise LocalProtocolError(f"order {order.orderId} is not {self!r}, which is {self.order_id}")
        own = [deal for deal in deals if deal.orderId == order.orderId]
        change = self._listen(heard_of_order(order), order, own, at_ms=at_ms, replayed=False)
        return replace(change, became_protected=self._sees())

    def see_position(self, position: oa.ProtoOAPosition) -> OrderChange:
        """Take over the levels of its position, as reconcile shows it."""
        return self._unmoved(became_protected=self._sees(position))

    def goes_on_in(self, position_id: int) -> None:
        """The server has opened the rest of it by another order, in a position of its own: see `Rests`."""
        if position_id:
            self._goes_on_in = self.position_id = position_id

    def settle_levels(self) -> OrderChange:
        """The time for its levels is over: see `Protection.settle`."""
        before = self.protected
        return self._unmoved(became_protected=self.protection.settle() and not before)

    # How

    def _sees(self, position: oa.ProtoOAPosition | None = None, **shown: Any) -> bool:
        if position is not None and position.positionId == self._goes_on_in and position.tradeData.volume > 0:
            self.is_astray = False
        fills = self.fills if self.opened_volume_cents else ()
        return self.protection.see(self.position_id, fills=fills, position=position, **shown)

    def _is_own(self, order: oa.ProtoOAOrder) -> bool:
        return not is_protective(order) and self.order_id in (None, order.orderId)

    def _is_old(self, order: oa.ProtoOAOrder) -> bool:
        return self.updated_at_ms is not None and 0 < order.utcLastUpdateTimestamp < self.updated_at_ms

    def _listen(
        self,
        heard: OrderInput | None,
        order: oa.ProtoOAOrder,
        deals: Iterable[oa.ProtoOADeal],
        *,
        at_ms: int,
        replayed: bool,
    ) -> OrderChange:
        before, executed, old = self._state, self.executed_volume_cents, self._is_old(order)
        asked_cents = self.volume_cents
        fills = self._learn(order, deals, heard)
        if heard is OrderInput.ACCEPTED and self.executed_volume_cents:
            heard = OrderInput.PARTIALLY_FILLED
        contradiction = None
        if heard is not None and not old and not replayed:
            after = ORDER_TABLE.get((before, heard))
            if after is None:
                contradiction = f"the server said {heard.value!r} of an order that was {before.value!r}"
            else:
                self._go(after, at_ms)
                self._last_heard = (heard, order.utcLastUpdateTimestamp)
        total = self.executed_volume_cents
        if contradiction is None and before.is_final and total > executed:
            contradiction = f"{total} are filled of an order that was {before.value!r} with {executed}"
        elif contradiction is None and total > max(executed, self._most_volume_cents):
            contradiction = f"{total} are filled of an order for {self._most_volume_cents}"
        return OrderChange(
            record=self,
            input=heard,
            before=before,
            after=self._state,
            fills=fills,
            contradiction=contradiction,
            left_cents=asked_cents - self.volume_cents
            if heard is OrderInput.FILLED and self._state is not before
            else 0,
            look_up=heard is None or total > self.filled_volume_cents,
        )

    def _learn(
        self, order: oa.ProtoOAOrder, deals: Iterable[oa.ProtoOADeal], heard: OrderInput | None
    ) -> tuple[Fill, ...]:
        """Take over ids and volumes, and count fills; old news may tell of those too."""
        self.order_id = order.orderId or self.order_id
        if self._goes_on_in is None:
            self.position_id = order.positionId or self.position_id
        new = tuple(fill for deal in deals if (fill := self._fills.add(deal)) is not None)
        if self.position_id is None and new:
            self.position_id = new[-1].position_id
        if not self._is_old(order):
            self.updated_at_ms = order.utcLastUpdateTimestamp or self.updated_at_ms
            self._amend(order)
        executed = order.executedVolume
        if heard is OrderInput.FILLED and not order.HasField("executedVolume"):
            executed = order.tradeData.volume
        self.executed_volume_cents = max(self.executed_volume_cents, executed, self.filled_volume_cents)
        return new

    def _amend(self, order: oa.ProtoOAOrder) -> None:
        """Take over size and price: an amend, by us or by hand in a terminal, changes them."""
        if self.requested_price is not None:
            price = order.limitPrice if order.orderType == _LIMIT else order.stopPrice or order.baseSlippagePrice
            self.requested_price = level_or_none(price) or self.requested_price
        if order.tradeData.volume > 0:
            self.volume_cents = order.tradeData.volume
            self._most_volume_cents = max(self._most_volume_cents, self.volume_cents)

    def _do(self, done: OrderInput, at_ms: int) -> OrderChange:
        before = self._state
        after = ORDER_TABLE.get((before, done))
        if after is None:
            raise LocalProtocolError(f"{done.value!r} cannot be of {self!r}")
        self._go(after, at_ms)
        return OrderChange(record=self, input=done, before=before, after=after)

    def _go(self, after: OrderState, at_ms: int) -> None:
        self._state = after
        if after not in _UNTOLD and self.sent_at_ms is not None and self.accepted_at_ms is None:
            self.accepted_at_ms = at_ms
        if after is OrderState.FILLED and self.filled_at_ms is None:
            self.filled_at_ms = at_ms
        if after.is_final and self.finished_at_ms is None:
            self.finished_at_ms = at_ms

    def _unmoved(
        self,
        *,
        became_protected: bool = False,
        error_code: str | None = None,
        error_description: str | None = None,
    ) -> OrderChange:
        return OrderChange(
            record=self,
            input=None,
            before=self._state,
            after=self._state,
            became_protected=became_protected,
            error_code=error_code,
            error_description=error_description,
        )
