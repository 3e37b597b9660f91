"""A token file that is locked, damaged, gone, or on a disk that hangs: told by its name, and no reason to go."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import FakeServer
from anyctrader.session import (
    ConnectFailed,
    Environment,
    Secret,
    Session,
    SessionState,
    open_connection_log,
    renewal,
    strongroom,
)
from anyctrader.session.token_store import TokenStore
from anyctrader.wire import messages as oa

from .rig import QUICK, a_server, connected, credentials_of, heard, ready_again

pytestmark = [pytest.mark.anyio, pytest.mark.uvloop]

DEMO = Environment.DEMO
LOG = "demo_connection.log"


@asynccontextmanager
async def a_session(folder: Path, **given: Any) -> AsyncIterator[tuple[FakeServer, Session, Path]]:
    """A server, a session that is ready at it with one account, and its token file."""
    async with a_server() as server, open_connection_log(folder, DEMO) as log:
        given.setdefault("credentials", credentials_of(server, refresh_token=server.refresh_token))
        async with connected(server, token_folder=folder, log=log, **given) as session:
            await session.authorize(server.account_id)
            yield server, session, TokenStore(folder, DEMO).path


async def back_on_the_same_link(server: FakeServer, session: Session) -> None:
    """Ends the account's session, and waits until it is authorised again."""
    links = server.seen.names().count("connected")
    states: list[SessionState] = []
    with anyio.fail_after(20):
        async with session.changes() as changes:
            server.disconnect_account(server.account_id)
            async for change in changes:
                states.append(change.state)
                if len(states) > 1 and change.state is SessionState.READY:
                    break
    assert set(states) == {SessionState.READY, SessionState.RESTORING}
    assert server.seen.names().count("connected") == links


async def logged(folder: Path, text: str) -> None:
    with anyio.fail_after(20):
        while text not in (folder / LOG).read_text():  # noqa: ASYNC110 - it is written in a thread
            await anyio.sleep(0.005)


# Locked


async def test_a_start_that_waits_for_a_lock_until_its_time_is_over_names_the_lock_and_the_file(tmp_path: Path) -> None:
    store = TokenStore(tmp_path, DEMO)
    taken = store.lock()
    assert taken is not None
    async with a_server() as server:
        credentials = credentials_of(server, refresh_token=server.refresh_token)
        timings = replace(QUICK, connect_s=2.0)
        with pytest.raises(ConnectFailed) as caught:
            async with connected(server, credentials=credentials, token_folder=tmp_path, timings=timings):
                pass
    store.unlock(taken)
    assert str(store.lock_path) in str(caught.value)
    assert str(store.path) in str(caught.value)


async def test_a_session_that_waits_for_a_lock_tells_so_and_goes_on_when_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strongroom, "_LOCK_S", 0.5)
    monkeypatch.setattr(strongroom, "_LOCK_NOTE_S", 0.0)
    async with a_session(tmp_path) as (server, session, path):
        store = TokenStore(tmp_path, DEMO)
        taken = store.lock()
        assert taken is not None
        server.directory.retire(server.directory.grants[-1])
        await logged(tmp_path, f"{store.lock_path}, the lock of the token file {path}")
        with anyio.fail_after(20):
            await session.wait_for(SessionState.WAITING)
        assert str(store.lock_path) in session.reason
        assert session.state is not SessionState.REFUSED
        store.unlock(taken)
        with anyio.fail_after(20):
            await session.wait_for(SessionState.READY)
        assert store.read()[0].pair.access_token == Secret(server.access_token)


# Damaged


async def test_a_damaged_token_file_costs_a_session_with_a_good_pair_in_hand_nothing_but_a_line(tmp_path: Path) -> None:
    async with a_session(tmp_path) as (server, session, path):
        path.write_bytes(b"damaged")
        await back_on_the_same_link(server, session)
        await logged(tmp_path, f"{path} is not a token file of demo, or is damaged")
        with anyio.fail_after(20):
            await ready_again(session, links=server.drop_clients)  # a new link needs nothing of it either
        await session.authorize(server.account_id)
        assert path.read_bytes() == b"damaged"


async def test_a_pair_is_not_renewed_over_a_damaged_file_and_is_as_soon_as_that_is_put_right(tmp_path: Path) -> None:
    async with a_session(tmp_path) as (server, session, path):
        sound = path.read_bytes()
        path.write_bytes(b"damaged")
        server.directory.retire(server.directory.grants[-1])
        with anyio.fail_after(20):
            await session.wait_for(SessionState.WAITING)
        assert str(path) in session.reason
        assert heard(server, oa.ProtoOARefreshTokenReq) == []
        path.write_bytes(sound)
        with anyio.fail_after(20):
            await session.wait_for(SessionState.READY)
        assert TokenStore(tmp_path, DEMO).read()[0].pair.access_token == Secret(server.access_token)


# Gone


@pytest.mark.parametrize("when", ["an account is lost", "the link is lost", "nothing happens"])
async def test_a_token_file_that_is_gone_is_written_again_with_the_only_living_pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    if when == "nothing happens":
        monkeypatch.setattr(renewal, "_LONGEST_SPELL_S", 0.05)
    async with a_session(tmp_path) as (server, session, path):
        server.directory.retire(server.directory.grants[-1])
        await server.wait_for("ProtoOAAccountAuthReq", count=3)  # the old token, refused, and the new one
        with anyio.fail_after(20):
            await session.wait_for(SessionState.READY)
        path.unlink()
        if when == "an account is lost":
            await back_on_the_same_link(server, session)
        elif when == "the link is lost":
            await ready_again(session, links=server.drop_clients)
        await logged(tmp_path, f"gone from {path}")
        (row,) = TokenStore(tmp_path, DEMO).read()
        assert row.pair.access_token == Secret(server.access_token)
        assert server.account_id in row.account_ids


# Hanging


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe stands for a disk that hangs")
async def test_a_disk_that_hangs_holds_up_neither_healing_nor_leaving_for_longer_than_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strongroom, "_DISK_S", 0.3)
    path = TokenStore(tmp_path, DEMO).path
    try:
        with anyio.fail_after(20):
            async with a_session(tmp_path) as (server, session, _):
                path.unlink()
                os.mkfifo(path)
                await back_on_the_same_link(server, session)
                await logged(tmp_path, f"the disk under the token file {path} has not answered for")
                server.disconnect_account(server.account_id)  # and the session is left
    finally:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))  # its reader sees the end, and the thread is free
