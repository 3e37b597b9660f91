"""`load_settings`: the one place where anyctrader reads environment variables, and only when it is asked to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from .bounds import Limits, Rates, Timings
from .environments import CodecName, Endpoint, Environment
from .errors import SettingsError
from .keys import ENVIRONMENT_KEYS, NOTHING_SET, SHARED_KEYS, EnvironmentKey, known_names, nearest, none_set, prefix
from .proxies import PROXY_NAMES, ProxyChoice, proxy_for
from .secret import Secret
from .settings import (
    STANDARD_PORTS,
    STANDARD_REDIRECT_URI,
    Credentials,
    EnvironmentSettings,
    Settings,
    contradictions,
    twins,
)
from .token_store import TokenStore, TokensUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["load_settings"]

Part = TypeVar("Part", Credentials, Timings, Rates, Limits)

_DEFAULT_FILE: Final = Path(".env")
_DEFAULT_TOKEN_FOLDER: Final = Path("tokens/ctrader")
_TOKEN_FOLDER_KEY: Final = "CTRADER_TOKEN_FOLDER"  # noqa: S105 - a key

_WHY_APART: Final[Mapping[str, str]] = MappingProxyType(
    {
        "client_id": "register two applications, one for each environment",
        "client_secret": "register two applications, one for each environment",
        "account_id": "an account belongs to one environment only",
        "access_token": "authorise each application for the account of its own environment",
        "refresh_token": "authorise each application for the account of its own environment",
    }
)


def load_settings(env_file: Path | str | None = None, *, environ: Mapping[str, str] | None = None) -> Settings:
    """Reads the settings from the process environment and a `.env` file; the process environment wins.

    The keys are in `docs/settings.md`. An explicit key (`CTRADER_DEMO_…`) wins over an old one, wherever each
    was found; live takes explicit keys only. A key that is there and empty counts as not given, but for
    `CTRADER_LIVE_ENABLED`, which is true, false or not there.

    Args:
        env_file: the file to read; it must exist. None for `.env` in the working folder, which may be absent.
            Values are taken as they stand: `${NAME}` is not replaced.
        environ: what to read in place of the process environment.

    Returns:
        The settings of demo, live or both. An environment with none of its keys set is absent.

    Raises:
        SettingsError: lists all that is missing or malformed, by key, and says what to do. No value is in it,
            nor in anything chained to it. Nothing was connected or written.
    """
    outcome = _load(env_file, environ)
    # A traceback that is shown with the variables of its frames must find no value here.
    del environ
    if isinstance(outcome, Settings):
        return outcome
    raise SettingsError(outcome)


@dataclass(slots=True)
class _Found:
    """What the keys of one environment say, and what is wrong with them."""

    environment: Environment
    values: dict[str, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    spoiled: set[str] = field(default_factory=set)
    """Fields that are missing or malformed: what needs them is not built, and not complained about again."""
    proxies: ProxyChoice = field(default_factory=ProxyChoice)

    def part(self, kind: type[Part], **known: Any) -> Part | None:
        """An object of `kind` from the values; None, and the problems noted, where that cannot be."""
        wanted = {each.name for each in fields(kind)}
        if wanted & self.spoiled:
            return None
        given = {name: value for name, value in self.values.items() if name in wanted}
        try:
            return kind(**(known | given))
        except SettingsError as error:
            self.problems += self.by_key(error.problems)
        return None

    def by_key(self, problems: Iterable[str]) -> list[str]:
        """Problems told by field, told by key: the first word, and further on whatever can only be a field."""

        def key(match: re.Match[str]) -> str:
            return self.names.get(match[0], match[0])

        return [re.sub(r"^\w+|\b[a-z]+_[a-z_]+\b", key, problem) for problem in problems]


def _load(env_file: Path | str | None, environ: Mapping[str, str] | None) -> Settings | list[str]:
    """The settings, or the problems; returned and not raised, so that no traceback leads into these frames."""
    problems: list[str] = []
    warnings: list[str] = []
    texts = _texts(env_file, environ, problems, warnings)
    shared = _shared(texts, problems)
    token_folder = cast("Path", shared.pop(_TOKEN_FOLDER_KEY, _DEFAULT_TOKEN_FOLDER))

    founds = [_find(environment, texts, warnings) for environment in Environment]
    present = {found.environment: found for found in founds if found is not None}
    if not present:
        problems.append(NOTHING_SET)
    for found in present.values():
        _look_into_store(found, token_folder)
    built = {environment: _build(found) for environment, found in present.items()}
    for found in present.values():
        problems += [problem for problem in found.problems if problem not in problems]  # HTTPS_PROXY is that of both
    if len(present) == 2:
        problems += _same(present[Environment.DEMO], present[Environment.LIVE])
    if problems:
        return problems
    folder = shared.pop("CTRADER_LOG_FOLDER", None)
    return Settings(
        environments={environment: each for environment, each in built.items() if each is not None},
        warnings=tuple(warnings),
        urls=cast("dict[str, str]", shared),
        token_folder=token_folder,
        **({} if folder is None else {"log_folder": cast("Path", folder)}),
    )


def registration_of(
    environment: Environment, env_file: Path | str | None, environ: Mapping[str, str] | None
) -> dict[str, Any] | list[str]:
    """The fields of a `Registration` but for its environment, or the problems."""
    problems: list[str] = []
    texts = _texts(env_file, environ, problems, [])
    shared = _shared(texts, problems)
    found = _find(environment, texts, [])
    if found is None:
        return [
            *problems,
            none_set(environment) if any(_find(each, texts, []) for each in Environment) else NOTHING_SET,
        ]
    codec, endpoint = _where(found)
    standard = Limits.standard(environment)
    found.problems += found.by_key(contradictions(environment, codec=codec, endpoint=endpoint, limits=standard))
    # What a login is there to find out may be missing.
    unknown = tuple(f"{found.names[name]} is missing" for name in ("access_token", "account_id"))
    problems += [problem for problem in found.problems if not problem.startswith(unknown)]
    if problems:
        return problems
    return {
        "client_id": found.values["client_id"],
        "client_secret": found.values["client_secret"],
        "redirect_uri": found.values.get("redirect_uri", STANDARD_REDIRECT_URI),
        "codec": codec,
        "endpoint": endpoint,
        "proxies": found.proxies,
        "token_folder": shared.get(_TOKEN_FOLDER_KEY, _DEFAULT_TOKEN_FOLDER),
    }


def secrets_given(env_file: Path | str | None) -> list[Secret]:
    """What the keys hold that is secret, also where the settings as a whole cannot be used; no user name."""
    texts = _texts(env_file, None, [], [])
    keys = [key for key in ENVIRONMENT_KEYS if key.about.rule.convert is Secret and key.field != "user_name"]
    names = {name for key in keys for name in (*map(key.name, Environment), *chain.from_iterable(key.old))}
    return [Secret(texts[name]) for name in names if texts.get(name)]


def _texts(
    env_file: Path | str | None, environ: Mapping[str, str] | None, problems: list[str], warnings: list[str]
) -> dict[str, str]:
    """The text of each known key that is there, in the process environment or the file."""
    import os  # here, so that nothing else in this module can read the environment

    from_file = _read_file(env_file, problems, warnings)
    from_process = dict(os.environ if environ is None else environ)
    _judge_names(sorted({*from_file, *from_process}), problems, warnings)
    proxies = {name: from_process[name] for name in PROXY_NAMES if name in from_process}
    return _merged(from_process, from_file, problems) | proxies


def _shared(texts: Mapping[str, str], problems: list[str]) -> dict[str, object]:
    """The values of the keys that belong to no environment, by key."""
    shared = {}
    for key in SHARED_KEYS:
        if texts.get(key.name):
            try:
                shared[key.name] = key.about.rule.read(texts[key.name])
            except ValueError:
                problems.append(f"{key.name} {key.about.rule.expects}")
    return shared


def _look_into_store(found: _Found, folder: Path) -> None:
    """An access token that is not set may have been stored by `anyctrader login`."""
    name = found.names["access_token"]
    client_id, account_id = found.values.get("client_id"), found.values.get("account_id")
    missing = [problem for problem in found.problems if problem.startswith(f"{name} is missing")]
    if not missing or client_id is None or account_id is None:
        return
    try:
        stored = TokenStore(folder, found.environment).find(client_id, account_id)
    except (TokensUnreadable, OSError) as error:
        found.problems.append(f"{name} is missing, and {folder} cannot tell it ({type(error).__name__})")
        return
    if stored is not None:
        found.values["access_token"] = stored.pair.access_token
        found.values["refresh_token"] = stored.pair.refresh_token  # the two belong together
        found.spoiled.discard("access_token")
        found.problems.remove(missing[0])


def _read_file(env_file: Path | str | None, problems: list[str], warnings: list[str]) -> dict[str, str]:
    """The keys and values of the file. A line of ours that cannot be read is a problem: it may be a limit."""
    # The parser of pydantic-settings itself. Used as it is, because pydantic-settings would replace ${NAME}
    # inside a password, skip lines that it cannot read, and keep the last of two lines with one key.
    from dotenv.parser import parse_stream

    path = _DEFAULT_FILE if env_file is None else Path(env_file)
    known = known_names()
    texts: dict[str, str] = {}
    lines: dict[str, int] = {}
    try:
        with path.open(encoding="utf-8-sig") as stream:
            bindings = list(parse_stream(stream))
    except FileNotFoundError:
        if env_file is not None:
            problems.append(f"the settings file {_shown(str(path))} does not exist")
        return texts
    except UnicodeDecodeError:
        problems.append(f"the settings file {_shown(str(path))} is not UTF-8 text")
        return texts
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        problems.append(f"the settings file {_shown(str(path))} cannot be read ({type(error).__name__})")
        return texts
    for binding in bindings:
        text = binding.original.string
        line = binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
        if binding.error or (binding.key is not None and binding.value is None):
            remark = f"line {line} of {_shown(str(path))} is not of the form KEY=value"
            if "CTRADER" in text.upper():
                problems.append(remark)
            else:
                warnings.append(f"{remark} and was skipped")
        elif binding.key is not None and binding.value is not None:
            if binding.key in lines and binding.key in known:
                problems.append(
                    f"{binding.key} is twice in {_shown(str(path))}, on lines {lines[binding.key]} and {line}: keep one"
                )
            texts[binding.key] = binding.value
            lines[binding.key] = line
    return texts


def _judge_names(names: Iterable[str], problems: list[str], warnings: list[str]) -> None:
    """An unknown key of an environment is a problem: it may be a limit that somebody believes to be set."""
    known = known_names()
    for name in names:
        if name in known or not name.upper().startswith("CTRADER_"):
            continue
        near = nearest(name)
        remark = f"{_shown(name)} is not a setting" + (f"; is {near} meant?" if near else " (docs/settings.md)")
        if name.upper().startswith(tuple(prefix(environment) for environment in Environment)):
            problems.append(remark)
        else:
            warnings.append(f"{remark} (ignored)")


def _merged(from_process: Mapping[str, str], from_file: Mapping[str, str], problems: list[str]) -> dict[str, str]:
    """The text of each known key that is there, from the process or else from the file."""
    # Imported here: it takes three times as long as all the rest of anyctrader, and only this needs it.
    from pydantic import ValidationError, create_model
    from pydantic_settings import (
        BaseSettings,
        InitSettingsSource,
        PydanticBaseSettingsSource,
        SettingsConfigDict,
    )

    names = known_names()
    sources = [{name: texts[name] for name in texts.keys() & names} for texts in (from_process, from_file)]

    class Texts(BaseSettings):
        # Keys are as they are written, on every system. The values stay texts: as numbers pydantic also takes
        # "12.0" for an integer, and as booleans "on" and "1"; our rules do not. And it prints what it refuses.
        model_config = SettingsConfigDict(case_sensitive=True, extra="ignore", hide_input_in_errors=True)

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return tuple(InitSettingsSource(settings_cls, init_kwargs=dict(source)) for source in sources)

    kinds: dict[str, Any] = dict.fromkeys(sorted(names), (str | None, None))
    model = create_model("Texts", __base__=Texts, **kinds)
    while True:
        try:
            return model().model_dump(exclude_none=True)
        except ValidationError as error:
            refused = {str(each["loc"][0]) for each in error.errors(include_url=False, include_input=False)}
        problems += [f"{name} must be text" for name in sorted(refused)]
        for source in sources:
            for name in refused:
                source.pop(name, None)


def _find(environment: Environment, texts: Mapping[str, str], warnings: list[str]) -> _Found | None:
    """What was given for an environment, each value read and judged; None if it was not given at all."""
    found = _Found(environment)
    wanted = False
    for key in ENVIRONMENT_KEYS:
        if environment not in key.environments:
            continue
        name = _choose(key, environment, texts, warnings)
        found.names[key.field] = name or key.name(environment)
        if name is None:
            if key.about.required:
                advice = key.about.advice.format(environment=environment.value)
                found.problems.append(f"{key.name(environment)} is missing: {advice}")
                found.spoiled.add(key.field)
            continue
        try:
            found.values[key.field] = key.about.rule.read(texts[name])
        except ValueError:
            found.problems.append(f"{name} {key.about.rule.expects}")
            found.spoiled.add(key.field)
        # Trading on live switched off says nothing about whether live is wanted.
        wanted = wanted or found.values.get(key.field) is not False
    if wanted:
        _find_proxy(found, texts)
    return found if wanted else None


def _find_proxy(found: _Found, texts: Mapping[str, str]) -> None:
    """The proxy that other programs of this process use, where the settings name none."""
    if "proxy" in found.values or "proxy" in found.spoiled:
        found.proxies = ProxyChoice(found.values.get("proxy"))
        return
    host = found.values.get("host", found.environment.host)
    port = found.values.get("port", STANDARD_PORTS.get(found.values.get("codec", "protobuf"), 0))
    try:
        proxy = proxy_for(host, port, texts)
        found.proxies = ProxyChoice.of(texts)
    except ValueError as error:
        found.problems.append(str(error))
        return
    if proxy is not None:
        found.values["proxy"] = proxy


def _choose(key: EnvironmentKey, environment: Environment, texts: Mapping[str, str], warnings: list[str]) -> str | None:
    """The name under which a setting is taken, among those that are there; None where none is."""

    def given(names: Iterable[str]) -> list[str]:
        return [name for name in names if texts.get(name) or (key.about.rule.takes_empty and name in texts)]

    explicit = given([key.name(environment)])
    groups = [given(group) for group in key.old] if environment is Environment.DEMO else []
    old = next((group for group in groups if group), [])
    names = explicit + old
    if not names:
        return None
    for other in names[1:]:
        if texts[other] != texts[names[0]]:
            warnings.append(f"{other} is ignored: {names[0]} differs from it, comes first and is the one used")
    return names[0]


def _build(found: _Found) -> EnvironmentSettings | None:
    """The settings of an environment; None where a part of them cannot be built, all problems noted."""
    environment = found.environment
    credentials = found.part(Credentials, environment=environment)
    timings = found.part(Timings)
    rates = found.part(Rates)
    standard = Limits.standard(environment)
    limits = found.part(Limits, **{each.name: getattr(standard, each.name) for each in fields(Limits)})
    codec, endpoint = _where(found)
    problems = contradictions(environment, codec=codec, endpoint=endpoint, limits=limits or standard)
    found.problems += found.by_key(problems)
    if found.problems or not (credentials and timings and rates and limits):
        return None
    others = {
        key.field: found.values[key.field]
        for key in ENVIRONMENT_KEYS
        if key.part is EnvironmentSettings and key.field in found.values
    }
    return EnvironmentSettings(
        environment,
        credentials,
        endpoint=endpoint,
        timings=timings,
        rates=rates,
        limits=limits,
        **others,
    )


def _where(found: _Found) -> tuple[CodecName, Endpoint]:
    """Built even where a part of it is spoiled: its host may be the other environment's, and that is told as well."""
    codec: CodecName = found.values.get("codec", "protobuf")
    if "codec" in found.spoiled and found.values.get("port") == STANDARD_PORTS["json"]:
        codec = "json"  # whatever was meant, it need not be a second mistake
    known: dict[str, Any] = {"host": found.environment.host, "port": STANDARD_PORTS[codec]}
    given = {each.name: found.values[each.name] for each in fields(Endpoint) if each.name in found.values}
    return codec, Endpoint(**(known | given))


def _same(demo: _Found, live: _Found) -> list[str]:
    """The values that both environments were given and that must not be shared."""
    return [
        f"{live.names[ours]} holds the same as {demo.names[theirs]}: {_WHY_APART[ours]}"
        for theirs, ours in twins(demo.values, live.values)
    ]


def _shown(name: str) -> str:
    """A name from outside as it can be put into a text: escaped, and not endless."""
    shown = name if name.isprintable() else ascii(name)[1:-1]
    return shown if len(shown) <= 80 else f"{shown[:80]}…"
