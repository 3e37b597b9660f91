"""What a trading request must know before it can be made."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio

from .errors import NotSent, OutcomeUnknown, ServerError

if TYPE_CHECKING:
    from collections.abc import Awaitable

__all__ = ["prepared"]

T = TypeVar("T")


async def prepared(name: str, reading: Awaitable[T], *, within_s: float) -> T:
    """Reads it, in the time that the request may wait.

    Args:
        name: of the request.
        reading: asks the server.
        within_s: seconds.

    Raises:
        NotSent: it could not be read. Nothing of the trading request has left, which the reading's own error would
            not say.
    """
    try:
        with anyio.fail_after(within_s):
            return await reading
    except TimeoutError:
        why = f"what it needs to know did not come within {within_s:g} s"
        raise NotSent(f"{name} did not leave: {why}") from None
    except (ServerError, OutcomeUnknown) as error:
        raise NotSent(f"{name} did not leave: what it needs to know could not be read ({error})") from error
