"""The table of keys, and that the docs and the example file say what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from anyctrader.session.environments import Environment
from anyctrader.session.keys import (
    ENVIRONMENT_KEYS,
    SHARED_KEYS,
    EnvironmentKey,
    SharedKey,
    known_names,
    nearest,
)

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
KEY = re.compile(r"\b(?:CTRADER(?:_[A-Z]+)+|(?:[A-Z]+_)+CTRADER)\b")


def row(key: EnvironmentKey | SharedKey) -> str:
    """The row of a key in docs/settings.md."""
    if isinstance(key, SharedKey):
        names = f"`{key.name}`"
    else:
        names = " ".join(f"`{key.name(environment)}`" for environment in key.environments)
    said = key.about
    cells = (names, said.meaning, said.rule.expects.removeprefix("must be "), key.default or "required", said.reason)
    return f"| {' | '.join(cells)} |"


@pytest.mark.parametrize("key", [*ENVIRONMENT_KEYS, *SHARED_KEYS], ids=lambda key: row(key).split("`")[1])
def test_the_docs_have_the_row_of_each_key(key: EnvironmentKey | SharedKey) -> None:
    assert row(key) in DOCS.splitlines()


def test_the_docs_name_each_old_key_in_the_order_in_which_it_is_looked_for() -> None:
    rows = [line for line in DOCS.splitlines() if line.startswith("| `CTRADER_DEMO_")]
    for key in ENVIRONMENT_KEYS:
        if key.old:
            order = ", then ".join(" or ".join(f"`{name}`" for name in group) for group in key.old)
            assert f"| `{key.name(Environment.DEMO)}` | {order} |" in rows


def test_the_docs_name_no_key_that_is_not_read() -> None:
    assert set(KEY.findall(DOCS)) == known_names()


def test_the_example_has_a_line_for_each_key_and_for_no_other() -> None:
    names = re.findall(r"^#? ?([A-Z_]+)=", EXAMPLE, flags=re.MULTILINE)
    assert sorted(names) == sorted(known_names())


def test_the_example_holds_placeholders_only() -> None:
    values = dict(re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE, flags=re.MULTILINE))
    assert values.pop("CTRADER_LIVE_ENABLED") == "false"
    assert set(values.values()) == {""}


def test_required_keys_say_how_to_get_them() -> None:
    for key in ENVIRONMENT_KEYS:
        assert bool(key.about.advice) is key.about.required
        for environment in key.environments:
            assert "{" not in key.about.advice.format(environment=environment.value)


def test_every_default_has_its_reason_and_every_key_its_meaning() -> None:
    for said in [key.about for key in ENVIRONMENT_KEYS] + [key.about for key in SHARED_KEYS]:
        assert said.meaning
        assert said.reason


def test_every_default_is_told_in_words_or_is_a_plain_value() -> None:
    for key in ENVIRONMENT_KEYS:
        assert bool(key.default) is not key.about.required
        assert "None" not in key.default
        assert "MISSING" not in key.default


def test_no_key_is_there_twice() -> None:
    explicit = [key.name(environment) for key in ENVIRONMENT_KEYS for environment in key.environments]
    old = [name for key in ENVIRONMENT_KEYS for group in key.old for name in group]
    every = explicit + old + [key.name for key in SHARED_KEYS]
    assert len(every) == len(set(every)) == len(known_names())


def test_only_live_has_a_flag_to_enable_it() -> None:
    assert "CTRADER_LIVE_ENABLED" in known_names()
    assert "CTRADER_DEMO_ENABLED" not in known_names()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("CTRADER_LIVE_LARGEST_ORDR_LOTS", "CTRADER_LIVE_LARGEST_ORDER_LOTS"),
        ("CTRADER_LIVE_LARGEST_ORDER", "CTRADER_LIVE_LARGEST_ORDER_LOTS"),
        ("CTRADER_DEMO_HEARTBEAT", "CTRADER_DEMO_HEARTBEAT_S"),
        ("CTRADER_DEMO_ACCES_TOKEN", "CTRADER_DEMO_ACCESS_TOKEN"),
        ("CTRADER_LIVE_APP_SECRET", "CTRADER_LIVE_APPLICATION_SECRET"),
        ("ctrader_live_enabled", "CTRADER_LIVE_ENABLED"),
        ("CTRADER_LOGFOLDER", "CTRADER_LOG_FOLDER"),
        ("CTRADER_DEMO_QQQQ", None),
    ],
)
def test_the_nearest_key_is_one_of_the_same_environment(written: str, meant: str | None) -> None:
    assert nearest(written) == meant
