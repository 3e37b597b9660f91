"""Commands called in this process: quick, and good enough where no signal, pipe or terminal is in play."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from anyctrader.scripts.main import main


@dataclass
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


Call = Callable[..., Done]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Calls `anyctrader` with these arguments and settings, in a folder of its own, and gives how it ended."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if "CTRADER" in name:
            monkeypatch.delenv(name)

    def call(*arguments: str, **environment: str) -> Done:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["anyctrader", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return Done(int(code), captured.out, captured.err)

    return call
