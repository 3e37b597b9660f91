"""`anyctrader halt` and `anyctrader resume`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import orjson
import pytest
from anyio.from_thread import start_blocking_portal

from anyctrader.session import Environment, Mode, open_audit
from anyctrader.session import halt as halts
from anyctrader.session.verification import verify

from .conftest import Call
from .programs import PROGRAM, clean_environment, json_lines


def lines_of(folder: Path) -> list[tuple[str, str, str]]:
    lines = [orjson.loads(line) for line in (folder / "order_audit.jsonl").read_text().splitlines()[1:]]
    return [(line["environment"], line["fact"], line["reason"]) for line in lines]


def test_a_halt_stands_until_it_is_resumed_and_both_are_on_record(call: Call, tmp_path: Path) -> None:
    folder = tmp_path / "desk"
    folder.mkdir()
    done = call("halt", "live", "--why", "feed looks \x1b[31m wrong", "--folder", "desk")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("live is halted: nothing that trades leaves")
    assert "`anyctrader resume live --folder desk` lifts it." in done.stdout
    found = halts.read(folder, Environment.LIVE)
    assert found is not None
    assert (found.mode, found.why) == (Mode.OFF, "feed looks \x1b[31m wrong")
    assert halts.read(folder, Environment.DEMO) is None

    done = call("resume", "live", "--folder", "desk")
    assert (done.returncode, done.stderr) == (0, "")
    assert "feed looks \\x1b[31m wrong" in done.stdout
    assert halts.read(folder, Environment.LIVE) is None
    assert lines_of(folder) == [
        ("live", "halt", "feed looks \x1b[31m wrong"),
        ("live", "resume", "feed looks \x1b[31m wrong"),
    ]
    assert verify(folder) == []


def test_a_halt_may_leave_what_reduces_and_a_stricter_one_stays(call: Call, tmp_path: Path) -> None:
    for arguments, mode in ((["--reduce-only"], "reduce_only"), ([], "off"), (["--reduce-only"], "off")):
        done = call("halt", "demo", "--sandbox", "--format", "json", *arguments)
        assert done.returncode == 0, done.stderr
        (line,) = json_lines(done.stdout)
        assert (line["environment"], line["halted"], line["mode"], line["recorded"]) == ("demo", True, mode, True)
    line = orjson.loads((tmp_path / "logs" / "sandbox" / "order_audit.jsonl").read_text().splitlines()[1])
    assert line["sandbox"] is True


@pytest.mark.parametrize("command", ["halt", "resume"])
def test_a_folder_that_is_not_there_is_told_and_not_made(call: Call, tmp_path: Path, command: str) -> None:
    (tmp_path / "file").touch()
    for folder, why in (("typo", "typo does not exist"), ("file", "file is not a folder")):
        done = call(command, "demo", "--folder", folder)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"{why}: no desk keeps its files there. Nothing was changed." in " ".join(done.stderr.split())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("command", ["halt", "resume"])
def test_the_sandbox_that_is_meant_is_a_desk_and_no_server_of_this_command(call: Call, command: str) -> None:
    said = " ".join(call(command, "--help").stdout.split())
    assert "--sandbox" in said
    assert "embedded" not in said


def test_resuming_what_is_not_halted_changes_nothing(call: Call, tmp_path: Path) -> None:
    done = call("resume", "demo", "--folder", ".")
    assert (done.returncode, done.stdout) == (0, "demo was not halted.\n")
    assert not list(tmp_path.iterdir())


def test_the_folder_is_that_of_the_settings(call: Call, tmp_path: Path) -> None:
    (tmp_path / "my.env").write_text(
        "CTRADER_DEMO_APPLICATION_ID=a\nCTRADER_DEMO_APPLICATION_SECRET=b\nCTRADER_DEMO_ACCESS_TOKEN=c\n"
        "CTRADER_DEMO_ACCOUNT_ID=1\nCTRADER_LOG_FOLDER=there\n"
    )
    assert call("halt", "demo", "--env-file", "my.env").returncode == 0
    assert halts.read(tmp_path / "there", Environment.DEMO) is not None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["halt"], "ENV"),
        (["halt", "prod"], "'prod' is not one of 'demo', 'live'"),
        (["halt", "live"], "--folder says it without any settings"),
        (["resume", "live"], "copy .env.example to .env"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(call: Call, tmp_path: Path, arguments: list[str], said: str) -> None:
    done = call(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_an_error_that_says_so(call: Call, tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("")
    done = call("halt", "live", "--sandbox")
    assert done.returncode == 1
    assert "logs" in done.stderr
    assert "Traceback" not in done.stderr


def test_while_another_process_writes_the_audit_both_are_left_to_it_and_on_record(call: Call, tmp_path: Path) -> None:
    (tmp_path / "desk").mkdir()
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(open_audit(tmp_path / "desk")):
        for command in ("halt", "resume"):
            done = call(command, "live", "--folder", "desk", "--format", "json")
            assert (done.returncode, json_lines(done.stdout)[0]["recorded"]) == (0, False)
            assert "whoever writes the audit puts this on record" in done.stderr
    assert lines_of(tmp_path / "desk") == [("live", "halt", "stopped by hand"), ("live", "resume", "stopped by hand")]
    assert verify(tmp_path / "desk") == []


@pytest.mark.parametrize("whole", [True, False])
def test_no_secret_of_the_settings_stands_in_the_reason(call: Call, tmp_path: Path, whole: bool) -> None:
    secrets = {"APPLICATION_SECRET": "planted-secret", "ACCESS_TOKEN": "planted-access", "PASSWORD": "planted-pass"}
    rest = {
        "APPLICATION_ID": "app",
        "ACCOUNT_ID": "1" if whole else "none",
    }  # settings that cannot be used stop no halt
    variables = {f"CTRADER_DEMO_{key}": value for key, value in (secrets | rest).items()}
    (tmp_path / "desk").mkdir()
    done = call("halt", "demo", "--why", f"t {' '.join(secrets.values())}", "--folder", "desk", **variables)
    assert done.returncode == 0, done.stderr
    resumed = call("resume", "demo", "--folder", "desk", **variables)
    assert "t *** *** ***" in resumed.stdout
    assert lines_of(tmp_path / "desk")[0] == ("demo", "halt", "t *** *** ***")
    left = [path.read_text() for path in (tmp_path / "desk").iterdir()]
    assert "planted" not in "".join((done.stdout, done.stderr, resumed.stdout, resumed.stderr, *left))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device here")
def test_where_the_result_cannot_be_written_stderr_says_that_it_is_halted(tmp_path: Path) -> None:
    command = (*PROGRAM, "halt", "demo", "--folder", ".")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command, cwd=tmp_path, env=clean_environment(), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert "demo is halted: nothing that trades leaves" in done.stderr
    assert halts.read(tmp_path, Environment.DEMO) is not None
