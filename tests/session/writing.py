"""Every message that does more than read, and trading in disguise: what must not leave where trading is off."""

from __future__ import annotations

from typing import Any

from anyctrader.session.gate import READING
from anyctrader.wire import UnknownPayload
from anyctrader.wire import messages as oa
from anyctrader.wire.catalog import permission_of
from anyctrader.wire.messages import PAYLOAD_CLASSES

READ = oa.ProtoOATraderReq
WRITING = [payload_type for payload_type in PAYLOAD_CLASSES if permission_of(payload_type) not in READING]
UNKNOWN = (0, 1, 49, 52, 999, 2099, max(PAYLOAD_CLASSES) + 1, 2199, 9999, 4_000_000, 2**31 - 1, 2**31, 2**32 - 1)
"""Payload types that the schema does not know: below those that it knows, between them, and beyond."""

NO_TYPES = (-1, -2106, 2**32, 2**32 + 2106, 2**63 + 2106)
"""Numbers that are no payload types; cut to 32 bits, some are."""

TRADING = (
    oa.ProtoOANewOrderReq,
    oa.ProtoOAAmendOrderReq,
    oa.ProtoOAAmendPositionSLTPReq,
    oa.ProtoOAClosePositionReq,
    oa.ProtoOACancelOrderReq,
)


def said(cls: Any, account_id: int) -> Any:
    """A message of a class, with all of its required fields."""
    message = cls()
    for field in cls.DESCRIPTOR.fields:
        if field.name == "ctidTraderAccountId":
            message.ctidTraderAccountId = account_id
        elif field.is_required and field.name != "payloadType":
            _fill(message, field)
    return message


def _fill(message: Any, field: Any) -> None:
    if field.type == field.TYPE_MESSAGE:
        part = getattr(message, field.name)
        part.SetInParent()
        for inner in field.message_type.fields:
            if inner.is_required:
                _fill(part, inner)
    elif field.type == field.TYPE_ENUM:
        setattr(message, field.name, field.enum_type.values[0].number)
    else:
        setattr(message, field.name, "1" if field.type == field.TYPE_STRING else 1)


def disguised(account_id: int) -> list[Any]:
    """Trading that pretends to be something else, and the other way round."""
    found: list[Any] = [UnknownPayload(payload_type, b"") for payload_type in WRITING]
    found += [UnknownPayload(payload_type, b"") for payload_type in (*UNKNOWN, *NO_TYPES)]
    for cls in TRADING:
        read = READ(ctidTraderAccountId=account_id)
        read.payloadType = cls().payloadType
        order = said(cls, account_id)
        order.payloadType = READ().payloadType
        found += [read, order]
    return found
