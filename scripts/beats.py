"""Checks of a connection that does nothing but live, and of one that is asked too much at once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import anyio

from anyctrader.session import SessionState
from anyctrader.session.tasks import background
from anyctrader.wire import Budget
from anyctrader.wire import messages as oa
from anyctrader.wire.errors import CTraderError

from .failures import told
from .steps import StepFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyctrader.fake import FakeServer, Seen

    from .probe import Probe

__all__ = ["burst", "soak"]

_LOOK_S: Final = 0.02
_WINDOW_MS: Final = 1000
_TRIES: Final = 4
_JITTER_S: Final = 0.02  # what the throttle allows for between leaving and arriving


@dataclass(frozen=True, slots=True)
class _Beat:
    """A frame of ours that left: when, and how long this process had been held up in all, just before and after."""

    at_s: float
    stalled_before_s: float
    stalled_after_s: float


class _Watched:
    """One connection during a soak: when frames of ours were seen to leave, and whether it stayed the same one."""

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        link = probe.session.link
        if link is None:
            raise StepFailed(f"{probe.environment.value} is {probe.session.state.value}: {probe.session.reason}")
        self.link = link
        self.began_s = self.looked_s = time.monotonic()
        self.stalled_s = 0.0
        self.beats = [_Beat(link.heartbeat.sent_s, 0.0, 0.0)]
        server = probe.stage.server(probe.environment)
        self.seen_before = server.seen.total if server is not None else 0

    def look(self) -> None:
        """Notes a frame that has left since the last look.

        Raises:
            StepFailed: the connection is not the one that it was.
        """
        probe = self.probe
        if probe.session.link is not self.link or probe.session.state is not SessionState.READY:
            after_s = time.monotonic() - self.began_s
            raise StepFailed(
                f"{probe.environment.value} did not stay up: after {after_s:.0f} s it is "
                f"{probe.session.state.value} ({probe.session.reason})"
            )
        now_s, before_s = time.monotonic(), self.stalled_s
        self.stalled_s += max(0.0, now_s - self.looked_s - _LOOK_S)
        self.looked_s = now_s
        if self.link.heartbeat.sent_s != self.beats[-1].at_s:
            self.beats.append(_Beat(self.link.heartbeat.sent_s, before_s, self.stalled_s))

    def result(self) -> str:
        """What was seen.

        Raises:
            StepFailed: too few frames left, or too far apart, as we or as the server saw it.
        """
        self.look()
        where, pace = self.probe.environment.value, self.probe.stage.pace
        now_s = time.monotonic()
        longest_s, given_s = 0.0, 0.0
        for earlier, later in pairwise([*self.beats, _Beat(now_s, self.stalled_s, self.stalled_s)]):
            # What is looked at every 20 ms can look that much longer than it is.
            gap_s = later.at_s - earlier.at_s
            allowance_s = pace.allowance_s(later.stalled_after_s - earlier.stalled_before_s) + _LOOK_S
            if gap_s > pace.longest_silence_s + allowance_s:
                raise StepFailed(f"{where} was silent for {gap_s:.2f} s: more than {pace.longest_silence_s:.2f} s")
            longest_s, given_s = max(longest_s, gap_s), max(given_s, allowance_s)
        beats = len(self.beats) - 1
        wanted = int((now_s - self.began_s) / (pace.longest_silence_s + given_s))
        if beats < wanted:
            raise StepFailed(f"{beats} beats left {where}, and {wanted} is the least that there must be")
        text = f"{where}: {beats} beats left, longest gap {longest_s:.2f} s of {pace.longest_silence_s:.2f} s allowed"
        if longest_s > pace.longest_silence_s:
            text += f" and {given_s:.2f} s that this machine stood still"
        heard = self._server_saw(pace.longest_silence_s + given_s)
        return f"{text}; {heard}" if heard else text

    def _server_saw(self, longest_silence_s: float) -> str | None:
        server = self.probe.stage.server(self.probe.environment)
        if server is None:
            return None
        arrived = [seen for seen in _after(server, self.seen_before) if seen.message is not None]
        beats = [seen.at_ms for seen in arrived if seen.name == "ProtoHeartbeatEvent"]
        if len(beats) < 2:
            raise StepFailed(f"the server of {self.probe.environment.value} heard {len(beats)} heartbeats")
        gap_s = max(later - earlier for earlier, later in pairwise([seen.at_ms for seen in arrived])) / 1000
        if gap_s > longest_silence_s:
            raise StepFailed(f"its server heard nothing for {gap_s:.2f} s: more than {longest_silence_s:.2f} s")
        return f"its server heard {len(beats)} heartbeats, longest gap {gap_s:.2f} s"


async def soak(probes: Sequence[Probe], for_s: float) -> str:
    """Leaves connections alone for a while, and sees that they beat; afterwards they must still answer.

    Args:
        probes: of the connections.
        for_s: how long.

    Raises:
        StepFailed: one of them did not.
    """
    stage = probes[0].stage
    watched = [_Watched(probe) for probe in probes]
    end_s = time.monotonic() + for_s
    told_s = 0.0
    while (left_s := end_s - time.monotonic()) > 0:
        for each in watched:
            each.look()
        if time.monotonic() - told_s >= 1:
            told_s = time.monotonic()
            minutes, seconds = divmod(int(left_s), 60)
            stage.progress(f"{minutes}:{seconds:02} left")
        await anyio.sleep(min(_LOOK_S, left_s))
    results = [each.result() for each in watched]
    for probe in probes:
        await probe.session.request(oa.ProtoOAVersionReq())
    return f"{for_s:g} s: {'; '.join(results)}; answered afterwards"


async def burst(probe: Probe, count: int) -> str:
    """Asks more at once than may leave in a second; all of it must be answered, and none may leave too early.

    A server in this process is held up together with us: what left in time then arrives in a heap, and is refused. Such
    a try says nothing, and is made again.

    Raises:
        StepFailed: the server refused one, or too many left within a second.
    """
    tries = _TRIES if probe.stage.server(probe.environment) is not None else 1
    while True:
        tries -= 1
        stall = _Stall()
        try:
            async with background() as tasks:
                tasks.start_soon(stall.watch)
                return await _burst(probe, count)
        except StepFailed:
            if not tries or stall.longest_s < _JITTER_S:
                raise


async def _burst(probe: Probe, count: int) -> str:
    link = probe.session.link
    if link is None:
        raise StepFailed(f"{probe.environment.value} is {probe.session.state.value}: {probe.session.reason}")
    most = link.throttle.most(Budget.ORDINARY)
    server = probe.stage.server(probe.environment)
    before = server.seen.total if server is not None else 0
    used, refused = [0], list[CTraderError]()

    async def ask() -> None:
        try:
            # The link's own: a session asks again what was refused for its rate, and nobody would see the refusal.
            await link.request(oa.ProtoOAVersionReq(), timeout_s=25)
        except CTraderError as error:
            refused.append(error)
        used.append(link.throttle.used(Budget.ORDINARY, now_s=time.monotonic()))

    began_s = time.monotonic()
    async with anyio.create_task_group() as tasks:
        for _ in range(count):
            tasks.start_soon(ask)
    took_s = time.monotonic() - began_s
    if refused:
        raise StepFailed(f"{len(refused)} of {count} requests were not answered, the first: {told(refused[0])}")
    if max(used) > most:
        raise StepFailed(f"{max(used)} requests left within a second, and {most} may")
    if took_s < (count - 1) // most:
        raise StepFailed(f"{count} requests were answered in {took_s:.2f} s: that is more than {most} a second")
    text = f"{count} requests at once: all answered, in {took_s:.1f} s; at most {max(used)} of {most} within a second"
    if server is not None:
        fullest = _fullest(_after(server, before))
        if fullest > most:
            raise StepFailed(f"the server counted {fullest} requests within a second, and {most} may arrive")
        text += f"; its server counted {fullest}"
    return text


class _Stall:
    """How long this process was held up at a time, at worst."""

    def __init__(self) -> None:
        self.longest_s = 0.0

    async def watch(self) -> None:
        """Looks until cancelled."""
        while True:
            began_s = time.monotonic()
            await anyio.sleep(_LOOK_S)
            self.longest_s = max(self.longest_s, time.monotonic() - began_s - _LOOK_S)


def _after(server: FakeServer, position: int) -> list[Seen]:
    """What a server saw after the first *position* things."""
    fresh = min(server.seen.total - position, len(server.seen))
    return list(server.seen)[-fresh:] if fresh else []


def _fullest(arrived: Sequence[Seen]) -> int:
    """The most requests that arrived within any second."""
    times = [seen.at_ms for seen in arrived if seen.message is not None]
    return max((sum(begin <= at < begin + _WINDOW_MS for at in times) for begin in times), default=0)
