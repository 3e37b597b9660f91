"""One account of a session: its symbols, its quotes, its events."""

from __future__ import annotations

from contextlib import AsyncExitStack

import anyio
import pytest

from anyctrader.fake import AnswerVariants, faults
from anyctrader.fake.choices import FirstSpot, SecondSubscription
from anyctrader.session import EVERY, LATEST, InvalidOrder, Refused, SessionState, SlowConsumer, Spot
from anyctrader.wire import Message
from anyctrader.wire import messages as oa

from .rig import EURUSD, a_server, an_account, blocked, connected, heard, ready_again

pytestmark = pytest.mark.anyio


# Symbols


async def test_a_symbol_is_asked_for_once_and_remembered() -> None:
    async with an_account() as (server, _, account):
        gold, euro = await account.symbols(["XAUUSD", "EURUSD"])
        assert (gold.digits, gold.lot_size_cents, euro.digits, euro.pip_position) == (2, 10_000, 5, 4)
        assert await account.symbol("EURUSD") is euro
        assert await account.symbol_by_id(gold.id) is gold
        assert account.name_of(gold.id) == "XAUUSD"
        assert account.name_of(999) == "999"
        assert len(heard(server, oa.ProtoOASymbolsListReq)) == 1
        assert [list(request.symbolId) for request in heard(server, oa.ProtoOASymbolByIdReq)] == [[gold.id, euro.id]]


async def test_two_tasks_that_want_the_same_symbol_ask_once() -> None:
    async with an_account() as (server, _, account):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(account.symbol, "EURUSD")
        assert len(heard(server, oa.ProtoOASymbolByIdReq)) == 1


async def test_an_unknown_symbol_is_refused_with_the_nearest_names() -> None:
    async with an_account() as (server, _, account):
        with pytest.raises(InvalidOrder, match=r"^symbol: 'EURUDS' is refused: .* of that name; nearest: EURUSD"):
            await account.symbol("EURUDS")
        with pytest.raises(Refused, match=r"^symbol: '12' is refused: .* has no symbol of that name$"):
            await account.symbol("12")
        with pytest.raises(Refused, match="999"):
            await account.symbol_by_id(999)
        with pytest.raises(Refused, match="EURUSD"):
            async with account.spots("GBPUSD", "EUR/USD"):
                pass
        assert heard(server, oa.ProtoOASubscribeSpotsReq) == []


async def test_a_symbol_that_the_server_has_changed_is_read_again() -> None:
    async with an_account() as (server, _, account):
        await account.symbols(["EURUSD", "GBPUSD"])
        event = oa.ProtoOASymbolChangedEvent(ctidTraderAccountId=account.id, symbolId=[EURUSD])
        account.heard(Message(event))
        await account.symbols(["GBPUSD"])
        assert len(heard(server, oa.ProtoOASymbolByIdReq)) == 1
        await account.symbols(["EURUSD", "GBPUSD"])
        assert [list(request.symbolId) for request in heard(server, oa.ProtoOASymbolByIdReq)][1:] == [[EURUSD]]


# Quotes


@pytest.mark.parametrize("policy", [LATEST, EVERY], ids=lambda policy: policy.value)
async def test_both_sides_of_a_quote_are_known_from_the_first_one_on(policy: object) -> None:
    async with an_account() as (server, _, account):
        async with account.spots("EURUSD", policy=policy) as spots:  # type: ignore[arg-type]
            seen: list[Spot] = []
            async for spot in spots:
                assert 0 < spot.bid < spot.ask
                assert spot.symbol == "EURUSD"
                seen.append(spot)
                if spot.ask_wire == 130_020:
                    break
                # The bid alone, then the ask alone.
                server.set_price(EURUSD, bid=130_000, ask=130_010 if len(seen) == 1 else 130_020)
        assert (seen[-1].bid_wire, seen[-1].ask_wire) == (130_000, 130_020)
        assert seen[-1].at_ms is not None


async def test_every_gives_each_quote_and_latest_the_newest() -> None:
    async with an_account() as (server, _, account):
        async with account.spots("EURUSD", policy=EVERY) as every, account.spots("EURUSD", policy=LATEST) as latest:
            for bid in range(130_000, 130_010):
                server.set_price(EURUSD, bid=bid, ask=140_000)
            told = []
            async for spot in every:
                told.append(spot.bid_wire)
                if spot.bid_wire == 130_009:
                    break
            newest = await anext(aiter(latest))
        assert told[-10:] == list(range(130_000, 130_010))
        assert (newest.bid_wire, newest.conflated >= 9) == (130_009, True)


async def test_a_second_subscriber_costs_no_request_and_the_last_one_to_leave_unsubscribes() -> None:
    async with an_account() as (server, _, account):
        async with AsyncExitStack() as first, AsyncExitStack() as second:
            one = await first.enter_async_context(account.spots("EURUSD", "GBPUSD"))
            async for _ in one:
                break
            two = await second.enter_async_context(account.spots("EURUSD"))
            async for spot in two:
                assert spot.symbol == "EURUSD"
                break
            await first.aclose()
            assert [list(gone.symbolId) for gone in heard(server, oa.ProtoOAUnsubscribeSpotsReq)] == [[2]]
            assert account.board.wanted == (EURUSD,)
        assert [list(gone.symbolId) for gone in heard(server, oa.ProtoOAUnsubscribeSpotsReq)] == [[2], [EURUSD]]
        assert len(heard(server, oa.ProtoOASubscribeSpotsReq)) == 1
        assert server.violations == ()


async def test_a_quote_before_the_answer_to_the_subscription_is_heard() -> None:
    variants = AnswerVariants(first_spot=FirstSpot.BEFORE_RESPONSE)
    async with a_server(variants=variants) as server, connected(server) as session:
        account = await session.authorize(server.account_id)
        async with account.spots("EURUSD") as spots:
            async for spot in spots:
                assert spot.symbol == "EURUSD"
                break


@pytest.mark.parametrize("answer", SecondSubscription)
async def test_a_subscription_that_the_server_has_already_is_as_good(answer: SecondSubscription) -> None:
    async with a_server(variants=AnswerVariants(second_subscription=answer)) as server, connected(server) as session:
        account = await session.authorize(server.account_id)
        await account.request(oa.ProtoOASubscribeSpotsReq(symbolId=[EURUSD]))  # one whose answer was lost, say
        async with account.spots("EURUSD", "GBPUSD") as spots:
            assert set(account.board.wanted) == {1, 2}
            server.set_price(2, bid=120_000, ask=120_010)
            async for spot in spots:
                if spot.bid_wire == 120_000:
                    break


async def test_a_subscription_asked_for_while_the_session_is_away_starts_when_it_is_back() -> None:
    async with an_account() as (server, session, account):
        await account.symbols(["EURUSD", "GBPUSD"])
        async with account.spots("GBPUSD"):
            refusing = server.faults.inject(faults.RefuseTls())
            server.drop_clients()
            await session.wait_for(SessionState.WAITING)
            told: list[str] = []

            async def subscribe() -> None:
                async with account.spots("EURUSD") as spots:
                    async for spot in spots:
                        told.append(spot.symbol)
                        return

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(subscribe)
                await blocked()
                refusing.remove()
            assert told == ["EURUSD"]
        assert await session.wait_for(SessionState.READY)


async def test_quotes_come_back_after_a_drop_without_the_prices_of_before() -> None:
    async with an_account() as (server, session, account):
        async with account.spots("EURUSD", policy=EVERY) as spots:
            server.set_price(EURUSD, bid=110_000, ask=110_010)
            async for spot in spots:
                if spot.bid_wire == 110_000:
                    break

            def fall() -> None:
                server.drop_clients()
                server.set_price(EURUSD, bid=100_000, ask=100_010)

            await ready_again(session, links=fall)
            async for spot in spots:
                assert (spot.bid_wire, spot.ask_wire) == (100_000, 100_010)
                break


# Events


async def test_events_are_those_of_the_account_and_only_the_wanted_ones() -> None:
    async with an_account() as (server, _, account):
        async with (
            account.events(wanted=lambda message: message.name == "ProtoOAExecutionEvent") as executions,
            account.spots("EURUSD") as spots,
        ):
            async for _ in spots:
                break
            server.deposit(account.id, amount=10_000)
            async for message in executions:
                assert message.payload.executionType == oa.ProtoOAExecutionType.DEPOSIT_WITHDRAW
                break


async def test_a_subscriber_that_falls_behind_is_told_and_nobody_else_is_hurt() -> None:
    async with an_account() as (server, _, account):
        async with account.events(most=2) as slow, account.spots("EURUSD", policy=EVERY) as spots:
            for bid in range(130_000, 130_010):
                server.set_price(EURUSD, bid=bid, ask=140_000)
            async for spot in spots:
                if spot.bid_wire == 130_009:
                    break
            with pytest.raises(SlowConsumer):
                async for _ in slow:
                    pass
            assert (await account.request(oa.ProtoOATraderReq())).trader.traderLogin == account.trader_login


async def test_a_filter_that_raises_ends_its_own_stream_and_not_the_link() -> None:
    async with an_account() as (server, session, account):

        def broken(message: Message) -> bool:
            raise RuntimeError(f"a fault of the subscriber's own: {message.name}")

        async with account.events(wanted=broken) as events:
            server.deposit(account.id, amount=10_000)
            with pytest.raises(RuntimeError, match="own"):
                async for _ in events:
                    pass
        assert session.state is SessionState.READY
        assert server.seen.names().count("connected") == 1


async def test_a_loop_over_quotes_may_ask_the_account_itself() -> None:
    async with an_account() as (_, _, account):
        async with account.spots("EURUSD", policy=EVERY) as spots:
            async for _ in spots:
                answer = await account.request(oa.ProtoOATraderReq())
                assert answer.trader.traderLogin == account.trader_login
                break
