"""A raw order one of whose texts holds a secret, so that it is covered on record: found again after a crash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import FakeServer, faults
from anyctrader.session import Environment, open_desk
from anyctrader.session.leftovers import leftovers_of
from anyctrader.session.secret import could_be, reads_as
from anyctrader.wire import messages as oa

from .rig import EURUSD, a_server, audit_of, desk_settings, side_of
from .test_doubts import NEW, SOON, crashed, raw, until_resolved
from .test_lagging_lists import LaggingLists

PASSWORD = "mybot-7"
DEMO = Environment.DEMO
LIMIT = NEW | {"orderType": oa.ProtoOAOrderType.LIMIT, "limitPrice": 1.3}


def a_desk_that_covers(server: FakeServer, folder: Path, password: str = PASSWORD) -> Any:
    return open_desk(desk_settings(folder, side_of(server, timings=SOON, password=password)))


async def left_by_a_crash(server: FakeServer, tmp_path: Path, **fields: Any) -> Path:
    """What a process leaves that dies before it hears what the server made of its order."""
    server.set_price(EURUSD, bid=120_000, ask=120_010)
    async with a_desk_that_covers(server, tmp_path / "a") as desk:
        await desk.account(DEMO).symbol("EURUSD")
        since = server.seen.total
        async with anyio.create_task_group() as tasks:
            with server.faults.inject(faults.Unanswering(lambda frame: frame.name != "ProtoOAReconcileRes")):
                tasks.start_soon(raw(oa.ProtoOANewOrderReq(**fields)), desk, 0, 0)
                await server.wait_for("ProtoOANewOrderReq", since=since)
                await desk.flush()
                folder = crashed(tmp_path / "a", tmp_path / "b")
                tasks.cancel_scope.cancel()
    (left,) = leftovers_of(folder, DEMO).requests
    assert "***" in left.payload.label + left.payload.clientOrderId
    return folder


def verdict_in(folder: Path) -> dict[str, Any]:
    (line,) = [line for line in audit_of(folder) if line["fact"] == "resolved" and "outcome" in line]
    return line


@pytest.mark.anyio
@pytest.mark.parametrize(
    "fields",
    [
        NEW | {"label": PASSWORD},
        LIMIT | {"label": f"by {PASSWORD}, at noon"},
        NEW | {"clientOrderId": f"{PASSWORD}-0001"},
    ],
    ids=["label", "label of a pending one", "id"],
)
async def test_an_order_whose_text_is_covered_on_record_is_found(tmp_path: Path, fields: dict[str, Any]) -> None:
    async with a_server() as server:
        folder = await left_by_a_crash(server, tmp_path, **fields)
        async with a_desk_that_covers(server, folder) as desk:
            await until_resolved(desk, folder)
            assert len([*desk.positions(DEMO), *desk.pending_orders(DEMO)]) == 1
    line = verdict_in(folder)
    assert line["outcome"] == "done"
    assert f"order {line['order_id']} came of it" in line["reason"]
    assert PASSWORD not in "".join(path.read_text() for path in folder.glob("*.jsonl"))


@pytest.mark.anyio
@pytest.mark.parametrize("is_listed", [True, False])
async def test_one_whose_secret_has_changed_since_is_not_said_to_be_without_effect(
    tmp_path: Path, is_listed: bool
) -> None:
    async with a_server() as server:
        folder = await left_by_a_crash(server, tmp_path, **NEW, label=PASSWORD)
        if not is_listed:
            server.faults.inject(LaggingLists())
        async with a_desk_that_covers(server, folder, password="another-8") as desk:
            await until_resolved(desk, folder)
            (position,) = desk.positions(DEMO)
    line = verdict_in(folder)
    assert line["outcome"] == "undecided"
    said = "a text of it is covered on record" if is_listed else f"position {position.id} may have come of it"
    assert said in line["reason"]


@pytest.mark.parametrize(
    ("recorded", "text", "it_may_be"),
    [
        ("***", "anything", True),
        ("a ***", "a ", True),
        ("a*** and ***b", "ax and yb", True),
        ("a*** and ***b", "ax or yb", False),
        ("ab***b", "ab", False),
        ("plain", "plain", True),
        ("plain", "other", False),
    ],
)
def test_what_is_covered_stands_for_anything(recorded: str, text: str, it_may_be: bool) -> None:
    assert could_be(recorded, text) is it_may_be


def test_only_what_is_covered_on_record_is_compared_covered() -> None:
    assert reads_as("by ***", "by mybot-7", mask=lambda text: text.replace(PASSWORD, "***"))
    assert not reads_as("mybot-8", "mybot-7", mask=lambda text: "mybot-8")
