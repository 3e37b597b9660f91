"""Which extra a library that is not there belongs to. Needs none of them."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

__all__ = ["EXTRAS", "not_installed"]

EXTRAS: Final = MappingProxyType(
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
"""By the name of the library."""


def not_installed(library: str) -> str:
    """What to tell people of a library that is not there: the extra that brings it."""
    return f"{library} is not installed: pip install 'anyctrader[{EXTRAS.get(library, 'cli')}]'"
