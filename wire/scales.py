"""What the numbers of the schema count: which are prices, volumes, money or times, and in which scale.

The comments of the published files say it for people (`proto/*.proto`); this is the same for programs that show
numbers to people. A field that is not here is an identifier, a plain count, or of a scale that is not published.
"""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SCALES", "Scale"]


class Scale(enum.Enum):
    """What a number counts (docs/protocol.md section 8)."""

    POINTS = "1/100000 of a price"
    DISTANCE = "1/100000 of a price, as a distance"
    ABOVE_LOW = "1/100000 of a price above the bar's low"
    PRICE = "a price"
    SLIPPAGE = "points of the symbol"
    VOLUME = "hundredths of a unit"
    TICKS = "ticks"
    MONEY = "money of moneyDigits digits"
    MS = "ms since the epoch"
    END = "ms or s since the epoch, by its size"
    MINUTES = "minutes since the epoch"
    DAYS = "days since the epoch"
    SECONDS = "seconds"
    OF_WEEK = "seconds since Sunday 00:00"
    OF_DAY = "seconds since 00:00"
    HOURS = "hours"
    MINUTES_OF_DAY = "minutes since 00:00 UTC"
    LEVERAGE = "hundredths of the leverage"
    COMMISSION = "a rate whose scale the commission type tells"
    LEAST_COMMISSION = "1/10^8"
    CONVERSION_FEE = "hundredths of a per cent"
    SYMBOL = "a symbol's id"


_POINTS = "ProtoOASpotEvent.bid .ask .sessionClose ProtoOATrendbar.low ProtoOATickData.tick ProtoOADepthQuote.bid .ask"
_PRICE = """
    ProtoOAPosition.price .stopLoss .takeProfit
    ProtoOAOrder.executionPrice .baseSlippagePrice .limitPrice .stopPrice .stopLoss .takeProfit
    ProtoOADeal.executionPrice ProtoOADealOffset.executionPrice ProtoOAClosePositionDetail.entryPrice
    ProtoOANewOrderReq.limitPrice .stopPrice .stopLoss .takeProfit .baseSlippagePrice
    ProtoOAAmendOrderReq.limitPrice .stopPrice .stopLoss .takeProfit
    ProtoOAAmendPositionSLTPReq.stopLoss .takeProfit ProtoOATrailingSLChangedEvent.stopPrice
"""
_VOLUME = """
    ProtoOASymbol.maxVolume .minVolume .stepVolume .maxExposure .lotSize
    ProtoOATradeData.volume ProtoOAOrder.executedVolume ProtoOADeal.volume .filledVolume ProtoOADealOffset.volume
    ProtoOAClosePositionDetail.closedVolume ProtoOAExpectedMargin.volume ProtoOADepthQuote.size
    ProtoOANewOrderReq.volume ProtoOAAmendOrderReq.volume ProtoOAClosePositionReq.volume
    ProtoOAExpectedMarginReq.volume
"""
_MONEY = """
    ProtoOATrader.balance .managerBonus .ibBonus .nonWithdrawableBonus
    ProtoOAPosition.swap .commission .mirroringCommission .usedMargin
    ProtoOABonusDepositWithdraw.managerBonus .managerDelta .ibBonus .ibDelta
    ProtoOADepositWithdraw.balance .delta .equity ProtoOADeal.commission
    ProtoOAClosePositionDetail.grossProfit .swap .commission .balance .pnlConversionFee
    ProtoOAExpectedMargin.buyMargin .sellMargin ProtoOAMarginChangedEvent.usedMargin
    ProtoOAPositionUnrealizedPnL.grossUnrealizedPnL .netUnrealizedPnL
"""
_MS = """
    ProtoOAArchivedSymbol.utcLastUpdateTimestamp ProtoOATrader.registrationTimestamp
    ProtoOAPosition.utcLastUpdateTimestamp ProtoOATradeData.openTimestamp .closeTimestamp
    ProtoOAOrder.expirationTimestamp .utcLastUpdateTimestamp
    ProtoOABonusDepositWithdraw.changeBonusTimestamp ProtoOADepositWithdraw.changeBalanceTimestamp
    ProtoOADeal.createTimestamp .executionTimestamp .utcLastUpdateTimestamp ProtoOADealOffset.executionTimestamp
    ProtoOATickData.timestamp ProtoOACtidTraderAccount.lastClosingDealTimestamp .lastBalanceUpdateTimestamp
    ProtoOAMarginCall.utcLastUpdateTimestamp
    ProtoOANewOrderReq.expirationTimestamp ProtoOAAmendOrderReq.expirationTimestamp
    ProtoOATrailingSLChangedEvent.utcLastUpdateTimestamp ProtoOASpotEvent.timestamp
    ProtoOADealListReq.fromTimestamp .toTimestamp ProtoOAOrderListReq.fromTimestamp .toTimestamp
    ProtoOACashFlowHistoryListReq.fromTimestamp .toTimestamp
    ProtoOAGetTrendbarsReq.fromTimestamp .toTimestamp ProtoOAGetTrendbarsRes.timestamp
    ProtoOAGetTickDataReq.fromTimestamp .toTimestamp
    ProtoOADealListByPositionIdReq.fromTimestamp .toTimestamp
    ProtoOAOrderListByPositionIdReq.fromTimestamp .toTimestamp
"""
_DISTANCE = """
    ProtoOAOrder.relativeStopLoss .relativeTakeProfit ProtoOANewOrderReq.relativeStopLoss .relativeTakeProfit
    ProtoOAAmendOrderReq.relativeStopLoss .relativeTakeProfit
"""
_SYMBOL = """
    ProtoOASymbol.symbolId ProtoOALightSymbol.symbolId ProtoOAArchivedSymbol.symbolId ProtoOATradeData.symbolId
    ProtoOADeal.symbolId ProtoOANewOrderReq.symbolId ProtoOASymbolByIdReq.symbolId ProtoOASymbolChangedEvent.symbolId
    ProtoOAExpectedMarginReq.symbolId ProtoOASubscribeSpotsReq.symbolId ProtoOAUnsubscribeSpotsReq.symbolId
    ProtoOASpotEvent.symbolId ProtoOASubscribeLiveTrendbarReq.symbolId ProtoOAUnsubscribeLiveTrendbarReq.symbolId
    ProtoOAGetTrendbarsReq.symbolId ProtoOAGetTrendbarsRes.symbolId ProtoOAGetTickDataReq.symbolId
    ProtoOADepthEvent.symbolId ProtoOASubscribeDepthQuotesReq.symbolId ProtoOAUnsubscribeDepthQuotesReq.symbolId
"""
_ROWS = (
    (Scale.POINTS, _POINTS),
    (Scale.DISTANCE, _DISTANCE),
    (Scale.ABOVE_LOW, "ProtoOATrendbar.deltaOpen .deltaClose .deltaHigh"),
    (Scale.PRICE, _PRICE),
    (
        Scale.SLIPPAGE,
        "ProtoOAOrder.slippageInPoints ProtoOANewOrderReq.slippageInPoints ProtoOAAmendOrderReq.slippageInPoints",
    ),
    (Scale.VOLUME, _VOLUME),
    (Scale.TICKS, "ProtoOATrendbar.volume"),
    (Scale.MONEY, _MONEY),
    (Scale.MS, _MS),
    (Scale.END, "ProtoErrorRes.maintenanceEndTimestamp ProtoOAErrorRes.maintenanceEndTimestamp"),
    (Scale.MINUTES, "ProtoOATrendbar.utcTimestampInMinutes"),
    (Scale.DAYS, "ProtoOAHoliday.holidayDate"),
    (Scale.SECONDS, "ProtoOAErrorRes.retryAfter ProtoOARefreshTokenRes.expiresIn"),
    (Scale.OF_WEEK, "ProtoOAInterval.startSecond .endSecond"),
    (Scale.OF_DAY, "ProtoOAHoliday.startSecond .endSecond"),
    (Scale.HOURS, "ProtoOASymbol.swapPeriod"),
    (Scale.MINUTES_OF_DAY, "ProtoOASymbol.swapTime"),
    (Scale.LEVERAGE, "ProtoOATrader.leverageInCents"),
    (Scale.COMMISSION, "ProtoOASymbol.preciseTradingCommissionRate"),
    (Scale.LEAST_COMMISSION, "ProtoOASymbol.preciseMinCommission"),
    (Scale.CONVERSION_FEE, "ProtoOASymbol.pnlConversionFeeRate"),
    (Scale.SYMBOL, _SYMBOL),
)


def _scales() -> dict[tuple[str, str], Scale]:
    scales: dict[tuple[str, str], Scale] = {}
    for scale, names in _ROWS:
        message = ""
        for word in names.split():
            owner, _, name = word.partition(".")
            message = owner or message  # `.ask` belongs to the message named before it
            scales[message, name] = scale
    return scales


SCALES: Final[Mapping[tuple[str, str], Scale]] = MappingProxyType(_scales())
"""Message and field to what the field's number counts."""
