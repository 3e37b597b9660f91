"""The HTTP proxy on the way out, if there is one: what its address says, and which hosts are reached without it."""

from __future__ import annotations

import ipaddress
import re
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from .secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PROXY_EXPECTS", "PROXY_NAMES", "Proxy", "ProxyChoice", "is_exempt", "proxy_for"]

PROXY_EXPECTS = "must be of the form http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, with no path"
_WITH = ("https_proxy", "HTTPS_PROXY")  # the small letters win, as with curl
_WITHOUT = ("no_proxy", "NO_PROXY")
PROXY_NAMES = (*_WITH, *_WITHOUT)
"""The variables in which programs look for a proxy."""

_STANDARD_PORT = 80
_HOST = re.compile(r"[A-Za-z0-9_.-]{1,253}|[0-9A-Fa-f:.]{2,45}")


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy that is asked to `CONNECT`.

    TLS is spoken through it with the server itself, certificate and host name verified as ever: the proxy sees where
    we connect to, and nothing that is said.

    Attributes:
        host: a name or an address, without brackets.
        port: its port.
        user: `user:password`, or None.
    """

    host: str
    port: int
    user: Secret | None = field(default=None, repr=False)

    @classmethod
    def from_url(cls, url: str) -> Proxy:
        """Reads `http://user:password@host:port`; without a scheme it is http, without a port it is 80.

        Raises:
            ValueError: it is nothing of the kind. The text is `PROXY_EXPECTS` and has no part of `url`.
        """
        proxy = _read(url.strip())
        if proxy is None:
            raise ValueError(PROXY_EXPECTS)
        return proxy

    @property
    def authorization(self) -> str | None:
        """The value of `Proxy-Authorization` (RFC 7617), or None. A secret."""
        if self.user is None:
            return None
        return f"Basic {b64encode(self.user.reveal().encode()).decode()}"

    def masked(self, text: str) -> str:
        """A text of the proxy's own, with what it may repeat of our secrets covered."""
        if self.user is None:
            return text
        user = self.user.reveal()
        if self.authorization is not None:
            text = text.replace(self.authorization.removeprefix("Basic "), "***")
        for secret in (user, user.partition(":")[2]):
            if secret:
                text = re.sub("".join(map(_in_any_form, secret)), "***", text)
        return text

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def _in_any_form(char: str) -> str:
    """A pattern of this character, with percent signs as in an address (the longer form first), or as it is."""
    written = "".join(f"%{byte:02x}" for byte in char.encode())
    return f"(?:(?i:{written})|{re.escape(char)})"


def _read(url: str) -> Proxy | None:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port
    except ValueError:  # no port is so large; brackets that do not close
        return None
    if parts.scheme.lower() != "http" or not host or not _HOST.fullmatch(host):
        return None
    if parts.path not in ("", "/") or parts.query or parts.fragment or port == 0:
        return None
    user = None
    if parts.username is not None:
        text = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        if not text.isprintable():  # a line break in it would write a header of its own
            return None
        user = Secret(text)
    return Proxy(host, port if port is not None else _STANDARD_PORT, user)


def is_exempt(host: str, port: int, no_proxy: str) -> bool:
    """Whether `NO_PROXY` says that this host is reached without the proxy.

    Its entries are divided by commas or spaces. `*` is every host; a name is the host itself and all below it, with a
    dot before it or not; an address is itself, a block such as `10.0.0.0/8` all in it. `:port` behind an entry makes it
    that port's alone.
    """
    return any(_covers(entry, host.lower(), port) for entry in re.split(r"[,\s]+", no_proxy.lower()) if entry)


def _covers(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    address = _address(host)
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(\d+))?", entry)
    named = re.fullmatch(r"([^:]*):(\d+)", entry)
    if bracketed or named:
        entry, only = (bracketed or named).groups()  # type: ignore[union-attr]
        if only is not None and int(only) != port:
            return False
    if address is not None:
        try:
            return address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    name = entry.removeprefix("*").removeprefix(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class ProxyChoice:
    """By which proxy a host is reached, whichever it is.

    Attributes:
        proxy: the one for all that are not exempt, or None.
        no_proxy: which are; see `is_exempt`.
    """

    proxy: Proxy | None = None
    no_proxy: str = ""

    @classmethod
    def of(cls, texts: Mapping[str, str]) -> ProxyChoice:
        """What the variables of a process say.

        Raises:
            ValueError: see `proxy_for`.
        """
        name = next((name for name in _WITH if texts.get(name)), None)
        no_proxy = next((texts[name] for name in _WITHOUT if texts.get(name)), "")
        if name is None:
            return cls(None, no_proxy)
        try:
            return cls(Proxy.from_url(texts[name]), no_proxy)
        except ValueError:
            raise ValueError(f"{name} {PROXY_EXPECTS}") from None

    def towards(self, host: str, port: int) -> Proxy | None:
        """The proxy for this host, or None."""
        return None if is_exempt(host, port, self.no_proxy) else self.proxy


def proxy_for(host: str, port: int, texts: Mapping[str, str]) -> Proxy | None:
    """The proxy that the variables of a process name for a host, or None.

    Raises:
        ValueError: the address cannot be used. The text begins with the variable's name and has no part of its value.
    """
    no_proxy = next((texts[name] for name in _WITHOUT if texts.get(name)), "")
    return None if is_exempt(host, port, no_proxy) else ProxyChoice.of(texts).proxy
