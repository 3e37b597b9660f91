"""`anyctrader decode` of a large capture, and how long commands take to start.

    python bench/decoding.py [--megabytes 100] [--starts 15]

The capture is a working day in small: spot events, of every eight one with a bar in it, depth, and now and then an
execution. Time and peak memory are of the whole process, from its start to its end, its output into /dev/null. Memory
must not grow with the capture: a tenth of it is decoded too.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from anyctrader.wire import Message, ProtobufCodec, encode_frame
from anyctrader.wire import messages as oa

COMMAND = (sys.executable, "-m", "anyctrader.scripts.main")
MB = 1_000_000


def a_thousand_frames() -> bytes:
    codec = ProtobufCodec()
    frames = []
    for number in range(1000):
        if number % 500 == 499:
            event = oa.ProtoOAExecutionEvent(ctidTraderAccountId=7, executionType=3)
            event.order.orderId = 6_000_000 + number
            event.order.orderType = event.order.orderStatus = 1
            event.order.executionPrice = 1.14811
            event.order.tradeData.symbolId = event.order.tradeData.tradeSide = 1
            event.order.tradeData.volume = 100_000
            payload = event
        elif number % 10 == 9:
            payload = oa.ProtoOADepthEvent(ctidTraderAccountId=7, symbolId=1, deletedQuotes=[number, number + 1])
            payload.newQuotes.add(id=number, size=100_000, bid=114_811)
            payload.newQuotes.add(id=number + 1, size=100_000, ask=114_813)
        else:
            payload = oa.ProtoOASpotEvent(ctidTraderAccountId=7, symbolId=1, bid=114_811 + number % 7, ask=114_813)
            payload.timestamp = 1_789_757_084_253 + number
            if number % 8 == 0:
                payload.trendbar.add(volume=number, period=1, low=114_800, utcTimestampInMinutes=29_829_284)
        frames.append(encode_frame(codec.encode(Message(payload))))
    return b"".join(frames)


def run(*arguments: str) -> tuple[float, float, float]:
    """Seconds, those of the processor, and megabytes at the peak."""
    began = time.perf_counter()
    process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{arguments} ended with {process.returncode}")
    return took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / MB


def decoding(megabytes: int, folder: Path) -> None:
    thousand = a_thousand_frames()
    print(
        "\n### decode of a capture\n\n| capture | output | seconds | of the processor | frames a second of it "
        "| MB a second of it | peak memory, MB |"
    )
    print("|---|---|---:|---:|---:|---:|---:|")
    for size in (megabytes // 10, megabytes):
        times = max(1, size * MB // len(thousand))
        path = folder / "capture.bin"
        with path.open("wb") as file:
            for _ in range(times):
                file.write(thousand)
        real_mb = path.stat().st_size / MB
        for name, more in (("text", ()), ("a line each", ("--brief",)), ("JSON", ("--format", "json"))):
            took, cpu, peak = run("decode", str(path), *more)
            print(
                f"| {real_mb:.0f} MB, {times * 1000:,} frames | {name} | {took:.1f} | {cpu:.1f} "
                f"| {times * 1000 / cpu:,.0f} | {real_mb / cpu:.1f} | {peak:.0f} |",
                flush=True,
            )


def starting(starts: int, folder: Path) -> None:
    path = folder / "one.bin"
    path.write_bytes(encode_frame(ProtobufCodec().encode(Message(oa.ProtoHeartbeatEvent()))))
    print("\n### Start\n\n| | ms, median | peak memory, MB |\n|---|---:|---:|")
    rows = {"anyctrader --help": ("--help",), "anyctrader decode, of one frame": ("decode", str(path))}
    taken: dict[str, list[tuple[float, float, float]]] = {"python -c pass": [], **{name: [] for name in rows}}
    for _ in range(starts):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        taken["python -c pass"].append((time.perf_counter() - began, 0.0, 0.0))
        for name, arguments in rows.items():
            taken[name].append(run(*arguments))
    for name, values in taken.items():
        peak = f"{statistics.median(each[2] for each in values):.0f}" if values[0][2] else ""
        print(f"| {name} | {statistics.median(each[0] for each in values) * 1000:,.0f} | {peak} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--starts", type=int, default=15)
    options = parser.parse_args()
    libraries = ", ".join(f"{name} {version(name)}" for name in ("protobuf", "orjson", "typer"))
    print(f"Python {platform.python_version()}, {platform.machine()}, {libraries}")
    with tempfile.TemporaryDirectory() as folder:
        starting(options.starts, Path(folder))
        decoding(options.megabytes, Path(folder))


if __name__ == "__main__":
    main()
