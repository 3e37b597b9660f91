"""The server for programs that are not async."""

from __future__ import annotations

import socket
import ssl
import struct
from dataclasses import replace

import pytest

from anyctrader.fake import StrictnessViolated, blocking_server
from anyctrader.proto import schema as oa

from .quick import QUICK


def ask(port: int, ca_file: str, payload_type: int, body: bytes = b"") -> oa.ProtoMessage:
    context = ssl.create_default_context(cafile=ca_file)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        with context.wrap_socket(raw, server_hostname="localhost") as stream:
            data = oa.ProtoMessage(payloadType=payload_type, payload=body).SerializeToString()
            stream.sendall(struct.pack(">I", len(data)) + data)
            with stream.makefile("rb") as file:
                return oa.ProtoMessage.FromString(file.read(struct.unpack(">I", file.read(4))[0]))


def test_a_plain_socket_is_served_and_what_it_did_can_be_waited_for() -> None:
    with blocking_server(QUICK) as server:
        answer = ask(server.port, str(server.ca_file), 2104)
        assert oa.ProtoOAVersionRes.FromString(answer.payload).version == "91"
        assert [seen.name for seen in server.wait_for("ProtoOAVersionReq", timeout_s=5)] == ["ProtoOAVersionReq"]
        assert server.call(lambda inner: inner.now_ms) > 0
        old = server.access_token
        server.call(lambda inner: inner.grant())
        assert (server.access_token != old, bool(server.refresh_token)) == (True, True)


def test_strictness_is_said_at_the_end_of_the_block() -> None:
    def misbehave() -> None:
        with blocking_server(replace(QUICK, strict=True)) as server:
            ask(server.port, str(server.ca_file), 2121, oa.ProtoOATraderReq(ctidTraderAccountId=1).SerializeToString())

    with pytest.raises(StrictnessViolated, match="CH_CLIENT_NOT_AUTHENTICATED"):
        misbehave()
