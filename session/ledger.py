"""What has moved the balance of an account, each movement counted once. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ..wire import messages as oa
from ..wire import units
from .fills import Fill

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["EVENT_LAG_S", "Ledger", "money_of"]

EVENT_LAG_S = 0.1
"""An event that is on its way behind a balance is there by then."""

# What positions cost or earn beside the deals: a result of trading, and neither paid in nor out by anybody.
_CHARGES = frozenset(
    {
        oa.ProtoOAChangeBalanceType.BALANCE_DEPOSIT_DIVIDENDS,
        oa.ProtoOAChangeBalanceType.BALANCE_WITHDRAW_DIVIDENDS,
        oa.ProtoOAChangeBalanceType.BALANCE_DEPOSIT_SWAP,
        oa.ProtoOAChangeBalanceType.BALANCE_WITHDRAW_SWAP,
        oa.ProtoOAChangeBalanceType.BALANCE_WITHDRAW_GSL_CHARGE,
        oa.ProtoOAChangeBalanceType.BALANCE_WITHDRAW_ROLLOVER,
    }
)
_LATE_MS = 5_000  # whether the account list's time of a deal is quite that of the deal itself, nothing tells


@dataclass(frozen=True, slots=True)
class _Movement:
    at_ms: int  # the server's time
    version: int  # `balanceVersion`, or 0: which of two came first
    amount: Decimal | None  # None: it cannot be read
    balance: Decimal | None  # afterwards, likewise

    @property
    def place(self) -> tuple[int, int]:
        return self.at_ms, self.version


class Ledger:
    """The deals that closed something, whoever made them, what was charged beside them, and what was paid in and out.

    It is told by events and by lists.

    Attributes:
        version: another number each time that something was learned.
        has_gap: deals may have been missed: the server's list is to be read.
    """

    def __init__(self) -> None:
        self.version = 0
        self.has_gap = True
        self._booked: dict[int, _Movement] = {}  # by `dealId`
        self._charged: dict[int, _Movement] = {}  # by `balanceHistoryId`
        self._paid: dict[int, _Movement] = {}  # likewise

    def add(self, deals: Iterable[oa.ProtoOADeal]) -> None:
        """Counts deals; one that was counted before, or that closed nothing, changes nothing."""
        for deal in deals:
            if deal.dealId in self._booked or not deal.HasField("closePositionDetail"):
                continue
            fill = Fill.from_wire(deal)
            if fill is None:
                continue
            detail, net = deal.closePositionDetail, fill.realised.net if fill.realised is not None else None
            self._booked[deal.dealId] = _Movement(fill.at_ms, detail.balanceVersion, net, _money(detail, "balance"))
            self.version += 1

    def pay(self, rows: Iterable[oa.ProtoOADepositWithdraw]) -> None:
        """Counts rows of the cash flow: deposits, withdrawals, charges; one that was counted before changes nothing."""
        for row in rows:
            counted = self._charged if row.operationType in _CHARGES else self._paid
            if row.balanceHistoryId in counted:
                continue
            counted[row.balanceHistoryId] = _Movement(
                row.changeBalanceTimestamp, row.balanceVersion, _paid_in(row), _money(row, "balance")
            )
            self.version += 1

    def lose(self) -> None:
        """Deals may be missed from here on."""
        self.has_gap = True
        self.version += 1

    def booked_since(self, since_ms: int) -> Decimal:
        """What trading has moved the balance by: gross profit with all charges, those beside the deals too.

        Args:
            since_ms: from this time on, by the server's clock.

        Returns:
            deposit currency; losses are negative.

        Raises:
            ValueError: an amount could not be read, so the sum is not known.
        """
        booked = _sum("what deal {} has booked", self._booked, since_ms)
        return booked + _sum("what cash flow {} has charged", self._charged, since_ms)

    def paid_since(self, since_ms: int) -> Decimal:
        """What was paid in, less what was paid out. See `booked_since`."""
        return _sum("what cash flow {} has paid", self._paid, since_ms)

    def balance_before(self, at_ms: int) -> Decimal | None:
        """The balance after the last movement before that time, or None where none is known."""
        before = [each for each in self._all if each.at_ms < at_ms]
        return max(before, key=lambda each: each.place).balance if before else None

    def balance_ahead_of_first(self, since_ms: int) -> Decimal | None:
        """The balance ahead of the first known movement since that time, or None where none is known."""
        since = [each for each in self._all if each.at_ms >= since_ms]
        if not since:
            return None
        first = min(since, key=lambda each: each.place)
        return None if first.amount is None or first.balance is None else first.balance - first.amount

    def reaches_back(self, since_ms: int, until_ms: int) -> bool:
        """Whether a movement of that span is known, or the deal that ended it."""
        return any(since_ms <= each.at_ms <= until_ms for each in self._all) or any(
            until_ms < each.at_ms <= until_ms + _LATE_MS for each in self._booked.values()
        )

    def forget(self, before_ms: int) -> None:
        """What moved the balance before that time is forgotten, but for the last: the balance was left by it."""
        for kept in (self._booked, self._charged, self._paid):
            old = sorted((each.place, id_) for id_, each in kept.items() if each.at_ms < before_ms)
            for _, id_ in old[:-1]:
                del kept[id_]

    @property
    def _all(self) -> list[_Movement]:
        return [*self._booked.values(), *self._charged.values(), *self._paid.values()]


def money_of(message: Any, field: str) -> Decimal:
    """A field of money, in units of the deposit currency.

    Raises:
        ValueError: it cannot be read.
    """
    return units.money_from_wire(getattr(message, field), money_digits=units.money_digits_of(message))


def _sum(what: str, movements: dict[int, _Movement], since_ms: int) -> Decimal:
    total = Decimal(0)
    for id_, movement in movements.items():
        if movement.at_ms >= since_ms:
            if movement.amount is None:
                raise ValueError(f"{what.format(id_)} cannot be read")
            total += movement.amount
    return total


def _money(message: Any, field: str) -> Decimal | None:
    if not message.HasField(field):
        return None
    try:
        return money_of(message, field)
    except ValueError:
        return None


def _paid_in(row: oa.ProtoOADepositWithdraw) -> Decimal | None:
    """What a row of the cash flow added: whether `delta` of a withdrawal has a sign is not known, so its type tells."""
    delta = _money(row, "delta")
    try:
        type_ = oa.ProtoOAChangeBalanceType(row.operationType).name
    except ValueError:  # a newer server's
        return delta
    if delta is None:
        return None
    # By its first word: a bonus that is "nonwithdrawable" is paid in.
    if type_.startswith("BALANCE_WITHDRAW"):
        return -abs(delta)
    return abs(delta) if type_.startswith("BALANCE_DEPOSIT") else delta
