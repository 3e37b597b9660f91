"""The message classes and enums of the cTrader Open API, by their published names.

Made from the .proto files by compile.py: do not edit.
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Final, Literal, final

from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.internal.containers import RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer
from google.protobuf.message import Message

POOL: Final[DescriptorPool]
MESSAGES: Final[Mapping[str, type[Message]]]
ENUMS: Final[Mapping[str, type[IntEnum]]]
ENUM_FIELDS: Final[Mapping[str, Mapping[str, type[IntEnum]]]]

class ProtoPayloadType(IntEnum):
    """Payload types of the common messages."""
    PROTO_MESSAGE = 5
    ERROR_RES = 50
    HEARTBEAT_EVENT = 51

class ProtoErrorCode(IntEnum):
    """Errors of the proxy itself. They travel as strings, by these names."""
    UNKNOWN_ERROR = 1
    UNSUPPORTED_MESSAGE = 2
    INVALID_REQUEST = 3
    """Bad input, and also a lost account session: the description tells."""
    TIMEOUT_ERROR = 5
    """Nobody answered in time; an order may have been executed all the same."""
    ENTITY_NOT_FOUND = 6
    CANT_ROUTE_REQUEST = 7
    """The account belongs to the other environment, or its broker cannot be reached."""
    FRAME_TOO_LONG = 8
    MARKET_CLOSED = 9
    CONCURRENT_MODIFICATION = 10
    """The order is being executed right now."""
    BLOCKED_PAYLOAD_TYPE = 11
    """Rate limit of this payload type; see ProtoOAErrorRes.retryAfter."""

class ProtoOAPayloadType(IntEnum):
    """Which message an envelope carries: each number belongs to one message, as the default of its
    payloadType.
    """
    PROTO_OA_APPLICATION_AUTH_REQ = 2100
    PROTO_OA_APPLICATION_AUTH_RES = 2101
    PROTO_OA_ACCOUNT_AUTH_REQ = 2102
    PROTO_OA_ACCOUNT_AUTH_RES = 2103
    PROTO_OA_VERSION_REQ = 2104
    PROTO_OA_VERSION_RES = 2105
    PROTO_OA_NEW_ORDER_REQ = 2106
    PROTO_OA_TRAILING_SL_CHANGED_EVENT = 2107
    PROTO_OA_CANCEL_ORDER_REQ = 2108
    PROTO_OA_AMEND_ORDER_REQ = 2109
    PROTO_OA_AMEND_POSITION_SLTP_REQ = 2110
    PROTO_OA_CLOSE_POSITION_REQ = 2111
    PROTO_OA_ASSET_LIST_REQ = 2112
    PROTO_OA_ASSET_LIST_RES = 2113
    PROTO_OA_SYMBOLS_LIST_REQ = 2114
    PROTO_OA_SYMBOLS_LIST_RES = 2115
    PROTO_OA_SYMBOL_BY_ID_REQ = 2116
    PROTO_OA_SYMBOL_BY_ID_RES = 2117
    PROTO_OA_SYMBOLS_FOR_CONVERSION_REQ = 2118
    PROTO_OA_SYMBOLS_FOR_CONVERSION_RES = 2119
    PROTO_OA_SYMBOL_CHANGED_EVENT = 2120
    PROTO_OA_TRADER_REQ = 2121
    PROTO_OA_TRADER_RES = 2122
    PROTO_OA_TRADER_UPDATE_EVENT = 2123
    PROTO_OA_RECONCILE_REQ = 2124
    PROTO_OA_RECONCILE_RES = 2125
    PROTO_OA_EXECUTION_EVENT = 2126
    PROTO_OA_SUBSCRIBE_SPOTS_REQ = 2127
    PROTO_OA_SUBSCRIBE_SPOTS_RES = 2128
    PROTO_OA_UNSUBSCRIBE_SPOTS_REQ = 2129
    PROTO_OA_UNSUBSCRIBE_SPOTS_RES = 2130
    PROTO_OA_SPOT_EVENT = 2131
    PROTO_OA_ORDER_ERROR_EVENT = 2132
    PROTO_OA_DEAL_LIST_REQ = 2133
    PROTO_OA_DEAL_LIST_RES = 2134
    PROTO_OA_SUBSCRIBE_LIVE_TRENDBAR_REQ = 2135
    PROTO_OA_UNSUBSCRIBE_LIVE_TRENDBAR_REQ = 2136
    PROTO_OA_GET_TRENDBARS_REQ = 2137
    PROTO_OA_GET_TRENDBARS_RES = 2138
    PROTO_OA_EXPECTED_MARGIN_REQ = 2139
    PROTO_OA_EXPECTED_MARGIN_RES = 2140
    PROTO_OA_MARGIN_CHANGED_EVENT = 2141
    PROTO_OA_ERROR_RES = 2142
    PROTO_OA_CASH_FLOW_HISTORY_LIST_REQ = 2143
    PROTO_OA_CASH_FLOW_HISTORY_LIST_RES = 2144
    PROTO_OA_GET_TICKDATA_REQ = 2145
    PROTO_OA_GET_TICKDATA_RES = 2146
    PROTO_OA_ACCOUNTS_TOKEN_INVALIDATED_EVENT = 2147
    PROTO_OA_CLIENT_DISCONNECT_EVENT = 2148
    PROTO_OA_GET_ACCOUNTS_BY_ACCESS_TOKEN_REQ = 2149
    PROTO_OA_GET_ACCOUNTS_BY_ACCESS_TOKEN_RES = 2150
    PROTO_OA_GET_CTID_PROFILE_BY_TOKEN_REQ = 2151
    PROTO_OA_GET_CTID_PROFILE_BY_TOKEN_RES = 2152
    PROTO_OA_ASSET_CLASS_LIST_REQ = 2153
    PROTO_OA_ASSET_CLASS_LIST_RES = 2154
    PROTO_OA_DEPTH_EVENT = 2155
    PROTO_OA_SUBSCRIBE_DEPTH_QUOTES_REQ = 2156
    PROTO_OA_SUBSCRIBE_DEPTH_QUOTES_RES = 2157
    PROTO_OA_UNSUBSCRIBE_DEPTH_QUOTES_REQ = 2158
    PROTO_OA_UNSUBSCRIBE_DEPTH_QUOTES_RES = 2159
    PROTO_OA_SYMBOL_CATEGORY_REQ = 2160
    PROTO_OA_SYMBOL_CATEGORY_RES = 2161
    PROTO_OA_ACCOUNT_LOGOUT_REQ = 2162
    PROTO_OA_ACCOUNT_LOGOUT_RES = 2163
    PROTO_OA_ACCOUNT_DISCONNECT_EVENT = 2164
    PROTO_OA_SUBSCRIBE_LIVE_TRENDBAR_RES = 2165
    PROTO_OA_UNSUBSCRIBE_LIVE_TRENDBAR_RES = 2166
    PROTO_OA_MARGIN_CALL_LIST_REQ = 2167
    PROTO_OA_MARGIN_CALL_LIST_RES = 2168
    PROTO_OA_MARGIN_CALL_UPDATE_REQ = 2169
    PROTO_OA_MARGIN_CALL_UPDATE_RES = 2170
    PROTO_OA_MARGIN_CALL_UPDATE_EVENT = 2171
    PROTO_OA_MARGIN_CALL_TRIGGER_EVENT = 2172
    PROTO_OA_REFRESH_TOKEN_REQ = 2173
    PROTO_OA_REFRESH_TOKEN_RES = 2174
    PROTO_OA_ORDER_LIST_REQ = 2175
    PROTO_OA_ORDER_LIST_RES = 2176
    PROTO_OA_GET_DYNAMIC_LEVERAGE_REQ = 2177
    PROTO_OA_GET_DYNAMIC_LEVERAGE_RES = 2178
    PROTO_OA_DEAL_LIST_BY_POSITION_ID_REQ = 2179
    PROTO_OA_DEAL_LIST_BY_POSITION_ID_RES = 2180
    PROTO_OA_ORDER_DETAILS_REQ = 2181
    PROTO_OA_ORDER_DETAILS_RES = 2182
    PROTO_OA_ORDER_LIST_BY_POSITION_ID_REQ = 2183
    PROTO_OA_ORDER_LIST_BY_POSITION_ID_RES = 2184
    PROTO_OA_DEAL_OFFSET_LIST_REQ = 2185
    PROTO_OA_DEAL_OFFSET_LIST_RES = 2186
    PROTO_OA_GET_POSITION_UNREALIZED_PNL_REQ = 2187
    PROTO_OA_GET_POSITION_UNREALIZED_PNL_RES = 2188

class ProtoOADayOfWeek(IntEnum):
    """A day, or none."""
    NONE = 0
    MONDAY = 1
    TUESDAY = 2
    WEDNESDAY = 3
    THURSDAY = 4
    FRIDAY = 5
    SATURDAY = 6
    SUNDAY = 7

class ProtoOACommissionType(IntEnum):
    """What ProtoOASymbol.preciseTradingCommissionRate is a rate of."""
    USD_PER_MILLION_USD = 1
    """USD for each million USD traded."""
    USD_PER_LOT = 2
    """USD for each lot."""
    PERCENTAGE_OF_VALUE = 3
    """Percent of the value traded; the rate is scaled by 10^5, not 10^8."""
    QUOTE_CCY_PER_LOT = 4
    """Quote currency for each lot."""

class ProtoOASymbolDistanceType(IntEnum):
    """Unit of the smallest distances of protective prices."""
    SYMBOL_DISTANCE_IN_POINTS = 1
    SYMBOL_DISTANCE_IN_PERCENTAGE = 2

class ProtoOAMinCommissionType(IntEnum):
    """Currency of the smallest commission."""
    CURRENCY = 1
    """The one named in minCommissionAsset."""
    QUOTE_CURRENCY = 2
    """The quote currency of the symbol."""

class ProtoOATradingMode(IntEnum):
    """Whether a symbol can be traded."""
    ENABLED = 0
    DISABLED_WITHOUT_PENDINGS_EXECUTION = 1
    """No trading; pending orders do not fill either."""
    DISABLED_WITH_PENDINGS_EXECUTION = 2
    """No new orders; pending ones still fill."""
    CLOSE_ONLY_MODE = 3
    """Positions can be closed, not opened."""

class ProtoOASwapCalculationType(IntEnum):
    """Unit of swapLong and swapShort."""
    PIPS = 0
    PERCENTAGE = 1
    """Percent a year."""
    POINTS = 2

class ProtoOAAccessRights(IntEnum):
    """What the owner may do with an account."""
    FULL_ACCESS = 0
    """Everything."""
    CLOSE_ONLY = 1
    """Close what is open."""
    NO_TRADING = 2
    """Look."""
    NO_LOGIN = 3
    """Nothing."""

class ProtoOATotalMarginCalculationType(IntEnum):
    """How the margins of the two sides of a symbol make one."""
    MAX = 0
    """The larger one."""
    SUM = 1
    """Both."""
    NET = 2
    """The difference."""

class ProtoOAAccountType(IntEnum):
    """How an account books trades."""
    HEDGED = 0
    """Each order opens a position of its own, both sides at once if wanted."""
    NETTED = 1
    """One position a symbol; an opposite order reduces it."""
    SPREAD_BETTING = 2

class ProtoOAPositionStatus(IntEnum):
    """Where a position is in its life."""
    POSITION_STATUS_OPEN = 1
    POSITION_STATUS_CLOSED = 2
    POSITION_STATUS_CREATED = 3
    """Reserved when its order was accepted; volume is 0 until a fill."""
    POSITION_STATUS_ERROR = 4

class ProtoOATradeSide(IntEnum):
    """Direction of an order, a deal or a position."""
    BUY = 1
    SELL = 2

class ProtoOAOrderType(IntEnum):
    """Kind of order."""
    MARKET = 1
    LIMIT = 2
    STOP = 3
    STOP_LOSS_TAKE_PROFIT = 4
    """The protection of a position, made by the server; cannot be asked for."""
    MARKET_RANGE = 5
    """Market, within slippageInPoints of baseSlippagePrice."""
    STOP_LIMIT = 6
    """At stopPrice becomes a limit order within slippageInPoints."""

class ProtoOATimeInForce(IntEnum):
    """How long an order stands."""
    GOOD_TILL_DATE = 1
    """Until expirationTimestamp."""
    GOOD_TILL_CANCEL = 2
    IMMEDIATE_OR_CANCEL = 3
    """Fills what it can at once; the rest is cancelled. Market orders always are."""
    FILL_OR_KILL = 4
    """All at once, or nothing."""
    MARKET_ON_OPEN = 5

class ProtoOAOrderStatus(IntEnum):
    """Where an order is in its life. What was filled before an end counts: see executedVolume."""
    ORDER_STATUS_ACCEPTED = 1
    ORDER_STATUS_FILLED = 2
    """All of it."""
    ORDER_STATUS_REJECTED = 3
    ORDER_STATUS_EXPIRED = 4
    ORDER_STATUS_CANCELLED = 5

class ProtoOAOrderTriggerMethod(IntEnum):
    """Which side of the quote sets off a stop, and how often it must be seen."""
    TRADE = 1
    """Entries: BUY by the ask, SELL by the bid. Protection of a long position: the bid, of a short one: the
    ask.
    """
    OPPOSITE = 2
    """The other side of the quote than TRADE."""
    DOUBLE_TRADE = 3
    """As TRADE, two ticks in a row."""
    DOUBLE_OPPOSITE = 4
    """As OPPOSITE, two ticks in a row."""

class ProtoOAExecutionType(IntEnum):
    """What an execution event reports. There is no 1."""
    ORDER_ACCEPTED = 2
    """Checked and taken; no fill yet."""
    ORDER_FILLED = 3
    ORDER_REPLACED = 4
    """Amended; the orderId stays."""
    ORDER_CANCELLED = 5
    ORDER_EXPIRED = 6
    """Its expirationTimestamp passed."""
    ORDER_REJECTED = 7
    """Refused; errorCode says why."""
    ORDER_CANCEL_REJECTED = 8
    """It could not be cancelled; the order stands as it was."""
    SWAP = 9
    """An overnight charge was booked; comes without an order."""
    DEPOSIT_WITHDRAW = 10
    """Cash moved; comes without an order."""
    ORDER_PARTIAL_FILL = 11
    BONUS_DEPOSIT_WITHDRAW = 12
    """A bonus moved; comes without an order."""

class ProtoOAChangeBonusType(IntEnum):
    """Direction of a bonus operation."""
    BONUS_DEPOSIT = 0
    BONUS_WITHDRAW = 1

class ProtoOAChangeBalanceType(IntEnum):
    """Why a balance changed other than by a deal. Numbers 2 and 23 to 26 are not published."""
    BALANCE_DEPOSIT = 0
    BALANCE_WITHDRAW = 1
    BALANCE_DEPOSIT_STRATEGY_COMMISSION_INNER = 3
    """Fee earned from accounts that copy a strategy."""
    BALANCE_WITHDRAW_STRATEGY_COMMISSION_INNER = 4
    """Fee paid for copying a strategy."""
    BALANCE_DEPOSIT_IB_COMMISSIONS = 5
    """Introducing broker: from its clients."""
    BALANCE_WITHDRAW_IB_SHARED_PERCENTAGE = 6
    BALANCE_DEPOSIT_IB_SHARED_PERCENTAGE_FROM_SUB_IB = 7
    BALANCE_DEPOSIT_IB_SHARED_PERCENTAGE_FROM_BROKER = 8
    BALANCE_DEPOSIT_REBATE = 9
    BALANCE_WITHDRAW_REBATE = 10
    BALANCE_DEPOSIT_STRATEGY_COMMISSION_OUTER = 11
    BALANCE_WITHDRAW_STRATEGY_COMMISSION_OUTER = 12
    BALANCE_WITHDRAW_BONUS_COMPENSATION = 13
    BALANCE_WITHDRAW_IB_SHARED_PERCENTAGE_TO_BROKER = 14
    BALANCE_DEPOSIT_DIVIDENDS = 15
    BALANCE_WITHDRAW_DIVIDENDS = 16
    """Owed by short positions."""
    BALANCE_WITHDRAW_GSL_CHARGE = 17
    """Price of a guaranteed stop loss."""
    BALANCE_WITHDRAW_ROLLOVER = 18
    """Charge in place of swap on swap-free accounts."""
    BALANCE_DEPOSIT_NONWITHDRAWABLE_BONUS = 19
    BALANCE_WITHDRAW_NONWITHDRAWABLE_BONUS = 20
    BALANCE_DEPOSIT_SWAP = 21
    BALANCE_WITHDRAW_SWAP = 22
    BALANCE_DEPOSIT_MANAGEMENT_FEE = 27
    BALANCE_WITHDRAW_MANAGEMENT_FEE = 28
    BALANCE_DEPOSIT_PERFORMANCE_FEE = 29
    BALANCE_WITHDRAW_FOR_SUBACCOUNT = 30
    BALANCE_DEPOSIT_TO_SUBACCOUNT = 31
    BALANCE_WITHDRAW_FROM_SUBACCOUNT = 32
    BALANCE_DEPOSIT_FROM_SUBACCOUNT = 33
    BALANCE_WITHDRAW_COPY_FEE = 34
    BALANCE_WITHDRAW_INACTIVITY_FEE = 35
    BALANCE_DEPOSIT_TRANSFER = 36
    """From another account at the same broker."""
    BALANCE_WITHDRAW_TRANSFER = 37
    """To another account at the same broker."""
    BALANCE_DEPOSIT_CONVERTED_BONUS = 38
    BALANCE_DEPOSIT_NEGATIVE_BALANCE_PROTECTION = 39
    """Lifts a negative balance back to 0."""

class ProtoOADealStatus(IntEnum):
    """What became of a deal. There is no 1."""
    FILLED = 2
    PARTIALLY_FILLED = 3
    REJECTED = 4
    """By the liquidity provider."""
    INTERNALLY_REJECTED = 5
    """By the broker's server, before the provider saw it."""
    ERROR = 6
    """The provider could not process it."""
    MISSED = 7
    """The provider did not answer in time."""

class ProtoOATrendbarPeriod(IntEnum):
    """Length of a bar: minutes, hours, a day, a week, a month. The numbers are only an order."""
    M1 = 1
    M2 = 2
    M3 = 3
    M4 = 4
    M5 = 5
    M10 = 6
    M15 = 7
    M30 = 8
    H1 = 9
    H4 = 10
    H12 = 11
    D1 = 12
    W1 = 13
    MN1 = 14

class ProtoOAQuoteType(IntEnum):
    """Side of a quote."""
    BID = 1
    ASK = 2

class ProtoOAClientPermissionScope(IntEnum):
    """What an access token allows."""
    SCOPE_VIEW = 0
    """Reading only."""
    SCOPE_TRADE = 1
    """Everything."""

class ProtoOANotificationType(IntEnum):
    """Which of an account's three margin calls; they differ in threshold only."""
    MARGIN_LEVEL_THRESHOLD_1 = 61
    MARGIN_LEVEL_THRESHOLD_2 = 62
    MARGIN_LEVEL_THRESHOLD_3 = 63

class ProtoOAErrorCode(IntEnum):
    """Errors that answer a request. They travel as strings, by these names; unlisted strings occur."""
    OA_AUTH_TOKEN_EXPIRED = 1
    """The access token is past its time: refresh it."""
    ACCOUNT_NOT_AUTHORIZED = 2
    """No session for this account; servers often say INVALID_REQUEST instead."""
    RET_NO_SUCH_LOGIN = 12
    """The account is gone."""
    ALREADY_LOGGED_IN = 14
    """The account has a session on this connection already: as good as success."""
    RET_ACCOUNT_DISABLED = 64
    CH_CLIENT_AUTH_FAILURE = 101
    """Wrong client id or secret, or the application is not active yet."""
    CH_CLIENT_NOT_AUTHENTICATED = 102
    """Application authorisation comes first."""
    CH_CLIENT_ALREADY_AUTHENTICATED = 103
    """It was done before: as good as success."""
    CH_ACCESS_TOKEN_INVALID = 104
    """Unknown, revoked or replaced."""
    CH_SERVER_NOT_REACHABLE = 105
    """The broker's server is away."""
    CH_CTID_TRADER_ACCOUNT_NOT_FOUND = 106
    """No such account; also when a traderLogin was sent for an account id."""
    CH_OA_CLIENT_NOT_FOUND = 107
    REQUEST_FREQUENCY_EXCEEDED = 108
    """Too many requests; this one was not done."""
    SERVER_IS_UNDER_MAINTENANCE = 109
    """See maintenanceEndTimestamp."""
    CHANNEL_IS_BLOCKED = 110
    CONNECTIONS_LIMIT_EXCEEDED = 67
    """The application has too many connections."""
    WORSE_GSL_NOT_ALLOWED = 68
    """A guaranteed stop loss cannot be moved to a larger loss."""
    SYMBOL_HAS_HOLIDAY = 69
    NOT_SUBSCRIBED_TO_SPOTS = 112
    """Live bars and depth need a spot subscription first."""
    ALREADY_SUBSCRIBED = 113
    """As good as success."""
    SYMBOL_NOT_FOUND = 114
    UNKNOWN_SYMBOL = 115
    """As SYMBOL_NOT_FOUND."""
    INCORRECT_BOUNDARIES = 35
    """The times asked for are in the wrong order, or too far apart."""
    NO_QUOTES = 117
    """No price to trade at right now."""
    NOT_ENOUGH_MONEY = 118
    MAX_EXPOSURE_REACHED = 119
    """Limit of the account for this symbol and side."""
    POSITION_NOT_FOUND = 120
    ORDER_NOT_FOUND = 121
    POSITION_NOT_OPEN = 122
    POSITION_LOCKED = 123
    """An order is at work on the position."""
    TOO_MANY_POSITIONS = 124
    """Positions and orders are counted together."""
    TRADING_BAD_VOLUME = 125
    TRADING_BAD_STOPS = 126
    TRADING_BAD_PRICES = 127
    TRADING_BAD_STAKE = 128
    PROTECTION_IS_TOO_CLOSE_TO_MARKET = 129
    TRADING_BAD_EXPIRATION_DATE = 130
    """expirationTimestamp is not acceptable."""
    PENDING_EXECUTION = 131
    """An order on the position is being executed; it cannot change now."""
    TRADING_DISABLED = 132
    """For this symbol."""
    TRADING_NOT_ALLOWED = 133
    """For this account."""
    UNABLE_TO_CANCEL_ORDER = 134
    UNABLE_TO_AMEND_ORDER = 135
    SHORT_SELLING_NOT_ALLOWED = 136

class ProtoOALimitedRiskMarginCalculationStrategy(IntEnum):
    """What the margin of a limited-risk account is computed from (GSL: guaranteed stop loss)."""
    ACCORDING_TO_LEVERAGE = 0
    ACCORDING_TO_GSL = 1
    ACCORDING_TO_GSL_AND_LEVERAGE = 2

class ProtoOAStopOutStrategy(IntEnum):
    """Which position a stop-out closes first."""
    MOST_MARGIN_USED_FIRST = 0
    MOST_LOSING_FIRST = 1

@final
class ProtoMessage(Message):
    """The envelope: every frame is one of these."""
    payloadType: int
    """Says what payload is: a ProtoPayloadType or a ProtoOAPayloadType. Unknown ones occur, servers may be
    newer.
    """
    payload: bytes
    """The message, serialised; may be absent where it has no content of its own."""
    clientMsgId: str
    """Chosen by the client, given back in the answer."""
    def __init__(
        self,
        *,
        payloadType: int | None = ...,
        payload: bytes | None = ...,
        clientMsgId: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "payload", "clientMsgId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "payload", "clientMsgId"]) -> None: ...

@final
class ProtoErrorRes(Message):
    """An error of the proxy, about no account in particular."""
    payloadType: int
    errorCode: str
    """Name of a ProtoErrorCode or a ProtoOAErrorCode, or a string in neither."""
    description: str
    maintenanceEndTimestamp: int
    """ms, but seconds have been documented too: below 10^11 it is seconds."""
    def __init__(
        self,
        *,
        payloadType: ProtoPayloadType | int | None = ...,
        errorCode: str | None = ...,
        description: str | None = ...,
        maintenanceEndTimestamp: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "errorCode", "description", "maintenanceEndTimestamp"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "errorCode", "description", "maintenanceEndTimestamp"]) -> None: ...

@final
class ProtoHeartbeatEvent(Message):
    """Sign of life in both directions; no answer is due. A client sends one after at most 10 s of silence."""
    payloadType: int
    def __init__(
        self,
        *,
        payloadType: ProtoPayloadType | int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType"]) -> None: ...

@final
class ProtoOAAsset(Message):
    """A currency, metal, coin: what symbols are made of."""
    assetId: int
    name: str
    displayName: str
    digits: int
    """Decimals of its amounts."""
    def __init__(
        self,
        *,
        assetId: int | None = ...,
        name: str | None = ...,
        displayName: str | None = ...,
        digits: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["assetId", "name", "displayName", "digits"]) -> bool: ...
    def ClearField(self, field_name: Literal["assetId", "name", "displayName", "digits"]) -> None: ...

@final
class ProtoOASymbol(Message):
    """All trading terms of a symbol."""
    symbolId: int
    digits: int
    """Decimals of its prices."""
    pipPosition: int
    """Which decimal is one pip: 4 means 0.0001."""
    enableShortSelling: bool
    guaranteedStopLoss: bool
    """Limited-risk accounts may use one here."""
    swapRollover3Days: int
    """Day on which swap counts three times."""
    swapLong: float
    """In the unit of swapCalculationType."""
    swapShort: float
    """In the unit of swapCalculationType."""
    maxVolume: int
    """hundredths of a unit, of an order"""
    minVolume: int
    """hundredths of a unit, of an order"""
    stepVolume: int
    """hundredths of a unit; volumes are multiples of it"""
    maxExposure: int
    """hundredths of a unit; most that an account may hold"""
    @property
    def schedule(self) -> RepeatedCompositeFieldContainer[ProtoOAInterval]:
        """When it trades, in scheduleTimeZone."""
    commission: int
    """Use preciseTradingCommissionRate."""
    commissionType: int
    """What the commission rate is per."""
    slDistance: int
    """Smallest distance of a stop loss from the market, in the unit of distanceSetIn."""
    tpDistance: int
    """The same for a take profit."""
    gslDistance: int
    """The same for a guaranteed stop loss."""
    gslCharge: int
    """Price of a guaranteed stop loss; its scale is not published."""
    distanceSetIn: int
    minCommission: int
    """Use preciseMinCommission."""
    minCommissionType: int
    minCommissionAsset: str
    """Currency of preciseMinCommission, by name."""
    rolloverCommission: int
    """USD a lot and day, in place of swap on swap-free accounts; its scale is not published."""
    skipRolloverDays: int
    """Days before rolloverCommission is first charged."""
    scheduleTimeZone: str
    """Name in the IANA time zone database."""
    tradingMode: int
    rolloverCommission3Days: int
    """Day on which rolloverCommission counts three times."""
    swapCalculationType: int
    lotSize: int
    """hundredths of a unit in one lot"""
    preciseTradingCommissionRate: int
    """Commission * 10^8, or * 10^5 when commissionType is PERCENTAGE_OF_VALUE."""
    preciseMinCommission: int
    """Smallest commission of a trade * 10^8."""
    @property
    def holiday(self) -> RepeatedCompositeFieldContainer[ProtoOAHoliday]:
        ...
    pnlConversionFeeRate: int
    """Hundredths of a percent of gross profit, where the quote asset is not the deposit asset."""
    leverageId: int
    """For ProtoOAGetDynamicLeverageByIDReq."""
    swapPeriod: int
    """Hours between swap charges."""
    swapTime: int
    """Minutes after 00:00 UTC of the first charge of a day."""
    skipSWAPPeriods: int
    """Swap periods before the first charge."""
    chargeSwapAtWeekends: bool
    measurementUnits: str
    """Name of the unit that volumes count."""
    def __init__(
        self,
        *,
        symbolId: int | None = ...,
        digits: int | None = ...,
        pipPosition: int | None = ...,
        enableShortSelling: bool | None = ...,
        guaranteedStopLoss: bool | None = ...,
        swapRollover3Days: ProtoOADayOfWeek | int | None = ...,
        swapLong: float | None = ...,
        swapShort: float | None = ...,
        maxVolume: int | None = ...,
        minVolume: int | None = ...,
        stepVolume: int | None = ...,
        maxExposure: int | None = ...,
        schedule: Iterable[ProtoOAInterval] | None = ...,
        commission: int | None = ...,
        commissionType: ProtoOACommissionType | int | None = ...,
        slDistance: int | None = ...,
        tpDistance: int | None = ...,
        gslDistance: int | None = ...,
        gslCharge: int | None = ...,
        distanceSetIn: ProtoOASymbolDistanceType | int | None = ...,
        minCommission: int | None = ...,
        minCommissionType: ProtoOAMinCommissionType | int | None = ...,
        minCommissionAsset: str | None = ...,
        rolloverCommission: int | None = ...,
        skipRolloverDays: int | None = ...,
        scheduleTimeZone: str | None = ...,
        tradingMode: ProtoOATradingMode | int | None = ...,
        rolloverCommission3Days: ProtoOADayOfWeek | int | None = ...,
        swapCalculationType: ProtoOASwapCalculationType | int | None = ...,
        lotSize: int | None = ...,
        preciseTradingCommissionRate: int | None = ...,
        preciseMinCommission: int | None = ...,
        holiday: Iterable[ProtoOAHoliday] | None = ...,
        pnlConversionFeeRate: int | None = ...,
        leverageId: int | None = ...,
        swapPeriod: int | None = ...,
        swapTime: int | None = ...,
        skipSWAPPeriods: int | None = ...,
        chargeSwapAtWeekends: bool | None = ...,
        measurementUnits: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["symbolId", "digits", "pipPosition", "enableShortSelling", "guaranteedStopLoss", "swapRollover3Days", "swapLong", "swapShort", "maxVolume", "minVolume", "stepVolume", "maxExposure", "commission", "commissionType", "slDistance", "tpDistance", "gslDistance", "gslCharge", "distanceSetIn", "minCommission", "minCommissionType", "minCommissionAsset", "rolloverCommission", "skipRolloverDays", "scheduleTimeZone", "tradingMode", "rolloverCommission3Days", "swapCalculationType", "lotSize", "preciseTradingCommissionRate", "preciseMinCommission", "pnlConversionFeeRate", "leverageId", "swapPeriod", "swapTime", "skipSWAPPeriods", "chargeSwapAtWeekends", "measurementUnits"]) -> bool: ...
    def ClearField(self, field_name: Literal["symbolId", "digits", "pipPosition", "enableShortSelling", "guaranteedStopLoss", "swapRollover3Days", "swapLong", "swapShort", "maxVolume", "minVolume", "stepVolume", "maxExposure", "schedule", "commission", "commissionType", "slDistance", "tpDistance", "gslDistance", "gslCharge", "distanceSetIn", "minCommission", "minCommissionType", "minCommissionAsset", "rolloverCommission", "skipRolloverDays", "scheduleTimeZone", "tradingMode", "rolloverCommission3Days", "swapCalculationType", "lotSize", "preciseTradingCommissionRate", "preciseMinCommission", "holiday", "pnlConversionFeeRate", "leverageId", "swapPeriod", "swapTime", "skipSWAPPeriods", "chargeSwapAtWeekends", "measurementUnits"]) -> None: ...

@final
class ProtoOALightSymbol(Message):
    """A symbol as lists give it; digits and volumes are in ProtoOASymbol only."""
    symbolId: int
    symbolName: str
    enabled: bool
    """Traders can see it."""
    baseAssetId: int
    quoteAssetId: int
    symbolCategoryId: int
    description: str
    sortingNumber: float
    """Place in lists, lowest first."""
    def __init__(
        self,
        *,
        symbolId: int | None = ...,
        symbolName: str | None = ...,
        enabled: bool | None = ...,
        baseAssetId: int | None = ...,
        quoteAssetId: int | None = ...,
        symbolCategoryId: int | None = ...,
        description: str | None = ...,
        sortingNumber: float | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["symbolId", "symbolName", "enabled", "baseAssetId", "quoteAssetId", "symbolCategoryId", "description", "sortingNumber"]) -> bool: ...
    def ClearField(self, field_name: Literal["symbolId", "symbolName", "enabled", "baseAssetId", "quoteAssetId", "symbolCategoryId", "description", "sortingNumber"]) -> None: ...

@final
class ProtoOAArchivedSymbol(Message):
    """A symbol that no longer trades but that old deals refer to."""
    symbolId: int
    name: str
    utcLastUpdateTimestamp: int
    """ms"""
    description: str
    def __init__(
        self,
        *,
        symbolId: int | None = ...,
        name: str | None = ...,
        utcLastUpdateTimestamp: int | None = ...,
        description: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["symbolId", "name", "utcLastUpdateTimestamp", "description"]) -> bool: ...
    def ClearField(self, field_name: Literal["symbolId", "name", "utcLastUpdateTimestamp", "description"]) -> None: ...

@final
class ProtoOASymbolCategory(Message):
    """A group of symbols within an asset class."""
    id: int
    assetClassId: int
    name: str
    sortingNumber: float
    """Place in lists, lowest first."""
    def __init__(
        self,
        *,
        id: int | None = ...,
        assetClassId: int | None = ...,
        name: str | None = ...,
        sortingNumber: float | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["id", "assetClassId", "name", "sortingNumber"]) -> bool: ...
    def ClearField(self, field_name: Literal["id", "assetClassId", "name", "sortingNumber"]) -> None: ...

@final
class ProtoOAInterval(Message):
    """A stretch of the week. A session that crosses the week's end is two of them."""
    startSecond: int
    """Seconds since Sunday 00:00 in the symbol's time zone, included."""
    endSecond: int
    """Seconds since Sunday 00:00 in the symbol's time zone, excluded."""
    def __init__(
        self,
        *,
        startSecond: int | None = ...,
        endSecond: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["startSecond", "endSecond"]) -> bool: ...
    def ClearField(self, field_name: Literal["startSecond", "endSecond"]) -> None: ...

@final
class ProtoOATrader(Message):
    """A trading account. Equity and margin are not in it: they follow from the positions."""
    ctidTraderAccountId: int
    balance: int
    """money"""
    balanceVersion: int
    """Grows by one with each change of balance: the largest is the newest."""
    managerBonus: int
    """money"""
    ibBonus: int
    """money; from the introducing broker"""
    nonWithdrawableBonus: int
    """money"""
    accessRights: int
    depositAssetId: int
    """Currency of the account."""
    swapFree: bool
    """Pays rolloverCommission instead of swap."""
    leverageInCents: int
    """Leverage * 100: 1:50 is 5000."""
    totalMarginCalculationType: int
    maxLeverage: int
    """Largest leverage that the owner may choose; its scale is not published."""
    frenchRisk: bool
    """Use isLimitedRisk."""
    traderLogin: int
    """Account number as its owner sees it; unique within the broker only."""
    accountType: int
    brokerName: str
    registrationTimestamp: int
    """ms; history starts here"""
    isLimitedRisk: bool
    """Every position needs a guaranteed stop loss."""
    limitedRiskMarginCalculationStrategy: int
    moneyDigits: int
    """exponent of the money fields here"""
    fairStopOut: bool
    """A stop-out closes whole positions; false: parts; absent: as the broker has it."""
    stopOutStrategy: int
    def __init__(
        self,
        *,
        ctidTraderAccountId: int | None = ...,
        balance: int | None = ...,
        balanceVersion: int | None = ...,
        managerBonus: int | None = ...,
        ibBonus: int | None = ...,
        nonWithdrawableBonus: int | None = ...,
        accessRights: ProtoOAAccessRights | int | None = ...,
        depositAssetId: int | None = ...,
        swapFree: bool | None = ...,
        leverageInCents: int | None = ...,
        totalMarginCalculationType: ProtoOATotalMarginCalculationType | int | None = ...,
        maxLeverage: int | None = ...,
        frenchRisk: bool | None = ...,
        traderLogin: int | None = ...,
        accountType: ProtoOAAccountType | int | None = ...,
        brokerName: str | None = ...,
        registrationTimestamp: int | None = ...,
        isLimitedRisk: bool | None = ...,
        limitedRiskMarginCalculationStrategy: ProtoOALimitedRiskMarginCalculationStrategy | int | None = ...,
        moneyDigits: int | None = ...,
        fairStopOut: bool | None = ...,
        stopOutStrategy: ProtoOAStopOutStrategy | int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["ctidTraderAccountId", "balance", "balanceVersion", "managerBonus", "ibBonus", "nonWithdrawableBonus", "accessRights", "depositAssetId", "swapFree", "leverageInCents", "totalMarginCalculationType", "maxLeverage", "frenchRisk", "traderLogin", "accountType", "brokerName", "registrationTimestamp", "isLimitedRisk", "limitedRiskMarginCalculationStrategy", "moneyDigits", "fairStopOut", "stopOutStrategy"]) -> bool: ...
    def ClearField(self, field_name: Literal["ctidTraderAccountId", "balance", "balanceVersion", "managerBonus", "ibBonus", "nonWithdrawableBonus", "accessRights", "depositAssetId", "swapFree", "leverageInCents", "totalMarginCalculationType", "maxLeverage", "frenchRisk", "traderLogin", "accountType", "brokerName", "registrationTimestamp", "isLimitedRisk", "limitedRiskMarginCalculationStrategy", "moneyDigits", "fairStopOut", "stopOutStrategy"]) -> None: ...

@final
class ProtoOAPosition(Message):
    """An open position, or in events one that is about to open or has just closed."""
    positionId: int
    @property
    def tradeData(self) -> ProtoOATradeData:
        ...
    positionStatus: int
    swap: int
    """money; charged so far"""
    price: float
    """price; mean of the entries, weighted by volume"""
    stopLoss: float
    """price"""
    takeProfit: float
    """price"""
    utcLastUpdateTimestamp: int
    """ms; moves of a trailing stop do not count"""
    commission: int
    """money; for opening, booked to the balance at closing"""
    marginRate: float
    """Rate from base asset to deposit currency that the margin was computed with."""
    mirroringCommission: int
    """money; owed to the provider of a copied strategy"""
    guaranteedStopLoss: bool
    usedMargin: int
    """money"""
    stopLossTriggerMethod: int
    moneyDigits: int
    """exponent of the money fields here"""
    trailingStopLoss: bool
    def __init__(
        self,
        *,
        positionId: int | None = ...,
        tradeData: ProtoOATradeData | None = ...,
        positionStatus: ProtoOAPositionStatus | int | None = ...,
        swap: int | None = ...,
        price: float | None = ...,
        stopLoss: float | None = ...,
        takeProfit: float | None = ...,
        utcLastUpdateTimestamp: int | None = ...,
        commission: int | None = ...,
        marginRate: float | None = ...,
        mirroringCommission: int | None = ...,
        guaranteedStopLoss: bool | None = ...,
        usedMargin: int | None = ...,
        stopLossTriggerMethod: ProtoOAOrderTriggerMethod | int | None = ...,
        moneyDigits: int | None = ...,
        trailingStopLoss: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["positionId", "tradeData", "positionStatus", "swap", "price", "stopLoss", "takeProfit", "utcLastUpdateTimestamp", "commission", "marginRate", "mirroringCommission", "guaranteedStopLoss", "usedMargin", "stopLossTriggerMethod", "moneyDigits", "trailingStopLoss"]) -> bool: ...
    def ClearField(self, field_name: Literal["positionId", "tradeData", "positionStatus", "swap", "price", "stopLoss", "takeProfit", "utcLastUpdateTimestamp", "commission", "marginRate", "mirroringCommission", "guaranteedStopLoss", "usedMargin", "stopLossTriggerMethod", "moneyDigits", "trailingStopLoss"]) -> None: ...

@final
class ProtoOATradeData(Message):
    """What orders and positions have in common."""
    symbolId: int
    volume: int
    """hundredths of a unit"""
    tradeSide: int
    openTimestamp: int
    """ms; position opened, order created"""
    label: str
    """As sent with the order."""
    guaranteedStopLoss: bool
    comment: str
    """As sent with the order."""
    measurementUnits: str
    """Name of the unit that volume counts."""
    closeTimestamp: int
    """ms; position closed, order filled"""
    def __init__(
        self,
        *,
        symbolId: int | None = ...,
        volume: int | None = ...,
        tradeSide: ProtoOATradeSide | int | None = ...,
        openTimestamp: int | None = ...,
        label: str | None = ...,
        guaranteedStopLoss: bool | None = ...,
        comment: str | None = ...,
        measurementUnits: str | None = ...,
        closeTimestamp: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["symbolId", "volume", "tradeSide", "openTimestamp", "label", "guaranteedStopLoss", "comment", "measurementUnits", "closeTimestamp"]) -> bool: ...
    def ClearField(self, field_name: Literal["symbolId", "volume", "tradeSide", "openTimestamp", "label", "guaranteedStopLoss", "comment", "measurementUnits", "closeTimestamp"]) -> None: ...

@final
class ProtoOAOrder(Message):
    """An order, pending or done."""
    orderId: int
    @property
    def tradeData(self) -> ProtoOATradeData:
        ...
    orderType: int
    orderStatus: int
    expirationTimestamp: int
    """ms"""
    executionPrice: float
    """price; of what was filled"""
    executedVolume: int
    """hundredths of a unit filled so far"""
    utcLastUpdateTimestamp: int
    """ms"""
    baseSlippagePrice: float
    """price; MARKET_RANGE"""
    slippageInPoints: int
    """points of the symbol; MARKET_RANGE, STOP_LIMIT"""
    closingOrder: bool
    """Reduces the position positionId."""
    limitPrice: float
    """price; LIMIT. The take profit of a STOP_LOSS_TAKE_PROFIT order"""
    stopPrice: float
    """price; STOP, STOP_LIMIT. The stop loss of a STOP_LOSS_TAKE_PROFIT order"""
    stopLoss: float
    """price"""
    takeProfit: float
    """price"""
    clientOrderId: str
    """As sent with the order, else one that the server made. Not unique by any rule."""
    timeInForce: int
    positionId: int
    """Set at acceptance, long before any fill: look at executedVolume to see fills."""
    relativeStopLoss: int
    """price points from the entry price: below it for BUY, above it for SELL; a multiple of 10^(5-digits)"""
    relativeTakeProfit: int
    """price points from the entry price: above it for BUY, below it for SELL; a multiple of 10^(5-digits)"""
    isStopOut: bool
    """The server made it, for want of margin."""
    trailingStopLoss: bool
    stopTriggerMethod: int
    """STOP, STOP_LIMIT and STOP_LOSS_TAKE_PROFIT orders."""
    def __init__(
        self,
        *,
        orderId: int | None = ...,
        tradeData: ProtoOATradeData | None = ...,
        orderType: ProtoOAOrderType | int | None = ...,
        orderStatus: ProtoOAOrderStatus | int | None = ...,
        expirationTimestamp: int | None = ...,
        executionPrice: float | None = ...,
        executedVolume: int | None = ...,
        utcLastUpdateTimestamp: int | None = ...,
        baseSlippagePrice: float | None = ...,
        slippageInPoints: int | None = ...,
        closingOrder: bool | None = ...,
        limitPrice: float | None = ...,
        stopPrice: float | None = ...,
        stopLoss: float | None = ...,
        takeProfit: float | None = ...,
        clientOrderId: str | None = ...,
        timeInForce: ProtoOATimeInForce | int | None = ...,
        positionId: int | None = ...,
        relativeStopLoss: int | None = ...,
        relativeTakeProfit: int | None = ...,
        isStopOut: bool | None = ...,
        trailingStopLoss: bool | None = ...,
        stopTriggerMethod: ProtoOAOrderTriggerMethod | int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["orderId", "tradeData", "orderType", "orderStatus", "expirationTimestamp", "executionPrice", "executedVolume", "utcLastUpdateTimestamp", "baseSlippagePrice", "slippageInPoints", "closingOrder", "limitPrice", "stopPrice", "stopLoss", "takeProfit", "clientOrderId", "timeInForce", "positionId", "relativeStopLoss", "relativeTakeProfit", "isStopOut", "trailingStopLoss", "stopTriggerMethod"]) -> bool: ...
    def ClearField(self, field_name: Literal["orderId", "tradeData", "orderType", "orderStatus", "expirationTimestamp", "executionPrice", "executedVolume", "utcLastUpdateTimestamp", "baseSlippagePrice", "slippageInPoints", "closingOrder", "limitPrice", "stopPrice", "stopLoss", "takeProfit", "clientOrderId", "timeInForce", "positionId", "relativeStopLoss", "relativeTakeProfit", "isStopOut", "trailingStopLoss", "stopTriggerMethod"]) -> None: ...

@final
class ProtoOABonusDepositWithdraw(Message):
    """A bonus given or taken back."""
    operationType: int
    bonusHistoryId: int
    managerBonus: int
    """money; afterwards"""
    managerDelta: int
    """money"""
    ibBonus: int
    """money; afterwards"""
    ibDelta: int
    """money"""
    changeBonusTimestamp: int
    """ms"""
    externalNote: str
    """Meant for the trader."""
    introducingBrokerId: int
    moneyDigits: int
    """exponent of the money fields here"""
    def __init__(
        self,
        *,
        operationType: ProtoOAChangeBonusType | int | None = ...,
        bonusHistoryId: int | None = ...,
        managerBonus: int | None = ...,
        managerDelta: int | None = ...,
        ibBonus: int | None = ...,
        ibDelta: int | None = ...,
        changeBonusTimestamp: int | None = ...,
        externalNote: str | None = ...,
        introducingBrokerId: int | None = ...,
        moneyDigits: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["operationType", "bonusHistoryId", "managerBonus", "managerDelta", "ibBonus", "ibDelta", "changeBonusTimestamp", "externalNote", "introducingBrokerId", "moneyDigits"]) -> bool: ...
    def ClearField(self, field_name: Literal["operationType", "bonusHistoryId", "managerBonus", "managerDelta", "ibBonus", "ibDelta", "changeBonusTimestamp", "externalNote", "introducingBrokerId", "moneyDigits"]) -> None: ...

@final
class ProtoOADepositWithdraw(Message):
    """A change of balance other than by a deal."""
    operationType: int
    balanceHistoryId: int
    balance: int
    """money; afterwards"""
    delta: int
    """money"""
    changeBalanceTimestamp: int
    """ms"""
    externalNote: str
    """Meant for the trader."""
    balanceVersion: int
    """As in ProtoOATrader."""
    equity: int
    """money; afterwards"""
    moneyDigits: int
    """exponent of the money fields here"""
    def __init__(
        self,
        *,
        operationType: ProtoOAChangeBalanceType | int | None = ...,
        balanceHistoryId: int | None = ...,
        balance: int | None = ...,
        delta: int | None = ...,
        changeBalanceTimestamp: int | None = ...,
        externalNote: str | None = ...,
        balanceVersion: int | None = ...,
        equity: int | None = ...,
        moneyDigits: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["operationType", "balanceHistoryId", "balance", "delta", "changeBalanceTimestamp", "externalNote", "balanceVersion", "equity", "moneyDigits"]) -> bool: ...
    def ClearField(self, field_name: Literal["operationType", "balanceHistoryId", "balance", "delta", "changeBalanceTimestamp", "externalNote", "balanceVersion", "equity", "moneyDigits"]) -> None: ...

@final
class ProtoOADeal(Message):
    """One execution of an order, whole or in part."""
    dealId: int
    orderId: int
    positionId: int
    volume: int
    """hundredths of a unit sent to be executed"""
    filledVolume: int
    """hundredths of a unit that were"""
    symbolId: int
    createTimestamp: int
    """ms"""
    executionTimestamp: int
    """ms"""
    utcLastUpdateTimestamp: int
    """ms; in lists it equals createTimestamp"""
    executionPrice: float
    """price"""
    tradeSide: int
    dealStatus: int
    marginRate: float
    """Rate from base asset to deposit currency that the margin was computed with."""
    commission: int
    """money; of this deal alone"""
    baseToUsdConversionRate: float
    """USD for one unit of the base asset."""
    @property
    def closePositionDetail(self) -> ProtoOAClosePositionDetail:
        """Closing deals only."""
    moneyDigits: int
    """exponent of the money fields here"""
    def __init__(
        self,
        *,
        dealId: int | None = ...,
        orderId: int | None = ...,
        positionId: int | None = ...,
        volume: int | None = ...,
        filledVolume: int | None = ...,
        symbolId: int | None = ...,
        createTimestamp: int | None = ...,
        executionTimestamp: int | None = ...,
        utcLastUpdateTimestamp: int | None = ...,
        executionPrice: float | None = ...,
        tradeSide: ProtoOATradeSide | int | None = ...,
        dealStatus: ProtoOADealStatus | int | None = ...,
        marginRate: float | None = ...,
        commission: int | None = ...,
        baseToUsdConversionRate: float | None = ...,
        closePositionDetail: ProtoOAClosePositionDetail | None = ...,
        moneyDigits: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["dealId", "orderId", "positionId", "volume", "filledVolume", "symbolId", "createTimestamp", "executionTimestamp", "utcLastUpdateTimestamp", "executionPrice", "tradeSide", "dealStatus", "marginRate", "commission", "baseToUsdConversionRate", "closePositionDetail", "moneyDigits"]) -> bool: ...
    def ClearField(self, field_name: Literal["dealId", "orderId", "positionId", "volume", "filledVolume", "symbolId", "createTimestamp", "executionTimestamp", "utcLastUpdateTimestamp", "executionPrice", "tradeSide", "dealStatus", "marginRate", "commission", "baseToUsdConversionRate", "closePositionDetail", "moneyDigits"]) -> None: ...

@final
class ProtoOADealOffset(Message):
    """A deal that is matched against another, opening against closing."""
    dealId: int
    volume: int
    """hundredths of a unit matched"""
    executionTimestamp: int
    """ms"""
    executionPrice: float
    """price"""
    def __init__(
        self,
        *,
        dealId: int | None = ...,
        volume: int | None = ...,
        executionTimestamp: int | None = ...,
        executionPrice: float | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["dealId", "volume", "executionTimestamp", "executionPrice"]) -> bool: ...
    def ClearField(self, field_name: Literal["dealId", "volume", "executionTimestamp", "executionPrice"]) -> None: ...

@final
class ProtoOAClosePositionDetail(Message):
    """What a closing deal realised. New balance = old + grossProfit + swap + commission + pnlConversionFee."""
    entryPrice: float
    """price; mean of the position"""
    grossProfit: int
    """money"""
    swap: int
    """money"""
    commission: int
    """money; the closed part's share of opening, and closing"""
    balance: int
    """money; afterwards"""
    quoteToDepositConversionRate: float
    """Deposit currency for one of the quote currency."""
    closedVolume: int
    """hundredths of a unit"""
    balanceVersion: int
    """As in ProtoOATrader."""
    moneyDigits: int
    """exponent of the money fields here"""
    pnlConversionFee: int
    """money; where the quote asset is not the deposit asset"""
    def __init__(
        self,
        *,
        entryPrice: float | None = ...,
        grossProfit: int | None = ...,
        swap: int | None = ...,
        commission: int | None = ...,
        balance: int | None = ...,
        quoteToDepositConversionRate: float | None = ...,
        closedVolume: int | None = ...,
        balanceVersion: int | None = ...,
        moneyDigits: int | None = ...,
        pnlConversionFee: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["entryPrice", "grossProfit", "swap", "commission", "balance", "quoteToDepositConversionRate", "closedVolume", "balanceVersion", "moneyDigits", "pnlConversionFee"]) -> bool: ...
    def ClearField(self, field_name: Literal["entryPrice", "grossProfit", "swap", "commission", "balance", "quoteToDepositConversionRate", "closedVolume", "balanceVersion", "moneyDigits", "pnlConversionFee"]) -> None: ...

@final
class ProtoOATrendbar(Message):
    """A bar, from bids. Live ones have no deltaClose (the event's bid is the close), past ones no period."""
    volume: int
    """Number of ticks."""
    period: int
    low: int
    """price points"""
    deltaOpen: int
    """price points above low"""
    deltaClose: int
    """price points above low"""
    deltaHigh: int
    """price points above low"""
    utcTimestampInMinutes: int
    """Minutes since 1970-01-01 00:00 UTC, where the bar begins."""
    def __init__(
        self,
        *,
        volume: int | None = ...,
        period: ProtoOATrendbarPeriod | int | None = ...,
        low: int | None = ...,
        deltaOpen: int | None = ...,
        deltaClose: int | None = ...,
        deltaHigh: int | None = ...,
        utcTimestampInMinutes: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["volume", "period", "low", "deltaOpen", "deltaClose", "deltaHigh", "utcTimestampInMinutes"]) -> bool: ...
    def ClearField(self, field_name: Literal["volume", "period", "low", "deltaOpen", "deltaClose", "deltaHigh", "utcTimestampInMinutes"]) -> None: ...

@final
class ProtoOAExpectedMargin(Message):
    """Margin that an order would take."""
    volume: int
    """hundredths of a unit"""
    buyMargin: int
    """money"""
    sellMargin: int
    """money"""
    def __init__(
        self,
        *,
        volume: int | None = ...,
        buyMargin: int | None = ...,
        sellMargin: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["volume", "buyMargin", "sellMargin"]) -> bool: ...
    def ClearField(self, field_name: Literal["volume", "buyMargin", "sellMargin"]) -> None: ...

@final
class ProtoOATickData(Message):
    """A tick. In a list only the first is absolute, each other a difference to the one before; add up."""
    timestamp: int
    """ms; differences are negative, the list runs back in time"""
    tick: int
    """price points"""
    def __init__(
        self,
        *,
        timestamp: int | None = ...,
        tick: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["timestamp", "tick"]) -> bool: ...
    def ClearField(self, field_name: Literal["timestamp", "tick"]) -> None: ...

@final
class ProtoOACtidProfile(Message):
    """The owner of an access token."""
    userId: int
    def __init__(
        self,
        *,
        userId: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["userId"]) -> bool: ...
    def ClearField(self, field_name: Literal["userId"]) -> None: ...

@final
class ProtoOACtidTraderAccount(Message):
    """An account that an access token covers."""
    ctidTraderAccountId: int
    """Names the account in every request."""
    isLive: bool
    """Live or demo: it can be authorised on that host only."""
    traderLogin: int
    """Account number as its owner sees it; never to be sent as an account id."""
    lastClosingDealTimestamp: int
    """ms"""
    lastBalanceUpdateTimestamp: int
    """ms; of the last deposit or withdrawal"""
    brokerTitleShort: str
    def __init__(
        self,
        *,
        ctidTraderAccountId: int | None = ...,
        isLive: bool | None = ...,
        traderLogin: int | None = ...,
        lastClosingDealTimestamp: int | None = ...,
        lastBalanceUpdateTimestamp: int | None = ...,
        brokerTitleShort: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["ctidTraderAccountId", "isLive", "traderLogin", "lastClosingDealTimestamp", "lastBalanceUpdateTimestamp", "brokerTitleShort"]) -> bool: ...
    def ClearField(self, field_name: Literal["ctidTraderAccountId", "isLive", "traderLogin", "lastClosingDealTimestamp", "lastBalanceUpdateTimestamp", "brokerTitleShort"]) -> None: ...

@final
class ProtoOAAssetClass(Message):
    """A kind of asset: forex, metals, indices."""
    id: int
    name: str
    sortingNumber: float
    """Place in lists, lowest first."""
    def __init__(
        self,
        *,
        id: int | None = ...,
        name: str | None = ...,
        sortingNumber: float | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["id", "name", "sortingNumber"]) -> bool: ...
    def ClearField(self, field_name: Literal["id", "name", "sortingNumber"]) -> None: ...

@final
class ProtoOADepthQuote(Message):
    """A level of the order book, on one side of it."""
    id: int
    size: int
    """hundredths of a unit"""
    bid: int
    """price points"""
    ask: int
    """price points"""
    def __init__(
        self,
        *,
        id: int | None = ...,
        size: int | None = ...,
        bid: int | None = ...,
        ask: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["id", "size", "bid", "ask"]) -> bool: ...
    def ClearField(self, field_name: Literal["id", "size", "bid", "ask"]) -> None: ...

@final
class ProtoOAMarginCall(Message):
    """A margin level at which the account is warned."""
    marginCallType: int
    marginLevelThreshold: float
    """Margin level; its scale is not published."""
    utcLastUpdateTimestamp: int
    """ms"""
    def __init__(
        self,
        *,
        marginCallType: ProtoOANotificationType | int | None = ...,
        marginLevelThreshold: float | None = ...,
        utcLastUpdateTimestamp: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["marginCallType", "marginLevelThreshold", "utcLastUpdateTimestamp"]) -> bool: ...
    def ClearField(self, field_name: Literal["marginCallType", "marginLevelThreshold", "utcLastUpdateTimestamp"]) -> None: ...

@final
class ProtoOAHoliday(Message):
    """A day, or part of one, on which a symbol does not trade."""
    holidayId: int
    name: str
    description: str
    scheduleTimeZone: str
    holidayDate: int
    """Days since 1970-01-01."""
    isRecurring: bool
    """Every year."""
    startSecond: int
    """Seconds since 00:00 of that day in scheduleTimeZone."""
    endSecond: int
    """Seconds since 00:00 of that day in scheduleTimeZone."""
    def __init__(
        self,
        *,
        holidayId: int | None = ...,
        name: str | None = ...,
        description: str | None = ...,
        scheduleTimeZone: str | None = ...,
        holidayDate: int | None = ...,
        isRecurring: bool | None = ...,
        startSecond: int | None = ...,
        endSecond: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["holidayId", "name", "description", "scheduleTimeZone", "holidayDate", "isRecurring", "startSecond", "endSecond"]) -> bool: ...
    def ClearField(self, field_name: Literal["holidayId", "name", "description", "scheduleTimeZone", "holidayDate", "isRecurring", "startSecond", "endSecond"]) -> None: ...

@final
class ProtoOADynamicLeverage(Message):
    """Leverage that falls as a position grows."""
    leverageId: int
    @property
    def tiers(self) -> RepeatedCompositeFieldContainer[ProtoOADynamicLeverageTier]:
        """Smallest volume first; each applies to its slice, the last one to all above as well."""
    def __init__(
        self,
        *,
        leverageId: int | None = ...,
        tiers: Iterable[ProtoOADynamicLeverageTier] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["leverageId"]) -> bool: ...
    def ClearField(self, field_name: Literal["leverageId", "tiers"]) -> None: ...

@final
class ProtoOADynamicLeverageTier(Message):
    """One slice of a dynamic leverage."""
    volume: int
    """US cents: value of the open positions of one side up to which the tier applies."""
    leverage: int
    """Leverage of this slice; its scale is not published."""
    def __init__(
        self,
        *,
        volume: int | None = ...,
        leverage: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["volume", "leverage"]) -> bool: ...
    def ClearField(self, field_name: Literal["volume", "leverage"]) -> None: ...

@final
class ProtoOAPositionUnrealizedPnL(Message):
    """Profit of an open position at current prices; moneyDigits is in the response."""
    positionId: int
    grossUnrealizedPnL: int
    """money"""
    netUnrealizedPnL: int
    """money; charges so far taken off, the commission for closing is not"""
    def __init__(
        self,
        *,
        positionId: int | None = ...,
        grossUnrealizedPnL: int | None = ...,
        netUnrealizedPnL: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["positionId", "grossUnrealizedPnL", "netUnrealizedPnL"]) -> bool: ...
    def ClearField(self, field_name: Literal["positionId", "grossUnrealizedPnL", "netUnrealizedPnL"]) -> None: ...

@final
class ProtoOAApplicationAuthReq(Message):
    """Authorises the application on this connection; first of all requests."""
    payloadType: int
    clientId: str
    clientSecret: str
    """Secret."""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        clientId: str | None = ...,
        clientSecret: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "clientId", "clientSecret"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "clientId", "clientSecret"]) -> None: ...

@final
class ProtoOAApplicationAuthRes(Message):
    """The application is authorised."""
    payloadType: int
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType"]) -> None: ...

@final
class ProtoOAAccountAuthReq(Message):
    """Opens a session for an account on this connection."""
    payloadType: int
    ctidTraderAccountId: int
    accessToken: str
    """Secret."""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        accessToken: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "accessToken"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "accessToken"]) -> None: ...

@final
class ProtoOAAccountAuthRes(Message):
    """The account is authorised."""
    payloadType: int
    ctidTraderAccountId: int
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> None: ...

@final
class ProtoOAErrorRes(Message):
    """The request failed and was not done."""
    payloadType: int
    ctidTraderAccountId: int
    """Absent or 0 where no account is meant."""
    errorCode: str
    """Name of a ProtoErrorCode or a ProtoOAErrorCode, or a string in neither."""
    description: str
    maintenanceEndTimestamp: int
    """Seconds since 1970-01-01 00:00 UTC, not ms; not reliably: above 10^11 it is ms."""
    retryAfter: int
    """Seconds until the payload type is free again, with BLOCKED_PAYLOAD_TYPE."""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        errorCode: str | None = ...,
        description: str | None = ...,
        maintenanceEndTimestamp: int | None = ...,
        retryAfter: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "errorCode", "description", "maintenanceEndTimestamp", "retryAfter"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "errorCode", "description", "maintenanceEndTimestamp", "retryAfter"]) -> None: ...

@final
class ProtoOAClientDisconnectEvent(Message):
    """The server ends the application's session, and with it every account's. The connection is done."""
    payloadType: int
    reason: str
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        reason: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "reason"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "reason"]) -> None: ...

@final
class ProtoOAAccountsTokenInvalidatedEvent(Message):
    """The token of these accounts no longer holds: replaced, revoked or deleted. The connection stays."""
    payloadType: int
    @property
    def ctidTraderAccountIds(self) -> RepeatedScalarFieldContainer[int]:
        """Each needs a new authorisation."""
    reason: str
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountIds: Iterable[int] | None = ...,
        reason: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "reason"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountIds", "reason"]) -> None: ...

@final
class ProtoOAVersionReq(Message):
    """Asks which release the proxy runs; allowed before authorisation."""
    payloadType: int
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType"]) -> None: ...

@final
class ProtoOAVersionRes(Message):
    """Release of the proxy."""
    payloadType: int
    version: str
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        version: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "version"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "version"]) -> None: ...

@final
class ProtoOANewOrderReq(Message):
    """Places an order. Needs SCOPE_TRADE."""
    payloadType: int
    ctidTraderAccountId: int
    symbolId: int
    orderType: int
    """Not STOP_LOSS_TAKE_PROFIT."""
    tradeSide: int
    volume: int
    """hundredths of a unit"""
    limitPrice: float
    """price; LIMIT"""
    stopPrice: float
    """price; STOP, STOP_LIMIT"""
    timeInForce: int
    """Market orders are IMMEDIATE_OR_CANCEL whatever is said here."""
    expirationTimestamp: int
    """ms; needed by GOOD_TILL_DATE"""
    stopLoss: float
    """price; LIMIT, STOP, STOP_LIMIT. MARKET takes relativeStopLoss only"""
    takeProfit: float
    """price; LIMIT, STOP, STOP_LIMIT. MARKET takes relativeTakeProfit only"""
    comment: str
    """At most 512 characters."""
    baseSlippagePrice: float
    """price; MARKET_RANGE"""
    slippageInPoints: int
    """points of the symbol; MARKET_RANGE, STOP_LIMIT"""
    label: str
    """At most 100 characters. Shown by order and position, unlike clientOrderId."""
    positionId: int
    """Adds to this position (same side) or reduces it (other side)."""
    clientOrderId: str
    """At most 50 characters. Given back by orders only; nothing says that a second use is refused."""
    relativeStopLoss: int
    """price points from the entry price: below it for BUY, above it for SELL; a multiple of 10^(5-digits)"""
    relativeTakeProfit: int
    """price points from the entry price: above it for BUY, below it for SELL; a multiple of 10^(5-digits)"""
    guaranteedStopLoss: bool
    """Limited-risk accounts: required there, refused elsewhere."""
    trailingStopLoss: bool
    """Needs a stop loss."""
    stopTriggerMethod: int
    """STOP, STOP_LIMIT."""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        symbolId: int | None = ...,
        orderType: ProtoOAOrderType | int | None = ...,
        tradeSide: ProtoOATradeSide | int | None = ...,
        volume: int | None = ...,
        limitPrice: float | None = ...,
        stopPrice: float | None = ...,
        timeInForce: ProtoOATimeInForce | int | None = ...,
        expirationTimestamp: int | None = ...,
        stopLoss: float | None = ...,
        takeProfit: float | None = ...,
        comment: str | None = ...,
        baseSlippagePrice: float | None = ...,
        slippageInPoints: int | None = ...,
        label: str | None = ...,
        positionId: int | None = ...,
        clientOrderId: str | None = ...,
        relativeStopLoss: int | None = ...,
        relativeTakeProfit: int | None = ...,
        guaranteedStopLoss: bool | None = ...,
        trailingStopLoss: bool | None = ...,
        stopTriggerMethod: ProtoOAOrderTriggerMethod | int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "symbolId", "orderType", "tradeSide", "volume", "limitPrice", "stopPrice", "timeInForce", "expirationTimestamp", "stopLoss", "takeProfit", "comment", "baseSlippagePrice", "slippageInPoints", "label", "positionId", "clientOrderId", "relativeStopLoss", "relativeTakeProfit", "guaranteedStopLoss", "trailingStopLoss", "stopTriggerMethod"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "symbolId", "orderType", "tradeSide", "volume", "limitPrice", "stopPrice", "timeInForce", "expirationTimestamp", "stopLoss", "takeProfit", "comment", "baseSlippagePrice", "slippageInPoints", "label", "positionId", "clientOrderId", "relativeStopLoss", "relativeTakeProfit", "guaranteedStopLoss", "trailingStopLoss", "stopTriggerMethod"]) -> None: ...

@final
class ProtoOAExecutionEvent(Message):
    """Something happened to an order, a position or the balance, whoever caused it. The first one after a
    request is its acceptance, not its fill.
    """
    payloadType: int
    ctidTraderAccountId: int
    executionType: int
    @property
    def position(self) -> ProtoOAPosition:
        """As it stands now."""
    @property
    def order(self) -> ProtoOAOrder:
        """As it stands now."""
    @property
    def deal(self) -> ProtoOADeal:
        """Fills only."""
    @property
    def bonusDepositWithdraw(self) -> ProtoOABonusDepositWithdraw:
        ...
    @property
    def depositWithdraw(self) -> ProtoOADepositWithdraw:
        ...
    errorCode: str
    """Where set, the operation failed."""
    isServerEvent: bool
    """Caused by the server, not by a request."""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        executionType: ProtoOAExecutionType | int | None = ...,
        position: ProtoOAPosition | None = ...,
        order: ProtoOAOrder | None = ...,
        deal: ProtoOADeal | None = ...,
        bonusDepositWithdraw: ProtoOABonusDepositWithdraw | None = ...,
        depositWithdraw: ProtoOADepositWithdraw | None = ...,
        errorCode: str | None = ...,
        isServerEvent: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "executionType", "position", "order", "deal", "bonusDepositWithdraw", "depositWithdraw", "errorCode", "isServerEvent"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "executionType", "position", "order", "deal", "bonusDepositWithdraw", "depositWithdraw", "errorCode", "isServerEvent"]) -> None: ...

@final
class ProtoOACancelOrderReq(Message):
    """Cancels a pending order. Needs SCOPE_TRADE."""
    payloadType: int
    ctidTraderAccountId: int
    orderId: int
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        orderId: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "orderId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "orderId"]) -> None: ...

@final
class ProtoOAAmendOrderReq(Message):
    """Replaces the terms of a pending order. What is left out is removed from it: send all. Needs
    SCOPE_TRADE.
    """
    payloadType: int
    ctidTraderAccountId: int
    orderId: int
    volume: int
    """hundredths of a unit"""
    limitPrice: float
    """price; LIMIT"""
    stopPrice: float
    """price; STOP, STOP_LIMIT"""
    expirationTimestamp: int
    """ms"""
    stopLoss: float
    """price"""
    takeProfit: float
    """price"""
    slippageInPoints: int
    """points of the symbol; STOP_LIMIT"""
    relativeStopLoss: int
    """price points from the entry price: below it for BUY, above it for SELL; a multiple of 10^(5-digits)"""
    relativeTakeProfit: int
    """price points from the entry price: above it for BUY, below it for SELL; a multiple of 10^(5-digits)"""
    guaranteedStopLoss: bool
    trailingStopLoss: bool
    stopTriggerMethod: int
    """STOP, STOP_LIMIT."""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        orderId: int | None = ...,
        volume: int | None = ...,
        limitPrice: float | None = ...,
        stopPrice: float | None = ...,
        expirationTimestamp: int | None = ...,
        stopLoss: float | None = ...,
        takeProfit: float | None = ...,
        slippageInPoints: int | None = ...,
        relativeStopLoss: int | None = ...,
        relativeTakeProfit: int | None = ...,
        guaranteedStopLoss: bool | None = ...,
        trailingStopLoss: bool | None = ...,
        stopTriggerMethod: ProtoOAOrderTriggerMethod | int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "orderId", "volume", "limitPrice", "stopPrice", "expirationTimestamp", "stopLoss", "takeProfit", "slippageInPoints", "relativeStopLoss", "relativeTakeProfit", "guaranteedStopLoss", "trailingStopLoss", "stopTriggerMethod"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "orderId", "volume", "limitPrice", "stopPrice", "expirationTimestamp", "stopLoss", "takeProfit", "slippageInPoints", "relativeStopLoss", "relativeTakeProfit", "guaranteedStopLoss", "trailingStopLoss", "stopTriggerMethod"]) -> None: ...

@final
class ProtoOAAmendPositionSLTPReq(Message):
    """Sets both protective prices of a position. One that is left out is removed. Needs SCOPE_TRADE."""
    payloadType: int
    ctidTraderAccountId: int
    positionId: int
    stopLoss: float
    """price"""
    takeProfit: float
    """price"""
    guaranteedStopLoss: bool
    trailingStopLoss: bool
    """Left out: stays as it is. False needs a stopLoss beside it."""
    stopLossTriggerMethod: int
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        positionId: int | None = ...,
        stopLoss: float | None = ...,
        takeProfit: float | None = ...,
        guaranteedStopLoss: bool | None = ...,
        trailingStopLoss: bool | None = ...,
        stopLossTriggerMethod: ProtoOAOrderTriggerMethod | int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "positionId", "stopLoss", "takeProfit", "guaranteedStopLoss", "trailingStopLoss", "stopLossTriggerMethod"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "positionId", "stopLoss", "takeProfit", "guaranteedStopLoss", "trailingStopLoss", "stopLossTriggerMethod"]) -> None: ...

@final
class ProtoOAClosePositionReq(Message):
    """Closes a position, whole or in part. Needs SCOPE_TRADE."""
    payloadType: int
    ctidTraderAccountId: int
    positionId: int
    volume: int
    """hundredths of a unit to close"""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        positionId: int | None = ...,
        volume: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "positionId", "volume"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "positionId", "volume"]) -> None: ...

@final
class ProtoOATrailingSLChangedEvent(Message):
    """A trailing stop moved; no execution event tells of it."""
    payloadType: int
    ctidTraderAccountId: int
    positionId: int
    orderId: int
    """The STOP_LOSS_TAKE_PROFIT order."""
    stopPrice: float
    """price"""
    utcLastUpdateTimestamp: int
    """ms"""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        positionId: int | None = ...,
        orderId: int | None = ...,
        stopPrice: float | None = ...,
        utcLastUpdateTimestamp: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "positionId", "orderId", "stopPrice", "utcLastUpdateTimestamp"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "positionId", "orderId", "stopPrice", "utcLastUpdateTimestamp"]) -> None: ...

@final
class ProtoOAAssetListReq(Message):
    """Asks for the broker's assets."""
    payloadType: int
    ctidTraderAccountId: int
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> None: ...

@final
class ProtoOAAssetListRes(Message):
    """The broker's assets."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def asset(self) -> RepeatedCompositeFieldContainer[ProtoOAAsset]:
        ...
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        asset: Iterable[ProtoOAAsset] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "asset"]) -> None: ...

@final
class ProtoOASymbolsListReq(Message):
    """Asks for the account's symbols, in brief."""
    payloadType: int
    ctidTraderAccountId: int
    includeArchivedSymbols: bool
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        includeArchivedSymbols: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "includeArchivedSymbols"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "includeArchivedSymbols"]) -> None: ...

@final
class ProtoOASymbolsListRes(Message):
    """The account's symbols, in brief."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def symbol(self) -> RepeatedCompositeFieldContainer[ProtoOALightSymbol]:
        ...
    @property
    def archivedSymbol(self) -> RepeatedCompositeFieldContainer[ProtoOAArchivedSymbol]:
        ...
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        symbol: Iterable[ProtoOALightSymbol] | None = ...,
        archivedSymbol: Iterable[ProtoOAArchivedSymbol] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "symbol", "archivedSymbol"]) -> None: ...

@final
class ProtoOASymbolByIdReq(Message):
    """Asks for all terms of some symbols."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def symbolId(self) -> RepeatedScalarFieldContainer[int]:
        ...
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        symbolId: Iterable[int] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "symbolId"]) -> None: ...

@final
class ProtoOASymbolByIdRes(Message):
    """All terms of the symbols asked for."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def symbol(self) -> RepeatedCompositeFieldContainer[ProtoOASymbol]:
        ...
    @property
    def archivedSymbol(self) -> RepeatedCompositeFieldContainer[ProtoOAArchivedSymbol]:
        ...
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        symbol: Iterable[ProtoOASymbol] | None = ...,
        archivedSymbol: Iterable[ProtoOAArchivedSymbol] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "symbol", "archivedSymbol"]) -> None: ...

@final
class ProtoOASymbolsForConversionReq(Message):
    """Asks which symbols lead from one asset to another."""
    payloadType: int
    ctidTraderAccountId: int
    firstAssetId: int
    lastAssetId: int
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        firstAssetId: int | None = ...,
        lastAssetId: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "firstAssetId", "lastAssetId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "firstAssetId", "lastAssetId"]) -> None: ...

@final
class ProtoOASymbolsForConversionRes(Message):
    """The chain of conversion."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def symbol(self) -> RepeatedCompositeFieldContainer[ProtoOALightSymbol]:
        """In order, from the first asset to the last."""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        symbol: Iterable[ProtoOALightSymbol] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "symbol"]) -> None: ...

@final
class ProtoOASymbolChangedEvent(Message):
    """Terms of these symbols changed: read them again."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def symbolId(self) -> RepeatedScalarFieldContainer[int]:
        ...
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        symbolId: Iterable[int] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "symbolId"]) -> None: ...

@final
class ProtoOAAssetClassListReq(Message):
    """Asks for the asset classes."""
    payloadType: int
    ctidTraderAccountId: int
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> None: ...

@final
class ProtoOAAssetClassListRes(Message):
    """The asset classes."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def assetClass(self) -> RepeatedCompositeFieldContainer[ProtoOAAssetClass]:
        ...
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        assetClass: Iterable[ProtoOAAssetClass] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "assetClass"]) -> None: ...

@final
class ProtoOATraderReq(Message):
    """Asks for the account itself."""
    payloadType: int
    ctidTraderAccountId: int
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> None: ...

@final
class ProtoOATraderRes(Message):
    """The account itself."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def trader(self) -> ProtoOATrader:
        ...
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        trader: ProtoOATrader | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "trader"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "trader"]) -> None: ...

@final
class ProtoOATraderUpdatedEvent(Message):
    """The account was changed on the server. Not sent for every change of balance: deals tell that."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def trader(self) -> ProtoOATrader:
        ...
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        trader: ProtoOATrader | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "trader"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "trader"]) -> None: ...

@final
class ProtoOAReconcileReq(Message):
    """Asks for what is open."""
    payloadType: int
    ctidTraderAccountId: int
    returnProtectionOrders: bool
    """List the STOP_LOSS_TAKE_PROFIT orders too."""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        returnProtectionOrders: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "returnProtectionOrders"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "returnProtectionOrders"]) -> None: ...

@final
class ProtoOAReconcileRes(Message):
    """What is open."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def position(self) -> RepeatedCompositeFieldContainer[ProtoOAPosition]:
        ...
    @property
    def order(self) -> RepeatedCompositeFieldContainer[ProtoOAOrder]:
        """Pending ones, with what they have filled so far."""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        position: Iterable[ProtoOAPosition] | None = ...,
        order: Iterable[ProtoOAOrder] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "position", "order"]) -> None: ...

@final
class ProtoOAOrderErrorEvent(Message):
    """A trading request was refused; it answers one, or comes later by itself."""
    payloadType: int
    ctidTraderAccountId: int
    errorCode: str
    """Name of a ProtoErrorCode or a ProtoOAErrorCode, or a string in neither."""
    orderId: int
    positionId: int
    description: str
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        errorCode: str | None = ...,
        orderId: int | None = ...,
        positionId: int | None = ...,
        description: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "errorCode", "orderId", "positionId", "description"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "errorCode", "orderId", "positionId", "description"]) -> None: ...

@final
class ProtoOADealListReq(Message):
    """Asks for deals in a span of time. Counts as historical for the rate limit."""
    payloadType: int
    ctidTraderAccountId: int
    fromTimestamp: int
    """ms"""
    toTimestamp: int
    """ms"""
    maxRows: int
    """Most deals in the answer."""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        fromTimestamp: int | None = ...,
        toTimestamp: int | None = ...,
        maxRows: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "fromTimestamp", "toTimestamp", "maxRows"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "fromTimestamp", "toTimestamp", "maxRows"]) -> None: ...

@final
class ProtoOADealListRes(Message):
    """Deals, newest first; history may lag a moment."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def deal(self) -> RepeatedCompositeFieldContainer[ProtoOADeal]:
        ...
    hasMore: bool
    """Older ones were left out: ask again with an earlier toTimestamp."""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        deal: Iterable[ProtoOADeal] | None = ...,
        hasMore: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "hasMore"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "deal", "hasMore"]) -> None: ...

@final
class ProtoOAOrderListReq(Message):
    """Asks for orders by the time of their last change."""
    payloadType: int
    ctidTraderAccountId: int
    fromTimestamp: int
    """ms"""
    toTimestamp: int
    """ms"""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        fromTimestamp: int | None = ...,
        toTimestamp: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "fromTimestamp", "toTimestamp"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "fromTimestamp", "toTimestamp"]) -> None: ...

@final
class ProtoOAOrderListRes(Message):
    """Orders, latest change first; cancelled and protective ones are among them."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def order(self) -> RepeatedCompositeFieldContainer[ProtoOAOrder]:
        ...
    hasMore: bool
    """Older ones were left out."""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        order: Iterable[ProtoOAOrder] | None = ...,
        hasMore: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "hasMore"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "order", "hasMore"]) -> None: ...

@final
class ProtoOAExpectedMarginReq(Message):
    """Asks what margin orders of these volumes would take."""
    payloadType: int
    ctidTraderAccountId: int
    symbolId: int
    @property
    def volume(self) -> RepeatedScalarFieldContainer[int]:
        """hundredths of a unit"""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        symbolId: int | None = ...,
        volume: Iterable[int] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "symbolId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "symbolId", "volume"]) -> None: ...

@final
class ProtoOAExpectedMarginRes(Message):
    """One margin for each volume asked."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def margin(self) -> RepeatedCompositeFieldContainer[ProtoOAExpectedMargin]:
        ...
    moneyDigits: int
    """exponent of the margins"""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        margin: Iterable[ProtoOAExpectedMargin] | None = ...,
        moneyDigits: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "moneyDigits"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "margin", "moneyDigits"]) -> None: ...

@final
class ProtoOAMarginChangedEvent(Message):
    """The margin of a position changed."""
    payloadType: int
    ctidTraderAccountId: int
    positionId: int
    usedMargin: int
    """money"""
    moneyDigits: int
    """exponent of the money fields here"""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        positionId: int | None = ...,
        usedMargin: int | None = ...,
        moneyDigits: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "positionId", "usedMargin", "moneyDigits"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "positionId", "usedMargin", "moneyDigits"]) -> None: ...

@final
class ProtoOACashFlowHistoryListReq(Message):
    """Asks for changes of balance, a week at most. Counts as historical for the rate limit."""
    payloadType: int
    ctidTraderAccountId: int
    fromTimestamp: int
    """ms"""
    toTimestamp: int
    """ms; at most 604800000 later"""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        fromTimestamp: int | None = ...,
        toTimestamp: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "fromTimestamp", "toTimestamp"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "fromTimestamp", "toTimestamp"]) -> None: ...

@final
class ProtoOACashFlowHistoryListRes(Message):
    """Changes of balance other than by deals."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def depositWithdraw(self) -> RepeatedCompositeFieldContainer[ProtoOADepositWithdraw]:
        ...
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        depositWithdraw: Iterable[ProtoOADepositWithdraw] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "depositWithdraw"]) -> None: ...

@final
class ProtoOAGetAccountListByAccessTokenReq(Message):
    """Asks which accounts an access token covers."""
    payloadType: int
    accessToken: str
    """Secret."""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        accessToken: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "accessToken"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "accessToken"]) -> None: ...

@final
class ProtoOAGetAccountListByAccessTokenRes(Message):
    """The accounts of a token, demo and live ones alike."""
    payloadType: int
    accessToken: str
    """Secret; the one that was sent."""
    permissionScope: int
    @property
    def ctidTraderAccount(self) -> RepeatedCompositeFieldContainer[ProtoOACtidTraderAccount]:
        ...
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        accessToken: str | None = ...,
        permissionScope: ProtoOAClientPermissionScope | int | None = ...,
        ctidTraderAccount: Iterable[ProtoOACtidTraderAccount] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "accessToken", "permissionScope"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "accessToken", "permissionScope", "ctidTraderAccount"]) -> None: ...

@final
class ProtoOARefreshTokenReq(Message):
    """Trades a refresh token for a new pair of tokens. Accounts on the old access token may lose their
    session.
    """
    payloadType: int
    refreshToken: str
    """Secret; good for one use."""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        refreshToken: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "refreshToken"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "refreshToken"]) -> None: ...

@final
class ProtoOARefreshTokenRes(Message):
    """The new pair: store it before using it."""
    payloadType: int
    accessToken: str
    """Secret."""
    tokenType: str
    """'bearer'."""
    expiresIn: int
    """Seconds from now."""
    refreshToken: str
    """Secret."""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        accessToken: str | None = ...,
        tokenType: str | None = ...,
        expiresIn: int | None = ...,
        refreshToken: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "accessToken", "tokenType", "expiresIn", "refreshToken"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "accessToken", "tokenType", "expiresIn", "refreshToken"]) -> None: ...

@final
class ProtoOASubscribeSpotsReq(Message):
    """Asks for quotes of some symbols, for this connection and account."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def symbolId(self) -> RepeatedScalarFieldContainer[int]:
        ...
    subscribeToSpotTimestamp: bool
    """Fill in ProtoOASpotEvent.timestamp."""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        symbolId: Iterable[int] | None = ...,
        subscribeToSpotTimestamp: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "subscribeToSpotTimestamp"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "symbolId", "subscribeToSpotTimestamp"]) -> None: ...

@final
class ProtoOASubscribeSpotsRes(Message):
    """Quotes will come, the last known one of each symbol at once."""
    payloadType: int
    ctidTraderAccountId: int
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> None: ...

@final
class ProtoOAUnsubscribeSpotsReq(Message):
    """Ends quotes of some symbols."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def symbolId(self) -> RepeatedScalarFieldContainer[int]:
        ...
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        symbolId: Iterable[int] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "symbolId"]) -> None: ...

@final
class ProtoOAUnsubscribeSpotsRes(Message):
    """Quotes will end; a few may still come."""
    payloadType: int
    ctidTraderAccountId: int
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> None: ...

@final
class ProtoOASpotEvent(Message):
    """A quote. A side that is absent has not changed."""
    payloadType: int
    ctidTraderAccountId: int
    symbolId: int
    bid: int
    """price points"""
    ask: int
    """price points"""
    @property
    def trendbar(self) -> RepeatedCompositeFieldContainer[ProtoOATrendbar]:
        """Running bars, one for each subscribed period, when the bid changed."""
    sessionClose: int
    """price points; of the last session, in the first event only"""
    timestamp: int
    """ms; where asked for"""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        symbolId: int | None = ...,
        bid: int | None = ...,
        ask: int | None = ...,
        trendbar: Iterable[ProtoOATrendbar] | None = ...,
        sessionClose: int | None = ...,
        timestamp: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "symbolId", "bid", "ask", "sessionClose", "timestamp"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "symbolId", "bid", "ask", "trendbar", "sessionClose", "timestamp"]) -> None: ...

@final
class ProtoOASubscribeLiveTrendbarReq(Message):
    """Asks for the running bar of a symbol. Needs its quotes subscribed first."""
    payloadType: int
    ctidTraderAccountId: int
    period: int
    symbolId: int
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        period: ProtoOATrendbarPeriod | int | None = ...,
        symbolId: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "period", "symbolId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "period", "symbolId"]) -> None: ...

@final
class ProtoOASubscribeLiveTrendbarRes(Message):
    """Bars will come, inside ProtoOASpotEvent."""
    payloadType: int
    ctidTraderAccountId: int
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> None: ...

@final
class ProtoOAUnsubscribeLiveTrendbarReq(Message):
    """Ends the running bar of a symbol and period."""
    payloadType: int
    ctidTraderAccountId: int
    period: int
    symbolId: int
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        period: ProtoOATrendbarPeriod | int | None = ...,
        symbolId: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "period", "symbolId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "period", "symbolId"]) -> None: ...

@final
class ProtoOAUnsubscribeLiveTrendbarRes(Message):
    """Bars will end."""
    payloadType: int
    ctidTraderAccountId: int
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> None: ...

@final
class ProtoOAGetTrendbarsReq(Message):
    """Asks for past bars, both ends included. Counts as historical for the rate limit."""
    payloadType: int
    ctidTraderAccountId: int
    fromTimestamp: int
    """ms"""
    toTimestamp: int
    """ms; at most 2147483646000"""
    period: int
    symbolId: int
    count: int
    """Only the newest so many before toTimestamp."""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        fromTimestamp: int | None = ...,
        toTimestamp: int | None = ...,
        period: ProtoOATrendbarPeriod | int | None = ...,
        symbolId: int | None = ...,
        count: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "fromTimestamp", "toTimestamp", "period", "symbolId", "count"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "fromTimestamp", "toTimestamp", "period", "symbolId", "count"]) -> None: ...

@final
class ProtoOAGetTrendbarsRes(Message):
    """Past bars, oldest first; the running one may be among them."""
    payloadType: int
    ctidTraderAccountId: int
    period: int
    timestamp: int
    """Not to be used."""
    @property
    def trendbar(self) -> RepeatedCompositeFieldContainer[ProtoOATrendbar]:
        ...
    symbolId: int
    hasMore: bool
    """Older ones were left out: ask again with an earlier toTimestamp."""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        period: ProtoOATrendbarPeriod | int | None = ...,
        timestamp: int | None = ...,
        trendbar: Iterable[ProtoOATrendbar] | None = ...,
        symbolId: int | None = ...,
        hasMore: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "period", "timestamp", "symbolId", "hasMore"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "period", "timestamp", "trendbar", "symbolId", "hasMore"]) -> None: ...

@final
class ProtoOAGetTickDataReq(Message):
    """Asks for past ticks of one side, a week at most. Counts as historical for the rate limit."""
    payloadType: int
    ctidTraderAccountId: int
    symbolId: int
    type: int
    fromTimestamp: int
    """ms"""
    toTimestamp: int
    """ms; at most 2147483646000, and 604800000 after fromTimestamp"""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        symbolId: int | None = ...,
        type: ProtoOAQuoteType | int | None = ...,
        fromTimestamp: int | None = ...,
        toTimestamp: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "symbolId", "type", "fromTimestamp", "toTimestamp"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "symbolId", "type", "fromTimestamp", "toTimestamp"]) -> None: ...

@final
class ProtoOAGetTickDataRes(Message):
    """Past ticks."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def tickData(self) -> RepeatedCompositeFieldContainer[ProtoOATickData]:
        """Newest first; the first is absolute, each other a difference to the one before it."""
    hasMore: bool
    """Older ones were left out: ask again up to the oldest, less 1 ms."""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        tickData: Iterable[ProtoOATickData] | None = ...,
        hasMore: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "hasMore"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "tickData", "hasMore"]) -> None: ...

@final
class ProtoOAGetCtidProfileByTokenReq(Message):
    """Asks who owns an access token."""
    payloadType: int
    accessToken: str
    """Secret."""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        accessToken: str | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "accessToken"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "accessToken"]) -> None: ...

@final
class ProtoOAGetCtidProfileByTokenRes(Message):
    """The owner of the token."""
    payloadType: int
    @property
    def profile(self) -> ProtoOACtidProfile:
        ...
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        profile: ProtoOACtidProfile | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "profile"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "profile"]) -> None: ...

@final
class ProtoOADepthEvent(Message):
    """The order book changed."""
    payloadType: int
    ctidTraderAccountId: int
    symbolId: int
    @property
    def newQuotes(self) -> RepeatedCompositeFieldContainer[ProtoOADepthQuote]:
        """Added, or in place of those with the same id."""
    @property
    def deletedQuotes(self) -> RepeatedScalarFieldContainer[int]:
        """Ids of quotes that are gone."""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        symbolId: int | None = ...,
        newQuotes: Iterable[ProtoOADepthQuote] | None = ...,
        deletedQuotes: Iterable[int] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "symbolId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "symbolId", "newQuotes", "deletedQuotes"]) -> None: ...

@final
class ProtoOASubscribeDepthQuotesReq(Message):
    """Asks for the order book of some symbols. Needs their quotes subscribed first."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def symbolId(self) -> RepeatedScalarFieldContainer[int]:
        ...
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        symbolId: Iterable[int] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "symbolId"]) -> None: ...

@final
class ProtoOASubscribeDepthQuotesRes(Message):
    """The order book will come."""
    payloadType: int
    ctidTraderAccountId: int
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> None: ...

@final
class ProtoOAUnsubscribeDepthQuotesReq(Message):
    """Ends the order book of some symbols."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def symbolId(self) -> RepeatedScalarFieldContainer[int]:
        ...
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        symbolId: Iterable[int] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "symbolId"]) -> None: ...

@final
class ProtoOAUnsubscribeDepthQuotesRes(Message):
    """The order book will end."""
    payloadType: int
    ctidTraderAccountId: int
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> None: ...

@final
class ProtoOASymbolCategoryListReq(Message):
    """Asks for the symbol categories."""
    payloadType: int
    ctidTraderAccountId: int
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> None: ...

@final
class ProtoOASymbolCategoryListRes(Message):
    """The symbol categories."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def symbolCategory(self) -> RepeatedCompositeFieldContainer[ProtoOASymbolCategory]:
        ...
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        symbolCategory: Iterable[ProtoOASymbolCategory] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "symbolCategory"]) -> None: ...

@final
class ProtoOAAccountLogoutReq(Message):
    """Ends the account's session on this connection."""
    payloadType: int
    ctidTraderAccountId: int
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> None: ...

@final
class ProtoOAAccountLogoutRes(Message):
    """The session will end; ProtoOAAccountDisconnectEvent says when it has."""
    payloadType: int
    ctidTraderAccountId: int
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> None: ...

@final
class ProtoOAAccountDisconnectEvent(Message):
    """The account's session has ended; the connection and other accounts stay. Authorise it again to go on."""
    payloadType: int
    ctidTraderAccountId: int
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> None: ...

@final
class ProtoOAMarginCallListReq(Message):
    """Asks for the account's margin calls."""
    payloadType: int
    ctidTraderAccountId: int
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> None: ...

@final
class ProtoOAMarginCallListRes(Message):
    """The account's margin calls, usually three."""
    payloadType: int
    @property
    def marginCall(self) -> RepeatedCompositeFieldContainer[ProtoOAMarginCall]:
        ...
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        marginCall: Iterable[ProtoOAMarginCall] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "marginCall"]) -> None: ...

@final
class ProtoOAMarginCallUpdateReq(Message):
    """Sets the threshold of a margin call."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def marginCall(self) -> ProtoOAMarginCall:
        ...
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        marginCall: ProtoOAMarginCall | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "marginCall"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "marginCall"]) -> None: ...

@final
class ProtoOAMarginCallUpdateRes(Message):
    """The threshold is set."""
    payloadType: int
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType"]) -> None: ...

@final
class ProtoOAMarginCallUpdateEvent(Message):
    """The threshold of a margin call was changed."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def marginCall(self) -> ProtoOAMarginCall:
        ...
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        marginCall: ProtoOAMarginCall | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "marginCall"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "marginCall"]) -> None: ...

@final
class ProtoOAMarginCallTriggerEvent(Message):
    """The margin level fell to a threshold; told at most once in ten minutes."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def marginCall(self) -> ProtoOAMarginCall:
        ...
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        marginCall: ProtoOAMarginCall | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "marginCall"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "marginCall"]) -> None: ...

@final
class ProtoOAGetDynamicLeverageByIDReq(Message):
    """Asks for a dynamic leverage."""
    payloadType: int
    ctidTraderAccountId: int
    leverageId: int
    """ProtoOASymbol.leverageId."""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        leverageId: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "leverageId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "leverageId"]) -> None: ...

@final
class ProtoOAGetDynamicLeverageByIDRes(Message):
    """The dynamic leverage."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def leverage(self) -> ProtoOADynamicLeverage:
        ...
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        leverage: ProtoOADynamicLeverage | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "leverage"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "leverage"]) -> None: ...

@final
class ProtoOADealListByPositionIdReq(Message):
    """Asks for the deals of a position."""
    payloadType: int
    ctidTraderAccountId: int
    positionId: int
    fromTimestamp: int
    """ms"""
    toTimestamp: int
    """ms"""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        positionId: int | None = ...,
        fromTimestamp: int | None = ...,
        toTimestamp: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "positionId", "fromTimestamp", "toTimestamp"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "positionId", "fromTimestamp", "toTimestamp"]) -> None: ...

@final
class ProtoOADealListByPositionIdRes(Message):
    """The deals of the position, newest first."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def deal(self) -> RepeatedCompositeFieldContainer[ProtoOADeal]:
        ...
    hasMore: bool
    """Some were left out."""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        deal: Iterable[ProtoOADeal] | None = ...,
        hasMore: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "hasMore"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "deal", "hasMore"]) -> None: ...

@final
class ProtoOAOrderDetailsReq(Message):
    """Asks for an order and its deals."""
    payloadType: int
    ctidTraderAccountId: int
    orderId: int
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        orderId: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "orderId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "orderId"]) -> None: ...

@final
class ProtoOAOrderDetailsRes(Message):
    """The order, and all its deals."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def order(self) -> ProtoOAOrder:
        ...
    @property
    def deal(self) -> RepeatedCompositeFieldContainer[ProtoOADeal]:
        ...
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        order: ProtoOAOrder | None = ...,
        deal: Iterable[ProtoOADeal] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "order"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "order", "deal"]) -> None: ...

@final
class ProtoOAOrderListByPositionIdReq(Message):
    """Asks for the orders of a position."""
    payloadType: int
    ctidTraderAccountId: int
    positionId: int
    fromTimestamp: int
    """ms"""
    toTimestamp: int
    """ms"""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        positionId: int | None = ...,
        fromTimestamp: int | None = ...,
        toTimestamp: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "positionId", "fromTimestamp", "toTimestamp"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "positionId", "fromTimestamp", "toTimestamp"]) -> None: ...

@final
class ProtoOAOrderListByPositionIdRes(Message):
    """The orders of the position, latest change first."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def order(self) -> RepeatedCompositeFieldContainer[ProtoOAOrder]:
        ...
    hasMore: bool
    """Some were left out."""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        order: Iterable[ProtoOAOrder] | None = ...,
        hasMore: bool | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "hasMore"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "order", "hasMore"]) -> None: ...

@final
class ProtoOADealOffsetListReq(Message):
    """Asks which deals a deal is matched with."""
    payloadType: int
    ctidTraderAccountId: int
    dealId: int
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        dealId: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "dealId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "dealId"]) -> None: ...

@final
class ProtoOADealOffsetListRes(Message):
    """What the deal is matched with."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def offsetBy(self) -> RepeatedCompositeFieldContainer[ProtoOADealOffset]:
        """Deals that closed it."""
    @property
    def offsetting(self) -> RepeatedCompositeFieldContainer[ProtoOADealOffset]:
        """Deals that it closed."""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        offsetBy: Iterable[ProtoOADealOffset] | None = ...,
        offsetting: Iterable[ProtoOADealOffset] | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "offsetBy", "offsetting"]) -> None: ...

@final
class ProtoOAGetPositionUnrealizedPnLReq(Message):
    """Asks for the profit of all open positions at current prices."""
    payloadType: int
    ctidTraderAccountId: int
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId"]) -> None: ...

@final
class ProtoOAGetPositionUnrealizedPnLRes(Message):
    """Profit of each open position."""
    payloadType: int
    ctidTraderAccountId: int
    @property
    def positionUnrealizedPnL(self) -> RepeatedCompositeFieldContainer[ProtoOAPositionUnrealizedPnL]:
        ...
    moneyDigits: int
    """exponent of the money fields of each position"""
    def __init__(
        self,
        *,
        payloadType: ProtoOAPayloadType | int | None = ...,
        ctidTraderAccountId: int | None = ...,
        positionUnrealizedPnL: Iterable[ProtoOAPositionUnrealizedPnL] | None = ...,
        moneyDigits: int | None = ...,
    ) -> None: ...
    def HasField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "moneyDigits"]) -> bool: ...
    def ClearField(self, field_name: Literal["payloadType", "ctidTraderAccountId", "positionUnrealizedPnL", "moneyDigits"]) -> None: ...

__all__ = [
    "ProtoPayloadType",
    "ProtoErrorCode",
    "ProtoOAPayloadType",
    "ProtoOADayOfWeek",
    "ProtoOACommissionType",
    "ProtoOASymbolDistanceType",
    "ProtoOAMinCommissionType",
    "ProtoOATradingMode",
    "ProtoOASwapCalculationType",
    "ProtoOAAccessRights",
    "ProtoOATotalMarginCalculationType",
    "ProtoOAAccountType",
    "ProtoOAPositionStatus",
    "ProtoOATradeSide",
    "ProtoOAOrderType",
    "ProtoOATimeInForce",
    "ProtoOAOrderStatus",
    "ProtoOAOrderTriggerMethod",
    "ProtoOAExecutionType",
    "ProtoOAChangeBonusType",
    "ProtoOAChangeBalanceType",
    "ProtoOADealStatus",
    "ProtoOATrendbarPeriod",
    "ProtoOAQuoteType",
    "ProtoOAClientPermissionScope",
    "ProtoOANotificationType",
    "ProtoOAErrorCode",
    "ProtoOALimitedRiskMarginCalculationStrategy",
    "ProtoOAStopOutStrategy",
    "ProtoMessage",
    "ProtoErrorRes",
    "ProtoHeartbeatEvent",
    "ProtoOAAsset",
    "ProtoOASymbol",
    "ProtoOALightSymbol",
    "ProtoOAArchivedSymbol",
    "ProtoOASymbolCategory",
    "ProtoOAInterval",
    "ProtoOATrader",
    "ProtoOAPosition",
    "ProtoOATradeData",
    "ProtoOAOrder",
    "ProtoOABonusDepositWithdraw",
    "ProtoOADepositWithdraw",
    "ProtoOADeal",
    "ProtoOADealOffset",
    "ProtoOAClosePositionDetail",
    "ProtoOATrendbar",
    "ProtoOAExpectedMargin",
    "ProtoOATickData",
    "ProtoOACtidProfile",
    "ProtoOACtidTraderAccount",
    "ProtoOAAssetClass",
    "ProtoOADepthQuote",
    "ProtoOAMarginCall",
    "ProtoOAHoliday",
    "ProtoOADynamicLeverage",
    "ProtoOADynamicLeverageTier",
    "ProtoOAPositionUnrealizedPnL",
    "ProtoOAApplicationAuthReq",
    "ProtoOAApplicationAuthRes",
    "ProtoOAAccountAuthReq",
    "ProtoOAAccountAuthRes",
    "ProtoOAErrorRes",
    "ProtoOAClientDisconnectEvent",
    "ProtoOAAccountsTokenInvalidatedEvent",
    "ProtoOAVersionReq",
    "ProtoOAVersionRes",
    "ProtoOANewOrderReq",
    "ProtoOAExecutionEvent",
    "ProtoOACancelOrderReq",
    "ProtoOAAmendOrderReq",
    "ProtoOAAmendPositionSLTPReq",
    "ProtoOAClosePositionReq",
    "ProtoOATrailingSLChangedEvent",
    "ProtoOAAssetListReq",
    "ProtoOAAssetListRes",
    "ProtoOASymbolsListReq",
    "ProtoOASymbolsListRes",
    "ProtoOASymbolByIdReq",
    "ProtoOASymbolByIdRes",
    "ProtoOASymbolsForConversionReq",
    "ProtoOASymbolsForConversionRes",
    "ProtoOASymbolChangedEvent",
    "ProtoOAAssetClassListReq",
    "ProtoOAAssetClassListRes",
    "ProtoOATraderReq",
    "ProtoOATraderRes",
    "ProtoOATraderUpdatedEvent",
    "ProtoOAReconcileReq",
    "ProtoOAReconcileRes",
    "ProtoOAOrderErrorEvent",
    "ProtoOADealListReq",
    "ProtoOADealListRes",
    "ProtoOAOrderListReq",
    "ProtoOAOrderListRes",
    "ProtoOAExpectedMarginReq",
    "ProtoOAExpectedMarginRes",
    "ProtoOAMarginChangedEvent",
    "ProtoOACashFlowHistoryListReq",
    "ProtoOACashFlowHistoryListRes",
    "ProtoOAGetAccountListByAccessTokenReq",
    "ProtoOAGetAccountListByAccessTokenRes",
    "ProtoOARefreshTokenReq",
    "ProtoOARefreshTokenRes",
    "ProtoOASubscribeSpotsReq",
    "ProtoOASubscribeSpotsRes",
    "ProtoOAUnsubscribeSpotsReq",
    "ProtoOAUnsubscribeSpotsRes",
    "ProtoOASpotEvent",
    "ProtoOASubscribeLiveTrendbarReq",
    "ProtoOASubscribeLiveTrendbarRes",
    "ProtoOAUnsubscribeLiveTrendbarReq",
    "ProtoOAUnsubscribeLiveTrendbarRes",
    "ProtoOAGetTrendbarsReq",
    "ProtoOAGetTrendbarsRes",
    "ProtoOAGetTickDataReq",
    "ProtoOAGetTickDataRes",
    "ProtoOAGetCtidProfileByTokenReq",
    "ProtoOAGetCtidProfileByTokenRes",
    "ProtoOADepthEvent",
    "ProtoOASubscribeDepthQuotesReq",
    "ProtoOASubscribeDepthQuotesRes",
    "ProtoOAUnsubscribeDepthQuotesReq",
    "ProtoOAUnsubscribeDepthQuotesRes",
    "ProtoOASymbolCategoryListReq",
    "ProtoOASymbolCategoryListRes",
    "ProtoOAAccountLogoutReq",
    "ProtoOAAccountLogoutRes",
    "ProtoOAAccountDisconnectEvent",
    "ProtoOAMarginCallListReq",
    "ProtoOAMarginCallListRes",
    "ProtoOAMarginCallUpdateReq",
    "ProtoOAMarginCallUpdateRes",
    "ProtoOAMarginCallUpdateEvent",
    "ProtoOAMarginCallTriggerEvent",
    "ProtoOAGetDynamicLeverageByIDReq",
    "ProtoOAGetDynamicLeverageByIDRes",
    "ProtoOADealListByPositionIdReq",
    "ProtoOADealListByPositionIdRes",
    "ProtoOAOrderDetailsReq",
    "ProtoOAOrderDetailsRes",
    "ProtoOAOrderListByPositionIdReq",
    "ProtoOAOrderListByPositionIdRes",
    "ProtoOADealOffsetListReq",
    "ProtoOADealOffsetListRes",
    "ProtoOAGetPositionUnrealizedPnLReq",
    "ProtoOAGetPositionUnrealizedPnLRes",
]
