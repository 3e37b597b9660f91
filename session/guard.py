"""May this message leave? An allow-list by payload type, judged by what stands in the message. Pure.

What each payload type does is one table, `wire.catalog`. Session and read requests pass in every mode; what trades or
writes passes as the mode allows and with an audit only. What the schema does not know may be an order of a newer kind,
which no limit could be held against: it never passes toward live, nor where a limit is set. The guard is asked twice,
when a request enters and just before its bytes are made, so that what changes in between still counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from ..wire import UnknownPayload
from ..wire import messages as oa
from ..wire.catalog import Entry, Permission, account_of, entry_of
from ..wire.messages import class_of, name_of
from .environments import Environment, Mode
from .errors import AuditUnavailable, InvalidOrder, LimitExceeded, LiveTradingDisabled, Refused, WrongEnvironment
from .holdings import PendingOrder, Position, price_or_none
from .terms import Side

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from decimal import Decimal

    from .levels_to_come import ToCome

__all__ = ["Book", "Guard", "Standing", "strictest", "tightens", "why_not_tighter"]

_STRICTNESS = MappingProxyType({Mode.OFF: 0, Mode.REDUCE_ONLY: 1, Mode.ON: 2})


class Book(Protocol):
    """What the guard asks of an account's positions and orders, to know what only reduces."""

    def position(self, position_id: int) -> Position | None:
        """The open position with that id, or None."""

    def levels_to_come(self, position_id: int) -> ToCome | None:
        """What an order asked for and the position with that id does not show yet, or None."""

    def order(self, order_id: int) -> PendingOrder | None:
        """The working order with that id, protective and closing ones included, or None."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What may be asked of an environment just now.

    Attributes:
        mode: the mode.
        why: where it comes from and how it changes, for people.
    """

    mode: Mode
    why: str


def strictest(first: Standing, *others: Standing) -> Standing:
    """The one that allows least; of equals the first."""
    return min((first, *others), key=lambda standing: _STRICTNESS[standing.mode])


class Guard:
    """Judges what is to be sent to one environment."""

    def __init__(
        self, environment: Environment, *, standing: Callable[[], Standing], limits: Collection[str] = ()
    ) -> None:
        """
        Args:
            environment: where it would go.
            standing: asked at each judgement: the mode in force, halts included.
            limits: the names of those that are set. Whether an order keeps to them is asked elsewhere.
        """
        self.environment = environment
        self._standing = standing
        self._limits = limits

    def judge(
        self,
        payload_type: int,
        payload: Any,
        *,
        authorised: Collection[int],
        audited: bool,
        foreign: Collection[int] = (),
        trades: int | None = None,
        book: Book | None = None,
    ) -> None:
        """Returns if the message may leave.

        Args:
            payload_type: of its envelope: what the server will take it for.
            payload: its message, or an `UnknownPayload`.
            authorised: the accounts that this session authorised.
            audited: whether what trades goes on record.
            foreign: accounts that the account list shows to be the other environment's.
            trades: the one account that may be traded, where there is one; others are only read.
            book: positions and orders of the message's account; without it nothing is known to reduce.

        Raises:
            LiveTradingDisabled: trading on live is off.
            WrongEnvironment: its account is none of `authorised`, or is the other environment's, or is not the one
                that may be traded.
            AuditUnavailable: it needs a record, and there is no audit.
            InvalidOrder: it cancels the hidden order that holds a position's levels.
            LimitExceeded: the schema does not know its payload type, and a limit is set.
            Refused: the mode does not allow it, the message is not what its payload type says, or the schema does not
                know that and this is live.
        """
        # Nearly all that is judged is what it says it is, and reads: that way is kept short.
        cls: Any = class_of(payload_type)
        if type(payload) is not cls or payload.payloadType != payload_type:
            self._check_identity(payload_type, payload)
        entry = entry_of(payload_type)
        if entry is not None and entry.account_field is not None:
            self._check_account(entry, payload, authorised=authorised, foreign=foreign)
        permission = entry.permission if entry is not None else None
        if permission is Permission.READ or permission is Permission.SESSION:
            return
        name = name_of(payload_type)
        standing = self._standing()
        if standing.mode is Mode.OFF:
            raise self._off(name, standing)
        if entry is None:
            self.judge_unreadable(name, "the schema does not know its payload type", audited=audited)
            return
        if trades is not None and (account := account_of(payload)) not in (None, trades):
            raise WrongEnvironment(
                f"{name} is refused: the settings of {self.environment.value} name account {trades}, and no other is "
                f"traded here; account {account} may be read"
            )
        if not audited:
            raise AuditUnavailable(f"{name} is refused: what may trade on {self.environment.value} needs an audit")
        if standing.mode is Mode.REDUCE_ONLY:
            why_not = _why_not_reducing(permission, payload, book)
            if why_not is not None:
                raise Refused(
                    f"{name} is refused: {self.environment.value} may only be reduced ({standing.why}), and {why_not}"
                )
        if permission is Permission.CANCEL and book is not None:
            order = book.order(payload.orderId)
            if order is not None and order.is_protective:
                raise InvalidOrder(
                    f"order_id: {order.id} is refused: it holds the stop loss and take profit of position "
                    f"{order.position_id}, and {name} would take them away: amend the levels of that position instead"
                )

    def judge_unreadable(self, what: str, why: str, *, audited: bool) -> None:
        """Returns if something may leave though nobody knows what it does: it may be an order of any size.

        Args:
            what: is to leave, for people.
            why: nobody knows.
            audited: whether it goes on record.

        Raises:
            LimitExceeded: a limit is set, and nobody can hold this against it.
            AuditUnavailable: it needs a record, and there is no audit.
            Refused: this is live, whatever its mode; or the mode is not on.
        """
        where, standing = self.environment.value, self._standing()
        if self.environment.is_live:
            raise Refused(f"{what} is refused: {why}, and what nobody can read does not go to live, whatever the mode")
        if standing.mode is not Mode.ON:
            raise Refused(f"{what} is refused: {why}, and trading on {where} is {standing.mode.value} ({standing.why})")
        if self._limits:
            raise LimitExceeded(
                f"{what} is refused: {why}, so that it can be held against no limit, and limits are set for {where} "
                f"({', '.join(self._limits)})"
            )
        if not audited:
            raise AuditUnavailable(f"{what} is refused: {why}, and without an audit it would not be on record")

    def _off(self, name: str, standing: Standing) -> Refused:
        where = self.environment.value
        if self.environment.is_live:
            return LiveTradingDisabled(f"{name} is refused: trading on {where} is off ({standing.why})")
        return Refused(f"{name} is refused: trading on {where} is off ({standing.why})")

    def _check_identity(self, payload_type: int, payload: Any) -> None:
        """Sees that the message is what the server will take it for."""
        name = name_of(payload_type)
        cls = class_of(payload_type)
        if cls is None:
            same = isinstance(payload, UnknownPayload) and payload.payload_type == payload_type
        else:
            same = type(payload) is cls and _inner_type(payload) == payload_type
        if not same:
            raise Refused(
                f"{name} is refused: its payload is a {type(payload).__name__}"
                + (f" that says {inner}" if (inner := _inner_type(payload)) is not None else "")
                + f", while its envelope says {payload_type}"
            )

    def _check_account(
        self, entry: Entry, payload: Any, *, authorised: Collection[int], foreign: Collection[int]
    ) -> None:
        name, account = type(payload).__name__, account_of(payload)
        if account in foreign:
            raise WrongEnvironment(
                f"{name} is refused: account {account} is {self.environment.other.value}, this is "
                f"{self.environment.value}"
            )
        # Authorising comes before being authorised, and logging out does no harm.
        if entry.permission is not Permission.SESSION and account not in authorised:
            raise WrongEnvironment(
                f"{name} is refused: account {account} is not one that this session of {self.environment.value} "
                "authorised"
            )


def _inner_type(payload: Any) -> int | None:
    inner = payload.payload_type if isinstance(payload, UnknownPayload) else getattr(payload, "payloadType", None)
    return inner if isinstance(inner, int) else None


def _why_not_reducing(permission: Permission | None, payload: Any, book: Book | None) -> str | None:
    """Why a message would do more than reduce, or None where it only reduces."""
    if permission is Permission.CLOSE:
        position = book.position(payload.positionId) if book is not None else None
        if position is None or not position.is_open:
            return f"position {payload.positionId} is not known to be open"
        if not 0 < payload.volume <= position.volume_cents:
            return f"a volume of {payload.volume} is not within the {position.volume_cents} that are open"
        return None
    if permission is Permission.CANCEL:
        order = book.order(payload.orderId) if book is not None else None
        if order is None:
            return f"order {payload.orderId} is not known"
        return None if order.is_opening else f"order {payload.orderId} closes or protects a position"
    # An amended order still opens: it can be cancelled. Of the changes only a position's levels are left.
    if permission is Permission.CHANGE and hasattr(payload, "positionId"):
        position = book.position(payload.positionId) if book is not None else None
        if position is None or not position.is_open:
            return f"position {payload.positionId} is not known to be open"
        to_come = book.levels_to_come(payload.positionId) if book is not None else None
        if to_come is not None:
            for name, field, asked in (
                ("stop loss", "stopLoss", to_come.stop_loss),
                ("take profit", "takeProfit", to_come.take_profit),
            ):
                if asked and _level(payload, field) is None:
                    return f"it would take away the {name} that order {to_come.order_id} asked for and is yet to get"
        return why_not_tighter(payload, position)
    return "this does more than close, cancel or tighten"


def tightens(payload: Any, book: Book | None) -> bool:
    """Whether a request amends a position's levels, and by what the book knows leaves each or tightens it."""
    if book is None or not isinstance(payload, oa.ProtoOAAmendPositionSLTPReq):
        return False
    position = book.position(payload.positionId)
    return position is not None and why_not_tighter(payload, position) is None


def why_not_tighter(payload: Any, position: Position) -> str | None:
    """Why an amendment of a position's levels would loosen them, or None.

    The request overwrites both levels: one that it leaves out is removed (docs/protocol.md section 10.3).
    """
    upward = 1 if position.side is Side.BUY else -1
    stop_loss = _level(payload, "stopLoss")
    take_profit = _level(payload, "takeProfit")
    if isinstance(stop_loss, str) or isinstance(take_profit, str):
        return f"a level is not a price: {stop_loss if isinstance(stop_loss, str) else take_profit}"
    if position.stop_loss is not None:
        if stop_loss is None:
            return f"it would remove the stop loss at {position.stop_loss:f}"
        if (stop_loss - position.stop_loss) * upward < 0:
            return f"it would move the stop loss from {position.stop_loss:f} away, to {stop_loss:f}"
        if payload.stopLossTriggerMethod != position.stop_trigger_method:
            return "it would change what sets off the stop loss"
        # Left out, trailing stays as it is; that a guarantee does is nowhere written.
        if position.trailing_stop and payload.HasField("trailingStopLoss") and not payload.trailingStopLoss:
            return "the stop loss would no longer trail"
        if position.guaranteed_stop_loss and not payload.guaranteedStopLoss:
            return "the stop loss would no longer be guaranteed"
    if position.take_profit is not None:
        if take_profit is None:
            return f"it would remove the take profit at {position.take_profit:f}"
        if (take_profit - position.take_profit) * upward > 0:
            return f"it would move the take profit from {position.take_profit:f} away, to {take_profit:f}"
    return None


def _level(payload: Any, field: str) -> Decimal | str | None:
    """The price in a field, None where it has none, or as text what is no price."""
    if not payload.HasField(field):
        return None
    value = getattr(payload, field)
    price = price_or_none(value)
    return price if price is not None and price > 0 else repr(value)
