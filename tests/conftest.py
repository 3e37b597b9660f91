"""What all tests share: the backends that everything with I/O runs on.

asyncio on uvloop is for tests that are marked `uvloop`, and for all of them with `ANYCTRADER_UVLOOP=1`.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

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
