"""The server's end of the HTTP request that turns a TLS stream into a WebSocket (RFC 6455 section 4), by wsproto."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .injection import Refusal

if TYPE_CHECKING:
    from anyio.abc import ByteStream

__all__ = ["FIRST_BYTES", "upgrade"]

FIRST_BYTES = b"GET "
"""What a WebSocket begins with: as a length it would be over a gigabyte, and JSON begins otherwise."""

_LONGEST_HEAD = 16_384  # bytes of a request
_END = re.compile(rb"\r?\n\r?\n")
_MISSING = Refusal(501, "this server has no WebSocket: pip install 'anyctrader[ws]'")


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
        await stream.send(handshake.send(AcceptConnection()))  # no extension: nothing is ever compressed
    except (ProtocolError, UnicodeError) as error:  # UnicodeError: wsproto reads some headers as ASCII
        await stream.send(_answer(Refusal(400, f"{error}")))
        return None, f"its request for a WebSocket is none: {error}"
    return received[end.end() :], f"WebSocket at {asked[0].target}"


def _answer(refusal: Refusal) -> bytes:
    body = refusal.text.encode()
    head = (
        f"HTTP/1.1 {refusal.status} {refusal.phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
