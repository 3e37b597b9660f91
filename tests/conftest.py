"""What all tests share: the backends that everything with I/O runs on.

asyncio on uvloop is for tests that are marked `uvloop`, and for all of them with `ANYCTRADER_UVLOOP=1`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anyctrader.fake.tokens import Directory

from .secrecy import Secrecy, left_in, told_by, watched

UVLOOP = ("asyncio", {"use_uvloop": True})


@pytest.fixture(
    params=[
        pytest.param(("asyncio", {"debug": True}), id="asyncio"),
        pytest.param(UVLOOP, id="uvloop"),
        pytest.param(("trio", {}), id="trio"),
    ]
)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("ANYCTRADER_UVLOOP"):
        return
    left_out = [item for item in items if _on_uvloop(item) and item.get_closest_marker("uvloop") is None]
    items[:] = [item for item in items if item not in set(left_out)]
    config.hook.pytest_deselected(items=left_out)


def _on_uvloop(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    return callspec is not None and callspec.params.get("anyio_backend") is UVLOOP


# No secret in what any test of the run prints, logs, fails with, or leaves in logs and records.

_SECRECY = pytest.StashKey[Secrecy]()


@pytest.fixture(autouse=True)
def _secrets_stay_secret(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    secrecy = request.node.stash[_SECRECY] = Secrecy()
    monkeypatch.setattr(Directory, "make_up", watched(secrecy, Directory.make_up))
    folder: Path | None = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    yield
    if folder is not None and secrecy.secrets:
        assert secrecy.leaks(left_in(folder)) == [], "a secret stands in what the test left"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    secrecy = item.stash.get(_SECRECY, None)
    leaks = secrecy.leaks(told_by(report)) if secrecy is not None else []
    if leaks:
        report.outcome, report.longrepr = "failed", f"a secret stands in: {', '.join(leaks)}"
    return report
