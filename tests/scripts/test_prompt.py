"""Waiting for a person to type a line."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import anyio
import pytest
from anyio.lowlevel import checkpoint

from anyctrader.scripts.prompt import Prompt

pytestmark = pytest.mark.anyio


@contextmanager
def typing(monkeypatch: pytest.MonkeyPatch) -> Iterator[TextIO]:
    """Where somebody types what is read."""
    ours, theirs = os.pipe()
    with os.fdopen(ours) as stdin, os.fdopen(theirs, "w") as keys:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield keys


def nothing() -> None:
    """Nobody is asked."""


async def test_lines_come_one_by_one_and_an_empty_one_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with typing(monkeypatch) as keys:
        prompt = Prompt()
        keys.write("one\n\ntw")
        keys.flush()
        assert [await prompt.line(nothing), await prompt.line(nothing)] == ["one\n", "\n"]
        keys.write("o")
        keys.close()
        assert [await prompt.line(nothing), await prompt.line(nothing)] == ["two", ""]


async def test_whoever_waits_may_be_cancelled_and_those_who_wait_do_so_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    got: dict[int, str] = {}
    prompt = Prompt()

    async def ask(number: int) -> None:
        got[number] = await prompt.line(lambda: asked.append(number))

    with typing(monkeypatch) as keys:
        with anyio.CancelScope() as scope:
            await prompt.line(scope.cancel)
        assert scope.cancelled_caught
        async with anyio.create_task_group() as tasks:
            for number in (1, 2):
                tasks.start_soon(ask, number)
            while not asked:
                await checkpoint()
            assert len(asked) == 1
            keys.write("first\nsecond\n")
            keys.flush()
    assert [got[number] for number in asked] == ["first\n", "second\n"]


async def test_a_file_a_text_and_nothing_at_all_can_be_read_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "lines"
    path.write_text("a\n")
    with path.open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        prompt = Prompt()
        assert [await prompt.line(nothing), await prompt.line(nothing)] == ["a\n", ""]
    monkeypatch.setattr(sys, "stdin", io.StringIO("b\n"))
    assert await Prompt().line(nothing) == "b\n"
    monkeypatch.setattr(sys, "stdin", None)
    assert await Prompt().line(nothing) == ""
