"""The end of the browser's way: a listener on this machine that takes one code, and tells the person to go back.

docs/protocol.md section 6: the redirect brings `?code=…`, good once and for 60 s, or `?error=…`; `state` is not given
back, so it is compared only where it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlsplit

import anyio

from anyctrader.wire.errors import CTraderError

if TYPE_CHECKING:
    from anyio.abc import SocketStream

__all__ = ["Callback", "LoginFailed", "take_code"]

_LARGEST_HEAD: Final = 16_384
_HEAD_S: Final = 10.0  # a browser sends its request at once; whoever does not is none
_PAGE: Final = "<!doctype html><meta charset=utf-8><title>anyctrader</title><p>{}"


class LoginFailed(CTraderError):
    """The login did not lead to a stored pair of tokens. Nothing was stored."""


@dataclass(frozen=True, slots=True)
class Callback:
    """Where the browser is led back to.

    Attributes:
        redirect_uri: the registered address: this machine, a port, a path.
        state: what was sent along.
    """

    redirect_uri: str
    state: str

    def judge(self, target: str) -> tuple[int, str, str | LoginFailed | None]:
        """What a request asks for: the HTTP status, what the page says, and the outcome if this is the redirect."""
        parts = urlsplit(target)
        if parts.path != urlsplit(self.redirect_uri).path:
            return 404, "There is nothing here.", None
        query = parse_qs(parts.query)
        if "state" in query and query["state"] != [self.state]:
            return 400, "This is not the login that was begun here.", None
        if "error" in query:
            return 200, "Access was not allowed. You can close this page.", LoginFailed("access was not allowed")
        match query.get("code", []):
            case [code]:
                return 200, "Done. You can close this page and go back to the terminal.", code
        return 400, "There is no code in this address.", None


async def take_code(callback: Callback, *, within_s: float, listening: anyio.Event) -> str:
    """Listens at the registered address until the redirect has come.

    Args:
        callback: where, and what is expected.
        within_s: how long a person may take.
        listening: set when the browser may be sent on its way.

    Returns:
        the code. Use it at once: it is good for 60 s.

    Raises:
        LoginFailed: it did not come in time, access was not allowed, or the address cannot be listened at.
    """
    address = urlsplit(callback.redirect_uri)
    outcomes: list[str | LoginFailed] = []
    came = anyio.Event()

    async def serve(stream: SocketStream) -> None:
        async with stream:
            try:
                with anyio.fail_after(_HEAD_S):
                    status, text, outcome = callback.judge(await _target_of(stream))
                    await stream.send(_answer(status, text))
            except (OSError, TimeoutError, ValueError, anyio.EndOfStream, anyio.BrokenResourceError):
                return  # no browser, or one that has gone: the next may be the one
        if outcome is not None:
            outcomes.append(outcome)
            came.set()

    try:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=address.port or 0)
    except OSError as error:
        raise LoginFailed(f"{callback.redirect_uri} cannot be listened at ({error.strerror})") from error
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        listening.set()
        with anyio.move_on_after(within_s):
            await came.wait()
        tasks.cancel_scope.cancel()
    if not outcomes:
        raise LoginFailed(f"the browser was not led back within {within_s:g} s")
    outcome = outcomes[0]
    if isinstance(outcome, LoginFailed):
        raise outcome
    return outcome


async def _target_of(stream: SocketStream) -> str:
    head = b""
    while b"\r\n\r\n" not in head:
        if len(head) > _LARGEST_HEAD:
            raise ValueError("too long for a request")
        head += await stream.receive()
    method, target, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ", 2)
    if method != "GET":
        raise ValueError("a redirect is a GET")
    return target


def _answer(status: int, text: str) -> bytes:
    body = _PAGE.format(text).encode()
    # The address holds the code: it is not to be kept, nor told to anybody that the page might lead to.
    head = (
        f"HTTP/1.1 {status} {'OK' if status == 200 else 'No'}\r\nContent-Type: text/html; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
