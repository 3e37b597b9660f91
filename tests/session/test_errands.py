"""Blocking work that hangs: left in time, and nothing that it may do later does harm."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from anyctrader.session import ConnectFailed, Environment, Secret, strongroom
from anyctrader.session.disk import Disk
from anyctrader.session.errands import Errands
from anyctrader.session.strongroom import Strongroom
from anyctrader.session.token_store import StoredPair, TokenPair, TokenStore

pytestmark = [pytest.mark.anyio, pytest.mark.uvloop]

DEMO = Environment.DEMO
LONG_S = 20.0


class Hanging:
    """Work that blocks until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.ended = threading.Event()

    def __call__(self) -> str:
        self.entered.set()
        self.gate.wait(LONG_S)
        self.ended.set()
        return "brought"


@contextmanager
def hanging() -> Iterator[Hanging]:
    work = Hanging()
    try:
        yield work
    finally:
        work.gate.set()  # or its thread would hold up the end of the tests


async def until(true: Callable[[], object]) -> None:
    with anyio.fail_after(LONG_S):
        while not true():  # noqa: ASYNC110 - it comes true in a thread
            await anyio.sleep(0.005)


async def test_work_is_done_in_a_thread_and_its_result_or_its_error_comes_back() -> None:
    errands = Errands("the disk")
    here = threading.get_ident()
    assert await errands.run(threading.get_ident, within_s=LONG_S) != here

    def failing() -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        await errands.run(failing, within_s=LONG_S)


async def test_work_that_hangs_is_left_and_until_it_is_back_nothing_else_is_begun() -> None:
    errands, begun = Errands("the disk"), list[int]()
    with hanging() as work:
        with pytest.raises(ConnectFailed, match="the disk has not answered for"):
            await errands.run(work, within_s=0.05)
        with anyio.fail_after(LONG_S / 2):
            with pytest.raises(ConnectFailed, match="the disk has not answered for"):
                await errands.run(lambda: begun.append(1), within_s=LONG_S)
        assert begun == []
        work.gate.set()

        async def works() -> bool:
            try:
                await errands.run(lambda: begun.append(1), within_s=LONG_S)
            except ConnectFailed:
                return False
            return True

        with anyio.fail_after(LONG_S):
            while not await works():  # noqa: ASYNC110 - it comes true in a thread
                await anyio.sleep(0.005)
    assert begun == [1]


async def test_work_whose_time_went_by_while_the_process_stood_still_is_begun_all_the_same() -> None:
    errands, turns = Errands("the disk"), list[int]()

    async def stand_still() -> None:
        for turn in range(3):
            turns.append(turn)
            time.sleep(0.1)  # noqa: ASYNC251 - all of the loop is to stand still
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stand_still)
        assert await errands.run(lambda: "done", within_s=0.05) == "done"
        assert await errands.run(lambda: "done again", within_s=LONG_S) == "done again"
    assert turns == [0, 1, 2]


async def test_a_process_that_never_gets_to_its_work_says_so_and_leaves_nothing_behind() -> None:
    errands, begun = Errands("the disk"), list[int]()
    with pytest.raises(ConnectFailed, match="this process stands still"):
        await errands.run(lambda: begun.append(1), within_s=0)
    assert begun == []
    await errands.run(lambda: begun.append(2), within_s=LONG_S)
    assert begun == [2]


async def test_what_it_brings_too_late_is_put_away_and_what_waits_for_its_end_is_done_then() -> None:
    errands, away, done = Errands("the disk"), list[str](), list[bool]()
    errands.afterwards(lambda: done.append(True))
    assert done == [True], "nothing hangs"
    with hanging() as work:
        with pytest.raises(ConnectFailed):
            await errands.run(work, within_s=0.05, undo=away.append)
        errands.afterwards(lambda: done.append(work.ended.is_set()))
        assert (away, done) == ([], [True])
        work.gate.set()
        await until(lambda: len(done) == 2)
    assert (away, done) == (["brought"], [True, True])


async def test_who_is_cancelled_meanwhile_is_held_up_no_longer_than_the_work_may_take() -> None:
    errands = Errands("the disk")
    with hanging() as work, anyio.fail_after(LONG_S / 2):
        async with anyio.create_task_group() as tasks:
            outcome: list[BaseException] = []

            async def run() -> None:
                try:
                    await errands.run(work, within_s=0.3)
                except BaseException as error:
                    outcome.append(error)
                    raise

            async def run_or_not() -> None:
                try:
                    await run()
                except ConnectFailed:
                    await anyio.lowlevel.checkpoint()

            tasks.start_soon(run_or_not)
            await until(work.entered.is_set)
            tasks.cancel_scope.cancel()
        assert isinstance(outcome[0], ConnectFailed), "it was not left before its time"


# The store


class _Hanging(Disk):
    def __init__(self, work: Hanging, call: str) -> None:
        self._work = work
        self._call = call

    def sync(self, descriptor: int) -> None:
        if self._call == "sync" and not self._work.ended.is_set():
            self._work()
        super().sync(descriptor)

    def lock(self, descriptor: int) -> bool:
        if self._call == "lock" and not self._work.ended.is_set():
            self._work()
        return super().lock(descriptor)


def a_room(folder: Path, disk: Disk) -> Strongroom:
    return Strongroom(TokenStore(folder, DEMO, disk=disk), note=lambda *_, **__: None)


STORED = StoredPair(client_id="app", user_id=7, account_ids=(1,), pair=TokenPair(access_token=Secret("new")))


async def test_a_write_that_hangs_keeps_the_lock_until_it_is_over_and_cannot_come_behind_anothers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strongroom, "_DISK_S", 0.3)
    other = TokenStore(tmp_path, DEMO)
    with hanging() as work:
        room = a_room(tmp_path, _Hanging(work, "sync"))
        with pytest.raises(ConnectFailed, match=r"the disk under the token file .*demo\.tokens\.json has not answered"):
            async with room.locked():
                await room.save(STORED, instead_of=())
        assert other.lock() is None
        work.gate.set()
        taken: list[int] = []

        def free() -> bool:
            descriptor = other.lock()
            taken.extend([] if descriptor is None else [descriptor])
            return bool(taken)

        await until(free)
        assert other.read() == (STORED,)
        other.unlock(taken[0])


async def test_a_lock_that_is_got_too_late_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strongroom, "_DISK_S", 0.3)
    with hanging() as work:
        room = a_room(tmp_path, _Hanging(work, "lock"))
        with pytest.raises(ConnectFailed, match="has not answered"):
            async with room.locked():
                raise AssertionError("it was never got")
        work.gate.set()
        monkeypatch.setattr(strongroom, "_DISK_S", LONG_S)

        async def locks() -> bool:
            try:
                async with room.locked():
                    return True
            except ConnectFailed:  # its thread is not back yet
                return False

        with anyio.fail_after(LONG_S):
            while not await locks():  # noqa: ASYNC110 - it comes true in a thread
                await anyio.sleep(0.005)
