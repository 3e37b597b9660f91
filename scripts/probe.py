"""One environment of the desk as the runbook handles it: it acts through the desk, and checks by asking the server."""

from __future__ import annotations

import time
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import anyio

from anyctrader.session import (
    LATEST,
    LimitOrder,
    MarketOrder,
    Order,
    RequestFailed,
    ServerError,
    Side,
)
from anyctrader.wire import messages as oa
from anyctrader.wire import units
from anyctrader.wire.catalog import permission_of
from anyctrader.wire.messages import payload_type_of

from .clearing import Clearing
from .steps import NotNow, StepFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from anyctrader.session import Account, Environment, Session, Spot, Symbol

    from .stage import Stage

__all__ = ["Probe", "closed_means_not_now", "now_ms", "rounded"]

_STALE_MS: Final = 10 * 60_000  # older than this, a "first" quote is the last one of a market that has closed
_LISTED_S: Final = 10.0  # history lags by moments (docs/protocol.md section 12)
_LOOK_AGAIN_S: Final = 0.25  # historical requests are limited to 5 a second
_SLACK_MS: Final = 10 * 60_000  # the server's clock is not ours
_CLOSED: Final = frozenset({"MARKET_CLOSED", "SYMBOL_HAS_HOLIDAY", "NO_QUOTES", "TRADING_DISABLED"})
_AWAY: Final = Decimal("0.03")  # of the price: a resting order that the market does not reach while a step looks
_LABEL: Final = "anyctrader runbook"


@contextmanager
def closed_means_not_now() -> Iterator[None]:
    """Turns the server's word that the market is closed into "not now"."""
    try:
        yield
    except ServerError as error:
        if error.code in _CLOSED:
            raise NotNow(f"the market is closed ({error})") from error
        raise


class Probe:
    """Acts in one environment, and looks at what came of it.

    Args:
        stage: the walk.
        environment: which one.

    Attributes:
        clearing: takes back what was opened here.
    """

    def __init__(self, stage: Stage, environment: Environment) -> None:
        self.stage = stage
        self.environment = environment
        self.clearing = Clearing(self)

    @property
    def session(self) -> Session:
        """Of the present desk."""
        return self.stage.open_desk.session(self.environment)

    @property
    def account(self) -> Account:
        """Of the present desk."""
        return self.stage.open_desk.account(self.environment)

    # What there is

    async def symbol(self) -> Symbol:
        """What is traded."""
        return await self.account.symbol(self.stage.symbol)

    async def quote(self) -> Spot:
        """The present quote, both sides.

        Raises:
            NotNow: there is none, or it is old: the market is closed.
        """
        name = self.stage.symbol
        with anyio.move_on_after(self.stage.pace.quote_s), closed_means_not_now():
            async with self.account.spots(name, policy=LATEST) as spots:
                async for spot in spots:
                    if spot.at_ms is not None and spot.at_ms < now_ms() - _STALE_MS:
                        continue  # the technical event of a closed market carries its last quote
                    return spot
        raise NotNow(f"there is no fresh quote of {name}: its market is closed")

    async def balance(self) -> Decimal:
        """As the server has it."""
        trader = (await self.account.request(oa.ProtoOATraderReq())).trader
        return units.money_from_wire(trader.balance, money_digits=units.money_digits_of(trader))

    async def reconcile(self) -> Any:
        """Positions and orders, asked of the server: a `ProtoOAReconcileRes`."""
        return await self.account.request(oa.ProtoOAReconcileReq())

    async def working(self, order_id: int | None) -> Any | None:
        """An order that the server says it works on (`ProtoOAOrder`), or None."""
        return next((order for order in (await self.reconcile()).order if order.orderId == order_id), None)

    async def position(self, position_id: int | None) -> Any | None:
        """A position that the server says is open (`ProtoOAPosition`), or None."""
        found = (await self.reconcile()).position
        return next((position for position in found if position.positionId == position_id), None)

    async def deals(self, order_id: int | None) -> list[Any]:
        """The deals of an order, from the server's list.

        Raises:
            StepFailed: the list does not have one, for as long as it may lag.
        """
        request = oa.ProtoOADealListReq(
            fromTimestamp=self.stage.began_ms - _SLACK_MS, toTimestamp=now_ms() + _SLACK_MS, maxRows=500
        )

        async def look() -> list[Any]:
            rows = (await self.account.request(request)).deal
            return [deal for deal in rows if deal.orderId == order_id]

        return await self._until(look, f"the server's list has no deal of order {order_id}")

    async def own_deals(self) -> list[Any]:
        """All deals of the orders that the runbook placed since its phases began, from the server's lists."""
        span = {"fromTimestamp": self.stage.since_ms - _SLACK_MS, "toTimestamp": now_ms() + _SLACK_MS}
        orders = (await self.account.request(oa.ProtoOAOrderListReq(**span))).order
        # The entry's comment is copied to the orders that close or protect it (docs/protocol.md section 10).
        ours = {order.orderId for order in orders if order.tradeData.comment == _LABEL}
        deals = (await self.account.request(oa.ProtoOADealListReq(**span, maxRows=1000))).deal
        return [deal for deal in deals if deal.orderId in ours and deal.filledVolume]

    def trading_requests(self) -> int:
        """How many requests that trade have reached the server, where it is ours; 0 where that cannot be known."""
        server = self.stage.server(self.environment)
        if server is None:
            return 0
        return sum(seen.message is not None and _trades(seen.message) for seen in server.seen)

    async def _until(self, look: Callable[[], Awaitable[list[Any]]], missing: str) -> list[Any]:
        with anyio.move_on_after(_LISTED_S):
            while True:
                found = await look()
                if found:
                    return found
                await anyio.sleep(_LOOK_AGAIN_S)
        raise StepFailed(f"{missing}, {_LISTED_S:g} s later")

    # What is done

    async def rest(self, **levels: Any) -> Order:
        """Places a buy limit of the smallest size, far below the market, where it rests; checks that it does.

        Raises:
            StepFailed: the server does not list it as it was placed.
        """
        symbol, spot = await self.symbol(), await self.quote()
        price = rounded(spot.bid * (1 - _AWAY), symbol)
        ticket = LimitOrder(
            symbol.name, Side.BUY, volume_cents=symbol.min_volume_cents, price=price, comment=_LABEL, **levels
        )
        order = await self.place(ticket)
        await order.accepted()
        found = await self.working(order.order_id)
        if found is None:
            raise StepFailed(f"the server does not list order {order.order_id}, which it accepted")
        self.check("limit price", units.price_from_double(found.limitPrice), price)
        self.check("volume", found.tradeData.volume, symbol.min_volume_cents)
        self.check("client order id", found.clientOrderId, order.client_order_id)
        return order

    async def buy(self, *, volume_cents: int | None = None) -> Order:
        """Buys at the market with a stop loss and waits for fill and stop; checks both at the server.

        Raises:
            StepFailed: the server's deal list or position is not what the fill said.
        """
        symbol = await self.symbol()
        await self.quote()  # a closed market shows here, before anything is sent
        volume_cents = symbol.min_volume_cents if volume_cents is None else volume_cents
        ticket = MarketOrder(symbol.name, Side.BUY, volume_cents=volume_cents, stop_loss_pips=200, comment=_LABEL)
        order = await self.place(ticket)
        await order.filled(timeout_s=self.stage.pace.fill_s)
        await order.protected(timeout_s=self.stage.pace.fill_s)
        position = await self.position(order.position_id)
        if position is None:
            raise StepFailed(f"the server does not list position {order.position_id}, which the fill opened")
        self.check("volume of the position", position.tradeData.volume, volume_cents)
        if not position.stopLoss:
            raise StepFailed(f"position {order.position_id} has no stop loss at the server")
        deals = await self.deals(order.order_id)
        self.check("volume of the deals", sum(deal.filledVolume for deal in deals), volume_cents)
        return order

    async def close(self, position_id: int, *, volume_cents: int | None = None) -> Order:
        """Closes a position, or a part, and waits for the fill; checks deal and rest at the server.

        Raises:
            StepFailed: the server says otherwise.
        """
        before = await self.position(position_id)
        if before is None:
            raise StepFailed(f"position {position_id} is not open")
        part = before.tradeData.volume if volume_cents is None else volume_cents
        with closed_means_not_now():
            order = await self.stage.open_desk.close(self.environment, position_id, volume_cents=volume_cents)
        self.stage.orders.append(order)
        await order.filled(timeout_s=self.stage.pace.fill_s)
        deals = await self.deals(order.order_id)
        closed = sum(deal.closePositionDetail.closedVolume for deal in deals)
        self.check("closed volume", closed, part)
        after = await self.position(position_id)
        left = after.tradeData.volume if after is not None else 0
        self.check("what is left of the position", left, before.tradeData.volume - part)
        return order

    async def place(self, ticket: Any) -> Order:
        """Places an order as it is, and remembers it.

        Raises:
            NotNow: the market is closed.
            RequestFailed: as `Desk.place` says.
        """
        try:
            with closed_means_not_now():
                order = await self.stage.open_desk.place(self.environment, ticket)
        except RequestFailed as error:
            if isinstance(error.order, Order):
                self.stage.orders.append(error.order)
            raise
        self.stage.orders.append(order)
        return order

    @staticmethod
    def check(what: str, found: object, wanted: object) -> None:
        """Compares.

        Raises:
            StepFailed: they differ.
        """
        if found != wanted:
            raise StepFailed(f"{what}: the server has {found}, and it should be {wanted}")


def rounded(price: Decimal, symbol: Symbol) -> Decimal:
    """A price with the digits that the symbol takes."""
    return price.quantize(Decimal(1).scaleb(-symbol.digits))


def now_ms() -> int:
    """The time of day, UTC milliseconds."""
    return time.time_ns() // 1_000_000


def _trades(message: Any) -> bool:
    permission = permission_of(payload_type_of(message))
    return permission is not None and permission.trades
