"""One append-only file of chained lines, and what surrounds it. Blocking: every call is for a thread.

order_audit.jsonl                current lines
order_audit.2026-11-22.jsonl     the lines of a day that is over (with .2 and so on; none is named ahead of an earlier)
order_audit.<time>.<offset>.torn what a crash left of a last line, moved out of the way
.order_audit.head.json           where the chains stand, rewritten in place at each commit
.order_audit.reserve             space kept for closes and cancels
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import orjson

from .chain import Chain, Fact, Tail, day_of, encode_fields, iso_ms
from .day_files import name_of_next
from .errors import AuditUnavailable
from .recovery import Remark, last_day, recover_tails, sound_size
from .reserve import Reserve
from .verification import head_of, read_head
from .writer_lock import lies_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from .disk import Disk

__all__ = ["DISK_FULL", "LOCK_NAME", "Commit", "Journal"]

LOCK_NAME: Final = ".order_audit.lock"
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

# Longer than two environments need, and one sector: rewritten in place it never needs new space.
_HEAD_BYTES = 512
_CREATE = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True)
class Commit:
    """What became of a group of facts.

    Attributes:
        blocked: why the lines that are not essential were left out, or None where all are on the disk.
        remarks: what is to be noted besides.
    """

    blocked: OSError | None = None
    remarks: list[Remark] = field(default_factory=list)


_WRITTEN: Final = (
    "{path} is being written by another process, though {lock} was free, and only one may: end that one, or give this "
    "one another folder"
)


_TAKEN: Final = "another process has taken its place"


class Journal:
    """The file of one kind of record, for all environments."""

    def __init__(
        self,
        folder: Path,
        stem: str,
        *,
        environments: Sequence[str],
        disk: Disk,
        sandbox: bool,
        reserve_bytes: int,
        columns: Mapping[str, object] | None = None,
    ) -> None:
        """
        Args:
            folder: where the files are.
            stem: name of the file without `.jsonl`.
            environments: whose chains it holds.
            disk: the way to the operating system.
            sandbox: whether its lines are marked.
            reserve_bytes: the space to keep for essential lines; 0: none, and nothing is refused for its lack.
            columns: what the first line of each file says: every field that a line may have, with nothing in it.
        """
        self.path = folder / f"{stem}.jsonl"
        self.chain = Chain(sandbox)
        self._folder = folder
        self._stem = stem
        self._environments = tuple(environments)
        self._disk = disk
        self._reserve = Reserve(folder / f".{stem}.reserve", reserve_bytes, disk=disk) if reserve_bytes else None
        self._file = self._head = -1
        self._open: list[int] = []  # what close() has to close
        self._size = 0
        self._day: str | None = None  # of the current file; None while it is empty
        self._dirty = False  # bytes of a failed write may stand behind _size
        self._remarks: list[Remark] = []
        self._said: set[str] = set()
        self._columns = encode_fields(columns) if columns else b""

    # opening and closing

    def open(self, now_ms: int) -> list[Remark]:
        """Opens the file, sets a torn last line aside, and finds where each chain stands.

        Raises:
            AuditUnavailable: somebody else writes it. Nothing is left open.
            OSError: it cannot be opened for writing. Nothing is left open.
        """
        try:
            known = self._open_head()
            self._open_file()
            self._set_aside(now_ms)
            found, remarks = recover_tails(self._folder, self._stem, self._environments, head=known)
            self.chain.tails.update(found)
            self._remarks += remarks
            self._day = last_day(self.path)
            self._sync_head()
            self._why_essential_only()
        except BaseException:
            self.close()
            raise
        return self._taken_remarks()

    def close(self) -> None:
        """Closes its descriptors. Once is enough, and more often does no harm, even from two threads at a time."""
        while self._open:
            try:
                descriptor = self._open.pop()
            except IndexError:  # the other thread was faster
                return
            os.close(descriptor)

    def _open_head(self) -> dict[str, Tail] | None:
        path = head_of(self._folder, self._stem)
        known = None
        try:
            known = read_head(path)
        except (ValueError, OSError) as error:
            self._say("head_unreadable", path.name, error if isinstance(error, OSError) else None)
        try:
            self._head = self._disk.open(path, _CREATE)
        except OSError as error:
            self._say("head_unavailable", path.name, error)
        else:
            self._open.append(self._head)
        return known

    def _open_file(self) -> None:
        new = not self.path.exists()
        self._file = self._disk.open(self.path, _CREATE | os.O_APPEND)
        self._open.append(self._file)
        # The lock file of the folder can be deleted, and then keeps nobody away.
        if not self._disk.lock_written(self._file) or not lies_at(self.path, self._file):
            raise AuditUnavailable(_WRITTEN.format(path=self.path, lock=LOCK_NAME))
        if new:
            self._disk.sync_folder(self._folder)
        self._size = os.fstat(self._file).st_size

    def _set_aside(self, now_ms: int) -> None:
        """Moves what follows the last whole line to a file of its own: kept, but no longer in the chain's way."""
        sound = sound_size(self.path)
        if sound == self._size:
            return
        with self.path.open("rb") as file:
            file.seek(sound)
            torn = file.read()
        # With the offset, so that one set aside at the same time as another has a name of its own.
        to = self._folder / f"{self._stem}.{iso_ms(now_ms).replace(':', '-')}.{sound}.torn"
        try:
            _keep(self._disk, to, torn)
        except OSError as error:  # a write cut short is what a full disk leaves behind
            if error.errno not in DISK_FULL or self._reserve is None or not self._reserve.give():
                raise
            _keep(self._disk, to, torn)
        self._disk.sync_folder(self._folder)
        self._disk.cut(self._file, sound)
        self._disk.sync(self._file)
        self._size = sound
        named = [name for name in self._environments if f'"environment":"{name}"'.encode() in torn]
        fields = {"set_aside": to.name, "bytes": len(torn)}
        self._remarks += [Remark("torn_line", fields, name) for name in named] or [Remark("torn_line", fields)]

    # writing

    def commit(self, facts: Sequence[Fact]) -> Commit:
        """Writes the facts as one group of lines, in this order, and returns when they are on the disk.

        Raises:
            OSError: none of the lines counts as written, and the chain stands where it stood.
        """
        if not facts:
            return Commit()
        self._repair()
        self._stay(facts[0].at_ms)
        self._rotate(day := max(day_of(fact.at_ms) for fact in facts))
        if self._columns and not self._size:
            facts = [Fact(facts[0].environment, facts[0].at_ms, "columns", self._columns, True), *facts]
        blocked = self._why_essential_only()
        essential = [fact for fact in facts if fact.essential]
        try:
            self._write(facts if blocked is None else essential)
        except OSError as error:
            if error.errno not in DISK_FULL or not essential:
                raise
            blocked = error
            self._write_from_reserve(essential, error)
        if self._day is None and self._size:  # of lines that are there: the file is to be named after it
            self._day = max((day_of(fact.at_ms) for fact in (facts if blocked is None else essential)), default=day)
        self._sync_head(durable=False)
        return Commit(blocked if len(essential) < len(facts) else None, self._taken_remarks())

    def _write(self, facts: Sequence[Fact]) -> None:
        chain = self.chain.copy()
        data = b"".join(chain.append(fact) for fact in facts)
        if not data:
            return
        try:
            _write_all(self._disk, self._file, data)
            self._disk.sync(self._file)
        except OSError as error:
            # Cut back even where only the sync failed: it is not known which bytes reached the disk, and a later
            # sync would not tell. The last block is written anew by the cut.
            self._dirty = True
            try:
                self._repair()
            except OSError as another:
                error.add_note(f"and it could not be cut back to its last good line yet: {another}")
            raise
        self._size += len(data)
        self.chain = chain

    def _repair(self) -> None:
        if self._dirty:
            self._disk.cut(self._file, self._size)
            self._disk.sync(self._file)
            self._dirty = False

    def _write_from_reserve(self, facts: Sequence[Fact], error: OSError) -> None:
        while self._reserve is not None and self._reserve.give():
            try:
                self._repair()  # what the last try left there may not have been cut off: a line behind it would be, too
                return self._write(facts)
            except OSError as again:
                if again.errno not in DISK_FULL:
                    raise
        raise error

    def _why_essential_only(self) -> OSError | None:
        if self._reserve is None:
            return None
        if not self._disk.writable(self._folder):
            return OSError(errno.EROFS, os.strerror(errno.EROFS), str(self._folder))
        try:
            self._reserve.refill()
        except OSError as error:
            self._say("reserve_incomplete", self._reserve.path.name, error)
            return error
        self._said.discard("reserve_incomplete")
        return None

    # the file's place

    def _stay(self, now_ms: int) -> None:
        """Sees that lines go where people look for them, and begin there: others may have moved or changed the file."""
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            self._replace_file()
            self._remarks.append(Remark("file_missing", {"file": self.path.name}))
            return
        if not os.path.samestat(there, os.fstat(self._file)):
            raise OSError(errno.ESTALE, "another file has taken its place", str(self.path))
        if there.st_size != self._size:
            self._remarks.append(Remark("file_changed", {"file": self.path.name, "bytes": there.st_size - self._size}))
            self._size = there.st_size
            self._set_aside(now_ms)

    def _replace_file(self) -> None:
        # One that is there and empty was left by somebody whom our other locks turned away.
        file = self._disk.open(self.path, _CREATE | os.O_APPEND)
        if not self._disk.lock_written(file) or not lies_at(self.path, file) or os.fstat(file).st_size:
            os.close(file)
            raise OSError(errno.EBUSY, _TAKEN, str(self.path))
        self._open[self._open.index(self._file)] = file
        os.close(self._file)
        self._file, self._size, self._day, self._dirty = file, 0, None, False
        self._disk.sync_folder(self._folder)
        self._sync_head()  # a chain with no line in the new file is known by it alone

    def _rotate(self, day: str) -> None:
        if self._day is None or day <= self._day:  # a clock that was set back does not go back to an older file
            return
        to = self._folder / name_of_next(self._folder, self._stem, self._day)
        try:
            self._disk.rename(self.path, to)
            try:
                self._replace_file()
            except OSError:
                if not self.path.exists():
                    self._disk.rename(to, self.path)
                raise
        except OSError as error:
            if self.path.exists() and not lies_at(self.path, self._file):
                # Whoever is there goes on with our chains, from what is written so far: not a line more of ours.
                raise OSError(errno.EBUSY, _TAKEN, str(self.path)) from error
            # The lines matter more than the file they stand in: it goes on with the old one, and tries again.
            self._say("rotation_failed", self.path.name, error)
        else:
            self._said.discard("rotation_failed")

    def _sync_head(self, *, durable: bool = True) -> None:
        if self._head < 0:
            return
        stand = {name: {"seq": tail.seq, "hash": tail.hash} for name, tail in self.chain.tails.items()}
        try:
            os.lseek(self._head, 0, os.SEEK_SET)
            self._disk.write(self._head, orjson.dumps(stand).ljust(_HEAD_BYTES - 1) + b"\n")
            if durable:
                self._disk.sync(self._head)
        except OSError as error:
            self._say("head_unavailable", self.path.name, error)
        else:
            self._said.discard("head_unavailable")

    def _say(self, fact: str, file: str, error: OSError | None = None) -> None:
        """Leaves a remark, once until what it says is over."""
        if fact not in self._said:
            self._said.add(fact)
            why = {"error": error.strerror or str(error)} if error is not None else {}
            self._remarks.append(Remark(fact, {"file": file, **why}))

    def _taken_remarks(self) -> list[Remark]:
        remarks, self._remarks = self._remarks, []
        return remarks


def _write_all(disk: Disk, descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[disk.write(descriptor, bytes(rest)) :]


def _keep(disk: Disk, path: Path, data: bytes) -> None:
    descriptor = disk.open(path, _CREATE | os.O_TRUNC)
    try:
        _write_all(disk, descriptor, data)
        disk.sync(descriptor)
    finally:
        os.close(descriptor)
