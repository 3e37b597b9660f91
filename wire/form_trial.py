"""How much can be read of a capture when it is taken for what it may be."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from .form_readers import SCANNED, FormReader
from .rendering import Frame
from .scan import Aside, Damage
from .text_bytes import Encoding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .forms import Form
    from .scan import Piece

__all__ = ["Trial"]

_LEAST: Final = 4  # bytes of a length: what is no longer says nothing
_CLEAR: Final = (3, 4)  # the part of what is here that must be read for it to be clear what it is
# Thirds of a character that stand for a byte; elsewhere it is one character.
_WEIGHTS: Final[Mapping[Encoding, int]] = MappingProxyType(
    {Encoding.HEX: 6, Encoding.DUMP: 6, Encoding.STRING: 6, Encoding.BASE64: 4}
)


class Trial:
    """One form, tried.

    Args:
        form: what the capture is taken for.
        reader: reads it as that.

    Attributes:
        begins: whether it begins with a message, nothing unreadable before it.
        end: of the first message; None where there was none.
    """

    def __init__(self, form: Form, reader: FormReader) -> None:
        self.form = form
        self.begins = False
        self.end: int | None = None
        self._reader = reader
        self._messages = self._asides = 0  # bytes of them
        self._whole = 0  # of the messages that can be read, their payloads too
        self._is_damaged = False
        self._begun = 0  # bytes of what is sound as far as it goes, once it has ended

    def feed(self, data: bytes) -> None:
        """Reads some more."""
        self._take(self._reader.feed(data))

    def close(self) -> None:
        """Reads what is left: this was all."""
        self._begun = self._under_way
        self._take(self._reader.close())

    def _take(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            if isinstance(piece, Aside):
                self._asides += piece.size
            elif isinstance(piece, Damage) and piece.message is None:
                self._is_damaged = True
            else:
                size = piece.size or 0
                self._messages += size
                self._whole += size if isinstance(piece, Frame) else 0
                if self.end is None:
                    self.begins, self.end = not self._is_damaged, (piece.offset or 0) + size

    @property
    def is_sound(self) -> bool:
        """Whether nothing of it is damaged, as far as it is here."""
        return not self._is_damaged and self._reader.in_step

    @property
    def is_clear(self) -> bool:
        """Whether so much of it is read that it hardly is anything else."""
        part, of = _CLEAR
        return self._messages > 0 and (self._messages + self._asides) * of >= self._reader.taken * part

    def is_likely(self, *, differ: bool) -> bool:
        """Whether it is the likelier of two that read as much, in lines of which some differ in length, or none."""
        return self.form.by_line is (differ or self.form.content not in SCANNED)

    def rank(self) -> tuple[int, ...]:
        """How much of the text is read.

        Of messages first, and of those whose payloads can be read too before the others: what is only begun may be
        anything. Then of what is begun, then of what a transport says.
        """
        weight = _WEIGHTS.get(self.form.encoding, 3)
        # A few bytes look like a ping by chance, wherever they are.
        asides = 0 if self._is_damaged and not self._messages else self._asides
        read = (self._whole, self._messages, self._under_way, asides, self._begun)
        return tuple(size * weight for size in read)

    @property
    def _under_way(self) -> int:
        rest = self._reader.taken - self._messages - self._asides
        is_message = self.is_sound and self._reader.is_likely and self.form.content in SCANNED
        return rest if is_message and rest > _LEAST else 0
