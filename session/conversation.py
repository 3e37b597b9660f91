"""What was said on one connection of a recording: requests with their answers, and what came unasked. Pure.

A replay goes by it, and `differences` holds two of them against each other.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from ..wire import JsonCodec, Message, ProtobufCodec
from ..wire.catalog import SECRET_FIELDS, entry_of
from ..wire.catalog import Kind as MessageKind
from ..wire.errors import RemoteProtocolError
from ..wire.json_fields import FieldError, JsonFields
from ..wire.redaction import MASK
from .recording import Damage, Direction, FrameRecord, Lost, Opened

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from .recording import Record

__all__ = [
    "Conversation",
    "Exchange",
    "Said",
    "conversations",
    "differences",
    "differences_of",
    "is_ignored",
    "unasked_of",
]


@dataclass(frozen=True, slots=True)
class Said:
    """A message of a recording.

    Attributes:
        index: its place among the frames of its connection.
        at_s: seconds since the connection was opened.
        message: what was said.
    """

    index: int
    at_s: float
    message: Message


@dataclass(slots=True)
class Exchange:
    """A request and what answered it, all that carried its id.

    Attributes:
        request: what the client said.
        answers: what the server said to it, in its order; none where it never did.
    """

    request: Said
    answers: list[Said] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The published name of the request."""
        return self.request.message.name


@dataclass(slots=True)
class Conversation:
    """One connection of a recording.

    Attributes:
        opened: what is told of it.
        exchanges: its requests, in their order.
        unasked: gives what the server said by itself, heartbeats left out, in its order, from the first each time. None
            of it is kept: a day of quotes is most of a recording.
        withheld: how many frames cannot be played, since their bodies were not kept, or cannot be read.
    """

    opened: Opened
    exchanges: list[Exchange] = field(default_factory=list)
    unasked: Callable[[], Iterator[Said]] = lambda: iter(())
    withheld: int = 0


def conversations(records: Iterable[Record | Damage], *, remarks: list[str] | None = None) -> dict[str, Conversation]:
    """The connections of a recording, by name, in the order in which they were opened.

    Their requests and answers are in memory, and nothing of what came unasked (see `unasked_of`).

    Args:
        records: from `read_recording`.
        remarks: takes what is to be told of it: damage, and frames that were lost.
    """
    found: dict[str, _Listener] = {}
    told = remarks if remarks is not None else []
    for record in records:
        match record:
            case Damage():
                what = "torn" if record.torn else "damaged"
                told.append(f"line {record.line} (offset {record.offset}) is {what}: {record.problem}")
            case Lost():
                many = "1 frame is" if record.frames == 1 else f"{record.frames} frames are"
                told.append(f"{many} missing: the recorder could not write them")
            case Opened():
                found[record.connection] = _Listener(record)
            case FrameRecord() if record.connection in found:
                found[record.connection].hear(record)
    return {name: listener.conversation for name, listener in found.items()}


def unasked_of(records: Iterable[Record | Damage], connection: str) -> Iterator[Said]:
    """What the server said by itself on one connection of a recording, heartbeats left out, in its order.

    Args:
        records: from `read_recording`; read as far as is asked for.
        connection: its name.
    """
    listener: _Listener | None = None
    for record in records:
        if isinstance(record, Opened) and record.connection == connection:
            listener = _Listener(record, keeping=False)
        elif listener is not None and isinstance(record, FrameRecord) and record.connection == connection:
            said = listener.hear(record)
            if said is not None:
                yield said


class _Listener:
    """Puts the frames of one connection together; or only tells what comes unasked."""

    def __init__(self, opened: Opened, *, keeping: bool = True) -> None:
        self.conversation = Conversation(opened)
        self._keeping = keeping
        self._codec = ProtobufCodec() if opened.codec == "protobuf" else JsonCodec()
        self._asked: dict[str, Exchange | None] = {}
        self._count = 0

    def hear(self, record: FrameRecord) -> Said | None:
        """Takes the next frame; gives it back where it came unasked."""
        self._count += 1
        talk = self.conversation
        if record.body is None:
            talk.withheld += 1
            return None
        try:
            message = self._codec.decode(record.body)
        except RemoteProtocolError:
            talk.withheld += 1
            return None
        entry = entry_of(message.payload_type)
        if entry is not None and entry.kind is MessageKind.HEARTBEAT:
            return None
        at_s = (record.at.mono_ns - talk.opened.at.mono_ns) / 1e9
        said = Said(self._count, at_s, message)
        if record.direction is Direction.TO_SERVER:
            exchange = Exchange(said) if self._keeping else None
            if exchange is not None:
                talk.exchanges.append(exchange)
            if message.client_msg_id:
                self._asked[message.client_msg_id] = exchange
        elif message.client_msg_id and message.client_msg_id in self._asked:
            exchange = self._asked[message.client_msg_id]
            if exchange is not None:
                exchange.answers.append(said)
        else:
            return said
        return None


def differences(
    recorded: Conversation, now: Conversation, *, ignored: Collection[str] = (), left_out: Collection[str] = ()
) -> Iterator[str]:
    """What was answered otherwise than it was recorded: the nth request of a kind is held against the nth of that kind.

    Of a kind that was said more often now, the first are left out: a session asks for some by itself, before anything.

    Args:
        recorded: what is to be met.
        now: what came.
        ignored: fields that are not compared, by name or pattern.
        left_out: requests that are not compared, by name.
    """
    later: dict[str, list[Exchange]] = {}
    for exchange in now.exchanges:
        later.setdefault(exchange.name, []).append(exchange)
    counts = Counter(exchange.name for exchange in recorded.exchanges)
    for name, exchanges in later.items():
        del exchanges[: max(0, len(exchanges) - counts[name])]
    for exchange in recorded.exchanges:
        name = exchange.name
        if name in left_out:
            continue
        same = later.get(name)
        if not same:
            yield f"{name} was not said again"
            continue
        other = same.pop(0)
        before = [said.message.name for said in exchange.answers]
        after = [said.message.name for said in other.answers]
        if before != after:
            yield f"{name} was answered by {_listed(after)}, and by {_listed(before)} when it was recorded"
            continue
        for one, two in zip(exchange.answers, other.answers, strict=True):
            yield from differences_of(one.message, two.message, ignored=ignored)


def differences_of(recorded: Message, now: Message, *, ignored: Collection[str] = ()) -> Iterator[str]:
    """The fields in which two messages of one kind differ. Secrets are not compared."""
    before, after = _flat(recorded), _flat(now)
    for path in dict.fromkeys((*before, *after)):
        steps = path.split(".")
        if SECRET_FIELDS.intersection(steps) or is_ignored(path, ignored):
            continue
        one, two = before.get(path), after.get(path)
        if one != two and MASK not in (one, two):
            yield f"{recorded.name}: {path} is {_shown(two)}, and was {_shown(one)}"


def is_ignored(path: str, ignored: Iterable[str]) -> bool:
    """Whether a field is named by one of these: a name of its path, or a pattern such as `*Timestamp`."""
    return any(fnmatchcase(step, pattern) for step in path.split(".") for pattern in ignored)


def _flat(message: Message) -> dict[str, Any]:
    try:
        members = JsonFields().to_json(message.payload)
    except (FieldError, AttributeError):
        return {}
    found: dict[str, Any] = {}

    def walk(value: Any, path: str) -> None:
        if isinstance(value, dict):
            for name, part in value.items():
                walk(part, f"{path}.{name}" if path else name)
        elif isinstance(value, list):
            for number, part in enumerate(value):
                walk(part, f"{path}.{number}")
        else:
            found[path] = value

    walk(members, "")
    return found


def _listed(names: list[str]) -> str:
    return ", ".join(names) if names else "nothing"


def _shown(value: Any) -> str:
    return "absent" if value is None else repr(value)
