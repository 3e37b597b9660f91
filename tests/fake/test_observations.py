"""Waiting for what clients do."""

from __future__ import annotations

import anyio
import pytest
from anyio.lowlevel import checkpoint

from anyctrader.fake import Observations, Seen

pytestmark = pytest.mark.anyio


def seen(name: str, client: int = 1) -> Seen:
    return Seen(client, 0, name)


async def test_what_was_seen_before_counts() -> None:
    observations = Observations(10)
    observations.add(seen("a"))
    observations.add(seen("b"))
    assert [found.name for found in await observations.wait_for("b")] == ["b"]


async def test_a_wait_ends_with_the_last_that_it_waits_for() -> None:
    observations = Observations(10)
    done = anyio.Event()

    async def wait() -> None:
        found = await observations.wait_for(lambda one: one.name in "ab", count=3)
        assert [one.name for one in found] == ["a", "b", "a"]
        done.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        for name in "aXb":
            await anyio.wait_all_tasks_blocked()
            observations.add(seen(name))
        await anyio.wait_all_tasks_blocked()
        assert not done.is_set()
        observations.add(seen("a"))
        with anyio.fail_after(5):
            await done.wait()


async def test_a_wait_may_be_for_new_things_or_for_one_client_only() -> None:
    observations = Observations(10)
    observations.add(seen("a"))
    mark = observations.total
    with pytest.raises(TimeoutError):
        await observations.wait_for("a", since=mark, timeout_s=0)
    observations.add(seen("a", client=2))
    with pytest.raises(TimeoutError):
        await observations.wait_for("a", since=mark, client=1, timeout_s=0)
    assert (await observations.wait_for("a", since=mark, client=2))[0].client == 2


async def test_a_wait_in_vain_says_what_came_instead() -> None:
    observations = Observations(10)
    observations.add(seen("other"))
    with pytest.raises(TimeoutError, match=r"0 of 2 wanted seen in 0 s; last seen: \['other'\]"):
        await observations.wait_for("wanted", count=2, timeout_s=0)


async def test_only_the_newest_are_kept_and_all_are_counted() -> None:
    observations = Observations(3)
    for number in range(10):
        observations.add(seen(str(number)))
    assert (observations.names(), len(observations), observations.total) == (["7", "8", "9"], 3, 10)
    assert [one.name for one in observations] == ["7", "8", "9"]
    with pytest.raises(TimeoutError):
        await observations.wait_for("1", timeout_s=0)


async def test_names_can_be_those_of_one_client() -> None:
    observations = Observations(3)
    observations.add(seen("a", client=1))
    observations.add(seen("b", client=2))
    assert observations.names(client=2) == ["b"]
    await checkpoint()


def test_a_message_with_a_secret_is_not_in_the_text() -> None:
    assert "hidden" not in repr(Seen(1, 0, "name", message="hidden"))
