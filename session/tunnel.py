"""A way through an HTTP proxy: `CONNECT host:port` (RFC 9110 section 9.3.6), after which the bytes are the server's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import anyio

from ..wire.quoting import escaped
from .errors import ConnectFailed

if TYPE_CHECKING:
    from anyio.abc import ByteStream

    from .proxies import Proxy

__all__ = ["MOST_INTERIM", "MOST_TEXT", "TEXT_S", "authority", "is_interim", "open_tunnel", "shown"]

MOST_INTERIM = 10
"""Interim answers ahead of the final one (RFC 9110 section 15.2: any number may come); Go's client takes five."""
MOST_TEXT = 2_048
"""Bytes of a refusal's body that are read: it is for a person."""
TEXT_S = 1.0
"""Seconds for them: the status is known by then, and its text is not worth longer."""

_LONGEST_HEAD = 16_384  # bytes of an answer: what HTTP libraries take
_LONGEST_TEXT = 200  # characters of somebody else's words in an error of ours
_END = re.compile(rb"\r?\n\r?\n")
_STATUS = re.compile(r"HTTP/1\.[01] ([1-5][0-9]{2})(?: ([^\r\n]*))?\r?\n")
_LENGTH = re.compile(r"\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r?\n", re.IGNORECASE)
_CODED = re.compile(r"\ntransfer-encoding:", re.IGNORECASE)


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
    for _ in range(MOST_INTERIM + 1):
        answer = await _head(raw, received, f"{where}: the proxy {proxy}")
        found = _STATUS.match(answer)
        if found is None:
            raise ConnectFailed(f"{where}: what answers at {proxy} is no HTTP proxy")
        status = int(found[1])
        if not is_interim(status):
            break
    else:
        raise ConnectFailed(f"{where}: the proxy {proxy} gives interim answers to CONNECT without an end")
    if not 200 <= status < 300:
        phrase = (found[2] or "").encode("latin-1").decode(errors="replace")
        text = await _body(raw, received, answer)
        said = ": ".join(part for part in (shown(proxy.masked(phrase)), shown(proxy.masked(text))) if part)
        advice = ": it wants a user and a password, http://USER:PASSWORD@HOST:PORT" if status == 407 else ""
        raise ConnectFailed(f"{where}: the proxy {proxy} refused to connect: {status} {said}".rstrip() + advice)
    if received:
        # TLS begins with our own word, so nobody honest has spoken yet.
        raise ConnectFailed(f"{where}: the proxy {proxy} said more than it was asked")


async def _head(raw: ByteStream, received: bytearray, who: str) -> str:
    """The next head; what stands behind it is left in `received`."""
    while (end := _END.search(received)) is None:
        if len(received) > _LONGEST_HEAD:
            raise ConnectFailed(f"{who} answers CONNECT without an end")
        try:
            received += await raw.receive()
        except anyio.EndOfStream:
            raise ConnectFailed(f"{who} closed the connection in place of an answer to CONNECT") from None
    head = received[: end.end()].decode("latin-1")
    del received[: end.end()]
    return head


async def _body(raw: ByteStream, received: bytearray, head: str) -> str:
    """The first words of a refusal's body. One in chunks is left out: nothing here reads those."""
    if _CODED.search(head):
        return ""
    length = _LENGTH.search(head)
    due = MOST_TEXT if length is None else min(int(length[1]), MOST_TEXT)
    with anyio.move_on_after(TEXT_S):
        try:
            while len(received) < due:
                received += await raw.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError, OSError):
            pass  # what came of it is what there is
    return received[:due].decode(errors="replace")


def is_interim(status: int) -> bool:
    """Whether the real answer is still to come; 101 is one itself."""
    return 100 <= status < 200 and status != 101


def authority(host: str, port: int) -> str:
    """Host and port as HTTP writes them: an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def shown(text: str) -> str:
    """Somebody else's words as they go into an error: one line, not long, what a terminal would obey made visible."""
    line = escaped(" ".join(text.split()))
    return line if len(line) <= _LONGEST_TEXT else f"{line[:_LONGEST_TEXT]}…"
