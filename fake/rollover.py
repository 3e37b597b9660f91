"""Swaps: what a position costs or earns over night (docs/protocol.md sections 9 and 10.1)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..wire import messages as oa
from . import money
from .periods import DAY_MS, MINUTE_MS
from .pushes import Cause
from .variants import SwapNotice

if TYPE_CHECKING:
    from .accounts import Account
    from .book import Position
    from .floor import Floor
    from .symbols import Symbol

__all__ = ["Rollover"]

_Type = oa.ProtoOASwapCalculationType
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday; Monday is 0


class Rollover:
    """Books swaps at each symbol's `swapTime`.

    Args:
        floor: where.
    """

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        for symbol in floor.market.symbols.values():
            self._plan(symbol.symbol_id, symbol.swap_minute)

    def _plan(self, symbol_id: int, minute: int) -> None:
        now_ms = self._floor.now_ms
        due_ms = now_ms - now_ms % DAY_MS + minute * MINUTE_MS
        if due_ms <= now_ms:
            due_ms += DAY_MS
        self._floor.timeline.at(due_ms, partial(self._book_all, symbol_id))

    def _book_all(self, symbol_id: int) -> None:
        floor = self._floor
        symbol = floor.market.symbols[symbol_id]
        weekday = (floor.now_ms // DAY_MS + _EPOCH_WEEKDAY) % 7 + 1
        # Weekends are charged on the day that counts three times.
        nights = 0 if weekday > 5 else 3 if weekday == symbol.swap_day_3x else 1
        for account in floor.accounts.values():
            if nights and not account.settings.swap_free:
                for position in list(account.positions.values()):
                    if position.symbol.symbol_id == symbol_id:
                        self._book(account, position, symbol, nights)
        self._plan(symbol_id, symbol.swap_minute)

    def _book(self, account: Account, position: Position, symbol: Symbol, nights: int) -> None:
        floor = self._floor
        price = floor.market.prices[symbol.symbol_id]
        amount = _swap(
            symbol,
            position,
            nights=nights,
            price=price.bid if position.is_buy else price.ask,
            rate=floor.to_deposit(account, symbol.quote),
            unit=account.unit,
        )
        booked = money.charge(*amount, floor.settings.variants.fee_rounding)
        if not booked:
            return
        account.count(position, -1)
        position.swap += booked
        account.count(position, 1)
        if floor.settings.variants.swap_notice is SwapNotice.PER_POSITION:
            floor.execution(account, oa.ProtoOAExecutionType.SWAP, Cause.SERVER, by_server=True, position=position)


def _swap(
    symbol: Symbol, position: Position, *, nights: int, price: int, rate: money.Rate, unit: int
) -> tuple[int, int]:
    """The swap of a position for some nights as a fraction, in the account's smallest unit.

    `swapLong` and `swapShort` have at most six decimals.
    """
    millionths = round((symbol.swap_long if position.is_buy else symbol.swap_short) * 1_000_000)
    numerator = millionths * nights * position.volume * unit * rate[0]
    denominator = 1_000_000 * 100 * rate[1]
    if symbol.swap_type == _Type.PERCENTAGE:
        return numerator * price, denominator * 100_000 * 100 * 360
    decimals = symbol.pip_position if symbol.swap_type == _Type.PIPS else symbol.digits
    return numerator, denominator * 10**decimals
