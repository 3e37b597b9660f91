"""Clients that nobody here wrote: installed in a folder of their own, run in a process of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from anyctrader.fake import FakeServer, ServerSettings

ROOT = Path(__file__).parents[2]
STRICT = ServerSettings(strict=True, tolerated=frozenset({"BLOCKED_PAYLOAD_TYPE"}))


def build(home: Path, commands: Callable[[str], Sequence[Sequence[str]]], run: Callable[..., Any]) -> None:
    """Runs the commands that fill a folder beside its place, and moves it there only when it is whole."""
    building = tempfile.mkdtemp(prefix=f"{home.name}-", dir=ROOT)
    try:
        for command in commands(building):
            run(command, check=True, capture_output=True, text=True, timeout=400)
        if not home.exists():  # another run may have been quicker
            os.replace(building, home)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def installed(home: Path, commands: Callable[[str], Sequence[Sequence[str]]]) -> None:
    """Sees to it that it is there; it is kept for the next run. Where it cannot be had, the test is skipped."""
    if home.exists():
        return
    try:
        build(home, commands, subprocess.run)
    except (subprocess.SubprocessError, OSError) as error:
        told = str(getattr(error, "stderr", "") or error).strip().splitlines()
        pytest.skip(f"{home.name} cannot be installed here: {told[-1] if told else error}")


async def met(server: FakeServer, command: Sequence[str], **environment: str) -> dict[str, Any]:
    """What a program says that it met, having been told where to go."""
    given = {
        "host": "localhost",
        "port": server.port,
        "client_id": server.client_id,
        "client_secret": server.client_secret,
        "access_token": server.access_token,
        "account_id": server.account_id,
    }
    with anyio.fail_after(60):
        result = await anyio.run_process(
            command, input=json.dumps(given).encode(), check=False, env={**os.environ, **environment}
        )
    assert result.returncode == 0, result.stderr.decode()
    told = json.loads(result.stdout)
    assert isinstance(told, dict)
    assert "failure" not in told, told["failure"]
    return told


def check(told: dict[str, Any], server: FakeServer, *, label: str) -> None:
    """A session from the first message to a refusal for being too quick."""
    assert told["accounts"] == [1000001, 1000002]
    assert {"EURUSD", "USDJPY", "XAUUSD"} <= set(told["symbols"])
    assert told["spots"] >= 1
    assert told["filled"] == [100_000, label, True]
    assert told["closed"] == 100_000
    assert told["deals"] == 2
    assert told["bars"] in (60, 61), "an hour of them; both bounds count"
    # ACCEPTED and FILLED of the entry and of the close: they, too, skip the field that they do not know.
    assert told["executions"] == ["ORDER_ACCEPTED", "ORDER_FILLED"] * 2
    assert told["refused"] >= 10
    assert set(told["errors"]) == {"BLOCKED_PAYLOAD_TYPE"}
    names = server.seen.names()
    assert [names.count(f"ProtoOA{name}Req") for name in ("ApplicationAuth", "AccountAuth", "NewOrder")] == [1, 1, 1]
