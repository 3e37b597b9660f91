"""Compile the published schema: ``python -m anyctrader.proto.compile [--check]``.

Writes two files beside this one, both committed and never edited:

- ``openapi.binpb``, the descriptor set that ``schema.py`` loads,
- ``schema.pyi``, what a type checker and an editor know about the classes that ``schema.py`` makes from it.

The output depends on the ``.proto`` files alone, not on the release of grpcio-tools: the set is written again
from its parsed form, without source positions and without the JSON names that compilers derive.
"""

import argparse
import keyword
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

HERE = Path(__file__).parent
SOURCES = (
    "OpenApiCommonModelMessages.proto",
    "OpenApiCommonMessages.proto",
    "OpenApiModelMessages.proto",
    "OpenApiMessages.proto",
)
DESCRIPTORS = "openapi.binpb"
STUB = "schema.pyi"

# Steps of a path in SourceCodeInfo: field numbers of FileDescriptorProto, then of what they hold.
_MESSAGE, _ENUM, _FIELD, _VALUE = 4, 5, 2, 2

_F = FieldDescriptorProto
_SCALARS = MappingProxyType(
    {
        _F.TYPE_BOOL: "bool",
        _F.TYPE_BYTES: "bytes",
        _F.TYPE_DOUBLE: "float",
        _F.TYPE_INT32: "int",
        _F.TYPE_INT64: "int",
        _F.TYPE_STRING: "str",
        _F.TYPE_UINT32: "int",
        _F.TYPE_UINT64: "int",
    }
)

_STUB_HEAD = '''\
"""The message classes and enums of the cTrader Open API, by their published names.

Made from the .proto files by compile.py: do not edit.
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Final, Literal, final

from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.internal.containers import RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer
from google.protobuf.message import Message

POOL: Final[DescriptorPool]
MESSAGES: Final[Mapping[str, type[Message]]]
ENUMS: Final[Mapping[str, type[IntEnum]]]
ENUM_FIELDS: Final[Mapping[str, Mapping[str, type[IntEnum]]]]
'''


class CompileError(Exception):
    """The sources do not compile, or hold something that the stub cannot say. Nothing was written."""


def compile_sources(folder: Path) -> FileDescriptorSet:
    """Compile the ``.proto`` files in *folder*.

    Returns:
        One descriptor a file, each after those that it imports, with source positions (and so comments).

    Raises:
        CompileError: the compiler refused a file; what it said is on stderr.

    """
    from grpc_tools import protoc  # type: ignore[import-untyped]  # here: only those who compile need it

    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "out")
        arguments = [
            "protoc",
            f"-I{folder}",
            f"--descriptor_set_out={out}",
            "--include_source_info",
            *SOURCES,
        ]
        if protoc.main(arguments):
            raise CompileError("protoc refused the schema")
        return FileDescriptorSet.FromString(out.read_bytes())


def descriptor_set(files: FileDescriptorSet) -> bytes:
    """Serialise *files* without what depends on the compiler: source positions and derived JSON names."""
    bare = FileDescriptorSet()
    bare.CopyFrom(files)
    for file in bare.file:
        file.ClearField("source_code_info")
        for message in file.message_type:
            for field in message.field:
                field.ClearField("json_name")
    return bare.SerializeToString(deterministic=True)


def stub(files: FileDescriptorSet) -> str:
    """Write the type stub for the classes that ``schema.py`` makes from *files*."""
    blocks = [_STUB_HEAD]
    names: list[str] = []
    for file in files.file:
        comments = _comments(file)
        for index, enum in enumerate(file.enum_type):
            blocks.append("\n".join(_enum(enum, comments, (_ENUM, index))) + "\n")
            names.append(enum.name)
    for file in files.file:
        comments = _comments(file)
        for index, message in enumerate(file.message_type):
            blocks.append("\n".join(_message(message, comments, (_MESSAGE, index))) + "\n")
            names.append(message.name)
    listed = "".join(f'    "{name}",\n' for name in names)
    return "\n".join(blocks) + f"\n__all__ = [\n{listed}]\n"


def fresh(folder: Path) -> dict[str, bytes]:
    """Return what belongs into each output file of the sources in *folder*, by its name."""
    files = compile_sources(folder)
    return {DESCRIPTORS: descriptor_set(files), STUB: stub(files).encode()}


def stale(folder: Path) -> list[str]:
    """Name the output files in *folder* that are missing or differ from fresh output."""
    return [
        name
        for name, content in fresh(folder).items()
        if not Path(folder, name).is_file() or Path(folder, name).read_bytes() != content
    ]


def main(arguments: list[str] | None = None) -> int:
    """Write the output, or with ``--check`` only tell what is stale. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="compile", description="Compile the published schema.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if committed output is stale")
    try:
        if parser.parse_args(arguments).check:
            old = stale(HERE)
            for name in old:
                sys.stderr.write(f"{HERE / name} is stale: run python -m anyctrader.proto.compile\n")
            return 1 if old else 0
        for name, content in fresh(HERE).items():
            Path(HERE, name).write_bytes(content)
    except CompileError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _comments(file: FileDescriptorProto) -> dict[tuple[int, ...], str]:
    """Collect each comment of *file*, as one paragraph, by the path of what it stands at."""
    return {
        tuple(at.path): " ".join((at.leading_comments + at.trailing_comments).split())
        for at in file.source_code_info.location
        if at.leading_comments or at.trailing_comments
    }


def _docstring(text: str | None, indent: str) -> Iterator[str]:
    if text:
        text = text.replace("\\", "\\\\").replace('"', "'")
        lines = textwrap.wrap(text, 110 - len(indent) - 3, break_on_hyphens=False)
        yield f'{indent}"""{lines[0]}' + ('"""' if len(lines) == 1 else "")
        if len(lines) > 1:
            yield from (indent + line for line in lines[1:])
            yield f'{indent}"""'


def _enum(enum: EnumDescriptorProto, comments: dict[tuple[int, ...], str], path: tuple[int, ...]) -> Iterator[str]:
    yield f"class {enum.name}(IntEnum):"
    yield from _docstring(comments.get(path), "    ")
    for index, value in enumerate(enum.value):
        if keyword.iskeyword(value.name) or value.name in dir(int):
            raise CompileError(f"{enum.name}.{value.name} cannot be an attribute in Python")
        yield f"    {value.name} = {value.number}"
        yield from _docstring(comments.get((*path, _VALUE, index)), "    ")


def _message(message: DescriptorProto, comments: dict[tuple[int, ...], str], path: tuple[int, ...]) -> Iterator[str]:
    yield "@final"  # as protobuf has it at runtime
    yield f"class {message.name}(Message):"
    yield from _docstring(comments.get(path), "    ")
    parameters: list[str] = []
    for index, field in enumerate(message.field):
        kind, accepted = _types(message, field)
        if field.type == _F.TYPE_MESSAGE or field.label == _F.LABEL_REPEATED:  # filled in place, never assigned
            yield "    @property"
            yield f"    def {field.name}(self) -> {kind}:"
            doc = list(_docstring(comments.get((*path, _FIELD, index)), "        "))
            yield from doc or ["        ..."]
        else:
            yield f"    {field.name}: {kind}"
            yield from _docstring(comments.get((*path, _FIELD, index)), "    ")
        parameters.append(f"        {field.name}: {accepted} | None = ...,")
    yield "    def __init__("
    yield "        self,"
    yield "        *,"
    yield from parameters
    yield "    ) -> None: ..."
    single = [field.name for field in message.field if field.label != _F.LABEL_REPEATED]
    if single:
        yield f"    def HasField(self, field_name: {_literal(single)}) -> bool: ..."
    every = [field.name for field in message.field]
    yield f"    def ClearField(self, field_name: {_literal(every)}) -> None: ..."


def _literal(names: list[str]) -> str:
    return "Literal[" + ", ".join(f'"{name}"' for name in names) + "]"


def _types(message: DescriptorProto, field: FieldDescriptorProto) -> tuple[str, str]:
    """Return what *field* reads as, and what the constructor takes for it."""
    name = field.type_name.removeprefix(".")
    if field.type == _F.TYPE_MESSAGE:
        kind, accepted, container = name, name, "RepeatedCompositeFieldContainer"
    elif field.type == _F.TYPE_ENUM:
        kind, accepted, container = "int", f"{name} | int", "RepeatedScalarFieldContainer"
    elif field.type in _SCALARS:
        kind = accepted = _SCALARS[field.type]
        container = "RepeatedScalarFieldContainer"
    else:
        raise CompileError(f"{message.name}.{field.name}: type {field.type} is new to the stub")
    if field.label == _F.LABEL_REPEATED:
        return f"{container}[{kind}]", f"Iterable[{accepted}]"
    return kind, accepted


if __name__ == "__main__":
    sys.exit(main())
