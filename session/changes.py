"""Changes to what the server already has: close a position, cancel an order, and the amendments."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

from ..wire import messages as oa
from . import fields
from .amendments import KEEP, Keep, OrderAmendment, PositionAmendment

if TYPE_CHECKING:
    from ..wire.units import ExactNumber
    from .holdings import Position
    from .symbols import NamedSymbol, Symbol

__all__ = ["KEEP", "Cancel", "Close", "Keep", "OrderAmendment", "PositionAmendment"]


@dataclass(frozen=True, slots=True)
class Cancel:
    """Take back a working order: `ProtoOACancelOrderReq`.

    Args:
        order_id: `orderId`.
    """

    order_id: int

    def __post_init__(self) -> None:
        fields.identifier("order_id", self.order_id)

    def to_request(self, *, account_id: int) -> oa.ProtoOACancelOrderReq:
        """Build the request."""
        return oa.ProtoOACancelOrderReq(
            ctidTraderAccountId=fields.identifier("account_id", account_id), orderId=self.order_id
        )

    def described(self) -> dict[str, str | int | bool]:
        """What was said, for a record."""
        return fields.described(self)


@dataclass(frozen=True, slots=True)
class Close:
    """Close a position, whole or in part: `ProtoOAClosePositionReq`.

    Args:
        position_id: `positionId`.
        lots: how much of it, in lots. At most one of the three sizes; none closes all of it.
        units: how much of it, in units of the base asset.
        volume_cents: how much of it, in hundredths of a unit.

    Raises:
        InvalidOrder: more than one size, or one that cannot be.
    """

    position_id: int
    _: KW_ONLY
    lots: ExactNumber | None = None
    units: ExactNumber | None = None
    volume_cents: ExactNumber | None = None

    def __post_init__(self) -> None:
        fields.identifier("position_id", self.position_id)
        fields.one_size(self._sizes(), optional=True)

    @property
    def needs_figures(self) -> bool:
        """Whether its size is in lots: what a lot is, only the symbol's figures tell."""
        return self.lots is not None

    def size_cents(self, position: Position, symbol: Symbol | NamedSymbol) -> int:
        """How much is closed, in hundredths of a unit.

        Raises:
            InvalidOrder: more than is open, or a part that is no size of the symbol.
        """
        fields.same_id("position_id", self.position_id, position.id)
        fields.same_symbol(position.symbol_id, symbol)
        if not position.is_open:
            raise fields.invalid("position_id", self.position_id, "nothing of it is open")
        sizes = {name: value for name, value in self._sizes().items() if value is not None}
        if not sizes:
            return position.volume_cents
        return fields.part_cents(sizes, symbol, whole_cents=position.volume_cents)

    def to_request(
        self, position: Position, symbol: Symbol | NamedSymbol, *, account_id: int
    ) -> oa.ProtoOAClosePositionReq:
        """Build the request.

        Args:
            position: what is open now.
            symbol: of that position.
            account_id: `ctidTraderAccountId`.

        Raises:
            InvalidOrder: as `size_cents`.
        """
        return oa.ProtoOAClosePositionReq(
            ctidTraderAccountId=fields.identifier("account_id", account_id),
            positionId=self.position_id,
            volume=self.size_cents(position, symbol),
        )

    def described(self) -> dict[str, str | int | bool]:
        """What was said, for a record."""
        return fields.described(self)

    def _sizes(self) -> dict[str, ExactNumber | None]:
        return {"lots": self.lots, "units": self.units, "volume_cents": self.volume_cents}
