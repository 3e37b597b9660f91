"""Answers about past prices: bars and ticks, and the bars that are running (docs/protocol.md sections 11 and 12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import messages as oa
from . import periods
from .denials import invalid
from .statements import CEILING_MS, WEEK_MS, incorrect_boundaries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .accounts import Account
    from .feed import Bar
    from .floor import Floor
    from .tape import Tape

__all__ = ["Charts"]


class Charts:
    """Reads tapes.

    Args:
        floor: where.
    """

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def _tape(self, symbol_id: int) -> Tape:
        tape = self._floor.market.tapes.get(symbol_id)
        if tape is None:
            raise invalid(f"Unknown symbol with id {symbol_id}", code="UNKNOWN_SYMBOL")
        return tape

    def bars(self, account: Account, req: oa.ProtoOAGetTrendbarsReq) -> oa.ProtoOAGetTrendbarsRes:
        """Bars that begin within the bounds, both included, the running one among them; ascending.

        `count` keeps the newest before `toTimestamp`; so does the page.

        Raises:
            Denial: UNKNOWN_SYMBOL, INCORRECT_BOUNDARIES, or a period that there is not.
        """
        floor, variants = self._floor, self._floor.settings.variants
        tape = self._tape(req.symbolId)
        if req.period not in periods.PERIODS:
            raise invalid(f"Period {req.period} is unknown")
        to_ms = req.toTimestamp if req.HasField("toTimestamp") else floor.now_ms
        from_ms = req.fromTimestamp if req.HasField("fromTimestamp") else 0
        # Each period's limit scales with that of M1 to M5, whose figure the schema once misprinted.
        unit_ms = variants.longest_bars.value
        longest_ms = periods.LONGEST_MS[req.period] * unit_ms // periods.LONGEST_MS[1]
        if req.period > oa.ProtoOATrendbarPeriod.M5 and unit_ms:
            longest_ms = periods.LONGEST_MS[req.period]
        if not 0 <= from_ms < to_ms <= CEILING_MS:
            raise incorrect_boundaries(longest_ms or periods.LONGEST_MS[req.period])
        if longest_ms and req.HasField("fromTimestamp") and to_ms - from_ms > longest_ms:
            raise incorrect_boundaries(longest_ms)
        page = variants.bar_page
        if req.HasField("count"):
            page = min(page, req.count) if req.count else page
        rows: list[oa.ProtoOATrendbar] = []
        cut = False
        for start_ms, bar in self._back(tape, req.period, from_ms, to_ms):
            if len(rows) == page:
                cut = True
                break
            rows.append(_past_bar(start_ms, bar))
        rows.reverse()
        res = oa.ProtoOAGetTrendbarsRes(
            ctidTraderAccountId=account.account_id,
            period=req.period,
            symbolId=req.symbolId,
            trendbar=rows,
            # Deprecated (docs/protocol.md section 12), but clients with a schema of before cannot read an answer
            # without it: there it is required.
            timestamp=to_ms,
        )
        if variants.bars_have_more:
            res.hasMore = cut
        return res

    def _back(self, tape: Tape, period: int, from_ms: int, to_ms: int) -> Iterator[tuple[int, Bar]]:
        """The bars of a window, newest first."""
        now_ms = self._floor.now_ms
        start_ms = periods.start_of(period, min(to_ms, now_ms))
        while start_ms >= from_ms and start_ms >= tape.first_ms:
            bar = tape.past_bar(period, start_ms, now_ms=now_ms)
            if bar is not None:
                yield start_ms, bar
            start_ms = periods.start_of(period, start_ms - 1)

    def ticks(self, account: Account, req: oa.ProtoOAGetTickDataReq) -> oa.ProtoOAGetTickDataRes:
        """Ticks of one side within the bounds, newest first; all but the first are differences to the one before.

        Raises:
            Denial: UNKNOWN_SYMBOL, INCORRECT_BOUNDARIES, or a side that there is not.
        """
        floor = self._floor
        tape = self._tape(req.symbolId)
        if req.type not in (1, 2):
            raise invalid(f"Quote type {req.type} is unknown")
        to_ms = req.toTimestamp if req.HasField("toTimestamp") else floor.now_ms
        from_ms = req.fromTimestamp if req.HasField("fromTimestamp") else max(0, to_ms - WEEK_MS)
        if not 0 <= from_ms < to_ms <= CEILING_MS or to_ms - from_ms > WEEK_MS:
            raise incorrect_boundaries(WEEK_MS)
        page = floor.settings.variants.tick_page
        side = int(req.type)
        res = oa.ProtoOAGetTickDataRes(ctidTraderAccountId=account.account_id, hasMore=False)
        last_ms = last = 0
        for tick in tape.ticks_back(min(to_ms, floor.now_ms)):
            if tick[0] < max(from_ms, tape.first_ms):
                break
            price = tick[side]
            if price is None:
                continue
            if len(res.tickData) == page:
                res.hasMore = True
                break
            res.tickData.add(timestamp=tick[0] - last_ms, tick=price - last)
            last_ms, last = tick[0], price
        return res

    def live_bar(self, symbol_id: int, period: int) -> oa.ProtoOATrendbar | None:
        """The running bar as spot events carry it: with its period, without `deltaClose`. None before its first bid."""
        running = self._tape(symbol_id).running(period, now_ms=self._floor.now_ms)
        if running.bar is None or running.end_ms <= self._floor.now_ms:
            return None
        first, high, low, _, volume = running.bar
        return oa.ProtoOATrendbar(
            volume=volume,
            period=period,
            low=low,
            deltaOpen=first - low,
            deltaHigh=high - low,
            utcTimestampInMinutes=running.start_ms // periods.MINUTE_MS,
        )


def _past_bar(start_ms: int, bar: Bar) -> oa.ProtoOATrendbar:
    first, high, low, last, volume = bar
    return oa.ProtoOATrendbar(
        volume=volume,
        low=low,
        deltaOpen=first - low,
        deltaClose=last - low,
        deltaHigh=high - low,
        utcTimestampInMinutes=start_ms // periods.MINUTE_MS,
    )
