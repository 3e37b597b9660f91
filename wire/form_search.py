"""Finding out what a capture is, from its first bytes, however they come.

Each form that a capture may have is tried, and the one wins in which most of the text can be read. It is looked at
where its first lines end, then where there is a few times as much, and nowhere else: what comes out must not depend on
how many bytes happened to come at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .errors import CTraderError
from .form_candidates import TEXT, Candidates, best_of, may_be_dump
from .form_readers import SCANNED
from .form_trial import Trial
from .forms import Content, Form
from .framing import MAX_FRAME_SIZE
from .text_bytes import Encoding, encodings_of, row_of
from .websocket_scan import HTTP_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HEAD", "MOST_LINES", "FormSearch", "NoCapture"]

HEAD: Final = 1 << 16
"""Bytes that are kept and looked at, at most, to find out what a capture is: a thousand quotes, or half a symbol list.

Where its begin is sound it shows much sooner, most often with the first message.
"""

MOST_LINES: Final = 2048
"""Lines of a text that are looked at, at most, to find that out: many short ones take long where nothing is in them."""

_LINES: Final = 8  # that are looked at one by one, and that are enough where nothing else speaks against them
_FURTHER: Final = 4  # times as much is there when it is looked at again: all looks cost little more than the last one
_FIRST_SIZE: Final = 1024  # bytes of a binary capture with damage at its begin that are looked at first
_MARK: Final = b"\xef\xbb\xbf"  # what some programs write in front of text that is UTF-8
_SPACE: Final = b" \t\r\n\f\v"
_OPEN: Final = (b"{", b"[")


class NoCapture(CTraderError):
    """There is nothing in it that could be a message."""


class FormSearch:
    """Finds out what a capture is.

    Of two forms in which as much can be read, it is the one that is likelier by itself: lines stand for themselves
    where they are of different lengths, and are wrapped where they are not. As long as only that is open, `likely` is
    what can be read already.

    Args:
        encoding: how it is written; None to find out.
        content: what it holds; None to find out.
        payload_type: of the payloads, where it holds these.
        max_size: the largest message that is believed, in bytes.

    Attributes:
        head: all that has come.
        likely: how the first lines can be read, whatever it will turn out to be.
        sure: how many bytes of the head that is true of.
    """

    def __init__(
        self,
        *,
        encoding: Encoding | None = None,
        content: Content | None = None,
        payload_type: int | None = None,
        max_size: int = MAX_FRAME_SIZE,
    ) -> None:
        self.head = b""
        self.likely: Form | None = None
        self.sure = 0
        self._encoding = encoding
        self._content = Content.PAYLOADS if content is None and payload_type is not None else content
        self._candidates = Candidates(encoding, self._content, payload_type, max_size)
        self._find: Callable[[], Form | None] = self._by_first
        self._mark = 0  # bytes of the mark in front
        self._at = 0  # up to where the head has been looked at
        self._lines = 0  # how many have ended up to there
        self._lengths: set[int] = set()  # of these
        self._due = _LINES  # how many there must be when they are looked at next
        self._size = _FIRST_SIZE
        self._trials: list[Trial] = []  # those that are fed as the bytes come
        self._by_line: Trial | None = None  # reads the first lines one by one, while each of them is whole

    def feed(self, chunk: bytes) -> Form | None:
        """What it is; None where more of it must be seen, which is never so with `HEAD` bytes or `MOST_LINES` lines.

        Raises:
            NoCapture: it is none. Only said of a capture that has ended, or has shown so much.
        """
        self.head += chunk
        return self._find()

    def close(self) -> Form:
        """What it is, where this was all.

        Raises:
            NoCapture: it is none.
        """
        return self._find() or self._best_of_all(self.head[self._mark :], ended=True)

    def data(self, form: Form) -> bytes:
        """The head, as a reader of this form takes it."""
        return self.head if form.encoding is Encoding.BINARY else self.head[self._mark :]

    # What the first bytes tell

    def _by_first(self) -> Form | None:
        """Goes on in the way that the first bytes call for."""
        head = self.head
        if _MARK.startswith(head[:3]) and len(head) < len(_MARK):
            return None
        self._mark = len(_MARK) if head.startswith(_MARK) else 0
        first = head[self._mark : HEAD].lstrip(_SPACE)[:1]
        if self._encoding is Encoding.JSON:
            return Form(Encoding.JSON, self._content or Content.ENVELOPES)
        if self._encoding is None and head.startswith(HTTP_WORDS):
            return Form(Encoding.BINARY, self._content or Content.WEBSOCKET)
        if self._encoding is Encoding.BINARY:
            if self._content is not None:
                return Form(Encoding.BINARY, self._content)
            self._find = self._by_size
        elif not first:
            if len(head) >= HEAD:
                self._find = self._by_lines
            else:
                return None
        elif self._encoding is not None or (first in TEXT and first not in _OPEN):
            if any(word.startswith(head) for word in HTTP_WORDS) and self._encoding is None:
                return None
            self._find = self._by_lines
        elif first in _OPEN:
            self._find = self._by_object
        elif self._content is not None:
            return Form(Encoding.BINARY, self._content)
        else:
            self._find = self._by_size
        return self._find()

    def _by_object(self) -> Form | None:
        """JSON, once a message is read; a NUL behind it begins a length, so it stood in a frame whose own is lost."""
        form = Form(Encoding.JSON, self._content or Content.ENVELOPES)
        if self._content is not None:
            return form
        if not self._trials:
            self._trials, self._at = [self._candidates.trial(form)], self._mark
        (trial,) = self._trials
        stop = min(HEAD, len(self.head))
        trial.feed(self.head[self._at : stop])
        self._at = stop
        text = self.head[self._mark : stop]
        if trial.end is not None and trial.end < len(text):
            if text[trial.end]:
                return form
            self._trials, self._at, self._find = [], 0, self._by_size
            return self._by_size()
        return self._best_of_all(text, ended=False) if stop == HEAD else None

    def _by_size(self) -> Form | None:
        """Binary, once a message stands at the begin, or most of what has come is read."""
        forms = [Form(Encoding.BINARY, each) for each in (Content.FRAMES, Content.WEBSOCKET)]
        self._trials = self._trials or [self._candidates.trial(form) for form in forms]
        while self._at < len(self.head):
            stop = min(self._size, len(self.head))
            for trial in self._trials:
                trial.feed(self.head[self._at : stop])
            self._at = stop
            for trial in self._trials:
                if trial.begins:
                    return trial.form
            if stop == HEAD:
                return self._best_of_all(self.head[:HEAD], ended=False)
            if stop == self._size:
                self._size *= _FURTHER
                # Anew: how far a scan has got with what it waits for depends on how the bytes came.
                best = max((self._candidates.tried(form, self.head[:stop]) for form in forms), key=Trial.rank)
                if (best.is_sound and any(best.rank())) or best.is_clear:
                    return best.form
        return None

    def _by_lines(self) -> Form | None:
        """Text, once enough of its lines have ended."""
        self._at = max(self._at, self._mark)
        while (end := self.head.find(b"\n", self._at, HEAD) + 1) > 0:
            line, self._at = self.head[self._at : end], end
            form = self._with_line(line)
            if form is None and self._lines == MOST_LINES:
                form = self._best_of_all(self.head[self._mark : end], ended=False)
            if form is not None:
                return form
        return self._best_of_all(self.head[self._mark : HEAD], ended=False) if len(self.head) >= HEAD else None

    def _with_line(self, line: bytes) -> Form | None:
        is_counted = self._count(line)
        if self._by_line is not None:
            self._by_line.feed(line)
            if self._by_line.is_sound:
                if len(self._lengths) > 1:
                    return self._by_line.form
                self.sure = self._at - self._mark
                return None
            self._by_line = None
        if not is_counted:
            return None
        text = self.head[self._mark : self._at]
        if self._lines < _LINES:
            return self._by_few_lines(text)
        if self._lines < self._due:
            return None
        self._due *= _FURTHER
        return self._by_some_lines(text) if self._lines < MOST_LINES else None

    def _by_few_lines(self, text: bytes) -> Form | None:
        """What the first lines are, where each of them stands for itself; or a dump."""
        differ = len(self._lengths) > 1
        if self._lines > 1 and not differ and not may_be_dump(text):
            return None
        for form in self._candidates.forms(text, are_few=True):
            if not form.by_line and form.encoding is not Encoding.DUMP:
                continue
            trial = self._candidates.tried(form, text)
            if not trial.is_sound or not trial.begins:
                continue
            if not form.by_line or differ:
                return form
            if self._lines == 1 and form.content in SCANNED:
                self._by_line, self.sure = trial, len(text)
                self.likely = Form(form.encoding, form.content)
                self._candidates.settle(self.likely)
                break
        return None

    def _by_some_lines(self, text: bytes) -> Form | None:
        """What whole lines are, where they leave no doubt."""
        trials: list[Trial] = []
        for form in self._candidates.forms(text):
            trial = self._candidates.tried(form, text)
            if trial.is_sound and any(trial.rank()):
                may_be = form.by_line is (len(self._lengths) > 1 or form.content not in SCANNED)
                if not form.by_line or (trial.begins and may_be):
                    return form
            trials.append(trial)
        best = best_of(trials, differ=self._differ)
        return best.form if best is not None and best.is_clear else None

    # What most of it tells

    def _best_of_all(self, text: bytes, *, ended: bool) -> Form:
        *lines, last = text.split(b"\n")
        for line in (*(lines if self._find != self._by_lines else ()), *([last] if ended else ())):
            self._count(line)
        best: Trial | None = None
        trials: list[Trial] = []
        for form in self._candidates.forms(text, ended=ended):
            if best is not None and best.is_clear and best.form.encoding is not form.encoding:
                break
            trials.append(self._candidates.tried(form, text, ended=ended))
            best = best_of(trials, differ=self._differ)
        if best is not None and any(best.rank()):
            return best.form
        if self._encoding is not None and self._encoding is not Encoding.JSON:
            return Form(self._encoding, self._content or Content.FRAMES)
        if self._encoding is Encoding.JSON or self._find == self._by_object:
            return Form(Encoding.JSON, self._content or Content.ENVELOPES)
        if not ended and text.translate(None, TEXT):
            return Form(Encoding.BINARY, self._content or Content.FRAMES)
        ways = encodings_of(text)
        if self._content is not None and ways:
            return Form(ways[0], self._content)
        if not text.strip():
            raise NoCapture("there is nothing in it")
        damaged = "--encoding says how it is written where these are damaged"
        where = "it" if ended else f"its first {len(text):,} bytes ({damaged})"
        raise NoCapture(
            f"no frame, envelope or JSON message is in {where}; bare payloads can be read when their type is said"
        )

    @property
    def _differ(self) -> bool:
        return self._lines == 1 or len(self._lengths) > 1

    def _count(self, line: bytes) -> bool:
        """Counts a line, unless there is nothing in it: how long a declaration is says nothing of the rows below it."""
        row = row_of(line)
        if not row or line.lstrip().startswith(b"#"):
            return False
        self._lines += 1
        self._lengths.add(len(row))
        return True
