"""When an order that the server has nothing of counts as never arrived."""

from __future__ import annotations

from typing import Any, cast

import pytest

from anyctrader.session.absences import LOOKS, Absences
from anyctrader.session.order_record import OrderRecord


class _Record:
    """What is asked of a record here."""

    order_id: int | None = None


@pytest.fixture
def record() -> OrderRecord:
    return cast("OrderRecord", _Record())


def looks(absences: Absences, record: Any, *at_s: float) -> list[bool]:
    return [absences.missed(record, now_s=now_s) for now_s in at_s]


def test_three_looks_over_the_time_are_proof_and_no_fewer(record: OrderRecord) -> None:
    absences = Absences(over_s=30)
    absences.sever([record])
    assert LOOKS == 3
    assert looks(absences, record, 100, 130) == [False, False]
    assert looks(absences, record, 130) == [True]


def test_looks_that_lie_close_together_prove_nothing(record: OrderRecord) -> None:
    absences = Absences(over_s=30)
    absences.sever([record])
    assert looks(absences, record, 100, 101, 102, 103, 129.9, 130) == [False] * 5 + [True]


def test_while_its_link_is_open_an_order_may_still_arrive(record: OrderRecord) -> None:
    absences = Absences(over_s=30)
    assert looks(absences, record, 0, 30, 60, 90) == [False] * 4
    absences.sever([record])
    assert looks(absences, record, 100, 115, 130) == [False, False, True]


def test_an_order_that_the_server_has_named_did_arrive(record: OrderRecord) -> None:
    absences = Absences(over_s=30)
    absences.sever([record])
    record.order_id = 7
    assert looks(absences, record, 0, 30, 60, 90) == [False] * 4


def test_something_that_may_be_it_makes_the_looks_before_it_worth_nothing(record: OrderRecord) -> None:
    absences = Absences(over_s=30)
    absences.sever([record])
    assert looks(absences, record, 0, 15) == [False, False]
    absences.found(record)
    assert looks(absences, record, 30, 45, 60) == [False, False, True]
