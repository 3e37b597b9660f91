"""Application and account authorisation on one link: what counts as done, and what as refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anyctrader.session import AuthenticationFailed, Credentials, Environment, ServerError, WrongEnvironment, connect
from anyctrader.session.auth import required_account
from anyctrader.wire import messages as oa

from .peer import CODEC, Answer, Peer, listening
from .rig import QUICK

pytestmark = pytest.mark.anyio

LIST = [
    oa.ProtoOACtidTraderAccount(ctidTraderAccountId=1, isLive=False, traderLogin=501),
    oa.ProtoOACtidTraderAccount(ctidTraderAccountId=2, isLive=True, traderLogin=502),
]
CREDENTIALS = Credentials(Environment.DEMO, client_id="app", client_secret="s3cret", access_token="t0ken")


def refusing(code: str) -> Answer:
    return lambda _, __: [oa.ProtoOAErrorRes(errorCode=code)]


def asked(peer: Peer, name: str) -> list[Any]:
    return [payload for payload in peer.heard if type(payload).__name__ == name]


@pytest.mark.parametrize("code", ["CH_CLIENT_ALREADY_AUTHENTICATED", "ALREADY_LOGGED_IN"])
async def test_an_application_or_account_that_is_there_already_is_as_good(code: str, tmp_path: Path) -> None:
    peer = Peer({"ProtoOAApplicationAuthReq": refusing(code), "ProtoOAAccountAuthReq": refusing("ALREADY_LOGGED_IN")})
    async with (
        listening(peer, tmp_path) as endpoint,
        connect(
            Environment.DEMO,
            CREDENTIALS,
            host=endpoint.host,
            port=endpoint.port,
            codec=CODEC,
            transport=endpoint.transport,
            ca_file=endpoint.ca_file,
            timings=QUICK,
        ) as session,
    ):
        assert (await session.authorize(1)).id == 1
        (request,) = asked(peer, "ProtoOAApplicationAuthReq")
        assert (request.clientId, request.clientSecret) == ("app", "s3cret")
        (request,) = asked(peer, "ProtoOAAccountAuthReq")
        assert (request.ctidTraderAccountId, request.accessToken) == (1, "t0ken")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("CH_ACCESS_TOKEN_INVALID", AuthenticationFailed),
        ("RET_ACCOUNT_DISABLED", AuthenticationFailed),
        ("CH_SERVER_NOT_REACHABLE", ServerError),
        ("CANT_ROUTE_REQUEST", ServerError),
    ],
)
async def test_an_account_is_refused_for_good_or_just_now(code: str, expected: type[Exception], tmp_path: Path) -> None:
    peer = Peer({"ProtoOAAccountAuthReq": refusing(code)})
    async with (
        listening(peer, tmp_path) as endpoint,
        connect(
            Environment.DEMO,
            CREDENTIALS,
            host=endpoint.host,
            port=endpoint.port,
            codec=CODEC,
            transport=endpoint.transport,
            ca_file=endpoint.ca_file,
            timings=QUICK,
        ) as session,
    ):
        with pytest.raises(expected, match=code):
            await session.authorize(1)
        assert session.authorized == {}
        assert len(asked(peer, "ProtoOAAccountAuthReq")) == 1


def test_an_account_is_found_by_its_id() -> None:
    assert required_account(LIST, 1, environment=Environment.DEMO) is LIST[0]
    assert required_account(LIST, 2, environment=Environment.LIVE) is LIST[1]


@pytest.mark.parametrize(("account_id", "environment"), [(2, Environment.DEMO), (1, Environment.LIVE)])
def test_an_account_of_the_other_environment_is_not_taken(account_id: int, environment: Environment) -> None:
    with pytest.raises(WrongEnvironment, match=f"belongs to {environment.other.value}"):
        required_account(LIST, account_id, environment=environment)


def test_a_login_leads_to_the_id_and_an_unknown_number_to_those_that_there_are() -> None:
    with pytest.raises(AuthenticationFailed, match=r"501 is a trader login.*which is 1"):
        required_account(LIST, 501, environment=Environment.DEMO)
    with pytest.raises(AuthenticationFailed, match="it covers 1"):
        required_account(LIST, 9, environment=Environment.DEMO)
    with pytest.raises(AuthenticationFailed, match="it covers no live account"):
        required_account(LIST[:1], 9, environment=Environment.LIVE)
