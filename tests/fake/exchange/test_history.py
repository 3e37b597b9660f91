"""Bars, ticks, deals and orders of the past agree with what was pushed (docs/protocol.md sections 11 and 12)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from anyctrader.fake.exchange_settings import Delays
from anyctrader.fake.feed import Feed
from anyctrader.fake.paths import RecordedPath
from anyctrader.fake.variants import LongestBars, Variants, ZeroFrom
from anyctrader.wire import messages as oa

from .venue import EURUSD, GBPUSD, LIMIT, MICRO, T0, XAUUSD, Venue, calm, instant, only_quotes, words

P = oa.ProtoOATrendbarPeriod
HOUR_MS = 3_600_000
WEEK_MS = 604_800_000
CEILING_MS = 2_147_483_646_000


def bars(venue: Venue, period: int, symbol_id: int = EURUSD, **fields: Any) -> Any:
    return venue.answer(oa.ProtoOAGetTrendbarsReq, period=period, symbolId=symbol_id, **fields)


def prices(bar: Any) -> tuple[int, int, int, int]:
    """Open, high, low, close x 100,000."""
    return bar.low + bar.deltaOpen, bar.low + bar.deltaHigh, bar.low, bar.low + bar.deltaClose


def test_hourly_bars_are_the_recorded_ones() -> None:
    venue = Venue(hold=False)
    answer = bars(venue, P.H1, toTimestamp=T0 - HOUR_MS, count=100)
    path = RecordedPath()
    expected = [path.row(2_500 - 100 + place)[:4] for place in range(100)]
    assert [prices(bar) for bar in answer.trendbar] == expected


def test_past_bar_has_a_close_and_no_period() -> None:
    bar = bars(Venue(), P.M1, count=1, toTimestamp=T0).trendbar[0]
    assert bar.HasField("deltaClose")
    assert not bar.HasField("period")


def test_answer_of_bars_has_the_time_that_older_clients_cannot_do_without() -> None:
    assert bars(Venue(), P.M1, count=1, toTimestamp=T0 - 5).timestamp == T0 - 5
    assert bars(Venue(), P.M1, count=1).timestamp == T0


@pytest.mark.parametrize("symbol_id", [EURUSD, GBPUSD, XAUUSD])
def test_bars_of_minutes_are_those_of_the_quotes_that_there_were(symbol_id: int) -> None:
    venue = Venue(hold=False)
    venue.wait(10 * 60_000)
    heard: dict[int, list[int]] = {}
    for quote in only_quotes(venue.seen):
        if quote.symbol_id == symbol_id and quote.bid_changed:
            heard.setdefault(quote.at_ms // 60_000, []).append(quote.bid)
    answer = bars(venue, P.M1, symbol_id, fromTimestamp=T0, toTimestamp=venue.now_ms - 60_000)
    assert len(answer.trendbar) == 9
    for bar in answer.trendbar:
        bids = heard[bar.utcTimestampInMinutes]
        first, high, low, last = prices(bar)
        # The first tick of a minute may repeat the last bid, which is no change and so no quote.
        assert (max([first, *bids]), min([first, *bids]), bids[-1]) == (high, low, last)


def test_bars_are_those_of_the_ticks() -> None:
    venue = Venue(hold=False)
    venue.wait(90_000)
    venue.price(EURUSD, 120_000, 120_010)
    venue.wait(45_000)
    venue.price(EURUSD, 120_500, 120_510)
    venue.wait(45_000)
    venue.exchange.release_price(EURUSD, now_ms=venue.now_ms)
    venue.wait(90_000)
    ticks = {side: tick_data(venue, side, fromTimestamp=T0 - HOUR_MS, toTimestamp=venue.now_ms) for side in (1, 2)}
    answer = bars(venue, P.M1, fromTimestamp=T0 - HOUR_MS, toTimestamp=venue.now_ms)
    for bar in answer.trendbar:
        minute = bar.utcTimestampInMinutes
        bids = [price for at_ms, price in ticks[1] if at_ms // 60_000 == minute]
        asks = [price for at_ms, price in ticks[2] if at_ms // 60_000 == minute]
        if minute * 60_000 < T0 - HOUR_MS:
            continue
        assert prices(bar) == (bids[0], max(bids), min(bids), bids[-1])
        assert bar.volume == len(bids) + len(asks)
    assert 120_500 in [price for _, price in ticks[1]]


def tick_data(venue: Venue, side: int, **fields: Any) -> list[tuple[int, int]]:
    """All ticks of a window, oldest first, following `hasMore` as section 12 says."""
    found: list[tuple[int, int]] = []
    while True:
        res = venue.answer(oa.ProtoOAGetTickDataReq, symbolId=EURUSD, type=side, **fields)
        at_ms = price = 0
        for tick in res.tickData:
            at_ms, price = at_ms + tick.timestamp, price + tick.tick
            found.append((at_ms, price))
        if not res.hasMore:
            break
        fields["toTimestamp"] = found[-1][0] - 1
    assert found == sorted(found, key=lambda tick: tick[0], reverse=True)
    return found[::-1]


def test_ticks_come_newest_first_as_differences_in_pages() -> None:
    venue = Venue(hold=False, variants=Variants(tick_page=50))
    res = venue.answer(oa.ProtoOAGetTickDataReq, symbolId=EURUSD, type=1, fromTimestamp=T0 - 120_000, toTimestamp=T0)
    assert res.hasMore
    assert len(res.tickData) == 50
    assert res.tickData[0].timestamp > T0 - 60_000
    assert all(tick.timestamp < 0 for tick in res.tickData[1:])
    assert len(tick_data(venue, 1, fromTimestamp=T0 - 120_000, toTimestamp=T0)) > 100


@pytest.mark.parametrize("period", [P.M2, P.M5, P.M15, P.M30, P.H1, P.H4, P.H12, P.D1, P.W1])
def test_longer_bars_are_made_of_shorter_ones(period: int) -> None:
    venue = Venue(hold=False, variants=Variants(longest_bars=LongestBars.NONE))
    below = P.M1 if period <= P.H1 else P.H1
    to_ms = T0 - 3 * HOUR_MS
    long = bars(venue, period, toTimestamp=to_ms, count=3).trendbar
    start = long[0].utcTimestampInMinutes
    short = bars(venue, below, fromTimestamp=start * 60_000, toTimestamp=to_ms).trendbar
    for bar, following in pairwise(long):
        inside = [
            one
            for one in short
            if bar.utcTimestampInMinutes <= one.utcTimestampInMinutes < following.utcTimestampInMinutes
        ]
        first, high, low, last = prices(bar)
        assert first == prices(inside[0])[0]
        assert last == prices(inside[-1])[3]
        assert high == max(prices(one)[1] for one in inside)
        assert low == min(prices(one)[2] for one in inside)
        assert bar.volume == sum(one.volume for one in inside)


def test_count_keeps_the_newest_and_says_that_older_ones_are_missing() -> None:
    venue = Venue()
    window = {"fromTimestamp": T0 - 100 * HOUR_MS, "toTimestamp": T0}
    everything = bars(venue, P.H1, **window)
    assert not everything.hasMore
    cut = bars(venue, P.H1, count=10, **window)
    assert cut.hasMore
    assert list(cut.trendbar) == list(everything.trendbar)[-10:]
    minutes = [bar.utcTimestampInMinutes for bar in everything.trendbar]
    assert minutes == sorted(minutes)


def test_running_bar_is_included_and_a_window_may_end_in_the_future() -> None:
    venue = Venue(hold=False)
    venue.wait(30_000)
    answer = bars(venue, P.H1, fromTimestamp=T0 - HOUR_MS, toTimestamp=T0 + 10 * HOUR_MS)
    running = answer.trendbar[-1]
    assert running.utcTimestampInMinutes == T0 // HOUR_MS * 60
    assert prices(running)[3] == venue.quote(EURUSD).bid


def test_page_of_bars_is_14_000_and_a_setting() -> None:
    venue = Venue(variants=Variants(bar_page=4_000, longest_bars=LongestBars.NONE))
    answer = bars(venue, P.M1, fromTimestamp=T0 - 100 * HOUR_MS, toTimestamp=T0)
    assert len(answer.trendbar) == 4_000
    assert answer.hasMore
    assert Variants().bar_page == 14_000


def test_has_more_of_bars_can_be_left_out() -> None:
    answer = bars(Venue(variants=Variants(bars_have_more=False)), P.H1, toTimestamp=T0, count=5)
    assert not answer.HasField("hasMore")


@pytest.mark.parametrize(
    ("period", "longest_ms"),
    [
        (P.M1, 3_024_000_000),
        (P.M5, 3_024_000_000),
        (P.H1, 21_168_000_000),
        (P.D1, 31_622_400_000),
        (P.W1, 158_112_000_000),
    ],
)
def test_window_of_bars_is_limited_by_period(period: int, longest_ms: int) -> None:
    venue = Venue(variants=Variants(bar_page=1))
    fine = bars(venue, period, fromTimestamp=T0 - longest_ms, toTimestamp=T0)
    assert type(fine) is oa.ProtoOAGetTrendbarsRes
    refused = bars(venue, period, fromTimestamp=T0 - longest_ms - 1, toTimestamp=T0)
    assert refused.errorCode == "INCORRECT_BOUNDARIES"
    assert refused.description == (
        "Incorrect period boundaries or requested period is longer than allowed "
        f"{longest_ms} ({longest_ms // 86_400_000}d)."
    )


@pytest.mark.parametrize("variant", [LongestBars.AS_MISPRINTED, LongestBars.NONE])
def test_limit_of_the_first_row_is_a_setting(variant: LongestBars) -> None:
    venue = Venue(variants=Variants(longest_bars=variant, bar_page=1))
    answer = bars(venue, P.M1, fromTimestamp=T0 - 302_400_001, toTimestamp=T0)
    assert (type(answer) is oa.ProtoOAErrorRes) is (variant is LongestBars.AS_MISPRINTED)


@pytest.mark.parametrize(
    "window", [(T0, T0), (T0, T0 - 1), (-1, T0), (T0, CEILING_MS + 1)], ids=["equal", "turned", "negative", "beyond"]
)
def test_window_that_makes_no_sense_is_refused(window: tuple[int, int]) -> None:
    venue = Venue()
    bounds = {"fromTimestamp": window[0], "toTimestamp": window[1]}
    for answer in (
        bars(venue, P.M1, **bounds),
        venue.answer(oa.ProtoOAGetTickDataReq, symbolId=EURUSD, type=1, **bounds),
        venue.answer(oa.ProtoOADealListReq, **bounds),
        venue.answer(oa.ProtoOAOrderListReq, **bounds),
        venue.answer(oa.ProtoOACashFlowHistoryListReq, **bounds),
    ):
        assert answer.errorCode == "INCORRECT_BOUNDARIES"


def test_weekly_limits_of_ticks_and_cash_flow() -> None:
    venue = Venue()
    bounds = {"fromTimestamp": T0 - WEEK_MS - 1, "toTimestamp": T0}
    assert venue.answer(oa.ProtoOAGetTickDataReq, symbolId=EURUSD, type=1, **bounds).errorCode == "INCORRECT_BOUNDARIES"
    assert venue.answer(oa.ProtoOACashFlowHistoryListReq, **bounds).errorCode == "INCORRECT_BOUNDARIES"


@pytest.mark.parametrize(
    ("cls", "fields", "code"),
    [
        (oa.ProtoOAGetTrendbarsReq, {"symbolId": 7, "period": 1}, "UNKNOWN_SYMBOL"),
        (oa.ProtoOAGetTrendbarsReq, {"symbolId": EURUSD, "period": 99}, "INVALID_REQUEST"),
        (oa.ProtoOAGetTickDataReq, {"symbolId": 7, "type": 1}, "UNKNOWN_SYMBOL"),
        (oa.ProtoOAGetTickDataReq, {"symbolId": EURUSD, "type": 7}, "INVALID_REQUEST"),
        (oa.ProtoOADealListReq, {"maxRows": 0}, "INVALID_REQUEST"),
    ],
)
def test_unknown_things_are_refused(cls: type[Any], fields: dict[str, Any], code: str) -> None:
    assert Venue().answer(cls, **fields).errorCode == code


def test_deals_come_newest_first_in_pages_and_equal_those_that_were_pushed() -> None:
    venue = Venue(**instant())
    pushed = []
    for _ in range(7):
        pushed += [push.message.deal for push in venue.place() if push.message.HasField("deal")]
        venue.wait(10)
    for deal in pushed:
        deal.utcLastUpdateTimestamp = deal.createTimestamp  # in lists it is the time of creation
    everything = venue.answer(oa.ProtoOADealListReq)
    assert list(everything.deal) == pushed[::-1]
    assert not everything.hasMore
    collected: dict[int, Any] = {}
    to_ms = venue.now_ms
    while True:
        page = venue.answer(oa.ProtoOADealListReq, fromTimestamp=T0 - 1, toTimestamp=to_ms, maxRows=3)
        collected |= {deal.dealId: deal for deal in page.deal}
        if not page.hasMore:
            break
        to_ms = page.deal[-1].executionTimestamp
    assert list(collected.values()) == pushed[::-1]


def test_deal_list_keeps_to_its_window() -> None:
    venue = Venue(**instant())
    for _ in range(5):
        venue.place()
        venue.wait(10)
    page = venue.answer(oa.ProtoOADealListReq, fromTimestamp=T0 + 10, toTimestamp=T0 + 30)
    assert [deal.executionTimestamp for deal in page.deal] == [T0 + 30, T0 + 20, T0 + 10]


def test_lists_by_position_and_details_show_that_ones_alone() -> None:
    venue = Venue(**instant())
    first = venue.place(relativeStopLoss=300)[1].message
    second = venue.place()[1].message
    venue.wait(5)
    venue.close(first.position.positionId, MICRO)
    deals = venue.answer(oa.ProtoOADealListByPositionIdReq, positionId=first.position.positionId)
    assert [deal.positionId for deal in deals.deal] == [first.position.positionId] * 2
    orders = venue.answer(oa.ProtoOAOrderListByPositionIdReq, positionId=first.position.positionId)
    assert {order.positionId for order in orders.order} == {first.position.positionId}
    assert len(orders.order) == 3
    details = venue.answer(oa.ProtoOAOrderDetailsReq, orderId=second.order.orderId)
    assert details.order.orderId == second.order.orderId
    assert [deal.dealId for deal in details.deal] == [second.deal.dealId]
    assert not venue.answer(oa.ProtoOADealListByPositionIdReq, positionId=1).deal


def test_from_zero_in_lists_by_position_is_a_setting() -> None:
    fields = {"positionId": 1, "fromTimestamp": 0}
    for cls in (oa.ProtoOADealListByPositionIdReq, oa.ProtoOAOrderListByPositionIdReq):
        assert not isinstance(Venue().answer(cls, **fields), oa.ProtoOAErrorRes)
        refused = Venue(variants=Variants(zero_from=ZeroFrom.REFUSED)).answer(cls, **fields)
        assert refused.errorCode == "INCORRECT_BOUNDARIES"


def test_longest_window_of_lists_is_a_setting() -> None:
    bounds = {"fromTimestamp": 0, "toTimestamp": T0}
    assert not isinstance(Venue().answer(oa.ProtoOAOrderListReq, **bounds), oa.ProtoOAErrorRes)
    venue = Venue(variants=Variants(longest_lists_ms=WEEK_MS))
    assert venue.answer(oa.ProtoOAOrderListReq, **bounds).errorCode == "INCORRECT_BOUNDARIES"


def test_closing_orders_in_lists_show_the_levels_that_their_event_does_not() -> None:
    venue = Venue(**instant())
    opened = venue.place(relativeStopLoss=300)[-1].message
    venue.wait(5)
    filled = venue.close(opened.position.positionId, MICRO)[1].message
    assert not filled.order.HasField("stopLoss")
    details = venue.answer(oa.ProtoOAOrderDetailsReq, orderId=filled.order.orderId)
    assert details.order.stopLoss == opened.position.stopLoss


def test_history_lags_when_told_to() -> None:
    venue = Venue(delays=Delays(history_lag_ms=500))
    venue.open()
    assert len(venue.answer(oa.ProtoOADealListReq).deal) == 1
    venue.place()
    venue.wait(135)
    assert len(venue.answer(oa.ProtoOADealListReq).deal) == 1
    venue.wait(500)
    assert len(venue.answer(oa.ProtoOADealListReq).deal) == 2


def test_cash_flow_lists_deposits_and_an_empty_week_is_an_empty_message() -> None:
    venue = Venue()
    venue.wait(10)
    venue.exchange.deposit(venue.account, amount=500, now_ms=venue.now_ms)
    res = venue.answer(oa.ProtoOACashFlowHistoryListReq, fromTimestamp=T0, toTimestamp=T0 + 10)
    assert [(flow.delta, flow.balance) for flow in res.depositWithdraw] == [(1_000_000, 1_000_000), (500, 1_000_500)]
    empty = venue.answer(oa.ProtoOACashFlowHistoryListReq, fromTimestamp=1, toTimestamp=2)
    assert not empty.depositWithdraw


def test_offsets_tell_which_deals_closed_which() -> None:
    venue = Venue(**instant())
    opening = venue.place(volume=3 * MICRO)[1].message
    closings = [venue.close(opening.position.positionId, volume)[1].message for volume in (MICRO, 2 * MICRO)]
    res = venue.answer(oa.ProtoOADealOffsetListReq, dealId=opening.deal.dealId)
    assert [(one.dealId, one.volume) for one in res.offsetBy] == [
        (closings[0].deal.dealId, MICRO),
        (closings[1].deal.dealId, 2 * MICRO),
    ]
    back = venue.answer(oa.ProtoOADealOffsetListReq, dealId=closings[1].deal.dealId)
    assert [(one.dealId, one.volume, one.executionPrice) for one in back.offsetting] == [
        (opening.deal.dealId, 2 * MICRO, opening.deal.executionPrice)
    ]
    assert venue.answer(oa.ProtoOADealOffsetListReq, dealId=1).errorCode == "ENTITY_NOT_FOUND"


def test_live_bar_has_its_period_and_no_close_and_grows_with_the_ticks() -> None:
    venue = Venue(hold=False)
    before = venue.exchange.live_bar(EURUSD, P.M5)
    venue.wait(20_000)
    after = venue.exchange.live_bar(EURUSD, P.M5)
    assert before is not None
    assert after is not None
    assert after.period == P.M5
    assert not after.HasField("deltaClose")
    assert after.volume > before.volume
    past = bars(venue, P.M5, toTimestamp=venue.now_ms, count=1).trendbar[0]
    assert (past.low, past.deltaOpen, past.deltaHigh, past.volume, past.utcTimestampInMinutes) == (
        after.low,
        after.deltaOpen,
        after.deltaHigh,
        after.volume,
        after.utcTimestampInMinutes,
    )


def test_live_bar_is_born_with_its_first_bid() -> None:
    venue = Venue()
    venue.exchange.live_bar(EURUSD, P.M1)
    venue.wait(60_000)
    assert venue.exchange.live_bar(EURUSD, P.M1) is None
    venue.price(EURUSD, 110_000, 110_020)
    assert venue.exchange.live_bar(EURUSD, P.M1) is None, "an ask alone makes no bar"
    venue.price(EURUSD, 110_001, 110_020)
    bar = venue.exchange.live_bar(EURUSD, P.M1)
    assert bar is not None
    assert (bar.volume, bar.low, bar.deltaOpen, bar.deltaHigh) == (1, 110_001, 0, 0)


def test_session_close_is_the_close_of_the_day_before() -> None:
    venue = Venue()
    yesterday = bars(venue, P.D1, toTimestamp=T0, count=2).trendbar[0]
    assert venue.exchange.session_close(EURUSD) == prices(yesterday)[3]


def test_history_begins_somewhere() -> None:
    venue = Venue(market=calm(history_days=3), variants=Variants(longest_bars=LongestBars.NONE))
    answer = bars(venue, P.H1, toTimestamp=T0)
    assert not answer.hasMore
    assert 72 <= len(answer.trendbar) <= 97


def test_reconcile_of_an_empty_account_is_its_id_alone() -> None:
    assert Venue().reconcile() == oa.ProtoOAReconcileRes(ctidTraderAccountId=1_000_001)


def test_reconcile_lists_protective_orders_only_when_asked_and_partly_filled_ones_always() -> None:
    venue = Venue(**instant())
    venue.place(relativeStopLoss=300)
    (placed,) = venue.place(LIMIT, limitPrice=1.0)
    assert [order.orderId for order in venue.reconcile(protective=False).order] == [placed.message.order.orderId]
    assert len(venue.reconcile().order) == 2
    assert venue.reconcile(protective=False).position[0].stopLoss > 0
    assert words(venue.wait()) == []


@pytest.mark.parametrize("period", [P.M30, P.H4, P.W1, P.MN1])
def test_bars_that_are_over_are_made_once(period: int, monkeypatch: pytest.MonkeyPatch) -> None:
    venue = Venue(hold=False)
    window = {"toTimestamp": T0 - 40 * 24 * HOUR_MS, "count": 5}
    first = bars(venue, period, **window)
    with monkeypatch.context() as patched:
        for name in ("row_bar", "part_bar", "minute_bar"):
            patched.setattr(Feed, name, lambda *_: pytest.fail("it was made again"))
        assert bars(venue, period, **window) == first
    assert len(first.trendbar) == 5
