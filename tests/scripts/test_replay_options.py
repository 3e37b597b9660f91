"""What replay is asked for and cannot do is said, and nothing is played."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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


def test_an_interruption_while_the_recording_is_read_ends_it_like_a_later_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # a recording of which nothing comes
    with started("replay", "pipe", cwd=tmp_path) as player:
        with (tmp_path / "pipe").open("w"):  # opened once the command reads
            _, err = interrupt(player)
    assert (player.returncode, err) == (1, "interrupted\n")
