"""A server for programs that are not async: it runs in a thread of its own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from anyio.from_thread import start_blocking_portal

from .server import FakeServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anyio.from_thread import BlockingPortal

    from .observations import Seen
    from .settings import ServerSettings
    from .tokens import Directory

__all__ = ["BlockingServer", "blocking_server"]

_T = TypeVar("_T")


class BlockingServer:
    """A `FakeServer` in another thread. Where it is and what lets a client in may be read as on the server itself.

    Attributes:
        server: the server; everything that does more than read an attribute goes through `call`.
    """

    def __init__(self, server: FakeServer, portal: BlockingPortal) -> None:
        self.server = server
        self._portal = portal
        self.host = server.host
        self.port = server.port
        self.json_port = server.json_port
        self.oauth_url = server.oauth_url
        self.control_port = server.control_port
        self.ca_file = server.ca_file
        self.client_id = server.client_id
        self.client_secret = server.client_secret
        self.account_id = server.account_id
        self.accounts = server.accounts

    @property
    def access_token(self) -> str:
        """The newest access token."""
        return self.call(lambda server: server.access_token)

    @property
    def refresh_token(self) -> str:
        """The newest refresh token."""
        return self.call(lambda server: server.refresh_token)

    def call(self, do: Callable[[FakeServer], _T]) -> _T:
        """Runs `do(server)` in the server's thread, where prices may be moved and faults injected."""
        return self._portal.call(do, self.server)

    def wait_for(self, wanted: str | Callable[[Seen], bool], **how: Any) -> list[Seen]:
        """Waits until clients have done something: see `Observations.wait_for`.

        Raises:
            TimeoutError: they have not in time.
        """

        async def wait() -> list[Seen]:
            return await self.server.wait_for(wanted, **how)

        return self._portal.call(wait)


@contextmanager
def blocking_server(
    settings: ServerSettings | None = None, *, directory: Directory | None = None
) -> Iterator[BlockingServer]:
    """A running server, for a `with` statement.

    Raises:
        FakeServerFailed, StrictnessViolated: at the end, as `FakeServer.check` says.
    """
    server = FakeServer(settings, directory=directory)
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(server):
        yield BlockingServer(server, portal)
