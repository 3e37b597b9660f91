"""What the audit finds when it opens its files again: where each chain stands, and a last line cut short."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from .chain import Tail, read_line
from .day_files import files_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

__all__ = ["Remark", "last_day", "lines_backwards", "recover_tails", "sound_size", "tails_of"]

_CHUNK_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about the file itself that belongs on record.

    Attributes:
        fact: name of the fact to note.
        fields: its fields.
        environment: whom it concerns; None: all.
    """

    fact: str
    fields: dict[str, Any]
    environment: str | None = None


def lines_backwards(file: BinaryIO, *, chunk_bytes: int = _CHUNK_BYTES) -> Iterator[tuple[int, bytes]]:
    """The lines of a file from the last to the first: where each starts, and its bytes with the newline it has."""
    position = file.seek(0, 2)
    rest = b""  # from `position` to the start of the line that was given last
    while position:
        step = min(chunk_bytes, position)
        position -= step
        file.seek(position)
        rest = file.read(step) + rest
        # The newline at the very end belongs to the last line of `rest`, whose start may not be read yet.
        while (newline := rest.rfind(b"\n", 0, len(rest) - 1)) >= 0:
            yield position + newline + 1, rest[newline + 1 :]
            rest = rest[: newline + 1]
    if rest:
        yield 0, rest


def sound_size(path: Path) -> int:
    """How many bytes of a file, from its start, end in a whole line that can be read."""
    with path.open("rb") as file:
        for start, line in lines_backwards(file):
            if line.endswith(b"\n") and read_line(line[:-1]) is not None:
                return start + len(line)
    return 0


def tails_of(path: Path, environments: Collection[str]) -> dict[str, Tail]:
    """The last line of each of these environments that has one in this file.

    A line that was changed counts as it says: the chain goes on from it, and the check goes on reporting it.
    """
    wanted = set(environments)
    tails: dict[str, Tail] = {}
    with path.open("rb") as file:
        for _, line in lines_backwards(file):
            read = read_line(line.rstrip(b"\n"))
            if read is not None and read.environment in wanted:
                wanted.discard(read.environment)
                tails[read.environment] = Tail(read.seq, read.hash or read.computed)
            if not wanted:
                break
    return tails


def last_day(path: Path) -> str | None:
    """The UTC day of a file's last line, as `2026-11-22`; None where it has no line."""
    with path.open("rb") as file:
        for _, line in lines_backwards(file):
            read = read_line(line.rstrip(b"\n"))
            if read is not None:
                return read.at[:10]
    return None


def recover_tails(
    folder: Path, stem: str, environments: Collection[str], *, head: Mapping[str, Tail] | None
) -> tuple[dict[str, Tail], list[Remark]]:
    """Where each chain goes on.

    Args:
        folder: where the files are; the current one exists, and ends in a whole line or is empty.
        stem: name of the current file without `.jsonl`.
        environments: whose chains it holds.
        head: where the chains stood at the last commit, or None where that is not known.

    Returns:
        the last line of each environment that ever had one, and what is to be noted about them.
    """
    current = folder / f"{stem}.jsonl"
    tails = tails_of(current, environments)
    remarks: list[Remark] = []
    older = [path for path in reversed(files_of(folder, stem)) if path != current]
    for name in environments:
        known = (head or {}).get(name)
        if name not in tails and (head is None or known is not None or not current.stat().st_size):
            for path in older:
                if found := tails_of(path, [name]):
                    tails |= found
                    break
        # The head is written after the lines that it counts, so they were there. The chain goes on from the head,
        # so that the check goes on reporting what is gone.
        tail = tails.get(name, Tail())
        if known is not None and known.seq > tail.seq:
            fields = {"file": current.name, "first": tail.seq + 1, "last": known.seq}
            remarks.append(Remark("lines_missing", fields, name))
            tails[name] = known
        elif known is not None and known.seq == tail.seq and known != tail:
            remarks.append(Remark("line_replaced", {"file": current.name, "line": known.seq}, name))
            tails[name] = known
    return tails, remarks
