"""How the exchange says no: as an error response, or as an order error (docs/protocol.md section 10.4). Pure."""

from __future__ import annotations

from ..wire import messages as oa

__all__ = ["Refusal", "invalid", "refused_order"]


class Refusal(Exception):
    """A request is refused; nothing has changed.

    Attributes:
        code: `errorCode`.
        description: the text.
        about_order: whether `ProtoOAOrderErrorEvent` carries it, and not `ProtoOAErrorRes`.
        order_id: the order that it is about, or None.
        position_id: the position that it is about, or None.
    """

    def __init__(
        self,
        code: str,
        description: str,
        *,
        about_order: bool,
        order_id: int | None = None,
        position_id: int | None = None,
    ) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description
        self.about_order = about_order
        self.order_id = order_id
        self.position_id = position_id

    def message(self, account_id: int) -> oa.ProtoOAErrorRes | oa.ProtoOAOrderErrorEvent:
        """The message that says so."""
        if self.about_order:
            return oa.ProtoOAOrderErrorEvent(
                ctidTraderAccountId=account_id,
                errorCode=self.code,
                description=self.description,
                orderId=self.order_id,
                positionId=self.position_id,
            )
        return oa.ProtoOAErrorRes(ctidTraderAccountId=account_id, errorCode=self.code, description=self.description)


def invalid(description: str, *, code: str = "INVALID_REQUEST") -> Refusal:
    """A refusal that travels as `ProtoOAErrorRes`."""
    return Refusal(code, description, about_order=False)


def refused_order(
    code: str, description: str, *, order_id: int | None = None, position_id: int | None = None
) -> Refusal:
    """A refusal that travels as `ProtoOAOrderErrorEvent`."""
    return Refusal(code, description, about_order=True, order_id=order_id, position_id=position_id)
