"""The two addresses of the OAuth service, and the exchange of a code for a pair of tokens.

docs/protocol.md section 6. The exchange carries the client secret and the code in its address, and httpx logs whole
addresses: while it lasts, the loggers of the HTTP client are off.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

import httpx

from anyctrader.scripts.callback import LoginFailed
from anyctrader.session import ConnectFailed, Secret, clock
from anyctrader.session.token_store import TokenPair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anyctrader.session.registration import Registration

__all__ = ["PUBLISHED", "OAuthService"]

_HTTP_LOGGERS: Final = ("httpx", "httpcore", "h11", "hpack", "h2")
_EXCHANGE_S: Final = 30.0  # half of what a code lives


@dataclass(frozen=True, slots=True)
class OAuthService:
    """Where consent is given, and where codes are exchanged.

    Attributes:
        consent_url: the page for the browser.
        token_url: where codes are exchanged.
    """

    consent_url: str
    token_url: str

    @classmethod
    def at(cls, url: str) -> OAuthService:
        """Both at one address, as a fake server has them.

        Raises:
            ValueError: a secret sent there could be read on its way: neither HTTPS nor this machine.
        """
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost")):
            raise ValueError("an OAuth service has an https address, or a plain one on this machine")
        base = url.rstrip("/")
        return cls(f"{base}/my/settings/openapi/grantingaccess/", f"{base}/apps/token")

    def consent_page(self, registration: Registration, *, state: str, may_trade: bool) -> str:
        """What the browser opens. No secret is in it."""
        query = {
            "client_id": registration.client_id,
            "redirect_uri": registration.redirect_uri,
            "scope": "trading" if may_trade else "accounts",
            "product": "web",
            "state": state,
        }
        return f"{self.consent_url}?{urlencode(query)}"

    async def exchange(self, registration: Registration, code: str) -> TokenPair:
        """Gives a code for a pair of tokens; the code is used up by it.

        Raises:
            LoginFailed: the code or the application was refused, or the answer is none.
            ConnectFailed: the service cannot be reached.
        """
        query = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": registration.redirect_uri,
            "client_id": registration.client_id,
            "client_secret": registration.client_secret.reveal(),
        }
        where = urlsplit(self.token_url).netloc
        try:
            with _unlogged():
                # No proxy and no .netrc of the environment: nothing but the settings says where a secret goes.
                async with httpx.AsyncClient(timeout=_EXCHANGE_S, trust_env=False) as client:
                    answer = await client.get(self.token_url, params=query)
        except httpx.HTTPError as error:
            # Not chained: it carries the request, and that the secret.
            raise ConnectFailed(f"{where}: no answer to the exchange of the code ({type(error).__name__})") from None
        return _pair_in(answer, where)


PUBLISHED: Final = OAuthService(
    "https://id.ctrader.com/my/settings/openapi/grantingaccess/", "https://openapi.ctrader.com/apps/token"
)
"""The service of the Open API."""


@contextmanager
def _unlogged() -> Iterator[None]:
    """Within it the HTTP client logs nothing, whatever level and handlers somebody has set."""
    names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in _HTTP_LOGGERS]
    loggers = [logging.getLogger(name) for name in {*names, *_HTTP_LOGGERS}]
    before = [(logger, logger.disabled) for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, disabled in before:
            logger.disabled = disabled


def _pair_in(answer: httpx.Response, where: str) -> TokenPair:
    """Section 6: an error may come with HTTP 200; the body tells, not the status."""
    try:
        body: Any = answer.json()
    except ValueError:
        body = None
    match body:
        case {"accessToken": str(access), "refreshToken": str(refresh), "expiresIn": int(life_s)} if access and refresh:
            now_ms = clock.utc_ms()
            return TokenPair(
                access_token=Secret(access),
                refresh_token=Secret(refresh),
                issued_at_ms=now_ms,
                expires_at_ms=now_ms + life_s * 1000,
            )
        case {"errorCode": str(error_code)}:
            # Its description is left out: a service may quote in it what it was sent.
            raise LoginFailed(f"{where} refused the code or the application: {error_code}")
    raise LoginFailed(f"{where} gave an answer that holds no tokens (HTTP {answer.status_code})")
