"""How connecting, authenticating and asking can fail.

The four ways in which a request fails answer one question: may it be repeated? `NotSent`: yes. `Refused`:
not unchanged. `ServerError`: the server decided. `OutcomeUnknown`: find out first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.errors import CTraderError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "AuditUnavailable",
    "AuthenticationFailed",
    "CTraderError",
    "ConnectFailed",
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
]


class ConnectFailed(CTraderError):
    """No link could be made: name, TCP, TLS, certificate, or the deadline. Nothing is left open."""


class AuthenticationFailed(CTraderError):
    """The server refused the application or the account. Repeating it unchanged fails again.

    Attributes:
        code: the server's `errorCode`.
        description: the server's text, or None.
    """

    def __init__(self, message: str, *, code: str, description: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.description = description


class SessionClosed(CTraderError):
    """The session was left; it is not coming back."""


class HaltIncomplete(CTraderError):
    """This process trades no more, as it was told, and no other could be: the halt's file could not be placed."""


class SlowConsumer(CTraderError):
    """A subscriber fell behind the bound of its buffer, and its stream was ended. Orders and audit saw all.

    Attributes:
        dropped: how many events the subscriber did not get.
    """

    def __init__(self, message: str, *, dropped: int) -> None:
        super().__init__(message)
        self.dropped = dropped


class SettingsError(CTraderError):
    """The settings are missing or malformed. One error lists every problem by key, never a value.

    Attributes:
        problems: one sentence a problem, each starting with the key.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("the settings cannot be used:\n" + "\n".join(f"  - {problem}" for problem in problems))
        self.problems = tuple(problems)


class RequestFailed(CTraderError):
    """A request did not end with its answer.

    Attributes:
        order: the order that it was about, or None.
    """

    order: object | None = None


class NotSent(RequestFailed):
    """No byte of it left. It may be repeated."""


class Refused(RequestFailed):
    """We did not let it leave, and repeated unchanged it is refused again."""


class LiveTradingDisabled(Refused):
    """Trading on live is off: set CTRADER_LIVE_ENABLED=true to allow it, or lift the halt."""


class LimitExceeded(Refused):
    """A limit of the settings would be passed."""


class InvalidOrder(Refused):
    """The order cannot be right: the text names the field, the value and what is allowed."""


class WrongEnvironment(Refused):
    """It belongs to the other environment, or to an account that this session did not authorise."""


class AuditUnavailable(Refused):
    """Its record could not be written to disk, so it did not leave."""


class ServerError(RequestFailed):
    """The server answered with an error.

    Attributes:
        code: `errorCode` of the reply, such as `SYMBOL_NOT_FOUND`.
        description: the server's text, or None.
        retry_after_s: seconds until this payload type is taken again, where the server said so.
    """

    def __init__(self, code: str, description: str | None = None, *, retry_after_s: float | None = None) -> None:
        super().__init__(code if not description else f"{code}: {description}")
        self.code = code
        self.description = description
        self.retry_after_s = retry_after_s


class RateLimited(ServerError):
    """`REQUEST_FREQUENCY_EXCEEDED` or `BLOCKED_PAYLOAD_TYPE`: the server did not do it; wait."""


class UnderMaintenance(ServerError):
    """`SERVER_IS_UNDER_MAINTENANCE`.

    Attributes:
        until_ms: the announced end, milliseconds since the epoch, or None.
    """

    def __init__(self, code: str, description: str | None = None, *, until_ms: int | None = None) -> None:
        super().__init__(code, description)
        self.until_ms = until_ms


class OutcomeUnknown(RequestFailed):
    """It left, and no answer came. Look at the server's state before anything is repeated."""
