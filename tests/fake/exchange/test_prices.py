"""Where prices come from: paths, ticks, quotes and their bars (docs/protocol.md section 11)."""

from __future__ import annotations

import csv
from pathlib import Path as FilePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

import anyctrader.fake.paths
from anyctrader.fake.feed import Feed, FeedSettings
from anyctrader.fake.listing import SYMBOLS
from anyctrader.fake.market import Market, MarketSettings
from anyctrader.fake.paths import RecordedPath, SeededPath, mixed
from anyctrader.fake.tape import Tape

from .venue import EURUSD, T0, Venue, only, only_quotes, words

HOUR_MS, MINUTE_MS = 3_600_000, 60_000


def feed_of(*, interval_ms: int = 250, speed: int = 1, seed: int = 5) -> Feed:
    settings = FeedSettings(
        seed=seed,
        point=1,
        spread_points=6,
        interval_ms=interval_ms,
        phase_ms=37 % interval_ms,
        minutes_a_row=max(1, 60 // speed),
        rows_a_minute=max(1, speed // 60),
    )
    return Feed(RecordedPath(), settings, anchor_ms=T0, anchor_row=2_500)


def test_recorded_path_is_the_file() -> None:
    source = FilePath(anyctrader.fake.paths.__file__).with_name("data") / "eurusd_h1.csv"
    with source.open(newline="") as file:
        rows = list(csv.DictReader(file))
    path = RecordedPath()
    assert len(path) == len(rows) == 5_000
    for place in (0, 1_234, 4_999):
        expected = [round(float(rows[place][name]) * 100_000) for name in ("open", "high", "low", "close")]
        assert list(path.row(place)[:4]) == expected
    assert path.busiest == max(int(row["volume"]) for row in rows)


def test_recorded_path_is_walked_to_and_fro_without_a_jump_at_its_ends() -> None:
    path = RecordedPath()
    for last in (4_999, -1, 9_999):
        assert path.row(last)[3] == path.row(last + 1)[0]
    first, high, low, close, volume = path.row(4_999)
    assert path.row(5_000) == (close, high, low, first, volume)


@given(st.integers(0, 2**32), st.integers(-20_000, 20_000))
def test_seeded_path_goes_on_forever_without_a_jump(seed: int, index: int) -> None:
    path = SeededPath(seed, start=120_000, hourly=150)
    start, high, low, last, activity = path.row(index)
    assert 1 <= low <= min(start, last) <= max(start, last) <= high
    assert last == path.row(index + 1)[0]
    assert 0 < activity <= path.busiest
    assert abs(start - 120_000) <= 25 * 150
    assert path.row(index) == SeededPath(seed, start=120_000, hourly=150).row(index)


def test_seeded_paths_differ_by_seed() -> None:
    first, second = (SeededPath(seed, start=120_000, hourly=150) for seed in (1, 2))
    assert [first.row(hour) for hour in range(9)] != [second.row(hour) for hour in range(9)]


def test_seeded_path_remembers_so_much_and_no_more() -> None:
    path = SeededPath(1, start=120_000, hourly=150)
    early = path.row(0)
    for hour in range(5_000):
        path.row(hour)
    assert path.row(0) == early


def test_mixed_numbers_differ() -> None:
    assert len({mixed(a, b) for a in range(50) for b in range(50)}) == 2_500
    assert mixed(-1) != mixed(1)


@pytest.mark.parametrize("interval_ms", [50, 250, 1_000, 12_000])
@pytest.mark.parametrize("speed", [1, 12, 60, 240])
def test_ticks_of_a_minute_touch_its_bar_and_are_counted(interval_ms: int, speed: int) -> None:
    feed = feed_of(interval_ms=interval_ms, speed=speed)
    start = T0 // MINUTE_MS
    for minute in range(start - 70, start + 70):
        ticks = feed.minute_ticks(minute)
        bar = feed.minute_bar(minute)
        assert bar is not None
        bids = [bid for _, bid, _ in ticks if bid is not None]
        assert (bids[0], max(bids), min(bids), bids[-1]) == bar[:4]
        assert len(bids) + sum(1 for _, _, ask in ticks if ask is not None) == bar[4]
        times = [at_ms for at_ms, _, _ in ticks]
        assert times == sorted(set(times))
        assert minute * MINUTE_MS <= times[0] <= times[-1] < (minute + 1) * MINUTE_MS


def test_rows_are_cut_into_minutes_that_join() -> None:
    feed = feed_of()
    hour = T0 // HOUR_MS
    for row in range(-30, 30):
        minutes = [feed.minute_bar(minute) for minute in range((hour + row) * 60, (hour + row + 1) * 60)]
        bars = [bar for bar in minutes if bar is not None]
        expected = feed.path.row(2_500 + row)
        assert bars[0][0] == expected[0]
        assert max(bar[1] for bar in bars) == expected[1]
        assert min(bar[2] for bar in bars) == expected[2]
        assert bars[-1][3] == expected[3]
        whole = feed.row_bar((hour + row) * 60)
        assert whole is not None
        assert whole[0] == (*expected[:4], sum(bar[4] for bar in bars))
    assert feed.row_bar(hour * 60 + 1) is None


def test_busy_hours_tick_more() -> None:
    feed = feed_of()
    hour = T0 // HOUR_MS
    volumes = {feed.path.row(2_500 + row)[4]: feed.row_bar((hour + row) * 60) for row in range(100)}
    quiet, busy = volumes[min(volumes)], volumes[max(volumes)]
    assert quiet is not None
    assert busy is not None
    assert quiet[0][4] < busy[0][4]


def test_quotes_are_never_crossed_and_often_one_sided() -> None:
    venue = Venue(hold=False)
    venue.wait(HOUR_MS // 2)
    quotes = only_quotes(venue.seen)
    assert all(0 < quote.bid <= quote.ask for quote in quotes)
    assert all(quote.bid_changed or quote.ask_changed for quote in quotes)
    one_sided = [quote for quote in quotes if quote.bid_changed is not quote.ask_changed]
    assert len(quotes) * 0.2 < len(one_sided) < len(quotes) * 0.8
    assert [quote.at_ms for quote in quotes] == sorted(quote.at_ms for quote in quotes)
    points = {symbol.symbol_id: symbol.point for symbol in SYMBOLS}
    assert all(quote.bid % points[quote.symbol_id] == 0 == quote.ask % points[quote.symbol_id] for quote in quotes)


def test_quote_says_which_sides_changed() -> None:
    venue = Venue(hold=False)
    last = {symbol_id: venue.quote(symbol_id) for symbol_id in venue.exchange.symbol_ids}
    venue.wait(60_000)
    for quote in only_quotes(venue.seen):
        before = last[quote.symbol_id]
        assert quote.bid_changed is (quote.bid != before.bid)
        assert quote.ask_changed is (quote.ask != before.ask)
        last[quote.symbol_id] = quote


def test_price_that_is_set_is_a_tick_and_stays_until_it_is_released() -> None:
    venue = Venue(hold=False)
    venue.price(EURUSD, 150_000, 150_010)
    (quote,) = only_quotes(venue.seen)
    assert (quote.bid, quote.ask, quote.at_ms) == (150_000, 150_010, T0)
    venue.seen.clear()
    venue.wait(60_000)
    assert EURUSD not in {quote.symbol_id for quote in only_quotes(venue.seen)}
    venue.price(EURUSD, 150_000, 150_020)
    venue.seen.clear()
    venue.seen += venue.exchange.release_price(EURUSD, now_ms=venue.now_ms)
    assert [quote.symbol_id for quote in only_quotes(venue.seen)] == [EURUSD]
    untouched = Venue(hold=False)
    untouched.wait(120_000)
    venue.wait(60_000)
    assert venue.exchange.quote(EURUSD) == untouched.exchange.quote(EURUSD)
    assert venue.exchange.release_price(EURUSD, now_ms=venue.now_ms) == [], "it is free already"


def test_price_that_is_set_to_what_it_is_makes_no_tick() -> None:
    venue = Venue()
    assert venue.exchange.set_price(EURUSD, bid=110_000, ask=110_010, now_ms=venue.now_ms) == []
    assert words(venue.wait()) == []


@pytest.mark.parametrize(("bid", "ask"), [(0, 10), (110_010, 110_000), (-5, 5), (110_000, 10**17)])
def test_price_that_makes_no_sense_is_the_callers_mistake(bid: int, ask: int) -> None:
    venue = Venue()
    with pytest.raises(ValueError, match="must be positive"):
        venue.exchange.set_price(EURUSD, bid=bid, ask=ask, now_ms=T0)
    with pytest.raises(KeyError):
        venue.exchange.set_price(7, bid=1, ask=2, now_ms=T0)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"interval_ms": 700}, "must divide"),
        ({"interval_ms": 0}, "must divide"),
        ({"speed": 7}, "speed"),
        ({"speed": 0}, "speed"),
    ],
)
def test_settings_that_do_not_come_out_even_are_refused(settings: dict[str, int], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        MarketSettings(**settings)


@pytest.mark.parametrize("speed", [60, 3_600])
def test_path_can_be_walked_faster(speed: int) -> None:
    market = Market(only(EURUSD), MarketSettings(speed=speed), now_ms=T0)
    path, tape = RecordedPath(), market.tapes[EURUSD]
    rows = speed // 60
    minute = T0 // HOUR_MS * 60 + 5
    bar = tape.bar(minute * MINUTE_MS, (minute + 1) * MINUTE_MS, now_ms=T0 + HOUR_MS)
    inside = [path.row(2_500 + 5 * rows + place) for place in range(rows)]
    assert bar is not None
    assert bar[:4] == (inside[0][0], max(row[1] for row in inside), min(row[2] for row in inside), inside[-1][3])


def test_bar_of_a_time_to_come_is_nothing() -> None:
    tape = Tape(feed_of(), first_ms=0)
    coming_ms = T0 - T0 % MINUTE_MS + MINUTE_MS
    assert tape.bar(coming_ms, coming_ms + MINUTE_MS, now_ms=T0) is None


def test_rates_go_through_chains_of_symbols() -> None:
    market = Market(SYMBOLS, MarketSettings(), now_ms=T0)
    assert market.rate("USD", "USD") == (1, 1)
    bid, ask = market.prices[EURUSD].bid, market.prices[EURUSD].ask
    assert market.rate("EUR", "USD") == (bid, 100_000)
    assert market.rate("EUR", "USD", buying=True) == (ask, 100_000)
    assert market.rate("USD", "EUR") == (100_000, ask)
    numerator, denominator = market.rate("DE40", "JPY")
    assert numerator / denominator == pytest.approx(
        market.prices[279].bid / 1e5 * bid / 1e5 * market.prices[4].bid / 1e5
    )
    with pytest.raises(LookupError, match="no symbols lead"):
        market.rate("USD", "CHF")
