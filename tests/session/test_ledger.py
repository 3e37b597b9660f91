"""What deals have booked."""

from __future__ import annotations

from decimal import Decimal

import pytest

from anyctrader.session.ledger import Ledger
from anyctrader.wire import messages as oa


def closing(
    deal_id: int, net_cents: int, *, at_ms: int = 1_000, money_digits: int = 2, balance_cents: int = 0, version: int = 0
) -> oa.ProtoOADeal:
    """A deal that closed something: four parts that are *net_cents* together."""
    return oa.ProtoOADeal(
        dealId=deal_id,
        orderId=1,
        positionId=1,
        volume=100,
        filledVolume=100,
        symbolId=1,
        createTimestamp=at_ms,
        executionTimestamp=at_ms,
        tradeSide=oa.ProtoOATradeSide.BUY,
        dealStatus=oa.ProtoOADealStatus.FILLED,
        closePositionDetail=oa.ProtoOAClosePositionDetail(
            entryPrice=1.0,
            grossProfit=net_cents + 60,
            swap=-10,
            commission=-20,
            pnlConversionFee=-30,
            balance=balance_cents,
            balanceVersion=version,
            moneyDigits=money_digits,
        ),
    )


def paid(id_: int, delta_cents: int, *, at_ms: int = 1_000, balance_cents: int = 0) -> oa.ProtoOADepositWithdraw:
    """A deposit, or a withdrawal where it is below zero."""
    types = oa.ProtoOAChangeBalanceType
    return oa.ProtoOADepositWithdraw(
        operationType=types.BALANCE_DEPOSIT if delta_cents > 0 else types.BALANCE_WITHDRAW,
        balanceHistoryId=id_,
        balance=balance_cents,
        delta=abs(delta_cents),
        changeBalanceTimestamp=at_ms,
        moneyDigits=2,
    )


@pytest.mark.parametrize("type_", list(oa.ProtoOAChangeBalanceType))
def test_each_kind_of_cash_flow_has_the_sign_and_the_place_that_its_name_says(
    type_: oa.ProtoOAChangeBalanceType,
) -> None:
    row = paid(1, 500)
    row.operationType = type_
    ledger = Ledger()
    ledger.pay([row, row])
    moved = Decimal(5) if type_.name.startswith("BALANCE_DEPOSIT_") or type_.name == "BALANCE_DEPOSIT" else Decimal(-5)
    charge = type_.name.split("_", 2)[-1] in ("DIVIDENDS", "SWAP", "GSL_CHARGE", "ROLLOVER")
    assert (ledger.booked_since(0), ledger.paid_since(0)) == ((moved, 0) if charge else (0, moved))


def test_a_deal_is_counted_once_with_all_its_charges() -> None:
    ledger = Ledger()
    ledger.add([closing(1, -500), closing(2, 120)])
    before = ledger.version
    ledger.add([closing(1, -500)])
    assert ledger.version == before
    assert ledger.booked_since(0) == Decimal("-3.80")


def test_a_deal_that_opened_books_nothing() -> None:
    opening = closing(1, -500)
    opening.ClearField("closePositionDetail")
    rejected = closing(2, -500)
    rejected.dealStatus = oa.ProtoOADealStatus.REJECTED
    ledger = Ledger()
    ledger.add([opening, rejected])
    assert (ledger.version, ledger.booked_since(0)) == (0, 0)


def test_a_day_counts_what_was_booked_since_it_began() -> None:
    ledger = Ledger()
    ledger.add([closing(1, -500, at_ms=999), closing(2, -120, at_ms=1_000)])
    assert ledger.booked_since(1_000) == Decimal("-1.20")


def test_an_amount_that_cannot_be_read_makes_the_sum_unknown() -> None:
    ledger = Ledger()
    ledger.add([closing(7, -500, money_digits=99)])
    with pytest.raises(ValueError, match="deal 7"):
        ledger.booked_since(0)


def test_a_ledger_knows_that_it_may_have_missed_something() -> None:
    ledger = Ledger()
    assert ledger.has_gap, "nothing was read yet"
    ledger.has_gap = False
    before = ledger.version
    ledger.lose()
    assert ledger.has_gap
    assert ledger.version != before


def test_a_cash_flow_is_counted_once_and_its_type_tells_its_sign() -> None:
    ledger = Ledger()
    ledger.pay([paid(1, 500), paid(2, -120)])
    before = ledger.version
    ledger.pay([paid(1, 500)])
    assert ledger.version == before
    assert (ledger.paid_since(0), ledger.booked_since(0)) == (Decimal("3.80"), 0)


def test_the_balance_is_told_by_the_movements_around_a_moment() -> None:
    ledger = Ledger()
    assert (ledger.balance_before(1_000), ledger.balance_ahead_of_first(1_000)) == (None, None)
    ledger.add([closing(1, -500, at_ms=998, balance_cents=9_500)])
    ledger.add([closing(3, -10, at_ms=999, balance_cents=9_480, version=8)])
    ledger.add([closing(2, -10, at_ms=999, balance_cents=9_490, version=7)])
    ledger.pay([paid(1, 700, at_ms=1_000, balance_cents=10_180)])
    assert ledger.balance_before(1_000) == Decimal("94.80")
    assert ledger.balance_ahead_of_first(1_000) == Decimal("94.80")
    ledger.forget(1_000)
    assert ledger.booked_since(0) == Decimal("-0.10")
    assert ledger.balance_before(1_000) == Decimal("94.80")
