"""Applications, the users who let them in, and the tokens that prove it (docs/protocol.md section 6).

A `Directory` is what the real company keeps once for both hosts: give the same one to a demo and a live server and
one token serves both, as it does there. Servers that are given none share nothing.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "Application",
    "Directory",
    "Ended",
    "Grant",
    "ListedAccount",
    "OldAccess",
    "SecondConsent",
    "TokenFault",
    "TokenPolicy",
    "TokenRefused",
    "TokenScope",
]

_REMEMBERED_MS = 86_400_000  # An expired token is told from an unknown one for a day.


class TokenScope(enum.Enum):
    """What a token lets its holder do; the value is that of `ProtoOAClientPermissionScope`."""

    VIEW = 0
    TRADE = 1

    @property
    def may_trade(self) -> bool:
        """Whether it is good for more than reading."""
        return self is TokenScope.TRADE

    @classmethod
    def of(cls, name: str) -> TokenScope:
        """From the name that the consent page's address uses: `accounts` or `trading`."""
        return {"accounts": cls.VIEW, "trading": cls.TRADE}[name]


class OldAccess(enum.Enum):
    """The old access token after a refresh (docs/protocol.md section 19)."""

    DEAD = "dead"
    ALIVE = "alive"
    """Good until its own time is over."""


class SecondConsent(enum.Enum):
    """What a user's second consent does to the first pair (docs/protocol.md section 19)."""

    REVOKES_FIRST = "revokes_first"
    KEEPS_FIRST = "keeps_first"


class TokenFault(enum.Enum):
    """Why a token or a code is not taken."""

    UNKNOWN = "unknown"
    EXPIRED = "expired"
    USED = "used"
    REVOKED = "revoked"
    OTHER_APPLICATION = "other application"


class Ended(enum.Enum):
    """Why a pair of tokens is over; the value is the `reason` that `ProtoOAAccountsTokenInvalidatedEvent` gives."""

    REFRESHED = "Access token was refreshed"
    REVOKED = "Access token was revoked"
    DELETED = "Trading account or cTID was deleted"


class TokenRefused(Exception):
    """A token or a code is not taken. Nothing has changed.

    Attributes:
        fault: why.
    """

    def __init__(self, fault: TokenFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPolicy:
    """How long tokens live and what ends them.

    Attributes:
        life_s: of an access token, seconds; a refresh token has no time of its own (section 6).
        code_life_s: of an authorisation code, seconds.
        old_access: the old access token after a refresh.
        second_consent: the first pair after a second consent.
    """

    life_s: int = 2_628_000
    code_life_s: int = 60
    old_access: OldAccess = OldAccess.DEAD
    second_consent: SecondConsent = SecondConsent.REVOKES_FIRST


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A registered application.

    Attributes:
        client_id: `ProtoOAApplicationAuthReq.clientId`.
        client_secret: its secret.
        redirect_uris: where a consent may lead back to; empty for anywhere on this machine.
        active: whether it was approved.
    """

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uris: tuple[str, ...] = ()
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedAccount:
    """An account as the account list shows it (`ProtoOACtidTraderAccount`).

    Attributes:
        account_id: `ctidTraderAccountId`.
        is_live: whether the live host serves it.
        trader_login: the number that its owner sees.
        broker_title: `brokerTitleShort`.
        last_times_ms: gives the times of the last closing deal and the last deposit or withdrawal, or None.
    """

    account_id: int
    is_live: bool
    trader_login: int
    broker_title: str
    last_times_ms: Callable[[], tuple[int | None, int | None]] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A pair of tokens: what one consent, or one refresh, gave.

    Attributes:
        access_token: used on the socket.
        refresh_token: good for one refresh, whenever.
        client_id: the application that was let in.
        user_id: the cTID that let it in.
        account_ids: the accounts that were ticked.
        scope: what it may do.
        expires_at_ms: end of the access token, ms since the epoch.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    client_id: str
    user_id: int
    account_ids: tuple[int, ...]
    scope: TokenScope
    expires_at_ms: int


@dataclass(frozen=True, slots=True)
class _Code:
    client_id: str
    redirect_uri: str
    user_id: int
    account_ids: tuple[int, ...]
    scope: TokenScope
    expires_at_ms: int


class Directory:
    """The register of applications, accounts and tokens. Pure: it is told the time. Servers that share one must run
    in the same event loop.

    Args:
        seed: all that it makes up comes from this: the same calls give the same tokens.
        policy: how tokens live.
    """

    def __init__(self, *, seed: str = "", policy: TokenPolicy | None = None) -> None:
        self.policy = policy if policy is not None else TokenPolicy()
        self._seed = seed
        self._made = 0
        self._applications: dict[str, Application] = {}
        self._accounts: dict[int, ListedAccount] = {}
        self._by_access: dict[str, Grant] = {}
        self._by_refresh: dict[str, Grant] = {}
        self._dead: dict[str, TokenFault] = {}
        self._codes: dict[str, _Code] = {}
        self._watchers: list[Callable[[Grant, Ended], None]] = []

    @property
    def applications(self) -> Mapping[str, Application]:
        """By client id."""
        return self._applications

    @property
    def accounts(self) -> Mapping[int, ListedAccount]:
        """By account id; of both hosts."""
        return self._accounts

    @property
    def grants(self) -> tuple[Grant, ...]:
        """Those whose access token is not dead, oldest first."""
        return tuple(self._by_access.values())

    def watch(self, watcher: Callable[[Grant, Ended], None]) -> Callable[[], None]:
        """Calls `watcher` with each grant that was revoked or replaced, and why; returns what ends that."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    # Registering

    def make_up(self, kind: str) -> str:
        """A string that nobody else gets; `kind` is part of what it comes from, not of what it shows."""
        self._made += 1
        return hashlib.sha256(f"{self._seed}:{self._made}:{kind}".encode()).hexdigest()[:43]

    def add_application(
        self,
        *,
        client_id: str | None = None,
        client_secret: str | None = None,
        active: bool = True,
        redirect_uris: Iterable[str] = (),
    ) -> Application:
        """Registers an application; what is left out is made up."""
        application = Application(
            client_id=client_id if client_id is not None else f"{len(self._applications) + 1}_{self.make_up('id')}",
            client_secret=client_secret if client_secret is not None else self.make_up("secret"),
            redirect_uris=tuple(redirect_uris),
            active=active,
        )
        self._applications[application.client_id] = application
        return application

    def list_account(self, account: ListedAccount) -> None:
        """Makes an account known; one of the same id is replaced."""
        self._accounts[account.account_id] = account

    # Granting

    def consent(
        self, client_id: str, user_id: int, *, account_ids: Iterable[int], scope: TokenScope, now_ms: int
    ) -> Grant:
        """A user lets an application in; what an earlier consent gave may end by it."""
        if self.policy.second_consent is SecondConsent.REVOKES_FIRST:
            for grant in [g for g in self._by_refresh.values() if (g.client_id, g.user_id) == (client_id, user_id)]:
                self.revoke(grant, Ended.REVOKED)
        return self._issue(client_id, user_id, account_ids=tuple(account_ids), scope=scope, now_ms=now_ms)

    def authorisation_code(
        self,
        client_id: str,
        user_id: int,
        *,
        account_ids: Iterable[int],
        scope: TokenScope,
        redirect_uri: str,
        now_ms: int,
    ) -> str:
        """What the redirect after a consent carries: good once, for `TokenPolicy.code_life_s`."""
        self._codes = {code: held for code, held in self._codes.items() if held.expires_at_ms > now_ms}
        code = self.make_up("code")
        self._codes[code] = _Code(
            client_id, redirect_uri, user_id, tuple(account_ids), scope, now_ms + self.policy.code_life_s * 1000
        )
        return code

    def redeem(self, code: str, *, client_id: str, redirect_uri: str, now_ms: int) -> Grant:
        """Gives the tokens for a code, which is used up by it.

        Raises:
            TokenRefused: the code is unknown, used, too old, or another application's or redirect's.
        """
        held = self._codes.pop(code, None)
        if held is None:
            raise TokenRefused(TokenFault.UNKNOWN)
        if held.expires_at_ms <= now_ms:
            raise TokenRefused(TokenFault.EXPIRED)
        if (held.client_id, held.redirect_uri) != (client_id, redirect_uri):
            raise TokenRefused(TokenFault.OTHER_APPLICATION)
        return self.consent(client_id, held.user_id, account_ids=held.account_ids, scope=held.scope, now_ms=now_ms)

    def refresh(self, refresh_token: str, *, now_ms: int, client_id: str | None = None) -> tuple[Grant, Grant]:
        """Gives the old pair, now used up, and the new one. The caller calls `retire` on the old one.

        Two calls, because the events of a refresh may come before or after its answer.

        Raises:
            TokenRefused: the token is unknown, used, revoked, or another application's than `client_id`.
        """
        old = self._by_refresh.get(refresh_token)
        if old is None:
            raise TokenRefused(self._dead.get(refresh_token, TokenFault.UNKNOWN))
        if client_id is not None and client_id != old.client_id:
            raise TokenRefused(TokenFault.OTHER_APPLICATION)
        del self._by_refresh[refresh_token]
        self._bury(refresh_token, TokenFault.USED)
        new = self._issue(old.client_id, old.user_id, account_ids=old.account_ids, scope=old.scope, now_ms=now_ms)
        return old, new

    def retire(self, old: Grant) -> None:
        """Ends the access token that a refresh has replaced, as the policy says, and tells the watchers."""
        if self.policy.old_access is OldAccess.DEAD:
            self._end_access(old)
        self._tell(old, Ended.REFRESHED)

    def revoke(self, grant: Grant, ended: Ended) -> None:
        """Ends both tokens of a pair and tells the watchers."""
        if self._by_refresh.pop(grant.refresh_token, None) is not None:
            self._bury(grant.refresh_token, TokenFault.REVOKED)
        if self._end_access(grant):
            self._tell(grant, ended)

    # Asking

    def application(self, client_id: str, client_secret: str) -> Application | None:
        """The application of these credentials, or None where they do not belong together."""
        application = self._applications.get(client_id)
        return application if application is not None and application.client_secret == client_secret else None

    def grant_of(self, access_token: str, *, now_ms: int) -> Grant:
        """What an access token stands for.

        Raises:
            TokenRefused: it is unknown, revoked, replaced, or its time is over.
        """
        grant = self._by_access.get(access_token)
        if grant is None:
            raise TokenRefused(self._dead.get(access_token, TokenFault.UNKNOWN))
        if grant.expires_at_ms <= now_ms:
            raise TokenRefused(TokenFault.EXPIRED)
        return grant

    # Inside

    def _issue(
        self, client_id: str, user_id: int, *, account_ids: tuple[int, ...], scope: TokenScope, now_ms: int
    ) -> Grant:
        grant = Grant(
            access_token=self.make_up("access"),
            refresh_token=self.make_up("refresh"),
            client_id=client_id,
            user_id=user_id,
            account_ids=account_ids,
            scope=scope,
            expires_at_ms=now_ms + self.policy.life_s * 1000,
        )
        for token in [token for token, held in self._by_access.items() if held.expires_at_ms + _REMEMBERED_MS < now_ms]:
            del self._by_access[token]
        self._by_access[grant.access_token] = grant
        self._by_refresh[grant.refresh_token] = grant
        return grant

    def _end_access(self, grant: Grant) -> bool:
        ended = self._by_access.pop(grant.access_token, None) is not None
        if ended:
            self._bury(grant.access_token, TokenFault.REVOKED)
        return ended

    def _tell(self, grant: Grant, ended: Ended) -> None:
        for watcher in list(self._watchers):
            watcher(grant, ended)

    def _bury(self, token: str, fault: TokenFault) -> None:
        """Remembers why a token died; of the dead only the newest thousand, so that a refresh storm costs nothing."""
        self._dead[token] = fault
        if len(self._dead) > 1000:
            del self._dead[next(iter(self._dead))]
