"""A wrong kind of argument is told where it is handed in: its name, its value, and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anyctrader.session import Environment, Mode, SessionState, connect, open_desk
from anyctrader.session.arguments import check_kind, check_payload, check_word
from anyctrader.wire import UnknownPayload
from anyctrader.wire import messages as oa

from .rig import a_desk, a_server, an_account, credentials_of

DEMO = Environment.DEMO
ANYTHING: Any = None


def test_a_word_is_a_member_of_its_enum() -> None:
    check_word("mode", Mode.OFF, Mode)
    with pytest.raises(TypeError) as caught:
        check_word("mode", "off", Mode)
    assert str(caught.value) == "mode: 'off' is refused: it is one of Mode.OFF, Mode.REDUCE_ONLY, Mode.ON"


def test_a_kind_is_named_with_the_value_that_is_none() -> None:
    check_kind("account_id", 1, int)
    check_kind("codec", None, str | None)
    for value, said in (
        ("1000002", "account_id: '1000002' (str) is refused: it is an int"),
        (True, "account_id: True (bool) is refused: it is an int"),
    ):
        with pytest.raises(TypeError) as caught:
            check_kind("account_id", value, int)
        assert str(caught.value) == said
    with pytest.raises(TypeError) as caught:
        check_kind("why", b"x" * 100, str | None)
    assert str(caught.value) == "why: b'" + "x" * 58 + "… (bytes) is refused: it is a str or None"


def test_a_value_that_may_be_a_secret_is_not_shown() -> None:
    with pytest.raises(TypeError) as caught:
        check_kind("credentials", "my-token", int, shown=False)
    assert str(caught.value) == "credentials: a str is refused: it is an int"


def test_a_payload_is_a_message_and_no_class() -> None:
    check_payload(oa.ProtoOAVersionReq())
    check_payload(UnknownPayload(9999, b""))
    for value, said in (
        (None, "a NoneType"),
        (oa.ProtoOAVersionReq, "the class ProtoOAVersionReq"),
        (oa.ProtoOATradeData(), "a ProtoOATradeData"),
        ([], "a list"),
    ):
        with pytest.raises(TypeError, match=f"payload: {said} is refused: it is a request's message"):
            check_payload(value)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"environment": "demo"}, "environment: 'demo' is refused: it is one of Environment.DEMO, Environment.LIVE"),
        ({"credentials": None}, "credentials: a NoneType is refused: it is a Credentials"),
        ({"credentials": "token"}, "credentials: a str is refused: it is a Credentials"),
        ({"trading": "off"}, "trading: 'off' is refused"),
        ({"timings": 5}, "timings: 5 (int) is refused: it is a Timings or None"),
        ({"audit": "logs"}, "audit: 'logs' (str) is refused: it is an Audit or None"),
        ({"log": Path("x")}, "log: "),
    ],
)
async def test_connect_takes_what_it_says(given: dict[str, Any], said: str) -> None:
    async with a_server() as server:
        given = {"environment": DEMO, "credentials": credentials_of(server), **given}
        with pytest.raises(TypeError) as caught:
            async with connect(host=server.host, port=server.port, **given):
                pass
        assert str(caught.value).startswith(said)
        assert server.seen.total == 0


@pytest.mark.anyio
async def test_a_session_takes_what_it_says() -> None:
    async with an_account() as (_, session, account):
        with pytest.raises(TypeError, match="payload: a NoneType is refused"):
            await session.request(ANYTHING)
        with pytest.raises(TypeError, match=r"account_id: '1000002' \(str\) is refused: it is an int"):
            await session.authorize("1000002")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"states: 'ready' is refused: it is one of SessionState\.CONNECTING"):
            await session.wait_for("ready")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="credentials: a str is refused"):
            session.resume("token")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="payload: a NoneType is refused"):
            await account.request(ANYTHING)
        with pytest.raises(TypeError, match="a ProtoOAVersionReq is refused: it names no account; ask the session"):
            await account.request(oa.ProtoOAVersionReq())
        with pytest.raises(TypeError, match=r"symbols: 1 \(int\) is refused: it is a str"):
            async with account.spots(1):  # type: ignore[arg-type]
                pass
        with pytest.raises(TypeError, match=r"policy: 'LATEST' is refused: it is one of Delivery\.LATEST"):
            async with account.spots("EURUSD", policy="LATEST"):  # type: ignore[arg-type]
                pass
        assert session.state is SessionState.READY


@pytest.mark.anyio
async def test_a_desk_takes_what_it_says(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="settings: a NoneType is refused: it is a Settings"):
        async with open_desk(ANYTHING):
            pass
    async with a_desk(tmp_path) as (server, desk):
        before = server.seen.total
        with pytest.raises(TypeError, match=r"ticket: None \(NoneType\) is refused: it is a Ticket"):
            await desk.place(DEMO, ANYTHING)
        with pytest.raises(TypeError, match=r"change: None .* it is an OrderAmendment or PositionAmendment"):
            await desk.amend(DEMO, ANYTHING)
        with pytest.raises(TypeError, match=r"mode: 'off' is refused: it is one of Mode\.OFF"):
            await desk.halt(DEMO, why="x", mode="off")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="why: None"):
            await desk.halt(DEMO, why=ANYTHING)
        with pytest.raises(TypeError, match="environment: 'demo' is refused"):
            await desk.halt("demo", why="x")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="environment: 'demo' is refused"):
            await desk.resume("demo")  # type: ignore[arg-type]
        assert desk.mode(DEMO) is Mode.ON
        assert server.seen.total == before
