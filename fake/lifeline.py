"""How long a connection lives without a word, and when the server says one (docs/protocol.md section 4). Pure."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from .choices import HeartbeatEffect

if TYPE_CHECKING:
    from .settings import Timing

__all__ = ["Verdict", "look"]


class Verdict(enum.Enum):
    """What is to be done about a connection now."""

    KEEP = "keep"
    BEAT = "beat"
    """It is time for a heartbeat of the server."""
    UNAUTHENTICATED = "no application auth in time"
    SILENT = "the client was silent for too long"


def look(
    *,
    now_s: float,
    connected_s: float,
    heard_s: float,
    spoke_s: float,
    authorised: bool,
    timing: Timing,
    early_heartbeat: HeartbeatEffect,
) -> tuple[Verdict, float]:
    """What is due, and when to look again; all moments in seconds of one clock.

    Args:
        now_s: the present.
        connected_s: end of the TLS handshake.
        heard_s: the client's last frame, of any kind.
        spoke_s: the server's last frame.
        authorised: whether the application is.
        timing: how long each thing may take.
        early_heartbeat: whether frames before application auth give more time for it.
    """
    if not authorised:
        # Before application auth time runs out even for a client that beats.
        since_s = heard_s if early_heartbeat is HeartbeatEffect.EXTENDS else connected_s
        due_s = since_s + timing.unauthenticated_s
        if due_s <= now_s:
            return Verdict.UNAUTHENTICATED, due_s
        # The application may be authorised any moment, and its own clocks begin then.
        return Verdict.KEEP, min(due_s, now_s + timing.heartbeat_s, now_s + timing.idle_s)
    silent_s = heard_s + timing.idle_s
    if silent_s <= now_s:
        return Verdict.SILENT, silent_s
    beat_s = spoke_s + timing.heartbeat_s
    if beat_s <= now_s:
        return Verdict.BEAT, min(silent_s, now_s + timing.heartbeat_s)
    return Verdict.KEEP, min(silent_s, beat_s)
