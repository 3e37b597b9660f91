"""Demo and live played by two fake servers in this process, over real TLS connections on this machine."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from anyctrader.fake import ExchangeSettings, FakeServer, Host, ServerSettings
from anyctrader.fake import Timing as ServerTiming
from anyctrader.fake.exchange_settings import Liquidity
from anyctrader.fake.market import MarketSettings
from anyctrader.session import Credentials, Endpoint, Environment, EnvironmentSettings, Settings, Timings

from .options import SANDBOX_FOLDER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

__all__ = ["Sandbox", "open_sandbox"]

_SEED: Final = "sandbox"
# So that an EURUSD quote moves several times a second: what is shown shall be seen to live.
_MARKET: Final = MarketSettings(speed=60)
_ORDER_QUEUE_S: Final = 20.0  # no money hangs on when its orders leave: a busy machine's disk may take seconds
_LIQUIDITY: Final = Liquidity(slippage_points=3)  # so that slippage is something to be measured


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Two servers that listen, and what a desk needs to know of them.

    Attributes:
        servers: the server of each environment.
        folder: where its logs and audit files go.
        scale: all intervals of the protocol are this many times as long as the real ones.
    """

    servers: Mapping[Environment, FakeServer]
    folder: Path
    scale: float

    def settings(self, *, live_enabled: bool) -> Settings:
        """Settings for a desk of these servers: theirs alone, nothing is read from anywhere."""
        return Settings(
            {environment: self._of(environment, live_enabled) for environment in Environment}, log_folder=self.folder
        )

    def _of(self, environment: Environment, live_enabled: bool) -> EnvironmentSettings:
        server = self.servers[environment]
        real = Timings()
        return EnvironmentSettings(
            environment,
            Credentials(
                environment,
                client_id=server.client_id,
                client_secret=server.client_secret,
                access_token=server.access_token,
                refresh_token=server.refresh_token,
                account_id=server.account_id,
            ),
            endpoint=Endpoint(server.host, server.port, server.ca_file),
            timings=replace(
                real,
                heartbeat_s=real.heartbeat_s * self.scale,
                watchdog_s=real.watchdog_s * self.scale,
                order_queue_s=_ORDER_QUEUE_S,
            ),
            live_enabled=live_enabled and environment.is_live,
        )


@asynccontextmanager
async def open_sandbox(*, scale: float = 1.0, folder: Path = SANDBOX_FOLDER) -> AsyncIterator[Sandbox]:
    """Starts both servers; they end with the block.

    Args:
        scale: makes the intervals of heartbeats, watchdog and idle close this many times as long as the real ones.
            Answers and fills take as long as they really do.
        folder: where a desk's files are to go.
    """
    async with (
        FakeServer(_server(Host.DEMO, scale)) as demo,
        FakeServer(_server(Host.LIVE, scale)) as live,
    ):
        yield Sandbox({Environment.DEMO: demo, Environment.LIVE: live}, folder, scale)


def _server(host: Host, scale: float) -> ServerSettings:
    real = ServerTiming()
    timing = replace(real.scaled(scale), answer_s=real.answer_s, unauthenticated_s=real.unauthenticated_s)
    return ServerSettings(
        host=host,
        seed=_SEED,
        oauth_port=None,
        timing=timing,
        exchange=ExchangeSettings(market=_MARKET, liquidity=_LIQUIDITY),
        observations=100_000,  # a walk through the runbook makes some thousands, and steps look back at them
    )
