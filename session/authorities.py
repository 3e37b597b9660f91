"""The files of certificate authorities that the settings name: looked at before anything connects or listens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import SettingsError
from .keys import prefix
from .transport import tls_context

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .environments import Endpoint, Environment

__all__ = ["check_authorities"]


def check_authorities(endpoints: Mapping[Environment, Endpoint]) -> None:
    """Sees that each file of authorities can be used.

    `load_settings` does not: what it reads serves commands too that never connect, and a halt must not fail for it.

    Raises:
        SettingsError: one cannot; its key and the file are named. Nothing was connected.
    """
    problems = []
    for environment, endpoint in endpoints.items():
        if endpoint.ca_file is None:
            continue
        try:
            certificates = tls_context(str(endpoint.ca_file)).cert_store_stats()["x509"]
        except OSError as error:  # ssl.SSLError is one
            why = getattr(error, "reason", None) or error.strerror or type(error).__name__
        else:
            if certificates:
                continue
            why = "there are none"
        shown = ascii(str(endpoint.ca_file))[1:-1]
        problems.append(f"{prefix(environment)}CA_FILE names {shown}, from which no certificates can be read ({why})")
    if problems:
        raise SettingsError(problems)
