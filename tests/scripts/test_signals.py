"""Signals end a block in order, and what comes after it too; nothing of it reaches a person as a traceback."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .programs import clean_environment

pytestmark = pytest.mark.timeout(120)

_PROGRAM = """
import sys

import anyio

from anyctrader.scripts.signals import until_signalled


async def main():
    async with until_signalled(said="wait"):
        print("up", flush=True)
        await anyio.sleep_forever()
    print("closing", flush=True)
    await anyio.wait_readable(sys.stdin.fileno())
    print("closed", flush=True)


anyio.run(main, backend=sys.argv[1])
"""


@contextmanager
def a_program(backend: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """One that is up, was signalled, and closes down until something comes on its stdin."""
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, backend],
        cwd=folder,
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "closing\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_signal_while_it_closes_down_lets_it_do_so(tmp_path: Path, backend: str, number: signal.Signals) -> None:
    with a_program(backend, tmp_path) as process:
        process.send_signal(number)
        assert process.communicate("\n", timeout=60) == ("closed\n", "wait\n")
        assert process.returncode == 0


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_one_more_ends_it_at_once(tmp_path: Path, backend: str) -> None:
    with a_program(backend, tmp_path) as process:
        while process.poll() is None:
            process.send_signal(signal.SIGINT)  # two that come at once may count as one
        assert process.returncode == -signal.SIGINT
        assert process.stderr is not None
        assert process.stderr.read() == "wait\n"
