"""An account whose session ends while the link stays: what is said meanwhile, who goes on, how it comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.session import (
    Credentials,
    Environment,
    NotSent,
    OutcomeUnknown,
    Session,
    SessionState,
    connect,
    open_connection_log,
)
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
async def at_a_broker(folder: Path, **more: Any) -> AsyncIterator[tuple[Broker, Session]]:
    broker = Broker()
    async with listening(broker, folder) as endpoint:
        given: Any = {"codec": CODEC, "transport": TRANSPORT, "timings": PATIENT} | more
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
        with pytest.raises(NotSent, match="account 1 is away just now: its session on this link has ended"):
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


SAID = "bye\n2026 demo state=ready \x1b[31m access token, its secret \u2028" + "x" * 1000
ENDS: dict[str, tuple[Any, str]] = {
    "disconnected": (ENDED, "the server disconnected the account"),
    "invalidated": (
        oa.ProtoOAAccountsTokenInvalidatedEvent(ctidTraderAccountIds=[1], reason=SAID),
        r"the server invalidated its token: bye\n2026 demo state=ready \x1b[31m ***, *** \u2028xxx",
    ),
    "unannounced": (
        oa.ProtoOAErrorRes(errorCode="ACCOUNT_NOT_AUTHORIZED", ctidTraderAccountId=1, description=SAID),
        r"not announced, an answer says ACCOUNT_NOT_AUTHORIZED: bye\n2026",
    ),
}


@pytest.mark.parametrize("end", ENDS)
async def test_what_ended_the_session_of_an_account_is_told_in_the_state_and_the_log(tmp_path: Path, end: str) -> None:
    event, told = ENDS[end]
    async with (
        open_connection_log(tmp_path, DEMO) as log,
        at_a_broker(tmp_path, log=log) as (broker, session),
        session.changes() as changes,
    ):
        await anext(changes)
        await broker.say(event)
        change = await anext(changes)
        assert change.state is SessionState.RESTORING
        assert f"account 1: its session on this link has ended: {told}" in change.reason
        assert len(change.reason) < 500
        for secret in ("access token", "its secret"):
            assert secret not in change.reason
        assert (await anext(changes)).state is SessionState.READY
    (line,) = [line for line in log.path.read_text().splitlines() if "state=lost" in line]
    assert told in line
    assert "access token" not in line


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


async def test_the_end_of_a_link_is_told_before_its_good_bye_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anyctrader.session.link._GOODBYE_S", 60.0)
    more_than_fits = oa.ProtoOASubscribeSpotsReq(ctidTraderAccountId=3, symbolId=range(2_000_000))
    timings = replace(PATIENT, write_s=0.3)
    async with at_a_broker(tmp_path, timings=timings) as (broker, session), anyio.create_task_group() as tasks:

        async def fill() -> None:
            with pytest.raises(OutcomeUnknown):
                await session.authorized[3].request(more_than_fits)

        broker.reading = anyio.Event()  # it takes nothing more, the good-bye neither
        for _ in range(8):
            tasks.start_soon(fill)
        with anyio.fail_after(10):
            await session.wait_for(SessionState.WAITING)
        assert "a write did not finish" in session.reason
        with pytest.raises(NotSent, match="waiting"):
            session.check_ready("ProtoOANewOrderReq", 3)
        broker.reading.set()
