"""A server that real clients take for the real one (docs/protocol.md sections 1 to 14).

async with FakeServer(ServerSettings()) as server:
    ...  # connect to server.host, server.port; trust server.ca_file
"""

from __future__ import annotations

import tempfile
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import SocketAttribute

from ..wire import JsonCodec, MessageKind, ProtobufCodec, Role, WebSocketFraming
from ..wire.framing import Delimiting, framing_of
from .answers import Answers
from .certificates import Certificates
from .control_port import ControlPort
from .controls import Controls
from .links import Flavour, Links
from .oauth import OAuthPages
from .performance import Performance
from .registration import USER_ID, default_grant, register_accounts, shared_directory
from .settings import ServerSettings
from .switchboard import Switchboard

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from types import TracebackType

    from anyio.abc import SocketStream, TaskGroup

    from .clients import Client
    from .exchange import Exchange
    from .injection import Faults
    from .observations import Observations, Seen
    from .steps import Step
    from .tokens import Application, Directory, Grant, ListedAccount

__all__ = ["FakeServer", "FakeServerFailed", "StrictnessViolated"]


class FakeServerFailed(Exception):
    """The fake server had failures of its own while it ran; they are its `__cause__` and in its text."""


class StrictnessViolated(AssertionError):
    """A client did what the real server would not have taken.

    Attributes:
        violations: each of them, oldest first.
    """

    def __init__(self, violations: Sequence[str]) -> None:
        super().__init__("the real server would have refused:\n" + "\n".join(f"  {text}" for text in violations))
        self.violations = tuple(violations)


class FakeServer(Controls):
    """The server, both ports of it; an async context manager that listens while it is open.

    Args:
        settings: see `ServerSettings`.
        directory: the register of applications and tokens to share with another server; None for one of its own.

    Nothing is shared between two servers of one process, except a directory that was given to both.
    """

    def __init__(self, settings: ServerSettings | None = None, *, directory: Directory | None = None) -> None:
        self.settings = settings if settings is not None else ServerSettings()
        self._given_directory = directory
        self._stack = AsyncExitStack()
        self._tasks: TaskGroup
        self._board: Switchboard
        self._grant: Grant
        self._application: Application
        self._ports: dict[str, int] = {}
        self._ca_file: Path

    # Where it is

    @property
    def host(self) -> str:
        """The address that it listens on; the certificate is good for it and for `localhost`."""
        return self.settings.bind

    @property
    def port(self) -> int:
        """The port of protobuf."""
        return self._ports["protobuf"]

    @property
    def json_port(self) -> int:
        """The port of JSON."""
        return self._ports["json"]

    @property
    def oauth_url(self) -> str | None:
        """Where the OAuth pages are, such as `http://127.0.0.1:40000`; None where there are none."""
        port = self._ports.get("oauth")
        return None if port is None else f"http://{self.settings.bind}:{port}"

    @property
    def control_port(self) -> int | None:
        """Where steps are taken while it runs, on 127.0.0.1 (see `control_port.ControlPort`); None for nowhere."""
        return self._ports.get("control")

    @property
    def ca_file(self) -> Path:
        """The certificate of the throw-away authority, PEM; deleted when the server ends."""
        return self._ca_file

    # What lets a client in

    @property
    def client_id(self) -> str:
        """Of the application that it made up."""
        return self._application.client_id

    @property
    def client_secret(self) -> str:
        """Of the application that it made up."""
        return self._application.client_secret

    @property
    def access_token(self) -> str:
        """The newest access token of that application and user."""
        return self._newest_grant().access_token

    @property
    def refresh_token(self) -> str:
        """The newest refresh token of that application and user."""
        return self._newest_grant().refresh_token

    @property
    def accounts(self) -> tuple[ListedAccount, ...]:
        """The accounts of the directory: those of the other host are listed, but not served, here."""
        return tuple(self.directory.accounts.values())

    @property
    def account_id(self) -> int:
        """The first account that this server serves."""
        return next(a.account_id for a in self.accounts if a.is_live is self.settings.host.is_live)

    @property
    def directory(self) -> Directory:
        """Applications, accounts and tokens."""
        return self._board.directory

    # What goes on

    @property
    def clients(self) -> Mapping[int, Client]:
        """Those connected, by number."""
        return self._board.clients

    @property
    def seen(self) -> Observations:
        """What clients did, newest last."""
        return self._board.seen

    @property
    def faults(self) -> Faults:
        """What goes wrong now: `server.faults.inject(...)`."""
        return self._board.faults

    @property
    def exchange(self) -> Exchange:
        """What trades; change it by the methods of the server, so that clients hear of it."""
        return self._board.exchange

    @property
    def violations(self) -> tuple[str, ...]:
        """What clients did that the real server would have refused, strict or not; the newest thousand."""
        return tuple(self._board.violations)

    @property
    def failures(self) -> tuple[Exception, ...]:
        """The fake server's own failures, steps that could not be done among them; the newest thousand."""
        return tuple(self._board.failures)

    @property
    def now_ms(self) -> int:
        """The server's time of day, ms since the epoch."""
        return self._board.agenda.now_ms()

    async def wait_for(
        self,
        wanted: str | Callable[[Seen], bool],
        *,
        count: int = 1,
        client: int | None = None,
        since: int = 0,
        timeout_s: float = 10.0,
    ) -> list[Seen]:
        """Waits until clients have done something: see `Observations.wait_for`.

        Raises:
            TimeoutError: they have not, in `timeout_s` seconds.
        """
        return await self.seen.wait_for(wanted, count=count, client=client, since=since, timeout_s=timeout_s)

    def play(self, *steps: Step) -> Performance:
        """Lets things happen, now or when their time comes: faults, prices, losses of sessions.

        Returns:
            The performance; `stop()`, or the end of its `with` block, ends what lasts and what has not begun.

        Raises:
            StepError: a step makes no sense; none is played.
        """
        return Performance(self, steps, agenda=self._board.agenda, failed=self._board.failed)

    def check(self) -> None:
        """Holds clients to what the real server takes, and the fake to its own word.

        Raises:
            FakeServerFailed: an exception of the fake server's own.
            StrictnessViolated: it is strict, and a client did what would have been refused.
        """
        if self._board.failures:
            first = self._board.failures[0]
            raise FakeServerFailed(f"{len(self._board.failures)} failures, the first: {first!r}") from first
        if self.settings.strict and self._board.violations:
            raise StrictnessViolated(self._board.violations)

    # Its life

    async def __aenter__(self) -> FakeServer:
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._tasks.cancel_scope.cancel()
        try:
            await self._stack.__aexit__(exc_type, exc, traceback)
        except BaseExceptionGroup as group:
            if exc is None or group.exceptions != (exc,):
                raise
            # The tasks of a server raise nothing: this is the body's own exception, which goes on as it was.
        if exc is None:
            self.check()

    async def _start(self, stack: AsyncExitStack) -> None:
        settings = self.settings
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="anyctrader-fake-")))
        certificates = Certificates(*({settings.bind} - {"127.0.0.1", "::1", "0.0.0.0"}))  # noqa: S104 - left out
        self._ca_file = certificates.write_authority(folder / "ca.pem")
        directory = self._given_directory
        if directory is None:
            directory = shared_directory(settings, seed=f"{settings.host.value}:{settings.seed}")
        self._board = Switchboard(settings, directory=directory)
        register_accounts(directory, self._board.exchange, host=settings.host)
        self._application = next(iter(directory.applications.values()))
        self._grant = default_grant(directory, self._application, now_ms=self.now_ms)
        answers = Answers(self._board)
        stack.callback(self._board.directory.watch(answers.sessions.grant_ended))
        links = Links(self._board, answers, certificates)
        protobuf = Flavour(
            ProtobufCodec, lambda: self._framing(Delimiting.LENGTH), lambda: self._websocket(MessageKind.BINARY)
        )
        json = Flavour(
            JsonCodec, lambda: self._framing(settings.json_delimiting), lambda: self._websocket(MessageKind.TEXT)
        )
        listeners = {
            "protobuf": (settings.port, lambda raw: links.serve(raw, protobuf)),
            "json": (settings.json_port, lambda raw: links.serve(raw, json)),
        }
        if settings.oauth_port is not None:
            pages = OAuthPages(
                self._board.directory,
                user_id=USER_ID,
                now_ms=self._board.agenda.now_ms,
                errors=settings.variants.oauth_errors,
            )
            listeners["oauth"] = (settings.oauth_port, pages.serve)
        if settings.control_port is not None:
            listeners["control"] = (settings.control_port, ControlPort(self).serve)
        open_listeners = []
        for name, (port, serve) in listeners.items():
            # Whoever reaches the control port has the server in hand: that is for this machine only.
            bind = "127.0.0.1" if name == "control" else settings.bind
            listener = await anyio.create_tcp_listener(local_host=bind, local_port=port)
            await stack.enter_async_context(listener)
            open_listeners.append((listener, serve))
            self._ports[name] = listener.extra(SocketAttribute.local_port)  # noqa: S610 - this is not Django
        self._board.drive()
        self.play(*settings.steps)
        self._tasks = await stack.enter_async_context(anyio.create_task_group())
        self._tasks.start_soon(self._board.agenda.run)
        for listener, serve in open_listeners:
            self._tasks.start_soon(listener.serve, partial(self._served, serve), self._tasks)

    async def _served(self, serve: Callable[[SocketStream], Awaitable[None]], stream: SocketStream) -> None:
        """One connection of any port. What goes wrong in it is raised when the server ends, and does not end it."""
        try:
            await serve(stream)
        except Exception as error:
            self._board.failed(error)

    def _framing(self, delimiting: Delimiting) -> Any:
        return framing_of(delimiting, max_size=self.settings.limits.frame_bytes)

    def _websocket(self, kind: MessageKind) -> WebSocketFraming:
        return WebSocketFraming(Role.SERVER, kind, max_size=self.settings.limits.frame_bytes)

    def _newest_grant(self) -> Grant:
        """The newest pair of our application, or the last one that there was."""
        for grant in reversed(self.directory.grants):
            if grant.client_id == self.client_id:
                self._grant = grant
                break
        return self._grant
