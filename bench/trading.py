"""What an order costs: with the audit and without it, and from a quote's arrival to the order's departure.

    python bench/trading.py [--orders 400] [--rounds 5] [--at-once 50] [--ticks 400]

The server runs in a process of its own. Rounds with the audit and without it take turns at one desk, so that a machine
that slows down slows both. Without it, records and notes are accepted and thrown away: all else is the same.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

import anyio

from anyctrader.fake import AccountSettings, ExchangeSettings, FakeServer, Limits, ServerSettings, Timing
from anyctrader.fake.exchange_settings import Delays
from anyctrader.session import (
    LATEST,
    Credentials,
    Desk,
    Endpoint,
    Environment,
    EnvironmentSettings,
    MarketOrder,
    Rates,
    Settings,
    Side,
    clock,
    open_desk,
)
from anyctrader.session.audit import Audit
from anyctrader.wire import messages as oa

DEMO = Environment.DEMO
EURUSD = 1
WIDE = Limits(ordinary_per_window=10**9, historical_per_window=10**9, connections=None)
TICK_S = 0.02


async def serve() -> None:
    """Says where it is; then moves the price every 20 ms until its input ends."""
    # Netted, so that orders of both sides, one after the other, never run out of money.
    account = AccountSettings(account_id=1, trader_login=1, account_type=oa.ProtoOAAccountType.NETTED)
    exchange = ExchangeSettings(delays=Delays.none(), accounts=(account,))
    async with FakeServer(ServerSettings(exchange=exchange, timing=Timing.instant(), limits=WIDE)) as server:
        server.set_price(EURUSD, bid=120_000, ask=120_010)
        told: dict[str, Any] = {name: getattr(server, name) for name in ("host", "port", "account_id", "client_id")}
        told |= {"secret": server.client_secret, "token": server.access_token, "ca_file": str(server.ca_file)}
        print(json.dumps(told), flush=True)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_tick, server)
            await anyio.to_thread.run_sync(sys.stdin.read)
            tasks.cancel_scope.cancel()


async def _tick(server: FakeServer) -> None:
    number = 0
    while True:
        number += 1
        server.set_price(EURUSD, bid=120_000 + number % 7, ask=120_010 + number % 7)
        await anyio.sleep(TICK_S)


@contextmanager
def a_server() -> Iterator[dict[str, Any]]:
    command = [sys.executable, __file__, "serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()


def settings_for(told: dict[str, Any], folder: Path) -> Settings:
    credentials = Credentials(
        DEMO,
        client_id=told["client_id"],
        client_secret=told["secret"],
        access_token=told["token"],
        account_id=told["account_id"],
    )
    side = EnvironmentSettings(
        DEMO,
        credentials,
        endpoint=Endpoint(told["host"], told["port"], Path(told["ca_file"])),
        rates=Rates(ordinary_per_s=1_000_000, historical_per_s=1_000_000),
    )
    return Settings({DEMO: side}, log_folder=folder)


@contextmanager
def audit_off() -> Iterator[None]:
    """Whatever is to be recorded counts as recorded, at once."""

    async def record(*_: Any, **__: Any) -> None:
        await anyio.lowlevel.checkpoint()

    def note(*_: Any, **__: Any) -> None:
        pass

    with patch.object(Audit, "record", record), patch.object(Audit, "note", note):
        yield


async def one(desk: Desk, number: int) -> float:
    """An order, to the server's first answer: seconds."""
    began_s = clock.now_s()
    await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY if number % 2 else Side.SELL, lots="0.01"))
    return clock.now_s() - began_s


async def one_by_one(desk: Desk, orders: int) -> list[float]:
    return [await one(desk, number) for number in range(orders)]


async def at_once(desk: Desk, orders: int, tasks_at_once: int) -> float:
    """Orders a second."""
    numbers = iter(range(orders))

    async def work() -> None:
        for number in numbers:
            await one(desk, number)

    began_s = clock.now_s()
    async with anyio.create_task_group() as tasks:
        for _ in range(tasks_at_once):
            tasks.start_soon(work)
    return orders / (clock.now_s() - began_s)


async def tick_to_order(desk: Desk, ticks: int) -> list[float]:
    """From the arrival of a quote's bytes to the departure of the order's, seconds."""
    found: list[float] = []
    link = desk.session(DEMO).link
    assert link is not None
    async with desk.account(DEMO).spots("EURUSD", policy=LATEST) as spots:
        done_s = clock.now_s()
        async for spot in spots:
            if spot.heard_s > done_s:  # one that came while the last order was under way has waited for us
                await one(desk, len(found))
                found.append(link.heartbeat.sent_s - spot.heard_s)  # nothing else leaves meanwhile
                done_s = clock.now_s()
            if len(found) == ticks:
                break
    return found


def told(values_s: list[float]) -> str:
    ordered = sorted(values_s)
    return f"median {statistics.median(ordered) * 1e3:.2f} ms, p99 {ordered[int(len(ordered) * 0.99)] * 1e3:.2f} ms"


async def measure(given: argparse.Namespace) -> None:
    with a_server() as where, tempfile.TemporaryDirectory() as folder:
        async with open_desk(settings_for(where, Path(folder))) as desk:
            await one_by_one(desk, 50)
            latencies: dict[str, list[float]] = {"on": [], "off": []}
            rates: dict[str, list[float]] = {"on": [], "off": []}
            for _ in range(given.rounds):
                for name in ("on", "off"):
                    with audit_off() if name == "off" else nullcontext():
                        latencies[name] += await one_by_one(desk, given.orders)
                        rates[name].append(await at_once(desk, given.orders, given.at_once))
            for name in ("on", "off"):
                print(f"audit {name}: one order after the other: {told(latencies[name])} to the server's answer")
                print(f"audit {name}: {given.at_once} at once: {statistics.median(rates[name]):.0f} orders a second")
            added = statistics.median(latencies["on"]) - statistics.median(latencies["off"])
            tails = [sorted(latencies[name])[int(len(latencies[name]) * 0.99)] for name in ("on", "off")]
            print(f"added by the audit: median {added * 1e3:.2f} ms, p99 {(tails[0] - tails[1]) * 1e3:.2f} ms")
            print(f"tick to order, audit on: {told(await tick_to_order(desk, given.ticks))}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("role", nargs="?", choices=["serve"])
    parser.add_argument("--orders", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--ticks", type=int, default=400)
    given = parser.parse_args()
    if given.role == "serve":
        anyio.run(serve)
    else:
        anyio.run(measure, given)


if __name__ == "__main__":
    main()
