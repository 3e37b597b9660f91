"""The limits over real sockets: held against all that is open, works, is under way or is in doubt."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import ExchangeSettings, FakeServer, Host, faults
from anyctrader.fake.exchange_settings import Delays, Liquidity
from anyctrader.fake.variants import Variants, VolumeMeaning
from anyctrader.session import (
    Desk,
    Environment,
    LimitExceeded,
    LimitOrder,
    Limits,
    MarketOrder,
    MarketRangeOrder,
    Mode,
    NotSent,
    Order,
    OrderAmendment,
    OrderState,
    OutcomeUnknown,
    Refused,
    Side,
    StopLimitOrder,
    open_audit,
    open_desk,
    traded_quotes,
)
from anyctrader.session.bounds import NoLimit, Percent
from anyctrader.wire import messages as oa

from .rig import (
    EURUSD,
    LOT_CENTS,
    a_desk,
    a_server,
    audit_of,
    both,
    connected,
    desk_settings,
    heard,
    ready_again,
    side_of,
)

pytestmark = pytest.mark.anyio

DEMO, LIVE = Environment.DEMO, Environment.LIVE
OPEN = Limits.standard(DEMO)
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.01")
SELL = replace(BUY, side=Side.SELL)
WAITING = LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.0")


def ordered(server: FakeServer) -> int:
    """How many new orders the server has heard of."""
    return len(heard(server, oa.ProtoOANewOrderReq))


async def refused(desk: Desk, ticket: Any, limit: str) -> None:
    with pytest.raises(LimitExceeded, match=f"^{limit}: "):
        await desk.place(DEMO, ticket)


async def tripped(desk: Desk, environment: Environment = DEMO) -> None:
    """Returns when the environment may only be reduced."""
    with anyio.fail_after(10):
        while desk.mode(environment) is not Mode.REDUCE_ONLY:  # noqa: ASYNC110 (a mode tells nobody that it moved)
            await anyio.sleep(0.01)


async def test_every_breach_is_refused_before_anything_leaves_and_is_on_record(tmp_path: Path) -> None:
    limits = replace(OPEN, allowed_symbols=("EURUSD",), most_positions=2, most_exposure_lots=Decimal("0.02"))
    async with a_desk(tmp_path, limits=limits) as (server, desk):
        await refused(desk, replace(BUY, symbol="GBPUSD"), "allowed_symbols")
        await (await desk.place(DEMO, BUY)).filled()
        await refused(desk, replace(BUY, lots="0.02"), "most_exposure_lots")
        await desk.place(DEMO, WAITING)
        await refused(desk, SELL, "most_positions")
        assert ordered(server) == 2
        await desk.flush()
    lines = [line for line in audit_of(tmp_path) if line["fact"] == "refused"]
    assert [line["error"] for line in lines] == ["LimitExceeded"] * 3
    assert [line["reason"].split(":")[0] for line in lines] == [
        "allowed_symbols",
        "most_exposure_lots",
        "most_positions",
    ]
    assert [line["request"] for line in lines] == ["ProtoOANewOrderReq"] * 3


async def test_each_side_of_a_symbol_has_its_own_exposure(tmp_path: Path) -> None:
    async with a_desk(tmp_path, limits=replace(OPEN, most_exposure_lots=Decimal("0.01"))) as (_, desk):
        order = await desk.place(DEMO, BUY)
        await order.filled()
        await refused(desk, BUY, "most_exposure_lots")
        await (await desk.place(DEMO, SELL)).filled()
        assert order.position_id is not None
        await (await desk.close(DEMO, order.position_id)).filled()
        await (await desk.place(DEMO, BUY)).filled()


async def test_orders_that_are_under_way_count_as_filled(tmp_path: Path) -> None:
    limits = replace(OPEN, most_exposure_lots=Decimal("0.03"), most_positions=3)
    exchange = ExchangeSettings(delays=replace(Delays.none(), fill_ms=200))
    async with a_desk(tmp_path, limits=limits, exchange=exchange) as (server, desk):
        await (await desk.place(DEMO, BUY)).filled()
        outcomes: list[str] = []

        async def place() -> None:
            try:
                await (await desk.place(DEMO, BUY)).filled()
                outcomes.append("filled")
            except LimitExceeded:
                outcomes.append("refused")

        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(place)
        assert sorted(outcomes) == ["filled"] * 2 + ["refused"] * 6
        assert ordered(server) == 3


async def test_an_order_of_unknown_outcome_counts_as_filled(tmp_path: Path) -> None:
    async with a_desk(tmp_path, limits=replace(OPEN, most_positions=1)) as (server, desk):
        server.faults.inject(faults.Unanswering("ProtoOAExecutionEvent"))
        server.faults.inject(faults.Deafness("ProtoOAReconcileReq"))
        session = desk.session(DEMO)
        session.timings = replace(session.timings, request_s=0.3)
        with pytest.raises(OutcomeUnknown) as unknown:
            await desk.place(DEMO, BUY)
        session.timings = replace(session.timings, request_s=10)
        order = unknown.value.order
        assert isinstance(order, Order)
        assert order.state is OrderState.UNKNOWN
        await refused(desk, BUY, "most_positions")
        assert ordered(server) == 1


async def test_an_amendment_keeps_to_the_exposure_with_what_it_adds(tmp_path: Path) -> None:
    async with a_desk(tmp_path, limits=replace(OPEN, most_exposure_lots=Decimal("0.03"))) as (server, desk):
        order = await desk.place(DEMO, replace(WAITING, lots="0.02"))
        assert order.order_id is not None
        await desk.amend(DEMO, OrderAmendment(order.order_id, lots="0.03"))
        with pytest.raises(LimitExceeded, match=r"most_exposure_lots: 0\.04 lots"):
            await desk.amend(DEMO, OrderAmendment(order.order_id, lots="0.04"))
        await desk.amend(DEMO, OrderAmendment(order.order_id, lots="0.01"))
        await desk.place(DEMO, replace(WAITING, lots="0.02"))
        await refused(desk, WAITING, "most_exposure_lots")
        assert [request.volume for request in heard(server, oa.ProtoOAAmendOrderReq)] == [3 * LOT_CENTS, LOT_CENTS]


@pytest.mark.parametrize("meaning", list(VolumeMeaning))
async def test_an_amendment_of_a_partly_filled_order_keeps_to_the_limits_in_either_meaning_of_its_volume(
    tmp_path: Path, meaning: VolumeMeaning
) -> None:
    exchange = ExchangeSettings(
        delays=replace(Delays.none(), part_ms=600_000),
        liquidity=Liquidity(part_cents=LOT_CENTS),
        variants=Variants(amended_volume=meaning),
    )
    async with a_desk(tmp_path, limits=replace(OPEN, most_exposure_lots=Decimal("0.03")), exchange=exchange) as (
        server,
        desk,
    ):
        server.set_price(EURUSD, bid=119_500, ask=119_510)
        order = await desk.place(DEMO, replace(WAITING, lots="0.03", price="1.19"))
        assert order.order_id is not None
        await desk.amend(DEMO, OrderAmendment(order.order_id, price="1.194"))  # nothing is filled: both mean the same
        server.set_price(EURUSD, bid=119_380, ask=119_390)
        with anyio.fail_after(5):
            while not order.fills:
                await anyio.lowlevel.checkpoint()
        server.set_price(EURUSD, bid=119_500, ask=119_510)
        with pytest.raises(
            LimitExceeded, match=r"most_exposure_lots: 0\.04 lots .* 0\.01 lots \(1000\.00 units\) of the"
        ):
            await desk.amend(DEMO, OrderAmendment(order.order_id, price="1.193"))
        await desk.amend(DEMO, OrderAmendment(order.order_id, price="1.193", lots="0.02"))
        (waiting,) = desk.pending_orders(DEMO)
        whole = meaning is VolumeMeaning.WHOLE
        assert (waiting.volume_cents, waiting.limit_price) == ((2 if whole else 3) * LOT_CENTS, Decimal("1.193"))
        if whole:  # 0.02 are in use, and 0.03 in the other meaning
            await desk.amend(DEMO, OrderAmendment(order.order_id, price="1.192"))
    assert max(request.volume for request in heard(server, oa.ProtoOAAmendOrderReq)[1:]) == 2 * LOT_CENTS


async def test_orders_of_a_minute_are_counted_and_closes_are_not(tmp_path: Path) -> None:
    async with a_desk(tmp_path, limits=replace(OPEN, orders_per_minute=2)) as (server, desk):
        for _ in range(2):
            order = await desk.place(DEMO, BUY)
            await order.filled()
            assert order.position_id is not None
            await (await desk.close(DEMO, order.position_id)).filled()
        await refused(desk, BUY, "orders_per_minute")
        assert ordered(server) == 2


async def test_a_price_far_from_the_last_quote_is_refused(tmp_path: Path) -> None:
    async with a_desk(tmp_path, limits=replace(OPEN, price_collar_percent=Decimal(1))) as (server, desk):
        server.set_price(EURUSD, bid=109_990, ask=110_000)
        await refused(desk, replace(WAITING, price="1.08"), "price_collar_percent")
        order = await desk.place(DEMO, replace(WAITING, price="1.095"))
        await (await desk.place(DEMO, BUY)).filled()
        assert order.order_id is not None
        with pytest.raises(LimitExceeded, match=r"^price_collar_percent: 1\.07 is 2\.727 % away"):
            await desk.amend(DEMO, OrderAmendment(order.order_id, price="1.07"))
        server.set_price(EURUSD, bid=119_990, ask=120_000)
        await desk.amend(DEMO, OrderAmendment(order.order_id, stop_loss="1.0"))  # its own price stays as it is


async def test_without_a_young_quote_no_order_leaves(tmp_path: Path) -> None:
    limits = replace(OPEN, price_collar_percent=Decimal(50), quote_age_s=1e-9)
    async with a_desk(tmp_path, limits=limits) as (server, desk):
        await refused(desk, BUY, "quote_age_s")
        assert ordered(server) == 0


async def test_the_worst_price_that_an_order_allows_is_held_against_the_last_quote_too(tmp_path: Path) -> None:
    async with a_desk(tmp_path, limits=replace(OPEN, price_collar_percent=Decimal(1))) as (server, desk):
        server.set_price(EURUSD, bid=109_990, ask=110_000)
        within = MarketRangeOrder("EURUSD", Side.BUY, lots="0.01", base_price="1.1", slippage_points=1_000)
        await refused(desk, replace(within, slippage_points=1_200), "price_collar_percent")
        await (await desk.place(DEMO, within)).filled()
        stop = StopLimitOrder("EURUSD", Side.SELL, lots="0.01", stop_price="1.095", slippage_points=500)
        await refused(desk, replace(stop, slippage_points=700), "price_collar_percent")
        order = await desk.place(DEMO, stop)
        assert order.order_id is not None
        with pytest.raises(LimitExceeded, match=r"^price_collar_percent: 1\.08500 is 1\.355 % away"):
            await desk.amend(DEMO, OrderAmendment(order.order_id, slippage_points=1_000))
        await desk.amend(DEMO, OrderAmendment(order.order_id, slippage_points=400))


async def test_what_a_subscription_repeats_is_as_old_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traded_quotes, "_QUOTE_S", 0.1)
    limits = replace(OPEN, price_collar_percent=Decimal(50), quote_age_s=0.3)
    async with a_desk(tmp_path, limits=limits) as (server, desk):
        server.set_price(EURUSD, bid=109_990, ask=110_000)
        await anyio.sleep(0.35)  # it is the age itself that is looked at
        await refused(desk, BUY, "quote_age_s")
        assert len(heard(server, oa.ProtoOASubscribeSpotsReq)) == 1
        monkeypatch.setattr(traded_quotes, "_QUOTE_S", 10.0)
        board = desk.account(DEMO).board
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(desk.place, DEMO, BUY)
            await anyio.wait_all_tasks_blocked()
            server.set_price(EURUSD, bid=110_990, ask=111_000)
        spot = board.last(EURUSD)
        assert spot is not None
        assert spot.made_s == spot.heard_s
        await ready_again(desk.session(DEMO), links=server.drop_clients)
        await anyio.sleep(0.35)
        monkeypatch.setattr(traded_quotes, "_QUOTE_S", 0.1)
        await refused(desk, BUY, "quote_age_s")
        assert ordered(server) == 1


async def test_raw_orders_keep_to_all_limits_too(tmp_path: Path) -> None:
    limits = replace(
        OPEN,
        allowed_symbols=("EURUSD",),
        most_positions=2,
        most_exposure_lots=Decimal("0.02"),
        price_collar_percent=Decimal(1),
        orders_per_minute=2,
        loss_of_day=Decimal(5_000),
    )

    def order(**changes: Any) -> Any:
        given = {"symbolId": EURUSD, "orderType": oa.ProtoOAOrderType.MARKET, "volume": LOT_CENTS}
        return oa.ProtoOANewOrderReq(**({"tradeSide": oa.ProtoOATradeSide.BUY} | given | changes))

    async with open_audit(tmp_path) as audit, a_server() as server:
        async with connected(server, trading=Mode.ON, audit=audit, limits=limits) as session:
            account = await session.authorize(server.account_id)

            async def is_refused(limit: str, **changes: Any) -> None:
                with pytest.raises(LimitExceeded, match=f"^{limit}: "):
                    await account.request(order(**changes))

            await is_refused("allowed_symbols", symbolId=2)
            await is_refused("price_collar_percent")  # nobody listens to its quotes
            async with account.spots("EURUSD") as spots:
                await anext(aiter(spots))
                limit = {"orderType": oa.ProtoOAOrderType.LIMIT}
                await is_refused("price_collar_percent", **limit, limitPrice=0.5)
                await account.request(order())
                await is_refused("most_exposure_lots", volume=2 * LOT_CENTS)
                with server.faults.inject(faults.Unanswering("ProtoOAExecutionEvent")):
                    with pytest.raises(OutcomeUnknown):
                        await account.request(order(tradeSide=oa.ProtoOATradeSide.SELL), timeout_s=0.3)
                await is_refused("most_positions")
                (known,) = [held for held in session.books[account.id].positions.positions if held.side is Side.BUY]
                await is_refused("orders_per_minute", positionId=known.id)
        assert ordered(server) == 2


# The loss of the day


async def test_the_loss_of_the_day_trips_by_itself(tmp_path: Path) -> None:
    limits = replace(OPEN, loss_of_day=Decimal(5), loss_check_s=0.02)
    async with a_desk(tmp_path, limits=limits) as (server, desk):
        server.set_price(EURUSD, bid=110_000, ask=110_010)
        order = await desk.place(DEMO, BUY)
        await order.filled()
        server.set_price(EURUSD, bid=109_000, ask=109_010)  # 1000 units lose 10
        await tripped(desk)
        assert "loss_of_day" in desk.why(DEMO)
        with pytest.raises(Refused, match="loss_of_day"):
            await desk.place(DEMO, BUY)
        assert order.position_id is not None
        await (await desk.close(DEMO, order.position_id)).filled()
        assert ordered(server) == 1
        await desk.flush()
    (line,) = [line for line in audit_of(tmp_path) if line["fact"] == "tripped"]
    assert line["mode"] == "reduce_only"
    assert line["reason"].startswith("loss_of_day: ")


async def test_the_loss_of_the_day_is_rebuilt_from_the_server_after_a_restart(tmp_path: Path) -> None:
    async with a_server() as server:
        server.set_price(EURUSD, bid=110_000, ask=110_010)
        async with open_desk(desk_settings(tmp_path, side_of(server))) as desk:
            order = await desk.place(DEMO, BUY)
            await order.filled()
            server.set_price(EURUSD, bid=109_000, ask=109_010)
            assert order.position_id is not None
            closed = await (await desk.close(DEMO, order.position_id)).filled()
            assert closed.realised is not None
            lost = -closed.realised.net
        limits = replace(OPEN, loss_of_day=lost, loss_check_s=60)
        async with open_desk(desk_settings(tmp_path / "2", side_of(server, limits=limits))) as desk:
            await tripped(desk)
        more = replace(limits, loss_of_day=lost + Decimal("0.01"))
        async with open_desk(desk_settings(tmp_path / "3", side_of(server, limits=more))) as desk:
            server.set_price(EURUSD, bid=109_010, ask=109_010)
            await (await desk.place(DEMO, BUY)).filled()
            assert desk.mode(DEMO) is Mode.ON


async def test_a_loss_that_was_booked_while_the_link_was_down_counts(tmp_path: Path) -> None:
    limits = replace(OPEN, loss_of_day=Decimal(5), loss_check_s=0.02)
    async with a_desk(tmp_path, limits=limits) as (server, desk):
        server.set_price(EURUSD, bid=110_000, ask=110_010)
        await (await desk.place(DEMO, replace(BUY, stop_loss_pips=100))).protected()

        def lose() -> None:
            server.drop_clients()
            server.set_price(EURUSD, bid=108_000, ask=108_010)

        await ready_again(desk.session(DEMO), links=lose)
        await tripped(desk)
        assert desk.positions(DEMO) == ()


async def test_live_may_lose_one_per_cent_of_its_balance_unless_the_settings_say_more(tmp_path: Path) -> None:
    assert Limits.standard(LIVE).loss_of_day == Percent(Decimal(1))
    assert OPEN.loss_of_day is NoLimit.UNLIMITED
    limits = replace(Limits.standard(LIVE), loss_check_s=0.02)
    async with both(tmp_path, live_enabled=True, limits=limits) as (_, server, desk):
        server.set_price(EURUSD, bid=110_000, ask=110_010)
        await (await desk.place(LIVE, BUY)).filled()
        server.set_price(EURUSD, bid=99_500, ask=99_510)  # 105 of 10,000 are lost
        await tripped(desk, LIVE)
        assert desk.mode(DEMO) is Mode.ON


async def test_a_loss_that_cannot_be_read_lets_no_order_leave(tmp_path: Path) -> None:
    limits = replace(OPEN, loss_of_day=Decimal(5), loss_check_s=0.02)
    async with a_desk(tmp_path, limits=limits) as (server, desk):
        await (await desk.place(DEMO, BUY)).filled()
        server.faults.inject(faults.Deafness("ProtoOAGetPositionUnrealizedPnLReq"))
        session = desk.session(DEMO)
        session.timings = replace(session.timings, order_queue_s=0.3)
        with pytest.raises(NotSent, match="what it needs to know"):
            await desk.place(DEMO, BUY)
        assert ordered(server) == 1


@pytest.mark.parametrize("host", list(Host))
async def test_a_deposit_is_no_profit_and_a_withdrawal_no_loss(tmp_path: Path, host: Host) -> None:
    limits = replace(OPEN, largest_order_lots=Decimal(1), loss_of_day=Percent(Decimal(1)), loss_check_s=60)
    async with a_server(host) as server:
        environment = Environment.LIVE if host.is_live else DEMO
        server.deposit(server.account_id, amount=-500_000)
        side = side_of(server, limits=limits, live_enabled=host.is_live)
        async with open_desk(desk_settings(tmp_path, side)) as desk:
            server.deposit(server.account_id, amount=500_000)
            await (await desk.place(environment, BUY)).filled()
            assert desk.mode(environment) is Mode.ON
