from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from anyctrader.fake import BlockingServer, ExchangeSettings
from anyctrader.fake.exchange_settings import Delays
from anyctrader.fake.market import MarketSettings
from anyctrader.scripts.tail import Wanted
from anyctrader.wire import Message
from anyctrader.wire import messages as oa
from anyctrader.wire.rendering import Rendering

from .conftest import Call
from .programs import interrupt, json_lines, started
from .served import served, variables_of


@pytest.fixture(scope="module")
def server() -> Iterator[BlockingServer]:
    with served(exchange=ExchangeSettings(market=MarketSettings(speed=60), delays=Delays.none())) as running:
        yield running


def test_quotes_depth_and_bars_of_a_symbol_are_shown(call: Call, server: BlockingServer) -> None:
    arguments = ("--symbol", "EURUSD", "--depth", "--bars", "m1", "--seconds", "1.5", "--format", "json")
    done = call("tail", "demo", *arguments, **variables_of(server))
    assert done.returncode == 0, done.stderr
    lines = json_lines(done.stdout)
    assert {"ProtoOASpotEvent", "ProtoOADepthEvent"} <= {line["name"] for line in lines}
    assert any("trendbar" in line["payload"] for line in lines)
    assert {(line["environment"], line["account"]) for line in lines} == {("demo", server.account_id)}
    assert server.access_token not in done.stdout + done.stderr


def test_filters_leave_the_rest_out(call: Call, server: BlockingServer) -> None:
    arguments = ("--symbol", "EURUSD", "--depth", "--name", "spot", "--where", "symbolId=eurusd", "--seconds", "1")
    done = call("tail", "demo", *arguments, **variables_of(server))
    assert done.stdout
    assert all(" ProtoOASpotEvent " in line and "symbolId=EURUSD" in line for line in done.stdout.splitlines())
    done = call("tail", "demo", "--symbol", "EURUSD", "--where", "bid=7", "--seconds", "1", **variables_of(server))
    assert done.stdout == ""


def test_an_account_that_is_not_the_tokens_is_a_usage_error_and_one_of_live_is_refused(
    call: Call, server: BlockingServer
) -> None:
    live = next(account.account_id for account in server.accounts if account.is_live)
    for account, code, said in ((77, 2, "does not cover account 77"), (live, 5, "belongs to live")):
        done = call("tail", "demo", "--account", str(account), "--seconds", "1", **variables_of(server))
        assert (done.returncode, done.stdout) == (code, "")
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    done = call("tail", "demo", "--seconds", "1", **variables_of(server, ACCOUNT_ID="77"))
    assert done.returncode == 2


def test_a_value_is_found_by_its_path_or_the_end_of_it_as_sent_or_as_shown() -> None:
    event = oa.ProtoOAExecutionEvent(ctidTraderAccountId=7, executionType=3)
    event.order.tradeData.symbolId = 1
    message = Message(event)
    rendering = Rendering({1: "EURUSD"})
    for values, taken in (
        ((("executionType", "ORDER_FILLED"),), True),
        ((("executionType", "3"),), True),
        ((("order.tradeData.symbolId", "EURUSD"), ("tradeData.symbolId", "1")), True),
        ((("symbolId", "1"), ("executionType", "2")), False),
        ((("Id", "7"),), False),
    ):
        assert Wanted(values=values).takes(message, rendering) is taken, values
    assert not Wanted((oa.ProtoOASpotEvent,)).takes(message, rendering)


def test_what_is_typed_wrong_is_told_before_anything_is_connected(call: Call) -> None:
    for arguments, said in (
        (("--depth",), "--symbol"),
        (("--symbol", "EURUSD", "--bars", "M7"), "M7 is no period: M1"),
        (("--name", "ExecutonEvent"), "near it: ProtoOAExecutionEvent"),
        (("--name", "TraderReq"), "ProtoOATraderReq never comes as an event"),
        (("--name", "HeartbeatEvent"), "ProtoHeartbeatEvent never comes as an event"),
        (("--where", "x"), "FIELD=VALUE"),
        (("--where", "order.tradeData.simbolId=1"), "near it: order.tradeData.symbolId"),
        (("--name", "SpotEvent", "--where", "executionType=ORDER_FILLED"), "no field is called 'executionType'"),
    ):
        done = call("tail", "demo", *arguments)
        assert done.returncode == 2, arguments
        assert said in " ".join(done.stderr.split()), arguments


def test_events_that_nobody_asked_the_server_for_are_told_to_be_none(call: Call) -> None:
    for arguments, said in (
        (
            ("--name", "SpotEvent"),
            ["ProtoOASpotEvent was named, and none will come: the server sends them of what --symbol"],
        ),
        (("--name", "depth", "--symbol", "EURUSD"), ["ProtoOADepthEvent was named, and none will come"]),
        (("--name", "spot", "--name", "depth"), ["ProtoOASpotEvent was named", "ProtoOADepthEvent was named"]),
        (("--name", "SpotEvent", "--symbol", "EURUSD"), []),
        (("--name", "DepthEvent", "--symbol", "EURUSD", "--depth"), []),
        (("--name", "ExecutionEvent"), []),
    ):
        done = call("tail", "demo", *arguments)  # there are no settings, which is told behind it
        assert done.stderr.count("was named") == len(said)
        assert [each for each in said if each not in done.stderr] == []


@pytest.mark.parametrize("command", ["tail demo", "record demo -o r.jsonl"])
def test_a_symbol_that_is_not_there_is_told_with_the_nearest(call: Call, server: BlockingServer, command: str) -> None:
    done = call(*command.split(), "--symbol", "EURUS", **variables_of(server))
    assert done.returncode == 2
    assert "nearest: EURUSD" in done.stderr


def test_an_execution_is_shown_field_by_field_and_ctrl_c_ends_it_cleanly(
    call: Call, server: BlockingServer, tmp_path: Path
) -> None:
    variables = variables_of(server)
    with started("tail", "demo", cwd=tmp_path, **variables) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        while "listening" not in process.stderr.readline():
            pass
        order = ("symbolId=1", "tradeSide=BUY", "volume=100000", "orderType=MARKET")
        assert call("send", "demo", "NewOrderReq", *order, **variables).returncode == 0
        assert " ProtoOAExecutionEvent (2126)" in process.stdout.readline()
        assert process.stdout.readline().startswith("  ctidTraderAccountId = ")
        assert process.stdout.readline() == "  executionType = ORDER_ACCEPTED (2)\n"
        _, remarks = interrupt(process, signal.SIGINT)
        assert process.returncode == 0
        assert "Traceback" not in remarks


def test_a_reader_that_has_seen_enough_ends_it(server: BlockingServer, tmp_path: Path) -> None:
    with started(
        "tail", "demo", "--symbol", "EURUSD", "--format", "json", cwd=tmp_path, **variables_of(server)
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert orjson.loads(process.stdout.readline())["name"] == "ProtoOASpotEvent"
        process.stdout.close()
        until = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        assert process.returncode == 0
        assert "Traceback" not in process.stderr.read()
        process.stdout = None
