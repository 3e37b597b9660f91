"""What the audit tells the books of the time before: deals on record, what was open, orders let through. Blocking.

Kept is what is asked for, and no more of it than the bounds below say, however large the files are.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from .day_files import files_of
from .past_orders import PastOrders
from .positions import Difference
from .provenance import TOLD, Departure, Provenance
from .recovery import lines_backwards

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from .environments import Environment
    from .holdings import Position
    from .positions import PositionBook

__all__ = ["FOLLOWED", "Past", "ms_of", "positions_before"]

FOLLOWED: Final = frozenset({"intent", "execution", "fill", "deal", "missed_deal", "record_begins"}) | TOLD
"""The facts that say something of it."""

_MOST_DEALS: Final = 10_000  # as many as a desk that is up keeps in mind (`DealMemory`)
_MOST_ORDERS: Final = 10_000  # of the last minute: 50 requests a second, which servers allow, are 3,000
_MINUTE_MS: Final = 60_000
_SNAPSHOTS: Final = "position_snapshot"
_LINES: Final = ("position", "order")
# What moves by an event only, and is told by its own line or not at all: swap and margin move without one.
_COMPARED: Final = (
    "symbol_id",
    "side",
    "volume_cents",
    "price",
    "take_profit",
    "guaranteed_stop_loss",
    "trailing_stop",
)
_NO_LEVELS: Final = ("symbol_id", "side", "volume_cents", "price")
"""Those that nothing but a deal changes."""


class Past:
    """Of one account, from its lines in the order in which they were written.

    Attributes:
        positions: what was open when the audit ends, by position id: the fields of its line in the last snapshot, or
            only what is known where events have changed it since; None where there is no snapshot.
        orders: what was waiting for its price then; None where no snapshot tells.
        provenance: what the server's orders are known to have come of.
    """

    def __init__(self) -> None:
        self.positions: dict[int, dict[str, Any]] | None = None
        self.orders: PastOrders | None = None
        self.provenance = Provenance()
        self._snapshot_at = ""
        self._deals: dict[int, int] = {}  # when each was made, by the server's clock
        self._newest_ms: int | None = None
        self._begins_ms: int | None = None
        self._orders_at: deque[str] = deque(maxlen=_MOST_ORDERS)
        self._open_cents: dict[int, tuple[int, object]] = {}  # by position: the last event's, and the deal that it told

    @property
    def deals(self) -> Iterable[int]:
        """The deals on record with what they booked: the newest ones."""
        return self._deals

    @property
    def deals_until_ms(self) -> int | None:
        """Up to when deals are on record, by the server's clock; None where none is, nor where they begin to be."""
        return self._begins_ms if self._newest_ms is None else self._newest_ms

    @property
    def deals_since_ms(self) -> int | None:
        """When the first of those deals was made, likewise; None where there is none."""
        return min(self._deals.values(), default=None)

    @property
    def begins_ms(self) -> int | None:
        """What was made until then, by the server's clock, was made before there was a record; None: not known."""
        return self._begins_ms

    def take(self, positions: dict[int, dict[str, Any]], *, at: str, orders: PastOrders | None = None) -> None:
        """The last snapshot. To be told before the lines.

        Args:
            positions: see the attribute.
            at: when it was written, as the lines have it.
            orders: see the attribute.
        """
        self.positions, self._snapshot_at, self.orders = positions, at, orders

    def follow(self, line: Mapping[str, Any]) -> None:
        """A line with one of the facts `FOLLOWED`; what cannot be understood is passed over."""
        fact = line["fact"]
        self.provenance.follow(line)
        self._count_open(fact, line)
        if fact == "execution":
            if self.positions is not None and str(line.get("at", "")) >= self._snapshot_at:
                self._move(self.positions, line)
                if self.orders is not None:
                    self.orders.move(line)
        elif fact == "intent":
            if line.get("request") == "place" or line.get("message") == "ProtoOANewOrderReq":
                self._orders_at.append(str(line.get("at", "")))
        elif isinstance(made_ms := line.get("executed_at_ms"), int):
            if fact != "record_begins":
                self._know(line.get("deal_id"), made_ms)
            elif self._begins_ms is None and self._newest_ms is None:
                self._begins_ms = made_ms

    def departure(self, position_id: object = None) -> Departure:
        """What was known when a request left that is on the next line.

        Args:
            position_id: what it closes, or None.
        """
        open_cents, _ = self._open_cents.get(position_id, (0, None)) if isinstance(position_id, int) else (0, None)
        return self.provenance.departure(open_cents=open_cents)

    def orders_of_minute_s(self, *, utc_ms: int, now_s: float) -> list[float]:
        """When the orders of the last minute were let through, by the clock that never jumps, oldest first.

        Args:
            utc_ms: the time now. One that was let through later than that, by a clock that was set, counts as of now.
            now_s: likewise, by the clock that never jumps.
        """
        found = []
        for at in self._orders_at:
            try:
                ago_ms = max(0, utc_ms - ms_of(at))
            except ValueError:
                continue
            if ago_ms < _MINUTE_MS:
                found.append(now_s - ago_ms / 1000)
        return sorted(found)

    def differences(self, book: PositionBook) -> list[Difference]:
        """What there is now, by the server's word, against what there was when the audit ended; told once."""
        orders, self.orders = self.orders, None
        found = self._differences(book.positions)
        return found + (orders.differences(book.orders) if orders is not None else [])

    def _differences(self, actual: Iterable[Position]) -> list[Difference]:
        if self.positions is None:
            return []
        believed, self.positions = self.positions, None
        found = []
        for position in actual:
            theirs, ours = position.described(), believed.pop(position.id, None)
            if ours is None:
                found.append(Difference("position", position.id, "existence", None, _shown(theirs)))
                continue
            whole = "id" in ours
            compared = _COMPARED if whole else tuple(ours)
            if whole and not position.trailing_stop:  # it moved, as it should, while nobody listened
                compared = (*compared, "stop_loss")
            found += [
                Difference("position", position.id, name, _text(ours.get(name)), _text(theirs.get(name)))
                for name in compared
                if ours.get(name) != theirs.get(name)
            ]
        return found + [
            Difference("position", id_, "existence", _shown(ours), None) for id_, ours in sorted(believed.items())
        ]

    def _know(self, deal_id: object, made_ms: int) -> None:
        if isinstance(deal_id, int):
            self._deals[deal_id] = made_ms
            self._newest_ms = made_ms if self._newest_ms is None else max(self._newest_ms, made_ms)
            if len(self._deals) > _MOST_DEALS:
                del self._deals[next(iter(self._deals))]

    def _count_open(self, fact: str, line: Mapping[str, Any]) -> None:
        position_id, open_cents = line.get("position_id"), line.get("open_volume_cents")
        if not isinstance(position_id, int):
            return
        if fact == "execution" and isinstance(open_cents, int):
            self._open_cents.pop(position_id, None)
            self._open_cents[position_id] = open_cents, line.get("deal_id")
            if len(self._open_cents) > _MOST_ORDERS:
                del self._open_cents[next(iter(self._open_cents))]
        elif "deal_id" in line and self._open_cents.get(position_id, (0, None))[1] != line["deal_id"]:
            self._open_cents.pop(position_id, None)  # a deal that no event told of: how much it left is not known

    @staticmethod
    def _move(positions: dict[int, dict[str, Any]], line: Mapping[str, Any]) -> None:
        position_id, open_cents = line.get("position_id"), line.get("open_volume_cents")
        if not isinstance(position_id, int) or not isinstance(open_cents, int):
            return
        if "deal_id" not in line:  # its levels may have changed, which the line does not tell
            if (held := positions.get(position_id)) is not None:
                positions[position_id] = {name: held[name] for name in _NO_LEVELS if name in held}
        elif open_cents > 0:
            positions[position_id] = {"volume_cents": open_cents}
        else:
            positions.pop(position_id, None)


def positions_before(folder: Path, environment: Environment, account_id: int) -> Past:
    """The past of an account as its last position snapshot that is whole tells it; empty where there is none.

    Args:
        folder: where the audit's files are.
        environment: whose account.
        account_id: its id.

    Raises:
        OSError: a file could not be read.
    """
    past = Past()
    lines: list[dict[str, Any]] = []
    mark = f'"environment":"{environment.value}"'.encode()
    for path in reversed(files_of(folder, _SNAPSHOTS)):
        with path.open("rb") as file:
            for _, text in lines_backwards(file):
                line = _read(text) if mark in text else None
                if line is None or line.get("account_id") != account_id:
                    continue
                if "open_positions" not in line:
                    lines.append(line)
                    continue
                # The head of the snapshot, whose lines follow it. A crash may have cut some of them off: then the one
                # before it tells, with the events since.
                whole = [each for each in lines if isinstance(each.get("volume_cents"), int)]
                positions = [each for each in whole if isinstance(each.get("id"), int)]
                orders = [each for each in whole if isinstance(each.get("order_id"), int)]
                if len(positions) == line["open_positions"] and len(orders) == line.get("pending_orders", 0):
                    past.take(
                        {each["id"]: each for each in positions},
                        at=str(line.get("at", "")),
                        orders=PastOrders(orders) if "pending_orders" in line else None,
                    )
                    return past
                lines.clear()
    return past


def ms_of(at: str) -> int:
    """The time of a line, milliseconds since the epoch.

    Raises:
        ValueError: it is none.
    """
    return int(datetime.fromisoformat(at).timestamp() * 1000)


def _read(text: bytes) -> dict[str, Any] | None:
    try:
        line = orjson.loads(text)
    except orjson.JSONDecodeError:  # `audit verify` names it
        return None
    return line if isinstance(line, dict) and line.get("fact") in _LINES else None


def _shown(position: Mapping[str, Any]) -> str:
    words = [str(position[name]) for name in ("side", "volume_cents") if name in position]
    return " ".join(words) + (f" of symbol {position['symbol_id']}" if "symbol_id" in position else "")


def _text(value: object) -> str | None:
    return None if value is None else str(value)
