"""`connect()` and the session that it gives, over real sockets."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import pytest

from anyctrader.fake import AnswerVariants, FakeServer, Host, ServerSettings, TokenPolicy, WrongCertificate, faults
from anyctrader.fake.choices import ExpiredToken
from anyctrader.session import (
    AuditUnavailable,
    AuthenticationFailed,
    ConnectFailed,
    Credentials,
    Environment,
    LimitExceeded,
    LiveTradingDisabled,
    Mode,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Rates,
    Refused,
    ServerError,
    SessionClosed,
    SessionState,
    SettingsError,
    WrongEnvironment,
    clock,
    connect,
    open_audit,
    waiting,
)
from anyctrader.session import halt as halts
from anyctrader.wire import Delimiting
from anyctrader.wire import messages as oa

from .rig import (
    EURUSD,
    LOT_CENTS,
    QUICK,
    a_server,
    an_account,
    audit_of,
    blocked,
    connected,
    credentials_of,
    heard,
    no_exception_group,
    ready_again,
)

pytestmark = pytest.mark.anyio

VERSION = oa.ProtoOAVersionReq()
TRADER = oa.ProtoOATraderReq()


def an_order(account_id: int, volume: int = LOT_CENTS) -> Any:
    return oa.ProtoOANewOrderReq(
        ctidTraderAccountId=account_id,
        symbolId=EURUSD,
        orderType=oa.ProtoOAOrderType.MARKET,
        tradeSide=oa.ProtoOATradeSide.BUY,
        volume=volume,
    )


# Connecting


@pytest.mark.parametrize("codec", ["protobuf", "json"])
async def test_a_session_works_the_same_over_either_codec(codec: str) -> None:
    async with a_server() as server, connected(server, codec=codec) as session:
        assert session.state is SessionState.READY
        assert (await session.request(VERSION, timeout_s=5)).version == "91"
        assert {(row.ctidTraderAccountId, row.isLive) for row in await session.accounts()} == {
            (1_000_001, False),
            (1_000_002, True),
        }
        account = await session.authorize(server.account_id)
        assert (await account.request(TRADER)).trader.traderLogin == account.trader_login == 3_000_001
        async with account.spots("EURUSD") as spots:
            async for spot in spots:
                assert 0 < spot.bid < spot.ask
                break
        assert server.clients[1].codec.name == codec
        assert server.violations == ()


@pytest.mark.parametrize("wrong", WrongCertificate)
async def test_a_certificate_that_is_not_right_gets_no_secret(wrong: WrongCertificate) -> None:
    async with a_server() as server:
        with server.faults.inject(faults.WrongTls(wrong)), pytest.raises(ConnectFailed, match="certificate") as caught:
            async with connected(server):
                pass
        assert no_exception_group(caught.value)
        assert heard(server, oa.ProtoOAApplicationAuthReq) == []


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({"client_secret": "not-the-secret"}, "ProtoOAApplicationAuthReq"),
        ({"client_id": "nobody"}, "ProtoOAApplicationAuthReq"),
        ({"access_token": "not-the-token"}, "ProtoOAGetAccountListByAccessTokenReq"),
    ],
    ids=["secret", "client id", "token"],
)
async def test_refused_credentials_are_told_plainly_and_leave_nothing_open(changes: dict[str, str], asked: str) -> None:
    async with a_server() as server:
        with pytest.raises(AuthenticationFailed) as caught:
            async with connected(server, credentials=credentials_of(server, **changes)):
                pass
        assert no_exception_group(caught.value)
        assert caught.value.code in ("CH_CLIENT_AUTH_FAILURE", "CH_ACCESS_TOKEN_INVALID")
        await server.wait_for("closed")
        assert server.seen.names().count(asked) == 1


@pytest.mark.parametrize("answer", ExpiredToken)
async def test_an_expired_token_is_refused_whichever_way_the_server_says_it(answer: ExpiredToken) -> None:
    changes = {"tokens": TokenPolicy(life_s=0), "variants": AnswerVariants(expired_token=answer)}
    async with a_server(**changes) as server:
        with pytest.raises(AuthenticationFailed, match="access token") as caught:
            async with connected(server):
                pass
        assert caught.value.code == answer.value


async def test_the_other_environments_credentials_are_refused_before_anything_is_connected() -> None:
    async with a_server() as server:
        with pytest.raises(WrongEnvironment, match="live"):
            async with connected(server, credentials=credentials_of(server, environment=Environment.LIVE)):
                pass
        assert server.seen.total == 0


@pytest.mark.parametrize(
    ("environment", "given", "field"),
    [
        (Environment.DEMO, {"host": "live.ctraderapi.com"}, "host"),
        (Environment.LIVE, {"host": "DEMO.ctraderapi.com"}, "host"),
        (Environment.DEMO, {"codec": "json", "host": "127.0.0.1", "port": 5035}, "port"),
        (Environment.DEMO, {"codec": "protobuf", "host": "127.0.0.1", "port": 5036}, "port"),
        (Environment.DEMO, {"codec": "xml"}, "codec"),
    ],
    ids=["live host for demo", "demo host for live", "json on 5035", "protobuf on 5036", "unknown codec"],
)
async def test_an_endpoint_that_cannot_be_meant_is_refused(
    environment: Environment, given: dict[str, Any], field: str
) -> None:
    credentials = Credentials(environment, client_id="a", client_secret="b", access_token="c")
    with pytest.raises(SettingsError) as caught:
        async with connect(environment, credentials, **given):
            pass
    assert caught.value.problems[0].startswith(field)


async def test_a_server_that_says_nothing_is_given_up_at_the_deadline() -> None:
    async def mute(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await anyio.sleep_forever()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with a_server() as server, listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, mute)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        with pytest.raises(ConnectFailed, match=r"no TLS handshake within 0.2 s"):
            async with connected(server, port=port, timings=replace(QUICK, connect_s=0.2)):
                pass
        tasks.cancel_scope.cancel()


async def test_one_deadline_holds_for_tls_application_and_account_list_together() -> None:
    async with a_server() as server:
        with server.faults.inject(faults.Unanswering("ProtoOAGetAccountListByAccessTokenRes")):
            with pytest.raises(ConnectFailed, match="not connected and authenticated within 1 s") as caught:
                async with connected(server, timings=replace(QUICK, connect_s=1.0, request_s=600)):
                    pass
        assert no_exception_group(caught.value)
        await server.wait_for("closed")


async def test_a_server_under_maintenance_is_no_connection() -> None:
    async with a_server() as server:
        with server.faults.inject(faults.Maintenance()), pytest.raises(ConnectFailed, match="UNDER_MAINTENANCE"):
            async with connected(server):
                pass


async def test_nobody_listening_is_no_connection() -> None:
    async with a_server() as server:
        port, credentials = server.port, credentials_of(server)
    with pytest.raises(ConnectFailed):
        async with connect(Environment.DEMO, credentials, host="127.0.0.1", port=port):
            pass


# Leaving


async def test_an_exception_of_the_body_comes_out_as_it_was() -> None:
    class Mine(Exception):
        pass

    async with a_server() as server:
        with pytest.raises(Mine) as caught:
            async with connected(server):
                raise Mine
        assert no_exception_group(caught.value)


async def test_leaving_leaves_no_task_and_no_socket() -> None:
    async with a_server() as server:
        await blocked()
        before = {task.name for task in anyio.get_running_tasks()}
        async with connected(server) as session:
            account = await session.authorize(server.account_id)
            async with account.spots("EURUSD"):
                assert {task.name for task in anyio.get_running_tasks()} > before
        await server.wait_for("closed")
        await blocked()
        assert {task.name for task in anyio.get_running_tasks()} == before
        assert server.clients == {}


async def test_a_session_that_was_left_answers_with_session_closed() -> None:
    async with an_account() as (_, session, account):
        pass
    assert session.state is SessionState.CLOSED
    with pytest.raises(SessionClosed):
        await session.request(VERSION)
    with pytest.raises(SessionClosed):
        await account.request(TRADER)
    with pytest.raises(SessionClosed):
        await session.wait_for(SessionState.READY)
    async with session.changes() as changes:
        assert [change.state async for change in changes] == [SessionState.CLOSED]


async def test_leaving_ends_the_streams_of_quotes_and_events() -> None:
    async with AsyncExitStack() as stack:
        async with an_account() as (_, _, account):
            spots = await stack.enter_async_context(account.spots("EURUSD"))
            events = await stack.enter_async_context(account.events())
        with pytest.raises(SessionClosed):
            async for _ in spots:
                pass
        with pytest.raises(SessionClosed):
            async for _ in events:
                pass


# Accounts


async def test_an_account_of_the_other_environment_is_refused_before_any_request_for_it_leaves() -> None:
    async with a_server() as server, connected(server) as session:
        with pytest.raises(WrongEnvironment, match="live"):
            await session.authorize(1_000_002)
        with pytest.raises(WrongEnvironment, match="live"):
            await session.request(
                oa.ProtoOAAccountAuthReq(ctidTraderAccountId=1_000_002, accessToken=server.access_token)
            )
        assert heard(server, oa.ProtoOAAccountAuthReq) == []


async def test_a_trader_login_in_place_of_the_account_id_names_the_right_id() -> None:
    async with a_server() as server, connected(server) as session:
        with pytest.raises(AuthenticationFailed, match=r"3000001 is a trader login.*1000001"):
            await session.authorize(3_000_001)
        assert heard(server, oa.ProtoOAAccountAuthReq) == []


async def test_an_account_that_the_token_does_not_cover_is_refused_with_those_that_it_does() -> None:
    async with a_server() as server, connected(server) as session:
        with pytest.raises(AuthenticationFailed, match="does not cover account 5; it covers 1000001"):
            await session.authorize(5)
        assert session.state is SessionState.READY


async def test_authorising_twice_at_once_gives_the_same_account_for_one_request() -> None:
    async with a_server() as server, connected(server) as session:
        found: list[Any] = []

        async def authorize() -> None:
            found.append(await session.authorize(server.account_id))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(authorize)
            tasks.start_soon(authorize)
        assert found[0] is found[1]
        assert len(heard(server, oa.ProtoOAAccountAuthReq)) == 1


async def test_an_account_asks_in_its_own_name_only() -> None:
    async with an_account() as (server, session, account):
        request = oa.ProtoOATraderReq()
        await account.request(request)
        assert request.ctidTraderAccountId == 0
        with pytest.raises(WrongEnvironment, match="1000002"):
            await account.request(oa.ProtoOATraderReq(ctidTraderAccountId=1_000_002))
        with pytest.raises(WrongEnvironment):
            await session.request(oa.ProtoOATraderReq(ctidTraderAccountId=1_000_002))
        assert len(heard(server, oa.ProtoOATraderReq)) == 1


async def test_an_error_of_the_server_is_raised_with_its_code_and_text() -> None:
    async with an_account() as (_, _, account):
        with pytest.raises(ServerError) as caught:
            await account.request(oa.ProtoOASymbolByIdReq(symbolId=[999]))
        assert caught.value.code == "SYMBOL_NOT_FOUND"
        assert caught.value.description


# Waiting for the session


async def test_a_read_waits_for_the_session_and_is_answered_when_it_is_back() -> None:
    async with an_account() as (server, session, account):
        refusing = server.faults.inject(faults.RefuseTls())
        server.drop_clients()
        await session.wait_for(SessionState.WAITING)
        answers: list[Any] = []

        async def ask() -> None:
            answers.append(await account.request(TRADER, timeout_s=10))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await server.wait_for("handshake failed")
            assert answers == []
            refusing.remove()
        assert answers[0].trader.ctidTraderAccountId == server.account_id


async def test_a_read_waits_no_longer_than_its_own_deadline() -> None:
    async with an_account() as (server, session, account):
        with server.faults.inject(faults.RefuseTls()):
            server.drop_clients()
            await session.wait_for(SessionState.WAITING)
            with pytest.raises(NotSent, match="demo is"):
                await account.request(TRADER, timeout_s=0.05)
        assert heard(server, oa.ProtoOATraderReq) == []


async def test_a_trading_request_fails_at_once_while_the_session_is_not_ready(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit, an_account(trading=Mode.ON, audit=audit) as (server, session, account):
        with server.faults.inject(faults.RefuseTls()):
            server.drop_clients()
            await session.wait_for(SessionState.WAITING)
            began_s = clock.now_s()
            with pytest.raises(NotSent):
                await session.request(an_order(account.id), timeout_s=30)
            assert clock.now_s() - began_s < 5
        await session.wait_for(SessionState.READY)
        assert heard(server, oa.ProtoOANewOrderReq) == []


async def test_a_read_that_was_lost_with_its_link_is_unknown_and_not_repeated() -> None:
    async with an_account() as (server, session, account):
        server.faults.inject(faults.DropBefore(which="ProtoOATraderRes"))
        with pytest.raises(OutcomeUnknown):
            await account.request(TRADER)
        await session.wait_for(SessionState.READY)
        assert len(heard(server, oa.ProtoOATraderReq)) == 1


async def test_a_read_still_in_the_queue_when_the_link_is_lost_leaves_on_the_next_one() -> None:
    async with an_account(rates=Rates(ordinary_per_s=4)) as (server, _, account):
        answers: list[Any] = []

        async def ask() -> None:
            answers.append(await account.request(TRADER))

        async with anyio.create_task_group() as tasks:
            for _ in range(6):
                tasks.start_soon(ask)
            await server.wait_for("ProtoOATraderReq")  # three have left before it; the others wait for their turn
            server.drop_clients()
        assert len(answers) == 6
        assert {seen.client for seen in server.seen if seen.name == "ProtoOATraderReq"} == {1, 2}


async def test_a_read_in_the_queue_while_its_account_is_lost_leaves_when_that_is_back() -> None:
    async with an_account(rates=Rates(ordinary_per_s=3)) as (server, session, account):
        answers: list[Any] = []

        async def ask() -> None:
            answers.append(await account.request(TRADER))

        async with anyio.create_task_group() as tasks:
            for _ in range(4):  # three have left: these wait in the queue
                tasks.start_soon(ask)
            await blocked()
            assert session.link is not None
            assert session.link.queued
            server.disconnect_account(account.id)
        assert len(answers) == 4
        assert len(heard(server, oa.ProtoOAAccountAuthReq)) == 2
        assert server.violations == ()


async def test_a_read_is_repeated_after_a_rate_refusal_within_its_deadline() -> None:
    async with an_account() as (server, _, account):
        server.faults.inject(faults.Blocked(oa.ProtoOATraderReq, retry_after_s=1, times=1))
        answer = await account.request(TRADER, timeout_s=10)
        assert answer.trader.traderLogin == account.trader_login
        first, second = (seen for seen in server.seen if seen.name == "ProtoOATraderReq")
        assert second.at_ms - first.at_ms >= 990


async def test_a_read_that_stays_refused_for_its_rate_says_so_at_its_deadline() -> None:
    async with an_account() as (server, _, account):
        with server.faults.inject(faults.Blocked(oa.ProtoOATraderReq, retry_after_s=30)):
            with pytest.raises(RateLimited) as caught:
                await account.request(TRADER, timeout_s=1.0)
        assert caught.value.retry_after_s == 30
        # Only that payload type is held back.
        await account.request(oa.ProtoOAReconcileReq())


# Healing


async def test_a_session_comes_back_after_a_drop_with_its_accounts_and_its_quotes() -> None:
    async with an_account() as (server, session, account):
        async with account.spots("EURUSD", "GBPUSD") as spots:
            await ready_again(session, links=server.drop_clients)
            server.set_price(EURUSD, bid=120_000, ask=120_010)
            async for spot in spots:
                if (spot.symbol, spot.bid_wire, spot.ask_wire) == ("EURUSD", 120_000, 120_010):
                    break
            again = [seen.name for seen in server.seen if seen.client == 2]
            assert (await account.request(TRADER)).trader.traderLogin == account.trader_login
        again = [name for name in again if name != "upgraded"]  # over WebSocket
        assert again[:4] == [
            "connected",
            "ProtoOAApplicationAuthReq",
            "ProtoOAGetAccountListByAccessTokenReq",
            "ProtoOAAccountAuthReq",
        ]
        assert "ProtoOASubscribeSpotsReq" in again
        assert server.violations == ()


@pytest.mark.parametrize(
    "fault",
    [
        faults.Garbage(which="ProtoOATraderRes"),
        faults.OversizeLength(which="ProtoOATraderRes"),
        faults.HalfFrame(which="ProtoOATraderRes"),
        faults.DropAfter(which="ProtoOATraderRes"),
    ],
    ids=lambda fault: type(fault).__name__,
)
async def test_a_session_survives_what_breaks_its_link(fault: Any) -> None:
    async with an_account() as (server, session, account):
        server.faults.inject(type(fault)(which="ProtoOATraderRes"))
        async with session.changes() as changes:
            try:
                await account.request(TRADER)
            except OutcomeUnknown:
                pass
            async for change in changes:
                if change.state is SessionState.WAITING:
                    break
        assert (await account.request(TRADER)).trader.traderLogin == account.trader_login


async def test_a_silent_server_is_left_at_the_watchdogs_time() -> None:
    timings = replace(QUICK, heartbeat_s=0.5, watchdog_s=1.5)
    async with an_account(timings=timings) as (server, session, _):
        injected = server.faults.inject(faults.Silence())
        await session.wait_for(SessionState.WAITING)
        assert "silent" in session.reason
        injected.remove()
        await session.wait_for(SessionState.READY)


async def test_a_servers_good_bye_is_followed_by_another_link() -> None:
    async with an_account() as (server, session, _):
        await ready_again(session, links=lambda: server.disconnect_clients("Session is terminated"))
        assert [seen.client for seen in server.seen if seen.name == "connected"] == [1, 2]


async def test_the_changes_of_a_session_are_told_in_their_order() -> None:
    async with an_account() as (server, session, _):
        told = []
        async with session.changes() as changes:
            server.drop_clients()
            async for change in changes:
                told.append(change.state)
                if len(told) == 6:
                    break
        assert told == [
            SessionState.READY,
            SessionState.WAITING,
            SessionState.CONNECTING,
            SessionState.AUTHENTICATING,
            SessionState.RESTORING,
            SessionState.READY,
        ]


async def test_an_application_that_is_refused_for_a_moment_after_a_reconnect_is_tried_again_on_that_link() -> None:
    async with an_account(timings=replace(QUICK, connect_s=2.0)) as (server, session, _):
        refusing = server.faults.inject(faults.Maintenance("CH_CLIENT_AUTH_FAILURE"))
        server.drop_clients()
        await server.wait_for("ProtoOAApplicationAuthReq", client=2)
        refusing.remove()
        await session.wait_for(SessionState.READY)
        assert [seen.client for seen in server.seen if seen.name == "ProtoOAApplicationAuthReq"] == [1, 2, 2]


async def test_maintenance_is_waited_out_to_its_announced_end() -> None:
    async with an_account() as (server, session, _):
        end_s = server.now_ms // 1000 + 2
        maintenance = server.faults.inject(faults.Maintenance(end_s=end_s))
        server.drop_clients()
        await server.wait_for("closed", count=2)
        maintenance.remove()
        await session.wait_for(SessionState.READY)
        third = [seen for seen in server.seen if seen.name == "connected"][2]
        assert third.at_ms >= end_s * 1000 - 20  # its clock and ours are not read in the same moment


async def test_a_maintenance_whose_end_makes_no_sense_is_looked_at_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LONGEST_UNSEEN_S", 0.2)
    async with an_account() as (server, session, _):
        maintenance = server.faults.inject(faults.Maintenance(end_s=4_102_444_800))  # the year 2100
        server.drop_clients()
        await server.wait_for("connected", count=3)
        maintenance.remove()
        await session.wait_for(SessionState.READY)


# Refused


async def test_a_token_that_is_revoked_ends_in_refused_and_nobody_hammers() -> None:
    async with an_account() as (server, session, account):
        server.invalidate_tokens()
        await session.wait_for(SessionState.REFUSED)
        assert isinstance(session.failure, AuthenticationFailed)
        assert "CH_ACCESS_TOKEN_INVALID" in session.reason
        with pytest.raises(NotSent, match="refused"):
            await account.request(TRADER, timeout_s=0.3)
        await server.wait_for("closed")
        assert server.seen.names().count("connected") == 1


async def test_a_refused_session_is_left_by_new_credentials() -> None:
    async with an_account() as (server, session, account):
        server.invalidate_tokens()
        await session.wait_for(SessionState.REFUSED)
        session.resume()
        await session.wait_for(SessionState.CONNECTING)
        await session.wait_for(SessionState.REFUSED)
        server.grant()
        with pytest.raises(WrongEnvironment):
            session.resume(credentials_of(server, environment=Environment.LIVE))
        session.resume(credentials_of(server))
        await session.wait_for(SessionState.READY)
        assert (await account.request(TRADER)).trader.traderLogin == account.trader_login
        assert server.seen.names().count("connected") == 3


async def test_a_resume_of_a_session_that_was_ready_does_not_undo_a_later_refusal() -> None:
    async with an_account() as (server, session, _):
        session.resume()
        server.invalidate_tokens()
        await session.wait_for(SessionState.REFUSED)
        await blocked()
        assert session.state is SessionState.REFUSED
        assert server.seen.names().count("connected") == 1


async def test_a_resume_cuts_a_wait_short() -> None:
    slow = replace(QUICK, reconnect_first_s=600, reconnect_most_s=600)
    async with an_account(timings=slow) as (server, session, _):
        server.drop_clients()
        await session.wait_for(SessionState.WAITING)
        session.resume()
        await session.wait_for(SessionState.READY)


# The account's session


async def test_an_account_that_is_disconnected_is_authorised_again_on_the_same_link() -> None:
    async with an_account() as (server, session, account):
        async with account.spots("EURUSD") as spots:
            server.disconnect_account(account.id)
            await server.wait_for("ProtoOASubscribeSpotsReq", count=2)
            server.set_price(EURUSD, bid=120_000, ask=120_010)
            async for spot in spots:
                if spot.bid_wire == 120_000:
                    break
        assert session.state is SessionState.READY
        assert server.seen.names().count("connected") == 1
        assert len(heard(server, oa.ProtoOAAccountAuthReq)) == 2


async def test_a_loss_that_nobody_announced_is_noticed_by_the_first_request_and_mended() -> None:
    async with an_account() as (server, session, account):
        server.forget_account(account.id)
        with pytest.raises(ServerError, match="not authorized"):
            await account.request(TRADER)
        assert (await account.request(TRADER)).trader.traderLogin == account.trader_login
        assert session.state is SessionState.READY
        assert server.seen.names().count("connected") == 1


async def test_a_trading_request_fails_at_once_while_its_account_is_lost(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit, an_account(trading=Mode.ON, audit=audit) as (server, session, account):
        with server.faults.inject(faults.Unanswering("ProtoOAAccountAuthRes")):
            server.disconnect_account(account.id)
            await server.wait_for("ProtoOAAccountAuthReq", count=2)
            with pytest.raises(NotSent, match="not restored"):
                await session.request(an_order(account.id))
        assert heard(server, oa.ProtoOANewOrderReq) == []


# Trading by hand


async def test_a_raw_order_has_its_intent_on_the_disk_before_the_server_has_heard_it(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit, an_account(trading=Mode.ON, audit=audit) as (server, session, account):
        event = await session.request(an_order(account.id))
        assert event.executionType == oa.ProtoOAExecutionType.ORDER_ACCEPTED
        (left,) = [seen for seen in server.seen if seen.name == "ProtoOANewOrderReq"]
    lines = audit_of(tmp_path)
    intent, sent = (next(line for line in lines if line["fact"] == fact) for fact in ("intent", "sent"))
    assert (intent["request"], intent["volume_cents"], intent["symbol_id"]) == ("ProtoOANewOrderReq", LOT_CENTS, EURUSD)
    assert sent["request_id"] == left.client_msg_id
    assert sent["sent_at_ms"] <= left.at_ms + 20


async def test_what_is_on_record_is_what_leaves(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit, an_account(trading=Mode.ON, audit=audit) as (server, session, account):
        order = an_order(account.id)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(session.request, order)
            await blocked()  # its intent is on the way to the disk
            order.volume = 50 * LOT_CENTS
        assert [order.volume for order in heard(server, oa.ProtoOANewOrderReq)] == [LOT_CENTS]
    (intent,) = [line for line in audit_of(tmp_path) if line["fact"] == "intent"]
    assert intent["volume_cents"] == LOT_CENTS


async def test_a_write_that_is_not_trading_is_refused_unless_the_mode_is_on(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit, a_server() as server:
        for mode, refused in ((Mode.OFF, True), (Mode.REDUCE_ONLY, True), (Mode.ON, False)):
            async with connected(server, trading=mode, audit=audit) as session:
                account = await session.authorize(server.account_id)
                request = oa.ProtoOAMarginCallUpdateReq()
                request.marginCall.marginCallType = oa.ProtoOANotificationType.MARGIN_LEVEL_THRESHOLD_1
                request.marginCall.marginLevelThreshold = 120.0
                if refused:
                    with pytest.raises(Refused):
                        await account.request(request)
                else:
                    await account.request(request)
        assert len(heard(server, oa.ProtoOAMarginCallUpdateReq)) == 1
    assert [line["fact"] for line in audit_of(tmp_path) if line["environment"] == "demo"].count("intent") == 1


@pytest.mark.parametrize("host", Host)
async def test_without_both_a_mode_and_an_audit_nothing_trades_in_either_environment(
    host: Host, tmp_path: Path
) -> None:
    async with open_audit(tmp_path) as audit, a_server(host) as server:
        for given in ({}, {"audit": audit}, {"trading": Mode.ON}):
            async with connected(server, **given) as session:
                account = await session.authorize(server.account_id)
                expected = AuditUnavailable if "trading" in given else Refused
                if host is Host.LIVE and "trading" not in given:
                    expected = LiveTradingDisabled
                with pytest.raises(expected):
                    await account.request(an_order(account.id))
        assert heard(server, oa.ProtoOANewOrderReq) == []


async def test_the_link_itself_is_no_way_around_the_gate(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit, an_account(trading=Mode.ON, audit=audit) as (server, session, account):
        assert session.link is not None
        with pytest.raises(AuditUnavailable, match="its intent is not on record"):
            await session.link.request(an_order(account.id), timeout_s=5)
        assert heard(server, oa.ProtoOANewOrderReq) == []


async def test_a_halt_in_the_audits_folder_counts_for_a_session_of_ones_own(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit, an_account(trading=Mode.ON, audit=audit) as (server, session, account):
        halts.halt(tmp_path, Environment.DEMO, why="a test", who="somebody", at_ms=0)
        with pytest.raises(Refused, match="a test"):
            await session.request(an_order(account.id))
        assert heard(server, oa.ProtoOANewOrderReq) == []


async def test_on_live_a_raw_order_keeps_to_the_largest_size_too(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit, a_server(Host.LIVE) as server:
        async with connected(server, trading=Mode.ON, audit=audit) as session:
            account = await session.authorize(server.account_id)
            with pytest.raises(LimitExceeded, match="largest_order_lots"):
                await account.request(an_order(account.id, 2 * LOT_CENTS))
            with pytest.raises(LimitExceeded, match="not known"):
                await account.request(oa.ProtoOAAmendOrderReq(orderId=5, volume=LOT_CENTS))
            await account.request(an_order(account.id))
        assert [order.volume for order in heard(server, oa.ProtoOANewOrderReq)] == [LOT_CENTS]
    assert [line["error"] for line in audit_of(tmp_path) if line["fact"] == "refused"] == ["LimitExceeded"] * 2


async def test_whatever_becomes_of_a_raw_order_is_on_record(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit, an_account(trading=Mode.ON, audit=audit) as (server, _, account):
        with pytest.raises(ServerError, match="ORDER_NOT_FOUND"):
            await account.request(oa.ProtoOACancelOrderReq(orderId=5))
        with server.faults.inject(faults.Unanswering()):
            with pytest.raises(OutcomeUnknown):
                await account.request(oa.ProtoOACancelOrderReq(orderId=6), timeout_s=0.3)
            with pytest.raises(NotSent, match="find out first"):
                await account.request(oa.ProtoOACancelOrderReq(orderId=6))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(account.request, oa.ProtoOACancelOrderReq(orderId=7))
                await server.wait_for(lambda seen: getattr(seen.message, "orderId", 0) == 7)
                tasks.cancel_scope.cancel()
    stories = {
        number: [line["fact"] for line in audit_of(tmp_path) if line.get("order_id") == number] for number in (5, 6, 7)
    }
    assert stories[5][:2] == stories[6][:2] == stories[7][:2] == ["intent", "sent"]
    assert "server_error" in stories[5]
    assert stories[6][2:] == ["outcome_unknown"]
    assert stories[7][2:] == ["outcome_unknown"]


async def test_a_raw_amend_that_makes_nothing_larger_passes_the_largest_size(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit, a_server(Host.LIVE) as server:
        async with connected(server, trading=Mode.ON, audit=audit) as session:
            account = await session.authorize(server.account_id)
            order = an_order(account.id)
            order.orderType = oa.ProtoOAOrderType.LIMIT
            order.limitPrice = 1.0
            event = await account.request(order)
            amended = oa.ProtoOAAmendOrderReq(orderId=event.order.orderId, volume=LOT_CENTS, limitPrice=1.01)
            assert (await account.request(amended)).order.limitPrice == 1.01
            amended.volume = 2 * LOT_CENTS
            with pytest.raises(LimitExceeded):
                await account.request(amended)
        assert [request.volume for request in heard(server, oa.ProtoOAAmendOrderReq)] == [LOT_CENTS]


@pytest.mark.parametrize("delimiting", ["length", "newline", "objects"])
async def test_json_is_told_apart_as_the_connection_was_opened_with(delimiting: Any) -> None:
    async with FakeServer(ServerSettings(oauth_port=None, json_delimiting=Delimiting(delimiting))) as server:
        async with connect(
            Environment.DEMO,
            credentials_of(server),
            codec="json",
            delimiting=delimiting,
            host=server.host,
            port=server.json_port,
            ca_file=server.ca_file,
            timings=QUICK,
        ) as session:
            account = await session.authorize(server.account_id)
            async with account.spots("EURUSD") as spots:
                assert (await anext(spots)).bid > 0


async def test_a_body_that_is_cancelled_can_still_ask_in_a_shielded_scope() -> None:
    told: list[str] = []

    async with a_server() as server:

        async def hold(up: anyio.Event) -> None:
            async with connected(server) as session:
                try:
                    up.set()
                    await anyio.sleep_forever()
                finally:
                    with anyio.CancelScope(shield=True):
                        told.append((await session.request(oa.ProtoOAVersionReq())).version)

        async with anyio.create_task_group() as tasks:
            up = anyio.Event()
            tasks.start_soon(hold, up)
            await up.wait()
            tasks.cancel_scope.cancel()
        assert len(told) == 1


async def test_a_time_that_ran_out_is_told_as_it_was_given() -> None:
    async with a_server() as server, connected(server) as session:
        server.faults.inject(faults.Unanswering())
        with pytest.raises(OutcomeUnknown, match=r"was not answered within 0\.3 s"):
            await session.request(oa.ProtoOAVersionReq(), timeout_s=0.3)
