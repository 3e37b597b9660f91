"""Application and account authorisation on one link (docs/protocol.md section 7)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..wire import messages as oa
from . import clock
from .errors import AuthenticationFailed, NotSent, OutcomeUnknown, RateLimited, ServerError, WrongEnvironment
from .reconnect import FATAL_CODES
from .secret import Secret
from .token_store import TokenPair

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..wire import Message
    from .link import Link
    from .settings import Credentials, Environment

__all__ = [
    "authenticate_application",
    "authorize_account",
    "list_accounts",
    "refresh_tokens",
    "required_account",
    "user_of",
]

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
        await _asked(link, request, timeout_s=timeout_s)
    except ServerError as error:
        if error.code not in _APP_ALREADY:
            raise _refusal(error, f"the application of {credentials.environment.value} was refused") from error


async def list_accounts(link: Link, credentials: Credentials, *, timeout_s: float) -> Any:
    """What the access token covers and may do: a `ProtoOAGetAccountListByAccessTokenRes`, demo and live alike.

    Raises:
        AuthenticationFailed: the server refused the token.
        ServerError: it could not just now.
    """
    request = oa.ProtoOAGetAccountListByAccessTokenReq(accessToken=credentials.access_token.reveal())
    try:
        answer = await _asked(link, request, timeout_s=timeout_s)
    except ServerError as error:
        raise _refusal(error, f"the access token of {credentials.environment.value} was refused") from error
    return answer.payload


async def authorize_account(link: Link, credentials: Credentials, account_id: int, *, timeout_s: float) -> None:
    """Authorises one account on this link.

    Raises:
        AuthenticationFailed: the server refused it.
        ServerError: it could not just now.
    """
    request = oa.ProtoOAAccountAuthReq(ctidTraderAccountId=account_id, accessToken=credentials.access_token.reveal())
    try:
        await _asked(link, request, timeout_s=timeout_s)
    except ServerError as error:
        # Section 7: "already authorized in this channel" leaves a good session behind.
        if error.code not in _ACCOUNT_ALREADY:
            raise _refusal(error, f"account {account_id} was refused") from error


async def user_of(link: Link, credentials: Credentials, *, timeout_s: float) -> int | None:
    """Whose access token this is: `ProtoOACtidProfile.userId`; None where the server does not say, or not in time."""
    request = oa.ProtoOAGetCtidProfileByTokenReq(accessToken=credentials.access_token.reveal())
    try:
        answer = await _asked(link, request, timeout_s=timeout_s)
    except (ServerError, OutcomeUnknown):
        return None  # no client depends on it: whoever is not told keeps the accounts apart by their numbers
    user_id: int = answer.payload.profile.userId
    return user_id


async def refresh_tokens(
    link: Link, refresh_token: Secret, *, environment: Environment, leave_within_s: float
) -> TokenPair:
    """Uses a refresh token up for a new pair (`ProtoOARefreshTokenReq`). Asked once: see the module `tokens`.

    The answer is waited for as long as the link lives, since it may be the only living pair: bound it from outside.

    Raises:
        AuthenticationFailed: the server refused it: it was used, or the user has let the application in again.
        ServerError: it could not just now; it was not used up.
        NotSent: it did not leave.
        OutcomeUnknown: it left, and the link ended before an answer came.
    """
    request = oa.ProtoOARefreshTokenReq(refreshToken=refresh_token.reveal())
    try:
        answer = (await link.request(request, timeout_s=math.inf, leave_within_s=leave_within_s)).payload
    except ServerError as error:
        name = environment.value
        what = f"the refresh token of {name} was refused too (`anyctrader login {name}` gets a new pair)"
        raise _refusal(error, what) from error
    now_ms = clock.utc_ms()
    return TokenPair(
        access_token=Secret(answer.accessToken),
        refresh_token=Secret(answer.refreshToken),
        issued_at_ms=now_ms,
        expires_at_ms=now_ms + answer.expiresIn * 1000,
    )


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


async def _asked(link: Link, request: Any, *, timeout_s: float) -> Message:
    """Asks, and again where it was refused for its rate (section 5: a block can hit authentication too).

    The throttle holds the type back meanwhile, each time for longer; all of it within the deadline.
    """
    by_s = clock.now_s() + timeout_s
    refusal: RateLimited | None = None
    while True:
        try:
            return await link.request(request, timeout_s=max(0.0, by_s - clock.now_s()))
        except RateLimited as error:
            if clock.now_s() >= by_s:
                raise
            refusal = error
        except NotSent as error:
            raise refusal or error from None


def _refusal(error: ServerError, what: str) -> Exception:
    """A refusal of credentials as such; anything else as it is."""
    if error.code not in FATAL_CODES:
        return error
    return AuthenticationFailed(f"{what}: {error}", code=error.code, description=error.description)
