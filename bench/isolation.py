"""Demo and live under load and faults: whose is each frame that either server received?

    python bench/isolation.py [--requests 20000] [--workers 32]     ends with 1 where a frame is a stranger's
    python bench/isolation.py --sdk                                 the same judge, on the official SDK in .venv-sdk

Two fake servers, demo and live, run in a process of their own, which judges every frame that reaches them: by account,
by token, by client id and secret, by the client order id, and by the first part of the message id, which no two
connections of ours share. Links are dropped, cut inside a frame, held up and silenced all the while. With `--sdk`, 20
orders are sent on the SDK's demo client instead, with a live client in the same process.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio

from anyctrader.fake import ExchangeSettings, FakeServer, Host, Limits, ServerSettings, Timing, faults
from anyctrader.fake.exchange_settings import Delays
from anyctrader.session import (
    Credentials,
    CTraderError,
    Desk,
    Endpoint,
    Environment,
    EnvironmentSettings,
    LimitOrder,
    Rates,
    SessionClosed,
    SessionState,
    Settings,
    Side,
    Timings,
    open_desk,
)
from anyctrader.session import Limits as OrderLimits
from anyctrader.session.verification import verify
from anyctrader.wire import messages as oa

ROOT = Path(__file__).parents[1]
SDK = "ctrader-open-api==0.9.2"
SDK_HOME = ROOT / ".venv-sdk"
WIDE = Limits(ordinary_per_window=10**9, historical_per_window=10**9, connections=None)
SEED = 20_261_127
FAULT_EVERY_S = 0.4
LONG_S = 10.0


class Customs:
    """Judges every frame that one server receives."""

    def __init__(self, server: FakeServer) -> None:
        self.frames = 0
        self.strangers: Counter[str] = Counter()
        self.orders: set[str] = set()
        self.new_orders = 0
        self.prefixes: set[str] = set()
        self._own = {
            "ctidTraderAccountId": {server.account_id},
            "clientId": {server.client_id},
            "clientSecret": {server.client_secret},
            "accessToken": {server.access_token},
        }
        server.seen.watch(self._judge)

    def _judge(self, seen: Any) -> None:
        message = seen.message
        if message is None:  # somebody connected, or went
            return
        self.frames += 1
        for name, values in self._own.items():
            value = getattr(message, name, None)
            if value and value not in values:
                self.strangers[f"{seen.name}.{name}"] += 1
        if seen.client_msg_id:
            self.prefixes.add(str(seen.client_msg_id).rpartition("-")[0])
        if isinstance(message, oa.ProtoOANewOrderReq):
            self.new_orders += 1
            self.orders.add(message.clientOrderId)

    def told(self) -> dict[str, Any]:
        return {
            "frames": self.frames,
            "strangers": dict(self.strangers),
            "new_orders": self.new_orders,
            "orders": sorted(self.orders),
            "prefixes": sorted(self.prefixes),
        }


async def serve(*, quiet: bool) -> None:
    """Says where the two are; makes trouble until its input ends; then says what they have received."""
    async with _server(Host.DEMO) as demo, _server(Host.LIVE) as live:
        customs = [Customs(demo), Customs(live)]
        print(json.dumps([_place(server) for server in (demo, live)]), flush=True)
        made: Counter[str] = Counter()
        async with anyio.create_task_group() as tasks:
            if not quiet:
                tasks.start_soon(_trouble, (demo, live), made)
            await anyio.to_thread.run_sync(sys.stdin.read)
            tasks.cancel_scope.cancel()
        print(json.dumps({"servers": [each.told() for each in customs], "faults": dict(made)}), flush=True)


@asynccontextmanager
async def _server(host: Host) -> AsyncIterator[FakeServer]:
    exchange = ExchangeSettings(delays=Delays.none())
    async with FakeServer(ServerSettings(host=host, exchange=exchange, timing=Timing.instant(), limits=WIDE)) as server:
        server.set_price(1, bid=120_000, ask=120_010)
        yield server


def _place(server: FakeServer) -> dict[str, Any]:
    names = ("host", "port", "client_id", "client_secret", "access_token", "account_id")
    return {name: getattr(server, name) for name in names} | {"ca_file": str(server.ca_file)}


async def _trouble(servers: tuple[FakeServer, ...], made: Counter[str]) -> None:
    chance = random.Random(SEED)
    while True:
        await anyio.sleep(chance.uniform(0.5, 1.5) * FAULT_EVERY_S)
        server = chance.choice(servers)
        kind = chance.choice(["drop", "half a frame", "garbage", "delay", "silence", "doubled"])
        made[kind] += 1
        if kind == "drop":
            server.drop_clients()
        elif kind == "half a frame":
            server.faults.inject(faults.HalfFrame(which="ProtoOATraderRes"))
        elif kind == "garbage":
            server.faults.inject(faults.Garbage(which="ProtoOATraderRes"))
        elif kind == "doubled":
            server.faults.inject(faults.Duplicate(which="ProtoOAExecutionEvent"))
        else:
            fault = faults.Silence() if kind == "silence" else faults.Delay(0.05)
            with server.faults.inject(fault):
                await anyio.sleep(0.1)
            if kind == "silence":
                server.drop_clients()


@contextmanager
def servers(*flags: str) -> Iterator[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """The places of the two; on leaving, the second list has what they received."""
    command = [sys.executable, __file__, "--serve", *flags]
    report: list[dict[str, Any]] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline()), report
        finally:
            process.stdin.close()
            if line := process.stdout.readline():
                report.append(json.loads(line))


class Load:
    """Asks and trades in one environment until its share is through."""

    def __init__(self, desk: Desk, environment: Environment, *, requests: int) -> None:
        self.desk = desk
        self.environment = environment
        self.left = requests
        self.answered = 0
        self.failed: Counter[str] = Counter()

    async def work(self, number: int) -> None:
        chance = random.Random(SEED + number)
        while self.left > 0:
            self.left -= 1
            try:
                await self._one(chance)
                self.answered += 1
            except CTraderError as error:
                self.failed[type(error).__name__] += 1
                try:
                    await self.desk.session(self.environment).wait_for(SessionState.READY)
                except SessionClosed:
                    return
                await anyio.sleep(0.001)

    async def _one(self, chance: random.Random) -> None:
        account = self.desk.account(self.environment)
        if chance.random() < 0.004:
            order = await self.desk.place(self.environment, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="0.9"))
            if order.order_id is not None:
                self.left -= 1
                await self.desk.cancel(self.environment, order.order_id)
                self.answered += 1
        elif chance.random() < 0.3:
            await self.desk.session(self.environment).request(oa.ProtoOAVersionReq(), timeout_s=LONG_S)
        else:
            answer = await account.request(oa.ProtoOATraderReq(), timeout_s=LONG_S)
            if answer.trader.ctidTraderAccountId != account.id:
                raise AssertionError(f"{self.environment.value} was answered for {answer.trader.ctidTraderAccountId}")


async def route(places: list[dict[str, Any]], folder: Path, *, requests: int, workers: int) -> dict[str, Any]:
    """Sends so many requests through a desk, half of them to each environment."""
    sides = {}
    for environment, place in zip(Environment, places, strict=True):
        credentials = Credentials(
            environment,
            client_id=place["client_id"],
            client_secret=place["client_secret"],
            access_token=place["access_token"],
            account_id=place["account_id"],
        )
        sides[environment] = EnvironmentSettings(
            environment,
            credentials,
            endpoint=Endpoint(place["host"], place["port"], Path(place["ca_file"])),
            rates=Rates(ordinary_per_s=1_000_000, historical_per_s=1_000_000),
            timings=Timings(reconnect_first_s=0.02, reconnect_most_s=0.05, absent_s=1.0, watchdog_s=20),
            limits=OrderLimits.standard(Environment.DEMO) if not environment.is_live else None,
            live_enabled=environment.is_live,
        )
    began_s = time.monotonic()
    async with open_desk(Settings(sides, log_folder=folder)) as desk:
        loads = [Load(desk, environment, requests=requests // 2) for environment in Environment]
        async with anyio.create_task_group() as tasks:
            for load in loads:
                for number in range(workers):
                    tasks.start_soon(load.work, number)
    return {
        "seconds": round(time.monotonic() - began_s, 1),
        "answered": {load.environment.value: load.answered for load in loads},
        "failed": {load.environment.value: dict(load.failed) for load in loads},
    }


def judge(report: dict[str, Any]) -> list[str]:
    """What is not as it has to be."""
    demo, live = report["servers"]
    found = [
        f"{count} frames at {name} with a stranger's {what}"
        for name, each in (("demo", demo), ("live", live))
        for what, count in each["strangers"].items()
    ]
    for what in ("orders", "prefixes"):
        shared = (set(demo[what]) & set(live[what])) - {""}
        found += [f"{len(shared)} {what} were seen by both servers"] if shared else []
    return found


def ours(requests: int, workers: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        with servers() as (places, reports):
            told = anyio.run(lambda: route(places, Path(folder), requests=requests, workers=workers))
        damages = list(map(str, verify(Path(folder))))
    (report,) = reports
    found = judge(report) + damages
    told |= {"frames": [each["frames"] for each in report["servers"]], "faults": report["faults"], "strangers": found}
    told["orders"] = [each["new_orders"] for each in report["servers"]]
    told["links"] = [len(each["prefixes"]) for each in report["servers"]]
    print(json.dumps(told))
    return 1 if found else 0


def official() -> int:
    """Installs the SDK in an environment of its own, unless it is there; says so where it cannot be had."""
    if not SDK_HOME.exists():
        try:
            subprocess.run([sys.executable, "-m", "venv", SDK_HOME], check=True, timeout=120)
            pip = [SDK_HOME / "bin" / "python", "-m", "pip", "install", "--quiet", SDK]
            subprocess.run(pip, check=True, timeout=400)
        except (subprocess.SubprocessError, OSError) as error:
            print(f"skipped: {SDK} cannot be installed here ({error})", file=sys.stderr)
            return 0
    program = [SDK_HOME / "bin" / "python", Path(__file__).with_name("isolation_sdk.py")]
    with servers("--quiet") as (places, reports):
        subprocess.run(program, input=json.dumps(places), text=True, check=True, timeout=120)
    (report,) = reports
    arrived = dict(zip(("demo", "live"), (each["new_orders"] for each in report["servers"]), strict=True))
    print(json.dumps({"sent": {"demo": 20, "live": 0}, "arrived": arrived, "strangers": judge(report)}))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=32, help="for each environment")
    parser.add_argument("--sdk", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--quiet", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        anyio.run(lambda: serve(quiet=options.quiet))
        return 0
    return official() if options.sdk else ours(options.requests, options.workers)


if __name__ == "__main__":
    sys.exit(main())
