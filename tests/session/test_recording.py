from __future__ import annotations

import io
import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.session import recording
from anyctrader.session.disk import Disk
from anyctrader.session.kept_frame import kept_of
from anyctrader.session.recorder import RecordingUnavailable, open_recorder
from anyctrader.session.recording import (
    Closed,
    Damage,
    Direction,
    FrameRecord,
    Lost,
    Moment,
    Opened,
    line_of,
    read_lines,
    read_recording,
)
from anyctrader.wire import JsonCodec, Message, ProtobufCodec, UnknownPayload
from anyctrader.wire import messages as oa
from anyctrader.wire.envelope import write_envelope
from anyctrader.wire.redaction import Redaction

AT = Moment(1_764_000_000_123_456, 77)
TOKEN = "planted-access-token-0123456789"
SECRET = "planted-client-secret-0123456789"
OPENED = Opened(
    at=AT,
    connection="ab-1",
    environment="demo",
    codec="protobuf",
    transport="tcp",
    delimiting="length",
    server="localhost:5035",
    via="session",
)


def frame(body: bytes | None = b"\x08\x01", **more: Any) -> FrameRecord:
    return FrameRecord(at=AT, connection="ab-1", direction=Direction.TO_SERVER, size=2, body=body, **more)


RECORDS = [
    OPENED,
    frame(payload_type=2106, client_msg_id='a"\n\x1b', masked=True),
    frame(None, payload_type=9999, reason="why", sha256="00", refused="no", ours=True),
    frame(None),
    Lost(at=AT, frames=3),
    Closed(at=AT, connection="ab-1", reason="left"),
]


def read(data: bytes) -> list[Any]:
    return list(read_recording(io.BytesIO(data)))


def test_what_is_written_is_read_again() -> None:
    lines = [line_of(record) for record in RECORDS]
    assert all(line.count(b"\n") == 1 and line.endswith(b"\n") for line in lines)
    assert read(b"".join(lines)) == RECORDS


def test_a_line_says_by_itself_when_where_and_which_way() -> None:
    members = json.loads(line_of(RECORDS[1]))
    assert members == {
        "record": "frame",
        "at": "2025-11-24T16:00:00.123456Z",
        "mono_ns": 77,
        "connection": "ab-1",
        "direction": "to_server",
        "size": 2,
        "payloadType": 2106,
        "name": "ProtoOANewOrderReq",
        "clientMsgId": 'a"\n\x1b',
        "masked": True,
        "body": "CAE=",
    }


def test_a_torn_tail_is_told_and_costs_nothing_before_it() -> None:
    data = b"".join(map(line_of, RECORDS))
    whole = len(data) - len(line_of(RECORDS[-1]))
    for cut in range(whole + 1, len(data) - 1):
        *records, damage = read(data[:cut])
        assert records == RECORDS[:-1]
        assert damage == Damage(6, whole, cut - whole, "the recording ends within it", torn=True)


def test_damage_in_the_middle_costs_its_line_only() -> None:
    lines = [line_of(record) for record in RECORDS]
    for spoiled, problem in (
        (b"no json\n", "no JSON"),
        (b"[1]\n", "no object"),
        (b'{"record":"frame"}\n', "'at' is missing"),
        (lines[1].replace(b'"CAE="', b'"C=E="'), "no base64"),
        (lines[1].replace(b"to_server", b"sideways"), "sideways"),
        (lines[1].replace(b'"frame"', b'"novelty"'), "newer version"),
        (lines[1].replace(b":77,", b":7.5,"), "no whole number"),
        (lines[1].replace(b"Z", b"+00:00"), "'at' is no time"),
    ):
        first, damage, *rest = read(b"".join([lines[0], spoiled, *lines[2:]]))
        assert first == RECORDS[0]
        assert rest == RECORDS[2:]
        assert (damage.line, damage.offset, damage.torn) == (2, len(lines[0]), False)
        assert problem in damage.problem


@pytest.mark.parametrize("sort", [False, True])
def test_an_object_over_several_lines_is_a_record_like_any_other(sort: bool) -> None:
    plain = [line_of(record) for record in RECORDS]
    wide = [json.dumps(json.loads(line), indent=2, sort_keys=sort).encode() + b"\n" for line in plain]
    assert read(b"".join(wide)) == RECORDS
    assert read(wide[0] + plain[1] + wide[2].rstrip()) == RECORDS[:3]
    lines = wide[1].count(b"\n")
    cut = wide[1][: wide[1].rindex(b"}")]
    first, damage, third = read(wide[0] + cut + wide[2])
    assert (first, third) == (RECORDS[0], RECORDS[2])
    number = wide[0].count(b"\n") + 1
    assert damage == Damage(number, len(wide[0]), len(cut), "it is no JSON")
    first, damage = read(wide[0] + cut)
    assert damage == Damage(number, len(wide[0]), len(cut), "the recording ends within it", torn=True)
    first, damage = read(plain[0] + b"{\n")
    assert (damage.line, damage.torn) == (2, True)
    assert [(line.number, line.offset) for line in read_lines(io.BytesIO(wide[1] + wide[2]))] == [
        (1, 0),
        (lines + 1, len(wide[1])),
    ]


def test_the_lines_of_an_object_without_end_are_not_gathered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "_LONGEST_LINE", 1000)
    rest = b'"x"\n' * 1000
    *damages, last = read(b"{\n" + rest + line_of(RECORDS[3]))
    assert last == RECORDS[3]
    assert all(isinstance(each, Damage) and each.size <= 1000 for each in damages)
    assert sum(each.size for each in damages) == 2 + len(rest)


def test_a_mark_of_utf_8_is_no_damage() -> None:
    lines = [b"\xef\xbb\xbf" + line_of(record) for record in RECORDS[:3]]
    assert read(b"".join(lines)) == RECORDS[:3]
    assert [(line.offset, line.size) for line in read_lines(io.BytesIO(lines[0] + b"\n" + lines[1]))] == [
        (0, len(lines[0])),
        (len(lines[0]) + 1, len(lines[1])),
    ]


def test_members_that_a_newer_version_adds_are_passed_over() -> None:
    assert read(line_of(RECORDS[1]).replace(b"{", b'{"novelty":1,', 1)) == [RECORDS[1]]


def test_text_that_is_no_text_is_recorded_all_the_same() -> None:
    (record,) = read(line_of(Closed(at=AT, connection="ab-1", reason="a\ud800")))
    assert record.reason == "a\\ud800"


# The recorder


async def recorded(path: Path, *bodies: bytes, codec: str = "protobuf", **given: Any) -> list[Any]:
    async with open_recorder(path, **given) as recorder:
        track = recorder.begin(environment="demo", codec=codec, server="here:1", via="session")
        for body in bodies:
            track.saw(Direction.TO_SERVER, body)
        track.ended("left")
    return read(await anyio.Path(path).read_bytes())


def protobuf(payload: Any, client_msg_id: str | None = None, **more: Any) -> bytes:
    return ProtobufCodec().encode(Message(payload, client_msg_id, **more))


pytestmark = pytest.mark.anyio


async def test_frames_without_secrets_are_recorded_byte_for_byte(tmp_path: Path) -> None:
    bodies = [
        protobuf(oa.ProtoOAVersionReq(), "1"),
        protobuf(oa.ProtoHeartbeatEvent()),
        b"\x08\xb8\x10" + bytes((0x78, 5)),  # VersionReq with an unknown field in its envelope
    ]
    opened, *frames, closed = await recorded(tmp_path / "r.jsonl", *bodies)
    assert [each.body for each in frames] == bodies
    assert [each.name for each in frames] == ["ProtoOAVersionReq", "ProtoHeartbeatEvent", "ProtoOAVersionReq"]
    assert {each.connection for each in (opened, *frames, closed)} == {opened.connection}
    assert (opened.codec, opened.transport, opened.via, closed.reason) == ("protobuf", "tcp", "session", "left")
    assert (tmp_path / "r.jsonl").stat().st_mode & 0o777 == 0o600


async def test_no_secret_is_in_a_recording_wherever_it_travelled(tmp_path: Path) -> None:
    stranger = oa.ProtoOAAccountAuthReq(ctidTraderAccountId=1, accessToken=TOKEN)
    stranger.MergeFromString(b"\xfa\x7f\x06planta")  # a field 2047 that a newer schema may have, in a bearer
    payloads: list[Any] = [
        oa.ProtoOAApplicationAuthReq(clientId="app", clientSecret=SECRET),
        oa.ProtoOAGetAccountListByAccessTokenReq(accessToken=TOKEN),
        stranger,
        oa.ProtoOARefreshTokenReq(refreshToken="planted-refresh-token-0123456789"),
        oa.ProtoOARefreshTokenRes(
            accessToken="planted-new-access-0123456789",
            tokenType="b",
            expiresIn=1,
            refreshToken="planted-new-refresh-12",
        ),
        oa.ProtoOAErrorRes(errorCode="X", description=f"no such token {TOKEN} nor planted-new-access-0123456789"),
        oa.ProtoOANewOrderReq(
            ctidTraderAccountId=1, symbolId=1, orderType=1, tradeSide=1, volume=1, label=SECRET, comment=TOKEN
        ),
    ]
    for name, codec in (("protobuf", ProtobufCodec()), ("json", JsonCodec())):
        bodies = [codec.encode(Message(payload, f"id {TOKEN}" if n else None)) for n, payload in enumerate(payloads)]
        if name == "json":
            bodies.append(
                b'{"payloadType":2104,"payload":{"clientSecret":"planted-unknown"},"x":"planted-\\u0061ccess-token-'
                b'0123456789"}'
            )
            bodies.append(b'{"payloadType":2104,"clientMsgId":"' + TOKEN.encode() + b'","clientMsgId":"b"}')
        path = tmp_path / f"{name}.jsonl"
        _, *frames, _ = await recorded(path, *bodies, codec=name)
        assert all(each.masked and each.body is not None for each in frames)
        text = path.read_text() + "".join(each.body.decode("utf-8", "replace") for each in frames)
        assert "plant" not in text
        assert codec.decode(frames[0].body).payload.clientId == "app"
        assert codec.decode(frames[6].body).payload.volume == 1


def test_a_secret_that_the_text_of_json_gives_away_is_covered_at_once() -> None:
    body = b'{"payloadType":2142,"payload":{"errorCode":"X","description":"token=hunter2 is wrong"}}'
    kept = kept_of(body, codec=JsonCodec(), redaction=Redaction())
    assert kept.masked
    assert kept.body is not None
    assert b"hunter2" not in kept.body
    assert b"token=***" in kept.body


AUTH = oa.ProtoOAAccountAuthReq(ctidTraderAccountId=1, accessToken="planted-token-1").SerializeToString()
CLEAN = oa.ProtoOAAccountAuthReq(ctidTraderAccountId=1, accessToken="***").SerializeToString()


@pytest.mark.parametrize(
    "body",
    [
        write_envelope(2102, AUTH + CLEAN, None),
        write_envelope(2102, AUTH, None) + write_envelope(2102, CLEAN, None),
        write_envelope(51, AUTH, None) + write_envelope(51, b"", None),
        write_envelope(51, None, "token=planted-token-1") + write_envelope(51, None, "a"),
        write_envelope(2142, b"\x12\x01E\x1a\x15token=planted-token-1\x1a\x01x", None),
        b'{"payloadType":2104,"payload":{"accessToken":"planted-token-1"},"payload":{}}',
        b'{"payloadType":2104,"accessToken":"planted-token-1","accessToken":"","payload":{}}',
        b'{"payloadType":2104,"payload":{"authToken":"planted-token-1","authToken":null}}',
        b'{"payloadType":2142,"payload":{"errorCode":"E","description":"token\\u003dplanted-1","description":"x"}}',
        b'{"payloadType":2102,"payload":{"ctidTraderAccountId":1,"accessToken":"planted-1","accessToken":"***"}}',
    ],
)
def test_of_what_a_frame_says_twice_only_what_is_read_is_kept(body: bytes) -> None:
    codec = JsonCodec() if body.startswith(b"{") else ProtobufCodec()
    assert b"planted" in body
    kept = kept_of(body, codec=codec, redaction=Redaction())
    assert kept.body is not None
    assert b"planted" not in kept.body
    assert kept.masked
    assert codec.decode(kept.body).payload_type == codec.decode(body).payload_type


@pytest.mark.parametrize(
    "body", [b"\x08\x33", b"\x08\x33\x12\x00", b'{ "payloadType": 51 }', write_envelope(2104, b"", "a")]
)
def test_a_frame_that_says_everything_once_is_kept_as_it_is(body: bytes) -> None:
    codec = JsonCodec() if body.startswith(b"{") else ProtobufCodec()
    kept = kept_of(body, codec=codec, redaction=Redaction(["planted-token-1"]))
    assert (kept.body, kept.masked) == (body, False)


async def test_a_secret_that_the_settings_know_is_covered_from_the_first_frame(tmp_path: Path) -> None:
    body = protobuf(oa.ProtoOAErrorRes(errorCode="X", description="about hunter2hunter2"))
    _, found, _ = await recorded(tmp_path / "r", body, secrets=["hunter2hunter2"])
    assert ProtobufCodec().decode(found.body).payload.description == "about ***"


async def test_what_cannot_be_read_is_recorded_as_length_and_hash(tmp_path: Path) -> None:
    unknown = protobuf(UnknownPayload(9999, b"planted-unknown-payload"), "7")
    bodies = [b"planted-garbage \xff", unknown, b"\x08\xb8\x10\x12\x02\xff\xff"]
    path = tmp_path / "r"
    _, garbage, unread, broken, _ = await recorded(path, *bodies)
    assert (garbage.payload_type, garbage.size, garbage.body) == (None, len(bodies[0]), None)
    assert (unread.name, unread.client_msg_id, unread.body) == ("Unknown(9999)", "7", None)
    assert (broken.name, broken.body) == ("ProtoOAVersionReq", None)
    assert all(len(each.sha256) == 64 for each in (garbage, unread, broken))
    assert "plant" not in path.read_text()
    assert not any(
        b"plant" in b64decode(line.get("body", "")) for line in map(json.loads, path.read_text().splitlines())
    )


async def test_a_recording_is_gone_on_with_behind_a_torn_tail(tmp_path: Path) -> None:
    path = tmp_path / "r"
    before = await recorded(path, protobuf(oa.ProtoOAVersionReq(), "1"))
    path.write_bytes(path.read_bytes()[:-5])
    after = await recorded(path, protobuf(oa.ProtoOAVersionReq(), "2"))
    damages = [each for each in after if isinstance(each, Damage)]
    assert len(damages) == 1
    assert after[:2] == before[:2]
    ids = [each.client_msg_id for each in after if isinstance(each, FrameRecord)]
    assert ids == ["1", "2"]
    assert len({each.connection for each in after if isinstance(each, Opened)}) == 2


async def test_a_file_that_is_no_recording_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("something else\n")
    with pytest.raises(RecordingUnavailable, match="no recording"):
        async with open_recorder(path):
            raise AssertionError
    assert path.read_text() == "something else\n"
    with pytest.raises(RecordingUnavailable, match="cannot be written"):
        async with open_recorder(tmp_path / "nowhere" / "r"):
            raise AssertionError


class FullDisk(Disk):
    full = False

    def write(self, descriptor: int, data: bytes) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write(descriptor, data)


async def test_frames_that_a_full_disk_costs_are_counted_and_told(tmp_path: Path) -> None:
    path, disk = tmp_path / "r", FullDisk()
    body = protobuf(oa.ProtoOAVersionReq(), "1")
    async with open_recorder(path, disk=disk) as recorder:
        track = recorder.begin(environment="demo", codec="protobuf", server="here:1", via="session")
        await until(lambda: path.stat().st_size > 0)
        disk.full = True
        track.saw(Direction.TO_SERVER, body)
        track.saw(Direction.TO_SERVER, body)
        await until(lambda: recorder.trouble is not None)
        assert "No space left" in str(recorder.trouble)
        disk.full = False
        track.saw(Direction.TO_SERVER, body)
    assert (recorder.lost, recorder.frames) == (2, 1)
    kinds = [type(each) for each in read(path.read_bytes())]
    assert sorted(kind.__name__ for kind in kinds) == ["FrameRecord", "Lost", "Opened"]


async def test_what_waits_for_a_slow_disk_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "r"
    body = protobuf(oa.ProtoOAVersionReq(), "1")
    async with open_recorder(path, bound=2_000) as recorder:
        track = recorder.begin(environment="demo", codec="protobuf", server="here:1", via="session")
        for _ in range(100):
            track.saw(Direction.TO_CLIENT, body)
        assert recorder.lost > 80
    records = read(path.read_bytes())
    assert sum(each.frames for each in records if isinstance(each, Lost)) == recorder.lost
    assert sum(isinstance(each, FrameRecord) for each in records) == 100 - recorder.lost


async def until(seen: Any) -> None:
    with anyio.fail_after(10):
        while not seen():  # noqa: ASYNC110 - a file has no event
            await anyio.sleep(0.005)
