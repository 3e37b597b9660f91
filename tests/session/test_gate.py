"""The gate: the guard's word, the halts, and for what trades an intent on disk, once."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from anyctrader.session import AuditUnavailable, Environment, LiveTradingDisabled, Mode, Refused, WrongEnvironment
from anyctrader.session import halt as halts
from anyctrader.session.audit import Audit, open_audit
from anyctrader.session.gate import Gate, facts_of
from anyctrader.wire import Message, UnknownPayload
from anyctrader.wire import messages as oa

from .rig import audit_of

pytestmark = pytest.mark.anyio

ACCOUNT = 7


def order(volume: int = 1000) -> Any:
    return oa.ProtoOANewOrderReq(
        ctidTraderAccountId=ACCOUNT,
        symbolId=1,
        orderType=oa.ProtoOAOrderType.MARKET,
        tradeSide=oa.ProtoOATradeSide.BUY,
        volume=volume,
    )


def a_gate(
    audit: Audit | None,
    *,
    environment: Environment = Environment.DEMO,
    mode: Mode = Mode.ON,
    halts: Path | None = None,
) -> Gate:
    gate = Gate(environment, mode=mode, audit=audit, halts=halts)
    gate.accounts.add(ACCOUNT)
    return gate


READ = oa.ProtoOATraderReq(ctidTraderAccountId=ACCOUNT)
TRADING = (
    order(),
    oa.ProtoOAAmendOrderReq(ctidTraderAccountId=ACCOUNT, orderId=1),
    oa.ProtoOAAmendPositionSLTPReq(ctidTraderAccountId=ACCOUNT, positionId=1),
    oa.ProtoOAClosePositionReq(ctidTraderAccountId=ACCOUNT, positionId=1, volume=1),
    oa.ProtoOACancelOrderReq(ctidTraderAccountId=ACCOUNT, orderId=1),
)
NOT_READING = (*TRADING, oa.ProtoOAMarginCallUpdateReq(ctidTraderAccountId=ACCOUNT), UnknownPayload(9999, b""))


def name_of(payload: Any) -> str:
    return Message(payload).name


@pytest.mark.parametrize("mode", Mode)
def test_reading_needs_no_mode_and_no_audit(mode: Mode) -> None:
    gate = a_gate(None, mode=mode)
    gate.judge(Message(READ))
    gate.release(Message(READ))


@pytest.mark.parametrize("payload", NOT_READING, ids=name_of)
def test_without_an_audit_nothing_that_may_change_something_passes(payload: Any) -> None:
    with pytest.raises(AuditUnavailable):
        a_gate(None).judge(Message(payload))


async def test_the_writer_lets_nothing_out_that_has_no_intent_on_record(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit:
        gate = a_gate(audit)
        for payload in NOT_READING:
            with pytest.raises(AuditUnavailable, match="its intent is not on record"):
                gate.release(Message(payload))
    lines = audit_of(tmp_path)
    assert [(line["fact"], line["request"]) for line in lines] == [("refused", name_of(p)) for p in NOT_READING]


async def test_an_intent_is_on_the_disk_and_lets_its_request_out_once(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit:
        gate = a_gate(audit)
        payload = order()
        await gate.intend(payload, facts_of(payload))
        assert [(line["fact"], line["volume_cents"]) for line in audit_of(tmp_path)] == [("intent", 1000)]
        gate.release(Message(payload, "1"))
        with pytest.raises(AuditUnavailable):
            gate.release(Message(payload, "2"))


async def test_an_intent_does_not_let_an_equal_request_out(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit:
        gate = a_gate(audit)
        await gate.intend(order(), {})
        with pytest.raises(AuditUnavailable):
            gate.release(Message(order()))


async def test_an_intent_that_was_withdrawn_opens_nothing(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit:
        gate = a_gate(audit)
        payload = order()
        gate.withdraw(await gate.intend(payload, {}))
        with pytest.raises(AuditUnavailable):
            gate.release(Message(payload))


async def test_a_halt_stops_what_has_its_intent_on_record_already(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit:
        gate = a_gate(audit, halts=tmp_path)
        payload = order()
        await gate.intend(payload, {})
        halts.halt(tmp_path, Environment.DEMO, why="a test", who="somebody", at_ms=0)
        with pytest.raises(Refused, match="a test"):
            gate.release(Message(payload))
        halts.resume(tmp_path, Environment.DEMO)
        gate.release(Message(payload))


async def test_a_halt_of_the_other_environment_stops_nothing_here(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit:
        gate = a_gate(audit, halts=tmp_path)
        halts.halt(tmp_path, Environment.LIVE, why="a test", who="somebody", at_ms=0)
        gate.judge(Message(order()))


async def test_a_trip_lasts_and_is_on_record(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit:
        gate = a_gate(audit, halts=tmp_path)
        gate.trip(Mode.REDUCE_ONLY, "the books do not agree")
        gate.trip(Mode.ON, "later, and milder")
        assert gate.standing().mode is Mode.REDUCE_ONLY
        with pytest.raises(Refused, match="the books do not agree"):
            gate.judge(Message(order()))
    assert [line["fact"] for line in audit_of(tmp_path)] == ["tripped", "tripped", "refused"]


async def test_with_live_off_whatever_may_change_something_is_refused_and_on_record(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit:
        gate = a_gate(audit, environment=Environment.LIVE, mode=Mode.OFF)
        for payload in NOT_READING:
            with pytest.raises(LiveTradingDisabled):
                gate.judge(Message(payload))
    lines = audit_of(tmp_path)
    assert [line["request"] for line in lines] == [name_of(payload) for payload in NOT_READING]
    assert {(line["environment"], line["error"]) for line in lines} == {("live", "LiveTradingDisabled")}


async def test_an_account_of_the_other_environment_is_refused_even_where_it_was_authorised(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit:
        gate = a_gate(audit)
        gate.foreign = {ACCOUNT}
        for payload in (READ, order()):
            with pytest.raises(WrongEnvironment, match="live"):
                gate.judge(Message(payload))


async def test_a_refused_read_is_not_on_record(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit:
        with pytest.raises(WrongEnvironment):
            a_gate(audit).judge(Message(oa.ProtoOATraderReq(ctidTraderAccountId=8)))
    assert audit_of(tmp_path) == []


async def test_a_note_that_comes_after_the_audit_was_closed_is_let_go(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit:
        gate = a_gate(audit)
    gate.note("execution", {})
    assert audit_of(tmp_path) == []


async def test_an_intent_that_cannot_be_recorded_is_no_intent(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit:
        gate = a_gate(audit)
    payload = order()
    with pytest.raises(AuditUnavailable):
        await gate.intend(payload, {})
    with pytest.raises(AuditUnavailable):
        gate.release(Message(payload))


async def test_bytes_that_nobody_can_read_leave_for_demo_alone_where_trading_is_on_and_on_record(
    tmp_path: Path,
) -> None:
    async with open_audit(tmp_path) as audit:
        a_gate(audit).admit_bytes(b"\xff\xff")
        for gate, why in (
            (a_gate(audit, mode=Mode.REDUCE_ONLY), "trading on demo is reduce_only"),
            (a_gate(audit, mode=Mode.OFF), "trading on demo is off"),
            (a_gate(audit, environment=Environment.LIVE), "does not go to live"),
        ):
            with pytest.raises(Refused, match=why):
                gate.admit_bytes(b"\xff\xff")
    with pytest.raises(AuditUnavailable):
        a_gate(None).admit_bytes(b"\xff\xff")
    lines = audit_of(tmp_path)
    assert sorted(line["fact"] for line in lines) == ["raw_bytes", "refused", "refused", "refused"]
    assert {(line["size"], line["sha256"]) for line in lines} == {(2, hashlib.sha256(b"\xff\xff").hexdigest())}
