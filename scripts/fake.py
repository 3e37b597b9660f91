"""`anyctrader fake`: the fake server as a process."""

from __future__ import annotations

import anyctrader.scripts.early  # noqa: F401  # ahead of all that may fail

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import anyio
import typer

from anyctrader.fake import (
    ExchangeSettings,
    FakeServer,
    Host,
    ServerSettings,
    Step,
    StepError,
    StrictnessViolated,
    Timing,
    load_scenario,
)
from anyctrader.fake.exchange_settings import Delays
from anyctrader.fake.market import MarketSettings
from anyctrader.fake.vocabulary import checked
from anyctrader.scripts.failures import carry_out, told
from anyctrader.scripts.options import DebugOption, ExitCode, Format, FormatOption, alone
from anyctrader.scripts.signals import until_signalled
from anyctrader.scripts.terminal import escaped, print_json, print_line, remark

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

__all__ = ["fake"]


def fake(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port of protobuf; 0: any that is free.")] = 0,
    json_port: Annotated[int, typer.Option(min=0, max=65_535, help="Port of JSON; 0: any that is free.")] = 0,
    oauth_port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port of the OAuth pages, plain HTTP; 0: any that is free.")
    ] = 0,
    control_port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port where faults and prices are changed, loopback only; 0: any.")
    ] = 0,
    live: Annotated[bool, typer.Option("--live/--demo", help="Which of the two environments to play.")] = False,
    scenario: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings, and steps on a timeline; TOML, or JSON.")
    ] = None,
    do: Annotated[
        list[str] | None,
        typer.Option(metavar="STEP", help="A step, such as 'drop_after nth=3 at_s=5'. May be given more than once."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 if a client did what the real server would have refused.")
    ] = False,
    seed: Annotated[str, typer.Option(help="The same seed gives the same credentials and prices.")] = "",
    speed: Annotated[
        int, typer.Option(min=1, help="Hours of the price path that pass in an hour: a divisor or multiple of 60.")
    ] = 1,
    instant: Annotated[
        bool, typer.Option("--instant", help="Answer and fill without the real server's delays.")
    ] = False,
    log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What the server thinks of its clients, a line each; -: stderr.")
    ] = None,
    output: FormatOption = Format.JSON,
    debug: DebugOption = False,
) -> None:
    """Runs the fake server.

    When it listens it prints one JSON line with its ports, the file of its certificate authority and its made-up
    credentials. It ends on Ctrl-C.

    Example: anyctrader fake --port 5035 --seed demo
    """
    try:
        market = MarketSettings(speed=speed)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--speed") from None
    exchange = ExchangeSettings(market=market, delays=Delays.none() if instant else Delays())
    settings = ServerSettings(
        host=Host.LIVE if live else Host.DEMO,
        bind=host,
        port=port,
        json_port=json_port,
        oauth_port=oauth_port,
        control_port=control_port,
        seed=seed,
        exchange=exchange,
        timing=Timing.instant() if instant else Timing(),
        strict=strict,
    )
    carry_out(partial(_serve, _with_steps(_with_scenario(settings, scenario), do or []), log, output), debug=debug)


def _with_scenario(settings: ServerSettings, scenario: Path | None) -> ServerSettings:
    """The settings; what a scenario says has the last word."""
    if scenario is None:
        return settings
    try:
        return load_scenario(scenario, settings)
    except OSError as error:
        raise typer.BadParameter(told(error), param_hint="--scenario") from None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--scenario") from None


def _with_steps(settings: ServerSettings, steps: list[str]) -> ServerSettings:
    try:
        read = tuple(Step.from_text(step) for step in steps)
        for step in read:
            checked(step)
    except StepError as error:
        raise typer.BadParameter(str(error), param_hint="--do") from None
    return replace(settings, steps=(*settings.steps, *read))


async def _serve(settings: ServerSettings, log: Path | None, output: Format) -> ExitCode:
    listening = False
    with ExitStack() as stack:
        if log is not None:
            settings = replace(settings, log=_logger(log, stack))
        server = FakeServer(settings)
        try:
            async with until_signalled(), server:
                listening = True
                _tell(_ready(server), output)
                await anyio.sleep_forever()
        except StepError as error:  # one that is due at once, and cannot be done
            remark(escaped(str(error)))
            return ExitCode.USAGE
        except OSError as error:
            if listening:
                raise
            remark(f"cannot listen on {settings.bind}: {told(error)}")
            return ExitCode.NO
    return _judged(server)


def _tell(ready: dict[str, Any], output: Format) -> None:
    """What a client needs to know, in one JSON line or a line each."""
    if output is Format.JSON:
        print_json(ready)
        return
    for name, value in ready.items():
        if name == "accounts":
            for account in value:
                kind = "live" if account["isLive"] else "demo"
                print_line(f"account: {account['ctidTraderAccountId']} ({kind})")
        elif name != "ready":
            print_line(f"{name}: {escaped(str(value))}")


def _judged(server: FakeServer) -> ExitCode:
    """Says what a strict server has against its clients."""
    try:
        server.check()
    except StrictnessViolated as violated:
        for violation in violated.violations:
            remark(escaped(f"the real server would have refused: {violation}"))
        return ExitCode.NO
    return ExitCode.DONE


def _ready(server: FakeServer) -> dict[str, Any]:
    return {
        "ready": True,
        "host": server.host,
        "port": server.port,
        "json_port": server.json_port,
        "oauth_url": server.oauth_url,
        "control_port": server.control_port,
        "ca_file": str(server.ca_file),
        "client_id": server.client_id,
        "client_secret": server.client_secret,
        "access_token": server.access_token,
        "refresh_token": server.refresh_token,
        "accounts": [
            {"ctidTraderAccountId": account.account_id, "isLive": account.is_live} for account in server.accounts
        ],
    }


def _logger(file: Path, stack: ExitStack) -> Callable[[str], None]:
    if str(file) == "-":
        return lambda line: remark(escaped(line))
    opened: TextIO = stack.enter_context(file.open("a", encoding="utf-8", buffering=1))
    return lambda line: print(escaped(line), file=opened)


if __name__ == "__main__":
    alone(fake)
