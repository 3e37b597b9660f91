"""Supervised access to demo and live: connected, authorised, kept alive, throttled, every order on record.

The names below are loaded when they are first used, not before: whoever wants one of them does not wait for all.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .account import Account
    from .amendments import KEEP, OrderAmendment, PositionAmendment
    from .audit import Audit, open_audit
    from .client import Session, StateChange, connect
    from .connection_log import ConnectionLog, open_connection_log
    from .desk import Desk, open_desk
    from .environments import Endpoint, Environment, Mode
    from .errors import (
        AuditUnavailable,
        AuthenticationFailed,
        ConnectFailed,
        CTraderError,
        HaltIncomplete,
        InvalidOrder,
        LimitExceeded,
        LiveTradingDisabled,
        NotSent,
        OutcomeUnknown,
        RateLimited,
        Refused,
        RequestFailed,
        ServerError,
        SessionClosed,
        SettingsError,
        SlowConsumer,
        UnderMaintenance,
        WrongEnvironment,
    )
    from .fills import Fill, Realised, Slippage
    from .holdings import PendingOrder, Position
    from .loading import load_settings
    from .order import Execution, Order
    from .order_states import OrderState
    from .settings import (
        Credentials,
        EnvironmentSettings,
        LargestOrder,
        Limits,
        NoLimit,
        Percent,
        Rates,
        Secret,
        Settings,
        Timings,
    )
    from .states import SessionState
    from .subscriptions import EVERY, LATEST, Delivery, Spot
    from .symbols import Symbol
    from .terms import Side, TimeInForce, TriggerMethod
    from .tickets import LimitOrder, MarketOrder, MarketRangeOrder, StopLimitOrder, StopOrder, Ticket
    from .venue import PlacedOrder, Venue

__all__ = [
    "EVERY",
    "KEEP",
    "LATEST",
    "Account",
    "Audit",
    "AuditUnavailable",
    "AuthenticationFailed",
    "CTraderError",
    "ConnectFailed",
    "ConnectionLog",
    "Credentials",
    "Delivery",
    "Desk",
    "Endpoint",
    "Environment",
    "EnvironmentSettings",
    "Execution",
    "Fill",
    "HaltIncomplete",
    "InvalidOrder",
    "LargestOrder",
    "LimitExceeded",
    "LimitOrder",
    "Limits",
    "LiveTradingDisabled",
    "MarketOrder",
    "MarketRangeOrder",
    "Mode",
    "NoLimit",
    "NotSent",
    "Order",
    "OrderAmendment",
    "OrderState",
    "OutcomeUnknown",
    "PendingOrder",
    "Percent",
    "PlacedOrder",
    "Position",
    "PositionAmendment",
    "RateLimited",
    "Rates",
    "Realised",
    "Refused",
    "RequestFailed",
    "Secret",
    "ServerError",
    "Session",
    "SessionClosed",
    "SessionState",
    "Settings",
    "SettingsError",
    "Side",
    "Slippage",
    "SlowConsumer",
    "Spot",
    "StateChange",
    "StopLimitOrder",
    "StopOrder",
    "Symbol",
    "Ticket",
    "TimeInForce",
    "Timings",
    "TriggerMethod",
    "UnderMaintenance",
    "Venue",
    "WrongEnvironment",
    "connect",
    "load_settings",
    "open_audit",
    "open_connection_log",
    "open_desk",
]

_HOMES = MappingProxyType(
    {
        "account": ("Account",),
        "amendments": ("KEEP", "OrderAmendment", "PositionAmendment"),
        "audit": ("Audit", "open_audit"),
        "client": ("Session", "StateChange", "connect"),
        "connection_log": ("ConnectionLog", "open_connection_log"),
        "desk": ("Desk", "open_desk"),
        "environments": ("Endpoint", "Environment", "Mode"),
        "errors": (
            "AuditUnavailable",
            "AuthenticationFailed",
            "ConnectFailed",
            "CTraderError",
            "HaltIncomplete",
            "InvalidOrder",
            "LimitExceeded",
            "LiveTradingDisabled",
            "NotSent",
            "OutcomeUnknown",
            "RateLimited",
            "Refused",
            "RequestFailed",
            "ServerError",
            "SessionClosed",
            "SettingsError",
            "SlowConsumer",
            "UnderMaintenance",
            "WrongEnvironment",
        ),
        "fills": ("Fill", "Realised", "Slippage"),
        "holdings": ("PendingOrder", "Position"),
        "loading": ("load_settings",),
        "order": ("Execution", "Order"),
        "order_states": ("OrderState",),
        "settings": (
            "Credentials",
            "EnvironmentSettings",
            "LargestOrder",
            "Limits",
            "NoLimit",
            "Percent",
            "Rates",
            "Secret",
            "Settings",
            "Timings",
        ),
        "states": ("SessionState",),
        "subscriptions": ("EVERY", "LATEST", "Delivery", "Spot"),
        "symbols": ("Symbol",),
        "terms": ("Side", "TimeInForce", "TriggerMethod"),
        "tickets": ("LimitOrder", "MarketOrder", "MarketRangeOrder", "StopLimitOrder", "StopOrder", "Ticket"),
        "venue": ("PlacedOrder", "Venue"),
    }
)


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(f".{home}", __name__), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
