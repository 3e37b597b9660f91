"""Live with the flag off: every payload type that does more than read, through every way in, and not a byte leaves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from anyctrader.fake import FakeServer, Host
from anyctrader.session import (
    CTraderError,
    Desk,
    LimitOrder,
    LiveTradingDisabled,
    MarketOrder,
    Mode,
    OrderAmendment,
    PositionAmendment,
    Rates,
    Refused,
    Session,
    Side,
    Venue,
    open_audit,
    open_desk,
)
from anyctrader.session.environments import Environment
from anyctrader.wire.messages import PAYLOAD_CLASSES

from .rig import a_server, connected, desk_settings, facts_of, heard, side_of
from .writing import READ, TRADING, WRITING, disguised, said

pytestmark = pytest.mark.anyio

LIVE = Environment.LIVE
FAST = Rates(ordinary_per_s=100_000)


@asynccontextmanager
async def desk_session(server: FakeServer, folder: Path) -> AsyncIterator[Session]:
    async with open_desk(desk_settings(folder, side_of(server, rates=FAST))) as desk:
        yield desk.session(Environment.LIVE)


@asynccontextmanager
async def plain_session(server: FakeServer, folder: Path, *, mode: Mode, audited: bool) -> AsyncIterator[Session]:
    async with AsyncExitStack() as stack:
        audit = await stack.enter_async_context(open_audit(folder)) if audited else None
        session = await stack.enter_async_context(connected(server, trading=mode, audit=audit, rates=FAST))
        await session.authorize(server.account_id)
        yield session


@pytest.mark.parametrize("way", ["desk", "connect", "connect with a mode alone", "connect with an audit alone"])
async def test_no_payload_type_that_does_more_than_read_leaves_by_any_way(tmp_path: Path, way: str) -> None:
    assert {cls().payloadType for cls in TRADING} < set(WRITING)
    async with a_server(Host.LIVE) as server:
        opening = {
            "desk": lambda: desk_session(server, tmp_path),
            "connect": lambda: plain_session(server, tmp_path, mode=Mode.OFF, audited=False),
            "connect with a mode alone": lambda: plain_session(server, tmp_path, mode=Mode.ON, audited=False),
            "connect with an audit alone": lambda: plain_session(server, tmp_path, mode=Mode.OFF, audited=True),
        }[way]
        async with opening() as session:
            account = session.authorized[server.account_id]
            link = session.link
            assert link is not None
            await account.request(READ())
            since = server.seen.total
            payloads = [said(PAYLOAD_CLASSES[payload_type], account.id) for payload_type in WRITING]
            for payload in payloads + disguised(account.id):
                for asking in (account.request, session.request, link.request):
                    with pytest.raises((CTraderError, TypeError)) as refusal:
                        await asking(payload, timeout_s=5)
                    if type(payload) in TRADING:
                        assert isinstance(refusal.value, Refused)
            await account.request(READ())
            assert server.seen.total == since + 1, "only the last read has left"
            assert [name for cls in TRADING for name in heard(server, cls)] == []


DESK_WAYS: dict[str, Callable[[Desk], Awaitable[object]]] = {
    "place": lambda desk: desk.place(LIVE, MarketOrder("EURUSD", Side.BUY, lots="0.01")),
    "place, pending": lambda desk: desk.place(LIVE, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.0")),
    "amend of a position": lambda desk: desk.amend(LIVE, PositionAmendment(1, stop_loss="1.0")),
    "amend of an order": lambda desk: desk.amend(LIVE, OrderAmendment(1, price="1.0")),
    "cancel": lambda desk: desk.cancel(LIVE, 1),
    "close": lambda desk: desk.close(LIVE, 1),
}
"""The desk's own ways to trade. A new one belongs here."""


async def test_no_call_of_the_desk_that_trades_lets_anything_out(tmp_path: Path) -> None:
    async with a_server(Host.LIVE) as server, open_desk(desk_settings(tmp_path, side_of(server))) as desk:
        await desk.account(LIVE).request(READ())
        since = server.seen.total
        for call in DESK_WAYS.values():
            with pytest.raises(LiveTradingDisabled):
                await call(desk)
        await desk.account(LIVE).request(READ())
        assert server.seen.total == since + 1, "only the last read has left"
        await desk.flush()
    assert facts_of(tmp_path) == ["record_begins", *["refused"] * len(DESK_WAYS)]


def test_every_call_of_a_venue_is_among_the_ways() -> None:
    calls = {name for name in vars(Venue) if not name.startswith("_")} & {"place", "amend", "cancel", "close"}
    assert calls <= {name.split()[0].rstrip(",") for name in DESK_WAYS}
