"""Fixtures for tests of whatever talks to the Open API (entry point `pytest11`).

    async def test_my_client(ctrader_server):
        ...  # connect to ctrader_server.host, ctrader_server.port; trust ctrader_server.ca_file

The async ones run on the backend that anyio's pytest plugin chooses; `ctrader_blocking_server` suits any test.
Each test gets a server of its own on ports that the system chooses, so tests may run side by side.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from .blocking import BlockingServer
    from .server import FakeServer
    from .settings import ServerSettings
    from .tokens import Directory

__all__ = ["ServerFactory", "ctrader_blocking_server", "ctrader_server", "ctrader_server_settings", "ctrader_servers"]


class ServerFactory(Protocol):
    """Starts a further server, which ends with the test."""

    async def __call__(
        self, settings: ServerSettings | None = None, *, directory: Directory | None = None
    ) -> FakeServer:
        """The server, running."""


@pytest.fixture
def ctrader_server_settings() -> ServerSettings:
    """What the servers are started with: override it for other settings. Strict, answers without delay."""
    from .settings import ServerSettings, Timing  # not before a test asks: see the package's own text

    return ServerSettings(timing=Timing.instant(), strict=True)


@pytest.fixture
async def ctrader_server(anyio_backend: object, ctrader_server_settings: ServerSettings) -> AsyncIterator[FakeServer]:
    """A running server; in strict mode the test fails if a client did what the real one would have refused."""
    from .server import FakeServer

    async with FakeServer(ctrader_server_settings) as server:
        yield server


@pytest.fixture
async def ctrader_servers(
    anyio_backend: object, ctrader_server_settings: ServerSettings
) -> AsyncIterator[ServerFactory]:
    """A factory for several, such as a demo and a live one; without settings they are as `ctrader_server` is."""
    from .server import FakeServer

    async with AsyncExitStack() as stack:

        async def start(settings: ServerSettings | None = None, *, directory: Directory | None = None) -> FakeServer:
            server = FakeServer(settings if settings is not None else ctrader_server_settings, directory=directory)
            return await stack.enter_async_context(server)

        yield start


@pytest.fixture
def ctrader_blocking_server(ctrader_server_settings: ServerSettings) -> Iterator[BlockingServer]:
    """A running server for tests that are not async, or not of anyio."""
    from .blocking import blocking_server

    with blocking_server(ctrader_server_settings) as server:
        yield server
