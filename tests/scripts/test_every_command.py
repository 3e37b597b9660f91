"""Every command as a new user meets it: lost, mistyped, on a narrow terminal, with nobody who reads."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from anyctrader.fake import BlockingServer
from anyctrader.fake.faults import Maintenance
from anyctrader.scripts import terminal
from anyctrader.scripts.main import COMMANDS

from .conftest import Call, Done
from .programs import PROGRAM, SCRIPTS, START_S, clean_environment, run
from .served import served, variables_of

NEEDS_SETTINGS = ("run", "runbook", "login demo", "ping demo", "send demo TraderReq", "tail demo", "audit verify")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_has_an_example_a_format_and_fits_into_40_columns(call: Call, name: str) -> None:
    done = call(name, "--help", COLUMNS="40")
    assert done.returncode == 0
    assert "Example: anyctrader " in " ".join(done.stdout.split())
    assert "--format" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 40


def test_the_list_of_commands_fits_into_40_columns(call: Call) -> None:
    done = call("--help", COLUMNS="40")
    assert max(map(len, done.stdout.splitlines())) <= 40


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_that_is_not_there_is_a_usage_error(call: Call, name: str) -> None:
    done = call(name, "--frmat", "json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such option" in done.stderr
    assert "--help" in done.stderr


@pytest.mark.parametrize(
    ("name", "library", "extras"),
    [*((name, "typer", "cli,fake") for name in ("main", *COMMANDS)), ("fake", "trustme", "cli,fake")],
)
def test_run_as_a_file_without_an_extra_it_names_the_one_that_is_missing(name: str, library: str, extras: str) -> None:
    without = f"import runpy, sys; sys.modules[{library!r}] = None; del sys.argv[0]; "
    without += "runpy.run_path(sys.argv[0], run_name='__main__')"
    program = [sys.executable, "-c", without, str(SCRIPTS / f"{name}.py")]
    done = subprocess.run(
        program, env=clean_environment(), capture_output=True, text=True, timeout=START_S, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"anyctrader: {library} is not installed: pip install 'anyctrader[{extras}]'\n"


@pytest.mark.parametrize(
    "ends_with",
    [
        "raise KeyboardInterrupt",
        "exec('try: raise KeyboardInterrupt\\nexcept BaseException as e: raise RuntimeError from e')",
    ],
    ids=["plain", "wrapped"],
)
@pytest.mark.parametrize("name", ["main", "decode"])
def test_an_interrupt_while_modules_are_imported_is_no_traceback(name: str, ends_with: str) -> None:
    finder = f"""
import importlib.abc, runpy, sys
class Interrupted(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "typer":
            {ends_with}
sys.meta_path.insert(0, Interrupted())
runpy.run_path(sys.argv[1], run_name="__main__")
"""
    program = [sys.executable, "-c", finder, str(SCRIPTS / f"{name}.py")]
    done = subprocess.run(
        program, env=clean_environment(), capture_output=True, text=True, timeout=START_S, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "anyctrader: interrupted\n")


def test_an_interrupt_while_a_command_is_loaded_ends_with_1() -> None:
    interrupted = """
import importlib.abc, sys
from anyctrader.scripts.main import main
class Interrupted(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "anyctrader.scripts.decode":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupted())
sys.argv[1:] = ["decode", "none"]
main()
"""
    program = [sys.executable, "-c", interrupted]
    done = subprocess.run(
        program, env=clean_environment(), capture_output=True, text=True, timeout=START_S, check=False
    )
    assert (done.returncode, done.stdout, done.stderr.strip()) == (1, "", "interrupted")


@pytest.mark.parametrize(
    "arguments",
    [
        "send demo {}",
        "send demo AccountAuthReq accessToken:{}",
        "send demo AccountAuthReq {}",
        "send demo AccountAuthReq {}=1",
        "send demo NewOrderReq orderType={}",
        "send {} TraderReq",
        "send demo TraderReq --format {}",
        "send demo TraderReq --{}",
        "tail demo --where {}",
        "tail demo --bars {}",
        "ping demo {}",
        "decode --type {} capture.bin",
        "decode {}",
        "{}",
        "send --env-file mine.env demo {}",
        "send demo {} --env-file=mine.env",
    ],
)
def test_a_usage_error_shows_no_secret_of_the_settings(call: Call, tmp_path: Path, arguments: str) -> None:
    secret = "hunter-of-the-settings"
    path = tmp_path / ("mine.env" if "mine.env" in arguments else ".env")
    path.write_text(f"CTRADER_DEMO_ACCESS_TOKEN={secret}\n")
    done = call(*arguments.format(secret).split())
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: anyctrader" in done.stderr
    assert secret not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        "send demo {}",
        "send demo TraderReq {}=1",
        "send demo NewOrderReq label={0}{0}",
        "decode --type {} capture.bin",
        "tail demo --name {}",
        "tail demo --where {}=1",
        "tail demo --where order.{}=1",
        "tail demo --symbol EURUSD --bars {}",
        "replay capture.bin --check --ignore {}",
    ],
)
def test_nor_the_begin_of_one(call: Call, tmp_path: Path, arguments: str) -> None:
    secret = "b9670fd3a1e84c5f9b72d6e0a4c8f1352b1c"
    (tmp_path / ".env").write_text(f"CTRADER_DEMO_ACCESS_TOKEN={secret}\n")
    done = call(*arguments.format(secret).split())
    assert (done.returncode, done.stdout) == (2, "")
    assert [secret[at : at + 4] for at in range(len(secret) - 3) if secret[at : at + 4] in done.stderr] == []


def test_nor_does_a_recording_that_cannot_be_written(call: Call, tmp_path: Path) -> None:
    secret = "hunter-of-the-settings"
    with served() as server:
        done = call("record", "demo", "-o", f"{secret}/x", **variables_of(server, PASSWORD=secret))
    assert done.returncode == 2
    assert "***/x cannot be written" in done.stderr
    assert secret not in done.stderr


_LIVE = {name: f"live-{name}" for name in ("APPLICATION_SECRET", "ACCESS_TOKEN", "REFRESH_TOKEN", "PASSWORD")}


def shown_beside_live(call: Call, server: BlockingServer, folder: Path, arguments: str) -> tuple[Done, str]:
    """How a command for demo ended, and all that it showed or wrote, where the settings have live too."""
    live = variables_of(server, "LIVE", APPLICATION_ID="another", ACCOUNT_ID="77", **_LIVE)
    done = call(*arguments.split(), **variables_of(server, PASSWORD="hunter2-of-demo"), **live)
    written = [path.read_text() for path in folder.rglob("*.jsonl")]
    written += [call("decode", str(path)).stdout for path in folder.glob("r.jsonl")]
    return done, done.stdout + done.stderr + "".join(written)


@pytest.mark.parametrize(
    "arguments",
    [
        "send demo VersionReq",
        "send demo VersionReq --format json",
        "send demo --raw 08b810",
        "ping demo --wait 0.5",
    ],
)
def test_no_secret_of_the_other_environment_is_shown_where_a_server_says_it_back(
    call: Call, tmp_path: Path, arguments: str
) -> None:
    with served(version=f"9 {' '.join(_LIVE.values())}") as server:
        done, shown = shown_beside_live(call, server, tmp_path, arguments)
    assert done.returncode == 0, done.stderr
    assert "9 *** *** *** ***" in shown
    assert [secret for secret in _LIVE.values() if secret in shown] == []


@pytest.mark.parametrize(
    "arguments",
    [
        "send demo TraderReq",
        "send demo TraderReq --debug",
        "send demo --raw 08c910",
        "send demo NewOrderReq symbolId=1 tradeSide=BUY volume=100000 orderType=MARKET",
        "tail demo",
        "record demo -o r.jsonl",
    ],
)
def test_nor_where_it_says_it_of_an_error(call: Call, tmp_path: Path, arguments: str) -> None:
    with served() as server:
        server.call(lambda fake: fake.faults.inject(Maintenance(" ".join(_LIVE.values()))))
        done, shown = shown_beside_live(call, server, tmp_path, arguments)
    assert done.returncode != 0
    assert "*** *** *** ***" in done.stderr
    assert [secret for secret in _LIVE.values() if secret in shown] == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device here")
@pytest.mark.parametrize("arguments", [("--help",), ("decode", "--help"), ("--version",)])
def test_a_help_text_that_cannot_be_written_is_said_plainly(arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PROGRAM, *arguments],
            env=clean_environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=START_S,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "anyctrader: the results cannot be written: No space left on device\n"


@pytest.mark.parametrize("command", ["send demo TraderReq -", "send demo --raw -", "login demo"])
def test_a_closed_stdin_is_no_fault_of_ours(tmp_path: Path, command: str) -> None:
    shell = f"exec {shlex.join(PROGRAM)} {command} <&-"
    done = subprocess.run(
        ["sh", "-c", shell],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert "a fault of anyctrader" not in done.stderr
    assert "stdin, which is closed" in done.stderr or "the settings cannot be used" in done.stderr


@pytest.mark.parametrize("command", NEEDS_SETTINGS)
def test_without_settings_it_is_said_which_are_missing_and_what_to_do(call: Call, command: str) -> None:
    done = call(*command.split())
    assert done.returncode in (1, 2), done.stderr
    assert done.stdout == ""
    assert ".env" in done.stderr or "there is no" in done.stderr.lower() or "no such" in done.stderr.lower()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["halt", "resume", "login", "ping", "send", "tail", "audit"])
def test_an_argument_that_is_missing_is_named(call: Call, command: str) -> None:
    done = call(command)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Missing argument" in done.stderr
    if command != "audit":
        done = call(command, "prod")
        assert done.returncode == 2
        assert "'demo', 'live'" in done.stderr


@pytest.mark.parametrize("command", ["--help", "decode --help"])
def test_help_that_nobody_reads_is_no_traceback(tmp_path: Path, command: str) -> None:
    with subprocess.Popen(
        [*PROGRAM, *command.split()],
        cwd=tmp_path,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.wait(START_S)
        assert b"Traceback" not in process.stderr.read()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("dec", "decode"),
        ("tail --sym", "--symbol"),
        ("ping li", "live"),
        ("decode --sh", "--show-secrets"),
        ("send demo Trader", "TraderReq"),
    ],
)
def test_the_shell_completes_commands_options_and_choices(tmp_path: Path, words: str, offered: str) -> None:
    line = f"anyctrader {words}"
    done = run(
        cwd=tmp_path,
        _ANYCTRADER_COMPLETE="complete_bash",
        COMP_WORDS=line,
        COMP_CWORD=str(len(line.split()) - 1),
    )
    assert offered in done.stdout.split(), done.stderr


@pytest.mark.parametrize("command", ["ping demo --transport websocket", "proxy demo --transport websocket"])
def test_a_websocket_without_its_library_is_refused_before_anything_begins(
    call: Call, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setitem(sys.modules, "wsproto", None)
    done = call(*command.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'anyctrader[cli,ws]'" in " ".join(done.stderr.split())


@pytest.mark.parametrize("command", ["record demo -o r.jsonl", "replay r.jsonl", "proxy demo"])
def test_a_key_log_that_cannot_be_written_is_refused_before_anything_is_said_of_it(call: Call, command: str) -> None:
    done = call(*command.split(), SSLKEYLOGFILE="none/such")
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such file" in done.stderr
    assert "TLS keys are written" not in done.stderr


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("record demo -o -", "a recording goes into a file, not to stdout"),
        ("proxy demo --record -", "a recording goes into a file, not to stdout"),
        ("record demo -o r.jsonl --depth", "for --depth: of which symbol? Name one with --symbol"),
        ("tail demo --depth", "for --depth: of which symbol? Name one with --symbol"),
        ("tail demo --depth --bars M1", "for --depth / --bars: of which symbol? Name one with --symbol"),
        ("proxy demo --quiet --brief", "for --brief: no frame is shown with --quiet"),
    ],
)
def test_an_option_that_would_do_nothing_or_another_thing_is_a_usage_error(
    call: Call, tmp_path: Path, command: str, said: str
) -> None:
    done = call(*command.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command", ["send demo Bogus", "record demo -o - --symbol x", "tail demo --bars M1", "nothing"]
)
def test_a_usage_error_fits_into_40_columns(call: Call, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setattr(terminal, "width_of", lambda stream: 40)
    done = call(*command.split(), COLUMNS="40")
    assert done.returncode == 2
    assert "Usage: " in done.stderr
    assert max(map(len, done.stderr.splitlines())) < 40


def test_a_certificate_that_cannot_be_written_names_its_option_before_anything_begins(
    call: Call, tmp_path: Path
) -> None:
    for path in ("nowhere/ca.pem", "."):
        done = call("proxy", "demo", "--ca-file", path)
        assert (done.returncode, done.stdout) == (2, "")
        assert "--ca-file: the certificate cannot be written: " in " ".join(done.stderr.split())
    (tmp_path / "ca.pem").write_text("of another proxy")
    for path in ("ca.pem", "another.pem"):
        assert call("proxy", "demo", "--ca-file", path).returncode == 2  # there are no settings
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("ca.pem", "of another proxy")]


def test_a_key_log_is_for_its_owner_only(call: Call, tmp_path: Path) -> None:
    assert call("record", "demo", "-o", "r.jsonl", "--key-log", "keys").returncode == 2  # there are no settings
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600


BAD_AUTHORITY = {
    "CTRADER_DEMO_APPLICATION_ID": "id",
    "CTRADER_DEMO_APPLICATION_SECRET": "secret-of-the-application",
    "CTRADER_DEMO_ACCESS_TOKEN": "token-of-the-application",
    "CTRADER_DEMO_ACCOUNT_ID": "1",
    "CTRADER_DEMO_HOST": "127.0.0.1",
    "CTRADER_DEMO_PORT": "1",  # whoever connected first would say that nothing listens there
    "CTRADER_DEMO_CA_FILE": "authority.pem",
}


@pytest.mark.parametrize(
    "command",
    [
        "run",
        "runbook",
        "login demo --no-browser",
        "ping demo",
        "send demo TraderReq",
        "send demo --raw 08b510",
        "tail demo",
        "record demo -o r.jsonl",
        "proxy demo",
    ],
)
@pytest.mark.parametrize(
    "content", ["no PEM", "", "-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n"]
)
def test_a_file_of_authorities_that_is_none_is_a_wrong_setting_for_all_that_connect(
    call: Call, tmp_path: Path, command: str, content: str
) -> None:
    (tmp_path / "authority.pem").write_text(content)
    done = call(*command.split(), **BAD_AUTHORITY)
    assert (done.returncode, done.stdout) == (2, "")
    assert "CTRADER_DEMO_CA_FILE names authority.pem, from which no certificates can be read (" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_halt_does_not_fail_for_a_file_of_authorities(call: Call, tmp_path: Path) -> None:
    (tmp_path / "authority.pem").write_text("no PEM")
    assert call("halt", "demo", "--why", "it must stop", **BAD_AUTHORITY).returncode == 0
