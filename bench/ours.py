"""Our client through its public API.

    python bench/ours.py SHAPE --port N --ca-file F --events N [--backend asyncio|uvloop|trio] [--codec ...]
        [--transport tcp|websocket]

`quotes`: an `async for` over `account.spots(..., policy=EVERY)`, both sides read of each; `one`, `many`: version
requests one at a time, and 64 in flight, throttle out of the way; `history`: a reply of 5,000 bars, decoded;
`memory`: what a long stream of quotes leaves behind.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from pathlib import Path
from typing import Any

import anyio

from anyctrader.session import EVERY, Credentials, Environment, Rates, Session, connect
from anyctrader.wire import Connection, Message, ProtobufCodec, Role, encode_frame
from anyctrader.wire import messages as oa

ACCOUNT = 1_000_001


async def quotes(session: Session, events: int) -> dict[str, float]:
    account = await session.authorize(ACCOUNT)
    await account.symbol("EURUSD")
    left, total = events, 0
    started = time.perf_counter()
    async with account.spots("EURUSD", policy=EVERY) as spots:
        async for spot in spots:
            total += spot.bid_wire + spot.ask_wire
            left -= 1
            if not left:
                break
    return {"seconds": time.perf_counter() - started, "sum": total}


async def one(session: Session, events: int) -> dict[str, float]:
    request, took = oa.ProtoOAVersionReq(), []
    for _ in range(events):
        started = time.perf_counter()
        await session.request(request)
        took.append(time.perf_counter() - started)
    return {"seconds": sum(took), "median_us": statistics.median(took) * 1e6}


async def many(session: Session, events: int) -> dict[str, float]:
    request, left = oa.ProtoOAVersionReq(), iter(range(events))

    async def worker() -> None:
        for _ in left:
            await session.request(request)

    started = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for _ in range(64):
            tasks.start_soon(worker)
    return {"seconds": time.perf_counter() - started}


async def history(session: Session, events: int) -> dict[str, float]:
    """What is timed is our own decoding of the reply: from the frame's bytes to the message that a caller gets."""
    account = await session.authorize(ACCOUNT)
    bars = await account.request(oa.ProtoOAGetTrendbarsReq(period=1, symbolId=1))
    frame = encode_frame(ProtobufCodec().encode(Message(bars)))
    took = []
    for _ in range(events):
        connection = Connection(Role.CLIENT, ProtobufCodec())
        started = time.perf_counter()
        connection.receive_data(frame)
        took.append(time.perf_counter() - started)
    return {"seconds": sum(took), "median_us": statistics.median(took) * 1e6}


async def memory(session: Session, events: int) -> dict[str, float]:
    """Resident memory after each tenth of the events, MB; the first tenth warms up."""
    account = await session.authorize(ACCOUNT)
    rss: list[float] = []
    left = events
    async with account.spots("EURUSD", policy=EVERY) as spots:
        async for _ in spots:
            left -= 1
            if not left % (events // 10):
                pages = int(Path("/proc/self/statm").read_text().split()[1])  # noqa: ASYNC240 - no disk is behind it
                rss.append(round(pages * resource.getpagesize() / 1e6, 1))
            if not left:
                break
    return {"seconds": 0.0, "rss_mb": rss[0], "grown_mb": round(rss[-1] - rss[0], 1)}


SHAPES: dict[str, Any] = {"quotes": quotes, "one": one, "many": many, "history": history, "memory": memory}


async def run(options: argparse.Namespace) -> dict[str, float]:
    credentials = Credentials(Environment.DEMO, client_id="bench", client_secret="bench", access_token="bench")
    rates = Rates(ordinary_per_s=1_000_000, historical_per_s=1_000_000)
    async with connect(
        Environment.DEMO,
        credentials,
        codec=options.codec,
        transport=options.transport,
        host="127.0.0.1",
        port=options.port,
        ca_file=options.ca_file,
        rates=rates,
    ) as session:
        result: dict[str, float] = await SHAPES[options.shape](session, options.events)
        return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ca-file", required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--backend", choices=("asyncio", "uvloop", "trio"), default="asyncio")
    parser.add_argument("--codec", choices=("protobuf", "json"), default="protobuf")
    parser.add_argument("--transport", choices=("tcp", "websocket"), default="tcp")
    options = parser.parse_args()
    backend = "trio" if options.backend == "trio" else "asyncio"
    extra = {"use_uvloop": True} if options.backend == "uvloop" else {}
    result = anyio.run(run, options, backend=backend, backend_options=extra)
    print(json.dumps({"events": options.events, **result}))


if __name__ == "__main__":
    main()
