"""The file of chained lines: what is on disk, what a crash or a broken disk leaves, and how it goes on."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from anyctrader.session.chain import Fact, encode_fields
from anyctrader.session.day_files import files_of
from anyctrader.session.disk import Disk
from anyctrader.session.journal import Commit, Journal
from anyctrader.session.recovery import lines_backwards, sound_size, tails_of
from anyctrader.session.verification import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT_MS = 1_795_376_400_123  # 2026-11-22T19:40:00.123Z
DAY_MS = 86_400_000
RESERVE = 256 * 1024


class FaultyDisk(Disk):
    """A disk of so many bytes, or one that fails as it is told to."""

    def __init__(self) -> None:
        self.free: int | None = None  # how much more may be written; None: no end
        self.write_error: int | None = None
        self.sync_error: int | None = None
        self.cut_error: int | None = None
        self.rename_error: int | None = None
        self.read_only = False
        self.shrink_error: int | None = None
        self.most_at_once: int | None = None
        self.synced = 0

    def open(self, path: Path, flags: int) -> int:
        if self.read_only and flags & os.O_CREAT and not path.exists():
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return super().open(path, flags)

    def write(self, descriptor: int, data: bytes) -> int:
        if self.write_error is not None:
            raise OSError(self.write_error, os.strerror(self.write_error))
        # What is overwritten, as the head is, needs no new space.
        size, appends = os.fstat(descriptor).st_size, fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_APPEND
        new = bool(appends) or os.lseek(descriptor, 0, os.SEEK_CUR) + len(data) > size
        room = len(data) if self.free is None or not new else self.free
        if not room and data:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        count = os.write(descriptor, data[: min(room, self.most_at_once or room)])
        if self.free is not None and new:
            self.free -= count
        return count

    def sync(self, descriptor: int) -> None:
        if self.sync_error is not None:
            raise OSError(self.sync_error, os.strerror(self.sync_error))
        self.synced += 1
        os.fsync(descriptor)

    def cut(self, descriptor: int, size: int) -> None:
        if self.cut_error is not None:
            raise OSError(self.cut_error, os.strerror(self.cut_error))
        before = os.fstat(descriptor).st_size
        super().cut(descriptor, size)
        if self.free is not None:
            self.free += before - size

    def rename(self, path: Path, to: Path) -> None:
        if self.rename_error is not None:
            raise OSError(self.rename_error, os.strerror(self.rename_error))
        super().rename(path, to)

    def writable(self, folder: Path) -> bool:
        return not self.read_only and super().writable(folder)

    def allocate(self, descriptor: int, before: int, size: int) -> None:
        if self.free is not None and size - before > self.free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().allocate(descriptor, before, size)
        if self.free is not None:
            self.free -= max(0, size - before)

    def shrink(self, path: Path, size: int) -> None:
        if self.shrink_error is not None:
            raise OSError(self.shrink_error, os.strerror(self.shrink_error))
        before = path.stat().st_size
        super().shrink(path, size)
        if self.free is not None:
            self.free += before - size


@pytest.fixture
def disk() -> FaultyDisk:
    return FaultyDisk()


@pytest.fixture
def journals(tmp_path: Path, disk: FaultyDisk) -> Iterator[Any]:
    """Opens journals in the same folder, one after the other; the last is closed at the end."""
    opened: list[Journal] = []
    (tmp_path / "position_snapshot.jsonl").touch(0o600)  # no writer makes the one file without the other

    def open_next(now_ms: int = AT_MS, reserve_bytes: int = RESERVE) -> tuple[Journal, list[str]]:
        for each in opened:
            each.close()
        journal = Journal(
            tmp_path,
            "order_audit",
            environments=["live", "demo"],
            disk=disk,
            sandbox=False,
            reserve_bytes=reserve_bytes,
        )
        opened.append(journal)
        return journal, [remark.fact for remark in journal.open(now_ms)]

    yield open_next
    for each in opened:
        each.close()


def fact(name: str = "intent", environment: str = "demo", *, at_ms: int = AT_MS, essential: bool = False) -> Fact:
    return Fact(environment, at_ms, name, encode_fields({"order_id": 7}), essential)


def lines(path: Path) -> list[dict[str, Any]]:
    file = path / "order_audit.jsonl" if path.is_dir() else path
    return [json.loads(line) for line in file.read_bytes().splitlines()]


def facts(path: Path) -> list[str]:
    return [line["fact"] for line in lines(path)]


def names(commit: Commit) -> list[str]:
    return [remark.fact for remark in commit.remarks]


def test_a_group_of_lines_costs_one_sync(journals: Any, disk: FaultyDisk, tmp_path: Path) -> None:
    journal, remarks = journals()
    assert remarks == []
    before = disk.synced
    assert journal.commit([fact() for _ in range(100)]).blocked is None
    assert disk.synced == before + 1
    assert len(lines(tmp_path)) == 100
    assert verify(tmp_path) == []


def test_an_empty_group_writes_nothing(journals: Any, tmp_path: Path) -> None:
    journal, _ = journals()
    assert journal.commit([]) == Commit()
    assert lines(tmp_path) == []


def test_the_files_are_for_their_owner_only(journals: Any, tmp_path: Path) -> None:
    journals()[0].commit([fact()])
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_a_write_that_takes_only_part_is_continued(journals: Any, disk: FaultyDisk, tmp_path: Path) -> None:
    journal, _ = journals()
    disk.most_at_once = 7
    journal.commit([fact(), fact()])
    assert len(lines(tmp_path)) == 2
    disk.most_at_once = None
    journal.commit([fact()])
    assert verify(tmp_path / "order_audit.jsonl") == []


def test_the_file_of_a_new_day_is_sound_by_itself_though_an_environment_has_no_line_in_it(
    journals: Any, tmp_path: Path
) -> None:
    journal, _ = journals()
    journal.commit([fact(), fact(environment="live")])
    journal.commit([fact(at_ms=AT_MS + DAY_MS)])
    assert facts(tmp_path) == ["intent"]
    assert verify(tmp_path / "order_audit.jsonl") == verify(tmp_path) == []


def test_reopened_it_goes_on_with_each_chain(journals: Any, tmp_path: Path) -> None:
    journals()[0].commit([fact(environment="live"), fact(), fact()])
    journal, remarks = journals()
    assert remarks == []
    journal.commit([fact(), fact(environment="live")])
    assert [(line["environment"], line["seq"]) for line in lines(tmp_path)] == [
        ("live", 1),
        ("demo", 1),
        ("demo", 2),
        ("demo", 3),
        ("live", 2),
    ]
    assert verify(tmp_path) == []


def test_a_torn_last_line_is_set_aside_and_told(journals: Any, tmp_path: Path) -> None:
    journals()[0].commit([fact(environment="live"), fact()])
    file = tmp_path / "order_audit.jsonl"
    whole = file.read_bytes()
    torn = b'{"at":"2026-11-22T19:40:00.123Z","environment":"live","seq":2,"fa'
    file.write_bytes(whole + torn)
    journal, remarks = journals()
    assert remarks == ["torn_line"]
    (aside,) = tmp_path.glob("*.torn")
    assert aside.read_bytes() == torn
    assert file.read_bytes() == whole
    journal.commit([fact(environment="live")])
    assert verify(tmp_path) == []


def test_lines_of_zeros_as_a_power_cut_leaves_them_are_set_aside(journals: Any, tmp_path: Path) -> None:
    journals()[0].commit([fact(), fact()])
    file = tmp_path / "order_audit.jsonl"
    with file.open("ab") as appended:
        appended.write(bytes(200_000))
    journal, remarks = journals()
    assert remarks == ["torn_line"]
    journal.commit([fact()])
    assert [line["seq"] for line in lines(tmp_path)] == [1, 2, 3]


@pytest.mark.parametrize("kept", range(0, 400, 37))
def test_wherever_a_crash_cuts_a_group_it_goes_on_and_verifies(journals: Any, tmp_path: Path, kept: int) -> None:
    journal, _ = journals()
    journal.commit([fact()])
    head = (tmp_path / ".order_audit.head.json").read_bytes()
    durable = journal.path.stat().st_size
    journal.commit([fact(environment="live"), fact(), fact()])
    journal.close()
    os.truncate(journal.path, durable + kept)  # the rest, and the head that counted it, never reached the disk
    (tmp_path / ".order_audit.head.json").write_bytes(head)
    again, _ = journals()
    again.commit([fact(), fact(environment="live")])
    assert verify(tmp_path) == []


def test_lines_gone_from_the_end_are_told_and_stay_found(journals: Any, tmp_path: Path) -> None:
    journals()[0].commit([fact(), fact(), fact()])
    file = tmp_path / "order_audit.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:1]))
    journal, remarks = journals()
    assert remarks == ["lines_missing"]
    journal.commit([fact()])
    assert [line["seq"] for line in lines(tmp_path)] == [1, 4]
    (damage,) = verify(tmp_path)
    assert (damage.kind, damage.seq) == ("missing", 2)


def test_a_deleted_file_is_told_and_stays_found(journals: Any, tmp_path: Path) -> None:
    journals()[0].commit([fact()])
    (tmp_path / "order_audit.jsonl").unlink()
    journal, remarks = journals()
    assert remarks == ["lines_missing"]
    journal.commit([fact()])
    assert [damage.kind for damage in verify(tmp_path)] == ["missing"]


def test_a_replaced_last_line_is_told_and_stays_found(journals: Any, tmp_path: Path) -> None:
    journals()[0].commit([fact()])
    first = (tmp_path / "order_audit.jsonl").read_bytes()
    (tmp_path / "order_audit.jsonl").unlink()
    (tmp_path / ".order_audit.head.json").unlink()
    journals()[0].commit([fact("other")])
    (tmp_path / "order_audit.jsonl").write_bytes(first)
    journal, remarks = journals()
    assert remarks == ["line_replaced"]
    journal.commit([fact()])
    assert {damage.kind for damage in verify(tmp_path)} == {"changed"}


def test_a_changed_last_line_does_not_stop_it_and_stays_found(journals: Any, tmp_path: Path) -> None:
    journals()[0].commit([fact()])
    file = tmp_path / "order_audit.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"order_id":7', b'"order_id":8'))
    journal, _ = journals()
    journal.commit([fact()])
    assert [(damage.kind, damage.line_number) for damage in verify(tmp_path)] == [("changed", 1)]


@pytest.mark.parametrize("content", [None, b"", b"x" * 512])
def test_without_a_readable_head_the_chains_are_found_in_the_files(
    journals: Any, tmp_path: Path, content: bytes | None
) -> None:
    journal, _ = journals()
    journal.commit([fact(environment="live")])
    journal.commit([fact(at_ms=AT_MS + DAY_MS)])
    head = tmp_path / ".order_audit.head.json"
    head.unlink()
    if content is not None:
        head.write_bytes(content)
    journal, remarks = journals()
    assert remarks == (["head_unreadable"] if content and content.strip() else [])
    journal.commit([fact(environment="live", at_ms=AT_MS + DAY_MS), fact(at_ms=AT_MS + DAY_MS)])
    assert verify(tmp_path) == []


def test_a_new_utc_day_starts_a_new_file_and_the_chain_runs_on(journals: Any, tmp_path: Path) -> None:
    journal, _ = journals()
    journal.commit([fact(), fact(environment="live")])
    journal.commit([fact(at_ms=AT_MS + DAY_MS)])
    journal.commit([fact(at_ms=AT_MS + DAY_MS)])
    again, remarks = journals(AT_MS + 2 * DAY_MS)
    assert remarks == []
    again.commit([fact(environment="live", at_ms=AT_MS + 2 * DAY_MS)])
    assert [line["seq"] for line in lines(tmp_path / "order_audit.2026-11-22.jsonl")] == [1, 1]
    assert [line["seq"] for line in lines(tmp_path / "order_audit.2026-11-23.jsonl")] == [2, 3]
    assert [(line["environment"], line["seq"]) for line in lines(tmp_path)] == [("live", 2)]
    assert verify(tmp_path) == []


def test_a_file_is_named_after_a_day_that_it_has_lines_of(journals: Any, disk: FaultyDisk, tmp_path: Path) -> None:
    journal, _ = journals()
    journal.commit([fact()])
    disk.free = 0
    late = [fact(essential=True), fact(at_ms=AT_MS + DAY_MS)]  # the one that opens is refused, over midnight
    assert journal.commit(late).blocked is not None
    disk.free = None
    journal.commit([fact(at_ms=AT_MS + 2 * DAY_MS)])
    assert [path.name for path in files_of(tmp_path, "order_audit")] == [
        "order_audit.2026-11-22.jsonl",
        "order_audit.2026-11-22.2.jsonl",
        "order_audit.jsonl",
    ]
    assert verify(tmp_path) == []


def test_a_clock_set_back_does_not_go_back_to_an_older_file(journals: Any, tmp_path: Path) -> None:
    journal, _ = journals()
    journal.commit([fact()])
    journal.commit([fact(at_ms=AT_MS - DAY_MS)])
    assert len(lines(tmp_path)) == 2


def test_the_name_of_a_day_that_is_taken_gets_a_number(journals: Any, tmp_path: Path) -> None:
    (tmp_path / "order_audit.2026-11-22.jsonl").write_bytes(b"")
    journal, _ = journals()
    journal.commit([fact()])
    journal.commit([fact(at_ms=AT_MS + DAY_MS)])
    assert len(lines(tmp_path / "order_audit.2026-11-22.2.jsonl")) == 1
    assert verify(tmp_path) == []


def test_no_file_is_named_ahead_of_an_earlier_one_by_a_clock_that_was_set_back(journals: Any, tmp_path: Path) -> None:
    for days in (0, 1, 2, -1, 3):
        journal, _ = journals(AT_MS + days * DAY_MS)
        journal.commit([fact(at_ms=AT_MS + days * DAY_MS)])
    journal.commit([fact(at_ms=AT_MS + 4 * DAY_MS)])
    names_of_files = [path.name for path in files_of(tmp_path, "order_audit")]
    assert names_of_files == [
        "order_audit.2026-11-22.jsonl",
        "order_audit.2026-11-23.jsonl",
        "order_audit.2026-11-23.2.jsonl",
        "order_audit.2026-11-25.jsonl",
        "order_audit.jsonl",
    ]
    assert [line["seq"] for line in lines(tmp_path / "order_audit.2026-11-23.2.jsonl")] == [3, 4]
    assert verify(tmp_path) == []


def test_a_file_that_was_moved_away_gives_its_number_to_no_later_one(journals: Any, tmp_path: Path) -> None:
    (tmp_path / "order_audit.2026-11-22.2.jsonl").write_bytes(b"")
    journal, _ = journals()
    journal.commit([fact()])
    journal.commit([fact(at_ms=AT_MS + DAY_MS)])
    assert (tmp_path / "order_audit.2026-11-22.3.jsonl").exists()


def test_a_day_that_cannot_be_put_away_goes_on_in_its_file_and_is_told_once(
    journals: Any, disk: FaultyDisk, tmp_path: Path
) -> None:
    journal, _ = journals()
    journal.commit([fact()])
    disk.rename_error = errno.EACCES
    assert names(journal.commit([fact(at_ms=AT_MS + DAY_MS)])) == ["rotation_failed"]
    assert names(journal.commit([fact(at_ms=AT_MS + DAY_MS)])) == []
    disk.rename_error = None
    journal.commit([fact(at_ms=AT_MS + DAY_MS)])
    assert len(lines(tmp_path / "order_audit.2026-11-22.jsonl")) == 3
    assert verify(tmp_path) == []


def test_a_day_put_away_without_a_new_file_to_follow_is_put_back(
    journals: Any, disk: FaultyDisk, tmp_path: Path
) -> None:
    journal, _ = journals()
    journal.commit([fact()])
    disk.read_only = True
    assert names(journal.commit([fact(at_ms=AT_MS + DAY_MS, essential=True)])) == ["rotation_failed"]
    disk.read_only = False
    assert [line["seq"] for line in lines(tmp_path)] == [1, 2]
    assert not (tmp_path / "order_audit.2026-11-22.jsonl").exists()
    assert verify(tmp_path) == []


def test_a_crash_between_putting_a_day_away_and_the_new_file_loses_no_chain(journals: Any, tmp_path: Path) -> None:
    journals()[0].commit([fact(), fact(environment="live")])
    (tmp_path / "order_audit.jsonl").rename(tmp_path / "order_audit.2026-11-22.jsonl")
    journal, remarks = journals(AT_MS + DAY_MS)
    assert remarks == []
    journal.commit([fact(at_ms=AT_MS + DAY_MS)])
    assert verify(tmp_path) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("part", ["write", "sync"])
def test_what_could_not_be_written_leaves_the_file_and_the_chain_as_they_were(
    journals: Any, disk: FaultyDisk, tmp_path: Path, code: int, part: str
) -> None:
    journal, _ = journals()
    journal.commit([fact()])
    before = journal.path.read_bytes()
    setattr(disk, f"{part}_error", code)
    with pytest.raises(OSError) as failure:  # noqa: PT011 - the number is what is compared
        journal.commit([fact(), fact()])
    assert failure.value.errno == code
    assert journal.path.read_bytes() == before
    setattr(disk, f"{part}_error", None)
    journal.commit([fact()])
    assert verify(tmp_path) == []
    assert [line["seq"] for line in lines(tmp_path)] == [1, 2]


def test_a_write_that_fails_halfway_and_cannot_be_cut_back_is_cut_back_before_the_next(
    journals: Any, disk: FaultyDisk, tmp_path: Path
) -> None:
    journal, _ = journals()
    journal.commit([fact()])
    disk.free, disk.cut_error = 100, errno.EIO
    with pytest.raises(OSError, match="space") as failure:
        journal.commit([fact()])
    assert "cut back" in failure.value.__notes__[0]
    with pytest.raises(OSError, match="Input/output"):
        journal.commit([fact()])
    disk.free = disk.cut_error = None
    journal.commit([fact()])
    assert verify(tmp_path) == []
    assert len(lines(tmp_path)) == 2


def test_on_a_full_disk_essential_lines_go_on_from_the_reserve_and_others_are_refused(
    journals: Any, disk: FaultyDisk, tmp_path: Path
) -> None:
    journal, _ = journals()
    journal.commit([fact()])
    disk.free = 0
    with pytest.raises(OSError, match="space"):
        journal.commit([fact("intent")])
    mixed = journal.commit([fact("intent"), fact("close", essential=True)])
    assert mixed.blocked is not None
    assert mixed.blocked.errno == errno.ENOSPC
    assert facts(tmp_path) == ["intent", "close"]
    # The space that the reserve has given back is not for what opens.
    refused = journal.commit([fact("intent")])
    assert refused.blocked is not None
    assert names(refused) == ["reserve_incomplete"]
    assert journal.commit([fact("close", essential=True)]).blocked is None
    assert facts(tmp_path) == ["intent", "close", "close"]
    assert verify(tmp_path) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_on_a_full_disk_that_cannot_be_cut_back_no_line_is_written_behind_the_rest_of_another(
    journals: Any, disk: FaultyDisk, tmp_path: Path, code: int
) -> None:
    journal, _ = journals()
    journal.commit([fact()])
    disk.free, disk.cut_error = 100, code
    with pytest.raises(OSError, match=r"space|Input/output"):
        journal.commit([fact("close", essential=True)])
    disk.free = disk.cut_error = None
    journal.commit([fact("close", essential=True)])
    assert facts(tmp_path) == ["intent", "close"]
    assert verify(tmp_path) == []


def test_the_reserve_carries_a_great_many_closes_though_others_take_what_it_gives_back(
    journals: Any, disk: FaultyDisk, tmp_path: Path
) -> None:
    journal, _ = journals()
    disk.free = 0
    for _ in range(RESERVE // (32 * 1024)):
        journal.commit([fact(essential=True)])
        disk.free = 0  # another program writes
    with pytest.raises(OSError, match="space"):
        journal.commit([fact(essential=True)])
    assert verify(tmp_path) == []


def test_when_there_is_space_again_the_reserve_is_made_whole_first(
    journals: Any, disk: FaultyDisk, tmp_path: Path
) -> None:
    journal, _ = journals()
    disk.free = 0
    journal.commit([fact(essential=True)])
    disk.free = 10_000
    assert journal.commit([fact()]).blocked is not None
    disk.free = None
    assert journal.commit([fact()]).blocked is None
    assert (tmp_path / ".order_audit.reserve").stat().st_size == RESERVE


def test_opened_on_a_full_disk_it_takes_essential_lines_only(journals: Any, disk: FaultyDisk) -> None:
    journals()[0].commit([fact()])
    disk.free = 0
    journal, _ = journals()
    journal.commit([fact(essential=True)])
    journal, remarks = journals()
    assert remarks == ["reserve_incomplete"]
    assert journal.commit([fact()]).blocked is not None
    assert journal.commit([fact(essential=True)]).blocked is None


def test_a_torn_line_is_set_aside_on_a_full_disk_too(journals: Any, disk: FaultyDisk, tmp_path: Path) -> None:
    journals()[0].commit([fact()])
    with (tmp_path / "order_audit.jsonl").open("ab") as file:
        file.write(b'{"at":"2026')
    disk.free = 0
    journal, remarks = journals()
    assert "torn_line" in remarks
    journal.commit([fact(essential=True)])
    assert verify(tmp_path) == []


def test_in_a_read_only_folder_essential_lines_go_on_and_others_are_refused(journals: Any, disk: FaultyDisk) -> None:
    journal, _ = journals()
    disk.read_only = True
    refused = journal.commit([fact()]).blocked
    assert refused is not None
    assert refused.errno == errno.EROFS
    assert journal.commit([fact(essential=True)]).blocked is None


def test_opened_in_a_read_only_folder_it_takes_essential_lines(journals: Any, disk: FaultyDisk, tmp_path: Path) -> None:
    journals()[0].commit([fact()])
    disk.read_only = True
    journal, _ = journals()
    assert journal.commit([fact()]).blocked is not None
    assert journal.commit([fact(essential=True)]).blocked is None
    assert verify(tmp_path) == []


def test_a_reserve_that_cannot_be_given_back_is_the_error_that_is_told(journals: Any, disk: FaultyDisk) -> None:
    journal, _ = journals()
    disk.free, disk.shrink_error = 0, errno.EIO
    with pytest.raises(OSError, match="Input/output"):
        journal.commit([fact(essential=True)])


def test_another_error_than_a_full_disk_ends_the_use_of_the_reserve(
    journals: Any, disk: FaultyDisk, tmp_path: Path
) -> None:
    journal, _ = journals()
    disk.free = 0
    really = disk.shrink

    def shrink(path: Path, size: int) -> None:
        really(path, size)
        disk.sync_error = errno.EIO

    disk.shrink = shrink  # type: ignore[method-assign] - one disk of one test
    with pytest.raises(OSError, match="Input/output"):
        journal.commit([fact(essential=True)])
    disk.shrink, disk.sync_error = really, None  # type: ignore[method-assign] - as above
    journal.commit([fact(essential=True)])
    assert verify(tmp_path) == []


def test_without_a_reserve_nothing_is_refused_for_its_lack(journals: Any, disk: FaultyDisk) -> None:
    journal, _ = journals(reserve_bytes=0)
    disk.read_only = True
    assert journal.commit([fact()]).blocked is None
    disk.free = 0
    with pytest.raises(OSError, match="space"):
        journal.commit([fact(essential=True)])


@pytest.mark.parametrize(
    ("change", "damaged"),
    [
        (lambda content: content + b"garbage without an end", []),
        (lambda content: content + b'{"a":1}\n', []),
        (lambda content: content[:-30], ["missing"]),
        (lambda content: content[: content.index(b"\n") + 1], ["missing"]),
    ],
)
def test_what_others_leave_in_the_open_file_does_not_swallow_the_next_line(
    journals: Any, tmp_path: Path, change: Any, damaged: list[str]
) -> None:
    journal, _ = journals()
    for _ in range(3):
        journal.commit([fact()])
    content = journal.path.read_bytes()
    changed = change(content)
    journal.path.write_bytes(changed)
    assert names(journal.commit([fact()]))[0] == "file_changed"
    assert names(journal.commit([fact()])) == []
    assert [line["seq"] for line in lines(tmp_path)][-2:] == [4, 5]
    assert [damage.kind for damage in verify(tmp_path)] == damaged
    left = b"".join(path.read_bytes() for path in tmp_path.glob("*.torn"))
    assert left == changed[len(changed.rpartition(b"\n")[0]) + 1 :] or left == b'{"a":1}\n'


def test_a_file_deleted_under_it_is_made_anew_and_told(journals: Any, tmp_path: Path) -> None:
    journal, _ = journals()
    journal.commit([fact()])
    journal.path.unlink()
    assert names(journal.commit([fact()])) == ["file_missing"]
    assert [line["seq"] for line in lines(tmp_path)] == [2]
    assert [damage.kind for damage in verify(tmp_path)] == ["missing"]


def test_another_file_in_its_place_is_not_written_to(journals: Any, tmp_path: Path) -> None:
    journal, _ = journals()
    journal.commit([fact()])
    journal.path.rename(tmp_path / "moved")
    journal.path.write_bytes(b"")
    with pytest.raises(OSError, match="another file") as failure:
        journal.commit([fact()])
    assert failure.value.errno == errno.ESTALE
    assert journal.path.read_bytes() == b""


def test_a_head_that_cannot_be_written_is_told_once_and_costs_no_line(
    journals: Any, disk: FaultyDisk, tmp_path: Path
) -> None:
    (tmp_path / ".order_audit.head.json").mkdir()
    journal, remarks = journals()
    assert sorted(remarks) == ["head_unavailable", "head_unreadable"]
    assert names(journal.commit([fact()])) == []
    assert len(lines(tmp_path)) == 1


def test_a_head_that_fails_later_is_told_once_and_costs_no_line(
    journals: Any, disk: FaultyDisk, tmp_path: Path
) -> None:
    journal, _ = journals()
    really = disk.write

    def write(descriptor: int, data: bytes) -> int:
        if data.startswith(b'{"demo'):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return really(descriptor, data)

    disk.write = write  # type: ignore[method-assign] - one disk of one test
    assert names(journal.commit([fact()])) == ["head_unavailable"]
    assert names(journal.commit([fact()])) == []
    assert len(lines(tmp_path)) == 2


def test_closed_twice_it_stays_closed(journals: Any) -> None:
    journal, _ = journals()
    journal.close()
    journal.close()
    with pytest.raises(OSError, match="descriptor"):
        journal.commit([fact()])


@pytest.mark.parametrize("chunk_bytes", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("content", [b"", b"\n", b"a", b"a\n", b"ab\n\ncd\nef", b"ab\ncde\n"])
def test_lines_read_backwards_are_the_lines(tmp_path: Path, content: bytes, chunk_bytes: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with file.open("rb") as opened:
        found = list(lines_backwards(opened, chunk_bytes=chunk_bytes))
    assert [line for _, line in reversed(found)] == content.splitlines(keepends=True)
    assert all(content[start:].startswith(line) for start, line in found)


def test_a_file_of_something_else_is_set_aside_whole(journals: Any, tmp_path: Path) -> None:
    (tmp_path / "order_audit.jsonl").write_bytes(b"hello\nworld\n")
    assert sound_size(tmp_path / "order_audit.jsonl") == 0
    assert tails_of(tmp_path / "order_audit.jsonl", ["demo"]) == {}
    journal, remarks = journals()
    assert remarks == ["torn_line"]
    journal.commit([fact()])
    assert verify(tmp_path) == []
    (aside,) = tmp_path.glob("*.torn")
    assert aside.read_bytes() == b"hello\nworld\n"
