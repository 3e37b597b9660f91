"""`anyctrader send --raw`: one message as somebody wrote it, byte for byte, through the same guard as everything."""

from __future__ import annotations

import re
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from anyctrader.scripts.opening import (
    known_secrets,
    newest_credentials,
    open_trading,
    refuse_anothers,
    settings_of,
)
from anyctrader.scripts.options import ExitCode, Format
from anyctrader.scripts.plain_link import PlainLink, codec_named
from anyctrader.scripts.progress import waited
from anyctrader.scripts.sent_deals import tell_deals
from anyctrader.scripts.terminal import escaped, print_json, print_lines, remark
from anyctrader.session import Mode, NotSent, OutcomeUnknown, Refused, ServerError, open_audit
from anyctrader.session.aftermath import aftermath_of
from anyctrader.session.auth import required_account
from anyctrader.session.gate import READING, Gate
from anyctrader.session.transport import LinkLost, client_framing, open_stream
from anyctrader.wire import Message, Permission, RemoteProtocolError
from anyctrader.wire import messages as oa
from anyctrader.wire.ambiguity import ambiguity_of
from anyctrader.wire.catalog import account_of, permission_of
from anyctrader.wire.drafting import DraftError
from anyctrader.wire.form_readers import text_of
from anyctrader.wire.frame_scan import FrameScan
from anyctrader.wire.redaction import Redaction
from anyctrader.wire.rendering import Frame, Rendering
from anyctrader.wire.scan import Damage
from anyctrader.wire.text_bytes import Break, encodings_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from anyctrader.session import Credentials, Environment, EnvironmentSettings, Settings

__all__ = ["given", "of_stdin", "refuse_if_used_up", "send_raw", "show_refusal"]

_LENGTH: Final = 4
_MOST: Final = 1 << 20  # bytes that are read of stdin: a request has some hundred
_PLAIN: Final = re.compile(rb"[\x20-\x7e\s]*")


def of_stdin() -> bytes:
    """All that was typed, or came through a pipe.

    Raises:
        DraftError: it is closed, or more than any request has.
    """
    if sys.stdin is None:
        raise DraftError("this was to come from stdin, which is closed")
    data = sys.stdin.buffer.read(_MOST + 1)
    if len(data) > _MOST:
        raise DraftError(f"these are more than {_MOST:,} bytes: nothing was sent, for part of a message is another one")
    return data


def given(text: str) -> tuple[bytes, str]:
    """The bytes that were typed, as hex, base64 or a string with escapes, and which it was.

    Of stdin, where `-` was typed, also as they are.

    Raises:
        DraftError: they are neither.
    """
    data = of_stdin() if text == "-" else text.encode()
    if not data.strip():
        raise DraftError("there are no bytes")
    if not _PLAIN.fullmatch(data):
        return data, "binary"
    if data.lstrip()[:1] == b"{":
        return data.strip(), "JSON"
    for encoding in encodings_of(data):
        reader = text_of(encoding, by_line=False)
        parts = [*reader.feed(data), *reader.close()]
        if not any(isinstance(part, Break) and part.reason for part in parts):
            return b"".join(part for part in parts if isinstance(part, bytes)), encoding.value
    raise DraftError("the bytes are written as hex, as base64, or as a string with \\x escapes")


async def send_raw(
    environment: Environment, data: bytes, env_file: Path | None, timeout_s: float | None, output: Format
) -> ExitCode:
    """Sends bytes, if the guard lets them, and shows what comes back."""
    settings, part = settings_of(environment, env_file)
    wait_s = timeout_s if timeout_s is not None else part.timings.request_s
    credentials = newest_credentials(settings, part)
    redaction = Redaction(known_secrets(part.credentials, credentials))
    body, message = _read(data, part)
    permission = permission_of(message.payload_type) if message is not None else None
    refuse_if_used_up(message)
    refuse_anothers(data, settings, environment)
    if message is not None and permission not in (*READING, None):
        return await _traded(settings, part, message, wait_s, output, redaction)
    async with AsyncExitStack() as stack:
        gate = await stack.enter_async_context(_gate(settings, part, audited=permission is None))
        if permission is None:
            if message is not None and not environment.is_live:
                gate.judge(message)
            gate.judge_bytes(data)  # on live it refuses them all, on record
        with waited(f"connecting to {part.endpoint.host}:{part.endpoint.port}"):
            link = await stack.enter_async_context(_link(part, gate))
            if permission is not Permission.SESSION:
                await _authorise(link, gate, credentials, message, wait_s)
        if message is not None and permission is not None:
            gate.release(message)
        else:
            gate.admit_bytes(data)  # by now it is known what the token may do
        is_beat = message is not None and isinstance(message.payload, oa.ProtoHeartbeatEvent)
        framed = link.framed(body) if message is not None else data
        answered_by = message.client_msg_id if message is not None else None
        with waited("waiting for the answer"):
            answer = await link.exchange(framed, answered_by=answered_by, timeout_s=0.0 if is_beat else wait_s)
    if is_beat:
        remark("sent; a heartbeat is not answered")
        return ExitCode.DONE
    if answer is None:
        raise OutcomeUnknown(f"the bytes left, and nothing came back within {wait_s:g} s")
    _show(answer.piece, answer.took_ms, redaction, output)
    said: Any = answer.piece.message.payload if answer.piece.message is not None else None
    refused = isinstance(said, oa.ProtoOAErrorRes | oa.ProtoErrorRes | oa.ProtoOAOrderErrorEvent)
    return ExitCode.NO if refused or isinstance(answer.piece, Damage) else ExitCode.DONE


def refuse_if_used_up(message: Message | None) -> None:
    """What may not leave by hand, whatever the mode is.

    Raises:
        Refused: it would use up the refresh token, and the new pair be lost.
    """
    if message is not None and isinstance(message.payload, oa.ProtoOARefreshTokenReq):
        raise Refused(
            "ProtoOARefreshTokenReq is refused: it would use the refresh token up, and the new pair be lost. A session "
            "renews its tokens by itself, and `anyctrader login` gets new ones"
        )


def _read(data: bytes, part: EnvironmentSettings) -> tuple[bytes, Message | None]:
    """The body of the message, and the message where it can be decoded as the server will."""
    is_framed = len(data) > _LENGTH and int.from_bytes(data[:_LENGTH], "big") == len(data) - _LENGTH
    body = data[_LENGTH:] if is_framed else data
    try:
        message = codec_named(part.codec).decode(body)
    except RemoteProtocolError:
        scan = FrameScan()
        hidden = [piece for piece in (*scan.feed(data), *scan.cut("")) if piece.message is not None]
        if hidden and not is_framed:
            raise Refused("these bytes are refused: more than one message is in them, or one and a rest") from None
        return data, None
    return (body, message) if ambiguity_of(message, body, part.codec) is None else (data, None)


@asynccontextmanager
async def _gate(settings: Settings, part: EnvironmentSettings, *, audited: bool) -> AsyncIterator[Gate]:
    """The gate of these settings; with an audit where what leaves must be on record."""
    if not audited:
        yield Gate(part.environment, mode=Mode.OFF, audit=None, why="send --raw trades with a session only")
        return
    async with open_audit(settings.log_folder) as audit:
        gate = Gate(
            part.environment,
            mode=part.mode,
            why="the mode of the settings",
            audit=audit,
            halts=audit.folder,
            limits=part.limits,
        )
        yield gate
        await audit.flush()


@asynccontextmanager
async def _link(part: EnvironmentSettings, gate: Gate) -> AsyncIterator[PlainLink]:
    stream = await open_stream(part.endpoint, deadline_s=part.timings.connect_s)
    link = PlainLink(stream, part.codec, client_framing(part.endpoint, part.codec), gate=gate)
    try:
        yield link
    except LinkLost as lost:
        raise OutcomeUnknown(f"the bytes may have left: {lost}") from lost
    finally:
        await link.aclose()


async def _authorise(
    link: PlainLink, gate: Gate, credentials: Credentials, message: Message | None, wait_s: float
) -> None:
    """The application, and the account that the message names or that the settings do."""
    token = credentials.access_token.reveal()
    try:
        await link.ask(
            oa.ProtoOAApplicationAuthReq(
                clientId=credentials.client_id, clientSecret=credentials.client_secret.reveal()
            ),
            timeout_s=wait_s,
        )
        account = (account_of(message.payload) if message is not None else None) or credentials.account_id
        if account is None:
            return
        listed = await link.ask(oa.ProtoOAGetAccountListByAccessTokenReq(accessToken=token), timeout_s=wait_s)
        assert listed.piece.message is not None
        gate.take_list(listed.piece.message.payload)
        required_account(listed.piece.message.payload.ctidTraderAccount, account, environment=credentials.environment)
        await link.ask(oa.ProtoOAAccountAuthReq(ctidTraderAccountId=account, accessToken=token), timeout_s=wait_s)
    except (LinkLost, OutcomeUnknown) as error:
        raise NotSent(f"the bytes did not leave: {error}") from error
    gate.accounts.add(account)


async def _traded(
    settings: Settings, part: EnvironmentSettings, message: Message, wait_s: float, output: Format, redaction: Redaction
) -> ExitCode:
    """What trades goes the way of all orders: limits, intent, departure and answer on record."""
    async with AsyncExitStack() as stack:
        with waited(f"connecting to {part.endpoint.host}:{part.endpoint.port}"):
            session = await stack.enter_async_context(open_trading(settings, part))
        if message.client_msg_id is not None:
            remark("what trades is sent by the session, under an id of its own")
        async with aftermath_of(session, getattr(message.payload, "ctidTraderAccountId", 0)) as aftermath:
            began_s = time.monotonic()
            try:
                with waited("waiting for the answer"):
                    reply = await session.request(message.payload, timeout_s=wait_s)
            except ServerError as error:
                show_refusal(error, (time.monotonic() - began_s) * 1000, redaction, output)
                raise
            took_ms = (time.monotonic() - began_s) * 1000
            await tell_deals(aftermath, reply, within_s=part.timings.fill_s)
    _show(Frame(Message(reply)), took_ms, redaction, output)
    return ExitCode.DONE


def show_refusal(error: ServerError, took_ms: float, redaction: Redaction, output: Format) -> None:
    """What the server refused a request with, as a line for programs, and when. People read the error itself."""
    if output is Format.JSON:
        said = {"error": error.code, "description": redaction.text(error.description or "") or None}
        print_json({**said, "ms": round(took_ms, 3)})
    remark(f"refused after {took_ms:.1f} ms")


def _show(piece: Frame | Damage, took_ms: float, redaction: Redaction, output: Format) -> None:
    rendering = Rendering()
    if isinstance(piece, Damage):
        remark(f"the answer cannot be read: {escaped(redaction.text(piece.reason))}")
        return
    frame = Frame(redaction.message(piece.message))
    if output is Format.JSON:
        print_json({**rendering.members(frame), "ms": round(took_ms, 3)})
        return
    print_lines(rendering.lines(frame), colour="36")
    remark(f"answered in {took_ms:.1f} ms")
