"""Closes through a proxy count until they are answered, whose ever they are."""

from __future__ import annotations

from typing import Any

import pytest

from anyctrader.session.errors import InvalidOrder
from anyctrader.session.positions import PositionBook
from anyctrader.session.proxied_closes import ProxiedCloses, ProxiedRequest
from anyctrader.wire import messages as oa

from .server_words import filled

ONE, OTHER = object(), object()


def a_book() -> PositionBook:
    book = PositionBook()
    book.apply(filled())  # position 500, 100,000
    return book


def a_close(volume: int = 60_000, client: object = ONE, client_msg_id: str = "1", account: int = 1) -> ProxiedRequest:
    request = oa.ProtoOAClosePositionReq(ctidTraderAccountId=account, positionId=500, volume=volume)
    return ProxiedRequest(client, client_msg_id, request)


def accepted(volume: int = 60_000, position_id: int = 500, *, closing: bool = True) -> Any:
    event = oa.ProtoOAExecutionEvent(ctidTraderAccountId=1, executionType=oa.ProtoOAExecutionType.ORDER_ACCEPTED)
    event.order.orderId, event.order.positionId, event.order.closingOrder = 9, position_id, closing
    event.order.tradeData.volume = volume
    return event


def is_full(closes: ProxiedCloses) -> bool:
    try:
        closes.check(a_close().request, a_book())
    except InvalidOrder:
        return True
    return False


def test_what_is_not_answered_counts_for_every_client_of_its_account() -> None:
    closes = ProxiedCloses()
    closes.add(a_close(account=2))
    assert not is_full(closes)
    closes.add(close := a_close(client=OTHER))
    assert is_full(closes)
    closes.check(a_close(40_000).request, a_book())
    closes.withdraw(close)
    assert not is_full(closes)


@pytest.mark.parametrize(
    ("client", "payload", "client_msg_id", "ends"),
    [
        (ONE, accepted(), "1", True),
        (ONE, accepted(volume=1), "1", True),
        (ONE, accepted(position_id=501), "1", False),
        (ONE, accepted(), "2", False),
        (ONE, accepted(), "", False),
        (OTHER, accepted(), "1", False),
        (ONE, oa.ProtoOAErrorRes(ctidTraderAccountId=1, errorCode="MARKET_CLOSED"), "1", True),
        (ONE, oa.ProtoOAErrorRes(ctidTraderAccountId=2, errorCode="MARKET_CLOSED"), "1", False),
        (ONE, oa.ProtoOAOrderErrorEvent(ctidTraderAccountId=1, errorCode="X", positionId=501), "1", False),
    ],
)
def test_an_answer_ends_the_close_that_it_answers(client: object, payload: Any, client_msg_id: str, ends: bool) -> None:
    closes = ProxiedCloses()
    closes.add(a_close())
    closes.answered(client, payload, client_msg_id)
    assert is_full(closes) is not ends


def test_what_has_no_id_is_answered_by_what_fits_and_has_none_either() -> None:
    closes = ProxiedCloses()
    closes.add(a_close(client_msg_id=""))
    for other in (accepted(volume=1), accepted(closing=False)):
        closes.answered(ONE, other, "")
    assert is_full(closes)
    closes.answered(ONE, accepted(), "")
    assert not is_full(closes)


def test_what_was_never_answered_counts_no_more_when_its_client_is_gone() -> None:
    closes = ProxiedCloses()
    closes.add(a_close())
    closes.end(OTHER)
    assert is_full(closes)
    closes.end(ONE)
    assert not is_full(closes)
