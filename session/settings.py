"""Everything that can be set: environments, credentials, endpoints, timings, rates, limits.

The classes check themselves: an object that exists is one that can be used. Whatever is wrong is one
`SettingsError` that names the fields and never a value. `load_settings` (in `loading`) fills them from the
environment; code may as well build them itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from .bounds import AllowedSymbols, LargestOrder, Limits, NoLimit, Percent, Rates, Timings
from .credentials import Credentials
from .environments import (
    STANDARD_PORTS,
    CodecName,
    Endpoint,
    Environment,
    Mode,
    check_endpoint,
    endpoint_problems,
)
from .errors import SettingsError
from .rules import check_fields, choice, described, flag, folder, loopback_url, secret_text
from .secret import Secret

__all__ = [
    "STANDARD_PORTS",
    "AllowedSymbols",
    "CodecName",
    "Credentials",
    "Endpoint",
    "Environment",
    "EnvironmentSettings",
    "LargestOrder",
    "Limits",
    "Mode",
    "NoLimit",
    "Percent",
    "Rates",
    "Secret",
    "Settings",
    "Timings",
    "check_endpoint",
    "contradictions",
    "twins",
]

STANDARD_REDIRECT_URI: Final = "http://127.0.0.1:8721/ctrader"
"""The address that is registered with an application where nothing else is."""


@dataclass(frozen=True, slots=True, init=False)
class EnvironmentSettings:
    """All that one environment needs. Nothing in it is shared with the other.

    Args:
        environment: which one.
        credentials: those of the same environment, with an account id.
        codec: `"protobuf"` or `"json"`.
        endpoint: where to connect; None for the published one.
        timings: None for the defaults.
        rates: None for the defaults.
        limits: None for `Limits.standard` of the environment.
        mode: what may be traded; None for on where that is allowed: on demo, and on live if `live_enabled`.
        live_enabled: live may be traded. Without it, live is `OFF` and cannot be made anything else.
        redirect_uri: where a browser is led back to in `anyctrader login`.
        user_name: held as a secret and never sent: the Open API takes tokens, not names.
        password: held as a secret and never sent; covered like those of the credentials, which take it along.

    Raises:
        SettingsError: a field breaks its rule, or two contradict each other.
    """

    environment: Environment
    credentials: Credentials
    codec: CodecName = field(
        metadata=described(
            choice("protobuf", "json"),
            "how messages are encoded",
            default="`protobuf`",
            reason="JSON over plain TCP rests on a single source (docs/protocol.md section 1)",
        )
    )
    endpoint: Endpoint
    timings: Timings
    rates: Rates
    limits: Limits
    mode: Mode
    live_enabled: bool = field(
        metadata=described(
            flag(),
            "allows trading on live; for live only",
            key="ENABLED",
            default="`false`",
            reason="the one flag that turns live trading on: without it, live is read-only",
        )
    )
    redirect_uri: str = field(
        default=STANDARD_REDIRECT_URI,
        metadata=described(
            loopback_url(),
            "where the browser is led back to in `anyctrader login`",
            reason="must be registered with the application, letter for letter; nobody outside this machine hears it",
        ),
    )
    user_name: Secret | None = field(
        default=None,
        repr=False,
        metadata=described(
            secret_text(),
            "cTrader ID of the owner, a name or an e-mail address; never sent",
            key="USERNAME",
            default="none",
            reason="secret; the Open API takes tokens, so nothing needs it",
        ),
    )
    password: Secret | None = field(
        default=None,
        repr=False,
        metadata=described(
            secret_text(),
            "password of the cTrader ID; never sent",
            default="none",
            reason="secret; the Open API takes tokens, so nothing needs it",
        ),
    )

    def __init__(
        self,
        environment: Environment,
        credentials: Credentials,
        *,
        codec: CodecName = "protobuf",
        endpoint: Endpoint | None = None,
        timings: Timings | None = None,
        rates: Rates | None = None,
        limits: Limits | None = None,
        mode: Mode | None = None,
        live_enabled: bool = False,
        redirect_uri: str = STANDARD_REDIRECT_URI,
        user_name: Secret | str | None = None,
        password: Secret | str | None = None,
    ) -> None:
        if not isinstance(environment, Environment):
            raise SettingsError(["environment must be an Environment"])
        may_trade = live_enabled is True or not environment.is_live
        _set(
            self,
            environment=environment,
            credentials=credentials,
            codec=codec,
            live_enabled=live_enabled,
            redirect_uri=redirect_uri,
            user_name=_secret(user_name),
            password=_secret(password),
        )
        check_fields(self)
        if self.password is not None and isinstance(credentials, Credentials):
            credentials = credentials.beside(*credentials.never_sent, self.password)
        _set(
            self,
            credentials=credentials,
            endpoint=endpoint if endpoint is not None else Endpoint.published(environment, codec),
            timings=timings if timings is not None else Timings(),
            rates=rates if rates is not None else Rates(),
            limits=limits if limits is not None else Limits.standard(environment),
            mode=mode if mode is not None else (Mode.ON if may_trade else Mode.OFF),
        )
        problems = [
            f"{name} must be an object of the class {part.__name__}"
            for name, part in _PARTS.items()
            if not isinstance(getattr(self, name), part)
        ]
        if problems:
            raise SettingsError(problems)
        if credentials.environment is not environment:
            problems.append(f"credentials belong to {credentials.environment.value}")
        if credentials.account_id is None:
            problems.append("account_id is missing from the credentials: the desk trades only the one named")
        if self.mode is not Mode.OFF and not may_trade:
            problems.append("mode must be OFF on live, unless live_enabled is True")
        if live_enabled and not environment.is_live:
            problems.append("live_enabled belongs to live")
        problems += contradictions(environment, codec=codec, endpoint=self.endpoint, limits=self.limits)
        if problems:
            raise SettingsError(problems)


_PARTS: Final[Mapping[str, type]] = MappingProxyType(
    {
        "credentials": Credentials,
        "endpoint": Endpoint,
        "timings": Timings,
        "rates": Rates,
        "limits": Limits,
        "mode": Mode,
    }
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What `load_settings` found: one or both environments, and what they share, which is a folder name.

    Attributes:
        environments: the settings of each environment that is there; an absent one is not in it.
        log_folder: where the logs and audit files go.
        token_folder: where the token files are; None for none: tokens are then used as given, and never renewed.
        warnings: remarks for a person, such as which of two old keys was used; none holds a value.
        urls: the old `CTRADER_URL…` keys as they were given, by key. Kept for programs that open them; never
            used to choose the host of a connection.

    Raises:
        SettingsError: no environment is there, or both were given the same application, secret, token or
            account.
    """

    environments: Mapping[Environment, EnvironmentSettings]
    _: KW_ONLY
    log_folder: Path = field(
        default=Path("logs/ctrader"),
        metadata=described(
            folder(),
            "folder of the logs and audit files, relative to the working folder",
            key="LOG_FOLDER",
            reason="both environments write there, each record with its environment",
        ),
    )
    token_folder: Path | None = field(
        default=None,
        metadata=described(
            folder(),
            "folder of the token files, relative to the working folder",
            key="TOKEN_FOLDER",
            default="`tokens/ctrader`",
            reason="a file of its own for each environment, which only its owner may read; back it up with care, and "
            "never commit it",
        ),
    )
    warnings: tuple[str, ...] = ()
    urls: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        _set(
            self,
            environments=MappingProxyType(dict(self.environments)),
            warnings=tuple(self.warnings),
            urls=MappingProxyType(dict(self.urls)),
        )
        check_fields(self)
        problems = []
        if not self.environments:
            problems.append("environments must hold demo, live or both")
        for environment, settings in self.environments.items():
            if not isinstance(settings, EnvironmentSettings) or settings.environment is not environment:
                problems.append("environments must hold the settings of each environment under its own name")
        if problems:
            raise SettingsError(problems)
        if len(self.environments) == 2:
            demo = _apart(self.environments[Environment.DEMO].credentials)
            live = _apart(self.environments[Environment.LIVE].credentials)
            problems += [f"live {ours} is the same as demo {theirs}" for theirs, ours in twins(demo, live)]
        if problems:
            raise SettingsError(problems)


def contradictions(environment: Environment, *, codec: CodecName, endpoint: Endpoint, limits: Limits) -> list[str]:
    """What each setting allows by itself and together they do not: a sentence a problem, the field first."""
    problems = endpoint_problems(environment, endpoint, codec)
    if environment.is_live and limits.largest_order_lots is LargestOrder.UNLIMITED:
        problems.append("largest_order_lots must not be unlimited on live: say how many lots")
    if environment.is_live and limits.loss_of_day is NoLimit.UNLIMITED:
        problems.append("loss_of_day must not be unlimited on live: say how much")
    return problems


def twins(demo: Mapping[str, object], live: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """The pairs of fields (demo's, live's) that must not hold the same value and do.

    Args:
        demo: values of `Credentials` by field name; what is missing or None is left out of the comparison.
        live: the same for live.
    """
    tokens = ("access_token", "refresh_token")
    pairs = [(name, name) for name in ("client_id", "client_secret", "account_id")]
    pairs += [(theirs, ours) for theirs in tokens for ours in tokens]
    for theirs, ours in pairs:
        value = demo.get(theirs)
        if value is not None and value == live.get(ours):
            yield theirs, ours


def _apart(credentials: Credentials) -> dict[str, object]:
    return {
        "client_id": credentials.client_id,
        "client_secret": credentials.client_secret,
        "account_id": credentials.account_id,
        "access_token": credentials.access_token,
        "refresh_token": credentials.refresh_token,
    }


def _secret(text: object) -> object:
    """A text as a secret; anything else as it is, for the rule to refuse."""
    return Secret(text) if isinstance(text, str) else text


def _set(frozen: object, **values: object) -> None:
    for name, value in values.items():
        object.__setattr__(frozen, name, value)
