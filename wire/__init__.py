"""Bytes to messages and back, for both flavours of the cTrader Open API. No socket, no clock, no task.

Used alone, this package guards nothing: whatever it is given it encodes, orders included.
"""

from .catalog import Budget, Kind, Permission
from .codecs import Codec, JsonCodec, Message, ProtobufCodec, UnknownPayload
from .connection import Connection, Role
from .drift import Drift, UnknownEnum, UnknownField, unknown_enums, unknown_fields
from .errors import (
    CTraderError,
    FrameTooLarge,
    LocalProtocolError,
    ProtocolError,
    RemoteProtocolError,
    UndecodablePayload,
)
from .framing import Delimiting, FrameDecoder, encode_frame, framing_of
from .states import AccountState, ConnectionState
from .websocket import MessageKind, WebSocketFraming

__all__ = [
    "AccountState",
    "Budget",
    "CTraderError",
    "Codec",
    "Connection",
    "ConnectionState",
    "Delimiting",
    "Drift",
    "FrameDecoder",
    "FrameTooLarge",
    "JsonCodec",
    "Kind",
    "LocalProtocolError",
    "Message",
    "MessageKind",
    "Permission",
    "ProtobufCodec",
    "ProtocolError",
    "RemoteProtocolError",
    "Role",
    "UndecodablePayload",
    "UnknownEnum",
    "UnknownField",
    "UnknownPayload",
    "WebSocketFraming",
    "encode_frame",
    "framing_of",
    "unknown_enums",
    "unknown_fields",
]
