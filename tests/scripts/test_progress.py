from __future__ import annotations

import io
import os
import sys
import time

import pytest

from anyctrader.scripts import progress, terminal
from anyctrader.scripts.progress import Progress, waited


class Screen(io.StringIO):
    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 2


def screen_of(monkeypatch: pytest.MonkeyPatch, *, after_s: float = 1.0) -> Screen:
    screen = Screen()
    monkeypatch.setattr(progress, "_AFTER_S", after_s)
    if not after_s:
        monkeypatch.setattr(progress, "_EACH_S", 0.001)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(terminal.os, "get_terminal_size", lambda _: os.terminal_size((40, 24)))
    return screen


def test_what_is_done_within_a_second_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = screen_of(monkeypatch)
    with Progress("decoding", 100) as bar:
        bar.at(50)
    assert screen.getvalue() == ""


def test_a_bar_fits_into_a_narrow_terminal_and_is_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = screen_of(monkeypatch)
    now_s = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s)
    with Progress("decoding", 200_000_000) as bar:
        now_s = 2.0
        bar.at(100_000_000)
        bar.at(110_000_000)  # too soon after the last
    drawn = screen.getvalue()
    assert drawn.count("\r") == 2
    assert drawn.startswith("\rdecoding ")
    assert " 50% of 200.0 MB" in drawn
    assert drawn.endswith("\r\x1b[K")
    assert len(drawn.split("\x1b[K")[0]) <= 40


def test_where_the_end_is_not_known_it_is_told_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    screen_of(monkeypatch)
    assert Progress("decoding").line(2_000_000, 3.0) == "decoding, 2.0 MB, 3 s"
    assert Progress("connecting").line(0, 3.0) == "connecting, 3 s"
    assert len(Progress("x" * 60, 10).line(5, 3.0)) < 40


def test_a_pipe_gets_none(capsys: pytest.CaptureFixture[str]) -> None:
    with waited("connecting"):
        pass
    with Progress("decoding", 10) as bar:
        assert not bar.shown
        bar.at(5)
    assert capsys.readouterr().err == ""


def test_a_wait_is_shown_while_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = screen_of(monkeypatch, after_s=0.0)
    with waited("connecting"):
        until = time.monotonic() + 5
        while "connecting, 0 s" not in screen.getvalue() and time.monotonic() < until:
            time.sleep(0.001)
    assert "connecting, 0 s" in screen.getvalue()
    assert screen.getvalue().endswith("\r\x1b[K")


def test_a_terminal_that_is_gone_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(Screen):
        def write(self, text: str) -> int:
            raise OSError("gone")

    monkeypatch.setattr(sys, "stderr", Gone())
    monkeypatch.setattr(progress, "_AFTER_S", 0.0)
    monkeypatch.setattr(progress, "_EACH_S", 0.0)
    with Progress("decoding", 10) as bar:
        bar.at(5)
        assert not bar.shown
