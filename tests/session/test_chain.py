"""The lines of the audit files."""

from __future__ import annotations

import enum
import hashlib
import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyctrader.session.chain import (
    FIRST_PREV,
    LONGEST_TEXT,
    Chain,
    Fact,
    Tail,
    day_of,
    encode_fields,
    iso_ms,
    read_line,
)

AT_MS = 1_795_376_400_123  # 2026-11-22T19:40:00.123Z


class Colour(enum.Enum):
    RED = "red"


class Kind(enum.IntEnum):
    MARKET = 1


def line(chain: Chain, environment: str = "demo", name: str = "intent", **fields: object) -> bytes:
    return chain.append(Fact(environment, AT_MS, name, encode_fields(fields)))


def test_a_line_is_one_json_object_with_its_members_in_the_documented_order() -> None:
    written = line(Chain(), order_id=7, price=Decimal("1.08500"))
    assert written.endswith(b"}\n")
    assert written.count(b"\n") == 1
    members = json.loads(written)
    assert list(members) == ["at", "environment", "seq", "place", "fact", "order_id", "price", "prev", "hash"]
    assert members["at"] == "2026-11-22T19:40:00.123Z"
    assert members["environment"] == "demo"
    assert members["seq"] == members["place"] == 1
    assert members["fact"] == "intent"
    assert members["prev"] == FIRST_PREV == "0" * 64


def test_the_hash_is_sha256_of_the_line_without_its_hash() -> None:
    written = line(Chain(), order_id=7)
    digest = json.loads(written)["hash"]
    without = written.rstrip(b"\n").replace(f',"hash":"{digest}"'.encode(), b"")
    assert json.loads(without)["order_id"] == 7
    assert hashlib.sha256(without).hexdigest() == digest


def test_each_environment_has_its_own_sequence_and_chain() -> None:
    chain = Chain()
    lines = [json.loads(line(chain, environment)) for environment in ("demo", "live", "demo", "live", "demo")]
    assert [(each["environment"], each["seq"]) for each in lines] == [
        ("demo", 1),
        ("live", 1),
        ("demo", 2),
        ("live", 2),
        ("demo", 3),
    ]
    assert lines[2]["prev"] == lines[0]["hash"]
    assert lines[3]["prev"] == lines[1]["hash"]
    assert chain.tails == {"demo": Tail(3, lines[4]["hash"]), "live": Tail(2, lines[3]["hash"])}


def test_a_place_counts_the_lines_of_all_environments_and_goes_on_from_where_each_chain_stood() -> None:
    chain = Chain(tails={"demo": Tail(7, "d"), "live": Tail(4, "l")})
    lines = [json.loads(line(chain, environment)) for environment in ("demo", "live", "live")]
    assert [(each["seq"], each["place"]) for each in lines] == [(8, 12), (5, 13), (6, 14)]


def test_a_copy_moves_on_without_the_chain_that_it_was_copied_from() -> None:
    chain = Chain()
    line(chain)
    copy = chain.copy()
    line(copy)
    assert (chain.tails["demo"].seq, copy.tails["demo"].seq) == (1, 2)


def test_a_line_of_a_sandbox_says_so_and_another_has_no_such_member() -> None:
    assert json.loads(line(Chain(sandbox=True), order_id=1))["sandbox"] is True
    assert "sandbox" not in json.loads(line(Chain()))


def test_a_fact_may_have_no_fields() -> None:
    assert json.loads(line(Chain()))["fact"] == "intent"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("1.08500"), "1.08500"),
        (Decimal("1E+3"), "1000"),
        (2**63, 2**63),
        (True, True),
        (None, None),
        (0.5, 0.5),
        (Colour.RED, "red"),
        (Kind.MARKET, "MARKET"),
        ((1, Decimal("2.50")), [1, "2.50"]),
        ({"bid": Decimal("1.1")}, {"bid": "1.1"}),
        ('a "quoted"\nline\u2028', 'a "quoted"\nline\u2028'),
    ],
)
def test_values_keep_their_exact_meaning(value: object, expected: object) -> None:
    written = line(Chain(), value=value)
    assert written.count(b"\n") == 1
    assert json.loads(written)["value"] == expected


@pytest.mark.parametrize("name", ["at", "environment", "seq", "place", "fact", "sandbox", "prev", "hash"])
def test_a_field_cannot_stand_in_for_a_member_of_the_line(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        encode_fields({name: "x"})


@pytest.mark.parametrize(
    "name", ["accessToken", "access_token", "ACCESS-TOKEN", "refreshToken", "clientSecret", "password"]
)
@pytest.mark.parametrize("nested", [False, True])
def test_a_secret_is_refused_by_its_name_and_its_value_is_not_shown(name: str, nested: bool) -> None:
    fields = {"request": [{name: "hunter2"}]} if nested else {name: "hunter2"}
    with pytest.raises(ValueError, match="secret") as refusal:
        encode_fields(fields)
    assert name in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        (Decimal("NaN"), ValueError),
        (2**64, ValueError),
        (-(2**63) - 1, ValueError),
        (b"bytes", TypeError),
        ({1: 2}, TypeError),
        (object(), TypeError),
    ],
)
def test_what_json_cannot_hold_is_refused_by_the_name_of_its_field(value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        encode_fields({"price": value})


def test_text_that_is_no_unicode_is_recorded_all_the_same() -> None:
    fields = {"text": "\ud800", "list": ["\udfff"], "map": {"k": "\ud800", "n": 1}}
    members = json.loads(line(Chain(), **fields))
    assert members["text"] == "\\ud800"
    assert members["list"] == ["\\udfff"]
    assert members["map"] == {"k": "\\ud800", "n": 1}


def test_overlong_text_is_cut_and_says_so() -> None:
    text = json.loads(line(Chain(), description="x" * 1_000_000))["description"]
    assert len(text) < LONGEST_TEXT + 50
    assert "1000000 characters" in text


def test_a_line_read_back_is_what_was_written() -> None:
    written = line(Chain(), order_id=7)
    read = read_line(written[:-1])
    assert read is not None
    assert read.intact
    assert (read.environment, read.seq, read.place, read.prev) == ("demo", 1, 1, FIRST_PREV)
    assert (read.at, read.fact) == ("2026-11-22T19:40:00.123Z", "intent")
    assert read.hash == json.loads(written)["hash"]


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"1", b"{}", b'{"at":"x","environment":"demo","seq":"1","prev":"p"}', b"\0" * 40, b"\xff"],
)
def test_what_is_no_line_of_an_audit_reads_as_none(data: bytes) -> None:
    assert read_line(data) is None


def test_a_line_without_a_hash_is_not_intact() -> None:
    read = read_line(b'{"at":"x","environment":"demo","seq":1,"prev":"p"}')
    assert read is not None
    assert not read.intact
    assert (read.place, read.fact) == (None, "")


@settings(deadline=None)
@given(st.data())
def test_any_change_of_one_byte_of_a_line_shows(data: st.DataObject) -> None:
    written = line(Chain(), order_id=7, symbol="EURUSD", price=Decimal("1.08"))[:-1]
    at = data.draw(st.integers(0, len(written) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != written[at]))
    read = read_line(written[:at] + bytes([byte]) + written[at + 1 :])
    assert read is None or not read.intact


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=8).map(lambda name: f"f_{name}"), st.text() | st.integers(-(2**63), 2**64 - 1)))
def test_whatever_the_fields_the_line_is_json_and_intact(fields: dict[str, object]) -> None:
    written = line(Chain(), **{"f_": None} | fields)
    assert written.count(b"\n") == 1
    read = read_line(written[:-1])
    assert read is not None
    assert read.intact


def test_times_have_milliseconds_and_days_are_utc() -> None:
    assert iso_ms(0) == "1970-01-01T00:00:00.000Z"
    assert iso_ms(AT_MS) == "2026-11-22T19:40:00.123Z"
    assert iso_ms(AT_MS - 123) == "2026-11-22T19:40:00.000Z"
    assert day_of(1_795_391_999_999) == "2026-11-22"
    assert day_of(1_795_392_000_000) == "2026-11-23"


def test_marks_that_turn_the_text_around_are_written_as_json_escapes_and_read_back_as_they_were() -> None:
    text = "to \u202e\u2066 \x7f \U000e0001 ö €"
    line = Chain().append(Fact(at_ms=0, environment="demo", name="halt", body=encode_fields({"reason": text})))
    assert line[:-1].decode().isprintable()
    assert b"to \\u202e\\u2066 \\u007f \\udb40\\udc01 " in line
    assert "ö €" in line.decode()
    assert json.loads(line)["reason"] == text
    read = read_line(line[:-1])
    assert read is not None
    assert read.intact
