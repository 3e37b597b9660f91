"""What a server writes into a directory: its accounts, an application, a first pair of tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .tokens import Directory, Grant, ListedAccount, TokenScope

if TYPE_CHECKING:
    from .accounts import Account
    from .exchange import Exchange
    from .settings import Host, ServerSettings
    from .tokens import Application

__all__ = ["USER_ID", "default_grant", "register_accounts", "shared_directory"]

USER_ID = 1
"""The cTID that owns the accounts of a server which makes its own directory."""


def shared_directory(*servers: ServerSettings, seed: str = "") -> Directory:
    """A directory for several servers: one application and one token that covers the accounts of all of them.

    The real company keeps applications and tokens once for both hosts, and either host lists the accounts of both
    (docs/protocol.md section 7). The policy for tokens is that of the first settings.
    """
    directory = Directory(seed=seed, policy=servers[0].tokens if servers else None)
    for settings in servers:
        for account in settings.exchange.accounts:
            if account.account_id not in directory.accounts:
                directory.list_account(
                    ListedAccount(
                        account_id=account.account_id,
                        is_live=account.is_live,
                        trader_login=account.trader_login,
                        broker_title=account.broker_title,
                        last_times_ms=lambda: (None, None),
                    )
                )
    directory.add_application()
    return directory


def register_accounts(directory: Directory, exchange: Exchange, *, host: Host) -> None:
    """Lists a server's accounts; of those that both hosts know, the one that serves them has the say."""
    for account_id, account in exchange.accounts.items():
        if account_id not in directory.accounts or account.settings.is_live is host.is_live:
            directory.list_account(_listed(account))


def default_grant(directory: Directory, application: Application, *, now_ms: int) -> Grant:
    """The first pair of tokens of an application, which is made if there is none: for all accounts, to trade."""
    for grant in directory.grants:
        if grant.client_id == application.client_id:
            return grant
    return directory.consent(
        application.client_id, USER_ID, account_ids=directory.accounts, scope=TokenScope.TRADE, now_ms=now_ms
    )


def _listed(account: Account) -> ListedAccount:
    return ListedAccount(
        account_id=account.settings.account_id,
        is_live=account.settings.is_live,
        trader_login=account.settings.trader_login,
        broker_title=account.settings.broker_title,
        last_times_ms=lambda: (account.last_closing_deal_ms, account.last_balance_update_ms),
    )
