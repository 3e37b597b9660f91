from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import pytest

from anyctrader.scripts.steps import NotNow, Outcome, Step, StepFailed, StepResult, carry_out_step, known
from anyctrader.session import ServerError

pytestmark = pytest.mark.anyio


def step(check: Callable[[], Awaitable[str]], *, needs: tuple[str, ...] = (), within_s: float | None = 5) -> Step:
    return Step("it", "it works", check, needs, within_s)


def raising(error: Exception) -> Callable[[], Awaitable[str]]:
    async def check() -> str:
        raise error

    return check


async def fine() -> str:
    return "as it should be"


async def test_a_step_passes_with_what_it_found() -> None:
    result = await carry_out_step("A", step(fine), {})
    assert (result.phase, result.outcome, result.detail) == ("A", Outcome.PASSED, "as it should be")
    assert result.passed


@pytest.mark.parametrize(
    ("error", "outcome", "detail"),
    [
        (StepFailed("3 is not 4"), Outcome.FAILED, "3 is not 4"),
        (NotNow("the market is closed"), Outcome.NOT_NOW, "not now: the market is closed"),
        (ServerError("ENTITY_NOT_FOUND", "\x1b"), Outcome.FAILED, "the server answered ENTITY_NOT_FOUND: \\x1b"),
    ],
)
async def test_a_step_that_does_not_pass_says_why(error: Exception, outcome: Outcome, detail: str) -> None:
    result = await carry_out_step("A", step(raising(error)), {})
    assert (result.outcome, result.detail) == (outcome, detail)
    assert not result.passed


async def test_a_fault_of_ours_is_a_failed_step_that_keeps_it_for_a_traceback() -> None:
    error = KeyError("x")
    result = await carry_out_step("A", step(raising(error)), {})
    assert result.outcome is Outcome.FAILED
    assert "a fault of anyctrader itself" in result.detail
    assert result.error is error


async def test_a_step_that_takes_too_long_fails() -> None:
    async def check() -> str:
        await anyio.sleep_forever()
        return ""

    result = await carry_out_step("A", step(check, within_s=0.01), {})
    assert (result.outcome, result.detail) == (Outcome.FAILED, "it took too long")


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        (Outcome.FAILED, "skipped because 'first' failed"),
        (Outcome.NOT_NOW, "skipped because 'first' cannot be checked now"),
        (Outcome.SKIPPED, "skipped because 'first' was skipped"),
    ],
)
async def test_what_builds_on_a_step_that_did_not_pass_is_skipped_and_says_so(outcome: Outcome, why: str) -> None:
    tried = False

    async def check() -> str:
        nonlocal tried
        tried = True
        return ""

    before = {"a": StepResult("A", "a", "first", outcome, "")}
    result = await carry_out_step("A", step(check, needs=("a",)), before)
    assert (result.outcome, result.detail, tried) == (Outcome.SKIPPED, why, False)


async def test_what_builds_on_a_step_that_passed_is_tried() -> None:
    before = {"a": StepResult("A", "a", "first", Outcome.PASSED, "")}
    assert (await carry_out_step("A", step(fine, needs=("a",)), before)).passed


async def test_a_closed_pipe_is_not_the_step_s_failure() -> None:
    with pytest.raises(BrokenPipeError):
        await carry_out_step("A", step(raising(BrokenPipeError())), {})


def test_what_must_be_known_and_is_not_fails_the_step() -> None:
    assert known(7, "its number") == 7
    with pytest.raises(StepFailed, match="its number is not known"):
        known(None, "its number")
