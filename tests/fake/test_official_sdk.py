"""The official Python SDK, unmodified but for host and port, takes the fake server for the real one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from anyctrader.fake import FakeServer, ServerSettings

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

SDK = "ctrader-open-api==0.9.2"
ROOT = Path(__file__).parents[2]
HOME = ROOT / ".venv-sdk"
"""The SDK's own virtual environment, kept for the next run: it pins versions that nothing else can live with."""


def build(run: Callable[..., Any] = subprocess.run) -> None:
    """Makes the environment beside its place, and moves it there only when it is whole."""
    building = Path(tempfile.mkdtemp(prefix=".venv-sdk-", dir=ROOT))
    try:
        for command in (
            [sys.executable, "-m", "venv", str(building)],
            [str(building / "bin" / "python"), "-m", "pip", "install", "--quiet", SDK],
        ):
            run(command, check=True, capture_output=True, text=True, timeout=400)
        if not HOME.exists():  # another run may have been quicker
            os.replace(building, HOME)
    finally:
        shutil.rmtree(building, ignore_errors=True)


@pytest.fixture(scope="module")
def sdk_python() -> Path:
    python = HOME / "bin" / "python"
    if not python.exists():
        try:
            build()
        except (subprocess.SubprocessError, OSError) as error:
            told = str(getattr(error, "stderr", "") or error).strip().splitlines()
            pytest.skip(f"{SDK} cannot be installed here: {told[-1] if told else error}")
    return python


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # the server's backend makes no difference to a client in another process


async def test_the_sdk_trades_with_the_fake_server(sdk_python: Path) -> None:
    async with FakeServer(ServerSettings(strict=True, tolerated=frozenset({"BLOCKED_PAYLOAD_TYPE"}))) as server:
        given = {
            "host": server.host,
            "port": server.port,
            "client_id": server.client_id,
            "client_secret": server.client_secret,
            "access_token": server.access_token,
            "account_id": server.account_id,
        }
        with anyio.fail_after(60):
            result = await anyio.run_process(
                [str(sdk_python), str(Path(__file__).with_name("sdk_session.py"))],
                input=json.dumps(given).encode(),
                check=False,
            )
        assert result.returncode == 0, result.stderr.decode()
        met = json.loads(result.stdout)
        assert "failure" not in met, met["failure"]
        assert met["accounts"] == [1000001, 1000002]
        assert {"EURUSD", "USDJPY", "XAUUSD"} <= set(met["symbols"])
        assert met["spots"] >= 1
        assert met["filled"] == [100_000, "from the SDK", True]
        assert met["closed"] == 100_000
        assert met["deals"] == 2
        # ACCEPTED and FILLED of the entry and of the close: the SDK, too, skips the field that it does not know.
        assert met["executions"] == ["ORDER_ACCEPTED", "ORDER_FILLED"] * 2
        assert met["refused"] >= 10
        assert set(met["errors"]) == {"BLOCKED_PAYLOAD_TYPE"}
        assert server.seen.names().count("ProtoOANewOrderReq") == 1


def test_a_failed_installation_leaves_nothing_behind() -> None:
    before = set(ROOT.glob(".venv-sdk*"))

    def fail(*command: Any, **how: Any) -> None:
        raise subprocess.CalledProcessError(1, "pip")

    with pytest.raises(subprocess.CalledProcessError):
        build(fail)
    assert set(ROOT.glob(".venv-sdk*")) == before
