"""`anyctrader tail`: events as they come."""

from __future__ import annotations

import anyctrader.scripts.early  # noqa: F401  # ahead of all that may fail

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

import anyio
import anyio.to_thread
import typer

from anyctrader.scripts.failures import carry_out
from anyctrader.scripts.opening import known_secrets, newest_credentials, open_reading, settings_of
from anyctrader.scripts.options import (
    DebugOption,
    EnvFileOption,
    EnvironmentArgument,
    ExitCode,
    Format,
    FormatOption,
    alone,
    require_symbol,
)
from anyctrader.scripts.signals import until_signalled
from anyctrader.scripts.terminal import escaped, print_json, print_lines, remark
from anyctrader.session import ConnectFailed, Environment, Refused, SessionState, SlowConsumer
from anyctrader.session.chain import iso_ms
from anyctrader.wire import messages as oa
from anyctrader.wire.drafting import DraftError, class_named, require_path, shown_name
from anyctrader.wire.redaction import Redaction
from anyctrader.wire.rendering import Frame, Rendering

if TYPE_CHECKING:
    from pathlib import Path

    from anyctrader.session import Account, Session
    from anyctrader.wire import Message

__all__ = ["Wanted", "tail"]

_HEAD: Final = "36"
_MOST_WAITING: Final = (
    10_000  # events of an account that whoever reads us may be behind; a busy one has some 100 a second
)
_QUOTES: Final = (oa.ProtoOASpotEvent, oa.ProtoOADepthEvent)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are shown.

    Attributes:
        classes: of these messages; all where there are none.
        values: field and value: all must be met. A field is named by its path or the end of it.
    """

    classes: tuple[Any, ...] = ()
    values: tuple[tuple[str, str], ...] = ()

    def takes(self, message: Message, rendering: Rendering) -> bool:
        """Whether this one is."""
        if self.classes and not isinstance(message.payload, self.classes):
            return False
        unmet = set(self.values)
        if unmet:
            for path, value, shown in rendering.facts(message):
                unmet -= {
                    (name, wished)
                    for name, wished in unmet
                    if (path == name or path.endswith(f".{name}")) and wished.lower() in (value.lower(), shown.lower())
                }
        return not unmet


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    environment: Environment
    accounts: list[int]
    symbols: list[str]
    depth: bool
    bars: list[int]
    wanted: Wanted
    seconds: float | None
    brief: bool
    output: Format
    env_file: Path | None


def tail(
    env: EnvironmentArgument,
    symbol: Annotated[
        list[str] | None,
        typer.Option("--symbol", metavar="NAME", help="Quotes of this symbol. May be given more than once."),
    ] = None,
    depth: Annotated[bool, typer.Option("--depth", help="Depth of market of these symbols, too.")] = False,
    bars: Annotated[
        list[str] | None, typer.Option("--bars", metavar="PERIOD", help="Live bars of these symbols: M1, H4, D1 …")
    ] = None,
    account: Annotated[
        list[int] | None,
        typer.Option(
            "--account", metavar="ID", help="Of this account (ctidTraderAccountId); by default the settings'."
        ),
    ] = None,
    name: Annotated[
        list[str] | None, typer.Option("--name", metavar="NAME", help="Only these events: ExecutionEvent, SpotEvent …")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where", metavar="FIELD=VALUE", help="Only events with this value: order.tradeData.symbolId=EURUSD."
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(metavar="N", min=0, help="End by itself after so many seconds.")
    ] = None,
    brief: Annotated[bool, typer.Option("--brief", help="A line for each event.")] = False,
    output: FormatOption = Format.TEXT,
    env_file: EnvFileOption = None,
    debug: DebugOption = False,
) -> None:
    """Shows events as they come.

    All that the server pushes about an account: executions, margin, symbols; with --symbol its quotes, with --depth
    and --bars more of them. Subscriptions are made again after a lost link. It ends on Ctrl-C, and when whoever reads
    it has seen enough.

    Example: anyctrader tail demo --symbol EURUSD --bars M1
    """
    symbols = symbol or []
    require_symbol(symbols, needed_by={"--depth": depth, "--bars": bool(bars)})
    try:
        classes = tuple(
            class_named(f"{each}" if each.lower().endswith("event") else _event(each)) for each in name or []
        )
    except DraftError as error:
        raise typer.BadParameter(escaped(str(error)), param_hint="--name") from None
    for cls in classes:
        if not _is_pushed(cls):
            raise typer.BadParameter(
                f"{cls.__name__} never comes as an event of an account: name one such as ExecutionEvent or SpotEvent",
                param_hint="--name",
            )
    for cls, is_heard, option in (
        (oa.ProtoOASpotEvent, symbols, "--symbol"),
        (oa.ProtoOADepthEvent, depth, "--symbol and --depth"),
    ):
        if cls in classes and not is_heard:
            remark(f"{cls.__name__} was named, and none will come: the server sends them of what {option} asks for")
    heard = classes or tuple(cls for cls in oa.PAYLOAD_CLASSES.values() if cls.__name__.endswith("Event"))
    plan = _Plan(
        environment=Environment(env.value),
        accounts=account or [],
        symbols=symbols,
        depth=depth,
        bars=[_period(each) for each in bars or []],
        wanted=Wanted(classes, tuple(_pair(each, heard) for each in where or [])),
        seconds=seconds,
        brief=brief,
        output=output,
        env_file=env_file,
    )
    carry_out(partial(_tail, plan), debug=debug)


def _is_pushed(cls: Any) -> bool:
    fields = cls.DESCRIPTOR.fields_by_name
    of_account = "ctidTraderAccountId" in fields or "ctidTraderAccountIds" in fields
    return of_account and cls.__name__.endswith("Event")


def _event(name: str) -> str:
    """An event may be named without its last word, which most of them have."""
    try:
        class_named(f"{name}Event")
    except DraftError:
        return name
    return f"{name}Event"


def _period(name: str) -> int:
    try:
        return oa.ProtoOATrendbarPeriod[name.upper()].value
    except KeyError:
        known = ", ".join(oa.ProtoOATrendbarPeriod.__members__)
        raise typer.BadParameter(f"{escaped(shown_name(name))} is no period: {known}", param_hint="--bars") from None


def _pair(text: str, heard: tuple[Any, ...]) -> tuple[str, str]:
    name, is_pair, value = text.partition("=")
    if not (is_pair and name):
        raise typer.BadParameter("write it as FIELD=VALUE", param_hint="--where")
    try:
        require_path(name, heard)
    except DraftError as error:
        raise typer.BadParameter(escaped(str(error)), param_hint="--where") from None
    return name, value


async def _tail(plan: _Plan) -> ExitCode:
    settings, part = settings_of(plan.environment, plan.env_file)
    show = _Show(plan, Redaction(known_secrets(part.credentials, newest_credentials(settings, part))))
    if plan.output is Format.TEXT:
        remark(f"connecting to {part.endpoint.host}:{part.endpoint.port}")
    async with until_signalled():
        with anyio.move_on_after(plan.seconds):
            async with open_reading(settings, part) as session:
                await _follow(session, plan, show, plan.accounts or [part.credentials.account_id or 0])
    return ExitCode.DONE


async def _follow(session: Session, plan: _Plan, show: _Show, accounts: list[int]) -> None:
    """Shows events until cancelled, or until the session is over for good."""
    async with anyio.create_task_group() as tasks:
        for number in accounts:
            account = await session.authorize(number)
            await tasks.start(_listen, account, plan, show)
        if plan.output is Format.TEXT:
            remark(f"listening to {plan.environment.value}, Ctrl-C ends it")
        async with session.changes() as changes:
            async for change in changes:
                if change.state in (SessionState.REFUSED, SessionState.CLOSED):
                    raise session.failure or ConnectFailed(change.reason)
                if change.state in (SessionState.WAITING, SessionState.CONNECTING):
                    remark(f"{change.state.value}: {escaped(change.reason)}")


async def _listen(account: Account, plan: _Plan, show: _Show, *, task_status: Any = anyio.TASK_STATUS_IGNORED) -> None:
    async with account.events(most=_MOST_WAITING) as events:
        await _subscribe(account, plan, show.names)
        task_status.started()
        try:
            async for message in events:
                if plan.wanted.takes(message, show.rendering):
                    # In a thread: whoever reads our results may be slow, and must not hold up the heartbeats.
                    await anyio.to_thread.run_sync(show.event, account.id, message, abandon_on_cancel=True)
        except SlowConsumer as slow:
            raise SlowConsumer(f"whoever reads the results is too slow: {slow}", dropped=slow.dropped) from None


async def _subscribe(account: Account, plan: _Plan, names: dict[int, str]) -> None:
    """Asks for what is to be heard; the session asks again on each new link."""
    if not plan.symbols:
        return
    ids = []
    try:
        symbols = await account.symbols(plan.symbols)
    except Refused as error:  # there is none of that name: it was typed wrong
        raise DraftError(str(error)) from None
    for symbol in symbols:
        names[symbol.id] = symbol.name
        ids.append(symbol.id)
    await account.request(oa.ProtoOASubscribeSpotsReq(symbolId=ids, subscribeToSpotTimestamp=True))
    if plan.depth:
        await account.request(oa.ProtoOASubscribeDepthQuotesReq(symbolId=ids))
    for period in plan.bars:
        for symbol_id in ids:
            await account.request(oa.ProtoOASubscribeLiveTrendbarReq(symbolId=symbol_id, period=period))


@dataclass(slots=True)
class _Show:
    """Writes events."""

    plan: _Plan
    redaction: Redaction
    names: dict[int, str] = field(default_factory=dict)
    rendering: Rendering = field(init=False)

    def __post_init__(self) -> None:
        self.rendering = Rendering(self.names)

    def event(self, account_id: int, message: Message) -> None:
        """Writes one."""
        at = iso_ms(time.time_ns() // 1_000_000)
        message = self.redaction.message(message)
        if self.plan.output is Format.JSON:
            place = {"at": at, "environment": self.plan.environment.value, "account": account_id}
            print_json({**place, **self.rendering.members(Frame(message))})
        elif self.plan.brief or isinstance(message.payload, _QUOTES):
            print_lines([f"{at} {self.rendering.brief(message)}"])
        else:
            head, *rest = self.rendering.lines(Frame(message))
            print_lines([f"{at} {head}", *rest], colour=_HEAD)


if __name__ == "__main__":
    alone(tail)
