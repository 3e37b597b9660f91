"""Runs the benchmarks in interleaved rounds and prints their medians, with ratios to the limit of this machine.

    python bench/run.py [--rounds 5] [--events 300000]

Each client is a process of its own, against one firehose server in another. The rounds are interleaved, because these
figures are worth only as much as their ratios: a machine's speed drifts within a minute.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
QUOTES = (
    ("limit: blocking socket and parse", ("limits.py", "blocking")),
    ("bare asyncio protocol and parse", ("limits.py", "asyncio")),
    ("bare anyio receive() and parse", ("limits.py", "anyio")),
    ("anyctrader, asyncio", ("ours.py", "quotes")),
    ("anyctrader, uvloop", ("ours.py", "quotes", "--backend", "uvloop")),
    ("anyctrader, trio", ("ours.py", "quotes", "--backend", "trio")),
)
MANY = (
    ("bare asyncio protocol", ("limits.py", "asyncio-many")),
    ("anyctrader, asyncio", ("ours.py", "many")),
    ("anyctrader, uvloop", ("ours.py", "many", "--backend", "uvloop")),
    ("anyctrader, trio", ("ours.py", "many", "--backend", "trio")),
)
ONE = (
    ("blocking socket", ("limits.py", "blocking-one")),
    ("bare asyncio protocol", ("limits.py", "asyncio-one")),
    ("anyctrader, asyncio", ("ours.py", "one")),
    ("anyctrader, uvloop", ("ours.py", "one", "--backend", "uvloop")),
    ("anyctrader, trio", ("ours.py", "one", "--backend", "trio")),
)


@contextmanager
def firehose(events: int, *more: str) -> Iterator[dict[str, Any]]:
    command = [sys.executable, str(HERE / "firehose.py"), "--events", str(events), *more]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        try:
            yield json.loads(server.stdout.readline())
        finally:
            server.stdin.close()


def measure(command: tuple[str, ...], server: dict[str, Any], events: int) -> dict[str, float]:
    script, *arguments = command
    where = ["--port", str(server["port"]), "--ca-file", server["ca_file"], "--events", str(events)]
    done = subprocess.run(
        [sys.executable, str(HERE / script), *arguments, *where],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    row: dict[str, float] = json.loads(done.stdout)
    return row


def table(title: str, rows: tuple[Any, ...], server: dict[str, Any], *, events: int, rounds: int, figure: str) -> None:
    taken: dict[str, list[float]] = {name: [] for name, _ in rows}
    for _ in range(rounds):
        for name, command in rows:
            row = measure(command, server, events)
            taken[name].append(row["events"] / row["seconds"] if figure == "per_s" else row[figure])
    print(f"\n{title}\n")
    print(f"| | {'a second' if figure == 'per_s' else 'µs, median'} | of the first row |\n|---|---:|---:|")
    first = statistics.median(taken[rows[0][0]])
    for name, _ in rows:
        median = statistics.median(taken[name])
        print(f"| {name} | {median:,.0f} | {median / first:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=300_000)
    options = parser.parse_args()
    events, rounds = options.events, options.rounds
    with firehose(events) as server:
        table("Quotes, packed", QUOTES, server, events=events, rounds=rounds, figure="per_s")
        table("Requests, 64 in flight", MANY, server, events=20_000, rounds=rounds, figure="per_s")
        table("Requests, one at a time", ONE, server, events=2_000, rounds=rounds, figure="median_us")
    with firehose(events, "--each") as server:
        table("Quotes, a TLS record each", QUOTES, server, events=events, rounds=rounds, figure="per_s")


if __name__ == "__main__":
    main()
