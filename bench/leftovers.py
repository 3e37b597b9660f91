"""How long a desk's start takes to read what an earlier process left, and how much memory.

python bench/leftovers.py [--lines 1000000]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
import uuid
from pathlib import Path

from anyctrader.session import Environment
from anyctrader.session.chain import Chain, Fact, encode_fields
from anyctrader.session.leftovers import leftovers_of

STORY = ("intent", "sent", "execution", "execution", "fill", "finished")


def write(path: Path, lines: int) -> None:
    """Orders of demo, six lines each, all of them at their end but the last ones."""
    chain, number = Chain(), 0
    with path.open("wb") as file:
        while number < lines:
            facts = {"client_order_id": uuid.uuid4().hex, "account_id": 1, "symbol": "EURUSD", "side": "BUY"}
            facts |= {"volume_cents": 100_000, "state": "sent", "request": "place", "type": "MARKET"}
            for fact in STORY[: lines - number]:
                file.write(chain.append(Fact("demo", 1_795_000_000_000 + number, fact, encode_fields(facts))))
                number += 1


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "order_audit.jsonl"
        write(path, options.lines)
        print(f"{options.lines:,} lines, {path.stat().st_size / 1e6:.0f} MB")
        before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for environment in Environment:
            began_s = time.perf_counter()
            left = leftovers_of(Path(folder), environment)
            took_s = time.perf_counter() - began_s
            print(f"{environment.value}: {took_s:.2f} s, {len(left.orders)} left")
        grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
        print(f"memory grown by {grown_kib} KiB")


if __name__ == "__main__":
    main()
