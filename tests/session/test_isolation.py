"""Demo and live under load, one of them badly off: whatever a server receives belongs to it, and the other goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import FakeServer, faults
from anyctrader.session import (
    EVERY,
    CTraderError,
    Desk,
    Environment,
    LimitOrder,
    SessionState,
    Side,
    SlowConsumer,
    WrongEnvironment,
    clock,
)
from anyctrader.wire import messages as oa

from .rig import EURUSD, audit_of, both

pytestmark = pytest.mark.anyio

DEMO, LIVE = Environment.DEMO, Environment.LIVE
LONG_S = 5.0  # a healthy live side answers in milliseconds; this is for a machine that has other things to do


def strangers(server: FakeServer) -> list[str]:
    """What a server has received that is not its own: another account, another token, another client."""
    own = {
        "ctidTraderAccountId": {server.account_id},
        "clientId": {server.client_id},
        "clientSecret": {server.client_secret},
        "accessToken": {server.access_token},
    }
    found = []
    for seen in server.seen:
        for name, values in own.items():
            value = getattr(seen.message, name, None)
            if value and value not in values:
                found.append(f"{seen.name}.{name}")
    return found


async def load(desk: Desk, environment: Environment, *, rounds: int) -> tuple[int, int]:
    """Asks and trades; how many requests were answered, and how many were not."""
    answered = failed = 0
    for number in range(rounds):
        try:
            account = desk.account(environment)
            answer = await account.request(oa.ProtoOATraderReq(), timeout_s=LONG_S)
            assert answer.trader.ctidTraderAccountId == account.id
            order = await desk.place(environment, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="0.9"))
            assert order.order_id is not None
            await desk.cancel(environment, order.order_id)
            answered += 3
        except CTraderError:
            failed += 1
            await desk.session(environment).wait_for(SessionState.READY)
        assert number < rounds
    return answered, failed


async def test_every_frame_under_load_and_drops_belongs_to_the_server_that_got_it(tmp_path: Path) -> None:
    async with both(tmp_path, live_enabled=True) as (demo_server, live_server, desk):
        results: dict[Environment, tuple[int, int]] = {}

        async def run(environment: Environment) -> None:
            results[environment] = await load(desk, environment, rounds=12)

        async with anyio.create_task_group() as tasks:
            for environment in (DEMO, LIVE):
                tasks.start_soon(run, environment)
                tasks.start_soon(run_twice, desk, environment)
            for _ in range(3):
                await demo_server.wait_for("ProtoOANewOrderReq", since=demo_server.seen.total)
                demo_server.drop_clients()
        assert results[LIVE] == (36, 0)
        assert strangers(demo_server) == strangers(live_server) == []
        ids = [{seen.client_msg_id for seen in server.seen} - {None} for server in (demo_server, live_server)]
        assert not ids[0] & ids[1]
        orders: list[set[Any]] = [
            {seen.message.clientOrderId for seen in server.seen if seen.name == "ProtoOANewOrderReq"}
            for server in (demo_server, live_server)
        ]
        assert not orders[0] & orders[1]
        await desk.flush()
    for line in audit_of(tmp_path):
        if "account_id" in line:
            assert line["account_id"] == {"demo": 1_000_001, "live": 1_000_002}[line["environment"]]


async def run_twice(desk: Desk, environment: Environment) -> None:
    await load(desk, environment, rounds=6)


async def keep_asking(desk: Desk, *, times: int = 20) -> float:
    """Asks live again and again; the longest that it took, seconds."""
    longest_s = 0.0
    account = desk.account(LIVE)
    for _ in range(times):
        began_s = clock.now_s()
        answer = await account.request(oa.ProtoOATraderReq(), timeout_s=LONG_S)
        assert answer.trader.ctidTraderAccountId == account.id
        longest_s = max(longest_s, clock.now_s() - began_s)
    return longest_s


@pytest.mark.parametrize("towards", [DEMO, LIVE])
async def test_no_raw_request_carries_the_secrets_of_one_environment_to_the_other(
    tmp_path: Path, towards: Environment
) -> None:
    async with both(tmp_path) as (demo, live, desk):
        server, other = (demo, live) if towards is DEMO else (live, demo)
        session = desk.session(towards)
        access, refresh = other.access_token, other.refresh_token
        for request in (
            oa.ProtoOAAccountAuthReq(ctidTraderAccountId=server.account_id, accessToken=access),
            oa.ProtoOAGetAccountListByAccessTokenReq(accessToken=access),
            oa.ProtoOAGetCtidProfileByTokenReq(accessToken=access),
            oa.ProtoOARefreshTokenReq(refreshToken=refresh),
            oa.ProtoOAApplicationAuthReq(clientId=server.client_id, clientSecret=other.client_secret),
        ):
            with pytest.raises(WrongEnvironment) as refused:
                await session.request(request)
            assert not any(secret in repr(refused.value) for secret in (access, refresh, other.client_secret))
        answer = await session.request(oa.ProtoOAGetAccountListByAccessTokenReq(accessToken=server.access_token))
        assert answer.ctidTraderAccount
        received = str([seen.message for seen in server.seen])
    assert not any(secret in received for secret in (access, refresh, other.client_secret))


async def test_live_is_answered_while_demo_is_killed_again_and_again(tmp_path: Path) -> None:
    async with both(tmp_path) as (demo_server, live_server, desk):
        with demo_server.faults.inject(faults.HalfFrame(which="ProtoOAReconcileRes")):
            for _ in range(3):
                demo_server.drop_clients()
                assert await keep_asking(desk, times=5) < LONG_S
        await desk.session(DEMO).wait_for(SessionState.READY)
        assert live_server.seen.names().count("connected") == 1
        assert live_server.violations == ()


async def test_live_is_answered_while_demo_is_silent(tmp_path: Path) -> None:
    async with both(tmp_path) as (demo_server, live_server, desk):
        with demo_server.faults.inject(faults.Silence()):
            async with anyio.create_task_group() as tasks:
                for _ in range(50):
                    tasks.start_soon(ask_in_vain, desk)
                assert await keep_asking(desk) < LONG_S
                tasks.cancel_scope.cancel()
        assert live_server.seen.names().count("connected") == 1


async def ask_in_vain(desk: Desk) -> None:
    await desk.account(DEMO).request(oa.ProtoOATraderReq(), timeout_s=60)


async def test_live_is_answered_while_demo_floods_a_consumer_that_has_stopped(tmp_path: Path) -> None:
    async with both(tmp_path) as (demo_server, live_server, desk):
        account = desk.account(DEMO)
        async with account.events(most=100) as stopped, account.spots("EURUSD", policy=EVERY) as spots:
            for number in range(2_000):
                demo_server.set_price(EURUSD, bid=100_000 + number, ask=200_000)
            assert await keep_asking(desk) < LONG_S
            async for spot in spots:
                if spot.bid_wire == 101_999:
                    break
            with pytest.raises(SlowConsumer):
                async for _ in stopped:
                    pass
        assert desk.session(DEMO).state is SessionState.READY
        assert live_server.seen.names().count("connected") == 1


async def test_nothing_that_lives_is_shared_between_the_two(tmp_path: Path) -> None:
    async with both(tmp_path) as (_, _, desk):
        demo, live = desk.session(DEMO), desk.session(LIVE)
        assert demo.link is not None
        assert live.link is not None
        for name in ("connection", "throttle", "heartbeat", "_outbox", "_stream", "_waiting"):
            assert getattr(demo.link, name) is not getattr(live.link, name)
        assert demo.link._prefix != live.link._prefix
        assert not {id(account) for account in demo.authorized.values()} & {
            id(account) for account in live.authorized.values()
        }
        assert demo.books.keys().isdisjoint(live.books.keys())
