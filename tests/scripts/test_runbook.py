"""`anyctrader runbook` as a new user starts it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import orjson
import pytest

from anyctrader.scripts.runbook import told_of_interruption
from anyctrader.scripts.steps import Outcome, StepResult
from anyctrader.session.verification import verify

from .conftest import Call
from .programs import PROGRAM, clean_environment, interrupt, json_lines, run, started

# What a user may have lying about: a sandbox reads none of it.
JUNK = {
    "CTRADER_DEMO_ACCESS_TOKEN": "from-the-environment",
    "CTRADER_LIVE_ENABLED": "maybe",
    "CTRADER_LOG_FOLDER": "no",
}


@pytest.mark.timeout(400)
def test_the_sandbox_is_walked_from_a_to_d_every_step_passes_and_all_of_it_is_on_record(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CTRADER_DEMO_ACCESS_TOKEN=from-the-file\nCTRADER_LIVE_ENABLED=perhaps\n")
    done = run("runbook", "--sandbox", "--format", "json", cwd=tmp_path, timeout_s=380, **JUNK)
    lines = json_lines(done.stdout)
    steps, end = lines[:-1], lines[-1]
    assert [line for line in steps if line["result"] != "passed"] == []
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert {line["phase"] for line in steps} == set("ABCD")
    assert end["result"] == "passed"
    assert end["passed"] == len(steps) > 30

    folder = tmp_path / "logs" / "sandbox"
    assert {Path(file).name for file in end["files"]} == {
        "order_audit.jsonl",
        "position_snapshot.jsonl",
        "demo_connection.log",
        "live_connection.log",
    }
    assert all((tmp_path / file).parent == folder for file in end["files"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env", "logs"]
    assert verify(folder) == []
    for name in ("order_audit.jsonl", "position_snapshot.jsonl"):
        for text in (folder / name).read_text().splitlines():
            line = orjson.loads(text)
            assert line["sandbox"] is True
            assert line["environment"] in ("demo", "live")
    for name in ("demo_connection.log", "live_connection.log"):
        for text in (folder / name).read_text().splitlines():
            assert "sandbox" in text
    written = b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
    assert b"from-the-" not in written
    assert not list(folder.glob("*.halt"))


@pytest.mark.timeout(400)
def test_on_ctrl_c_what_is_open_is_taken_back_and_it_ends_without_success(tmp_path: Path) -> None:
    with started("runbook", "--sandbox", "--format", "json", cwd=tmp_path) as process:
        assert process.stdout is not None
        while orjson.loads(process.stdout.readline())["step"] != "place":
            pass  # from here on an order rests, and a position is open
        out, err = interrupt(process)
    assert process.returncode == 1
    assert err.splitlines() == [
        "interrupted: taking back what is open. Once more, after a second, ends it at once, and leaves that open",
        "interrupted: what was open has been taken back",
    ]
    *steps, end = json_lines(out)
    assert (steps[-1]["step"], steps[-1]["result"], steps[-1]["detail"]) == ("left", "passed", "")
    assert end["result"] == "failed"
    assert "logs/sandbox/order_audit.jsonl" in end["files"]
    assert verify(tmp_path / "logs" / "sandbox") == []
    lines = [orjson.loads(line) for line in (tmp_path / "logs/sandbox/order_audit.jsonl").read_text().splitlines()]
    assert {line["request"] for line in lines if line["fact"] == "intent"} >= {"place", "cancel", "close"}


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        ([], "interrupted before anything was opened"),
        ([Outcome.PASSED, Outcome.PASSED], "interrupted: what was open has been taken back"),
        ([Outcome.PASSED, Outcome.FAILED], "something may still be open"),
    ],
)
def test_an_interrupted_walk_says_that_all_is_taken_back_only_where_it_is(outcomes: list[Outcome], said: str) -> None:
    results = [StepResult("A", "place", "orders placed", Outcome.FAILED, "")]
    results += [StepResult("A", "left", "nothing left behind", outcome, "") for outcome in outcomes]
    assert said in told_of_interruption(results)


@pytest.mark.timeout(400)
def test_a_closed_pipe_ends_it_without_a_traceback_and_without_success(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "runbook", "--sandbox"],
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
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) == 1
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--phase", "E"], "'E' is not one of A, B, C, D"),
        (["--sandbox", "--phase", "A"], "all phases are walked"),
        (["--soak", "5"], "--soak"),
        (["--format", "xml"], "--format"),
        (["extra"], "extra"),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(call: Call, tmp_path: Path, arguments: list[str], said: str) -> None:
    done = call("runbook", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_without_settings_it_says_what_to_do_and_touches_nothing(call: Call, tmp_path: Path) -> None:
    done = call("runbook")
    assert (done.returncode, done.stdout) == (2, "")
    assert "copy .env.example to .env" in done.stderr
    assert not list(tmp_path.iterdir())


def test_earlier_results_that_cannot_be_read_are_not_walked_over(call: Call, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "runbook.json").write_text("{")
    settings = {
        "CTRADER_DEMO_APPLICATION_ID": "a",
        "CTRADER_DEMO_APPLICATION_SECRET": "b",
        "CTRADER_DEMO_ACCESS_TOKEN": "c",
        "CTRADER_DEMO_ACCOUNT_ID": "1",
        "CTRADER_LOG_FOLDER": "logs",
    }
    done = call("runbook", "--phase", "A", **settings)
    assert done.returncode == 1
    assert "is not a file of earlier results" in done.stderr


def test_a_server_that_is_not_there_fails_phase_a_and_is_named(call: Call, tmp_path: Path) -> None:
    settings = {
        "CTRADER_DEMO_APPLICATION_ID": "a",
        "CTRADER_DEMO_APPLICATION_SECRET": "b",
        "CTRADER_DEMO_ACCESS_TOKEN": "the-token",
        "CTRADER_DEMO_ACCOUNT_ID": "1",
        "CTRADER_DEMO_HOST": "127.0.0.1",
        "CTRADER_DEMO_PORT": "1",
    }
    done = call("runbook", "--phase", "A", "--format", "json", **settings)
    assert done.returncode == 1
    lines = json_lines(done.stdout)
    assert (lines[0]["step"], lines[0]["result"]) == ("token", "failed")
    assert "127.0.0.1" in lines[0]["detail"]
    assert {line["result"] for line in lines[1:-2]} == {"skipped"}
    assert lines[-1]["result"] == "failed"
    kept = orjson.loads((tmp_path / "logs" / "ctrader" / "runbook.json").read_bytes())
    assert kept["demo 1"]["A"]["passed"] is False
    assert "the-token" not in done.stdout + done.stderr
