"""Assets, symbols, leverage and conversion chains (docs/protocol.md sections 8 and 9)."""

from __future__ import annotations

import pytest

from anyctrader.wire import messages as oa

from .venue import BTCUSD, DE40, EURUSD, US500, USDJPY, XAUUSD, Venue


def test_light_symbols_name_their_assets_and_categories() -> None:
    venue = Venue()
    res = venue.answer(oa.ProtoOASymbolsListReq)
    names = {symbol.symbolId: symbol.symbolName for symbol in res.symbol}
    assert names[EURUSD] == "EURUSD"
    assert names[XAUUSD] == "XAUUSD"
    assets = {asset.assetId: asset.name for asset in venue.answer(oa.ProtoOAAssetListReq).asset}
    assert {assets[symbol.quoteAssetId] for symbol in res.symbol} == {"USD", "JPY", "EUR"}
    categories = {one.id: one.assetClassId for one in venue.answer(oa.ProtoOASymbolCategoryListReq).symbolCategory}
    classes = {one.id for one in venue.answer(oa.ProtoOAAssetClassListReq).assetClass}
    assert all(categories[symbol.symbolCategoryId] in classes for symbol in res.symbol)
    assert not res.archivedSymbol


def test_archived_symbols_come_when_asked_for_and_by_id() -> None:
    venue = Venue()
    (archived,) = venue.answer(oa.ProtoOASymbolsListReq, includeArchivedSymbols=True).archivedSymbol
    res = venue.answer(oa.ProtoOASymbolByIdReq, symbolId=[EURUSD, archived.symbolId])
    assert [symbol.symbolId for symbol in res.symbol] == [EURUSD]
    assert list(res.archivedSymbol) == [archived]


@pytest.mark.parametrize(
    ("symbol_id", "digits", "pip", "lot", "least", "step"),
    [
        (EURUSD, 5, 4, 10_000_000, 100_000, 100_000),
        (USDJPY, 3, 2, 10_000_000, 100_000, 100_000),
        (XAUUSD, 2, 0, 10_000, 100, 100),
        (US500, 2, 0, 100, 1, 1),
        (DE40, 2, 0, 100, 1, 1),
        (BTCUSD, 2, 0, 100, 1, 1),
    ],
)
def test_symbols_have_the_digits_and_sizes_of_real_ones(
    symbol_id: int, digits: int, pip: int, lot: int, least: int, step: int
) -> None:
    (symbol,) = Venue().answer(oa.ProtoOASymbolByIdReq, symbolId=[symbol_id]).symbol
    assert (symbol.digits, symbol.pipPosition, symbol.lotSize) == (digits, pip, lot)
    assert (symbol.minVolume, symbol.stepVolume) == (least, step)


def test_eurusd_is_the_captured_one() -> None:
    (symbol,) = Venue().answer(oa.ProtoOASymbolByIdReq, symbolId=[EURUSD]).symbol
    assert symbol.maxVolume == 10_000_000_000
    assert symbol.preciseTradingCommissionRate == 250_000_000
    assert symbol.commissionType == oa.ProtoOACommissionType.USD_PER_LOT
    assert symbol.swapRollover3Days == oa.ProtoOADayOfWeek.WEDNESDAY
    assert symbol.scheduleTimeZone == "Europe/Moscow"
    assert len(symbol.schedule) == 5
    breaks = [
        after.startSecond - before.endSecond
        for before, after in zip(symbol.schedule, symbol.schedule[1:], strict=False)
    ]
    assert breaks == [600] * 4


def test_yen_has_no_decimals() -> None:
    digits = {asset.name: asset.digits for asset in Venue().answer(oa.ProtoOAAssetListReq).asset}
    assert (digits["JPY"], digits["USD"]) == (0, 2)


@pytest.mark.parametrize(
    ("first", "last", "chain"),
    [("EUR", "USD", ["EURUSD"]), ("DE40", "JPY", ["DE40", "EURUSD", "USDJPY"]), ("USD", "USD", [])],
)
def test_conversion_is_an_ordered_chain(first: str, last: str, chain: list[str]) -> None:
    venue = Venue()
    ids = {asset.name: asset.assetId for asset in venue.answer(oa.ProtoOAAssetListReq).asset}
    res = venue.answer(oa.ProtoOASymbolsForConversionReq, firstAssetId=ids[first], lastAssetId=ids[last])
    assert [symbol.symbolName for symbol in res.symbol] == chain


def test_conversion_of_an_unknown_asset_is_refused() -> None:
    message = Venue().answer(oa.ProtoOASymbolsForConversionReq, firstAssetId=1, lastAssetId=7777)
    assert message.errorCode == "ENTITY_NOT_FOUND"


def test_dynamic_leverage_has_tiers_and_unknown_ones_are_refused() -> None:
    venue = Venue()
    (symbol,) = venue.answer(oa.ProtoOASymbolByIdReq, symbolId=[EURUSD]).symbol
    leverage = venue.answer(oa.ProtoOAGetDynamicLeverageByIDReq, leverageId=symbol.leverageId).leverage
    volumes = [tier.volume for tier in leverage.tiers]
    assert volumes == sorted(volumes)
    assert venue.answer(oa.ProtoOAGetDynamicLeverageByIDReq, leverageId=99).errorCode == "ENTITY_NOT_FOUND"


def test_depth_is_the_whole_book_around_the_quote() -> None:
    venue = Venue()
    book = venue.exchange.depth(EURUSD)
    bids = [quote.bid for quote in book.values() if quote.HasField("bid")]
    asks = [quote.ask for quote in book.values() if quote.HasField("ask")]
    assert (max(bids), min(asks)) == (110_000, 110_010)
    assert all(quote.id == key and quote.size > 0 for key, quote in book.items())
    venue.price(EURUSD, 110_001, 110_010)
    changed = venue.exchange.depth(EURUSD)
    assert {key for key in book if book[key].HasField("ask")} == {
        key for key in changed if changed[key].HasField("ask")
    }
    for key in set(book) & set(changed):
        assert book[key] == changed[key]
