"""Which phases an account has passed, kept in a file beside the audit: phase B builds on A, and so on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from anyctrader.session import clock
from anyctrader.session.chain import iso_ms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .steps import StepResult

__all__ = ["Promotion", "PromotionUnreadable"]

_NAME: Final = "runbook.json"


class PromotionUnreadable(Exception):
    """The file of earlier results cannot be read; the text says which, and what to do."""


class Promotion:
    """Results of phases, by account. The newest result of a phase is the one that counts.

    Args:
        folder: where the file is, or will be.

    Raises:
        PromotionUnreadable: there is a file, and it is not one of ours.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / _NAME
        self._results: dict[str, dict[str, dict[str, Any]]] = {}
        try:
            found = orjson.loads(self.path.read_bytes())
            for account, phases in found.items():
                self._results[str(account)] = {
                    str(phase): {
                        "passed": result["passed"] is True,
                        "at": str(result["at"]),
                        "began_ms": int(result["began_ms"]),
                        "steps": result["steps"],
                    }
                    for phase, result in phases.items()
                }
        except FileNotFoundError:
            pass
        except (ValueError, AttributeError, KeyError, TypeError) as error:
            raise PromotionUnreadable(
                f"{self.path} is not a file of earlier results: move it away, and walk again from phase A"
            ) from error

    def passed_at(self, account: str, phase: str) -> str | None:
        """When this account last passed a phase, UTC; None if it has not, or has failed it since.

        Args:
            account: such as `demo 1000001`.
            phase: its letter.
        """
        result = self._results.get(account, {}).get(phase)
        return result["at"] if result is not None and result["passed"] else None

    def began_ms(self, account: str, phase: str) -> int | None:
        """When the walk that this account last passed a phase on began, UTC milliseconds; or None."""
        result = self._results.get(account, {}).get(phase)
        return result["began_ms"] if result is not None and result["passed"] else None

    def keep(self, account: str, phase: str, results: Sequence[StepResult], *, began_ms: int) -> None:
        """Writes down how a phase went; the file is whole at every moment.

        Args:
            account: such as `demo 1000001`.
            phase: its letter.
            results: of all of its steps.
            began_ms: when its walk began, UTC milliseconds.

        Raises:
            OSError: it could not be written.
        """
        self._results.setdefault(account, {})[phase] = {
            "passed": bool(results) and all(result.passed for result in results),
            "at": iso_ms(clock.utc_ms()),
            "began_ms": began_ms,
            "steps": [
                {"step": result.name, "result": result.outcome.value, "detail": result.detail} for result in results
            ],
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".new")
        with beside.open("wb") as file:
            file.write(orjson.dumps(self._results, option=orjson.OPT_INDENT_2))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)
