"""What a trading request must know before it can be made, and whether it is worth while to ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import anyio

from ..wire import Message
from .errors import NotSent, OutcomeUnknown, Refused, ServerError
from .symbols import NamedSymbol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping
    from typing import Any

    from .account import Account
    from .books import Books
    from .client import Session
    from .environments import Mode
    from .gate import Gate
    from .holdings import Position
    from .symbols import Symbol

__all__ = ["check_open", "figures", "figures_if_told", "open_position", "prepared"]

_FIGURES_S: Final = 0.5  # some hundred kilobytes over a usual line; what must not hang on them waits for no more

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


async def figures(name: str, symbol: str | int, *, session: Session, account: Account) -> Symbol:
    """A symbol's figures, by its name or id. A request that could not leave anyway says so, and asks nothing.

    Raises:
        NotSent: the session is not ready, or they could not be read.
    """
    session.check_ready(name, account.id)
    reading = account.symbol(symbol) if isinstance(symbol, str) else account.symbol_by_id(symbol)
    return await prepared(name, reading, within_s=session.timings.order_queue_s)


async def figures_if_told(name: str, symbol_id: int, *, session: Session, account: Account) -> Symbol | NamedSymbol:
    """A symbol's figures, or only its name: for what is checked against them, and must not hang on them.

    Raises:
        NotSent: the session is not ready.
    """
    session.check_ready(name, account.id)
    if (known := account.book.known(symbol_id)) is not None:
        return known
    try:
        return await prepared(name, account.symbol_by_id(symbol_id), within_s=_FIGURES_S)
    except (NotSent, Refused):
        return NamedSymbol(id=symbol_id, name=account.name_of(symbol_id))


def check_open(gate: Gate, cls: Any, *shut: Mode, account_id: int, said: Mapping[str, Any]) -> None:
    """A guard that is shut says so, before anything is looked up here or asked of the server.

    Raises:
        Refused: it is.
    """
    if gate.standing().mode in shut:
        gate.judge(Message(cls(ctidTraderAccountId=account_id)), said=said)


def open_position(books: Books, position_id: int, *, account_id: int) -> Position:
    """The position, as the books have it now.

    Raises:
        Refused: they know of none.
    """
    position = books.positions.position(position_id)
    if position is None:
        raise Refused(f"position {position_id} is not known to be open in account {account_id}")
    return position
