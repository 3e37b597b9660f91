"""Through an HTTP proxy: CONNECT, its password, NO_PROXY; and TLS as strict as without one."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.abc
import pytest

from anyctrader.session import ConnectFailed, Environment, Secret, SettingsError, load_settings
from anyctrader.session.environments import Endpoint
from anyctrader.session.proxies import PROXY_EXPECTS, Proxy, is_exempt
from anyctrader.session.transport import open_stream
from anyctrader.wire import messages as oa

from .rig import a_server, connected

PASSWORD = "pass-word-planted"


class Middle:
    """A proxy of the tests' own. Whichever host it is asked for, it connects to 127.0.0.1."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.port = 0

    async def serve(self, near: anyio.abc.SocketStream) -> None:
        async with near:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += await near.receive()
            self.asked.append(head.decode())
            await near.send(self.answer)
            if b" 200 " not in self.answer:
                return
            port = int(head.split()[1].decode().rpartition(":")[2])
            async with await anyio.connect_tcp("127.0.0.1", port) as far, anyio.create_task_group() as tasks:
                tasks.start_soon(self._pass, far, near, tasks)
                await self._pass(near, far, tasks)

    async def _pass(self, source: Any, sink: Any, tasks: anyio.abc.TaskGroup) -> None:
        try:
            while True:
                await sink.send(await source.receive())
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            tasks.cancel_scope.cancel()


@asynccontextmanager
async def a_proxy(*answer: bytes) -> AsyncIterator[Middle]:
    middle = Middle(*answer)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    middle.port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, middle.serve)
        yield middle
        tasks.cancel_scope.cancel()


@pytest.mark.anyio
@pytest.mark.parametrize("transport", ["tcp", "websocket"])
async def test_a_session_goes_through_the_proxy_with_its_password(transport: str) -> None:
    async with a_proxy() as middle, a_server() as server:
        proxy = f"http://me:{PASSWORD}@127.0.0.1:{middle.port}"
        async with connected(server, codec="protobuf", transport=transport, proxy=proxy) as session:
            assert (await session.request(oa.ProtoOAVersionReq())).version == "91"
            assert PASSWORD not in repr(session.endpoint)
        [asked] = middle.asked
        assert asked.startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n")
        token = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
        assert f"Proxy-Authorization: Basic {token}\r\n" in asked


@pytest.mark.anyio
@pytest.mark.parametrize("transport", ["tcp", "websocket"])
async def test_a_certificate_is_verified_through_a_proxy_as_without_one(transport: str) -> None:
    async with a_proxy() as middle, a_server() as server:
        with pytest.raises(ConnectFailed, match="not trusted"):
            async with connected(server, transport=transport, ca_file=None, proxy=f"http://127.0.0.1:{middle.port}"):
                pass
        assert len(middle.asked) == 1


@pytest.mark.anyio
async def test_a_name_that_the_certificate_does_not_have_is_refused_through_a_proxy() -> None:
    async with a_proxy() as middle, a_server() as server:
        with pytest.raises(ConnectFailed, match="not trusted"):
            async with connected(server, host="127.0.0.2", proxy=f"http://127.0.0.1:{middle.port}"):
                pass


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            b"HTTP/1.1 407 Who \x1b[31mis me:%s\r\n\r\n" % PASSWORD.encode(),
            r"407 Who \\x1b\[31mis .*it wants a user",
        ),
        (b"HTTP/1.1 503 Not now\r\n\r\n", "refused to connect: 503 Not now"),
        (b"HTTP/1.1 407 %s%s\r\n\r\n" % (b"x" * 195, PASSWORD.encode()), "407 xxx"),
        (b"HTTP/1.1 502 No\r\nContent-Length: 9\r\n\r\nno\nroute: and more", "refused to connect: 502 No: no route:$"),
        (b"HTTP/1.1 502 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", "502 No$"),
        (b"HTTP/1.1 403\r\n\r\n%s" % PASSWORD.encode(), r"403 \*\*\*$"),
        (b"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 403 Never\r\n\r\n", "refused to connect: 403 Never"),
        (b"HTTP/1.1 103 Soon\r\n\r\n" * 11, "interim answers to CONNECT without an end"),
        (b"HTTP/1.1 101 Other\r\n\r\n", "refused to connect: 101 Other"),
        (b"", r"the proxy 127\.0\.0\.1:\d+ closed the connection in place of an answer to CONNECT"),
        (b"SSH-2.0\r\n\r\n", "is no HTTP proxy"),
        (b"x" * 20_000, "without an end"),
        (b"HTTP/1.1 200 OK\r\n\r\nmore", "more than it was asked"),
    ],
)
async def test_a_proxy_that_does_not_lead_on_is_said_to_and_its_password_is_not(answer: bytes, text: str) -> None:
    async with a_proxy(answer) as middle, a_server() as server:
        with pytest.raises(ConnectFailed, match=text) as failure:
            async with connected(server, proxy=f"http://me:{PASSWORD}@127.0.0.1:{middle.port}"):
                pass
        assert PASSWORD[:5] not in str(failure.value)
        assert "\x1b" not in str(failure.value)


@pytest.mark.anyio
async def test_interim_answers_of_a_proxy_are_not_its_answer() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    async with a_proxy(interim + b"HTTP/1.1 200 OK\r\n\r\n") as middle, a_server() as server:
        async with connected(server, proxy=f"http://127.0.0.1:{middle.port}") as session:
            assert (await session.request(oa.ProtoOAVersionReq())).version == "91"


@pytest.mark.anyio
async def test_a_proxy_that_hangs_up_behind_its_answer_is_named_beside_the_server() -> None:
    async with a_proxy() as middle:
        async with (
            await anyio.create_tcp_listener(local_host="127.0.0.1") as closing,
            anyio.create_task_group() as tasks,
        ):

            async def hang_up(stream: Any) -> None:
                await stream.aclose()

            tasks.start_soon(closing.serve, hang_up)
            port = closing.extra(anyio.abc.SocketAttribute.local_port)
            endpoint = Endpoint("127.0.0.1", port, None, proxy=Proxy("127.0.0.1", middle.port))
            with pytest.raises(ConnectFailed, match=f"the server, or the proxy 127.0.0.1:{middle.port} on the way"):
                await open_stream(endpoint, deadline_s=5)
            tasks.cancel_scope.cancel()


@pytest.mark.parametrize("said", ["p@ss wörd%", "p%40ss%20w%C3%B6rd%25", "p%40ss w%c3%b6rd%", "%70@ss%20wörd%25"])
def test_a_proxys_password_is_covered_in_whichever_form_it_is_repeated(said: str) -> None:
    proxy = Proxy.from_url("http://m%65:p%40ss%20w%C3%B6rd%25@127.0.0.1:1")
    assert proxy.masked(f"no {said}, me:{said}") == "no ***, ***"


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://proxy.example:3128", Proxy("proxy.example", 3128)),
        ("proxy.example:3128", Proxy("proxy.example", 3128)),
        ("http://proxy.example/", Proxy("proxy.example", 80)),
        ("http://[::1]:8080", Proxy("::1", 8080)),
        ("http://a%40b:p%3Aw@10.0.0.1:1", Proxy("10.0.0.1", 1, Secret("a@b:p:w"))),
    ],
)
def test_the_address_of_a_proxy_is_read(url: str, proxy: Proxy) -> None:
    assert Proxy.from_url(url) == proxy


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://p:1",
        "socks5://p:1",
        "http://p:0",
        "http://p:70000",
        "http://p/x",
        "http://u%0d%0aX:y@p",
        "http://[::",
    ],
)
def test_what_is_no_address_of_a_proxy_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="must be of the form") as failure:
        Proxy.from_url(url)
    assert str(failure.value) == PROXY_EXPECTS


@pytest.mark.parametrize(
    ("host", "no_proxy", "exempt"),
    [
        ("demo.ctraderapi.com", "*", True),
        ("demo.ctraderapi.com", "ctraderapi.com", True),
        ("demo.ctraderapi.com", "x.org, .CTraderAPI.com", True),
        ("demo.ctraderapi.com", "demo.ctraderapi.com:5035", True),
        ("demo.ctraderapi.com", "demo.ctraderapi.com:5036", False),
        ("demo.ctraderapi.com", "api.com", False),
        ("demo.ctraderapi.com", "10.0.0.0/8", False),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "11.0.0.0/8,10.1.2.4", False),
        ("::1", "[::1]:5035", True),
        ("::1", "::1", True),
        ("127.0.0.1", "localhost", False),
        ("127.0.0.1", "", False),
    ],
)
def test_no_proxy_says_which_hosts_are_reached_without_it(host: str, no_proxy: str, exempt: bool) -> None:
    assert is_exempt(host, 5035, no_proxy) is exempt


def environ(**more: str) -> dict[str, str]:
    keys = {"APPLICATION_ID": "a", "APPLICATION_SECRET": "b", "ACCESS_TOKEN": "c", "ACCOUNT_ID": "7"}
    return {f"CTRADER_DEMO_{key}": value for key, value in keys.items()} | more


def loaded(**more: str) -> Endpoint:
    return load_settings(environ=environ(**more)).environments[Environment.DEMO].endpoint


def test_the_settings_take_the_proxy_of_the_process_unless_the_host_is_exempt_or_a_key_says_otherwise() -> None:
    url = f"http://me:{PASSWORD}@p:3128"
    assert loaded().proxy is None
    assert loaded(HTTPS_PROXY=url).proxy == Proxy("p", 3128, Secret(f"me:{PASSWORD}"))
    assert loaded(HTTPS_PROXY=url, https_proxy="q:1").proxy == Proxy("q", 1)
    assert loaded(HTTPS_PROXY=url, NO_PROXY=".ctraderapi.com").proxy is None
    assert loaded(HTTPS_PROXY=url, CTRADER_DEMO_PROXY="http://r:2").proxy == Proxy("r", 2)
    assert PASSWORD not in repr(load_settings(environ=environ(HTTPS_PROXY=url)))


def test_a_proxy_that_cannot_be_used_is_an_error_and_no_way_around_it() -> None:
    with pytest.raises(SettingsError) as failure:
        loaded(HTTPS_PROXY=f"socks5://me:{PASSWORD}@p:1")
    assert failure.value.problems == (f"HTTPS_PROXY {PROXY_EXPECTS}",)
