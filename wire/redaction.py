"""Messages with their secrets taken out, as everything that shows or records them needs them.

Hidden are: fields that hold a secret by their name; in messages that have such a field, unknown ones that can hold a
text, for a newer server may put another token there; and, wherever else it stands, a text that was met as a secret
before or that the owner of the redaction named (a server may quote a token in what it says of an error).
"""

from __future__ import annotations

import re
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.unknown_fields import UnknownFieldSet

from . import messages as oa
from .catalog import SECRET_FIELDS, is_secret
from .codecs import Message, UnknownPayload
from .drift import listed_fields
from .raw_fields import raw_fields
from .shape import parts_of, shape_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .drift import UnknownField
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
_SHORTEST: Final = 6  # characters: what is shorter would be found in the middle of innocent words
# What a peer put into a secret field may be anything; real tokens and secrets have 40 characters and more.
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]{16,}")
_FEWEST_LETTERS: Final = 8
_MOST_REMEMBERED: Final = 256  # an application has a handful, and each is looked for in every message
_LENGTH_DELIMITED, _GROUP = 2, 3  # wire types
_FIXED: Final[Mapping[int, int]] = MappingProxyType({1: 8, 5: 4})  # wire types of so many bytes
_MASKED: Final = bytes((len(MASK),)) + MASK.encode()


class Redaction:
    """Takes the secrets out of messages. It remembers what it has hidden, for one stream of messages.

    Args:
        known: texts that are secret wherever they stand; of less than six characters they are not looked for.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known: dict[str, bytes] = {}
        for text in known:
            if len(text) >= _SHORTEST:
                self._look_for(text)

    def __repr__(self) -> str:
        return f"<Redaction of {len(self._known)} secrets>"

    def message(self, message: Message) -> Message:
        """The message without its secrets: itself where it has none, else a copy that has `***` in their place."""
        payload = self._payload(message.payload)
        changed: dict[str, Any] = {}
        if payload is not message.payload:
            changed["payload"] = payload
        if message.client_msg_id and (client_msg_id := self.text(message.client_msg_id)) != message.client_msg_id:
            changed["client_msg_id"] = client_msg_id
        if message.unknown_keys:
            bearer = type(payload) in _BEARERS
            changed["unknown_keys"] = {
                path: MASK if bearer or any(map(_names_secret, path)) else self._json(value)
                for path, value in message.unknown_keys.items()
            }
        if isinstance(message.unknown_envelope, bytes):
            changed["unknown_envelope"] = self._fields(message.unknown_envelope)
        elif message.unknown_envelope is not None:
            changed["unknown_envelope"] = self._json(message.unknown_envelope)
        return replace(message, **changed) if changed else message

    def text(self, text: str) -> str:
        """A text with every known secret in it hidden."""
        for secret in self._known:
            if secret in text:
                text = text.replace(secret, MASK)
        return text

    def _payload(self, payload: Any) -> Any:
        if isinstance(payload, UnknownPayload):
            body = self._fields(payload.body) if isinstance(payload.body, bytes) else self._json(payload.body)
            return UnknownPayload(payload.payload_type, body)
        names = _BEARERS.get(type(payload), ())
        for name in names:
            self._remember(getattr(payload, name))
        if not names and not (self._known and self._knows(payload.SerializePartialToString())):
            return payload
        copy = type(payload)()
        copy.CopyFrom(payload)
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

    def _written(self, fields: list[UnknownField], *, bearer: bool) -> bytes:
        """Unknown fields as bytes again, with `***` for those that may hold a secret."""
        parts = []
        for field in fields:
            number, wire_type, value = field.number or 0, field.wire_type or 0, field.value
            parts.append(_varint(number << 3 | wire_type))
            if wire_type == _GROUP:
                parts.append(self._written(value, bearer=bearer))
                parts.append(_varint(number << 3 | _GROUP + 1))
            elif wire_type == _LENGTH_DELIMITED:
                parts.append(_MASKED if bearer or self._knows(value) else _varint(len(value)) + value)
            else:
                size = _FIXED.get(wire_type)
                parts.append(_varint(value) if size is None else value.to_bytes(size, "little"))
        return b"".join(parts)

    def _fields(self, body: bytes) -> bytes:
        """Serialised fields of no known message, likewise; all of them hidden where they cannot be read."""
        if not self._knows(body):
            return body
        try:
            return self._written(raw_fields(body, ""), bearer=False)
        except ValueError:
            return MASK.encode()

    def _json(self, value: Any) -> Any:
        """A value of JSON that no schema describes, likewise: a member is hidden for its name too."""
        if isinstance(value, dict):
            shown = {}
            for name, part in value.items():
                if is_secret(name) and part is not None:
                    self._remember(part)
                    part = MASK
                shown[name] = self._json(part)
            return shown
        if isinstance(value, list):
            return [self._json(part) for part in value]
        return self.text(value) if isinstance(value, str) else value

    def _knows(self, data: bytes) -> bool:
        return any(secret in data for secret in self._known.values())

    def _remember(self, secret: Any) -> None:
        text = secret.decode("latin-1") if isinstance(secret, bytes) else secret
        if isinstance(text, str) and _TOKEN.fullmatch(text) and len(set(text)) >= _FEWEST_LETTERS:
            self._look_for(text)

    def _look_for(self, text: str) -> None:
        if text not in self._known and len(self._known) < _MOST_REMEMBERED:
            self._known[text] = text.encode("utf-8", "surrogatepass")


def _names_secret(step: str | int) -> bool:
    return isinstance(step, str) and is_secret(step)


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
