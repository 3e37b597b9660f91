"""`anyctrader record`: every frame of a connection of its own, in a file."""

from __future__ import annotations

import anyctrader.scripts.early  # noqa: F401  # ahead of all that may fail

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from anyctrader.scripts.door import KeyLogOption, remark_key_log
from anyctrader.scripts.failures import carry_out
from anyctrader.scripts.opening import known_secrets, newest_credentials, settings_of
from anyctrader.scripts.options import (
    DebugOption,
    EnvFileOption,
    EnvironmentArgument,
    ExitCode,
    Format,
    FormatOption,
    alone,
    check_recording,
    require_symbol,
)
from anyctrader.scripts.signals import until_signalled
from anyctrader.scripts.terminal import escaped, print_json, print_line, remark
from anyctrader.session import Environment, Mode, Refused
from anyctrader.session.recorded import open_recorded
from anyctrader.session.recorder import open_recorder
from anyctrader.wire import messages as oa
from anyctrader.wire.drafting import DraftError

if TYPE_CHECKING:
    from anyctrader.session import Session
    from anyctrader.session.recorder import Recorder

__all__ = ["record"]


def record(
    env: EnvironmentArgument,
    to: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            callback=check_recording,
            help="The recording; gone on with if it is there.",
        ),
    ],
    symbol: Annotated[
        list[str] | None,
        typer.Option("--symbol", metavar="NAME", help="Quotes of this symbol. More than once for more."),
    ] = None,
    depth: Annotated[bool, typer.Option("--depth", help="Their depth of market too.")] = False,
    for_s: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", min=0.0, help="End after this time; else on Ctrl-C.")
    ] = None,
    key_log: KeyLogOption = None,
    output: FormatOption = Format.TEXT,
    env_file: EnvFileOption = None,
    debug: DebugOption = False,
) -> None:
    """Records every frame of a connection of its own, both ways.

    It never trades. Secrets are covered before anything is written; what cannot be read is recorded as its length and
    hash. It stays connected as a desk does, and ends on Ctrl-C.

    Example: anyctrader record demo -o demo.jsonl --symbol EURUSD
    """
    require_symbol(symbol or [], needed_by={"--depth": depth})
    action = partial(_record, Environment(env.value), to, symbol or [], depth, for_s, key_log, output, env_file)
    carry_out(action, debug=debug)


async def _record(
    environment: Environment,
    to: Path,
    symbols: list[str],
    depth: bool,
    for_s: float | None,
    key_log: Path | None,
    output: Format,
    env_file: Path | None,
) -> ExitCode:
    settings, part = settings_of(environment, env_file)
    remark_key_log(key_log)
    async with open_recorder(
        to, secrets=known_secrets(part.credentials, newest_credentials(settings, part))
    ) as recorder:
        async with until_signalled():
            async with open_recorded(
                part,
                recorder=recorder,
                mode=Mode.OFF,
                why="a recording never trades",
                endpoint=replace(part.endpoint, key_log_file=key_log),
                token_folder=settings.token_folder,
            ) as session:
                assert part.credentials.account_id is not None
                await _listen(session, part.credentials.account_id, symbols, depth=depth)
                remark(f"recording {environment.value} into {escaped(str(to))}")
                with anyio.move_on_after(for_s):
                    await _until_trouble(recorder)
    lost = recorder.lost or (1 if recorder.trouble else 0)
    if output is Format.JSON:
        print_json({"file": str(to), "frames": recorder.frames, "lost": recorder.lost, "trouble": recorder.trouble})
    else:
        print_line(f"{recorder.frames} frames recorded in {escaped(str(to))}")
        if lost:
            remark(f"{recorder.lost} frames were not: {escaped(recorder.trouble or 'the disk did not keep up')}")
    return ExitCode.NO if lost else ExitCode.DONE


async def _listen(session: Session, account_id: int, names: list[str], *, depth: bool) -> None:
    """Authorises the account, and has the server say what is to be recorded.

    Raises:
        CTraderError: see `Session.request`.
    """
    account = await session.authorize(account_id)
    try:
        ids = [(await account.symbol(name)).id for name in names]
    except Refused as error:  # there is none of that name: it was typed wrong
        raise DraftError(str(error)) from None
    if ids:
        await account.request(oa.ProtoOASubscribeSpotsReq(symbolId=ids))
        if depth:
            await account.request(oa.ProtoOASubscribeDepthQuotesReq(symbolId=ids))


async def _until_trouble(recorder: Recorder) -> None:
    """Returns when the disk takes no more: a recording that records nothing is not to look like one that does."""
    while recorder.trouble is None:  # noqa: ASYNC110 - a look a second is soon enough, and costs nothing
        await anyio.sleep(1)


if __name__ == "__main__":
    alone(record)
