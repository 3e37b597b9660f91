"""`anyctrader proxy`: a man in the middle on this machine, for looking at what any client says and hears."""

from __future__ import annotations

import anyctrader.scripts.early  # noqa: F401  # ahead of all that may fail

import os
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anyctrader.scripts.door import (
    Address,
    CaFileOption,
    KeyLogOption,
    ListenOption,
    check_ca_file,
    open_door,
    remark_key_log,
)
from anyctrader.scripts.failures import carry_out
from anyctrader.scripts.opening import known_secrets, newest_credentials, settings_of
from anyctrader.scripts.options import (
    DebugOption,
    EnvFileOption,
    EnvironmentArgument,
    ExitCode,
    Format,
    FormatOption,
    TransportChoice,
    alone,
    check_recording,
    check_transport,
)
from anyctrader.scripts.passing import Screen
from anyctrader.scripts.signals import until_signalled
from anyctrader.scripts.terminal import escaped, print_json, remark
from anyctrader.session import AuditUnavailable, ConnectFailed, Environment, Mode, open_audit
from anyctrader.session.proxy import Proxy
from anyctrader.session.recorder import open_recorder

if TYPE_CHECKING:
    from anyctrader.scripts.door import Door, Visitor
    from anyctrader.session import Audit, EnvironmentSettings
    from anyctrader.session.recorder import Recorder

__all__ = ["proxy"]


def proxy(
    env: EnvironmentArgument,
    listen: ListenOption = "127.0.0.1:0",
    record: Annotated[
        Path | None,
        typer.Option("--record", metavar="FILE", callback=check_recording, help="Record every frame, secrets covered."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no frames.")] = False,
    brief: Annotated[bool, typer.Option("--brief", help="A line for each frame.")] = False,
    transport: Annotated[
        TransportChoice | None,
        typer.Option(
            metavar="HOW",
            callback=check_transport,
            help="Reach the server by tcp or websocket; by default as the client comes, or by the settings' websocket.",
        ),
    ] = None,
    ca_file: CaFileOption = None,
    key_log: KeyLogOption = None,
    output: FormatOption = Format.TEXT,
    env_file: EnvFileOption = None,
    debug: DebugOption = False,
) -> None:
    """Stands between any client and the server and shows each frame.

    Clients connect to it in the server's place, over TCP or WebSocket, and trust the certificate that it names.
    Messages pass on unchanged, but for what the guard refuses: that is answered with an error, and goes on record. It
    ends on Ctrl-C.

    Example: anyctrader proxy demo --listen 127.0.0.1:5035 --record demo.jsonl
    """
    if quiet and brief:
        raise typer.BadParameter("no frame is shown with --quiet", param_hint="--brief")
    check_ca_file(ca_file)
    address = Address.parsed(listen)
    environment = Environment(env.value)

    shown = partial(Screen, output=output, brief=brief, quiet=quiet)
    run = partial(_proxy, environment, address, shown, record, transport, ca_file, key_log, output, env_file)
    carry_out(run, debug=debug)


async def _proxy(
    environment: Environment,
    address: Address,
    shown: partial[Screen],
    record: Path | None,
    transport: TransportChoice | None,
    ca_file: Path | None,
    key_log: Path | None,
    output: Format,
    env_file: Path | None,
) -> ExitCode:
    settings, part = settings_of(environment, env_file)
    known = known_secrets(part.credentials, newest_credentials(settings, part))
    remark_key_log(key_log)
    screen = shown(part.codec, secrets=known)
    recorder: Recorder | None = None
    async with until_signalled(), AsyncExitStack() as stack:
        audit = await _audit(stack, settings.log_folder)
        if record is not None:
            recorder = await stack.enter_async_context(open_recorder(record, secrets=known))
        between = Proxy(
            part,
            endpoint=replace(part.endpoint, key_log_file=key_log),
            transport=transport.value if transport is not None else None,
            audit=audit,
            halts=settings.log_folder,
            why=_why(part),
            recorder=recorder,
            onlooker=screen,
            secrets=known,
        )

        async def serve(visitor: Visitor) -> None:
            try:
                await between.serve(visitor.stream, transport=visitor.transport, said=visitor.said)
            except ConnectFailed:
                pass  # the screen has told it, and the client's stream is closed

        async with open_door(address, serve, ca_file=ca_file, key_log=key_log) as door:
            _tell(door, part, between.mode, output)
            await screen.show()
    if recorder is not None:
        _tell_recorded(recorder)
    if await screen.is_stuck():
        # A thread waits in a write to a pipe that nobody reads, and Python would wait for that thread. All files are
        # closed by now, and every client is gone.
        remark("what reads the frames does not take them: the last ones are not shown")
        os._exit(ExitCode.DONE)
    return ExitCode.DONE


async def _audit(stack: AsyncExitStack, folder: Path) -> Audit | None:
    """The order audit, where nobody else writes it."""
    try:
        return await stack.enter_async_context(open_audit(folder))
    except AuditUnavailable as error:
        remark(f"nothing that trades will pass, since it cannot be put on record: {escaped(str(error))}")
        return None


def _why(part: EnvironmentSettings) -> str:
    if part.environment.is_live and not part.live_enabled:
        return "CTRADER_LIVE_ENABLED is not true"
    return "the mode of the settings"


def _tell(door: Door, part: EnvironmentSettings, mode: Mode, output: Format) -> None:
    environment = part.environment
    if output is Format.JSON:
        ready = {"ready": True, "host": door.host, "port": door.port, "ca_file": str(door.ca_file)}
        print_json(ready | {"environment": environment.value, "codec": part.codec, "mode": mode.value})
        return
    remark(f"{environment.value} ({part.codec}, trading {mode.value}) is at {door.host}:{door.port}")
    if mode is Mode.ON and (limits := part.limits.in_force):
        remark(f"nothing that opens will pass: limits are set ({', '.join(limits)}), and the proxy cannot hold them")
    remark(f"its certificate: {door.ca_file}")


def _tell_recorded(recorder: Recorder) -> None:
    remark(f"{recorder.frames} frames recorded in {escaped(str(recorder.path))}")
    if recorder.lost:
        remark(f"{recorder.lost} frames were not recorded ({escaped(recorder.trouble or 'the disk did not keep up')})")


if __name__ == "__main__":
    alone(proxy)
