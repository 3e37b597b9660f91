"""What a fill does to a position and to the balance (the money rules of docs/protocol.md section 10.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import messages as oa
from . import money
from .money import Rates

if TYPE_CHECKING:
    from .accounts import Account
    from .book import Order, Position
    from .floor import Floor
    from .money import Rate
    from .symbols import Symbol

__all__ = ["margin_of", "opening_cost", "rates_of", "settle_closing", "settle_opening"]

_Status = oa.ProtoOAPositionStatus
_Deal = oa.ProtoOADealStatus
_SCALE = 100_000


def rates_of(floor: Floor, account: Account, symbol: Symbol, *, buy: bool) -> Rates:
    """The rates for a trade of a symbol now."""
    rate = floor.market.rate
    deposit = account.settings.deposit_asset
    base_to_usd = rate(symbol.base, "USD", buying=buy)
    return Rates(
        base_to_usd,
        base_to_usd if deposit == "USD" else rate(symbol.base, deposit, buying=buy),
        rate(symbol.quote, deposit),
        rate("USD", deposit),
    )


def margin_of(floor: Floor, account: Account, symbol: Symbol, volume: int, *, buy: bool, rates: Rates) -> int:
    """Margin that `volume` would take on top of what the account holds on that side."""
    return money.tiered_margin(
        account.held(symbol.symbol_id, buy=buy),
        volume,
        leverage_cents=account.settings.leverage_cents,
        tiers=floor.settings.tiers[symbol.leverage_id],
        rates=rates,
        unit=account.unit,
    )


def _commission(floor: Floor, account: Account, symbol: Symbol, volume: int, price: int, rates: Rates) -> int:
    rounding = floor.settings.variants.fee_rounding
    return money.commission(symbol, volume, price, rates=rates, unit=account.unit, rounding=rounding)


def opening_cost(floor: Floor, account: Account, order: Order, volume: int) -> int:
    """What the account must have free to open `volume`: margin and commission."""
    symbol, buy = order.symbol, order.is_buy
    price = floor.market.prices[symbol.symbol_id]
    rates = rates_of(floor, account, symbol, buy=buy)
    margin = margin_of(floor, account, symbol, volume, buy=buy, rates=rates)
    return margin - _commission(floor, account, symbol, volume, price.ask if buy else price.bid, rates)


def _double(rate: Rate) -> float:
    return rate[0] / rate[1]


def _deal(floor: Floor, account: Account, order: Order, volume: int, price: int, rates: Rates) -> oa.ProtoOADeal:
    symbol = order.symbol
    return oa.ProtoOADeal(
        dealId=floor.numbers.next_deal(),
        orderId=order.order_id,
        positionId=order.position.position_id,
        volume=order.rest,
        filledVolume=volume,
        symbolId=symbol.symbol_id,
        createTimestamp=order.created_ms if order.triggered_ms is None else order.triggered_ms,
        executionTimestamp=floor.now_ms,
        utcLastUpdateTimestamp=floor.now_ms,
        executionPrice=price / _SCALE,
        tradeSide=order.side,
        dealStatus=_Deal.FILLED if volume == order.rest else _Deal.PARTIALLY_FILLED,
        marginRate=_double(rates.base_to_deposit),
        commission=_commission(floor, account, symbol, volume, price, rates),
        baseToUsdConversionRate=_double(rates.base_to_usd),
        moneyDigits=account.settings.money_digits,
    )


def settle_opening(floor: Floor, account: Account, order: Order, volume: int, price: int) -> oa.ProtoOADeal:
    """Put `volume` at `price` (x 100,000) into the order's position. The balance does not move at opening.

    Returns:
        The deal; the order itself is not touched.
    """
    position, symbol = order.position, order.symbol
    rates = rates_of(floor, account, symbol, buy=order.is_buy)
    deal = _deal(floor, account, order, volume, price, rates)
    margin = margin_of(floor, account, symbol, volume, buy=order.is_buy, rates=rates)
    if position.volume:
        account.count(position, -1)
    position.entry = money.mean_entry(position.entry, position.volume, price, volume)
    position.volume += volume
    position.commission += deal.commission
    position.used_margin += margin
    position.margin_rate = deal.marginRate
    position.status = _Status.POSITION_STATUS_OPEN
    if position.opened_ms is None:
        position.opened_ms = floor.now_ms
    position.updated_ms = floor.now_ms
    account.positions[position.position_id] = position
    account.count(position, 1)
    account.file_opening(deal)
    return deal


def settle_closing(floor: Floor, account: Account, order: Order, volume: int, price: int) -> oa.ProtoOADeal:
    """Take `volume` at `price` (x 100,000) out of the order's position and book the result.

    Swap and opening commission go with the volume, in proportion; the entry price stays.

    Returns:
        The deal, with the balance after it. A position that is empty now is no longer among the account's;
        its status is still to be set.
    """
    position, symbol = order.position, order.symbol
    rates = rates_of(floor, account, symbol, buy=order.is_buy)
    deal = _deal(floor, account, order, volume, price, rates)
    rate = rates.quote_to_deposit
    gross = money.gross_profit(volume, position.entry, price, buy=position.is_buy, rate=rate, unit=account.unit)
    fee = 0
    if symbol.quote != account.settings.deposit_asset and symbol.conversion_fee:
        rounding = floor.settings.variants.fee_rounding
        fee = money.charge(-abs(gross) * symbol.conversion_fee, 10_000, rounding)
    left = position.volume - volume
    commission_left = money.share(position.commission, left, position.volume)
    swap_left = money.share(position.swap, left, position.volume)
    commission = position.commission - commission_left + deal.commission
    swap = position.swap - swap_left
    account.book(gross + swap + commission + fee, at_ms=floor.now_ms)
    deal.closePositionDetail.CopyFrom(
        oa.ProtoOAClosePositionDetail(
            entryPrice=position.price,
            grossProfit=gross,
            swap=swap,
            commission=commission,
            balance=account.balance,
            quoteToDepositConversionRate=_double(rate),
            closedVolume=volume,
            balanceVersion=account.balance_version,
            moneyDigits=account.settings.money_digits,
            pnlConversionFee=fee,
        )
    )
    _take_out(account, position, left, commission_left, swap_left)
    position.updated_ms = floor.now_ms
    account.file_closing(deal)
    return deal


def _take_out(account: Account, position: Position, left: int, commission: int, swap: int) -> None:
    account.count(position, -1)
    if left:
        position.used_margin = money.share(position.used_margin, left, position.volume)
        position.commission, position.swap, position.volume = commission, swap, left
        account.count(position, 1)
    else:
        position.empty()
        del account.positions[position.position_id]
