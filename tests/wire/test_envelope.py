from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyctrader.wire import LocalProtocolError, RemoteProtocolError, UndecodablePayload
from anyctrader.wire import messages as oa
from anyctrader.wire.envelope import read_envelope, write_envelope

from .generated import few

VECTORS = Path(__file__).parents[1] / "vectors" / "messages.jsonl"
GOLDEN = [bytes.fromhex(json.loads(line)["protobuf_frame"])[4:] for line in VECTORS.read_text().splitlines()]

PAYLOAD_TYPES = st.sampled_from((0, 1, 51, 127, 128, 2100, 2131, 16383, 16384, 2**32 - 1)) | st.integers(0, 2**32 - 1)
BYTES = st.none() | st.sampled_from((b"", b"x" * 127, b"x" * 128, b"x" * 16383, b"x" * 16384)) | st.binary(max_size=9)
IDS = st.none() | st.sampled_from(("", "1", "é", "x" * 126, "x" * 127, "x" * 128)) | st.text(max_size=5)


def as_protobuf_reads_it(body: bytes) -> tuple[Any, ...]:
    envelope = oa.ProtoMessage.FromString(body)
    return (
        envelope.payloadType,
        envelope.payload if envelope.HasField("payload") else None,
        envelope.clientMsgId if envelope.HasField("clientMsgId") else None,
        None,
    )


@given(PAYLOAD_TYPES, BYTES, IDS)
@few(400)
def test_an_envelope_is_taken_apart_into_what_it_was_made_of(
    payload_type: int, payload: bytes | None, client_msg_id: str | None
) -> None:
    body = oa.ProtoMessage(payloadType=payload_type, payload=payload, clientMsgId=client_msg_id).SerializeToString()
    assert write_envelope(payload_type, payload, client_msg_id) == body
    assert read_envelope(body) == (payload_type, payload, client_msg_id, None) == as_protobuf_reads_it(body)


def test_the_golden_envelopes_are_read_as_protobuf_reads_them() -> None:
    for body in GOLDEN:
        assert read_envelope(body) == as_protobuf_reads_it(body)


def test_every_broken_golden_envelope_is_read_as_protobuf_reads_it_or_refused_with_it() -> None:
    shortest = sorted(GOLDEN, key=len)[:12]
    broken = [body[:size] for body in shortest for size in range(len(body))]
    for body in shortest:
        for place in range(len(body)):
            for bit in range(8):
                broken.append(body[:place] + bytes([body[place] ^ 1 << bit]) + body[place + 1 :])
    for body in broken:
        try:
            expected = as_protobuf_reads_it(body)
        except Exception:
            with pytest.raises(RemoteProtocolError):
                read_envelope(body)
            continue
        try:
            assert read_envelope(body)[:3] == expected[:3]
        except UndecodablePayload:
            assert isinstance(expected[2], bytes)
        except RemoteProtocolError:  # protobuf itself lets a missing payload type pass
            assert not oa.ProtoMessage.FromString(body).IsInitialized() or isinstance(expected[2], bytes)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "a ProtoMessage of 0 bytes has no payloadType"),
        (b"\x12\x00", "has no payloadType"),
        (b"\x1a\x011", "has no payloadType"),
        (b"\x08", "a frame of 1 bytes is no ProtoMessage"),
        (b"\x08\x34\x12\x05ab", "no ProtoMessage"),
        (b"\xff" * 30, "no ProtoMessage"),
        (b"\x08\x34" + b"\x23" * 40_000, "no ProtoMessage"),  # groups without end
        (b'{"payloadType":51}', "no ProtoMessage"),
    ],
)
def test_what_is_no_envelope_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(RemoteProtocolError, match=said) as caught:
        read_envelope(body)
    assert not isinstance(caught.value, UndecodablePayload)


@pytest.mark.parametrize("payload_type", [2**32, 2**32 + 2104, 2**63 + 2104, 2**64 - 1])
def test_a_payload_type_of_more_than_32_bits_is_refused_and_not_cut(payload_type: int) -> None:
    number, digits = payload_type, bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    body = b"\x08" + digits + bytes((number,)) + b"\x12\x00"
    assert oa.ProtoMessage.FromString(body).payloadType == payload_type % 2**32
    for form in (body, b"\x12\x00" + body[:-2], b"\x08\xb8\x10" + body, body + b"\x20\x07"):
        with pytest.raises(RemoteProtocolError, match=r"^payloadType is no number of 32 bits$"):
            read_envelope(form)


def test_an_id_that_is_no_text_costs_the_message_and_not_the_stream() -> None:
    with pytest.raises(UndecodablePayload) as caught:
        read_envelope(b"\x08\xb4\x10\x12\x02ab\x1a\x01\xff")
    assert caught.value.reason == "clientMsgId is not UTF-8"
    assert (caught.value.payload_type, caught.value.client_msg_id, caught.value.body) == (2100, None, b"ab")


@pytest.mark.parametrize(
    "body", [b"\x08\x33\x1a\x01\xff", b"\x1a\x01\xff\x08\x33", b"\x08\xb4\x10\x12\x00\x1a\x01\xff\x20\x01"]
)
def test_an_id_that_is_no_text_is_refused_in_an_unusual_envelope_too(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        read_envelope(body)


def test_fields_that_no_envelope_has_yet_are_kept_and_written_again() -> None:
    body = b"\x08\xb4\x10\x12\x02ab\x1a\x011\x20\x07\x2a\x01z"
    payload_type, payload, client_msg_id, extras = read_envelope(body)
    assert (payload_type, payload, client_msg_id, extras) == (2100, b"ab", "1", b"\x20\x07\x2a\x01z")
    assert write_envelope(payload_type, payload, client_msg_id, extras=extras) == body


def test_the_fields_may_come_in_any_order_and_the_last_of_each_holds() -> None:
    assert read_envelope(b"\x1a\x011\x12\x01a\x08\x33\x08\x34\x12\x00") == (0x34, b"", "1", None)


@pytest.mark.parametrize(
    ("payload_type", "client_msg_id"), [(-1, None), (2**32, None), ("x", None), (51, 7), (51, "\ud800")]
)
def test_what_does_not_fit_into_an_envelope_is_refused(payload_type: Any, client_msg_id: Any) -> None:
    with pytest.raises(LocalProtocolError, match="no envelope can be made"):
        write_envelope(payload_type, b"", client_msg_id)
