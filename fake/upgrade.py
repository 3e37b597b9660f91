"""The server's end of the HTTP request that turns a TLS stream into a WebSocket (RFC 6455 section 4), by wsproto."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from typing import TYPE_CHECKING

from .injection import Refusal

if TYPE_CHECKING:
    from anyio.abc import ByteStream

__all__ = ["asks_for_websocket", "first_bytes", "upgrade"]

_FIRST_BYTES = b"GET "  # what a WebSocket begins with: as a length it would be over a gigabyte; JSON begins otherwise

_LONGEST_HEAD = 16_384  # bytes of a request
_END = re.compile(rb"\r?\n\r?\n")
_VERSION = 13  # RFC 6455 section 4.1, the only one that was ever finished
_OTHER_VERSION = Refusal(426, f"this server speaks version {_VERSION} of WebSocket alone")
_NONCE = 16  # bytes that are in a Sec-WebSocket-Key, as base64 (section 4.2.1)
_MISSING = Refusal(501, "this server has no WebSocket: pip install 'anyctrader[ws]'")


async def first_bytes(stream: ByteStream) -> bytes:
    """What a client says first, as much of it as tells by which transport it has come."""
    data = b""
    while len(data) < len(_FIRST_BYTES) and _FIRST_BYTES.startswith(data):
        data += await stream.receive()
    return data


def asks_for_websocket(data: bytes) -> bool:
    """Whether a client that begins so wants a WebSocket; if not, these are the first bytes over TCP."""
    return data.startswith(_FIRST_BYTES)


async def upgrade(stream: ByteStream, received: bytes, refusal: Refusal | None) -> tuple[bytes | None, str]:
    """Reads the request and answers it.

    Args:
        stream: where it came from.
        received: what was read of it already.
        refusal: what a fault wants said in place of the upgrade.

    Returns:
        What the client has said behind its request, or None where there is no WebSocket; and a remark about it.
    """
    try:
        from wsproto.connection import ConnectionType
        from wsproto.events import AcceptConnection, Request
        from wsproto.handshake import H11Handshake
        from wsproto.utilities import ProtocolError
    except ImportError:
        await stream.send(_answer(_MISSING))
        return None, _MISSING.text
    while (end := _END.search(received)) is None:
        if len(received) > _LONGEST_HEAD:
            await stream.send(_answer(Refusal(431, "the request is too long")))
            return None, "the request for a WebSocket is too long"
        received += await stream.receive()
    if refusal is not None:
        await stream.send(_answer(refusal))
        return None, f"refused by a fault with HTTP {refusal.status}"
    handshake = H11Handshake(ConnectionType.SERVER)
    try:
        handshake.receive_data(received[: end.end()])
        asked = [event for event in handshake.events() if isinstance(event, Request)]
        if not asked:
            raise ProtocolError("it has a body")
        if (fault := _fault_of(received[: end.end()], dict(asked[0].extra_headers))) is not None:
            raise ProtocolError(fault)
        await stream.send(handshake.send(AcceptConnection()))  # no extension: nothing is ever compressed
    except (ProtocolError, UnicodeError) as error:  # UnicodeError: wsproto reads some headers as ASCII
        hint = getattr(error, "event_hint", None)
        if getattr(hint, "status_code", 400) == _OTHER_VERSION.status:
            await stream.send(_answer(_OTHER_VERSION, f"Sec-WebSocket-Version: {_VERSION}"))
            return None, f"its request is for another version of WebSocket than {_VERSION}"
        await stream.send(_answer(Refusal(400, f"{error}")))
        return None, f"its request for a WebSocket is none: {error}"
    path, query, _ = asked[0].target.partition("?")
    return received[end.end() :], f"WebSocket at {path}{'?…' if query else ''}"  # a query may hold a token


def _fault_of(head: bytes, headers: dict[bytes, bytes]) -> str | None:
    """What wsproto lets pass and RFC 6455 section 4.2.1 does not."""
    if head.partition(b"\n")[0].rstrip().endswith(b"HTTP/1.0"):
        return "it is HTTP/1.0, which has no upgrade"
    try:
        nonce = b64decode(headers[b"sec-websocket-key"], validate=True)
    except binascii.Error:
        nonce = b""
    return None if len(nonce) == _NONCE else f"its Sec-WebSocket-Key is not {_NONCE} bytes in base64"


def _answer(refusal: Refusal, *headers: str) -> bytes:
    body = refusal.text.encode()
    head = (
        f"HTTP/1.1 {refusal.status} {refusal.phrase}",
        *headers,
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join((*head, "", "")).encode() + body
