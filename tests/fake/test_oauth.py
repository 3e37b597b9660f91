"""The OAuth pages: docs/protocol.md section 6."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx
import pytest

from anyctrader.fake import AnswerVariants, FakeServer, FakeServerFailed
from anyctrader.fake.choices import OAuthErrors
from anyctrader.proto import schema as oa

from .quick import QUICK
from .raw_client import connected

pytestmark = pytest.mark.anyio

BACK = "http://127.0.0.1:9/callback"
CONSENT = "/my/settings/openapi/grantingaccess/"


@asynccontextmanager
async def browser(server: FakeServer) -> AsyncIterator[httpx.AsyncClient]:
    assert server.oauth_url is not None
    async with httpx.AsyncClient(base_url=server.oauth_url, trust_env=False) as client:
        yield client


def wish(server: FakeServer, **fields: str) -> dict[str, str]:
    return {
        "client_id": server.client_id,
        "redirect_uri": BACK,
        "scope": "trading",
        "product": "web",
        "state": "mine",
        **fields,
    }


def purchase(server: FakeServer, **fields: str) -> dict[str, str]:
    return {"client_id": server.client_id, "client_secret": server.client_secret, "redirect_uri": BACK, **fields}


async def code_of(client: httpx.AsyncClient, server: FakeServer, account: str = "1000001", **fields: str) -> str:
    answer = await client.post(CONSENT, params=wish(server, **fields), data={"account": account, "decision": "allow"})
    assert answer.status_code == 302
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert set(query) == {"code"}  # `state` is not given back
    return query["code"][0]


async def test_the_whole_way_from_consent_to_an_authorised_account() -> None:
    async with FakeServer(QUICK) as server, browser(server) as client:
        page = await client.get(CONSENT, params=wish(server))
        assert page.status_code == 200
        assert re.findall(r'value="(\d+)"', page.text) == ["1000001", "1000002"]
        code = await code_of(client, server)
        answer = (
            await client.get("/apps/token", params=purchase(server, grant_type="authorization_code", code=code))
        ).json()
        assert (answer["tokenType"], answer["expiresIn"]) == ("bearer", 2_628_000)
        assert (answer["errorCode"], answer["description"]) == (None, None)
        async with connected(server) as raw:
            await raw.authorise_app(server)
            listed = await raw.ask(oa.ProtoOAGetAccountListByAccessTokenReq(accessToken=answer["accessToken"]))
            assert [row.ctidTraderAccountId for row in listed.ctidTraderAccount] == [1000001]


async def test_the_sdks_address_is_served_too_and_accounts_scope_only_looks() -> None:
    async with FakeServer(QUICK) as server, browser(server) as client:
        page = await client.get("/apps/auth", params=wish(server, scope="accounts"))
        assert "look at" in page.text
        code = await code_of(client, server, scope="accounts")
        answer = (
            await client.get("/apps/token", params=purchase(server, grant_type="authorization_code", code=code))
        ).json()
        async with connected(server) as raw:
            await raw.authorise_app(server)
            listed = await raw.ask(oa.ProtoOAGetAccountListByAccessTokenReq(accessToken=answer["accessToken"]))
            assert listed.permissionScope == oa.ProtoOAClientPermissionScope.SCOPE_VIEW


async def test_a_denied_consent_leads_back_without_a_code() -> None:
    async with FakeServer(QUICK) as server, browser(server) as client:
        answer = await client.post(CONSENT, params=wish(server), data={"decision": "deny"})
        assert answer.headers["location"] == f"{BACK}?error=access_denied"


@pytest.mark.parametrize(
    "fields",
    [
        {"client_id": "<nobody>"},
        {"redirect_uri": "https://elsewhere.example/"},
        {"scope": "everything"},
    ],
)
async def test_a_wrong_wish_is_shown_as_a_page_and_never_redirected(fields: dict[str, str]) -> None:
    async with FakeServer(QUICK) as server, browser(server) as client:
        answer = await client.post(CONSENT, params=wish(server, **fields), data={"decision": "allow"})
        assert answer.status_code == 400
        assert "location" not in answer.headers


async def test_redirects_are_matched_against_the_registered_ones() -> None:
    async with FakeServer(QUICK) as server, browser(server) as client:
        strict = server.directory.add_application(redirect_uris=["http://127.0.0.1:9/other"])
        params = wish(server, client_id=strict.client_id)
        assert (await client.get(CONSENT, params=params)).status_code == 400
        assert (
            await client.get(CONSENT, params={**params, "redirect_uri": strict.redirect_uris[0]})
        ).status_code == 200


async def test_an_application_that_waits_for_approval_gets_no_consent() -> None:
    async with FakeServer(QUICK) as server, browser(server) as client:
        waiting = server.directory.add_application(active=False)
        answer = await client.get(CONSENT, params=wish(server, client_id=waiting.client_id))
        assert (answer.status_code, "not active" in answer.text) == (400, True)


@pytest.mark.parametrize("errors", list(OAuthErrors))
async def test_errors_are_in_the_body_whatever_the_status(errors: OAuthErrors) -> None:
    settings = replace(QUICK, variants=AnswerVariants(oauth_errors=errors))
    async with FakeServer(settings) as server, browser(server) as client:
        code = await code_of(client, server)
        good = {"grant_type": "authorization_code", "code": code}
        wrong: list[tuple[dict[str, str], str]] = [
            ({**good, "client_secret": "wrong"}, "CH_CLIENT_AUTH_FAILURE"),
            ({**good, "code": "wrong"}, "ACCESS_DENIED"),
            ({"grant_type": "refresh_token", "refresh_token": "wrong"}, "ACCESS_DENIED"),
            ({"grant_type": "password"}, "INVALID_REQUEST"),
        ]
        for fields, error_code in wrong:
            answer = await client.get("/apps/token", params=purchase(server, **fields))
            assert (answer.status_code, answer.json()["errorCode"]) == (errors.value, error_code)
            assert answer.json()["accessToken"] is None
        first = await client.get("/apps/token", params=purchase(server, **good))
        assert first.json()["errorCode"] is None
        again = await client.get("/apps/token", params=purchase(server, **good))
        assert again.json()["errorCode"] == "ACCESS_DENIED"  # a code is good once


async def test_a_refresh_over_http_gives_a_new_pair_and_ends_running_sessions() -> None:
    async with FakeServer(QUICK) as server, browser(server) as client, connected(server) as raw:
        await raw.authorise(server)
        fields = purchase(server, grant_type="refresh_token", refresh_token=server.refresh_token)
        answer = (await client.get("/apps/token", params=fields)).json()
        assert (answer["accessToken"], answer["refreshToken"]) == (server.access_token, server.refresh_token)
        assert (await raw.receive()).name == "ProtoOAAccountDisconnectEvent"
        assert (await client.get("/apps/token", params=fields)).json()["errorCode"] == "ACCESS_DENIED"


async def test_there_is_nothing_else_and_a_connection_may_be_used_again() -> None:
    async with FakeServer(QUICK) as server, browser(server) as client:
        for method, path in (("GET", "/"), ("POST", "/apps/token"), ("DELETE", CONSENT)):
            assert (await client.request(method, path)).status_code == 404


async def test_head_is_answered_as_get_is_but_for_the_body_and_uses_up_no_code() -> None:
    async with FakeServer(QUICK) as server, browser(server) as client:
        for path, status in ((CONSENT, 200), ("/apps/auth", 200), ("/", 404)):
            page = await client.get(path, params=wish(server))
            head = await client.head(path, params=wish(server))
            assert (head.status_code, head.content) == (status, b"")
            assert head.headers["content-length"] == page.headers["content-length"] == str(len(page.content))
        params = purchase(server, grant_type="authorization_code", code=await code_of(client, server))
        refused = await client.head("/apps/token", params=params)
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET")
        assert (await client.get("/apps/token", params=params)).json()["errorCode"] is None


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01", b"GET\r\n\r\n", b"POST /apps/auth HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx", b""]
)
async def test_what_is_no_http_ends_that_connection_alone(sent: bytes) -> None:
    async with FakeServer(QUICK) as server, browser(server) as client:
        port = urlsplit(str(server.oauth_url)).port
        assert port is not None
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(sent)
        assert (await client.get("/")).status_code == 404
        server.check()


async def answered(server: FakeServer, sent: bytes) -> bytes:
    """What comes back for these bytes, until the server has said all."""
    port = urlsplit(str(server.oauth_url)).port
    assert port is not None
    got = b""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(sent)
        with anyio.fail_after(10), suppress(anyio.EndOfStream):
            while True:
                got += await stream.receive()
    return got


@pytest.mark.parametrize("line", [b"GET //[ HTTP/1.1\r\n", b"GET //[ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"])
async def test_an_address_that_cannot_be_read_is_told_so_and_the_server_stays(line: bytes) -> None:
    async with FakeServer(QUICK) as server, browser(server) as client:
        head, _, page = (await answered(server, line + b"\r\n")).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert page.endswith(b".")
        assert (await client.get(CONSENT, params=wish(server))).status_code == 200
        server.check()


@pytest.mark.parametrize(
    "address", ["http://[bad", "http://127.0.0.1/\r\nX: y", "http://127.0.0.1/\u0142", "http://\u2100"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_redirect_that_no_browser_could_follow_is_not_registered(address: str, method: str) -> None:
    async with FakeServer(QUICK) as server, browser(server) as client:
        answer = await client.request(
            method, "/apps/auth", params=wish(server, redirect_uri=address), data={"decision": "allow"}
        )
        assert (answer.status_code, "not registered" in answer.text) == (400, True)
        server.check()


async def test_a_mistake_in_a_page_ends_that_connection_and_is_raised_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def mistaken(*_: object) -> None:
        raise LookupError("a page is missing")

    server = FakeServer(QUICK)
    with monkeypatch.context() as patched:
        patched.setattr(server, "check", lambda: None)  # what it has to say comes below
        async with server:
            with monkeypatch.context() as inner:
                inner.setattr("anyctrader.fake.oauth.OAuthPages._page", mistaken)
                assert await answered(server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") == b""
            async with browser(server) as client:
                assert (await client.get("/")).status_code == 404
    with pytest.raises(FakeServerFailed, match="a page is missing"):
        server.check()


async def test_a_body_without_end_is_not_kept() -> None:
    async with FakeServer(QUICK) as server:
        port = urlsplit(str(server.oauth_url)).port
        assert port is not None
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            head = b"POST /apps/auth HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
            with suppress(anyio.BrokenResourceError):  # it may be gone before all of it has left
                await stream.send(head + b"x" * 100_000)
            with pytest.raises((anyio.BrokenResourceError, anyio.EndOfStream)), anyio.fail_after(10):
                await stream.receive()


async def test_the_pages_can_be_left_out() -> None:
    async with FakeServer(replace(QUICK, oauth_port=None)) as server:
        assert server.oauth_url is None
