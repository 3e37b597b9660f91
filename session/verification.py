"""Whether the audit files still say what was written: changed, missing, reordered and torn lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Literal

import orjson

from .chain import FIRST_PREV, ReadLine, Tail, read_line
from .columns import COLUMNS_FACT
from .day_files import by_lines, files_in_turn, files_of, misnamed, misnumbered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = [
    "Checker",
    "Damage",
    "head_of",
    "read_head",
    "remarks",
    "verify",
]

_ORDERS: Final = "order_audit"
_SNAPSHOTS: Final = "position_snapshot"


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is not as it was written.

    Attributes:
        file: name of the file.
        line_number: the line, from 1, at which it shows.
        environment: the environment, or None where the line does not tell.
        seq: the sequence number, of the first line where it concerns several, or None where it cannot be told.
        kind: changed, missing, reordered (out of order, there twice, in another file, or in one of another name), or
            torn (cut short or unreadable).
        what: a sentence for people.
    """

    file: str
    line_number: int
    environment: str | None
    seq: int | None
    kind: Literal["changed", "missing", "reordered", "torn"]
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line_number}: {self.kind}: {self.what}"


@dataclass(slots=True)
class _Gap:
    fed: int
    file: str
    line_number: int
    environment: str
    first: int
    last: int
    unseen: int
    seen: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Seen:
    """An environment's furthest line so far. Two hashes where the line was changed: either may be meant next."""

    seq: int
    hashes: frozenset[str]


class Checker:
    """Reads the lines of one chain in the order of its files, and tells what is not as it was written."""

    def __init__(self, heads: Mapping[str, Tail] | None = None, *, whole: bool = True) -> None:
        """
        Args:
            heads: where the chains are known to stand, or further: lines missing at the end show by it.
            whole: whether the first line of each environment must be its line 1.
        """
        self._heads = dict(heads or {})
        self._whole = whole
        self._last: dict[str, _Seen] = {}
        self._gaps: list[_Gap] = []
        self._nameless = 0  # damaged lines that did not say which they are; each may explain one missing line
        self._fed = 0
        self._file, self._began, self._in_file = "", 0, 0  # `_fed` at its first line; lines that could be read
        self._days: set[str] = set()  # of the lines of this file
        self._columned = False  # a version that begins each file with `columns` has written
        self._found: list[tuple[int, Damage]] = []

    def _report(self, damage: Damage, *, fed: int | None = None) -> None:
        self._found.append((self._fed if fed is None else fed, damage))

    def feed(self, line: bytes, *, file: str, line_number: int, complete: bool = True) -> None:
        """One line without its newline; `complete` tells whether it had one."""
        self._fed += 1
        if file != self._file:
            self._end_file()
            self._file, self._began, self._in_file = file, self._fed, 0
        read = read_line(line) if complete else None
        if read is None:
            how = "the line cannot be read" if complete else "the last line is cut short, or being written now"
            self._report(Damage(file, line_number, None, None, "torn", how))
            self._nameless += 1
            return
        last = self._last.get(read.environment)
        if last is None and not self._whole:
            last = _Seen(read.seq - 1, frozenset({read.prev}))
        elif last is None:
            last = _Seen(0, frozenset({FIRST_PREV}))
        if not read.intact:
            self._changed(read, last, file=file, line_number=line_number)
        elif read.seq <= last.seq:
            self._late(read, file=file, line_number=line_number)
        else:
            self._next(read, last, file=file, line_number=line_number)
        self._in_file += 1
        self._days.add(read.at[:10])

    def _end_file(self) -> None:
        what = misnamed(self._file, self._days)
        if what:
            self._report(Damage(self._file, 1, None, None, "reordered", what), fed=self._began)
        self._days.clear()

    def _changed(self, read: ReadLine, last: _Seen, *, file: str, line_number: int) -> None:
        name = f"line {read.seq} of {read.environment}"
        what = f"{name} does not have the content that its hash was made of"
        self._report(Damage(file, line_number, read.environment, read.seq, "changed", what))
        if read.seq == last.seq + 1 and read.environment in self._last:
            self._last[read.environment] = _Seen(read.seq, frozenset({read.hash, read.computed}))
        else:  # what was changed may be the number or the environment
            self._nameless += 1

    def _late(self, read: ReadLine, *, file: str, line_number: int) -> None:
        what = f"line {read.seq} of {read.environment} is there twice"
        for gap in self._gaps:
            if gap.environment == read.environment and gap.first <= read.seq <= gap.last and read.seq not in gap.seen:
                gap.seen.add(read.seq)
                gap.unseen -= 1
                what = f"line {read.seq} of {read.environment} comes after line {self._last[read.environment].seq}"
                break
        self._report(Damage(file, line_number, read.environment, read.seq, "reordered", what))

    def _next(self, read: ReadLine, last: _Seen, *, file: str, line_number: int) -> None:
        environment, name = read.environment, f"line {read.seq} of {read.environment}"
        skipped, replaced = read.seq - last.seq - 1, False
        if skipped:
            explained = min(skipped, self._nameless)
            self._nameless -= explained
            first, end = last.seq + 1, read.seq - 1
            self._gaps.append(_Gap(self._fed, file, line_number, environment, first, end, skipped - explained))
        elif read.prev not in last.hashes:
            what = f"{name} does not follow the line before it: one of the two was replaced"
            self._report(Damage(file, line_number, environment, read.seq, "changed", what))
            replaced = True
        head = self._heads.get(environment)
        if head is not None and head.seq == read.seq and head.hash != read.hash:
            what = f"{name} is not the one that was written: it was replaced"
            self._report(Damage(file, line_number, environment, read.seq, "changed", what))
        self._last[environment] = _Seen(read.seq, frozenset({read.hash}))
        if not replaced:  # it says nothing of where it stands that can be believed
            self._placed(read, file=file, line_number=line_number, follows=not skipped)

    def _placed(self, read: ReadLine, *, file: str, line_number: int, follows: bool) -> None:
        """Whether a line stands out of its place among those of other environments, or in its file.

        Its own chain tells neither.
        """
        name, what = f"line {read.seq} of {read.environment}", ""
        begins = read.fact == COLUMNS_FACT
        ahead = sum(seen.seq for seen in self._last.values())  # with itself: its place, where none is missing
        if read.place is not None and read.place < ahead and len(self._last) > 1:
            others = [f"line {seen.seq} of {each}" for each, seen in self._last.items() if each != read.environment]
            what = f"{name} comes after {' and '.join(others)}, which was written later"
        elif begins and self._in_file:
            what = f"{name} began its file: what is ahead of it here was in another one"
        elif self._columned and not begins and line_number == 1 and follows and read.place in (None, ahead):
            what = f"{name} did not begin its file: what was ahead of it there is in another one"
        self._columned |= begins
        if what:
            self._report(Damage(file, line_number, read.environment, read.seq, "reordered", what))

    def close(self, *, file: str, line_number: int) -> list[Damage]:
        """All that was found, in the order of the files.

        Args:
            file: name of the last file.
            line_number: number of its last line.
        """
        self._end_file()
        for environment, head in self._heads.items():
            last = self._last.get(environment)
            if last is None and not self._whole:
                continue  # a day's file need not have a line of each environment
            seq = last.seq if last is not None else 0
            if head.seq > seq:
                explained = min(head.seq - seq, self._nameless)
                self._nameless -= explained
                unseen = head.seq - seq - explained
                self._gaps.append(_Gap(self._fed, file, line_number, environment, seq + 1, head.seq, unseen))
        for gap in self._gaps:
            if gap.unseen:
                span = f"line {gap.first} of {gap.environment} is not here"
                if gap.last > gap.first:
                    span = f"lines {gap.first} to {gap.last} of {gap.environment} are not here"
                some = gap.unseen < gap.last - gap.first + 1
                what = f"{gap.unseen} of the {span}" if some else span
                damage = Damage(gap.file, gap.line_number, gap.environment, gap.first, "missing", what)
                self._report(damage, fed=gap.fed)
        return [damage for _, damage in sorted(self._found, key=lambda found: found[0])]


def read_head(path: Path) -> dict[str, Tail] | None:
    """Where the chains stood at the last commit, from the file beside them; None where there is none.

    Raises:
        ValueError: there is one, and it does not say.
    """
    try:
        content = path.read_bytes()
        if not content:  # made, and then the power went
            return None
        members = orjson.loads(content)
        return {name: Tail(tail["seq"] + 0, tail["hash"] + "") for name, tail in members.items()}
    except FileNotFoundError:
        return None
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def remarks(folder: Path) -> list[str]:
    """What keeps the check of a folder from finding all that may be wrong: a sentence each.

    Args:
        folder: as for `verify`.
    """
    said = []
    for stem in (_ORDERS, _SNAPSHOTS):
        head = head_of(folder, stem)
        try:
            known = read_head(head)
        except ValueError:
            continue  # that is a damage
        if known is None and files_of(folder, stem):
            said.append(f"{head.name} is not there: lines missing at the end of {stem}.jsonl would not show")
    return said


def verify(path: Path | str) -> list[Damage]:
    """Reads one file, or all the audit files of a folder, and tells what is not as it was written.

    A folder is checked as a whole: its chains begin with line 1, run on from file to file, and end where the
    writer last left them. A file alone is checked from its own first line on. While a writer is at work, its last
    group of lines may show as torn; a day that it ends meanwhile shows nowhere.

    Returns:
        every damage found, in the order of the files; empty where all is as it was written.

    Raises:
        OSError: a file could not be read.
        FileNotFoundError: there is no such file, or no audit in the folder.
    """
    path = Path(path)
    if not path.is_dir():
        stem = path.name.removesuffix(".jsonl")
        return _verify(_opened([path]), lambda: [path], head_of(path.parent, stem), whole=False)
    stems = [stem for stem in (_ORDERS, _SNAPSHOTS) if files_of(path, stem) or _has_lines(path, stem)]
    if not stems:
        raise FileNotFoundError(f"there is no order_audit.jsonl in {path}")
    gone = []
    for stem, other in ((_ORDERS, _SNAPSHOTS), (_SNAPSHOTS, _ORDERS)):
        if stem in stems or (stem == _SNAPSHOTS and not _should_have_snapshots(path)):
            continue
        what = f"it is gone, and what tells where it stood too: {other}.jsonl is never written without it"
        gone.append(Damage(f"{stem}.jsonl", 1, None, None, "missing", what))
    return gone + [
        damage
        for stem in stems
        for damage in _verify(
            files_in_turn(path, stem),
            partial(files_of, path, stem),
            head_of(path, stem),
            whole=True,
            name=f"{stem}.jsonl",
        )
    ]


def head_of(folder: Path, stem: str) -> Path:
    """The file that tells where the chains of an audit stand."""
    return folder / f".{stem}.head.json"


def _should_have_snapshots(folder: Path) -> bool:
    """Whether a writer made their file, of which nothing is there: days that were put away have no head."""
    return _has_lines(folder, _ORDERS) and not head_of(folder, _SNAPSHOTS).exists()


def _has_lines(folder: Path, stem: str) -> bool:
    """Whether the head of an audit tells of lines, or cannot be read, so that nobody knows: its files may be gone."""
    try:
        return bool(read_head(head_of(folder, stem)))
    except ValueError:
        return True


def _verify(
    files: Iterable[tuple[str, BinaryIO]],
    paths: Callable[[], Sequence[Path]],
    head: Path,
    *,
    whole: bool,
    name: str = "",
) -> list[Damage]:
    """What is wrong with these files; `name` is where lines are missing when there is no file at all."""
    stand, found = None, []
    try:
        # Before the lines: those that a writer adds meanwhile are then ahead of it, and none seems missing.
        stand = read_head(head)
    except ValueError:
        what = "it cannot be read, and without it lines missing at the end do not show"
        found.append(Damage(head.name, 1, None, None, "torn", what))
    damages = _read(files, stand, whole=whole, name=name)
    if any(damage.kind == "reordered" for damage in damages):
        # A clock that was set back once named a later file ahead of an earlier one: its lines know better.
        ordered = by_lines(paths())
        others = _read(_opened(ordered), stand, whole=whole, name=name)
        if len(others) < len(damages):
            damages = [Damage(path.name, 1, None, None, "reordered", what) for path, what in misnumbered(ordered)]
            damages += others
    return found + damages


def _opened(paths: Iterable[Path]) -> Iterator[tuple[str, BinaryIO]]:
    for path in paths:
        with path.open("rb") as file:
            yield path.name, file


def _read(
    files: Iterable[tuple[str, BinaryIO]], stand: Mapping[str, Tail] | None, *, whole: bool, name: str
) -> list[Damage]:
    checker = Checker(stand, whole=whole)
    number = 1
    for name, lines in files:
        number = 0
        for number, line in enumerate(lines, 1):
            complete = line.endswith(b"\n")
            checker.feed(line[:-1] if complete else line, file=name, line_number=number, complete=complete)
    return checker.close(file=name, line_number=number)
