from __future__ import annotations

import math
from dataclasses import dataclass

from anyctrader.session.outbox import Outbox, Urgency
from anyctrader.session.settings import Rates
from anyctrader.session.throttle import Place, Throttle
from anyctrader.wire import Budget


@dataclass(eq=False)
class Paper:
    urgency: Urgency
    budget: Budget = Budget.ORDINARY
    payload_type: int = 2121
    leave_by_s: float = math.inf
    place: Place | None = None


def outbox(*, ordinary: int = 50, historical: int = 5) -> tuple[Outbox[Paper], Throttle]:
    throttle = Throttle(Rates(ordinary_per_s=ordinary, historical_per_s=historical))
    return Outbox(throttle), throttle


def test_what_closes_goes_ahead_of_what_opens_ahead_of_queries_ahead_of_history() -> None:
    box, _ = outbox()
    history = Paper(Urgency.HISTORY, Budget.HISTORICAL)
    papers = [history, Paper(Urgency.QUERY), Paper(Urgency.OPEN), Paper(Urgency.CLOSE), Paper(Urgency.SESSION)]
    for paper in papers:
        box.add(paper)
    assert box.take(now_s=0.0).ready == papers[::-1]
    assert len(box) == 0


def test_among_equals_the_oldest_goes_first() -> None:
    box, throttle = outbox(ordinary=2)
    papers = [Paper(Urgency.QUERY) for _ in range(4)]
    for paper in papers:
        box.add(paper)
    first = box.take(now_s=0.0)
    assert first.ready == papers[:2]
    assert 1.0 < first.look_again_s < 1.1
    for paper in first.ready:
        assert paper.place is not None
        throttle.answered(paper.place, now_s=0.05)
    assert box.take(now_s=first.look_again_s).ready == papers[2:]


def test_a_close_that_comes_late_still_takes_the_next_free_place() -> None:
    box, throttle = outbox(ordinary=1)
    box.add(Paper(Urgency.QUERY))
    (first,) = box.take(now_s=0.0).ready
    assert first.place is not None
    throttle.answered(first.place, now_s=0.05)
    box.add(Paper(Urgency.QUERY))
    close = Paper(Urgency.CLOSE)
    box.add(close)
    assert box.take(now_s=1.1).ready == [close]


def test_history_that_waits_for_its_budget_holds_nobody_up() -> None:
    box, _ = outbox(historical=1)
    for _ in range(3):
        box.add(Paper(Urgency.HISTORY, Budget.HISTORICAL))
    query = Paper(Urgency.QUERY)
    box.add(query)
    assert query in box.take(now_s=0.0).ready
    assert len(box) == 2


def test_a_blocked_type_waits_alone() -> None:
    box, throttle = outbox()
    throttle.block(2137, until_s=5.0)
    blocked, free = Paper(Urgency.QUERY, payload_type=2137), Paper(Urgency.QUERY)
    box.add(blocked)
    box.add(free)
    taken = box.take(now_s=0.0)
    assert taken.ready == [free]
    assert taken.look_again_s == 5.0
    assert box.take(now_s=5.0).ready == [blocked]


def test_what_waited_too_long_does_not_leave() -> None:
    box, _ = outbox(ordinary=1)
    box.add(Paper(Urgency.OPEN))
    late = Paper(Urgency.OPEN, leave_by_s=0.5)
    box.add(late)
    assert box.take(now_s=0.0).look_again_s == 0.5
    taken = box.take(now_s=2.0)
    assert [request for request, _ in taken.overdue] == [late]
    assert taken.ready == []


def test_a_request_can_be_withdrawn_until_it_has_left() -> None:
    box, _ = outbox()
    paper, other = Paper(Urgency.QUERY), Paper(Urgency.QUERY)
    box.add(paper)
    box.add(other)
    assert box.withdraw(paper)
    assert not box.withdraw(paper)
    assert box.take(now_s=0.0).ready == [other]
    assert not box.withdraw(other)


def test_nothing_survives_the_end_of_the_link() -> None:
    box, _ = outbox()
    papers = [Paper(Urgency.QUERY), Paper(Urgency.CLOSE)]
    for paper in papers:
        box.add(paper)
    assert sorted(map(id, box.clear())) == sorted(map(id, papers))
    assert box.take(now_s=0.0).ready == []
