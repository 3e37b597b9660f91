"""Runs one fuzzer on damaged seeds, many of them: python tests/fuzz/soak.py connection_client 1000000 [folder of seeds]

Blind where atheris sees, and ten times as fast: for numbers, on the seeds that atheris has found. Needs nothing but
the project. What fails is written beside this file as failed-NAME.
"""

from __future__ import annotations

import importlib
import random
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
REPORT_EVERY = 100_000


def damage(rng: random.Random, seeds: list[bytes]) -> bytes:
    """A seed, perhaps with the end of another, and a few of its bytes flipped, cut out, doubled, swapped or made up."""
    data = bytearray(rng.choice(seeds))
    if rng.random() < 0.3:
        other = rng.choice(seeds)
        data += other[rng.randrange(len(other) + 1) :]
    for _ in range(rng.randrange(5)):
        start = rng.randrange(len(data) + 1)
        stop = min(len(data), start + rng.randrange(1, 9))
        match rng.randrange(6):
            case 0 if start < len(data):
                data[start] ^= 1 << rng.randrange(8)
            case 1:
                del data[start:stop]
            case 2:
                data[start:start] = data[start:stop]
            case 3:
                data[start:stop] = rng.randbytes(stop - start)
            case 4:
                data[start:start] = rng.randbytes(rng.randrange(1, 5))
            case _:
                other = rng.choice(seeds)
                at = rng.randrange(len(other) + 1)
                data[start:stop] = other[at : at + rng.randrange(1, 17)]
    return bytes(data)


def main(name: str, runs: str, *folders: str) -> None:
    sys.path.insert(0, str(HERE.parent.parent))
    check = importlib.import_module(f"tests.fuzz.{name}").check
    seeds = [path.read_bytes() for folder in (HERE / "corpus" / name, *map(Path, folders)) for path in folder.iterdir()]
    chosen = random.SystemRandom().getrandbits(32)
    rng = random.Random(chosen)
    print(f"{name}: {len(seeds)} seeds, random seed {chosen}", flush=True)
    started = time.monotonic()
    for count in range(1, int(runs) + 1):
        data = damage(rng, seeds)
        try:
            check(data)
        except BaseException:
            (HERE / f"failed-{name}").write_bytes(data)
            raise
        if count % REPORT_EVERY == 0:
            print(f"{name}: {count} executions, {count / (time.monotonic() - started):.0f}/s", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
