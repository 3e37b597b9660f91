"""Phase D: what was traded is all on record, and live can be rolled back while demo goes on."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from anyctrader.session import Environment, MarketOrder, Mode, Refused, Side
from anyctrader.session import halt as halts
from anyctrader.wire import units

from .evidence import Evidence
from .phase_b import check_refused
from .probe import Probe
from .signon import check_account, check_reading, check_token
from .steps import Step, StepFailed, known

if TYPE_CHECKING:
    from anyctrader.session import Order, Settings

    from .stage import Stage

__all__ = ["PhaseD"]

_WHY = "rollback drill"


class PhaseD:
    """Both environments, live with its flag on, until the drill takes it back."""

    letter = "D"
    title = "Records of every trade, and a rollback drill"

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._demo = Probe(stage, Environment.DEMO)
        self._live = Probe(stage, Environment.LIVE)
        self._demo_order: Order | None = None
        self._live_order: Order | None = None
        self._halted = False

    def settings(self) -> Settings:
        """See `Phase.settings`."""
        return self._stage.with_live_on()

    def steps(self) -> tuple[Step, ...]:
        """See `Phase.steps`."""
        return (
            Step("owner", "the account named by its owner", self._owner, within_s=None),
            Step("up", "demo and live up, both may trade", self._up, ("owner",)),
            Step("records", "a record for every trade that the servers list", self._records, ("up",)),
            Step("snapshot", "position snapshot", self._snapshot, ("up",), within_s=120),
            Step("costs", "slippage and cost figures", self._costs, ("snapshot",)),
            Step("working", "drill: an order works on each", self._working, ("up",)),
            Step("halt", "drill: live halted", self._halt, ("working",)),
            Step("cancelled", "drill: working orders of live cancelled", self._cancelled, ("halt",)),
            Step("read_only", "drill: live read-only again", self._read_only, ("cancelled",)),
            Step("demo", "drill: demo untouched", self._untouched, ("halt",)),
            Step("on_record", "drill: on record", self._on_record, ("read_only",)),
        )

    async def clear(self) -> None:
        """See `Phase.clear`. What the halt does not let through is taken back first, and the halt stands again."""
        await self._demo.clearing.clear()
        if not self._halted:
            await self._live.clearing.clear()
        elif await self._live.clearing.left_behind():
            desk = self._stage.open_desk
            await desk.resume(Environment.LIVE)
            try:
                await self._live.clearing.clear()
            finally:
                await desk.halt(Environment.LIVE, why=_WHY)

    async def _owner(self) -> str:
        return await self._stage.check_owner()

    async def _up(self) -> str:
        desk, told = self._stage.open_desk, []
        for probe in (self._demo, self._live):
            await check_token(probe)
            told.append(await check_account(probe))
            if desk.mode(probe.environment) is not Mode.ON:
                where = probe.environment
                raise StepFailed(f"{where.value} is {desk.mode(where).value}: {desk.why(where)}")
        return "; ".join(told)

    async def _records(self) -> str:
        evidence = await Evidence.collect(self._stage)
        told = []
        for probe in (self._demo, self._live):
            deals = await probe.own_deals()
            if not deals:
                raise StepFailed(f"{probe.environment.value} lists no trade of the phases before")
            for deal in deals:
                line = evidence.fill_of(probe.environment, deal.dealId)
                probe.check(f"volume of deal {deal.dealId} on record", line["volume_cents"], deal.filledVolume)
                probe.check(
                    f"commission of deal {deal.dealId} on record",
                    Decimal(line["commission"]),
                    units.money_from_wire(deal.commission, money_digits=units.money_digits_of(deal)),
                )
            told.append(f"{len(deals)} deals of {probe.environment.value}")
        return f"{' and '.join(told)} at the servers, each of them in the audit once, with its volume and commission"

    async def _snapshot(self) -> str:
        demo, desk = self._demo, self._stage.open_desk
        order = await demo.buy()
        for environment in Environment:
            desk.snapshot(environment)
        position = await demo.position(order.position_id)
        if position is None:
            raise StepFailed(f"position {order.position_id} is gone from the server's list")
        evidence = await Evidence.collect(self._stage)
        lines = evidence.snapshots.of(Environment.DEMO, id=order.position_id, why="asked").lines
        if not lines:
            raise StepFailed(f"position {order.position_id} is not in position_snapshot.jsonl")
        demo.check("volume on record", lines[-1]["volume_cents"], position.tradeData.volume)
        demo.check("price on record", Decimal(lines[-1]["price"]), units.price_from_double(position.price))
        demo.check("stop loss on record", Decimal(lines[-1]["stop_loss"]), units.price_from_double(position.stopLoss))
        heads = evidence.snapshots.of(Environment.LIVE, why="asked").lines
        if not heads:
            raise StepFailed("live has no line in position_snapshot.jsonl")
        count = heads[-1]["open_positions"]
        self._live.check("open positions of live on record", count, len((await self._live.reconcile()).position))
        await demo.close(known(order.position_id, "its position"))
        return f"position {order.position_id} of demo as the server has it, and live with {count} positions"

    async def _costs(self) -> str:
        evidence = await Evidence.collect(self._stage)
        for order in self._stage.orders:
            evidence.check_order(order)
            if order.fills and order.slippage is None:
                raise StepFailed(f"order {order.order_id} has no slippage: no quote was known when it was placed")
            if order.slippage is not None and order.average_price is not None:
                asked = known(order.record.requested_price or order.record.quoted_price, "the price that it asked for")
                worse = (order.average_price - asked) * order.side.sign
                self._demo.check(f"slippage of order {order.order_id}", order.slippage.price, worse)
        return "; ".join(evidence.costs(environment) for environment in Environment)

    async def _working(self) -> str:
        self._demo_order = await self._demo.rest()
        self._live_order = await self._live.rest()
        return f"order {self._demo_order.order_id} on demo, order {self._live_order.order_id} on live"

    async def _halt(self) -> str:
        desk = self._stage.open_desk
        symbol = await self._live.symbol()
        heard = self._live.trading_requests()
        self._halted = True
        # First what reduces is left: a halt that lets nothing through would keep the working orders working.
        await desk.halt(Environment.LIVE, why=_WHY, mode=Mode.REDUCE_ONLY)
        try:
            await self._live.place(MarketOrder(symbol.name, Side.BUY, volume_cents=symbol.min_volume_cents))
        except Refused as error:
            refusal = str(error)
        else:
            raise StepFailed("an order was not refused")
        if self._live.trading_requests() != heard:
            raise StepFailed("the live server got the order that was refused")
        return refusal

    async def _cancelled(self) -> str:
        ours = await self._live.clearing.left_behind()
        if not ours:
            raise StepFailed("live lists no working order, and there was one")
        await self._live.clearing.clear()
        await self._live.clearing.check_clear()
        return f"{', '.join(ours)}: no more at the server"

    async def _read_only(self) -> str:
        desk = self._stage.open_desk
        await desk.halt(Environment.LIVE, why=_WHY)
        if desk.mode(Environment.LIVE) is not Mode.OFF:
            raise StepFailed(f"live is {desk.mode(Environment.LIVE).value}: {desk.why(Environment.LIVE)}")
        refusal = await check_refused(self._live)
        return f"{await check_reading(self._live)}; an order is refused {refusal}"

    async def _untouched(self) -> str:
        order, desk = known(self._demo_order, "the order of demo"), self._stage.open_desk
        if desk.mode(Environment.DEMO) is not Mode.ON:
            raise StepFailed(f"demo is {desk.mode(Environment.DEMO).value}: {desk.why(Environment.DEMO)}")
        found = await self._demo.working(order.order_id)
        if found is None:
            raise StepFailed(f"order {order.order_id} of demo is gone")
        self._demo.check("its price", units.price_from_double(found.limitPrice), order.record.requested_price)
        another = await self._demo.rest()
        await self._demo.clearing.clear()
        await self._demo.clearing.check_clear()
        return f"order {order.order_id} works on, order {another.order_id} was placed; both cancelled"

    async def _on_record(self) -> str:
        desk, folder = self._stage.open_desk, self._stage.settings.log_folder
        live_order = known(self._live_order, "the order of live")
        evidence = await Evidence.collect(self._stage)
        modes = [line["mode"] for line in evidence.orders.of(Environment.LIVE, fact="halt", reason=_WHY).lines]
        self._live.check("halts on record", modes, ["reduce_only", "off"])
        if evidence.orders.of(Environment.DEMO, fact="halt").lines:
            raise StepFailed("demo has a halt on record")
        evidence.check_order(live_order)
        evidence.check_change(Environment.LIVE, "cancel", order_id=live_order.order_id)
        if self._stage.sandbox is None:
            return f"{evidence.summary()}; live stays halted: `anyctrader resume live` lifts it"
        await desk.resume(Environment.LIVE)
        self._halted = False
        if halts.read(folder, Environment.LIVE) is not None or desk.mode(Environment.LIVE) is not Mode.ON:
            raise StepFailed("the halt was not lifted")
        evidence = await Evidence.collect(self._stage)
        evidence.orders.of(Environment.LIVE).in_order("halt", "resume")
        return f"{evidence.summary()}; the halt of the sandbox is lifted again"
