"""What this machine can do: the least that any client must do, without a client around it.

    python bench/limits.py SHAPE --port N --ca-file F --events N

Each shape parses envelope and payload of every event with protobuf's C runtime and touches the prices. Shapes:
`blocking` (blocking socket), `asyncio` (a protocol with a callback), `anyio` (`receive()` of its TLS stream); and for
requests `blocking-one`, `asyncio-one` (one at a time), `asyncio-many` (64 in flight), `anyio-one` (one at a time on
anyio's own TLS stream, no tasks); `history`: a reply of 5,000 bars, parsed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import ssl
import statistics
import time
from typing import Any

import anyio

from anyctrader.wire import Message, ProtobufCodec, encode_frame
from anyctrader.wire import messages as oa

_CODEC = ProtobufCodec()
SUBSCRIBE = encode_frame(_CODEC.encode(Message(oa.ProtoOASubscribeSpotsReq(ctidTraderAccountId=1, symbolId=[1]))))


class Parser:
    """Cuts frames and parses both messages: the loop that every limit shares."""

    def __init__(self, events: int) -> None:
        self.left = events
        self.last = (0, 0)
        self._rest = b""
        self._envelope, self._spot = oa.ProtoMessage.FromString, oa.ProtoOASpotEvent.FromString

    def feed(self, chunk: bytes) -> bool:
        """True when all events are there."""
        data = self._rest + chunk if self._rest else chunk
        position, end = 0, len(data)
        envelope_of, spot_of = self._envelope, self._spot
        while position + 4 <= end:
            stop = position + 4 + int.from_bytes(data[position : position + 4], "big")
            if stop > end:
                break
            envelope = envelope_of(data[position + 4 : stop])
            if envelope.payloadType == 2131:
                spot = spot_of(envelope.payload)
                self.last = (spot.bid, spot.ask)
                self.left -= 1
            position = stop
        self._rest = data[position:]
        return self.left <= 0


def context(ca_file: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)


def blocking(port: int, ca_file: str, events: int) -> float:
    parser = Parser(events)
    raw = socket.create_connection(("127.0.0.1", port))
    with context(ca_file).wrap_socket(raw, server_hostname="127.0.0.1") as tls:
        tls.sendall(SUBSCRIBE)
        started = time.perf_counter()
        while not parser.feed(tls.recv(65_536)):
            pass
        return time.perf_counter() - started


def with_asyncio(port: int, ca_file: str, events: int) -> float:
    parser = Parser(events)

    class Protocol(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            if parser.feed(data) and not done.done():
                done.set_result(None)

    async def run() -> float:
        nonlocal done
        done = asyncio.get_running_loop().create_future()
        transport, _ = await asyncio.get_running_loop().create_connection(
            Protocol, "127.0.0.1", port, ssl=context(ca_file)
        )
        transport.write(SUBSCRIBE)
        started = time.perf_counter()
        await done
        took = time.perf_counter() - started
        transport.close()
        return took

    done: asyncio.Future[None]
    return asyncio.run(run())


def with_anyio(port: int, ca_file: str, events: int) -> float:
    parser = Parser(events)

    async def run() -> float:
        stream = await anyio.connect_tcp("127.0.0.1", port, ssl_context=context(ca_file))
        await stream.send(SUBSCRIBE)
        started = time.perf_counter()
        while not parser.feed(await stream.receive()):
            pass
        took = time.perf_counter() - started
        await anyio.aclose_forcefully(stream)
        return took

    return anyio.run(run)


def _version(client_msg_id: str) -> bytes:
    return encode_frame(_CODEC.encode(Message(oa.ProtoOAVersionReq(), client_msg_id)))


def blocking_one(port: int, ca_file: str, events: int) -> dict[str, float]:
    raw = socket.create_connection(("127.0.0.1", port))
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    took = []
    with context(ca_file).wrap_socket(raw, server_hostname="127.0.0.1") as tls:
        for n in range(events):
            started = time.perf_counter()
            tls.sendall(_version(str(n)))
            data = tls.recv(65_536)
            envelope = oa.ProtoMessage.FromString(data[4:])
            oa.ProtoOAVersionRes.FromString(envelope.payload)
            took.append(time.perf_counter() - started)
    return {"seconds": sum(took), "median_us": statistics.median(took) * 1e6}


class Asking(asyncio.Protocol):
    """The least of a client with futures: what asyncio's own shape allows."""

    def __init__(self) -> None:
        self.waiting: dict[str, asyncio.Future[Any]] = {}
        self.transport: Any = None
        self._rest = b""
        self._count = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        position, end = 0, len(data)
        while position + 4 <= end:
            stop = position + 4 + int.from_bytes(data[position : position + 4], "big")
            if stop > end:
                break
            envelope = oa.ProtoMessage.FromString(data[position + 4 : stop])
            self.waiting.pop(envelope.clientMsgId).set_result(oa.ProtoOAVersionRes.FromString(envelope.payload))
            position = stop
        self._rest = data[position:]

    async def ask(self) -> Any:
        self._count += 1
        client_msg_id = str(self._count)
        future = self.waiting[client_msg_id] = asyncio.get_running_loop().create_future()
        self.transport.write(_version(client_msg_id))
        return await future


async def _connected(port: int, ca_file: str) -> Asking:
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_connection(Asking, "127.0.0.1", port, ssl=context(ca_file))
    return protocol


def asyncio_one(port: int, ca_file: str, events: int) -> dict[str, float]:
    async def run() -> dict[str, float]:
        client = await _connected(port, ca_file)
        took = []
        for _ in range(events):
            started = time.perf_counter()
            await client.ask()
            took.append(time.perf_counter() - started)
        client.transport.close()
        return {"seconds": sum(took), "median_us": statistics.median(took) * 1e6}

    return asyncio.run(run())


def asyncio_many(port: int, ca_file: str, events: int) -> dict[str, float]:
    async def run() -> dict[str, float]:
        client = await _connected(port, ca_file)
        left = iter(range(events))

        async def worker() -> None:
            for _ in left:
                await client.ask()

        started = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(64)))
        took = time.perf_counter() - started
        client.transport.close()
        return {"seconds": took}

    return asyncio.run(run())


def anyio_one(port: int, ca_file: str, events: int) -> dict[str, float]:
    async def run() -> dict[str, float]:
        stream = await anyio.connect_tcp("127.0.0.1", port, ssl_context=context(ca_file))
        took = []
        for n in range(events):
            started = time.perf_counter()
            await stream.send(_version(str(n)))
            data = await stream.receive()
            envelope = oa.ProtoMessage.FromString(data[4:])
            oa.ProtoOAVersionRes.FromString(envelope.payload)
            took.append(time.perf_counter() - started)
        await anyio.aclose_forcefully(stream)
        return {"seconds": sum(took), "median_us": statistics.median(took) * 1e6}

    return anyio.run(run)


def history(port: int, ca_file: str, events: int) -> dict[str, float]:
    """The reply is read whole; what is timed is the parse of envelope and payload, and that alone."""
    request = encode_frame(
        _CODEC.encode(Message(oa.ProtoOAGetTrendbarsReq(ctidTraderAccountId=1, period=1, symbolId=1)))
    )
    raw = socket.create_connection(("127.0.0.1", port))
    with context(ca_file).wrap_socket(raw, server_hostname="127.0.0.1") as tls:
        tls.sendall(request)
        data = b""
        while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "big"):
            data += tls.recv(65_536)
    body, took = data[4:], []
    for _ in range(events):
        started = time.perf_counter()
        oa.ProtoOAGetTrendbarsRes.FromString(oa.ProtoMessage.FromString(body).payload)
        took.append(time.perf_counter() - started)
    return {"seconds": sum(took), "median_us": statistics.median(took) * 1e6}


SHAPES: dict[str, Any] = {
    "blocking": blocking,
    "asyncio": with_asyncio,
    "anyio": with_anyio,
    "blocking-one": blocking_one,
    "asyncio-one": asyncio_one,
    "asyncio-many": asyncio_many,
    "anyio-one": anyio_one,
    "history": history,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ca-file", required=True)
    parser.add_argument("--events", type=int, required=True)
    options = parser.parse_args()
    result = SHAPES[options.shape](options.port, options.ca_file, options.events)
    row = result if isinstance(result, dict) else {"seconds": result}
    print(json.dumps({"events": options.events, **row}))


if __name__ == "__main__":
    main()
