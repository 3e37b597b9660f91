"""Settings written as tables, as a scenario file has them: fields by their names, choices by the names of theirs."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any, TypeVar

from ..wire import messages as oa
from .accounts import AccountSettings
from .listing import SYMBOLS

__all__ = ["TableError", "changed"]

_T = TypeVar("_T")
_NUMBERED = MappingProxyType(
    {
        "account_type": oa.ProtoOAAccountType,
        "access_rights": oa.ProtoOAAccessRights,
        "margin_type": oa.ProtoOATotalMarginCalculationType,
        "stop_out_strategy": oa.ProtoOAStopOutStrategy,
    }
)
"""Settings of an account that are numbers of the schema, which has names for them."""
_NONE = "none"
"""How a table says that there is no limit, no port, no such thing; TOML has no word of its own for it."""


class TableError(ValueError):
    """A table that says what the settings have no place for; the text names the place."""


def changed(settings: _T, table: Mapping[str, Any], *, where: str = "") -> _T:
    """The settings, with what a table says in place of what they say.

    Args:
        settings: a dataclass.
        table: values by field; a field that holds settings of its own takes a table of its own.
        where: the way to this table, for the text of an error.

    Raises:
        TableError: a field that there is not, or a value that it cannot have.
    """
    kinds = {each.name: str(each.type) for each in fields(settings)}  # type: ignore[arg-type]
    changes: dict[str, Any] = {}
    for key, value in table.items():
        place = f"{where}.{key}" if where else key
        if key not in kinds:
            raise TableError(f"{place}: there is no such setting; there are {', '.join(sorted(kinds))}")
        changes[key] = _value(getattr(settings, key), value, kinds[key], place)
    try:
        return replace(settings, **changes)  # type: ignore[type-var]
    except ValueError as error:
        raise TableError(f"{where or 'settings'}: {error}") from None


def _value(present: Any, given: Any, kind: str, place: str) -> Any:
    if given == _NONE and "None" in kind:
        return None
    if place == "exchange.accounts":
        return tuple(_account(number, each) for number, each in enumerate(_list(given, place)))
    if place == "exchange.symbols":
        return tuple(_symbol(each) for each in _list(given, place))
    if is_dataclass(present):
        if not isinstance(given, Mapping):
            raise TableError(f"{place}: a table is due")
        return changed(present, given, where=place)
    if isinstance(present, enum.Enum):
        return _choice(type(present), given, place)
    if kind.startswith("frozenset"):
        return frozenset(str(each) for each in _list(given, place))
    if kind.startswith("tuple[float"):
        return tuple(float(each) for each in _list(given, place))
    return _plain(given, kind, place)


def _plain(given: Any, kind: str, place: str) -> Any:
    kinds: dict[str, Any] = {"bool": bool, "int": int, "float": (int, float), "str": str}
    due = kind.partition(" ")[0]
    if due not in kinds:
        raise TableError(f"{place}: this is not set by a table")
    if not isinstance(given, kinds[due]) or (isinstance(given, bool) and due != "bool"):
        raise TableError(f"{place}: {given!r} is no {due}")
    return float(given) if due == "float" else given


def _choice(kind: type[enum.Enum], given: Any, place: str) -> enum.Enum:
    for member in kind:
        if str(given).lower() in (member.name.lower(), str(member.value).lower()):
            return member
    names = ", ".join(member.name.lower() for member in kind)
    raise TableError(f"{place}: {given!r} is none of {names}")


def _list(given: Any, place: str) -> list[Any]:
    if not isinstance(given, list):
        raise TableError(f"{place}: a list is due")
    return given


def _account(number: int, given: Any) -> AccountSettings:
    place = f"exchange.accounts[{number}]"
    if not isinstance(given, Mapping) or not isinstance(given.get("account_id"), int):
        raise TableError(f"{place}: a table with an account_id is due")
    account_id = given["account_id"]
    given = {key: _numbered(key, value, f"{place}.{key}") for key, value in given.items()}
    return changed(AccountSettings(account_id=account_id, trader_login=account_id + 2_000_000), given, where=place)


def _numbered(key: str, given: Any, place: str) -> Any:
    kind = _NUMBERED.get(key)
    if kind is None or not isinstance(given, str):
        return given
    if given.upper() not in kind.__members__:
        raise TableError(f"{place}: {given!r} is none of {', '.join(kind.__members__).lower()}")
    return int(kind[given.upper()])


def _symbol(given: Any) -> Any:
    for symbol in SYMBOLS:
        if given in (symbol.name, symbol.symbol_id):
            return symbol
    raise TableError(f"exchange.symbols: {given!r} is none of {', '.join(symbol.name for symbol in SYMBOLS)}")
