"""What happened while no process was there: the next start finds it by the record that the last one left."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from anyctrader.fake import ExchangeSettings, FakeServer
from anyctrader.fake.exchange_settings import Delays, Liquidity
from anyctrader.session import (
    Desk,
    Environment,
    LimitExceeded,
    LimitOrder,
    Limits,
    MarketOrder,
    OrderState,
    PositionAmendment,
    Side,
    deal_record,
    open_desk,
)
from anyctrader.session.past import Past
from anyctrader.session.positions import PositionBook
from anyctrader.session.stories import lines_of
from anyctrader.session.trades import totals_of, trades_of
from anyctrader.wire import messages as oa

from .rig import (
    EURUSD,
    LOT_CENTS,
    Denying,
    a_server,
    audit_of,
    by_name,
    desk_settings,
    facts_of,
    heard,
    ready_again,
    side_of,
)

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.01")
GUARDED = replace(BUY, stop_loss_pips=20)


@asynccontextmanager
async def a_desk_at(server: FakeServer, folder: Path, **changes: Any) -> AsyncIterator[Desk]:
    async with open_desk(desk_settings(folder, side_of(server, **changes))) as desk:
        yield desk
        await desk.session(DEMO).request(oa.ProtoOAVersionReq())  # all that the server had to say was heard


def market(server: FakeServer, bid: int) -> None:
    server.set_price(EURUSD, bid=bid, ask=bid + 10)


async def balance_of(desk: Desk) -> Decimal:
    trader = (await desk.account(DEMO).request(oa.ProtoOATraderReq())).trader
    return Decimal(trader.balance).scaleb(-trader.moneyDigits)


def told(folder: Path, what: str) -> list[str]:
    """The lines of the connection log that are about this."""
    return [line for line in (folder / "demo_connection.log").read_text().splitlines() if f" {what} " in line]


def rewritten(folder: Path, change: Any) -> None:
    """Each line of the audit as *change* makes it: bytes, or None for a line that is gone."""
    path = folder / "order_audit.jsonl"
    lines = [change(text, orjson.loads(text)) for text in path.read_bytes().splitlines(keepends=True)]
    path.write_bytes(b"".join(text for text in lines if text is not None))


async def test_a_stop_that_was_hit_while_no_process_was_there_is_on_record_and_told(tmp_path: Path) -> None:
    async with a_server() as server:
        market(server, 120_000)
        async with a_desk_at(server, tmp_path) as desk:
            before = await balance_of(desk)
            order = await desk.place(DEMO, GUARDED)
            await order.protected()
        market(server, 119_000)
        async with a_desk_at(server, tmp_path) as desk:
            booked = await balance_of(desk) - before
        async with a_desk_at(server, tmp_path):  # and once only
            pass
    (missed,) = by_name(audit_of(tmp_path), "fact", "missed_deal")
    assert (missed["position_id"], Decimal(missed["net"])) == (order.position_id, booked)
    (difference,) = by_name(audit_of(tmp_path), "fact", "difference")
    assert f"position {order.position_id}, existence: the book had BUY {LOT_CENTS}" in difference["reason"]
    assert len(told(tmp_path, "difference")) == 1
    totals = totals_of(trades_of(lines_of(tmp_path)))
    assert [total.net_profit for total in totals if total.symbol is None] == [booked]


async def test_what_others_opened_and_changed_while_no_process_was_there_is_told(tmp_path: Path) -> None:
    async with a_server() as server:
        market(server, 120_000)
        async with a_desk_at(server, tmp_path / "a") as desk:
            kept, cut = await desk.place(DEMO, GUARDED), await desk.place(DEMO, replace(BUY, lots="0.02"))
            await kept.protected()
            await cut.filled()
        assert kept.position_id is not None
        assert cut.position_id is not None
        async with a_desk_at(server, tmp_path / "b") as desk:
            await desk.amend(DEMO, PositionAmendment(kept.position_id, stop_loss="1.19500"))
            await (await desk.close(DEMO, cut.position_id, lots="0.01")).filled()
            new = await desk.place(DEMO, BUY)
            await new.filled()
        async with a_desk_at(server, tmp_path / "a"):
            pass
    reasons = [line["reason"] for line in by_name(audit_of(tmp_path / "a"), "fact", "difference")]
    assert [reason.split(":")[0] for reason in reasons] == [
        f"position {kept.position_id}, stop_loss",
        f"position {cut.position_id}, volume_cents",
        f"position {new.position_id}, existence",
    ]
    assert facts_of(tmp_path / "a").count("missed_deal") == 2


async def test_a_restart_after_which_all_is_as_it_was_tells_nothing(tmp_path: Path) -> None:
    async with a_server() as server:
        market(server, 120_000)
        async with a_desk_at(server, tmp_path) as desk:
            order = await desk.place(DEMO, GUARDED)
            await order.protected()
            assert order.position_id is not None
            closing = await desk.place(DEMO, BUY)
            await closing.filled()
            assert closing.position_id is not None
            await (await desk.close(DEMO, closing.position_id)).filled()
            await desk.amend(DEMO, PositionAmendment(order.position_id, stop_loss="1.19500"))
            await desk.flush()
            # As a crash leaves it: the last snapshot is that of the start.
            shutil.copytree(tmp_path, tmp_path / "crashed")
        for folder in (tmp_path, tmp_path / "crashed"):
            async with a_desk_at(server, folder) as desk:
                assert [position.id for position in desk.positions(DEMO)] == [order.position_id]
            assert not {"missed_deal", "difference"} & set(facts_of(folder))


async def test_a_snapshot_that_was_cut_short_tells_of_no_difference(tmp_path: Path) -> None:
    async with a_server() as server:
        async with a_desk_at(server, tmp_path) as desk:
            for _ in range(2):
                await (await desk.place(DEMO, BUY)).filled()
            desk.snapshot(DEMO)
        path = tmp_path / "position_snapshot.jsonl"
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[:-1]))  # the last position of the last snapshot
        async with a_desk_at(server, tmp_path):
            pass
    assert "difference" not in facts_of(tmp_path)


async def test_what_was_made_before_there_was_a_record_is_nobodys_loss(tmp_path: Path) -> None:
    async with a_server() as server:
        async with a_desk_at(server, tmp_path / "b") as desk:
            await (await desk.place(DEMO, BUY)).filled()
        for _ in range(2):
            async with a_desk_at(server, tmp_path / "a"):
                pass
        assert facts_of(tmp_path / "a") == ["record_begins"]
        async with a_desk_at(server, tmp_path / "b") as desk:
            await (await desk.place(DEMO, BUY)).filled()
        async with a_desk_at(server, tmp_path / "a"):
            pass
    assert facts_of(tmp_path / "a") == ["record_begins", "difference", "missed_deal"]


async def test_what_is_missed_after_a_first_look_without_a_list_is_missed_and_what_was_made_before_is_not(
    tmp_path: Path,
) -> None:
    async with a_server() as server:
        market(server, 120_000)
        async with a_desk_at(server, tmp_path / "b") as desk:
            done = await desk.place(DEMO, BUY)
            await done.filled()
            assert done.position_id is not None
            await (await desk.close(DEMO, done.position_id)).filled()
            await (await desk.place(DEMO, GUARDED)).protected()
        with ExitStack() as refusal:
            refusal.enter_context(server.faults.inject(Denying(oa.ProtoOADealListReq, code="TIMEOUT_ERROR")))
            async with a_desk_at(server, tmp_path / "a") as desk:
                await desk.flush()
                assert facts_of(tmp_path / "a") == ["record_begins"]

                def fall() -> None:
                    refusal.close()
                    server.drop_clients()
                    market(server, 119_000)  # the stop is hit while nobody listens

                await ready_again(desk.session(DEMO), links=fall)
        async with a_desk_at(server, tmp_path / "a"):
            pass
    (missed,) = by_name(audit_of(tmp_path / "a"), "fact", "missed_deal")
    assert missed["closes"]
    assert facts_of(tmp_path / "a").count("record_begins") == 1


async def test_what_was_missed_too_long_ago_is_not_asked_for_and_that_is_told(tmp_path: Path) -> None:
    async with a_server() as server:
        async with a_desk_at(server, tmp_path):
            pass

        def of_last_year(text: bytes, line: dict[str, Any]) -> bytes:
            known = str(line.get("executed_at_ms", "none")).encode()
            return text.replace(known, b"1600000000000")

        rewritten(tmp_path, of_last_year)
        asked = len(heard(server, oa.ProtoOADealListReq))
        async with a_desk_at(server, tmp_path):
            pass
        asked = len(heard(server, oa.ProtoOADealListReq)) - asked
    assert asked == 5  # 30 days and two for the clocks, a week each
    (line,) = told(tmp_path, "not_looked_up")
    assert "from 2020-09-13" in line


async def test_a_deal_that_a_process_had_no_time_to_ask_for_is_found_though_a_later_one_is_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deal_record, "_LOOK_BACK_MS", 0)
    async with a_server() as server:
        market(server, 120_000)
        deals = []
        async with a_desk_at(server, tmp_path) as desk:
            for _ in range(3):
                order = await desk.place(DEMO, BUY)
                await order.filled()
                deals.append(order.record.fills[0].deal_id)

        def without(text: bytes, line: dict[str, Any]) -> bytes | None:
            return None if line.get("deal_id") == deals[1] else text

        rewritten(tmp_path, without)
        for _ in range(2):
            async with a_desk_at(server, tmp_path):
                pass
    assert [line["deal_id"] for line in by_name(audit_of(tmp_path), "fact", "missed_deal")] == [deals[1]]


async def test_a_fill_that_is_on_record_is_not_recorded_again_by_the_next_process(tmp_path: Path) -> None:
    slow = ExchangeSettings(delays=replace(Delays.none(), part_ms=60_000), liquidity=Liquidity(part_cents=LOT_CENTS))
    async with a_server(exchange=slow) as server:
        market(server, 120_000)
        async with a_desk_at(server, tmp_path) as desk:
            order = await desk.place(DEMO, replace(BUY, lots="0.03"))
            while order.state is not OrderState.PARTIALLY_FILLED:
                await desk.session(DEMO).request(oa.ProtoOAVersionReq())
        for _ in range(2):
            async with a_desk_at(server, tmp_path) as desk:
                (order,) = desk.orders.values()
                assert order.state is OrderState.PARTIALLY_FILLED
                (fill,) = order.record.fills
    assert facts_of(tmp_path, deal_id=fill.deal_id) == ["execution", "fill"]
    (trade,) = trades_of(lines_of(tmp_path))
    assert trade.commission == fill.commission


@pytest.mark.parametrize("gone", ["unreadable", "missing", "of no environment"])
async def test_an_order_whose_intent_is_damaged_is_told_at_the_start(tmp_path: Path, gone: str) -> None:
    def damaged(text: bytes, line: dict[str, Any]) -> bytes | None:
        if line["fact"] != "intent":
            return text
        if gone == "missing":
            return None
        return b"x" + text[1:] if gone == "unreadable" else text.replace(b'"demo"', b'"dem0"')

    async with a_server() as server:
        async with a_desk_at(server, tmp_path) as desk:
            order = await desk.place(DEMO, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.0"))
        rewritten(tmp_path, damaged)
        async with a_desk_at(server, tmp_path) as desk:
            assert desk.orders == {}
    lines = told(tmp_path, "not_followed")
    assert all("anyctrader audit verify" in line for line in lines)
    assert sum(f"order {order.client_order_id} " in line for line in lines) == 1
    assert sum("cannot be read: 1, the first of them is line 3" in line for line in lines) == (gone != "missing")


async def test_a_request_whose_intent_is_damaged_is_told_at_the_start(tmp_path: Path) -> None:
    async with a_server() as server:
        async with a_desk_at(server, tmp_path) as desk:
            order = await desk.place(DEMO, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.0"))
            assert order.order_id is not None
            await desk.cancel(DEMO, order.order_id)
        ended = [line["intent_id"] for line in audit_of(tmp_path) if line["fact"] == "change_done"]
        # With its end it is over, whatever is gone of it; without, nobody knows.
        rewritten(tmp_path, lambda text, line: None if line["fact"] == "intent" else text)
        async with a_desk_at(server, tmp_path):
            pass
        assert told(tmp_path, "not_followed") == []
        rewritten(tmp_path, lambda text, line: None if line["fact"] == "change_done" else text)
        async with a_desk_at(server, tmp_path):
            pass
    (line,) = told(tmp_path, "not_followed")
    assert f"request {ended[0]} " in line


async def test_orders_of_the_last_minute_count_over_a_restart(tmp_path: Path) -> None:
    limits = replace(Limits.standard(DEMO), orders_per_minute=3)
    async with a_server() as server:
        async with a_desk_at(server, tmp_path, limits=limits) as desk:
            for _ in range(2):
                await (await desk.place(DEMO, BUY)).filled()
        async with a_desk_at(server, tmp_path, limits=limits) as desk:
            await (await desk.place(DEMO, BUY)).filled()
            with pytest.raises(LimitExceeded, match="orders_per_minute"):
                await desk.place(DEMO, BUY)
        assert len(heard(server, oa.ProtoOANewOrderReq)) == 3


def test_orders_count_for_a_minute_and_raw_ones_count_too() -> None:
    past = Past()
    for at, said in (
        ("2026-11-22T10:00:00.000Z", {"request": "place"}),
        ("2026-11-22T10:00:30.000Z", {"request": "close"}),
        ("2026-11-22T10:00:40.000Z", {"message": "ProtoOANewOrderReq"}),
        ("yesterday", {"request": "place"}),
        ("2026-11-22T10:09:00.000Z", {"request": "place"}),  # by a clock that was set since
    ):
        past.follow({"fact": "intent", "at": at, **said})
    utc_ms = 1_795_341_660_500  # 10:01:00.500
    assert past.orders_of_minute_s(utc_ms=utc_ms, now_s=100.0) == [79.5, 100.0]


def test_the_memory_of_deals_is_bounded_and_keeps_the_newest() -> None:
    past = Past()
    past.follow({"fact": "record_begins", "executed_at_ms": 5})
    for number in range(12_000):
        past.follow({"fact": "deal", "deal_id": number, "executed_at_ms": 1_000 + number})
    past.follow({"fact": "record_begins", "executed_at_ms": 999_999})
    assert next(iter(past.deals)) == 2_000
    assert past.deals_since_ms == 3_000
    assert (past.deals_until_ms, past.begins_ms) == (12_999, 5)


def test_what_an_event_without_a_deal_leaves_of_a_position_is_told_where_the_position_is_gone() -> None:
    past, at = Past(), "2026-11-27T12:00:00.000Z"
    held = {"id": 7, "symbol_id": 1, "side": "BUY", "volume_cents": LOT_CENTS, "price": "1.2", "stop_loss": "1.19"}
    past.take({7: held}, at=at)
    past.follow({"fact": "execution", "at": at, "position_id": 7, "open_volume_cents": LOT_CENTS})  # its levels, maybe
    (difference,) = past.differences(PositionBook())
    assert difference.believed == f"BUY {LOT_CENTS} of symbol 1"


async def test_how_much_a_position_had_is_not_known_behind_a_deal_that_no_event_told_of() -> None:
    past = Past()
    opened = {"position_id": 5, "open_volume_cents": 300, "deal_id": 70, "order_id": 60, "executed_at_ms": 1}
    for fact in ("execution", "fill", "deal"):
        past.follow({"fact": fact, **opened})
        assert past.departure(5).open_cents == 300
    past.follow({"fact": "missed_deal", "position_id": 5, "deal_id": 71, "order_id": 61, "executed_at_ms": 2})
    assert past.departure(5).open_cents == 0  # less is open than that: of a close it would look like its work
    past.follow({"fact": "execution", **opened, "open_volume_cents": 100, "deal_id": 72})
    assert past.departure(5).open_cents == 100
