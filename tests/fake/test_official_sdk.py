"""The official Python SDK, unmodified but for host and port, takes the fake server for the real one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from anyctrader.fake import FakeServer

from .foreign import ROOT, STRICT, build, check, installed, met

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

SDK = "ctrader-open-api==0.9.2"
HOME = ROOT / ".venv-sdk"
"""The SDK's own virtual environment: it pins versions that nothing else can live with."""


def commands(folder: str) -> Sequence[Sequence[str]]:
    return (
        [sys.executable, "-m", "venv", folder],
        [f"{folder}/bin/python", "-m", "pip", "install", "--quiet", SDK],
    )


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # the server's backend makes no difference to a client in another process


async def test_the_sdk_trades_with_the_fake_server() -> None:
    installed(HOME, commands)
    session = Path(__file__).with_name("sdk_session.py")
    async with FakeServer(STRICT) as server:
        told = await met(server, [str(HOME / "bin" / "python"), str(session)])
        check(told, server, label="from the SDK")


def test_a_failed_installation_leaves_nothing_behind() -> None:
    home = ROOT / ".venv-never"

    def fail(*command: Any, **how: Any) -> None:
        assert list(ROOT.glob(".venv-never*"))
        raise subprocess.CalledProcessError(1, "pip")

    with pytest.raises(subprocess.CalledProcessError):
        build(home, commands, fail)
    assert not list(ROOT.glob(".venv-never*"))
