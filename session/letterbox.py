"""Facts for the audit from a process that may not write it, since its files have one writer.

`anyctrader halt` and `resume` leave one each in the folder `left` beside the audit; whoever writes the audit puts it
there, within a second, and whoever opens it next where that one ends first. A fact is a file of its own, made by a
rename: it is there whole or not at all. A crash between record and removal puts it on record twice, with one `told_at`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
import anyio.to_thread
import orjson

from .chain import iso_ms
from .environments import Environment
from .errors import AuditUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from .audit import Audit

__all__ = ["Letterbox", "leave"]

T = TypeVar("T")

_FOLDER: Final = "left"
_LOOK_EACH_S: Final = 1.0  # soon enough for a record, and a look costs some ten microseconds
_LETTER_S: Final = 5.0  # a record may take 2 s, and a removal is worth no longer wait
_MOST_TOLD: Final = 1000  # changes of halts; those who tell of the same one do so within a moment


@dataclass(frozen=True, slots=True)
class _Letter:
    path: Path
    environment: Environment
    fact: str
    fields: dict[str, Any]


class Letterbox:
    """What others leave for the one who writes the audit of a folder, and what of it was told already.

    Args:
        folder: of the audit.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / _FOLDER
        self._told: dict[tuple[Environment, str, str], None] = {}
        self._limiter = anyio.CapacityLimiter(1)  # its own: a disk that hangs holds no other work up
        self._emptying = anyio.Lock()
        self._scope = anyio.CancelScope()

    @property
    def waiting(self) -> bool:
        """Whether something was left that is not on record yet. One look at the disk: for the moment of a change."""
        try:
            return any(name.endswith(".json") for name in os.listdir(self._folder))
        except OSError:
            return False

    def is_news(self, environment: Environment, fact: str, halted_at: str) -> bool:
        """Whether nobody has told this yet of the halt that was placed then; from here on somebody has.

        Whoever sees a halt come or go tells of it, and so does the command that did it.
        """
        key = (environment, fact, halted_at)
        if halted_at and key in self._told:
            return False
        self._tell(key)
        return True

    def _tell(self, key: tuple[Environment, str, str]) -> None:
        self._told[key] = None
        if len(self._told) > _MOST_TOLD:
            del self._told[next(iter(self._told))]

    async def watch(self, audit: Audit) -> None:
        """Puts on record what is left, until `end`."""
        with self._scope:
            while True:
                await self.empty_into(audit)
                await anyio.sleep(_LOOK_EACH_S)

    def end(self) -> None:
        """Ends `watch`."""
        self._scope.cancel()

    async def empty_into(self, audit: Audit) -> None:
        """Puts on record what is left now; what the disk does not take stays for later."""
        async with self._emptying:
            try:
                for letter in await self._in_thread(_letters, self._folder):
                    # Whole, lest it be told twice: cancelled between record and removal it would be there again.
                    with anyio.move_on_after(_LETTER_S, shield=True):
                        await self._put(letter, audit)
            except (OSError, AuditUnavailable):
                pass

    async def _put(self, letter: _Letter, audit: Audit) -> None:
        done = _remove
        key = (letter.environment, letter.fact, str(letter.fields.get("halted_at", "")))
        if not key[2] or key not in self._told:
            try:
                await audit.record(letter.environment, letter.fact, letter.fields, essential=True)
            except (ValueError, TypeError):  # whoever may write into the folder may have left anything
                done = _put_aside
            else:
                self._tell(key)
        await self._in_thread(done, letter.path)

    async def _in_thread(self, work: Callable[[Path], T], path: Path) -> T:
        return await anyio.to_thread.run_sync(work, path, limiter=self._limiter, abandon_on_cancel=True)


def leave(folder: Path, environment: Environment, fact: str, fields: Mapping[str, Any], *, at_ms: int) -> None:
    """Leaves a fact for whoever writes the audit of this folder. Blocking.

    Args:
        folder: of the audit.
        environment: whose fact.
        fact: what happened, in a word.
        fields: its fields.
        at_ms: when, milliseconds since the epoch.

    Raises:
        OSError: it is not there.
    """
    box = folder / _FOLDER
    box.mkdir(parents=True, exist_ok=True)
    names = (f"{at_ms:015d}-{os.getpid()}-{number}" for number in count())
    name = next(name for name in names if not (box / f"{name}.json").exists())
    text = {"environment": environment.value, "fact": fact, "fields": {**fields, "told_at": iso_ms(at_ms)}}
    new = box / f".{name}"
    with new.open("wb") as file:
        file.write(orjson.dumps(text))
        file.flush()
        os.fsync(file.fileno())
    new.replace(box / f"{name}.json")


def _letters(box: Path) -> list[_Letter]:
    """What lies there, the oldest first; what is none is put out of the way."""
    found = []
    for path in sorted(box.glob("*.json")):
        try:
            said = orjson.loads(path.read_bytes())
            found.append(_Letter(path, Environment(said["environment"]), str(said["fact"]), dict(said["fields"])))
        except (ValueError, TypeError, KeyError):
            _put_aside(path)
        except OSError:  # somebody else's file, perhaps: it is not to hold up those behind it
            continue
    return found


def _put_aside(path: Path) -> None:
    path.replace(path.with_suffix(".unreadable"))


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
