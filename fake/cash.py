"""Money that comes and goes without trading: deposits, withdrawals, bonuses (docs/protocol.md section 10.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import messages as oa
from .pushes import Cause

if TYPE_CHECKING:
    from .accounts import Account
    from .floor import Floor

__all__ = ["change_balance", "change_bonus"]

_Types = oa.ProtoOAChangeBalanceType
_Bonus = oa.ProtoOAChangeBonusType


def change_balance(floor: Floor, account: Account, amount: int, *, note: str) -> None:
    """Book a deposit, or a withdrawal where `amount` is below zero, and say so in an event without an order."""
    account.book(amount, at_ms=floor.now_ms)
    flow = oa.ProtoOADepositWithdraw(
        operationType=_Types.BALANCE_DEPOSIT if amount >= 0 else _Types.BALANCE_WITHDRAW,
        balanceHistoryId=floor.numbers.next_balance(),
        balance=account.balance,
        delta=amount,
        changeBalanceTimestamp=floor.now_ms,
        externalNote=note,
        balanceVersion=account.balance_version,
        equity=account.equity(floor.market),
        moneyDigits=account.settings.money_digits,
    )
    account.cash.append(flow)
    event = oa.ProtoOAExecutionEvent(
        ctidTraderAccountId=account.account_id,
        executionType=oa.ProtoOAExecutionType.DEPOSIT_WITHDRAW,
        isServerEvent=True,
    )
    event.depositWithdraw.CopyFrom(flow)
    floor.send(account, event, Cause.SERVER, origin=None)


def change_bonus(floor: Floor, account: Account, amount: int, *, note: str) -> None:
    """Give a bonus of the broker's, or take it back where `amount` is below zero. It is no part of the balance."""
    account.bonus += amount
    event = oa.ProtoOAExecutionEvent(
        ctidTraderAccountId=account.account_id,
        executionType=oa.ProtoOAExecutionType.BONUS_DEPOSIT_WITHDRAW,
        isServerEvent=True,
    )
    event.bonusDepositWithdraw.CopyFrom(
        oa.ProtoOABonusDepositWithdraw(
            operationType=_Bonus.BONUS_DEPOSIT if amount >= 0 else _Bonus.BONUS_WITHDRAW,
            bonusHistoryId=floor.numbers.next_balance(),
            managerBonus=account.bonus,
            managerDelta=amount,
            ibBonus=0,
            ibDelta=0,
            changeBonusTimestamp=floor.now_ms,
            externalNote=note,
            moneyDigits=account.settings.money_digits,
        )
    )
    floor.send(account, event, Cause.SERVER, origin=None)
