"""What the server's words mean for an order: events and rows of its lists to the inputs of the order table."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ..wire import messages as oa
from .fills import Fill
from .order_states import OrderInput

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["heard_of_error", "heard_of_event", "heard_of_order", "is_out_of_time", "is_protective"]

_TYPES: Final[Mapping[int, OrderInput]] = MappingProxyType(
    {
        oa.ProtoOAExecutionType.ORDER_ACCEPTED: OrderInput.ACCEPTED,
        oa.ProtoOAExecutionType.ORDER_FILLED: OrderInput.FILLED,
        oa.ProtoOAExecutionType.ORDER_PARTIAL_FILL: OrderInput.PARTIALLY_FILLED,
        oa.ProtoOAExecutionType.ORDER_REPLACED: OrderInput.REPLACED,
        oa.ProtoOAExecutionType.ORDER_CANCELLED: OrderInput.CANCELLED,
        oa.ProtoOAExecutionType.ORDER_EXPIRED: OrderInput.EXPIRED,
        oa.ProtoOAExecutionType.ORDER_REJECTED: OrderInput.REJECTED,
        oa.ProtoOAExecutionType.ORDER_CANCEL_REJECTED: OrderInput.CHANGE_REFUSED,
    }
)
_STATUSES: Final[Mapping[int, OrderInput]] = MappingProxyType(
    {
        oa.ProtoOAOrderStatus.ORDER_STATUS_ACCEPTED: OrderInput.ACCEPTED,
        oa.ProtoOAOrderStatus.ORDER_STATUS_FILLED: OrderInput.FILLED,
        oa.ProtoOAOrderStatus.ORDER_STATUS_REJECTED: OrderInput.REJECTED,
        oa.ProtoOAOrderStatus.ORDER_STATUS_EXPIRED: OrderInput.EXPIRED,
        oa.ProtoOAOrderStatus.ORDER_STATUS_CANCELLED: OrderInput.CANCELLED,
    }
)
_OUT_OF_TIME: Final = "TIMEOUT_ERROR"


def is_out_of_time(code: str) -> bool:
    """Whether an error says only that the server took too long: it may be done (docs/protocol.md section 14)."""
    return code == _OUT_OF_TIME


def is_protective(order: oa.ProtoOAOrder) -> bool:
    """Whether it is the hidden order that holds a position's levels."""
    return order.orderType == oa.ProtoOAOrderType.STOP_LOSS_TAKE_PROFIT


def heard_of_order(order: oa.ProtoOAOrder) -> OrderInput | None:
    """What the status of an order says; None if the status is not known to us."""
    heard = _STATUSES.get(order.orderStatus)
    partly = heard is OrderInput.ACCEPTED and order.executedVolume > 0
    return OrderInput.PARTIALLY_FILLED if partly else heard


def heard_of_event(event: oa.ProtoOAExecutionEvent, *, first_word: bool, unanswered: bool) -> OrderInput | None:
    """What an execution event says of its order; None if the execution type is not known to us.

    Any event with an `errorCode` is a failure (docs/protocol.md section 10.4): of the order itself while it is
    the first that the server says of it, of a change to it later.

    Args:
        event: one with an order.
        first_word: whether the server has not said anything of this order before.
        unanswered: whether what became of the order is open: sent, or unknown.
    """
    heard = _TYPES.get(event.executionType)
    filled = event.HasField("deal") and Fill.from_wire(event.deal) is not None
    if event.errorCode and not filled and heard in (None, OrderInput.ACCEPTED):
        status = _STATUSES.get(event.order.orderStatus)
        refused = (first_word and unanswered) or status is OrderInput.REJECTED
        return OrderInput.REJECTED if refused else OrderInput.CHANGE_REFUSED
    if heard in (OrderInput.REPLACED, OrderInput.CHANGE_REFUSED) and unanswered:
        return heard_of_order(event.order)  # by itself it moves nothing, but the server has the order
    if heard is OrderInput.ACCEPTED and event.order.executedVolume > 0:
        return OrderInput.PARTIALLY_FILLED
    return heard


def heard_of_error(code: str) -> OrderInput:
    """What an error answer to the order itself says.

    One that only says that it took too long leaves the outcome open.
    """
    return OrderInput.LOST if is_out_of_time(code) else OrderInput.REJECTED
