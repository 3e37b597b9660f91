"""A server that stands in for the real one, for tests and for work without an account. Needs the extra `fake`.

The names below are loaded when they are first used, not before: pytest imports this package in every run of whoever
has it installed, because of the plugin, and must neither wait for it nor fail where the extra is missing.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import faults
    from .accounts import AccountSettings
    from .agenda import Clock
    from .blocking import BlockingServer, blocking_server
    from .certificates import WrongCertificate
    from .clients import Client, Frame
    from .exchange import Exchange, ExchangeSettings
    from .exchange_settings import Delays
    from .observations import Observations, Seen
    from .registration import shared_directory
    from .scenario import ScenarioError, load_scenario
    from .server import FakeServer, FakeServerFailed, StrictnessViolated
    from .settings import AnswerVariants, Host, Limits, ServerSettings, Timing
    from .steps import Step, StepError
    from .tokens import Application, Directory, Grant, TokenPolicy, TokenScope
    from .variants import Variants

__all__ = [
    "AccountSettings",
    "AnswerVariants",
    "Application",
    "BlockingServer",
    "Client",
    "Clock",
    "Delays",
    "Directory",
    "Exchange",
    "ExchangeSettings",
    "FakeServer",
    "FakeServerFailed",
    "Frame",
    "Grant",
    "Host",
    "Limits",
    "Observations",
    "ScenarioError",
    "Seen",
    "ServerSettings",
    "Step",
    "StepError",
    "StrictnessViolated",
    "Timing",
    "TokenPolicy",
    "TokenScope",
    "Variants",
    "WrongCertificate",
    "blocking_server",
    "faults",
    "load_scenario",
    "shared_directory",
]

_HOMES = MappingProxyType(
    {
        "accounts": ("AccountSettings",),
        "agenda": ("Clock",),
        "blocking": ("BlockingServer", "blocking_server"),
        "certificates": ("WrongCertificate",),
        "clients": ("Client", "Frame"),
        "exchange": ("Exchange", "ExchangeSettings"),
        "exchange_settings": ("Delays",),
        "observations": ("Observations", "Seen"),
        "registration": ("shared_directory",),
        "scenario": ("ScenarioError", "load_scenario"),
        "server": ("FakeServer", "FakeServerFailed", "StrictnessViolated"),
        "settings": ("AnswerVariants", "Host", "Limits", "ServerSettings", "Timing"),
        "steps": ("Step", "StepError"),
        "tokens": ("Application", "Directory", "Grant", "TokenPolicy", "TokenScope"),
        "variants": ("Variants",),
    }
)


def __getattr__(name: str) -> Any:
    if name == "faults":
        return import_module(".faults", __name__)
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f".{home}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
