"""What the fake server takes: spots a second, connections held, orders a second, start-up.

    python bench/fake.py [spots] [held] [orders] [startup] [--seconds 5]

The server runs in a process of its own, the clients in another, so that on two cores neither is in the other's way. The
clients read as little as they can: they decrypt and count frames.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio

from anyctrader.fake import AccountSettings, ExchangeSettings, FakeServer, Limits, ServerSettings, Timing
from anyctrader.fake.exchange import Exchange
from anyctrader.fake.exchange_settings import Delays
from anyctrader.fake.pushes import Quote
from anyctrader.wire import Message, ProtobufCodec, encode_frame
from anyctrader.wire import messages as oa

HERE = Path(__file__)
SYMBOLS = ExchangeSettings().symbols[:1]
WIDE = Limits(ordinary_per_window=10**9, historical_per_window=10**9, connections=None)


# -- the server's process ------------------------------------------------------------------------------------------


def memory_kb() -> int:
    """What the process holds of physical memory now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise RuntimeError("no VmRSS")


async def serve() -> None:
    """Says where it is; then takes lines: `spots N`, `memory`. Each is answered by a line of JSON."""
    # Netted, so that orders of both sides, one after the other, never run out of money.
    account = AccountSettings(account_id=1, trader_login=1, account_type=oa.ProtoOAAccountType.NETTED)
    exchange = ExchangeSettings(symbols=SYMBOLS, delays=Delays.none(), accounts=(account,))
    settings = ServerSettings(exchange=exchange, timing=Timing.instant(), limits=WIDE, oauth_port=None)
    async with FakeServer(settings) as server:
        server.set_price(1, bid=120_000, ask=120_010)
        told: dict[str, Any] = {name: getattr(server, name) for name in ("host", "port", "account_id", "client_id")}
        told |= {"secret": server.client_secret, "token": server.access_token, "ca_file": str(server.ca_file)}
        print(json.dumps(told), flush=True)
        while line := await anyio.to_thread.run_sync(sys.stdin.readline):
            command, *arguments = line.split()
            if command == "spots":
                print(json.dumps(await pour(server, int(arguments[0]))), flush=True)
            else:
                beats = server.seen.total
                now = {"kb": memory_kb(), "cpu_s": time.process_time(), "clients": len(server.clients), "seen": beats}
                print(json.dumps(now), flush=True)


async def pour(server: FakeServer, count: int) -> dict[str, float]:
    """Moves a price so many times, as fast as its listeners take it."""
    began, cpu = time.perf_counter(), time.process_time()
    quote = server.exchange.quote(1)
    assert quote is not None
    first = quote.bid - 120_000 + 1  # each price differs from the one before, or it would be no tick
    for number in range(first, first + count):
        server.set_price(1, bid=120_000 + number % 7, ask=120_010 + number % 7)
        if number % 16 == 0:
            # As a real market does, it leaves room for writing in between; what is written then, goes in one record.
            await anyio.lowlevel.checkpoint()
            while any(client.waiting_bytes > 1_000_000 for client in server.clients.values()):
                await anyio.lowlevel.checkpoint()
    return {"seconds": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}


# -- the clients' process ------------------------------------------------------------------------------------------


class Reader(asyncio.Protocol):
    """Counts frames, and looks into none of them but to see an answer go by."""

    def __init__(self) -> None:
        self.frames = 0
        self.arrived: asyncio.Event = asyncio.Event()
        self.wanted = 0
        self._rest = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        at, end = 0, len(data)
        while end - at >= 4:
            size = 4 + int.from_bytes(data[at : at + 4], "big")
            if end - at < size:
                break
            at += size
            self.frames += 1
        self._rest = data[at:]
        if self.frames >= self.wanted:
            self.arrived.set()

    async def until(self, frames: int) -> None:
        self.wanted = frames
        self.arrived.clear()
        if self.frames < frames:
            await self.arrived.wait()

    def say(self, payload: Any) -> None:
        self.transport.write(encode_frame(ProtobufCodec().encode(Message(payload, "1"))))


async def connected(where: dict[str, Any], count: int, *, subscribed: bool) -> list[Reader]:
    import ssl

    context = ssl.create_default_context(cafile=where["ca_file"])
    loop = asyncio.get_running_loop()
    account = {"ctidTraderAccountId": where["account_id"]}
    readers: list[Reader] = []

    async def one() -> None:
        _, reader = await loop.create_connection(
            Reader, where["host"], where["port"], ssl=context, ssl_handshake_timeout=300
        )
        readers.append(reader)
        reader.say(oa.ProtoOAApplicationAuthReq(clientId=where["client_id"], clientSecret=where["secret"]))
        await reader.until(1)
        if subscribed:
            reader.say(oa.ProtoOAAccountAuthReq(accessToken=where["token"], **account))
            reader.say(oa.ProtoOASubscribeSpotsReq(symbolId=[1], **account))
            await reader.until(4)  # two answers and the technical event
            reader.frames = 0

    at_once = asyncio.Semaphore(20)

    async def in_turn() -> None:
        async with at_once:
            await one()

    await asyncio.gather(*(in_turn() for _ in range(count)))
    return readers


class Server:
    """The other process, from here."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._to, self._from = process.stdin, process.stdout
        self.where: dict[str, Any] = json.loads(self._from.readline())

    def tell(self, command: str) -> None:
        self._to.write(f"{command}\n")
        self._to.flush()

    def hear(self) -> dict[str, Any]:
        told = json.loads(self._from.readline())
        assert isinstance(told, dict)
        return told

    def ask(self, command: str) -> dict[str, Any]:
        self.tell(command)
        return self.hear()


@contextmanager
def server() -> Iterator[Server]:
    command = [sys.executable, str(HERE), "serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Server(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()


# -- what is measured ----------------------------------------------------------------------------------------------


def spots(seconds: float) -> None:
    print("| connections | spot events a second | to each | server's CPU per event |\n|---:|---:|---:|---:|")
    for count in (1, 10, 100):
        with server() as other:

            async def measure(other: Server = other, count: int = count) -> None:
                readers = await connected(other.where, count, subscribed=True)
                moves = 200
                while True:  # more of them until it takes long enough to be worth measuring
                    before = readers[0].frames
                    began = time.perf_counter()
                    other.tell(f"spots {moves}")
                    await asyncio.gather(*(reader.until(before + moves) for reader in readers))
                    taken = time.perf_counter() - began
                    cpu = other.hear()["cpu_s"]
                    if taken >= seconds:
                        break
                    moves = int(moves * min(10, 1.2 * seconds / taken))
                each = moves / taken
                print(
                    f"| {count} | {each * count:,.0f} | {each:,.0f} | {1e6 * cpu / moves / count:.1f} µs |", flush=True
                )

            asyncio.run(measure())


def held(seconds: float, count: int = 1_000) -> None:
    with server() as other:

        async def measure() -> None:
            empty = other.ask("memory")
            began = time.perf_counter()
            readers = await connected(other.where, count, subscribed=False)
            opened = time.perf_counter() - began
            before = other.ask("memory")
            per_connection = (before["kb"] - empty["kb"]) / count
            span = max(20.0, seconds)
            until = time.perf_counter() + span
            beats = 0
            while time.perf_counter() < until:
                for reader in readers:  # each at its own moment of the ten seconds, as clients of the world do
                    reader.say(oa.ProtoHeartbeatEvent())
                    beats += 1
                    await asyncio.sleep(10 / count)
            await asyncio.sleep(0.5)
            after = other.ask("memory")
            cpu = (after["cpu_s"] - before["cpu_s"]) / span
            print(f"| connections held, a heartbeat each 10 s | {after['clients']:,} of {count:,} |")
            print(f"| heartbeats sent and seen in {span:.0f} s | {beats:,} and {after['seen'] - before['seen']:,} |")
            print(f"| opened with TLS and application auth | {count / opened:,.0f} a second |")
            print(f"| memory of the server for each | {per_connection:.1f} kB |")
            print(f"| one core's share to hold them | {100 * cpu:.1f} % |", flush=True)

        print("| | |\n|---|---:|")
        asyncio.run(measure())


def orders(seconds: float) -> None:
    settings = ExchangeSettings(symbols=SYMBOLS, delays=Delays.none())
    exchange = Exchange(settings, now_ms=1_790_000_000_000)
    account_id = settings.accounts[0].account_id
    exchange.set_price(1, bid=120_000, ask=120_010, now_ms=exchange.now_ms)
    opening = oa.ProtoOANewOrderReq(
        ctidTraderAccountId=account_id, symbolId=1, orderType=1, tradeSide=1, volume=100_000, relativeStopLoss=500
    )
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        out = exchange.handle(account_id, opening, now_ms=exchange.now_ms, origin=None)
        (position_id,) = {each.message.position.positionId for each in out if not isinstance(each, Quote)}
        closing = oa.ProtoOAClosePositionReq(ctidTraderAccountId=account_id, positionId=position_id, volume=100_000)
        exchange.handle(account_id, closing, now_ms=exchange.now_ms, origin=None)
        count += 2
    taken = time.perf_counter() - began
    print("| | a second |\n|---|---:|")
    print(f"| orders through the exchange, opening with a stop and closing | {count / taken:,.0f} |", flush=True)
    with server() as other:

        async def measure() -> tuple[int, float]:
            (reader,) = await connected(other.where, 1, subscribed=True)
            order = oa.ProtoOANewOrderReq()
            order.CopyFrom(opening)
            order.ClearField("relativeStopLoss")
            order.ctidTraderAccountId = other.where["account_id"]
            sent, at_once, began = 0, 50, time.perf_counter()
            while time.perf_counter() - began < seconds:
                for number in range(at_once):
                    order.tradeSide = oa.ProtoOATradeSide(1 + number % 2)
                    reader.say(order)
                sent += at_once
                await reader.until(2 * sent)  # ACCEPTED and FILLED
            return sent, time.perf_counter() - began

        sent, taken = asyncio.run(measure())
    print(f"| orders over one connection, 50 in flight, each ACCEPTED and FILLED | {sent / taken:,.0f} |", flush=True)


def startup(seconds: float) -> None:
    async def listening() -> None:
        async with FakeServer():
            pass

    inside = []
    for _ in range(5):
        began = time.perf_counter()
        anyio.run(listening)
        inside.append(time.perf_counter() - began)
    program = []
    for _ in range(5):
        began = time.perf_counter()
        command = [sys.executable, "-m", "anyctrader.scripts.main", "fake"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            program.append(time.perf_counter() - began)
            process.terminate()
    print("| | median of 5 |\n|---|---:|")
    print(f"| `async with FakeServer()`, there and back | {1000 * statistics.median(inside):.0f} ms |")
    print(f"| `anyctrader fake` to its ready line | {1000 * statistics.median(program):.0f} ms |", flush=True)


PARTS = {"spots": spots, "held": held, "orders": orders, "startup": startup}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", choices=[*PARTS, "serve", []], default=[])
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8_192), hard))
    if options.parts == ["serve"]:
        anyio.run(serve)
        return
    for name in options.parts or PARTS:
        print(f"\n{name}\n", flush=True)
        PARTS[name](options.seconds)


if __name__ == "__main__":
    main()
