"""What steps may say: the names of faults and deeds, what each is told, and how that is read."""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..wire import messages as oa
from . import faults
from .admission import PRICE_CEILING
from .certificates import WrongCertificate
from .refused import Carried
from .steps import Step, StepError
from .tokens import TokenScope

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .injection import Fault, Injection
    from .server import FakeServer

__all__ = ["DEEDS", "FAULTS", "begin", "checked"]

_SCALE = 100_000


# How arguments are read: each of these gives the value, or raises ValueError with what is due


def _whole(value: Any) -> int:
    if isinstance(value, bool | float):
        raise ValueError("a whole number is due")
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ValueError("a whole number is due") from None


def _seconds(value: Any) -> float:
    try:
        seconds = float(str(value))
    except ValueError:
        raise ValueError("a number of seconds is due") from None
    if not 0 <= seconds < float("inf"):
        raise ValueError("a number of seconds is due")
    return seconds


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text is due")
    return value


def _price(value: Any) -> int:
    """A price as people write it, x 100,000."""
    try:
        points = Decimal(str(value)) * _SCALE
        if points.is_finite() and points == points.to_integral_value() and 0 < points < PRICE_CEILING:
            return int(points)
    except InvalidOperation:
        pass
    raise ValueError("a price of at most five decimals is due, such as 1.19500")


def _message(value: Any) -> Any:
    """A class by its published name."""
    for cls in oa.PAYLOAD_CLASSES.values():
        if cls.__name__ == value:
            return cls
    raise ValueError("no message is called that")


def _message_name(value: Any) -> str:
    return str(_message(value).__name__)


def _which(value: Any) -> str:
    """A message's name, and perhaps the execution type after a colon."""
    name, colon, kind = _text(value).partition(":")
    _message(name)
    if colon and (name != "ProtoOAExecutionEvent" or kind not in oa.ProtoOAExecutionType.__members__):
        raise ValueError(
            "ProtoOAExecutionEvent and one of its types is due, such as ProtoOAExecutionEvent:ORDER_FILLED"
        )
    return f"{name}{colon}{kind}"


def _bytes(value: Any) -> bytes:
    try:
        return bytes.fromhex(_text(value))
    except ValueError:
        raise ValueError("bytes in hexadecimal are due") from None


def _one_of(kind: Any) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        for member in kind:
            if member.name.lower() == str(value).lower():
                return member
        raise ValueError("one of " + ", ".join(member.name.lower() for member in kind) + " is due")

    return read


_NTH: Mapping[str, Callable[[Any], Any]] = MappingProxyType({"nth": _whole, "which": _which})
_ACCOUNT: Mapping[str, Callable[[Any], Any]] = MappingProxyType({"account_id": _whole})

FAULTS: Mapping[str, tuple[type[Fault], Mapping[str, Callable[[Any], Any]]]] = MappingProxyType(
    {
        "silence": (faults.Silence, {}),
        "unanswering": (faults.Unanswering, {"which": _which}),
        "deafness": (faults.Deafness, {"name": _message_name}),
        "lose": (faults.Lose, _NTH),
        "delay": (faults.Delay, {"delay_s": _seconds}),
        "jitter": (faults.Jitter, {"most_s": _seconds, "seed": _whole}),
        "late": (faults.Late, {"delay_s": _seconds, **_NTH}),
        "reorder": (faults.Reorder, _NTH),
        "duplicate": (faults.Duplicate, _NTH),
        "replace": (faults.Replace, {"data": _bytes, **_NTH}),
        "garbage": (faults.Garbage, _NTH),
        "oversize_length": (faults.OversizeLength, _NTH),
        "half_frame": (faults.HalfFrame, _NTH),
        "half_message": (faults.HalfMessage, _NTH),
        "fragments": (faults.Fragments, {"pieces": _whole}),
        "close_websocket": (faults.CloseWebSocket, {"code": _whole, "reason": _text, **_NTH}),
        "no_upgrade": (faults.NoUpgrade, {"status": _whole, "text": _text}),
        "drop_before": (faults.DropBefore, _NTH),
        "drop_after": (faults.DropAfter, _NTH),
        "maintenance": (faults.Maintenance, {"code": _text, "end_s": _whole, "carried": _one_of(Carried)}),
        "blocked": (faults.Blocked, {"request": _message, "retry_after_s": _whole, "times": _whole}),
        "connection_limit": (faults.ConnectionLimit, {"most": _whole}),
        "refuse_tls": (faults.RefuseTls, {}),
        "wrong_tls": (faults.WrongTls, {"wrong": _one_of(WrongCertificate)}),
    }
)
"""The faults by the names that steps use: the class, and how its arguments are read."""

_NEEDED = MappingProxyType(
    {
        "delay": ("delay_s",),
        "jitter": ("most_s",),
        "late": ("delay_s",),
        "replace": ("data",),
        "connection_limit": ("most",),
        "wrong_tls": ("wrong",),
        "set_price": ("symbol", "bid", "ask"),
        "release_price": ("symbol",),
        "deposit": ("amount",),
    }
)
_LASTING = frozenset(("set_price", "weekend"))


# Deeds: each is given the server and what it was told, and gives back what ends it, if it lasts


def _set_price(server: FakeServer, symbol: Any, bid: int, ask: int) -> Callable[[], None]:
    symbol_id = _symbol_id(server, symbol)
    server.set_price(symbol_id, bid=bid, ask=ask)
    return lambda: server.release_price(symbol_id)


def _release_price(server: FakeServer, symbol: Any) -> None:
    server.release_price(_symbol_id(server, symbol))


def _symbol_id(server: FakeServer, symbol: Any) -> int:
    """A symbol by its name or its id.

    Raises:
        StepError: there is none.
    """
    for each in server.settings.exchange.symbols:
        if str(symbol) in (each.name, str(each.symbol_id)):
            return each.symbol_id
    raise StepError(f"no symbol is called {symbol}")


def _account(server: FakeServer, account_id: int | None) -> int:
    """An account of this server: the first, if none is named.

    Raises:
        StepError: there is none.
    """
    if account_id is None:
        return server.account_id
    if account_id not in server.exchange.accounts:
        raise StepError(f"there is no account {account_id}")
    return account_id


def _deposit(server: FakeServer, amount: int, account_id: int | None = None, note: str = "") -> None:
    server.deposit(_account(server, account_id), amount=amount, note=note)


def _disconnect_account(server: FakeServer, account_id: int | None = None) -> None:
    server.disconnect_account(_account(server, account_id))


def _forget_account(server: FakeServer, account_id: int | None = None) -> None:
    server.forget_account(_account(server, account_id))


def _disconnect_clients(server: FakeServer, reason: str = "Session is terminated") -> None:
    server.disconnect_clients(reason)


def _drop_clients(server: FakeServer) -> None:
    server.drop_clients()


def _invalidate_tokens(server: FakeServer) -> None:
    server.invalidate_tokens()


def _grant(server: FakeServer, scope: TokenScope = TokenScope.TRADE) -> None:
    server.grant(scope=scope)


def _weekend(server: FakeServer) -> Callable[[], None] | None:
    injection = server.begin_weekend()
    return None if injection is None else injection.remove


DEEDS: Mapping[str, tuple[Callable[..., Any], Mapping[str, Callable[[Any], Any]]]] = MappingProxyType(
    {
        "set_price": (_set_price, {"symbol": str, "bid": _price, "ask": _price}),
        "release_price": (_release_price, {"symbol": str}),
        "deposit": (_deposit, {"amount": _whole, "note": _text, **_ACCOUNT}),
        "disconnect_account": (_disconnect_account, _ACCOUNT),
        "forget_account": (_forget_account, _ACCOUNT),
        "disconnect_clients": (_disconnect_clients, {"reason": _text}),
        "drop_clients": (_drop_clients, {}),
        "invalidate_tokens": (_invalidate_tokens, {}),
        "grant": (_grant, {"scope": _one_of(TokenScope)}),
        "weekend": (_weekend, {}),
    }
)
"""What else steps may do, by name: the function, and how its arguments are read."""


def checked(step: Step) -> dict[str, Any]:
    """The arguments of a step, read.

    Raises:
        StepError: nothing is called that, or it is not told what it needs.
    """
    entry = FAULTS.get(step.do) or DEEDS.get(step.do)
    if entry is None:
        raise StepError(f"nothing is called {step.do!r}; there are {', '.join(sorted((*FAULTS, *DEEDS)))}")
    readers = entry[1]
    read: dict[str, Any] = {}
    for key, value in step.arguments.items():
        if key not in readers:
            raise StepError(f"{step.do} knows no {key!r}; it knows {', '.join(sorted(readers)) or 'nothing'}")
        try:
            read[key] = readers[key](value)
        except ValueError as error:
            raise StepError(f"{step.do}: {key} is {value!r}; {error}") from None
    lacking = [name for name in _NEEDED.get(step.do, ()) if name not in read]
    if lacking:
        raise StepError(f"{step.do} needs {', '.join(lacking)}")
    if step.do in DEEDS:
        if step.for_s is not None and step.do not in _LASTING:
            raise StepError(f"{step.do} is done at once: for_s says nothing")
        if step.client is not None:
            raise StepError(f"{step.do} concerns all clients")
    return read


def begin(server: FakeServer, step: Step) -> Callable[[], None] | None:
    """Does what a step says, now.

    Returns:
        What ends it, where it lasts.

    Raises:
        StepError: it cannot be done here.
    """
    arguments = checked(step)
    if step.do in FAULTS:
        if step.do == "maintenance" and step.for_s is not None and "code" not in arguments:
            # Section 7: the server says when it will be over, where it knows.
            arguments.setdefault("end_s", math.ceil(server.now_ms / 1000 + step.for_s))
        try:
            fault = FAULTS[step.do][0](**arguments)
        except ValueError as error:
            raise StepError(f"{step.do}: {error}") from None
        injection: Injection = server.faults.inject(fault, client=step.client)
        return injection.remove
    try:
        ending: Callable[[], None] | None = DEEDS[step.do][0](server, **arguments)
    except (KeyError, ValueError) as error:
        if isinstance(error, StepError):
            raise
        raise StepError(f"{step.do}: {error}") from None
    return ending
