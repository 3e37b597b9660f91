"""Where the token pairs of one environment lie between two runs: a file of its own, for its owner only. Blocking.

`<folder>/demo.tokens.json` and `<folder>/live.tokens.json`, each beside the lock that keeps a second process away
while one of them rotates a pair. A pair is good for one refresh, so what is lost here is lost for good: a file is
written whole beside the old one, synced, and takes its place in one step.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson

from .disk import Disk
from .errors import CTraderError
from .secret import Secret

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    from .environments import Environment

__all__ = ["StoredPair", "TokenPair", "TokenStore", "TokensUnreadable", "origin_of"]

_VERSION = 1


class TokensUnreadable(CTraderError):
    """The file is there and is not one of ours, or damaged. Nothing was changed: it may hold the only pair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    """What one consent, or one refresh, gave (`ProtoOARefreshTokenRes`).

    Attributes:
        access_token: says on the socket whose accounts are meant.
        refresh_token: good for one refresh, whenever; None where it is not known.
        issued_at_ms: when we got it, UTC milliseconds, or None where that is not known.
        expires_at_ms: the end of the access token, UTC milliseconds, or None where that is not known.
    """

    access_token: Secret
    refresh_token: Secret | None = None
    issued_at_ms: int | None = None
    expires_at_ms: int | None = None

    def renew_at_ms(self, ahead_s: float) -> int | None:
        """When to renew it, UTC milliseconds; None where its end, or its refresh token, is not known.

        Args:
            ahead_s: how long before its end, seconds; at most half its life, or a pair with a short one would be
                renewed again as soon as it is there.
        """
        if self.expires_at_ms is None or self.refresh_token is None:
            return None
        ahead_ms = int(ahead_s * 1000)
        if self.issued_at_ms is not None:
            ahead_ms = min(ahead_ms, (self.expires_at_ms - self.issued_at_ms) // 2)
        return self.expires_at_ms - ahead_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPair:
    """A pair, and whose it is. All accounts of one user and one application share it, and so its rotation.

    Attributes:
        client_id: the application that it was given to.
        user_id: `ProtoOACtidProfile.userId`, or None while it is not known.
        account_ids: the accounts that it covers, as far as they are known.
        pair: the newest pair.
        origin: `origin_of` the pair that somebody gave us and whose place this one has taken, by refreshes or by a
            login; None where there was none.
    """

    client_id: str
    user_id: int | None
    account_ids: tuple[int, ...]
    pair: TokenPair
    origin: str | None = None

    @property
    def is_confirmed(self) -> bool:
        """Whether anything is known of whose it is; one of which nothing is, no session finds."""
        return self.user_id is not None or bool(self.account_ids) or self.origin is not None

    def is_of(self, other: StoredPair) -> bool:
        """Whether both are of one user and one application.

        While a user is not known, a common account tells, or that both came from one pair.
        """
        if self.client_id != other.client_id:
            return False
        if self.user_id is not None and other.user_id is not None:
            return self.user_id == other.user_id
        same_origin = self.origin is not None and self.origin == other.origin
        return same_origin or not set(self.account_ids).isdisjoint(other.account_ids)

    def with_known(self, rows: Iterable[StoredPair]) -> StoredPair:
        """The same with the accounts that it has in the store as well, but for those that are another user's there."""
        known, others = set[int](), set[int]()
        for row in rows:
            if row.pair.access_token == self.pair.access_token:
                known.update(row.account_ids)
            elif not row.is_of(self):
                others.update(row.account_ids)
        return replace(self, account_ids=tuple(sorted({*self.account_ids, *(known - others)})))


def origin_of(access_token: Secret) -> str:
    """What a pair is known by once it has been replaced: a hash of its access token, which tells nothing of it."""
    return hashlib.sha256(access_token.reveal().encode()).hexdigest()


class TokenStore:
    """The token file of one environment.

    Args:
        folder: where it is; made, for its owner only, when something is stored.
        environment: whose tokens.
        disk: the way to the operating system.

    Attributes:
        path: the file.
        lock_path: the lock beside it.
    """

    def __init__(self, folder: Path, environment: Environment, *, disk: Disk | None = None) -> None:
        self.environment = environment
        self.path = folder / f"{environment.value}.tokens.json"
        self.lock_path = folder / f".{environment.value}.tokens.lock"
        self._disk = disk if disk is not None else Disk()

    def read(self) -> tuple[StoredPair, ...]:
        """All pairs, the newest first; none where there is no file.

        Raises:
            TokensUnreadable: the file is not one of ours.
            OSError: it cannot be read.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return ()
        pairs = _pairs_in(content, self.environment)
        if pairs is None:
            # No part of it goes into the text, nor into what is chained to it: it may hold tokens.
            raise TokensUnreadable(
                f"{self.path} is not a token file of {self.environment.value}, or is damaged: "
                f"put it right, or move it away and run `anyctrader login {self.environment.value}`"
            )
        return pairs

    def find(
        self, client_id: str, account_id: int | None, *, origin: str | None = None, user_id: int | None = None
    ) -> StoredPair | None:
        """The newest pair for this application and account, or None.

        Where none covers the account, the one that came from the pair that was given for it: an account id may be
        wrong, and what was given is used up by then.

        Args:
            client_id: the application.
            account_id: the account; None where only the pair tells whose it is.
            origin: `origin_of` the pair that was given for it, or None.
            user_id: whose pair it is, for where no account is named; None while that is not known.

        Raises:
            TokensUnreadable, OSError: see `read`.
        """
        rows = [row for row in self.read() if row.client_id == client_id]
        covering = [row for row in rows if account_id in row.account_ids]
        descending = [row for row in rows if origin is not None and row.origin == origin]
        of_user = [row for row in rows if account_id is None and user_id is not None and row.user_id == user_id]
        return next(iter((*covering, *descending, *of_user)), None)

    def probe(self) -> None:
        """Sees that a pair could be stored now. Hold the lock.

        Raises:
            TokensUnreadable, OSError: see `save`.
        """
        self._write(self.read())

    def save(self, stored: StoredPair, *, instead_of: Collection[Secret] | None = None) -> None:
        """Puts a pair in place of older ones, on the disk when this returns. Hold the lock.

        Args:
            stored: the pair.
            instead_of: the access tokens whose pairs it replaces, next to its own. Other pairs of the same user stay,
                and ahead of it. None, for what somebody has just consented to: it replaces all of the same user.

        Raises:
            TokensUnreadable: the file that is there is not one of ours. Nothing was changed.
            OSError: it could not be written. What was there is there still.
        """
        rows = self.read()
        if instead_of is None:
            gone = [row for row in rows if row.is_of(stored) or row.pair.access_token == stored.pair.access_token]
        else:
            dead = {*instead_of, stored.pair.access_token}
            gone = [row for row in rows if row.client_id == stored.client_id and row.pair.access_token in dead]
        if stored.origin is None:
            stored = replace(stored, origin=next((row.origin for row in gone if row.origin is not None), None))
        others = [row for row in rows if row not in gone]
        last = any(row.is_of(stored) for row in others)
        self._write([*others, stored] if last else [stored, *others])

    def hold(self, client_id: str, pair: TokenPair) -> None:
        """Puts aside a pair of which nothing is known yet, lest it be lost: no session uses it. Hold the lock.

        Raises:
            TokensUnreadable, OSError: see `save`.
        """
        self.save(StoredPair(client_id=client_id, user_id=None, account_ids=(), pair=pair), instead_of=())

    def held(self, client_id: str) -> TokenPair | None:
        """What was put aside for this application, or None.

        Raises:
            TokensUnreadable, OSError: see `read`.
        """
        rows = (row for row in self.read() if row.client_id == client_id and not row.is_confirmed)
        return next((row.pair for row in rows), None)

    def drop(self, pair: TokenPair) -> None:
        """Takes a pair out. Hold the lock.

        Raises:
            TokensUnreadable, OSError: see `save`.
        """
        rows = self.read()
        rest = [row for row in rows if row.pair.access_token != pair.access_token]
        if len(rest) < len(rows):
            self._write(rest)

    def _write(self, pairs: Iterable[StoredPair]) -> None:
        text = _text_of(pairs, self.environment)
        folder = self.path.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = folder / f".{self.path.name}.{os.getpid()}"
        new.unlink(missing_ok=True)  # of a process that had our number and died
        try:
            descriptor = self._disk.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            try:
                rest = text
                while rest:
                    rest = rest[self._disk.write(descriptor, rest) :]
                self._disk.sync(descriptor)
            finally:
                os.close(descriptor)
            self._disk.rename(new, self.path)
        except OSError:
            new.unlink(missing_ok=True)
            raise
        self._disk.sync_folder(folder)

    def lock(self) -> int | None:
        """Takes the lock between processes: its descriptor, to be closed; None where another has it.

        Raises:
            OSError: there can be no lock.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = self._disk.open(self.lock_path, os.O_RDWR | os.O_CREAT)
        try:
            taken = self._disk.lock(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        if taken:
            return descriptor
        os.close(descriptor)
        return None

    def unlock(self, descriptor: int) -> None:
        """Gives the lock up."""
        os.close(descriptor)

    def exposed(self) -> bool:
        """Whether others than its owner may read the file."""
        if sys.platform == "win32":
            return False  # its bits say nothing there
        try:
            return bool(stat.S_IMODE(self.path.stat().st_mode) & 0o077)
        except OSError:
            return False


def _text_of(pairs: Iterable[StoredPair], environment: Environment) -> bytes:
    rows = [
        {
            "client_id": stored.client_id,
            "user_id": stored.user_id,
            "account_ids": list(stored.account_ids),
            "access_token": stored.pair.access_token.reveal(),
            "refresh_token": stored.pair.refresh_token.reveal() if stored.pair.refresh_token is not None else None,
            "issued_at_ms": stored.pair.issued_at_ms,
            "expires_at_ms": stored.pair.expires_at_ms,
            "origin": stored.origin,
        }
        for stored in pairs
    ]
    members = {"version": _VERSION, "environment": environment.value, "pairs": rows}
    return orjson.dumps(members, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _pairs_in(content: bytes, environment: Environment) -> tuple[StoredPair, ...] | None:
    """What a file holds; None, and not an error that would carry the text, where it is not one of ours."""
    try:
        members = orjson.loads(content)
    except ValueError:
        return None
    match members:
        case {"version": 1, "environment": environment.value, "pairs": list(rows)}:
            pairs = [_pair_of(row) for row in rows]
            return None if None in pairs else tuple(pair for pair in pairs if pair is not None)
    return None


def _pair_of(row: Any) -> StoredPair | None:
    match row:
        case {
            "client_id": str(client_id),
            "user_id": int() | None as user_id,
            "account_ids": list(account_ids),
            "access_token": str(access_token),
            "refresh_token": str() | None as refresh_token,
            "issued_at_ms": int() | None as issued_at_ms,
            "expires_at_ms": int() | None as expires_at_ms,
            "origin": str() | None as origin,
        } if access_token and all(isinstance(id_, int) for id_ in account_ids):
            return StoredPair(
                client_id=client_id,
                user_id=user_id,
                account_ids=tuple(account_ids),
                pair=TokenPair(
                    access_token=Secret(access_token),
                    refresh_token=Secret(refresh_token) if refresh_token else None,
                    issued_at_ms=issued_at_ms,
                    expires_at_ms=expires_at_ms,
                ),
                origin=origin,
            )
    return None
