from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from anyctrader.scripts.beats import burst, soak
from anyctrader.scripts.probe import Probe
from anyctrader.scripts.steps import StepFailed
from anyctrader.session import Environment, Rates, Settings, Timings, open_desk
from anyctrader.wire import messages as oa

from .grounds import QUICK, sandbox_of, stage_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # these take their time; what beats is tested on both backends


@asynccontextmanager
async def demo_of(folder: Path, *, timings: Timings | None = None, rates: Rates | None = None) -> AsyncIterator[Probe]:
    """Demo on a desk, with other timings or rates than the sandbox's."""
    async with sandbox_of(folder) as sandbox:
        settings = sandbox.settings(live_enabled=False)
        demo = settings.environments[Environment.DEMO]
        demo = replace(demo, timings=timings or demo.timings, rates=rates or demo.rates)
        alone: Settings = replace(settings, environments={Environment.DEMO: demo})
        stage = stage_of(sandbox, settings=alone)
        async with open_desk(alone, sandbox=True) as desk:
            stage.desk = desk
            yield Probe(stage, Environment.DEMO)


async def test_a_soak_counts_the_beats_that_left_and_those_that_the_server_heard(tmp_path: Path) -> None:
    async with demo_of(tmp_path) as demo:
        text = await soak([demo], 2.5)
        assert "beats left, longest gap" in text
        assert "its server heard" in text
        assert "answered afterwards" in text


async def test_a_connection_that_beats_too_rarely_fails_the_soak(tmp_path: Path) -> None:
    # The soak allows for the machine's own delays, so the silence is far beyond them.
    async with demo_of(tmp_path, timings=Timings(heartbeat_s=9.0)) as demo:
        demo.stage.pace = replace(QUICK, scale=0.01)
        with pytest.raises(StepFailed, match="demo was silent for"):
            await soak([demo], 2.5)


async def test_a_connection_that_is_lost_during_the_soak_fails_it_though_it_comes_back(tmp_path: Path) -> None:
    async with demo_of(tmp_path) as demo:
        server = demo.stage.server(Environment.DEMO)
        assert server is not None
        async with anyio.create_task_group() as tasks:

            async def drop() -> None:
                await server.wait_for("ProtoHeartbeatEvent")
                server.drop_clients()

            tasks.start_soon(drop)
            with pytest.raises(StepFailed, match="demo did not stay up"):
                await soak([demo], 30.0)


async def test_a_burst_is_answered_whole_and_keeps_to_the_rate(tmp_path: Path) -> None:
    async with demo_of(tmp_path) as demo:
        server = demo.stage.server(Environment.DEMO)
        assert server is not None
        text = await burst(demo, 60)
        assert text.startswith("60 requests at once: all answered")
        assert "at most 50 of 50 within a second" in text
        asked = [seen for seen in server.seen if isinstance(seen.message, oa.ProtoOAVersionReq)]
        assert len(asked) == 60


async def test_requests_that_the_server_refuses_fail_the_burst(tmp_path: Path) -> None:
    async with demo_of(tmp_path, rates=Rates(ordinary_per_s=500)) as demo:
        with pytest.raises(StepFailed, match="of 120 requests were not answered, the first: the server answered"):
            await burst(demo, 120)
