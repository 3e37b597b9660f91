"""A server that is no bottleneck: prebuilt spot events over TLS, and answers to version requests, as fast as it can.

    python bench/firehose.py --events 1000000 --each      # prints a JSON line with its port and CA file

It speaks just enough of the protocol for every client of these benchmarks: application auth, account list and auth,
symbols, spots. After `ProtoOASubscribeSpotsReq` it sends `--events` events, in TLS records of 16 kB (packed), or each
in a record of its own (`--each`). It keeps no books and checks nothing. Each connection has a thread of its own.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import ssl
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from typing import Any

import trustme
from wsproto.connection import ConnectionType
from wsproto.events import AcceptConnection, Request
from wsproto.handshake import H11Handshake

from anyctrader.wire import (
    Delimiting,
    JsonCodec,
    Message,
    MessageKind,
    ProtobufCodec,
    Role,
    UndecodablePayload,
    WebSocketFraming,
    framing_of,
)
from anyctrader.wire import messages as oa

ACCOUNT = 1_000_001
_RECORD = 16_384
_AT_ONCE = 262_144


def spot_events(count: int) -> Iterable[Any]:
    """Real-shaped events: both sides first, then one or both of them, with the server's time."""
    rng = random.Random(7)
    bid, ask, at_ms = 112_000, 112_006, 1_750_000_000_000
    yield oa.ProtoOASpotEvent(ctidTraderAccountId=ACCOUNT, symbolId=1, bid=bid, ask=ask, timestamp=at_ms)
    for _ in range(count - 1):
        event = oa.ProtoOASpotEvent(ctidTraderAccountId=ACCOUNT, symbolId=1)
        which = rng.random()
        if which < 0.7:
            bid += rng.randrange(-3, 4)
            event.bid = bid
        if which > 0.4:
            ask = bid + rng.randrange(3, 9)
            event.ask = ask
        at_ms += rng.randrange(1, 200)
        event.timestamp = at_ms
        yield event


def bars(count: int) -> Any:
    rng = random.Random(9)
    answer = oa.ProtoOAGetTrendbarsRes(ctidTraderAccountId=ACCOUNT, period=oa.ProtoOATrendbarPeriod.M1, symbolId=1)
    for minute in range(count):
        answer.trendbar.add(
            volume=rng.randrange(1, 900),
            low=112_000 + rng.randrange(-400, 400),
            deltaOpen=rng.randrange(0, 40),
            deltaClose=rng.randrange(0, 40),
            deltaHigh=rng.randrange(40, 80),
            utcTimestampInMinutes=29_000_000 + minute,
        )
    return answer


def answers(codec: ProtobufCodec | JsonCodec) -> dict[str, Callable[[Any], list[Any]]]:
    account = oa.ProtoOACtidTraderAccount(ctidTraderAccountId=ACCOUNT, isLive=False, traderLogin=1)
    light = oa.ProtoOALightSymbol(symbolId=1, symbolName="EURUSD", enabled=True)
    full = oa.ProtoOASymbol(symbolId=1, digits=5, pipPosition=4, lotSize=10_000_000, minVolume=100_000)
    history = bars(5_000)
    return {
        "ProtoOAApplicationAuthReq": lambda _: [oa.ProtoOAApplicationAuthRes()],
        "ProtoOAGetAccountListByAccessTokenReq": lambda r: [
            oa.ProtoOAGetAccountListByAccessTokenRes(accessToken=r.accessToken, ctidTraderAccount=[account])
        ],
        "ProtoOAAccountAuthReq": lambda _: [oa.ProtoOAAccountAuthRes(ctidTraderAccountId=ACCOUNT)],
        "ProtoOASymbolsListReq": lambda _: [oa.ProtoOASymbolsListRes(ctidTraderAccountId=ACCOUNT, symbol=[light])],
        "ProtoOASymbolByIdReq": lambda _: [oa.ProtoOASymbolByIdRes(ctidTraderAccountId=ACCOUNT, symbol=[full])],
        "ProtoOASubscribeSpotsReq": lambda _: [oa.ProtoOASubscribeSpotsRes(ctidTraderAccountId=ACCOUNT)],
        "ProtoOAUnsubscribeSpotsReq": lambda _: [oa.ProtoOAUnsubscribeSpotsRes(ctidTraderAccountId=ACCOUNT)],
        "ProtoOAGetTrendbarsReq": lambda _: [history],
    }


class Stream:
    """The server's end of a TLS connection, with the records under our control."""

    def __init__(self, raw: socket.socket, context: ssl.SSLContext) -> None:
        self._raw = raw
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self.flush()
                self._fill()
            else:
                self.flush()
                return

    def _fill(self) -> None:
        data = self._raw.recv(_AT_ONCE)
        if not data:
            raise ConnectionResetError
        self._incoming.write(data)

    def receive(self) -> bytes:
        while True:
            parts = []
            try:
                while part := self._tls.read(_RECORD):
                    parts.append(part)
                if not parts:
                    raise ConnectionResetError  # a good-bye, which some clients wait to hear answered
            except ssl.SSLWantReadError:
                pass
            if parts:
                return b"".join(parts)
            self._fill()

    def write(self, data: bytes | memoryview) -> None:
        """One record, if it fits into one."""
        self._tls.write(data)

    @property
    def waiting(self) -> int:
        return self._outgoing.pending

    def flush(self) -> None:
        if self._outgoing.pending:
            self._raw.sendall(self._outgoing.read())


class Firehose:
    """The prebuilt stream, and one thread a connection."""

    def __init__(
        self, events: int, *, each: bool, codec: ProtobufCodec | JsonCodec, times: int = 1, transport: str = "tcp"
    ) -> None:
        self.transport = transport
        self.times = times
        self.codec = codec
        self.each = each
        framing = self.framing()
        self.frames = [framing.wrap(codec.encode(Message(event))) for event in spot_events(events)]
        self.packed = b"".join(self.frames)
        self.answers = answers(codec)

    def framing(self) -> Any:
        if self.transport == "tcp":
            return framing_of(Delimiting.LENGTH)
        kind = MessageKind.TEXT if isinstance(self.codec, JsonCodec) else MessageKind.BINARY
        return WebSocketFraming(Role.SERVER, kind)

    def upgrade(self, stream: Stream) -> None:
        handshake = H11Handshake(ConnectionType.SERVER)
        while not any(isinstance(event, Request) for event in handshake.events()):
            handshake.receive_data(stream.receive())
        stream.write(handshake.send(AcceptConnection()))
        stream.flush()

    def serve(self, raw: socket.socket, context: ssl.SSLContext) -> None:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            stream = Stream(raw, context)
            if self.transport == "websocket":
                self.upgrade(stream)
            framing = self.framing()
            while True:
                for body in framing.feed(stream.receive()):
                    self.answer(stream, body, framing)
                stream.flush()
        except (ConnectionError, ssl.SSLError):
            pass  # the client has what it wanted
        finally:
            raw.close()

    def answer(self, stream: Stream, body: bytes, framing: Any) -> None:
        try:
            message = self.codec.decode(body)
        except UndecodablePayload:
            return
        if message.name == "ProtoOAVersionReq":
            answer: list[Any] = [oa.ProtoOAVersionRes(version="91")]
        elif message.name in self.answers:
            answer = self.answers[message.name](message.payload)
        else:
            return
        for payload in answer:
            stream.write(framing.wrap(self.codec.encode(Message(payload, message.client_msg_id))))
        if message.name == "ProtoOASubscribeSpotsReq":
            stream.flush()
            for _ in range(self.times):
                self.pour(stream)

    def pour(self, stream: Stream) -> None:
        if self.each:
            for frame in self.frames:
                stream.write(frame)
                if stream.waiting >= _AT_ONCE:
                    stream.flush()
        else:
            view = memoryview(self.packed)
            for start in range(0, len(view), _RECORD):
                stream.write(view[start : start + _RECORD])
                if stream.waiting >= _AT_ONCE:
                    stream.flush()
        stream.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--each", action="store_true")
    parser.add_argument("--codec", choices=("protobuf", "json"), default="protobuf")
    parser.add_argument("--transport", choices=("tcp", "websocket"), default="tcp")
    parser.add_argument("--times", type=int, default=1, help="how often the stream is sent, one behind the other")
    options = parser.parse_args()
    codec = JsonCodec() if options.codec == "json" else ProtobufCodec()
    hose = Firehose(options.events, each=options.each, codec=codec, times=options.times, transport=options.transport)
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    with tempfile.NamedTemporaryFile(suffix=".pem") as ca_file, socket.create_server(("127.0.0.1", 0)) as listener:
        ca_file.write(authority.cert_pem.bytes())
        ca_file.flush()
        print(json.dumps({"port": listener.getsockname()[1], "ca_file": ca_file.name}), flush=True)

        def accept() -> None:
            while True:
                raw, _ = listener.accept()
                threading.Thread(target=hose.serve, args=(raw, context), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        sys.stdin.read()  # whoever started us ends us by closing it


if __name__ == "__main__":
    main()
