"""A recording as `decode` shows it: who was connected, and each frame with its time and direction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from anyctrader.session.recording import Closed, Damage, FrameRecord, Lost, Opened, iso_of, read_recording
from anyctrader.wire import JsonCodec, ProtobufCodec
from anyctrader.wire.errors import RemoteProtocolError

from .options import ExitCode, Format
from .passing_lines import Passing, PassingLines, colour_of
from .terminal import escaped, print_json_lines, print_lines, remark

if TYPE_CHECKING:
    from typing import BinaryIO

    from anyctrader.wire import Codec

__all__ = ["show_recording"]

_MOST_OPEN: Final = 10_000  # connections that are open at a time: the oldest counts as protobuf after that


def show_recording(source: BinaryIO, *, output: Format, brief: bool) -> ExitCode:
    """Shows it, record by record. Secrets are not in it: it was made without them.

    Args:
        source: the recording.
        output: text, or a JSON line a frame.
        brief: a line for each frame.
    """
    codecs: dict[str, Codec] = {}
    lines = PassingLines(brief=brief)
    damages = 0
    for record in read_recording(source):
        if isinstance(record, Opened):
            if len(codecs) >= _MOST_OPEN:
                del codecs[next(iter(codecs))]
            codecs[record.connection] = JsonCodec() if record.codec == "json" else ProtobufCodec()
        elif isinstance(record, Closed):
            codecs.pop(record.connection, None)
        if isinstance(record, Damage):
            damages += 1
        if isinstance(record, FrameRecord):
            passing = _passing(record, codecs.get(record.connection) or ProtobufCodec())
            if output is Format.JSON:
                print_json_lines([lines.members(passing)])
            else:
                print_lines(lines.of(passing), colour=colour_of(record.refused))
        elif output is Format.JSON:
            if (members := _members(record)) is not None:
                print_json_lines([members])
        else:
            print_lines([_line(record)])
    if damages:
        remark(f"{damages} damaged lines; everything before and behind them was read")
    return ExitCode.NO if damages else ExitCode.DONE


def _passing(record: FrameRecord, codec: Codec) -> Passing:
    message, reason = None, record.reason
    if record.body is not None:
        try:
            message = codec.decode(record.body)
        except RemoteProtocolError:
            reason = "its body cannot be read any more"
    return Passing(
        utc_us=record.at.utc_us,
        client=record.connection,
        direction=record.direction,
        size=record.size,
        message=message,
        reason=reason if reason is not None else "its body was not kept",
        refused=record.refused,
        ours=record.ours,
        name=record.name,
    )


def _members(record: Opened | Closed | Lost | Damage) -> dict[str, Any] | None:
    match record:
        case Damage():
            return {"offset": record.offset, "size": record.size, "line": record.line, "damage": record.problem}
        case Lost():
            return {"at": iso_of(record.at.utc_us), "lost": record.frames}
    return None


def _line(record: Opened | Closed | Lost | Damage) -> str:
    match record:
        case Opened():
            about = (
                f"{record.environment}, {record.codec} over {record.transport}, to {record.server}, via {record.via}"
            )
            return f"{iso_of(record.at.utc_us)} #{escaped(record.connection)} opened: {escaped(about)}"
        case Closed():
            return f"{iso_of(record.at.utc_us)} #{escaped(record.connection)} closed: {escaped(record.reason)}"
        case Lost():
            return f"{iso_of(record.at.utc_us)} {record.frames} frames were not recorded: the disk did not keep up"
    return f"@{record.offset} line {record.line} DAMAGED, {record.size} bytes: {escaped(record.problem)}"
