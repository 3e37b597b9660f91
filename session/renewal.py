"""A new pair of tokens, asked for over a link, once for each pair on each, by a task that nobody else's end reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from . import auth, clock
from .errors import NotSent, RateLimited
from .patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from anyio.abc import TaskGroup

    from .environments import Environment
    from .errors import ConnectFailed
    from .link import Link
    from .secret import Secret
    from .settings import Timings
    from .token_store import TokenPair
    from .tokens import TokenVault

__all__ = ["Renewal"]

_NEW_MS = 60_000


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
        self._asked: tuple[Link, TokenPair] | None = None  # where a new pair was asked for last, and with which
        self._patience = Patience()  # with renewals that are refused for their rate; it outlives the link

    def may(self, link: Link) -> bool:
        """Not twice on one link for one pair, and not for a pair that is new and refused already."""
        pair = self._vault.pair
        asked = self._asked is not None and self._asked[0] is link and self._asked[1] == pair
        new = pair.issued_at_ms is not None and clock.utc_ms() - pair.issued_at_ms < _NEW_MS
        return not asked and not new

    async def ask(self, link: Link) -> bool:
        """Asks for a new pair, unless the store has one; whether another counts from now on.

        Cancelled, it goes on by itself.

        Raises:
            AuthenticationFailed: the server refused it.
            ConnectFailed: the store cannot be used, or does not take the new pair: then it is asked on and on.
            RequestFailed: the server could not just now, or the link has ended.
        """
        done = anyio.Event()
        results: list[bool] = []
        failures: list[Exception] = []
        self._asked = (link, self._vault.pair)

        def stuck(error: ConnectFailed) -> None:
            failures.append(error)
            done.set()
            self._stuck(str(error))

        async def run() -> None:
            try:
                newer = await self._vault.refresh(
                    lambda token: self._question(link, token),
                    used=self._vault.pair,
                    idle=lambda: link.over is not None,
                    stuck=stuck,
                )
                self._counts()
                results.append(newer)
            except Exception as error:
                failures.append(error)  # raised where it is waited for
            finally:
                done.set()

        if self.tasks is None:
            raise NotSent("the tokens are not renewed: the session has ended")
        self.tasks.start_soon(run)
        await done.wait()
        if failures:
            raise failures[0]
        if not results:
            raise NotSent("the tokens were not renewed: the session has ended")
        return results[0]

    async def _question(self, link: Link, refresh_token: Secret) -> TokenPair:
        if left_s := self._patience.left_s(now_s=clock.now_s()):
            text = f"a new pair of tokens is not asked for before another {left_s:.0f} s have gone"
            raise RateLimited("REQUEST_FREQUENCY_EXCEEDED", text, retry_after_s=left_s)
        # The sessions on the old token end with this (section 7): what is asked from here on waits for the new one.
        self._begins()
        try:
            async with self.asking:
                with self._held():  # an answer that is lost because we leave would be a pair that is lost
                    pair = await auth.refresh_tokens(
                        link, refresh_token, environment=self._environment, timeout_s=self._timings.request_s
                    )
        except RateLimited as error:
            self._patience.refused(retry_after_s=error.retry_after_s, now_s=clock.now_s())
            raise
        self._patience.accepted()
        self._heard(pair)
        return pair
