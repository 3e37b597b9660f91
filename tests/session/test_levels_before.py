"""What stood on a position before an order added to it is not what that order asked for."""

from __future__ import annotations

import copy
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import ExchangeSettings, FakeServer, faults
from anyctrader.fake.accounts import AccountSettings
from anyctrader.fake.exchange_settings import Delays
from anyctrader.session import (
    Desk,
    Environment,
    MarketOrder,
    Order,
    OutcomeUnknown,
    PositionAmendment,
    Side,
    open_desk,
)
from anyctrader.wire import messages as oa

from .rig import EURUSD, LOT_CENTS, QUICK, a_desk, a_server, audit_of, desk_settings, side_of
from .server_words import Execution, event, filled, position, protective, sent

pytestmark = pytest.mark.anyio
DEMO = Environment.DEMO
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.01")
OLD, ASKED = Decimal("1.10"), Decimal("1.1931")
ADDS = replace(BUY, lots="0.03", stop_loss_pips=20)
HASTY = replace(QUICK, protection_s=0.3)


def exchange(*, netted: bool, follow_up_ms: int) -> ExchangeSettings:
    kind = oa.ProtoOAAccountType.NETTED if netted else oa.ProtoOAAccountType.HEDGED
    account = AccountSettings(account_id=1_000_001, trader_login=3_000_001, account_type=kind)
    return ExchangeSettings(accounts=(account,), delays=replace(Delays.none(), follow_up_ms=follow_up_ms))


async def with_a_stop(server: FakeServer, desk: Desk, *, stop_loss: str | None = "1.10") -> int:
    """A position that is there already; its id."""
    server.set_price(EURUSD, bid=119_500, ask=119_510)
    order = await desk.place(DEMO, BUY)
    await order.filled()
    assert order.position_id is not None
    await desk.amend(DEMO, PositionAmendment(order.position_id, stop_loss=stop_loss, take_profit="1.30"))
    return order.position_id


async def adds(desk: Desk, position_id: int, **more: Any) -> Order:
    order = await desk.place(DEMO, replace(ADDS, position_id=position_id, **more))
    await order.filled()
    return order


async def at_server(desk: Desk) -> tuple[Decimal, Decimal]:
    (position,) = (await desk.account(DEMO).request(oa.ProtoOAReconcileReq())).position
    return Decimal(str(round(position.stopLoss, 5))), Decimal(str(round(position.takeProfit, 5)))


async def facts(folder: Path, desk: Desk, fact: str, *, of: Order) -> list[dict[str, Any]]:
    await desk.flush()
    return [
        line for line in audit_of(folder) if (line["fact"], line.get("client_order_id")) == (fact, of.client_order_id)
    ]


@pytest.mark.parametrize("netted", [True, False])
async def test_a_stop_that_was_there_is_not_the_one_asked_for(tmp_path: Path, netted: bool) -> None:
    never = exchange(netted=netted, follow_up_ms=600_000)
    async with a_desk(tmp_path, exchange=never, timings=HASTY) as (server, desk):
        order = await adds(desk, await with_a_stop(server, desk), close_if_unprotected=True)
        with pytest.raises(OutcomeUnknown):
            await order.protected(timeout_s=0.1)
        with anyio.fail_after(10):
            while desk.positions(DEMO)[0].volume_cents != LOT_CENTS:
                await anyio.lowlevel.checkpoint()
        assert len(await facts(tmp_path, desk, "unprotected", of=order)) == 1
        assert await facts(tmp_path, desk, "protected", of=order) == []
        assert await at_server(desk) == (OLD, Decimal("1.3")), "what stays open keeps what it had"


@pytest.mark.parametrize(("netted", "waited"), [(True, True), (True, False), (False, True)])
async def test_an_amendment_waits_for_the_one_asked_for(tmp_path: Path, netted: bool, waited: bool) -> None:
    async with a_desk(tmp_path, exchange=exchange(netted=netted, follow_up_ms=300)) as (server, desk):
        position_id = await with_a_stop(server, desk)
        order = await adds(desk, position_id)
        if waited:
            await order.protected()
            assert desk.positions(DEMO)[0].stop_loss == ASKED
        await desk.amend(DEMO, PositionAmendment(position_id, take_profit="1.25"))
        assert await at_server(desk) == (ASKED, Decimal("1.25"))


async def test_so_it_does_for_a_raw_order(tmp_path: Path) -> None:
    async with a_desk(tmp_path, exchange=exchange(netted=True, follow_up_ms=300)) as (server, desk):
        position_id = await with_a_stop(server, desk)
        raw = oa.ProtoOANewOrderReq(symbolId=EURUSD, orderType=1, tradeSide=1, volume=LOT_CENTS, relativeStopLoss=200)
        await desk.account(DEMO).request(raw)
        with anyio.fail_after(10):
            while desk.positions(DEMO)[0].volume_cents != 2 * LOT_CENTS:
                await anyio.lowlevel.checkpoint()
        await desk.amend(DEMO, PositionAmendment(position_id, take_profit="1.25"))
        assert await at_server(desk) == (ASKED, Decimal("1.25"))


async def test_what_the_server_sets_for_another_order_is_not_it_and_what_is_set_by_hand_is_taken_in_the_end() -> None:
    made = sent(MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=20))
    said = filled()
    said.position.tradeData.volume, said.position.stopLoss = 300_000, 1.1
    made.apply(said, at_ms=1)

    def replaced(stop_loss: float, *, by_server: bool) -> oa.ProtoOAExecutionEvent:
        shown = position(volume=300_000, stopLoss=stop_loss)
        levels = protective(stop=stop_loss, volume=300_000)
        return event(Execution.ORDER_REPLACED, order=levels, position=shown, isServerEvent=by_server)

    for stop_loss, by_server, taken in ((1.1, False, False), (1.115, True, False), (1.116, False, True)):
        made = copy.deepcopy(made)
        assert not made.apply(replaced(stop_loss, by_server=by_server), at_ms=2).became_protected
        assert copy.deepcopy(made).settle_levels().became_protected is taken
    assert made.apply(replaced(1.118, by_server=True), at_ms=3).became_protected


async def test_a_stricter_stop_protects_and_an_amendment_waits_all_the_same(tmp_path: Path) -> None:
    async with a_desk(tmp_path, exchange=exchange(netted=True, follow_up_ms=300)) as (server, desk):
        position_id = await with_a_stop(server, desk, stop_loss="1.19400")
        order = await adds(desk, position_id)
        await order.protected()
        await desk.amend(DEMO, PositionAmendment(position_id, take_profit="1.25"))
        assert await at_server(desk) == (ASKED, Decimal("1.25"))


async def test_a_stop_that_was_set_by_hand_meanwhile_is_left_to_stand(tmp_path: Path) -> None:
    never = exchange(netted=True, follow_up_ms=600_000)
    async with a_desk(tmp_path, exchange=never, timings=replace(QUICK, protection_s=1)) as (server, desk):
        position_id = await with_a_stop(server, desk)
        order = await adds(desk, position_id, close_if_unprotected=True)
        await desk.amend(DEMO, PositionAmendment(position_id, stop_loss="1.15", take_profit="1.25"))
        with anyio.fail_after(10):
            while not await facts(tmp_path, desk, "protected", of=order):
                await anyio.lowlevel.checkpoint()
        assert await facts(tmp_path, desk, "unprotected", of=order) == []
        assert desk.positions(DEMO)[0].volume_cents == 4 * LOT_CENTS


@pytest.mark.parametrize("came", [True, False])
async def test_after_a_restart_too_the_one_asked_for_is_looked_for(tmp_path: Path, came: bool) -> None:
    kind = exchange(netted=True, follow_up_ms=0 if came else 600_000)
    async with a_server(exchange=kind) as server:
        slow = side_of(server, timings=replace(QUICK, protection_s=30))
        async with open_desk(desk_settings(tmp_path, slow)) as desk:
            position_id = await with_a_stop(server, desk)
            with server.faults.inject(faults.Lose(1, which=_is_protective)):
                order = await adds(desk, position_id, close_if_unprotected=True)
        async with open_desk(desk_settings(tmp_path, side_of(server, timings=HASTY))) as desk:
            told = "protected" if came else "unprotected"
            with anyio.fail_after(10):
                while not await facts(tmp_path, desk, told, of=order):
                    await anyio.lowlevel.checkpoint()
                while desk.positions(DEMO)[0].volume_cents != (4 if came else 1) * LOT_CENTS:
                    await anyio.lowlevel.checkpoint()
            assert (await at_server(desk))[0] == (ASKED if came else OLD)


def _is_protective(frame: Any) -> bool:
    event = frame.payload
    return isinstance(event, oa.ProtoOAExecutionEvent) and event.order.orderType == 4 and event.isServerEvent
