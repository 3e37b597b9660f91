"""`anyctrader ping`: each step of a connection, timed; what a server is, and whether it serves us."""

from __future__ import annotations

import anyctrader.scripts.early  # noqa: F401  # ahead of all that may fail

import enum
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

import anyio
import typer

from anyctrader.scripts.failures import carry_out
from anyctrader.scripts.opening import newest_credentials, secrets_of_settings
from anyctrader.scripts.options import (
    DebugOption,
    EnvFileOption,
    EnvironmentArgument,
    ExitCode,
    Format,
    FormatOption,
    TransportChoice,
    alone,
    check_transport,
)
from anyctrader.scripts.ping_steps import Pinged, Target, delimitings, ping_one
from anyctrader.scripts.progress import waited
from anyctrader.scripts.signals import until_signalled
from anyctrader.scripts.terminal import escaped, print_json, print_lines, remark
from anyctrader.session import Environment, SettingsError, load_settings
from anyctrader.session.environments import STANDARD_PORTS, Endpoint
from anyctrader.session.registration import load_registration
from anyctrader.wire.drafting import DraftError

if TYPE_CHECKING:
    from pathlib import Path

    from anyctrader.scripts.ping_steps import Step
    from anyctrader.session.proxies import ProxyChoice

__all__ = ["hosts_of", "ping"]

_REGIONS: Final = ("eu", "sg", "au", "use")  # docs/protocol.md section 1, older regional names
_NUMBERS: Final = ("", "-1", "-2")
_AT_ONCE: Final = 4  # an application may hold 25 connections, and others of it may be at work
_LEAST_S: Final = 0.1  # a round trip to another continent is longer
_MOST_S: Final = 600.0  # whoever never gets an answer is to hear of it; a proxy that dials may take a minute
_GOOD, _BAD = "32", "31"  # green, red


class PingCodec(enum.Enum):
    """How to talk."""

    PROTOBUF = "protobuf"
    JSON = "json"


def hosts_of(environment: Environment) -> list[str]:
    """The published host of an environment, and the regional ones that have been published."""
    regional = [f"{environment.value}-{region}{number}.ctraderapi.com" for region in _REGIONS for number in _NUMBERS]
    return [environment.host, *regional]


def _checked_wait(wait_s: float) -> float:
    if not _LEAST_S <= wait_s <= _MOST_S:  # of nan neither holds
        raise typer.BadParameter(f"it is from {_LEAST_S:g} to {_MOST_S:g} seconds")
    return wait_s


def ping(
    env: EnvironmentArgument,
    everywhere: Annotated[bool, typer.Option("--all", help="The published host and every regional one.")] = False,
    codec: Annotated[
        PingCodec | None,
        typer.Option(
            help="How to talk; by default as the settings say. json tries each way of telling messages apart."
        ),
    ] = None,
    transport: Annotated[
        TransportChoice | None,
        typer.Option(metavar="HOW", callback=check_transport, help="tcp or websocket; by default as the settings say."),
    ] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="Another port than the settings'.")] = None,
    symbol: Annotated[str, typer.Option(metavar="NAME", help="Whose quotes tell the server's clock.")] = "EURUSD",
    wait_s: Annotated[
        float,
        typer.Option("--wait", metavar="S", callback=_checked_wait, help="Seconds that a step may take, at most 600."),
    ] = 10.0,
    output: FormatOption = Format.TEXT,
    env_file: EnvFileOption = None,
    debug: DebugOption = False,
) -> None:
    """Times each step of a connection.

    Name, TCP, TLS with its certificate, version, application, heartbeat; CONNECT where a proxy is on the way, and the
    upgrade of a WebSocket; with a token also the account, and the offset of this machine's clock against the server's,
    as far as quotes tell it. Nothing is traded, and nothing is written.

    Exit code 3: a step failed; 1: the server was reached, and refused the application, the token or the account. With
    --all: at every host.

    Example: anyctrader ping demo
    """
    environment = Environment(env.value)
    ask = partial(
        _targets,
        environment,
        env_file,
        everywhere=everywhere,
        codec=codec,
        transport=transport,
        port=port,
        symbol=symbol,
    )
    carry_out(partial(_ping, ask, wait_s, output), debug=debug)


async def _ping(ask: partial[list[Target]], wait_s: float, output: Format) -> ExitCode:
    targets = ask()
    single = len(targets) == 1  # of several none may write over what another one shows
    results: dict[int, Pinged] = {}
    news = anyio.Event()
    limit = anyio.Semaphore(_AT_ONCE)
    answered = False

    async def one(number: int, target: Target) -> None:
        nonlocal news
        async with limit:
            results[number] = await ping_one(
                target,
                wait_s=wait_s,
                told=partial(_told, output, single),
                waiting=partial(waited, shown=single),
            )
        news.set()
        news = anyio.Event()

    async with until_signalled() as interruption:
        async with anyio.create_task_group() as tasks:
            for number, target in enumerate(targets):
                tasks.start_soon(one, number, target)
            for number in range(len(targets)):
                with waited(f"asking {len(targets)} hosts", shown=not single):
                    while number not in results:
                        await news.wait()
                if not single:
                    _show(results[number], output)
                answered = answered or results[number].ok
    if interruption.signal is not None:
        remark("interrupted")
        return ExitCode.NO
    if not single and output is Format.TEXT:
        remark(f"{sum(result.ok for result in results.values())} of {len(targets)} hosts answered")
    if answered:
        return ExitCode.DONE
    return ExitCode.NO if any(result.refused for result in results.values()) else ExitCode.NO_CONNECTION


def _targets(
    environment: Environment,
    env_file: Path | None,
    *,
    everywhere: bool,
    codec: PingCodec | None,
    transport: TransportChoice | None,
    port: int | None,
    symbol: str,
) -> list[Target]:
    registration = load_registration(environment, env_file)
    credentials, lacking = None, ""
    try:
        settings = load_settings(env_file)
        credentials = newest_credentials(settings, settings.environments[environment])
    except SettingsError as error:  # a token is needed for the account and the clock alone
        lacking = _lacking(error, environment)
    endpoint = registration.endpoint
    chosen: Any = codec.value if codec is not None else registration.codec
    hosts = hosts_of(environment) if everywhere else [endpoint.host]
    # A server of one's own has a port and an authority that say nothing about the published ones.
    own = endpoint.host in hosts
    if port is None and own and chosen == registration.codec:
        port = endpoint.port
    elif port is None and own and endpoint.port not in STANDARD_PORTS.values():
        raise DraftError(
            f"the settings name port {endpoint.port}, which speaks {registration.codec}: name that of {chosen} "
            "with --port"
        )
    way = transport.value if transport is not None else endpoint.transport
    secrets = tuple(secrets_of_settings(env_file))
    wanted = Endpoint(
        endpoint.host,
        port if port is not None else STANDARD_PORTS[chosen],
        endpoint.ca_file if own else None,
        endpoint.delimiting if way == "tcp" else "length",
        way,
        endpoint.proxy,
    )
    return [
        Target(
            environment=environment,
            endpoint=each,
            codec=chosen,
            delimitings=delimitings(each, chosen, every=codec is PingCodec.JSON),
            client_id=registration.client_id,
            client_secret=registration.client_secret,
            credentials=credentials,
            lacking=lacking,
            secrets=secrets,
            symbol=symbol,
        )
        for each in (_at(wanted, host, registration.proxies) for host in hosts)
    ]


def _lacking(error: SettingsError, environment: Environment) -> str:
    """Why there is no token to be used: what a login finds out is missing, or something else is wrong."""
    name = environment.value.upper()
    token, account = (f"CTRADER_{name}_{key} is missing" for key in ("ACCESS_TOKEN", "ACCOUNT_ID"))
    others = [problem for problem in error.problems if not problem.startswith((token, account))]
    if not others and any(problem.startswith(token) for problem in error.problems):
        return "that takes a token and an account (anyctrader login)"
    # Where to get what is missing is told by every command that cannot do without it.
    told = [problem.partition(" is missing: ") for problem in others or error.problems]
    return f"the settings cannot be used: {'; '.join(key + missing.rstrip(': ') for key, missing, _ in told)}"


def _at(endpoint: Endpoint, host: str, proxies: ProxyChoice) -> Endpoint:
    """The endpoint at a host, which may be another one, and the proxy of that."""
    if host == endpoint.host:
        return endpoint
    return replace(endpoint, host=host, proxy=proxies.towards(host, endpoint.port))


def _told(output: Format, now: bool, target: Target, step: Step | None) -> None:
    """Shows a step as soon as it has ended, where no other host's would come in between."""
    if not now:
        return
    if step is None:
        if output is Format.TEXT:
            print_lines([str(target)])
        return
    _show_step(target, step, output)


def _show(result: Pinged, output: Format) -> None:
    if output is Format.TEXT:
        print_lines([str(result.target)])
    for step in result.steps:
        _show_step(result.target, step, output)


def _show_step(target: Target, step: Step, output: Format) -> None:
    if output is Format.JSON:
        took = round(step.took_ms, 3) if step.took_ms is not None else None
        where = {"host": target.endpoint.host, "port": target.endpoint.port, "codec": target.codec}
        done = {"transport": target.endpoint.transport, "step": step.name, "ok": step.ok, "ms": took}
        print_json({**where, **done, "detail": escaped(step.detail), **step.facts})
        return
    took_text = f"{step.took_ms:8.1f} ms" if step.took_ms is not None else " " * 11
    line = f"  {step.name:<12}{took_text}  {escaped(step.detail)}".rstrip()
    print_lines([line], colour={True: _GOOD, False: _BAD, None: ""}[step.ok])


if __name__ == "__main__":
    alone(ping)
