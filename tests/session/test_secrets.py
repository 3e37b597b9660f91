"""No secret in anything that a run leaves behind: files, logs, output, errors with their tracebacks, what is shown."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import FakeServer, Host, WrongCertificate, faults
from anyctrader.fake.injection import Fault, OutgoingFrame
from anyctrader.session import (
    AuthenticationFailed,
    Credentials,
    CTraderError,
    Environment,
    LimitOrder,
    MarketOrder,
    Order,
    ServerError,
    SessionState,
    Side,
    WrongEnvironment,
    connect,
    open_connection_log,
    open_desk,
)
from anyctrader.session.secret import Secret
from anyctrader.session.token_store import StoredPair, TokenPair, TokenStore
from anyctrader.wire import messages as oa

from ..conftest import _SECRECY
from ..secrecy import left_in
from .peer import CODEC, Peer, listening
from .rig import (
    ACCEPTED,
    EURUSD,
    FILLED,
    LOT_CENTS,
    QUICK,
    a_server,
    connected,
    credentials_of,
    desk_settings,
    heard,
    is_execution,
    ready_again,
    saying,
    side_of,
)

pytestmark = pytest.mark.anyio

PLANTED = {
    "client_secret": "PLANTED-client-secret-5f1c",
    "access_token": "PLANTED-access-token-77aa",
    "refresh_token": "PLANTED-refresh-token-09be",
}
USER, PASSWORD = "PLANTED-user@example.org", "PLANTED-password-31d0"
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.01")


def secrets_of(*servers: FakeServer) -> list[str]:
    own = [text for s in servers for text in (s.client_secret, s.access_token, s.refresh_token)]
    return [*own, *PLANTED.values(), USER, PASSWORD]


def leaks(secrets: Iterable[str], **places: str) -> list[str]:
    """The places in which a secret stands, whole or cut short."""
    return [place for place, text in places.items() if any(secret[:16] in text for secret in secrets)]


def texts_in(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file() and path.stat().st_size}


def told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + str(error) + repr(error) + repr(error.args)


async def test_a_run_with_trades_drops_and_refusals_leaves_no_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    errors: list[str] = []
    async with a_server() as demo_server, a_server(Host.LIVE) as live_server:
        secrets = secrets_of(demo_server, live_server)
        sides = [
            side_of(
                server,
                credentials=credentials_of(server, refresh_token=server.refresh_token),
                user_name=USER,
                password=PASSWORD,
            )
            for server in (demo_server, live_server)
        ]
        settings = desk_settings(tmp_path, *sides)
        async with open_desk(settings) as desk:
            session = desk.session(Environment.DEMO)
            await (await desk.place(Environment.DEMO, BUY)).filled()
            for call in (
                desk.place(Environment.LIVE, BUY),
                desk.place(Environment.DEMO, LimitOrder("EURUSD", Side.BUY, lots="9000", price="1.0")),
                session.request(oa.ProtoOAAccountAuthReq(ctidTraderAccountId=1_000_002, accessToken=secrets[1])),
                session.request(oa.ProtoOARefreshTokenReq(refreshToken=PLANTED["refresh_token"])),
            ):
                with pytest.raises(CTraderError) as caught:
                    await call
                errors.append(told(caught.value))
            link = session.link
            assert link is not None
            with demo_server.faults.inject(faults.Unanswering("ProtoOAAccountAuthRes")):
                demo_server.disconnect_account(demo_server.account_id)
                await demo_server.wait_for("ProtoOAAccountAuthReq", count=2)
                waiting = "".join(map(repr, link._waiting.values())) + "".join(
                    repr(request.message) for request in link._waiting.values()
                )
                assert "ProtoOAAccountAuthReq" in waiting
            demo_server.drop_clients()
            await session.wait_for(SessionState.WAITING)
            await session.wait_for(SessionState.READY)
            demo_server.invalidate_tokens()
            await session.wait_for(SessionState.REFUSED)
            shown = (desk, session, link, settings, sides, session.failure, session.reason, desk.orders, session.books)
            reprs = "".join(map(repr, shown))
    output = capfd.readouterr()
    files = texts_in(tmp_path)
    assert {"order_audit.jsonl", "demo_connection.log", "live_connection.log"} <= set(files)
    places = files | {"log": caplog.text, "out": output.out, "err": output.err, "repr": reprs, "waiting": waiting}
    assert leaks(secrets, errors="".join(errors), **places) == []


async def test_secrets_of_live_in_an_order_of_demo_are_covered_in_what_demo_leaves(tmp_path: Path) -> None:
    logs, tokens = tmp_path / "logs", tmp_path / "tokens"
    stored = TokenPair(access_token=Secret(PLANTED["access_token"]), refresh_token=Secret(PLANTED["refresh_token"]))
    row = StoredPair(client_id="another", user_id=None, account_ids=(1,), pair=stored)
    TokenStore(tokens, Environment.LIVE).save(row, instead_of=None)
    async with a_server() as demo_server, a_server(Host.LIVE) as live_server:
        live = side_of(
            live_server,
            credentials=credentials_of(live_server, refresh_token=live_server.refresh_token),
            password=PASSWORD,
        )
        settings = replace(desk_settings(logs, side_of(demo_server), live), token_folder=tokens)
        texts = [live_server.client_secret, live_server.access_token, live_server.refresh_token, PASSWORD]
        texts += [PLANTED["access_token"], PLANTED["refresh_token"]]
        async with open_desk(settings) as desk:
            account = desk.account(Environment.DEMO)
            for given in (credentials_of(demo_server), None):  # also after others were given for demo
                for text in texts:
                    ticket = replace(BUY, comment=f"see {text}", label=f"{text}-1")
                    await (await desk.place(Environment.DEMO, ticket)).filled()
                    await account.request(
                        oa.ProtoOANewOrderReq(
                            symbolId=EURUSD,
                            orderType=oa.ProtoOAOrderType.MARKET,
                            tradeSide=oa.ProtoOATradeSide.BUY,
                            volume=LOT_CENTS,
                            comment=text,
                            clientOrderId=f"{text[:48]}-{'2' if given is None else '1'}",
                        )
                    )
                if given is not None:
                    session = desk.session(Environment.DEMO)
                    session.resume(given)
                    await ready_again(session, links=demo_server.drop_clients)
        assert [text for text in texts if heard_in_comments(demo_server, text) != 4] == []
    assert leaks(texts, **texts_in(logs)) == []


def heard_in_comments(server: FakeServer, text: str) -> int:
    """How many orders named it: in the clear, as their caller asked."""
    return sum(text in order.comment for order in heard(server, oa.ProtoOANewOrderReq))


@pytest.mark.parametrize("which", ["client_secret", "access_token"])
async def test_a_refused_secret_is_not_in_the_error_that_says_so(
    which: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with a_server() as server:
        credentials = credentials_of(server, **{which: PLANTED[which]})
        with pytest.raises(AuthenticationFailed) as caught:
            async with connected(server, credentials=credentials):
                pass
        secrets = secrets_of(server)
    output = capfd.readouterr()
    places = {"error": told(caught.value), "log": caplog.text, "out": output.out, "err": output.err}
    assert leaks(secrets, credentials=repr(credentials), **places) == []


async def test_no_failed_connection_tells_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    failures: list[str] = []
    async with a_server() as server:
        credentials = credentials_of(server, refresh_token=server.refresh_token)
        hurried = replace(QUICK, connect_s=0.5)
        for fault in (
            faults.WrongTls(WrongCertificate.AUTHORITY),
            faults.RefuseTls(),
            faults.Silence(),
            faults.Garbage(which="ProtoOAApplicationAuthRes"),
            faults.HalfFrame(which="ProtoOAGetAccountListByAccessTokenRes"),
            faults.Maintenance(),
            faults.Maintenance("CH_CLIENT_AUTH_FAILURE"),
        ):
            with server.faults.inject(fault), pytest.raises(CTraderError) as caught:
                async with connected(server, credentials=credentials, timings=hurried):
                    pass
            failures.append(told(caught.value))
        with pytest.raises(WrongEnvironment) as refused:
            async with connected(server, credentials=credentials_of(server, environment=Environment.LIVE)):
                pass
        failures.append(told(refused.value))
        secrets = secrets_of(server)
    assert leaks(secrets, log=caplog.text, **{str(n): text for n, text in enumerate(failures)}) == []


async def test_a_server_that_quotes_our_secrets_does_not_get_them_into_errors_and_logs(tmp_path: Path) -> None:
    def quoting(_: Peer, request: Any) -> Iterable[Any]:
        said = " ".join(PLANTED.values())
        return [oa.ProtoOAErrorRes(errorCode="INVALID_REQUEST", description=f"what is {said}?")]

    peer = Peer({"ProtoOAVersionReq": quoting})
    credentials = Credentials(Environment.DEMO, client_id="app", **PLANTED)
    async with (
        listening(peer, tmp_path) as endpoint,
        open_connection_log(tmp_path, Environment.DEMO) as log,
        connect(
            Environment.DEMO,
            credentials,
            host=endpoint.host,
            port=endpoint.port,
            codec=CODEC,
            transport=endpoint.transport,
            ca_file=endpoint.ca_file,
            timings=QUICK,
            log=log,
        ) as session,
    ):
        with pytest.raises(CTraderError) as caught:
            await session.request(oa.ProtoOAVersionReq())
        # As long as it is, it is cut, and no half of the token may be left where it is.
        said = f"{'x' * 170} {PLANTED['access_token']}\n\x1b{'y' * 10_000}"
        await peer.say(oa.ProtoOAClientDisconnectEvent(reason=said))
        await session.wait_for(SessionState.WAITING)
        reason = session.reason
    assert leaks(PLANTED.values(), error=told(caught.value), reason=reason, **texts_in(tmp_path)) == []
    assert "***" in str(caught.value)
    assert r"x ***\n\x1by" in reason
    assert len(reason) < 400


class SaidOtherwise(Fault):
    """The first frame that fits carries another message."""

    def __init__(self, other: Callable[[Any], Any], *, which: Callable[[Any], bool]) -> None:
        self._other = other
        self._which = which

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        if self.spent or not self._which(frame):
            return (frame,)
        self.spent = True
        return (saying(frame, self._other(frame)),)


async def test_a_server_that_quotes_our_secrets_of_an_order_does_not_get_them_into_its_record(tmp_path: Path) -> None:
    quoted: list[str] = []

    def quoting(frame: Any) -> Any:
        """The event of a fill, and of an acceptance, as a refusal that says back what it should not."""
        event = oa.ProtoOAOrderErrorEvent(ctidTraderAccountId=frame.payload.ctidTraderAccountId)
        event.errorCode = f"NO_{server.access_token}"
        event.description = f"what is {server.client_secret} and {server.refresh_token}?"
        if frame.payload.executionType == FILLED:
            event.orderId = frame.payload.order.orderId
        return event

    def failing(frame: Any) -> Any:
        event = type(frame.payload)()
        event.CopyFrom(frame.payload)
        event.errorCode = f"NO_{server.access_token}"
        return event

    async with a_server() as server:
        settings = desk_settings(
            tmp_path, side_of(server, credentials=credentials_of(server, refresh_token=server.refresh_token))
        )
        async with open_desk(settings) as desk:
            resting = await desk.place(Environment.DEMO, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="0.5"))
            assert resting.order_id is not None
            # The answer to a cancel.
            server.faults.inject(SaidOtherwise(failing, which=is_execution()))
            with pytest.raises(ServerError) as caught:
                await desk.cancel(Environment.DEMO, resting.order_id)
            quoted.append(told(caught.value))
            # What is said of an order that works already.
            server.faults.inject(SaidOtherwise(quoting, which=is_execution(FILLED)))
            await desk.place(Environment.DEMO, BUY)
            # The answer to an order, and what its waiters are told.
            server.faults.inject(SaidOtherwise(quoting, which=is_execution(ACCEPTED)))
            with pytest.raises(ServerError) as caught:
                await desk.place(Environment.DEMO, BUY)
            quoted.append(told(caught.value))
            order = caught.value.order
            assert isinstance(order, Order)
            with pytest.raises(ServerError) as caught:
                await order.filled()
            quoted.append(told(caught.value))
            await desk.flush()
        secrets = secrets_of(server)
        files = texts_in(tmp_path)
    assert leaks(secrets, **{str(n): text for n, text in enumerate(quoted)}, **files) == []
    assert all("NO_***" in text for text in quoted)
    assert "what is *** and ***?" in quoted[-1]
    assert "NO_***" in files["order_audit.jsonl"]
    assert "NO_***" in files["demo_connection.log"]


async def test_a_request_with_a_secret_that_is_cancelled_or_unanswered_tells_nothing() -> None:
    async with a_server() as server, connected(server) as session:
        with server.faults.inject(faults.Unanswering()):
            request = oa.ProtoOAGetAccountListByAccessTokenReq(accessToken=server.access_token)
            with pytest.raises(CTraderError) as caught:
                await session.request(request, timeout_s=0.1)
            text = told(caught.value)
            with anyio.move_on_after(0.05):
                await session.request(request)
        assert leaks(secrets_of(server), error=text, session=repr(session)) == []


def test_the_places_are_really_searched() -> None:
    planted: Any = PLANTED["access_token"]
    assert leaks([planted], here=f"... {planted[:20]} ...", there="nothing") == ["here"]


async def test_every_secret_of_a_server_is_looked_for_after_each_test_of_the_run(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    async with a_server() as server:
        own = {server.client_secret, server.access_token, server.refresh_token}
    secrecy = request.node.stash[_SECRECY]
    assert own <= secrecy.secrets
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "order_audit.jsonl").write_text(f"what is {server.access_token}?")
    assert secrecy.leaks(left_in(folder)) == ["order_audit.jsonl"]
    (folder / "order_audit.jsonl").unlink()
