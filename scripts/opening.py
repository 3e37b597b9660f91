"""A session with one environment, as a command needs it: for reading alone, or with all that trading takes."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from anyctrader.session import ConnectFailed, Mode, SettingsError, WrongEnvironment, connect, load_settings, open_desk
from anyctrader.session.authorities import check_authorities
from anyctrader.session.keys import none_set
from anyctrader.session.loading import secrets_given
from anyctrader.session.token_store import TokenStore, TokensUnreadable, origin_of

from .terminal import remark

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from anyctrader.session import Credentials, Environment, EnvironmentSettings, Session, Settings
    from anyctrader.session.secret import Secret

__all__ = [
    "known_secrets",
    "newest_credentials",
    "open_reading",
    "open_trading",
    "refuse_anothers",
    "secrets_of_settings",
    "settings_of",
    "settings_of_all",
]


def settings_of(environment: Environment, env_file: Path | None) -> tuple[Settings, EnvironmentSettings]:
    """All settings, and the part of one environment, whose credentials also cover the secrets of the other one.

    Raises:
        SettingsError: they cannot be used to connect, or do not name that environment.
    """
    settings = load_settings(env_file)
    part = settings.environments.get(environment)
    if part is None:
        raise SettingsError([none_set(environment)])
    check_authorities({environment: part.endpoint})
    for warning in settings.warnings:
        remark(warning)
    # A hostile server, which got another environment's secrets by whatever way, may say those back too.
    credentials = part.credentials.beside(*part.credentials.never_sent, *_all_secrets(settings, env_file))
    part = replace(part, credentials=credentials)
    return replace(settings, environments={**settings.environments, environment: part}), part


def settings_of_all(env_file: Path | None) -> Settings:
    """The settings of all environments that are there.

    Raises:
        SettingsError: they cannot be used to connect.
    """
    settings = load_settings(env_file)
    check_authorities({part.environment: part.endpoint for part in settings.environments.values()})
    for warning in settings.warnings:
        remark(warning)
    return settings


@asynccontextmanager
async def open_reading(settings: Settings, part: EnvironmentSettings) -> AsyncIterator[Session]:
    """A session that never trades, and writes nothing: no audit, no connection log.

    Raises:
        ConnectFailed, AuthenticationFailed: see `connect`.
    """
    async with connect(
        part.environment,
        part.credentials,
        codec=part.codec,
        delimiting=part.endpoint.delimiting,
        host=part.endpoint.host,
        port=part.endpoint.port,
        ca_file=part.endpoint.ca_file,
        transport=part.endpoint.transport,
        proxy=part.endpoint.proxy,
        timings=part.timings,
        rates=part.rates,
        trading=Mode.OFF,
        token_folder=settings.token_folder,
    ) as session:
        yield session


@asynccontextmanager
async def open_trading(settings: Settings, part: EnvironmentSettings) -> AsyncIterator[Session]:
    """A desk's session: mode, limits, halts and audit as the settings have them.

    Raises:
        AuditUnavailable: the audit is another's, such as a desk's that runs.
        ConnectFailed, AuthenticationFailed: no link.
    """
    only = replace(settings, environments={part.environment: part})
    async with open_desk(only) as desk:
        session = desk.session(part.environment)
        failure = desk.failure(part.environment)
        if failure is not None:
            raise failure
        if session.link is None and part.mode is not Mode.OFF:
            raise session.failure or ConnectFailed(session.reason)
        yield session


def newest_credentials(settings: Settings, part: EnvironmentSettings) -> Credentials:
    """Those of the settings, with the stored pair of tokens where there is one: it wins, as in every session."""
    credentials = part.credentials
    if settings.token_folder is None:
        return credentials
    try:
        origin = origin_of(credentials.access_token)
        store = TokenStore(settings.token_folder, part.environment)
        stored = store.find(credentials.client_id, credentials.account_id, origin=origin)
    except (TokensUnreadable, OSError):
        return credentials  # a session says what is wrong with the store; here the settings' own pair may still do
    return credentials if stored is None else credentials.with_tokens(stored.pair)


def known_secrets(*known: Credentials) -> list[str]:
    """The secrets of these credentials, to be hidden wherever a server says them back."""
    return [secret.reveal() for each in known for secret in (*each.sent, *each.never_sent)]


def secrets_of_settings(env_file: Path | None) -> list[Secret]:
    """All that is secret in the settings of both environments, and the newest stored tokens, as far as they are read.

    What the keys hold is known also where the settings as a whole cannot be used.
    """
    try:
        settings = load_settings(env_file)
    except SettingsError:
        return secrets_given(env_file)
    return _all_secrets(settings, env_file)


def _all_secrets(settings: Settings, env_file: Path | None) -> list[Secret]:
    newest = [newest_credentials(settings, part) for part in settings.environments.values()]
    return [*secrets_given(env_file), *(secret for credentials in newest for secret in credentials.sent)]


def refuse_anothers(data: bytes, settings: Settings, environment: Environment) -> None:
    """Sees that no secret of the other environment, as the settings and the store know it, is in what is to be sent.

    Raises:
        WrongEnvironment: it does.
    """
    for part in settings.environments.values():
        if part.environment is environment:
            continue
        known = (*part.credentials.sent, *newest_credentials(settings, part).sent)
        for secret in known:  # and not a password, which both may share and which may be any word
            if secret.reveal().encode() in data:
                raise WrongEnvironment(
                    f"this is refused: a secret of {part.environment.value} is in it, and it was to go to "
                    f"{environment.value}"
                )
