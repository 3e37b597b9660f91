"""Names of enum values that the schema does not have: what a newer server may send on the JSON port.

A field of an enum holds a number, and nobody knows the number of such a name. So the field reads `UNKNOWN_NAME`, which
no enum lists, and the text stands in `Message.unknown_keys` at the path of the field. It counts as long as the field
reads so: whoever sets the field has said what it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from ..proto.schema import ENUM_FIELDS
from .shape import shape_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .json_fields import Path

__all__ = ["UNKNOWN_NAME", "looks_like_a_name", "unknown_names"]

UNKNOWN_NAME: Final = -(2**31)
"""What a field of an enum reads as whose value came as a name that the schema does not have."""

# Capitals, two digits at most: so are all 231 of the schema, and no token is. Stars stand in recordings, for what was
# covered as a secret.
_NAME: Final = re.compile(r"[A-Z_*]{1,60}[0-9]{0,2}")
_FIELDS: Final = frozenset(name for fields in ENUM_FIELDS.values() for name in fields)


def looks_like_a_name(text: str) -> bool:
    """Whether a text may be a name of an enum's. Anything else in its place may be a secret, and is not kept."""
    return _NAME.fullmatch(text) is not None


def unknown_names(payload: Any, unknown_keys: Mapping[Path, Any] | None) -> Iterator[tuple[Path, str]]:
    """The names in a message that its enums do not have: the path of the field, and the text.

    Args:
        payload: a message of the schema.
        unknown_keys: of its `Message`.
    """
    for path, text in (unknown_keys or {}).items():
        # Of keys there may be as many as a frame has room for, and a walk costs more than this look.
        if isinstance(path, tuple) and path and path[-1] in _FIELDS and isinstance(text, str):
            part = _part(payload, path[:-1])
            if part is not None and _is_unnamed(part, path[-1]):
                yield path, text


def _is_unnamed(part: Any, name: str | int) -> bool:
    for field, _, _ in shape_of(type(part).__name__).enums:
        if field.name == name:
            return bool(getattr(part, field.name) == UNKNOWN_NAME)
    return False


def _part(message: Any, steps: Path) -> Any:
    """The part of a message that a path leads to, or None."""
    part, is_list = message, False
    for step in steps:
        if is_list:
            part = part[step] if type(step) is int and 0 <= step < len(part) else None
            is_list = False
        else:
            field = next((field for field, _ in shape_of(type(part).__name__).parts if field.name == step), None)
            part = getattr(part, field.name) if field is not None else None
            is_list = field is not None and field.repeated
        if part is None:
            return None
    return None if is_list else part
