"""The token file: whole or not at all, for its owner only, and never told in an error."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from anyctrader.session import Environment, Secret
from anyctrader.session.disk import Disk
from anyctrader.session.token_store import StoredPair, TokenPair, TokenStore, TokensUnreadable, origin_of

DEMO, LIVE = Environment.DEMO, Environment.LIVE


def a_pair(
    name: str, *, user_id: int | None = 7, accounts: tuple[int, ...] = (1, 2), client: str = "app"
) -> StoredPair:
    pair = TokenPair(
        access_token=Secret(f"{name}-access"),
        refresh_token=Secret(f"{name}-refresh"),
        issued_at_ms=1_000,
        expires_at_ms=9_000,
    )
    return StoredPair(client_id=client, user_id=user_id, account_ids=accounts, pair=pair)


def test_what_was_stored_is_found_by_application_and_account(tmp_path: Path) -> None:
    store = TokenStore(tmp_path / "made", DEMO)
    assert store.find("app", 1) is None
    store.save(a_pair("first"))
    assert store.find("app", 2) == a_pair("first")
    assert store.find("app", None) is None, "whose pair it is must be told by something"
    assert store.find("app", 3) is None
    assert store.find("other", 1) is None
    assert TokenStore(tmp_path / "made", LIVE).find("app", 1) is None


def test_a_pair_without_an_account_is_found_by_the_pair_that_it_came_from(tmp_path: Path) -> None:
    store = TokenStore(tmp_path, DEMO)
    origin = origin_of(Secret("given"))
    rotated = replace(a_pair("rotated", user_id=None, accounts=()), origin=origin)
    store.save(a_pair("somebody else's"))
    store.save(rotated)
    assert store.find("app", None, origin=origin) == rotated
    assert store.find("app", None, origin=origin_of(Secret("another"))) is None
    assert store.find("other", None, origin=origin) is None
    known = replace(rotated, user_id=9, account_ids=(9,))
    store.save(known)
    assert store.read() == (known, a_pair("somebody else's"))
    assert b"given" not in store.path.read_bytes()


def test_a_probe_finds_out_whether_a_pair_could_be_stored_and_changes_nothing(tmp_path: Path) -> None:
    store = TokenStore(tmp_path, DEMO)
    store.probe()
    assert store.read() == ()
    store.save(a_pair("first"))
    store.probe()
    assert store.read() == (a_pair("first"),)
    with pytest.raises(OSError, match="denied"):
        TokenStore(tmp_path, DEMO, disk=_Failing("rename")).probe()
    store.path.write_text("damaged")
    with pytest.raises(TokensUnreadable):
        store.probe()


def test_a_pair_that_is_put_aside_is_found_by_no_session_and_gives_way_to_itself_once_it_is_known(
    tmp_path: Path,
) -> None:
    store = TokenStore(tmp_path, DEMO)
    store.save(a_pair("old"))
    new = a_pair("new")
    store.hold("app", new.pair)
    assert store.held("app") == new.pair
    assert store.held("second app") is None
    assert store.find("app", 1) == a_pair("old")
    assert store.find("app", None) is None
    store.save(new)
    assert store.read() == (new,)
    assert store.held("app") is None


def test_a_pair_that_was_put_aside_can_be_taken_out_again(tmp_path: Path) -> None:
    store = TokenStore(tmp_path, DEMO)
    store.save(a_pair("old"))
    store.hold("app", a_pair("new").pair)
    store.drop(a_pair("new").pair)
    store.drop(a_pair("never there").pair)
    assert store.read() == (a_pair("old"),)


def test_a_newer_pair_takes_the_place_of_its_users_older_one_and_of_no_other(tmp_path: Path) -> None:
    store = TokenStore(tmp_path, DEMO)
    seed, other = a_pair("seed", user_id=None, accounts=(1,)), a_pair("other", user_id=8, accounts=(5,))
    elsewhere = a_pair("elsewhere", client="second app")
    for stored in (seed, other, elsewhere, a_pair("new")):
        store.save(stored)
    assert store.read() == (a_pair("new"), elsewhere, other)
    store.save(a_pair("newer", accounts=(1, 2, 3)))
    assert [stored.pair.access_token.reveal() for stored in store.read()] == [
        "newer-access",
        "elsewhere-access",
        "other-access",
    ]


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
def test_only_its_owner_may_read_the_file_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = TokenStore(tmp_path / "kept", DEMO)
        store.save(a_pair("first"))
        descriptor = store.lock()
    finally:
        os.umask(before)
    assert descriptor is not None
    store.unlock(descriptor)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "kept").iterdir()}
    assert modes == {"demo.tokens.json": 0o600, ".demo.tokens.lock": 0o600}
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o700
    assert not store.exposed()
    store.path.chmod(0o640)
    assert store.exposed()
    store.save(a_pair("second"))
    assert not store.exposed()


class _Failing(Disk):
    def __init__(self, at: str) -> None:
        self.at = at

    def write(self, descriptor: int, data: bytes) -> int:
        if self.at == "write":
            os.write(descriptor, data[:20])
            raise OSError(28, "No space left on device")
        return os.write(descriptor, data[:7])  # some of it, as a system call may

    def sync(self, descriptor: int) -> None:
        if self.at == "sync":
            raise OSError(5, "Input/output error")

    def rename(self, path: Path, to: Path) -> None:
        if self.at == "rename":
            raise OSError(13, "Permission denied")
        super().rename(path, to)


@pytest.mark.parametrize("at", ["write", "sync", "rename"])
def test_a_save_that_fails_leaves_what_was_there_and_nothing_beside_it(tmp_path: Path, at: str) -> None:
    TokenStore(tmp_path, DEMO).save(a_pair("old"))
    with pytest.raises(OSError, match=r"No space|error|denied"):
        TokenStore(tmp_path, DEMO, disk=_Failing(at)).save(a_pair("new"))
    assert TokenStore(tmp_path, DEMO).read() == (a_pair("old"),)
    assert [path.name for path in tmp_path.iterdir()] == ["demo.tokens.json"]


def test_a_write_that_takes_only_a_part_is_gone_on_with(tmp_path: Path) -> None:
    TokenStore(tmp_path, DEMO, disk=_Failing("nowhere")).save(a_pair("new"))
    assert TokenStore(tmp_path, DEMO).read() == (a_pair("new"),)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json, but a s3cr3t",
        b'{"version": 2, "environment": "demo", "pairs": []}',
        b'{"version": 1, "environment": "live", "pairs": []}',
        b'{"version": 1, "environment": "demo", "pairs": [{"access_token": "s3cr3t"}]}',
    ],
    ids=["empty", "no json", "newer version", "other environment", "half a pair"],
)
def test_a_file_that_is_not_ours_is_told_without_its_text_and_not_written_over(tmp_path: Path, content: bytes) -> None:
    store = TokenStore(tmp_path, DEMO)
    store.path.write_bytes(content)
    for action in (store.read, lambda: store.save(a_pair("new"))):
        with pytest.raises(TokensUnreadable, match=r"demo\.tokens\.json") as caught:
            action()
        assert "s3cr3t" not in str(caught.value)
        assert caught.value.__cause__ is caught.value.__context__ is None
    assert store.path.read_bytes() == content


def test_the_lock_keeps_a_second_holder_away_until_it_is_given_up(tmp_path: Path) -> None:
    mine, theirs = TokenStore(tmp_path, DEMO), TokenStore(tmp_path, DEMO)
    held = mine.lock()
    assert held is not None
    assert theirs.lock() is None
    live = TokenStore(tmp_path, LIVE).lock()
    assert live is not None
    mine.unlock(held)
    again = theirs.lock()
    assert again is not None
    for descriptor in (live, again):
        mine.unlock(descriptor)
