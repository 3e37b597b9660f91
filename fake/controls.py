"""What a test, or a person, does to a running server: losses of sessions, prices, money."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import messages as oa
from .choices import Goodbye, Weekend
from .faults import RefuseTls
from .registration import USER_ID
from .tokens import Ended, TokenScope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .injection import Injection
    from .pushes import Push, Quote
    from .switchboard import Switchboard
    from .tokens import Application, Grant

__all__ = ["Controls"]


class Controls:
    """The part of a `FakeServer` that acts on its clients. Everything takes effect before the call returns."""

    _board: Switchboard
    _application: Application

    # Time

    def pass_time(self, seconds: float) -> None:
        """Moves a held clock on (`ServerSettings.clock`): ticks, fills, heartbeats and steps come as they fall due.

        Raises:
            RuntimeError: the clock runs by itself.
            ValueError: time does not go back.
        """
        self._board.agenda.pass_time(seconds)

    # Tokens and sessions

    def grant(
        self, *, account_ids: Iterable[int] | None = None, scope: TokenScope = TokenScope.TRADE, user_id: int = USER_ID
    ) -> Grant:
        """A further consent, for these accounts or all; it may end the pair of an earlier one of the same user."""
        return self._board.directory.consent(
            self._application.client_id,
            user_id,
            account_ids=self._board.directory.accounts if account_ids is None else account_ids,
            scope=scope,
            now_ms=self._board.agenda.now_ms(),
        )

    def invalidate_tokens(self) -> None:
        """Revokes every pair of tokens: sessions get their events, and only a new `grant()` lets clients in."""
        for grant in self._board.directory.grants:
            self._board.directory.revoke(grant, Ended.REVOKED)

    def disconnect_account(self, account_id: int) -> None:
        """`ProtoOAAccountDisconnectEvent` on each connection that holds the account; the links stay."""
        for client, _ in self._board.sessions(account_id):
            del client.sessions[account_id]
            self._board.send(client, oa.ProtoOAAccountDisconnectEvent(ctidTraderAccountId=account_id))

    def forget_account(self, account_id: int) -> None:
        """Loses the account's sessions without a word: requests begin to answer "not authorized"."""
        for client, _ in self._board.sessions(account_id):
            del client.sessions[account_id]

    def disconnect_clients(self, reason: str = "Session is terminated") -> None:
        """Ends the application session of every connection, with the event and the close that follows it."""
        for client in list(self._board.clients.values()):
            if self._board.settings.variants.goodbye is Goodbye.CLOSE:
                client.close(reason)
                continue
            self._board.send(client, oa.ProtoOAClientDisconnectEvent(reason=reason))
            for session in client.sessions.values():
                session.alive = False  # nothing is said after a good-bye, though the stream stays for a moment
            self._board.agenda.call_after(
                self._board.settings.timing.goodbye_s,
                lambda client=client: client.close(reason),  # type: ignore[misc]
            )

    def drop_clients(self) -> None:
        """Drops every connection at once, without a word and without ending TLS."""
        for client in list(self._board.clients.values()):
            client.drop("dropped by the test")

    def begin_weekend(self) -> Injection | None:
        """What a weekend does to connections (docs/protocol.md section 19); where TLS is refused, until removed."""
        weekend = self._board.settings.variants.weekend
        if weekend is Weekend.ACCOUNTS_DROPPED:
            for account_id in self._board.exchange.accounts:
                self.disconnect_account(account_id)
            return None
        for client in list(self._board.clients.values()):
            client.close("weekend")
        return self._board.faults.inject(RefuseTls()) if weekend is Weekend.TLS_REFUSED else None

    # Prices and money

    def set_price(self, symbol_id: int, *, bid: int, ask: int) -> None:
        """Moves a symbol's price (x 100,000) and holds it there; orders trigger by it."""
        self._control(self._board.exchange.set_price(symbol_id, bid=bid, ask=ask, now_ms=self._board.agenda.now_ms()))

    def release_price(self, symbol_id: int) -> None:
        """Lets a symbol's price walk again."""
        self._control(self._board.exchange.release_price(symbol_id, now_ms=self._board.agenda.now_ms()))

    def deposit(self, account_id: int, *, amount: int, note: str = "") -> None:
        """Books a deposit, or a negative amount as a withdrawal, in the smallest unit of the account's money."""
        self._control(
            self._board.exchange.deposit(account_id, amount=amount, now_ms=self._board.agenda.now_ms(), note=note)
        )

    def _control(self, happened: Iterable[Push | Quote]) -> None:
        self._board.deliver(happened)
        self._board.drive()
