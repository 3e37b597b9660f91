"""Orders of one account over real sockets: checked, on record before they leave, sent once, followed to their end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import ExchangeSettings, Variants, faults
from anyctrader.fake.exchange_settings import Delays
from anyctrader.fake.injection import Fault
from anyctrader.fake.variants import Carrier
from anyctrader.session import (
    Desk,
    Environment,
    InvalidOrder,
    LimitOrder,
    MarketOrder,
    MarketRangeOrder,
    NotSent,
    Order,
    OrderAmendment,
    OrderState,
    OutcomeUnknown,
    PositionAmendment,
    Refused,
    RequestFailed,
    ServerError,
    SessionState,
    Side,
    StopLimitOrder,
    StopOrder,
    clock,
)
from anyctrader.wire import messages as oa

from .rig import (
    ACCEPTED,
    EURUSD,
    FILLED,
    LOT_CENTS,
    NEVER_PROTECTS,
    QUICK,
    a_desk,
    audit_of,
    blocked,
    facts_of,
    heard,
    is_execution,
    ready_again,
)

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.01")


async def open_position(desk: Desk, ticket: MarketOrder = BUY) -> int:
    order = await desk.place(DEMO, ticket)
    await order.filled()
    assert order.position_id is not None
    return order.position_id


@contextmanager
def impatient(desk: Desk) -> Iterator[None]:
    """Requests of this desk are given up soon. What it needs to come up, or back, has the usual time."""
    session = desk.session(DEMO)
    before = session.timings
    session.timings = replace(before, request_s=1, order_queue_s=1)
    try:
        yield
    finally:
        session.timings = before


def an_order(error: RequestFailed) -> Order:
    assert isinstance(error.order, Order)
    return error.order


# From intent to fill


async def test_a_market_order_goes_from_its_intent_to_its_fill_with_all_of_it_on_record(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        server.set_price(EURUSD, bid=120_000, ask=120_010)
        async with desk.account(DEMO).spots("EURUSD") as spots:  # the first quote, however slow this machine is
            await anext(aiter(spots))
            order = await desk.place(DEMO, replace(BUY, label="by the test", comment="hello"))
        assert order.state in (OrderState.ACCEPTED, OrderState.FILLED)
        execution = await order.filled()
        await order.finished()
        assert (execution.price, execution.volume_cents) == (Decimal("1.2001"), LOT_CENTS)
        assert execution.commission < 0
        assert execution.slippage is not None
        assert execution.slippage.points == 0
        assert desk.orders == {order.client_order_id: order}
        (position,) = desk.positions(DEMO)
        assert (position.id, position.volume_cents, position.side) == (order.position_id, LOT_CENTS, Side.BUY)
        (request,) = heard(server, oa.ProtoOANewOrderReq)
        assert (request.clientOrderId, request.label, request.comment) == (
            order.client_order_id,
            "by the test",
            "hello",
        )
        await desk.flush()
    story = [line for line in audit_of(tmp_path) if line.get("client_order_id") == order.client_order_id]
    assert [line["fact"] for line in story] == ["intent", "sent", "execution", "execution", "fill", "finished"]
    assert [line["execution"] for line in story[2:4]] == ["ORDER_ACCEPTED", "ORDER_FILLED"]
    intent, sent, _, _, fill, finished = story
    assert (intent["request"], intent["symbol"], intent["side"]) == ("place", "EURUSD", "BUY")
    assert intent["quoted_price"] == "1.20010"
    assert sent["sent_after_ms"] >= 0
    assert (fill["price"], fill["slippage_points"]) == ("1.2001", "0")
    assert finished["order_id"] == order.order_id
    assert Decimal(finished["commission"]) == execution.commission
    assert {line["environment"] for line in story} == {"demo"}


async def test_every_kind_of_order_is_placed_as_it_was_meant(tmp_path: Path) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    async with a_desk(tmp_path) as (server, desk):
        server.set_price(EURUSD, bid=120_000, ask=120_010)
        limit = await desk.place(
            DEMO, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.1", stop_loss="1.09", expires_at=tomorrow)
        )
        stop = await desk.place(DEMO, StopOrder("EURUSD", Side.SELL, units=2000, stop_price="1.1", take_profit_pips=50))
        stop_limit = await desk.place(
            DEMO, StopLimitOrder("EURUSD", Side.BUY, volume_cents=LOT_CENTS, stop_price="1.3", slippage_points=7)
        )
        ranged = await desk.place(
            DEMO, MarketRangeOrder("EURUSD", Side.BUY, lots="0.01", base_price="1.2001", slippage_points=20)
        )
        assert (await ranged.filled()).price == Decimal("1.2001")
        assert {order.state for order in (limit, stop, stop_limit)} == {OrderState.ACCEPTED}
        pending = {order.id: order for order in desk.pending_orders(DEMO)}
        assert set(pending) == {limit.order_id, stop.order_id, stop_limit.order_id}
        kept = pending[limit.order_id or 0]
        assert (kept.limit_price, kept.stop_loss) == (Decimal("1.1"), Decimal("1.09"))
        assert kept.expires_at_ms == int(tomorrow.timestamp() * 1000)
        kept = pending[stop.order_id or 0]
        assert (kept.stop_price, kept.volume_cents, kept.relative_take_profit) == (Decimal("1.1"), 200_000, 500)
        assert (pending[stop_limit.order_id or 0].slippage_points, server.violations) == (7, ())
        server.set_price(EURUSD, bid=109_990, ask=110_000)  # both the limit and the stop
        assert (await limit.filled()).price == Decimal("1.1")
        assert (await stop.filled()).price == Decimal("1.0999")


async def test_orders_and_positions_are_changed_cancelled_and_closed(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        server.set_price(EURUSD, bid=120_000, ask=120_010)
        order = await desk.place(
            DEMO, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.1", stop_loss="1.09", take_profit="1.2")
        )
        assert order.order_id is not None
        await desk.amend(DEMO, OrderAmendment(order.order_id, price="1.11", lots="0.02"))
        (pending,) = desk.pending_orders(DEMO)
        assert (pending.limit_price, pending.volume_cents) == (Decimal("1.11"), 2 * LOT_CENTS)
        assert (pending.stop_loss, pending.take_profit) == (Decimal("1.09"), Decimal("1.2"))
        await desk.cancel(DEMO, order.order_id)
        assert await order.finished() is OrderState.CANCELLED
        assert desk.pending_orders(DEMO) == ()

        position_id = await open_position(desk, replace(BUY, lots="0.03"))
        await desk.amend(DEMO, PositionAmendment(position_id, stop_loss="1.15", take_profit="1.25"))
        await desk.amend(DEMO, PositionAmendment(position_id, stop_loss="1.16"))
        (position,) = desk.positions(DEMO)
        assert (position.stop_loss, position.take_profit) == (Decimal("1.16"), Decimal("1.25"))
        server.set_price(EURUSD, bid=121_010, ask=121_020)
        part = await desk.close(DEMO, position_id, lots="0.01")
        assert (await part.filled()).volume_cents == LOT_CENTS
        assert desk.positions(DEMO)[0].volume_cents == 2 * LOT_CENTS
        whole = await desk.close(DEMO, position_id)
        realised = (await whole.filled()).realised
        assert realised is not None
        assert (realised.gross_profit, realised.closed_volume_cents) == (Decimal("20.00"), 2 * LOT_CENTS)
        assert realised.net < realised.gross_profit
        assert desk.positions(DEMO) == ()
        assert (part.side, whole.environment) == (Side.SELL, DEMO)
        assert server.violations == ()
        await desk.flush()
    assert facts_of(tmp_path, request="amend") == ["intent", "sent", "change_done"] * 3
    assert facts_of(tmp_path, request="cancel") == ["intent", "sent", "change_done"]
    (finished,) = [line for line in audit_of(tmp_path) if line.get("net_profit") == f"{realised.net:f}"]
    assert (finished["fact"], finished["client_order_id"]) == ("finished", whole.client_order_id)


async def test_an_intent_is_on_the_disk_before_the_server_has_the_request(tmp_path: Path) -> None:
    looks: list[tuple[str, list[dict[str, Any]]]] = []

    class Look(Fault):
        """Reads the audit while the server has a request in its hands."""

        def admit(self, payload_type: int) -> None:
            looks.append((oa.name_of(payload_type), audit_of(tmp_path)))

    async with a_desk(tmp_path) as (server, desk):
        server.set_price(EURUSD, bid=120_000, ask=120_010)
        server.faults.inject(Look())
        limit = await desk.place(DEMO, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.1"))
        assert limit.order_id is not None
        await desk.amend(DEMO, OrderAmendment(limit.order_id, price="1.11"))
        await desk.cancel(DEMO, limit.order_id)
        position_id = await open_position(desk)
        await desk.amend(DEMO, PositionAmendment(position_id, stop_loss="1.15"))
        await (await desk.close(DEMO, position_id)).filled()
    expected = (
        "ProtoOANewOrderReq",
        "ProtoOAAmendOrderReq",
        "ProtoOACancelOrderReq",
        "ProtoOANewOrderReq",
        "ProtoOAAmendPositionSLTPReq",
        "ProtoOAClosePositionReq",
    )
    trading = [(name, lines) for name, lines in looks if name in expected]
    assert tuple(name for name, _ in trading) == expected
    for count, (_, lines) in enumerate(trading, 1):
        assert [line["fact"] for line in lines].count("intent") == count


# Refused before anything


BAD_SIZES_AND_PRICES: list[tuple[Any, str]] = [
    (replace(BUY, lots="0.015"), "lots"),
    (replace(BUY, lots="0.001"), "lots"),
    (replace(BUY, lots="100000"), "lots"),
    (replace(BUY, lots=None, units="10.001"), "units"),
    (replace(BUY, stop_loss_pips="0.05"), "stop_loss_pips"),
    (LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.123456"), "price"),
    (StopOrder("EURUSD", Side.BUY, lots="0.01", stop_price="1.1234567"), "stop_price"),
    (
        LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.1", expires_at=datetime(2020, 1, 1, tzinfo=UTC)),
        "expires_at",
    ),
]


async def test_a_cancel_never_takes_the_levels_of_a_position_away(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        server.set_price(EURUSD, bid=120_000, ask=120_010)
        position_id = await open_position(desk)
        await desk.amend(DEMO, PositionAmendment(position_id, stop_loss="1.15"))
        account = desk.account(DEMO)
        (hidden,) = (await account.request(oa.ProtoOAReconcileReq(returnProtectionOrders=True))).order
        with pytest.raises(InvalidOrder, match=f"position {position_id}, .*: amend the levels"):
            await desk.cancel(DEMO, hidden.orderId)
        with pytest.raises(InvalidOrder, match=f"position {position_id}, .*: amend the levels"):
            await account.request(oa.ProtoOACancelOrderReq(orderId=hidden.orderId))
        assert heard(server, oa.ProtoOACancelOrderReq) == []
        assert desk.positions(DEMO)[0].stop_loss == Decimal("1.15")
        await desk.flush()
    assert facts_of(tmp_path, request="ProtoOACancelOrderReq") == ["refused"] * 2


async def test_what_the_symbol_does_not_take_is_refused_before_anything_is_written_or_sent(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        for ticket, field in BAD_SIZES_AND_PRICES:
            with pytest.raises(InvalidOrder, match=f"^{field}:? "):
                await desk.place(DEMO, ticket)
        with pytest.raises(InvalidOrder, match=r"^symbol: 'EURUSDX' is refused: .*; nearest: EURUSD"):
            await desk.place(DEMO, MarketOrder("EURUSDX", Side.BUY, lots="0.01"))
        position_id = await open_position(desk)
        for size in ({"lots": "0.02"}, {"lots": "0.005"}, {"units": 1, "lots": 1}):
            with pytest.raises(InvalidOrder):
                await desk.close(DEMO, position_id, **size)
        with pytest.raises(Refused, match="position 5 is not known to be open"):
            await desk.close(DEMO, 5)
        with pytest.raises(Refused, match="order 5 is not known to be working"):
            await desk.amend(DEMO, OrderAmendment(5, price="1.1"))
        with pytest.raises(InvalidOrder, match="stop_loss"):
            await desk.amend(DEMO, PositionAmendment(position_id, stop_loss="1.123456"))
        assert len(desk.orders) == 1
        assert [seen for seen in server.seen.names() if seen in ("ProtoOANewOrderReq", "ProtoOAClosePositionReq")] == [
            "ProtoOANewOrderReq"
        ]
    assert facts_of(tmp_path).count("intent") == 1


@pytest.mark.parametrize("wrong", [0.01, "NaN", "-1", "0", True, float("nan"), "1e400"])
def test_a_size_that_is_no_size_makes_no_ticket(wrong: Any) -> None:
    with pytest.raises(InvalidOrder, match="lots"):
        MarketOrder("EURUSD", Side.BUY, lots=wrong)


# What the server says


@pytest.mark.parametrize(
    ("ticket", "field"),
    [
        (MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=20_000), "stop_loss_pips: 20000"),
        (MarketOrder("EURUSD", Side.SELL, lots="0.01", take_profit_distance="2"), "take_profit_distance: 2"),
    ],
)
async def test_a_level_that_would_not_be_above_zero_is_refused_before_anything_is_sent(
    tmp_path: Path, ticket: MarketOrder, field: str
) -> None:
    async with a_desk(tmp_path) as (server, desk):
        with pytest.raises(InvalidOrder, match=f"{field} is refused: EURUSD is at .* a level is above 0: at most"):
            await desk.place(DEMO, ticket)
        assert heard(server, oa.ProtoOANewOrderReq) == []
        assert desk.orders == {}
        await desk.flush()
        assert "intent" not in facts_of(tmp_path)


async def test_a_refused_order_raises_what_the_server_said_and_carries_the_order(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        with pytest.raises(ServerError) as caught:
            await desk.place(DEMO, replace(BUY, lots="900"))
        order = an_order(caught.value)
        assert (caught.value.code, order.state) == ("NOT_ENOUGH_MONEY", OrderState.REJECTED)
        assert await order.finished() is OrderState.REJECTED
        with pytest.raises(ServerError, match="ORDER_NOT_FOUND"):
            await desk.cancel(DEMO, 999)
        with server.faults.inject(faults.Blocked(oa.ProtoOANewOrderReq)), pytest.raises(ServerError) as caught:
            await desk.place(DEMO, BUY)
        assert an_order(caught.value).state is OrderState.REJECTED
        assert len(heard(server, oa.ProtoOANewOrderReq)) == 2  # and no order is ever repeated
        await desk.flush()
    assert facts_of(tmp_path, client_order_id=order.client_order_id) == ["intent", "sent", "order_error", "finished"]
    assert facts_of(tmp_path, request="cancel") == ["intent", "sent", "change_refused"]


async def test_an_order_that_is_rejected_after_it_was_accepted_fails_whoever_waits_for_its_fill(tmp_path: Path) -> None:
    exchange = ExchangeSettings(delays=Delays(fill_ms=300), variants=Variants(not_enough_money=Carrier.REJECTED))
    async with a_desk(tmp_path, exchange=exchange) as (_, desk):
        order = await desk.place(DEMO, replace(BUY, lots="900"))
        with pytest.raises(ServerError) as caught:
            await order.filled()
        assert (caught.value.code, caught.value.order) == ("NOT_ENOUGH_MONEY", order)


async def test_a_fill_that_comes_later_is_waited_for(tmp_path: Path) -> None:
    async with a_desk(tmp_path, exchange=ExchangeSettings(delays=Delays(fill_ms=300))) as (_, desk):
        order = await desk.place(DEMO, BUY)
        assert order.state is OrderState.ACCEPTED
        with pytest.raises(OutcomeUnknown) as caught:
            await order.filled(timeout_s=0)
        assert caught.value.order is order
        assert (await order.filled()).volume_cents == LOT_CENTS


async def test_levels_of_a_market_order_are_confirmed_after_its_fill(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        server.set_price(EURUSD, bid=120_000, ask=120_010)
        order = await desk.place(DEMO, replace(BUY, stop_loss_pips=20, take_profit_pips="30.5"))
        assert await order.protected() is order
        (position,) = desk.positions(DEMO)
        assert (position.stop_loss, position.take_profit) == (Decimal("1.1981"), Decimal("1.20315"))


async def test_levels_that_are_never_confirmed_are_told_and_on_record(tmp_path: Path) -> None:
    timings = replace(QUICK, protection_s=0.2)
    async with a_desk(tmp_path, timings=timings, exchange=NEVER_PROTECTS) as (_, desk):
        order = await desk.place(DEMO, replace(BUY, stop_loss_pips=20))
        await order.filled()
        with pytest.raises(OutcomeUnknown) as caught:
            await order.protected(timeout_s=0.3)
        assert caught.value.order is order
        with anyio.fail_after(20):
            while "unprotected" not in facts_of(tmp_path, client_order_id=order.client_order_id):
                await desk.flush()


# When the outcome is not known


async def test_an_order_whose_answer_was_lost_with_the_link_is_found_again_and_not_sent_twice(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        await desk.account(DEMO).symbol("EURUSD")
        server.faults.inject(faults.DropBefore(which=is_execution(ACCEPTED)))
        with pytest.raises(OutcomeUnknown) as caught:
            await desk.place(DEMO, BUY)
        order = an_order(caught.value)
        assert order.state is OrderState.UNKNOWN
        assert (await order.filled()).volume_cents == LOT_CENTS
        await desk.session(DEMO).wait_for(SessionState.READY)
        assert len(heard(server, oa.ProtoOANewOrderReq)) == 1
        assert [position.id for position in desk.positions(DEMO)] == [order.position_id]
        await desk.flush()
    story = facts_of(tmp_path, client_order_id=order.client_order_id)
    assert story == ["intent", "sent", "outcome_unknown", "resolved", "fill", "finished"]


async def test_a_fill_whose_event_was_lost_is_found_after_the_next_reconnect_and_counted_once(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        server.faults.inject(faults.Lose(which=is_execution(FILLED)))
        order = await desk.place(DEMO, BUY)
        with pytest.raises(OutcomeUnknown):
            await order.filled(timeout_s=0.1)
        assert order.state is OrderState.ACCEPTED
        await ready_again(desk.session(DEMO), links=server.drop_clients)
        execution = await order.filled()
        assert (execution.volume_cents, len(execution.fills)) == (LOT_CENTS, 1)
        await ready_again(desk.session(DEMO), links=server.drop_clients)
        assert len(order.fills) == 1


async def test_a_working_order_is_unknown_while_the_link_is_away_and_works_again_afterwards(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        order = await desk.place(DEMO, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.0"))
        with server.faults.inject(faults.RefuseTls()):
            server.drop_clients()
            await desk.session(DEMO).wait_for(SessionState.WAITING)
            assert order.state is OrderState.UNKNOWN
            with pytest.raises(NotSent):
                await desk.cancel(DEMO, order.order_id or 0)
        await desk.session(DEMO).wait_for(SessionState.READY)
        assert order.state is OrderState.ACCEPTED
        await desk.cancel(DEMO, order.order_id or 0)
        assert await order.finished() is OrderState.CANCELLED


async def test_an_order_that_is_never_answered_is_looked_up_on_the_same_link(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        await desk.account(DEMO).symbol("EURUSD")
        with impatient(desk), server.faults.inject(faults.Unanswering("ProtoOAExecutionEvent")):
            with pytest.raises(OutcomeUnknown) as caught:
                await desk.place(DEMO, BUY)
        order = an_order(caught.value)
        assert (await order.filled()).volume_cents == LOT_CENTS
        assert server.seen.names().count("connected") == 1
        assert len(heard(server, oa.ProtoOANewOrderReq)) == 1


async def test_an_order_that_the_server_never_had_stays_unknown_and_is_not_sent_again(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        await desk.account(DEMO).symbol("EURUSD")
        with impatient(desk), server.faults.inject(faults.Deafness("ProtoOANewOrderReq")):
            with pytest.raises(OutcomeUnknown) as caught:
                await desk.place(DEMO, BUY)
        order = an_order(caught.value)
        await ready_again(desk.session(DEMO), links=server.drop_clients)
        assert order.state is OrderState.UNKNOWN
        assert len(heard(server, oa.ProtoOANewOrderReq)) == 1
        assert desk.positions(DEMO) == ()


async def test_a_server_that_says_it_took_too_long_has_not_refused_the_order(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        await desk.account(DEMO).symbol("EURUSD")
        with server.faults.inject(faults.Maintenance("TIMEOUT_ERROR")):
            with pytest.raises(OutcomeUnknown, match="TIMEOUT_ERROR") as caught:
                await desk.place(DEMO, BUY)
        assert an_order(caught.value).state is OrderState.UNKNOWN


async def test_while_a_close_has_an_unknown_outcome_nothing_more_leaves_for_its_position(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        position_id = await open_position(desk)
        with impatient(desk), server.faults.inject(faults.Unanswering()):  # not even what it looks up
            with pytest.raises(OutcomeUnknown) as caught:
                await desk.close(DEMO, position_id)
            closing = an_order(caught.value)
            with pytest.raises(NotSent, match="find out first"):
                await desk.close(DEMO, position_id)
            with pytest.raises(NotSent, match="find out first"):
                await desk.amend(DEMO, PositionAmendment(position_id, stop_loss="1.0"))
        await ready_again(desk.session(DEMO), links=server.drop_clients)
        assert (await closing.filled()).volume_cents == LOT_CENTS
        assert desk.positions(DEMO) == ()
        assert len(heard(server, oa.ProtoOAClosePositionReq)) == 1
        assert heard(server, oa.ProtoOAAmendPositionSLTPReq) == []


async def test_after_an_amend_with_an_unknown_outcome_the_server_is_asked_before_the_next(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        server.set_price(EURUSD, bid=120_000, ask=120_010)
        position_id = await open_position(desk)
        with impatient(desk), server.faults.inject(faults.Unanswering("ProtoOAExecutionEvent")):
            with pytest.raises(OutcomeUnknown):
                await desk.amend(DEMO, PositionAmendment(position_id, stop_loss="1.15"))
            with pytest.raises(NotSent, match="find out first"):
                await desk.amend(DEMO, PositionAmendment(position_id, take_profit="1.25"))
        await ready_again(desk.session(DEMO), links=server.drop_clients)
        await desk.amend(DEMO, PositionAmendment(position_id, take_profit="1.25"))
        (position,) = desk.positions(DEMO)
        assert (position.stop_loss, position.take_profit) == (Decimal("1.15"), Decimal("1.25"))


# Callers that go away, and requests that do not leave


async def test_an_order_whose_caller_is_cancelled_in_the_queue_does_not_leave(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timings=replace(QUICK, order_queue_s=60)) as (server, desk):
        await open_position(desk)
        hold_back(desk, oa.ProtoOANewOrderReq)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(desk.place, DEMO, BUY)
            await queued(desk)
            tasks.cancel_scope.cancel()
        order = list(desk.orders.values())[-1]
        assert order.state is OrderState.NOT_SENT
        assert await order.finished() is OrderState.NOT_SENT
        assert len(heard(server, oa.ProtoOANewOrderReq)) == 1
        await desk.flush()
    assert facts_of(tmp_path, client_order_id=order.client_order_id) == ["intent", "not_sent"]


async def test_an_order_whose_caller_is_cancelled_after_it_left_is_followed_to_its_end(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        await open_position(desk)
        server.faults.inject(faults.Delay(0.3))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(desk.place, DEMO, BUY)
            await server.wait_for("ProtoOANewOrderReq", count=2)
            tasks.cancel_scope.cancel()
        order = list(desk.orders.values())[-1]
        assert order.state is OrderState.UNKNOWN  # until the server tells of it, as if no answer had come
        assert (await order.filled()).volume_cents == LOT_CENTS


async def test_a_refusal_that_comes_after_its_caller_was_cancelled_still_ends_the_order(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        await open_position(desk)
        server.faults.inject(faults.Delay(0.3))
        server.faults.inject(faults.Blocked(oa.ProtoOANewOrderReq))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(desk.place, DEMO, BUY)
            await server.wait_for("ProtoOANewOrderReq", count=2)
            tasks.cancel_scope.cancel()
        order = list(desk.orders.values())[-1]
        assert await order.finished() is OrderState.REJECTED
        with pytest.raises(ServerError, match="BLOCKED_PAYLOAD_TYPE"):
            await order.filled()


async def test_a_change_whose_caller_is_cancelled_is_in_doubt_only_if_it_left(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timings=replace(QUICK, order_queue_s=60)) as (server, desk):
        server.set_price(EURUSD, bid=120_000, ask=120_010)
        position_id = await open_position(desk)
        for left in (False, True):
            change = PositionAmendment(position_id, stop_loss="1.15" if left else "1.14")
            if not left:
                hold_back(desk, oa.ProtoOAAmendPositionSLTPReq)
            with server.faults.inject(faults.Unanswering("ProtoOAExecutionEvent")):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(desk.amend, DEMO, change)
                    await (server.wait_for("ProtoOAAmendPositionSLTPReq") if left else queued(desk))
                    tasks.cancel_scope.cancel()
                if left:
                    with pytest.raises(NotSent, match="find out first"):
                        await desk.amend(DEMO, change)
            await ready_again(desk.session(DEMO), links=server.drop_clients)
        await desk.amend(DEMO, PositionAmendment(position_id, take_profit="1.25"))
        (position,) = desk.positions(DEMO)
        assert (position.stop_loss, position.take_profit) == (Decimal("1.15"), Decimal("1.25"))
        await desk.flush()
    facts = [line["fact"] for line in audit_of(tmp_path) if line.get("reason") == "the caller was cancelled"]
    assert facts == ["not_sent", "outcome_unknown"]


async def test_an_order_that_waits_too_long_in_the_queue_fails_unsent(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        await open_position(desk)
        hold_back(desk, oa.ProtoOANewOrderReq)
        with impatient(desk), pytest.raises(NotSent) as caught:
            await desk.place(DEMO, BUY)
        assert an_order(caught.value).state is OrderState.NOT_SENT
        assert len(heard(server, oa.ProtoOANewOrderReq)) == 1


async def test_an_order_made_while_the_session_is_away_fails_at_once_even_for_a_new_symbol(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        with server.faults.inject(faults.RefuseTls()):
            server.drop_clients()
            await desk.session(DEMO).wait_for(SessionState.WAITING)
            began_s = clock.now_s()
            with pytest.raises(NotSent):
                await desk.place(DEMO, BUY)
            assert clock.now_s() - began_s < 1.5
        assert desk.orders == {}


async def test_an_order_whose_symbol_cannot_be_read_was_not_sent(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        with impatient(desk), server.faults.inject(faults.Unanswering("ProtoOASymbolByIdRes")):
            with pytest.raises(NotSent, match="what it needs to know did not come"):
                await desk.place(DEMO, BUY)
        with server.faults.inject(faults.Maintenance()):
            with pytest.raises(NotSent, match="UNDER_MAINTENANCE"):
                await desk.place(DEMO, BUY)
        assert desk.orders == {}
        assert heard(server, oa.ProtoOANewOrderReq) == []


def hold_back(desk: Desk, request: Any) -> None:
    """Has the throttle of the present link believe that the server takes no requests of this type."""
    link = desk.session(DEMO).link
    assert link is not None
    link.throttle.block(oa.payload_type_of(request), until_s=clock.now_s() + 1.5)


async def queued(desk: Desk) -> None:
    """Returns when a request stands in the queue."""
    link = desk.session(DEMO).link
    assert link is not None
    while not link.queued:
        await blocked()
