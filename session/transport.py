"""Opens the stream of a link, over TCP or WebSocket, and turns every anyio, ssl and OS error into one of ours.

The TLS here is Python's `ssl` over memory: one TCP read may bring many TLS records, and all of them are decrypted at
once. A stream that gives one record a call spends most of its time on the way to the next record.
"""

from __future__ import annotations

import math
import secrets
import ssl
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from ..wire import Delimiting, MessageKind, Role, WebSocketFraming, framing_of
from ..wire.errors import CTraderError
from .errors import ConnectFailed
from .tunnel import authority, open_tunnel
from .upgrade import upgrade

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import ByteStream

    from ..wire.framing import Framing
    from .environments import CodecName, DelimitingName, Endpoint, TransportName

__all__ = ["LinkLost", "TlsStream", "client_framing", "open_stream", "server_framing", "tls_context"]

_CIPHERTEXT = 65_536  # bytes asked of the socket at once: four full TLS records
_PLAINTEXT = 16_384  # a TLS record holds no more
_MOST_AT_ONCE = 65_536  # decrypted bytes given at once: what is behind them waits for the next call


class LinkLost(CTraderError):
    """The link is over: it ended, it broke, or it was silent for too long."""


class TlsStream:
    """A TLS stream over a byte stream.

    One task may receive while one other sends. Cancelling a receive loses nothing; a cancelled send has broken the
    stream, which is why only the task that owns the link's writing calls it.
    """

    def __init__(self, raw: ByteStream, context: ssl.SSLContext, *, server_hostname: str) -> None:
        self._raw = raw
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_hostname)
        self._flushing = anyio.Lock(fast_acquire=True)
        self._given_back = b""

    @property
    def tls(self) -> ssl.SSLObject:
        """Version, cipher and certificate of the session."""
        return self._tls

    async def handshake(self) -> None:
        """Agrees on keys and verifies the certificate and its host name.

        Raises:
            ssl.SSLError, OSError, anyio.EndOfStream, anyio.BrokenResourceError: as they come.
        """
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                self._incoming.write(await self._raw.receive(_CIPHERTEXT))
            except ssl.SSLError:
                await self._flush()  # the alert tells the peer why
                raise
            else:
                await self._flush()
                return

    async def receive(self) -> bytes:
        """All that has arrived and can be decrypted, at least one byte.

        Raises:
            LinkLost: the peer ended the stream, or it broke.
        """
        waited = False
        while True:
            data = self._decrypt()
            if self._given_back:
                data, self._given_back = self._given_back + data, b""
            if self._outgoing.pending:  # a key update asks for an answer
                await self._flush()
            if data:
                if not waited:
                    await anyio.lowlevel.checkpoint()
                return data
            waited = True
            try:
                self._incoming.write(await self._raw.receive(_CIPHERTEXT))
            except anyio.EndOfStream:
                raise LinkLost("the server ended the connection") from None
            except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError) as error:
                raise LinkLost(f"the connection broke: {_text(error)}") from error

    def give_back(self, data: bytes) -> None:
        """The next `receive` gives these bytes first: they were read, and belong to whoever reads next."""
        self._given_back = data + self._given_back

    def _decrypt(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        while size < _MOST_AT_ONCE:
            try:
                part = self._tls.read(_PLAINTEXT)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                part = b""
            except ssl.SSLError as error:
                raise LinkLost(f"TLS broke: {error.reason or error}") from error
            if not part:
                if parts:
                    break  # the end is told when these have been taken
                raise LinkLost("the server closed TLS")
            parts.append(part)
            size += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def send(self, data: bytes) -> None:
        """Encrypts and writes all of it.

        Raises:
            LinkLost: the stream broke; how much has left is unknown.
        """
        view = memoryview(data)
        try:
            while view:
                view = view[self._tls.write(view) :]
        except ssl.SSLError as error:
            raise LinkLost(f"TLS broke: {error.reason or error}") from error
        await self._flush()

    async def _flush(self) -> None:
        async with self._flushing:
            while self._outgoing.pending:
                try:
                    await self._raw.send(self._outgoing.read())
                except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError) as error:
                    raise LinkLost(f"the connection broke: {_text(error)}") from error

    async def aclose(self, last_word: bytes = b"") -> None:
        """Says good-bye where that is still possible, and closes the socket in any case.

        Args:
            last_word: sent before it, where that is still possible.
        """
        try:
            try:
                if last_word:
                    self._tls.write(last_word)
                self._tls.unwrap()
            except ssl.SSLError:
                pass  # the peer's own good-bye is not waited for; ours lies in the buffer now
            await self._flush()
        except LinkLost:
            pass  # it was closed from the other side: nothing is left to say
        finally:
            await anyio.aclose_forcefully(self._raw)


def tls_context(ca_file: str | None, *, key_log_file: str | None = None) -> ssl.SSLContext:
    """TLS 1.2 or newer, certificate and host name verified, always.

    Args:
        ca_file: certificates to trust in place of the system's, or None.
        key_log_file: where the keys of each connection are written, in the clear, or None.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(cafile=ca_file)
    if key_log_file is not None:
        context.keylog_filename = key_log_file
    return context


def client_framing(endpoint: Endpoint, codec: CodecName) -> Framing:
    """A fresh framing for one link to this endpoint, ours being the client's end."""
    if endpoint.transport == "websocket":
        return WebSocketFraming(Role.CLIENT, _kind(codec), random=secrets.token_bytes)
    return framing_of(Delimiting(endpoint.delimiting))


def server_framing(codec: CodecName, *, transport: TransportName, delimiting: DelimitingName) -> Framing:
    """A fresh framing for one link, ours being the server's end, as a proxy's is."""
    if transport == "websocket":
        return WebSocketFraming(Role.SERVER, _kind(codec))
    return framing_of(Delimiting(delimiting))


def _kind(codec: CodecName) -> MessageKind:
    return MessageKind.TEXT if codec == "json" else MessageKind.BINARY


async def open_stream(
    endpoint: Endpoint, *, deadline_s: float = math.inf, mask: Callable[[str], str] = str
) -> TlsStream:
    """Connects to an endpoint: proxy, name, TCP, TLS with the certificate verified, WebSocket, as it says.

    What is read from the stream and written to it belongs through `client_framing`, whichever transport it is.

    Args:
        endpoint: where to, and how.
        deadline_s: seconds for all of it.
        mask: covers secrets in what a server or a proxy says of its own.

    Raises:
        ConnectFailed: with what failed and what to do; nothing is left open.
    """
    where = authority(endpoint.host, endpoint.port)
    proxy = endpoint.proxy
    first_hop = "" if proxy is None else f"the proxy {proxy}: "  # before TLS, what fails is the way to the proxy
    try:
        context = tls_context(
            str(endpoint.ca_file) if endpoint.ca_file is not None else None,
            key_log_file=str(endpoint.key_log_file) if endpoint.key_log_file is not None else None,
        )
    except OSError as error:  # ssl.SSLError is one
        raise ConnectFailed(f"{_tls_file(endpoint, error)} cannot be used: {_text(error)}") from error
    raw: ByteStream | None = None
    stage, opened = "TCP connection", False
    try:
        with anyio.fail_after(deadline_s):
            if proxy is None:
                raw = await anyio.connect_tcp(endpoint.host, endpoint.port)
            else:
                raw = await anyio.connect_tcp(proxy.host, proxy.port)
                stage = "answer to CONNECT"
                await open_tunnel(raw, proxy, endpoint.host, endpoint.port)
            stage, first_hop = "TLS handshake", ""
            stream = TlsStream(raw, context, server_hostname=endpoint.host)
            await stream.handshake()
            if endpoint.transport == "websocket":
                stage = "answer to the WebSocket upgrade"
                await upgrade(stream, endpoint, mask=mask)
        opened = True
        return stream
    except TimeoutError:
        raise ConnectFailed(f"{where}: {first_hop}no {stage} within {deadline_s:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise ConnectFailed(
            f"{where}: its certificate is not trusted ({error.verify_message}). "
            "The link was not used; for a server of your own, name its CA file"
        ) from error
    except ssl.SSLError as error:
        raise ConnectFailed(f"{where}: no TLS ({error.reason or error}); is this the right port?") from error
    except (OSError, anyio.EndOfStream, anyio.BrokenResourceError, LinkLost) as error:
        if proxy is not None and isinstance(error, anyio.EndOfStream):
            who = f"the server, or the proxy {proxy} on the way to it,"
            raise ConnectFailed(f"{where}: {who} closed the connection in the handshake") from error
        raise ConnectFailed(f"{where}: {first_hop}{_text(error)}") from error
    finally:
        if raw is not None and not opened:
            with anyio.CancelScope(shield=True):
                await anyio.aclose_forcefully(raw)


def _text(error: BaseException) -> str:
    if isinstance(error, anyio.EndOfStream):
        return "the server closed the connection in the handshake"
    if isinstance(error, ConnectionRefusedError) or isinstance(error.__cause__, ConnectionRefusedError):
        return "the connection was refused; is this the right host and port?"
    return str(error) or (f"{error.__cause__}" if error.__cause__ is not None else type(error).__name__)


def _tls_file(endpoint: Endpoint, error: OSError) -> str:
    """Which of the two files it was: only the one of the key log is opened by Python, which names it."""
    named = endpoint.key_log_file is not None and error.filename == str(endpoint.key_log_file)
    return f"the key log {endpoint.key_log_file}" if named else f"the CA file {endpoint.ca_file}"
