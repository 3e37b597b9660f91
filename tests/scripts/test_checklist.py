from __future__ import annotations

import pytest

from anyctrader.scripts.checklist import JsonChecklist, TextChecklist
from anyctrader.scripts.steps import Outcome, StepResult

from .programs import json_lines

RESULTS = (
    StepResult("A", "one", "first", Outcome.PASSED, "seen 3 of 3", 1.24),
    StepResult("A", "two", "second", Outcome.FAILED, "said \x1b[2J"),
    StepResult("A", "three", "third", Outcome.NOT_NOW, "not now: closed"),
    StepResult("A", "four", "fourth", Outcome.SKIPPED, "skipped because 'second' failed"),
    StepResult("A", "five", "fifth", Outcome.SKIPPED, "skipped because 'second' failed"),
)


def test_for_people_each_step_has_its_mark_and_below_it_what_was_found(capsys: pytest.CaptureFixture[str]) -> None:
    checklist = TextChecklist()
    checklist.phase("A", "Demo")
    for result in RESULTS:
        checklist.began(result.title)
        checklist.progress("half way")
        checklist.ended(result)
    assert capsys.readouterr().out.splitlines() == [
        "A  Demo",
        "  ✓ first  (1.2 s)",
        "    seen 3 of 3",
        "  ✗ second",
        "    said \\x1b[2J",
        "  … third",
        "    not now: closed",
        "  - fourth",
        "    skipped because 'second' failed",
        "  - fifth",
    ]


def test_phases_are_set_apart_by_an_empty_line(capsys: pytest.CaptureFixture[str]) -> None:
    checklist = TextChecklist()
    checklist.phase("A", "Demo")
    checklist.phase("B", "Live")
    assert capsys.readouterr().out == "A  Demo\n\nB  Live\n"


def test_for_programs_each_step_is_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    checklist = JsonChecklist()
    checklist.phase("A", "Demo")
    for result in RESULTS:
        checklist.began(result.title)
        checklist.ended(result)
    checklist.close()
    lines = json_lines(capsys.readouterr().out)
    assert lines[0] == {
        "phase": "A",
        "step": "one",
        "title": "first",
        "result": "passed",
        "detail": "seen 3 of 3",
        "seconds": 1.24,
    }
    assert [line["result"] for line in lines] == ["passed", "failed", "not now", "skipped", "skipped"]
