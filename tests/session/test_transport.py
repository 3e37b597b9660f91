from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.abc
import pytest

from anyctrader.session.errors import ConnectFailed
from anyctrader.session.settings import Endpoint
from anyctrader.session.transport import LinkLost, open_stream

from .peer import Peer, listening

pytestmark = pytest.mark.anyio


async def test_the_certificate_of_a_stranger_is_refused(tmp_path: Path) -> None:
    peer = Peer()
    async with listening(peer, tmp_path) as endpoint:
        with pytest.raises(ConnectFailed, match="not trusted"):
            await open_stream(Endpoint(endpoint.host, endpoint.port), deadline_s=5)
    assert peer.heard == []


async def test_a_certificate_for_another_host_is_refused(tmp_path: Path) -> None:
    async with listening(Peer(), tmp_path, "demo.example.org") as endpoint:
        with pytest.raises(ConnectFailed, match="not trusted") as failure:
            await open_stream(endpoint, deadline_s=5)
    assert "127.0.0.1" in str(failure.value)


async def test_tls_older_than_1_2_is_not_spoken(tmp_path: Path) -> None:
    async with listening(Peer(), tmp_path) as endpoint:
        stream = await open_stream(endpoint, deadline_s=5)
        assert stream.tls.version() in ("TLSv1.2", "TLSv1.3")
        assert stream.tls.context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert stream.tls.context.check_hostname
        await stream.aclose()


async def test_a_port_that_nobody_listens_on_is_said_with_its_address(tmp_path: Path) -> None:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    await listener.aclose()
    with pytest.raises(ConnectFailed, match=f"127.0.0.1:{port}"):
        await open_stream(Endpoint("127.0.0.1", port), deadline_s=5)


async def test_a_server_that_never_speaks_fails_at_the_deadline() -> None:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener:
        with pytest.raises(ConnectFailed, match=r"no TLS handshake within 0.2 s"):
            await open_stream(Endpoint("127.0.0.1", port), deadline_s=0.2)


async def test_a_server_that_speaks_no_tls_is_said_to() -> None:
    async def plain(raw: anyio.abc.SocketStream) -> None:
        await raw.send(b"220 no TLS here\r\n")
        try:
            await raw.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            pass
        await raw.aclose()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, plain)
        with pytest.raises(ConnectFailed, match="no TLS"):
            await open_stream(Endpoint("127.0.0.1", port), deadline_s=5)
        tasks.cancel_scope.cancel()


async def test_a_ca_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(ConnectFailed, match=r"ca\.pem"):
        await open_stream(Endpoint("127.0.0.1", 1, tmp_path / "ca.pem"), deadline_s=5)


async def test_all_that_one_read_brought_is_given_at_once(tmp_path: Path) -> None:
    peer = Peer()
    async with listening(peer, tmp_path) as endpoint:
        stream = await open_stream(endpoint, deadline_s=5)
        await peer.until(lambda: peer._stream is not None)
        for _ in range(50):
            await peer.say_bytes(bytes(100))
        received = b""
        reads = 0
        while len(received) < 50 * 100:
            received += await stream.receive()
            reads += 1
        assert reads < 50
        await stream.aclose()


async def test_many_megabytes_pass_whole(tmp_path: Path) -> None:
    peer = Peer()
    peer.reading = anyio.Event()  # it reads by itself below
    async with listening(peer, tmp_path) as endpoint:
        stream = await open_stream(endpoint, deadline_s=5)
        await peer.until(lambda: peer._stream is not None)
        data = bytes(range(256)) * 12_000
        echoed = bytearray()

        async def take() -> None:
            while len(echoed) < len(data):
                echoed.extend(await peer._stream.receive())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(take)
            await stream.send(data)
        assert bytes(echoed) == data
        await stream.aclose()


async def test_the_end_of_the_stream_is_a_lost_link(tmp_path: Path) -> None:
    peer = Peer()
    async with listening(peer, tmp_path) as endpoint:
        stream = await open_stream(endpoint, deadline_s=5)
        await peer.until(lambda: peer._stream is not None)
        peer.hang_up()
        with pytest.raises(LinkLost):
            await stream.receive()
        await stream.aclose()


async def test_keys_are_logged_only_where_that_is_asked_for(tmp_path: Path) -> None:
    keys = tmp_path / "keys.log"
    async with listening(Peer(), tmp_path) as endpoint:
        await (await open_stream(endpoint, deadline_s=5)).aclose()
        assert not keys.exists()
        await (await open_stream(replace(endpoint, key_log_file=keys), deadline_s=5)).aclose()
        assert "CLIENT_TRAFFIC_SECRET_0" in keys.read_text()
        with pytest.raises(ConnectFailed, match="the key log"):
            await open_stream(replace(endpoint, key_log_file=tmp_path / "nowhere" / "keys"), deadline_s=5)
