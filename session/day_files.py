"""The files of one audit, a day each: their names, and the order in which they were written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO, Final

from .chain import read_line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["by_lines", "files_in_turn", "files_of", "misnamed", "misnumbered", "name_of_next"]

_ROTATED: Final = re.compile(r"\.(\d{4}-\d\d-\d\d)(?:\.(\d+))?\.jsonl\Z")


def files_of(folder: Path, stem: str) -> list[Path]:
    """The files of one audit in the order in which they were written, the current one last."""
    current = folder / f"{stem}.jsonl"
    return [path for _, _, path in _rotated(folder, stem)] + ([current] if current.exists() else [])


def files_in_turn(folder: Path, stem: str) -> Iterator[tuple[str, BinaryIO]]:
    """The files of one audit, one after the other in the order in which they were written, open, each with its name.

    A writer may end its day meanwhile: the current file is then another one, and what was in it has the day's name.
    What was written before the first of them was asked for is in one of those that are given.

    Raises:
        OSError: one could not be opened.
    """
    current = folder / f"{stem}.jsonl"
    given: set[str] = set()

    def over() -> list[Path]:
        return [path for _, _, path in _rotated(folder, stem) if path.name not in given]

    while True:
        for path in over():
            given.add(path.name)
            with path.open("rb") as file:
                yield path.name, file
        try:
            file = current.open("rb")
        except FileNotFoundError:
            if not over():
                return
            continue
        with file:
            # Asked once it is open: a day that has ended since the last question leaves its file among these.
            if not over():
                yield current.name, file
                return


def name_of_next(folder: Path, stem: str, day: str) -> str:
    """The name that the current file is to get when its day is over: it sorts behind all that are there.

    Args:
        folder: where the files are.
        stem: name of the current file without `.jsonl`.
        day: that of its lines, as `2026-11-22`; a clock that was set back may make it an earlier one.
    """
    last_day, number = max(((day, number) for day, number, _ in _rotated(folder, stem)), default=("", 0))
    if day > last_day:
        return f"{stem}.{day}.jsonl"
    return f"{stem}.{last_day}.{number + 1}.jsonl"


def _rotated(folder: Path, stem: str) -> list[tuple[str, int, Path]]:
    """Day, number and path of the files whose day is over."""
    found = ((_ROTATED.match(path.name, len(stem)), path) for path in folder.glob(f"{stem}.*.jsonl"))
    return sorted((match[1], int(match[2] or 1), path) for match, path in found if match)


def misnamed(name: str, days: Collection[str]) -> str:
    """Why the lines of a file do not fit its name, in words; empty where they do.

    A file is named after a day that it has lines of. It may have others too, since a clock can be set, and a disk can
    hang over midnight. Where a later day's name was taken when it got its own, it has that with a number.

    Args:
        name: of the file; the current one fits all lines.
        days: those of its lines, UTC, as `2026-11-22`.
    """
    match = _ROTATED.search(name)
    if match is None or not days:
        return ""
    day, first, last = match[1], min(days), max(days)
    if day in days or (match[2] and first < day):
        return ""
    span = first if first == last else f"{first} to {last}"
    return f"it has the name of {day}, and no line in it is of that day: its lines are of {span}"


def misnumbered(ordered: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Files whose names no writer can have given them in this order, and why, in words.

    A name that is merely that of an earlier day is none of them: earlier versions gave it to a file after a clock was
    set back.

    Args:
        ordered: the files of one audit in the order of their lines.
    """
    furthest: dict[str, tuple[int, str]] = {}
    for path, then in zip(ordered, [*ordered[1:], None], strict=True):
        match = _ROTATED.search(path.name)
        if match is None:
            if then is not None:
                yield path, f"its lines were written ahead of those of {then.name}, and it is no file of a day"
            continue
        number, (most, other) = int(match[2] or 1), furthest.get(match[1], (0, ""))
        if number < most:
            yield path, f"its lines were written behind those of {other}, and its number is the lower one"
        else:
            furthest[match[1]] = number, path.name


def by_lines(paths: Sequence[Path]) -> list[Path]:
    """The files in the order that the numbers of their first lines give them, in each environment and in all."""
    first: dict[Path, dict[str, int]] = {}
    for path in paths:
        first[path] = {}
        with path.open("rb") as lines:
            for line in lines:
                read = read_line(line.rstrip(b"\n"))
                if read is not None:
                    first[path].setdefault(read.environment, read.seq)
                    if read.place is not None:
                        first[path].setdefault("", read.place)
    ordered: list[Path] = []
    for path in paths:  # each goes ahead of those whose lines come later
        later = (at for at, other in enumerate(ordered) if _is_later(first[other], first[path]))
        ordered.insert(next(later, len(ordered)), path)
    return ordered


def _is_later(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    both = one.keys() & other.keys()
    return bool(both) and all(one[name] > other[name] for name in both)
