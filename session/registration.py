"""What `anyctrader login` needs to know of an environment, before there is a token."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import loading
from .authorities import check_authorities
from .errors import SettingsError
from .proxies import ProxyChoice

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .environments import CodecName, Endpoint, Environment
    from .secret import Secret

__all__ = ["Registration", "load_registration"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """An application as it is registered, and where its tokens are used and kept.

    Attributes:
        environment: which one.
        client_id: of the application.
        client_secret: of the application.
        redirect_uri: where its consent page leads back to.
        codec: `"protobuf"` or `"json"`.
        endpoint: the server.
        proxies: by which proxy any other host is reached, such as that of the OAuth service.
        token_folder: where its token file is.
    """

    environment: Environment
    client_id: str
    client_secret: Secret
    redirect_uri: str
    codec: CodecName
    endpoint: Endpoint
    token_folder: Path
    proxies: ProxyChoice = field(default_factory=ProxyChoice)


def load_registration(
    environment: Environment, env_file: Path | str | None = None, *, environ: Mapping[str, str] | None = None
) -> Registration:
    """Reads the keys of one environment that a login needs; the token and the account may be missing yet.

    Args:
        environment: which one.
        env_file: see `load_settings`.
        environ: what to read in place of the process environment.

    Raises:
        SettingsError: see `load_settings`; or the file of authorities cannot be used.
    """
    outcome = loading.registration_of(environment, env_file, environ)
    del environ  # a traceback that is shown with the variables of its frames must find no value here
    if isinstance(outcome, list):
        raise SettingsError(outcome)
    registration = Registration(environment=environment, **outcome)
    check_authorities({environment: registration.endpoint})
    return registration
