"""Spots, live bars and depth: docs/protocol.md section 11, over real TLS, in both flavours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from anyctrader.fake import AnswerVariants, FakeServer, ServerSettings
from anyctrader.fake.choices import DepthNeeds, FirstSpot, PartialList, SecondSubscription
from anyctrader.proto import schema as oa

from .quick import QUICK
from .raw_client import Answer, RawClient, connected

pytestmark = pytest.mark.anyio

EURUSD, GBPUSD = 1, 2
M1, M5 = oa.ProtoOATrendbarPeriod.M1, oa.ProtoOATrendbarPeriod.M5


@pytest.fixture(params=["protobuf", "json"])
def flavour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def varied(**choices: Any) -> ServerSettings:
    return replace(QUICK, variants=AnswerVariants(**choices))


def spots(server: FakeServer, symbol_ids: Sequence[int] = (EURUSD,), **fields: Any) -> oa.ProtoOASubscribeSpotsReq:
    return oa.ProtoOASubscribeSpotsReq(ctidTraderAccountId=server.account_id, symbolId=symbol_ids, **fields)


def bars(server: FakeServer, period: int = M1) -> oa.ProtoOASubscribeLiveTrendbarReq:
    return oa.ProtoOASubscribeLiveTrendbarReq(
        ctidTraderAccountId=server.account_id, symbolId=EURUSD, period=oa.ProtoOATrendbarPeriod(period)
    )


def hold(server: FakeServer, bid: int = 110_000, ask: int = 110_006, symbol_id: int = EURUSD) -> None:
    """The price stands still from here on, so that every event is of the test's own making."""
    server.set_price(symbol_id, bid=bid, ask=ask)


async def names_until_fence(client: RawClient) -> list[str]:
    client.unread.clear()
    await client.send(oa.ProtoOAVersionReq(), "fence")
    names = []
    while (answer := await client.receive()).id != "fence":
        names.append(answer.name)
    return names


def sides(event: Answer) -> tuple[int | None, int | None]:
    return (event.bid if event.has("bid") else None, event.ask if event.has("ask") else None)


async def test_a_subscription_is_answered_then_one_technical_event_a_symbol_follows(flavour: str) -> None:
    async with FakeServer(QUICK) as server, connected(server, flavour) as client:
        hold(server)
        hold(server, 130_000, 130_009, GBPUSD)
        await client.authorise(server)
        await client.send(spots(server, [EURUSD, GBPUSD]), "s")
        response = await client.receive()
        assert (response.name, response.id) == ("ProtoOASubscribeSpotsRes", "s")
        for symbol_id, prices in ((EURUSD, (110_000, 110_006)), (GBPUSD, (130_000, 130_009))):
            event = await client.receive()
            assert (event.name, event.id, event.symbolId) == ("ProtoOASpotEvent", None, symbol_id)
            assert sides(event) == prices
            assert event.has("sessionClose")
            assert not event.has("timestamp")


async def test_the_technical_event_may_come_before_the_response() -> None:
    async with FakeServer(varied(first_spot=FirstSpot.BEFORE_RESPONSE)) as server, connected(server) as client:
        await client.authorise(server)
        await client.send(spots(server), "s")
        assert [(await client.receive()).name for _ in range(2)] == ["ProtoOASpotEvent", "ProtoOASubscribeSpotsRes"]


async def test_later_events_carry_only_the_sides_that_changed(flavour: str) -> None:
    async with FakeServer(QUICK) as server, connected(server, flavour) as client:
        hold(server)
        await client.authorise(server)
        await client.ask(spots(server))
        await client.receive()
        hold(server, 110_001, 110_006)
        hold(server, 110_001, 110_007)
        hold(server, 110_003, 110_009)
        events = [await client.receive() for _ in range(3)]
        assert [sides(event) for event in events] == [(110_001, None), (None, 110_007), (110_003, 110_009)]
        assert not any(event.has("sessionClose") or event.has("timestamp") for event in events)


async def test_events_carry_a_time_where_it_was_asked_for(flavour: str) -> None:
    async with FakeServer(QUICK) as server, connected(server, flavour) as client:
        await client.authorise(server)
        hold(server)
        await client.ask(spots(server, subscribeToSpotTimestamp=True))
        hold(server, 110_001, 110_007)
        first, second = [await client.receive() for _ in range(2)]
        assert first.timestamp <= second.timestamp <= server.now_ms


async def test_without_a_subscription_nothing_comes_and_after_its_end_neither(flavour: str) -> None:
    async with FakeServer(QUICK) as server, connected(server, flavour) as client:
        await client.authorise(server)
        hold(server)
        hold(server, 110_001, 110_007)
        assert await names_until_fence(client) == []
        await client.ask(spots(server))
        ended = await client.ask(
            oa.ProtoOAUnsubscribeSpotsReq(ctidTraderAccountId=server.account_id, symbolId=[EURUSD])
        )
        assert ended.name == "ProtoOAUnsubscribeSpotsRes"
        await names_until_fence(client)
        hold(server, 110_002, 110_008)
        assert await names_until_fence(client) == []


@pytest.mark.parametrize("choice", list(SecondSubscription))
async def test_a_second_subscription_is_refused(choice: SecondSubscription, flavour: str) -> None:
    settings = varied(second_subscription=choice)
    async with FakeServer(settings) as server, connected(server, flavour) as client:
        await client.authorise(server)
        await client.ask(spots(server))
        answer = await client.ask(spots(server))
        assert (answer.name, answer.errorCode) == ("ProtoOAErrorRes", choice.value)
        assert answer.description == "Already subscribed to symbol 1."


@pytest.mark.parametrize("choice", list(PartialList))
async def test_a_list_with_an_unknown_symbol(choice: PartialList) -> None:
    async with FakeServer(varied(partial_list=choice)) as server, connected(server) as client:
        await client.authorise(server)
        answer = await client.ask(spots(server, [EURUSD, 987_654]))
        if choice is PartialList.REFUSED:
            assert answer.errorCode == "SYMBOL_NOT_FOUND"
            assert await names_until_fence(client) == []
        else:
            assert answer.name == "ProtoOASubscribeSpotsRes"
            assert (await client.receive()).symbolId == EURUSD


async def test_an_unsubscription_of_what_is_not_subscribed_is_refused() -> None:
    async with FakeServer(QUICK) as server, connected(server) as client:
        await client.authorise(server)
        for request in (
            oa.ProtoOAUnsubscribeSpotsReq(ctidTraderAccountId=server.account_id, symbolId=[EURUSD]),
            oa.ProtoOAUnsubscribeDepthQuotesReq(ctidTraderAccountId=server.account_id, symbolId=[EURUSD]),
            oa.ProtoOAUnsubscribeLiveTrendbarReq(
                ctidTraderAccountId=server.account_id, symbolId=EURUSD, period=oa.ProtoOATrendbarPeriod(M1)
            ),
        ):
            answer = await client.ask(request)
            assert (answer.errorCode, answer.description) == ("INVALID_REQUEST", "No subscription for symbol 1.")


async def test_subscriptions_belong_to_one_connection(flavour: str) -> None:
    async with FakeServer(QUICK) as server, connected(server, flavour) as one, connected(server, flavour) as two:
        await one.authorise(server)
        await two.authorise(server)
        await one.ask(spots(server))
        hold(server)
        assert await names_until_fence(two) == []
        assert (await two.ask(spots(server))).name == "ProtoOASubscribeSpotsRes"


async def test_a_new_connection_starts_without_subscriptions() -> None:
    async with FakeServer(QUICK) as server:
        for _ in range(2):
            async with connected(server) as client:
                await client.authorise(server)
                assert (await client.ask(spots(server))).name == "ProtoOASubscribeSpotsRes"


# -- live bars -------------------------------------------------------------------------------------


async def test_bars_need_spots(flavour: str) -> None:
    async with FakeServer(QUICK) as server, connected(server, flavour) as client:
        await client.authorise(server)
        assert (await client.ask(bars(server))).errorCode == "NOT_SUBSCRIBED_TO_SPOTS"


async def test_a_bar_subscription_brings_the_last_spot_again_with_the_running_bar(flavour: str) -> None:
    async with FakeServer(QUICK) as server, connected(server, flavour) as client:
        hold(server)
        await client.authorise(server)
        await client.ask(spots(server, subscribeToSpotTimestamp=True))
        first = await client.receive()
        response = await client.ask(bars(server))
        assert (response.name, response.id) == ("ProtoOASubscribeLiveTrendbarRes", "raw-4")
        again = await client.receive()
        for field in ("bid", "ask", "sessionClose", "timestamp"):
            assert getattr(again, field) == getattr(first, field)
        (bar,) = again.trendbar
        assert (bar.period, bar.low + bar.deltaHigh >= 110_000) == (M1, True)


async def test_bars_ride_on_events_whose_bid_changed(flavour: str) -> None:
    async with FakeServer(QUICK) as server, connected(server, flavour) as client:
        hold(server)
        await client.authorise(server)
        await client.ask(spots(server))
        await client.ask(bars(server, M1))
        await client.ask(bars(server, M5))
        await names_until_fence(client)
        hold(server, 110_000, 110_007)
        hold(server, 110_002, 110_007)
        ask_only, with_bid = [await client.receive() for _ in range(2)]
        assert not ask_only.trendbar
        assert sorted(bar.period for bar in with_bid.trendbar) == [M1, M5]
        ended = await client.ask(
            oa.ProtoOAUnsubscribeLiveTrendbarReq(
                ctidTraderAccountId=server.account_id, symbolId=EURUSD, period=oa.ProtoOATrendbarPeriod(M5)
            )
        )
        assert ended.name == "ProtoOAUnsubscribeLiveTrendbarRes"
        hold(server, 110_004, 110_009)
        assert [bar.period for bar in (await client.receive()).trendbar] == [M1]


async def test_a_live_bar_has_no_close(flavour: str) -> None:
    async with FakeServer(QUICK) as server, connected(server, flavour) as client:
        hold(server)
        await client.authorise(server)
        await client.ask(spots(server))
        await client.receive()
        await client.ask(bars(server))
        (bar,) = (
            (await client.receive()).payload["trendbar"] if flavour == "json" else (await client.receive()).trendbar
        )
        assert ("deltaClose" in bar) is False if flavour == "json" else not bar.HasField("deltaClose")


async def test_a_second_bar_subscription_of_a_period_is_refused() -> None:
    async with FakeServer(QUICK) as server, connected(server) as client:
        await client.authorise(server)
        await client.ask(spots(server))
        await client.ask(bars(server))
        assert (await client.ask(bars(server))).errorCode == "ALREADY_SUBSCRIBED"


# -- depth -----------------------------------------------------------------------------------------


def depth(server: FakeServer) -> oa.ProtoOASubscribeDepthQuotesReq:
    return oa.ProtoOASubscribeDepthQuotesReq(ctidTraderAccountId=server.account_id, symbolId=[EURUSD])


@pytest.mark.parametrize("choice", list(DepthNeeds))
async def test_depth_needs_spots_or_not(choice: DepthNeeds) -> None:
    async with FakeServer(varied(depth_needs=choice)) as server, connected(server) as client:
        await client.authorise(server)
        answer = await client.ask(depth(server))
        if choice is DepthNeeds.SPOTS:
            assert answer.errorCode == "NOT_SUBSCRIBED_TO_SPOTS"
        else:
            assert answer.name == "ProtoOASubscribeDepthQuotesRes"


async def test_depth_events_add_up_to_the_book(flavour: str) -> None:
    async with FakeServer(QUICK) as server, connected(server, flavour) as client:
        hold(server)
        await client.authorise(server)
        await client.ask(spots(server))
        await client.ask(depth(server))
        hold(server, 110_010, 110_016)
        await client.ask(oa.ProtoOAVersionReq())
        book: dict[int, tuple[int, int | None, int | None]] = {}
        events = [answer for answer in client.unread if answer.name == "ProtoOADepthEvent"]
        assert len(events) >= 2
        for event in events:
            for number in event.deletedQuotes or ():
                del book[number]
            for quote in event.newQuotes or ():
                book[quote.id] = (quote.size, quote.bid or None, quote.ask or None)
        assert book == {
            number: (quote.size, quote.bid or None, quote.ask or None)
            for number, quote in server.exchange.depth(EURUSD).items()
        }
        ended = await client.ask(
            oa.ProtoOAUnsubscribeDepthQuotesReq(ctidTraderAccountId=server.account_id, symbolId=[EURUSD])
        )
        assert ended.name == "ProtoOAUnsubscribeDepthQuotesRes"
        hold(server, 110_020, 110_026)
        assert "ProtoOADepthEvent" not in await names_until_fence(client)
