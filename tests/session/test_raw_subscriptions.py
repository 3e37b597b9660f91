"""What callers subscribed to themselves is there again after a loss, and what they gave up is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anyctrader.fake import FakeServer
from anyctrader.session import Environment, ServerError, open_connection_log
from anyctrader.session.raw_subscriptions import RawSubscriptions
from anyctrader.wire import messages as oa

from .rig import EURUSD, a_server, connected, heard, ready_again

pytestmark = pytest.mark.anyio

GBPUSD, M1, H1 = 2, oa.ProtoOATrendbarPeriod.M1, oa.ProtoOATrendbarPeriod.H1


def spots(*symbol_ids: int, timestamp: bool = False) -> Any:
    return oa.ProtoOASubscribeSpotsReq(symbolId=symbol_ids, subscribeToSpotTimestamp=timestamp)


def bars(symbol_id: int, period: int) -> Any:
    return oa.ProtoOASubscribeLiveTrendbarReq(symbolId=symbol_id, period=period)


def depth(*symbol_ids: int) -> Any:
    return oa.ProtoOASubscribeDepthQuotesReq(symbolId=symbol_ids)


def test_what_was_confirmed_is_kept_and_what_was_given_up_is_not() -> None:
    raw = RawSubscriptions()
    for request in (
        spots(1, 2, timestamp=True),
        spots(3),
        bars(1, M1),
        bars(1, H1),
        depth(1, 2),
        oa.ProtoOAUnsubscribeSpotsReq(symbolId=[3]),
        oa.ProtoOAUnsubscribeLiveTrendbarReq(symbolId=1, period=M1),
        oa.ProtoOAUnsubscribeDepthQuotesReq(symbolId=[2]),
        oa.ProtoOATraderReq(),
    ):
        raw.answered(request)
    assert raw.requests() == [spots(1, timestamp=True), spots(2, timestamp=True), bars(1, H1), depth(1)]
    for request in raw.requests():
        raw.gone(request)
    assert raw.requests() == []


async def test_depth_and_live_bars_are_there_again_after_the_link_was_lost() -> None:
    async with a_server() as server, connected(server) as session:
        account = await session.authorize(server.account_id)
        await account.request(spots(EURUSD, GBPUSD, timestamp=True))
        await session.request(oa.ProtoOASubscribeDepthQuotesReq(ctidTraderAccountId=account.id, symbolId=[EURUSD]))
        await account.request(bars(EURUSD, M1))
        await account.request(oa.ProtoOAUnsubscribeSpotsReq(symbolId=[GBPUSD]))
        async with account.events(wanted=lambda message: message.name == "ProtoOADepthEvent") as books:
            await ready_again(session, links=server.drop_clients)
            assert (await anext(books)).payload.symbolId == EURUSD
        assert [list(request.symbolId) for request in heard(server, oa.ProtoOASubscribeSpotsReq)][1:] == [[EURUSD]]
        assert [request.period for request in heard(server, oa.ProtoOASubscribeLiveTrendbarReq)] == [M1, M1]
        assert len(heard(server, oa.ProtoOASubscribeDepthQuotesReq)) == 2


async def test_one_that_the_server_refuses_later_is_told_and_keeps_nothing_away(tmp_path: Path) -> None:
    async with (
        a_server() as server,
        open_connection_log(tmp_path, Environment.DEMO) as log,
        connected(server, log=log) as session,
    ):
        account = await session.authorize(server.account_id)
        await account.request(spots(EURUSD))
        await account.request(depth(EURUSD))
        await account.request(oa.ProtoOAUnsubscribeSpotsReq(symbolId=[EURUSD]))
        for _ in range(2):
            await ready_again(session, links=server.drop_clients)
        assert len(heard(server, oa.ProtoOASubscribeDepthQuotesReq)) == 2
    assert "subscription_lost" in (tmp_path / "demo_connection.log").read_text()


async def test_quotes_of_a_stream_that_was_left_are_not_asked_for_again() -> None:
    async with a_server() as server, connected(server) as session:
        account = await session.authorize(server.account_id)
        async with account.spots("EURUSD"):
            # Its own to ask for: were it left while the link is away, nobody would take it back from there.
            assert account.raw.requests() == []
        await ready_again(session, links=server.drop_clients)
        assert len(heard(server, oa.ProtoOASubscribeSpotsReq)) == 1


def served(server: FakeServer) -> tuple[list[int], list[int], list[int]]:
    """Quotes, depth and live bars that the newest client is subscribed to."""
    (mine,) = [each.subscriptions for each in list(server.clients.values())[-1].sessions.values()]
    return list(mine.spots), list(mine.depth), [id_ for id_, spots in mine.spots.items() if spots.periods]


SPOTS, DEPTH = oa.ProtoOASubscribeSpotsReq(symbolId=[EURUSD]), oa.ProtoOASubscribeDepthQuotesReq(symbolId=[EURUSD])
BARS = oa.ProtoOASubscribeLiveTrendbarReq(symbolId=EURUSD, period=1)


@pytest.mark.parametrize("first", ["raw", "stream"])
async def test_what_was_asked_for_raw_stays_when_somebody_elses_quotes_are_left(first: str) -> None:
    async with a_server() as server, connected(server) as session:
        account = await session.authorize(server.account_id)
        if first == "raw":
            for request in (SPOTS, DEPTH, BARS):
                await account.request(request)
            async with account.spots("EURUSD"):
                pass
        else:
            async with account.spots("EURUSD"):
                with pytest.raises(ServerError, match=r"(?i)already.?subscribed"):
                    await account.request(SPOTS)
                await account.request(DEPTH)
                await account.request(BARS)
        assert served(server) == ([EURUSD],) * 3
        await ready_again(session, links=server.drop_clients)
        await server.wait_for("ProtoOASubscribeLiveTrendbarReq", client=2)
        await account.request(oa.ProtoOATraderReq())
        assert served(server) == ([EURUSD],) * 3
        assert heard(server, oa.ProtoOAUnsubscribeSpotsReq) == []
        await account.request(oa.ProtoOAUnsubscribeSpotsReq(symbolId=[EURUSD]))
        assert SPOTS not in account.raw.requests()


async def test_quotes_that_depth_needs_stay_with_it() -> None:
    async with a_server() as server, connected(server) as session:
        account = await session.authorize(server.account_id)
        async with account.spots("EURUSD", "GBPUSD"):
            await account.request(DEPTH)
        assert served(server) == ([EURUSD], [EURUSD], [])
        await ready_again(session, links=server.drop_clients)
        assert served(server) == ([EURUSD], [EURUSD], [])
