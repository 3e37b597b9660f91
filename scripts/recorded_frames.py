"""A recording as `decode` shows it: who was connected, and each frame with its time and direction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from anyctrader.session import SettingsError
from anyctrader.session.recording import Closed, Damage, FrameRecord, Lost, Opened, iso_of, read_lines
from anyctrader.wire.messages import name_of
from anyctrader.wire.redaction import Redaction
from anyctrader.wire.rendering import Frame
from anyctrader.wire.scan import Codecs

from .opening import secrets_of_settings
from .options import ExitCode, Format
from .passing_lines import Passing, PassingLines, colour_of
from .progress import Progress
from .terminal import escaped, is_terminal, print_json_lines, print_lines, remark

if TYPE_CHECKING:
    from typing import BinaryIO

    from anyctrader.session.recording import Line
    from anyctrader.wire import Message
    from anyctrader.wire.scan import Damage as Unreadable

__all__ = ["show_recording"]

_DAMAGE: Final = "31"  # colour: red
_SPACE: Final = b" \t\r\n"  # nothing that an envelope of protobuf begins with, if a brace comes next


def show_recording(source: BinaryIO, size: int | None, *, output: Format, brief: bool, show_secrets: bool) -> ExitCode:
    """Shows it, record by record.

    Ours hold no secret; those of other tools, or of other versions, may, and what is one is covered here as in a
    capture. What the settings of this folder hold is known beforehand.

    Args:
        source: the recording.
        size: its bytes, where that is known.
        output: text, or a JSON line a frame.
        brief: a line for each frame.
        show_secrets: cover nothing.
    """
    redaction = None if show_secrets else Redaction(_secrets_known())
    show = _Show(output, brief=brief, redaction=redaction)
    with Progress("decoding", size, shown=not is_terminal()) as progress:
        for line in read_lines(source):
            show.line(line)
            progress.at(line.offset + line.size)
    return show.ended()


def _secrets_known() -> list[str]:
    try:
        return [secret.reveal() for secret in secrets_of_settings(None)]
    except (SettingsError, OSError, UnicodeError):
        return []  # no settings that can be read: nobody needs any for a recording


class _Show:
    """Writes the lines of a recording as they come, and remembers the damage."""

    def __init__(self, output: Format, *, brief: bool, redaction: Redaction | None) -> None:
        self._output = output
        self._redaction = redaction
        self._codecs = Codecs()
        self._lines = PassingLines(brief=brief, owner="connection")
        self._damages = 0
        self._first: Damage | None = None

    def line(self, line: Line) -> None:
        """Writes one more."""
        said = line.said
        if isinstance(said, FrameRecord):
            piece = self._piece(line, said)
            if piece is None or isinstance(piece, Frame):
                self._print_frame(self._passing(line, said, piece))
            else:
                problem = f"the body of this frame cannot be read: {piece.reason}"
                self._print_damage(Damage(line.number, line.offset, line.size, problem), said, piece.message)
        elif isinstance(said, Damage):
            self._print_damage(said)
        elif self._output is Format.TEXT:
            print_lines([escaped(self._covered(_told(said)))])
        elif isinstance(said, Lost):
            print_json_lines([{"at": iso_of(said.at.utc_us), "offset": line.offset, "lost": said.frames}])

    def ended(self) -> ExitCode:
        """Says what was damaged, and whether anything was."""
        if self._first is None:
            return ExitCode.DONE
        first = self._first
        many = f"{self._damages} damaged lines, the first" if self._damages > 1 else "a damaged line"
        why = escaped(self._covered(first.problem))
        remark(f"{many} at offset {first.offset} (line {first.line}): {why}; everything else was read")
        return ExitCode.NO

    def _piece(self, line: Line, record: FrameRecord) -> Frame | Unreadable | None:
        """What its body is; None where that was not kept."""
        if record.body is None:
            return None
        # Each body tells its codec: the line that does may have been cut off with what was ahead of it.
        text = record.body.lstrip(_SPACE)
        return self._codecs.piece(text if text[:1] == b"{" else record.body, line.offset, record.size)

    def _passing(self, line: Line, record: FrameRecord, piece: Frame | None) -> Passing:
        """The frame without its secrets."""
        message = piece.message if piece is not None else None
        if message is not None and self._redaction is not None:
            message = self._redaction.message(message)
        repeated = piece.repeated_key if piece is not None else None
        id_, refused = record.client_msg_id, record.refused
        return Passing(
            utc_us=record.at.utc_us,
            client=self._covered(record.connection),
            direction=record.direction,
            size=record.size,
            message=message,
            reason=self._covered(record.reason if record.reason is not None else "its body was not kept"),
            refused=None if refused is None else self._covered(refused),
            ours=record.ours,
            name=record.name,
            payload_type=record.payload_type,
            client_msg_id=None if id_ is None else self._covered(id_),
            offset=line.offset,
            repeated_key=None if repeated is None else self._covered(repeated),
        )

    def _print_frame(self, passing: Passing) -> None:
        if self._output is Format.JSON:
            print_json_lines([self._lines.members(passing)])
        else:
            print_lines(self._lines.of(passing), colour=colour_of(passing.refused))

    def _print_damage(self, damage: Damage, record: FrameRecord | None = None, envelope: Message | None = None) -> None:
        """Tells of it; where only the body of a frame is damaged, with what its line says, or else its envelope."""
        self._damages += 1
        self._first = self._first or damage
        problem = self._covered(damage.problem)
        number = record.payload_type if record is not None else None
        id_ = record.client_msg_id if record is not None else None
        if envelope is not None:
            number = envelope.payload_type if number is None else number
            id_ = envelope.client_msg_id if id_ is None else id_
        name = name_of(number) if number is not None else None
        if self._output is Format.TEXT:
            what = f" {name or 'a frame'} of #{self._covered(record.connection)}" if record is not None else ""
            text = f"@{damage.offset} line {damage.line}{what} DAMAGED, {damage.size} bytes: {problem}"
            print_lines([escaped(text)], colour=_DAMAGE)
            return
        members: dict[str, Any] = {}
        if record is not None:
            members |= {"at": iso_of(record.at.utc_us), "connection": self._covered(record.connection)}
            members["direction"] = record.direction.value
        members |= {"offset": damage.offset, "size": damage.size, "line": damage.line}
        members |= {"payloadType": number, "name": name}
        members["clientMsgId"] = None if id_ is None else self._covered(id_)
        print_json_lines([members | {"payload": None, "damage": problem}])

    def _covered(self, text: str) -> str:
        return self._redaction.text(text) if self._redaction is not None else text


def _told(record: Opened | Closed | Lost) -> str:
    at = iso_of(record.at.utc_us)
    match record:
        case Opened():
            how = f"{record.environment}, {record.codec} over {record.transport}, to {record.server}, via {record.via}"
            return f"{at} #{record.connection} opened: {how}"
        case Closed():
            return f"{at} #{record.connection} closed: {record.reason}"
    were = "frame was" if record.frames == 1 else "frames were"
    return f"{at} {record.frames} {were} not recorded: the disk did not keep up"
