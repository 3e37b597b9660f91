"""Phase C: live trades, once, as little as there is, and the record tells all of it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from anyctrader.session import Environment, LimitExceeded, MarketOrder, Mode, Side
from anyctrader.session.limits import largest_order_cents
from anyctrader.wire import units

from .evidence import Evidence
from .probe import Probe
from .signon import check_account, check_token
from .steps import Step, StepFailed, known

if TYPE_CHECKING:
    from anyctrader.session import Order, Settings

    from .stage import Stage

__all__ = ["PhaseC"]


class PhaseC:
    """Both environments, live with its flag on."""

    letter = "C"
    title = "Live with its flag on: the smallest order, from intent to profit and loss"

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._live = Probe(stage, Environment.LIVE)
        self._bought: Order | None = None
        self._closed: Order | None = None

    def settings(self) -> Settings:
        """See `Phase.settings`."""
        return self._stage.with_live_on()

    def steps(self) -> tuple[Step, ...]:
        """See `Phase.steps`. The owner's word comes first: without it nothing else is tried."""
        return (
            Step("owner", "the account named by its owner", self._owner, within_s=None, permits=True),
            Step("flag", "the flag is on", self._flag, ("owner",)),
            Step("limits", "limits in force", self._limits, ("flag",)),
            Step("smallest", "the smallest order, filled and protected", self._smallest, ("limits",), within_s=90),
            Step("closed", "closed again", self._close, ("smallest",), within_s=90),
            Step("chain", "audit chain from order to position to profit and loss", self._chain, ("closed",)),
        )

    async def clear(self) -> None:
        """See `Phase.clear`."""
        await self._live.clearing.clear()

    async def _owner(self) -> str:
        return await self._stage.check_owner()

    async def _flag(self) -> str:
        desk = self._stage.open_desk
        signed_on = await check_token(self._live)
        account = await check_account(self._live)
        if desk.mode(Environment.LIVE) is not Mode.ON:
            raise StepFailed(f"live is {desk.mode(Environment.LIVE).value}: {desk.why(Environment.LIVE)}")
        return f"{signed_on}; {account}"

    async def _limits(self) -> str:
        live = self._live
        symbol = await live.symbol()
        limits = self._stage.settings.environments[Environment.LIVE].limits
        most = largest_order_cents(limits, symbol)
        if most is None:
            raise StepFailed("there is no limit on the largest order of live")
        heard = live.trading_requests()
        step = symbol.step_volume_cents
        beyond = (most // step + 1) * step
        try:
            await live.place(MarketOrder(symbol.name, Side.BUY, volume_cents=beyond))
        except LimitExceeded as error:
            refusal = str(error)
        else:
            raise StepFailed(f"an order of {symbol.units(beyond)} units was not refused")
        if live.trading_requests() != heard:
            raise StepFailed("the live server got the order that was refused")
        evidence = await Evidence.collect(self._stage)
        evidence.orders.of(Environment.LIVE, fact="refused", error="LimitExceeded").in_order("refused")
        return refusal

    async def _smallest(self) -> str:
        bought = self._bought = await self._live.buy()
        symbol = await self._live.symbol()
        return (
            f"{symbol.units(bought.record.volume_cents)} units at {bought.average_price}, position "
            f"{bought.position_id}, stop loss {bought.record.protection.stop_loss}; the server lists the deal"
        )

    async def _close(self) -> str:
        bought = known(self._bought, "the order")
        before = await self._live.balance()
        closed = self._closed = await self._live.close(known(bought.position_id, "its position"))
        await self._live.clearing.check_clear()
        if closed.realised is None:
            raise StepFailed("the close booked nothing")
        after = await self._live.balance()
        self._live.check("balance", after, before + closed.realised.net)
        return f"at {closed.average_price}; the balance went from {before} to {after}, by {closed.realised.net}"

    async def _chain(self) -> str:
        bought, closed = known(self._bought, "the order"), known(self._closed, "its close")
        evidence = await Evidence.collect(self._stage)
        for order in (bought, closed):
            evidence.check_order(order)
        opened = [evidence.fill_of(Environment.LIVE, fill.deal_id) for fill in bought.fills]
        ended = [evidence.fill_of(Environment.LIVE, fill.deal_id) for fill in closed.fills]
        for line in (*opened, *ended):
            self._live.check("position of the fill on record", line["position_id"], bought.position_id)
        on_record = sum((Decimal(line["net"]) for line in ended), Decimal(0))
        told = sum((_net(deal) for deal in await self._live.deals(closed.order_id)), Decimal(0))
        self._live.check("profit and loss on record", on_record, told)
        return (
            f"intent, sent, {len(opened)} fill of order {bought.order_id}, position {bought.position_id}, "
            f"{len(ended)} fill of its close, {on_record} booked as the server says; chains intact"
        )


def _net(deal: object) -> Decimal:
    detail = deal.closePositionDetail  # type: ignore[attr-defined]  # a ProtoOADeal, whose class is made at run time
    digits = units.money_digits_of(detail)
    amount = detail.grossProfit + detail.swap + detail.commission + detail.pnlConversionFee
    return units.money_from_wire(amount, money_digits=digits)
