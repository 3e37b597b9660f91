"""Between the checks of an order and its bytes time may go by: what opens does not leave late, or at a stale price."""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from anyctrader.fake import FakeServer
from anyctrader.session import (
    Desk,
    Environment,
    LimitExceeded,
    LimitOrder,
    Limits,
    MarketOrder,
    Mode,
    NotSent,
    OrderAmendment,
    OrderState,
    PositionAmendment,
    Refused,
    Side,
    clock,
    open_audit,
)
from anyctrader.session import desk as desk_module
from anyctrader.session.disk import Disk
from anyctrader.session.errors import RequestFailed
from anyctrader.session.gate import Gate
from anyctrader.session.intent import ALWAYS, Validity
from anyctrader.session.proxied import ProxiedClient
from anyctrader.session.proxied_amends import ProxiedAmends
from anyctrader.session.proxied_closes import ProxiedCloses
from anyctrader.session.proxied_orders import ProxiedOrders
from anyctrader.wire import Message, ProtobufCodec
from anyctrader.wire import messages as oa

from .rig import EURUSD, LOT_CENTS, QUICK, a_desk, audit_of, heard

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.01")
WAITING = LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.1")
TOO_LATE_S = QUICK.order_queue_s + 5  # below the watchdog's 60 s: the link stays up


class Standstill:
    """The disk's next sync of an order audit takes so long, on the clock; whoever waits by the loop's does not notice.

    That is what a stopped process is like: no deadline of the loop's has run out by the time that it goes on.
    """

    def __init__(self) -> None:
        self.passed_s = self._takes_s = 0.0
        self.at_disk, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def next_takes(self, seconds: float) -> None:
        self._takes_s = seconds

    def sync(self) -> None:
        self.at_disk.set()
        assert self.go_on.wait(30)
        self.passed_s, self._takes_s = self.passed_s + self._takes_s, 0.0

    @contextmanager
    def held(self) -> Iterator[None]:
        self.at_disk.clear()
        self.go_on.clear()
        try:
            yield
        finally:
            self.go_on.set()


@pytest.fixture
def standstill(monkeypatch: pytest.MonkeyPatch) -> Standstill:
    still, sync = Standstill(), Disk.sync

    def slow(disk: Disk, descriptor: int) -> None:
        still.sync()
        sync(disk, descriptor)

    monkeypatch.setattr(Disk, "sync", slow)
    monkeypatch.setattr(clock, "now_s", lambda: time.monotonic() + still.passed_s)
    return still


def raw_order(**changes: Any) -> Any:
    given = {"symbolId": EURUSD, "orderType": oa.ProtoOAOrderType.MARKET, "tradeSide": 1, "volume": LOT_CENTS}
    return oa.ProtoOANewOrderReq(**(given | changes))


async def late(desk: Desk, standstill: Standstill, call: Awaitable[Any], seconds: float = TOO_LATE_S) -> RequestFailed:
    """What it raises that the intent takes so long."""
    await desk.flush()  # of what was told before: the next line is the intent's
    standstill.next_takes(seconds)
    with pytest.raises(RequestFailed) as caught:
        await call
    return caught.value


def last_words(folder: Path, *facts: str) -> list[tuple[str, str]]:
    return [(line["fact"], line["reason"]) for line in audit_of(folder) if line["fact"] in facts]


async def open_and_waiting(server: FakeServer, desk: Desk) -> tuple[int, int]:
    """A position with a stop loss, and an order that waits for its price: their ids."""
    order = await desk.place(DEMO, replace(BUY, stop_loss_pips=50))
    await order.filled()
    await order.protected()
    waiting = await desk.place(DEMO, WAITING)
    assert order.position_id is not None
    assert waiting.order_id is not None
    return order.position_id, waiting.order_id


async def test_an_order_whose_time_went_by_while_its_intent_was_written_does_not_leave(
    tmp_path: Path, standstill: Standstill
) -> None:
    limits = replace(Limits.standard(DEMO), most_positions=1, most_exposure_lots=Decimal("0.01"))
    async with a_desk(tmp_path, limits=limits) as (server, desk):
        error = await late(desk, standstill, desk.place(DEMO, BUY))
        assert isinstance(error, NotSent)
        assert "it was checked 25." in str(error)
        assert error.order is not None
        assert error.order.state is OrderState.NOT_SENT
        error = await late(desk, standstill, desk.account(DEMO).request(raw_order()))
        assert isinstance(error, NotSent)
        assert heard(server, oa.ProtoOANewOrderReq) == []
        await (await desk.place(DEMO, BUY)).filled()  # the limits have both back
        await desk.flush()
    told = last_words(tmp_path, "not_sent")
    assert [fact for fact, _ in told] == ["not_sent"] * 2
    assert all("within 20 s or not at all" in reason for _, reason in told)


async def test_closes_cancels_and_what_tightens_leave_late_and_what_loosens_does_not(
    tmp_path: Path, standstill: Standstill
) -> None:
    async with a_desk(tmp_path) as (server, desk):
        position_id, order_id = await open_and_waiting(server, desk)
        (position,) = desk.positions(DEMO)
        assert position.stop_loss is not None
        tighter, looser = position.stop_loss + Decimal("0.001"), position.stop_loss - Decimal("0.001")
        account = desk.account(DEMO)
        for opening in (
            desk.amend(DEMO, PositionAmendment(position_id, stop_loss=looser)),
            desk.amend(DEMO, OrderAmendment(order_id, price="1.09")),
            account.request(oa.ProtoOAAmendPositionSLTPReq(positionId=position_id, stopLoss=float(looser))),
            account.request(oa.ProtoOAAmendOrderReq(orderId=order_id, volume=LOT_CENTS, limitPrice=1.09)),
        ):
            assert isinstance(await late(desk, standstill, opening), NotSent)
        kinds = (oa.ProtoOAAmendPositionSLTPReq, oa.ProtoOAAmendOrderReq)
        assert not any(heard(server, kind) for kind in kinds)
        await desk.flush()
        for reducing in (
            desk.amend(DEMO, PositionAmendment(position_id, stop_loss=tighter)),
            account.request(oa.ProtoOAAmendPositionSLTPReq(positionId=position_id, stopLoss=float(tighter))),
            desk.cancel(DEMO, order_id),
            desk.close(DEMO, position_id),
        ):
            before_s = standstill.passed_s
            standstill.next_takes(TOO_LATE_S)
            await reducing
            await desk.flush()
            assert standstill.passed_s == before_s + TOO_LATE_S
        assert len(heard(server, oa.ProtoOAAmendPositionSLTPReq)) == 2
        assert len(heard(server, oa.ProtoOACancelOrderReq)) == len(heard(server, oa.ProtoOAClosePositionReq)) == 1


@pytest.mark.parametrize("raw", [False, True], ids=["desk", "raw"])
async def test_a_quote_that_grew_old_while_the_intent_was_written_lets_no_order_leave(
    tmp_path: Path, standstill: Standstill, raw: bool
) -> None:
    limits = replace(Limits.standard(DEMO), price_collar_percent=Decimal("0.1"), quote_age_s=5)
    async with a_desk(tmp_path, limits=limits) as (server, desk):
        server.set_price(EURUSD, bid=119_500, ask=119_510)
        await (await desk.place(DEMO, BUY)).filled()
        server.set_price(EURUSD, bid=119_501, ask=119_511)
        again = desk.account(DEMO).request(raw_order()) if raw else desk.place(DEMO, BUY)
        error = await late(desk, standstill, again, seconds=6)
        assert isinstance(error, LimitExceeded)
        assert str(error).startswith("quote_age_s: ")
        assert len(heard(server, oa.ProtoOANewOrderReq)) == 1
        await desk.flush()
    assert [fact for fact, _ in last_words(tmp_path, "refused", "not_sent")] == ["refused", "not_sent"]


async def test_a_price_that_the_market_left_while_the_intent_was_written_lets_no_order_leave(
    tmp_path: Path, standstill: Standstill
) -> None:
    limits = replace(Limits.standard(DEMO), price_collar_percent=Decimal("0.1"), quote_age_s=30)
    async with a_desk(tmp_path, limits=limits) as (server, desk):
        server.set_price(EURUSD, bid=119_500, ask=119_510)
        order = await desk.place(DEMO, replace(WAITING, price="1.19500"))
        sell = LimitOrder("EURUSD", Side.SELL, lots="0.01", price="1.19520")
        assert order.order_id is not None
        for call, ended in (
            (desk.place(DEMO, sell), oa.ProtoOANewOrderReq),
            (desk.amend(DEMO, OrderAmendment(order.order_id, price="1.19490")), oa.ProtoOAAmendOrderReq),
        ):
            before = len(heard(server, ended))
            server.set_price(EURUSD, bid=119_500, ask=119_510)
            await desk.flush()
            with standstill.held():
                async with desk.account(DEMO).spots("EURUSD") as spots, anyio.create_task_group() as tasks:
                    tasks.start_soon(_refused_for_its_price, call)
                    await anyio.to_thread.run_sync(standstill.at_disk.wait, 30)
                    server.set_price(EURUSD, bid=125_000, ask=125_010)
                    async for spot in spots:
                        if spot.bid > Decimal("1.24"):
                            break
                    standstill.passed_s += 0.2
                    standstill.go_on.set()
            assert len(heard(server, ended)) == before


async def _refused_for_its_price(call: Awaitable[Any]) -> None:
    with pytest.raises(LimitExceeded, match="price_collar_percent"):
        await call


async def test_what_a_client_of_the_proxy_asked_for_does_not_leave_late_unless_it_closes(
    tmp_path: Path, standstill: Standstill
) -> None:
    codec = ProtobufCodec()
    said: list[tuple[Any, Any]] = [
        (oa.ProtoOAApplicationAuthReq(clientId="c", clientSecret="s"), oa.ProtoOAApplicationAuthRes()),
        (
            oa.ProtoOAAccountAuthReq(ctidTraderAccountId=7, accessToken="t"),
            oa.ProtoOAAccountAuthRes(ctidTraderAccountId=7),
        ),
    ]
    async with open_audit(tmp_path, timeout_s=20) as audit:
        gate = Gate(DEMO, mode=Mode.ON, audit=audit)
        sides: dict[str, Any] = {"orders": ProxiedOrders(), "closes": ProxiedCloses(), "amends": ProxiedAmends()}
        client = ProxiedClient(gate, codec=codec, limits=Limits.standard(DEMO), within_s=20, **sides)
        for asked, answer in said:
            assert await client.judge(codec.encode(Message(asked, "1"))) is None
            client.heard(codec.encode(Message(answer, "1")))
        close = oa.ProtoOAClosePositionReq(ctidTraderAccountId=7, positionId=1, volume=1)
        taken = []
        for payload in (raw_order(ctidTraderAccountId=7), close):
            await audit.flush()
            standstill.next_takes(TOO_LATE_S)
            taken.append(await client.judge(codec.encode(Message(payload, "2"))))
        assert taken[1] is None
        assert taken[0] is not None
        assert "within 20 s or not at all" in str(taken[0].refusal)
    assert [line["fact"] for line in audit_of(tmp_path)] == ["intent", "not_sent", "intent", "sent"]


def test_what_is_checked_holds_for_its_time_and_is_looked_at_again_after_a_moment() -> None:
    def stale() -> None:
        raise Refused("stale")

    validity = Validity(found_s=100.0, within_s=2.0, look_again=stale)
    validity.check("It", now_s=100.1)
    with pytest.raises(Refused, match="stale"):
        validity.check("It", now_s=100.11)
    with pytest.raises(NotSent, match=r"It did not leave: it was checked 2\.0 s ago"):
        validity.check("It", now_s=102.0)
    assert validity.left_s("It", now_s=101.5) == 0.5
    ALWAYS.check("It", now_s=1e9)


@pytest.mark.parametrize("turns", [1, 5])
async def test_a_close_leaves_though_the_program_stood_still_while_its_intent_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, turns: int
) -> None:
    monkeypatch.setattr(desk_module, "open_audit", partial(open_audit, timeout_s=0.5))
    async with a_desk(tmp_path) as (server, desk):
        order = await desk.place(DEMO, BUY)
        await order.filled()
        assert order.position_id is not None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(desk.close, DEMO, order.position_id)
            for _ in range(turns):
                await anyio.lowlevel.checkpoint()
            time.sleep(0.6)  # noqa: ASYNC251 - the loop stands still, as it does for a computation or SIGSTOP
        assert len(heard(server, oa.ProtoOAClosePositionReq)) == 1
