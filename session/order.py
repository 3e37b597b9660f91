"""An order as its caller holds it: look at it, or wait for what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from .errors import InvalidOrder, NotSent, OutcomeUnknown, RequestFailed, ServerError
from .order_states import OrderState

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from .changes import Close
    from .environments import Environment
    from .fills import Fill, Realised, Slippage
    from .orders import OrderRecord
    from .terms import Side
    from .tickets import Ticket

__all__ = ["Execution", "Order"]

_FILLED_S = 10.0  # a market order fills within 0.2 s (docs/protocol.md section 1); a pending one needs a longer wait
_PROTECTED_S = 2.0  # the protective order follows its fill within 20 ms; 100 times that means that it does not come


@dataclass(frozen=True, slots=True)
class Execution:
    """What an order was filled at.

    Attributes:
        price: the average of its fills, or None where the server gave no price.
        volume_cents: how much, hundredths of a unit.
        commission: of its own fills, deposit currency, negative.
        slippage: against the price asked for or quoted, or None where neither is known.
        realised: what it closed and booked, or None.
        fills: the deals, each once.
    """

    price: Decimal | None
    volume_cents: int
    commission: Decimal
    slippage: Slippage | None
    realised: Realised | None
    fills: tuple[Fill, ...]


class Order:
    """An order, or a close, of ours in one environment.

    Args:
        record: all its facts.
        doubt: told when its end was waited for in vain: an event may have been lost. Must not wait.

    Attributes:
        record: all its facts.
    """

    def __init__(self, record: OrderRecord, *, doubt: Callable[[], None] | None = None) -> None:
        self.record = record
        self._doubt = doubt
        self._moved = anyio.Event()

    def __repr__(self) -> str:
        return repr(self.record)

    @property
    def environment(self) -> Environment:
        """Where it belongs."""
        return self.record.environment

    @property
    def intent(self) -> Ticket | Close:
        """What it came from."""
        return self.record.intent

    @property
    def side(self) -> Side:
        """Buy or sell."""
        return self.record.side

    @property
    def client_order_id(self) -> str:
        """Our id of it."""
        return self.record.client_order_id

    @property
    def order_id(self) -> int | None:
        """`orderId`, or None while it is not known."""
        return self.record.order_id

    @property
    def position_id(self) -> int | None:
        """`positionId`, or None while it is not known."""
        return self.record.position_id

    @property
    def state(self) -> OrderState:
        """How far it is."""
        return self.record.state

    @property
    def fills(self) -> tuple[Fill, ...]:
        """Its fills so far."""
        return self.record.fills

    @property
    def average_price(self) -> Decimal | None:
        """The price of its fills so far together."""
        return self.record.average_price

    @property
    def slippage(self) -> Slippage | None:
        """Against the price asked for or quoted; None while either side is missing."""
        return self.record.slippage

    @property
    def realised(self) -> Realised | None:
        """What its fills closed and booked, or None."""
        return self.record.realised

    async def accepted(self, *, timeout_s: float = _FILLED_S) -> Order:
        """Waits until the server has taken it, through an unknown outcome too.

        Raises:
            ServerError: the server refused it.
            NotSent: it never left, or was found never to have arrived.
            OutcomeUnknown: not within the time. Each carries the order.
        """
        await self._until(lambda: self.state not in _UNANSWERED, timeout_s, "accepted")
        if self.state in (OrderState.REJECTED, OrderState.NOT_SENT):
            raise self._ended("accepted")
        return self

    async def filled(self, *, timeout_s: float = _FILLED_S) -> Execution:
        """Waits until all of it is filled, through an unknown outcome too.

        Raises:
            ServerError: it ended without: refused, cancelled, expired. What was filled is in `fills`.
            NotSent: it never left, or was found never to have arrived.
            OutcomeUnknown: not within the time. Each carries the order.
        """
        record = self.record
        await self._until(
            lambda: record.is_told or (record.is_final and self.state is not OrderState.FILLED),
            timeout_s,
            "filled",
            in_doubt=True,
        )
        if self.state is not OrderState.FILLED:
            raise self._ended("filled")
        return Execution(
            record.average_price,
            record.filled_volume_cents,
            record.commission,
            record.slippage,
            record.realised,
            record.fills,
        )

    async def protected(self, *, timeout_s: float = _PROTECTED_S) -> Order:
        """Waits until the levels that it asked for stand on its position.

        The server sets them after the fill, by an order of its own (docs/protocol.md section 10.1).

        Raises:
            InvalidOrder: it asks for no level; or all that it did was to reduce a position, whose levels are its own.
            ServerError: it ended without a fill.
            OutcomeUnknown: they are not confirmed within the time: the position may be unprotected. Each carries
                the order.
        """
        if not (getattr(self.intent, "asks_stop_loss", False) or getattr(self.intent, "asks_take_profit", False)):
            raise self._carrying(InvalidOrder(f"{self!r} asks for no stop loss and no take profit"))
        record = self.record
        await self._until(
            lambda: record.protected or (record.is_told and not self.fills) or record.only_reduced,
            timeout_s,
            "protected",
        )
        if not record.protected and record.only_reduced:
            raise self._carrying(InvalidOrder(f"{self!r} opened nothing that levels could protect: it only reduced"))
        if not record.protected:
            raise self._ended("protected")
        return self

    async def finished(self, *, timeout_s: float = _FILLED_S) -> OrderState:
        """Waits until nothing moves it any more; which end it was is the answer.

        Raises:
            OutcomeUnknown: not within the time; it carries the order.
        """
        await self._until(lambda: self.record.is_final, timeout_s, "at its end", in_doubt=True)
        return self.state

    async def opened(self, *, beyond_cents: int = 0) -> bool:
        """Waits until it may have opened more than so much, or opens nothing more.

        No deadline: a pending order may wait for days.

        Args:
            beyond_cents: hundredths of a unit.

        Returns:
            whether it may have opened more.
        """
        await anyio.lowlevel.checkpoint()
        while self.record.exposed_volume_cents <= beyond_cents and not self.record.is_told:
            await self._moved.wait()
        return self.record.exposed_volume_cents > beyond_cents

    async def told(self) -> None:
        """Waits until it is at its end and all of its fills are known. No deadline: bring your own."""
        await anyio.lowlevel.checkpoint()
        while not self.record.is_told:
            await self._moved.wait()

    def touched(self) -> None:
        """Its record has moved: whoever waits looks again."""
        moved, self._moved = self._moved, anyio.Event()
        moved.set()

    async def _until(self, reached: Callable[[], bool], timeout_s: float, what: str, *, in_doubt: bool = False) -> None:
        with anyio.move_on_after(timeout_s):
            await anyio.lowlevel.checkpoint()
            while not reached():
                await self._moved.wait()
            return
        if not reached():
            if in_doubt and self._doubt is not None:
                self._doubt()
            raise self._carrying(OutcomeUnknown(f"{self!r} was not {what} within {round(timeout_s, 2):g} s"))

    def _ended(self, what: str) -> RequestFailed:
        record = self.record
        if self.state is OrderState.NOT_SENT:
            return self._carrying(NotSent(f"{self!r} never reached the server"))
        code = record.error_code or f"ORDER_{self.state.name}"
        text = record.error_description or f"it ended {self.state.value} before it was {what}"
        return self._carrying(ServerError(code, text))

    def _carrying(self, error: RequestFailed) -> RequestFailed:
        error.order = self
        return error


_UNANSWERED = (OrderState.CREATED, OrderState.SENT, OrderState.UNKNOWN)
