"""What two readers may take for two different messages."""

from __future__ import annotations

import pytest

from anyctrader.wire import JsonCodec, ProtobufCodec
from anyctrader.wire.ambiguity import ambiguity_of, repeated_key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (b"{}", None),
        (b'{"a": 1, "b": {"a": 2}}', None),
        (b'[{"a": 1}, {"a": 1}]', None),
        (b'{"a": "b", "b": "a", "c": "a:", ":c": ":"}', None),
        (rb'{"a": "\"a\": 1, \"a\": 2", "b": 3}', None),
        (b'{"volume": 1, "volume": 1}', "volume"),
        (b'{"a" : 1,\n"a"\t: 2}', "a"),
        (b'{"a": {"b": [0, {"c": 1, "d": 2, "c": 3}]}}', "c"),
        (b'{"a": "x",":k":1, ":k":2}', ":k"),
        (rb'{"volume": 1, "v\u006flume": 2}', "volume"),
        ('{"\u00fc": 1, "\u00fc": 2}'.encode(), "\u00fc"),
    ],
)
def test_a_key_that_one_object_has_twice_is_found_at_any_depth(text: bytes, key: str | None) -> None:
    assert repeated_key(text) == key


@pytest.mark.parametrize("text", [b'{"a": 1, "a": ' + b"[" * 100_000, b'{"a": "\xff", "b": {"a": 1}}'])
def test_what_another_reader_cannot_read_is_said(text: bytes) -> None:
    with pytest.raises((ValueError, RecursionError)):
        repeated_key(text)


def doubt(body: bytes) -> str | None:
    return ambiguity_of(JsonCodec().decode(body), body, "json")


def test_a_frame_is_in_doubt_for_its_keys_and_for_what_its_envelope_holds_beside_them() -> None:
    assert doubt(b'{"payloadType": 2104, "payload": {}}') is None
    assert "a key is there twice" in (doubt(b'{"payloadType": 2104, "payloadType": 2104}') or "")
    assert "the schema does not know" in (doubt(b'{"payloadType": 2104, "PayloadType": 2106}') or "")
    deep = b'{"payloadType": 9999, "payload": {"a": %b%b, "b": {"a": 1}}}' % (b"[" * 1000, b"]" * 1000)
    assert "a key is there twice" in (doubt(deep) or "")  # Python's parser goes less deep
    body = b"\x08\xb8\x10"
    assert ambiguity_of(ProtobufCodec().decode(body), body, "protobuf") is None
