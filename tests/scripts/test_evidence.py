from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from anyctrader.scripts.evidence import Evidence, Records
from anyctrader.scripts.probe import Probe
from anyctrader.scripts.stage import Stage
from anyctrader.scripts.steps import StepFailed
from anyctrader.session import Environment, open_desk

from .grounds import sandbox_of, stage_of

DEMO, LIVE = Environment.DEMO, Environment.LIVE


def records(*facts: str, environment: str = "demo", **members: Any) -> Records:
    return Records(
        tuple({"environment": environment, "seq": seq, "fact": fact, **members} for seq, fact in enumerate(facts, 1))
    )


def test_lines_are_chosen_by_environment_and_members() -> None:
    both = Records(records("a", order_id=1).lines + records("a", environment="live", order_id=1).lines)
    assert len(both.of(DEMO, order_id=1).lines) == 1
    assert not both.of(LIVE, order_id=2).lines


def test_facts_must_be_there_and_in_order() -> None:
    found = records("intent", "sent", "execution", "fill").in_order("intent", "sent", "fill")
    assert [line["seq"] for line in found] == [1, 2, 4]
    with pytest.raises(StepFailed, match="no line 'sent' of it, only: intent, fill"):
        records("intent", "fill").in_order("intent", "sent")
    with pytest.raises(StepFailed, match="no line 'sent' of it, only: nothing"):
        records().in_order("sent")
    with pytest.raises(StepFailed, match="'sent' comes before 'intent'"):
        records("sent", "intent").in_order("intent", "sent")


def test_a_deal_must_be_there_once() -> None:
    line = {"environment": "demo", "seq": 1, "fact": "fill", "deal_id": 7}
    assert Evidence(Records((line,)), Records(())).fill_of(DEMO, 7) == line
    for lines in ((), (line, line)):
        with pytest.raises(StepFailed, match=f"is in the audit {len(lines)} times"):
            Evidence(Records(lines), Records(())).fill_of(DEMO, 7)


def test_files_that_are_not_there_or_hold_no_records_fail(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"there is no order_audit\.jsonl"):
        Records.read(tmp_path, "order_audit", since_ms=0)
    (tmp_path / "order_audit.jsonl").write_text('{"at": "2026-11-22T00:00:00.000Z"}\nnothing\n')
    with pytest.raises(StepFailed, match=r"line 2 of .* is no record"):
        Records.read(tmp_path, "order_audit", since_ms=0)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def traded(stage: Stage) -> None:
    """A round trip on demo."""
    demo = Probe(stage, DEMO)
    order = await demo.buy()
    assert order.position_id is not None
    await demo.close(order.position_id)


@pytest.mark.anyio
async def test_what_was_traded_is_found_on_record_and_a_changed_digit_is_noticed(tmp_path: Path) -> None:
    async with sandbox_of(tmp_path) as sandbox:
        stage = stage_of(sandbox)
        async with open_desk(stage.settings, sandbox=True) as desk:
            stage.desk = desk
            await traded(stage)
            evidence = await Evidence.collect(stage)
            for order in stage.orders:
                evidence.check_order(order)
            bought, closed = stage.orders
            assert evidence.fill_of(DEMO, bought.fills[0].deal_id)["position_id"] == bought.position_id
            assert closed.realised is not None
            assert Decimal(evidence.fill_of(DEMO, closed.fills[0].deal_id)["net"]) == closed.realised.net
            assert evidence.costs(DEMO).startswith("demo: 2 fills, slippage at worst ")
            with pytest.raises(StepFailed, match="cancel of order_id 1: the audit has no line 'intent'"):
                evidence.check_change(DEMO, "cancel", order_id=1)

            # An order whose records are gone is not passed over.
            lines = tuple(line for line in evidence.orders.lines if line["fact"] != "fill")
            with pytest.raises(StepFailed, match=r"deal \d+ is not in the audit"):
                Evidence(Records(lines), evidence.snapshots).check_order(bought)
            bare = tuple({**line, "slippage_pips": None} for line in evidence.orders.lines)
            with pytest.raises(StepFailed, match="on record without slippage_pips"):
                Evidence(Records(bare), evidence.snapshots).check_order(bought)

            path = tmp_path / "order_audit.jsonl"
            path.write_text(path.read_text().replace('"volume_cents":100000', '"volume_cents":100001', 1))
            with pytest.raises(StepFailed, match="the audit is damaged in"):
                await Evidence.collect(stage)


@pytest.mark.anyio
async def test_records_without_the_mark_of_the_sandbox_fail(tmp_path: Path) -> None:
    async with sandbox_of(tmp_path) as sandbox:
        stage = stage_of(sandbox)
        async with open_desk(stage.settings, sandbox=False) as desk:
            stage.desk = desk
            await traded(stage)
            with pytest.raises(StepFailed, match="is not marked as it should be"):
                await Evidence.collect(stage)
    line = orjson.loads((tmp_path / "order_audit.jsonl").read_text().splitlines()[0])
    assert "sandbox" not in line
