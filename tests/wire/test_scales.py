"""The comments of the published files say what a number counts: the table must say the same, field by field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from anyctrader.proto.schema import MESSAGES
from anyctrader.wire.scales import SCALES, Scale
from anyctrader.wire.shape import shape_of

PROTO = Path(__file__).parents[2] / "proto"
SAID = (
    (r"price points from the entry", Scale.DISTANCE),
    (r"price points above low", Scale.ABOVE_LOW),
    (r"price points", Scale.POINTS),
    (r"price\b", Scale.PRICE),
    (r"hundredths of a unit", Scale.VOLUME),
    (r"money\b", Scale.MONEY),
    (r"ms, but|Seconds since 1970", Scale.END),
    (r"ms\b", Scale.MS),
    (r"points of the symbol", Scale.SLIPPAGE),
    (r"Minutes since 1970", Scale.MINUTES),
    (r"Days since 1970", Scale.DAYS),
)


def commented_fields() -> Iterator[tuple[str, str, str]]:
    """Message, field and comment, wherever it stands."""
    for path in sorted(PROTO.glob("*.proto")):
        message = above = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            if opened := re.match(r"message (\w+)", line):
                message = opened[1]
            if found := re.match(r"  (?:optional|required|repeated) \w+ (\w+) = [^/]*(?:// (.*))?", line):
                yield message, found[1], found[2] or above
            above = comment[1] if (comment := re.match(r"  // (.*)", line)) else ""


def test_the_table_says_what_the_comments_of_the_schema_say() -> None:
    seen = set()
    for message, field, comment in commented_fields():
        for words, scale in SAID:
            if re.match(words, comment):
                assert SCALES.get((message, field)) is scale, (message, field, comment)
                seen.add((message, field))
                break
    missed = {key for key, scale in SCALES.items() if scale in {scale for _, scale in SAID}} - seen
    assert missed <= {("ProtoOAGetTrendbarsRes", "timestamp")}  # deprecated, and not described
    assert len(seen) > 100


def test_the_table_names_fields_that_there_are() -> None:
    for message, field in SCALES:
        assert field in {each.name for each in shape_of(message).fields}, (message, field)


def test_every_id_of_a_symbol_is_known_as_one() -> None:
    ids = {(name, "symbolId") for name in MESSAGES for each in shape_of(name).fields if each.name == "symbolId"}
    assert {key for key, scale in SCALES.items() if scale is Scale.SYMBOL} == ids
