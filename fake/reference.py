"""Answers about what is traded: assets, symbols, leverage (docs/protocol.md section 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import messages as oa
from .denials import invalid
from .variants import UnknownInList

if TYPE_CHECKING:
    from .accounts import Account
    from .floor import Floor
    from .symbols import Symbol

__all__ = ["Reference"]


class Reference:
    """Reads the exchange's lists.

    Args:
        floor: where.
    """

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._asset_ids = {asset.name: asset.asset_id for asset in floor.settings.assets}
        self._asset_names = {number: name for name, number in self._asset_ids.items()}

    def assets(self, account: Account, req: oa.ProtoOAAssetListReq) -> oa.ProtoOAAssetListRes:
        """All assets."""
        return oa.ProtoOAAssetListRes(
            ctidTraderAccountId=account.account_id,
            asset=[
                oa.ProtoOAAsset(
                    assetId=asset.asset_id,
                    name=asset.name,
                    displayName=asset.display_name,
                    digits=asset.digits,
                )
                for asset in self._floor.settings.assets
            ],
        )

    def asset_classes(self, account: Account, req: oa.ProtoOAAssetClassListReq) -> oa.ProtoOAAssetClassListRes:
        """All asset classes."""
        return oa.ProtoOAAssetClassListRes(
            ctidTraderAccountId=account.account_id,
            assetClass=[
                oa.ProtoOAAssetClass(id=one.class_id, name=one.name, sortingNumber=float(number))
                for number, one in enumerate(self._floor.settings.asset_classes, 1)
            ],
        )

    def categories(self, account: Account, req: oa.ProtoOASymbolCategoryListReq) -> oa.ProtoOASymbolCategoryListRes:
        """All symbol categories."""
        return oa.ProtoOASymbolCategoryListRes(
            ctidTraderAccountId=account.account_id,
            symbolCategory=[
                oa.ProtoOASymbolCategory(
                    id=one.category_id, assetClassId=one.class_id, name=one.name, sortingNumber=float(number)
                )
                for number, one in enumerate(self._floor.settings.categories, 1)
            ],
        )

    def symbols(self, account: Account, req: oa.ProtoOASymbolsListReq) -> oa.ProtoOASymbolsListRes:
        """All symbols, light."""
        return oa.ProtoOASymbolsListRes(
            ctidTraderAccountId=account.account_id,
            symbol=[self._light(symbol) for symbol in self._floor.market.symbols.values()],
            archivedSymbol=self._archived() if req.includeArchivedSymbols else (),
        )

    def symbols_by_id(self, account: Account, req: oa.ProtoOASymbolByIdReq) -> oa.ProtoOASymbolByIdRes:
        """Symbols in full.

        Raises:
            Denial: SYMBOL_NOT_FOUND for an id that is no symbol's.
        """
        known = self._floor.market.symbols
        wanted = dict.fromkeys(req.symbolId)  # one that is named twice is told once
        archived = {symbol.symbolId: symbol for symbol in self._archived()}
        if self._floor.settings.variants.unknown_in_list is UnknownInList.REFUSED:
            for symbol_id in wanted:
                if symbol_id not in archived:
                    self._floor.symbol(symbol_id)
        return oa.ProtoOASymbolByIdRes(
            ctidTraderAccountId=account.account_id,
            symbol=[_full(known[symbol_id]) for symbol_id in wanted if symbol_id in known],
            archivedSymbol=[archived[symbol_id] for symbol_id in wanted if symbol_id in archived],
        )

    def conversion(self, account: Account, req: oa.ProtoOASymbolsForConversionReq) -> oa.ProtoOASymbolsForConversionRes:
        """The chain of symbols from one asset to another.

        Raises:
            Denial: ENTITY_NOT_FOUND: no such asset, or no way between the two.
        """
        for asset_id in (req.firstAssetId, req.lastAssetId):
            if asset_id not in self._asset_names:
                raise invalid(f"Asset not found with id {asset_id}", code="ENTITY_NOT_FOUND")
        first, last = self._asset_names[req.firstAssetId], self._asset_names[req.lastAssetId]
        chain = self._floor.market.chain(first, last)
        if chain is None:
            raise invalid(f"No symbols lead from {first} to {last}", code="ENTITY_NOT_FOUND")
        return oa.ProtoOASymbolsForConversionRes(
            ctidTraderAccountId=account.account_id,
            symbol=[self._light(self._floor.market.symbols[symbol_id]) for symbol_id, _ in chain],
        )

    def leverage(
        self, account: Account, req: oa.ProtoOAGetDynamicLeverageByIDReq
    ) -> oa.ProtoOAGetDynamicLeverageByIDRes:
        """The tiers of a dynamic leverage.

        Raises:
            Denial: ENTITY_NOT_FOUND.
        """
        tiers = self._floor.settings.tiers.get(req.leverageId)
        if tiers is None:
            raise invalid(f"Leverage not found with id {req.leverageId}", code="ENTITY_NOT_FOUND")
        return oa.ProtoOAGetDynamicLeverageByIDRes(
            ctidTraderAccountId=account.account_id,
            leverage=oa.ProtoOADynamicLeverage(
                leverageId=req.leverageId,
                tiers=[
                    oa.ProtoOADynamicLeverageTier(volume=tier.volume_usd_cents, leverage=tier.leverage_cents)
                    for tier in tiers
                ],
            ),
        )

    def _archived(self) -> list[oa.ProtoOAArchivedSymbol]:
        return [
            oa.ProtoOAArchivedSymbol(
                symbolId=one.symbol_id,
                name=one.name,
                utcLastUpdateTimestamp=one.archived_ms,
                description=one.description,
            )
            for one in self._floor.settings.archived
        ]

    def _light(self, symbol: Symbol) -> oa.ProtoOALightSymbol:
        return oa.ProtoOALightSymbol(
            symbolId=symbol.symbol_id,
            symbolName=symbol.name,
            enabled=True,
            baseAssetId=self._asset_ids[symbol.base],
            quoteAssetId=self._asset_ids[symbol.quote],
            symbolCategoryId=symbol.category_id,
            description=symbol.description,
            sortingNumber=float(symbol.symbol_id),
        )


def _full(symbol: Symbol) -> oa.ProtoOASymbol:
    percentage = symbol.commission_type == oa.ProtoOACommissionType.PERCENTAGE_OF_VALUE
    message = oa.ProtoOASymbol(
        symbolId=symbol.symbol_id,
        digits=symbol.digits,
        pipPosition=symbol.pip_position,
        enableShortSelling=symbol.short_selling,
        guaranteedStopLoss=False,
        swapRollover3Days=symbol.swap_day_3x,
        swapLong=symbol.swap_long,
        swapShort=symbol.swap_short,
        maxVolume=symbol.max_volume,
        minVolume=symbol.min_volume,
        stepVolume=symbol.step_volume,
        schedule=[oa.ProtoOAInterval(startSecond=start, endSecond=end) for start, end in symbol.schedule],
        # The two older fields have two decimals fewer than the precise ones had before they were made precise.
        commission=symbol.commission_rate // (10**3 if percentage else 10**6),
        commissionType=symbol.commission_type,
        slDistance=symbol.stop_distance_points,
        tpDistance=symbol.stop_distance_points,
        gslDistance=0,
        gslCharge=0,
        distanceSetIn=oa.ProtoOASymbolDistanceType.SYMBOL_DISTANCE_IN_POINTS,
        minCommission=symbol.min_commission // 10**6,
        minCommissionType=oa.ProtoOAMinCommissionType.CURRENCY,
        minCommissionAsset="USD",
        rolloverCommission=0,
        skipRolloverDays=0,
        scheduleTimeZone=symbol.time_zone,
        tradingMode=symbol.trading_mode,
        rolloverCommission3Days=symbol.swap_day_3x,
        swapCalculationType=symbol.swap_type,
        lotSize=symbol.lot_size,
        preciseTradingCommissionRate=symbol.commission_rate,
        preciseMinCommission=symbol.min_commission,
        pnlConversionFeeRate=symbol.conversion_fee,
        leverageId=symbol.leverage_id,
        swapPeriod=24,
        swapTime=symbol.swap_minute,
        skipSWAPPeriods=0,
        chargeSwapAtWeekends=False,
        holiday=[
            oa.ProtoOAHoliday(
                holidayId=holiday.holiday_id,
                name=holiday.name,
                scheduleTimeZone=symbol.time_zone,
                holidayDate=holiday.day,
                isRecurring=holiday.recurring,
                startSecond=holiday.start_s,
                endSecond=holiday.end_s,
            )
            for holiday in symbol.holidays
        ],
    )
    if symbol.max_exposure is not None:
        message.maxExposure = symbol.max_exposure
    if symbol.units is not None:
        message.measurementUnits = symbol.units
    return message
