"""The compiled schema says what was published, and its classes live apart from everyone else's."""

import enum
import importlib.util
import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, unknown_fields

from anyctrader.proto import schema as oa

FACTS = json.loads(Path(__file__).with_name("open_api_schema.json").read_text())
DESCRIPTORS = Path(oa.__file__).with_name("openapi.binpb").read_bytes()
MESSAGE_FACTS = {name: rows for file in FACTS.values() for name, rows in file["messages"].items()}
ENUM_FACTS = {name: values for file in FACTS.values() for name, values in file["enums"].items()}

SCALARS = {"bool", "bytes", "double", "int32", "int64", "string", "uint32", "uint64"}
WITH_ENUMS = [(message, row) for message, rows in MESSAGE_FACTS.items() for row in rows if row["type"] in ENUM_FACTS]
ids = [f"{message}.{row['name']}" for message, row in WITH_ENUMS]


def published_form(field: descriptor_pb2.FieldDescriptorProto) -> dict:
    """A compiled field in the words of the facts."""
    kind = field.type_name.lstrip(".") or field.Type.Name(field.type)[len("TYPE_") :].lower()
    form = {
        "name": field.name,
        "number": field.number,
        "label": field.Label.Name(field.label)[len("LABEL_") :].lower(),
        "type": kind,
        "default": field.default_value if field.HasField("default_value") else None,
        "packed": field.options.packed or None,
        "deprecated": field.options.deprecated or None,
    }
    return {key: value for key, value in form.items() if value is not None}


def read_number(message: object, field: str) -> int:
    return getattr(message, field)


# --- what was compiled


def test_the_descriptor_set_holds_the_published_files_in_an_order_that_loads():
    files = descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS).file
    assert {file.name: list(file.dependency) for file in files} == {
        name: facts["imports"] for name, facts in FACTS.items()
    }
    seen: set[str] = set()
    for file in files:
        assert set(file.dependency) <= seen
        assert file.syntax in ("", "proto2")
        assert file.package == ""
        seen.add(file.name)


@pytest.mark.parametrize("name", FACTS)
def test_each_published_message_and_field_is_compiled_and_nothing_else(name):
    (file,) = (f for f in descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS).file if f.name == name)
    compiled = {message.name: [published_form(field) for field in message.field] for message in file.message_type}
    assert compiled == FACTS[name]["messages"]
    for message in file.message_type:
        assert not [*message.nested_type, *message.enum_type, *message.oneof_decl, *message.extension]


@pytest.mark.parametrize("name", FACTS)
def test_each_published_enum_and_value_is_compiled_and_nothing_else(name):
    (file,) = (f for f in descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS).file if f.name == name)
    compiled = {e.name: {value.name: value.number for value in e.value} for e in file.enum_type}
    assert compiled == FACTS[name]["enums"]


def test_the_descriptor_set_carries_no_source_positions():
    files = descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS).file
    assert not any(file.HasField("source_code_info") for file in files)


# --- what the module offers


def test_every_message_and_enum_is_offered_by_its_published_name_and_nothing_else():
    assert set(oa.MESSAGES) == set(MESSAGE_FACTS)
    assert set(oa.ENUMS) == set(ENUM_FACTS)
    assert set(oa.__all__) == set(MESSAGE_FACTS) | set(ENUM_FACTS)
    assert len(oa.__all__) == len(set(oa.__all__))
    for name, made in {**oa.MESSAGES, **oa.ENUMS}.items():
        assert getattr(oa, name) is made
        assert made.__name__ == name
        assert made.__module__ == oa.__name__


def test_enum_classes_have_the_published_members():
    for name, values in ENUM_FACTS.items():
        assert issubclass(oa.ENUMS[name], enum.IntEnum)
        assert {member.name: member.value for member in oa.ENUMS[name].__members__.values()} == values


def test_the_enum_of_each_field_is_on_record():
    expected = {name: {} for name in MESSAGE_FACTS}
    for message, row in WITH_ENUMS:
        expected[message][row["name"]] = oa.ENUMS[row["type"]]
    assert expected == oa.ENUM_FIELDS


@pytest.mark.parametrize("mapping", [oa.MESSAGES, oa.ENUMS, oa.ENUM_FIELDS, oa.ENUM_FIELDS["ProtoOAOrder"]])
def test_the_tables_are_read_only(mapping):
    with pytest.raises(TypeError):
        mapping["ProtoOAOrder"] = None


def test_a_message_and_an_enum_member_survive_pickling():
    order = oa.ProtoOACancelOrderReq(ctidTraderAccountId=1, orderId=2)
    assert pickle.loads(pickle.dumps(order)) == order
    assert pickle.loads(pickle.dumps(oa.ProtoOATradeSide.SELL)) is oa.ProtoOATradeSide.SELL


# --- the pool


def test_the_classes_live_in_a_pool_of_their_own():
    assert oa.POOL is not descriptor_pool.Default()
    assert oa.ProtoOANewOrderReq.DESCRIPTOR.file.pool is oa.POOL
    for name in FACTS:
        with pytest.raises(KeyError):
            descriptor_pool.Default().FindFileByName(name)


@pytest.mark.parametrize("name", FACTS)
def test_the_pool_has_all_but_the_enums_of_fields_as_published(name):
    file = descriptor_pb2.FileDescriptorProto.FromString(oa.POOL.FindFileByName(name).serialized_pb)
    expected = {}
    for message, rows in FACTS[name]["messages"].items():
        expected[message] = []
        for row in rows:
            want = dict(row)
            if values := ENUM_FACTS.get(row["type"]):
                want["type"] = "int32"
                if "default" in row:
                    want["default"] = str(values[row["default"]])
            expected[message].append(want)
    assert {m.name: [published_form(field) for field in m.field] for m in file.message_type} == expected


# Registers the published files in the default pool, as the official SDK does when it is imported.
REGISTER = """
import pathlib
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
files = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path({path!r}).read_bytes()).file
for file in files:
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
find = descriptor_pool.Default().FindMessageTypeByName
Theirs = message_factory.GetMessageClass(find("ProtoOAExecutionEvent"))
""".format(path=str(Path(oa.__file__).with_name("openapi.binpb")))
IMPORT = "from anyctrader.proto import schema as oa\n"
BOTH_WORK = """
theirs = Theirs(ctidTraderAccountId=7, executionType=3)
ours = oa.ProtoOAExecutionEvent.FromString(theirs.SerializeToString())
assert type(ours) is not type(theirs)
assert (ours.ctidTraderAccountId, ours.executionType) == (7, oa.ProtoOAExecutionType.ORDER_FILLED)
assert Theirs.FromString(ours.SerializeToString()) == theirs
print("both work")
"""


@pytest.mark.parametrize("program", [REGISTER + IMPORT, IMPORT + REGISTER], ids=["theirs first", "ours first"])
def test_an_sdk_that_registers_the_same_names_can_be_imported_beside_it(program):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program + BOTH_WORK],
        check=False,
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert (done.stdout, done.stderr) == ("both work\n", "")


# --- enum values


@pytest.mark.parametrize(("message", "row"), WITH_ENUMS, ids=ids)
@pytest.mark.parametrize("number", [99_999, -1, 2**31 - 1, -(2**31)])
def test_an_enum_value_that_the_schema_does_not_list_survives_and_reads_as_it_is(message, row, number):
    sent = oa.MESSAGES[message](**{row["name"]: number})
    data = sent.SerializePartialToString()
    got = oa.MESSAGES[message]()
    got.MergeFromString(data)
    assert read_number(got, row["name"]) == number
    assert got.SerializePartialToString() == data
    assert len(unknown_fields.UnknownFieldSet(got)) == 0


def test_an_execution_type_of_a_newer_server_does_not_read_as_accepted():
    got = oa.ProtoOAExecutionEvent.FromString(bytes.fromhex("08ce10 1007 184d"))
    assert got.IsInitialized()
    assert got.executionType == 77
    with pytest.raises(ValueError, match="77 is not a valid"):
        oa.ProtoOAExecutionType(got.executionType)


@pytest.mark.parametrize(("message", "row"), WITH_ENUMS, ids=ids)
def test_enum_fields_take_members_and_read_as_plain_integers_equal_to_them(message, row):
    for member in oa.ENUMS[row["type"]]:
        value = read_number(oa.MESSAGES[message](**{row["name"]: member}), row["name"])
        assert value == member
        assert type(value) is int


@pytest.mark.parametrize(("message", "row"), WITH_ENUMS, ids=ids)
def test_an_unset_enum_field_reads_as_its_default_and_counts_as_unset(message, row):
    unset = oa.MESSAGES[message]()
    expected = ENUM_FACTS[row["type"]][row["default"]] if "default" in row else 0
    assert read_number(unset, row["name"]) == expected
    assert not unset.HasField(row["name"])


def test_every_request_response_and_event_has_its_published_payload_type_as_default():
    numbers = {}
    for name, cls in oa.MESSAGES.items():
        if row := next((r for r in MESSAGE_FACTS[name] if r["name"] == "payloadType" and "default" in r), None):
            numbers[name] = read_number(cls(), "payloadType")
            assert numbers[name] == ENUM_FACTS[row["type"]][row["default"]]
    assert len(set(numbers.values())) == len(numbers)
    assert set(ENUM_FACTS["ProtoOAPayloadType"].values()) == set(numbers.values()) - {50, 51}


# --- other values


@pytest.mark.parametrize("number", [0, 1, -1, 2**53 + 1, 2**63 - 1, -(2**63)])
def test_64_bit_integers_survive_to_the_last_bit(number):
    sent = oa.ProtoOAClosePositionReq(ctidTraderAccountId=number, positionId=number, volume=number)
    got = oa.ProtoOAClosePositionReq.FromString(sent.SerializeToString())
    assert (got.ctidTraderAccountId, got.positionId, got.volume) == (number, number, number)


def test_unsigned_fields_hold_64_bits_and_nothing_below_zero():
    got = oa.ProtoOADepthQuote.FromString(oa.ProtoOADepthQuote(id=2**64 - 1, size=0).SerializeToString())
    assert got.id == 2**64 - 1
    with pytest.raises(ValueError, match="-1"):
        oa.ProtoOADepthQuote(id=-1)


def test_packed_and_unpacked_repeated_numbers_are_written_as_published_and_both_are_read():
    depth = oa.ProtoOADepthEvent(ctidTraderAccountId=1, symbolId=1, deletedQuotes=[1, 2])
    assert depth.SerializeToString().endswith(bytes([5 << 3 | 2, 2, 1, 2]))
    spots = oa.ProtoOASubscribeSpotsReq(ctidTraderAccountId=1, symbolId=[1, 2])
    assert spots.SerializeToString().endswith(bytes([3 << 3, 1, 3 << 3, 2]))
    packed = bytes([2 << 3, 1, 3 << 3 | 2, 2, 1, 2])
    assert oa.ProtoOASubscribeSpotsReq.FromString(packed).symbolId == [1, 2]


def test_a_field_of_a_newer_server_is_kept():
    data = oa.ProtoOAAccountAuthRes(ctidTraderAccountId=1).SerializeToString() + bytes([0xF8, 0x07, 5])
    assert oa.ProtoOAAccountAuthRes.FromString(data).SerializeToString() == data


def test_facts_name_only_types_that_the_tests_know():
    kinds = {row["type"] for rows in MESSAGE_FACTS.values() for row in rows}
    assert kinds <= SCALARS | set(MESSAGE_FACTS) | set(ENUM_FACTS)


def test_loading_it_again_gives_the_same_schema():
    again = importlib.util.spec_from_file_location("again", oa.__file__)
    module = importlib.util.module_from_spec(again)
    again.loader.exec_module(module)
    assert module.POOL is not oa.POOL
    assert module.__all__ == oa.__all__
