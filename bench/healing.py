"""What a session does with its budget, how long it is ever silent, and how fast it is back.

    python bench/healing.py [throttle] [history] [heartbeat] [recovery] [--seconds 30] [--drops 100] [--backend ...]

`throttle`, `history`: a saturating client against a fake server that enforces 50 and 5 requests in any rolling second,
behind a relay that delays each chunk of bytes, either way, by up to 20 ms. `heartbeat`: the largest gap between two
chunks that leave, over bursts, full queues, a consumer that has stopped and a large answer; intervals a tenth of the
real ones. `recovery`: from the server's return to ready, with orders and subscriptions under way.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import orjson
from anyio.streams.buffered import BufferedByteReceiveStream

from anyctrader.fake import ExchangeSettings, FakeServer, ServerSettings, faults
from anyctrader.fake.exchange_settings import Delays
from anyctrader.session import (
    EVERY,
    Credentials,
    CTraderError,
    Desk,
    Endpoint,
    Environment,
    EnvironmentSettings,
    MarketOrder,
    OrderState,
    Session,
    SessionState,
    Settings,
    Side,
    Timings,
    connect,
    open_desk,
)
from anyctrader.wire import messages as oa

DEMO = Environment.DEMO
JITTER_S = 0.02
SCALE = 0.1
EURUSD = 1


@dataclass
class Relay:
    """Passes bytes on, each chunk after a random delay, in their order.

    Attributes:
        port: where it listens.
        links: how many have connected.
        left_s: when chunks of the client's came by, before they were delayed.
    """

    target: int
    jitter_s: float
    port: int = 0
    links: int = 0
    left_s: list[float] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    async def serve(self, near: anyio.abc.SocketStream) -> None:
        self.links += 1
        try:
            async with near, await anyio.connect_tcp("127.0.0.1", self.target) as far:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._pass, near, far, self.left_s.append, tasks)
                    tasks.start_soon(self._pass, far, near, lambda _: None, tasks)
        except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass

    async def _pass(self, source: Any, target: Any, note: Callable[[float], None], tasks: anyio.abc.TaskGroup) -> None:
        send, receive = anyio.create_memory_object_stream[tuple[float, bytes]](10_000)

        async def deliver() -> None:
            async for at_s, data in receive:
                await anyio.sleep(max(0.0, at_s - time.monotonic()))
                await target.send(data)

        tasks.start_soon(deliver)
        last_s = 0.0
        try:
            async for data in source:
                now_s = time.monotonic()
                note(now_s)
                last_s = max(last_s, now_s + self.chance.uniform(0, self.jitter_s))
                send.send_nowait((last_s, data))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def behind_a_relay(target: int, jitter_s: float) -> AsyncIterator[Relay]:
    relay = Relay(target, jitter_s)
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        relay.port = listener.extra(anyio.abc.SocketAttribute.local_port)
        tasks.start_soon(listener.serve, relay.serve)
        yield relay
        tasks.cancel_scope.cancel()


def credentials_of(server: FakeServer) -> Credentials:
    return Credentials(
        DEMO,
        client_id=server.client_id,
        client_secret=server.client_secret,
        access_token=server.access_token,
        account_id=server.account_id,
    )


@asynccontextmanager
async def a_session(
    settings: ServerSettings, *, jitter_s: float = 0.0, timings: Timings | None = None
) -> AsyncIterator[tuple[FakeServer, Relay, Session]]:
    async with FakeServer(settings) as server, behind_a_relay(server.port, jitter_s) as relay:
        async with connect(
            DEMO,
            credentials_of(server),
            host="127.0.0.1",
            port=relay.port,
            ca_file=server.ca_file,
            timings=timings,
        ) as session:
            yield server, relay, session


# The budget


async def saturated(name: str, kind: str, budget: int, seconds: float) -> None:
    answered = [0]
    async with a_session(ServerSettings(oauth_port=None), jitter_s=JITTER_S) as (server, _, session):
        account = await session.authorize(server.account_id)
        await anyio.sleep(1.1)  # what the authentication used of the window is over

        async def worker() -> None:
            while True:
                now_ms = server.now_ms
                payload = (
                    oa.ProtoOADealListReq(fromTimestamp=now_ms - 1000, toTimestamp=now_ms)
                    if kind == "history"
                    else oa.ProtoOATraderReq()
                )
                await account.request(payload, timeout_s=60)
                answered[0] += 1

        with anyio.move_on_after(seconds):
            async with anyio.create_task_group() as tasks:
                for _ in range(2 * budget):
                    tasks.start_soon(worker)
        (client,) = server.clients.values()
        used = answered[0] / (budget * seconds)
        print(
            f"{name}: {answered[0]} answered in {seconds:g} s, {used:.1%} of the budget of {budget} a second; "
            f"refused: {client.rates.breaches}"
        )


# Silence


async def silences(seconds: float) -> None:
    real = Timings()
    timings = replace(real, heartbeat_s=real.heartbeat_s * SCALE)
    phases: dict[str, tuple[float, float]] = {}
    # A process of its own: 14,000 bars are a second's work for it, and that second is not the client's.
    command = [sys.executable, "-m", "anyctrader.scripts.main", "fake", "--speed", "3600"]
    async with await anyio.open_process(command, stderr=None) as process:
        assert process.stdout is not None
        ready = orjson.loads(await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", 100_000))
        async with behind_a_relay(ready["port"], JITTER_S) as relay:
            await _silences(ready, relay, timings, phases, seconds)
        process.terminate()


async def _silences(
    ready: dict[str, Any], relay: Relay, timings: Timings, phases: dict[str, tuple[float, float]], seconds: float
) -> None:
    credentials = Credentials(
        DEMO,
        client_id=ready["client_id"],
        client_secret=ready["client_secret"],
        access_token=ready["access_token"],
    )
    async with connect(
        DEMO, credentials, host="127.0.0.1", port=relay.port, ca_file=ready["ca_file"], timings=timings
    ) as session:
        account = await session.authorize(ready["accounts"][0]["ctidTraderAccountId"])
        each_s = seconds / 5

        async def phase(name: str, work: Callable[[], Any]) -> None:
            began_s = time.monotonic()
            with anyio.move_on_after(each_s):
                await work()
                await anyio.sleep_forever()
            phases[name] = (began_s, time.monotonic())

        async def burst() -> None:
            while True:
                async with anyio.create_task_group() as tasks:
                    for _ in range(150):
                        tasks.start_soon(session.request, oa.ProtoOAVersionReq())
                await anyio.sleep(each_s / 4)

        async def full_queue() -> None:
            async def ask() -> None:
                now_ms = time.time_ns() // 1_000_000
                request = oa.ProtoOADealListReq(fromTimestamp=now_ms - 1000, toTimestamp=now_ms)
                await account.request(request, timeout_s=60)

            async with anyio.create_task_group() as tasks:
                for _ in range(200):
                    tasks.start_soon(ask)

        async def stalled() -> None:
            async with account.spots("EURUSD", policy=EVERY):
                await anyio.sleep_forever()  # nobody takes them

        async def large() -> None:
            while True:
                now_ms = time.time_ns() // 1_000_000
                request = oa.ProtoOAGetTrendbarsReq(
                    fromTimestamp=now_ms - 3_000_000_000,
                    toTimestamp=now_ms,
                    period=oa.ProtoOATrendbarPeriod.M1,
                    symbolId=EURUSD,
                )
                await account.request(request, timeout_s=60)

        async def nothing() -> None:
            pass

        for name, work in (
            ("idle", nothing),
            ("bursts of 150", burst),
            ("200 in the history queue", full_queue),
            ("a stalled consumer", stalled),
            ("answers of 14,000 bars", large),
        ):
            await phase(name, work)
        assert session.state is SessionState.READY
        marks = relay.left_s
        limit_s = 10 * SCALE
        for name, (began_s, ended_s) in phases.items():
            inside = [began_s, *(mark for mark in marks if began_s <= mark <= ended_s), ended_s]
            gap_s = max(later - earlier for earlier, later in itertools.pairwise(inside))
            print(
                f"silence, {name}: at most {gap_s:.2f} s of {limit_s:g} s (heartbeat after {timings.heartbeat_s:g} s)"
            )
        whole = max(later - earlier for earlier, later in itertools.pairwise(marks))
        print(f"silence, the whole run: at most {whole:.2f} s of {limit_s:g} s, links used: {relay.links}")


# Coming back


async def recovered(name: str, drops: int, timings: Timings) -> None:
    took_s: list[float] = []
    chance = random.Random(1)
    settings = ServerSettings(oauth_port=None, exchange=ExchangeSettings(delays=Delays.none()), observations=1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        async with FakeServer(settings) as server:
            side = EnvironmentSettings(
                DEMO,
                credentials_of(server),
                endpoint=Endpoint(server.host, server.port, server.ca_file),
                timings=timings,
            )
            async with open_desk(Settings({DEMO: side}, log_folder=Path(folder))) as desk:
                session = desk.session(DEMO)
                async with desk.account(DEMO).spots("EURUSD") as spots, anyio.create_task_group() as tasks:
                    tasks.start_soon(place, desk)
                    for number in range(drops):
                        await session.wait_for(SessionState.READY)
                        await anyio.sleep(chance.uniform(0.1, 0.4))  # some orders, one of them under way
                        refused = server.faults.inject(faults.RefuseTls())
                        server.drop_clients()
                        await session.wait_for(SessionState.WAITING)
                        await anyio.sleep(chance.uniform(0, 0.2))
                        refused.remove()
                        returned_s = time.monotonic()
                        await session.wait_for(SessionState.READY)
                        took_s.append(time.monotonic() - returned_s)
                        bid = 110_000 + number
                        server.set_price(EURUSD, bid=bid, ask=bid + 10)
                        async for spot in spots:
                            if spot.bid_wire == bid:
                                break
                    tasks.cancel_scope.cancel()
                await session.wait_for(SessionState.READY)
                await anyio.sleep(0.5)
                lost, twice = held_against(server, desk)
    took_s.sort()
    print(
        f"recovery, {name}: {len(took_s)} drops, from the server's return to ready {statistics.median(took_s):.2f} s "
        f"in the median, {took_s[-1]:.2f} s at worst; orders {len(server_orders(server))}, twice: {twice}, lost: {lost}"
    )


async def place(desk: Desk) -> None:
    while True:
        try:
            await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.01"))
        except CTraderError:
            await anyio.sleep(0.01)


def server_orders(server: FakeServer) -> set[str]:
    exchange = server.exchange.accounts[server.account_id]
    return {order.client_order_id for order in exchange.all_orders.values() if order.client_order_id}


def held_against(server: FakeServer, desk: Desk) -> tuple[int, int]:
    """Orders of the server's that the desk does not know to be filled, and orders that arrived twice."""
    known = {id_ for id_, order in desk.orders.items() if order.state is OrderState.FILLED}
    sent = Counter(
        seen.message.clientOrderId for seen in server.seen if isinstance(seen.message, oa.ProtoOANewOrderReq)
    )
    return len(server_orders(server) - known), sum(count > 1 for count in sent.values())


async def main(wanted: list[str], seconds: float, drops: int) -> None:
    if "throttle" in wanted:
        await saturated("throttle, ordinary", "ordinary", 50, seconds)
    if "history" in wanted:
        await saturated("throttle, historical", "history", 5, seconds)
    if "heartbeat" in wanted:
        await silences(seconds)
    if "recovery" in wanted:
        at_once = Timings(reconnect_first_s=0.05, reconnect_most_s=0.05)
        await recovered("asked every 50 ms", drops, at_once)
        # Each loss counts as the first: or a hundred of them in a row would be waited for longer and longer.
        await recovered("standard first delay (up to 1 s)", drops, Timings(reconnect_steady_s=0.01))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", default=["throttle", "history", "heartbeat", "recovery"])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--drops", type=int, default=100)
    parser.add_argument("--backend", choices=["asyncio", "uvloop", "trio"], default="asyncio")
    given = parser.parse_args()
    anyio.run(
        main,
        given.what,
        given.seconds,
        given.drops,
        backend="trio" if given.backend == "trio" else "asyncio",
        backend_options={"use_uvloop": True} if given.backend == "uvloop" else {},
    )
