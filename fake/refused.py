"""How a server says no: error codes, their texts and the messages that carry them (docs/protocol.md section 14)."""

from __future__ import annotations

import enum
from typing import Any

from ..wire import messages as oa

__all__ = ["NOT_AUTHORIZED", "Blame", "Carried", "Refused"]

NOT_AUTHORIZED = "Trading account is not authorized"
"""The text of section 7 by which clients recognise a lost account session."""


class Carried(enum.Enum):
    """Which message carries a refusal."""

    ERROR = "error"
    """`ProtoOAErrorRes`, 2142."""
    ORDER_ERROR = "order_error"
    """`ProtoOAOrderErrorEvent`, 2132."""
    PROXY_ERROR = "proxy_error"
    """`ProtoErrorRes`, 50."""


class Blame(enum.Enum):
    """Whose doing a refusal is."""

    CLIENT = "client"
    """A client that behaves does not meet it: strictness counts it."""
    SERVER = "server"
    """A fault that was asked for, or something that the client could not know."""


class Refused(Exception):
    """A request is not done.

    Attributes:
        code: `errorCode`.
        description: the text.
        carried: which message says so.
        blame: whose doing it is.
        retry_after_s: `retryAfter`, or None.
        maintenance_end_s: `maintenanceEndTimestamp` of `ProtoOAErrorRes`, seconds since the epoch, or None.
        account_id: `ctidTraderAccountId`, where it is not that of the request; 0 is written.
        closes: whether the connection is closed right after it.
    """

    def __init__(
        self,
        code: str,
        description: str,
        *,
        carried: Carried = Carried.ERROR,
        blame: Blame = Blame.CLIENT,
        retry_after_s: int | None = None,
        maintenance_end_s: int | None = None,
        account_id: int | None = None,
        closes: bool = False,
    ) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description
        self.carried = carried
        self.blame = blame
        self.retry_after_s = retry_after_s
        self.maintenance_end_s = maintenance_end_s
        self.account_id = account_id
        self.closes = closes

    def message(self, account_id: int | None) -> Any:
        """The message that says so, for a request of this account or of none."""
        account_id = account_id if self.account_id is None else self.account_id
        if self.carried is Carried.ORDER_ERROR and account_id is not None:
            return oa.ProtoOAOrderErrorEvent(
                errorCode=self.code, description=self.description, ctidTraderAccountId=account_id
            )
        if self.carried is Carried.PROXY_ERROR:
            end_ms = None if self.maintenance_end_s is None else self.maintenance_end_s * 1000  # ms here (section 8)
            return oa.ProtoErrorRes(errorCode=self.code, description=self.description, maintenanceEndTimestamp=end_ms)
        return oa.ProtoOAErrorRes(
            errorCode=self.code,
            description=self.description,
            ctidTraderAccountId=account_id,
            retryAfter=self.retry_after_s,
            maintenanceEndTimestamp=self.maintenance_end_s,
        )
