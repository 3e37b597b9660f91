"""The client order ids of what clients of a proxy have ordered: one names one order, whoever gives it. Pure."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from ..wire import messages as oa
from ..wire.catalog import account_of
from .fields import invalid
from .order_inputs import is_out_of_time, is_protective

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .proxied_closes import ProxiedRequest

__all__ = ["ProxiedOrders"]

_MOST: Final = 10_000  # ids that are remembered, some megabytes; the oldest are forgotten first
_UNANSWERED: Final = 0


class ProxiedOrders:
    """Of one environment, shared by all clients of its proxy.

    An id is taken from the moment in which its order may leave. It is free again where the server answers with an
    error, unless that says only that it took too long. One that was never answered stays taken: nobody here finds out.
    """

    def __init__(self) -> None:
        self._taken: dict[tuple[int, str], int] = {}  # by account and id: `orderId`
        self._under_way: list[ProxiedRequest] = []

    @contextmanager
    def leaving(self, order: ProxiedRequest) -> Iterator[None]:
        """Within it, its bytes are about to leave; with an error they do not.

        Raises:
            InvalidOrder: see `check`.
        """
        self.check(order.request)
        key = _key(order.request)
        if key is None:
            yield
            return
        self._take(key, _UNANSWERED)
        self._under_way.append(order)
        try:
            yield
        except BaseException:
            self._withdraw(order, frees=True)
            raise

    def check(self, request: Any) -> None:
        """Returns if no other order has the id that a new one gives.

        Raises:
            InvalidOrder: one has.
        """
        key = _key(request)
        if key is None or key not in self._taken:
            return
        order_id = self._taken[key]
        holder = (
            f"order {order_id} has it" if order_id else "a request with it was not answered: look what became of it"
        )
        raise invalid("clientOrderId", key[1], f"{holder}; for another order give another id, or none")

    def answered(self, client: object, payload: Any, client_msg_id: str) -> None:
        """The server told a client this.

        Args:
            client: who was told.
            payload: an execution event, a list of what is open, or an error.
            client_msg_id: of its envelope.
        """
        account_id = account_of(payload) or 0
        rows: Iterable[Any] = payload.order if isinstance(payload, oa.ProtoOAReconcileRes) else ()
        if isinstance(payload, oa.ProtoOAExecutionEvent) and payload.HasField("order"):
            rows = (payload.order,)
        for row in rows:
            if row.clientOrderId and row.orderId:
                self._take((account_id, row.clientOrderId), row.orderId)
        order = next((each for each in self._under_way if _may_answer(payload, client, client_msg_id, each)), None)
        if order is not None:
            code = getattr(payload, "errorCode", "")
            protects = any(is_protective(row) for row in rows)  # what has a position to protect is filled
            self._withdraw(order, frees=bool(code) and not is_out_of_time(code) and not protects)

    def end(self, client: object) -> None:
        """A client is gone, who would have been told."""
        self._under_way = [each for each in self._under_way if each.client is not client]

    def _take(self, key: tuple[int, str], order_id: int) -> None:
        self._taken[key] = self._taken.get(key) or order_id
        if len(self._taken) > _MOST:
            del self._taken[next(iter(self._taken))]

    def _withdraw(self, order: ProxiedRequest, *, frees: bool) -> None:
        self._under_way = [each for each in self._under_way if each is not order]
        key = _key(order.request)
        if frees and key is not None and self._taken.get(key) == _UNANSWERED:
            del self._taken[key]


def _key(request: Any) -> tuple[int, str] | None:
    """Account and client order id of a new order that gives one."""
    if not isinstance(request, oa.ProtoOANewOrderReq) or not request.clientOrderId:
        return None
    return request.ctidTraderAccountId, request.clientOrderId


def _may_answer(payload: Any, client: object, client_msg_id: str, order: ProxiedRequest) -> bool:
    """Whether it is told to whoever asked for it, under its id; without one nothing says which request it answers."""
    if isinstance(payload, oa.ProtoOAReconcileRes) or order.client is not client or not client_msg_id:
        return False
    if order.client_msg_id != client_msg_id or account_of(payload) not in (None, 0, account_of(order.request)):
        return False
    if isinstance(payload, oa.ProtoOAExecutionEvent):
        return True
    return not (getattr(payload, "orderId", 0) or getattr(payload, "positionId", 0))  # of another request
