"""What a refused subscription means: that it is there already, that it can never be, or that it cannot be now. Pure.

docs/protocol.md sections 11 and 14.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..wire import messages as oa
from .errors import ServerError

if TYPE_CHECKING:
    from .errors import CTraderError

__all__ = ["is_already_subscribed", "is_final"]

_ACCOUNT_LOST: Final = "not authorized"  # in the text of an INVALID_REQUEST: it says nothing about the subscription
_CANNOT_BE: Final = frozenset(
    {
        "UNSUPPORTED_MESSAGE",
        "INVALID_REQUEST",
        "ENTITY_NOT_FOUND",
        "SYMBOL_NOT_FOUND",
        "UNKNOWN_SYMBOL",
        "NOT_SUBSCRIBED_TO_SPOTS",
        "TRADING_DISABLED",
        "TRADING_NOT_ALLOWED",
    }
)
_PUBLISHED: Final = frozenset((*oa.ProtoErrorCode.__members__, *oa.ProtoOAErrorCode.__members__))


def is_already_subscribed(error: CTraderError) -> bool:
    """Whether it is a success: older servers say it in words."""
    return isinstance(error, ServerError) and (
        error.code == "ALREADY_SUBSCRIBED"
        or (error.code == "INVALID_REQUEST" and "already subscribed" in (error.description or "").lower())
    )


def is_final(error: CTraderError) -> bool:
    """Whether the server says that this symbol, or this subscription, cannot be. A code that nobody knows does too."""
    if not isinstance(error, ServerError):
        return False
    if error.code in ("INVALID_REQUEST", "UNSUPPORTED_MESSAGE") and _ACCOUNT_LOST in (error.description or ""):
        return False
    return error.code in _CANNOT_BE or error.code not in _PUBLISHED
