"""`--debug` shows a traceback, with all that led to an error: no secret stands in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from anyctrader.fake import faults

from .conftest import Call
from .served import served, variables_of

PLANTED = {
    "APPLICATION_SECRET": "PLANTED-application-secret-5f1c",
    "ACCESS_TOKEN": "PLANTED-access-token-77aa",
    "REFRESH_TOKEN": "PLANTED-refresh-token-09be",
    "USERNAME": "PLANTED-user-2c41@example.org",
    "PASSWORD": "PLANTED-password-31d0",
}
_APPLICATION = "ProtoOAApplicationAuthRes"
CONNECTING = (
    ("send", "demo", "TraderReq"),
    ("send", "demo", "--raw", "08b510"),
    ("tail", "demo"),
    ("record", "demo", "-o", "r.jsonl"),
)
ALL = (*CONNECTING, ("ping", "demo"), ("run",), ("runbook",), ("proxy", "demo"), ("login", "demo", "--no-browser"))


def debugged(call: Call, *arguments: str, **environment: str) -> str:
    """What a command that fails says with `--debug`: no secret, whole or cut short."""
    done = call(*arguments, "--debug", **environment)
    shown = done.stdout + done.stderr
    assert [text for text in PLANTED.values() if text[:16] in shown] == []
    assert done.returncode != 0
    return done.stderr


@pytest.mark.parametrize("command", CONNECTING, ids=" ".join)
@pytest.mark.parametrize("wrong", ["APPLICATION_SECRET", "ACCESS_TOKEN"])
def test_nor_where_a_server_refuses_what_it_was_told(call: Call, command: tuple[str, ...], wrong: str) -> None:
    with served() as server:
        planted = {key: text for key, text in PLANTED.items() if key not in ("APPLICATION_SECRET", "ACCESS_TOKEN")}
        said = debugged(call, *command, **variables_of(server, **planted, **{wrong: PLANTED[wrong]}))
    assert "Traceback" in said


@pytest.mark.parametrize("command", CONNECTING, ids=" ".join)
def test_nor_where_the_connection_is_torn_in_the_middle(call: Call, command: tuple[str, ...]) -> None:
    with served() as server, server.call(lambda it: it.faults.inject(faults.HalfFrame(which=_APPLICATION))):
        said = debugged(call, *command, **variables_of(server, **PLANTED))
    assert "Traceback" in said


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_nor_where_a_setting_cannot_be_used(call: Call, command: tuple[str, ...]) -> None:
    with served() as server:
        settings = variables_of(server, **PLANTED)
    for key in PLANTED:
        settings[f"CTRADER_DEMO_{key}"] += "\twith a tab\x00"[:11]
    settings["CTRADER_DEMO_ORDER_QUEUE_S"] = PLANTED["ACCESS_TOKEN"]  # a value in the wrong line
    assert "SettingsError" in debugged(call, *command, **settings)


def test_nor_where_a_line_of_the_settings_file_cannot_be_read(call: Call, tmp_path: Path) -> None:
    for line in (f"CTRADER_DEMO_ACCESS_TOKEN {PLANTED['ACCESS_TOKEN']}", f"'{PLANTED['ACCESS_TOKEN']}", "\xff\xfe"):
        (tmp_path / ".env").write_bytes(f"CTRADER_DEMO_PASSWORD={PLANTED['PASSWORD']}\n{line}\n".encode("latin-1"))
        assert "Traceback" in debugged(call, "ping", "demo")
