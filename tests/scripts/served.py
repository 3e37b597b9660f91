"""A fake server and the settings that lead to it, for commands that connect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from anyctrader.fake import BlockingServer, ExchangeSettings, Host, ServerSettings, Timing, blocking_server
from anyctrader.fake.exchange_settings import Delays


@contextmanager
def served(host: Host = Host.DEMO, **changes: Any) -> Iterator[BlockingServer]:
    """A server that answers at once."""
    known: dict[str, Any] = {"exchange": ExchangeSettings(delays=Delays.none()), "timing": Timing.instant()}
    with blocking_server(ServerSettings(host=host, **(known | changes))) as server:
        yield server


def variables_of(server: BlockingServer, environment: str = "DEMO", **changes: str) -> dict[str, str]:
    """The settings, as environment variables; one that is empty counts as not given."""
    said = {
        "APPLICATION_ID": server.client_id,
        "APPLICATION_SECRET": server.client_secret,
        "ACCESS_TOKEN": server.access_token,
        "ACCOUNT_ID": str(server.account_id),
        "HOST": server.host,
        "PORT": str(server.port),
        "CA_FILE": str(server.ca_file),
    }
    return {f"CTRADER_{environment}_{key}": value for key, value in (said | changes).items()}
