"""What all enums of this package are made of."""

from __future__ import annotations

import enum

__all__ = ["Word"]


class Word(enum.Enum):
    """An enum whose members are found by identity, as they are compared.

    Python's own computes the hash of a member's name at each look into a table, and every message costs several.
    """

    __hash__ = object.__hash__
