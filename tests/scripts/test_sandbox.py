from __future__ import annotations

import os
from pathlib import Path

import pytest

from anyctrader.scripts.options import SANDBOX_FOLDER
from anyctrader.scripts.sandbox import open_sandbox
from anyctrader.session import Environment, LiveTradingDisabled, MarketOrder, Mode, SessionState, Side, open_desk

pytestmark = pytest.mark.anyio


async def test_demo_and_live_come_up_beside_each_other_and_share_nothing(tmp_path: Path) -> None:
    async with (
        open_sandbox(folder=tmp_path) as sandbox,
        open_desk(sandbox.settings(live_enabled=False), sandbox=True) as desk,
    ):
        demo, live = (desk.session(environment) for environment in Environment)
        assert (demo.state, live.state) == (SessionState.READY, SessionState.READY)
        assert demo.endpoint.port != live.endpoint.port
        assert demo.endpoint.ca_file != live.endpoint.ca_file
        assert desk.account(Environment.LIVE).is_live
        assert not desk.account(Environment.DEMO).is_live
        assert (desk.mode(Environment.DEMO), desk.mode(Environment.LIVE)) == (Mode.ON, Mode.OFF)
        with pytest.raises(LiveTradingDisabled):
            await desk.place(Environment.LIVE, MarketOrder("EURUSD", Side.BUY, lots="0.01"))
        assert "ProtoOANewOrderReq" not in sandbox.servers[Environment.LIVE].seen.names()


async def test_live_may_trade_only_where_it_is_enabled(tmp_path: Path) -> None:
    async with open_sandbox(folder=tmp_path) as sandbox:
        enabled = sandbox.settings(live_enabled=True).environments
        assert enabled[Environment.LIVE].mode is Mode.ON
        assert sandbox.settings(live_enabled=False).environments[Environment.LIVE].mode is Mode.OFF
        assert not enabled[Environment.DEMO].live_enabled


async def test_intervals_are_scaled_together(tmp_path: Path) -> None:
    async with open_sandbox(scale=0.1, folder=tmp_path) as sandbox:
        timings = sandbox.settings(live_enabled=False).environments[Environment.DEMO].timings
        server = sandbox.servers[Environment.DEMO].settings.timing
        assert timings.heartbeat_s == pytest.approx(0.8)
        assert timings.watchdog_s == pytest.approx(6.0)
        assert server.heartbeat_s == pytest.approx(3.0)
        assert server.idle_s == pytest.approx(6.0)
        assert server.answer_s == 0.045


async def test_nothing_is_read_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Untouchable(dict[str, str]):
        def __getitem__(self, key: str) -> str:
            assert "CTRADER" not in key
            return super().__getitem__(key)

    monkeypatch.setattr(os, "environ", Untouchable(os.environ))
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("CTRADER_LOG_FOLDER=elsewhere\nCTRADER_LIVE_ENABLED=true\n")
    async with open_sandbox() as sandbox:
        settings = sandbox.settings(live_enabled=False)
        assert settings.log_folder == SANDBOX_FOLDER == Path("logs/sandbox")
        for environment, part in settings.environments.items():
            assert part.credentials.client_id == sandbox.servers[environment].client_id
