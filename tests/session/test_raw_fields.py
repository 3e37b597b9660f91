"""Raw trading requests: what cannot be right is refused before anything is written or sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anyctrader.session import (
    Environment,
    InvalidOrder,
    LimitOrder,
    MarketOrder,
    ServerError,
    Side,
    raw_fields,
)
from anyctrader.wire import messages as oa

from .rig import EURUSD, LOT_CENTS, a_desk, audit_of, heard

pytestmark = pytest.mark.anyio
DEMO = Environment.DEMO
NAN, INF = float("nan"), float("inf")


def order(**changes: Any) -> Any:
    given = {"symbolId": EURUSD, "orderType": 2, "tradeSide": 1, "volume": LOT_CENTS, "limitPrice": 1.1}
    return oa.ProtoOANewOrderReq(**(given | changes))


def kind(order_type: int, **given: Any) -> Any:
    plain = {"symbolId": EURUSD, "orderType": order_type, "tradeSide": 1, "volume": LOT_CENTS}
    return oa.ProtoOANewOrderReq(**(plain | given))


BAD_ORDERS = {
    "limitPrice: nan": order(limitPrice=NAN),
    "limitPrice: inf": order(limitPrice=INF),
    "limitPrice: -1.0": order(limitPrice=-1.0),
    "limitPrice: 0.0": order(limitPrice=0.0),
    "limitPrice: 1.123456": order(limitPrice=1.123456),
    "stopPrice: -inf": order(stopPrice=-INF),
    "baseSlippagePrice: nan": order(baseSlippagePrice=NAN),
    "stopLoss: nan": order(stopLoss=NAN),
    "takeProfit: -1.0": order(takeProfit=-1.0),
    "relativeStopLoss: -5": order(relativeStopLoss=-5),
    "slippageInPoints: -1": order(slippageInPoints=-1),
    "volume: 0": order(volume=0),
    "volume: -100000": order(volume=-LOT_CENTS),
    "volume: 150001": order(volume=150_001),
    f"volume: {2**63 - 1}": order(volume=2**63 - 1),
    "label: ": order(label="x" * 101),
    "comment: ": order(comment="x" * 513),
    "clientOrderId: ": order(clientOrderId="x" * 51),
    "expirationTimestamp: 5": order(expirationTimestamp=5),
    "positionId: -4": order(positionId=-4),
    "symbolId: 999": order(symbolId=999),
    "limitPrice: 1E+30": order(limitPrice=1e30),
    "takeProfit: 1E+30": order(takeProfit=1e30),
    "relativeStopLoss: 110000": order(relativeStopLoss=110_000),
    "relativeTakeProfit: 110001": order(tradeSide=2, relativeTakeProfit=110_001),
    "stopLoss: 1.1": order(stopLoss=1.1),
    "stopLoss: 1.2": order(stopLoss=1.2),
    "takeProfit: 1.05": order(takeProfit=1.05),
    "stopLoss: 1.05": order(tradeSide=2, stopLoss=1.05),
    "relativeStopLoss: 120000": order(orderType=3, stopPrice=1.2, relativeStopLoss=120_000),
    "relativeStopLoss: 130000": order(orderType=5, baseSlippagePrice=1.3, slippageInPoints=1, relativeStopLoss=130_000),
    "symbolId: 0": order(symbolId=0),
    "orderId: -1": oa.ProtoOACancelOrderReq(orderId=-1),
}


MISSING = {
    "limitPrice": kind(2),
    "stopPrice": kind(3),
    "stopPrice:": kind(6, slippageInPoints=3),
    "slippageInPoints": kind(6, stopPrice=1.3),
    "baseSlippagePrice": kind(5, slippageInPoints=3),
    "expirationTimestamp": order(timeInForce=1),
}


async def test_an_order_that_cannot_be_right_is_refused_before_anything_is_written_or_sent(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        account = desk.account(DEMO)
        await account.symbol("EURUSD")
        await desk.flush()
        before = (server.seen.names(), audit_of(tmp_path))
        for field, request in BAD_ORDERS.items():
            with pytest.raises(InvalidOrder) as refused:
                await account.request(request)
            assert str(refused.value).startswith(field)
            assert "is refused: " in str(refused.value)
        for missing, request in MISSING.items():
            with pytest.raises(InvalidOrder, match=f"^{missing.rstrip(':')}: none is given: .* needs one$"):
                await account.request(request)
        with pytest.raises(InvalidOrder, match=r"has no symbol of that id; the \d+ that it has are within 1 to"):
            await account.request(order(symbolId=999))
        await desk.flush()
        assert (server.seen.names(), audit_of(tmp_path)) == before
        await account.request(order(label="", limitPrice=1.10001))  # what is right leaves, and the server takes it


async def test_changes_and_closes_are_held_against_what_the_books_know_of_their_symbol(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        account = desk.account(DEMO)
        pending = await desk.place(DEMO, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.1"))
        held = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.03"))
        await held.filled()
        trades = [name for name in server.seen.names() if "Amend" in name or "Close" in name]
        ids = {"positionId": held.position_id}
        terms = {"orderId": pending.order_id, "volume": LOT_CENTS, "limitPrice": 1.1}
        for field, request in (
            ("limitPrice", oa.ProtoOAAmendOrderReq(orderId=pending.order_id, volume=LOT_CENTS, limitPrice=1.1234567)),
            ("volume", oa.ProtoOAAmendOrderReq(orderId=pending.order_id, volume=LOT_CENTS + 1, limitPrice=1.1)),
            ("stopLoss", oa.ProtoOAAmendPositionSLTPReq(**ids, stopLoss=NAN)),
            ("stopLoss", oa.ProtoOAAmendPositionSLTPReq(**ids, stopLoss=1.0000001)),
            ("stopLoss", oa.ProtoOAAmendOrderReq(**terms, stopLoss=1.15)),
            ("relativeStopLoss", oa.ProtoOAAmendOrderReq(**terms, relativeStopLoss=110_000)),
            ("takeProfit", oa.ProtoOAAmendPositionSLTPReq(**ids, stopLoss=1.2, takeProfit=1.1)),
            ("volume", oa.ProtoOAClosePositionReq(**ids, volume=-5)),
            ("volume", oa.ProtoOAClosePositionReq(**ids, volume=LOT_CENTS + 1)),
        ):
            with pytest.raises(InvalidOrder, match=f"^{field}: "):
                await account.request(request)
        assert [name for name in server.seen.names() if "Amend" in name or "Close" in name] == trades
        with pytest.raises(ServerError, match="ORDER_NOT_FOUND"):  # what the books do not know is the server's to judge
            await account.request(oa.ProtoOAAmendOrderReq(orderId=99_999, volume=LOT_CENTS + 1, limitPrice=1.1234567))
        await account.request(oa.ProtoOAClosePositionReq(**ids, volume=3 * LOT_CENTS))


async def test_a_distance_is_a_step_of_the_symbol(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (_, desk):
        account = desk.account(DEMO)
        coarse = next(s for s in [await account.symbol(n) for n in await account.symbol_names()] if s.digits < 5)
        good = order(symbolId=coarse.id, volume=coarse.min_volume_cents, limitPrice=2, relativeStopLoss=10**5)
        raw_fields.check_figures(good, coarse)
        good.relativeStopLoss += 1
        with pytest.raises(InvalidOrder, match=r"^relativeStopLoss: 100001 is"):
            raw_fields.check_figures(good, coarse)


async def test_a_raw_market_order_is_held_against_the_quote_that_is_known_of_its_symbol(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        account = desk.account(DEMO)
        server.set_price(EURUSD, bid=119_990, ask=120_000)
        async with account.spots("EURUSD") as spots:
            await anext(spots)
            for request in (kind(1, relativeStopLoss=120_000), kind(1, relativeTakeProfit=119_990, tradeSide=2)):
                with pytest.raises(InvalidOrder, match=r"EURUSD is at 1\.(2|20000|19990), and a level is above 0"):
                    await account.request(request)
            await account.request(kind(1, relativeStopLoss=110_000))
        assert len(heard(server, oa.ProtoOANewOrderReq)) == 1
