"""The OAuth pages over plain HTTP on this machine: consent, code, token, refresh (docs/protocol.md section 6)."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

import anyio
import h11
import orjson

from .choices import OAuthErrors
from .tokens import TokenRefused, TokenScope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from anyio.abc import SocketStream

    from .tokens import Application, Directory, Grant

__all__ = ["CONSENT_PATHS", "TOKEN_PATH", "OAuthPages"]

CONSENT_PATHS = ("/my/settings/openapi/grantingaccess/", "/apps/auth")
"""The page of today, and the one that the SDKs still use."""
TOKEN_PATH = "/apps/token"  # noqa: S105 - a path
"""Where codes and refresh tokens are exchanged."""

_LARGEST_BODY = 65_536
_REQUEST_S = 30.0


@dataclass(frozen=True, slots=True)
class _Page:
    status: int
    body: bytes = b""
    content_type: str = "text/html; charset=utf-8"
    location: str | None = None
    allow: str | None = None


_NOT_HTTP = _Page(400, b"<!doctype html><title>Error</title><p>This is no HTTP request.")
_NO_ADDRESS = _Page(400, b"<!doctype html><title>Error</title><p>The address of the request cannot be read.")


class OAuthPages:
    """The pages of one directory. The user behind the browser is always the same, and always logged in.

    Args:
        directory: applications, accounts and tokens.
        user_id: the cTID of that user.
        now_ms: the server's time of day.
        errors: the HTTP status of a refusal at the token address.
    """

    def __init__(
        self, directory: Directory, *, user_id: int, now_ms: Callable[[], int], errors: OAuthErrors = OAuthErrors.OK
    ) -> None:
        self._directory = directory
        self._user_id = user_id
        self._now_ms = now_ms
        self._errors = errors

    async def serve(self, stream: SocketStream) -> None:
        """One connection of a browser or an HTTP client; raises nothing that it has caused."""
        connection = h11.Connection(h11.SERVER)
        try:
            async with stream:
                while True:
                    with anyio.fail_after(_REQUEST_S):
                        if not await self._exchange(connection, stream):
                            return
                    connection.start_next_cycle()
        except (OSError, TimeoutError, anyio.BrokenResourceError, anyio.ClosedResourceError, h11.ProtocolError):
            return  # it is gone, too slow, or speaks no HTTP: there is nobody to tell

    async def _exchange(self, connection: h11.Connection, stream: SocketStream) -> bool:
        """Answers one request; False when the connection is over."""
        request: h11.Request | None = None
        body = b""
        while True:
            try:
                event = connection.next_event()
            except h11.RemoteProtocolError:
                await self._send(connection, stream, _NOT_HTTP)
                return False
            if event is h11.NEED_DATA:
                try:
                    connection.receive_data(await stream.receive())
                except anyio.EndOfStream:
                    connection.receive_data(b"")
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > _LARGEST_BODY:
                    return False
            elif isinstance(event, h11.EndOfMessage) and request is not None:
                await self._send(connection, stream, self._page(request, body), bare=request.method == b"HEAD")
                return connection.our_state is h11.DONE and connection.their_state is h11.DONE
            else:
                return False

    async def _send(self, connection: h11.Connection, stream: SocketStream, page: _Page, *, bare: bool = False) -> None:
        headers = [("Content-Type", page.content_type), ("Content-Length", str(len(page.body)))]
        if page.location is not None:
            headers.append(("Location", page.location))
        if page.allow is not None:
            headers.append(("Allow", page.allow))
        data = connection.send(h11.Response(status_code=page.status, headers=headers)) or b""
        if not bare:
            data += connection.send(h11.Data(data=page.body)) or b""
        data += connection.send(h11.EndOfMessage()) or b""
        await stream.send(data)

    # Pages

    def _page(self, request: h11.Request, body: bytes) -> _Page:
        try:
            target = urlsplit(request.target.decode("latin-1"))
        except ValueError:  # such as a bracket of an IPv6 address that is never closed
            return _NO_ADDRESS
        query = parse_qsl(target.query)
        if target.path == TOKEN_PATH and request.method == b"GET":
            return self._token(dict(query))
        if target.path == TOKEN_PATH and request.method == b"HEAD":
            return _Page(405, allow="GET")  # to look at it must not use up a code
        if target.path in CONSENT_PATHS and request.method in (b"GET", b"HEAD", b"POST"):
            form = parse_qsl(body.decode("latin-1")) if request.method == b"POST" else None
            return self._consent(dict(query), form)
        return _Page(404, b"<!doctype html><title>Not found</title><p>There is no such page.")

    def _consent(self, query: dict[str, str], form: list[tuple[str, str]] | None) -> _Page:
        application = self._directory.applications.get(query.get("client_id", ""))
        redirect_uri = query.get("redirect_uri", "")
        scope = query.get("scope", "accounts")
        problem = _consent_problem(application, redirect_uri, scope)
        if application is None or problem is not None:
            return _Page(400, f"<!doctype html><title>Error</title><p>{html.escape(problem or '')}".encode())
        if form is None:
            return _Page(200, self._form(application, scope).encode())
        if ("decision", "allow") not in form:
            return _Page(302, location=_with_query(redirect_uri, {"error": "access_denied"}))
        known = {str(account_id): account_id for account_id in self._directory.accounts}
        code = self._directory.authorisation_code(
            application.client_id,
            self._user_id,
            account_ids=[known[value] for name, value in form if name == "account" and value in known],
            scope=TokenScope.of(scope),
            redirect_uri=redirect_uri,
            now_ms=self._now_ms(),
        )
        return _Page(302, location=_with_query(redirect_uri, {"code": code}))  # `state` is not given back (section 6)

    def _form(self, application: Application, scope: str) -> str:
        rows = "".join(
            f'<p><label><input type="checkbox" name="account" value="{account.account_id}" checked>'
            f" {'live' if account.is_live else 'demo'} {account.trader_login}</label>"
            for account in self._directory.accounts.values()
        )
        wish = "trade with" if scope == "trading" else "look at"
        return (
            "<!doctype html><title>Grant access</title>"
            f"<p>{html.escape(application.client_id)} wants to {wish} these accounts:"
            f'<form method="post">{rows}'
            '<p><button name="decision" value="allow">Allow access</button>'
            ' <button name="decision" value="deny">Deny</button></form>'
        )

    def _token(self, query: dict[str, str]) -> _Page:
        application = self._directory.application(query.get("client_id", ""), query.get("client_secret", ""))
        if application is None or not application.active:
            return self._refused("CH_CLIENT_AUTH_FAILURE", "clientId or clientSecret is incorrect")
        now_ms = self._now_ms()
        kind = query.get("grant_type")
        try:
            if kind == "authorization_code":
                grant = self._directory.redeem(
                    query.get("code", ""),
                    client_id=application.client_id,
                    redirect_uri=query.get("redirect_uri", ""),
                    now_ms=now_ms,
                )
            elif kind == "refresh_token":
                old, grant = self._directory.refresh(
                    query.get("refresh_token", ""), now_ms=now_ms, client_id=application.client_id
                )
                self._directory.retire(old)
            else:
                return self._refused("INVALID_REQUEST", "Unknown grant_type")
        except TokenRefused:
            return self._refused("ACCESS_DENIED", "Access denied. Make sure the credentials are valid.")
        return self._granted(grant)

    def _granted(self, grant: Grant) -> _Page:
        return _json(
            200,
            {
                "accessToken": grant.access_token,
                "tokenType": "bearer",
                "expiresIn": self._directory.policy.life_s,
                "refreshToken": grant.refresh_token,
                "errorCode": None,
                "description": None,
            },
        )

    def _refused(self, code: str, description: str) -> _Page:
        """Section 6: an error may well come with HTTP 200; the body tells."""
        return _json(
            self._errors.value,
            {
                "accessToken": None,
                "tokenType": None,
                "expiresIn": None,
                "refreshToken": None,
                "errorCode": code,
                "description": description,
            },
        )


def _json(status: int, body: dict[str, object]) -> _Page:
    return _Page(status, orjson.dumps(body), "application/json")


def _consent_problem(application: Application | None, redirect_uri: str, scope: str) -> str | None:
    if application is None:
        return "There is no such application."
    if not application.active:
        return "The application is not active."
    if scope not in ("accounts", "trading"):
        return "The scope is accounts or trading."
    return None if _leads_back(redirect_uri, application.redirect_uris) else "redirect_uri is not registered."


def _leads_back(redirect_uri: str, registered: Iterable[str]) -> bool:
    """Section 6: it must be a registered one. An application that registers none may use any of this machine."""
    if not (redirect_uri.isascii() and redirect_uri.isprintable()) or " " in redirect_uri:
        return False  # no header can carry it
    registered = tuple(registered)
    if registered:
        return redirect_uri in registered
    try:
        parts = urlsplit(redirect_uri)
    except ValueError:  # an address that cannot be read leads nowhere
        return False
    return parts.scheme in ("http", "https") and parts.hostname in ("localhost", "127.0.0.1", "::1")


def _with_query(uri: str, added: dict[str, str]) -> str:
    return f"{uri}{'&' if urlsplit(uri).query else '?'}{urlencode(added)}"
