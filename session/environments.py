"""Demo and live: what each is, where it is to be found, and what may be asked of it."""

from __future__ import annotations

import enum
import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from .errors import SettingsError
from .proxies import PROXY_EXPECTS, Proxy
from .rules import check_fields, choice, described, file, host, proxy_url, whole

__all__ = [
    "NO_WSPROTO",
    "STANDARD_PORTS",
    "CodecName",
    "DelimitingName",
    "Endpoint",
    "Environment",
    "Mode",
    "TransportName",
    "check_endpoint",
    "endpoint_problems",
    "unanswered_hint",
]

CodecName = Literal["protobuf", "json"]
DelimitingName = Literal["length", "newline", "objects"]
TransportName = Literal["tcp", "websocket"]

STANDARD_PORTS: Final[Mapping[str, int]] = MappingProxyType({"protobuf": 5035, "json": 5036})
"""The port of each codec on the published hosts (docs/protocol.md section 1)."""

NO_WSPROTO: Final = "the library wsproto: pip install 'anyctrader[ws]'"
"""What a WebSocket needs, and how to get it."""

_NO_CODEC = "codec must be protobuf or json"


class Environment(enum.Enum):
    """Demo or live: two separate systems (docs/protocol.md section 1), never one in place of the other.

    There is no third value and no default: `Environment("prod")` is a `ValueError`.
    """

    DEMO = "demo"
    LIVE = "live"

    @property
    def host(self) -> str:
        """The published host; the nearest regional proxy is chosen behind the name."""
        return f"{self.value}.ctraderapi.com"

    @property
    def is_live(self) -> bool:
        """Whether real money is at stake. An account of it says the same in `isLive`."""
        return self is Environment.LIVE

    @property
    def other(self) -> Environment:
        """The one that this is not."""
        return Environment.DEMO if self.is_live else Environment.LIVE


class Mode(enum.Enum):
    """What may be asked of an environment, beside reading it."""

    OFF = "off"
    """Session and read requests only."""
    REDUCE_ONLY = "reduce_only"
    """What closes, cancels or tightens; nothing that opens."""
    ON = "on"
    """All that the limits allow."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to connect.

    Raises:
        SettingsError: a field breaks its rule.
    """

    host: str = field(
        metadata=described(
            host(),
            "host to connect to; one that is published for the other environment is refused",
            default="the published host: `demo.ctraderapi.com` or `live.ctraderapi.com`",
            reason="the nearest regional proxy is chosen behind the published name",
        )
    )
    port: int = field(
        metadata=described(
            whole(1, 65_535),
            "port to connect to; the standard port of the other codec is refused",
            default="5035 for `protobuf`, 5036 for `json`",
            reason="each port speaks one codec only",
        )
    )
    ca_file: Path | None = field(
        default=None,
        metadata=described(
            file(),
            "file of the certificate authorities to trust, in PEM, in place of the system's; relative to the "
            "working folder",
            default="the system's authorities",
            reason="the published hosts have ordinary public certificates; a fake server has its own authority",
        ),
    )

    delimiting: DelimitingName = field(
        default="length",
        metadata=described(
            choice("length", "newline", "objects"),
            "how JSON messages are told apart on TCP: four bytes of length, a line each, or objects one after "
            "the other; protobuf knows `length` alone",
            default="`length`",
            reason="no source is certain how the real server does it (docs/protocol.md section 19)",
        ),
    )

    transport: TransportName = field(
        default="tcp",
        metadata=described(
            choice("tcp", "websocket"),
            "what carries the messages over TLS: plain TCP, or a WebSocket with one in each of its messages",
            default="`tcp`",
            reason="for `json`, `websocket` is the way with evidence behind it: every known JSON client uses it "
            "(docs/protocol.md section 1). It needs the extra `ws`",
        ),
    )
    proxy: Proxy | None = field(
        default=None,
        metadata=described(
            proxy_url(),
            "HTTP proxy on the way there, asked to `CONNECT`; the certificate is verified through it as ever",
            default="the proxy that `HTTPS_PROXY` names, unless `NO_PROXY` has the host; else none",
            reason="secret where it holds a password",
        ),
    )
    # No setting: a line that is left behind in a file of settings would go on writing keys. A command line asks for it.
    key_log_file: Path | None = None
    """Where the TLS keys of each connection are written, for Wireshark: whoever has them and the traffic reads all."""

    def __post_init__(self) -> None:
        check_fields(self)

    @classmethod
    def published(cls, environment: Environment, codec: CodecName = "protobuf") -> Endpoint:
        """The endpoint that the documentation names for this environment and codec.

        Raises:
            SettingsError: there is no such codec.
        """
        if codec not in STANDARD_PORTS:
            raise SettingsError([_NO_CODEC])
        return cls(environment.host, STANDARD_PORTS[codec])

    @classmethod
    def chosen(
        cls,
        environment: Environment,
        codec: CodecName,
        *,
        host: str | None = None,
        port: int | None = None,
        ca_file: Path | str | None = None,
        delimiting: DelimitingName = "length",
        transport: TransportName = "tcp",
        proxy: Proxy | str | None = None,
    ) -> Endpoint:
        """The published endpoint but for what is given otherwise.

        Raises:
            SettingsError: a field breaks its rule, or cannot be meant for this environment and codec.
        """
        if isinstance(proxy, str):
            try:
                proxy = Proxy.from_url(proxy)
            except ValueError:
                raise SettingsError([f"proxy {PROXY_EXPECTS}"]) from None
        published = cls.published(environment, codec)
        endpoint = cls(
            host if host is not None else published.host,
            port if port is not None else published.port,
            Path(ca_file) if ca_file is not None else None,
            delimiting,
            transport,
            proxy,
        )
        check_endpoint(environment, endpoint, codec)
        return endpoint


def check_endpoint(environment: Environment, endpoint: Endpoint, codec: CodecName) -> None:
    """Refuses an endpoint that cannot be meant for this environment and codec.

    Raises:
        SettingsError: the host is published for the other environment (today's name, or one of the older
            regional ones), or the port is the standard one of the other codec. Nothing was connected.
    """
    if problems := endpoint_problems(environment, endpoint, codec):
        raise SettingsError(problems)


def endpoint_problems(environment: Environment, endpoint: Endpoint, codec: CodecName) -> list[str]:
    """What `check_endpoint` refuses: a sentence a problem, starting with the field; empty if nothing."""
    if codec not in STANDARD_PORTS:
        return [_NO_CODEC]
    problems = []
    if environment.other in _named_by(endpoint.host):
        problems.append(
            f"host is a host of {environment.other.value}, and these are the settings of {environment.value}"
        )
    if endpoint.port in STANDARD_PORTS.values() and endpoint.port != STANDARD_PORTS[codec]:
        problems.append("port is the standard one of the other codec: change the codec or the port")
    if codec == "protobuf" and endpoint.delimiting != "length":
        problems.append("delimiting is for json: protobuf always has four bytes of length")
    if endpoint.transport == "websocket":
        if endpoint.delimiting != "length":
            problems.append("delimiting is for the transport tcp: a WebSocket message holds one of ours")
        if not _is_there("wsproto"):
            problems.append(f"transport cannot be websocket without {NO_WSPROTO}")
    return problems


def unanswered_hint(endpoint: Endpoint, codec: CodecName) -> str:
    """What to tell whoever never got an answer from a server, as the end of a sentence; empty where nothing is."""
    if codec != "json" or endpoint.transport != "tcp":
        return ""
    return (
        "; nothing was ever answered. That JSON goes over plain TCP rests on a single source (docs/protocol.md section "
        '1): transport="websocket" (CTRADER_DEMO_TRANSPORT, CTRADER_LIVE_TRANSPORT) is the way that JSON clients use'
    )


def _is_there(library: str) -> bool:
    try:
        return importlib.util.find_spec(library) is not None
    except ImportError:
        return False


def _named_by(host: str) -> set[Environment]:
    """The environments that a host of the server's own domains names, as in `live-uk-eqx-01.p.ctrader.com`."""
    name = host.lower()
    if not name.endswith((".ctraderapi.com", ".ctrader.com")):
        return set()
    words = re.split(r"[^a-z]+", name)
    return {environment for environment in Environment if environment.value in words}
