"""Everything at once: random faults on demo and live while they trade, ask and listen; afterwards all of it adds up.

A few seconds by default. `ANYCTRADER_CHAOS_S=300` makes it minutes, `ANYCTRADER_CHAOS_SEED=7` another day:

    ANYCTRADER_CHAOS_S=300 python -m pytest tests/session/test_chaos.py --timeout 900
"""

from __future__ import annotations

import gc
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import FakeServer, Host, faults
from anyctrader.fake.injection import Fault
from anyctrader.fake.refused import Refused as Denied
from anyctrader.session import (
    EVERY,
    LATEST,
    CTraderError,
    Desk,
    Environment,
    LimitOrder,
    Limits,
    MarketOrder,
    NotSent,
    OrderState,
    OutcomeUnknown,
    Refused,
    Secret,
    ServerError,
    SessionState,
    Side,
    clock,
    open_desk,
)
from anyctrader.session.link import Link
from anyctrader.session.token_store import StoredPair, TokenPair, TokenStore
from anyctrader.wire import messages as oa

from .rig import EURUSD, QUICK, a_server, audit_of, blocked, credentials_of, desk_settings, environment_of, side_of

DURATION_S = float(os.environ.get("ANYCTRADER_CHAOS_S", "4"))
SEED = int(os.environ.get("ANYCTRADER_CHAOS_SEED", "1"))
SETTLE_S = 60.0  # a busy machine; an idle one needs a second or two

pytestmark = [pytest.mark.anyio, pytest.mark.uvloop, pytest.mark.timeout(DURATION_S * 2 + 120)]

TIMINGS = replace(QUICK, heartbeat_s=0.4, watchdog_s=1.2, connect_s=5.0, request_s=2.0, order_queue_s=0.5)
SYMBOLS = ("EURUSD", "GBPUSD", "USDJPY")
HISTORY_S = 3_600
FLOOD = 60
SESSION = "anyctrader.session"
MOST_LEFT = 500  # objects
PER_ORDER = 10  # objects


@dataclass
class Ground:
    """One environment, and what was done there.

    Attributes:
        tokens: every access token that its server ever gave.
        begun: how many requests were begun, by kind.
        ended: how each of them ended, by kind and outcome.
        struck: the faults that it had.
    """

    server: FakeServer
    store: TokenStore
    chance: random.Random
    tokens: set[str] = field(default_factory=set)
    begun: Counter[str] = field(default_factory=Counter)
    ended: Counter[tuple[str, str]] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)

    @property
    def environment(self) -> Environment:
        return environment_of(self.server)

    def stored(self) -> StoredPair:
        now_ms = clock.utc_ms()
        return StoredPair(
            client_id=self.server.client_id,
            user_id=None,
            account_ids=(self.server.account_id,),
            pair=TokenPair(
                access_token=Secret(self.server.access_token),
                refresh_token=Secret(self.server.refresh_token),
                issued_at_ms=now_ms,
                expires_at_ms=now_ms + 86_400_000 * 30,
            ),
        )

    async def counted(self, kind: str, operation: Callable[[], Awaitable[Any]]) -> Any:
        """One request: it ends in exactly one of the ways that there are."""
        self.begun[kind] += 1
        try:
            answer = await operation()
        except (NotSent, Refused, OutcomeUnknown, ServerError) as error:  # any other one is a fault, and fails the test
            ways = (NotSent, Refused, OutcomeUnknown, ServerError)
            self.ended[kind, next(way.__name__ for way in ways if isinstance(error, way))] += 1
            return None
        self.ended[kind, "answered"] += 1
        return answer

    @property
    def answered(self) -> int:
        return sum(count for (_, outcome), count in self.ended.items() if outcome == "answered")


# What goes on


async def reading(side: Ground, desk: Desk) -> None:
    """Asks for symbols, and each answer is the one to its question."""
    while True:
        symbol_id = side.chance.choice((1, 2, 4))
        account = desk.account(side.environment)
        request = oa.ProtoOASymbolByIdReq(symbolId=[symbol_id])
        answer = await side.counted("read", partial(account.request, request))
        if answer is not None:
            assert [symbol.symbolId for symbol in answer.symbol] == [symbol_id]
            assert answer.ctidTraderAccountId == side.server.account_id
        await anyio.sleep(side.chance.uniform(0, 0.05))


async def looking_back(side: Ground, desk: Desk) -> None:
    while True:
        now_ms = clock.utc_ms()
        request = oa.ProtoOADealListReq(fromTimestamp=now_ms - HISTORY_S * 1000, toTimestamp=now_ms, maxRows=10)
        account = desk.account(side.environment)
        await side.counted("history", partial(account.request, request))
        await anyio.sleep(side.chance.uniform(0, 0.5))


async def trading(side: Ground, desk: Desk) -> None:
    environment, chance = side.environment, side.chance
    while True:
        kind = chance.random()
        if kind < 0.4:
            ticket: Any = MarketOrder("EURUSD", chance.choice((Side.BUY, Side.SELL)), lots="0.01")
            await side.counted("market", partial(desk.place, environment, ticket))
        elif kind < 0.6:
            ticket = LimitOrder("EURUSD", Side.BUY, lots="0.01", price="0.9")
            await side.counted("limit", partial(desk.place, environment, ticket))
        elif kind < 0.8:
            if closing := open_positions(desk, environment):
                position_id = chance.choice(closing)
                await side.counted("close", partial(desk.close, environment, position_id))
        else:
            waiting = [order.order_id for order in desk.orders.values() if order.state is OrderState.ACCEPTED]
            mine = [order.id for order in pending(desk, environment) if order.id in waiting]
            if mine:
                await side.counted("cancel", partial(desk.cancel, environment, chance.choice(mine)))
        await anyio.sleep(chance.uniform(0, 0.1))


def open_positions(desk: Desk, environment: Environment) -> list[int]:
    try:
        return [position.id for position in desk.positions(environment)]
    except NotSent:
        return []


def pending(desk: Desk, environment: Environment) -> Any:
    try:
        return desk.pending_orders(environment)
    except NotSent:
        return ()


async def flooding(side: Ground, desk: Desk) -> None:
    """More reads at once than may leave within a second, each of which has an end of its own."""
    account = desk.account(side.environment)
    while True:
        async with anyio.create_task_group() as tasks:
            for _ in range(FLOOD):
                tasks.start_soon(side.counted, "flood", partial(account.request, oa.ProtoOATraderReq()))
        await anyio.sleep(side.chance.uniform(0, 1.0))


async def listening(side: Ground, desk: Desk) -> None:
    """Comes and goes: subscriptions are begun and left while all else happens."""
    while True:
        names = side.chance.sample(SYMBOLS[:2], side.chance.randint(1, 2))
        policy = side.chance.choice((LATEST, EVERY))

        async def some(names: list[str] = names, policy: Any = policy) -> None:
            async with desk.account(side.environment).spots(*names, policy=policy) as spots:
                with anyio.move_on_after(side.chance.uniform(0, 0.3)):
                    async for spot in spots:
                        assert spot.symbol in names
                        assert spot.bid_wire > 0
                        assert spot.ask_wire > 0

        await side.counted("subscription", some)
        await anyio.sleep(0.01)


# What goes wrong


class RefuseSpots(Fault):
    """The server gives nobody quotes, and blames him."""

    def admit(self, payload_type: int) -> None:
        if payload_type == oa.payload_type_of(oa.ProtoOASubscribeSpotsReq):
            raise Denied("SYMBOL_NOT_FOUND", "Symbol is disabled")


@contextmanager
def injected(side: Ground, fault: Any) -> Any:
    injection = side.server.faults.inject(fault)
    try:
        yield
    finally:
        injection.remove()


def rotate(side: Ground) -> None:
    """Another process renews the pair, and stores what it got: ours is dead from here on."""
    directory, server = side.server.directory, side.server
    old, new = directory.refresh(server.refresh_token, now_ms=server.now_ms)
    side.tokens.add(new.access_token)
    side.store.save(side.stored())
    directory.retire(old)


async def once(side: Ground, kind: str) -> None:
    """One fault, and its end."""
    server, chance = side.server, side.chance
    short_s = chance.uniform(0.05, 0.4)
    side.struck[kind] += 1
    match kind:
        case "drop":
            server.drop_clients()
        case "good-bye":
            server.disconnect_clients("Session is terminated")
        case "account lost":
            server.disconnect_account(server.account_id)
        case "account lost without a word":
            server.forget_account(server.account_id)
        case "token rotated elsewhere":
            rotate(side)
        case "silence":
            with injected(side, faults.Silence()):
                await anyio.sleep(TIMINGS.watchdog_s + short_s)
        case "delay":
            with injected(side, faults.Jitter(0.1, seed=chance.randrange(1000))):
                await anyio.sleep(short_s)
        case "half a frame":
            with injected(side, faults.HalfFrame()):
                await anyio.sleep(short_s)
        case "garbage":
            with injected(side, faults.Garbage()):
                await anyio.sleep(short_s)
        case "oversize":
            with injected(side, faults.OversizeLength()):
                await anyio.sleep(short_s)
        case "duplicate":
            with injected(side, faults.Duplicate()):
                await anyio.sleep(short_s)
        case "reorder":
            with injected(side, faults.Reorder()):
                await anyio.sleep(short_s)
        case "maintenance":
            with injected(side, faults.Maintenance(end_s=server.now_ms // 1000 + 1)):
                server.drop_clients()
                await anyio.sleep(short_s)
        case "rate refusal":
            with injected(side, faults.Blocked(retry_after_s=1, times=chance.randint(1, 4))):
                await anyio.sleep(short_s)
        case "quotes refused":
            with injected(side, RefuseSpots()):
                server.drop_clients()
                await anyio.sleep(short_s)
        case "quotes blocked":
            with injected(side, faults.Blocked(oa.ProtoOASubscribeSpotsReq, retry_after_s=1)):
                server.drop_clients()
                await anyio.sleep(short_s)
        case "TLS refused":
            with injected(side, faults.RefuseTls()):
                server.drop_clients()
                await anyio.sleep(short_s)
        case _:
            raise AssertionError(kind)


KINDS = (
    "drop",
    "good-bye",
    "account lost",
    "account lost without a word",
    "token rotated elsewhere",
    "silence",
    "delay",
    "half a frame",
    "garbage",
    "oversize",
    "duplicate",
    "reorder",
    "maintenance",
    "rate refusal",
    "quotes refused",
    "quotes blocked",
    "TLS refused",
)


async def breaking(side: Ground) -> None:
    """Each kind once, in a random order, and again, until it is cancelled."""
    while True:
        for kind in side.chance.sample(KINDS, len(KINDS)):
            await once(side, kind)
            await anyio.sleep(side.chance.uniform(0.05, 0.3))


# The day


@asynccontextmanager
async def two_sides(folder: Path) -> AsyncIterator[tuple[list[Ground], Any]]:
    async with AsyncExitStack() as stack:
        sides = []
        for number, host in enumerate((Host.DEMO, Host.LIVE)):
            server = await stack.enter_async_context(a_server(host, observations=1_000_000))
            store = TokenStore(folder / "tokens", environment_of(server))
            side = Ground(server, store, random.Random(f"{SEED} {number}"))
            side.tokens.add(server.access_token)
            store.save(side.stored())
            sides.append(side)
        settings = desk_settings(
            folder / "logs",
            *(
                side_of(
                    side.server,
                    credentials=credentials_of(side.server, refresh_token=side.server.refresh_token),
                    timings=TIMINGS,
                    **({"live_enabled": True, "limits": Limits()} if side.environment.is_live else {}),
                )
                for side in sides
            ),
        )
        yield sides, replace(settings, token_folder=folder / "tokens")


async def ready_and_quiet(side: Ground, desk: Desk) -> None:
    """The last loss of the day: after it, every order was looked up."""
    session = desk.session(side.environment)
    await session.wait_for(SessionState.READY)
    links = side.server.seen.names().count("connected")
    side.server.drop_clients()
    await side.server.wait_for("connected", count=links + 1, timeout_s=SETTLE_S)
    while True:
        await session.wait_for(SessionState.READY)
        try:
            await desk.account(side.environment).request(oa.ProtoOATraderReq(), timeout_s=5)
            session.check_ready("the desk", side.server.account_id)
        except CTraderError:
            await anyio.sleep(0.05)
        else:
            return


def open_sockets() -> set[str]:
    """The sockets of this process, by their inode; empty where the system does not show them."""
    found = set()
    for name in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue  # that of the listing itself
        if target.startswith("socket:"):
            found.add(target)
    return found


async def test_after_a_bad_day_everything_adds_up(tmp_path: Path) -> None:
    await blocked()
    tasks_before = len(anyio.get_running_tasks())
    async with two_sides(tmp_path) as (sides, settings):
        await blocked()
        served = {task.id for task in anyio.get_running_tasks()}
        gc.collect()
        sockets, before = open_sockets(), sum(ours().values())
        async with open_desk(settings) as desk:
            async with anyio.create_task_group() as tasks:
                for side in sides:
                    await desk.session(side.environment).wait_for(SessionState.READY)
                    for work in (reading, reading, looking_back, trading, flooding, listening):
                        tasks.start_soon(work, side, desk)
                    tasks.start_soon(breaking, side)
                await anyio.sleep(DURATION_S)
                with anyio.fail_after(SETTLE_S):  # on a machine that stalls a day may be too short for an answer
                    while not all(side.answered for side in sides):  # noqa: ASYNC110 - the day goes on meanwhile
                        await anyio.sleep(0.05)
                tasks.cancel_scope.cancel()
            with anyio.fail_after(SETTLE_S):
                for side in sides:
                    await all_adds_up(side, desk)
            await desk.flush()
        nothing_crossed(sides)
        each_order_left_once(sides)
        records_add_up(sides, settings.log_folder)
        for side in sides:
            with anyio.fail_after(SETTLE_S):
                await side.server.wait_for(
                    "closed", count=side.server.seen.names().count("connected"), timeout_s=SETTLE_S
                )
        await blocked()
        assert {task.id for task in anyio.get_running_tasks()} == served
        gc.collect()
        # What is still there are the orders, which were the caller's to keep, and nothing that grew with the day.
        most = before + MOST_LEFT + PER_ORDER * sum(side.begun["market"] for side in sides)
        assert sum(ours().values()) < most, ours()
        assert open_sockets() <= sockets
        assert [each for each in gc.get_objects() if isinstance(each, Link)] == []
    await blocked()
    assert len(anyio.get_running_tasks()) == tasks_before


def ours() -> Counter[str]:
    """The objects of the session's own classes that are there, by class."""
    return Counter(type(each).__name__ for each in gc.get_objects() if str(type(each).__module__).startswith(SESSION))


async def all_adds_up(side: Ground, desk: Desk) -> None:
    environment, server = side.environment, side.server
    # Every request has one outcome; those that were under way when the day ended were cancelled, one a worker at most,
    # and a whole flood.
    open_ = sum(side.begun.values()) - sum(side.ended.values())
    assert 0 <= open_ <= 5 + FLOOD
    assert side.answered
    async with desk.account(environment).spots("EURUSD", policy=EVERY) as spots:
        await ready_and_quiet(side, desk)
        session, account = desk.session(environment), desk.account(environment)
        # No subscription is missing, and none is left over.
        (client,) = server.clients.values()
        subscribed = client.sessions[account.id].subscriptions.spots
        assert set(subscribed) == set(account.board.wanted) == {EURUSD}
        server.set_price(EURUSD, bid=120_000, ask=120_010)
        async for spot in spots:
            if (spot.bid_wire, spot.ask_wire) == (120_000, 120_010):
                break
        # Every order's state is the server's.
        exchange = server.exchange.accounts[account.id]
        theirs = {order.client_order_id: order for order in exchange.all_orders.values() if order.client_order_id}
        for id_, order in desk.orders.items():
            if order.environment is not environment:
                continue
            if order.record.is_close and order.order_id is None:
                # Its request was refused, or never seen: the server has no order of it (below).
                assert order.state in (OrderState.NOT_SENT, OrderState.REJECTED, OrderState.UNKNOWN), order
                continue
            if order.record.is_close:
                assert order.state.value == STATES[exchange.all_orders[order.order_id].status], order
                continue
            if id_ not in theirs:
                # Nothing concludes that it never arrived; and what was refused was never an order.
                assert order.state in (OrderState.NOT_SENT, OrderState.REJECTED, OrderState.UNKNOWN), order
                continue
            assert order.state.value == STATES[theirs[id_].status], (order, theirs[id_])
        # No close of ours is one that we say was never sent.
        known = {order.order_id for order in desk.orders.values()}
        closes = [order for order in exchange.all_orders.values() if order.closing and order.order_id not in known]
        unknown = [o for o in desk.orders.values() if o.record.is_close and o.state is OrderState.UNKNOWN]
        assert len(closes) <= len(unknown), closes
        assert {position.id: position.volume_cents for position in desk.positions(environment)} == {
            position.position_id: position.volume for position in exchange.positions.values() if position.volume
        }
        assert {order.id for order in desk.pending_orders(environment)} == {
            order.order_id for order in exchange.orders.values() if not order.closing
        }
        # Nothing waits for anything, but for a moment: the session itself looks at outcomes every now and then.
        link = session.link
        assert link is not None
        with anyio.move_on_after(SETTLE_S):
            while link.queued or link._waiting or link.connection.open_ids:  # noqa: ASYNC110
                await anyio.sleep(0.01)
        waiting = [request.message.name for request in link._waiting.values()]
        assert (link.queued, waiting, link.connection.open_ids) == (0, [], frozenset())
    # What is asked as a session is lost is refused, a farewell may come twice, quotes were refused; nothing else was.
    expected = ("not authorized", "subscri", "token is invalid", "symbol is disabled")
    assert [each for each in server.violations if not any(word in each.lower() for word in expected)] == []


STATES = {
    oa.ProtoOAOrderStatus.ORDER_STATUS_ACCEPTED: "accepted",
    oa.ProtoOAOrderStatus.ORDER_STATUS_FILLED: "filled",
    oa.ProtoOAOrderStatus.ORDER_STATUS_REJECTED: "rejected",
    oa.ProtoOAOrderStatus.ORDER_STATUS_EXPIRED: "expired",
    oa.ProtoOAOrderStatus.ORDER_STATUS_CANCELLED: "cancelled",
}


def nothing_crossed(sides: list[Ground]) -> None:
    ids: list[set[Any]] = []
    for side in sides:
        own = {
            "ctidTraderAccountId": {side.server.account_id},
            "clientId": {side.server.client_id},
            "clientSecret": {side.server.client_secret},
            "accessToken": side.tokens,
        }
        for seen in side.server.seen:
            for name, values in own.items():
                value = getattr(seen.message, name, None)
                assert not value or value in values, f"{seen.name}.{name}"
        ids.append({seen.client_msg_id for seen in side.server.seen} - {None})
    assert not ids[0] & ids[1]


def each_order_left_once(sides: list[Ground]) -> None:
    for side in sides:
        sent = Counter(
            seen.message.clientOrderId for seen in side.server.seen if isinstance(seen.message, oa.ProtoOANewOrderReq)
        )
        assert set(sent.values()) <= {1}


def records_add_up(sides: list[Ground], folder: Path) -> None:
    """What left is on record, and each line belongs to the account of its environment."""
    accounts = {side.environment.value: side.server.account_id for side in sides}
    intents = set()
    for line in audit_of(folder):
        assert line.get("account_id") in (None, accounts[line["environment"]])
        if line["fact"] == "intent":
            intents.add(line.get("client_order_id"))
    for side in sides:
        for seen in side.server.seen:
            if isinstance(seen.message, oa.ProtoOANewOrderReq):
                assert seen.message.clientOrderId in intents
        log = (folder / f"{side.environment.value}_connection.log").read_text()
        assert not any(token in log for token in side.tokens)
