"""When a request that the server has nothing of counts as never arrived."""

from __future__ import annotations

import pytest

from anyctrader.session.absences import Absences

REQUEST = "any request"


def looks(absences: Absences, *at_s: float) -> list[bool]:
    return [absences.missed(REQUEST, now_s=now_s) for now_s in at_s]


def severed(*, looks: int = 3) -> Absences:
    absences = Absences(looks=looks, over_s=30)
    absences.sever([REQUEST])
    return absences


@pytest.mark.parametrize("enough", [2, 3, 5])
def test_so_many_looks_over_the_time_are_proof_and_no_fewer(enough: int) -> None:
    absences = severed(looks=enough)
    assert looks(absences, 100, *[130] * (enough - 2)) == [False] * (enough - 1)
    assert looks(absences, 130) == [True]


def test_looks_that_lie_close_together_prove_nothing() -> None:
    assert looks(severed(), 100, 101, 102, 103, 129.9, 130) == [False] * 5 + [True]


def test_while_its_link_is_open_a_request_may_still_arrive() -> None:
    absences = Absences(looks=3, over_s=30)
    assert looks(absences, 0, 30, 60, 90) == [False] * 4
    absences.sever([REQUEST])
    assert looks(absences, 100, 115, 130) == [False, False, True]


def test_something_that_may_be_it_makes_the_looks_before_it_worth_nothing() -> None:
    absences = severed()
    assert looks(absences, 0, 15) == [False, False]
    absences.found(REQUEST)
    assert looks(absences, 30, 45, 60) == [False, False, True]


def test_one_that_is_over_is_not_looked_for_any_more() -> None:
    absences = severed()
    assert looks(absences, 0, 15) == [False, False]
    absences.over(REQUEST)
    assert looks(absences, 30, 45) == [False, False]
