"""What happens when."""

from __future__ import annotations

import anyio
import pytest

from anyctrader.fake.agenda import Agenda, Clock

pytestmark = pytest.mark.anyio


class Ran:
    def __init__(self) -> None:
        self.calls: list[str] = []
        self.errors: list[Exception] = []
        self.agenda = Agenda(clock_ms=5_000, failed=self.errors.append)
        self.done = anyio.Event()

    def note(self, name: str, due_s: float) -> None:
        self.agenda.call_at(due_s, lambda: self.calls.append(name))

    async def until_done(self) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.agenda.run)
            with anyio.fail_after(10):
                await self.done.wait()
            tasks.cancel_scope.cancel()


async def test_calls_are_made_in_the_order_of_their_times_then_of_their_entry() -> None:
    ran = Ran()
    now_s = ran.agenda.now_s()
    for name, due_s in (("c", 0.02), ("a", 0.01), ("d", 0.02), ("b", 0.01), ("past", -1)):
        ran.note(name, now_s + due_s)
    ran.agenda.call_at(now_s + 0.03, ran.done.set)
    await ran.until_done()
    assert ran.calls == ["past", "a", "b", "c", "d"]


async def test_an_earlier_call_entered_later_is_not_kept_waiting() -> None:
    ran = Ran()
    ran.agenda.call_after(1_000, lambda: ran.calls.append("far"))
    ran.agenda.call_after(0, lambda: ran.agenda.call_after(0.01, ran.done.set))
    await ran.until_done()
    assert ran.calls == []


async def test_a_cancelled_call_is_not_made() -> None:
    ran = Ran()
    timer = ran.agenda.call_after(0, lambda: ran.calls.append("cancelled"))
    timer.cancel()
    ran.agenda.call_after(0.01, ran.done.set)
    await ran.until_done()
    assert ran.calls == []


async def test_a_call_that_fails_is_reported_and_the_next_is_made() -> None:
    ran = Ran()

    def fail() -> None:
        raise KeyError("mine")

    ran.agenda.call_after(0, fail)
    ran.agenda.call_after(0.01, ran.done.set)
    await ran.until_done()
    assert [type(error) for error in ran.errors] == [KeyError]


async def test_a_call_that_is_always_due_again_keeps_nobody_from_running() -> None:
    ran = Ran()

    def again() -> None:
        ran.calls.append("again")
        ran.agenda.call_after(0, again)

    again()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ran.agenda.run)
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert 1 < len(ran.calls) < 200


async def test_the_clock_starts_where_it_is_told() -> None:
    ran = Ran()
    assert 5_000 <= ran.agenda.now_ms() < 15_000
    due_s = ran.agenda.due_s(5_050)
    ran.agenda.call_at(due_s, lambda: (ran.calls.append(str(ran.agenda.now_ms() >= 5_050)), ran.done.set())[0])
    await ran.until_done()
    assert ran.calls == ["True"]


async def test_a_held_clock_moves_only_when_it_is_told_and_each_call_has_its_own_moment() -> None:
    errors: list[Exception] = []
    agenda = Agenda(clock_ms=1_000, failed=errors.append, clock=Clock.HELD)
    said: list[tuple[str, int]] = []
    agenda.call_after(0.57, lambda: said.append(("later", agenda.now_ms())))

    def first() -> None:
        said.append(("first", agenda.now_ms()))
        agenda.call_after(0.1, lambda: said.append(("its follower", agenda.now_ms())))

    agenda.call_after(0.2, first)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(agenda.run)
        await anyio.wait_all_tasks_blocked()
        assert (agenda.now_ms(), said) == (1_000, [])
        agenda.pass_time(0.57)
        assert said == [("first", 1_200), ("its follower", 1_300), ("later", 1_570)]
        agenda.call_after(0, lambda: said.append(("at once", agenda.now_ms())))
        await anyio.wait_all_tasks_blocked()
        assert said[-1] == ("at once", 1_570)
        tasks.cancel_scope.cancel()
    assert errors == []


async def test_time_does_not_go_back_and_a_running_clock_is_not_pushed() -> None:
    with pytest.raises(ValueError, match="does not go back"):
        Agenda(clock_ms=None, failed=print, clock=Clock.HELD).pass_time(-1)
    with pytest.raises(RuntimeError, match="runs by itself"):
        Agenda(clock_ms=None, failed=print).pass_time(1)
