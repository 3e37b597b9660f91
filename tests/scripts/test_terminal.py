from __future__ import annotations

import io
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from anyctrader.scripts import early, terminal
from anyctrader.scripts.terminal import can_show, escaped, print_json, print_line, print_lines, remark
from anyctrader.session import Environment
from anyctrader.session import halt as halts
from anyctrader.wire import JsonCodec

from .programs import PROGRAM, clean_environment


class Screen(io.StringIO):
    """A terminal of so many columns."""

    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1


def screen_of(columns: int, monkeypatch: pytest.MonkeyPatch) -> Screen:
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(terminal.os, "get_terminal_size", lambda _: os.terminal_size((columns, 24)))
    return screen


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünï ✓", "plain, ünï ✓"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("two\r\nlines\u2028three", "two\\r\\nlines\\u2028three"),
        ("turned \u202etxt", "turned \\u202etxt"),
        ("c1 \x9b2J", "c1 \\x9b2J"),
        ("lone \ud800", "lone \\ud800"),
    ],
)
def test_what_a_terminal_would_obey_is_made_visible(text: str, shown: str) -> None:
    assert escaped(text) == shown


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_a_line_keeps_within_the_terminal_and_hangs_below_its_mark(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = screen_of(columns, monkeypatch)
    print_line("one two three four five six seven eight nine ten", indent="  ✓ ", hanging="    ", colour="32")
    lines = screen.getvalue().replace("\x1b[32m", "").replace("\x1b[0m", "").splitlines()
    assert all(len(line) < columns for line in lines)
    assert lines[0].startswith("  ✓ one")
    assert all(line.startswith("    ") for line in lines[1:])


def test_a_word_that_is_longer_than_the_terminal_is_cut_rather_than_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = screen_of(20, monkeypatch)
    print_line("x" * 50)
    assert screen.getvalue().replace("\n", "") == "x" * 50


def test_in_a_pipe_a_line_is_one_line_without_colours(capsys: pytest.CaptureFixture[str]) -> None:
    text = "word " * 100
    print_line(text.strip(), indent="  ok ", colour="32")
    assert capsys.readouterr().out == f"  ok {text.strip()}\n"


@pytest.mark.parametrize(("wish", "coloured"), [(None, True), ("", True), ("1", False)])
def test_colours_are_for_a_terminal_whose_person_wants_them_and_never_in_json(
    monkeypatch: pytest.MonkeyPatch, wish: str | None, coloured: bool
) -> None:
    screen = screen_of(40, monkeypatch)
    monkeypatch.delenv("NO_COLOR", raising=False)
    if wish is not None:
        monkeypatch.setenv("NO_COLOR", wish)
    print_line("a", indent="! ", colour="31")
    print_lines(["head", "  rest"], colour="36")
    assert ("\x1b[31m! \x1b[0ma" in screen.getvalue()) is coloured
    assert ("\x1b[36mhead\x1b[0m" in screen.getvalue()) is coloured
    assert ("\x1b" in screen.getvalue()) is coloured
    screen.truncate(0)
    print_json({"a": "\x1b[31mred"})
    assert "\x1b" not in screen.getvalue()


class Interrupted(io.StringIO):
    """A pipe whose reader is slow: Ctrl-C comes in the middle of a write, once or twice."""

    encoding = "utf-8"  # type: ignore[assignment]

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def write(self, text: str) -> int:
        super().write(text[:10])
        for _ in range(self.times):
            signal.raise_signal(signal.SIGINT)
        super().write(text[10:])
        return len(text)


@pytest.mark.parametrize(
    ("times", "patience_s", "ends"),
    [(1, 60, "the second line\n"), (2, 60, "the second line\n"), (2, 0, "the first ")],
)
def test_an_interrupt_waits_for_the_end_of_the_line_and_one_that_comes_later_does_not(
    monkeypatch: pytest.MonkeyPatch, times: int, patience_s: int, ends: str
) -> None:
    ear = early._Ear()
    monkeypatch.setattr(early, "_ear", ear)
    monkeypatch.setattr(early, "PATIENCE_S", patience_s)
    stream = Interrupted(times)
    monkeypatch.setattr(sys, "stdout", stream)
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, ear.hear)
    try:
        with pytest.raises(KeyboardInterrupt):
            print_lines(["the first line", "the second line"])
        assert signal.getsignal(signal.SIGINT) == ear.hear
        assert ear.then is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert stream.getvalue().endswith(ends)


def test_a_stream_that_lacks_a_character_gets_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert not can_show("✓")
    print_line("✓ done")
    assert raw.getvalue() == b"\\u2713 done\n"


def test_json_is_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": 1, "text": "two\nlines"})
    assert capsys.readouterr().out == '{"a":1,"text":"two\\nlines"}\n'


def test_json_holds_integers_of_any_length_and_any_depth_that_is_decoded(capsys: pytest.CaptureFixture[str]) -> None:
    deep = JsonCodec().decode(b'{"payloadType":9999,"payload":' + b"[" * 1_000 + b"]" * 1_000 + b"}").payload.body
    print_json({"id": 2**64, "deep": deep, "mark": "\u202e"})
    assert capsys.readouterr().out == (f'{{"id":{2**64},"deep":{"[" * 1_000}{"]" * 1_000},"mark":"\\u202e"}}\n')


def test_a_remark_goes_to_stderr_and_a_closed_one_is_no_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    remark("careful\nnow")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "careful\nnow\n")

    class Closed(io.StringIO):
        def write(self, text: str) -> Any:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Closed())
    remark("nobody hears this")


def test_json_has_nothing_in_it_that_a_terminal_would_obey(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"why": "turn \u202e around"})
    assert capsys.readouterr().out == '{"why":"turn \\u202e around"}\n'


@pytest.mark.parametrize("redirection", [">&-", ">/dev/full"])
@pytest.mark.parametrize(
    "arguments", ["run --sandbox --seconds 60", "runbook --sandbox", "halt demo --sandbox", "fake"], ids=lambda a: a[:7]
)
def test_results_that_cannot_be_written_end_it_with_a_sentence(
    tmp_path: Path, arguments: str, redirection: str
) -> None:
    command = f"exec {shlex.join(PROGRAM)} {arguments} {redirection}"
    done = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=clean_environment(), stderr=subprocess.PIPE, text=True, check=False
    )
    why = "stdout is closed" if redirection == ">&-" else "No space left on device"
    assert done.returncode == 1
    said, _, more = done.stderr.removeprefix("opening demo and live\n").partition("\n")
    assert said == f"the results cannot be written: {why}"
    assert more.startswith("demo is halted: " if arguments.startswith("halt") else "")
    assert more.count("\n") == arguments.startswith("halt")
    if arguments.startswith("halt"):  # what was to be done is done all the same
        assert halts.read(tmp_path / "logs" / "sandbox", Environment.DEMO) is not None


def test_with_nothing_to_write_to_at_all_it_ends_without_success(tmp_path: Path) -> None:
    command = f"exec {shlex.join(PROGRAM)} runbook --sandbox >&- 2>&-"
    assert subprocess.run(["sh", "-c", command], cwd=tmp_path, env=clean_environment(), check=False).returncode == 1
