"""Each rule takes what it says, exactly, and repeats nothing that it refuses."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, fields
from datetime import UTC, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyctrader.session import rules
from anyctrader.session.errors import SettingsError
from anyctrader.session.rules import Rule
from anyctrader.session.secret import Secret


class Amount(enum.Enum):
    LEAST = "least"
    ALL = "all"


TEN = rules.seconds(below=10)
HOUR = rules.seconds(most=3600)
PORT = rules.whole(1, 65_535)
LOTS = rules.lots(Amount)


@pytest.mark.parametrize(
    ("rule", "text", "value"),
    [
        (TEN, "8", 8.0),
        (TEN, "0.5", 0.5),
        (TEN, "9.999", 9.999),
        (HOUR, "3600", 3600.0),
        (PORT, "1", 1),
        (PORT, "65535", 65_535),
        (PORT, "05035", 5035),
        (rules.whole(1, 2**63 - 1), "9223372036854775807", 2**63 - 1),
        (LOTS, "0.01", Decimal("0.01")),
        (LOTS, "3", Decimal(3)),
        (LOTS, "least", Amount.LEAST),
        (LOTS, "all", Amount.ALL),
        (rules.choice("protobuf", "json"), "json", "json"),
        (rules.flag(), "true", True),
        (rules.flag(), "false", False),
        (rules.text(), " anything at all\n", " anything at all\n"),
        (rules.word(), "1234_aBcD", "1234_aBcD"),
        (rules.word(), "an application of mine", "an application of mine"),
        (rules.secret_word(), "s3cr3t", Secret("s3cr3t")),
        (rules.secret_text(), " pass\tword ", Secret(" pass\tword ")),
        (rules.host(), "demo.ctraderapi.com", "demo.ctraderapi.com"),
        (rules.host(), "127.0.0.1", "127.0.0.1"),
        (rules.host(), "::1", "::1"),
        (rules.host(), "fake_server", "fake_server"),
        (rules.folder(), "logs/ctrader", Path("logs/ctrader")),
    ],
)
def test_a_text_that_is_allowed_gives_its_value(rule: Rule, text: str, value: object) -> None:
    got = rule.read(text)
    assert got == value
    assert type(got) is type(value) or isinstance(value, Path)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        *[(TEN, text) for text in ("0", "0.0", "10", "-1", "1e0", "1_0", " 8", "8 ", "٨", "nan", "inf", "8s", "")],
        *[(HOUR, text) for text in ("3600.1", "99999999999999999999999", "infinity")],
        *[(PORT, text) for text in ("0", "65536", "-5", "+5", "12.0", "1_000", "٥", "0x10", "9" * 5000, "", " 5")],
        *[(LOTS, text) for text in ("0", "-1", "NaN", "Infinity", "1e3", "LEAST", "none", "1,5", "sNaN", "")],
        *[(rules.choice("protobuf", "json"), text) for text in ("JSON", "protobuf ", "xml", "")],
        *[(rules.flag(), text) for text in ("True", "TRUE", "1", "yes", "on", " true", "true ", "", "false\n")],
        *[(rules.text(), text) for text in ("", " ", "\n")],
        *[(rules.word(), text) for text in ("", " a", "a ", "a\nb", "a\x00", "a\u200b", "\udcff", "\xa0a")],
        *[(rules.secret_word(), text) for text in ("", " a", "a\r", "\udcff")],
        *[(rules.secret_text(), text) for text in ("", "  ")],
        *[
            (rules.host(), text)
            for text in (
                "",
                "https://demo.ctraderapi.com",
                "demo.ctraderapi.com:5035",
                "demo.ctraderapi.com/",
                "demo.ctraderapi.com.",
                "ｌive.ctraderapi.com",
                "live。ctraderapi.com",
                "a..b",
                "-a.b",
                "a" * 64,
                ".".join(["a" * 60] * 5),
                "user@host",
                "de:ad",
                "a b",
            )
        ],
        *[(rules.folder(), text) for text in ("", " ", "a\0b", "a\ud800b")],
        *[(rules.file(), text) for text in ("/no/such/file", "", "/", "a\0b", "a\ud800b", "x" * 5000)],
    ],
)
def test_any_other_text_is_refused_without_being_repeated(rule: Rule, text: str) -> None:
    with pytest.raises(ValueError, match=r"^must ") as caught:
        rule.read(text)
    assert str(caught.value) == rule.expects
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_file_must_be_there_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    with pytest.raises(ValueError, match="file that exists"):
        rules.file().read(str(path))
    path.write_text("")
    assert rules.file().read(str(path)) == path


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        *[(TEN, value) for value in (True, "8", None, Decimal(8), float("nan"), float("inf"), 10, 0, -1)],
        *[(PORT, value) for value in (True, 5.0, "5", None, 0, 65_536, Decimal(5))],
        *[(LOTS, value) for value in (0.5, 1, "1", None, Decimal("NaN"), Decimal("-Infinity"), Decimal(0), True)],
        *[(rules.choice("a"), value) for value in (None, 1, "b", ["a"])],
        *[(rules.flag(), value) for value in (0, 1, "true", None)],
        *[(rules.word(), value) for value in (None, 1, b"a", Secret("a"))],
        *[(rules.secret_word(), value) for value in (None, "a", 1)],
        *[(rules.secret_text(), value) for value in (None, "a", 1)],
        *[(rules.host(), value) for value in (None, 1, b"host")],
        *[(rules.file(), value) for value in (None, "file")],
        *[(rules.folder(), value) for value in (None, "folder", Path("a\0"))],
    ],
)
def test_a_value_of_another_type_or_out_of_range_is_not_allowed(rule: Rule, value: object) -> None:
    assert not rule.allows(value)


def test_whole_seconds_may_be_an_int_in_code() -> None:
    assert TEN.allows(8)


def outcome(rule: Rule, text: str) -> object:
    """The value, or the text of the refusal."""
    try:
        return rule.read(text)
    except ValueError as error:
        return str(error)


@given(st.text())
def test_every_text_is_read_or_refused_and_what_is_read_is_allowed(text: str) -> None:
    every = (TEN, HOUR, PORT, LOTS, rules.flag(), rules.text(), rules.word(), rules.secret_word(), rules.host())
    for rule in (*every, rules.secret_text(), rules.file(), rules.folder(), rules.choice("a")):
        value = outcome(rule, text)
        assert value == rule.expects or rule.allows(value)


@dataclass(frozen=True)
class Sample:
    port: Any = field(metadata=rules.described(PORT, "a port"))
    pause_s: Any = field(default=None, metadata=rules.described(TEN, "a pause"))
    other: Any = 1


def test_every_field_that_breaks_its_rule_is_named_and_no_value_is() -> None:
    with pytest.raises(SettingsError) as caught:
        rules.check_fields(Sample(port=918273, pause_s="planted"))
    assert caught.value.problems == (f"port {PORT.expects}", f"pause_s {TEN.expects}")
    assert "918273" not in str(caught.value)
    assert "planted" not in str(caught.value)


def test_none_is_allowed_only_where_it_is_the_default() -> None:
    rules.check_fields(Sample(port=1, pause_s=None))
    with pytest.raises(SettingsError):
        rules.check_fields(Sample(port=None))


def test_a_field_without_a_description_has_none() -> None:
    port, pause, other = fields(Sample)
    assert rules.about(port) is not None
    assert rules.about(pause) is not None
    assert rules.about(other) is None


@pytest.mark.parametrize("text", ["24:00", "9:30", "21:60", "21:30:00", "", "noon", "21.30"])
def test_a_time_of_the_day_is_hours_and_minutes(text: str) -> None:
    rule = rules.time_of_day()
    assert rule.read("09:30") == time(9, 30)
    with pytest.raises(ValueError, match="a time of the day"):
        rule.read(text)
    assert not rule.allows(time(9, 30, tzinfo=UTC))
