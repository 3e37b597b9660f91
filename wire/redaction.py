"""Messages with their secrets taken out, as everything that shows or records them needs them.

Hidden are: fields that hold a secret by their name, also where no schema describes them (`authToken`, `pass`); in
messages that have such a field, unknown ones that can hold a text, for a newer server may put another token there; and,
wherever else it stands, a text that was met as a secret before or that the owner of the redaction named (a server may
quote a token in what it says of an error). Of a message with a secret that has more than 256 KiB, far more than any
real one, the unknown fields are left out.

What this cannot know: a secret in an ordinary text of a message ahead of the one whose field tells that it is one, or
one that is written in another way than it was met (base64, hex, percent signs, cut in two: the end of one field and the
begin of the next).
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.unknown_fields import UnknownFieldSet

from . import messages as oa
from .catalog import SECRET_FIELDS, may_be_secret
from .codecs import Message, UnknownPayload
from .drift import listed_fields
from .raw_fields import raw_fields
from .shape import parts_of, shape_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .drift import UnknownField
    from .json_fields import Path
    from .shape import Shape

__all__ = ["MASK", "Redaction"]

MASK: Final = "***"
"""What stands in the place of a secret."""

_BEARERS: Final[Mapping[type, tuple[str, ...]]] = MappingProxyType(
    {
        cls: names
        for cls in oa.PAYLOAD_CLASSES.values()
        if (names := tuple(sorted(SECRET_FIELDS & set(cls.DESCRIPTOR.fields_by_name))))
    }
)
_SHORTEST: Final = 6  # characters: what is shorter, and found in the middle of innocent words, is hidden as a word only
# What stands beside a secret, and nobody knows what it is: remembered where it looks like those that servers make.
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]{16,}")
_FEWEST_LETTERS: Final = 8
_MOST_MET: Final = 64  # an application has a handful, and each is looked for in every message
_LONGEST_MET: Final = 4096  # characters: longer than any token, and what a peer can make us keep has an end
# In the address of an HTTP request, in a text: a name, from its begin on, and the value behind it.
_ASSIGNED: Final = re.compile(r"(?<![\w.-])([\w.-]+)=")
_VALUE: Final = re.compile(r"[^\s&;,\"']+")
_LENGTH_DELIMITED, _GROUP = 2, 3  # wire types
_FIXED: Final[Mapping[int, int]] = MappingProxyType({1: 8, 5: 4})  # wire types of so many bytes
_MOST_UNKNOWN: Final = 1 << 18  # bytes of fields that are looked at one by one: a second's work, and none has as many
_MASKED: Final = bytes((len(MASK),)) + MASK.encode()
_MASKED_ENVELOPE: Final = b"\x22" + _MASKED  # as a field 4: what it stands for is fields, which are read again


class Redaction:
    """Takes the secrets out of messages. It remembers what it has hidden, for one stream of messages.

    Args:
        known: texts that are secret wherever they stand; of less than six characters only as words of their own. They
            are never forgotten; of those that are met, the 64 that were met last are remembered, unless they are
            longer than 4,096 characters.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known: dict[str, bytes] = {}
        self._by_length: list[tuple[int, str]] = []  # the same, the longest first: one may be a part of another
        self._met: dict[str, None] = {}
        self._count = 0  # of those that were met, forgotten ones too
        for text in known:
            self._look_for(text, text.encode("utf-8", "surrogatepass"))

    def __repr__(self) -> str:
        return f"<Redaction of {len(self._known)} secrets>"

    def message(self, message: Message) -> Message:
        """The message without its secrets: itself where it has none, else a copy that has `***` in their place."""
        count = self._count
        cleaned = self._message(message)
        # Where one was met, it may stand in the message ahead of the field that told it.
        return cleaned if self._count == count else self._message(message)

    def _message(self, message: Message) -> Message:
        bearer = type(message.payload) in _BEARERS
        payload = self._payload(message.payload)
        changed: dict[str, Any] = {}
        if payload is not message.payload:
            changed["payload"] = payload
        if message.client_msg_id and (client_msg_id := self.text(message.client_msg_id)) != message.client_msg_id:
            changed["client_msg_id"] = client_msg_id
        if message.unknown_keys:
            changed["unknown_keys"] = {
                tuple(map(self._step, path)): self._unknown_key(path, value, bearer=bearer)
                for path, value in message.unknown_keys.items()
            }
        envelope = message.unknown_envelope
        if isinstance(envelope, bytes):
            changed["unknown_envelope"] = self._fields(envelope, _MASKED_ENVELOPE, bearer=bearer)
        elif isinstance(envelope, dict):
            changed["unknown_envelope"] = {
                self.text(key): self._unknown_key((key,), value, bearer=bearer) for key, value in envelope.items()
            }
        return replace(message, **changed) if changed else message

    def text(self, text: str) -> str:
        """A text with every known secret in it hidden."""
        for _, secret in self._by_length:
            if secret in text:
                if len(secret) < _SHORTEST:
                    text = re.sub(rf"(?<![^\W_]){re.escape(secret)}(?![^\W_])", MASK, text)
                else:
                    text = text.replace(secret, MASK)
        return self._unassigned(text) if "=" in text else text

    def _unassigned(self, text: str) -> str:
        """A text without the values of names that tell a secret; a value may hold another name and its value."""
        parts, at = [], 0
        while (found := _ASSIGNED.search(text, at)) is not None:
            parts.append(text[at : found.end()])
            at = found.end()
            if may_be_secret(found[1]) and (value := _VALUE.match(text, at)) is not None:
                self._remember(value[0])
                parts.append(MASK)
                at = value.end()
        return "".join((*parts, text[at:]))

    def _payload(self, payload: Any) -> Any:
        if isinstance(payload, UnknownPayload):
            raw = payload.body
            body = self._fields(raw, MASK.encode(), bearer=False) if isinstance(raw, bytes) else self._json(raw)
            return UnknownPayload(payload.payload_type, body)
        names = _BEARERS.get(type(payload), ())
        for name in names:
            self._remember(getattr(payload, name))
        if not names and not (self._known and self._knows(payload.SerializePartialToString())):
            return payload
        copy = type(payload)()
        copy.CopyFrom(payload)
        if len(copy.SerializePartialToString()) > _MOST_UNKNOWN:
            copy.DiscardUnknownFields()
        for name in names:
            if copy.HasField(name):
                setattr(copy, name, MASK)
        self._clean(copy, shape_of(type(copy).__name__), bearer=bool(names))
        return copy

    def _clean(self, message: Any, shape: Shape, *, bearer: bool) -> None:
        """Hides what is known to be secret in a message of our own, at any depth."""
        for field in shape.texts:  # none of them is repeated: a test says so
            value = getattr(message, field.name)
            # What is not UTF-8 reads as bytes, and is no text that could be written back in a part.
            shown = self.text(value) if isinstance(value, str) else MASK if self._knows(value) else value
            if shown != value:
                setattr(message, field.name, shown)
        unknown = UnknownFieldSet(message)
        if len(unknown):
            cleaned = self._written(listed_fields("", unknown), bearer=bearer)
            message.DiscardUnknownFields()
            message.MergeFromString(cleaned)
        for _, part, inner in parts_of("", message, shape):
            self._clean(part, inner, bearer=bearer)

    def _written(self, fields: Iterable[UnknownField], *, bearer: bool) -> bytes:
        """Unknown fields as bytes again, with `***` for those that may hold a secret."""
        parts = []
        for field in fields:
            number, wire_type, value = field.number or 0, field.wire_type or 0, field.value
            parts.append(_varint(number << 3 | wire_type))
            if wire_type == _GROUP:
                parts.append(self._written(value, bearer=bearer))
                parts.append(_varint(number << 3 | _GROUP + 1))
            elif wire_type == _LENGTH_DELIMITED:
                if bearer:
                    self._suspect(value)
                parts.append(_MASKED if bearer or self._knows(value) else _varint(len(value)) + value)
            else:
                size = _FIXED.get(wire_type)
                parts.append(_varint(value) if size is None else value.to_bytes(size, "little"))
        return b"".join(parts)

    def _fields(self, body: bytes, hidden: bytes, *, bearer: bool) -> bytes:
        """Serialised fields of no known message, likewise; *hidden* where they cannot be read, or are many."""
        if not (bearer or self._knows(body)):
            return body
        if len(body) > _MOST_UNKNOWN:
            return hidden
        try:
            return self._written(raw_fields(body, ""), bearer=bearer)
        except ValueError:
            return hidden

    def _json(self, value: Any) -> Any:
        """A value of JSON that no schema describes, likewise: a member is hidden for its name too."""
        if isinstance(value, dict):
            return {
                self.text(name): self._hidden(part) if may_be_secret(name) else self._json(part)
                for name, part in value.items()
            }
        if isinstance(value, list):
            return [self._json(part) for part in value]
        return self.text(value) if isinstance(value, str) else value

    def _hidden(self, value: Any) -> Any:
        """What stands for a value that is secret by its name; the texts in it are remembered."""
        if isinstance(value, str):
            self._remember(value)
        elif isinstance(value, list | dict):
            for part in value.values() if isinstance(value, dict) else value:
                self._hidden(part)
        return None if value is None else MASK

    def _unknown_key(self, path: Path, value: Any, *, bearer: bool) -> Any:
        if any(isinstance(step, str) and may_be_secret(step) for step in path):
            return self._hidden(value)
        if bearer:
            self._suspect(value)
            return MASK
        return self._json(value)

    def _step(self, step: str | int) -> str | int:
        return self.text(step) if isinstance(step, str) else step

    def _knows(self, data: bytes) -> bool:
        for secret in self._known.values():  # noqa: SIM110 - asked of every message, and a generator takes twice as long
            if secret in data:
                return True
        return False

    def _suspect(self, value: Any) -> None:
        """A text beside a secret, which may be another one, or an ordinary word."""
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if isinstance(text, str) and _TOKEN.fullmatch(text) and len(set(text)) >= _FEWEST_LETTERS:
            self._remember(text)

    def _remember(self, secret: str | bytes) -> None:
        # What protobuf could not read as text comes as bytes.
        data = secret if isinstance(secret, bytes) else secret.encode("utf-8", "surrogatepass")
        text = secret.decode("utf-8", "surrogateescape") if isinstance(secret, bytes) else secret
        if not text.strip("*") or len(text) > _LONGEST_MET or (text in self._known and text not in self._met):
            return  # nothing, a mask, longer than any, or its owner's
        if text in self._met:
            del self._met[text]  # to be the last again
        else:
            self._count += 1
        if len(self._met) >= _MOST_MET:
            oldest = next(iter(self._met))
            del self._met[oldest], self._known[oldest]
            del self._by_length[bisect_left(self._by_length, (-len(oldest), oldest))]
        self._met[text] = None
        self._look_for(text, data)

    def _look_for(self, text: str, data: bytes) -> None:
        if text and text not in self._known:
            self._known[text] = data
            insort(self._by_length, (-len(text), text))


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
