"""What a symbol of one account is: its digits, its sizes, and the conversions that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Self

from ..wire import messages as oa
from ..wire import units

if TYPE_CHECKING:
    from ..wire.units import ExactNumber

__all__ = ["NamedSymbol", "Symbol"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSymbol:
    """A symbol whose figures the server does not say just now: enough for what must not hang on them.

    Attributes:
        id: `symbolId`.
        name: `symbolName`, or the id where not even that is known.
    """

    id: int
    name: str

    def double_from_price(self, price: ExactNumber) -> float:
        """Double for the wire; how many decimals it may have is the server's to judge.

        Raises:
            TypeError: *price* is a float.
            ValueError: it is no number, or has more digits than a double.
        """
        return units.double_from_price(price, digits=None)

    def rounded(self, price: Decimal) -> Decimal:
        """*price* without the noise of a double."""
        return units.price_from_double(float(price))


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    """One symbol, from `ProtoOALightSymbol` (its name) and `ProtoOASymbol` (its figures).

    Ids and figures belong to one broker's account: a symbol of demo says nothing about live. All volumes are
    in hundredths of a unit (docs/protocol.md section 8).

    Attributes:
        id: `symbolId`.
        name: `symbolName`, such as ``EURUSD``; empty where the server gave none.
        digits: decimals of a price.
        pip_position: the decimal that is a pip: 4 for 0.0001, 0 for 1.
        lot_size_cents: one lot, or None where the server does not say: then sizes in lots cannot be used.
        min_volume_cents: smallest size; 1 where the server does not say.
        step_volume_cents: every size is a multiple of it; 1 where the server does not say.
        max_volume_cents: largest size of one order, or None.
        max_exposure_cents: most that may be open on one side, or None.
        base_asset_id: `baseAssetId`, or None.
        quote_asset_id: `quoteAssetId`, in which results of this symbol arise, or None.
        category_id: `symbolCategoryId`, or None.
        description: the server's text, or None.
        enabled: `enabled` of the light symbol; True where the server does not say.
        trading_mode: `tradingMode`, a `ProtoOATradingMode` or a number that a newer server uses.
        short_selling: `enableShortSelling`, or None.
        guaranteed_stop_loss: whether a guaranteed stop loss can be asked for, or None.
        commission_rate: per cent, or money per lot or per million USD, by *commission_type*; or None.
        commission_type: `commissionType`, a `ProtoOACommissionType` or a number that a newer server uses.
        measurement_units: what a unit is (``Contracts``), or None.
    """

    id: int
    name: str
    digits: int
    pip_position: int
    lot_size_cents: int | None
    min_volume_cents: int = 1
    step_volume_cents: int = 1
    max_volume_cents: int | None = None
    max_exposure_cents: int | None = None
    base_asset_id: int | None = None
    quote_asset_id: int | None = None
    category_id: int | None = None
    description: str | None = None
    enabled: bool = True
    trading_mode: int = oa.ProtoOATradingMode.ENABLED
    short_selling: bool | None = None
    guaranteed_stop_loss: bool | None = None
    commission_rate: Decimal | None = None
    commission_type: int = oa.ProtoOACommissionType.USD_PER_MILLION_USD
    measurement_units: str | None = None

    def __post_init__(self) -> None:
        units.point_size(digits=self.digits)
        units.pip_size(pip_position=self.pip_position)
        if self.digits < 0:
            raise ValueError(f"symbol {self.id}: digits {self.digits} is negative")
        for name in ("lot_size_cents", "min_volume_cents", "step_volume_cents", "max_volume_cents"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"symbol {self.id}: {name} {value} is not positive")

    @classmethod
    def from_wire(cls, light: oa.ProtoOALightSymbol, full: oa.ProtoOASymbol) -> Self:
        """Build it from the two messages that describe it.

        Args:
            light: its row of `ProtoOASymbolsListRes`.
            full: its row of `ProtoOASymbolByIdRes`.

        Raises:
            ValueError: the two are of different symbols, or a figure cannot be (digits, a size not positive).
        """
        if light.symbolId != full.symbolId:
            raise ValueError(f"symbol {light.symbolId} and symbol {full.symbolId} are not the same")
        return cls(
            id=full.symbolId,
            name=light.symbolName,
            digits=full.digits,
            pip_position=full.pipPosition,
            lot_size_cents=full.lotSize if full.HasField("lotSize") else None,
            min_volume_cents=full.minVolume if full.HasField("minVolume") else 1,
            step_volume_cents=full.stepVolume if full.HasField("stepVolume") else 1,
            max_volume_cents=full.maxVolume if full.HasField("maxVolume") else None,
            max_exposure_cents=full.maxExposure if full.HasField("maxExposure") else None,
            base_asset_id=light.baseAssetId if light.HasField("baseAssetId") else None,
            quote_asset_id=light.quoteAssetId if light.HasField("quoteAssetId") else None,
            category_id=light.symbolCategoryId if light.HasField("symbolCategoryId") else None,
            description=light.description or None,
            enabled=light.enabled if light.HasField("enabled") else True,
            trading_mode=full.tradingMode,
            short_selling=full.enableShortSelling if full.HasField("enableShortSelling") else None,
            guaranteed_stop_loss=full.guaranteedStopLoss if full.HasField("guaranteedStopLoss") else None,
            commission_rate=_commission_rate(full),
            commission_type=full.commissionType,
            measurement_units=full.measurementUnits or None,
        )

    @property
    def pip(self) -> Decimal:
        """Price of one pip."""
        return units.pip_size(pip_position=self.pip_position)

    @property
    def point(self) -> Decimal:
        """Price of one point, the smallest step of a price."""
        return units.point_size(digits=self.digits)

    def price_from_wire(self, wire_price: int) -> Decimal:
        """Price from an integer of 1/100000 (spots, depth, bars), rounded to the symbol's digits."""
        return units.price_from_wire(wire_price, digits=self.digits)

    def price_from_double(self, value: float) -> Decimal:
        """Price from a double (orders, deals, positions), rounded to the symbol's digits.

        Raises:
            ValueError: it is NaN or infinite.
        """
        return units.price_from_double(value, digits=self.digits)

    def double_from_price(self, price: ExactNumber) -> float:
        """Double for the wire.

        Raises:
            TypeError: *price* is a float.
            ValueError: it has more decimals than the symbol, or more digits in all than a double.
        """
        return units.double_from_price(price, digits=self.digits)

    def rounded(self, price: Decimal) -> Decimal:
        """*price* to the symbol's digits, half to even."""
        return units.price_from_double(float(price), digits=self.digits)

    def units(self, volume_cents: int) -> Decimal:
        """Units of the base asset."""
        return units.units_from_volume_cents(volume_cents)

    def lots(self, volume_cents: int) -> Decimal:
        """Lots.

        Raises:
            ValueError: the server did not say what a lot of this symbol is.
        """
        return units.lots_from_volume_cents(volume_cents, lot_size_cents=self._lot_size())

    def volume_cents_from_lots(self, lots: ExactNumber) -> int:
        """Hundredths of a unit.

        Raises:
            TypeError: *lots* is a float.
            ValueError: it is not a whole number of hundredths, or the server did not say what a lot is.
        """
        return units.volume_cents_from_lots(lots, lot_size_cents=self._lot_size())

    def pips(self, distance: Decimal) -> Decimal:
        """Pips in a price distance."""
        return units.pips_from_distance(distance, pip_position=self.pip_position)

    def points(self, distance: Decimal) -> Decimal:
        """Points in a price distance."""
        return units.points_from_distance(distance, digits=self.digits)

    def _lot_size(self) -> int:
        if self.lot_size_cents is None:
            raise ValueError(f"the server does not say what a lot of {self.name or self.id} is: give units")
        return self.lot_size_cents


def _commission_rate(full: oa.ProtoOASymbol) -> Decimal | None:
    """The rate, or None where there is none or where its scale is not known."""
    if not full.HasField("preciseTradingCommissionRate"):
        return None
    if full.commissionType not in list(oa.ProtoOACommissionType):
        return None
    return units.commission_rate_from_wire(full.preciseTradingCommissionRate, commission_type=full.commissionType)
