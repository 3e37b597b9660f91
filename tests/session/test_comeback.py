"""Accounts that come back each by itself: what the server does not give one of them keeps no other away."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.session import (
    Environment,
    LimitOrder,
    MarketOrder,
    Mode,
    NotSent,
    OrderState,
    Session,
    SessionState,
    Side,
)
from anyctrader.session.audit import open_audit
from anyctrader.wire import messages as oa

from .peer import Peer
from .rig import EURUSD, QUICK, a_desk
from .test_accounts_apart import TRADER, Broker, at_a_broker, until_refused

pytestmark = [pytest.mark.anyio, pytest.mark.uvloop]

SOON = replace(QUICK, request_s=1.0)
ORDER = "ProtoOANewOrderReq"
DEMO = Environment.DEMO


class Unequal:
    """What the server does not do for account 1, by request name: the code that it answers, or None for no answer."""

    def __init__(self, broker: Broker) -> None:
        self.of: dict[str, str | None] = {}
        self.retry_after_s = 0
        empty = (oa.ProtoOAReconcileRes, oa.ProtoOASymbolsListRes, oa.ProtoOACashFlowHistoryListRes)
        for kind in empty:
            broker.peer.answers[kind.__name__.replace("Res", "Req")] = self._empty(kind)
        broker.peer.answers["ProtoOADealListReq"] = lambda _, request: [
            oa.ProtoOADealListRes(ctidTraderAccountId=request.ctidTraderAccountId, hasMore=False)
        ]
        broker.peer.answers["ProtoOAOrderListReq"] = lambda _, request: [
            oa.ProtoOAOrderListRes(ctidTraderAccountId=request.ctidTraderAccountId, hasMore=False)
        ]
        for name, answer in list(broker.peer.answers.items()):
            broker.peer.answers[name] = self._unequal(name, answer)

    def _empty(self, kind: Any) -> Any:
        return lambda _, request: [kind(ctidTraderAccountId=request.ctidTraderAccountId)]

    def _unequal(self, name: str, answer: Any) -> Any:
        def answered(peer: Peer, request: Any) -> Iterable[Any]:
            if name not in self.of or request.ctidTraderAccountId != 1:
                return answer(peer, request)  # type: ignore[no-any-return]
            if (code := self.of[name]) is None:
                return []
            error = oa.ProtoOAErrorRes(errorCode=code, description="no")
            if self.retry_after_s:
                error.retryAfter = self.retry_after_s
            return [error]

        return answered


@asynccontextmanager
async def two_that_trade(folder: Path, **given: Any) -> AsyncIterator[tuple[Broker, Unequal, Session]]:
    async with (
        open_audit(folder / "log") as audit,
        at_a_broker(folder, **({"timings": SOON} | given), trading=Mode.ON, audit=audit) as (broker, session),
    ):
        unequal = Unequal(broker)
        await session.authorize(1)
        await session.authorize(2)
        yield broker, unequal, session


async def until_it_may_trade(session: Session, account_id: int) -> None:
    with anyio.fail_after(10):
        while True:
            try:
                return session.check_ready(ORDER, account_id)
            except NotSent:
                await anyio.sleep(0.01)


@pytest.mark.parametrize("how", ["CH_SERVER_NOT_REACHABLE", "UNKNOWN_ERROR", None])
@pytest.mark.parametrize("where", ["on the same link", "on a new link"])
async def test_an_account_whose_books_are_not_given_stays_away_alone_and_comes_back(
    tmp_path: Path, how: str | None, where: str
) -> None:
    async with two_that_trade(tmp_path) as (broker, unequal, session):
        unequal.of["ProtoOAReconcileReq"] = how
        if where == "on a new link":
            broker.peer.hang_up()
            await session.wait_for(SessionState.WAITING)
        else:
            await broker.lose(1)
        with anyio.fail_after(10):
            await until_refused(session, 1)
            await session.wait_for(SessionState.READY)
        links = broker.peer.links
        before = len(broker.peer.heard)
        await broker.peer.until(lambda: broker.peer.names()[before:].count("ProtoOAReconcileReq") >= 2)
        session.check_ready(ORDER, 2)
        assert (await session.authorized[2].request(TRADER)).trader.balance == 1
        assert (await session.authorized[1].request(TRADER)).trader.balance == 1  # it is authorised
        with pytest.raises(NotSent, match=how or "not answered"):
            session.check_ready(ORDER, 1)
        unequal.of.clear()
        await until_it_may_trade(session, 1)
        assert broker.peer.links == links


@pytest.mark.parametrize("how", ["BLOCKED_PAYLOAD_TYPE", "REQUEST_FREQUENCY_EXCEEDED", None])
async def test_an_authorisation_that_is_not_given_now_leaves_the_link_and_the_others_alone(
    tmp_path: Path, how: str | None
) -> None:
    async with two_that_trade(tmp_path) as (broker, unequal, session):
        unequal.of["ProtoOAAccountAuthReq"] = how
        unequal.retry_after_s = 1
        await broker.lose(1)
        await broker.peer.until(lambda: broker.auths_of(1) >= 2)
        session.check_ready(ORDER, 2)
        with anyio.fail_after(10):
            await until_refused(session, 1)
        assert session.state is SessionState.READY
        session.check_ready(ORDER, 2)
        asked = broker.auths_of(1)
        with pytest.raises(NotSent, match=how or "not answered"):
            await session.authorized[1].request(TRADER, timeout_s=0.05)
        if how is not None:
            assert broker.auths_of(1) == asked  # the type is held back
        unequal.of.clear()
        await until_it_may_trade(session, 1)
        assert (broker.peer.links, broker.auths_of(2)) == (1, 1)


async def test_on_a_new_link_an_authorisation_that_is_not_answered_keeps_the_others_waiting_once(
    tmp_path: Path,
) -> None:
    async with two_that_trade(tmp_path) as (broker, unequal, session):
        unequal.of["ProtoOAAccountAuthReq"] = None
        for links in (2, 3):
            broker.peer.hang_up()
            with anyio.fail_after(10):
                await session.wait_for(SessionState.WAITING)
                await session.wait_for(SessionState.READY)
            session.check_ready(ORDER, 2)
            assert broker.peer.links == links
        # Known to be away, it holds up nobody: not even the answer to this one has to be waited for.
        await broker.peer.until(lambda: broker.auths_of(1) >= 3)


async def test_what_speaks_of_the_application_ends_the_link_though_one_account_asked(tmp_path: Path) -> None:
    async with two_that_trade(tmp_path) as (broker, unequal, session):
        unequal.of["ProtoOAReconcileReq"] = "CH_CLIENT_NOT_AUTHENTICATED"
        async with session.changes() as changes:
            await broker.lose(1)
            with anyio.fail_after(10):
                async for change in changes:
                    if change.state is SessionState.WAITING:
                        break
            assert "CH_CLIENT_NOT_AUTHENTICATED" in change.reason


@pytest.mark.parametrize("code", ["CH_SERVER_NOT_REACHABLE", "RET_ACCOUNT_DISABLED"])
async def test_where_no_account_is_left_the_link_ends_and_is_tried_again_if_any_may_come_back(
    tmp_path: Path, code: str
) -> None:
    async with two_that_trade(tmp_path) as (broker, unequal, session):
        unequal.of["ProtoOAReconcileReq"] = "UNKNOWN_ERROR"
        await broker.lose(1)
        with anyio.fail_after(10):
            await until_refused(session, 1)
            broker.refused[2] = code
            await broker.lose(2)
            await session.wait_for(SessionState.WAITING)  # and not REFUSED: account 1 may be given its books again
            unequal.of.clear()
            await session.wait_for(SessionState.READY)
        await until_it_may_trade(session, 1)
        assert broker.peer.links >= 2


# One that is left alone


async def test_an_account_that_is_left_alone_is_told_with_the_wait_and_is_not_believed_in_meanwhile(
    tmp_path: Path,
) -> None:
    slow = replace(QUICK, reconnect_first_s=3600, reconnect_most_s=3600)
    async with a_desk(tmp_path, timings=slow) as (server, desk):
        session, account = desk.session(DEMO), desk.account(DEMO)
        filled = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.01"))
        await filled.filled()
        limit = await desk.place(DEMO, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="0.5"))
        await limit.accepted()
        async with account.spots("EURUSD") as spots:
            await anext(spots)
            async with session.changes() as changes:
                for _ in range(4):  # three of them cost no wait
                    with anyio.fail_after(10):
                        await session.wait_for(SessionState.READY)
                        server.disconnect_account(account.id)
                        await session.wait_for(SessionState.RESTORING)
                reasons = [(await anext(changes)).reason for _ in range(8)]
            wait = re.search(r"lost again and again, it is tried again in ([0-9]+) s$", reasons[-1])
            assert wait is not None
            assert 0 < int(wait[1]) <= 3600
            assert not any("tried again" in reason for reason in reasons[:-1])
            assert limit.state is OrderState.UNKNOWN
            assert account.board.last(EURUSD) is None
            with pytest.raises(NotSent, match=r"disconnected the account; tried again in [0-9]+ s"):
                await desk.close(DEMO, filled.position_id or 0)
            with pytest.raises(NotSent, match=r"is away just now.*disconnected the account; tried again in [0-9]+ s"):
                await account.request(TRADER, timeout_s=0.05)
    told = (tmp_path / "demo_connection.log").read_text().splitlines()
    waits = ["again_s=" in line for line in told if "state=lost" in line]
    assert waits == [False, False, False, True]
