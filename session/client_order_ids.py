"""Which client order ids are taken: an id names one order, and no second one leaves with it.

The server does not see to that (docs/protocol.md section 10): it makes a second order, and what it tells of that one
would be taken for the first one's. An id is free again where its order did not leave, or was refused without becoming
one.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..wire import messages as oa
from .errors import NotSent
from .fields import invalid
from .order_states import OrderState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from .doubts import Doubts
    from .inheritance import Inheritance
    from .orders import OrderTable
    from .provenance import Provenance

__all__ = ["ClientOrderIds"]

_OPEN_ENDED = frozenset({OrderState.CREATED, OrderState.SENT, OrderState.UNKNOWN})


class ClientOrderIds:
    """Of one account.

    Args:
        orders: of ours.
        doubts: raw orders of unknown outcome, among others.
        inheritance: orders of an earlier process that are not among ours yet.
        provenance: all that the server told of, in this process and by the audit before.
        mask: covers secrets, as the record of an earlier process has them.
    """

    def __init__(
        self,
        *,
        orders: OrderTable,
        doubts: Doubts,
        inheritance: Inheritance,
        provenance: Provenance,
        mask: Callable[[str], str],
    ) -> None:
        self._orders = orders
        self._doubts = doubts
        self._inheritance = inheritance
        self._provenance = provenance
        self._mask = mask
        self._under_way: set[str] = set()

    @contextmanager
    def claimed(self, request: Any) -> Iterator[None]:
        """Within it, the id of a raw order is taken, if it gives one. What has left is known by other means afterwards.

        Raises:
            NotSent: what becomes of the order that has it is not known yet. Nothing left.
            InvalidOrder: another order has it. Nothing left.
        """
        if not isinstance(request, oa.ProtoOANewOrderReq):
            yield
            return
        # Until the server has named an order of ours by its own id, a label is as good as the client order id.
        if request.label and (ours := self._orders.get(request.label)) is not None and ours.order_id is None:
            self._check("label", request.label)
        if not request.clientOrderId:
            yield
            return
        self._check("clientOrderId", request.clientOrderId)
        self._under_way.add(request.clientOrderId)
        try:
            yield
        finally:
            self._under_way.discard(request.clientOrderId)

    # How

    def _check(self, field: str, id_: str) -> None:
        names, shown = {id_, self._mask(id_)}, self._mask(id_)
        if (why := self._open_ended(names)) is not None:
            raise NotSent(f"nothing left with {field} {shown!r}: {why}")
        if (holder := self._holder(names)) is not None:
            raise invalid(field, shown, f"{holder} has it already; for another order give another id, or none")

    def _holder(self, names: set[str]) -> str | None:
        """What has one of these, for people; None where nothing is known to."""
        known = [order_id for name in names if (order_id := self._provenance.named(name)) is not None]
        if any(known):
            return f"order {max(known)}"
        if any(self._orders.get(name) is not None for name in names):
            return "an order of this desk"
        return "a request of which the server named no order, or nobody could tell the outcome," if known else None

    def _open_ended(self, names: set[str]) -> str | None:
        """Why it may be the same order that is asked for once more, for people; None where its outcome is known."""
        if names & self._under_way:
            return "a request with it waits for its answer"
        ours = [record for name in names if (record := self._orders.get(name)) is not None]
        for record in ours:
            if record.state in _OPEN_ENDED:
                what = "is unknown, find out first" if record.state is OrderState.UNKNOWN else "was not told yet"
                return f"the outcome of order {record.client_order_id} {what}"
        if any(self._inheritance.of_client_order_id(name) is not None for name in names):
            return "an order of an earlier process has it, of which no end is on record: find out first"
        for doubt in self._doubts:
            if getattr(doubt.payload, "clientOrderId", "") in names - {""}:
                return f"a {doubt.name} with it {doubt.whereabouts}, find out first"
        return None
