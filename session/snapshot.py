"""What a snapshot of an account says: what is open, and what waits for its price. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .positions import PositionBook

__all__ = ["snapshot_of"]


def snapshot_of(
    book: PositionBook, *, account_id: int, name_of: Callable[[int], str], why: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Its lines: first one that counts the others, so that it shows where a crash has cut some of them off.

    Args:
        book: of the account.
        account_id: its id.
        name_of: a symbol's name, by its id.
        why: what the snapshot is made for.

    Yields:
        the fact of each line, and its fields. An order's own id is its `order_id`, a position's its `id`.
    """
    pending = book.pending_orders
    counts = {"open_positions": len(book.positions), "pending_orders": len(pending)}
    yield "position", {"account_id": account_id, "why": why, **counts}
    for position in book.positions:
        symbol = name_of(position.symbol_id)
        yield "position", {"account_id": account_id, "symbol": symbol, **position.described(), "why": why}
    for order in pending:
        said = {"order_id": order.id, **order.described(), "why": why}
        del said["id"]
        yield "order", {"account_id": account_id, "symbol": name_of(order.symbol_id), **said}
