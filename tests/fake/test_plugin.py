"""The pytest plugin, in a project of its own: another process, another folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TESTS = """
import socket
import pytest
from anyctrader.fake import Host, ServerSettings

@pytest.mark.anyio
async def test_one(ctrader_server):
    assert ctrader_server.port and ctrader_server.ca_file.exists()
    assert ctrader_server.settings.strict

@pytest.mark.anyio
async def test_several(ctrader_servers):
    demo = await ctrader_servers()
    assert demo.settings.strict
    live = await ctrader_servers(ServerSettings(host=Host.LIVE))
    assert len({demo.port, demo.json_port, live.port, live.json_port}) == 4

def test_blocking(ctrader_blocking_server):
    socket.create_connection((ctrader_blocking_server.host, ctrader_blocking_server.port)).close()
    assert ctrader_blocking_server.wait_for("handshake failed")
"""
OVERRIDE = """
import pytest
from anyctrader.fake import Host, ServerSettings

@pytest.fixture
def ctrader_server_settings():
    return ServerSettings(host=Host.LIVE)

@pytest.mark.anyio
async def test_live(ctrader_server):
    assert ctrader_server.settings.host is Host.LIVE
    assert ctrader_server.account_id == 1000002
"""


def run(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    # The entry point loads the plugin; to name it here as well would be an error to pytest.
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", *args]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=150, check=False)


def test_a_users_tests_get_servers_on_both_backends(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(TESTS)
    (tmp_path / "test_override.py").write_text(OVERRIDE)
    result = run(tmp_path, "-n", "2")  # side by side, in two processes
    assert result.returncode == 0, result.stdout + result.stderr
    assert "7 passed" in result.stdout  # three on both backends, and one that is not async


def test_loading_the_plugin_loads_nothing_of_the_server(tmp_path: Path) -> None:
    code = (
        "import sys, anyctrader.fake.plugin;"
        "print([name for name in ('trustme', 'h11', 'google.protobuf', 'anyctrader.wire') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=150, check=False
    )
    assert (result.stdout.strip(), result.stderr) == ("[]", "")
