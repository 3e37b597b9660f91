"""Commands as a new user would start them: in a process of their own, with nothing of ours in the environment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = (sys.executable, "-m", "anyctrader.scripts.main")
SCRIPTS = Path(__file__).parents[2] / "scripts"
# Starting Python and importing takes a second or two, on a busy machine ten times as long.
START_S = 45.0


def clean_environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if "CTRADER" not in name}
    return {**kept, "COLUMNS": "100", **more}


def run(*arguments: str, cwd: Path, stdin: str | None = None, timeout_s: float = START_S, **environment: str) -> Any:
    """Runs a command to its end: a `CompletedProcess` with text."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        cwd=cwd,
        env=clean_environment(**environment),
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@contextmanager
def started(
    *arguments: str, cwd: Path, stderr: int = subprocess.PIPE, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on; it is ended with the block if it has not ended before."""
    process = subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=cwd,
        env=clean_environment(**environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def interrupt(process: subprocess.Popen[str], number: signal.Signals = signal.SIGINT) -> tuple[str, str]:
    """Signals it, and gives what it wrote from here to its end."""
    process.send_signal(number)
    return process.communicate(timeout=START_S)


def json_lines(text: str) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in text.splitlines()]
