"""Demo and live are told apart by everything that names one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anyctrader.session.environments import (
    STANDARD_PORTS,
    Endpoint,
    Environment,
    Mode,
    check_endpoint,
)
from anyctrader.session.errors import SettingsError

DEMO, LIVE = Environment.DEMO, Environment.LIVE


def test_each_environment_knows_its_published_host_and_whether_money_is_at_stake() -> None:
    assert (DEMO.host, DEMO.is_live) == ("demo.ctraderapi.com", False)
    assert (LIVE.host, LIVE.is_live) == ("live.ctraderapi.com", True)
    assert DEMO.other is LIVE
    assert LIVE.other is DEMO


@pytest.mark.parametrize("name", ["", "DEMO", "prod", "Live", None])
def test_there_is_no_third_environment_and_no_default(name: Any) -> None:
    with pytest.raises(ValueError, match="not a valid Environment"):
        Environment(name)


def test_modes_are_the_three_of_the_guard() -> None:
    assert [mode.value for mode in Mode] == ["off", "reduce_only", "on"]


@pytest.mark.parametrize(("codec", "port"), [("protobuf", 5035), ("json", 5036)])
def test_the_published_endpoint_follows_from_environment_and_codec(codec: Any, port: int) -> None:
    for environment in Environment:
        endpoint = Endpoint.published(environment, codec)
        assert endpoint == Endpoint(environment.host, port)
        assert endpoint.ca_file is None
        check_endpoint(environment, endpoint, codec)


def test_standard_ports_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        STANDARD_PORTS["json"] = 1  # type: ignore[index]  # the mistake that is tested


@pytest.mark.parametrize(
    ("environment", "host"),
    [
        (DEMO, "live.ctraderapi.com"),
        (DEMO, "LIVE.cTraderAPI.com"),
        (DEMO, "live-eu-1.ctraderapi.com"),
        (DEMO, "live-use.ctraderapi.com"),
        (DEMO, "live1.p.ctrader.com"),
        (DEMO, "live-uk-eqx-01.p.ctrader.com"),
        (DEMO, "eu.live.ctraderapi.com"),
        (DEMO, "demo-live.ctraderapi.com"),
        (LIVE, "demo.ctraderapi.com"),
        (LIVE, "demo-eu-1.ctraderapi.com"),
        (LIVE, "demo-sg-2.ctraderapi.com"),
        (LIVE, "demo2.p.ctrader.com"),
    ],
)
@pytest.mark.parametrize("port", [5035, 12_345])
def test_a_host_of_the_other_environment_is_refused(environment: Environment, host: str, port: int) -> None:
    with pytest.raises(SettingsError) as caught:
        check_endpoint(environment, Endpoint(host, port), "protobuf")
    [problem] = caught.value.problems
    assert problem.startswith(f"host is a host of {environment.other.value}")


@pytest.mark.parametrize(
    ("environment", "host"),
    [
        (DEMO, "demo-au.ctraderapi.com"),
        (DEMO, "demo1.p.ctrader.com"),
        (LIVE, "live-uk-eqx-01.p.ctrader.com"),
        (DEMO, "h51.p.ctrader.com"),
        (DEMO, "olive.ctraderapi.com"),
        (LIVE, "demonstration.ctraderapi.com"),
        (DEMO, "127.0.0.1"),
        (LIVE, "::1"),
        (DEMO, "live-proxy.example.com"),
        (LIVE, "demo.ctraderapi.com.example.com"),
    ],
)
def test_a_host_that_names_this_environment_or_none_is_taken(environment: Environment, host: str) -> None:
    check_endpoint(environment, Endpoint(host, 5035), "protobuf")


@pytest.mark.parametrize(("codec", "port"), [("protobuf", 5036), ("json", 5035)])
@pytest.mark.parametrize("host", ["demo.ctraderapi.com", "127.0.0.1"])
def test_a_codec_on_the_standard_port_of_the_other_is_refused(codec: Any, port: int, host: str) -> None:
    with pytest.raises(SettingsError, match="port is the standard one of the other codec"):
        check_endpoint(DEMO, Endpoint(host, port), codec)


def test_any_other_port_may_speak_either_codec() -> None:
    check_endpoint(DEMO, Endpoint("127.0.0.1", 40_000), "protobuf")
    check_endpoint(DEMO, Endpoint("127.0.0.1", 40_000), "json")


def test_both_mistakes_of_an_endpoint_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        check_endpoint(LIVE, Endpoint("demo.ctraderapi.com", 5035), "json")
    assert [problem.split()[0] for problem in caught.value.problems] == ["host", "port"]


def test_a_codec_that_does_not_exist_is_refused() -> None:
    codec: Any = "xml"
    with pytest.raises(SettingsError, match="codec must be protobuf or json"):
        Endpoint.published(DEMO, codec)
    with pytest.raises(SettingsError, match="codec must be protobuf or json"):
        check_endpoint(DEMO, Endpoint("127.0.0.1", 5035), codec)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("host", {"host": "https://planted.example"}),
        ("host", {"host": ""}),
        ("host", {"host": None}),
        ("port", {"port": 0}),
        ("port", {"port": 65_536}),
        ("port", {"port": "5035"}),
        ("port", {"port": True}),
        ("ca_file", {"ca_file": "planted.pem"}),
    ],
)
def test_an_endpoint_refuses_what_cannot_be_connected_to(field: str, values: dict[str, Any]) -> None:
    given: dict[str, Any] = {"host": "127.0.0.1", "port": 5035} | values
    with pytest.raises(SettingsError) as caught:
        Endpoint(**given)
    [problem] = caught.value.problems
    assert problem.startswith(f"{field} must be ")
    assert "planted" not in str(caught.value)


def test_an_endpoint_may_trust_an_authority_of_its_own() -> None:
    assert Endpoint("localhost", 1, Path("ca.pem")).ca_file == Path("ca.pem")


def test_protobuf_is_delimited_by_its_length_alone() -> None:
    endpoint = Endpoint("localhost", 40_000, delimiting="objects")
    check_endpoint(Environment.DEMO, endpoint, "json")
    with pytest.raises(SettingsError, match="delimiting is for json"):
        check_endpoint(Environment.DEMO, endpoint, "protobuf")
    with pytest.raises(SettingsError, match="delimiting must be length, newline or objects"):
        Endpoint("localhost", 40_000, delimiting="commas")  # type: ignore[arg-type]
