"""The lines of the audit files, and how they hold together: pure, from facts to bytes and back.

A line is one JSON object on one line, its members in this order:

    at            UTC, ISO 8601 with milliseconds: 2026-11-22T19:40:00.123Z
    environment   demo or live
    seq           number of the line in its environment, from 1, without a gap
    place         its number among the lines of all environments together, from 1, without a gap
    fact          what happened
    sandbox       true where the line belongs to a sandbox; absent otherwise
    ...           the fields of the fact
    prev          `hash` of the environment's line before this one; 64 zeros before the first
    hash          SHA-256, in hex, of this line as written but without its `,"hash":"..."`

Each environment has a sequence and a chain of its own, which run on from file to file. What holds the lines of
different environments in their order is `place` alone: the sum of where all sequences stand, so that it needs no
count of its own; lines that earlier versions wrote have none. Whoever has a line can check it with `sha256sum` alone.
The chain shows damage and careless edits; it is no seal against somebody who recomputes every hash after the line that
he changed.

Amounts and prices (`Decimal`) are JSON strings, digit for digit; identifiers, volumes in wire units and
milliseconds are JSON integers.
"""

from __future__ import annotations

import enum
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

from ..wire.catalog import is_secret

__all__ = [
    "FIRST_PREV",
    "Chain",
    "Fact",
    "ReadLine",
    "Tail",
    "day_of",
    "encode_fields",
    "is_secret",
    "iso_ms",
    "read_line",
]

FIRST_PREV = "0" * 64
"""`prev` of an environment's first line."""

LONGEST_TEXT = 4096
"""Longer text is cut, and says so. What a server may say is bounded by its frame only (15 MB), and the reserve
of space counts on lines of some hundred bytes; the protocol's own longest text is a comment of 512."""

_RESERVED = frozenset({"at", "environment", "seq", "place", "fact", "sandbox", "prev", "hash"})
_SEAL = re.compile(rb',"hash":"([0-9a-f]{64})"\}\Z')


@dataclass(frozen=True, slots=True)
class Tail:
    """Where an environment's chain stands.

    Attributes:
        seq: number of its last line, 0 before the first.
        hash: hash of that line.
    """

    seq: int = 0
    hash: str = FIRST_PREV


@dataclass(frozen=True, slots=True)
class Fact:
    """Something to be written down.

    Attributes:
        environment: `demo` or `live`.
        at_ms: when it happened, milliseconds since the epoch.
        name: what happened.
        body: its fields, from `encode_fields`.
        essential: whether it may use the reserve of space (closes, cancels, and what the server says to them).
    """

    environment: str
    at_ms: int
    name: str
    body: bytes = b""
    essential: bool = False


def iso_ms(at_ms: int) -> str:
    """Milliseconds since the epoch as `2026-11-22T19:40:00.123Z`."""
    seconds, ms = divmod(at_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{ms:03d}Z"


def day_of(at_ms: int) -> str:
    """The UTC day of a moment, as `2026-11-22`."""
    return iso_ms(at_ms)[:10]


def encode_fields(fields: Mapping[str, Any]) -> bytes:
    """The members of a line's JSON object for these fields, without the braces.

    Text, int, bool, None, finite float, `Decimal` (as a string), enums (an `IntEnum` by its name, others by their
    value), and mappings and sequences of these.

    Raises:
        ValueError: a name that the line itself uses, a name of a secret, or a number JSON cannot hold. Names the
            field, never its value.
        TypeError: a value of another kind, or a name that is no text.
    """
    plain = {name: _plain(name, value) for name, value in fields.items()}
    taken = _RESERVED.intersection(plain)
    if taken:
        raise ValueError(f"{sorted(taken)[0]!r} is a member of every line: a field of a fact needs another name")
    return _dumps(plain)[1:-1]


def _plain(name: str, value: Any) -> Any:
    if not isinstance(name, str):
        raise TypeError(f"the name of a field is text, not {type(name).__name__}")
    if is_secret(name):
        raise ValueError(f"{name!r} is a secret: it does not belong on record")
    if isinstance(value, enum.Enum):
        value = value.name if isinstance(value, int) else value.value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value if len(value) <= LONGEST_TEXT else f"{value[:LONGEST_TEXT]}… ({len(value)} characters)"
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise ValueError(f"{name!r} does not fit into 64 bits")
        return value
    if isinstance(value, float | Decimal):
        if not math.isfinite(value):
            raise ValueError(f"{name!r} is not a finite number")
        return value if isinstance(value, float) else f"{value:f}"
    if isinstance(value, Mapping):
        return {key: _plain(key, part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(name, part) for part in value]
    raise TypeError(f"{name!r} is a {type(value).__name__}, which has no place in a line")


def _dumps(value: Any) -> bytes:
    try:
        data = orjson.dumps(value)
    except orjson.JSONEncodeError:
        # Lone surrogates, which no UTF-8 can hold: a record must not fail over the text that a server sent.
        data = orjson.dumps(_without_surrogates(value))
    text = data.decode()
    if text.isprintable():
        return data
    # Marks that turn the direction of text, and the like: a line must read as it is, in whatever it is shown.
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text).encode()


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_surrogates(part) for part in value]
    return value


@dataclass(slots=True)
class Chain:
    """The chains of all environments of one file, and the next line of each.

    Attributes:
        sandbox: whether its lines are marked.
        tails: environment to where its chain stands.
    """

    sandbox: bool = False
    tails: dict[str, Tail] = field(default_factory=dict)

    def copy(self) -> Chain:
        """One of the same state, to be dropped where the lines do not reach the disk."""
        return Chain(self.sandbox, dict(self.tails))

    def append(self, fact: Fact) -> bytes:
        """The line for a fact, with its newline; the chain has moved on by one."""
        tail = self.tails.get(fact.environment, Tail())
        seq = tail.seq + 1
        place = 1 + sum(each.seq for each in self.tails.values())
        whose = f'{{"at":"{iso_ms(fact.at_ms)}","environment":{_dumps(fact.environment).decode()}'
        body = b"".join(
            (
                f'{whose},"seq":{seq},"place":{place},"fact":'.encode(),
                _dumps(fact.name),
                b',"sandbox":true' if self.sandbox else b"",
                b"," + fact.body if fact.body else b"",
                f',"prev":"{tail.hash}"'.encode(),
            )
        )
        digest = hashlib.sha256(body + b"}").hexdigest()
        self.tails[fact.environment] = Tail(seq, digest)
        return body + f',"hash":"{digest}"}}\n'.encode()


@dataclass(frozen=True, slots=True)
class ReadLine:
    """A line read back.

    Attributes:
        environment: as the line says.
        seq: as the line says.
        prev: as the line says.
        hash: as the line says; empty where it has none.
        computed: what its hash should be.
        at: its time, as the line says.
        place: as the line says; None where it has none.
        fact: as the line says; empty where it has none.
    """

    environment: str
    seq: int
    prev: str
    hash: str
    computed: str
    at: str
    place: int | None
    fact: str

    @property
    def intact(self) -> bool:
        """Whether the line is what was written."""
        return self.hash == self.computed


def read_line(line: bytes) -> ReadLine | None:
    """A line without its newline, read back; None where it is no line of an audit at all."""
    try:
        members = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    match members:
        case {"environment": str(environment), "seq": int(seq), "prev": str(prev), "at": str(at)}:
            pass
        case _:
            return None
    seal = _SEAL.search(line)
    body = line[: seal.start()] + b"}" if seal else line
    written = seal[1].decode() if seal else ""
    place, fact = members.get("place"), members.get("fact")
    return ReadLine(
        environment,
        seq,
        prev,
        written,
        hashlib.sha256(body).hexdigest(),
        at,
        place if isinstance(place, int) else None,
        fact if isinstance(fact, str) else "",
    )
