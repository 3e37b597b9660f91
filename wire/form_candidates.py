"""The forms that a capture may have, and which of them reads it best."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

from .form_readers import SCANNED, reader_of
from .form_trial import Trial
from .forms import Content, Form
from .text_bytes import Encoding, encodings_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["TEXT", "Candidates", "best_of", "may_be_dump"]

TEXT: Final = bytes(range(0x20, 0x7F)) + b"\t\r\n\f\v"
"""The characters of a text."""

_WITHOUT_LINES: Final = (Encoding.BINARY, Encoding.JSON)
_ROW: Final = re.compile(  # of a dump
    rb"(?m)^\s*(?:[0-9a-fA-F]{4,16}(?::[ \t]|[ \t]{2})[ \t]*[0-9a-fA-F]{2}"
    rb"|[0-9a-fA-F]{6,7}(?: [0-9a-fA-F]{2})+[ \t]*(?:>|\r?$)|[0-9a-fA-F]{7}(?: [0-9a-fA-F]{4})+[ \t]*\r?$)"
)


class Candidates:
    """What a capture may be, as far as that is open.

    Args:
        encoding: how it is written; None where that is not known.
        content: what it holds; None where that is not known.
        payload_type: of the payloads, where it holds these.
        max_size: the largest message that is believed, in bytes.
    """

    def __init__(
        self, encoding: Encoding | None, content: Content | None, payload_type: int | None, max_size: int
    ) -> None:
        self._encoding = encoding
        self._content = content
        self._reader = partial(reader_of, payload_type=payload_type, max_size=max_size)

    def settle(self, likely: Form) -> None:
        """Says that only the lines are open."""
        self._encoding, self._content = likely.encoding, likely.content

    def forms(self, text: bytes, *, are_few: bool = False, ended: bool = False) -> Iterator[Form]:
        """What a text may be, likeliest first.

        Args:
            text: what is here of it.
            are_few: whether it is too little for what is unlikely.
            ended: whether it is all.
        """
        contents = (self._content,) if self._content is not None else (Content.FRAMES, Content.WEBSOCKET)
        units = () if self._content is not None else (Content.ENVELOPES,)
        for way in (self._encoding,) if self._encoding is not None else _encodings(text, are_few=are_few):
            if way is Encoding.JSON:
                yield Form(way, self._content or Content.ENVELOPES)
                continue
            for content in (*contents, *units):
                if way in (Encoding.HEX, Encoding.BASE64):
                    yield Form(way, content, by_line=True)
                if content in SCANNED or ended:
                    yield Form(way, content)

    def trial(self, form: Form) -> Trial:
        """Tries one, of which nothing has been read yet."""
        # That whole lines can be read decides, not what can be saved of a line: to look for that takes long in prose.
        return Trial(form, self._reader(form, shifted=not form.by_line))

    def tried(self, form: Form, text: bytes, *, ended: bool | None = None) -> Trial:
        """Tries one; of the last line too where it is said whether the text ends there."""
        trial = self.trial(form)
        trial.feed(text)
        if ended:
            trial.close()
        elif ended is not None and form.encoding not in _WITHOUT_LINES and not form.by_line:
            trial.feed(b"\n")
        return trial


def best_of(trials: Iterable[Trial], *, differ: bool) -> Trial | None:
    """The one that reads most; of as much, the one whose lines are as they are here.

    Args:
        trials: the trials.
        differ: whether some lines are of another length than others, or there is only one.
    """
    return max(trials, key=lambda trial: (trial.rank(), trial.is_likely(differ=differ)), default=None)


def may_be_dump(text: bytes) -> bool:
    """Whether it begins as a dump does."""
    return _ROW.match(text) is not None


def _encodings(text: bytes, *, are_few: bool) -> tuple[Encoding, ...]:
    ways = encodings_of(text)
    if are_few:
        return ways
    if text.lstrip()[:1] in (b"{", b"["):
        ways = (Encoding.JSON, *ways)
    elif b"{" in text:
        ways += (Encoding.JSON,)
    if Encoding.DUMP not in ways and _ROW.search(text):
        ways += (Encoding.DUMP,)
    # First, since JSON may stand in binary frames, beside others that are lost where it alone is read.
    return ((Encoding.BINARY,) if text.translate(None, TEXT) else ()) + ways
