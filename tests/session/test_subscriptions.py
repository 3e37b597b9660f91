"""Bounded streams: the reader puts, consumers take, and nobody waits for a slow one."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from anyctrader.session import EVERY, LATEST, SessionClosed, SlowConsumer, Spot, clock
from anyctrader.session.subscriptions import EventStream, SpotBoard, spot_stream
from anyctrader.wire import messages as oa

pytestmark = pytest.mark.anyio


def event(bid: int | None = None, ask: int | None = None, *, symbol_id: int = 1, at_ms: int | None = None) -> Any:
    message = oa.ProtoOASpotEvent(ctidTraderAccountId=7, symbolId=symbol_id)
    if bid is not None:
        message.bid = bid
    if ask is not None:
        message.ask = ask
    if at_ms is not None:
        message.timestamp = at_ms
    return message


def board_with(*streams: Any, symbol_id: int = 1) -> SpotBoard:
    board = SpotBoard()
    for stream in streams:
        board.join(symbol_id, f"S{symbol_id}", stream)
    return board


async def take(stream: Any, count: int) -> list[Any]:
    taken: list[Any] = []
    async for item in stream:
        taken.append(item)
        if len(taken) == count:
            break
    return taken


# LATEST


async def test_latest_keeps_the_newest_of_each_symbol_and_counts_what_it_replaced() -> None:
    stream = spot_stream(LATEST)
    board = board_with(stream)
    board.join(2, "S2", stream)
    for price in (100, 101, 102):
        board.heard(event(price, price + 5), now_s=1)
    board.heard(event(200, 210, symbol_id=2), now_s=1)
    first, second = await take(stream, 2)
    assert {(s.symbol, s.bid_wire, s.conflated) for s in (first, second)} == {("S1", 102, 2), ("S2", 200, 0)}


async def test_what_was_taken_does_not_count_as_conflated() -> None:
    stream = spot_stream(LATEST)
    board = board_with(stream)
    board.heard(event(100, 105), now_s=1)
    await take(stream, 1)
    board.heard(event(101, 105), now_s=1)
    assert [spot.conflated for spot in await take(stream, 1)] == [0]


async def test_a_slow_subscriber_of_latest_changes_nothing_for_a_fast_one() -> None:
    slow, fast = spot_stream(LATEST), spot_stream(EVERY)
    board = board_with(slow, fast)
    for price in (100, 101, 102):
        board.heard(event(price, 200), now_s=1)
    assert [(s.bid_wire, s.conflated) for s in await take(fast, 3)] == [(100, 0), (101, 0), (102, 0)]
    assert [(s.bid_wire, s.conflated) for s in await take(slow, 1)] == [(102, 2)]


async def test_no_symbol_starves_another_under_latest() -> None:
    stream = spot_stream(LATEST)
    board = board_with(stream)
    board.join(2, "S2", stream)
    board.heard(event(1, 2), now_s=1)
    board.heard(event(1, 2, symbol_id=2), now_s=1)
    board.heard(event(3, 4), now_s=1)
    assert [spot.symbol for spot in await take(stream, 2)] == ["S2", "S1"]


# EVERY


async def test_every_gives_all_quotes_in_their_order() -> None:
    stream = spot_stream(EVERY)
    board = board_with(stream)
    for price in range(1, 1001):
        board.heard(event(price, 5000), now_s=1)
    assert [spot.bid_wire for spot in await take(stream, 1000)] == list(range(1, 1001))


async def test_a_subscriber_behind_its_bound_is_ended_with_a_count() -> None:
    stream = spot_stream(EVERY, most=3)
    board = board_with(stream)
    for price in range(1, 6):
        board.heard(event(price, 50), now_s=1)
    with pytest.raises(SlowConsumer) as caught:
        await take(stream, 1)
    assert caught.value.dropped == 4
    with pytest.raises(SlowConsumer):
        await take(stream, 1)


async def test_a_subscriber_at_its_bound_is_not_ended() -> None:
    stream = spot_stream(EVERY, most=3)
    board = board_with(stream)
    for price in range(1, 4):
        board.heard(event(price, 50), now_s=1)
    assert len(await take(stream, 3)) == 3


async def test_only_the_slow_subscriber_is_ended() -> None:
    slow, other = spot_stream(EVERY, most=1), spot_stream(EVERY, most=10)
    board = board_with(slow, other)
    for price in range(1, 4):
        board.heard(event(price, 50), now_s=1)
    assert len(await take(other, 3)) == 3
    with pytest.raises(SlowConsumer):
        await take(slow, 1)


# Both sides


async def test_a_subscriber_always_gets_both_sides() -> None:
    stream = spot_stream(EVERY)
    board = board_with(stream)
    board.heard(event(100, 105), now_s=1)
    board.heard(event(ask=106), now_s=2)
    board.heard(event(bid=101), now_s=3)
    spots: list[Spot] = await take(stream, 3)
    assert [(s.bid_wire, s.ask_wire) for s in spots] == [(100, 105), (100, 106), (101, 106)]
    assert (spots[2].bid, spots[2].ask) == (Decimal("0.00101"), Decimal("0.00106"))


async def test_nothing_is_told_while_one_side_is_not_known() -> None:
    stream = spot_stream(EVERY)
    board = board_with(stream)
    board.heard(event(bid=100), now_s=1)
    assert board.last(1) is None
    board.heard(event(ask=105), now_s=2)
    assert [(s.bid_wire, s.ask_wire) for s in await take(stream, 1)] == [(100, 105)]


async def test_a_side_from_before_a_loss_is_not_told_as_the_present_one() -> None:
    stream = spot_stream(EVERY)
    board = board_with(stream)
    board.heard(event(100, 105), now_s=1)
    await take(stream, 1)
    board.forget()
    board.heard(event(ask=90), now_s=2)
    assert board.last(1) is None
    board.heard(event(bid=80), now_s=3)
    assert [(s.bid_wire, s.ask_wire) for s in await take(stream, 1)] == [(80, 90)]


async def test_the_servers_time_is_told_where_it_was_sent() -> None:
    stream = spot_stream(EVERY)
    board = board_with(stream)
    board.heard(event(100, 105), now_s=1)
    board.heard(event(101, at_ms=1_700_000_000_000), now_s=2.5)
    first, second = await take(stream, 2)
    assert (first.at_ms, second.at_ms, second.heard_s) == (None, 1_700_000_000_000, 2.5)


# Coming and going


async def test_a_second_subscriber_hears_the_last_quote_at_once() -> None:
    first, second = spot_stream(LATEST), spot_stream(LATEST)
    board = SpotBoard()
    assert board.join(1, "S1", first) is True
    board.heard(event(100, 105), now_s=1)
    assert board.join(1, "S1", second) is False
    assert [spot.bid_wire for spot in await take(second, 1)] == [100]


async def test_a_symbol_is_unwanted_when_its_last_subscriber_has_left() -> None:
    first, second = spot_stream(LATEST), spot_stream(LATEST)
    board = board_with(first, second)
    assert board.leave(1, first) is False
    assert board.wanted == (1,)
    assert board.leave(1, second) is True
    assert board.wanted == ()
    assert board.leave(1, second) is False


async def test_an_event_after_the_last_subscriber_has_left_is_nobodys() -> None:
    stream = spot_stream(EVERY)
    board = board_with(stream)
    board.heard(event(100, 105), now_s=1)
    board.leave(1, stream)
    stream.end()
    board.heard(event(101, 106), now_s=2)
    assert board.last(1) is None
    assert [spot.bid_wire for spot in [s async for s in stream]] == [100]


async def test_whoever_comes_back_does_not_get_the_old_price() -> None:
    stream, again = spot_stream(LATEST), spot_stream(LATEST)
    board = board_with(stream)
    board.heard(event(100, 105), now_s=1)
    board.leave(1, stream)
    assert board.join(1, "S1", again) is True
    again.end()
    assert [s async for s in again] == []


async def test_the_end_of_a_session_ends_every_stream_after_what_it_still_holds() -> None:
    stream = spot_stream(EVERY)
    board = board_with(stream)
    board.heard(event(100, 105), now_s=1)
    board.end("left")
    assert len(await take(stream, 1)) == 1
    with pytest.raises(SessionClosed, match="left"):
        await take(stream, 1)
    board.heard(event(101, 106), now_s=2)


# Streams of events


async def test_a_stream_gives_only_what_is_wanted() -> None:
    stream: EventStream[int] = EventStream(wanted=lambda number: number % 2 == 0)
    for number in range(6):
        stream.put(number)
    assert await take(stream, 3) == [0, 2, 4]


async def test_a_filter_that_raises_ends_its_own_stream_and_nothing_else() -> None:
    stream: EventStream[int] = EventStream(wanted=lambda number: 1 / (number - 1) != 0)
    stream.put(0)
    stream.put(1)
    stream.put(2)
    assert await take(stream, 1) == [0]
    with pytest.raises(ZeroDivisionError):
        await take(stream, 1)


async def test_a_waiting_subscriber_wakes_for_each_event() -> None:
    stream: EventStream[int] = EventStream()
    taken: list[int] = []

    async def consume() -> None:
        async for number in stream:
            taken.append(number)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(consume)
        for number in range(3):
            await anyio.wait_all_tasks_blocked()
            stream.put(number)
        await anyio.wait_all_tasks_blocked()
        stream.end()
    assert taken == [0, 1, 2]


async def test_a_full_stream_lets_other_tasks_run_every_ten_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = itertools.count()
    monkeypatch.setattr(clock, "now_s", lambda: next(looks) / 1000)  # a millisecond passes between two looks
    stream: EventStream[int] = EventStream()
    stream.put_all(range(1_600))  # a hundred looks
    ran = 0
    done = False

    async def other() -> None:
        nonlocal ran
        while not done:
            ran += 1
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other)
        await take(stream, 1_600)
        done = True
    assert 8 <= ran <= 20


async def test_a_cancelled_take_loses_nothing() -> None:
    stream: EventStream[int] = EventStream()
    with anyio.move_on_after(0):
        await take(stream, 1)
    stream.put(1)
    assert await take(stream, 1) == [1]


async def test_nothing_is_put_into_a_stream_that_has_ended() -> None:
    stream: EventStream[int] = EventStream()
    stream.end()
    stream.put(1)
    assert [number async for number in stream] == []


async def test_the_first_reason_of_an_end_counts() -> None:
    stream: EventStream[int] = EventStream()
    stream.end(SessionClosed("first"))
    stream.end(SlowConsumer("second", dropped=1))
    with pytest.raises(SessionClosed):
        await take(stream, 1)


async def test_a_consumer_that_takes_long_over_each_event_lets_others_run_too(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr(clock, "now_s", lambda: now_s)
    stream: EventStream[int] = EventStream()
    stream.put_all(range(400))
    others_ran = [now_s]

    async def other() -> None:
        while others_ran[-1] < 101.0:
            others_ran.append(now_s)
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(other)
        async for _ in stream:
            now_s += 0.004
            if now_s > 101.0:
                break
        tasks.cancel_scope.cancel()
    gaps = [later - earlier for earlier, later in itertools.pairwise(others_ran)]
    assert max(gaps) < 0.021  # trio may let the consumer go first once more
    assert len(gaps) > 70
