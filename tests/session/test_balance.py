"""A balance that moves with nothing told shows that an event was lost, though the loss of the day is not limited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from anyctrader.fake import faults
from anyctrader.session import Environment, Limits, MarketOrder, NotSent, Side
from anyctrader.session import balance as balance_module
from anyctrader.session import clock as clock_module
from anyctrader.session.balance import Balance
from anyctrader.session.ledger import Ledger
from anyctrader.wire import messages as oa

from .rig import EURUSD, Denying, a_desk, audit_of, by_name
from .test_ledger import closing, paid

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
NOON_MS = 20_000 * 86_400_000 + 43_200_000


async def test_a_stop_whose_event_was_lost_is_looked_up_though_no_loss_is_limited(tmp_path: Path) -> None:
    limits = replace(Limits.standard(DEMO), loss_check_s=0.02)
    async with a_desk(tmp_path, limits=limits) as (server, desk):
        server.set_price(EURUSD, bid=110_000, ask=110_010)
        order = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=100))
        await order.protected()
        looks = server.seen.names().count("ProtoOATraderReq")
        await server.wait_for("ProtoOATraderReq", count=looks + 2)
        with server.faults.inject(faults.Lose(which="ProtoOAExecutionEvent")):
            server.set_price(EURUSD, bid=108_000, ask=108_010)
            with anyio.fail_after(5):
                while desk.positions(DEMO):
                    await anyio.lowlevel.checkpoint()
                while not by_name(audit_of(tmp_path), "fact", "missed_deal"):
                    await desk.flush()
    (missed,) = by_name(audit_of(tmp_path), "fact", "missed_deal")
    assert missed["position_id"] == order.position_id


async def test_a_balance_that_cannot_be_read_is_told_once_until_it_can(tmp_path: Path) -> None:
    limits = replace(Limits.standard(DEMO), loss_check_s=0.02)
    async with a_desk(tmp_path, limits=limits) as (server, _):
        for times in (1, 2):
            with server.faults.inject(Denying(oa.ProtoOATraderReq, code="CH_SERVER_NOT_REACHABLE")):
                looks = server.seen.names().count("ProtoOATraderReq")
                await server.wait_for("ProtoOATraderReq", count=looks + 4)
            looks = server.seen.names().count("ProtoOATraderReq")
            await server.wait_for("ProtoOATraderReq", count=looks + 2)
            log = await anyio.Path(tmp_path / "demo_connection.log").read_text()
            assert log.count(" balance_not_known ") == times


class Server:
    """Tells a balance."""

    def __init__(self) -> None:
        self.balance = 100_000
        self.asked = 0
        self.before_answer: Callable[[], None] = lambda: None

    async def ask(self, _: Any) -> Any:
        self.asked += 1
        await anyio.lowlevel.checkpoint()
        self.before_answer()
        return SimpleNamespace(trader=oa.ProtoOATrader(balance=self.balance, depositAssetId=1, moneyDigits=2))


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> tuple[Server, Ledger, Balance, list[str]]:
    monkeypatch.setattr(clock_module, "utc_ms", lambda: NOON_MS)
    monkeypatch.setattr(balance_module, "EVENT_LAG_S", 0.001)
    server, ledger, doubts = Server(), Ledger(), list[str]()
    account: Any = server
    return server, ledger, Balance(account, ledger=ledger, doubt=lambda: doubts.append("doubt")), doubts


async def test_what_is_told_is_no_news_and_what_is_not_is_news_once(watched: Any) -> None:
    server, ledger, balance, doubts = watched
    await balance.look()
    server.balance += 1_500
    ledger.add([closing(1, -500, at_ms=NOON_MS, balance_cents=99_500)])
    ledger.pay([paid(1, 2_000, at_ms=NOON_MS, balance_cents=101_500)])
    await balance.look()
    assert doubts == []
    server.balance -= 700
    for _ in range(3):
        await balance.look()
    assert doubts == ["doubt"]


async def test_an_event_just_behind_its_balance_and_what_was_forgotten_are_no_news(watched: Any) -> None:
    server, ledger, balance, doubts = watched
    ledger.add([closing(n, -100, at_ms=NOON_MS - 90_000_000 + n, balance_cents=1) for n in range(1, 4)])
    await balance.look()
    await balance.look()
    assert len(ledger._booked) == 1
    server.balance -= 500

    def late() -> None:
        if server.asked > 3:
            ledger.add([closing(9, -500, at_ms=NOON_MS, balance_cents=99_500)])

    server.before_answer = late
    await balance.look()
    assert (doubts, server.asked) == ([], 4)


async def test_after_a_gap_the_balance_is_taken_as_it_is(watched: Any) -> None:
    server, ledger, balance, doubts = watched
    await balance.look()
    server.balance -= 500
    ledger.lose()
    await balance.look()
    server.before_answer = ledger.lose  # or while it is asked for
    server.balance -= 500
    await balance.look()
    assert doubts == []


async def test_what_cannot_be_read_leaves_a_gap(watched: Any) -> None:
    server, ledger, balance, doubts = watched
    await balance.look()

    def fail() -> None:
        raise NotSent("not now")

    server.before_answer = fail
    with pytest.raises(NotSent):
        await balance.look()
    assert ledger.has_gap
    server.balance, server.before_answer = 1, lambda: None
    await balance.look()
    assert doubts == []
