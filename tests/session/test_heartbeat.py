from __future__ import annotations

from anyctrader.session.heartbeat import Heartbeat


def test_a_beat_is_due_after_the_interval_of_silence_of_ours() -> None:
    heartbeat = Heartbeat(interval_s=8, watchdog_s=60, now_s=100)
    assert heartbeat.due_s == 108
    heartbeat.sent_s = 105
    assert heartbeat.due_s == 113


def test_the_peer_is_dead_after_the_watchdogs_time_of_silence_of_its_own() -> None:
    heartbeat = Heartbeat(interval_s=8, watchdog_s=60, now_s=100)
    heartbeat.sent_s = 150
    assert heartbeat.dead_s == 160
    heartbeat.heard_s = 130
    assert heartbeat.dead_s == 190
