from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyctrader.wire import (
    AccountState,
    Codec,
    Connection,
    ConnectionState,
    Delimiting,
    Drift,
    FrameTooLarge,
    JsonCodec,
    LocalProtocolError,
    Message,
    ProtobufCodec,
    RemoteProtocolError,
    Role,
    UnknownPayload,
    encode_frame,
    framing_of,
)
from anyctrader.wire import messages as oa
from anyctrader.wire.dialogue import LONGEST_ID
from anyctrader.wire.events import (
    AccountChanged,
    AnswerDropped,
    ErrorReceived,
    Event,
    EventReceived,
    HeartbeatReceived,
    LinkClosed,
    RequestReceived,
    ResponseReceived,
    UndecodedReceived,
)
from anyctrader.wire.framing import Framing
from anyctrader.wire.progress import PROGRESS_SIZE
from anyctrader.wire.states import ACCOUNT_TABLE, CONNECTION_TABLE, AccountInput, ConnectionInput
from anyctrader.wire.websocket import MessageKind, Opcode, WebSocketFraming, control_frame, data_frame

from .generated import any_message, few

ACCOUNT, OTHER = 7, 8
CLIENT, SERVER = Role.CLIENT, Role.SERVER
CODECS: tuple[Codec, ...] = (ProtobufCodec(), JsonCodec())

APP_AUTH = oa.ProtoOAApplicationAuthReq(clientId="a", clientSecret="b")
APP_AUTH_RES = oa.ProtoOAApplicationAuthRes()
ACCOUNT_AUTH = oa.ProtoOAAccountAuthReq(ctidTraderAccountId=ACCOUNT, accessToken="t")
ACCOUNT_AUTH_RES = oa.ProtoOAAccountAuthRes(ctidTraderAccountId=ACCOUNT)
VERSION, VERSION_RES = oa.ProtoOAVersionReq(), oa.ProtoOAVersionRes(version="91")
REFRESH = oa.ProtoOARefreshTokenReq(refreshToken="r")
ACCOUNT_LIST = oa.ProtoOAGetAccountListByAccessTokenReq(accessToken="t")
RECONCILE = oa.ProtoOAReconcileReq(ctidTraderAccountId=ACCOUNT)
RECONCILE_RES = oa.ProtoOAReconcileRes(ctidTraderAccountId=ACCOUNT)
ORDER = oa.ProtoOANewOrderReq(ctidTraderAccountId=ACCOUNT, symbolId=1, orderType=1, tradeSide=1, volume=1)
LOGOUT = oa.ProtoOAAccountLogoutReq(ctidTraderAccountId=ACCOUNT)
LOGOUT_RES = oa.ProtoOAAccountLogoutRes(ctidTraderAccountId=ACCOUNT)
ACCEPTED = oa.ProtoOAExecutionEvent(ctidTraderAccountId=ACCOUNT, executionType=2)
FILLED = oa.ProtoOAExecutionEvent(ctidTraderAccountId=ACCOUNT, executionType=3)
SPOT = oa.ProtoOASpotEvent(ctidTraderAccountId=ACCOUNT, symbolId=1, bid=5)
HEARTBEAT = oa.ProtoHeartbeatEvent()
GOODBYE = oa.ProtoOAClientDisconnectEvent(reason="maintenance")
LOST = oa.ProtoOAAccountDisconnectEvent(ctidTraderAccountId=ACCOUNT)
INVALIDATED = oa.ProtoOAAccountsTokenInvalidatedEvent(ctidTraderAccountIds=[OTHER, ACCOUNT])
ORDER_ERROR = oa.ProtoOAOrderErrorEvent(ctidTraderAccountId=ACCOUNT, errorCode="NOT_ENOUGH_MONEY")


def error(code: str = "INVALID_REQUEST", description: str = "") -> Any:
    return oa.ProtoOAErrorRes(errorCode=code, description=description)


class Pair:
    """A client and a server, back to back; each byte that one says the other hears, whole or in pieces."""

    def __init__(self, codec: Codec = CODECS[0], delimiting: Delimiting = Delimiting.LENGTH, step: int = 0) -> None:
        self.client = Connection(CLIENT, codec, framing=framing_of(delimiting))
        self.server = Connection(SERVER, codec, framing=framing_of(delimiting))
        self.step = step

    def end(self, role: Role) -> Connection:
        return self.client if role is CLIENT else self.server

    def say(self, role: Role, payload: Any, client_msg_id: str | None = None) -> list[Event]:
        """One end says it; what the other end makes of it."""
        data = self.end(role).send(Message(payload, client_msg_id))
        other = self.end(SERVER if role is CLIENT else CLIENT)
        pieces = [data[at : at + self.step] for at in range(0, len(data), self.step)] if self.step else [data]
        return [event for piece in pieces for event in other.receive_data(piece)]

    def asks(self, payload: Any, client_msg_id: str | None = None) -> list[Event]:
        return self.say(CLIENT, payload, client_msg_id)

    def answers(self, payload: Any, client_msg_id: str | None = None) -> list[Event]:
        return self.say(SERVER, payload, client_msg_id)


def ready(**more: Any) -> Pair:
    pair = Pair(**more)
    pair.asks(APP_AUTH, "app")
    pair.answers(APP_AUTH_RES, "app")
    return pair


def authorised(**more: Any) -> Pair:
    pair = ready(**more)
    pair.asks(ACCOUNT_AUTH, "account")
    pair.answers(ACCOUNT_AUTH_RES, "account")
    return pair


def snapshot(connection: Connection) -> tuple[Any, ...]:
    return (
        connection.state,
        {account: state for account, state in connection.accounts.items() if state is not AccountState.LOGGED_OUT},
        connection.open_ids,
        connection.late_answers,
    )


def frame(payload: Any, client_msg_id: str | None = None, codec: Codec = CODECS[0]) -> bytes:
    return framing_of(Delimiting.LENGTH).wrap(codec.encode(Message(payload, client_msg_id)))


def closed(events: list[Event]) -> LinkClosed:
    """The one LinkClosed that ends the list."""
    assert [type(event) for event in events].count(LinkClosed) == 1
    last = events[-1]
    assert isinstance(last, LinkClosed)
    return last


# Every (state, input) pair, through real messages


def connection_in(state: ConnectionState, role: Role, codec: Codec) -> Connection:
    pair = Pair(codec)
    if state in (ConnectionState.AUTHENTICATING, ConnectionState.READY):
        pair.asks(APP_AUTH, "app")
    if state is ConnectionState.READY:
        pair.answers(APP_AUTH_RES, "app")
    connection = pair.end(role)
    if state is ConnectionState.CLOSED:
        connection.close()
    assert connection.state is state
    return connection


INPUTS: list[tuple[ConnectionInput, Role, Any, str | None]] = [
    (ConnectionInput.APP_AUTH, CLIENT, APP_AUTH, "new"),
    (ConnectionInput.APP_AUTH_ANSWERED, SERVER, APP_AUTH_RES, "app"),
    (ConnectionInput.APP_AUTH_ANSWERED, SERVER, error("CH_CLIENT_ALREADY_AUTHENTICATED"), "app"),
    (ConnectionInput.APP_AUTH_REFUSED, SERVER, error("CH_CLIENT_AUTH_FAILURE"), "app"),
    (ConnectionInput.APP_AUTH_REFUSED, SERVER, oa.ProtoErrorRes(errorCode="X"), None),
    (ConnectionInput.EARLY_REQUEST, CLIENT, VERSION, "new"),
    (ConnectionInput.EARLY_REQUEST, CLIENT, REFRESH, None),
    (ConnectionInput.REQUEST, CLIENT, ACCOUNT_LIST, "new"),
    (ConnectionInput.REQUEST, CLIENT, UnknownPayload(9999), "new"),
    (ConnectionInput.ANSWER, SERVER, VERSION_RES, "unheard of"),
    (ConnectionInput.ANSWER, SERVER, SPOT, None),
    (ConnectionInput.ANSWER, SERVER, UnknownPayload(9999), None),
    (ConnectionInput.HEARTBEAT, CLIENT, HEARTBEAT, None),
    (ConnectionInput.HEARTBEAT, SERVER, HEARTBEAT, None),
    (ConnectionInput.ENDED, SERVER, GOODBYE, None),
]


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("state", ConnectionState)
@pytest.mark.parametrize(
    ("asked", "speaker", "payload", "client_msg_id"), INPUTS, ids=lambda value: getattr(value, "name", "")
)
def test_every_input_moves_every_state_as_the_table_says_or_is_refused_and_moves_nothing(
    codec: Codec,
    role: Role,
    state: ConnectionState,
    asked: ConnectionInput,
    speaker: Role,
    payload: Any,
    client_msg_id: str | None,
) -> None:
    connection = connection_in(state, role, codec)
    before = snapshot(connection)
    after = CONNECTION_TABLE.get((state, asked))
    if isinstance(payload, UnknownPayload):
        payload = UnknownPayload(9999, b"" if codec.name == "protobuf" else {})
    message = Message(payload, client_msg_id)
    if state is ConnectionState.CLOSED:
        after = None  # but for an end that has come already, nothing may be said and nothing is heard
    if speaker is role:
        if after is None:
            with pytest.raises(LocalProtocolError):
                connection.send(message)
        else:
            assert connection.send(message)
    else:
        events = connection.receive_data(frame(payload, client_msg_id, codec))
        if state is ConnectionState.CLOSED:
            assert events == []
        elif after is None:
            assert events == [RequestReceived(message, client_msg_id, events[0].misplaced)]  # type: ignore[union-attr]
            assert events[0].misplaced  # type: ignore[union-attr]  # the line above says what it is
        elif role is SERVER and asked is not ConnectionInput.HEARTBEAT:
            assert events == [RequestReceived(message, client_msg_id, None)]
    if after is None:
        assert snapshot(connection) == before
    else:
        assert connection.state is after


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("state", ConnectionState)
@pytest.mark.parametrize("how", ["end of stream", "torn frame", "broken framing", "no envelope", "close"])
def test_every_way_to_end_closes_for_good_from_every_state(role: Role, state: ConnectionState, how: str) -> None:
    connection = connection_in(state, role, CODECS[0])
    if how == "end of stream":
        events = connection.receive_eof()
        fault: type | None = None
    elif how == "torn frame":
        assert connection.receive_data(b"\0\0") == []
        events, fault = connection.receive_eof(), RemoteProtocolError
    elif how == "broken framing":
        events, fault = connection.receive_data(b"\xff" * 4), FrameTooLarge
    elif how == "no envelope":
        events, fault = connection.receive_data(b"\0\0\0\1x"), RemoteProtocolError
    else:
        connection.close()
        events = []
    if state is ConnectionState.CLOSED or how == "close":
        assert events == []
    elif fault is None:
        assert events == [LinkClosed("the peer ended the stream", None)]
    else:
        assert type(closed(events).error) is fault
        assert closed(events).reason == str(closed(events).error)
    assert connection.state is ConnectionState.CLOSED
    connection.close()
    assert connection.receive_eof() == []
    assert connection.receive_data(frame(SPOT) + b"\xff" * 9) == []
    assert connection.open_ids == frozenset()
    for payload in (HEARTBEAT, VERSION, VERSION_RES):
        with pytest.raises(LocalProtocolError):
            connection.send(Message(payload))


ACCOUNT_INPUTS: list[tuple[AccountInput, Role, Any, str | None]] = [
    (AccountInput.AUTH, CLIENT, ACCOUNT_AUTH, "new"),
    (AccountInput.AUTH_ANSWERED, SERVER, ACCOUNT_AUTH_RES, "account"),
    (AccountInput.AUTH_REFUSED, SERVER, error("CH_ACCESS_TOKEN_INVALID"), "account"),
    (AccountInput.REQUEST, CLIENT, RECONCILE, "new"),
    (AccountInput.REQUEST, CLIENT, ORDER, "new"),
    (AccountInput.REQUEST, CLIENT, LOGOUT, None),
    (AccountInput.ENDED, SERVER, LOST, None),
    (AccountInput.ENDED, SERVER, INVALIDATED, None),
    (AccountInput.ENDED, SERVER, LOGOUT_RES, None),
]


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("state", AccountState)
@pytest.mark.parametrize(
    ("asked", "speaker", "payload", "client_msg_id"), ACCOUNT_INPUTS, ids=lambda value: getattr(value, "name", "")
)
def test_every_input_moves_every_account_as_the_table_says_or_is_refused_and_moves_nothing(
    role: Role, state: AccountState, asked: AccountInput, speaker: Role, payload: Any, client_msg_id: str | None
) -> None:
    pair = ready()
    pair.asks(ACCOUNT_AUTH, "account")
    if state is AccountState.AUTHENTICATED:
        pair.answers(ACCOUNT_AUTH_RES, "account")
    elif state is AccountState.LOGGED_OUT:
        pair.answers(LOST)
    if asked is AccountInput.AUTH_REFUSED and "account" not in pair.client.open_ids:
        pair.asks(ACCOUNT_AUTH, "account")  # a refusal needs something that it refuses
        state = AccountState.AUTHENTICATING
    connection = pair.end(role)
    assert connection.accounts[ACCOUNT] is state
    before = snapshot(connection)
    after = ACCOUNT_TABLE.get((state, asked))
    if speaker is role:
        if after is None:
            with pytest.raises(LocalProtocolError, match="needs account 7 authorised"):
                connection.send(Message(payload, client_msg_id))
        else:
            connection.send(Message(payload, client_msg_id))
    else:
        events = connection.receive_data(frame(payload, client_msg_id))
        changes = [event for event in events if isinstance(event, AccountChanged)]
        assert changes == ([AccountChanged(ACCOUNT, after)] if after not in (None, state) else [])
        if role is SERVER:
            misplaced = "ProtoOA" if after is None else None
            received = events[-1]
            assert isinstance(received, RequestReceived)
            assert (received.misplaced or "")[:7] == (misplaced or "")
    if after is None:
        assert snapshot(connection) == before
    else:
        assert connection.accounts[ACCOUNT] is after


# Back to back

MENU: list[tuple[Role, Any]] = [
    *((CLIENT, payload) for payload in (APP_AUTH, ACCOUNT_AUTH, VERSION, REFRESH, ACCOUNT_LIST, RECONCILE, ORDER)),
    *((CLIENT, payload) for payload in (LOGOUT, HEARTBEAT)),
    (CLIENT, oa.ProtoOAAccountAuthReq(ctidTraderAccountId=OTHER, accessToken="t")),
    (CLIENT, oa.ProtoOAReconcileReq(ctidTraderAccountId=OTHER)),
    *((SERVER, payload) for payload in (APP_AUTH_RES, ACCOUNT_AUTH_RES, VERSION_RES, RECONCILE_RES, ACCEPTED, FILLED)),
    *((SERVER, payload) for payload in (LOGOUT_RES, SPOT, HEARTBEAT, LOST, INVALIDATED, ORDER_ERROR, error())),
    (SERVER, error("INVALID_REQUEST", "Trading account is not authorized")),
    (SERVER, error("ALREADY_LOGGED_IN")),
    (SERVER, oa.ProtoErrorRes(errorCode="X")),
    (SERVER, oa.ProtoOAAccountAuthRes(ctidTraderAccountId=OTHER)),
    (SERVER, oa.ProtoOAExecutionEvent(ctidTraderAccountId=OTHER, executionType=2)),
]
IDS = (None, "", "1", "2", "3", "app", "account")


@given(
    st.sampled_from(CODECS),
    st.sampled_from(list(Delimiting)),
    st.integers(1, 40),
    st.sampled_from((Pair, ready, authorised)),
    st.lists(st.tuples(st.sampled_from([*MENU, (SERVER, GOODBYE)]), st.sampled_from(IDS)), max_size=25),
)
@few(150)
def test_both_ends_agree_whatever_is_said_and_however_the_bytes_are_cut(
    codec: Codec, delimiting: Delimiting, step: int, start: Any, said: list[tuple[tuple[Role, Any], str | None]]
) -> None:
    if codec.name == "protobuf":
        delimiting = Delimiting.LENGTH
    whole, pieces = (start(codec=codec, delimiting=delimiting, step=step) for step in (0, step))
    for (role, payload), client_msg_id in said:
        before = [snapshot(pair.end(role)) for pair in (whole, pieces) for role in Role]
        try:
            events = whole.say(role, payload, client_msg_id)
        except LocalProtocolError:
            with pytest.raises(LocalProtocolError):
                pieces.say(role, payload, client_msg_id)
            assert [snapshot(pair.end(role)) for pair in (whole, pieces) for role in Role] == before
            continue
        assert pieces.say(role, payload, client_msg_id) == events
        assert not [event for event in events if isinstance(event, UndecodedReceived) and role is CLIENT]
        assert all(event.misplaced is None for event in events if isinstance(event, RequestReceived))
        assert snapshot(whole.client)[:3] == snapshot(whole.server)[:3]
        assert snapshot(whole.client) == snapshot(pieces.client)


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_a_session_from_the_first_word_to_the_last(codec: Codec) -> None:
    pair = Pair(codec)
    asked = Message(APP_AUTH, "1")
    assert pair.asks(APP_AUTH, "1") == [RequestReceived(asked, "1", None)]
    assert pair.client.open_ids == pair.server.open_ids == {"1"}
    assert pair.answers(APP_AUTH_RES, "1") == [ResponseReceived("1", Message(APP_AUTH_RES, "1"))]
    assert pair.client.state is pair.server.state is ConnectionState.READY
    assert pair.client.open_ids == pair.server.open_ids == frozenset()
    assert pair.asks(ACCOUNT_AUTH, "2") == [
        AccountChanged(ACCOUNT, AccountState.AUTHENTICATING),
        RequestReceived(Message(ACCOUNT_AUTH, "2"), "2", None),
    ]
    assert pair.answers(ACCOUNT_AUTH_RES, "2") == [
        AccountChanged(ACCOUNT, AccountState.AUTHENTICATED),
        ResponseReceived("2", Message(ACCOUNT_AUTH_RES, "2")),
    ]
    assert pair.asks(HEARTBEAT) == pair.answers(HEARTBEAT) == [HeartbeatReceived()]
    assert pair.answers(SPOT) == [EventReceived(Message(SPOT), None)]
    assert pair.answers(GOODBYE) == [
        EventReceived(Message(GOODBYE), None),
        AccountChanged(ACCOUNT, AccountState.LOGGED_OUT),
        LinkClosed("the server disconnected us: maintenance", None),
    ]
    assert pair.server.state is ConnectionState.CLOSED
    assert (pair.client.role, pair.server.role) == (CLIENT, SERVER)


@pytest.mark.parametrize("client_msg_id", [None, "", "7"])
def test_a_disconnect_ends_the_link_whatever_id_it_carries(client_msg_id: str | None) -> None:
    connection = connection_in(ConnectionState.OPEN, CLIENT, CODECS[0])
    goodbye = oa.ProtoOAClientDisconnectEvent()
    events = connection.receive_data(frame(goodbye, client_msg_id) + frame(SPOT))
    assert events == [
        EventReceived(Message(goodbye, client_msg_id), client_msg_id or None),
        LinkClosed("the server disconnected us: no reason given", None),
    ]


def test_a_reason_is_told_whole_for_whoever_covers_secrets_in_it_and_moves_no_cursor() -> None:
    connection = connection_in(ConnectionState.OPEN, CLIENT, CODECS[0])
    events = connection.receive_data(frame(oa.ProtoOAClientDisconnectEvent(reason="\x1b[2J\n" + "x" * 60_000)))
    assert closed(events).reason == r"the server disconnected us: \x1b[2J\n" + "x" * 60_000


def test_of_a_reason_beyond_all_measure_the_length_is_told_since_the_half_of_a_secret_cannot_be_covered() -> None:
    connection = connection_in(ConnectionState.OPEN, CLIENT, CODECS[0])
    events = connection.receive_data(frame(oa.ProtoOAClientDisconnectEvent(reason="\x01" * 100_000)))
    assert closed(events).reason == "the server disconnected us: a text of 100000 characters"


def test_it_is_idle_where_the_last_bytes_held_nothing_of_a_message() -> None:
    framing = WebSocketFraming(CLIENT, MessageKind.BINARY, random=bytes)
    connection = Connection(CLIENT, ProtobufCodec(), framing=framing)
    message = data_frame(0x82, ProtobufCodec().encode(Message(SPOT)))
    for data, idle in (
        (control_frame(Opcode.PING), True),
        (message, False),
        (control_frame(Opcode.PONG, b"x"), True),
        (message[:5], True),
        (message[5:] + control_frame(Opcode.PING), False),
        (data_frame(0x02, b"\x08"), True),
    ):
        connection.receive_data(data)
        assert connection.idle is idle


def a_long_text(size: int) -> bytes:
    return b'{"payloadType": 51, "payload": {"x": "' + b"x" * size


@pytest.mark.parametrize(
    ("framing", "begun", "piece"),
    [
        (framing_of(Delimiting.LENGTH), (15_000_000).to_bytes(4, "big"), b"x"),
        (framing_of(Delimiting.NEWLINE), a_long_text(1), b"x"),
        (framing_of(Delimiting.OBJECTS), a_long_text(1), b"x"),
        (WebSocketFraming(CLIENT, MessageKind.TEXT, random=bytes), data_frame(0x01, b"{"), data_frame(0x00, b"x")),
        (WebSocketFraming(CLIENT, MessageKind.TEXT, random=bytes), data_frame(0x01, b"{"), data_frame(0x00, b"")),
    ],
    ids=["length", "newline", "objects", "fragments", "empty fragments"],
)
def test_it_is_idle_while_a_message_without_end_trickles_in(framing: Framing, begun: bytes, piece: bytes) -> None:
    connection = Connection(CLIENT, JsonCodec(), framing=framing)
    for data in (begun, *(piece,) * 1000):
        assert connection.receive_data(data) == []
        assert connection.idle


def test_a_long_message_is_a_sign_of_life_each_time_that_it_has_grown_by_a_step() -> None:
    connection = Connection(CLIENT, ProtobufCodec())
    signs = []
    for data in ((15_000_000).to_bytes(4, "big"), *(b"x" * (PROGRESS_SIZE // 4),) * 12):
        connection.receive_data(data)
        signs.append(not connection.idle)
    assert signs == [False, *(False, False, False, True) * 3]


def test_what_counts_of_a_long_message_does_not_count_against_the_next() -> None:
    connection = Connection(CLIENT, ProtobufCodec())
    begun = encode_frame(b"\xff" * (2 * PROGRESS_SIZE))[:-1]
    for data in (begun, b"\xff", begun):
        connection.receive_data(data)
        assert not connection.idle


# Answers


def test_an_execution_event_is_an_event_first_and_then_the_answer_and_later_ones_are_events_only() -> None:
    pair = authorised()
    pair.asks(ORDER, "1")
    accepted, filled = Message(ACCEPTED, "1"), Message(FILLED, "1")
    assert pair.answers(ACCEPTED, "1") == [EventReceived(accepted, "1"), ResponseReceived("1", accepted)]
    assert pair.client.open_ids == frozenset()
    assert pair.answers(FILLED, "1") == [EventReceived(filled, "1")]
    assert pair.answers(FILLED) == [EventReceived(Message(FILLED), None)]
    assert pair.client.late_answers == 0


def test_an_order_error_is_an_event_first_and_then_the_error_of_its_request() -> None:
    pair = authorised()
    pair.asks(ORDER, "1")
    message = Message(ORDER_ERROR, "1")
    events = pair.answers(ORDER_ERROR, "1")
    assert events == [
        EventReceived(message, "1"),
        ErrorReceived("1", ACCOUNT, "NOT_ENOUGH_MONEY", None, None, None, message),
    ]
    assert pair.client.open_ids == frozenset()
    again = pair.answers(ORDER_ERROR, "1")
    assert again == [
        EventReceived(message, "1"),
        ErrorReceived(None, ACCOUNT, "NOT_ENOUGH_MONEY", None, None, None, message),
    ]
    assert pair.client.late_answers == 1


def test_an_event_with_the_id_of_a_request_that_it_does_not_answer_leaves_the_request_open() -> None:
    pair = authorised()
    pair.asks(ORDER, "1")
    pair.asks(RECONCILE, "2")
    foreign = oa.ProtoOAExecutionEvent(ctidTraderAccountId=OTHER, executionType=2)
    for payload, client_msg_id in ((SPOT, "1"), (foreign, "1"), (ACCEPTED, "2"), (ACCEPTED, "unheard of")):
        message = Message(payload, client_msg_id)
        assert pair.answers(payload, client_msg_id) == [EventReceived(message, client_msg_id)]
    assert pair.client.open_ids == {"1", "2"}


def test_answers_may_come_in_any_order() -> None:
    pair = authorised()
    pair.asks(RECONCILE, "1")
    pair.asks(VERSION, "2")
    assert pair.answers(VERSION_RES, "2") == [ResponseReceived("2", Message(VERSION_RES, "2"))]
    assert pair.answers(RECONCILE_RES, "1") == [ResponseReceived("1", Message(RECONCILE_RES, "1"))]


def test_an_answer_that_nobody_waits_for_is_counted_and_dropped() -> None:
    pair = authorised()
    pair.asks(RECONCILE, "1")
    pair.client.abandon("1")
    assert pair.client.open_ids == frozenset()
    for answer, client_msg_id in ((RECONCILE_RES, "1"), (VERSION_RES, "unheard of"), (VERSION_RES, None)):
        assert pair.answers(answer, client_msg_id) == [AnswerDropped(Message(answer, client_msg_id))]
    assert pair.client.late_answers == 3
    pair.client.abandon("unheard of")


def test_an_authorisation_that_is_abandoned_is_reported_to_have_ended_the_accounts_session() -> None:
    pair = authorised()
    pair.asks(ACCOUNT_AUTH, "1")
    (change,) = pair.client.abandon("1")
    assert change == AccountChanged(ACCOUNT, AccountState.LOGGED_OUT)
    assert "nobody waits" in change.why
    assert pair.client.abandon("1") == []


def test_an_error_that_nobody_waits_for_is_counted_and_reported_without_an_id() -> None:
    pair = authorised()
    for client_msg_id, late in (("unheard of", 1), (None, 1), ("", 1)):
        refusal = error("REQUEST_FREQUENCY_EXCEEDED", "slower")
        message = Message(refusal, client_msg_id)
        assert pair.answers(refusal, client_msg_id) == [
            ErrorReceived(None, None, "REQUEST_FREQUENCY_EXCEEDED", "slower", None, None, message)
        ]
        assert pair.client.late_answers == late


def test_the_answer_to_a_request_without_an_id_moves_states_and_reaches_nobody() -> None:
    pair = Pair()
    pair.asks(APP_AUTH)
    assert pair.client.open_ids == pair.server.open_ids == frozenset()
    assert pair.answers(APP_AUTH_RES) == [AnswerDropped(Message(APP_AUTH_RES))]
    assert pair.client.state is pair.server.state is ConnectionState.READY


def test_a_refusal_without_an_id_fails_the_application_auth_where_nothing_else_waits() -> None:
    pair = Pair()
    pair.asks(APP_AUTH, "1")
    refusal = oa.ProtoErrorRes(errorCode="SERVER_IS_UNDER_MAINTENANCE", maintenanceEndTimestamp=1_763_841_600_000)
    assert pair.answers(refusal) == [
        ErrorReceived("1", None, "SERVER_IS_UNDER_MAINTENANCE", None, None, 1_763_841_600_000, Message(refusal))
    ]
    assert pair.client.state is pair.server.state is ConnectionState.OPEN
    assert pair.client.open_ids == pair.server.open_ids == frozenset()


@pytest.mark.parametrize("answer", [VERSION_RES, oa.ProtoOAReconcileRes(ctidTraderAccountId=OTHER)])
def test_a_response_that_cannot_be_the_answer_is_reported_and_the_request_waits_for_its_own(answer: Any) -> None:
    pair = authorised()
    pair.asks(RECONCILE, "1")
    [event] = pair.answers(answer, "1")
    assert isinstance(event, UndecodedReceived)
    assert (event.client_msg_id, event.body) == (None, answer.SerializeToString())
    assert event.reason.startswith("it carries the id of a")
    assert pair.client.open_ids == {"1"}
    assert pair.answers(RECONCILE_RES, "1") == [ResponseReceived("1", Message(RECONCILE_RES, "1"))]
    assert pair.client.late_answers == 0


@pytest.mark.parametrize(
    "asked", [RECONCILE, ORDER, APP_AUTH, ACCOUNT_AUTH], ids=lambda payload: type(payload).__name__
)
@pytest.mark.parametrize(
    ("payload_type", "payload"),
    [(2122, b"\xff"), (2131, b"\xff"), (2104, b"")],
    ids=["a response that cannot be read", "an event that cannot be read", "a request"],
)
def test_what_can_be_no_answer_leaves_the_request_and_all_states_as_they_are(
    asked: Any, payload_type: int, payload: bytes
) -> None:
    pair = Pair() if asked is APP_AUTH else authorised()
    pair.asks(asked, "1")
    before = snapshot(pair.client)[:3]
    body = oa.ProtoMessage(payloadType=payload_type, payload=payload, clientMsgId="1").SerializeToString()
    [event] = pair.client.receive_data(framing_of(Delimiting.LENGTH).wrap(body))
    assert isinstance(event, UndecodedReceived)
    assert (event.payload_type, event.client_msg_id) == (payload_type, None)
    assert snapshot(pair.client)[:3] == before


def test_an_order_is_answered_by_its_execution_event_whatever_else_came_with_its_id() -> None:
    pair = authorised()
    pair.asks(ORDER, "1")
    pair.answers(VERSION_RES, "1")
    accepted = Message(ACCEPTED, "1")
    assert pair.answers(ACCEPTED, "1") == [EventReceived(accepted, "1"), ResponseReceived("1", accepted)]


@pytest.mark.parametrize("payload_type", [2126, 2132, 2142, 9999])
def test_what_may_be_the_answer_and_cannot_be_read_fails_the_request(payload_type: int) -> None:
    pair = authorised()
    pair.asks(ORDER, "1")
    body = oa.ProtoMessage(payloadType=payload_type, payload=b"\xff", clientMsgId="1").SerializeToString()
    [event] = pair.client.receive_data(framing_of(Delimiting.LENGTH).wrap(body))
    assert isinstance(event, UndecodedReceived)
    assert event.client_msg_id == "1"
    assert pair.client.open_ids == frozenset()


def test_a_response_to_another_request_moves_no_state() -> None:
    pair = ready()
    pair.asks(VERSION, "1")
    pair.asks(ACCOUNT_AUTH, "2")
    [event] = pair.answers(ACCOUNT_AUTH_RES, "1")
    assert isinstance(event, UndecodedReceived)
    assert pair.client.accounts == {ACCOUNT: AccountState.AUTHENTICATING}


def test_an_abandoned_application_auth_may_be_asked_again() -> None:
    pair = Pair()
    pair.asks(APP_AUTH, "1")
    pair.client.abandon("1")
    assert pair.client.state is ConnectionState.OPEN
    [event] = pair.asks(APP_AUTH, "2")
    assert isinstance(event, RequestReceived)
    assert event.misplaced == "ProtoOAApplicationAuthReq may not be said while the application is authenticating"
    assert pair.answers(APP_AUTH_RES, "1") == [AnswerDropped(Message(APP_AUTH_RES, "1"))]
    assert pair.client.state is ConnectionState.READY
    pair.answers(error("CH_CLIENT_ALREADY_AUTHENTICATED"), "2")
    assert pair.client.state is pair.server.state is ConnectionState.READY


def test_an_answer_to_an_auth_that_cannot_be_read_counts_as_a_refusal() -> None:
    pair = ready()
    pair.asks(ACCOUNT_AUTH, "1")
    body = oa.ProtoMessage(payloadType=2103, payload=b"", clientMsgId="1").SerializeToString()
    events = pair.client.receive_data(framing_of(Delimiting.LENGTH).wrap(body))
    assert events == [
        AccountChanged(ACCOUNT, AccountState.LOGGED_OUT),
        UndecodedReceived(2103, "1", b"", "ProtoOAAccountAuthRes lacks required fields: ctidTraderAccountId"),
    ]


# What may not be said


def test_an_id_that_is_open_may_not_be_used_again() -> None:
    pair = authorised()
    pair.asks(RECONCILE, "1")
    for payload in (VERSION, RECONCILE, UnknownPayload(9999)):
        with pytest.raises(LocalProtocolError, match="client message id '1' is still open"):
            pair.asks(payload, "1")
    pair.asks(HEARTBEAT, "1")
    pair.answers(RECONCILE_RES, "1")
    pair.asks(VERSION, "1")


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_an_id_is_taken_up_to_a_length_so_that_a_client_cannot_make_a_server_remember_without_bound(
    codec: Codec,
) -> None:
    pair = ready(codec=codec)
    pair.asks(VERSION, "é" * LONGEST_ID)
    long = "é" * (LONGEST_ID + 1)
    reason = f"its clientMsgId has {LONGEST_ID + 1} characters; at most {LONGEST_ID} are taken"
    with pytest.raises(LocalProtocolError, match=reason):
        pair.asks(VERSION, long)
    for payload in (VERSION, UnknownPayload(9999)):
        [refused] = pair.server.receive_data(encode_frame(codec.encode(Message(payload, long))))
        assert isinstance(refused, UndecodedReceived)
        assert (refused.client_msg_id, refused.reason) == (None, reason)
    assert pair.server.open_ids == pair.client.open_ids == {"é" * LONGEST_ID}


@pytest.mark.parametrize("client_msg_id", [7, b"7", ["7"]])
def test_an_id_that_is_no_string_may_not_be_said(client_msg_id: Any) -> None:
    connection = authorised().client
    before = snapshot(connection)
    with pytest.raises(LocalProtocolError, match="a client message id is a string"):
        connection.send(Message(VERSION, client_msg_id))
    assert snapshot(connection) == before


@pytest.mark.parametrize(
    ("role", "payload"), [(CLIENT, SPOT), (CLIENT, VERSION_RES), (CLIENT, error()), (SERVER, VERSION)]
)
def test_neither_end_says_what_belongs_to_the_other(role: Role, payload: Any) -> None:
    connection = authorised().end(role)
    before = snapshot(connection)
    with pytest.raises(LocalProtocolError, match=f"{type(payload).__name__} is nothing that a {role.value} says"):
        connection.send(Message(payload, "1"))
    assert snapshot(connection) == before


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (Message(oa.ProtoOAOrder()), "has no payload type"),
        (Message(oa.ProtoOAVersionReq(payloadType=2106), "1"), "payloadType says 2106"),
        (Message(oa.ProtoOAAccountAuthReq(ctidTraderAccountId=9), "1"), "lacks required fields: accessToken"),
        (Message(UnknownPayload(2102, b""), "1"), "known to the schema"),
        (Message(UnknownPayload(2106, b""), "1"), "needs account 0 authorised"),
        (Message(oa.ProtoOAReconcileReq(ctidTraderAccountId=0), "1"), "needs account 0 authorised"),
        (Message(UnknownPayload(9999, {}), "1"), "came as JSON"),
    ],
)
def test_what_cannot_be_encoded_moves_nothing(message: Message, said: str) -> None:
    connection = authorised().client
    before = snapshot(connection)
    with pytest.raises(LocalProtocolError, match=said):
        connection.send(message)
    assert snapshot(connection) == before


# What cannot be placed


@pytest.mark.parametrize(
    ("role", "payload", "reason"),
    [
        (CLIENT, VERSION, "a server does not say ProtoOAVersionReq"),
        (SERVER, VERSION_RES, "a client does not say ProtoOAVersionRes"),
        (SERVER, SPOT, "a client does not say ProtoOASpotEvent"),
    ],
)
def test_what_the_peer_may_not_say_at_all_is_reported_and_the_link_kept(role: Role, payload: Any, reason: str) -> None:
    pair = authorised()
    connection = pair.end(role)
    assert connection.receive_data(frame(payload, "9")) == [
        UndecodedReceived(oa.payload_type_of(payload), "9", payload.SerializeToString(), reason)
    ]
    assert connection.state is ConnectionState.READY


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_a_payload_type_that_the_schema_does_not_know_fails_its_request_and_keeps_the_link(codec: Codec) -> None:
    pair = authorised(codec=codec)
    body: Any = b"\x08\x01" if codec.name == "protobuf" else {"a": 1}
    pair.asks(RECONCILE, "1")
    unknown = UnknownPayload(9999, body)
    reason = "the schema does not know this payload type"
    assert pair.answers(unknown) == [UndecodedReceived(9999, None, body, reason)]
    assert pair.answers(unknown, "1") == [UndecodedReceived(9999, "1", body, reason)]
    assert pair.client.open_ids == pair.server.open_ids == frozenset()
    assert pair.asks(unknown, "2") == [RequestReceived(Message(unknown, "2"), "2", None)]
    assert pair.client.drift == Drift(unknown_payload_types=2)
    assert pair.server.drift == Drift(unknown_payload_types=1)
    assert pair.answers(error("UNSUPPORTED_MESSAGE"), "2")[0].client_msg_id == "2"  # type: ignore[union-attr]


def test_a_heartbeat_with_the_id_of_a_request_that_nobody_knows_is_no_answer_to_it_at_either_end() -> None:
    pair = authorised()
    pair.asks(UnknownPayload(7777), "1")
    assert pair.answers(HEARTBEAT, "1") == [HeartbeatReceived()]
    assert pair.client.open_ids == pair.server.open_ids == {"1"}


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_unknown_keys_of_the_envelope_are_counted_where_its_payload_is_unknown_too(codec: Codec) -> None:
    pair = authorised(codec=codec)
    extras: Any = b"\xb8\x3e\x01" if codec.name == "protobuf" else {"new": 1}
    pair.client.receive_data(pair.server.send(Message(UnknownPayload(9999), None, None, extras)))
    assert pair.client.drift == Drift(unknown_fields=1, unknown_payload_types=1)


def test_drift_is_counted_by_kind() -> None:
    pair = authorised()
    pair.client.drift = Drift()
    wrap = framing_of(Delimiting.LENGTH).wrap

    def body(payload_type: int, payload: bytes) -> bytes:
        return wrap(oa.ProtoMessage(payloadType=payload_type, payload=payload).SerializeToString())

    event = oa.ProtoOAExecutionEvent(ctidTraderAccountId=ACCOUNT, executionType=77)
    event.MergeFromString(b"\xb8\x3e\x01")
    events = pair.client.receive_data(
        body(2126, event.SerializeToString()) * 3 + body(2131, b"") * 2 + body(2131, b"\xff") + body(9999, b"") * 4
    )
    assert len(events) == 10
    assert pair.client.drift == Drift(
        unknown_fields=3, unknown_enums=3, unknown_payload_types=4, missing_fields=2, undecodable=1
    )
    assert isinstance(events[0], EventReceived)
    assert events[0].message.payload.executionType == 77


# Bytes that hurt nobody


def test_what_stands_before_a_fault_is_reported_and_the_fault_ends_it() -> None:
    for tail in (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\3abc"):
        connection = connection_in(ConnectionState.READY, CLIENT, CODECS[0])
        events = connection.receive_data(frame(SPOT) + frame(HEARTBEAT) + tail + frame(SPOT))
        assert events[:2] == [EventReceived(Message(SPOT), None), HeartbeatReceived()]
        assert len(events) == 3
        assert isinstance(closed(events).error, RemoteProtocolError)


def test_a_million_empty_frames_end_the_link_at_the_first() -> None:
    for role in Role:
        connection = Connection(role, CODECS[0])
        [event] = connection.receive_data(bytes(4_000_000))
        assert closed([event]).reason == "a ProtoMessage of 0 bytes has no payloadType"


def test_a_message_that_cannot_be_read_costs_that_message_only() -> None:
    for role in Role:
        connection = connection_in(ConnectionState.READY, role, CODECS[1])
        data = b"".join(
            framing_of(Delimiting.LENGTH).wrap(text)
            for text in (b'{"payloadType":2131,"payload":{"bid":1.5}}', b'{"payloadType":51}')
        )
        first, second = connection.receive_data(data)
        assert first == UndecodedReceived(
            2131, None, b'{"bid":1.5}', "no ProtoOASpotEvent: bid: an integer is due, not a float"
        )
        assert second == HeartbeatReceived()
        assert connection.drift.undecodable == 1


@given(st.sampled_from(list(Role)), st.sampled_from(CODECS), st.lists(any_message(), max_size=6), st.data())
@few(60)
def test_any_messages_cut_and_damaged_anywhere_never_raise_and_end_in_one_closing(
    role: Role, codec: Codec, messages: list[Message], data: st.DataObject
) -> None:
    stream = b"".join(framing_of(Delimiting.LENGTH).wrap(codec.encode(message)) for message in messages)
    damaged = bytearray(stream)
    for place in data.draw(st.lists(st.integers(0, max(len(stream) - 1, 0)), max_size=3)) if stream else []:
        damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    cut = data.draw(st.integers(0, len(stream)))
    connection = connection_in(ConnectionState.READY, role, codec)
    events = connection.receive_data(bytes(damaged[:cut])) + connection.receive_data(bytes(damaged[cut:]))
    events += connection.receive_eof()
    assert closed(events)
    assert connection.receive_eof() == []


@given(st.sampled_from(list(Role)), st.sampled_from(CODECS), st.binary(max_size=80))
@few(200)
def test_garbage_never_raises_and_ends_in_one_closing(role: Role, codec: Codec, garbage: bytes) -> None:
    connection = Connection(role, codec)
    assert closed(connection.receive_data(garbage) + connection.receive_eof())
