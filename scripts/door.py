"""A TLS listener on this machine, with a throw-away certificate of its own; clients come over TCP or WebSocket."""

from __future__ import annotations

import importlib.util
import os
import ssl
import tempfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import anyio
import typer
from anyio.abc import SocketAttribute
from anyio.streams.tls import TLSStream

from anyctrader.fake.certificates import Certificates
from anyctrader.fake.upgrade import asks_for_websocket, first_bytes, upgrade

from .extras import not_installed
from .failures import told
from .terminal import escaped, remark

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from anyio.abc import SocketStream

    from anyctrader.session.environments import TransportName

__all__ = [
    "Address",
    "CaFileOption",
    "Door",
    "KeyLogOption",
    "ListenOption",
    "Visitor",
    "check_ca_file",
    "open_door",
    "remark_key_log",
]

_HANDSHAKE_S: Final = 10.0
_FIRST_WORD_S: Final = (
    30.0  # the server speaks second, and ends what is silent for so long (docs/protocol.md section 4)
)
_LOST = (ssl.SSLError, OSError, anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, TimeoutError)

ListenOption = Annotated[
    str, typer.Option("--listen", metavar="HOST:PORT", help="Where to listen, on this machine; port 0: any.")
]
CaFileOption = Annotated[
    Path | None,
    typer.Option(
        "--ca-file", metavar="FILE", help="Write the certificate to trust here; by default into a temporary folder."
    ),
]


def _checked_key_log(context: typer.Context, key_log: Path | None) -> Path | None:
    """Sees that the file can be written before anything begins; made, if need be, for its owner only."""
    if key_log is not None and not context.resilient_parsing:
        try:
            os.close(os.open(key_log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600))
        except OSError as error:
            raise typer.BadParameter(f"the key log cannot be written: {told(error)}") from None
    return key_log


KeyLogOption = Annotated[
    Path | None,
    typer.Option(
        "--key-log",
        metavar="FILE",
        callback=_checked_key_log,
        envvar="SSLKEYLOGFILE",
        help="Write the TLS keys here, for Wireshark: with them, whoever has the traffic reads all of it.",
    ),
]


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen.

    Attributes:
        host: an address of this machine that nobody else reaches.
        port: 0 for any that is free.
    """

    host: str
    port: int

    @classmethod
    def parsed(cls, text: str) -> Address:
        """From `HOST:PORT`, or a port alone.

        Raises:
            typer.BadParameter: it is none, or others would reach it.
        """
        host, _, port = text.rpartition(":")
        host = host.strip("[]") or "127.0.0.1"
        if host == "localhost":
            host = "127.0.0.1"
        if not (port.isascii() and port.isdecimal() and int(port) <= 65_535):
            raise typer.BadParameter(f"{escaped(text)} is no HOST:PORT such as 127.0.0.1:5035", param_hint="--listen")
        if host != "::1" and not host.startswith("127."):
            raise typer.BadParameter(
                f"{escaped(host)} may be reached from elsewhere: only 127.0.0.1 and ::1 are listened on, for whoever "
                "connects speaks with your server",
                param_hint="--listen",
            )
        return cls(host, int(port))


@dataclass(frozen=True, slots=True)
class Door:
    """What listens.

    Attributes:
        host: the address; the certificate is good for it and for `localhost`.
        port: its port.
        ca_file: the certificate to trust, PEM.
    """

    host: str
    port: int
    ca_file: Path


@dataclass(frozen=True, slots=True)
class Visitor:
    """A client that has come in.

    Attributes:
        stream: TLS done, and the upgrade of a WebSocket.
        transport: by which it has come; its first bytes tell.
        said: what was read of it already.
    """

    stream: TLSStream
    transport: TransportName
    said: bytes


@asynccontextmanager
async def open_door(
    address: Address,
    serve: Callable[[Visitor], Awaitable[None]],
    *,
    ca_file: Path | None = None,
    key_log: Path | None = None,
) -> AsyncIterator[Door]:
    """Listens, and serves each client in a task of its own, for as long as the body runs.

    Args:
        address: where.
        serve: one client; raises nothing.
        ca_file: where the certificate to trust is written; None for a temporary folder.
        key_log: where TLS keys are written.

    Raises:
        OSError: it cannot listen there, or a file cannot be written.
    """
    certificates = Certificates(*({address.host} - {"127.0.0.1", "::1"}))
    context = certificates.server_context
    if key_log is not None:
        context.keylog_filename = str(key_log)
    with tempfile.TemporaryDirectory(prefix="anyctrader-") as folder:
        written = certificates.write_authority(ca_file if ca_file is not None else Path(folder) / "ca.pem")

        async def welcome(raw: SocketStream) -> None:
            try:
                with anyio.fail_after(_HANDSHAKE_S):
                    stream = await TLSStream.wrap(raw, server_side=True, ssl_context=context, standard_compatible=False)
            except _LOST as error:
                said = escaped(str(error) or type(error).__name__)
                remark(f"no TLS with a client: {said}; it must trust {written}")
                await anyio.aclose_forcefully(raw)
                return
            try:
                visitor = await _come_in(stream)
                if visitor is not None:
                    await serve(visitor)
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.aclose_forcefully(raw)

        try:
            listener = await anyio.create_tcp_listener(local_host=address.host, local_port=address.port)
        except OSError as error:
            what = f"nothing can listen on {address.host}:{address.port}: {error.strerror or error}"
            raise OSError(error.errno, f"{what}. Another port is chosen with --listen; port 0 takes any") from error
        async with listener, anyio.create_task_group() as tasks:
            if importlib.util.find_spec("wsproto") is None:
                remark(f"clients over TCP only, none over WebSocket: {not_installed('wsproto')}")
            port: int = listener.extra(SocketAttribute.local_port)  # noqa: S610 - this is not Django
            tasks.start_soon(listener.serve, welcome, tasks)
            try:
                yield Door(address.host, port, written)
            finally:
                tasks.cancel_scope.cancel()


async def _come_in(stream: TLSStream) -> Visitor | None:
    """Hears by which transport a client comes; None where nothing comes of it."""
    try:
        with anyio.fail_after(_FIRST_WORD_S):
            said = await first_bytes(stream)
            if not asks_for_websocket(said):
                return Visitor(stream, "tcp", said)
            behind, about = await upgrade(stream, said, None)
            if behind is not None:
                return Visitor(stream, "websocket", behind)
            remark(f"no WebSocket with a client: {escaped(about)}")
            await stream.aclose()
    except TimeoutError:
        remark(f"a client said nothing for {_FIRST_WORD_S:g} s and is gone")
    except _LOST:
        remark("a client left before it said anything")
    return None


def check_ca_file(ca_file: Path | None) -> None:
    """Returns if the certificate can be written there. What stands in it stays, until something listens.

    Raises:
        typer.BadParameter: it cannot.
    """
    if ca_file is None:
        return
    is_there = os.path.lexists(ca_file)
    try:
        os.close(os.open(ca_file, os.O_WRONLY | os.O_CREAT, 0o666))
    except OSError as error:
        raise typer.BadParameter(f"the certificate cannot be written: {told(error)}", param_hint="--ca-file") from None
    if not is_there:
        ca_file.unlink(missing_ok=True)


def remark_key_log(key_log: Path | None) -> None:
    """Says what is written, for it may come from a variable that somebody set long ago."""
    if key_log is not None:
        remark(f"TLS keys are written to {escaped(str(key_log))}: with them, whoever has the traffic reads all of it")
