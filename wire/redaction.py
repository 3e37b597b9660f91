"""Messages with their secrets taken out, as everything that shows or records them needs them.

Hidden are: fields that hold a secret by their name, also where no schema describes them (`authToken`, `pass`); the
value that a text gives to such a name (`token=…`, `"token": "…"`, `password: …`); in messages that have such a field,
unknown ones that can hold a text, for a newer server may put another token there; and, wherever else it stands, a text
of 8 characters or more that was met as a secret before, a shorter one where it is a word and a field told it, or one
that the owner of the redaction named (a server may quote a token in what it says of an error).

No message takes long. Of one that has a secret, and more text than any real one (a million characters), texts are
covered whole from there on, and lists and objects end there; where it has more than 256 KiB, its unknown fields are
left out. One in which nothing looks like a secret is given back as it is, whatever its size, unknown JSON apart.

What this cannot know: a secret in an ordinary text of a message ahead of the one whose field tells that it is one, or
one that is written in another way than it was met (base64, hex, percent signs, cut in two: the end of one field and the
begin of the next).
"""

from __future__ import annotations

import re
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.unknown_fields import UnknownFieldSet

from . import messages as oa
from .assignments import may_assign
from .catalog import SECRET_FIELDS
from .codecs import Message, UnknownPayload
from .raw_fields import raw_fields
from .secret_texts import Allowance, SecretTexts
from .shape import shape_of
from .text_cover import MASK, MOST_LOOKED_AT, TextCover

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .drift import UnknownField
    from .shape import Shape

__all__ = ["MASK", "Redaction"]

_BEARERS: Final[Mapping[type, tuple[str, ...]]] = MappingProxyType(
    {
        cls: names
        for cls in oa.PAYLOAD_CLASSES.values()
        if (names := tuple(sorted(SECRET_FIELDS & set(cls.DESCRIPTOR.fields_by_name))))
    }
)
_LENGTH_DELIMITED, _GROUP = 2, 3  # wire types
_FIXED: Final[Mapping[int, int]] = MappingProxyType({1: 8, 5: 4})  # wire types of so many bytes
_MOST_UNKNOWN: Final = 1 << 18  # bytes of fields that are looked at one by one: half a second's work; none has as many
_NAME: Final = re.compile(rb"[A-Za-z_-]{3}")  # some of any name that tells a secret
_MASKED: Final = bytes((len(MASK),)) + MASK.encode()
_MASKED_ENVELOPE: Final = b"\x22" + _MASKED  # as a field 4: what it stands for is fields, which are read again


class Redaction:
    """Takes the secrets out of messages. It remembers what it has hidden, for one stream of messages.

    Args:
        known: texts that are secret wherever they stand; of less than 8 characters only as words of their own. They are
            never forgotten. Of those that are met, if they have 8 to 4,096 characters, the last 256 that stood in a
            secret field of the schema are remembered, and the last 256 that only looked like one. Of less than 8, and
            at least 4, the last 16 that stood in a field are, as words.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._texts = SecretTexts(known)

    def __repr__(self) -> str:
        return f"<Redaction of {len(self._texts)} secrets>"

    def message(self, message: Message) -> Message:
        """The message without its secrets: itself where it has none, else a copy that has `***` in their place.

        A text that there is no time to look at is `*** (N characters, not looked at)`.
        """
        if self._is_clean(message):
            return message
        met = self._texts.met
        cleaned = self._message(message)
        # Where one was met, it may stand in the message ahead of the field that told it.
        return cleaned if self._texts.met == met else self._message(message)

    def text(self, text: str) -> str:
        """A text with every known secret in it hidden."""
        return TextCover(self._texts).text(text)

    def finds(self, text: bytes) -> bool:
        """Whether there is a secret in the UTF-8 of a text, or it would take too long to tell."""
        if b"=" not in text and not self._texts.may_be_in(text):
            return False
        cover = TextCover(self._texts)
        cover.text(text.decode("utf-8", "replace"))
        return cover.changed

    def _is_clean(self, message: Message) -> bool:
        """Whether there is nothing to hide, as is sure of nearly all messages at the cost of one look."""
        payload = message.payload
        if (
            message.unknown_keys
            or message.unknown_envelope
            or type(payload) in _BEARERS
            or type(payload) is UnknownPayload
        ):
            return False
        data: bytes = payload.SerializePartialToString()
        said = data
        if message.client_msg_id:
            said += b"\n" + message.client_msg_id.encode("utf-8", "surrogatepass")
        if self._texts.may_be_in(said):
            return False
        if (b"=" not in said and b":" not in said) or not (message.client_msg_id or _may_say(payload, data)):
            return True
        return not may_assign(said, Allowance(MOST_LOOKED_AT))

    def _message(self, message: Message) -> Message:
        cover = TextCover(self._texts)
        bearer = type(message.payload) in _BEARERS
        changed: dict[str, Any] = {}
        payload = self._payload(message.payload, cover)
        if payload is not message.payload:
            changed["payload"] = payload
        if message.client_msg_id:
            changed["client_msg_id"] = cover.text(message.client_msg_id)
        if message.unknown_keys:
            changed["unknown_keys"] = cover.members(message.unknown_keys, bearer=bearer)
        envelope = message.unknown_envelope
        if isinstance(envelope, bytes):
            changed["unknown_envelope"] = _fields(envelope, _MASKED_ENVELOPE, cover, bearer=bearer)
        elif isinstance(envelope, dict):
            members = cover.members({(name,): value for name, value in envelope.items()}, bearer=bearer)
            changed["unknown_envelope"] = {name: value for (name,), value in members.items()}
        return replace(message, **changed) if cover.changed else message

    def _payload(self, payload: Any, cover: TextCover) -> Any:
        if isinstance(payload, UnknownPayload):
            raw = payload.body
            body = _fields(raw, MASK.encode(), cover, bearer=False) if isinstance(raw, bytes) else cover.json(raw)
            return UnknownPayload(payload.payload_type, body)
        names = _BEARERS.get(type(payload), ())
        for name in names:
            if isinstance(value := getattr(payload, name), str):  # what is no UTF-8 reads as bytes
                self._texts.remember(value, told=True)
        # It is worth a copy, and a look at each of its texts, where there may be something in it.
        if not (names or cover.may_hold(payload.SerializePartialToString())):
            return payload
        shape = shape_of(type(payload).__name__)
        copy = type(payload)()
        copy.CopyFrom(payload)
        for name in names:
            if copy.HasField(name) and getattr(copy, name) != MASK:
                setattr(copy, name, MASK)
                cover.changed = True
        size = len(copy.SerializePartialToString())
        is_large = size > _MOST_UNKNOWN
        if is_large:
            copy.DiscardUnknownFields()
            cover.changed |= len(copy.SerializePartialToString()) != size
        _clean(copy, shape, cover, bearer=bool(names), texts_only=is_large)
        return copy


def _may_say(payload: Any, data: bytes) -> bool:
    """Whether a value may be given to a name in a payload, *data* when serialised: in a text, or an unknown field."""
    # Numbers have the byte of a sign by chance, those of one quote in eight; hardly ever three of a name.
    return shape_of(type(payload).__name__).holds_text or _NAME.search(data) is not None


def _clean(message: Any, shape: Shape, cover: TextCover, *, bearer: bool, texts_only: bool) -> None:
    """Hides what is known to be secret in a message of our own, at any depth."""
    for field in shape.texts:  # none of them is repeated: a test says so
        value = getattr(message, field.name)
        if not value or value == MASK:
            continue
        # What is not UTF-8 reads as bytes, and is no text that could be written back in a part.
        if isinstance(value, str):
            shown = cover.text(value)
        elif cover.holds(value):
            shown, cover.changed = MASK, True
        else:
            continue
        if shown != value:
            setattr(message, field.name, shown)
    for field, inner in shape.parts:
        if texts_only and not inner.holds_text:
            continue
        if field.repeated:
            parts = getattr(message, field.name)
            for index, part in enumerate(parts):
                if not cover.goes_on():
                    del parts[index:]
                    break
                _clean(part, inner, cover, bearer=bearer, texts_only=texts_only)
        elif message.HasField(field.name):
            _clean(getattr(message, field.name), inner, cover, bearer=bearer, texts_only=texts_only)
    if not texts_only and len(UnknownFieldSet(message)):
        _clean_unknown(message, shape, cover, bearer=bearer)


def _clean_unknown(message: Any, shape: Shape, cover: TextCover, *, bearer: bool) -> None:
    """Hides what is secret in the unknown fields of a message; those of its parts stay as they are."""
    unknown = type(message)()
    unknown.CopyFrom(message)
    for field in shape.fields:
        unknown.ClearField(field.name)
    raw = unknown.SerializePartialToString()
    cleaned = _fields(raw, _masked_first(raw), cover, bearer=bearer)
    if cleaned == raw:
        return
    # protobuf takes unknown fields out of a message with all its parts only: so the parts are put aside.
    bare = type(message)()
    bare.CopyFrom(message)
    for field, _ in shape.parts:
        bare.ClearField(field.name)
    bare.DiscardUnknownFields()
    for field, _ in shape.parts:
        if field.repeated:
            getattr(bare, field.name).MergeFrom(getattr(message, field.name))
        elif message.HasField(field.name):
            getattr(bare, field.name).CopyFrom(getattr(message, field.name))
    bare.MergeFromString(cleaned)
    message.CopyFrom(bare)


def _fields(body: bytes, hidden: bytes, cover: TextCover, *, bearer: bool) -> bytes:
    """Serialised fields of no known message, likewise; *hidden* where they cannot be read, or are many."""
    if not (bearer or cover.may_hold(body)):
        return body
    before, cover.changed = cover.changed, False
    try:
        cleaned = _written(raw_fields(body, ""), cover, bearer=bearer) if len(body) <= _MOST_UNKNOWN else None
    except ValueError:
        cleaned = None
    if cleaned is None:
        cleaned, cover.changed = hidden, True
    elif not cover.changed:
        cleaned = body  # not even written anew
    cover.changed |= before
    return cleaned


def _written(fields: Iterable[UnknownField], cover: TextCover, *, bearer: bool) -> bytes:
    """Unknown fields as bytes again, with `***` for those that may hold a secret."""
    parts = []
    for field in fields:
        number, wire_type, value = field.number or 0, field.wire_type or 0, field.value
        parts.append(_varint(number << 3 | wire_type))
        if wire_type == _GROUP:
            parts.append(_written(value, cover, bearer=bearer))
            parts.append(_varint(number << 3 | _GROUP + 1))
        elif wire_type == _LENGTH_DELIMITED:
            shown = _shown(value, cover, bearer=bearer)
            parts += (_varint(len(shown)), shown)
        else:
            size = _FIXED.get(wire_type)
            parts.append(_varint(value) if size is None else value.to_bytes(size, "little"))
    return b"".join(parts)


def _shown(value: bytes, cover: TextCover, *, bearer: bool) -> bytes:
    if bearer:
        cover.suspect(value.decode("latin-1"))
    elif not cover.holds(value):
        return value
    cover.changed |= value != MASK.encode()
    return MASK.encode()


def _masked_first(fields: bytes) -> bytes:
    """The first of some fields, as if it were one that is hidden."""
    end = 1
    while fields[end - 1] > 0x7F:
        end += 1
    return bytes((fields[0] & 0xF8 | _LENGTH_DELIMITED,)) + fields[1:end] + _MASKED


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
