"""What everything that leaves passes through: the guard, the halts, and for what trades the audit."""

from __future__ import annotations

import hashlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..wire import Permission, UnknownPayload
from ..wire import messages as oa
from ..wire.catalog import SECRET_FIELDS, account_of, permission_of
from . import clock, halt
from .bounds import Limits
from .environments import Environment, Mode
from .errors import AuditUnavailable, Refused, WrongEnvironment
from .guard import Guard, Standing, strictest
from .intent import ALWAYS, Intent
from .request_facts import about_of, facts_of
from .standings import Standings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ..wire import Message
    from .audit import Audit
    from .guard import Book
    from .intent import Validity

__all__ = ["READING", "Gate"]

_UNREADABLE = "it cannot be decoded as anything that the schema knows"
_NOBODY_KNOWN = "unknown: its file was found gone"

READING = frozenset({Permission.SESSION, Permission.READ})
"""What changes nothing: it needs no mode, no audit and no intent."""


class Gate:
    """The gate of one environment. Shared with nobody.

    It is asked when a request enters, and by the link's writer just before encoding. What trades passes the second
    time only with its intent on record, and no intent lets two requests out.

    Args:
        environment: where it leads.
        mode: what the settings allow.
        why: where that mode comes from, for people.
        audit: where what trades is recorded; without it nothing that trades passes.
        halts: the folder of the halts, or None where there are none.
        bound: whether a caller's request may carry no secret but the session's own. Where two environments are held,
            that keeps the tokens of each from the other's server, and neither has to know the other's.
        trades: the one account that may be traded; others are only read. None: every authorised one may.
        limits: where one is set, nothing passes that may be an order and that nobody can read. None: the standard ones.

    Attributes:
        accounts: those that the session has authorised.
        foreign: those that the account list shows to be the other environment's: see `take_list`.
        books: positions and orders by account, for what may only reduce.
        names: what an account's symbols are called, by account: from an id to the name.
        audit: where what trades is recorded, or None.
        mask: covers secrets in texts of the server's.
        owns: whether a text is a secret of the session's own.
        standings: what its mode is made of, but for the halts of the folder.
    """

    def __init__(
        self,
        environment: Environment,
        *,
        mode: Mode,
        audit: Audit | None,
        why: str = "the mode that the connection was opened with",
        halts: Path | None = None,
        bound: bool = False,
        trades: int | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.environment = environment
        self.accounts: set[int] = set()
        self.foreign: set[int] = set()
        self.books: dict[int, Book] = {}
        self.names: dict[int, Callable[[int], str]] = {}
        self.audit = audit
        self.mask: Callable[[str], str] = lambda text: text
        self.owns: Callable[[str], bool] = lambda text: False
        self._bound = bound
        self._trades = trades
        self._halted: halt.Halt | None = None
        self.standings = Standings(Standing(mode, why))
        self._halts = halts
        self._intents: dict[int, Intent] = {}  # by the identity of the payload, which the intent keeps alive
        limits = limits if limits is not None else Limits.standard(environment)
        self._guard = Guard(environment, standing=self.standing, limits=limits.in_force)

    def standing(self, *, lifted_by: str = _NOBODY_KNOWN) -> Standing:
        """What may be asked now: the settings' mode, or what a halt or a trip has left of it.

        Args:
            lifted_by: who has just lifted the halt, for the record; whose file it was lifted nothing by that.
        """
        standings = list(self.standings)
        if self._halts is not None:
            halted = halt.read(self._halts, self.environment)
            # What the command itself has left to be put on record says more: it comes first.
            if halted != self._halted and not (self.audit is not None and self.audit.letterbox.waiting):
                self._tell(halted, lifted_by=lifted_by)
            if halted is not None:
                standing = halted.standing  # whoever placed it may have written anything
                standings.append(Standing(standing.mode, self.mask(standing.why)))
        return strictest(*standings)

    def _tell(self, halted: halt.Halt | None, *, lifted_by: str) -> None:
        """A halt was placed or lifted, by us or by another process, which may not write to our audit."""
        before, self._halted = self._halted, halted
        one, fact = (before, "resume") if halted is None else (halted, "halt")
        if one is None or (self.audit is not None and not self.audit.letterbox.is_news(self.environment, fact, one.at)):
            return
        mode = {} if halted is None else {"mode": one.mode.value}
        who = lifted_by if halted is None else one.who
        self.note(fact, {**mode, "reason": one.why, "who": who, "halted_at": one.at})

    def trip(self, mode: Mode, why: str) -> None:
        """Allows no more than this until the session ends: something is not as it was believed."""
        self.standings.trip(Standing(mode, why))
        self.note("tripped", {"mode": mode.value, "reason": why})

    def take_list(self, answer: Any) -> bool:
        """What the server says of the token in use: the accounts that it covers, and what it may do.

        A scope that is left out forbids nothing: the server's own answers are then the only word on it.

        Args:
            answer: a `ProtoOAGetAccountListByAccessTokenRes`.

        Returns:
            whether the token's scope allows more or less than the one before.
        """
        live = self.environment.is_live
        self.foreign = {row.ctidTraderAccountId for row in answer.ctidTraderAccount if row.isLive is not live}
        return self.standings.take_scope(answer, where=self.environment.value)

    def judge(self, message: Message, *, said: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Returns if the message may leave. What trades and may not is on record.

        Args:
            message: it.
            said: what is known of it and does not stand in it yet, for the record.

        Raises:
            Refused: see `Guard.judge`.
        """
        payload = message.payload
        account_id = account_of(payload)
        try:
            self._guard.judge(
                message.payload_type,
                payload,
                authorised=self.accounts,
                audited=self.audit is not None,
                foreign=self.foreign,
                trades=self._trades,
                book=self.books.get(account_id) if account_id is not None else None,
            )
        except Refused as refusal:
            permission = permission_of(message.payload_type)
            if permission not in READING:
                self.refused(message, refusal, said=said)
            raise

    def know(self, account_id: int, book: Book, name_of: Callable[[int], str]) -> None:
        """Names the books of an account, and what its symbols are called."""
        self.books[account_id], self.names[account_id] = book, name_of

    def judge_asked(self, message: Message) -> None:
        """Returns if a caller's message may leave: what `judge` says, and no secret in it is another's.

        Raises:
            Refused: see `judge`.
            WrongEnvironment: a secret is, such as a token that was given to the application in the other environment.
        """
        self.judge(message)
        if not self._bound or isinstance(message.payload, UnknownPayload):
            return
        for field, value in message.payload.ListFields():
            if field.name in SECRET_FIELDS and not self.owns(value):
                where = self.environment.value
                raise WrongEnvironment(
                    f"{message.name} is refused: its {field.name} is none that this session of {where} holds, and "
                    "tokens do not leave for another environment (`session.resume` takes new credentials)"
                )

    def judge_bytes(self, data: bytes, *, facts: Mapping[str, Any] | None = None) -> None:
        """Returns if bytes may leave that cannot be decoded.

        Args:
            data: them.
            facts: what a refusal says of them on record; None for their size and hash.

        Raises:
            Refused: see `Guard.judge_unreadable`. It is on record.
        """
        try:
            what = f"a message of {len(data)} bytes"
            self._guard.judge_unreadable(what, _UNREADABLE, audited=self.audit is not None)
        except Refused as refusal:
            facts = facts or _facts_of_bytes(data)
            self.note("refused", {**facts, "error": type(refusal).__name__, "reason": str(refusal)})
            raise

    def admit_bytes(self, data: bytes) -> None:
        """Lets such bytes out; their size and hash are on record.

        Raises:
            Refused: see `judge_bytes`.
        """
        self.judge_bytes(data)
        self.note("raw_bytes", _facts_of_bytes(data))

    def release(self, message: Message) -> None:
        """Lets a message out, or does not: the last question before its bytes are made.

        Raises:
            Refused: see `judge`; or it trades, and no intent of it is on record, or no longer keeps to the limits.
            NotSent: its time is over.
        """
        self.judge(message)
        if permission_of(message.payload_type) in READING:
            return
        intent = self._intents.pop(id(message.payload), None)
        if intent is None or (not intent.read_first and self.must_read(message.payload)):
            refusal = _unready(message.name, intent, self.standing())
            self.refused(message, refusal)
            raise refusal
        # Last, and by the clock: where the process stood still, no deadline has run out by itself.
        intent.check(now_s=clock.now_s())

    def must_read(self, payload: Any) -> bool:
        """Whether what a request changes is to be read from the server first, for a level may only tighten."""
        return isinstance(payload, oa.ProtoOAAmendPositionSLTPReq) and self.standing().mode is Mode.REDUCE_ONLY

    async def intend(
        self,
        payload: Any,
        facts: Mapping[str, Any],
        *,
        essential: bool = False,
        validity: Validity = ALWAYS,
        read_first: bool = False,
    ) -> Intent:
        """Puts the intent of a trading request on record; it is on disk when this returns.

        Args:
            payload: the request. Do not change it any more.
            facts: what there is to say of it.
            essential: it closes or cancels.
            validity: how long it may leave once that is done.
            read_first: see `Intent`.

        Raises:
            AuditUnavailable: it is not on record, so the request must not leave.
        """
        if self.audit is None:
            raise AuditUnavailable("the intent cannot be recorded: this connection was opened without an audit")
        named = {**self._symbol(facts, self._about(facts)), **facts}
        await self.audit.record(self.environment, "intent", self._covered(named), essential=essential)
        intent = self._intents[id(payload)] = Intent(payload, validity, read_first)
        return intent

    def withdraw(self, intent: Intent) -> None:
        """The request has left, or never will: its intent opens nothing any more."""
        self._intents.pop(id(intent.payload), None)

    def refused(self, message: Message, refusal: Refused, *, said: Mapping[str, Any] = MappingProxyType({})) -> None:
        """Puts a refusal on record, with what the request says and what the books know of its order or position."""
        facts = {**said, **facts_of(message.payload)}
        closes = permission_of(message.payload_type) is Permission.CLOSE
        about = self._about(facts, closes=closes)
        fields = {"request": message.name, **about, **self._symbol(facts, about), **facts}
        self.note("refused", {**fields, "error": type(refusal).__name__, "reason": str(refusal)})

    def _about(self, facts: Mapping[str, Any], *, closes: bool = False) -> dict[str, Any]:
        book = self.books.get(facts.get("account_id", 0))
        return about_of(facts, book, closes=closes) if book is not None else {}

    def _symbol(self, facts: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, str]:
        symbol_id = facts.get("symbol_id") or about.get("symbol_id")
        name_of = self.names.get(facts.get("account_id", 0))
        name = name_of(symbol_id) if symbol_id and name_of is not None else None
        return {"symbol": name} if name is not None and name != str(symbol_id) else {}

    def note(self, fact: str, fields: Mapping[str, Any], *, essential: bool = True) -> None:
        """Puts a fact on record without waiting. What has happened is told even where space is short."""
        if self.audit is None:
            return
        try:
            self.audit.note(self.environment, fact, self._covered(fields), essential=essential)
        except AuditUnavailable:
            pass  # closed: the desk is being left, and it waits for no event that comes later

    def snapshot(self, fields: Mapping[str, Any], *, fact: str = "position") -> None:
        """Puts a line into the position snapshots, without waiting."""
        if self.audit is None:
            return
        try:
            self.audit.snapshot(self.environment, self._covered(fields), fact=fact)
        except AuditUnavailable:
            pass  # closed

    def _covered(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The same with every secret in its texts covered: a server may say back whatever it was told."""
        return {name: self.mask(value) if isinstance(value, str) else value for name, value in fields.items()}


def _facts_of_bytes(data: bytes) -> dict[str, Any]:
    return {"request": "raw bytes", "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _unready(name: str, intent: Intent | None, standing: Standing) -> Refused:
    """Why what may be asked does not leave all the same."""
    if intent is None:
        return AuditUnavailable(f"{name} is refused: its intent is not on record")
    return Refused(
        f"{name} is refused: a level may only tighten ({standing.why}), and the levels that it changes were not "
        "read just before: ask again"
    )
