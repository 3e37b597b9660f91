"""One attempt to bring an account back, whoever wants it back; and a state that says so until it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.session import Mode, NotSent, OutcomeUnknown, Session, SessionState
from anyctrader.session.audit import open_audit
from anyctrader.wire import messages as oa

from .rig import QUICK
from .test_accounts_apart import Broker, at_a_broker, until_refused
from .test_comeback import ORDER, Unequal, two_that_trade, until_it_may_trade

pytestmark = [pytest.mark.anyio, pytest.mark.uvloop]

# What is not answered is not answered, and whoever is to be left alone is left alone, for longer than a test.
PATIENT = replace(QUICK, request_s=600, reconnect_first_s=3600, reconnect_most_s=3600)
WITHIN_S = 10.0
AUTH, RECONCILE = "ProtoOAAccountAuthReq", "ProtoOAReconcileReq"
OWN_AUTH = oa.ProtoOAAccountAuthReq(ctidTraderAccountId=1, accessToken="c")


def reconciles_of(broker: Broker, account_id: int) -> int:
    asked = (each for each in broker.peer.heard if isinstance(each, oa.ProtoOAReconcileReq))
    return sum(each.ctidTraderAccountId == account_id for each in asked)


async def answer(broker: Broker, session: Session, payload: Any) -> None:
    """What the server has kept to itself till now."""
    assert session.link is not None
    (client_msg_id,) = session.link.connection.open_ids
    await broker.peer.say(payload, client_msg_id)


async def until_restored(session: Session, account_id: int, *, it_is: bool = True) -> None:
    while (account_id in session._supervisor._roster.restored) is not it_is:
        await anyio.lowlevel.checkpoint()


@asynccontextmanager
async def away(folder: Path) -> AsyncIterator[tuple[Broker, Unequal, Session]]:
    """Two accounts, the first of which the server does not let in, and which is left alone for long."""
    async with two_that_trade(folder, timings=PATIENT) as (broker, unequal, session):
        unequal.of[AUTH] = "CANT_ROUTE_REQUEST"
        await broker.lose(1)
        with anyio.fail_after(WITHIN_S):
            await until_refused(session, 1)
        del unequal.of[AUTH]
        yield broker, unequal, session


async def on_a_new_link(broker: Broker, session: Session) -> None:
    broker.peer.hang_up()
    await session.wait_for(SessionState.WAITING)
    session.resume()


@pytest.mark.parametrize("how", ["cancelled", "out of time"])
async def test_an_account_whose_authorisation_a_caller_gives_up_is_lost_and_authorised_again(
    tmp_path: Path, how: str
) -> None:
    async with two_that_trade(tmp_path, timings=PATIENT) as (broker, unequal, session), session.changes() as changes:
        assert (await anext(changes)).state is SessionState.READY
        unequal.of[AUTH] = None

        async def give_up(scope: anyio.CancelScope) -> None:
            with anyio.fail_after(WITHIN_S):
                await broker.peer.until(lambda: broker.auths_of(1) == 2)
            unequal.of.clear()
            if how == "cancelled":
                scope.cancel()

        async with anyio.create_task_group() as tasks:
            scope = anyio.CancelScope()
            tasks.start_soon(give_up, scope)
            with scope:
                if how == "cancelled":
                    await session.request(OWN_AUTH)
                with pytest.raises(OutcomeUnknown):
                    await session.request(OWN_AUTH, timeout_s=0.2)
        with anyio.fail_after(WITHIN_S):
            lost = await anext(changes)
            assert lost.state is SessionState.RESTORING
            assert "account 1: its session on this link has ended: nobody waits any more for" in lost.reason
            assert (await anext(changes)).state is SessionState.READY
        session.check_ready(ORDER, 1)
        assert (await session.authorized[1].request(oa.ProtoOATraderReq())).trader.balance == 1
        assert (broker.auths_of(1), broker.peer.links) == (3, 1)


async def test_a_fault_of_ours_about_it_costs_the_link_and_reaches_no_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with two_that_trade(tmp_path) as (broker, unequal, session):

        def fails(*_: object, **__: object) -> float:
            raise ZeroDivisionError

        with monkeypatch.context() as patched:
            patched.setattr(session._supervisor._probation, "lost", fails)
            unequal.of[AUTH] = None
            with anyio.move_on_after(0.1) as scope:
                await session.request(OWN_AUTH)
            assert scope.cancelled_caught
            unequal.of.clear()
            with anyio.fail_after(WITHIN_S):
                await broker.peer.until(lambda: broker.peer.links == 2)
        await until_it_may_trade(session, 1)


async def test_who_asks_for_an_account_that_the_session_is_bringing_back_waits_for_that(tmp_path: Path) -> None:
    async with away(tmp_path) as (broker, unequal, session):
        asked, read = broker.auths_of(1), reconciles_of(broker, 1)
        unequal.of[AUTH] = None
        session.resume()
        with anyio.fail_after(WITHIN_S):
            await broker.peer.until(lambda: broker.auths_of(1) == asked + 1)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(session.authorize, 1)
                await anyio.wait_all_tasks_blocked()
                await session.request(oa.ProtoOAVersionReq())  # what was asked before that was heard before it
                assert broker.auths_of(1) == asked + 1
                await answer(broker, session, oa.ProtoOAAccountAuthRes(ctidTraderAccountId=1))
        session.check_ready(ORDER, 1)
        assert (broker.auths_of(1), reconciles_of(broker, 1)) == (asked + 1, read + 1)


async def test_who_waits_for_the_sessions_own_attempt_is_told_why_it_fails(tmp_path: Path) -> None:
    async with away(tmp_path) as (broker, unequal, session):
        asked = broker.auths_of(1)
        unequal.of[AUTH] = None
        session.resume()
        with anyio.fail_after(WITHIN_S):
            await broker.peer.until(lambda: broker.auths_of(1) == asked + 1)
            async with anyio.create_task_group() as tasks:

                async def refused() -> None:
                    with pytest.raises(Exception, match="CH_SERVER_NOT_REACHABLE"):
                        await session.authorize(1)

                tasks.start_soon(refused)
                await anyio.wait_all_tasks_blocked()
                await answer(broker, session, oa.ProtoOAErrorRes(errorCode="CH_SERVER_NOT_REACHABLE"))
        assert broker.auths_of(1) == asked + 1


async def test_the_session_leaves_an_account_to_who_has_asked_for_it_and_goes_on_where_they_stop(
    tmp_path: Path,
) -> None:
    async with away(tmp_path) as (broker, unequal, session):
        asked = broker.auths_of(1)
        unequal.of[AUTH] = None
        with anyio.fail_after(WITHIN_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(session.authorize, 1)
                await broker.peer.until(lambda: broker.auths_of(1) == asked + 1)
                session.resume()
                await anyio.wait_all_tasks_blocked()
                await session.request(oa.ProtoOAVersionReq())
                assert broker.auths_of(1) == asked + 1
                unequal.of.clear()
                tasks.cancel_scope.cancel()
            await until_it_may_trade(session, 1)
        assert broker.auths_of(1) == asked + 2


async def test_who_asks_for_an_account_that_is_lost_meanwhile_has_it_restored_when_told_so(tmp_path: Path) -> None:
    async with away(tmp_path) as (broker, unequal, session):
        asked, read = broker.auths_of(1), reconciles_of(broker, 1)
        unequal.of[RECONCILE] = None
        with anyio.fail_after(WITHIN_S):
            async with anyio.create_task_group() as tasks:

                async def lose() -> None:
                    await broker.peer.until(lambda: reconciles_of(broker, 1) == read + 1)
                    unequal.of.clear()
                    await broker.lose(1)

                tasks.start_soon(lose)
                await session.authorize(1)
                session.check_ready(ORDER, 1)
        assert (broker.auths_of(1), reconciles_of(broker, 1)) == (asked + 2, read + 2)


async def test_who_asks_for_an_account_whose_link_ends_is_told_so_and_asks_nothing_on_the_next(tmp_path: Path) -> None:
    async with away(tmp_path) as (broker, unequal, session):
        read = reconciles_of(broker, 1)
        unequal.of[RECONCILE] = None
        with anyio.fail_after(WITHIN_S):
            async with anyio.create_task_group() as tasks:

                async def end() -> None:
                    await broker.peer.until(lambda: reconciles_of(broker, 1) == read + 1)
                    await on_a_new_link(broker, session)

                tasks.start_soon(end)
                with pytest.raises((NotSent, OutcomeUnknown)):
                    await session.authorize(1)
            await broker.peer.until(lambda: reconciles_of(broker, 1) == read + 2)
            await answer(broker, session, oa.ProtoOAReconcileRes(ctidTraderAccountId=1))
            await until_it_may_trade(session, 1)
        assert (reconciles_of(broker, 1), broker.peer.links) == (read + 2, 2)


async def test_an_account_that_was_let_in_for_a_caller_who_is_gone_is_restored_and_told_of_meanwhile(
    tmp_path: Path,
) -> None:
    async with (
        open_audit(tmp_path / "log") as audit,
        at_a_broker(tmp_path, timings=PATIENT, trading=Mode.ON, audit=audit) as (broker, session),
        session.changes() as changes,
    ):
        unequal = Unequal(broker)
        await session.authorize(2)
        assert (await anext(changes)).state is SessionState.READY
        unequal.of[RECONCILE] = None
        with anyio.fail_after(WITHIN_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(session.authorize, 1)
                await broker.peer.until(lambda: reconciles_of(broker, 1) == 1)
                tasks.cancel_scope.cancel()
            change = await anext(changes)
            assert (change.state, session.state) == (SessionState.RESTORING, SessionState.RESTORING)
            assert "account 1: it is authorised" in change.reason
            session.check_ready(ORDER, 2)
            await broker.peer.until(lambda: reconciles_of(broker, 1) == 2)
            await answer(broker, session, oa.ProtoOAReconcileRes(ctidTraderAccountId=1))
            assert (await anext(changes)).state is SessionState.READY
        session.check_ready(ORDER, 1)
        assert broker.auths_of(1) == 1


async def test_an_account_that_is_lost_while_another_comes_back_is_not_kept_waiting_and_no_session_is_ready_without_it(
    tmp_path: Path,
) -> None:
    async with two_that_trade(tmp_path, timings=PATIENT) as (broker, unequal, session):
        unequal.of[RECONCILE] = None
        with anyio.fail_after(WITHIN_S):
            await on_a_new_link(broker, session)
            await broker.peer.until(lambda: reconciles_of(broker, 1) == 2)
            await broker.peer.until(lambda: broker.auths_of(2) == 2)
            await until_restored(session, 2)
            await broker.lose(2)
            await broker.peer.until(lambda: broker.auths_of(2) == 3)
            assert session.state is SessionState.RESTORING
            await until_restored(session, 2)
            await answer(broker, session, oa.ProtoOAReconcileRes(ctidTraderAccountId=1))
            await session.wait_for(SessionState.READY)
        assert session.reason == "ready"
        session.check_ready(ORDER, 1)
        session.check_ready(ORDER, 2)


async def test_a_session_is_not_ready_while_one_that_was_lost_again_and_again_is_left_alone_but_serves_the_others(
    tmp_path: Path,
) -> None:
    async with two_that_trade(tmp_path, timings=PATIENT) as (broker, unequal, session), session.changes() as changes:
        unequal.of[RECONCILE] = None
        with anyio.fail_after(WITHIN_S):
            await on_a_new_link(broker, session)
            for _ in range(4):
                await until_restored(session, 2)
                await broker.lose(2)
                await until_restored(session, 2, it_is=False)
            await answer(broker, session, oa.ProtoOAReconcileRes(ctidTraderAccountId=1))
            async for change in changes:
                if "account 2 is not back yet: its session on this link has ended" in change.reason:
                    break
            assert session.state is SessionState.RESTORING
            session.check_ready(ORDER, 1)
            assert (await session.request(oa.ProtoOAVersionReq())).version == "91"
            with pytest.raises(NotSent, match="account 2 is not restored just now"):
                session.check_ready(ORDER, 2)
            session.resume()
            await session.wait_for(SessionState.READY)
        session.check_ready(ORDER, 2)
