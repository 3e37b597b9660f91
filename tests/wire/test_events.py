from __future__ import annotations

import dataclasses
from typing import Any, get_args

import pytest

from anyctrader.wire import Message
from anyctrader.wire import events as module
from anyctrader.wire import messages as oa
from anyctrader.wire.events import ErrorReceived, Event, HeartbeatReceived, UndecodedReceived, error_of


def test_every_event_is_slotted_and_equal_to_its_like() -> None:
    assert {event.__name__ for event in get_args(Event)} == {
        name for name in module.__all__ if name[0].isupper() and name != "Event"
    }
    for event in get_args(Event):
        assert "__slots__" in vars(event)
        values = [str(field) for field in range(len(dataclasses.fields(event)))]
        assert event(*values) == event(*values)
    assert HeartbeatReceived() == HeartbeatReceived()


def test_what_could_not_be_read_is_not_shown() -> None:
    assert "hush" not in repr(UndecodedReceived(2100, "1", b"hush", "why"))


def test_an_error_of_the_open_api_gives_its_units() -> None:
    payload = oa.ProtoOAErrorRes(
        ctidTraderAccountId=7,
        errorCode="BLOCKED_PAYLOAD_TYPE",
        description="slower",
        retryAfter=3,
        maintenanceEndTimestamp=1_763_841_600,
    )
    message = Message(payload, "1")
    assert error_of(message, "1") == ErrorReceived(
        client_msg_id="1",
        account=7,
        code="BLOCKED_PAYLOAD_TYPE",
        description="slower",
        retry_after_s=3.0,
        maintenance_end_ms=1_763_841_600_000,
        message=message,
    )


def test_an_error_of_the_proxy_gives_milliseconds_as_they_are() -> None:
    message = Message(oa.ProtoErrorRes(errorCode="X", maintenanceEndTimestamp=1_763_841_600_000))
    error = error_of(message, None)
    assert (error.maintenance_end_ms, error.retry_after_s, error.account) == (1_763_841_600_000, None, None)
    assert (error.client_msg_id, error.description) == (None, None)


def test_an_order_error_has_no_times_and_zero_is_no_account() -> None:
    error = error_of(Message(oa.ProtoOAOrderErrorEvent(errorCode="X", ctidTraderAccountId=0)), None)
    assert (error.account, error.retry_after_s, error.maintenance_end_ms) == (None, None, None)


@pytest.mark.parametrize("value", [-(2**63), -1, 1, 2**63 - 1])
def test_no_time_that_fits_into_the_field_is_too_strange_to_be_reported(value: Any) -> None:
    error = error_of(Message(oa.ProtoOAErrorRes(errorCode="X", maintenanceEndTimestamp=value)), None)
    assert isinstance(error.maintenance_end_ms, int)
    error = error_of(Message(oa.ProtoOAErrorRes(errorCode="X", retryAfter=2**63)), None)
    assert error.retry_after_s == 2.0**63
