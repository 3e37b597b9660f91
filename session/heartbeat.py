"""When to give a sign of life, and when the other end has given none for too long. Pure: told the time."""

from __future__ import annotations

__all__ = ["Heartbeat"]


class Heartbeat:
    """The two clocks of one link.

    The server wants a frame at least every 10 s, any frame (docs/protocol.md section 4); it closes silently without.
    Its own heartbeats come about every 30 s when it has nothing else to say.

    Args:
        interval_s: the longest that we are silent.
        watchdog_s: the longest that the server may be.
        now_s: the time of opening; counts as said and heard.

    Attributes:
        sent_s: when a frame last left.
        heard_s: when a message last arrived, or a long one had grown by a step (`Connection.idle`). A WebSocket's pings
            are none, nor is a frame that trickles in: what says them may live on in front of a server that is gone, and
            a server's heartbeats are messages.
    """

    __slots__ = ("_interval_s", "_watchdog_s", "heard_s", "sent_s")

    def __init__(self, *, interval_s: float, watchdog_s: float, now_s: float) -> None:
        self._interval_s = interval_s
        self._watchdog_s = watchdog_s
        self.sent_s = now_s
        self.heard_s = now_s

    @property
    def due_s(self) -> float:
        """When a heartbeat must leave, unless something else has."""
        return self.sent_s + self._interval_s

    @property
    def dead_s(self) -> float:
        """When the link counts as dead, unless a message has arrived."""
        return self.heard_s + self._watchdog_s
