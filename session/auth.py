"""Application and account authorisation on one link (docs/protocol.md section 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..wire import messages as oa
from .errors import AuthenticationFailed, ServerError, WrongEnvironment
from .reconnect import FATAL_CODES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .link import Link
    from .settings import Credentials, Environment

__all__ = ["authenticate_application", "authorize_account", "list_accounts", "required_account"]

_APP_ALREADY = ("CH_CLIENT_ALREADY_AUTHENTICATED", "ALREADY_LOGGED_IN")
_ACCOUNT_ALREADY = ("ALREADY_LOGGED_IN",)


async def authenticate_application(link: Link, credentials: Credentials, *, timeout_s: float) -> None:
    """Says which application this is; must come first.

    Raises:
        AuthenticationFailed: the server refused it.
        ServerError: it could not just now (maintenance, rate limit).
    """
    request = oa.ProtoOAApplicationAuthReq(
        clientId=credentials.client_id, clientSecret=credentials.client_secret.reveal()
    )
    try:
        await link.request(request, timeout_s=timeout_s)
    except ServerError as error:
        if error.code not in _APP_ALREADY:
            raise _refusal(error, f"the application of {credentials.environment.value} was refused") from error


async def list_accounts(link: Link, credentials: Credentials, *, timeout_s: float) -> list[Any]:
    """The accounts that the access token covers, demo and live alike: `ProtoOACtidTraderAccount` each.

    Raises:
        AuthenticationFailed: the server refused the token.
        ServerError: it could not just now.
    """
    request = oa.ProtoOAGetAccountListByAccessTokenReq(accessToken=credentials.access_token.reveal())
    try:
        answer = await link.request(request, timeout_s=timeout_s)
    except ServerError as error:
        raise _refusal(error, f"the access token of {credentials.environment.value} was refused") from error
    return list(answer.payload.ctidTraderAccount)


async def authorize_account(link: Link, credentials: Credentials, account_id: int, *, timeout_s: float) -> None:
    """Authorises one account on this link.

    Raises:
        AuthenticationFailed: the server refused it.
        ServerError: it could not just now.
    """
    request = oa.ProtoOAAccountAuthReq(ctidTraderAccountId=account_id, accessToken=credentials.access_token.reveal())
    try:
        await link.request(request, timeout_s=timeout_s)
    except ServerError as error:
        # Section 7: "already authorized in this channel" leaves a good session behind.
        if error.code not in _ACCOUNT_ALREADY:
            raise _refusal(error, f"account {account_id} was refused") from error


def required_account(accounts: Iterable[Any], account_id: int, *, environment: Environment) -> Any:
    """The account of this id, known to belong to this environment. Nothing has left for it when this raises.

    Raises:
        WrongEnvironment: `isLive` says that it belongs to the other one.
        AuthenticationFailed: the token does not cover it; the text names the right id where the number is the login
            that a trader sees.
    """
    known = list(accounts)
    for account in known:
        if account.ctidTraderAccountId == account_id:
            if account.isLive is not environment.is_live:
                raise WrongEnvironment(
                    f"account {account_id} belongs to {environment.other.value}, this session is {environment.value}"
                )
            return account
    for account in known:
        if account.traderLogin == account_id:
            raise AuthenticationFailed(
                f"{account_id} is a trader login; the API wants the account's ctidTraderAccountId, which is "
                f"{account.ctidTraderAccountId}",
                code="CH_CTID_TRADER_ACCOUNT_NOT_FOUND",
            )
    ours = ", ".join(str(a.ctidTraderAccountId) for a in known if a.isLive is environment.is_live)
    raise AuthenticationFailed(
        f"the access token of {environment.value} does not cover account {account_id}; "
        + (f"it covers {ours}" if ours else f"it covers no {environment.value} account")
        + ". An account that was opened after the consent needs a new one",
        code="CH_CTID_TRADER_ACCOUNT_NOT_FOUND",
    )


def _refusal(error: ServerError, what: str) -> Exception:
    """A refusal of credentials as such; anything else as it is."""
    if error.code not in FATAL_CODES:
        return error
    return AuthenticationFailed(f"{what}: {error}", code=error.code, description=error.description)
