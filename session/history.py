"""What the server's lists have of a span of time, week by week and page by page (docs/protocol.md section 12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..wire import messages as oa

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .account import Account

__all__ = ["cash_of_week", "deals_between", "last_deals_before", "orders_between"]

_LONGEST_SPAN_MS: Final = 604_800_000  # a week, which servers of older releases allow at most


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


async def last_deals_before(account: Account, at_ms: int) -> list[Any]:
    """The last deals before a moment, a `ProtoOADeal` each: as many as one answer has, of a week at most.

    Args:
        account: whose.
        at_ms: milliseconds since the epoch.

    Raises:
        RequestFailed: they could not be read.
    """
    request = oa.ProtoOADealListReq(fromTimestamp=at_ms - _LONGEST_SPAN_MS, toTimestamp=at_ms)
    return list((await account.ask(request)).deal)


async def cash_of_week(account: Account, until_ms: int) -> list[Any]:
    """The deposits and withdrawals of a week, a `ProtoOADepositWithdraw` each.

    Args:
        account: whose.
        until_ms: its end, milliseconds since the epoch.

    Raises:
        RequestFailed: they could not be read.
    """
    request = oa.ProtoOACashFlowHistoryListReq(fromTimestamp=until_ms - _LONGEST_SPAN_MS, toTimestamp=until_ms)
    return list((await account.ask(request)).depositWithdraw)


def _weeks(since_ms: int, until_ms: int) -> Iterator[tuple[int, int]]:
    for start_ms in range(since_ms, until_ms, _LONGEST_SPAN_MS):
        yield start_ms, min(start_ms + _LONGEST_SPAN_MS, until_ms)
