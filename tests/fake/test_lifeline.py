"""When the server beats and when it closes: docs/protocol.md section 4."""

from __future__ import annotations

from typing import Any

import pytest

from anyctrader.fake import Timing
from anyctrader.fake.choices import HeartbeatEffect
from anyctrader.fake.lifeline import Verdict, look

START = 1_000.0


def at(now_s: float, **moments: Any) -> tuple[Verdict, float]:
    return look(
        **{
            "now_s": START + now_s,
            "connected_s": START,
            "heard_s": START + moments.pop("heard", 0),
            "spoke_s": START + moments.pop("spoke", 0),
            "authorised": True,
            "timing": Timing(),
            "early_heartbeat": HeartbeatEffect.NONE,
            **moments,
        }
    )


def test_an_unauthenticated_client_has_30_s_even_if_it_beats() -> None:
    assert at(29.9, authorised=False, heard=29)[0] is Verdict.KEEP
    assert at(30, authorised=False, heard=29)[0] is Verdict.UNAUTHENTICATED


def test_heartbeats_may_give_it_more_time() -> None:
    extends = HeartbeatEffect.EXTENDS
    assert at(30, authorised=False, heard=29, early_heartbeat=extends)[0] is Verdict.KEEP
    assert at(59, authorised=False, heard=29, early_heartbeat=extends)[0] is Verdict.UNAUTHENTICATED


def test_an_unauthenticated_client_is_looked_at_again_in_time_for_its_later_clocks() -> None:
    verdict, due_s = at(1, authorised=False, timing=Timing(unauthenticated_s=100, heartbeat_s=3, idle_s=7))
    assert (verdict, due_s) == (Verdict.KEEP, START + 4)


def test_a_client_is_closed_60_s_after_its_last_frame_and_not_before() -> None:
    assert at(99.9, heard=40, spoke=99)[0] is Verdict.KEEP
    assert at(100, heard=40, spoke=99)[0] is Verdict.SILENT


def test_the_server_beats_after_30_s_without_other_output() -> None:
    assert at(40, heard=40, spoke=10.1) == (Verdict.KEEP, pytest.approx(START + 40.1))
    assert at(40, heard=40, spoke=10) == (Verdict.BEAT, START + 70)


def test_a_beat_that_a_fault_swallows_is_not_repeated_at_once() -> None:
    verdict, due_s = at(50, heard=50, spoke=10)
    assert (verdict, due_s) == (Verdict.BEAT, START + 80)
