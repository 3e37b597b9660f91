"""What one account is subscribed to at the server: asked for, asked for again after a loss, and given up."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from ..wire import messages as oa
from .errors import CTraderError, NotSent, OutcomeUnknown, RateLimited, ServerError
from .refusals import is_already_subscribed, is_final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from .link import Link
    from .raw_subscriptions import RawSubscriptions
    from .subscriptions import SpotBoard, SpotStream
    from .symbols import Symbol

__all__ = ["Subscriber"]

_FAREWELL_S = 1.0  # an unsubscription is a courtesy: the server drops all of them with the link

_TOGETHER = 10
"""Subscriptions that are under way at a time: at an answer's usual 50 ms they use the whole budget of a second, and
what opens waits for a fifth of a second behind them."""


class _Owner(Protocol):
    """The account that they are of."""

    id: int
    board: SpotBoard
    raw: RawSubscriptions

    async def ask(self, payload: Any) -> Any:
        """A read of the session's own."""

    async def request(self, payload: Any, *, timeout_s: float | None = None) -> Any:
        """A read like a caller's."""

    def name_of(self, symbol_id: int) -> str:
        """The name for a symbol id."""


class _Linked(Protocol):
    """Its session."""

    @property
    def link(self) -> Link | None:
        """The present one, or None."""


@dataclass(slots=True)
class _Again:
    """What became of asking again.

    Attributes:
        lost: what the server cannot give, a sentence each.
        waiting: why some could not be had now, or None.
        held: kinds of requests of which no more is to be asked just now.
    """

    lost: list[str]
    waiting: CTraderError | None
    held: set[type] = field(default_factory=set)


class Subscriber:
    """Asks for them, and again.

    Args:
        account: whose.
        session: whose link they belong to.
    """

    def __init__(self, account: _Owner, session: _Linked) -> None:
        self._account = account
        self._session = session
        self._board = account.board
        self._raw = account.raw
        self._asking = anyio.Lock()
        self._all_gone = False  # all of them went with the account's session
        self._gone: set[int] = set()  # the symbols whose quotes a caller's own request ended

    async def join(self, symbols: Sequence[Symbol], stream: SpotStream) -> None:
        """A stream wants the quotes of these.

        Raises:
            ServerError: the server refused them.
        """
        async with self._asking:
            await self._subscribe([symbol.id for symbol in symbols if self._board.join(symbol.id, symbol.name, stream)])

    async def leave(self, symbols: Sequence[Symbol], stream: SpotStream) -> None:
        """A stream wants them no more. Waits a second at the most, a cancellation does not cut it short."""
        unwanted = [symbol.id for symbol in symbols if self._board.leave(symbol.id, stream)]
        if unwanted:
            with anyio.move_on_after(_FAREWELL_S, shield=True):
                await self._unsubscribe(unwanted)

    async def _subscribe(self, symbol_ids: list[int]) -> None:
        if not symbol_ids:
            return
        request = oa.ProtoOASubscribeSpotsReq(symbolId=symbol_ids, subscribeToSpotTimestamp=True)
        request.ctidTraderAccountId = self._account.id  # complete, it is passed on as it is, and known again
        try:
            with self._raw.leaving_out(request):
                await self._account.ask(request)
        except ServerError as error:
            if not is_already_subscribed(error):
                raise
            # Section 19: one that is subscribed already may have the whole list refused.
            if len(symbol_ids) > 1:
                for symbol_id in symbol_ids:
                    await self._subscribe([symbol_id])

    async def _unsubscribe(self, symbol_ids: list[int]) -> None:
        async with self._asking:
            gone = [id_ for id_ in symbol_ids if id_ not in self._board.wanted and not self._raw.takes_over(id_)]
            if not gone or self._session.link is None:  # no subscription outlives its link
                return
            try:
                await self._account.request(oa.ProtoOAUnsubscribeSpotsReq(symbolId=gone), timeout_s=_FAREWELL_S)
            except CTraderError:
                pass  # the link is gone, and the subscription with it; or the server talks on and nobody listens

    @contextmanager
    def noting(self, request: Any, ended: Callable[[], None]) -> Iterator[None]:
        """Within it, a read of whoever it may be is under way: what it begins or ends counts when it is answered.

        Args:
            request: what is asked for.
            ended: called where it may have ended quotes that a stream hears: they are to be asked for again.
        """
        try:
            yield
        except ServerError as error:
            if is_already_subscribed(error):  # by somebody else here: whoever leaves first must not end it for both
                self._raw.answered(request)
            raise
        except (OutcomeUnknown, anyio.get_cancelled_exc_class()):  # it may have been done
            self._look_at(request, ended)
            raise
        self._raw.answered(request)
        self._look_at(request, ended)

    def _look_at(self, request: Any, ended: Callable[[], None]) -> None:
        if isinstance(request, oa.ProtoOAUnsubscribeSpotsReq):
            heard = set(self._board.wanted).intersection(request.symbolId)
            self._gone |= heard
            if heard:
                ended()

    def lost(self) -> None:
        """The account's session is gone, and all of them with it."""
        self._all_gone = True
        self._raw.lost()

    @property
    def is_silent(self) -> bool:
        """Whether some are to be asked for again."""
        return self._all_gone or bool(self.missing)

    @property
    def missing(self) -> int:
        """How many are not back yet."""
        return len(self._board.wanted if self._all_gone else self._gone) + self._raw.missing

    async def resubscribe(self) -> tuple[list[str], CTraderError | None]:
        """Asks again for the quotes that somebody hears, then for what callers have subscribed to themselves.

        Where the account's session is still there, only for what is missing. Cut short, it has what was answered.

        Returns:
            what the server says that it cannot give, a sentence each: it is not asked for again, and streams of such
            quotes end with the server's error. And why some of the rest could not be had now, where it could not:
            to be called again.
        """
        all_gone, gone = self._all_gone, self._gone
        self._all_gone, self._gone, done = False, set(), False
        try:
            lost, waiting = await self._quotes(self._board.wanted if all_gone else gone)
            done = waiting is None
        finally:
            if not done:  # or cut short
                self._all_gone |= all_gone
                self._gone |= gone
        again = _Again(lost, waiting)
        for wave in self._raw.waves():
            await self._ask_together(wave, again)
        return again.lost, again.waiting

    async def _ask_together(self, wave: list[Any], again: _Again) -> None:
        requests, failures = deque(wave), list[CTraderError]()

        async def work() -> None:
            while requests and not failures:
                try:
                    await self._ask_again(requests.popleft(), again)
                except CTraderError as error:
                    failures.append(error)

        async with anyio.create_task_group() as tasks:
            for _ in range(min(_TOGETHER, len(requests))):
                tasks.start_soon(work)
        if failures:
            raise failures[0]

    async def _ask_again(self, request: Any, again: _Again) -> None:
        kind = type(request)
        if kind in again.held:
            return
        try:
            await self._account.ask(request)
        except (ServerError, NotSent, OutcomeUnknown) as error:
            if is_already_subscribed(error):
                return
            needs_spots = again.waiting is not None and getattr(error, "code", "") == "NOT_SUBSCRIBED_TO_SPOTS"
            if is_final(error) and not needs_spots:
                self._raw.gone(request)
                again.lost.append(f"{kind.__name__} of symbol {_symbol_of(request)}: {error}")
                return
            again.waiting = again.waiting if again.waiting is not None else error
            self._raw.defer(request)  # the next time, those behind it come first
            if not isinstance(error, ServerError) or isinstance(error, RateLimited):
                again.held.add(kind)

    async def _quotes(self, symbol_ids: Collection[int]) -> tuple[list[str], CTraderError | None]:
        lost: list[str] = []
        waiting: CTraderError | None = None
        async with self._asking:
            wanted = [id_ for id_ in self._board.wanted if id_ in symbol_ids]
            try:
                await self._subscribe(wanted)
            except (RateLimited, NotSent, OutcomeUnknown) as error:
                return lost, error
            except ServerError:
                pass  # which of them it is about is not said
            else:
                return lost, waiting
            for symbol_id in wanted:
                try:
                    await self._subscribe([symbol_id])
                except (RateLimited, NotSent, OutcomeUnknown) as error:
                    return lost, error
                except ServerError as error:
                    if is_final(error):
                        lost.append(f"quotes of {self._account.name_of(symbol_id)}: {error}")
                        self._board.drop(symbol_id, error)
                    else:
                        waiting = error
        return lost, waiting


def _symbol_of(request: Any) -> int:
    symbol_id = request.symbolId
    return symbol_id if isinstance(symbol_id, int) else symbol_id[0]
