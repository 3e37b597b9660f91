"""`anyctrader audit`: verify, show, trades."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest

from anyctrader.fake import ExchangeSettings, FakeServer, ServerSettings, Timing
from anyctrader.fake.exchange_settings import Delays
from anyctrader.session import (
    Credentials,
    Endpoint,
    Environment,
    EnvironmentSettings,
    LimitOrder,
    MarketOrder,
    Settings,
    Side,
    open_audit,
    open_desk,
)

from .conftest import Call
from .programs import json_lines

DEMO = Environment.DEMO
FILL: dict[str, Any] = {
    "client_order_id": "first",
    "order_id": 11,
    "position_id": 21,
    "deal_id": 31,
    "symbol": "EURUSD",
    "side": "BUY",
    "executed_volume_cents": 100_000,
    "average_price": "1.10005",
    "slippage_points": "5",
    "slippage_pips": "0.5",
    "slippage_quote_money": "0.05",
    "commission": "-0.03",
}


def write(folder: Path, *facts: tuple[Environment, str, dict[str, Any]], at_ms: int = 1_795_000_000_000) -> None:
    """An audit with these facts."""

    async def put() -> None:
        async with open_audit(folder, clock=lambda: at_ms) as audit:
            for environment, fact, fields in facts:
                await audit.record(environment, fact, fields)

    anyio.run(put)


@pytest.fixture
def desk_folder(tmp_path: Path) -> Path:
    """What a desk left that bought, closed and left an order waiting."""

    async def trade() -> None:
        settings = ServerSettings(timing=Timing.instant(), exchange=ExchangeSettings(delays=Delays.none()))
        async with FakeServer(settings) as server:
            credentials = Credentials(
                DEMO,
                client_id=server.client_id,
                client_secret=server.client_secret,
                access_token=server.access_token,
                account_id=server.account_id,
            )
            side = EnvironmentSettings(DEMO, credentials, endpoint=Endpoint(server.host, server.port, server.ca_file))
            async with open_desk(Settings({DEMO: side}, log_folder=tmp_path / "desk")) as desk:
                order = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.01"))
                await order.filled()
                assert order.position_id is not None
                await (await desk.close(DEMO, order.position_id)).filled()
                await desk.place(DEMO, LimitOrder("GBPUSD", Side.BUY, lots="0.01", price="1.0"))

    anyio.run(trade)
    return tmp_path / "desk"


def test_verify_says_what_it_cannot_find_without_the_head_and_that_is_no_damage(call: Call, tmp_path: Path) -> None:
    write(tmp_path, (DEMO, "filled", FILL))
    (tmp_path / ".order_audit.head.json").unlink()
    result = call("audit", "verify", "--folder", tmp_path)
    assert result.returncode == 0
    assert ".order_audit.head.json is not there: lines missing at the end of order_audit.jsonl" in result.stderr


def test_what_a_desk_left_is_sound_and_tells_its_story(call: Call, desk_folder: Path, tmp_path: Path) -> None:
    done = call("audit", "verify", "--folder", "desk")
    assert (done.returncode, done.stdout, done.stderr) == (0, "desk: every line is as it was written\n", "")
    done = call("audit", "verify", "--folder", "desk", "--format", "json")
    assert json_lines(done.stdout) == [{"folder": "desk", "sound": True}]

    rows = json_lines(call("audit", "trades", "--folder", "desk", "--csv", "t.csv", "--format", "json").stdout)
    bought, sold, total, all_ = rows
    assert [row["kind"] for row in rows] == ["trade", "trade", "total", "total"]
    assert (bought["symbol"], bought["side"], sold["side"], bought["units"]) == ("EURUSD", "BUY", "SELL", "1000")
    assert bought["net_profit"] is None
    assert total["net_profit"] == all_["net_profit"] == sold["net_profit"]
    assert Decimal(total["commission"]) == Decimal(bought["commission"]) + Decimal(sold["commission"])
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    told = [{name: value for name, value in row.items() if name != "kind"} for row in (bought, sold)]
    assert table == [{name: "" if value is None else str(value) for name, value in row.items()} for row in told]

    story = json_lines(
        call("audit", "show", "--folder", "desk", "--order", bought["client_order_id"], "--format", "json").stdout
    )
    facts = [line["fact"] for line in story]
    assert facts[:2] == ["intent", "sent"]
    assert facts[-1] == "finished"
    assert {"execution", "fill"} < set(facts)
    by_number = call("audit", "show", "--folder", "desk", "--order", str(bought["order_id"]), "--format", "json")
    assert json_lines(by_number.stdout) == story
    of_pounds = json_lines(call("audit", "show", "--folder", "desk", "--symbol", "GBPUSD", "--format", "json").stdout)
    assert [line["fact"] for line in of_pounds] == ["intent", "sent", "execution"]


def test_lines_are_chosen_by_environment_and_day(call: Call, tmp_path: Path) -> None:
    write(tmp_path, (DEMO, "halt", {"reason": "a"}), (Environment.LIVE, "halt", {"reason": "b"}))
    write(tmp_path, (DEMO, "resume", {"reason": "c"}), at_ms=1_795_100_000_000)  # the next day
    for arguments, reasons in (
        ([], ["a", "b", "c"]),
        (["--env", "live"], ["b"]),
        (["--day", "2026-11-18"], ["a", "b"]),
        (["--env", "demo", "--day", "2026-11-19"], ["c"]),
    ):
        done = call("audit", "show", "--folder", ".", "--format", "json", *arguments)
        assert (done.returncode, [line["reason"] for line in json_lines(done.stdout)]) == (0, reasons)
    assert len(list(tmp_path.glob("order_audit*.jsonl"))) == 2


def test_an_order_of_the_other_environment_with_the_same_numbers_is_no_part_of_a_story(
    call: Call, tmp_path: Path
) -> None:
    pounds = FILL | {"client_order_id": "second", "symbol": "GBPUSD"}
    write(
        tmp_path,
        (DEMO, "fill", FILL),
        (DEMO, "execution", {"order_id": 11, "execution": "ORDER_FILLED"}),
        (Environment.LIVE, "fill", pounds),
        (Environment.LIVE, "execution", {"order_id": 11, "execution": "ORDER_FILLED"}),
    )
    for arguments in (["--symbol", "EURUSD"], ["--order", "first"]):
        lines = json_lines(call("audit", "show", "--folder", ".", "--format", "json", *arguments).stdout)
        assert [(line["environment"], line["fact"]) for line in lines] == [("demo", "fill"), ("demo", "execution")]


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (lambda lines: [*lines[:2], lines[2].replace(b"two", b"TWO"), *lines[3:]], "changed"),
        (lambda lines: [lines[0], *lines[2:]], "missing"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "reordered"),
        (lambda lines: lines[:-1], "missing"),
        (lambda lines: [*lines[:-1], lines[-1][:-20]], "torn"),
    ],
)
def test_damage_is_named_and_ends_with_1(call: Call, tmp_path: Path, damage: Any, kind: str) -> None:
    write(tmp_path, *((DEMO, "halt", {"reason": word}) for word in ("one", "two", "three")))
    path = tmp_path / "order_audit.jsonl"
    path.write_bytes(b"".join(damage(path.read_bytes().splitlines(keepends=True))))
    done = call("audit", "verify", "--folder", ".")
    assert done.returncode == 1
    assert f": {kind}: " in done.stdout
    assert "damages: " in done.stderr
    found = json_lines(call("audit", "verify", "--folder", ".", "--format", "json").stdout)
    assert kind in {line["kind"] for line in found}
    assert {line["file"] for line in found} == {"order_audit.jsonl"}


def test_an_audit_that_is_gone_is_named_by_what_its_head_tells(call: Call, tmp_path: Path) -> None:
    write(tmp_path, *((DEMO, "halt", {"reason": word}) for word in ("one", "two")))
    (tmp_path / "order_audit.jsonl").unlink()
    done = call("audit", "verify", "--folder", ".")
    assert (done.returncode, "1 missing" in done.stderr) == (1, True)
    assert "order_audit.jsonl:1: missing: lines 1 to " in done.stdout


def test_a_line_that_cannot_be_read_is_told_and_passed_over(call: Call, tmp_path: Path) -> None:
    write(tmp_path, (DEMO, "halt", {"reason": "a"}), (DEMO, "resume", {"reason": "b"}))
    path = tmp_path / "order_audit.jsonl"
    path.write_bytes(b"{\x1b[31m\n[]\n" + path.read_bytes())
    done = call("audit", "show", "--folder", ".", "--symbol", "nothing")
    assert done.returncode == 1
    assert done.stderr.count("cannot be read") == 2
    assert "order_audit.jsonl:1: " in done.stderr
    assert "\x1b" not in done.stderr


def test_a_table_has_totals_for_each_symbol_and_each_environment(call: Call, tmp_path: Path) -> None:
    pounds = FILL | {"client_order_id": "second", "order_id": 12, "deal_id": 32, "symbol": "GBPUSD"}
    pounds |= {"slippage_quote_money": "-0.01"}
    closed = {
        "client_order_id": "third",
        "order_id": 13,
        "deal_id": 33,
        "side": "SELL",
        "net": "-1.50",
        "swap": "-0.10",
    }
    write(
        tmp_path,
        (DEMO, "fill", FILL),
        (DEMO, "fill", pounds),
        (DEMO, "fill", FILL | closed),
        (DEMO, "finished", FILL | closed | {"net_profit": "-1.50", "commission": "-0.03"}),
        (Environment.LIVE, "fill", FILL),
    )
    done = call("audit", "trades", "--folder", ".")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0][:4] == ["at", "environment", "origin", "symbol"]
    totals = [line for line in lines if line[0] == "total"]
    assert [line[1:4] for line in totals] == [
        ["demo", "EURUSD", "2"],
        ["demo", "GBPUSD", "1"],
        ["demo", "3", "trades"],
        ["live", "EURUSD", "1"],
        ["live", "1", "trades"],
    ]
    assert totals[0][5:] == ["0.10", "-0.06", "-0.10", "0", "-1.50"]
    assert totals[2][4:] == ["-0.09", "-0.10", "0", "-1.50"]  # slippage of two quote assets is not added up


def test_what_a_server_has_named_neither_moves_the_cursor_nor_becomes_a_formula(call: Call, tmp_path: Path) -> None:
    write(tmp_path, (DEMO, "fill", FILL | {"symbol": "=1+1\x1b[31m", "client_order_id": "-2+3"}))
    for question in ("show", "trades"):
        done = call("audit", question, "--folder", ".")
        assert "\x1b" not in done.stdout
        assert "\\x1b[31m" in done.stdout
    call("audit", "trades", "--folder", ".", "--csv", "t.csv")
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["symbol"], row["client_order_id"], row["commission"]) == ("'=1+1\\x1b[31m", "'-2+3", "-0.03")


def test_numbers_that_are_none_are_left_out_and_not_guessed(call: Call, tmp_path: Path) -> None:
    write(tmp_path, (DEMO, "fill", FILL | {"commission": "a lot", "average_price": True, "slippage_pips": "NaN"}))
    row = json_lines(call("audit", "trades", "--folder", ".", "--format", "json").stdout)[0]
    assert (row["commission"], row["price"], row["slippage_pips"], row["slippage_points"]) == (None, None, None, "5")


def test_where_there_is_nothing_that_is_said(call: Call, tmp_path: Path) -> None:
    done = call("audit", "verify", "--folder", ".")
    assert (done.returncode, "there is no order_audit.jsonl" in done.stderr) == (1, True)
    write(tmp_path, (DEMO, "halt", {"reason": "a"}))
    assert call("audit", "show", "--folder", ".", "--order", "4711").returncode == 1
    done = call("audit", "trades", "--folder", ".")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "no trade fits\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify", "--env", "demo"],
        ["verify", "--order", "1"],
        ["show", "--csv", "x.csv"],
        ["show", "--day", "yesterday"],
        ["show", "--day", "2026-13-01"],
        ["tell"],
        [],
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(call: Call, tmp_path: Path, arguments: list[str]) -> None:
    assert call("audit", *arguments, "--folder", ".").returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_cannot_be_opened_is_a_usage_error(call: Call, tmp_path: Path) -> None:
    write(tmp_path, (DEMO, "halt", {"reason": "a"}))
    done = call("audit", "trades", "--folder", ".", "--csv", "none/such.csv")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "--csv: none/such.csv: No such file or directory\n")


@pytest.mark.parametrize("question", ["verify", "show", "trades"])
def test_a_folder_that_is_not_there_is_a_usage_error(call: Call, question: str) -> None:
    done = call("audit", question, "--folder", "none")
    assert (done.returncode, done.stdout) == (2, "")
    assert "none does not exist" in done.stderr


def test_a_large_file_is_read_line_by_line(call: Call, tmp_path: Path) -> None:
    """The lines need not be a chain to be shown: 200,000 of them, of which one is wanted."""
    line = orjson.dumps({"at": "2026-11-22T00:00:00.000Z", "environment": "demo", "seq": 1, "fact": "sent"})
    wanted = orjson.dumps(
        {"at": "2026-11-22T00:00:00.000Z", "environment": "demo", "seq": 2, "fact": "x", "order_id": 7}
    )
    with (tmp_path / "order_audit.jsonl").open("wb") as file:
        for _ in range(200):
            file.write((line + b"\n") * 1_000)
        file.write(wanted + b"\n")
    done = call("audit", "show", "--folder", ".", "--order", "7", "--format", "json")
    assert json_lines(done.stdout) == [orjson.loads(wanted)]
