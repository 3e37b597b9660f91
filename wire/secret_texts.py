"""The texts that are known to be secret, and where they stand in others: all of them found in one pass.

A text of 8 characters or more has, wherever it stands, one of four of its stretches of four bytes at a place that four
divides. So a look at every fourth place tells whether there is any, however many are looked for; a regular expression,
or a search for each, takes a time that grows with their number.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["LONGEST_MET", "MOST_MET", "SHORTEST", "SHORTEST_TOLD", "Allowance", "SecretTexts", "Span"]

SHORTEST: Final = 8
"""Characters: what is shorter is an ordinary word or number as well, and not to be hidden in the middle of others."""

SHORTEST_TOLD: Final = 4
"""Characters of a word that a field told; what is shorter is too ordinary to be hidden anywhere else."""

MOST_MET: Final = 256
"""Of those that fields told, and as many of those that were suspected; an application has a handful."""

LONGEST_MET: Final = 4096
"""Characters: longer than any token, and what a peer can make us keep has an end."""

_MOST_WORDS: Final = 16  # of those words: each is looked for by itself, and no real secret is one
_BLOCK: Final = 4  # bytes
_FEW: Final = 16  # that are looked for one by one: for so many that is sooner done than the one pass
_MOST_TRIED: Final = 1000  # places that look like a secret's and are none: what has more of them is not called clean

Span: TypeAlias = tuple[int, int]
"""Begin and end, in bytes."""


class Allowance:
    """What one message may still cost: a character that is looked at costs one, and so does a step as long as that."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, cost: int) -> bool:
        """Takes so much where there is so much left. What costs more than that leaves the rest to others."""
        if cost > self.left:
            return False
        self.left -= cost
        return True

    def spend(self, cost: int) -> None:
        """Takes so much, or all that there is."""
        self.left = max(0, self.left - cost)


class _Word:
    """A short one."""

    __slots__ = ("data", "pattern", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.data = _bytes_of(text)
        self.pattern = re.compile(rf"(?<![^\W_]){re.escape(text)}(?![^\W_])")


class SecretTexts:
    """Texts that are secret wherever they stand.

    Args:
        named: by whoever knows them; they are never forgotten. One of less than 8 characters is found only as a word of
            its own.

    Attributes:
        met: how many were met, those that are forgotten too.
    """

    def __init__(self, named: Iterable[str] = ()) -> None:
        texts = [text for text in dict.fromkeys(named) if text]
        self.met = 0
        self._named_words = tuple(map(_Word, (text for text in texts if len(text) < SHORTEST)))
        self._told_words: dict[str, _Word] = {}
        self._named = frozenset(_bytes_of(text) for text in texts if len(text) >= SHORTEST)
        self._told: dict[bytes, None] = {}
        self._suspected: dict[bytes, None] = {}
        # By each block that tells of some: how far into the secret it is, and the secret.
        self._by_block: dict[int, dict[tuple[int, bytes], None]] = {}
        self._words: tuple[_Word, ...] = ()
        self._few: tuple[bytes, ...] | None = None
        for secret in self._named:
            self._look_for(secret)
        self._choose()

    def __len__(self) -> int:
        return len(self._words) + len(self._named) + len(self._told) + len(self._suspected)

    def remember(self, text: str, *, told: bool) -> bool:
        """A text that was met. Of each kind those that were met last are kept, if they have 8 to 4,096 characters.

        One that was told may have four: then it is found as a word of its own.

        Args:
            text: it.
            told: whether a field of the schema says that it is one. What is only suspected takes no place from those.

        Returns:
            whether it is a new one.
        """
        if told and SHORTEST_TOLD <= len(text) < SHORTEST:
            return self._remember_word(text)
        if not SHORTEST <= len(text) <= LONGEST_MET:
            return False
        secret = _bytes_of(text)
        if secret in self._named or not secret.strip(b"*") or (secret in self._told and not told):
            return False
        kept = self._told if told else self._suspected
        is_new = secret not in self._told and secret not in self._suspected
        self._suspected.pop(secret, None)
        kept.pop(secret, None)
        kept[secret] = None  # the last again
        if is_new:
            self.met += 1
            self._look_for(secret)
        if len(kept) > MOST_MET:
            oldest = next(iter(kept))
            kept.pop(oldest, None)
            self._forget(oldest)
        self._choose()
        return is_new

    def may_be_in(self, data: bytes) -> bool:
        """Whether one of them may be in the UTF-8 of a text, or in what holds texts. False is for sure."""
        if self._few is not None:
            for secret in self._few:  # noqa: SIM110 - asked of every message, and a generator takes twice as long
                if secret in data:
                    return True
            return False
        if any(word.data in data for word in self._words):
            return True
        blocks = _blocks(data)
        if self._by_block.keys().isdisjoint(blocks):
            return False
        for tried, (at, secret) in enumerate(self._places(blocks), 1):
            if tried > _MOST_TRIED or data.startswith(secret, at):
                return True
        return False

    def spans(self, data: bytes, allowance: Allowance) -> list[Span] | None:
        """Where they stand, words apart; None if that takes too long."""
        found = []
        for at, secret in self._places(_blocks(data)):
            if not allowance.take(1):
                return None
            if data.startswith(secret, at):
                found.append((at, at + len(secret)))
        return found

    def without_words(self, text: str, mask: str) -> str:
        """A text with the short ones covered."""
        for word in self._words:
            if word.text in text:
                text = word.pattern.sub(mask, text)
        return text

    def _remember_word(self, text: str) -> bool:
        if not text.strip("*") or any(word.text == text for word in self._named_words):
            return False
        word = self._told_words.pop(text, None)
        self._told_words[text] = word or _Word(text)  # the last again
        if word is None:
            self.met += 1
            if len(self._told_words) > _MOST_WORDS:
                self._told_words.pop(next(iter(self._told_words)), None)
            self._choose()
        return word is None

    def _places(self, blocks: memoryview) -> Iterator[tuple[int, bytes]]:
        """Where one may begin, and which."""
        known = self._by_block
        for index, block in enumerate(blocks):
            if block in known:
                for offset, secret in tuple(known.get(block, ())):  # what is met meanwhile is not among them
                    if (at := index * _BLOCK - offset) >= 0:
                        yield at, secret

    def _look_for(self, secret: bytes) -> None:
        for offset, block in _telling(secret):
            self._by_block.setdefault(block, {})[offset, secret] = None

    def _forget(self, secret: bytes) -> None:
        for offset, block in _telling(secret):
            entries = self._by_block.get(block, {})
            entries.pop((offset, secret), None)
            if not entries:
                self._by_block.pop(block, None)

    def _choose(self) -> None:
        """How they are looked for from now on. Whoever is looking goes on with what there was."""
        words = (*self._named_words, *self._told_words.values())
        self._words = tuple(sorted(words, key=lambda word: -len(word.text)))  # one may be a part of another
        self._few = None
        if len(self) <= _FEW:
            self._few = (*(word.data for word in words), *self._named, *self._told, *self._suspected)


def _bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _blocks(data: bytes) -> memoryview:
    return memoryview(data)[: len(data) // _BLOCK * _BLOCK].cast("I")


def _telling(secret: bytes) -> Iterator[tuple[int, int]]:
    """Four blocks in its middle, where it differs most from others, of which one is at a place that four divides."""
    middle = (len(secret) - 2 * _BLOCK + 1) // 2
    for offset in range(middle, middle + _BLOCK):
        yield offset, memoryview(secret[offset : offset + _BLOCK]).cast("I")[0]
