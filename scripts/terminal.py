"""Text on its way to a terminal or a pipe: escaped, wrapped where there is a width, never in the way of the work."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import sys
import textwrap
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TextIO

import orjson

from anyctrader.wire.json_text import write_json
from anyctrader.wire.quoting import escaped

from .early import hand_over

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = [
    "ResultsLost",
    "can_answer",
    "can_show",
    "drop_stdout",
    "ensure_stdout",
    "escaped",
    "is_terminal",
    "print_json",
    "print_json_lines",
    "print_line",
    "print_lines",
    "remark",
    "remark_at_once",
    "width_of",
]

_NARROWEST = 20
_AT_ONCE: Final = 65_536  # characters of whole lines: what a pipe takes, and what an interrupt may have to wait for


def is_terminal(stream: TextIO | None = None) -> bool:
    """Whether a person watches this stream (stdout if none is given)."""
    return (stream if stream is not None else sys.stdout).isatty()


def can_answer() -> bool:
    """Whether a person can type something."""
    return sys.stdin is not None and sys.stdin.isatty()


def width_of(stream: TextIO) -> int | None:
    """Columns of the terminal behind a stream; None where there is none and lines may be as long as they are."""
    if not stream.isatty():
        return None
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except OSError:
        return 80
    return max(columns, _NARROWEST) if columns else 80


def can_show(text: str, stream: TextIO | None = None) -> bool:
    """Whether the encoding of this stream (stdout if none is given) has these characters."""
    encoding = (stream if stream is not None else sys.stdout).encoding or "ascii"
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


class ResultsLost(BrokenPipeError):
    """The results cannot be written, and not because whoever reads them has seen enough. It was remarked already."""


class _Closed(io.TextIOBase):
    """A stdout that was closed before we began: to write to it fails, as to any file that cannot be written."""

    encoding = "utf-8"
    dropped = False

    def write(self, text: str) -> int:
        if self.dropped:
            return len(text)
        raise OSError(errno.EBADF, "stdout is closed")


def ensure_stdout() -> None:
    """Sees to a stdout that takes all that is written to it, or fails.

    Something takes the place of one that is not there. One without a buffer (`PYTHONUNBUFFERED`) gets one: a pipe that
    a signal interrupts takes a part of what is written, and the rest would be dropped without a word.
    """
    if sys.stdout is None:
        sys.stdout = _Closed()
    elif isinstance(raw := getattr(sys.stdout, "buffer", None), io.RawIOBase):
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(raw), encoding=sys.stdout.encoding, errors=sys.stdout.errors)


def print_line(text: str = "", *, indent: str = "", hanging: str = "", colour: str = "") -> None:
    """A line of results.

    Args:
        text: what it says; the caller has escaped what came from a server.
        indent: put before it.
        hanging: put before the lines that it is wrapped to.
        colour: of the indent, as a number that terminals know (32 is green); left out where there is no terminal, or
            `NO_COLOR` is set.

    Raises:
        BrokenPipeError: nobody reads any more.
    """
    with _results():
        _write(sys.stdout, text, indent=indent, hanging=hanging or indent, colour=colour)


def print_json(members: Mapping[str, Any]) -> None:
    """A JSON object on a line of results.

    Raises:
        BrokenPipeError: nobody reads any more.
    """
    print_json_lines((members,))


def print_json_lines(rows: Iterable[Mapping[str, Any]]) -> None:
    """JSON objects, each on a line of results, written at once.

    Raises:
        BrokenPipeError: nobody reads any more.
    """
    _write_whole(map(_json_text, rows))


def _json_text(members: Mapping[str, Any]) -> str:
    try:
        text = orjson.dumps(members).decode()
    except orjson.JSONEncodeError:  # what a newer server said: an integer beyond 64 bits, or nested very deeply
        text = write_json(members).decode()
    if text.isprintable():
        return text
    # As JSON has it, and with nothing in it that a terminal would obey.
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def print_lines(lines: Iterable[str], *, colour: str = "") -> None:
    """Several lines of results, written at once; their own indent is kept where they are wrapped.

    Args:
        lines: what they say; the caller has escaped what came from a server.
        colour: of the first line, as a number that terminals know; left out where there is no terminal, or `NO_COLOR`
            is set.

    Raises:
        BrokenPipeError: nobody reads any more.
    """
    if width_of(sys.stdout) is None:
        _write_whole(lines)
        return
    with _results():
        for line in lines:
            text = line.lstrip(" ")
            indent = line[: len(line) - len(text)]
            _write(sys.stdout, text, indent=indent, hanging=f"{indent}    ", colour=colour, whole=True)
            colour = ""


def _write_whole(lines: Iterable[str]) -> None:
    """Lines as they are, some at once; what is written ends with a whole one, also where it is interrupted."""
    waiting: list[str] = []
    size = 0
    for line in lines:
        waiting.append(line)
        size += len(line)
        if size >= _AT_ONCE:
            _write_some(waiting)
            waiting, size = [], 0
    _write_some(waiting)


def _write_some(lines: list[str]) -> None:
    if lines:
        lines.append("")
        with _results():
            sys.stdout.write(_showable("\n".join(lines), sys.stdout))
            sys.stdout.flush()


@contextmanager
def _results() -> Iterator[None]:
    try:
        with _Unbroken():
            yield
    except BrokenPipeError:
        raise
    except OSError as error:
        remark(f"the results cannot be written: {escaped(error.strerror or str(error))}")
        drop_stdout()
        raise ResultsLost(error.errno, error.strerror) from error


class _Unbroken:
    """Within it Ctrl-C waits for the end of it, so that no line is torn. One a second later does not wait."""

    def __init__(self) -> None:
        self._interrupted = False
        self._replaced = False

    def __enter__(self) -> None:
        # Elsewhere it interrupts nothing; and who handles it otherwise has no line torn by it.
        if threading.current_thread() is threading.main_thread():
            self._replaced = hand_over(signal.default_int_handler, self._note)

    def __exit__(self, kind: object, *_: object) -> None:
        if self._replaced:
            hand_over(self._note, signal.default_int_handler)
        if self._interrupted and kind is None:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: object) -> None:
        if self._interrupted:
            hand_over(self._note, signal.default_int_handler)
            raise KeyboardInterrupt
        self._interrupted = True


def remark(text: str) -> None:
    """Something for a person that is no result: to stderr. Never fails: what it says is not worth the command."""
    if sys.stderr is None:
        return
    try:
        for line in text.splitlines():
            _write(sys.stderr, line, indent="", hanging="  ")
    except OSError:
        pass


def remark_at_once(text: str) -> None:
    """A last remark, by a handler of signals, which may have come in the middle of another one. Never fails."""
    if sys.stderr is None:
        return
    with suppress(OSError, ValueError):
        # A line that was being drawn goes, and a cursor that was hidden comes back.
        put_right = "\r\x1b[K\x1b[?25h" if sys.stderr.isatty() else ""
        os.write(sys.stderr.fileno(), f"{put_right}{text}\n".encode())


def drop_stdout() -> None:
    """Lets what is still buffered go nowhere, so that Python does not complain about the closed pipe at its end."""
    if isinstance(sys.stdout, _Closed):
        sys.stdout.dropped = True
        return
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, sys.stdout.fileno())
    finally:
        os.close(null)


def _showable(text: str, stream: TextIO) -> str:
    return text if can_show(text, stream) else text.encode(stream.encoding, "backslashreplace").decode()


def _write(stream: TextIO, text: str, *, indent: str, hanging: str, colour: str = "", whole: bool = False) -> None:
    """A line, wrapped. The colour is of its indent, or of the whole line."""
    width = width_of(stream)
    if os.environ.get("NO_COLOR"):  # a wish of the person at the terminal, and no setting of ours
        colour = ""
    if width is None:
        lines = [indent + text]
    else:
        lines = textwrap.wrap(
            text,
            width - 1,
            initial_indent=indent,
            subsequent_indent=hanging,
            break_on_hyphens=False,
        ) or [indent]
    for number, line in enumerate(lines):
        shown = _showable(line, stream)
        if colour and whole and width is not None:
            shown = f"\x1b[{colour}m{shown}\x1b[0m"
        elif colour and not number and width is not None:
            shown = f"\x1b[{colour}m{shown[: len(indent)]}\x1b[0m{shown[len(indent) :]}"
        stream.write(shown + "\n")
    stream.flush()
