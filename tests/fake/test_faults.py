"""What can go wrong on demand, as a raw client sees it."""

from __future__ import annotations

import ssl
import struct
from collections.abc import Callable
from dataclasses import replace

import anyio
import pytest

from anyctrader.fake import Clock, FakeServer, Step, Timing, WrongCertificate, faults
from anyctrader.fake.choices import Weekend
from anyctrader.fake.injection import Fault, Faults, OutgoingFrame
from anyctrader.fake.refused import Carried
from anyctrader.fake.settings import AnswerVariants
from anyctrader.proto import schema as oa

from .quick import QUICK
from .raw_client import RawClient, connected

pytestmark = pytest.mark.anyio


def is_filled(frame: OutgoingFrame) -> bool:
    return frame.name == "ProtoOAExecutionEvent" and frame.payload.executionType == oa.ProtoOAExecutionType.ORDER_FILLED


def market_order(server: FakeServer) -> oa.ProtoOANewOrderReq:
    return oa.ProtoOANewOrderReq(
        ctidTraderAccountId=server.account_id,
        symbolId=1,
        orderType=oa.ProtoOAOrderType.MARKET,
        tradeSide=oa.ProtoOATradeSide.BUY,
        volume=100_000,
    )


async def ids_until(client: RawClient, last: str) -> list[str | None]:
    """Asks three times for the version, and gives the ids as they come up to `last`."""
    for number in range(1, 4):
        await client.send(oa.ProtoOAVersionReq(), str(number))
    ids = []
    while not ids or ids[-1] != last:
        ids.append((await client.receive()).id)
    return ids


# -- what is not sent ---------------------------------------------------------------------------------------------


async def test_silence_sends_nothing_and_ends_with_its_block() -> None:
    async with FakeServer(replace(QUICK, timing=Timing(heartbeat_s=0.05, answer_s=0))) as server:
        async with connected(server) as client:
            await client.authorise_app(server)
            with server.faults.inject(faults.Silence()):
                await client.send(oa.ProtoOAVersionReq(), "unheard")
                await server.wait_for("ProtoOAVersionReq")
                with pytest.raises(TimeoutError):
                    await client.until(lambda answer: answer.id == "unheard", timeout_s=0.3)
            assert (await client.receive()).name == "ProtoHeartbeatEvent"
            assert server.faults.active == ()


async def test_what_is_not_answered_is_done_all_the_same() -> None:
    async with FakeServer(QUICK) as server, connected(server) as client, connected(server) as other:
        await client.authorise(server)
        await other.authorise(server)
        with server.faults.inject(faults.Unanswering(), client=1):
            await client.send(market_order(server), "lost")
            filled = await other.until(lambda answer: answer.executionType == oa.ProtoOAExecutionType.ORDER_FILLED)
        reconciled = await client.ask(oa.ProtoOAReconcileReq(ctidTraderAccountId=server.account_id))
        assert [position.positionId for position in reconciled.position] == [filled.position.positionId]


async def test_what_is_not_heard_is_not_done() -> None:
    async with FakeServer(QUICK) as server, connected(server) as client:
        await client.authorise(server)
        with server.faults.inject(faults.Deafness("ProtoOANewOrderReq")):
            await client.send(market_order(server), "unheard")
            await server.wait_for("ProtoOANewOrderReq")
            reconciled = await client.ask(oa.ProtoOAReconcileReq(ctidTraderAccountId=server.account_id))
        assert not reconciled.position


async def test_an_execution_event_may_be_lost() -> None:
    async with FakeServer(QUICK) as server, connected(server) as client, connected(server) as other:
        await client.authorise(server)
        await other.authorise(server)
        server.faults.inject(faults.Lose(which=is_filled), client=1)
        await client.send(market_order(server), "order")
        await other.until(lambda answer: answer.executionType == oa.ProtoOAExecutionType.ORDER_FILLED)
        await client.ask(oa.ProtoOAVersionReq())
        assert [answer.executionType for answer in client.unread] == [oa.ProtoOAExecutionType.ORDER_ACCEPTED]


# -- what is sent at another time ---------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [lambda: faults.Delay(0.05), lambda: faults.Jitter(0.1, seed=3)])
async def test_delay_and_jitter_keep_the_order(fault: Callable[[], Fault]) -> None:
    async with FakeServer(QUICK) as server, connected(server) as client:
        began_s = anyio.current_time()
        with server.faults.inject(fault()):
            for number in range(8):
                await client.send(oa.ProtoOAVersionReq(), str(number))
            await server.wait_for("ProtoOAVersionReq", count=8)
        await client.send(oa.ProtoOAVersionReq(), "after")  # no delay of its own, and yet it overtakes nothing
        assert [(await client.receive()).id for _ in range(9)] == [*map(str, range(8)), "after"]
        assert anyio.current_time() - began_s > 0.02


async def test_a_late_fill_is_overtaken_by_what_follows() -> None:
    async with FakeServer(QUICK) as server, connected(server) as client, connected(server) as other:
        await client.authorise(server)
        await other.authorise(server)
        server.faults.inject(faults.Late(1.0, which=is_filled), client=1)
        await client.send(market_order(server), "order")
        await other.until(lambda answer: answer.executionType == oa.ProtoOAExecutionType.ORDER_FILLED)
        await client.ask(oa.ProtoOAVersionReq())
        assert [answer.executionType for answer in client.unread] == [oa.ProtoOAExecutionType.ORDER_ACCEPTED]
        client.unread.clear()
        late = await client.until("ProtoOAExecutionEvent")
        assert (late.executionType, late.id) == (oa.ProtoOAExecutionType.ORDER_FILLED, "order")


async def test_two_frames_change_places() -> None:
    async with FakeServer(QUICK) as server, connected(server) as client:
        server.faults.inject(faults.Reorder(2))
        assert await ids_until(client, "2") == ["1", "3", "2"]
        assert server.faults.active == ()
        assert await ids_until(client, "3") == ["1", "2", "3"]


# -- what is sent differently -------------------------------------------------------------------------------------


async def test_a_frame_is_sent_twice() -> None:
    async with FakeServer(QUICK) as server, connected(server) as client:
        server.faults.inject(faults.Duplicate(2))
        assert await ids_until(client, "3") == ["1", "2", "2", "3"]


@pytest.mark.parametrize("flavour", ["protobuf", "json"])
@pytest.mark.parametrize(("fault", "ids"), [(faults.DropBefore, ["1"]), (faults.DropAfter, ["1", "2"])])
async def test_the_connection_drops_before_or_after_the_nth_frame(
    flavour: str, fault: Callable[[int], Fault], ids: list[str]
) -> None:
    async with FakeServer(QUICK) as server, connected(server, flavour) as client:
        server.faults.inject(fault(2))
        for number in range(1, 4):
            await client.send(oa.ProtoOAVersionReq(), str(number))
        assert [answer.id for answer in await client.gone()] == ids


async def test_half_a_frame_and_the_end() -> None:
    async with FakeServer(QUICK) as server, connected(server) as client:
        server.faults.inject(faults.HalfFrame())
        await client.send(oa.ProtoOAVersionReq(), "1")
        data = b""
        with anyio.fail_after(10):
            while True:
                try:
                    data += await client.stream.receive()
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    break
        announced = struct.unpack(">I", data[:4])[0]
        assert 0 < len(data) < 4 + announced


@pytest.mark.parametrize(
    ("fault", "data"),
    [
        (faults.Garbage, b"\x00\x00\x00\x10" + b"\xff" * 16),
        (faults.OversizeLength, b"\x7f\xff\xff\xff"),
        (lambda: faults.Replace(b"anything"), b"anything"),
    ],
)
async def test_other_bytes_leave_in_place_of_a_frame(fault: Callable[[], Fault], data: bytes) -> None:
    async with FakeServer(QUICK) as server, connected(server) as client:
        server.faults.inject(fault())
        await client.send(oa.ProtoOAVersionReq(), "1")
        with anyio.fail_after(10):
            assert await client.stream.receive() == data


# -- what is refused ----------------------------------------------------------------------------------------------


async def test_maintenance_refuses_everything_but_the_version() -> None:
    async with FakeServer(replace(QUICK, strict=True)) as server, connected(server) as client:
        with server.faults.inject(faults.Maintenance(end_s=1_800_000_000)):
            error = await client.authorise_app(server)
            assert (error.errorCode, error.maintenanceEndTimestamp) == ("SERVER_IS_UNDER_MAINTENANCE", 1_800_000_000)
            assert (await client.ask(oa.ProtoOAVersionReq())).name == "ProtoOAVersionRes"
        with server.faults.inject(faults.Maintenance("CANT_ROUTE_REQUEST", carried=Carried.PROXY_ERROR)):
            error = await client.authorise_app(server)
            assert (error.name, error.errorCode) == ("ProtoErrorRes", "CANT_ROUTE_REQUEST")
        assert (await client.authorise(server)).name == "ProtoOAAccountAuthRes"


async def test_a_maintenance_that_lasts_for_a_time_says_when_it_ends() -> None:
    held = replace(QUICK, clock=Clock.HELD, clock_ms=1_800_000_000_500)
    async with FakeServer(held) as server, connected(server) as client:
        with server.play(Step.from_text("maintenance for_s=30")):
            assert (await client.authorise_app(server)).maintenanceEndTimestamp == 1_800_000_031
        with server.play(Step.from_text("maintenance for_s=30 end_s=1800000900")):
            assert (await client.authorise_app(server)).maintenanceEndTimestamp == 1_800_000_900
        with server.play(Step.from_text("maintenance for_s=30 code=CANT_ROUTE_REQUEST")):
            assert not (await client.authorise_app(server)).has("maintenanceEndTimestamp")


async def test_a_proxy_error_gives_the_end_of_maintenance_in_ms() -> None:
    async with FakeServer(QUICK) as server, connected(server) as client:
        server.faults.inject(faults.Maintenance(end_s=1_800_000_000, carried=Carried.PROXY_ERROR))
        assert (await client.authorise_app(server)).maintenanceEndTimestamp == 1_800_000_000_000


async def test_one_request_is_blocked_so_many_times() -> None:
    async with FakeServer(QUICK) as server, connected(server) as client:
        server.faults.inject(faults.Blocked(oa.ProtoOAApplicationAuthReq, retry_after_s=4, times=2))
        for _ in range(2):
            error = await client.authorise_app(server)
            assert (error.errorCode, error.retryAfter) == ("BLOCKED_PAYLOAD_TYPE", 4)
            assert (await client.ask(oa.ProtoOAVersionReq())).name == "ProtoOAVersionRes"
        assert (await client.authorise_app(server)).name == "ProtoOAApplicationAuthRes"
        assert server.faults.active == ()


async def test_the_limit_of_connections_can_be_lowered() -> None:
    async with FakeServer(QUICK) as server, connected(server) as one, connected(server) as two:
        await one.authorise_app(server)
        with server.faults.inject(faults.ConnectionLimit(1)):
            assert (await two.authorise_app(server)).errorCode == "CONNECTIONS_LIMIT_EXCEEDED"
        assert (await two.authorise_app(server)).name == "ProtoOAApplicationAuthRes"


# -- TLS ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", list(WrongCertificate))
async def test_a_wrong_certificate_is_shown_while_the_fault_lasts(wrong: WrongCertificate) -> None:
    async with FakeServer(QUICK) as server:
        with server.faults.inject(faults.WrongTls(wrong)):
            with pytest.raises(ssl.SSLCertVerificationError):
                async with connected(server):
                    pass
            await server.wait_for("handshake failed")
        async with connected(server) as client:
            assert (await client.ask(oa.ProtoOAVersionReq())).name == "ProtoOAVersionRes"


async def test_tls_may_be_refused() -> None:
    async with FakeServer(QUICK) as server:
        with server.faults.inject(faults.RefuseTls()):
            with pytest.raises((anyio.BrokenResourceError, anyio.EndOfStream, OSError)):
                async with connected(server):
                    pass
        async with connected(server) as client:
            assert (await client.ask(oa.ProtoOAVersionReq())).name == "ProtoOAVersionRes"


@pytest.mark.parametrize("choice", [Weekend.LINKS_CLOSED, Weekend.TLS_REFUSED])
async def test_a_weekend_may_close_links_and_refuse_new_ones(choice: Weekend) -> None:
    async with FakeServer(replace(QUICK, variants=AnswerVariants(weekend=choice))) as server:
        async with connected(server) as client:
            await client.authorise(server)
            injection = server.begin_weekend()
            await client.gone()
        if injection is not None:
            with pytest.raises((anyio.BrokenResourceError, anyio.EndOfStream, OSError)):
                async with connected(server):
                    pass
            injection.remove()
        async with connected(server) as client:
            assert (await client.authorise(server)).name == "ProtoOAAccountAuthRes"


# -- which client, which frame ------------------------------------------------------------------------------------


async def test_a_fault_of_one_client_leaves_the_others_alone() -> None:
    async with FakeServer(QUICK) as server, connected(server) as one, connected(server) as two:
        server.faults.inject(faults.DropBefore(), client=1)
        await one.send(oa.ProtoOAVersionReq())
        assert await one.gone() == []
        assert (await two.ask(oa.ProtoOAVersionReq())).name == "ProtoOAVersionRes"


async def test_frames_are_counted_by_name_from_the_injection_on() -> None:
    async with FakeServer(QUICK) as server, connected(server) as client:
        await client.ask(oa.ProtoOAVersionReq())
        server.faults.inject(faults.DropAfter(2, which="ProtoOAVersionRes"))
        await client.authorise(server)
        await client.ask(oa.ProtoOAVersionReq())
        await client.send(oa.ProtoOAVersionReq(), "last")
        assert [answer.id for answer in await client.gone()] == ["last"]


def frame(name: str = "1", client: int = 1) -> OutgoingFrame:
    return OutgoingFrame(client, oa.ProtoOAVersionRes(version=name), name, name.encode())


def test_faults_act_one_after_the_other() -> None:
    active = Faults()
    active.inject(faults.Duplicate())
    active.inject(faults.Lose(2))
    assert [shaped.data for shaped in active.outgoing(frame("1"))] == [b"1"]
    assert active.active == ()


def test_a_fault_that_was_removed_may_be_removed_again() -> None:
    active = Faults()
    injection = active.inject(faults.Silence())
    injection.remove()
    injection.remove()
    assert active.outgoing(frame()) == [frame()]


def test_a_block_strikes_at_least_once() -> None:
    with pytest.raises(ValueError, match="never strikes"):
        faults.Blocked(times=0)


def test_frames_are_counted_from_one() -> None:
    with pytest.raises(ValueError, match="counted from 1"):
        faults.Lose(0)


def test_jitter_of_one_seed_is_always_the_same() -> None:
    def delays() -> list[float]:
        jitter = faults.Jitter(1)
        return [shaped.delay_s for _ in range(5) for shaped in jitter.outgoing(frame())]

    assert delays() == delays()
    assert len(set(delays())) == 5
