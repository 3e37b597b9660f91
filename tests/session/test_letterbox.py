"""Facts that one process leaves for another one's audit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest

from anyctrader.session import Environment, Mode, open_audit
from anyctrader.session import halt as halts
from anyctrader.session.audit import Audit
from anyctrader.session.errors import AuditUnavailable
from anyctrader.session.gate import Gate
from anyctrader.session.letterbox import leave
from anyctrader.session.verification import verify

pytestmark = pytest.mark.anyio

DEMO, LIVE = Environment.DEMO, Environment.LIVE
LIFTED = {"reason": "a drill", "who": "somebody", "halted_at": "2026-11-22T19:40:00.000Z"}


def on_record(folder: Path, *facts: str) -> list[dict[str, Any]]:
    lines = map(orjson.loads, (folder / "order_audit.jsonl").read_bytes().splitlines())
    return [line for line in lines if line["fact"] in facts]


async def test_what_is_left_while_the_audit_is_written_is_put_there_at_once(tmp_path: Path) -> None:
    async with open_audit(tmp_path):
        leave(tmp_path, LIVE, "resume", LIFTED, at_ms=1_795_376_000_000)
        with anyio.fail_after(10):
            while not on_record(tmp_path, "resume"):  # noqa: ASYNC110 - the file tells, and nothing else
                await anyio.sleep(0.01)
    (line,) = on_record(tmp_path, "resume")
    assert (line["environment"], line["who"], line["reason"]) == ("live", "somebody", "a drill")
    assert line["told_at"] == "2026-11-22T19:33:20.000Z"
    assert verify(tmp_path) == []


async def test_what_nobody_has_taken_is_put_there_by_whoever_opens_the_audit_next(tmp_path: Path) -> None:
    leave(tmp_path, DEMO, "halt", {**LIFTED, "mode": "off"}, at_ms=0)
    leave(tmp_path, DEMO, "resume", LIFTED, at_ms=1)
    for _ in range(2):
        async with open_audit(tmp_path) as audit:
            pass
    assert [line["fact"] for line in on_record(tmp_path, "halt", "resume")] == ["halt", "resume"]
    assert not audit.letterbox.waiting
    assert list((tmp_path / "left").iterdir()) == []


async def test_who_sees_a_halt_go_and_the_command_that_lifted_it_tell_of_it_once(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit:
        gate = Gate(DEMO, mode=Mode.ON, audit=audit, halts=tmp_path)
        placed = halts.halt(tmp_path, DEMO, why="a drill", who="me", at_ms=5)
        assert gate.standing().mode is Mode.OFF
        leave(tmp_path, DEMO, "resume", {**LIFTED, "halted_at": placed.at}, at_ms=6)
        halts.resume(tmp_path, DEMO)
        assert gate.standing().mode is Mode.ON
        await audit.letterbox.empty_into(audit)
        gate.standing()
    assert [(line["fact"], line["who"]) for line in on_record(tmp_path, "halt", "resume")] == [
        ("halt", "me"),
        ("resume", "somebody"),
    ]


async def test_a_halt_that_went_by_hand_is_told_by_the_first_who_sees_it(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit:
        gates = [Gate(DEMO, mode=Mode.ON, audit=audit, halts=tmp_path) for _ in range(2)]
        halts.halt(tmp_path, DEMO, why="a drill", who="me", at_ms=5)
        for gate in gates:
            gate.standing()
        halts.path_of(tmp_path, DEMO).unlink()
        for gate in gates:
            gate.standing()
    told = on_record(tmp_path, "halt", "resume")
    assert [(line["fact"], line["who"].split(":")[0]) for line in told] == [("halt", "me"), ("resume", "unknown")]


@pytest.mark.parametrize(
    "text", [b"{", b"[]", b'{"environment":"prod"}', b'{"environment":"demo","fact":"x","fields":[1]}']
)
async def test_what_is_no_letter_is_put_aside(tmp_path: Path, text: bytes) -> None:
    leave(tmp_path, DEMO, "halt", {"accessToken": "secret"}, at_ms=0)  # and what may not be on record likewise
    (tmp_path / "left" / "1.json").write_bytes(text)
    async with open_audit(tmp_path) as audit:
        await audit.letterbox.empty_into(audit)
        assert not audit.letterbox.waiting
    assert len(list((tmp_path / "left").glob("*.unreadable"))) == 2
    assert on_record(tmp_path, "halt", "x") == []


async def test_one_that_cannot_be_read_holds_up_nobody(tmp_path: Path) -> None:
    (tmp_path / "left" / "0.json").mkdir(parents=True)
    leave(tmp_path, DEMO, "resume", LIFTED, at_ms=1)
    async with open_audit(tmp_path) as audit:
        await audit.letterbox.empty_into(audit)
    assert len(on_record(tmp_path, "resume")) == 1


async def test_what_the_disk_does_not_take_is_left_for_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: Any, **__: Any) -> None:
        raise AuditUnavailable("full")

    async with open_audit(tmp_path) as audit:
        with monkeypatch.context() as full:
            full.setattr(Audit, "record", refuse)
            leave(tmp_path, DEMO, "resume", LIFTED, at_ms=0)
            await audit.letterbox.empty_into(audit)
            assert audit.letterbox.waiting
        await audit.letterbox.empty_into(audit)
    assert len(on_record(tmp_path, "resume")) == 1
