"""`load_settings`: which key wins, what is absent, what is refused, and that no value is ever told."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import traceback
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from anyctrader.session.bounds import AllowedSymbols, LargestOrder, Limits, NoLimit, Percent
from anyctrader.session.environments import Endpoint, Environment, Mode
from anyctrader.session.errors import SettingsError
from anyctrader.session.keys import ENVIRONMENT_KEYS, known_names
from anyctrader.session.loading import load_settings
from anyctrader.session.proxies import Proxy
from anyctrader.session.secret import Secret
from anyctrader.session.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

DEMO, LIVE = Environment.DEMO, Environment.LIVE


@pytest.fixture(autouse=True)
def _no_env_file_of_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def explicit(environment: Environment, **changes: str | None) -> dict[str, str]:
    """What an environment needs; a change of None leaves its key out."""
    name = environment.value.upper()
    given: dict[str, str | None] = {
        "APPLICATION_ID": f"id-{name}",
        "APPLICATION_SECRET": f"secret-{name}",
        "ACCESS_TOKEN": f"access-{name}",
        "ACCOUNT_ID": "11" if environment is DEMO else "22",
    }
    return {f"CTRADER_{name}_{key}": text for key, text in (given | changes).items() if text is not None}


OLD = {
    "USERNAME_CTRADER": "old-name",
    "PASSWORD_CTRADER": "old-password",
    "APPLICATION_NAME_CTRADER": "old-id",
    "CTRADER_APPLICATION_SECRET": "old-secret",
    "CTRADER_ACCOUNT_ID": "77",
    "CTRADER_DEMO_ACCESS_TOKEN": "access-DEMO",
}


def problems(environ: Mapping[str, str], env_file: Path | None = None) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load_settings(env_file, environ=environ)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return caught.value.problems


def keys_of(told: tuple[str, ...]) -> list[str]:
    return [problem.split()[0] for problem in told]


# ---- what is there, and what is absent


def test_demo_alone_is_loaded_with_all_defaults() -> None:
    loaded = load_settings(environ=explicit(DEMO))
    assert list(loaded.environments) == [DEMO]
    demo = loaded.environments[DEMO]
    assert demo.credentials.environment is DEMO
    assert demo.credentials.client_id == "id-DEMO"
    assert demo.credentials.client_secret == Secret("secret-DEMO")
    assert demo.credentials.access_token == Secret("access-DEMO")
    assert demo.credentials.refresh_token is None
    assert demo.credentials.account_id == 11
    assert demo.endpoint == Endpoint("demo.ctraderapi.com", 5035)
    assert demo.mode is Mode.ON
    assert demo.limits.largest_order_lots is LargestOrder.UNLIMITED
    assert loaded.log_folder == Path("logs/ctrader")
    assert loaded.warnings == ()
    assert loaded.urls == {}


def test_live_alone_is_loaded_read_only_and_with_the_smallest_order() -> None:
    loaded = load_settings(environ=explicit(LIVE))
    assert list(loaded.environments) == [LIVE]
    live = loaded.environments[LIVE]
    assert live.mode is Mode.OFF
    assert live.endpoint == Endpoint("live.ctraderapi.com", 5035)
    assert live.limits.largest_order_lots is LargestOrder.SMALLEST


def test_both_are_loaded_side_by_side() -> None:
    loaded = load_settings(environ=explicit(DEMO) | explicit(LIVE))
    assert set(loaded.environments) == {DEMO, LIVE}
    assert loaded.environments[DEMO].credentials.client_id == "id-DEMO"
    assert loaded.environments[LIVE].credentials.client_id == "id-LIVE"


def test_nothing_at_all_is_an_error_that_says_where_to_begin() -> None:
    [problem] = problems({})
    assert problem.startswith("nothing is set: copy .env.example to .env")


def test_keys_of_other_programs_are_none_of_ours() -> None:
    [problem] = problems({"PATH": "/bin", "DEMO_ACCESS_TOKEN": "x", "MY_CTRADER": "y"})
    assert problem.startswith("nothing is set")


def test_a_flag_that_keeps_live_off_does_not_ask_for_live() -> None:
    loaded = load_settings(environ=explicit(DEMO) | {"CTRADER_LIVE_ENABLED": "false"})
    assert list(loaded.environments) == [DEMO]


def test_a_flag_that_turns_live_on_asks_for_live() -> None:
    told = problems(explicit(DEMO) | {"CTRADER_LIVE_ENABLED": "true"})
    assert keys_of(told) == [
        "CTRADER_LIVE_APPLICATION_ID",
        "CTRADER_LIVE_APPLICATION_SECRET",
        "CTRADER_LIVE_ACCESS_TOKEN",
        "CTRADER_LIVE_ACCOUNT_ID",
    ]


@pytest.mark.parametrize("environment", list(Environment))
def test_an_environment_that_is_there_in_part_is_told_each_missing_key_and_what_to_do(
    environment: Environment,
) -> None:
    prefix = f"CTRADER_{environment.value.upper()}_"
    told = problems({f"{prefix}HEARTBEAT_S": "5"})
    assert keys_of(told) == [
        f"{prefix}APPLICATION_ID",
        f"{prefix}APPLICATION_SECRET",
        f"{prefix}ACCESS_TOKEN",
        f"{prefix}ACCOUNT_ID",
    ]
    for problem in told:
        assert " is missing: " in problem
        assert environment.value in problem
        assert environment.other.value not in problem
    assert "Get token" in told[2]
    assert "ctidTraderAccountId" in told[3]


def test_an_empty_key_counts_as_not_given() -> None:
    loaded = load_settings(environ=explicit(DEMO, PORT="", CODEC="", REFRESH_TOKEN="") | {"CTRADER_LOG_FOLDER": ""})
    assert loaded.environments[DEMO].endpoint.port == 5035
    assert loaded.log_folder == Path("logs/ctrader")
    assert keys_of(problems(explicit(DEMO, ACCESS_TOKEN=""))) == ["CTRADER_DEMO_ACCESS_TOKEN"]
    empty = {name: "" for name in known_names() if name != "CTRADER_LIVE_ENABLED"}
    assert problems(empty)[0].startswith("nothing is set")


# ---- every setting arrives


def test_every_setting_can_be_set(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    more = {
        "USERNAME": "name",
        "PASSWORD": "pass word",
        "REFRESH_TOKEN": "refresh",
        "CODEC": "json",
        "HOST": "localhost",
        "PORT": "40000",
        "CA_FILE": "ca.pem",
        "DELIMITING": "newline",
        "TRANSPORT": "tcp",
        "PROXY": "http://me:word@proxy.example:3128",
        "HEARTBEAT_S": "0.5",
        "WATCHDOG_S": "3",
        "CONNECT_S": "1.5",
        "REQUEST_S": "4",
        "ORDER_QUEUE_S": "0.25",
        "FILL_S": "7",
        "PROTECTION_S": "3",
        "ABSENT_S": "45",
        "ABSENT_LOOKS": "5",
        "SNAPSHOT_AT": "21:30",
        "WRITE_S": "6",
        "RECONNECT_FIRST_S": "0.1",
        "RECONNECT_MOST_S": "20",
        "RECONNECT_STEADY_S": "30",
        "REFRESH_AHEAD_S": "7200",
        "REDIRECT_URI": "http://127.0.0.1:9000/back",
        "ORDINARY_PER_S": "40",
        "HISTORICAL_PER_S": "4",
        "ALLOWED_SYMBOLS": "EURUSD, XAUUSD",
        "LARGEST_ORDER_LOTS": "0.30",
        "MOST_POSITIONS": "7",
        "MOST_EXPOSURE_LOTS": "0.9",
        "ORDERS_PER_MINUTE": "12",
        "PRICE_COLLAR_PERCENT": "0.5",
        "QUOTE_AGE_S": "4",
        "LOSS_OF_DAY": "2.5%",
        "LOSS_CHECK_S": "1",
        "DAY_START_HOUR": "21",
        "ENABLED": "true",
    }
    environ = explicit(LIVE, **more) | {"CTRADER_LOG_FOLDER": "elsewhere", "CTRADER_TOKEN_FOLDER": "kept"}
    every = {key.name(LIVE) for key in ENVIRONMENT_KEYS}
    assert every <= environ.keys(), "a new key belongs into this test"

    loaded = load_settings(environ=environ)
    live = loaded.environments[LIVE]
    assert (live.user_name, live.password) == (Secret("name"), Secret("pass word"))
    assert live.credentials.refresh_token == Secret("refresh")
    assert live.codec == "json"
    assert live.endpoint == Endpoint(
        "localhost",
        40_000,
        Path("ca.pem"),
        "newline",
        proxy=Proxy("proxy.example", 3128, Secret("me:word")),
    )
    assert (live.timings.heartbeat_s, live.timings.watchdog_s, live.timings.connect_s) == (0.5, 3, 1.5)
    assert (live.timings.request_s, live.timings.order_queue_s, live.timings.write_s) == (4, 0.25, 6)
    assert (live.timings.fill_s, live.timings.protection_s) == (7, 3)
    assert (live.timings.absent_s, live.timings.absent_looks, live.timings.snapshot_at) == (45, 5, time(21, 30))
    assert (live.timings.reconnect_first_s, live.timings.reconnect_most_s) == (0.1, 20)
    assert (live.timings.reconnect_steady_s, live.timings.refresh_ahead_s) == (30, 7200)
    assert live.redirect_uri == "http://127.0.0.1:9000/back"
    assert loaded.token_folder == Path("kept")
    assert (live.rates.ordinary_per_s, live.rates.historical_per_s) == (40, 4)
    assert live.limits == Limits(
        allowed_symbols=("EURUSD", "XAUUSD"),
        largest_order_lots=Decimal("0.30"),
        most_positions=7,
        most_exposure_lots=Decimal("0.9"),
        orders_per_minute=12,
        price_collar_percent=Decimal("0.5"),
        quote_age_s=4,
        loss_of_day=Percent(Decimal("2.5")),
        loss_check_s=1,
        day_start_hour=21,
    )
    assert (live.live_enabled, live.mode) == (True, Mode.ON)
    assert loaded.log_folder == Path("elsewhere")


def test_the_port_follows_the_codec() -> None:
    assert load_settings(environ=explicit(DEMO, CODEC="json")).environments[DEMO].endpoint.port == 5036


def test_the_keys_of_one_environment_do_not_reach_the_other() -> None:
    environ = explicit(DEMO, HEARTBEAT_S="3", CODEC="json") | explicit(LIVE, LARGEST_ORDER_LOTS="2")
    loaded = load_settings(environ=environ)
    assert loaded.environments[LIVE].timings.heartbeat_s == 8
    assert loaded.environments[LIVE].codec == "protobuf"
    assert loaded.environments[DEMO].limits.largest_order_lots is LargestOrder.UNLIMITED


# ---- old keys


def test_the_old_keys_of_demo_still_work() -> None:
    demo = load_settings(environ=OLD).environments[DEMO]
    assert demo.user_name == Secret("old-name")
    assert demo.password == Secret("old-password")
    assert demo.credentials.client_id == "old-id"
    assert demo.credentials.client_secret == Secret("old-secret")
    assert demo.credentials.account_id == 77


@pytest.mark.parametrize(
    ("given", "used"),
    [
        (("USERNAME_CTRADER", "CTRADER_USERNAME", "EMAIL_CTRADER", "CTRADER_EMAIL"), "USERNAME_CTRADER"),
        (("CTRADER_USERNAME", "EMAIL_CTRADER", "CTRADER_EMAIL"), "CTRADER_USERNAME"),
        (("EMAIL_CTRADER", "CTRADER_EMAIL"), "EMAIL_CTRADER"),
        (("CTRADER_EMAIL",), "CTRADER_EMAIL"),
    ],
)
def test_the_user_name_is_looked_for_in_the_stated_order(given: tuple[str, ...], used: str) -> None:
    environ = explicit(DEMO) | {name: f"value of {name}" for name in given}
    assert load_settings(environ=environ).environments[DEMO].user_name == Secret(f"value of {used}")


def test_the_password_is_looked_for_in_the_stated_order() -> None:
    environ = explicit(DEMO) | {"CTRADER_PASSWORD": "second"}
    assert load_settings(environ=environ).environments[DEMO].password == Secret("second")
    environ["PASSWORD_CTRADER"] = "first"
    assert load_settings(environ=environ).environments[DEMO].password == Secret("first")


def test_the_first_application_key_is_used_and_a_warning_names_it_where_they_differ() -> None:
    loaded = load_settings(environ=OLD | {"CTRADER_APPLICATION_ID": "second-id"})
    assert loaded.environments[DEMO].credentials.client_id == "old-id"
    [warning] = loaded.warnings
    assert warning.startswith("CTRADER_APPLICATION_ID is ignored: APPLICATION_NAME_CTRADER differs")
    assert "old-id" not in warning
    assert "second-id" not in warning


def test_keys_that_agree_are_no_reason_to_warn() -> None:
    loaded = load_settings(environ=OLD | {"CTRADER_APPLICATION_ID": "old-id", "CTRADER_USERNAME": "old-name"})
    assert loaded.warnings == ()


def test_the_second_application_key_is_used_where_the_first_is_not_there() -> None:
    environ = {name: text for name, text in OLD.items() if name != "APPLICATION_NAME_CTRADER"}
    loaded = load_settings(environ=environ | {"CTRADER_APPLICATION_ID": "second-id"})
    assert loaded.environments[DEMO].credentials.client_id == "second-id"
    assert loaded.warnings == ()


def test_a_name_beside_an_e_mail_address_is_no_contradiction() -> None:
    loaded = load_settings(environ=OLD | {"CTRADER_EMAIL": "me@example.com"})
    assert loaded.environments[DEMO].user_name == Secret("old-name")
    assert loaded.warnings == ()


def test_the_explicit_key_wins_over_the_old_one_with_a_warning_that_names_it() -> None:
    loaded = load_settings(environ=OLD | explicit(DEMO))
    demo = loaded.environments[DEMO]
    assert demo.credentials.client_id == "id-DEMO"
    assert demo.credentials.account_id == 11
    assert [warning.split(" differs")[0] for warning in loaded.warnings] == [
        "APPLICATION_NAME_CTRADER is ignored: CTRADER_DEMO_APPLICATION_ID",
        "CTRADER_APPLICATION_SECRET is ignored: CTRADER_DEMO_APPLICATION_SECRET",
        "CTRADER_ACCOUNT_ID is ignored: CTRADER_DEMO_ACCOUNT_ID",
    ]


def test_the_explicit_key_wins_wherever_each_was_found(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CTRADER_DEMO_APPLICATION_ID=explicit-in-file\n")
    assert load_settings(environ=OLD).environments[DEMO].credentials.client_id == "explicit-in-file"


def test_an_old_key_that_is_ignored_cannot_be_wrong() -> None:
    loaded = load_settings(environ=explicit(DEMO) | {"CTRADER_ACCOUNT_ID": "not a number"})
    assert loaded.environments[DEMO].credentials.account_id == 11


def test_a_problem_of_an_old_key_is_told_under_its_own_name() -> None:
    told = problems(OLD | {"CTRADER_ACCOUNT_ID": "12.0"})
    assert keys_of(told) == ["CTRADER_ACCOUNT_ID"]
    assert "must be a whole number" in told[0]


def test_old_keys_without_a_token_are_told_how_to_get_one() -> None:
    environ = {name: text for name, text in OLD.items() if name != "CTRADER_DEMO_ACCESS_TOKEN"}
    [problem] = problems(environ)
    assert problem.startswith("CTRADER_DEMO_ACCESS_TOKEN is missing: ")
    assert "Get token" in problem


@pytest.mark.parametrize("missing", ["APPLICATION_ID", "APPLICATION_SECRET", "ACCOUNT_ID", "ACCESS_TOKEN"])
def test_live_never_falls_back_to_a_key_of_demo_or_to_an_old_one(missing: str) -> None:
    live = explicit(LIVE, **{missing: None})
    told = problems(explicit(DEMO) | OLD | live)
    assert keys_of(told) == [f"CTRADER_LIVE_{missing}"]


def test_live_takes_no_user_name_and_no_password_from_an_old_key() -> None:
    live = load_settings(environ=OLD | explicit(LIVE)).environments[LIVE]
    assert (live.user_name, live.password) == (None, None)


def test_the_old_addresses_are_kept_and_choose_no_host() -> None:
    urls = {
        f"CTRADER_URL{end}": f"https://live.ctraderapi.com/{end}"
        for end in ("", "_LOGIN", "_LOGOUT", "_REFRESH", "_VERIFY")
    }
    loaded = load_settings(environ=explicit(DEMO) | urls)
    assert loaded.urls == urls
    assert loaded.environments[DEMO].endpoint.host == "demo.ctraderapi.com"
    assert "https" not in repr(loaded)


def test_the_old_addresses_alone_make_no_environment() -> None:
    assert problems({"CTRADER_URL": "https://example.com"})[0].startswith("nothing is set")


# ---- what is malformed


@pytest.mark.parametrize("text", ["True", "TRUE", "1", "yes", "on", "0", "no", " true", "true ", "", "truefalse"])
def test_live_is_enabled_by_exactly_true_and_by_nothing_like_it(text: str) -> None:
    told = problems(explicit(LIVE, ENABLED=text))
    assert told == ("CTRADER_LIVE_ENABLED must be exactly true or false",)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("ACCOUNT_ID", "planted"),
        ("ACCOUNT_ID", "12.0"),
        ("ACCOUNT_ID", "1_000"),
        ("ACCOUNT_ID", "-3"),
        ("CODEC", "JSON"),
        ("HOST", "https://demo.ctraderapi.com"),
        ("PORT", "70000"),
        ("CA_FILE", "planted.pem"),
        ("CA_FILE", "x" * 5000),
        ("HEARTBEAT_S", "10"),
        ("HEARTBEAT_S", "nan"),
        ("WATCHDOG_S", "planted"),
        ("ORDINARY_PER_S", "0"),
        ("LARGEST_ORDER_LOTS", "NaN"),
        ("LARGEST_ORDER_LOTS", "Infinity"),
        ("LARGEST_ORDER_LOTS", "1e3"),
        ("ALLOWED_SYMBOLS", "planted,,EURUSD"),
        ("MOST_POSITIONS", "0"),
        ("MOST_POSITIONS", "1.5"),
        ("MOST_EXPOSURE_LOTS", "-1"),
        ("ORDERS_PER_MINUTE", "planted"),
        ("PRICE_COLLAR_PERCENT", "0.5%"),
        ("LOSS_OF_DAY", "101%"),
        ("LOSS_OF_DAY", "0"),
        ("LOSS_OF_DAY", "%"),
        ("DAY_START_HOUR", "24"),
        ("APPLICATION_ID", " planted"),
        ("ACCESS_TOKEN", "planted\n"),
        ("APPLICATION_SECRET", "\udcff"),
    ],
)
@pytest.mark.parametrize("environment", list(Environment))
def test_what_is_malformed_is_told_by_key(environment: Environment, key: str, text: str) -> None:
    [problem] = problems(explicit(environment, **{key: text}))
    assert problem.startswith(f"CTRADER_{environment.value.upper()}_{key} must be ")
    assert "planted" not in problem


def test_everything_that_is_wrong_is_told_at_once() -> None:
    environ = {
        "CTRADER_DEMO_APPLICATION_ID": "one-for-both",
        "CTRADER_DEMO_HOST": "live-eu-1.ctraderapi.com",
        "CTRADER_DEMO_PORT": "5036",
        "CTRADER_DEMO_HEARTBEAT_S": "9",
        "CTRADER_DEMO_WATCHDOG_S": "5",
        "CTRADER_DEMO_HEARTBEET": "1",
        "CTRADER_LIVE_APPLICATION_ID": "one-for-both",
        "CTRADER_LIVE_ENABLED": "yes",
        "CTRADER_LIVE_CODEC": "xml",
        "CTRADER_LIVE_PORT": "5036",
        "CTRADER_LIVE_HOST": "demo.ctraderapi.com",
        "CTRADER_LIVE_CA_FILE": "missing.pem",
        "CTRADER_LIVE_LARGEST_ORDER_LOTS": "unlimited",
        "CTRADER_LOG_FOLDER": " ",
    }
    told = problems(environ)
    assert sorted(keys_of(told)) == sorted(
        [
            "CTRADER_DEMO_HEARTBEET",
            "CTRADER_LOG_FOLDER",
            "CTRADER_DEMO_APPLICATION_SECRET",
            "CTRADER_DEMO_ACCESS_TOKEN",
            "CTRADER_DEMO_ACCOUNT_ID",
            "CTRADER_DEMO_HOST",
            "CTRADER_DEMO_PORT",
            "CTRADER_DEMO_WATCHDOG_S",
            "CTRADER_LIVE_APPLICATION_SECRET",
            "CTRADER_LIVE_ACCESS_TOKEN",
            "CTRADER_LIVE_ACCOUNT_ID",
            "CTRADER_LIVE_ENABLED",
            "CTRADER_LIVE_CODEC",
            "CTRADER_LIVE_HOST",
            "CTRADER_LIVE_CA_FILE",
            "CTRADER_LIVE_LARGEST_ORDER_LOTS",
            "CTRADER_LIVE_APPLICATION_ID",
        ]
    )
    assert "CTRADER_DEMO_WATCHDOG_S must be longer than CTRADER_DEMO_HEARTBEAT_S" in told


def test_live_cannot_be_unlimited() -> None:
    [problem] = problems(explicit(LIVE, LARGEST_ORDER_LOTS="unlimited"))
    assert problem.startswith("CTRADER_LIVE_LARGEST_ORDER_LOTS must not be unlimited on live")
    [problem] = problems(explicit(LIVE, LOSS_OF_DAY="unlimited"))
    assert problem.startswith("CTRADER_LIVE_LOSS_OF_DAY must not be unlimited on live")


def test_what_is_not_limited_can_be_said_so() -> None:
    keys = ("MOST_POSITIONS", "MOST_EXPOSURE_LOTS", "ORDERS_PER_MINUTE", "PRICE_COLLAR_PERCENT", "LOSS_OF_DAY")
    words = dict.fromkeys(keys, "unlimited")
    limits = load_settings(environ=explicit(DEMO, ALLOWED_SYMBOLS="all", **words)).environments[DEMO].limits
    assert limits == Limits.standard(DEMO)
    assert (limits.allowed_symbols, limits.loss_of_day) == (AllowedSymbols.ALL, NoLimit.UNLIMITED)
    assert load_settings(environ=explicit(DEMO, LOSS_OF_DAY="250.5")).environments[DEMO].limits.loss_of_day == Decimal(
        "250.5"
    )


@pytest.mark.parametrize("environment", list(Environment))
@pytest.mark.parametrize("codec", ["protobuf", "json"])
def test_the_published_host_of_the_other_environment_is_refused(environment: Environment, codec: str) -> None:
    [problem] = problems(explicit(environment, HOST=environment.other.host, CODEC=codec))
    assert problem.startswith(f"CTRADER_{environment.value.upper()}_HOST is a host of {environment.other.value}")


@pytest.mark.parametrize(("codec", "port"), [("protobuf", "5036"), ("json", "5035")])
def test_a_codec_on_the_port_of_the_other_is_refused(codec: str, port: str) -> None:
    [problem] = problems(explicit(DEMO, CODEC=codec, PORT=port, HOST="127.0.0.1"))
    assert problem.startswith("CTRADER_DEMO_PORT is the standard one of the other codec")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("APPLICATION_ID", "APPLICATION_ID"),
        ("APPLICATION_SECRET", "APPLICATION_SECRET"),
        ("ACCESS_TOKEN", "ACCESS_TOKEN"),
        ("REFRESH_TOKEN", "REFRESH_TOKEN"),
        ("ACCESS_TOKEN", "REFRESH_TOKEN"),
        ("REFRESH_TOKEN", "ACCESS_TOKEN"),
        ("ACCOUNT_ID", "ACCOUNT_ID"),
    ],
)
def test_what_belongs_to_one_environment_is_refused_in_both(theirs: str, ours: str) -> None:
    [problem] = problems(explicit(DEMO, **{theirs: "918273"}) | explicit(LIVE, **{ours: "918273"}))
    assert problem.startswith(f"CTRADER_LIVE_{ours} holds the same as CTRADER_DEMO_{theirs}: ")
    assert "918273" not in problem


def test_what_an_old_key_gave_to_demo_is_refused_on_live_too() -> None:
    told = problems(OLD | explicit(LIVE, APPLICATION_SECRET="old-secret", ACCOUNT_ID="0077"))
    assert [problem.split(":")[0] for problem in told] == [
        "CTRADER_LIVE_APPLICATION_SECRET holds the same as CTRADER_APPLICATION_SECRET",
        "CTRADER_LIVE_ACCOUNT_ID holds the same as CTRADER_ACCOUNT_ID",
    ]


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("CTRADER_LIVE_LARGEST_ORDR_LOTS", "is not a setting; is CTRADER_LIVE_LARGEST_ORDER_LOTS meant?"),
        ("ctrader_live_enabled", "is not a setting; is CTRADER_LIVE_ENABLED meant?"),
        ("CTRADER_DEMO_ACCOUNT", "is not a setting; is CTRADER_DEMO_ACCOUNT_ID meant?"),
        ("CTRADER_LIVE_QQQQ", "is not a setting (docs/settings.md)"),
    ],
)
def test_an_unknown_key_of_an_environment_is_an_error_with_the_nearest_key(name: str, rest: str) -> None:
    assert problems(explicit(DEMO) | {name: "planted"}) == (f"{name} {rest}",)


def test_any_other_unknown_key_is_a_remark() -> None:
    loaded = load_settings(environ=explicit(DEMO) | {"CTRADER_ACCESS_TOKEN": "planted"})
    [warning] = loaded.warnings
    assert warning.startswith("CTRADER_ACCESS_TOKEN is not a setting")
    assert "planted" not in warning


def test_an_unknown_key_cannot_write_to_a_terminal() -> None:
    [problem] = problems(explicit(DEMO) | {"CTRADER_DEMO_\x1b[31m\n" + "x" * 200: ""})
    assert problem.isprintable()
    assert len(problem) < 150


def test_a_value_that_is_not_text_is_refused() -> None:
    environ: dict[str, Any] = explicit(DEMO) | {"CTRADER_DEMO_PORT": 918273, "CTRADER_DEMO_CODEC": ["json"]}
    assert problems(environ) == ("CTRADER_DEMO_CODEC must be text", "CTRADER_DEMO_PORT must be text")


# ---- the file


def env_file(folder: Path, *lines: str, name: str = ".env") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def lines(values: Mapping[str, str]) -> list[str]:
    return [f"{name}={text}" for name, text in values.items()]


def test_the_file_of_the_working_folder_is_read(tmp_path: Path) -> None:
    env_file(tmp_path, *lines(explicit(DEMO)))
    assert load_settings(environ={}).environments[DEMO].credentials.client_id == "id-DEMO"


def test_a_named_file_is_read_in_place_of_it(tmp_path: Path) -> None:
    env_file(tmp_path, *lines(explicit(DEMO)))
    named = env_file(tmp_path, *lines(explicit(LIVE)), name="live.env")
    assert list(load_settings(named, environ={}).environments) == [LIVE]
    assert list(load_settings("live.env", environ={}).environments) == [LIVE]


def test_a_named_file_must_exist() -> None:
    told = problems(explicit(DEMO), Path("missing.env"))
    assert told == ("the settings file missing.env does not exist",)


@pytest.mark.parametrize("name", ["", "folder", "a\0b", "x" * 5000])
def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    [problem] = problems(explicit(DEMO), Path(name))
    assert problem.startswith("the settings file ")
    assert "cannot be read" in problem


def test_the_file_of_the_working_folder_must_be_readable_if_it_is_there(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    [problem] = problems(explicit(DEMO))
    assert problem.startswith("the settings file .env cannot be read")


def test_a_file_that_is_not_utf_8_is_an_error_that_shows_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"CTRADER_DEMO_PASSWORD=planted\xff\n")
    assert problems(explicit(DEMO)) == ("the settings file .env is not UTF-8 text",)


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines(explicit(DEMO))).encode())
    assert load_settings(environ={}).environments[DEMO].credentials.client_id == "id-DEMO"


def test_the_process_environment_wins_over_the_file(tmp_path: Path) -> None:
    env_file(tmp_path, *lines(explicit(DEMO, CODEC="json")), "CTRADER_LOG_FOLDER=from-file")
    loaded = load_settings(environ={"CTRADER_DEMO_APPLICATION_ID": "from-process"})
    assert loaded.environments[DEMO].credentials.client_id == "from-process"
    assert loaded.environments[DEMO].codec == "json"
    assert loaded.log_folder == Path("from-file")


def test_an_empty_key_of_the_process_hides_the_line_of_the_file(tmp_path: Path) -> None:
    env_file(tmp_path, *lines(explicit(DEMO, CODEC="json")))
    assert load_settings(environ={"CTRADER_DEMO_CODEC": ""}).environments[DEMO].codec == "protobuf"


def test_the_process_environment_is_read_where_no_other_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if "CTRADER" in name.upper():
            monkeypatch.delenv(name)
    for name, text in explicit(LIVE).items():
        monkeypatch.setenv(name, text)
    assert list(load_settings().environments) == [LIVE]


def test_a_given_environment_replaces_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in explicit(LIVE).items():
        monkeypatch.setenv(name, text)
    assert list(load_settings(environ=explicit(DEMO)).environments) == [DEMO]


def test_values_of_the_file_are_taken_as_they_stand(tmp_path: Path) -> None:
    env_file(
        tmp_path,
        *lines(explicit(DEMO)),
        "CTRADER_DEMO_PASSWORD='a${HOME}b #c'  # a remark",
        "export CTRADER_DEMO_USERNAME=me@example.com # a remark",
    )
    demo = load_settings(environ={}).environments[DEMO]
    assert demo.password == Secret("a${HOME}b #c")
    assert demo.user_name == Secret("me@example.com")


@pytest.mark.parametrize(
    "line",
    ["CTRADER_LIVE_ENABLED true", "CTRADER_LIVE_ENABLED", "CTRADER_DEMO_PASSWORD='planted", "'CTRADER_X=planted"],
)
def test_a_line_of_ours_that_cannot_be_read_is_an_error_that_names_its_number(
    tmp_path: Path, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    env_file(tmp_path, "# a remark", "", "", line)
    with caplog.at_level(logging.DEBUG):
        told = problems(explicit(DEMO))
    assert told == ("line 4 of .env is not of the form KEY=value",)
    assert caplog.records == []


def test_a_line_of_another_program_that_cannot_be_read_is_a_remark(tmp_path: Path) -> None:
    env_file(tmp_path, "SOMETHING planted", *lines(explicit(DEMO)))
    assert load_settings(environ={}).warnings == ("line 1 of .env is not of the form KEY=value and was skipped",)


def test_a_key_that_is_twice_in_the_file_is_an_error(tmp_path: Path) -> None:
    env_file(
        tmp_path, *lines(explicit(DEMO)), "CTRADER_DEMO_CODEC=json", "", "CTRADER_DEMO_CODEC=protobuf", "A=1", "A=2"
    )
    assert problems({}) == ("CTRADER_DEMO_CODEC is twice in .env, on lines 5 and 7: keep one",)


def test_an_unknown_key_in_the_file_is_an_error_too(tmp_path: Path) -> None:
    env_file(tmp_path, *lines(explicit(DEMO)), "CTRADER_LIVE_ENABLE=true")
    assert problems({}) == ("CTRADER_LIVE_ENABLE is not a setting; is CTRADER_LIVE_ENABLED meant?",)


def test_the_example_file_is_understood_and_sets_nothing() -> None:
    example_file = Path(__file__).parents[2] / ".env.example"
    [problem] = problems({}, example_file)
    assert problem.startswith("nothing is set")


def test_the_example_file_filled_in_is_taken_and_its_remarks_are_the_defaults(tmp_path: Path) -> None:
    example_file = Path(__file__).parents[2] / ".env.example"
    wanted = load_settings(environ=explicit(DEMO) | explicit(LIVE))
    # Every line that is a remark is made a setting, as somebody would who wants them all before their eyes.
    text = example_file.read_text(encoding="utf-8").replace("# CTRADER_", "CTRADER_")
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    loaded = load_settings(environ=explicit(DEMO) | explicit(LIVE))
    assert loaded.environments == wanted.environments
    assert loaded.log_folder == wanted.log_folder


# ---- no value is ever told

PLANTED = "pl4nt3d"


def everything_about(error: BaseException) -> str:
    """All that a log, a terminal or a crash reporter could show, variables of the frames included."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    parts = ["".join(shown.format()), str(error), repr(error), repr(error.args), repr(vars(error))]
    for chained in (error.__cause__, error.__context__):
        parts.append(repr(chained))
    return "\n".join(parts)


def outcome(environ: Mapping[str, str], path: Path | None = None) -> Settings | SettingsError:
    """The settings, or the error."""
    try:
        return load_settings(path, environ=environ)
    except SettingsError as error:
        return error


def error_of(environ: dict[str, str], path: Path | None = None) -> SettingsError:
    """The error of loading; the mapping is emptied, since the frames of this test hold it too."""
    error = outcome(environ, path)
    environ.clear()
    assert isinstance(error, SettingsError)
    assert error.__cause__ is None
    assert error.__context__ is None
    return error


@pytest.mark.parametrize("environment", list(Environment))
@pytest.mark.parametrize("key", ENVIRONMENT_KEYS, ids=lambda key: key.field)
@pytest.mark.parametrize("text", [f" {PLANTED}\n", f"{PLANTED}://x", f"{PLANTED}\udcff"])
def test_no_planted_value_is_anywhere_in_the_error(environment: Environment, key: Any, text: str) -> None:
    environ = explicit(environment, ACCESS_TOKEN=f"{PLANTED}-token", APPLICATION_SECRET=f"{PLANTED}-secret")
    environ[key.name(environment)] = text
    environ["CTRADER_DEMO_NO_SUCH_KEY"] = f"{PLANTED}-unknown"
    error = error_of(environ)
    assert PLANTED not in everything_about(error)


def test_no_planted_value_of_a_file_is_anywhere_in_the_error(tmp_path: Path) -> None:
    path = env_file(
        tmp_path,
        f"CTRADER_DEMO_ACCESS_TOKEN='{PLANTED}",
        f"CTRADER_DEMO_PORT={PLANTED}",
        f"CTRADER_DEMO_PASSWORD={PLANTED}",
        f"CTRADER_DEMO_PASSWORD={PLANTED}-again",
        f"CTRADER_APPLICATION_SECRET {PLANTED}",
    )
    error = error_of({}, path)
    assert len(error.problems) > 3
    assert PLANTED not in everything_about(error)


def test_an_uncaught_error_prints_no_value(tmp_path: Path) -> None:
    env_file(tmp_path, f"CTRADER_DEMO_PORT={PLANTED}", f"CTRADER_DEMO_ACCESS_TOKEN={PLANTED}")
    code = "from anyctrader.session.loading import load_settings; load_settings()"
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
        env={"PATH": os.environ["PATH"], "CTRADER_LIVE_CODEC": PLANTED},
    )
    assert done.returncode == 1
    assert "CTRADER_DEMO_PORT must be a whole number" in done.stderr
    assert "CTRADER_LIVE_CODEC must be protobuf or json" in done.stderr
    assert PLANTED not in done.stderr + done.stdout


def test_loaded_settings_show_no_secret() -> None:
    more = {"USERNAME": f"{PLANTED}n", "PASSWORD": f"{PLANTED}p", "REFRESH_TOKEN": f"{PLANTED}r"}
    environ = explicit(LIVE, ACCESS_TOKEN=f"{PLANTED}a", APPLICATION_SECRET=f"{PLANTED}s", **more)
    loaded = load_settings(environ=environ | {"CTRADER_URL_LOGIN": f"https://example.com/?secret={PLANTED}"})
    assert PLANTED not in f"{loaded} {loaded!r} {loaded.environments[LIVE]!r} {loaded.warnings}"


TEXTS = st.one_of(
    st.text(max_size=12).map(lambda text: f"{PLANTED}{text}"),
    st.sampled_from(
        ["true", "false", "json", "protobuf", "5035", "5036", "1", "7", "0.5", "", "smallest", "unlimited"]
    ),
    st.sampled_from(["demo.ctraderapi.com", "live.ctraderapi.com", "127.0.0.1"]),
    st.characters(codec=None, categories=["Cs"]).map(lambda surrogate: f"{PLANTED}{surrogate}"),
)
ENVIRONS = st.dictionaries(st.sampled_from(sorted(known_names())), TEXTS)


@hypothesis_settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    environ=ENVIRONS, complete=st.sampled_from([{}, explicit(DEMO), explicit(LIVE), explicit(DEMO) | explicit(LIVE)])
)
@example(environ={}, complete={})
@example(
    environ={
        "CTRADER_DEMO_APPLICATION_ID": "a",
        "CTRADER_DEMO_ACCOUNT_ID": "7",
        "CTRADER_TOKEN_FOLDER": f"{PLANTED}\ud800",
    },
    complete={},
)
def test_any_values_of_known_keys_give_settings_or_an_error_without_a_value(
    environ: dict[str, str], complete: dict[str, str]
) -> None:
    given = complete | environ
    loaded = outcome(given)
    if isinstance(loaded, SettingsError):
        assert loaded.problems
        assert PLANTED not in str(loaded)
        assert loaded.__cause__ is None
        assert loaded.__context__ is None
    else:
        assert loaded.environments
        if LIVE in loaded.environments:
            live = loaded.environments[LIVE]
            assert (live.mode is Mode.ON) is (given.get("CTRADER_LIVE_ENABLED") == "true")
            assert live.credentials.client_id == given["CTRADER_LIVE_APPLICATION_ID"]
            assert live.credentials.access_token == Secret(given["CTRADER_LIVE_ACCESS_TOKEN"])
            assert live.limits.largest_order_lots is not LargestOrder.UNLIMITED
        if len(loaded.environments) == 2:
            first, second = (each.credentials for each in loaded.environments.values())
            assert first.client_id != second.client_id
            assert first.access_token != second.access_token


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(
        st.binary(max_size=200), st.text(alphabet="CTRADER_DEMOLIVE='\"\\\n #$", max_size=80).map(str.encode)
    )
)
def test_any_file_gives_settings_or_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.env"
    path.write_bytes(content)
    given = outcome(explicit(DEMO), path)
    assert isinstance(given, Settings) or given.__context__ is None
