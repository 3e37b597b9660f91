"""What nobody outside knows about the real exchange, as settings (docs/protocol.md section 19).

Each field is one line of that section that concerns orders, money or history, with the default given there.
What concerns connections, tokens and subscriptions is in the settings of the server.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from .bounds import check_bounds

__all__ = [
    "AcceptedPosition",
    "BadLevels",
    "BothRemoved",
    "Carrier",
    "CloseStatus",
    "FeeRounding",
    "LongText",
    "LongestBars",
    "Notices",
    "OmittedFields",
    "OutOfRange",
    "Reversal",
    "SameId",
    "SameValues",
    "ServerMark",
    "StopOutMark",
    "SwapNotice",
    "TooLate",
    "TriggerEvents",
    "UnknownInList",
    "Variants",
    "VolumeMeaning",
    "ZeroFrom",
]


class AcceptedPosition(enum.Enum):
    """The position object in an ACCEPTED event that opens one."""

    CREATED = "created"
    ABSENT = "absent"


class CloseStatus(enum.Enum):
    """The position's status in the FILLED that closes the whole of it."""

    CREATED = "created"
    """Still CREATED; CLOSED comes with the next event, where there is one."""
    CLOSED = "closed"


class ServerMark(enum.Enum):
    """`isServerEvent` of the fill of a pending order, and of an expiry."""

    EXPIRY_ONLY = "expiry_only"
    """A fill says false, an expiry true."""
    FILL_ONLY = "fill_only"


class TriggerEvents(enum.Enum):
    """What the trigger of a stop, stop-limit or market-range order sends."""

    FILLED = "filled"
    ACCEPTED_FIRST = "accepted_first"
    REPLACED_FIRST = "replaced_first"


class OutOfRange(enum.Enum):
    """A market-range order whose range the price has left."""

    CANCELLED = "cancelled"
    """ACCEPTED, then CANCELLED."""
    REJECTED = "rejected"
    """ACCEPTED, then REJECTED with an error code."""
    REFUSED = "refused"
    """No ACCEPTED: an order error event."""


class BadLevels(enum.Enum):
    """An order with an absolute and a relative level for the same side."""

    REFUSED = "refused"
    ABSOLUTE_WINS = "absolute_wins"


class BothRemoved(enum.Enum):
    """The event of an amend that takes both levels from a position."""

    CANCELLED = "cancelled"
    REPLACED = "replaced"


class SameValues(enum.Enum):
    """An amend that gives the values that stand already."""

    REPLACED = "replaced"
    NOTHING_TO_AMEND = "nothing_to_amend"


class OmittedFields(enum.Enum):
    """Fields left out of an amend of an order."""

    REMOVED = "removed"
    KEPT = "kept"


class VolumeMeaning(enum.Enum):
    """The volume in an amend of an order that is partly filled."""

    WHOLE = "whole"
    REST = "rest"


class Reversal(enum.Enum):
    """A netted account's order that closes a position and opens the opposite one."""

    SAME_ORDER = "same_order"
    """A closing deal, then an opening deal, both of the one order."""
    TWO_ORDERS = "two_orders"


class SameId(enum.Enum):
    """A `clientOrderId` that another order of the account has used."""

    ACCEPTED = "accepted"
    REFUSED = "refused"


class LongText(enum.Enum):
    """A label, comment or client order id that is longer than allowed."""

    REFUSED = "refused"
    TRUNCATED = "truncated"


class Carrier(enum.Enum):
    """How a refusal travels."""

    ORDER_ERROR = "order_error"
    """As `ProtoOAOrderErrorEvent`; no order comes to be."""
    REJECTED = "rejected"
    """ACCEPTED, then an execution event REJECTED with the error code."""


class StopOutMark(enum.Enum):
    """What tells the closing order of a stop-out from a trader's own."""

    BOTH = "both"
    """`order.isStopOut` and `isServerEvent`."""
    ORDER_ONLY = "order_only"
    EVENT_ONLY = "event_only"


class SwapNotice(enum.Enum):
    """Whether the booking of a swap is announced."""

    PER_POSITION = "per_position"
    NONE = "none"


class Notices(enum.Enum):
    """`ProtoOATraderUpdatedEvent` and `ProtoOAMarginChangedEvent` after opens and closes."""

    NOT_SENT = "not_sent"
    SENT = "sent"


class LongestBars(enum.Enum):
    """The longest span of one request for bars; the value is the limit for M1 to M5 in ms, 0 for none."""

    AS_STATED = 3_024_000_000
    AS_MISPRINTED = 302_400_000
    NONE = 0


class UnknownInList(enum.Enum):
    """A request for many symbols of which some are unknown."""

    REFUSED = "refused"
    """The whole request."""
    LEFT_OUT = "left_out"


class ZeroFrom(enum.Enum):
    """`fromTimestamp` 0 in the lists by position."""

    ALLOWED = "allowed"
    REFUSED = "refused"


class FeeRounding(enum.Enum):
    """Charges (commission, swap, conversion fee); gross profit is always rounded to the nearest cent."""

    UP = "up"
    """Away from the trader: 2.1 ct is charged as 3 ct."""
    NEAREST = "nearest"


class TooLate(enum.Enum):
    """The answer to a cancel that comes while the order is being executed (docs/protocol.md section 10.1)."""

    CANCEL_REJECTED = "cancel_rejected"
    """An execution event ORDER_CANCEL_REJECTED."""
    ORDER_ERROR = "order_error"
    """An order error event UNABLE_TO_CANCEL_ORDER."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variants:
    """The behaviours that are not known for certain; the defaults are those of docs/protocol.md section 19.

    Attributes:
        accepted_position: the position object in ACCEPTED.
        protected_close: status of a protected position in the FILLED that closes it; CLOSED follows with the
            CANCELLED of the protective order.
        unprotected_close: status of a position without levels in the FILLED that closes it.
        server_mark: `isServerEvent` of the fill of a pending order, and of an expiry.
        trigger_events: what comes before the FILLED of a STOP, STOP_LIMIT or MARKET_RANGE order.
        out_of_range: what becomes of a MARKET_RANGE order outside its range.
        both_levels: absolute and relative levels in one order.
        both_removed: event of an amend that removes both levels.
        same_values: an amend that changes nothing.
        omitted_fields: fields left out of `ProtoOAAmendOrderReq`.
        amended_volume: the volume in an amend after a partial fill.
        reversal: how a netted account turns around.
        same_client_order_id: a second use of a client order id.
        long_text: texts longer than the limits.
        not_enough_money: how NOT_ENOUGH_MONEY travels for a market order.
        market_closed: how MARKET_CLOSED travels.
        no_quotes: how NO_QUOTES travels.
        stop_out_mark: the flags of a stop-out.
        swap_notice: the SWAP execution event.
        notices: trader and margin events after opens and closes.
        bar_page: most bars in one answer.
        bars_have_more: whether the answer carries `hasMore` at all.
        longest_bars: longest span of a request for bars.
        longest_lists_ms: longest span of a deal or order list in ms, or None.
        unknown_in_list: unknown ids in `ProtoOASymbolByIdReq`.
        zero_from: `fromTimestamp` 0 in lists by position.
        tick_page: most ticks in one answer.
        deal_page: most deals in one answer when the request names no `maxRows`.
        fee_rounding: how charges are rounded.
        extra_field: a field in ExecutionEvent that the schema does not have, so that clients prove they skip it.
        cancel_too_late: the answer to a cancel that lost the race.
        locked_code: error code for a position that another order is closing (docs/protocol.md section 10.3).
    """

    accepted_position: AcceptedPosition = AcceptedPosition.CREATED
    protected_close: CloseStatus = CloseStatus.CREATED
    unprotected_close: CloseStatus = CloseStatus.CLOSED
    server_mark: ServerMark = ServerMark.EXPIRY_ONLY
    trigger_events: TriggerEvents = TriggerEvents.FILLED
    out_of_range: OutOfRange = OutOfRange.CANCELLED
    both_levels: BadLevels = BadLevels.REFUSED
    both_removed: BothRemoved = BothRemoved.CANCELLED
    same_values: SameValues = SameValues.REPLACED
    omitted_fields: OmittedFields = OmittedFields.REMOVED
    amended_volume: VolumeMeaning = VolumeMeaning.WHOLE
    reversal: Reversal = Reversal.SAME_ORDER
    same_client_order_id: SameId = SameId.ACCEPTED
    long_text: LongText = LongText.REFUSED
    not_enough_money: Carrier = Carrier.ORDER_ERROR
    market_closed: Carrier = Carrier.ORDER_ERROR
    no_quotes: Carrier = Carrier.ORDER_ERROR
    stop_out_mark: StopOutMark = StopOutMark.BOTH
    swap_notice: SwapNotice = SwapNotice.PER_POSITION
    notices: Notices = Notices.NOT_SENT
    bar_page: int = 14_000
    bars_have_more: bool = True
    longest_bars: LongestBars = LongestBars.AS_STATED
    longest_lists_ms: int | None = None
    unknown_in_list: UnknownInList = UnknownInList.REFUSED
    zero_from: ZeroFrom = ZeroFrom.ALLOWED
    tick_page: int = 5_000
    deal_page: int = 1_000
    fee_rounding: FeeRounding = FeeRounding.UP
    extra_field: bool = True
    cancel_too_late: TooLate = TooLate.CANCEL_REJECTED
    locked_code: str = "POSITION_LOCKED"

    def __post_init__(self) -> None:
        check_bounds(self, "bar_page", "tick_page", "deal_page", "longest_lists_ms", least=1)
