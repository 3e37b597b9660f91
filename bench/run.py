"""Runs the benchmarks in interleaved rounds and prints their medians, with ratios, as the tables of README.md.

    python bench/run.py [--rounds 5] [--events 300000] [--only quotes requests websocket websocket-json
        history import memory]

Each client is a process of its own, against one firehose server in another. The rounds are interleaved, because these
figures are worth only as much as their ratios: a machine's speed drifts within a minute. The official SDK is measured
where the tests have made its virtual environments (`make test` does).
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PINNED = HERE.parent / ".venv-sdk" / "bin" / "python"
NEWEST = HERE.parent / ".venv-sdk-new" / "bin" / "python"


@dataclass(frozen=True)
class Row:
    """One client: what it is called, its script with arguments, its Python, and which firehose it drinks from."""

    name: str
    command: tuple[str, ...]
    python: Path = Path(sys.executable)
    server: str = "protobuf"


def ours(shape: str, *, trio: bool = True) -> tuple[Row, ...]:
    backends = ("asyncio", "uvloop", "trio") if trio else ("asyncio",)
    return tuple(Row(f"anyctrader, {name}", ("ours.py", shape, "--backend", name)) for name in backends)


QUOTES = (
    Row("limit: blocking socket and parse", ("limits.py", "blocking")),
    Row("bare asyncio protocol and parse", ("limits.py", "asyncio")),
    Row("bare anyio receive() and parse", ("limits.py", "anyio")),
    *ours("quotes"),
    Row("anyctrader, JSON, asyncio", ("ours.py", "quotes", "--codec", "json"), server="json"),
    Row("official SDK, newest dependencies", ("sdk.py", "quotes"), NEWEST),
    Row("official SDK, as pinned", ("sdk.py", "quotes"), PINNED),
)
MANY = (
    Row("bare asyncio protocol", ("limits.py", "asyncio-many")),
    *ours("many"),
    Row("anyctrader, JSON, asyncio", ("ours.py", "many", "--codec", "json"), server="json"),
    Row("official SDK, newest, no throttle", ("sdk.py", "many"), NEWEST),
    Row("official SDK, as pinned, no throttle", ("sdk.py", "many"), PINNED),
)
ONE = (
    Row("bare asyncio protocol", ("limits.py", "asyncio-one")),
    Row("blocking socket", ("limits.py", "blocking-one")),
    Row("bare anyio stream, no tasks", ("limits.py", "anyio-one")),
    *ours("one"),
    Row("official SDK, newest, no throttle", ("sdk.py", "one"), NEWEST),
    Row("official SDK, as pinned, no throttle", ("sdk.py", "one"), PINNED),
)
HISTORY = (Row("bare parse of 5,000 bars", ("limits.py", "history")), *ours("history", trio=False))
IMPORT = (
    Row("anyio and protobuf", ("importing.py", "base")),
    Row("anyctrader.session", ("importing.py", "ours")),
    Row("what connect() needs", ("importing.py", "connect")),
    Row("what open_desk() needs", ("importing.py", "desk")),
    Row("pydantic-settings, which load_settings() needs", ("importing.py", "settings")),
)
MEMORY = ours("memory")


_TRIES = 4  # of a row whose consumer falls behind


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


def measure(row: Row, servers: dict[str, dict[str, Any]], events: int) -> dict[str, float]:
    script, *arguments = row.command
    if servers:
        server = servers[row.server]
        arguments += ["--port", str(server["port"]), "--ca-file", server["ca_file"], "--events", str(events)]
    command = [str(row.python), str(HERE / script), *arguments]
    for tries_left in range(_TRIES - 1, -1, -1):
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
        if not done.returncode or "SlowConsumer" not in done.stderr or not tries_left:
            break
        # Of a machine that is busy elsewhere: the consumer was not given the processor for 10,000 quotes.
        print(f"{row.name}: the consumer fell behind, once more", file=sys.stderr, flush=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    taken: dict[str, float] = json.loads(done.stdout)
    return taken


def rounds_of(
    rows: Sequence[Row], servers: dict[str, dict[str, Any]], *, events: int, rounds: int
) -> dict[str, list[dict[str, float]]]:
    there = [row for row in rows if row.python.exists()]
    taken: dict[str, list[dict[str, float]]] = {row.name: [] for row in there}
    for _ in range(rounds):
        for row in there:
            taken[row.name].append(measure(row, servers, events))
    return taken


def compare(
    title: str, unit: str, taken: dict[str, list[dict[str, float]]], figure: str = "median_us", scale: float = 1.0
) -> None:
    """Prints a table: each row's median, and the median of its ratios to the first row of the same round."""
    figures = {
        name: [row["events"] / row["seconds"] if figure == "per_s" else row[figure] * scale for row in rows]
        for name, rows in taken.items()
    }
    first = next(iter(figures.values()))
    print(f"\n### {title}\n\n| | {unit} | of the first row |\n|---|---:|---:|")
    for name, values in figures.items():
        ratio = statistics.median(value / base for value, base in zip(values, first, strict=True))
        print(f"| {name} | {statistics.median(values):,.0f} | {ratio:.2f} |", flush=True)


def quotes(events: int, rounds: int) -> None:
    for title, more in (("Quotes, packed", ()), ("Quotes, a TLS record each", ("--each",))):
        with both_flavours(events, *more) as servers:
            compare(title, "a second", rounds_of(QUOTES, servers, events=events, rounds=rounds), "per_s")


def requests(events: int, rounds: int) -> None:
    with both_flavours(1) as servers:
        compare("Requests, 64 in flight", "a second", rounds_of(MANY, servers, events=20_000, rounds=rounds), "per_s")
        compare("Requests, one at a time", "µs, median", rounds_of(ONE, servers, events=2_000, rounds=rounds))
        if PINNED.exists():
            shipped = measure(Row("", ("sdk.py", "shipped"), PINNED), servers, 5)["median_us"]
            print(f"\nThe SDK as it comes, its throttle in: {shipped:,.0f} µs, median of 5.")


def websocket(events: int, rounds: int) -> None:
    over_both(events, rounds, "protobuf", "json")


def websocket_json(events: int, rounds: int) -> None:
    over_both(events, rounds, "json")


def over_both(events: int, rounds: int, *codecs: str) -> None:
    """Each codec over both transports, in the same rounds; a WebSocket's ratio is to TCP's of its round."""
    for codec in codecs:
        rows = {
            shape: [
                Row(
                    f"{codec}, {transport}",
                    ("ours.py", shape, "--codec", codec, "--transport", transport),
                    server=transport,
                )
                for transport in ("tcp", "websocket")
            ]
            for shape in ("quotes", "many", "one")
        }
        for title, more in (("Quotes, packed", ()), ("Quotes, a TLS record each", ("--each",))):
            with both_transports(events, "--codec", codec, *more) as servers:
                compare(title, "a second", rounds_of(rows["quotes"], servers, events=events, rounds=rounds), "per_s")
        with both_transports(1, "--codec", codec) as servers:
            many = rounds_of(rows["many"], servers, events=20_000, rounds=rounds)
            compare("Requests, 64 in flight", "a second", many, "per_s")
            one = rounds_of(rows["one"], servers, events=2_000, rounds=rounds)
            compare("Requests, one at a time", "µs, median", one)


@contextmanager
def both_transports(events: int, *more: str) -> Iterator[dict[str, dict[str, Any]]]:
    with ExitStack() as stack:
        yield {
            transport: stack.enter_context(firehose(events, *more, "--transport", transport))
            for transport in ("tcp", "websocket")
        }


def history(events: int, rounds: int) -> None:
    with both_flavours(1) as servers:
        compare("A reply of 5,000 bars", "µs, median", rounds_of(HISTORY, servers, events=200, rounds=rounds))


def importing(events: int, rounds: int) -> None:
    taken = rounds_of(IMPORT, {}, events=1, rounds=3 * rounds)
    compare("Import", "ms, median", taken, "seconds", 1000.0)


def memory(events: int, rounds: int) -> None:
    million = 1_000_000
    with firehose(million, "--times", "10") as server:
        print("\n### Memory over 10 million quotes\n\n| | MB after the first million | more after the tenth, MB |")
        print("|---|---:|---:|")
        for row in MEMORY:
            taken = measure(row, {"protobuf": server}, 10 * million)
            print(f"| {row.name} | {taken['rss_mb']:.1f} | {taken['grown_mb']:.1f} |", flush=True)


@contextmanager
def both_flavours(events: int, *more: str) -> Iterator[dict[str, dict[str, Any]]]:
    with ExitStack() as stack:
        yield {
            "protobuf": stack.enter_context(firehose(events, *more)),
            "json": stack.enter_context(firehose(events, *more, "--codec", "json")),
        }


PARTS = {
    "quotes": quotes,
    "requests": requests,
    "websocket": websocket,
    "websocket-json": websocket_json,
    "history": history,
    "import": importing,
    "memory": memory,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=[name for name in PARTS if name != "websocket-json"]
    )
    options = parser.parse_args()
    libraries = ", ".join(f"{name} {version(name)}" for name in ("anyio", "protobuf", "orjson", "uvloop", "trio"))
    print(f"Python {platform.python_version()}, {platform.machine()}, {libraries}; {options.rounds} rounds")
    for name in options.only:
        PARTS[name](options.events, options.rounds)


if __name__ == "__main__":
    main()
