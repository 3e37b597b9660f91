"""Signals end a block in order, and what comes after it too; nothing of it reaches a person as a traceback."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from .programs import clean_environment

pytestmark = pytest.mark.timeout(120)

_PROGRAM = """
import sys

import anyio

from anyctrader.scripts.options import ExitCode
from anyctrader.scripts.signals import LastWord, until_signalled

word = {"last_word": LastWord("look first", ExitCode.OUTCOME_UNKNOWN)} if "word" in sys.argv else {}


async def main():
    async with until_signalled(said="wait", **word):
        print("up", flush=True)
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                print("leaving", flush=True)
                await anyio.wait_readable(sys.stdin.fileno())
                sys.stdin.readline()
    print("closing", flush=True)
    await anyio.wait_readable(sys.stdin.fileno())
    print("closed", flush=True)


anyio.run(main, backend=sys.argv[1])
print("ended", flush=True)
sys.exit(3)
"""


@contextmanager
def a_program(backend: str, folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """One that is up and was signalled. It leaves its block, and closes down, when lines come on its stdin."""
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, backend, *arguments],
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
            assert process.stdout.readline() == "leaving\n"
            yield process
        finally:
            process.kill()


def closing(process: subprocess.Popen[str]) -> None:
    """Behind its block."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "closing\n"


def signal_until_it_ends(process: subprocess.Popen[str], number: signal.Signals) -> None:
    while process.poll() is None:
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.001)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_what_follows_a_signal_at_once_is_the_same_wish_until_the_process_has_ended(
    tmp_path: Path, backend: str, number: signal.Signals
) -> None:
    with a_program(backend, tmp_path) as process:
        process.send_signal(number)
        closing(process)
        process.send_signal(number)
        assert process.stdin is not None
        process.stdin.close()
        signal_until_it_ends(process, number)  # into its last moments, when Python has taken its handlers away
        assert process.stdout is not None
        assert process.stderr is not None
        assert (process.stdout.read(), process.stderr.read()) == ("closed\nended\n", "wait\n")
        assert process.returncode == 3


@pytest.mark.parametrize("is_closing", [False, True])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_one_that_comes_a_second_later_ends_it_with_a_word(tmp_path: Path, backend: str, is_closing: bool) -> None:
    with a_program(backend, tmp_path) as process:
        if is_closing:
            closing(process)
        signal_until_it_ends(process, signal.SIGINT)
        assert process.returncode == -signal.SIGINT
        assert process.stderr is not None
        assert process.stderr.read() == "wait\nended at once: what was still to be put in order is not\n"


def test_the_last_word_of_a_command_comes_with_its_own_exit_code(tmp_path: Path) -> None:
    with a_program("asyncio", tmp_path, "word") as process:
        signal_until_it_ends(process, signal.SIGINT)
        assert process.returncode == 4
        assert process.stderr is not None
        assert process.stderr.read() == "wait\nlook first\n"


_STARTING = """
import importlib.abc, sys, time
from anyctrader.scripts.main import main
class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "anyctrader.scripts.decode":
            print("up", flush=True)
            time.sleep(60)
sys.meta_path.insert(0, Slow())
sys.argv[1:] = ["decode", "none"]
main()
"""
_WITHOUT_SIGNALS = """
import sys, time
import anyctrader.scripts.early
import anyio
from anyctrader.scripts.failures import carry_out
from anyctrader.scripts.options import alone
async def main():
    print("up", flush=True)
    try:
        await anyio.sleep_forever()
    finally:
        time.sleep(0)
alone(lambda: carry_out(main, debug=False))
"""
_BUSY = _WITHOUT_SIGNALS.replace("sleep(0)", "sleep(60)")
_LOADED = """
import anyctrader.scripts.early
print("up", flush=True)
import time
time.sleep(60)
"""


@pytest.mark.parametrize("program", [_STARTING, _WITHOUT_SIGNALS, _LOADED], ids=["starting", "loop", "loaded"])
def test_what_follows_at_once_changes_nothing_while_a_command_starts(tmp_path: Path, program: str) -> None:
    assert signalled(program, tmp_path) == (1, "interrupted")


def test_one_that_comes_a_second_later_is_heard_there_too(tmp_path: Path) -> None:
    began_s = time.monotonic()
    code, _ = signalled(_BUSY, tmp_path)
    assert code in (1, -signal.SIGINT)
    assert 1 <= time.monotonic() - began_s < 45


def signalled(program: str, folder: Path) -> tuple[int | None, str]:
    """How it ends that is signalled from its start to its end, and what it says."""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=folder,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline() == "up\n"
            signal_until_it_ends(process, signal.SIGINT)
            return process.returncode, process.stderr.read().strip().removeprefix("anyctrader: ")
        finally:
            process.kill()
