"""What a client did through the proxy is recorded, shown, and played back: from outside, as a user would."""

from __future__ import annotations

import base64
import json
import math
import os
import pty
import re
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from anyio.streams.stapled import StapledObjectStream

from anyctrader.fake import ExchangeSettings, FakeServer, Host, ServerSettings, Timing
from anyctrader.fake.exchange_settings import Delays
from anyctrader.session import CTraderError, Endpoint, Environment, connect
from anyctrader.session.conversation import Conversation, Exchange, Said
from anyctrader.session.recording import Moment, Opened
from anyctrader.session.replay import Pace, ReplayedServer
from anyctrader.session.secret import Secret
from anyctrader.session.token_store import StoredPair, TokenPair, TokenStore
from anyctrader.session.transport import LinkLost, open_stream
from anyctrader.wire import FrameDecoder, Message, ProtobufCodec, encode_frame
from anyctrader.wire import messages as oa

from ..fake.foreign import STRICT, installed
from ..fake.test_official_sdk import HOME, commands
from .programs import PROGRAM, clean_environment, interrupt, json_lines, run, started
from .test_proxy import Client, a_client, a_proxy, an_order, credentials_of

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]


def variables_of(server: FakeServer, environment: str = "DEMO", **changes: str) -> dict[str, str]:
    said = {
        "APPLICATION_ID": server.client_id,
        "APPLICATION_SECRET": server.client_secret,
        "ACCESS_TOKEN": server.access_token,
        "ACCOUNT_ID": str(server.account_id),
        "HOST": server.host,
        "PORT": str(server.port),
        "CA_FILE": str(server.ca_file),
    }
    return {f"CTRADER_{environment}_{key}": value for key, value in (said | changes).items()}


def quick(host: Host = Host.DEMO, **more: Any) -> FakeServer:
    known = {"exchange": ExchangeSettings(delays=Delays.none())} | more
    return FakeServer(ServerSettings(host=host, timing=Timing.instant(), seed="r", **known))


def secrets_of(server: FakeServer) -> tuple[str, ...]:
    return (server.client_secret, server.access_token, server.refresh_token)


async def in_thread(*arguments: str, cwd: Path, **environment: str) -> Any:
    return await anyio.to_thread.run_sync(lambda: run(*arguments, cwd=cwd, **environment))


def first_line(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    told: dict[str, Any] = json.loads(line)
    return told


async def test_the_official_sdk_trades_through_the_proxy_and_is_replayed_to_our_own_client(tmp_path: Path) -> None:
    installed(HOME, commands)
    recording = tmp_path / "sdk.jsonl"
    async with FakeServer(STRICT) as server:
        with started(
            "proxy", "demo", "--record", str(recording), "--format", "json", cwd=tmp_path, **variables_of(server)
        ) as proxy:
            ready = await anyio.to_thread.run_sync(first_line, proxy)
            given = {
                "host": "localhost",
                "port": ready["port"],
                "client_id": server.client_id,
                "client_secret": server.client_secret,
                "access_token": server.access_token,
                "account_id": server.account_id,
            }
            session = Path(__file__).parents[1] / "fake" / "sdk_session.py"
            with anyio.fail_after(60):
                result = await anyio.run_process(
                    [str(HOME / "bin" / "python"), str(session)], input=json.dumps(given).encode(), check=False
                )
            told = json.loads(result.stdout)
            shown, remarks = await anyio.to_thread.run_sync(interrupt, proxy)
        assert proxy.returncode == 0
        secrets = secrets_of(server)
        account_id = server.account_id
        credentials = credentials_of(server)
    assert "failure" not in told, told
    assert told["filled"] == [100_000, "from the SDK", True]
    assert told["closed"] == 100_000
    assert told["executions"] == ["ORDER_ACCEPTED", "ORDER_FILLED"] * 2
    assert "frames recorded" in remarks

    decoded = await in_thread("decode", str(recording), "--format", "json", cwd=tmp_path)
    assert decoded.returncode == 0, decoded.stderr
    frames = json_lines(decoded.stdout)
    assert len(frames) > 140
    assert all(frame["name"] and "withheld" not in frame for frame in frames)
    readable = await in_thread("decode", str(recording), cwd=tmp_path)
    audit = (tmp_path / "logs" / "ctrader" / "order_audit.jsonl").read_text()
    assert [json.loads(line)["fact"] for line in audit.splitlines()] == ["columns", *["intent", "sent"] * 2]
    for text in (shown, remarks, recording.read_text(), decoded.stdout, readable.stdout, audit):
        assert not any(secret[:16] in text for secret in secrets)

    with started("replay", str(recording), "--fast", "--format", "json", cwd=tmp_path) as player:
        ready = await anyio.to_thread.run_sync(first_line, player)
        async with connect(
            Environment.DEMO, credentials, host=ready["host"], port=ready["port"], ca_file=ready["ca_file"]
        ) as ours:
            account = await ours.authorize(account_id)
            names = (await account.request(oa.ProtoOASymbolsListReq())).symbol
            assert sorted(each.symbolName for each in names) == told["symbols"]
            link = ours.link
            assert link is not None
            order = oa.ProtoOANewOrderReq(**order_of(account_id, label="from the SDK"))
            with pytest.raises(Exception, match="refused"):
                await account.request(order)  # there is no audit here: our own guard stands before a replay as well
            deals = await account.request(oa.ProtoOADealListReq(fromTimestamp=0, toTimestamp=2147483646000))
            assert len(deals.deal) == told["deals"]
            bars = await account.request(
                oa.ProtoOAGetTrendbarsReq(
                    symbolId=1, period=oa.ProtoOATrendbarPeriod.M1, fromTimestamp=0, toTimestamp=1
                )
            )
            assert len(bars.trendbar) == told["bars"]
            fills = [each for each in deals.deal if each.HasField("closePositionDetail")]
            assert fills[0].closePositionDetail.closedVolume == told["closed"]


def order_of(account_id: int, **more: Any) -> dict[str, Any]:
    return {
        "ctidTraderAccountId": account_id,
        "symbolId": 1,
        "orderType": 1,
        "tradeSide": 1,
        "volume": 100_000,
        **more,
    }


async def a_recording(folder: Path, *, codec: str = "protobuf", looking: bool = False) -> Path:
    """One client's session: it logs in, trades, looks at what is open if it is to, and closes."""
    async with a_proxy(folder, codec=codec, server={"seed": "r"}) as place, a_client(place) as client:
        await client.log_in(place.server)
        await client.ask(oa.ProtoOAVersionReq(), "v")
        accepted = await client.ask(an_order(place.server), "o")
        filled = await client.answer("o")
        assert filled.executionType == oa.ProtoOAExecutionType.ORDER_FILLED
        if looking:
            await client.ask(oa.ProtoOAReconcileReq(ctidTraderAccountId=place.server.account_id), "l")
        close = oa.ProtoOAClosePositionReq(
            ctidTraderAccountId=place.server.account_id,
            positionId=accepted.position.positionId,
            volume=100_000,
        )
        await client.ask(close, "c")
        await client.answer("c")
    return folder / "recording.jsonl"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # commands run in processes of their own


@pytest.mark.parametrize("codec", ["protobuf", "json"])
async def test_a_recording_is_said_again_to_a_server_through_the_guard(tmp_path: Path, codec: str) -> None:
    recording = await a_recording(tmp_path / "r", codec=codec, looking=True)
    async with quick(exchange=ExchangeSettings(delays=Delays(fill_ms=500))) as server:
        port = server.port if codec == "protobuf" else server.json_port
        settings = variables_of(server, CODEC=codec, PORT=str(port))
        documented = (Path(__file__).parents[2] / "docs" / "tools.md").read_text().replace("\\\n", " ")
        (example,) = re.findall(r"^anyctrader replay .* --to demo --check (.*)$", documented, re.MULTILINE)
        options = shlex.split(example)
        done = await in_thread(
            "replay", str(recording), "--to", "demo", "--fast", "--check", *options, cwd=tmp_path, **settings
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "ProtoOAApplicationAuthReq: skipped" in done.stdout
        assert "ProtoOAClosePositionReq: answered" in done.stdout
        names = server.seen.names()
        assert names.count("ProtoOANewOrderReq") == names.count("ProtoOAClosePositionReq") == 1
        text = done.stdout + done.stderr
        assert not any(secret[:16] in text for secret in secrets_of(server))


async def test_the_token_that_stands_in_is_the_stored_one_and_not_that_of_the_settings(tmp_path: Path) -> None:
    recording = tmp_path / "mine.jsonl"
    async with quick() as server:
        taken = await in_thread(
            "record", "demo", "-o", str(recording), "--for", "0", cwd=tmp_path, **variables_of(server)
        )
        assert taken.returncode == 0, taken.stderr
    async with quick() as server:
        spent = "spent-token-of-the-settings"
        pair = TokenPair(access_token=Secret(server.access_token))
        TokenStore(tmp_path / "stored", Environment.DEMO).save(
            StoredPair(client_id=server.client_id, user_id=None, account_ids=(server.account_id,), pair=pair)
        )
        variables = variables_of(server, ACCESS_TOKEN=spent) | {"CTRADER_TOKEN_FOLDER": str(tmp_path / "stored")}
        done = await in_thread("replay", str(recording), "--to", "demo", "--fast", cwd=tmp_path, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "ProtoOAGetAccountListByAccessTokenReq: answered" in done.stdout
        assert spent not in str([seen.message for seen in server.seen])


@pytest.mark.parametrize("pace", ["--fast", "--step"])
async def test_a_close_waits_for_the_fill_that_was_recorded_ahead_of_it(tmp_path: Path, pace: str) -> None:
    recording = await a_recording(tmp_path / "r")
    async with quick(exchange=ExchangeSettings(delays=Delays(fill_ms=700))) as server:
        arguments = ("replay", str(recording), "--to", "demo", pace)
        variables = variables_of(server)
        done = await anyio.to_thread.run_sync(lambda: run(*arguments, cwd=tmp_path, stdin="\n" * 9, **variables))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "ProtoOAClosePositionReq: answered" in done.stdout


async def test_a_replay_step_by_step_sends_nothing_more_once_its_input_ends(tmp_path: Path) -> None:
    recording = await a_recording(tmp_path / "r")
    async with quick() as server:
        arguments = ("replay", str(recording), "--to", "demo", "--step")
        variables = variables_of(server)
        done = await anyio.to_thread.run_sync(lambda: run(*arguments, cwd=tmp_path, stdin="\n\n", **variables))
        assert done.returncode == 1, done.stdout + done.stderr
        assert "the input has ended" in done.stderr
        assert "Traceback" not in done.stderr
        assert "ProtoOANewOrderReq" not in server.seen.names()


def interrupted_at_the_prompt(*arguments: str, cwd: Path, **environment: str) -> tuple[int, str]:
    """How a replay step by step ends that waits at a terminal for somebody to press Enter, and what it said."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, "replay", *arguments, "--step"],
        cwd=cwd,
        env=clean_environment(**environment),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    os.close(theirs)
    try:
        assert process.stdout is not None
        shown = ""
        while "[Enter]" not in shown:
            shown += (line := process.stdout.readline())
            assert line, shown
        shown += interrupt(process)[0]
    finally:
        process.kill()
        process.communicate()
        os.close(ours)
    return process.returncode, shown


async def test_ctrl_c_at_the_prompt_of_a_step_ends_a_replay_to_a_server(tmp_path: Path) -> None:
    recording = await a_recording(tmp_path / "r")
    async with quick() as server:
        arguments = (str(recording), "--to", "demo")
        variables = variables_of(server)
        code, shown = await anyio.to_thread.run_sync(
            lambda: interrupted_at_the_prompt(*arguments, cwd=tmp_path, **variables)
        )
        assert code == 1
        assert "interrupted: what was not told of was not said" in " ".join(shown.split())
        assert "ProtoOANewOrderReq" not in server.seen.names()


async def test_ctrl_c_at_the_prompt_of_a_step_ends_a_replay_to_a_client(tmp_path: Path) -> None:
    recording = await a_recording(tmp_path / "r")
    with socket.create_server(("127.0.0.1", 0)) as place:
        port = place.getsockname()[1]
    ca_file = tmp_path / "ca.pem"
    arguments = (str(recording), "--listen", f"127.0.0.1:{port}", "--ca-file", str(ca_file), "--check")
    ended: list[tuple[int, str]] = []

    async def step() -> None:
        ended.append(await anyio.to_thread.run_sync(lambda: interrupted_at_the_prompt(*arguments, cwd=tmp_path)))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(step)
        with anyio.fail_after(45):
            while True:
                try:
                    stream = await open_stream(Endpoint("127.0.0.1", port, ca_file), deadline_s=10)
                    break
                except (CTraderError, OSError):
                    await anyio.sleep(0.05)  # it is not up yet
        app = oa.ProtoOAApplicationAuthReq(clientId=recorded_client_id(recording), clientSecret="another secret")
        with pytest.raises(LinkLost):
            await Client(stream, "protobuf").ask(app, "1")
        await stream.aclose()
    assert ended[0][0] == 1
    assert "interrupted: not checked to its end" in ended[0][1]


async def test_it_does_not_trade_on_live_which_is_off(tmp_path: Path) -> None:
    recording = await a_recording(tmp_path / "r")
    async with quick(Host.LIVE) as server:
        done = await in_thread(
            "replay", str(recording), "--to", "live", "--fast", cwd=tmp_path, **variables_of(server, "LIVE")
        )
        assert done.returncode == 5, done.stdout + done.stderr
        assert "ProtoOANewOrderReq" not in server.seen.names()
    assert "refused" in done.stdout


@contextmanager
def replayed(recording: Path, *options: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    with started("replay", str(recording), "--format", "json", *options, cwd=recording.parent) as player:
        yield player, first_line(player)


async def test_a_client_that_does_the_same_passes_the_check_and_another_does_not(tmp_path: Path) -> None:
    recording = await a_recording(tmp_path / "r")
    for volume, code in ((100_000, 0), (200_000, 1)):
        with replayed(recording, "--fast", "--check") as (player, ready):
            stream = await open_stream(Endpoint(ready["host"], ready["port"], Path(ready["ca_file"])), deadline_s=10)
            client = Client(stream, "protobuf")
            app = oa.ProtoOAApplicationAuthReq(clientId=recorded_client_id(recording), clientSecret="another secret")
            await client.ask(app, "1")
            await client.ask(oa.ProtoOAGetAccountListByAccessTokenReq(accessToken="another token"), "2")
            account_id = 1_000_001
            await client.ask(oa.ProtoOAAccountAuthReq(ctidTraderAccountId=account_id, accessToken="another token"), "3")
            assert (await client.ask(oa.ProtoOAVersionReq(), "mine")).version
            accepted = await client.ask(oa.ProtoOANewOrderReq(**order_of(account_id, volume=volume)), "4")
            filled = await client.answer("4")
            assert filled.executionType == oa.ProtoOAExecutionType.ORDER_FILLED
            close = oa.ProtoOAClosePositionReq(
                ctidTraderAccountId=account_id, positionId=accepted.position.positionId, volume=100_000
            )
            await client.ask(close, "5")
            await client.answer("5")
            await stream.aclose()
            out, _ = await anyio.to_thread.run_sync(lambda: player.communicate(timeout=30))
            assert player.returncode == code
            verdict = json_lines(out)[-1]
            assert verdict["same"] is (code == 0)
            assert bool(verdict["differences"]) is (code == 1)


def recorded_client_id(recording: Path) -> str:
    from anyctrader.session.conversation import conversations
    from anyctrader.session.recording import read_recording

    with recording.open("rb") as file:
        talk = next(iter(conversations(read_recording(file)).values()))
    client_id: str = talk.exchanges[0].request.message.payload.clientId
    return client_id


async def test_record_takes_down_a_session_and_ends_with_a_summary(tmp_path: Path) -> None:
    async with quick() as server:
        done = await in_thread(
            "record",
            "demo",
            "-o",
            "mine.jsonl",
            "--symbol",
            "EURUSD",
            "--for",
            "0.5",
            cwd=tmp_path,
            **variables_of(server),
        )
        assert done.returncode == 0, done.stderr
        secrets = secrets_of(server)
    assert "frames recorded in mine.jsonl" in done.stdout
    shown = await in_thread("decode", "mine.jsonl", "--brief", cwd=tmp_path)
    assert "opened: demo, protobuf over tcp" in shown.stdout
    for name in ("ProtoOAApplicationAuthReq", "ProtoOASubscribeSpotsReq", "ProtoOASpotEvent", "closed: "):
        assert name in shown.stdout
    text = (tmp_path / "mine.jsonl").read_text() + shown.stdout + done.stdout + done.stderr
    assert not any(secret[:16] in text for secret in secrets)


async def test_a_recorder_that_is_killed_leaves_what_it_had(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    async with quick() as server:
        with started(
            "record", "demo", "-o", str(path), "--symbol", "EURUSD", cwd=tmp_path, **variables_of(server)
        ) as it:
            with anyio.fail_after(30):
                while not path.exists() or path.read_bytes().count(b"SpotEvent") < 1:  # noqa: ASYNC110
                    await anyio.sleep(0.02)
            it.kill()
            it.wait()
    path.write_bytes(path.read_bytes()[:-9])
    shown = await in_thread("decode", str(path), cwd=tmp_path)
    assert shown.returncode == 1
    assert "the recording ends within it" in shown.stdout
    assert "ProtoOAApplicationAuthReq" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["proxy", "demo"], 2, "fill in demo"),
        (["proxy", "demo", "--listen", "0.0.0.0:1"], 2, "may be reached from elsewhere"),
        (["proxy", "demo", "--listen", "here"], 2, "no HOST:PORT"),
        (["proxy", "prod"], 2, "prod"),
        (["record", "demo"], 2, "-o"),
        (["replay", "nothing.jsonl"], 2, "No such file"),
        (["replay", "other.txt"], 2, "holds no connection"),
    ],
)
def test_what_a_user_gets_wrong_is_said_without_a_traceback(
    call: Any, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    (tmp_path / "other.txt").write_text("no recording\n")
    done = call(*arguments)
    assert done.returncode == code
    assert said in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_said(call: Any, tmp_path: Path) -> None:
    import socket

    (tmp_path / "r.jsonl").write_text(
        '{"record":"opened","at":"2026-11-22T19:40:00.123456Z","mono_ns":1,"format":1,"connection":"a-1",'
        '"environment":"demo","codec":"protobuf","transport":"tcp","delimiting":"length","server":"x:1","via":"proxy"}\n'
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = call("replay", "r.jsonl", "--listen", address)
    assert done.returncode == 1
    assert f"listen on {address}: " in done.stderr
    assert "in use" in done.stderr
    assert "Traceback" not in done.stderr


def a_spot(number: int) -> Message:
    return Message(oa.ProtoOASpotEvent(ctidTraderAccountId=7, symbolId=1, bid=number))


async def test_what_came_unasked_is_read_as_it_is_said_and_none_of_it_before_its_turn() -> None:
    given = []

    def endless() -> Iterator[Said]:
        for number in count(2):
            given.append(number)
            yield Said(number, number / 1000, a_spot(number))

    opened = Opened(
        at=Moment(0, 0),
        connection="a",
        environment="demo",
        codec="protobuf",
        transport="tcp",
        delimiting="length",
        server="x:1",
        via="proxy",
    )
    version = Said(1, 0.0, Message(oa.ProtoOAVersionReq(), "1"))
    answer = Said(5, 0.001, Message(oa.ProtoOAVersionRes(version="91"), "1"))
    conversation = Conversation(opened, [Exchange(version, [answer])], endless)
    server = ReplayedServer(conversation, pace=Pace(math.inf))
    to_client, from_server = anyio.create_memory_object_stream[bytes](0)
    to_server, from_client = anyio.create_memory_object_stream[bytes](0)
    async with to_client, from_server, to_server, from_client, anyio.create_task_group() as tasks:
        stream: Any = StapledObjectStream(to_client, from_client)
        tasks.start_soon(server.serve, stream)
        await anyio.wait_all_tasks_blocked()
        assert given == [2]  # nothing was asked yet
        await to_server.send(encode_frame(ProtobufCodec().encode(version.message)))
        decoder, heard = FrameDecoder(), []
        with anyio.fail_after(10):
            while len(heard) < 100:
                heard += map(ProtobufCodec().decode, decoder.feed(await from_server.receive()))
        assert [message.name for message in heard].index("ProtoOAVersionRes") == 3  # in its place, the fifth
        assert [message.payload.bid for message in heard if message.name == "ProtoOASpotEvent"] == list(range(2, 101))
        assert len(given) <= 103
        tasks.cancel_scope.cancel()


def test_a_recording_is_played_from_a_file_as_from_a_pipe(tmp_path: Path) -> None:
    from anyctrader.scripts.replay import _conversation

    about = {"at": "2026-11-22T19:40:00.123456Z", "mono_ns": 1, "connection": "a-1"}
    where = dict.fromkeys(("transport", "delimiting", "server", "via"), "x") | {"codec": "protobuf"}
    lines: list[dict[str, Any]] = [{"record": "opened", **about, "format": 1, "environment": "demo", **where}]
    for number in range(3):
        body = base64.b64encode(ProtobufCodec().encode(a_spot(number))).decode()
        lines.append({"record": "frame", **about, "direction": "to_client", "size": 1, "body": body})
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    (tmp_path / "file").write_text(text)
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=(text,))
    writer.start()
    for name in ("pipe", "file"):
        conversation = _conversation(tmp_path / name, None)
        for _ in range(2):  # for each client anew
            assert [said.message.payload.bid for said in conversation.unasked()] == [0, 1, 2], name
    writer.join()


async def test_where_no_websocket_can_be_served_that_is_said_at_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from anyctrader.scripts.door import Address, Visitor, open_door

    async def serve(visitor: Visitor) -> None:
        pass

    async with open_door(Address("127.0.0.1", 0), serve):
        assert capsys.readouterr().err == ""
    monkeypatch.setitem(sys.modules, "wsproto", None)
    async with open_door(Address("127.0.0.1", 0), serve):
        assert "none over WebSocket: wsproto is not installed: pip install" in capsys.readouterr().err


async def test_a_pipe_that_nobody_reads_holds_up_neither_the_clients_nor_the_end(tmp_path: Path) -> None:
    async with quick() as server:
        with started("proxy", "demo", "--format", "json", cwd=tmp_path, **variables_of(server)) as proxy:
            ready = await anyio.to_thread.run_sync(first_line, proxy)
            stream = await open_stream(Endpoint(ready["host"], ready["port"], Path(ready["ca_file"])), deadline_s=10)
            client = Client(stream, "protobuf")
            await client.log_in(server)
            for _ in range(20):  # 6 kB each to show, and a pipe holds 64
                request = oa.ProtoOANewOrderReq(**order_of(server.account_id, comment="x" * 6_000))
                answer = await client.ask(request, "1")
                assert answer is not None
            proxy.send_signal(2)
            with anyio.fail_after(20):
                assert await anyio.to_thread.run_sync(lambda: proxy.wait(15)) == 0
            await stream.aclose()
