"""Text of a peer's on its way to a person: nothing in it can move a cursor, forge a line, or hide a part of one."""

from __future__ import annotations

__all__ = ["LONGEST_SHOWN", "LONGEST_TOLD", "escaped", "quoted", "told"]

LONGEST_SHOWN = 1000
"""Characters of a text that are shown to a person; the protocol's own longest text is a comment of 512."""
LONGEST_TOLD = 64 * 1024
"""Characters of a text that is passed on whole. Nobody reads as many; a frame has room for two hundred times more."""


def escaped(text: str) -> str:
    """The text with everything that a terminal would obey, or that cannot be seen, made visible.

    Control characters, line ends, marks that turn the direction of text, unassigned characters: each becomes its
    backslash form.
    """
    if text.isprintable():
        return text
    # By the characters that occur in it, not one by one: a text may be as long as a frame.
    return text.translate({ord(char): _visible(char) for char in set(text) if not char.isprintable()})


def told(text: str) -> str:
    """The text escaped, or its length alone where it is longer than `LONGEST_TOLD`.

    For whoever covers secrets afterwards: a mask does not know the half of one, so what is too long is not cut, but
    left out.
    """
    return escaped(text) if len(text) <= LONGEST_TOLD else f"a text of {len(text)} characters"


def quoted(text: str) -> str:
    """The text in double quotes, escaped, its own quotes and backslashes too; cut where it is very long."""
    rest = len(text) - LONGEST_SHOWN
    cut = text[:LONGEST_SHOWN] if rest > 0 else text
    shown = '"' + escaped(cut.replace("\\", "\\\\").replace('"', '\\"')) + '"'
    return f"{shown}… ({len(text)} characters)" if rest > 0 else shown


def _visible(char: str) -> str:
    return char.encode("unicode_escape").decode()
