"""Stages for the phases of the runbook: two servers that answer at once, and nothing real about any of it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyctrader.fake import ExchangeSettings, FakeServer, Host, ServerSettings, Timing
from anyctrader.fake.exchange_settings import Delays
from anyctrader.scripts.sandbox import Sandbox
from anyctrader.scripts.stage import Pace, Stage
from anyctrader.session import Environment, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyctrader.scripts.steps import StepResult

QUICK = Pace(scale=0.1, soak_s=2.5, burst=60)


@dataclass
class Report:
    """Remembers what it is told."""

    phases: list[str] = field(default_factory=list)
    results: list[StepResult] = field(default_factory=list)

    def phase(self, letter: str, title: str) -> None:
        self.phases.append(letter)

    def began(self, title: str) -> None:
        pass

    def progress(self, text: str) -> None:
        pass

    def ended(self, result: StepResult) -> None:
        self.results.append(result)

    def outcomes(self, phase: str) -> dict[str, str]:
        return {result.name: result.outcome.value for result in self.results if result.phase == phase}

    def detail(self, phase: str, name: str) -> str:
        return next(result.detail for result in self.results if (result.phase, result.name) == (phase, name))


class Person:
    """Somebody at the terminal who types this, or nobody."""

    def __init__(self, typed: str | None) -> None:
        self.typed = typed
        self.asked = 0

    async def __call__(self) -> str | None:
        self.asked += 1
        return self.typed


def server_settings(host: Host, exchange: ExchangeSettings | None = None, **more: Any) -> ServerSettings:
    timing = replace(Timing().scaled(QUICK.scale), answer_s=0.0, unauthenticated_s=30.0)
    return ServerSettings(
        host=host,
        seed="test",
        oauth_port=None,
        timing=timing,
        exchange=exchange if exchange is not None else ExchangeSettings(delays=Delays.none()),
        **more,
    )


@asynccontextmanager
async def sandbox_of(
    folder: Path, demo: ServerSettings | None = None, live: ServerSettings | None = None
) -> AsyncIterator[Sandbox]:
    async with (
        FakeServer(demo if demo is not None else server_settings(Host.DEMO)) as demo_server,
        FakeServer(live if live is not None else server_settings(Host.LIVE)) as live_server,
    ):
        yield Sandbox({Environment.DEMO: demo_server, Environment.LIVE: live_server}, folder, QUICK.scale)


def stage_of(
    sandbox: Sandbox,
    *,
    ours: bool = True,
    settings: Settings | None = None,
    person: Person | None = None,
    pace: Pace = QUICK,
) -> Stage:
    """A stage on these servers.

    Args:
        sandbox: the servers.
        ours: whether the stage knows that the servers are ours; if not, it takes them for the real ones.
        settings: None for live off.
        person: who is at the terminal; None for nobody.
        pace: how long the slow parts take.
    """
    return Stage(
        settings=settings if settings is not None else sandbox.settings(live_enabled=False),
        symbol="EURUSD",
        pace=pace,
        confirm=person if person is not None else Person(None),
        progress=lambda _: None,
        sandbox=sandbox if ours else None,
    )
