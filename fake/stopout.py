"""Too little margin: margin calls and stop-out (docs/protocol.md sections 10.1 and 13)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import messages as oa
from .orders import closing_order
from .pushes import Cause
from .variants import StopOutMark

if TYPE_CHECKING:
    from .accounts import Account
    from .book import Position
    from .execution import Execution
    from .floor import Floor
    from .orders import Orders

__all__ = ["StopOut", "margin_call"]

# Each threshold is announced at most once per ten minutes.
_QUIET_MS = 600_000


def margin_call(account: Account, kind: int) -> oa.ProtoOAMarginCall:
    """A threshold of an account as it stands now."""
    message = oa.ProtoOAMarginCall(marginCallType=kind, marginLevelThreshold=account.thresholds[kind])
    if kind in account.thresholds_updated_ms:
        message.utcLastUpdateTimestamp = account.thresholds_updated_ms[kind]
    return message


class StopOut:
    """Watches margin levels after each tick, and after whatever happens to accounts that are short of margin.

    Args:
        floor: where.
        orders: their states.
        execution: brings closing orders to their fills.
    """

    def __init__(self, floor: Floor, orders: Orders, execution: Execution) -> None:
        self._floor = floor
        self._orders = orders
        self._execution = execution
        self._short: dict[int, Account] = {}

    def look(self, symbol_id: int) -> None:
        """Look at the accounts that hold a symbol whose price has moved."""
        for account in self._floor.accounts.values():
            if symbol_id in account.exposures:
                self._look_at(account)

    def look_again(self) -> None:
        """Look at the accounts that were at their stop-out level: one closing may not have been enough."""
        for account in list(self._short.values()):
            self._look_at(account)

    def _look_at(self, account: Account) -> None:
        self._short.pop(account.account_id, None)
        used = account.used_margin()
        if not used:
            return
        level = 100 * account.equity(self._floor.market) / used
        if level > max(*account.thresholds.values(), account.settings.stop_out_percent):
            return
        for kind, threshold in account.thresholds.items():
            if level <= threshold:
                self._call(account, kind)
        if level <= account.settings.stop_out_percent:
            self._short[account.account_id] = account
            self._close_one(account)

    def _call(self, account: Account, kind: int) -> None:
        now_ms = self._floor.now_ms
        if now_ms - account.called_ms.get(kind, -_QUIET_MS) < _QUIET_MS:
            return
        account.called_ms[kind] = now_ms
        event = oa.ProtoOAMarginCallTriggerEvent(ctidTraderAccountId=account.account_id)
        event.marginCall.CopyFrom(margin_call(account, kind))
        self._floor.push(account, event, Cause.SERVER)

    def _close_one(self, account: Account) -> None:
        """Close the position that the account's strategy names, unless a closing is under way."""
        floor = self._floor
        open_now = [
            position
            for position in account.positions.values()
            if floor.market.is_open(position.symbol.symbol_id, floor.now_ms)
        ]
        if not open_now or any(position.busy is not None for position in account.positions.values()):
            return
        if account.settings.stop_out_strategy == oa.ProtoOAStopOutStrategy.MOST_MARGIN_USED_FIRST:
            position = max(open_now, key=lambda position: position.used_margin)
        else:
            position = min(open_now, key=self._gain)
        marked = floor.settings.variants.stop_out_mark is not StopOutMark.EVENT_ONLY
        order = closing_order(position, position.volume, origin=None, now_ms=floor.now_ms, stop_out=True)
        order.hides_stop_out = not marked
        self._orders.accept(account, order, Cause.SERVER)
        self._execution.start(account, order)

    def _gain(self, position: Position) -> float:
        """Profit of a position in the account's money, near enough to compare."""
        floor = self._floor
        account = floor.accounts[position.account_id]
        price = floor.market.prices[position.symbol.symbol_id]
        gain = price.bid / 1e5 - position.price if position.is_buy else position.price - price.ask / 1e5
        rate = floor.to_deposit(account, position.symbol.quote)
        return gain * position.volume * rate[0] / rate[1]
