"""The Node.js layer of others, unmodified but for host and port, takes the fake server for the real one.

Its schema is older than ours: what was required then has to be there still.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from anyctrader.fake import FakeServer

from .foreign import ROOT, STRICT, check, installed, met

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

LAYER = "@reiryoku/ctrader-layer@2.2.0"
HOME = ROOT / ".venv-layer"


def commands(folder: str) -> Sequence[Sequence[str]]:
    return (["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder, LAYER],)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # the server's backend makes no difference to a client in another process


async def test_the_layer_trades_with_the_fake_server() -> None:
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("there is no Node.js here")
    installed(HOME, commands)
    session = Path(__file__).with_name("layer_session.js")
    async with FakeServer(STRICT) as server:
        told = await met(
            server,
            ["node", str(session)],
            NODE_PATH=str(HOME / "node_modules"),
            NODE_EXTRA_CA_CERTS=str(server.ca_file),
        )
        check(told, server, label="from the layer")
