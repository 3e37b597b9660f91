"""An account whose session ends while the link stays: what is said meanwhile, who goes on, how it comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.session import Credentials, Environment, NotSent, Session, SessionState, connect
from anyctrader.wire import Message
from anyctrader.wire import messages as oa

from .peer import Peer, listening
from .rig import CODEC, QUICK, TRANSPORT

pytestmark = [pytest.mark.anyio, pytest.mark.uvloop]

DEMO = Environment.DEMO
PATIENT = replace(QUICK, request_s=600)  # whoever waits for an answer that cannot come waits for good
CREDENTIALS = Credentials(DEMO, client_id="application", client_secret="its secret", access_token="access token")
ENDED = oa.ProtoOAAccountDisconnectEvent(ctidTraderAccountId=1)
INVALIDATED = oa.ProtoOAAccountsTokenInvalidatedEvent(ctidTraderAccountIds=[1])


def two_accounts(_: Peer, request: Any) -> Iterable[Any]:
    rows = [oa.ProtoOACtidTraderAccount(ctidTraderAccountId=id_, isLive=False, traderLogin=id_) for id_ in (1, 3)]
    return [oa.ProtoOAGetAccountListByAccessTokenRes(accessToken=request.accessToken, ctidTraderAccount=rows)]


def trader(_: Peer, request: Any) -> Iterable[Any]:
    id_ = request.ctidTraderAccountId
    row = oa.ProtoOATrader(ctidTraderAccountId=id_, balance=1, depositAssetId=1)
    return [oa.ProtoOATraderRes(ctidTraderAccountId=id_, trader=row)]


class Broker(Peer):
    """Two accounts.

    Attributes:
        holds: whether the authorisation of account 1 is not answered.
        ends_with: what follows the next answer to it in the same packet, or None.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "ProtoOAGetAccountListByAccessTokenReq": two_accounts,
                "ProtoOATraderReq": trader,
                "ProtoOAAccountAuthReq": self._authorise,
            }
        )
        self.holds = False
        self.ends_with: Any = None

    def _authorise(self, _: Peer, request: Any) -> Iterable[Any]:
        if request.ctidTraderAccountId == 1 and self.holds:
            return []
        return [oa.ProtoOAAccountAuthRes(ctidTraderAccountId=request.ctidTraderAccountId)]

    async def say(self, payload: Any, client_msg_id: str | None = None) -> None:
        of_one = isinstance(payload, oa.ProtoOAAccountAuthRes) and payload.ctidTraderAccountId == 1
        if of_one and self.ends_with is not None:
            assert self._connection is not None
            end, self.ends_with = self.ends_with, None
            both = (Message(payload, client_msg_id), Message(end))
            await self.say_bytes(b"".join(self._connection.send(message) for message in both))
        else:
            await super().say(payload, client_msg_id)

    def asked(self, name: str) -> int:
        return self.names().count(name)


@asynccontextmanager
async def at_a_broker(folder: Path) -> AsyncIterator[tuple[Broker, Session]]:
    broker = Broker()
    async with listening(broker, folder) as endpoint:
        given: Any = {"codec": CODEC, "transport": TRANSPORT, "timings": PATIENT}
        place: Any = {"host": endpoint.host, "port": endpoint.port, "ca_file": endpoint.ca_file}
        async with connect(DEMO, CREDENTIALS, **given, **place) as session:
            await session.authorize(1)
            await session.authorize(3)
            yield broker, session


async def test_a_session_one_of_whose_accounts_is_lost_is_restoring_until_it_is_back(tmp_path: Path) -> None:
    async with at_a_broker(tmp_path) as (broker, session), session.changes() as changes:
        assert (await anext(changes)).state is SessionState.READY
        broker.holds = True
        await broker.say(ENDED)
        lost = await anext(changes)
        assert (lost.state, session.state) == (SessionState.RESTORING, SessionState.RESTORING)
        assert "account 1: its session on this link has ended" in lost.reason
        await broker.until(lambda: broker.asked("ProtoOAAccountAuthReq") == 3)

        # The other one goes on, and so does what is about no account.
        session.check_ready("ProtoOANewOrderReq", 3)
        assert (await session.authorized[3].request(oa.ProtoOATraderReq())).trader.ctidTraderAccountId == 3
        assert (await session.request(oa.ProtoOAVersionReq())).version == "91"
        with pytest.raises(NotSent):
            session.check_ready("ProtoOANewOrderReq", 1)
        with pytest.raises(NotSent, match="restoring"):
            await session.authorized[1].request(oa.ProtoOATraderReq(), timeout_s=0.05)

        broker.holds = False
        await broker.say(oa.ProtoOAAccountAuthRes(ctidTraderAccountId=1), _auth_id(session))
        assert (await anext(changes)).state is SessionState.READY
        session.check_ready("ProtoOANewOrderReq", 1)
        assert broker.links == 1


def _auth_id(session: Session) -> str:
    assert session.link is not None
    (client_msg_id,) = session.link.connection.open_ids
    return client_msg_id


async def test_a_new_link_lets_nobody_trade_before_all_are_back(tmp_path: Path) -> None:
    async with at_a_broker(tmp_path) as (broker, session):
        broker.holds = True
        broker.hang_up()
        await session.wait_for(SessionState.WAITING)
        await session.wait_for(SessionState.RESTORING)
        await broker.until(lambda: broker.asked("ProtoOAAccountAuthReq") == 4)
        for account_id in (1, 3):
            with pytest.raises(NotSent, match="restoring"):
                session.check_ready("ProtoOANewOrderReq", account_id)


@pytest.mark.parametrize("end", [ENDED, INVALIDATED], ids=lambda end: type(end).__name__)
@pytest.mark.parametrize("where", ["on the same link", "on a new link", "as a caller asks for it"])
async def test_an_end_right_behind_the_authorisation_is_heard(tmp_path: Path, end: Any, where: str) -> None:
    async with at_a_broker(tmp_path) as (broker, session):
        roster = session._supervisor._roster
        before = broker.asked("ProtoOAAccountAuthReq")
        if where == "as a caller asks for it":
            for known in (roster.accounts, roster.usable, roster.restored):
                known.pop(1) if isinstance(known, dict) else known.discard(1)
            broker.ends_with = end
            await session.authorize(1)
        elif where == "on a new link":
            broker.ends_with = end
            broker.hang_up()
            await session.wait_for(SessionState.WAITING)
        else:
            broker.ends_with = end
            await broker.say(ENDED)
            await session.wait_for(SessionState.RESTORING)
        with anyio.fail_after(5):
            await session.wait_for(SessionState.READY)
            assert (await session.authorized[1].request(oa.ProtoOATraderReq())).trader.ctidTraderAccountId == 1
        accounts = 3 if where == "on a new link" else 2
        assert broker.asked("ProtoOAAccountAuthReq") == before + accounts
        assert broker.links == (2 if where == "on a new link" else 1)
