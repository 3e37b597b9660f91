"""The official Python SDK beside anyctrader: in one process, in either order, and the same bytes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(600)

SDK = "ctrader-open-api==0.9.2"
# It pins versions that are years old. Beside us it has to live with today's.
NEEDED = ("protobuf", "orjson", "Twisted", "pyOpenSSL", "service-identity", "requests", "inputimeout")
ROOT = Path(__file__).parents[2]
HOME = ROOT / ".venv-sdk-new"
"""A virtual environment with the SDK and the newest of what it needs, kept for the next run."""
VECTORS = ROOT / "tests" / "vectors" / "messages.jsonl"


def build() -> None:
    """Makes the environment beside its place, and moves it there only when it is whole."""
    building = Path(tempfile.mkdtemp(prefix=".venv-sdk-new-", dir=ROOT))
    pip = [str(building / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    try:
        for command in (
            [sys.executable, "-m", "venv", str(building)],
            [*pip, "--no-deps", SDK],
            [*pip, *NEEDED],
        ):
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=400)
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


@pytest.mark.parametrize("first", ["sdk", "ours"])
def test_both_live_in_one_process_and_serialise_the_same(sdk_python: Path, tmp_path: Path, first: str) -> None:
    packages = tmp_path / "anyctrader"
    packages.mkdir()
    for name in ("proto", "wire"):
        (packages / name).symlink_to(ROOT / name)
    script = Path(__file__).with_name("sdk_comparison.py")
    run = subprocess.run(
        [str(sdk_python), "-B", "-W", "error", str(script), first, str(VECTORS)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout)
    assert result["different"] == []
    # The SDK's schema is older: it lacks some fields and enum values, and has an integer where hasMore is a bool.
    assert set(result["declared otherwise"]) == {"ProtoOADealListByPositionIdRes", "ProtoOASymbolByIdRes"}
    assert sum(map(len, result.values())) == 273
    assert len(result["whole"]) > 230
