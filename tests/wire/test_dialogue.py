from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from anyctrader.wire import AccountState, ConnectionState
from anyctrader.wire import messages as oa
from anyctrader.wire.catalog import CATALOG, Kind
from anyctrader.wire.dialogue import CLIENT_DISCONNECT, LONGEST_ID, MOVING, ORDER_ERROR, Dialogue
from anyctrader.wire.events import AccountChanged

ACCOUNT = 7
APP_AUTH = oa.ProtoOAApplicationAuthReq(clientId="a", clientSecret="b")
ACCOUNT_AUTH = oa.ProtoOAAccountAuthReq(ctidTraderAccountId=ACCOUNT, accessToken="t")
TRADER = oa.ProtoOATraderReq(ctidTraderAccountId=ACCOUNT)
ORDER = oa.ProtoOANewOrderReq(ctidTraderAccountId=ACCOUNT, symbolId=1, orderType=1, tradeSide=1, volume=1)
OPEN, AUTHENTICATING, READY = ConnectionState.OPEN, ConnectionState.AUTHENTICATING, ConnectionState.READY
IN, PENDING, OUT = AccountState.AUTHENTICATED, AccountState.AUTHENTICATING, AccountState.LOGGED_OUT


def number(payload: Any) -> int:
    return oa.payload_type_of(payload)


def ask(dialogue: Dialogue, payload: Any, client_msg_id: str | None = None) -> list[AccountChanged]:
    assert dialogue.too_early(number(payload), payload) is None
    return dialogue.ask(number(payload), payload, client_msg_id)


def hear(dialogue: Dialogue, payload: Any, client_msg_id: str | None = None) -> list[AccountChanged]:
    kind = CATALOG[number(payload)].kind
    settled, problem = dialogue.settled_by(number(payload), kind, payload, client_msg_id)
    assert problem == ""
    return dialogue.hear(number(payload), payload, client_msg_id, settled)


def too_early(dialogue: Dialogue, payload: Any) -> str | None:
    return dialogue.too_early(number(payload), payload)


def error(code: str, description: str = "", account: int = 0) -> Any:
    return oa.ProtoOAErrorRes(errorCode=code, description=description, ctidTraderAccountId=account)


@pytest.fixture
def ready() -> Dialogue:
    """The application is authorised."""
    dialogue = Dialogue()
    ask(dialogue, APP_AUTH, "app")
    hear(dialogue, oa.ProtoOAApplicationAuthRes(), "app")
    assert (dialogue.state, dialogue.open) == (READY, {})
    return dialogue


@pytest.fixture
def authorised(ready: Dialogue) -> Dialogue:
    """An account is as well."""
    assert ask(ready, ACCOUNT_AUTH, "account") == [AccountChanged(ACCOUNT, PENDING)]
    answer = oa.ProtoOAAccountAuthRes(ctidTraderAccountId=ACCOUNT)
    assert hear(ready, answer, "account") == [AccountChanged(ACCOUNT, IN)]
    return ready


# Too early


def test_before_the_application_is_authorised_only_early_requests_may_be_said() -> None:
    dialogue = Dialogue()
    for payload in (oa.ProtoOAVersionReq(), oa.ProtoOARefreshTokenReq(refreshToken="r"), oa.ProtoHeartbeatEvent()):
        assert too_early(dialogue, payload) is None
    for payload in (ACCOUNT_AUTH, TRADER, ORDER, oa.ProtoOAGetAccountListByAccessTokenReq(accessToken="t")):
        assert too_early(dialogue, payload) == (
            f"{type(payload).__name__} may not be said while the application is open"
        )
    assert dialogue.too_early(9999, None) == "Unknown(9999) may not be said while the application is open"


def test_a_request_of_an_account_needs_that_account_authorised(authorised: Dialogue) -> None:
    assert too_early(authorised, TRADER) is None
    assert too_early(authorised, ACCOUNT_AUTH) is None
    assert too_early(authorised, oa.ProtoOAVersionReq()) is None
    assert authorised.too_early(9999, None) is None
    for account in (8, 0, -1):
        assert too_early(authorised, oa.ProtoOATraderReq(ctidTraderAccountId=account)) == (
            f"ProtoOATraderReq needs account {account} authorised; it is logged out"
        )
    hear(authorised, oa.ProtoOAAccountDisconnectEvent(ctidTraderAccountId=ACCOUNT))
    assert too_early(authorised, TRADER) == "ProtoOATraderReq needs account 7 authorised; it is logged out"
    ask(authorised, ACCOUNT_AUTH)
    assert too_early(authorised, TRADER) == "ProtoOATraderReq needs account 7 authorised; it is authenticating"


# The application


def test_an_application_auth_that_is_refused_may_be_tried_again() -> None:
    dialogue = Dialogue()
    for _ in range(2):
        ask(dialogue, APP_AUTH, "1")
        assert dialogue.state is AUTHENTICATING
        assert too_early(dialogue, APP_AUTH) is not None
        hear(dialogue, error("CH_CLIENT_AUTH_FAILURE"), "1")
        assert (dialogue.state, dialogue.open) == (OPEN, {})


@pytest.mark.parametrize("code", ["CH_CLIENT_ALREADY_AUTHENTICATED", "ALREADY_LOGGED_IN"])
def test_an_application_that_is_authorised_already_is_ready(code: str) -> None:
    dialogue = Dialogue()
    ask(dialogue, APP_AUTH, "1")
    hear(dialogue, error(code), "1")
    assert dialogue.state is READY


def test_a_refusal_without_an_id_belongs_to_the_application_auth_where_nothing_else_waits() -> None:
    dialogue = Dialogue()
    ask(dialogue, APP_AUTH, "1")
    assert dialogue.settled_by(50, Kind.ERROR, oa.ProtoErrorRes(errorCode="X"), None) == ("1", "")
    hear(dialogue, oa.ProtoErrorRes(errorCode="X"))
    assert (dialogue.state, dialogue.open) == (OPEN, {})


def test_a_refusal_without_an_id_belongs_to_nobody_where_more_than_one_waits() -> None:
    dialogue = Dialogue()
    ask(dialogue, APP_AUTH, "1")
    ask(dialogue, oa.ProtoOAVersionReq(), "2")
    hear(dialogue, error("X"))
    assert (dialogue.state, set(dialogue.open)) == (AUTHENTICATING, {"1", "2"})


def test_a_refusal_without_an_id_answers_an_application_auth_without_an_id() -> None:
    dialogue = Dialogue()
    ask(dialogue, APP_AUTH)
    ask(dialogue, oa.ProtoOAVersionReq(), "2")
    hear(dialogue, error("X"))
    assert dialogue.state is AUTHENTICATING  # the other one may be meant
    hear(dialogue, oa.ProtoOAVersionRes(version="1"), "2")
    hear(dialogue, error("X"), "late")
    assert dialogue.state is AUTHENTICATING  # it has the id of something else
    hear(dialogue, error("X"))
    assert dialogue.state is OPEN


def test_a_refusal_without_an_id_never_decides_about_another_request(authorised: Dialogue) -> None:
    ask(authorised, ORDER, "1")
    hear(authorised, oa.ProtoErrorRes(errorCode="X"))
    assert set(authorised.open) == {"1"}
    dialogue = Dialogue()
    ask(dialogue, oa.ProtoOAVersionReq(), "2")
    hear(dialogue, oa.ProtoErrorRes(errorCode="X"))
    assert set(dialogue.open) == {"2"}


def test_an_answer_that_nobody_asked_for_makes_no_application_ready() -> None:
    dialogue = Dialogue()
    hear(dialogue, oa.ProtoOAApplicationAuthRes(), "1")
    assert dialogue.state is OPEN


def test_giving_up_an_application_auth_counts_as_a_refusal_and_its_late_refusal_as_nothing() -> None:
    dialogue = Dialogue()
    ask(dialogue, APP_AUTH, "1")
    assert dialogue.give_up("1") == []
    assert (dialogue.state, dialogue.open) == (OPEN, {})
    ask(dialogue, APP_AUTH, "2")
    hear(dialogue, error("X"), "1")
    assert dialogue.state is AUTHENTICATING
    hear(dialogue, oa.ProtoOAApplicationAuthRes(), "1")
    assert dialogue.state is READY  # late, and true
    hear(dialogue, error("CH_CLIENT_ALREADY_AUTHENTICATED"), "2")
    assert (dialogue.state, dialogue.open) == (READY, {})


# Accounts


def test_an_account_auth_that_is_refused_logs_the_account_out(authorised: Dialogue) -> None:
    assert ask(authorised, ACCOUNT_AUTH, "1") == [AccountChanged(ACCOUNT, PENDING)]
    assert hear(authorised, error("CH_ACCESS_TOKEN_INVALID"), "1") == [AccountChanged(ACCOUNT, OUT)]


def test_an_account_that_is_authorised_already_is(authorised: Dialogue) -> None:
    ask(authorised, ACCOUNT_AUTH, "1")
    assert hear(authorised, error("ALREADY_LOGGED_IN"), "1") == [AccountChanged(ACCOUNT, IN)]


def test_giving_up_an_account_auth_counts_as_a_refusal_until_the_server_says_otherwise(ready: Dialogue) -> None:
    ask(ready, ACCOUNT_AUTH, "1")
    assert ready.give_up("1") == [AccountChanged(ACCOUNT, OUT)]
    assert hear(ready, oa.ProtoOAAccountAuthRes(ctidTraderAccountId=ACCOUNT), "1") == [AccountChanged(ACCOUNT, IN)]


def test_giving_up_a_second_auth_of_an_account_that_is_authenticated_by_now_moves_nothing(ready: Dialogue) -> None:
    ask(ready, ACCOUNT_AUTH, "1")
    ask(ready, ACCOUNT_AUTH, "2")
    hear(ready, oa.ProtoOAAccountAuthRes(ctidTraderAccountId=ACCOUNT), "2")
    assert ready.give_up("1") == []
    assert (ready.open, ready.accounts) == ({}, {ACCOUNT: IN})


def test_giving_up_anything_else_moves_nothing(authorised: Dialogue) -> None:
    ask(authorised, TRADER, "1")
    for client_msg_id in ("1", "1", "unheard of", "", None):
        assert authorised.give_up(client_msg_id) == []
    assert (authorised.open, authorised.accounts) == ({}, {ACCOUNT: IN})


def test_an_auth_of_account_zero_is_refused_like_any_other(ready: Dialogue) -> None:
    request = oa.ProtoOAAccountAuthReq(ctidTraderAccountId=0, accessToken="t")
    ask(ready, request, "1")
    assert ready.give_up("1") == [AccountChanged(0, OUT)]
    ask(ready, request, "2")
    assert hear(ready, error("X"), "2") == [AccountChanged(0, OUT)]


@pytest.mark.parametrize(
    "payload",
    [
        oa.ProtoOAAccountDisconnectEvent(ctidTraderAccountId=ACCOUNT),
        oa.ProtoOAAccountLogoutRes(ctidTraderAccountId=ACCOUNT),
        oa.ProtoOAAccountsTokenInvalidatedEvent(ctidTraderAccountIds=[1, ACCOUNT, ACCOUNT]),
        oa.ProtoOAErrorRes(errorCode="ACCOUNT_NOT_AUTHORIZED", ctidTraderAccountId=ACCOUNT),
        oa.ProtoOAErrorRes(errorCode="OA_AUTH_TOKEN_EXPIRED", ctidTraderAccountId=ACCOUNT),
        oa.ProtoOAErrorRes(errorCode="CH_ACCESS_TOKEN_INVALID", ctidTraderAccountId=ACCOUNT),
        oa.ProtoOAErrorRes(
            errorCode="INVALID_REQUEST", description="Account NOT AUTHORISED", ctidTraderAccountId=ACCOUNT
        ),
        oa.ProtoOAErrorRes(
            errorCode="INVALID_REQUEST",
            description="Trading account is not authorized",
            ctidTraderAccountId=ACCOUNT,
        ),
        oa.ProtoOAOrderErrorEvent(
            errorCode="UNSUPPORTED_MESSAGE",
            description="Trading account is not authorized",
            ctidTraderAccountId=ACCOUNT,
        ),
        oa.ProtoOAExecutionEvent(ctidTraderAccountId=ACCOUNT, executionType=7, errorCode="ACCOUNT_NOT_AUTHORIZED"),
    ],
    ids=lambda payload: type(payload).__name__,
)
def test_what_ends_the_session_of_an_account_logs_it_out_once(authorised: Dialogue, payload: Any) -> None:
    assert hear(authorised, payload) == [AccountChanged(ACCOUNT, OUT)]
    assert hear(authorised, payload) == []


def test_an_error_that_answers_a_request_of_an_account_tells_of_that_account(authorised: Dialogue) -> None:
    ask(authorised, TRADER, "1")
    refusal = error("INVALID_REQUEST", "Trading account is not authorized")  # account 0: section 5
    assert hear(authorised, refusal, "1") == [AccountChanged(ACCOUNT, OUT)]


@pytest.mark.parametrize(
    "payload",
    [
        error("INVALID_REQUEST", "Nothing to amend.", ACCOUNT),
        error("MARKET_CLOSED", "not authorized", ACCOUNT),
        error("ACCOUNT_NOT_AUTHORIZED"),
        oa.ProtoErrorRes(errorCode="INVALID_REQUEST", description="Trading account is not authorized"),
        oa.ProtoOAExecutionEvent(ctidTraderAccountId=ACCOUNT, executionType=2),
        oa.ProtoOAExecutionEvent(ctidTraderAccountId=ACCOUNT, executionType=7, errorCode="MARKET_CLOSED"),
        oa.ProtoOAVersionRes(version="1"),
        oa.ProtoHeartbeatEvent(),
    ],
)
def test_other_errors_and_events_move_no_account(authorised: Dialogue, payload: Any) -> None:
    assert hear(authorised, payload) == []
    assert (authorised.state, authorised.accounts) == (READY, {ACCOUNT: IN})


def test_accounts_that_nobody_asked_for_are_not_kept(ready: Dialogue) -> None:
    hear(ready, oa.ProtoOAAccountAuthRes(ctidTraderAccountId=1))
    hear(ready, oa.ProtoOAAccountsTokenInvalidatedEvent(ctidTraderAccountIds=range(1_000)))
    assert ready.accounts == {}


def test_accounts_of_others_that_lost_their_token_cost_nothing_of_ours(authorised: Dialogue) -> None:
    lost = oa.ProtoOAAccountsTokenInvalidatedEvent(ctidTraderAccountIds=[*[1] * 100_000, ACCOUNT])
    tracemalloc.start()
    try:
        assert [change.account for change in hear(authorised, lost)] == [ACCOUNT]
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_of_very_many_accounts_and_requests_the_oldest_are_forgotten(ready: Dialogue) -> None:
    for account in range(1, 10_002):
        ask(ready, oa.ProtoOAAccountAuthReq(ctidTraderAccountId=account, accessToken="t"), str(account))
    assert len(ready.accounts) == len(ready.open) == 10_000
    assert 1 not in ready.accounts
    assert "1" not in ready.open
    ask(ready, oa.ProtoOAAccountAuthReq(ctidTraderAccountId=5, accessToken="t"))
    assert len(ready.accounts) == 10_000
    assert 2 in ready.accounts


# Which request a message answers


def test_a_request_without_an_id_waits_for_nothing(authorised: Dialogue) -> None:
    for client_msg_id in (None, ""):
        ask(authorised, TRADER, client_msg_id)
    assert authorised.open == {}
    assert authorised.settled_by(2122, Kind.RESPONSE, oa.ProtoOATraderRes(), "") == ("", "")


def test_a_response_settles_the_request_that_it_answers(authorised: Dialogue) -> None:
    ask(authorised, TRADER, "1")
    answer = oa.ProtoOATraderRes(ctidTraderAccountId=ACCOUNT)
    assert authorised.settled_by(number(answer), Kind.RESPONSE, answer, "2") == ("", "")
    assert authorised.settled_by(number(answer), Kind.RESPONSE, answer, "1") == ("1", "")
    hear(authorised, answer, "1")
    assert authorised.settled_by(number(answer), Kind.RESPONSE, answer, "1") == ("", "")


def test_an_id_can_be_used_where_it_is_a_string_of_some_length_that_is_not_open(authorised: Dialogue) -> None:
    ask(authorised, TRADER, "1")
    assert [authorised.unusable(each) for each in (None, "", "2", "x" * LONGEST_ID)] == [None] * 4
    assert authorised.unusable("1") == "client message id '1' is still open"
    assert authorised.unusable("x" * (LONGEST_ID + 1)) == "its clientMsgId has 257 characters; at most 256 are taken"
    assert authorised.unusable(["1"]) == "a client message id is a string"


def test_a_heartbeat_answers_nothing(authorised: Dialogue) -> None:
    authorised.ask(7777, None, "1")
    assert authorised.settled_by(51, Kind.HEARTBEAT, oa.ProtoHeartbeatEvent(), "1") == ("", "")


def test_a_response_of_another_kind_or_account_settles_nothing_and_is_a_problem(authorised: Dialogue) -> None:
    ask(authorised, TRADER, "1")
    other = oa.ProtoOASymbolsListRes(ctidTraderAccountId=ACCOUNT)
    assert authorised.settled_by(number(other), Kind.RESPONSE, other, "1") == (
        "",
        "it carries the id of a ProtoOATraderReq, which it does not answer",
    )
    foreign = oa.ProtoOATraderRes(ctidTraderAccountId=8)
    assert authorised.settled_by(number(foreign), Kind.RESPONSE, foreign, "1") == (
        "",
        "it carries the id of a request of account 7, and is about account 8",
    )


def test_an_event_settles_only_the_request_that_it_answers_of_its_own_account(authorised: Dialogue) -> None:
    ask(authorised, ORDER, "1")
    ask(authorised, TRADER, "2")
    execution = oa.ProtoOAExecutionEvent(ctidTraderAccountId=ACCOUNT, executionType=2)
    foreign = oa.ProtoOAExecutionEvent(ctidTraderAccountId=8, executionType=2)
    spot = oa.ProtoOASpotEvent(ctidTraderAccountId=ACCOUNT, symbolId=1)
    for payload, client_msg_id in ((foreign, "1"), (spot, "1"), (execution, "2")):
        assert authorised.settled_by(number(payload), Kind.EVENT, payload, client_msg_id) == ("", "")
    assert authorised.settled_by(number(execution), Kind.EVENT, execution, "1") == ("1", "")


def test_an_error_settles_whatever_request_it_carries_the_id_of_unless_it_names_another_account(
    authorised: Dialogue,
) -> None:
    ask(authorised, TRADER, "1")
    for account, settled in ((0, "1"), (ACCOUNT, "1"), (8, "")):
        refusal = error("X", account=account)
        assert authorised.settled_by(number(refusal), Kind.ERROR, refusal, "1") == (settled, "")


def test_a_request_that_the_schema_does_not_know_is_answered_by_whatever_carries_its_id(ready: Dialogue) -> None:
    ready.ask(9999, None, "1")
    spot = oa.ProtoOASpotEvent(ctidTraderAccountId=ACCOUNT, symbolId=1)
    assert ready.settled_by(number(spot), Kind.EVENT, spot, "1") == ("1", "")


# The end, and what moves


def test_the_end_logs_every_account_out_and_nobody_waits_any_more(authorised: Dialogue) -> None:
    ask(authorised, oa.ProtoOAAccountAuthReq(ctidTraderAccountId=8, accessToken="t"), "1")
    assert authorised.end() == [AccountChanged(ACCOUNT, OUT), AccountChanged(8, OUT)]
    assert (authorised.state, authorised.open) == (ConnectionState.CLOSED, {})
    assert authorised.end() == []


def test_only_what_is_listed_as_moving_moves() -> None:
    assert {number(oa.ProtoOAErrorRes), ORDER_ERROR, number(oa.ProtoErrorRes)} < MOVING
    assert CLIENT_DISCONNECT not in MOVING
    for payload_type, entry in CATALOG.items():
        if entry.kind is Kind.REQUEST or payload_type in MOVING:
            continue
        dialogue = Dialogue()
        ask(dialogue, APP_AUTH, "1")
        assert dialogue.hear(payload_type, None, None, "") == []
        assert dialogue.state is AUTHENTICATING
