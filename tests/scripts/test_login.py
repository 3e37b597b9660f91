"""`anyctrader login`: the whole browser flow at a fake server, and that no secret is told on the way."""

from __future__ import annotations

import logging
import socket
import stat
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import anyio.abc
import httpx
import pytest
import typer

from anyctrader.fake import FakeServer, Host, ServerSettings, Timing, faults
from anyctrader.fake.choices import OAuthErrors
from anyctrader.fake.settings import AnswerVariants
from anyctrader.scripts.callback import Callback, LoginFailed, take_code
from anyctrader.scripts.login import _login
from anyctrader.scripts.oauth import PUBLISHED, OAuthService, _unlogged
from anyctrader.scripts.options import ExitCode, Format
from anyctrader.session import ConnectFailed, Endpoint, Environment, Secret, load_settings, open_desk
from anyctrader.session.registration import Registration, load_registration
from anyctrader.session.token_store import TokenPair, TokenStore

from .conftest import Call

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
commands = sys.modules[_login.__module__]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # httpx and the commands run on it


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def a_server(host: Host = Host.DEMO, **changes: Any) -> FakeServer:
    return FakeServer(ServerSettings(host=host, timing=Timing.instant(), **changes))


def registration_of(server: FakeServer, folder: Path, **changes: Any) -> Registration:
    known: dict[str, Any] = {
        "environment": DEMO,
        "client_id": server.client_id,
        "client_secret": Secret(server.client_secret),
        "redirect_uri": f"http://127.0.0.1:{free_port()}/back",
        "codec": "protobuf",
        "endpoint": Endpoint(server.host, server.port, server.ca_file),
        "token_folder": folder,
    }
    return Registration(**(known | changes))


class Browser:
    """Somebody who allows access on the page that is shown.

    Attributes:
        redirects: where the consent led, with its code.
    """

    def __init__(self, *, accounts: tuple[int, ...] = (1_000_001, 1_000_002), decision: str = "allow") -> None:
        self.redirects: list[str] = []
        self.answers: list[httpx.Response] = []
        self._form = {"account": [str(account) for account in accounts], "decision": decision}

    async def visit(self, page: str, *, extra: str = "") -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            shown = await client.get(page)
            assert shown.status_code == 200
            answer = await client.post(page, data=self._form)
            self.redirects.append(answer.headers["location"])
            self.answers.append(await client.get(answer.headers["location"] + extra))


async def logged_in(
    registration: Registration,
    server: FakeServer,
    browser: Browser,
    monkeypatch: pytest.MonkeyPatch,
    *,
    service: OAuthService | None = None,
    wait_s: float = 10.0,
    extra: str = "",
) -> ExitCode:
    assert server.oauth_url is not None
    done: list[ExitCode] = []
    async with anyio.create_task_group() as tasks:

        def opened(page: str) -> bool:
            anyio.from_thread.run_sync(lambda: tasks.start_soon(partial(browser.visit, page, extra=extra)))
            return True

        monkeypatch.setattr("webbrowser.open", opened)
        done.append(
            await _login(
                partial(lambda: registration),
                service if service is not None else OAuthService.at(server.oauth_url),
                may_trade=True,
                browser=True,
                ask=False,
                wait_s=wait_s,
                output=Format.TEXT,
            )
        )
    return done[0]


async def test_the_whole_flow_ends_with_a_stored_pair_that_a_desk_can_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with a_server() as server:
        registration = registration_of(server, tmp_path / "tokens")
        browser = Browser()
        assert await logged_in(registration, server, browser, monkeypatch) is ExitCode.DONE
        store = TokenStore(tmp_path / "tokens", DEMO)
        (kept,) = store.read()
        assert kept.pair.access_token == Secret(server.access_token)
        assert kept.account_ids == (1_000_001, 1_000_002)
        assert kept.user_id is not None
        assert kept.pair.expires_at_ms is not None
        assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
        told = capsys.readouterr()
        assert "demo account 1000001" in told.out
        assert "live account 1000002" in told.out
        assert browser.answers[0].status_code == 200
        assert browser.answers[0].headers["cache-control"] == "no-store"

        environ = {
            "CTRADER_DEMO_APPLICATION_ID": server.client_id,
            "CTRADER_DEMO_APPLICATION_SECRET": server.client_secret,
            "CTRADER_DEMO_ACCOUNT_ID": str(server.account_id),
            "CTRADER_DEMO_HOST": server.host,
            "CTRADER_DEMO_PORT": str(server.port),
            "CTRADER_DEMO_CA_FILE": str(server.ca_file),
            "CTRADER_LOG_FOLDER": str(tmp_path / "logs"),
            "CTRADER_TOKEN_FOLDER": str(tmp_path / "tokens"),
        }
        async with open_desk(load_settings(environ=environ)) as desk:  # no token in the settings: the store has it
            assert desk.account(DEMO).id == server.account_id


async def test_no_secret_reaches_a_log_the_terminal_or_the_address_for_the_browser(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    pages: list[str] = []
    consent_page = OAuthService.consent_page

    def noted(self: OAuthService, *arguments: Any, **more: Any) -> str:
        pages.append(consent_page(self, *arguments, **more))
        return pages[-1]

    monkeypatch.setattr(OAuthService, "consent_page", noted)
    async with a_server() as server:
        registration = registration_of(server, tmp_path)
        browser = Browser()
        with caplog.at_level(logging.DEBUG):
            for name in ("httpx", "httpcore", "httpcore.connection", "httpcore.http11"):
                caplog.set_level(logging.DEBUG, logger=name)
            await logged_in(registration, server, browser, monkeypatch)
        (code,) = parse_qs(urlsplit(browser.redirects[0]).query)["code"]
        secrets = [server.client_secret, server.access_token, server.refresh_token]
        told = capsys.readouterr()
        # The test's own browser logs the code, as any HTTP client does: what the command does must not add to it.
        lines = [record.getMessage() for record in caplog.records]
        assert any(code in line for line in lines), "the logs are really looked at"
        assert not any("/apps/token" in line for line in lines)
        for secret in secrets:
            assert not any(secret in line for line in lines)
            assert secret not in told.out + told.err + "".join(pages)
        assert code not in told.out + told.err
        assert not logging.getLogger("httpx").disabled  # as it was found


async def test_what_was_not_allowed_stores_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_server() as server:
        with pytest.raises(BaseExceptionGroup) as caught:
            await logged_in(registration_of(server, tmp_path), server, Browser(decision="deny"), monkeypatch)
        assert caught.group_contains(LoginFailed, match="not allowed")
        assert TokenStore(tmp_path, DEMO).read() == ()


async def test_a_consent_that_covers_no_account_of_the_environment_stores_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with a_server() as server:
        with pytest.raises(BaseExceptionGroup) as caught:
            await logged_in(registration_of(server, tmp_path), server, Browser(accounts=(1_000_002,)), monkeypatch)
        assert caught.group_contains(LoginFailed, match="no demo account was ticked")
        assert "live account 1000002" in capsys.readouterr().out  # shown, so that a person sees what was ticked
        assert TokenStore(tmp_path, DEMO).read() == ()


@pytest.mark.parametrize("errors", OAuthErrors)
async def test_a_wrong_secret_is_told_whatever_the_http_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, errors: OAuthErrors
) -> None:
    async with a_server(variants=AnswerVariants(oauth_errors=errors)) as server:
        registration = registration_of(server, tmp_path, client_secret=Secret("s3cr3t-and-wrong"))
        with pytest.raises(BaseExceptionGroup) as caught:
            await logged_in(registration, server, Browser(), monkeypatch)
        assert caught.group_contains(LoginFailed, match="CH_CLIENT_AUTH_FAILURE")
        assert not caught.group_contains(Exception, match="s3cr3t")
        assert TokenStore(tmp_path, DEMO).read() == ()


async def test_one_connection_that_fails_behind_the_exchange_costs_no_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "_AGAIN_FIRST_S", 0.01)
    async with a_server() as server:
        server.faults.inject(faults.DropBefore(which="ProtoOAGetAccountListByAccessTokenRes"))
        assert await logged_in(registration_of(server, tmp_path), server, Browser(), monkeypatch) is ExitCode.DONE
        (kept,) = TokenStore(tmp_path, DEMO).read()
        assert kept.pair.access_token == Secret(server.access_token)
        assert kept.account_ids == (1_000_001, 1_000_002)
        assert "asked for again" in capsys.readouterr().err


async def test_tokens_whose_accounts_cannot_be_listed_are_put_aside_and_the_next_login_goes_on_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "_LISTING_S", 0.0)
    async with a_server() as server:
        registration, store = registration_of(server, tmp_path), TokenStore(tmp_path, DEMO)
        with server.faults.inject(faults.Maintenance(code="CANT_ROUTE_REQUEST")):
            with pytest.raises(BaseExceptionGroup) as caught:
                await logged_in(registration, server, Browser(), monkeypatch)
        assert caught.group_contains(ConnectFailed, match="CANT_ROUTE_REQUEST")
        assert "needs no other consent" in capsys.readouterr().err
        held = store.held(server.client_id)
        assert held is not None
        assert held.access_token == Secret(server.access_token)
        assert store.find(server.client_id, server.account_id) is None  # no session uses what nobody has seen
        nobody = Browser()
        assert await logged_in(registration, server, nobody, monkeypatch) is ExitCode.DONE
        assert nobody.redirects == []
        assert "demo account 1000001" in capsys.readouterr().out
        (kept,) = store.read()
        assert kept.pair.access_token == Secret(server.access_token)
        assert kept.account_ids == (1_000_001, 1_000_002)


async def test_tokens_that_were_put_aside_and_are_refused_by_now_are_taken_out_and_others_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_server() as server:
        store = TokenStore(tmp_path, DEMO)
        store.hold(server.client_id, TokenPair(access_token=Secret("dead"), refresh_token=Secret("dead-too")))
        browser = Browser()
        assert await logged_in(registration_of(server, tmp_path), server, browser, monkeypatch) is ExitCode.DONE
        assert len(browser.redirects) == 1
        (kept,) = store.read()
        assert kept.pair.access_token == Secret(server.access_token)


async def test_a_service_that_is_not_there_is_no_connection_and_carries_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_server() as server:
        assert server.oauth_url is not None
        dead = f"http://127.0.0.1:{free_port()}/apps/token"
        service = OAuthService(OAuthService.at(server.oauth_url).consent_url, dead)
        with pytest.raises(BaseExceptionGroup) as caught:
            await logged_in(registration_of(server, tmp_path), server, Browser(), monkeypatch, service=service)
        assert caught.group_contains(ConnectFailed, match="ConnectError")
        error: BaseException | None = caught.value
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        assert error is not None
        assert error.__cause__ is None
        assert error.__suppress_context__


# The listener


BACK = Callback("http://127.0.0.1:8721/back", "mine")


@pytest.mark.parametrize(
    ("target", "status", "outcome"),
    [
        ("/back?code=abc", 200, "abc"),
        ("/back?code=abc&state=mine", 200, "abc"),
        ("/back?code=abc&state=theirs", 400, None),
        ("/back?code=abc&state=mine&state=theirs", 400, None),
        ("/back?code=abc&code=def", 400, None),
        ("/back", 400, None),
        ("/favicon.ico", 404, None),
        ("/elsewhere?code=abc", 404, None),
    ],
)
def test_one_code_at_the_registered_path_counts_and_a_state_is_compared_where_it_is(
    target: str, status: int, outcome: str | None
) -> None:
    answered = BACK.judge(target)
    assert (answered[0], answered[2]) == (status, outcome)


async def listened(talk: Callable[[int], Any], *, within_s: float = 10.0) -> str:
    port = free_port()
    listening = anyio.Event()
    codes: list[str] = []
    async with anyio.create_task_group() as tasks:

        async def visit() -> None:
            await listening.wait()
            await talk(port)

        tasks.start_soon(visit)
        callback = Callback(f"http://127.0.0.1:{port}/back", "mine")
        codes.append(await take_code(callback, within_s=within_s, listening=listening))
    return codes[0]


async def test_what_is_no_redirect_does_not_end_the_wait(tmp_path: Path) -> None:
    async def talk(port: int) -> None:
        for said in (b"\x16\x03\x01 not http\r\n\r\n", b"POST /back?code=no HTTP/1.1\r\n\r\n", b""):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(said)
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"http://127.0.0.1:{port}/favicon.ico")).status_code == 404
            assert (await client.get(f"http://127.0.0.1:{port}/back?code=right")).status_code == 200

    assert await listened(talk) == "right"


async def test_it_listens_on_this_machine_only_and_no_longer_than_it_was_told() -> None:
    async def talk(port: int) -> None:
        pass

    with pytest.raises(BaseExceptionGroup) as caught:
        await listened(talk, within_s=0.05)
    assert caught.group_contains(LoginFailed, match="within 0.05 s")


async def test_a_port_that_is_taken_is_told() -> None:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as taken:
        port = taken.extra(anyio.abc.SocketAttribute.local_port)
        with pytest.raises(LoginFailed, match="cannot be listened at"):
            await take_code(Callback(f"http://127.0.0.1:{port}/back", "mine"), within_s=5, listening=anyio.Event())


# The command line


def test_a_login_has_no_option_that_takes_a_secret() -> None:
    from anyctrader.scripts.login import login

    app = typer.Typer()
    app.command()(login)
    options = {option for each in typer.main.get_command(app).params for option in each.opts}
    assert not [option for option in options if "secret" in option or "token" in option or "password" in option]


def test_the_published_service_is_asked_over_https() -> None:
    assert PUBLISHED.consent_url.startswith("https://")
    assert PUBLISHED.token_url.startswith("https://")
    for url in ("http://id.ctrader.com", "ftp://127.0.0.1", "http://127.0.0.1.example.com"):
        with pytest.raises(ValueError, match="https"):
            OAuthService.at(url)


def test_without_settings_it_says_what_is_missing_and_asks_for_no_token(call: Call) -> None:
    done = call("login", "demo", "--no-browser", CTRADER_DEMO_REDIRECT_URI="http://127.0.0.1:9/back")
    assert done.returncode == ExitCode.USAGE
    assert "CTRADER_DEMO_APPLICATION_ID is missing" in done.stderr
    assert "ACCESS_TOKEN" not in done.stderr


def test_an_oauth_service_that_could_be_listened_to_is_refused(call: Call) -> None:
    done = call("login", "demo", "--oauth-url", "http://example.com")
    assert done.returncode == ExitCode.USAGE
    assert "https" in done.stderr


def test_a_registration_is_read_with_neither_token_nor_account(tmp_path: Path) -> None:
    environ = {"CTRADER_DEMO_APPLICATION_ID": "app", "CTRADER_DEMO_APPLICATION_SECRET": "hush"}
    registration = load_registration(DEMO, environ=environ)
    assert registration.redirect_uri == "http://127.0.0.1:8721/ctrader"
    assert registration.token_folder == Path("tokens/ctrader")
    assert registration.endpoint == Endpoint.published(DEMO, "protobuf")
    assert "hush" not in repr(registration)


async def refused_before_the_browser(registration: Registration, server: FakeServer) -> BaseException:
    """What a login ends with that must not come as far as the browser."""
    assert server.oauth_url is not None
    with pytest.raises((ConnectFailed, LoginFailed)) as caught:
        await _login(
            partial(lambda: registration),
            OAuthService.at(server.oauth_url),
            may_trade=True,
            browser=False,
            ask=False,
            wait_s=1.0,
            output=Format.TEXT,
        )
    return caught.value


async def test_a_folder_that_takes_no_tokens_is_told_before_anybody_allows_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("a file, and no folder")
    async with a_server() as server:
        failure = await refused_before_the_browser(registration_of(server, tmp_path / "taken" / "tokens"), server)
    assert isinstance(failure, LoginFailed)
    assert str(tmp_path / "taken") in str(failure)
    assert "Allow access" not in capsys.readouterr().err


async def test_tokens_that_somebody_else_has_written_are_told_before_anybody_allows_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    TokenStore(tmp_path, DEMO).path.write_text("not ours")
    async with a_server() as server:
        assert isinstance(await refused_before_the_browser(registration_of(server, tmp_path), server), LoginFailed)
    assert TokenStore(tmp_path, DEMO).path.read_text() == "not ours"
    assert "Allow access" not in capsys.readouterr().err


async def test_a_server_that_cannot_be_reached_is_told_before_anybody_allows_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with a_server() as server:
        away = Endpoint(server.host, free_port(), server.ca_file)
        failure = await refused_before_the_browser(registration_of(server, tmp_path, endpoint=away), server)
    assert isinstance(failure, ConnectFailed)
    assert not TokenStore(tmp_path, DEMO).path.exists()
    assert "Allow access" not in capsys.readouterr().err


def test_loggers_that_come_while_a_code_is_exchanged_are_silent_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with _unlogged():
        logging.getLogger("httpcore.that_comes_late").error("planted-secret")
    logging.getLogger("httpcore.that_comes_late").error("afterwards")
    assert [record.getMessage() for record in caplog.records] == ["afterwards"]


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({"HTTPS_PROXY": "http://user:pass-planted@127.0.0.1:{port}"}, True),
        (
            {"HTTPS_PROXY": "http://127.0.0.1:1", "CTRADER_DEMO_PROXY": "http://user:pass-planted@127.0.0.1:{port}"},
            True,
        ),
        ({"HTTPS_PROXY": "http://127.0.0.1:{port}", "NO_PROXY": "oauth.invalid"}, False),
    ],
)
async def test_the_code_is_exchanged_through_the_proxy_of_the_session_and_nothing_secret_is_seen_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, changes: dict[str, str], asked: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    heads: list[str] = []

    async def refuse(near: anyio.abc.SocketStream) -> None:
        async with near:
            heads.append((await near.receive()).decode())
            await near.send(b"HTTP/1.1 502 no pass-planted here\r\nContent-Length: 0\r\n\r\n")

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, refuse)
        port = str(listener.extra(anyio.abc.SocketAttribute.local_port))
        environ = {"CTRADER_DEMO_APPLICATION_ID": "app", "CTRADER_DEMO_APPLICATION_SECRET": "planted-secret"}
        environ |= {name: value.replace("{port}", port) for name, value in changes.items()}
        (tmp_path / "empty").touch()
        registration = load_registration(DEMO, tmp_path / "empty", environ=environ)
        service = OAuthService("https://oauth.invalid/page", "https://oauth.invalid/apps/token")
        with pytest.raises(ConnectFailed) as failure:
            await service.exchange(registration, "planted-code")
        tasks.cancel_scope.cancel()
    assert [head.partition("\r\n")[0] for head in heads] == ["CONNECT oauth.invalid:443 HTTP/1.1"] * asked
    assert all("Proxy-Authorization: Basic dXNlcjpwYXNzLXBsYW50ZWQ=" in head for head in heads)
    told = str(failure.value) + "".join(heads) + caplog.text
    assert ("through the proxy 127.0.0.1" in told) is asked
    assert not any(secret in told for secret in ("planted-secret", "planted-code", "pass-planted"))
