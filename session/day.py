"""The day of an account: what it has lost or won since it began, kept from events, rebuilt from the server."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import anyio

from ..wire import messages as oa
from ..wire import units
from . import clock
from .history import deals_between
from .limits import Result

if TYPE_CHECKING:
    from .account import Account
    from .books import Books

__all__ = ["Day", "start_of_day_ms"]

_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS
_LOOK_AHEAD_MS: Final = 60_000  # the server's clock is not ours
_LAG_S: Final = 60.0  # docs/protocol.md section 12: history lags; after a gap it is read again for so long


def start_of_day_ms(at_ms: int, *, hour: int) -> int:
    """When the day began that a moment belongs to: milliseconds since the epoch, UTC.

    Args:
        at_ms: the moment, milliseconds since the epoch.
        hour: the hour, UTC, at which days begin.
    """
    return at_ms - (at_ms - hour * _HOUR_MS) % _DAY_MS


class Day:
    """Reads and keeps the result of the day.

    Args:
        account: whose.
        books: of that account: its positions, and the ledger that its events fill.
        start_hour: the hour, UTC, at which days begin.
        fresh_s: how old a result may be to be given again.
    """

    def __init__(self, account: Account, *, books: Books, start_hour: int, fresh_s: float) -> None:
        self._account = account
        self._books = books
        self._start_hour = start_hour
        self._fresh_s = fresh_s
        self._reading = anyio.Lock()
        self._start_ms: int | None = None
        self._start_balance = Decimal(0)
        self._result: Result | None = None
        self._as_of: object = None  # what else the result rests on
        self._read_s = 0.0
        self._read_again_until_s = 0.0

    async def result(self) -> Result:
        """The result so far, at most so old as was said; asked of the server where it is older.

        Raises:
            RequestFailed: it could not be read.
            ValueError: what the server says of it cannot be read.
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
        now_ms = clock.utc_ms()
        start_ms = start_of_day_ms(now_ms, hour=self._start_hour)
        ledger = self._books.ledger
        if ledger.has_gap or self._start_ms != start_ms:
            self._read_again_until_s = clock.now_s() + _LAG_S
        if clock.now_s() <= self._read_again_until_s:
            await self._read_deals(start_ms, now_ms + _LOOK_AHEAD_MS)
        if self._start_ms != start_ms:
            self._start_balance = await self._balance_at(start_ms, now_ms)
            self._start_ms = start_ms
        basis, at_s = self._basis(), clock.now_s()
        unrealised = await self._unrealised()
        self._result = Result(
            realised=ledger.booked_since(start_ms), unrealised=unrealised, start_balance=self._start_balance
        )
        self._as_of, self._read_s = basis, at_s
        return self._result

    async def _read_deals(self, since_ms: int, until_ms: int) -> None:
        ledger = self._books.ledger
        ledger.has_gap = False  # what is missed while the list is on its way makes another one
        try:
            ledger.add(await deals_between(self._account, since_ms, until_ms))
        except BaseException:
            ledger.has_gap = True
            raise

    async def _balance_at(self, start_ms: int, now_ms: int) -> Decimal:
        """The balance at the start: that of now, without what was booked, paid in and paid out since.

        Of an account that was empty then, what was paid in since: it began its day with that.
        """
        flow = await self._account.ask(
            oa.ProtoOACashFlowHistoryListReq(fromTimestamp=start_ms, toTimestamp=now_ms + _LOOK_AHEAD_MS)
        )
        paid_in = sum(
            (_paid_in(row) for row in flow.depositWithdraw if row.changeBalanceTimestamp >= start_ms), Decimal(0)
        )
        trader = (await self._account.ask(oa.ProtoOATraderReq())).trader
        # No event can come between this answer and the sum: both are of the same moment.
        balance = _money(trader.balance, trader) - self._books.ledger.booked_since(start_ms) - paid_in
        return balance if balance > 0 else paid_in

    async def _unrealised(self) -> Decimal:
        if not self._books.positions.positions:
            return Decimal(0)
        answer = await self._account.ask(oa.ProtoOAGetPositionUnrealizedPnLReq())
        return sum((_money(row.netUnrealizedPnL, answer) for row in answer.positionUnrealizedPnL), Decimal(0))


def _paid_in(row: oa.ProtoOADepositWithdraw) -> Decimal:
    """What a row of the cash flow added: whether `delta` of a withdrawal has a sign is not known, so its type tells."""
    delta = _money(row.delta, row)
    try:
        type_ = oa.ProtoOAChangeBalanceType(row.operationType).name
    except ValueError:  # a newer server's
        return delta
    return -abs(delta) if "WITHDRAW" in type_ else abs(delta) if "DEPOSIT" in type_ else delta


def _money(amount: int, message: Any) -> Decimal:
    return units.money_from_wire(amount, money_digits=units.money_digits_of(message))
