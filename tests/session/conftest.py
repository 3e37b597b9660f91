"""What all tests of sessions share."""

from __future__ import annotations

import pytest

from anyctrader.session import strongroom
from anyctrader.session.audit import open_audit
from anyctrader.session.reconnect import Backoff


@pytest.fixture(autouse=True)
def _the_disk_may_be_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stalls for seconds fails no test; those that are about a slow disk say their own time."""
    monkeypatch.setitem(open_audit.__wrapped__.__kwdefaults__, "timeout_s", 20.0)  # type: ignore[attr-defined]
    monkeypatch.setattr(strongroom, "_DISK_S", 20.0)


@pytest.fixture(autouse=True)
def _a_long_wait_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait that is to outlast a test does: jitter begins at nothing, and one in hundreds would be short."""
    jittered = Backoff.lost

    def lost(self: Backoff, *, ready_s: float) -> float:
        delay_s = jittered(self, ready_s=ready_s)
        return max(delay_s, 60.0) if self._first_s >= 600 else delay_s

    monkeypatch.setattr(Backoff, "lost", lost)
