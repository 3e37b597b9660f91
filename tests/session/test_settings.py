"""Settings that exist can be used: credentials, the settings of an environment, and both side by side."""

from __future__ import annotations

import dataclasses
import pickle
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from anyctrader.session.errors import SettingsError
from anyctrader.session.settings import (
    Credentials,
    Endpoint,
    Environment,
    EnvironmentSettings,
    LargestOrder,
    Limits,
    Mode,
    Rates,
    Secret,
    Settings,
    Timings,
)
from anyctrader.session.token_store import TokenPair

DEMO, LIVE = Environment.DEMO, Environment.LIVE


def credentials(environment: Environment = DEMO, **changes: Any) -> Credentials:
    tag = environment.value
    given: dict[str, Any] = {
        "client_id": f"{tag}-id",
        "client_secret": f"planted-{tag}-secret",
        "access_token": f"planted-{tag}-access",
        "refresh_token": f"planted-{tag}-refresh",
        "account_id": 11 if environment is DEMO else 22,
    }
    return Credentials(environment, **(given | changes))


def settings(environment: Environment = DEMO, **changes: Any) -> EnvironmentSettings:
    return EnvironmentSettings(environment, credentials(environment), **changes)


def test_credentials_hold_secrets_as_secrets_and_show_none() -> None:
    made = credentials()
    assert made.client_secret == Secret("planted-demo-secret")
    assert made.access_token.reveal() == "planted-demo-access"
    assert made.refresh_token == Secret("planted-demo-refresh")
    assert "planted" not in repr(made) + str(made) + f"{made}"
    assert "demo-id" in repr(made)


def test_credentials_take_secrets_as_they_are() -> None:
    secret = Secret("planted")
    assert credentials(client_secret=secret).client_secret is secret
    assert credentials(refresh_token=None).refresh_token is None


def test_credentials_may_leave_the_account_to_be_found() -> None:
    assert credentials(account_id=None).account_id is None


def test_credentials_are_not_pickled() -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(credentials())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("client_id", ""),
        ("client_id", " planted"),
        ("client_id", None),
        ("client_id", Secret("planted")),
        ("client_secret", ""),
        ("client_secret", "planted\n"),
        ("client_secret", None),
        ("access_token", 918273),
        ("access_token", b"planted"),
        ("refresh_token", ""),
        ("account_id", "918273"),
        ("account_id", 0),
        ("account_id", True),
        ("account_id", 918273.0),
        ("account_id", 2**63),
    ],
)
def test_credentials_name_the_field_that_is_wrong_and_never_its_value(field: str, value: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        credentials(**{field: value})
    [problem] = caught.value.problems
    assert problem.startswith(f"{field} must be ")
    assert "planted" not in str(caught.value)
    assert "918273" not in str(caught.value)


@pytest.mark.parametrize("environment", ["demo", None, 1])
def test_credentials_and_settings_need_an_environment(environment: Any) -> None:
    with pytest.raises(SettingsError, match="environment must be an Environment"):
        Credentials(environment, client_id="a", client_secret="b", access_token="c")
    with pytest.raises(SettingsError, match="environment must be an Environment"):
        EnvironmentSettings(environment, credentials())


def test_demo_starts_on_with_the_published_endpoint_and_no_largest_order() -> None:
    made = settings(DEMO)
    assert made.mode is Mode.ON
    assert made.codec == "protobuf"
    assert made.endpoint == Endpoint("demo.ctraderapi.com", 5035)
    assert made.limits.largest_order_lots is LargestOrder.UNLIMITED
    assert (made.timings, made.rates) == (Timings(), Rates())
    assert (made.user_name, made.password) == (None, None)


def test_live_starts_off_with_the_published_endpoint_and_the_smallest_order() -> None:
    made = settings(LIVE, codec="json")
    assert made.mode is Mode.OFF
    assert not made.live_enabled
    assert made.endpoint == Endpoint("live.ctraderapi.com", 5036)
    assert made.limits.largest_order_lots is LargestOrder.SMALLEST


def test_live_is_on_only_with_its_flag() -> None:
    assert settings(LIVE, live_enabled=True).mode is Mode.ON
    assert settings(LIVE, live_enabled=True, mode=Mode.REDUCE_ONLY).mode is Mode.REDUCE_ONLY
    assert settings(LIVE, live_enabled=True, mode=Mode.OFF).mode is Mode.OFF


@pytest.mark.parametrize("mode", [Mode.ON, Mode.REDUCE_ONLY])
def test_live_without_its_flag_cannot_be_made_anything_but_off(mode: Mode) -> None:
    with pytest.raises(SettingsError, match="mode must be OFF on live"):
        settings(LIVE, mode=mode)
    with pytest.raises(SettingsError, match="mode must be OFF on live"):
        dataclasses.replace(settings(LIVE), mode=mode)


@pytest.mark.parametrize("flag", [1, "true", "false", None])
def test_the_flag_of_live_is_a_boolean_and_nothing_like_one(flag: Any) -> None:
    with pytest.raises(SettingsError, match="live_enabled must be exactly true or false"):
        settings(LIVE, live_enabled=flag)


def test_the_flag_of_live_does_not_belong_to_demo() -> None:
    with pytest.raises(SettingsError, match="live_enabled belongs to live"):
        settings(DEMO, live_enabled=True)


def test_demo_can_be_switched_off() -> None:
    assert settings(DEMO, mode=Mode.OFF).mode is Mode.OFF


@pytest.mark.parametrize("environment", list(Environment))
def test_credentials_of_the_other_environment_are_refused(environment: Environment) -> None:
    with pytest.raises(SettingsError, match=f"credentials belong to {environment.other.value}"):
        EnvironmentSettings(environment, credentials(environment.other))


def test_the_desk_needs_to_know_its_account() -> None:
    with pytest.raises(SettingsError, match="account_id is missing"):
        EnvironmentSettings(DEMO, credentials(account_id=None))


@pytest.mark.parametrize("environment", list(Environment))
def test_the_host_of_the_other_environment_is_refused(environment: Environment) -> None:
    with pytest.raises(SettingsError, match=f"host is a host of {environment.other.value}"):
        settings(environment, endpoint=Endpoint.published(environment.other))


def test_a_codec_on_the_other_codecs_port_is_refused() -> None:
    with pytest.raises(SettingsError, match="port is the standard one of the other codec"):
        settings(DEMO, codec="json", endpoint=Endpoint.published(DEMO, "protobuf"))


def test_live_has_a_largest_order() -> None:
    with pytest.raises(SettingsError, match="largest_order_lots must not be unlimited on live"):
        settings(LIVE, limits=Limits(largest_order_lots=LargestOrder.UNLIMITED))
    assert settings(LIVE, limits=Limits(largest_order_lots=Decimal(2))).limits.largest_order_lots == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("codec", "xml"),
        ("codec", None),
        ("endpoint", "demo.ctraderapi.com"),
        ("timings", 8),
        ("rates", 50),
        ("limits", Decimal(1)),
        ("mode", "on"),
        ("user_name", ""),
        ("user_name", 1),
        ("password", " "),
    ],
)
def test_each_part_must_be_of_its_class(field: str, value: Any) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(DEMO, **{field: value})
    [problem] = caught.value.problems
    assert problem.startswith(f"{field} must ")


def test_all_contradictions_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        EnvironmentSettings(
            LIVE,
            credentials(DEMO, account_id=None),
            endpoint=Endpoint.published(DEMO, "json"),
            mode=Mode.ON,
            limits=Limits(largest_order_lots=LargestOrder.UNLIMITED),
        )
    starts = [problem.split()[0] for problem in caught.value.problems]
    assert starts == ["credentials", "account_id", "mode", "host", "port", "largest_order_lots"]


def test_user_name_and_password_are_secrets() -> None:
    made = settings(DEMO, user_name="planted-name", password=Secret("planted-password"))
    assert made.user_name == Secret("planted-name")
    assert made.password == Secret("planted-password")
    assert "planted" not in repr(made)


def test_both_environments_stand_side_by_side() -> None:
    made = Settings({DEMO: settings(DEMO), LIVE: settings(LIVE)})
    assert made.environments[DEMO].environment is DEMO
    assert made.log_folder == Path("logs/ctrader")
    assert made.warnings == ()
    assert "planted" not in repr(made)


def test_one_environment_may_be_absent() -> None:
    for environment in Environment:
        assert list(Settings({environment: settings(environment)}).environments) == [environment]


def test_settings_for_no_environment_are_refused() -> None:
    with pytest.raises(SettingsError, match="environments must hold"):
        Settings({})


def test_settings_stand_under_the_name_of_their_own_environment() -> None:
    wrong: list[Any] = [{DEMO: settings(LIVE)}, {"demo": settings(DEMO)}, {DEMO: None}]
    for environments in wrong:
        with pytest.raises(SettingsError, match="under its own name"):
            Settings(environments)


def test_settings_cannot_be_changed_through_what_they_were_made_of() -> None:
    environments = {DEMO: settings(DEMO)}
    made = Settings(environments)
    environments[LIVE] = settings(LIVE)
    assert list(made.environments) == [DEMO]
    with pytest.raises(TypeError):
        made.environments[LIVE] = settings(LIVE)  # type: ignore[index]  # the mistake that is tested


def test_the_log_folder_is_a_path() -> None:
    folder: Any = "logs"
    with pytest.raises(SettingsError, match="log_folder must be the path of a folder"):
        Settings({DEMO: settings(DEMO)}, log_folder=folder)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("client_id", "client_id"),
        ("client_secret", "client_secret"),
        ("account_id", "account_id"),
        ("access_token", "access_token"),
        ("refresh_token", "refresh_token"),
        ("access_token", "refresh_token"),
        ("refresh_token", "access_token"),
    ],
)
def test_what_belongs_to_one_environment_is_refused_in_both(theirs: str, ours: str) -> None:
    shared: Any = 918273 if theirs == "account_id" else "planted-in-both"
    with pytest.raises(SettingsError) as caught:
        Settings(
            {
                DEMO: EnvironmentSettings(DEMO, credentials(DEMO, **{theirs: shared})),
                LIVE: EnvironmentSettings(LIVE, credentials(LIVE, **{ours: shared})),
            }
        )
    assert caught.value.problems == (f"live {ours} is the same as demo {theirs}",)


def test_the_password_is_covered_wherever_the_credentials_go_and_is_no_secret_to_send() -> None:
    made = settings(DEMO, password="planted-password").credentials
    renewed = made.with_tokens(
        TokenPair(access_token=Secret("another-access"), refresh_token=Secret("another-refresh"))
    )
    for credentials in (made, renewed):
        assert credentials.masked("is planted-password it") == "is *** it"
        assert not credentials.holds("planted-password")
        assert "planted" not in repr(credentials)
    assert renewed.masked("another-access, another-refresh") == "***, ***"


def test_a_short_password_is_covered_as_a_word_only() -> None:
    made = settings(DEMO, password="in").credentials
    assert made.masked("in: inside, again in") == "***: inside, again ***"


def test_one_person_may_have_one_name_and_password_for_both() -> None:
    Settings({each: settings(each, user_name="me", password="mine") for each in Environment})


def test_no_refresh_token_in_either_is_nothing_that_they_share() -> None:
    Settings({each: EnvironmentSettings(each, credentials(each, refresh_token=None)) for each in Environment})


def test_importing_the_settings_loads_nothing_heavy() -> None:
    code = (
        "import sys, anyctrader.session.settings, anyctrader.session.loading\n"
        "print([name for name in ('pydantic', 'pydantic_settings', 'dotenv', 'typer', 'httpx') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=50)
    assert done.stdout == "[]\n"
