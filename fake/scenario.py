"""A scenario file: what a server is, and what happens to it and when, as TOML or JSON.

seed = "demo"

[exchange.variants]
not_enough_money = "rejected"

[[step]]
do = "late"
which = "ProtoOAExecutionEvent:ORDER_FILLED"
delay_s = 2
after = "ProtoOANewOrderReq"
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .settings import ServerSettings
from .steps import Step, StepError
from .tables import TableError, changed
from .vocabulary import checked

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ScenarioError", "load_scenario", "read_scenario"]


class ScenarioError(ValueError):
    """A scenario that makes no sense; the text says where."""


def load_scenario(path: str | Path, settings: ServerSettings | None = None) -> ServerSettings:
    """The settings that a file describes, its steps among them.

    Args:
        path: of a file of TOML, or of JSON if its name ends so.
        settings: what holds where the file says nothing.

    Raises:
        OSError: it cannot be read.
        ScenarioError: it makes no sense.
    """
    path = Path(path)
    text = path.read_text(encoding="utf-8")
    try:
        table = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except ValueError as error:
        raise ScenarioError(f"{path.name}: {error}") from None
    if not isinstance(table, dict):
        raise ScenarioError(f"{path.name}: a table is due")
    try:
        return read_scenario(table, settings)
    except ScenarioError as error:
        raise ScenarioError(f"{path.name}: {error}") from None


def read_scenario(table: Mapping[str, Any], settings: ServerSettings | None = None) -> ServerSettings:
    """The settings that a table describes: the fields of `ServerSettings` by name, and `step`, a list of steps.

    Raises:
        ScenarioError: it makes no sense.
    """
    settings = settings if settings is not None else ServerSettings()
    rest = dict(table)
    given = rest.pop("step", [])
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise ScenarioError("step: a list of tables is due")
    steps = []
    try:
        for each in given:
            step = Step.from_table(each)
            checked(step)
            steps.append(step)
        settings = changed(settings, rest)
    except (StepError, TableError) as error:
        raise ScenarioError(str(error)) from None
    return replace(settings, steps=(*settings.steps, *steps))
