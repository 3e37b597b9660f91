"""`anyctrader replay`: a recording played back, to a client or to a server."""

from __future__ import annotations

import anyctrader.scripts.early  # noqa: F401  # ahead of all that may fail

import io
import math
import os
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from anyctrader.scripts.door import Address, CaFileOption, KeyLogOption, ListenOption, open_door, remark_key_log
from anyctrader.scripts.failures import carry_out, code_of, interruptible, told
from anyctrader.scripts.opening import known_secrets, newest_credentials, settings_of
from anyctrader.scripts.options import (
    DebugOption,
    EnvFileOption,
    EnvironmentName,
    ExitCode,
    Format,
    FormatOption,
    alone,
)
from anyctrader.scripts.progress import Progress, waited
from anyctrader.scripts.prompt import Prompt
from anyctrader.scripts.signals import LastWord, until_signalled
from anyctrader.scripts.terminal import escaped, is_terminal, print_json, print_line, remark
from anyctrader.session import AuditUnavailable, CTraderError, Environment, Mode, open_audit
from anyctrader.session.conversation import Conversation, conversations, differences, is_ignored, unasked_of
from anyctrader.session.player import Outcome, play_to_server
from anyctrader.session.recorded import open_recorded
from anyctrader.session.recorder import open_recorder
from anyctrader.session.recording import read_lines, read_recording
from anyctrader.session.replay import Pace, ReplayedServer
from anyctrader.wire import Delimiting
from anyctrader.wire.drafting import DraftError, require_pattern
from anyctrader.wire.redaction import Redaction
from anyctrader.wire.rendering import Rendering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO

    from anyctrader.scripts.door import Visitor
    from anyctrader.session import Audit
    from anyctrader.session.conversation import Said
    from anyctrader.session.recording import Damage, Opened, Record
    from anyctrader.wire import Message

__all__ = ["replay"]

_LEFT_OUT = ("ProtoOAApplicationAuthReq", "ProtoOARefreshTokenReq")  # the session's own, or never said again
_NOT_TOLD = LastWord("interrupted: what was not told of was not said, or its answer was not waited for", ExitCode.NO)
_LATE_S = 1.0  # what follows the last answer is compared too: a fill follows its acceptance within 0.2 s
_MOST_REMARKS = 10  # on a file: one that is no recording at all is wrong in every line
_MOST_SHOWN = 100  # differences: a client that does something else altogether differs in everything


@dataclass(frozen=True, slots=True)
class _Wish:
    """What was asked for on the command line."""

    pace: Pace
    check: bool
    ignored: tuple[str, ...]
    output: Format


def replay(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recording of `record` or of `proxy --record`.")],
    to: Annotated[
        EnvironmentName | None,
        typer.Option(
            "--to", metavar="ENV", help="Be the client, and say the requests again to this server: demo or live."
        ),
    ] = None,
    listen: ListenOption = "127.0.0.1:0",
    connection: Annotated[
        str | None, typer.Option("--connection", metavar="NAME", help="Which connection of the recording; the first.")
    ] = None,
    speed: Annotated[float, typer.Option("--speed", min=0.001, help="10: ten times as fast as recorded.")] = 1.0,
    fast: Annotated[bool, typer.Option("--fast", help="Without any waiting.")] = False,
    step: Annotated[bool, typer.Option("--step", help="Wait for Enter before each message.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Compare what comes back with what was recorded; exit 1 if it differs.")
    ] = False,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore", metavar="FIELD", help="Do not compare this field, or such fields: *Timestamp. May be repeated."
        ),
    ] = None,
    record: Annotated[
        Path | None, typer.Option("--record", metavar="FILE", help="With --to: record the replay itself.")
    ] = None,
    ca_file: CaFileOption = None,
    key_log: KeyLogOption = None,
    output: FormatOption = Format.TEXT,
    env_file: EnvFileOption = None,
    debug: DebugOption = False,
) -> None:
    """Plays a recording back, to a client or to a server.

    It is the server to clients, and needs no settings and no account then: it serves until Ctrl-C, with --check one
    client. With --to it is the client to a server, and passes through the guard, the limits and the audit like any
    order; the token in use stands in for the covered ones.

    Example: anyctrader replay demo.jsonl --fast
    """
    _check_options(context, to=to, check=check, fast=fast, step=step)
    for pattern in ignore or ():
        try:
            require_pattern(pattern)
        except DraftError as error:
            raise typer.BadParameter(escaped(str(error)), param_hint="--ignore") from None
    address = Address.parsed(listen)
    stepped = _Stepped(Rendering()) if step else None
    pace = Pace(math.inf if fast else speed, stepped)
    wish = _Wish(pace, check, tuple(ignore or ()), output)
    try:
        with interruptible():
            conversation = _conversation(file, connection)
    except OSError as error:
        raise typer.BadParameter(told(error), param_hint="FILE") from None
    _check_known(conversation.opened, served=to is None)
    if ca_file is not None:
        _check_ca_file(ca_file)
    if to is None:
        carry_out(partial(_to_client, conversation, address, ca_file, key_log, wish), debug=debug)
    carry_out(partial(_to_server, conversation, Environment(to.value), record, key_log, env_file, wish), debug=debug)


def _check_options(context: typer.Context, *, to: EnvironmentName | None, check: bool, fast: bool, step: bool) -> None:
    """Sees that no option was given that would do nothing.

    Raises:
        typer.BadParameter: one was.
    """
    idle = {
        "record": "it records a replay to a server: name one with --to" if to is None else "",
        "env_file": "the settings are for a server: name one with --to" if to is None else "",
        "listen": "nothing listens with --to" if to is not None else "",
        "ca_file": "nothing listens with --to" if to is not None else "",
        "ignore": "nothing is compared without --check" if not check else "",
        "speed": f"there is no waiting with {'--fast' if fast else '--step'}" if fast or step else "",
    }
    for name, why in idle.items():
        source = context.get_parameter_source(name)
        if why and source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(why, param_hint=f"--{name.replace('_', '-')}")


def _check_known(opened: Opened, *, served: bool) -> None:
    """Sees that a connection is told of in words that are known here.

    Raises:
        typer.BadParameter: it is not.
    """
    known: dict[str, tuple[str, ...]] = {"codec": ("protobuf", "json")}
    if served:
        known["delimiting"] = tuple(each.value for each in Delimiting)
    for name, words in known.items():
        if (word := getattr(opened, name)) not in words:
            said = f"the {name} of connection {opened.connection} is {word!r}, and none of {', '.join(words)}"
            raise typer.BadParameter(escaped(said), param_hint="FILE")


def _check_ca_file(ca_file: Path) -> None:
    """Sees that the certificate can be written before anything listens; the file is made if need be.

    Raises:
        typer.BadParameter: it cannot.
    """
    try:
        os.close(os.open(ca_file, os.O_WRONLY | os.O_CREAT, 0o666))
    except OSError as error:
        raise typer.BadParameter(f"the certificate cannot be written: {told(error)}", param_hint="--ca-file") from None


def _conversation(file: Path, connection: str | None) -> Conversation:
    """The connection of a recording that is meant.

    Raises:
        OSError: the file cannot be read.
        typer.BadParameter: it has no such connection, or none at all.
    """
    remarks: list[str] = []
    with file.open("rb") as opened:
        kept = None
        if not opened.seekable():  # what comes through a pipe can be read once only, so all of it is kept
            with waited("reading"):
                kept = opened.read()
        size = file.stat().st_size if kept is None else len(kept)
        found = conversations(_watched(opened if kept is None else io.BytesIO(kept), size), remarks=remarks)
    for text in remarks[:_MOST_REMARKS]:
        remark(escaped(f"{file}: {text}"))
    if len(remarks) > _MOST_REMARKS:
        rest = len(remarks) - _MOST_REMARKS
        remark(f"and {rest} more such remark{'s' * (rest != 1)}")
    if not found:
        said = f"{escaped(str(file))} holds no connection, for no line of it tells that one was opened"
        raise typer.BadParameter(f"{said}: is it a recording, and was its begin cut off?", param_hint="FILE")
    if connection is not None and connection not in found:
        raise typer.BadParameter(f"it is none of {', '.join(map(escaped, found))}", param_hint="--connection")
    name = connection if connection is not None else next(iter(found))
    if len(found) > 1:
        remark(escaped(f"connection {name} of {', '.join(found)}"))
    chosen = found[name]
    chosen.unasked = partial(_unasked, lambda: file.open("rb") if kept is None else io.BytesIO(kept), name)
    if chosen.withheld:
        many, whose = (
            ("1 frame", "its body was") if chosen.withheld == 1 else (f"{chosen.withheld} frames", "their bodies were")
        )
        remark(f"{many} cannot be played: {whose} not kept, or cannot be read")
    return chosen


def _watched(recording: BinaryIO, size: int) -> Iterator[Record | Damage]:
    """What it says; whoever waits for it sees how far it is."""
    with Progress("reading", size) as progress:
        for line in read_lines(recording):
            progress.at(line.offset + line.size)
            yield line.said


def _unasked(recording: Callable[[], BinaryIO], connection: str) -> Iterator[Said]:
    with recording() as opened:
        yield from unasked_of(read_recording(opened), connection)


# As the server


async def _to_client(
    conversation: Conversation, address: Address, ca_file: Path | None, key_log: Path | None, wish: _Wish
) -> ExitCode:
    remark_key_log(key_log)
    opened = conversation.opened
    over = anyio.Event()
    checked: list[ReplayedServer] = []

    async def serve(visitor: Visitor) -> None:
        if checked:
            remark("another client has come, and is sent away: a check is of one")
            return
        remark(f"a client is connected{' over websocket' if visitor.transport == 'websocket' else ''}")
        server = ReplayedServer(conversation, pace=wish.pace)
        if wish.check:
            checked.append(server)
        reason = await server.serve(visitor.stream, transport=visitor.transport, said=visitor.said)
        remark(f"the client is gone: {escaped(reason)}")
        if wish.check:
            over.set()

    async with until_signalled():
        async with open_door(address, serve, ca_file=ca_file, key_log=key_log) as door:
            if wish.output is Format.JSON:
                ready = {"ready": True, "host": door.host, "port": door.port, "ca_file": str(door.ca_file)}
                print_json(ready | {"environment": opened.environment, "codec": opened.codec})
            else:
                what = f"{opened.environment} ({opened.codec})"  # whatever a recording says there
                remark(f"{escaped(what)}, replayed, is at {door.host}:{door.port}")
                remark(f"its certificate: {escaped(str(door.ca_file))}")
            await over.wait()
    if not wish.check:
        return ExitCode.DONE
    server = checked[0] if checked else ReplayedServer(conversation, pace=wish.pace)  # one to which nothing was said
    found = [each for each in server.differences if not _is_ignored(each, wish.ignored)]
    return _judged(_covered(found, conversation), wish, finished=over.is_set())


def _is_ignored(difference: str, ignored: tuple[str, ...]) -> bool:
    return is_ignored(difference.partition(": ")[2].partition(" ")[0], ignored)


# As the client


async def _to_server(
    conversation: Conversation,
    environment: Environment,
    record: Path | None,
    key_log: Path | None,
    env_file: Path | None,
    wish: _Wish,
) -> ExitCode:
    remark_key_log(key_log)
    settings, part = settings_of(environment, env_file)
    secrets = known_secrets(part.credentials, newest_credentials(settings, part))
    outcomes: list[Outcome] = []
    begun = over = False

    def tell(outcome: Outcome) -> None:
        outcomes.append(outcome)
        _show(outcome, wish.output)

    with tempfile.TemporaryDirectory(prefix="anyctrader-") as folder:
        taken = record if record is not None else Path(folder) / "replay.jsonl"
        async with until_signalled(last_word=_NOT_TOLD), AsyncExitStack() as stack:
            audit = await _audit(stack, settings.log_folder)
            recorder = await stack.enter_async_context(open_recorder(taken, secrets=secrets))
            with waited(f"connecting to {part.endpoint.host}:{part.endpoint.port}"):
                session = await stack.enter_async_context(
                    open_recorded(
                        part,
                        recorder=recorder,
                        mode=part.mode if audit is not None else Mode.OFF,
                        why="the mode of the settings" if audit is not None else "there is no audit",
                        audit=audit,
                        endpoint=replace(part.endpoint, key_log_file=key_log),
                        token_folder=settings.token_folder,
                    )
                )
            begun = True
            with waited("replaying", shown=wish.pace.step is None and not is_terminal()):
                await play_to_server(conversation, session, pace=wish.pace, told=tell)
            if wish.check:
                with waited("waiting for what comes late"):
                    await anyio.sleep(_LATE_S)
            over = True
        if wish.check:
            left_out = {*_LEFT_OUT, *(each.name for each in outcomes if each.skipped is not None)}
            with waited("comparing"):
                # Before there was a session, the last connection of a file that is gone on with is an older one.
                now = _last_of(taken) if begun else Conversation(conversation.opened)
                found = list(differences(conversation, now, ignored=wish.ignored, left_out=left_out))
            return _judged(_covered(found, conversation, secrets), wish, finished=over)
    worst = _worst(outcomes)
    if over:
        return worst
    remark(_NOT_TOLD.text)
    return worst if worst is not ExitCode.DONE else ExitCode.NO


def _last_of(recording: Path) -> Conversation:
    with recording.open("rb") as opened:
        return list(conversations(read_recording(opened)).values())[-1]


async def _audit(stack: AsyncExitStack, folder: Path) -> Audit | None:
    try:
        return await stack.enter_async_context(open_audit(folder))
    except AuditUnavailable as error:
        remark(f"nothing that trades will leave, since it cannot be put on record: {escaped(str(error))}")
        return None


def _show(outcome: Outcome, output: Format) -> None:
    why = told(outcome.error) if outcome.error is not None else escaped(outcome.skipped or "")
    how = "failed" if outcome.error is not None else "skipped" if outcome.skipped is not None else "answered"
    if output is Format.JSON:
        print_json({"name": outcome.name, "outcome": how, "reason": why or None})
    else:
        print_line(f"{outcome.name}: {how}{f' ({why})' if why else ''}")


def _worst(outcomes: list[Outcome]) -> ExitCode:
    codes = [code_of(each.error) for each in outcomes if each.error is not None]
    for code in (ExitCode.OUTCOME_UNKNOWN, ExitCode.REFUSED, ExitCode.NO_CONNECTION):
        if code in codes:
            return code
    return ExitCode.NO if codes else ExitCode.DONE


# Both


def _covered(found: list[str], conversation: Conversation, known: Iterable[str] = ()) -> list[str]:
    """The differences without the secrets of the recording: it may be another tool's, and a text may quote one."""
    redaction = Redaction(known)
    for exchange in conversation.exchanges if found else ():
        for said in (exchange.request, *exchange.answers):
            redaction.message(said.message)
    return [redaction.text(text) for text in found]


def _judged(found: list[str], wish: _Wish, *, finished: bool) -> ExitCode:
    """Tells the differences, and whether there are any; of a check that was not finished nobody knows."""
    if wish.output is Format.JSON:
        print_json({"same": not found if finished else None, "differences": found})
    elif not finished:
        print_line(f"interrupted: not checked to its end; up to here {'this differs:' if found else 'it is the same'}")
        _list(found)
    elif not found:
        print_line("what came back is what was recorded")
    else:
        _list(found)
    return ExitCode.DONE if finished and not found else ExitCode.NO


def _list(found: list[str]) -> None:
    for text in found[:_MOST_SHOWN]:
        print_line(escaped(text), hanging="  ")
    if len(found) > _MOST_SHOWN:
        rest = len(found) - _MOST_SHOWN
        remark(f"and {rest} more difference{'s' * (rest != 1)}")


class _Stepped:
    """Waits for Enter before each message. Without anybody to press it, nothing more is said."""

    def __init__(self, rendering: Rendering) -> None:
        self._rendering = rendering
        self._redaction = Redaction()
        self._prompt = Prompt()

    async def __call__(self, message: Message) -> None:
        """See `Pace.step`."""
        shown = self._rendering.brief(self._redaction.message(message))
        if not await self._prompt.line(partial(remark, f"next: {shown} [Enter]")):
            raise CTraderError(f"the input has ended: {message.name} and what follows it were not sent")


if __name__ == "__main__":
    alone(replay)
