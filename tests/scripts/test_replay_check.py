"""A check that was interrupted knows of no verdict, and says so."""

from __future__ import annotations

import os
import pty
import signal
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from anyctrader.session import Endpoint
from anyctrader.session.transport import open_stream
from anyctrader.wire import messages as oa

from .programs import interrupt, json_lines, started
from .test_proxy import Client
from .test_replay import a_recording, quick, recorded_client_id, replayed, variables_of

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # commands run in processes of their own


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_check_to_which_no_client_came_is_no_verdict(tmp_path: Path, number: signal.Signals) -> None:
    recording = await a_recording(tmp_path / "r")
    with replayed(recording, "--check") as (player, _):
        out, _ = await anyio.to_thread.run_sync(interrupt, player, number)
    (verdict,) = json_lines(out)
    assert verdict["same"] is None
    assert "ProtoOANewOrderReq was not said" in verdict["differences"]
    assert player.returncode == 1


async def test_a_check_whose_client_is_still_there_tells_what_differed_and_what_was_not_said(tmp_path: Path) -> None:
    recording = await a_recording(tmp_path / "r")
    with replayed(recording, "--check", "--fast") as (player, ready):
        stream = await open_stream(Endpoint(ready["host"], ready["port"], Path(ready["ca_file"])), deadline_s=10)
        client = Client(stream, "protobuf")
        app = oa.ProtoOAApplicationAuthReq(clientId=recorded_client_id(recording), clientSecret="another secret")
        await client.ask(app, "1")
        assert (await client.ask(oa.ProtoOATraderReq(ctidTraderAccountId=1), "2")).errorCode == "UNSUPPORTED_MESSAGE"
        out, _ = await anyio.to_thread.run_sync(interrupt, player)
        await stream.aclose()
    verdict = json_lines(out)[-1]
    assert verdict["same"] is None
    assert "ProtoOATraderReq is not in the recording" in verdict["differences"]
    assert "ProtoOANewOrderReq was not said" in verdict["differences"]
    assert "ProtoOAApplicationAuthReq was not said" not in verdict["differences"]
    assert player.returncode == 1


@pytest.mark.parametrize(("options", "said"), [(["--check"], "not checked to its end"), ([], "")])
async def test_a_replay_to_a_server_that_is_interrupted_ends_with_no_and_says_why(
    tmp_path: Path, options: list[str], said: str
) -> None:
    recording = await a_recording(tmp_path / "r")
    async with quick() as server:
        arguments = ("replay", str(recording), "--to", "demo", "--speed", "0.001", *options)
        ours, theirs = pty.openpty()  # who waits at a terminal for what goes elsewhere sees that it goes on
        with started(*arguments, cwd=tmp_path, stderr=theirs, **variables_of(server)) as player:
            os.close(theirs)
            assert player.stdout is not None
            first = await anyio.to_thread.run_sync(player.stdout.readline)
            assert "ProtoOAApplicationAuthReq: skipped" in first
            err = await anyio.to_thread.run_sync(shown_up_to, ours, b"replaying, ")
            out, _ = await anyio.to_thread.run_sync(interrupt, player)
            err += await anyio.to_thread.run_sync(shown_up_to, ours, b"interrupted" if not options else b"")
        os.close(ours)
        assert "ProtoOAClosePositionReq" not in server.seen.names()
    assert player.returncode == 1, out + err
    assert "interrupted" in out + err
    assert said in out
    assert ("ProtoOAClosePositionReq was not said again" in out) is bool(options)


def shown_up_to(terminal: int, text: bytes) -> str:
    """What comes on a terminal, up to where this stands in it."""
    shown = b""
    while text not in shown:
        shown += os.read(terminal, 4096)
    return shown.decode(errors="replace")


async def test_a_second_client_is_no_part_of_a_check(tmp_path: Path) -> None:
    recording = await a_recording(tmp_path / "r")
    with replayed(recording, "--check", "--fast") as (player, ready):
        endpoint = Endpoint(ready["host"], ready["port"], Path(ready["ca_file"]))
        stream = await open_stream(endpoint, deadline_s=10)
        client = Client(stream, "protobuf")
        app = oa.ProtoOAApplicationAuthReq(clientId=recorded_client_id(recording), clientSecret="another secret")
        await client.ask(app, "1")
        second = await open_stream(endpoint, deadline_s=10)
        await second.send(b"\0\0\0\x02")
        with pytest.raises(Exception, match="the server"), anyio.fail_after(20):
            await second.receive()
        await second.aclose()
        assert (await client.ask(oa.ProtoOAVersionReq(), "2")).version
        out, err = await anyio.to_thread.run_sync(interrupt, player)
        await stream.aclose()
    assert json_lines(out)[-1]["same"] is None
    assert "another client has come" in err
