"""The order audit: on disk before anything leaves, refused where that cannot be, never in anybody's way."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from anyctrader.session import audit as audit_module
from anyctrader.session.audit import Audit, open_audit
from anyctrader.session.disk import Disk
from anyctrader.session.environments import Environment
from anyctrader.session.errors import AuditUnavailable, Refused
from anyctrader.session.verification import verify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

pytestmark = pytest.mark.anyio

DEMO, LIVE = Environment.DEMO, Environment.LIVE
AT_MS = 1_795_376_400_123


class GatedDisk(Disk):
    """A real disk that can be held at its syncs, and made to fail."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.at_gate = threading.Event()
        self.error: int | None = None
        self.full = False
        self.syncs = 0

    def sync(self, descriptor: int) -> None:
        self.at_gate.set()
        assert self.gate.wait(30)
        if self.error is not None:
            raise OSError(self.error, os.strerror(self.error))
        super().sync(descriptor)
        self.syncs += 1

    def write(self, descriptor: int, data: bytes) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(descriptor, data)

    def allocate(self, descriptor: int, before: int, size: int) -> None:
        if self.full and size > before:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().allocate(descriptor, before, size)

    def shrink(self, path: Path, size: int) -> None:
        super().shrink(path, size)
        self.full = False

    async def held(self) -> None:
        """Returns when a thread waits at the gate."""
        await anyio.to_thread.run_sync(self.at_gate.wait, 30)

    def hold(self) -> None:
        self.at_gate.clear()
        self.gate.clear()


@pytest.fixture
def disk() -> Iterator[GatedDisk]:
    gated = GatedDisk()
    yield gated
    gated.gate.set()


@pytest.fixture
async def audit(tmp_path: Path, disk: GatedDisk) -> AsyncIterator[Audit]:
    async with opened(tmp_path, disk) as audit:
        yield audit


def opened(folder: Path, disk: Disk, **options: Any) -> AbstractAsyncContextManager[Audit]:
    standard = {"disk": disk, "clock": lambda: AT_MS, "reserve_bytes": 65536, "timeout_s": 20}
    return open_audit(folder, **standard | options)


def lines(folder: Path, stem: str = "order_audit") -> list[dict[str, Any]]:
    """Those of a file but for the one that names its columns, numbered without it."""
    found = [json.loads(line) for line in (folder / f"{stem}.jsonl").read_bytes().splitlines()]
    for line in found[1:]:
        line["seq"] -= line["environment"] == found[0]["environment"]
    assert [line["fact"] for line in found[:1]] in ([], ["columns"])
    return found[1:]


def facts(folder: Path) -> list[str]:
    return [line["fact"] for line in lines(folder)]


async def test_a_record_is_on_disk_when_it_returns(audit: Audit, disk: GatedDisk, tmp_path: Path) -> None:
    before = disk.syncs
    await audit.record(DEMO, "intent", {"order": "o-1", "price": Decimal("1.0850"), "volume_cents": 100_000})
    assert disk.syncs == before + 1
    (line,) = lines(tmp_path)
    assert line["environment"] == "demo"
    assert line["at"] == "2026-11-22T19:40:00.123Z"
    assert (line["fact"], line["order"], line["price"], line["volume_cents"]) == ("intent", "o-1", "1.0850", 100_000)


async def test_a_record_does_not_return_before_its_sync(audit: Audit, disk: GatedDisk) -> None:
    returned = anyio.Event()

    async def record() -> None:
        await audit.record(DEMO, "intent")
        returned.set()

    async with anyio.create_task_group() as tasks:
        disk.hold()
        tasks.start_soon(record)
        await disk.held()
        await anyio.wait_all_tasks_blocked()
        assert not returned.is_set()
        disk.gate.set()


async def test_one_sync_covers_many_records(audit: Audit, disk: GatedDisk, tmp_path: Path) -> None:
    before = disk.syncs
    async with anyio.create_task_group() as tasks:
        disk.hold()
        for n in range(100):
            tasks.start_soon(audit.record, DEMO, "intent", {"n": n})
        await disk.held()
        await anyio.wait_all_tasks_blocked()
        disk.gate.set()
    assert disk.syncs - before <= 3
    assert {line["n"] for line in lines(tmp_path)} == set(range(100))
    assert verify(tmp_path) == []


async def test_lines_of_live_come_first_in_each_group(audit: Audit, disk: GatedDisk, tmp_path: Path) -> None:
    disk.hold()
    audit.note(DEMO, "first")
    await disk.held()
    for n in range(3):
        audit.note(DEMO, "d", {"n": n})
        audit.note(LIVE, "l", {"n": n})
    disk.gate.set()
    await audit.flush()
    assert [(line["fact"], line.get("n")) for line in lines(tmp_path)] == [
        ("first", None),
        ("l", 0),
        ("l", 1),
        ("l", 2),
        ("d", 0),
        ("d", 1),
        ("d", 2),
    ]


async def test_a_note_before_a_record_is_before_it_in_the_file(audit: Audit, tmp_path: Path) -> None:
    audit.note(DEMO, "filled")
    await audit.record(DEMO, "intent")
    audit.note(DEMO, "sent")
    await audit.flush()
    assert facts(tmp_path) == ["filled", "intent", "sent"]


async def test_fields_are_taken_as_they_are_at_the_call(audit: Audit, tmp_path: Path) -> None:
    fields = {"n": 1}
    audit.note(DEMO, "fact", fields)
    fields["n"] = 2
    await audit.flush()
    assert lines(tmp_path)[0]["n"] == 1


async def test_a_secret_is_refused_and_nothing_is_written(audit: Audit, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="access_token"):
        await audit.record(DEMO, "intent", {"access_token": "hunter2"})
    with pytest.raises(ValueError, match="accessToken"):
        audit.note(DEMO, "intent", {"accessToken": "hunter2"})
    await audit.flush()
    assert facts(tmp_path) == []


async def test_position_snapshots_have_a_file_and_a_chain_of_their_own(audit: Audit, tmp_path: Path) -> None:
    await audit.record(DEMO, "intent")
    audit.snapshot(DEMO, {"position_id": 5})
    audit.snapshot(LIVE, {"position_id": 6})
    await audit.flush()
    written = lines(tmp_path, "position_snapshot")
    assert [(line["environment"], line["seq"], line["position_id"]) for line in written] == [
        ("live", 1, 6),
        ("demo", 1, 5),
    ]
    assert facts(tmp_path) == ["intent"]
    assert verify(tmp_path) == []


async def test_each_line_of_a_sandbox_says_so(tmp_path: Path) -> None:
    async with open_audit(tmp_path / "logs" / "sandbox", sandbox=True) as audit:
        await audit.record(LIVE, "intent")
        audit.snapshot(LIVE, {})
    for stem in ("order_audit", "position_snapshot"):
        assert [line["sandbox"] for line in lines(tmp_path / "logs" / "sandbox", stem)] == [True]


async def test_leaving_writes_what_still_waits(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit:
        for n in range(2500):
            audit.note(DEMO, "tick", {"n": n})
    assert [line["n"] for line in lines(tmp_path)] == list(range(2500))
    with pytest.raises(AuditUnavailable, match="closed"):
        await audit.record(DEMO, "intent")
    with pytest.raises(AuditUnavailable, match="too late"):
        audit.note(DEMO, "intent")


async def test_leaving_by_cancellation_writes_what_still_waits(tmp_path: Path) -> None:
    with anyio.CancelScope() as scope:
        async with open_audit(tmp_path) as audit:
            audit.note(DEMO, "last")
            scope.cancel()
            await checkpoint()
    assert scope.cancelled_caught
    assert facts(tmp_path) == ["last"]


async def test_an_error_of_the_body_comes_out_as_itself(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="mine"):  # noqa: PT012 - the block is what is tested
        async with open_audit(tmp_path) as audit:
            audit.note(DEMO, "last")
            raise KeyError("mine")
    assert facts(tmp_path) == ["last"]


async def test_the_chain_goes_on_at_the_next_opening(tmp_path: Path) -> None:
    for _ in range(3):
        async with open_audit(tmp_path) as audit:
            await audit.record(DEMO, "intent")
            audit.snapshot(DEMO, {})
    assert [line["seq"] for line in lines(tmp_path)] == [1, 2, 3]
    assert verify(tmp_path) == []


async def test_a_torn_last_line_is_told_in_the_file(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit:
        await audit.record(DEMO, "intent")
    with (tmp_path / "order_audit.jsonl").open("ab") as file:
        file.write(b'{"at":"2026-11-22T19:40:00.123Z","environment":"demo","s')
    async with open_audit(tmp_path):
        pass
    told = lines(tmp_path)[-1]
    assert (told["fact"], told["environment"], told["bytes"]) == ("torn_line", "demo", 56)
    assert (tmp_path / told["set_aside"]).exists()
    assert verify(tmp_path) == []


# the disk refuses


@pytest.mark.parametrize("code", [errno.EROFS, errno.EIO])
async def test_what_cannot_be_written_is_refused_with_what_to_do(
    audit: Audit, disk: GatedDisk, tmp_path: Path, code: int
) -> None:
    disk.error = code
    with pytest.raises(AuditUnavailable, match=os.strerror(code)) as refusal:
        await audit.record(DEMO, "intent")
    assert isinstance(refusal.value, Refused)
    assert isinstance(refusal.value.__cause__, OSError)
    assert str(tmp_path) in str(refusal.value)
    assert audit.trouble is not None
    disk.error = None
    await audit.record(DEMO, "again")
    assert audit.trouble is None
    assert facts(tmp_path) == ["again"]
    assert verify(tmp_path) == []


async def test_notes_wait_until_the_disk_takes_them(audit: Audit, disk: GatedDisk, tmp_path: Path) -> None:
    disk.error = errno.EIO
    audit.note(DEMO, "filled")
    with pytest.raises(AuditUnavailable):
        await audit.record(DEMO, "intent")
    disk.error = None
    await audit.flush()
    assert facts(tmp_path) == ["filled"]


async def test_on_a_full_disk_opens_are_refused_and_closes_go_on_record(
    audit: Audit, disk: GatedDisk, tmp_path: Path
) -> None:
    disk.full = True
    with pytest.raises(AuditUnavailable, match="free space"):
        await audit.record(DEMO, "open")
    await audit.record(LIVE, "close", essential=True)
    disk.full = True
    audit.note(LIVE, "closed", essential=True)
    audit.note(DEMO, "refused")
    await audit.record(DEMO, "cancel", essential=True)
    disk.full = True
    with pytest.raises(AuditUnavailable, match="free space"):
        await audit.record(DEMO, "open")
    assert [fact for fact in facts(tmp_path) if fact != "reserve_incomplete"] == ["close", "closed", "cancel"]
    disk.full = False
    await audit.record(DEMO, "open")
    assert facts(tmp_path)[-1] == "open"
    assert "refused" in facts(tmp_path)
    assert verify(tmp_path) == []


# the disk stalls


async def test_a_stalled_disk_refuses_in_time_and_blocks_nobody(tmp_path: Path, disk: GatedDisk) -> None:
    async with opened(tmp_path, disk, timeout_s=0.5) as audit:
        disk.hold()
        with pytest.raises(AuditUnavailable, match=r"0\.5 s"):
            await audit.record(DEMO, "stalled")
        # From now on it is known: a caller gives a disk that hangs no more than a look.
        while audit.trouble is None:
            await checkpoint()
        before_s = anyio.current_time()
        with pytest.raises(AuditUnavailable, match="answers"):
            await audit.record(LIVE, "refused at once")
        assert anyio.current_time() - before_s < 0.5
        audit.note(LIVE, "filled")
        with pytest.raises(AuditUnavailable):
            await audit.flush()
        disk.gate.set()
        while audit.trouble is not None:
            await checkpoint()
    # The stalled line was on its way, so it is there; the refused one is not.
    assert facts(tmp_path) == ["stalled", "filled"]
    assert verify(tmp_path) == []


async def test_a_standstill_of_the_program_while_a_record_is_at_the_disk_is_not_the_disks(
    tmp_path: Path, disk: GatedDisk
) -> None:
    async with opened(tmp_path, disk, timeout_s=0.5) as audit, anyio.create_task_group() as tasks:
        disk.hold()
        tasks.start_soon(audit.record, DEMO, "intent")
        await disk.held()
        tasks.start_soon(audit.flush)
        await checkpoint()
        disk.gate.set()
        time.sleep(0.6)  # noqa: ASYNC251 - the loop stands still, as it does for a computation or SIGSTOP
    assert facts(tmp_path) == ["intent"]


@pytest.mark.parametrize("essential", [False, True])
async def test_a_record_right_after_a_standstill_is_not_refused_for_a_disk_that_has_answered(
    tmp_path: Path, disk: GatedDisk, essential: bool
) -> None:
    async with opened(tmp_path, disk, timeout_s=0.5) as audit:
        disk.hold()
        audit.note(DEMO, "filled")
        await disk.held()
        disk.gate.set()
        time.sleep(0.6)  # noqa: ASYNC251 - see above
        await audit.record(DEMO, "intent", essential=essential)
    assert facts(tmp_path) == ["filled", "intent"]


async def test_a_record_that_is_cancelled_while_it_waits_is_taken_back(
    audit: Audit, disk: GatedDisk, tmp_path: Path
) -> None:
    disk.hold()
    audit.note(DEMO, "first")
    await disk.held()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(audit.record, DEMO, "cancelled")
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    disk.gate.set()
    await audit.flush()
    assert facts(tmp_path) == ["first"]


async def test_a_record_that_is_cancelled_on_its_way_leaves_the_file_whole(
    audit: Audit, disk: GatedDisk, tmp_path: Path
) -> None:
    disk.hold()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(audit.record, DEMO, "cancelled")
        await disk.held()
        tasks.cancel_scope.cancel()
    disk.gate.set()
    await audit.record(DEMO, "next")
    assert facts(tmp_path) == ["cancelled", "next"]
    assert verify(tmp_path) == []


async def test_leaving_does_not_wait_for_ever_and_the_lock_holds_until_the_thread_is_back(
    tmp_path: Path, disk: GatedDisk
) -> None:
    with pytest.raises(AuditUnavailable, match="2 lines did not reach"):  # noqa: PT012 - the block is what is tested
        async with opened(tmp_path, disk, timeout_s=0.1) as audit:
            disk.hold()
            audit.note(DEMO, "on its way")
            await disk.held()
            audit.note(DEMO, "waiting")
    with pytest.raises(AuditUnavailable, match="only one"):
        async with open_audit(tmp_path):
            pass
    disk.gate.set()
    with anyio.fail_after(30):
        while True:
            try:
                async with opened(tmp_path, Disk()) as audit:
                    await audit.record(DEMO, "next")
                    break
            except AuditUnavailable:
                await checkpoint()
    assert facts(tmp_path) == ["on its way", "next"]
    assert verify(tmp_path) == []


async def test_a_full_queue_loses_notes_says_how_many_and_refuses_records_until_then(
    tmp_path: Path, disk: GatedDisk
) -> None:
    async with opened(tmp_path, disk, bound=10) as audit:
        disk.hold()
        audit.note(DEMO, "first")
        await disk.held()
        for _ in range(15):
            audit.note(DEMO, "tick")
        with pytest.raises(AuditUnavailable, match=r"5 lines .* lost"):
            await audit.record(DEMO, "open")
        assert audit.trouble is not None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: audit.record(DEMO, "close", essential=True))
            # What one environment piles up, the other does not wait for.
            tasks.start_soon(audit.record, LIVE, "open")
            await anyio.wait_all_tasks_blocked()
            disk.gate.set()
        await audit.flush()
        await audit.record(DEMO, "open")
        assert audit.trouble is None
    assert facts(tmp_path) == ["first", "open", "lines_lost", *["tick"] * 10, "close", "open"]
    (told,) = [line for line in lines(tmp_path) if line["fact"] == "lines_lost"]
    assert (told["environment"], told["lines"]) == ("demo", 5)
    assert verify(tmp_path) == []


async def test_lost_snapshots_are_told_in_their_file(tmp_path: Path, disk: GatedDisk) -> None:
    async with opened(tmp_path, disk, bound=1) as audit:
        audit.snapshot(DEMO, {"n": 1})
        audit.snapshot(DEMO, {"n": 2})
        await audit.flush()
        assert audit.trouble is None
    assert [line["fact"] for line in lines(tmp_path, "position_snapshot")] == ["lines_lost", "position"]


async def test_records_beyond_the_bound_are_refused_and_essential_ones_have_room_left(
    tmp_path: Path, disk: GatedDisk
) -> None:
    async with opened(tmp_path, disk, bound=2) as audit:
        disk.hold()
        audit.note(DEMO, "first")
        await disk.held()
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(audit.record, DEMO, "open")
                await anyio.wait_all_tasks_blocked()
            with pytest.raises(AuditUnavailable, match=r"2 lines .* wait"):
                await audit.record(DEMO, "open")
            for _ in range(2):
                tasks.start_soon(lambda: audit.record(DEMO, "close", essential=True))
                await anyio.wait_all_tasks_blocked()
            with pytest.raises(AuditUnavailable, match=r"4 lines .* wait"):
                await audit.record(DEMO, "close", essential=True)
            disk.gate.set()


async def test_a_mistake_in_the_writer_refuses_records_and_comes_out_at_the_end(
    tmp_path: Path, disk: GatedDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(descriptor: int) -> None:
        raise ZeroDivisionError("ours")

    with pytest.raises(AuditUnavailable, match="mistake of this program") as failure:  # noqa: PT012 - the block is what is tested
        async with opened(tmp_path, disk) as audit:
            monkeypatch.setattr(disk, "sync", broken)
            with pytest.raises(AuditUnavailable):
                await audit.record(DEMO, "intent")
            with pytest.raises(AuditUnavailable, match="mistake"):
                await audit.record(LIVE, "intent")
    assert isinstance(failure.value.__cause__, ZeroDivisionError)
    monkeypatch.undo()
    async with open_audit(tmp_path):
        pass


# one writer


async def test_a_second_writer_is_refused_and_told_who_has_the_file(audit: Audit, tmp_path: Path) -> None:
    with pytest.raises(AuditUnavailable, match=r"order_audit\.jsonl is being written by this process"):
        async with open_audit(tmp_path):
            pass
    code = (
        "import sys, anyio, pathlib\n"
        "from anyctrader.session.audit import open_audit\n"
        "async def main():\n"
        "    async with open_audit(pathlib.Path(sys.argv[1])): pass\n"
        "anyio.run(main)\n"
    )
    other = await anyio.run_process([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert other.returncode != 0
    assert f"order_audit.jsonl is being written by process {os.getpid()}" in other.stderr.decode()
    await audit.record(DEMO, "intent")


async def test_a_folder_that_cannot_be_used_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "logs").write_bytes(b"a file")
    with pytest.raises(AuditUnavailable, match="see that the folder is writable"):
        async with open_audit(tmp_path / "logs"):
            pass


async def test_cancelled_while_opening_it_gives_the_lock_up_before_it_returns(tmp_path: Path, disk: GatedDisk) -> None:
    returned = anyio.Event()
    opening = anyio.CancelScope()

    async def open_it() -> None:
        with opening:
            async with opened(tmp_path, disk):
                raise AssertionError("it cannot be open yet")
        returned.set()

    disk.hold()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(open_it)
        await disk.held()
        opening.cancel()
        await anyio.wait_all_tasks_blocked()
        assert not returned.is_set()
        disk.gate.set()
        await returned.wait()
        async with open_audit(tmp_path):
            pass


async def test_cancelled_at_any_tick_of_its_opening_it_can_be_opened_again_at_once(tmp_path: Path) -> None:
    for ticks in range(30):
        async with anyio.create_task_group() as tasks:

            async def open_it(folder: Path) -> None:
                async with open_audit(folder):
                    await anyio.sleep_forever()

            tasks.start_soon(open_it, tmp_path / str(ticks))
            for _ in range(ticks):
                await checkpoint()
            tasks.cancel_scope.cancel()
        async with open_audit(tmp_path / str(ticks)):
            pass


async def test_cancelled_while_the_disk_hangs_it_returns_and_gives_the_lock_up_later(
    tmp_path: Path, disk: GatedDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def open_it() -> None:
        async with opened(tmp_path, disk):
            raise AssertionError("it cannot be open yet")

    monkeypatch.setattr(audit_module, "_DROP_S", 0.05)
    disk.hold()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(open_it)
        await disk.held()
        tasks.cancel_scope.cancel()
    disk.gate.set()
    with anyio.fail_after(30):
        while True:
            try:
                async with open_audit(tmp_path):
                    break
            except AuditUnavailable:
                await checkpoint()


# a killed process

CHILD = """
import itertools, pathlib, sys
import anyio
from anyctrader.session.audit import open_audit
from anyctrader.session.environments import Environment

async def main():
    async with open_audit(pathlib.Path(sys.argv[1]), reserve_bytes=65536) as audit, anyio.create_task_group() as tasks:
        async def trade(environment, name):
            for n in itertools.count():
                await audit.record(environment, "intent", {"order": f"{name}-{n}"})
                sys.stdout.write(f"{name}-{n}\\n")
                sys.stdout.flush()
                audit.note(environment, "filled", {"order": f"{name}-{n}"})
        for n in range(8):
            tasks.start_soon(trade, list(Environment)[n % 2], f"o{n}")

anyio.run(main)
"""


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_killed_at_any_moment_every_returned_record_is_on_disk_and_the_chain_verifies(tmp_path: Path) -> None:
    acknowledged: set[str] = set()
    for acknowledgements in (1, 40, 150):
        command = [sys.executable, "-c", CHILD, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:  # noqa: ASYNC220 - nothing else runs
            assert child.stdout is not None
            first = [child.stdout.readline() for _ in range(acknowledgements)]
            child.send_signal(signal.SIGKILL)
            rest = child.stdout.read().splitlines(keepends=True)
            assert child.wait() == -signal.SIGKILL
        run = {line.strip() for line in [*first, *rest] if line.endswith("\n")}
        assert run
        async with open_audit(tmp_path, reserve_bytes=65536) as audit:
            await audit.record(DEMO, "recovered")
        recovered = lines(tmp_path)
        assert run <= {line["order"] for line in recovered if line["fact"] == "intent"}
        assert verify(tmp_path) == []
        acknowledged |= run
    assert acknowledged
