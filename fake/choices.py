"""What nobody outside knows about the real server's sessions and subscriptions: the answers to choose from.

Each enum is a line of docs/protocol.md section 19 that concerns connections, tokens or subscriptions; which member is
the default is said in `settings`. Those of the exchange are in `variants`.
"""

from __future__ import annotations

import enum

__all__ = [
    "Breach",
    "DepthNeeds",
    "Disputed",
    "EarlyRequest",
    "Echo",
    "ExpiredToken",
    "FirstSpot",
    "Goodbye",
    "HeartbeatCost",
    "HeartbeatEffect",
    "IdleClose",
    "LimitCheck",
    "OAuthErrors",
    "Oversize",
    "PartialList",
    "RefreshEffect",
    "RefreshOrder",
    "ReplayedFills",
    "SecondAppAuth",
    "SecondSubscription",
    "UnknownClient",
    "ViewOnlyOrder",
    "Weekend",
    "Window",
]


class Oversize(enum.Enum):
    """What follows a frame that announces more bytes than the server takes."""

    ERROR_THEN_CLOSE = "error_then_close"
    CLOSE = "close"


class Echo(enum.Enum):
    """Whether a frame carries the `clientMsgId` of the request that it goes back to."""

    ECHOED = "echoed"
    EMPTY = "empty"


class Breach(enum.Enum):
    """The answer to a request above the rate."""

    BLOCKED = "blocked"
    """`BLOCKED_PAYLOAD_TYPE` with `retryAfter`; that payload type is locked until then."""
    FREQUENCY = "frequency"
    """`REQUEST_FREQUENCY_EXCEEDED`; the request is simply not done."""


class Window(enum.Enum):
    """How requests per second are counted."""

    SLIDING = "sliding"
    FIXED = "fixed"


class HeartbeatCost(enum.Enum):
    """Whether a heartbeat counts as an ordinary request."""

    FREE = "free"
    COUNTED = "counted"


class Disputed(enum.Enum):
    """How the history requests count that sources disagree on: order list, lists by position, details, offsets."""

    HISTORICAL = "historical"
    ORDINARY = "ordinary"


class LimitCheck(enum.Enum):
    """When the number of connections of an application is checked."""

    APP_AUTH = "app_auth"
    ACCEPT = "accept"
    """As soon as TLS stands; the application is not known yet, so all connections count."""


class IdleClose(enum.Enum):
    """What comes before the close of a silent connection."""

    NOTHING = "nothing"
    CLIENT_DISCONNECT = "client_disconnect"
    """`ProtoOAClientDisconnectEvent`."""


class HeartbeatEffect(enum.Enum):
    """Whether a heartbeat before application auth extends the time for it."""

    NONE = "none"
    EXTENDS = "extends"


class SecondAppAuth(enum.Enum):
    """The answer to an application auth on a connection that has one."""

    CLIENT_ALREADY_AUTHENTICATED = "CH_CLIENT_ALREADY_AUTHENTICATED"
    ALREADY_LOGGED_IN = "ALREADY_LOGGED_IN"
    SUCCESS = "success"


class EarlyRequest(enum.Enum):
    """The answer to a request before application auth."""

    NOT_AUTHENTICATED = "CH_CLIENT_NOT_AUTHENTICATED"
    INVALID_REQUEST = "INVALID_REQUEST"
    CLOSE = "close"


class UnknownClient(enum.Enum):
    """The code for a client id that does not exist."""

    AUTH_FAILURE = "CH_CLIENT_AUTH_FAILURE"
    NOT_FOUND = "CH_OA_CLIENT_NOT_FOUND"


class ExpiredToken(enum.Enum):
    """The code for an access token whose time is over."""

    INVALID = "CH_ACCESS_TOKEN_INVALID"
    EXPIRED = "OA_AUTH_TOKEN_EXPIRED"


class RefreshEffect(enum.Enum):
    """What a token refresh does to the account sessions that run on the old token."""

    BOTH_EVENTS = "both_events"
    """`ProtoOAAccountDisconnectEvent` and `ProtoOAAccountsTokenInvalidatedEvent`; subscriptions come back with the
    next authorisation."""
    DISCONNECT_ONLY = "disconnect_only"
    INVALIDATED_ONLY = "invalidated_only"
    SUBSCRIPTIONS_LOST = "subscriptions_lost"
    """Both events, and the subscriptions are gone."""
    NONE = "none"


class RefreshOrder(enum.Enum):
    """Whether the events of a refresh come before or after its response."""

    RESPONSE_FIRST = "response_first"
    EVENTS_FIRST = "events_first"


class ViewOnlyOrder(enum.Enum):
    """The answer to a trading request of a token with view scope."""

    TRADING_NOT_ALLOWED = "trading_not_allowed"
    """`ProtoOAOrderErrorEvent` with that code."""
    NOT_AUTHORIZED = "not_authorized"
    """`ProtoOAErrorRes` with `INVALID_REQUEST` and the text of an account that is not authorised."""


class FirstSpot(enum.Enum):
    """Where the technical spot event of a subscription stands."""

    AFTER_RESPONSE = "after_response"
    BEFORE_RESPONSE = "before_response"


class SecondSubscription(enum.Enum):
    """The code for a subscription that exists."""

    ALREADY_SUBSCRIBED = "ALREADY_SUBSCRIBED"
    INVALID_REQUEST = "INVALID_REQUEST"


class PartialList(enum.Enum):
    """A list of symbols of which some cannot be subscribed."""

    REFUSED = "refused"
    GOOD_ONES_SERVED = "good_ones_served"


class DepthNeeds(enum.Enum):
    """Whether depth needs a spot subscription first."""

    SPOTS = "spots"
    NOTHING = "nothing"


class OAuthErrors(enum.Enum):
    """The HTTP status of a refusal at the token address; the body has `errorCode` either way."""

    OK = 200
    BAD_REQUEST = 400


class ReplayedFills(enum.Enum):
    """Whether fills that nobody was connected for are sent to the next connection that authorises the account."""

    NO = "no"
    YES = "yes"
    """With the same deal ids, right after the answer."""


class Weekend(enum.Enum):
    """What a weekend does to connections."""

    ACCOUNTS_DROPPED = "accounts_dropped"
    LINKS_CLOSED = "links_closed"
    TLS_REFUSED = "tls_refused"


class Goodbye(enum.Enum):
    """How the server ends a whole application session."""

    EVENT_THEN_CLOSE = "event_then_close"
    """`ProtoOAClientDisconnectEvent`, and the close within `Timing.goodbye_s`."""
    CLOSE = "close"
