"""What a trading request that was sent by hand came to, for whoever sent it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anyctrader.scripts.progress import waited
from anyctrader.scripts.terminal import remark

if TYPE_CHECKING:
    from anyctrader.session.aftermath import Aftermath

__all__ = ["tell_deals"]


async def tell_deals(aftermath: Aftermath, answer: Any, *, within_s: float) -> None:
    """Of an order that is filled at once: waits for its deals and tells them; they are on record by then.

    Args:
        aftermath: of the request.
        answer: its answer's payload.
        within_s: how long to wait, seconds.
    """
    with waited("waiting for the deals"):
        fills = await aftermath.fills(answer, within_s=within_s)
    for fill in fills or ():
        money = "" if fill.realised is None else f", net {fill.realised.net:f} of deposit currency"
        price = "a price not told" if fill.price is None else f"{fill.price:f}"
        remark(f"deal {fill.deal_id}: {fill.volume_cents / 100:.15g} units at {price}{money}")
    if fills is not None and not aftermath.is_over:
        remark(f"its end was not told within {within_s:g} s: the next start puts on record what it still fills")
