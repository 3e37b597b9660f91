"""Renewals that the server takes its time over, and pairs that do not last: neither costs a good pair."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import AnswerVariants, FakeServer, TokenPolicy, faults
from anyctrader.fake.choices import RefreshEffect
from anyctrader.fake.tokens import OldAccess
from anyctrader.session import Environment, Secret, Session, SessionState, clock, renewal, respite
from anyctrader.session.token_store import StoredPair, TokenPair, TokenStore
from anyctrader.wire import messages as oa

from .rig import QUICK, a_server, connected, credentials_of, heard

pytestmark = [pytest.mark.anyio, pytest.mark.uvloop]

DEMO = Environment.DEMO
SHORT = replace(QUICK, request_s=1)
ANSWER = "ProtoOARefreshTokenRes"


def near_its_end(server: FakeServer) -> StoredPair:
    """The server's newest pair, as a store has it that is to be renewed at once, a day ahead of its end."""
    now_ms = clock.utc_ms()
    return StoredPair(
        client_id=server.client_id,
        user_id=777,
        account_ids=tuple(sorted(each.account_id for each in server.accounts)),
        pair=TokenPair(
            access_token=Secret(server.access_token),
            refresh_token=Secret(server.refresh_token),
            issued_at_ms=now_ms - 86_400_000 * 30,
            expires_at_ms=now_ms + 86_400_000,
        ),
    )


@asynccontextmanager
async def a_session(server: FakeServer, folder: Path, **given: Any) -> AsyncIterator[Session]:
    given.setdefault("credentials", credentials_of(server, refresh_token=server.refresh_token))
    given.setdefault("timings", SHORT)
    async with connected(server, token_folder=folder, **given) as session:
        yield session


def refreshes(server: FakeServer) -> int:
    return len(heard(server, oa.ProtoOARefreshTokenReq))


def kept(folder: Path) -> Secret:
    return TokenStore(folder, DEMO).read()[0].pair.access_token


def end_access(server: FakeServer) -> None:
    """The access token is revoked, and its accounts' sessions end; the refresh token is good."""
    server.directory.retire(server.directory.grants[-1])


async def until(states: list[SessionState], wanted: SessionState, session: Session) -> None:
    """Collects the states that the session goes through, up to the next of this kind."""
    async with session.changes() as changes:
        first = True
        async for change in changes:
            states.append(change.state)
            if change.state is wanted and not first:
                return
            first = False


# Slow answers


async def test_a_renewal_that_is_answered_late_on_a_link_that_lives_is_waited_for_and_stored(tmp_path: Path) -> None:
    async with a_server() as server, a_session(server, tmp_path) as session:
        account = await session.authorize(server.account_id)
        with server.faults.inject(faults.Late(2, which=ANSWER)):
            states: list[SessionState] = []
            with anyio.fail_after(20):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(until, states, SessionState.READY, session)
                    await anyio.wait_all_tasks_blocked()
                    end_access(server)
        assert set(states) == {SessionState.READY, SessionState.RESTORING}
        assert (await account.request(oa.ProtoOATraderReq())).trader.traderLogin
        assert kept(tmp_path) == Secret(server.access_token)
        assert refreshes(server) == 1
        assert server.seen.names().count("connected") == 1


async def test_a_slow_renewal_ahead_of_the_end_makes_no_session_refused_though_the_old_token_is_dead(
    tmp_path: Path,
) -> None:
    async with a_server(tokens=TokenPolicy(old_access=OldAccess.DEAD)) as server:
        TokenStore(tmp_path, DEMO).save(near_its_end(server))
        with server.faults.inject(faults.Late(2, which=ANSWER)):
            async with a_session(server, tmp_path) as session:
                account = await session.authorize(server.account_id)
                states: list[SessionState] = []
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(until, states, SessionState.WAITING, session)
                    await server.wait_for("ProtoOARefreshTokenReq")
                    with anyio.fail_after(20):
                        await server.wait_for(with_the_newest(server))
                        assert (await account.request(oa.ProtoOATraderReq())).trader.traderLogin
                        await session.wait_for(SessionState.READY)
                    tasks.cancel_scope.cancel()
                assert set(states) <= {SessionState.READY, SessionState.RESTORING}
                assert kept(tmp_path) == Secret(server.access_token)
        assert refreshes(server) == 1
        assert server.seen.names().count("connected") == 1


@pytest.mark.parametrize("given_up", [False, True], ids=["waited for", "given up"])
async def test_while_a_renewal_is_late_the_old_token_serves_where_it_is_good_and_the_answer_counts_when_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given_up: bool
) -> None:
    variants = AnswerVariants(refresh_effect=RefreshEffect.NONE)
    if given_up:
        monkeypatch.setattr(renewal, "_GIVE_UP_S", 0.3)
    timings = replace(SHORT, request_s=0.8)
    async with a_server(variants=variants, tokens=TokenPolicy(old_access=OldAccess.ALIVE)) as server:
        TokenStore(tmp_path, DEMO).save(near_its_end(server))
        with server.faults.inject(faults.Late(2.5, which=ANSWER)):
            async with a_session(server, tmp_path, timings=timings) as session:
                await server.wait_for("ProtoOARefreshTokenReq")
                with anyio.fail_after(20):
                    account = await session.authorize(server.account_id)
                    await session.wait_for(SessionState.READY)
                    assert (await account.request(oa.ProtoOATraderReq())).trader.traderLogin
                    assert kept(tmp_path) != Secret(server.access_token)  # it has not come yet
                    await server.wait_for(with_the_newest(server))
                    assert kept(tmp_path) == Secret(server.access_token)
        assert refreshes(server) == 1
        assert server.seen.names().count("connected") == 1


def with_the_newest(server: FakeServer) -> Any:
    def fits(seen: Any) -> bool:
        auth = isinstance(seen.message, oa.ProtoOAAccountAuthReq)
        return bool(auth and seen.message.accessToken == server.access_token)

    return fits


async def test_the_lock_of_the_token_file_is_free_again_once_an_answer_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewal, "_GIVE_UP_S", 0.3)
    async with a_server(tokens=TokenPolicy(old_access=OldAccess.ALIVE)) as server:
        store = TokenStore(tmp_path, DEMO)
        store.save(near_its_end(server))
        with server.faults.inject(faults.Unanswering(ANSWER)):
            async with a_session(server, tmp_path, timings=replace(SHORT, request_s=0.6)) as session:
                await server.wait_for("ProtoOARefreshTokenReq")
                with anyio.fail_after(20):
                    while (taken := store.lock()) is None:  # noqa: ASYNC110 - another task's, in a file
                        await anyio.sleep(0.01)
                    store.unlock(taken)
                    await session.wait_for(SessionState.READY)
        assert server.seen.names().count("connected") == 1


async def test_who_leaves_while_an_answer_is_late_does_not_lose_it(tmp_path: Path) -> None:
    async with a_server() as server:
        TokenStore(tmp_path, DEMO).save(near_its_end(server))
        with server.faults.inject(faults.Late(1.6, which=ANSWER)):
            async with a_session(server, tmp_path, timings=replace(SHORT, request_s=0.6)):
                await server.wait_for("ProtoOARefreshTokenReq")
                await anyio.sleep(0.7)  # its time goes by
        assert kept(tmp_path) == Secret(server.access_token)
        assert server.violations == ()


async def test_a_token_that_is_refused_while_a_renewal_is_held_back_for_its_rate_refuses_no_session(
    tmp_path: Path,
) -> None:
    async with a_server() as server:
        TokenStore(tmp_path, DEMO).save(near_its_end(server))
        with server.faults.inject(faults.Blocked(oa.ProtoOARefreshTokenReq, retry_after_s=30)):
            async with a_session(server, tmp_path) as session:
                await server.wait_for("ProtoOARefreshTokenReq")
                await session.authorize(server.account_id)
                await session.wait_for(SessionState.READY)
                end_access(server)
                with anyio.fail_after(20):
                    state = await session.wait_for(SessionState.WAITING, SessionState.REFUSED)
                assert state is SessionState.WAITING
                assert "BLOCKED_PAYLOAD_TYPE" in session.reason
        assert refreshes(server) == 1


# Pairs that do not last


async def test_a_pair_that_is_invalidated_soon_after_its_renewal_is_renewed_once_more_at_once(tmp_path: Path) -> None:
    async with a_server() as server, a_session(server, tmp_path) as session:
        account = await session.authorize(server.account_id)
        for times in (1, 2):
            states: list[SessionState] = []
            with anyio.fail_after(20):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(until, states, SessionState.READY, session)
                    await anyio.wait_all_tasks_blocked()
                    end_access(server)
            assert set(states) == {SessionState.READY, SessionState.RESTORING}
            assert refreshes(server) == times
        assert (await account.request(oa.ProtoOATraderReq())).trader.traderLogin
        assert server.seen.names().count("connected") == 1


async def test_pairs_that_are_invalidated_again_and_again_are_left_alone_for_a_while_and_then_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(respite, "_FIRST_S", 0.4)
    async with a_server() as server, a_session(server, tmp_path) as session:
        await session.authorize(server.account_id)
        for _ in range(2):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(until, [], SessionState.READY, session)
                await anyio.wait_all_tasks_blocked()
                end_access(server)
        end_access(server)
        with anyio.fail_after(20):
            await session.wait_for(SessionState.WAITING)
            assert "soon after it was renewed" in session.reason
            assert refreshes(server) == 2
            await session.wait_for(SessionState.READY)
        assert refreshes(server) == 3
        assert kept(tmp_path) == Secret(server.access_token)


@pytest.mark.parametrize("issued_s", [-5, 3600], ids=["just now", "in the future"])
async def test_a_stored_pair_is_renewed_whatever_a_clock_says_of_its_age(tmp_path: Path, issued_s: int) -> None:
    async with a_server() as server:
        row = near_its_end(server)
        now_ms = clock.utc_ms()
        pair = replace(row.pair, issued_at_ms=now_ms + issued_s * 1000, expires_at_ms=now_ms + 86_400_000 * 30)
        TokenStore(tmp_path, DEMO).save(replace(row, pair=pair))
        end_access(server)
        async with a_session(server, tmp_path) as session:
            assert session.state is SessionState.READY
        assert refreshes(server) == 1
