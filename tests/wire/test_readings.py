from __future__ import annotations

from typing import Any

import pytest

from anyctrader.wire import messages as oa
from anyctrader.wire.readings import Place, number_text, reading_of, utc_text
from anyctrader.wire.scales import SCALES, Scale


def read(message: Any, field: str) -> tuple[str, bool]:
    scale = SCALES[type(message).__name__, field]
    return reading_of(scale)(getattr(message, field), Place().within(message))


@pytest.mark.parametrize(
    ("message", "field", "shown", "scaled"),
    [
        (oa.ProtoOASpotEvent(bid=114811), "bid", "1.14811", True),
        (oa.ProtoOAOrder(relativeStopLoss=200), "relativeStopLoss", "0.00200 of price", True),
        (oa.ProtoOATrendbar(low=114809, deltaOpen=5), "deltaOpen", "1.14814 (low + 5)", False),
        (oa.ProtoOATrendbar(deltaOpen=5), "deltaOpen", "low + 0.00005", True),
        (oa.ProtoOATrendbar(volume=58), "volume", "58 ticks", False),
        (oa.ProtoOATrendbar(utcTimestampInMinutes=29829284), "utcTimestampInMinutes", "2026-09-18T18:44:00.000Z", True),
        (oa.ProtoOADeal(executionPrice=1.1), "executionPrice", "1.1", False),
        (oa.ProtoOAOrder(slippageInPoints=3), "slippageInPoints", "3 points", False),
        (oa.ProtoOATradeData(volume=100_000), "volume", "1000.00 units", True),
        (oa.ProtoOATradeData(volume=150, measurementUnits="oz"), "volume", "1.50 oz", True),
        (oa.ProtoOATradeData(volume=150, measurementUnits="\x1b[2J"), "volume", "1.50 units", True),
        (oa.ProtoOATrader(balance=12345), "balance", "123.45 of deposit currency", True),
        (oa.ProtoOATrader(balance=12345, moneyDigits=8), "balance", "0.00012345 of deposit currency", True),
        (oa.ProtoOATrader(balance=12345, moneyDigits=99), "balance", "12345 (no such value)", False),
        (oa.ProtoOATrader(leverageInCents=10000), "leverageInCents", "1:100.00", True),
        (oa.ProtoOADeal(createTimestamp=0), "createTimestamp", "1970-01-01T00:00:00.000Z", True),
        (oa.ProtoOADeal(createTimestamp=2**62), "createTimestamp", f"{2**62} (no such value)", False),
        (oa.ProtoOAErrorRes(maintenanceEndTimestamp=1), "maintenanceEndTimestamp", "1970-01-01T00:00:01.000Z", True),
        (oa.ProtoOAErrorRes(retryAfter=5), "retryAfter", "5 s", False),
        (oa.ProtoOAHoliday(holidayDate=20454), "holidayDate", "2026-01-01", True),
        (oa.ProtoOAHoliday(startSecond=3600), "startSecond", "01:00:00", True),
        (oa.ProtoOAHoliday(startSecond=-1), "startSecond", "-1 (no such value)", False),
        (oa.ProtoOAInterval(startSecond=86_400 + 60), "startSecond", "Monday 00:01:00", True),
        (oa.ProtoOAInterval(endSecond=604_800), "endSecond", "Sunday 00:00:00", True),
        (oa.ProtoOAInterval(endSecond=999_999), "endSecond", "999999 (no such value)", False),
        (oa.ProtoOASymbol(swapPeriod=24), "swapPeriod", "24 h", False),
        (oa.ProtoOASymbol(swapTime=1320), "swapTime", "22:00:00 UTC", True),
        (
            oa.ProtoOASymbol(preciseTradingCommissionRate=250_000_000, commissionType=2),
            "preciseTradingCommissionRate",
            "2.50000000 USD_PER_LOT",
            True,
        ),
        (
            oa.ProtoOASymbol(preciseTradingCommissionRate=5, commissionType=77),
            "preciseTradingCommissionRate",
            "5 (no such value)",
            False,
        ),
        (oa.ProtoOASymbol(preciseMinCommission=150_000_000), "preciseMinCommission", "1.50000000", True),
        (oa.ProtoOASymbol(pnlConversionFeeRate=30), "pnlConversionFeeRate", "0.3000 %", True),
        (oa.ProtoOASymbol(symbolId=1), "symbolId", "1", False),
    ],
)
def test_a_number_is_read_in_the_scale_of_its_field(message: Any, field: str, shown: str, scaled: bool) -> None:
    assert read(message, field) == (shown, scaled)


def test_every_scale_can_be_read() -> None:
    for scale in Scale:
        assert reading_of(scale)(
            1, Place(message=oa.ProtoOATrendbar()) if scale is Scale.ABOVE_LOW else Place(message=oa.ProtoOASymbol())
        )


def test_money_without_digits_of_its_own_has_those_of_the_message_around_it() -> None:
    answer = oa.ProtoOAGetPositionUnrealizedPnLRes(moneyDigits=4)
    part = answer.positionUnrealizedPnL.add(netUnrealizedPnL=12345)
    place = Place().within(answer).of(part).within(part)
    assert reading_of(Scale.MONEY)(part.netUnrealizedPnL, place)[0] == "1.2345 of deposit currency"


def test_ticks_after_the_first_are_read_as_running_sums() -> None:
    answer = oa.ProtoOAGetTickDataRes()
    answer.tickData.add(timestamp=1_700_000_000_000, tick=110_000)
    answer.tickData.add(timestamp=-1500, tick=-3)
    place = Place().within(answer)
    seen = []
    for part in answer.tickData:
        inner = place.of(part).within(part)
        seen.append((reading_of(Scale.MS)(part.timestamp, inner)[0], reading_of(Scale.POINTS)(part.tick, inner)[0]))
    assert seen == [("2023-11-14T22:13:20.000Z", "1.10000"), ("2023-11-14T22:13:18.500Z", "1.09997")]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (1e15, "1000000000000000"),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        (1e300, "1e+300"),
    ],
)
def test_a_double_is_the_decimal_number_that_was_meant(value: float, text: str) -> None:
    assert number_text(value) == text


def test_a_time_is_utc_with_milliseconds() -> None:
    assert utc_text(1_764_201_600_005) == "2025-11-27T00:00:00.005Z"
    with pytest.raises(ValueError, match="years"):
        utc_text(2**62)
