"""A renewed pair that the disk does not take: told, tried until it lies there, and given up only by who leaves."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from anyctrader.fake import FakeServer, faults
from anyctrader.fake.tokens import TokenScope
from anyctrader.session import Environment, NotSent, Secret, Session, SessionState, clock, open_connection_log, rotation
from anyctrader.session.disk import Disk
from anyctrader.session.token_store import StoredPair, TokenPair, TokenStore
from anyctrader.wire import messages as oa

from .rig import a_server, connected, credentials_of, heard

pytestmark = [pytest.mark.anyio, pytest.mark.uvloop]

DEMO = Environment.DEMO
TRADER = oa.ProtoOATraderReq()


class FullDisk:
    """Takes no token file from the moment that a pair is renewed, until there is room again."""

    def __init__(self, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room = False
        self.refused = 0
        self.answers = threading.Event()
        self.answers.set()
        rename = Disk.rename

        def rename_or_not(disk: Disk, path: Path, to: Path) -> None:
            assert self.answers.wait(30)
            if not self.room and heard(server, oa.ProtoOARefreshTokenReq):
                self.refused += 1
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            rename(disk, path, to)

        monkeypatch.setattr(Disk, "rename", rename_or_not)
        monkeypatch.setattr(rotation, "_SAVE_FIRST_S", 0.01)
        monkeypatch.setattr(rotation, "_SAVE_MOST_S", 0.02)

    async def until_refused(self, times: int) -> None:
        while self.refused < times:  # noqa: ASYNC110 - it is counted in threads
            await anyio.sleep(0.005)


def stored(server: FakeServer) -> StoredPair:
    """Its end is near: it is renewed at once."""
    now_ms = clock.utc_ms()
    pair = TokenPair(
        access_token=Secret(server.access_token),
        refresh_token=Secret(server.refresh_token),
        issued_at_ms=now_ms - 86_400_000 * 30,
        expires_at_ms=now_ms + 60_000,
    )
    accounts = tuple(sorted(each.account_id for each in server.accounts))
    return StoredPair(client_id=server.client_id, user_id=777, account_ids=accounts, pair=pair)


@asynccontextmanager
async def with_a_full_disk(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[FakeServer, Session, FullDisk]]:
    async with a_server() as server:
        TokenStore(folder, DEMO).save(stored(server))
        disk = FullDisk(server, monkeypatch)
        credentials = credentials_of(server, refresh_token=server.refresh_token)
        async with open_connection_log(folder, DEMO) as log:
            async with connected(server, credentials=credentials, token_folder=folder, log=log) as session:
                yield server, session, disk


@pytest.mark.parametrize("accounts", [0, 1])
async def test_a_session_whose_new_pair_cannot_be_stored_is_not_ready_says_why_and_is_back_with_the_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accounts: int
) -> None:
    async with with_a_full_disk(tmp_path, monkeypatch) as (server, session, disk):
        if accounts:
            await session.authorize(server.account_id)
        async with session.changes() as changes:
            await disk.until_refused(2)
            with anyio.fail_after(10):
                await session.wait_for(SessionState.WAITING)
            assert "the new pair of tokens cannot be stored" in session.reason
            assert "No space left" in session.reason
            assert session.link is None
            with pytest.raises(NotSent, match="cannot be stored"):
                await session.request(oa.ProtoOAVersionReq(), timeout_s=0.05)
            await disk.until_refused(disk.refused + 3)
            disk.room = True
            with anyio.fail_after(10):
                await session.wait_for(SessionState.READY)
            seen = []
            async for change in changes:
                seen.append(change.state)
                if len(seen) > 1 and change.state is SessionState.READY:
                    break
        assert seen.count(SessionState.WAITING) == 1  # no link is tried before there is something to use on it
        (row,) = TokenStore(tmp_path, DEMO).read()
        assert row.pair.access_token == Secret(server.access_token)
        assert len(heard(server, oa.ProtoOARefreshTokenReq)) == 1


async def test_the_half_minute_for_a_last_save_begins_when_the_session_is_left_and_not_with_the_end_of_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "_LAST_SAVES_S", 0.1)
    async with with_a_full_disk(tmp_path, monkeypatch) as (server, session, disk):
        await session.authorize(server.account_id)
        await disk.until_refused(1)
        server.drop_clients()
        by_s = clock.now_s() + 0.3
        while clock.now_s() < by_s:
            await disk.until_refused(disk.refused + 1)
        session.resume()  # somebody who does not know better: it stays as it is
        await disk.until_refused(disk.refused + 1)
        assert "cannot be stored" in session.reason
        disk.room = True
        with anyio.fail_after(10):
            await session.wait_for(SessionState.READY)
        assert (await (await session.authorize(server.account_id)).request(TRADER)).trader.traderLogin
    assert TokenStore(tmp_path, DEMO).read()[0].pair.access_token == Secret(server.access_token)


async def test_who_leaves_waits_no_longer_than_that_for_a_disk_and_is_told_that_the_pair_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "_LAST_SAVES_S", 0.1)
    with anyio.fail_after(20):
        async with with_a_full_disk(tmp_path, monkeypatch) as (_, session, disk):
            await session.wait_for(SessionState.WAITING)
            await disk.until_refused(1)
    assert "the new pair is lost: log in again" in (tmp_path / "demo_connection.log").read_text()


async def test_a_pair_that_is_given_meanwhile_counts_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with with_a_full_disk(tmp_path, monkeypatch) as (server, session, disk):
        await disk.until_refused(1)
        await session.wait_for(SessionState.WAITING)
        consent = server.grant()
        given = credentials_of(server, access_token=consent.access_token, refresh_token=consent.refresh_token)
        session.resume(given)
        await disk.until_refused(disk.refused + 3)
        assert session.state is SessionState.WAITING
        disk.room = True
        with anyio.fail_after(10):
            await session.wait_for(SessionState.READY)
        kept = {row.pair.access_token for row in TokenStore(tmp_path, DEMO).read()}
        assert Secret(consent.access_token) in kept


async def test_credentials_that_are_given_while_the_disk_fails_are_the_ones_that_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_server() as server:
        TokenStore(tmp_path, DEMO).save(stored(server))
        disk = FullDisk(server, monkeypatch)
        credentials = credentials_of(server, refresh_token=server.refresh_token)
        with server.faults.inject(faults.Late(0.3, which="ProtoOARefreshTokenRes")):
            async with connected(server, credentials=credentials, token_folder=tmp_path) as session:
                await server.wait_for("ProtoOARefreshTokenReq")
                consent = server.directory.consent(
                    server.client_id,
                    778,
                    account_ids=(server.account_id,),
                    scope=TokenScope.TRADE,
                    now_ms=server.now_ms,
                )
                given = credentials_of(server, access_token=consent.access_token, refresh_token=consent.refresh_token)
                disk.answers.clear()
                async with session.changes() as changes:
                    session.resume(given)
                    async for change in changes:  # it waits for the renewal before it opens another link
                        if change.state is SessionState.CONNECTING:
                            break
                    await anyio.wait_all_tasks_blocked()
                    disk.answers.set()
                    await disk.until_refused(3)
                    disk.room = True
                    async for change in changes:
                        if change.state is SessionState.READY:
                            break
                await session.authorize(server.account_id)
        assert heard(server, oa.ProtoOAAccountAuthReq)[-1].accessToken == consent.access_token
