"""The state of both connections at a glance: looked up from the desk, and drawn for a terminal of any width."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from anyctrader.session import Mode, SessionState, clock
from anyctrader.wire import Budget
from anyctrader.wire.errors import CTraderError

from .terminal import escaped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rich.console import RenderableType

    from anyctrader.session import Desk, Environment

__all__ = ["View", "draw", "look"]

_COLOURS: Final = MappingProxyType(
    {SessionState.READY: "green", SessionState.WAITING: "yellow", SessionState.REFUSED: "red"}
)
_MOST_POSITIONS: Final = 8  # more would push the rest off a small screen; all of them are in the snapshots


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One environment as it is at a moment.

    Attributes:
        environment: which one.
        state: of its session.
        reason: of that state, the server's text escaped.
        account: the account's id; None while it is not authorised.
        mode: what may be traded.
        why: where that mode comes from, escaped.
        beat_s: seconds since a frame last left, or None without a link.
        heard_s: seconds since a message last came, or None without a link.
        round_trip_ms: of the last timed request, or None.
        used: requests of the last second: ordinary, historical; None without a link.
        most: how many of each may leave.
        queued: requests that wait to leave.
        positions: a line for each open position; None while the account was not restored.
        orders: how many orders wait for their price; None while the account was not restored.
    """

    environment: Environment
    state: SessionState
    reason: str
    account: int | None
    mode: Mode
    why: str
    beat_s: float | None = None
    heard_s: float | None = None
    round_trip_ms: float | None = None
    used: tuple[int, int] | None = None
    most: tuple[int, int] = (0, 0)
    queued: int = 0
    positions: tuple[str, ...] | None = None
    orders: int | None = None


def look(desk: Desk, environment: Environment, *, round_trip_ms: float | None) -> View:
    """What there is to see of an environment now; asks the server nothing."""
    session = desk.session(environment)
    link, now_s = session.link, clock.now_s()
    positions, orders = _holdings(desk, environment)
    return View(
        environment=environment,
        state=session.state,
        reason=escaped(session.reason),
        account=_account(desk, environment),
        mode=desk.mode(environment),
        why=escaped(desk.why(environment)),
        beat_s=now_s - link.heartbeat.sent_s if link is not None else None,
        heard_s=now_s - link.heartbeat.heard_s if link is not None else None,
        round_trip_ms=round_trip_ms if link is not None else None,
        used=_both(link.throttle.used, now_s=now_s) if link is not None else None,
        most=_both(link.throttle.most) if link is not None else (0, 0),
        queued=link.queued if link is not None else 0,
        positions=positions,
        orders=orders,
    )


def _both(figure: Callable[..., int], **arguments: float) -> tuple[int, int]:
    return figure(Budget.ORDINARY, **arguments), figure(Budget.HISTORICAL, **arguments)


def _account(desk: Desk, environment: Environment) -> int | None:
    try:
        return desk.account(environment).id
    except CTraderError:  # not authorised yet: the state says so
        return None


def _holdings(desk: Desk, environment: Environment) -> tuple[tuple[str, ...] | None, int | None]:
    try:
        account, positions = desk.account(environment), desk.positions(environment)
        orders = len(desk.pending_orders(environment))
    except CTraderError:  # not restored yet: the state says so
        return None, None
    lines = []
    for position in positions:
        at = f" at {position.price:f}" if position.price is not None else ""
        stop = f", stop {position.stop_loss:f}" if position.stop_loss is not None else ", no stop"
        units = position.volume_cents / 100
        lines.append(f"{position.side.name} {units:g} {escaped(account.name_of(position.symbol_id))}{at}{stop}")
    return tuple(lines), orders


def draw(views: Sequence[View], *, folder: Path, remarks: Mapping[str, str] | None = None) -> RenderableType:
    """A column for each environment; what is longer than a cell stands below.

    Args:
        views: of the environments.
        folder: where the files are.
        remarks: further lines, by what they are about.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, pad_edge=False)
    table.add_column("", style="dim", no_wrap=True)
    for view in views:
        table.add_column(view.environment.value, style="bold", overflow="fold", min_width=9)
    for name, cells in _rows(views).items():
        table.add_row(name, *cells)
    parts: list[RenderableType] = [table]
    for view in views:
        if view.state is not SessionState.READY:
            parts.append(Text(f"{view.environment.value}: {view.reason}", overflow="fold"))
        if view.mode is not Mode.ON:
            parts.append(Text(f"{view.environment.value} {view.mode.value}: {view.why}", style="dim", overflow="fold"))
        for line in (view.positions or ())[:_MOST_POSITIONS]:
            parts.append(Text(f"{view.environment.value}: {line}", overflow="fold"))
        more = len(view.positions or ()) - _MOST_POSITIONS
        if more > 0:
            parts.append(Text(f"{view.environment.value}: and {more} more positions"))
    for name, text in (remarks or {}).items():
        parts.append(Text(f"{name}: {text}", style="dim", overflow="fold"))
    parts.append(Text(f"files: {folder}", style="dim", overflow="fold"))
    parts.append(Text("Ctrl-C ends", style="dim"))
    return Group(*parts)


def _rows(views: Sequence[View]) -> dict[str, list[Text]]:
    return {
        "state": [Text(view.state.value, style=_COLOURS.get(view.state, "cyan")) for view in views],
        "account": [_text(view.account) for view in views],
        "mode": [_text(view.mode.value.replace("_", " ")) for view in views],
        "last beat": [_ago(view.beat_s) for view in views],
        "heard": [_ago(view.heard_s) for view in views],
        "round trip": [_text(None if view.round_trip_ms is None else f"{view.round_trip_ms:.0f} ms") for view in views],
        "requests": [_share(view, 0) for view in views],
        "history": [_share(view, 1) for view in views],
        "queue": [_text(None if view.used is None else view.queued) for view in views],
        "positions": [_text(None if view.positions is None else len(view.positions)) for view in views],
        "orders": [_text(view.orders) for view in views],
    }


def _text(value: object | None) -> Text:
    return Text("-" if value is None else str(value))


def _ago(seconds: float | None) -> Text:
    return _text(None if seconds is None else f"{seconds:.1f} s ago")


def _share(view: View, index: int) -> Text:
    return _text(None if view.used is None else f"{view.used[index]} of {view.most[index]}/s")
