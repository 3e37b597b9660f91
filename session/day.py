"""The day of an account: what it has lost or won since it began, kept from events, rebuilt from the server.

Events may be lost, and the server's lists lag (docs/protocol.md section 12). Its balance does neither: what has gone
from it since the day began, and that no deal, deposit or withdrawal explains, is lost until one does. Nor does what it
says of the positions that are open, so that it is asked for where none is known, too.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

import anyio

from ..wire import messages as oa
from ..wire import units
from . import clock
from .history import HISTORY_LAG_S, LONGEST_SPAN_MS, cash_between, deals_between, last_deals_before
from .ledger import EVENT_LAG_S, money_of
from .limits import Result

if TYPE_CHECKING:
    from collections.abc import Callable

    from .account import Account
    from .books import Books

__all__ = ["Day", "start_of_day_ms"]

_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS
_LOOK_AHEAD_MS: Final = 60_000  # the server's clock is not ours
_SETTLED_S: Final = 5.0
"""So long nothing may explain what has gone before it trips the guard, which only a person lifts: a withdrawal of which
the event was lost is listed by then, as a rule. No order leaves meanwhile."""
_MOST_APART_S: Final = 60.0  # between two looks at lists that go on explaining nothing; they cost from the small budget
_TRIES: Final = 3  # while more and more happens during a look; the next order looks again


def start_of_day_ms(at_ms: int, *, hour: int) -> int:
    """When the day began that a moment belongs to: milliseconds since the epoch, UTC.

    Args:
        at_ms: the moment, milliseconds since the epoch.
        hour: the hour, UTC, at which days begin.
    """
    return at_ms - (at_ms - hour * _HOUR_MS) % _DAY_MS


class _Unexplained:
    """What the balance has moved by with nothing told that moved it: `amount`, of the last look."""

    def __init__(self, fresh_s: float) -> None:
        self.amount = Decimal(0)
        self._fresh_s = fresh_s
        self._since_s = 0.0  # that anything is
        self._apart_s = fresh_s
        self._next_s = 0.0

    def is_news(self, amount: Decimal) -> bool:
        """Whether it is another one than before, and so worth another look at once."""
        if amount == self.amount or not amount:
            return False
        now_s = clock.now_s()
        if not self.amount:
            self._since_s = now_s
        self._apart_s, self._next_s = self._fresh_s, now_s + self._fresh_s
        return True

    @property
    def is_settled(self) -> bool:
        """Whether it has been so for long enough to be believed."""
        return not self.amount or clock.now_s() - self._since_s >= _SETTLED_S

    def is_due(self) -> bool:
        """Whether the lists are to be looked at again; the next time later than that."""
        now_s = clock.now_s()
        if not self.amount or now_s < self._next_s:
            return False
        self._apart_s = min(2 * self._apart_s, _MOST_APART_S)
        self._next_s = now_s + self._apart_s
        return True


class Day:
    """Reads and keeps the result of the day.

    Args:
        account: whose.
        books: of that account: its positions, and the ledger that its events fill.
        start_hour: the hour, UTC, at which days begin.
        fresh_s: how old a result may be to be given again.
        doubt: called where the balance has moved, and nothing was told that moved it: a position may be gone, too; and
            where other positions have a result than are known to be open.
    """

    def __init__(
        self, account: Account, *, books: Books, start_hour: int, fresh_s: float, doubt: Callable[[], None]
    ) -> None:
        self._account = account
        self._books = books
        self._start_hour = start_hour
        self._fresh_s = fresh_s
        self._doubt = doubt
        self._reading = anyio.Lock()
        self._start_ms: int | None = None
        self._start_balance: Decimal | None = None
        self._unexplained = _Unexplained(fresh_s)
        self._apart: set[int] = set()  # the positions that have either a result or a place in the book, not both
        self._result: Result | None = None
        self._as_of: object = None  # what else the result rests on
        self._read_s = 0.0
        self._lists_s = 0.0  # when they were read last
        self._read_again_until_s = 0.0

    async def result(self) -> Result:
        """The result so far, at most so old as was said; asked of the server where it is older.

        Raises:
            RequestFailed: it could not be read.
            ValueError: what the server says of it cannot be read, or is not the whole day yet.
        """
        async with self._reading:  # orders that come together ask once
            known = self._known()
            return known if known is not None else await self._read()

    def _known(self) -> Result | None:
        fresh = clock.now_s() - self._read_s <= self._fresh_s
        return self._result if fresh and self._as_of == self._basis() else None

    def _basis(self) -> object:
        start_ms = start_of_day_ms(clock.utc_ms(), hour=self._start_hour)
        return self._books.ledger.version, start_ms, tuple(held.id for held in self._books.positions.positions)

    async def _read(self) -> Result:
        for _ in range(_TRIES):
            await self._read_lists()
            basis, at_s = self._basis(), clock.now_s()
            realised = await self._realised()
            # After the balance: what is closed in between is in neither for a moment, and never in both.
            unrealised = await self._unrealised()
            result = self._sum(realised, unrealised)
            if basis == self._basis():
                break
        self._result, self._as_of, self._read_s = result, basis, at_s
        return result

    async def _read_lists(self) -> None:
        now_ms = clock.utc_ms()
        start_ms, ledger = start_of_day_ms(now_ms, hour=self._start_hour), self._books.ledger
        begins = self._start_ms != start_ms
        if ledger.has_gap or begins:
            self._read_again_until_s = clock.now_s() + HISTORY_LAG_S
        now_s = clock.now_s()
        lags = now_s <= self._read_again_until_s and now_s - self._lists_s >= self._fresh_s
        due = self._unexplained.is_due()
        if not (ledger.has_gap or begins or lags or due):
            return
        self._lists_s = now_s
        until_ms = now_ms + _LOOK_AHEAD_MS
        # One span for both: the last movement of one kind tells nothing where a later one of the other is not seen.
        since_ms = until_ms - LONGEST_SPAN_MS
        had_gap, ledger.has_gap = ledger.has_gap, False  # what is missed while a list is on its way makes another one
        try:
            if begins:
                ledger.add(await last_deals_before(self._account, start_ms, since_ms=since_ms))
            if begins or due or had_gap:
                ledger.pay(await cash_between(self._account, since_ms, until_ms))
            ledger.add(await deals_between(self._account, start_ms, until_ms))
        except BaseException:
            ledger.has_gap = True
            raise
        if begins:
            self._begin(start_ms)

    def _begin(self, start_ms: int) -> None:
        """Another day. Where nothing tells its first balance, it is the last one's with what has moved it since."""
        ledger = self._books.ledger
        if self._start_ms is None or start_ms < self._start_ms:
            self._start_balance = None
        elif self._start_balance is not None:
            moved = ledger.booked_since(self._start_ms) + ledger.paid_since(self._start_ms)
            today = ledger.booked_since(start_ms) + ledger.paid_since(start_ms)
            self._start_balance += moved - today
        self._start_ms = start_ms
        ledger.forget(start_ms)

    async def _realised(self) -> Decimal:
        """What closing has brought, less what has gone with nothing told that took it."""
        unexplained, booked = await self._held_against_balance()
        if self._unexplained.is_news(unexplained):
            await anyio.sleep(EVENT_LAG_S)
            unexplained, booked = await self._held_against_balance()
            if unexplained:
                self._doubt()
                self._books.ledger.has_gap = True
                await self._read_lists()
                unexplained, booked = await self._held_against_balance()
        self._unexplained.amount = unexplained
        return booked + min(Decimal(0), unexplained)

    async def _held_against_balance(self) -> tuple[Decimal, Decimal]:
        """How much the balance has moved by since the day began that nothing explains, and what deals have booked."""
        ledger, start_ms = self._books.ledger, self._start_ms or 0
        trader = (await self._account.ask(oa.ProtoOATraderReq())).trader
        # No event can come between this answer and the sums: all are of the same moment.
        balance, booked = money_of(trader, "balance"), ledger.booked_since(start_ms)
        return balance - self._balance_at_start(balance) - booked - ledger.paid_since(start_ms), booked

    def _balance_at_start(self, balance: Decimal) -> Decimal:
        ledger, start_ms, closed_ms = self._books.ledger, self._start_ms or 0, self._account.closed_at_ms
        before = ledger.balance_before(start_ms)
        if before is not None:
            self._start_balance = before
        elif start_ms <= closed_ms and not ledger.reaches_back(start_ms, closed_ms):
            self._read_again_until_s = clock.now_s() + HISTORY_LAG_S
            raise ValueError("the last deal of the day is not in the server's list yet")
        elif (first := ledger.balance_ahead_of_first(start_ms)) is not None:
            self._start_balance = first
        elif self._start_balance is None:
            self._start_balance = balance
        return self._start_balance

    def _sum(self, realised: Decimal, unrealised: Decimal) -> Result:
        assert self._start_balance is not None
        start = self._start_balance
        return Result(
            realised=realised,
            unrealised=unrealised,
            # An account that was empty then began its day with what was paid in since.
            start_balance=start if start > 0 else self._books.ledger.paid_since(self._start_ms or 0),
            unexplained=min(Decimal(0), self._unexplained.amount),
            is_settled=self._unexplained.is_settled,
        )

    async def _unrealised(self) -> Decimal:
        unrealised, apart = await self._held_against_book()
        if not apart <= self._apart:
            await anyio.sleep(EVENT_LAG_S)  # they come and go while the answer is on its way
            unrealised, apart = await self._held_against_book()
            if not apart <= self._apart:
                self._doubt()
        self._apart = apart
        if left_out := [held.id for held in self._books.positions.positions if held.id in apart]:
            raise ValueError(f"the server says nothing of position {', '.join(map(str, left_out))}")
        return unrealised

    async def _held_against_book(self) -> tuple[Decimal, set[int]]:
        """What is open has brought so far, and the positions that only one of the two knows, the server or the book."""
        answer = await self._account.ask(oa.ProtoOAGetPositionUnrealizedPnLReq())
        # No event can come between this answer and the book: both are of the same moment.
        digits, rows = units.money_digits_of(answer), answer.positionUnrealizedPnL
        unrealised = (units.money_from_wire(row.netUnrealizedPnL, money_digits=digits) for row in rows)
        held = {position.id for position in self._books.positions.positions}
        return sum(unrealised, Decimal(0)), held ^ {row.positionId for row in rows}
