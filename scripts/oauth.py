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
from anyctrader.session.tunnel import authority, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anyctrader.session.proxies import Proxy
    from anyctrader.session.registration import Registration

__all__ = ["PUBLISHED", "OAuthService"]

_HTTP_LOGGERS: Final = ("httpx", "httpcore", "h11", "hpack", "h2")
_SILENT: Final = logging.CRITICAL + 1
_HTTPS_PORT: Final = 443
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
        proxy = _proxy_towards(self.token_url, registration)
        try:
            with _unlogged():
                # Nothing else of the environment, no .netrc: the settings say where a secret goes, and by which proxy.
                through = (
                    httpx.Proxy(f"http://{authority(proxy.host, proxy.port)}", auth=_user_of(proxy)) if proxy else None
                )
                async with httpx.AsyncClient(timeout=_EXCHANGE_S, trust_env=False, proxy=through) as client:
                    answer = await client.get(self.token_url, params=query)
        except httpx.HTTPError as error:
            # Not chained: it carries the request, and that the secret.
            why, by = type(error).__name__, "" if proxy is None else f" through the proxy {proxy}"
            if proxy is not None and isinstance(error, httpx.ProxyError):
                why = shown(proxy.masked(str(error)))
            raise ConnectFailed(f"{where}: no answer to the exchange of the code{by} ({why})") from None
        return _pair_in(answer, where)


PUBLISHED: Final = OAuthService(
    "https://id.ctrader.com/my/settings/openapi/grantingaccess/", "https://openapi.ctrader.com/apps/token"
)
"""The service of the Open API."""


def _proxy_towards(url: str, registration: Registration) -> Proxy | None:
    """The proxy that a session would take; none where there is no TLS that would hide the secret from it."""
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.hostname is None:
        return None
    return registration.proxies.towards(parts.hostname, parts.port or _HTTPS_PORT)


def _user_of(proxy: Proxy) -> tuple[str, str] | None:
    if proxy.user is None:
        return None
    name, _, password = proxy.user.reveal().partition(":")
    return name, password


@contextmanager
def _unlogged() -> Iterator[None]:
    """Within it the HTTP client logs nothing, whatever level and handlers somebody has set."""
    names = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in _HTTP_LOGGERS]
    loggers = [logging.getLogger(name) for name in {*names, *_HTTP_LOGGERS}]
    before = [(logger, logger.disabled, logger.level) for logger in loggers]
    for logger in loggers:
        logger.disabled = True
        logger.setLevel(_SILENT)  # for those below it that come with a module that is imported only now
    try:
        yield
    finally:
        for logger, disabled, level in before:
            logger.disabled = disabled
            logger.setLevel(level)


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
