"""What a server says that nobody asked for: each kind leaves a line, and a flood of it does not fill the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.session import Credentials, Environment, connect, open_connection_log
from anyctrader.session.oddities import Oddities
from anyctrader.wire import messages as oa

from .peer import CODEC, Peer, listening
from .rig import QUICK

DEMO = Environment.DEMO
TRADER = oa.ProtoOATraderRes(ctidTraderAccountId=1)
TRADER.trader.ctidTraderAccountId = 1
TRADER.trader.balance = TRADER.trader.depositAssetId = 1

ODD: dict[str, tuple[Any, str | None]] = {
    "unasked type=ProtoOATraderRes account=1": (TRADER, "nobody-1"),
    "unasked type=ProtoOAAccountAuthRes account=77": (oa.ProtoOAAccountAuthRes(ctidTraderAccountId=77), None),
    "not_ours type=ProtoOASpotEvent account=77": (oa.ProtoOASpotEvent(ctidTraderAccountId=77, symbolId=1, bid=5), None),
    "not_ours type=ProtoOAExecutionEvent account=77": (
        oa.ProtoOAExecutionEvent(ctidTraderAccountId=77, executionType=3),
        None,
    ),
    "not_ours type=ProtoOAAccountDisconnectEvent account=77": (
        oa.ProtoOAAccountDisconnectEvent(ctidTraderAccountId=77),
        None,
    ),
    "not_ours type=ProtoOAAccountsTokenInvalidatedEvent account=77": (
        oa.ProtoOAAccountsTokenInvalidatedEvent(ctidTraderAccountIds=[77], reason="x"),
        None,
    ),
    "server_error code=UNKNOWN_ERROR": (oa.ProtoOAErrorRes(errorCode="UNKNOWN_ERROR"), None),
}


@pytest.mark.anyio
@pytest.mark.parametrize("line", ODD)
async def test_what_nobody_asked_for_leaves_a_line_and_a_flood_of_it_no_more_than_ten(
    tmp_path: Path, line: str
) -> None:
    peer, (payload, client_msg_id) = Peer(), ODD[line]
    async with open_connection_log(tmp_path, DEMO) as log, listening(peer, tmp_path) as endpoint:
        async with connect(
            DEMO,
            Credentials(DEMO, client_id="aaaa", client_secret="bbbbbb", access_token="cccccc"),
            host=endpoint.host,
            port=endpoint.port,
            codec=CODEC,
            transport=endpoint.transport,
            ca_file=endpoint.ca_file,
            timings=QUICK,
            log=log,
        ) as session:
            await session.authorize(1)
            for _ in range(25):
                await peer.say(payload, client_msg_id)
                await anyio.lowlevel.checkpoint()
            await session.request(oa.ProtoOAVersionReq())
            assert peer.links == 1
    lines = [each for each in log.path.read_text().splitlines() if f" {line.split()[0]} " in each]
    assert len([each for each in lines if line in each]) >= 1
    assert len(lines) <= 11
    if "SpotEvent" not in line:  # these come in rows, a line each
        assert len(lines) == 11
        assert lines[-1].endswith("untold=15")


def test_each_kind_has_ten_lines_a_minute_and_what_is_only_counted_is_told() -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    oddities = Oddities(lambda what, **fields: told.append((what, fields)))
    for second in range(70):
        oddities.note("one", now_s=float(second), number=second)
    assert [fields["number"] for _, fields in told] == [*range(10), *range(60, 70)]
    assert told[10][1]["untold"] == 50
    oddities.note("another", now_s=69.0)
    oddities.note("one", now_s=69.5)
    oddities.link_over()
    oddities.link_over()
    assert told[20:] == [("another", {"untold": None}), ("one", {"untold": 1})]
