"""What the server's lists have of a span of time, week by week and page by page (docs/protocol.md section 12).

Both lists are cut, newest first, and `hasMore` tells of older rows: the next page ends where this one began, and what
comes twice counts once. A page that is full of rows of one millisecond hides the rest of them behind itself, for no
request names less than a millisecond: those are found by other ways, or the list is not taken for whole.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ..wire import messages as oa
from .errors import RequestFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from .account import Account

__all__ = [
    "HISTORY_LAG_S",
    "LONGEST_SPAN_MS",
    "ListIncomplete",
    "cash_between",
    "deals_between",
    "last_deals_before",
    "orders_between",
]

HISTORY_LAG_S: Final = 60.0
"""What is so old is in the lists. They lag by moments (docs/protocol.md section 12), nobody says how many."""

LONGEST_SPAN_MS: Final = 604_800_000  # a week, which servers of older releases allow at most
_MOST_ROWS: Final = 10_000  # asked for where a page is too short: ten of the largest that are known (section 18)


class ListIncomplete(RequestFailed):
    """The server shows a part of a list, and no way to the rest of it: what is not in it may be there all the same.

    A page that is just full of the rows of one millisecond is no such part, as a rule. It counts as one where rows of
    the millisecond before and of the one behind it are there as well: `hasMore` may then mean either.
    """


async def orders_between(account: Account, since_ms: int, until_ms: int) -> list[Any]:
    """All orders of a span, a `ProtoOAOrder` each.

    Args:
        account: whose.
        since_ms: its start, milliseconds since the epoch.
        until_ms: its end, likewise.

    Raises:
        RequestFailed: they could not be read; `ListIncomplete` where not all of them could.
    """
    found: dict[int, Any] = {}

    async def page(start_ms: int, end_ms: int) -> tuple[list[int], bool]:
        answer = await account.ask(oa.ProtoOAOrderListReq(fromTimestamp=start_ms, toTimestamp=end_ms))
        found.update((order.orderId, order) for order in answer.order)
        return [_changed_ms(order) for order in answer.order], answer.hasMore

    async def rest(at_ms: int) -> None:
        if not await _shows_all(page, at_ms):
            raise ListIncomplete(f"the server lists more orders of the millisecond {at_ms} than it gives in one answer")

    for start_ms, end_ms in _weeks(since_ms, until_ms):
        await _pages(page, rest, start_ms, end_ms)
    return list(found.values())


async def deals_between(account: Account, since_ms: int, until_ms: int) -> list[Any]:
    """All deals of a span, a `ProtoOADeal` each.

    Args:
        account: whose.
        since_ms: its start, milliseconds since the epoch.
        until_ms: its end, likewise.

    Raises:
        RequestFailed: they could not be read; `ListIncomplete` where not all of them could.
    """
    found: dict[int, Any] = {}

    async def page(start_ms: int, end_ms: int, most: int | None = None) -> tuple[list[int], bool]:
        request = oa.ProtoOADealListReq(fromTimestamp=start_ms, toTimestamp=end_ms, maxRows=most)
        answer = await account.ask(request)
        found.update((deal.dealId, deal) for deal in answer.deal)
        return [deal.executionTimestamp for deal in answer.deal], answer.hasMore

    async def rest(at_ms: int) -> None:
        if await _shows_all(partial(page, most=_MOST_ROWS), at_ms):
            return
        # The last change of an order is no earlier than its fills, and its details have all of them.
        for order in await orders_between(account, at_ms - 1, until_ms):
            known_cents = sum(deal.filledVolume for deal in found.values() if deal.orderId == order.orderId)
            if order.executedVolume > known_cents:
                details = await account.ask(oa.ProtoOAOrderDetailsReq(orderId=order.orderId))
                of_span = (deal for deal in details.deal if since_ms <= deal.executionTimestamp <= until_ms)
                found.update((deal.dealId, deal) for deal in of_span)

    for start_ms, end_ms in _weeks(since_ms, until_ms):
        await _pages(page, rest, start_ms, end_ms)
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


async def _pages(
    page: Callable[[int, int], Awaitable[tuple[list[int], bool]]],
    rest: Callable[[int], Awaitable[None]],
    start_ms: int,
    end_ms: int,
) -> None:
    """Reads a span from its end to its start.

    Args:
        page: reads what a span shows; gives the times of its rows, and whether there are older ones.
        rest: reads what a page hides of its last millisecond, which it is full of.
        start_ms: of the span.
        end_ms: likewise; both belong to it.
    """
    while end_ms >= start_ms:
        times, has_more = await page(min(start_ms, end_ms - 1), end_ms)  # equal bounds are refused
        if not (has_more and times):
            return
        if _hides_more(times, has_more, end_ms):
            await rest(end_ms)
            end_ms -= 1
        else:
            end_ms = min(times)


async def _shows_all(page: Callable[[int, int], Awaitable[tuple[list[int], bool]]], at_ms: int) -> bool:
    """Whether all rows of a millisecond are shown, one of which there is. Equal bounds are refused.

    So it is asked for with the one before it, and where that has rows too, with the one behind it. A server that leaves
    the first millisecond of a span out shows none of them then, which proves nothing.
    """
    if not _hides_more(*await page(at_ms - 1, at_ms), at_ms):
        return True
    times, has_more = await page(at_ms, at_ms + 1)
    return at_ms in times and not has_more


def _hides_more(times: list[int], has_more: bool, at_ms: int) -> bool:
    """Whether there may be more of this millisecond, the last one of the span: no older row is shown."""
    return has_more and min(times, default=at_ms) >= at_ms


def _changed_ms(order: Any) -> int:
    changed_ms: int = order.utcLastUpdateTimestamp or order.tradeData.openTimestamp
    return changed_ms


def _weeks(since_ms: int, until_ms: int) -> Iterator[tuple[int, int]]:
    for start_ms in range(since_ms, until_ms, LONGEST_SPAN_MS):
        yield start_ms, min(start_ms + LONGEST_SPAN_MS, until_ms)
