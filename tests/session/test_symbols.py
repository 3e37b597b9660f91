from __future__ import annotations

from decimal import Decimal

import pytest

from anyctrader.session.symbols import Symbol
from anyctrader.wire import messages as oa

from .server_words import EURUSD, XAUUSD


def light(**more: object) -> oa.ProtoOALightSymbol:
    return oa.ProtoOALightSymbol(**{"symbolId": 1, "symbolName": "EURUSD", **more})  # type: ignore[arg-type]


def full(**more: object) -> oa.ProtoOASymbol:
    return oa.ProtoOASymbol(**{"symbolId": 1, "digits": 5, "pipPosition": 4, **more})  # type: ignore[arg-type]


def test_a_symbol_is_built_from_its_two_messages() -> None:
    symbol = Symbol.from_wire(
        light(baseAssetId=5, quoteAssetId=6, symbolCategoryId=7, description="Euro vs US Dollar", enabled=True),
        full(
            lotSize=10_000_000,
            minVolume=100_000,
            stepVolume=100_000,
            maxVolume=10_000_000_000,
            maxExposure=50_000_000_000,
            enableShortSelling=True,
            guaranteedStopLoss=False,
            tradingMode=oa.ProtoOATradingMode.CLOSE_ONLY_MODE,
            commissionType=oa.ProtoOACommissionType.USD_PER_LOT,
            preciseTradingCommissionRate=250_000_000,
            measurementUnits="EUR",
        ),
    )
    assert symbol == Symbol(
        id=1,
        name="EURUSD",
        digits=5,
        pip_position=4,
        lot_size_cents=10_000_000,
        min_volume_cents=100_000,
        step_volume_cents=100_000,
        max_volume_cents=10_000_000_000,
        max_exposure_cents=50_000_000_000,
        base_asset_id=5,
        quote_asset_id=6,
        category_id=7,
        description="Euro vs US Dollar",
        enabled=True,
        trading_mode=oa.ProtoOATradingMode.CLOSE_ONLY_MODE,
        short_selling=True,
        guaranteed_stop_loss=False,
        commission_rate=Decimal("2.5"),
        commission_type=oa.ProtoOACommissionType.USD_PER_LOT,
        measurement_units="EUR",
    )


def test_what_the_server_leaves_out_is_not_made_up() -> None:
    symbol = Symbol.from_wire(light(), full())
    assert (symbol.lot_size_cents, symbol.max_volume_cents, symbol.max_exposure_cents) == (None, None, None)
    assert (symbol.min_volume_cents, symbol.step_volume_cents) == (1, 1)
    assert (symbol.base_asset_id, symbol.quote_asset_id, symbol.category_id) == (None, None, None)
    assert (symbol.description, symbol.measurement_units) == (None, None)
    assert (symbol.short_selling, symbol.guaranteed_stop_loss, symbol.commission_rate) == (None, None, None)
    assert symbol.enabled


def test_without_a_lot_size_sizes_in_lots_are_refused() -> None:
    symbol = Symbol.from_wire(light(), full())
    with pytest.raises(ValueError, match="does not say what a lot of EURUSD is: give units"):
        symbol.lots(100)
    with pytest.raises(ValueError, match="does not say what a lot"):
        symbol.volume_cents_from_lots("0.01")


def test_numbers_of_a_newer_server_stay_what_they_are() -> None:
    symbol = Symbol.from_wire(light(), full(tradingMode=9, commissionType=9, preciseTradingCommissionRate=1))
    assert (symbol.trading_mode, symbol.commission_type, symbol.commission_rate) == (9, 9, None)


def test_two_messages_of_different_symbols_are_refused() -> None:
    with pytest.raises(ValueError, match="symbol 2 and symbol 1 are not the same"):
        Symbol.from_wire(light(symbolId=2), full())


@pytest.mark.parametrize(
    ("figure", "value"),
    [("digits", -1), ("digits", 99), ("pipPosition", 99), ("lotSize", 0), ("stepVolume", 0), ("minVolume", -1)],
)
def test_figures_that_cannot_be_are_refused(figure: str, value: int) -> None:
    with pytest.raises(ValueError, match=r"digits|number of decimals|not positive"):
        Symbol.from_wire(light(), full(**{figure: value}))


def test_conversions_follow_the_figures_of_the_symbol() -> None:
    assert (EURUSD.pip, EURUSD.point) == (Decimal("0.0001"), Decimal("0.00001"))
    assert (XAUUSD.pip, XAUUSD.point) == (1, Decimal("0.01"))
    assert EURUSD.lots(100_000) == Decimal("0.01")
    assert XAUUSD.lots(100) == Decimal("0.01")
    assert XAUUSD.units(100) == 1
    assert EURUSD.volume_cents_from_lots("0.01") == 100_000
    assert str(XAUUSD.price_from_wire(193_512_000)) == "1935.12"
    assert str(XAUUSD.price_from_double(1935.1)) == "1935.10"
    assert XAUUSD.double_from_price("1935.12") == 1935.12
    assert str(XAUUSD.rounded(Decimal("1935.126"))) == "1935.13"
    assert EURUSD.pips(Decimal("0.0025")) == 25
    assert EURUSD.points(Decimal("0.0025")) == 250


def test_a_price_with_too_many_decimals_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 2 decimals"):
        XAUUSD.double_from_price("1935.125")
