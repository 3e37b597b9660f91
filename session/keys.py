"""The table of all keys that `load_settings` reads. Parsing, the texts of errors and the docs follow from it.

To add a setting, add a described field to one of the settings classes: its key, its rule, its error and its
default are then known here, and a test asks for its row in `docs/settings.md` and its line in `.env.example`.
"""

from __future__ import annotations

import difflib
from dataclasses import Field, dataclass, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from .bounds import Limits, Rates, Timings
from .environments import Endpoint, Environment
from .rules import About, about, described, text
from .settings import Credentials, EnvironmentSettings, Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ENVIRONMENT_KEYS",
    "SHARED_KEYS",
    "EnvironmentKey",
    "SharedKey",
    "known_names",
    "nearest",
    "none_set",
    "prefix",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentKey:
    """A setting that each environment has by itself.

    Attributes:
        field: name of the field that it fills.
        part: the class whose field that is.
        about: what it is.
        default: its default in words.
        environments: those that have it.
        old: older names of demo's key. The names of a group mean the same thing, the first one there is used;
            a later group is looked at only where no name of an earlier one is there.
    """

    field: str
    part: type
    about: About
    default: str
    environments: tuple[Environment, ...]
    old: tuple[tuple[str, ...], ...]

    def name(self, environment: Environment) -> str:
        """The explicit key, such as `CTRADER_LIVE_ACCESS_TOKEN`."""
        return prefix(environment) + _suffix(self.field, self.about)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedKey:
    """A setting that belongs to no environment.

    Attributes:
        name: the whole key.
        about: what it is.
        default: its default in words.
    """

    name: str
    about: About
    default: str


def prefix(environment: Environment) -> str:
    """What every explicit key of an environment starts with."""
    return f"CTRADER_{environment.value.upper()}_"


# The keys of .env files that are in use, in the order in which they are looked at. They belong to demo only:
# an order that reaches live because of a key that was never meant for it is what must not happen.
_OLD: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = MappingProxyType(
    {
        "user_name": (("USERNAME_CTRADER", "CTRADER_USERNAME"), ("EMAIL_CTRADER", "CTRADER_EMAIL")),
        "password": (("PASSWORD_CTRADER", "CTRADER_PASSWORD"),),
        "client_id": (("APPLICATION_NAME_CTRADER", "CTRADER_APPLICATION_ID"),),
        "client_secret": (("CTRADER_APPLICATION_SECRET",),),
        "account_id": (("CTRADER_ACCOUNT_ID",),),
    }
)

_OLD_URLS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "CTRADER_URL": "address of the service",
        "CTRADER_URL_LOGIN": "address that begins a login",
        "CTRADER_URL_LOGOUT": "address that ends a login",
        "CTRADER_URL_REFRESH": "address that refreshes a token",
        "CTRADER_URL_VERIFY": "address that checks a token",
    }
)


def _suffix(field: str, said: About) -> str:
    return said.key or field.upper()


def _default(field: Field[Any], said: About) -> str:
    if said.default or said.required:
        return said.default
    return f"`{field.default:g}`" if isinstance(field.default, float) else f"`{field.default}`"


def _environment_keys() -> tuple[EnvironmentKey, ...]:
    keys = []
    for part in (Credentials, EnvironmentSettings, Endpoint, Timings, Rates, Limits):
        for field in fields(part):
            if (said := about(field)) is None:
                continue
            keys.append(
                EnvironmentKey(
                    field=field.name,
                    part=part,
                    about=said,
                    default=_default(field, said),
                    # Demo has nothing to enable: it starts on.
                    environments=(Environment.LIVE,) if field.name == "live_enabled" else tuple(Environment),
                    old=_OLD.get(field.name, ()),
                )
            )
    return tuple(keys)


def _shared_keys() -> tuple[SharedKey, ...]:
    keys = []
    for field in fields(Settings):
        if (said := about(field)) is not None:
            name = f"CTRADER_{_suffix(field.name, said)}"
            keys.append(SharedKey(name=name, about=said, default=_default(field, said)))
    for name, meaning in _OLD_URLS.items():
        said = described(
            text(),
            f"{meaning}; kept for programs that open it",
            reason="never chooses the host of a connection: an environment does",
        )["about"]
        keys.append(SharedKey(name=name, about=said, default="none"))
    return tuple(keys)


ENVIRONMENT_KEYS: Final = _environment_keys()
"""The keys that each environment has by itself, in the order of the docs."""

SHARED_KEYS: Final = _shared_keys()
"""The keys that belong to no environment, in the order of the docs."""


NOTHING_SET: Final = (
    "nothing is set: copy .env.example to .env and fill in demo, live or both (docs/settings.md); "
    "the sandbox needs no settings at all"
)
"""What to tell whoever has set no key of either environment."""


def none_set(environment: Environment) -> str:
    """What to tell whoever asks for an environment that has no key, where the other one has."""
    return f"no key of {environment.value} is set: {prefix(environment)}APPLICATION_ID and its like (docs/settings.md)"


def known_names() -> frozenset[str]:
    """Every key that is read, explicit, shared and old."""
    names = {key.name for key in SHARED_KEYS}
    for key in ENVIRONMENT_KEYS:
        names.update(key.name(environment) for environment in key.environments)
        names.update(name for group in key.old for name in group)
    return frozenset(names)


def nearest(name: str) -> str | None:
    """The known key that somebody who wrote `name` most likely meant, or None where nothing is near."""
    wanted = name.upper()
    # Keys of one environment begin alike, so the beginning says nothing about which of them was meant.
    start = next((prefix(each) for each in Environment if wanted.startswith(prefix(each))), "")
    endings = {known.removeprefix(start): known for known in sorted(known_names()) if known.startswith(start)}
    found = difflib.get_close_matches(wanted.removeprefix(start), endings, n=1)
    return endings[found[0]] if found else None
