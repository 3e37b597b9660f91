"""The only place that reads time."""

from __future__ import annotations

import time

import anyio

__all__ = ["monotonic_ns", "now_s", "sleep_until", "utc_ms", "utc_us"]


def now_s() -> float:
    """Seconds of a clock that never jumps; what all deadlines are counted in."""
    return time.monotonic()


def utc_ms() -> int:
    """Milliseconds since the epoch, UTC; what records carry. This clock can be set, and jump."""
    return time.time_ns() // 1_000_000


def utc_us() -> int:
    """Microseconds since the epoch, UTC: what a recording carries, for two frames often share a millisecond."""
    return time.time_ns() // 1_000


def monotonic_ns() -> int:
    """Nanoseconds of the clock that `now_s` reads."""
    return time.monotonic_ns()


async def sleep_until(at_s: float) -> None:
    """Waits until `now_s()` is at least this. A checkpoint even when it is past."""
    await anyio.sleep(max(0.0, at_s - time.monotonic()))
