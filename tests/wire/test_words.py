"""The enums of the wire: found by identity, and enums all the same."""

from __future__ import annotations

import pickle

from anyctrader.wire import Budget
from anyctrader.wire.words import Word


class Side(Word):
    BUY = "buy"
    SELL = "sell"


def test_a_word_is_found_in_a_table_by_its_identity() -> None:
    table = {(Side.BUY, Budget.ORDINARY): 1, (Side.SELL, Budget.ORDINARY): 2}
    assert table[Side.SELL, Budget.ORDINARY] == 2
    assert hash(Side.BUY) == object.__hash__(Side.BUY)


def test_a_word_is_the_same_one_however_it_was_come_by() -> None:
    assert Side("buy") is Side.BUY
    assert pickle.loads(pickle.dumps(Budget.HISTORICAL)) is Budget.HISTORICAL
    assert {Side.BUY: 1}[Side("buy")] == 1
