from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.session import clock
from anyctrader.session.errors import NotSent, OutcomeUnknown, RateLimited, Refused, ServerError, UnderMaintenance
from anyctrader.session.link import Link
from anyctrader.session.settings import Rates, Timings
from anyctrader.session.tasks import background
from anyctrader.session.transport import client_framing, open_stream
from anyctrader.wire import Budget, LocalProtocolError, Message
from anyctrader.wire import messages as oa
from anyctrader.wire.events import ErrorReceived, Event, EventReceived, LinkClosed, SpotsReceived, UndecodedReceived

from .peer import CODEC, NO_FRAME, NO_FRAME_IS, UNKNOWN, Answer, Peer, begun, framed, listening, the_codec

pytestmark = [pytest.mark.anyio, pytest.mark.uvloop]


class Ears:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self._news = anyio.Event()

    def heard(self, event: Event) -> None:
        self.events.append(event)
        self._news.set()
        self._news = anyio.Event()

    async def until(self, kind: type[Any], count: int = 1) -> list[Any]:
        while len(found := [event for event in self.events if isinstance(event, kind)]) < count:
            await self._news.wait()
        return found


class Running:
    def __init__(self, link: Link, peer: Peer, ears: Ears) -> None:
        self.link, self.peer, self.ears = link, peer, ears
        self.reason: str | None = None
        self.ended = anyio.Event()

    async def run(self) -> None:
        self.reason = await self.link.run()
        self.ended.set()

    async def ready(self) -> None:
        auth = oa.ProtoOAApplicationAuthReq(clientId="a", clientSecret="b")
        await self.link.request(auth, timeout_s=5)


@asynccontextmanager
async def linked(
    folder: Path,
    answers: dict[str, Answer] | None = None,
    *,
    timings: Timings | None = None,
    rates: Rates | None = None,
    authenticated: bool = True,
    release: Callable[[Message], None] = lambda _: None,
) -> AsyncIterator[Running]:
    peer, ears = Peer(answers), Ears()
    async with listening(peer, folder) as endpoint:
        stream = await open_stream(endpoint, deadline_s=5)
        link = Link(
            stream,
            the_codec(),
            framing=client_framing(endpoint, CODEC),
            timings=timings or Timings(),
            rates=rates or Rates(),
            listener=ears,
            release=release,
        )
        running = Running(link, peer, ears)
        async with background() as tasks:
            tasks.start_soon(running.run)
            if authenticated:
                await running.ready()
            yield running


VERSION = oa.ProtoOAVersionReq()


async def test_a_request_gets_its_answer(tmp_path: Path) -> None:
    async with linked(tmp_path) as running:
        answer = await running.link.request(VERSION, timeout_s=5)
        assert answer.payload.version == "91"


async def test_answers_out_of_order_reach_whoever_asked(tmp_path: Path) -> None:
    kept: list[tuple[Any, str]] = []

    async with linked(tmp_path) as running:
        connection = running.peer._connection
        assert connection is not None
        running.peer.answers["ProtoOASymbolByIdReq"] = lambda _, r: (kept.append((r, "")), [])[1]
        await running.link.request(oa.ProtoOAAccountAuthReq(ctidTraderAccountId=1, accessToken="t"), timeout_s=5)
        answers: dict[int, Any] = {}

        async def ask(symbol: int) -> None:
            request = oa.ProtoOASymbolByIdReq(ctidTraderAccountId=1, symbolId=[symbol])
            answers[symbol] = (await running.link.request(request, timeout_s=5)).payload

        async with anyio.create_task_group() as tasks:
            for symbol in range(5):
                tasks.start_soon(ask, symbol)
            await running.peer.until(lambda: len(kept) == 5)
            ids = {r.symbolId[0]: i for i, (r, _) in enumerate(kept)}
            open_ids = sorted(connection.open_ids, key=lambda text: int(text.rpartition("-")[2]))
            for symbol in reversed(range(5)):
                answer = oa.ProtoOASymbolByIdRes(ctidTraderAccountId=1)
                answer.symbol.add(symbolId=symbol, digits=5, pipPosition=4)
                await running.peer.say(answer, open_ids[ids[symbol]])
        assert {symbol: answer.symbol[0].symbolId for symbol, answer in answers.items()} == {n: n for n in range(5)}


async def test_an_error_answer_is_raised_with_its_code(tmp_path: Path) -> None:
    error = oa.ProtoOAErrorRes(errorCode="INVALID_REQUEST", description="no")
    async with linked(tmp_path, {"ProtoOAVersionReq": lambda *_: [error]}) as running:
        with pytest.raises(ServerError, match="INVALID_REQUEST: no") as failure:
            await running.link.request(VERSION, timeout_s=5)
    assert failure.value.code == "INVALID_REQUEST"


@pytest.mark.parametrize("code", ["BLOCKED_PAYLOAD_TYPE", "REQUEST_FREQUENCY_EXCEEDED"])
async def test_a_rate_refusal_says_when_it_may_be_repeated(tmp_path: Path, code: str) -> None:
    error = oa.ProtoOAErrorRes(errorCode=code, retryAfter=3)
    async with linked(tmp_path, {"ProtoOAVersionReq": lambda *_: [error]}) as running:
        with pytest.raises(RateLimited) as failure:
            await running.link.request(VERSION, timeout_s=5)
    assert failure.value.retry_after_s == 3


@pytest.mark.parametrize("at", [1_800_000_000, 1_800_000_000_000])
async def test_maintenance_says_its_end_in_milliseconds_whatever_the_server_wrote(tmp_path: Path, at: int) -> None:
    error = oa.ProtoOAErrorRes(errorCode="SERVER_IS_UNDER_MAINTENANCE", maintenanceEndTimestamp=at)
    async with linked(tmp_path, {"ProtoOAVersionReq": lambda *_: [error]}) as running:
        with pytest.raises(UnderMaintenance) as failure:
            await running.link.request(VERSION, timeout_s=5)
    assert failure.value.until_ms == 1_800_000_000_000


async def test_a_request_that_is_not_answered_in_time_has_an_unknown_outcome(tmp_path: Path) -> None:
    async with linked(tmp_path, {"ProtoOAVersionReq": lambda *_: []}) as running:
        with pytest.raises(OutcomeUnknown, match=r"was not answered within 0\.05 s"):
            await running.link.request(VERSION, timeout_s=0.05)


async def test_the_late_answer_of_a_request_that_gave_up_is_nobodys(tmp_path: Path) -> None:
    late: list[Any] = []
    async with linked(tmp_path, {"ProtoOAVersionReq": lambda p, r: (late.append(r), [])[1]}) as running:
        peer, connection = running.peer, running.peer._connection
        assert connection is not None
        with pytest.raises(OutcomeUnknown):
            await running.link.request(VERSION, timeout_s=0.05)
        (stale,) = connection.open_ids
        peer.answers["ProtoOAVersionReq"] = lambda *_: [oa.ProtoOAVersionRes(version="right")]
        await peer.say(oa.ProtoOAVersionRes(version="stale"), stale)
        answer = await running.link.request(VERSION, timeout_s=5)
        assert answer.payload.version == "right"
        assert running.link.connection.late_answers == 1


async def test_a_cancelled_request_that_has_not_left_never_leaves(tmp_path: Path) -> None:
    async with linked(tmp_path) as running:
        running.link.throttle.block(2104, until_s=clock.now_s() + 60)
        running.peer.heard.clear()
        with anyio.move_on_after(0.02):
            await running.link.request(VERSION, timeout_s=120)
        assert running.link.queued == 0
        assert running.peer.heard == []


async def test_a_request_that_waits_too_long_in_the_queue_was_not_sent(tmp_path: Path) -> None:
    async with linked(tmp_path) as running:
        for _ in range(50):
            running.link.throttle.sent(Budget.ORDINARY, now_s=clock.now_s())
        with pytest.raises(NotSent, match="waited in the queue too long"):
            await running.link.request(VERSION, timeout_s=5, leave_within_s=0.05)
        with pytest.raises(NotSent, match="did not leave"):
            await running.link.request(VERSION, timeout_s=0.05)
        assert "ProtoOAVersionReq" not in running.peer.names()


async def test_a_request_that_cannot_leave_in_its_time_is_told_at_once(tmp_path: Path) -> None:
    async with linked(tmp_path) as running:
        running.link.throttle.block(2104, until_s=clock.now_s() + 600)
        with anyio.fail_after(5), pytest.raises(NotSent, match="held back by the server for another 600 s"):
            await running.link.request(VERSION, timeout_s=60)
        assert "ProtoOAVersionReq" not in running.peer.names()


async def test_a_read_of_the_sessions_own_goes_ahead_of_callers_queries(tmp_path: Path) -> None:
    async with linked(tmp_path) as running:
        link, left = running.link, []
        link.throttle.block(2104, until_s=clock.now_s() + 2)

        async def ask(name: str, ahead: bool) -> None:
            await link.request(VERSION, timeout_s=10, ahead=ahead, on_sent=lambda at_ms, id_: left.append(name))

        async with anyio.create_task_group() as tasks:
            for name, ahead in (("query", False), ("another query", False), ("own", True)):
                tasks.start_soon(ask, name, ahead)
                await anyio.wait_all_tasks_blocked()
        assert left == ["own", "query", "another query"]


async def test_what_is_not_released_does_not_leave(tmp_path: Path) -> None:
    refusing = True

    def release(message: Message) -> None:
        if refusing and message.name == "ProtoOAVersionReq":
            raise Refused(f"{message.name} may not")

    async with linked(tmp_path, release=release) as running:
        with pytest.raises(Refused, match="may not"):
            await running.link.request(VERSION, timeout_s=5)
        assert "ProtoOAVersionReq" not in running.peer.names()
        refusing = False
        await running.link.request(VERSION, timeout_s=5)


async def test_what_may_not_be_said_now_is_our_fault_and_costs_nothing(tmp_path: Path) -> None:
    async with linked(tmp_path) as running:
        with pytest.raises(LocalProtocolError, match="needs account 9 authorised"):
            await running.link.request(oa.ProtoOATraderReq(ctidTraderAccountId=9), timeout_s=5)
        await running.link.request(VERSION, timeout_s=5)


async def test_sent_is_told_just_before_the_bytes_leave(tmp_path: Path) -> None:
    told: list[tuple[int, str, bool]] = []
    async with linked(tmp_path) as running:
        peer = running.peer
        await running.link.request(
            VERSION, timeout_s=5, on_sent=lambda at, id_: told.append((at, id_, "ProtoOAVersionReq" in peer.names()))
        )
    ((at_ms, client_msg_id, arrived),) = told
    assert at_ms > 1_600_000_000_000
    assert client_msg_id.endswith("-2")
    assert not arrived


async def test_ids_of_two_links_never_meet(tmp_path: Path) -> None:
    seen: list[str] = []
    for _ in range(2):
        async with linked(tmp_path) as running:
            await running.link.request(VERSION, timeout_s=5, on_sent=lambda _, id_: seen.append(id_))
    assert seen[0] != seen[1]


async def test_heartbeats_leave_while_nothing_else_does(tmp_path: Path) -> None:
    timings = Timings(heartbeat_s=0.05)
    async with linked(tmp_path, timings=timings) as running:
        await running.peer.until(lambda: running.peer.names().count("HeartbeatReceived") >= 3)


async def test_heartbeats_leave_while_requests_wait_for_the_throttle(tmp_path: Path) -> None:
    timings = Timings(heartbeat_s=0.05)
    async with linked(tmp_path, timings=timings, rates=Rates(ordinary_per_s=1)) as running:
        async with background() as tasks:
            tasks.start_soon(lambda: running.link.request(VERSION, timeout_s=30))
            await running.peer.until(lambda: running.peer.names().count("HeartbeatReceived") >= 2)
            assert "ProtoOAVersionReq" not in running.peer.names()


async def test_a_peer_that_falls_silent_is_dead_after_the_watchdogs_time(tmp_path: Path) -> None:
    timings = Timings(heartbeat_s=0.05, watchdog_s=0.2)
    async with linked(tmp_path, timings=timings) as running:
        await running.ended.wait()
        assert running.reason is not None
        assert "silent" in running.reason


async def test_a_peer_whose_frame_only_trickles_in_is_dead_after_the_watchdogs_time(tmp_path: Path) -> None:
    async with linked(tmp_path, timings=Timings(heartbeat_s=0.05, watchdog_s=0.2)) as running:
        await running.peer.say_bytes(begun(15_000_000))
        with anyio.fail_after(5):
            while not running.ended.is_set():
                await running.peer.say_bytes(b"x")
                await anyio.sleep(0.02)
        assert running.reason is not None
        assert "silent" in running.reason


async def test_a_write_that_does_not_finish_ends_the_link(tmp_path: Path) -> None:
    more_than_fits = oa.ProtoOANewOrderReq(
        ctidTraderAccountId=1, symbolId=1, orderType=1, tradeSide=1, volume=1, comment="x" * 14_000_000
    )
    async with linked(tmp_path, timings=Timings(write_s=0.3)) as running:
        await running.link.request(oa.ProtoOAAccountAuthReq(ctidTraderAccountId=1, accessToken="c"), timeout_s=5)
        running.peer.reading = anyio.Event()  # it takes nothing more
        with pytest.raises(OutcomeUnknown, match=r"a write did not finish within 0.3 s"):
            await running.link.request(more_than_fits, timeout_s=30)
        await running.ended.wait()
        assert running.link.lost
        running.peer.reading.set()


async def test_the_end_of_the_stream_ends_the_link_and_all_that_was_under_way(tmp_path: Path) -> None:
    async with linked(tmp_path, {"ProtoOAVersionReq": lambda *_: []}, rates=Rates(ordinary_per_s=1)) as running:
        failures: list[Exception] = []

        async def ask() -> None:
            try:
                await running.link.request(VERSION, timeout_s=30)
            except (NotSent, OutcomeUnknown) as error:
                failures.append(error)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await running.peer.until(lambda: "ProtoOAVersionReq" in running.peer.names())
            for _ in range(10):  # the budget is used up: these wait, one of them for 10 s
                tasks.start_soon(ask)
            while not running.link.queued:
                await anyio.lowlevel.checkpoint()
            running.peer.hang_up()
        assert len(failures) == 11
        assert {type(error) for error in failures} == {NotSent, OutcomeUnknown}
        with pytest.raises(NotSent):
            await running.link.request(VERSION, timeout_s=5)


async def test_half_a_frame_at_the_end_of_the_stream_is_told_from_a_plain_end(tmp_path: Path) -> None:
    for said, told in ((b"", False), (begun(70_000) + b"half", True)):
        async with linked(tmp_path) as running:
            if said:
                await running.peer.say_bytes(said)
            running.peer.hang_up()
            await running.ended.wait()
            assert running.reason is not None
            assert ("the stream ended inside a frame" in running.reason) is told
            assert running.link.lost


async def test_broken_framing_ends_the_link_and_says_what_was_wrong(tmp_path: Path) -> None:
    async with linked(tmp_path) as running:
        await running.peer.say_bytes(NO_FRAME)
        await running.ended.wait()
        assert running.reason is not None
        assert NO_FRAME_IS in running.reason
        assert isinstance(running.ears.events[-1], LinkClosed)


async def test_a_disconnect_event_ends_the_link_with_the_servers_reason(tmp_path: Path) -> None:
    async with linked(tmp_path) as running:
        await running.peer.say(oa.ProtoOAClientDisconnectEvent(reason="too many"))
        await running.ended.wait()
        assert running.reason is not None
        assert "too many" in running.reason


async def test_a_heartbeat_that_is_due_as_the_link_ends_is_no_fault(tmp_path: Path) -> None:
    async with linked(tmp_path) as running:
        hear, link = running.ears.heard, running.link

        def heard(event: Event) -> None:
            hear(event)
            if isinstance(event, LinkClosed):  # the writer is woken before the reader's word ends it
                link.heartbeat.sent_s = -math.inf
                link._news.set()

        running.ears.heard = heard  # type: ignore[method-assign]
        await running.peer.say(oa.ProtoOAClientDisconnectEvent(reason="too many"))
        await running.ended.wait()
        assert running.reason is not None
        assert "too many" in running.reason


async def test_events_and_unknown_messages_go_to_the_listener(tmp_path: Path) -> None:
    async with linked(tmp_path) as running:
        await running.peer.say(oa.ProtoOASpotEvent(ctidTraderAccountId=1, symbolId=1, bid=2))
        await running.peer.say_bytes(framed(UNKNOWN))
        await running.peer.say(oa.ProtoOASymbolChangedEvent(ctidTraderAccountId=1, symbolId=[3]))
        spots, changed = 1, 2  # as events
        if CODEC == "protobuf":  # those of JSON are not gathered
            (gathered,) = await running.ears.until(SpotsReceived)
            assert [spot.bid for spot in gathered.spots] == [2]
            spots, changed = 0, 1
        events = [event.message.payload for event in await running.ears.until(EventReceived, changed)]
        assert [event.bid for event in events[:spots]] == [2] * spots
        assert events[-1].symbolId == [3]
        (undecoded,) = await running.ears.until(UndecodedReceived)
        assert undecoded.payload_type == 9999


async def test_a_reply_of_another_kind_with_our_id_is_told_and_the_real_one_counts(tmp_path: Path) -> None:
    stray = oa.ProtoOAAssetClassListRes(ctidTraderAccountId=1)
    answers: dict[str, Answer] = {"ProtoOAVersionReq": lambda *_: [stray, oa.ProtoOAVersionRes(version="91")]}
    async with linked(tmp_path, answers) as running:
        assert (await running.link.request(VERSION, timeout_s=5)).payload.version == "91"
        (undecoded,) = await running.ears.until(UndecodedReceived)
        assert undecoded.reason == "it carries the id of a ProtoOAVersionReq, which it does not answer"


async def test_an_error_without_an_id_is_told_and_fails_nobody(tmp_path: Path) -> None:
    async with linked(tmp_path) as running:
        await running.peer.say(oa.ProtoErrorRes(errorCode="UNKNOWN_ERROR"))
        (error,) = await running.ears.until(ErrorReceived)
        assert error.client_msg_id is None
        await running.link.request(VERSION, timeout_s=5)


async def test_a_caller_that_is_cancelled_while_its_bytes_are_written_breaks_nothing(tmp_path: Path) -> None:
    big = oa.ProtoOASymbolByIdReq(ctidTraderAccountId=1, symbolId=range(2**60, 2**60 + 300_000))
    async with linked(tmp_path) as running:
        await running.link.request(oa.ProtoOAAccountAuthReq(ctidTraderAccountId=1, accessToken="t"), timeout_s=5)
        running.peer.reading = anyio.Event()  # the peer stops reading, so that the write stands still
        sent = anyio.Event()
        with anyio.CancelScope() as scope:
            async with background() as tasks:

                async def cancel_when_sent() -> None:
                    await sent.wait()
                    scope.cancel()

                tasks.start_soon(cancel_when_sent)
                await running.link.request(big, timeout_s=30, on_sent=lambda *_: sent.set())
        assert scope.cancelled_caught
        running.peer.reading.set()
        answer = await running.link.request(VERSION, timeout_s=10)
        assert answer.payload.version == "91"
        assert len([r for r in running.peer.heard if isinstance(r, oa.ProtoOASymbolByIdReq)]) == 1


async def test_a_time_that_is_no_number_is_refused(tmp_path: Path) -> None:
    async with linked(tmp_path) as running:
        with pytest.raises(ValueError, match="timeout_s is no number"):
            await running.link.request(VERSION, timeout_s=math.nan)
