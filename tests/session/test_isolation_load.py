"""Every frame that either server received under load and faults belongs to it.

`CTRADER_ROUTED=1000000` routes so many requests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ROUTED = int(os.environ.get("CTRADER_ROUTED", "20000"))
SDK_HOME = ROOT / ".venv-sdk"


def run(*options: str, timeout_s: float) -> tuple[int, dict[str, Any]]:
    program = [sys.executable, str(ROOT / "bench" / "isolation.py"), *options]
    result = subprocess.run(program, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert result.stdout, result.stderr
    return result.returncode, json.loads(result.stdout)


@pytest.mark.timeout(90 + ROUTED / 500)
def test_every_frame_belongs_to_the_server_that_received_it() -> None:
    status, told = run("--requests", str(ROUTED), timeout_s=80 + ROUTED / 500)
    assert (status, told["strangers"]) == (0, [])
    assert sum(told["frames"]) >= 0.9 * ROUTED
    assert min(told["orders"]) > 0
    assert sum(told["faults"].values()) > 0
    assert min(told["answered"].values()) > 0


@pytest.mark.skipif(not SDK_HOME.exists(), reason="the official SDK is not installed in .venv-sdk")
def test_the_same_judge_sees_the_leak_of_the_official_sdk() -> None:
    _, told = run("--sdk", timeout_s=100)
    assert (told["arrived"]["demo"] + told["arrived"]["live"], told["arrived"]["live"] > 0) == (20, True)
    assert any("ProtoOANewOrderReq.ctidTraderAccountId" in each for each in told["strangers"])
