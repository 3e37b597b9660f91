"""No secret in what a test run leaves: every secret that a fake server makes is known, and looked for after each test.

A part of the suite's own `conftest.py`. The secrets are long random texts, so that finding one is no accident.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anyctrader.fake.tokens import Directory

RECORDS = ("*.log", "*.jsonl", "*.torn", "*.halt", "*.head.json")
_PUBLIC = ("id", "code")
"""What a server makes up and anyone may see: a code is of one use."""


class Secrecy:
    """Knows the secrets that were made since the test began, and where they must not be."""

    def __init__(self) -> None:
        self.secrets: set[str] = set()

    def leaks(self, places: dict[str, str]) -> list[str]:
        """The places in which a secret stands, whole or cut short."""
        heads = {secret[:16] for secret in self.secrets}
        return [place for place, text in places.items() if any(head in text for head in heads)]


def told_by(report: pytest.TestReport) -> dict[str, str]:
    """What a test printed, logged and failed with."""
    return dict(report.sections) | {"traceback": report.longreprtext}


def left_in(folder: Path) -> dict[str, str]:
    """The logs and records below a folder."""
    paths = [path for pattern in RECORDS for path in folder.rglob(pattern) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_text(errors="replace") for path in paths}


def watched(secrecy: Secrecy, maker: Any) -> Any:
    """The maker of a server's secrets, whose secrets are known."""

    def make_up(self: Directory, kind: str) -> Any:
        made = maker(self, kind)
        if kind not in _PUBLIC:
            secrecy.secrets.add(made)
        return made

    return make_up
