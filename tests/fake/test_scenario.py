"""Scenario files: settings and steps as TOML and JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from anyctrader.fake import Clock, FakeServer, Host, ScenarioError, ServerSettings, Step, Timing, load_scenario
from anyctrader.fake.choices import Breach, Echo, OAuthErrors
from anyctrader.fake.scenario import read_scenario
from anyctrader.fake.tokens import OldAccess
from anyctrader.fake.variants import Carrier, LongestBars
from anyctrader.proto import schema as oa

from .raw_client import connected

ROOT = Path(__file__).parents[2]
SCENARIO = """
host = "live"
seed = "a scenario"
clock = "held"
strict = true
tolerated = ["NO_QUOTES"]

[timing]
answer_s = 0

[limits]
connections = "none"
breach = "frequency"

[variants]
later_events = "empty"
oauth_errors = 400

[tokens]
old_access = "alive"

[exchange]
symbols = ["EURUSD", 4]
accounts = [
    {account_id = 7, is_live = true, account_type = "netted", margin_calls = [90, 70, 50]},
    {account_id = 8, trader_login = 9, is_live = true, access_rights = "no_trading", max_positions = 3},
]

[exchange.variants]
not_enough_money = "rejected"
longest_bars = "none"
extra_field = false

[exchange.delays]
fill_ms = 10

[[step]]
do = "drop_clients"
at_s = 5

[[step]]
do = "late"
which = "ProtoOAExecutionEvent:ORDER_FILLED"
delay_s = 2
after = "ProtoOANewOrderReq"
"""


def written(folder: Path, text: str, name: str = "scenario.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_sets_what_it_names_and_leaves_the_rest_as_it_is(tmp_path: Path) -> None:
    settings = load_scenario(written(tmp_path, SCENARIO), ServerSettings(version="90", timing=Timing(idle_s=40)))
    assert (settings.host, settings.seed, settings.clock, settings.strict) == (
        Host.LIVE,
        "a scenario",
        Clock.HELD,
        True,
    )
    assert settings.tolerated == {"NO_QUOTES"}
    assert settings.version == "90"
    assert settings.timing == Timing(answer_s=0, idle_s=40)
    assert (settings.limits.connections, settings.limits.breach) == (None, Breach.FREQUENCY)
    assert (settings.variants.later_events, settings.variants.oauth_errors) == (Echo.EMPTY, OAuthErrors.BAD_REQUEST)
    assert settings.tokens.old_access is OldAccess.ALIVE
    exchange = settings.exchange
    assert [symbol.name for symbol in exchange.symbols] == ["EURUSD", "USDJPY"]
    first, second = exchange.accounts
    assert (first.account_id, first.trader_login, first.account_type) == (7, 2_000_007, oa.ProtoOAAccountType.NETTED)
    assert first.margin_calls == (90.0, 70.0, 50.0)
    assert (second.trader_login, second.access_rights) == (9, oa.ProtoOAAccessRights.NO_TRADING)
    assert second.max_positions == 3
    assert exchange.variants.not_enough_money is Carrier.REJECTED
    assert (exchange.variants.longest_bars, exchange.variants.extra_field) == (LongestBars.NONE, False)
    assert exchange.delays.fill_ms == 10
    assert [(step.do, step.at_s, step.after) for step in settings.steps] == [
        ("drop_clients", 5.0, ""),
        ("late", 0.0, "ProtoOANewOrderReq"),
    ]


def test_json_says_the_same_as_toml(tmp_path: Path) -> None:
    table = {"seed": "x", "limits": {"window_s": 2}, "step": [{"do": "silence", "at_s": 1}]}
    path = written(tmp_path, json.dumps(table), "scenario.json")
    settings = load_scenario(path)
    assert (settings.seed, settings.limits.window_s) == ("x", 2.0)
    assert settings.steps == (Step("silence", at_s=1.0),)


@pytest.mark.anyio
async def test_a_server_is_what_its_scenario_says() -> None:
    table: dict[str, Any] = {
        "timing": {"answer_s": 0},
        "exchange": {
            "symbols": ["EURUSD"],
            "accounts": [{"account_id": 7, "account_type": "netted", "balance": 4_200}],
        },
        "step": [{"do": "maintenance", "after": "ProtoOATraderReq", "count": 2}],
    }
    async with FakeServer(read_scenario(table)) as server, connected(server) as client:
        await client.authorise(server)
        trader = (await client.ask(oa.ProtoOATraderReq(ctidTraderAccountId=7))).trader
        assert (trader.balance, trader.accountType) == (4_200, oa.ProtoOAAccountType.NETTED)
        refused = await client.ask(oa.ProtoOATraderReq(ctidTraderAccountId=7))
        assert refused.errorCode == "SERVER_IS_UNDER_MAINTENANCE"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed = ", "scenario.toml: "),
        ("colour = 1", "colour: there is no such setting"),
        ("[limits]\nnothing = 1", "limits.nothing: there is no such setting"),
        ("limits = 1", "limits: a table is due"),
        ("host = 'moon'", "host: 'moon' is none of demo, live"),
        ("strict = 1", "strict: 1 is no bool"),
        ("observations = true", "observations: True is no int"),
        ("observations = 'none'", "observations: 'none' is no int"),
        ("[timing]\nidle_s = -1", "timing: idle_s is -1"),
        ("[limits]\nframe_bytes = -1", "limits: frame_bytes is -1; 1 or more is allowed"),
        ("[limits]\nhistorical_per_window = -1", "limits: historical_per_window is -1; 1 or more"),
        ("[limits]\nwindow_s = nan", "limits: window_s is nan; 0.001 or more"),
        ("[exchange.delays]\nfill_ms = -5", r"exchange\.delays: fill_ms is -5; 0 or more"),
        ("[exchange.liquidity]\npart_cents = 0", r"exchange\.liquidity: part_cents is 0; 1 or more"),
        ("[exchange.variants]\nbar_page = 0", r"exchange\.variants: bar_page is 0; 1 or more"),
        ("[exchange.market]\nhistory_days = -1", r"exchange\.market: history_days is -1; 0 or more"),
        ("port = 99999", "port is 99999; 0 to 65535 is allowed"),
        ("observations = 0", "observations is 0; 1 or more"),
        (
            "[exchange]\naccounts = [{account_id = 1, deposit_asset = 'ZZZ'}]",
            "deposit_asset of account 1 is 'ZZZ'; BTC",
        ),
        ("[timing]\nidle_s = 'long'", "timing.idle_s: 'long' is no float"),
        ("log = 'x'", "log: this is not set by a table"),
        ("tolerated = 'x'", "tolerated: a list is due"),
        ("[exchange]\nsymbols = ['XYZ']", "'XYZ' is none of EURUSD"),
        ("[exchange]\naccounts = [{balance = 1}]", r"accounts\[0\]: a table with an account_id"),
        ("[exchange]\naccounts = [{account_id = 1, account_type = 'flat'}]", "'flat' is none of hedged, netted"),
        ("[exchange]\naccounts = [{account_id = 1}, {account_id = 1}]", "two accounts have the same account_id"),
        ("step = 1", "step: a list of tables is due"),
        ("[[step]]\nat_s = 1", "a step needs something to do"),
        ("[[step]]\ndo = 'dance'", "nothing is called 'dance'"),
        ("[[step]]\ndo = 'drop_after'\nnth = 'third'", "drop_after: nth is 'third'; a whole number is due"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_with_the_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        load_scenario(written(tmp_path, text))


def test_json_that_is_no_table_is_refused(tmp_path: Path) -> None:
    for text in ("[]", "{"):
        with pytest.raises(ScenarioError, match=r"s\.json"):
            load_scenario(written(tmp_path, text, "s.json"))


def test_the_scenario_of_the_guide_is_one(tmp_path: Path) -> None:
    (text,) = re.findall(r"^```toml\n(.*?)^```", (ROOT / "docs/fake.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    settings = load_scenario(written(tmp_path, text))
    assert len(settings.steps) >= 4
