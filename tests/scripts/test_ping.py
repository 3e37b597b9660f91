from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from anyctrader.fake import BlockingServer, ExchangeSettings, faults
from anyctrader.fake.exchange_settings import Delays
from anyctrader.fake.market import MarketSettings
from anyctrader.scripts.ping import _targets, hosts_of
from anyctrader.scripts.ping_steps import delimitings
from anyctrader.session import Endpoint, Environment
from anyctrader.wire import Delimiting

from .conftest import Call
from .programs import json_lines
from .served import served, variables_of
from .test_progress import screen_of


@contextmanager
def a_middle(answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> Iterator[int]:
    """The port of a proxy that passes everything on once it was asked to."""

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def serve(near: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += near.recv(4096)
        near.sendall(answer)
        if b" 200 " in answer:
            host, _, port = head.split()[1].decode().rpartition(":")
            with socket.create_connection((host, int(port)), timeout=10) as far:
                other = threading.Thread(target=pump, args=(far, near))
                other.start()
                pump(near, far)
                other.join()
        near.close()

    def accept() -> None:
        try:
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],)).start()
        except OSError:
            pass  # it was closed: the test is over

    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept)
        accepting.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    accepting.join()


STEPS = ["DNS", "TCP", "TLS", "version", "application", "heartbeat", "account", "clock"]


@pytest.fixture(scope="module")
def server() -> Iterator[BlockingServer]:
    lively = ExchangeSettings(market=MarketSettings(speed=60), delays=Delays.none())
    with served(exchange=lively) as running:
        yield running


def test_each_step_of_a_connection_is_timed(call: Call, server: BlockingServer) -> None:
    done = call("ping", "demo", "--wait", "0.5", "--format", "json", **variables_of(server))
    assert done.returncode == 0, done.stderr
    steps = {line["step"]: line for line in json_lines(done.stdout)}
    assert list(steps) == STEPS
    assert all(steps[name]["ok"] and steps[name]["ms"] > 0 for name in STEPS[:5])
    assert steps["TLS"]["version"] == "TLSv1.3"
    assert steps["TLS"]["certificateDays"] > 0
    assert steps["version"]["version"]
    assert abs(steps["clock"]["offsetMs"]) < 2000  # one machine, one clock; a busy one is late in reading it
    for secret in (server.client_secret, server.access_token):
        assert secret not in done.stdout + done.stderr


def test_without_a_token_all_but_the_clock_is_told(call: Call, server: BlockingServer) -> None:
    done = call("ping", "demo", "--wait", "0.5", **variables_of(server, ACCESS_TOKEN="", ACCOUNT_ID=""))
    assert done.returncode == 0, done.stderr
    assert f"{server.host}:{server.port}, protobuf" in done.stdout
    assert "authorised" in done.stdout
    assert "not told: that takes a token and an account (anyctrader login)" in done.stdout


def test_what_is_wrong_in_the_settings_is_told_in_place_of_the_clock(call: Call, server: BlockingServer) -> None:
    for changes, said in (
        ({"CTRADER_DEMO_ACCOUNT_ID": ""}, "CTRADER_DEMO_ACCOUNT_ID is missing\n"),
        ({"CTRADER_LIVE_ENABLED": "yes"}, "CTRADER_LIVE_ENABLED must be exactly true or false"),
    ):
        done = call("ping", "demo", "--wait", "0.5", **(variables_of(server) | changes))
        assert done.returncode == 0, done.stderr
        (clock,) = [line for line in done.stdout.splitlines(keepends=True) if line.startswith("  clock")]
        assert "not told: the settings cannot be used: " in clock
        assert said in clock
        assert "login" not in clock


@pytest.mark.parametrize("broken", [{}, {"CTRADER_LIVE_ENABLED": "yes"}], ids=["sound", "broken"])
def test_a_server_that_says_the_secrets_of_the_settings_back_shows_none(call: Call, broken: dict[str, str]) -> None:
    made_up = {"REFRESH_TOKEN": "refresh-of-the-settings", "PASSWORD": "hunter2-of-the-settings"}
    with served(seed="echo") as before:
        secrets = [before.client_secret, before.access_token, *made_up.values(), "live-of-the-settings"]
    with served(seed="echo", version=f"9 {' '.join(secrets)} \x1b[31m") as server:
        assert server.access_token in secrets
        variables = variables_of(server, **made_up) | broken | {"CTRADER_LIVE_PASSWORD": "live-of-the-settings"}
        for output in ("text", "json"):
            done = call("ping", "demo", "--wait", "0.5", "--symbol", "NONE", "--format", output, **variables)
            assert "9 *** *** *** *** ***" in done.stdout
            assert [secret for secret in secrets if secret in done.stdout + done.stderr] == []
        server.call(lambda fake: fake.faults.inject(faults.Maintenance(" ".join(secrets))))
        done = call("ping", "demo", "--wait", "0.5", **variables)
        assert done.returncode == 1
        assert "*** *** *** *** ***" in done.stdout.split("application")[1]
        assert [secret for secret in secrets if secret in done.stdout + done.stderr] == []


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"ACCESS_TOKEN": "a-token-that-has-ended-long-ago"}, "CH_ACCESS_TOKEN_INVALID"),
        ({"ACCOUNT_ID": "4711"}, "CH_CTID_TRADER_ACCOUNT_NOT_FOUND"),
    ],
)
def test_a_token_or_an_account_that_is_refused_ends_it_with_1_and_what_to_do(
    call: Call, server: BlockingServer, wrong: dict[str, str], code: str
) -> None:
    done = call("ping", "demo", "--format", "json", **variables_of(server, **wrong))
    steps = {line["step"]: line for line in json_lines(done.stdout)}
    assert (done.returncode, list(steps)) == (1, STEPS[:7]), "no clock without an account"
    assert (steps["application"]["ok"], steps["account"]["ok"]) == (True, False)
    assert code in steps["account"]["detail"]
    assert "`anyctrader login demo` gets a new token" in steps["account"]["detail"]
    assert server.access_token not in done.stdout
    assert "a-token-that-has-ended" not in done.stdout


def test_a_symbol_that_is_not_there_tells_no_clock_and_is_no_fault(call: Call, server: BlockingServer) -> None:
    done = call("ping", "demo", "--wait", "0.5", "--symbol", "NONE", **variables_of(server))
    assert (done.returncode, "the account has no symbol NONE" in done.stdout) == (0, True)


def test_json_tries_each_way_of_telling_messages_apart(call: Call, server: BlockingServer) -> None:
    arguments = ("--codec", "json", "--port", str(server.json_port), "--wait", "0.5", "--symbol", "NONE")
    done = call("ping", "demo", *arguments, "--format", "json", **variables_of(server))
    assert done.returncode == 0, done.stderr
    steps = {line["step"]: line for line in json_lines(done.stdout)}
    assert {name: steps[name]["answered"] for name in ("length", "newline", "objects")} == {
        "length": True,
        "newline": False,
        "objects": False,
    }
    assert steps["delimiting"]["answered"] == ["length"]
    assert steps["application"]["ok"]


def test_a_codec_other_than_that_of_the_settings_needs_its_port(call: Call, server: BlockingServer) -> None:
    done = call("ping", "demo", "--codec", "json", **variables_of(server))
    assert done.returncode == 2
    assert "--port" in done.stderr


@pytest.mark.parametrize("wait", ["inf", "nan", "0.01", "601"])
def test_a_step_may_not_take_for_ever(call: Call, server: BlockingServer, wait: str) -> None:
    done = call("ping", "demo", "--wait", wait, **variables_of(server))
    assert (done.returncode, done.stdout) == (2, "")
    assert "from 0.1 to 600 seconds" in done.stderr


def test_a_step_that_takes_its_time_shows_a_sign_of_life(
    call: Call, server: BlockingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = screen_of(monkeypatch, after_s=0.0)
    done = call("ping", "demo", "--wait", "0.5", **variables_of(server))
    assert done.returncode == 0
    assert "\rclock, 0 s\x1b[K" in screen.getvalue()
    assert screen.getvalue().endswith("\r\x1b[K")


def test_a_step_that_fails_is_named_and_ends_it(call: Call, server: BlockingServer) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = str(probe.getsockname()[1])
    for changes, step, said, code in (
        ({"PORT": closed}, "TCP", "refused", 3),
        ({"CA_FILE": ""}, "TLS", "its certificate is not trusted", 3),
        ({"HOST": "no.such.host.invalid"}, "DNS", "", 3),
        ({"APPLICATION_SECRET": "wrong-secret"}, "application", "CH_CLIENT_AUTH_FAILURE", 1),
    ):
        done = call("ping", "demo", "--format", "json", **variables_of(server, **changes))
        assert done.returncode == code, step
        last = json_lines(done.stdout)[-1]
        assert (last["step"], last["ok"]) == (step, False)
        assert said in last["detail"]
        assert "Traceback" not in done.stderr


def test_every_regional_host_is_asked_with_all(
    call: Call, server: BlockingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "anyctrader.scripts.ping.hosts_of", lambda environment: [server.host, "none.invalid", server.host]
    )
    done = call("ping", "demo", "--all", "--wait", "0.5", "--symbol", "NONE", **variables_of(server))
    assert done.returncode == 0
    heads = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert heads == [f"{name}:{server.port}, protobuf" for name in (server.host, "none.invalid", server.host)]
    assert "2 of 3 hosts answered" in done.stderr


def test_the_regional_hosts_are_those_of_the_environment() -> None:
    hosts = hosts_of(Environment.LIVE)
    assert hosts[0] == "live.ctraderapi.com"
    assert "live-eu.ctraderapi.com" in hosts
    assert all(host.startswith("live") for host in hosts)
    assert len(set(hosts)) == 13


def test_the_way_of_the_settings_is_tried_first() -> None:
    objects = Endpoint("127.0.0.1", 1, delimiting="objects")
    assert delimitings(objects, "json", every=True)[0] is Delimiting.OBJECTS
    assert len(delimitings(objects, "json", every=True)) == 3
    assert delimitings(objects, "json", every=False) == (Delimiting.OBJECTS,)
    assert delimitings(Endpoint("127.0.0.1", 1), "protobuf", every=True) == (Delimiting.LENGTH,)
    assert delimitings(Endpoint("127.0.0.1", 1, transport="websocket"), "json", every=True) == (Delimiting.LENGTH,)


def test_without_settings_it_says_what_to_do(call: Call) -> None:
    done = call("ping", "demo")
    assert done.returncode == 2
    assert ".env" in done.stderr
    other = call("ping", "live", **{"CTRADER_DEMO_APPLICATION_ID": "app"})
    assert other.returncode == 2
    assert "no key of live is set: CTRADER_LIVE_APPLICATION_ID" in other.stderr
    assert call("ping").returncode == 2
    assert call("ping", "prod").returncode == 2


def test_published_hosts_are_reached_at_their_own_port_whatever_server_the_settings_name(
    server: BlockingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables_of(server).items():
        monkeypatch.setenv(name, value)
    ask = partial(_targets, Environment.DEMO, None, codec=None, transport=None, port=None, symbol="EURUSD")
    assert [
        (target.endpoint.host, target.endpoint.port, target.endpoint.ca_file) for target in ask(everywhere=True)
    ] == [(host, 5035, None) for host in hosts_of(Environment.DEMO)]
    (own,) = ask(everywhere=False)
    assert own.endpoint == Endpoint(server.host, server.port, Path(server.ca_file))
    assert server.client_secret not in repr(own)


def test_each_host_is_reached_by_the_proxy_that_is_named_for_it(
    server: BlockingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables_of(server).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("https_proxy", "http://elsewhere:3128")
    monkeypatch.setenv("no_proxy", f"{server.host},demo-eu.ctraderapi.com")
    ask = partial(_targets, Environment.DEMO, None, codec=None, transport=None, port=None, symbol="EURUSD")
    proxies = {target.endpoint.host: target.endpoint.proxy for target in ask(everywhere=True)}
    assert str(proxies["demo.ctraderapi.com"]) == "elsewhere:3128"
    assert proxies["demo-eu.ctraderapi.com"] is None
    assert [target.endpoint.proxy for target in ask(everywhere=False)] == [None]
    monkeypatch.setenv("CTRADER_DEMO_PROXY", "http://ours:8080")
    assert {str(target.endpoint.proxy) for target in ask(everywhere=True)} == {"ours:8080"}


@pytest.mark.parametrize("codec", ["protobuf", "json"])
def test_the_upgrade_is_a_step_of_its_own_over_a_websocket(call: Call, server: BlockingServer, codec: str) -> None:
    port = str(server.port if codec == "protobuf" else server.json_port)
    arguments = ("--codec", codec, "--port", port, "--transport", "websocket", "--wait", "0.5")
    done = call("ping", "demo", *arguments, "--format", "json", **variables_of(server))
    assert done.returncode == 0, done.stderr
    lines = json_lines(done.stdout)
    assert [line["step"] for line in lines] == [*STEPS[:3], "upgrade", *STEPS[3:]]
    assert {line["transport"] for line in lines} == {"websocket"}
    assert all(line["ok"] and line["ms"] > 0 for line in lines[:6])
    closed = [seen.text for seen in server.call(lambda fake: list(fake.seen)) if seen.name == "closed"]
    assert closed[-1] == "the client closed the WebSocket with 1000"


def test_the_settings_say_what_carries_the_messages_and_the_command_line_otherwise(
    call: Call, server: BlockingServer
) -> None:
    settings = variables_of(server, TRANSPORT="websocket")
    done = call("ping", "demo", "--wait", "0.5", "--symbol", "NONE", **settings)
    assert f"{server.host}:{server.port}, protobuf over websocket" in done.stdout
    assert "  upgrade " in done.stdout
    done = call("ping", "demo", "--transport", "tcp", "--wait", "0.5", "--symbol", "NONE", **settings)
    assert (done.returncode, "upgrade" in done.stdout) == (0, False)


def test_a_websocket_that_is_refused_fails_at_the_upgrade_with_no_secret(call: Call) -> None:
    with served() as server:
        server.call(lambda fake: fake.faults.inject(faults.NoUpgrade(403, f"not\nyou \x1b[2J{fake.client_secret}")))
        done = call("ping", "demo", "--transport", "websocket", "--format", "json", **variables_of(server))
        assert done.returncode == 3
        last = json_lines(done.stdout)[-1]
        assert (last["step"], last["ok"]) == ("upgrade", False)
        assert last["detail"] == "HTTP 403 Forbidden in place of a WebSocket: not you \\x1b[2J***"


def test_a_server_that_closes_the_websocket_is_told_with_its_code(call: Call) -> None:
    with served() as server:
        server.call(lambda fake: fake.faults.inject(faults.CloseWebSocket(1012, "restart")))
        done = call("ping", "demo", "--transport", "websocket", "--format", "json", **variables_of(server))
        assert done.returncode == 3
        last = json_lines(done.stdout)[-1]
        assert (last["step"], last["detail"]) == ("version", "the server closed the WebSocket with 1012: restart")


def test_a_proxy_on_the_way_is_asked_to_connect_and_timed(call: Call, server: BlockingServer) -> None:
    with a_middle() as port:
        arguments = ("--transport", "websocket", "--wait", "0.5", "--symbol", "NONE", "--format", "json")
        proxied = {"HTTPS_PROXY": f"http://user:pass-planted@127.0.0.1:{port}", "NO_PROXY": ""}
        done = call("ping", "demo", *arguments, **variables_of(server), **proxied)
        assert done.returncode == 0, done.stdout
        lines = json_lines(done.stdout)
        assert [line["step"] for line in lines][:5] == ["DNS", "TCP", "CONNECT", "TLS", "upgrade"]
        assert lines[2]["detail"] == f"through 127.0.0.1:{port}"
        assert "pass-planted" not in done.stdout + done.stderr
    done = call("ping", "demo", *arguments, **variables_of(server), **proxied)
    assert [(line["step"], line["ok"]) for line in json_lines(done.stdout)] == [("DNS", True), ("TCP", False)]


def test_a_proxy_that_refuses_is_named(call: Call, server: BlockingServer) -> None:
    with a_middle(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as port:
        proxied = {"HTTPS_PROXY": f"http://127.0.0.1:{port}", "NO_PROXY": ""}
        done = call("ping", "demo", "--format", "json", **variables_of(server), **proxied)
    assert done.returncode == 3
    last = json_lines(done.stdout)[-1]
    assert (last["step"], last["ok"]) == ("CONNECT", False)
    assert "407" in last["detail"]
