"""`anyctrader run` as a new user starts it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from pathlib import Path

import orjson
import pytest

from .conftest import Call
from .programs import PROGRAM, clean_environment, interrupt, json_lines, run, started

pytestmark = pytest.mark.timeout(120)


def test_in_a_pipe_each_change_is_a_line_and_ctrl_c_ends_it_with_success(tmp_path: Path) -> None:
    with started("run", "--sandbox", cwd=tmp_path) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        out, err = interrupt(process)
    assert process.returncode == 0
    assert err == "opening demo and live\n"
    for wanted in ("demo ready", "live ready", "demo mode on", "live mode off (CTRADER_LIVE_ENABLED is not true)"):
        assert any(wanted in line for line in lines), wanted
    assert out.splitlines()[-1].endswith("are in logs/sandbox.")
    for name in ("order_audit.jsonl", "position_snapshot.jsonl", "demo_connection.log", "live_connection.log"):
        assert (tmp_path / "logs" / "sandbox" / name).exists()


def test_it_ends_by_itself_and_json_is_an_object_a_line(tmp_path: Path) -> None:
    done = run("run", "--sandbox", "--seconds", "2", "--format", "json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = json_lines(done.stdout)
    assert lines[-1] == {"ended": True, "folder": "logs/sandbox"}
    assert {(line["environment"], line["state"]) for line in lines[:-1] if "state" in line} >= {
        ("demo", "ready"),
        ("live", "ready"),
    }
    assert all(
        set(line) == {"at", "environment", "reason", "state" if "state" in line else "mode"} for line in lines[:-1]
    )


def test_a_halt_from_elsewhere_shows_and_so_does_its_end(call: Call, tmp_path: Path) -> None:
    with started("run", "--sandbox", "--format", "json", cwd=tmp_path) as process:
        assert process.stdout is not None

        def line_with(**members: str) -> dict[str, str]:
            assert process.stdout is not None
            while True:
                line: dict[str, str] = orjson.loads(process.stdout.readline())
                if all(line.get(name) == value for name, value in members.items()):
                    return line

        line_with(environment="demo", mode="on")
        assert call("halt", "demo", "--sandbox", "--why", "a test").returncode == 0
        assert "a test" in line_with(environment="demo", mode="off")["reason"]
        assert call("resume", "demo", "--sandbox").returncode == 0
        line_with(environment="demo", mode="on")
        interrupt(process)
    assert process.returncode == 0


def test_whoever_closes_the_pipe_has_seen_enough(call: Call, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "run", "--sandbox", "--seconds", "30"],
        cwd=tmp_path,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert call("halt", "demo", "--sandbox").returncode == 0  # something to write
        assert process.stderr.read() == "opening demo and live\n"
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_in_a_narrow_terminal_the_state_is_drawn_within_it(tmp_path: Path) -> None:
    columns = 40
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    environment = clean_environment(TERM="xterm")
    del environment["COLUMNS"]
    process = subprocess.Popen(
        [*PROGRAM, "run", "--sandbox"], cwd=tmp_path, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    try:
        while b"positions" not in shown or b"ms" not in shown:
            shown += os.read(ours, 65_536)
        process.send_signal(signal.SIGINT)
        while b"Ended." not in shown:
            shown += os.read(ours, 65_536)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    lines = [line.rstrip() for line in text.replace("\r", "\n").splitlines()]
    assert max(map(len, lines)) <= columns
    for row in ("state", "account", "mode", "last beat", "round trip", "requests", "queue", "positions"):
        assert any(line.startswith(row) for line in lines), row
    assert any(re.fullmatch(r"account +1000001 +1000002", line) for line in lines)


def test_a_server_that_refuses_the_credentials_ends_it_with_its_word(call: Call, tmp_path: Path) -> None:
    with started("fake", "--instant", cwd=tmp_path) as fake:
        assert fake.stdout is not None
        ready = orjson.loads(fake.stdout.readline())
        done = call(
            "run",
            CTRADER_DEMO_APPLICATION_ID=ready["client_id"],
            CTRADER_DEMO_APPLICATION_SECRET="wrong-secret",
            CTRADER_DEMO_ACCESS_TOKEN=ready["access_token"],
            CTRADER_DEMO_ACCOUNT_ID=str(ready["accounts"][0]["ctidTraderAccountId"]),
            CTRADER_DEMO_HOST=ready["host"],
            CTRADER_DEMO_PORT=str(ready["port"]),
            CTRADER_DEMO_CA_FILE=ready["ca_file"],
        )
        interrupt(fake)
    assert done.returncode == 1
    assert "CH_CLIENT_AUTH_FAILURE" in done.stderr
    assert "wrong-secret" not in done.stdout + done.stderr
    assert ready["access_token"] not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--env-file", "missing.env"], "missing.env"),
        ([], "copy .env.example to .env"),
        (["--seconds", "soon"], "--seconds"),
        (["--seconds", "-1"], "--seconds"),
    ],
)
def test_what_cannot_be_started_says_why(call: Call, arguments: list[str], said: str) -> None:
    done = call("run", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
