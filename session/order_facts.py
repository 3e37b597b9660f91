"""What is known of one order of ours: what was meant, when what happened, and what it came to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .asked_levels import AskedLevels
from .changes import Close
from .fills import Fill, Fills, Realised, Slippage
from .order_states import OrderInput, OrderState
from .protection import Protection
from .provenance import Departure
from .shares import Share
from .symbols import Symbol
from .tickets import ImmediateTicket, Ticket

if TYPE_CHECKING:
    from decimal import Decimal

    from .environments import Environment
    from .symbols import NamedSymbol
    from .terms import Side

__all__ = ["OrderFacts"]


class OrderFacts:
    """The facts of one order of ours, to be read. `OrderRecord` is what moves them.

    Attributes:
        intent: the ticket, or the close, that it came from.
        environment: where it belongs.
        account_id: `ctidTraderAccountId`.
        client_order_id: our id of it; a close has one too, which the server never sees.
        symbol: its symbol; of a close only its name, where the server did not say the figures.
        side: of the order itself: a close has the other side of its position.
        volume_cents: what was asked for; as last amended.
        requested_price: the price that the order names, as last amended, or None.
        quoted_price: what the market stood at when it was meant (the ask for a buy, the bid for a sell), or None.
        client_msg_id: id of the request that it left in, or None.
        order_id: `orderId`, or None while it is not known.
        position_id: `positionId`, or None while it is not known.
        open_before: of a close: what was open of its position when it was asked for, hundredths of a unit, and when
            the newest deal that was known by then was made, by the server's clock; None where that is not known.
        departure: what was known of the server's orders when its bytes left.
        executed_volume_cents: the most that the server ever said was filled of it.
        others_cents: what was open of its position beside it when its first fill was told, hundredths of a unit; None
            where no event told of that.
        protection: the levels of its position, as last seen.
        is_astray: the server cut it, and goes on with the rest in a position that was not seen open yet.
        error_code: `errorCode` of its refusal, or None.
        error_description: the server's text, or None.
        intent_at_ms: when it was put on record.
        sent_at_ms: when its bytes began to leave, or None.
        accepted_at_ms: when the server's first word of it came, refusals aside, or None.
        filled_at_ms: when it was told to be filled whole, or None.
        finished_at_ms: when it came to a final state, or None.
        updated_at_ms: `utcLastUpdateTimestamp` of the newest of the server's words, its clock, or None.
    """

    def __init__(
        self,
        intent: Ticket | Close,
        *,
        environment: Environment,
        account_id: int,
        client_order_id: str,
        symbol: Symbol | NamedSymbol,
        side: Side,
        volume_cents: int,
        intent_at_ms: int,
        quoted_price: Decimal | None = None,
    ) -> None:
        self.intent = intent
        self.environment = environment
        self.account_id = account_id
        self.client_order_id = client_order_id
        self.symbol = symbol
        self.side = side
        self.volume_cents = volume_cents
        self.intent_at_ms = intent_at_ms
        self.quoted_price = quoted_price
        self.requested_price = intent.requested_price if isinstance(intent, Ticket) else None
        asked = AskedLevels(side=side)
        if isinstance(intent, Ticket) and isinstance(symbol, Symbol):  # what opens never leaves without figures
            asked = intent.asked_levels(symbol)
        self.protection = Protection(asked)
        self.client_msg_id: str | None = None
        self.order_id: int | None = None
        self.position_id = intent.position_id if isinstance(intent, (Close, ImmediateTicket)) else None
        self.open_before: tuple[int, int] | None = None
        self.departure = Departure()
        self.executed_volume_cents = 0
        self.others_cents: int | None = None
        self.is_astray = False
        self.error_code: str | None = None
        self.error_description: str | None = None
        self.sent_at_ms: int | None = None
        self.accepted_at_ms: int | None = None
        self.filled_at_ms: int | None = None
        self.finished_at_ms: int | None = None
        self.updated_at_ms: int | None = None
        self._state = OrderState.CREATED
        self._fills = Fills()
        self._most_volume_cents = volume_cents
        self._last_heard: tuple[OrderInput, int] | None = None
        self._goes_on_in: int | None = None  # the position that holds the rest

    def __repr__(self) -> str:
        return (
            f"<order {self.client_order_id} {self.environment.value} {self.side.name} {self.volume_cents} "
            f"{self.symbol.name} {self._state.value}>"
        )

    @property
    def state(self) -> OrderState:
        """How far it is."""
        return self._state

    @property
    def is_final(self) -> bool:
        """Whether nothing moves it any more."""
        return self._state.is_final

    @property
    def is_told(self) -> bool:
        """Whether it is at its end and all of its fills are known: the end may be told before the deals."""
        return self.is_final and self.filled_volume_cents >= self.executed_volume_cents

    @property
    def is_close(self) -> bool:
        """Whether it closes a position by `ProtoOAClosePositionReq`: then the server knows no id of ours."""
        return isinstance(self.intent, Close)

    @property
    def protected(self) -> bool:
        """Whether the levels that it asked for were confirmed. Whether they still stand, its position tells."""
        return self.protection.confirmed

    @property
    def fills(self) -> tuple[Fill, ...]:
        """Its fills, each once, in the order in which they were heard of."""
        return tuple(self._fills)

    @property
    def filled_volume_cents(self) -> int:
        """The volume of the fills that we know, hundredths of a unit."""
        return self._fills.volume_cents

    @property
    def opened_volume_cents(self) -> int:
        """How much its fills opened, or added, hundredths of a unit: what they closed left nothing to protect."""
        closed = self.realised.closed_volume_cents if self.realised is not None else 0
        opened = max(0, self.filled_volume_cents - closed)
        if closed and not opened and self._state is OrderState.FILLED:
            # A netted position that is turned around: the server may open the rest by an order of its own.
            return max(0, self._most_volume_cents - closed)
        return opened

    @property
    def exposed_volume_cents(self) -> int:
        """How much it may have opened, hundredths of a unit: what is filled and has no deals yet counts as that."""
        return self.opened_volume_cents + max(0, self.executed_volume_cents - self.filled_volume_cents)

    @property
    def share(self) -> Share | None:
        """What it opened of its position; None while that is not known, and where it opened nothing."""
        if not (self.opened_volume_cents and self._fills and self.order_id and self.position_id):
            return None
        return Share.of(
            self._fills,
            order_id=self.order_id,
            position_id=self.position_id,
            opened_cents=self.opened_volume_cents,
            others_cents=self.others_cents,
        )

    @property
    def only_reduced(self) -> bool:
        """Whether it is at its end, and all that was filled of it closed something."""
        return self.is_told and len(self._fills) > 0 and not self.opened_volume_cents

    @property
    def average_price(self) -> Decimal | None:
        """The price of its fills together; None while there is none, or one without a price."""
        return self._fills.average_price

    @property
    def commission(self) -> Decimal:
        """Of its own fills so far, deposit currency, negative."""
        return self._fills.commission

    @property
    def realised(self) -> Realised | None:
        """What its fills closed and booked, or None if they closed nothing."""
        return self._fills.realised

    @property
    def slippage(self) -> Slippage | None:
        """Against the price that it names, or else that was quoted; None while either side is missing."""
        asked = self.quoted_price if self.requested_price is None else self.requested_price
        filled = self.average_price
        if asked is None or filled is None or not isinstance(self.symbol, Symbol):
            return None
        return Slippage.between(
            asked, filled, side=self.side, symbol=self.symbol, volume_cents=self.filled_volume_cents
        )

    @property
    def latencies_ms(self) -> dict[str, int]:
        """Milliseconds from intent to sent, accepted and filled, each once it is known; our own clock."""
        moments = {"sent": self.sent_at_ms, "accepted": self.accepted_at_ms, "filled": self.filled_at_ms}
        return {name: at_ms - self.intent_at_ms for name, at_ms in moments.items() if at_ms is not None}

    def described(self) -> dict[str, str | int]:
        """The facts, for a record; what is not known is left out."""
        found: dict[str, str | int] = {
            "client_order_id": self.client_order_id,
            "account_id": self.account_id,
            "symbol": self.symbol.name,
            "side": self.side.name,
            "volume_cents": self.volume_cents,
            "state": self._state.value,
        }
        for name in ("order_id", "position_id", "error_code", "error_description"):
            if (value := getattr(self, name)) is not None:
                found[name] = value
        for name in ("requested_price", "quoted_price", "average_price"):
            if (price := getattr(self, name)) is not None:
                found[name] = f"{price:f}"
        if self.executed_volume_cents:
            found["executed_volume_cents"] = self.executed_volume_cents
        return found
