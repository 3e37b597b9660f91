"""Phase B: live is up beside demo, can be read, and takes no order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from anyctrader.session import Environment, LiveTradingDisabled, MarketOrder, Mode, Side
from anyctrader.wire import messages as oa

from .beats import soak
from .evidence import Evidence
from .probe import Probe
from .signon import check_account, check_reading, check_token
from .steps import Step, StepFailed, known

if TYPE_CHECKING:
    from anyctrader.session import Settings

    from .stage import Stage

__all__ = ["PhaseB", "check_refused"]

_BEATS: Final = 3  # how many of the longest allowed silences both are watched for


class PhaseB:
    """Both environments, live with its flag off, whatever the settings say."""

    letter = "B"
    title = "Live beside demo: up, readable, and no order leaves"

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._demo = Probe(stage, Environment.DEMO)
        self._live = Probe(stage, Environment.LIVE)

    def settings(self) -> Settings:
        """See `Phase.settings`."""
        for environment in Environment:
            self._stage.account_id(environment)
        settings = self._stage.settings
        live = replace(settings.environments[Environment.LIVE], live_enabled=False, mode=Mode.OFF)
        return replace(settings, environments={**settings.environments, Environment.LIVE: live})

    def steps(self) -> tuple[Step, ...]:
        """See `Phase.steps`."""
        watched_s = _BEATS * self._stage.pace.longest_silence_s
        return (
            Step("live_up", "live up", self._live_up),
            Step("account", "live account authorised", self._account, ("live_up",)),
            Step("beating", "demo and live beat side by side", self._beating, ("account",), within_s=watched_s + 30),
            Step("reading", "read-only queries work", self._reading, ("account",)),
            Step("refused", "an order is refused", self._refused, ("account",)),
            Step("apart", "demo trades on meanwhile, and none of it shows on live", self._apart, ("account",)),
        )

    async def clear(self) -> None:
        """See `Phase.clear`: only demo can have anything."""
        await self._demo.clearing.clear()

    async def _live_up(self) -> str:
        return await check_token(self._live)

    async def _account(self) -> str:
        return await check_account(self._live)

    async def _beating(self) -> str:
        return await soak([self._demo, self._live], _BEATS * self._stage.pace.longest_silence_s)

    async def _reading(self) -> str:
        return await check_reading(self._live)

    async def _refused(self) -> str:
        return await check_refused(self._live)

    async def _apart(self) -> str:
        live_link = self._live.session.link
        heard = self._live.trading_requests()
        order = await self._demo.rest()
        await self._stage.open_desk.cancel(Environment.DEMO, known(order.order_id, "its number"))
        await self._demo.clearing.check_clear()
        if self._live.session.link is not live_link or live_link is None:
            raise StepFailed("live did not stay on the connection that it had")
        if any(each.clientOrderId == order.client_order_id for each in (await self._live.reconcile()).order):
            raise StepFailed(f"the demo order {order.order_id} is at the live server")
        if self._live.trading_requests() != heard:
            raise StepFailed("the live server got a trading request")
        return f"demo order {order.order_id} placed and cancelled; live is on the same connection, without any of it"


async def check_refused(live: Probe) -> str:
    """An order for live is refused by us, by the desk and as a raw request; nothing leaves, and both are on record.

    Raises:
        StepFailed: one of that is not so.
    """
    symbol = await live.symbol()
    heard, before = live.trading_requests(), await live.reconcile()
    ticket = MarketOrder(symbol.name, Side.BUY, volume_cents=symbol.min_volume_cents)
    try:
        await live.place(ticket)
    except LiveTradingDisabled as error:
        refusal = str(error)
    else:
        raise StepFailed("the order was not refused")
    raw = oa.ProtoOANewOrderReq(
        symbolId=symbol.id,
        orderType=oa.ProtoOAOrderType.MARKET,
        tradeSide=oa.ProtoOATradeSide.BUY,
        volume=symbol.min_volume_cents,
    )
    try:
        await live.account.request(raw)
    except LiveTradingDisabled:
        pass
    else:
        raise StepFailed("the raw request was not refused")
    if live.trading_requests() != heard:
        raise StepFailed("the live server got a trading request")
    after = await live.reconcile()
    live.check("number of orders", len(after.order), len(before.order))
    live.check("number of positions", len(after.position), len(before.position))
    evidence = await Evidence.collect(live.stage)
    refused = evidence.orders.of(Environment.LIVE, fact="refused", error="LiveTradingDisabled").lines
    if len(refused) < 2:
        raise StepFailed(f"{len(refused)} of the two refusals are on record")
    return f"by the desk and as a raw request: {refusal}"
