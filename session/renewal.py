"""A new pair of tokens, asked for over a link, once for each pair on each, by a task that nobody else's end reaches."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import anyio

from . import auth, clock
from .errors import AuthenticationFailed, ConnectFailed, NotSent, OutcomeUnknown, RateLimited, RequestFailed
from .patience import Patience
from .respite import Respite

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager

    from anyio.abc import TaskGroup

    from .environments import Environment
    from .link import Link
    from .secret import Secret
    from .settings import Timings
    from .token_store import StoredPair, TokenPair
    from .tokens import TokenVault

__all__ = ["Renewal"]

_GIVE_UP_S = 60.0  # as long as a silent server is waited for (docs/protocol.md section 4): others want the lock
_LONGEST_SPELL_S = 60.0
_AFTER_RENEWAL_S = 1.0  # whatever life the server gives a token: not in a circle
_AFTER_FAILURE_S = 60.0


@dataclass(slots=True, eq=False)
class _Attempt:
    """One renewal.

    Attributes:
        link: where it is asked for.
        used: the pair that it uses up.
        over: set when those who wait for it know what came of it.
        newer: whether another pair counts, then; None where the session ended first.
        failure: why none does, or why nothing works before the disk takes it.
        answered: set when the server has answered, or cannot any more.
        pair: what it answered.
        error: why it did not.
        left: nobody waits for the answer any more.
    """

    link: Link
    used: StoredPair
    over: anyio.Event = field(default_factory=anyio.Event)
    newer: bool | None = None
    failure: Exception | None = None
    answered: anyio.Event = field(default_factory=anyio.Event)
    pair: TokenPair | None = None
    error: Exception | None = None
    left: bool = False

    @property
    def is_open(self) -> bool:
        """Whether something may come of it yet."""
        return not self.over.is_set() or (self.left and not self.answered.is_set())

    def result(self) -> bool:
        if self.failure is not None:
            raise self.failure
        if self.newer is None:
            raise NotSent("the tokens were not renewed: the session has ended")
        return self.newer


class Renewal:
    """How the pair of one session is renewed.

    Args:
        vault: keeps the pair.
        environment: whose tokens.
        timings: deadlines.
        held: within it a link is not cancelled from outside.
        begins: told before a new pair is asked for: what was authorised with the old one ends with that.
        heard: told the new pair, before it counts.
        counts: told that it counts, before anybody who waited for it goes on.
        stuck: told why nothing works on the present link until the disk takes a new pair.
        note: writes a line for people.

    Attributes:
        tasks: where it runs, for as long as the session lives: a link may end before the new pair is stored.
        asking: held while the server is asked; the link must not be left meanwhile.
    """

    def __init__(
        self,
        vault: TokenVault,
        *,
        environment: Environment,
        timings: Timings,
        held: Callable[[], AbstractContextManager[None]],
        begins: Callable[[], None],
        heard: Callable[[TokenPair], None],
        counts: Callable[[], None],
        stuck: Callable[[str], None],
        note: Callable[..., None],
    ) -> None:
        self.tasks: TaskGroup | None = None
        self.asking = anyio.Lock()
        self._vault = vault
        self._environment = environment
        self._timings = timings
        self._held = held
        self._begins = begins
        self._heard = heard
        self._counts = counts
        self._stuck = stuck
        self._note = note
        self._last: _Attempt | None = None
        self._patience = Patience()  # with renewals that are refused for their rate; it outlives the link
        self._respite = Respite()  # from pairs that do not last; it does, too

    async def ask(self, link: Link) -> bool:
        """Asks for a new pair, unless the store has one; whether another counts from now on.

        Cancelled, it goes on by itself. One that is under way on this link is waited for, and no other asked for.

        Raises:
            AuthenticationFailed: the server refused it.
            ConnectFailed: the store cannot be used, or does not take the new pair: then it is asked on and on.
            RequestFailed: the server could not just now, did not answer for long, or the link has ended.
        """
        attempt = self._here(link)
        if attempt is None or not attempt.is_open:
            if self.tasks is None:
                raise NotSent("the tokens are not renewed: the session has ended")
            attempt = self._last = _Attempt(link, self._vault.stored)
            self.tasks.start_soon(self._run, attempt)
        await attempt.over.wait()
        return attempt.result()

    async def ask_once(self, link: Link) -> bool:
        """The same for a pair that is refused: what has come of it on this link stands.

        Raises:
            NotSent: the pairs of late did not last: for some time none is asked for.
            See `ask`.
        """
        attempt = self._here(link)
        if attempt is not None:
            await attempt.over.wait()
            return attempt.result()
        if left_s := self._respite.left_s(now_s=clock.now_s()):
            raise NotSent(
                f"the access token of {self._environment.value} was refused soon after it was renewed, again: "
                f"another one is not asked for before {left_s:.0f} s have gone"
            )
        return await self.ask(link)

    async def keep_fresh(
        self, link: Link, *, look: Callable[[], Awaitable[None]], another: Callable[[], Awaitable[None]]
    ) -> None:
        """Asks for a new pair ahead of the end of each, for as long as the link lives.

        A renewal that fails is told, and the next one is tried when half of the time that is left has gone.

        Args:
            link: where.
            look: looks into the store.
            another: returns when another pair counts.
        """
        while True:
            at_ms = self._vault.pair.renew_at_ms(self._timings.refresh_ahead_s)
            # The end of this one may not be known; that of the next one may be.
            left_s = math.inf if at_ms is None else (at_ms - clock.utc_ms()) / 1000
            try:
                if left_s > 0:
                    # In short spells: a clock may be set, a machine may sleep, another process may renew it first, and
                    # its file may be gone.
                    with anyio.move_on_after(min(left_s, _LONGEST_SPELL_S)):
                        await another()
                    await look()
                    continue
                await self.ask(link)
                await anyio.sleep(_AFTER_RENEWAL_S)
            except AuthenticationFailed as error:
                self._note("tokens", error=str(error), why="it was to be renewed ahead of its end")
                await another()
            except (RequestFailed, ConnectFailed) as error:
                self._note("tokens", error=str(error), why="it was to be renewed ahead of its end, and will be later")
                expires_ms = self._vault.pair.expires_at_ms or 0
                await anyio.sleep(max(_AFTER_FAILURE_S, (expires_ms - clock.utc_ms()) / 2000))

    def _here(self, link: Link) -> _Attempt | None:
        """The attempt that was made on this link to renew this pair."""
        last = self._last
        return last if last is not None and last.link is link and last.used.pair == self._vault.pair else None

    async def _run(self, attempt: _Attempt) -> None:
        try:
            newer = await self._vault.refresh(
                partial(self._question, attempt),
                used=attempt.used.pair,
                idle=lambda: attempt.link.over is not None,
                stuck=partial(self._stand_still, attempt),
            )
            self._counts()
            attempt.newer = newer
        except Exception as error:
            attempt.failure = error  # raised where it is waited for
        finally:
            attempt.over.set()

    def _stand_still(self, attempt: _Attempt, error: ConnectFailed) -> None:
        attempt.failure = error
        attempt.over.set()
        self._stuck(str(error))

    async def _question(self, attempt: _Attempt, refresh_token: Secret) -> TokenPair:
        """The server's answer. Once it is late, it holds nobody up who can do with the old pair.

        Nobody waits for ever: in the end it is left to `_listen`.
        """
        if left_s := self._patience.left_s(now_s=clock.now_s()):
            text = f"a new pair of tokens is not asked for before another {left_s:.0f} s have gone"
            raise RateLimited("REQUEST_FREQUENCY_EXCEEDED", text, retry_after_s=left_s)
        assert self.tasks is not None
        # The sessions on the old token end with this (section 7): what is asked from here on waits for the new one.
        self._begins()
        async with self.asking:
            with self._held():  # an answer that is lost because we leave would be a pair that is lost
                self.tasks.start_soon(self._listen, attempt, refresh_token)
                request_s = self._timings.request_s
                with anyio.move_on_after(request_s):
                    await attempt.answered.wait()
                if not attempt.answered.is_set():
                    why = f"a renewal of the tokens is not answered within {request_s:g} s"
                    self._vault.rotation.falls_behind(why)
                    self._note("tokens", warning=f"{why}: it is waited for")
                with anyio.move_on_after(max(0.0, _GIVE_UP_S - request_s)):
                    await attempt.answered.wait()
        if attempt.pair is not None:
            return attempt.pair
        if attempt.error is not None:
            raise attempt.error
        attempt.left = True
        raise OutcomeUnknown(f"a new pair of tokens was asked for, and there was no answer within {_GIVE_UP_S:g} s")

    async def _listen(self, attempt: _Attempt, refresh_token: Secret) -> None:
        """Hears the answer for as long as the link lives, whoever waits for it or does not any more."""
        with anyio.CancelScope(shield=True):  # ends with the link
            try:
                pair = await auth.refresh_tokens(
                    attempt.link,
                    refresh_token,
                    environment=self._environment,
                    leave_within_s=self._timings.request_s,
                )
            except Exception as error:
                attempt.error = error
                if isinstance(error, RateLimited):
                    self._patience.refused(retry_after_s=error.retry_after_s, now_s=clock.now_s())
            else:
                attempt.pair = pair
                self._patience.accepted()
                self._respite.renewed(now_s=clock.now_s())
                self._heard(pair)
            attempt.answered.set()
        if not attempt.left:
            return
        if attempt.pair is not None:
            await self._vault.keep(attempt.used, attempt.pair, stuck=partial(self._stand_still, attempt))
            self._counts()
        elif attempt.error is not None:
            attempt.failure = attempt.error
            self._note("tokens", error=str(attempt.error), why="the answer to a renewal that was given up")
