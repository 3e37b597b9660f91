"""Phase A: the demo account, from its token to a record of every order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from anyctrader.session import Environment, OrderAmendment, PositionAmendment
from anyctrader.session.limits import largest_order_cents
from anyctrader.wire import units

from .beats import burst, soak
from .evidence import Evidence
from .probe import Probe, rounded
from .signon import check_account, check_token
from .steps import Step, StepFailed, known

if TYPE_CHECKING:
    from decimal import Decimal

    from anyctrader.session import Order, Settings

    from .stage import Stage

__all__ = ["PhaseA"]

_PIPS: Final = 50
_BEFORE: Final = "the order of the step before"


class PhaseA:
    """Demo alone: nothing of it needs live to be set up."""

    letter = "A"
    title = "Demo: signed on, beating, throttled; orders placed, modified, cancelled, on record"

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._demo = Probe(stage, Environment.DEMO)
        self._resting: Order | None = None
        self._bought: Order | None = None

    def settings(self) -> Settings:
        """See `Phase.settings`."""
        self._stage.account_id(Environment.DEMO)
        settings = self._stage.settings
        return replace(settings, environments={Environment.DEMO: settings.environments[Environment.DEMO]})

    def steps(self) -> tuple[Step, ...]:
        """See `Phase.steps`. The soak comes before any order: a connection that does not hold is not to trade."""
        soak_s = self._stage.pace.soak_s
        return (
            Step("token", "token taken, account listed", self._token),
            Step("account", "demo account authorised", self._account, ("token",)),
            Step("soak", "heartbeat soak", self._soak, ("account",), within_s=soak_s + 60),
            Step("throttle", "requests throttled", self._throttle, ("account",)),
            Step("place", "orders placed: one rests, one fills", self._place, ("account",), within_s=90),
            Step("modify", "both modified", self._modify, ("place",)),
            Step("cancel", "order cancelled, position closed", self._cancel, ("place",), within_s=90),
            Step("audit", "audit written", self._audit, ("cancel",)),
        )

    async def clear(self) -> None:
        """See `Phase.clear`."""
        await self._demo.clearing.clear()

    async def _token(self) -> str:
        return await check_token(self._demo)

    async def _account(self) -> str:
        return await check_account(self._demo)

    async def _soak(self) -> str:
        return await soak([self._demo], self._stage.pace.soak_s)

    async def _throttle(self) -> str:
        return await burst(self._demo, self._stage.pace.burst)

    async def _place(self) -> str:
        demo = self._demo
        resting = self._resting = await demo.rest(stop_loss_pips=_PIPS, take_profit_pips=_PIPS)
        bought = self._bought = await demo.buy(volume_cents=await self._two_parts())
        return (
            f"order {resting.order_id} rests at {resting.record.requested_price}; order {bought.order_id} filled at "
            f"{bought.average_price}: position {bought.position_id}, stop loss {bought.record.protection.stop_loss}; "
            "the server lists both, and the deal"
        )

    async def _two_parts(self) -> int:
        """A volume that can be closed in two parts, where the limits allow that much."""
        symbol = await self._demo.symbol()
        limits = self._stage.settings.environments[Environment.DEMO].limits
        most = largest_order_cents(limits, symbol)
        twice = 2 * symbol.min_volume_cents
        return twice if most is None or twice <= most else symbol.min_volume_cents

    async def _modify(self) -> str:
        demo, desk = self._demo, self._stage.open_desk
        resting, bought = known(self._resting, _BEFORE), known(self._bought, _BEFORE)
        symbol = await demo.symbol()
        price = rounded(known(resting.record.requested_price, "its price") * 99 / 100, symbol)
        await desk.amend(Environment.DEMO, OrderAmendment(known(resting.order_id, "its number"), price=price))
        order = await demo.working(resting.order_id)
        if order is None:
            raise StepFailed(f"order {resting.order_id} is gone from the server's list after its amendment")
        demo.check("amended price", units.price_from_double(order.limitPrice), price)
        if not order.relativeStopLoss and not order.stopLoss:
            raise StepFailed(f"order {resting.order_id} lost its stop loss with the amendment of its price")
        stop_loss = await self._tighter(bought)
        await desk.amend(
            Environment.DEMO, PositionAmendment(known(bought.position_id, "its number"), stop_loss=stop_loss)
        )
        position = await demo.position(bought.position_id)
        if position is None:
            raise StepFailed(f"position {bought.position_id} is gone from the server's list after its amendment")
        demo.check("amended stop loss", units.price_from_double(position.stopLoss), stop_loss)
        return f"the server lists order {resting.order_id} at {price}, position {bought.position_id} with {stop_loss}"

    async def _tighter(self, bought: Order) -> Decimal:
        position = await self._demo.position(bought.position_id)
        if position is None or not position.stopLoss:
            raise StepFailed(f"position {bought.position_id} has no stop loss at the server")
        symbol = await self._demo.symbol()
        return rounded(units.price_from_double(position.stopLoss) + 10 * symbol.pip, symbol)

    async def _cancel(self) -> str:
        demo, desk = self._demo, self._stage.open_desk
        resting, bought = known(self._resting, _BEFORE), known(self._bought, _BEFORE)
        await desk.cancel(Environment.DEMO, known(resting.order_id, "its number"))
        if await demo.working(resting.order_id) is not None:
            raise StepFailed(f"order {resting.order_id} is cancelled, and the server still lists it")
        demo.check("state of the cancelled order", resting.state.value, "cancelled")
        symbol, position_id = await demo.symbol(), known(bought.position_id, "its number")
        closes = []
        if bought.record.volume_cents > symbol.min_volume_cents:
            closes.append(await demo.close(position_id, volume_cents=symbol.min_volume_cents))
        closes.append(await demo.close(position_id))
        await demo.clearing.check_clear()
        booked = sum(close.realised.net for close in closes if close.realised is not None)
        return (
            f"order {resting.order_id} and position {position_id} are gone from the server's list; closed in "
            f"{len(closes)} parts, which booked {booked}"
        )

    async def _audit(self) -> str:
        evidence = await Evidence.collect(self._stage)
        for order in self._stage.orders:
            evidence.check_order(order)
        resting = known(self._resting, _BEFORE)
        bought = known(self._bought, _BEFORE)
        evidence.check_change(Environment.DEMO, "amend", order_id=resting.order_id)
        evidence.check_change(Environment.DEMO, "amend", position_id=bought.position_id)
        evidence.check_change(Environment.DEMO, "cancel", order_id=resting.order_id)
        return f"{len(self._stage.orders)} orders and 3 changes from intent to end; {evidence.summary()}"
