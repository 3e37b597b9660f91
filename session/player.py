"""A recording played back as the client, to a server: its requests, each when what it goes by has come."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from ..wire import messages as oa
from .errors import CTraderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anyio.abc import TaskStatus

    from .account import Account
    from .client import Session
    from .conversation import Conversation, Exchange, Said
    from .replay import Pace

__all__ = ["Outcome", "play_to_server"]

_ANSWER_S = 30.0  # how long a request waits for what came before it in the recording
_EVENT_S = 10.0  # likewise for each event: a market order fills in well under a second, and another may never fill now
_FILLED_IN = ("accessToken",)
_NAMES = ("positionId", "orderId")
_KEPT_IDS: Any = (("position", "positionId"), ("order", "orderId"))
_OF_ALL = (oa.ProtoOAReconcileReq, oa.ProtoOATraderReq, oa.ProtoOADealListReq, oa.ProtoOAOrderListReq)
_SKIPPED = ("ProtoOAApplicationAuthReq", "ProtoOARefreshTokenReq")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request that was said again.

    Attributes:
        name: of the request.
        error: why it has no answer, or None.
        skipped: why it was not said at all, or None.
    """

    name: str
    error: CTraderError | None = None
    skipped: str | None = None


async def play_to_server(
    conversation: Conversation,
    session: Session,
    *,
    pace: Pace,
    told: Callable[[Outcome], None],
) -> None:
    """Says the requests of a recorded connection again, in their order, through the session: its guard, limits, audit.

    What the session does by itself is not said twice: the application's auth. A token is never refreshed. An account is
    authorised by the session; tokens are those that the session uses. A request waits for the answers that came before
    it when it was recorded, and one that names a position or an order, or asks for all, for the executions before it:
    10 s each.
    Positions and orders that the replay opens are meant where the recording closes, amends or cancels its own.

    Args:
        conversation: what was recorded.
        session: to the server.
        pace: how fast.
        told: what became of each request, as they end.
    """
    async with anyio.create_task_group() as listeners:
        player = _Player(session, heard=_Executions(conversation), told=told, listen=listeners.start)
        async with anyio.create_task_group() as tasks:
            done: list[tuple[Exchange, anyio.Event]] = []
            last_s: float | None = None
            for exchange in conversation.exchanges:
                request = exchange.request
                for earlier, event in done:
                    if earlier.answers and earlier.answers[0].index < request.index:
                        with anyio.move_on_after(_ANSWER_S):
                            await event.wait()
                if last_s is not None:
                    await anyio.sleep(pace.wait_s(request.at_s - last_s))
                last_s = request.at_s
                await player.heard.came_before(request)
                if pace.step is not None:
                    await pace.step(request.message)
                event = anyio.Event()
                done = [(each, waits) for each, waits in done if not waits.is_set()]
                done.append((exchange, event))
                tasks.start_soon(player.play, exchange, event)
        listeners.cancel_scope.cancel()


class _Executions:
    """The execution events of the recording beside those of now: which of them a request goes by, and whether it came.

    Attributes:
        ids: positions and orders of the recording, and those of now that stand for them.
        accounts: those whose events are heard.
    """

    def __init__(self, conversation: Conversation) -> None:
        self.ids: dict[tuple[str, int], int] = {}
        self.accounts: set[int] = set()
        answers = (said for exchange in conversation.exchanges for said in exchange.answers)
        self._answers = deque(sorted(answers, key=lambda said: said.index))
        self._unasked = conversation.unasked()
        self._next = next(self._unasked, None)
        self._recorded: list[Any] = []  # those that no request has gone by yet
        self._heard: dict[tuple[int, int], list[Any]] = defaultdict(list)  # by order and kind
        self._met: Counter[tuple[int, int]] = Counter()
        self._news = anyio.Event()

    def hear(self, event: Any) -> None:
        """An execution event of now."""
        self._heard[_kind_of(event)].append(event)
        self._news.set()
        self._news = anyio.Event()

    def learn(self, recorded: Any, now: Any) -> None:
        """Which position and order of now stand for those of the recording."""
        for part, name in _KEPT_IDS:
            if recorded.HasField(part) and now.HasField(part):
                self.ids[name, getattr(getattr(recorded, part), name)] = getattr(getattr(now, part), name)

    async def came_before(self, request: Said) -> None:
        """Returns when the executions of what a request names have come that were recorded ahead of it, or are late."""
        for said in self._up_to(request.index):
            if _is_execution(said.message):
                self._recorded.append(said.message.payload)
        payload = request.message.payload
        wanted = [event for event in self._recorded if _goes_by(payload, event)]
        self._recorded = [event for event in self._recorded if event not in wanted]
        for event in wanted:
            await self._comes(event)

    async def _comes(self, recorded: Any) -> None:
        order = self.ids.get(("orderId", recorded.order.orderId))
        if order is None or recorded.ctidTraderAccountId not in self.accounts:
            return  # nothing of now stands for that order: it was not taken, or the replay did not place it
        kind = (order, recorded.executionType)
        with anyio.move_on_after(_EVENT_S):
            while len(self._heard[kind]) <= self._met[kind]:
                await self._news.wait()
            self.learn(recorded, self._heard[kind][self._met[kind]])
            self._met[kind] += 1

    def _up_to(self, index: int) -> Iterator[Said]:
        while self._answers and self._answers[0].index < index:
            yield self._answers.popleft()
        while self._next is not None and self._next.index < index:
            yield self._next
            self._next = next(self._unasked, None)


def _goes_by(payload: Any, event: Any) -> bool:
    """Whether a request asks for what an execution has changed: its position, its order, or all of them."""
    if isinstance(payload, _OF_ALL):
        return bool(payload.ctidTraderAccountId == event.ctidTraderAccountId)
    fields = payload.DESCRIPTOR.fields_by_name if hasattr(payload, "DESCRIPTOR") else {}
    return any(
        name in fields
        and payload.HasField(name)
        and event.HasField(part)
        and getattr(getattr(event, part), name) == getattr(payload, name)
        for part, name in _KEPT_IDS
    )


def _kind_of(event: Any) -> tuple[int, int]:
    return event.order.orderId, event.executionType


class _Player:
    """Says one recorded request after the other."""

    def __init__(
        self,
        session: Session,
        *,
        heard: _Executions,
        told: Callable[[Outcome], None],
        listen: Callable[..., Any],
    ) -> None:
        self.heard = heard
        self._session = session
        self._told = told
        self._listen = listen

    async def play(self, exchange: Exchange, done: anyio.Event) -> None:
        name = exchange.name
        try:
            if name in _SKIPPED:
                why = "a token is never refreshed by a replay" if "Refresh" in name else "the session has said it"
                self._told(Outcome(name, skipped=why))
                return
            payload = exchange.request.message.payload
            if name == "ProtoOAAccountAuthReq":
                account = await self._session.authorize(payload.ctidTraderAccountId)
                if account.id not in self.heard.accounts:  # over a reconnect it was authorised again
                    await self._listen(self._hear, account)
            else:
                answer = await self._session.request(self._filled_in(payload))
                self._learn(exchange, answer)
        except CTraderError as error:
            self._told(Outcome(name, error=error))
        except TypeError as error:  # no message of the schema: nothing left
            self._told(Outcome(name, skipped=str(error)))
        else:
            self._told(Outcome(name))
        finally:
            done.set()

    async def _hear(self, account: Account, *, task_status: TaskStatus[None]) -> None:
        async with account.events(wanted=_is_execution) as events:
            self.heard.accounts.add(account.id)
            task_status.started()
            try:
                async for message in events:
                    self.heard.hear(message.payload)
            except CTraderError:
                self.heard.accounts.discard(account.id)  # whoever waits for more of them waits to no end

    def _filled_in(self, recorded: Any) -> Any:
        payload = type(recorded)()
        payload.CopyFrom(recorded)
        fields = payload.DESCRIPTOR.fields_by_name
        for name in _FILLED_IN:
            if name in fields:
                setattr(payload, name, self._session.credentials.access_token.reveal())
        for name in _NAMES:
            if name in fields and payload.HasField(name):
                setattr(payload, name, self.heard.ids.get((name, getattr(payload, name)), getattr(payload, name)))
        return payload

    def _learn(self, exchange: Exchange, answer: Any) -> None:
        if not isinstance(answer, oa.ProtoOAExecutionEvent) or not exchange.answers:
            return
        recorded = exchange.answers[0].message.payload
        if isinstance(recorded, oa.ProtoOAExecutionEvent):
            self.heard.learn(recorded, answer)


def _is_execution(message: Any) -> bool:
    return isinstance(message.payload, oa.ProtoOAExecutionEvent)
