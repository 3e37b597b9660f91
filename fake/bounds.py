"""Numbers of settings that make sense: refused where they are given, not when a client meets them."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["check_bounds"]


def check_bounds(settings: Any, *names: str, least: float, most: float = math.inf) -> None:
    """That numbers of a settings object lie where they make sense; None, where a field has it, means no limit.

    Raises:
        ValueError: one does not; the text has its name, its value and what is allowed.
    """
    for name in names:
        value = getattr(settings, name)
        if value is not None and not least <= value <= most:  # this way around no NaN gets through
            allowed = f"{least} or more is allowed" if most == math.inf else f"{least} to {most} is allowed"
            raise ValueError(f"{name} is {value}; {allowed}")
