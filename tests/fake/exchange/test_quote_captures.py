"""Quotes beside recordings of the real server: the same prices bring the same events (docs/protocol.md section 11).

The recordings are not part of this project: without them these tests are skipped.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from anyctrader.fake.pushes import Quote
from anyctrader.fake.settings import AnswerVariants
from anyctrader.fake.subscriptions import Subscriptions
from anyctrader.wire import messages as oa

from .venue import EURUSD, Venue, only

RECORDED = Path(__file__).parents[3].parent / "shared" / "captures" / "quotes.txt"
pytestmark = pytest.mark.skipif(not RECORDED.exists(), reason="the recordings are not on this machine")

MINUTE_MS = 29_829_284 * 60_000
"""The minute in which the recording begins."""


def recorded() -> list[Any]:
    """The spot events of EURUSD, in their order."""
    lines = [line.split("|") for line in RECORDED.read_text().splitlines()]
    # Of the index there are two events only, and the bar in the second of them cannot be read: its bytes are damaged.
    return [
        oa.ProtoOASpotEvent.FromString(base64.b64decode(body))
        for name, _, body in lines
        if name.split()[1:2] != ["idx"]
    ]


def replayed() -> list[Any]:
    """Ours at the same prices and times, with live bars asked for after the first event."""
    venue = Venue(hold=False, now_ms=MINUTE_MS - 500, symbols=only(EURUSD))
    venue.price(EURUSD, 114_815, 114_817)
    venue.now_ms = MINUTE_MS + 1_000
    for bid in (114_814, 114_818, 114_809):  # what the bar had been through before the recording begins
        venue.price(EURUSD, bid, bid + 2)
    events = recorded()
    bid, ask = events[0].bid, events[0].ask
    venue.now_ms = events[0].timestamp
    venue.price(EURUSD, bid, ask)
    held = Subscriptions(1_000_001)
    exchange, variants = venue.exchange, AnswerVariants()
    spots = oa.ProtoOASubscribeSpotsReq(ctidTraderAccountId=1_000_001, symbolId=[EURUSD], subscribeToSpotTimestamp=True)
    bars = oa.ProtoOASubscribeLiveTrendbarReq(ctidTraderAccountId=1_000_001, symbolId=EURUSD, period=1)
    found = [*held.subscribe_spots(spots, exchange, variants)[1:], *held.subscribe_bars(bars, exchange, variants)[1:]]
    for event in events[2:]:
        bid = event.bid if event.HasField("bid") else bid
        ask = event.ask if event.HasField("ask") else ask
        venue.now_ms = event.timestamp
        for quote in exchange.set_price(EURUSD, bid=bid, ask=ask, now_ms=venue.now_ms):
            if isinstance(quote, Quote):
                found.append(held.spot_event(quote, exchange))
    return found


def shape(message: Any) -> list[Any]:
    """Which fields are there, and inside each message that it holds."""
    return [
        (field.name, [shape(each) for each in value] if field.is_repeated else None)
        for field, value in message.ListFields()
    ]


def test_the_same_prices_bring_the_same_events_with_the_same_fields() -> None:
    theirs, ours = recorded(), replayed()
    assert len(theirs) == 14
    assert [shape(event) for event in ours] == [shape(event) for event in theirs]


def test_the_events_say_the_same() -> None:
    for ours, theirs in zip(replayed(), recorded(), strict=True):
        # The close of the session before is that of another day; their bars count ticks that they never sent.
        assert ours.HasField("sessionClose") is theirs.HasField("sessionClose")
        ours.ClearField("sessionClose")
        theirs.ClearField("sessionClose")
        for bar in (*ours.trendbar, *theirs.trendbar):
            bar.ClearField("volume")
        assert ours == theirs


def test_bars_count_a_tick_for_each_side_that_changed() -> None:
    """Where the recording shows every tick, the counts agree too: from the first of a minute on, until it conflates."""
    ours = [event.trendbar[0].volume for event in replayed()[8:11]]
    theirs = [event.trendbar[0].volume for event in recorded()[8:11]]
    assert ours == theirs == [1, 2, 4]
