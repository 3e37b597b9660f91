from __future__ import annotations

import pytest

from anyctrader.proto.schema import MESSAGES
from anyctrader.wire import UnknownPayload
from anyctrader.wire import messages as oa
from anyctrader.wire.catalog import (
    CATALOG,
    SECRET_FIELDS,
    Budget,
    Entry,
    Kind,
    Permission,
    account_of,
    ends_as_secret,
    entry_of,
    is_secret,
    may_be_secret,
    permission_of,
)

from .generated import PAYLOADS


def row(cls: type) -> Entry:
    entry = entry_of(oa.payload_type_of(cls))
    assert entry is not None
    return entry


def test_every_payload_has_a_row_and_nothing_else_has() -> None:
    assert set(CATALOG) == set(oa.PAYLOAD_CLASSES)
    assert entry_of(9999) is None
    assert permission_of(9999) is None


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_row_follows_from_the_name_and_the_fields(name: str) -> None:
    entry = row(MESSAGES[name])
    has_account = "ctidTraderAccountId" in MESSAGES[name].DESCRIPTOR.fields_by_name
    assert entry.account_field == ("ctidTraderAccountId" if has_account else None)
    if name.endswith("Req"):
        assert entry.kind is Kind.REQUEST
        assert entry.permission is not None
        assert entry.budget is not None
        assert entry.answers
    elif name != "ProtoHeartbeatEvent":
        assert entry.kind is not Kind.REQUEST
        assert (entry.permission, entry.budget, entry.answers) == (None, None, frozenset())


def test_a_request_is_answered_by_its_response_and_an_order_by_an_execution_event() -> None:
    assert row(oa.ProtoOATraderReq).answers == {oa.payload_type_of(oa.ProtoOATraderRes)}
    for cls in (
        oa.ProtoOANewOrderReq,
        oa.ProtoOACancelOrderReq,
        oa.ProtoOAAmendOrderReq,
        oa.ProtoOAAmendPositionSLTPReq,
        oa.ProtoOAClosePositionReq,
    ):
        assert row(cls).answers == {oa.payload_type_of(oa.ProtoOAExecutionEvent)}


def test_the_errors_are_three_and_the_heartbeat_belongs_to_both_sides() -> None:
    errors = {oa.name_of(payload_type) for payload_type, entry in CATALOG.items() if entry.kind is Kind.ERROR}
    assert errors == {"ProtoErrorRes", "ProtoOAErrorRes", "ProtoOAOrderErrorEvent"}
    assert row(oa.ProtoHeartbeatEvent) == Entry(Kind.HEARTBEAT, Permission.SESSION)


def test_what_a_request_does_is_said_for_each() -> None:
    by_permission = {
        permission: {oa.name_of(number) for number in CATALOG if permission_of(number) is permission}
        for permission in Permission
    }
    assert by_permission[Permission.OPEN] == {"ProtoOANewOrderReq"}
    assert by_permission[Permission.CHANGE] == {"ProtoOAAmendOrderReq", "ProtoOAAmendPositionSLTPReq"}
    assert by_permission[Permission.CLOSE] == {"ProtoOAClosePositionReq"}
    assert by_permission[Permission.CANCEL] == {"ProtoOACancelOrderReq"}
    assert by_permission[Permission.WRITE] == {"ProtoOAMarginCallUpdateReq"}
    assert by_permission[Permission.SESSION] == {
        "ProtoHeartbeatEvent",
        "ProtoOAApplicationAuthReq",
        "ProtoOAAccountAuthReq",
        "ProtoOAAccountLogoutReq",
        "ProtoOARefreshTokenReq",
    }
    assert {"ProtoOAReconcileReq", "ProtoOAVersionReq"} <= by_permission[Permission.READ]
    assert {permission for permission in Permission if permission.trades} == {
        Permission.OPEN,
        Permission.CHANGE,
        Permission.CLOSE,
        Permission.CANCEL,
    }


def test_the_historical_budget_holds_history_and_nothing_else() -> None:
    historical = {oa.name_of(number) for number, entry in CATALOG.items() if entry.budget is Budget.HISTORICAL}
    assert {"ProtoOAGetTrendbarsReq", "ProtoOAGetTickDataReq", "ProtoOADealListReq"} < historical
    assert not historical & {"ProtoOANewOrderReq", "ProtoOAReconcileReq", "ProtoOASymbolsListReq"}


def test_each_field_that_holds_a_secret_is_named() -> None:
    names = {field.name for cls in MESSAGES.values() for field in cls.DESCRIPTOR.fields}
    assert names >= SECRET_FIELDS
    assert {name for name in names if "secret" in name.lower() or name.lower().endswith("token")} == SECRET_FIELDS


def test_the_account_of_a_message_is_the_one_that_it_names() -> None:
    assert account_of(oa.ProtoOATraderReq(ctidTraderAccountId=7)) == 7
    assert account_of(oa.ProtoOAErrorRes(errorCode="X", ctidTraderAccountId=0)) is None
    assert account_of(oa.ProtoOAErrorRes(errorCode="X")) is None
    assert account_of(oa.ProtoOAVersionReq()) is None
    assert account_of(UnknownPayload(9999, b"")) is None


def test_a_name_tells_that_it_is_a_secrets_however_it_is_spelt() -> None:
    assert all(map(is_secret, ("accessToken", "ACCESS_TOKEN", "client-secret", "Password")))
    assert not any(map(is_secret, ("token", "pin", "label")))
    assert all(
        map(may_be_secret, ("authToken", "X-Api-Key", "mfaCode", "userPin", "pin", "session_id", "oauth2", "TOTP"))
    )
    assert not any(map(may_be_secret, ("spin", "author", "symbolId", "code", "key", "login", "totPrice", "Ppin")))
    assert all(map(ends_as_secret, ("authToken", "Ppin", "zpwd")))
    assert not any(map(ends_as_secret, ("pint", "author", "label")))
