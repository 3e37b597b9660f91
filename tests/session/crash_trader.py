"""A program that trades until it is killed, for the crash test.

It reads a line of JSON for each life, forks, so that nothing is imported twice, and writes: the child's number, `ready`
from the child when its desk is open, and `ended` with its status.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import sys
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.lowlevel

from anyctrader.session import (
    Credentials,
    Desk,
    Endpoint,
    Environment,
    EnvironmentSettings,
    LimitOrder,
    MarketOrder,
    OrderAmendment,
    RequestFailed,
    Settings,
    Side,
    Timings,
    open_desk,
)
from anyctrader.wire import messages as oa

DEMO = Environment.DEMO
STEP_CENTS = 100_000  # what partial closes close: 0.01 lots


@dataclass(frozen=True)
class Where:
    """The server, what lets a client in, and the folder of the audit: all that a process needs to be told."""

    host: str
    port: int
    ca_file: str
    client_id: str
    client_secret: str
    access_token: str
    account_id: int
    folder: str

    def settings(self) -> Settings:
        credentials = Credentials(
            DEMO,
            client_id=self.client_id,
            client_secret=self.client_secret,
            access_token=self.access_token,
            account_id=self.account_id,
        )
        side = EnvironmentSettings(
            DEMO,
            credentials,
            endpoint=Endpoint(self.host, self.port, Path(self.ca_file)),
            timings=Timings(reconnect_first_s=0.02, reconnect_most_s=0.05, absent_s=0.3, fill_s=0.5),
        )
        return Settings({DEMO: side}, log_folder=Path(self.folder))


def trade_until_killed(where: Where, seed: int) -> None:
    """Trades for ever."""

    async def main() -> None:
        async with open_desk(where.settings()) as desk, anyio.create_task_group() as tasks:
            os.write(1, b"ready\n")
            for number in range(4):
                tasks.start_soon(_trade, desk, random.Random(seed * 10 + number))

    anyio.run(main)


async def _trade(desk: Desk, chance: random.Random) -> None:
    while True:
        # Whatever is refused or stays unknown is what the test looks at afterwards; the trading goes on.
        with contextlib.suppress(RequestFailed):
            await _one(desk, chance)
        await anyio.lowlevel.checkpoint()


async def _one(desk: Desk, chance: random.Random) -> None:
    side, account = chance.choice(list(Side)), desk.account(DEMO)
    match chance.randrange(7):
        case 0 if desk.positions(DEMO):
            position = chance.choice(desk.positions(DEMO))
            partly = position.volume_cents > STEP_CENTS and chance.random() < 0.7
            closing = await desk.close(DEMO, position.id, **({"volume_cents": STEP_CENTS} if partly else {}))
            await closing.filled()
        case 4 if desk.positions(DEMO):
            # Of the same size as those of the desk: nothing but what came of what tells one from the other.
            position = chance.choice(desk.positions(DEMO))
            await account.request(oa.ProtoOAClosePositionReq(positionId=position.id, volume=STEP_CENTS))
        case 5:
            named = {"clientOrderId": f"raw{chance.getrandbits(100):x}"} if chance.random() < 0.5 else {}
            request = oa.ProtoOANewOrderReq(
                symbolId=1, orderType=1, tradeSide=side.value, volume=2 * STEP_CENTS, **named
            )
            await account.request(request)
        case 1 if desk.pending_orders(DEMO):
            await desk.cancel(DEMO, chance.choice(desk.pending_orders(DEMO)).id)
        case 2:
            price = "0.9" if side is Side.BUY else "1.5"
            order = await desk.place(DEMO, LimitOrder("EURUSD", side, lots="0.01", price=price))
            if order.order_id is not None and chance.random() < 0.5:
                await desk.amend(DEMO, OrderAmendment(order.order_id, lots="0.02"))
        case _:
            order = await desk.place(DEMO, MarketOrder("EURUSD", side, lots="0.03", stop_loss_pips=500))
            if chance.random() < 0.7:
                await order.filled()


def main() -> None:
    """One life after the other, as they are asked for."""
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if not child:
            trade_until_killed(Where(**asked["where"]), asked["seed"])
        os.write(1, f"{child}\n".encode())
        _, status = os.waitpid(child, 0)
        os.write(1, f"ended {os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    main()
