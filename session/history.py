"""What the server's lists have of a span of time, week by week and page by page (docs/protocol.md section 12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..wire import messages as oa

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .account import Account

__all__ = ["LONGEST_SPAN_MS", "cash_between", "deals_between", "last_deals_before", "orders_between"]

LONGEST_SPAN_MS: Final = 604_800_000  # a week, which servers of older releases allow at most


async def orders_between(account: Account, since_ms: int, until_ms: int) -> list[Any]:
    """All orders of a span, a `ProtoOAOrder` each.

    Args:
        account: whose.
        since_ms: its start, milliseconds since the epoch.
        until_ms: its end, likewise.

    Raises:
        RequestFailed: they could not be read.
    """
    found: list[Any] = []
    for start_ms, end_ms in _weeks(since_ms, until_ms):
        request = oa.ProtoOAOrderListReq(fromTimestamp=start_ms, toTimestamp=end_ms)
        found += (await account.ask(request)).order
    return found


async def deals_between(account: Account, since_ms: int, until_ms: int) -> list[Any]:
    """All deals of a span, a `ProtoOADeal` each.

    Args:
        account: whose.
        since_ms: its start, milliseconds since the epoch.
        until_ms: its end, likewise.

    Raises:
        RequestFailed: they could not be read.
    """
    found: dict[int, Any] = {}
    for start_ms, end_ms in _weeks(since_ms, until_ms):
        while True:  # newest first, `hasMore` tells of older ones
            answer = await account.ask(oa.ProtoOADealListReq(fromTimestamp=start_ms, toTimestamp=end_ms))
            new = {deal.dealId: deal for deal in answer.deal if deal.dealId not in found}
            found |= new
            if not (answer.hasMore and new):
                break
            end_ms = min(deal.executionTimestamp for deal in new.values())
    return list(found.values())


async def last_deals_before(account: Account, at_ms: int, *, since_ms: int) -> list[Any]:
    """The last deals before a moment, a `ProtoOADeal` each: back to one that closed something, if there is one.

    Args:
        account: whose.
        at_ms: milliseconds since the epoch.
        since_ms: likewise, a week earlier at most; what is older is not looked at.

    Raises:
        RequestFailed: they could not be read.
    """
    found: dict[int, Any] = {}
    while True:
        answer = await account.ask(oa.ProtoOADealListReq(fromTimestamp=since_ms, toTimestamp=at_ms))
        new = {deal.dealId: deal for deal in answer.deal if deal.dealId not in found}
        found |= new
        if not (answer.hasMore and new) or any(deal.HasField("closePositionDetail") for deal in new.values()):
            return list(found.values())
        at_ms = min(deal.executionTimestamp for deal in new.values())


async def cash_between(account: Account, since_ms: int, until_ms: int) -> list[Any]:
    """The deposits and withdrawals of a span of a week at most, a `ProtoOADepositWithdraw` each.

    Args:
        account: whose.
        since_ms: its start, milliseconds since the epoch.
        until_ms: its end, likewise.

    Raises:
        RequestFailed: they could not be read.
    """
    answer = await account.ask(oa.ProtoOACashFlowHistoryListReq(fromTimestamp=since_ms, toTimestamp=until_ms))
    return list(answer.depositWithdraw)


def _weeks(since_ms: int, until_ms: int) -> Iterator[tuple[int, int]]:
    for start_ms in range(since_ms, until_ms, LONGEST_SPAN_MS):
        yield start_ms, min(start_ms + LONGEST_SPAN_MS, until_ms)
