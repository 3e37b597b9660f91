from __future__ import annotations

import copy
import pickle

import pytest

from anyctrader.wire import (
    CTraderError,
    FrameTooLarge,
    LocalProtocolError,
    ProtocolError,
    RemoteProtocolError,
    UndecodablePayload,
)


def test_who_broke_the_protocol_is_told_by_the_class() -> None:
    assert issubclass(ProtocolError, CTraderError)
    assert issubclass(LocalProtocolError, ProtocolError)
    assert issubclass(RemoteProtocolError, ProtocolError)
    assert not issubclass(LocalProtocolError, RemoteProtocolError)
    assert issubclass(FrameTooLarge, RemoteProtocolError)
    assert issubclass(UndecodablePayload, RemoteProtocolError)


@pytest.mark.parametrize(("size", "said"), [(16, "announced a frame of 16 bytes"), (None, "sent a longer frame")])
def test_a_frame_that_is_too_long_says_how_long_it_was_where_that_is_known(size: int | None, said: str) -> None:
    error = FrameTooLarge(size, 15)
    assert (error.size, error.max_size) == (size, 15)
    assert f"the peer {said}; at most 15 are taken" in str(error)


def test_a_payload_that_cannot_be_read_is_kept_but_not_shown() -> None:
    error = UndecodablePayload("no text", 2100, client_msg_id="7", body=b"secret", missing_fields=("a.b",))
    assert (error.payload_type, error.client_msg_id, error.body) == (2100, "7", b"secret")
    assert (error.reason, error.missing_fields) == ("no text", ("a.b",))
    assert str(error) == "payload of type 2100: no text"
    assert UndecodablePayload("no text", 2100, client_msg_id=None, body=b"").missing_fields == ()


@pytest.mark.parametrize(
    "error",
    [
        FrameTooLarge(16, 15),
        FrameTooLarge(None, 15),
        UndecodablePayload("no text", 2100, client_msg_id="7", body=b"x", missing_fields=("a.b",)),
        LocalProtocolError("no"),
    ],
    ids=repr,
)
def test_an_error_can_be_copied_and_pickled(error: CTraderError) -> None:
    error.add_note("seen in a test")
    for again in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
        assert type(again) is type(error)
        assert (again.args, str(again), vars(again)) == (error.args, str(error), vars(error))
        assert again.__traceback__ is None
