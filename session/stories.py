"""What the order audit tells when it is read back: its lines, and the story of an order. Blocking.

Files are read line by line and may be larger than memory; kept are the ids of the orders that are wanted.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import orjson

from .columns import COLUMNS_FACT
from .day_files import files_in_turn

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

__all__ = ["Selection", "lines_of", "select"]

_STEM = "order_audit"
_IDS = ("client_order_id", "order_id", "intent_id")
_IDS_OF_SYMBOL = (*_IDS, "position_id", "symbol_id")  # what these name is of one symbol, for good
_OTHER = MappingProxyType({"demo": "live", "live": "demo"})

_Id = tuple[object, str, object]  # environment, which id, the id


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which lines are wanted; None: all.

    Attributes:
        environment: `demo` or `live`.
        symbol: its name; lines about its orders count, also where they do not name it.
        day: `2026-11-22`, UTC.
        order: a client order id, or a number: `orderId`, `positionId` or `dealId`.
    """

    environment: str | None = None
    symbol: str | None = None
    day: str | None = None
    order: str | None = None


def lines_of(
    folder: Path,
    *,
    environment: str | None = None,
    unreadable: Callable[[str, int], None] = lambda file, line_number: None,
) -> Iterator[dict[str, Any]]:
    """The lines of all files of a folder's order audit, in the order in which they were written; a desk may be writing.

    Args:
        folder: where the files are.
        environment: `demo` or `live`: the other's lines are passed over unread, which takes less time; None for both.
        unreadable: told the file and the number of a line that is none; it is passed over.

    Raises:
        FileNotFoundError: there is no order audit.
        OSError: a file could not be read.
    """
    wanted, other = (f'"environment":"{name}"'.encode() for name in (environment, _OTHER.get(environment or "")))
    name = None
    for name, file in files_in_turn(folder, _STEM):
        for number, text in enumerate(file, 1):
            if environment is not None and wanted not in text and other in text:
                continue
            try:
                line = orjson.loads(text)
            except orjson.JSONDecodeError:
                line = None
            if isinstance(line, dict) and environment in (None, line.get("environment")):
                if line.get("fact") != COLUMNS_FACT:
                    yield line
            else:
                unreadable(name, number)
    if name is None:
        raise FileNotFoundError(f"there is no {_STEM}.jsonl in {folder}")


def select(lines: Callable[[], Iterator[dict[str, Any]]], wanted: Selection) -> Iterator[dict[str, Any]]:
    """The lines that are wanted. Those of an order are found by its ids, so that takes two readings; those of a symbol
    three, since a line of its name may be the first to tell its number.

    Args:
        lines: reads them from their beginning, each time that it is called.
        wanted: which.
    """
    ids: set[_Id] | None = None
    if wanted.order is not None or wanted.symbol is not None:
        ids = _ids_of(lines(), wanted)
        if wanted.symbol is not None:
            ids |= _ids_of(lines(), wanted, known=ids)
    for line in lines():
        if wanted.environment is not None and line.get("environment") != wanted.environment:
            continue
        if wanted.day is not None and not str(line.get("at", "")).startswith(wanted.day):
            continue
        if ids is None or _is_about(line, wanted) or _is_met(line, wanted, ids):
            yield line


def _is_about(line: dict[str, Any], wanted: Selection) -> bool:
    """Whether a line itself says that it is about the order and the symbol."""
    if wanted.symbol is not None and line.get("symbol") != wanted.symbol:
        return False
    if wanted.order is None:
        return True
    numbers = (str(line[name]) for name in ("order_id", "position_id", "deal_id") if name in line)
    return wanted.order in (line.get("client_order_id"), *numbers)


def _is_met(line: dict[str, Any], wanted: Selection, ids: set[_Id]) -> bool:
    """Whether a line is about what these ids name; one that names another symbol is not."""
    if wanted.symbol is not None and line.get("symbol", wanted.symbol) != wanted.symbol:
        return False
    return any(each in ids for each in _own_ids(line, wanted))


def _own_ids(line: dict[str, Any], wanted: Selection) -> list[_Id]:
    """With the environment: each server counts its orders for itself, and two of them meet at the same numbers."""
    environment = line.get("environment")
    of_symbol = wanted.symbol is not None and wanted.order is None
    names = _IDS_OF_SYMBOL if of_symbol else _IDS
    return [(environment, name, line[name]) for name in names if name in line]


def _ids_of(lines: Iterator[dict[str, Any]], wanted: Selection, *, known: Collection[_Id] = ()) -> set[_Id]:
    """The ids under which other lines may speak of the same orders, or of those of the same symbol."""
    ids = set(known)
    chained = wanted.symbol is None or wanted.order is None
    for line in lines:
        if _is_about(line, wanted) or (chained and _is_met(line, wanted, ids)):
            ids.update(_own_ids(line, wanted))
    return ids
