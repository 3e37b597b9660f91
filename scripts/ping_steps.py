"""The steps of a connection, one after the other, each of them timed."""

from __future__ import annotations

import ssl
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio import getaddrinfo

from anyctrader.scripts.plain_link import PlainLink
from anyctrader.session.environments import Mode
from anyctrader.session.errors import ConnectFailed, OutcomeUnknown, Refused, ServerError
from anyctrader.session.gate import Gate
from anyctrader.session.reconnect import FATAL_CODES
from anyctrader.session.transport import LinkLost, TlsStream, client_framing, tls_context
from anyctrader.session.tunnel import authority, open_tunnel
from anyctrader.session.upgrade import upgrade
from anyctrader.wire import Delimiting
from anyctrader.wire import messages as oa
from anyctrader.wire.redaction import Redaction

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager

    from anyctrader.session import Credentials, Endpoint, Environment
    from anyctrader.session.environments import CodecName, DelimitingName
    from anyctrader.session.secret import Secret

__all__ = ["Pinged", "Step", "Target", "delimitings", "ping_one"]

_BEAT_S: Final = 2.0  # a server need not answer a heartbeat; one that does takes a round trip
_QUOTES_S: Final = 4.0  # of a market that is open, several come in this time
_QUOTES: Final = 5
_DAY_S: Final = 86_400
_FAULTS: Final = (
    ssl.SSLError,
    OSError,
    LinkLost,
    ConnectFailed,
    OutcomeUnknown,
    ServerError,
    anyio.EndOfStream,
    anyio.BrokenResourceError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to connect, and as whom.

    Attributes:
        environment: demo or live.
        endpoint: the server, the transport, and the proxy on the way there.
        codec: `protobuf` or `json`.
        delimitings: the ways of telling messages apart that are tried, each on a connection of its own.
        client_id: of the application.
        client_secret: of the application.
        credentials: with a token, for the account and the clock; None without.
        lacking: why there are none, for people.
        secrets: what is hidden in all that is told of a server.
        symbol: whose quotes tell the clock.
    """

    environment: Environment
    endpoint: Endpoint
    codec: CodecName
    delimitings: tuple[Delimiting, ...]
    client_id: str
    client_secret: Secret = field(repr=False)
    credentials: Credentials | None = None
    lacking: str = ""
    secrets: tuple[Secret, ...] = field(default=(), repr=False)
    symbol: str = "EURUSD"

    def __str__(self) -> str:
        endpoint = self.endpoint
        way = " over websocket" if endpoint.transport == "websocket" else ""
        through = f", through the proxy {endpoint.proxy}" if endpoint.proxy is not None else ""
        return f"{endpoint.host}:{endpoint.port}, {self.codec}{way}{through}"


@dataclass(frozen=True, slots=True)
class Step:
    """How a step went.

    Attributes:
        name: which.
        ok: whether it was done; None where it could not be told, which is no fault.
        took_ms: how long it took, or None.
        detail: for people.
        facts: for programs.
    """

    name: str
    ok: bool | None
    took_ms: float | None
    detail: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Pinged:
    """What became of one host.

    Attributes:
        target: which.
        steps: in their order.
        refused: whether the step that failed did so by the server's own word.
    """

    target: Target
    steps: list[Step] = field(default_factory=list)
    refused: bool = False

    @property
    def ok(self) -> bool:
        """Whether no step failed."""
        return bool(self.steps) and all(step.ok is not False for step in self.steps)


class _Failed(Exception):
    """A step failed, and is told; those behind it need it."""


def delimitings(endpoint: Endpoint, codec: CodecName, *, every: bool) -> tuple[Delimiting, ...]:
    """The ways of telling messages apart that are to be tried, the one of the settings first.

    A WebSocket tells its messages apart by itself.
    """
    several = codec == "json" and endpoint.transport == "tcp"
    first = Delimiting(endpoint.delimiting) if several else Delimiting.LENGTH
    others = tuple(each for each in Delimiting if each is not first)
    return (first, *others) if every and several else (first,)


async def ping_one(
    target: Target,
    *,
    wait_s: float,
    told: Callable[[Target, Step | None], None],
    waiting: Callable[[str], AbstractContextManager[None]],
) -> Pinged:
    """Goes all the way, as far as it goes.

    Args:
        target: where.
        wait_s: seconds for each step.
        told: told of the host, and of each step when it has ended.
        waiting: entered for each step, with its name, while it goes on.
    """
    walk = _Walk(target, wait_s=wait_s, told=told, waiting=waiting)
    told(target, None)
    try:
        await walk.all_steps()
    except _Failed:
        pass
    return walk.result


class _Walk:
    def __init__(
        self,
        target: Target,
        *,
        wait_s: float,
        told: Callable[[Target, Step | None], None],
        waiting: Callable[[str], AbstractContextManager[None]],
    ) -> None:
        self.result = Pinged(target)
        self._target = target
        self._wait_s = wait_s
        self._told = told
        self._waiting = waiting
        self._gate = Gate(target.environment, mode=Mode.OFF, audit=None, why="ping never trades")
        self._address = ""
        self._there_and_back_ms = 0.0  # what TCP took; through a proxy what CONNECT did, the part before it included
        known = (target.client_secret, *target.secrets)
        self._mask = Redaction([secret.reveal() for secret in known]).text

    async def all_steps(self) -> None:
        await self._step("DNS", self._look_up)
        if len(self._target.delimitings) == 1:
            await self._on_a_link(self._target.delimitings[0])
            return
        answered = [way for way in self._target.delimitings if await self._is_answered(way)]
        if not answered:
            raise _Failed
        names = ", ".join(way.value for way in answered)
        self._tell(Step("delimiting", True, None, f"answered: {names}", {"answered": [way.value for way in answered]}))
        await self._on_a_link(answered[0])

    async def _is_answered(self, way: Delimiting) -> bool:
        """Whether the server answers messages told apart so; on a connection of its own, for a wrong one is deadly."""
        async with AsyncExitStack() as stack:
            try:
                with self._waiting(way.value):
                    link = await self._connected(stack, way, quiet=True)
                    answer = await link.ask(oa.ProtoOAVersionReq(), timeout_s=self._wait_s)
            except (*_FAULTS, TimeoutError) as error:
                self._tell(Step(way.value, None, None, f"not answered ({self._text(error)})", {"answered": False}))
                return False
            self._tell(Step(way.value, True, answer.took_ms, "answered", {"answered": True}))
            return True

    async def _on_a_link(self, way: Delimiting) -> None:
        async with AsyncExitStack() as stack:
            link = await self._connected(stack, way)
            await self._step("version", lambda: self._version(link))
            await self._step("application", lambda: self._application(link))
            await self._step("heartbeat", lambda: self._heartbeat(link))
            if self._target.credentials is not None and self._target.credentials.account_id is not None:
                await self._step("account", lambda: self._account(link))
            await self._step("clock", lambda: self._clock(link))

    async def _connected(self, stack: AsyncExitStack, way: Delimiting, *, quiet: bool = False) -> PlainLink:
        """Goes the way that `session.transport.open_stream` goes, step by step."""
        wanted: DelimitingName = way.value
        endpoint = replace(self._target.endpoint, delimiting=wanted)
        opened: list[Any] = []

        async def tcp() -> Step:
            port = endpoint.proxy.port if endpoint.proxy is not None else endpoint.port
            began_s = time.monotonic()
            opened.append(await anyio.connect_tcp(self._address, port))
            self._there_and_back_ms = (time.monotonic() - began_s) * 1000
            stack.push_async_callback(anyio.aclose_forcefully, opened[0])
            return Step("TCP", True, None, self._address)

        async def tunnel() -> Step:
            assert endpoint.proxy is not None
            began_s = time.monotonic()
            await open_tunnel(opened[0], endpoint.proxy, endpoint.host, endpoint.port)
            self._there_and_back_ms = (time.monotonic() - began_s) * 1000
            return Step("CONNECT", True, None, f"through {endpoint.proxy}")

        async def tls() -> Step:
            context = tls_context(str(endpoint.ca_file) if endpoint.ca_file is not None else None)
            stream = TlsStream(opened[0], context, server_hostname=endpoint.host)
            await stream.handshake()
            opened.append(stream)
            return _certificate(stream.tls)

        async def websocket() -> Step:
            await upgrade(opened[1], endpoint, mask=self._mask)
            return Step("upgrade", True, None, "WebSocket")

        steps = {"TCP": tcp}
        if endpoint.proxy is not None:
            steps["CONNECT"] = tunnel
        steps["TLS"] = tls
        if endpoint.transport == "websocket":
            steps["upgrade"] = websocket
        if quiet:
            with anyio.fail_after(self._wait_s):
                for step in steps.values():
                    await step()
        else:
            for name, step in steps.items():
                await self._step(name, step)
        link = PlainLink(opened[1], self._target.codec, client_framing(endpoint, self._target.codec), gate=self._gate)
        stack.push_async_callback(link.aclose)
        return link

    async def _step(self, name: str, do: Callable[[], Awaitable[Step]]) -> None:
        """Does a step, and tells of it.

        Raises:
            _Failed: it was not done.
        """
        began_s = time.monotonic()
        try:
            with self._waiting(name), anyio.fail_after(self._wait_s + _BEAT_S + _QUOTES_S):
                step = await do()
        except (*_FAULTS, Refused) as error:
            self.result.refused = isinstance(error, ServerError)
            self._tell(Step(name, False, None, self._text(error)))
            raise _Failed from None
        took_ms = step.took_ms if step.took_ms is not None else (time.monotonic() - began_s) * 1000
        timed = step.ok and name != "clock"  # how long quotes were waited for says nothing
        self._tell(Step(step.name, step.ok, took_ms if timed else None, step.detail, step.facts))
        if step.ok is False:
            raise _Failed

    def _tell(self, step: Step) -> None:
        facts = {name: self._mask(fact) if isinstance(fact, str) else fact for name, fact in step.facts.items()}
        step = replace(step, detail=self._mask(step.detail), facts=facts)
        self.result.steps.append(step)
        self._told(self._target, step)

    async def _look_up(self) -> Step:
        hop = self._target.endpoint.proxy or self._target.endpoint  # the server's own name is looked up by the proxy
        found = await getaddrinfo(hop.host, hop.port)
        addresses = list(dict.fromkeys(str(row[4][0]) for row in found))
        self._address = addresses[0]
        whose = "" if hop is self._target.endpoint else " (of the proxy)"
        return Step("DNS", True, None, ", ".join(addresses) + whose, {"addresses": addresses})

    async def _version(self, link: PlainLink) -> Step:
        answer = await link.ask(oa.ProtoOAVersionReq(), timeout_s=self._wait_s)
        assert answer.piece.message is not None
        version = answer.piece.message.payload.version
        return Step("version", True, answer.took_ms, version, {"version": version})

    async def _application(self, link: PlainLink) -> Step:
        request = oa.ProtoOAApplicationAuthReq(
            clientId=self._target.client_id, clientSecret=self._target.client_secret.reveal()
        )
        answer = await link.ask(request, timeout_s=self._wait_s)
        return Step("application", True, answer.took_ms, "authorised")

    async def _heartbeat(self, link: PlainLink) -> Step:
        beat_s = min(_BEAT_S, self._wait_s)
        took_ms = await link.beat(timeout_s=beat_s)
        if took_ms is None:
            return Step(
                "heartbeat", None, None, f"sent; a server need not answer one, and this did not within {beat_s:g} s"
            )
        return Step("heartbeat", True, took_ms, "answered")

    async def _account(self, link: PlainLink) -> Step:
        credentials = self._target.credentials
        assert credentials is not None
        assert credentials.account_id is not None
        account, name = credentials.account_id, self._target.environment.value
        request = oa.ProtoOAAccountAuthReq(ctidTraderAccountId=account, accessToken=credentials.access_token.reveal())
        try:
            answer = await link.ask(request, timeout_s=self._wait_s)
        except ServerError as error:
            if error.code not in FATAL_CODES:
                raise
            self.result.refused = True
            advice = f"`anyctrader login {name}` gets a new token, and shows the accounts that it covers"
            return Step("account", False, None, f"{account} refused: {self._text(error)}. {advice}")
        self._gate.accounts.add(account)
        return Step("account", True, answer.took_ms, f"{account} authorised")

    async def _clock(self, link: PlainLink) -> Step:
        """How far this machine's clock is ahead, from the times that quotes carry (`ProtoOASpotEvent.timestamp`)."""
        credentials = self._target.credentials
        if credentials is None or credentials.account_id is None:
            return Step("clock", None, None, f"not told: {self._target.lacking}")
        account = credentials.account_id
        try:
            symbols = await link.ask(oa.ProtoOASymbolsListReq(ctidTraderAccountId=account), timeout_s=self._wait_s)
            assert symbols.piece.message is not None
            ids = [
                row.symbolId for row in symbols.piece.message.payload.symbol if row.symbolName == self._target.symbol
            ]
            if not ids:
                return Step("clock", None, None, f"not told: the account has no symbol {self._target.symbol}")
            ahead_ms = await self._compare(link, account, ids[0])
        except (ServerError, OutcomeUnknown) as error:
            return Step("clock", None, None, f"not told: {self._text(error)}")
        if not ahead_ms:
            return Step("clock", None, None, f"not told: no quote of {self._target.symbol} came in {_QUOTES_S:g} s")
        # A quote is on its way for half a round trip at least; TCP was opened in a whole one.
        half_ms = self._there_and_back_ms / 2
        offset_ms = min(ahead_ms) - half_ms
        spread = f"{len(ahead_ms)} quotes, {min(ahead_ms):+.0f} to {max(ahead_ms):+.0f} ms, {half_ms:.1f} ms on the way"
        facts = {"offsetMs": round(offset_ms, 1), "quotes": len(ahead_ms), "medianMs": round(median(ahead_ms), 1)}
        return Step("clock", True, None, f"this machine is {offset_ms:+.1f} ms off the server ({spread})", facts)

    async def _compare(self, link: PlainLink, account: int, symbol_id: int) -> list[float]:
        request = oa.ProtoOASubscribeSpotsReq(
            ctidTraderAccountId=account, symbolId=[symbol_id], subscribeToSpotTimestamp=True
        )
        await link.ask(request, timeout_s=self._wait_s)
        ahead_ms: list[float] = []
        first = True
        with anyio.move_on_after(_QUOTES_S):
            while len(ahead_ms) < _QUOTES:
                message = (await link.hear()).message
                if message is not None and isinstance(message.payload, oa.ProtoOASpotEvent):
                    # Section 11: the first event tells the last quote, however long ago that was.
                    if not first and message.payload.timestamp:
                        ahead_ms.append(time.time_ns() / 1_000_000 - message.payload.timestamp)
                    first = False
        return ahead_ms

    def _text(self, error: BaseException) -> str:
        where = authority(self._target.endpoint.host, self._target.endpoint.port)
        return _text(error).removeprefix(f"{where}: ")


def _certificate(tls: ssl.SSLObject) -> Step:
    version, cipher = tls.version() or "", (tls.cipher() or ("",))[0]
    facts: dict[str, Any] = {"version": version, "cipher": cipher}
    detail = f"{version}, {cipher}"
    ends = (tls.getpeercert() or {}).get("notAfter")
    if isinstance(ends, str):
        days = int((ssl.cert_time_to_seconds(ends) - time.time()) // _DAY_S)
        facts["certificateDays"] = days
        detail += f", certificate good for {days} days"
    return Step("TLS", True, None, detail, facts)


def _text(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}); for a server of your own, set its CA file"
    if isinstance(error, ssl.SSLError):
        return f"no TLS ({error.reason or error}); is this the right port?"
    if isinstance(error, anyio.EndOfStream | anyio.BrokenResourceError):
        return "the server closed the connection"
    if isinstance(error, TimeoutError):
        return str(error) or "it took too long"
    if isinstance(error, ConnectionRefusedError) or isinstance(error.__cause__, ConnectionRefusedError):
        return "the connection was refused: nothing listens on that port"
    if isinstance(error, OSError):
        return error.strerror or str(error.__cause__ or error)
    return str(error)
