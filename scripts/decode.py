"""`anyctrader decode`: frames out of a capture, as readable text or JSON."""

from __future__ import annotations

import anyctrader.scripts.early  # noqa: F401  # ahead of all that may fail

import enum
import io
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from anyctrader.scripts.failures import carry_out_plainly, told
from anyctrader.scripts.options import DebugOption, ExitCode, Format, FormatOption, alone
from anyctrader.scripts.progress import Progress
from anyctrader.scripts.recognition import Recognition
from anyctrader.scripts.terminal import can_answer, escaped, is_terminal, print_json_lines, print_lines, remark
from anyctrader.wire.capture import CaptureReader, Content, Encoding, NoCapture
from anyctrader.wire.drafting import DraftError, payload_type_named
from anyctrader.wire.redaction import Redaction
from anyctrader.wire.rendering import Frame, Rendering, repetition
from anyctrader.wire.scan import Aside, Damage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    from anyctrader.wire.scan import Piece

__all__ = ["decode"]

_CHUNK: Final = 1 << 16  # bytes read at once: what is in memory beside one frame
_STDIN: Final = Path("-")
_HEAD: Final = "36"  # colours: a frame's head is cyan, damage red
_DAMAGE: Final = "31"


class Written(enum.Enum):
    """How a capture is written."""

    AUTO = "auto"
    BINARY = "binary"
    HEX = "hex"
    DUMP = "dump"
    BASE64 = "base64"
    STRING = "string"
    JSON = "json"


class Held(enum.Enum):
    """What a capture holds."""

    AUTO = "auto"
    FRAMES = "frames"
    WEBSOCKET = "websocket"
    ENVELOPES = "envelopes"
    PAYLOADS = "payloads"


_HOW: Final = f"How it is written: {', '.join(each.value for each in Written)}."
_WHAT: Final = f"What it holds: {', '.join(each.value for each in Held)}."


def decode(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The capture; -, or nothing: stdin.")] = _STDIN,
    payload_type: Annotated[
        str | None,
        typer.Option("--type", metavar="NAME", help="It holds bare payloads, of this message (name or number)."),
    ] = None,
    encoding: Annotated[Written, typer.Option(metavar="HOW", help=_HOW)] = Written.AUTO,
    content: Annotated[Held, typer.Option(metavar="WHAT", help=_WHAT)] = Held.AUTO,
    brief: Annotated[bool, typer.Option("--brief", help="A line for each message.")] = False,
    show_secrets: Annotated[
        bool, typer.Option("--show-secrets", help="Show tokens and secrets, which are *** otherwise.")
    ] = False,
    output: FormatOption = Format.TEXT,
    debug: DebugOption = False,
) -> None:
    """Shows the messages in captured bytes.

    Binary, hex (plain, spaced, or a dump of xxd and its like), base64 or JSON; frames with their lengths, those of a
    WebSocket, envelopes without, or bare payloads with --type; protobuf or JSON; and recordings of `record` and
    `proxy`. Damage is named with its offset and read past.

    Exit code 1: a part could not be read. The rest is shown all the same.

    Example: anyctrader decode capture.bin
    """
    number = None
    if payload_type is not None:
        try:
            number = payload_type_named(payload_type)
        except DraftError as error:
            raise typer.BadParameter(escaped(str(error)), param_hint="--type") from None
    elif content is Held.PAYLOADS:
        raise typer.BadParameter("bare payloads do not say what they are: name it with --type", param_hint="--content")
    reader = CaptureReader(
        encoding=Encoding(encoding.value) if encoding is not Written.AUTO else None,
        content=Content(content.value) if content is not Held.AUTO else None,
        payload_type=number,
    )
    told_of = {"--encoding": encoding is not Written.AUTO, "--content": content is not Held.AUTO}
    told_of["--type"] = payload_type is not None
    wish = _Wish(output, brief, show_secrets, [option for option, is_given in told_of.items() if is_given])
    with ExitStack() as stack:
        try:
            source, size = stack.enter_context(_opened(file))
        except OSError as error:
            raise typer.BadParameter(told(error), param_hint="FILE") from None
        name = "stdin" if file == _STDIN else escaped(str(file))
        carry_out_plainly(partial(_decode, source, size, name, reader, wish), debug=debug)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What was asked for on the command line.

    Attributes:
        output: text, or a JSON line a frame.
        brief: a line for each message.
        show_secrets: cover nothing.
        told_of: options that were given and say what a capture is.
    """

    output: Format
    brief: bool
    show_secrets: bool
    told_of: list[str]


def _decode(source: BinaryIO, size: int | None, name: str, reader: CaptureReader, wish: _Wish) -> ExitCode:
    # As much as is there: whoever writes into our stdin frame by frame sees them frame by frame.
    chunks = iter(lambda: source.read1(_CHUNK), b"")  # type: ignore[attr-defined]
    recognition = Recognition()
    try:
        first = [] if wish.told_of else _first(chunks, reader, recognition)
        if first is not None:
            return _capture(first, chunks, size, reader, recognition, wish)
    except NoCapture as error:
        remark(f"{name}: {error}")
        return ExitCode.NO
    finally:
        if wish.told_of and recognition.close():
            remark(f"{name} looks like a recording; {' and '.join(wish.told_of)} left out, it is read as one")
    from anyctrader.scripts.recorded_frames import show_recording  # what reads captures does not wait for it

    begun = io.BufferedReader(_Begun(recognition.head, source))
    return show_recording(begun, size, output=wish.output, brief=wish.brief, show_secrets=wish.show_secrets)


def _first(chunks: Iterator[bytes], reader: CaptureReader, recognition: Recognition) -> list[Piece] | None:
    """What the begin says as a capture; None where it is a recording."""
    pieces: list[Piece] = []
    for chunk in chunks:
        is_recording = recognition.feed(chunk)
        if is_recording:
            return None
        pieces += reader.feed(chunk)
        # Damage may be what is ahead of a recording; nothing else is there in one.
        has_message = recognition.place is None and not all(isinstance(piece, Damage) for piece in pieces)
        if is_recording is False or has_message:
            return pieces
    return None if recognition.close() else pieces


def _capture(
    first: list[Piece],
    chunks: Iterator[bytes],
    size: int | None,
    reader: CaptureReader,
    recognition: Recognition,
    wish: _Wish,
) -> ExitCode:
    """Shows a capture; what it looks like is told where somebody has said what it is."""
    show = _Show(wish.output, brief=wish.brief, redaction=None if wish.show_secrets else Redaction())
    with Progress("decoding", size, shown=not is_terminal()) as progress:
        done = len(recognition.head)
        show.pieces(first)
        for chunk in chunks:
            if wish.told_of:
                recognition.feed(chunk)
            show.pieces(reader.feed(chunk))
            done += len(chunk)
            progress.at(done)
        show.pieces(reader.close())
    return show.ended(reader)


class _Begun(io.RawIOBase):
    """A stream some of which was read already."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The head first, then what a read gives."""
        data: bytes = self._head[: len(buffer)] or self._rest.read1(len(buffer))  # type: ignore[attr-defined]
        self._head = self._head[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def _opened(file: Path) -> Iterator[tuple[BinaryIO, int | None]]:
    """The capture, and how long it is where that is known."""
    if file != _STDIN:
        with file.open("rb") as opened:
            size = file.stat().st_size if file.is_file() else None
            yield opened, size
        return
    if sys.stdin is None:
        raise OSError("stdin is closed")
    if can_answer():
        remark("reading from this terminal: paste hex, base64 or JSON, and end with Ctrl-D; --help tells of files")
    yield sys.stdin.buffer, None


class _Show:
    """Writes pieces of a capture as they come, and remembers the damage."""

    def __init__(self, output: Format, *, brief: bool, redaction: Redaction | None) -> None:
        self._output = output
        self._brief = brief
        self._redaction = redaction
        self._rendering = Rendering()
        self._damages = 0
        self._first: Damage | None = None

    def pieces(self, pieces: Iterable[Piece]) -> None:
        """Writes some more."""
        if self._output is Format.JSON:
            print_json_lines(self._members(piece) for piece in pieces)
        elif is_terminal():
            for piece in pieces:
                print_lines(self._lines(piece), colour=_DAMAGE if isinstance(piece, Damage) else _HEAD)
        else:
            print_lines("\n".join(self._lines(piece)) for piece in pieces)

    def ended(self, reader: CaptureReader) -> ExitCode:
        """Says what was damaged, and whether anything was."""
        if self._first is None:
            return ExitCode.DONE
        many = f"{self._damages} damaged parts, the first" if self._damages > 1 else "damage"
        remark(f"{many} at offset {self._first.offset}: {escaped(self._reason(self._first))}")
        remark(f"it was read as {reader.form}; --encoding, --content and --type say otherwise")
        return ExitCode.NO

    def _frame(self, frame: Frame) -> Frame:
        if self._redaction is None:
            return frame
        message = self._redaction.message(frame.message)
        if frame.repeated_key is not None:
            return Frame(message, frame.offset, frame.size, self._covered(frame.repeated_key))
        return frame if message is frame.message else Frame(message, frame.offset, frame.size)

    def _members(self, piece: Piece) -> dict[str, Any]:
        if isinstance(piece, Frame):
            return self._rendering.members(self._frame(piece))
        if isinstance(piece, Aside):
            return self._aside_members(piece)
        self._count(piece)
        known = piece.message
        said = known.client_msg_id if known is not None else None
        return {
            "offset": piece.offset,
            "size": piece.size,
            "payloadType": known.payload_type if known is not None else None,
            "name": known.name if known is not None else None,
            "clientMsgId": self._covered(said) if said is not None else None,
            "payload": None,
            "damage": self._reason(piece),
        }

    def _lines(self, piece: Piece) -> list[str]:
        if isinstance(piece, Frame):
            frame = self._frame(piece)
            if self._brief:
                more = f"; {repetition(frame)}" if frame.repeated_key is not None else ""
                return [f"@{frame.offset} {self._rendering.brief(frame.message)}{more}"]
            return self._rendering.lines(frame)
        if isinstance(piece, Aside):
            return [self._aside_line(piece)]
        self._count(piece)
        name = f" {piece.message.name} ({piece.message.payload_type})" if piece.message is not None else ""
        return [f"@{piece.offset}{name} DAMAGED, {piece.size} bytes: {escaped(self._reason(piece))}"]

    def _aside_members(self, aside: Aside) -> dict[str, Any]:
        members: dict[str, Any] = {"offset": aside.offset, "size": aside.size}
        members |= dict.fromkeys(("payloadType", "name", "clientMsgId", "payload"))
        members |= {"websocket": aside.kind, "from": aside.role.value}
        if aside.code is not None:
            members["code"] = aside.code
        return members | {"text": self._covered(aside.text)}

    def _aside_line(self, aside: Aside) -> str:
        what = "HTTP head" if aside.kind == "http" else f"WebSocket {aside.kind}"
        code = [str(aside.code)] if aside.code is not None else []
        text = [escaped(self._covered(aside.text))] if aside.text else []
        said = f": {' '.join((*code, *text))}" if code or text else ""
        return f"@{aside.offset} {what} of the {aside.role.value}, {aside.size} bytes{said}"

    def _covered(self, text: str) -> str:
        return self._redaction.text(text) if self._redaction is not None else text

    def _reason(self, damage: Damage) -> str:
        return self._covered(damage.reason)

    def _count(self, damage: Damage) -> None:
        self._damages += 1
        self._first = self._first or damage


if __name__ == "__main__":
    alone(decode)
