from __future__ import annotations

from pathlib import Path

import pytest

from anyctrader.scripts.promotion import Promotion, PromotionUnreadable
from anyctrader.scripts.steps import Outcome, StepResult

PASSED = StepResult("A", "one", "first", Outcome.PASSED, "")
FAILED = StepResult("A", "two", "second", Outcome.FAILED, "why")


def test_a_phase_counts_for_its_account_alone_and_after_a_restart(tmp_path: Path) -> None:
    Promotion(tmp_path).keep("demo 1", "A", [PASSED], began_ms=5)
    again = Promotion(tmp_path)
    assert again.passed_at("demo 1", "A") is not None
    assert again.began_ms("demo 1", "A") == 5
    assert again.passed_at("demo 2", "A") is None
    assert again.passed_at("demo 1", "B") is None


@pytest.mark.parametrize("results", [[], [PASSED, FAILED]])
def test_a_phase_counts_only_if_all_of_its_steps_passed(tmp_path: Path, results: list[StepResult]) -> None:
    promotion = Promotion(tmp_path)
    promotion.keep("demo 1", "A", results, began_ms=0)
    assert promotion.passed_at("demo 1", "A") is None
    assert promotion.began_ms("demo 1", "A") is None


def test_a_later_failure_takes_an_earlier_pass_back(tmp_path: Path) -> None:
    promotion = Promotion(tmp_path)
    promotion.keep("demo 1", "A", [PASSED], began_ms=0)
    promotion.keep("demo 1", "A", [FAILED], began_ms=0)
    assert Promotion(tmp_path).passed_at("demo 1", "A") is None


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"demo 1": {"A": {}}}', '{"demo 1": 3}', '{"x": {"A": {"passed": 1}}}']
)
def test_a_file_that_is_none_of_ours_is_not_taken_for_a_pass(tmp_path: Path, content: str) -> None:
    (tmp_path / "runbook.json").write_text(content)
    with pytest.raises(PromotionUnreadable, match=r"runbook\.json is not a file of earlier results"):
        Promotion(tmp_path)
