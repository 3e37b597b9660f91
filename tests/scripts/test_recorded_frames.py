"""`decode` of recordings: ours, and those that other tools write in the same format."""

from __future__ import annotations

import base64
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from anyctrader.scripts import progress
from anyctrader.wire import JsonCodec, Message, ProtobufCodec
from anyctrader.wire import messages as oa
from anyctrader.wire.envelope import write_envelope

from .conftest import Call
from .programs import json_lines
from .test_recognition import OPENED

SECRET = "CANARY-0123456789-abcdef"
AT = "2026-11-22T19:40:00.124001Z"
MESSAGES = [
    Message(oa.ProtoOAApplicationAuthReq(clientId="id", clientSecret=SECRET), "1"),
    Message(oa.ProtoOAVersionReq(), "2"),
    Message(oa.ProtoOAErrorRes(errorCode="X", description=f"bad {SECRET}"), f"<{SECRET}>"),
]
NAMES = [message.name for message in MESSAGES]
EVIL = "\x1b[2J\x1b[31mEVIL\r\nforged line"


def frame(message: Message | None = None, codec: Any = None, **more: Any) -> dict[str, Any]:
    members: dict[str, Any] = {"record": "frame", "at": AT, "mono_ns": 2, "connection": "a-1"}
    members |= {"direction": "to_client", "size": 8}
    if message is not None:
        body = (codec or ProtobufCodec()).encode(message)
        members |= {"size": len(body), "payloadType": message.payload_type, "body": base64.b64encode(body).decode()}
    return members | more


def lines_of(*records: dict[str, Any]) -> list[bytes]:
    return [json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in records]


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(*records: dict[str, Any] | bytes) -> str:
        parts = [each if isinstance(each, bytes) else lines_of(each)[0] for each in records]
        (tmp_path / "r.jsonl").write_bytes(b"".join(parts))
        return "r.jsonl"

    return write


@pytest.mark.parametrize("codec", [ProtobufCodec(), JsonCodec()], ids=["protobuf", "json"])
@pytest.mark.parametrize("options", [(), ("--brief",), ("--format", "json")])
def test_a_recording_of_another_tool_shows_no_secret(
    call: Call, write: Any, codec: Any, options: tuple[str, ...]
) -> None:
    told = {"reason": f"it was {SECRET}", "refused": f"for {SECRET}", "clientMsgId": SECRET}
    closed = {"record": "closed", "at": AT, "mono_ns": 3, "connection": SECRET, "reason": f"said {SECRET}"}
    records = [OPENED, *(frame(message, codec) for message in MESSAGES), frame(**told)]
    records += [frame(connection=SECRET), {**OPENED, "server": SECRET}, closed, {**closed, "at": 1, SECRET: 1}]
    records += [frame(direction=SECRET)]
    name = write(*records)
    done = call("decode", name, *options)
    assert done.returncode == 1  # for the last two
    assert SECRET not in done.stdout + done.stderr
    assert done.stdout.count("***") >= 7
    shown = call("decode", name, *options, "--show-secrets")
    assert shown.stdout.count(SECRET) >= 7
    assert "***" not in shown.stdout


def test_secrets_of_the_settings_are_known_beforehand(call: Call, write: Any, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"CTRADER_DEMO_APPLICATION_SECRET={SECRET}\n")
    name = write(frame(MESSAGES[2]), frame(reason=SECRET))
    done = call("decode", name)
    assert (done.returncode, done.stdout.count("***")) == (0, 3)
    assert SECRET not in done.stdout
    assert call("decode", name, "--show-secrets").stdout.count(SECRET) == 3


@pytest.mark.parametrize("options", [(), ("--brief",), ("--format", "json")])
def test_no_text_of_a_recording_moves_a_terminal(call: Call, write: Any, options: tuple[str, ...]) -> None:
    texts = {"connection": EVIL, "clientMsgId": EVIL}
    name = write(
        {**OPENED, **dict.fromkeys(("connection", "environment", "codec", "transport", "server", "via"), EVIL)},
        frame(reason=EVIL, refused=EVIL, **texts),
        frame(MESSAGES[1], refused=EVIL, **texts),
        frame(direction=EVIL),
        frame(body=EVIL),
        {**frame(), "record": EVIL},
        frame(sha256="0", **texts) | {"body": "AAAA"},
        {"record": "closed", "at": AT, "mono_ns": 3, "connection": EVIL, "reason": EVIL},
    )
    done = call("decode", name, *options)
    assert done.returncode == 1
    for text in (done.stdout, done.stderr):
        assert all(char.isprintable() or char == "\n" for char in text)
    assert not any(line.startswith("forged") for line in done.stdout.splitlines())


@pytest.mark.parametrize("codec", [ProtobufCodec(), JsonCodec()], ids=["protobuf", "json"])
def test_frames_are_read_where_the_line_that_tells_their_codec_was_cut_off(call: Call, write: Any, codec: Any) -> None:
    spaced = {**frame(MESSAGES[1], codec), "body": base64.b64encode(b'\r\n {"payloadType":51}').decode()}
    done = call("decode", write(*(frame(each, codec) for each in MESSAGES), spaced), "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line["name"] for line in json_lines(done.stdout)] == [*NAMES, "ProtoHeartbeatEvent"]


def test_of_a_damaged_body_the_envelope_is_shown_where_its_line_does_not_tell_it(call: Call, write: Any) -> None:
    secret = oa.ProtoOAAccountAuthReq(ctidTraderAccountId=1, accessToken=SECRET)
    body = write_envelope(2142, b"\x0a\xff", f"7 {SECRET}")
    spoiled = frame(body=base64.b64encode(body).decode())
    name = write(OPENED, frame(Message(secret, "1")), spoiled)
    _, damage = json_lines(call("decode", name, "--format", "json").stdout)
    assert damage["damage"].startswith("the body of this frame cannot be read: ")
    assert [damage[key] for key in ("payloadType", "name", "clientMsgId")] == [2142, "ProtoOAErrorRes", "7 ***"]
    assert "ProtoOAErrorRes of #a-1 DAMAGED" in call("decode", name).stdout


def test_a_damaged_body_is_named_with_its_place(call: Call, write: Any) -> None:
    spoiled = {**frame(MESSAGES[1]), "clientMsgId": "2", "body": base64.b64encode(b"\x08\xff\xff").decode()}
    records = [OPENED, frame(MESSAGES[0]), spoiled, frame(MESSAGES[2])]
    sizes = [len(line) for line in lines_of(*records)]
    name = write(*records)
    done = call("decode", name, "--format", "json")
    assert done.returncode == 1
    first, damage, last = json_lines(done.stdout)
    assert (first["name"], last["name"]) == (NAMES[0], NAMES[2])
    assert "the body of this frame cannot be read: " in damage.pop("damage")
    assert damage == {
        "at": AT,
        "connection": "a-1",
        "direction": "to_client",
        "offset": sum(sizes[:2]),
        "size": sizes[2],
        "line": 3,
        "payloadType": 2104,
        "name": "ProtoOAVersionReq",
        "clientMsgId": "2",
        "payload": None,
    }
    assert f"a damaged line at offset {sum(sizes[:2])} (line 3): the body" in done.stderr
    done = call("decode", name)
    assert done.returncode == 1
    assert f"@{sum(sizes[:2])} line 3 ProtoOAVersionReq of #a-1 DAMAGED, {sizes[2]} bytes: the body" in done.stdout
    assert f"\n  clientId = {json.dumps('id')}\n" in done.stdout
    assert "2 damaged lines, the first at offset 0 (line 1): " in call("decode", write(spoiled, spoiled)).stderr


def test_a_json_line_has_the_members_of_any_other_and_those_of_a_recording(call: Call, write: Any) -> None:
    lost = {"record": "lost", "at": AT, "mono_ns": 3, "frames": 1}
    withheld = frame(payloadType=2131, clientMsgId="7", reason="why", ours=True, refused="no")
    records = [OPENED, frame(MESSAGES[1]), withheld, lost]
    at = [len(b"".join(lines_of(*records[:count]))) for count in range(len(records))]
    name = write(*records)
    shown, not_shown, gap = json_lines(call("decode", name, "--format", "json").stdout)
    whose = {"at": AT, "connection": "a-1", "direction": "to_client"}
    known = {"payloadType": 2104, "name": "ProtoOAVersionReq", "clientMsgId": "2", "payload": {}}
    assert shown == {**whose, "offset": at[1], "size": 8, **known}
    known = {"payloadType": 2131, "name": "ProtoOASpotEvent", "clientMsgId": "7", "payload": None}
    assert not_shown == {
        **whose,
        "refused": "no",
        "ours": True,
        "offset": at[2],
        "size": 8,
        **known,
        "withheld": "why",
    }
    assert gap == {"at": AT, "offset": at[3], "lost": 1}
    assert "1 frame was not recorded" in call("decode", name).stdout


def test_a_key_that_is_there_twice_is_remarked_in_a_recording_too(call: Call, write: Any) -> None:
    body = base64.b64encode(b'{"payloadType":2104,"payload":{},"payload":{}}').decode()
    name = write(frame(body=body))
    for options in ([], ["--brief"]):
        assert 'the key "payload" is there twice' in call("decode", name, *options).stdout
    assert json_lines(call("decode", name, "--format", "json").stdout)[0]["repeatedKey"] == "payload"


SOUND = lines_of(OPENED, *(frame(message) for message in MESSAGES))
PLAIN = b"".join(SOUND)


@pytest.mark.parametrize("through_a_pipe", [False, True])
@pytest.mark.parametrize(
    ("data", "damaged"),
    [
        (PLAIN[50:], 1),
        (b"garbage\n" + PLAIN, 1),
        (bytes(300) + b"\n" + PLAIN, 1),
        (b"\n\n" + PLAIN, 0),
        (b"\xef\xbb\xbf" + PLAIN, 0),
        (b"".join(json.dumps(json.loads(line), indent=2).encode() + b"\n" for line in SOUND), 0),
        (b"".join(json.dumps(json.loads(line), sort_keys=True).encode() + b"\n" for line in SOUND), 0),
        (b"".join(json.dumps(json.loads(line), indent=2, sort_keys=True).encode() + b"\n" for line in SOUND), 0),
    ],
    ids=["torn", "garbage", "zeros", "empty lines", "mark", "jq .", "jq -cS .", "jq -S ."],
)
def test_a_recording_is_read_whatever_is_ahead_of_it_and_however_it_is_laid_out(
    call: Call, write: Any, monkeypatch: pytest.MonkeyPatch, data: bytes, damaged: int, through_a_pipe: bool
) -> None:
    arguments = [write(data)]
    if through_a_pipe:
        arguments = []
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Drops(data))))
    done = call("decode", *arguments, "--format", "json")
    assert done.returncode == (1 if damaged else 0)
    lines = json_lines(done.stdout)
    assert [line["name"] for line in lines if "damage" not in line] == NAMES
    assert sum("damage" in line for line in lines) == damaged


class Drops(io.RawIOBase):
    """A pipe whose writer writes a few bytes at a time."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self.data[: min(7, len(buffer))]
        buffer[: len(part)] = part
        self.data = self.data[len(part) :]
        return len(part)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--encoding", "json"), "--encoding left out"),
        (("--encoding", "binary"), "--encoding left out"),
        (("--content", "frames", "--type", "2100"), "--content and --type left out"),
    ],
)
def test_what_is_said_to_be_a_capture_is_read_as_one_and_told_to_look_like_a_recording(
    call: Call, write: Any, options: tuple[str, ...], named: str
) -> None:
    done = call("decode", write(PLAIN), *options)
    assert done.returncode == 1 or "--encoding" in options
    assert "opened" not in done.stdout
    assert "looks like a recording" in done.stderr
    assert named in done.stderr


@pytest.mark.parametrize("options", [(), ("--encoding", "binary"), ("--content", "frames")])
def test_a_capture_whose_texts_hold_a_record_is_shown(call: Call, write: Any, options: tuple[str, ...]) -> None:
    said = Message(oa.ProtoOAErrorRes(errorCode="E", description="see\n" + lines_of(OPENED)[0].decode()))
    body = ProtobufCodec().encode(said)
    done = call("decode", write((len(body).to_bytes(4, "big") + body) * 3), "--brief", *options)
    assert (done.returncode, done.stdout.count("ProtoOAErrorRes"), done.stderr) == (0, 3, "")


def test_a_recording_that_takes_long_shows_how_far_it_is(
    call: Call, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[int, int | None]] = []

    class Watched(progress.Progress):
        def at(self, done: int = 0) -> None:
            drawn.append((done, self._total))

    monkeypatch.setattr("anyctrader.scripts.recorded_frames.Progress", Watched)
    call("decode", write(PLAIN))
    ends = [len(b"".join(SOUND[: count + 1])) for count in range(len(SOUND))]
    assert drawn == [(end, len(PLAIN)) for end in ends]
