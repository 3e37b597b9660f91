"""The states that a session passes through, and whoever waits for one of them."""

from __future__ import annotations

import anyio
import pytest

from anyctrader.session import Environment, SessionClosed, SessionState
from anyctrader.session.course import Course
from anyctrader.session.states import SessionInput

pytestmark = [pytest.mark.anyio, pytest.mark.uvloop]


def a_course() -> Course:
    return Course(Environment.DEMO, note=lambda *_, **__: None)


async def test_a_state_that_is_over_before_its_waiter_runs_is_not_missed() -> None:
    course, met = a_course(), list[SessionState]()

    async def wait() -> None:
        met.append(await course.wait_for(SessionState.WAITING))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            course.move(SessionInput.LOST, "no link")
            course.move(SessionInput.RETRY, "trying again")  # in the same turn: a delay of nearly nothing
    assert (met, course.state) == ([SessionState.WAITING], SessionState.CONNECTING)


async def test_who_waits_for_a_state_that_will_not_come_is_told_when_the_session_is_left() -> None:
    course, told = a_course(), list[str]()

    async def wait() -> None:
        with pytest.raises(SessionClosed) as closed:
            await course.wait_for(SessionState.READY)
        told.append(str(closed.value))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            course.move(SessionInput.LEFT, "left")
            course.end()
        await wait()
        assert await course.wait_for(SessionState.READY, SessionState.CLOSED) is SessionState.CLOSED
    assert told == ["the session of demo was left"] * 2
