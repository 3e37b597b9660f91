"""`anyctrader send`: one request, and what came back."""

from __future__ import annotations

import anyctrader.scripts.early  # noqa: F401  # ahead of all that may fail

import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
import typer

from anyctrader.scripts.failures import carry_out
from anyctrader.scripts.opening import (
    known_secrets,
    newest_credentials,
    open_reading,
    open_trading,
    refuse_anothers,
    settings_of,
)
from anyctrader.scripts.options import (
    DebugOption,
    EnvFileOption,
    EnvironmentArgument,
    ExitCode,
    Format,
    FormatOption,
    alone,
)
from anyctrader.scripts.progress import waited
from anyctrader.scripts.raw_bytes import given, of_stdin, refuse_if_used_up, send_raw, show_refusal
from anyctrader.scripts.sent_deals import tell_deals
from anyctrader.scripts.signals import LastWord, until_signalled
from anyctrader.scripts.terminal import escaped, print_json, print_lines, remark
from anyctrader.session import Environment, Refused, ServerError
from anyctrader.session.aftermath import aftermath_of
from anyctrader.session.gate import READING
from anyctrader.wire import Message
from anyctrader.wire import messages as oa
from anyctrader.wire.ambiguity import repeated_key
from anyctrader.wire.catalog import CATALOG, Kind, permission_of
from anyctrader.wire.drafting import (
    DraftError,
    class_named,
    drafted,
    merged,
    parsed_pairs,
    require_complete,
    shown_name,
)
from anyctrader.wire.quoting import quoted
from anyctrader.wire.redaction import Redaction
from anyctrader.wire.rendering import Frame, Rendering

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from anyctrader.session import Credentials, EnvironmentSettings, Session, Settings

__all__ = ["send"]

_HEAD: Final = "36"
_IN_DOUBT: Final = "interrupted: whether it left, and what became of it, is not known here. Look before it is repeated"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    environment: Environment
    timeout_s: float | None
    output: Format
    env_file: Path | None


def _request_names(incomplete: str) -> list[str]:
    """For the shell: requests whose name begins so, with or without what they all begin with."""
    names = [cls.__name__ for number, cls in oa.PAYLOAD_CLASSES.items() if CATALOG[number].kind is Kind.REQUEST]
    short = [name.removeprefix("ProtoOA") for name in names]
    return [name for name in (*short, *names) if name.startswith(incomplete)]


def send(
    env: EnvironmentArgument,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="Of the request: ProtoOATraderReq, TraderReq or 2121.", autocompletion=_request_names
        ),
    ] = None,
    fields: Annotated[
        list[str] | None,
        typer.Argument(metavar="FIELD", help="A JSON object, name=value, or both; -: JSON from stdin."),
    ] = None,
    raw: Annotated[
        str | None,
        typer.Option(
            "--raw",
            metavar="BYTES",
            help="Send this frame or envelope as it is: hex, base64 or a string with \\x escapes; -: stdin.",
        ),
    ] = None,
    timeout_s: Annotated[
        float | None, typer.Option("--timeout", min=0.01, metavar="S", help="Seconds to wait for the answer.")
    ] = None,
    output: FormatOption = Format.TEXT,
    env_file: EnvFileOption = None,
    debug: DebugOption = False,
) -> None:
    """Sends one request and shows the reply.

    The account of the settings is filled in, and every field is held against the schema before anything is connected.
    What trades goes through the guard, the limits and the audit like an order of the desk, and only while no desk runs
    on the same files. With --raw the bytes go as they are; what cannot be decoded does not go to live.

    Exit codes: 1 the server refused it, 4 it left and was not answered, 5 the guard refused it.

    Example: anyctrader send demo SymbolByIdReq symbolId=1
    """
    plan = _Plan(environment=Environment(env.value), timeout_s=timeout_s, output=output, env_file=env_file)
    if raw is not None:
        if name is not None:
            raise typer.BadParameter("either a name or --raw", param_hint="NAME")
        try:
            data, how = given(raw)
        except DraftError as error:
            raise typer.BadParameter(escaped(str(error)), param_hint="--raw") from None
        remark(f"{len(data)} byte{'s' * (len(data) != 1)}, read as {how}")
        carry_out(
            partial(
                _interruptible,
                partial(send_raw, plan.environment, data, env_file, timeout_s, output),
                may_trade=True,
                output=output,
            ),
            debug=debug,
        )
    if name is None:
        raise typer.BadParameter("which request? Such as TraderReq, or --raw", param_hint="NAME")
    hint = "NAME"
    try:
        cls = _request_named(name)
        hint = "FIELD"
        payload = _drafted(cls, fields or [])
    except DraftError as error:
        raise typer.BadParameter(escaped(str(error)), param_hint=hint) from None
    may_trade = permission_of(Message(payload).payload_type) not in READING
    action = partial(_send, plan, payload)
    carry_out(partial(_interruptible, action, may_trade=may_trade, output=output), debug=debug)


def _request_named(name: str) -> Any:
    cls = class_named(name)
    entry = CATALOG[Message(cls()).payload_type]
    if entry.kind is Kind.HEARTBEAT:
        raise DraftError("a heartbeat is not answered; `anyctrader ping` times one")
    if entry.kind is not Kind.REQUEST:
        raise DraftError(f"{cls.__name__} is nothing that a client says")
    return cls


def _drafted(cls: Any, fields: list[str]) -> Any:
    members: dict[str, Any] = {}
    for text in (each for each in fields if each == "-" or each.lstrip().startswith("{")):
        try:
            written = of_stdin() if text == "-" else text.encode()
            said = orjson.loads(written)
            repeated = repeated_key(written)
        except orjson.JSONDecodeError as error:
            raise DraftError(f"this is no JSON: {error.msg} at character {error.pos + 1}") from None
        except (ValueError, RecursionError):
            raise DraftError("this is no JSON that every reader can read") from None
        if repeated is not None:
            raise DraftError(f"the key {quoted(shown_name(repeated))} is there twice: nobody knows which was meant")
        if not isinstance(said, dict):
            raise DraftError('the fields are a JSON object: {"symbolId": 1}')
        members = merged(members, said)
    pairs = [each for each in fields if each != "-" and not each.lstrip().startswith("{")]
    return drafted(cls, merged(members, parsed_pairs(cls, pairs)))


async def _interruptible(action: Callable[[], Awaitable[ExitCode]], *, may_trade: bool, output: Format) -> ExitCode:
    """Does it until it is done, or until somebody interrupts it."""
    text, code = (_IN_DOUBT, ExitCode.OUTCOME_UNKNOWN) if may_trade else ("interrupted", ExitCode.NO)
    async with until_signalled(last_word=LastWord(text, code)):
        try:
            return await action()
        except Refused as error:
            if output is Format.JSON:
                print_json({"error": type(error).__name__, "description": escaped(str(error)), "refused": True})
            raise
    remark(text)
    return code


async def _send(plan: _Plan, payload: Any) -> ExitCode:
    settings, part = settings_of(plan.environment, plan.env_file)
    refuse_if_used_up(Message(payload))
    refuse_anothers(payload.SerializePartialToString(), settings, plan.environment)
    credentials = newest_credentials(settings, part)
    fills_in = "accessToken" in type(payload).DESCRIPTOR.fields_by_name and not payload.HasField("accessToken")
    _complete(payload, credentials)
    redaction = Redaction(known_secrets(part.credentials, credentials))
    rendering = Rendering()
    async with AsyncExitStack() as stack:
        with waited(f"connecting to {part.endpoint.host}:{part.endpoint.port}"):
            session = await _opened(stack, settings, part, Message(payload))
        if fills_in:  # it may have been renewed meanwhile
            payload.accessToken = session.credentials.access_token.reveal()
            redaction = Redaction(known_secrets(part.credentials, credentials, session.credentials))
        aftermath = await stack.enter_async_context(aftermath_of(session, getattr(payload, "ctidTraderAccountId", 0)))
        began_s = time.monotonic()
        try:
            with waited("waiting for the answer"):
                reply = await session.request(payload, timeout_s=plan.timeout_s)
        except ServerError as error:
            show_refusal(error, (time.monotonic() - began_s) * 1000, redaction, plan.output)
            raise
        took_ms = (time.monotonic() - began_s) * 1000
        await tell_deals(aftermath, reply, within_s=part.timings.fill_s)
    frame = Frame(redaction.message(Message(reply)))
    if plan.output is Format.JSON:
        print_json({**rendering.members(frame), "ms": round(took_ms, 3)})
    else:
        print_lines(rendering.lines(frame), colour=_HEAD)
        remark(f"answered in {took_ms:.1f} ms")
    return ExitCode.DONE


async def _opened(stack: AsyncExitStack, settings: Settings, part: EnvironmentSettings, message: Message) -> Session:
    """A session that may send this: one that trades takes all that a desk has."""
    if permission_of(message.payload_type) not in READING:
        return await stack.enter_async_context(open_trading(settings, part))
    session = await stack.enter_async_context(open_reading(settings, part))
    account = getattr(message.payload, "ctidTraderAccountId", 0)
    if account:
        await session.authorize(account)
    return session


def _complete(payload: Any, credentials: Credentials) -> None:
    """Fills in the account, and the secrets that only the settings have; sees that nothing is missing.

    Raises:
        DraftError: a required field is missing.
    """
    known = {
        "ctidTraderAccountId": credentials.account_id,
        "clientId": credentials.client_id,
        "clientSecret": credentials.client_secret.reveal(),
        "accessToken": credentials.access_token.reveal(),
    }
    for name, value in known.items():
        if name in type(payload).DESCRIPTOR.fields_by_name and not payload.HasField(name) and value is not None:
            setattr(payload, name, value)
    require_complete(payload)


if __name__ == "__main__":
    alone(send)
