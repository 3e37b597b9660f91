"""What waits for the disk: pure, so that it can be tried without one."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .chain import Fact, encode_fields

if TYPE_CHECKING:
    from collections.abc import Iterable

    import anyio

    from .environments import Environment

__all__ = ["Entry", "Queue"]


@dataclass(slots=True, eq=False)
class Entry:
    """A fact on its way to the disk.

    Attributes:
        fact: what to write.
        kept: whether it stays in the queue when it could not be written: a note does, a record is refused.
        lost: how many lost lines it tells of.
        done: set when it is on the disk, or when it is refused.
        error: why it is refused.
        taken: it is part of a group, and can no longer be taken back.
        withdrawn: its caller is gone; it is not to be written.
        written: it is on the disk.
    """

    fact: Fact
    kept: bool
    lost: int = 0
    done: anyio.Event | None = None
    error: Exception | None = None
    taken: bool = False
    withdrawn: bool = False
    written: bool = False

    def settle(self, error: Exception | None) -> None:
        """Tells whoever waits that it is on the disk, or why it is not."""
        self.error, self.written = error, error is None
        if self.done is not None:
            self.done.set()


class Queue:
    """What waits for the disk, of one environment and for one file.

    Attributes:
        environment: whose it is.
        entries: what waits, in order.
        lost: lines that found the queue full, and are not yet told of.
    """

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.entries: deque[Entry] = deque()
        self.lost = 0

    def take(self, most: int, *, now_ms: int) -> list[Entry]:
        """The next entries, at most this many, behind one that tells what was lost."""
        taken: list[Entry] = []
        if self.lost:
            body = encode_fields({"lines": self.lost})
            fact = Fact(self.environment.value, now_ms, "lines_lost", body, essential=True)
            taken.append(Entry(fact, kept=False, lost=self.lost))
        while self.entries and len(taken) < most:
            entry = self.entries.popleft()
            if entry.withdrawn:
                entry.settle(None)  # whoever still waits for the queue to empty waits for no line of it
            else:
                entry.taken = True
                taken.append(entry)
        return taken

    def settle(self, entries: Iterable[Entry], error: Exception | None) -> None:
        """Ends the entries of a group: on the disk, or refused, or back at the front."""
        back: list[Entry] = []
        for entry in entries:
            if error is not None and entry.kept:
                entry.taken = False
                back.append(entry)
                continue
            if error is None:
                self.lost -= entry.lost
            entry.settle(error)
        self.entries.extendleft(reversed(back))
