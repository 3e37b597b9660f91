"""Live with the flag off, from the command line: nothing that does more than read gets to the server by any command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToJson

from anyctrader.fake import BlockingServer, Host
from anyctrader.wire import Message, ProtobufCodec, UnknownPayload
from anyctrader.wire import messages as oa
from anyctrader.wire.messages import PAYLOAD_CLASSES

from ..session.writing import TRADING, UNKNOWN, WRITING, said
from .conftest import Call
from .served import served, variables_of
from .test_proxy import a_client, a_proxy
from .test_replay import in_thread, quick
from .test_replay import variables_of as variables_toward

REFUSED = 5
REQUESTS = [*TRADING, oa.ProtoOAMarginCallUpdateReq]
NAMES = {cls.__name__ for cls in REQUESTS}


@pytest.fixture(scope="module")
def live() -> Iterator[BlockingServer]:
    with served(Host.LIVE) as running:
        yield running


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # commands run in processes of their own


def test_the_requests_that_write_are_all_there() -> None:
    written = {PAYLOAD_CLASSES[payload_type].__name__ for payload_type in WRITING}
    assert {name for name in written if name.endswith("Req")} == NAMES


@pytest.mark.parametrize("request_class", REQUESTS, ids=lambda cls: cls.__name__)
def test_send_lets_none_out(call: Call, live: BlockingServer, request_class: Any) -> None:
    payload = said(request_class, live.account_id)
    fields = MessageToJson(payload)
    done = call("send", "live", request_class.__name__, fields, **variables_of(live, "LIVE"))
    assert done.returncode == REFUSED, done.stderr
    body = ProtobufCodec().encode(Message(payload, "raw"))
    done = call("send", "live", "--raw", body.hex(), **variables_of(live, "LIVE"))
    assert done.returncode == REFUSED, done.stderr
    assert not NAMES & set(live.call(lambda it: it.seen.names()))


@pytest.mark.anyio
async def test_the_proxy_lets_none_through(tmp_path: Path) -> None:
    async with a_proxy(tmp_path, Host.LIVE) as place, a_client(place) as client:
        await client.log_in(place.server)
        before = place.server.seen.total
        payloads = [said(PAYLOAD_CLASSES[payload_type], place.server.account_id) for payload_type in WRITING]
        payloads += [UnknownPayload(payload_type, b"") for payload_type in UNKNOWN]
        for n, payload in enumerate(payloads):
            error = await client.ask(payload, f"{n}")
            assert isinstance(error, oa.ProtoOAErrorRes), payload
        assert (await client.ask(oa.ProtoOAVersionReq(), "after")).version
        assert place.server.seen.total == before + 1, "only the last read has passed"


@pytest.mark.anyio
async def test_replay_says_none_again(tmp_path: Path) -> None:
    async with a_proxy(tmp_path / "r", server={"seed": "r"}) as place, a_client(place) as client:
        await client.log_in(place.server)
        for n, cls in enumerate(REQUESTS):
            await client.ask(said(cls, place.server.account_id), f"{n}")
        assert set(place.server.seen.names()) >= NAMES
    recording = str(tmp_path / "r" / "recording.jsonl")
    async with quick(Host.LIVE) as server:
        variables = variables_toward(server, "LIVE")
        done = await in_thread("replay", recording, "--to", "live", "--fast", cwd=tmp_path, **variables)
        assert done.returncode == REFUSED, done.stdout + done.stderr
        assert not NAMES & set(server.seen.names())
