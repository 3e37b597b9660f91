"""How long one frame of the largest size, made to be as slow as can be, keeps the reader busy, and its memory.

    python bench/largest.py

A frame that is read blocks its connection's event loop, heartbeats included. Rows of redaction: how long what was read
takes to have its secrets covered, in a thread, before it is shown or recorded. Each row is a process of its own.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time

from anyctrader.wire import Codec, Connection, JsonCodec, Message, ProtobufCodec, Role, UnknownPayload, encode_frame
from anyctrader.wire import messages as oa
from anyctrader.wire.framing import MAX_FRAME_SIZE
from anyctrader.wire.redaction import Redaction
from anyctrader.wire.weight import MOST_WEIGHT

SYMBOL = 24 + 8 * len(oa.ProtoOASymbol.DESCRIPTOR.fields)  # what one is taken to weigh
BARS = b'{"payloadType":2138,"payload":{"ctidTraderAccountId":1,"period":1,"timestamp":1,"trendbar":['


def filled(head: bytes, part: bytes, tail: bytes = b"") -> bytes:
    return head + part * ((MAX_FRAME_SIZE - 40 - len(head) - len(tail)) // len(part)) + tail


def wrapped(payload_type: int, payload: bytes) -> bytes:
    return oa.ProtoMessage(payloadType=payload_type, payload=payload).SerializeToString()


def packed(size: int) -> bytes:
    length = bytes((size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14 & 0x7F | 0x80, size >> 21))
    return b"\x10\x01\x18\x01\x2a" + length + b"\x01" * size


def frame_of(kind: str) -> tuple[Codec, bytes]:
    match kind:
        case "protobuf, symbols of two bytes":
            return ProtobufCodec(), wrapped(2115, filled(b"\x10\x01", b"\x1a\x02\x08\x01"))
        case "protobuf, as many empty symbols as are parsed":
            return ProtobufCodec(), wrapped(2117, b"\x10\x01" + b"\x1a\x00" * (MOST_WEIGHT // SYMBOL))
        case "protobuf, empty deals":
            return ProtobufCodec(), wrapped(2134, filled(b"\x10\x01\x20\x01", b"\x1a\x00"))
        case "protobuf, a packed list of small numbers":
            return ProtobufCodec(), wrapped(2155, packed(MAX_FRAME_SIZE - 40))
        case "protobuf, as much of one as is parsed":
            return ProtobufCodec(), wrapped(2155, packed(MOST_WEIGHT // 16 - 100))
        case "protobuf, a list of small numbers that is not packed":
            return ProtobufCodec(), wrapped(2116, filled(b"\x10\x01", b"\x18\x01"))
        case "protobuf, one string":
            return ProtobufCodec(), wrapped(2142, b"\x12\x01a\x1a\x80\x80\x80\x07" + b"a" * (7 << 21))
        case "JSON, empty bars":
            return JsonCodec(), filled(BARS, b"{},", b"{}]}}")
        case "JSON, a long integer beside empty lists":
            return JsonCodec(), filled(b'{"payloadType":9999,"payload":[' + b"9" * 30 + b",", b"[],", b"1]}")
        case "JSON, bars":
            return JsonCodec(), filled(BARS, b'{"volume":1},', b'{"volume":1}]}}')
        case "redaction: protobuf, symbols with a value in their name":
            return ProtobufCodec(), wrapped(2115, filled(b"\x10\x01", b"\x1a\x09\x08\x01\x12\x05pin=1"))
        case "redaction: protobuf, one string of names and values":
            return ProtobufCodec(), wrapped(2142, b"\x12\x01a\x1a\x80\x80\x80\x07" + b"key=1234" * (7 << 18))
        case "redaction: protobuf, one string of secrets":
            return ProtobufCodec(), wrapped(2142, b"\x12\x01a\x1a\x80\x80\x80\x07" + b"token-000007 abc" * (7 << 17))
        case "redaction: JSON, a list of passwords":
            return JsonCodec(), filled(b'{"payloadType":51,"payload":{"password":[', b'"password",', b"1]}}")
        case "redaction: JSON, members that nobody knows":
            names = b",".join(b'"x%d":1' % number for number in range(1_000_000))
            return JsonCodec(), b'{"payloadType":51,"payload":{%s}}' % names
        case _:
            return JsonCodec(), filled(b'{"payloadType":9999,"payload":[', b"[],", b"1]}")


KINDS = (
    "protobuf, symbols of two bytes",
    "protobuf, as many empty symbols as are parsed",
    "protobuf, empty deals",
    "protobuf, a packed list of small numbers",
    "protobuf, as much of one as is parsed",
    "protobuf, a list of small numbers that is not packed",
    "protobuf, one string",
    "JSON, empty bars",
    "JSON, bars",
    "JSON, empty lists of unknown type",
    "JSON, a long integer beside empty lists",
    "redaction: protobuf, symbols with a value in their name",
    "redaction: protobuf, one string of names and values",
    "redaction: protobuf, one string of secrets",
    "redaction: JSON, a list of passwords",
    "redaction: JSON, members that nobody knows",
)


def full_redaction() -> Redaction:
    """One that knows as many secrets as it remembers."""
    redaction = Redaction(f"a-secret-of-the-owner-{number}" for number in range(8))
    for number in range(256):
        redaction.message(Message(oa.ProtoOARefreshTokenReq(refreshToken=f"token-{number:06}")))
        redaction.message(Message(UnknownPayload(9999, {"pin": f"suspected-{number:06}"})))
    return redaction


def measure(kind: str) -> None:
    codec, body = frame_of(kind)
    data = encode_frame(body)
    redaction = full_redaction() if kind.startswith("redaction") else None
    message = codec.decode(body) if redaction is not None else None
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    if redaction is None or message is None:
        Connection(Role.CLIENT, codec).receive_data(data)
    else:
        redaction.message(message)
    took = time.process_time() - began
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 1e6
    print(f"| {kind} | {took:.1f} | {grown_mb:.0f} |")


def main() -> None:
    if len(sys.argv) > 1:
        measure(sys.argv[1])
        return
    print("| a frame of 15 MB | seconds of the processor | more memory, MB |\n|---|---:|---:|", flush=True)
    for kind in KINDS:
        subprocess.run([sys.executable, __file__, kind], check=True)


if __name__ == "__main__":
    main()
