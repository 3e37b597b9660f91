"""The message classes and enums of the cTrader Open API, by their published names.

The classes live in a descriptor pool of our own. The official SDK registers the same file and message names
in protobuf's default pool, and a pool takes each name once: sharing it would make the two exclude each other.

Enum fields are declared as plain integers here. An enum of the published schema is closed: a value that it
does not list parses without an error and then *reads as the first value*, so an execution type of a newer
server would read as ``ORDER_ACCEPTED``. As int32, which is the same on the wire, each value reads as what was
sent. What an integer stands for is in ``ENUM_FIELDS``. While unset, a field that declares no default reads as
0, which is a member of its enum only where the schema numbers one 0: ``HasField`` tells.
"""

from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType
from typing import cast

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

_ENUM = FieldDescriptorProto.TYPE_ENUM
_INT32 = FieldDescriptorProto.TYPE_INT32


def _load() -> tuple[
    DescriptorPool,
    Mapping[str, type[Message]],
    Mapping[str, type[IntEnum]],
    Mapping[str, Mapping[str, type[IntEnum]]],
]:
    files = FileDescriptorSet.FromString(Path(__file__).with_name("openapi.binpb").read_bytes()).file
    enums = {
        enum.name: cast("type[IntEnum]", IntEnum(enum.name, [(v.name, v.number) for v in enum.value], module=__name__))
        for file in files
        for enum in file.enum_type
    }
    pool = DescriptorPool()
    enum_fields: dict[str, Mapping[str, type[IntEnum]]] = {}
    for file in files:  # each stands after those that it imports
        for message in file.message_type:
            found: dict[str, type[IntEnum]] = {}
            for field in message.field:
                if field.type == _ENUM:
                    enum = found[field.name] = enums[field.type_name.removeprefix(".")]
                    field.type = _INT32
                    field.ClearField("type_name")
                    if field.default_value:
                        field.default_value = str(enum[field.default_value].value)
            enum_fields[message.name] = MappingProxyType(found)
        pool.AddSerializedFile(file.SerializeToString())
    messages = {}
    for name in enum_fields:
        messages[name] = GetMessageClass(pool.FindMessageTypeByName(name))
        messages[name].__module__ = __name__
    return pool, MappingProxyType(messages), MappingProxyType(enums), MappingProxyType(enum_fields)


POOL, MESSAGES, ENUMS, ENUM_FIELDS = _load()
globals().update(MESSAGES)
globals().update(ENUMS)

__all__ = [*ENUMS, *MESSAGES]  # noqa: PLE0604
