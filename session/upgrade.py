"""The HTTP request that turns a TLS stream into a WebSocket (RFC 6455 section 4), by wsproto.

wsproto checks the answer: its status, `Upgrade`, `Connection`, and the proof that it is an answer to our key. We offer
neither a subprotocol nor an extension, so that there is no compression, and it refuses an answer that takes one up.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import anyio

from .environments import NO_WSPROTO
from .errors import ConnectFailed
from .tunnel import MOST_INTERIM, MOST_TEXT, TEXT_S, authority, is_interim, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from .environments import Endpoint
    from .transport import TlsStream

__all__ = ["upgrade"]

_PATH = "/"  # docs/protocol.md section 1
_LONGEST_HEAD = 65_536  # bytes; wsproto gives up sooner
_END = re.compile(rb"\r?\n\r?\n")
_PHRASE = re.compile(rb"HTTP/1\.[01] [0-9]{3} ([^\r\n]*)")


async def upgrade(stream: TlsStream, endpoint: Endpoint, *, mask: Callable[[str], str] = str) -> None:
    """Agrees on WebSocket with the server; what it has said since is the stream's next bytes.

    Args:
        stream: after its TLS handshake.
        endpoint: whose it is.
        mask: covers secrets in the server's own words.

    Raises:
        ConnectFailed: the extra is missing, the server refused (status and text are in the error), or what it said is
            no answer.
        LinkLost: the stream ended.
    """
    try:
        from wsproto.connection import ConnectionType
        from wsproto.events import AcceptConnection, RejectConnection, Request
        from wsproto.handshake import H11Handshake
        from wsproto.utilities import ProtocolError
    except ImportError:
        raise ConnectFailed(f"a WebSocket needs {NO_WSPROTO}") from None
    where = authority(endpoint.host, endpoint.port)
    handshake = H11Handshake(ConnectionType.CLIENT)
    received = bytearray()
    interim = 0
    try:
        await stream.send(handshake.send(Request(host=where, target=_PATH)))
        while True:
            received += await stream.receive()
            # Head by head: what stands behind the one that accepts is no HTTP any more.
            while (end := _END.search(received)) is not None:
                head = bytes(received[: end.end()])
                del received[: end.end()]
                handshake.receive_data(head)
                for event in handshake.events():
                    if isinstance(event, AcceptConnection):
                        stream.give_back(bytes(received))
                        return
                    if isinstance(event, RejectConnection) and is_interim(event.status_code):
                        interim += 1  # to wsproto it is a refusal
                        if interim > MOST_INTERIM:
                            raise ConnectFailed(f"{where}: interim answers to the WebSocket upgrade have no end")
                    elif isinstance(event, RejectConnection):
                        text = await _text(stream, handshake, bytes(received), mask)
                        raise ConnectFailed(
                            f"{where}: {_status(event.status_code, head, mask)} in place of a WebSocket{text}"
                        )
            if len(received) > _LONGEST_HEAD:
                raise ConnectFailed(f"{where}: the answer to the WebSocket upgrade has no end")
    except (ProtocolError, UnicodeError) as error:  # UnicodeError: wsproto reads some headers as ASCII
        raise ConnectFailed(
            f"{where}: the answer to the WebSocket upgrade is none: {shown(mask(str(error)))}"
        ) from error


async def _text(stream: TlsStream, handshake: Any, data: bytes, mask: Callable[[str], str]) -> str:
    """The first words of a refusal's body, behind a colon; empty where it has none."""
    from wsproto.events import RejectData
    from wsproto.utilities import ProtocolError

    from .transport import LinkLost

    body, finished = bytearray(), False
    with anyio.move_on_after(TEXT_S):
        try:
            while not finished and len(body) < MOST_TEXT:
                handshake.receive_data(data)
                for event in handshake.events():
                    if isinstance(event, RejectData):
                        body += event.data
                        finished = finished or event.body_finished
                if not finished:
                    data = await stream.receive()
        except (ProtocolError, LinkLost):
            pass  # what came of it is what there is
    # Covered before it is cut: a mask does not know the half of a secret.
    text = shown(mask(body.decode(errors="replace")))
    return f": {text}" if text else ""


def _status(code: int, head: bytes, mask: Callable[[str], str]) -> str:
    """The status with the server's own words for it, or the usual ones where it has none."""
    found = _PHRASE.match(head)
    phrase = shown(mask(found[1].decode(errors="replace"))) if found is not None else ""
    if not phrase:
        try:
            phrase = HTTPStatus(code).phrase
        except ValueError:
            return f"HTTP {code}"
    return f"HTTP {code} {phrase}"
