"""What replay is asked for and cannot do is said, and nothing is played."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from anyctrader.scripts import progress
from anyctrader.session import Endpoint
from anyctrader.session.transport import open_stream
from anyctrader.wire import Message, ProtobufCodec, encode_frame
from anyctrader.wire import messages as oa

from .conftest import Call
from .programs import interrupt, started

OPENED = (
    '{"record":"opened","at":"2026-11-22T19:40:00.123456Z","mono_ns":1,"format":1,"connection":"a-1",'
    '"environment":"demo","codec":"protobuf","transport":"tcp","delimiting":"length","server":"x:1","via":"proxy"}\n'
)


@pytest.mark.parametrize(
    ("options", "named", "said"),
    [
        ("--record x.jsonl", "--record", "--to"),
        ("--env-file my.env", "--env-file", "--to"),
        ("--ignore price", "--ignore", "--check"),
        ("--check --ignore prise", "--ignore", "near it: price"),
        ("--check --ignore order.price", "--ignore", "no field is called"),
        ("--speed 2 --fast", "--speed", "--fast"),
        ("--speed 1 --step", "--speed", "--step"),
        ("--to demo --listen 127.0.0.1:0", "--listen", "nothing listens"),
        ("--to demo --ca-file ca.pem", "--ca-file", "nothing listens"),
    ],
)
def test_an_option_that_would_do_nothing_is_a_usage_error(
    call: Call, tmp_path: Path, options: str, named: str, said: str
) -> None:
    (tmp_path / "r.jsonl").write_text(OPENED)
    done = call("replay", "r.jsonl", *options.split(), COLUMNS="200")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"Invalid value for {named}: " in done.stderr
    assert said in done.stderr


def test_of_a_file_that_is_no_recording_ten_lines_are_remarked_on_and_the_rest_counted(
    call: Call, tmp_path: Path
) -> None:
    (tmp_path / "cap.bin").write_text("no recording\n" * 115)
    done = call("replay", "cap.bin")
    assert done.returncode == 2
    assert done.stderr.count("cap.bin: line ") == 10
    assert "and 105 more such remarks" in done.stderr


def test_of_one_thing_it_is_not_spoken_as_of_several(call: Call, tmp_path: Path) -> None:
    (tmp_path / "r").write_text(OPENED + lost(1) + frame("to_client", None) + "no record\n" * 10)
    done = call("replay", "r", "--connection", "none")
    assert "1 frame is missing" in done.stderr
    assert "and 1 more such remark\n" in done.stderr
    done = call("replay", "r", "--ca-file", str(tmp_path))
    assert "1 frame cannot be played: its body was not kept" in done.stderr
    (tmp_path / "r").write_text(OPENED + lost(2) + frame("to_client", None) * 2)
    done = call("replay", "r", "--ca-file", str(tmp_path))
    assert "2 frames are missing" in done.stderr
    assert "2 frames cannot be played: their bodies were not kept" in done.stderr


def test_a_recording_whose_begin_was_cut_off_is_told_what_it_lacks(call: Call, tmp_path: Path) -> None:
    (tmp_path / "r").write_text(frame("to_client", oa.ProtoOAVersionReq()))
    done = call("replay", "r", COLUMNS="200")
    assert done.returncode == 2
    assert "r holds no connection, for no line of it tells that one was opened: is it a recording" in done.stderr


def test_a_certificate_that_cannot_be_written_is_a_usage_error_of_its_option(call: Call, tmp_path: Path) -> None:
    (tmp_path / "r").write_text(OPENED)
    for path, said in (("/nonexist/x", "No such file"), (str(tmp_path), "Is a directory")):
        done = call("replay", "r", "--ca-file", path, COLUMNS="200")
        assert (done.returncode, done.stdout) == (2, "")
        assert "Invalid value for --ca-file: the certificate cannot be written" in done.stderr
        assert said in done.stderr


@pytest.mark.parametrize(
    ("known", "named"), [('"length"', "delimiting of connection a-1"), ('"protobuf"', "codec of connection a-1")]
)
def test_a_connection_that_travelled_in_an_unknown_way_is_a_usage_error(
    call: Call, tmp_path: Path, known: str, named: str
) -> None:
    (tmp_path / "r").write_text(OPENED.replace(known, r'"\u001b[31m"'))
    done = call("replay", "r", COLUMNS="200")
    assert done.returncode == 2
    assert f"the {named} is '\\x1b[31m'" in done.stderr


def test_whoever_waits_for_a_recording_to_be_read_sees_how_far_it_is(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[str, int, int | None]] = []

    class Watched(progress.Progress):
        def at(self, done: int = 0) -> None:
            drawn.append((self._label, done, self._total))

    monkeypatch.setattr("anyctrader.scripts.replay.Progress", Watched)
    (tmp_path / "r").write_text(OPENED * 2)
    call("replay", "r", "--connection", "none")
    assert drawn == [("reading", len(OPENED) * count, len(OPENED) * 2) for count in (1, 2)]


SECRET = "CANARY-0123456789-abcdef"


def lost(frames: int) -> str:
    told = {"record": "lost", "at": "2026-11-22T19:40:00.123456Z", "mono_ns": 1, "frames": frames}
    return json.dumps(told) + "\n"


def frame(direction: str, payload: Any, client_msg_id: str | None = None) -> str:
    members = {"record": "frame", "at": "2026-11-22T19:40:00.123456Z", "mono_ns": 1, "connection": "a-1"}
    members |= {"direction": direction, "size": 1}
    if payload is not None:
        body = ProtobufCodec().encode(Message(payload, client_msg_id))
        members["body"] = base64.b64encode(body).decode()
    return json.dumps(members) + "\n"


def remarks_up_to(process: subprocess.Popen[str], pattern: str) -> str:
    """What it remarks on, up to the line that has this in it."""
    assert process.stderr is not None
    read: list[str] = []
    while not read or not re.search(pattern, read[-1]):
        read.append(process.stderr.readline())
        assert read[-1], "".join(read)
    return "".join(read)


async def a_visitor(process: subprocess.Popen[str], folder: Path) -> tuple[Any, str]:
    """A stream to a replay, and what that has remarked on up to now."""
    err = await anyio.to_thread.run_sync(remarks_up_to, process, "its certificate")
    found = re.search(r"is at ([\d.]+):(\d+)", err)
    assert found is not None
    return await open_stream(Endpoint(found[1], int(found[2]), folder / "ca.pem"), deadline_s=10), err


def framed(payload: Any, client_msg_id: str | None = None) -> bytes:
    return encode_frame(ProtobufCodec().encode(Message(payload, client_msg_id)))


AUTH = oa.ProtoOAAccountAuthReq(ctidTraderAccountId=1, accessToken=SECRET)


@pytest.mark.anyio
@pytest.mark.timeout(120)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # the command runs in a process of its own
async def test_the_steps_of_a_recording_of_another_tool_show_no_secret_and_move_no_terminal(tmp_path: Path) -> None:
    opened = OPENED.replace('"environment":"demo"', r'"environment":"\u001b[2Jdemo\r\nforged"')
    tokens = oa.ProtoOARefreshTokenRes(accessToken=SECRET, tokenType="x", expiresIn=1, refreshToken=SECRET)
    (tmp_path / "r").write_text(opened + frame("to_client", tokens) + frame("to_server", AUTH, "1"))
    with started("replay", "r", "--step", "--ca-file", "ca.pem", cwd=tmp_path) as player:
        stream, err = await a_visitor(player, tmp_path)
        await stream.send(framed(oa.ProtoHeartbeatEvent()))
        out, rest = await anyio.to_thread.run_sync(player.communicate, None, 45)
        await stream.aclose()
    assert 'next: ProtoOARefreshTokenRes accessToken="***"' in rest
    assert SECRET not in out + err + rest
    assert r"\x1b[2Jdemo\r\nforged (protobuf), replayed, is at" in err
    assert all(char.isprintable() or char == "\n" for char in out + err + rest)


@pytest.mark.anyio
@pytest.mark.timeout(120)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_differences_from_a_recording_of_another_tool_show_no_secret(tmp_path: Path) -> None:
    order = oa.ProtoOANewOrderReq(ctidTraderAccountId=1, symbolId=1, orderType=1, tradeSide=1, volume=1)
    order.label = f"for {SECRET}"
    (tmp_path / "r").write_text(OPENED + frame("to_server", order, "1") + frame("to_server", AUTH, "2"))
    with started("replay", "r", "--check", "--ca-file", "ca.pem", cwd=tmp_path) as player:
        stream, _ = await a_visitor(player, tmp_path)
        order.label = "another"
        await stream.send(framed(order, "1") + framed(AUTH, "2"))
        await stream.aclose()
        out, err = await anyio.to_thread.run_sync(player.communicate, None, 45)
    assert player.returncode == 1
    assert "label is 'another', and was 'for ***'" in out
    assert SECRET not in out + err


def test_an_interruption_while_the_recording_is_read_ends_it_like_a_later_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # a recording of which nothing comes
    with started("replay", "pipe", cwd=tmp_path) as player:
        with (tmp_path / "pipe").open("w"):  # opened once the command reads
            _, err = interrupt(player)
    assert (player.returncode, err) == (1, "interrupted\n")
