"""`anyctrader fake` as a process."""

from __future__ import annotations

import json
import signal
import socket
import ssl
from pathlib import Path

import anyio
import orjson
import pytest

from anyctrader.fake import FakeServer, Host, ServerSettings
from anyctrader.session import Credentials, Environment, connect
from anyctrader.wire import Message, ProtobufCodec, encode_frame
from anyctrader.wire import messages as oa

from .conftest import Call
from .programs import interrupt, started

pytestmark = pytest.mark.timeout(120)

# In the order of the design; a program that reads it may count on each of them.
KEYS = [
    "ready",
    "host",
    "port",
    "json_port",
    "oauth_url",
    "control_port",
    "ca_file",
    "client_id",
    "client_secret",
    "access_token",
    "refresh_token",
    "accounts",
]


def token_of(seed: str, *, live: bool) -> str:
    """The access token that a server of this seed makes up."""

    async def token() -> str:
        async with FakeServer(ServerSettings(seed=seed, host=Host.LIVE if live else Host.DEMO)) as server:
            return server.access_token

    return anyio.run(token)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_in_one_line_where_it_listens_serves_both_codecs_and_ends_when_told(
    tmp_path: Path, number: signal.Signals
) -> None:
    with started("fake", "--instant", "--seed", "x", cwd=tmp_path) as process:
        assert process.stdout is not None
        ready = orjson.loads(process.stdout.readline())
        assert list(ready) == KEYS
        assert ready["ready"] is True
        made_up = token_of("x", live=False)
        assert ready["access_token"] == made_up != token_of("x", live=True)
        assert made_up != token_of("y", live=False)
        assert {account["isLive"] for account in ready["accounts"]} == {False, True}

        async def versions() -> list[str]:
            account = next(each["ctidTraderAccountId"] for each in ready["accounts"] if not each["isLive"])
            credentials = Credentials(
                Environment.DEMO,
                client_id=ready["client_id"],
                client_secret=ready["client_secret"],
                access_token=ready["access_token"],
            )
            found = []
            for codec, port in (("protobuf", ready["port"]), ("json", ready["json_port"])):
                async with connect(
                    Environment.DEMO,
                    credentials,
                    codec=codec,  # type: ignore[arg-type]  # one of the two
                    host=ready["host"],
                    port=port,
                    ca_file=Path(ready["ca_file"]),
                ) as session:
                    await session.authorize(account)
                    found.append((await session.request(oa.ProtoOAVersionReq())).version)
            return found

        assert anyio.run(versions) == ["91", "91"]
        assert interrupt(process, number) == ("", "")
    assert process.returncode == 0
    assert not Path(ready["ca_file"]).exists()


def test_a_port_that_is_taken_is_said_and_no_traceback(call: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = call("fake", "--port", str(taken.getsockname()[1]))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "cannot listen on 127.0.0.1: Address already in use\n"


@pytest.mark.parametrize("arguments", [["--speed", "7"], ["--port", "70000"], ["--seed"], ["extra"]])
def test_a_wrong_command_line_is_a_usage_error(call: Call, arguments: list[str]) -> None:
    done = call("fake", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_what_it_thinks_of_its_clients_goes_to_a_file(tmp_path: Path) -> None:
    with started("fake", "--log", "clients.log", cwd=tmp_path) as process:
        assert process.stdout is not None
        ready = orjson.loads(process.stdout.readline())
        with socket.create_connection((ready["host"], ready["port"])) as plain:
            plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while plain.recv(4096):
                pass
        interrupt(process)
    assert (tmp_path / "clients.log").read_text() != ""


def ask(control: socket.socket, **line: object) -> dict[str, object]:
    """A line to the control port and its answer."""
    control.sendall(json.dumps(line).encode() + b"\n")
    answer = b""
    while not answer.endswith(b"\n"):
        answer += control.recv(65_536)
    told = json.loads(answer)
    assert isinstance(told, dict)
    return told


def test_faults_come_from_its_arguments_from_a_scenario_and_from_the_control_port(tmp_path: Path) -> None:
    (tmp_path / "weekend.toml").write_text(
        "[[step]]\ndo = 'maintenance'\n\n[[step]]\ndo = 'delay'\ndelay_s = 1\nat_s = 60\n"
    )
    arguments = ("--scenario", "weekend.toml", "--do", "late delay_s=2 which=ProtoOAExecutionEvent:ORDER_FILLED")
    with started("fake", *arguments, cwd=tmp_path) as process:
        assert process.stdout is not None
        ready = orjson.loads(process.stdout.readline())
        with socket.create_connection(("127.0.0.1", ready["control_port"])) as control:
            assert ask(control, do="status")["faults"] == ["Maintenance", "Late"]
            assert ask(control, do="silence") == {"ok": True, "id": 1}
            assert ask(control, do="status")["faults"] == ["Maintenance", "Late", "Silence"]
            assert ask(control, do="set_price", symbol="EURUSD", bid=1.2, ask=1.2001)["ok"] is True
            assert ask(control, do="quote", symbol="EURUSD")["bid"] == 1.2
        assert interrupt(process) == ("", "")
    assert process.returncode == 0


def test_a_strict_one_ends_with_what_the_real_server_would_have_refused(tmp_path: Path) -> None:
    with started("fake", "--strict", "--instant", cwd=tmp_path) as process:
        assert process.stdout is not None
        ready = orjson.loads(process.stdout.readline())

        async def misbehave() -> None:
            context = ssl.create_default_context(cafile=ready["ca_file"])
            stream = await anyio.connect_tcp(ready["host"], ready["port"], tls=True, ssl_context=context)
            async with stream:
                body = ProtobufCodec().encode(Message(oa.ProtoOATraderReq(ctidTraderAccountId=1)))
                await stream.send(encode_frame(body))
                await stream.receive()

        anyio.run(misbehave)
        said, remarks = interrupt(process)
    assert (process.returncode, said) == (1, "")
    assert "would have refused: client 1" in remarks
    assert "Traceback" not in remarks


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--do", "dance"], "nothing is called 'dance'"),
        (["--do", "silence at_s=never"], "a number is due"),
        (["--scenario", "none.toml"], "--scenario: none.toml: No such file"),
        (["--scenario", "wrong.toml"], "colour: there is no such setting"),
        (["--do", "set_price symbol=NONE bid=1 ask=2"], "no symbol is called NONE"),
    ],
)
def test_a_step_or_a_scenario_that_makes_no_sense_is_a_usage_error(
    call: Call, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "wrong.toml").write_text("colour = 1\n")
    done = call("fake", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr


def test_for_people_it_says_the_same_in_a_line_each(tmp_path: Path) -> None:
    with started("fake", "--format", "text", "--seed", "words", cwd=tmp_path) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5)]
    assert lines[0].startswith("host: 127.0.0.1")
    assert lines[1].startswith("port: ")
