"""An order by which the server turns a position around in two is followed to the position that holds the rest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import ExchangeSettings, Variants
from anyctrader.fake.accounts import AccountSettings
from anyctrader.fake.exchange_settings import Delays
from anyctrader.fake.injection import Fault, OutgoingFrame
from anyctrader.fake.variants import Reversal
from anyctrader.session import Desk, Environment, MarketOrder, Order, Side, protection_watch
from anyctrader.session.fills import Fill
from anyctrader.session.order_record import OrderRecord
from anyctrader.session.orders import OrderTable
from anyctrader.session.rests import Rests
from anyctrader.wire import messages as oa

from .rig import ACCEPTED, EURUSD, FILLED, HASTY, QUICK, Denying, a_desk, audit_of, facts_of
from .server_words import T0, deal, event, filled, order, position, sent

pytestmark = pytest.mark.anyio
DEMO = Environment.DEMO
SELL = MarketOrder("EURUSD", Side.SELL, lots="0.03", stop_loss_pips=20, close_if_unprotected=True)
LEFT = 200_000
WATCHED = {**HASTY, "timings": replace(QUICK, protection_s=0.3)}


def cut(**more: Any) -> OrderRecord:
    """One of 0.03 lots of which the server has filled 0.01, at `T0 + 135`, and says that this is all."""
    record = sent(replace(SELL, **more))
    said = filled(side=Side.SELL, executedVolume=100_000)
    said.deal.closePositionDetail.closedVolume = 100_000
    assert record.apply(said, at_ms=T0 + 200).left_cents == LEFT
    return record


def rest(**more: Any) -> oa.ProtoOAOrder:
    given = {"id": 601, "position_id": 501, "side": Side.SELL, "volume": LEFT, "client_order_id": "server's"}
    return order(**{**given, **more})


@pytest.mark.parametrize(
    ("shown", "client_msg_id", "follows"),
    [
        (rest(), None, True),
        (rest(label="copied"), "r1", True),
        (rest(label="another"), "r2", False),
        (rest(label=""), None, False),
        (rest(side=Side.BUY), "r1", False),
        (rest(symbol_id=2), "r1", False),
        (rest(volume=LEFT + 1), "r1", False),
        (rest(closingOrder=True), "r1", False),
    ],
)
def test_the_order_that_goes_on_is_known_by_its_label_or_by_the_request(
    shown: oa.ProtoOAOrder, client_msg_id: str | None, follows: bool
) -> None:
    rests, record = Rests(), cut()
    rests.add(record, LEFT)
    assert record.is_astray
    found = rests.shown(shown, position_id=501, client_msg_id=client_msg_id)
    assert (found is record, record.position_id) == (follows, 501 if follows else 500)
    record.see_position(position(id=501, side=Side.SELL, volume=LEFT))
    assert record.is_astray is not follows, "until the position is seen open"
    assert (rests.shown(shown, position_id=501, client_msg_id=None) is record) == follows, "its later events too"


@pytest.mark.parametrize(
    ("label", "after_ms", "volume", "follows"),
    [
        ("mine-1", 0, LEFT, True),
        ("mine-1", 60_000, LEFT - 100_000, True),
        ("mine-1", -1, LEFT, False),  # it was there before
        ("", 5_000, LEFT, True),
        ("", 5_001, LEFT, False),
        ("", 0, LEFT - 100_000, False),
        ("another", 0, LEFT, False),
    ],
)
def test_the_position_is_found_in_the_list_where_no_event_told_of_it(
    label: str, after_ms: int, volume: int, follows: bool
) -> None:
    rests, record = Rests(), cut()
    rests.add(record, LEFT)
    held = position(id=501, side=Side.SELL, volume=volume, label=label)
    held.tradeData.openTimestamp = T0 + 135 + after_ms
    assert (rests.listed(held) is record) == follows
    record.see_position(held)
    assert rests.listed(held) is None, "once"


def test_a_label_of_the_users_own_is_what_its_position_shows() -> None:
    rests, record = Rests(), cut(label="strategy")
    rests.add(record, LEFT)
    assert rests.shown(rest(label="mine-1"), position_id=501, client_msg_id=None) is None
    assert rests.shown(rest(label="strategy"), position_id=501, client_msg_id=None) is record


def test_what_is_forgotten_is_followed_no_further_and_old_words_do_not_lead_back() -> None:
    rests, record = Rests(), cut()
    rests.add(record, LEFT)
    rests.shown(rest(), position_id=501, client_msg_id=None)
    row = order(side=Side.SELL, status=oa.ProtoOAOrderStatus.ORDER_STATUS_FILLED, executedVolume=100_000)
    record.settle_from_order(row, [deal(side=Side.SELL)], at_ms=T0 + 300)
    assert record.position_id == 501
    assert isinstance(record.fills[0], Fill)
    rests.forget(record)
    assert rests.shown(rest(), position_id=501, client_msg_id=None) is None


def turning(follow_up_ms: int) -> ExchangeSettings:
    netted = AccountSettings(account_id=1_000_001, trader_login=3_000_001, account_type=oa.ProtoOAAccountType.NETTED)
    variants = Variants(reversal=Reversal.TWO_ORDERS)
    delays = replace(Delays.none(), follow_up_ms=follow_up_ms)
    return ExchangeSettings(accounts=(netted,), delays=delays, variants=variants)


NEVER = turning(600_000)


async def turned(desk: Desk) -> Order:
    first = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.01"))
    await first.filled()
    order = await desk.place(DEMO, SELL)
    await order.filled()
    return order


class Untold(Fault):
    """What tells of the second order, and of the levels of its position, does not arrive: all of it, or of its fill."""

    def __init__(self, *types: int) -> None:
        self._types = types

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        event = frame.payload
        lost = isinstance(event, oa.ProtoOAExecutionEvent) and event.position.positionId == 5_000_002
        lost = lost and (event.order.orderType == 4 or event.order.tradeData.tradeSide == Side.SELL.value)
        return () if lost and event.executionType in (self._types or (event.executionType,)) else (frame,)


async def all_closed(desk: Desk, server: Any) -> None:
    with anyio.fail_after(10):
        while desk.positions(DEMO) or server.exchange.accounts[server.account_id].positions:
            await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("told", [True, False])
async def test_the_position_that_the_rest_opened_is_closed_where_its_levels_do_not_come(
    tmp_path: Path, told: bool
) -> None:
    async with a_desk(tmp_path, exchange=NEVER, **WATCHED) as (server, desk):
        server.set_price(EURUSD, bid=119_500, ask=119_510)
        if not told:
            server.faults.inject(Untold())
        order = await turned(desk)
        await all_closed(desk, server)
        await desk.flush()
        closes = [line for line in audit_of(tmp_path) if line.get("request") == "close" and line["fact"] == "intent"]
        assert [(line["position_id"], line["volume_cents"]) for line in closes] == [(order.position_id, LEFT)]
    assert facts_of(tmp_path, client_order_id=order.client_order_id).count("unprotected") == 1


@pytest.mark.parametrize("told", [True, False])
async def test_where_its_levels_stand_it_is_protected(tmp_path: Path, told: bool) -> None:
    async with a_desk(tmp_path, exchange=turning(0), **WATCHED) as (server, desk):
        server.set_price(EURUSD, bid=119_500, ask=119_510)
        if not told:
            server.faults.inject(Untold())
        order = await turned(desk)
        await order.protected(timeout_s=5)
        assert [each.id for each in desk.positions(DEMO)] == [order.position_id]
        await desk.flush()
    facts = facts_of(tmp_path, client_order_id=order.client_order_id)
    assert ("unprotected" in facts, "protected" in facts, "contradiction" in facts) == (False, True, False)


@pytest.mark.parametrize("types", [(), (FILLED,)])
async def test_while_the_list_cannot_be_read_it_is_not_taken_for_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, types: tuple[int, ...]
) -> None:
    monkeypatch.setattr(protection_watch, "_AGAIN_S", 0.05)
    async with a_desk(tmp_path, exchange=NEVER, **WATCHED) as (server, desk):
        server.faults.inject(Untold(*types))
        with server.faults.inject(Denying(oa.ProtoOAReconcileReq, code="TIMEOUT_ERROR")):
            order = await turned(desk)
            with anyio.fail_after(10):
                while "close_failed" not in facts_of(tmp_path, client_order_id=order.client_order_id):
                    await desk.flush()
                    await anyio.lowlevel.checkpoint()
        await all_closed(desk, server)


def test_the_events_of_the_second_order_move_the_first_and_contradict_nothing() -> None:
    record, orders = sent(SELL), OrderTable()
    orders.add(record)
    said = filled(side=Side.SELL, executedVolume=100_000)
    said.deal.closePositionDetail.closedVolume = 100_000
    orders.apply(said, at_ms=T0 + 200)
    held = position(id=501, side=Side.SELL, volume=LEFT)
    for kind in (ACCEPTED, FILLED):
        second = event(kind, order=rest(client_order_id="mine-1"), position=held)  # a server may copy our id
        assert orders.apply(second, at_ms=T0 + 201) == []
    assert (record.position_id, record.is_astray, orders.of_position(501)) == (501, False, (record,))
    orders.forget(record)
    assert (orders.of_position(500), orders.of_position(501)) == ((), ())
