"""Tasks in the background of a body: they end with it, and its exception comes out as it was raised."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from anyctrader.session.tasks import background

from .rig import no_exception_group

pytestmark = pytest.mark.anyio


async def test_the_tasks_end_with_the_body() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("work")

    async with background() as tasks:
        tasks.start_soon(work)
        await anyio.wait_all_tasks_blocked()
    assert ended == ["work"]


async def test_the_bodys_exception_is_not_wrapped() -> None:
    async def body() -> None:
        async with background() as tasks:
            tasks.start_soon(anyio.sleep_forever)
            raise KeyError("mine")

    with pytest.raises(KeyError) as caught:
        await body()
    assert no_exception_group(caught.value)


async def test_a_body_that_is_cancelled_is_cancelled() -> None:
    reached = False
    with anyio.CancelScope() as scope:
        async with background() as tasks:
            tasks.start_soon(anyio.sleep_forever)
            scope.cancel()
            await anyio.sleep_forever()
        reached = True
    assert scope.cancelled_caught
    assert not reached


async def test_a_task_that_fails_ends_the_body_and_is_told() -> None:
    async def fail() -> None:
        raise KeyError("a task's")

    async def body() -> None:
        async with background() as tasks:
            tasks.start_soon(fail)
            await anyio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        await body()
    assert caught.group_contains(KeyError, match="a task's")


async def test_a_body_that_is_cancelled_puts_things_in_order_with_its_tasks_still_at_work() -> None:
    told: list[str] = []

    async def body() -> None:
        asks, answers = anyio.Event(), anyio.Event()

        async def work() -> None:
            try:
                await asks.wait()
                await anyio.lowlevel.checkpoint()
                answers.set()
                await anyio.sleep_forever()
            finally:
                told.append("the task has ended")

        async with background() as tasks:
            tasks.start_soon(work)
            try:
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True), anyio.fail_after(5):
                    asks.set()
                    await answers.wait()
                    told.append("the body is in order")

    async with anyio.create_task_group() as around:
        around.start_soon(body)
        await anyio.wait_all_tasks_blocked()
        around.cancel_scope.cancel()
    assert told == ["the body is in order", "the task has ended"]


async def test_a_cancellation_before_the_body_begins_leaves_no_task_behind() -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        async with background() as tasks:
            tasks.start_soon(anyio.sleep_forever)
            await anyio.sleep_forever()
    assert scope.cancelled_caught
