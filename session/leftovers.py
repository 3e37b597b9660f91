"""What an earlier process left behind: requests whose intent is on record and whose end is not. Blocking."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from . import clock
from .changes import Close
from .errors import InvalidOrder
from .fills import Fill
from .order_record import OrderRecord
from .order_states import FINAL_STATES, OrderState
from .past import FOLLOWED, Past, ms_of, positions_before
from .provenance import Departure
from .recorded_tickets import ticket_of
from .request_facts import request_of
from .request_record import RequestRecord
from .shares import Share, opened_by
from .stories import lines_of
from .terms import Side

if TYPE_CHECKING:
    from pathlib import Path

    from .environments import Environment
    from .symbols import NamedSymbol, Symbol
    from .tickets import Ticket

__all__ = ["Leftover", "Leftovers", "UnseenLevels", "leftovers_of"]

_LEAVES: Final = frozenset({"intent", "sent"})
_ENDS: Final = frozenset({"not_sent", "finished"})
_FINAL: Final = frozenset(state.value for state in FINAL_STATES)
_DEALS: Final = frozenset({"deal", "missed_deal"})  # those that are no fill of an order of ours, as far as was known
_UNDER_WAY: Final = frozenset({"sent", "outcome_unknown"})
_FURTHEST_BACK_MS: Final = 30 * 86_400_000  # deals are asked for as far back at a start (`DealRecord.catch_up`)
_DAMAGE: Final = "`anyctrader audit verify` names what is missing, and the broker's own lists tell what became of it"
_LEVELS: Final = frozenset(
    f"{level}{how}" for level in ("stop_loss", "take_profit") for how in ("", "_pips", "_distance")
)
_ENDS_OF_REQUESTS: Final = frozenset(
    {"not_sent", "change_done", "change_refused", "answered", "server_error", "resolved"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftEnd:
    """The end of an order of which not all fills are on record: the event of one was lost, then the process ended.

    Attributes:
        state: a final one.
        fills: those that are on record.
        executed_volume_cents: what the server said was filled, hundredths of a unit.
        at_ms: when it was put on record.
    """

    state: OrderState
    fills: tuple[Fill, ...]
    executed_volume_cents: int
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """An order of an earlier process. Its bytes may have left, whether or not that is on record.

    Attributes:
        intent: the ticket, or the close, that it came from.
        environment: where it belongs.
        account_id: whose it is.
        client_order_id: our id of it.
        symbol: the name of its symbol.
        symbol_id: its id, of a close that left while the server did not say the figures; otherwise None.
        side: of the order itself.
        volume_cents: hundredths of a unit.
        intent_at_ms: when it was put on record.
        sent_at_ms: when its bytes began to leave, or None where that is not on record.
        order_id: `orderId`, where the server had named one.
        quoted_price: what the market stood at, or None.
        deals: the `dealId` of its fills that are on record.
        departure: what the record told of the server's orders before its bytes could leave.
        end: how it ended, where that is on record, and less of its fills than the server said; None otherwise.
    """

    intent: Ticket | Close
    environment: Environment
    account_id: int
    client_order_id: str
    symbol: str
    side: Side
    volume_cents: int
    intent_at_ms: int
    sent_at_ms: int | None
    order_id: int | None
    quoted_price: Decimal | None
    deals: frozenset[int] = frozenset()
    departure: Departure = field(default_factory=Departure, compare=False)
    end: LeftEnd | None = None
    symbol_id: int | None = None

    def record(self, symbol: Symbol | NamedSymbol) -> OrderRecord:
        """Its record, its outcome unknown: only the server's word leads out of that. Or at its end, if it has one."""
        record = OrderRecord(
            self.intent,
            environment=self.environment,
            account_id=self.account_id,
            client_order_id=self.client_order_id,
            symbol=symbol,
            side=self.side,
            volume_cents=self.volume_cents,
            intent_at_ms=self.intent_at_ms,
            quoted_price=self.quoted_price,
        )
        record.sent(at_ms=self.intent_at_ms)
        record.lost(at_ms=self.intent_at_ms)
        record.sent_at_ms = self.sent_at_ms  # where it is not on record, no latency is told either
        record.order_id = self.order_id
        if self.end is not None:
            record.recall(
                self.end.state,
                self.end.fills,
                executed_volume_cents=self.end.executed_volume_cents,
                finished_at_ms=self.end.at_ms,
            )
        record.departure = self.departure
        if self.departure.open_cents:
            record.open_before = self.departure.open_cents, self.departure.server_ms
        return record


@dataclass(frozen=True, slots=True, kw_only=True)
class UnseenLevels:
    """An order of an earlier process that was filled; what came of the levels that it asked for is not on record.

    Attributes:
        intent: the ticket that it came from.
        account_id: whose it is.
        client_order_id: our id of it.
        symbol: the name of its symbol.
        share: what it opened of its position.
        prices: of its fills that opened something.
    """

    intent: Ticket
    account_id: int
    client_order_id: str
    symbol: str
    share: Share
    prices: tuple[Decimal, ...] = ()

    @property
    def position_id(self) -> int:
        """`positionId` of what it filled."""
        return self.share.position_id


@dataclass(frozen=True, slots=True)
class Leftovers:
    """All that an earlier process left.

    Attributes:
        orders: those of ours that have no end on record, oldest first.
        levels: those that have one, and whose levels are not known to stand.
        requests: cancels, amends and raw requests without an end on record, likewise.
        problems: what of them cannot be understood, for people.
        past: what else the audit tells, by account: of what is over, and so nothing that was left.
    """

    orders: list[Leftover] = field(default_factory=list)
    levels: list[UnseenLevels] = field(default_factory=list)
    requests: list[RequestRecord] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    past: dict[int, Past] = field(default_factory=dict, compare=False)

    def of_account(self, account_id: int) -> Leftovers:
        """Those of one account; a list of its own."""
        return Leftovers(
            [each for each in self.orders if each.account_id == account_id],
            [each for each in self.levels if each.account_id == account_id],
            [each for each in self.requests if each.payload.ctidTraderAccountId == account_id],
        )


def leftovers_of(folder: Path, environment: Environment, account_id: int | None = None) -> Leftovers:
    """Reads the order audit of a folder: all of its days, for an order may work for months. Kept is what is open.

    Args:
        folder: where the audit's files are; there may be none yet.
        environment: whose orders are wanted.
        account_id: whose last position snapshot is read, too.

    Raises:
        OSError: a file could not be read.
    """
    open_ = _Open()
    left = Leftovers()
    if account_id is not None:
        left.past[account_id] = positions_before(folder, environment, account_id)
    damaged: dict[str, list[int]] = {}

    def unreadable(file: str, line_number: int) -> None:
        first = damaged.setdefault(file, [line_number, 0])
        first[1] += 1

    try:
        for line in lines_of(folder, environment=environment.value, unreadable=unreadable):
            if line.get("fact") in FOLLOWED and isinstance(line.get("account_id"), int):
                past = left.past.get(line["account_id"])
                if past is None:
                    past = left.past[line["account_id"]] = Past()
                past.follow(line)
            if line.get("fact") in _LEAVES:
                past = left.past.get(line.get("account_id", 0))
                line["departure"] = past.departure(line.get("position_id")) if past is not None else Departure()
            if isinstance(line.get("intent_id"), str):
                _follow_request(open_, line)
            elif isinstance(line.get("client_order_id"), str):
                _follow_order(open_, line)
            elif line.get("fact") in _DEALS:
                _count_opened(open_, line)
    except FileNotFoundError:  # the first process of this folder
        return left
    for file, (number, count) in damaged.items():
        left.problems.append(
            f"lines of {file} that cannot be read: {count}, the first of them is line {number}; orders that only they "
            f"tell of are not followed. {_DAMAGE}"
        )
    left.problems.extend(
        f"{what} of an earlier process cannot be followed, for its intent is not on record. {_DAMAGE}"
        for what in open_.without_intent
    )
    for client_order_id, facts in (open_.orders | open_.untold).items():
        try:
            if client_order_id in open_.untold and ms_of(facts["at"]) < clock.utc_ms() - _FURTHEST_BACK_MS:
                continue
            left.orders.append(_leftover(client_order_id, facts, environment))
        except (ArithmeticError, InvalidOrder, KeyError, TypeError, ValueError) as error:
            left.problems.append(f"order {client_order_id} of an earlier process cannot be followed: {error!r}")
    for client_order_id, facts in open_.levels.items():
        if facts.get("opened") == 0:
            continue  # it only reduced, or what it opened is closed
        try:
            left.levels.append(_unseen(client_order_id, facts))
        except (ArithmeticError, InvalidOrder, KeyError, TypeError, ValueError) as error:
            left.problems.append(f"the levels of order {client_order_id} of an earlier process: {error!r}")
    for intent_id, facts in open_.requests.items():
        try:
            left.requests.append(_request(intent_id, facts))
        except (KeyError, TypeError, ValueError) as error:
            left.problems.append(f"request {intent_id} of an earlier process cannot be followed: {error!r}")
    return left


@dataclass(frozen=True, slots=True)
class _Open:
    """The facts of what has no end so far, by our own ids; and, for people, what has lines but no intent."""

    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    untold: dict[str, dict[str, Any]] = field(default_factory=dict)  # at their end, with less on record than was filled
    levels: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: dict[str, dict[str, Any]] = field(default_factory=dict)
    without_intent: dict[str, None] = field(default_factory=dict)


def _follow_order(open_: _Open, line: dict[str, Any]) -> None:
    client_order_id, fact, levels = line["client_order_id"], line.get("fact"), open_.levels
    if fact == "intent":
        open_.orders[client_order_id] = dict(line)
        return
    facts = open_.orders.get(client_order_id) or open_.untold.get(client_order_id) or levels.get(client_order_id)
    if fact == "fill":
        _count_opened(open_, line)
    if facts is None:
        # Lines of others' orders have no state; those that come after an order's end have a final one.
        if "state" in line and str(line["state"]) not in _FINAL:
            open_.without_intent[f"order {client_order_id}"] = None
        elif fact in _ENDS:
            open_.without_intent.pop(f"order {client_order_id}", None)
        return
    if fact == "execution" and "deal_id" in line and "others_told" not in facts:
        facts["shown"] = line["deal_id"], line.get("open_volume_cents")
    if fact == "fill" and "deal_id" in line:
        facts.setdefault("fills_told", {})[line["deal_id"]] = line
        _tell_others(facts, line["deal_id"])
    for name in ("sent_after_ms", "order_id", "departure"):
        if name in line:
            facts[name] = line[name]
    if "position_id" in line:
        facts["position_told"] = line["position_id"]  # a ticket has a field of the other name
    if fact in _ENDS:
        open_.orders.pop(client_order_id, None)
        facts["end_told"] = line
        asks = any(name in facts for name in _LEVELS)
        if line.get("executed_volume_cents") and asks and client_order_id not in levels:
            levels[client_order_id] = facts
    if _is_untold(facts):
        open_.untold[client_order_id] = facts
    else:
        open_.untold.pop(client_order_id, None)
    # Who wants the position closed has not got what was asked for by being told.
    told = fact == "protected" or (fact == "unprotected" and not facts.get("close_if_unprotected"))
    facts["levels_told"] = told or facts.get("levels_told", False)
    if facts["levels_told"]:
        levels.pop(client_order_id, None)


def _is_untold(facts: dict[str, Any]) -> bool:
    """Whether an order has ended and more of it was filled than its fills on record come to."""
    end = facts.get("end_told")
    if end is None or facts.get("order_id") is None:
        return False
    told = [fill.get("volume_cents") for fill in facts.get("fills_told", {}).values()]
    executed = end.get("executed_volume_cents", 0)
    whole = all(
        isinstance(cents, int) for cents in (executed, *told)
    )  # what cannot be read is told when it is taken up
    return not whole or sum(told) < executed


def _end_of(facts: dict[str, Any]) -> LeftEnd | None:
    end = facts.get("end_told")
    if end is None:
        return None
    return LeftEnd(
        state=OrderState(end["state"]),
        fills=tuple(Fill.from_record(line) for line in facts.get("fills_told", {}).values()),
        executed_volume_cents=int(end["executed_volume_cents"]),
        at_ms=ms_of(end["at"]),
    )


def _count_opened(open_: _Open, line: dict[str, Any]) -> None:
    """What a fill opened is its order's; what a deal closed was opened by those that came before it."""
    closed, deal_id = line.get("closed_volume_cents", 0), line.get("deal_id")
    for client_order_id, facts in (*open_.orders.items(), *open_.levels.items()):
        opened = facts.get("opened", 0)
        if client_order_id == line.get("client_order_id"):
            facts["opened"] = opened + line.get("volume_cents", 0) - closed
        elif closed and facts.get("position_told") == line.get("position_id"):
            counted = facts.setdefault("counted", set())  # a deal that was missed may be found to be a fill of ours
            if deal_id not in counted:
                counted.add(deal_id)
                facts["opened"] = max(0, opened - closed)


def _tell_others(facts: dict[str, Any], deal_id: object) -> None:
    """What was open beside an order when its first fill was told, from the line of the event that told of it."""
    shown_id, open_cents = facts.get("shown", (None, None))
    if facts.get("opened") and "others_told" not in facts:
        known = shown_id == deal_id and isinstance(open_cents, int)
        facts["others_told"] = max(0, open_cents - facts["opened"]) if known else None


def _follow_request(open_: _Open, line: dict[str, Any]) -> None:
    intent_id, fact, requests = line["intent_id"], line.get("fact"), open_.requests
    if fact == "intent":
        requests[intent_id] = dict(line)
    elif intent_id in requests:
        if fact in _ENDS_OF_REQUESTS:
            del requests[intent_id]
        elif "sent_at_ms" in line:
            requests[intent_id] |= {name: line[name] for name in ("sent_at_ms", "departure") if name in line}
    elif fact in _UNDER_WAY:
        open_.without_intent[f"request {intent_id}"] = None
    elif fact in _ENDS_OF_REQUESTS:
        open_.without_intent.pop(f"request {intent_id}", None)


def _request(intent_id: str, facts: dict[str, Any]) -> RequestRecord:
    return RequestRecord(
        intent_id=intent_id,
        name=facts["request"],
        payload=request_of(facts["message"], facts),
        intent_at_ms=ms_of(facts["at"]),
        sent_at_ms=int(facts["sent_at_ms"]) if "sent_at_ms" in facts else None,
        departure=facts["departure"],
    )


def _leftover(client_order_id: str, facts: dict[str, Any], environment: Environment) -> Leftover:
    at_ms = ms_of(facts["at"])
    volume_cents = int(facts["volume_cents"])
    closes = facts["request"] == "close"
    intent = Close(facts["position_id"], volume_cents=volume_cents) if closes else ticket_of(facts)
    quoted = facts.get("quoted_price")
    return Leftover(
        intent=intent,
        environment=environment,
        account_id=int(facts["account_id"]),
        client_order_id=client_order_id,
        symbol=facts["symbol"],
        side=Side[facts["side"]],
        volume_cents=volume_cents,
        intent_at_ms=at_ms,
        sent_at_ms=at_ms + int(facts["sent_after_ms"]) if "sent_after_ms" in facts else None,
        order_id=facts.get("order_id"),
        quoted_price=Decimal(quoted) if quoted is not None else None,
        deals=frozenset(facts.get("fills_told", ())),
        end=_end_of(facts),
        departure=facts["departure"],
        symbol_id=facts.get("symbol_id") if closes else None,
    )


def _unseen(client_order_id: str, facts: dict[str, Any]) -> UnseenLevels:
    fills = [Fill.from_record(line) for line in facts["fills_told"].values()]
    return UnseenLevels(
        intent=ticket_of(facts),
        account_id=int(facts["account_id"]),
        client_order_id=client_order_id,
        symbol=facts["symbol"],
        share=Share.of(
            fills,
            order_id=int(facts["order_id"]),
            position_id=int(facts["position_told"]),
            opened_cents=sum(opened_by(fill) for fill in fills),
            others_cents=facts.get("others_told"),
        ),
        prices=tuple(fill.price for fill in fills if fill.price is not None and opened_by(fill)),
    )
