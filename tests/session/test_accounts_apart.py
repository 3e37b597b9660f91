"""Accounts that fail alone, and losses that nobody announces: what is healed, and how often it is tried."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake.injection import Fault
from anyctrader.fake.refused import Blame
from anyctrader.fake.refused import Refused as Denied
from anyctrader.session import (
    AuthenticationFailed,
    Credentials,
    Environment,
    NotSent,
    OutcomeUnknown,
    ServerError,
    Session,
    SessionState,
    connect,
    open_connection_log,
)
from anyctrader.session.oblivion import Oblivion
from anyctrader.session.probation import Probation
from anyctrader.session.reconnect import Backoff
from anyctrader.wire import messages as oa

from .peer import CODEC, Peer, listening
from .rig import QUICK, a_desk, a_server, connected, heard

pytestmark = [pytest.mark.anyio, pytest.mark.uvloop]

DEMO = Environment.DEMO
TRADER = oa.ProtoOATraderReq()
OF_ACCOUNT = ["RET_ACCOUNT_DISABLED", "CHANNEL_IS_BLOCKED", "CANT_ROUTE_REQUEST", "SERVER_IS_UNDER_MAINTENANCE"]


class Broker:
    """Two accounts at a peer, some of which it refuses."""

    def __init__(self) -> None:
        self.refused: dict[int, str] = {}
        self.peer = Peer(
            {
                "ProtoOAGetAccountListByAccessTokenReq": self._list,
                "ProtoOAAccountAuthReq": self._auth,
                "ProtoOATraderReq": self._trader,
            }
        )

    def _list(self, _: Peer, request: Any) -> list[Any]:
        rows = [
            oa.ProtoOACtidTraderAccount(ctidTraderAccountId=id_, isLive=False, traderLogin=500 + id_) for id_ in (1, 2)
        ]
        return [oa.ProtoOAGetAccountListByAccessTokenRes(accessToken=request.accessToken, ctidTraderAccount=rows)]

    def _auth(self, _: Peer, request: Any) -> list[Any]:
        id_ = request.ctidTraderAccountId
        if id_ in self.refused:
            return [oa.ProtoOAErrorRes(errorCode=self.refused[id_], description="no", ctidTraderAccountId=id_)]
        return [oa.ProtoOAAccountAuthRes(ctidTraderAccountId=id_)]

    def _trader(self, _: Peer, request: Any) -> list[Any]:
        id_ = request.ctidTraderAccountId
        trader = oa.ProtoOATrader(ctidTraderAccountId=id_, balance=1, depositAssetId=1)
        return [oa.ProtoOATraderRes(ctidTraderAccountId=id_, trader=trader)]

    def auths_of(self, account_id: int) -> int:
        asked = (each for each in self.peer.heard if isinstance(each, oa.ProtoOAAccountAuthReq))
        return sum(each.ctidTraderAccountId == account_id for each in asked)

    async def lose(self, account_id: int) -> None:
        await self.peer.say(oa.ProtoOAAccountDisconnectEvent(ctidTraderAccountId=account_id))


@asynccontextmanager
async def at_a_broker(folder: Path, **given: Any) -> AsyncIterator[tuple[Broker, Session]]:
    broker = Broker()
    given.setdefault("timings", QUICK)
    async with listening(broker.peer, folder) as endpoint:
        async with connect(
            DEMO,
            Credentials(DEMO, client_id="a", client_secret="b", access_token="c"),
            host=endpoint.host,
            port=endpoint.port,
            codec=CODEC,
            transport=endpoint.transport,
            ca_file=endpoint.ca_file,
            **given,
        ) as session:
            yield broker, session


async def until_refused(session: Session, account_id: int) -> None:
    while account_id not in session._supervisor._probation.refused:
        await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("code", OF_ACCOUNT)
async def test_an_account_that_is_refused_takes_no_other_along_is_tried_again_and_told_of(
    tmp_path: Path, code: str
) -> None:
    async with open_connection_log(tmp_path, DEMO) as log, at_a_broker(tmp_path, log=log) as (broker, session):
        one, two = await session.authorize(1), await session.authorize(2)
        broker.refused[2] = code
        await broker.lose(2)
        await broker.peer.until(lambda: broker.auths_of(2) >= 3)
        assert session.state is SessionState.READY
        assert (await one.request(TRADER)).trader.balance == 1
        with pytest.raises(NotSent, match=code):
            await two.request(TRADER, timeout_s=0.1)
        broker.peer.hang_up()  # on a new link it is the same
        await session.wait_for(SessionState.WAITING)
        await session.wait_for(SessionState.READY)
        assert (await one.request(TRADER)).trader.balance == 1
        broker.refused.clear()
        assert (await two.request(TRADER)).trader.balance == 1
        assert broker.peer.links == 2
    assert f'state=refused why="{code}: no"' in log.path.read_text().replace("account 2 was refused: ", "")


async def test_whoever_asks_for_a_refused_account_again_has_it_tried_at_once(tmp_path: Path) -> None:
    slow = replace(QUICK, reconnect_first_s=3600, reconnect_most_s=3600)
    async with at_a_broker(tmp_path, timings=slow) as (broker, session):
        await session.authorize(1)
        two = await session.authorize(2)
        broker.refused[2] = "RET_ACCOUNT_DISABLED"
        await broker.lose(2)
        await until_refused(session, 2)
        with pytest.raises(AuthenticationFailed, match="RET_ACCOUNT_DISABLED"):
            await session.authorize(2)
        broker.refused.clear()
        await session.authorize(2)
        assert (await two.request(TRADER)).trader.balance == 1
        broker.refused[2] = "CHANNEL_IS_BLOCKED"
        await broker.lose(2)
        await until_refused(session, 2)
        broker.refused.clear()
        session.resume()
        with anyio.fail_after(10):
            assert (await two.request(TRADER)).trader.balance == 1


@pytest.mark.parametrize("code", ["RET_ACCOUNT_DISABLED", "CHANNEL_IS_BLOCKED"])
async def test_where_all_accounts_are_refused_the_session_is(tmp_path: Path, code: str) -> None:
    async with at_a_broker(tmp_path) as (broker, session):
        await session.authorize(1)
        broker.refused[1] = code
        await broker.lose(1)
        with anyio.fail_after(10):
            await session.wait_for(SessionState.REFUSED)
        assert code in session.reason
        assert broker.auths_of(1) == 2


# Losses that nobody announces


class Forgotten(Fault):
    """Everything but what authorises is answered as if a session had been lost."""

    def __init__(self, code: str, text: str) -> None:
        self.code, self.text, self.most = code, text, 10_000

    def admit(self, payload_type: int) -> None:
        if self.most and payload_type in (oa.payload_type_of(oa.ProtoOATraderReq),):
            self.most -= 1
            raise Denied(self.code, self.text, blame=Blame.SERVER)


async def test_an_application_that_the_server_has_forgotten_is_authorised_on_a_new_link(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        session = desk.session(DEMO)
        account = desk.account(DEMO)
        server.faults.inject(Forgotten("CH_CLIENT_NOT_AUTHENTICATED", "not authenticated"), client=1)
        async with session.changes() as changes:
            with pytest.raises(ServerError, match="CH_CLIENT_NOT_AUTHENTICATED"):
                await account.request(TRADER)
            with anyio.fail_after(10):
                async for change in changes:
                    if change.state is SessionState.WAITING:
                        assert "CH_CLIENT_NOT_AUTHENTICATED" in change.reason
                        break
                await session.wait_for(SessionState.READY)
        assert (await account.request(TRADER)).trader.traderLogin == account.trader_login


async def test_an_answer_that_wrongly_says_so_does_not_cost_link_after_link(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        session, account = desk.session(DEMO), desk.account(DEMO)
        server.faults.inject(Forgotten("CH_CLIENT_NOT_AUTHENTICATED", "not authenticated"))
        for _ in range(30):
            with pytest.raises((ServerError, NotSent, OutcomeUnknown)):
                await account.request(TRADER)
            await session.wait_for(SessionState.READY)
        assert server.seen.names().count("connected") <= 3


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("OA_AUTH_TOKEN_EXPIRED", "expired"),
        ("CH_ACCESS_TOKEN_INVALID", "invalid"),
        ("INVALID_REQUEST", "Trading account is NOT AUTHORIZED"),
    ],
)
async def test_an_account_whose_session_or_token_has_ended_unannounced_is_authorised_on_the_same_link(
    tmp_path: Path, code: str, text: str
) -> None:
    async with a_desk(tmp_path) as (server, desk):
        account = desk.account(DEMO)
        fault = Forgotten(code, text)
        fault.most = 1
        server.faults.inject(fault)
        with pytest.raises(ServerError, match=code):
            await account.request(TRADER)
        assert (await account.request(TRADER)).trader.traderLogin == account.trader_login
        assert len(heard(server, oa.ProtoOAAccountAuthReq)) == 2
        assert server.seen.names().count("connected") == 1


async def test_an_account_that_is_lost_with_every_request_is_authorised_ever_more_slowly() -> None:
    slow = replace(QUICK, reconnect_first_s=3600, reconnect_most_s=3600)
    async with a_server() as server, connected(server, timings=slow) as session:
        account = await session.authorize(server.account_id)
        server.faults.inject(Forgotten("ACCOUNT_NOT_AUTHORIZED", ""))
        for _ in range(12):
            with pytest.raises((ServerError, NotSent)):
                await account.request(TRADER, timeout_s=0.1)
        assert len(heard(server, oa.ProtoOAAccountAuthReq)) <= 5
        assert session.state is SessionState.RESTORING  # it is away, and the state says so


def test_waits_grow_and_end_and_a_steady_account_begins_anew() -> None:
    probation = Probation(lambda: Backoff(first_s=1.0, most_s=8.0, steady_s=60.0), steady_s=60.0)
    probation.admit(1, now_s=0.0)
    for _ in range(3):
        probation.lost(1, "gone", now_s=1.0)
    assert not probation.waits(1, now_s=1.0)
    probation.lost(1, "gone", now_s=1.0)
    assert 1.0 <= probation.next_s <= 2.0
    assert not probation.waits(1, now_s=2.0)
    probation.admit(1, now_s=2.0)
    probation.lost(1, "gone", now_s=100.0)
    assert not probation.waits(1, now_s=100.0)
    assert probation.refuse(2, ServerError("no"), now_s=0.0, least_s=50.0) >= 50.0
    assert probation.refused == {2}
    assert probation.why(2, now_s=99.0) == ": no"
    assert re.fullmatch(": no; tried again in 5[01] s", probation.why(2, now_s=0.0))
    assert probation.why(1, now_s=100.0) == ": gone"
    probation.restored(1)
    assert probation.why(1, now_s=100.0) == ""
    assert probation.waits(2, now_s=49.0)
    probation.pardon()
    assert not probation.waits(2, now_s=49.0)


def test_a_server_that_says_so_again_and_again_is_believed_ever_less_often_until_it_was_quiet() -> None:
    oblivion = Oblivion()
    assert sum(oblivion.told(now_s=second / 10) for second in range(600)) == 6
    assert oblivion.told(now_s=5_000.0)
    assert not oblivion.told(now_s=5_000.5)
    assert oblivion.told(now_s=5_001.0)
