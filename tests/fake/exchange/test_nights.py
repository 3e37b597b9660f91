"""Swaps, closed markets and holidays (docs/protocol.md sections 8 and 9; defaults of section 19)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from anyctrader.fake.exchange_settings import ExchangeSettings
from anyctrader.fake.listing import SYMBOLS
from anyctrader.fake.schedule import Schedule
from anyctrader.fake.symbols import Holiday
from anyctrader.fake.variants import Carrier, Variants
from anyctrader.wire import messages as oa

from .venue import (
    BTCUSD,
    BUY,
    EURUSD,
    LIMIT,
    MARKET,
    MICRO,
    SELL,
    US500,
    Venue,
    calm,
    one_account,
    only,
    only_quotes,
    words,
)

DAY_MS = 86_400_000
HOUR_MS = 3_600_000


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def go(venue: Venue, text: str) -> list[str]:
    return words(venue.wait(at(text) - venue.now_ms))


def test_swap_is_booked_at_its_time_for_each_position_without_an_order() -> None:
    venue = Venue(market=calm(), symbols=only(EURUSD))  # Monday
    venue.open(BUY, 10 * MICRO)
    venue.open(SELL, 10 * MICRO)
    assert go(venue, "2026-09-21T20:59:59") == []
    pushes = venue.wait(1_000)
    assert words(pushes) == ["SWAP(t)"] * 2
    long, short = (push.message for push in pushes)
    assert not long.HasField("order")
    assert not long.HasField("deal")
    assert (long.position.swap, short.position.swap) == (-690, 240)  # -6.9 and 2.4 pips of 10,000 EUR
    assert [position.swap for position in venue.reconcile().position] == [-690, 240]


def test_swap_counts_three_times_on_its_day_and_not_at_weekends() -> None:
    venue = Venue(market=calm(), symbols=only(EURUSD))
    venue.open(BUY, 10 * MICRO)
    booked = []
    for day in range(21, 28):
        go(venue, f"2026-09-{day}T22:00:00")
        booked.append(venue.reconcile().position[0].swap)
    assert booked == [-690, -1380, -3450, -4140, -4830, -4830, -4830]


def test_swap_in_percent_is_a_share_of_the_value() -> None:
    venue = Venue(market=calm(), symbols=only(EURUSD, US500))
    venue.price(US500, 500_000_000, 500_050_000)
    venue.open(BUY, 100, symbolId=US500)
    go(venue, "2026-09-21T21:00:00")
    # 6.5 % of 5,000 USD a year of 360 days; rounded up
    assert venue.reconcile().position[0].swap == -91


def test_swap_leaves_with_the_volume_and_reaches_the_balance() -> None:
    venue = Venue(market=calm(), symbols=only(EURUSD))
    opened = venue.open(BUY, 10 * MICRO)
    go(venue, "2026-09-21T21:00:00")
    venue.close(opened.position.positionId, 3 * MICRO)
    (filled,) = venue.wait()
    assert filled.message.deal.closePositionDetail.swap == -207
    assert filled.message.position.swap == -483


def test_swap_free_account_pays_none() -> None:
    venue = Venue(market=calm(), symbols=only(EURUSD), accounts=one_account(swap_free=True))
    venue.open()
    assert words(venue.wait(3 * DAY_MS)) == []


def test_schedule_is_read_in_its_time_zone() -> None:
    schedule = Schedule(SYMBOLS[0])
    # Monday 00:05 in Moscow is Sunday 21:05 UTC; a break of ten minutes around midnight there.
    assert not schedule.is_open(at("2026-09-20T21:04:59"))
    assert schedule.is_open(at("2026-09-20T21:05:00"))
    assert schedule.is_open(at("2026-09-21T20:54:59"))
    assert not schedule.is_open(at("2026-09-21T20:55:00"))
    assert not schedule.is_open(at("2026-09-25T20:55:00"))
    assert schedule.opens_ms(at("2026-09-25T20:55:30")) == at("2026-09-27T21:05:00")
    assert schedule.opens_ms(at("2026-09-25T10:00:30")) == at("2026-09-25T10:00:30")


@pytest.mark.parametrize("recurring", [False, True])
def test_holiday_closes_the_market(recurring: bool) -> None:
    first = at("2026-12-25T00:00:00") // DAY_MS
    holiday = Holiday(1, "Christmas", first, recurring=recurring, end_s=12 * 3600)
    schedule = Schedule(replace(SYMBOLS[0], holidays=(holiday,)))
    assert not schedule.is_open(at("2026-12-25T08:00:00"))
    assert schedule.is_open(at("2026-12-25T09:00:00")), "noon in Moscow"
    assert schedule.is_open(at("2026-12-24T08:00:00"))
    assert schedule.is_open(at("2028-12-25T08:00:00")) is not recurring


def weekend(**settings: object) -> Venue:
    """On Saturday, with markets that close; one position is open."""
    venue = Venue(
        market=calm(schedules=True),
        symbols=only(EURUSD, BTCUSD),
        hold=False,
        now_ms=at("2026-09-25T18:00:00"),
        **settings,
    )
    venue.open()
    venue.wait(at("2026-09-26T12:00:00") - venue.now_ms)
    return venue


def test_closed_market_has_no_quotes_and_refuses_what_needs_one() -> None:
    venue = weekend()
    venue.seen.clear()
    assert words(venue.place()) == ["MARKET_CLOSED"]
    position = venue.reconcile().position[0]
    (push,) = venue.close(position.positionId, MICRO)
    assert push.message.errorCode == "MARKET_CLOSED"
    venue.wait(3 * HOUR_MS)
    assert {quote.symbol_id for quote in only_quotes(venue.seen)} == {BTCUSD}, "Bitcoin trades day and night"
    assert venue.exchange.quote(EURUSD) is not None
    (placed,) = venue.place(LIMIT, limitPrice=0.5)
    assert words([placed]) == ["ACCEPTED(f)"]


def test_holiday_has_a_code_of_its_own() -> None:
    monday = at("2026-09-21T00:00:00") // DAY_MS
    symbols = (replace(SYMBOLS[0], holidays=(Holiday(1, "A day off", monday),)),)
    venue = Venue(market=calm(schedules=True), symbols=symbols, hold=False)
    assert words(venue.place()) == ["SYMBOL_HAS_HOLIDAY"]


def test_market_closed_may_be_a_rejected_event() -> None:
    venue = weekend(variants=Variants(market_closed=Carrier.REJECTED))
    assert words(venue.place()) == ["ACCEPTED(f)"]
    (rejected,) = venue.wait()
    assert rejected.message.errorCode == "MARKET_CLOSED"


def test_order_for_the_opening_waits_for_it() -> None:
    venue = weekend()
    assert words(venue.place(MARKET, timeInForce=5)) == ["ACCEPTED(f)"]
    assert go(venue, "2026-09-27T21:04:00") == []
    assert "FILLED(f)" in go(venue, "2026-09-27T21:06:00")


def test_closed_hours_have_no_bars() -> None:
    venue = weekend()
    res = venue.answer(
        oa.ProtoOAGetTrendbarsReq,
        symbolId=EURUSD,
        period=9,
        fromTimestamp=at("2026-09-25T18:00:00"),
        toTimestamp=at("2026-09-26T12:00:00"),
    )
    hours = [bar.utcTimestampInMinutes // 60 - at("2026-09-25T00:00:00") // HOUR_MS for bar in res.trendbar]
    assert hours == [18, 19, 20]
    full, last = res.trendbar[1], res.trendbar[2]
    assert last.volume < full.volume, "the last hour ends at 20:55"


def test_bars_across_the_close_are_those_of_the_ticks() -> None:
    venue = weekend()
    window = {"fromTimestamp": at("2026-09-25T20:00:00"), "toTimestamp": at("2026-09-25T21:00:00")}
    bar = venue.answer(oa.ProtoOAGetTrendbarsReq, symbolId=EURUSD, period=9, **window).trendbar[0]
    ticks = {
        side: venue.answer(oa.ProtoOAGetTickDataReq, symbolId=EURUSD, type=side, **window).tickData for side in (1, 2)
    }
    assert bar.volume == len(ticks[1]) + len(ticks[2])
    assert ticks[1][0].tick == bar.low + bar.deltaClose


def test_markets_never_close_unless_told_to() -> None:
    friday_ms = at("2026-09-25T20:00:00")
    venue = Venue(market=calm(), symbols=only(EURUSD), hold=False, now_ms=friday_ms)
    venue.wait(at("2026-09-26T12:00:00") - venue.now_ms)
    assert words(venue.place()) == ["ACCEPTED(f)"]
    assert not ExchangeSettings().market.schedules
