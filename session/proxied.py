"""What a client that is not ours may say through the proxy: the gate, asked of each frame ahead of its bytes.

Such a client has no way around what our own programs have to pass: the allow-list, modes, halts, the accounts of its
own environment, and for what trades an intent on disk. What the proxy cannot know it refuses: nothing that opens passes
where a limit is set, and what only reduces is known by what this client asked for and was told on this connection.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from ..wire import AccountState, Message, UnknownPayload
from ..wire import messages as oa
from ..wire.ambiguity import ambiguity_of
from ..wire.catalog import CATALOG, SECRET_FIELDS, Kind, Permission, account_of, permission_of
from ..wire.dialogue import MOVING, Dialogue
from ..wire.envelope import read_envelope
from ..wire.errors import LocalProtocolError, RemoteProtocolError, UndecodablePayload
from ..wire.redaction import Redaction
from . import clock
from .environments import Mode
from .errors import AuditUnavailable, LimitExceeded, LiveTradingDisabled, NotSent, Refused, WrongEnvironment
from .gate import READING
from .guard import tightens
from .intent import ALWAYS, Validity
from .positions import PositionBook
from .proxied_amends import ProxiedAmends
from .proxied_closes import ProxiedCloses, ProxiedRequest
from .proxied_orders import ProxiedOrders
from .request_facts import facts_of

if TYPE_CHECKING:
    from ..wire import Codec
    from .bounds import Limits
    from .gate import Gate

__all__ = ["ProxiedClient", "Taken"]

_ACCOUNT_LIST = oa.payload_type_of(oa.ProtoOAGetAccountListByAccessTokenRes)
_RECONCILED = oa.payload_type_of(oa.ProtoOAReconcileRes)
_BOOKED = frozenset(
    map(
        oa.payload_type_of,
        (oa.ProtoOAExecutionEvent, oa.ProtoOATrailingSLChangedEvent, oa.ProtoOAMarginChangedEvent),
    )
)
_ERRORS = frozenset(payload_type for payload_type, entry in CATALOG.items() if entry.kind is Kind.ERROR)
_ANSWERS: Final = _ERRORS | {oa.payload_type_of(oa.ProtoOAExecutionEvent)}
_BEARERS: Final = frozenset(
    payload_type
    for payload_type, cls in oa.PAYLOAD_CLASSES.items()
    if not SECRET_FIELDS.isdisjoint(cls.DESCRIPTOR.fields_by_name)
)
_TELLING: Final = MOVING | _ERRORS | _BOOKED | _BEARERS | {_ACCOUNT_LIST, _RECONCILED}
"""What a server says that the gate must know of, or the record."""

_GONE: Final = "the connection ended while its intent was being written"
_LISTED_S: Final = 5.0  # a client takes the answer, and makes of it what it asks for; a stop hardly trails meanwhile
_MOST_OPEN = 10_000  # orders that were never answered: beyond that the oldest is not told of at the end


@dataclass(frozen=True, slots=True)
class _Asked:
    """A list that a client has asked for: see `PositionBook.reconcile`, and when."""

    mark: int
    protection_orders: bool
    at_s: float


@dataclass(frozen=True, slots=True)
class Taken:
    """A frame that was taken out.

    Attributes:
        refusal: why.
        reply: the body of the answer that its client gets in the server's place.
    """

    refusal: Refused
    reply: bytes


class ProxiedClient:
    """One client of the proxy: what it has said and been told, and so what it may say.

    Args:
        gate: of its environment; for this client alone.
        codec: reads its frames, and writes our answers.
        limits: what an order may not exceed.
        orders: what all clients of the proxy have ordered.
        closes: those of all clients of the proxy.
        amends: those of positions' levels, likewise.
        redaction: what the gate covers texts with; told of what passes, for a client may quote a secret that it or the
            server has said. None: nobody covers any.
        within_s: seconds in which what opens or loosens leaves once it was judged, or not at all.
    """

    def __init__(
        self,
        gate: Gate,
        *,
        codec: Codec,
        limits: Limits,
        orders: ProxiedOrders,
        closes: ProxiedCloses,
        amends: ProxiedAmends,
        redaction: Redaction | None = None,
        within_s: float,
    ) -> None:
        self._gate = gate
        self._codec = codec
        self._limits = limits.in_force
        self._closes = closes
        self._amends = amends
        self._redaction = redaction if redaction is not None else Redaction()
        self._within_s = within_s
        self._orders = orders
        self._dialogue = Dialogue()
        self._open: dict[str, dict[str, Any]] = {}  # trading requests that wait for their answer: id to facts
        self._books: dict[int, PositionBook] = {}  # of the accounts that are authorised
        self._asked: dict[tuple[int, str], _Asked] = {}  # lists that are on their way
        self._listed_s: dict[int, float] = {}  # when the newest list was asked for that came, by account

    async def judge(self, body: bytes) -> Taken | None:
        """Asks whether a frame may pass. When it may, its intent is on disk if it trades, and it must be sent at once.

        Args:
            body: of the client's frame.

        Returns:
            None where it may pass, unchanged; else why not, and what its client is told.
        """
        message: Message | None = None
        try:
            try:
                message = self._codec.decode(body)
                self._redaction.message(message)
            except RemoteProtocolError:
                await self._judge_bytes(body)
            else:
                await self._judge(message, body)
        except Refused as refusal:
            return Taken(refusal, self._reply(refusal, message, body))
        return None

    def heard(self, body: bytes) -> None:
        """The server said this; asked before its bytes go on to the client, who may act on them at once."""
        try:
            if self._codec.name == "protobuf":
                if read_envelope(body)[0] not in _TELLING:
                    return
            elif orjson.loads(body).get("payloadType") not in _TELLING:
                return
            message = self._codec.decode(body)
        except (RemoteProtocolError, ValueError, AttributeError):
            return  # its client has to make something of it; here it moves nothing
        payload_type, payload, client_msg_id = message.payload_type, message.payload, message.client_msg_id or None
        if payload_type in _BEARERS:
            self._redaction.message(message)
        if payload_type == _ACCOUNT_LIST:
            self._gate.take_list(payload)
        self._book(payload_type, payload, client_msg_id or "")
        if payload_type in _ANSWERS or payload_type == _RECONCILED:
            self._orders.answered(self, payload, client_msg_id or "")
        if payload_type in _ANSWERS:
            self._closes.answered(self, payload, client_msg_id or "")
            self._amends.answered(self, payload, client_msg_id or "")
        entry = CATALOG[payload_type]
        settled, _ = self._dialogue.settled_by(payload_type, entry.kind, payload, client_msg_id)
        self._dialogue.hear(payload_type, payload, client_msg_id, settled)
        self._forget()
        facts = self._open.pop(client_msg_id or "", None)
        if facts is not None and payload_type in _ERRORS:
            self._gate.note("server_error", {**facts, "error_code": payload.errorCode})

    def _book(self, payload_type: int, payload: Any, client_msg_id: str) -> None:
        """What tells of positions and orders, into the book of its account."""
        account_id = account_of(payload)
        if account_id is None or (payload_type not in _BOOKED and payload_type != _RECONCILED):
            return
        book = self._books.setdefault(account_id, PositionBook())
        self._gate.books[account_id] = book
        if payload_type in _BOOKED:
            book.apply(payload)
        elif (asked := self._asked.pop((account_id, client_msg_id), None)) is not None:
            book.reconcile(payload, since=asked.mark, protection_orders=asked.protection_orders)
            self._listed_s[account_id] = max(asked.at_s, self._listed_s.get(account_id, asked.at_s))

    def _forget(self) -> None:
        """What was known of an account that is authorised no more is worth nothing: events are missed from here on."""
        for account_id in self._books.keys() - self._accounts(asked_for=True):
            del self._books[account_id]
            self._gate.books.pop(account_id, None)
            self._listed_s.pop(account_id, None)
            self._asked = {key: asked for key, asked in self._asked.items() if key[0] != account_id}

    def ended(self, reason: str) -> None:
        """The connection is over: what trades and was not answered has an unknown outcome."""
        for facts in self._open.values():
            self._gate.note("outcome_unknown", {**facts, "reason": reason})
        self._open.clear()
        self._orders.end(self)
        self._closes.end(self)
        self._amends.end(self)

    # Inside

    async def _judge(self, message: Message, body: bytes) -> None:
        gate, payload_type, payload = self._gate, message.payload_type, message.payload
        permission = permission_of(payload_type)
        gate.accounts = self._accounts(asked_for=permission is Permission.READ)
        gate.judge(message)
        doubt = ambiguity_of(message, body, self._codec.name)
        if doubt is not None and gate.standing().mode is not Mode.ON:
            raise self._refused(message, Refused(f"{message.name} is refused: {doubt}"))
        self._check_limits(message, permission)
        if doubt is not None:  # what we read in it is not what the server may do
            await self._judge_bytes(body)
            return
        if isinstance(payload, oa.ProtoOAClosePositionReq):
            await self._let_close(message)
        elif isinstance(payload, oa.ProtoOAAmendPositionSLTPReq):
            await self._let_amend(message)
        elif isinstance(payload, oa.ProtoOANewOrderReq):
            await self._let_order(message)
        elif permission not in READING:
            await self._let_trade(message, permission)
        if self._dialogue.too_early(payload_type, payload) is None:
            entry = CATALOG.get(payload_type)
            if entry is None or entry.kind is Kind.REQUEST:
                self._dialogue.ask(payload_type, payload, message.client_msg_id)
        if isinstance(payload, oa.ProtoOAReconcileReq) and len(self._asked) < _MOST_OPEN:
            book = self._books.setdefault(payload.ctidTraderAccountId, PositionBook())
            asked = _Asked(book.mark(), payload.returnProtectionOrders, clock.now_s())
            self._asked[payload.ctidTraderAccountId, message.client_msg_id or ""] = asked

    def _check_limits(self, message: Message, permission: Permission | None) -> None:
        if self._limits and permission in (Permission.OPEN, Permission.CHANGE):
            raise self._refused(
                message,
                LimitExceeded(
                    f"{message.name} is refused: the proxy cannot hold a limit ({', '.join(self._limits)}), and one is "
                    f"set for {self._gate.environment.value}"
                ),
            )

    async def _let_order(self, message: Message) -> None:
        try:
            self._orders.check(message.payload)
        except Refused as refusal:
            raise self._refused(message, refusal) from None
        with self._orders.leaving(ProxiedRequest(self, message.client_msg_id or "", message.payload)):
            await self._let_trade(message, Permission.OPEN)

    async def _let_close(self, message: Message) -> None:
        payload = message.payload
        book = self._books.get(payload.ctidTraderAccountId)
        # Where everything is allowed the server's answer is what the client is there for.
        if book is not None and self._gate.standing().mode is Mode.REDUCE_ONLY:
            try:
                self._closes.check(payload, book)
            except Refused as refusal:
                raise self._refused(message, refusal) from None
        with self._closes.leaving(ProxiedRequest(self, message.client_msg_id or "", payload)):
            await self._let_trade(message, Permission.CLOSE)

    async def _let_amend(self, message: Message) -> None:
        payload = message.payload
        book = self._books.get(payload.ctidTraderAccountId)
        position = book.position(payload.positionId) if book is not None else None
        listed_s = self._listed_s.get(payload.ctidTraderAccountId)
        read_first = listed_s is not None and clock.now_s() - listed_s <= _LISTED_S
        if position is not None and self._gate.must_read(payload):
            try:
                self._amends.check(payload, position)
                if not read_first:
                    raise Refused(
                        f"{message.name} is refused: {self._gate.environment.value} may only be reduced, and an event "
                        f"that tightened a level may have been lost: ask for ProtoOAReconcileReq, and amend within "
                        f"{_LISTED_S:g} s of that"
                    )
            except Refused as refusal:
                raise self._refused(message, refusal) from None
        with self._amends.leaving(ProxiedRequest(self, message.client_msg_id or "", payload)):
            await self._let_trade(message, Permission.CHANGE, read_first=read_first)

    async def _let_trade(self, message: Message, permission: Permission | None, *, read_first: bool = False) -> None:
        gate, payload = self._gate, message.payload
        facts = {"request": message.name, **facts_of(payload), "via": "proxy"}
        ends = permission in (Permission.CLOSE, Permission.CANCEL)
        # Where a limit is set, nothing else passes: no quote is held against it that could go stale.
        late = ends or tightens(payload, gate.books.get(account_of(payload) or 0))
        validity = ALWAYS if late else Validity(found_s=clock.now_s(), within_s=self._within_s)
        try:
            intent = await gate.intend(payload, facts, essential=ends, validity=validity, read_first=read_first)
            try:
                gate.release(message)
            finally:
                gate.withdraw(intent)
        except (Refused, NotSent) as error:
            gate.note("not_sent", {**facts, "reason": str(error)})
            if isinstance(error, Refused):
                raise
            raise Refused(str(error)) from None
        except BaseException:
            gate.note("not_sent", {**facts, "reason": _GONE})
            raise
        if message.client_msg_id:
            if len(self._open) >= _MOST_OPEN:
                del self._open[next(iter(self._open))]
            self._open[message.client_msg_id] = facts
        gate.note("sent", {**facts, "request_id": message.client_msg_id or ""})

    async def _judge_bytes(self, body: bytes) -> None:
        """What nobody can read may be anything: it passes where everything may, on record, and never toward live."""
        gate = self._gate
        facts = {"request": "undecoded", "size": len(body), "sha256": hashlib.sha256(body).hexdigest(), "via": "proxy"}
        gate.judge_bytes(body, facts=facts)
        assert gate.audit is not None
        try:
            await gate.audit.record(gate.environment, "intent", facts)
        except BaseException as error:
            gate.note("not_sent", {**facts, "reason": str(error) if isinstance(error, Refused) else _GONE})
            raise
        gate.note("sent", {**facts, "request_id": ""})

    def _accounts(self, *, asked_for: bool) -> set[int]:
        """The accounts that this client has authorised; to read, also those that it has asked for and not heard of."""
        wanted = {AccountState.AUTHENTICATED, *((AccountState.AUTHENTICATING,) if asked_for else ())}
        return {account for account, state in self._dialogue.accounts.items() if state in wanted}

    def _refused(self, message: Message, refusal: Refused) -> Refused:
        """The refusal, on record."""
        self._gate.refused(message, refusal)
        return refusal

    def _reply(self, refusal: Refused, message: Message | None, body: bytes) -> bytes:
        account_id = None if message is None else account_of(message.payload)
        error = oa.ProtoOAErrorRes(
            errorCode=_code_of(refusal, message),
            description=self._gate.mask(f"anyctrader proxy: {refusal}. It was not passed on"),
        )
        if account_id:
            error.ctidTraderAccountId = account_id
        client_msg_id = message.client_msg_id if message is not None else _id_in(self._codec, body)
        try:
            return self._codec.encode(Message(error, client_msg_id))
        except LocalProtocolError:  # an id that cannot be written again
            return self._codec.encode(Message(error))


def _code_of(refusal: Refused, message: Message | None) -> str:
    """The published error code that says it best to a client that knows no others (docs/protocol.md section 14)."""
    match refusal:
        case WrongEnvironment():
            return "ACCOUNT_NOT_AUTHORIZED"
        case LiveTradingDisabled() | LimitExceeded() | AuditUnavailable():
            return "TRADING_NOT_ALLOWED"
    if message is None:
        return "INVALID_REQUEST"
    return "UNSUPPORTED_MESSAGE" if isinstance(message.payload, UnknownPayload) else "TRADING_NOT_ALLOWED"


def _id_in(codec: Codec, body: bytes) -> str | None:
    """The client message id of a frame whose payload cannot be read."""
    try:
        codec.decode(body)
    except UndecodablePayload as fault:
        return fault.client_msg_id
    except RemoteProtocolError:
        pass
    return None
