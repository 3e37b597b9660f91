from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from anyctrader.scripts.main import COMMANDS

from .conftest import Call
from .programs import SCRIPTS, clean_environment


def test_the_help_lists_every_command_and_imports_none_of_them(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['anyctrader', '--help']\n"
        "from anyctrader.scripts.main import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'google.protobuf', 'anyio', 'pydantic', 'rich', 'anyctrader.wire', 'anyctrader.session'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "heavy: []" in done.stdout
    for name, entry in COMMANDS.items():
        assert f"  {name} " in done.stdout
        assert entry.help in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_where_the_table_says_and_says_of_itself_what_the_table_says(name: str) -> None:
    entry = COMMANDS[name]
    command = getattr(importlib.import_module(f"anyctrader.scripts.{entry.module}"), name)
    assert inspect.getdoc(command).splitlines()[0] == entry.help  # type: ignore[union-attr]
    assert "Example: anyctrader " + name in inspect.getdoc(command)  # type: ignore[operator]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_also_runs_as_a_script(name: str, tmp_path: Path) -> None:
    script = SCRIPTS / f"{COMMANDS[name].module}.py"
    done = subprocess.run(
        [sys.executable, script, "--help"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert COMMANDS[name].help in done.stdout


def test_without_a_command_the_help_is_shown_and_the_usage_is_wrong(call: Call) -> None:
    done = call()
    assert done.returncode == 2
    assert "Usage: anyctrader" in done.stdout + done.stderr


def test_a_command_that_is_not_there_is_a_usage_error_with_the_nearest_name(call: Call) -> None:
    done = call("runbok", "--sandbox")
    assert done.returncode == 2
    assert "No such command 'runbok'" in done.stderr
    assert "runbook" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_version_is_told(call: Call) -> None:
    done = call("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("anyctrader ")
