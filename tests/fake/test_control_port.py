"""The control port, as a program in any language uses it: lines of JSON over a plain socket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from anyctrader.fake import Clock, FakeServer
from anyctrader.proto import schema as oa

from .quick import QUICK
from .raw_client import connected

pytestmark = pytest.mark.anyio
OPEN = replace(QUICK, control_port=0)


class Operator:
    """Somebody at the control port."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.lines = BufferedByteReceiveStream(stream)

    async def say(self, line: bytes) -> dict[str, Any]:
        await self.stream.send(line + b"\n")
        with anyio.fail_after(10):
            answer = json.loads(await self.lines.receive_until(b"\n", 100_000))
        assert isinstance(answer, dict)
        return answer

    async def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        return await self.say(json.dumps({"do": do, **arguments}).encode())


@asynccontextmanager
async def operator(server: FakeServer) -> AsyncIterator[Operator]:
    assert server.control_port is not None
    async with await anyio.connect_tcp("127.0.0.1", server.control_port) as stream:
        yield Operator(stream)


async def test_there_is_none_unless_it_is_asked_for() -> None:
    async with FakeServer(QUICK) as server:
        assert server.control_port is None


async def test_a_fault_begins_and_is_taken_away_while_the_server_runs() -> None:
    async with FakeServer(OPEN) as server, operator(server) as control, connected(server) as client:
        begun = await control.ask("unanswering", which="ProtoOAVersionRes", client=1)
        assert begun == {"ok": True, "id": 1}
        assert (await control.ask("status"))["faults"] == ["Unanswering"]
        await client.send(oa.ProtoOAVersionReq(), "lost")
        assert (await control.ask("wait_for", name="ProtoOAVersionReq"))["ok"]
        assert await control.ask("remove", id=1) == {"ok": True}
        assert server.faults.active == ()
        assert (await client.ask(oa.ProtoOAVersionReq())).version == "91"
        assert (await control.ask("remove", id=1))["error"] == "there is nothing with id 1"
        assert not (await control.ask("remove"))["ok"]


async def test_a_price_is_moved_and_read() -> None:
    async with FakeServer(OPEN) as server, operator(server) as control, connected(server) as client:
        await client.authorise(server)
        await client.ask(oa.ProtoOASubscribeSpotsReq(ctidTraderAccountId=server.account_id, symbolId=[1]))
        assert (await control.ask("set_price", symbol="EURUSD", bid=1.5, ask="1.50010"))["ok"]
        await client.until(lambda answer: answer.name == "ProtoOASpotEvent" and answer.bid == 150_000)
        assert await control.ask("quote", symbol="EURUSD") == {"ok": True, "symbol_id": 1, "bid": 1.5, "ask": 1.5001}
        assert (await control.ask("quote", symbol="XYZ"))["error"] == "no symbol is called XYZ"


async def test_a_step_may_wait_for_what_clients_do() -> None:
    async with FakeServer(OPEN) as server, operator(server) as control, connected(server) as client:
        assert (await control.ask("drop_clients", after="ProtoOAVersionReq"))["ok"]
        await client.authorise_app(server)
        await client.send(oa.ProtoOAVersionReq())
        assert await client.gone() == []
        seen = await control.ask("wait_for", name="closed", client=1)
        assert [each["text"] for each in seen["seen"]] == ["dropped by the test"]


async def test_what_was_begun_stays_when_the_operator_leaves() -> None:
    async with FakeServer(OPEN) as server:
        async with operator(server) as control:
            await control.ask("silence")
        async with operator(server) as control:
            assert (await control.ask("status"))["faults"] == ["Silence"]
            await control.ask("remove", id=1)


async def test_status_tells_of_clients_and_of_what_would_have_been_refused_and_no_secret() -> None:
    async with FakeServer(OPEN) as server, operator(server) as control, connected(server) as client:
        await client.authorise(server)
        await client.ask(oa.ProtoOATraderReq(ctidTraderAccountId=1))
        status = await control.ask("status")
        assert status["clients"] == [
            {
                "number": 1,
                "codec": "protobuf",
                "transport": "tcp",
                "authorised": True,
                "accounts": [server.account_id],
            }
        ]
        assert len(status["violations"]) == 1
        assert (status["failures"], status["seen"]) == ([], server.seen.total)
        assert {"drop_after", "set_price", "remove", "wait_for"} <= set(status["steps"])
        told = json.dumps([status, await control.ask("wait_for", name="ProtoOAAccountAuthReq")])
        assert server.access_token not in told
        assert server.client_secret not in told


async def test_a_wait_may_be_for_new_things_only_and_may_be_in_vain() -> None:
    async with FakeServer(OPEN) as server, operator(server) as control, connected(server) as client:
        await client.ask(oa.ProtoOAVersionReq())
        first = await control.ask("wait_for", name="ProtoOAVersionReq", count=1, timeout_s=5)
        again = await control.ask("wait_for", name="ProtoOAVersionReq", since=first["total"], timeout_s=0)
        assert not again["ok"]
        assert "0 of 1 ProtoOAVersionReq seen" in again["error"]


async def test_a_held_clock_is_moved_and_a_running_one_is_not() -> None:
    async with FakeServer(replace(OPEN, clock=Clock.HELD, clock_ms=1_790_000_000_000)) as server:
        async with operator(server) as control:
            assert await control.ask("pass_time", seconds=2.5) == {"ok": True, "now_ms": 1_790_000_002_500}
            assert not (await control.ask("pass_time", seconds=-1))["ok"]
    async with FakeServer(OPEN) as server, operator(server) as control:
        assert "runs by itself" in (await control.ask("pass_time", seconds=1))["error"]


@pytest.mark.parametrize(
    "line",
    [
        b'{"do": "dance"}',
        b"{}",
        b'{"do": 5}',
        b'{"do": "wait_for"}',
        b'{"do": "wait_for", "name": "x", "count": "two"}',
        b'{"do": "remove", "id": [1]}',
        b'{"do": "set_price", "symbol": "EURUSD", "bid": 2, "ask": 1}',
        b'{"do": "deposit", "amount": 5, "account_id": 99}',
    ],
)
async def test_a_line_that_makes_no_sense_is_answered_and_changes_nothing(line: bytes) -> None:
    async with FakeServer(OPEN) as server, operator(server) as control:
        answer = await control.say(line)
        assert answer["ok"] is False
        assert answer["error"]
        assert (await control.ask("status"))["ok"]
        assert server.faults.active == ()


@pytest.mark.parametrize("line", [b"POST / HTTP/1.1", b"[]", b"\xff", b"1"])
async def test_what_is_no_object_ends_the_connection_before_anything_else_is_read(line: bytes) -> None:
    async with FakeServer(OPEN) as server, operator(server) as control:
        answer = await control.say(line + b'\n{"do": "silence"}')
        assert answer == {"ok": False, "error": "no JSON object"}
        with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError, anyio.IncompleteRead)), anyio.fail_after(10):
            await control.lines.receive(1)
        assert server.faults.active == ()


async def test_a_line_without_an_end_is_not_read_for_ever() -> None:
    async with FakeServer(OPEN) as server, operator(server) as control:
        with suppress(anyio.BrokenResourceError):  # it may be gone before it has taken all
            await control.stream.send(b"x" * 1_000_000)
        with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)), anyio.fail_after(10):
            await control.lines.receive(1)
        async with operator(server) as another:
            assert (await another.ask("status"))["ok"]


async def test_it_is_on_loopback_whatever_the_server_is_bound_to() -> None:
    async with FakeServer(replace(OPEN, bind="127.0.0.2")) as server, operator(server) as control:
        assert server.host == "127.0.0.2"
        assert (await control.ask("status"))["ok"]
        with pytest.raises(OSError, match="attempts failed"):
            await anyio.connect_tcp("127.0.0.2", server.control_port or 0)
