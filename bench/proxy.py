"""What the proxy costs: round trips with and without it in the same run, and a stream of quotes through it.

    python bench/proxy.py [--rounds 5] [--requests 2000] [--events 200000]

A firehose server in one process, `anyctrader proxy` in another, a blocking client (a plain socket) in this one, so that
what is measured is the proxy and little else. Direct and through the proxy take turns within each round.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from limits import Parser, context

from anyctrader.wire import Message, ProtobufCodec, encode_frame
from anyctrader.wire import messages as oa

HERE = Path(__file__).parent
ACCOUNT = 1_000_001
CODEC = ProtobufCodec()


class Client:
    """A blocking socket, logged in: the proxy lets nobody ask for an account that was not authorised."""

    def __init__(self, port: int, ca_file: str) -> None:
        raw = socket.create_connection(("127.0.0.1", port))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = context(ca_file).wrap_socket(raw, server_hostname="127.0.0.1")
        self.ask(oa.ProtoOAApplicationAuthReq(clientId="bench", clientSecret="bench-secret"))
        self.ask(oa.ProtoOAAccountAuthReq(ctidTraderAccountId=ACCOUNT, accessToken="bench-token"))

    def ask(self, payload: Any) -> None:
        self.tls.sendall(encode_frame(CODEC.encode(Message(payload, "1"))))
        data = b""
        while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "big"):
            data += self.tls.recv(65_536)

    def trips(self, count: int) -> list[float]:
        """Microseconds of each version request, one at a time."""
        took = []
        for _ in range(count):
            started = time.perf_counter()
            self.ask(oa.ProtoOAVersionReq())
            took.append((time.perf_counter() - started) * 1e6)
        return took

    def quotes(self, events: int) -> float:
        """Seconds for the whole stream, each quote parsed."""
        parser = Parser(events)
        request = oa.ProtoOASubscribeSpotsReq(ctidTraderAccountId=ACCOUNT, symbolId=[1])
        self.tls.sendall(encode_frame(CODEC.encode(Message(request, "1"))))
        started = time.perf_counter()
        while not parser.feed(self.tls.recv(65_536)):
            pass
        return time.perf_counter() - started


@contextmanager
def process(*command: str, **environment: str) -> Iterator[dict[str, object]]:
    """A process that says on its first line where it is; ended with the block."""
    running = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **environment}, text=True
    )
    assert running.stdout is not None
    try:
        yield json.loads(running.stdout.readline())
    finally:
        running.terminate()
        running.wait(10)


def proxy(server: dict[str, object], folder: str, *options: str) -> AbstractContextManager[dict[str, object]]:
    settings = {
        "APPLICATION_ID": "bench",
        "APPLICATION_SECRET": "bench-secret",
        "ACCESS_TOKEN": "bench-token",
        "ACCOUNT_ID": "1000001",
        "HOST": "127.0.0.1",
        "PORT": str(server["port"]),
        "CA_FILE": str(server["ca_file"]),
    }
    command = (sys.executable, "-m", "anyctrader.scripts.main", "proxy", "demo", "--format", "json", "--quiet")
    environment = {f"CTRADER_DEMO_{key}": value for key, value in settings.items()}
    return process(*command, *options, CTRADER_LOG_FOLDER=folder, **environment)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=2_000)
    parser.add_argument("--events", type=int, default=200_000)
    options = parser.parse_args()
    hose = (sys.executable, str(HERE / "firehose.py"), "--events", str(options.events))
    trips: dict[str, list[float]] = {}
    tails: dict[str, list[float]] = {}
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, process(*hose) as server:
        with (
            proxy(server, f"{folder}/a") as plain,
            proxy(server, f"{folder}/b", "--record", f"{folder}/r.jsonl") as recording,
        ):
            places = {"direct": server, "through the proxy": plain, "through it, recording": recording}
            for _ in range(options.rounds):
                for name, place in places.items():
                    port, ca_file = int(str(place["port"])), str(place["ca_file"])
                    client = Client(port, ca_file)
                    took = sorted(client.trips(options.requests))
                    trips.setdefault(name, []).append(statistics.median(took))
                    tails.setdefault(name, []).append(took[len(took) * 99 // 100])
                    rates.setdefault(name, []).append(options.events / client.quotes(options.events))
                    client.tls.close()
    print("| | round trip, median | round trip, p99 | quotes a second |\n|---|---:|---:|---:|")
    for name in trips:
        trip, tail = statistics.median(trips[name]), statistics.median(tails[name])
        print(f"| {name} | {trip:.0f} µs | {tail:.0f} µs | {statistics.median(rates[name]):,.0f} |")
    added = [there - direct for there, direct in zip(trips["through the proxy"], trips["direct"], strict=True)]
    print(f"\nadded in the same round, median: {statistics.median(added):.0f} µs")


if __name__ == "__main__":
    main()
