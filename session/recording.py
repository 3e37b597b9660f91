"""Recordings: what travelled on connections, a JSON object a line (docs/recording.md). Pure: records to lines and back.

Each line stands by itself, and says which connection it belongs to: recordings may be appended to, cut between two
lines, and put one behind the other. A line that cannot be read is told, and costs no other.
"""

from __future__ import annotations

import binascii
import enum
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import orjson

from ..wire.messages import name_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

__all__ = [
    "FORMAT",
    "Closed",
    "Damage",
    "Direction",
    "FrameRecord",
    "Line",
    "Lost",
    "Moment",
    "Opened",
    "Record",
    "iso_of",
    "line_of",
    "looks_like_recording",
    "read_lines",
    "read_recording",
]

FORMAT = 1
"""The version of the format. Within one, members may be added: a reader passes over those that it does not know."""

_LONGEST_LINE = (
    64_000_000  # bytes: the largest frame (15 MB) in base64 has 20 million; what is longer is no line of ours
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MARK = b"\xef\xbb\xbf"  # what some programs write in front of text that is UTF-8
_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


class Direction(enum.Enum):
    """Which way a frame went."""

    TO_SERVER = "to_server"
    TO_CLIENT = "to_client"


@dataclass(frozen=True, slots=True)
class Moment:
    """When something was seen, by two clocks.

    Attributes:
        utc_us: microseconds since the epoch. This clock can be set, and jump.
        mono_ns: nanoseconds of a clock that only goes forward. It means something beside others of the same boot.
    """

    utc_us: int
    mono_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A connection was opened.

    Attributes:
        at: when.
        connection: its name, unlike that of any other connection of any recording.
        environment: `demo` or `live`.
        codec: `protobuf` or `json`.
        transport: how frames travel: `tcp`, or `websocket`.
        delimiting: how frames are told apart on TCP: `length`, `newline` or `objects`.
        server: host and port.
        via: who saw it: `session` (our own client), `proxy`, or `replay`.
    """

    at: Moment
    connection: str
    environment: str
    codec: str
    transport: str
    delimiting: str
    server: str
    via: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRecord:
    """A frame.

    Attributes:
        at: when it came, or just before it left.
        connection: which one.
        direction: which way.
        size: bytes of its body as it travelled.
        body: its body, secrets covered; None where it was not kept.
        payload_type: of its envelope; None where none could be read.
        client_msg_id: of its envelope, secrets covered, or None.
        masked: whether `body` is another than what travelled.
        reason: why there is no body.
        sha256: in place of the body: SHA-256 of what travelled, in hex.
        refused: why our guard took it out; None for what went on.
        ours: whether the proxy put it in, in the server's place.
    """

    at: Moment
    connection: str
    direction: Direction
    size: int
    body: bytes | None
    payload_type: int | None = None
    client_msg_id: str | None = None
    masked: bool = False
    reason: str | None = None
    sha256: str | None = None
    refused: str | None = None
    ours: bool = False

    @property
    def name(self) -> str | None:
        """The published name of its message; None where no envelope could be read."""
        return None if self.payload_type is None else name_of(self.payload_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """A connection ended.

    Attributes:
        at: when.
        connection: which one.
        reason: why, for people.
    """

    at: Moment
    connection: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Frames that were seen and not recorded, since the disk did not keep up.

    Attributes:
        at: when that was found.
        frames: how many.
    """

    at: Moment
    frames: int


@dataclass(frozen=True, slots=True)
class Damage:
    """A line that is none of ours.

    Attributes:
        line: its number, from 1.
        offset: bytes before it.
        size: its bytes.
        problem: what is wrong.
        torn: whether the recording ends within it: the recorder was cut off.
    """

    line: int
    offset: int
    size: int
    problem: str
    torn: bool = False


Record: TypeAlias = Opened | FrameRecord | Closed | Lost


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a recording, or the lines of an object that was written over several.

    Attributes:
        number: of the first one, from 1.
        offset: bytes before it.
        size: its bytes.
        said: what it says.
    """

    number: int
    offset: int
    size: int
    said: Record | Damage


def line_of(record: Record) -> bytes:
    """The line of a record, its end included."""
    members: dict[str, Any] = {
        "record": _KINDS[type(record)],
        "at": iso_of(record.at.utc_us),
        "mono_ns": record.at.mono_ns,
    }
    match record:
        case Opened():
            members |= {"format": FORMAT, "connection": record.connection}
            members |= {name: getattr(record, name) for name in _OPENED}
        case FrameRecord():
            members |= {"connection": record.connection, "direction": record.direction.value, "size": record.size}
            if record.payload_type is not None:
                members |= {"payloadType": record.payload_type, "name": record.name}
            for key, value in (
                ("clientMsgId", record.client_msg_id),
                ("refused", record.refused),
                ("reason", record.reason),
                ("sha256", record.sha256),
            ):
                if value is not None:
                    members[key] = value
            members |= {key: True for key, value in (("masked", record.masked), ("ours", record.ours)) if value}
            if record.body is not None:
                members["body"] = b64encode(record.body).decode()
        case Closed():
            members |= {"connection": record.connection, "reason": record.reason}
        case Lost():
            members["frames"] = record.frames
    try:
        return orjson.dumps(members, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:  # half a surrogate pair in a reason or an id: text of somebody else's
        plain = {key: _encodable(value) for key, value in members.items()}
        return orjson.dumps(plain, option=orjson.OPT_APPEND_NEWLINE)


def looks_like_recording(line: bytes) -> bool:
    """Whether a line could be one of a recording."""
    return line.startswith(b'{"record":"')


def read_recording(file: BinaryIO) -> Iterator[Record | Damage]:
    """What a recording says, in its order; of what cannot be read, where it stands. Holds one line at a time.

    Args:
        file: open for reading, in bytes.

    Raises:
        OSError: the file cannot be read any further.
    """
    return (line.said for line in read_lines(file))


def read_lines(file: BinaryIO) -> Iterator[Line]:
    """The same, with where each stands. An object over several lines, as `jq .` writes it, counts as a line.

    Args:
        file: open for reading, in bytes.

    Raises:
        OSError: the file cannot be read any further.
    """
    for number, offset, size, data, torn in _texts(file):
        problem: str | None = None
        if size > _LONGEST_LINE:
            problem = f"it is longer than {_LONGEST_LINE} bytes"
        elif data.strip():
            try:
                yield Line(number, offset, size, _record(orjson.loads(data)))
            except orjson.JSONDecodeError:
                problem = "the recording ends within it" if torn else "it is no JSON"
            except (KeyError, TypeError, ValueError) as error:
                problem = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        if problem is not None:
            yield Line(number, offset, size, Damage(number, offset, size, problem, torn=torn))


class _Text(NamedTuple):
    """A line, or the lines of one object; of what is too long, the end of it."""

    number: int
    offset: int
    size: int
    data: bytes
    torn: bool


def _texts(file: BinaryIO) -> Iterator[_Text]:
    begun: list[_Text] = []  # of an object over several lines
    size = 0
    for line in _lines(file):
        # What is inside of an object is indented: where another one begins, this one has no end.
        if begun and (line.data.startswith(b"{") or size + line.size > _LONGEST_LINE):
            yield _joined(begun, size, torn=False)
            begun = []
        if not begun and line.data.rstrip() != b"{":
            yield line
            continue
        size = size + line.size if begun else line.size
        begun.append(line)
        if line.data.rstrip() == b"}":
            yield _joined(begun, size, torn=line.torn)
            begun = []
    if begun:
        yield _joined(begun, size, torn=True)


def _joined(lines: list[_Text], size: int, *, torn: bool) -> _Text:
    return _Text(lines[0].number, lines[0].offset, size, b"".join([line.data for line in lines]), torn)


def _lines(file: BinaryIO) -> Iterator[_Text]:
    number = offset = 0
    while data := file.readline(_LONGEST_LINE + 1):
        number += 1
        size = len(data)
        if size > _LONGEST_LINE:
            while not data.endswith(b"\n") and (more := file.readline(_LONGEST_LINE)):
                size, data = size + len(more), more
        yield _Text(number, offset, size, data.removeprefix(_MARK), not data.endswith(b"\n"))
        offset += size


def _record(members: Any) -> Record:
    if not isinstance(members, dict):
        raise ValueError("it is no object")
    kind = members["record"]
    at = Moment(_utc_us(members["at"]), _whole(members, "mono_ns"))
    if kind == "lost":
        return Lost(at=at, frames=_whole(members, "frames"))
    connection = _text(members, "connection")
    if kind == "opened":
        given = {name: _text(members, name) for name in _OPENED}
        return Opened(at=at, connection=connection, **given)
    if kind == "closed":
        return Closed(at=at, connection=connection, reason=_text(members, "reason"))
    if kind != "frame":
        raise ValueError("a record of a kind that is not known here: is it of a newer version?")
    body = members.get("body")
    try:
        raw = None if body is None else b64decode(body, validate=True)
    except binascii.Error:
        raise ValueError("its body is no base64") from None
    return FrameRecord(
        at=at,
        connection=connection,
        direction=Direction(members["direction"]),
        size=_whole(members, "size"),
        body=raw,
        payload_type=None if members.get("payloadType") is None else _whole(members, "payloadType"),
        client_msg_id=_text_or_none(members, "clientMsgId"),
        masked=members.get("masked") is True,
        reason=_text_or_none(members, "reason"),
        sha256=_text_or_none(members, "sha256"),
        refused=_text_or_none(members, "refused"),
        ours=members.get("ours") is True,
    )


_KINDS = MappingProxyType({Opened: "opened", FrameRecord: "frame", Closed: "closed", Lost: "lost"})
_OPENED = ("environment", "codec", "transport", "delimiting", "server", "via")


def _whole(members: dict[str, Any], name: str) -> int:
    value = members[name]
    if type(value) is not int:
        raise ValueError(f"{name!r} is no whole number")
    return value


def _text(members: dict[str, Any], name: str) -> str:
    value = members[name]
    if not isinstance(value, str):
        raise ValueError(f"{name!r} is no text")
    return value


def _text_or_none(members: dict[str, Any], name: str) -> str | None:
    return None if members.get(name) is None else _text(members, name)


def iso_of(utc_us: int) -> str:
    """Microseconds since the epoch as `2026-11-22T19:40:00.123456Z`."""
    moment = _EPOCH + timedelta(microseconds=utc_us)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06}Z"


def _utc_us(text: Any) -> int:
    if not isinstance(text, str) or _AT.fullmatch(text) is None:
        raise ValueError("'at' is no time such as 2026-11-22T19:40:00.123456Z")
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


def _encodable(value: Any) -> Any:
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
