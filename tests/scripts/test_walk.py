"""The phases on servers that answer at once; most of it as if they were the real ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import ExchangeSettings, Host, faults
from anyctrader.fake.exchange_settings import Delays
from anyctrader.fake.injection import OutgoingFrame
from anyctrader.fake.market import MarketSettings
from anyctrader.fake.observations import Seen
from anyctrader.scripts.promotion import Promotion
from anyctrader.scripts.stage import Stage
from anyctrader.scripts.steps import Outcome, StepResult
from anyctrader.scripts.walk import LETTERS, Walk
from anyctrader.session import Environment, ServerError
from anyctrader.session import halt as halts
from anyctrader.session.verification import verify
from anyctrader.wire import messages as oa

from .grounds import QUICK, Person, Report, sandbox_of, server_settings, stage_of

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(400)]

PASSED = StepResult("A", "one", "first", Outcome.PASSED, "")
MARKET = oa.ProtoOAOrderType.MARKET
_SUNDAY_MS = 1_763_856_000_000  # 2025-11-23 00:00 UTC


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # the phases are long; what they walk on is tested on both backends


async def walk(stage: Stage, letters: str, *, promotion: Promotion | None = None, again: bool = False) -> Report:
    report = Report()
    await Walk(stage, report, promotion=promotion).go(letters, again=again)
    return report


def passed(promotion: Promotion, stage: Stage, letters: str) -> None:
    """As if these phases had been passed before."""
    for letter in letters:
        environment = Environment.DEMO if letter == "A" else Environment.LIVE
        account = f"{environment.value} {stage.account_id(environment)}"
        promotion.keep(account, letter, [PASSED], began_ms=stage.began_ms)


@pytest.mark.parametrize("anyio_backend", ["trio"])  # on asyncio, test_runbook.py walks all of it
async def test_all_phases_pass_at_servers_that_are_not_ours_and_live_is_left_halted(tmp_path: Path) -> None:
    async with sandbox_of(tmp_path) as sandbox:
        person = Person(f"{sandbox.servers[Environment.LIVE].account_id}\n")
        settings = sandbox.settings(live_enabled=True)
        promotion = Promotion(tmp_path)
        stage = stage_of(sandbox, ours=False, settings=settings, person=person)
        report = await walk(stage, "ABCD", promotion=promotion)
        assert [(each.phase, each.name, each.detail) for each in report.results if not each.passed] == []
        assert report.phases == list(LETTERS)
        assert person.asked == 1
        assert halts.read(tmp_path, Environment.LIVE) is not None
        assert halts.read(tmp_path, Environment.DEMO) is None
        assert "anyctrader resume live" in report.detail("D", "on_record")
        for environment, server in sandbox.servers.items():
            account = server.exchange.accounts[stage.account_id(environment)]
            assert not account.positions, environment
            assert not account.orders, environment

        # What has passed counts, and is not walked again unless it is asked for.
        kept = Promotion(tmp_path)
        report = await walk(stage_of(sandbox, ours=False, settings=settings), "ABCD", promotion=kept)
        assert [(result.phase, result.name, result.outcome) for result in report.results] == [
            (letter, "before", Outcome.PASSED) for letter in LETTERS
        ]
        # Live is halted now, and no phase trades there before somebody lifts that.
        stage = stage_of(sandbox, ours=False, settings=settings, person=person)
        report = await walk(stage, "C", promotion=kept, again=True)
        assert report.outcomes("C")["flag"] == "failed"
        assert "`anyctrader resume live` lifts it" in report.detail("C", "flag")
        assert kept.passed_at(f"live {stage.account_id(Environment.LIVE)}", "C") is None


@pytest.mark.parametrize(("before", "letter", "missing"), [("", "B", "A"), ("A", "C", "B"), ("ABD", "D", "C")])
async def test_a_phase_is_not_walked_before_those_that_it_builds_on(
    tmp_path: Path, before: str, letter: str, missing: str
) -> None:
    async with sandbox_of(tmp_path / "logs") as sandbox:
        stage = stage_of(sandbox, ours=False, settings=sandbox.settings(live_enabled=True))
        promotion = Promotion(tmp_path)
        passed(promotion, stage, before)
        report = await walk(stage, letter, promotion=promotion, again=True)
        assert {result.outcome for result in report.results} == {Outcome.SKIPPED}
        assert {result.detail for result in report.results} == {f"skipped because phase {missing} has not passed"}
        assert not sandbox.servers[Environment.LIVE].seen.total


async def test_what_another_account_has_passed_does_not_count(tmp_path: Path) -> None:
    async with sandbox_of(tmp_path / "logs") as sandbox:
        stage = stage_of(sandbox, ours=False)
        promotion = Promotion(tmp_path)
        promotion.keep("demo 7", "A", [PASSED], began_ms=0)
        report = await walk(stage, "B", promotion=promotion)
        assert {result.outcome for result in report.results} == {Outcome.SKIPPED}


@pytest.mark.parametrize(
    ("typed", "why"),
    [(None, "nobody can be asked"), ("1000001\n", "not the account id"), ("\n", "not the account id")],
)
async def test_live_is_not_traded_unless_its_owner_names_the_account(
    tmp_path: Path, typed: str | None, why: str
) -> None:
    async with sandbox_of(tmp_path / "logs") as sandbox:
        settings = sandbox.settings(live_enabled=True)
        stage = stage_of(sandbox, ours=False, settings=settings, person=Person(typed))
        promotion = Promotion(tmp_path)
        passed(promotion, stage, "AB")
        report = await walk(stage, "C", promotion=promotion)
        assert report.outcomes("C") == {
            "owner": "failed",
            "flag": "skipped",
            "limits": "skipped",
            "smallest": "skipped",
            "closed": "skipped",
            "chain": "skipped",
            "left": "passed",
        }
        assert why in report.detail("C", "owner")
        assert "ProtoOANewOrderReq" not in sandbox.servers[Environment.LIVE].seen.names()


async def test_live_is_not_traded_while_its_flag_is_off(tmp_path: Path) -> None:
    async with sandbox_of(tmp_path / "logs") as sandbox:
        stage = stage_of(sandbox, ours=False, person=Person("1000002"))
        promotion = Promotion(tmp_path)
        passed(promotion, stage, "AB")
        report = await walk(stage, "C", promotion=promotion)
        assert report.detail("C", "desk") == "live trading is off: set CTRADER_LIVE_ENABLED=true for this phase"
        assert not sandbox.servers[Environment.LIVE].seen.total


async def test_phase_b_holds_live_off_even_where_the_flag_is_on(tmp_path: Path) -> None:
    async with sandbox_of(tmp_path / "logs") as sandbox:
        stage = stage_of(sandbox, settings=sandbox.settings(live_enabled=True))
        promotion = Promotion(tmp_path)
        passed(promotion, stage, "A")
        report = await walk(stage, "B", promotion=promotion)
        assert set(report.outcomes("B").values()) == {"passed"}
        assert "ProtoOANewOrderReq" not in sandbox.servers[Environment.LIVE].seen.names()


async def test_a_closed_market_is_not_now_and_no_failure(tmp_path: Path) -> None:
    closed = ExchangeSettings(delays=Delays.none(), market=MarketSettings(schedules=True))
    demo = server_settings(Host.DEMO, closed, clock_ms=_SUNDAY_MS)
    async with sandbox_of(tmp_path / "logs", demo) as sandbox:
        report = await walk(stage_of(sandbox, pace=replace(QUICK, quote_s=2.0)), "A")
        assert report.outcomes("A") == {
            "token": "passed",
            "account": "passed",
            "soak": "passed",
            "throttle": "passed",
            "place": "not now",
            "modify": "skipped",
            "cancel": "skipped",
            "audit": "skipped",
            "left": "passed",
        }
        assert report.detail("A", "place").startswith("not now: ")
        assert "closed" in report.detail("A", "place")


async def test_an_environment_that_is_not_set_up_is_said_so(tmp_path: Path) -> None:
    async with sandbox_of(tmp_path / "logs") as sandbox:
        settings = sandbox.settings(live_enabled=False)
        demo = replace(settings, environments={Environment.DEMO: settings.environments[Environment.DEMO]})
        stage = stage_of(sandbox, ours=False, settings=demo)
        promotion = Promotion(tmp_path)
        promotion.keep(f"demo {stage.account_id(Environment.DEMO)}", "A", [PASSED], began_ms=0)
        report = await walk(stage, "B", promotion=promotion)
        assert "live is not set up" in report.detail("B", "desk")
        assert report.outcomes("B")["live_up"] == "skipped"


def _of_events(fits: Callable[[Any], bool]) -> Callable[[OutgoingFrame], bool]:
    return lambda frame: frame.name == "ProtoOAExecutionEvent" and fits(frame.payload)


async def test_a_fill_that_is_lost_fails_the_step_and_what_it_opened_is_closed(tmp_path: Path) -> None:
    async with sandbox_of(tmp_path / "logs") as sandbox:
        server = sandbox.servers[Environment.DEMO]
        stage = stage_of(sandbox, pace=replace(QUICK, fill_s=2.0))
        levels = oa.ProtoOAOrderType.STOP_LOSS_TAKE_PROFIT
        server.faults.inject(faults.Lose(which=_of_events(lambda event: event.HasField("deal"))))
        # With it that of the protective order, which would have the fill looked for at once.
        server.faults.inject(faults.Lose(which=_of_events(lambda event: event.order.orderType == levels)))
        report = await walk(stage, "A")
        outcomes = report.outcomes("A")
        assert outcomes["place"] == "failed"
        assert "was not filled within" in report.detail("A", "place")
        assert outcomes["modify"] == outcomes["cancel"] == outcomes["audit"] == "skipped"
        assert report.detail("A", "left") == ""
        assert outcomes["left"] == "passed"
        assert not server.exchange.accounts[server.account_id].orders
        assert not server.exchange.accounts[server.account_id].positions


async def test_refused_credentials_fail_the_first_step_with_the_server_s_word(tmp_path: Path) -> None:
    async with sandbox_of(tmp_path / "logs") as sandbox:
        settings = sandbox.settings(live_enabled=False)
        sandbox.servers[Environment.DEMO].invalidate_tokens()
        report = await walk(stage_of(sandbox, settings=settings), "A")
        assert report.outcomes("A")["token"] == "failed"
        assert "CH_ACCESS_TOKEN_INVALID" in report.detail("A", "token")
        assert report.outcomes("A")["account"] == "skipped"


@pytest.mark.parametrize(("environment", "phase"), [(Environment.DEMO, "A"), (Environment.LIVE, "B")])
async def test_a_halt_that_an_earlier_sandbox_left_is_lifted_and_on_record(
    tmp_path: Path, environment: Environment, phase: str
) -> None:
    folder = tmp_path / "logs"
    halts.halt(folder, environment, why="an earlier drill", who="test", at_ms=0)
    async with sandbox_of(folder) as sandbox:
        stage = stage_of(sandbox)
        promotion = Promotion(tmp_path)
        if phase == "B":
            passed(promotion, stage, "A")
        sandbox.servers[environment].invalidate_tokens()
        await walk(stage, phase, promotion=promotion)
        assert halts.read(folder, environment) is None
    assert '"fact":"resume"' in (folder / "order_audit.jsonl").read_text()


async def test_an_audit_that_somebody_else_writes_fails_the_phase_and_nothing_is_connected(tmp_path: Path) -> None:
    from anyctrader.session import open_audit

    async with sandbox_of(tmp_path / "logs") as sandbox, open_audit(tmp_path / "logs"):
        report = await walk(stage_of(sandbox), "A")
        assert "is being written by" in report.detail("A", "desk")
        assert {result.outcome for result in report.results} == {Outcome.FAILED, Outcome.SKIPPED}
        assert not sandbox.servers[Environment.DEMO].seen.total


_MOMENTS = {
    "its order has just arrived": ["ProtoOANewOrderReq"],
    "its position is open": ["ProtoOANewOrderReq", "ProtoOAReconcileReq"],
    "it is being closed": ["ProtoOAClosePositionReq"],
}


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
@pytest.mark.parametrize("moment", _MOMENTS)
@pytest.mark.parametrize("letter", ["A", "C"])
async def test_a_walk_that_is_interrupted_leaves_nothing_open(tmp_path: Path, letter: str, moment: str) -> None:
    fills_take_a_while = ExchangeSettings(
        delays=Delays(follow_up_ms=0)
    )  # so that an order that has just arrived is not filled yet
    async with sandbox_of(
        tmp_path / "logs",
        server_settings(Host.DEMO, fills_take_a_while),
        server_settings(Host.LIVE, fills_take_a_while),
    ) as sandbox:
        environment = Environment.DEMO if letter == "A" else Environment.LIVE
        server = sandbox.servers[environment]
        stage = stage_of(sandbox, settings=sandbox.settings(live_enabled=True))
        promotion = Promotion(tmp_path)
        passed(promotion, stage, LETTERS[: LETTERS.index(letter)])
        report = Report()

        async def go() -> None:
            await Walk(stage, report, promotion=promotion).go(letter, again=False)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(go)
            since = 0
            for name in _MOMENTS[moment]:

                def fits(seen: Seen, name: str = name) -> bool:
                    return seen.name == name and getattr(seen.message, "orderType", MARKET) == MARKET

                await server.seen.wait_for(fits, since=since, timeout_s=60)
                since = server.seen.total
            tasks.cancel_scope.cancel()
        account = server.exchange.accounts[server.account_id]
        assert not account.positions
        assert not account.orders
        assert (report.outcomes(letter)["left"], report.detail(letter, "left")) == ("passed", "")
        assert promotion.passed_at(f"{environment.value} {server.account_id}", letter) is None
        assert verify(tmp_path / "logs") == []


async def test_what_was_never_tried_leaves_an_earlier_pass_as_it_is(tmp_path: Path) -> None:
    async with sandbox_of(tmp_path / "logs") as sandbox:
        settings = sandbox.settings(live_enabled=True)
        promotion = Promotion(tmp_path)
        passed(promotion, stage_of(sandbox, ours=False, settings=settings), "ABC")
        account = f"live {sandbox.servers[Environment.LIVE].account_id}"
        before = promotion.passed_at(account, "C")
        assert before is not None
        for typed in (None, "1\n"):
            stage = stage_of(sandbox, ours=False, settings=settings, person=Person(typed))
            report = await walk(stage, "C", promotion=promotion, again=True)
            assert report.outcomes("C")["owner"] == "failed"
            assert Promotion(tmp_path).passed_at(account, "C") == before
        # What was tried and failed does count.
        sandbox.servers[Environment.LIVE].invalidate_tokens()
        stage = stage_of(
            sandbox, ours=False, settings=settings, person=Person(str(sandbox.servers[Environment.LIVE].account_id))
        )
        await walk(stage, "C", promotion=promotion, again=True)
        assert Promotion(tmp_path).passed_at(account, "C") is None


async def test_a_traceback_of_a_step_moves_no_terminal(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    async with sandbox_of(tmp_path) as sandbox:
        it = Walk(stage_of(sandbox), Report(), promotion=None, debug=True)
        it._ended(replace(PASSED, outcome=Outcome.FAILED, error=ServerError("X", "\x1b[2J")))
    shown = capsys.readouterr().err
    assert r"X: \x1b[2J" in shown
    assert "\x1b" not in shown
