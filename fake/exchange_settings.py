"""The settings of the exchange."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .accounts import AccountSettings
from .bounds import check_bounds
from .listing import ARCHIVED, ASSET_CLASSES, ASSETS, CATEGORIES, SYMBOLS, TIERS
from .market import MarketSettings
from .variants import Variants

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .symbols import Archived, Asset, AssetClass, Category, Symbol, Tier

__all__ = ["Delays", "ExchangeSettings", "Liquidity"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """How long things take, in ms; measured at the real server (docs/protocol.md sections 1 and 18).

    Attributes:
        fill_ms: from ACCEPTED, or from the trigger, to FILLED.
        follow_up_ms: from FILLED to the event of the protective order.
        part_ms: from one partial fill to the next.
        history_lag_ms: until a deal or order shows in the lists (section 12: "history lags").
        settling_ms: after a fill during which levels are refused with POSITION_NOT_FOUND (section 10.3).
    """

    fill_ms: int = 135
    follow_up_ms: int = 19
    part_ms: int = 60
    history_lag_ms: int = 0
    settling_ms: int = 0

    def __post_init__(self) -> None:
        check_bounds(self, *self.__slots__, least=0)

    @classmethod
    def none(cls) -> Delays:
        """Everything happens at once."""
        return cls(fill_ms=0, follow_up_ms=0, part_ms=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Liquidity:
    """How well orders are filled.

    Attributes:
        part_cents: most volume (hundredths of a unit) of one fill; larger orders are filled in parts. None: no limit.
        total_cents: most volume that a market order finds at all; the rest is cancelled. None: no limit.
        slippage_points: market and stop orders are filled up to this much worse than the quote (seeded).
    """

    part_cents: int | None = None
    total_cents: int | None = None
    slippage_points: int = 0

    def __post_init__(self) -> None:
        check_bounds(self, "part_cents", least=1)
        check_bounds(self, "total_cents", "slippage_points", least=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSettings:
    """What the exchange is.

    Attributes:
        seed: of slippage and of the ids that the server writes; prices have `market.seed`.
        accounts: the accounts; by default one of the demo and one of the live environment.
        symbols: what is traded.
        archived: symbols that were traded once.
        assets: what the symbols name.
        asset_classes: groups of categories.
        categories: groups of symbols.
        tiers: dynamic leverage by its id.
        market: how prices move.
        delays: how long things take.
        liquidity: how well orders are filled.
        variants: what is not known for certain.
    """

    seed: int = 1
    accounts: tuple[AccountSettings, ...] = (
        AccountSettings(account_id=1_000_001, trader_login=3_000_001, is_live=False),
        AccountSettings(account_id=1_000_002, trader_login=3_000_002, is_live=True),
    )
    symbols: tuple[Symbol, ...] = SYMBOLS
    archived: tuple[Archived, ...] = ARCHIVED
    assets: tuple[Asset, ...] = ASSETS
    asset_classes: tuple[AssetClass, ...] = ASSET_CLASSES
    categories: tuple[Category, ...] = CATEGORIES
    tiers: Mapping[int, tuple[Tier, ...]] = field(default_factory=lambda: TIERS)
    market: MarketSettings = field(default_factory=MarketSettings)
    delays: Delays = field(default_factory=Delays)
    liquidity: Liquidity = field(default_factory=Liquidity)
    variants: Variants = field(default_factory=Variants)

    def __post_init__(self) -> None:
        assets = {asset.name for asset in self.assets}
        for symbol in self.symbols:
            if symbol.leverage_id not in self.tiers:
                raise ValueError(f"{symbol.name} has leverage id {symbol.leverage_id}, for which there are no tiers")
            if not {symbol.base, symbol.quote} <= assets:
                raise ValueError(f"{symbol.name} is of {symbol.base} in {symbol.quote}: not both are among the assets")
        for account in self.accounts:
            if account.deposit_asset not in assets:
                raise ValueError(
                    f"deposit_asset of account {account.account_id} is {account.deposit_asset!r}; "
                    f"{', '.join(sorted(assets))} are allowed"
                )
        if len({account.account_id for account in self.accounts}) < len(self.accounts):
            raise ValueError("two accounts have the same account_id")

    def asset_id(self, name: str) -> int:
        """The id of an asset.

        Raises:
            LookupError: it is not among the assets.
        """
        for asset in self.assets:
            if asset.name == name:
                return asset.asset_id
        raise LookupError(f"no asset is called {name}")
