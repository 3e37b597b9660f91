"""Runs beside the official SDK, in its own virtual environment: imports both, compares what they serialise.

Arguments: which is imported first ("sdk" or "ours"), and the file with the golden messages. Prints one JSON object:
the names of messages that are the same as a whole, the same as far as the SDK's schema goes (it is older), different,
and declared otherwise by the SDK.
"""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path
from typing import Any


def main(first: str, vectors: str) -> None:
    if first == "sdk":
        import ctrader_open_api.messages.OpenApiMessages_pb2

    from anyctrader.wire import Message, ProtobufCodec, encode_frame

    if first == "ours":
        import ctrader_open_api.messages.OpenApiMessages_pb2  # noqa: F401 - its names are registered by this
    from ctrader_open_api import Protobuf
    from google.protobuf.json_format import ParseDict, ParseError

    Protobuf.populate()
    codec = ProtobufCodec()
    result: dict[str, list[str]] = {"whole": [], "as far as it goes": [], "different": [], "declared otherwise": []}
    for line in Path(vectors).read_text(encoding="utf-8").splitlines():
        golden = json.loads(line)
        name, said = golden["name"], golden["json"]
        message = codec.decode(bytes.fromhex(golden["protobuf_frame"])[4:])
        kind = type(Protobuf.get(said["payloadType"]))
        try:
            theirs = ParseDict(said["payload"], kind(), ignore_unknown_fields=True)
        except ParseError:
            result["declared otherwise"].append(name)
            continue
        written = theirs.SerializePartialToString()
        known = type(message.payload).FromString(written)
        if known == message.payload:
            ours = encode_frame(codec.encode(Message(message.payload, message.client_msg_id)))
            same = ours == framed(theirs, written, said.get("clientMsgId"))
            result["whole" if same else "different"].append(name)
        else:
            same = known.SerializePartialToString() == written
            result["as far as it goes" if same else "different"].append(name)
    print(json.dumps(result))


def framed(payload: Any, written: bytes, client_msg_id: str | None) -> bytes:
    """What the SDK's `TcpProtocol.send` puts on the wire."""
    from ctrader_open_api.messages.OpenApiCommonMessages_pb2 import ProtoMessage

    envelope = ProtoMessage(payloadType=payload.payloadType, payload=written, clientMsgId=client_msg_id)
    body = envelope.SerializeToString()
    return struct.pack("!I", len(body)) + body


if __name__ == "__main__":
    main(*sys.argv[1:])
