"""What all tests of sessions share."""

from __future__ import annotations

import pytest

from anyctrader.session import strongroom
from anyctrader.session.audit import open_audit


@pytest.fixture(autouse=True)
def _the_disk_may_be_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stalls for seconds fails no test; those that are about a slow disk say their own time."""
    monkeypatch.setitem(open_audit.__wrapped__.__kwdefaults__, "timeout_s", 20.0)  # type: ignore[attr-defined]
    monkeypatch.setattr(strongroom, "_DISK_S", 20.0)
