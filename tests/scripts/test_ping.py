from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from anyctrader.fake import BlockingServer, ExchangeSettings
from anyctrader.fake.exchange_settings import Delays
from anyctrader.fake.market import MarketSettings
from anyctrader.scripts.ping import _targets, hosts_of
from anyctrader.scripts.ping_steps import delimitings
from anyctrader.session import Environment
from anyctrader.wire import Delimiting

from .conftest import Call
from .programs import json_lines
from .served import served, variables_of

STEPS = ["DNS", "TCP", "TLS", "version", "application", "heartbeat", "clock"]


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


def test_a_step_that_fails_is_named_and_ends_it(call: Call, server: BlockingServer) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = str(probe.getsockname()[1])
    for changes, step, said in (
        ({"PORT": closed}, "TCP", "refused"),
        ({"CA_FILE": ""}, "TLS", "its certificate is not trusted"),
        ({"HOST": "no.such.host.invalid"}, "DNS", ""),
        ({"APPLICATION_SECRET": "wrong-secret"}, "application", "CH_CLIENT_AUTH_FAILURE"),
    ):
        done = call("ping", "demo", "--format", "json", **variables_of(server, **changes))
        assert done.returncode == 3, step
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
    assert delimitings("json", "objects", every=True)[0] is Delimiting.OBJECTS
    assert len(delimitings("json", "objects", every=True)) == 3
    assert delimitings("json", "newline", every=False) == (Delimiting.NEWLINE,)
    assert delimitings("protobuf", "length", every=True) == (Delimiting.LENGTH,)


def test_without_settings_it_says_what_to_do(call: Call) -> None:
    done = call("ping", "demo")
    assert done.returncode == 2
    assert ".env" in done.stderr
    assert call("ping").returncode == 2
    assert call("ping", "prod").returncode == 2


def test_published_hosts_are_reached_at_their_own_port_whatever_server_the_settings_name(
    server: BlockingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables_of(server).items():
        monkeypatch.setenv(name, value)
    targets = _targets(Environment.DEMO, None, everywhere=True, codec=None, port=None, symbol="EURUSD")
    assert [(target.host, target.port, target.ca_file) for target in targets] == [
        (host, 5035, None) for host in hosts_of(Environment.DEMO)
    ]
    (own,) = _targets(Environment.DEMO, None, everywhere=False, codec=None, port=None, symbol="EURUSD")
    assert (own.host, own.port, own.ca_file) == (server.host, server.port, Path(server.ca_file))
    assert server.client_secret not in repr(own)
