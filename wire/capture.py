"""Captures of the traffic, whatever they are written in: what one is, and the messages in it, damage read past.

A capture holds frames (with their lengths, or of a WebSocket), envelopes without, or bare payloads of a type that has
to be said. It is binary, or text: hex, a dump, base64, or JSON objects. Which of these it is shows in its first bytes;
frames may hold protobuf or JSON, and each of them tells which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .form_readers import FormReader, reader_of
from .form_search import HEAD, FormSearch, NoCapture
from .forms import Content, Form
from .framing import MAX_FRAME_SIZE
from .scan import Damage
from .text_bytes import Encoding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .scan import Piece

__all__ = ["HEAD", "CaptureReader", "Content", "Encoding", "Form", "NoCapture", "form_of"]


def form_of(
    head: bytes,
    *,
    ended: bool,
    encoding: Encoding | None = None,
    content: Content | None = None,
    payload_type: int | None = None,
) -> Form | None:
    """What a capture is, from its first bytes.

    Args:
        head: the first bytes.
        ended: whether they are all there is.
        encoding: how it is written, where that is known.
        content: what it holds, where that is known.
        payload_type: of the payloads, where it holds these.

    Returns:
        The form; None where more of it must be seen, which is never so with `HEAD` bytes.

    Raises:
        NoCapture: it is none. Only said of a capture that has ended, or has shown `HEAD` bytes.
    """
    search = FormSearch(encoding=encoding, content=content, payload_type=payload_type)
    form = search.feed(head)
    return search.close() if form is None and ended else form


class CaptureReader:
    """Reads a capture as it comes: messages, and what could not be read of it. Memory does not grow with its length.

    What it gives is the same however the bytes are cut; what it waits for to be sure is only later.
    Offsets count the bytes that a text stands for, and of JSON those of the text; a frame's size has its length in it.

    Args:
        encoding: how it is written; None to find out.
        content: what it holds; None to find out.
        payload_type: of the payloads, where it holds these.
        max_size: the largest message that is believed, in bytes.
    """

    def __init__(
        self,
        *,
        encoding: Encoding | None = None,
        content: Content | None = None,
        payload_type: int | None = None,
        max_size: int = MAX_FRAME_SIZE,
    ) -> None:
        self.form: Form | None = None
        self._payload_type = payload_type
        self._max_size = max_size
        self._search: FormSearch | None = FormSearch(
            encoding=encoding, content=content, payload_type=payload_type, max_size=max_size
        )
        self._reader: FormReader | None = None
        self._read = 0  # bytes of the head that were read before it was sure what it is
        self._given = 0  # messages that came out of them, and have not come again
        self._pending: Damage | None = None

    def feed(self, chunk: bytes) -> list[Piece]:
        """The messages that this chunk completes, and the damage that it ends.

        Raises:
            NoCapture: it is none.
        """
        if self._search is None:
            return self._pieces(chunk)
        form = self._search.feed(chunk)
        return self._begun(self._search, form) if form is not None else self._likely(self._search)

    def close(self) -> list[Piece]:
        """What is left at the end.

        Raises:
            NoCapture: it was none.
        """
        pieces = self._begun(self._search, self._search.close()) if self._search is not None else []
        assert self._reader is not None  # of what has ended the form is known, or it is none
        pieces += self._joined(self._new(self._reader.close()))
        if self._pending is not None:
            pieces.append(self._pending)
            self._pending = None
        return pieces

    def _likely(self, search: FormSearch) -> list[Piece]:
        """What can be read already, before it is sure what it is."""
        if search.likely is None or search.sure == self._read:
            return []
        if self._reader is None:
            self._reader = reader_of(search.likely, self._payload_type, self._max_size)
        data, self._read = search.data(search.likely)[self._read : search.sure], search.sure
        pieces = self._pieces(data)
        self._given += len(pieces)
        return pieces

    def _begun(self, search: FormSearch, form: Form) -> list[Piece]:
        """Begins to read it as what it is; where it had been begun as something else, what was given is left out."""
        self.form, self._search = form, None
        data = search.data(form)
        if self._reader is not None and form == search.likely:
            self._given = 0
            return self._pieces(data[self._read :])
        self._reader = reader_of(form, self._payload_type, self._max_size)
        return self._pieces(data)

    def _pieces(self, chunk: bytes) -> list[Piece]:
        assert self._reader is not None
        return self._joined(self._new(self._reader.feed(chunk)))

    def _new(self, pieces: Iterable[Piece]) -> Iterable[Piece]:
        """Those that have not been given already."""
        if not self._given or self._search is not None:
            return pieces
        found = list(pieces)
        given = min(self._given, len(found))
        self._given -= given
        return found[given:]

    def _joined(self, pieces: Iterable[Piece]) -> list[Piece]:
        """The pieces, with damage that lies side by side made one."""
        joined: list[Piece] = []
        for piece in pieces:
            last = self._pending
            if last is not None:
                if isinstance(piece, Damage) and piece.message is None and last.offset + last.size == piece.offset:
                    self._pending = Damage(last.offset, last.size + piece.size, last.reason)
                    continue
                joined.append(last)
                self._pending = None
            if isinstance(piece, Damage) and piece.message is None:
                self._pending = piece
            else:
                joined.append(piece)
        return joined
