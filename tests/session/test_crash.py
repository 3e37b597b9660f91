"""A process that trades is killed at random moments and restarted: nothing is unrecorded, sent twice or left open.

`CTRADER_CRASHES=500` (any number) kills so often; a few dozen times otherwise.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import ExchangeSettings, FakeServer, ServerSettings, Timing
from anyctrader.fake.accounts import AccountSettings
from anyctrader.fake.blocking import BlockingServer, blocking_server
from anyctrader.fake.exchange_settings import Delays
from anyctrader.session import OrderState, open_desk
from anyctrader.session.trades import trades_of
from anyctrader.session.verification import verify
from anyctrader.wire import messages as oa

from .crash_trader import DEMO, Where
from .rig import audit_of

CRASHES = int(os.environ.get("CTRADER_CRASHES", "24"))
SEED = 20_261_122
BALANCE_CENTS = 100_000_000
ENDS_OF_REQUESTS = {"not_sent", "change_done", "change_refused", "answered", "server_error", "resolved"}


def where_of(server: BlockingServer, folder: Path) -> Where:
    return Where(
        host=server.host,
        port=server.port,
        ca_file=str(server.ca_file),
        client_id=server.client_id,
        client_secret=server.client_secret,
        access_token=server.access_token,
        account_id=server.account_id,
        folder=str(folder),
    )


@contextmanager
def a_trader() -> Iterator[Callable[[Where, int, random.Random], None]]:
    """Gives what lives one life of the trading process: started, let trade for a moment, killed."""
    program = [sys.executable, str(Path(__file__).with_name("crash_trader.py"))]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        asking, telling = process.stdin, process.stdout
        assert asking is not None
        assert telling is not None

        def live(where: Where, number: int, chance: random.Random) -> None:
            asking.write(json.dumps({"where": asdict(where), "seed": SEED + number}) + "\n")
            asking.flush()
            told = [telling.readline().strip()]
            # Every fourth dies while it comes up, and looks after what the one before it has left behind.
            while (number % 4 and len(told) < 2) or told == ["ready"]:
                told.append(telling.readline().strip())
                assert told[-1], "the program is gone"
                assert not told[-1].startswith("ended"), "it ended by itself"
            time.sleep(chance.uniform(0.0, 0.25))  # the moment of the crash, and no wait for anything
            (child,) = [int(word) for word in told if word.isdigit()]
            os.kill(child, signal.SIGKILL)
            while not (word := telling.readline()).startswith("ended"):
                assert word, "the program is gone"
            assert word.split() == ["ended", "-9"], "it ended by itself"

        try:
            yield live
        finally:
            asking.close()
            process.wait(60)


async def settled(where: Where) -> dict[str, Any]:
    """Opens a desk once more, waits until no outcome is unknown, and tells what it believes is open."""
    async with open_desk(where.settings()) as desk:
        with anyio.fail_after(60):
            books = desk.session(DEMO).books[where.account_id]
            while books.doubts or books.orders.unknown:  # noqa: ASYNC110
                await anyio.sleep(0.05)  # an order tells only those who wait for it, a raw request nobody
        await desk.flush()
        return {
            "positions": {position.id: position.volume_cents for position in desk.positions(DEMO)},
            "pending": {order.id for order in desk.pending_orders(DEMO)},
            "states": {id_: order.state.value for id_, order in desk.orders.items()},
        }


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is forked for each life")
@pytest.mark.timeout(60 + 5 * CRASHES)
def test_a_process_that_is_killed_at_any_moment_leaves_nothing_unrecorded_doubled_or_open(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    settings = ServerSettings(
        timing=Timing.instant(),
        exchange=ExchangeSettings(
            delays=Delays(fill_ms=15, follow_up_ms=5),
            accounts=(AccountSettings(account_id=1_000_001, trader_login=3_000_001, balance=BALANCE_CENTS),),
        ),
    )
    seen: list[Any] = []
    with blocking_server(settings) as server, a_trader() as live:
        server.call(lambda fake: fake.seen.watch(lambda each: seen.append(each.message)))
        where = where_of(server, tmp_path)
        for number in range(CRASHES):
            live(where, number, chance)
        believed = anyio.run(settled, where)
        actual = server.call(_listed)

    lines = audit_of(tmp_path)
    check_orders(lines, seen, believed["states"])
    check_requests(lines, seen)
    assert owners_of(lines) == dict.fromkeys(actual["orders"], 1), "not each order has one intent"
    assert verify(tmp_path) == []
    assert believed["positions"] == actual["positions"]
    assert believed["pending"] == actual["pending"]
    booked = sum((trade.net_profit or Decimal(0) for trade in trades_of(iter(lines))), Decimal(0))
    assert booked == actual["booked"], "what is on record is not what the balance moved by"


def check_orders(lines: list[dict[str, Any]], seen: list[Any], states: dict[str, str]) -> None:
    """Each order of the desk's was recorded ahead, reached the server once at most, and has an end or works."""
    ours = [line for line in lines if "intent_id" not in line]
    intents = Counter(line["client_order_id"] for line in ours if line["fact"] == "intent")
    raw = {line.get("client_order_id") for line in lines if line["fact"] == "intent" and "intent_id" in line}
    reached = Counter(order.clientOrderId for order in seen if isinstance(order, oa.ProtoOANewOrderReq))
    del reached[""]  # raw orders without an id: `check_requests` counts them
    assert reached, "it never came to trade"
    assert set(reached) <= set(intents) | raw, "an order reached the server that has no intent on record"
    assert set(reached.values()) == {1}, "an intent led to two orders"
    assert set(intents.values()) == {1}
    ended = {line["client_order_id"]: line["state"] for line in ours if line["fact"] in ("not_sent", "finished")}
    working = {id_ for id_, state in states.items() if state == OrderState.ACCEPTED.value}
    assert set(intents) == set(ended) | working, "an order has no end on record and is not working either"
    never_arrived = {id_ for id_, state in ended.items() if state == OrderState.NOT_SENT.value}
    assert not never_arrived & set(reached), "an order that reached the server counts as never arrived"


def check_requests(lines: list[dict[str, Any]], seen: list[Any]) -> None:
    """Nothing reached the server without an intent on record, and each raw request and each change has an end."""
    intents = [line for line in lines if line["fact"] == "intent"]
    for kind, name, fact in (
        (oa.ProtoOANewOrderReq, "place", "volume_cents"),
        (oa.ProtoOAClosePositionReq, "close", "position_id"),
        (oa.ProtoOACancelOrderReq, "cancel", "order_id"),
        (oa.ProtoOAAmendOrderReq, "amend", "order_id"),
    ):
        field = {"volume_cents": "volume", "position_id": "positionId", "order_id": "orderId"}[fact]
        meant = Counter(line[fact] for line in intents if line["request"] in (name, kind.__name__) and fact in line)
        reached = Counter(getattr(each, field) for each in seen if isinstance(each, kind))
        assert reached <= meant, f"a {kind.__name__} reached the server that has no intent on record"
    ends = {line["intent_id"] for line in lines if "intent_id" in line and line["fact"] in ENDS_OF_REQUESTS}
    assert {line["intent_id"] for line in intents if "intent_id" in line} == ends, "a request has no end on record"


def owners_of(lines: list[dict[str, Any]]) -> dict[int, int]:
    """How many intents each order of the server's is said to have come of, by the record."""
    owners: dict[int, set[str]] = {}
    makers = (oa.ProtoOANewOrderReq.__name__, oa.ProtoOAClosePositionReq.__name__)
    for line in lines:
        if "intent_id" in line:
            owner = line["intent_id"] if line.get("message") in makers and line["fact"] in ENDS_OF_REQUESTS else None
        else:
            owner = line.get("client_order_id") if "state" in line else None
        if owner is not None and "order_id" in line:
            owners.setdefault(line["order_id"], set()).add(owner)
    return {order_id: len(of_order) for order_id, of_order in owners.items()}


def _listed(fake: FakeServer) -> dict[str, Any]:
    """What the server has, and had, and what that has booked."""
    account = fake.exchange.accounts[fake.account_id]
    orders = [order.message() for order in account.all_orders.values()]
    return {
        "positions": {position.position_id: position.volume for position in account.positions.values()},
        "pending": {order.order_id for order in account.orders.values() if order.message().orderType == 2},
        "orders": {order.orderId for order in orders if order.orderType != oa.ProtoOAOrderType.STOP_LOSS_TAKE_PROFIT},
        "booked": Decimal(account.balance - BALANCE_CENTS) / 100,
    }
