"""JSON text to values and back, exact where orjson alone is not.

orjson is fast, but it reads an integer beyond 64 bits as a float, refuses one of hundreds of digits, writes less deeply
than it reads, and writes NaN as null. All of that is rare, and costs nothing where it does not happen.
"""

from __future__ import annotations

import json
import math
import re
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MOST_DIGITS", "JsonValueError", "Reading", "fault_of", "holds_long_integer", "read_again", "write_json"]

MOST_DIGITS: Final = 4300
"""Of an integer that is kept exactly: as many as Python itself reads and writes; the time grows by their square."""

_ENOUGH: Final = 400  # digits of a longer one that are kept: no field takes it, integer or double
_DEEPEST: Final = 2048  # levels: orjson reads 1,024, and what it read may stand inside of something else
# A whole integer of at least 19 digits; 64 bits have 19 or 20. In a string it does no harm: it is only looked for.
_LONG_INTEGER: Final = re.compile(rb"(?<![0-9.eE+-])-?[1-9][0-9]{18,}(?![0-9.eE])")
# What stands before such a one, of a text that Python reads: anything, strings, shorter or other numbers. Then it
# itself, its first digit apart; or the end. In a string nothing may be replaced: the digits may be of an escape.
_UP_TO_LONG: Final = re.compile(
    rb'((?:[^"0-9-]++|"(?:[^"\\]++|\\.)*+"|-(?![0-9])|'
    rb"(?!-?[1-9][0-9]{18,}+(?![.eE]))-?[0-9][0-9.eE+-]*+)*+)"
    rb"(?:(-?[1-9])[0-9]{18,}+|\Z)"
)


class JsonValueError(ValueError):
    """A value that JSON has no way to say."""


class Reading:
    """What Python's own parser makes of a text that orjson refuses, or reads without all digits.

    Attributes:
        value: what it says. Bytes that are not UTF-8 are in its strings as halves of surrogate pairs.
    """

    __slots__ = ("_body", "_lost", "value")

    def __init__(self, value: Any, body: bytes, *, lost: bool) -> None:
        self.value = value
        self._body = body
        self._lost = lost

    @property
    def exact(self) -> bool:
        """Whether it is all that JSON allows, and nothing of it is lost: asks orjson, which takes a while."""
        if self._lost:
            return False
        try:
            # If that is JSON, then nothing but its long integers was in the way.
            orjson.loads(_UP_TO_LONG.sub(rb"\1\2", self._body))
        except orjson.JSONDecodeError:
            return False
        return True


def fault_of(body: bytes, error: orjson.JSONDecodeError) -> str:
    """What is wrong with a text that orjson refuses, and at which byte; the first has number 0."""
    try:
        at, problem = len(body.decode()[: error.pos].encode()), error.msg
    except UnicodeDecodeError as broken:
        at, problem = broken.start, "this is not UTF-8"
    return f"{len(body)} bytes are no JSON: {problem} at byte {at}"


def holds_long_integer(body: bytes) -> bool:
    """Whether there may be an integer in it that orjson reads as a float, or not at all."""
    return _LONG_INTEGER.search(body) is not None


def read_again(body: bytes) -> Reading | None:
    """Reads a text without loss, as far as Python's own parser can; None where it cannot.

    NaN, Infinity, 1e999, half a surrogate pair and bytes that are not UTF-8 are no JSON, yet some writers write them.
    They are read, so that it can be told which field is to blame.
    """
    lost = False

    def integer(digits: str) -> int:
        nonlocal lost
        too_long = len(digits) - digits.startswith("-") > MOST_DIGITS
        lost |= too_long
        return int(digits[:_ENOUGH] if too_long else digits)

    try:
        value = json.loads(body.decode(errors="surrogateescape"), parse_int=integer)
    except (ValueError, RecursionError):
        return None
    return Reading(value, body, lost=lost)


def write_json(value: Any) -> bytes:
    """The text for a value of numbers, strings, booleans, None, lists, and dicts by strings.

    Raises:
        JsonValueError: there is something else in it, NaN among it, or it is nested deeper than 2,048 levels.
    """
    return "".join(_written(value)).encode()


def _written(value: Any) -> Iterator[str]:
    """Without recursion: Python's own encoder, and orjson, go less deep than orjson reads."""
    levels: list[tuple[Iterator[Any], str]] = []
    first = True  # of its list or object: no comma stands before it
    is_member = False
    item: Any = value
    while True:
        if is_member:
            key, item = item
            if not isinstance(key, str):
                raise JsonValueError("a key is not a string")
            yield f"{_text(key)}:"
        if isinstance(item, dict | list | tuple):
            if len(levels) >= _DEEPEST:
                raise JsonValueError(f"it is nested deeper than {_DEEPEST:,} levels")
            is_dict = isinstance(item, dict)
            yield "{" if is_dict else "["
            levels.append((iter(item.items()) if isinstance(item, dict) else iter(item), "}" if is_dict else "]"))
            first = True
        else:
            yield _scalar(item)
            first = False
        while levels:
            inside, end = levels[-1]
            item = next(inside, levels)  # the list itself stands for: there is none
            if item is not levels:
                break
            levels.pop()
            yield end
            first = False
        if not levels:
            return
        is_member = end == "}"
        if not first:
            yield ","


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        try:
            return int.__repr__(value)
        except ValueError:  # Python writes no more digits than it reads
            raise JsonValueError(f"an integer has more than {MOST_DIGITS} digits") from None
    if not isinstance(value, float):
        raise JsonValueError(f"JSON has no {type(value).__name__}")
    if not math.isfinite(value):
        raise JsonValueError(f"{value} is no finite number")
    return float.__repr__(value)


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise JsonValueError("a string holds half a surrogate pair") from None
    return encode_basestring(value)
