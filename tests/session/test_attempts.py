"""One attempt to bring an account back, whoever wants it back; and a state that says so until it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.session import OutcomeUnknown, Session, SessionState
from anyctrader.wire import messages as oa

from .rig import QUICK
from .test_accounts_apart import Broker, until_refused
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
