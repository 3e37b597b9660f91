"""How far a command is, for the person who waits: one line on stderr, from the second second on, gone at the end."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from .terminal import can_show, is_terminal, width_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Progress", "waited"]

_AFTER_S: Final = 1.0  # what is done by then needs no bar
_EACH_S: Final = 0.1
_WIDEST: Final = 30  # cells of the bar
_MEGABYTE: Final = 1_000_000


class Progress:
    """A bar where the end is known, else what was done so far and for how long.

    Nothing is shown where stderr is no terminal; nor where results go to the same one, for they show that it goes on.

    Args:
        label: what is being done.
        total: bytes of all of it; None where that is not known.
        shown: False for none at all.
    """

    def __init__(self, label: str, total: int | None = None, *, shown: bool = True) -> None:
        self._label = label
        self._total = total
        self._shown = shown and sys.stderr is not None and is_terminal(sys.stderr)
        self._began_s = self._drawn_s = time.monotonic()
        self._visible = False

    @property
    def shown(self) -> bool:
        """Whether anything ever is."""
        return self._shown

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._visible:
            self._write("\r\x1b[K")
            self._visible = False

    def at(self, done: int = 0) -> None:
        """So many bytes are done, where there are bytes to be counted."""
        if not self._shown:
            return
        now_s = time.monotonic()
        if now_s - self._began_s < _AFTER_S or now_s - self._drawn_s < _EACH_S:
            return
        self._drawn_s = now_s
        self._write(f"\r{self.line(done, now_s - self._began_s)}\x1b[K")
        self._visible = True

    def line(self, done: int, took_s: float) -> str:
        """What is shown, no longer than the terminal is wide."""
        width = (width_of(sys.stderr) or 80) - 1
        if not self._total:
            counted = f", {done / _MEGABYTE:.1f} MB" if done else ""
            return f"{self._label}{counted}, {took_s:.0f} s"[:width]
        part = min(done / self._total, 1.0)
        end = f"{part:4.0%} of {self._total / _MEGABYTE:.1f} MB"
        cells = min(_WIDEST, width - len(self._label) - len(end) - 4)
        if cells < 5:
            return f"{self._label} {end}"[:width]
        full, empty = ("█", "░") if can_show("█░", sys.stderr) else ("#", ".")
        filled = round(part * cells)
        return f"{self._label} {full * filled}{empty * (cells - filled)} {end}"

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except OSError:
            self._shown = self._visible = False


@contextmanager
def waited(label: str, *, shown: bool = True) -> Iterator[None]:
    """Shows that something goes on, and for how long, while the body waits for it.

    By a thread of its own: what waits may be a disk, or an event loop that has something else to do.
    """
    with Progress(label, shown=shown) as progress:
        if not progress.shown:
            yield
            return
        over = threading.Event()

        def tick() -> None:
            while not over.wait(_EACH_S):
                progress.at()

        ticker = threading.Thread(target=tick, name="progress", daemon=True)
        ticker.start()
        try:
            yield
        finally:
            over.set()
            ticker.join()
