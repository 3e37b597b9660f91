"""What this exchange lists: real symbols with their digits, lot sizes and commissions (docs/protocol.md section 9)."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from ..wire import messages as oa
from .symbols import Archived, Asset, AssetClass, Category, Recorded, Seeded, Symbol, Tier

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ARCHIVED", "ASSETS", "ASSET_CLASSES", "CATEGORIES", "SYMBOLS", "TIERS"]

_Weekday = oa.ProtoOADayOfWeek
_Commission = oa.ProtoOACommissionType

ASSETS: tuple[Asset, ...] = (
    Asset(1, "EUR", "Euro", 2),
    Asset(2, "GBP", "British Pound", 2),
    Asset(3, "JPY", "Japanese Yen", 0),
    Asset(15, "USD", "US Dollar", 2),
    Asset(40, "XAU", "Gold", 2),
    Asset(41, "BTC", "Bitcoin", 5),
    Asset(100, "US500", "US 500 Index", 2),
    Asset(101, "DE40", "Germany 40 Index", 2),
)

ASSET_CLASSES: tuple[AssetClass, ...] = (
    AssetClass(1, "Forex"),
    AssetClass(2, "Metals"),
    AssetClass(3, "Indices"),
    AssetClass(4, "Crypto"),
)

CATEGORIES: tuple[Category, ...] = (
    Category(1, 1, "Forex Majors"),
    Category(2, 2, "Spot Metals"),
    Category(3, 3, "Indices"),
    Category(4, 4, "Crypto Currencies"),
)

TIERS: Mapping[int, tuple[Tier, ...]] = MappingProxyType(
    {
        1: (Tier(500_000_000, 50_000), Tier(2_000_000_000, 20_000), Tier(10_000_000_000, 10_000)),
        2: (Tier(100_000_000, 20_000), Tier(1_000_000_000, 10_000), Tier(5_000_000_000, 5_000)),
        3: (Tier(200_000_000, 10_000), Tier(1_000_000_000, 5_000)),
        4: (Tier(10_000_000_000, 333),),
    }
)

ARCHIVED: tuple[Archived, ...] = (Archived(900, "EURRUB", 1_646_092_800_000, "Euro vs Russian Rouble"),)

SYMBOLS: tuple[Symbol, ...] = (
    Symbol(
        symbol_id=1,
        name="EURUSD",
        base="EUR",
        quote="USD",
        category_id=1,
        description="Euro vs US Dollar",
        digits=5,
        pip_position=4,
        lot_size=10_000_000,
        min_volume=100_000,
        step_volume=100_000,
        max_volume=10_000_000_000,
        commission_rate=250_000_000,
        swap_long=-6.9,
        swap_short=2.4,
        spread_points=6,
        prices=Recorded(),
    ),
    Symbol(
        symbol_id=2,
        name="GBPUSD",
        base="GBP",
        quote="USD",
        category_id=1,
        description="British Pound vs US Dollar",
        digits=5,
        pip_position=4,
        lot_size=10_000_000,
        min_volume=100_000,
        step_volume=100_000,
        max_volume=10_000_000_000,
        commission_rate=250_000_000,
        swap_long=-3.1,
        swap_short=-1.9,
        spread_points=9,
        prices=Seeded(127_350, 160),
    ),
    Symbol(
        symbol_id=4,
        name="USDJPY",
        base="USD",
        quote="JPY",
        category_id=1,
        description="US Dollar vs Japanese Yen",
        digits=3,
        pip_position=2,
        lot_size=10_000_000,
        min_volume=100_000,
        step_volume=100_000,
        max_volume=10_000_000_000,
        commission_rate=250_000_000,
        swap_long=5.2,
        swap_short=-14.8,
        conversion_fee=70,
        spread_points=8,
        prices=Seeded(149_250, 180),
    ),
    Symbol(
        symbol_id=41,
        name="XAUUSD",
        base="XAU",
        quote="USD",
        category_id=2,
        description="Gold vs US Dollar",
        digits=2,
        pip_position=0,
        lot_size=10_000,
        min_volume=100,
        step_volume=100,
        max_volume=1_000_000,
        commission_rate=3_000_000_000,
        commission_type=_Commission.USD_PER_MILLION_USD,
        swap_long=-0.42,
        swap_short=0.18,
        leverage_id=2,
        spread_points=18,
        prices=Seeded(233_150, 380),
        units="Ounces",
    ),
    Symbol(
        symbol_id=100,
        name="US500",
        base="US500",
        quote="USD",
        category_id=3,
        description="US 500 Index",
        digits=2,
        pip_position=0,
        lot_size=100,
        min_volume=1,
        step_volume=1,
        max_volume=1_000_000,
        swap_long=-6.5,
        swap_short=1.5,
        swap_type=oa.ProtoOASwapCalculationType.PERCENTAGE,
        swap_day_3x=_Weekday.FRIDAY,
        leverage_id=3,
        spread_points=45,
        prices=Seeded(548_720, 900),
        units="Contracts",
    ),
    Symbol(
        symbol_id=279,
        name="DE40",
        base="DE40",
        quote="EUR",
        category_id=3,
        description="Germany 40 Index",
        digits=2,
        pip_position=0,
        lot_size=100,
        min_volume=1,
        step_volume=1,
        max_volume=1_000_000,
        swap_long=-5.8,
        swap_short=0.9,
        swap_type=oa.ProtoOASwapCalculationType.PERCENTAGE,
        swap_day_3x=_Weekday.FRIDAY,
        conversion_fee=70,
        leverage_id=3,
        spread_points=120,
        prices=Seeded(2_549_430, 4_500),
        units="Contracts",
    ),
    Symbol(
        symbol_id=324,
        name="BTCUSD",
        base="BTC",
        quote="USD",
        category_id=4,
        description="Bitcoin vs US Dollar",
        digits=2,
        pip_position=0,
        lot_size=100,
        min_volume=1,
        step_volume=1,
        max_volume=100_000,
        commission_rate=32_500_000_000,
        commission_type=_Commission.USD_PER_MILLION_USD,
        swap_long=-20.0,
        swap_short=-20.0,
        swap_type=oa.ProtoOASwapCalculationType.PERCENTAGE,
        leverage_id=4,
        spread_points=900,
        prices=Seeded(8_528_700, 30_000),
        schedule=((0, 604_800),),
        time_zone="UTC",
        units="Contracts",
    ),
)
