"""How the exchange says no: which message carries which failure (docs/protocol.md section 10.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import messages as oa
from ..wire.errors import CTraderError

if TYPE_CHECKING:
    from google.protobuf.message import Message

__all__ = ["Denial", "denied_order", "invalid"]


class Denial(CTraderError):
    """A request was refused; nothing changed. Caught by `Exchange.handle`, which sends the answer.

    Attributes:
        code: `errorCode`.
        description: text for people.
        as_order_error: whether it travels as `ProtoOAOrderErrorEvent`, not as `ProtoOAErrorRes`.
        order_id: the order in question, or None.
        position_id: the position in question, or None.
    """

    def __init__(
        self,
        code: str,
        description: str,
        *,
        as_order_error: bool,
        order_id: int | None = None,
        position_id: int | None = None,
    ) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description
        self.as_order_error = as_order_error
        self.order_id = order_id
        self.position_id = position_id

    def message(self, account_id: int) -> Message:
        """The answer that says so."""
        if not self.as_order_error:
            return oa.ProtoOAErrorRes(ctidTraderAccountId=account_id, errorCode=self.code, description=self.description)
        error = oa.ProtoOAOrderErrorEvent(
            ctidTraderAccountId=account_id, errorCode=self.code, description=self.description
        )
        if self.order_id is not None:
            error.orderId = self.order_id
        if self.position_id is not None:
            error.positionId = self.position_id
        return error


def invalid(description: str, *, code: str = "INVALID_REQUEST") -> Denial:
    """A fault of the session, of the shape or of the digits: `ProtoOAErrorRes`."""
    return Denial(code, description, as_order_error=False)


def denied_order(code: str, description: str, *, order_id: int | None = None, position_id: int | None = None) -> Denial:
    """A refusal by the trading side: `ProtoOAOrderErrorEvent`."""
    return Denial(code, description, as_order_error=True, order_id=order_id, position_id=position_id)
