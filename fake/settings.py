"""What a fake server is started with: its timing, its limits, and every open question as a setting.

The defaults are those of docs/protocol.md sections 18 and 19.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..wire.framing import MAX_FRAME_SIZE, Delimiting
from .agenda import Clock
from .bounds import check_bounds
from .choices import (
    Breach,
    DepthNeeds,
    Disputed,
    EarlyRequest,
    Echo,
    ExpiredToken,
    FirstSpot,
    Goodbye,
    HeartbeatCost,
    HeartbeatEffect,
    IdleClose,
    LimitCheck,
    OAuthErrors,
    Oversize,
    PartialList,
    RefreshEffect,
    RefreshOrder,
    ReplayedFills,
    SecondAppAuth,
    SecondSubscription,
    UnknownClient,
    ViewOnlyOrder,
    Weekend,
    Window,
)
from .exchange import ExchangeSettings
from .steps import Step
from .tokens import TokenPolicy

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

__all__ = ["AnswerVariants", "Host", "Limits", "ServerSettings", "Timing"]


class Host(enum.Enum):
    """Which of the two published hosts a server stands in for; it serves the accounts of that kind only."""

    DEMO = "demo"
    LIVE = "live"

    @property
    def is_live(self) -> bool:
        """What `ProtoOACtidTraderAccount.isLive` says of the accounts that this host serves."""
        return self is Host.LIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds, all of them (docs/protocol.md sections 4 and 18).

    Attributes:
        answer_s: from a request to its answer. Fills and follow-ups come on top (`Delays` of the exchange).
        heartbeat_s: the server beats after this long without other output.
        idle_s: silence of a client, once its application is authorised, after which it is closed.
        unauthenticated_s: from the start of a connection to its close if no application auth succeeds.
        handshake_s: given to a TLS handshake; the real figure is unknown.
        goodbye_s: from a client disconnect event to the close.
        closing_s: given to a client to take what is still to be written at the end of its connection, and to end TLS
            from its side.
    """

    answer_s: float = 0.045
    heartbeat_s: float = 30.0
    idle_s: float = 60.0
    unauthenticated_s: float = 30.0
    handshake_s: float = 15.0
    goodbye_s: float = 1.0
    closing_s: float = 2.0

    def __post_init__(self) -> None:
        check_bounds(self, *self.__slots__, least=0)

    @classmethod
    def instant(cls) -> Self:
        """Answers without delay; the other figures as they are."""
        return cls(answer_s=0.0)

    def scaled(self, factor: float) -> Timing:
        """The protocol's own intervals times `factor` (0.01: a hundred times faster); handshakes keep their time."""
        return replace(
            self,
            answer_s=self.answer_s * factor,
            heartbeat_s=self.heartbeat_s * factor,
            idle_s=self.idle_s * factor,
            unauthenticated_s=self.unauthenticated_s * factor,
            goodbye_s=self.goodbye_s * factor,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a client may ask for (docs/protocol.md sections 1 and 5).

    Attributes:
        ordinary_per_window: requests that are not historical, per connection.
        historical_per_window: historical ones, per connection, counted apart.
        window_s: length of the window.
        window: sliding or fixed.
        breach: the answer above the rate.
        breaches_before_close: a connection is closed at this many breaches; None for never.
        first_retry_after_s: `retryAfter` of the first breach; each further one within ten windows adds one ...
        longest_retry_after_s: ... up to this.
        heartbeats: whether they count.
        disputed: how the disputed history requests count.
        connections: of one application at once; None for any number.
        connections_checked: when that is checked.
        frame_bytes: the largest frame that is taken.
        oversize: what follows a larger one.
        outbox_bytes: what may wait for a client that does not read; above it the client is dropped. The largest
            answer there is, 14,000 bars, takes half a megabyte.
        list_entries: the most entries of a list in a request; one with more is refused INVALID_REQUEST. What the real
            server takes is not known; a broker lists some thousands of symbols, and nobody should ask so much at once
            that all other clients wait.
    """

    ordinary_per_window: int = 50
    historical_per_window: int = 5
    window_s: float = 1.0
    window: Window = Window.SLIDING
    breach: Breach = Breach.BLOCKED
    breaches_before_close: int | None = None
    first_retry_after_s: int = 1
    longest_retry_after_s: int = 5
    heartbeats: HeartbeatCost = HeartbeatCost.FREE
    disputed: Disputed = Disputed.HISTORICAL
    connections: int | None = 25
    connections_checked: LimitCheck = LimitCheck.APP_AUTH
    frame_bytes: int = MAX_FRAME_SIZE
    oversize: Oversize = Oversize.ERROR_THEN_CLOSE
    outbox_bytes: int = 8_000_000
    list_entries: int = 5_000

    def __post_init__(self) -> None:
        check_bounds(self, "window_s", least=0.001)
        check_bounds(self, "ordinary_per_window", "historical_per_window", "first_retry_after_s", least=1)
        check_bounds(self, "longest_retry_after_s", "breaches_before_close", "frame_bytes", "outbox_bytes", least=1)
        check_bounds(self, "list_entries", least=1)
        check_bounds(self, "connections", least=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerVariants:
    """The lines of docs/protocol.md section 19 that concern sessions, ids and subscriptions.

    Attributes:
        later_events: `clientMsgId` on the second and later events of one request.
        other_connections: the same on another connection's copy of an event.
        pending_fills: the same on the fill of a pending order, later.
        idle_close: what comes before the close of a silent connection.
        early_heartbeat: a heartbeat before application auth.
        second_app_auth: application auth twice.
        early_request: a request before application auth.
        unknown_client: a client id that does not exist.
        expired_token: an access token whose time is over.
        refresh_effect: what a refresh does to running account sessions.
        refresh_order: its events before or after its response.
        view_only_order: an order with a view-only token.
        first_spot: the technical spot event before or after the response.
        second_subscription: a duplicate subscription.
        partial_list: a list with some symbols that are unknown or subscribed already.
        depth_needs: depth without spots.
        replayed_fills: fills that happened while no connection held the account.
        weekend: what a weekend does.
        goodbye: how a whole application session is ended.
        oauth_errors: the HTTP status of a refused code or refresh token.
    """

    later_events: Echo = Echo.ECHOED
    other_connections: Echo = Echo.ECHOED
    pending_fills: Echo = Echo.EMPTY
    idle_close: IdleClose = IdleClose.NOTHING
    early_heartbeat: HeartbeatEffect = HeartbeatEffect.NONE
    second_app_auth: SecondAppAuth = SecondAppAuth.CLIENT_ALREADY_AUTHENTICATED
    early_request: EarlyRequest = EarlyRequest.NOT_AUTHENTICATED
    unknown_client: UnknownClient = UnknownClient.AUTH_FAILURE
    expired_token: ExpiredToken = ExpiredToken.INVALID
    refresh_effect: RefreshEffect = RefreshEffect.BOTH_EVENTS
    refresh_order: RefreshOrder = RefreshOrder.RESPONSE_FIRST
    view_only_order: ViewOnlyOrder = ViewOnlyOrder.TRADING_NOT_ALLOWED
    first_spot: FirstSpot = FirstSpot.AFTER_RESPONSE
    second_subscription: SecondSubscription = SecondSubscription.ALREADY_SUBSCRIBED
    partial_list: PartialList = PartialList.REFUSED
    depth_needs: DepthNeeds = DepthNeeds.SPOTS
    replayed_fills: ReplayedFills = ReplayedFills.NO
    weekend: Weekend = Weekend.ACCOUNTS_DROPPED
    goodbye: Goodbye = Goodbye.EVENT_THEN_CLOSE
    oauth_errors: OAuthErrors = OAuthErrors.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Everything that a `FakeServer` is told at its start.

    Attributes:
        host: which published host it stands in for.
        bind: the address that it listens on; loopback unless told otherwise.
        port: of protobuf; 0 lets the system choose.
        json_port: of JSON; 0 lets the system choose.
        oauth_port: of the OAuth pages over plain HTTP; 0 lets the system choose, None for none.
        control_port: where steps are taken while it runs, on 127.0.0.1 whatever `bind` says; 0 lets the system choose,
            None for none.
        json_delimiting: how JSON messages are told apart on the stream.
        version: what `ProtoOAVersionRes.version` says.
        seed: of the made-up credentials, of prices, slippage and the ids that the server writes: the same seed gives
            the same ones, another gives others. `exchange.seed` and `exchange.market.seed` count on top of it.
        exchange: accounts, symbols, prices and the exchange's own variants.
        timing: see `Timing`.
        limits: see `Limits`.
        variants: see `AnswerVariants`.
        tokens: how tokens live, where the server makes its own `Directory`.
        strict: whether the end of the server raises for anything that a client did wrong.
        tolerated: error codes that strictness lets pass.
        observations: how many of the newest observations are kept.
        steps: what happens while it runs, from its start on (see `Step`).
        clock_ms: the time of day in ms since the epoch that the server starts with; it goes on by the event loop's
            own clock. None for the system's.
        clock: what moves that time: the event loop, or nothing but `FakeServer.pass_time`. Handshakes and closes wait
            for a real peer and keep to real time either way.
        log: gets a line for everything the server thinks of its clients; None for nobody.
    """

    host: Host = Host.DEMO
    bind: str = "127.0.0.1"
    port: int = 0
    json_port: int = 0
    oauth_port: int | None = 0
    control_port: int | None = None
    json_delimiting: Delimiting = Delimiting.LENGTH
    version: str = "91"
    seed: str = ""
    exchange: ExchangeSettings = field(default_factory=ExchangeSettings)
    timing: Timing = field(default_factory=Timing)
    limits: Limits = field(default_factory=Limits)
    variants: AnswerVariants = field(default_factory=AnswerVariants)
    tokens: TokenPolicy = field(default_factory=TokenPolicy)
    strict: bool = False
    tolerated: frozenset[str] = frozenset()
    observations: int = 10_000
    steps: tuple[Step, ...] = ()
    clock_ms: int | None = None
    clock: Clock = Clock.RUNNING
    log: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        check_bounds(self, "port", "json_port", "oauth_port", "control_port", least=0, most=65_535)
        check_bounds(self, "observations", least=1)
