"""What the server's lists have of a span of time, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..wire import messages as oa

if TYPE_CHECKING:
    from .account import Account

__all__ = ["deals_between"]


async def deals_between(account: Account, since_ms: int, until_ms: int) -> list[Any]:
    """All deals of a span, a `ProtoOADeal` each: newest first, `hasMore` tells of older ones (section 12).

    Args:
        account: whose.
        since_ms: its start, milliseconds since the epoch.
        until_ms: its end, likewise; a week later at most.

    Raises:
        RequestFailed: they could not be read.
    """
    found: dict[int, Any] = {}
    while True:
        answer = await account.request(oa.ProtoOADealListReq(fromTimestamp=since_ms, toTimestamp=until_ms))
        new = {deal.dealId: deal for deal in answer.deal if deal.dealId not in found}
        found |= new
        if not (answer.hasMore and new):
            return list(found.values())
        until_ms = min(deal.executionTimestamp for deal in new.values())
