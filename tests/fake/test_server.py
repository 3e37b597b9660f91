"""The session's life on the socket: docs/protocol.md sections 2, 3, 4 and 7, over real TLS, in both flavours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from anyctrader.fake import (
    AnswerVariants,
    Clock,
    Directory,
    FakeServer,
    Host,
    ServerSettings,
    StrictnessViolated,
    Timing,
    TokenPolicy,
    TokenScope,
    shared_directory,
)
from anyctrader.fake.choices import (
    EarlyRequest,
    Echo,
    ExpiredToken,
    IdleClose,
    RefreshEffect,
    RefreshOrder,
    ReplayedFills,
    SecondAppAuth,
    UnknownClient,
    ViewOnlyOrder,
)
from anyctrader.fake.exchange_settings import Delays
from anyctrader.proto import schema as oa

from .quick import EXCHANGE, QUICK
from .raw_client import RawClient, connected

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["protobuf", "json"])
def flavour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def varied(**choices: Any) -> ServerSettings:
    return replace(QUICK, variants=AnswerVariants(**choices))


def market_order(server: FakeServer, **fields: Any) -> oa.ProtoOANewOrderReq:
    return oa.ProtoOANewOrderReq(
        **{
            "ctidTraderAccountId": server.account_id,
            "symbolId": 1,
            "orderType": oa.ProtoOAOrderType.MARKET,
            "tradeSide": oa.ProtoOATradeSide.BUY,
            "volume": 100_000,
            **fields,
        }
    )


async def app_auth(client: RawClient, server: FakeServer, **fields: str) -> Any:
    return await client.ask(
        oa.ProtoOAApplicationAuthReq(**{"clientId": server.client_id, "clientSecret": server.client_secret, **fields})
    )


def error_of(answer: Any) -> tuple[str, str]:
    assert answer.name in ("ProtoOAErrorRes", "ProtoOAOrderErrorEvent"), answer
    return answer.errorCode, answer.description


NOT_AUTHORIZED = ("INVALID_REQUEST", "Trading account is not authorized")
# -- application -----------------------------------------------------------------------------------


async def test_an_application_authenticates_and_its_id_comes_back(flavour: str) -> None:
    async with FakeServer(QUICK) as server, connected(server, flavour) as client:
        await client.send(
            oa.ProtoOAApplicationAuthReq(clientId=server.client_id, clientSecret=server.client_secret), "my id"
        )
        answer = await client.receive()
        assert (answer.name, answer.id) == ("ProtoOAApplicationAuthRes", "my id")


async def test_a_request_without_an_id_is_answered_without_one(flavour: str) -> None:
    async with FakeServer(QUICK) as server, connected(server, flavour) as client:
        await client.send(oa.ProtoOAVersionReq())
        answer = await client.receive()
        assert (answer.name, answer.id, answer.version) == ("ProtoOAVersionRes", None, "91")


async def test_wrong_credentials_are_refused_and_the_right_ones_taken_afterwards(flavour: str) -> None:
    async with FakeServer(QUICK) as server, connected(server, flavour) as client:
        refused = await app_auth(client, server, clientSecret="wrong")
        assert error_of(refused) == ("CH_CLIENT_AUTH_FAILURE", "clientId or clientSecret is incorrect")
        assert (await app_auth(client, server)).name == "ProtoOAApplicationAuthRes"


@pytest.mark.parametrize(
    ("choice", "code"),
    [(UnknownClient.AUTH_FAILURE, "CH_CLIENT_AUTH_FAILURE"), (UnknownClient.NOT_FOUND, "CH_OA_CLIENT_NOT_FOUND")],
)
async def test_an_unknown_application_is_refused_as_the_settings_say(choice: UnknownClient, code: str) -> None:
    async with FakeServer(varied(unknown_client=choice)) as server, connected(server) as client:
        assert error_of(await app_auth(client, server, clientId="nobody"))[0] == code


async def test_an_application_that_is_not_active_is_refused() -> None:
    async with FakeServer(QUICK) as server, connected(server) as client:
        waiting = server.directory.add_application(active=False)
        answer = await app_auth(client, server, clientId=waiting.client_id, clientSecret=waiting.client_secret)
        assert error_of(answer)[0] == "CH_CLIENT_AUTH_FAILURE"


@pytest.mark.parametrize("choice", list(SecondAppAuth))
async def test_a_second_application_auth_is_answered_as_the_settings_say(choice: SecondAppAuth) -> None:
    async with FakeServer(varied(second_app_auth=choice)) as server, connected(server) as client:
        await client.authorise(server)
        answer = await app_auth(client, server)
        if choice is SecondAppAuth.SUCCESS:
            assert answer.name == "ProtoOAApplicationAuthRes"
        else:
            assert error_of(answer)[0] == choice.value
        trader = await client.ask(oa.ProtoOATraderReq(ctidTraderAccountId=server.account_id))
        assert trader.name == "ProtoOATraderRes"  # the session stays good


@pytest.mark.parametrize("choice", [EarlyRequest.NOT_AUTHENTICATED, EarlyRequest.INVALID_REQUEST])
async def test_before_application_auth_only_version_and_refresh_are_taken(choice: EarlyRequest, flavour: str) -> None:
    async with FakeServer(varied(early_request=choice)) as server, connected(server, flavour) as client:
        for request in (
            oa.ProtoOAGetAccountListByAccessTokenReq(accessToken=server.access_token),
            oa.ProtoOATraderReq(ctidTraderAccountId=server.account_id),
        ):
            assert error_of(await client.ask(request))[0] == choice.value
        assert (await client.ask(oa.ProtoOAVersionReq())).name == "ProtoOAVersionRes"
        refreshed = await client.ask(oa.ProtoOARefreshTokenReq(refreshToken=server.refresh_token))
        assert refreshed.name == "ProtoOARefreshTokenRes"


async def test_an_early_request_may_close_the_connection() -> None:
    async with FakeServer(varied(early_request=EarlyRequest.CLOSE)) as server, connected(server) as client:
        await client.send(oa.ProtoOATraderReq(ctidTraderAccountId=1))
        assert [answer.name for answer in await client.gone()] == ["ProtoOAErrorRes"]


async def test_a_request_behind_an_unanswered_application_auth_is_too_early() -> None:
    async with FakeServer(ServerSettings()) as server, connected(server) as client:
        await client.send(
            oa.ProtoOAApplicationAuthReq(clientId=server.client_id, clientSecret=server.client_secret), "1"
        )
        await client.send(oa.ProtoOAGetAccountListByAccessTokenReq(accessToken=server.access_token), "2")
        assert (await client.receive()).id == "1"
        assert error_of(await client.receive())[0] == "CH_CLIENT_NOT_AUTHENTICATED"


# -- accounts --------------------------------------------------------------------------------------


async def test_either_host_lists_the_accounts_of_both(flavour: str) -> None:
    for host in Host:
        async with FakeServer(replace(QUICK, host=host)) as server, connected(server, flavour) as client:
            await client.authorise_app(server)
            answer = await client.ask(oa.ProtoOAGetAccountListByAccessTokenReq(accessToken=server.access_token))
            assert answer.accessToken == server.access_token
            assert answer.permissionScope == oa.ProtoOAClientPermissionScope.SCOPE_TRADE
            assert {(row.ctidTraderAccountId, row.isLive) for row in answer.ctidTraderAccount} == {
                (1000001, False),
                (1000002, True),
            }
            assert all(row.traderLogin and row.brokerTitleShort for row in answer.ctidTraderAccount)


async def test_an_account_of_the_other_host_cannot_be_routed(flavour: str) -> None:
    async with FakeServer(replace(QUICK, host=Host.LIVE)) as server, connected(server, flavour) as client:
        await client.authorise_app(server)
        assert error_of(await client.authorise_account(server, 1000001))[0] == "CANT_ROUTE_REQUEST"
        assert (await client.authorise_account(server, 1000002)).name == "ProtoOAAccountAuthRes"


async def test_a_trader_login_is_no_account_id() -> None:
    async with FakeServer(QUICK) as server, connected(server) as client:
        await client.authorise_app(server)
        login = server.accounts[0].trader_login
        assert error_of(await client.authorise_account(server, login))[0] == "CH_CTID_TRADER_ACCOUNT_NOT_FOUND"


async def test_a_bad_token_is_refused_for_list_profile_and_account(flavour: str) -> None:
    async with FakeServer(QUICK) as server, connected(server, flavour) as client:
        await client.authorise_app(server)
        for request in (
            oa.ProtoOAGetAccountListByAccessTokenReq(accessToken="bad"),
            oa.ProtoOAGetCtidProfileByTokenReq(accessToken="bad"),
            oa.ProtoOAAccountAuthReq(accessToken="bad", ctidTraderAccountId=server.account_id),
        ):
            assert error_of(await client.ask(request))[0] == "CH_ACCESS_TOKEN_INVALID"
        profile = await client.ask(oa.ProtoOAGetCtidProfileByTokenReq(accessToken=server.access_token))
        assert profile.profile.userId == 1


async def test_another_applications_token_is_refused() -> None:
    async with FakeServer(QUICK) as server, connected(server) as client:
        other = server.directory.add_application()
        await app_auth(client, server, clientId=other.client_id, clientSecret=other.client_secret)
        assert error_of(await client.authorise_account(server))[0] == "CH_ACCESS_TOKEN_INVALID"


@pytest.mark.parametrize("choice", list(ExpiredToken))
async def test_an_expired_token_is_refused_as_the_settings_say(choice: ExpiredToken) -> None:
    settings = replace(varied(expired_token=choice), tokens=TokenPolicy(life_s=0))
    async with FakeServer(settings) as server, connected(server) as client:
        await client.authorise_app(server)
        assert error_of(await client.authorise_account(server))[0] == choice.value


async def test_a_second_account_auth_says_so_and_the_session_stays_good(flavour: str) -> None:
    async with FakeServer(QUICK) as server, connected(server, flavour) as client:
        await client.authorise(server)
        assert error_of(await client.authorise_account(server)) == (
            "ALREADY_LOGGED_IN",
            "Trading account is already authorized in this channel",
        )
        trader = await client.ask(oa.ProtoOATraderReq(ctidTraderAccountId=server.account_id))
        assert trader.name == "ProtoOATraderRes"


async def test_an_account_that_is_not_authorised_is_refused_whatever_is_asked(flavour: str) -> None:
    async with FakeServer(QUICK) as server, connected(server, flavour) as client:
        await client.authorise_app(server)
        for request in (
            oa.ProtoOATraderReq(ctidTraderAccountId=server.account_id),
            oa.ProtoOASubscribeSpotsReq(ctidTraderAccountId=server.account_id, symbolId=[1]),
            oa.ProtoOAAccountLogoutReq(ctidTraderAccountId=server.account_id),
            market_order(server),
        ):
            assert error_of(await client.ask(request)) == NOT_AUTHORIZED


async def test_an_account_authorised_on_one_connection_is_not_on_another() -> None:
    async with FakeServer(QUICK) as server, connected(server) as one, connected(server) as two:
        await one.authorise(server)
        await two.authorise_app(server)
        answer = await two.ask(oa.ProtoOATraderReq(ctidTraderAccountId=server.account_id))
        assert error_of(answer) == NOT_AUTHORIZED


async def test_a_logout_is_answered_and_completed_by_the_disconnect_event(flavour: str) -> None:
    async with FakeServer(QUICK) as server, connected(server, flavour) as client:
        await client.authorise(server)
        assert (await client.ask(oa.ProtoOAAccountLogoutReq(ctidTraderAccountId=server.account_id))).name == (
            "ProtoOAAccountLogoutRes"
        )
        event = await client.receive()
        assert (event.name, event.id) == ("ProtoOAAccountDisconnectEvent", None)
        answer = await client.ask(oa.ProtoOATraderReq(ctidTraderAccountId=server.account_id))
        assert error_of(answer) == NOT_AUTHORIZED


# -- tokens ----------------------------------------------------------------------------------------


async def test_a_refresh_ends_the_sessions_of_the_old_token_until_they_authorise_again(flavour: str) -> None:
    async with FakeServer(QUICK) as server, connected(server, flavour) as client, connected(server) as other:
        await client.authorise(server)
        await other.authorise(server)
        await client.ask(oa.ProtoOASubscribeSpotsReq(ctidTraderAccountId=server.account_id, symbolId=[1]))
        old = server.refresh_token
        answer = await client.ask(oa.ProtoOARefreshTokenReq(refreshToken=old))
        assert (answer.tokenType, answer.expiresIn) == ("bearer", 2_628_000)
        assert (answer.accessToken, answer.refreshToken) == (server.access_token, server.refresh_token)
        for listener in (client, other):
            disconnected = await listener.until("ProtoOAAccountDisconnectEvent")
            assert disconnected.ctidTraderAccountId == server.account_id
            invalidated = await listener.until("ProtoOAAccountsTokenInvalidatedEvent")
            assert list(invalidated.ctidTraderAccountIds) == [server.account_id]
        trader = oa.ProtoOATraderReq(ctidTraderAccountId=server.account_id)
        assert error_of(await client.ask(trader)) == NOT_AUTHORIZED
        assert (await client.authorise_account(server)).name == "ProtoOAAccountAuthRes"
        assert (await client.ask(trader)).name == "ProtoOATraderRes"
        duplicate = await client.ask(oa.ProtoOASubscribeSpotsReq(ctidTraderAccountId=server.account_id, symbolId=[1]))
        assert error_of(duplicate)[0] == "ALREADY_SUBSCRIBED"  # they came back with the authorisation
        used = await client.ask(oa.ProtoOARefreshTokenReq(refreshToken=old))
        assert error_of(used)[0] == "CH_ACCESS_TOKEN_INVALID"


@pytest.mark.parametrize("choice", list(RefreshEffect))
async def test_what_a_refresh_does_to_running_sessions_is_a_setting(choice: RefreshEffect) -> None:
    async with FakeServer(varied(refresh_effect=choice)) as server, connected(server) as client:
        await client.authorise(server)
        spots = oa.ProtoOASubscribeSpotsReq(ctidTraderAccountId=server.account_id, symbolId=[1])
        await client.ask(spots)
        await client.ask(oa.ProtoOARefreshTokenReq(refreshToken=server.refresh_token))
        events = []
        await client.send(oa.ProtoOAVersionReq(), "fence")
        while (answer := await client.receive()).id != "fence":
            events.append(answer.name)
        told = [name for name in events if name != "ProtoOASpotEvent"]
        both = ["ProtoOAAccountDisconnectEvent", "ProtoOAAccountsTokenInvalidatedEvent"]
        assert (
            told
            == {
                RefreshEffect.BOTH_EVENTS: both,
                RefreshEffect.SUBSCRIPTIONS_LOST: both,
                RefreshEffect.DISCONNECT_ONLY: both[:1],
                RefreshEffect.INVALIDATED_ONLY: both[1:],
                RefreshEffect.NONE: [],
            }[choice]
        )
        again = await client.authorise_account(server)
        assert (again.name == "ProtoOAErrorRes") is (choice is RefreshEffect.NONE)
        assert ((await client.ask(spots)).name == "ProtoOAErrorRes") is (choice is not RefreshEffect.SUBSCRIPTIONS_LOST)


async def test_the_events_of_a_refresh_may_come_before_its_response() -> None:
    async with FakeServer(varied(refresh_order=RefreshOrder.EVENTS_FIRST)) as server, connected(server) as client:
        await client.authorise(server)
        await client.send(oa.ProtoOARefreshTokenReq(refreshToken=server.refresh_token), "r")
        names = [(await client.receive()).name for _ in range(3)]
        assert names == [
            "ProtoOAAccountDisconnectEvent",
            "ProtoOAAccountsTokenInvalidatedEvent",
            "ProtoOARefreshTokenRes",
        ]


@pytest.mark.parametrize("choice", list(ViewOnlyOrder))
async def test_a_view_only_token_reads_and_does_not_trade(choice: ViewOnlyOrder, flavour: str) -> None:
    async with FakeServer(varied(view_only_order=choice)) as server, connected(server, flavour) as client:
        server.grant(scope=TokenScope.VIEW)
        await client.authorise(server)
        answer = await client.ask(oa.ProtoOAGetAccountListByAccessTokenReq(accessToken=server.access_token))
        assert answer.permissionScope == oa.ProtoOAClientPermissionScope.SCOPE_VIEW
        reconciled = await client.ask(oa.ProtoOAReconcileReq(ctidTraderAccountId=server.account_id))
        assert reconciled.name == "ProtoOAReconcileRes"
        refused = await client.ask(market_order(server))
        if choice is ViewOnlyOrder.NOT_AUTHORIZED:
            assert refused.name == "ProtoOAErrorRes"
            assert error_of(refused) == NOT_AUTHORIZED
        else:
            assert (refused.name, refused.errorCode) == ("ProtoOAOrderErrorEvent", "TRADING_NOT_ALLOWED")


async def test_a_token_covers_only_the_accounts_that_were_ticked() -> None:
    async with FakeServer(QUICK) as server, connected(server) as client:
        server.grant(account_ids=[1000002])
        await client.authorise_app(server)
        answer = await client.ask(oa.ProtoOAGetAccountListByAccessTokenReq(accessToken=server.access_token))
        assert [row.ctidTraderAccountId for row in answer.ctidTraderAccount] == [1000002]
        assert error_of(await client.authorise_account(server))[0] == "CH_CTID_TRADER_ACCOUNT_NOT_FOUND"


# -- orders on the socket --------------------------------------------------------------------------


async def executions(client: RawClient, count: int) -> list[tuple[int, str | None]]:
    events = [await client.until("ProtoOAExecutionEvent") for _ in range(count)]
    return [(event.executionType, event.id) for event in events]


ACCEPTED, FILLED = 2, 3


async def test_a_market_order_is_accepted_then_filled_both_with_its_id(flavour: str) -> None:
    async with FakeServer(QUICK) as server, connected(server, flavour) as client:
        await client.authorise(server)
        await client.send(market_order(server), "order")
        assert await executions(client, 2) == [(ACCEPTED, "order"), (FILLED, "order")]


@pytest.mark.parametrize("later", list(Echo))
@pytest.mark.parametrize("copies", list(Echo))
async def test_events_go_to_every_connection_that_holds_the_account(later: Echo, copies: Echo) -> None:
    settings = varied(later_events=later, other_connections=copies)
    async with FakeServer(settings) as server, connected(server) as actor, connected(server, "json") as watcher:
        async with connected(server) as stranger:
            await actor.authorise(server)
            await watcher.authorise(server)
            await stranger.authorise_app(server)
            await actor.send(market_order(server), "order")
            on_later = "order" if later is Echo.ECHOED else None
            assert await executions(actor, 2) == [(ACCEPTED, "order"), (FILLED, on_later)]
            on_copy = "order" if copies is Echo.ECHOED else None
            expected = [(ACCEPTED, on_copy), (FILLED, on_later if copies is Echo.ECHOED else None)]
            assert await executions(watcher, 2) == expected
            await stranger.send(oa.ProtoOAVersionReq(), "fence")
            assert (await stranger.receive()).id == "fence"


async def test_an_execution_event_has_a_field_that_the_schema_does_not_know() -> None:
    async with FakeServer(QUICK) as server, connected(server, "json") as client:
        await client.authorise(server)
        await client.send(market_order(server), "order")
        event = await client.until("ProtoOAExecutionEvent")
        known = {field.name for field in oa.ProtoOAExecutionEvent.DESCRIPTOR.fields}
        assert set(event.payload) - known


async def test_answers_of_one_connection_keep_the_order_of_its_requests(flavour: str) -> None:
    async with FakeServer(ServerSettings()) as server, connected(server, flavour) as client:
        await client.authorise(server)
        for number in range(20):
            kind = oa.ProtoOAVersionReq() if number % 2 else oa.ProtoOATraderReq(ctidTraderAccountId=server.account_id)
            await client.send(kind, str(number))
        assert [(await client.receive()).id for _ in range(20)] == [str(number) for number in range(20)]


# -- silence ---------------------------------------------------------------------------------------


async def test_a_client_that_does_not_authenticate_is_closed_even_if_it_beats() -> None:
    settings = ServerSettings(timing=Timing(unauthenticated_s=0.2, answer_s=0))
    async with FakeServer(settings) as server, connected(server) as client:
        await client.send(oa.ProtoHeartbeatEvent())
        assert await client.gone() == []
        closed = (await server.wait_for("closed"))[0]
        assert closed.text == "no application auth in time"


@pytest.mark.parametrize("choice", list(IdleClose))
async def test_a_silent_client_is_closed_without_a_word_or_with_one(choice: IdleClose) -> None:
    settings = replace(varied(idle_close=choice), timing=Timing(idle_s=0.2, answer_s=0))
    async with FakeServer(settings) as server, connected(server) as client:
        await client.authorise_app(server)
        names = [answer.name for answer in await client.gone()]
        assert names == (["ProtoOAClientDisconnectEvent"] if choice is IdleClose.CLIENT_DISCONNECT else [])


async def test_the_server_beats_when_it_has_nothing_else_to_say(flavour: str) -> None:
    settings = replace(QUICK, timing=Timing(heartbeat_s=0.1, answer_s=0))
    async with FakeServer(settings) as server, connected(server, flavour) as client:
        await client.authorise_app(server)
        for _ in range(2):
            beat = await client.receive()
            assert (beat.name, beat.id) == ("ProtoHeartbeatEvent", None)


# -- losses that a server announces, or not --------------------------------------------------------


async def test_an_account_can_be_disconnected_or_forgotten_while_the_link_stays() -> None:
    async with FakeServer(QUICK) as server, connected(server) as client:
        trader = oa.ProtoOATraderReq(ctidTraderAccountId=server.account_id)
        await client.authorise(server)
        server.disconnect_account(server.account_id)
        assert (await client.receive()).name == "ProtoOAAccountDisconnectEvent"
        assert error_of(await client.ask(trader)) == NOT_AUTHORIZED
        await client.authorise_account(server)
        server.forget_account(server.account_id)
        assert error_of(await client.ask(trader)) == NOT_AUTHORIZED
        assert (await client.authorise_account(server)).name == "ProtoOAAccountAuthRes"


async def test_a_disconnected_client_hears_why_and_is_closed() -> None:
    settings = replace(QUICK, timing=Timing(answer_s=0, goodbye_s=0.05))
    async with FakeServer(settings) as server, connected(server) as client:
        await client.authorise(server)
        server.disconnect_clients("for a test")
        event, *rest = await client.gone()
        assert (event.name, event.reason, rest) == ("ProtoOAClientDisconnectEvent", "for a test", [])


async def test_invalidated_tokens_let_nobody_in_until_a_new_consent() -> None:
    async with FakeServer(QUICK) as server, connected(server) as client:
        await client.authorise(server)
        old = server.refresh_token
        server.invalidate_tokens()
        assert (await client.receive()).name == "ProtoOAAccountDisconnectEvent"
        invalidated = await client.receive()
        assert invalidated.reason == "Access token was revoked"
        assert error_of(await client.authorise_account(server))[0] == "CH_ACCESS_TOKEN_INVALID"
        refresh = await client.ask(oa.ProtoOARefreshTokenReq(refreshToken=old))
        assert error_of(refresh)[0] == "CH_ACCESS_TOKEN_INVALID"
        server.grant()
        assert (await client.authorise_account(server)).name == "ProtoOAAccountAuthRes"


async def test_a_weekend_drops_accounts_and_keeps_links() -> None:
    async with FakeServer(QUICK) as server, connected(server) as client:
        await client.authorise(server)
        assert server.begin_weekend() is None
        assert (await client.receive()).name == "ProtoOAAccountDisconnectEvent"
        assert (await client.ask(oa.ProtoOAVersionReq())).name == "ProtoOAVersionRes"


# -- two servers -----------------------------------------------------------------------------------


async def test_two_servers_share_nothing() -> None:
    demo = FakeServer(QUICK)
    live = FakeServer(replace(QUICK, host=Host.LIVE))
    async with demo, live, connected(demo) as on_demo, connected(live) as on_live:
        assert len({demo.client_id, live.client_id, demo.client_secret, live.client_secret}) == 4
        assert demo.access_token != live.access_token
        await on_live.authorise(live)
        await on_demo.authorise_app(demo)
        for token in (live.access_token, live.refresh_token):
            answer = await on_demo.ask(oa.ProtoOAGetAccountListByAccessTokenReq(accessToken=token))
            assert error_of(answer)[0] == "CH_ACCESS_TOKEN_INVALID"
        demo.drop_clients()
        await on_demo.gone()
        trader = await on_live.ask(oa.ProtoOATraderReq(ctidTraderAccountId=live.account_id))
        assert trader.name == "ProtoOATraderRes"
        assert demo.seen.names().count("ProtoOATraderReq") == 0


async def test_one_directory_serves_both_hosts_with_one_token_and_one_refresh_ends_both() -> None:
    settings = (QUICK, replace(QUICK, host=Host.LIVE))
    directory: Directory = shared_directory(*settings)
    demo, live = (FakeServer(each, directory=directory) for each in settings)
    async with demo, live, connected(demo) as on_demo, connected(live) as on_live:
        assert (demo.client_id, demo.access_token) == (live.client_id, live.access_token)
        await on_demo.authorise(demo)
        await on_live.authorise(live)
        await on_demo.ask(oa.ProtoOARefreshTokenReq(refreshToken=demo.refresh_token))
        event = await on_live.until("ProtoOAAccountsTokenInvalidatedEvent")
        assert list(event.ctidTraderAccountIds) == [live.account_id]


# -- strictness ------------------------------------------------------------------------------------


async def test_a_strict_server_raises_for_what_the_real_one_would_refuse() -> None:
    async def misbehave() -> None:
        async with FakeServer(replace(QUICK, strict=True)) as server, connected(server) as client:
            await client.authorise_app(server)
            await client.ask(oa.ProtoOATraderReq(ctidTraderAccountId=server.account_id))

    with pytest.raises(StrictnessViolated, match="Trading account is not authorized") as raised:
        await misbehave()
    assert len(raised.value.violations) == 1


async def test_a_strict_server_lets_tolerated_codes_and_its_own_faults_pass() -> None:
    settings = replace(QUICK, strict=True, tolerated=frozenset({"CH_CLIENT_AUTH_FAILURE"}))
    async with FakeServer(settings) as server, connected(server) as client:
        assert (await app_auth(client, server, clientSecret="wrong")).name == "ProtoOAErrorRes"
        await client.authorise(server)


async def test_an_error_of_the_body_comes_out_as_it_was() -> None:
    async def fail() -> None:
        async with FakeServer(replace(QUICK, strict=True)) as server, connected(server) as client:
            await client.ask(oa.ProtoOATraderReq(ctidTraderAccountId=server.account_id))
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await fail()


async def test_a_log_says_what_the_server_thought_and_no_secret() -> None:
    lines: list[str] = []
    async with FakeServer(replace(QUICK, log=lines.append)) as server, connected(server) as client:
        await app_auth(client, server, clientSecret="not the secret")
        await client.authorise(server)
        secrets = (server.client_secret, server.access_token, server.refresh_token, "not the secret")
    assert any("CH_CLIENT_AUTH_FAILURE" in line for line in lines)
    assert not any(secret in line for line in lines for secret in secrets)


# -- what nobody heard of -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("choice", list(ReplayedFills))
async def test_fills_that_nobody_was_connected_for_are_replayed_once_or_not_at_all(choice: ReplayedFills) -> None:
    settings = replace(
        QUICK,
        variants=AnswerVariants(replayed_fills=choice),
        exchange=replace(EXCHANGE, delays=Delays.none()),
    )
    async with FakeServer(settings) as server:
        server.set_price(1, bid=110_000, ask=110_006)
        async with connected(server) as client:
            await client.authorise(server)
            limit = market_order(server, orderType=oa.ProtoOAOrderType.LIMIT, limitPrice=1.09)
            placed = await client.ask(limit)
        await server.wait_for("closed")
        server.set_price(1, bid=108_000, ask=108_006)
        met = []
        for _ in range(2):
            async with connected(server) as client:
                await client.authorise(server)
                await client.ask(oa.ProtoOAVersionReq())
                met.append([answer.deal.positionId for answer in client.unread if answer.name != "ProtoOAVersionRes"])
        assert met == [[placed.order.positionId] if choice is ReplayedFills.YES else [], []]


async def test_one_seed_is_that_of_credentials_and_of_prices() -> None:
    async def made_up(seed: str) -> tuple[object, ...]:
        settings = replace(QUICK, seed=seed, clock=Clock.HELD, clock_ms=1_790_000_000_000)
        async with FakeServer(settings) as server:
            server.pass_time(5)
            return server.access_token, server.exchange.quote(1), server.exchange.quote(2)

    first, again, other = await made_up("one"), await made_up("one"), await made_up("two")
    assert first == again
    assert all(mine != yours for mine, yours in zip(first, other, strict=True))
