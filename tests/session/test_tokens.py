"""Sessions and their token pairs over real sockets: renewed, shared, refused, and never lost."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import AnswerVariants, FakeServer, TokenPolicy, faults
from anyctrader.fake.choices import RefreshEffect, RefreshOrder
from anyctrader.fake.tokens import OldAccess, TokenScope
from anyctrader.session import (
    AuthenticationFailed,
    ConnectFailed,
    Credentials,
    Desk,
    Environment,
    RateLimited,
    Rates,
    Refused,
    Secret,
    Session,
    SessionState,
    Timings,
    clock,
    open_desk,
)
from anyctrader.session.disk import Disk
from anyctrader.session.token_store import StoredPair, TokenPair, TokenStore
from anyctrader.session.tokens import TokenVault
from anyctrader.wire import messages as oa

from .rig import EURUSD, QUICK, a_server, connected, credentials_of, desk_settings, heard, ready_again, side_of

pytestmark = [pytest.mark.anyio, pytest.mark.uvloop]

DEMO = Environment.DEMO
TRADER = oa.ProtoOATraderReq()


def store_of(folder: Path) -> TokenStore:
    return TokenStore(folder, DEMO)


def stored(server: FakeServer, *, left_s: float = 86_400 * 30) -> StoredPair:
    """The server's newest pair as a store has it, with so much of its life left."""
    now_ms = clock.utc_ms()
    return StoredPair(
        client_id=server.client_id,
        user_id=None,
        account_ids=(server.account_id,),
        pair=TokenPair(
            access_token=Secret(server.access_token),
            refresh_token=Secret(server.refresh_token),
            issued_at_ms=now_ms - 86_400_000 * 30,
            expires_at_ms=now_ms + int(left_s * 1000),
        ),
    )


@asynccontextmanager
async def a_session(server: FakeServer, folder: Path, **given: Any) -> AsyncIterator[Session]:
    given.setdefault("credentials", credentials_of(server, refresh_token=server.refresh_token))
    async with connected(server, token_folder=folder, **given) as session:
        yield session


@asynccontextmanager
async def a_desk_with(server: FakeServer, folder: Path, logs: str = "logs") -> AsyncIterator[Desk]:
    """A desk whose account is there before its pair is looked at."""
    settings = replace(desk_settings(folder / logs, side_of(server)), token_folder=folder)
    async with open_desk(settings) as desk:
        yield desk


def refreshes(server: FakeServer) -> int:
    return len(heard(server, oa.ProtoOARefreshTokenReq))


async def test_the_settings_pair_seeds_the_store_with_whose_it_is(tmp_path: Path) -> None:
    async with a_server() as server, a_session(server, tmp_path):
        (kept,) = store_of(tmp_path).read()
        assert kept.pair.access_token == Secret(server.access_token)
        assert kept.pair.refresh_token == Secret(server.refresh_token)
        assert set(kept.account_ids) == {account.account_id for account in server.accounts}
        assert kept.user_id is not None
        assert refreshes(server) == 0


async def test_the_stored_pair_wins_over_that_of_the_settings(tmp_path: Path) -> None:
    async with a_server() as server:
        store_of(tmp_path).save(stored(server))
        dead = credentials_of(server, access_token="used-up", refresh_token="used-up-too")
        async with a_session(server, tmp_path, credentials=dead) as session:
            assert (await (await session.authorize(server.account_id)).request(TRADER)).trader.traderLogin


async def test_a_pair_is_renewed_ahead_of_its_end_and_stored_before_it_is_used(tmp_path: Path) -> None:
    async with a_server() as server:
        store_of(tmp_path).save(stored(server, left_s=60))
        old = server.access_token
        async with a_desk_with(server, tmp_path) as desk:
            account = desk.account(DEMO)
            async with account.spots("EURUSD") as spots:
                await server.wait_for("ProtoOAAccountAuthReq", count=2)
                assert (await account.request(TRADER)).trader.traderLogin == account.trader_login
                server.set_price(EURUSD, bid=120_000, ask=120_010)
                async for spot in spots:
                    if spot.bid_wire == 120_000:
                        break
        first, *_, last = heard(server, oa.ProtoOAAccountAuthReq)
        assert first.accessToken in (old, server.access_token)
        assert last.accessToken == server.access_token != old
        (kept,) = store_of(tmp_path).read()
        assert kept.pair.access_token == Secret(server.access_token)
        assert kept.pair.expires_at_ms is not None
        assert kept.pair.expires_at_ms > clock.utc_ms() + 86_400_000
        assert refreshes(server) == 1
        assert server.seen.names().count("connected") == 1


async def test_a_renewal_that_goes_ahead_of_waiting_reads_costs_none_of_them_its_answer(tmp_path: Path) -> None:
    async with a_server(tokens=TokenPolicy(old_access=OldAccess.DEAD)) as server:
        store_of(tmp_path).save(stored(server, left_s=Timings().refresh_ahead_s + 0.5))
        async with a_session(server, tmp_path, rates=Rates(ordinary_per_s=8)) as session:
            account = await session.authorize(server.account_id)
            answers: list[int] = []

            async def ask() -> None:
                answers.append((await account.request(TRADER, timeout_s=60)).trader.traderLogin)

            async with anyio.create_task_group() as tasks:
                for _ in range(20):
                    tasks.start_soon(ask)
                await server.wait_for("ProtoOARefreshTokenReq")
                assert len(answers) < 20  # the rest waits in the queue
            assert answers == [account.trader_login] * 20


@pytest.mark.parametrize("order", RefreshOrder)
@pytest.mark.parametrize("effect", RefreshEffect)
async def test_whatever_a_renewal_does_to_running_accounts_they_go_on_with_the_new_token(
    tmp_path: Path, effect: RefreshEffect, order: RefreshOrder
) -> None:
    variants = AnswerVariants(refresh_effect=effect, refresh_order=order)
    async with a_server(variants=variants, tokens=TokenPolicy(old_access=OldAccess.ALIVE)) as server:
        store_of(tmp_path).save(stored(server, left_s=60))
        async with a_desk_with(server, tmp_path) as desk:
            await server.wait_for("ProtoOARefreshTokenReq")
            await server.wait_for("ProtoOAAccountAuthReq", count=2)
            session = desk.session(DEMO)
            assert (await desk.account(DEMO).request(TRADER)).trader.traderLogin
            await session.wait_for(SessionState.READY)
            assert server.seen.names().count("connected") == 1
            assert refreshes(server) == 1
            assert heard(server, oa.ProtoOAAccountAuthReq)[-1].accessToken == server.access_token


async def test_a_token_that_has_ended_is_renewed_once_where_it_is_refused(tmp_path: Path) -> None:
    async with a_server() as server:
        pair = stored(server)
        store_of(tmp_path).save(replace(pair, pair=replace(pair.pair, access_token=Secret("ended"))))
        async with a_session(server, tmp_path) as session:
            assert session.state is SessionState.READY
        assert refreshes(server) == 1
        assert store_of(tmp_path).read()[0].pair.access_token == Secret(server.access_token)


async def test_a_pair_whose_both_tokens_are_refused_is_refused_and_nobody_hammers(tmp_path: Path) -> None:
    async with a_server() as server:
        async with a_session(server, tmp_path) as session:
            await session.authorize(server.account_id)
            server.invalidate_tokens()
            await session.wait_for(SessionState.REFUSED)
            assert isinstance(session.failure, AuthenticationFailed)
            assert "anyctrader login demo" in session.reason
            assert refreshes(server) == 1
            assert server.seen.names().count("connected") == 1


async def test_a_server_that_never_says_whose_the_pair_is_keeps_no_session_away(tmp_path: Path) -> None:
    quick = replace(QUICK, connect_s=1.5)
    async with a_server() as server:
        with server.faults.inject(faults.Unanswering("ProtoOAGetCtidProfileByTokenRes")):
            with anyio.fail_after(20):
                async with a_session(server, tmp_path, timings=quick) as session:
                    await session.authorize(server.account_id)
                    server.drop_clients()
                    await server.wait_for("ProtoOAAccountAuthReq", count=2)
                    await session.wait_for(SessionState.READY)
        assert len(heard(server, oa.ProtoOAGetCtidProfileByTokenReq)) == 1
        (kept,) = store_of(tmp_path).read()
        assert kept.user_id is None
        assert server.account_id in kept.account_ids


async def test_without_a_store_nothing_is_renewed() -> None:
    async with a_server() as server:
        dead = credentials_of(server, access_token="ended", refresh_token=server.refresh_token)
        with pytest.raises(AuthenticationFailed):
            async with connected(server, credentials=dead):
                pass
        assert refreshes(server) == 0


async def test_a_refused_session_goes_on_as_soon_as_somebody_has_logged_in(tmp_path: Path) -> None:
    async with a_server() as server, a_session(server, tmp_path) as session:
        await session.authorize(server.account_id)
        server.invalidate_tokens()
        await session.wait_for(SessionState.REFUSED)
        server.grant()
        store_of(tmp_path).save(stored(server))  # what `anyctrader login` does, in another process
        await session.wait_for(SessionState.READY)


async def test_new_credentials_take_the_place_of_the_stored_pair(tmp_path: Path) -> None:
    async with a_server() as server, a_session(server, tmp_path) as session:
        await session.authorize(server.account_id)
        server.invalidate_tokens()
        await session.wait_for(SessionState.REFUSED)
        server.grant()
        session.resume(credentials_of(server, refresh_token=server.refresh_token))
        await session.wait_for(SessionState.READY)
        assert store_of(tmp_path).read()[0].pair.access_token == Secret(server.access_token)


@pytest.mark.parametrize("whose", ["another application", "another user"])
async def test_a_pair_of_somebody_else_is_filed_as_theirs_and_takes_nobodys_place(tmp_path: Path, whose: str) -> None:
    async with a_server() as server:
        given = credentials_of(server, refresh_token=server.refresh_token)
        client_id, client_secret, user_id = server.client_id, server.client_secret, 777
        if whose == "another application":
            application = server.directory.add_application()
            client_id, client_secret, user_id = application.client_id, application.client_secret, 1
        consent = server.directory.consent(
            client_id, user_id, account_ids=(server.account_id,), scope=TokenScope.TRADE, now_ms=server.now_ms
        )
        theirs = Credentials(
            DEMO,
            client_id=client_id,
            client_secret=client_secret,
            access_token=consent.access_token,
            refresh_token=consent.refresh_token,
            account_id=server.account_id,
        )
        async with a_session(server, tmp_path, credentials=given) as session:
            session.resume(theirs)
            await ready_again(session, links=server.drop_clients)
        kept = {(each.client_id, each.pair.access_token.reveal()) for each in store_of(tmp_path).read()}
        assert kept == {(server.client_id, given.access_token.reveal()), (client_id, consent.access_token)}


async def test_a_pair_without_an_account_is_nobody_elses_and_is_found_again_after_its_rotation(tmp_path: Path) -> None:
    async with a_server() as server:
        anothers = replace(stored(server), user_id=1, pair=TokenPair(access_token=Secret("another's")))
        store_of(tmp_path).save(anothers)
        given = credentials_of(server, access_token="ended", refresh_token=server.refresh_token, account_id=None)
        for _ in range(2):  # the second time it begins with a pair that is used up
            async with a_session(server, tmp_path, credentials=given) as session:
                assert len(await session.accounts()) == len(server.accounts)
        assert refreshes(server) == 1


async def test_a_login_counts_where_what_was_given_before_it_was_refused(tmp_path: Path) -> None:
    async with a_server() as server, a_session(server, tmp_path) as session:
        session.resume(credentials_of(server, access_token="of-nobody", refresh_token="of-nobody-too"))
        server.drop_clients()
        await session.wait_for(SessionState.REFUSED)
        server.grant()
        store_of(tmp_path).save(stored(server))
        await session.wait_for(SessionState.READY)


async def test_credentials_that_are_given_while_all_is_well_count_at_once_and_are_stored(tmp_path: Path) -> None:
    async with a_server() as server, a_session(server, tmp_path) as session:
        account = await session.authorize(server.account_id)
        old = server.access_token
        server.grant()
        given = credentials_of(server, refresh_token=server.refresh_token)
        await ready_again(session, links=lambda: session.resume(given))
        assert (await account.request(TRADER)).trader.traderLogin == account.trader_login
        assert heard(server, oa.ProtoOAAccountAuthReq)[-1].accessToken == server.access_token != old
        (kept,) = store_of(tmp_path).read()
        assert kept.pair.access_token == Secret(server.access_token)
        session.resume(given)  # it has them: nothing to do
        assert (await account.request(TRADER)).trader.traderLogin == account.trader_login
        assert server.seen.names().count("connected") == 2


async def test_a_pair_that_is_given_while_the_old_one_is_renewed_is_the_one_that_counts(tmp_path: Path) -> None:
    async with a_server() as server:
        store_of(tmp_path).save(stored(server, left_s=60))
        old = server.access_token
        with server.faults.inject(faults.Late(0.3, which="ProtoOARefreshTokenRes")):
            async with a_session(server, tmp_path) as session:
                await server.wait_for("ProtoOARefreshTokenReq")
                consent = server.directory.consent(
                    server.client_id,
                    777,
                    account_ids=(server.account_id,),
                    scope=TokenScope.TRADE,
                    now_ms=server.now_ms,
                )
                given = credentials_of(server, access_token=consent.access_token, refresh_token=consent.refresh_token)
                await ready_again(session, links=lambda: session.resume(given))
                await session.authorize(server.account_id)
        assert heard(server, oa.ProtoOAAccountAuthReq)[-1].accessToken == consent.access_token
        kept = {each.pair.access_token.reveal() for each in store_of(tmp_path).read()}
        assert len(kept) == 2  # the old user's renewed one is not lost either
        assert consent.access_token in kept
        assert old not in kept


async def test_a_renewal_that_is_refused_for_its_rate_is_not_repeated_on_the_next_links_either(tmp_path: Path) -> None:
    async with a_server() as server:
        pair = stored(server)
        store_of(tmp_path).save(replace(pair, pair=replace(pair.pair, access_token=Secret("ended"))))
        with server.faults.inject(faults.Blocked(oa.ProtoOARefreshTokenReq, retry_after_s=30)):
            with pytest.raises(ConnectFailed, match="BLOCKED_PAYLOAD_TYPE"):
                async with a_session(server, tmp_path):
                    pass
            settings = replace(desk_settings(tmp_path / "logs", side_of(server)), token_folder=tmp_path)
            async with open_desk(settings) as desk:
                session = desk.session(DEMO)
                for links in (2, 3, 4):
                    await server.wait_for("connected", count=links)
                    await session.wait_for(SessionState.WAITING)
                    session.resume()  # somebody who knows better cuts the wait short
                assert isinstance(session.failure, RateLimited)
        assert refreshes(server) == 2  # each of the two sessions asked once


async def test_a_renewal_past_the_session_is_refused_since_it_would_kill_the_stored_pair(tmp_path: Path) -> None:
    async with a_server() as server, a_session(server, tmp_path) as session:
        with pytest.raises(Refused, match="renews and stores"):
            await session.request(oa.ProtoOARefreshTokenReq(refreshToken=server.refresh_token))
        assert refreshes(server) == 0
    async with a_server() as server, connected(server) as session:  # without a store it is the caller's own affair
        answer = await session.request(oa.ProtoOARefreshTokenReq(refreshToken=server.refresh_token))
        assert answer.accessToken == server.access_token


async def test_two_sessions_that_share_a_pair_share_its_rotation(tmp_path: Path) -> None:
    async with a_server() as server:
        first_pair = stored(server, left_s=60)
        store_of(tmp_path).save(first_pair)
        async with a_desk_with(server, tmp_path) as one, a_desk_with(server, tmp_path, "others") as other:

            def with_the_newest(seen: Any) -> bool:
                auth = isinstance(seen.message, oa.ProtoOAAccountAuthReq)
                return auth and seen.message.accessToken == server.access_token

            await server.wait_for("ProtoOARefreshTokenReq")
            for desk, client in ((one, 1), (other, 2)):
                await server.wait_for(with_the_newest, client=client)
                assert (await desk.account(DEMO).request(TRADER)).trader.traderLogin
                await desk.session(DEMO).wait_for(SessionState.READY)  # reads pass before the books are right again
        assert refreshes(server) == 1
        assert server.seen.names().count("connected") == 2


async def test_on_an_invalidation_the_store_is_read_before_anything_is_renewed(tmp_path: Path) -> None:
    async with a_server() as server, a_session(server, tmp_path) as session:
        account = await session.authorize(server.account_id)
        async with account.events() as events:
            # Another process has rotated: the pair that this session knows is dead, the store has the next one.
            server.grant()
            store_of(tmp_path).save(stored(server))
            server.disconnect_account(account.id)
            async for _ in events:
                break
        assert (await account.request(TRADER)).trader.traderLogin
        assert heard(server, oa.ProtoOAAccountAuthReq)[-1].accessToken == server.access_token
        assert refreshes(server) == 0


_OTHER_PROCESS = """
import sys, time
from pathlib import Path
from anyctrader.session import Environment
from anyctrader.session.token_store import TokenStore
store = TokenStore(Path(sys.argv[1]), Environment.DEMO)
held = store.lock()
print("held", flush=True)
sys.stdin.readline()
"""


async def test_while_another_process_rotates_nothing_is_asked_of_the_server(tmp_path: Path) -> None:
    async with a_server() as server:
        pair = stored(server)
        store_of(tmp_path).save(replace(pair, pair=replace(pair.pair, access_token=Secret("ended"))))
        process = subprocess.Popen(  # noqa: ASYNC220 - starting it does not wait for it
            [sys.executable, "-c", _OTHER_PROCESS, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            assert await anyio.to_thread.run_sync(process.stdout.readline) == "held\n"
            vault = TokenVault(
                store_of(tmp_path), credentials_of(server, access_token="ended"), note=lambda *_, **__: None
            )
            asked = []

            async def ask(token: Secret) -> TokenPair:
                asked.append(token)
                raise AssertionError("the other process has rotated")

            async with anyio.create_task_group() as tasks:

                async def renew() -> None:
                    assert await vault.refresh(ask, used=vault.pair)

                tasks.start_soon(renew)
                store_of(tmp_path).save(pair)  # the other process stores what it got, under its lock
                await anyio.to_thread.run_sync(process.communicate, "go\n")
            assert vault.pair.access_token == Secret(server.access_token)
            assert asked == []
        finally:
            process.kill()
            process.communicate()


class _Stubborn(Disk):
    """Takes no file of tokens while it is told not to."""

    def __init__(self) -> None:
        self.refusing = False
        self.refused = 0

    def rename(self, path: Path, to: Path) -> None:
        if self.refusing:
            self.refused += 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().rename(path, to)


def a_vault(server: FakeServer, folder: Path, disk: Disk, notes: list[str] | None = None) -> TokenVault:
    def note(what: str, **fields: object) -> None:
        if notes is not None:
            notes.append(f"{what} {fields}")

    return TokenVault(
        TokenStore(folder, DEMO, disk=disk), credentials_of(server, refresh_token=server.refresh_token), note=note
    )


NEW = TokenPair(access_token=Secret("new-access"), refresh_token=Secret("new-refresh"))


async def test_accounts_that_could_not_be_stored_are_stored_when_the_server_names_them_again(tmp_path: Path) -> None:
    async with a_server() as server:
        disk = _Stubborn()
        store_of(tmp_path).save(stored(server))
        vault = a_vault(server, tmp_path, disk)
        await vault.open()
        disk.refusing = True
        await vault.belongs_to(777, [server.account_id, 99])  # gone on without: the pair itself lies there
        assert store_of(tmp_path).read()[0].user_id is None
        disk.refusing = False
        await vault.belongs_to(777, [server.account_id, 99])
        (kept,) = store_of(tmp_path).read()
        assert (kept.user_id, set(kept.account_ids)) == (777, {server.account_id, 99})


async def test_a_save_that_fails_is_tried_until_it_succeeds_and_the_pair_is_not_used_before(tmp_path: Path) -> None:
    async with a_server() as server:
        disk, notes = _Stubborn(), list[str]()
        vault = a_vault(server, tmp_path, disk, notes)
        await vault.open()
        old = vault.pair

        async def ask(_: Secret) -> TokenPair:
            disk.refusing = True
            return NEW

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: vault.refresh(ask, used=old))
            while disk.refused < 2:
                await anyio.lowlevel.checkpoint()
            used, disk.refusing = vault.pair, False
        assert used == old
        assert vault.pair == NEW
        assert store_of(tmp_path).read()[0].pair == NEW
        assert sum("not used before it is stored" in note for note in notes) >= 2
        assert not any("new-access" in note for note in notes)


async def test_a_disk_that_takes_no_pair_is_noticed_before_the_old_one_is_used_up(tmp_path: Path) -> None:
    async with a_server() as server:
        disk = _Stubborn()
        vault = a_vault(server, tmp_path, disk)
        await vault.open()
        disk.refusing = True

        async def ask(_: Secret) -> TokenPair:
            raise AssertionError("the old pair would be used up for nothing")

        with pytest.raises(ConnectFailed, match="No space"):
            await vault.refresh(ask, used=vault.pair)


@pytest.mark.parametrize("saves_fail", [False, True], ids=["a disk that works", "a disk that fails at first"])
async def test_a_renewal_that_is_cancelled_while_it_is_under_way_still_stores_its_pair(
    tmp_path: Path, saves_fail: bool
) -> None:
    async with a_server() as server:
        disk = _Stubborn()
        vault = a_vault(server, tmp_path, disk)
        await vault.open()
        answering = anyio.Event()

        async def ask(_: Secret) -> TokenPair:
            answering.set()
            for _ in range(20):
                await anyio.lowlevel.checkpoint()
            disk.refusing = saves_fail
            return NEW

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: vault.refresh(ask, used=vault.pair))
            await answering.wait()
            tasks.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                while saves_fail and disk.refused < 2:
                    await anyio.lowlevel.checkpoint()
                disk.refusing = False
        assert store_of(tmp_path).read()[0].pair == NEW


async def ask_on(session: Session) -> None:
    """Asks until it is cancelled: one of these finds that the token has ended."""
    while True:
        await session.accounts()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_task_that_asyncio_cancels_while_a_pair_is_renewed_for_it_does_not_lose_the_pair(
    tmp_path: Path, anyio_backend: str
) -> None:
    async with a_server(tokens=TokenPolicy(life_s=3)) as server, a_session(server, tmp_path) as session:
        with server.faults.inject(faults.Late(0.6, which="ProtoOARefreshTokenRes")):
            asking = asyncio.ensure_future(ask_on(session))
            await server.wait_for("ProtoOARefreshTokenReq")
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert await session.accounts()
        assert session.state is SessionState.READY
        assert store_of(tmp_path).read()[0].pair.access_token == Secret(server.access_token)
        assert refreshes(server) == 1


async def test_a_pair_of_unknown_end_is_renewed_ahead_of_its_end_once_it_was_renewed_on_the_same_link(
    tmp_path: Path,
) -> None:
    async with a_server(tokens=TokenPolicy(life_s=1)) as server, a_session(server, tmp_path) as session:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask_on, session)
            await server.wait_for("ProtoOARefreshTokenReq")
            tasks.cancel_scope.cancel()
        await server.wait_for("ProtoOARefreshTokenReq", count=2)
        assert server.seen.names().count("connected") == 1


async def test_leaving_a_session_while_its_pair_is_renewed_keeps_the_link_until_the_answer_is_stored(
    tmp_path: Path,
) -> None:
    async with a_server() as server:
        store_of(tmp_path).save(stored(server, left_s=60))
        with server.faults.inject(faults.Late(0.3, which="ProtoOARefreshTokenRes")):
            async with a_session(server, tmp_path):
                await server.wait_for("ProtoOARefreshTokenReq")
        assert store_of(tmp_path).read()[0].pair.access_token == Secret(server.access_token)
        assert server.violations == ()


async def test_a_renewal_whose_answer_is_lost_is_asked_again_only_on_another_link(tmp_path: Path) -> None:
    async with a_server() as server:
        store_of(tmp_path).save(stored(server, left_s=60))
        with server.faults.inject(faults.DropBefore(which="ProtoOARefreshTokenRes")):
            async with a_session(server, tmp_path) as session:
                await session.wait_for(SessionState.REFUSED)  # it had been used up, and nobody heard what came of it
        assert refreshes(server) == 2
        assert [seen.client for seen in server.seen if seen.name == "ProtoOARefreshTokenReq"] == [1, 2]


async def test_a_renewal_that_is_refused_for_its_rate_is_not_repeated(tmp_path: Path) -> None:
    async with a_server() as server:
        store_of(tmp_path).save(stored(server, left_s=60))
        with server.faults.inject(faults.Blocked(oa.ProtoOARefreshTokenReq, times=1)):
            async with a_session(server, tmp_path) as session:
                account = await session.authorize(server.account_id)
                await server.wait_for("ProtoOARefreshTokenReq")
                for _ in range(3):
                    assert (await account.request(TRADER)).trader.traderLogin
                await session.wait_for(SessionState.READY)
        assert refreshes(server) == 1


async def test_a_token_file_that_cannot_be_read_keeps_that_environment_waiting_and_says_why(tmp_path: Path) -> None:
    async with a_server() as server:
        store = store_of(tmp_path)
        store.path.write_bytes(b"damaged, with a s3cr3t in it")
        with pytest.raises(ConnectFailed, match=r"demo\.tokens\.json") as caught:
            async with a_session(server, tmp_path):
                pass
        assert "s3cr3t" not in str(caught.value)
        assert server.seen.total == 0
        assert store.path.read_bytes() == b"damaged, with a s3cr3t in it"


async def test_no_token_of_late_is_in_the_connection_log(tmp_path: Path) -> None:
    async with a_server() as server:
        store_of(tmp_path).save(stored(server, left_s=60))
        tokens = [server.access_token, server.refresh_token]
        async with a_desk_with(server, tmp_path) as desk:
            session = desk.session(DEMO)
            await server.wait_for("ProtoOAAccountAuthReq", count=2)
            tokens += [server.access_token, server.refresh_token]
            server.disconnect_clients(f"old {tokens[0]} and new {tokens[2]} {tokens[3]}")
            await session.wait_for(SessionState.WAITING)
            await session.wait_for(SessionState.READY)
        text = (tmp_path / "logs" / "demo_connection.log").read_text()
        assert "source=server" in text
        assert "old *** and new *** ***" in text
        assert not any(token in text for token in tokens)
