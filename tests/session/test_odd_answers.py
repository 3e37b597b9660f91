"""Answers that can be read and say what cannot be, or less than was asked: they cost what they are about, no more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anyctrader.session import Environment, MarketOrder, Refused, SessionState, Side, open_desk
from anyctrader.wire import messages as oa

from .rig import EURUSD, Rewritten, a_server, an_account, desk_settings, side_of

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
GBPUSD = 2
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.01")


def _euro(answer: oa.ProtoOASymbolByIdRes) -> Any:
    return next((symbol for symbol in answer.symbol if symbol.symbolId == EURUSD), None)


def lacks(answer: oa.ProtoOASymbolByIdRes) -> None:
    if (euro := _euro(answer)) is not None:
        answer.symbol.remove(euro)


def archived(answer: oa.ProtoOASymbolByIdRes) -> None:
    lacks(answer)
    answer.archivedSymbol.add(symbolId=EURUSD, name="EURUSD", utcLastUpdateTimestamp=1)


def another(answer: oa.ProtoOASymbolByIdRes) -> None:
    if (euro := _euro(answer)) is not None:
        euro.symbolId = 999


def impossible(answer: oa.ProtoOASymbolByIdRes) -> None:
    if (euro := _euro(answer)) is not None:
        euro.digits = 77


ODD = pytest.mark.parametrize("odd", [lacks, archived, another, impossible], ids=lambda odd: odd.__name__)


@ODD
async def test_a_symbol_that_is_not_told_is_not_known_and_the_rest_goes_on(
    tmp_path: Path, odd: Callable[[Any], None]
) -> None:
    async with a_server() as server:
        async with open_desk(desk_settings(tmp_path / "before", side_of(server))) as desk:
            await (await desk.place(DEMO, BUY)).filled()
        injection = server.faults.inject(Rewritten("ProtoOASymbolByIdRes", odd))
        async with open_desk(desk_settings(tmp_path / "after", side_of(server))) as desk:
            assert desk.session(DEMO).state is SessionState.READY
            account = desk.account(DEMO)
            with pytest.raises(Refused, match="EURUSD"):
                async with account.spots("EURUSD", "GBPUSD"):
                    pass
            with pytest.raises(Refused, match="EURUSD"):
                await desk.place(DEMO, BUY)
            assert (await account.symbol("GBPUSD")).id == GBPUSD  # what was told beside it counts
            injection.remove()
            (position,) = desk.positions(DEMO)
            await (await desk.close(DEMO, position.id)).filled()
    assert "symbols_not_known" in (tmp_path / "after" / "demo_connection.log").read_text()


async def test_what_is_wrong_with_a_symbol_is_said_to_whoever_wants_it() -> None:
    async with an_account() as (server, _, account):
        with server.faults.inject(Rewritten("ProtoOASymbolByIdRes", impossible)):
            with pytest.raises(Refused, match=r"EURUSD unknown: .*77"):
                await account.symbol("EURUSD")
        assert (await account.symbol("EURUSD")).digits == 5
