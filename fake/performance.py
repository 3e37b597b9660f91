"""Steps on their way: a script that a server plays, by its clock and by what it sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .steps import StepError
from .vocabulary import begin, checked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .agenda import Agenda
    from .observations import Seen
    from .server import FakeServer
    from .steps import Step

__all__ = ["Performance"]


class Performance:
    """Plays steps; a context manager that stops at its end.

    Args:
        server: to which they happen.
        steps: what and when.
        agenda: the server's.
        failed: gets what went wrong with a step that was begun later.

    Raises:
        StepError: one of them makes no sense, or one that is due at once cannot be done. Nothing goes on.
    """

    def __init__(
        self, server: FakeServer, steps: Iterable[Step], *, agenda: Agenda, failed: Callable[[Exception], None]
    ) -> None:
        self._server = server
        self._agenda = agenda
        self._failed = failed
        self._undo: list[Callable[[], None]] = []
        steps = tuple(steps)
        for step in steps:
            checked(step)
        try:
            for step in steps:
                self._expect(step)
        except StepError:
            self.stop()
            raise

    def __enter__(self) -> Performance:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def stop(self) -> None:
        """What has not begun does not begin, and what lasts ends. What was done stays done."""
        while self._undo:
            self._undo.pop()()

    def _expect(self, step: Step) -> None:
        """Waits for the moment of a step, or does it where that is now."""
        if step.after:
            left = step.count

            def seen(seen: Seen) -> None:
                nonlocal left
                if seen.name == step.after:
                    left -= 1
                    if left == 0:
                        forget()
                        self._later(step)

            forget = self._server.seen.watch(seen)
            self._undo.append(forget)
        elif step.at_s == 0:
            self._begin(step)
        else:
            self._later(step)

    def _later(self, step: Step) -> None:
        if step.at_s == 0:
            self._try(step)
        else:
            self._undo.append(self._agenda.call_after(step.at_s, lambda: self._try(step)).cancel)

    def _try(self, step: Step) -> None:
        """Nobody is there to hear of a step that cannot be done: the server says it at its end."""
        try:
            self._begin(step)
        except StepError as error:
            self._failed(error)

    def _begin(self, step: Step) -> None:
        ending = begin(self._server, step)
        if ending is None:
            return
        self._undo.append(ending)
        if step.for_s is not None:
            end = ending

            def over() -> None:
                if end in self._undo:
                    self._undo.remove(end)
                    end()

            self._agenda.call_after(step.for_s, over)
