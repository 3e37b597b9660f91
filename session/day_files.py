"""The files of one audit, a day each: their names, and the order in which they were written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO, Final

from .chain import read_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["by_lines", "files_in_turn", "files_of", "name_of_next"]

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


def by_lines(paths: Sequence[Path]) -> list[Path]:
    """The files in the order that the sequence numbers of their first lines give them."""
    first: dict[Path, dict[str, int]] = {}
    for path in paths:
        first[path] = {}
        with path.open("rb") as lines:
            for line in lines:
                read = read_line(line.rstrip(b"\n"))
                if read is not None:
                    first[path].setdefault(read.environment, read.seq)
    ordered: list[Path] = []
    for path in paths:  # each goes ahead of those whose lines come later
        later = (at for at, other in enumerate(ordered) if _is_later(first[other], first[path]))
        ordered.insert(next(later, len(ordered)), path)
    return ordered


def _is_later(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    both = one.keys() & other.keys()
    return bool(both) and all(one[name] > other[name] for name in both)
