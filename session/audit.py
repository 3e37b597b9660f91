"""The order audit: what was meant, sent and answered, on disk before an order's bytes leave.

One task writes for both environments. While one group of lines is on its way to the disk the next one gathers, so that
one fsync covers many records, and no record counts as written ahead of the fsync that covers it. Each environment has
a queue of its own: what one of them piles up, the other does not wait for.
"""

from __future__ import annotations

import errno
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from . import clock as wall_clock
from .audit_files import LIVE_FIRST, AuditFiles, why_not_opened
from .audit_queue import Entry, Queue
from .chain import Fact, encode_fields
from .disk import Disk
from .errors import AuditUnavailable
from .letterbox import Letterbox
from .standstill import Errand, came

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping
    from pathlib import Path

    from .environments import Environment
    from .journal import Commit
    from .recovery import Remark

__all__ = ["Audit", "open_audit"]

T = TypeVar("T")

_OPEN_S = 30.0  # reading back a day's file takes seconds at most; a disk that takes longer is not answering
_DROP_S = 5.0  # the same for whoever was cancelled meanwhile: longer than a healthy disk takes, and still soon
_DROP_LOOK_S = 0.005  # nobody notices it in the end of an opening
_RETRY_S = 1.0  # how long notes wait for a disk that refused them, where nothing else asks for it
_GROUP_LINES = 1000  # what one write takes along: some hundred kilobytes, so that the next group waits for no more


class Audit:
    """The audit files of a folder, open for writing. Made by `open_audit`.

    Attributes:
        folder: where the files are.
        sandbox: whether its lines are marked as a sandbox's.
        owners: whose sessions write it just now, of those that go on with what earlier ones left.
        letterbox: what other processes leave to be put on record here.
    """

    def __init__(self, files: AuditFiles, *, clock: Callable[[], int], timeout_s: float, bound: int) -> None:
        self.folder, self.sandbox = files.folder, files.sandbox
        self.owners: set[tuple[Environment, int | None]] = set()
        self.letterbox = Letterbox(files.folder)
        self._files = files
        self._clock = clock
        self._timeout_s = timeout_s
        self._bound = bound
        self._orders = {environment: Queue(environment) for environment in LIVE_FIRST}
        self._snapshots = {environment: Queue(environment) for environment in LIVE_FIRST}
        self._limiter = anyio.CapacityLimiter(1)  # its own: no other work in threads holds an order up
        self._wake = anyio.Event()
        self._group: list[Entry] = []
        self._errand: Errand | None = None
        self._problem: OSError | None = None
        self._fault: Exception | None = None
        self._closing = False
        self._finished = anyio.Event()
        self._scope = anyio.CancelScope(shield=True)
        self._remark(files.remarks)

    # writing

    async def record(
        self, environment: Environment, fact: str, fields: Mapping[str, Any] | None = None, *, essential: bool = False
    ) -> None:
        """Writes a line, and returns when it is on the disk.

        A caller that is cancelled takes the line back if it still waits; otherwise it may be there. Time in which the
        program stood still is not the disk's: after it the disk still has what was left of its time.

        Args:
            environment: whose chain it joins.
            fact: what happened, in a word.
            fields: its fields (see `chain.encode_fields`); they are read before this returns or waits.
            essential: it closes or cancels: it may use the reserve of space, and the rest of the queue.

        Raises:
            AuditUnavailable: the disk is full or read-only, or did not take the line in time, or lines before it were
                lost. What the line announces must not be done, though the line may still be written. The text says
                what to do.
            ValueError: a field may not be recorded (`chain.encode_fields`). Nothing is written.
        """
        entry = self._entry(environment, fact, fields, kept=False, essential=essential)
        queue = self._orders[environment]
        if self._errand is not None:
            await self._errand.look(self._timeout_s)
        why_not = self._why_not(queue, essential=essential)
        if why_not is not None:
            await anyio.lowlevel.checkpoint()
            raise AuditUnavailable(why_not)
        done = entry.done = anyio.Event()
        queue.entries.append(entry)
        self._wake.set()
        try:
            await came(done.wait, within_s=self._timeout_s)
        finally:
            entry.withdrawn = not entry.taken
        if entry.error is not None:
            raise AuditUnavailable(self._files.advice(entry.error)) from entry.error
        if not entry.written:
            raise AuditUnavailable(self._files.stalled(self._timeout_s))

    def note(
        self, environment: Environment, fact: str, fields: Mapping[str, Any] | None = None, *, essential: bool = False
    ) -> None:
        """Puts a line in the same queue and does not wait for it. Never blocks.

        Where the queue is full the line is lost; that is counted, told by a line `lines_lost`, and until that line is
        on the disk `record` refuses what is not essential.

        Args:
            environment: whose chain it joins.
            fact: what happened, in a word.
            fields: its fields; they are read before this returns.
            essential: it belongs to a close or a cancel: it may use the reserve of space.

        Raises:
            AuditUnavailable: the audit is closed.
            ValueError: a field may not be recorded (`chain.encode_fields`). Nothing is written.
        """
        self._put(self._orders[environment], self._entry(environment, fact, fields, kept=True, essential=essential))

    def snapshot(self, environment: Environment, fields: Mapping[str, Any], *, fact: str = "position") -> None:
        """Puts a line into `position_snapshot.jsonl`, like `note`.

        Raises:
            AuditUnavailable: the audit is closed.
            ValueError: a field may not be recorded (`chain.encode_fields`). Nothing is written.
        """
        entry = self._entry(environment, fact, fields, kept=True, essential=False)
        self._put(self._snapshots[environment], entry)

    async def flush(self) -> None:
        """Returns when all that was noted before is on the disk.

        Raises:
            AuditUnavailable: it is not, after the time that `record` would wait. It stays in the queue.
        """
        waiting = [*self._group, *(entry for queue in self._queues() for entry in queue.entries)]
        events = [entry.done or anyio.Event() for entry in waiting]
        for entry, done in zip(waiting, events, strict=True):
            entry.done = done
        if not await came(lambda: _all_of(events), within_s=self._timeout_s):
            raise AuditUnavailable(
                self._files.stalled(self._timeout_s) if self._problem is None else self._files.advice(self._problem)
            )

    @property
    def trouble(self) -> str | None:
        """Why an opening order would be refused now, and what to do; None where nothing is known against it."""
        for queue in self._orders.values():
            why_not = self._why_not(queue, essential=False)
            if why_not is not None:
                return why_not
        return self._files.advice(self._problem) if self._problem is not None else None

    def _entry(
        self, environment: Environment, name: str, fields: Mapping[str, Any] | None, *, kept: bool, essential: bool
    ) -> Entry:
        return Entry(Fact(environment.value, self._clock(), name, encode_fields(fields or {}), essential), kept)

    def _put(self, queue: Queue, entry: Entry) -> None:
        if self._closing:
            raise AuditUnavailable(f"{self._files.name} is closed: {entry.fact.name!r} came too late to be recorded")
        if len(queue.entries) >= self._bound:
            queue.lost += 1
        else:
            queue.entries.append(entry)
        self._wake.set()

    def _remark(self, remarks: Iterable[Remark]) -> None:
        for remark in remarks:
            for environment, queue in self._orders.items():
                if remark.environment in (None, environment.value):
                    fact = Fact(environment.value, self._clock(), remark.fact, encode_fields(remark.fields), True)
                    queue.entries.append(Entry(fact, kept=True))

    # why not

    def _why_not(self, queue: Queue, *, essential: bool) -> str | None:
        if self._fault is not None:
            return f"{self._files.name} is no longer written, by a mistake of this program: {self._fault!r}"
        if self._closing:
            return f"{self._files.name} is closed"
        if self._errand is not None and self._errand.is_older_than(self._timeout_s):
            return self._files.stalled(self._timeout_s)
        # What is essential may pass a queue that notes have filled, though not without bound.
        if queue.lost and not essential:
            return f"{queue.lost} lines of {self._files.name} were lost: look after the disk, or wait until it answers"
        if len(queue.entries) >= (2 * self._bound if essential else self._bound):
            return (
                f"{len(queue.entries)} lines of {self._files.name} wait for the disk already: wait until it takes them"
            )
        return None

    # the writing task

    async def _run(self) -> None:
        try:
            with self._scope:
                while await self._turn():
                    pass
                await self._in_thread(self._files.close)
                return
            self._files.abandon()  # the time for closing ran out while the disk had not answered
        except Exception as error:
            # A mistake of ours. Both environments depend on this task: they go on, unable to trade, and whoever
            # opened the audit is told when it is left.
            self._fault = error
            self._files.abandon()
        finally:
            self._closing = True
            closed = self._fault or OSError(errno.EBADF, "the audit was closed before")
            for entry in [*self._group, *(entry for queue in self._queues() for entry in queue.entries)]:
                entry.settle(closed)
            self._finished.set()

    async def _turn(self) -> bool:
        """Writes what waits, or waits; False when there is nothing left to do."""
        closing = self._closing
        if not any(queue.entries or queue.lost for queue in self._queues()):
            if closing:
                return False
            await self._wake.wait()
            self._wake = anyio.Event()
            return True
        if await self._write():
            return True
        if closing:
            return False
        with anyio.move_on_after(_RETRY_S):
            await self._wake.wait()
        self._wake = anyio.Event()
        return True

    async def _write(self) -> bool:
        """One group of each file; whether all of it is on the disk."""
        self._problem = await self._commit(self._orders, self._files.commit_orders)
        if self._problem is not None:
            return False  # and what space there is, is not for snapshots
        return await self._commit(self._snapshots, self._files.commit_snapshots) is None

    async def _commit(
        self, queues: Mapping[Environment, Queue], commit: Callable[[list[Fact]], Commit]
    ) -> OSError | None:
        now_ms = self._clock()
        parts: list[tuple[Queue, list[Entry]]] = []
        room = _GROUP_LINES
        for queue in queues.values():
            part = queue.take(room, now_ms=now_ms)
            room -= len(part)
            parts.append((queue, part))
        self._group = [entry for _, part in parts for entry in part]
        if not self._group:
            return None
        blocked: OSError | None
        try:
            done = await self._in_thread(lambda: commit([entry.fact for entry in self._group]))
        except OSError as error:
            blocked = error
            for queue, part in parts:
                queue.settle(part, error)
        else:
            blocked = done.blocked
            for queue, part in parts:
                queue.settle([entry for entry in part if entry.fact.essential or blocked is None], None)
                queue.settle([entry for entry in part if not entry.fact.essential and blocked is not None], blocked)
            self._remark(done.remarks)
        self._group = []
        return blocked

    async def _in_thread(self, work: Callable[[], T]) -> T:
        errand = self._errand = Errand()
        try:
            return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._limiter)
        finally:
            self._errand = None
            errand.back.set()

    def _queues(self) -> list[Queue]:
        return [*self._orders.values(), *self._snapshots.values()]

    async def _close(self) -> None:
        """Ends the writing task: within the time that a record may take, or without what did not get through."""
        self._closing = True
        self._wake.set()
        self._scope.deadline = anyio.current_time() + self._timeout_s
        with anyio.CancelScope(shield=True):  # bounded by the deadline
            await self._finished.wait()

    def _settle_accounts(self) -> None:
        if self._fault is not None:
            raise AuditUnavailable(self._why_not(next(iter(self._orders.values())), essential=True)) from self._fault
        waiting = [entry for queue in self._queues() for entry in queue.entries if not entry.withdrawn]
        lines = len(waiting) + len(self._group) + sum(queue.lost for queue in self._queues())
        if lines:
            raise AuditUnavailable(f"{lines} lines did not reach the files in {self.folder} before they were closed")


async def _all_of(events: Iterable[anyio.Event]) -> None:
    for event in events:
        await event.wait()
    await anyio.lowlevel.checkpoint()


@asynccontextmanager
async def open_audit(
    folder: Path,
    *,
    sandbox: bool = False,
    clock: Callable[[], int] = wall_clock.utc_ms,
    timeout_s: float = 2.0,
    bound: int = 10_000,
    reserve_bytes: int = 4 * 1024 * 1024,
    disk: Disk | None = None,
) -> AsyncIterator[Audit]:
    """Opens the audit files of a folder, which is made if need be, and goes on with the chains found there.

    Leaving it writes what still waits, within `timeout_s`. Cancelled while it opens, it returns once the lock is free
    again, and after 5 s of a disk that hangs: then the lock is held until that answers.

    Args:
        folder: where `order_audit.jsonl` and `position_snapshot.jsonl` are.
        sandbox: marks each line as a sandbox's.
        clock: tells the time of each line, milliseconds since the epoch.
        timeout_s: how long a record may take. A healthy disk takes milliseconds, and a busy one a few hundred; an
            order that waits longer than the 2 s it may spend in the queue is not to be sent anyway.
        bound: how many lines may wait for the disk, for each environment and file: some megabytes.
        reserve_bytes: the space kept for closes and cancels: 4 MiB are a thousand closes, of some five lines each.
        disk: the way to the operating system.

    Raises:
        AuditUnavailable: on entering: the files cannot be opened, or somebody else writes them; the text says what to
            do, and nothing is left open. On leaving, where nothing else went wrong: lines did not reach the disk.
    """
    files = await _opened(
        lambda: AuditFiles(
            folder,
            disk=disk if disk is not None else Disk(),
            sandbox=sandbox,
            reserve_bytes=reserve_bytes,
            now_ms=clock(),
        ),
        folder,
    )
    audit = Audit(files, clock=clock, timeout_s=timeout_s, bound=bound)
    writing = anyio.create_task_group()
    await writing.__aenter__()
    writing.start_soon(audit._run, name="audit writer")
    writing.start_soon(audit.letterbox.watch, audit, name="audit letterbox")
    try:
        yield audit
    finally:
        audit.letterbox.end()
        with anyio.move_on_after(timeout_s, shield=True):
            await audit.letterbox.empty_into(audit)
        await audit._close()
        # The writer has ended, so this waits for nothing; and it is not told of an error, so it wraps none.
        await writing.__aexit__(None, None, None)
    audit._settle_accounts()  # not reached where something else went wrong, which is what the caller is to see


async def _opened(make: Callable[[], AuditFiles], folder: Path) -> AuditFiles:
    made: list[AuditFiles] = []
    unwanted = at_work = False

    def work() -> AuditFiles:
        nonlocal at_work
        at_work = True
        try:
            # Asked after `at_work` is set, as the cancelled caller asks in the other order.
            if unwanted:
                raise OSError(errno.ECANCELED, "nobody waits for it")
            files = make()
            made.append(files)
            if unwanted:
                drop()
            return files
        finally:
            at_work = False

    def drop() -> None:
        try:
            made.pop().abandon()
        except IndexError:  # the other thread did, or will
            pass

    try:
        with anyio.fail_after(_OPEN_S):
            files = await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
        made.clear()
        return files
    except TimeoutError as error:
        raise AuditUnavailable(
            f"{folder} did not answer within {_OPEN_S:g} s: no audit could be opened there"
        ) from error
    except OSError as error:
        raise AuditUnavailable(why_not_opened(folder, error)) from error
    except anyio.get_cancelled_exc_class():
        unwanted = True
        with anyio.move_on_after(_DROP_S, shield=True):
            # It holds the lock, which whoever opens the folder next is to find free.
            while at_work:  # noqa: ASYNC110 - a thread ends it, and an event would need the loop that it left
                await anyio.sleep(_DROP_LOOK_S)
        raise
    finally:
        unwanted = True  # given up, or handed over and no longer in `made`
        drop()
