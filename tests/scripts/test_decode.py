from __future__ import annotations

import base64
import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import IO, Any

import orjson
import pytest

from anyctrader.wire import Message, ProtobufCodec, encode_frame
from anyctrader.wire import messages as oa
from anyctrader.wire.envelope import write_envelope
from anyctrader.wire.websocket import Opcode, control_frame, data_frame

from .conftest import Call
from .programs import PROGRAM, START_S, clean_environment, interrupt, json_lines, started

SECRET = "CANARY-0123456789-abcdef"
MESSAGES: list[tuple[Any, str | None]] = [
    (oa.ProtoOAApplicationAuthReq(clientId="id", clientSecret=SECRET), "1"),
    (oa.ProtoOASpotEvent(ctidTraderAccountId=7, symbolId=1, bid=114811, ask=114813), None),
    (oa.ProtoOAErrorRes(errorCode="X", description=f"bell \x07 of {SECRET}"), "1"),
    (oa.ProtoHeartbeatEvent(), None),
]
FRAMES = [encode_frame(ProtobufCodec().encode(Message(payload, id_))) for payload, id_ in MESSAGES]
STREAM = b"".join(FRAMES)
NAMES = [type(payload).__name__ for payload, _ in MESSAGES]


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "capture.bin"
    path.write_bytes(STREAM)
    return path


def test_readable_text_shows_every_frame_and_no_secret(call: Call, capture: Path) -> None:
    done = call("decode", str(capture))
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        f'@0 ProtoOAApplicationAuthReq (2100), {len(FRAMES[0])} bytes, id "1"',
        '  clientId = "id"',
        '  clientSecret = "***"',
        f"@{len(FRAMES[0])} ProtoOASpotEvent (2131), {len(FRAMES[1])} bytes",
        "  ctidTraderAccountId = 7",
        "  symbolId = 1",
        "  bid = 1.14811 (114811)",
        "  ask = 1.14813 (114813)",
        f'@{len(FRAMES[0]) + len(FRAMES[1])} ProtoOAErrorRes (2142), {len(FRAMES[2])} bytes, id "1"',
        '  errorCode = "X"',
        r'  description = "bell \x07 of ***"',
        f"@{len(STREAM) - len(FRAMES[3])} ProtoHeartbeatEvent (51), {len(FRAMES[3])} bytes",
    ]
    assert done.stderr == ""


def test_json_has_a_line_a_frame_with_the_members_that_are_promised(call: Call, capture: Path) -> None:
    lines = json_lines(call("decode", str(capture), "--format", "json").stdout)
    assert [line["name"] for line in lines] == NAMES
    assert lines[1] == {
        "offset": len(FRAMES[0]),
        "size": len(FRAMES[1]),
        "payloadType": 2131,
        "name": "ProtoOASpotEvent",
        "clientMsgId": None,
        "payload": {"ctidTraderAccountId": 7, "symbolId": 1, "bid": 114811, "ask": 114813},
    }


def test_secrets_are_shown_to_whoever_asks(call: Call, capture: Path) -> None:
    assert SECRET not in call("decode", str(capture), "--format", "json").stdout
    assert call("decode", str(capture), "--show-secrets").stdout.count(SECRET) == 2


def test_a_line_for_each_message_is_enough_where_it_is_asked_for(call: Call, capture: Path) -> None:
    lines = call("decode", str(capture), "--brief").stdout.splitlines()
    assert len(lines) == len(FRAMES)
    assert lines[1].endswith("ProtoOASpotEvent ctidTraderAccountId=7 symbolId=1 bid=1.14811 ask=1.14813")


@pytest.mark.parametrize("argument", [("-",), ()])
def test_stdin_is_read_where_no_file_is_named(
    call: Call, monkeypatch: pytest.MonkeyPatch, argument: tuple[str]
) -> None:
    text = b"\n".join(map(base64.b64encode, FRAMES))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(text))))
    done = call("decode", *argument, "--format", "json")
    assert [line["name"] for line in json_lines(done.stdout)] == NAMES


def test_damage_is_named_with_its_offset_and_what_is_around_it_is_shown(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "damaged.hex"
    path.write_text((FRAMES[0] + b"\xff\xff\xff" + STREAM[:-3]).hex())
    done = call("decode", str(path), "--format", "json")
    assert done.returncode == 1
    lines = json_lines(done.stdout)
    assert [line["name"] for line in lines] == [NAMES[0], None, *NAMES[:3], None]
    assert lines[1]["offset"] == len(FRAMES[0])
    assert (lines[1]["size"], lines[1]["payload"]) == (3, None)
    assert lines[-1]["damage"] == "the line ends inside a frame: 1 of its 4 bytes are there"
    assert f"2 damaged parts, the first at offset {len(FRAMES[0])}" in done.stderr
    assert "read as hex, frames" in done.stderr
    text = call("decode", str(path)).stdout
    assert f"@{len(FRAMES[0])} DAMAGED, 3 bytes: " in text


@pytest.mark.parametrize("framed", [False, True])
def test_a_key_that_is_there_twice_is_remarked_beside_what_was_read(call: Call, tmp_path: Path, framed: bool) -> None:
    rest = b'"ctidTraderAccountId":1,"symbolId":1,"orderType":1,"tradeSide":1'
    body = b'{"payloadType":2106,"payload":{"volume":100000,%b,"volume":900000}}' % rest
    path = tmp_path / "twice.bin"
    path.write_bytes(encode_frame(body) if framed else body)
    done = call("decode", str(path))
    assert (done.returncode, done.stderr) == (0, "")
    remark = 'the key "volume" is there twice: the last is shown, and others may read the first'
    assert f"  {remark}\n" in done.stdout
    assert "volume = 9000.00 units (900000)" in done.stdout
    assert f"; {remark}\n" in call("decode", "--brief", str(path)).stdout
    (line,) = json_lines(call("decode", "--format", "json", str(path)).stdout)
    assert (line["repeatedKey"], line["payload"]["volume"]) == ("volume", 900_000)
    payload = b'{"ctidTraderAccountId":1,"accessToken":"tok-123456","tok-123456":1,"tok-123456":2}'
    path.write_bytes(b'{"payloadType":2102,"payload":%b}' % payload)
    for options in ([], ["--brief"], ["--format", "json"]):
        done = call("decode", *options, str(path))
        assert "tok-123456" not in done.stdout + done.stderr
        assert "twice" in done.stdout or "repeatedKey" in done.stdout


def test_a_payload_that_cannot_be_read_is_named(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "one.bin"
    path.write_bytes(encode_frame(oa.ProtoMessage(payloadType=2131, payload=b"", clientMsgId="9").SerializeToString()))
    done = call("decode", str(path), "--format", "json")
    (line,) = json_lines(done.stdout)
    assert (line["payloadType"], line["name"], line["clientMsgId"]) == (2131, "ProtoOASpotEvent", "9")
    assert "@0 ProtoOASpotEvent (2131) DAMAGED" in call("decode", str(path)).stdout
    assert done.returncode == 1
    assert "damage at offset 0: " in done.stderr


@pytest.mark.parametrize("output", [(), ("--format", "json"), ("--brief",)])
def test_the_id_of_a_damaged_message_shows_no_secret(call: Call, tmp_path: Path, output: tuple[str, ...]) -> None:
    file = tmp_path / "damaged"
    told = Message(oa.ProtoOAAccountAuthReq(ctidTraderAccountId=1, accessToken=SECRET))
    damaged = write_envelope(2142, b"\x0a\xff", f"7 {SECRET}"), write_envelope(2104, b"\x0a\xff", "pin=9876&x")
    bodies = ProtobufCodec().encode(told), *damaged
    file.write_bytes(b"".join(map(encode_frame, bodies)))
    result = call("decode", str(file), *output)
    assert result.returncode == 1
    assert SECRET not in result.stdout + result.stderr
    assert "9876" not in result.stdout + result.stderr
    if "json" in output:
        ids = [orjson.loads(line)["clientMsgId"] for line in result.stdout.splitlines()]
        assert ids == [None, "7 ***", "pin=***&x"]


def test_bare_payloads_need_their_type(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "payload.b64"
    path.write_bytes(base64.b64encode(MESSAGES[1][0].SerializeToString()))
    for name in ("ProtoOASpotEvent", "2131", "spotevent"):
        done = call("decode", str(path), "--type", name, "--format", "json")
        assert [line["name"] for line in json_lines(done.stdout)] == ["ProtoOASpotEvent"]
    done = call("decode", str(path), "--type", "SpotEvnt")
    assert done.returncode == 2
    assert "near it: ProtoOASpotEvent" in done.stderr
    done = call("decode", str(path), "--content", "payloads")
    assert done.returncode == 2
    assert "--type" in done.stderr
    done = call("decode", str(path), "--encoding", "base64", "--content", "envelopes")
    assert done.returncode == 1


def test_what_is_no_capture_is_said_to_be_none(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are notes, and no capture at all\n")
    done = call("decode", str(path))
    assert (done.returncode, done.stdout) == (1, "")
    assert "notes.txt: no frame, envelope or JSON message is in it" in done.stderr


def test_a_file_that_cannot_be_opened_is_a_usage_error(call: Call, tmp_path: Path) -> None:
    for path, said in ((tmp_path, "Is a directory"), (tmp_path / "none", "No such file")):
        done = call("decode", str(path))
        assert (done.returncode, done.stdout) == (2, "")
        assert said in " ".join(done.stderr.split())


def test_a_closed_stdin_is_no_traceback(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    done = call("decode")
    assert done.returncode == 2
    assert "stdin is closed" in done.stderr


def test_decoding_imports_neither_the_session_nor_an_event_loop(capture: Path) -> None:
    code = (
        f"import sys; sys.argv = ['anyctrader', 'decode', {str(capture)!r}]\n"
        "from anyctrader.scripts.main import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'anyio', 'asyncio', 'rich', 'httpx', 'anyctrader.session', 'anyctrader.fake'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )
    assert "heavy: []" in done.stdout, done.stderr


def test_frames_are_shown_as_they_come_and_a_reader_that_leaves_ends_it(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*PROGRAM, "decode", "--format", "json"],
        cwd=tmp_path,
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        for frame, name in zip(FRAMES, NAMES, strict=True):
            process.stdin.write(frame)
            process.stdin.flush()
            assert orjson.loads(process.stdout.readline())["name"] == name
        process.stdout.close()
        process.stdin.write(STREAM)
        process.stdin.close()
        assert process.wait(START_S) == 0
        assert process.stderr.read() == b""


def waiting_in(pipe: IO[str]) -> int:
    """How many bytes it holds that nobody has read."""
    (size,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
    return int(size)


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("output", ["text", "json"])
def test_an_interrupt_leaves_whole_lines_for_a_slow_reader(tmp_path: Path, output: str, unbuffered: str) -> None:
    (tmp_path / "many.bin").write_bytes(FRAMES[1] * 20_000)
    given = ("decode", "many.bin", "--format", output)
    with started(*given, cwd=tmp_path, PYTHONUNBUFFERED=unbuffered) as process:
        assert process.stdout is not None
        room = fcntl.fcntl(process.stdout, fcntl.F_GETPIPE_SZ)
        while waiting_in(process.stdout) < room:  # it writes, and nobody reads
            time.sleep(0.01)
        out, err = interrupt(process)
    lines = out.splitlines(keepends=True)
    assert (process.returncode, err) == (1, "interrupted\n")
    assert len(lines) < 20_000
    assert all(line.endswith("\n") for line in lines)
    if output == "json":
        assert all(orjson.loads(line)["name"] == "ProtoOASpotEvent" for line in lines)


def test_a_narrow_terminal_gets_colours_and_short_lines_and_a_pipe_none(capture: Path) -> None:
    leader, follower = pty.openpty()
    os.set_blocking(leader, True)
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    process = subprocess.Popen(
        [*PROGRAM, "decode", str(capture)],
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(leader)
    assert process.wait(START_S) == 0
    lines = shown.decode().replace("\x1b[36m", "").replace("\x1b[0m", "").splitlines()
    assert b"\x1b[36m@0 " in shown
    assert max(map(len, lines)) < 40
    assert "\x1b" not in "".join(lines)
    assert "  bid = 1.14811 (114811)" in lines


@pytest.mark.parametrize("secret", [SECRET, "hunter2", "aaaa"])
def test_no_output_shows_a_secret_wherever_one_can_stand(call: Call, tmp_path: Path, secret: str) -> None:
    secret_fields = ("clientSecret", "accessToken", "refreshToken")
    frames, texts = [], []
    for cls in oa.PAYLOAD_CLASSES.values():
        names = [name for name in secret_fields if name in cls.DESCRIPTOR.fields_by_name]
        if not names:
            continue
        payload: Any = cls()
        for name in names:
            setattr(payload, name, secret)
        for field in ("clientId", "tokenType"):
            if field in cls.DESCRIPTOR.fields_by_name:
                setattr(payload, field, "x")
        for field in ("ctidTraderAccountId", "expiresIn"):
            if field in cls.DESCRIPTOR.fields_by_name:
                setattr(payload, field, 1)
        if cls is oa.ProtoOAGetCtidProfileByTokenReq:
            payload.accessToken = secret
        payload.MergeFromString(b"\xba\x3e" + bytes((len(secret),)) + secret.encode())
        frames.append(encode_frame(ProtobufCodec().encode(Message(payload, secret))))
        members = {
            **dict.fromkeys(names, secret),
            "password": secret,
            "authToken": secret,
            "newer": {"client_secret": secret},
        }
        members |= {"clientId": "x", "tokenType": "x", "ctidTraderAccountId": 1, "expiresIn": 1}
        envelope = {"payloadType": oa.payload_type_of(cls), "payload": members, "refreshToken": secret}
        texts.append(orjson.dumps(envelope))
    assert len(frames) == 7
    said = oa.ProtoOAErrorRes(errorCode=secret, description=f"<{secret}>")
    frames.append(encode_frame(ProtobufCodec().encode(Message(said))))
    for name, data in (("a.bin", b"".join(frames)), ("b.json", b"\n".join(texts))):
        (tmp_path / name).write_bytes(data)
        for options in ((), ("--brief",), ("--format", "json")):
            done = call("decode", name, *options)
            assert done.returncode == 0, done.stderr
            assert done.stdout.count("***") >= 7
            assert secret not in done.stdout + done.stderr
        assert secret in call("decode", name, "--show-secrets").stdout


KEY = b"\x01\x02\x03\x04"
UPGRADE = f"GET /?token={SECRET} HTTP/1.1\r\nHost: h\r\nCookie: {SECRET}\r\n\r\n".encode()
CLOSE = control_frame(Opcode.CLOSE, b"\x03\xf4bye \x1b of " + SECRET.encode())
PING = control_frame(Opcode.PING, b"still there", key=KEY)


def socket_frames() -> list[bytes]:
    return [data_frame(0x82, frame[4:], key=KEY) for frame in FRAMES]


def test_a_websocket_is_shown_with_its_upgrade_and_control_frames_and_no_secret(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "websocket.bin"
    frames = socket_frames()
    path.write_bytes(UPGRADE + frames[0] + PING + frames[1] + CLOSE)
    done = call("decode", str(path), "--brief")
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout
    at = [len(UPGRADE), len(UPGRADE + frames[0]), len(UPGRADE + frames[0] + PING)]
    head, auth, ping, spot, close = done.stdout.splitlines()
    assert head == f"@0 HTTP head of the client, {len(UPGRADE)} bytes: GET /?…"
    assert auth.startswith(f"@{at[0]} ProtoOAApplicationAuthReq")
    assert ping == f"@{at[1]} WebSocket ping of the client, {len(PING)} bytes: still there"
    assert spot.startswith(f"@{at[2]} ProtoOASpotEvent")
    assert close.endswith(rf"WebSocket close of the server, {len(CLOSE)} bytes: 1012 bye \x1b of ***")
    line = json_lines(call("decode", str(path), "--format", "json").stdout)[-1]
    assert {key: line[key] for key in ("name", "payload", "websocket", "from", "code", "text")} == {
        "name": None,
        "payload": None,
        "websocket": "close",
        "from": "server",
        "code": 1012,
        "text": "bye \x1b of ***",
    }
    assert SECRET in call("decode", str(path), "--show-secrets").stdout


def test_damage_in_a_websocket_is_named_and_what_is_around_it_is_shown(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "websocket.bin"
    frames = socket_frames()
    path.write_bytes(frames[0] + b"\xff\xff\xff" + frames[1] + frames[3])
    done = call("decode", str(path), "--format", "json")
    assert done.returncode == 1
    assert [line["name"] for line in json_lines(done.stdout)] == [NAMES[0], None, NAMES[1], NAMES[3]]
    assert f"damage at offset {len(frames[0])}: no frame is of the kind 0xf" in done.stderr
    assert "read as binary, websocket" in done.stderr


def test_what_is_a_websocket_can_be_said(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "odd.bin"
    path.write_bytes(control_frame(Opcode.CLOSE))
    done = call("decode", str(path), "--content", "websocket")
    assert (done.returncode, done.stdout) == (0, "@0 WebSocket close of the server, 2 bytes\n")


class Drops(io.RawIOBase):
    """A pipe whose writer writes one byte at a time."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        buffer[: len(self.data[:1])] = self.data[:1]
        size, self.data = len(self.data[:1]), self.data[1:]
        return size


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b'{"record":"lost","at":"2026-01-01","mono_ns":1,"frames":1}\n', "line 1 DAMAGED"),
        (b'{"reco', "@0 DAMAGED"),
        (b'{"payloadType":51}', "@0 ProtoHeartbeatEvent"),
        (FRAMES[3], "@0 ProtoHeartbeatEvent"),
    ],
)
def test_a_pipe_that_gives_little_at_once_is_told_a_recording_or_a_capture(
    call: Call, monkeypatch: pytest.MonkeyPatch, data: bytes, shown: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Drops(data))))
    assert shown in call("decode").stdout
