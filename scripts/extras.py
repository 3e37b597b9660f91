"""Which extra a library that is not there belongs to. Each command imports this ahead of all such libraries.

The packages are made to be used without the command line too, so its extras may well be missing.
"""

from __future__ import annotations

import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["not_installed"]

_EXTRAS: Final = MappingProxyType(
    {
        "typer": "cli,fake",
        "click": "cli,fake",
        "rich": "cli",
        "httpx": "cli",
        "trustme": "cli,fake",
        "h11": "cli,fake",
        "wsproto": "cli,ws",
    }
)
_others = sys.excepthook


def not_installed(library: str) -> str:
    """What to tell people of a library that is not there: the extra that brings it."""
    return f"{library} is not installed: pip install 'anyctrader[{_EXTRAS.get(library, 'cli')}]'"


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """In place of the traceback of a command that cannot begin without one of them."""
    if isinstance(error, ModuleNotFoundError) and error.name is not None and error.name in _EXTRAS:
        sys.stderr.write(f"anyctrader: {not_installed(error.name)}\n")
        sys.exit(2)
    _others(kind, error, trace)


sys.excepthook = _tell
