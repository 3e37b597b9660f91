"""What callers subscribed to themselves is there again after a loss, and what they gave up is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import FakeServer, Timing, faults
from anyctrader.session import (
    Account,
    Environment,
    OutcomeUnknown,
    ServerError,
    Session,
    SessionState,
    aftercare,
    open_connection_log,
)
from anyctrader.session.raw_subscriptions import RawSubscriptions
from anyctrader.wire import messages as oa

from .rig import EURUSD, QUICK, Denying, a_server, connected, heard, ready_again

pytestmark = pytest.mark.anyio

SYMBOLS = (1, 2, 4, 41)
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


def ask_of(way: str, session: Session, account: Account) -> Callable[..., Any]:
    """Asks for an account, by its own way or by the session's."""

    async def ask(request: Any, **given: Any) -> Any:
        whole = type(request)()
        whole.CopyFrom(request)
        whole.ctidTraderAccountId = account.id
        return await (account.request(request, **given) if way == "account" else session.request(whole, **given))

    return ask


@pytest.mark.parametrize("way", ["account", "session"])
@pytest.mark.parametrize("first", ["raw", "stream"])
async def test_what_was_asked_for_raw_stays_when_somebody_elses_quotes_are_left(first: str, way: str) -> None:
    async with a_server() as server, connected(server) as session:
        account = await session.authorize(server.account_id)
        ask = ask_of(way, session, account)
        if first == "raw":
            for request in (SPOTS, DEPTH, BARS):
                await ask(request)
            async with account.spots("EURUSD"):
                pass
        else:
            async with account.spots("EURUSD"):
                with pytest.raises(ServerError, match=r"(?i)already.?subscribed"):
                    await ask(SPOTS)
                assert account.raw.requests() == [SPOTS]
                await ask(DEPTH)
                await ask(BARS)
        assert served(server) == ([EURUSD],) * 3
        await ready_again(session, links=server.drop_clients)
        await server.wait_for("ProtoOASubscribeLiveTrendbarReq", client=2)
        await account.request(oa.ProtoOATraderReq())
        assert served(server) == ([EURUSD],) * 3
        assert heard(server, oa.ProtoOAUnsubscribeSpotsReq) == []
        await account.request(oa.ProtoOAUnsubscribeSpotsReq(symbolId=[EURUSD]))
        assert SPOTS not in account.raw.requests()


END = oa.ProtoOAUnsubscribeSpotsReq(symbolId=[EURUSD])


async def quoted(server: FakeServer, stream: Any, bid: int) -> None:
    """Returns when a quote of now has come."""
    server.set_price(EURUSD, bid=bid, ask=bid + 10)
    async for spot in stream:
        if spot.bid_wire == bid:
            return


@pytest.mark.parametrize("way", ["account", "session"])
@pytest.mark.parametrize("answer", ["comes", "is lost"])
async def test_quotes_that_a_raw_request_ended_are_asked_for_again_where_a_stream_hears_them(
    way: str, answer: str
) -> None:
    async with a_server() as server, connected(server) as session:
        account = await session.authorize(server.account_id)
        async with account.spots("EURUSD", "GBPUSD") as stream:
            if answer == "comes":
                await ask_of(way, session, account)(END)
            else:
                with (
                    server.faults.inject(faults.Lose(which="ProtoOAUnsubscribeSpotsRes")),
                    pytest.raises(OutcomeUnknown),
                ):
                    await ask_of(way, session, account)(END, timeout_s=0.2)
            await server.wait_for("ProtoOASubscribeSpotsReq", count=2)
            with anyio.fail_after(5):
                await quoted(server, stream, 120_000)
        asked = [list(request.symbolId) for request in heard(server, oa.ProtoOASubscribeSpotsReq)]
        assert asked == [[EURUSD, GBPUSD], [EURUSD]]
        assert served(server) == ([], [], [])


async def test_quotes_that_a_raw_request_ended_and_that_are_refused_then_end_their_stream() -> None:
    async with a_server() as server, connected(server) as session:
        account = await session.authorize(server.account_id)
        async with account.spots("EURUSD") as stream:
            with server.faults.inject(Denying(oa.ProtoOASubscribeSpotsReq, code="SYMBOL_NOT_FOUND")):
                await account.request(END)
                with pytest.raises(ServerError, match="SYMBOL_NOT_FOUND"), anyio.fail_after(5):
                    async for _ in stream:
                        pass


async def test_quotes_that_a_raw_request_ended_are_asked_for_until_they_can_be_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(aftercare, "_AGAIN_S", 0.05)
    async with a_server() as server, connected(server) as session:
        account = await session.authorize(server.account_id)
        async with account.spots("EURUSD") as stream:
            with server.faults.inject(Denying(oa.ProtoOASubscribeSpotsReq, code="TIMEOUT_ERROR")):
                await account.request(END)
                await server.wait_for("ProtoOASubscribeSpotsReq", count=3)
            with anyio.fail_after(5):
                await quoted(server, stream, 120_000)


async def test_an_end_of_ones_own_quotes_is_no_others_business() -> None:
    async with a_server() as server, connected(server) as session:
        account = await session.authorize(server.account_id)
        async with account.spots("GBPUSD"):
            await account.request(SPOTS)
            await account.request(END)
            await account.request(oa.ProtoOATraderReq())
            assert served(server) == ([GBPUSD], [], [])
            assert not account.is_silent


async def test_quotes_that_depth_needs_stay_with_it() -> None:
    async with a_server() as server, connected(server) as session:
        account = await session.authorize(server.account_id)
        async with account.spots("EURUSD", "GBPUSD"):
            await account.request(DEPTH)
        assert served(server) == ([EURUSD], [EURUSD], [])
        await ready_again(session, links=server.drop_clients)
        assert served(server) == ([EURUSD], [EURUSD], [])


# Many of them


async def subscribed_to_bars(server: FakeServer, session: Session) -> Account:
    account = await session.authorize(server.account_id)
    await account.request(oa.ProtoOASubscribeSpotsReq(symbolId=SYMBOLS))
    for symbol_id in SYMBOLS:
        for period in range(1, 11):
            await account.request(oa.ProtoOASubscribeLiveTrendbarReq(symbolId=symbol_id, period=period))
    return account


def bars_at(server: FakeServer, account: Account) -> int:
    """How many live bars the newest connection has."""
    client = max((each for each in server.clients.values() if each.closing is None), key=lambda each: each.number)
    return sum(len(spots.periods) for spots in client.sessions[account.id].subscriptions.spots.values())


async def test_many_subscriptions_are_back_when_the_session_is_ready() -> None:
    # At the real server's 45 ms an answer, one after the other they take almost two seconds.
    async with a_server(timing=replace(Timing.instant(), answer_s=0.045)) as server, connected(server) as session:
        account = await subscribed_to_bars(server, session)
        await ready_again(session, links=server.drop_clients)
        assert session.reason == "ready"
        assert bars_at(server, account) == 40


async def test_a_session_that_is_ready_says_how_many_subscriptions_are_missing_and_when_they_are_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("anyctrader.session.attempts._QUOTES_S", 0.2)
    monkeypatch.setattr(aftercare, "_AGAIN_S", 0.05)
    async with a_server() as server, connected(server, timings=replace(QUICK, request_s=0.5)) as session:
        account = await subscribed_to_bars(server, session)
        with server.faults.inject(faults.Unanswering("ProtoOASubscribeLiveTrendbarRes")):
            await ready_again(session, links=server.drop_clients)
            assert session.reason == f"ready; account {account.id}: 40 subscriptions are not back yet"
        with anyio.fail_after(10):
            async with session.changes() as changes:
                async for change in changes:
                    assert change.state is SessionState.READY
                    if change.reason == "ready":
                        break
        assert bars_at(server, account) == 40
