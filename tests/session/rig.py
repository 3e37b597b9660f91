"""What tests of sessions share: sessions and desks at fake servers on loopback, and a look into the files they leave.

Intervals are scaled down where a test would wait for them; answers of the servers come without delay.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import orjson

from anyctrader.fake import ExchangeSettings, FakeServer, Host, ServerSettings, Timing
from anyctrader.fake.exchange_settings import Delays
from anyctrader.fake.injection import Fault, OutgoingFrame
from anyctrader.fake.refused import Blame
from anyctrader.fake.refused import Refused as Denied
from anyctrader.fake.settings import Limits as ServerLimits
from anyctrader.session import (
    Account,
    Credentials,
    Desk,
    Endpoint,
    Environment,
    EnvironmentSettings,
    Limits,
    Rates,
    Session,
    SessionState,
    Settings,
    Timings,
    connect,
    open_desk,
)
from anyctrader.wire import Message
from anyctrader.wire import messages as oa

from .peer import CODEC, TRANSPORT, framed, the_codec

QUICK = Timings(reconnect_first_s=0.02, reconnect_most_s=0.05, order_queue_s=20)  # a machine may stall for seconds
HASTY: dict[str, Any] = {
    "rates": Rates(ordinary_per_s=1_000, historical_per_s=1_000),
    "limits_of_server": ServerLimits(ordinary_per_window=10_000, historical_per_window=10_000),
}
"""For `a_desk`: who looks at history more often than 5 times a second would wait for that budget, not for a result."""
EURUSD = 1  # its id at the fake server
LOT_CENTS = 100_000  # 0.01 lots of EURUSD


def server_settings(host: Host = Host.DEMO, **changes: Any) -> ServerSettings:
    """Everything at once: no delay of answers, fills and follow-ups."""
    changes.setdefault("timing", Timing.instant())
    changes.setdefault("exchange", ExchangeSettings(delays=Delays.none()))
    return ServerSettings(host=host, **changes)


NEVER_PROTECTS = ExchangeSettings(delays=replace(Delays.none(), follow_up_ms=600_000))
"""An exchange that fills an order and does not set the levels that it asks for."""


def a_server(host: Host = Host.DEMO, **changes: Any) -> FakeServer:
    return FakeServer(server_settings(host, **changes))


def environment_of(server: FakeServer) -> Environment:
    return Environment.LIVE if server.settings.host.is_live else Environment.DEMO


def credentials_of(server: FakeServer, **changes: Any) -> Credentials:
    given: dict[str, Any] = {
        "client_id": server.client_id,
        "client_secret": server.client_secret,
        "access_token": server.access_token,
        "account_id": server.account_id,
    }
    return Credentials(changes.pop("environment", environment_of(server)), **(given | changes))


@asynccontextmanager
async def connected(server: FakeServer, **given: Any) -> AsyncIterator[Session]:
    """A session at this server."""
    environment = environment_of(server)
    given.setdefault("credentials", credentials_of(server))
    given.setdefault("timings", QUICK)
    codec = given.setdefault("codec", CODEC)
    given.setdefault("transport", TRANSPORT)
    port = server.port if codec == "protobuf" else server.json_port
    given = {"host": server.host, "port": port, "ca_file": server.ca_file} | given
    async with connect(environment, **given) as session:
        yield session


@asynccontextmanager
async def an_account(**given: Any) -> AsyncIterator[tuple[FakeServer, Session, Account]]:
    """A server, a session at it, and its account."""
    async with a_server() as server, connected(server, **given) as session:
        yield server, session, await session.authorize(server.account_id)


def side_of(server: FakeServer, **changes: Any) -> EnvironmentSettings:
    """The settings of one environment of a desk."""
    environment = environment_of(server)
    codec = changes.setdefault("codec", CODEC)
    port = server.port if codec == "protobuf" else server.json_port
    changes.setdefault("credentials", credentials_of(server))
    changes.setdefault("endpoint", Endpoint(server.host, port, server.ca_file, transport=TRANSPORT))
    changes.setdefault("timings", QUICK)
    return EnvironmentSettings(environment, **changes)


def desk_settings(folder: Path, *sides: EnvironmentSettings) -> Settings:
    return Settings({side.environment: side for side in sides}, log_folder=folder)


@asynccontextmanager
async def a_desk(folder: Path, **changes: Any) -> AsyncIterator[tuple[FakeServer, Desk]]:
    """A desk with nothing but demo, and its server."""
    server_changes = {name: changes.pop(name) for name in ("exchange", "timing", "limits_of_server") if name in changes}
    if "limits_of_server" in server_changes:
        server_changes["limits"] = server_changes.pop("limits_of_server")
    async with a_server(**server_changes) as server:
        async with open_desk(desk_settings(folder, side_of(server, **changes))) as desk:
            yield server, desk


@asynccontextmanager
async def both(
    folder: Path, *, live_enabled: bool = False, limits: Limits | None = None, **demo: Any
) -> AsyncIterator[tuple[FakeServer, FakeServer, Desk]]:
    """Demo and live, each at a server of its own."""
    async with a_server() as demo_server, a_server(Host.LIVE) as live_server:
        live = side_of(live_server, live_enabled=live_enabled, limits=limits)
        async with open_desk(desk_settings(folder, side_of(demo_server, **demo), live)) as desk:
            yield demo_server, live_server, desk


# What is left behind


def audit_of(folder: Path) -> list[dict[str, Any]]:
    """The whole lines of the order audit, as far as they are on the disk, but for the one that names the columns."""
    path = folder / "order_audit.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [line for line in map(orjson.loads, lines) if line["fact"] != "columns"]


def facts_of(folder: Path, **wanted: Any) -> list[str]:
    """The names of the facts on record, of the lines that have these values."""
    return [line["fact"] for line in audit_of(folder) if all(line.get(k) == v for k, v in wanted.items())]


# What a server has seen


def heard(server: FakeServer, kind: type[Any]) -> list[Any]:
    """The messages of one kind that clients have sent it, oldest first."""
    return [seen.message for seen in server.seen if isinstance(seen.message, kind)]


def is_execution(*types: int) -> Callable[[Any], bool]:
    """Which outgoing frames are execution events of these types."""

    def fits(frame: Any) -> bool:
        return frame.name == "ProtoOAExecutionEvent" and (not types or frame.payload.executionType in types)

    return fits


ACCEPTED = oa.ProtoOAExecutionType.ORDER_ACCEPTED
FILLED = oa.ProtoOAExecutionType.ORDER_FILLED


def saying(frame: OutgoingFrame, payload: Any) -> OutgoingFrame:
    """The frame with another message in it, under the same id, as sessions of this run take it."""
    return replace(frame, payload=payload, data=framed(the_codec().encode(Message(payload, frame.client_msg_id))))


class Rewritten(Fault):
    """Messages of one kind leave the server changed.

    Args:
        name: of the message.
        change: changes a copy of it; False leaves the message as it is.
    """

    def __init__(self, name: str, change: Callable[[Any], bool | None]) -> None:
        self._name = name
        self._change = change

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        if frame.name != self._name:
            return (frame,)
        changed = type(frame.payload)()
        changed.CopyFrom(frame.payload)
        if self._change(changed) is False:
            return (frame,)
        return (saying(frame, changed),)


class Denying(Fault):
    """Requests of some kinds are refused.

    Args:
        kinds: of the requests.
        code: why.
        given: what else the refusal says.
    """

    def __init__(self, *kinds: type[Any], code: str, **given: Any) -> None:
        self._types = {oa.payload_type_of(kind) for kind in kinds}
        self._code = code
        self._given = given

    def admit(self, payload_type: int) -> None:
        if payload_type in self._types:
            raise Denied(self._code, "not now", blame=Blame.SERVER, **self._given)


# Waiting


async def ready_again(session: Session, *, links: Callable[[], Any]) -> None:
    """Drops links, and waits until the session has noticed and is back."""
    async with session.changes() as changes:
        links()
        states: list[SessionState] = []
        async for change in changes:
            states.append(change.state)
            if change.state is SessionState.READY and SessionState.WAITING in states:
                return


def no_exception_group(error: BaseException) -> bool:
    """Whether it came out plainly, with no group anywhere in its chain."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, BaseExceptionGroup):
            return False
        seen = seen.__cause__ or seen.__context__
    return True


async def blocked() -> None:
    """Returns when every other task waits for something."""
    await anyio.wait_all_tasks_blocked()


def by_name(rows: list[Mapping[str, Any]], key: str, value: Any) -> list[Mapping[str, Any]]:
    return [row for row in rows if row.get(key) == value]
