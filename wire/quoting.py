"""Text of a peer's on its way to a person: nothing in it can move a cursor, forge a line, or hide a part of one."""

from __future__ import annotations

__all__ = ["LONGEST_SHOWN", "escaped", "quoted"]

LONGEST_SHOWN = 1000
"""Characters of a text that are shown to a person; the protocol's own longest text is a comment of 512."""


def escaped(text: str) -> str:
    """The text with everything that a terminal would obey, or that cannot be seen, made visible.

    Control characters, line ends, marks that turn the direction of text, unassigned characters: each becomes its
    backslash form.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def quoted(text: str) -> str:
    """The text in double quotes, escaped, its own quotes and backslashes too; cut where it is very long."""
    rest = len(text) - LONGEST_SHOWN
    cut = text[:LONGEST_SHOWN] if rest > 0 else text
    shown = '"' + escaped(cut.replace("\\", "\\\\").replace('"', '\\"')) + '"'
    return f"{shown}… ({len(text)} characters)" if rest > 0 else shown
