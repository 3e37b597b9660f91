"""Whatever an authorised client asks, the exchange answers once, and its books stay right (sections 10.4 and 14)."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor

from anyctrader.fake.exchange import HANDLED
from anyctrader.fake.pushes import Push
from anyctrader.wire import messages as oa

from .venue import ACCOUNT, BUY, EURUSD, MARKET, SELL, T0, Venue, calm, one_account, only

_WHOLE = (0, 1, 2, 3, 4, 5, 7, 61, 100_000, 200_000, -1, 2**31 - 1, 2**31, 2**53, 2**63 - 1, -(2**63), T0, T0 - 600_000)
_DOUBLES = (0.0, 1.1, 1.2, 1e-9, -1.0, 1e300, math.inf, -math.inf, math.nan, 1.123456, 5e-324)
_TEXTS = ("", "x", "y" * 60, "z" * 600, "\N{LATIN SMALL LETTER E WITH ACUTE}\0")
_BITS = {
    FieldDescriptor.TYPE_INT32: (32, True),
    FieldDescriptor.TYPE_UINT32: (32, False),
    FieldDescriptor.TYPE_INT64: (64, True),
    FieldDescriptor.TYPE_UINT64: (64, False),
}


def value_of(field: Any, rng: Random) -> Any:
    if field.enum_type is not None:
        return rng.choice([value.number for value in field.enum_type.values])
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        return rng.choice([*_DOUBLES, round(1.2 + rng.randrange(-300, 300) / 1e5, 5)])
    if field.type == FieldDescriptor.TYPE_BOOL:
        return rng.random() < 0.5
    if field.type == FieldDescriptor.TYPE_STRING:
        return rng.choice(_TEXTS)
    bits, signed = _BITS[field.type]
    value = rng.choice(_WHOLE) % 2**bits
    return value - 2**bits if signed and value >= 2 ** (bits - 1) else value


def filled(message: Any, rng: Random) -> Any:
    """A message with anything in it that its types allow; few of the fields that it can do without, or many."""
    share = rng.choice([0.1, 0.5])
    for field in message.DESCRIPTOR.fields:
        if field.name == "payloadType" or (not field.is_required and rng.random() > share):
            continue
        times = rng.randrange(4) if field.is_repeated else 1
        for _ in range(times):
            if field.message_type is not None:
                filled(getattr(message, field.name).add() if field.is_repeated else getattr(message, field.name), rng)
            elif field.is_repeated:
                getattr(message, field.name).append(value_of(field, rng))
            else:
                setattr(message, field.name, value_of(field, rng))
    return message


def aimed(request: Any, venue: Venue, rng: Random) -> Any:
    """The same, but more often about something that there is."""
    account = venue.exchange.accounts[ACCOUNT]
    sensible = {
        "symbolId": [EURUSD],
        "positionId": list(account.positions),
        "orderId": list(account.orders),
        "orderType": [MARKET],
        "tradeSide": [BUY, SELL],
        "timeInForce": [1, 3],
        "volume": [100_000, 200_000],
        "expirationTimestamp": [venue.now_ms + 500],
    }
    for name, values in sensible.items():
        field = request.DESCRIPTOR.fields_by_name.get(name)
        if field is None or field.is_repeated or rng.random() > 0.8:
            continue
        if values and (field.is_required or request.HasField(name)):
            setattr(request, name, rng.choice(values))
    if isinstance(request, oa.ProtoOANewOrderReq) and rng.random() < 0.7:
        request.ClearField("positionId")
    for name in ("label", "comment", "clientOrderId", "stopLoss", "takeProfit", "guaranteedStopLoss"):
        if name in request.DESCRIPTOR.fields_by_name and rng.random() < 0.6:
            request.ClearField(name)
    request.ctidTraderAccountId = ACCOUNT
    return request


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_asked_is_answered_once_and_the_money_adds_up(seed: int) -> None:
    rng = Random(seed)
    own = one_account(account_type=seed % 2, balance=rng.choice([1_000_000, 5_000]), limited_risk=seed == 5)
    venue = Venue(accounts=own, symbols=only(EURUSD), market=calm())
    venue.price(EURUSD, 120_000, 120_010)
    kinds = sorted(HANDLED, key=lambda cls: cls.__name__)
    trading = [cls for cls in kinds if cls.__name__.removesuffix("Req").endswith(("Order", "Position", "SLTP"))]
    realised = fills = 0
    for _ in range(150):
        request = aimed(filled(rng.choice(trading if rng.random() < 0.6 else kinds)(), rng), venue, rng)
        origin = object()
        venue.now_ms += rng.choice([0, 50, 1_000])
        out = venue.exchange.handle(ACCOUNT, request, now_ms=venue.now_ms, origin=origin)
        pushes = [entry for entry in out if isinstance(entry, Push)]
        assert sum(push.first and push.origin is origin for push in pushes) == 1, request
        for push in pushes:
            assert push.message.IsInitialized()
            if isinstance(push.message, oa.ProtoOAExecutionEvent) and push.message.HasField("deal"):
                fills += 1
                detail = push.message.deal.closePositionDetail
                realised += detail.grossProfit + detail.swap + detail.commission + detail.pnlConversionFee
    assert venue.balance == own[0].balance + realised
    assert fills or own[0].limited_risk, "some of it made sense"
