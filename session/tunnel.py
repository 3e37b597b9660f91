"""A way through an HTTP proxy: `CONNECT host:port` (RFC 9110 section 9.3.6), after which the bytes are the server's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..wire.quoting import escaped
from .errors import ConnectFailed

if TYPE_CHECKING:
    from anyio.abc import ByteStream

    from .proxies import Proxy

__all__ = ["authority", "open_tunnel", "shown"]

_LONGEST_HEAD = 16_384  # bytes of an answer: what HTTP libraries take
_LONGEST_TEXT = 200  # characters of somebody else's words in an error of ours
_END = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(r"HTTP/1\.[01] ([1-5][0-9]{2})(?: ([^\r\n]*))?\r?\n")


async def open_tunnel(raw: ByteStream, proxy: Proxy, host: str, port: int) -> None:
    """Asks the proxy at the other end of `raw` to connect to a server; from then on `raw` leads there.

    Raises:
        ConnectFailed: it does not. Its answer is in the text, our secrets are not.
    """
    where = authority(host, port)
    head = [f"CONNECT {where} HTTP/1.1", f"Host: {where}"]
    if proxy.authorization is not None:
        head.append(f"Proxy-Authorization: {proxy.authorization}")
    await raw.send("\r\n".join((*head, "", "")).encode())
    received = bytearray()
    while (end := _END.search(received)) is None:
        if len(received) > _LONGEST_HEAD:
            raise ConnectFailed(f"{where}: the proxy {proxy} answers CONNECT without an end")
        received += await raw.receive()
    found = _STATUS.match(received[: end.end()].decode("latin-1"))
    if found is None:
        raise ConnectFailed(f"{where}: what answers at {proxy} is no HTTP proxy")
    status, phrase = int(found[1]), shown(proxy.masked(found[2] or ""))
    if not 200 <= status < 300:
        advice = ": it wants a user and a password, http://USER:PASSWORD@HOST:PORT" if status == 407 else ""
        raise ConnectFailed(f"{where}: the proxy {proxy} refused to connect: {status} {phrase}".rstrip() + advice)
    if end.end() != len(received):
        # TLS begins with our own word, so nobody honest has spoken yet.
        raise ConnectFailed(f"{where}: the proxy {proxy} said more than it was asked")


def authority(host: str, port: int) -> str:
    """Host and port as HTTP writes them: an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def shown(text: str) -> str:
    """Somebody else's words as they go into an error: one line, not long, what a terminal would obey made visible."""
    line = escaped(" ".join(text.split()))
    return line if len(line) <= _LONGEST_TEXT else f"{line[:_LONGEST_TEXT]}…"
