"""The answer to a trading request, or that nobody knows what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import OutcomeUnknown, ServerError
from .order_inputs import is_out_of_time

if TYPE_CHECKING:
    from ..wire import Message
    from .link import Link

__all__ = ["answered"]


async def answered(link: Link, payload: Any, **given: Any) -> Message:
    """Asks by a link, and gives the answer.

    Args:
        link: that it leaves by.
        payload: the request.
        given: see `Link.request`.

    Raises:
        OutcomeUnknown: it was not answered, or the answer says only that the server took too long; that error is then
            the cause.
    """
    try:
        answer = await link.request(payload, **given)
        if is_out_of_time(code := getattr(answer.payload, "errorCode", "")):
            raise ServerError(code)
    except ServerError as error:
        if is_out_of_time(error.code):
            raise OutcomeUnknown(f"{type(payload).__name__} left, and the server answered {error}") from error
        raise
    return answer
