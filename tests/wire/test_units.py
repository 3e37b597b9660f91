import inspect
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Context, Decimal, FloatOperation, localcontext

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyctrader.wire import messages as oa
from anyctrader.wire import units

INT64 = st.integers(-(2**63), 2**63 - 1)
DIGITS = st.integers(0, 8)
NEVER_EXACT = [0.1, 1.0, float("nan"), True, None, b"1", [1], 1j]


def decimals(places: int, largest: int = 10**10) -> st.SearchStrategy[Decimal]:
    return st.integers(-largest, largest).map(lambda n: Decimal(n).scaleb(-places))


def test_the_callers_decimal_context_neither_rounds_nor_raises():
    with localcontext(Context(prec=3, traps=[FloatOperation])):
        assert units.price_from_wire(123456789) == Decimal("1234.56789")
        assert units.volume_cents_from_lots("1.23456", lot_size_cents=10_000_000) == 12_345_600
        assert units.money_from_wire(5122399685) == Decimal("51223996.85")
        assert units.price_from_double(85287.21, digits=2) == Decimal("85287.21")
        assert units.nearest_relative_from_distance("123.45678", digits=5) == 12_345_678


# prices


def test_wire_prices_are_hundred_thousandths_whatever_the_digits():
    assert units.price_from_wire(112569) == Decimal("1.12569")
    assert units.price_from_wire(8528721000) == Decimal("85287.21")
    assert str(units.price_from_wire(8528721000, digits=2)) == "85287.21"
    assert units.wire_price_from_price("85287.21") == 8528721000


@settings(deadline=None)  # the machine may be busy
@given(INT64)
def test_wire_prices_survive_the_round_trip(wire_price):
    assert units.wire_price_from_price(units.price_from_wire(wire_price)) == wire_price


def test_a_price_of_more_than_five_decimals_has_no_wire_price():
    with pytest.raises(ValueError, match=r"1\.123456 has more than 5 decimals"):
        units.wire_price_from_price("1.123456")


def test_doubles_give_the_decimal_that_was_meant():
    assert units.price_from_double(85287.21) == Decimal("85287.21")
    assert units.price_from_double(0.1 + 0.2) == Decimal("0.3")
    assert units.price_from_double(1.123456, digits=5) == Decimal("1.12346")
    assert str(units.price_from_double(85100.0, digits=2)) == "85100.00"
    assert units.decimal_from_double(1.12569377777777777) == Decimal("1.12569377777778")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_doubles_that_are_not_finite_are_refused(value):
    with pytest.raises(ValueError, match="not a finite number"):
        units.price_from_double(value, digits=5)


@pytest.mark.parametrize("value", [1.7e308, 5e-324])
def test_doubles_of_absurd_size_are_refused(value):
    with pytest.raises(ValueError, match="more than 40 digits"):
        units.decimal_from_double(value)


@settings(deadline=None)  # the machine may be busy
@given(DIGITS.flatmap(lambda digits: st.tuples(st.just(digits), decimals(digits, 10**14))))
def test_prices_survive_the_round_trip_through_a_double(case):
    digits, price = case
    double = units.double_from_price(price, digits=digits)
    assert units.price_from_double(double, digits=digits) == price
    assert units.decimal_from_double(double) == price


def test_a_price_with_more_decimals_than_the_symbol_is_refused():
    with pytest.raises(ValueError, match=r"1\.123456 has more than 5 decimals"):
        units.double_from_price("1.123456", digits=5)
    assert units.double_from_price("1.1234500", digits=5) == 1.12345


def test_a_price_that_no_double_holds_is_refused():
    with pytest.raises(ValueError, match="more digits than the wire can carry"):
        units.double_from_price("12345678901234.56789", digits=5)


@pytest.mark.parametrize(("digits", "first"), [(5, 10**10), (0, 10**15), (2, 10**13), (None, 10**15)])
def test_a_price_that_a_double_does_not_tell_from_the_next_one_is_refused(digits, first):
    for price in (first, Decimal("1E+30"), 10**20):
        with pytest.raises(ValueError, match="more digits than the wire can carry"):
            units.double_from_price(price, digits=digits)
    last = first - units.point_size(digits=digits or 0)
    assert units.decimal_from_double(units.double_from_price(last, digits=digits)) == last


def test_a_price_of_a_symbol_whose_decimals_are_not_known_has_its_own():
    assert units.double_from_price("1.23456789012345", digits=None) == 1.23456789012345
    assert units.double_from_price("1E-30", digits=None) == 1e-30
    assert units.double_from_price(0, digits=None) == 0
    with pytest.raises(ValueError, match="more digits than the wire can carry"):
        units.double_from_price("1.234567890123456", digits=None)


# volumes


@pytest.mark.parametrize(
    ("lots", "lot_size_cents", "volume_cents"),
    [("0.01", 10_000_000, 100_000), ("0.01", 10_000, 100), (1, 100, 100), (Decimal("0.01"), 100, 1)],
)
def test_lots_depend_on_the_lot_size_of_the_symbol(lots, lot_size_cents, volume_cents):
    assert units.volume_cents_from_lots(lots, lot_size_cents=lot_size_cents) == volume_cents
    assert units.lots_from_volume_cents(volume_cents, lot_size_cents=lot_size_cents) == Decimal(lots)


@settings(deadline=None)  # the machine may be busy
@given(INT64, st.sampled_from([100, 10_000, 10_000_000, 2_500_000]))
def test_lots_survive_the_round_trip(volume_cents, lot_size_cents):
    lots = units.lots_from_volume_cents(volume_cents, lot_size_cents=lot_size_cents)
    assert units.volume_cents_from_lots(lots, lot_size_cents=lot_size_cents) == volume_cents


def test_lots_without_an_end_are_rounded_to_28_digits():
    lots = units.lots_from_volume_cents(100, lot_size_cents=4_200_000)
    assert lots == Decimal("0.00002380952380952380952380952381")


def test_a_size_between_two_hundredths_is_refused():
    with pytest.raises(ValueError, match="not a whole number of 1/100 of a unit"):
        units.volume_cents_from_lots("0.001", lot_size_cents=100)
    with pytest.raises(ValueError, match="not a whole number of 1/100 of a unit"):
        units.volume_cents_from_units("0.001")


@pytest.mark.parametrize("lot_size_cents", [0, -100])
def test_a_lot_size_that_is_not_positive_is_refused(lot_size_cents):
    with pytest.raises(ValueError, match="lot size"):
        units.lots_from_volume_cents(1, lot_size_cents=lot_size_cents)
    with pytest.raises(ValueError, match="lot size"):
        units.volume_cents_from_lots(1, lot_size_cents=lot_size_cents)


def test_volumes_are_hundredths_of_a_unit():
    assert units.units_from_volume_cents(1000) == 10
    assert units.volume_cents_from_units("10.25") == 1025


@settings(deadline=None)  # the machine may be busy
@given(INT64)
def test_units_survive_the_round_trip(volume_cents):
    assert units.volume_cents_from_units(units.units_from_volume_cents(volume_cents)) == volume_cents


# money


def test_money_has_the_digits_of_its_message_and_two_where_they_are_absent():
    assert units.money_digits_of(oa.ProtoOADeal()) == 2
    assert units.money_digits_of(oa.ProtoOADeal(moneyDigits=0)) == 0
    assert units.money_digits_of(oa.ProtoOATrader(moneyDigits=8)) == 8
    assert units.money_from_wire(-2772) == Decimal("-27.72")
    assert units.money_from_wire(10053099944, money_digits=8) == Decimal("100.53099944")


@settings(deadline=None)  # the machine may be busy
@given(INT64, DIGITS)
def test_money_survives_the_round_trip(amount, money_digits):
    money = units.money_from_wire(amount, money_digits=money_digits)
    assert units.wire_money_from_money(money, money_digits=money_digits) == amount


def test_money_finer_than_its_digits_is_refused():
    with pytest.raises(ValueError, match=r"0\.005 has more than 2 decimals"):
        units.wire_money_from_money("0.005")


# pips, points, relative levels


@pytest.mark.parametrize(
    ("pip_position", "digits", "pip", "point"),
    [(4, 5, "0.0001", "0.00001"), (2, 3, "0.01", "0.001"), (0, 2, "1", "0.01"), (-1, 0, "10", "1")],
)
def test_pips_and_points_come_from_the_symbol(pip_position, digits, pip, point):
    assert units.pip_size(pip_position=pip_position) == Decimal(pip)
    assert units.point_size(digits=digits) == Decimal(point)
    assert units.distance_from_pips(20, pip_position=pip_position) == 20 * Decimal(pip)
    assert units.distance_from_points("20.5", digits=digits) == Decimal("20.5") * Decimal(point)


@settings(deadline=None)  # the machine may be busy
@given(decimals(3), st.integers(-2, 8))
def test_distances_survive_the_round_trip(number, places):
    pips = units.distance_from_pips(number, pip_position=places)
    assert units.pips_from_distance(pips, pip_position=places) == number
    points = units.distance_from_points(number, digits=places)
    assert units.points_from_distance(points, digits=places) == number


@pytest.mark.parametrize("places", [21, -21, 10**9])
def test_a_number_of_decimals_that_none_can_be_is_refused(places):
    with pytest.raises(ValueError, match="is not a number of decimals"):
        units.point_size(digits=places)


def test_relative_levels_are_the_distance_in_hundred_thousandths():
    assert units.relative_from_distance("90.01", digits=2) == 9_001_000
    assert units.relative_from_distance("0.0020", digits=5) == 200
    assert units.distance_from_relative(9_001_000) == Decimal("90.01")


@settings(deadline=None)  # the machine may be busy
@given(DIGITS, st.integers(1, 10**12))
def test_relative_levels_are_multiples_that_the_server_takes(digits, nano):
    distance = Decimal(nano).scaleb(-7)
    try:
        relative = units.nearest_relative_from_distance(distance, digits=digits)
    except ValueError:
        assert distance < units.point_size(digits=min(digits, 5))
        return
    assert relative % 10 ** max(5 - digits, 0) == 0
    nearest = units.distance_from_relative(relative)
    assert abs(nearest - distance) * 2 <= units.point_size(digits=min(digits, 5))
    assert units.relative_from_distance(nearest, digits=digits) == relative


def test_ties_of_relative_levels_go_away_from_zero():
    assert units.nearest_relative_from_distance("0.125", digits=2) == 13_000


def test_a_relative_level_finer_than_a_point_is_refused_unless_rounding_is_asked_for():
    with pytest.raises(ValueError, match="finer than the symbol's digits"):
        units.relative_from_distance("0.005", digits=2)
    with pytest.raises(ValueError, match="finer than the symbol's digits"):
        units.relative_from_distance("0.1234567", digits=7)


@pytest.mark.parametrize("distance", [0, "-1", "0.001"])
def test_a_relative_level_is_positive(distance):
    with pytest.raises(ValueError, match="not a positive distance"):
        units.nearest_relative_from_distance(distance, digits=2)


# times


def test_times_are_milliseconds_since_the_epoch():
    at = datetime(2020, 9, 13, 12, 26, 40, 123_000, tzinfo=UTC)
    assert units.utc_from_ms(1_600_000_000_123) == at
    assert units.ms_from_utc(at) == 1_600_000_000_123
    assert units.ms_from_utc(at.astimezone(timezone(timedelta(hours=3)))) == 1_600_000_000_123
    assert units.ms_from_utc(at + timedelta(microseconds=999)) == 1_600_000_000_123


@settings(deadline=None)  # the machine may be busy
@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_times_survive_the_round_trip(at_ms):
    assert units.ms_from_utc(units.utc_from_ms(at_ms)) == at_ms


@pytest.mark.parametrize("at_ms", [253_402_300_800_000, -62_135_596_800_001, 2**63 - 1])
def test_times_outside_the_calendar_are_refused(at_ms):
    with pytest.raises(ValueError, match="outside the years"):
        units.utc_from_ms(at_ms)


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="no time zone"):
        units.ms_from_utc(datetime(2020, 1, 1))


def test_bars_count_in_minutes():
    assert units.ms_from_minutes(26_666_666) == 1_599_999_960_000
    assert units.utc_from_minutes(26_666_666) == datetime(2020, 9, 13, 12, 26, tzinfo=UTC)
    assert units.minutes_from_ms(1_600_000_019_999) == 26_666_666


@settings(deadline=None)  # the machine may be busy
@given(st.integers(0, 2**32 - 1))
def test_minutes_survive_the_round_trip(minutes):
    assert units.minutes_from_ms(units.ms_from_minutes(minutes)) == minutes


def test_the_end_of_maintenance_is_told_by_its_size():
    assert units.maintenance_end_ms(1_600_000_000) == 1_600_000_000_000
    assert units.maintenance_end_ms(1_600_000_000_123) == 1_600_000_000_123
    assert units.maintenance_end_ms(10**11) == 10**14
    assert units.maintenance_end_ms(10**11 + 1) == 10**11 + 1


# rates


def test_leverage_is_in_hundredths():
    assert units.leverage_from_cents(10000) == 100
    assert units.leverage_from_cents(3333) == Decimal("33.33")


def test_commission_rates_have_the_scale_of_their_type():
    per_lot, per_cent = oa.ProtoOACommissionType.USD_PER_LOT, oa.ProtoOACommissionType.PERCENTAGE_OF_VALUE
    assert units.commission_rate_from_wire(250_000_000, commission_type=per_lot) == Decimal("2.5")
    assert units.commission_rate_from_wire(500, commission_type=per_cent) == Decimal("0.005")


def test_the_scale_of_an_unknown_commission_type_is_not_guessed():
    with pytest.raises(ValueError, match="scale of commission type 9 is not known"):
        units.commission_rate_from_wire(1, commission_type=9)


def test_a_conversion_fee_is_in_hundredths_of_a_per_cent():
    assert units.conversion_fee_rate_from_wire(1) == Decimal("0.0001")


# integers of the wire


@pytest.mark.parametrize(
    "convert",
    [
        units.price_from_wire,
        units.units_from_volume_cents,
        units.money_from_wire,
        units.distance_from_relative,
        units.utc_from_ms,
        units.ms_from_minutes,
        units.minutes_from_ms,
        units.maintenance_end_ms,
        units.leverage_from_cents,
        units.conversion_fee_rate_from_wire,
        lambda value: units.lots_from_volume_cents(value, lot_size_cents=100),
        lambda value: units.lots_from_volume_cents(100, lot_size_cents=value),
        lambda value: units.commission_rate_from_wire(value, commission_type=1),
        lambda value: units.point_size(digits=value),
    ],
)
@pytest.mark.parametrize("value", [1.0, Decimal(1), "1", True, None])
def test_a_wire_integer_is_an_integer_and_nothing_else(convert, value):
    with pytest.raises(TypeError):
        convert(value)


@pytest.mark.parametrize(
    "convert",
    [
        units.wire_price_from_price,
        units.volume_cents_from_units,
        units.wire_money_from_money,
        lambda value: units.volume_cents_from_lots(value, lot_size_cents=100),
        lambda value: units.double_from_price(value, digits=5),
        lambda value: units.distance_from_pips(value, pip_position=4),
        lambda value: units.pips_from_distance(value, pip_position=4),
        lambda value: units.distance_from_points(value, digits=5),
        lambda value: units.points_from_distance(value, digits=5),
        lambda value: units.relative_from_distance(value, digits=5),
        lambda value: units.nearest_relative_from_distance(value, digits=5),
    ],
)
def test_no_conversion_takes_a_float_or_nan_where_exactness_is_meant(convert):
    for value in NEVER_EXACT:
        with pytest.raises(TypeError):
            convert(value)
    for value in ("nan", "inf", Decimal("nan")):
        with pytest.raises(ValueError, match="not a finite number"):
            convert(value)


SOUND = {"commission_type": 3, "at": datetime(2026, 1, 1, tzinfo=UTC), "timestamp": 1}
DOUBLES = {("decimal_from_double", "value"), ("price_from_double", "value")}  # what arrives as a float
ARGUMENTS = [
    (name, argument)
    for name in units.__all__
    if inspect.isfunction(getattr(units, name)) and name != "money_digits_of"  # of a message
    for argument in inspect.signature(getattr(units, name)).parameters
]


@pytest.mark.parametrize(("name", "argument"), ARGUMENTS)
def test_no_argument_of_any_function_is_taken_as_a_bool_or_where_it_is_exact_as_a_float(name, argument):
    convert = getattr(units, name)
    sound = {each: SOUND.get(each, 4) for each in inspect.signature(convert).parameters}
    convert(**sound)
    for value in (True, False, *(() if (name, argument) in DOUBLES else (4.0, 0.5, float("nan")))):
        with pytest.raises(TypeError):
            convert(**{**sound, argument: value})


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1, 10**400])
def test_integers_beyond_64_bits_are_refused(value):
    with pytest.raises(ValueError, match="does not fit a field of 64"):
        units.price_from_wire(value)


def test_enum_members_count_as_the_integers_that_they_are():
    assert units.price_from_wire(oa.ProtoOATradeSide.SELL) == Decimal("0.00002")


@pytest.mark.parametrize(
    "convert",
    [
        units.wire_price_from_price,
        units.volume_cents_from_units,
        units.wire_money_from_money,
        lambda value: units.volume_cents_from_lots(value, lot_size_cents=10_000_000),
    ],
)
def test_what_no_field_of_64_bits_can_hold_is_refused_where_it_is_made(convert):
    with pytest.raises(ValueError, match=r"1e39.* is too large: [1-9][0-9]* does not fit a field of 64"):
        convert("1e39")


@pytest.mark.parametrize("value", [10**400, -(10**309)])
def test_an_integer_beyond_all_doubles_is_refused_like_any_size_that_nobody_means(value):
    for convert in (units.decimal_from_double, units.price_from_double):
        with pytest.raises(ValueError, match="bits is more than any double"):
            convert(value)


@pytest.mark.parametrize("value", [1.0, "1", None, Decimal(1)])
def test_what_is_no_integer_is_named_where_one_is_due(value):
    with pytest.raises(TypeError, match=re.escape(f"{value!r} is a {type(value).__name__}; an integer is needed")):
        units.price_from_wire(value)


@pytest.mark.parametrize("value", ["1", Decimal(1), True, None])
def test_a_double_is_a_float_or_an_integer_and_nothing_else(value):
    for convert in (units.decimal_from_double, units.price_from_double):
        with pytest.raises(TypeError, match="a double is needed"):
            convert(value)


@pytest.mark.parametrize("value", ["x", 1, None])
def test_a_time_is_a_datetime_and_nothing_else(value):
    with pytest.raises(TypeError, match="a datetime is needed"):
        units.ms_from_utc(value)
