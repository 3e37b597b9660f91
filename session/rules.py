"""What a setting may be: read from a text, or checked as the value that code gave.

A rule says in `expects` what is allowed, and that is all that an error tells: no rule, and no error made from
one, repeats the value that was refused, since it may be a secret that landed in the wrong place.
"""

from __future__ import annotations

import math
import re
from dataclasses import Field, dataclass, fields
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from ..wire.exact_numbers import is_plain_number
from .errors import SettingsError
from .proxies import PROXY_EXPECTS, Proxy
from .secret import Secret

if TYPE_CHECKING:
    import enum
    from collections.abc import Callable, Mapping
    from types import UnionType

__all__ = [
    "About",
    "Percent",
    "Rule",
    "about",
    "amount",
    "check_fields",
    "choice",
    "described",
    "file",
    "flag",
    "folder",
    "host",
    "loopback_url",
    "loss",
    "lots",
    "names",
    "proxy_url",
    "seconds",
    "secret_text",
    "secret_word",
    "text",
    "whole",
    "whole_or",
    "word",
]

# Digits only: float(), int() and Decimal() also take "1_000", "1e3", "infinity" and digits of other scripts,
# which in a settings file are mistakes. The lengths keep every number far inside what each type holds.
_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_WHOLE = re.compile(r"[0-9]{1,19}")
_LONGEST_PART = 15
# ASCII only: Python's resolver folds look-alikes of other scripts into the ASCII name after our check saw them.
# Underscores are not in the standard, but names of containers have them.
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_IPV6 = re.compile(r"(?=.{2,45}\Z)(?=.*:.*:)[0-9A-Fa-f:.]+")

_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost):[1-9][0-9]{0,4}/[A-Za-z0-9._~/-]*")

_NOT_BLANK = "must be a text that is not blank"
_ONE_WORD = "must be one line of printable text, with no space before or after it"


@dataclass(frozen=True, slots=True)
class Rule:
    """What one setting may be.

    Attributes:
        expects: what is allowed, as the end of a sentence that starts with the key: "must be ...".
        allows: whether a value has the right type and lies in the range.
        convert: the value that a text stands for, or None where it stands for none.
        takes_empty: an empty text is judged by the rule; otherwise it counts as not given.
    """

    expects: str
    allows: Callable[[object], bool]
    convert: Callable[[str], object]
    takes_empty: bool = False

    def read(self, text: str) -> object:
        """The value that `text` stands for.

        Raises:
            ValueError: it stands for none that is allowed. The message is `expects`; it has no part of `text`.
        """
        value = self.convert(text)
        if value is None or not self.allows(value):
            raise ValueError(self.expects)
        return value


def seconds(*, below: float = math.inf, most: float = math.inf) -> Rule:
    """A span in seconds: more than 0, and less than `below`, at most `most`."""
    bound = f"below {below:g}" if below <= most else f"at most {most:g}"

    def allows(value: object) -> bool:
        return _is_number(value, int | float) and 0 < value < below and value <= most

    return Rule(
        f"must be a number of seconds such as 8 or 0.5, more than 0 and {bound}",
        allows,
        lambda text: float(text) if _is_decimal(text) else None,
    )


def whole(least: int, most: int) -> Rule:
    """A whole number from `least` to `most`."""

    def allows(value: object) -> bool:
        return _is_number(value, int) and least <= value <= most

    return Rule(
        f"must be a whole number from {least} to {most}",
        allows,
        lambda text: int(text) if _WHOLE.fullmatch(text) else None,
    )


def whole_or(least: int, most: int, words: type[enum.Enum]) -> Rule:
    """A whole number from `least` to `most`, or one of the words of `words`."""
    number = whole(least, most)
    return Rule(
        f"{number.expects}, or {_listed(words)}",
        lambda value: isinstance(value, words) or number.allows(value),
        lambda text: _word_of(words, text) or number.convert(text),
    )


def amount(what: str, words: type[enum.Enum]) -> Rule:
    """An exact `Decimal` above 0, or one of the words of `words`; `what` it is of, with an example."""
    return Rule(
        f"must be {what} (exact: in code a Decimal, never a float), more than 0, or {_listed(words)}",
        lambda value: isinstance(value, words) or _is_amount(value),
        lambda text: Decimal(text) if _is_decimal(text) else _word_of(words, text),
    )


def lots(words: type[enum.Enum]) -> Rule:
    """An amount of lots as an exact `Decimal` above 0, or one of the words of `words`."""
    return amount("lots such as 0.5", words)


@dataclass(frozen=True, slots=True)
class Percent:
    """A share in per cent, exact.

    Attributes:
        value: 1 for one per cent.
    """

    value: Decimal

    def of(self, whole: Decimal) -> Decimal:
        """So much of it."""
        return whole * self.value / 100

    def __str__(self) -> str:
        return f"{self.value:f}%"


def loss(words: type[enum.Enum]) -> Rule:
    """Money as an exact `Decimal` above 0, a `Percent` above 0 and at most 100, or one of the words of `words`."""

    def allows(value: object) -> bool:
        if isinstance(value, Percent):
            return _is_amount(value.value) and value.value <= 100
        return isinstance(value, words) or _is_amount(value)

    def convert(text: str) -> object:
        share = text.removesuffix("%")
        if _is_decimal(share):
            return Percent(Decimal(share)) if share != text else Decimal(share)
        return _word_of(words, text)

    return Rule(
        "must be money such as 250 (in code a Decimal), or a share such as 1% (in code Percent), more than 0, or "
        f"{_listed(words)}",
        allows,
        convert,
    )


def names(words: type[enum.Enum]) -> Rule:
    """Names as a tuple of texts, in a text divided by commas; or one of the words of `words`."""

    def allows(value: object) -> bool:
        if isinstance(value, words):
            return True
        return isinstance(value, tuple) and bool(value) and all(map(_is_word, value))

    return Rule(
        f"must be names divided by commas, such as EURUSD,XAUUSD (in code a tuple), or {_listed(words)}",
        allows,
        lambda text: _word_of(words, text) or tuple(name.strip() for name in text.split(",")),
    )


def _listed(words: type[enum.Enum]) -> str:
    return " or ".join(str(word.value) for word in words)


def _word_of(words: type[enum.Enum], text: str) -> enum.Enum | None:
    return next((word for word in words if word.value == text), None)


def _is_amount(value: object) -> bool:
    return isinstance(value, Decimal) and value.is_finite() and value > 0


def _is_decimal(text: str) -> bool:
    return is_plain_number(text) and max(map(len, text.split("."))) <= _LONGEST_PART


def time_of_day() -> Rule:
    """A time of the day, UTC: a `time` without a zone, in a text as HH:MM."""

    def convert(text: str) -> object:
        return time.fromisoformat(text) if _TIME_OF_DAY.fullmatch(text) else None

    return Rule(
        "must be a time of the day such as 21:30 (in code a time without a zone)",
        lambda value: isinstance(value, time) and value.tzinfo is None,
        convert,
    )


def choice(*words: str) -> Rule:
    """One of a few words."""
    return Rule(
        f"must be {' or '.join((', '.join(words[:-1]), words[-1]))}",
        lambda value: isinstance(value, str) and value in words,
        lambda text: text,
    )


def flag() -> Rule:
    """Exactly `true` or `false`: nothing that somebody meant as "off" may be read as "on"."""
    return Rule(
        "must be exactly true or false",
        lambda value: isinstance(value, bool),
        {"true": True, "false": False}.get,
        takes_empty=True,
    )


def text() -> Rule:
    """Any text that is not blank."""
    return Rule(_NOT_BLANK, _is_text, lambda text: text)


def word() -> Rule:
    """A text that is sent: printable, and with nothing around it that a copy and paste may have left."""
    return Rule(_ONE_WORD, _is_word, lambda text: text)


def secret_word() -> Rule:
    """A `Secret` that is sent: its text is a `word`."""
    return Rule(_ONE_WORD, lambda value: isinstance(value, Secret) and _is_word(value.reveal()), Secret)


def secret_text() -> Rule:
    """A `Secret` that is never sent: anything but blank, since a password may hold what it likes."""
    return Rule(_NOT_BLANK, lambda value: isinstance(value, Secret) and _is_text(value.reveal()), Secret)


def host() -> Rule:
    """A host name or an IP address."""

    def allows(value: object) -> bool:
        if not isinstance(value, str) or len(value) > 253:  # RFC 1035: the longest name
            return False
        return bool(_IPV6.fullmatch(value)) or all(map(_LABEL.fullmatch, value.split(".")))

    return Rule(
        "must be a host name or an address: ASCII, no scheme, no port, no path, no dot at the end",
        allows,
        lambda text: text,
    )


def file() -> Rule:
    """The path of a file; read from a text, the file must be there."""

    def convert(text: str) -> object:
        path = Path(text)
        try:
            return path if path.is_file() else None
        except (OSError, ValueError):  # too long a name, a folder that is closed to us, a null character
            return None

    return Rule(
        "must be the path of a file that exists and can be looked at",
        lambda value: isinstance(value, Path),
        convert,
    )


def loopback_url() -> Rule:
    """An address of this machine that a browser can be led to: with a port, and a path."""
    return Rule(
        "must be of the form http://127.0.0.1:PORT/PATH, with no query",
        lambda value: isinstance(value, str) and _LOOPBACK.fullmatch(value) is not None,
        lambda text: text,
    )


def proxy_url() -> Rule:
    """A `Proxy`, in a text its address."""

    def convert(text: str) -> object:
        try:
            return Proxy.from_url(text)
        except ValueError:
            return None

    return Rule(PROXY_EXPECTS, lambda value: isinstance(value, Proxy), convert)


def folder() -> Rule:
    """The path of a folder, which need not exist yet."""
    return Rule(
        "must be the path of a folder",
        lambda value: isinstance(value, Path) and _can_be_asked_for(value),
        lambda text: Path(text) if text.strip() else None,
    )


def _can_be_asked_for(path: Path) -> bool:
    """Whether a system takes it for a path: without a null character, or half a surrogate pair.

    Surrogates that stand for bytes which are not UTF-8, as in the process environment, are good.
    """
    try:
        return b"\0" not in str(path).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False


def _is_number(value: object, kind: type | UnionType) -> TypeGuard[float]:
    return isinstance(value, kind) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_word(value: object) -> bool:
    # What is not UTF-8 in the process environment arrives as surrogates: those are not printable either.
    return isinstance(value, str) and bool(value) and value == value.strip() and value.isprintable()


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a setting is, for the table in `docs/settings.md`, the texts of errors, and whoever reads the code.

    Attributes:
        rule: what it may be.
        meaning: what it does, in a sentence without its end.
        reason: why its default is what it is, or what to know before changing it.
        default: the default in words; empty for the field's own.
        key: the end of its key after `CTRADER_DEMO_` or `CTRADER_LIVE_`; empty for the field's name in capitals.
        required: an environment cannot be used without it.
        advice: how to get it, where it is required; `{environment}` stands for `demo` or `live`.
    """

    rule: Rule
    meaning: str
    reason: str = ""
    default: str = ""
    key: str = ""
    required: bool = False
    advice: str = ""


def described(
    rule: Rule,
    meaning: str,
    *,
    reason: str = "",
    default: str = "",
    key: str = "",
    required: bool = False,
    advice: str = "",
) -> Mapping[str, About]:
    """The `metadata` of a dataclass field that is a setting; the arguments are those of `About`."""
    return {
        "about": About(
            rule=rule,
            meaning=meaning,
            reason=reason,
            default=default,
            key=key,
            required=required,
            advice=advice,
        )
    }


def about(field: Field[Any]) -> About | None:
    """What was said about a dataclass field with `described`, or None where nothing was."""
    found = field.metadata.get("about")
    return found if isinstance(found, About) else None


def check_fields(settings: Any) -> None:
    """Holds each described field of a dataclass object against its rule. None is allowed where it is the default.

    Raises:
        SettingsError: lists every field that breaks its rule, by name, without its value.
    """
    problems = []
    for field in fields(settings):
        if (said := about(field)) is None:
            continue
        value = getattr(settings, field.name)
        if not said.rule.allows(value) and not (value is None and field.default is None):
            problems.append(f"{field.name} {said.rule.expects}")
    if problems:
        raise SettingsError(problems)
