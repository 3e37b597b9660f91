"""Which pair a session uses, and which one the store keeps: a good pair is never lost to a bad start."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from anyctrader.fake import FakeServer, TokenPolicy
from anyctrader.fake.clients import Frame
from anyctrader.fake.injection import Fault
from anyctrader.fake.tokens import SecondConsent
from anyctrader.session import AuthenticationFailed, Credentials, Environment, Secret, SessionState, clock
from anyctrader.session.token_store import StoredPair, TokenPair, TokenStore
from anyctrader.session.tokens import TokenVault
from anyctrader.wire import messages as oa

from .rig import a_server, connected, credentials_of, heard, saying

pytestmark = [pytest.mark.anyio, pytest.mark.uvloop]

DEMO = Environment.DEMO


def stored(server: FakeServer, *, user_id: int | None = None, accounts: tuple[int, ...] | None = None) -> StoredPair:
    """The server's newest pair as a login stores it."""
    now_ms = clock.utc_ms()
    return StoredPair(
        client_id=server.client_id,
        user_id=user_id,
        account_ids=(server.account_id,) if accounts is None else accounts,
        pair=TokenPair(
            access_token=Secret(server.access_token),
            refresh_token=Secret(server.refresh_token),
            issued_at_ms=now_ms - 86_400_000,
            expires_at_ms=now_ms + 86_400_000 * 20,
        ),
    )


def rows(folder: Path) -> tuple[StoredPair, ...]:
    return TokenStore(folder, DEMO).read()


def tokens(folder: Path) -> set[str]:
    return {row.pair.access_token.reveal() for row in rows(folder)}


async def a_rotated_pair(server: FakeServer, folder: Path) -> Credentials:
    """Seeds the store and renews the pair once; what the settings have is used up then."""
    seed = credentials_of(server, refresh_token=server.refresh_token)
    async with connected(server, credentials=seed, token_folder=folder):
        (row,) = rows(folder)
    due = replace(row.pair, issued_at_ms=1, expires_at_ms=clock.utc_ms() + 1000)
    TokenStore(folder, DEMO).save(replace(row, pair=due))
    async with connected(server, credentials=seed, token_folder=folder):
        await server.wait_for("ProtoOARefreshTokenReq")  # leaving waits until it is stored
    assert tokens(folder) == {server.access_token} != {seed.access_token.reveal()}
    return seed


@pytest.mark.parametrize("whose", ["trader login", "nobody's"])
async def test_a_start_with_a_wrong_account_id_says_so_and_leaves_the_stored_pair_alone(
    tmp_path: Path, whose: str
) -> None:
    async with a_server() as server:
        seed = await a_rotated_pair(server, tmp_path)
        before = rows(tmp_path)
        wrong = server.accounts[0].trader_login if whose == "trader login" else 424_242
        with pytest.raises(AuthenticationFailed, match="is a trader login" if wrong != 424_242 else "does not cover"):
            async with connected(server, credentials=replace_account(seed, wrong), token_folder=tmp_path) as session:
                await session.authorize(wrong)
        assert rows(tmp_path) == before
        async with connected(server, credentials=seed, token_folder=tmp_path) as session:
            await session.authorize(server.account_id)
        assert len(heard(server, oa.ProtoOARefreshTokenReq)) == 1


def replace_account(credentials: Credentials, account_id: int | None) -> Credentials:
    return Credentials(
        DEMO,
        client_id=credentials.client_id,
        client_secret=credentials.client_secret,
        access_token=credentials.access_token,
        refresh_token=credentials.refresh_token,
        account_id=account_id,
    )


async def test_a_pair_that_the_server_refuses_is_not_stored(tmp_path: Path) -> None:
    async with a_server() as server:
        TokenStore(tmp_path, DEMO).save(stored(server))
        before = rows(tmp_path)
        dead = credentials_of(server, access_token="dead", refresh_token="dead-too", account_id=424_242)
        with pytest.raises(AuthenticationFailed):
            async with connected(server, credentials=dead, token_folder=tmp_path):
                pass
        assert rows(tmp_path) == before


async def test_a_pair_that_works_is_kept_beside_one_of_the_same_user_that_was_not_refused(tmp_path: Path) -> None:
    policy = TokenPolicy(second_consent=SecondConsent.KEEPS_FIRST)
    async with a_server(tokens=policy) as server:
        TokenStore(tmp_path, DEMO).save(stored(server, user_id=777))
        first = server.access_token
        second = server.grant(user_id=777)
        given = credentials_of(
            server, access_token=second.access_token, refresh_token=second.refresh_token, account_id=None
        )
        async with connected(server, credentials=given, token_folder=tmp_path):
            assert tokens(tmp_path) == {first, second.access_token}
            assert {row.user_id for row in rows(tmp_path)} == {777}
        store = TokenStore(tmp_path, DEMO)
        found = store.find(server.client_id, server.account_id)
        assert found is not None
        assert found.pair.access_token == Secret(first)  # the older one is not put behind it either
        store.save(stored(server, user_id=777))  # somebody logs in: that replaces all of theirs
        assert len(rows(tmp_path)) == 1


class _EmptyList(Fault):
    """The account list comes back empty."""

    def outgoing(self, frame: Frame) -> tuple[Frame, ...]:
        if frame.name != "ProtoOAGetAccountListByAccessTokenRes":
            return (frame,)
        payload = oa.ProtoOAGetAccountListByAccessTokenRes()
        payload.CopyFrom(frame.payload)
        del payload.ctidTraderAccount[:]
        return (saying(frame, payload),)


async def test_an_account_list_that_is_empty_for_once_costs_the_stored_pair_none_of_its_accounts(
    tmp_path: Path,
) -> None:
    async with a_server() as server:
        TokenStore(tmp_path, DEMO).save(stored(server))
        nothing = credentials_of(server, access_token="used-up", refresh_token="used-up-too")
        async with connected(server, credentials=nothing, token_folder=tmp_path):
            (before,) = rows(tmp_path)
        with server.faults.inject(_EmptyList()):
            async with connected(server, credentials=nothing, token_folder=tmp_path) as session:
                assert await session.accounts() == []
        assert rows(tmp_path) == (before,)
        assert server.account_id in before.account_ids
        async with connected(server, credentials=nothing, token_folder=tmp_path) as session:
            await session.authorize(server.account_id)


async def test_a_refused_session_without_an_account_id_goes_on_when_its_user_has_logged_in(tmp_path: Path) -> None:
    async with a_server() as server:
        given = credentials_of(server, refresh_token=server.refresh_token, account_id=None)
        async with connected(server, credentials=given, token_folder=tmp_path) as session:
            await session.authorize(server.account_id)
            (before,) = rows(tmp_path)
            server.invalidate_tokens()
            with anyio.fail_after(10):
                await session.wait_for(SessionState.REFUSED)
                server.grant()
                TokenStore(tmp_path, DEMO).save(stored(server, user_id=before.user_id))
                await session.wait_for(SessionState.READY)
        # What has taken the place of the settings' pair is found by it at the next start too.
        async with connected(server, credentials=given, token_folder=tmp_path) as session:
            assert session.state is SessionState.READY


async def test_a_new_pair_in_the_settings_is_tried_where_the_stored_one_is_dead(tmp_path: Path) -> None:
    async with a_server() as server:
        first = credentials_of(server, refresh_token=server.refresh_token)
        async with connected(server, credentials=first, token_folder=tmp_path):
            pass
        server.grant()  # a consent by hand, which revokes the first pair
        second = credentials_of(server, refresh_token=server.refresh_token)
        async with connected(server, credentials=second, token_folder=tmp_path) as session:
            await session.authorize(server.account_id)
        assert tokens(tmp_path) == {server.access_token}
        assert len(heard(server, oa.ProtoOARefreshTokenReq)) == 1
        async with connected(server, credentials=first, token_folder=tmp_path) as session:
            assert session.state is SessionState.READY  # the stored pair wins again


async def test_where_the_pair_of_the_settings_is_dead_too_the_stored_one_stays_and_nobody_hammers(
    tmp_path: Path,
) -> None:
    async with a_server() as server:
        TokenStore(tmp_path, DEMO).save(stored(server))
        others = credentials_of(server, access_token="of-nobody", refresh_token="of-nobody-too")
        async with connected(server, credentials=others, token_folder=tmp_path) as session:
            await session.authorize(server.account_id)
            server.invalidate_tokens()
            with anyio.fail_after(10):
                await session.wait_for(SessionState.REFUSED)
            before = rows(tmp_path)
            assert len(before) == 1
            assert len(heard(server, oa.ProtoOARefreshTokenReq)) == 2  # one for each of the two
            async with session.changes() as changes:
                session.resume()  # it is tried again, the settings' pair is not
                with anyio.fail_after(10):
                    async for change in changes:
                        if change.state is SessionState.CONNECTING:
                            break
                    await session.wait_for(SessionState.REFUSED)
            assert len(heard(server, oa.ProtoOARefreshTokenReq)) == 3
            assert rows(tmp_path) == before
            server.grant()
            TokenStore(tmp_path, DEMO).save(stored(server))
            with anyio.fail_after(10):
                await session.wait_for(SessionState.READY)


async def test_a_stored_pair_that_cannot_be_renewed_gives_way_to_that_of_the_settings_as_well(tmp_path: Path) -> None:
    async with a_server() as server:
        row = stored(server)
        ended = replace(row.pair, access_token=Secret("ended"), refresh_token=None)
        TokenStore(tmp_path, DEMO).save(replace(row, pair=ended))
        given = credentials_of(server, refresh_token=server.refresh_token)
        async with connected(server, credentials=given, token_folder=tmp_path):
            assert tokens(tmp_path) == {server.access_token}


async def test_accounts_are_added_to_a_pair_and_taken_from_it_only_by_another_users(tmp_path: Path) -> None:
    async with a_server() as server:
        store = TokenStore(tmp_path, DEMO)
        theirs = replace(stored(server, user_id=8, accounts=(5,)), pair=TokenPair(access_token=Secret("theirs")))
        store.save(stored(server, user_id=777, accounts=(1, 2, 5)))
        store.save(theirs)
        vault = TokenVault(store, credentials_of(server, account_id=1), note=lambda *_, **__: None)
        await vault.open()
        await vault.belongs_to(777, [2, 3])
        assert {row.account_ids for row in store.read()} == {(1, 2, 3), (5,)}
