"""The same settings, times and requests give the same bytes again."""

from __future__ import annotations

from random import Random

import pytest

from anyctrader.fake.exchange_settings import ExchangeSettings, Liquidity
from anyctrader.fake.market import MarketSettings
from anyctrader.fake.pushes import Push
from anyctrader.wire import messages as oa

from .venue import BUY, EURUSD, GBPUSD, MARKET, MICRO, SELL, USDJPY, Venue, only


def stream(*, seed: int, script: int) -> bytes:
    """A day of random doings, as the bytes of all that was sent."""
    venue = Venue(
        hold=False,
        seed=seed,
        market=MarketSettings(seed=seed),
        symbols=only(EURUSD, GBPUSD, USDJPY),
        liquidity=Liquidity(slippage_points=9),
    )
    rng = Random(script)
    for _ in range(60):
        symbol_id = rng.choice([EURUSD, GBPUSD, USDJPY])
        venue.place(
            MARKET,
            rng.choice([BUY, SELL]),
            MICRO * rng.randrange(1, 5),
            symbolId=symbol_id,
            relativeStopLoss=100 * rng.randrange(1, 9),
        )
        venue.wait(rng.randrange(5_000))
    venue.ask(oa.ProtoOAGetTrendbarsReq, symbolId=GBPUSD, period=1, count=500)
    venue.ask(oa.ProtoOADealListReq)
    parts = []
    for entry in venue.seen:
        if isinstance(entry, Push):
            parts.append(entry.message.SerializeToString(deterministic=True))
        else:
            parts.append(repr(entry).encode())
    return b"\n".join(parts)


def test_same_seed_and_script_give_identical_streams() -> None:
    assert stream(seed=7, script=1) == stream(seed=7, script=1)


@pytest.mark.parametrize(("seed", "script"), [(8, 1), (7, 2)])
def test_another_seed_or_script_gives_another_stream(seed: int, script: int) -> None:
    assert stream(seed=seed, script=script) != stream(seed=7, script=1)


def test_how_often_time_is_told_does_not_matter() -> None:
    at_once, in_steps = Venue(hold=False), Venue(hold=False)
    for venue in (at_once, in_steps):
        venue.place(relativeStopLoss=40)
        venue.seen.clear()
    at_once.wait(60_000)
    for _ in range(600):
        in_steps.wait(100)
    assert [repr(entry) for entry in at_once.seen] == [repr(entry) for entry in in_steps.seen]


def test_time_does_not_go_back() -> None:
    venue = Venue()
    venue.wait(1_000)
    venue.exchange.advance(venue.now_ms - 500)
    assert venue.exchange.now_ms == venue.now_ms


def test_next_due_tells_when_something_happens() -> None:
    venue = Venue(hold=False)
    venue.place()
    for _ in range(50):
        due_ms = venue.exchange.next_due_ms()
        assert due_ms is not None
        venue.now_ms = due_ms - 1
        assert venue.exchange.advance(due_ms - 1) == []
        venue.now_ms = due_ms
        venue.exchange.advance(due_ms)
        following = venue.exchange.next_due_ms()
        assert following is None or following > due_ms


def test_defaults_are_those_of_section_18() -> None:
    settings = ExchangeSettings()
    assert (settings.delays.fill_ms, settings.delays.follow_up_ms) == (135, 19)
    assert (settings.variants.tick_page, settings.variants.deal_page, settings.variants.bar_page) == (
        5_000,
        1_000,
        14_000,
    )
    for account in settings.accounts:
        assert (account.account_type, account.deposit_asset, account.leverage_cents, account.money_digits) == (
            oa.ProtoOAAccountType.HEDGED,
            "USD",
            10_000,
            2,
        )
    assert {account.is_live for account in settings.accounts} == {True, False}
